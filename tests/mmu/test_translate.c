/* test_translate.c - mmu/translate.c, filter.c, events.c: one access and all it leaves behind. */
#include "tests/check_main.h"
#include "tests/mmu/world.h"

#define LIN 0x200000000000ull
#define ALL_EVENTS UINT64_MAX

START_TEST(an_allowed_access_gives_the_address_and_fills_the_filter_slot_it_asked_for)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x123).phys, 0x7123);
    ck_assert_ptr_eq(rd_hit(w, FILTER_USER, LIN), w->ram.base + 0x7000);
    ck_assert_ptr_null(wr_hit(w, FILTER_USER, LIN));
    ck_assert_ptr_null(rd_hit(w, FILTER_SUP, LIN));
    ck_assert_ptr_null(rd_hit(w, FILTER_SUP_AC, LIN));
    ck_assert(user_do(w, RS_WRITE, LIN).ok);
    ck_assert_ptr_eq(wr_hit(w, FILTER_USER, LIN), w->ram.base + 0x7000);
    ck_assert(user_do(w, RS_FETCH, LIN).ok);
    ck_assert_uint_eq(w->mmu.filter.fetch[0][(LIN >> 12) % FETCH_SLOTS].phys, 0x7000);
    ck_assert_uint_ne(w->mmu.filter.fetch[1][(LIN >> 12) % FETCH_SLOTS].tag,
                      LIN | w->mmu.filter.key);
    world_free(w);
}
END_TEST

START_TEST(supervisor_accesses_fill_the_context_of_their_ac)
{
    struct world *w = world_new();
    struct mmu_access a = sup_access(RS_READ);
    struct mmu_env env = w->mmu.env;

    map(w, LIN, 0x7000, RWU);
    map(w, LIN + 0x1000, 0x8000, PTE_P);
    a.ac = true;
    ck_assert(mmu_translate(&w->mmu, LIN, a).ok);
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_SUP_AC, LIN));
    ck_assert_ptr_null(rd_hit(w, FILTER_SUP, LIN));
    a.implicit = true; /* AC does not count */
    ck_assert(mmu_translate(&w->mmu, LIN + 0x1000, a).ok);
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_SUP, LIN + 0x1000));
    ck_assert_ptr_null(rd_hit(w, FILTER_SUP_AC, LIN + 0x1000));
    a.implicit = false;
    env.smap = false; /* AC is no question now */
    mmu_set_env(&w->mmu, &env);
    ck_assert(mmu_translate(&w->mmu, LIN, a).ok);
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_SUP, LIN));
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_SUP_AC, LIN));
    world_free(w);
}
END_TEST

START_TEST(code_watched_absent_and_unbudgeted_pages_get_no_write_slot)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    map(w, LIN + 0x1000, 0x8000, RWU);
    map(w, LIN + 0x2000, 0xfe000000, RWU);
    map(w, LIN + 0x3000, 0x9000, RWU);
    ram_mark_code(&w->ram, 0x7000, 4);
    w->ram.flags[8] |= RAM_WATCHED;
    w->ram.budget = w->ram.touched;
    for (unsigned i = 0; i < 4; i++) {
        ck_assert(user_do(w, RS_WRITE, LIN + i * 0x1000).ok);
        ck_assert(user_do(w, RS_READ, LIN + i * 0x1000).ok);
        ck_assert_ptr_null(wr_hit(w, FILTER_USER, LIN + i * 0x1000));
    }
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_USER, LIN));
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN + 0x1000));
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN + 0x2000));
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x2000).phys, 0xfe000000);
    world_free(w);
}
END_TEST

START_TEST(with_the_filter_off_nothing_is_filled_and_nothing_else_changes)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    w->mmu.filter_off = true;
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 1140);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 0);
    ck_assert_ptr_null(wr_hit(w, FILTER_USER, LIN));
    world_free(w);
}
END_TEST

