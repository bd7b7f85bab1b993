/* fw_cfg.c - see fw_cfg.h. */
#include "devices/fw_cfg.h"

enum { REG_SELECTOR, REG_DATA };
enum {
    KEY_SIGNATURE = 0x00,
    KEY_ID = 0x01,
    KEY_RAM_SIZE = 0x03,
    KEY_NB_CPUS = 0x05,
    KEY_MAX_CPUS = 0x0f
};

#define ID_TRADITIONAL 1u /* selector and data register; no DMA */

/* The selected item as a little-endian number, its length in bytes in *length. */
static uint64_t item(const struct fw_cfg_state *s, unsigned *length)
{
    switch (s->key) {
    case KEY_SIGNATURE: *length = 4; return 'Q' | 'E' << 8 | 'M' << 16 | (uint64_t)'U' << 24;
    case KEY_ID: *length = 4; return ID_TRADITIONAL;
    case KEY_RAM_SIZE: *length = 8; return s->ram_bytes;
    case KEY_NB_CPUS:
    case KEY_MAX_CPUS: *length = 2; return s->cpus;
    default: *length = 0; return 0;
    }
}

static uint8_t next_byte(struct fw_cfg_state *s)
{
    unsigned length;
    uint64_t value = item(s, &length);

    if (s->offset >= length) return 0;
    return (uint8_t)(value >> (8 * s->offset++));
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct fw_cfg *f = chip;
    uint64_t value = 0;

    (void)cpu;
    if (reg != REG_DATA) return DEVICE_ABSENT;
    for (unsigned i = 0; i < n; i++) value |= (uint64_t)next_byte(&f->s) << (8 * i);
    return value;
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct fw_cfg *f = chip;

    (void)cpu;
    if (reg != REG_SELECTOR || n != 2) return;
    f->s.key = (uint16_t)value;
    f->s.offset = 0;
}

static void reset(void *chip)
{
    struct fw_cfg *f = chip;

    f->s.key = 0;
    f->s.offset = 0;
}

void fw_cfg_configure(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus)
{
    f->s.ram_bytes = ram_bytes;
    f->s.cpus = (uint16_t)cpus;
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct fw_cfg *f = chip;

    sink->put(sink->ctx, &f->s, sizeof f->s);
}

const struct device_ops fw_cfg_ops = {.name = "fw_cfg",
                                      .widths = WIDTH_1 | WIDTH_2 | WIDTH_4,
                                      .read = read,
                                      .write = write,
                                      .reset = reset,
                                      .hash = hash};
