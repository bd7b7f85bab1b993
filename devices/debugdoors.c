/* debugdoors.c - see debugdoors.h. */
#include "devices/debugdoors.h"

#define FAST_RESET 0x01u
#define FAST_A20 0x02u
#define RESET_CPU 0x04u
#define RESET_WRITABLE 0x0eu
#define PM_SLP_EN 0x2000u
#define PM_SLP_TYP 0x1c00u

static void write_shutdown(struct debugdoors *d, uint8_t byte)
{
    static const char word[] = "Shutdown";

    if (byte == (uint8_t)word[d->s.shutdown_at]) d->s.shutdown_at++;
    else d->s.shutdown_at = byte == (uint8_t)word[0];
    if (word[d->s.shutdown_at]) return;
    d->s.shutdown_at = 0;
    wire_request(&d->w, REQ_POWER_OFF, 0);
}

static void write_fast(struct debugdoors *d, uint8_t value)
{
    uint8_t before = d->s.port92;

    d->s.port92 = value & (FAST_RESET | FAST_A20);
    if ((before ^ value) & FAST_A20) wire_request(&d->w, REQ_A20, (value & FAST_A20) != 0);
    if (value & ~before & FAST_RESET) wire_request(&d->w, REQ_RESET, 0);
}

static void write_reset(struct debugdoors *d, uint8_t value)
{
    uint8_t before = d->s.reset_control;

    d->s.reset_control = value & RESET_WRITABLE;
    if (value & ~before & RESET_CPU) wire_request(&d->w, REQ_RESET, 0);
}

/* n = 1 or 2 bytes at byte `at` of the register. */
static void write_pm(struct debugdoors *d, unsigned at, unsigned n, uint16_t value)
{
    unsigned mask = (n == 1 ? 0xffu : 0xffffu) << (8 * at);
    unsigned all = ((unsigned)value << (8 * at) & mask) | (d->s.pm1_control & ~mask);

    d->s.pm1_control = (uint16_t)(all & ~PM_SLP_EN); /* SLP_EN reads as 0 */
    if ((all & PM_SLP_EN) && (all & PM_SLP_TYP) == 0) wire_request(&d->w, REQ_POWER_OFF, 0);
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct debugdoors *d = chip;

    (void)cpu;
    switch (reg) {
    case DOOR_CONSOLE: wire_put(&d->w, DOOR_CHANNEL, (uint8_t)value); break;
    case DOOR_EXIT: wire_request(&d->w, REQ_GUEST_EXIT, value); break;
    case DOOR_SHUTDOWN: write_shutdown(d, (uint8_t)value); break;
    case DOOR_POST: d->s.post = (uint8_t)value; break;
    case DOOR_FAST: write_fast(d, (uint8_t)value); break;
    case DOOR_RESET + 1:
        if (n == 1) write_reset(d, (uint8_t)value);
        break;
    case DOOR_PM:
    case DOOR_PM + 1: write_pm(d, reg - DOOR_PM, n, (uint16_t)value); break;
    default: break;
    }
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct debugdoors *d = chip;

    (void)cpu;
    switch (reg) {
    case DOOR_CONSOLE: return 0xe9;
    case DOOR_POST: return d->s.post;
    case DOOR_FAST: return d->s.port92;
    case DOOR_RESET + 1: return n == 1 ? d->s.reset_control : DEVICE_ABSENT;
    case DOOR_PM: return d->s.pm1_control;
    case DOOR_PM + 1: return (uint64_t)d->s.pm1_control >> 8;
    default: return DEVICE_ABSENT;
    }
}

void debugdoors_a20(struct debugdoors *d, bool on)
{
    d->s.port92 = (uint8_t)((d->s.port92 & ~FAST_A20) | (on ? FAST_A20 : 0));
}

/* A20 is on, as firmware leaves it. */
static void reset(void *chip)
{
    struct debugdoors *d = chip;

    d->s = (struct debugdoors_state){.port92 = FAST_A20};
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct debugdoors *d = chip;

    sink->put(sink->ctx, &d->s, sizeof d->s);
}

const struct device_ops debugdoors_ops = {.name = "debugdoors",
                                          .widths = WIDTH_1 | WIDTH_2 | WIDTH_4,
                                          .read = read,
                                          .write = write,
                                          .reset = reset,
                                          .hash = hash};
