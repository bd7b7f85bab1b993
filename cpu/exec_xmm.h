/*
 * exec_xmm.h - operands of the SSE handlers.
 *
 * o->reg and o->rm are XMM numbers (or general registers where the instruction says so). The low
 * byte of o->imm is the immediate. Without an immediate imm is SSE_STORE or 0, with one SSE_STORE_IMM
 * is or-ed in; rows that can name a general register as r/m have SSE_GPR too (arch/ops_sse.def).
 * The vector types are the compilers' portable ones: +, -, compares and shifts work by element.
 */
#ifndef CPU_EXEC_XMM_H
#define CPU_EXEC_XMM_H

#include <string.h>

#include "cpu/exec_parts.h"

#define SSE_STORE 1        /* no immediate: operand 0 is the r/m side */
#define SSE_GPR 2          /* no immediate: the r/m operand is a general register */
#define SSE_STORE_IMM 0x100 /* with an immediate: operand 0 is the r/m side */

typedef uint8_t u8x16 __attribute__((vector_size(16)));
typedef uint16_t u16x8 __attribute__((vector_size(16)));
typedef uint32_t u32x4 __attribute__((vector_size(16)));
typedef uint64_t u64x2 __attribute__((vector_size(16)));
typedef int8_t i8x16 __attribute__((vector_size(16)));
typedef int16_t i16x8 __attribute__((vector_size(16)));
typedef int32_t i32x4 __attribute__((vector_size(16)));
typedef int64_t i64x2 __attribute__((vector_size(16)));

/** The 16-byte r/m operand: a register where it lies, memory by way of *room. NULL = c->fault. */
static inline const union xmm *xmm_source(struct cpu *c, const struct op *o, union xmm *room,
                                          unsigned align)
{
    if (!(o->flags & OPF_MEM)) return &c->xmm[o->rm];
    return mem_read_bytes(c, o->seg, ea(c, o), room, sizeof(*room), align) ? room : NULL;
}

/** The low n bytes of an XMM register, or n bytes of memory; n = 1, 2, 4, 8. */
static inline bool xmm_source_low(struct cpu *c, const struct op *o, unsigned n, uint64_t *value)
{
    if (o->flags & OPF_MEM) return mem_read(c, o->seg, ea(c, o), n, value);
    *value = c->xmm[o->rm].u64[0] & width_mask(n);
    return true;
}

#endif
