/*
 * transfer.c - far JMP, CALL, RET and IRET: control to another code segment, perhaps another level.
 *
 * Everything is read and judged before anything changes: a refused transfer leaves registers, stack
 * pointer and memory (but accessed bits) alone. IRET alone unblocks NMIs even when it faults.
 * Here: protected, compatibility and 64-bit mode. Call gates are gate.c's, hardware tasks task.c's.
 * Manual: SDM 2 "JMP", "CALL", "RET", "IRET/IRETD/IRETQ"; SDM 3A "Direct Calls or Jumps to Code
 * Segments", "Call Gates", "Stack Switching", "Returning from a Called Procedure".
 */
#include "cpu/real.h"
#include "cpu/task.h"
#include "cpu/limit.h"

/* ---- CPL, mode, ledger ------------------------------------------------------------------------------ */

void set_mode(struct cpu *c, unsigned cpl)
{
    if (cpl != c->cpl) cpu_set_cpl(c, cpl);
    cpu_mode_changed(c);
}

void crossing_begin(struct cpu *c)
{
    if (c->crossings && c->crossings->begin) c->crossings->begin(c->crossings->ctx, c);
}

void crossing_enter(struct cpu *c, enum rs_crossing how, uint32_t number, unsigned from,
                    uint64_t start)
{
    if (c->crossings) c->crossings->enter(c->crossings->ctx, c, how, number, from, start);
}

void crossing_leave(struct cpu *c, enum rs_crossing how, unsigned from, uint64_t start)
{
    if (c->crossings) c->crossings->leave(c->crossings->ctx, c, how, from, start);
}

enum step arrive(struct cpu *c, unsigned cpl, uint64_t rip)
{
    enum step s = cpu_branch(c, rip);

    set_mode(c, cpl);
    return s;
}

/* ---- parts ---------------------------------------------------------------------------------------------- */

static bool code_is_64(const struct cpu *c, uint16_t attr)
{
    return cpu_long(c) && (attr & ATTR_L);
}

bool target_check(struct cpu *c, uint64_t rip, uint16_t attr, uint32_t limit)
{
    unsigned bits = c->features->linear_bits;

    if (code_is_64(c, attr))
        return check(c, RS_RULE_CANON_FETCH, mmu_canonical(rip, bits), rip, bits, 0, 0);
    return check(c, RS_RULE_LIMIT_FETCH, rip <= limit, rip, limit, 0, 0);
}

static uint64_t stack_wrap(const struct cpu *c, uint64_t sp)
{
    if (cpu_64(c)) return sp;
    return c->seg[SEG_SS].attr & ATTR_DB ? (uint32_t)sp : (uint16_t)sp;
}

/* A new stack pointer for stack segment `attr`: a 16-bit stack keeps the register's upper part. */
static uint64_t stack_join(const struct cpu *c, uint64_t sp, uint16_t attr, bool mode64)
{
    if (mode64) return sp;
    return attr & ATTR_DB ? (uint32_t)sp : (c->gpr[R_RSP] & ~0xffffull) | (uint16_t)sp;
}

static const uint16_t code_rules[] = {RS_RULE_CS_TYPE, RS_RULE_CS_LD, RS_RULE_CS_RPL,
                                      RS_RULE_CS_DPL, RS_RULE_CS_P};
static const uint16_t return_rules[] = {RS_RULE_CS_TYPE, RS_RULE_CS_LD, RS_RULE_CS_RETURN_RPL,
                                        RS_RULE_CS_RETURN_DPL, RS_RULE_CS_P};
/* Null: #GP(0). Index: #GP(sel). */
static bool code_read(struct cpu *c, uint16_t selector, struct desc_ref *r)
{
    if (!check(c, RS_RULE_CS_NULL, !sel_is_null(selector), selector, 0, 0, 0)) return false;
    return desc_read(c, selector, 8, RS_RULE_SEG_TABLE, r);
}

void code_fill(struct cpu *c, uint16_t selector, unsigned rpl, const struct descriptor *d)
{
    seg_fill(c, SEG_CS, (uint16_t)((selector & ~3u) | rpl), d);
}

/* ---- far JMP and CALL, direct ---------------------------------------------------------------------------- */

