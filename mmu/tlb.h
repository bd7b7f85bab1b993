/*
 * tlb.h - the modelled TLB and paging-structure caches (private to mmu/).
 *
 * Generations instead of sweeps: each (PCID, flush) gets an address-space id of its own, never used
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

/** The array an entry belongs to. */
enum tlb_array_id { ITLB_4K, ITLB_2M, DTLB_4K, DTLB_2M, DTLB_1G, STLB, STLB_1G, TLB_ARRAYS };

struct tlb_entry {
    uint64_t id;   /* address-space id under which it was filled; 0 = never or dropped */
    uint64_t tag;  /* linear page address | page shift */
    uint64_t phys; /* first byte of the page, A20 not applied */
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
 *  comparison takes (4 or a multiple of 16); what is beyond the ways stays empty. */
struct tlb_array {
    unsigned sets, ways, stride;
    bool ever; /* something was filled since reset: else nothing to look for */
    struct tlb_entry *entry;
    uint32_t *mark; /* of each entry: low bits of its page number, to find candidates fast */
    uint8_t *next;  /* of each set: FIFO pointer */
    uint64_t *full; /* of each set: the TLB's `drops` when no way was invalid */
    struct slot_set *large; /* of each entry, if first level and large pages */
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
    uint64_t psc_filled; /* the psc_id under which the paging-structure caches got an entry last */
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
    bool halves; /* a 4-MByte page was ever filled: its two pieces are dropped together */
    bool large; /* a page larger than 4 KByte was ever filled: else no lookup need ask for one */
    struct tlb_array array[TLB_ARRAYS];
    struct psc_cache psc[5]; /* by level of the entries they hold: 2, 3, 4 */
    /** The judge's answers under the present control bits, for hits: bit access_index of word
     *  (rights & 7) = allowed. Filled by asking mmu_judge (verdicts_renew). */
    uint32_t allowed[8];
    /** The filter tables (bits as in parts.h) in which such an access may be repeated unasked. */
    uint8_t tables[32];
};

static inline unsigned access_index(const struct mmu_access *a)
{
    return (unsigned)a->kind | (unsigned)a->user << 2 | (unsigned)a->implicit << 3 |
           (unsigned)a->ac << 4;
}

static inline uint64_t page_base(uint64_t linear, unsigned shift)
{
    return linear >> shift << shift;
}
static inline unsigned entry_shift(const struct tlb_entry *e) { return e->tag & 0x3f; }

/* ---- tlb.c ----------------------------------------------------------------------------------- */

struct mmu_tlb *tlb_new(const struct mmu_geometry *geometry, struct filter *filter);
void tlb_free(struct mmu_tlb *t);

/** A translation as it is put into the TLB. */
struct tlb_translation {
    uint64_t phys; /* of the page's first byte */
    uint8_t shift; /* of the page in the tables: 12, 21 or 30 */
    uint8_t rights;
};
/** Note that a filter slot of the page at `linear` was filled from this entry of a large page. */
void tlb_note_large(struct mmu_tlb *t, struct tlb_entry *e, uint64_t linear);
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
/** The way that a new page takes (the rule at the top); may move the set's FIFO pointer. */
unsigned tlb_choose_slow(struct mmu_tlb *t, struct tlb_array *a, unsigned set);
/** The filter slots filled from this entry of a large page die. */
void tlb_kill_large(struct mmu_tlb *t, struct tlb_entry *e);

/* ---- psc.c: paging-structure caches ---------------------------------------------------------- */

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
