/*
 * wild_diff.c - fast engine against reference engine on guests in every mode (wild.h).
 *
 * The guest runs in slices of random length on the reference engine, on the fast one with long and short
 * blocks, on one whose passed checks are listened to as well, and in one go without anybody watching: state
 * hash, instructions, cycles, the reason to stop and the events must be equal. NMIs and machine checks
 * come between slices, to all alike.
 *
 *   wild_diff [FIRST-SEED [COUNT [INSTRUCTIONS]]]      exit 1 on a difference, which it describes
 *   wild_diff --absurd FIRST-SEED COUNT                the same with registers of any value, in combinations that cannot be
 *   wild_diff --modes FIRST-SEED COUNT                 how the guests end, by kind: are they worth running?
 */
#include "tests/diff/wild.h"

#define STORM 400000u /* cycles after which a guest is let go */

struct watch {
    uint64_t hash, count;
};

static bool on_event(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct watch *w = ctx;
    const uint64_t f[] = {e->kind | (uint64_t)e->cpl << 16 | (uint64_t)e->rule << 24 | (uint64_t)e->verdict << 48 |
                              (uint64_t)e->how << 56,
                          e->tick, e->rip, e->w[0], e->w[1], e->w[2], e->w[3]};

    (void)m;
    for (unsigned i = 0; i < 7; i++) w->hash = (w->hash ^ f[i]) * 0x100000001b3u + (w->hash >> 29);
    w->count++;
    return false;
}

#define EVENTS                                                                                     \
    (RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CROSS_END) | RS_MASK(RS_EV_FAULT) | \
     RS_MASK(RS_EV_CR) | RS_MASK(RS_EV_SEG) | RS_MASK(RS_EV_IRQ))

struct run {
    const char *name;
    unsigned engine, cap;
    bool alone;  /* to the end in one go, unwatched */
    bool passed; /* hears of the checks that pass too: other events, the same machine */
    rs_machine *m;
    struct watch watch;
    struct rs_stop_info stop;
    char hash[33];
};

static const char *const models[] = {NULL, "max", "x86-64-v1", "x86-64-v2,-umip", "epyc", "opteron_g2", "nehalem", "486", "pentium2", "qemu32",
                                     "athlon", "icelake", "epyc-milan", "penryn", "coreduo"};

static bool has_lm(const char *cpu)
{
    const char *name;
    bool on;

    for (unsigned i = 0; rs_cpu_feature(cpu, i, &name, &on, NULL); i++)
        if (strcmp(name, "lm") == 0) return on;
    return false;
}

static void start(struct run *r, uint64_t seed)
{
    struct dice d = {.s = seed * 0x2545f4914f6cdd1du + 1};
    struct rs_config config;
    char error[300];
    unsigned id;

    rs_config_init(&config);
    config.engine = r->engine;
    config.block_cap = r->cap;
    config.mem_bytes = WILD_MEM;
    config.cpu = models[seed % (sizeof models / sizeof *models)];
    if (rs_create(&config, &r->m, error, sizeof error) != RS_OK) {
        fprintf(stderr, "%s\n", error);
        exit(2);
    }
    wild_build(r->m, &d, has_lm(config.cpu));
    if (!r->alone) (void)rs_observer_add(r->m, EVENTS, !r->passed, on_event, &r->watch, &id);
}

static void slice(struct run *r, uint64_t insns, uint64_t cycles)
{
    struct rs_limits l = {.struct_size = sizeof l, .insns = insns, .cycles = cycles};

    if (rs_run(r->m, &l, &r->stop) != RS_OK) exit(2);
    (void)rs_state_hash(r->m, r->hash);
}

static bool same(const struct run *a, const struct run *b)
{
    return strcmp(a->hash, b->hash) == 0 && a->stop.insns == b->stop.insns && a->stop.cycles == b->stop.cycles &&
           a->stop.reason == b->stop.reason && (b->alone || b->passed || a->watch.hash == b->watch.hash);
}

