/* test_walk.c - mmu/walk.c, judge.c, adbits.c: which entries, what rights, which bits. */
#include "mmu/parts.h"

#include "tests/check_main.h"
#include "tests/mmu/world.h"

#define LIN 0xffff812345678abcull

static uint64_t read_world(const void *ctx, uint64_t phys, unsigned n)
{
    ck_assert_uint_eq(n, 8);
    return ram_read64(&((const struct world *)ctx)->ram, phys);
}

static struct mmu_path walk_it(struct world *w, uint64_t linear)
{
    struct walk_reader reader = {w, read_world};
    struct mmu_path path;

    walk(&reader, &w->mmu.env, w->mmu.cr3, linear, NULL, &path);
    return path;
}

START_TEST(a_4_kbyte_page_takes_four_entries)
{
    struct world *w = world_new();
    struct mmu_path p;

    map(w, LIN & ~0xfffull, 0x7000, RWU | PTE_D | PTE_G);
    p = walk_it(w, LIN);
    ck_assert_uint_eq(p.status, WALK_OK);
    ck_assert_uint_eq(p.steps, 4);
    ck_assert_uint_eq(p.page_shift, 12);
    ck_assert_uint_eq(p.phys, 0x7abc);
    ck_assert(p.user && p.write && !p.nx && p.global && p.dirty);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(p.step[i].level, 4 - i);
        ck_assert_uint_eq(p.step[i].at, entry_at(w, LIN, 4 - i));
        ck_assert_uint_eq(p.step[i].entry, entry_get(w, LIN, 4 - i));
    }
    world_free(w);
}
END_TEST

START_TEST(ps_in_a_pde_maps_2_mbyte_and_in_a_pdpte_1_gbyte)
{
    struct world *w = world_new();
    struct mmu_path p;

    entry_set(w, LIN, 2, 0x600000 | RWU | PTE_PS | PTE_PAT_LARGE);
    p = walk_it(w, LIN);
    ck_assert_uint_eq(p.status, WALK_OK);
    ck_assert_uint_eq(p.page_shift, 21);
    ck_assert_uint_eq(p.phys, 0x600000 | (LIN & 0x1fffff));
    entry_set(w, LIN, 3, 0x40000000 | RWU | PTE_PS | PTE_PAT_LARGE);
    p = walk_it(w, LIN);
    ck_assert_uint_eq(p.status, WALK_OK);
    ck_assert_uint_eq(p.steps, 2);
    ck_assert_uint_eq(p.page_shift, 30);
    ck_assert_uint_eq(p.phys, 0x40000000 | (LIN & 0x3fffffff));
    world_free(w);
}
END_TEST

START_TEST(without_paging_linear_addresses_are_physical_ones_of_32_bits)
{
    struct world *w = world_new();
    struct mmu_path p;

    w->mmu.env.paging = false;
    p = walk_it(w, 0x123456789abcdef0);
    ck_assert_uint_eq(p.status, WALK_OK);
    ck_assert_uint_eq(p.steps, 0);
    ck_assert_uint_eq(p.phys, 0x9abcdef0);
    world_free(w);
}
END_TEST

/* checks 5 */
START_TEST(user_and_write_are_the_and_of_all_levels_and_xd_the_or)
{
    for (unsigned level = 1; level <= 4; level++) {
        struct world *w = world_new();
        struct mmu_path p;

        map(w, LIN & ~0xfffull, 0x7000, RWU);
        entry_set(w, LIN, level, entry_get(w, LIN, level) & ~PTE_U);
        p = walk_it(w, LIN);
        ck_assert_uint_eq(p.entry_bytes, 8);
        ck_assert(!p.user && p.write && !p.nx);
        entry_set(w, LIN, level, (entry_get(w, LIN, level) & ~PTE_W) | PTE_U);
        p = walk_it(w, LIN);
        ck_assert(p.user && !p.write && !p.nx);
        entry_set(w, LIN, level, entry_get(w, LIN, level) | PTE_W | PTE_XD);
        p = walk_it(w, LIN);
        ck_assert(p.user && p.write && p.nx);
        world_free(w);
    }
}
END_TEST

