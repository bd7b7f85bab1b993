/*
 * translate.c - one access from linear to physical: TLB, walk, judge, A/D, fill, filter.
 *
 * Guarantees: mmu_translate and mmu_translate_peek ask the same walk and the same judge. A refused
 * access changes no page table. A refusal judged from a cached entry is raised once and the entry
 * dropped, so the retry walks. A write through an entry with D=0 walks, to set D in the table.
 * Manual: SDM 3A "Paging", "Accessed and Dirty Flags", "Caching Translation Information".
 */
#include "mmu/tlb.h"

#include <string.h>

/* ---- parts ----------------------------------------------------------------------------------- */

/** The walker's eyes: RAM through A20. What is not RAM reads as all ones. */
static uint64_t read_entry(const void *ctx, uint64_t phys, unsigned n)
{
    const struct mmu *u = ctx;

    phys &= u->a20_mask;
    return n == 8 ? ram_read64(u->ram, phys) : ram_read32(u->ram, phys);
}

static struct mmu_rights path_rights(const struct mmu_path *path)
{
    return (struct mmu_rights){path->status, path->user, path->write, path->nx};
}

static struct mmu_rights entry_rights(const struct tlb_entry *e)
{
    return (struct mmu_rights){
        .status = WALK_OK,
        .user = (e->rights & TLB_USER) != 0,
        .write = (e->rights & TLB_WRITE) != 0,
        .nx = (e->rights & TLB_NX) != 0,
    };
}

static struct tlb_translation path_translation(const struct mmu_path *path, unsigned kind)
{
    unsigned rights = 0;

    if (path->user) rights |= TLB_USER;
    if (path->write) rights |= TLB_WRITE;
    if (path->nx) rights |= TLB_NX;
    if (path->global) rights |= TLB_GLOBAL;
    if (path->dirty || kind == RS_WRITE) rights |= TLB_DIRTY;
    return (struct tlb_translation){page_base(path->phys, path->page_shift), path->page_shift,
                                    (uint8_t)rights};
}

static struct tlb_translation entry_translation(const struct tlb_ref *ref)
{
    const struct tlb_entry *e = ref_entry(ref);

    return (struct tlb_translation){e->phys, (uint8_t)ref->shift, e->rights};
}

/** The contexts in which this access may be repeated without asking again. AC is no question while
 *  SMAP is off, so an access with AC=1 then speaks for AC=0 too. */
static uint8_t data_bits(const struct mmu *u, const struct mmu_access *access)
{
    bool write = access->kind == RS_WRITE;
    uint8_t sup = filter_data_bit(FILTER_SUP, write);
    uint8_t sup_ac = filter_data_bit(FILTER_SUP_AC, write);

    if (access->user) return filter_data_bit(FILTER_USER, write);
    if (access->implicit || !access->ac) return sup;
    return u->env.paging && u->env.smap ? sup_ac : (uint8_t)(sup | sup_ac);
}

/** Remember an allowed access in the filter, if direct access to the page is legal. The slot is the
 *  one of the access made: a write slot comes only from a write, so D=1 by then. Returns the bits. */
static uint8_t fill_filter(struct mmu *u, uint64_t linear, uint64_t phys,
                           const struct mmu_access *access)
{
    bool write = access->kind == RS_WRITE;
    uint8_t *host;
    uint8_t bits;

    if (u->filter_off) return 0;
    host = write ? ram_page_for_write(u->ram, phys) : ram_page_for_read(u->ram, phys);
    if (!host) return 0;
    if (access->kind == RS_FETCH) {
        bits = access->user ? 1 : 2;
        filter_fill_fetch(&u->filter, bits, linear, page_base(phys, 12));
    } else {
        bits = data_bits(u, access);
        filter_fill_data(&u->filter, bits, linear, host);
    }
    return bits;
}

/* ---- from the TLB --------------------------------------------------------------------------------- */

static void drop_faulting_page(struct mmu *u, uint64_t linear)
{
    tlb_drop_page(u->tlb, u->tlb->pcid, linear, true);
    psc_drop_address(u->tlb, linear);
}

/** A #PF from a cached entry is stale if the tables would have allowed the access. */
static void report_stale(const struct mmu *u, uint64_t linear, struct mmu_access access,
                         unsigned rights)
{
    if (!mmu_listened(u, RS_EV_TLB_STALE)) return;
    if (mmu_translate_peek(u, &u->env, u->cr3, linear, access, NULL).ok)
        mmu_emit_stale(u, linear, rights);
}

/** Use a TLB entry of either level; `ticks` is what finding it cost. */
static struct mmu_result use_entry(struct mmu *u, uint64_t linear, struct mmu_access access,
                                   struct tlb_ref ref, uint32_t ticks)
{
    struct tlb_translation what = entry_translation(&ref);
    struct mmu_rights rights = entry_rights(ref_entry(&ref));
    struct mmu_result r = {.walk_ticks = ticks};

    r.verdict = mmu_judge(&u->env, &access, &rights);
    if (mmu_listened(u, RS_EV_CHECK)) mmu_emit_checks(u, linear, &access, &rights, 0, &r.verdict);
    if (r.verdict.broken) {
        r.cached = true;
        report_stale(u, linear, access, what.rights);
        drop_faulting_page(u, linear);
        return r;
    }
    if (!ref.array->first_level)
        ref = tlb_fill_first(u->tlb, linear, access.kind == RS_FETCH, &what);
    r.ok = true;
    r.phys = (what.phys + (linear - page_base(linear, what.shift))) & u->a20_mask;
    tlb_note_slots(&ref, linear, fill_filter(u, linear, r.phys, &access));
    return r;
}

