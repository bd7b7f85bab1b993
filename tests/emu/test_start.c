/*
 * test_start.c - where a machine starts: a flat image in real mode, a ROM at the reset vector.
 */
#include <string.h>

#include "ringside/ringside.h"
#include "tests/check_main.h"

enum { ROM_SIZE = 0x2000, ROM_VECTOR = 0x1ff0, ROM_BYTE = 0x100, ROM_AT = 0xfe000, IMAGE_AT = 0x500 };

/* clang-format off */
static const uint8_t exit_7[] = {0xb0, 0x07, 0xe6, 0xf4, 0xeb, 0xfe}; /* mov al,7; out 0f4h,al; jmp . */
static const uint8_t rom_vector[] = {0xea, 0x00, 0xe0, 0x00, 0xf0}; /* jmp 0f000h:0e000h */
static const uint8_t rom_code[] = { /* ds = 0f000h; [0e100h] = 55h; al = [0e100h]; ds = 0; al += [500h]; out 0f4h,al */
    0xb8, 0x00, 0xf0, 0x8e, 0xd8, 0xc6, 0x06, 0x00, 0xe1, 0x55, 0xa0, 0x00, 0xe1, 0x31, 0xdb, 0x8e, 0xdb, 0x02, 0x06,
    0x00, 0x05, 0xe6, 0xf4, 0xeb, 0xfe};
static const uint8_t rom_reset[] = {0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe}; /* out 64h,0feh */
/* clang-format on */

static rs_machine *build(unsigned engine)
{
    struct rs_config config;
    char error[200];
    rs_machine *m;

    rs_config_init(&config);
    config.mem_bytes = 16u << 20;
    config.engine = engine;
    ck_assert_msg(rs_create(&config, &m, error, sizeof error) == RS_OK, "%s", error);
    return m;
}

static void rom_make(uint8_t rom[ROM_SIZE], const uint8_t *code, size_t n)
{
    memset(rom, 0xf4, ROM_SIZE);
    memcpy(rom, code, n);
    memcpy(rom + ROM_VECTOR, rom_vector, sizeof rom_vector);
    rom[ROM_BYTE] = 0x2a;
}

static uint64_t reg(const rs_machine *m, unsigned r)
{
    uint64_t v;

    ck_assert_int_eq(rs_reg_read(m, 0, r, &v), RS_OK);
    return v;
}

static struct rs_stop_info run(rs_machine *m, uint64_t insns)
{
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = insns};
    struct rs_stop_info stop;

    ck_assert_int_eq(rs_run(m, &limits, &stop), RS_OK);
    return stop;
}

static void exits_with(rs_machine *m, uint64_t value)
{
    struct rs_stop_info stop = run(m, 100);

    ck_assert_msg(stop.reason == RS_STOP_GUEST_EXIT, "%s", stop.text);
    ck_assert_uint_eq(stop.guest_value, value);
}

static void starts_at(uint64_t load, uint64_t entry, unsigned cs, unsigned ip)
{
    rs_machine *m = build(RS_ENGINE_FAST);

    ck_assert_msg(rs_load_flat(m, exit_7, sizeof exit_7, load, entry, RS_FLAT_REAL16, 0) == RS_OK, "%s", rs_error(m));
    ck_assert_uint_eq(reg(m, RS_REG_CR0), 0x10);
    ck_assert_uint_eq(reg(m, RS_REG_CS), cs);
    ck_assert_uint_eq(reg(m, RS_REG_CS_BASE), cs * 16);
    ck_assert_uint_eq(reg(m, RS_REG_RIP), ip);
    ck_assert_uint_eq(reg(m, RS_REG_SS), 0);
    ck_assert_uint_eq(reg(m, RS_REG_RSP), 0x7c00);
    ck_assert_uint_eq(reg(m, RS_REG_RDX), 0x80);
    ck_assert_uint_eq(reg(m, RS_REG_IDTR_LIMIT), 0x3ff);
    for (unsigned s = 0; s < 6; s++) ck_assert_uint_eq(reg(m, RS_REG_ES_LIMIT + s), 0xffff);
    exits_with(m, 7);
    rs_destroy(m);
}

