/*
 * segment.c - descriptors: unpacking them, judging them, loading segment registers from them.
 *
 * Judges are pure and come first. Each is the manual's list of checks in the manual's order; an error
 * code is the selector (index and TI) unless its rule says 0. Loading a segment reads its descriptor
 * by implicit supervisor accesses and sets the accessed bit by a locked write, last of all and
 * whatever the CPL, before the register changes.
 * Manual: SDM 3A "Segment Descriptors", "Type Checking", "Privilege Level Checking When Accessing
 * Data Segments", "Privilege Level Checking When Loading the SS Register"; SDM 2 MOV, LLDT, LTR.
 */
#include "cpu/real.h"

/* ---- unpacking ---------------------------------------------------------------------------------
 *  high dword: 31:24 base | 23 G 22 D/B 21 L 20 AVL | 19:16 limit | 15 P 14:13 DPL 12 S 11:8 type | base
 *  low dword:  31:16 base | 15:0 limit */

struct descriptor desc_unpack(uint64_t low, uint64_t high)
{
    uint32_t lo = (uint32_t)low, hi = (uint32_t)(low >> 32);
    uint32_t limit = (lo & 0xffff) | (hi & 0xf0000);
    struct descriptor d = {
        .base = lo >> 16 | (hi & 0xff) << 16 | (hi & 0xff000000u) | high << 32,
        .limit = hi & 1u << 23 ? limit << 12 | 0xfff : limit,
        .attr = (uint16_t)(hi >> 8 & 0xf0ff),
        .upper = (high >> 40 & 0x1f) == 0,
    };

    return d;
}

static bool gate_is_16(const struct gate *g)
{
    return g->type == SYS_CALL16 || g->type == SYS_INT16 || g->type == SYS_TRAP16;
}

struct gate gate_unpack(uint64_t low, uint64_t high, bool wide)
{
    uint32_t lo = (uint32_t)low, hi = (uint32_t)(low >> 32);
    struct gate g = {
        .offset = (lo & 0xffff) | (hi & 0xffff0000u),
        .selector = (uint16_t)(lo >> 16),
        .type = hi >> 8 & 15,
        .dpl = hi >> 13 & 3,
        .present = (hi & 1u << 15) != 0,
        .system = (hi & 1u << 12) == 0,
        .params = hi & 31,
        .upper = true,
    };

    if (wide) {
        g.offset |= high << 32;
        g.ist = hi & 7;
        g.params = 0;
        g.upper = (high >> 40 & 0x1f) == 0;
    } else if (gate_is_16(&g)) {
        g.offset &= 0xffff;
    }
    return g;
}

/* ---- pure judges --------------------------------------------------------------------------------- */

/** seg_table_judge - the whole descriptor within the limit of its table. SDM 3A "Segment Descriptor Tables". */
bool seg_table_judge(uint16_t selector, uint32_t limit, bool usable, unsigned bytes)
{
    return usable && (selector & ~7u) + bytes - 1 <= limit;
}

/**
 * seg_data_judge - MOV, POP, LDS... to DS, ES, FS, GS. Null selectors never come here.
 *   1. neither data nor readable code: #GP(sel)
 *   2. data or non-conforming code, and RPL > DPL or CPL > DPL: #GP(sel)
 *   3. not present: #NP(sel)
 * Manual: SDM 2B "MOV", SDM 3A "Privilege Level Checking When Accessing Data Segments".
 */
enum rs_rule seg_data_judge(uint16_t attr, uint16_t selector, unsigned cpl)
{
    unsigned dpl = attr_dpl(attr);

    if (!attr_is_readable(attr)) return RS_RULE_SEG_TYPE;
    if (!attr_is_conforming(attr) && (sel_rpl(selector) > dpl || cpl > dpl)) return RS_RULE_SEG_DPL;
    if (!(attr & ATTR_P)) return RS_RULE_SEG_P;
    return RS_RULE_NONE;
}

/**
 * seg_stack_judge - MOV, POP, LSS to SS; SS of a far return with the new CPL.
 *   1. RPL is not CPL: #GP(sel)          3. DPL is not CPL: #GP(sel)
 *   2. not writable data: #GP(sel)       4. not present: #SS(sel)
 * Manual: SDM 2B "MOV", SDM 3A "Privilege Level Checking When Loading the SS Register".
 */
