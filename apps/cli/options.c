/*
 * options.c - the option table and its one reader.
 */
#include "options.h"

#include <stdio.h>
#include <string.h>

#include "exit.h"
#include "text.h"

enum kind { FLAG, TEXT, MAYBE_TEXT, NUMBER, SIZE, TIME, LIST, CHOICE, GIVEN_CHOICE, LATER };

struct row {
    const char *name;
    unsigned verbs;
    enum kind kind;
    size_t offset;
    const char *argument; /* shown in help; for choices "a|b|c", a trailing '!' = not there yet */
    const char *help;
};

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
static const struct row rows[] = {
    {"append",          VERB_MACHINE, TEXT,   AT(append),   "STR",   "the kernel's command line, after the image's name"},
    {"module",          VERB_MACHINE, LIST,   AT(modules),  "FILE[=STR]", "a boot module and its command line (repeatable)"},
    {"initrd",          VERB_MACHINE, TEXT,   AT(initrd),   "FILE",  "the first boot module"},
    {"load",            VERB_MACHINE, NUMBER, AT(load),     "ADDR",  "IMAGE is flat: its bytes go to this physical address"},
    {"entry",           VERB_MACHINE, NUMBER, AT(entry),    "ADDR",  "a flat image's first instruction (default: the load address)"},
    {"flat-mode",       VERB_MACHINE, CHOICE, AT(flat_mode), "64|32|16", "a flat image starts in 64-bit, 32-bit or real mode (default 64)"},
    {"bios",            VERB_MACHINE, TEXT,   AT(bios),     "FILE",  "a ROM that ends at 4 GiB and 1 MiB: start at its reset vector; IMAGE may be left out, or is flat (--load)"},
    {"mem",             VERB_MACHINE, SIZE,   AT(mem),      "SIZE",  "RAM, such as 64M or 2G (default 256M)"},
    {"smp",             VERB_MACHINE, NUMBER, AT(smp),      "N",     "processors; only 1 so far"},
    {"cpu",             VERB_MACHINE, TEXT,   AT(cpu),      "MODEL[,+feat,-feat]", "processor model (default x86-64-v3)"},
    {"cost",            VERB_MACHINE | VERB_CPUS, TEXT,   AT(cost),     "PROFILE|FILE[,key=value]", "prices (default teaching)"},
    {"hz",              VERB_MACHINE, NUMBER, AT(hz),       "N",     "core clock (default: the cost profile's)"},
    {"seed",            VERB_MACHINE, NUMBER, AT(seed),     "N",     "seed of every pseudo-random source"},
    {"epoch",           VERB_MACHINE, TIME,   AT(epoch),    "TIME",  "the real-time clock's start: seconds since 1970 or 2026-01-01T00:00:00Z"},
    {"serial",          VERB_MACHINE, TEXT,   AT(serial),   "stdio|file:F|pty|null", "where COM1 goes (default stdio)"},
    {"input",           VERB_MACHINE, TEXT,   AT(input),    "FILE",  "input for COM1, each line stamped: CYCLE TEXT"},
    {"engine",          VERB_MACHINE, CHOICE, AT(engine),   "fast|reference", "reference is the slow twin"},
    {"tier",            VERB_MACHINE, GIVEN_CHOICE, AT(tier), "fast|detailed!", "cost tier (default fast)"},
    {"on-reset",        VERB_MACHINE, CHOICE, AT(on_reset), "exit|reboot", "when the guest resets the machine (default exit)"},
    {"on-triple-fault", VERB_MACHINE, CHOICE, AT(on_triple_fault), "exit|reset", "when the processor shuts down (default exit)"},
    {"ram-budget",      VERB_MACHINE, SIZE,   AT(ram_budget), "SIZE", "RAM the guest may touch (default: --mem, at most half of the host's)"},
    {"block-cap",       VERB_MACHINE, NUMBER, AT(block_cap), "N",    "longest decoded block in instructions, 1..64; results never depend on it (for tests)"},
    {"magic-break",     VERB_DEBUG,   FLAG,   AT(magic_break), NULL, "XCHG BX,BX stops the machine"},
    {"symbols",         VERB_MACHINE, LIST,   AT(symbols),  "FILE",  "names from another ELF file (repeatable)"},

    {"trace",           VERB_MACHINE, TEXT,   AT(trace),    "KINDS", "log these events: crossing, refused, check, fault, irq, walk, tlb, syscall, cr, msr, io, mem, insn, device, all, or kinds"},
    {"trace-out",       VERB_MACHINE, TEXT,   AT(trace_out), "FILE|-", "where the log goes (default stderr)"},
    {"trace-format",    VERB_MACHINE, CHOICE, AT(trace_format), "text|jsonl|bin!|perfetto!", "the log's form (default text)"},
    {"trace-from",      VERB_RUN,     TEXT,   AT(trace_from), "WHEN", "start of the log: a cycle, insn:N, or a symbol"},
    {"trace-to",        VERB_RUN,     TEXT,   AT(trace_to), "WHEN",  "end of the log"},
    {"ledger",          VERB_RUN,     FLAG,   AT(ledger),   NULL,    "print what each kind of crossing cost, at the end"},
    {"rule-coverage",   VERB_RUN,     MAYBE_TEXT, AT(rule_coverage), "[=FILE]", "at the end: which rules were met, passed and refused how often, and which not (runs slower)"},
    {"result",          VERB_RUN,     TEXT,   AT(result),   "FILE",  "write the outcome as one JSON object"},
    {"pace",            VERB_RUN,     GIVEN_CHOICE, AT(pace), "off|real", "real: guest time does not outrun the wall clock (default off; real on a terminal)"},

    {"max-insns",       VERB_RUN,     NUMBER, AT(max_insns), "N",    "stop after so many instructions"},
    {"max-cycles",      VERB_RUN,     NUMBER, AT(max_cycles), "N",   "stop after so many cycles"},
    {"max-wall",        VERB_RUN,     NUMBER, AT(max_wall), "SECONDS", "stop after so much real time (last resort)"},
    {"max-log",         VERB_RUN,     SIZE,   AT(max_log),  "SIZE",  "stop when the log has grown so large"},
    {"exit-compat",     VERB_RUN,     GIVEN_CHOICE, AT(exit_compat), "qemu", "exit statuses as under QEMU's debug-exit device"},

    {"script",          VERB_DEBUG,   TEXT,   AT(script),   "FILE",  "read monitor commands from a file"},

    {"json",            VERB_CATALOGUE, FLAG, AT(json),     NULL,    "as JSON"},
    {"gaps",            VERB_CPUS,    FLAG,   AT(gaps),     NULL,    "what is known and has no handler: every place that can give status 10"},
    {"cost-gaps",       VERB_CPUS,    FLAG,   AT(cost_gaps), NULL,   "instruction forms without a price of their own under --cost"},
    {"verbose",         VERB_VERSION, FLAG,   AT(verbose),  NULL,    "print every default too"},

    {"disk",            VERB_MACHINE, LATER,  0, "FILE[,rw]", ""},
    {"cdrom",           VERB_MACHINE, LATER,  0, "FILE", ""},
    {"record",          VERB_MACHINE, LATER,  0, "FILE", ""},
    {"snapshot-at",     VERB_MACHINE, LATER,  0, "WHEN=FILE", ""},
    {"gdb",             VERB_MACHINE, LATER,  0, "PORT", ""},
    {"device",          VERB_MACHINE, LATER,  0, "NAME[,key=value]", ""},
    {"invariant",       VERB_MACHINE, LATER,  0, "NAMES", ""},
    {"sandbox",         VERB_MACHINE, LATER,  0, NULL, ""},
};
/* clang-format on */
#define ROWS (sizeof rows / sizeof *rows)

