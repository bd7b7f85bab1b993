/* test_tlb.c - the modelled TLB, the paging-structure caches and the filter's inclusion in L1. */
#include "mmu/tlb_hot.h"

#include "tests/check_main.h"
#include "tests/mmu/world.h"

#define LIN 0x200000000000ull
#define WALK_4 140u /* walk_base + 4 steps of the prices in world.h */

/** Map n consecutive pages, A and D set already. */
static void map_pages(struct world *w, uint64_t linear, unsigned n, uint64_t bits)
{
    for (unsigned i = 0; i < n; i++)
        map(w, linear + i * 0x1000ull, 0x200000 + i * 0x1000ull, bits | PTE_A | PTE_D);
}

/** What a user read costs, whoever is to blame. */
static uint32_t price(struct world *w, uint64_t linear)
{
    struct mmu_result r = user_do(w, RS_READ, linear);

    return r.walk_ticks + r.refill_ticks;
}

static const struct tlb_array *array_named(struct world *w, enum tlb_array_id id)
{
    return &w->mmu.tlb->array[id];
}

static unsigned live_entries(struct world *w, const char *array)
{
    struct mmu_tlb_view v;
    unsigned n = 0;

    for (unsigned i = 0; mmu_tlb_view(&w->mmu, i, &v); i++)
        n += v.valid && strcmp(v.array, array) == 0;
    return n;
}

/** Which way of its set holds a page; -1 if none. */
static int way_of(struct world *w, const char *array, uint64_t linear)
{
    struct mmu_tlb_view v;

    for (unsigned i = 0; mmu_tlb_view(&w->mmu, i, &v); i++)
        if (v.valid && strcmp(v.array, array) == 0 && v.linear == linear) return v.way;
    return -1;
}

START_TEST(a_miss_walks_a_second_access_is_free_and_the_second_level_is_between)
{
    struct world *w = world_new();

    map_pages(w, LIN, 5 * 16, RWU);
    ck_assert_uint_eq(price(w, LIN), WALK_4 + 1000); /* A of the tables above gets set */
    ck_assert_uint_eq(price(w, LIN), 0);
    for (unsigned i = 1; i <= 4; i++) /* the same L1 set, 16 sets of 4 ways */
        ck_assert_uint_eq(price(w, LIN + i * 0x10000), 110);
    ck_assert_uint_eq(price(w, LIN), 7);
    ck_assert_uint_eq(w->mmu.walks, 5);
    ck_assert_uint_eq(w->mmu.walk_steps, 4 + 4);
    ck_assert_uint_eq(w->mmu.tlb_misses, 6);
    world_free(w);
}
END_TEST

START_TEST(ways_fill_in_order_then_first_in_first_out_and_hits_change_nothing)
{
    struct world *w = world_new();

    map_pages(w, LIN, 6 * 16, RWU);
    for (int i = 0; i < 4; i++) {
        price(w, LIN + (unsigned)i * 0x10000);
        ck_assert_int_eq(way_of(w, "dtlb_4k", LIN + (unsigned)i * 0x10000), i);
    }
    price(w, LIN); /* a hit */
    price(w, LIN + 0x40000);
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN + 0x40000), 0);
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN), -1);
    price(w, LIN + 0x50000);
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN + 0x50000), 1);
    mmu_invlpg(&w->mmu, LIN + 0x30000);
    price(w, LIN); /* the invalid way comes before the FIFO's */
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN), 3);
    price(w, LIN + 0x10000);
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN + 0x10000), 2);
    world_free(w);
}
END_TEST

START_TEST(a_slot_leaves_the_filter_with_its_l1_entry)
{
    struct world *w = world_new();

    map_pages(w, LIN, 5 * 16, RWU);
    user_do(w, RS_READ, LIN);
    user_do(w, RS_WRITE, LIN);
    user_do(w, RS_FETCH, LIN);
    ck_assert_ptr_eq(rd_hit(w, FILTER_USER, LIN + 5), w->ram.base + 0x200005);
    ck_assert_ptr_eq(wr_hit(w, FILTER_USER, LIN + 5), w->ram.base + 0x200005);
    for (unsigned i = 1; i <= 4; i++) {
        ck_assert_ptr_nonnull(rd_hit(w, FILTER_USER, LIN));
        price(w, LIN + i * 0x10000);
    }
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
    ck_assert_ptr_null(wr_hit(w, FILTER_USER, LIN));
    ck_assert_uint_eq(w->mmu.filter.fetch[0][(LIN >> 12) % FETCH_SLOTS].tag,
                      LIN | w->mmu.filter.key); /* the ITLB still has it */
    world_free(w);
}
END_TEST

