/*
 * lapic.c - the local APIC in xAPIC mode.
 *
 * IRR holds what has arrived, ISR what the core is serving; the highest IRR vector is deliverable when
 * its class (upper half) is above the processor priority's, the higher of TPR and the highest in
 * service. `settle` recomputes that after every change, so that the core's question is one load.
 * The timer is a function of the clock: so many counts were left at `timer_start`; an alarm stands
 * only while an expiry would interrupt.
 * Manual: SDM 3A "Local APIC", "Local Vector Table", "APIC Timer", "Interrupt, Task, and Processor
 * Priority", "Interrupt Acceptance for Fixed Interrupts", "Issuing Interprocessor Interrupts".
 */
#include "cpu/lapic.h"

#include <string.h>

#define NO_PAGE (UINT64_MAX & ~(uint64_t)(LAPIC_PAGE - 1))
#define NEVER UINT64_MAX

/* Register numbers: offset / 16. */
enum {
    REG_ID = 0x02,
    REG_VERSION = 0x03,
    REG_TPR = 0x08,
    REG_APR = 0x09,
    REG_PPR = 0x0a,
    REG_EOI = 0x0b,
    REG_RRD = 0x0c,
    REG_LDR = 0x0d,
    REG_DFR = 0x0e,
    REG_SVR = 0x0f,
    REG_ISR = 0x10,
    REG_TMR = 0x18,
    REG_IRR = 0x20,
    REG_ESR = 0x28,
    REG_ICR_LOW = 0x30,
    REG_ICR_HIGH = 0x31,
    REG_LVT = 0x32,
    REG_TIMER_INITIAL = 0x38,
    REG_TIMER_CURRENT = 0x39,
    REG_TIMER_DIVIDE = 0x3e
};

#define VERSION (0x14u | (LVT_COUNT - 1u) << 16)
#define SVR_ENABLE 0x100u
#define SVR_WRITABLE 0x1ffu
#define SVR_RESET 0xffu
#define DFR_ONES 0x0fffffffu
#define DFR_FLAT 0xfu
#define ESR_SEND_VECTOR 0x20u
#define ESR_RECEIVE_VECTOR 0x40u
#define ESR_REGISTER 0x80u
#define LVT_VECTOR 0xffu
#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL 0x8000u
#define LVT_MASKED 0x10000u
#define LVT_PERIODIC 0x20000u
#define ICR_WRITABLE 0x000ccfffu
#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define FIRST_VECTOR 16u

enum { MODE_FIXED, MODE_LOWEST, MODE_SMI, MODE_NMI = 4, MODE_INIT, MODE_STARTUP, MODE_EXTINT };
enum { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS };

