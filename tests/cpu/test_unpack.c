/*
 * test_unpack.c - descriptors and gates taken apart: where each of their bits goes, bit by bit,
 * against tables of the manual's fields.
 * Manual: SDM 3A "Segment Descriptors", "Call Gates", "IDT Descriptors", "64-Bit Mode IDT".
 */
#include "cpu/protect.h"

#include "tests/check_main.h"

/* Bits first..last of the 16 bytes (the second eight are 64..127) begin at `to` in the field. */
struct part {
    unsigned first, last, to;
};

static uint64_t gather(const struct part *parts, uint64_t low, uint64_t high)
{
    uint64_t field = 0;

    for (const struct part *p = parts; p->last; p++)
        for (unsigned bit = p->first; bit <= p->last; bit++)
            if ((bit < 64 ? low >> bit : high >> (bit - 64)) & 1)
                field |= 1ull << (p->to + bit - p->first);
    return field;
}

/* Every bit alone, every bit missing, none and all. */
static void each_pattern(void (*about)(uint64_t low, uint64_t high))
{
    for (unsigned bit = 0; bit < 64; bit++) {
        about(1ull << bit, 0);
        about(0, 1ull << bit);
        about(~(1ull << bit), ~0ull);
        about(~0ull, ~(1ull << bit));
    }
    about(0, 0);
    about(~0ull, ~0ull);
}

static void descriptor_fits(uint64_t low, uint64_t high)
{
    static const struct part base[] = {{16, 31, 0}, {32, 39, 16}, {56, 63, 24}, {64, 95, 32}, {0}};
    static const struct part limit[] = {{0, 15, 0}, {48, 51, 16}, {0}};
    static const struct part attr[] = {{40, 47, 0}, {52, 55, 12}, {0}};
    static const struct part granularity[] = {{55, 55, 0}, {0}}, upper[] = {{104, 108, 0}, {0}};
    struct descriptor d = desc_unpack(low, high);
    uint64_t bytes = gather(limit, low, high);

    if (gather(granularity, low, high)) bytes = bytes * 4096 + 4095;
    ck_assert_uint_eq(d.base, gather(base, low, high));
    ck_assert_uint_eq(d.limit, bytes);
    ck_assert_uint_eq(d.attr, gather(attr, low, high));
    ck_assert(d.upper == (gather(upper, low, high) == 0));
}

START_TEST(each_bit_of_a_descriptor_goes_where_the_manual_says) { each_pattern(descriptor_fits); }
END_TEST

static void gate_fits(uint64_t low, uint64_t high)
{
    static const struct part offset[] = {{0, 15, 0}, {48, 63, 16}, {0}};
    static const struct part offset_wide[] = {{0, 15, 0}, {48, 63, 16}, {64, 95, 32}, {0}};
    static const struct part selector[] = {{16, 31, 0}, {0}}, params[] = {{32, 36, 0}, {0}};
    static const struct part ist[] = {{32, 34, 0}, {0}}, type[] = {{40, 43, 0}, {0}};
    static const struct part s[] = {{44, 44, 0}, {0}}, dpl[] = {{45, 46, 0}, {0}};
    static const struct part present[] = {{47, 47, 0}, {0}}, upper[] = {{104, 108, 0}, {0}};

    for (unsigned wide = 0; wide < 2; wide++) {
        struct gate g = gate_unpack(low, high, wide);
        bool is_16 = g.type == SYS_CALL16 || g.type == SYS_INT16 || g.type == SYS_TRAP16;
        uint64_t at = gather(wide ? offset_wide : offset, low, high);

        ck_assert_uint_eq(g.offset, !wide && is_16 ? (uint16_t)at : at);
        ck_assert_uint_eq(g.selector, gather(selector, low, high));
        ck_assert_uint_eq(g.type, gather(type, low, high));
        ck_assert_uint_eq(g.dpl, gather(dpl, low, high));
        ck_assert_uint_eq(g.ist, wide ? gather(ist, low, high) : 0);
        ck_assert_uint_eq(g.params, wide ? 0 : gather(params, low, high));
        ck_assert(g.present == (gather(present, low, high) == 1));
        ck_assert(g.system == (gather(s, low, high) == 0));
        ck_assert(g.upper == (!wide || gather(upper, low, high) == 0));
    }
}

START_TEST(each_bit_of_a_gate_goes_where_the_manual_says) { each_pattern(gate_fits); }
END_TEST

RUN_TESTS("unpack", each_bit_of_a_descriptor_goes_where_the_manual_says,
          each_bit_of_a_gate_goes_where_the_manual_says)
