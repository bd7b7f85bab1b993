/*
 * translate.c - one access from linear to physical: TLB, walk, judge, A/D, fill, filter.
 *
 * Guarantees: mmu_translate and mmu_translate_peek ask the same walk and the same judge. A refused
 * access changes no page table. A refusal judged from a cached entry is raised once and the entry
 * dropped, so the retry walks. A write through an entry with D=0 walks, to set D in the table.
 * Manual: SDM 3A "Paging", "Accessed and Dirty Flags", "Caching Translation Information".
 */
#include "mmu/tlb_hot.h"

#include <string.h>

/* ---- parts ----------------------------------------------------------------------------------- */

/** The walker's eyes: RAM through A20. What is not RAM reads as all ones. */
static uint64_t read_entry(const void *ctx, uint64_t phys, unsigned n)
{
    const struct mmu *u = ctx;

    phys &= u->a20_mask;
    return n == 8 ? ram_read64(u->ram, phys) : ram_read32(u->ram, phys);
}

/** User, write and no-execute of a path as TLB rights. */
static unsigned path_rights(const struct mmu_path *path)
{
    return (path->user ? TLB_USER : 0u) | (path->write ? TLB_WRITE : 0u) | (path->nx ? TLB_NX : 0u);
}

/** A 4-MByte page is held in 2-MByte pieces, as the TLBs of today's processors do. */
static uint8_t tlb_shift(unsigned page_shift) { return (uint8_t)(page_shift == 22 ? 21 : page_shift); }

static struct tlb_translation path_translation(const struct mmu_path *path, unsigned kind)
{
    unsigned rights = path_rights(path);

    if (path->global) rights |= TLB_GLOBAL;
    if (path->dirty || kind == RS_WRITE) rights |= TLB_DIRTY;
    return (struct tlb_translation){page_base(path->phys, tlb_shift(path->page_shift)),
                                    tlb_shift(path->page_shift), (uint8_t)rights};
}

COLD bool is_watched(const struct mmu *u, uint64_t linear)
{
    for (unsigned i = 0; i < u->watched_pages; i++)
        if (((linear ^ u->watched[i]) & ~0xfffull) == 0) return true;
    return false;
}

/** Remember an allowed access in the filter, if direct access to the page is legal. The slot is the
 *  one of the access made: a write slot comes only from a write, so D=1 then. Returns the bits. */
HOT uint8_t fill_filter(struct mmu *u, uint64_t linear, uint64_t phys, unsigned kind,
                        unsigned index)
{
    uint8_t *host;
    uint8_t bits;

    if (u->filter_off) return 0;
    if (u->watched_pages && kind != RS_FETCH && is_watched(u, linear)) return 0;
    host = kind == RS_WRITE ? ram_page_for_write(u->ram, phys) : ram_page_for_read(u->ram, phys);
    if (!host) return 0;
    bits = u->tlb->tables[index];
    if (kind == RS_FETCH) filter_fill_fetch(&u->filter, bits, linear, page_base(phys, 12));
    else filter_fill_data(&u->filter, bits, linear, host);
    return bits;
}

/* ---- from the TLB ---------------------------------------------------------------------------- */

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

/** A TLB entry of either level refuses the access. */
COLD struct mmu_result refuse_cached(struct mmu *u, uint64_t linear, struct mmu_access access,
                                     const struct tlb_entry *e, uint32_t ticks)
{
    struct mmu_rights rights = tlb_rights(e->rights);
    struct mmu_result r = {.cached = true, .walk_ticks = ticks};

    r.verdict = mmu_judge(&u->env, &access, &rights);
    if (mmu_listened(u, RS_EV_CHECK)) mmu_emit_checks(u, linear, &access, &rights, 0, &r.verdict);
    report_stale(u, linear, access, e->rights);
    drop_faulting_page(u, linear);
    return r;
}

COLD void report_passed(const struct mmu *u, uint64_t linear, const struct mmu_access *access,
                        const struct tlb_entry *e)
{
    struct mmu_rights rights = tlb_rights(e->rights);
    struct mmu_verdict verdict = mmu_judge(&u->env, access, &rights);

    mmu_emit_checks(u, linear, access, &rights, 0, &verdict);
}

static inline bool is_first_level(const struct tlb_entry *e) { return e->array < STLB; }

/** Use a TLB entry of either level; `ticks` is what finding it cost. */
HOT struct mmu_result use_entry(struct mmu *u, uint64_t linear, struct mmu_access access,
                                struct tlb_entry *e, uint32_t ticks)
{
    unsigned index = access_index(&access);
    uint64_t phys;

    if (!(u->tlb->allowed[e->rights & 7] >> index & 1))
        return refuse_cached(u, linear, access, e, ticks);
    if (mmu_listened(u, RS_EV_CHECK)) report_passed(u, linear, &access, e);
    if (!is_first_level(e)) {
        struct tlb_translation what = {e->phys, e->origin, e->rights};

        e = tlb_fill_first(u->tlb, linear, access.kind == RS_FETCH, true, &what);
    }
    phys = (e->phys + (linear - page_base(linear, entry_shift(e)))) & u->a20_mask;
    tlb_note_slots(u->tlb, e, linear, fill_filter(u, linear, phys, access.kind, index));
    return (struct mmu_result){
        .ok = true, .phys = phys, .verdict = {.rule = RS_RULE_NONE}, .walk_ticks = ticks};
}

/** False for a write through an entry that was never written through: the table's D must be set. */
static inline bool is_usable(const struct tlb_entry *e, const struct mmu_access *access)
{
    return access->kind != RS_WRITE || (e->rights & TLB_DIRTY);
}

