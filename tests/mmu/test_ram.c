/* test_ram.c - phys/ram.c: layout, budget, code lines, host pointers, the hash. */
#include "phys/ram.h"

#include "tests/check_main.h"

#define GIB 0x40000000ull
#define SIZE (16 * 0x100000ull)

static struct ram r;

static void ram_new(void) { ck_assert(ram_init(&r, SIZE, SIZE)); }

START_TEST(fresh_ram_reads_as_zero_and_costs_nothing)
{
    ram_new();
    ck_assert_uint_eq(ram_read64(&r, 0x5000), 0);
    ck_assert_uint_eq(r.touched, 0);
    ram_free(&r);
}
END_TEST

START_TEST(what_is_written_is_read_and_counted_once_a_page)
{
    ram_new();
    ram_write64(&r, 0x5008, 0x1122334455667788);
    ram_write32(&r, 0x5010, 0xaabbccdd);
    ck_assert_uint_eq(ram_read64(&r, 0x5008), 0x1122334455667788);
    ck_assert_uint_eq(ram_read32(&r, 0x5010), 0xaabbccdd);
    ck_assert_uint_eq(ram_read32(&r, 0x500c), 0x11223344);
    ck_assert_uint_eq(r.touched, RAM_PAGE);
    ram_free(&r);
}
END_TEST

START_TEST(the_hole_and_the_end_read_as_all_ones_and_swallow_writes)
{
    const uint64_t absent[] = {0xa0000, 0xb8000, 0xffff8, SIZE, RAM_HIGH_START, ~7ull};

    ram_new();
    for (unsigned i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
        ram_write64(&r, absent[i], 1);
        ck_assert_uint_eq(ram_read64(&r, absent[i]), UINT64_MAX);
        ck_assert(!ram_is(&r, absent[i]));
        ck_assert_ptr_null(ram_page_for_read(&r, absent[i]));
        ck_assert_ptr_null(ram_page_for_write(&r, absent[i]));
    }
    ck_assert(ram_is(&r, 0x9ffff));
    ck_assert(ram_is(&r, 0x100000));
    ck_assert(ram_is(&r, SIZE - 1));
    ck_assert_uint_eq(r.touched, 0);
    ram_free(&r);
}
END_TEST

START_TEST(ram_beyond_3_gib_lies_from_4_gib_up)
{
    ck_assert(ram_init(&r, 5 * GIB, 5 * GIB));
    ck_assert(ram_is(&r, 3 * GIB - 1));
    ck_assert(!ram_is(&r, 3 * GIB));
    ck_assert(!ram_is(&r, 4 * GIB - 1));
    ck_assert(ram_is(&r, 4 * GIB));
    ck_assert(ram_is(&r, 6 * GIB - 1));
    ck_assert(!ram_is(&r, 6 * GIB));
    ram_write64(&r, 4 * GIB, 4);
    ram_write64(&r, 3 * GIB - 8, 3);
    ck_assert_uint_eq(ram_read64(&r, 4 * GIB), 4);
    ck_assert_uint_eq(ram_read64(&r, 3 * GIB - 8), 3);
    ram_free(&r);
}
END_TEST

START_TEST(a_spent_budget_drops_writes_and_says_so)
{
    ck_assert(ram_init(&r, SIZE, 2 * RAM_PAGE));
    ram_write64(&r, 0x1000, 1);
    ram_write64(&r, 0x2000, 2);
    ck_assert(!r.over_budget);
    ck_assert_ptr_null(ram_page_for_write(&r, 0x4000));
    ck_assert(r.over_budget);
    ram_write64(&r, 0x3000, 3);
    ck_assert_uint_eq(ram_read64(&r, 0x3000), 0);
    ram_write64(&r, 0x1008, 4); /* a page that counts already may be written on */
    ck_assert_uint_eq(ram_read64(&r, 0x1008), 4);
    ck_assert_uint_eq(r.touched, 2 * RAM_PAGE);
    ram_free(&r);
}
END_TEST

static uint64_t killed_at;
static unsigned killed_bytes, kills;

static void note_kill(void *ctx, uint64_t phys, unsigned n)
{
    ck_assert_ptr_eq(ctx, &r);
    killed_at = phys;
    killed_bytes = n;
    kills++;
}

START_TEST(a_write_kills_decoded_code_only_on_the_lines_it_meets)
{
    ram_new();
    r.code_written = note_kill;
    r.code_ctx = &r;
    kills = 0;
    ck_assert(ram_mark_code(&r, 0x3040, 65)); /* lines 1 and 2 */
    ck_assert(!ram_mark_code(&r, 0x3044, 2));
    ram_write64(&r, 0x3000, 1);
    ram_write64(&r, 0x3038, 1);
    ram_write64(&r, 0x30c0, 1);
    ck_assert_uint_eq(kills, 0);
    ram_write64(&r, 0x303c, 1); /* half in line 1 */
    ck_assert_uint_eq(kills, 1);
    ck_assert_uint_eq(killed_at, 0x303c);
    ck_assert_uint_eq(killed_bytes, 8);
    ram_write32(&r, 0x3080, 1);
    ck_assert_uint_eq(kills, 2);
    ram_unmark_lines(&r, 0x3000, 1u << 1);
    ram_write32(&r, 0x3040, 1);
    ck_assert_uint_eq(kills, 2);
    ram_write32(&r, 0x3fff - 3, 1);
    ck_assert_uint_eq(kills, 2);
    ram_free(&r);
}
END_TEST

