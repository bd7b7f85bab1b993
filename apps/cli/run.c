/*
 * run.c - `ringside run`: drive one machine to its end.
 *
 * The library runs in slices that end at an exact cycle or instruction: a limit, a border of the log,
 * or the next look at the console's input. Slicing changes nothing that the guest can see.
 */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "console.h"
#include "coverage.h"
#include "exit.h"
#include "guest.h"
#include "result.h"
#include "text.h"
#include "trace.h"
#include "verbs.h"

/* Guest time between two looks at the input; at most so much before what the guest has said is shown. */
#define SLICE_CYCLES 2000000u
#define SLICE_LONGEST 50000000u
/* Input waits for a guest that has set up its port: until it has said something, or for so long. */
#define INPUT_FROM_CYCLE 20000000u
#define PACE_PER_SECOND 100u

/** A border of the log. */
struct when {
    enum { WHEN_NONE, WHEN_CYCLE, WHEN_INSN, WHEN_SYMBOL } kind;
    uint64_t value;
};

struct run {
    const struct settings *s;
    rs_machine *m;
    struct console console;
    struct trace trace;
    struct when from, to;
    FILE *result;
    FILE *covered; /* where --rule-coverage goes */
    struct coverage coverage;
    bool pace;
    uint64_t hz;
    struct timespec began;
    struct rs_stop_info stop;
};

/* ---- signals: the one thing that is not in struct run ---------------------------------------------------- */

static rs_machine *volatile signalled;
static volatile sig_atomic_t interrupted, wall_over;

static void on_signal(int number)
{
    if (number == SIGALRM) wall_over = 1;
    else interrupted = 1;
    if (signalled) rs_stop(signalled);
}

static void signals_set(const struct settings *s, rs_machine *m)
{
    struct sigaction action = {.sa_handler = on_signal};
    struct itimerval wall = {.it_value = {.tv_sec = (time_t)s->max_wall.value}};

    signalled = m;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGALRM, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (s->max_wall.given) setitimer(ITIMER_REAL, &wall, NULL);
}

/* ---- borders of the log ---------------------------------------------------------------------------------- */

static int when_parse(const rs_machine *m, const char *option, const char *text, struct when *out)
{
    *out = (struct when){WHEN_NONE, 0};
    if (!text) return -1;
    if (strncmp(text, "insn:", 5) == 0 && text_number(text + 5, &out->value)) out->kind = WHEN_INSN;
    else if (text_number(strncmp(text, "cycle:", 6) ? text : text + 6, &out->value)) out->kind = WHEN_CYCLE;
    else if (rs_symbol_find(m, text, &out->value)) out->kind = WHEN_SYMBOL;
    else {
        fprintf(stderr, "ringside: %s %s: neither a cycle, nor insn:N, nor a known symbol\n", option, text);
        return EXIT_USAGE;
    }
    return -1;
}

static bool reached(const struct run *r, const struct when *w)
{
    switch (w->kind) {
    case WHEN_CYCLE: return rs_cycles(r->m) >= w->value;
    case WHEN_INSN: return rs_insns(r->m) >= w->value;
    case WHEN_SYMBOL: return r->stop.reason == RS_STOP_BREAKPOINT && r->stop.rip == w->value;
    case WHEN_NONE: break;
    }
    return false;
}

/* A symbol border is a breakpoint while it is waited for. */
static void await(struct run *r, const struct when *w)
{
    if (w->kind == WHEN_SYMBOL) rs_break_add(r->m, w->value);
}

static void pass(struct run *r, struct when *w)
{
    if (w->kind == WHEN_SYMBOL) rs_break_remove(r->m, w->value);
    w->kind = WHEN_NONE;
}

static bool trace_turn(struct run *r)
{
    if (!r->trace.on) return true;
    if (r->from.kind != WHEN_NONE) {
        if (!reached(r, &r->from)) return true;
        pass(r, &r->from);
        await(r, &r->to);
        if (!trace_attach(&r->trace, r->m)) return false;
    }
    if (r->to.kind != WHEN_NONE && reached(r, &r->to)) {
        pass(r, &r->to);
        trace_detach(&r->trace, r->m);
    }
    return true;
}

/* ---- one slice ----------------------------------------------------------------------------------------------- */

static void nearer(uint64_t *limit, uint64_t now, uint64_t goal)
{
    uint64_t left = goal > now ? goal - now : 1;

    if (*limit == 0 || left < *limit) *limit = left;
}

