/*
 * cmos.h - the PC's MC146818 real-time clock and its battery-backed RAM.
 *
 * Registers: 0 = index (port 0x70), 1 = data (0x71). The interrupt line is IRQ8. Time is the epoch the
 * machine was given plus its own clock, counted by a 32,768 Hz crystal; it never asks the host.
 * Manual: Motorola MC146818 data sheet, "Time, Calendar and Alarm Locations", "Registers", "Update Cycle".
 */
#ifndef DEVICES_CMOS_H
#define DEVICES_CMOS_H

#include "devices/device.h"

#define CMOS_HZ 32768u
#define CMOS_BYTES 128u

STATE_BEGIN
struct cmos_state {
    uint64_t base;           /**< the pulse of the crystal at which `seconds` began */
    uint64_t seconds;        /**< since the start of the year 0 (Gregorian) */
    uint64_t seen;           /**< the pulse up to which the flags of register C are worked out */
    uint8_t ram[CMOS_BYTES]; /**< time bytes count only while updates are stopped */
    uint8_t index;
    uint8_t flags;       /**< register C without IRQF */
    uint8_t weekday_off; /**< how far the day of the week is set off from the calendar's, 0..6 */
    uint8_t irq;
    uint8_t unused[4];
};
STATE_END

struct cmos {
    struct cmos_state s;
    struct device_wires w;
};

extern const struct device_ops cmos_ops;

/** As the factory and the firmware leave it: the time, in BCD and 24 hours, and the sizes.
 *  @epoch      seconds since 1970, now (capped at the year 9999)
 *  @low, @high bytes of RAM below 4 GiB (the hole at 640 KiB counted) and from 4 GiB up */
void cmos_configure(struct cmos *c, uint64_t epoch, uint64_t low, uint64_t high, unsigned cpus);

#endif
