/*
 * deliver.c - exceptions and interrupts through the IDT: gates, stacks, frames; what happens when the
 * delivery itself faults; double fault and shutdown.
 *
 *   deliver > take > take_real | take_long | take_protected | take_task      a fault in there: next_fault, and again
 *
 * At a boundary (c->cur NULL). RIP is the instruction's for FC_FAULT, FC_SOFT and FC_ICEBP (the latter
 * two push RIP + length), the next one's for the rest. Every descriptor, TSS and gate is read by an
 * implicit supervisor access; nothing of the processor changes before the last push has succeeded (a task
 * gate: before the commit of its switch, task.c; what goes wrong after it is the new task's).
 * Manual: SDM 3A "Exception and Interrupt Handling", "64-Bit Mode Stack Frame", "Interrupt Stack
 * Table", "Error Code", "Interrupt 8-Double Fault Exception (#DF)"; SDM 2A "INT n/INTO/INT3/INT1".
 */
#include "arch/rules.h"
#include "cpu/debug.h"
#include "cpu/real.h"
#include "cpu/task.h"

#include <stdio.h>
#include <string.h>

/* ---- what is delivered ----------------------------------------------------------------------------------- */

/* One delivery under way. */
struct delivery {
    const struct fault *f;
    struct gate gate;
    struct desc_ref code;
    uint64_t rip, flags; /* to be pushed */
    uint64_t start;
    unsigned from, cpl; /* old and new level */
    bool inner, ist;
};

static bool is_soft(const struct fault *f) { return f->klass == FC_SOFT; }

static bool is_interrupt(const struct fault *f)
{
    return f->klass == FC_EXTERNAL || f->klass == FC_NMI;
}

/* Instructions that ask for a delivery push the address after themselves. */
static uint64_t pushed_rip(const struct cpu *c, const struct fault *f)
{
    uint64_t rip = c->gpr[R_RIPBASE];

    if (f->klass == FC_SOFT || f->klass == FC_ICEBP) rip += f->length;
    return cpu_64(c) ? rip : (uint32_t)rip;
}

/** RF in the pushed flags: 1 for faults but code breakpoints, 0 after INT n, INT3, INTO, INT1, else as it
 *  is. SDM 3B "Resume flag", SDM 3A "Flag Usage By Exception- or Interrupt-Handler Procedure". */
static uint64_t pushed_flags(const struct cpu *c, const struct fault *f)
{
    uint64_t flags = flags_get(c);

    bool code_breakpoint = f->vector == VEC_DB && (f->dr6 & DR6_B);

    if (f->klass == FC_FAULT && !code_breakpoint) return flags | RF_RF;
    if (f->klass == FC_SOFT || f->klass == FC_ICEBP) return flags & ~(uint64_t)RF_RF;
    return flags;
}

/** Handlers start with TF, NT, RF, VM clear, and IF too behind an interrupt gate. */
static void enter_flags(struct cpu *c, const struct gate *g)
{
    uint64_t clear = RF_TF | RF_NT | RF_RF | RF_VM;

    if (g->type == SYS_INT || g->type == SYS_INT16) clear |= RF_IF;
    c->flags &= ~clear;
}

static uint32_t vector_error(const struct fault *f) { return (uint32_t)f->vector * 8 + SELEC_IDT; }

/* ---- gate and code segment --------------------------------------------------------------------------------- */

static const uint16_t idt_rules[] = {RS_RULE_IDT_TYPE, RS_RULE_GATE_DPL, RS_RULE_GATE_P};
static const uint16_t protected_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL,
                                           RS_RULE_GATE_CS_P};
static const uint16_t long_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL, RS_RULE_GATE_CS_L,
                                      RS_RULE_GATE_CS_P};