START_TEST(without_paging_the_filter_works_and_nothing_is_charged)
{
    struct world *w = world_new();
    struct mmu_env env = w->mmu.env;
    struct mmu_result r;

    env.paging = false;
    mmu_set_env(&w->mmu, &env);
    r = sup_do(w, RS_WRITE, 0x700000123);
    ck_assert(r.ok);
    ck_assert_uint_eq(r.phys, 0x123);
    ck_assert_uint_eq(r.walk_ticks + r.refill_ticks, 0);
    ck_assert_ptr_eq(wr_hit(w, FILTER_SUP, 0x700000123), w->ram.base + 0x123);
    ck_assert_uint_eq(w->mmu.tlb_misses, 0);
    env.paging = true;
    mmu_set_env(&w->mmu, &env);
    ck_assert_ptr_null(wr_hit(w, FILTER_SUP, 0x700000123));
    world_free(w);
}
END_TEST

START_TEST(a20_masks_results_and_table_reads)
{
    struct world *w = world_new();

    map(w, LIN, 0x107000, RWU);
    w->mmu.a20_mask = ~0x100000ull;
    w->mmu.cr3 |= 0x100000; /* the same table, seen through the mask */
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 8).phys, 0x7008);
    ck_assert_ptr_eq(rd_hit(w, FILTER_USER, LIN + 8), w->ram.base + 0x7008);
    world_free(w);
}
END_TEST

/* ---- A and D --------------------------------------------------------------------------------- */

/* checks 12 */
START_TEST(a_write_through_a_clean_entry_walks_and_sets_d)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN).walk_ticks, 1140);
    ck_assert_uint_eq(entry_get(w, LIN, 1) & (PTE_A | PTE_D), PTE_A);
    for (unsigned level = 2; level <= 4; level++) ck_assert(entry_get(w, LIN, level) & PTE_A);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 1110);
    ck_assert_uint_eq(entry_get(w, LIN, 1) & (PTE_A | PTE_D), PTE_A | PTE_D);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 0);
    world_free(w);
}
END_TEST

START_TEST(a_refused_access_changes_no_table)
{
    struct world *w = world_new();
    struct mmu_result r;

    map(w, LIN, 0x7000, PTE_P | PTE_U);
    r = user_do(w, RS_WRITE, LIN);
    ck_assert(!r.ok && !r.cached);
    ck_assert_uint_eq(r.verdict.rule, RS_RULE_PG_WR_USER);
    ck_assert_uint_eq(r.verdict.error, PFEC_P | PFEC_W | PFEC_U);
    ck_assert_uint_eq(r.walk_ticks, 140);
    for (unsigned level = 1; level <= 4; level++)
        ck_assert_uint_eq(entry_get(w, LIN, level) & (PTE_A | PTE_D), 0);
    world_free(w);
}
END_TEST

START_TEST(a_d_that_the_guest_clears_stays_clear_while_the_entry_is_cached)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    user_do(w, RS_WRITE, LIN);
    map(w, LIN, 0x7000, RWU | PTE_A);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 0);
    ck_assert(!(entry_get(w, LIN, 1) & PTE_D));
    mmu_invlpg(&w->mmu, LIN);
    user_do(w, RS_WRITE, LIN);
    ck_assert(entry_get(w, LIN, 1) & PTE_D);
    world_free(w);
}
END_TEST

START_TEST(a_table_write_of_the_walker_kills_decoded_code_there)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    ck_assert_ptr_nonnull(ram_page_for_write(&w->ram, entry_at(w, LIN, 1)));
    user_do(w, RS_READ, LIN);
    ck_assert(w->ram.flags[entry_at(w, LIN, 1) / RAM_PAGE] & RAM_DIRTY);
    world_free(w);
}
END_TEST

START_TEST(a_page_that_changed_its_size_under_a_clean_entry_is_seen_at_the_next_write)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    user_do(w, RS_READ, LIN);
    entry_set(w, LIN, 2, 0x400000 | RWU | PTE_PS);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    user_do(w, RS_READ, LIN);
    entry_set(w, LIN, 2, 0);
    map(w, LIN, 0x9000, RWU);
    mmu_invpcid(&w->mmu, 0, 1, 0); /* no such page: drops nothing of ours */
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).phys, 0x9000);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN).phys, 0x9000);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).walk_ticks, 0);
    world_free(w);
}
END_TEST

