/*
 * board.c - instantiates emu/board.def: bus ranges, interrupt lines (several chips may pull one), the
 * A20 gate that two chips move, LINE and DEVICE events.
 */
#include "emu/board.h"

#include "phys/ram.h"
#include "ringside/ringside.h"

#include <stddef.h>
#include <string.h>

enum bus_kind { PORT, MMIO };

struct socket {
    const char *name;
    const struct device_ops *ops;
    size_t at; /* of the chip in struct board */
    size_t wires;
    uint8_t irq, unit;
};

static const struct socket sockets[BOARD_DEVICES] = {
#define DEVICE(chip, name, bus, base, size, irq, unit)                                             \
    {#name, &chip##_ops, offsetof(struct board, name), offsetof(struct board, name.w), irq, unit},
#define ALSO(name, bus, base, size, reg)
#include "emu/board.def"
#undef DEVICE
#undef ALSO
};

static const struct range_row {
    uint8_t device, bus;
    uint32_t base, size, reg;
} ranges[] = {
#define DEVICE(chip, name, bus, base, size, irq, unit) {BOARD_##name, bus, base, size, 0},
#define ALSO(name, bus, base, size, reg) {BOARD_##name, bus, base, size, reg},
#include "emu/board.def"
#undef DEVICE
#undef ALSO
};

static void *chip_of(struct board *b, unsigned device) { return (uint8_t *)b + sockets[device].at; }

/* ---- events ---------------------------------------------------------------------------------------- */

static void emit(const struct board *b, enum rs_event_kind kind, uint64_t w0, uint64_t w1,
                 uint64_t w2)
{
    const struct event_wire *events = b->config.events;

    if (!events || !(events->mask & RS_MASK(kind))) return;
    struct rs_event ev = {.kind = (uint16_t)kind,
                          .tick = b->config.clock.now(b->config.clock.ctx),
                          .w = {w0, w1, w2}};

    events->emit(events->ctx, &ev);
}

/* ---- lines ----------------------------------------------------------------------------------------- */

/* A chip moves its own wire; the line is up while any of its chips pulls it. */
static void line_set(void *ctx, unsigned line, bool level)
{
    const struct board_pin *pin = ctx;
    struct board *b = pin->board;
    uint32_t before = b->asserted[line], bit = 1u << pin->device;

    b->asserted[line] = level ? before | bit : before & ~bit;
    if ((before != 0) == (b->asserted[line] != 0)) return;
    emit(b, RS_EV_LINE, line, b->asserted[line] != 0, 0);
    pic_set_line(&b->pic, line, b->asserted[line] != 0);
}

static void intr_set(void *ctx, unsigned line, bool level)
{
    struct board *b = ((const struct board_pin *)ctx)->board;

    emit(b, RS_EV_LINE, line, level, 0);
    if (b->config.intr.set) b->config.intr.set(b->config.intr.ctx, 0, level);
}

static void request(void *ctx, enum machine_request what, uint64_t value)
{
    const struct board_pin *pin = ctx;
    struct board *b = pin->board;

    emit(b, RS_EV_DEVICE, pin->device, what, value);
    if (what == REQ_A20) {
        kbc_a20(&b->kbc, value != 0);
        debugdoors_a20(&b->doors, value != 0);
    }
    if (b->config.request.request) b->config.request.request(b->config.request.ctx, what, value);
}

static uint8_t acknowledge(void *ctx) { return pic_acknowledge(&((struct board *)ctx)->pic); }

/* ---- life ------------------------------------------------------------------------------------------ */

static void solder(struct board *b, unsigned device)
{
    const struct socket *s = &sockets[device];
    struct device_wires *w = (struct device_wires *)((uint8_t *)b + s->wires);
    struct board_pin *pin = &b->pin[device];

    *pin = (struct board_pin){.board = b, .device = device};
    *w = (struct device_wires){.clock = b->config.clock,
                               .source = device,
                               .irq = {.ctx = pin,
                                       .set = s->irq == BOARD_INTR ? intr_set : line_set},
                               .line = s->irq,
                               .console = b->config.console,
                               .channel = s->unit,
                               .request = {.ctx = pin, .request = request}};
}

static bool plug_in(struct board *b)
{
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        const struct range_row *r = &ranges[i];
        const struct device_ops *ops = sockets[r->device].ops;
        void *chip = chip_of(b, r->device);
        bool ok = r->bus == PORT ? bus_map_ports(&b->bus, r->base, r->size, ops, chip, r->reg)
                                 : bus_map_mmio(&b->bus, r->base, r->size, ops, chip, r->reg);

        if (!ok) return false;
    }
    return true;
}