/* ---- from the tables ------------------------------------------------------------------------- */

static void entry_write(struct mmu *u, uint64_t at, unsigned bytes, uint64_t entry)
{
    if (bytes == 8) ram_write64(u->ram, at, entry);
    else ram_write(u->ram, at, &entry, 4);
}

/** Set A and D where the access calls for it; returns whether anything was set. */
static bool set_ad_bits(struct mmu *u, const struct mmu_path *path, unsigned kind)
{
    struct ad_update update[5];
    unsigned count = mmu_adbits(path, kind, update);

    for (unsigned i = 0; i < count; i++) {
        entry_write(u, update[i].at & u->a20_mask, update[i].bytes, update[i].entry);
        mmu_emit_ad(u, &update[i]);
    }
    return count != 0;
}

/** Both levels of the TLB, the paging-structure caches and the filter learn of an allowed walk. */
COLD void fill(struct mmu *u, uint64_t linear, const struct mmu_access *access, bool fresh,
               const struct walk_start *start, const struct mmu_path *path)
{
    struct tlb_translation what = path_translation(path, access->kind);
    struct tlb_entry *e;

    if (mmu_is_4_level(&u->env)) psc_fill(u->tlb, linear, start, path);
    u->tlb->halves |= path->page_shift == 22;
    tlb_fill_second(u->tlb, linear, fresh, &what);
    e = tlb_fill_first(u->tlb, linear, access->kind == RS_FETCH, fresh, &what);
    mmu_emit_fill(u, page_base(linear, what.shift), what.phys, what.shift, what.rights);
    tlb_note_slots(u->tlb, e, linear,
                   fill_filter(u, linear, path->phys & u->a20_mask, access->kind,
                               access_index(access)));
}

static unsigned last_level(const struct mmu_path *path)
{
    return path->steps ? path->step[path->steps - 1].level : 0;
}

/** Judge a walk and tell of it. The judge's stored answer will do where nobody listens. */
static struct mmu_verdict judge_path(const struct mmu *u, uint64_t linear,
                                     const struct mmu_access *access, const struct mmu_path *path)
{
    struct mmu_rights rights = {path->status, path->user, path->write, path->nx};
    bool listened = mmu_listened(u, RS_EV_CHECK);
    struct mmu_verdict v = {.rule = RS_RULE_NONE};

    if (!listened && path->status == WALK_OK &&
        (u->tlb->allowed[path_rights(path)] >> access_index(access) & 1))
        return v;
    v = mmu_judge(&u->env, access, &rights);
    if (listened) mmu_emit_checks(u, linear, access, &rights, last_level(path), &v);
    return v;
}

/** stale_shift: page size of a TLB entry that could not be used, 0 = none. */
COLD struct mmu_result use_tables(struct mmu *u, uint64_t linear, struct mmu_access access,
                                  unsigned stale_shift, bool ghost)
{
    struct walk_reader reader = {u, read_entry};
    struct walk_start at;
    bool cached = mmu_is_4_level(&u->env) && psc_find(u->tlb, linear, &at);
    const struct walk_start *start = cached ? &at : NULL;
    struct mmu_result r = {.ok = false};
    struct mmu_path path;
    uint32_t ticks;

    walk(&reader, &u->env, u->cr3, linear, start, &path);
    u->walks++;
    u->walk_steps += path.read;
    ticks = u->prices.walk_base + u->prices.walk_step * path.read;
    mmu_emit_walk(u, linear, access.kind, &path);
    r.verdict = judge_path(u, linear, &access, &path);
    r.ok = r.verdict.broken == 0;
    if (r.ok) {
        if (set_ad_bits(u, &path, access.kind)) ticks += u->prices.walk_set_ad;
        if (stale_shift && stale_shift != tlb_shift(path.page_shift)) {
            tlb_drop_page(u->tlb, u->tlb->pcid, linear, true);
            r.dropped = true;
        }
        fill(u, linear, &access, stale_shift == 0, start, &path);
        r.phys = path.phys & u->a20_mask;
    } else {
        drop_faulting_page(u, linear);
    }
    *(ghost ? &r.refill_ticks : &r.walk_ticks) = ticks;
    return r;
}

/** Without paging the filter alone is filled; whoever turns paging on drops it. */
COLD struct mmu_result use_identity(struct mmu *u, uint64_t linear, struct mmu_access access)
{
    struct mmu_result r = {.ok = true, .verdict = {.rule = RS_RULE_NONE}};

    r.phys = linear & 0xffffffffu & u->a20_mask;
    fill_filter(u, linear, r.phys, access.kind, access_index(&access));
    return r;
}

struct mmu_result mmu_translate(struct mmu *u, uint64_t linear, struct mmu_access access)
{
    struct tlb_entry *e;
    bool ghost = false;
    uint32_t ticks = 0;

    if (!u->env.paging) return use_identity(u, linear, access);
    e = tlb_find_first(u->tlb, linear, access.kind == RS_FETCH, &ghost);
    if (!e) {
        u->tlb_misses++;
        ticks = u->prices.stlb_hit;
        e = tlb_find_second(u->tlb, linear, &ghost);
    }
    if (e && is_usable(e, &access)) return use_entry(u, linear, access, e, ticks);
    return use_tables(u, linear, access, e ? e->origin : 0, ghost && !e);
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
    rights = (struct mmu_rights){path->status, path->user, path->write, path->nx};
    if (env->paging) r.verdict = mmu_judge(env, &access, &rights);
    else r.verdict.rule = RS_RULE_NONE;
    r.ok = r.verdict.broken == 0;
    if (r.ok) r.phys = path->phys & u->a20_mask;
    return r;
}
