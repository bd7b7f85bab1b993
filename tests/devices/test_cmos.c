/* The real-time clock: time, formats, setting it, interrupts, the bytes firmware leaves. */
#include "devices/cmos.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

#define SECOND ((uint64_t)RIG_HZ * TICKS_PER_CYCLE)
#define EPOCH_2026 1767225600u /* Thursday */

static struct rig rig;
static struct cmos cmos;

static void setup_at(uint64_t epoch)
{
    memset(&cmos, 0, sizeof cmos);
    rig = (struct rig){.ops = &cmos_ops, .chip = &cmos, .alarm = RIG_NEVER};
    cmos.w = rig_wires(&rig, RIG_HZ);
    cmos_configure(&cmos, epoch, 0xc0000000ull, 1ull << 30, 1);
    cmos_ops.reset(&cmos);
}
static void setup(void) { setup_at(EPOCH_2026); }

static unsigned get(unsigned index)
{
    rig_out(&rig, 0, index);
    return rig_in(&rig, 1);
}
static void put(unsigned index, unsigned value)
{
    rig_out(&rig, 0, index);
    rig_out(&rig, 1, value);
}

/* Time as one number YYYYMMDDhhmmss in hexadecimal digits, as BCD shows it. */
static uint64_t bcd_time(void)
{
    uint64_t t = get(0x32);
    static const unsigned rest[] = {9, 8, 7, 4, 2, 0};

    for (unsigned i = 0; i < 6; i++) t = t << 8 | get(rest[i]);
    return t;
}

START_TEST(time_is_the_epoch_plus_the_machines_own_seconds)
{
    setup();
    ck_assert_uint_eq(bcd_time(), 0x20260101000000);
    ck_assert_uint_eq(get(6), 5);
    rig_run_to(&rig, SECOND - 1);
    ck_assert_uint_eq(bcd_time(), 0x20260101000000);
    rig_run_to(&rig, SECOND);
    ck_assert_uint_eq(bcd_time(), 0x20260101000001);
    rig_run_to(&rig, 86400 * SECOND + 3661 * SECOND);
    ck_assert_uint_eq(bcd_time(), 0x20260102010101);
    ck_assert_uint_eq(get(6), 6);
}
END_TEST

START_TEST(the_calendar_knows_leap_years)
{
    static const struct {
        uint64_t epoch, time;
    } day[] = {{0, 0x19700101000000},
               {951782400, 0x20000229000000},
               {951868800, 0x20000301000000},
               {1709164799, 0x20240228235959},
               {1709164800, 0x20240229000000},
               {4107542400, 0x21000301000000},
               {4107456000, 0x21000228000000},
               {1735689599, 0x20241231235959},
               {253402300799, 0x99991231235959},
               {UINT64_MAX, 0x99991231235959}};

    for (unsigned i = 0; i < sizeof day / sizeof day[0]; i++) {
        setup_at(day[i].epoch);
        ck_assert_uint_eq(bcd_time(), day[i].time);
    }
}
END_TEST

START_TEST(every_day_until_2105_follows_the_one_before)
{
    static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    unsigned year = 1970, month = 1, d = 1, weekday = 5;

    setup_at(0);
    put(0x0b, 0x06); /* binary */
    for (unsigned i = 0; i < 135 * 365; i++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        rig.now = i * 86400ull * 64 * 1000; /* hz below */
        cmos.w.clock.hz = 1000;
        ck_assert_uint_eq(get(0x32) * 100 + get(9), year);
        ck_assert_uint_eq(get(8) * 100 + get(7), month * 100 + d);
        ck_assert_uint_eq(get(6), weekday);
        weekday = weekday % 7 + 1;
        if (++d > days[month - 1] + (month == 2 && leap)) {
            d = 1;
            if (++month > 12) {
                month = 1;
                year++;
            }
        }
    }
}
END_TEST

START_TEST(formats_are_bcd_or_binary_and_12_or_24_hours)
{
    setup_at(EPOCH_2026 + 13 * 3600 + 45 * 60 + 30);
    ck_assert_uint_eq(get(4), 0x13);
    put(0x0b, 0x06);
    ck_assert_uint_eq(get(4), 13);
    ck_assert_uint_eq(get(2), 45);
    put(0x0b, 0x04);
    ck_assert_uint_eq(get(4), 0x81);
    put(0x0b, 0x00);
    ck_assert_uint_eq(get(4), 0x81);
    setup();
    put(0x0b, 0x00);
    ck_assert_uint_eq(get(4), 0x12); /* midnight is 12 AM */
    rig_run_to(&rig, 12 * 3600 * SECOND);
    ck_assert_uint_eq(get(4), 0x92);
}
END_TEST