/** 1. vector beyond the IDT's limit: #GP(v * 8 + 2 + EXT). 2. gate_idt_judge. */
static bool read_gate(struct cpu *c, struct delivery *d)
{
    const struct fault *f = d->f;
    bool lma = cpu_long(c);
    uint64_t at = c->idtr.base + f->vector * (lma ? 16u : 8u), low, high = 0;

    if (!check(c, RS_RULE_IDT_LIMIT, gate_idt_limit_judge(f->vector, c->idtr.limit, lma), f->vector,
               0, c->idtr.limit, vector_error(f)))
        return false;
    if (!mem_read_sys(c, lma ? at : (uint32_t)at, 8, &low)) return false;
    if (lma && !mem_read_sys(c, at + 8, 8, &high)) return false;
    d->gate = gate_unpack(low, high, lma);
    return CHECKS(c, idt_rules, gate_idt_judge(&d->gate, lma, is_soft(f), c->cpl), f->vector,
                  d->gate.type | (unsigned)d->gate.dpl << 8 | (unsigned)d->gate.present << 16,
                  c->cpl, vector_error(f));
}

/** 3. the gate's selector null: #GP(EXT). 4. beyond its table: #GP(sel + EXT). 5. gate_code_judge. */
static bool read_code(struct cpu *c, struct delivery *d)
{
    uint16_t sel = d->gate.selector;
    enum rs_rule broken;
    uint16_t attr;

    if (!check(c, RS_RULE_GATE_CS_NULL, !sel_is_null(sel), sel, 0, 0, 0)) return false;
    if (!desc_read(c, sel, 8, RS_RULE_SEG_TABLE, &d->code)) return false;
    attr = d->code.d.attr;
    broken = gate_code_judge(attr, c->cpl, cpu_long(c));
    if (cpu_long(c)) {
        if (!CHECKS(c, long_rules, broken, sel, attr, c->cpl, sel_error(sel))) return false;
    } else if (!CHECKS(c, protected_rules, broken, sel, attr, c->cpl, sel_error(sel))) {
        return false;
    }
    d->cpl = attr_is_conforming(attr) ? c->cpl : attr_dpl(attr);
    d->inner = d->cpl < c->cpl;
    return true;
}

/* ---- commit -------------------------------------------------------------------------------------------------- */

static enum rs_crossing crossing_of(const struct fault *f)
{
    switch ((enum fault_class)f->klass) {
    case FC_FAULT:
    case FC_TRAP: return RS_X_EXCEPTION;
    case FC_SOFT:
    case FC_ICEBP: return RS_X_INT;
    case FC_EXTERNAL: return RS_X_IRQ;
    case FC_NMI: break;
    }
    return RS_X_NMI;
}

static inline __attribute__((always_inline)) void charge(struct cpu *c, const struct delivery *d)
{
    if (!d->inner) {
        cpu_charge_event(c, RS_CAT_TRANSITION, COST_INT_SAME);
    } else if (is_interrupt(d->f)) {
        cpu_charge_event(c, RS_CAT_INTERRUPT, COST_INTERRUPT_INNER);
    } else if (crossing_of(d->f) == RS_X_INT) {
        cpu_charge_event(c, RS_CAT_TRANSITION, COST_INT_INNER);
    } else {
        cpu_charge_event(c, RS_CAT_TRANSITION, COST_EXCEPTION_INNER);
    }
    if (d->ist) cpu_charge_event(c, RS_CAT_TRANSITION, COST_IRQ_IST_EXTRA);
}

/* INT 0x80 out of ring 3 is a system call of the 32-bit convention. */
static void event_syscall(struct cpu *c, const struct delivery *d)
{
    if (d->f->klass != FC_SOFT || d->f->vector != 0x80 || d->from != 3) return;
    if (ev_wanted(c, RS_EV_SYSCALL))
        ev_emit(c, RS_EV_SYSCALL, RS_X_INT, c->gpr[R_RAX], c->gpr[R_RBX], c->gpr[R_RCX],
                c->gpr[R_RDX]);
}

