/* Routing of ports and device memory. */
#include "emu/bus.h"
#include "tests/check_main.h"

#include <string.h>

/* A chip of 64 byte registers that notes how it was reached. */
struct plain {
    uint8_t reg[64];
    unsigned accesses, width, cpu;
};

static uint64_t plain_read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct plain *p = chip;
    uint64_t value = 0;

    p->accesses++;
    p->width = n;
    p->cpu = cpu;
    memcpy(&value, p->reg + reg, n);
    return value;
}

static void plain_write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct plain *p = chip;

    p->accesses++;
    p->width = n;
    p->cpu = cpu;
    memcpy(p->reg + reg, &value, n);
}

static const struct device_ops bytes_only = {.name = "bytes",
                                             .read = plain_read,
                                             .write = plain_write};
static const struct device_ops any_width = {.name = "any",
                                            .widths = WIDTH_1 | WIDTH_2 | WIDTH_4 | WIDTH_8,
                                            .read = plain_read,
                                            .write = plain_write};
static const struct device_ops deaf = {.name = "deaf"};

static struct bus bus;
static struct bus_wire wire;
static struct plain a, b;

static void setup(void)
{
    bus_init(&bus);
    memset(&a, 0, sizeof a);
    memset(&b, 0, sizeof b);
    wire = bus_as_wire(&bus);
}

START_TEST(absent_ports_and_addresses_read_all_ones_and_swallow_writes)
{
    setup();
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x1234, 1), 0xff);
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x1234, 2), 0xffff);
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x1234, 4), 0xffffffff);
    ck_assert(wire.mmio_read(wire.ctx, 0, 0xfed00000, 8) == UINT64_MAX);
    ck_assert_uint_eq(wire.mmio_read(wire.ctx, 0, 0xfed00000, 4), 0xffffffff);
    wire.io_write(wire.ctx, 0, 0x1234, 4, 0);
    wire.mmio_write(wire.ctx, 0, 0xfed00000, 8, 0);
}
END_TEST

START_TEST(a_chip_without_entry_points_is_as_good_as_absent)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0x10, 4, &deaf, &a, 0));
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x10, 2), 0xffff);
    wire.io_write(wire.ctx, 0, 0x10, 2, 0);
}
END_TEST

START_TEST(a_byte_chip_gets_wide_accesses_byte_by_byte_little_endian)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0x100, 8, &bytes_only, &a, 0));
    wire.io_write(wire.ctx, 3, 0x101, 4, 0x44332211);
    ck_assert(a.accesses == 4 && a.width == 1 && a.cpu == 3);
    ck_assert(a.reg[1] == 0x11 && a.reg[2] == 0x22 && a.reg[3] == 0x33 && a.reg[4] == 0x44);
    ck_assert_uint_eq(wire.io_read(wire.ctx, 3, 0x102, 2), 0x3322);
}
END_TEST

START_TEST(a_chip_that_takes_the_width_gets_it_whole)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0x100, 8, &any_width, &a, 16));
    wire.io_write(wire.ctx, 0, 0x104, 4, 0xdeadbeef);
    ck_assert(a.accesses == 1 && a.width == 4 && a.reg[20] == 0xef);
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x104, 4), 0xdeadbeef);
}
END_TEST

START_TEST(an_access_across_two_chips_is_split_between_them_and_the_void)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0x100, 2, &any_width, &a, 0));
    ck_assert(bus_map_ports(&bus, 0x102, 1, &any_width, &b, 0));
    wire.io_write(wire.ctx, 0, 0x101, 4, 0x44332211);
    ck_assert(a.reg[1] == 0x11 && b.reg[0] == 0x22 && a.accesses == 1 && b.accesses == 1);
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0x101, 4), 0xffff2211);
}
END_TEST

START_TEST(the_last_port_has_nothing_behind_it)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0xffff, 1, &bytes_only, &a, 0));
    ck_assert(bus_map_ports(&bus, 0, 1, &bytes_only, &b, 0));
    a.reg[0] = 0x12;
    ck_assert_uint_eq(wire.io_read(wire.ctx, 0, 0xffff, 4), 0xffffff12);
    ck_assert_uint_eq(b.accesses, 0);
}
END_TEST

