/*
 * gate.c - call gates of 16, 32 and 64 bits, and the stack of an inner level out of a TSS, which
 * deliveries (deliver.c) take from here too.
 *
 * As in transfer.c all is judged before anything changes. A gate's size, not the code's, is the size of
 * what a CALL pushes. Manual: SDM 2A "CALL", "JMP"; SDM 3A "Call Gates", "Stack Switching",
 * "Stack Switching in 64-bit Mode", "16-Bit Task-State Segment (TSS)".
 */
#include "cpu/protect.h"
#include "cpu/limit.h"

/* ---- the stack of an inner level ------------------------------------------------------------------- */

static const uint16_t tss_stack_rules[] = {RS_RULE_TSS_SS_RPL, RS_RULE_TSS_SS_DPL,
                                           RS_RULE_TSS_SS_TYPE, RS_RULE_TSS_SS_P};

/* #TS(TSS selector) unless the TSS holds all bytes up to `last`. */
static bool tss_reaches(struct cpu *c, uint32_t last)
{
    const struct segment *tss = &c->seg[SEG_TR];
    bool ok = !(tss->attr & ATTR_UNUSABLE) && last <= tss->limit;

    return check(c, RS_RULE_TSS_LIMIT, ok, tss->sel, tss->attr, tss->limit, sel_error(tss->sel));
}

bool tss_stack_64(struct cpu *c, uint32_t offset, uint64_t *rsp)
{
    return tss_reaches(c, offset + 7) && mem_read_sys(c, c->seg[SEG_TR].base + offset, 8, rsp);
}

/* SSn:ESPn of a 32-bit TSS, SSn:SPn of a 16-bit one. */
static bool tss_slot(struct cpu *c, unsigned cpl, uint64_t *sp, uint16_t *ss)
{
    const struct segment *tss = &c->seg[SEG_TR];
    unsigned type = attr_system(tss->attr), n = type == SYS_TSS16 || type == SYS_TSS16_BUSY ? 2 : 4;
    uint32_t slot = n + 2 * n * cpl;
    uint64_t sel;

    if (!tss_reaches(c, slot + n + 1)) return false;
    if (!mem_read_sys(c, (uint32_t)(tss->base + slot), n, sp)) return false;
    if (!mem_read_sys(c, (uint32_t)(tss->base + slot + n), 2, &sel)) return false;
    *ss = (uint16_t)sel;
    return true;
}

/** tss_stack - slot beyond the TSS's limit #TS(TSS); SS null #TS(0); index, RPL, DPL, type #TS(sel); not
 *  present #SS(sel); EXT is added by deliveries. Manual: SDM 2A "CALL", "INT n/INTO/INT3/INT1". */
bool tss_stack(struct cpu *c, unsigned cpl, struct new_stack *k)
{
    struct desc_ref *r = &k->at;
    uint16_t sel;

    if (!tss_slot(c, cpl, &k->sp, &sel)) return false;
    if (!check(c, RS_RULE_TSS_SS_NULL, !sel_is_null(sel), sel, 0, cpl, 0)) return false;
    if (!desc_read(c, sel, 8, RS_RULE_TSS_SS_TABLE, r)) return false;
    if (!CHECKS(c, tss_stack_rules, seg_tss_stack_judge(r->d.attr, sel, cpl), sel, r->d.attr, cpl,
                sel_error(sel)))
        return false;
    k->s = (struct segment){.sel = sel, .attr = r->d.attr, .limit = r->d.limit, .base = r->d.base};
    k->inner = true;
    return true;
}

static uint64_t new_stack_at(const struct new_stack *k, unsigned down)
{
    uint64_t at = k->sp - down;
    return k->s.attr & ATTR_DB ? (uint32_t)at : (uint16_t)at;
}

/** new_stack_room - #SS(sel) on a new stack, #SS(0) on the current one, before the first push. */
bool new_stack_room(struct cpu *c, const struct new_stack *k, unsigned slots, unsigned width)
{
    unsigned bytes = slots * width;
    bool ok = true;

    for (unsigned at = width; at <= bytes; at += width)
        ok = ok && limit_judge(&k->s, new_stack_at(k, at), width);
    return check(c, k->inner ? RS_RULE_GATE_STACK_LIMIT : RS_RULE_LIMIT_STACK, ok,
                 k->inner ? k->s.sel : new_stack_at(k, bytes), k->s.limit, bytes,
                 sel_error(k->s.sel));
}

bool new_stack_push(struct cpu *c, unsigned cpl, const struct new_stack *k, const uint64_t *slot,
                    unsigned slots, unsigned width)
{
    for (unsigned i = 0; i < slots; i++) {
        uint64_t lin = (uint32_t)(k->s.base + new_stack_at(k, width * (i + 1)));
        if (!mem_write_as(c, cpl, lin, width, width == 2 ? (uint16_t)slot[i] : (uint32_t)slot[i]))
            return false;
    }
    return true;
}