/* The handler is entered: mode, time, count, ledger. */
static inline __attribute__((always_inline)) void entered(struct cpu *c, const struct delivery *d)
{
    const struct fault *f = d->f;

    set_mode(c, d->cpl);
    if (f->klass == FC_SOFT || f->klass == FC_ICEBP) { /* the instruction has retired */
        c->insns++;
        c->ticks += f->ticks;
    }
    c->shadow = 0;
    bool trap = d->gate.type == SYS_TRAP || d->gate.type == SYS_TRAP16;
    if (c->cr0 & CR0_PE) /* real mode's vectors are no gates */
        c->via = (uint8_t)(CROSS_VIA_IDT | (trap ? CROSS_VIA_TRAP : 0) |
                           (d->ist ? d->gate.ist : d->inner ? CROSS_VIA_RSP : 0));
    crossing_enter(c, crossing_of(f), f->vector, d->from, d->start);
    c->via = 0;
}

/* The frame is in memory: registers and flags. */
static void commit(struct cpu *c, const struct delivery *d)
{
    event_syscall(c, d);
    charge(c, d);
    seg_fill(c, SEG_CS, (uint16_t)((d->gate.selector & ~3u) | d->cpl), &d->code.d);
    c->gpr[R_RIPBASE] = d->gate.offset;
    enter_flags(c, &d->gate);
    entered(c, d);
}

/* ---- real mode ---------------------------------------------------------------------------------------------------- */

static __attribute__((noinline)) bool take_real(struct cpu *c, struct delivery *d)
{
    if (!real_deliver(c, d->f->vector, d->flags, d->rip)) return false;
    charge(c, d);
    entered(c, d);
    return true;
}

/* ---- IA-32e mode ------------------------------------------------------------------------------------------------ */

#define TSS64_RSP0 4u
#define TSS64_IST1 36u

/* The stack to push to: ISTn, RSPn of the new level, or the current one; then down to 16 bytes. */
static bool choose_stack(struct cpu *c, struct delivery *d, uint64_t *rsp)
{
    d->ist = d->gate.ist != 0;
    *rsp = c->gpr[R_RSP];
    if (d->ist) {
        if (!tss_stack_64(c, TSS64_IST1 + 8u * (d->gate.ist - 1u), rsp)) return false;
    } else if (d->inner) {
        if (!tss_stack_64(c, TSS64_RSP0 + 8 * d->cpl, rsp)) return false;
    }
    *rsp &= ~15ull;
    return true;
}

static bool stack_canonical(struct cpu *c, uint64_t rsp, unsigned slots)
{
    unsigned bits = c->features->linear_bits;
    bool ok = mmu_canonical(rsp - 8 * slots, bits) && mmu_canonical(rsp - 1, bits);

    return check(c, RS_RULE_CANON_STACK, ok, rsp - 8 * slots, 8 * slots, bits, 0);
}

/**
 * take_long - delivery in IA-32e mode, from 64-bit or compatibility code alike.
 *   1. read_gate, read_code: the handler is 64-bit code
 *   2. stack: ISTn whatever the levels; else RSPn on the way in; else the current RSP; slot beyond the
 *      TSS's limit #TS(TSS + EXT); aligned down to 16
 *   3. frame not canonical: #SS(EXT); handler's address not canonical: #GP(EXT)
 *   4. SS, RSP, RFLAGS, CS, RIP and the error code, 8 bytes each, pushed as the new level
 *   5. on the way in SS becomes null with RPL = the new CPL
 */
static bool take_long(struct cpu *c, struct delivery *d)
{
    const struct fault *f = d->f;
    unsigned slots = f->has_error ? 6 : 5;
    uint64_t frame[6] = {c->seg[SEG_SS].sel, c->gpr[R_RSP], d->flags,
                         c->seg[SEG_CS].sel, d->rip,        f->error};
    uint64_t rsp;

    if (!read_code(c, d) || !choose_stack(c, d, &rsp)) return false;
    if (!stack_canonical(c, rsp, slots)) return false;
    if (!target_check(c, d->gate.offset, d->code.d.attr, d->code.d.limit)) return false;
    for (unsigned i = 0; i < slots; i++) {
        if (!mem_write_as(c, d->cpl, rsp - 8 * (i + 1), 8, frame[i])) return false;
    }
    if (!desc_set_accessed(c, &d->code)) return false;

    c->gpr[R_RSP] = rsp - 8 * slots;
    if (d->inner) seg_fill_null(c, SEG_SS, (uint16_t)d->cpl);
    commit(c, d);
    return true;
}

