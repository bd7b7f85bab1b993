/*
 * uart16550.c - the 16550A.
 *
 * Simplified on purpose: time on the line is zero. A written byte has left before the next
 * instruction, and a received one that does not reach the FIFO's trigger level raises the character
 * timeout at once (the line is silent). The interrupt is not gated by OUT2 as on a PC's board: small
 * kernels forget to set it, and other emulators let them.
 */
#include "devices/uart16550.h"

#include <string.h>

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX 0x01u
#define IER_THRE 0x02u
#define IER_LINE 0x04u
#define IER_MODEM 0x08u
#define IIR_NONE 0x01u
#define IIR_MODEM 0x00u
#define IIR_THRE 0x02u
#define IIR_RX 0x04u
#define IIR_LINE 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS 0xc0u
#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u
#define LCR_DLAB 0x80u
#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u

static bool has_fifos(const struct uart16550_state *s) { return s->fcr & FCR_ENABLE; }
static unsigned fifo_room(const struct uart16550_state *s)
{
    return (has_fifos(s) ? UART_FIFO : 1) - s->fifo_count;
}

/* Bytes at which the receiver asks for service: FCR bits 7..6. */
static unsigned trigger_level(const struct uart16550_state *s)
{
    static const uint8_t level[4] = {1, 4, 8, 14};

    return has_fifos(s) ? level[s->fcr >> 6] : 1;
}

/* The four modem inputs, bits 7..4 of MSR: the terminal is there; in loopback, our own outputs. */
static uint8_t modem_inputs(const struct uart16550_state *s)
{
    if (!(s->mcr & MCR_LOOP)) return MSR_CTS | MSR_DSR | MSR_DCD;
    return (uint8_t)((s->mcr & MCR_RTS ? MSR_CTS : 0) | (s->mcr & MCR_DTR ? MSR_DSR : 0) |
                     (s->mcr & MCR_OUT1 ? MSR_RI : 0) | (s->mcr & MCR_OUT2 ? MSR_DCD : 0));
}

/* The identification of the most urgent enabled interrupt, highest priority first. */
static uint8_t interrupt_id(const struct uart16550_state *s)
{
    if ((s->ier & IER_LINE) && s->overrun) return IIR_LINE;
    if ((s->ier & IER_RX) && s->fifo_count >= trigger_level(s)) return IIR_RX;
    if ((s->ier & IER_RX) && s->fifo_count) return IIR_TIMEOUT;
    if ((s->ier & IER_THRE) && s->thr_empty) return IIR_THRE;
    if ((s->ier & IER_MODEM) && s->msr_delta) return IIR_MODEM;
    return IIR_NONE;
}

static void drive(struct uart16550 *uart)
{
    bool level = interrupt_id(&uart->s) != IIR_NONE;

    if (level == (uart->s.irq != 0)) return;
    uart->s.irq = level;
    wire_irq(&uart->w, level);
}

/* ---- receiver ------------------------------------------------------------------------------------ */

static void fifo_push(struct uart16550_state *s, uint8_t byte)
{
    if (fifo_room(s)) s->fifo[s->fifo_count++] = byte;
    else s->overrun = 1;
}

static uint8_t fifo_pop(struct uart16550_state *s)
{
    uint8_t byte = s->fifo[0];

    if (!s->fifo_count) return 0;
    s->fifo_count--;
    memmove(s->fifo, s->fifo + 1, s->fifo_count);
    s->fifo[s->fifo_count] = 0;
    return byte;
}

static void fifo_clear(struct uart16550_state *s)
{
    memset(s->fifo, 0, sizeof s->fifo);
    s->fifo_count = 0;
}

/* What waits on the line enters the receiver; in loopback the line is cut off. */
static void take_from_line(struct uart16550_state *s)
{
    while (s->inbox_count && fifo_room(s) && !(s->mcr & MCR_LOOP)) {
        fifo_push(s, s->inbox[s->inbox_at]);
        s->inbox[s->inbox_at] = 0;
        s->inbox_at = (uint16_t)((s->inbox_at + 1u) % UART_INBOX);
        s->inbox_count--;
    }
    if (!s->inbox_count) s->inbox_at = 0;
}

size_t uart_receive(struct uart16550 *uart, const uint8_t *bytes, size_t n)
{
    struct uart16550_state *s = &uart->s;
    size_t taken = n < uart_room(uart) ? n : uart_room(uart);

    for (size_t i = 0; i < taken; i++)
        s->inbox[(s->inbox_at + s->inbox_count++) % UART_INBOX] = bytes[i];
    take_from_line(s);
    drive(uart);
    return taken;
}

/* ---- registers ----------------------------------------------------------------------------------- */

static uint8_t read_data(struct uart16550_state *s)
{
    uint8_t byte = fifo_pop(s);

    take_from_line(s);
    return byte;
}

