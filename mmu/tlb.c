/*
 * tlb.c - the modelled TLB: lookup, fill, drop, generations. The rules are at the top of tlb.h.
 *
 * Guarantees: entries may be stale until something that the manual names drops them; a not-present
 * translation is never cached; when an L1 entry leaves its array, the filter slots filled from it
 * leave too. No lookup and no flush looks at more than the sets concerned.
 * Manual: SDM 3A "Caching Translation Information", "Operations that Invalidate TLBs and
 * Paging-Structure Caches".
 */
#include "mmu/tlb.h"

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

/* ---- making ------------------------------------------------------------------------------- */

static bool array_init(struct tlb_array *a, const char *name, unsigned sets, unsigned ways)
{
    size_t entries = (size_t)sets * ways;

    if (ways == 0) return true;
    if (sets == 0 || (sets & (sets - 1)) || ways > 64) return false;
    a->name = name;
    a->sets = (uint16_t)sets;
    a->ways = (uint16_t)ways;
    a->tag = calloc(entries, sizeof(*a->tag));
    a->entry = calloc(entries, sizeof(*a->entry));
    a->next = calloc(sets, sizeof(*a->next));
    return a->tag && a->entry && a->next;
}

static bool array_first_level(struct tlb_array *a, bool fetch, bool large)
{
    a->first_level = true;
    a->fetch = fetch;
    if (!large || a->ways == 0) return true;
    a->large = calloc((size_t)a->sets * a->ways, sizeof(*a->large));
    return a->large != NULL;
}

static bool arrays_init(struct mmu_tlb *t, const struct mmu_geometry *g)
{
    struct tlb_array *a = t->array;

    return array_init(&a[ITLB_4K], "itlb_4k", g->itlb_4k.sets, g->itlb_4k.ways) &&
           array_init(&a[ITLB_2M], "itlb_2m", g->itlb_2m.sets, g->itlb_2m.ways) &&
           array_init(&a[DTLB_4K], "dtlb_4k", g->dtlb_4k.sets, g->dtlb_4k.ways) &&
           array_init(&a[DTLB_2M], "dtlb_2m", g->dtlb_2m.sets, g->dtlb_2m.ways) &&
           array_init(&a[DTLB_1G], "dtlb_1g", g->dtlb_1g.sets, g->dtlb_1g.ways) &&
           array_init(&a[STLB], "stlb", g->stlb.sets, g->stlb.ways) &&
           array_init(&a[STLB_1G], "stlb_1g", g->stlb_1g.sets, g->stlb_1g.ways) &&
           array_first_level(&a[ITLB_4K], true, false) &&
           array_first_level(&a[ITLB_2M], true, true) &&
           array_first_level(&a[DTLB_4K], false, false) &&
           array_first_level(&a[DTLB_2M], false, true) &&
           array_first_level(&a[DTLB_1G], false, true) && a[ITLB_4K].ways && a[ITLB_2M].ways &&
           a[DTLB_4K].ways && a[DTLB_2M].ways;
}

static uint64_t new_id(struct mmu_tlb *t) { return ++t->last_id; }

struct mmu_tlb *tlb_new(const struct mmu_geometry *geometry, struct filter *filter)
{
    struct mmu_tlb *t = calloc(1, sizeof(*t));

    if (!t) return NULL;
    t->filter = filter;
    t->epoch = 1;
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
        free(t->array[i].tag);
        free(t->array[i].entry);
        free(t->array[i].next);
        free(t->array[i].large);
    }
    psc_free(t);
    free(t->space);
    free(t);
}

/* ---- address spaces ------------------------------------------------------------------------- */