bool push_return(struct cpu *c, unsigned size)
{
    uint64_t sp = stack_pointer(c), next = cpu_next_rip(c);

    if (!cpu_64(c)) next = (uint32_t)next;
    if (!mem_write(c, SEG_SS, stack_wrap(c, sp - size), size, c->seg[SEG_CS].sel)) return false;
    if (!mem_write(c, SEG_SS, stack_wrap(c, sp - 2 * size), size, next)) return false;
    stack_pointer_put(c, sp - 2 * size);
    return true;
}

bool probe_return(struct cpu *c, unsigned size)
{
    uint64_t sp = stack_pointer(c);

    return mem_probe_write(c, SEG_SS, stack_wrap(c, sp - size), size) &&
           mem_probe_write(c, SEG_SS, stack_wrap(c, sp - 2 * size), size);
}

/* A CALL from compatibility mode to 64-bit code pushes as that code would: by all of RSP, without SS's base and
 * limit (Intel, measured). */
static bool wide_room(struct cpu *c, unsigned size)
{
    uint64_t sp = c->gpr[R_RSP];

    return mem_probe_flat(c, sp - size, size) && mem_probe_flat(c, sp - 2 * size, size);
}

static bool wide_push(struct cpu *c, unsigned size)
{
    uint64_t sp = c->gpr[R_RSP];

    if (!mem_write_flat(c, sp - size, size, c->seg[SEG_CS].sel)) return false;
    if (!mem_write_flat(c, sp - 2 * size, size, (uint32_t)cpu_next_rip(c))) return false;
    c->gpr[R_RSP] = sp - 2 * size;
    return true;
}

/**
 * Direct transfer: seg_code_judge; CALL: room on the stack, #SS(0); target beyond the limit or not
 * canonical, #GP(0). CPL stays; CS.RPL becomes CPL.
 */
static enum step transfer_direct(struct cpu *c, uint16_t selector, uint64_t rip, unsigned size,
                                 bool call, struct desc_ref *r)
{
    bool wide = code_is_64(c, r->d.attr) && !cpu_64(c);

    if (!CHECKS(c, code_rules, seg_code_judge(r->d.attr, selector, c->cpl, cpu_long(c)), selector,
                r->d.attr, c->cpl, sel_error(selector)))
        return STEP_FAULT;
    if (call && !(wide ? wide_room(c, size) : probe_return(c, size))) return STEP_FAULT;
    if (!target_check(c, rip, r->d.attr, r->d.limit)) return STEP_FAULT;
    if (!desc_set_accessed(c, r)) return STEP_FAULT;
    if (call && !(wide ? wide_push(c, size) : push_return(c, size))) return STEP_FAULT;

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_FAR_SAME);
    code_fill(c, selector, c->cpl, &r->d);
    return arrive(c, c->cpl, rip);
}

/* What a system descriptor means to a far JMP or CALL. */
static enum step transfer_system(struct cpu *c, uint16_t selector, bool call,
                                 const struct desc_ref *r)
{
    unsigned type = attr_system(r->d.attr);

    if (type == SYS_CALL) return transfer_gate(c, selector, call);
    if (!cpu_long(c)) {
        if (type == SYS_CALL16) return transfer_gate(c, selector, call);
        if (type == SYS_TASK || (type & ~2u) == SYS_TSS || (type & ~2u) == SYS_TSS16)
            return task_far(c, selector, call, r);
    }
    check(c, RS_RULE_CS_TYPE, false, selector, r->d.attr, c->cpl, sel_error(selector));
    return STEP_FAULT;
}

/** far_transfer - null selector: #GP(0); index: #GP(sel); then by the descriptor's type. */
enum step far_transfer(struct cpu *c, uint16_t selector, uint64_t offset, unsigned size, bool call)
{
    struct desc_ref r;

    if (!cpu_protected(c)) return real_transfer(c, selector, offset, size, call);
    if (!code_read(c, selector, &r)) return STEP_FAULT;
    if (!(r.d.attr & ATTR_S)) return transfer_system(c, selector, call, &r);
    if (size == 2) offset = (uint16_t)offset;
    if (size == 4) offset = (uint32_t)offset;
    return transfer_direct(c, selector, offset, size, call, &r);
}

/* ---- returns ----------------------------------------------------------------------------------------------- */

/* What a far return or IRET has read and judged before it commits. */
struct frame {
    uint64_t rip, rsp, flags;
    uint64_t start;
    uint16_t cs, ss;
    unsigned cpl;       /* the new one */
    bool outer, mode64; /* the new mode */
    struct desc_ref code, stack;
};

