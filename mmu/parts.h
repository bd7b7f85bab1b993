/*
 * parts.h - what the files of mmu/ share and nobody else needs.
 */
#ifndef MMU_PARTS_H
#define MMU_PARTS_H

#include "mmu/mmu.h"

/* On the path of every filter miss the compiler's own guess costs nanoseconds. */
#define HOT static inline __attribute__((always_inline))
#define COLD static __attribute__((noinline))

/* ---- the pure parts -------------------------------------------------------------------------- */

/** Lowest address bit that an entry of this level translates: 12, 21, 30, 39 for level 1..4. */
static inline unsigned level_shift(unsigned level) { return 3 + 9 * level; }

/** The bits that must be 0 in this entry, were it present. Manual: SDM 3A "Paging". */
uint64_t walk_reserved(const struct mmu_env *env, unsigned level, uint64_t entry);

/** The error code of the #PF that this access would raise on a translation of this status. */
uint32_t judge_error_code(const struct mmu_env *env, const struct mmu_access *access,
                          unsigned status);

/** One entry to be written back with A or D set. */
struct ad_update {
    uint64_t at, entry;
    uint8_t level, bytes;
};
/** The entries of a complete path that an allowed access of this kind changes; returns how many. */
unsigned mmu_adbits(const struct mmu_path *path, unsigned kind, struct ad_update out[5]);

/* ---- filter.c -------------------------------------------------------------------------------- */

/** A table of the data filter as one bit: its context, + FILTER_CONTEXTS for writes. */
static inline uint8_t filter_data_bit(unsigned context, bool write)
{
    return (uint8_t)(1u << (context + (write ? FILTER_CONTEXTS : 0)));
}
static inline struct filter_slot *filter_table(struct filter *f, unsigned bit_number)
{
    /* rd and wr lie side by side: one multiplication finds the table */
    _Static_assert(offsetof(struct filter, wr) == offsetof(struct filter, rd) + sizeof(f->rd), "");
    return (struct filter_slot *)(void *)((char *)f + offsetof(struct filter, rd)) +
           bit_number * FILTER_SLOTS;
}
/** Fill the slot of the page at `linear` in the tables named by bits; host_page: its first byte. */
static inline void filter_fill_data(struct filter *f, uint8_t bits, uint64_t linear,
                                    const uint8_t *host_page)
{
    uint64_t page = linear & ~0xfffull;
    struct filter_slot slot = {page | f->key, (uint64_t)(uintptr_t)host_page - page};

    for (unsigned left = bits; left; left &= left - 1)
        filter_table(f, (unsigned)__builtin_ctz(left))[(linear >> 12) % FILTER_SLOTS] = slot;
}
/** For fetches bit 0 is the user table, bit 1 the supervisor's. */
static inline void filter_fill_fetch(struct filter *f, uint8_t bits, uint64_t linear,
                                     uint64_t phys_page)
{
    struct fetch_slot slot = {(linear & ~0xfffull) | f->key, phys_page};

    if (bits & 1) f->fetch[0][(linear >> 12) % FETCH_SLOTS] = slot;
    if (bits & 2) f->fetch[1][(linear >> 12) % FETCH_SLOTS] = slot;
}
/** Does a slot's tag lie in the page of 1 << shift bytes at `page`? */
static inline bool filter_within(uint64_t tag, uint64_t page, unsigned shift)
{
    return (tag ^ page) >> shift == 0;
}
/** Empty slot number `slot` in the tables named by bits, if it belongs to that page. */
static inline void filter_kill_data(struct filter *f, uint8_t bits, unsigned slot, uint64_t page,
                                    unsigned shift)
{
    for (unsigned left = bits; left; left &= left - 1) {
        struct filter_slot *s = &filter_table(f, (unsigned)__builtin_ctz(left))[slot];

        if (filter_within(s->tag, page, shift)) s->tag = 0;
    }
}
static inline void filter_kill_fetch(struct filter *f, uint8_t bits, unsigned slot, uint64_t page,
                                     unsigned shift)
{
    for (unsigned ring = 0; ring < 2; ring++) {
        struct fetch_slot *s = &f->fetch[ring][slot];

        if ((bits & 1u << ring) && filter_within(s->tag, page, shift)) s->tag = 0;
    }
}
void filter_drop(struct filter *f);

/* ---- events.c -------------------------------------------------------------------------------- */

static inline bool mmu_listened(const struct mmu *u, unsigned kind)
{
    return u->events != NULL && (u->events->mask & RS_MASK(kind)) != 0;
}
void mmu_emit_walk(const struct mmu *u, uint64_t linear, unsigned kind,
                   const struct mmu_path *path);
void mmu_emit_ad(const struct mmu *u, const struct ad_update *update);
void mmu_emit_fill(const struct mmu *u, uint64_t page, uint64_t phys, unsigned shift,
                   unsigned rights);
void mmu_emit_flush(const struct mmu *u, uint64_t linear, unsigned pcid, enum flush_reason why);
void mmu_emit_stale(const struct mmu *u, uint64_t linear, unsigned rights);
/** One CHECK per rule: those asked of an access that passes, those broken by one that is refused.
 *  level: of the entry that ended the walk, 0 for a translation from the TLB. */
void mmu_emit_checks(const struct mmu *u, uint64_t linear, const struct mmu_access *access,
                     const struct mmu_rights *rights, unsigned level, const struct mmu_verdict *v);

#endif
