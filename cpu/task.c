/*
 * task.c - hardware task switches: far JMP and CALL to a TSS or through a task gate, task gates of the
 * IDT, IRET out of a nested task; TSSs of 32 and of 16 bits (the 286's) in any mix.
 *
 *   find the TSS > task_switch: probe > save > commit > load > arrive
 *
 * All that can be refused before the commit (TSS descriptor, limits, pages of both TSSs and of the GDT) is
 * judged first and leaves the old task as it was: a fault there is the old task's. From the commit on the new
 * task has the processor, and a selector that will not load (task_load.c) is the new task's fault, before its
 * first instruction. There are no tasks in IA-32e mode.
 * Manual: SDM 3A "Task Switching", "Exception Conditions Checked During a Task Switch", "Task Linking",
 * "Task-Gate Descriptor", "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)"; SDM 2A "CALL",
 * "JMP", "INT n/INTO/INT3/INT1", "IRET/IRETD/IRETQ".
 */
#include "cpu/real.h"
#include "cpu/task.h"
#include "cpu/debug.h"

/* ---- TSS formats -------------------------------------------------------------------------------------- */

/* Where the registers lie. Each is `width` bytes, a selector the low two of `width`. */
struct layout {
    uint8_t width, ip, gpr, seg, segs, ldt;
    uint8_t saved; /* the last byte that a switch writes */
    uint8_t limit; /* the least that a new TSS must have */
};
static const struct layout tss32 = {4, 0x20, 0x28, 0x48, 6, 0x60, 0x5f, 0x67};
static const struct layout tss16 = {2, 0x0e, 0x12, 0x22, 4, 0x2a, 0x29, 0x2b};
#define TSS32_CR3 0x1cu
#define TSS32_TRAP 0x64u

static const struct layout *layout_of(uint16_t attr)
{
    unsigned type = attr_system(attr);
    return type == SYS_TSS16 || type == SYS_TSS16_BUSY ? &tss16 : &tss32;
}

#define BUSY (SYS_TSS_BUSY ^ SYS_TSS)

static bool is_tss(uint16_t attr, bool busy)
{
    unsigned type = attr_system(attr), want = busy ? BUSY : 0;

    return !(attr & ATTR_S) && (type == (SYS_TSS | want) || type == (SYS_TSS16 | want));
}

/* What a switch brings in. */
struct image {
    uint32_t cr3, ip, flags, gpr[8];
    struct task_selectors sel;
    bool trap;
};

/* ---- pure judges ------------------------------------------------------------------------------------------ */

/** task_gate_judge - far JMP and CALL: gate DPL < CPL or RPL #GP(gate); not present #NP(gate). */
enum rs_rule task_gate_judge(const struct gate *g, uint16_t selector, unsigned cpl)
{
    if (g->dpl < cpl || g->dpl < sel_rpl(selector)) return RS_RULE_TASK_GATE_DPL;
    if (!g->present) return RS_RULE_TASK_GATE_P;
    return RS_RULE_NONE;
}

/** task_tss_judge - the new task's TSS descriptor: JMP, CALL, events: not an available TSS #GP(sel); IRET:
 *  not a busy one #TS(sel); not present #NP(sel); limit below 67H (16-bit: 2BH) #TS(sel). */
enum rs_rule task_tss_judge(uint16_t attr, uint32_t limit, bool iret)
{
    if (!is_tss(attr, iret)) return iret ? RS_RULE_TASK_LINK_TYPE : RS_RULE_TASK_TSS_TYPE;
    if (!(attr & ATTR_P)) return RS_RULE_TASK_TSS_P;
    if (limit < layout_of(attr)->limit) return RS_RULE_TASK_TSS_LIMIT;
    return RS_RULE_NONE;
}

/* ---- the new TSS -------------------------------------------------------------------------------------------- */

static const uint16_t gate_rules[] = {RS_RULE_TASK_GATE_DPL, RS_RULE_TASK_GATE_P};
static const uint16_t tss_rules[] = {RS_RULE_TASK_TSS_TYPE, RS_RULE_TASK_TSS_P,
                                     RS_RULE_TASK_TSS_LIMIT};
static const uint16_t link_rules[] = {RS_RULE_TASK_LINK_TYPE, RS_RULE_TASK_TSS_P,
                                      RS_RULE_TASK_TSS_LIMIT};
