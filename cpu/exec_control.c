/*
 * exec_control.c - near JMP, Jcc, CALL, RET, LOOP, JCXZ. SDM 2, per instruction.
 *
 * A near branch to a non-canonical target (64-bit mode) or beyond CS's limit (elsewhere) is refused
 * while RIP is still the branch's (checks.md 36): so nothing has been pushed, popped or counted.
 */
#include "cpu/fast.h"
#include "cpu/protect.h"

/* ---- judging a target ------------------------------------------------------------------------------ */

/* Truncated to the operand size and allowed by CS? */
static bool branch_check(struct cpu *c, const struct op *o, uint64_t *target)
{
    const struct segment *cs = &c->seg[SEG_CS];

    if (o->width == 2) *target = (uint16_t)*target; /* in 64-bit mode: 66h on AMD's processors alone */
    else if (!cpu_64(c)) *target = (uint32_t)*target;
    return target_check(c, *target, cs->attr, cs->limit);
}

static uint64_t relative(const struct cpu *c, const struct op *o)
{
    return c->gpr[R_RIPBASE] + o[1].ip_off + (uint64_t)o->imm;
}

/* ---- any mode, any place: plain handlers --------------------------------------------------------------- */

OP(jmp_g)
{
    uint64_t target = relative(c, o);

    if (!branch_check(c, o, &target)) return STEP_FAULT;
    return cpu_branch(c, target);
}

OP(jmp_ind)
{
    uint64_t target;

    if (!operand_get(c, o, &target)) return STEP_FAULT;
    if (!branch_check(c, o, &target)) return STEP_FAULT;
    return cpu_branch(c, target);
}

/* the target is judged before the push, the push before RIP changes */
static enum step call_to(struct cpu *c, const struct op *o, uint64_t target)
{
    uint64_t next = cpu_next_rip(c);

    if (!cpu_64(c)) next = (uint32_t)next;
    /* Pushing comes first in the manual's operation, but the target's fault leaves no trace. */
    if (!stack_probe_push(c, o->width)) return STEP_FAULT;
    if (!branch_check(c, o, &target)) return STEP_FAULT;
    if (!stack_push(c, o->width, next)) return STEP_FAULT;
    return cpu_branch(c, target);
}

OP(call_g) { return call_to(c, o, relative(c, o)); }

OP(call_ind)
{
    uint64_t target = c->gpr[o->rm];

    if ((o->flags & OPF_MEM) && !mem_read_push(c, o->seg, ea(c, o), o->width, &target)) return STEP_FAULT;
    return call_to(c, o, target);
}

OP(ret_g)
{
    uint64_t target;

    if (!stack_peek(c, 0, o->width, &target)) return STEP_FAULT;
    if (!branch_check(c, o, &target)) return STEP_FAULT;
    stack_pointer_put(c, stack_pointer(c) + o->width + (uint16_t)o->imm);
    return cpu_branch(c, target);
}