enum rs_rule seg_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl)
{
    if (sel_rpl(selector) != cpl) return RS_RULE_SS_RPL_CPL;
    if (!attr_is_writable(attr)) return RS_RULE_SS_TYPE;
    if (attr_dpl(attr) != cpl) return RS_RULE_SS_DPL;
    if (!(attr & ATTR_P)) return RS_RULE_SS_P;
    return RS_RULE_NONE;
}

/** seg_stack_null_judge - a null SS only in 64-bit mode, inside ring 3, with RPL = CPL. SDM 2B "MOV". */
bool seg_stack_null_judge(uint16_t selector, unsigned cpl, bool mode64)
{
    return mode64 && cpl != 3 && sel_rpl(selector) == cpl;
}

static bool both_l_and_d(uint16_t attr) { return (attr & ATTR_L) && (attr & ATTR_DB); }

/**
 * seg_code_judge - direct far JMP and CALL.
 *   1. not code: #GP(sel)
 *   2. L and D both set in IA-32e mode: #GP(sel)
 *   3. conforming: DPL > CPL: #GP(sel); else RPL > CPL, or DPL is not CPL: #GP(sel)
 *   4. not present: #NP(sel)
 * Manual: SDM 2A "JMP", "CALL"; SDM 3A "Direct Calls or Jumps to Code Segments".
 */
enum rs_rule seg_code_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma)
{
    unsigned dpl = attr_dpl(attr);

    if (!attr_is_code(attr)) return RS_RULE_CS_TYPE;
    if (lma && both_l_and_d(attr)) return RS_RULE_CS_LD;
    if (attr_is_conforming(attr)) {
        if (dpl > cpl) return RS_RULE_CS_DPL;
    } else {
        if (sel_rpl(selector) > cpl) return RS_RULE_CS_RPL;
        if (dpl != cpl) return RS_RULE_CS_DPL;
    }
    if (!(attr & ATTR_P)) return RS_RULE_CS_P;
    return RS_RULE_NONE;
}

/**
 * seg_return_judge - far RET and IRET; the selector's RPL becomes the CPL.
 *   1. not code: #GP(sel)                      3. RPL < CPL: #GP(sel)
 *   2. L and D both set in IA-32e mode         4. conforming: DPL > RPL; else DPL is not RPL: #GP(sel)
 *   5. not present: #NP(sel)
 * Manual: SDM 2B "RET", 2A "IRET/IRETD/IRETQ"; SDM 3A "Returning from a Called Procedure".
 */
enum rs_rule seg_return_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma)
{
    unsigned dpl = attr_dpl(attr), rpl = sel_rpl(selector);

    if (!attr_is_code(attr)) return RS_RULE_CS_TYPE;
    if (lma && both_l_and_d(attr)) return RS_RULE_CS_LD;
    if (rpl < cpl) return RS_RULE_CS_RETURN_RPL;
    if (attr_is_conforming(attr) ? dpl > rpl : dpl != rpl) return RS_RULE_CS_RETURN_DPL;
    if (!(attr & ATTR_P)) return RS_RULE_CS_P;
    return RS_RULE_NONE;
}

/**
 * seg_ldt_judge - LLDT: TI set, not an LDT (in IA-32e mode: upper type field not 0), not present, base
 * not canonical. Manual: SDM 2A "LLDT".
 */
enum rs_rule seg_ldt_judge(const struct descriptor *d, uint16_t selector, bool lma, unsigned bits)
{
    if (selector & SELEC_TI) return RS_RULE_LDT_TI;
    if ((d->attr & ATTR_S) || attr_system(d->attr) != SYS_LDT) return RS_RULE_LDT_TYPE;
    if (lma && !d->upper) return RS_RULE_LDT_TYPE;
    if (!(d->attr & ATTR_P)) return RS_RULE_LDT_P;
    if (lma && !mmu_canonical(d->base, bits)) return RS_RULE_SYS_BASE_CANON;
    return RS_RULE_NONE;
}

