/*
 * The 8254 against a model that takes it pulse by pulse, as the data sheet tells it; and what the
 * board sees of it: ports, port 0x61, the interrupt line.
 */
#include "devices/pit8254.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

/* ---- one channel, pulse by pulse ------------------------------------------------------------------- */

struct model {
    unsigned mode, m;   /* m: 65536 or 10000 */
    unsigned cr, ce, n; /* n: what was loaded */
    bool out, gate, load, trigger, written, valid, stopped;
};

static void model_mode(struct model *c, unsigned mode, bool bcd)
{
    *c = (struct model){.mode = mode, .m = bcd ? 10000 : 65536, .gate = c->gate, .out = mode != 0};
}

static void model_gate(struct model *c, bool gate)
{
    bool rises = gate && !c->gate, falls = !gate && c->gate;

    c->gate = gate;
    if (rises && (c->mode == 1 || c->mode == 5) && c->written) c->trigger = true;
    if (rises && (c->mode == 2 || c->mode == 3) && c->written) c->trigger = true;
    if (falls && (c->mode == 2 || c->mode == 3)) c->out = true;
}

static void model_count(struct model *c, unsigned count)
{
    c->cr = count;
    c->stopped = false;
    if (c->mode == 0) c->out = false;
    if (c->mode == 0 || c->mode == 4) c->load = true;
    if ((c->mode == 2 || c->mode == 3) && !c->written) c->load = true;
    c->written = true;
}

static void model_down(struct model *c, unsigned by) { c->ce = (c->ce + c->m - by) % c->m; }

static void model_pulse(struct model *c)
{
    bool load = c->load || c->trigger;

    c->load = c->trigger = false;
    if (c->mode >= 4) c->out = true; /* a strobe lasts one pulse */
    if (load) {
        c->valid = true;
        c->n = c->cr;
        c->ce = c->mode == 3 ? c->cr & ~1u : c->cr % c->m;
        if (c->mode == 1) c->out = false;
        if (c->mode == 2 && c->n == 1 && c->gate) c->out = false;
        return;
    }
    if (!c->valid || c->stopped) return;
    if (!c->gate && c->mode != 1 && c->mode != 5) return;
    switch (c->mode) {
    case 0:
    case 1:
        model_down(c, 1);
        if (c->ce == 0) c->out = true;
        break;
    case 2:
        if ((c->ce ? c->ce : c->m) == 1) {
            c->n = c->cr;
            c->ce = c->cr % c->m;
            c->out = true;
        } else {
            model_down(c, 1);
        }
        if (c->ce == 1) c->out = false;
        break;
    case 3:
        if ((c->n & 1) && c->out && c->ce == 0) {
            c->out = false;
            c->n = c->cr;
            c->ce = c->n & ~1u;
            break;
        }
        c->ce -= 2;
        if (c->ce == 0 && !((c->n & 1) && c->out)) {
            c->out = !c->out;
            c->n = c->cr;
            c->ce = c->n & ~1u;
        }
        break;
    default:
        model_down(c, 1);
        if (c->ce == 0) c->out = false;
        break;
    }
}

static struct rig rig;
static struct pit8254 pit;

static void setup(void)
{
    memset(&pit, 0, sizeof pit);
    rig_connect(&rig, &pit8254_ops, &pit, &pit.w);
}

static void to_pulse(uint64_t pulse) { rig_run_to(&rig, timebase_tick(pulse, PIT_HZ, RIG_HZ)); }
static uint64_t pulse(void) { return timebase_count(rig.now, PIT_HZ, RIG_HZ); }

static unsigned digits(unsigned value, bool bcd)
{
    return bcd ? value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10
               : value & 0xffff;
}

static void set_mode(unsigned channel, unsigned mode, bool bcd)
{
    rig_out(&rig, 3, channel << 6 | 0x30 | mode << 1 | bcd);
}