START_TEST(every_filter_slot_has_a_live_l1_entry_whatever_happens)
{
    struct world *w = world_new();
    uint32_t x = 1;

    map_pages(w, 0, 256, RWU | PTE_G);
    for (uint64_t p = 0; p < 8; p++) entry_set(w, LIN + p * 0x200000, 2, p << 21 | RWU | PTE_PS);
    for (unsigned i = 0; i < 20000; i++) {
        x = x * 1664525u + 1013904223u;
        uint64_t lin = (x >> 31) ? LIN + (x >> 8) % (8 * 512) * 0x1000 : (x >> 8) % 256 * 0x1000;
        unsigned what = (x >> 4) % 64;

        if (what == 0) mmu_invlpg(&w->mmu, lin);
        if (what == 1) mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
        if (what > 1) user_do(w, what % 3, lin);
        for (unsigned c = 0; i % 64 == 0 && c < FILTER_CONTEXTS * FILTER_SLOTS; c++) {
            bool ghost;
            uint64_t rd = w->mmu.filter.rd[c / FILTER_SLOTS][c % FILTER_SLOTS].tag;
            uint64_t wr = w->mmu.filter.wr[c / FILTER_SLOTS][c % FILTER_SLOTS].tag;

            if ((rd & 0xfff) == w->mmu.filter.key)
                ck_assert_ptr_nonnull(tlb_find_first(w->mmu.tlb, rd & ~0xfffull, false, &ghost));
            if ((wr & 0xfff) != w->mmu.filter.key) continue;
            struct tlb_entry *e = tlb_find_first(w->mmu.tlb, wr & ~0xfffull, false, &ghost);
            ck_assert_ptr_nonnull(e);
            ck_assert(e->rights & TLB_DIRTY);
        }
    }
    world_free(w);
}
END_TEST

START_TEST(filter_keys_come_round_without_reviving_a_slot)
{
    struct world *w = world_new();

    map_pages(w, LIN, 1, RWU);
    price(w, LIN);
    for (unsigned i = 0; i < 2 * FILTER_KEY_MAX; i++) {
        mmu_drop_filter(&w->mmu);
        ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
        ck_assert(w->mmu.filter.key >= 1 && w->mmu.filter.key <= FILTER_KEY_MAX);
    }
    ck_assert_uint_eq(price(w, LIN), 0); /* refilling it is free */
    ck_assert_ptr_nonnull(rd_hit(w, FILTER_USER, LIN));
    world_free(w);
}
END_TEST

/* checks 28 */
START_TEST(mov_cr3_drops_its_pcid_but_keeps_globals)
{
    struct world *w = world_new();

    map_pages(w, LIN, 1, RWU);
    map_pages(w, LIN + 0x1000, 1, RWU | PTE_G);
    price(w, LIN);
    price(w, LIN + 0x1000);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    ck_assert_uint_eq(price(w, LIN + 0x1000), 0);
    ck_assert_uint_ne(user_do(w, RS_READ, LIN).refill_ticks, 0);
    world_free(w);
}
END_TEST

static void with_pcids(struct world *w)
{
    struct mmu_env env = w->mmu.env;

    env.pcide = true;
    mmu_set_env(&w->mmu, &env);
}

/* checks 28 */
START_TEST(noflush_keeps_a_pcid_across_switches)
{
    struct world *w = world_new();
    uint64_t root = w->mmu.cr3;

    with_pcids(w);
    map_pages(w, LIN, 1, RWU);
    price(w, LIN);
    mmu_write_cr3(&w->mmu, root | 1 | CR3_NOFLUSH, true);
    ck_assert_uint_eq(w->mmu.cr3, root | 1);
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
    ck_assert_uint_eq(price(w, LIN), WALK_4); /* another PCID: its own walk, no ghost */
    mmu_write_cr3(&w->mmu, root, true);
    ck_assert_uint_eq(price(w, LIN), 0);
    mmu_write_cr3(&w->mmu, root | 1, false);
    mmu_write_cr3(&w->mmu, root, true);
    ck_assert_uint_eq(price(w, LIN), 0);
    world_free(w);
}
END_TEST