/**
 * seg_tss_judge - LTR: null, TI set, not an available TSS (32-bit or, outside IA-32e mode, 16-bit; a
 * busy one is refused), not present, base not canonical. Manual: SDM 2A "LTR".
 */
enum rs_rule seg_tss_judge(const struct descriptor *d, uint16_t selector, bool lma, unsigned bits)
{
    unsigned type = attr_system(d->attr);

    if (sel_is_null(selector)) return RS_RULE_TSS_NULL;
    if (selector & SELEC_TI) return RS_RULE_TSS_TI;
    if ((d->attr & ATTR_S) || !(type == SYS_TSS || (!lma && type == SYS_TSS16)))
        return RS_RULE_TSS_TYPE;
    if (lma && !d->upper) return RS_RULE_TSS_TYPE;
    if (!(d->attr & ATTR_P)) return RS_RULE_TSS_P;
    if (lma && !mmu_canonical(d->base, bits)) return RS_RULE_SYS_BASE_CANON;
    return RS_RULE_NONE;
}

/** seg_tss_stack_judge - SS of an inner level out of a TSS. SDM 2A "INT n", SDM 3A "Stack Switching". */
enum rs_rule seg_tss_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl)
{
    if (sel_rpl(selector) != cpl) return RS_RULE_TSS_SS_RPL;
    if (attr_dpl(attr) != cpl) return RS_RULE_TSS_SS_DPL;
    if (!attr_is_writable(attr)) return RS_RULE_TSS_SS_TYPE;
    if (!(attr & ATTR_P)) return RS_RULE_TSS_SS_P;
    return RS_RULE_NONE;
}

/** seg_survives_judge - data and non-conforming code of an inner DPL does not. SDM 2A "IRET". */
bool seg_survives_judge(const struct segment *s, unsigned cpl)
{
    if (sel_is_null(s->sel)) return false;
    return attr_is_conforming(s->attr) || attr_dpl(s->attr) >= cpl;
}

/* DPL against CPL and RPL, as LAR, LSL, VERR and VERW ask. */
static bool may_see(uint16_t attr, uint16_t selector, unsigned cpl)
{
    unsigned dpl = attr_dpl(attr);
    return attr_is_conforming(attr) || (cpl <= dpl && sel_rpl(selector) <= dpl);
}

/* Sets of system types, by bit. */
#define TYPES_LAR_LEGACY                                                                           \
    (1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_CALL16 | 1u << SYS_TASK |  \
     1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL)
#define TYPES_LAR_LONG (1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY | 1u << SYS_CALL)
#define TYPES_LSL_LEGACY                                                                           \
    (1u << SYS_TSS16 | 1u << SYS_LDT | 1u << SYS_TSS16_BUSY | 1u << SYS_TSS | 1u << SYS_TSS_BUSY)
#define TYPES_LSL_LONG (1u << SYS_LDT | 1u << SYS_TSS | 1u << SYS_TSS_BUSY)

static bool type_in(uint16_t attr, unsigned set)
{
    return (attr & ATTR_S) || (set >> attr_system(attr) & 1);
}

bool seg_lar_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma)
{
    return type_in(attr, lma ? TYPES_LAR_LONG : TYPES_LAR_LEGACY) && may_see(attr, selector, cpl);
}

bool seg_lsl_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma)
{
    return type_in(attr, lma ? TYPES_LSL_LONG : TYPES_LSL_LEGACY) && may_see(attr, selector, cpl);
}

bool seg_verify_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool write)
{
    if (!(write ? attr_is_writable(attr) : attr_is_readable(attr))) return false;
    return may_see(attr, selector, cpl);
}

/* ---- descriptors in memory ------------------------------------------------------------------------ */

bool desc_find(const struct cpu *c, uint16_t selector, unsigned bytes, uint64_t *linear)
{
    const struct segment *ldt = &c->seg[SEG_LDTR];
    bool local = selector & SELEC_TI;
    uint64_t base = local ? ldt->base : c->gdtr.base;

    *linear = base + (selector & ~7u);
    if (!cpu_long(c)) *linear = (uint32_t)*linear;
    if (local) return seg_table_judge(selector, ldt->limit, !(ldt->attr & ATTR_UNUSABLE), bytes);
    return seg_table_judge(selector, c->gdtr.limit, true, bytes);
}

