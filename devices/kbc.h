/*
 * kbc.h - the 8042 keyboard controller, without a keyboard: what kernels probe, A20, reset.
 *
 * Registers: 0 = data (port 0x60), 1 = status and command (0x64).
 * Manual: IBM PS/2 "Keyboard and Auxiliary Device Controller".
 */
#ifndef DEVICES_KBC_H
#define DEVICES_KBC_H

#include "devices/device.h"

STATE_BEGIN
struct kbc_state {
    uint8_t mode;        /**< the command byte: bit 0 = interrupt on output, bit 2 = system flag */
    uint8_t output_port; /**< bit 1 = A20, bit 0 = not reset */
    uint8_t output;      /**< the byte at port 0x60 */
    uint8_t output_full;
    uint8_t pending; /**< the command whose data byte is awaited, 0 = none */
    uint8_t irq;
};
STATE_END

struct kbc {
    struct kbc_state s;
    struct device_wires w;
};

extern const struct device_ops kbc_ops;

/** The A20 gate was moved by somebody else: the output port reads so. */
void kbc_a20(struct kbc *k, bool on);

#endif