START_TEST(a_ghost_books_the_walk_as_refill_once)
{
    struct world *w = world_new();
    struct mmu_result r;

    map_pages(w, LIN, 1, RWU);
    price(w, LIN);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    r = user_do(w, RS_READ, LIN);
    ck_assert_uint_eq(r.refill_ticks, WALK_4);
    ck_assert_uint_eq(r.walk_ticks, 0);
    mmu_invlpg(&w->mmu, LIN);
    r = user_do(w, RS_READ, LIN); /* no flush to blame */
    ck_assert_uint_eq(r.refill_ticks, 0);
    ck_assert_uint_eq(r.walk_ticks, WALK_4);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false); /* nothing to drop: the ghosts stay */
    r = user_do(w, RS_READ, LIN);
    ck_assert_uint_eq(r.refill_ticks, WALK_4);
    world_free(w);
}
END_TEST

/* checks 27 */
START_TEST(invlpg_drops_the_page_globals_too_and_all_cached_structures)
{
    struct world *w = world_new();

    map_pages(w, LIN, 2, RWU | PTE_G);
    price(w, LIN);
    price(w, LIN + 0x1000);
    user_do(w, RS_FETCH, LIN);
    mmu_invlpg(&w->mmu, LIN + 0xfff);
    ck_assert_int_eq(way_of(w, "dtlb_4k", LIN), -1);
    ck_assert_int_eq(way_of(w, "itlb_4k", LIN), -1);
    ck_assert_int_eq(way_of(w, "stlb", LIN), -1);
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
    ck_assert_uint_eq(price(w, LIN + 0x1000), 0);
    mmu_invlpg(&w->mmu, 0); /* another address altogether */
    ck_assert_uint_eq(price(w, LIN), WALK_4);
    world_free(w);
}
END_TEST

START_TEST(invlpg_drops_a_large_page_by_any_address_in_it)
{
    struct world *w = world_new();

    entry_set(w, LIN, 2, 0x400000 | RWU | PTE_PS | PTE_A | PTE_D);
    user_do(w, RS_WRITE, LIN + 0x5000);
    user_do(w, RS_READ, LIN + 0x1ff000);
    ck_assert_ptr_eq(wr_hit(w, FILTER_USER, LIN + 0x5000), w->ram.base + 0x405000);
    ck_assert_ptr_eq(rd_hit(w, FILTER_USER, LIN + 0x1ff000), w->ram.base + 0x5ff000);
    ck_assert_uint_eq(w->mmu.walks, 1);
    mmu_invlpg(&w->mmu, LIN + 0x77000);
    ck_assert_ptr_null(wr_hit(w, FILTER_USER, LIN + 0x5000));
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN + 0x1ff000));
    ck_assert_int_eq(live_entries(w, "dtlb_2m") + live_entries(w, "stlb"), 0);
    world_free(w);
}
END_TEST

START_TEST(fetches_hold_1_gbyte_pages_in_pieces_and_invlpg_drops_all_of_them)
{
    struct world *w = world_new();

    entry_set(w, LIN, 3, 0 | RWU | PTE_PS | PTE_A | PTE_D);
    ck_assert_uint_eq(user_do(w, RS_FETCH, LIN + 0x345678).phys, 0x345678);
    ck_assert_uint_eq(user_do(w, RS_FETCH, LIN + 0x1745678).phys, 0x1745678);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x1745678).phys, 0x1745678);
    ck_assert_uint_eq(live_entries(w, "itlb_2m"), 2);
    ck_assert_uint_eq(live_entries(w, "dtlb_1g"), 1);
    ck_assert_uint_eq(live_entries(w, "stlb_1g"), 1);
    ck_assert_uint_eq(w->mmu.walks, 1);
    mmu_invlpg(&w->mmu, LIN + 0x30000000);
    ck_assert_uint_eq(live_entries(w, "itlb_2m") + live_entries(w, "dtlb_1g"), 0);
    ck_assert_uint_eq(live_entries(w, "stlb_1g"), 0);
    world_free(w);
}
END_TEST