/* checks 2 */
START_TEST(the_walk_stops_at_the_first_entry_that_is_not_present)
{
    for (unsigned level = 1; level <= 4; level++) {
        struct world *w = world_new();
        struct mmu_path p;

        map(w, LIN & ~0xfffull, 0x7000, RWU);
        /* reserved bits of an entry that is not present do not matter */
        entry_set(w, LIN, level, PTE_ADDR | PTE_XD | PTE_PS);
        p = walk_it(w, LIN);
        ck_assert_uint_eq(p.status, WALK_NOT_PRESENT);
        ck_assert_uint_eq(p.steps, 5 - level);
        ck_assert_uint_eq(p.step[p.steps - 1].level, level);
        world_free(w);
    }
}
END_TEST

/* checks 2 */
START_TEST(a_reserved_bit_above_wins_over_anything_below)
{
    struct world *w = world_new();
    struct mmu_path p;

    map(w, LIN & ~0xfffull, 0x7000, 0);
    entry_set(w, LIN, 3, entry_get(w, LIN, 3) | 1ull << 51);
    p = walk_it(w, LIN);
    ck_assert_uint_eq(p.status, WALK_RESERVED);
    ck_assert_uint_eq(p.steps, 2);
    world_free(w);
}
END_TEST

static unsigned status_with(struct world *w, unsigned level, uint64_t entry)
{
    uint64_t old = entry_get(w, LIN, level);
    unsigned status;

    entry_set(w, LIN, level, entry);
    status = walk_it(w, LIN).status;
    entry_set(w, LIN, level, old);
    return status;
}

/* checks 6 */
START_TEST(address_bits_beyond_maxphyaddr_are_reserved_at_every_level)
{
    struct world *w = world_new();

    map(w, LIN & ~0xfffull, 0x7000, RWU);
    for (unsigned level = 1; level <= 4; level++)
        for (unsigned bit = 12; bit < 63; bit++) {
            uint64_t e = entry_get(w, LIN, level) | 1ull << bit;
            bool reserved = bit >= 46 && bit < 52;

            if (bit < 46 && level > 1) continue; /* would point elsewhere */
            ck_assert_int_eq(status_with(w, level, e) == WALK_RESERVED, reserved);
        }
    world_free(w);
}
END_TEST

/* checks 3 */
START_TEST(xd_is_reserved_while_nxe_is_0)
{
    struct world *w = world_new();

    map(w, LIN & ~0xfffull, 0x7000, RWU);
    for (unsigned level = 1; level <= 4; level++) {
        uint64_t e = entry_get(w, LIN, level) | PTE_XD;

        w->mmu.env.nxe = true;
        ck_assert_uint_eq(status_with(w, level, e), WALK_OK);
        w->mmu.env.nxe = false;
        ck_assert_uint_eq(status_with(w, level, e), WALK_RESERVED);
    }
    world_free(w);
}
END_TEST

/* checks 7 */
START_TEST(ps_is_reserved_in_a_pml4e_and_without_1_gbyte_pages_in_a_pdpte)
{
    struct world *w = world_new();

    map(w, LIN & ~0xfffull, 0x7000, RWU);
    ck_assert_uint_eq(status_with(w, 4, entry_get(w, LIN, 4) | PTE_PS), WALK_RESERVED);
    ck_assert_uint_eq(status_with(w, 3, RWU | PTE_PS), WALK_OK);
    w->mmu.env.pages_1g = false;
    ck_assert_uint_eq(status_with(w, 3, RWU | PTE_PS), WALK_RESERVED);
    ck_assert_uint_eq(status_with(w, 2, RWU | PTE_PS), WALK_OK);
    ck_assert_uint_eq(status_with(w, 1, RWU | PTE_PS), WALK_OK); /* PAT there */
    world_free(w);
}
END_TEST

/* checks 7 */
START_TEST(low_address_bits_of_large_pages_are_reserved_but_for_pat)
{
    struct world *w = world_new();

    map(w, LIN & ~0xfffull, 0x7000, RWU);
    for (unsigned bit = 12; bit < 46; bit++) {
        ck_assert_int_eq(status_with(w, 2, RWU | PTE_PS | 1ull << bit) == WALK_RESERVED,
                         bit >= 13 && bit < 21);
        ck_assert_int_eq(status_with(w, 3, RWU | PTE_PS | 1ull << bit) == WALK_RESERVED,
                         bit >= 13 && bit < 30);
    }
    world_free(w);
}
END_TEST