static void set_count(unsigned channel, unsigned value, bool bcd)
{
    rig_out(&rig, channel, digits(value, bcd) & 0xff);
    rig_out(&rig, channel, digits(value, bcd) >> 8);
}

static unsigned counter(unsigned channel)
{
    unsigned low = rig_in(&rig, channel);

    return low | (unsigned)rig_in(&rig, channel) << 8;
}

static bool out2(void) { return rig_in(&rig, 4) & 0x20; }

/* Counts worth trying in a mode: small ones mostly, the largest, odd and even. */
static unsigned some_count(uint64_t *seed, unsigned mode, unsigned m)
{
    unsigned least = mode == 2 || mode == 3 ? 2 : 1;

    return rig_random(seed) % 16 == 0 ? m : least + rig_random(seed) % 9;
}

/* Random life of channel 2, all modes; returns the number of pulses compared. */
static unsigned compare_with_model(uint64_t seed)
{
    struct model c = {.m = 65536};
    bool bcd = false;
    unsigned compared = 0;
    uint64_t at = 0;

    setup();
    for (unsigned step = 0; step < 400; step++) {
        unsigned what = rig_random(&seed) % 16;

        if (step == 0 || what == 0) {
            unsigned mode = rig_random(&seed) % 6;

            bcd = rig_random(&seed) & 1;
            set_mode(2, mode, bcd);
            model_mode(&c, mode, bcd);
        } else if (what < 5) {
            unsigned count = some_count(&seed, c.mode, c.m);

            set_count(2, count, bcd);
            model_count(&c, count);
        } else if (what < 9) {
            bool gate = rig_random(&seed) & 1;

            rig_out(&rig, 4, gate);
            model_gate(&c, gate);
        }
        for (unsigned pulses = rig_random(&seed) % 24; pulses--;) {
            uint64_t edge = pit_next_edge(&pit.s.channel[2], at);
            bool before = c.out;

            ck_assert_msg(c.out == out2(), "mode %u: OUT at pulse %u", c.mode, (unsigned)at);
            model_pulse(&c);
            to_pulse(++at);
            if (before != c.out && pit.s.channel[2].running)
                ck_assert_msg(edge == at, "mode %u: edge foretold at pulse %u", c.mode,
                              (unsigned)at);
            if (c.valid && !c.load && !c.trigger && !c.stopped)
                ck_assert_msg(counter(2) == digits(c.ce, bcd),
                              "mode %u: counter at pulse %u: %x, should be %x", c.mode,
                              (unsigned)at, counter(2), digits(c.ce, bcd));
            compared++;
        }
    }
    return compared;
}

START_TEST(every_mode_counts_pulse_by_pulse_as_the_data_sheet_says)
{
    unsigned compared = 0;

    for (uint64_t seed = 1; seed <= 12; seed++) compared += compare_with_model(seed);
    ck_assert_uint_gt(compared, 30000);
}
END_TEST

/* ---- ports ------------------------------------------------------------------------------------------ */

START_TEST(mode_0_raises_out_n_plus_1_pulses_after_the_count_is_written)
{
    setup();
    rig_out(&rig, 4, 1);
    set_mode(2, 0, false);
    set_count(2, 100, false);
    to_pulse(100);
    ck_assert(!out2());
    to_pulse(101);
    ck_assert(out2());
    to_pulse(5000);
    ck_assert(out2());
}
END_TEST

START_TEST(a_latched_count_stands_still_until_both_bytes_are_read)
{
    setup();
    rig_out(&rig, 4, 1);
    set_mode(2, 0, false);
    set_count(2, 0x1234, false);
    to_pulse(1);
    rig_out(&rig, 3, 0x80);
    to_pulse(50);
    rig_out(&rig, 3, 0x80); /* ignored: one is latched */
    ck_assert_uint_eq(rig_in(&rig, 2), 0x34);
    to_pulse(60);
    ck_assert_uint_eq(rig_in(&rig, 2), 0x12);
    ck_assert_uint_eq(counter(2), 0x1234 - 59);
}
END_TEST

