/*
 * pit8254.c - the 8254.
 *
 *        write of the count at pulse w, loaded at w+1 = base      e = pulses since base
 *        mode 0      OUT low until e = N, then high; the counter goes on through 0
 *        mode 1      the same, inverted start: high, low from the trigger until e = N
 *        mode 2      high but for the last pulse of each N (the counter is 1)
 *        mode 3      high for (N+1)/2 pulses, low for N/2; the counter goes down by twos
 *        modes 4, 5  high but for one pulse, at e = N
 *
 * The gate freezes modes 0 and 4, stops modes 2 and 3 with OUT high, triggers modes 1 and 5. A new
 * count takes over at once in modes 0 and 4, at the end of the period (2) or half-period (3), at the
 * next trigger in modes 1 and 5.
 * Between two accesses a channel changes only by `switch_at`; `settle_channel` applies that, and any
 * number of settlings gives what one gives.
 */
#include "devices/pit8254.h"

#include "devices/timebase.h"

#define NEVER UINT64_MAX

#define STATUS_OUT 0x80u
#define STATUS_NULL 0x40u

#define PORT61_GATE2 0x01u
#define PORT61_WRITABLE 0x0fu
#define PORT61_REFRESH 0x10u
#define PORT61_OUT2 0x20u
#define REFRESH_PULSES 18u /* a DRAM refresh every 15 us, as the BIOS programs channel 1 */

enum { REG_CONTROL = 3, REG_PORT61 = 4 };

/* ---- the counting element, pure ------------------------------------------------------------------ */

static uint32_t modulus(const struct pit_channel *ch) { return ch->bcd ? 10000 : 65536; }

static bool is_periodic(const struct pit_channel *ch) { return ch->mode == 2 || ch->mode == 3; }
static bool is_triggered(const struct pit_channel *ch) { return ch->mode == 1 || ch->mode == 5; }

/* Mode 3: pulses for which OUT is high in each period. */
static uint32_t high_part(uint32_t count) { return (count + 1) / 2; }

static uint64_t elapsed_at(const struct pit_channel *ch, uint64_t pulse)
{
    return ch->elapsed + (ch->running && pulse > ch->base ? pulse - ch->base : 0);
}

/* Does OUT stand at `before` still: nothing loaded, or loaded only at a later pulse? */
static bool is_before(const struct pit_channel *ch, uint64_t pulse)
{
    return ch->count == 0 || pulse < ch->base;
}

bool pit_out(const struct pit_channel *ch, uint64_t pulse)
{
    if (is_before(ch, pulse)) return ch->before;
    if (is_periodic(ch) && !ch->running) return true;
    uint64_t e = elapsed_at(ch, pulse);

    switch (ch->mode) {
    case 0:
    case 1: return e >= ch->count;
    case 2: return e % ch->count != ch->count - 1;
    case 3: return e % ch->count < high_part(ch->count);
    default: return e != ch->count || ch->spent || (!ch->running && pulse > ch->base);
    }
}

/* The counting element as a number. */
static uint32_t element(const struct pit_channel *ch, uint64_t e)
{
    uint32_t n = ch->count, m = modulus(ch);

    if (ch->mode == 2) return n - (uint32_t)(e % n);
    if (ch->mode == 3) {
        uint32_t k = (uint32_t)(e % n);
        uint32_t in_half = k < high_part(n) ? k : k - high_part(n);

        return (n & ~1u) - 2 * in_half;
    }
    return (uint32_t)((n % m + m - e % m) % m);
}

static uint16_t to_digits(const struct pit_channel *ch, uint32_t value)
{
    value %= modulus(ch);
    if (!ch->bcd) return (uint16_t)value;
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
                      value % 10);
}

/* What a programmed count means: 0 is the largest. */
static uint32_t from_digits(const struct pit_channel *ch, uint16_t digits)
{
    uint32_t value = digits;

    if (ch->bcd)
        value = (digits >> 12) * 1000u + (digits >> 8 & 15) * 100u + (digits >> 4 & 15) * 10u +
                (digits & 15);
    value %= modulus(ch);
    return value ? value : modulus(ch);
}

