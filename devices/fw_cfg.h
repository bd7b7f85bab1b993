/*
 * fw_cfg.h - QEMU's firmware configuration interface, as far as a small kernel asks: is it there, how
 * much RAM, how many processors. Items that are not here read as zero.
 *
 * Registers: 0 = selector (port 0x510, 16 bits, write only), 1 = data (0x511, bytes in order).
 * Manual: QEMU "QEMU Firmware Configuration (fw_cfg) Device".
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include "devices/device.h"

STATE_BEGIN
struct fw_cfg_state {
    uint64_t ram_bytes;
    uint16_t cpus;
    uint16_t key;
    uint32_t offset; /**< of the next byte of the selected item */
};
STATE_END

struct fw_cfg {
    struct fw_cfg_state s;
    struct device_wires w;
};

extern const struct device_ops fw_cfg_ops;

void fw_cfg_configure(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus);

#endif