static void slice_limits(const struct run *r, struct rs_limits *limits)
{
    const struct settings *s = r->s;
    uint64_t insns = rs_insns(r->m), cycles = rs_cycles(r->m);
    const struct when *border = r->from.kind != WHEN_NONE ? &r->from : &r->to;

    *limits = (struct rs_limits){.struct_size = sizeof *limits, .cycles = SLICE_LONGEST};
    if (s->max_insns.given) nearer(&limits->insns, insns, s->max_insns.value);
    if (s->max_cycles.given) nearer(&limits->cycles, cycles, s->max_cycles.value);
    if (border->kind == WHEN_INSN) nearer(&limits->insns, insns, border->value);
    if (border->kind == WHEN_CYCLE) nearer(&limits->cycles, cycles, border->value);
    if (r->console.in >= 0) nearer(&limits->cycles, 0, SLICE_CYCLES);
    if (r->pace) nearer(&limits->cycles, 0, r->hz / PACE_PER_SECOND);
}

/* Sleep until the wall clock has caught up with the guest's. */
static void keep_pace(struct run *r)
{
    struct timespec now;
    uint64_t cycles = rs_cycles(r->m);

    clock_gettime(CLOCK_MONOTONIC, &now);
    double guest = (double)cycles / (double)r->hz;
    double host = (double)(now.tv_sec - r->began.tv_sec) + (double)(now.tv_nsec - r->began.tv_nsec) / 1e9;

    if (guest <= host) return;
    console_flush(&r->console);
    if (guest - host > 0.001) {
        struct timespec rest = {(time_t)(guest - host), (long)((guest - host - (double)(time_t)(guest - host)) * 1e9)};

        nanosleep(&rest, NULL);
    }
}

/* Did the guest stop for want of input that may still come? */
static bool wait_for_input(struct run *r)
{
    if (r->stop.reason != RS_STOP_DEAD_HALT || !rs_input_wakes(r->m, 0)) return false;
    while (r->console.in >= 0 && !interrupted && !wall_over) {
        uint64_t before = rs_input_pending(r->m, 0);

        console_feed(&r->console, -1);
        if (rs_input_pending(r->m, 0) != before) return true;
    }
    return interrupted || wall_over;
}

/* ---- to the end ------------------------------------------------------------------------------------------------- */

static bool limit_reached(const struct run *r)
{
    const struct settings *s = r->s;

    return (s->max_insns.given && r->stop.insns >= s->max_insns.value) ||
           (s->max_cycles.given && r->stop.cycles >= s->max_cycles.value);
}

static bool over(struct run *r)
{
    switch (r->stop.reason) {
    case RS_STOP_INSN_LIMIT:
    case RS_STOP_CYCLE_LIMIT: return limit_reached(r);
    case RS_STOP_BREAKPOINT: return false;
    case RS_STOP_DEAD_HALT: return !wait_for_input(r);
    case RS_STOP_NONE:
    case RS_STOP_LOG_LIMIT:
    case RS_STOP_WALL_LIMIT:
    case RS_STOP_INTERRUPTED:
    case RS_STOP_HOOK:
    case RS_STOP_GUEST_EXIT:
    case RS_STOP_POWER_OFF:
    case RS_STOP_GUEST_RESET:
    case RS_STOP_GUEST_PANIC:
    case RS_STOP_TRIPLE_FAULT:
    case RS_STOP_EMULATOR_GAP:
    case RS_STOP_HOST_ERROR:
    case RS_STOP_INVARIANT:
    case RS_STOP_DIVERGED: break;
    }
    return true;
}

static void host_error(struct run *r, const char *what, const char *why)
{
    r->stop.reason = RS_STOP_HOST_ERROR;
    snprintf(r->stop.text, sizeof r->stop.text, "%s: %s", what, why ? why : "cannot be written");
}

/* The library says that it was interrupted or that an observer stopped it; we know why. */
static void reason_refine(struct run *r)
{
    bool asked = r->stop.reason == RS_STOP_INTERRUPTED || r->stop.reason == RS_STOP_HOOK;

    if (asked && r->trace.full) {
        r->stop.reason = RS_STOP_LOG_LIMIT;
        snprintf(r->stop.text, sizeof r->stop.text, "the log has reached --max-log");
    } else if (asked && wall_over) {
        r->stop.reason = RS_STOP_WALL_LIMIT;
    }
    if (r->console.broken) host_error(r, "guest console", r->console.why);
    else if (r->trace.broken) host_error(r, "log", r->trace.why);
}

