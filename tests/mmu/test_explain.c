/* test_explain.c - mmu/explain.c: the sentence, and that the change it names flips the verdict. */
#include "tests/check_main.h"
#include "tests/mmu/world.h"

#include <inttypes.h>
#include <stdio.h>

#define LIN 0xffff800000001000ull

static struct rs_explanation explain(struct world *w, uint64_t linear, struct mmu_access access)
{
    struct rs_explanation e;

    mmu_explain(&w->mmu, &w->mmu.env, w->mmu.cr3, linear, access, &e);
    return e;
}

START_TEST(a_refusal_names_rule_entry_and_remedy)
{
    struct world *w = world_new();
    struct rs_explanation e;
    char want[320];

    map(w, LIN, 0x7000, RWU);
    entry_set(w, LIN, 4, entry_get(w, LIN, 4) & ~PTE_U);
    e = explain(w, LIN, user_access(RS_READ));
    snprintf(want, sizeof(want),
             "user read of 0xffff800000001000 refused by PG_US: U/S=0 at level 4 (PML4E 0x%" PRIx64
             " at 0x%" PRIx64 "); to allow it, set U/S in the PML4E at 0x%" PRIx64,
             entry_get(w, LIN, 4), entry_at(w, LIN, 4), entry_at(w, LIN, 4));
    ck_assert_str_eq(e.text, want);
    ck_assert(!e.allowed && e.paging);
    ck_assert_uint_eq(e.rule, RS_RULE_PG_US);
    ck_assert_uint_eq(e.error_code, PFEC_P | PFEC_U);
    ck_assert_uint_eq(e.level, 4);
    ck_assert_uint_eq(e.steps, 4);
    ck_assert_uint_eq(e.step[3].entry_at, entry_at(w, LIN, 1));
    ck_assert_uint_eq(e.phys, 0x7000);
    ck_assert_uint_eq(e.page_shift, 12);
    world_free(w);
}
END_TEST

START_TEST(several_entries_and_several_rules_are_all_named)
{
    struct world *w = world_new();
    struct rs_explanation e;

    map(w, LIN, 0x7000, PTE_P);
    entry_set(w, LIN, 2, entry_get(w, LIN, 2) & ~PTE_U);
    e = explain(w, LIN, user_access(RS_WRITE));
    ck_assert_ptr_nonnull(strstr(e.text, "refused by PG_US: U/S=0 at level 2 (PDE "));
    ck_assert_ptr_nonnull(
        strstr(e.text, "set U/S in the PDE and PTE, and set R/W in the PTE at 0x"));
    world_free(w);
}
END_TEST

START_TEST(control_bits_that_refuse_are_named)
{
    struct world *w = world_new();
    struct mmu_access implicit = {.kind = RS_READ, .implicit = true};

    map(w, LIN, 0x7000, RWU);
    ck_assert_ptr_nonnull(
        strstr(explain(w, LIN, sup_access(RS_READ)).text, "clear CR4.SMAP or set RFLAGS.AC"));
    ck_assert_uint_eq(explain(w, LIN, sup_access(RS_READ)).level, 0);
    ck_assert_ptr_nonnull(strstr(explain(w, LIN, sup_access(RS_FETCH)).text,
                                 "clear CR4.SMEP or clear U/S in the PTE at 0x"));
    ck_assert_ptr_nonnull(strstr(explain(w, LIN, implicit).text,
                                 "implicit supervisor read of 0xffff800000001000 refused by "
                                 "PG_SMAP_IMPLICIT"));
    map(w, LIN, 0x7000, PTE_P);
    ck_assert_ptr_nonnull(strstr(explain(w, LIN, sup_access(RS_WRITE)).text,
                                 "clear CR0.WP or set R/W in the PTE at 0x"));
    map(w, LIN, 0x7000, PTE_P | PTE_XD);
    ck_assert_ptr_nonnull(
        strstr(explain(w, LIN, sup_access(RS_FETCH)).text, "clear XD in the PTE at 0x"));
    world_free(w);
}
END_TEST

START_TEST(missing_entries_and_reserved_bits_are_named)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, 0);
    ck_assert_ptr_nonnull(strstr(explain(w, LIN, user_access(RS_READ)).text,
                                 "refused by PG_P: P=0 at level 1 (PTE 0x7000 at 0x"));
    map(w, LIN, 0x7000, RWU | 1ull << 50);
    ck_assert_ptr_nonnull(strstr(explain(w, LIN, user_access(RS_READ)).text,
                                 "clear bits 0x4000000000000 in the PTE at 0x"));
    world_free(w);
}
END_TEST

