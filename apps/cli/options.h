/*
 * options.h - the command line as data: one row per option, one struct for what was said.
 *
 * Long options only, "--name value" or "--name=value"; "--" ends them. An option that interfaces.md
 * promises and that is not there yet is a row too: it answers with exit status 10.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIST_MAX 64u

struct list {
    unsigned count;
    const char *item[LIST_MAX];
};

struct number {
    bool given;
    uint64_t value;
};

enum { VERB_RUN = 1u, VERB_DEBUG = 2u, VERB_RULES = 4u, VERB_EVENTS = 8u, VERB_CPUS = 16u, VERB_VERSION = 32u };
#define VERB_MACHINE (VERB_RUN | VERB_DEBUG)
#define VERB_CATALOGUE (VERB_RULES | VERB_EVENTS | VERB_CPUS)

/* indices into the choices of their rows */
enum { CHOICE_OFF = 0, CHOICE_ON = 1 };
enum { FLAT_64 = 0, FLAT_32 = 1, FLAT_16 = 2 };
enum { FORMAT_TEXT = 0, FORMAT_JSONL = 1 };

/** What a command line said; what was not said is zero or NULL. */
struct settings {
    struct list words; /* what is no option: IMAGE, rule ids ... */
    bool help_short, help_full;
    /* the machine */
    const char *append, *initrd, *bios, *cpu, *cost, *serial, *input;
    struct list modules, symbols;
    struct number load, entry, mem, smp, hz, seed, epoch, ram_budget, block_cap;
    unsigned flat_mode, engine, on_reset, on_triple_fault;
    struct number tier, pace;
    bool magic_break;
    /* watching */
    const char *trace, *trace_out, *trace_from, *trace_to, *result;
    const char *rule_coverage; /* NULL not asked for, "" on stderr, else a file */
    unsigned trace_format;
    bool ledger;
    /* limits */
    struct number max_insns, max_cycles, max_wall, max_log;
    struct number exit_compat;
    /* debug */
    const char *script;
    /* catalogues */
    bool json, gaps, cost_gaps, verbose;
};

struct verb {
    const char *name;
    unsigned bit; /* 0: promised, not there yet */
    const char *arguments;
    const char *line;   /* what it does, in one line */
    const char *teach;  /* the rest of --help full, with examples */
    int (*main)(const struct settings *s);
};

/** Read argv[0..argc) into *s; on failure prints one line with a hint and returns an exit status, else
 *  -1 (go on). */
int options_parse(const struct verb *verb, int argc, char **argv, struct settings *s);
/** `full`: with examples and the longer list. */
void options_help(const struct verb *verb, bool full);

#endif