START_TEST(tables_outside_ram_read_as_all_ones_which_is_reserved)
{
    struct world *w = world_new();
    struct mmu_path p;

    w->mmu.cr3 = 0xc0000000;
    p = walk_it(w, LIN);
    ck_assert_uint_eq(p.status, WALK_RESERVED);
    ck_assert_uint_eq(p.steps, 1);
    ck_assert_uint_eq(p.step[0].entry, UINT64_MAX);
    world_free(w);
}
END_TEST

START_TEST(a_walk_from_a_cached_structure_keeps_the_rights_above)
{
    struct world *w = world_new();
    struct walk_reader reader = {w, read_world};
    struct walk_start start = {.level = 1, .user = false, .write = true, .nx = true};
    struct mmu_path p;

    map(w, LIN & ~0xfffull, 0x7000, RWU);
    start.base = entry_at(w, LIN, 1) & ~0xfffull;
    walk(&reader, &w->mmu.env, w->mmu.cr3, LIN, &start, &p);
    ck_assert_uint_eq(p.status, WALK_OK);
    ck_assert_uint_eq(p.steps, 1);
    ck_assert_uint_eq(p.phys, 0x7abc);
    ck_assert(!p.user && p.write && p.nx);
    world_free(w);
}
END_TEST

START_TEST(global_counts_only_while_pge_is_1)
{
    struct world *w = world_new();

    map(w, LIN & ~0xfffull, 0x7000, RWU | PTE_G);
    ck_assert(walk_it(w, LIN).global);
    w->mmu.env.pge = false;
    ck_assert(!walk_it(w, LIN).global);
    world_free(w);
}
END_TEST

/* ---- A and D --------------------------------------------------------------------------------- */

START_TEST(a_read_sets_a_at_every_level_and_a_write_d_at_the_leaf)
{
    struct mmu_path p = {.status = WALK_OK, .steps = 3, .read = 3, .entry_bytes = 8};
    struct ad_update update[5];

    for (unsigned i = 0; i < 3; i++) {
        p.step[i].at = 0x1000 * (i + 1);
        p.step[i].entry = RWU;
        p.step[i].level = (uint8_t)(4 - i);
    }
    ck_assert_uint_eq(mmu_adbits(&p, RS_READ, update), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(update[i].at, p.step[i].at);
        ck_assert_uint_eq(update[i].entry, RWU | PTE_A);
        ck_assert_uint_eq(update[i].level, p.step[i].level);
    }
    ck_assert_uint_eq(mmu_adbits(&p, RS_WRITE, update), 3);
    ck_assert_uint_eq(update[1].entry, RWU | PTE_A);
    ck_assert_uint_eq(update[2].entry, RWU | PTE_A | PTE_D);
    for (unsigned i = 0; i < 3; i++) p.step[i].entry |= PTE_A;
    ck_assert_uint_eq(mmu_adbits(&p, RS_FETCH, update), 0);
    ck_assert_uint_eq(mmu_adbits(&p, RS_WRITE, update), 1);
    ck_assert_uint_eq(update[0].at, 0x3000);
}
END_TEST

/* ---- the judge, by example (tests of every combination: the oracle's) ------------------------ */

static struct mmu_verdict ask(struct mmu_env env, struct mmu_access access, bool user, bool write,
                              bool nx)
{
    struct mmu_rights rights = {WALK_OK, user, write, nx};

    return mmu_judge(&env, &access, &rights);
}

START_TEST(a_read_only_page_refuses_a_user_write)
{
    struct mmu_verdict v = ask(world_env(), user_access(RS_WRITE), true, false, false);

    ck_assert_uint_eq(v.rule, RS_RULE_PG_WR_USER);
    ck_assert_uint_eq(v.error, PFEC_P | PFEC_W | PFEC_U);
    ck_assert_uint_eq(v.broken, 1ull << RS_RULE_PG_WR_USER);
}
END_TEST

START_TEST(the_lowest_broken_rule_is_cited_and_all_are_collected)
{
    struct mmu_verdict v = ask(world_env(), user_access(RS_WRITE), false, false, true);

    ck_assert_uint_eq(v.rule, RS_RULE_PG_US);
    ck_assert_uint_eq(v.broken, 1ull << RS_RULE_PG_US | 1ull << RS_RULE_PG_WR_USER);
    v = ask(world_env(), sup_access(RS_FETCH), true, true, true);
    ck_assert_uint_eq(v.rule, RS_RULE_PG_NX);
    ck_assert_uint_eq(v.broken, 1ull << RS_RULE_PG_NX | 1ull << RS_RULE_PG_SMEP);
}
END_TEST