/* Reading takes back the THRE interrupt if that is the one reported. */
static uint8_t read_iir(struct uart16550_state *s)
{
    uint8_t id = interrupt_id(s);

    if (id == IIR_THRE) s->thr_empty = 0;
    return (uint8_t)(id | (has_fifos(s) ? IIR_FIFOS : 0));
}

static uint8_t read_lsr(struct uart16550_state *s)
{
    unsigned lsr = LSR_THRE | LSR_TEMT | (s->overrun ? LSR_OE : 0) | (s->fifo_count ? LSR_DR : 0);

    s->overrun = 0;
    return (uint8_t)lsr;
}

static uint8_t read_msr(struct uart16550_state *s)
{
    uint8_t msr = modem_inputs(s) | s->msr_delta;

    s->msr_delta = 0;
    return msr;
}

static uint8_t read_register(struct uart16550_state *s, uint32_t reg)
{
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA: return dlab ? s->dll : read_data(s);
    case REG_IER: return dlab ? s->dlm : s->ier;
    case REG_IIR_FCR: return read_iir(s);
    case REG_LCR: return s->lcr;
    case REG_MCR: return s->mcr;
    case REG_LSR: return read_lsr(s);
    case REG_MSR: return read_msr(s);
    default: return s->scr;
    }
}

/* The holding register fills and, the line being infinitely fast, is empty again: the interrupt
 * falls and rises. */
static void write_data(struct uart16550 *uart, uint8_t byte)
{
    uart->s.thr_empty = 0;
    drive(uart);
    if (uart->s.mcr & MCR_LOOP) fifo_push(&uart->s, byte);
    else wire_put(&uart->w, uart->w.channel, byte);
    uart->s.thr_empty = 1;
}

/* Enabling the THRE interrupt while the register is empty, as it always is, raises it. */
static void write_ier(struct uart16550_state *s, uint8_t value)
{
    if ((value ^ s->ier) & IER_THRE) s->thr_empty = (value & IER_THRE) != 0;
    s->ier = value & 0x0f;
}

static void write_fcr(struct uart16550_state *s, uint8_t value)
{
    if ((value ^ s->fcr) & FCR_ENABLE) fifo_clear(s);
    if ((value & FCR_ENABLE) && (value & FCR_CLEAR_RX)) fifo_clear(s);
    s->fcr = value & FCR_ENABLE ? value & 0xc9 : 0;
    take_from_line(s);
}

/* MSR bits 3..0: changes of DCD, falls of RI, changes of DSR and CTS. */
static void write_mcr(struct uart16550_state *s, uint8_t value)
{
    uint8_t before = modem_inputs(s);

    s->mcr = value & 0x1f;
    unsigned changed = before ^ modem_inputs(s);

    if (changed & MSR_RI & modem_inputs(s)) changed &= ~MSR_RI;
    s->msr_delta |= (uint8_t)(changed >> 4);
    take_from_line(s);
}

static void write_register(struct uart16550 *uart, uint32_t reg, uint8_t value)
{
    struct uart16550_state *s = &uart->s;
    bool dlab = s->lcr & LCR_DLAB;

    switch (reg) {
    case REG_DATA:
        if (dlab) s->dll = value;
        else write_data(uart, value);
        break;
    case REG_IER:
        if (dlab) s->dlm = value;
        else write_ier(s, value);
        break;
    case REG_IIR_FCR: write_fcr(s, value); break;
    case REG_LCR: s->lcr = value; break;
    case REG_MCR: write_mcr(s, value); break;
    case REG_SCR: s->scr = value; break;
    default: break; /* LSR and MSR are for reading */
    }
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct uart16550 *uart = chip;
    uint8_t value = read_register(&uart->s, reg);

    (void)cpu, (void)n;
    drive(uart);
    return value;
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct uart16550 *uart = chip;

    (void)cpu, (void)n;
    write_register(uart, reg, (uint8_t)value);
    drive(uart);
}

/* What waits on the line is not the chip's and stays. */
static void reset(void *chip)
{
    struct uart16550 *uart = chip;
    struct uart16550_state *s = &uart->s;

    s->ier = s->lcr = s->mcr = s->scr = s->fcr = 0;
    s->dll = 12; /* 9600 baud */
    s->dlm = 0;
    s->msr_delta = s->overrun = 0;
    s->thr_empty = 0;
    fifo_clear(s);
    take_from_line(s);
    drive(uart);
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct uart16550_state *s = &((const struct uart16550 *)chip)->s;
    struct uart16550_state plain = *s;

    /* where the ring begins is no state: it depends on how the bytes were handed over */
    for (unsigned i = 0; i < UART_INBOX; i++)
        plain.inbox[i] = s->inbox[(s->inbox_at + i) % UART_INBOX];
    plain.inbox_at = 0;
    sink->put(sink->ctx, &plain, sizeof plain);
}

const struct device_ops uart16550_ops = {
    .name = "uart16550", .read = read, .write = write, .reset = reset, .hash = hash};