uint16_t pit_counter(const struct pit_channel *ch, uint64_t pulse)
{
    if (is_before(ch, pulse)) return ch->held;
    return to_digits(ch, element(ch, elapsed_at(ch, pulse)));
}

/* The first pulse after `pulse` at which e reaches `target`, NEVER if it has. */
static uint64_t pulse_of(const struct pit_channel *ch, uint64_t pulse, uint64_t target)
{
    uint64_t e = elapsed_at(ch, pulse);

    return e < target ? (pulse > ch->base ? pulse : ch->base) + (target - e) : NEVER;
}

/* The first moment after e, in the same terms, at which OUT turns in this mode. */
static uint64_t next_turn(const struct pit_channel *ch, uint64_t e)
{
    uint64_t n = ch->count, start = e - e % n;

    switch (ch->mode) {
    case 0:
    case 1: return e < n ? n : NEVER;
    case 2: return n == 1 ? NEVER : e < start + n - 1 ? start + n - 1 : start + n;
    case 3:
        return n == 1                             ? NEVER
               : e < start + high_part(ch->count) ? start + high_part(ch->count)
                                                  : start + n;
    default: return e < n ? n : e == n ? n + 1 : NEVER;
    }
}

uint64_t pit_next_edge(const struct pit_channel *ch, uint64_t pulse)
{
    uint64_t edge = NEVER;

    if (ch->count && ch->running) {
        if (pulse < ch->base) return ch->base;
        uint64_t turn = next_turn(ch, elapsed_at(ch, pulse));

        if (turn != NEVER) edge = pulse_of(ch, pulse, turn);
    }
    return ch->switch_at > pulse && ch->switch_at < edge ? ch->switch_at : edge;
}

/* ---- changes ------------------------------------------------------------------------------------- */

static uint64_t pulse_now(const struct pit8254 *pit)
{
    return timebase_count(wire_now(&pit->w), PIT_HZ, pit->w.clock.hz);
}

/* The end of the current period (mode 2) or half-period (mode 3). */
static uint64_t end_of_cycle(const struct pit_channel *ch, uint64_t pulse)
{
    uint64_t e = elapsed_at(ch, pulse), n = ch->count, start = e - e % n;
    uint64_t half = start + high_part(ch->count);

    return pulse_of(ch, pulse, ch->mode == 3 && e < half && n > 1 ? half : start + n);
}

/* The new count of a periodic channel takes over when its moment has come. In mode 3 it may start
 * with its low part. */
static void settle_channel(struct pit_channel *ch, uint64_t pulse)
{
    if (ch->switch_at > pulse || !ch->running) return;
    uint64_t e = elapsed_at(ch, ch->switch_at);
    bool low_part = ch->mode == 3 && e % ch->count != 0;

    ch->base = ch->switch_at;
    ch->count = ch->next;
    ch->elapsed = low_part ? high_part(ch->count) % ch->count : 0;
    ch->switch_at = NEVER;
}

/* The count register goes into the counting element at the next pulse. */
static void load(struct pit_channel *ch, uint64_t pulse, bool before)
{
    ch->held = pit_counter(ch, pulse);
    ch->before = before;
    ch->count = ch->next;
    ch->spent = 0;
    ch->base = pulse + 1;
    ch->elapsed = 0;
    ch->switch_at = NEVER;
    ch->running = is_triggered(ch) || ch->gate;
}

static void count_written(struct pit_channel *ch, uint64_t pulse, uint16_t digits)
{
    bool out = pit_out(ch, pulse);

    ch->next = from_digits(ch, digits);
    if (ch->mode == 0 || ch->mode == 4) load(ch, pulse, ch->mode == 0 ? false : out);
    else if (ch->count && pulse < ch->base)
        ch->count = ch->next; /* overtakes the one about to be loaded */
    else if (is_periodic(ch) && !ch->count) load(ch, pulse, true);
    else if (is_periodic(ch) && ch->running) ch->switch_at = end_of_cycle(ch, pulse);
}

/* Mode 0: the first byte of two stops the count and takes OUT low. */
static void half_count_written(struct pit_channel *ch, uint64_t pulse)
{
    if (ch->mode != 0) return;
    ch->held = pit_counter(ch, pulse);
    ch->count = 0;
    ch->before = false;
}

