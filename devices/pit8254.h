/*
 * pit8254.h - the PC's 8254 interval timer, three channels at 1,193,182 Hz, and port 0x61 beside it.
 *
 * Registers: 0..2 = counters, 3 = control word (ports 0x40..0x43); 4 = port 0x61 (gate and output of
 * channel 2, speaker, refresh toggle). Channel 0's OUT is the interrupt line; its gate and channel 1's
 * are tied high.
 * Counters never tick here: a counting element is a function of its state and of the clock, exact to
 * the pulse. Manual: Intel 8254 data sheet, "Programming the 8254", "Mode Definitions".
 */
#ifndef DEVICES_PIT8254_H
#define DEVICES_PIT8254_H

#include "devices/device.h"

#define PIT_HZ 1193182u
#define PIT_CHANNELS 3u

/** One channel. Moments are counted in pulses of the PIT's clock since the machine began. */
STATE_BEGIN
struct pit_channel {
    uint64_t base; /**< the pulse at which `elapsed` pulses of `count` had gone by */
    uint64_t elapsed;
    uint64_t switch_at; /**< when `next` takes over from `count`; UINT64_MAX = not due */
    uint32_t count;     /**< what was loaded, 1..65536; 0 = nothing since the control word */
    uint32_t next;      /**< the count register: loaded by the next trigger or reload; 0 = none */
    uint16_t held;      /**< what the counter reads while nothing is loaded */
    uint16_t latched;   /**< by a counter latch or read-back command */
    uint8_t mode;       /**< 0..5 */
    uint8_t access;     /**< 1 = low byte, 2 = high byte, 3 = low then high */
    uint8_t bcd;
    uint8_t gate;
    uint8_t running;                 /**< counting; else frozen at `elapsed` */
    uint8_t before;                  /**< level of OUT until `base` */
    uint8_t low;                     /**< the low byte of a two-byte write */
    uint8_t half_written, half_read; /**< the high byte is next */
    uint8_t latch_left;              /**< bytes of `latched` still to be read */
    uint8_t status;
    uint8_t status_latched;
    uint8_t spent; /**< mode 4: frozen in its strobe, which is over since */
    uint8_t unused[7];
};

struct pit8254_state {
    struct pit_channel channel[PIT_CHANNELS];
    uint64_t seen;  /**< the pulse up to which OUT of channel 0 has been put on the line */
    uint8_t port61; /**< bits 0..3 as written */
    uint8_t irq;    /**< level of the interrupt line */
    uint8_t unused[6];
};
STATE_END

struct pit8254 {
    struct pit8254_state s;
    struct device_wires w;
};

extern const struct device_ops pit8254_ops;

/** Pure: OUT and the counting element at a pulse at or after the last change of the channel. */
bool pit_out(const struct pit_channel *ch, uint64_t pulse);
uint16_t pit_counter(const struct pit_channel *ch, uint64_t pulse);
/** The next pulse after `pulse` at which OUT may change, UINT64_MAX if it will not by itself. */
uint64_t pit_next_edge(const struct pit_channel *ch, uint64_t pulse);

#endif