/* ---- stale entries --------------------------------------------------------------------------- */

/* checks 26 */
START_TEST(fewer_rights_go_unnoticed_until_the_page_is_invalidated)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, RWU);
    user_do(w, RS_WRITE, LIN);
    map(w, LIN, 0x7000, 0);
    ck_assert(user_do(w, RS_WRITE, LIN).ok);
    mmu_invlpg(&w->mmu, LIN);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN).verdict.rule, RS_RULE_PG_P);
    world_free(w);
}
END_TEST

/* checks 26, 117 */
START_TEST(more_rights_may_fault_once_from_the_cached_entry_then_the_retry_walks)
{
    struct world *w = world_new();
    struct mmu_result r;

    map(w, LIN, 0x7000, PTE_P | PTE_U | PTE_A | PTE_D); /* with D=0 the write would walk */
    user_do(w, RS_READ, LIN);
    map(w, LIN, 0x7000, RWU | PTE_A | PTE_D);
    w->wire.mask = RS_MASK(RS_EV_TLB_STALE);
    r = user_do(w, RS_WRITE, LIN);
    ck_assert(!r.ok && r.cached);
    ck_assert_uint_eq(r.verdict.rule, RS_RULE_PG_WR_USER);
    ck_assert_uint_eq(r.walk_ticks, 0);
    ck_assert_uint_eq(count_events(w, RS_EV_TLB_STALE), 1);
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
    ck_assert(user_do(w, RS_WRITE, LIN).ok);
    ck_assert_uint_eq(count_events(w, RS_EV_TLB_STALE), 1);
    world_free(w);
}
END_TEST

START_TEST(a_cached_refusal_that_the_tables_share_is_not_called_stale)
{
    struct world *w = world_new();
    struct mmu_result r;

    map(w, LIN, 0x7000, PTE_P);
    sup_do(w, RS_READ, LIN);
    w->wire.mask = RS_MASK(RS_EV_TLB_STALE);
    r = user_do(w, RS_READ, LIN);
    ck_assert(!r.ok && r.cached);
    ck_assert_uint_eq(r.verdict.rule, RS_RULE_PG_US);
    ck_assert_uint_eq(r.verdict.error, PFEC_P | PFEC_U);
    ck_assert_uint_eq(w->events, 0);
    world_free(w);
}
END_TEST

/* checks 26 */
START_TEST(a_page_that_is_not_present_is_never_cached)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, 0);
    ck_assert(!user_do(w, RS_READ, LIN).ok);
    map(w, LIN, 0x7000, RWU);
    ck_assert(user_do(w, RS_READ, LIN).ok);
    world_free(w);
}
END_TEST

START_TEST(a_page_fault_drops_a_global_entry_of_its_page_too)
{
    struct world *w = world_new();

    map(w, LIN, 0x7000, PTE_P | PTE_G);
    sup_do(w, RS_READ, LIN);
    user_do(w, RS_READ, LIN);
    ck_assert_uint_ne(sup_do(w, RS_READ, LIN).walk_ticks, 0);
    world_free(w);
}
END_TEST

/* ---- events ---------------------------------------------------------------------------------- */