START_TEST(the_last_line_of_a_page_is_marked_too)
{
    ram_new();
    r.code_written = note_kill;
    r.code_ctx = &r;
    kills = 0;
    ram_mark_code(&r, 0x3fff, 1);
    ram_write64(&r, 0x3ff8, 0);
    ck_assert_uint_eq(kills, 1);
    ram_write64(&r, 0x4000, 0);
    ck_assert_uint_eq(kills, 1);
    ram_free(&r);
}
END_TEST

START_TEST(a_page_with_code_or_a_watch_hands_out_no_write_pointer)
{
    ram_new();
    ck_assert_ptr_eq(ram_page_for_write(&r, 0x3123), r.base + 0x3000);
    ck_assert_uint_eq(r.flags[3], RAM_TOUCHED | RAM_DIRTY);
    ram_mark_code(&r, 0x3000, 1);
    ck_assert_ptr_null(ram_page_for_write(&r, 0x3000));
    ck_assert_ptr_eq(ram_page_for_read(&r, 0x3fff), r.base + 0x3000);
    ram_clear_code(&r);
    ck_assert_ptr_nonnull(ram_page_for_write(&r, 0x3000));
    r.flags[3] |= RAM_WATCHED;
    ck_assert_ptr_null(ram_page_for_write(&r, 0x3000));
    ck_assert_ptr_null(ram_page_for_read(&r, 0x3000));
    ram_free(&r);
}
END_TEST

static bool hash_is(uint64_t lo, uint64_t hi)
{
    uint64_t h[2];

    ram_hash(&r, h);
    return h[0] == lo && h[1] == hi;
}

START_TEST(a_zero_page_hashes_like_one_never_touched)
{
    uint64_t h[2];

    ram_new();
    ck_assert(hash_is(0, 0));
    ram_write64(&r, 0x5000, 0);
    ck_assert(hash_is(0, 0));
    ram_write64(&r, 0x5000, 1);
    ram_hash(&r, h);
    ck_assert(h[0] != 0 || h[1] != 0);
    ram_write64(&r, 0x5000, 0);
    ck_assert(hash_is(0, 0));
    ram_free(&r);
}
END_TEST

START_TEST(the_hash_depends_on_contents_and_place_but_not_on_history)
{
    uint64_t one[2], two[2];

    ram_new();
    ram_write64(&r, 0x5000, 7);
    ram_write64(&r, 0x9000, 9);
    ram_hash(&r, one);
    ram_free(&r);

    ram_new();
    ram_write64(&r, 0x9000, 1);
    ram_hash(&r, two);
    ram_write64(&r, 0x9000, 9);
    ram_hash(&r, two);
    ram_page_for_write(&r, 0x5000)[0] = 7;
    ram_hash(&r, two);
    ck_assert_mem_eq(one, two, sizeof(one));
    ram_write64(&r, 0x5000, 9);
    ram_write64(&r, 0x9000, 7);
    ram_hash(&r, two);
    ck_assert_mem_ne(one, two, sizeof(one));
    ram_free(&r);
}
END_TEST

START_TEST(a_hash_asks_for_new_write_pointers_and_sees_what_they_write)
{
    uint64_t one[2], two[2];

    ram_new();
    ram_page_for_write(&r, 0x5000)[1] = 7;
    ram_hash(&r, one);
    ck_assert_uint_eq(r.flags[5] & RAM_DIRTY, 0);
    ram_page_for_write(&r, 0x5000)[1] = 8;
    ram_hash(&r, two);
    ck_assert_mem_ne(one, two, sizeof(one));
    ram_free(&r);
}
END_TEST

START_TEST(clearing_gives_everything_back)
{
    ck_assert(ram_init(&r, SIZE, RAM_PAGE));
    ram_write64(&r, 0x5000, 7);
    ram_write64(&r, 0x6000, 7);
    ram_mark_code(&r, 0x5000, 4);
    ram_clear(&r);
    ck_assert_uint_eq(ram_read64(&r, 0x5000), 0);
    ck_assert_uint_eq(r.touched, 0);
    ck_assert(!r.over_budget);
    ck_assert_uint_eq(r.flags[5], 0);
    ck_assert(hash_is(0, 0));
    ram_write64(&r, 0x5000, 0);
    ck_assert(hash_is(0, 0));
    ram_free(&r);
}
END_TEST

RUN_TESTS("ram", fresh_ram_reads_as_zero_and_costs_nothing,
          what_is_written_is_read_and_counted_once_a_page,
          the_hole_and_the_end_read_as_all_ones_and_swallow_writes,
          ram_beyond_3_gib_lies_from_4_gib_up, a_spent_budget_drops_writes_and_says_so,
          a_write_kills_decoded_code_only_on_the_lines_it_meets,
          the_last_line_of_a_page_is_marked_too,
          a_page_with_code_or_a_watch_hands_out_no_write_pointer,
          a_zero_page_hashes_like_one_never_touched,
          the_hash_depends_on_contents_and_place_but_not_on_history,
          a_hash_asks_for_new_write_pointers_and_sees_what_they_write,
          clearing_gives_everything_back)