/* ---- finding ------------------------------------------------------------------------------------------ */

static const struct row *row_find(unsigned verb, const char *name, size_t length)
{
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].verbs & verb) && strlen(rows[i].name) == length && memcmp(rows[i].name, name, length) == 0)
            return &rows[i];
    return NULL;
}

static int unknown(const struct verb *verb, const char *name, size_t length)
{
    char word[48];
    const char *best = NULL;
    unsigned distance = 4;

    snprintf(word, sizeof word, "%.*s", (int)(length < 40 ? length : 40), name);
    for (size_t i = 0; i < ROWS; i++) {
        if (!(rows[i].verbs & verb->bit)) continue;
        unsigned d = text_distance(word, rows[i].name);

        if (d < distance) {
            distance = d;
            best = rows[i].name;
        }
    }
    if (best)
        fprintf(stderr, "ringside: unknown option --%s: did you mean --%s?\n", word, best);
    else
        fprintf(stderr, "ringside: unknown option --%s (ringside %s --help lists them)\n", word, verb->name);
    return EXIT_USAGE;
}

/* ---- values -------------------------------------------------------------------------------------------- */

static int bad(const struct row *row, const char *value)
{
    fprintf(stderr, "ringside: --%s %s: expected %s\n", row->name, value, row->argument);
    return EXIT_USAGE;
}

static int later(const char *name, const char *value)
{
    fprintf(stderr, "ringside: --%s%s%s is not there yet\n", name, value ? " " : "", value ? value : "");
    return EXIT_GAP;
}

/* Index of value among "a|b!|c"; -1 if absent. *ready is false after '!'. */
static int choice_index(const char *choices, const char *value, bool *ready)
{
    size_t length = strlen(value);

    for (int i = 0;; i++) {
        size_t n = strcspn(choices, "|!");

        if (n == length && memcmp(choices, value, n) == 0) {
            *ready = choices[n] != '!';
            return i;
        }
        choices += strcspn(choices, "|");
        if (*choices == '\0') return -1;
        choices++;
    }
}

static int set_choice(const struct row *row, void *field, const char *value)
{
    bool ready = true;
    int index = choice_index(row->argument, value, &ready);

    if (index < 0) return bad(row, value);
    if (!ready) return later(row->name, value);
    if (row->kind == CHOICE)
        *(unsigned *)field = (unsigned)index;
    else
        *(struct number *)field = (struct number){true, (uint64_t)index};
    return -1;
}