START_TEST(a_guest_sets_the_clock_with_updates_stopped)
{
    setup();
    rig_run_to(&rig, SECOND / 4);
    put(0x0b, 0x82);
    put(0, 0x58), put(2, 0x59), put(4, 0x23), put(7, 0x31), put(8, 0x12), put(9, 0x99),
        put(0x32, 0x19);
    put(6, 6);
    rig_run_to(&rig, 10 * SECOND);
    ck_assert_uint_eq(bcd_time(), 0x19991231235958);
    put(0x0b, 0x02);
    ck_assert_uint_eq(bcd_time(), 0x19991231235958);
    rig_run_to(&rig, 12 * SECOND);
    ck_assert_uint_eq(bcd_time(), 0x20000101000000);
    ck_assert_uint_eq(get(6), 7);
}
END_TEST

START_TEST(a_byte_of_the_running_time_can_be_changed)
{
    setup();
    put(4, 0x07);
    rig_run_to(&rig, 60 * SECOND);
    ck_assert_uint_eq(bcd_time(), 0x20260101070100);
}
END_TEST

START_TEST(the_divider_reset_holds_the_clock_and_its_release_ticks_half_a_second_later)
{
    setup();
    put(0x0a, 0x70);
    rig_run_to(&rig, 100 * SECOND);
    ck_assert_uint_eq(bcd_time(), 0x20260101000000);
    put(0x0a, 0x26);
    rig_run_to(&rig, 100 * SECOND + SECOND / 2 - 1000000);
    ck_assert_uint_eq(get(0), 0);
    rig_run_to(&rig, 100 * SECOND + SECOND / 2 + 1000000);
    ck_assert_uint_eq(get(0), 1);
}
END_TEST

START_TEST(update_in_progress_is_up_for_244_us_before_each_second)
{
    uint64_t us = SECOND / 1000000;

    setup();
    ck_assert_uint_eq(get(0x0a), 0x26);
    rig_run_to(&rig, SECOND - 250 * us);
    ck_assert_uint_eq(get(0x0a), 0x26);
    rig_run_to(&rig, SECOND - 240 * us);
    ck_assert_uint_eq(get(0x0a), 0xa6);
    rig_run_to(&rig, SECOND);
    ck_assert_uint_eq(get(0x0a), 0x26);
    put(0x0b, 0x82);
    rig_run_to(&rig, 2 * SECOND - 100 * us);
    ck_assert_uint_eq(get(0x0a), 0x26);
}
END_TEST

START_TEST(the_periodic_interrupt_comes_at_each_rate_it_can_be_set_to)
{
    static const unsigned per_second[16] = {0,   256, 128, 8192, 4096, 2048, 1024, 512,
                                            256, 128, 64,  32,   16,   8,    4,    2};

    for (unsigned rate = 0; rate < 16; rate++) {
        unsigned count = 0;

        setup();
        put(0x0a, 0x20 | rate);
        put(0x0b, 0x42);
        while (rig.alarm <= SECOND) {
            rig_run_to(&rig, rig.alarm);
            ck_assert(rig.line);
            ck_assert_uint_eq(get(0x0c) & 0xc0, 0xc0);
            ck_assert(!rig.line);
            count++;
        }
        ck_assert_uint_eq(count, per_second[rate]);
    }
}
END_TEST

START_TEST(the_update_interrupt_comes_every_second_and_waits_for_register_c)
{
    setup();
    put(0x0b, 0x12);
    rig_run_to(&rig, SECOND - 1);
    ck_assert(!rig.line);
    rig_run_to(&rig, SECOND);
    ck_assert(rig.line);
    rig_run_to(&rig, 5 * SECOND);
    ck_assert_uint_eq(rig.rises, 1);
    ck_assert_uint_eq(get(0x0c) & 0x90, 0x90);
    ck_assert_uint_eq(get(0x0c), 0);
    rig_run_to(&rig, 6 * SECOND);
    ck_assert(rig.line);
}
END_TEST

START_TEST(the_alarm_comes_at_its_time_of_day_with_any_field_open)
{
    setup();
    put(1, 0x30), put(3, 0x15), put(5, 0x02);
    put(0x0b, 0x22);
    rig_run_to(&rig, (2 * 3600 + 15 * 60 + 30) * SECOND - 1);
    ck_assert(!rig.line);
    rig_run_to(&rig, (2 * 3600 + 15 * 60 + 30) * SECOND);
    ck_assert(rig.line);
    ck_assert_uint_eq(get(0x0c) & 0xa0, 0xa0);

    put(3, 0xff), put(5, 0xc0); /* every minute, at second 30 */
    rig_run_to(&rig, (2 * 3600 + 16 * 60 + 30) * SECOND - 1);
    ck_assert(!rig.line);
    rig_run_to(&rig, (2 * 3600 + 16 * 60 + 30) * SECOND);
    ck_assert(rig.line);
}
END_TEST

