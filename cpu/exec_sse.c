/*
 * exec_sse.c - SSE moves and shuffles: whole registers, halves, scalars, masks, MOVD and MOVQ,
 * non-temporal stores. Nothing here computes.
 *
 * A 16-byte memory operand must be aligned (#GP) unless the instruction says "unaligned". Loads of a
 * scalar clear the rest of the register; moves between registers leave it.
 * Manual: SDM 2B "MOVAPS", "MOVSS", "MOVQ", "MASKMOVDQU", "PSHUFD", "SHUFPS", "UNPCKLPS" and the
 * other instructions by name.
 */
#include <stdio.h>

#include "cpu/decode.h"
#include "cpu/exec_xmm.h"

/* ---- whole registers --------------------------------------------------------------------------- */

static inline enum step move_whole(struct cpu *c, const struct op *o, unsigned align)
{
    union xmm room;
    const union xmm *source;

    if (o->imm & SSE_STORE) {
        if (!(o->flags & OPF_MEM))
            c->xmm[o->rm] = c->xmm[o->reg];
        else if (!mem_write_bytes(c, o->seg, ea(c, o), &c->xmm[o->reg], 16, align))
            return STEP_FAULT;
        return STEP_NEXT;
    }
    source = xmm_source(c, o, &room, align);
    if (!source) return STEP_FAULT;
    c->xmm[o->reg] = *source;
    return STEP_NEXT;
}

OP(mov_aligned) { return move_whole(c, o, 16); }
OP(mov_unaligned) { return move_whole(c, o, 1); }

/* MOVNTPS, MOVNTPD, MOVNTDQ: the hint is no concern of ours. */
OP(mov_stream)
{
    return mem_write_bytes(c, o->seg, ea(c, o), &c->xmm[o->reg], 16, 16) ? STEP_NEXT : STEP_FAULT;
}

OP(movnti)
{
    uint64_t value = reg_get(c, o->reg, o->width);

    return mem_write(c, o->seg, ea(c, o), o->width, value) ? STEP_NEXT : STEP_FAULT;
}

/* Bytes whose mask bit is clear are neither written nor judged. */
OP(maskmovdqu)
{
    uint64_t mask = addr_mask(o), eff = c->gpr[R_RDI];
    const union xmm *data = &c->xmm[o->reg], *select = &c->xmm[o->rm];

    for (unsigned i = 0; i < 16; i++)
        if ((select->u8[i] & 0x80) && !mem_probe_write(c, o->seg, (eff + i) & mask, 1)) return STEP_FAULT;
    for (unsigned i = 0; i < 16; i++)
        if ((select->u8[i] & 0x80) && !mem_write(c, o->seg, (eff + i) & mask, 1, data->u8[i]))
            return STEP_FAULT;
    return STEP_NEXT;
}

/* ---- scalars and halves ------------------------------------------------------------------------ */

static inline enum step store_low(struct cpu *c, const struct op *o, unsigned n)
{
    return mem_write(c, o->seg, ea(c, o), n, c->xmm[o->reg].u64[0] & width_mask(n)) ? STEP_NEXT
                                                                                   : STEP_FAULT;
}

static inline enum step load_low(struct cpu *c, const struct op *o, unsigned n)
{
    uint64_t value;

    if (!mem_read(c, o->seg, ea(c, o), n, &value)) return STEP_FAULT;
    c->xmm[o->reg] = (union xmm){.u64 = {value, 0}};
    return STEP_NEXT;
}

/** MOVSS and MOVSD: n = 4 or 8. */
static inline enum step move_scalar(struct cpu *c, const struct op *o, unsigned n)
{
    bool store = o->imm & SSE_STORE;

    if (o->flags & OPF_MEM) return store ? store_low(c, o, n) : load_low(c, o, n);
    union xmm *to = &c->xmm[store ? o->rm : o->reg];
    const union xmm *from = &c->xmm[store ? o->reg : o->rm];
    if (n == 4)
        to->u32[0] = from->u32[0];
    else
        to->u64[0] = from->u64[0];
    return STEP_NEXT;
}

OP(movss) { return move_scalar(c, o, 4); }

/* MOVSD and CMPSD are string instructions too, under the same mnemonic, so their rows name no class
 * and the SSE forms check it here. Only the string forms have four-byte operands. */
static bool sse2_ready(struct cpu *c)
{
    if (!cpu_has(c, FEAT_SSE2)) return check(c, RS_RULE_INSN_UNDEFINED, false, 0, 0, 0, 0);
    return decode_priv_check(c, PRIV_SSE);
}

OP(movsd_x)
{
    if (!sse2_ready(c)) return STEP_FAULT;
    return move_scalar(c, o, 8);
}

OP(cmpsd_x)
{
    if (!sse2_ready(c)) return STEP_FAULT;
    snprintf(c->gap, sizeof(c->gap), "instruction cmpsd (SSE2)");
    return STEP_GAP;
}

const struct op *op_movs(struct cpu *c, const struct op *o);
const struct op *op_cmps(struct cpu *c, const struct op *o);
op_fn pick_movsd(const struct op *o, int kind);
op_fn pick_movsd(const struct op *o, int kind __attribute__((unused)))
{
    return o->width == 4 ? op_movs : op_movsd_x;
}
op_fn pick_cmpsd(const struct op *o, int kind);
op_fn pick_cmpsd(const struct op *o, int kind __attribute__((unused)))
{
    return o->width == 4 ? op_cmps : op_cmpsd_x;
}