START_TEST(a_first_access_tells_its_walk_steps_bits_fill_and_checks)
{
    struct world *w = world_new();
    const struct rs_event *ev = w->event;

    map(w, LIN, 0x7000, RWU);
    w->mmu.ev_cpu = 3;
    w->mmu.ev_cpl = 3;
    w->mmu.ev_rip = 0x1234;
    w->mmu.ev_tick = 99;
    w->wire.mask = ALL_EVENTS;
    user_do(w, RS_WRITE, LIN + 8);
    ck_assert_uint_eq(count_events(w, RS_EV_WALK), 1);
    ck_assert_uint_eq(count_events(w, RS_EV_WALK_STEP), 4);
    ck_assert_uint_eq(count_events(w, RS_EV_AD_SET), 4);
    ck_assert_uint_eq(count_events(w, RS_EV_TLB_FILL), 1);
    ck_assert_uint_eq(count_events(w, RS_EV_CHECK), 4); /* P, RSVD, US, WR_USER */
    ck_assert_uint_eq(ev[0].kind, RS_EV_WALK);
    ck_assert_uint_eq(ev[0].cpu, 3);
    ck_assert_uint_eq(ev[0].cpl, 3);
    ck_assert_uint_eq(ev[0].rip, 0x1234);
    ck_assert_uint_eq(ev[0].tick, 99);
    ck_assert_uint_eq(ev[0].how, RS_WRITE);
    ck_assert_uint_eq(ev[0].w[0], LIN + 8);
    ck_assert_uint_eq(ev[0].w[1], 0x7008);
    ck_assert_uint_eq(ev[0].w[2], 4);
    ck_assert_uint_eq(ev[4].kind, RS_EV_WALK_STEP);
    ck_assert_uint_eq(ev[4].w[0], ev[0].seq);
    ck_assert_uint_eq(ev[4].w[1], entry_at(w, LIN, 1));
    ck_assert_uint_eq(ev[4].w[2], 0x7000 | RWU);
    ck_assert_uint_eq(ev[4].w[3], 1);
    w->events = 0;
    user_do(w, RS_WRITE, LIN + 8); /* a hit: checks only */
    ck_assert_uint_eq(w->events, 4);
    ck_assert_uint_eq(count_events(w, RS_EV_CHECK), 4);
    world_free(w);
}
END_TEST

START_TEST(a_refused_check_tells_rule_inputs_and_the_fault_it_raises)
{
    struct world *w = world_new();
    const struct rs_event *ev = w->event;

    map(w, LIN, 0x7000, PTE_P);
    w->wire.mask = RS_MASK(RS_EV_CHECK);
    user_do(w, RS_WRITE, LIN + 8);
    ck_assert_uint_eq(w->events, 2); /* PG_US and PG_WR_USER */
    ck_assert_uint_eq(ev[0].rule, RS_RULE_PG_US);
    ck_assert_uint_eq(ev[1].rule, RS_RULE_PG_WR_USER);
    ck_assert_uint_eq(ev[0].verdict, 1);
    ck_assert_uint_eq(ev[0].w[0], LIN + 8);
    ck_assert_uint_eq(ev[0].w[1], RS_WRITE | 1 << 8 | 1 << 11 | 1 << 12 | 1 << 13 | 1 << 14);
    ck_assert_uint_eq(ev[0].w[2], 1 << 8); /* no rights, level 1 */
    ck_assert_uint_eq(ev[0].w[3], 14 | 7 << 8 | 1ull << 40);
    world_free(w);
}
END_TEST

START_TEST(looking_changes_nothing)
{
    uint32_t ticks[2][3];

    for (unsigned looked = 0; looked < 2; looked++) {
        struct world *w = world_new();

        map(w, LIN, 0x7000, PTE_P | PTE_U);
        w->wire.mask = looked ? ALL_EVENTS : 0;
        ticks[looked][0] = user_do(w, RS_READ, LIN).walk_ticks;
        ticks[looked][1] = user_do(w, RS_WRITE, LIN).walk_ticks;
        ticks[looked][2] = user_do(w, RS_READ, LIN).walk_ticks;
        ck_assert_int_eq(w->events != 0, looked);
        world_free(w);
    }
    ck_assert_mem_eq(ticks[0], ticks[1], sizeof(ticks[0]));
}
END_TEST

START_TEST(a_flush_tells_its_reason)
{
    struct world *w = world_new();

    w->wire.mask = RS_MASK(RS_EV_TLB_FLUSH);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    mmu_invlpg(&w->mmu, LIN);
    mmu_flush_all(&w->mmu, FLUSH_RESET);
    ck_assert_uint_eq(w->events, 3);
    ck_assert_uint_eq(w->event[0].how, FLUSH_CR3);
    ck_assert_uint_eq(w->event[1].how, FLUSH_INVLPG);
    ck_assert_uint_eq(w->event[1].w[0], LIN);
    ck_assert_uint_eq(w->event[2].how, FLUSH_RESET);
    world_free(w);
}
END_TEST