bool desc_read(struct cpu *c, uint16_t selector, unsigned bytes, enum rs_rule rule,
               struct desc_ref *r)
{
    bool inside = desc_find(c, selector, bytes, &r->linear);
    uint32_t limit = selector & SELEC_TI ? c->seg[SEG_LDTR].limit : c->gdtr.limit;

    if (!check(c, rule, inside, selector, 0, limit, sel_error(selector))) return false;
    r->high = 0;
    if (!mem_read_sys(c, r->linear, 8, &r->low)) return false;
    if (bytes == 16 && !mem_read_sys(c, r->linear + 8, 8, &r->high)) return false;
    r->d = desc_unpack(r->low, r->high);
    return true;
}

bool desc_set_accessed(struct cpu *c, struct desc_ref *r)
{
    if (!(r->d.attr & ATTR_S) || (r->d.attr & ATTR_ACCESSED)) return true;
    r->d.attr |= ATTR_ACCESSED;
    return mem_write_sys(c, r->linear + 5, 1, r->d.attr & 0xff);
}

void seg_fill(struct cpu *c, enum seg seg, uint16_t selector, const struct descriptor *d)
{
    c->seg[seg] =
        (struct segment){.sel = selector, .attr = d->attr, .limit = d->limit, .base = d->base};
    if (ev_wanted(c, RS_EV_SEG)) ev_emit(c, RS_EV_SEG, 0, seg, selector, d->base, d->attr);
}

void seg_fill_null(struct cpu *c, enum seg seg, uint16_t selector)
{
    static const struct descriptor none = {.attr = ATTR_UNUSABLE};
    seg_fill(c, seg, selector, &none);
}

/* The selector becomes null; a base stays (a user's GS base set by WRMSR lives under a null GS). */
void seg_clear_outer(struct cpu *c, unsigned cpl)
{
    static const uint8_t data[] = {SEG_ES, SEG_DS, SEG_FS, SEG_GS};

    for (unsigned i = 0; i < sizeof data; i++) {
        struct segment *s = &c->seg[data[i]];
        if (seg_survives_judge(s, cpl)) continue;
        s->sel = 0;
        s->attr = ATTR_UNUSABLE;
    }
}

/* ---- loading --------------------------------------------------------------------------------------- */

static const uint16_t data_rules[] = {RS_RULE_SEG_TYPE, RS_RULE_SEG_DPL, RS_RULE_SEG_P};
static const uint16_t stack_rules[] = {RS_RULE_SS_RPL_CPL, RS_RULE_SS_TYPE, RS_RULE_SS_DPL,
                                       RS_RULE_SS_P};
/* null and TI are reported before the table is read, so they are not in these two */
static const uint16_t ldt_rules[] = {RS_RULE_LDT_TYPE, RS_RULE_LDT_P, RS_RULE_SYS_BASE_CANON};
static const uint16_t tss_rules[] = {RS_RULE_TSS_TYPE, RS_RULE_TSS_P, RS_RULE_SYS_BASE_CANON};

/** stack_segment_check - null: #GP(0) where null is not allowed; index: #GP(sel); seg_stack_judge. */
bool stack_segment_check(struct cpu *c, uint16_t selector, unsigned cpl, bool mode64,
                         struct desc_ref *r)
{
    if (sel_is_null(selector)) {
        *r = (struct desc_ref){.d.attr = ATTR_UNUSABLE};
        return check(c, RS_RULE_SS_NULL, seg_stack_null_judge(selector, cpl, mode64), selector, 0,
                     cpl, 0);
    }
    if (!desc_read(c, selector, 8, RS_RULE_SEG_TABLE, r)) return false;
    return CHECKS(c, stack_rules, seg_stack_judge(r->d.attr, selector, cpl), selector, r->d.attr,
                  cpl, sel_error(selector));
}

static bool load_stack(struct cpu *c, uint16_t selector)
{
    struct desc_ref r;

    if (!stack_segment_check(c, selector, c->cpl, cpu_64(c), &r) || !desc_set_accessed(c, &r))
        return false;
    seg_fill(c, SEG_SS, selector, &r.d);
    cpu_mode_changed(c);
    return true;
}