static rs_status drive(struct run *r)
{
    struct rs_limits limits;
    rs_status status = RS_OK;

    if (r->from.kind == WHEN_NONE) {
        await(r, &r->to);
        if (!trace_attach(&r->trace, r->m)) return RS_E_LIMIT;
    } else {
        await(r, &r->from);
    }
    do {
        if (!trace_turn(r)) return RS_E_LIMIT;
        if (r->console.spoke || rs_cycles(r->m) >= INPUT_FROM_CYCLE) console_feed(&r->console, 0);
        slice_limits(r, &limits);
        status = rs_run(r->m, &limits, &r->stop);
        console_flush(&r->console);
        trace_flush(&r->trace);
        if (r->pace) keep_pace(r);
    } while (status == RS_OK && !over(r));
    console_close(&r->console);
    trace_close(&r->trace);
    reason_refine(r);
    return status;
}

/* ---- beginning and end ---------------------------------------------------------------------------------------------- */

static int report_open(const char *option, const char *path, FILE **out)
{
    *out = strcmp(path, "-") ? fopen(path, "w") : stdout;
    if (*out) return -1;
    fprintf(stderr, "ringside: --%s %s: %s\n", option, path, strerror(errno));
    return EXIT_HOST;
}

/* False, after one line, if it could not be written. */
static bool report_close(const char *option, const char *path, FILE *out, bool ok)
{
    if (out != stdout && out != stderr) ok = fclose(out) == 0 && ok;
    if (ok && fflush(stdout) == 0) return true;
    fprintf(stderr, "ringside: --%s %s: %s\n", option, path, strerror(errno));
    return false;
}

static int coverage_begin(struct run *r)
{
    const char *path = r->s->rule_coverage;

    r->coverage.on = true;
    if (!coverage_attach(&r->coverage, r->m)) return EXIT_HOST;
    r->covered = stderr;
    return *path ? report_open("rule-coverage", path, &r->covered) : -1;
}

static int begin(struct run *r)
{
    const struct settings *s = r->s;
    int status = console_open(&r->console, s->serial);

    if (status < 0) status = trace_open(&r->trace, s);
    if (status < 0) status = guest_build(s, console_put, &r->console, &r->m);
    if (status < 0) status = when_parse(r->m, "--trace-from", s->trace_from, &r->from);
    if (status < 0) status = when_parse(r->m, "--trace-to", s->trace_to, &r->to);
    if (status < 0 && s->input) status = guest_input_file(r->m, s->input);
    if (status < 0 && s->result) status = report_open("result", s->result, &r->result);
    if (status < 0 && s->rule_coverage) status = coverage_begin(r);
    if (status >= 0) return status;
    r->console.m = r->m;
    r->hz = rs_hz(r->m);
    r->pace = s->pace.given ? s->pace.value == CHOICE_ON : r->console.in == STDIN_FILENO && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &r->began);
    signals_set(s, r->m);
    console_raw(&r->console, true);
    return -1;
}

static int end(struct run *r, rs_status status)
{
    int code = result_status(&r->stop, r->s->exit_compat.given);

    if (status != RS_OK) {
        fprintf(stderr, "ringside: internal error: %s\n", rs_status_text(status));
        return EXIT_INTERNAL;
    }
    if (r->s->ledger) result_ledger(r->m, stderr);
    bool told = true;

    if (r->covered) {
        coverage_print(&r->coverage, r->covered);
        told = report_close("rule-coverage", r->s->rule_coverage, r->covered, !ferror(r->covered));
    }
    if (r->result) {
        bool ok = result_write(r->m, &r->stop, code, r->console.hash, &r->coverage, r->result);

        told = report_close("result", r->s->result, r->result, ok) && told;
    }
    if (!told) {
        r->stop.reason = RS_STOP_HOST_ERROR;
        code = result_status(&r->stop, r->s->exit_compat.given);
    }
    result_line(&r->stop);
    return code;
}

int verb_run(const struct settings *s)
{
    struct run *r = calloc(1, sizeof *r);

    if (!r) return EXIT_HOST;
    r->s = s;
    int code = begin(r);

    if (code < 0) code = end(r, drive(r));
    signalled = NULL;
    rs_destroy(r->m);
    free(r);
    return code;
}