/* The selector is of the GDT and within it: else #GP(sel), IRET #TS(sel). Then task_tss_judge. */
static bool find_tss(struct cpu *c, struct task *t)
{
    bool iret = t->how == TASK_IRET;
    enum rs_rule table = iret ? RS_RULE_TASK_LINK_TABLE : RS_RULE_TASK_TSS_TABLE, broken;
    uint32_t error = sel_error(t->sel);
    bool global = !sel_is_null(t->sel) && !(t->sel & SELEC_TI);

    if (!check(c, table, global, t->sel, 0, c->gdtr.limit, error)) return false;
    if (!desc_read(c, t->sel, 8, table, &t->tss)) return false;
    broken = task_tss_judge(t->tss.d.attr, t->tss.d.limit, iret);
    if (iret) return CHECKS(c, link_rules, broken, t->sel, t->tss.d.attr, t->tss.d.limit, error);
    return CHECKS(c, tss_rules, broken, t->sel, t->tss.d.attr, t->tss.d.limit, error);
}

/* The current TSS must hold what is saved: #TS(TR). */
static bool old_tss_check(struct cpu *c)
{
    const struct segment *tr = &c->seg[SEG_TR];
    bool ok = !(tr->attr & ATTR_UNUSABLE) && tr->limit >= layout_of(tr->attr)->saved;

    return check(c, RS_RULE_TASK_OLD_LIMIT, ok, tr->sel, tr->attr, tr->limit, sel_error(tr->sel));
}

/* ---- old task ---------------------------------------------------------------------------------------------- */

static uint64_t at32(uint64_t base, uint32_t offset) { return (uint32_t)(base + offset); }

/* The byte of a TSS descriptor that holds its busy bit. */
static uint64_t old_busy_at(const struct cpu *c)
{
    return at32(c->gdtr.base, (c->seg[SEG_TR].sel & ~7u) + 5);
}

static bool nests(const struct task *t) { return t->how == TASK_CALL || t->how == TASK_EVENT; }

/* Every page that the switch reads and writes before its commit. */
static bool probe(struct cpu *c, const struct task *t)
{
    const struct segment *tr = &c->seg[SEG_TR];
    const struct layout *old = layout_of(tr->attr), *new = layout_of(t->tss.d.attr);

    if (!mem_probe_sys(c, (uint32_t)t->tss.d.base, new->limit + 1u, RS_READ)) return false;
    if (nests(t) && !mem_probe_sys(c, (uint32_t)t->tss.d.base, 2, RS_WRITE)) return false;
    if (!mem_probe_sys(c, at32(tr->base, old->ip), old->saved + 1u - old->ip, RS_WRITE))
        return false;
    if (!nests(t) && !mem_probe_sys(c, old_busy_at(c), 1, RS_WRITE)) return false;
    return t->how == TASK_IRET || mem_probe_sys(c, (uint32_t)t->tss.linear + 5, 1, RS_WRITE);
}

/* IP, FLAGS, general registers and selectors; upper halves are lost in a 16-bit TSS. */
static bool save(struct cpu *c, const struct task *t)
{
    const struct segment *tr = &c->seg[SEG_TR];
    const struct layout *l = layout_of(tr->attr);
    uint64_t flags = t->how == TASK_IRET ? t->flags & ~(uint64_t)RF_NT : t->flags;
    bool ok = mem_write_sys(c, at32(tr->base, l->ip), l->width, t->ip) &&
              mem_write_sys(c, at32(tr->base, l->ip + l->width), l->width, flags);

    for (unsigned i = 0; ok && i < 8; i++)
        ok = mem_write_sys(c, at32(tr->base, l->gpr + l->width * i), l->width, c->gpr[R_RAX + i]);
    for (unsigned i = 0; ok && i < l->segs; i++)
        ok = mem_write_sys(c, at32(tr->base, l->seg + l->width * i), 2, c->seg[i].sel);
    return ok;
}

/* Busy bits and the back link: JMP and IRET leave the old task available, all but IRET make the new one
 * busy, CALL and events link it to the old one. */
static bool link_tasks(struct cpu *c, struct task *t)
{
    uint64_t byte;

    if (!nests(t)) {
        if (!mem_read_sys(c, old_busy_at(c), 1, &byte)) return false;
        if (!mem_write_sys(c, old_busy_at(c), 1, byte & ~(uint64_t)BUSY)) return false;
    }
    t->tss.d.attr |= BUSY;
    if (t->how != TASK_IRET &&
        !mem_write_sys(c, (uint32_t)t->tss.linear + 5, 1, t->tss.d.attr & 0xff))
        return false;
    return !nests(t) || mem_write_sys(c, (uint32_t)t->tss.d.base, 2, c->seg[SEG_TR].sel);
}

