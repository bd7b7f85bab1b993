/*
 * rules.c - the catalogues as tables: rules, events, categories, crossings, trace groups, statuses,
 * stop reasons. Everything is made from rules.def, events.def, manual.def and (what
 * is known of a rule beyond its row) rule_facts.def and rule_tests.def; no state.
 */
#include "arch/rules.h"

#include <string.h>

#define TEXT(x) #x

const struct rule_row rule_rows[RS_RULE_COUNT] = {
    {0, 0, 0},
#define RULE(id, vector, error, subject, manual, statement)                                        \
    {VEC_##vector, RULE_ERR_##error, RULE_SUB_##subject},
#include "ringside/rules.def"
#undef RULE
};

enum manual_id {
#define EDITION(...)
#define MANUAL(id, volume, heading) MANUAL_##id,
#include "arch/manual.def"
#undef MANUAL
    MANUAL_COUNT
};

static const char *const manual_text[MANUAL_COUNT] = {
#define MANUAL(id, volume, heading) (sizeof(heading) > 1 ? volume " \"" heading "\"" : volume),
#include "arch/manual.def"
#undef MANUAL
#undef EDITION
};

static const struct {
    const char *manual, *edition;
} editions[] = {
#define EDITION(manual, edition) {manual, edition},
#define MANUAL(...)
#include "arch/manual.def"
#undef MANUAL
#undef EDITION
};

static const struct {
    const char *name, *fault, *error, *subject, *statement;
    uint16_t manual;
} rule_texts[RS_RULE_COUNT] = {
    {"NONE", "", "", "", "", 0},
#define RULE(id, vector, error, subject, manual, statement)                                        \
    {TEXT(id), "#" TEXT(vector), TEXT(error), TEXT(subject), statement, MANUAL_##manual},
#include "ringside/rules.def"
#undef RULE
};

bool rs_rule_info(unsigned rule, struct rs_rule_info *out)
{
    if (rule == RS_RULE_NONE || rule >= RS_RULE_COUNT || !out) return false;
    out->id = (uint16_t)rule;
    out->name = rule_texts[rule].name;
    out->fault = rule_texts[rule].fault;
    out->error = rule_texts[rule].error;
    out->subject = rule_texts[rule].subject;
    out->manual = manual_text[rule_texts[rule].manual];
    out->statement = rule_texts[rule].statement;
    return true;
}

/* ---- what is known of a rule beyond its row -------------------------------------------------------- */

static const struct {
    const char *prefix, *in1, *in2;
} inputs[] = {
#define NEEDS(...)
#define INPUTS(prefix, in1, in2) {#prefix, in1, in2},
#include "arch/rule_facts.def"
#undef INPUTS
#undef NEEDS
};

static const struct {
    const char *prefix, *features;
} needs[] = {
#define INPUTS(...)
#define NEEDS(prefix, features) {#prefix, features},
#include "arch/rule_facts.def"
#undef INPUTS
#undef NEEDS
};

static const struct {
    uint16_t rule;
    const char *passed, *refused;
} proofs[] = {
#define PROOF(id, passed, refused) {RS_RULE_##id, passed, refused},
#include "arch/rule_tests.def"
#undef PROOF
};

#define COUNT(rows) (sizeof(rows) / sizeof *(rows))

/* How much of the name a prefix fits: its length, 0 if it does not. "*SUBJECT" fits least. */
static size_t fits(const char *prefix, const char *name, const char *subject)
{
    size_t n = strlen(prefix);

    if (*prefix == '*') return strcmp(prefix + 1, subject) == 0 ? 1 : 0;
    return strncmp(prefix, name, n) == 0 ? n + 1 : 0;
}

static void find_inputs(const char *name, const char *subject, struct rs_rule_detail *out)
{
    size_t best = 0;

    for (size_t i = 0; i < COUNT(inputs); i++) {
        size_t n = fits(inputs[i].prefix, name, subject);
        if (n <= best) continue;
        best = n;
        out->in1 = inputs[i].in1;
        out->in2 = inputs[i].in2;
    }
}

static void find_needs(const char *name, struct rs_rule_detail *out)
{
    size_t best = 0;

    for (size_t i = 0; i < COUNT(needs); i++) {
        size_t n = fits(needs[i].prefix, name, "");
        if (n <= best) continue;
        best = n;
        out->features = needs[i].features;
    }
}

bool rs_rule_detail(unsigned rule, struct rs_rule_detail *out)
{
    if (rule == RS_RULE_NONE || rule >= RS_RULE_COUNT || !out) return false;
    *out = (struct rs_rule_detail){"", "", "", "", "", ""};
    find_inputs(rule_texts[rule].name, rule_texts[rule].subject, out);
    find_needs(rule_texts[rule].name, out);
    for (size_t i = 0; i < COUNT(editions); i++) {
        const char *manual = manual_text[rule_texts[rule].manual];
        if (strncmp(manual, editions[i].manual, 3) == 0) out->edition = editions[i].edition;
    }
    for (size_t i = 0; i < COUNT(proofs); i++) {
        if (proofs[i].rule != rule) continue;
        out->test_passed = proofs[i].passed;
        out->test_refused = proofs[i].refused;
    }
    return true;
}

/* ---- events, groups, names ----------------------------------------------------------------------------- */

static const struct {
    const char *id, *name, *group, *words[4], *statement;
} event_texts[RS_EV_COUNT] = {
#define EVENT(id, name, group, w0, w1, w2, w3, statement)                                          \
    {TEXT(id), name, TEXT(group), {w0, w1, w2, w3}, statement},
#include "ringside/events.def"
#undef EVENT
};

bool rs_event_info(unsigned kind, struct rs_event_info *out)
{
    if (kind >= RS_EV_COUNT || !out) return false;
    out->kind = (uint16_t)kind;
    out->name = event_texts[kind].name;
    out->group = event_texts[kind].group;
    memcpy(out->words, event_texts[kind].words, sizeof out->words);
    out->statement = event_texts[kind].statement;
    return true;
}

_Static_assert(RS_EV_COUNT <= 64, "an event mask has 64 bits");

bool rs_group_mask(const char *name, uint64_t *mask, bool *refused_only)
{
    uint64_t found = 0;

    if (!name || !mask || !refused_only) return false;
    for (unsigned kind = 0; kind < RS_EV_COUNT; kind++) {
        if (strcmp(name, "all") == 0 || strcmp(name, event_texts[kind].group) == 0 ||
            strcmp(name, event_texts[kind].name) == 0)
            found |= RS_MASK(kind);
    }
    bool refused = strcmp(name, "refused") == 0;
    if (refused) found = RS_MASK(RS_EV_CHECK);
    if (!found) return false;
    *mask = found;
    *refused_only = refused;
    return true;
}

const char *rs_category_name(unsigned category)
{
    static const char *const names[RS_CAT_COUNT] = {
        [RS_CAT_USER] = "user",           [RS_CAT_KERNEL] = "kernel",
        [RS_CAT_WALK] = "walk",           [RS_CAT_REFILL] = "refill",
        [RS_CAT_CACHE] = "cache",         [RS_CAT_BRANCH] = "branch",
        [RS_CAT_TRANSITION] = "transition", [RS_CAT_INTERRUPT] = "interrupt",
        [RS_CAT_FLUSH] = "flush",         [RS_CAT_VM] = "vm",
        [RS_CAT_MICROCODE] = "microcode", [RS_CAT_IDLE] = "idle",
        [RS_CAT_DEVICE] = "device"};
    return category < RS_CAT_COUNT ? names[category] : "?";
}

const char *rs_crossing_name(unsigned how)
{
    static const char *const names[RS_X_COUNT] = {
        [RS_X_SYSCALL] = "syscall",     [RS_X_SYSRET] = "sysret",   [RS_X_INT] = "int",
        [RS_X_EXCEPTION] = "exception", [RS_X_IRQ] = "irq",         [RS_X_NMI] = "nmi",
        [RS_X_IRET] = "iret",           [RS_X_CALL_GATE] = "call-gate",
        [RS_X_FAR_RET] = "far-ret",     [RS_X_SYSENTER] = "sysenter",
        [RS_X_SYSEXIT] = "sysexit",     [RS_X_TASK] = "task"};
    return how < RS_X_COUNT ? names[how] : "?";
}

const char *rs_stop_reason_name(enum rs_stop_reason reason)
{
    static const char *const names[] = {
        [RS_STOP_NONE] = "none",
        [RS_STOP_INSN_LIMIT] = "insn-limit",
        [RS_STOP_CYCLE_LIMIT] = "cycle-limit",
        [RS_STOP_LOG_LIMIT] = "log-limit",
        [RS_STOP_WALL_LIMIT] = "wall-limit",
        [RS_STOP_INTERRUPTED] = "interrupted",
        [RS_STOP_HOOK] = "hook",
        [RS_STOP_BREAKPOINT] = "breakpoint",
        [RS_STOP_GUEST_EXIT] = "guest-exit",
        [RS_STOP_POWER_OFF] = "power-off",
        [RS_STOP_GUEST_RESET] = "guest-reset",
        [RS_STOP_GUEST_PANIC] = "guest-panic",
        [RS_STOP_TRIPLE_FAULT] = "triple-fault",
        [RS_STOP_DEAD_HALT] = "dead-halt",
        [RS_STOP_EMULATOR_GAP] = "emulator-gap",
        [RS_STOP_HOST_ERROR] = "host-error",
        [RS_STOP_INVARIANT] = "invariant",
        [RS_STOP_DIVERGED] = "diverged"};
    return (unsigned)reason < sizeof names / sizeof *names ? names[reason] : "?";
}

const char *rs_status_text(rs_status status)
{
    static const char *const texts[] = {
        [RS_OK] = "success",
        [RS_E_ARG] = "an argument is out of range",
        [RS_E_NOMEM] = "the host has no memory",
        [RS_E_CONFIG] = "unknown CPU model, cost profile or key",
        [RS_E_IMAGE] = "the image cannot be loaded",
        [RS_E_UNMAPPED] = "no translation, or the access would fault",
        [RS_E_BUSY] = "the machine is running or inside a hook",
        [RS_E_UNSUPPORTED] = "not supported yet",
        [RS_E_IO] = "a file cannot be read or written",
        [RS_E_LIMIT] = "a table of the machine is full"};
    return (unsigned)status < sizeof texts / sizeof *texts ? texts[status] : "unknown status";
}

const char *vector_name(unsigned vector)
{
    static const char *const names[] = {
        [VEC_DE] = "#DE", [VEC_DB] = "#DB", [VEC_NMI] = "NMI", [VEC_BP] = "#BP", [VEC_OF] = "#OF",
        [VEC_BR] = "#BR", [VEC_UD] = "#UD", [VEC_NM] = "#NM",  [VEC_DF] = "#DF", [VEC_TS] = "#TS",
        [VEC_NP] = "#NP", [VEC_SS] = "#SS", [VEC_GP] = "#GP",  [VEC_PF] = "#PF", [VEC_MF] = "#MF",
        [VEC_AC] = "#AC", [VEC_MC] = "#MC", [VEC_XM] = "#XM",  [VEC_VE] = "#VE", [VEC_CP] = "#CP"};
    return vector < sizeof names / sizeof *names ? names[vector] : NULL;
}
