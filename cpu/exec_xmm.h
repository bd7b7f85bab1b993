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

/* ---- one handler a line -------------------------------------------------------------------------- */

/** Destination d, source s and result are vectors of `type`. */
#define PACKED(name, type, expression)                                                             \
    OP(name)                                                                                       \
    {                                                                                              \
        union xmm room;                                                                            \
        const union xmm *source = xmm_source(c, o, &room, 16);                                     \
        type d, s, r;                                                                              \
        if (!source) return STEP_FAULT;                                                            \
        memcpy(&s, source, 16);                                                                    \
        memcpy(&d, &c->xmm[o->reg], 16);                                                           \
        r = (type)(expression);                                                                    \
        memcpy(&c->xmm[o->reg], &r, 16);                                                           \
        return STEP_NEXT;                                                                          \
    }

/** Element by element: x of the destination, y of the source, read as type `as`, computed as `wide`. */
#define EACH(name, field, wide, as, expression)                                                    \
    OP(name)                                                                                       \
    {                                                                                              \
        union xmm room, r;                                                                         \
        const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);                    \
        if (!s) return STEP_FAULT;                                                                 \
        for (unsigned i = 0; i < sizeof(r.field) / sizeof(r.field[0]); i++) {                      \
            wide x = (as)d->field[i], y = (as)s->field[i];                                         \
            r.field[i] = (__typeof__(r.field[0]))(expression);                                     \
        }                                                                                          \
        c->xmm[o->reg] = r;                                                                        \
        return STEP_NEXT;                                                                          \
    }

/** Destination d (also the first source), second source s, result r, immediate imm. */
#define SHUFFLE(name, ...)                                                                         \
    OP(name)                                                                                       \
    {                                                                                              \
        union xmm room, r = c->xmm[o->reg];                                                        \
        const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);                    \
        unsigned imm = (uint8_t)o->imm;                                                            \
        if (!s) return STEP_FAULT;                                                                 \
        (void)imm;                                                                                 \
        (void)d;                                                                                   \
        __VA_ARGS__;                                                                               \
        c->xmm[o->reg] = r;                                                                        \
        return STEP_NEXT;                                                                          \
    }

static inline int clamp(int v, int low, int high) { return v < low ? low : v > high ? high : v; }
static inline uint8_t clamp_u8(int v) { return (uint8_t)clamp(v, 0, 255); }
static inline uint8_t clamp_i8(int v) { return (uint8_t)clamp(v, -128, 127); }
static inline uint16_t clamp_u16(int v) { return (uint16_t)clamp(v, 0, 65535); }
static inline uint16_t clamp_i16(int v) { return (uint16_t)clamp(v, -32768, 32767); }

/** Packing with saturation: d's elements below, s's above. */
#define PACK(name, to, from, signed_from, clamped)                                                 \
    OP(name)                                                                                       \
    {                                                                                              \
        union xmm room, r;                                                                         \
        const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);                    \
        if (!s) return STEP_FAULT;                                                                 \
        for (unsigned i = 0, n = sizeof(r.from) / sizeof(r.from[0]); i < n; i++) {                 \
            r.to[i] = clamped((signed_from)d->from[i]);                                            \
            r.to[n + i] = clamped((signed_from)s->from[i]);                                        \
        }                                                                                          \
        c->xmm[o->reg] = r;                                                                        \
        return STEP_NEXT;                                                                          \
    }

#endif
