/*
 * task_load.c - the selectors of a new task: LDTR, CS, SS and the data segments, after the commit of a switch.
 *
 * All six are visible from the commit on and unusable until loaded: one that is refused, and those after it,
 * stay so. The fault is the new task's. The accessed bits are set as in any load.
 * Manual: SDM 3A "Task Switching", "Exception Conditions Checked During a Task Switch"; SDM 3B "Entering
 * Virtual-8086 Mode".
 */
#include "cpu/real.h"
#include "cpu/task.h"

/* ---- pure judges ------------------------------------------------------------------------------------------ */

/** task_ldt_judge - the new task's LDT: not an LDT, not present. #TS(sel) each. */
enum rs_rule task_ldt_judge(uint16_t attr)
{
    if ((attr & ATTR_S) || attr_system(attr) != SYS_LDT) return RS_RULE_TASK_LDT_TYPE;
    if (!(attr & ATTR_P)) return RS_RULE_TASK_LDT_P;
    return RS_RULE_NONE;
}

/** task_code_judge - CS, whose RPL is the new CPL: not code, DPL other than RPL (conforming: above it)
 *  #TS(sel); not present #NP(sel). */
enum rs_rule task_code_judge(uint16_t attr, uint16_t selector)
{
    unsigned dpl = attr_dpl(attr), rpl = sel_rpl(selector);

    if (!attr_is_code(attr)) return RS_RULE_TASK_CS_TYPE;
    if (attr_is_conforming(attr) ? dpl > rpl : dpl != rpl) return RS_RULE_TASK_CS_DPL;
    if (!(attr & ATTR_P)) return RS_RULE_TASK_CS_P;
    return RS_RULE_NONE;
}

/** task_stack_judge - SS: not writable data, RPL or DPL other than CPL #TS(sel); not present #SS(sel). */
enum rs_rule task_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl)
{
    if (!attr_is_writable(attr)) return RS_RULE_TASK_SS_TYPE;
    if (sel_rpl(selector) != cpl || attr_dpl(attr) != cpl) return RS_RULE_TASK_SS_DPL;
    if (!(attr & ATTR_P)) return RS_RULE_TASK_SS_P;
    return RS_RULE_NONE;
}

/** task_data_judge - DS, ES, FS, GS: as seg_data_judge, but #TS(sel); not present #NP(sel). */
enum rs_rule task_data_judge(uint16_t attr, uint16_t selector, unsigned cpl)
{
    enum rs_rule broken = seg_data_judge(attr, selector, cpl);

    if (broken == RS_RULE_SEG_TYPE) return RS_RULE_TASK_DATA_TYPE;
    if (broken == RS_RULE_SEG_DPL) return RS_RULE_TASK_DATA_DPL;
    return broken == RS_RULE_SEG_P ? RS_RULE_TASK_DATA_P : RS_RULE_NONE;
}

/* ---- loads --------------------------------------------------------------------------------------------- */

static const uint16_t ldt_rules[] = {RS_RULE_TASK_LDT_TYPE, RS_RULE_TASK_LDT_P};
static const uint16_t code_rules[] = {RS_RULE_TASK_CS_TYPE, RS_RULE_TASK_CS_DPL, RS_RULE_TASK_CS_P};
static const uint16_t stack_rules[] = {RS_RULE_TASK_SS_TYPE, RS_RULE_TASK_SS_DPL,
                                       RS_RULE_TASK_SS_P};
static const uint16_t data_rules[] = {RS_RULE_TASK_DATA_TYPE, RS_RULE_TASK_DATA_DPL,
                                      RS_RULE_TASK_DATA_P};

static bool load_ldt(struct cpu *c, uint16_t sel)
{
    struct desc_ref r;

    if (sel_is_null(sel)) {
        seg_fill_null(c, SEG_LDTR, sel);
        return true;
    }
    if (!check(c, RS_RULE_TASK_LDT_TABLE, !(sel & SELEC_TI), sel, 0, c->gdtr.limit, sel_error(sel)))
        return false;
    if (!desc_read(c, sel, 8, RS_RULE_TASK_LDT_TABLE, &r)) return false;
    if (!CHECKS(c, ldt_rules, task_ldt_judge(r.d.attr), sel, r.d.attr, c->cpl, sel_error(sel)))
        return false;
    seg_fill(c, SEG_LDTR, sel, &r.d);
    return true;
}

static bool load_code(struct cpu *c, uint16_t sel)
{
    struct desc_ref r;

    if (!check(c, RS_RULE_TASK_CS_TABLE, !sel_is_null(sel), sel, 0, c->gdtr.limit, sel_error(sel)))
        return false;
    if (!desc_read(c, sel, 8, RS_RULE_TASK_CS_TABLE, &r)) return false;
    if (!CHECKS(c, code_rules, task_code_judge(r.d.attr, sel), sel, r.d.attr, c->cpl,
                sel_error(sel)))
        return false;
    if (!desc_set_accessed(c, &r)) return false;
    code_fill(c, sel, c->cpl, &r.d);
    return true;
}

static bool load_stack(struct cpu *c, uint16_t sel)
{
    struct desc_ref r;

    if (!check(c, RS_RULE_TASK_SS_TABLE, !sel_is_null(sel), sel, 0, c->gdtr.limit, sel_error(sel)))
        return false;
    if (!desc_read(c, sel, 8, RS_RULE_TASK_SS_TABLE, &r)) return false;
    if (!CHECKS(c, stack_rules, task_stack_judge(r.d.attr, sel, c->cpl), sel, r.d.attr, c->cpl,
                sel_error(sel)))
        return false;
    if (!desc_set_accessed(c, &r)) return false;
    seg_fill(c, SEG_SS, sel, &r.d);
    return true;
}

static bool load_data(struct cpu *c, enum seg seg, uint16_t sel)
{
    struct desc_ref r;

    if (sel_is_null(sel)) {
        seg_fill_null(c, seg, sel);
        return true;
    }
    if (!desc_read(c, sel, 8, RS_RULE_TASK_DATA_TABLE, &r)) return false;
    if (!CHECKS(c, data_rules, task_data_judge(r.d.attr, sel, c->cpl), sel, r.d.attr, c->cpl,
                sel_error(sel)))
        return false;
    if (!desc_set_accessed(c, &r)) return false;
    seg_fill(c, seg, sel, &r.d);
    return true;
}

/** LDTR, CS, SS, then DS, ES, FS, GS. Manual: SDM 3A "Exception Conditions Checked During a Task Switch". */
bool task_load(struct cpu *c, const struct task_selectors *t)
{
    static const uint8_t data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};

    if (!load_ldt(c, t->ldt)) return false;
    if (cpu_v86(c)) {
        for (unsigned i = SEG_ES; i <= SEG_GS; i++) real_load(c, (enum seg)i, t->seg[i]);
        return true;
    }
    if (!load_code(c, t->seg[SEG_CS]) || !load_stack(c, t->seg[SEG_SS])) return false;
    for (unsigned i = 0; i < sizeof data; i++) {
        if (!load_data(c, (enum seg)data[i], t->seg[data[i]])) return false;
    }
    return true;
}