static void reset_chips(struct board *b)
{
    for (unsigned i = 0; i < BOARD_DEVICES; i++)
        if (sockets[i].ops->reset) sockets[i].ops->reset(chip_of(b, i));
}

bool board_init(struct board *b, const struct board_config *config)
{
    uint64_t low = config->mem_bytes < RAM_LOW_MAX ? config->mem_bytes : RAM_LOW_MAX;

    memset(b, 0, sizeof *b);
    b->config = *config;
    bus_init(&b->bus);
    for (unsigned i = 0; i < BOARD_DEVICES; i++) solder(b, i);
    if (!plug_in(b)) return false;
    cmos_configure(&b->cmos, config->epoch, low, config->mem_bytes - low, config->cpus);
    fw_cfg_configure(&b->fw_cfg, config->mem_bytes, config->cpus);
    reset_chips(b);
    return true;
}

void board_reset(struct board *b)
{
    reset_chips(b);
    request(&b->pin[BOARD_kbc], REQ_A20, 1);
}

/* ---- what the machine uses ------------------------------------------------------------------------- */

struct bus_wire board_bus(struct board *b) { return bus_as_wire(&b->bus); }

struct inta_wire board_inta(struct board *b)
{
    return (struct inta_wire){.ctx = b, .acknowledge = acknowledge};
}

bool board_intr_level(const struct board *b) { return pic_intr(&b->pic); }

void board_alarm(struct board *b, unsigned device)
{
    if (device < BOARD_DEVICES && sockets[device].ops->alarm)
        sockets[device].ops->alarm(chip_of(b, device));
}

static void fire(void *ctx, unsigned source) { board_alarm(ctx, source); }

void board_attach(struct board *b, struct sched *sched)
{
    for (unsigned i = 0; i < BOARD_DEVICES; i++) sched_handle(sched, i, b, fire);
}

bool board_may_wake(const struct board *b, const struct sched *sched)
{
    for (unsigned i = 0; i < BOARD_DEVICES; i++)
        if (sched_is_armed(sched, i) && sockets[i].irq < BOARD_IRQS &&
            pic_would_interrupt(&b->pic, sockets[i].irq))
            return true;
    return false;
}

static struct uart16550 *port_of(struct board *b, unsigned channel)
{
    struct uart16550 *const port[] = {&b->com1, &b->com2, &b->com3, &b->com4};

    return channel < sizeof port / sizeof port[0] ? port[channel] : NULL;
}

size_t board_input(struct board *b, unsigned channel, const uint8_t *bytes, size_t n)
{
    struct uart16550 *port = port_of(b, channel);

    return port ? uart_receive(port, bytes, n) : 0;
}

size_t board_input_room(const struct board *b, unsigned channel)
{
    const struct uart16550 *const port[] = {&b->com1, &b->com2, &b->com3, &b->com4};

    return channel < sizeof port / sizeof port[0] ? uart_room(port[channel]) : 0;
}

void board_hash_state(const struct board *b, const struct hash_sink *sink)
{
    for (unsigned i = 0; i < BOARD_DEVICES; i++)
        sockets[i].ops->hash((const uint8_t *)b + sockets[i].at, sink);
}

const char *board_device_name(unsigned device)
{
    return device < BOARD_DEVICES ? sockets[device].name : NULL;
}
