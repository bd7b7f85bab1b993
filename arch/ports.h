/*
 * ports.h - the wires: structs of function pointers by which cpu/ and devices/ reach the rest of
 * the machine without seeing it. emu/ connects them.
 *
 * Time on every wire is in ticks: 1/64 of a core cycle (cycle-model.md, "One integer counter").
 */
#ifndef ARCH_PORTS_H
#define ARCH_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#define TICKS_PER_CYCLE 64u

struct rs_event;

/** The memory-mapped and port buses as a CPU or a DMA master sees them. n is 1, 2, 4 or 8 bytes
 *  (ports: 1, 2, 4). Absent addresses read as all ones, writes to them vanish. */
struct bus_wire {
    void *ctx;
    uint64_t (*mmio_read)(void *ctx, unsigned cpu, uint64_t phys, unsigned n);
    void (*mmio_write)(void *ctx, unsigned cpu, uint64_t phys, unsigned n, uint64_t value);
    uint32_t (*io_read)(void *ctx, unsigned cpu, uint16_t port, unsigned n);
    void (*io_write)(void *ctx, unsigned cpu, uint16_t port, unsigned n, uint32_t value);
};

/** One interrupt (or reset, A20, speaker ...) line: level-driven by its owner. */
struct line_wire {
    void *ctx;
    void (*set)(void *ctx, unsigned line, bool level);
};

/** Interrupt acknowledge: the CPU asks the 8259 pair for the vector (INTA cycle). */
struct inta_wire {
    void *ctx;
    uint8_t (*acknowledge)(void *ctx);
};

/** The machine clock and its alarms. A source has one alarm; arming again replaces it.
 *  UINT64_MAX disarms. The alarm fires at the first instruction boundary at or after `when`. */
struct clock_wire {
    void *ctx;
    uint64_t (*now)(void *ctx);
    void (*arm)(void *ctx, unsigned source, uint64_t when);
    uint64_t hz; /**< core cycles per virtual second */
};

/** Where events go. `mask` has one bit per event kind (include/ringside/events.def); nothing is
 *  built for a kind whose bit is clear. The sink fills in seq. */
struct event_wire {
    void *ctx;
    uint64_t mask;
    uint64_t (*emit)(void *ctx, struct rs_event *ev); /**< returns the event's seq */
};

/** Bytes that leave the machine (serial ports, the 0xE9 door). */
struct byte_wire {
    void *ctx;
    void (*put)(void *ctx, unsigned channel, uint8_t byte);
};

/** Requests to the machine from a device: why it should stop or reset. */
enum machine_request {
    REQ_GUEST_EXIT,  /**< debug-exit door; value = what was written */
    REQ_POWER_OFF,   /**< 0x8900 "Shutdown", ACPI power-off */
    REQ_RESET,       /**< keyboard controller or port 0x92/0xcf9 reset */
    REQ_GUEST_PANIC, /**< panic door */
    REQ_A20          /**< value = new state of the A20 gate */
};
struct request_wire {
    void *ctx;
    void (*request)(void *ctx, enum machine_request what, uint64_t value);
};

#endif