START_TEST(overlapping_or_empty_or_outside_port_ranges_are_refused)
{
    setup();
    ck_assert(bus_map_ports(&bus, 0x100, 8, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0x107, 1, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0xf9, 8, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0x200, 0, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0xffff, 2, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0x10000, 1, &bytes_only, &a, 0));
    ck_assert(bus_has_port(&bus, 0x107));
    ck_assert(!bus_has_port(&bus, 0x108));
}
END_TEST

START_TEST(memory_ranges_route_by_address_and_may_not_overlap)
{
    setup();
    ck_assert(bus_map_mmio(&bus, 0x2000, 64, &any_width, &b, 0));
    ck_assert(bus_map_mmio(&bus, 0x1000, 64, &any_width, &a, 0));
    ck_assert(!bus_map_mmio(&bus, 0x103f, 1, &any_width, &a, 0));
    ck_assert(!bus_map_mmio(&bus, 0x0fff, 2, &any_width, &a, 0));
    ck_assert(!bus_map_mmio(&bus, 0x1000, 0x2000, &any_width, &a, 0));
    ck_assert(!bus_map_mmio(&bus, UINT64_MAX, 2, &any_width, &a, 0));
    ck_assert(bus_map_mmio(&bus, 0x1040, 64, &bytes_only, &a, 0));
    wire.mmio_write(wire.ctx, 0, 0x2008, 8, 0x1122334455667788);
    ck_assert(wire.mmio_read(wire.ctx, 0, 0x2008, 8) == 0x1122334455667788);
    ck_assert_uint_eq(wire.mmio_read(wire.ctx, 0, 0x200c, 4), 0x11223344);
    ck_assert_uint_eq(a.accesses, 0);
    wire.mmio_write(wire.ctx, 0, 0x1040, 4, 0x01020304);
    ck_assert(a.accesses == 4 && a.reg[3] == 1);
    ck_assert(bus_has_mmio(&bus, 0x107f) && !bus_has_mmio(&bus, 0x1080));
}
END_TEST

START_TEST(what_a_page_end_leaves_of_an_operand_goes_byte_by_byte)
{
    setup();
    ck_assert(bus_map_mmio(&bus, 0x1fc0, 64, &any_width, &a, 0));
    for (unsigned n = 3; n < 8; n += n == 3 ? 2 : 1) {
        a.accesses = 0;
        wire.mmio_write(wire.ctx, 0, 0x2000 - n, n, 0x7766554433221100);
        ck_assert(a.accesses == n && a.width == 1 && a.reg[64 - n] == 0 && a.reg[63] == 0x11 * (n - 1));
        ck_assert(wire.mmio_read(wire.ctx, 0, 0x2000 - n, n) == (0x7766554433221100 & ((1ull << 8 * n) - 1)));
        ck_assert(wire.mmio_read(wire.ctx, 0, 0x5000 - n, n) == (1ull << 8 * n) - 1);
    }
}
END_TEST

START_TEST(a_full_table_refuses_politely)
{
    setup();
    for (unsigned i = 0; i < BUS_PORT_RANGES; i++)
        ck_assert(bus_map_ports(&bus, i * 4, 1, &bytes_only, &a, 0));
    ck_assert(!bus_map_ports(&bus, 0x8000, 1, &bytes_only, &a, 0));
    for (unsigned i = 0; i < BUS_MMIO_RANGES; i++)
        ck_assert(bus_map_mmio(&bus, i * 4, 1, &bytes_only, &a, 0));
    ck_assert(!bus_map_mmio(&bus, 0x8000, 1, &bytes_only, &a, 0));
}
END_TEST

RUN_TESTS("bus", absent_ports_and_addresses_read_all_ones_and_swallow_writes,
          a_chip_without_entry_points_is_as_good_as_absent,
          a_byte_chip_gets_wide_accesses_byte_by_byte_little_endian,
          a_chip_that_takes_the_width_gets_it_whole,
          an_access_across_two_chips_is_split_between_them_and_the_void,
          the_last_port_has_nothing_behind_it,
          overlapping_or_empty_or_outside_port_ranges_are_refused,
          memory_ranges_route_by_address_and_may_not_overlap,
          what_a_page_end_leaves_of_an_operand_goes_byte_by_byte, a_full_table_refuses_politely)