/* ---- protected mode outside IA-32e mode ------------------------------------------------------------------------------ */

static const uint8_t v86_segs[] = {SEG_GS, SEG_FS, SEG_DS, SEG_ES};

static bool v86_gate_check(struct cpu *c, const struct delivery *d)
{
    uint16_t sel = d->gate.selector, attr = d->code.d.attr;

    return check(c, RS_RULE_V86_GATE_CS, v86_gate_judge(attr), sel, attr, c->cpl, sel_error(sel));
}

/**
 * take_protected - delivery through a 16- or 32-bit gate outside IA-32e mode.
 *   1. read_gate, read_code
 *   2. inner level: SS:SP from the TSS, tss_stack
 *   3. room on the stack: new_stack_room; handler's offset beyond the limit: #GP(EXT)
 *   4. [SS, SP,] FLAGS, CS, IP [, error code], each of the gate's size, pushed as the new level
 * Out of virtual-8086 mode the code segment must be non-conforming with DPL 0, #GP(sel + EXT); GS, FS, DS
 * and ES are pushed before SS and become null. SDM 2A "INT n/INTO/INT3/INT1".
 */
static bool take_protected(struct cpu *c, struct delivery *d)
{
    const struct fault *f = d->f;
    unsigned width = d->gate.type == SYS_INT16 || d->gate.type == SYS_TRAP16 ? 2 : 4;
    struct new_stack k = {.s = c->seg[SEG_SS], .sp = c->gpr[R_RSP]};
    bool v86 = cpu_v86(c);
    uint64_t frame[10] = {c->seg[SEG_GS].sel, c->seg[SEG_FS].sel, c->seg[SEG_DS].sel, c->seg[SEG_ES].sel,
                          c->seg[SEG_SS].sel, c->gpr[R_RSP],      d->flags,           c->seg[SEG_CS].sel,
                          d->rip,             f->error};

    if (!read_code(c, d) || (v86 && !v86_gate_check(c, d))) return false;
    if (d->inner && !tss_stack(c, d->cpl, &k)) return false;
    unsigned skip = v86 ? 0 : d->inner ? 4 : 6, slots = (f->has_error ? 10 : 9) - skip;
    if (!new_stack_room(c, &k, slots, width)) return false;
    if (!target_check(c, d->gate.offset, d->code.d.attr, d->code.d.limit)) return false;
    if (!new_stack_push(c, d->cpl, &k, frame + skip, slots, width)) return false;
    if (!desc_set_accessed(c, &d->code)) return false;
    if (d->inner && !desc_set_accessed(c, &k.at)) return false;

    new_stack_commit(c, &k, slots * width);
    if (v86) {
        for (unsigned i = 0; i < sizeof v86_segs; i++) seg_fill_null(c, v86_segs[i], 0);
    }
    commit(c, d);
    return true;
}

/* ---- task gates ------------------------------------------------------------------------------------------------------ */

/** take_task - outside IA-32e mode: the TSS is judged with EXT; the error code goes to the new task's stack.
 *  The saved IP and flags are those that a frame would hold. */
static bool take_task(struct cpu *c, const struct delivery *d)
{
    const struct fault *f = d->f;
    bool retires = f->klass == FC_SOFT || f->klass == FC_ICEBP;
    struct task t = {.how = TASK_EVENT,
                     .sel = d->gate.selector,
                     .ip = d->rip,
                     .flags = d->flags,
                     .has_error = f->has_error,
                     .error = f->error,
                     .retires = retires,
                     .ticks = retires ? f->ticks : 0};

    return task_switch(c, &t) == TASK_RUNS;
}

