/*
 * filter.c - the software table of host pointers that makes hits cheap.
 *
 * Guarantee (kept with tlb.c): a slot lives only while the modelled L1 entry of its page does, so a
 * filter hit is an L1 hit. A slot is live if its tag carries the current key; dropping all of them
 * is one increment. Empty slots have tag 0, which no key makes. Filling and killing one slot is in
 * parts.h, inline.
 */
#include "mmu/parts.h"

#include <string.h>

void filter_drop(struct filter *f)
{
    if (++f->key <= FILTER_KEY_MAX) return;
    memset(f, 0, sizeof(*f)); /* the keys are used up: sweep, once in 4095 drops */
    f->key = 1;
}
