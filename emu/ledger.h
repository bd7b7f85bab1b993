/*
 * ledger.h - what each crossing cost: totals, one row per (kind, number), and the CROSS, RETURN and
 * BILL events when somebody listens.
 *
 * An inward crossing opens a frame: a snapshot of time, instructions, TLB misses and categories taken
 * as the delivery began. The return closes it. Nested crossings (a page fault inside a system call)
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

/** A reading of everything that is summed up. */
struct ledger_sums {
    uint64_t ticks, insns, tlb_misses;
    uint64_t dynamic;                /* sum over category; the rest of ticks is instruction time */
    uint64_t category[RS_CAT_COUNT]; /* user and kernel unused */
};

struct ledger_frame {
    struct ledger_sums start;
    struct ledger_sums nested; /* of crossings inside; valid if has_nested */
    uint64_t head;             /* seq of the CROSS event, 0 if none was emitted */
    uint32_t number;
    uint16_t row;
    uint8_t how, from_cpl;
    bool has_nested;
};

/** One CPU's open crossings: frame[top - depth .. top - 1], modulo LEDGER_SLOTS. The slot above them
 *  takes the snapshot of a delivery or return that has begun. */
struct ledger_stack {
    bool has_begun;
    unsigned top, depth;
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
    struct rs_ledger_row *row; /* row 0 is a bin for when the host has no memory */
    unsigned rows, room;
    uint16_t index[RS_X_COUNT][LEDGER_NUMBERS]; /* row of (how, number), 0 = none yet */
    struct { uint8_t how; uint32_t number; uint16_t row; } large[LEDGER_LARGE + RS_X_COUNT];
    unsigned larges;
};

/** False if the host has no memory. */
bool ledger_init(struct ledger *l, unsigned cpus);
void ledger_free(struct ledger *l);
/** Forget open crossings (the CPU was reset); sums stay. */
void ledger_forget(struct ledger *l);

/** Totals of all CPUs given (c[0] .. c[n-1]), of out->struct_size bytes. RS_E_ARG if that is wrong. */
rs_status ledger_read(const struct ledger *l, const struct cpu *const *c, unsigned n,
                      struct rs_ledger *out);
/** Row by index in order of (how, number); false past the end. */
bool ledger_row(const struct ledger *l, unsigned index, struct rs_ledger_row *out);

#endif
