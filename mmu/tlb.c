/*
 * tlb.c - the modelled TLB: lookup, fill, drop, generations. The rules are at the top of tlb.h.
 *
 * Guarantees: entries may be stale until something that the manual names drops them; a not-present
 * translation is never cached; when an L1 entry leaves its array, the filter slots filled from it
 * leave too. No lookup and no flush looks at more than the sets concerned.
 * Manual: SDM 3A "Caching Translation Information", "Operations that Invalidate TLBs and
 * Paging-Structure Caches".
 */
#include "mmu/tlb_hot.h"

#include <stdlib.h>
#include <string.h>

const struct mmu_geometry mmu_geometry_default = {
    .itlb_4k = {16, 4},
    .itlb_2m = {1, 8},
    .dtlb_4k = {16, 4},
    .dtlb_2m = {8, 4},
    .dtlb_1g = {1, 4},
    .stlb = {128, 12},
    .stlb_1g = {4, 4},
    .pde_cache = 32,
    .pdpte_cache = 4,
    .pml4e_cache = 4,
};

/* ---- making ---------------------------------------------------------------------------------- */

static bool array_init(struct mmu_tlb *t, enum tlb_array_id id, const char *name, unsigned sets,
                       unsigned ways)
{
    struct tlb_array *a = &t->array[id];
    bool large = id == ITLB_2M || id == DTLB_2M || id == DTLB_1G;
    size_t entries;

    a->name = name;
    if (ways == 0) return true;
    if (sets == 0 || (sets & (sets - 1)) || ways > 64) return false;
    a->sets = sets;
    a->ways = ways;
    a->stride = ways <= 4 ? 4 : (ways + 15) & ~15u;
    entries = (size_t)sets * a->stride;
    a->mark = calloc(entries, sizeof(*a->mark));
    a->entry = calloc(entries, sizeof(*a->entry));
    a->next = calloc(sets, sizeof(*a->next));
    a->full = calloc(sets, sizeof(*a->full));
    if (large) a->large = calloc(entries, sizeof(*a->large));
    return a->mark && a->entry && a->next && a->full && (a->large || !large);
}

static bool arrays_init(struct mmu_tlb *t, const struct mmu_geometry *g)
{
    return array_init(t, ITLB_4K, "itlb_4k", g->itlb_4k.sets, g->itlb_4k.ways) &&
           array_init(t, ITLB_2M, "itlb_2m", g->itlb_2m.sets, g->itlb_2m.ways) &&
           array_init(t, DTLB_4K, "dtlb_4k", g->dtlb_4k.sets, g->dtlb_4k.ways) &&
           array_init(t, DTLB_2M, "dtlb_2m", g->dtlb_2m.sets, g->dtlb_2m.ways) &&
           array_init(t, DTLB_1G, "dtlb_1g", g->dtlb_1g.sets, g->dtlb_1g.ways) &&
           array_init(t, STLB, "stlb", g->stlb.sets, g->stlb.ways) &&
           array_init(t, STLB_1G, "stlb_1g", g->stlb_1g.sets, g->stlb_1g.ways) && g->itlb_4k.ways &&
           g->itlb_2m.ways && g->dtlb_4k.ways && g->dtlb_2m.ways && g->stlb.ways;
}

static uint64_t new_id(struct mmu_tlb *t) { return ++t->last_id; }

struct mmu_tlb *tlb_new(const struct mmu_geometry *geometry, struct filter *filter)
{
    struct mmu_tlb *t = calloc(1, sizeof(*t));

    if (!t) return NULL;
    t->filter = filter;
    t->epoch = 1;
    t->drops = 1;
    t->global_id = new_id(t);
    t->space = calloc(PCIDS, sizeof(*t->space));
    if (!t->space || !arrays_init(t, geometry) || !psc_init(t, geometry)) {
        tlb_free(t);
        return NULL;
    }
    tlb_select(t, 0);
    return t;
}

void tlb_free(struct mmu_tlb *t)
{
    if (!t) return;
    for (unsigned i = 0; i < TLB_ARRAYS; i++) {
        free(t->array[i].mark);
        free(t->array[i].entry);
        free(t->array[i].next);
        free(t->array[i].full);
        free(t->array[i].large);
    }
    psc_free(t);
    free(t->space);
    free(t);
}

