/*
 * test_real_pure.c - what a load of a segment register makes of it in real-address and virtual-8086 mode,
 * counted through against the manual's words.
 */
#include "cpu/real.h"
#include "tests/check_main.h"

/* SDM 3B "8086 Emulation": base = selector * 16. In virtual-8086 mode the rest is fixed; in real-address mode
 * limit, size and direction stay what they were, the type is that of a readable and writable segment. */
START_TEST(a_segment_loaded_outside_protected_mode_has_its_selector_for_base_and_keeps_its_limit)
{
    for (unsigned n = 0; n < 1u << 14; n++) {
        unsigned type = n & 15, s = n >> 4 & 1, high = n >> 7 & 15;
        bool unusable = n >> 11 & 1, code = n >> 12 & 1, v86 = n >> 13 & 1;
        struct segment old = {.limit = 0x12345678,
                              .attr = (uint16_t)(n & 0xff) | (unusable ? 0x100 : 0) |
                                      (uint16_t)(high << 12)};
        struct descriptor d = real_descriptor(&old, code, v86, 0xabcd);
        unsigned want = code ? 0x9b : 0x93;

        if (!unusable) want |= high << 12 & 0xc000; /* D/B and G */
        if (!unusable && !code && s && type < 8) want |= type & 4;
        ck_assert_uint_eq(d.base, 0xabcd0);
        ck_assert_uint_eq(d.limit, v86 || unusable ? 0xffff : 0x12345678);
        ck_assert_uint_eq(d.attr, v86 ? 0xf3 : want);
    }
}
END_TEST

START_TEST(a_vectors_four_bytes_lie_within_the_idt)
{
    for (unsigned vector = 0; vector < 256; vector++)
        for (unsigned limit = 0; limit < 1030; limit++)
            ck_assert_int_eq(real_vector_judge(vector, limit), limit >= 4 * vector + 3);
}
END_TEST

RUN_TESTS("cpu/real_pure",
          a_segment_loaded_outside_protected_mode_has_its_selector_for_base_and_keeps_its_limit,
          a_vectors_four_bytes_lie_within_the_idt)
