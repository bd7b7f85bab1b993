/*
 * monitor.c - the command table, words, addresses, and the ring of recent events.
 */
#include "kit/monitor/parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_LONGEST 512u
#define WATCHED                                                                                              \
    (RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CROSS_END) | RS_MASK(RS_EV_FAULT) |         \
     RS_MASK(RS_EV_SHUTDOWN) | RS_MASK(RS_EV_SYSCALL))

static bool command_help(struct monitor *mon, unsigned argc, char **argv);

/* clang-format off */
static const struct command commands[] = {
    {"help",     "h",   "[COMMAND]",        0, 1, command_help,        "this list, or one command"},
    {"step",     "s",   "[N]",              0, 1, command_step,        "run N instructions (1)"},
    {"crossing", "x",   "[N]",              0, 1, command_crossing,    "run to the next crossing between rings or delivery (or the Nth)"},
    {"refusal",  "r",   "[N]",              0, 1, command_refusal,     "run to the next refused check (or the Nth)"},
    {"continue", "c",   "[CYCLES]",         0, 1, command_continue,    "run to a breakpoint, the end, or so many cycles"},
    {"nmi",      NULL,  "",                 0, 0, command_nmi,         "raise an NMI: taken when the guest runs on"},
    {"mce",      NULL,  "",                 0, 0, command_mce,         "raise a machine check: taken when the guest runs on"},
    {"break",    "b",   "[ADDR]",           0, 1, command_break,       "stop before the instruction at ADDR; alone: list them"},
    {"delete",   "d",   "ADDR|all",         1, 1, command_delete,      "take a breakpoint away"},
    {"regs",     NULL,  "[all]",            0, 1, command_regs,        "registers; all: control, segments, MSRs, XMM too"},
    {"walk",     "w",   "ADDR [r|w|x] [CPL]", 1, 3, command_walk,      "the page tables' path to ADDR, and whether the access may"},
    {"why",      NULL,  "",                 0, 0, command_why,         "the last refusal: rule, statement, inputs, manual, remedy"},
    {"mem",      "m",   "ADDR [N]",         1, 2, command_mem,         "N bytes (64) at linear ADDR"},
    {"phys",     "p",   "ADDR [N]",         1, 2, command_phys,        "N bytes (64) at physical ADDR"},
    {"x/i",      "i",   "[ADDR] [N]",       0, 2, command_disassemble, "N instructions (8) at ADDR (here)"},
    {"symbol",   NULL,  "ADDR|NAME",        1, 1, command_symbol,      "the name of an address, the address of a name"},
    {"events",   "e",   "[N]",              0, 1, command_events,      "the last N (10) crossings, refusals, faults and system calls"},
    {"ledger",   "l",   "",                 0, 0, command_ledger,      "what each kind of crossing has cost so far"},
    {"rule",     NULL,  "ID",               1, 1, command_rule,        "what a rule says"},
    {"hash",     NULL,  "",                 0, 0, command_hash,        "the state hash, instructions, cycles"},
    {"quit",     "q",   "",                 0, 0, NULL,                "leave"},
};
/* clang-format on */
#define COMMANDS (sizeof commands / sizeof *commands)

/* ---- talking ------------------------------------------------------------------------------------------- */

void say(struct monitor *mon, const char *format, ...)
{
    char text[2048];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    mon->print(mon->ctx, text);
}

bool complain(struct monitor *mon, const char *format, ...)
{
    char text[400];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    say(mon, "error: %s\n", text);
    return false;
}

static void help_one(struct monitor *mon, const struct command *c)
{
    char left[64];

    snprintf(left, sizeof left, "%s%s%s %s", c->name, c->shorthand ? ", " : "", c->shorthand ? c->shorthand : "",
             c->arguments);
    say(mon, "  %-30s %s\n", left, c->help);
}

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i].name, name) == 0 || (commands[i].shorthand && strcmp(commands[i].shorthand, name) == 0))
            return &commands[i];
    return NULL;
}

static bool command_help(struct monitor *mon, unsigned argc, char **argv)
{
    if (argc == 1) {
        const struct command *c = command_find(argv[0]);

        if (!c) return complain(mon, "no command '%s'", argv[0]);
        help_one(mon, c);
        return true;
    }
    for (size_t i = 0; i < COMMANDS; i++) help_one(mon, &commands[i]);
    say(mon, "  ADDR: numbers (0x for hexadecimal), registers and symbols, joined by + and -: main+0x10, rsp-8\n");
    return true;
}

const char *monitor_command_name(unsigned index) { return index < COMMANDS ? commands[index].name : NULL; }