/* ---- new task ------------------------------------------------------------------------------------------------- */

static bool field(struct cpu *c, const struct task *t, unsigned offset, unsigned n, uint32_t *value)
{
    uint64_t v;

    if (!mem_read_sys(c, at32(t->tss.d.base, offset), n, &v)) return false;
    *value = (uint32_t)v;
    return true;
}

static bool selector_field(struct cpu *c, const struct task *t, unsigned offset, uint16_t *sel)
{
    uint32_t v;

    if (!field(c, t, offset, 2, &v)) return false;
    *sel = (uint16_t)v;
    return true;
}

/* A 16-bit TSS has no FS, GS, CR3 and T; the upper halves of the general registers become all ones. */
static bool read_image(struct cpu *c, const struct task *t, struct image *m)
{
    const struct layout *l = layout_of(t->tss.d.attr);
    uint32_t trap = 0;
    bool ok = field(c, t, l->ip, l->width, &m->ip) &&
              field(c, t, l->ip + l->width, l->width, &m->flags) &&
              selector_field(c, t, l->ldt, &m->sel.ldt);

    for (unsigned i = 0; ok && i < 8; i++) {
        ok = field(c, t, l->gpr + l->width * i, l->width, &m->gpr[i]);
        if (l->width == 2) m->gpr[i] |= 0xffff0000u;
    }
    for (unsigned i = 0; ok && i < l->segs; i++)
        ok = selector_field(c, t, l->seg + l->width * i, &m->sel.seg[i]);
    if (l->width == 2) return ok;
    ok = ok && field(c, t, TSS32_CR3, 4, &m->cr3) && field(c, t, TSS32_TRAP, 2, &trap);
    m->trap = trap & 1;
    return ok;
}

static void put_cr0(struct cpu *c, uint64_t value)
{
    if (value == c->cr0) return;
    if (ev_wanted(c, RS_EV_CR)) ev_emit(c, RS_EV_CR, 0, 0, c->cr0, value, 0);
    c->cr0 = value;
}

/* CR3 is loaded only while paging is on, and only from a 32-bit TSS. */
static void put_cr3(struct cpu *c, const struct task *t, uint64_t value)
{
    if (!(c->cr0 & CR0_PG) || layout_of(t->tss.d.attr)->width == 2 || value == c->cr3) return;
    if (ev_wanted(c, RS_EV_CR)) ev_emit(c, RS_EV_CR, 0, 3, c->cr3, value, 0);
    c->cr3 = value;
    if (mmu_is_pae(&c->mmu.env)) {
        uint64_t pdpte[4];
        mmu_pdptes_peek(&c->mmu, value, pdpte);
        pdptes_load(c, pdpte);
        cpu_control_changed(c);
    }
    mmu_write_cr3(&c->mmu, value, false);
}

/* PDPTEs with a reserved bit are the new task's fault. */
static bool pdptes_ok(struct cpu *c)
{
    bool ok = !mmu_is_pae(&c->mmu.env) || pdptes_judge(c->pdpte, c->features->maxphyaddr);

    return check(c, RS_RULE_PDPTE_RSVD, ok, 3, c->cr3, c->cr3, 0);
}

#define DR7_LOCAL 0x155u /* L0 to L3, LE */

/* The selectors are visible; what they name is still to be judged. */
static void put_selectors(struct cpu *c, const struct image *m)
{
    for (unsigned i = SEG_ES; i <= SEG_GS; i++)
        c->seg[i] = (struct segment){.sel = m->sel.seg[i], .attr = ATTR_UNUSABLE};
    c->seg[SEG_LDTR] = (struct segment){.sel = m->sel.ldt, .attr = ATTR_UNUSABLE};
}

/* Account for what asked: the op in progress, or an INT n that is being delivered. */
static void retire(struct cpu *c, const struct task *t, uint32_t ip)
{
    if (c->cur) {
        (void)cpu_branch(c, ip);
        return;
    }
    c->gpr[R_RIPBASE] = ip;
    c->insns += t->retires;
    c->ticks += t->ticks;
}