/* ---- one attempt ----------------------------------------------------------------------------------------------------- */

static bool attempt(struct cpu *c, const struct fault *f)
{
    struct delivery d = {.f = f,
                         .rip = pushed_rip(c, f),
                         .flags = pushed_flags(c, f),
                         .start = cpu_now(c),
                         .from = c->cpl};

    if (!(c->cr0 & CR0_PE)) return take_real(c, &d);
    if (!read_gate(c, &d)) return false;
    if (cpu_long(c)) return take_long(c, &d);
    if (d.gate.type == SYS_TASK) return take_task(c, &d);
    return take_protected(c, &d);
}

static bool take(struct cpu *c, const struct fault *f)
{
    bool taken;

    crossing_begin(c);
    c->ext = f->klass != FC_SOFT;
    taken = attempt(c, f);
    c->ext = false;
    return taken;
}

/* ---- faults upon faults ------------------------------------------------------------------------------------------------- */

enum severity { BENIGN, CONTRIBUTORY, PAGE_FAULT };

/** How a first or second exception counts. Interrupts and INT n are benign. Pure.
 *  Manual: SDM 3A "Interrupt 8-Double Fault Exception (#DF)", Table "Interrupt and Exception Classes". */
static enum severity severity_of(const struct fault *f)
{
    const unsigned contributory =
        1u << VEC_DE | 1u << VEC_TS | 1u << VEC_NP | 1u << VEC_SS | 1u << VEC_GP | 1u << VEC_CP;

    if (f->klass != FC_FAULT || f->vector > 31) return BENIGN;
    if (f->vector == VEC_PF) return PAGE_FAULT;
    return contributory >> f->vector & 1 ? CONTRIBUTORY : BENIGN;
}

bool double_fault_judge(const struct fault *first, const struct fault *second)
{
    enum severity a = severity_of(first), b = severity_of(second);

    if (a == CONTRIBUTORY) return b == CONTRIBUTORY;
    if (a == PAGE_FAULT) return b != BENIGN;
    return false;
}

/* ---- telling it ------------------------------------------------------------------------------------------------------------ */

/* Appends "#GP(0x32) by IDT_TYPE" to c->gap. */
static void chain_say(struct cpu *c, const char *before, const struct fault *f)
{
    size_t at = strlen(c->gap), room = sizeof c->gap - at;
    const char *name = vector_name(f->vector);
    char error[20] = "", who[24] = "", rule[40] = "", cr2[32] = "";

    if (f->klass == FC_SOFT) {
        snprintf(who, sizeof who, "INT 0x%x", f->vector);
    } else if (name && f->klass != FC_EXTERNAL) {
        snprintf(who, sizeof who, "%s", name);
    } else {
        snprintf(who, sizeof who, "interrupt %u", f->vector);
    }
    if (f->has_error) snprintf(error, sizeof error, "(0x%x)", f->error);
    if (f->vector == VEC_PF && f->klass == FC_FAULT)
        snprintf(cr2, sizeof cr2, " at 0x%llx", (unsigned long long)f->cr2);
    if (f->rule != RS_RULE_NONE)
        snprintf(rule, sizeof rule, " by %s", rule_name((enum rs_rule)f->rule));
    snprintf(c->gap + at, room, "%s%s%s%s%s", before, who, error, cr2, rule);
}

/* Exceptions are announced; interrupts and INT n have events of their own. */
static void event_fault(struct cpu *c, const struct fault *f)
{
    bool exception =
        !is_interrupt(f) && (f->klass != FC_SOFT || f->vector == VEC_BP || f->vector == VEC_OF);

    if (exception && ev_wanted(c, RS_EV_FAULT))
        ev_emit_rule(c, RS_EV_FAULT, f->klass, (enum rs_rule)f->rule, f->has_error, f->vector, f->error,
                     f->vector == VEC_DB ? f->dr6 : f->cr2, flags_get(c));
}