/* ---- address spaces -------------------------------------------------------------------------- */

/** New ids, unless nothing was filled under the present ones: then there is nothing to drop. */
static void space_renew(struct mmu_tlb *t, struct address_space *s)
{
    if (s->id != 0 && !s->used) return;
    t->drops++;
    s->previous = s->id;
    s->id = new_id(t);
    s->psc_id = new_id(t);
    s->used = false;
}

/** Flushes of all PCIDs only move the epoch; each PCID catches up when it is next looked at. */
static struct address_space *space_of(struct mmu_tlb *t, unsigned pcid)
{
    struct address_space *s = &t->space[pcid];

    if (s->epoch != t->epoch) {
        s->epoch = t->epoch;
        space_renew(t, s);
    }
    return s;
}

void tlb_select(struct mmu_tlb *t, unsigned pcid)
{
    t->pcid = (uint16_t)pcid;
    t->current = space_of(t, pcid);
}

static void globals_renew(struct mmu_tlb *t)
{
    if (!t->global_used) return;
    t->drops++;
    t->global_previous = t->global_id;
    t->global_id = new_id(t);
    t->global_used = false;
}

void tlb_flush_space(struct mmu_tlb *t, unsigned pcid, bool globals)
{
    space_renew(t, space_of(t, pcid));
    if (globals) globals_renew(t);
}

void tlb_flush_spaces(struct mmu_tlb *t, bool globals)
{
    t->epoch++;
    t->drops++;
    if (globals) globals_renew(t);
    tlb_select(t, t->pcid);
}

bool tlb_is_live(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    const struct address_space *s = &t->space[e->pcid];

    if (e->id == 0) return false;
    if (e->rights & TLB_GLOBAL) return e->id == t->global_id;
    return s->epoch == t->epoch && s->id == e->id;
}

/* ---- verdicts -------------------------------------------------------------------------------- */

struct mmu_rights tlb_rights(unsigned rights)
{
    return (struct mmu_rights){
        .status = WALK_OK,
        .user = (rights & TLB_USER) != 0,
        .write = (rights & TLB_WRITE) != 0,
        .nx = (rights & TLB_NX) != 0,
    };
}

static bool allows(const struct mmu_env *env, unsigned rights, unsigned access_bits)
{
    struct mmu_rights r = tlb_rights(rights);
    struct mmu_access access = {
        .kind = access_bits & 3,
        .user = (access_bits & 4) != 0,
        .implicit = (access_bits & 8) != 0,
        .ac = (access_bits & 16) != 0,
    };

    return mmu_judge(env, &access, &r).broken == 0;
}

/** AC is no question while SMAP is off: an access with AC=1 then speaks for AC=0 too. Implicit ones
 *  are judged as with AC=0. */
static uint8_t tables_of(const struct mmu_env *env, unsigned access_bits)
{
    bool write = (access_bits & 3) == RS_WRITE, ac = (access_bits & 16) != 0;
    bool implicit = (access_bits & 8) != 0;
    uint8_t fetch = access_bits & 4 ? 1 : 2;
    uint8_t sup = filter_data_bit(FILTER_SUP, write);
    uint8_t sup_ac = filter_data_bit(FILTER_SUP_AC, write);

    if ((access_bits & 3) == RS_FETCH) return fetch;
    if (access_bits & 4) return filter_data_bit(FILTER_USER, write);
    if (implicit || !ac) return sup;
    return env->paging && env->smap ? sup_ac : (uint8_t)(sup | sup_ac);
}

void verdicts_renew(struct mmu_tlb *t, const struct mmu_env *env)
{
    for (unsigned bits = 0; bits < 32; bits++) t->tables[bits] = tables_of(env, bits);
    for (unsigned rights = 0; rights < 8; rights++) {
        t->allowed[rights] = 0;
        for (unsigned bits = 0; bits < 32; bits++)
            if (allows(env, rights, bits)) t->allowed[rights] |= 1u << bits;
    }
}

/* ---- what the inline half (tlb_hot.h) seldom needs ------------------------------------------- */

static struct slot_set *slots_of(struct mmu_tlb *t, const struct tlb_entry *e)
{
    struct tlb_array *a = &t->array[e->array];

