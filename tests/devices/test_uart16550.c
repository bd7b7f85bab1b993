/* The 16550A. */
#include "devices/uart16550.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static struct rig rig;
static struct uart16550 uart;

static void setup(void)
{
    memset(&uart, 0, sizeof uart);
    rig_connect(&rig, &uart16550_ops, &uart, &uart.w);
    uart.w.channel = 2;
}

static void receive(const char *text)
{
    ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)text, strlen(text)), strlen(text));
}

START_TEST(a_written_byte_leaves_at_once_on_its_channel)
{
    setup();
    rig_out(&rig, DATA, 'A');
    rig_out(&rig, DATA, 'b');
    ck_assert_uint_eq(rig.written, 2);
    ck_assert_uint_eq(rig.channel, 2);
    ck_assert(rig.byte[0] == 'A' && rig.byte[1] == 'b');
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
}
END_TEST

START_TEST(the_divisor_latch_hides_data_and_interrupt_enable)
{
    setup();
    rig_out(&rig, LCR, 0x83);
    rig_out(&rig, DATA, 0x01);
    rig_out(&rig, IER, 0x02);
    ck_assert_uint_eq(rig.written, 0);
    ck_assert_uint_eq(rig_in(&rig, DATA), 0x01);
    ck_assert_uint_eq(rig_in(&rig, IER), 0x02);
    rig_out(&rig, LCR, 0x03);
    ck_assert_uint_eq(rig_in(&rig, IER), 0x00);
    ck_assert_uint_eq(rig_in(&rig, LCR), 0x03);
}
END_TEST

START_TEST(scratch_and_enable_keep_the_bits_that_exist)
{
    setup();
    rig_out(&rig, SCR, 0x5a);
    ck_assert_uint_eq(rig_in(&rig, SCR), 0x5a);
    rig_out(&rig, IER, 0xff);
    ck_assert_uint_eq(rig_in(&rig, IER), 0x0f);
    rig_out(&rig, MCR, 0xff);
    ck_assert_uint_eq(rig_in(&rig, MCR), 0x1f);
    rig_out(&rig, LSR, 0xff);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
}
END_TEST

START_TEST(enabling_the_transmitter_interrupt_raises_it_and_reading_iir_takes_it_back)
{
    setup();
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
    rig_out(&rig, IER, 0x02);
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x02);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
    rig_out(&rig, IER, 0x00);
    rig_out(&rig, IER, 0x02);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x02);
}
END_TEST

START_TEST(each_written_byte_is_a_new_edge_of_the_transmitter_interrupt)
{
    setup();
    rig_out(&rig, IER, 0x02);
    rig_out(&rig, DATA, 'x');
    rig_out(&rig, DATA, 'y');
    ck_assert(rig.line);
    ck_assert_uint_eq(rig.rises, 3);
}
END_TEST

START_TEST(a_received_byte_interrupts_until_it_is_read)
{
    setup();
    rig_out(&rig, IER, 0x01);
    receive("q");
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x04);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x61);
    ck_assert_uint_eq(rig_in(&rig, DATA), 'q');
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
}
END_TEST

START_TEST(below_the_trigger_level_the_reason_is_the_timeout)
{
    setup();
    rig_out(&rig, FCR, 0xc7);
    rig_out(&rig, IER, 0x01);
    receive("0123456789abc");
    ck_assert_uint_eq(rig_in(&rig, IIR), 0xcc);
    receive("d");
    ck_assert_uint_eq(rig_in(&rig, IIR), 0xc4);
    rig_in(&rig, DATA);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0xcc);
}
END_TEST

START_TEST(what_the_fifo_cannot_hold_waits_on_the_line_in_order)
{
    char text[UART_INBOX + 100];
    unsigned got = 0;

    setup();
    rig_out(&rig, FCR, 0x01);
    for (unsigned i = 0; i < sizeof text; i++) text[i] = (char)(i * 7);
    ck_assert_uint_eq(uart_receive(&uart, (const uint8_t *)text, sizeof text), UART_INBOX);
    got = (unsigned)uart_receive(&uart, (const uint8_t *)text + UART_INBOX, 100);
    ck_assert_uint_eq(got, UART_FIFO);
    ck_assert_uint_eq(uart_room(&uart), 0);
    for (unsigned i = 0; i < UART_INBOX + UART_FIFO; i++) {
        ck_assert_uint_eq(rig_in(&rig, LSR) & 3, 1);
        ck_assert_uint_eq(rig_in(&rig, DATA), (uint8_t)text[i]);
    }
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
    ck_assert_uint_eq(uart_room(&uart), UART_INBOX);
}
END_TEST

