/*
 * log_json.c - an event as one JSON object. First the header, then the words under their names in
 * events.def, then what they mean. Decimal numbers for counts and small numbers, strings of hexadecimal
 * for addresses and wide values, null for what an event does not have. docs/events.schema.json says
 * which kind has which keys.
 */
#include <inttypes.h>
#include <string.h>

#include "arch/bits.h"
#include "arch/ports.h"
#include "arch/rules.h"
#include "emu/log.h"

static void add_string(struct line *l, const char *key, const char *value)
{
    line_add(l, ",\"%s\":", key);
    if (!value) {
        line_add(l, "null");
        return;
    }
    line_put(l, "\"", 1);
    while (*value) { /* runs of plain characters whole: most of a log is strings */
        size_t plain = strcspn(value, "\"\\");

        line_put(l, value, plain);
        value += plain;
        if (!*value) break;
        line_put(l, "\\", 1);
        line_put(l, value++, 1);
    }
    line_put(l, "\"", 1);
}

static void add_number(struct line *l, const char *key, uint64_t value)
{
    line_add(l, ",\"%s\":%" PRIu64, key, value);
}

static void add_hex(struct line *l, const char *key, uint64_t value)
{
    line_add(l, ",\"%s\":\"0x%" PRIx64 "\"", key, value);
}

static void add_bool(struct line *l, const char *key, bool value)
{
    line_add(l, ",\"%s\":%s", key, value ? "true" : "false");
}

static void add_null(struct line *l, const char *key) { line_add(l, ",\"%s\":null", key); }

static void add_cycles(struct line *l, const char *key, uint64_t ticks)
{
    line_add(l, ",\"%s\":", key);
    line_cycles(l, ticks);
}

/* "name+0x12" or null. */
static void add_symbol(struct line *l, const char *key, const struct log_context *context,
                       uint64_t address)
{
    uint64_t offset = 0;
    char text[LOG_NAME_MAX + 24];
    const char *name = line_name(context, address, &offset, text, LOG_NAME_MAX);

    if (name && offset) {
        struct line s = {text, sizeof text, strlen(text)};
        line_add(&s, "+0x%" PRIx64, offset);
    }
    add_string(l, key, name);
}

/* The fault's name and its error code, null if it has none. */
static void add_fault(struct line *l, unsigned vector, bool has_error, uint32_t error)
{
    add_string(l, "fault", vector_name(vector));
    if (has_error) add_hex(l, "error", error);
    else add_null(l, "error");
}

/* ---- the words ------------------------------------------------------------------------------------- */

/* Words that are not printed under their name: they are told in words below. */
static bool is_special(unsigned kind, const char *name)
{
    if (kind == RS_EV_CHECK) return strncmp(name, "fault:", 6) == 0;
    if (kind == RS_EV_FAULT) return strncmp(name, "error:", 6) == 0 || strncmp(name, "cr2:", 4) == 0;
    return kind == RS_EV_BILL_ITEM && strncmp(name, "category:", 9) == 0;
}

static void add_words(struct line *l, const struct rs_event *e, const struct rs_event_info *info)
{
    for (unsigned i = 0; i < 4; i++) {
        const char *name = info->words[i], *colon = strchr(name, ':');
        char key[24];
        if (!colon || is_special(e->kind, name)) continue;
        size_t n = (size_t)(colon - name) < sizeof key ? (size_t)(colon - name) : sizeof key - 1;
        memcpy(key, name, n);
        key[n] = 0;
        if (colon[1] == 'd') add_number(l, key, e->w[i]);
        else add_hex(l, key, e->w[i]);
    }
}

/* ---- what they mean ---------------------------------------------------------------------------------- */

static void mean_paging(struct line *l, const struct rs_event *e)
{
    uint64_t access = e->w[1], path = e->w[2];
    static const char *const controls[] = {"user_mode", "implicit", "ac", "wp", "smep", "smap", "nxe"};

    add_string(l, "access", name_access((unsigned)(access & 0xff)));
    for (unsigned i = 0; i < 7; i++) add_bool(l, controls[i], access >> (8 + i) & 1);
    add_bool(l, "user", path & 1);
    add_bool(l, "write", path >> 1 & 1);
    add_bool(l, "nx", path >> 2 & 1);
    add_number(l, "status", path >> 4 & 0xf);
    add_number(l, "level", path >> 8 & 0xf);
}

