/*
 * bus.c - routing of port and memory-mapped accesses. Ports go through a table of one byte each (a
 * guest may poll a port a million times); memory ranges are few and found by search.
 */
#include "emu/bus.h"

#include <assert.h>
#include <string.h>

/* All ones in the low n bytes, n = 1..8. */
static uint64_t ones(unsigned n) { return UINT64_MAX >> (64 - 8 * n); }

void bus_init(struct bus *b) { memset(b, 0, sizeof *b); }

bool bus_has_port(const struct bus *b, uint16_t port) { return b->port[port] != 0; }

bool bus_map_ports(struct bus *b, uint32_t base, uint32_t size, const struct device_ops *ops,
                   void *chip, uint32_t reg)
{
    if (size == 0 || base >= BUS_PORTS || size > BUS_PORTS - base ||
        b->port_ranges == BUS_PORT_RANGES)
        return false;
    for (uint32_t p = base; p < base + size; p++)
        if (b->port[p]) return false;
    b->port_range[b->port_ranges++] =
        (struct bus_range){.ops = ops, .chip = chip, .base = base, .size = size, .reg = reg};
    for (uint32_t p = base; p < base + size; p++) b->port[p] = (uint8_t)b->port_ranges;
    return true;
}

bool bus_map_mmio(struct bus *b, uint64_t base, uint64_t size, const struct device_ops *ops,
                  void *chip, uint32_t reg)
{
    unsigned at = 0;

    if (size == 0 || size - 1 > UINT64_MAX - base || b->mmio_ranges == BUS_MMIO_RANGES)
        return false;
    while (at < b->mmio_ranges && b->mmio_range[at].base < base) at++;
    if (at > 0 && base - b->mmio_range[at - 1].base < b->mmio_range[at - 1].size) return false;
    if (at < b->mmio_ranges && b->mmio_range[at].base - base < size) return false;
    for (unsigned i = b->mmio_ranges; i > at; i--) b->mmio_range[i] = b->mmio_range[i - 1];
    b->mmio_range[at] =
        (struct bus_range){.ops = ops, .chip = chip, .base = base, .size = size, .reg = reg};
    b->mmio_ranges++;
    return true;
}

static const struct bus_range *range_of_port(const struct bus *b, uint64_t port)
{
    return port < BUS_PORTS && b->port[port] ? &b->port_range[b->port[port] - 1u] : NULL;
}

static const struct bus_range *range_of_phys(const struct bus *b, uint64_t phys)
{
    for (unsigned i = 0; i < b->mmio_ranges; i++)
        if (phys - b->mmio_range[i].base < b->mmio_range[i].size) return &b->mmio_range[i];
    return NULL;
}

bool bus_has_mmio(const struct bus *b, uint64_t phys) { return range_of_phys(b, phys) != NULL; }

/* Does the chip take n bytes at this address in one access? n may be any of 1..8: what lies in one page of
 * an operand that crosses into the next is one access here. */
static bool takes_whole(const struct bus_range *r, uint64_t address, unsigned n)
{
    bool power = (n & (n - 1)) == 0;

    return r && power && ((r->ops->widths | WIDTH_1) & n) != 0 && address - r->base + n <= r->size;
}

static uint64_t range_read(const struct bus_range *r, unsigned cpu, uint64_t address, unsigned n)
{
    if (!r || !r->ops->read) return ones(n);
    return r->ops->read(r->chip, cpu, r->reg + (uint32_t)(address - r->base), n) & ones(n);
}

static void range_write(const struct bus_range *r, unsigned cpu, uint64_t address, unsigned n,
                        uint64_t value)
{
    if (r && r->ops->write)
        r->ops->write(r->chip, cpu, r->reg + (uint32_t)(address - r->base), n, value & ones(n));
}

typedef const struct bus_range *range_finder(const struct bus *b, uint64_t address);

static uint64_t route_read(const struct bus *b, range_finder *find, unsigned cpu, uint64_t address,
                           unsigned n)
{
    const struct bus_range *r = find(b, address);
    uint64_t value = 0;

    assert(n >= 1 && n <= 8);
    if (takes_whole(r, address, n)) return range_read(r, cpu, address, n);
    for (unsigned i = 0; i < n; i++)
        value |= range_read(find(b, address + i), cpu, address + i, 1) << (8 * i);
    return value;
}

static void route_write(const struct bus *b, range_finder *find, unsigned cpu, uint64_t address,
                        unsigned n, uint64_t value)
{
    const struct bus_range *r = find(b, address);

    assert(n >= 1 && n <= 8);
    if (takes_whole(r, address, n)) {
        range_write(r, cpu, address, n, value);
        return;
    }
    for (unsigned i = 0; i < n; i++)
        range_write(find(b, address + i), cpu, address + i, 1, value >> (8 * i));
}

static uint64_t mmio_read(void *ctx, unsigned cpu, uint64_t phys, unsigned n)
{
    return route_read(ctx, range_of_phys, cpu, phys, n);
}

static void mmio_write(void *ctx, unsigned cpu, uint64_t phys, unsigned n, uint64_t value)
{
    route_write(ctx, range_of_phys, cpu, phys, n, value);
}

static uint32_t io_read(void *ctx, unsigned cpu, uint16_t port, unsigned n)
{
    return (uint32_t)route_read(ctx, range_of_port, cpu, port, n);
}

static void io_write(void *ctx, unsigned cpu, uint16_t port, unsigned n, uint32_t value)
{
    route_write(ctx, range_of_port, cpu, port, n, value);
}

struct bus_wire bus_as_wire(struct bus *b)
{
    return (struct bus_wire){.ctx = b,
                             .mmio_read = mmio_read,
                             .mmio_write = mmio_write,
                             .io_read = io_read,
                             .io_write = io_write};
}
