/*
 * console.c - text out of, and bytes into, the first serial port (a 16550 at 0x3F8), by polling.
 * The transmitter is asked once per sixteen bytes: its FIFO takes that many when it is empty.
 */
#include <stdarg.h>

#include "defs.h"

#define COM1 0x3f8
#define UART_DATA (COM1 + 0)
#define UART_INTERRUPTS (COM1 + 1)
#define UART_FIFO (COM1 + 2)
#define UART_LINE (COM1 + 3)
#define UART_MODEM (COM1 + 4)
#define UART_STATUS (COM1 + 5)

#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80 /* DLAB: the first two registers become the divisor */
#define FIFO_ON_CLEARED 0x07
#define MODEM_DTR_RTS 0x03
#define STATUS_RECEIVED 0x01
#define STATUS_SENT 0x20
#define FIFO_SIZE 16

void console_init(void)
{
    out8(UART_INTERRUPTS, 0);
    out8(UART_LINE, LINE_DIVISOR | LINE_8N1);
    out8(UART_DATA, 1); /* 115200 baud */
    out8(UART_INTERRUPTS, 0);
    out8(UART_LINE, LINE_8N1);
    out8(UART_FIFO, FIFO_ON_CLEARED);
    out8(UART_MODEM, MODEM_DTR_RTS);
}

void console_write(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (i % FIFO_SIZE == 0) {
            while (!(in8(UART_STATUS) & STATUS_SENT)) __asm__ volatile("pause");
        }
        out8(UART_DATA, (uint8_t)text[i]);
    }
}

/* The next byte that has arrived, or -1 when none has. */
int console_read(void)
{
    if (!(in8(UART_STATUS) & STATUS_RECEIVED)) return -1;
    return in8(UART_DATA);
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    console_write(digits + at, sizeof(digits) - at);
}

static void put_int(int value)
{
    if (value < 0) console_write("-", 1);
    put_number(value < 0 ? 0 - (uint64_t)(int64_t)value : (uint64_t)value, 10);
}

static void put_string(const char *s)
{
    console_write(s, strlen(s));
}

/* %s string, %d int, %u uint64_t in decimal, %x uint64_t in hexadecimal after "0x". */
void kprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    for (const char *at = format; *at; at++) {
        if (*at != '%') {
            console_write(at, 1);
            continue;
        }
        switch (*++at) {
        case 's':
            put_string(va_arg(args, const char *));
            break;
        case 'd':
            put_int(va_arg(args, int));
            break;
        case 'u':
            put_number(va_arg(args, uint64_t), 10);
            break;
        case 'x':
            put_string("0x");
            put_number(va_arg(args, uint64_t), 16);
            break;
        default:
            va_end(args);
            return;
        }
    }
    va_end(args);
}