/* CS of a return: null #GP(0), index #GP(sel), seg_return_judge. */
static bool return_code_check(struct cpu *c, struct frame *f)
{
    if (!code_read(c, f->cs, &f->code)) return false;
    if (!CHECKS(c, return_rules, seg_return_judge(f->code.d.attr, f->cs, c->cpl, cpu_long(c)),
                f->cs, f->code.d.attr, c->cpl, sel_error(f->cs)))
        return false;
    f->cpl = sel_rpl(f->cs);
    f->outer = f->cpl > c->cpl;
    f->mode64 = code_is_64(c, f->code.d.attr);
    return true;
}

static bool return_target_check(struct cpu *c, const struct frame *f)
{
    return target_check(c, f->rip, f->code.d.attr, f->code.d.limit);
}

/* SS:RSP from the stack, `offset` bytes above its top. */
static bool read_stack_pair(struct cpu *c, unsigned offset, unsigned size, struct frame *f)
{
    uint64_t ss;

    if (!stack_peek(c, offset, size, &f->rsp) || !stack_peek(c, offset + size, size, &ss))
        return false;
    f->ss = (uint16_t)ss;
    return true;
}

static bool return_accessed(struct cpu *c, struct frame *f, bool stack)
{
    return desc_set_accessed(c, &f->code) && (!stack || desc_set_accessed(c, &f->stack));
}

static void return_commit_stack(struct cpu *c, const struct frame *f, uint64_t rsp)
{
    c->gpr[R_RSP] = stack_join(c, rsp, f->stack.d.attr, f->mode64);
    seg_fill(c, SEG_SS, f->ss, &f->stack.d);
}

/* The same stack: CS:RIP came off it as the old mode counts, the parameters go as the new one does (Intel, measured). */
static void return_release(struct cpu *c, const struct frame *f, unsigned frame, unsigned more)
{
    stack_pointer_put(c, stack_pointer(c) + frame);
    if (f->mode64) c->gpr[R_RSP] += more;
    else stack_pointer_put(c, stack_pointer(c) + more);
}

/**
 * far_return - far RET, popping `pop_bytes` more (twice when the level changes).
 *   1. RIP, CS from the stack: #SS(0) or #PF
 *   2. CS null #GP(0), index #GP(sel), seg_return_judge
 *   3. outer level: RSP, SS above the parameters; SS null where it may not be #GP(0), index #GP(sel),
 *      seg_stack_judge with the new CPL
 *   4. target beyond the limit or not canonical: #GP(0)
 * Manual: SDM 2B "RET".
 */
enum step far_return(struct cpu *c, unsigned size, unsigned pop_bytes)
{
    struct frame f = {.start = cpu_now(c)};
    unsigned from = c->cpl;
    uint64_t cs;

    if (!cpu_protected(c)) return real_return(c, size, pop_bytes);
    crossing_begin(c);
    /* of CS the selector alone is read, as by Intel's processors (measured) */
    if (!stack_peek(c, 0, size, &f.rip) || !stack_peek(c, size, 2, &cs)) return STEP_FAULT;
    f.cs = (uint16_t)cs;
    if (!return_code_check(c, &f)) return STEP_FAULT;
    if (f.outer) {
        if (!read_stack_pair(c, 2 * size + pop_bytes, size, &f)) return STEP_FAULT;
        if (!stack_segment_check(c, f.ss, f.cpl, f.mode64, &f.stack)) return STEP_FAULT;
    }
    if (!return_target_check(c, &f) || !return_accessed(c, &f, f.outer)) return STEP_FAULT;

    cpu_charge_event(c, RS_CAT_TRANSITION, f.outer ? COST_RETF_OUTER : COST_FAR_SAME);
    if (f.outer) return_commit_stack(c, &f, f.rsp + pop_bytes);
    else return_release(c, &f, 2 * size, pop_bytes);
    code_fill(c, f.cs, f.cpl, &f.code.d);
    if (f.outer) seg_clear_outer(c, f.cpl);
    enum step s = arrive(c, f.cpl, f.rip);
    crossing_leave(c, RS_X_FAR_RET, from, f.start);
    return s;
}

/* ---- IRET --------------------------------------------------------------------------------------------------- */

