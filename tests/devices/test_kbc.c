/* The keyboard controller without a keyboard. */
#include "devices/kbc.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

static struct rig rig;
static struct kbc kbc;

static void setup(void)
{
    memset(&kbc, 0, sizeof kbc);
    rig_connect(&rig, &kbc_ops, &kbc, &kbc.w);
}

START_TEST(it_passes_its_self_test)
{
    setup();
    ck_assert_uint_eq(rig_in(&rig, 1) & 3, 0);
    rig_out(&rig, 1, 0xaa);
    ck_assert_uint_eq(rig_in(&rig, 1) & 5, 5);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x55);
    ck_assert_uint_eq(rig_in(&rig, 1) & 1, 0);
    rig_out(&rig, 1, 0xab);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x00);
}
END_TEST

START_TEST(the_reset_pulse_resets_the_machine)
{
    setup();
    rig_out(&rig, 1, 0xff); /* pulses nothing */
    ck_assert_uint_eq(rig.requests, 0);
    rig_out(&rig, 1, 0xfe);
    ck_assert_uint_eq(rig.requests, 1);
    ck_assert(rig.what == REQ_RESET);
}
END_TEST

START_TEST(the_output_port_moves_a20_and_tells_only_changes)
{
    setup();
    rig_out(&rig, 1, 0xd1);
    rig_out(&rig, 0, 0xdf);
    ck_assert_uint_eq(rig.requests, 0);
    rig_out(&rig, 1, 0xd1);
    rig_out(&rig, 0, 0xdd);
    ck_assert(rig.requests == 1 && rig.what == REQ_A20 && rig.value == 0);
    rig_out(&rig, 1, 0xdf);
    ck_assert(rig.requests == 2 && rig.what == REQ_A20 && rig.value == 1);
    rig_out(&rig, 1, 0xdd);
    ck_assert(rig.requests == 3 && rig.value == 0);
    rig_out(&rig, 1, 0xd0);
    ck_assert_uint_eq(rig_in(&rig, 0) & 2, 0);
    kbc_a20(&kbc, true);
    rig_out(&rig, 1, 0xd0);
    ck_assert_uint_eq(rig_in(&rig, 0) & 2, 2);
}
END_TEST

START_TEST(the_output_port_can_reset_too)
{
    setup();
    rig_out(&rig, 1, 0xd1);
    rig_out(&rig, 0, 0x02);
    ck_assert(rig.requests == 1 && rig.what == REQ_RESET);
}
END_TEST

START_TEST(the_command_byte_is_kept_and_an_echoed_byte_interrupts_if_it_says_so)
{
    setup();
    rig_out(&rig, 1, 0x60);
    rig_out(&rig, 0, 0x47);
    rig_out(&rig, 1, 0x20);
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x47);
    ck_assert(!rig.line);
    rig_out(&rig, 1, 0xd2);
    rig_out(&rig, 0, 0x1c);
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x1c);
    rig_out(&rig, 1, 0xad);
    rig_out(&rig, 1, 0xa7);
    rig_out(&rig, 1, 0x20);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x77);
    rig_out(&rig, 1, 0xae);
    rig_out(&rig, 1, 0xa8);
    rig_out(&rig, 1, 0x20);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x47);
}
END_TEST

START_TEST(nobody_answers_for_keyboard_or_mouse)
{
    setup();
    rig_out(&rig, 0, 0xff);
    ck_assert_uint_eq(rig_in(&rig, 1) & 1, 0);
    rig_out(&rig, 1, 0xd4);
    rig_out(&rig, 0, 0xff);
    ck_assert_uint_eq(rig_in(&rig, 1) & 1, 0);
    rig_out(&rig, 1, 0xd3);
    rig_out(&rig, 0, 0x5a);
    ck_assert_uint_eq(rig_in(&rig, 1) & 1, 0);
}
END_TEST

START_TEST(reset_empties_it_and_turns_a20_on)
{
    setup();
    rig_out(&rig, 1, 0x60);
    rig_out(&rig, 0, 0x01);
    rig_out(&rig, 1, 0xdd);
    rig_out(&rig, 1, 0xaa);
    ck_assert(rig.line);
    kbc_ops.reset(&kbc);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, 1), 0x14);
    rig_out(&rig, 1, 0xd0);
    ck_assert_uint_eq(rig_in(&rig, 0), 0x03);
}
END_TEST

RUN_TESTS("kbc", it_passes_its_self_test, the_reset_pulse_resets_the_machine,
          the_output_port_moves_a20_and_tells_only_changes, the_output_port_can_reset_too,
          the_command_byte_is_kept_and_an_echoed_byte_interrupts_if_it_says_so,
          nobody_answers_for_keyboard_or_mouse, reset_empties_it_and_turns_a20_on)
