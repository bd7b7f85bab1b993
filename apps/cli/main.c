/*
 * main.c - the first word chooses the verb; one that is no verb is an IMAGE for `run`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "exit.h"
#include "text.h"
#include "verbs.h"

static const char teach_run[] =
    "Runs a guest without a screen: its console (COM1, port 0xE9) on stdout, everything of ours on "
    "stderr. IMAGE is\n"
    "a Multiboot 1 kernel (ELF32, ELF64 or address fields), or a boot sector of 512 bytes that ends in 55 AA\n"
    "(at 0x7c00 in real mode); with --load it is flat bytes.\n\n"
    "  ringside run kernel.elf                             boot it; the last line on stderr says "
    "how it ended\n"
    "  ringside run kernel.elf --trace crossing,refused    and log each crossing and each refused "
    "check\n"
    "  ringside run kernel.elf --trace check --trace-from main --trace-to 2000000 --trace-out "
    "checks.txt\n"
    "  ringside run kernel.elf --ledger --result out.json  what did the crossings cost? as table "
    "and as JSON\n"
    "  ringside run kernel.elf --rule-coverage=rules.txt   which protection checks were met, "
    "passed and refused? (slow)\n"
    "  ringside run kernel.elf --append 'quiet' --module initrd.img=root --max-insns 50000000\n"
    "  ringside run code.bin --load 0x100000               flat 64-bit code at 1 MiB, identity "
    "mapped, CPL 0\n"
    "  ringside run code.bin --load 0x10000 --flat-mode 16 flat 16-bit code, real mode, CS:IP = "
    "1000:0000\n"
    "  ringside run --bios rom.bin                         a ROM's program, from F000:FFF0 on\n"
    "  ringside run kernel.elf --cost skylake,syscall=45   other prices; one of them changed\n"
    "  ringside run kernel.elf --input keys.txt            lines 'CYCLE TEXT', escapes \\n \\r \\t "
    "\\\\ \\xHH\n\n"
    "exit status: 0 guest succeeded, powered off or reset; 1 guest failed; 2 usage; 3 cannot load; "
    "4 triple fault;\n"
    "5 cycle, instruction or log limit; 6 wall limit; 7 halted for ever; 10 emulator gap or an "
    "option that is not\n"
    "there yet; 11 guest panic; 12 host resource; 70 internal error; 130 interrupted.\n";

static const char teach_debug[] =
    "The machine monitor: stopped before the first instruction. Commands come from readline on a terminal, else from\n"
    "stdin or --script FILE; 'help' lists them. In a script an error makes the exit status 1.\n\n"
    "  ringside debug kernel.elf\n"
    "  (ringside) break kmain                  stop there; continue\n"
    "  (ringside) crossing                     run to the next crossing between rings\n"
    "  (ringside) refusal                      run to the next refused check; then: why\n"
    "  (ringside) walk 0xffffffff80001000 x 3  may ring 3 execute there? which entry decides?\n"
    "  printf 'refusal\\nwhy\\n' | ringside debug kernel.elf\n";

static const char teach_rules[] =
    "  ringside rules              every protection check, one a line\n"
    "  ringside rules PG_US        one in full: what it refuses and raises, the manual's\n"
    "                              heading and printing, the features it hangs on, what the\n"
    "                              words of its CHECK events mean, and the tests (guest code)\n"
    "                              that saw it pass and refuse\n"
    "  ringside rules --json       for programs\n";

static const char teach_cpus[] = "  ringside cpus               the models\n"
                                 "  ringside cpus epyc          one with its maker, behaviours and features\n"
                                 "  ringside cpus haswell,-smap what is left without a feature and what needs it\n"
                                 "  ringside cpus --gaps        every place that can give exit status 10\n"
                                 "  ringside cpus --cost-gaps --cost zen3    forms that have no price of their own\n";

/* clang-format off */
static const struct verb verbs[] = {
    {"run",     VERB_RUN,     "IMAGE [options]",   "run a guest headlessly (the default verb)", teach_run, verb_run},
    {"debug",   VERB_DEBUG,   "IMAGE [options]",   "the monitor: step, look, ask why", teach_debug, verb_debug},
    {"rules",   VERB_RULES,   "[ID...] [--json]",  "the catalogue of protection checks", teach_rules, verb_rules},
    {"events",  VERB_EVENTS,  "[KIND...] [--json]", "the catalogue of events", NULL, verb_events},
    {"cpus",    VERB_CPUS,    "[MODEL...] [--json|--gaps|--cost-gaps]", "processor models and their features", teach_cpus, verb_cpus},
    {"version", VERB_VERSION, "[--verbose]",       "versions; with --verbose every default", NULL, verb_version},
    {.name = "view"}, {.name = "why"}, {.name = "walk"}, {.name = "dump"}, {.name = "maps"}, {.name = "replay"},
    {.name = "diff"}, {.name = "inject"}, {.name = "grade"}, {.name = "test"}, {.name = "trace"},
    {.name = "labs"}, {.name = "disasm"},
};
/* clang-format on */
#define VERBS (sizeof verbs / sizeof *verbs)