/** New ids, unless nothing was filled under the present ones: then there is nothing to drop. */
static void space_renew(struct mmu_tlb *t, struct address_space *s)
{
    if (s->id != 0 && !s->used) return;
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

static inline bool is_current(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id == t->current->id || e->id == t->global_id;
}

static inline bool is_ghost(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id != 0 && (e->id == t->current->previous || e->id == t->global_previous);
}

/* ---- lookup ----------------------------------------------------------------------------------- */

static inline unsigned first_way(const struct tlb_array *a, uint64_t linear, unsigned shift)
{
    return ((unsigned)(linear >> shift) & (a->sets - 1u)) * a->ways;
}

/** Looks for a page of one size in one array; true: *ref says where. */
static inline bool array_find(struct mmu_tlb *t, enum tlb_array_id id, uint64_t linear,
                              unsigned shift, bool *ghost, struct tlb_ref *ref)
{
    struct tlb_array *a = &t->array[id];
    uint64_t tag = page_base(linear, shift) | shift;
    unsigned first, way;

    if (!a->ever) return false;
    first = first_way(a, linear, shift);
    for (way = first; way < first + a->ways; way++) {
        if (a->tag[way] != tag) continue;
        if (is_current(t, &a->entry[way])) {
            *ref = (struct tlb_ref){a, way, shift};
            return true;
        }
        if (is_ghost(t, &a->entry[way])) *ghost = true;
    }
    return false;
}

struct tlb_ref tlb_find_first(struct mmu_tlb *t, uint64_t linear, bool fetch, bool *ghost)
{
    struct tlb_ref ref = {NULL, 0, 0};

    if (fetch) {
        if (array_find(t, ITLB_4K, linear, 12, ghost, &ref)) return ref;
        array_find(t, ITLB_2M, linear, 21, ghost, &ref);
        return ref;
    }
    if (array_find(t, DTLB_4K, linear, 12, ghost, &ref)) return ref;
    if (array_find(t, DTLB_2M, linear, 21, ghost, &ref)) return ref;
    array_find(t, DTLB_1G, linear, 30, ghost, &ref);
    return ref;
}

struct tlb_ref tlb_find_second(struct mmu_tlb *t, uint64_t linear, bool *ghost)
{
    struct tlb_ref ref = {NULL, 0, 0};

    if (array_find(t, STLB, linear, 12, ghost, &ref)) return ref;
    if (array_find(t, STLB, linear, 21, ghost, &ref)) return ref;
    array_find(t, STLB_1G, linear, 30, ghost, &ref);
    return ref;
}

/* ---- leaving and filling ------------------------------------------------------------------------ */

static void kill_large(struct mmu_tlb *t, struct tlb_array *a, unsigned index, unsigned shift)
{
    struct slot_set *set = &a->large[index];
    uint64_t page = page_base(a->tag[index], shift);

    for (unsigned w = 0; w < FILTER_SLOTS / 64; w++)
        for (; set->word[w]; set->word[w] &= set->word[w] - 1) {
            unsigned slot = w * 64 + (unsigned)__builtin_ctzll(set->word[w]);

            if (a->fetch)
                filter_kill_fetch(t->filter, a->entry[index].slots, slot, page, shift);
            else
                filter_kill_data(t->filter, a->entry[index].slots, slot, page, shift);
        }
}

/** The filter slots filled from this entry die. */
static void kill_slots(struct mmu_tlb *t, struct tlb_array *a, unsigned index)
{
    struct tlb_entry *e = &a->entry[index];
    uint64_t page = page_base(a->tag[index], 12);

    if (e->slots == 0) return;
    if (a->large)
        kill_large(t, a, index, a->tag[index] & 0x3f);
    else if (a->fetch)
        filter_kill_fetch(t->filter, e->slots, (page >> 12) % FETCH_SLOTS, page, 12);
    else
        filter_kill_data(t->filter, e->slots, (page >> 12) % FILTER_SLOTS, page, 12);
    e->slots = 0;
}

void tlb_note_slots(const struct tlb_ref *ref, uint64_t linear, uint8_t bits)
{
    struct tlb_array *a = ref->array;
    unsigned slot = (unsigned)(linear >> 12) % (a->fetch ? FETCH_SLOTS : FILTER_SLOTS);

    a->entry[ref->index].slots |= bits;
    if (a->large) a->large[ref->index].word[slot / 64] |= 1ull << slot % 64;
}

/** Where a page goes (the rule at the top of tlb.h). */
static unsigned choose_way(const struct mmu_tlb *t, struct tlb_array *a, uint64_t tag, unsigned set)
{
    unsigned first = set * a->ways, invalid = UINT32_MAX, victim;

    for (unsigned way = first; way < first + a->ways; way++) {
        const struct tlb_entry *e = &a->entry[way];

        if (is_current(t, e)) {
            if (a->tag[way] == tag) return way;
        } else if (invalid == UINT32_MAX && !tlb_is_live(t, e)) {
            invalid = way;
        }
    }
    if (invalid != UINT32_MAX) return invalid;
    victim = first + a->next[set];
    a->next[set] = (uint8_t)((a->next[set] + 1u) % a->ways);
    return victim;
}

static struct tlb_ref array_fill(struct mmu_tlb *t, enum tlb_array_id id, uint64_t linear,
                                 unsigned shift, const struct tlb_translation *what)
{
    struct tlb_array *a = &t->array[id];
    uint64_t tag = page_base(linear, shift) | shift;
    uint64_t piece = page_base(linear, shift) - page_base(linear, what->shift);
    bool global = (what->rights & TLB_GLOBAL) != 0;
    unsigned way = choose_way(t, a, tag, (unsigned)(linear >> shift) & (a->sets - 1u));

    if (a->first_level) kill_slots(t, a, way);
    a->tag[way] = tag;
    a->entry[way] = (struct tlb_entry){
        .id = global ? t->global_id : t->current->id,
        .phys = what->phys + piece,
        .pcid = t->pcid,
        .rights = what->rights,
        .origin = what->shift,
    };
    a->ever = true;
    if (global) t->global_used = true;
    t->current->used = true;
    return (struct tlb_ref){a, way, shift};
}

struct tlb_ref tlb_fill_first(struct mmu_tlb *t, uint64_t linear, bool fetch,
                              const struct tlb_translation *what)
{
    if (what->shift == 12) return array_fill(t, fetch ? ITLB_4K : DTLB_4K, linear, 12, what);
    if (what->shift == 30 && !fetch && t->array[DTLB_1G].ways)
        return array_fill(t, DTLB_1G, linear, 30, what);
    return array_fill(t, fetch ? ITLB_2M : DTLB_2M, linear, 21, what);
}

void tlb_fill_second(struct mmu_tlb *t, uint64_t linear, const struct tlb_translation *what)
{
    enum tlb_array_id id = what->shift == 30 ? STLB_1G : STLB;

    if (t->array[id].ways) array_fill(t, id, linear, what->shift, what);
}

/* ---- dropping one page ------------------------------------------------------------------------- */

static void drop(struct mmu_tlb *t, struct tlb_array *a, unsigned index)
{
    if (a->first_level) kill_slots(t, a, index);
    a->tag[index] = 0;
    a->entry[index].id = 0;
}

static bool belongs(const struct mmu_tlb *t, const struct tlb_entry *e, uint64_t id, bool globals)
{
    return e->id == id || (globals && e->id == t->global_id);
}

static void drop_in_set(struct mmu_tlb *t, enum tlb_array_id which, uint64_t linear, unsigned shift,
                        uint64_t id, bool globals)
{
    struct tlb_array *a = &t->array[which];
    uint64_t tag = page_base(linear, shift) | shift;
    unsigned first;

    if (!a->ever) return;
    first = first_way(a, linear, shift);
    for (unsigned way = first; way < first + a->ways; way++)
        if (a->tag[way] == tag && belongs(t, &a->entry[way], id, globals)) drop(t, a, way);
}

/** Pieces of the 1-GByte page around `linear` may lie in any set of a 2-MByte array. */
static void drop_pieces(struct mmu_tlb *t, enum tlb_array_id which, uint64_t linear, uint64_t id,
                        bool globals)
{
    struct tlb_array *a = &t->array[which];
    unsigned entries = (unsigned)a->sets * a->ways;

    if (!a->ever) return;
    for (unsigned i = 0; i < entries; i++) {
        const struct tlb_entry *e = &a->entry[i];

        if (e->origin != 30 || (a->tag[i] ^ linear) >> 30) continue;
        if (belongs(t, e, id, globals)) drop(t, a, i);
    }
}

void tlb_drop_page(struct mmu_tlb *t, unsigned pcid, uint64_t linear, bool globals)
{
    uint64_t id = space_of(t, pcid)->id;

    drop_in_set(t, ITLB_4K, linear, 12, id, globals);
    drop_in_set(t, ITLB_2M, linear, 21, id, globals);
    drop_in_set(t, DTLB_4K, linear, 12, id, globals);
    drop_in_set(t, DTLB_2M, linear, 21, id, globals);
    drop_in_set(t, DTLB_1G, linear, 30, id, globals);
    drop_in_set(t, STLB, linear, 12, id, globals);
    drop_in_set(t, STLB, linear, 21, id, globals);
    drop_in_set(t, STLB_1G, linear, 30, id, globals);
    drop_pieces(t, ITLB_2M, linear, id, globals);
    if (!t->array[DTLB_1G].ways) drop_pieces(t, DTLB_2M, linear, id, globals);
}
