/*
 * result.c - what is left of a run when it is over.
 */
#include "result.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "exit.h"
#include "text.h"

#define TICKS_PER_CYCLE 64u

/* ---- status and last line ----------------------------------------------------------------------------- */

static int plain_status(const struct rs_stop_info *stop)
{
    switch (stop->reason) {
    case RS_STOP_GUEST_EXIT: return stop->guest_value ? EXIT_GUEST_FAILED : EXIT_DONE;
    case RS_STOP_POWER_OFF:
    case RS_STOP_GUEST_RESET: return EXIT_DONE;
    case RS_STOP_TRIPLE_FAULT: return EXIT_TRIPLE_FAULT;
    case RS_STOP_INSN_LIMIT:
    case RS_STOP_CYCLE_LIMIT:
    case RS_STOP_LOG_LIMIT: return EXIT_LIMIT;
    case RS_STOP_WALL_LIMIT: return EXIT_WALL;
    case RS_STOP_DEAD_HALT: return EXIT_DEAD;
    case RS_STOP_INVARIANT: return EXIT_INVARIANT;
    case RS_STOP_DIVERGED: return EXIT_DIVERGED;
    case RS_STOP_EMULATOR_GAP: return EXIT_GAP;
    case RS_STOP_GUEST_PANIC: return EXIT_PANIC;
    case RS_STOP_HOST_ERROR: return EXIT_HOST;
    case RS_STOP_INTERRUPTED: return EXIT_INTERRUPTED;
    case RS_STOP_NONE:
    case RS_STOP_HOOK:
    case RS_STOP_BREAKPOINT: break;
    }
    return EXIT_INTERNAL;
}

int result_status(const struct rs_stop_info *stop, bool qemu)
{
    if (!qemu) return plain_status(stop);
    if (stop->reason == RS_STOP_GUEST_EXIT) return (int)((stop->guest_value << 1 | 1) & 0xff);
    return 64 + plain_status(stop);
}

static void why(const struct rs_stop_info *stop, char *out, size_t size)
{
    const char *name = rs_stop_reason_name(stop->reason);

    if (stop->reason == RS_STOP_GUEST_EXIT)
        snprintf(out, size, "guest exit %" PRIu64, stop->guest_value);
    else if (stop->reason == RS_STOP_GUEST_PANIC)
        snprintf(out, size, "guest panic %" PRIu64, stop->guest_value);
    else
        snprintf(out, size, "%s", name ? name : "?");
    for (char *c = out; *c; c++)
        if (*c == '-') *c = ' ';
}

void result_line(const struct rs_stop_info *stop)
{
    char reason[64], insns[28], cycles[28];

    why(stop, reason, sizeof reason);
    if (stop->text[0]) fprintf(stderr, "ringside: %s\n", stop->text);
    fprintf(stderr, "ringside: stopped: %s after %s instructions, %s cycles\n", reason,
            text_grouped(stop->insns, insns), text_grouped(stop->cycles, cycles));
}

/* ---- the ledger --------------------------------------------------------------------------------------------- */

static double cycles_of(uint64_t ticks) { return (double)ticks / TICKS_PER_CYCLE; }

static uint64_t sum(const uint64_t *value, unsigned n)
{
    uint64_t total = 0;

    for (unsigned i = 0; i < n; i++) total += value[i];
    return total;
}

static void totals(const struct rs_ledger *l, FILE *out)
{
    uint64_t all = sum(l->category, RS_CAT_COUNT);
    char cycles[28];

    fprintf(out, "ledger: %s cycles;", text_grouped(all / TICKS_PER_CYCLE, cycles));
    for (unsigned ring = 0; ring < 4; ring++)
        if (l->ring[ring]) fprintf(out, " ring %u %s", ring, text_grouped(l->ring[ring] / TICKS_PER_CYCLE, cycles));
    fprintf(out, "\n  %-12s %16s %7s\n", "category", "cycles", "share");
    for (unsigned i = 0; i < RS_CAT_COUNT; i++) {
        if (!l->category[i]) continue;
        fprintf(out, "  %-12s %16s %6.2f%%\n", rs_category_name(i),
                text_grouped(l->category[i] / TICKS_PER_CYCLE, cycles), 100.0 * (double)l->category[i] / (double)all);
    }
    fprintf(out, "  TLB: %" PRIu64 " misses, %" PRIu64 " walks of %" PRIu64 " entries\n", l->tlb_misses, l->walks,
            l->walk_steps);
}

/* The categories that any row has something in. */
static uint64_t used_categories(const rs_machine *m)
{
    struct rs_ledger_row row;
    uint64_t used = 0;

    for (unsigned i = 0; rs_ledger_row(m, i, &row); i++)
        for (unsigned k = 0; k < RS_CAT_COUNT; k++)
            if (row.category[k]) used |= 1ull << k;
    return used;
}

