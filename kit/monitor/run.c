/*
 * run.c - commands that let the guest run, and what they say when it stops.
 */
#include "kit/monitor/parts.h"

#include <string.h>

void say_where(struct monitor *mon)
{
    char insn[128] = "", where[160];
    uint64_t rip = 0, cs_base = 0, cpl = 0;

    rs_reg_read(mon->m, 0, RS_REG_RIP, &rip);
    rs_reg_read(mon->m, 0, RS_REG_CS_BASE, &cs_base);
    rs_reg_read(mon->m, 0, RS_REG_CPL, &cpl);
    if (!rs_disassemble(mon->m, 0, cs_base + rip, false, insn, sizeof insn)) strcpy(insn, "(cannot be read)");
    say(mon, "ring%u %s: %s\n", (unsigned)cpl, address_text(mon, rip, where), insn);
}

static void say_found(struct monitor *mon)
{
    char line[2048];

    if (mon->found.kind >= RS_EV_COUNT) return;
    if (rs_event_format(mon->m, &mon->found, RS_LOG_TEXT, line, sizeof line)) mon->print(mon->ctx, line);
}

static void say_stop(struct monitor *mon)
{
    const struct rs_stop_info *s = &mon->stop;

    if (s->reason != RS_STOP_HOOK && s->reason != RS_STOP_INSN_LIMIT && s->reason != RS_STOP_CYCLE_LIMIT) {
        say(mon, "stopped: %s", rs_stop_reason_name(s->reason));
        if (s->reason == RS_STOP_GUEST_EXIT || s->reason == RS_STOP_GUEST_PANIC)
            say(mon, " %llu", (unsigned long long)s->guest_value);
        say(mon, "%s%s\n", s->text[0] ? ": " : "", s->text);
    }
    say_where(mon);
}

/* Has the guest come to an end that nothing follows? */
static bool has_ended(enum rs_stop_reason reason)
{
    return reason >= RS_STOP_GUEST_EXIT && reason <= RS_STOP_HOST_ERROR;
}

/* Run under limits and until an event of `kinds`; false if the guest has ended or the library refuses. */
static bool run(struct monitor *mon, uint64_t insns, uint64_t cycles, uint64_t kinds)
{
    const struct rs_limits limits = {.struct_size = sizeof limits, .insns = insns, .cycles = cycles};

    if (has_ended(mon->stop.reason))
        return complain(mon, "the guest has ended (%s): look at what it left, or quit",
                        rs_stop_reason_name(mon->stop.reason));
    mon->stop_on = kinds;
    mon->found.kind = RS_EV_COUNT;
    rs_status status = rs_run(mon->m, &limits, &mon->stop);

    mon->stop_on = 0;
    return status == RS_OK ? true : complain(mon, "%s", rs_status_text(status));
}

static bool optional_count(struct monitor *mon, unsigned argc, char **argv, uint64_t standard, uint64_t *out)
{
    *out = standard;
    return argc == 0 || count_parse(mon, argv[0], out);
}

bool command_step(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t n;

    if (!optional_count(mon, argc, argv, 1, &n) || !run(mon, n, 0, 0)) return false;
    say_stop(mon);
    return true;
}

static bool run_to(struct monitor *mon, unsigned argc, char **argv, uint64_t kinds)
{
    uint64_t n;

    if (!optional_count(mon, argc, argv, 1, &n)) return false;
    for (uint64_t i = 0; i < n; i++) {
        if (!run(mon, 0, 0, kinds)) return false;
        say_found(mon);
        if (mon->stop.reason != RS_STOP_HOOK) break;
    }
    say_stop(mon);
    return true;
}

bool command_crossing(struct monitor *mon, unsigned argc, char **argv)
{
    return run_to(mon, argc, argv, RS_MASK(RS_EV_CROSS));
}

bool command_refusal(struct monitor *mon, unsigned argc, char **argv)
{
    return run_to(mon, argc, argv, RS_MASK(RS_EV_CHECK));
}

bool command_continue(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t cycles;

    if (!optional_count(mon, argc, argv, 0, &cycles) || !run(mon, 0, cycles, 0)) return false;
    say_stop(mon);
    return true;
}

/* ---- signals ------------------------------------------------------------------------------------------------ */

/* It wakes even a halt that nothing within the machine could end. */
static bool signal_raise(struct monitor *mon, enum rs_signal signal)
{
    if (rs_raise(mon->m, 0, signal) != RS_OK) return complain(mon, "%s", rs_error(mon->m));
    if (mon->stop.reason == RS_STOP_DEAD_HALT) mon->stop.reason = RS_STOP_NONE;
    return true;
}

bool command_nmi(struct monitor *mon, unsigned argc, char **argv)
{
    (void)argc;
    (void)argv;
    return signal_raise(mon, RS_RAISE_NMI);
}

bool command_mce(struct monitor *mon, unsigned argc, char **argv)
{
    (void)argc;
    (void)argv;
    return signal_raise(mon, RS_RAISE_MC);
}

/* ---- breakpoints ----------------------------------------------------------------------------------------- */

bool command_break(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t address;
    char where[160];

    if (argc == 0) {
        unsigned n = 0;

        while (rs_break_at(mon->m, n, &address)) {
            say(mon, "  %s\n", address_text(mon, address, where));
            n++;
        }
        if (n == 0) say(mon, "no breakpoints\n");
        return true;
    }
    if (!address_parse(mon, argv[0], &address)) return false;
    if (rs_break_add(mon->m, address) != RS_OK) return complain(mon, "%s", rs_error(mon->m));
    say(mon, "breakpoint at %s\n", address_text(mon, address, where));
    return true;
}

bool command_delete(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t address;

    (void)argc;
    if (strcmp(argv[0], "all") == 0) {
        while (rs_break_at(mon->m, 0, &address)) rs_break_remove(mon->m, address);
        return true;
    }
    if (!address_parse(mon, argv[0], &address)) return false;
    return rs_break_remove(mon->m, address) == RS_OK || complain(mon, "%s", rs_error(mon->m));
}
