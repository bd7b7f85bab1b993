/*
 * exec_muldiv.c - MUL, IMUL, DIV, IDIV. SDM 2, per instruction.
 *
 * Undefined flags follow current Intel CPUs where that is simple: MUL and IMUL set SF, ZF, AF, PF from
 * the low half as a logic result would (ZF included); DIV and IDIV leave all flags alone.
 */
#include "cpu/fast.h"

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

static int64_t sign_extend(uint64_t v, unsigned width)
{
    unsigned s = 64 - 8 * width;

    return (int64_t)(v << s) >> s;
}

static void mul_flags(struct cpu *c, uint64_t low, unsigned width, bool wide)
{
    fl_set(c, sign_extend(low, width), wide, wide, false);
}

/* the two halves of an accumulator pair: AX for bytes, DX:AX and so on for the rest */
static void pair_put(struct cpu *c, unsigned width, uint64_t low, uint64_t high)
{
    if (width == 1) {
        reg_put(c, R_RAX, 2, (low & 0xff) | high << 8);
        return;
    }
    reg_put(c, R_RAX, width, low);
    reg_put(c, R_RDX, width, high);
}

OP(mul)
{
    uint64_t b, a = reg_get(c, R_RAX, o->width);

    if (!operand_get(c, o, &b)) return STEP_FAULT;
    u128 r = (u128)a * b;
    uint64_t low = (uint64_t)r, high = (uint64_t)(r >> (8 * o->width));
    pair_put(c, o->width, low, high);
    mul_flags(c, low, o->width, o->width == 8 ? high != 0 : (low >> (8 * o->width)) != 0);
    return STEP_NEXT;
}

/* one operand: AX, DX:AX ... = accumulator * operand */
OP(imul1)
{
    uint64_t b, a = reg_get(c, R_RAX, o->width);

    if (!operand_get(c, o, &b)) return STEP_FAULT;
    i128 r = (i128)sign_extend(a, o->width) * sign_extend(b, o->width);
    uint64_t low = (uint64_t)r;
    pair_put(c, o->width, low, (uint64_t)((u128)r >> (8 * o->width)));
    mul_flags(c, low, o->width, r != sign_extend(low, o->width));
    return STEP_NEXT;
}

static void imul_into(struct cpu *c, const struct op *o, uint64_t a, uint64_t b)
{
    i128 r = (i128)sign_extend(a, o->width) * sign_extend(b, o->width);
    uint64_t low = (uint64_t)r;

    reg_put(c, o->reg, o->width, low);
    mul_flags(c, low, o->width, r != sign_extend(low, o->width));
}

OP(imul2)
{
    uint64_t b;

    if (!operand_get(c, o, &b)) return STEP_FAULT;
    imul_into(c, o, reg_get(c, o->reg, o->width), b);
    return STEP_NEXT;
}

OP(imul3)
{
    uint64_t a;

    if (!operand_get(c, o, &a)) return STEP_FAULT;
    imul_into(c, o, a, (uint64_t)o->imm);
    return STEP_NEXT;
}

/* the hot shapes: 32 and 64 bits, register source */
#define IMUL_RR(B, WIDE)                                                                           \
    const struct op *op_imul_rr_##B(struct cpu *c, const struct op *o);                            \
    const struct op *op_imul_rr_##B(struct cpu *c, const struct op *o)                             \
    {                                                                                              \
        int##B##_t r;                                                                              \
        bool over = __builtin_mul_overflow((int##B##_t)RD##B(c, o->reg), (int##B##_t)RD##B(c, o->rm), &r); \
        WR##B(c, o->reg, (uint##B##_t)r);                                                          \
        c->fl_res = (uint64_t)(int64_t)r;                                                          \
        c->fl_a = fl_pairs[over ? 3 : 0].a;                                                        \
        c->fl_b = fl_pairs[over ? 3 : 0].b;                                                        \
        c->fl_meta = 0;                                                                            \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    const struct op *op_imul_ri_##B(struct cpu *c, const struct op *o);                            \
    const struct op *op_imul_ri_##B(struct cpu *c, const struct op *o)                             \
    {                                                                                              \
        int##B##_t r;                                                                              \
        bool over = __builtin_mul_overflow((int##B##_t)RD##B(c, o->rm), (int##B##_t)o->imm, &r);   \
        WR##B(c, o->reg, (uint##B##_t)r);                                                          \
        c->fl_res = (uint64_t)(int64_t)r;                                                          \
        c->fl_a = fl_pairs[over ? 3 : 0].a;                                                        \
        c->fl_b = fl_pairs[over ? 3 : 0].b;                                                        \
        c->fl_meta = 0;                                                                            \
        OP_GO(c, o + 1);                                                                           \
    }
IMUL_RR(32, int64_t)
IMUL_RR(64, i128)

/* DIV and IDIV: #DE on a zero divisor or a quotient that does not fit; nothing is changed then. */

OP(div)
{
    uint64_t b, q, r;
    unsigned w = o->width;

    if (!operand_get(c, o, &b)) return STEP_FAULT;
    if (b == 0) return fault_raise(c, VEC_DE);
    if (w == 8) {
        uint64_t high = c->gpr[R_RDX];
        if (high >= b) return fault_raise(c, VEC_DE);
        if (high == 0) {
            q = c->gpr[R_RAX] / b;
            r = c->gpr[R_RAX] % b;
        } else {
            u128 n = (u128)high << 64 | c->gpr[R_RAX];
            q = (uint64_t)(n / b);
            r = (uint64_t)(n % b);
        }
    } else {
        uint64_t n = w == 1 ? RD16(c, R_RAX)
                            : reg_get(c, R_RDX, w) << (8 * w) | reg_get(c, R_RAX, w);
        q = n / b;
        r = n % b;
        if (q >> (8 * w)) return fault_raise(c, VEC_DE);
    }
    pair_put(c, w, q, r);
    return STEP_NEXT;
}

OP(idiv)
{
    uint64_t v;
    unsigned w = o->width;

    if (!operand_get(c, o, &v)) return STEP_FAULT;
    int64_t b = sign_extend(v, w);
    if (b == 0) return fault_raise(c, VEC_DE);
    i128 n = w == 1   ? (i128)(int16_t)RD16(c, R_RAX)
             : w == 8 ? (i128)((u128)c->gpr[R_RDX] << 64 | c->gpr[R_RAX])
                      : (i128)sign_extend(reg_get(c, R_RDX, w) << (8 * w) | reg_get(c, R_RAX, w), 2 * w);
    /* the one quotient that 128 bits cannot hold */
    if (b == -1 && n == (i128)((u128)1 << 127)) return fault_raise(c, VEC_DE);
    i128 q = n / b, r = n % b;
    if (q != sign_extend((uint64_t)q, w)) return fault_raise(c, VEC_DE);
    pair_put(c, w, (uint64_t)q, (uint64_t)r & (w == 1 ? 0xff : UINT64_MAX));
    return STEP_NEXT;
}
