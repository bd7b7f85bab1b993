/*
 * psc.c - the paging-structure caches: PML4E, PDPTE and PDE caches that let a walk start lower.
 *
 * Entries are made only from entries of an allowed walk that point to a table: present, A=1, PS=0,
 * no reserved bit. They hold the rights combined from the root, are looked up longest match first,
 * and, like TLB entries, may be stale. They are never global. Replacement as in tlb.h.
 * Manual: SDM 3A "Paging-Structure Caches".
 */
#include "mmu/tlb.h"

#include <stdlib.h>

static bool cache_init(struct psc_cache *c, uint16_t count)
{
    c->count = count;
    if (count == 0) return true;
    c->entry = calloc(count, sizeof(*c->entry));
    return c->entry != NULL;
}

bool psc_init(struct mmu_tlb *t, const struct mmu_geometry *geometry)
{
    return cache_init(&t->psc[2], geometry->pde_cache) &&
           cache_init(&t->psc[3], geometry->pdpte_cache) &&
           cache_init(&t->psc[4], geometry->pml4e_cache);
}

void psc_free(struct mmu_tlb *t)
{
    for (unsigned level = 2; level <= 4; level++) free(t->psc[level].entry);
}

bool psc_is_live(const struct mmu_tlb *t, const struct psc_entry *e)
{
    const struct address_space *s = &t->space[e->pcid];

    return e->id != 0 && s->epoch == t->epoch && s->psc_id == e->id;
}

static struct psc_entry *cache_find(const struct mmu_tlb *t, unsigned level, uint64_t linear)
{
    const struct psc_cache *c = &t->psc[level];
    uint64_t tag = linear >> level_shift(level), id = t->current->psc_id;

    for (unsigned i = 0; i < c->count; i++)
        if (c->entry[i].tag == tag && c->entry[i].id == id) return &c->entry[i];
    return NULL;
}

/* Since its last drop no entry has been made for this space: nothing to look through. */
static bool is_empty(const struct mmu_tlb *t) { return t->current->psc_filled != t->current->psc_id; }

bool psc_find(const struct mmu_tlb *t, uint64_t linear, struct walk_start *start)
{
    if (is_empty(t)) return false;
    for (unsigned level = 2; level <= 4; level++) {
        const struct psc_entry *e = cache_find(t, level, linear);

        if (!e) continue;
        *start = (struct walk_start){(uint8_t)(level - 1), e->base, e->user, e->write, e->nx};
        return true;
    }
    return false;
}

static struct psc_entry *choose(const struct mmu_tlb *t, struct psc_cache *c)
{
    struct psc_entry *victim;

    for (unsigned i = 0; i < c->count; i++)
        if (!psc_is_live(t, &c->entry[i])) return &c->entry[i];
    victim = &c->entry[c->next];
    c->next = (uint16_t)((c->next + 1u) % c->count);
    return victim;
}

/** The entry is not in the cache yet: the walk would have started below it. */
static void cache_fill(struct mmu_tlb *t, unsigned level, uint64_t linear, uint64_t base,
                       const struct walk_start *rights)
{
    struct psc_cache *c = &t->psc[level];

    if (c->count == 0) return;
    /* field by field: a whole struct would be built elsewhere and copied */
    struct psc_entry *e = choose(t, c);
    e->tag = linear >> level_shift(level);
    e->id = t->current->psc_id;
    e->base = base;
    e->pcid = t->pcid;
    e->user = rights->user;
    e->write = rights->write;
    e->nx = rights->nx;
    t->current->psc_filled = t->current->psc_id;
    t->current->used = true;
}

void psc_fill(struct mmu_tlb *t, uint64_t linear, const struct walk_start *start,
              const struct mmu_path *path)
{
    struct walk_start rights = {.user = true, .write = true};

    if (start) rights = *start;
    for (unsigned i = 0; i + 1u < path->steps; i++) {
        uint64_t entry = path->step[i].entry;

        rights.user &= (entry & PTE_U) != 0;
        rights.write &= (entry & PTE_W) != 0;
        rights.nx |= (entry & PTE_XD) != 0;
        cache_fill(t, path->step[i].level, linear, entry & PTE_ADDR, &rights);
    }
}

void psc_drop_address(struct mmu_tlb *t, uint64_t linear)
{
    if (is_empty(t)) return;
    for (unsigned level = 2; level <= 4; level++) {
        struct psc_entry *e = cache_find(t, level, linear);

        if (e) e->id = 0;
    }
}

void psc_drop_space(struct mmu_tlb *t, unsigned pcid)
{
    struct address_space *s = &t->space[pcid];

    if (s->epoch == t->epoch) s->psc_id = ++t->last_id;
}