/* A stack segment with B=0 leaves the upper half of ESP alone. */
void new_stack_commit(struct cpu *c, const struct new_stack *k, unsigned bytes)
{
    uint64_t sp = new_stack_at(k, bytes);

    c->gpr[R_RSP] = k->s.attr & ATTR_DB ? sp : (c->gpr[R_RSP] & ~0xffffull) | sp;
    if (k->inner) seg_fill(c, SEG_SS, k->s.sel, &k->at.d);
}

/* ---- call gates -------------------------------------------------------------------------------------------- */

static const uint16_t gate_rules[] = {RS_RULE_CALL_GATE_UPPER, RS_RULE_CALL_GATE_DPL,
                                      RS_RULE_CALL_GATE_P};
/* legacy gates have no upper half, and their code no L */
static const uint16_t legacy_gate_rules[] = {RS_RULE_CALL_GATE_DPL, RS_RULE_CALL_GATE_P};
static const uint16_t call_code_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL,
                                           RS_RULE_GATE_CS_L, RS_RULE_GATE_CS_P};
static const uint16_t legacy_call_code_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL,
                                                  RS_RULE_GATE_CS_P};
static const uint16_t jump_code_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL,
                                           RS_RULE_GATE_CS_L, RS_RULE_CALL_GATE_JMP,
                                           RS_RULE_GATE_CS_P};
static const uint16_t legacy_jump_code_rules[] = {RS_RULE_GATE_CS_TYPE, RS_RULE_GATE_CS_DPL,
                                                  RS_RULE_CALL_GATE_JMP, RS_RULE_GATE_CS_P};

#define TSS64_RSP0 4u

/* The bytes of what this gate pushes. */
static unsigned gate_width(const struct cpu *c, const struct gate *g)
{
    if (cpu_long(c)) return 8;
    return g->type == SYS_CALL16 ? 2 : 4;
}

/* CS and RIP of the new level; the frame is in memory, SS and RSP are set. */
static enum step enter_inner(struct cpu *c, const struct gate *g, const struct desc_ref *r,
                             uint64_t start)
{
    unsigned from = c->cpl, cpl = attr_dpl(r->d.attr);

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_CALLGATE_INNER);
    code_fill(c, g->selector, cpl, &r->d);
    enum step s = arrive(c, cpl, g->offset);
    crossing_enter(c, RS_X_CALL_GATE, g->selector, from, start);
    return s;
}

/**
 * CALL through a 64-bit gate to an inner level: RSP from the TSS, SS null with RPL = new CPL, no parameters.
 *   1. slot beyond the TSS's limit: #TS(TSS)      3. offset not canonical: #GP(0)
 *   2. frame not canonical: #SS(0)                4. SS, RSP, CS, RIP are pushed as the new level
 */
static enum step call_inner_64(struct cpu *c, const struct gate *g, struct desc_ref *r)
{
    unsigned cpl = attr_dpl(r->d.attr), bits = c->features->linear_bits;
    uint64_t start = cpu_now(c), rsp, next = cpu_next_rip(c);
    uint64_t frame[4] = {c->seg[SEG_SS].sel, c->gpr[R_RSP], c->seg[SEG_CS].sel,
                         cpu_64(c) ? next : (uint32_t)next};

    crossing_begin(c);
    if (!tss_stack_64(c, TSS64_RSP0 + 8 * cpl, &rsp)) return STEP_FAULT;
    bool ok = mmu_canonical(rsp - 32, bits) && mmu_canonical(rsp - 1, bits);
    if (!check(c, RS_RULE_CANON_STACK, ok, rsp - 32, 32, bits, 0)) return STEP_FAULT;
    if (!target_check(c, g->offset, r->d.attr, r->d.limit)) return STEP_FAULT;
    for (unsigned i = 0; i < 4; i++) {
        if (!mem_write_as(c, cpl, rsp - 8 * (i + 1), 8, frame[i])) return STEP_FAULT;
    }
    if (!desc_set_accessed(c, r)) return STEP_FAULT;

    seg_fill_null(c, SEG_SS, (uint16_t)cpl);
    c->gpr[R_RSP] = rsp - 32;
    return enter_inner(c, g, r, start);
}

/* SS, SP, the parameters, CS, IP: in the order in which they are pushed. */
#define FRAME_FIXED 4u
static bool call_frame(struct cpu *c, const struct gate *g, unsigned width, uint64_t *frame)
{
    unsigned n = g->params;

    frame[0] = c->seg[SEG_SS].sel;
    frame[1] = c->gpr[R_RSP];
    for (unsigned i = 0; i < n; i++) {
        if (!stack_peek(c, (n - 1 - i) * width, width, &frame[2 + i])) return false;
    }
    frame[2 + n] = c->seg[SEG_CS].sel;
    frame[3 + n] = (uint32_t)cpu_next_rip(c);
    return true;
}

