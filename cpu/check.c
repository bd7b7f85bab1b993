/*
 * check.c - the one way by which protection speaks: check() evaluates a rule, reports it, and turns a
 * refusal into a fault; fault_raise* are for exceptions that no rule stands behind.
 *
 * Faults are values: c->fault. An error code of #TS, #NP, #SS, #GP gets EXT=1 while an event external
 * to the program is being delivered (c->ext). Manual: SDM 3A "Error Code".
 */
#include "cpu/protect.h"

#include "arch/rules.h"

#include <stdio.h>

const char *rule_name(enum rs_rule rule)
{
    struct rs_rule_info info;

    return rs_rule_info(rule, &info) ? info.name : "";
}

/* ---- events ----------------------------------------------------------------------------------- */

uint64_t ev_emit_rule(struct cpu *c, enum rs_event_kind kind, unsigned how, enum rs_rule rule,
                      unsigned verdict, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3)
{
    struct rs_event ev = {.kind = (uint16_t)kind,
                          .cpu = c->index,
                          .cpl = c->cpl,
                          .rule = (uint16_t)rule,
                          .verdict = (uint8_t)verdict,
                          .how = (uint8_t)how,
                          .tick = cpu_now(c),
                          .rip = cpu_rip(c),
                          .w = {w0, w1, w2, w3}};

    return c->events->emit(c->events->ctx, &ev);
}

uint64_t ev_emit(struct cpu *c, enum rs_event_kind kind, unsigned how, uint64_t w0, uint64_t w1,
                 uint64_t w2, uint64_t w3)
{
    if (!ev_wanted(c, kind)) return 0;
    return ev_emit_rule(c, kind, how, RS_RULE_NONE, 0, w0, w1, w2, w3);
}

uint64_t ev_emit_at(struct cpu *c, enum rs_event_kind kind, unsigned how, uint64_t rip, uint64_t w0,
                    uint64_t w1, uint64_t w2, uint64_t w3)
{
    struct rs_event ev = {.kind = (uint16_t)kind,
                          .cpu = c->index,
                          .cpl = c->cpl,
                          .how = (uint8_t)how,
                          .tick = cpu_now(c),
                          .rip = rip,
                          .w = {w0, w1, w2, w3}};

    if (!ev_wanted(c, kind)) return 0;
    return c->events->emit(c->events->ctx, &ev);
}

/* ---- faults ------------------------------------------------------------------------------------- */

uint64_t fault_word(const struct fault *f)
{
    return f->vector | (uint64_t)f->error << 8 | (uint64_t)f->has_error << 40;
}

static bool takes_ext(enum vector v) { return v >= VEC_TS && v <= VEC_GP; }

enum step fault_raise(struct cpu *c, enum vector v)
{
    c->fault = (struct fault){.vector = (uint8_t)v, .klass = FC_FAULT};
    return STEP_FAULT;
}

enum step fault_raise_code(struct cpu *c, enum vector v, uint32_t error, uint16_t rule)
{
    bool has_error = (c->cr0 & CR0_PE) != 0; /* real-address mode knows no error codes */

    if (c->ext && takes_ext(v)) error |= SELEC_EXT;
    c->fault = (struct fault){
        .vector = (uint8_t)v, .klass = FC_FAULT, .has_error = has_error, .rule = rule, .error = has_error ? error : 0};
    return STEP_FAULT;
}

static void refuse(struct cpu *c, enum rs_rule rule, uint32_t error)
{
    enum vector v = (enum vector)rule_rows[rule].vector;

    switch ((enum rule_error)rule_rows[rule].error) {
    case RULE_ERR_NONE:
        fault_raise(c, v);
        c->fault.rule = (uint16_t)rule;
        return;
    case RULE_ERR_ZERO: error = 0; break;
    case RULE_ERR_SEL:
    case RULE_ERR_PFEC: break;
    }
    fault_raise_code(c, v, error, (uint16_t)rule);
}

bool check_report(struct cpu *c, enum rs_rule rule, bool ok, uint64_t subject, uint64_t in1,
                  uint64_t in2, uint32_t error)
{
    /* an instruction is its address, whoever asks */
    if (rule_rows[rule].subject == RULE_SUB_INSN) subject = cpu_rip(c);
    if (ok) {
        if (c->observe_checks && ev_wanted(c, RS_EV_CHECK))
            ev_emit_rule(c, RS_EV_CHECK, 0, rule, 0, subject, in1, in2, 0);
        return true;
    }
    refuse(c, rule, error);
    if (ev_wanted(c, RS_EV_CHECK))
        ev_emit_rule(c, RS_EV_CHECK, 0, rule, 1, subject, in1, in2, fault_word(&c->fault));
    return false;
}

bool checks_report(struct cpu *c, const uint16_t *rules, unsigned n, enum rs_rule broken,
                   uint64_t subject, uint64_t in1, uint64_t in2, uint32_t error)
{
    if (broken == RS_RULE_NONE && !c->observe_checks) return true;
    for (unsigned i = 0; i < n; i++) {
        if (!check(c, rules[i], rules[i] != broken, subject, in1, in2, error)) return false;
    }
    return broken == RS_RULE_NONE;
}

enum step gap(struct cpu *c, const char *what)
{
    snprintf(c->gap, sizeof c->gap, "%s", what);
    ev_emit(c, RS_EV_GAP, 0, cpu_rip(c), 0, 0, 0);
    return STEP_GAP;
}
