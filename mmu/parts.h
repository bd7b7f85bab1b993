/*
 * parts.h - what the files of mmu/ share and nobody else needs.
 */
#ifndef MMU_PARTS_H
#define MMU_PARTS_H

#include "mmu/mmu.h"

/* ---- the pure parts ---------------------------------------------------------------------- */

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
    uint8_t level;
};
/** The entries of a complete path that an allowed access of this kind changes; returns how many. */
unsigned mmu_adbits(const struct mmu_path *path, unsigned kind, struct ad_update out[5]);

/* ---- filter.c ----------------------------------------------------------------------------- */

/** Which filter tables hold a slot of some page. For data: bit context, bit context + 3 for writes.
 *  For fetches: bit 0 user, bit 1 supervisor. */
static inline uint8_t filter_data_bit(unsigned context, bool write)
{
    return (uint8_t)(1u << (context + (write ? FILTER_CONTEXTS : 0)));
}
void filter_fill_data(struct filter *f, uint8_t bits, uint64_t linear, const uint8_t *host_page);
void filter_fill_fetch(struct filter *f, uint8_t bits, uint64_t linear, uint64_t phys_page);
/** Empty slot number `slot` in the tables named by bits, if it belongs to the page of 1 << shift bytes
 *  at `page`. */
void filter_kill_data(struct filter *f, uint8_t bits, unsigned slot, uint64_t page, unsigned shift);
void filter_kill_fetch(struct filter *f, uint8_t bits, unsigned slot, uint64_t page, unsigned shift);
void filter_drop(struct filter *f);

/* ---- events.c ------------------------------------------------------------------------------ */

static inline bool mmu_listened(const struct mmu *u, unsigned kind)
{
    return u->events != NULL && (u->events->mask & RS_MASK(kind)) != 0;
}
void mmu_emit_walk(const struct mmu *u, uint64_t linear, unsigned kind, const struct mmu_path *path);
void mmu_emit_ad(const struct mmu *u, const struct ad_update *update);
void mmu_emit_fill(const struct mmu *u, uint64_t page, uint64_t phys, unsigned shift, unsigned rights);
void mmu_emit_flush(const struct mmu *u, uint64_t linear, unsigned pcid, enum flush_reason why);
void mmu_emit_stale(const struct mmu *u, uint64_t linear, unsigned rights);
/** One CHECK per rule: those asked of an access that passes, those broken by one that is refused.
 *  level: of the entry that ended the walk, 0 for a translation from the TLB. */
void mmu_emit_checks(const struct mmu *u, uint64_t linear, const struct mmu_access *access,
                     const struct mmu_rights *rights, unsigned level, const struct mmu_verdict *v);

#endif