START_TEST(how_input_is_cut_into_calls_is_no_state)
{
    uint64_t whole;

    setup();
    receive("0123456789");
    rig_in(&rig, DATA);
    whole = rig_digest(&rig);
    setup();
    receive("0");
    rig_in(&rig, DATA);
    receive("1234");
    receive("56789");
    ck_assert(rig_digest(&rig) == whole);
}
END_TEST

START_TEST(enabling_or_clearing_the_fifos_drops_what_they_hold)
{
    setup();
    receive("z");
    rig_out(&rig, FCR, 0x01);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
    receive("yy");
    rig_out(&rig, FCR, 0x03);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0xc1);
    rig_out(&rig, FCR, 0x00);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
}
END_TEST

START_TEST(loopback_returns_bytes_and_modem_lines_and_cuts_off_the_line)
{
    setup();
    ck_assert_uint_eq(rig_in(&rig, MSR), 0xb0);
    rig_out(&rig, MCR, 0x1a); /* loop, OUT2, RTS */
    ck_assert_uint_eq(rig_in(&rig, MSR) & 0xf0, 0x90);
    receive("!");
    rig_out(&rig, DATA, 0xae);
    ck_assert_uint_eq(rig.written, 0);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x61);
    ck_assert_uint_eq(rig_in(&rig, DATA), 0xae);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x60);
    rig_out(&rig, MCR, 0x00);
    ck_assert_uint_eq(rig_in(&rig, DATA), '!');
}
END_TEST

START_TEST(modem_changes_are_told_once_and_ring_only_when_it_falls)
{
    setup();
    rig_out(&rig, IER, 0x08);
    rig_out(&rig, MCR, 0x1f);
    ck_assert(rig.line == false || rig_in(&rig, MSR) != 0);
    rig_in(&rig, MSR);
    ck_assert(!rig.line);
    rig_out(&rig, MCR, 0x1b); /* OUT1 = RI falls */
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x00);
    ck_assert_uint_eq(rig_in(&rig, MSR), 0xb4);
    ck_assert(!rig.line);
    rig_out(&rig, MCR, 0x1f); /* rises: not told */
    ck_assert_uint_eq(rig_in(&rig, MSR), 0xf0);
}
END_TEST

START_TEST(overrun_in_loopback_is_a_line_status_interrupt_and_reading_clears_it)
{
    setup();
    rig_out(&rig, IER, 0x04);
    rig_out(&rig, MCR, 0x10);
    rig_out(&rig, DATA, 1);
    ck_assert(!rig.line);
    rig_out(&rig, DATA, 2);
    ck_assert(rig.line);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x06);
    ck_assert_uint_eq(rig_in(&rig, LSR), 0x63);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, DATA), 1);
}
END_TEST

START_TEST(line_status_comes_before_data_before_transmitter_before_modem)
{
    setup();
    rig_out(&rig, MCR, 0x10);
    rig_out(&rig, MCR, 0x11);
    rig_out(&rig, DATA, 1);
    rig_out(&rig, DATA, 2);
    rig_out(&rig, IER, 0x0f);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x06);
    rig_in(&rig, LSR);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x04);
    rig_in(&rig, DATA);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x02);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x00);
    rig_in(&rig, MSR);
    ck_assert_uint_eq(rig_in(&rig, IIR), 0x01);
}
END_TEST

START_TEST(reset_puts_the_line_down_and_keeps_what_waits_on_it)
{
    setup();
    rig_out(&rig, IER, 0x01);
    receive("ab");
    uart16550_ops.reset(&uart);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, DATA), 'b');
}
END_TEST

RUN_TESTS("uart16550", a_written_byte_leaves_at_once_on_its_channel,
          the_divisor_latch_hides_data_and_interrupt_enable,
          scratch_and_enable_keep_the_bits_that_exist,
          enabling_the_transmitter_interrupt_raises_it_and_reading_iir_takes_it_back,
          each_written_byte_is_a_new_edge_of_the_transmitter_interrupt,
          a_received_byte_interrupts_until_it_is_read,
          below_the_trigger_level_the_reason_is_the_timeout,
          what_the_fifo_cannot_hold_waits_on_the_line_in_order,
          how_input_is_cut_into_calls_is_no_state,
          enabling_or_clearing_the_fifos_drops_what_they_hold,
          loopback_returns_bytes_and_modem_lines_and_cuts_off_the_line,
          modem_changes_are_told_once_and_ring_only_when_it_falls,
          overrun_in_loopback_is_a_line_status_interrupt_and_reading_clears_it,
          line_status_comes_before_data_before_transmitter_before_modem,
          reset_puts_the_line_down_and_keeps_what_waits_on_it)
