/*
 * debugdoors.h - the ports by which a guest speaks to whoever runs it, and the board's own few:
 * debug console, debug exit, power-off, POST code, reset control, fast A20.
 *
 *     register (DOOR_*)  ports            what
 *     CONSOLE            0xE9             a byte written goes to channel 4; reads 0xE9
 *     EXIT      +0..3    0xF4..0xF7       8, 16 or 32 bits written at 0xF4: the guest's verdict
 *     SHUTDOWN           0x8900           the bytes "Shutdown" one after another: power off
 *     POST               0x80             POST code, kept and read back
 *     FAST              0x92             bit 1 = A20, bit 0 going to 1 = reset
 *     RESET     +0..3    0xCF8..0xCFB     a byte at 0xCF9: bit 2 going to 1 = reset. (A dword at 0xCF8
 *                                         is PCI's and nobody's here.)
 *     PM        +0..1    0x604, 0x605     PM1a control: SLP_EN with SLP_TYP 0 = power off (S5 of
 *                                         QEMU's PC)
 */
#ifndef DEVICES_DEBUGDOORS_H
#define DEVICES_DEBUGDOORS_H

#include "devices/device.h"

#define DOOR_CHANNEL 4u /* of the console */

enum door {
    DOOR_CONSOLE = 0,
    DOOR_EXIT = 4,
    DOOR_SHUTDOWN = 8,
    DOOR_POST = 12,
    DOOR_FAST = 16,
    DOOR_RESET = 20,
    DOOR_PM = 24
};

STATE_BEGIN
struct debugdoors_state {
    uint16_t pm1_control;
    uint8_t post;
    uint8_t port92;
    uint8_t reset_control;
    uint8_t shutdown_at; /**< how many letters of "Shutdown" have come */
};
STATE_END

struct debugdoors {
    struct debugdoors_state s;
    struct device_wires w;
};

extern const struct device_ops debugdoors_ops;

/** The A20 gate was moved by somebody else: port 0x92 reads so. */
void debugdoors_a20(struct debugdoors *d, bool on);

#endif