#define JCC_G(CC)                                                                                  \
    OP(jcc_g_##CC)                                                                                 \
    {                                                                                              \
        uint64_t target = relative(c, o);                                                          \
        if (!fl_cond(c, CC)) return STEP_NEXT;                                                     \
        if (!branch_check(c, o, &target)) return STEP_FAULT;                                       \
        return cpu_branch(c, target);                                                              \
    }

/* LOOP, LOOPE, LOOPNE, JCXZ count with the address size's register */
static uint64_t count_mask(const struct cpu *c, const struct op *o)
{
    if (o->flags & OPF_ADDR16) return 0xffff;
    if (o->flags & OPF_ADDR32 || !cpu_64(c)) return 0xffffffff;
    return UINT64_MAX;
}

static void count_put(struct cpu *c, uint64_t mask, uint64_t value)
{
    c->gpr[R_RCX] = mask == 0xffff ? (c->gpr[R_RCX] & ~mask) | (value & mask) : value & mask;
}

static enum step loop_if(struct cpu *c, const struct op *o, bool cond)
{
    uint64_t mask = count_mask(c, o), n = (c->gpr[R_RCX] - 1) & mask, target = relative(c, o);

    if (n != 0 && cond) {
        if (!branch_check(c, o, &target)) return STEP_FAULT;
        count_put(c, mask, n);
        return cpu_branch(c, target);
    }
    count_put(c, mask, n);
    return STEP_NEXT;
}

OP(loop) { return loop_if(c, o, true); }
OP(loope) { return loop_if(c, o, fl_zf(c)); }
OP(loopne) { return loop_if(c, o, !fl_zf(c)); }

OP(jcxz)
{
    uint64_t target = relative(c, o);

    if (c->gpr[R_RCX] & count_mask(c, o)) return STEP_NEXT;
    if (!branch_check(c, o, &target)) return STEP_FAULT;
    return cpu_branch(c, target);
}

/* ---- 64-bit mode, within the block's own page ------------------------------------------------------------ */

const struct op *op_jmp_same(struct cpu *c, const struct op *o);
const struct op *op_jmp_same(struct cpu *c, const struct op *o) { JUMP_SAME(c, o, 0, relative(c, o)); }

#define JCC_SAME(CC)                                                                               \
    static const struct op *jcc_same_##CC(struct cpu *c, const struct op *o)                       \
    {                                                                                              \
        if (fl_cond(c, CC)) JUMP_SAME(c, o, 1, relative(c, o));                                    \
        JUMP_SAME(c, o, 0, c->gpr[R_RIPBASE] + o[1].ip_off);                                       \
    }

/* ---- 64-bit mode, anywhere: a canonical target is all that is asked ----------------------------------------- */

#define IS_CANON(c, a) ((int64_t)((a) << 16) >> 16 == (int64_t)(a))

const struct op *op_jmp_far_page(struct cpu *c, const struct op *o);
const struct op *op_jmp_far_page(struct cpu *c, const struct op *o)
{
    uint64_t target = relative(c, o);

    if (UNLIKELY(!IS_CANON(c, target) || c->observe_checks)) return op_jmp_g(c, o);
    JUMP_ANY(c, o, target);
}

#define JCC_ANY(CC)                                                                                \
    static const struct op *jcc_any_##CC(struct cpu *c, const struct op *o)                        \
    {                                                                                              \
        uint64_t target = c->gpr[R_RIPBASE] + o[1].ip_off;                                         \
        if (fl_cond(c, CC)) {                                                                      \
            target += (uint64_t)o->imm;                                                            \
            if (UNLIKELY(!IS_CANON(c, target) || c->observe_checks)) return op_jcc_g_##CC(c, o);   \
        }                                                                                          \
        JUMP_ANY(c, o, target);                                                                    \
    }

const struct op *op_call_64(struct cpu *c, const struct op *o);
const struct op *op_call_64(struct cpu *c, const struct op *o)
{
    uint64_t next = c->gpr[R_RIPBASE] + o[1].ip_off, target = next + (uint64_t)o->imm;
    uint64_t sp = c->gpr[R_RSP] - 8;
    ua64 *p = mem_hit(c, c->wr, sp, 8);

    if (UNLIKELY(p == NULL || !IS_CANON(c, target))) return op_call_g(c, o);
    *p = next;
    c->gpr[R_RSP] = sp;
    JUMP_ANY(c, o, target);
}

const struct op *op_call_same(struct cpu *c, const struct op *o);
const struct op *op_call_same(struct cpu *c, const struct op *o)
{
    uint64_t next = c->gpr[R_RIPBASE] + o[1].ip_off;
    uint64_t sp = c->gpr[R_RSP] - 8;
    ua64 *p = mem_hit(c, c->wr, sp, 8);

    if (UNLIKELY(p == NULL)) return op_call_g(c, o);
    *p = next;
    c->gpr[R_RSP] = sp;
    JUMP_SAME(c, o, 0, next + (uint64_t)o->imm);
}

const struct op *op_ret_64(struct cpu *c, const struct op *o);
const struct op *op_ret_64(struct cpu *c, const struct op *o)
{
    const ua64 *p = mem_hit(c, c->rd, c->gpr[R_RSP], 8);

    if (UNLIKELY(p == NULL)) return op_ret_g(c, o);
    uint64_t target = *p;
    if (UNLIKELY(!IS_CANON(c, target))) return op_ret_g(c, o);
    c->gpr[R_RSP] += 8 + (uint64_t)(uint16_t)o->imm;
    JUMP_ANY(c, o, target);
}

const struct op *op_jmp_r_64(struct cpu *c, const struct op *o);
const struct op *op_jmp_r_64(struct cpu *c, const struct op *o)
{
    uint64_t target = c->gpr[o->rm];

    if (UNLIKELY(!IS_CANON(c, target) || c->observe_checks)) return op_jmp_ind(c, o);
    JUMP_ANY(c, o, target);
}

#define JMP_M_64(NAME, EA)                                                                         \
    const struct op *NAME(struct cpu *c, const struct op *o);                                      \
    const struct op *NAME(struct cpu *c, const struct op *o)                                       \
    {                                                                                              \
        const ua64 *p = mem_hit(c, c->rd, EA(c, o), 8);                                        \
        if (UNLIKELY(p == NULL)) return op_jmp_ind(c, o);                                          \
        uint64_t target = *p;                                                                      \
        if (UNLIKELY(!IS_CANON(c, target))) return op_jmp_ind(c, o);                               \
        JUMP_ANY(c, o, target);                                                                    \
    }
JMP_M_64(op_jmp_mb_64, EA_B)
JMP_M_64(op_jmp_mx_64, EA_X)

const struct op *op_call_r_64(struct cpu *c, const struct op *o);
const struct op *op_call_r_64(struct cpu *c, const struct op *o)
{
    uint64_t target = c->gpr[o->rm];
    uint64_t sp = c->gpr[R_RSP] - 8;
    ua64 *p = mem_hit(c, c->wr, sp, 8);

    if (UNLIKELY(p == NULL || !IS_CANON(c, target))) return op_call_ind(c, o);
    *p = c->gpr[R_RIPBASE] + o[1].ip_off;
    c->gpr[R_RSP] = sp;
    JUMP_ANY(c, o, target);
}

#define FOR_CC(M)                                                                                  \
    M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
FOR_CC(JCC_G)
FOR_CC(JCC_SAME)
FOR_CC(JCC_ANY)
#define JCC_ROW(CC) {jcc_same_##CC, jcc_any_##CC, op_jcc_g_##CC},
const op_fn jcc_handlers[16][3] = {FOR_CC(JCC_ROW)};
