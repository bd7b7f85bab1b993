/*
 * exec_alu.c - ADD OR ADC SBB AND SUB XOR CMP TEST, INC DEC NOT NEG: every width and operand shape,
 * stamped from one definition each. SDM 2, per instruction; flags in fast.h and flags.h.
 */
#include "cpu/fast.h"

/* ---- the operations: result returned, flags set ---------------------------------------------- */

#define DEF_OPS(B)                                                                                 \
    static inline uint##B##_t do_add_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        uint##B##_t r = (uint##B##_t)(a + b);                                                      \
        fl_add##B(c, r, b);                                                                        \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_sub_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        fl_sub##B(c, a, b);                                                                        \
        return (uint##B##_t)(a - b);                                                               \
    }                                                                                              \
    static inline uint##B##_t do_cmp_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        fl_sub##B(c, a, b);                                                                        \
        return a;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_and_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        fl_logic##B(c, a & b);                                                                     \
        return a & b;                                                                              \
    }                                                                                              \
    static inline uint##B##_t do_test_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)              \
    {                                                                                              \
        fl_logic##B(c, a & b);                                                                     \
        return a;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_or_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)                \
    {                                                                                              \
        fl_logic##B(c, a | b);                                                                     \
        return a | b;                                                                              \
    }                                                                                              \
    static inline uint##B##_t do_xor_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        fl_logic##B(c, a ^ b);                                                                     \
        return a ^ b;                                                                              \
    }                                                                                              \
    static inline uint##B##_t do_adc_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        bool cin = fl_cf(c);                                                                       \
        uint##B##_t r = (uint##B##_t)(a + b + cin);                                                \
        fl_set(c, (int##B##_t)r, cin ? r <= a : r < a,                                             \
               (int##B##_t)((a ^ r) & (b ^ r)) < 0, ((a ^ b ^ r) & 0x10) != 0);                    \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_sbb_##B(struct cpu *c, uint##B##_t a, uint##B##_t b)               \
    {                                                                                              \
        bool cin = fl_cf(c);                                                                       \
        uint##B##_t r = (uint##B##_t)(a - b - cin);                                                \
        fl_set(c, (int##B##_t)r, cin ? a <= b : a < b,                                             \
               (int##B##_t)((a ^ b) & (a ^ r)) < 0, ((a ^ b ^ r) & 0x10) != 0);                    \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_inc_##B(struct cpu *c, uint##B##_t a)                              \
    {                                                                                              \
        uint##B##_t r = (uint##B##_t)(a + 1);                                                      \
        fl_set(c, (int##B##_t)r, fl_cf(c), r == (uint##B##_t)1 << (B - 1), (r & 15) == 0);         \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_dec_##B(struct cpu *c, uint##B##_t a)                              \
    {                                                                                              \
        uint##B##_t r = (uint##B##_t)(a - 1);                                                      \
        fl_set(c, (int##B##_t)r, fl_cf(c), a == (uint##B##_t)1 << (B - 1), (a & 15) == 0);         \
        return r;                                                                                  \
    }                                                                                              \
    static inline uint##B##_t do_not_##B(struct cpu *c, uint##B##_t a)                              \
    {                                                                                              \
        (void)c;                                                                                   \
        return (uint##B##_t)~a;                                                                    \
    }                                                                                              \
    static inline uint##B##_t do_neg_##B(struct cpu *c, uint##B##_t a)                              \
    {                                                                                              \
        fl_sub##B(c, 0, a);                                                                        \
        return (uint##B##_t)(0 - a);                                                               \
    }
FOR_WIDTHS(DEF_OPS)

/* ---- shapes ------------------------------------------------------------------------------------ */

/* reg <- reg op x */
#define ALU_REG(OPN, WB, B, SHAPE, SRC)                                                            \
    static const struct op *OPN##_##SHAPE##_##B(struct cpu *c, const struct op *o)                 \
    {                                                                                              \
        uint##B##_t r_ = do_##OPN##_##B(c, RD##B(c, o->reg), (uint##B##_t)(SRC));                  \
        if (WB) WR##B(c, o->reg, r_);                                                              \
        OP_GO(c, o + 1);                                                                           \
    }
/* the same through segments and odd address sizes */
#define ALU_GENERIC(OPN, WB, B)                                                                    \
    OP(OPN##_rm_g_##B)                                                                             \
    {                                                                                              \
        uint64_t b;                                                                                \
        if (!mem_read(c, o->seg, ea(c, o), B / 8, &b)) return STEP_FAULT;                          \
        uint##B##_t r_ = do_##OPN##_##B(c, RD##B(c, o->reg), (uint##B##_t)b);                      \
        if (WB) WR##B(c, o->reg, r_);                                                              \
        return STEP_NEXT;                                                                          \
    }                                                                                              \
    static inline enum step OPN##_mem_##B(struct cpu *c, const struct op *o, uint##B##_t b)        \
    {                                                                                              \
        uint64_t a, e = ea(c, o);                                                                  \
        if (!(WB)) {                                                                               \
            if (!mem_read(c, o->seg, e, B / 8, &a)) return STEP_FAULT;                             \
            (void)do_##OPN##_##B(c, (uint##B##_t)a, b);                                            \
            return STEP_NEXT;                                                                      \
        }                                                                                          \
        if (!mem_read_rmw(c, o->seg, e, B / 8, &a)) return STEP_FAULT;                             \
        (void)mem_write(c, o->seg, e, B / 8, do_##OPN##_##B(c, (uint##B##_t)a, b));                \
        return STEP_NEXT;                                                                          \
    }                                                                                              \
    OP(OPN##_mr_g_##B) { return OPN##_mem_##B(c, o, RD##B(c, o->reg)); }                           \
    OP(OPN##_mi_g_##B) { return OPN##_mem_##B(c, o, (uint##B##_t)o->imm); }

/* reg <- reg op [mem] */
#define ALU_LOAD(OPN, WB, B, SHAPE, EA)                                                            \
    static const struct op *OPN##_##SHAPE##_##B(struct cpu *c, const struct op *o)                 \
    {                                                                                              \
        const ua##B *p = mem_hit(c, c->rd, EA(c, o), sizeof(*p));                            \
        if (UNLIKELY(p == NULL)) return op_##OPN##_rm_g_##B(c, o);                                 \
        uint##B##_t r_ = do_##OPN##_##B(c, RD##B(c, o->reg), *p);                                  \
        if (WB) WR##B(c, o->reg, r_);                                                              \
        OP_GO(c, o + 1);                                                                           \
    }
/* [mem] <- [mem] op x; only read when nothing is written back */
#define ALU_STORE(OPN, WB, B, SHAPE, EA, SRC, TWIN)                                                \
    static const struct op *OPN##_##SHAPE##_##B(struct cpu *c, const struct op *o)                 \
    {                                                                                              \
        ua##B *p = mem_hit(c, (WB) ? c->wr : c->rd, EA(c, o), sizeof(*p));                   \
        if (UNLIKELY(p == NULL)) return op_##OPN##_##TWIN##_##B(c, o);                             \
        uint##B##_t r_ = do_##OPN##_##B(c, *p, (uint##B##_t)(SRC));                                \
        if (WB) *p = r_;                                                                           \
        OP_GO(c, o + 1);                                                                           \
    }
#define ALU_ALL(OPN, WB, B)                                                                        \
    ALU_GENERIC(OPN, WB, B)                                                                        \
    ALU_REG(OPN, WB, B, rr, RD##B(c, o->rm))                                                       \
    ALU_REG(OPN, WB, B, ri, o->imm)                                                                \
    ALU_LOAD(OPN, WB, B, rm_b, EA_B)                                                               \
    ALU_LOAD(OPN, WB, B, rm_x, EA_X)                                                               \
    ALU_STORE(OPN, WB, B, mr_b, EA_B, RD##B(c, o->reg), mr_g)                                      \
    ALU_STORE(OPN, WB, B, mr_x, EA_X, RD##B(c, o->reg), mr_g)                                      \
    ALU_STORE(OPN, WB, B, mi_b, EA_B, o->imm, mi_g)                                                \
    ALU_STORE(OPN, WB, B, mi_x, EA_X, o->imm, mi_g)

#define FOR_ALU(M)                                                                                 \
    M(add, 1) M(or, 1) M(adc, 1) M(sbb, 1) M(and, 1) M(sub, 1) M(xor, 1) M(cmp, 0) M(test, 0)
#define STAMP(OPN, WB) ALU_ALL(OPN, WB, 8) ALU_ALL(OPN, WB, 16) ALU_ALL(OPN, WB, 32) ALU_ALL(OPN, WB, 64)
FOR_ALU(STAMP)

#define ROW_B(OPN, B)                                                                              \
    {                                                                                              \
        OPN##_rr_##B, OPN##_ri_##B, OPN##_rm_b_##B, OPN##_rm_x_##B, OPN##_mr_b_##B,                \
            OPN##_mr_x_##B, OPN##_mi_b_##B, OPN##_mi_x_##B, op_##OPN##_rm_g_##B,                   \
            op_##OPN##_mr_g_##B, op_##OPN##_mi_g_##B                                               \
    }
#define ROW(OPN, WB) {ROW_B(OPN, 8), ROW_B(OPN, 16), ROW_B(OPN, 32), ROW_B(OPN, 64)},
const op_fn alu_handlers[ALU_COUNT][4][SHAPE_COUNT] = {FOR_ALU(ROW)};

/* ---- one operand -------------------------------------------------------------------------------- */

#define UN_STORE(OPN, B, SHAPE, EA)                                                                \
    static const struct op *OPN##_##SHAPE##_##B(struct cpu *c, const struct op *o)                 \
    {                                                                                              \
        ua##B *p = mem_hit(c, c->wr, EA(c, o), sizeof(*p));                                  \
        if (UNLIKELY(p == NULL)) return op_##OPN##_m_g_##B(c, o);                                  \
        *p = do_##OPN##_##B(c, *p);                                                                \
        OP_GO(c, o + 1);                                                                           \
    }
#define UN_ALL(OPN, B)                                                                             \
    OP(OPN##_m_g_##B)                                                                              \
    {                                                                                              \
        uint64_t a, e = ea(c, o);                                                                  \
        if (!mem_read_rmw(c, o->seg, e, B / 8, &a)) return STEP_FAULT;                             \
        (void)mem_write(c, o->seg, e, B / 8, do_##OPN##_##B(c, (uint##B##_t)a));                   \
        return STEP_NEXT;                                                                          \
    }                                                                                              \
    static const struct op *OPN##_r_##B(struct cpu *c, const struct op *o)                         \
    {                                                                                              \
        WR##B(c, o->rm, do_##OPN##_##B(c, RD##B(c, o->rm)));                                       \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    UN_STORE(OPN, B, m_b, EA_B)                                                                    \
    UN_STORE(OPN, B, m_x, EA_X)
#define FOR_UNARY(M) M(inc) M(dec) M(not) M(neg)
#define UN_STAMP(OPN) UN_ALL(OPN, 8) UN_ALL(OPN, 16) UN_ALL(OPN, 32) UN_ALL(OPN, 64)
FOR_UNARY(UN_STAMP)

#define UN_ROW_B(OPN, B)                                                                           \
    {                                                                                              \
        [SHAPE_RR] = OPN##_r_##B, [SHAPE_MR_B] = OPN##_m_b_##B, [SHAPE_MR_X] = OPN##_m_x_##B,      \
        [SHAPE_MR_G] = op_##OPN##_m_g_##B                                                          \
    }
#define UN_ROW(OPN) {UN_ROW_B(OPN, 8), UN_ROW_B(OPN, 16), UN_ROW_B(OPN, 32), UN_ROW_B(OPN, 64)},
const op_fn unary_handlers[UN_COUNT][4][SHAPE_COUNT] = {FOR_UNARY(UN_ROW)};

/* ---- a flag-setter and the Jcc behind it, in one handler --------------------------------------------
 * The pair keeps its two ops, prices and counts; only one dispatch is saved. Stepping runs the two
 * plain handlers (struct op_side). */

#define JCC_TAIL(COND)                                                                             \
    do {                                                                                           \
        const struct op *j = o + 1;                                                                \
        if (COND) JUMP_SAME(c, j, 1, c->gpr[R_RIPBASE] + j[1].ip_off + (uint64_t)j->imm);          \
        JUMP_SAME(c, j, 0, c->gpr[R_RIPBASE] + j[1].ip_off);                                       \
    } while (0)

#define S32 int32_t
#define S64 int64_t
#define FUSE_CMP(SHAPE, B, SRC, CC, COND)                                                          \
    static const struct op *cmp_##SHAPE##_##B##_##CC(struct cpu *c, const struct op *o)            \
    {                                                                                              \
        uint##B##_t a = RD##B(c, o->reg), b = (uint##B##_t)(SRC);                                  \
        fl_sub##B(c, a, b);                                                                        \
        JCC_TAIL(COND);                                                                            \
    }
/* AND-like and in-place ones decide by the result alone */
#define FUSE_RES(NAME, SHAPE, B, EXPR, WB, FLAGS, CC, COND)                                        \
    static const struct op *NAME##_##SHAPE##_##B##_##CC(struct cpu *c, const struct op *o)         \
    {                                                                                              \
        uint##B##_t a = RD##B(c, o->reg), r;                                                       \
        EXPR;                                                                                      \
        FLAGS;                                                                                     \
        if (WB) WR##B(c, o->reg, r);                                                               \
        JCC_TAIL(COND);                                                                            \
    }
#define FOR_CMP_CC(M, SHAPE, B, SRC)                                                               \
    M(SHAPE, B, SRC, b, a < b)                                                                     \
    M(SHAPE, B, SRC, ae, a >= b)                                                                   \
    M(SHAPE, B, SRC, e, a == b)                                                                    \
    M(SHAPE, B, SRC, ne, a != b)                                                                   \
    M(SHAPE, B, SRC, be, a <= b)                                                                   \
    M(SHAPE, B, SRC, a, a > b)                                                                     \
    M(SHAPE, B, SRC, l, (S##B)a < (S##B)b)                                                         \
    M(SHAPE, B, SRC, ge, (S##B)a >= (S##B)b)                                                       \
    M(SHAPE, B, SRC, le, (S##B)a <= (S##B)b)                                                       \
    M(SHAPE, B, SRC, g, (S##B)a > (S##B)b)
FOR_CMP_CC(FUSE_CMP, rr, 32, RD32(c, o->rm))
FOR_CMP_CC(FUSE_CMP, rr, 64, RD64(c, o->rm))
FOR_CMP_CC(FUSE_CMP, ri, 32, o->imm)
FOR_CMP_CC(FUSE_CMP, ri, 64, o->imm)

#define FOR_RES_CC(M, ...)                                                                         \
    M(__VA_ARGS__, e, r == 0) M(__VA_ARGS__, ne, r != 0)
#define FUSE_TEST(SHAPE, B, SRC, CC, COND)                                                         \
    FUSE_RES(test, SHAPE, B, r = a & (uint##B##_t)(SRC), 0, fl_logic##B(c, r), CC, COND)
#define FUSE_AND(SHAPE, B, SRC, CC, COND)                                                          \
    FUSE_RES(and, SHAPE, B, r = a & (uint##B##_t)(SRC), 1, fl_logic##B(c, r), CC, COND)
#define FUSE_SUB(SHAPE, B, SRC, CC, COND)                                                          \
    FUSE_RES(sub, SHAPE, B, r = a - (uint##B##_t)(SRC), 1, fl_sub##B(c, a, (uint##B##_t)(SRC)), CC, COND)
#define FUSE_ADD(SHAPE, B, SRC, CC, COND)                                                          \
    FUSE_RES(add, SHAPE, B, r = a + (uint##B##_t)(SRC), 1, fl_add##B(c, r, (uint##B##_t)(SRC)), CC, COND)
#define FUSE_WIDTHS(M) FOR_RES_CC(M, ri, 32, o->imm) FOR_RES_CC(M, ri, 64, o->imm)
#define FUSE_WIDTHS_RR(M) FOR_RES_CC(M, rr, 32, RD32(c, o->rm)) FOR_RES_CC(M, rr, 64, RD64(c, o->rm))
FUSE_WIDTHS(FUSE_TEST)
FUSE_WIDTHS_RR(FUSE_TEST)
FUSE_WIDTHS(FUSE_AND)
FUSE_WIDTHS(FUSE_SUB)
FUSE_WIDTHS_RR(FUSE_SUB)
FUSE_WIDTHS(FUSE_ADD)
/* TEST r,r and the sign */
FUSE_RES(test, rr, 32, r = a & RD32(c, o->rm), 0, fl_logic32(c, r), s, (S32)r < 0)
FUSE_RES(test, rr, 32, r = a & RD32(c, o->rm), 0, fl_logic32(c, r), ns, (S32)r >= 0)
FUSE_RES(test, rr, 32, r = a & RD32(c, o->rm), 0, fl_logic32(c, r), le, (S32)r <= 0)
FUSE_RES(test, rr, 32, r = a & RD32(c, o->rm), 0, fl_logic32(c, r), g, (S32)r > 0)
FUSE_RES(test, rr, 64, r = a & RD64(c, o->rm), 0, fl_logic64(c, r), s, (S64)r < 0)
FUSE_RES(test, rr, 64, r = a & RD64(c, o->rm), 0, fl_logic64(c, r), ns, (S64)r >= 0)
FUSE_RES(test, rr, 64, r = a & RD64(c, o->rm), 0, fl_logic64(c, r), le, (S64)r <= 0)
FUSE_RES(test, rr, 64, r = a & RD64(c, o->rm), 0, fl_logic64(c, r), g, (S64)r > 0)
/* 8-bit compares and tests, as text and flags code has them */
#define FUSE8(NAME, SHAPE, SRC, FLAGS, CC, COND)                                                   \
    static const struct op *NAME##_##SHAPE##_8_##CC(struct cpu *c, const struct op *o)             \
    {                                                                                              \
        uint8_t a = RD8(c, o->reg), b = (uint8_t)(SRC);                                            \
        FLAGS;                                                                                     \
        JCC_TAIL(COND);                                                                            \
    }
FUSE8(cmp, ri, o->imm, fl_sub8(c, a, b), e, a == b)
FUSE8(cmp, ri, o->imm, fl_sub8(c, a, b), ne, a != b)
FUSE8(cmp, ri, o->imm, fl_sub8(c, a, b), be, a <= b)
FUSE8(cmp, ri, o->imm, fl_sub8(c, a, b), a, a > b)
FUSE8(cmp, rr, RD8(c, o->rm), fl_sub8(c, a, b), e, a == b)
FUSE8(cmp, rr, RD8(c, o->rm), fl_sub8(c, a, b), ne, a != b)
FUSE8(test, ri, o->imm, fl_logic8(c, a & b), e, (a & b) == 0)
FUSE8(test, ri, o->imm, fl_logic8(c, a & b), ne, (a & b) != 0)
FUSE8(test, rr, RD8(c, o->rm), fl_logic8(c, a & b), e, (a & b) == 0)
FUSE8(test, rr, RD8(c, o->rm), fl_logic8(c, a & b), ne, (a & b) != 0)

/* condition numbers: b 2, ae 3, e 4, ne 5, be 6, a 7, s 8, ns 9, l 12, ge 13, le 14, g 15 */
#define CMP_ROW(SHAPE, B)                                                                          \
    {cmp_##SHAPE##_##B,                                                                            \
     {[2] = cmp_##SHAPE##_##B##_b, [3] = cmp_##SHAPE##_##B##_ae, [4] = cmp_##SHAPE##_##B##_e,      \
      [5] = cmp_##SHAPE##_##B##_ne, [6] = cmp_##SHAPE##_##B##_be, [7] = cmp_##SHAPE##_##B##_a,     \
      [12] = cmp_##SHAPE##_##B##_l, [13] = cmp_##SHAPE##_##B##_ge, [14] = cmp_##SHAPE##_##B##_le,  \
      [15] = cmp_##SHAPE##_##B##_g}}
#define RES_ROW(NAME, SHAPE, B)                                                                    \
    {NAME##_##SHAPE##_##B, {[4] = NAME##_##SHAPE##_##B##_e, [5] = NAME##_##SHAPE##_##B##_ne}}
#define TEST_ROW(B)                                                                                \
    {test_rr_##B,                                                                                  \
     {[4] = test_rr_##B##_e, [5] = test_rr_##B##_ne, [8] = test_rr_##B##_s, [9] = test_rr_##B##_ns, \
      [12] = test_rr_##B##_s, [13] = test_rr_##B##_ns, [14] = test_rr_##B##_le,                    \
      [15] = test_rr_##B##_g}}

static const struct {
    op_fn first;
    op_fn fused[16];
} fusions[] = {
    CMP_ROW(rr, 32), CMP_ROW(rr, 64), CMP_ROW(ri, 32), CMP_ROW(ri, 64),
    TEST_ROW(32), TEST_ROW(64), RES_ROW(test, ri, 32), RES_ROW(test, ri, 64),
    RES_ROW(and, ri, 32), RES_ROW(and, ri, 64), RES_ROW(sub, ri, 32), RES_ROW(sub, ri, 64),
    RES_ROW(sub, rr, 32), RES_ROW(sub, rr, 64), RES_ROW(add, ri, 32), RES_ROW(add, ri, 64),
    {cmp_ri_8, {[4] = cmp_ri_8_e, [5] = cmp_ri_8_ne, [6] = cmp_ri_8_be, [7] = cmp_ri_8_a}},
    RES_ROW(cmp, rr, 8), RES_ROW(test, ri, 8), RES_ROW(test, rr, 8),
};

op_fn fuse_pick(op_fn first, unsigned cc)
{
    for (size_t i = 0; i < sizeof(fusions) / sizeof(fusions[0]); i++)
        if (fusions[i].first == first) return fusions[i].fused[cc];
    return NULL;
}