START_TEST(read_back_gives_the_status_byte_before_the_latched_count)
{
    setup();
    rig_out(&rig, 4, 1);
    set_mode(2, 2, false);
    set_count(2, 1000, false);
    to_pulse(11);
    rig_out(&rig, 3, 0xc8);                   /* count and status of channel 2 */
    ck_assert_uint_eq(rig_in(&rig, 2), 0xb4); /* OUT, loaded, low then high, mode 2, binary */
    ck_assert_uint_eq(counter(2), 990);
}
END_TEST

START_TEST(null_count_is_up_until_the_count_is_loaded)
{
    setup();
    rig_out(&rig, 4, 1);
    set_mode(2, 2, false);
    set_count(2, 1000, false);
    rig_out(&rig, 3, 0xe8);
    ck_assert_uint_eq(rig_in(&rig, 2) & 0x40, 0x40);
    to_pulse(1);
    rig_out(&rig, 3, 0xe8);
    ck_assert_uint_eq(rig_in(&rig, 2) & 0x40, 0);
    set_count(2, 500, false);
    to_pulse(1000);
    rig_out(&rig, 3, 0xe8);
    ck_assert_uint_eq(rig_in(&rig, 2) & 0x40, 0x40);
    to_pulse(1001);
    rig_out(&rig, 3, 0xe8);
    ck_assert_uint_eq(rig_in(&rig, 2) & 0x40, 0);
    ck_assert_uint_eq(counter(2), 500);
}
END_TEST

START_TEST(single_byte_access_writes_and_reads_that_byte_alone)
{
    setup();
    rig_out(&rig, 4, 1);
    rig_out(&rig, 3, 0xa0); /* channel 2, high byte, mode 0 */
    rig_out(&rig, 2, 0x12);
    to_pulse(1);
    ck_assert_uint_eq(rig_in(&rig, 2), 0x12);
    to_pulse(2);
    ck_assert_uint_eq(rig_in(&rig, 2), 0x11);
    rig_out(&rig, 3, 0x90); /* low byte */
    rig_out(&rig, 2, 0x12);
    to_pulse(4);
    ck_assert_uint_eq(rig_in(&rig, 2), 0x11);
}
END_TEST

START_TEST(port_61_reads_its_low_bits_back_and_toggles_the_refresh_bit)
{
    unsigned toggles = 0;
    uint8_t before;

    setup();
    rig_out(&rig, 4, 0xff);
    before = rig_in(&rig, 4);
    ck_assert_uint_eq(before & 0xf, 0xf);
    ck_assert_uint_eq(before & 0xc0, 0);
    for (unsigned p = 1; p <= 18 * 10; p++) {
        to_pulse(p);
        if ((rig_in(&rig, 4) ^ before) & 0x10) toggles++;
        before = rig_in(&rig, 4);
    }
    ck_assert_uint_eq(toggles, 10);
}
END_TEST

/* ---- the interrupt line ------------------------------------------------------------------------------- */

START_TEST(a_second_of_mode_2_raises_the_line_as_often_as_the_crystal_allows)
{
    setup();
    set_mode(0, 2, false);
    set_count(0, 1193, false);
    ck_assert(rig.line || pit.s.irq);
    rig_run_to(&rig, (uint64_t)RIG_HZ * TICKS_PER_CYCLE);
    ck_assert_uint_eq(rig.rises, (PIT_HZ - 1) / 1193);
    ck_assert_uint_eq(rig.falls, rig.rises);
}
END_TEST

START_TEST(mode_0_interrupts_once_and_never_again)
{
    setup();
    set_mode(0, 0, false);
    ck_assert(!rig.line);
    set_count(0, 5000, false);
    rig_run_to(&rig, timebase_tick(5001, PIT_HZ, RIG_HZ) - 1);
    ck_assert(!rig.line);
    rig_run_to(&rig, timebase_tick(5001, PIT_HZ, RIG_HZ));
    ck_assert(rig.line);
    rig_run_to(&rig, (uint64_t)RIG_HZ * TICKS_PER_CYCLE);
    ck_assert_uint_eq(rig.rises, 1);
    ck_assert_uint_eq(rig.alarm, RIG_NEVER);
}
END_TEST

