/*
 * device.h - the shape every chip shares: a plain struct that knows its registers and its wires.
 *
 *     struct CHIP { struct CHIP_state s; struct device_wires w; };
 *
 * `s` is all that a snapshot saves and a hash reads: fixed-width fields, no pointer, no padding, and
 * never a running counter: what moves with time is a function of `s` and the clock (timebase.h).
 * `w` is how the chip reaches the rest of the board, which emu/board.c connects. A chip's registers
 * are numbered from 0, through all of its port ranges (the ALSO rows of emu/board.def).
 */
#ifndef DEVICES_DEVICE_H
#define DEVICES_DEVICE_H

#include "arch/ports.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What a chip may hold on to. Wires that a chip does not use stay unconnected (all zero). */
struct device_wires {
    struct clock_wire clock;
    unsigned source; /**< its alarm */
    struct line_wire irq;
    unsigned line; /**< the number it gives its own interrupt line */
    struct byte_wire console;
    unsigned channel;
    struct request_wire request;
};

/** Where canonical state bytes go. */
struct hash_sink {
    void *ctx;
    void (*put)(void *ctx, const void *bytes, size_t n);
};

/** Access widths a chip takes whole, as a set; others reach it byte by byte. */
#define WIDTH_1 1u
#define WIDTH_2 2u
#define WIDTH_4 4u
#define WIDTH_8 8u

/** A chip's entry points; `chip` is the struct CHIP. Entries that a chip has no use for are NULL. */
struct device_ops {
    const char *name;
    unsigned widths; /**< WIDTH_*; 0 = bytes only */
    uint64_t (*read)(void *chip, unsigned cpu, uint32_t reg, unsigned n);
    void (*write)(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value);
    void (*reset)(void *chip);
    void (*alarm)(void *chip); /**< the alarm `w.source` has fired */
    /** Feeds the state as it is now; changes nothing. */
    void (*hash)(const void *chip, const struct hash_sink *sink);
};

/* Around each state struct: the compiler refuses padding, whose bytes would have no defined value. */
#define STATE_BEGIN _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic error \"-Wpadded\"")
#define STATE_END _Pragma("GCC diagnostic pop")

#define DEVICE_ABSENT UINT64_MAX /* a read that nobody answers */

static inline uint64_t wire_now(const struct device_wires *w) { return w->clock.now(w->clock.ctx); }
static inline void wire_arm(const struct device_wires *w, uint64_t when)
{
    w->clock.arm(w->clock.ctx, w->source, when);
}
static inline void wire_irq(const struct device_wires *w, bool level)
{
    w->irq.set(w->irq.ctx, w->line, level);
}
static inline void wire_put(const struct device_wires *w, unsigned channel, uint8_t byte)
{
    if (w->console.put) w->console.put(w->console.ctx, channel, byte);
}
static inline void wire_request(const struct device_wires *w, enum machine_request what,
                                uint64_t value)
{
    w->request.request(w->request.ctx, what, value);
}

#endif
