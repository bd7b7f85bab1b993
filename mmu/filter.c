/*
 * filter.c - the software table of host pointers that makes hits cheap.
 *
 * Guarantee (kept with tlb.c): a slot lives only while the modelled L1 entry of its page lives, so a
 * filter hit is an L1 hit. A slot is live if its tag carries the current key; dropping all of them
 * is one increment. Empty slots have tag 0, which no key makes.
 */
#include "mmu/parts.h"

#include <string.h>

#define PAGE_MASK (~0xfffull)

void filter_fill_data(struct filter *f, uint8_t bits, uint64_t linear, const uint8_t *host_page)
{
    uint64_t page = linear & PAGE_MASK;
    struct filter_slot slot = {page | f->key, (uint64_t)(uintptr_t)host_page - page};
    unsigned index = (linear >> 12) % FILTER_SLOTS;

    for (unsigned context = 0; context < FILTER_CONTEXTS; context++) {
        if (bits & filter_data_bit(context, false)) f->rd[context][index] = slot;
        if (bits & filter_data_bit(context, true)) f->wr[context][index] = slot;
    }
}

void filter_fill_fetch(struct filter *f, uint8_t bits, uint64_t linear, uint64_t phys_page)
{
    struct fetch_slot slot = {(linear & PAGE_MASK) | f->key, phys_page};
    unsigned index = (linear >> 12) % FETCH_SLOTS;

    if (bits & 1) f->fetch[0][index] = slot;
    if (bits & 2) f->fetch[1][index] = slot;
}

static inline bool within(uint64_t tag, uint64_t page, unsigned shift)
{
    return (tag ^ page) >> shift == 0;
}

void filter_kill_data(struct filter *f, uint8_t bits, unsigned slot, uint64_t page, unsigned shift)
{
    for (unsigned context = 0; context < FILTER_CONTEXTS; context++) {
        struct filter_slot *rd = &f->rd[context][slot], *wr = &f->wr[context][slot];

        if (bits & filter_data_bit(context, false) && within(rd->tag, page, shift)) rd->tag = 0;
        if (bits & filter_data_bit(context, true) && within(wr->tag, page, shift)) wr->tag = 0;
    }
}

void filter_kill_fetch(struct filter *f, uint8_t bits, unsigned slot, uint64_t page, unsigned shift)
{
    for (unsigned ring = 0; ring < 2; ring++) {
        struct fetch_slot *s = &f->fetch[ring][slot];

        if (bits & (1u << ring) && within(s->tag, page, shift)) s->tag = 0;
    }
}

void filter_drop(struct filter *f)
{
    if (++f->key <= FILTER_KEY_MAX) return;
    memset(f, 0, sizeof(*f)); /* the keys are used up: sweep, once in 4095 drops */
    f->key = 1;
}