static void write_counter(struct pit_channel *ch, uint64_t pulse, uint8_t value)
{
    if (ch->access == 1) count_written(ch, pulse, value);
    else if (ch->access == 2) count_written(ch, pulse, (uint16_t)(value << 8));
    else if (ch->half_written) {
        ch->half_written = 0;
        count_written(ch, pulse, (uint16_t)(value << 8 | ch->low));
    } else {
        ch->half_written = 1;
        ch->low = value;
        half_count_written(ch, pulse);
    }
}

static void gate_changed(struct pit_channel *ch, uint64_t pulse, bool gate)
{
    if (ch->gate == gate) return;
    ch->gate = gate;
    if (is_triggered(ch)) {
        if (gate && ch->next) load(ch, pulse, pit_out(ch, pulse));
    } else if (is_periodic(ch)) {
        if (!ch->count) return;
        if (gate) {
            load(ch, pulse, true);
        } else {
            ch->elapsed = elapsed_at(ch, pulse);
            ch->running = false;
            ch->before = true;
            ch->switch_at = NEVER;
        }
    } else if (gate) {
        if (ch->mode == 4 && ch->elapsed == ch->count && ch->base < pulse) ch->spent = 1;
        if (ch->base < pulse) ch->base = pulse;
        ch->running = true;
    } else {
        ch->elapsed = elapsed_at(ch, pulse);
        if (ch->base < pulse) ch->base = pulse;
        ch->running = false;
    }
}

/* ---- control word -------------------------------------------------------------------------------- */

static void latch_counter(struct pit_channel *ch, uint64_t pulse)
{
    if (ch->latch_left) return;
    ch->latched = pit_counter(ch, pulse);
    ch->latch_left = ch->access == 3 ? 2 : 1;
}

/* Bits 7 OUT, 6 null count, 5..0 as programmed. */
static uint8_t status_of(const struct pit_channel *ch, uint64_t pulse)
{
    bool null =
        is_before(ch, pulse) || ch->switch_at != NEVER || (ch->next && ch->next != ch->count);
    unsigned programmed = (unsigned)ch->access << 4 | (unsigned)ch->mode << 1 | ch->bcd;

    return (uint8_t)((pit_out(ch, pulse) ? STATUS_OUT : 0) | (null ? STATUS_NULL : 0) | programmed);
}

static void latch_status(struct pit_channel *ch, uint64_t pulse)
{
    if (ch->status_latched) return;
    ch->status = status_of(ch, pulse);
    ch->status_latched = 1;
}

static void set_mode(struct pit_channel *ch, uint64_t pulse, uint8_t word)
{
    uint8_t mode = word >> 1 & 7;

    ch->held = pit_counter(ch, pulse);
    ch->mode = mode > 5 ? mode - 4 : mode;
    ch->access = word >> 4 & 3;
    ch->bcd = word & 1;
    ch->count = ch->next = 0;
    ch->elapsed = 0;
    ch->base = pulse;
    ch->switch_at = NEVER;
    ch->running = false;
    ch->before = ch->mode != 0;
    ch->half_written = ch->half_read = 0;
    ch->latch_left = ch->status_latched = 0;
}

/* Read-back: bit 5 = 0 latches counts, bit 4 = 0 latches states, of the channels in bits 3..1. */
static void read_back(struct pit8254 *pit, uint64_t pulse, uint8_t word)
{
    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        if (!(word >> (i + 1) & 1)) continue;
        if (!(word & 0x20)) latch_counter(&pit->s.channel[i], pulse);
        if (!(word & 0x10)) latch_status(&pit->s.channel[i], pulse);
    }
}

static void write_control(struct pit8254 *pit, uint64_t pulse, uint8_t word)
{
    unsigned which = word >> 6;

    if (which == 3) read_back(pit, pulse, word);
    else if ((word >> 4 & 3) == 0) latch_counter(&pit->s.channel[which], pulse);
    else set_mode(&pit->s.channel[which], pulse, word);
}

/* ---- the chip ------------------------------------------------------------------------------------ */