/** False for a write through an entry that was never written through: the table's D must be set. */
static bool is_usable(const struct tlb_ref *ref, const struct mmu_access *access)
{
    return access->kind != RS_WRITE || (ref_entry(ref)->rights & TLB_DIRTY);
}

/* ---- from the tables -------------------------------------------------------------------------------- */

/** Set A and D where the access calls for it; returns whether anything was set. */
static bool set_ad_bits(struct mmu *u, const struct mmu_path *path, unsigned kind)
{
    struct ad_update update[5];
    unsigned count = mmu_adbits(path, kind, update);

    for (unsigned i = 0; i < count; i++) {
        ram_write64(u->ram, update[i].at & u->a20_mask, update[i].entry);
        mmu_emit_ad(u, &update[i]);
    }
    return count != 0;
}

/** Both levels of the TLB, the paging-structure caches and the filter learn of an allowed walk. */
static void fill(struct mmu *u, uint64_t linear, const struct mmu_access *access,
                 const struct walk_start *start, const struct mmu_path *path)
{
    struct tlb_translation what = path_translation(path, access->kind);
    struct tlb_ref ref;

    psc_fill(u->tlb, linear, start, path);
    tlb_fill_second(u->tlb, linear, &what);
    ref = tlb_fill_first(u->tlb, linear, access->kind == RS_FETCH, &what);
    mmu_emit_fill(u, page_base(linear, what.shift), what.phys, what.shift, what.rights);
    tlb_note_slots(&ref, linear, fill_filter(u, linear, path->phys & u->a20_mask, access));
}

/** stale_shift: page size of a TLB entry that could not be used, 0 = none. */
static struct mmu_result use_tables(struct mmu *u, uint64_t linear, struct mmu_access access,
                                    unsigned stale_shift, bool ghost)
{
    struct walk_reader reader = {u, read_entry};
    struct walk_start start;
    bool shortcut = psc_find(u->tlb, linear, &start);
    struct mmu_result r = {.ok = false};
    struct mmu_rights rights;
    struct mmu_path path;
    uint32_t ticks;

    walk(&reader, &u->env, u->cr3, linear, shortcut ? &start : NULL, &path);
    u->walks++;
    u->walk_steps += path.steps;
    ticks = u->prices.walk_base + u->prices.walk_step * path.steps;
    mmu_emit_walk(u, linear, access.kind, &path);
    rights = path_rights(&path);
    r.verdict = mmu_judge(&u->env, &access, &rights);
    r.ok = r.verdict.broken == 0;
    if (mmu_listened(u, RS_EV_CHECK))
        mmu_emit_checks(u, linear, &access, &rights,
                        path.steps ? path.step[path.steps - 1].level : 0, &r.verdict);
    if (r.ok) {
        if (set_ad_bits(u, &path, access.kind)) ticks += u->prices.walk_set_ad;
        if (stale_shift && stale_shift != path.page_shift)
            tlb_drop_page(u->tlb, u->tlb->pcid, linear, true);
        fill(u, linear, &access, shortcut ? &start : NULL, &path);
        r.phys = path.phys & u->a20_mask;
    } else {
        drop_faulting_page(u, linear);
    }
    *(ghost ? &r.refill_ticks : &r.walk_ticks) = ticks;
    return r;
}

/** Without paging the filter alone is filled; whoever turns paging on drops it. */
static struct mmu_result use_identity(struct mmu *u, uint64_t linear, struct mmu_access access)
{
    struct mmu_result r = {.ok = true, .verdict = {.rule = RS_RULE_NONE}};

    r.phys = linear & 0xffffffffu & u->a20_mask;
    fill_filter(u, linear, r.phys, &access);
    return r;
}

struct mmu_result mmu_translate(struct mmu *u, uint64_t linear, struct mmu_access access)
{
    unsigned stale_shift = 0;
    bool ghost = false;
    struct tlb_ref ref;

    if (!u->env.paging) return use_identity(u, linear, access);
    ref = tlb_find_first(u->tlb, linear, access.kind == RS_FETCH, &ghost);
    if (ref.array) {
        if (is_usable(&ref, &access)) return use_entry(u, linear, access, ref, 0);
        stale_shift = ref_entry(&ref)->origin;
    } else {
        u->tlb_misses++;
        ref = tlb_find_second(u->tlb, linear, &ghost);
        if (ref.array && is_usable(&ref, &access))
            return use_entry(u, linear, access, ref, u->prices.stlb_hit);
        if (ref.array) stale_shift = ref_entry(&ref)->origin;
    }
    return use_tables(u, linear, access, stale_shift, ghost && !ref.array);
}

struct mmu_result mmu_translate_peek(const struct mmu *u, const struct mmu_env *env, uint64_t cr3,
                                     uint64_t linear, struct mmu_access access,
                                     struct mmu_path *path)
{
    struct walk_reader reader = {u, read_entry};
    struct mmu_result r = {.ok = false};
    struct mmu_rights rights;
    struct mmu_path own;

    if (!path) path = &own;
    walk(&reader, env, cr3, linear, NULL, path);
    rights = path_rights(path);
    if (env->paging)
        r.verdict = mmu_judge(env, &access, &rights);
    else
        r.verdict.rule = RS_RULE_NONE;
    r.ok = r.verdict.broken == 0;
    if (r.ok) r.phys = path->phys & u->a20_mask;
    return r;
}
