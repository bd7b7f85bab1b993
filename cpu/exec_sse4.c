/*
 * exec_sse4.c - what SSE3, SSSE3, SSE4.1 and SSE4.2 add to moves and packed integers, and the
 * blends. (Their floating-point arithmetic and the string compares are elsewhere, or not yet.)
 * Manual: SDM 2A, 2B: the instructions by name.
 */
#include "cpu/exec_xmm.h"

/* ---- SSE3 moves ------------------------------------------------------------------------------------ */

OP(movddup)
{
    uint64_t value;

    if (!xmm_source_low(c, o, 8, &value)) return STEP_FAULT;
    c->xmm[o->reg] = (union xmm){.u64 = {value, value}};
    return STEP_NEXT;
}

SHUFFLE(movsldup, for (unsigned i = 0; i < 4; i++) r.u32[i] = s->u32[i & 2])
SHUFFLE(movshdup, for (unsigned i = 0; i < 4; i++) r.u32[i] = s->u32[i | 1])

/* ---- SSSE3 ------------------------------------------------------------------------------------------- */

SHUFFLE(pshufb, for (unsigned i = 0; i < 16; i++) r.u8[i] = s->u8[i] & 0x80 ? 0 : d->u8[s->u8[i] & 15])

/* d above s, shifted right by imm bytes */
SHUFFLE(palignr, for (unsigned i = 0; i < 16; i++) {
    unsigned from = imm + i;
    r.u8[i] = from < 16 ? s->u8[from] : from < 32 ? d->u8[from - 16] : 0;
})

EACH(pabsb, u8, int, int8_t, ((void)x, y < 0 ? -y : y))
EACH(pabsw, u16, int, int16_t, ((void)x, y < 0 ? -y : y))
EACH(pabsd, u32, int64_t, int32_t, ((void)x, y < 0 ? -y : y))
EACH(psignb, u8, int, int8_t, y < 0 ? -x : y ? x : 0)
EACH(psignw, u16, int, int16_t, y < 0 ? -x : y ? x : 0)
EACH(psignd, u32, int64_t, int32_t, y < 0 ? -x : y ? x : 0)
EACH(pmulhrsw, u16, int, int16_t, ((x * y >> 14) + 1) >> 1)

OP(pmaddubsw)
{
    union xmm room, r;
    const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);

    if (!s) return STEP_FAULT;
    for (unsigned i = 0; i < 8; i++)
        r.u16[i] = clamp_i16(d->u8[2 * i] * (int8_t)s->u8[2 * i] +
                             d->u8[2 * i + 1] * (int8_t)s->u8[2 * i + 1]);
    c->xmm[o->reg] = r;
    return STEP_NEXT;
}

/* Neighbours x and y of d fill the lower half, those of s the upper one. */
#define HORIZONTAL(name, field, count, as, expression)                                             \
    SHUFFLE(name, for (unsigned i = 0; i < (count); i++) {                                         \
        const union xmm *from = i < (count) / 2 ? d : s;                                           \
        as x = (as)from->field[2 * i % (count)], y = (as)from->field[2 * i % (count) + 1];         \
        r.field[i] = (__typeof__(r.field[0]))(expression);                                         \
    })

HORIZONTAL(phaddw, u16, 8, uint16_t, x + y)
HORIZONTAL(phaddd, u32, 4, uint32_t, x + y)
HORIZONTAL(phaddsw, u16, 8, int16_t, clamp_i16(x + y))
HORIZONTAL(phsubw, u16, 8, uint16_t, x - y)
HORIZONTAL(phsubd, u32, 4, uint32_t, x - y)
HORIZONTAL(phsubsw, u16, 8, int16_t, clamp_i16(x - y))

/* ---- SSE4.1: arithmetic and comparison ------------------------------------------------------------------- */

PACKED(pmulld, u32x4, d * s)
EACH(pmuldq, u64, int64_t, int32_t, x * y)
EACH(pminsb, u8, int8_t, int8_t, x < y ? x : y)
EACH(pmaxsb, u8, int8_t, int8_t, x > y ? x : y)
EACH(pminuw, u16, uint16_t, uint16_t, x < y ? x : y)
EACH(pmaxuw, u16, uint16_t, uint16_t, x > y ? x : y)
EACH(pminsd, u32, int32_t, int32_t, x < y ? x : y)
EACH(pmaxsd, u32, int32_t, int32_t, x > y ? x : y)
EACH(pminud, u32, uint32_t, uint32_t, x < y ? x : y)
EACH(pmaxud, u32, uint32_t, uint32_t, x > y ? x : y)
PACKED(pcmpeqq, i64x2, d == s)
PACKED(pcmpgtq, i64x2, d > s) /* SSE4.2 */
PACK(packusdw, u16, u32, int32_t, clamp_u16)

/* ZF: no common bit. CF: no bit of s outside d. */
OP(ptest)
{
    union xmm room;
    const union xmm *d = &c->xmm[o->reg], *s = xmm_source(c, o, &room, 16);
    uint64_t both, outside;

    if (!s) return STEP_FAULT;
    both = (d->u64[0] & s->u64[0]) | (d->u64[1] & s->u64[1]);
    outside = (~d->u64[0] & s->u64[0]) | (~d->u64[1] & s->u64[1]);
    fl_put(c, (both ? 0 : RF_ZF) | (outside ? 0 : RF_CF));
    return STEP_NEXT;
}

/* The smallest word and its place. */
SHUFFLE(phminposuw, {
    unsigned at = 0;
    for (unsigned i = 1; i < 8; i++)
        if (s->u16[i] < s->u16[at]) at = i;
    r = (union xmm){.u64 = {s->u16[at] | (uint64_t)at << 16, 0}};
})