static void put_line(struct pit8254 *pit, uint64_t pulse)
{
    bool out = pit_out(&pit->s.channel[0], pulse);

    pit->s.seen = pulse;
    if (out == (pit->s.irq != 0)) return;
    pit->s.irq = out;
    wire_irq(&pit->w, out);
}

/* Bring every channel up to a pulse, channel 0 edge by edge: an instruction may be longer than the
 * low pulse of mode 2. */
static void settle(struct pit8254 *pit, uint64_t pulse)
{
    struct pit_channel *ch = &pit->s.channel[0];

    for (uint64_t edge; (edge = pit_next_edge(ch, pit->s.seen)) <= pulse;) {
        settle_channel(ch, edge);
        put_line(pit, edge);
    }
    for (unsigned i = 1; i < PIT_CHANNELS; i++) settle_channel(&pit->s.channel[i], pulse);
}

/* After a change at `pulse`: the line, and the alarm for its next edge. */
static void drive(struct pit8254 *pit, uint64_t pulse)
{
    put_line(pit, pulse);
    wire_arm(&pit->w,
             timebase_tick(pit_next_edge(&pit->s.channel[0], pulse), PIT_HZ, pit->w.clock.hz));
}

static uint8_t read_counter(struct pit_channel *ch, uint64_t pulse)
{
    if (ch->status_latched) {
        ch->status_latched = 0;
        return ch->status;
    }
    uint16_t value = ch->latch_left ? ch->latched : pit_counter(ch, pulse);
    bool high = ch->access == 2 || (ch->access == 3 && ch->half_read);

    if (ch->access == 3) ch->half_read ^= 1;
    if (ch->latch_left) ch->latch_left--;
    return (uint8_t)(high ? value >> 8 : value);
}

static uint8_t read_port61(const struct pit8254 *pit, uint64_t pulse)
{
    return (uint8_t)(pit->s.port61 | (pulse / REFRESH_PULSES & 1 ? PORT61_REFRESH : 0) |
                     (pit_out(&pit->s.channel[2], pulse) ? PORT61_OUT2 : 0));
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct pit8254 *pit = chip;
    uint64_t pulse = pulse_now(pit);

    (void)cpu, (void)n;
    settle(pit, pulse);
    if (reg == REG_PORT61) return read_port61(pit, pulse);
    return reg < PIT_CHANNELS ? read_counter(&pit->s.channel[reg], pulse) : DEVICE_ABSENT;
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct pit8254 *pit = chip;
    uint64_t pulse = pulse_now(pit);

    (void)cpu, (void)n;
    settle(pit, pulse);
    if (reg == REG_PORT61) {
        pit->s.port61 = (uint8_t)value & PORT61_WRITABLE;
        gate_changed(&pit->s.channel[2], pulse, pit->s.port61 & PORT61_GATE2);
    } else if (reg == REG_CONTROL) {
        write_control(pit, pulse, (uint8_t)value);
    } else {
        write_counter(&pit->s.channel[reg], pulse, (uint8_t)value);
    }
    drive(pit, pulse);
}

static void alarm(void *chip)
{
    struct pit8254 *pit = chip;
    uint64_t pulse = pulse_now(pit);

    settle(pit, pulse);
    drive(pit, pulse);
}

/* After power-on the data sheet promises nothing; here: mode 3, nothing loaded, OUT high, so that a
 * guest that never programs it never hears of it. */
static void reset(void *chip)
{
    struct pit8254 *pit = chip;
    uint64_t pulse = pulse_now(pit);

    pit->s.port61 = 0;
    pit->s.seen = pulse;
    for (unsigned i = 0; i < PIT_CHANNELS; i++) {
        pit->s.channel[i] = (struct pit_channel){.gate = i < 2};
        set_mode(&pit->s.channel[i], pulse, 0x36);
    }
    drive(pit, pulse);
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct pit8254 *pit = chip;
    struct pit8254_state s = pit->s;
    uint64_t pulse = pulse_now(pit);

    for (unsigned i = 1; i < PIT_CHANNELS; i++) settle_channel(&s.channel[i], pulse);
    sink->put(sink->ctx, &s, sizeof s);
}

const struct device_ops pit8254_ops = {
    .name = "pit8254", .read = read, .write = write, .reset = reset, .alarm = alarm, .hash = hash};
