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

#define PCIDS 4096u

/* Rights of an entry; also the `rights` word of TLB_FILL and TLB_STALE. */
enum tlb_right { TLB_USER = 1, TLB_WRITE = 2, TLB_NX = 4, TLB_GLOBAL = 8, TLB_DIRTY = 16 };

struct tlb_entry {
    uint64_t id;    /* address-space id under which it was filled; 0 = never or dropped */
    uint64_t phys;  /* first byte of the page, A20 not applied */
    uint16_t pcid;
    uint8_t rights; /* enum tlb_right */
    uint8_t slots;  /* L1: filter tables that may hold a slot of it (parts.h) */
    uint8_t origin; /* page shift in the tables: 30 for a 2-MByte piece of a 1-GByte page */
};

/** For a large page in L1: which filter slot numbers were ever filled from it. */
struct slot_set {
    uint64_t word[FILTER_SLOTS / 64];
};

struct tlb_array {
    const char *name;
    uint16_t sets, ways;
    bool first_level, fetch;
    bool ever;             /* something was filled since reset: else nothing to look for */
    uint64_t *tag;         /* linear page address | page shift; 0 = empty */
    struct tlb_entry *entry;
    uint8_t *next;         /* FIFO pointer of each set */
    struct slot_set *large; /* NULL for 4-KByte arrays and the second level */
};

enum tlb_array_id {
    ITLB_4K, ITLB_2M, DTLB_4K, DTLB_2M, DTLB_1G, STLB, STLB_1G, TLB_ARRAYS
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
    uint64_t global_id, global_previous;
    bool global_used;
    struct tlb_array array[TLB_ARRAYS];
    struct psc_cache psc[5]; /* by level of the entries they hold: 2, 3, 4 */
};

/** Where an entry is; array NULL = nowhere. */
struct tlb_ref {
    struct tlb_array *array;
    unsigned index;
    unsigned shift;
};

static inline uint64_t page_base(uint64_t linear, unsigned shift) { return linear >> shift << shift; }
static inline struct tlb_entry *ref_entry(const struct tlb_ref *r) { return &r->array->entry[r->index]; }

struct mmu_tlb *tlb_new(const struct mmu_geometry *geometry, struct filter *filter);
void tlb_free(struct mmu_tlb *t);

/** Look a page up in the first level (for fetches or for data) or the second. *ghost is set if an
 *  entry was met that the last flush dropped. */
struct tlb_ref tlb_find_first(struct mmu_tlb *t, uint64_t linear, bool fetch, bool *ghost);
struct tlb_ref tlb_find_second(struct mmu_tlb *t, uint64_t linear, bool *ghost);

/** A translation as it is put into the TLB. */
struct tlb_translation {
    uint64_t phys; /* of the page's first byte */
    uint8_t shift; /* of the page in the tables: 12, 21, 30 */
    uint8_t rights;
};
/** The first level takes a page of a size it has no array for in 2-MByte pieces. */
struct tlb_ref tlb_fill_first(struct mmu_tlb *t, uint64_t linear, bool fetch,
                              const struct tlb_translation *what);
void tlb_fill_second(struct mmu_tlb *t, uint64_t linear, const struct tlb_translation *what);
/** Note that filter slots (bits as in parts.h) of the page at `linear` were filled from this entry. */
void tlb_note_slots(const struct tlb_ref *ref, uint64_t linear, uint8_t bits);

/** Make a PCID the current one. */
void tlb_select(struct mmu_tlb *t, unsigned pcid);
/** Drop what is cached for one PCID, and the globals if asked. */
void tlb_flush_space(struct mmu_tlb *t, unsigned pcid, bool globals);
/** Drop what is cached for every PCID, and the globals if asked. */
void tlb_flush_spaces(struct mmu_tlb *t, bool globals);
/** Drop the entries of one page of a PCID, and global ones for it if asked. */
void tlb_drop_page(struct mmu_tlb *t, unsigned pcid, uint64_t linear, bool globals);

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
