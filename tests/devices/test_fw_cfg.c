/* The firmware configuration interface. */
#include "devices/fw_cfg.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

static struct rig rig;
static struct fw_cfg fw;

static uint64_t item(unsigned key, unsigned bytes)
{
    uint64_t value = 0;

    fw_cfg_ops.write(&fw, 0, 0, 2, key);
    for (unsigned i = 0; i < bytes; i++) value |= (uint64_t)rig_in(&rig, 1) << (8 * i);
    return value;
}

static void setup(void)
{
    memset(&fw, 0, sizeof fw);
    rig_connect(&rig, &fw_cfg_ops, &fw, &fw.w);
    fw_cfg_configure(&fw, 0x123456000ull, 3);
}

START_TEST(it_tells_signature_ram_size_and_processors)
{
    setup();
    ck_assert_uint_eq(item(0x00, 4), 0x554d4551); /* "QEMU" */
    ck_assert_uint_eq(item(0x01, 4), 1);
    ck_assert_uint_eq(item(0x03, 8), 0x123456000ull);
    ck_assert_uint_eq(item(0x05, 2), 3);
    ck_assert_uint_eq(item(0x0f, 2), 3);
}
END_TEST

START_TEST(past_an_items_end_and_in_unknown_items_all_is_zero)
{
    setup();
    ck_assert_uint_eq(item(0x05, 8), 3);
    ck_assert_uint_eq(item(0x19, 8), 0);
    ck_assert_uint_eq(item(0x8000, 8), 0);
}
END_TEST

START_TEST(selecting_starts_an_item_over_and_only_a_word_selects)
{
    setup();
    item(0x00, 2);
    rig_out(&rig, 0, 0x03);
    ck_assert_uint_eq(rig_in(&rig, 1), 'M');
    ck_assert_uint_eq(item(0x00, 1), 'Q');
}
END_TEST

START_TEST(a_wide_read_of_the_data_port_takes_the_next_bytes)
{
    setup();
    item(0x00, 0);
    ck_assert_uint_eq(fw_cfg_ops.read(&fw, 0, 1, 4), 0x554d4551);
    ck_assert_uint_eq(fw_cfg_ops.read(&fw, 0, 0, 1), UINT64_MAX);
}
END_TEST

RUN_TESTS("fw_cfg", it_tells_signature_ram_size_and_processors,
          past_an_items_end_and_in_unknown_items_all_is_zero,
          selecting_starts_an_item_over_and_only_a_word_selects,
          a_wide_read_of_the_data_port_takes_the_next_bytes)