static void usage(FILE *out, bool full)
{
    fprintf(out, "usage: ringside VERB [options] ...      ringside IMAGE is ringside run IMAGE\n\n");
    for (size_t i = 0; i < VERBS && verbs[i].bit; i++)
        fprintf(out, "  %-8s %-28s %s\n", verbs[i].name, verbs[i].arguments, verbs[i].line);
    if (full) {
        fprintf(out, "\nnot there yet:");
        for (size_t i = 0; i < VERBS; i++)
            if (!verbs[i].bit) fprintf(out, " %s", verbs[i].name);
        fprintf(out, "\n\nAn x86-64 computer in user space that shows every privilege check and every crossing\n"
                     "between user and kernel, with its rule, its inputs and its price. Start with:\n\n"
                     "  ringside run build/release/guestos/ringside-guest.elf --trace crossing,refused\n");
    }
    fprintf(out, "\nringside VERB --help teaches a verb by examples; --version says which this is.\n");
}

static const struct verb *verb_find(const char *name)
{
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(verbs[i].name, name) == 0) return &verbs[i];
    return NULL;
}

/* A mistyped verb is told apart from an image that cannot be opened. */
static bool mistyped(const char *word)
{
    FILE *file = fopen(word, "rb");

    if (file) {
        fclose(file);
        return false;
    }
    for (size_t i = 0; i < VERBS; i++) {
        if (strpbrk(word, "./") || text_distance(word, verbs[i].name) > 1) continue;
        fprintf(stderr, "ringside: no verb and no file '%s': did you mean %s?\n", word, verbs[i].name);
        return true;
    }
    return false;
}

static int start(const struct verb *verb, int argc, char **argv)
{
    struct settings *s = calloc(1, sizeof *s);

    if (!s) return EXIT_HOST;
    int status = options_parse(verb, argc, argv, s);

    if (status < 0 && (s->help_short || s->help_full)) {
        options_help(verb, s->help_full);
        status = EXIT_DONE;
    }
    if (status < 0) status = verb->main(s);
    free(s);
    return status;
}

static int dispatch(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : NULL;

    if (!word) {
        usage(stderr, false);
        return EXIT_USAGE;
    }
    if (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0) {
        usage(stdout, word[1] == '-');
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) word = "version";
    const struct verb *verb = verb_find(word);

    if (!verb) return mistyped(word) ? EXIT_USAGE : start(&verbs[0], argc - 1, argv + 1);
    if (verb->bit == 0) {
        fprintf(stderr, "ringside: the verb %s is not there yet\n", verb->name);
        return EXIT_GAP;
    }
    return start(verb, argc - 2, argv + 2);
}

int main(int argc, char **argv)
{
    int status = dispatch(argc, argv);

    if (fflush(stdout) != 0 && status == EXIT_DONE) {
        fprintf(stderr, "ringside: stdout: cannot be written\n");
        return EXIT_HOST;
    }
    return status;
}
