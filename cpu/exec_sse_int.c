/*
 * exec_sse_int.c - SSE2 packed integers and bitwise logic: element by element, no flags, no
 * exceptions but those of the memory operand (16 bytes, aligned).
 *
 * PACKED, EACH and PACK (exec_xmm.h) stamp out one handler a line: the expression is the instruction.
 * Manual: SDM 2A "ANDPS"; SDM 2B "PADDB/PADDW/PADDD/PADDQ" and the other instructions by name.
 */
#include "cpu/exec_xmm.h"

/* ---- logic -------------------------------------------------------------------------------------- */

PACKED(pand, u64x2, d & s)
PACKED(pandn, u64x2, ~d & s)
PACKED(por, u64x2, d | s)
PACKED(pxor, u64x2, d ^ s)

/* ---- addition and subtraction ---------------------------------------------------------------------- */

PACKED(paddb, u8x16, d + s)
PACKED(paddw, u16x8, d + s)
PACKED(paddd, u32x4, d + s)
PACKED(paddq, u64x2, d + s)
PACKED(psubb, u8x16, d - s)
PACKED(psubw, u16x8, d - s)
PACKED(psubd, u32x4, d - s)
PACKED(psubq, u64x2, d - s)

EACH(paddsb, u8, int, int8_t, clamp_i8(x + y))
EACH(paddsw, u16, int, int16_t, clamp_i16(x + y))
EACH(paddusb, u8, int, uint8_t, clamp_u8(x + y))
EACH(paddusw, u16, int, uint16_t, clamp_u16(x + y))
EACH(psubsb, u8, int, int8_t, clamp_i8(x - y))
EACH(psubsw, u16, int, int16_t, clamp_i16(x - y))
EACH(psubusb, u8, int, uint8_t, clamp_u8(x - y))
EACH(psubusw, u16, int, uint16_t, clamp_u16(x - y))

EACH(pavgb, u8, unsigned, uint8_t, (x + y + 1) >> 1)
EACH(pavgw, u16, unsigned, uint16_t, (x + y + 1) >> 1)

/* ---- multiplication ---------------------------------------------------------------------------------- */

PACKED(pmullw, u16x8, d * s)
EACH(pmulhw, u16, int, int16_t, (x * y) >> 16)
EACH(pmulhuw, u16, unsigned, uint16_t, (x * y) >> 16)
EACH(pmuludq, u64, uint64_t, uint32_t, x * y)

OP(pmaddwd)
{
    union xmm room, r;
    const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);

    if (!s) return STEP_FAULT;
    for (unsigned i = 0; i < 4; i++) {
        int32_t low = (int16_t)d->u16[2 * i] * (int16_t)s->u16[2 * i];
        int32_t high = (int16_t)d->u16[2 * i + 1] * (int16_t)s->u16[2 * i + 1];
        r.u32[i] = (uint32_t)low + (uint32_t)high; /* wraps for 8000H in all four */
    }
    c->xmm[o->reg] = r;
    return STEP_NEXT;
}

OP(psadbw)
{
    union xmm room, r = {.u64 = {0, 0}};
    const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);

    if (!s) return STEP_FAULT;
    for (unsigned i = 0; i < 16; i++) {
        uint8_t x = d->u8[i], y = s->u8[i];
        r.u64[i / 8] += x > y ? (uint8_t)(x - y) : (uint8_t)(y - x);
    }
    c->xmm[o->reg] = r;
    return STEP_NEXT;
}

/* ---- comparison: all ones where it holds -------------------------------------------------------------- */

PACKED(pcmpeqb, i8x16, d == s)
PACKED(pcmpeqw, i16x8, d == s)
PACKED(pcmpeqd, i32x4, d == s)
PACKED(pcmpgtb, i8x16, d > s)
PACKED(pcmpgtw, i16x8, d > s)
PACKED(pcmpgtd, i32x4, d > s)

EACH(pminub, u8, uint8_t, uint8_t, x < y ? x : y)
EACH(pmaxub, u8, uint8_t, uint8_t, x > y ? x : y)
EACH(pminsw, u16, int16_t, int16_t, x < y ? x : y)
EACH(pmaxsw, u16, int16_t, int16_t, x > y ? x : y)

/* ---- packing with saturation ------------------------------------------------------------------------- */

PACK(packsswb, u8, u16, int16_t, clamp_i8)
PACK(packuswb, u8, u16, int16_t, clamp_u8)
PACK(packssdw, u16, u32, int32_t, clamp_i16)

/* ---- shifts ------------------------------------------------------------------------------------------------
 * By an immediate the operand is r/m (a register); else reg, by the low 64 bits of r/m. A count of
 * the element's width or more gives zeros, or for PSRA copies of the sign.
 */

/** Which register is shifted, and by how much; NULL = c->fault. */
static inline union xmm *shifted(struct cpu *c, const struct op *o, uint64_t *count)
{
    union xmm room;
    const union xmm *s;

    if (o->imm & SSE_STORE_IMM) {
        *count = (uint8_t)o->imm;
        return &c->xmm[o->rm];
    }
    s = xmm_source(c, o, &room, 16);
    if (!s) return NULL;
    *count = s->u64[0];
    return &c->xmm[o->reg];
}

#define SHIFT_EACH(name, field, bits, beyond, expression)                                          \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t count;                                                                            \
        union xmm *d = shifted(c, o, &count);                                                      \
        if (!d) return STEP_FAULT;                                                                 \
        unsigned n = count < (bits) ? (unsigned)count : (beyond);                                  \
        for (unsigned i = 0; i < 128 / (bits); i++) {                                              \
            uint64_t x = d->field[i];                                                              \
            d->field[i] = (__typeof__(d->field[0]))(expression);                                   \
        }                                                                                          \
        return STEP_NEXT;                                                                          \
    }

SHIFT_EACH(psllw, u16, 16, 16, x << n)
SHIFT_EACH(pslld, u32, 32, 32, x << n)
SHIFT_EACH(psllq, u64, 64, 64, n < 64 ? x << n : 0)
SHIFT_EACH(psrlw, u16, 16, 16, x >> n)
SHIFT_EACH(psrld, u32, 32, 32, x >> n)
SHIFT_EACH(psrlq, u64, 64, 64, n < 64 ? x >> n : 0)
SHIFT_EACH(psraw, u16, 16, 15, (int16_t)x >> n)
SHIFT_EACH(psrad, u32, 32, 31, (int32_t)x >> n)

/* Whole-register shifts count bytes. */
OP(pslldq)
{
    union xmm *d = &c->xmm[o->rm], r = {.u64 = {0, 0}};
    unsigned n = (uint8_t)o->imm;

    for (unsigned i = n; i < 16; i++) r.u8[i] = d->u8[i - n];
    *d = r;
    return STEP_NEXT;
}

OP(psrldq)
{
    union xmm *d = &c->xmm[o->rm], r = {.u64 = {0, 0}};
    unsigned n = (uint8_t)o->imm;

    for (unsigned i = n; i < 16; i++) r.u8[i - n] = d->u8[i];
    *d = r;
    return STEP_NEXT;
}