/**
 * CALL through a 16- or 32-bit gate to an inner level.
 *   1. SS:SP out of the TSS: tss_stack
 *   2. no room there for SS, SP, the parameters, CS, IP: #SS(new SS)
 *   3. offset beyond the code segment's limit: #GP(0)
 *   4. the parameters are read from the old stack, at the old level: #SS(0), #PF
 *   5. all is pushed as the new level
 */
static enum step call_inner(struct cpu *c, const struct gate *g, struct desc_ref *r)
{
    unsigned cpl = attr_dpl(r->d.attr), width = gate_width(c, g), slots = FRAME_FIXED + g->params;
    uint64_t start = cpu_now(c), frame[FRAME_FIXED + 31];
    struct new_stack k = {.sp = 0};

    crossing_begin(c);
    if (!tss_stack(c, cpl, &k) || !new_stack_room(c, &k, slots, width)) return STEP_FAULT;
    if (!target_check(c, g->offset, r->d.attr, r->d.limit)) return STEP_FAULT;
    if (!call_frame(c, g, width, frame)) return STEP_FAULT;
    if (!new_stack_push(c, cpl, &k, frame, slots, width)) return STEP_FAULT;
    if (!desc_set_accessed(c, r) || !desc_set_accessed(c, &k.at)) return STEP_FAULT;

    new_stack_commit(c, &k, slots * width);
    return enter_inner(c, g, r, start);
}

/* CALL: room for the return address #SS(0); offset beyond the limit #GP(0). */
static enum step transfer_same(struct cpu *c, const struct gate *g, bool call, struct desc_ref *r)
{
    unsigned width = gate_width(c, g);

    if (call && !probe_return(c, width)) return STEP_FAULT;
    if (!target_check(c, g->offset, r->d.attr, r->d.limit)) return STEP_FAULT;
    if (!desc_set_accessed(c, r)) return STEP_FAULT;
    if (call && !push_return(c, width)) return STEP_FAULT;

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_FAR_SAME);
    code_fill(c, g->selector, c->cpl, &r->d);
    return arrive(c, c->cpl, g->offset);
}

/* The gate itself. */
static bool gate_check(struct cpu *c, uint16_t selector, struct gate *g)
{
    bool lma = cpu_long(c);
    enum rs_rule broken;
    struct desc_ref at;

    if (!desc_read(c, selector, lma ? 16 : 8, RS_RULE_SEG_TABLE, &at)) return false;
    *g = gate_unpack(at.low, at.high, lma);
    broken = gate_call_judge(g, selector, c->cpl);
    if (lma) return CHECKS(c, gate_rules, broken, selector, at.d.attr, c->cpl, sel_error(selector));
    return CHECKS(c, legacy_gate_rules, broken, selector, at.d.attr, c->cpl, sel_error(selector));
}

/* The code segment that it names. */
static bool gate_code_check(struct cpu *c, uint16_t sel, bool call, struct desc_ref *r)
{
    bool lma = cpu_long(c);

    if (!check(c, RS_RULE_GATE_CS_NULL, !sel_is_null(sel), sel, 0, 0, 0)) return false;
    if (!desc_read(c, sel, 8, RS_RULE_SEG_TABLE, r)) return false;

    uint16_t attr = r->d.attr;
    uint32_t error = sel_error(sel);
    enum rs_rule broken =
        call ? gate_code_judge(attr, c->cpl, lma) : gate_jump_judge(attr, c->cpl, lma);
    if (call && lma) return CHECKS(c, call_code_rules, broken, sel, attr, c->cpl, error);
    if (call) return CHECKS(c, legacy_call_code_rules, broken, sel, attr, c->cpl, error);
    if (lma) return CHECKS(c, jump_code_rules, broken, sel, attr, c->cpl, error);
    return CHECKS(c, legacy_jump_code_rules, broken, sel, attr, c->cpl, error);
}

/**
 * transfer_gate - far JMP or CALL through a call gate; the offset in the instruction is ignored.
 *   1. the gate (16 bytes in IA-32e mode) within the table, upper type 0 there, DPL >= CPL and RPL: #GP(gate);
 *      present: #NP(gate)
 *   2. its selector null: #GP(0); index, type, DPL > CPL, IA-32e mode: not 64-bit code: #GP(sel)
 *   3. JMP: neither conforming nor DPL = CPL: #GP(sel)
 *   4. code segment not present: #NP(sel)
 *   5. CALL to non-conforming code of DPL < CPL switches stacks
 */
enum step transfer_gate(struct cpu *c, uint16_t selector, bool call)
{
    struct desc_ref r;
    struct gate g;

    if (!gate_check(c, selector, &g) || !gate_code_check(c, g.selector, call, &r))
        return STEP_FAULT;
    bool same = attr_is_conforming(r.d.attr) || attr_dpl(r.d.attr) == c->cpl;
    if (same) return transfer_same(c, &g, call, &r);
    return cpu_long(c) ? call_inner_64(c, &g, &r) : call_inner(c, &g, &r);
}
