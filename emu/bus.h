/*
 * bus.h - who answers at a port or at an address outside RAM.
 *
 * A chip that does not take an access's width whole (device_ops.widths) gets it byte by byte, lowest
 * address first. Nobody there: reads are all ones, writes vanish. Pure routing; events are the CPU's.
 */
#ifndef EMU_BUS_H
#define EMU_BUS_H

#include "arch/ports.h"
#include "devices/device.h"

#define BUS_PORTS 65536u
#define BUS_PORT_RANGES 255u
#define BUS_MMIO_RANGES 16u

/** `size` ports or bytes from `base` are the chip's registers from number `reg` on. */
struct bus_range {
    const struct device_ops *ops;
    void *chip;
    uint64_t base, size;
    uint32_t reg;
};

struct bus {
    uint8_t port[BUS_PORTS]; /* 0 = nobody, else index + 1 in port_range */
    struct bus_range port_range[BUS_PORT_RANGES];
    struct bus_range mmio_range[BUS_MMIO_RANGES]; /* in order of base */
    unsigned port_ranges, mmio_ranges;
};

void bus_init(struct bus *b);
/** False if the range is empty, outside the space, overlaps another, or the table is full. */
bool bus_map_ports(struct bus *b, uint32_t base, uint32_t size, const struct device_ops *ops,
                   void *chip, uint32_t reg);
bool bus_map_mmio(struct bus *b, uint64_t base, uint64_t size, const struct device_ops *ops,
                  void *chip, uint32_t reg);
/** Is somebody there? */
bool bus_has_port(const struct bus *b, uint16_t port);
bool bus_has_mmio(const struct bus *b, uint64_t phys);

/** The wire a CPU holds. */
struct bus_wire bus_as_wire(struct bus *b);

#endif
