/*
 * control.c - life of an MMU, and what control-register writes and invalidating instructions drop.
 *
 *   dropped                  CR0.PG 1>0  CR4.PGE change  PCIDE 1>0  PAE change, SMEP 0>1  MOV CR3
 *   TLB and PSC of           every PCID  every PCID      every PCID the current PCID      its PCID
 *   globals                  yes         yes             yes        yes                   no
 *   WP, SMAP, NXE, PSE: nothing, since cached rights are judged under the present control bits.
 *
 * The filter is dropped whenever a control bit changes or a PCID's entries go.
 * Manual: SDM 3A "Operations that Invalidate TLBs and Paging-Structure Caches"; SDM 2 "INVLPG",
 * "INVPCID".
 */
#include "mmu/tlb.h"

#include <string.h>

_Static_assert(sizeof(struct mmu_env) == 48, "mmu_env has no padding: it is compared as bytes");

bool mmu_init(struct mmu *u, struct ram *ram, const struct mmu_geometry *geometry)
{
    memset(u, 0, sizeof(*u));
    u->ram = ram;
    u->a20_mask = ~0ull;
    u->filter.key = 1;
    u->tlb = tlb_new(geometry, &u->filter);
    if (u->tlb) verdicts_renew(u->tlb, &u->env);
    return u->tlb != NULL;
}

void mmu_free(struct mmu *u)
{
    tlb_free(u->tlb);
    u->tlb = NULL;
}

static unsigned current_pcid(const struct mmu *u)
{
    return u->env.pcide ? (unsigned)(u->cr3 & CR3_PCID) : 0;
}

void mmu_drop_filter(struct mmu *u) { filter_drop(&u->filter); }

void mmu_set_env(struct mmu *u, const struct mmu_env *env)
{
    struct mmu_env old = u->env;

    if (memcmp(&old, env, sizeof(old)) == 0) return;
    u->env = *env;
    verdicts_renew(u->tlb, env);
    mmu_drop_filter(u);
    if (env->pae) u->tlb->halves = false; /* the pieces go with the change of PAE */
    if (old.pcide != env->pcide) tlb_select(u->tlb, current_pcid(u));
    if (old.paging && !env->paging) mmu_flush_all(u, FLUSH_CR0);
    else if (old.pge != env->pge || (old.pcide && !env->pcide)) mmu_flush_all(u, FLUSH_CR4);
    else if (old.pae != env->pae || (!old.smep && env->smep))
        mmu_flush_pcid(u, current_pcid(u), true, FLUSH_CR4);
}

void mmu_pdptes_peek(const struct mmu *u, uint64_t cr3, uint64_t pdpte[4])
{
    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = ram_read64(u->ram, ((cr3 & 0xffffffe0ull) + 8 * i) & u->a20_mask);
}

void mmu_write_cr3(struct mmu *u, uint64_t cr3, bool noflush)
{
    u->cr3 = cr3 & ~CR3_NOFLUSH;
    tlb_select(u->tlb, current_pcid(u));
    if (noflush) mmu_drop_filter(u);
    else mmu_flush_pcid(u, current_pcid(u), false, FLUSH_CR3);
}

void mmu_flush_all(struct mmu *u, enum flush_reason why)
{
    tlb_flush_spaces(u->tlb, true);
    mmu_drop_filter(u);
    mmu_emit_flush(u, 0, current_pcid(u), why);
}

void mmu_flush_pcid(struct mmu *u, unsigned pcid, bool globals, enum flush_reason why)
{
    tlb_flush_space(u->tlb, pcid, globals);
    mmu_drop_filter(u);
    mmu_emit_flush(u, 0, pcid, why);
}

void mmu_invlpg(struct mmu *u, uint64_t linear)
{
    unsigned pcid = current_pcid(u);

    tlb_drop_page(u->tlb, pcid, linear, true);
    psc_drop_space(u->tlb, pcid);
    mmu_emit_flush(u, linear, pcid, FLUSH_INVLPG);
}

/** Types: 0 one address of one PCID, 1 one PCID, 2 everything, 3 everything but globals. */
void mmu_invpcid(struct mmu *u, unsigned type, unsigned pcid, uint64_t linear)
{
    switch (type) {
    case 0:
        tlb_drop_page(u->tlb, pcid, linear, false);
        psc_drop_space(u->tlb, pcid);
        mmu_emit_flush(u, linear, pcid, FLUSH_INVPCID);
        break;
    case 1: mmu_flush_pcid(u, pcid, false, FLUSH_INVPCID); break;
    case 2: mmu_flush_all(u, FLUSH_INVPCID); break;
    default:
        tlb_flush_spaces(u->tlb, false);
        mmu_drop_filter(u);
        mmu_emit_flush(u, 0, pcid, FLUSH_INVPCID);
        break;
    }
}
