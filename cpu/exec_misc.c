/*
 * exec_misc.c - what belongs to no larger family: SETcc, conversions within rAX and rDX, XLAT,
 * CMPXCHG and its wide forms, XADD, ENTER, LEAVE, PUSHA, POPA.
 *
 * Each of the stack instructions works on a copy of rSP and rBP, so that a fault at any of its
 * accesses leaves both registers alone.
 * Manual: SDM 2A "CBW/CWDE/CDQE", "CMPXCHG", "CMPXCHG8B/CMPXCHG16B", "CWD/CDQ/CQO", "ENTER",
 * "LEAVE"; SDM 2B "SETcc", "PUSHA/PUSHAD", "POPA/POPAD"; SDM 2D "XADD", "XLAT/XLATB".
 */
#include "cpu/exec_parts.h"
#include "cpu/fast.h"

/* ---- SETcc ------------------------------------------------------------------------------------ */

static inline enum step set_memory(struct cpu *c, const struct op *o, unsigned cc)
{
    return mem_write(c, o->seg, ea(c, o), 1, fl_cond(c, cc)) ? STEP_NEXT : STEP_FAULT;
}

#define SETCC(name, cc)                                                                            \
    DIRECT(name##_r8)                                                                              \
    {                                                                                              \
        *reg_byte(c, o->rm) = fl_cond(c, cc);                                                      \
        OP_GO(c, o + 1);                                                                           \
    }                                                                                              \
    OP(name##_m8) { return set_memory(c, o, cc); }

#define FOR_CONDITIONS(M)                                                                          \
    M(seto, 0) M(setno, 1) M(setb, 2) M(setnb, 3) M(setz, 4) M(setnz, 5) M(setbe, 6) M(setnbe, 7)   \
    M(sets, 8) M(setns, 9) M(setp, 10) M(setnp, 11) M(setl, 12) M(setnl, 13) M(setle, 14)           \
    M(setnle, 15)

FOR_CONDITIONS(SETCC)

op_fn pick_setcc(const struct op *o, int kind);
/** @kind  the condition code, 0..15 */
op_fn pick_setcc(const struct op *o, int kind)
{
#define SETCC_PAIR(name, cc) [cc] = {op_##name##_r8, op_##name##_m8},
    static const op_fn forms[16][2] = {FOR_CONDITIONS(SETCC_PAIR)};
#undef SETCC_PAIR
    return forms[kind & 15][(o->flags & OPF_MEM) != 0];
}

/* ---- rAX and rDX -------------------------------------------------------------------------------- */

DIRECT(cbw)
{
    c->gpr[R_RAX] = (c->gpr[R_RAX] & ~0xffffull) | (uint16_t)(int8_t)c->gpr[R_RAX];
    OP_GO(c, o + 1);
}

DIRECT(cwde)
{
    c->gpr[R_RAX] = (uint64_t)(int16_t)c->gpr[R_RAX] & 0xffffffffu;
    OP_GO(c, o + 1);
}

DIRECT(cdqe)
{
    c->gpr[R_RAX] = (uint64_t)(int32_t)c->gpr[R_RAX];
    OP_GO(c, o + 1);
}

DIRECT(cwd)
{
    uint16_t sign = (uint16_t)((int16_t)c->gpr[R_RAX] >> 15);
    c->gpr[R_RDX] = (c->gpr[R_RDX] & ~0xffffull) | sign;
    OP_GO(c, o + 1);
}

DIRECT(cdq)
{
    c->gpr[R_RDX] = (uint32_t)((int32_t)c->gpr[R_RAX] >> 31);
    OP_GO(c, o + 1);
}

DIRECT(cqo)
{
    c->gpr[R_RDX] = (uint64_t)((int64_t)c->gpr[R_RAX] >> 63);
    OP_GO(c, o + 1);
}

OP(xlat)
{
    uint64_t eff = (c->gpr[R_RBX] + (uint8_t)c->gpr[R_RAX]) & addr_mask(o), value;

    if (!mem_read(c, o->seg, eff, 1, &value)) return STEP_FAULT;
    *reg_byte(c, 0) = (uint8_t)value;
    return STEP_NEXT;
}

/* ---- compare and exchange -------------------------------------------------------------------------- */

/* Memory is written even when unequal; a register is then left alone, upper half included, as is
 * the accumulator when equal. */
OP(cmpxchg)
{
    uint64_t acc = reg_get(c, R_RAX, o->width), dest;

    if (!operand_get_rmw(c, o, &dest)) return STEP_FAULT;
    if (acc == dest) {
        if (!operand_put(c, o, reg_get(c, o->reg, o->width))) return STEP_FAULT;
    } else {
        if ((o->flags & OPF_MEM) && !operand_put(c, o, dest)) return STEP_FAULT;
        reg_put(c, R_RAX, o->width, dest);
    }
    fl_sub(c, acc, dest, o->width);
    return STEP_NEXT;
}

static void set_zf_alone(struct cpu *c, bool zf)
{
    fl_put(c, (fl_get(c) & ~RF_ZF) | (zf ? RF_ZF : 0));
}

OP(cmpxchg8b)
{
    uint64_t eff = ea(c, o), dest;
    uint64_t expected = c->gpr[R_RDX] << 32 | (uint32_t)c->gpr[R_RAX];
    uint64_t wanted = c->gpr[R_RCX] << 32 | (uint32_t)c->gpr[R_RBX];

    if (!mem_read_rmw(c, o->seg, eff, 8, &dest)) return STEP_FAULT;
    if (!mem_write(c, o->seg, eff, 8, dest == expected ? wanted : dest)) return STEP_FAULT;
    if (dest != expected) {
        c->gpr[R_RAX] = (uint32_t)dest;
        c->gpr[R_RDX] = dest >> 32;
    }
    set_zf_alone(c, dest == expected);
    return STEP_NEXT;
}

/* Misaligned is #GP before any page is asked: the read raises it. */
OP(cmpxchg16b)
{
    uint64_t eff = ea(c, o), dest[2], wanted[2] = {c->gpr[R_RBX], c->gpr[R_RCX]};
    bool aligned = (linear_of(c, o->seg, eff) & 15) == 0, equal;

    if (aligned && !mem_probe_write(c, o->seg, eff, 16)) return STEP_FAULT;
    if (!mem_read_bytes(c, o->seg, eff, dest, 16, 16)) return STEP_FAULT;
    equal = dest[0] == c->gpr[R_RAX] && dest[1] == c->gpr[R_RDX];
    if (!mem_write_bytes(c, o->seg, eff, equal ? wanted : dest, 16, 16)) return STEP_FAULT;
    if (!equal) {
        c->gpr[R_RAX] = dest[0];
        c->gpr[R_RDX] = dest[1];
    }
    set_zf_alone(c, equal);
    return STEP_NEXT;
}

/* The sum is written last: it stays when both operands are one register. */
OP(xadd)
{
    uint64_t source = reg_get(c, o->reg, o->width), dest;

    if (!operand_get_rmw(c, o, &dest)) return STEP_FAULT;
    if (o->flags & OPF_MEM) {
        if (!operand_put(c, o, dest + source)) return STEP_FAULT;
        reg_put(c, o->reg, o->width, dest);
    } else {
        reg_put(c, o->reg, o->width, dest);
        reg_put(c, o->rm, o->width, dest + source);
    }
    fl_add(c, dest, source, o->width);
    return STEP_NEXT;
}

/* ---- frames ------------------------------------------------------------------------------------------ */

static uint64_t stack_wrap(const struct cpu *c)
{
    if (cpu_64(c)) return ~0ull;
    return c->seg[SEG_SS].attr & ATTR_DB ? 0xffffffffu : 0xffff;
}

/** Push onto a copy of the stack pointer. */
static bool frame_push(struct cpu *c, uint64_t *sp, unsigned width, uint64_t value)
{
    uint64_t slot = (*sp - width) & stack_wrap(c);

    if (!mem_write(c, SEG_SS, slot, width, value)) return false;
    *sp = slot;
    return true;
}

/** The frame pointers of the enclosing `level` - 1 procedures, then this frame's own. */
static bool enter_display(struct cpu *c, unsigned width, unsigned level, uint64_t frame, uint64_t *sp)
{
    uint64_t bp = c->gpr[R_RBP], value;

    for (unsigned i = 1; i < level; i++) {
        bp = (bp - width) & stack_wrap(c);
        if (!mem_read(c, SEG_SS, bp, width, &value)) return false;
        if (!frame_push(c, sp, width, value)) return false;
    }
    return frame_push(c, sp, width, frame);
}

/* imm = size of the frame | nesting level << 16. The last byte of the new frame is judged as a write
 * before rBP and rSP move. */
OP(enter)
{
    unsigned width = o->width, level = (unsigned)o->imm >> 16 & 31;
    uint64_t wrap = stack_wrap(c), sp = stack_pointer(c), frame, bottom;

    if (!frame_push(c, &sp, width, reg_get(c, R_RBP, width))) return STEP_FAULT;
    frame = c->gpr[R_RSP] - width; /* with a borrow beyond a 16-bit stack pointer (Intel, measured) */
    if (level && !enter_display(c, width, level, frame, &sp)) return STEP_FAULT;
    bottom = (sp - (uint16_t)o->imm) & wrap;
    if (!mem_probe_write(c, SEG_SS, bottom, width)) return STEP_FAULT;
    reg_put(c, R_RBP, width, frame);
    stack_pointer_put(c, bottom);
    return STEP_NEXT;
}

OP(leave)
{
    uint64_t at = c->gpr[R_RBP] & stack_wrap(c), value;

    if (!mem_read(c, SEG_SS, at, o->width, &value)) return STEP_FAULT;
    stack_pointer_put(c, at + o->width);
    reg_put(c, R_RBP, o->width, value);
    return STEP_NEXT;
}

OP(pusha)
{
    uint64_t sp = stack_pointer(c);

    for (unsigned reg = R_RAX; reg <= R_RDI; reg++)
        if (!frame_push(c, &sp, o->width, reg_get(c, reg, o->width))) return STEP_FAULT;
    stack_pointer_put(c, sp);
    return STEP_NEXT;
}

OP(popa)
{
    uint64_t value[8], sp = stack_pointer(c), wrap = stack_wrap(c);

    for (unsigned i = 0; i < 8; i++)
        if (!mem_read(c, SEG_SS, (sp + i * o->width) & wrap, o->width, &value[i])) return STEP_FAULT;
    for (unsigned i = 0; i < 8; i++) {
        unsigned reg = R_RDI - i;
        if (reg != R_RSP) reg_put(c, reg, o->width, value[i]);
    }
    stack_pointer_put(c, sp + 8u * o->width);
    return STEP_NEXT;
}
