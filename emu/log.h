/*
 * log.h - an event as one line: readable text, or a JSON object.
 *
 * Pure: an event, its context (names for addresses) and a buffer. Rule statements, manual headings and
 * the names of vectors, registers, MSRs and devices are added here, never stored in events.
 * Text lines are sentences with a fixed beginning, so that grep and awk find their way:
 *   cycle N cpuN ringN RIP <symbol+offset>  KIND ...
 * JSON keys are stable and described by docs/events.schema.json. Cycles are ticks / 64.
 */
#ifndef EMU_LOG_H
#define EMU_LOG_H

#include <stdarg.h>

#include "ringside/ringside.h"

#define LOG_LINE_MAX 1024u /* no line is longer */
#define LOG_NAME_MAX 128u

/** Names for addresses. find may be NULL: no names. */
struct symbol_wire {
    const void *ctx;
    const char *(*find)(const void *ctx, uint64_t address, uint64_t *offset);
};

struct log_context {
    struct symbol_wire symbols;
};

/** Render one event with its newline; returns the length of what is in out (at most size - 1). */
size_t log_format(const struct log_context *context, const struct rs_event *event,
                  enum rs_log_format format, char *out, size_t size);
/** The first line of a log, with its newline; "" for text. */
const char *log_header(enum rs_log_format format);

/* ---- for log_text.c and log_json.c ----------------------------------------------------------------- */

/** Text that grows into a buffer and is cut at its end. */
struct line {
    char *out;
    size_t size, n;
};
void line_add(struct line *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void line_put(struct line *l, const char *bytes, size_t n);
/** Ticks as cycles: "212", "12.5": exact, no trailing zeros. */
void line_cycles(struct line *l, uint64_t ticks);
/** The symbol at or before an address, cut to fit; what is not printable ASCII becomes '?', so that an
 *  image cannot write to a terminal or break a line. NULL if there is none. */
const char *line_name(const struct log_context *context, uint64_t address, uint64_t *offset, char *out,
                      size_t size);
/** "<name+0x12>" with a space before it, nothing without a name. */
void line_symbol(struct line *l, const struct log_context *context, uint64_t address);

void log_text(struct line *l, const struct log_context *context, const struct rs_event *e);
void log_json(struct line *l, const struct log_context *context, const struct rs_event *e);

/* ---- names (log_names.c); all return a string for every argument ------------------------------------- */

const char *name_access(unsigned kind);       /* read, write, fetch */
const char *name_table(unsigned level);       /* PML4, PDPT, PD, PT */
const char *name_fault_class(unsigned klass); /* fault, trap, software, icebp, external, nmi */
const char *name_flush(unsigned reason);
const char *name_device(unsigned device);
const char *name_request(unsigned what);
const char *name_segment(unsigned seg);
const char *name_msr(uint32_t msr); /* NULL if unknown */
/** Name of a control-register bit, NULL if it has none. */
const char *name_cr_bit(unsigned cr, unsigned bit);

/** The fault a refusal raises, unpacked from CHECK's word (the same packing in SHUTDOWN's words). */
struct packed_fault {
    unsigned vector;
    uint32_t error;
    bool has_error;
};
struct packed_fault unpack_fault(uint64_t word);

/** CROSS's levels word. */
struct packed_levels {
    unsigned from, to;
    bool inward;
    bool idt, trap_gate, rsp; /* through the IDT; which gate; onto RSPn (ESPn) of the TSS */
    unsigned ist;             /* onto ISTn, 0: none */
    uint64_t walk, refill; /* ticks */
};
struct packed_levels unpack_levels(uint64_t word);
/** "RSP0", "IST2", "current": the stack of a delivery. */
const char *name_stack(const struct packed_levels *p, char out[8]);

#endif