START_TEST(an_allowed_access_says_where_it_goes_and_what_would_refuse_it)
{
    struct world *w = world_new();
    struct rs_explanation e;

    entry_set(w, LIN, 2, 0x400000 | RWU | PTE_PS);
    e = explain(w, LIN + 0x10, user_access(RS_WRITE));
    ck_assert(e.allowed);
    ck_assert_uint_eq(e.rule, RS_RULE_NONE);
    ck_assert_uint_eq(e.phys, 0x401010);
    ck_assert_ptr_nonnull(strstr(e.text, "user write to 0xffff800000001010 allowed: physical "
                                         "0x401010, 2-MByte page, U/S=1 R/W=1 XD=0; to refuse "
                                         "it, clear U/S in the PDE at 0x"));
    world_free(w);
}
END_TEST

START_TEST(a_non_canonical_address_is_reported_and_walks_nothing)
{
    struct world *w = world_new();
    struct rs_explanation e = explain(w, 0x800000000000, user_access(RS_READ));

    ck_assert(!e.allowed);
    ck_assert_uint_eq(e.rule, RS_RULE_CANON_MEM);
    ck_assert_uint_eq(e.steps, 0);
    ck_assert_uint_eq(explain(w, 1ull << 63, user_access(RS_FETCH)).rule, RS_RULE_CANON_FETCH);
    world_free(w);
}
END_TEST

START_TEST(without_paging_everything_is_allowed)
{
    struct world *w = world_new();
    struct rs_explanation e;

    w->mmu.env.paging = w->mmu.env.lma = false;
    e = explain(w, 0x7123, sup_access(RS_WRITE));
    ck_assert(e.allowed && !e.paging);
    ck_assert_uint_eq(e.phys, 0x7123);
    ck_assert_str_eq(e.text, "supervisor write to 0x7123 allowed: physical 0x7123, paging is off");
    world_free(w);
}
END_TEST

START_TEST(legacy_paging_is_explained_by_its_own_levels)
{
    struct world *w = world_new();
    struct rs_explanation e;

    w->mmu.env.lma = false;
    w->mmu.env.pae = false;
    w->mmu.env.pse = true;
    ram_write64(&w->ram, w->mmu.cr3, 0x00400000 | PTE_P | PTE_PS);
    e = explain(w, 0x7123, sup_access(RS_READ));
    ck_assert(e.allowed && e.steps == 1 && e.page_shift == 22 && e.phys == 0x407123);
    ck_assert_ptr_nonnull(strstr(e.text, "4-MByte page"));
    e = explain(w, 0x7123, sup_access(RS_WRITE));
    ck_assert_uint_eq(e.rule, RS_RULE_PG_WR_SUP);
    ck_assert_ptr_nonnull(strstr(e.text, "PDE"));
    w->mmu.env.pae = true;
    e = explain(w, 0x7123, sup_access(RS_READ)); /* the register, not memory, is the root */
    ck_assert_uint_eq(e.rule, RS_RULE_PG_P);
    ck_assert_ptr_nonnull(strstr(e.text, "PDPTE"));
    world_free(w);
}
END_TEST

START_TEST(explaining_leaves_no_trace)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    w->wire.mask = UINT64_MAX;
    explain(w, LIN, user_access(RS_WRITE));
    explain(w, LIN, sup_access(RS_FETCH));
    ck_assert_uint_eq(w->events, 0);
    ck_assert_uint_eq(entry_get(w, LIN, 1), 0x7000 | RWU);
    ck_assert_uint_eq(w->mmu.walks, 0);
    world_free(w);
}
END_TEST

START_TEST(the_longest_sentence_fits)
{
    struct world *w = world_new();
    struct mmu_access a = user_access(RS_WRITE);
    struct rs_explanation e;

    map(w, LIN, 0x3ffffffff000, PTE_P | PTE_XD);
    for (unsigned level = 2; level <= 4; level++)
        entry_set(w, LIN, level, (entry_get(w, LIN, level) & ~(PTE_U | PTE_W)) | PTE_XD);
    e = explain(w, LIN, a);
    ck_assert_uint_lt(strlen(e.text), sizeof(e.text) - 1);
    e = explain(w, LIN, user_access(RS_FETCH));
    ck_assert_uint_lt(strlen(e.text), sizeof(e.text) - 1);
    world_free(w);
}
END_TEST

RUN_TESTS("explain", a_refusal_names_rule_entry_and_remedy,
          several_entries_and_several_rules_are_all_named, control_bits_that_refuse_are_named,
          missing_entries_and_reserved_bits_are_named,
          an_allowed_access_says_where_it_goes_and_what_would_refuse_it,
          a_non_canonical_address_is_reported_and_walks_nothing,
          without_paging_everything_is_allowed, legacy_paging_is_explained_by_its_own_levels,
          explaining_leaves_no_trace, the_longest_sentence_fits)