static const uint32_t lvt_writable[LVT_COUNT] = {
    [LVT_TIMER] = 0x300ff, [LVT_THERMAL] = 0x107ff, [LVT_PERF] = 0x107ff,
    [LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff};

/* ---- vectors and priorities ------------------------------------------------------------------------- */

static bool has_vector(const uint32_t set[8], unsigned v) { return set[v / 32] >> v % 32 & 1; }
static void add_vector(uint32_t set[8], unsigned v) { set[v / 32] |= 1u << v % 32; }
static void remove_vector(uint32_t set[8], unsigned v) { set[v / 32] &= ~(1u << v % 32); }

/* The highest vector of a set, -1 if it is empty. */
static int highest(const uint32_t set[8])
{
    for (int i = 7; i >= 0; i--)
        if (set[i]) return 32 * i + 31 - __builtin_clz(set[i]);
    return -1;
}

static uint32_t priority(const struct lapic_state *s)
{
    int serving = highest(s->isr);
    uint32_t class = serving < 0 ? 0 : (uint32_t)serving & 0xf0;

    return (s->tpr & 0xf0) >= class ? s->tpr : class;
}

/* Would this vector, in IRR, be delivered? */
static bool is_above(const struct lapic_state *s, unsigned vector)
{
    return (vector & 0xf0) > (priority(s) & 0xf0);
}

static unsigned lvt_mode(const struct lapic_state *s, enum lapic_lvt i)
{
    return s->lvt[i] >> 8 & 7;
}
static bool is_masked(const struct lapic_state *s, enum lapic_lvt i)
{
    return s->lvt[i] & LVT_MASKED;
}
static bool is_on(const struct lapic_state *s) { return s->base & LAPIC_BASE_ENABLE; }
static bool is_software_enabled(const struct lapic_state *s) { return s->svr & SVR_ENABLE; }

bool lapic_extint(const struct lapic *l)
{
    const struct lapic_state *s = &l->s;

    if (!s->lint[0]) return false;
    return !is_on(s) || (!is_masked(s, LVT_LINT0) && lvt_mode(s, LVT_LINT0) == MODE_EXTINT);
}

static void settle(struct lapic *l)
{
    int candidate = highest(l->s.irr);
    bool before = l->intr;

    l->vector = candidate >= 0 && is_above(&l->s, (unsigned)candidate) ? candidate : -1;
    l->intr = l->vector >= 0 || lapic_extint(l);
    if (l->intr != before) l->w.signal(l->w.core, LAPIC_INTR, l->intr);
}

/* ---- arrivals ---------------------------------------------------------------------------------------- */

static void post(struct lapic_state *s, unsigned vector, bool level)
{
    if (!is_on(s) || !is_software_enabled(s)) return;
    add_vector(s->irr, vector);
    if (level) add_vector(s->tmr, vector);
    else remove_vector(s->tmr, vector);
}

/* An error is gathered and, once, interrupts. */
static void error(struct lapic_state *s, uint32_t what)
{
    bool is_new = (s->errors & what) == 0;
    unsigned vector = s->lvt[LVT_ERROR] & LVT_VECTOR;

    s->errors |= what;
    if (!is_new || is_masked(s, LVT_ERROR)) return;
    if (vector < FIRST_VECTOR) s->errors |= ESR_RECEIVE_VECTOR;
    else post(s, vector, false);
}

static void post_checked(struct lapic_state *s, unsigned vector, bool level)
{
    if (vector < FIRST_VECTOR) error(s, ESR_RECEIVE_VECTOR);
    else post(s, vector, level);
}

/* A pin has risen, or is still up after the end of its level-triggered interrupt. */
static void lint_asks(struct lapic *l, enum lapic_lvt i)
{
    struct lapic_state *s = &l->s;
    bool level = s->lvt[i] & LVT_LEVEL;

    if (is_masked(s, i) || !is_on(s)) return;
    if (lvt_mode(s, i) == MODE_NMI) {
        l->w.signal(l->w.core, LAPIC_NMI, 1);
    } else if (lvt_mode(s, i) == MODE_FIXED && !(level && (s->lvt[i] & LVT_REMOTE_IRR))) {
        if (level && is_software_enabled(s)) s->lvt[i] |= LVT_REMOTE_IRR;
        post_checked(s, s->lvt[i] & LVT_VECTOR, level);
    }
}

void lapic_lint(struct lapic *l, unsigned pin, bool level)
{
    bool rises = level && !l->s.lint[pin];

    l->s.lint[pin] = level;
    if (rises) lint_asks(l, pin ? LVT_LINT1 : LVT_LINT0);
    settle(l);
}

bool lapic_lint0_passes(const struct lapic *l)
{
    const struct lapic_state *s = &l->s;
    unsigned vector = s->lvt[LVT_LINT0] & LVT_VECTOR;

    if (!is_on(s)) return true;
    if (is_masked(s, LVT_LINT0)) return false;
    if (lvt_mode(s, LVT_LINT0) != MODE_FIXED) return true;
    return is_software_enabled(s) && vector >= FIRST_VECTOR && is_above(s, vector);
}

uint8_t lapic_accept(struct lapic *l, uint8_t vector)
{
    if (l->vector < 0 || !has_vector(l->s.irr, vector) || !is_above(&l->s, vector))
        return (uint8_t)(l->s.svr & LVT_VECTOR);
    remove_vector(l->s.irr, vector);
    add_vector(l->s.isr, vector);
    settle(l);
    return vector;
}

/* The highest in service is done. A level-triggered pin that is still up asks again. */
static void end_of_interrupt(struct lapic *l)
{
    struct lapic_state *s = &l->s;
    int serving = highest(s->isr);

    if (serving < 0) return;
    remove_vector(s->isr, (unsigned)serving);
    if (!has_vector(s->tmr, (unsigned)serving)) return;
    for (enum lapic_lvt i = LVT_LINT0; i <= LVT_LINT1; i++) {
        if (!(s->lvt[i] & LVT_REMOTE_IRR) || (int)(s->lvt[i] & LVT_VECTOR) != serving) continue;
        s->lvt[i] &= ~LVT_REMOTE_IRR;
        if (s->lint[i - LVT_LINT0]) lint_asks(l, i);
    }
    if (l->w.eoi) l->w.eoi(l->w.bus, (uint8_t)serving);
}

/* ---- timer ------------------------------------------------------------------------------------------- */

static uint64_t pulse_now(const struct lapic *l)
{
    return l->w.clock.now(l->w.clock.ctx) / l->w.timer_ticks;
}

/* Bits 3, 1, 0: 0 = by 2, 1 = by 4, ... 6 = by 128, 7 = by 1. */
static uint64_t divider(const struct lapic_state *s)
{
    unsigned code = (s->timer_divide & 3) | (s->timer_divide >> 1 & 4);

    return code == 7 ? 1 : 2ull << code;
}

static bool is_periodic(const struct lapic_state *s) { return s->lvt[LVT_TIMER] & LVT_PERIODIC; }

static uint64_t counts_since_start(const struct lapic_state *s, uint64_t pulse)
{
    return (pulse - s->timer_start) / divider(s);
}

/* Bring the timer to a pulse: true if it has expired since. */
static bool timer_advance(struct lapic_state *s, uint64_t pulse)
{
    if (!s->timer_running) return false;
    uint64_t gone = counts_since_start(s, pulse);

    if (gone < s->timer_first) return false;
    if (is_periodic(s)) {
        uint64_t periods = (gone - s->timer_first) / s->timer_initial;

        s->timer_start += (s->timer_first + periods * s->timer_initial) * divider(s);
        s->timer_first = s->timer_initial;
    } else {
        s->timer_running = false;
        s->timer_first = 0;
        s->timer_start = 0;
    }
    return true;
}

static uint32_t timer_current(const struct lapic_state *s, uint64_t pulse)
{
    struct lapic_state now = *s;

    timer_advance(&now, pulse);
    return now.timer_running ? now.timer_first - (uint32_t)counts_since_start(&now, pulse) : 0;
}

/* Expiries up to now take effect under the settings they happened under. */
static void timer_settle(struct lapic *l)
{
    if (timer_advance(&l->s, pulse_now(l)) && !is_masked(&l->s, LVT_TIMER))
        post_checked(&l->s, l->s.lvt[LVT_TIMER] & LVT_VECTOR, false);
}

static void timer_arm(const struct lapic *l)
{
    const struct lapic_state *s = &l->s;
    uint64_t when = NEVER;

    if (s->timer_running && !is_masked(s, LVT_TIMER))
        when = (s->timer_start + s->timer_first * divider(s)) * l->w.timer_ticks;
    l->w.clock.arm(l->w.clock.ctx, l->w.source, when);
}

/* From now on so many counts until the next expiry. */
static void timer_restart(struct lapic *l, uint32_t counts)
{
    l->s.timer_running = counts != 0;
    l->s.timer_first = counts;
    l->s.timer_start = counts ? pulse_now(l) : 0;
}

void lapic_timer_alarm(struct lapic *l)
{
    timer_settle(l);
    timer_arm(l);
    settle(l);
}

bool lapic_may_wake(const struct lapic *l)
{
    const struct lapic_state *s = &l->s;

    return s->timer_running && !is_masked(s, LVT_TIMER) && is_on(s) && is_software_enabled(s) &&
           (s->lvt[LVT_TIMER] & LVT_VECTOR) >= FIRST_VECTOR &&
           is_above(s, s->lvt[LVT_TIMER] & LVT_VECTOR);
}

/* ---- interprocessor interrupts ------------------------------------------------------------------------ */

/* Logical destination: flat = a bit of eight; cluster = number in bits 7..4, a bit of four. */
static bool matches_logically(const struct lapic_state *s, uint8_t dest)
{
    uint8_t ours = (uint8_t)(s->ldr >> 24);

    if (dest == 0xff) return true;
    if (s->dfr >> 28 == DFR_FLAT) return (ours & dest) != 0;
    return (ours ^ dest) < 0x10 && (ours & dest & 0xf) != 0;
}

bool lapic_is_addressed(const struct lapic *l, const struct lapic_ipi *ipi)
{
    if (ipi->shorthand == TO_ALL || ipi->shorthand == TO_OTHERS) return true;
    if (ipi->shorthand == TO_SELF) return false;
    if (ipi->logical) return matches_logically(&l->s, ipi->dest);
    return ipi->dest == l->s.id || ipi->dest == 0xff;
}

static void take_ipi(struct lapic *l, const struct lapic_ipi *ipi, bool level)
{
    switch (ipi->mode) {
    case MODE_FIXED:
    case MODE_LOWEST: post_checked(&l->s, ipi->vector, level); break;
    case MODE_NMI: l->w.signal(l->w.core, LAPIC_NMI, 1); break;
    case MODE_INIT: l->w.signal(l->w.core, LAPIC_INIT, 1); break;
    case MODE_STARTUP: l->w.signal(l->w.core, LAPIC_STARTUP, ipi->vector); break;
    default: break;
    }
}

void lapic_receive(struct lapic *l, const struct lapic_ipi *ipi, bool level_triggered)
{
    if (!is_on(&l->s) || !lapic_is_addressed(l, ipi)) return;
    take_ipi(l, ipi, level_triggered);
    settle(l);
}

static void send(struct lapic *l)
{
    uint32_t low = l->s.icr_low;
    struct lapic_ipi ipi = {.vector = (uint8_t)low,
                            .mode = low >> 8 & 7,
                            .shorthand = low >> 18 & 3,
                            .dest = (uint8_t)(l->s.icr_high >> 24),
                            .logical = low & ICR_LOGICAL};
    bool fixed = ipi.mode == MODE_FIXED || ipi.mode == MODE_LOWEST;

    if (fixed && ipi.vector < FIRST_VECTOR) {
        error(&l->s, ESR_SEND_VECTOR);
        return;
    }
    if (ipi.mode == MODE_INIT && !(low & ICR_ASSERT))
        return; /* INIT level de-assert: long without effect */
    bool self =
        ipi.shorthand == TO_SELF || (ipi.shorthand != TO_OTHERS && lapic_is_addressed(l, &ipi));

    /* By shorthand, only fixed ones may come back to the sender. */
    if (self && (fixed || ipi.shorthand == TO_DEST)) take_ipi(l, &ipi, false);
    if (ipi.shorthand != TO_SELF && l->w.send) l->w.send(l->w.bus, l->s.id, &ipi);
}

/* ---- registers ---------------------------------------------------------------------------------------- */

static uint32_t read_register(struct lapic *l, unsigned reg)
{
    struct lapic_state *s = &l->s;

    switch (reg) {
    case REG_ID: return (uint32_t)s->id << 24;
    case REG_VERSION: return VERSION;
    case REG_TPR: return s->tpr;
    case REG_PPR: return priority(s);
    case REG_APR:
    case REG_RRD:
    case REG_EOI: return 0;
    case REG_LDR: return s->ldr;
    case REG_DFR: return s->dfr;
    case REG_SVR: return s->svr;
    case REG_ESR: return s->esr;
    case REG_ICR_LOW: return s->icr_low;
    case REG_ICR_HIGH: return s->icr_high;
    case REG_TIMER_INITIAL: return s->timer_initial;
    case REG_TIMER_CURRENT: return timer_current(s, pulse_now(l));
    case REG_TIMER_DIVIDE: return s->timer_divide;
    default: break;
    }
    if (reg - REG_ISR < 8) return s->isr[reg - REG_ISR];
    if (reg - REG_TMR < 8) return s->tmr[reg - REG_TMR];
    if (reg - REG_IRR < 8) return s->irr[reg - REG_IRR];
    if (reg - REG_LVT < LVT_COUNT) return s->lvt[reg - REG_LVT];
    error(s, ESR_REGISTER);
    settle(l);
    return 0;
}

uint64_t lapic_read(struct lapic *l, unsigned offset, unsigned n)
{
    unsigned byte = offset & 15;

    if (byte > 3) return 0;
    return (uint64_t)read_register(l, (offset & 0xfff) >> 4) >> (8 * byte) &
           UINT64_MAX >> (64 - 8 * n);
}

static void write_lvt(struct lapic *l, enum lapic_lvt i, uint32_t value)
{
    struct lapic_state *s = &l->s;

    s->lvt[i] = (value & lvt_writable[i]) | (s->lvt[i] & LVT_REMOTE_IRR);
    if (!is_software_enabled(s)) s->lvt[i] |= LVT_MASKED;
    if ((i == LVT_LINT0 || i == LVT_LINT1) && (s->lvt[i] & LVT_LEVEL) && s->lint[i - LVT_LINT0])
        lint_asks(l, i);
}

/* Switching it off by software masks every entry. */
static void write_svr(struct lapic_state *s, uint32_t value)
{
    s->svr = value & SVR_WRITABLE;
    if (is_software_enabled(s)) return;
    for (unsigned i = 0; i < LVT_COUNT; i++) s->lvt[i] |= LVT_MASKED;
}

static void write_divide(struct lapic *l, uint32_t value)
{
    uint32_t left = timer_current(&l->s, pulse_now(l));

    l->s.timer_divide = value & 0xb;
    timer_restart(l, left);
}

static void write_register(struct lapic *l, unsigned reg, uint32_t value)
{
    struct lapic_state *s = &l->s;

    switch (reg) {
    case REG_TPR: s->tpr = value & 0xff; return;
    case REG_EOI: end_of_interrupt(l); return;
    case REG_LDR: s->ldr = value & 0xff000000u; return;
    case REG_DFR: s->dfr = value | DFR_ONES; return;
    case REG_SVR: write_svr(s, value); return;
    case REG_ESR:
        s->esr = s->errors;
        s->errors = 0;
        return;
    case REG_ICR_LOW:
        s->icr_low = value & ICR_WRITABLE;
        send(l);
        return;
    case REG_ICR_HIGH: s->icr_high = value & 0xff000000u; return;
    case REG_TIMER_INITIAL:
        s->timer_initial = value;
        timer_restart(l, value);
        return;
    case REG_TIMER_DIVIDE: write_divide(l, value); return;
    case REG_ID: /* fixed, like the rest here */
    case REG_VERSION:
    case REG_PPR:
    case REG_APR:
    case REG_RRD:
    case REG_TIMER_CURRENT: return;
    default: break;
    }
    if (reg - REG_LVT < LVT_COUNT) write_lvt(l, (enum lapic_lvt)(reg - REG_LVT), value);
    else if (reg - REG_ISR >= REG_ESR - REG_ISR) error(s, ESR_REGISTER);
}

void lapic_write(struct lapic *l, unsigned offset, unsigned n, uint64_t value)
{
    if (offset & 15) return;
    timer_settle(l);
    write_register(l, (offset & 0xfff) >> 4, (uint32_t)(value & UINT64_MAX >> (64 - 8 * n)));
    timer_arm(l);
    settle(l);
}

void lapic_set_cr8(struct lapic *l, uint64_t cr8)
{
    l->s.tpr = (uint32_t)(cr8 & 15) << 4;
    settle(l);
}

/* ---- life --------------------------------------------------------------------------------------------- */

/* All registers but ID and IA32_APIC_BASE; pins are their owners'. */
static void clear(struct lapic_state *s)
{
    *s = (struct lapic_state){.base = s->base,
                              .id = s->id,
                              .dfr = UINT32_MAX,
                              .svr = SVR_RESET,
                              .lint = {s->lint[0], s->lint[1]}};
    for (unsigned i = 0; i < LVT_COUNT; i++) s->lvt[i] = LVT_MASKED;
}

static void renew(struct lapic *l)
{
    l->page = is_on(&l->s) ? l->s.base & ~(uint64_t)(LAPIC_PAGE - 1) : NO_PAGE;
    timer_arm(l);
    settle(l);
}

bool lapic_base_judge(uint64_t value, unsigned maxphyaddr)
{
    uint64_t address = ((uint64_t)1 << maxphyaddr) - LAPIC_PAGE;

    return !(value & ~(address | LAPIC_BASE_ENABLE | LAPIC_BASE_BSP));
}

bool lapic_base_write(struct lapic *l, uint64_t value, unsigned maxphyaddr)
{
    if (!lapic_base_judge(value, maxphyaddr)) return false;
    timer_settle(l);
    l->s.base = value;
    if (!is_on(&l->s)) clear(&l->s);
    renew(l);
    return true;
}

void lapic_init_signal(struct lapic *l)
{
    clear(&l->s);
    renew(l);
}

void lapic_reset(struct lapic *l)
{
    bool bsp = l->s.id == 0;

    l->s.base = LAPIC_BASE_DEFAULT | (l->w.absent ? 0 : LAPIC_BASE_ENABLE) | (bsp ? LAPIC_BASE_BSP : 0);
    clear(&l->s);
    if (bsp) {
        l->s.lvt[LVT_LINT0] = MODE_EXTINT << 8;
        l->s.lvt[LVT_LINT1] = MODE_NMI << 8;
    }
    renew(l);
}

void lapic_init(struct lapic *l, unsigned id, const struct lapic_wires *wires)
{
    memset(l, 0, sizeof *l);
    l->w = *wires;
    l->s.id = (uint8_t)id;
    l->vector = -1;
    lapic_reset(l);
}

void lapic_restore(struct lapic *l, const struct lapic_state *state)
{
    l->s = *state;
    renew(l);
}

void lapic_hash(const struct lapic *l, void *ctx,
                void (*put)(void *ctx, const void *bytes, size_t n))
{
    put(ctx, &l->s, sizeof l->s);
}