START_TEST(a_flat_image_starts_in_real_mode_with_the_cs_and_ip_of_its_entry)
{
    starts_at(0x7c00, 0x7c00, 0, 0x7c00);
    starts_at(0x12345, 0x12345, 0x1000, 0x2345);
    starts_at(0x9fff0, 0x9fff0, 0x9000, 0xfff0);
}
END_TEST

START_TEST(a_real_mode_entry_beyond_the_first_megabyte_is_refused)
{
    rs_machine *m = build(RS_ENGINE_FAST);

    ck_assert_int_eq(rs_load_flat(m, exit_7, sizeof exit_7, 0x100000, 0x100000, RS_FLAT_REAL16, 0), RS_E_ARG);
    ck_assert_msg(strstr(rs_error(m), "below 1 MiB"), "%s", rs_error(m));
    rs_destroy(m);
}
END_TEST

static bool cross_seen(void *ctx, rs_machine *m, const struct rs_event *e)
{
    (void)m;
    *(struct rs_event *)ctx = *e;
    return true;
}

START_TEST(a_vector_of_real_mode_is_told_as_a_crossing_through_no_gate)
{
    static const uint8_t int_20[] = {0xcd, 0x20};
    struct rs_event e = {0};
    char line[300];
    unsigned id;
    rs_machine *m = build(RS_ENGINE_FAST);

    ck_assert_int_eq(rs_load_flat(m, int_20, sizeof int_20, 0x7c00, 0x7c00, RS_FLAT_REAL16, 0), RS_OK);
    ck_assert_int_eq(rs_observer_add(m, RS_MASK(RS_EV_CROSS), false, cross_seen, &e, &id), RS_OK);
    run(m, 1);
    ck_assert_uint_eq(e.kind, RS_EV_CROSS);
    ck_assert_uint_eq(e.w[0], 0x20);
    ck_assert_uint_gt(rs_event_format(m, &e, RS_LOG_TEXT, line, sizeof line), 0);
    ck_assert_msg(strstr(line, "gate") == NULL, "%s", line);
    rs_destroy(m);
}
END_TEST

static void rom_runs(unsigned engine)
{
    static const uint8_t three[] = {3};
    uint8_t rom[ROM_SIZE], read[4];
    rs_machine *m = build(engine);

    rom_make(rom, rom_code, sizeof rom_code);
    ck_assert_msg(rs_load_bios(m, rom, sizeof rom, "rom", NULL, 0, 0) == RS_OK, "%s", rs_error(m));
    ck_assert_uint_eq(reg(m, RS_REG_CS), 0xf000);
    ck_assert_uint_eq(reg(m, RS_REG_CS_BASE), 0xffff0000);
    ck_assert_uint_eq(reg(m, RS_REG_RIP), 0xfff0);
    run(m, 1);
    ck_assert_uint_eq(reg(m, RS_REG_CS_BASE), 0xf0000);
    exits_with(m, 0x2a);

    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "rom", three, 1, IMAGE_AT), RS_OK);
    exits_with(m, 0x2d);
    ck_assert_int_eq(rs_phys_read(m, ROM_AT, read, 4), RS_OK);
    ck_assert_mem_eq(read, rom_code, 4);
    ck_assert_int_eq(rs_phys_read(m, 0xffffe000, read, 4), RS_OK);
    ck_assert_mem_eq(read, rom_code, 4);
    ck_assert_int_eq(rs_phys_read(m, 0xfffffffe, read, 4), RS_E_UNMAPPED);
    ck_assert_int_eq(rs_phys_read(m, ROM_AT - 1, read, 2), RS_E_UNMAPPED);
    ck_assert_int_eq(rs_phys_write(m, ROM_AT, read, 4), RS_E_UNMAPPED);
    rs_destroy(m);
}

START_TEST(a_rom_runs_from_the_reset_vector_and_keeps_its_bytes)
{
    rom_runs(RS_ENGINE_FAST);
    rom_runs(RS_ENGINE_REFERENCE);
}
END_TEST