START_TEST(an_alarm_at_a_time_that_does_not_exist_never_comes)
{
    setup();
    put(1, 0x75), put(3, 0xff), put(5, 0xff);
    put(0x0b, 0x22);
    ck_assert_uint_eq(rig.alarm, RIG_NEVER);
}
END_TEST

START_TEST(flags_are_kept_without_their_enable_and_enabling_late_interrupts_at_once)
{
    setup();
    rig_run_to(&rig, 3 * SECOND);
    ck_assert(!rig.line);
    put(0x0b, 0x12);
    ck_assert(rig.line);
    ck_assert_uint_eq(get(0x0c) & 0x90, 0x90);
}
END_TEST

START_TEST(memory_sizes_are_where_a_bios_leaves_them)
{
    setup();
    ck_assert_uint_eq(get(0x15) | get(0x16) << 8, 640);
    ck_assert_uint_eq(get(0x17) | get(0x18) << 8, 0xffff);
    ck_assert_uint_eq(get(0x30) | get(0x31) << 8, 0xffff);
    ck_assert_uint_eq(get(0x34) | get(0x35) << 8, (0xc0000000u - 0x1000000u) >> 16);
    ck_assert_uint_eq(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, (1u << 30) >> 16);
    ck_assert_uint_eq(get(0x0d), 0x80);
    unsigned sum = 0;

    for (unsigned i = 0x10; i <= 0x2d; i++) sum += get(i);
    ck_assert_uint_eq(get(0x2e) << 8 | get(0x2f), sum);
}
END_TEST

START_TEST(the_index_ignores_the_nmi_bit_and_memory_keeps_what_is_written)
{
    setup();
    put(0x80 | 0x40, 0x5a);
    ck_assert_uint_eq(get(0x40), 0x5a);
    put(0x0d, 0x00);
    ck_assert_uint_eq(get(0x0d), 0x80);
}
END_TEST

START_TEST(reset_stops_interrupts_and_keeps_time)
{
    setup();
    put(0x0b, 0x72);
    rig_run_to(&rig, 90 * SECOND);
    ck_assert(rig.line);
    cmos_ops.reset(&cmos);
    ck_assert(!rig.line);
    ck_assert_uint_eq(get(0x0b), 0x02);
    ck_assert_uint_eq(bcd_time(), 0x20260101000130);
}
END_TEST

START_TEST(looking_often_or_never_gives_the_same_state)
{
    uint64_t plain, seed = 9;

    setup();
    rig_run_to(&rig, 5 * SECOND);
    plain = rig_digest(&rig);
    setup();
    for (uint64_t t = 0; t < 5 * SECOND; t += rig_random(&seed)) {
        rig_run_to(&rig, t);
        rig_digest(&rig);
        rig_in(&rig, 1);
    }
    rig_run_to(&rig, 5 * SECOND);
    ck_assert(rig_digest(&rig) == plain);
}
END_TEST

START_TEST(nonsense_in_the_time_bytes_is_survived)
{
    uint64_t seed = 4;

    setup();
    for (unsigned i = 0; i < 2000; i++) {
        put(rig_random(&seed) % 14, rig_random(&seed) & 0xff);
        get(rig_random(&seed) % 14);
        rig_run_to(&rig, rig.now + rig_random(&seed) % (SECOND / 4));
        if (i % 64 == 0) put(0x32, rig_random(&seed) & 0xff);
    }
}
END_TEST

RUN_TESTS("cmos", time_is_the_epoch_plus_the_machines_own_seconds, the_calendar_knows_leap_years,
          every_day_until_2105_follows_the_one_before,
          formats_are_bcd_or_binary_and_12_or_24_hours, a_guest_sets_the_clock_with_updates_stopped,
          a_byte_of_the_running_time_can_be_changed,
          the_divider_reset_holds_the_clock_and_its_release_ticks_half_a_second_later,
          update_in_progress_is_up_for_244_us_before_each_second,
          the_periodic_interrupt_comes_at_each_rate_it_can_be_set_to,
          the_update_interrupt_comes_every_second_and_waits_for_register_c,
          the_alarm_comes_at_its_time_of_day_with_any_field_open,
          an_alarm_at_a_time_that_does_not_exist_never_comes,
          flags_are_kept_without_their_enable_and_enabling_late_interrupts_at_once,
          memory_sizes_are_where_a_bios_leaves_them,
          the_index_ignores_the_nmi_bit_and_memory_keeps_what_is_written,
          reset_stops_interrupts_and_keeps_time, looking_often_or_never_gives_the_same_state,
          nonsense_in_the_time_bytes_is_survived)
