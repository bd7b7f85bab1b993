/* The doors. */
#include "devices/debugdoors.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

static struct rig rig;
static struct debugdoors doors;

static void setup(void)
{
    memset(&doors, 0, sizeof doors);
    rig_connect(&rig, &debugdoors_ops, &doors, &doors.w);
}

static void say(const char *word)
{
    while (*word) rig_out(&rig, DOOR_SHUTDOWN, (uint8_t)*word++);
}

START_TEST(the_console_door_speaks_on_channel_4_and_reads_its_own_number)
{
    setup();
    rig_out(&rig, DOOR_CONSOLE, '*');
    ck_assert(rig.written == 1 && rig.channel == 4 && rig.byte[0] == '*');
    ck_assert_uint_eq(rig_in(&rig, DOOR_CONSOLE), 0xe9);
}
END_TEST

START_TEST(the_exit_door_takes_8_16_and_32_bits)
{
    static const unsigned widths[] = {1, 2, 4};

    for (unsigned i = 0; i < 3; i++) {
        uint64_t value = 0x89abcdef & (UINT64_MAX >> (64 - 8 * widths[i]));

        setup();
        debugdoors_ops.write(&doors, 0, DOOR_EXIT, widths[i], value);
        ck_assert(rig.requests == 1 && rig.what == REQ_GUEST_EXIT && rig.value == value);
    }
    setup();
    rig_out(&rig, DOOR_EXIT + 1, 3);
    ck_assert_uint_eq(rig.requests, 0);
}
END_TEST

START_TEST(the_word_shutdown_powers_off_and_nothing_like_it)
{
    setup();
    say("Shutdow");
    say("ShutSSh");
    say("shutdown");
    say("ShShutdow");
    ck_assert_uint_eq(rig.requests, 0);
    say("n");
    ck_assert(rig.requests == 1 && rig.what == REQ_POWER_OFF);
    say("Shutdown");
    ck_assert_uint_eq(rig.requests, 2);
}
END_TEST

START_TEST(acpi_power_off_wants_the_enable_bit_and_sleep_type_0)
{
    setup();
    debugdoors_ops.write(&doors, 0, DOOR_PM, 2, 0x0001);
    ck_assert_uint_eq(debugdoors_ops.read(&doors, 0, DOOR_PM, 2), 0x0001);
    debugdoors_ops.write(&doors, 0, DOOR_PM, 2, 0x2400);
    ck_assert_uint_eq(rig.requests, 0);
    debugdoors_ops.write(&doors, 0, DOOR_PM, 2, 0x2000);
    ck_assert(rig.requests == 1 && rig.what == REQ_POWER_OFF);
    rig_out(&rig, DOOR_PM + 1, 0x20);
    ck_assert_uint_eq(rig.requests, 2);
}
END_TEST

START_TEST(port_92_moves_a20_and_resets_on_the_rise_of_bit_0)
{
    setup();
    ck_assert_uint_eq(rig_in(&rig, DOOR_FAST), 2);
    rig_out(&rig, DOOR_FAST, 2);
    ck_assert_uint_eq(rig.requests, 0);
    rig_out(&rig, DOOR_FAST, 0);
    ck_assert(rig.requests == 1 && rig.what == REQ_A20 && rig.value == 0);
    debugdoors_a20(&doors, true);
    ck_assert_uint_eq(rig_in(&rig, DOOR_FAST), 2);
    rig_out(&rig, DOOR_FAST, 3);
    ck_assert(rig.requests == 2 && rig.what == REQ_RESET);
    rig_out(&rig, DOOR_FAST, 3);
    ck_assert_uint_eq(rig.requests, 2);
}
END_TEST

START_TEST(a_byte_at_cf9_resets_and_a_pci_address_does_not)
{
    setup();
    debugdoors_ops.write(&doors, 0, DOOR_RESET, 4, 0x80000604);
    debugdoors_ops.write(&doors, 0, DOOR_RESET, 2, 0x0604);
    ck_assert_uint_eq(rig.requests, 0);
    ck_assert_uint_eq((uint32_t)debugdoors_ops.read(&doors, 0, DOOR_RESET, 4), UINT32_MAX);
    rig_out(&rig, DOOR_RESET + 1, 0x02);
    ck_assert_uint_eq(rig.requests, 0);
    rig_out(&rig, DOOR_RESET + 1, 0x06);
    ck_assert(rig.requests == 1 && rig.what == REQ_RESET);
    ck_assert_uint_eq(rig_in(&rig, DOOR_RESET + 1), 0x06);
}
END_TEST

START_TEST(the_post_code_reads_back_and_does_nothing)
{
    setup();
    rig_out(&rig, DOOR_POST, 0x42);
    ck_assert_uint_eq(rig_in(&rig, DOOR_POST), 0x42);
    ck_assert_uint_eq(rig.requests + rig.written, 0);
}
END_TEST

RUN_TESTS("debugdoors", the_console_door_speaks_on_channel_4_and_reads_its_own_number,
          the_exit_door_takes_8_16_and_32_bits, the_word_shutdown_powers_off_and_nothing_like_it,
          acpi_power_off_wants_the_enable_bit_and_sleep_type_0,
          port_92_moves_a20_and_resets_on_the_rise_of_bit_0,
          a_byte_at_cf9_resets_and_a_pci_address_does_not,
          the_post_code_reads_back_and_does_nothing)