    return &a->large[e - a->entry];
}

void tlb_note_large(struct mmu_tlb *t, struct tlb_entry *e, uint64_t linear)
{
    unsigned slot = (unsigned)(linear >> 12) % (for_fetches(e->array) ? FETCH_SLOTS : FILTER_SLOTS);

    slots_of(t, e)->word[slot / 64] |= 1ull << slot % 64;
}

void tlb_kill_large(struct mmu_tlb *t, struct tlb_entry *e)
{
    struct slot_set *set = slots_of(t, e);

    for (unsigned w = 0; w < FILTER_SLOTS / 64; w++)
        for (; set->word[w]; set->word[w] &= set->word[w] - 1)
            kill_slot(t, e, e->array, w * 64 + (unsigned)__builtin_ctzll(set->word[w]),
                      entry_shift(e));
}

unsigned tlb_choose_slow(struct mmu_tlb *t, struct tlb_array *a, unsigned set)
{
    const struct tlb_entry *row = &a->entry[set * a->stride];
    unsigned way = 0;

    while (way < a->ways && tlb_is_live(t, &row[way])) way++;
    if (way < a->ways) return way;
    a->full[set] = t->drops;
    return choose_first_in(a, set);
}

/* ---- dropping one page ----------------------------------------------------------------------- */

static bool belongs(const struct mmu_tlb *t, const struct tlb_entry *e, uint64_t id, bool globals)
{
    return e->id == id || (globals && e->id == t->global_id);
}

static void drop(struct mmu_tlb *t, struct tlb_entry *e)
{
    kill_slots(t, e, e->array);
    e->id = 0;
    t->drops++;
}

static void drop_in_set(struct mmu_tlb *t, enum tlb_array_id which, uint64_t linear, unsigned shift,
                        uint64_t id, bool globals)
{
    struct tlb_array *a = &t->array[which];
    unsigned row;
    uint64_t match;

    if (!a->ever) return;
    row = tlb_row(a, linear, shift);
    match = tlb_candidates(a, row, (uint32_t)(linear >> shift));
    for (; match; match &= match - 1) {
        struct tlb_entry *e = &a->entry[row + (unsigned)__builtin_ctzll(match)];

        if (e->tag == (page_base(linear, shift) | shift) && belongs(t, e, id, globals)) drop(t, e);
    }
}

/** Pieces of the 1-GByte page around `linear` may lie in any set of a 2-MByte array. */
static void drop_pieces(struct mmu_tlb *t, enum tlb_array_id which, uint64_t linear, uint64_t id,
                        bool globals)
{
    struct tlb_array *a = &t->array[which];
    unsigned entries = a->sets * a->stride;

    if (!a->ever) return;
    for (struct tlb_entry *e = a->entry; e < a->entry + entries; e++)
        if (e->origin == 30 && (e->tag ^ linear) >> 30 == 0 && belongs(t, e, id, globals))
            drop(t, e);
}

static void drop_2m(struct mmu_tlb *t, uint64_t linear, uint64_t id, bool globals)
{
    drop_in_set(t, ITLB_2M, linear, 21, id, globals);
    drop_in_set(t, DTLB_2M, linear, 21, id, globals);
    drop_in_set(t, STLB, linear, 21, id, globals);
}

void tlb_drop_page(struct mmu_tlb *t, unsigned pcid, uint64_t linear, bool globals)
{
    uint64_t id = space_of(t, pcid)->id;

    drop_in_set(t, ITLB_4K, linear, 12, id, globals);
    drop_in_set(t, DTLB_4K, linear, 12, id, globals);
    drop_in_set(t, STLB, linear, 12, id, globals);
    if (!t->large) return;
    drop_2m(t, linear, id, globals);
    if (t->halves) drop_2m(t, linear ^ 1u << 21, id, globals);
    drop_in_set(t, DTLB_1G, linear, 30, id, globals);
    drop_in_set(t, STLB_1G, linear, 30, id, globals);
    drop_pieces(t, ITLB_2M, linear, id, globals);
    if (!t->array[DTLB_1G].ways) drop_pieces(t, DTLB_2M, linear, id, globals);
}
