/* kbc.c - see kbc.h. Commands take no time; an unread answer is overwritten by the next. */
#include "devices/kbc.h"

enum { REG_DATA, REG_COMMAND };

#define STATUS_OUTPUT_FULL 0x01u
#define STATUS_SYSTEM 0x04u
#define STATUS_NOT_LOCKED 0x10u
#define MODE_IRQ 0x01u
#define MODE_SYSTEM 0x04u
#define MODE_KBD_OFF 0x10u
#define MODE_AUX_OFF 0x20u
#define PORT_NOT_RESET 0x01u
#define PORT_A20 0x02u
#define INPUT_NOT_LOCKED 0x80u

enum command {
    CMD_READ_MODE = 0x20,
    CMD_WRITE_MODE = 0x60,
    CMD_AUX_OFF = 0xa7,
    CMD_AUX_ON = 0xa8,
    CMD_SELF_TEST = 0xaa,
    CMD_TEST_KBD = 0xab,
    CMD_KBD_OFF = 0xad,
    CMD_KBD_ON = 0xae,
    CMD_READ_INPUT_PORT = 0xc0,
    CMD_READ_OUTPUT_PORT = 0xd0,
    CMD_WRITE_OUTPUT_PORT = 0xd1,
    CMD_ECHO_KBD = 0xd2,
    CMD_ECHO_AUX = 0xd3,
    CMD_WRITE_AUX = 0xd4,
    CMD_A20_OFF = 0xdd,
    CMD_A20_ON = 0xdf,
    CMD_PULSE = 0xf0 /* to 0xff: output-port bits 3..0 that are 0 go low for a moment */
};

static void drive(struct kbc *k)
{
    bool level = k->s.output_full && (k->s.mode & MODE_IRQ);

    if (level == (k->s.irq != 0)) return;
    k->s.irq = level;
    wire_irq(&k->w, level);
}

static void answer(struct kbc *k, uint8_t byte)
{
    k->s.output = byte;
    k->s.output_full = 1;
}

static void write_output_port(struct kbc *k, uint8_t value)
{
    uint8_t before = k->s.output_port;

    k->s.output_port = value | PORT_NOT_RESET;
    if ((before ^ value) & PORT_A20) wire_request(&k->w, REQ_A20, (value & PORT_A20) != 0);
    if (!(value & PORT_NOT_RESET)) wire_request(&k->w, REQ_RESET, 0);
}

static void set_mode_bit(struct kbc *k, uint8_t bit, bool on)
{
    k->s.mode = (uint8_t)(on ? k->s.mode | bit : k->s.mode & ~bit);
}

static void write_command(struct kbc *k, uint8_t command)
{
    k->s.pending = 0;
    switch (command) {
    case CMD_READ_MODE: answer(k, k->s.mode); break;
    case CMD_WRITE_MODE:
    case CMD_WRITE_OUTPUT_PORT:
    case CMD_ECHO_KBD:
    case CMD_ECHO_AUX:
    case CMD_WRITE_AUX: k->s.pending = command; break;
    case CMD_AUX_OFF: set_mode_bit(k, MODE_AUX_OFF, true); break;
    case CMD_AUX_ON: set_mode_bit(k, MODE_AUX_OFF, false); break;
    case CMD_SELF_TEST:
        set_mode_bit(k, MODE_SYSTEM, true);
        answer(k, 0x55);
        break;
    case CMD_TEST_KBD: answer(k, 0x00); break;
    case CMD_KBD_OFF: set_mode_bit(k, MODE_KBD_OFF, true); break;
    case CMD_KBD_ON: set_mode_bit(k, MODE_KBD_OFF, false); break;
    case CMD_READ_INPUT_PORT: answer(k, INPUT_NOT_LOCKED); break;
    case CMD_READ_OUTPUT_PORT: answer(k, k->s.output_port); break;
    case CMD_A20_OFF: write_output_port(k, k->s.output_port & (uint8_t)~PORT_A20); break;
    case CMD_A20_ON: write_output_port(k, k->s.output_port | PORT_A20); break;
    default:
        if (command >= CMD_PULSE && !(command & 1)) wire_request(&k->w, REQ_RESET, 0);
        break;
    }
}

/* The data byte of a command; without one it is for the keyboard, and nobody answers. */
static void write_data(struct kbc *k, uint8_t value)
{
    switch (k->s.pending) {
    case CMD_WRITE_MODE: k->s.mode = value; break;
    case CMD_WRITE_OUTPUT_PORT: write_output_port(k, value); break;
    case CMD_ECHO_KBD: answer(k, value); break;
    default: break; /* no keyboard, no mouse */
    }
    k->s.pending = 0;
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct kbc *k = chip;

    (void)cpu, (void)n;
    if (reg == REG_COMMAND)
        return STATUS_NOT_LOCKED | (k->s.mode & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
               (k->s.output_full ? STATUS_OUTPUT_FULL : 0);
    k->s.output_full = 0;
    drive(k);
    return k->s.output;
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct kbc *k = chip;

    (void)cpu, (void)n;
    if (reg == REG_COMMAND) write_command(k, (uint8_t)value);
    else write_data(k, (uint8_t)value);
    drive(k);
}

void kbc_a20(struct kbc *k, bool on)
{
    k->s.output_port = (uint8_t)((k->s.output_port & ~PORT_A20) | (on ? PORT_A20 : 0));
}

/* As firmware leaves it: tested, interrupt off, A20 on. */
static void reset(void *chip)
{
    struct kbc *k = chip;
    uint8_t irq = k->s.irq;

    k->s = (struct kbc_state){.mode = MODE_SYSTEM,
                              .output_port = PORT_NOT_RESET | PORT_A20,
                              .irq = irq};
    drive(k);
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct kbc *k = chip;

    sink->put(sink->ctx, &k->s, sizeof k->s);
}

const struct device_ops kbc_ops = {
    .name = "kbc", .read = read, .write = write, .reset = reset, .hash = hash};
