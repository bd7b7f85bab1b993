/*
 * test_debug_pure.c - which breakpoints an access meets, counted through byte by byte.
 * Manual: SDM 3B "Debug Control Register (DR7)", "Breakpoint Field Recognition".
 */
#include "cpu/cpu.h"
#include "cpu/debug.h"
#include "tests/check_main.h"

/* R/W of DR7 against what happens: 00 execution, 01 data writes, 10 I/O with CR4.DE=1, 11 reads and writes. */
static bool fits(unsigned rw, enum debug_kind kind, bool de)
{
    if (kind == DEBUG_EXEC) return rw == 0;
    if (kind == DEBUG_IO) return rw == 2 && de;
    return rw == 3 || (rw == 1 && kind == DEBUG_WRITE);
}

static bool overlap(uint64_t a, unsigned n, uint64_t b, unsigned m)
{
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = 0; k < m; k++)
            if (a + i == b + k) return true;
    return false;
}

static void one(unsigned i, unsigned rw, unsigned len, uint64_t address)
{
    static const unsigned bytes[] = {1, 2, 8, 4};
    static const enum debug_kind kinds[] = {DEBUG_EXEC, DEBUG_WRITE, DEBUG_IO, DEBUG_ACCESS};
    uint64_t dr[8] = {0x900000, 0x900000, 0x900000, 0x900000};

    dr[i] = address;
    dr[7] = (uint64_t)(rw | len << 2) << (16 + 4 * i);
    for (unsigned k = 0; k < 4 * 2 * 4; k++) {
        enum debug_kind kind = kinds[k & 3];
        bool de = k >> 2 & 1;
        unsigned n = 1u << (k >> 3), length = kind == DEBUG_EXEC ? 1 : bytes[len];
        uint64_t first = address - address % length;

        for (int off = -18; off <= 18; off++) {
            uint64_t at = address + (uint64_t)(int64_t)off;
            bool want = fits(rw, kind, de) && overlap(first, length, at, n);
            ck_assert_uint_eq(debug_match(dr, de, kind, at, n), want ? 1u << i : 0);
        }
    }
}

START_TEST(checks_61_a_breakpoint_meets_the_bytes_that_its_length_and_kind_say)
{
    for (unsigned n = 0; n < 4 * 4 * 4; n++) {
        one(n & 3, n >> 2 & 3, n >> 4, 0x1005);
        one(n & 3, n >> 2 & 3, n >> 4, UINT64_MAX - 2); /* round the end of the address space */
    }
}
END_TEST

START_TEST(a_breakpoint_is_enabled_by_its_local_or_its_global_bit)
{
    for (unsigned dr7 = 0; dr7 < 0x400; dr7++) {
        unsigned want = 0;
        for (unsigned i = 0; i < 4; i++)
            if ((dr7 & 1u << 2 * i) || (dr7 & 2u << 2 * i)) want |= 1u << i;
        ck_assert_uint_eq(debug_enabled(dr7), want);
    }
}
END_TEST

RUN_TESTS("cpu/debug_pure", checks_61_a_breakpoint_meets_the_bytes_that_its_length_and_kind_say,
          a_breakpoint_is_enabled_by_its_local_or_its_global_bit)