/* Sums of absolute differences of one group of four bytes of s with eight overlapping ones of d. */
SHUFFLE(mpsadbw, for (unsigned i = 0; i < 8; i++) {
    unsigned sum = 0;
    for (unsigned k = 0; k < 4; k++) {
        int x = d->u8[(imm & 4) + i + k], y = s->u8[(imm & 3) * 4 + k];
        sum += (unsigned)(x > y ? x - y : y - x);
    }
    r.u16[i] = (uint16_t)sum;
})

/* ---- SSE4.1: widening ------------------------------------------------------------------------------------ */

#define WIDEN(name, from, as, to, wide, count)                                                     \
    OP(name)                                                                                       \
    {                                                                                              \
        union xmm s = {.u64 = {0, 0}}, r;                                                          \
        if (!xmm_source_low(c, o, 16 / sizeof(r.to[0]) * sizeof(r.from[0]), &s.u64[0]))            \
            return STEP_FAULT;                                                                     \
        for (unsigned i = 0; i < (count); i++) r.to[i] = (wide)(as)s.from[i];                      \
        c->xmm[o->reg] = r;                                                                        \
        return STEP_NEXT;                                                                          \
    }

WIDEN(pmovzxbw, u8, uint8_t, u16, uint16_t, 8)
WIDEN(pmovzxbd, u8, uint8_t, u32, uint32_t, 4)
WIDEN(pmovzxbq, u8, uint8_t, u64, uint64_t, 2)
WIDEN(pmovzxwd, u16, uint16_t, u32, uint32_t, 4)
WIDEN(pmovzxwq, u16, uint16_t, u64, uint64_t, 2)
WIDEN(pmovzxdq, u32, uint32_t, u64, uint64_t, 2)
WIDEN(pmovsxbw, u8, int8_t, u16, uint16_t, 8)
WIDEN(pmovsxbd, u8, int8_t, u32, uint32_t, 4)
WIDEN(pmovsxbq, u8, int8_t, u64, uint64_t, 2)
WIDEN(pmovsxwd, u16, int16_t, u32, uint32_t, 4)
WIDEN(pmovsxwq, u16, int16_t, u64, uint64_t, 2)
WIDEN(pmovsxdq, u32, int32_t, u64, uint64_t, 2)

/* ---- SSE4.1: blends ---------------------------------------------------------------------------------------- */

SHUFFLE(pblendw, for (unsigned i = 0; i < 8; i++) if (imm >> i & 1) r.u16[i] = s->u16[i])
SHUFFLE(blendps, for (unsigned i = 0; i < 4; i++) if (imm >> i & 1) r.u32[i] = s->u32[i])
SHUFFLE(blendpd, for (unsigned i = 0; i < 2; i++) if (imm >> i & 1) r.u64[i] = s->u64[i])
/* by the sign bits of XMM0 */
SHUFFLE(pblendvb, for (unsigned i = 0; i < 16; i++) if (c->xmm[0].u8[i] >> 7) r.u8[i] = s->u8[i])
SHUFFLE(blendvps, for (unsigned i = 0; i < 4; i++) if (c->xmm[0].u32[i] >> 31) r.u32[i] = s->u32[i])
SHUFFLE(blendvpd, for (unsigned i = 0; i < 2; i++) if (c->xmm[0].u64[i] >> 63) r.u64[i] = s->u64[i])

/* ---- SSE4.1: single elements --------------------------------------------------------------------------------- */

/** n bytes from memory, or the low ones of a general register. */
static inline bool general_source(struct cpu *c, const struct op *o, unsigned n, uint64_t *value)
{
    if (o->flags & OPF_MEM) return mem_read(c, o->seg, ea(c, o), n, value);
    *value = c->gpr[o->rm];
    return true;
}

/** To n bytes of memory, or zero-extended to a general register. */
static inline enum step general_put(struct cpu *c, const struct op *o, unsigned n, uint64_t value)
{
    if (o->flags & OPF_MEM) return mem_write(c, o->seg, ea(c, o), n, value) ? STEP_NEXT : STEP_FAULT;
    c->gpr[o->rm] = value;
    return STEP_NEXT;
}

#define INSERT(name, field, type, mask)                                                            \
    OP(name)                                                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        if (!general_source(c, o, sizeof(type), &value)) return STEP_FAULT;                        \
        c->xmm[o->reg].field[o->imm & (mask)] = (type)value;                                       \
        return STEP_NEXT;                                                                          \
    }
#define EXTRACT(name, field, type, mask)                                                           \
    OP(name)                                                                                       \
    {                                                                                              \
        return general_put(c, o, sizeof(type), c->xmm[o->reg].field[o->imm & (mask)]);             \
    }

INSERT(pinsrb, u8, uint8_t, 15)
INSERT(pinsrd, u32, uint32_t, 3)
INSERT(pinsrq, u64, uint64_t, 1)
EXTRACT(pextrb, u8, uint8_t, 15)
EXTRACT(pextrd, u32, uint32_t, 3)
EXTRACT(pextrq, u64, uint64_t, 1)

/* imm: source element (registers only) 7:6, destination 5:4, elements to clear 3:0. */
OP(insertps)
{
    unsigned imm = (uint8_t)o->imm;
    uint64_t value;

    if (o->flags & OPF_MEM) {
        if (!mem_read(c, o->seg, ea(c, o), 4, &value)) return STEP_FAULT;
    } else {
        value = c->xmm[o->rm].u32[imm >> 6];
    }
    c->xmm[o->reg].u32[imm >> 4 & 3] = (uint32_t)value;
    for (unsigned i = 0; i < 4; i++)
        if (imm >> i & 1) c->xmm[o->reg].u32[i] = 0;
    return STEP_NEXT;
}