static void tell(const struct run *r)
{
    fprintf(stderr, "  %-10s %s at rip %#llx cpl %u, %llu insns, %llu cycles, hash %s, %llu events %016llx %s\n    ",
            r->name, rs_stop_reason_name(r->stop.reason), (unsigned long long)r->stop.rip, r->stop.cpl,
            (unsigned long long)r->stop.insns, (unsigned long long)r->stop.cycles, r->hash,
            (unsigned long long)r->watch.count, (unsigned long long)r->watch.hash, r->stop.text);
    for (unsigned i = 0; i < RS_REG_MXCSR; i++) {
        uint64_t v = 0;
        if (rs_reg_name(i) && rs_reg_read(r->m, 0, i, &v) == RS_OK && (v || i < 18))
            fprintf(stderr, "%s=%llx ", rs_reg_name(i), (unsigned long long)v);
    }
    fputc('\n', stderr);
}

static bool differ(uint64_t seed, const struct run *a, const struct run *b)
{
    if (same(a, b)) return false;
    fprintf(stderr, "seed %llu: %s and %s differ\n", (unsigned long long)seed, a->name, b->name);
    tell(a);
    tell(b);
    return true;
}

static bool goes_on(const struct run *r)
{
    return r->stop.reason == RS_STOP_NONE || r->stop.reason == RS_STOP_INSN_LIMIT || r->stop.reason == RS_STOP_CYCLE_LIMIT;
}

/* Something from outside, in one guest of four; then nobody can run it in one go. */
static bool signals(uint64_t seed) { return (seed & 12) == 4; }

static void raise_all(struct run *runs, unsigned n, struct dice *d)
{
    enum rs_signal what = once_in(d, 8) ? RS_RAISE_MC : RS_RAISE_NMI;

    for (unsigned i = 0; i < n; i++)
        if (rs_raise(runs[i].m, 0, what) != RS_OK) exit(2);
}

static bool one_seed(uint64_t seed, uint64_t total)
{
    static const unsigned caps[] = {1, 2, 7};
    struct run runs[] = {{.name = "reference", .engine = RS_ENGINE_REFERENCE},
                         {.name = "fast"},
                         {.name = "short", .cap = caps[seed % 3]},
                         {.name = "passed", .passed = true},
                         {.name = "alone", .alone = true}};
    enum { N = sizeof runs / sizeof runs[0] };
    struct dice d = {.s = seed ^ 0xabcdef};
    bool ok = true, cycles = seed & 1;

    for (unsigned i = 0; i < N; i++) start(&runs[i], seed);
    while (ok && goes_on(&runs[0]) && runs[0].stop.insns < total && runs[0].stop.cycles < STORM) {
        uint64_t n = 1 + (below(&d, 4) ? below(&d, 300) : below(&d, 20));
        for (unsigned i = 0; i < N - 1; i++) slice(&runs[i], cycles ? 0 : n, cycles ? 20 * n : STORM);
        for (unsigned i = 1; ok && i < N - 1; i++) ok = !differ(seed, &runs[0], &runs[i]);
        if (signals(seed) && once_in(&d, 4)) raise_all(runs, N - 1, &d);
    }
    if (ok && runs[0].stop.insns > 0 && !signals(seed)) {
        bool by_time = cycles || runs[0].stop.reason == RS_STOP_CYCLE_LIMIT;
        slice(&runs[N - 1], by_time ? 0 : runs[0].stop.insns, by_time ? runs[0].stop.cycles : 0);
        /* one who is stopped by something else stops there too; nobody counts on past it */
        if (goes_on(&runs[0])) ok = !differ(seed, &runs[0], &runs[N - 1]);
    }
    for (unsigned i = 0; i < N; i++) rs_destroy(runs[i].m);
    return ok;
}

/* ---- registers from outside -------------------------------------------------------------------------------- */