static void row_print(const struct rs_ledger_row *row, uint64_t used, FILE *out)
{
    char name[40], number[16];
    double n = row->count ? (double)row->count : 1;

    snprintf(number, sizeof number, "%" PRIu32, row->number);
    snprintf(name, sizeof name, "%s %s", rs_crossing_name(row->how), row->number == UINT32_MAX ? "other" : number);
    fprintf(out, "  %-16s %10" PRIu64 " %11.1f %9.0f %11.0f %10.1f %7.2f", name, row->count,
            cycles_of(row->ticks_total) / n, cycles_of(row->ticks_min), cycles_of(row->ticks_max),
            (double)row->insns / n, (double)row->tlb_misses / n);
    for (unsigned k = 0; k < RS_CAT_COUNT; k++)
        if (used & 1ull << k) fprintf(out, " %10.1f", cycles_of(row->category[k]) / n);
    fputc('\n', out);
}

void result_ledger(const rs_machine *m, FILE *out)
{
    struct rs_ledger total = {.struct_size = sizeof total};
    struct rs_ledger_row row;
    uint64_t used = used_categories(m);

    if (rs_ledger_read(m, &total) != RS_OK) return;
    totals(&total, out);
    if (!rs_ledger_row(m, 0, &row)) {
        fprintf(out, "  no crossings\n");
        return;
    }
    fprintf(out, "  %-16s %10s %11s %9s %11s %10s %7s", "crossing", "count", "mean", "min", "max", "insns", "misses");
    for (unsigned k = 0; k < RS_CAT_COUNT; k++)
        if (used & 1ull << k) fprintf(out, " %10s", rs_category_name(k));
    fprintf(out, "   (cycles per crossing, entry to return, nested ones not counted)\n");
    for (unsigned i = 0; rs_ledger_row(m, i, &row); i++) row_print(&row, used, out);
}

/* ---- --result ------------------------------------------------------------------------------------------------- */

static json_t *hex(uint64_t value)
{
    return json_sprintf("0x%" PRIx64, value);
}

static json_t *stop_json(const struct rs_stop_info *stop, int status)
{
    struct rs_rule_info rule;
    bool known = stop->rule != RS_RULE_NONE && rs_rule_info(stop->rule, &rule);

    return json_pack("{s:s, s:i, s:I, s:o, s:i, s:o, s:o, s:o, s:s}", "reason", rs_stop_reason_name(stop->reason),
                     "status", status, "guest_value", (json_int_t)stop->guest_value, "rip", hex(stop->rip), "cpl",
                     stop->cpl, "vector", stop->has_fault ? json_integer(stop->vector) : json_null(), "error_code",
                     stop->has_fault ? json_integer(stop->error_code) : json_null(), "rule",
                     known ? json_string(rule.name) : json_null(), "text", stop->text);
}

static json_t *crossings_json(const struct rs_ledger *l)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < RS_X_COUNT; i++)
        json_object_set_new(o, rs_crossing_name(i), json_integer((json_int_t)l->crossings[i]));
    return o;
}

static json_t *ledger_json(const struct rs_ledger *l)
{
    json_t *o = json_object();

    for (unsigned i = 0; i < RS_CAT_COUNT; i++)
        json_object_set_new(o, rs_category_name(i), json_integer((json_int_t)(l->category[i] / TICKS_PER_CYCLE)));
    return o;
}

bool result_write(rs_machine *m, const struct rs_stop_info *stop, int status, uint64_t console_hash,
                  const struct coverage *v, FILE *out)
{
    struct rs_ledger total = {.struct_size = sizeof total};
    char hash[33] = "";
    char console[17];

    rs_state_hash(m, hash);
    rs_ledger_read(m, &total);
    snprintf(console, sizeof console, "%016" PRIx64, console_hash);
    json_t *o = json_pack("{s:s, s:s, s:o, s:I, s:I, s:s, s:s, s:o, s:o, s:{s:i, s:i, s:i}}", "schema",
                          "ringside-result", "version", rs_version(), "stop", stop_json(stop, status), "insns",
                          (json_int_t)stop->insns, "cycles", (json_int_t)stop->cycles, "state_hash", hash,
                          "console_hash", console, "crossings", crossings_json(&total), "ledger",
                          ledger_json(&total), "versions", "abi", RS_ABI_VERSION, "event_schema",
                          RS_EVENT_SCHEMA_VERSION, "snapshot", RS_SNAPSHOT_VERSION);
    if (o && v->on) json_object_set_new(o, "rule_coverage", coverage_json(v));
    bool ok = o && json_dumpf(o, out, JSON_INDENT(2)) == 0 && fputc('\n', out) != EOF;

    json_decref(o);
    return ok;
}