/** Eight bytes between memory and one half of a register; the other half stays. */
static inline enum step move_half(struct cpu *c, const struct op *o, unsigned half)
{
    uint64_t *mine = &c->xmm[o->reg].u64[half], value;

    if (o->imm & SSE_STORE) return mem_write(c, o->seg, ea(c, o), 8, *mine) ? STEP_NEXT : STEP_FAULT;
    if (!mem_read(c, o->seg, ea(c, o), 8, &value)) return STEP_FAULT;
    *mine = value;
    return STEP_NEXT;
}

OP(movlp) { return move_half(c, o, 0); }
OP(movhp) { return move_half(c, o, 1); }

OP(movhlps)
{
    c->xmm[o->reg].u64[0] = c->xmm[o->rm].u64[1];
    return STEP_NEXT;
}

OP(movlhps)
{
    c->xmm[o->reg].u64[1] = c->xmm[o->rm].u64[0];
    return STEP_NEXT;
}

/** MOVD and MOVQ between an XMM register and n bytes of memory or a general register. */
static inline enum step move_general(struct cpu *c, const struct op *o, unsigned n)
{
    uint64_t value;

    if (o->imm & SSE_STORE) {
        if (o->flags & OPF_MEM) return store_low(c, o, n);
        reg_put(c, o->rm, n, c->xmm[o->reg].u64[0]);
        return STEP_NEXT;
    }
    if (o->flags & OPF_MEM) return load_low(c, o, n);
    value = reg_get(c, o->rm, n);
    c->xmm[o->reg] = (union xmm){.u64 = {value, 0}};
    return STEP_NEXT;
}

OP(movd) { return move_general(c, o, 4); }

/* With two XMM registers the destination's upper half is cleared. */
OP(movq)
{
    if ((o->flags & OPF_MEM) || (o->imm & SSE_GPR)) return move_general(c, o, 8);
    bool store = o->imm & SSE_STORE;
    uint64_t value = c->xmm[store ? o->reg : o->rm].u64[0];
    c->xmm[store ? o->rm : o->reg] = (union xmm){.u64 = {value, 0}};
    return STEP_NEXT;
}

/* ---- masks --------------------------------------------------------------------------------------- */

OP(movmskps)
{
    const union xmm *s = &c->xmm[o->rm];

    c->gpr[o->reg] = s->u32[0] >> 31 | s->u32[1] >> 31 << 1 | s->u32[2] >> 31 << 2 | s->u32[3] >> 31 << 3;
    return STEP_NEXT;
}

OP(movmskpd)
{
    const union xmm *s = &c->xmm[o->rm];

    c->gpr[o->reg] = s->u64[0] >> 63 | s->u64[1] >> 63 << 1;
    return STEP_NEXT;
}

OP(pmovmskb)
{
    uint64_t mask = 0;

    for (unsigned i = 0; i < 16; i++) mask |= (uint64_t)(c->xmm[o->rm].u8[i] >> 7) << i;
    c->gpr[o->reg] = mask;
    return STEP_NEXT;
}

/* ---- shuffles: destination d (also the first source), second source s, immediate ------------------- */

static inline void words_by(uint16_t *to, const uint16_t *from, unsigned imm)
{
    for (unsigned i = 0; i < 4; i++) to[i] = from[imm >> 2 * i & 3];
}

SHUFFLE(pshufd, for (unsigned i = 0; i < 4; i++) r.u32[i] = s->u32[imm >> 2 * i & 3])
SHUFFLE(pshuflw, (r.u64[1] = s->u64[1], words_by(r.u16, s->u16, imm)))
SHUFFLE(pshufhw, (r.u64[0] = s->u64[0], words_by(r.u16 + 4, s->u16 + 4, imm)))
SHUFFLE(shufps, for (unsigned i = 0; i < 4; i++) r.u32[i] = (i < 2 ? d : s)->u32[imm >> 2 * i & 3])
SHUFFLE(shufpd, (r.u64[0] = d->u64[imm & 1], r.u64[1] = s->u64[imm >> 1 & 1]))

/* Interleave the low (first = 0) or high halves. */
#define UNPACK(name, field, count, first)                                                          \
    SHUFFLE(name, for (unsigned i = 0; i < (count) / 2; i++) {                                     \
        r.field[2 * i] = d->field[(first) + i];                                                    \
        r.field[2 * i + 1] = s->field[(first) + i];                                                \
    })

UNPACK(punpcklbw, u8, 16, 0)
UNPACK(punpckhbw, u8, 16, 8)
UNPACK(punpcklwd, u16, 8, 0)
UNPACK(punpckhwd, u16, 8, 4)
UNPACK(punpckldq, u32, 4, 0)
UNPACK(punpckhdq, u32, 4, 2)
UNPACK(punpcklqdq, u64, 2, 0)
UNPACK(punpckhqdq, u64, 2, 1)

/* ---- single elements ------------------------------------------------------------------------------- */

OP(pinsrw)
{
    uint64_t value;

    if (o->flags & OPF_MEM) {
        if (!mem_read(c, o->seg, ea(c, o), 2, &value)) return STEP_FAULT;
    } else {
        value = c->gpr[o->rm];
    }
    c->xmm[o->reg].u16[o->imm & 7] = (uint16_t)value;
    return STEP_NEXT;
}

/* Two encodings: the general register is reg, or (SSE4.1, also memory) r/m. */
OP(pextrw)
{
    uint16_t word;

    if (!(o->imm & SSE_STORE_IMM)) {
        c->gpr[o->reg] = c->xmm[o->rm].u16[o->imm & 7];
        return STEP_NEXT;
    }
    word = c->xmm[o->reg].u16[o->imm & 7];
    if (o->flags & OPF_MEM) return mem_write(c, o->seg, ea(c, o), 2, word) ? STEP_NEXT : STEP_FAULT;
    c->gpr[o->rm] = word;
    return STEP_NEXT;
}
