/*
 * tlb.h - the modelled TLB and paging-structure caches (private to mmu/).
 *
 * Generations instead of sweeps: every (PCID, flush) gets an address-space id of its own, never used
 * again. An entry counts while its id is its PCID's present one, or, if global, the present id of
 * the globals. A flush takes a new id and touches no entry. An entry whose id is the one before is
 * a *ghost*: invalid, but it tells that a miss is the flush's doing.
 *
 * Replacement is written down, since it is part of the machine's state: a fill goes to the entry
 * that already maps the page, else to the first invalid way in way order, else where the set's FIFO
 * pointer points, which then moves on. A hit changes nothing.
 */
#ifndef MMU_TLB_H
#define MMU_TLB_H

#include "mmu/parts.h"

#include <emmintrin.h>

#define PCIDS 4096u

/* Rights of an entry; also the `rights` word of TLB_FILL and TLB_STALE. */
enum tlb_right { TLB_USER = 1, TLB_WRITE = 2, TLB_NX = 4, TLB_GLOBAL = 8, TLB_DIRTY = 16 };

/** The array an entry belongs to. */
enum tlb_array_id {
    ITLB_4K, ITLB_2M, DTLB_4K, DTLB_2M, DTLB_1G, STLB, STLB_1G, TLB_ARRAYS
};

struct tlb_entry {
    uint64_t id;    /* address-space id under which it was filled; 0 = never or dropped */
    uint64_t tag;   /* linear page address | page shift */
    uint64_t phys;  /* first byte of the page, A20 not applied */
    uint16_t pcid;
    uint8_t rights; /* enum tlb_right */
    uint8_t slots;  /* L1: filter tables that may hold a slot of it (parts.h) */
    uint8_t origin; /* page shift in the tables: 30 for a 2-MByte piece of a 1-GByte page */
    uint8_t array;  /* enum tlb_array_id */
};

/** For a large page in L1: which filter slot numbers were ever filled from it. */
struct slot_set {
    uint64_t word[FILTER_SLOTS / 64];
};

/** A set-associative array. Sets are rows of `stride` entries: the ways, rounded up to what one
 *  comparison takes; what is beyond the ways stays empty. */
struct tlb_array {
    unsigned sets, ways, stride;
    bool ever;               /* something was filled since reset: else nothing to look for */
    struct tlb_entry *entry;
    uint32_t *mark;          /* of each entry: low bits of its page number, to find candidates fast */
    uint8_t *next;           /* of each set: FIFO pointer */
    uint64_t *full;          /* of each set: the TLB's `drops` when no way was invalid */
    struct slot_set *large;  /* of each entry, if first level and large pages */
    const char *name;
};

struct psc_entry {
    uint64_t tag;  /* linear address >> level_shift(level) */
    uint64_t id;   /* psc id under which it was filled; 0 = never or dropped */
    uint64_t base; /* the table that the entry points to */
    uint16_t pcid;
    bool user, write, nx; /* combined from the root down to this entry */
};

/** One paging-structure cache: fully associative. */
struct psc_cache {
    struct psc_entry *entry;
    uint16_t count, next;
};

/** What is known of one PCID. */
struct address_space {
    uint64_t id;       /* of its TLB entries */
    uint64_t previous; /* before the last flush that dropped something: the ghosts' id */
    uint64_t psc_id;   /* of its paging-structure cache entries */
    uint64_t epoch;    /* the ids count only while this is the TLB's epoch */
    bool used;         /* something was filled under these ids */
};

struct mmu_tlb {
    struct filter *filter;
    struct address_space *space;   /* of each PCID */
    struct address_space *current; /* the one whose turn it is; always up to date */
    uint16_t pcid;                 /* its number */
    uint64_t last_id, epoch;
    uint64_t drops; /* moves whenever a valid entry may have become invalid */
    uint64_t global_id, global_previous;
    bool global_used;
    bool large_in_stlb; /* a 2-MByte page was ever filled into the second level */
    struct tlb_array array[TLB_ARRAYS];
    struct psc_cache psc[5]; /* by level of the entries they hold: 2, 3, 4 */
    /** The judge's answers under the present control bits, for hits: bit access_index of word
     *  (rights & 7) = allowed. Filled by asking mmu_judge (verdicts_renew). */
    uint32_t allowed[8];
    /** The data filter's tables in which such an access may be repeated without asking again. */
    uint8_t tables[32];
};

static inline unsigned access_index(const struct mmu_access *a)
{
    return (unsigned)a->kind | (unsigned)a->user << 2 | (unsigned)a->implicit << 3 |
           (unsigned)a->ac << 4;
}

static inline uint64_t page_base(uint64_t linear, unsigned shift) { return linear >> shift << shift; }
static inline unsigned entry_shift(const struct tlb_entry *e) { return e->tag & 0x3f; }

/* ---- lookup (inline: every filter miss comes here) -------------------------------------------- */

static inline bool tlb_is_current(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id == t->current->id || e->id == t->global_id;
}
static inline bool tlb_is_ghost(const struct mmu_tlb *t, const struct tlb_entry *e)
{
    return e->id != 0 && (e->id == t->current->previous || e->id == t->global_previous);
}
/** Index of the first entry of the set in which a page lies. */
static inline unsigned tlb_row(const struct tlb_array *a, uint64_t linear, unsigned shift)
{
    return ((unsigned)(linear >> shift) & (a->sets - 1)) * a->stride;
}
static inline unsigned tlb_compare4(const uint32_t *marks, uint32_t want)
{
    __m128i four = _mm_loadu_si128((const __m128i *)(const void *)marks);
    __m128i equal = _mm_cmpeq_epi32(four, _mm_set1_epi32((int)want));

    return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(equal));
}
/** The entries of a row whose mark is the page's, as a bit set. All are compared at once: which way
 *  hits is a coin toss that the host's branch predictor would lose. */
