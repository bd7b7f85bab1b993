/*
 * tlb_hot.h - the half of the TLB that every filter miss goes through, inline: lookup and fill.
 * Budget: a first-level miss that hits the second level costs 15 ns of host time.
 */
#ifndef MMU_TLB_HOT_H
#define MMU_TLB_HOT_H

#include "mmu/tlb.h"

#include <emmintrin.h>

/* ---- lookup ---------------------------------------------------------------------------------- */

static inline bool tlb_is_current(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id == t->current->id || e->id == t->global_id;
}
static inline bool tlb_is_ghost(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id != 0 && (e->id == t->current->previous || e->id == t->global_previous);
}
/** Index of the first entry of the set in which a page lies. */
HOT unsigned tlb_row(const struct tlb_array *a, uint64_t linear, unsigned shift)
{
    return ((unsigned)(linear >> shift) & (a->sets - 1)) * a->stride;
}
static inline __m128i tlb_compare4(const uint32_t *marks, uint32_t want)
{
    __m128i four = _mm_loadu_si128((const __m128i *)(const void *)marks);

    return _mm_cmpeq_epi32(four, _mm_set1_epi32((int)want));
}
static inline unsigned tlb_compare16(const uint32_t *marks, uint32_t want)
{
    __m128i low = _mm_packs_epi32(tlb_compare4(marks, want), tlb_compare4(marks + 4, want));
    __m128i high = _mm_packs_epi32(tlb_compare4(marks + 8, want), tlb_compare4(marks + 12, want));

    return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high));
}
/** The entries of a row whose mark is the page's, as a bit set. All are compared at once: which way
 *  hits is a coin toss that the host's branch predictor would lose. */
HOT uint64_t tlb_candidates(const struct tlb_array *a, unsigned row, uint32_t mark)
{
    const uint32_t *marks = a->mark + row;
    uint64_t match;

    if (a->stride == 4)
        return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(tlb_compare4(marks, mark)));
    match = tlb_compare16(marks, mark);
    for (unsigned way = 16; way < a->stride; way += 16)
        match |= (uint64_t)tlb_compare16(marks + way, mark) << way;
    return match;
}
/** The entry for a page of one size in one array that is present, or NULL. *ghost is set if one
 *  was met that the last flush dropped. */
HOT struct tlb_entry *tlb_find(const struct mmu_tlb *t, enum tlb_array_id id, uint64_t linear,
                               unsigned shift, bool *ghost)
{
    const struct tlb_array *a = &t->array[id];
    unsigned row = tlb_row(a, linear, shift);
    uint64_t match = tlb_candidates(a, row, (uint32_t)(linear >> shift));

    for (; match; match &= match - 1) {
        struct tlb_entry *e = &a->entry[row + (unsigned)__builtin_ctzll(match)];

        if (e->tag != (page_base(linear, shift) | shift)) continue;
        if (tlb_is_current(t, e)) return e;
        if (tlb_is_ghost(t, e)) *ghost = true;
    }
    return NULL;
}
/** The first level, for fetches or for data. */
HOT struct tlb_entry *tlb_find_first(const struct mmu_tlb *t, uint64_t linear, bool fetch,
                                     bool *ghost)
{
    struct tlb_entry *e = tlb_find(t, fetch ? ITLB_4K : DTLB_4K, linear, 12, ghost);

    if (e || !t->large) return e;
    e = tlb_find(t, fetch ? ITLB_2M : DTLB_2M, linear, 21, ghost);
    if (!e && !fetch && t->array[DTLB_1G].ever) e = tlb_find(t, DTLB_1G, linear, 30, ghost);
    return e;
}
HOT struct tlb_entry *tlb_find_second(const struct mmu_tlb *t, uint64_t linear, bool *ghost)
{
    struct tlb_entry *e = tlb_find(t, STLB, linear, 12, ghost);

    if (e || !t->large) return e;
    e = tlb_find(t, STLB, linear, 21, ghost);
    if (!e && t->array[STLB_1G].ever) e = tlb_find(t, STLB_1G, linear, 30, ghost);
    return e;
}

/* ---- filter slots of an entry ---------------------------------------------------------------- */