START_TEST(a_geometry_without_1_gbyte_arrays_uses_2_mbyte_pieces)
{
    struct mmu_geometry g = mmu_geometry_default;
    struct world *w;

    g.dtlb_1g.ways = 0;
    g.stlb_1g.ways = 0;
    w = world_new_with(&g);
    entry_set(w, LIN, 3, 0 | RWU | PTE_PS | PTE_A | PTE_D);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x1745678).phys, 0x1745678);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x1745678).walk_ticks, 0);
    ck_assert_uint_eq(live_entries(w, "dtlb_2m"), 1);
    mmu_invlpg(&w->mmu, LIN);
    ck_assert_uint_eq(live_entries(w, "dtlb_2m"), 0);
    world_free(w);
}
END_TEST

START_TEST(geometries_that_cannot_be_are_refused)
{
    static struct mmu u;
    struct mmu_geometry g = mmu_geometry_default;

    g.stlb.sets = 3;
    ck_assert(!mmu_init(&u, &the_world.ram, &g));
    g = mmu_geometry_default;
    g.dtlb_4k.ways = 0;
    ck_assert(!mmu_init(&u, &the_world.ram, &g));
    g = mmu_geometry_default;
    g.stlb.ways = 5; /* odd numbers of ways are fine */
    ck_assert(mmu_init(&u, &the_world.ram, &g));
    mmu_free(&u);
}
END_TEST

/* checks 31 */
START_TEST(invpcid_drops_what_its_type_says)
{
    const bool keeps[4][3] = {
        /* page of PCID 1, other page of PCID 1, global */
        {false, true, true},
        {false, false, true},
        {false, false, false},
        {false, false, true},
    };

    for (unsigned type = 0; type < 4; type++) {
        struct world *w = world_new();
        uint64_t root = w->mmu.cr3;

        with_pcids(w);
        map_pages(w, LIN, 2, RWU);
        map_pages(w, LIN + 0x2000, 1, RWU | PTE_G);
        mmu_write_cr3(&w->mmu, root | 1, true);
        for (unsigned i = 0; i < 3; i++) price(w, LIN + i * 0x1000);
        mmu_write_cr3(&w->mmu, root, true);
        price(w, LIN);
        mmu_invpcid(&w->mmu, type, 1, LIN);
        ck_assert_int_eq(price(w, LIN) == 0, type <= 1); /* PCID 0 */
        mmu_write_cr3(&w->mmu, root | 1, true);
        for (unsigned i = 0; i < 3; i++)
            ck_assert_int_eq(price(w, LIN + i * 0x1000) == 0, keeps[type][i]);
        world_free(w);
    }
}
END_TEST

START_TEST(invpcid_type_0_spares_a_global_page)
{
    struct world *w = world_new();

    map_pages(w, LIN, 1, RWU | PTE_G);
    price(w, LIN);
    mmu_invpcid(&w->mmu, 0, 0, LIN);
    ck_assert_uint_eq(price(w, LIN), 0);
    world_free(w);
}
END_TEST

/** Entries of PCID 0 page, PCID 1 page, global page that survive a change of control bits. */
static void survivors(void (*change)(struct mmu_env *env), bool out[3])
{
    struct world *w = world_new();
    struct mmu_env env;

    with_pcids(w);
    map_pages(w, LIN, 2, RWU);
    map_pages(w, LIN + 0x2000, 1, RWU | PTE_G);
    env = w->mmu.env;
    env.smep = false;
    mmu_set_env(&w->mmu, &env);
    mmu_write_cr3(&w->mmu, w->mmu.cr3 | 1, true);
    price(w, LIN + 0x1000);
    mmu_write_cr3(&w->mmu, w->mmu.cr3 & ~1ull, true);
    price(w, LIN);
    price(w, LIN + 0x2000);
    change(&env);
    mmu_set_env(&w->mmu, &env);
    ck_assert_ptr_null(rd_hit(w, FILTER_USER, LIN));
    for (unsigned i = 0; i < 3; i++) out[i] = way_of(w, "stlb", LIN + i * 0x1000) >= 0;
    world_free(w);
}

static void flip_pge(struct mmu_env *env) { env->pge = !env->pge; }
static void clear_pcide(struct mmu_env *env) { env->pcide = false; }
static void clear_paging(struct mmu_env *env) { env->paging = false; }
static void set_smep(struct mmu_env *env) { env->smep = true; }
static void flip_pae(struct mmu_env *env) { env->pae = !env->pae; }
static void flip_wp(struct mmu_env *env) { env->wp = !env->wp; }
static void flip_smap(struct mmu_env *env) { env->smap = !env->smap; }
static void flip_nxe(struct mmu_env *env) { env->nxe = !env->nxe; }

