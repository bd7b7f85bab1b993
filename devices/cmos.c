/*
 * cmos.c - MC146818.
 *
 * While updates run the time bytes are computed when read; `freeze` writes them down and `thaw` reads
 * them back, which is how a guest sets the clock, whether it stops updates first or not. Flags of
 * register C are worked out from the pulses since somebody last looked (`settle`).
 * A second takes no time to be carried through the registers; UIP is up for the 8 pulses (244 us)
 * before it.
 */
#include "devices/cmos.h"

#include "devices/timebase.h"

#include <string.h>

enum {
    SECONDS,
    SECONDS_ALARM,
    MINUTES,
    MINUTES_ALARM,
    HOURS,
    HOURS_ALARM,
    WEEKDAY,
    DAY,
    MONTH,
    YEAR,
    REG_A,
    REG_B,
    REG_C,
    REG_D,
    EQUIPMENT = 0x14,
    BASE_KB = 0x15,
    EXTENDED_KB = 0x17,
    CHECKSUM_FIRST = 0x10,
    CHECKSUM_LAST = 0x2d,
    CHECKSUM = 0x2e, /* high byte first */
    EXTENDED_KB_FOUND = 0x30,
    CENTURY = 0x32,
    ABOVE_16M = 0x34, /* in 64 KiB */
    ABOVE_4G = 0x5b,  /* in 64 KiB, 3 bytes */
    OTHER_CPUS = 0x5f
};

#define A_UIP 0x80u
#define A_RATE 0x0fu
#define A_DIVIDER_RESET 0x60u /* these bits of DV both 1 */
#define A_DEFAULT 0x26u
#define B_SET 0x80u
#define B_UIE 0x10u
#define B_BINARY 0x04u
#define B_24H 0x02u
#define C_IRQF 0x80u
#define C_PF 0x40u
#define C_AF 0x20u
#define C_UF 0x10u
#define C_FLAGS (C_PF | C_AF | C_UF) /* the enables in B are the same bits */
#define B_SQWE 0x08u
#define D_VRT 0x80u
#define HOUR_PM 0x80u
#define ALARM_ANY 0xc0u
#define EQUIPMENT_FPU 0x02u

#define UIP_PULSES 8u
#define DAY_SECONDS 86400u
#define DAYS_TO_1970 719528u     /* from the start of the year 0 */
#define LAST_EPOCH 253402300799u /* 9999-12-31 23:59:59 */
#define NEVER UINT64_MAX

/* ---- calendar, pure -------------------------------------------------------------------------------- */

struct date {
    uint64_t year;
    unsigned month, day; /* from 1 */
};