/* What an exception does to the processor before any of its delivery: CR2, DR6 and DR7; NMI masking. */
static void announce(struct cpu *c, const struct fault *f)
{
    event_fault(c, f);
    if (f->klass == FC_NMI) c->nmi_blocked = true;
    if (f->klass == FC_ICEBP) c->dr[6] |= f->dr6;
    if (f->klass != FC_FAULT && f->klass != FC_TRAP) return;
    if (f->vector == VEC_PF) c->cr2 = f->cr2;
    if (f->vector == VEC_DB) {
        c->dr[6] = (c->dr[6] & ~(uint64_t)DR6_B) | f->dr6 | DR6_FIXED;
        c->dr[7] &= ~(uint64_t)DR7_GD;
        c->debugctl &= ~(uint64_t)DEBUGCTL_BTF;
    }
}

/* Everything met since the first event, oldest first. */
#define CHAIN_MAX 8u
struct chain {
    struct fault f[CHAIN_MAX];
    unsigned n;
};

/* The end: the causes in words, and the last four at most as an event. */
static void shutdown(struct cpu *c, const struct chain *k)
{
    const struct fault *last = &k->f[k->n - 1];

    c->gap[0] = 0;
    for (unsigned i = 0; i < k->n; i++) {
        bool end = i + 1 == k->n;
        chain_say(c,
                  i == 0 ? ""
                  : end  ? "; delivering the double fault: "
                         : "; delivering it: ",
                  &k->f[i]);
    }
    unsigned told = k->n < 4 ? k->n : 4;
    uint64_t w[4] = {0};
    for (unsigned i = 0; i < told; i++) w[i] = fault_word(last - (told - 1) + i);
    if (ev_wanted(c, RS_EV_SHUTDOWN))
        ev_emit_rule(c, RS_EV_SHUTDOWN, told, (enum rs_rule)last->rule, 0, w[0], w[1], w[2], w[3]);
}

void deliver_shutdown(struct cpu *c, const struct fault *f, const char *why)
{
    struct chain k;
    size_t at;

    k.f[0] = *f;
    k.n = 1;
    cpu_forget_place(c);
    announce(c, f);
    shutdown(c, &k);
    at = strlen(c->gap);
    snprintf(c->gap + at, sizeof c->gap - at, " with %s", why);
    c->exit = EXIT_FAULT;
}

/* What to deliver after `met` got in the way of `now`. */
static struct fault next_fault(struct cpu *c, const struct fault *now, const struct fault *met)
{
    if (!double_fault_judge(now, met)) return *met;
    struct fault df = {.vector = VEC_DF, .klass = FC_FAULT, .has_error = (c->cr0 & CR0_PE) != 0};

    c->in_df = true;
    announce(c, &df);
    return df;
}

/**
 * deliver - take an exception or interrupt; false: shutdown (c->exit EXIT_FAULT).
 * A fault met on the way is delivered instead, or makes a double fault with the one under way, or,
 * under way with a double fault, is the end. CR2 holds the last page fault's address, whatever it led to.
 * Manual: SDM 3A "Interrupt 8-Double Fault Exception (#DF)", "Interrupt 14-Page-Fault Exception (#PF)".
 */
bool deliver(struct cpu *c, const struct fault *f)
{
    struct chain k; /* filled as far as k.n says: most deliveries meet nothing */
    struct fault now = *f;
    bool taken;

    k.f[0] = *f;
    k.n = 1;
    cpu_forget_place(c);
    c->in_df = false;
    c->exit = EXIT_NEXT;
    announce(c, &now);
    while (!(taken = take(c, &now))) {
        struct fault met = c->fault;

        k.f[k.n++] = met;
        announce(c, &met);
        if (c->in_df || k.n == CHAIN_MAX) {
            shutdown(c, &k);
            c->exit = EXIT_FAULT;
            break;
        }
        now = next_fault(c, &now, &met);
    }
    c->in_df = false;
    if (c->debug_hit) debug_pend(c);
    return taken;
}