/* checks 29 */
START_TEST(control_bits_drop_what_the_manual_says)
{
    static const struct {
        void (*change)(struct mmu_env *env);
        bool current, other, global;
    } row[] = {
        {flip_pge, false, false, false},     {clear_pcide, false, false, false},
        {clear_paging, false, false, false}, {set_smep, false, true, false},
        {flip_pae, false, true, false},      {flip_wp, true, true, true},
        {flip_smap, true, true, true},       {flip_nxe, true, true, true},
    };

    for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        bool kept[3];

        survivors(row[i].change, kept);
        ck_assert_msg(kept[0] == row[i].current && kept[1] == row[i].other &&
                          kept[2] == row[i].global,
                      "row %u: %d %d %d", i, kept[0], kept[1], kept[2]);
    }
}
END_TEST

START_TEST(cached_rights_are_judged_under_the_present_control_bits)
{
    struct world *w = world_new();
    struct mmu_env env = w->mmu.env;

    map_pages(w, LIN, 1, PTE_P);
    env.wp = false;
    mmu_set_env(&w->mmu, &env);
    ck_assert(sup_do(w, RS_WRITE, LIN).ok);
    env.wp = true;
    mmu_set_env(&w->mmu, &env);
    ck_assert_uint_eq(sup_do(w, RS_WRITE, LIN).verdict.rule, RS_RULE_PG_WR_SUP);
    world_free(w);
}
END_TEST

/* ---- paging-structure caches ----------------------------------------------------------------- */

START_TEST(cached_structures_shorten_a_walk_longest_first)
{
    struct world *w = world_new();

    map_pages(w, LIN, 2, RWU);
    map_pages(w, LIN + 0x200000, 1, RWU);
    map_pages(w, LIN + 0x40000000, 1, RWU);
    map_pages(w, LIN + 0x8000000000, 1, RWU);
    price(w, LIN);
    ck_assert_uint_eq(price(w, LIN + 0x1000), 110);
    ck_assert_uint_eq(price(w, LIN + 0x200000), 1120);
    ck_assert_uint_eq(price(w, LIN + 0x40000000), 1130);
    ck_assert_uint_eq(price(w, LIN + 0x8000000000), 1140);
    world_free(w);
}
END_TEST

START_TEST(cached_structures_may_be_stale_until_dropped)
{
    struct world *w = world_new();

    map_pages(w, LIN, 2, RWU);
    price(w, LIN);
    entry_set(w, LIN, 3, entry_get(w, LIN, 3) & ~PTE_P);
    ck_assert(user_do(w, RS_READ, LIN + 0x1000).ok);
    mmu_write_cr3(&w->mmu, w->mmu.cr3, false);
    ck_assert(!user_do(w, RS_READ, LIN + 0x1000).ok);
    world_free(w);
}
END_TEST

START_TEST(rights_of_cached_structures_are_combined_from_the_root)
{
    struct world *w = world_new();

    map_pages(w, LIN, 2, RWU);
    entry_set(w, LIN, 4, entry_get(w, LIN, 4) & ~PTE_W);
    ck_assert(user_do(w, RS_READ, LIN).ok);
    ck_assert_uint_eq(user_do(w, RS_WRITE, LIN + 0x1000).verdict.rule, RS_RULE_PG_WR_USER);
    world_free(w);
}
END_TEST

START_TEST(a_refused_walk_leaves_nothing_in_the_caches)
{
    struct world *w = world_new();
    struct mmu_result r;

    map_pages(w, LIN, 1, RWU);
    for (unsigned i = 0; i < 2; i++) {
        r = user_do(w, RS_READ, LIN + 0x1000);
        ck_assert(!r.ok);
        ck_assert_uint_eq(r.walk_ticks, WALK_4);
    }
    ck_assert_uint_eq(array_named(w, STLB)->ever, false);
    world_free(w);
}
END_TEST

/* checks 117 */
START_TEST(a_page_fault_drops_the_structures_that_its_walk_would_use)
{
    struct world *w = world_new();

    map_pages(w, LIN, 1, RWU);
    price(w, LIN);
    ck_assert_uint_eq(user_do(w, RS_READ, LIN + 0x1000).walk_ticks, 110);
    map_pages(w, LIN + 0x1000, 1, RWU);
    ck_assert_uint_eq(price(w, LIN + 0x1000), WALK_4);
    world_free(w);
}
END_TEST

