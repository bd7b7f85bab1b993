/* The board as a whole: chips found at their ports, lines reach vectors, nothing leaks between two. */
#include "devices/timebase.h"
#include "emu/board.h"
#include "ringside/ringside.h"
#include "tests/check_main.h"

#include <string.h>

#define HZ 1000000000ull
#define SECOND (HZ * TICKS_PER_CYCLE)

struct bench {
    struct board board;
    struct sched sched;
    struct event_wire events;
    struct bus_wire bus;
    struct inta_wire inta;
    uint64_t now;
    bool intr;
    unsigned intr_changes, lines, devices, requests;
    enum machine_request what;
    uint64_t value;
    char console[64];
    unsigned written;
};

static uint64_t now(void *ctx) { return ((struct bench *)ctx)->now; }

static void intr(void *ctx, unsigned line, bool level)
{
    struct bench *t = ctx;

    ck_assert_uint_eq(line, 0);
    t->intr = level;
    t->intr_changes++;
}

static void put(void *ctx, unsigned channel, uint8_t byte)
{
    struct bench *t = ctx;

    t->console[t->written++ % 32] = (char)byte;
    t->console[t->written++ % 32] = (char)('0' + channel);
}

static void request(void *ctx, enum machine_request what, uint64_t value)
{
    struct bench *t = ctx;

    t->requests++;
    t->what = what;
    t->value = value;
}

static uint64_t emit(void *ctx, struct rs_event *ev)
{
    struct bench *t = ctx;

    ck_assert(t->events.mask & RS_MASK(ev->kind));
    ck_assert_uint_eq(ev->tick, t->now);
    *(ev->kind == RS_EV_LINE ? &t->lines : &t->devices) += 1;
    return 1;
}

static void setup(struct bench *t)
{
    memset(t, 0, sizeof *t);
    sched_init(&t->sched, t, now, NULL);
    t->events = (struct event_wire){.ctx = t,
                                    .mask = RS_MASK(RS_EV_LINE) | RS_MASK(RS_EV_DEVICE),
                                    .emit = emit};
    struct board_config config = {.mem_bytes = 256u << 20,
                                  .cpus = 1,
                                  .epoch = 1767225600,
                                  .clock = sched_clock(&t->sched, HZ),
                                  .console = {.ctx = t, .put = put},
                                  .request = {.ctx = t, .request = request},
                                  .intr = {.ctx = t, .set = intr},
                                  .events = &t->events};

    ck_assert(board_init(&t->board, &config));
    ck_assert_uint_eq(t->requests, 0);
    board_attach(&t->board, &t->sched);
    t->bus = board_bus(&t->board);
    t->inta = board_inta(&t->board);
}

static void out(struct bench *t, uint16_t port, unsigned n, uint32_t value)
{
    t->bus.io_write(t->bus.ctx, 0, port, n, value);
}
static uint32_t in(struct bench *t, uint16_t port, unsigned n)
{
    return t->bus.io_read(t->bus.ctx, 0, port, n);
}

static void run_to(struct bench *t, uint64_t tick)
{
    while (sched_next(&t->sched) <= tick) {
        t->now = sched_next(&t->sched);
        sched_fire(&t->sched, t->now);
    }
    t->now = tick;
}

static void program_pic(struct bench *t, unsigned master_mask, unsigned slave_mask)
{
    static const uint16_t port[] = {0x20, 0xa0, 0x21, 0xa1, 0x21, 0xa1, 0x21, 0xa1};
    static const uint8_t value[] = {0x11, 0x11, 0x20, 0x28, 4, 2, 1, 1};

    for (unsigned i = 0; i < 8; i++) out(t, port[i], 1, value[i]);
    out(t, 0x21, 1, master_mask);
    out(t, 0xa1, 1, slave_mask);
}

