/*
 * judge.c - who may do what: the one permission check of paging. Pure.
 *
 * Two lines per rule. The first says when the rule is asked: the kind of access fits it and the
 * control bit it hangs on (WP, NXE with PAE, SMEP, SMAP) is set. The second says when it is broken.
 * RFLAGS.AC is an answer to SMAP's question, not a reason not to ask it.
 * All broken rules are collected; the lowest one is cited (rules.def, ORDER). A translation that
 * does not exist, or has a reserved bit set, has no rights to ask about.
 * Manual: SDM 3A "Access Rights", "Page-Fault Exceptions".
 */
#include "mmu/parts.h"

#define BIT(rule) (1ull << RS_RULE_##rule)

/** The access-rights rules, for a translation that is complete. */
static void judge_rights(const struct mmu_env *env, const struct mmu_access *access,
                         const struct mmu_rights *rights, struct mmu_verdict *v)
{
    bool fetch = access->kind == RS_FETCH;
    bool write = access->kind == RS_WRITE;
    bool user = access->user;
    bool explicit_data = !fetch && !user && !access->implicit;
    bool implicit_data = !fetch && !user && access->implicit;

    if (user) v->applied |= BIT(PG_US);
    if (user && !rights->user) v->broken |= BIT(PG_US);

    if (write && user) v->applied |= BIT(PG_WR_USER);
    if (write && user && !rights->write) v->broken |= BIT(PG_WR_USER);

    if (write && !user && env->wp) v->applied |= BIT(PG_WR_SUP);
    if (write && !user && env->wp && !rights->write) v->broken |= BIT(PG_WR_SUP);

    if (fetch && env->pae && env->nxe) v->applied |= BIT(PG_NX);
    if (fetch && env->pae && env->nxe && rights->nx) v->broken |= BIT(PG_NX);

    if (fetch && !user && env->smep) v->applied |= BIT(PG_SMEP);
    if (fetch && !user && env->smep && rights->user) v->broken |= BIT(PG_SMEP);

    if (explicit_data && env->smap) v->applied |= BIT(PG_SMAP);
    if (explicit_data && env->smap && rights->user && !access->ac) v->broken |= BIT(PG_SMAP);

    if (implicit_data && env->smap) v->applied |= BIT(PG_SMAP_IMPLICIT);
    if (implicit_data && env->smap && rights->user) v->broken |= BIT(PG_SMAP_IMPLICIT);
}

/* P is 0 only for an entry that is not present; RSVD comes with P=1. I is set only where a fetch
 * can be told from a read at all. */
uint32_t judge_error_code(const struct mmu_env *env, const struct mmu_access *access,
                          unsigned status)
{
    bool fetch = access->kind == RS_FETCH;
    uint32_t error = 0;

    if (status != WALK_NOT_PRESENT) error |= PFEC_P;
    if (status == WALK_RESERVED) error |= PFEC_RSVD;
    if (access->kind == RS_WRITE) error |= PFEC_W;
    if (access->user) error |= PFEC_U;
    if (fetch && env->smep) error |= PFEC_I;
    if (fetch && env->pae && env->nxe) error |= PFEC_I;
    return error;
}

struct mmu_verdict mmu_judge(const struct mmu_env *env, const struct mmu_access *access,
                             const struct mmu_rights *rights)
{
    struct mmu_verdict v = {.rule = RS_RULE_NONE};

    v.applied |= BIT(PG_P);
    if (rights->status == WALK_NOT_PRESENT) v.broken |= BIT(PG_P);
    if (rights->status != WALK_NOT_PRESENT) v.applied |= BIT(PG_RSVD);
    if (rights->status == WALK_RESERVED) v.broken |= BIT(PG_RSVD);
    if (rights->status == WALK_OK) judge_rights(env, access, rights, &v);
    if (v.broken) {
        v.rule = (uint16_t)__builtin_ctzll(v.broken);
        v.error = judge_error_code(env, access, rights->status);
    }
    return v;
}