/** The flags that IRET of this size may change at this CPL and IOPL. Pure. SDM 2A "IRET". */
static uint64_t iret_mask(unsigned cpl, unsigned iopl, unsigned size)
{
    uint64_t mask = RF_ARITH | RF_TF | RF_DF | RF_NT;

    if (size > 2) mask |= RF_RF | RF_AC | RF_ID;
    if (cpl <= iopl) mask |= RF_IF;
    if (cpl == 0) mask |= RF_IOPL | (size > 2 ? RF_VIF | RF_VIP : 0);
    return mask;
}

static bool iret_read(struct cpu *c, unsigned size, struct frame *f)
{
    uint64_t cs;

    if (!stack_peek(c, 0, size, &f->rip) || !stack_peek(c, size, size, &cs)) return false;
    f->cs = (uint16_t)cs;
    return stack_peek(c, 2 * size, size, &f->flags);
}

/* CS, then SS:RSP: there at an outer return, and always when IRET began in 64-bit mode. */
static bool iret_code(struct cpu *c, unsigned size, struct frame *f)
{
    if (!return_code_check(c, f)) return false;
    if (!f->outer && !cpu_64(c)) return true;
    return read_stack_pair(c, 3 * size, size, f);
}

static enum step iret_commit(struct cpu *c, unsigned size, struct frame *f, bool stack)
{
    unsigned from = c->cpl;
    uint64_t mask = iret_mask(c->cpl, cpu_iopl(c), size);
    uint64_t flags = (flags_get(c) & ~mask) | (f->flags & mask);

    cpu_charge_event(c, RS_CAT_TRANSITION, f->outer ? COST_IRET_OUTER : COST_IRET_SAME);
    if (stack) {
        return_commit_stack(c, f, f->rsp);
    } else {
        stack_pointer_put(c, stack_pointer(c) + 3 * size);
    }
    code_fill(c, f->cs, f->cpl, &f->code.d);
    if (f->outer) seg_clear_outer(c, f->cpl);
    flags_put(c, flags);
    /* the run loop itself takes a held NMI, and clears RF after one instruction */
    if (c->nmi_pending || (flags & RF_RF)) c->brk = true;
    enum step s = arrive(c, f->cpl, f->rip);
    crossing_leave(c, RS_X_IRET, from, f->start);
    return s;
}

/**
 * interrupt_return - IRET, IRETD, IRETQ.
 *   0. NMIs are unblocked, whatever follows
 *   1. NT=1: #GP(0) in IA-32e mode, a task return elsewhere
 *   2. RIP, CS, RFLAGS read in ascending order; VM=1 at CPL 0 outside IA-32e mode: v86_enter; else CS as in
 *      far_return
 *   3. RSP, SS read (outer return, or begun in 64-bit mode)
 *   4. target beyond the limit or not canonical: #GP(0)
 *   5. SS: null where it may not be #GP(0), index #GP(sel), seg_stack_judge with the new CPL
 *   6. commit: flags by the old CPL, then CPL, then data segments of inner levels are cleared
 * Manual: SDM 2A "IRET/IRETD/IRETQ", SDM 3A "Handling Multiple NMIs".
 */
enum step interrupt_return(struct cpu *c, unsigned size)
{
    struct frame f = {.start = cpu_now(c)};
    bool stack, nt = (c->flags & RF_NT) != 0;

    c->nmi_blocked = false;
    if (!cpu_protected(c)) return cpu_v86(c) ? v86_iret(c, size) : real_iret(c, size);
    crossing_begin(c);
    if (cpu_long(c)) {
        if (!check(c, RS_RULE_IRET_NT, !nt, cpu_rip(c), nt, 0, 0)) return STEP_FAULT;
    } else if (nt) {
        return task_return(c);
    }
    if (!iret_read(c, size, &f)) return STEP_FAULT;
    if (!cpu_long(c) && size == 4 && (f.flags & RF_VM) && c->cpl == 0)
        return v86_enter(c, f.rip, f.cs, f.flags, f.start);
    if (!iret_code(c, size, &f)) return STEP_FAULT;
    stack = f.outer || cpu_64(c);
    if (!return_target_check(c, &f)) return STEP_FAULT;
    if (stack && !stack_segment_check(c, f.ss, f.cpl, f.mode64, &f.stack)) return STEP_FAULT;
    if (!return_accessed(c, &f, stack)) return STEP_FAULT;
    return iret_commit(c, size, &f, stack);
}
