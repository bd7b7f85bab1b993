/* Alarms by (tick, source). */
#include "emu/sched.h"
#include "tests/check_main.h"

#include <string.h>

struct log {
    struct sched sched;
    uint64_t now, sooner;
    unsigned fired, told;
    unsigned source[256];
    uint64_t rearm; /* added to `now` and armed again by each handler, 0 = not */
};

static uint64_t now(void *ctx) { return ((struct log *)ctx)->now; }

static void sooner(void *ctx, uint64_t next)
{
    struct log *l = ctx;

    l->sooner = next;
    l->told++;
}

static void fire(void *ctx, unsigned source)
{
    struct log *l = ctx;

    l->source[l->fired++ % 256] = source;
    if (l->rearm) sched_arm(&l->sched, source, l->now + l->rearm);
}

static void setup(struct log *l)
{
    memset(l, 0, sizeof *l);
    sched_init(&l->sched, l, now, sooner);
    for (unsigned i = 0; i < SCHED_SOURCES; i++) sched_handle(&l->sched, i, l, fire);
}

START_TEST(nothing_armed_means_never)
{
    struct log l;

    setup(&l);
    ck_assert(sched_next(&l.sched) == SCHED_NEVER);
    ck_assert_uint_eq(sched_fire(&l.sched, SCHED_NEVER), 0);
    ck_assert(!sched_is_armed(&l.sched, 3));
}
END_TEST

START_TEST(due_alarms_go_off_by_tick_and_among_equals_by_source)
{
    struct log l;

    setup(&l);
    sched_arm(&l.sched, 9, 100);
    sched_arm(&l.sched, 31, 50);
    sched_arm(&l.sched, 4, 100);
    sched_arm(&l.sched, 0, 101);
    ck_assert_uint_eq(sched_next(&l.sched), 50);
    ck_assert_uint_eq(sched_fire(&l.sched, 49), 0);
    ck_assert_uint_eq(sched_fire(&l.sched, 100), 3);
    ck_assert(l.source[0] == 31 && l.source[1] == 4 && l.source[2] == 9);
    ck_assert_uint_eq(sched_next(&l.sched), 101);
}
END_TEST

START_TEST(arming_again_replaces_and_never_disarms)
{
    struct log l;

    setup(&l);
    sched_arm(&l.sched, 1, 10);
    sched_arm(&l.sched, 1, 20);
    ck_assert_uint_eq(sched_next(&l.sched), 20);
    sched_disarm(&l.sched, 1);
    ck_assert(sched_next(&l.sched) == SCHED_NEVER);
}
END_TEST

START_TEST(a_handler_may_arm_itself_again)
{
    struct log l;

    setup(&l);
    l.now = 10;
    l.rearm = 5;
    sched_arm(&l.sched, 7, 10);
    ck_assert_uint_eq(sched_fire(&l.sched, 10), 1);
    ck_assert_uint_eq(sched_next(&l.sched), 15);
}
END_TEST

START_TEST(the_machine_is_told_only_when_the_next_alarm_comes_sooner)
{
    struct log l;

    setup(&l);
    sched_arm(&l.sched, 1, 100);
    ck_assert(l.told == 1 && l.sooner == 100);
    sched_arm(&l.sched, 2, 200);
    sched_arm(&l.sched, 1, 150);
    ck_assert_uint_eq(l.told, 1);
    sched_arm(&l.sched, 3, 120);
    ck_assert(l.told == 2 && l.sooner == 120);
}
END_TEST

START_TEST(the_clock_wire_reads_the_machine_and_arms_here)
{
    struct log l;

    setup(&l);
    struct clock_wire wire = sched_clock(&l.sched, 123);

    l.now = 77;
    ck_assert_uint_eq(wire.now(wire.ctx), 77);
    wire.arm(wire.ctx, 2, 88);
    ck_assert_uint_eq(sched_next(&l.sched), 88);
    ck_assert_uint_eq(wire.hz, 123);
}
END_TEST

START_TEST(a_restored_state_wakes_as_the_saved_one)
{
    struct log a, b;

    setup(&a);
    setup(&b);
    sched_arm(&a.sched, 5, 500);
    sched_arm(&a.sched, 6, 400);
    sched_restore(&b.sched, &a.sched.s);
    ck_assert_uint_eq(sched_next(&b.sched), 400);
    ck_assert_uint_eq(sched_fire(&b.sched, 1000), 2);
    ck_assert(b.source[0] == 6 && b.source[1] == 5);
}
END_TEST

START_TEST(random_alarms_never_go_off_out_of_order_or_early)
{
    struct log l;
    uint64_t seed = 1, armed = 0;

    setup(&l);
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        unsigned source = seed >> 33 & 31;

        sched_arm(&l.sched, source, l.now + 1 + (seed >> 40 & 63));
        l.now += seed >> 60;
        l.fired = 0;
        unsigned n = sched_fire(&l.sched, l.now);

        armed += n;
        ck_assert_uint_eq(n, l.fired);
        ck_assert(sched_next(&l.sched) > l.now);
    }
    ck_assert(armed > 1000);
}
END_TEST

RUN_TESTS("sched", nothing_armed_means_never, due_alarms_go_off_by_tick_and_among_equals_by_source,
          arming_again_replaces_and_never_disarms, a_handler_may_arm_itself_again,
          the_machine_is_told_only_when_the_next_alarm_comes_sooner,
          the_clock_wire_reads_the_machine_and_arms_here, a_restored_state_wakes_as_the_saved_one,
          random_alarms_never_go_off_out_of_order_or_early)