static void mean_check(struct line *l, const struct rs_event *e)
{
    struct rs_rule_info rule;
    struct packed_fault f = unpack_fault(e->w[3]);

    if (!rs_rule_info(e->rule, &rule)) return;
    add_string(l, "rule", rule.name);
    add_string(l, "verdict", e->verdict ? "refused" : "passed");
    add_string(l, "manual", rule.manual);
    add_string(l, "subject_kind", rule.subject);
    if (!e->verdict) f = (struct packed_fault){rule_rows[e->rule].vector, 0, false};
    add_fault(l, f.vector, f.has_error, f.error);
    if (e->rule <= RS_RULE_PG_SMAP_IMPLICIT) mean_paging(l, e);
}

static void mean_cross(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    struct packed_levels p = unpack_levels(e->w[2]);

    add_string(l, "how", rs_crossing_name(e->how));
    add_symbol(l, "to_symbol", context, e->w[1]);
    add_number(l, "from_cpl", p.from);
    add_number(l, "to_cpl", p.to);
    add_bool(l, "inward", p.inward);
    char stack[8];
    add_string(l, "gate", p.idt ? p.trap_gate ? "trap" : "interrupt" : NULL);
    add_string(l, "stack", p.idt ? name_stack(&p, stack) : NULL);
    add_number(l, "walk", p.walk);
    add_number(l, "refill", p.refill);
    add_cycles(l, "cost_cycles", e->w[3]);
}

static void mean_fault(struct line *l, const struct rs_event *e)
{
    struct rs_rule_info rule;
    const char *klass = name_fault_class(e->how);
    bool software = strcmp(klass, "software") == 0;
    bool page_fault = e->w[0] == VEC_PF && !software;

    add_fault(l, (unsigned)e->w[0], e->verdict != 0, (uint32_t)e->w[1]);
    add_string(l, "class", klass);
    if (page_fault) add_hex(l, "cr2", e->w[2]);
    else add_null(l, "cr2");
    add_string(l, "rule", rs_rule_info(e->rule, &rule) ? rule.name : NULL);
}

static void mean(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    switch ((enum rs_event_kind)e->kind) {
    case RS_EV_CHECK: mean_check(l, e); break;
    case RS_EV_CROSS: mean_cross(l, context, e); break;
    case RS_EV_CROSS_END:
        add_string(l, "how", rs_crossing_name(e->how));
        add_symbol(l, "to_symbol", context, e->w[1]);
        add_cycles(l, "cycles", e->w[3]);
        break;
    case RS_EV_BILL_ITEM:
        add_string(l, "how", rs_crossing_name(e->how));
        add_string(l, "category", rs_category_name((unsigned)e->w[1]));
        add_cycles(l, "cycles", e->w[3]);
        break;
    case RS_EV_FAULT: mean_fault(l, e); break;
    case RS_EV_WALK: add_string(l, "access", name_access(e->how)); break;
    case RS_EV_TLB_FLUSH: add_string(l, "reason", name_flush(e->how)); break;
    case RS_EV_SYSCALL:
    case RS_EV_SYSRET: add_string(l, "how", rs_crossing_name(e->how)); break;
    case RS_EV_MSR: add_string(l, "name", name_msr((uint32_t)e->w[0])); break;
    case RS_EV_SEG: add_string(l, "name", name_segment((unsigned)e->w[0])); break;
    case RS_EV_DEVICE:
        add_string(l, "name", name_device((unsigned)e->w[0]));
        add_string(l, "request", name_request((unsigned)e->w[1]));
        break;
    case RS_EV_IRQ:
    case RS_EV_LINE:
    case RS_EV_HALT:
    case RS_EV_WAKE:
    case RS_EV_WALK_STEP:
    case RS_EV_AD_SET:
    case RS_EV_TLB_FILL:
    case RS_EV_TLB_STALE:
    case RS_EV_CR:
    case RS_EV_IO:
    case RS_EV_MMIO:
    case RS_EV_MEM:
    case RS_EV_INSN:
    case RS_EV_SHUTDOWN:
    case RS_EV_GAP:
    case RS_EV_RESET:
    case RS_EV_COUNT:
    default: break;
    }
}

void log_json(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    struct rs_event_info info;

    if (!rs_event_info(e->kind, &info)) return;
    line_add(l, "{\"kind\":\"%s\"", info.name);
    add_number(l, "seq", e->seq);
    add_number(l, "cycle", e->tick / TICKS_PER_CYCLE);
    add_number(l, "tick", e->tick);
    add_number(l, "cpu", e->cpu);
    add_number(l, "cpl", e->cpl);
    add_hex(l, "rip", e->rip);
    add_symbol(l, "symbol", context, e->rip);
    add_words(l, e, &info);
    mean(l, context, e);
    line_add(l, "}");
}