static int set_number(const struct row *row, void *field, const char *value)
{
    struct number *n = field;
    bool ok = row->kind == SIZE   ? text_size(value, &n->value)
              : row->kind == TIME ? text_time(value, &n->value)
                                  : text_number(value, &n->value);

    n->given = ok;
    return ok ? -1 : bad(row, value);
}

static int set_list(const struct row *row, void *field, const char *value)
{
    struct list *list = field;

    if (list->count == LIST_MAX) {
        fprintf(stderr, "ringside: more than %u times --%s\n", LIST_MAX, row->name);
        return EXIT_USAGE;
    }
    list->item[list->count++] = value;
    return -1;
}

static int set(const struct row *row, struct settings *s, const char *value)
{
    void *field = (char *)s + row->offset;

    switch (row->kind) {
    case FLAG: *(bool *)field = true; return -1;
    case TEXT: *(const char **)field = value; return -1;
    case MAYBE_TEXT: *(const char **)field = value ? value : ""; return -1;
    case NUMBER:
    case SIZE:
    case TIME: return set_number(row, field, value);
    case LIST: return set_list(row, field, value);
    case CHOICE:
    case GIVEN_CHOICE: return set_choice(row, field, value);
    case LATER: return later(row->name, NULL);
    }
    return EXIT_INTERNAL;
}

/* ---- reading --------------------------------------------------------------------------------------------- */

/* One option at argv[*i]; moves *i over its value. */
static int option(const struct verb *verb, int argc, char **argv, int *i, struct settings *s)
{
    const char *name = argv[*i] + 2;
    size_t length = strcspn(name, "=");
    const char *value = name[length] == '=' ? name + length + 1 : NULL;
    const struct row *row = row_find(verb->bit, name, length);

    if (!row) return unknown(verb, name, length);
    if (row->kind == LATER) return later(row->name, NULL);
    if (!row->argument && value) {
        fprintf(stderr, "ringside: --%s takes no value\n", row->name);
        return EXIT_USAGE;
    }
    if (row->argument && !value && row->kind != MAYBE_TEXT) {
        if (*i + 1 >= argc) {
            fprintf(stderr, "ringside: --%s needs a value: %s\n", row->name, row->argument);
            return EXIT_USAGE;
        }
        value = argv[++*i];
    }
    return set(row, s, value);
}

static bool help_asked(int argc, char **argv, int i, struct settings *s)
{
    if (strcmp(argv[i], "-h") == 0) s->help_short = true;
    if (strcmp(argv[i], "--help") == 0) s->help_full = true;
    (void)argc;
    return s->help_short || s->help_full;
}

int options_parse(const struct verb *verb, int argc, char **argv, struct settings *s)
{
    bool options = true;

    for (int i = 0; i < argc; i++) {
        if (options && strcmp(argv[i], "--") == 0) {
            options = false;
        } else if (options && argv[i][0] == '-' && argv[i][1] != '\0') {
            if (help_asked(argc, argv, i, s)) return -1;
            if (argv[i][1] != '-') {
                fprintf(stderr, "ringside: unknown option %s: options are long ones, such as --mem (-h helps)\n",
                        argv[i]);
                return EXIT_USAGE;
            }
            int status = option(verb, argc, argv, &i, s);

            if (status >= 0) return status;
        } else {
            if (s->words.count == LIST_MAX) {
                fprintf(stderr, "ringside: too many arguments\n");
                return EXIT_USAGE;
            }
            s->words.item[s->words.count++] = argv[i];
        }
    }
    return -1;
}

/* ---- help ---------------------------------------------------------------------------------------------------- */

static void help_row(const struct row *row)
{
    char left[80], *bang;
    const char *argument = row->argument ? row->argument : "";

    snprintf(left, sizeof left, "--%s%s%s", row->name, *argument && *argument != '[' ? " " : "",
             argument);
    while ((bang = strchr(left, '!')) != NULL) memmove(bang, bang + 1, strlen(bang));
    if (strlen(left) < 28)
        printf("  %-28s %s\n", left, row->help);
    else
        printf("  %s\n  %-28s %s\n", left, "", row->help);
}

void options_help(const struct verb *verb, bool full)
{
    printf("usage: ringside %s %s\n\n%s\n", verb->name, verb->arguments, verb->line);
    if (full && verb->teach) printf("\n%s", verb->teach);
    printf("\noptions:\n");
    for (size_t i = 0; i < ROWS; i++)
        if ((rows[i].verbs & verb->bit) && rows[i].kind != LATER) help_row(&rows[i]);
    printf("  %-28s %s\n", "-h, --help", "this, shorter or with examples");
    if (!full) return;
    bool any = false;

    for (size_t i = 0; i < ROWS; i++) {
        if (!(rows[i].verbs & verb->bit) || rows[i].kind != LATER) continue;
        printf("%s--%s", any ? ", " : "\nknown, but not there yet (exit status 10): ", rows[i].name);
        any = true;
    }
    if (any) printf("\n");
}
