/*
 * lapic.h - the local APIC, part of the processor: what reaches the core of timers, other processors
 * and the 8259's INTR, and in which order.
 *
 * The core asks at its boundaries: lapic_intr() is one load. It is true if lapic_pending_vector() >= 0
 * (take lapic_accept()) or, when that is -1, if the 8259 asks through LINT0 (take the INTA wire's
 * vector). The page at IA32_APIC_BASE is found by lapic_at() and read by lapic_read() without passing
 * the bus. It holds wires only: core signals, clock, other APICs.
 * Not here yet: x2APIC, TSC-deadline, CMCI (CPUID must not report them).
 * Manual: SDM 3A "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef CPU_LAPIC_H
#define CPU_LAPIC_H

#include "arch/ports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAPIC_BASE_DEFAULT 0xfee00000ull
#define LAPIC_BASE_BSP (1ull << 8)
#define LAPIC_BASE_X2APIC (1ull << 10)
#define LAPIC_BASE_ENABLE (1ull << 11)
#define LAPIC_PAGE 4096u

/** What the APIC tells its core. */
enum lapic_signal {
    LAPIC_INTR, /**< value = the new level of lapic_intr() */
    LAPIC_NMI,  /**< one has arrived */
    LAPIC_INIT,
    LAPIC_STARTUP /**< value = the vector of a SIPI */
};

/** Interrupt command, as it travels between APICs. */
struct lapic_ipi {
    uint8_t vector;
    uint8_t mode;      /**< delivery mode, ICR bits 10..8 */
    uint8_t shorthand; /**< ICR bits 19..18 */
    uint8_t dest;
    bool logical;
};

struct lapic_wires {
    void *core;
    void (*signal)(void *core, enum lapic_signal what, unsigned value);
    struct clock_wire clock;
    unsigned source;      /**< its alarm; calls lapic_timer_alarm */
    bool absent;          /**< the processor has none: it stays switched off */
    uint64_t timer_ticks; /**< machine ticks per pulse of the timer's clock, before its divider */
    void *bus;            /**< the other APICs; may be NULL */
    void (*send)(void *bus, unsigned from, const struct lapic_ipi *ipi); /**< to all others */
    void (*eoi)(void *bus,
                uint8_t vector); /**< end of a level-triggered interrupt, for the I/O APIC */
};

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERF, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_COUNT };

/** What a snapshot saves and a hash reads: no pointer, no padding, no running counter. */
#pragma GCC diagnostic push
#pragma GCC diagnostic error "-Wpadded"
struct lapic_state {
    uint64_t base;        /**< IA32_APIC_BASE */
    uint64_t timer_start; /**< the timer-clock pulse at which `timer_first` counts were left */
    uint32_t irr[8], isr[8], tmr[8]; /**< vector v is bit v % 32 of word v / 32 */
    uint32_t lvt[LVT_COUNT];
    uint32_t tpr, ldr, dfr, svr;
    uint32_t errors, esr; /**< gathered; as latched by the last write of ESR */
    uint32_t icr_low, icr_high;
    uint32_t timer_initial, timer_first, timer_divide;
    uint8_t timer_running;
    uint8_t id;
    uint8_t lint[2]; /**< levels of the pins */
};
#pragma GCC diagnostic pop

struct lapic {
    struct lapic_state s;
    struct lapic_wires w;
    /* derived from s */
    uint64_t page; /* where its registers are, an impossible address when disabled */
    int vector;    /* the highest deliverable one, -1 if none */
    bool intr;
};

/** Connect and reset. @id: the APIC ID; 0 is the bootstrap processor. */
void lapic_init(struct lapic *l, unsigned id, const struct lapic_wires *wires);
/** RESET. The bootstrap processor's LINT0 is left as firmware leaves it: ExtINT, unmasked. */
void lapic_reset(struct lapic *l);
/** INIT: as RESET, but ID and IA32_APIC_BASE stay. */
void lapic_init_signal(struct lapic *l);
/** Take over a saved state. */
void lapic_restore(struct lapic *l, const struct lapic_state *state);
/** Feed the state as it is now; changes nothing. */
void lapic_hash(const struct lapic *l, void *ctx,
                void (*put)(void *ctx, const void *bytes, size_t n));

/* ---- the core's side ------------------------------------------------------------------------------ */

/** Does anything ask for an interrupt? */
static inline bool lapic_intr(const struct lapic *l) { return l->intr; }
/** The highest vector that may be delivered now, -1 if none. */
static inline int lapic_pending_vector(const struct lapic *l) { return l->vector; }
/** Does the 8259's INTR come through? (LINT0 as ExtINT, or the APIC switched off.) */
bool lapic_extint(const struct lapic *l);
/** The core takes `vector`: it goes into service. Returns it, or the spurious vector if it may no
 *  longer be delivered. */
uint8_t lapic_accept(struct lapic *l, uint8_t vector);
/** CR8 is the upper half of the task priority. */
static inline uint64_t lapic_cr8(const struct lapic *l) { return l->s.tpr >> 4; }
void lapic_set_cr8(struct lapic *l, uint64_t cr8);

static inline bool lapic_is_enabled(const struct lapic *l) { return l->s.base & LAPIC_BASE_ENABLE; }
/** lapic_base_judge - no reserved bit of IA32_APIC_BASE is set; x2APIC's is one. SDM 3A "Local APIC Status and Location". */
bool lapic_base_judge(uint64_t value, unsigned maxphyaddr);
/** IA32_APIC_BASE; false (#GP) if reserved bits are set, nothing is changed then. */
bool lapic_base_write(struct lapic *l, uint64_t value, unsigned maxphyaddr);
static inline uint64_t lapic_base_read(const struct lapic *l) { return l->s.base; }

/** Is this physical address one of its registers? */
static inline bool lapic_at(const struct lapic *l, uint64_t phys)
{
    return (phys ^ l->page) < LAPIC_PAGE;
}
/** Registers at offsets 0..0xfff, on 16-byte boundaries, 32 bits wide. */
uint64_t lapic_read(struct lapic *l, unsigned offset, unsigned n);
void lapic_write(struct lapic *l, unsigned offset, unsigned n, uint64_t value);

/* ---- the machine's side ---------------------------------------------------------------------------- */

/** Its alarm has gone off. */
void lapic_timer_alarm(struct lapic *l);
/** LINT0 (the 8259's INTR) or LINT1 (NMI) has a new level. */
void lapic_lint(struct lapic *l, unsigned pin, bool level);
/** A command from another APIC, or a message from an I/O APIC: taken if it is meant for this one. */
void lapic_receive(struct lapic *l, const struct lapic_ipi *ipi, bool level_triggered);
/** Is this APIC among the destinations? */
bool lapic_is_addressed(const struct lapic *l, const struct lapic_ipi *ipi);
/** Could the timer, as it is armed now, raise an interrupt that would be delivered? */
bool lapic_may_wake(const struct lapic *l);
/** Would a rise of the 8259's INTR, now, reach the core? */
bool lapic_lint0_passes(const struct lapic *l);

#endif