START_TEST(only_the_last_128_kib_of_a_rom_lie_below_1_mib)
{
    static uint8_t rom[0x40000];
    uint8_t byte;
    rs_machine *m = build(RS_ENGINE_FAST);

    memset(rom, 0x11, sizeof rom);
    memset(rom + 0x20000, 0x22, 0x20000);
    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "rom", NULL, 0, 0), RS_OK);
    ck_assert_int_eq(rs_phys_read(m, 0xfffc0000, &byte, 1), RS_OK);
    ck_assert_uint_eq(byte, 0x11);
    ck_assert_int_eq(rs_phys_read(m, 0xe0000, &byte, 1), RS_OK);
    ck_assert_uint_eq(byte, 0x22);
    ck_assert_int_eq(rs_phys_read(m, 0xdffff, &byte, 1), RS_E_UNMAPPED);
    rs_destroy(m);
}
END_TEST

START_TEST(a_reset_starts_the_rom_again_and_another_image_takes_it_away)
{
    uint8_t rom[ROM_SIZE], byte;
    struct rs_config config;
    rs_machine *m;

    rs_config_init(&config);
    config.reboot_on_reset = true;
    ck_assert_int_eq(rs_create(&config, &m, NULL, 0), RS_OK);
    rom_make(rom, rom_reset, sizeof rom_reset);
    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "rom", NULL, 0, 0), RS_OK);
    ck_assert_int_eq(run(m, 50).reason, RS_STOP_INSN_LIMIT);
    ck_assert_int_eq(rs_phys_read(m, ROM_AT, &byte, 1), RS_OK);
    ck_assert_int_eq(rs_load_flat(m, exit_7, sizeof exit_7, 0x7c00, 0x7c00, RS_FLAT_REAL16, 0), RS_OK);
    ck_assert_int_eq(rs_phys_read(m, ROM_AT, &byte, 1), RS_E_UNMAPPED);
    exits_with(m, 7);
    rs_destroy(m);
}
END_TEST

START_TEST(the_state_hash_knows_the_rom)
{
    uint8_t rom[ROM_SIZE];
    char one[33], two[33];
    rs_machine *m = build(RS_ENGINE_FAST);

    rom_make(rom, rom_code, sizeof rom_code);
    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "rom", NULL, 0, 0), RS_OK);
    ck_assert_int_eq(rs_state_hash(m, one), RS_OK);
    rom[ROM_BYTE]++;
    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "rom", NULL, 0, 0), RS_OK);
    ck_assert_int_eq(rs_state_hash(m, two), RS_OK);
    ck_assert_str_ne(one, two);
    rs_destroy(m);
}
END_TEST

START_TEST(a_rom_of_a_wrong_size_is_refused_with_its_name)
{
    static uint8_t rom[0x101000];
    rs_machine *m = build(RS_ENGINE_FAST);

    ck_assert_int_eq(rs_load_bios(m, rom, 0, "empty", NULL, 0, 0), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_bios(m, rom, 0x800, "odd", NULL, 0, 0), RS_E_IMAGE);
    ck_assert_msg(strstr(rs_error(m), "odd: a ROM"), "%s", rs_error(m));
    ck_assert_int_eq(rs_load_bios(m, rom, sizeof rom, "large", NULL, 0, 0), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_bios(m, rom, 0x1000, "rom", rom, 0x1000, 0x9f001), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_bios(m, NULL, 0, "none", NULL, 0, 0), RS_E_ARG);
    rs_destroy(m);
}
END_TEST

RUN_TESTS("start", a_flat_image_starts_in_real_mode_with_the_cs_and_ip_of_its_entry,
          a_real_mode_entry_beyond_the_first_megabyte_is_refused,
          a_vector_of_real_mode_is_told_as_a_crossing_through_no_gate, a_rom_runs_from_the_reset_vector_and_keeps_its_bytes,
          only_the_last_128_kib_of_a_rom_lie_below_1_mib,
          a_reset_starts_the_rom_again_and_another_image_takes_it_away, the_state_hash_knows_the_rom,
          a_rom_of_a_wrong_size_is_refused_with_its_name)
