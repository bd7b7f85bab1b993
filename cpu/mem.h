/*
 * mem.h - the inline memory path of the hot handlers: one look into the filter, else a call.
 *
 * Only for flat operands of 64-bit mode (OPF_FLAT): no segment base, no limit. A slow path brings
 * back the op to go on with: o + 1, the break op when the block must be left after this instruction,
 * or NULL when the access faulted (the chain is over, c->exit is set).
 */
#ifndef CPU_MEM_H
#define CPU_MEM_H

#include "cpu/cpu.h"

#include <string.h>

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/** Slow halves (mem.c). The loaded value is in c->mem_val. */
const struct op *mem_load_slow(struct cpu *c, const struct op *o, uint64_t lin, unsigned n);
const struct op *mem_load_rmw_slow(struct cpu *c, const struct op *o, uint64_t lin, unsigned n);
const struct op *mem_store_slow(struct cpu *c, const struct op *o, uint64_t lin, unsigned n, uint64_t v);

/** Host address if the access hits the filter, else NULL. */
static inline __attribute__((always_inline)) void *mem_hit(const struct cpu *c,
                                                           const struct filter_slot *table,
                                                           uint64_t lin, unsigned n)
{
    const struct filter_slot *s = &table[(lin >> 12) & (FILTER_SLOTS - 1)];
    uint64_t want = ((lin + n - 1) & ~0xfffull) | c->mmu.filter.key;

    return LIKELY(s->tag == want) ? (void *)(uintptr_t)(s->addend + lin) : NULL;
}

/* Effective addresses of flat operands: base + disp, base + index * scale + disp. */
#define EA_B(c, o) ((c)->gpr[(o)->base] + (uint64_t)(int64_t)(o)->disp)
#define EA_X(c, o)                                                                                 \
    ((c)->gpr[(o)->base] + ((c)->gpr[(o)->index] << (o)->scale) + (uint64_t)(int64_t)(o)->disp)

/* Load a T at linear address `lin` into `v`; declares and sets `next`. */
#define MEM_LOAD(c, o, T, lin, v, next)                                                            \
    do {                                                                                           \
        uint64_t lin_ = (lin);                                                                     \
        const void *p_ = mem_hit((c), (c)->rd, lin_, sizeof(T));                                   \
        if (LIKELY(p_ != NULL)) {                                                                  \
            (v) = *(const T *)p_;                                                                  \
        } else {                                                                                   \
            (next) = mem_load_slow((c), (o), lin_, sizeof(T));                                     \
            if ((next) == NULL) return NULL;                                                       \
            (v) = (T)(c)->mem_val;                                                                 \
        }                                                                                          \
    } while (0)

#define MEM_STORE(c, o, T, lin, v, next)                                                           \
    do {                                                                                           \
        uint64_t lin_ = (lin);                                                                     \
        void *p_ = mem_hit((c), (c)->wr, lin_, sizeof(T));                                         \
        if (LIKELY(p_ != NULL)) {                                                                  \
            *(T *)p_ = (v);                                                                        \
        } else {                                                                                   \
            (next) = mem_store_slow((c), (o), lin_, sizeof(T), (uint64_t)(v));                     \
            if ((next) == NULL) return NULL;                                                       \
        }                                                                                          \
    } while (0)

#endif