/* The point of no return: TR, registers, CPL. */
static void commit(struct cpu *c, const struct task *t, const struct image *m)
{
    uint64_t flags = m->flags | (nests(t) ? RF_NT : 0);

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_TASK_SWITCH);
    seg_fill(c, SEG_TR, t->sel, &t->tss.d);
    put_cr0(c, c->cr0 | CR0_TS);
    c->dr[7] &= ~(uint64_t)DR7_LOCAL;
    debug_changed(c);
    retire(c, t, m->ip);
    put_cr3(c, t, m->cr3);
    flags_put(c, flags);
    for (unsigned i = 0; i < 8; i++) c->gpr[R_RAX + i] = m->gpr[i];
    put_selectors(c, m);
    c->shadow = 0;
    set_mode(c, flags & RF_VM ? 3 : sel_rpl(m->sel.seg[SEG_CS]));
}

/* In the new task: segments, an event's error code (of the new TSS's size), IP, T. */
static bool enter(struct cpu *c, const struct task *t, const struct image *m)
{
    bool ok = pdptes_ok(c) && task_load(c, &m->sel);

    cpu_mode_changed(c);
    if (!ok) return false;
    if (t->has_error && !stack_push(c, layout_of(t->tss.d.attr)->width, t->error)) return false;
    if (!target_check(c, m->ip, c->seg[SEG_CS].attr, c->seg[SEG_CS].limit)) return false;
    if (cpu_v86(c) && !v86_entry_check(c)) return false;
    if (m->trap) c->trap_pending |= DR6_BT;
    c->brk = true; /* traps, NMIs and interrupts that the new task no longer holds off */
    return true;
}

static void tell(struct cpu *c, const struct task *t, unsigned from, uint64_t start)
{
    c->via = t->how == TASK_EVENT ? CROSS_VIA_IDT : 0;
    if (nests(t)) {
        crossing_enter(c, RS_X_TASK, t->sel, from, start);
    } else {
        crossing_leave(c, RS_X_TASK, from, start);
    }
    c->via = 0;
}

enum task_end task_switch(struct cpu *c, struct task *t)
{
    unsigned from = c->cpl;
    uint64_t start = cpu_now(c);
    struct image m = {.cr3 = 0};

    if (!find_tss(c, t) || !old_tss_check(c) || !probe(c, t)) return TASK_REFUSED;
    if (!save(c, t) || !link_tasks(c, t) || !read_image(c, t, &m)) return TASK_REFUSED;
    commit(c, t, &m);
    bool ok = enter(c, t, &m);
    tell(c, t, from, start);
    return ok ? TASK_RUNS : TASK_FAULTS;
}

/* ---- instructions --------------------------------------------------------------------------------------------- */

static enum step by_instruction(struct cpu *c, struct task *t)
{
    t->ip = cpu_next_rip(c);
    t->flags = flags_get(c);
    switch (task_switch(c, t)) {
    case TASK_RUNS: return STEP_BRANCH;
    case TASK_FAULTS: return STEP_LATE;
    case TASK_REFUSED: break;
    }
    return STEP_FAULT;
}

/**
 * task_far - far JMP or CALL to a TSS or through a task gate; the offset in the instruction is ignored.
 *   1. gate: task_gate_judge; TSS: DPL < CPL or RPL #GP(sel)
 *   2. a gate's selector, or the TSS's own: find_tss
 * Manual: SDM 2A "CALL", "JMP".
 */
enum step task_far(struct cpu *c, uint16_t selector, bool call, const struct desc_ref *r)
{
    struct task t = {.how = call ? TASK_CALL : TASK_JMP, .sel = selector};
    unsigned dpl = attr_dpl(r->d.attr);

    crossing_begin(c);
    if (attr_system(r->d.attr) == SYS_TASK) {
        struct gate g = gate_unpack(r->low, 0, false);
        if (!CHECKS(c, gate_rules, task_gate_judge(&g, selector, c->cpl), selector, r->d.attr,
                    c->cpl, sel_error(selector)))
            return STEP_FAULT;
        t.sel = g.selector;
    } else if (!check(c, RS_RULE_TASK_TSS_DPL, dpl >= c->cpl && dpl >= sel_rpl(selector), selector,
                      r->d.attr, c->cpl, sel_error(selector))) {
        return STEP_FAULT;
    }
    return by_instruction(c, &t);
}

/** task_return - IRET with NT=1: back to the task that the current TSS is linked to. SDM 2A "IRET". */
enum step task_return(struct cpu *c)
{
    struct task t = {.how = TASK_IRET};
    uint64_t link;

    if (!old_tss_check(c)) return STEP_FAULT;
    if (!mem_read_sys(c, (uint32_t)c->seg[SEG_TR].base, 2, &link)) return STEP_FAULT;
    t.sel = (uint16_t)link;
    return by_instruction(c, &t);
}