/* The register becomes unusable; older AMD processors leave the base and limit of FS and GS. */
static void load_null(struct cpu *c, enum seg seg, uint16_t selector)
{
    bool keeps = seg >= SEG_FS && cpu_does(c, BEHAVE_NULL_KEEPS_BASE);
    struct descriptor d = {.attr = ATTR_UNUSABLE};

    if (keeps) {
        d.base = c->seg[seg].base;
        d.limit = c->seg[seg].limit;
    }
    seg_fill(c, seg, selector, &d);
}

static bool load_data(struct cpu *c, enum seg seg, uint16_t selector)
{
    struct desc_ref r;

    if (sel_is_null(selector)) {
        load_null(c, seg, selector);
        return true;
    }
    if (!desc_read(c, selector, 8, RS_RULE_SEG_TABLE, &r)) return false;
    if (!CHECKS(c, data_rules, seg_data_judge(r.d.attr, selector, c->cpl), selector, r.d.attr,
                c->cpl, sel_error(selector)))
        return false;
    if (!desc_set_accessed(c, &r)) return false;
    seg_fill(c, seg, selector, &r.d);
    return true;
}

static unsigned system_bytes(const struct cpu *c) { return cpu_long(c) ? 16 : 8; }

/* LLDT: a null selector makes LDTR unusable and is no fault. Then TI, index, type, present. */
static bool load_ldt(struct cpu *c, uint16_t selector)
{
    struct desc_ref r;
    enum rs_rule broken;

    if (sel_is_null(selector)) {
        seg_fill_null(c, SEG_LDTR, selector);
        return true;
    }
    if (!check(c, RS_RULE_LDT_TI, !(selector & SELEC_TI), selector, 0, 0, sel_error(selector)))
        return false;
    if (!desc_read(c, selector, system_bytes(c), RS_RULE_SEG_TABLE, &r)) return false;
    broken = seg_ldt_judge(&r.d, selector, cpu_long(c), c->features->linear_bits);
    if (!CHECKS(c, ldt_rules, broken, selector, r.d.attr, c->cpl, sel_error(selector)))
        return false;
    seg_fill(c, SEG_LDTR, selector, &r.d);
    return true;
}

/* LTR: null and TI are judged before the table is read; the busy bit is set in memory by a locked write. */
static bool load_tss(struct cpu *c, uint16_t selector)
{
    struct desc_ref r;
    enum rs_rule broken;

    if (!check(c, RS_RULE_TSS_NULL, !sel_is_null(selector), selector, 0, 0, 0)) return false;
    if (!check(c, RS_RULE_TSS_TI, !(selector & SELEC_TI), selector, 0, 0, sel_error(selector)))
        return false;
    if (!desc_read(c, selector, system_bytes(c), RS_RULE_SEG_TABLE, &r)) return false;
    broken = seg_tss_judge(&r.d, selector, cpu_long(c), c->features->linear_bits);
    if (!CHECKS(c, tss_rules, broken, selector, r.d.attr, c->cpl, sel_error(selector)))
        return false;
    r.d.attr |= SYS_TSS16_BUSY ^ SYS_TSS16;
    if (!mem_write_sys(c, r.linear + 5, 1, r.d.attr & 0xff)) return false;
    seg_fill(c, SEG_TR, selector, &r.d);
    return true;
}

enum step seg_load(struct cpu *c, enum seg seg, uint16_t selector)
{
    bool ok = true;

    if (!cpu_protected(c)) { /* LLDT and LTR do not come here */
        real_load(c, seg, selector);
        if (seg == SEG_SS) cpu_mode_changed(c);
    } else if (seg == SEG_SS) {
        ok = load_stack(c, selector);
    } else if (seg == SEG_LDTR) {
        ok = load_ldt(c, selector);
    } else if (seg == SEG_TR) {
        ok = load_tss(c, selector);
    } else {
        ok = load_data(c, seg, selector);
    }
    if (!ok) return STEP_FAULT;
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_SEG_LOAD);
    return STEP_NEXT;
}
