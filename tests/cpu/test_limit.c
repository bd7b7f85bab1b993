/*
 * test_limit.c - limits counted through at their edges. Manual: SDM 3A "Limit Checking".
 */
#include "cpu/cpu.h"
#include "cpu/limit.h"
#include "tests/check_main.h"

#define NEAR(at, around) ((uint64_t)(around) + (uint64_t)(int64_t)(at))

/* Data that grows up, and code of any kind: every byte at or below the limit. */
START_TEST(a_segment_that_grows_up_ends_with_its_limit)
{
    static const uint32_t limits[] = {0, 7, 0xffff, 0x12345fff, 0xfffffffe};

    for (unsigned type = 0; type < 16; type++) {
        if ((type & 12) == 4) continue; /* expand-down */
        for (unsigned i = 0; i < sizeof limits / sizeof *limits; i++)
            for (int off = -16; off <= 2; off++)
                for (unsigned n = 1; n <= 16; n *= 2) {
                    struct segment s = {.limit = limits[i],
                                        .attr = (uint16_t)(ATTR_P | ATTR_S | type)};
                    if (off < 0 && limits[i] < 16) continue;
                    uint64_t eff = NEAR(off, limits[i]);
                    ck_assert_int_eq(limit_judge(&s, eff, n), eff + n <= (uint64_t)limits[i] + 1);
                }
    }
}
END_TEST

/* Expand-down data: every byte above the limit, up to FFFFH or, with B=1, FFFFFFFFH. */
START_TEST(checks_43_an_expand_down_segment_lies_above_its_limit_and_ends_by_b)
{
    for (unsigned n = 0; n < 2 * 4 * 5; n++) {
        bool big = n & 1;
        unsigned low = n >> 1 & 3, bytes = 1u << (n >> 3);
        uint64_t top = big ? 0xffffffff : 0xffff;
        struct segment s = {.limit = 0xfff,
                            .attr = (uint16_t)(ATTR_P | ATTR_S | 4 | (low & 1) |
                                               (low & 2 ? ATTR_G : 0) | (big ? ATTR_DB : 0))};

        for (int off = -20; off <= 20; off++) {
            uint64_t eff = NEAR(off, 0xfff);
            ck_assert_int_eq(limit_judge(&s, eff, bytes), eff > 0xfff);
            eff = NEAR(off, top);
            ck_assert_int_eq(limit_judge(&s, eff, bytes), eff + bytes - 1 <= top);
        }
        ck_assert_int_eq(limit_judge(&s, 0x7fffffff, bytes), big);
        ck_assert_int_eq(limit_judge(&s, 0x8000, bytes), true);
    }
}
END_TEST

RUN_TESTS("cpu/limit", a_segment_that_grows_up_ends_with_its_limit,
          checks_43_an_expand_down_segment_lies_above_its_limit_and_ends_by_b)
