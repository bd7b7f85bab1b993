/*
 * exec_data.c - MOV, MOVZX, MOVSX, LEA, PUSH, POP, XCHG, CMOVcc: data moves of the general registers.
 * SDM 2, per instruction.
 */
#include "cpu/fast.h"

/* ---- MOV ------------------------------------------------------------------------------------------ */

#define MOV_ALL(B)                                                                                 \
    OP(mov_rm_g_##B)                                                                               \
    {                                                                                              \
        uint64_t v;                                                                                \
        if (!mem_read(c, o->seg, ea(c, o), B / 8, &v)) return STEP_FAULT;                          \
        WR##B(c, o->reg, (uint##B##_t)v);                                                          \
        return STEP_NEXT;                                                                          \
    }                                                                                              \
    OP(mov_mr_g_##B)                                                                               \
    {                                                                                              \
        return mem_write(c, o->seg, ea(c, o), B / 8, RD##B(c, o->reg)) ? STEP_NEXT : STEP_FAULT;   \
    }                                                                                              \
    OP(mov_mi_g_##B)                                                                               \
    {                                                                                              \
        return mem_write(c, o->seg, ea(c, o), B / 8, (uint##B##_t)o->imm) ? STEP_NEXT : STEP_FAULT; \
    }                                                                                              \
    static const struct op *mov_rr_##B(struct cpu *c, const struct op *o)                          \
    {                                                                                              \
        WR##B(c, o->reg, RD##B(c, o->rm));                                                         \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    static const struct op *mov_ri_##B(struct cpu *c, const struct op *o)                          \
    {                                                                                              \
        WR##B(c, o->reg, (uint##B##_t)o->imm);                                                     \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    MOV_LOAD(B, rm_b, EA_B) MOV_LOAD(B, rm_x, EA_X)                                                \
    MOV_STORE(B, mr_b, EA_B, RD##B(c, o->reg), mr_g) MOV_STORE(B, mr_x, EA_X, RD##B(c, o->reg), mr_g) \
    MOV_STORE(B, mi_b, EA_B, o->imm, mi_g) MOV_STORE(B, mi_x, EA_X, o->imm, mi_g)

#define MOV_LOAD(B, SHAPE, EA)                                                                     \
    static const struct op *mov_##SHAPE##_##B(struct cpu *c, const struct op *o)                   \
    {                                                                                              \
        const ua##B *p = mem_hit(c, c->rd, EA(c, o), sizeof(*p));                            \
        if (UNLIKELY(p == NULL)) return op_mov_rm_g_##B(c, o);                                     \
        WR##B(c, o->reg, *p);                                                                      \
        OP_GO(c, o + 1);                                                                           \
    }
#define MOV_STORE(B, SHAPE, EA, SRC, TWIN)                                                         \
    static const struct op *mov_##SHAPE##_##B(struct cpu *c, const struct op *o)                   \
    {                                                                                              \
        ua##B *p = mem_hit(c, c->wr, EA(c, o), sizeof(*p));                                  \
        if (UNLIKELY(p == NULL)) return op_mov_##TWIN##_##B(c, o);                                 \
        *p = (uint##B##_t)(SRC);                                                                   \
        OP_GO(c, o + 1);                                                                           \
    }
FOR_WIDTHS(MOV_ALL)

#define MOV_ROW(B)                                                                                 \
    {mov_rr_##B, mov_ri_##B, mov_rm_b_##B, mov_rm_x_##B, mov_mr_b_##B, mov_mr_x_##B, mov_mi_b_##B,  \
     mov_mi_x_##B, op_mov_rm_g_##B, op_mov_mr_g_##B, op_mov_mi_g_##B},
const op_fn mov_handlers[4][SHAPE_COUNT] = {FOR_WIDTHS(MOV_ROW)};

/* MOV accumulator, moffs: the address is the immediate */
OP(mov_moffs_load)
{
    uint64_t v;

    if (!mem_read(c, o->seg, (uint64_t)o->imm, o->width, &v)) return STEP_FAULT;
    reg_put(c, R_RAX, o->width, v);
    return STEP_NEXT;
}
OP(mov_moffs_store)
{
    uint64_t v = reg_get(c, R_RAX, o->width);

    return mem_write(c, o->seg, (uint64_t)o->imm, o->width, v) ? STEP_NEXT : STEP_FAULT;
}

/* ---- MOVZX, MOVSX, MOVSXD ---------------------------------------------------------------------------- */

#define MOVX_ALL(NAME, ST, SB, DB)                                                                 \
    static const struct op *NAME##_rr_##SB##_##DB(struct cpu *c, const struct op *o)               \
    {                                                                                              \
        WR##DB(c, o->reg, (uint##DB##_t)(ST)RD##SB(c, o->rm));                                     \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    OP(NAME##_rm_g_##SB##_##DB)                                                                    \
    {                                                                                              \
        uint64_t v;                                                                                \
        if (!mem_read(c, o->seg, ea(c, o), SB / 8, &v)) return STEP_FAULT;                         \
        WR##DB(c, o->reg, (uint##DB##_t)(ST)v);                                                    \
        return STEP_NEXT;                                                                          \
    }                                                                                              \
    MOVX_LOAD(NAME, ST, SB, DB, rm_b, EA_B) MOVX_LOAD(NAME, ST, SB, DB, rm_x, EA_X)
#define MOVX_LOAD(NAME, ST, SB, DB, SHAPE, EA)                                                     \
    static const struct op *NAME##_##SHAPE##_##SB##_##DB(struct cpu *c, const struct op *o)        \
    {                                                                                              \
        const ua##SB *p = mem_hit(c, c->rd, EA(c, o), sizeof(*p));                                 \
        if (UNLIKELY(p == NULL)) return op_##NAME##_rm_g_##SB##_##DB(c, o);                        \
        WR##DB(c, o->reg, (uint##DB##_t)(ST)*p);                                                   \
        OP_GO(c, o + 1);                                                                           \
    }
#define MOVX_SET(NAME, T8, T16, T32)                                                               \
    MOVX_ALL(NAME, T8, 8, 16) MOVX_ALL(NAME, T8, 8, 32) MOVX_ALL(NAME, T8, 8, 64)                  \
    MOVX_ALL(NAME, T16, 16, 16) MOVX_ALL(NAME, T16, 16, 32) MOVX_ALL(NAME, T16, 16, 64)            \
    MOVX_ALL(NAME, T32, 32, 16) MOVX_ALL(NAME, T32, 32, 32) MOVX_ALL(NAME, T32, 32, 64)
MOVX_SET(movzx, uint8_t, uint16_t, uint32_t)
MOVX_SET(movsx, int8_t, int16_t, int32_t)

#define MOVX_ROW(NAME, SB, DB)                                                                     \
    {NAME##_rr_##SB##_##DB, NAME##_rm_b_##SB##_##DB, NAME##_rm_x_##SB##_##DB,                      \
     op_##NAME##_rm_g_##SB##_##DB}
#define MOVX_ROWS(NAME, SB) {MOVX_ROW(NAME, SB, 16), MOVX_ROW(NAME, SB, 32), MOVX_ROW(NAME, SB, 64)}
const op_fn movx_handlers[2][3][3][4] = {
    {MOVX_ROWS(movzx, 8), MOVX_ROWS(movzx, 16), MOVX_ROWS(movzx, 32)},
    {MOVX_ROWS(movsx, 8), MOVX_ROWS(movsx, 16), MOVX_ROWS(movsx, 32)},
};

/* ---- LEA ----------------------------------------------------------------------------------------------- */

#define LEA_ALL(B)                                                                                 \
    static const struct op *lea_b_##B(struct cpu *c, const struct op *o)                           \
    {                                                                                              \
        WR##B(c, o->reg, (uint##B##_t)EA_B(c, o));                                                 \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    static const struct op *lea_x_##B(struct cpu *c, const struct op *o)                           \
    {                                                                                              \
        WR##B(c, o->reg, (uint##B##_t)EA_X(c, o));                                                 \
        OP_GO(c, o + 1);                                                                           \
    }
LEA_ALL(32)
LEA_ALL(64)
const op_fn lea_handlers[2][2] = {{lea_b_32, lea_x_32}, {lea_b_64, lea_x_64}};

OP(lea_g)
{
    reg_put(c, o->reg, o->width, ea(c, o));
    return STEP_NEXT;
}

/* ---- PUSH, POP ------------------------------------------------------------------------------------------
 * The slot is written before RSP moves, so a fault leaves RSP alone. SDM 2B "PUSH", "POP". */

OP(push_r)
{
    return stack_push(c, o->width, reg_get(c, o->rm, o->width)) ? STEP_NEXT : STEP_FAULT;
}
OP(push_i) { return stack_push(c, o->width, (uint64_t)o->imm) ? STEP_NEXT : STEP_FAULT; }
OP(push_m)
{
    uint64_t v;

    if (!mem_read_push(c, o->seg, ea(c, o), o->width, &v)) return STEP_FAULT;
    return stack_push(c, o->width, v) ? STEP_NEXT : STEP_FAULT;
}
OP(pop_r)
{
    uint64_t v;

    if (!stack_pop(c, o->width, &v)) return STEP_FAULT;
    reg_put(c, o->rm, o->width, v); /* POP RSP: the popped value wins */
    return STEP_NEXT;
}
/* POP m: an address based on RSP is computed after RSP has been incremented; a fault restores it. */
OP(pop_m)
{
    uint64_t v, sp = c->gpr[R_RSP];

    if (!stack_pop(c, o->width, &v)) return STEP_FAULT;
    if (mem_write(c, o->seg, ea(c, o), o->width, v)) return STEP_NEXT;
    c->gpr[R_RSP] = sp;
    return STEP_FAULT;
}

const struct op *op_push_r_64(struct cpu *c, const struct op *o);
const struct op *op_push_r_64(struct cpu *c, const struct op *o)
{
    uint64_t sp = c->gpr[R_RSP] - 8;
    ua64 *p = mem_hit(c, c->wr, sp, 8);

    if (UNLIKELY(p == NULL)) return op_push_r(c, o);
    *p = c->gpr[o->rm];
    c->gpr[R_RSP] = sp;
    OP_GO(c, o + 1);
}
const struct op *op_push_i_64(struct cpu *c, const struct op *o);
const struct op *op_push_i_64(struct cpu *c, const struct op *o)
{
    uint64_t sp = c->gpr[R_RSP] - 8;
    ua64 *p = mem_hit(c, c->wr, sp, 8);

    if (UNLIKELY(p == NULL)) return op_push_i(c, o);
    *p = (uint64_t)o->imm;
    c->gpr[R_RSP] = sp;
    OP_GO(c, o + 1);
}
const struct op *op_pop_r_64(struct cpu *c, const struct op *o);
const struct op *op_pop_r_64(struct cpu *c, const struct op *o)
{
    const ua64 *p = mem_hit(c, c->rd, c->gpr[R_RSP], 8);

    if (UNLIKELY(p == NULL)) return op_pop_r(c, o);
    uint64_t v = *p;
    c->gpr[R_RSP] += 8;
    c->gpr[o->rm] = v;
    OP_GO(c, o + 1);
}

/* ---- XCHG ------------------------------------------------------------------------------------------------- */

OP(xchg)
{
    uint64_t a, b = reg_get(c, o->reg, o->width);

    if (!operand_get_rmw(c, o, &a)) return STEP_FAULT;
    if (!operand_put(c, o, b)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, a);
    return STEP_NEXT;
}

/* XCHG BX,BX: nothing, or Bochs' magic break where the configuration asks for it */
OP(xchg_bx) { return c->magic_break ? STEP_BREAK : STEP_NEXT; }

/* ---- CMOVcc -----------------------------------------------------------------------------------------------
 * The source is always read; a 32-bit destination is zero-extended even when nothing moves. */

#define CMOV_CC(CC)                                                                                \
    static const struct op *cmov_##CC##_32(struct cpu *c, const struct op *o)                      \
    {                                                                                              \
        uint32_t v = fl_cond(c, CC) ? RD32(c, o->rm) : RD32(c, o->reg);                            \
        WR32(c, o->reg, v);                                                                        \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    static const struct op *cmov_##CC##_64(struct cpu *c, const struct op *o)                      \
    {                                                                                              \
        uint64_t v = fl_cond(c, CC) ? RD64(c, o->rm) : RD64(c, o->reg);                            \
        WR64(c, o->reg, v);                                                                        \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    OP(cmov_g_##CC)                                                                                \
    {                                                                                              \
        uint64_t v;                                                                                \
        if (!operand_get(c, o, &v)) return STEP_FAULT;                                             \
        if (!fl_cond(c, CC)) v = reg_get(c, o->reg, o->width);                                     \
        reg_put(c, o->reg, o->width, v);                                                           \
        return STEP_NEXT;                                                                          \
    }
#define FOR_CC(M)                                                                                  \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
FOR_CC(CMOV_CC)
#define CMOV_ROW(CC) {cmov_##CC##_32, cmov_##CC##_64, op_cmov_g_##CC},
const op_fn cmov_handlers[16][3] = {FOR_CC(CMOV_ROW)};