static const uint64_t odd[] = {0, 1, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffff,
                               0x800000000000, 0xffff800000000000, UINT64_MAX, INT64_MAX, WILD_CODE, WILD_STACK,
                               0x80000001, 0x80000011, 0x20, 0x30, 0x500, 0xd01, 0x20002, 0x20202, 0x23002, WILD_PAGES};

/* A register that there is gets a value that it cannot have, or could. */
static void absurd_write(struct run *runs, unsigned n, struct dice *d)
{
    unsigned reg = below(d, 2) ? below(d, RS_REG_COUNT) : RS_REG_ES + below(d, RS_REG_EFER + 2 - RS_REG_ES);
    uint64_t old = 0, v = below(d, 2) ? PICK(d, odd) : wild_word(d, 8);

    if (rs_reg_read(runs[0].m, 0, reg, &old) == RS_OK && below(d, 2)) v = old ^ 1ull << below(d, 64);
    for (unsigned i = 0; i < n; i++) (void)rs_reg_write(runs[i].m, 0, reg, v);
}

static bool one_absurd(uint64_t seed)
{
    struct run runs[] = {{.name = "reference", .engine = RS_ENGINE_REFERENCE}, {.name = "fast"}, {.name = "passed", .passed = true}};
    enum { N = sizeof runs / sizeof runs[0] };
    struct dice d = {.s = seed ^ 0x5eed};
    bool ok = true;

    for (unsigned i = 0; i < N; i++) start(&runs[i], seed);
    for (unsigned round = 0; ok && round < 24; round++) {
        uint64_t insns = 1 + below(&d, 12);
        for (unsigned k = 1 + below(&d, 4); k > 0; k--) absurd_write(runs, N, &d);
        for (unsigned i = 0; i < N; i++) slice(&runs[i], insns, STORM);
        for (unsigned i = 1; ok && i < N; i++) ok = !differ(seed, &runs[0], &runs[i]);
    }
    for (unsigned i = 0; i < N; i++) rs_destroy(runs[i].m);
    return ok;
}

static int absurd(uint64_t first, uint64_t count)
{
    unsigned bad = 0;

    for (uint64_t seed = first; seed < first + count; seed++)
        if (!one_absurd(seed) && ++bad >= 5) break;
    printf("%llu guests with absurd registers, %u differ\n", (unsigned long long)count, bad);
    return bad != 0;
}

/* ---- how guests end --------------------------------------------------------------------------------------- */

static int statistics(uint64_t first, uint64_t count)
{
    uint64_t insns = 0, ends[32] = {0};

    for (uint64_t seed = first; seed < first + count; seed++) {
        struct run r = {.name = "fast"};
        start(&r, seed);
        slice(&r, 2000, STORM);
        insns += r.stop.insns;
        ends[r.stop.reason & 31]++;
        if (r.stop.reason == RS_STOP_EMULATOR_GAP) printf("gap: %s\n", r.stop.text);
        rs_destroy(r.m);
    }
    for (unsigned i = 0; i < 32; i++)
        if (ends[i]) printf("%-16s %llu\n", rs_stop_reason_name((enum rs_stop_reason)i), (unsigned long long)ends[i]);
    printf("%llu instructions a guest\n", (unsigned long long)(insns / (count ? count : 1)));
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "--modes") == 0)
        return statistics(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
    if (argc == 4 && strcmp(argv[1], "--absurd") == 0)
        return absurd(strtoull(argv[2], NULL, 0), strtoull(argv[3], NULL, 0));
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 40;
    uint64_t total = argc > 3 ? strtoull(argv[3], NULL, 0) : 2000;
    unsigned bad = 0;

    for (uint64_t seed = first; seed < first + count; seed++)
        if (!one_seed(seed, total) && ++bad >= 5) break;
    printf("%llu guests in all modes, %u differ\n", (unsigned long long)count, bad);
    return bad != 0;
}