/* ---- peek ------------------------------------------------------------------------------------ */

START_TEST(a_peek_gives_the_same_answer_and_leaves_no_trace)
{
    struct world *w = world_new();
    struct mmu_path path;
    struct mmu_result r;

    map(w, LIN, 0x7000, PTE_P | PTE_U);
    w->wire.mask = ALL_EVENTS;
    r = mmu_translate_peek(&w->mmu, &w->mmu.env, w->mmu.cr3, LIN + 8, user_access(RS_READ), &path);
    ck_assert(r.ok);
    ck_assert_uint_eq(r.phys, 0x7008);
    ck_assert_uint_eq(path.steps, 4);
    r = mmu_translate_peek(&w->mmu, &w->mmu.env, w->mmu.cr3, LIN, user_access(RS_WRITE), NULL);
    ck_assert(!r.ok);
    ck_assert_uint_eq(r.verdict.rule, RS_RULE_PG_WR_USER);
    ck_assert_uint_eq(entry_get(w, LIN, 1) & PTE_A, 0);
    ck_assert_uint_eq(w->events, 0);
    ck_assert_uint_eq(w->mmu.walks, 0);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN).walk_ticks, 1140);
    world_free(w);
}
END_TEST

START_TEST(for_every_access_executor_and_peek_agree)
{
    struct world *w = world_new();

    for (unsigned bits = 0; bits < 32; bits++) {
        uint64_t entry =
            0x7000 | (bits & 7) | (bits & 8 ? PTE_XD : 0) | (bits & 16 ? 1ull << 50 : 0);

        for (unsigned a = 0; a < 3 * 8; a++) {
            struct mmu_access access = {.kind = (uint8_t)(a % 3),
                                        .user = a / 3 & 1,
                                        .implicit = a / 3 & 2 && !(a / 3 & 1),
                                        .ac = a / 3 & 4};
            struct mmu_result r, peek;

            map(w, LIN, entry, 0);
            mmu_invlpg(&w->mmu, LIN);
            peek = mmu_translate_peek(&w->mmu, &w->mmu.env, w->mmu.cr3, LIN, access, NULL);
            for (unsigned again = 0; again < 2; again++) { /* from the tables, from the TLB */
                r = mmu_translate(&w->mmu, LIN, access);
                ck_assert_int_eq(r.ok, peek.ok);
                ck_assert_uint_eq(r.verdict.rule, peek.verdict.rule);
                ck_assert_uint_eq(r.verdict.error, peek.verdict.error);
                ck_assert_uint_eq(r.phys, peek.phys);
            }
        }
    }
    world_free(w);
}
END_TEST

RUN_TESTS("translate", an_allowed_access_gives_the_address_and_fills_the_filter_slot_it_asked_for,
          supervisor_accesses_fill_the_context_of_their_ac,
          code_watched_absent_and_unbudgeted_pages_get_no_write_slot,
          with_the_filter_off_nothing_is_filled_and_nothing_else_changes,
          without_paging_the_filter_works_and_nothing_is_charged, a20_masks_results_and_table_reads,
          a_write_through_a_clean_entry_walks_and_sets_d, a_refused_access_changes_no_table,
          a_d_that_the_guest_clears_stays_clear_while_the_entry_is_cached,
          a_table_write_of_the_walker_kills_decoded_code_there,
          a_page_that_changed_its_size_under_a_clean_entry_is_seen_at_the_next_write,
          fewer_rights_go_unnoticed_until_the_page_is_invalidated,
          more_rights_may_fault_once_from_the_cached_entry_then_the_retry_walks,
          a_cached_refusal_that_the_tables_share_is_not_called_stale,
          a_page_that_is_not_present_is_never_cached,
          a_page_fault_drops_a_global_entry_of_its_page_too,
          a_first_access_tells_its_walk_steps_bits_fill_and_checks,
          a_refused_check_tells_rule_inputs_and_the_fault_it_raises, looking_changes_nothing,
          a_flush_tells_its_reason, a_peek_gives_the_same_answer_and_leaves_no_trace,
          for_every_access_executor_and_peek_agree)