static inline uint64_t tlb_candidates(const struct tlb_array *a, unsigned row, uint32_t mark)
{
    uint64_t match = tlb_compare4(a->mark + row, mark);

    for (unsigned way = 4; way < a->stride; way += 4)
        match |= (uint64_t)tlb_compare4(a->mark + row + way, mark) << way;
    return match;
}
/** The entry for a page of one size in one array, or NULL. *ghost is set if an entry was met that the
 *  last flush dropped. */
static inline struct tlb_entry *tlb_find(const struct mmu_tlb *t, enum tlb_array_id id,
                                         uint64_t linear, unsigned shift, bool *ghost)
{
    const struct tlb_array *a = &t->array[id];
    unsigned row;
    uint64_t match;

    if (!a->ever) return NULL;
    row = tlb_row(a, linear, shift);
    match = tlb_candidates(a, row, (uint32_t)(linear >> shift));
    for (; match; match &= match - 1) {
        struct tlb_entry *e = &a->entry[row + (unsigned)__builtin_ctzll(match)];

        if (e->tag != (page_base(linear, shift) | shift)) continue;
        if (tlb_is_current(t, e)) return e;
        if (tlb_is_ghost(t, e)) *ghost = true;
    }
    return NULL;
}
/** The first level, for fetches or for data. */
static inline struct tlb_entry *tlb_find_first(const struct mmu_tlb *t, uint64_t linear, bool fetch,
                                               bool *ghost)
{
    struct tlb_entry *e = tlb_find(t, fetch ? ITLB_4K : DTLB_4K, linear, 12, ghost);

    if (!e) e = tlb_find(t, fetch ? ITLB_2M : DTLB_2M, linear, 21, ghost);
    if (!e && !fetch) e = tlb_find(t, DTLB_1G, linear, 30, ghost);
    return e;
}
static inline struct tlb_entry *tlb_find_second(const struct mmu_tlb *t, uint64_t linear, bool *ghost)
{
    struct tlb_entry *e = tlb_find(t, STLB, linear, 12, ghost);

    if (!e && t->large_in_stlb) e = tlb_find(t, STLB, linear, 21, ghost);
    if (!e) e = tlb_find(t, STLB_1G, linear, 30, ghost);
    return e;
}

/* ---- tlb.c -------------------------------------------------------------------------------------- */

struct mmu_tlb *tlb_new(const struct mmu_geometry *geometry, struct filter *filter);
void tlb_free(struct mmu_tlb *t);

/** A translation as it is put into the TLB. */
struct tlb_translation {
    uint64_t phys; /* of the page's first byte */
    uint8_t shift; /* of the page in the tables: 12, 21 or 30 */
    uint8_t rights;
};
/** Put a translation into a level. fresh: a lookup has just shown that the level does not map the page.
 *  The first level takes a page of a size it has no array for in 2-MByte pieces. */
struct tlb_entry *tlb_fill_first(struct mmu_tlb *t, uint64_t linear, bool fetch, bool fresh,
                                 const struct tlb_translation *what);
void tlb_fill_second(struct mmu_tlb *t, uint64_t linear, bool fresh,
                     const struct tlb_translation *what);
void tlb_note_large(struct mmu_tlb *t, struct tlb_entry *e, uint64_t linear);
/** Note that filter slots (bits as in parts.h) of the page at `linear` were filled from this entry. */
static inline void tlb_note_slots(struct mmu_tlb *t, struct tlb_entry *e, uint64_t linear, uint8_t bits)
{
    e->slots |= bits;
    if (entry_shift(e) != 12) tlb_note_large(t, e, linear);
}

/** Make a PCID the current one. */
void tlb_select(struct mmu_tlb *t, unsigned pcid);
/** Drop what is cached for one PCID, and the globals if asked. */
void tlb_flush_space(struct mmu_tlb *t, unsigned pcid, bool globals);
/** Drop what is cached for every PCID, and the globals if asked. */
void tlb_flush_spaces(struct mmu_tlb *t, bool globals);
/** Drop the entries of one page of a PCID, and global ones for it if asked. */
void tlb_drop_page(struct mmu_tlb *t, unsigned pcid, uint64_t linear, bool globals);

/** Ask the judge all that can be asked of a TLB entry under these control bits. */
void verdicts_renew(struct mmu_tlb *t, const struct mmu_env *env);
struct mmu_rights tlb_rights(unsigned rights);

/** May this entry still be used by its PCID? */
bool tlb_is_live(const struct mmu_tlb *t, const struct tlb_entry *e);

/* ---- psc.c: paging-structure caches ------------------------------------------------------- */

bool psc_init(struct mmu_tlb *t, const struct mmu_geometry *geometry);
void psc_free(struct mmu_tlb *t);
/** The longest match: where a walk may start. False: from CR3. */
bool psc_find(const struct mmu_tlb *t, uint64_t linear, struct walk_start *start);
/** Remember the entries of an allowed walk that point to tables (their A bits are set by now). */
void psc_fill(struct mmu_tlb *t, uint64_t linear, const struct walk_start *start,
              const struct mmu_path *path);
/** Drop the entries that a walk for this address would use. */
void psc_drop_address(struct mmu_tlb *t, uint64_t linear);
/** Drop all entries of a PCID. */
void psc_drop_space(struct mmu_tlb *t, unsigned pcid);
bool psc_is_live(const struct mmu_tlb *t, const struct psc_entry *e);

#endif
