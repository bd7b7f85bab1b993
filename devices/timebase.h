/*
 * timebase.h - a crystal's clock as an exact function of the machine's: no accumulated ticks, no
 * rounding that depends on when somebody looks. Pure.
 *
 *     count(tick) = floor(tick * rate / (64 * hz))      pulses a crystal of `rate` Hz has given
 *     tick(count) = ceil(count * 64 * hz / rate)        the first tick at which it has given that many
 *
 * so count(tick(n)) >= n and count(tick(n) - 1) < n.
 */
#ifndef DEVICES_TIMEBASE_H
#define DEVICES_TIMEBASE_H

#include "arch/ports.h"

#include <stdint.h>

__extension__ typedef unsigned __int128 timebase_wide;

#define TIMEBASE_NEVER UINT64_MAX

/** Pulses given by a crystal of `rate` Hz when the core clock runs at `hz`. */
static inline uint64_t timebase_count(uint64_t tick, uint32_t rate, uint64_t hz)
{
    return (uint64_t)((timebase_wide)tick * rate / ((timebase_wide)hz * TICKS_PER_CYCLE));
}

/** The first tick at which `count` pulses have been given; TIMEBASE_NEVER if beyond all time. */
static inline uint64_t timebase_tick(uint64_t count, uint32_t rate, uint64_t hz)
{
    if (count == TIMEBASE_NEVER) return TIMEBASE_NEVER;
    timebase_wide ticks =
        ((timebase_wide)count * ((timebase_wide)hz * TICKS_PER_CYCLE) + rate - 1) / rate;

    return ticks < TIMEBASE_NEVER ? (uint64_t)ticks : TIMEBASE_NEVER;
}

#endif
