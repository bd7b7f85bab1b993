/*
 * world.h - a small machine for MMU tests: RAM, an MMU, page tables made as they are needed, and a
 * notebook of the events emitted.
 */
#ifndef TESTS_MMU_WORLD_H
#define TESTS_MMU_WORLD_H

#include "mmu/mmu.h"

#include <check.h>
#include <string.h>

#define MIB 0x100000ull
#define WORLD_RAM (64 * MIB)
#define WORLD_TABLES (32 * MIB) /* page tables from here up */
#define RWU (PTE_P | PTE_W | PTE_U)

struct world {
    struct ram ram;
    struct mmu mmu;
    uint64_t next_table;
    struct event_wire wire;
    struct rs_event event[512];
    unsigned events;
};

static inline uint64_t world_note(void *ctx, struct rs_event *ev)
{
    struct world *w = ctx;

    ev->seq = w->events + 1u;
    if (w->events < 512) w->event[w->events] = *ev;
    w->events++;
    return ev->seq;
}

/** Everything on, as a modern kernel has it. */
static inline struct mmu_env world_env(void)
{
    return (struct mmu_env){.paging = true,
                            .wp = true,
                            .pae = true,
                            .lma = true,
                            .nxe = true,
                            .smep = true,
                            .smap = true,
                            .pge = true,
                            .pages_1g = true,
                            .maxphyaddr = 46};
}

static inline uint64_t world_table(struct world *w)
{
    w->next_table += RAM_PAGE;
    return w->next_table - RAM_PAGE;
}

static struct world the_world;

static inline struct world *world_new_with(const struct mmu_geometry *geometry)
{
    struct world *w = &the_world;
    struct mmu_env env = world_env();

    memset(w, 0, sizeof(*w));
    ck_assert(ram_init(&w->ram, WORLD_RAM, WORLD_RAM));
    ck_assert(mmu_init(&w->mmu, &w->ram, geometry));
    w->mmu.prices = (struct mmu_prices){7, 100, 10, 1000};
    w->next_table = WORLD_TABLES;
    w->wire = (struct event_wire){.ctx = w, .mask = 0, .emit = world_note};
    w->mmu.events = &w->wire;
    mmu_set_env(&w->mmu, &env);
    mmu_write_cr3(&w->mmu, world_table(w), false);
    return w;
}
static inline struct world *world_new(void) { return world_new_with(&mmu_geometry_default); }

static inline void world_free(struct world *w)
{
    mmu_free(&w->mmu);
    ram_free(&w->ram);
}

/** Where the entry of this level for a linear address lies; missing tables above it are made, open
 *  to all. */
static inline uint64_t entry_at(struct world *w, uint64_t linear, unsigned level)
{
    uint64_t table = w->mmu.cr3 & PTE_ADDR;

    for (unsigned l = 4;; l--) {
        uint64_t at = table + (linear >> (3 + 9 * l) & 0x1ff) * 8;

        if (l == level) return at;
        if (!(ram_read64(&w->ram, at) & PTE_P)) ram_write64(&w->ram, at, world_table(w) | RWU);
        table = ram_read64(&w->ram, at) & PTE_ADDR;
    }
}
static inline uint64_t entry_get(struct world *w, uint64_t linear, unsigned level)
{
    return ram_read64(&w->ram, entry_at(w, linear, level));
}
static inline void entry_set(struct world *w, uint64_t linear, unsigned level, uint64_t value)
{
    ram_write64(&w->ram, entry_at(w, linear, level), value);
}
/** A 4-KByte page with these bits. */
static inline void map(struct world *w, uint64_t linear, uint64_t phys, uint64_t bits)
{
    entry_set(w, linear, 1, phys | bits);
}

static inline struct mmu_access user_access(unsigned kind)
{
    return (struct mmu_access){.kind = (uint8_t)kind, .user = true};
}
static inline struct mmu_access sup_access(unsigned kind)
{
    return (struct mmu_access){.kind = (uint8_t)kind};
}
static inline struct mmu_result user_do(struct world *w, unsigned kind, uint64_t linear)
{
    return mmu_translate(&w->mmu, linear, user_access(kind));
}
static inline struct mmu_result sup_do(struct world *w, unsigned kind, uint64_t linear)
{
    return mmu_translate(&w->mmu, linear, sup_access(kind));
}

static inline unsigned count_events(const struct world *w, unsigned kind)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->events && i < 512; i++) n += w->event[i].kind == kind;
    return n;
}

/** Does the filter hold the page, as cpu/mem.h would ask? Returns the host address of the byte. */
static inline uint8_t *filter_hit(const struct filter_slot *table, uint64_t key, uint64_t linear)
{
    const struct filter_slot *s = &table[(linear >> 12) % FILTER_SLOTS];

    return s->tag == ((linear & ~0xfffull) | key) ? (uint8_t *)(uintptr_t)(s->addend + linear)
                                                  : NULL;
}
static inline uint8_t *rd_hit(const struct world *w, enum filter_context c, uint64_t linear)
{
    return filter_hit(w->mmu.filter.rd[c], w->mmu.filter.key, linear);
}
static inline uint8_t *wr_hit(const struct world *w, enum filter_context c, uint64_t linear)
{
    return filter_hit(w->mmu.filter.wr[c], w->mmu.filter.key, linear);
}

#endif
