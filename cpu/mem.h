/*
 * mem.h - the inline memory path of the hot handlers: one look into the filter, else a tail call.
 *
 * Only for flat operands of 64-bit mode (OPF_FLAT): no segment base, no limit. A handler whose access
 * misses tail-calls its generic twin, which does everything by calls (mem_read, mem_write) and fills
 * the filter on its way: so the fast handlers keep no frame.
 */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include "cpu/cpu.h"

#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* Guest operands lie at any address. */
typedef uint8_t ua8;
typedef uint16_t __attribute__((aligned(1), may_alias)) ua16;
typedef uint32_t __attribute__((aligned(1), may_alias)) ua32;
typedef uint64_t __attribute__((aligned(1), may_alias)) ua64;

/** Host address if the access hits the filter, else NULL. */
static inline __attribute__((always_inline)) void *mem_hit(const struct cpu *c,
                                                           const struct filter_slot *table,
                                                           uint64_t lin, unsigned n)
{
    const struct filter_slot *s = &table[(lin >> 12) & (FILTER_SLOTS - 1)];
    uint64_t want = ((lin + n - 1) & ~0xfffull) | c->mmu.filter.key;

    if (UNLIKELY(s->tag != want)) return NULL;
    void *p = (void *)(uintptr_t)(s->addend + lin);
    if (p == NULL) __builtin_unreachable();
    return p;
}

/* Effective addresses of flat operands: base + disp, base + index * scale + disp. */
#define EA_B(c, o) ((c)->gpr[(o)->base] + (uint64_t)(int64_t)(o)->disp)
#define EA_X(c, o)                                                                                 \
    ((c)->gpr[(o)->base] + ((c)->gpr[(o)->index] << (o)->scale) + (uint64_t)(int64_t)(o)->disp)

#endif