START_TEST(an_edge_is_not_lost_when_the_alarm_is_served_late)
{
    setup();
    set_mode(0, 2, false);
    set_count(0, 100, false);
    rig.now = timebase_tick(150, PIT_HZ, RIG_HZ); /* the low pulse at 100 is long over */
    pit8254_ops.alarm(&pit);
    ck_assert_uint_eq(rig.falls, 1);
    ck_assert_uint_eq(rig.rises, 1);
    ck_assert(rig.line);
}
END_TEST

START_TEST(how_time_is_chopped_changes_neither_state_nor_line)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t chops = seed, plain, end = 3000000;
        unsigned rises;

        setup();
        set_mode(0, seed & 1 ? 2 : 3, false);
        set_count(0, 300 + (unsigned)seed, false);
        set_count(0, 77, false);
        rig_run_to(&rig, end);
        plain = rig_digest(&rig);
        rises = rig.rises;

        setup();
        set_mode(0, seed & 1 ? 2 : 3, false);
        set_count(0, 300 + (unsigned)seed, false);
        set_count(0, 77, false);
        for (uint64_t t = 0; t < end; t += rig_random(&chops) % 50000) {
            rig_run_to(&rig, t);
            rig_in(&rig, 4);
            rig_digest(&rig);
        }
        rig_run_to(&rig, end);
        ck_assert_uint_eq(rig.rises, rises);
        ck_assert(rig_digest(&rig) == plain);
    }
}
END_TEST

START_TEST(a_never_programmed_timer_keeps_quiet)
{
    setup();
    rig_run_to(&rig, (uint64_t)RIG_HZ * TICKS_PER_CYCLE);
    ck_assert_uint_eq(rig.rises + rig.falls, 0);
}
END_TEST

START_TEST(time_conversion_is_exact_at_every_pulse)
{
    static const uint64_t hz[] = {33000000, 1000000000, 3500000000, 1193182, 7};

    for (unsigned i = 0; i < sizeof hz / sizeof hz[0]; i++)
        for (uint64_t n = 1; n < 3000000000000ull; n = n * 7 + 3) {
            uint64_t tick = timebase_tick(n, PIT_HZ, hz[i]);

            ck_assert(timebase_count(tick, PIT_HZ, hz[i]) >= n);
            ck_assert(timebase_count(tick - 1, PIT_HZ, hz[i]) < n);
        }
    ck_assert(timebase_tick(UINT64_MAX - 1, 1, 1000000000) == TIMEBASE_NEVER);
}
END_TEST

START_TEST(the_largest_machine_time_does_not_overflow)
{
    setup();
    rig.now = UINT64_MAX - 1;
    set_mode(0, 2, false);
    set_count(0, 65536, false);
    rig_in(&rig, 0);
    ck_assert(pulse() > 0);
}
END_TEST

RUN_TESTS("pit8254", every_mode_counts_pulse_by_pulse_as_the_data_sheet_says,
          mode_0_raises_out_n_plus_1_pulses_after_the_count_is_written,
          a_latched_count_stands_still_until_both_bytes_are_read,
          read_back_gives_the_status_byte_before_the_latched_count,
          null_count_is_up_until_the_count_is_loaded,
          single_byte_access_writes_and_reads_that_byte_alone,
          port_61_reads_its_low_bits_back_and_toggles_the_refresh_bit,
          a_second_of_mode_2_raises_the_line_as_often_as_the_crystal_allows,
          mode_0_interrupts_once_and_never_again, an_edge_is_not_lost_when_the_alarm_is_served_late,
          how_time_is_chopped_changes_neither_state_nor_line, a_never_programmed_timer_keeps_quiet,
          time_conversion_is_exact_at_every_pulse, the_largest_machine_time_does_not_overflow)