/* checks 12 */
START_TEST(supervisor_writes_obey_read_only_pages_only_while_wp_is_1)
{
    struct mmu_env env = world_env();

    ck_assert_uint_eq(ask(env, sup_access(RS_WRITE), false, false, false).rule, RS_RULE_PG_WR_SUP);
    env.wp = false;
    ck_assert_uint_eq(ask(env, sup_access(RS_WRITE), false, false, false).rule, RS_RULE_NONE);
}
END_TEST

/* checks 14 */
START_TEST(smap_listens_to_ac_for_explicit_accesses_only)
{
    struct mmu_access a = sup_access(RS_READ);
    struct mmu_env env = world_env();

    ck_assert_uint_eq(ask(env, a, true, true, false).rule, RS_RULE_PG_SMAP);
    a.ac = true;
    ck_assert_uint_eq(ask(env, a, true, true, false).rule, RS_RULE_NONE);
    ck_assert(ask(env, a, true, true, false).applied & 1ull << RS_RULE_PG_SMAP);
    a.implicit = true;
    ck_assert_uint_eq(ask(env, a, true, true, false).rule, RS_RULE_PG_SMAP_IMPLICIT);
    env.smap = false;
    ck_assert_uint_eq(ask(env, a, true, true, false).rule, RS_RULE_NONE);
}
END_TEST

/* checks 4, 13 */
START_TEST(the_i_bit_says_fetch_only_where_nxe_or_smep_tell_fetches_apart)
{
    struct mmu_env env = world_env();

    env.smep = env.nxe = false;
    ck_assert_uint_eq(ask(env, user_access(RS_FETCH), false, true, false).error, PFEC_P | PFEC_U);
    env.nxe = true;
    ck_assert_uint_eq(ask(env, user_access(RS_FETCH), false, true, false).error,
                      PFEC_P | PFEC_U | PFEC_I);
    env.nxe = false;
    env.smep = true;
    ck_assert_uint_eq(ask(env, sup_access(RS_FETCH), true, true, false).error, PFEC_P | PFEC_I);
}
END_TEST

/* checks 1 */
START_TEST(p_is_0_only_for_an_entry_that_is_not_present)
{
    struct mmu_env env = world_env();
    struct mmu_access a = user_access(RS_WRITE);
    struct mmu_rights rights = {.status = WALK_NOT_PRESENT};
    struct mmu_verdict v = mmu_judge(&env, &a, &rights);

    ck_assert_uint_eq(v.rule, RS_RULE_PG_P);
    ck_assert_uint_eq(v.error, PFEC_W | PFEC_U);
    ck_assert_uint_eq(v.applied, 1ull << RS_RULE_PG_P);
    rights.status = WALK_RESERVED;
    v = mmu_judge(&env, &a, &rights);
    ck_assert_uint_eq(v.rule, RS_RULE_PG_RSVD);
    ck_assert_uint_eq(v.error, PFEC_P | PFEC_RSVD | PFEC_W | PFEC_U);
}
END_TEST

RUN_TESTS("walk", a_4_kbyte_page_takes_four_entries,
          ps_in_a_pde_maps_2_mbyte_and_in_a_pdpte_1_gbyte,
          without_paging_linear_addresses_are_physical_ones_of_32_bits,
          user_and_write_are_the_and_of_all_levels_and_xd_the_or,
          the_walk_stops_at_the_first_entry_that_is_not_present,
          a_reserved_bit_above_wins_over_anything_below,
          address_bits_beyond_maxphyaddr_are_reserved_at_every_level, xd_is_reserved_while_nxe_is_0,
          ps_is_reserved_in_a_pml4e_and_without_1_gbyte_pages_in_a_pdpte,
          low_address_bits_of_large_pages_are_reserved_but_for_pat,
          tables_outside_ram_read_as_all_ones_which_is_reserved,
          a_walk_from_a_cached_structure_keeps_the_rights_above, global_counts_only_while_pge_is_1,
          a_read_sets_a_at_every_level_and_a_write_d_at_the_leaf,
          a_read_only_page_refuses_a_user_write,
          the_lowest_broken_rule_is_cited_and_all_are_collected,
          supervisor_writes_obey_read_only_pages_only_while_wp_is_1,
          smap_listens_to_ac_for_explicit_accesses_only,
          the_i_bit_says_fetch_only_where_nxe_or_smep_tell_fetches_apart,
          p_is_0_only_for_an_entry_that_is_not_present)
