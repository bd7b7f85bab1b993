/*
 * state.c - the modelled TLB for those who look at it: the state hash and viewers.
 *
 * The hash takes what decides the machine's future and nothing else: live entries where they are,
 * and the FIFO pointers. Ids, ghosts and filter bookkeeping are left out, so the bytes are the same
 * whatever the host did and whatever was flushed before.
 */
#include "mmu/tlb.h"

#include <string.h>

struct sink {
    void *ctx;
    void (*put)(void *ctx, const void *bytes, size_t n);
};

/** One live entry as bytes without padding. */
static void put_tlb_entry(const struct sink *s, const struct tlb_array *a, unsigned array,
                          unsigned index)
{
    const struct tlb_entry *e = &a->entry[index];
    uint64_t words[4] = {(uint64_t)array << 32 | index, e->tag, e->phys,
                         e->pcid | (uint64_t)e->rights << 16 | (uint64_t)e->origin << 24};

    if (e->rights & TLB_GLOBAL) words[3] &= ~0xffffull; /* whose it was no longer matters */
    s->put(s->ctx, words, sizeof(words));
}

static void put_array(const struct mmu_tlb *t, unsigned array, const struct sink *s)
{
    const struct tlb_array *a = &t->array[array];
    unsigned entries = a->sets * a->stride;

    if (a->sets) s->put(s->ctx, a->next, a->sets);
    if (!a->ever) return;
    for (unsigned i = 0; i < entries; i++)
        if (tlb_is_live(t, &a->entry[i])) put_tlb_entry(s, a, array, i);
}

static void put_psc(const struct mmu_tlb *t, unsigned level, const struct sink *s)
{
    const struct psc_cache *c = &t->psc[level];
    uint64_t next = c->next;

    s->put(s->ctx, &next, sizeof(next));
    for (unsigned i = 0; i < c->count; i++) {
        const struct psc_entry *e = &c->entry[i];
        uint64_t words[4] = {(uint64_t)level << 40 | i, e->tag, e->base,
                             e->pcid | (uint64_t)e->user << 16 | (uint64_t)e->write << 17 |
                                 (uint64_t)e->nx << 18};

        if (psc_is_live(t, e)) s->put(s->ctx, words, sizeof(words));
    }
}

void mmu_hash_state(const struct mmu *u, void *ctx,
                    void (*put)(void *ctx, const void *bytes, size_t n))
{
    struct sink s = {ctx, put};

    for (unsigned i = 0; i < TLB_ARRAYS; i++) put_array(u->tlb, i, &s);
    for (unsigned level = 2; level <= 4; level++) put_psc(u->tlb, level, &s);
}

static void view_entry(const struct mmu_tlb *t, const struct tlb_array *a, unsigned index,
                       struct mmu_tlb_view *out)
{
    const struct tlb_entry *e = &a->entry[index / a->ways * a->stride + index % a->ways];

    *out = (struct mmu_tlb_view){
        .array = a->name,
        .set = (uint16_t)(index / a->ways),
        .way = (uint16_t)(index % a->ways),
        .valid = tlb_is_live(t, e),
        .global = (e->rights & TLB_GLOBAL) != 0,
        .user = (e->rights & TLB_USER) != 0,
        .write = (e->rights & TLB_WRITE) != 0,
        .nx = (e->rights & TLB_NX) != 0,
        .dirty = (e->rights & TLB_DIRTY) != 0,
        .pcid = e->pcid,
        .page_shift = e->tag & 0x3f,
        .linear = page_base(e->tag, 12),
        .phys = e->phys,
    };
}

bool mmu_tlb_view(const struct mmu *u, unsigned index, struct mmu_tlb_view *out)
{
    for (unsigned i = 0; i < TLB_ARRAYS; i++) {
        const struct tlb_array *a = &u->tlb->array[i];
        unsigned entries = a->sets * a->ways;

        if (index < entries) {
            view_entry(u->tlb, a, index, out);
            return true;
        }
        index -= entries;
    }
    return false;
}
