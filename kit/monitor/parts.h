/*
 * parts.h - what the monitor's files share.
 */
#ifndef KIT_MONITOR_PARTS_H
#define KIT_MONITOR_PARTS_H

#include "kit/monitor/monitor.h"

#define MONITOR_ARGS_MAX 6u
#define MONITOR_RING 1024u

struct monitor {
    rs_machine *m;
    monitor_print_fn print;
    void *ctx;
    unsigned observer;
    uint64_t stop_on;       /* kinds that end the run */
    struct rs_event found;  /* the event that ended it, kind RS_EV_COUNT if none */
    struct rs_stop_info stop;
    uint64_t seen;          /* events put into the ring so far */
    struct rs_event ring[MONITOR_RING];
};

/** One command: arguments are words after its name. */
struct command {
    const char *name, *shorthand, *arguments;
    unsigned least, most; /* how many arguments */
    bool (*run)(struct monitor *mon, unsigned argc, char **argv);
    const char *help;
};

void say(struct monitor *mon, const char *format, ...) __attribute__((format(printf, 2, 3)));
/** Say one line that begins with "error: "; returns false. */
bool complain(struct monitor *mon, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** ADDR: terms joined by + and -, each a number (0x for hexadecimal), a register, or a symbol. */
bool address_parse(struct monitor *mon, const char *text, uint64_t *value);
bool count_parse(struct monitor *mon, const char *text, uint64_t *value);
/** "0x1234 <name+0x4>" */
const char *address_text(const struct monitor *mon, uint64_t address, char out[160]);

/* run.c */
bool command_step(struct monitor *mon, unsigned argc, char **argv);
bool command_crossing(struct monitor *mon, unsigned argc, char **argv);
bool command_refusal(struct monitor *mon, unsigned argc, char **argv);
bool command_continue(struct monitor *mon, unsigned argc, char **argv);
bool command_nmi(struct monitor *mon, unsigned argc, char **argv);
bool command_mce(struct monitor *mon, unsigned argc, char **argv);
bool command_break(struct monitor *mon, unsigned argc, char **argv);
bool command_delete(struct monitor *mon, unsigned argc, char **argv);
/* look.c */
bool command_regs(struct monitor *mon, unsigned argc, char **argv);
bool command_mem(struct monitor *mon, unsigned argc, char **argv);
bool command_phys(struct monitor *mon, unsigned argc, char **argv);
bool command_disassemble(struct monitor *mon, unsigned argc, char **argv);
bool command_hash(struct monitor *mon, unsigned argc, char **argv);
bool command_symbol(struct monitor *mon, unsigned argc, char **argv);
/* explain.c */
bool command_walk(struct monitor *mon, unsigned argc, char **argv);
bool command_why(struct monitor *mon, unsigned argc, char **argv);
bool command_events(struct monitor *mon, unsigned argc, char **argv);
bool command_ledger(struct monitor *mon, unsigned argc, char **argv);
bool command_rule(struct monitor *mon, unsigned argc, char **argv);

/** Where the CPU is: address, ring and the instruction there, in one line. */
void say_where(struct monitor *mon);

#endif
