/*
 * ledger.h - what each crossing cost: totals, one row per (kind, number), and the CROSS, RETURN and
 * BILL events when somebody listens.
 *
 * An inward crossing opens a frame; the return closes it. While a frame is the innermost one, c->bill
 * points at its row, so charges are booked where they belong as they are made and nothing is copied.
 * Every delivery and return is announced (begin): what it costs is kept apart until it has succeeded.
 * Nested crossings (a page fault inside a system call)
 * form a stack per CPU, 64 deep; when it is full the oldest frame is forgotten.
 *
 * Which return closes which frame? Only levels are looked at, so a kernel may switch stacks:
 *   - a return to ring t closes the innermost frame that came from ring t, and before it every frame
 *     nested inside that came from a ring further in: nobody can return to those any more;
 *   - a return that finds no frame from ring t (the first IRET to a new process; a return inside the
 *     kernel that belongs to a process switched away from earlier) closes nothing.
 * So a frame from ring 3 always lasts until the next return to ring 3, whichever process returns:
 * after a context switch the time belongs to the crossing that entered the kernel.
 *
 * Rows and crossing_ticks are exclusive: a nested crossing's share is its own row's, so that rows add
 * up. RETURN events and their bills are inclusive, from entry to return.
 * `user` and `kernel` are instruction time by CPL: what has elapsed there minus dynamic charges.
 * Manual: docs/COSTS.md, "The ledger".
 */
#ifndef EMU_LEDGER_H
#define EMU_LEDGER_H

#include "cpu/state.h"
#include "ringside/ringside.h"

#define LEDGER_DEPTH 64u
#define LEDGER_SLOTS 128u
#define LEDGER_CPUS_MAX 8u
#define LEDGER_NUMBERS 512u /* numbers below have a place of their own */
#define LEDGER_LARGE 64u    /* as many larger ones; the rest share LEDGER_OTHER */
#define LEDGER_OTHER UINT32_MAX
#define LEDGER_ROWS (RS_X_COUNT * (LEDGER_NUMBERS + 1) + LEDGER_LARGE + 1)

/** A reading of everything that is summed up. */
struct ledger_sums {
    uint64_t ticks, insns, tlb_misses;
    uint64_t dynamic;                /* sum over category; the rest of ticks is instruction time */
    uint64_t category[RS_CAT_COUNT]; /* user and kernel unused */
};

struct ledger_frame {
    struct rs_ledger_row *row;
    uint64_t ticks, insns, tlb_misses, dynamic; /* its own so far, nested crossings excluded */
    uint64_t head;             /* seq of the CROSS event, 0 if none was emitted */
    uint32_t number;
    uint8_t how, from_cpl;
    bool has_start;            /* somebody listened when it began */
    struct ledger_sums start;
};

/** One CPU's open crossings: frame[top - depth .. top - 1], modulo LEDGER_SLOTS. Time since the mark
 *  belongs to the innermost, or, once a delivery has begun, to the frame that it will open. */
struct ledger_stack {
    bool has_begun;
    unsigned top, depth;
    struct { uint64_t ticks, insns, tlb_misses, dynamic; } mark;
    struct ledger_frame outside;     /* what is spent in no crossing; row 0 */
    uint64_t pending[RS_CAT_COUNT];  /* charges since begin: whose they are shows at enter */
    struct ledger_sums begun;        /* as it began; only if somebody listens */
    uint64_t static_last; /* instruction time up to the last crossing */
    uint64_t static_ticks[4]; /* and how much of it at each CPL */
    struct ledger_frame frame[LEDGER_SLOTS];
};

struct ledger {
    struct crossing_wire wire; /* what CPUs hold; ctx is this struct */
    unsigned cpus;
    struct ledger_stack *stack; /* one per CPU */
    uint64_t crossings[RS_X_COUNT], crossing_ticks[RS_X_COUNT];
    uint64_t unmatched; /* returns that closed nothing */
    struct rs_ledger_row *row; /* LEDGER_ROWS of them, touched as needed; row 0: outside any crossing */
    unsigned rows;
    uint16_t index[RS_X_COUNT][LEDGER_NUMBERS]; /* row of (how, number), 0 = none yet */
    struct { uint8_t how; uint32_t number; uint16_t row; } large[LEDGER_LARGE + RS_X_COUNT];
    unsigned larges;
};

/** False if the host has no memory. */
bool ledger_init(struct ledger *l, unsigned cpus);
void ledger_free(struct ledger *l);
/** From now on the CPU's charges go to these books. */
void ledger_attach(struct ledger *l, struct cpu *c);
/** Forget open crossings (the CPU was reset); sums stay. */
void ledger_forget(struct ledger *l);

/** Totals of all CPUs given (c[0] .. c[n-1]), of out->struct_size bytes. RS_E_ARG if that is wrong. */
rs_status ledger_read(const struct ledger *l, const struct cpu *const *c, unsigned n,
                      struct rs_ledger *out);
/** Row by index in order of (how, number); false past the end. */
bool ledger_row(const struct ledger *l, unsigned index, struct rs_ledger_row *out);

#endif