/* ---- numbers and addresses -------------------------------------------------------------------------------- */

static bool number(const char *text, uint64_t *value)
{
    char *end;

    if (*text < '0' || *text > '9') return false;
    *value = strtoull(text, &end, text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10);
    return *end == '\0';
}

bool count_parse(struct monitor *mon, const char *text, uint64_t *value)
{
    if (number(text, value) && *value > 0) return true;
    return complain(mon, "'%s' is not a count", text);
}

static bool register_value(const struct monitor *mon, const char *name, uint64_t *value)
{
    if (*name == '$') name++;
    for (unsigned reg = 0; reg < RS_REG_COUNT; reg++) {
        const char *known = rs_reg_name(reg);

        if (known && strcmp(known, name) == 0) return rs_reg_read(mon->m, 0, reg, value) == RS_OK;
    }
    return false;
}

static bool term(const struct monitor *mon, const char *text, uint64_t *value)
{
    return number(text, value) || register_value(mon, text, value) || rs_symbol_find(mon->m, text, value);
}

bool address_parse(struct monitor *mon, const char *text, uint64_t *value)
{
    uint64_t sum = 0;
    bool minus = false;

    for (;;) {
        char word[128];
        size_t n = strcspn(text, "+-");
        uint64_t part;

        snprintf(word, sizeof word, "%.*s", (int)(n < 127 ? n : 127), text);
        if (!term(mon, word, &part)) return complain(mon, "'%s' is no number, register or symbol", word);
        sum = minus ? sum - part : sum + part;
        if (text[n] == '\0') break;
        minus = text[n] == '-';
        text += n + 1;
    }
    *value = sum;
    return true;
}

const char *address_text(const struct monitor *mon, uint64_t address, char out[160])
{
    uint64_t offset;
    const char *name = rs_symbol_at(mon->m, address, &offset);
    unsigned long long a = address, o = name ? offset : 0;

    if (!name) snprintf(out, 160, "0x%llx", a);
    else if (o) snprintf(out, 160, "0x%llx <%s+0x%llx>", a, name, o);
    else snprintf(out, 160, "0x%llx <%s>", a, name);
    return out;
}

/* ---- watching ------------------------------------------------------------------------------------------------ */

static bool observe(void *ctx, rs_machine *m, const struct rs_event *event)
{
    struct monitor *mon = ctx;

    (void)m;
    mon->ring[mon->seen++ % MONITOR_RING] = *event;
    if (!(mon->stop_on & RS_MASK(event->kind))) return false;
    if (mon->found.kind == RS_EV_COUNT) mon->found = *event; /* one instruction may meet several */
    return true;
}

struct monitor *monitor_new(rs_machine *m, monitor_print_fn print, void *ctx)
{
    struct monitor *mon = calloc(1, sizeof *mon);

    if (!mon) return NULL;
    mon->m = m;
    mon->print = print;
    mon->ctx = ctx;
    mon->found.kind = RS_EV_COUNT;
    if (rs_observer_add(m, WATCHED, true, observe, mon, &mon->observer) == RS_OK) return mon;
    free(mon);
    return NULL;
}

void monitor_free(struct monitor *mon)
{
    if (!mon) return;
    rs_observer_remove(mon->m, mon->observer);
    free(mon);
}

const struct rs_stop_info *monitor_last_stop(const struct monitor *mon) { return &mon->stop; }

/* ---- one line --------------------------------------------------------------------------------------------------- */

static unsigned words(char *line, char **word, unsigned most)
{
    unsigned n = 0;

    while (n < most) {
        line += strspn(line, " \t\r\n");
        if (*line == '\0') break;
        word[n++] = line;
        line += strcspn(line, " \t\r\n");
        if (*line) *line++ = '\0';
    }
    return n;
}

enum monitor_result monitor_command(struct monitor *mon, const char *line)
{
    char copy[LINE_LONGEST];
    char *word[MONITOR_ARGS_MAX + 2];

    snprintf(copy, sizeof copy, "%s", line);
    unsigned n = words(copy, word, MONITOR_ARGS_MAX + 2);

    if (n == 0 || word[0][0] == '#') return MONITOR_OK;
    const struct command *c = command_find(word[0]);

    if (!c) {
        complain(mon, "no command '%s' (help lists them)", word[0]);
        return MONITOR_ERROR;
    }
    if (n - 1 < c->least || n - 1 > c->most) {
        complain(mon, "usage: %s %s", c->name, c->arguments);
        return MONITOR_ERROR;
    }
    if (!c->run) return MONITOR_QUIT;
    return c->run(mon, n - 1, word + 1) ? MONITOR_OK : MONITOR_ERROR;
}
