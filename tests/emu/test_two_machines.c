/*
 * test_two_machines.c - machines know nothing of each other: two that boot the guest kernel under different
 * processors, prices, engines and observers, stepped in turn or in two threads, end as each does alone.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ringside/ringside.h"
#include "tests/check_main.h"

#define RUN_INSNS 400000u

/* What may differ between two machines of one process. */
struct kind {
    const char *cpu, *cost;
    uint32_t engine;
    uint64_t events;
    uint64_t slice; /* instructions per turn */
};
static const struct kind kinds[2] = {
    {"x86-64-v3", "teaching", RS_ENGINE_FAST, 0, 997},
    {"x86-64-v2", "skylake", RS_ENGINE_FAST,
     RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_INSN), 1499},
};

struct one {
    rs_machine *m;
    const struct kind *kind;
    uint64_t seen; /* events and console bytes, folded */
    char hash[33];
};

static void fold(struct one *o, uint64_t value) { o->seen = (o->seen ^ value) * 0x100000001b3u; }

static void console(void *ctx, unsigned channel, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) fold(ctx, bytes[i] + 256 * channel);
}

static bool observer(void *ctx, rs_machine *m, const struct rs_event *e)
{
    (void)m;
    fold(ctx, e->kind);
    fold(ctx, e->rip);
    fold(ctx, e->tick);
    for (unsigned i = 0; i < 4; i++) fold(ctx, e->w[i]);
    return false;
}

static void *image;
static size_t image_size;

static bool read_image(void)
{
    FILE *f = fopen(RS_GUEST, "rb");

    if (!f || image) return image != NULL;
    image = malloc(64u << 20);
    image_size = image ? fread(image, 1, 64u << 20, f) : 0;
    fclose(f);
    return image_size > 0;
}

static void one_new(struct one *o, const struct kind *kind)
{
    struct rs_config config;
    char error[200];
    unsigned id;

    *o = (struct one){.kind = kind, .seen = 1};
    rs_config_init(&config);
    config.cpu = kind->cpu;
    config.cost = kind->cost;
    config.engine = kind->engine;
    config.mem_bytes = 64u << 20;
    config.console = console;
    config.console_ctx = o;
    ck_assert_msg(rs_create(&config, &o->m, error, sizeof error) == RS_OK, "%s", error);
    ck_assert_msg(rs_load_image(o->m, image, image_size, "guest", "") == RS_OK, "%s",
                  rs_error(o->m));
    if (kind->events)
        ck_assert_int_eq(rs_observer_add(o->m, kind->events, false, observer, o, &id), RS_OK);
}

static bool turn(struct one *o)
{
    uint64_t left = RUN_INSNS - rs_insns(o->m);
    struct rs_limits limits = {.struct_size = sizeof limits,
                               .insns = left < o->kind->slice ? left : o->kind->slice};
    struct rs_stop_info stop;

    if (left == 0) return false;
    return rs_run(o->m, &limits, &stop) == RS_OK && stop.reason == RS_STOP_INSN_LIMIT &&
           stop.insns < RUN_INSNS;
}

static void one_end(struct one *o)
{
    ck_assert_uint_eq(rs_insns(o->m), RUN_INSNS);
    ck_assert_int_eq(rs_state_hash(o->m, o->hash), RS_OK);
    rs_destroy(o->m);
}

/* Each as it is alone, and in one run: slices change nothing either. */
static void alone(struct one two[2])
{
    for (unsigned i = 0; i < 2; i++) {
        struct rs_limits limits = {.struct_size = sizeof limits, .insns = RUN_INSNS};
        struct rs_stop_info stop;

        one_new(&two[i], &kinds[i]);
        ck_assert_int_eq(rs_run(two[i].m, &limits, &stop), RS_OK);
        one_end(&two[i]);
    }
}

static void same(const struct one a[2], const struct one b[2])
{
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_str_eq(a[i].hash, b[i].hash);
        ck_assert_uint_eq(a[i].seen, b[i].seen);
    }
}

START_TEST(stepped_in_turn_each_ends_as_it_does_alone)
{
    struct one want[2], got[2];

    if (!read_image()) return;
    alone(want);
    for (unsigned i = 0; i < 2; i++) one_new(&got[i], &kinds[i]);
    for (bool more = true; more;) {
        more = turn(&got[0]);
        more |= turn(&got[1]);
    }
    for (unsigned i = 0; i < 2; i++) one_end(&got[i]);
    same(want, got);
}
END_TEST

static void *to_the_end(void *ctx)
{
    while (turn(ctx)) continue;
    return NULL;
}

START_TEST(in_two_threads_each_ends_as_it_does_alone)
{
    struct one want[2], got[2];
    pthread_t thread[2];

    if (!read_image()) return;
    alone(want);
    for (unsigned i = 0; i < 2; i++) one_new(&got[i], &kinds[i]);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&thread[i], NULL, to_the_end, &got[i]), 0);
    for (unsigned i = 0; i < 2; i++) ck_assert_int_eq(pthread_join(thread[i], NULL), 0);
    for (unsigned i = 0; i < 2; i++) one_end(&got[i]);
    same(want, got);
}
END_TEST

RUN_TESTS("two machines", stepped_in_turn_each_ends_as_it_does_alone,
          in_two_threads_each_ends_as_it_does_alone)