static bool is_leap(uint64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

/* Days from the start of the year 0 to the start of a year. */
static uint64_t days_before_year(uint64_t year)
{
    if (year == 0) return 0;
    uint64_t y = year - 1;

    return year * 365 + y / 4 - y / 100 + y / 400 + 1; /* the year 0 is leap */
}

static unsigned days_in_month(uint64_t year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

static struct date date_of(uint64_t days)
{
    struct date d = {.year = days / 366, .month = 1};

    while (days_before_year(d.year + 1) <= days) d.year++;
    days -= days_before_year(d.year);
    while (days >= days_in_month(d.year, d.month)) days -= days_in_month(d.year, d.month++);
    d.day = (unsigned)days + 1;
    return d;
}

/* A day past the month's end runs into the next month. */
static uint64_t days_of(struct date d)
{
    uint64_t days = days_before_year(d.year) + d.day - 1;

    for (unsigned m = 1; m < d.month; m++) days += days_in_month(d.year, m);
    return days;
}

/* ---- number formats -------------------------------------------------------------------------------- */

static uint8_t to_byte(const struct cmos_state *s, unsigned value)
{
    return (uint8_t)(s->ram[REG_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static unsigned from_byte(const struct cmos_state *s, uint8_t byte)
{
    return s->ram[REG_B] & B_BINARY ? byte : (byte >> 4) * 10u + (byte & 15);
}

static uint8_t to_hour(const struct cmos_state *s, unsigned hour)
{
    if (s->ram[REG_B] & B_24H) return to_byte(s, hour);
    return to_byte(s, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned from_hour(const struct cmos_state *s, uint8_t byte)
{
    if (s->ram[REG_B] & B_24H) return from_byte(s, byte);
    return from_byte(s, byte & (uint8_t)~HOUR_PM) % 12 + (byte & HOUR_PM ? 12 : 0);
}

static unsigned within(unsigned value, unsigned low, unsigned high)
{
    return value < low ? low : value > high ? high : value;
}

/* ---- the running clock ------------------------------------------------------------------------------ */

static uint64_t pulse_now(const struct cmos *c)
{
    return timebase_count(wire_now(&c->w), CMOS_HZ, c->w.clock.hz);
}

static bool divider_runs(const struct cmos_state *s)
{
    return (s->ram[REG_A] & A_DIVIDER_RESET) != A_DIVIDER_RESET;
}
static bool is_running(const struct cmos_state *s)
{
    return divider_runs(s) && !(s->ram[REG_B] & B_SET);
}

/* `base` may lie before pulse 0, as a wrapped number: only differences count. */
static uint64_t seconds_since_base(const struct cmos_state *s, uint64_t pulse)
{
    return (pulse - s->base) / CMOS_HZ;
}

/* The calendar's day of the week, 1 = Sunday. */
static unsigned natural_weekday(uint64_t days) { return (unsigned)((days + 6) % 7) + 1; }

/* Write the time down in the time bytes. */
static void freeze(struct cmos_state *s, uint64_t pulse)
{
    if (!is_running(s)) return;
    uint64_t t = s->seconds + seconds_since_base(s, pulse), days = t / DAY_SECONDS;
    struct date d = date_of(days);

    s->ram[SECONDS] = to_byte(s, (unsigned)(t % 60));
    s->ram[MINUTES] = to_byte(s, (unsigned)(t / 60 % 60));
    s->ram[HOURS] = to_hour(s, (unsigned)(t / 3600 % 24));
    s->ram[WEEKDAY] = to_byte(s, (natural_weekday(days) - 1 + s->weekday_off) % 7 + 1);
    s->ram[DAY] = to_byte(s, d.day);
    s->ram[MONTH] = to_byte(s, d.month);
    s->ram[YEAR] = to_byte(s, (unsigned)(d.year % 100));
    s->ram[CENTURY] = to_byte(s, (unsigned)(d.year / 100 % 100));
}

/* Go on from what the time bytes say; the fraction of the second runs on. */
static void thaw(struct cmos_state *s, uint64_t pulse)
{
    if (!is_running(s)) return;
    struct date d = {.year = from_byte(s, s->ram[CENTURY]) * 100ull + from_byte(s, s->ram[YEAR]),
                     .month = within(from_byte(s, s->ram[MONTH]), 1, 12),
                     .day = within(from_byte(s, s->ram[DAY]), 1, 31)};
    uint64_t days = days_of(d);

    s->base += seconds_since_base(s, pulse) * CMOS_HZ;
    s->seconds = days * DAY_SECONDS + within(from_hour(s, s->ram[HOURS]), 0, 23) * 3600ull +
                 within(from_byte(s, s->ram[MINUTES]), 0, 59) * 60ull +
                 within(from_byte(s, s->ram[SECONDS]), 0, 59);
    s->weekday_off =
        (uint8_t)((from_byte(s, s->ram[WEEKDAY]) + 7 * 40 - natural_weekday(days)) % 7);
}

/* ---- interrupts ------------------------------------------------------------------------------------- */

/* Pulses between two periodic interrupts, 0 = none. */
static unsigned period(const struct cmos_state *s)
{
    unsigned rate = s->ram[REG_A] & A_RATE;

    return rate == 0 ? 0 : rate < 3 ? 64u << rate : 1u << (rate - 1);
}

static bool alarm_is_any(uint8_t byte) { return (byte & ALARM_ANY) == ALARM_ANY; }

/* The first moment after t whose time of day is the alarm's, NEVER if no such time exists. */
static uint64_t next_alarm(const struct cmos_state *s, uint64_t t)
{
    uint64_t last = t + DAY_SECONDS;

    for (t++; t <= last;) {
        uint64_t second = t % 60, minute = t / 60 % 60, hour = t / 3600 % 24;

        if (!alarm_is_any(s->ram[HOURS_ALARM]) && hour != from_hour(s, s->ram[HOURS_ALARM]))
            t += 3600 - t % 3600;
        else if (!alarm_is_any(s->ram[MINUTES_ALARM]) &&
                 minute != from_byte(s, s->ram[MINUTES_ALARM]))
            t += 60 - second;
        else if (!alarm_is_any(s->ram[SECONDS_ALARM]) &&
                 second != from_byte(s, s->ram[SECONDS_ALARM]))
            t++;
        else return t;
    }
    return NEVER;
}

/* Set the flags for what happened in (seen, pulse]. */
static void settle(struct cmos_state *s, uint64_t pulse)
{
    unsigned each = period(s);

    if (divider_runs(s) && each && (pulse - s->base) / each > (s->seen - s->base) / each)
        s->flags |= C_PF;
    if (is_running(s)) {
        uint64_t before = seconds_since_base(s, s->seen), after = seconds_since_base(s, pulse);

        if (after > before) s->flags |= C_UF;
        if (after > before && next_alarm(s, s->seconds + before) <= s->seconds + after)
            s->flags |= C_AF;
    }
    s->seen = pulse;
}

static uint64_t sooner(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The pulse at which an enabled flag will next be set, NEVER if none. */
static uint64_t next_event(const struct cmos_state *s)
{
    unsigned enabled = s->ram[REG_B] & C_FLAGS, each = period(s);
    uint64_t since = s->seen - s->base, next = NEVER;

    if (divider_runs(s) && each && (enabled & C_PF)) next = s->base + (since / each + 1) * each;
    if (is_running(s) && (enabled & C_UF))
        next = sooner(next, s->base + (since / CMOS_HZ + 1) * CMOS_HZ);
    if (is_running(s) && (enabled & C_AF)) {
        uint64_t t = next_alarm(s, s->seconds + since / CMOS_HZ);

        if (t != NEVER) next = sooner(next, s->base + (t - s->seconds) * CMOS_HZ);
    }
    return next;
}

/* The interrupt line, and the alarm for the next change of it. While it is up nothing can change it
 * but a read of register C. */
static void drive(struct cmos *c)
{
    bool level = c->s.flags & c->s.ram[REG_B] & C_FLAGS;
    uint64_t next = level ? NEVER : next_event(&c->s);

    wire_arm(&c->w, timebase_tick(next, CMOS_HZ, c->w.clock.hz));
    if (level == (c->s.irq != 0)) return;
    c->s.irq = level;
    wire_irq(&c->w, level);
}

/* ---- registers -------------------------------------------------------------------------------------- */

static uint8_t read_a(const struct cmos_state *s, uint64_t pulse)
{
    bool uip = is_running(s) && (pulse - s->base) % CMOS_HZ >= CMOS_HZ - UIP_PULSES;

    return s->ram[REG_A] | (uip ? A_UIP : 0);
}

static uint8_t read_c(struct cmos *c)
{
    uint8_t flags = c->s.flags;

    if (flags & c->s.ram[REG_B] & C_FLAGS) flags |= C_IRQF;
    c->s.flags = 0;
    return flags;
}

static uint8_t read_data(struct cmos *c, uint64_t pulse)
{
    struct cmos_state *s = &c->s;

    switch (s->index) {
    case REG_A: return read_a(s, pulse);
    case REG_C: return read_c(c);
    default: freeze(s, pulse); return s->ram[s->index];
    }
}

/* Bits 6..4 choose the divider, 3..0 the periodic rate. Out of reset the first second takes half a
 * second. */
static void write_a(struct cmos_state *s, uint64_t pulse, uint8_t value)
{
    bool ran = divider_runs(s);

    s->ram[REG_A] = value & (uint8_t)~A_UIP;
    if (!ran && divider_runs(s)) s->base = pulse - CMOS_HZ / 2;
}

/* Stopping updates takes back the update interrupt's enable. */
static void write_b(struct cmos_state *s, uint8_t value)
{
    s->ram[REG_B] = (uint8_t)(value & B_SET ? value & ~B_UIE : value);
}

/* Around every write the time is written down and read back: whatever changes it or its running then
 * does what it should. Another format chosen while it runs is the same time in that format (the real
 * chip would keep the bytes and misread them). */
static void write_data(struct cmos_state *s, uint64_t pulse, uint8_t value)
{
    bool ran = is_running(s);

    freeze(s, pulse);
    switch (s->index) {
    case REG_A: write_a(s, pulse, value); break;
    case REG_B: write_b(s, value); break;
    case REG_C:
    case REG_D: break;
    default: s->ram[s->index] = value; break;
    }
    if (ran && s->index == REG_B) freeze(s, pulse);
    else thaw(s, pulse);
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct cmos *c = chip;
    uint64_t pulse = pulse_now(c);

    (void)cpu, (void)n;
    if (reg == 0) return DEVICE_ABSENT; /* the index is write only */
    settle(&c->s, pulse);
    uint8_t value = read_data(c, pulse);

    drive(c);
    return value;
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct cmos *c = chip;
    uint64_t pulse = pulse_now(c);

    (void)cpu, (void)n;
    if (reg == 0) {
        c->s.index = value & (CMOS_BYTES - 1); /* bit 7 masks NMI, of which there is no source */
        return;
    }
    settle(&c->s, pulse);
    write_data(&c->s, pulse, (uint8_t)value);
    drive(c);
}

static void alarm(void *chip)
{
    struct cmos *c = chip;

    settle(&c->s, pulse_now(c));
    drive(c);
}

/* The RESET pin stops interrupts; time and memory have a battery. */
static void reset(void *chip)
{
    struct cmos *c = chip;

    settle(&c->s, pulse_now(c));
    c->s.ram[REG_B] &= (uint8_t) ~(C_FLAGS | B_SQWE);
    c->s.flags = 0;
    c->s.index = 0;
    drive(c);
}

static void put16(struct cmos_state *s, unsigned at, uint64_t value)
{
    if (value > 0xffff) value = 0xffff;
    s->ram[at] = (uint8_t)value;
    s->ram[at + 1] = (uint8_t)(value >> 8);
}

static uint64_t excess(uint64_t bytes, uint64_t over) { return bytes > over ? bytes - over : 0; }

static void configure_memory(struct cmos_state *s, uint64_t low, uint64_t high)
{
    uint64_t extended_kb = excess(low, 1u << 20) >> 10;
    unsigned sum = 0;

    put16(s, BASE_KB, 640);
    put16(s, EXTENDED_KB, extended_kb);
    put16(s, EXTENDED_KB_FOUND, extended_kb);
    put16(s, ABOVE_16M, excess(low, 16u << 20) >> 16);
    for (unsigned i = 0; i < 3; i++) s->ram[ABOVE_4G + i] = (uint8_t)(high >> (16 + 8 * i));
    for (unsigned i = CHECKSUM_FIRST; i <= CHECKSUM_LAST; i++) sum += s->ram[i];
    s->ram[CHECKSUM] = (uint8_t)(sum >> 8);
    s->ram[CHECKSUM + 1] = (uint8_t)sum;
}

void cmos_configure(struct cmos *c, uint64_t epoch, uint64_t low, uint64_t high, unsigned cpus)
{
    struct cmos_state *s = &c->s;

    memset(s, 0, sizeof *s);
    s->base = s->seen = pulse_now(c);
    s->seconds = (epoch < LAST_EPOCH ? epoch : LAST_EPOCH) + (uint64_t)DAYS_TO_1970 * DAY_SECONDS;
    s->ram[REG_A] = A_DEFAULT;
    s->ram[REG_B] = B_24H;
    s->ram[REG_D] = D_VRT;
    s->ram[EQUIPMENT] = EQUIPMENT_FPU;
    s->ram[OTHER_CPUS] = (uint8_t)(cpus - 1);
    configure_memory(s, low, high);
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct cmos *c = chip;
    struct cmos_state s = c->s;
    uint64_t pulse = pulse_now(c);

    settle(&s, pulse);
    freeze(&s, pulse);
    sink->put(sink->ctx, &s, sizeof s);
}

const struct device_ops cmos_ops = {
    .name = "cmos", .read = read, .write = write, .reset = reset, .alarm = alarm, .hash = hash};
