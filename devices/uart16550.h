/*
 * uart16550.h - a 16550A serial port: FIFOs, interrupts, modem lines, loopback.
 *
 * Registers 0..7 as on the chip. The transmitter is always ready: a byte leaves on w.console as it is
 * written. Bytes from outside wait on the line (`inbox`) until the receiver has room, so that none is
 * overrun; what the line cannot hold is refused and stays with the sender.
 * Manual: National PC16550D data sheet, "Registers", "FIFO Interrupt Mode Operation".
 */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include "devices/device.h"

#define UART_FIFO 16u
#define UART_INBOX 1024u

STATE_BEGIN
struct uart16550_state {
    uint8_t ier, lcr, mcr, scr, fcr;
    uint8_t dll, dlm;
    uint8_t msr_delta;  /**< bits 0..3 of MSR */
    uint8_t overrun;    /**< LSR bit 1 */
    uint8_t thr_empty;  /**< the THRE interrupt is pending */
    uint8_t irq;        /**< level of the interrupt line */
    uint8_t fifo_count; /**< received bytes that wait to be read */
    uint16_t inbox_at, inbox_count;
    uint8_t fifo[UART_FIFO];   /**< oldest first */
    uint8_t inbox[UART_INBOX]; /**< a ring: inbox_count bytes from inbox_at on */
};
STATE_END

struct uart16550 {
    struct uart16550_state s;
    struct device_wires w;
};

extern const struct device_ops uart16550_ops;

/** Bytes arrive on the line. Returns how many it could take. */
size_t uart_receive(struct uart16550 *uart, const uint8_t *bytes, size_t n);
/** How many it could take now. */
static inline size_t uart_room(const struct uart16550 *uart)
{
    return UART_INBOX - uart->s.inbox_count;
}

#endif
