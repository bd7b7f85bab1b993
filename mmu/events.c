/*
 * events.c - what the MMU tells observers. Nothing is built unless its mask bit is set.
 * The words of each kind are those of include/ringside/events.def.
 */
#include "mmu/parts.h"

/** Header as the CPU last left it in u->ev_*, then the sink. Returns the event's seq. */
static uint64_t emit(const struct mmu *u, enum rs_event_kind kind, unsigned how, uint64_t w0,
                     uint64_t w1, uint64_t w2, uint64_t w3)
{
    struct rs_event ev = {
        .kind = (uint16_t)kind,
        .cpu = u->ev_cpu,
        .cpl = u->ev_cpl,
        .rule = RS_RULE_NONE,
        .how = (uint8_t)how,
        .tick = u->ev_tick,
        .rip = u->ev_rip,
        .w = {w0, w1, w2, w3},
    };

    return u->events->emit(u->events->ctx, &ev);
}

void mmu_emit_walk(const struct mmu *u, uint64_t linear, unsigned kind, const struct mmu_path *path)
{
    uint64_t phys = path->status == WALK_OK ? path->phys & u->a20_mask : 0;
    uint64_t head = 0;

    if (mmu_listened(u, RS_EV_WALK))
        head = emit(u, RS_EV_WALK, kind, linear, phys, path->steps, path->status);
    if (!mmu_listened(u, RS_EV_WALK_STEP)) return;
    for (unsigned i = 0; i < path->steps; i++)
        emit(u, RS_EV_WALK_STEP, kind, head, path->step[i].at, path->step[i].entry,
             path->step[i].level);
}

void mmu_emit_ad(const struct mmu *u, const struct ad_update *update)
{
    if (mmu_listened(u, RS_EV_AD_SET))
        emit(u, RS_EV_AD_SET, 0, update->at, update->entry, update->level, 0);
}

void mmu_emit_fill(const struct mmu *u, uint64_t page, uint64_t phys, unsigned shift,
                   unsigned rights)
{
    if (mmu_listened(u, RS_EV_TLB_FILL)) emit(u, RS_EV_TLB_FILL, 0, page, phys, shift, rights);
}

void mmu_emit_flush(const struct mmu *u, uint64_t linear, unsigned pcid, enum flush_reason why)
{
    if (mmu_listened(u, RS_EV_TLB_FLUSH)) emit(u, RS_EV_TLB_FLUSH, why, linear, pcid, 0, 0);
}

void mmu_emit_stale(const struct mmu *u, uint64_t linear, unsigned rights)
{
    if (mmu_listened(u, RS_EV_TLB_STALE)) emit(u, RS_EV_TLB_STALE, 0, linear, rights, 0, 0);
}

/** The access and the control bits that decide, as CHECK's in1. */
static uint64_t pack_access(const struct mmu_env *env, const struct mmu_access *access)
{
    return access->kind | (uint64_t)access->user << 8 | (uint64_t)access->implicit << 9 |
           (uint64_t)access->ac << 10 | (uint64_t)env->wp << 11 | (uint64_t)env->smep << 12 |
           (uint64_t)env->smap << 13 | (uint64_t)env->nxe << 14;
}

static uint64_t pack_rights(const struct mmu_rights *rights, unsigned level)
{
    return (uint64_t)rights->user | (uint64_t)rights->write << 1 | (uint64_t)rights->nx << 2 |
           (uint64_t)rights->status << 4 | (uint64_t)level << 8;
}

void mmu_emit_checks(const struct mmu *u, uint64_t linear, const struct mmu_access *access,
                     const struct mmu_rights *rights, unsigned level, const struct mmu_verdict *v)
{
    uint64_t rules = v->broken ? v->broken : v->applied;
    uint32_t error = judge_error_code(&u->env, access, rights->status);
    struct rs_event ev = {
        .kind = RS_EV_CHECK,
        .cpu = u->ev_cpu,
        .cpl = u->ev_cpl,
        .verdict = v->broken != 0,
        .how = access->kind,
        .tick = u->ev_tick,
        .rip = u->ev_rip,
        .w = {linear, pack_access(&u->env, access), pack_rights(rights, level),
              VEC_PF | (uint64_t)error << 8 | 1ull << 40},
    };

    if (!mmu_listened(u, RS_EV_CHECK)) return;
    for (; rules; rules &= rules - 1) {
        struct rs_event one = ev;

        one.rule = (uint16_t)__builtin_ctzll(rules);
        u->events->emit(u->events->ctx, &one);
    }
}
