/*
 * real.c - segments that are no descriptors: real-address mode and virtual-8086 mode. Loads, far JMP,
 * CALL and RET of both modes; IRET, interrupts and exceptions of real mode (the 8086's way, through the
 * interrupt vector table). What virtual-8086 mode has of its own is in v86.c.
 *
 * A load in real mode changes selector and base; limit, D and G stay what they were, so that a program
 * that has loaded a 4-GiB limit in protected mode keeps it ("big real mode"). In virtual-8086 mode a
 * load sets everything: base = selector * 16, 64 KiB, writable data of DPL 3.
 * Manual: SDM 3B "Real-Address Mode", "Interrupt and Exception Handling", "Virtual-8086 Mode"; SDM 2
 * "JMP", "CALL", "RET", "IRET/IRETD/IRETQ", "INT n/INTO/INT3/INT1"; SDM 3A "Switching Back to Real-Address Mode".
 */
#include "cpu/real.h"

#define ATTR_REAL (ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED)
#define LIMIT_REAL 0xffffu

/* ---- segments ---------------------------------------------------------------------------------------- */

struct descriptor real_descriptor(const struct segment *old, bool code, bool v86, uint16_t selector)
{
    struct descriptor d = {.base = (uint32_t)selector << 4, .limit = LIMIT_REAL, .attr = ATTR_REAL};

    if (v86) {
        d.attr |= ATTR_DPL;
        return d;
    }
    if (code) d.attr |= ATTR_CODE;
    if (old->attr & ATTR_UNUSABLE) return d;
    d.limit = old->limit;
    d.attr |= old->attr & (ATTR_DB | ATTR_G);
    /* an expand-down limit stays one */
    if (!code && (old->attr & (ATTR_S | ATTR_CODE)) == ATTR_S) d.attr |= old->attr & ATTR_EC;
    return d;
}

void real_load(struct cpu *c, enum seg seg, uint16_t selector)
{
    struct descriptor d = real_descriptor(&c->seg[seg], seg == SEG_CS, cpu_v86(c), selector);

    seg_fill(c, seg, selector, &d);
}

/* ---- far JMP, CALL, RET -------------------------------------------------------------------------------- */

/* The target within CS's limit, which a load does not change (real mode) or is 64 KiB. */
static bool target_ok(struct cpu *c, uint16_t selector, uint64_t offset)
{
    struct descriptor d = real_descriptor(&c->seg[SEG_CS], true, cpu_v86(c), selector);

    return target_check(c, offset, d.attr, d.limit);
}

static enum step go(struct cpu *c, uint16_t selector, uint64_t offset)
{
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_FAR_SAME);
    real_load(c, SEG_CS, selector);
    return arrive(c, c->cpl, offset);
}

/** real_transfer - CALL: room for CS:IP #SS(0); target beyond the limit #GP(0). */
enum step real_transfer(struct cpu *c, uint16_t selector, uint64_t offset, unsigned size, bool call)
{
    offset = size == 2 ? (uint16_t)offset : (uint32_t)offset;
    if (call && !probe_return(c, size)) return STEP_FAULT;
    if (!target_ok(c, selector, offset)) return STEP_FAULT;
    if (call && !push_return(c, size)) return STEP_FAULT;
    return go(c, selector, offset);
}

/** real_return - CS:IP from the stack #SS(0); target beyond the limit #GP(0). */
enum step real_return(struct cpu *c, unsigned size, unsigned pop_bytes)
{
    uint64_t ip, cs;

    if (!stack_peek(c, 0, size, &ip) || !stack_peek(c, size, size, &cs)) return STEP_FAULT;
    if (!target_ok(c, (uint16_t)cs, ip)) return STEP_FAULT;
    stack_pointer_put(c, stack_pointer(c) + 2 * size + pop_bytes);
    return go(c, (uint16_t)cs, ip);
}

/* ---- IRET ------------------------------------------------------------------------------------------------ */

bool real_iret_read(struct cpu *c, unsigned size, struct real_frame *f)
{
    uint64_t cs;

    if (!stack_peek(c, 0, size, &f->ip) || !stack_peek(c, size, size, &cs) ||
        !stack_peek(c, 2 * size, size, &f->flags))
        return false;
    f->cs = (uint16_t)cs;
    return target_ok(c, f->cs, f->ip);
}

enum step real_iret_commit(struct cpu *c, unsigned size, const struct real_frame *f, uint64_t flags)
{
    uint64_t start = cpu_now(c);
    unsigned from = c->cpl;

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_IRET_SAME);
    stack_pointer_put(c, stack_pointer(c) + 3 * size);
    real_load(c, SEG_CS, f->cs);
    flags_put(c, flags);
    if (c->nmi_pending || (flags & RF_RF)) c->brk = true;
    enum step s = arrive(c, c->cpl, f->ip);
    crossing_leave(c, RS_X_IRET, from, start);
    return s;
}

/** real_iret - IP, CS, FLAGS from the stack; target beyond the limit #GP(0). All flags change but VM, VIF and
 *  VIP; a 16-bit IRET leaves the upper half. SDM 2A "IRET/IRETD/IRETQ". */
enum step real_iret(struct cpu *c, unsigned size)
{
    uint64_t keep = size == 2 ? ~0xffffull : (uint64_t)(RF_VM | RF_VIF | RF_VIP);
    struct real_frame f;

    crossing_begin(c);
    if (!real_iret_read(c, size, &f)) return STEP_FAULT;
    return real_iret_commit(c, size, &f, (flags_get(c) & keep) | (f.flags & ~keep));
}

/* ---- interrupts --------------------------------------------------------------------------------------------- */

/** real_vector_judge - the vector's four bytes within the IDT's limit. */
bool real_vector_judge(unsigned vector, uint32_t limit) { return vector * 4 + 3 <= limit; }

bool real_push_frame(struct cpu *c, const uint16_t slot[3])
{
    for (unsigned i = 1; i <= 3; i++) {
        if (!stack_probe_at(c, 2 * i, 2)) return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!stack_push(c, 2, slot[i])) return false;
    }
    return true;
}

/**
 * real_deliver - an interrupt or exception in real mode.
 *   1. the vector's entry beyond the IDT's limit: #GP
 *   2. no room for FLAGS, CS, IP, 2 bytes each: #SS. There are no error codes
 *   3. IF, TF and AC become 0
 */
bool real_deliver(struct cpu *c, unsigned vector, uint64_t flags, uint64_t ip)
{
    uint16_t slot[3] = {(uint16_t)flags, c->seg[SEG_CS].sel, (uint16_t)ip};
    uint64_t entry;

    if (!check(c, RS_RULE_IDT_LIMIT, real_vector_judge(vector, c->idtr.limit), vector, 0, c->idtr.limit,
               0))
        return false;
    if (!mem_read_sys(c, (uint32_t)(c->idtr.base + vector * 4), 4, &entry)) return false;
    if (!real_push_frame(c, slot)) return false;
    real_load(c, SEG_CS, (uint16_t)(entry >> 16));
    c->gpr[R_RIPBASE] = (uint16_t)entry;
    c->flags &= ~(uint64_t)(RF_IF | RF_TF | RF_AC | RF_RF);
    return true;
}