/** Note that filter slots (bits as in parts.h) of the page at `linear` were filled from e. */
static inline void tlb_note_slots(struct mmu_tlb *t, struct tlb_entry *e, uint64_t linear,
                                  uint8_t bits)
{
    e->slots |= bits;
    if (entry_shift(e) != 12) tlb_note_large(t, e, linear);
}

static inline bool for_fetches(unsigned array) { return array == ITLB_4K || array == ITLB_2M; }

HOT void kill_slot(struct mmu_tlb *t, const struct tlb_entry *e, unsigned array, unsigned slot,
                   unsigned shift)
{
    if (for_fetches(array))
        filter_kill_fetch(t->filter, e->slots, slot % FETCH_SLOTS, e->tag, shift);
    else filter_kill_data(t->filter, e->slots, slot % FILTER_SLOTS, e->tag, shift);
}
/** The filter slots filled from this entry of `array` die. */
HOT void kill_slots(struct mmu_tlb *t, struct tlb_entry *e, unsigned array)
{
    if (e->slots == 0) return;
    if (array == ITLB_4K || array == DTLB_4K) kill_slot(t, e, array, (unsigned)(e->tag >> 12), 12);
    else tlb_kill_large(t, e);
    e->slots = 0;
}

/* ---- fill ------------------------------------------------------------------------------------ */

HOT unsigned choose_first_in(struct tlb_array *a, unsigned set)
{
    unsigned way = a->next[set];

    a->next[set] = (uint8_t)((way + 1) * (way + 1 != a->ways)); /* wraps, without a branch */
    return way;
}
/** Where a page goes if it is not there yet. A set that was full stays so until something drops. */
HOT unsigned choose_way(struct mmu_tlb *t, struct tlb_array *a, unsigned set)
{
    return a->full[set] == t->drops ? choose_first_in(a, set) : tlb_choose_slow(t, a, set);
}
/** fresh: a lookup has just shown that the array does not map the page. */
HOT struct tlb_entry *array_fill(struct mmu_tlb *t, enum tlb_array_id id, uint64_t linear,
                                 unsigned shift, bool fresh, const struct tlb_translation *what)
{
    struct tlb_array *a = &t->array[id];
    uint64_t page = page_base(linear, shift);
    unsigned set = (unsigned)(linear >> shift) & (a->sets - 1);
    bool global = (what->rights & TLB_GLOBAL) != 0, ghost = false;
    struct tlb_entry *e = fresh ? NULL : tlb_find(t, id, linear, shift, &ghost);

    if (!e) e = &a->entry[set * a->stride + choose_way(t, a, set)];
    if (id < STLB) kill_slots(t, e, id);
    e->id = global ? t->global_id : t->current->id;
    e->tag = page | shift;
    e->phys = what->phys + (page - page_base(linear, what->shift));
    e->pcid = t->pcid;
    e->rights = what->rights;
    e->origin = what->shift;
    e->array = (uint8_t)id;
    a->mark[e - a->entry] = (uint32_t)(linear >> shift);
    a->ever = true;
    if (shift != 12) t->large = true;
    if (global) t->global_used = true;
    t->current->used = true;
    return e;
}
/** The first level takes a page of a size it has no array for in 2-MByte pieces. */
HOT struct tlb_entry *tlb_fill_first(struct mmu_tlb *t, uint64_t linear, bool fetch, bool fresh,
                                     const struct tlb_translation *what)
{
    bool small = what->shift == 12;

    if (small && !fetch) return array_fill(t, DTLB_4K, linear, 12, fresh, what);
    if (small) return array_fill(t, ITLB_4K, linear, 12, fresh, what);
    if (fetch) return array_fill(t, ITLB_2M, linear, 21, fresh, what);
    if (what->shift == 30 && t->array[DTLB_1G].ways)
        return array_fill(t, DTLB_1G, linear, 30, fresh, what);
    return array_fill(t, DTLB_2M, linear, 21, fresh, what);
}
HOT void tlb_fill_second(struct mmu_tlb *t, uint64_t linear, bool fresh,
                         const struct tlb_translation *what)
{
    if (what->shift == 12) array_fill(t, STLB, linear, 12, fresh, what);
    else if (what->shift == 21) array_fill(t, STLB, linear, 21, fresh, what);
    else if (t->array[STLB_1G].ways) array_fill(t, STLB_1G, linear, 30, fresh, what);
}

#endif