static void program_pit(struct bench *t, unsigned count)
{
    out(t, 0x43, 1, 0x34);
    out(t, 0x40, 1, count & 0xff);
    out(t, 0x40, 1, count >> 8);
}

static void digest(void *ctx, const void *bytes, size_t n)
{
    uint64_t *h = ctx;

    for (size_t i = 0; i < n; i++) *h = (*h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
}

static uint64_t state_of(const struct bench *t)
{
    uint64_t h = 1;

    board_hash_state(&t->board, &(struct hash_sink){.ctx = &h, .put = digest});
    return h;
}

START_TEST(a_reset_board_is_silent)
{
    struct bench t;

    setup(&t);
    run_to(&t, 10 * SECOND);
    ck_assert(!t.intr && !board_intr_level(&t.board));
    ck_assert_uint_eq(t.intr_changes + t.written + t.requests, 0);
    ck_assert(sched_next(&t.sched) == SCHED_NEVER);
}
END_TEST

START_TEST(a_hundred_hertz_timer_ticks_a_hundred_times_a_second)
{
    struct bench t;
    unsigned ticks = 0;

    setup(&t);
    program_pic(&t, 0xfe, 0xff);
    program_pit(&t, 11931);
    while (t.now < SECOND) {
        run_to(&t, sched_next(&t.sched));
        if (!t.intr) continue;
        ck_assert_uint_eq(t.inta.acknowledge(t.inta.ctx), 0x20);
        out(&t, 0x20, 1, 0x20);
        ticks++;
    }
    ck_assert_uint_eq(ticks, 100);
}
END_TEST

START_TEST(each_chip_reaches_its_vector)
{
    struct bench t;

    setup(&t);
    program_pic(&t, 0, 0);
    out(&t, 0x3f9, 1, 2);
    ck_assert(t.intr);
    ck_assert_uint_eq(t.inta.acknowledge(t.inta.ctx), 0x24);
    out(&t, 0x20, 1, 0x20);
    out(&t, 0x2f9, 1, 2);
    ck_assert_uint_eq(t.inta.acknowledge(t.inta.ctx), 0x23);
    out(&t, 0x20, 1, 0x20);
    out(&t, 0x64, 1, 0x60);
    out(&t, 0x60, 1, 0x01);
    out(&t, 0x64, 1, 0xaa);
    ck_assert_uint_eq(t.inta.acknowledge(t.inta.ctx), 0x21);
    out(&t, 0x20, 1, 0x20);
    out(&t, 0x70, 1, 0x0b);
    out(&t, 0x71, 1, 0x12);
    run_to(&t, SECOND);
    ck_assert_uint_eq(t.inta.acknowledge(t.inta.ctx), 0x28);
}
END_TEST

START_TEST(two_ports_share_a_line_and_it_stays_up_for_the_second)
{
    struct bench t;

    setup(&t);
    program_pic(&t, 0, 0xff);
    out(&t, 0x3f9, 1, 2);
    out(&t, 0x3e9, 1, 2);
    ck_assert_uint_eq(t.board.asserted[4], (1u << BOARD_com1) | (1u << BOARD_com3));
    in(&t, 0x3fa, 1);
    ck_assert(t.intr);
    in(&t, 0x3ea, 1);
    ck_assert(!t.intr);
}
END_TEST

START_TEST(bytes_leave_on_their_channels)
{
    struct bench t;

    setup(&t);
    out(&t, 0x3f8, 1, 'a');
    out(&t, 0x2f8, 1, 'b');
    out(&t, 0x3e8, 1, 'c');
    out(&t, 0x2e8, 1, 'd');
    out(&t, 0xe9, 1, 'e');
    ck_assert_str_eq(t.console, "a0b1c2d3e4");
}
END_TEST

START_TEST(input_arrives_at_its_port_with_its_interrupt)
{
    struct bench t;

    setup(&t);
    program_pic(&t, 0, 0xff);
    out(&t, 0x3f9, 1, 1);
    ck_assert_uint_eq(board_input(&t.board, 0, (const uint8_t *)"hi", 2), 2);
    ck_assert_uint_eq(board_input(&t.board, 4, (const uint8_t *)"hi", 2), 0);
    ck_assert_uint_eq(board_input_room(&t.board, 0), UART_INBOX - 1);
    ck_assert_uint_eq(board_input_room(&t.board, 9), 0);
    ck_assert(t.intr);
    ck_assert_uint_eq(in(&t, 0x3f8, 1), 'h');
    ck_assert_uint_eq(in(&t, 0x3f8, 1), 'i');
    ck_assert(!t.intr);
}
END_TEST

START_TEST(doors_and_probes_answer_at_their_ports)
{
    struct bench t;

    setup(&t);
    ck_assert_uint_eq(in(&t, 0xe9, 1), 0xe9);
    out(&t, 0x510, 2, 0);
    ck_assert_uint_eq(in(&t, 0x511, 4), 0x554d4551);
    ck_assert_uint_eq(in(&t, 0xcfc, 4), 0xffffffff);
    out(&t, 0xcf8, 4, 0x80000600);
    ck_assert_uint_eq(in(&t, 0xcf8, 4), 0xffffffff);
    ck_assert_uint_eq(t.requests, 0);
    out(&t, 0xf4, 4, 0x1234567);
    ck_assert(t.requests == 1 && t.what == REQ_GUEST_EXIT && t.value == 0x1234567);
    out(&t, 0x604, 2, 0x2000);
    ck_assert(t.requests == 2 && t.what == REQ_POWER_OFF);
    out(&t, 0x64, 1, 0xfe);
    ck_assert(t.requests == 3 && t.what == REQ_RESET);
    out(&t, 0x70, 2, 0x000d);
    ck_assert_uint_eq(in(&t, 0x71, 1), 0x80);
    ck_assert_uint_eq(in(&t, 0x2e, 1), 0xff);
}
END_TEST

START_TEST(either_chip_moves_a20_and_both_tell_where_it_is)
{
    struct bench t;

    setup(&t);
    out(&t, 0x92, 1, 0);
    ck_assert(t.requests == 1 && t.what == REQ_A20 && t.value == 0);
    out(&t, 0x64, 1, 0xd0);
    ck_assert_uint_eq(in(&t, 0x60, 1) & 2, 0);
    out(&t, 0x64, 1, 0xdf);
    ck_assert(t.requests == 2 && t.value == 1);
    ck_assert_uint_eq(in(&t, 0x92, 1), 2);
    out(&t, 0x92, 1, 0);
    board_reset(&t.board);
    ck_assert(t.what == REQ_A20 && t.value == 1);
    ck_assert_uint_eq(in(&t, 0x92, 1), 2);
}
END_TEST

START_TEST(line_events_tell_inputs_and_intr_and_cost_nothing_unasked)
{
    struct bench t;

    setup(&t);
    program_pic(&t, 0, 0xff);
    t.lines = 0;
    out(&t, 0x3f9, 1, 2);
    ck_assert_uint_eq(t.lines, 2);
    in(&t, 0x3fa, 1);
    ck_assert_uint_eq(t.lines, 4);
    out(&t, 0x92, 1, 0);
    ck_assert_uint_eq(t.devices, 1);
    t.events.mask = 0;
    out(&t, 0x3f9, 1, 0);
    out(&t, 0x3f9, 1, 2);
    out(&t, 0x92, 1, 2);
    ck_assert_uint_eq(t.lines + t.devices, 5);
}
END_TEST

START_TEST(a_halted_guest_is_woken_unless_masked_or_still_in_service)
{
    struct bench t;

    setup(&t);
    ck_assert(!board_may_wake(&t.board, &t.sched));
    program_pic(&t, 0xfe, 0xff);
    program_pit(&t, 11932);
    ck_assert(board_may_wake(&t.board, &t.sched));
    out(&t, 0x21, 1, 0xff);
    ck_assert(!board_may_wake(&t.board, &t.sched));
    out(&t, 0x21, 1, 0xfe);
    while (!t.intr) run_to(&t, sched_next(&t.sched));
    t.inta.acknowledge(t.inta.ctx); /* and no end of interrupt */
    ck_assert(!board_may_wake(&t.board, &t.sched));
    out(&t, 0x20, 1, 0x20);
    ck_assert(board_may_wake(&t.board, &t.sched));
}
END_TEST

START_TEST(reset_silences_everything_and_keeps_the_time)
{
    struct bench t;

    setup(&t);
    program_pic(&t, 0, 0);
    program_pit(&t, 100);
    out(&t, 0x3f9, 1, 2);
    run_to(&t, 3 * SECOND);
    ck_assert(t.intr);
    board_reset(&t.board);
    ck_assert(!t.intr);
    ck_assert(sched_next(&t.sched) == SCHED_NEVER);
    out(&t, 0x70, 1, 0);
    ck_assert_uint_eq(in(&t, 0x71, 1), 3);
}
END_TEST

/* Random traffic on two boards; the second is looked at and run in other steps. */
START_TEST(the_same_traffic_gives_the_same_state_however_it_is_watched)
{
    static const uint16_t port[] = {0x20,  0x21,  0xa0,  0xa1,  0x40,  0x41,  0x42,  0x43,
                                    0x61,  0x60,  0x64,  0x70,  0x71,  0x92,  0x80,  0x3f8,
                                    0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x4d0, 0x511};
    struct bench a, b;
    uint64_t seed = 42;

    setup(&a);
    setup(&b);
    for (unsigned i = 0; i < 2000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        uint16_t p = port[(seed >> 33) % (sizeof port / sizeof port[0])];
        unsigned n = 1u << (seed >> 50 & 3) % 3;
        uint32_t value = (uint32_t)(seed >> 12);
        uint64_t until = a.now + (seed >> 40 & 0xfffff);

        if (seed >> 60 & 1) {
            ck_assert_uint_eq(in(&a, p, n), in(&b, p, n));
        } else {
            out(&a, p, n, value);
            out(&b, p, n, value);
        }
        run_to(&a, until);
        run_to(&b, b.now + (until - b.now) / 3);
        state_of(&b);
        run_to(&b, until);
        ck_assert(a.intr == b.intr && a.intr == board_intr_level(&a.board));
        if (i % 64 == 0) ck_assert(state_of(&a) == state_of(&b));
    }
    ck_assert(state_of(&a) == state_of(&b));
    ck_assert_uint_eq(a.requests, b.requests);
    ck_assert_uint_eq(a.intr_changes, b.intr_changes);
    ck_assert(a.intr_changes > 10);
}
END_TEST

START_TEST(every_chip_has_a_name)
{
    ck_assert_str_eq(board_device_name(BOARD_pic), "pic");
    ck_assert_str_eq(board_device_name(BOARD_doors), "doors");
    ck_assert_ptr_null(board_device_name(BOARD_DEVICES));
}
END_TEST

RUN_TESTS("board", a_reset_board_is_silent, a_hundred_hertz_timer_ticks_a_hundred_times_a_second,
          each_chip_reaches_its_vector, two_ports_share_a_line_and_it_stays_up_for_the_second,
          bytes_leave_on_their_channels, input_arrives_at_its_port_with_its_interrupt,
          doors_and_probes_answer_at_their_ports, either_chip_moves_a20_and_both_tell_where_it_is,
          line_events_tell_inputs_and_intr_and_cost_nothing_unasked,
          a_halted_guest_is_woken_unless_masked_or_still_in_service,
          reset_silences_everything_and_keeps_the_time,
          the_same_traffic_gives_the_same_state_however_it_is_watched, every_chip_has_a_name)