START_TEST(without_paging_structure_caches_every_walk_starts_at_the_root)
{
    struct mmu_geometry g = mmu_geometry_default;
    struct world *w;

    g.pde_cache = g.pdpte_cache = g.pml4e_cache = 0;
    w = world_new_with(&g);
    map_pages(w, LIN, 2, RWU);
    price(w, LIN);
    ck_assert_uint_eq(price(w, LIN + 0x1000), WALK_4);
    world_free(w);
}
END_TEST

/* ---- the state hash -------------------------------------------------------------------------- */

struct bytes {
    uint8_t b[200000];
    size_t n;
};

static void collect(void *ctx, const void *in, size_t n)
{
    struct bytes *out = ctx;

    ck_assert_uint_le(out->n + n, sizeof(out->b));
    memcpy(out->b + out->n, in, n);
    out->n += n;
}

START_TEST(the_state_bytes_know_entries_but_not_generations)
{
    static struct bytes one, two, three;
    struct world *w = world_new();

    one.n = two.n = three.n = 0;
    map_pages(w, LIN, 8, RWU);
    map_pages(w, LIN + 0x8000, 8, RWU | PTE_G);
    for (unsigned i = 0; i < 16; i++) price(w, LIN + i * 0x1000);
    mmu_hash_state(&w->mmu, &one, collect);
    mmu_flush_all(&w->mmu, FLUSH_RESET);
    mmu_hash_state(&w->mmu, &three, collect);
    for (unsigned i = 0; i < 16; i++) price(w, LIN + i * 0x1000);
    mmu_drop_filter(&w->mmu);
    mmu_hash_state(&w->mmu, &two, collect);
    ck_assert_uint_eq(one.n, two.n);
    ck_assert_mem_eq(one.b, two.b, one.n);
    ck_assert_uint_lt(three.n, one.n);
    world_free(w);
}
END_TEST

START_TEST(the_view_shows_what_was_filled)
{
    struct world *w = world_new();
    struct mmu_tlb_view v;
    bool seen = false;

    map(w, LIN, 0x7000, PTE_P | PTE_U | PTE_XD | PTE_G);
    user_do(w, RS_READ, LIN + 0x123);
    for (unsigned i = 0; mmu_tlb_view(&w->mmu, i, &v); i++) {
        if (!v.valid || strcmp(v.array, "dtlb_4k") != 0) continue;
        seen = true;
        ck_assert(v.global && v.user && !v.write && v.nx && !v.dirty);
        ck_assert_uint_eq(v.page_shift, 12);
        ck_assert_uint_eq(v.linear, LIN);
        ck_assert_uint_eq(v.phys, 0x7000);
    }
    ck_assert(seen);
    world_free(w);
}
END_TEST

RUN_TESTS("tlb", a_miss_walks_a_second_access_is_free_and_the_second_level_is_between,
          ways_fill_in_order_then_first_in_first_out_and_hits_change_nothing,
          a_slot_leaves_the_filter_with_its_l1_entry,
          every_filter_slot_has_a_live_l1_entry_whatever_happens,
          filter_keys_come_round_without_reviving_a_slot, mov_cr3_drops_its_pcid_but_keeps_globals,
          noflush_keeps_a_pcid_across_switches, a_ghost_books_the_walk_as_refill_once,
          invlpg_drops_the_page_globals_too_and_all_cached_structures,
          invlpg_drops_a_large_page_by_any_address_in_it,
          fetches_hold_1_gbyte_pages_in_pieces_and_invlpg_drops_all_of_them,
          a_geometry_without_1_gbyte_arrays_uses_2_mbyte_pieces,
          geometries_that_cannot_be_are_refused, invpcid_drops_what_its_type_says,
          invpcid_type_0_spares_a_global_page, control_bits_drop_what_the_manual_says,
          cached_rights_are_judged_under_the_present_control_bits,
          cached_structures_shorten_a_walk_longest_first,
          cached_structures_may_be_stale_until_dropped,
          rights_of_cached_structures_are_combined_from_the_root,
          a_refused_walk_leaves_nothing_in_the_caches,
          a_page_fault_drops_the_structures_that_its_walk_would_use,
          without_paging_structure_caches_every_walk_starts_at_the_root,
          the_state_bytes_know_entries_but_not_generations, the_view_shows_what_was_filled)
