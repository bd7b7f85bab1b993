/*
 * exec_string.c - MOVS STOS LODS SCAS CMPS, alone and under REP, REPE, REPNE.
 *
 * One element is the unit of everything: a fault leaves RCX, RSI and RDI at the element that could
 * not be done, an interrupt is taken between two elements, the price is due element by element.
 * string_one() does one element through mem_read and mem_write; string_run() does many at once when
 * the filter knows both host pages. The two must never be told apart: a run stops at the very
 * element after which the deadline is reached, as the slow way would, and it leaves alone whatever
 * the slow way treats specially (split accesses, segment limits, pages with code).
 *
 * The flags of a repeated SCAS or CMPS are written when it completes, so that a fault leaves those
 * before the instruction, as the manual wants, however often it was interrupted. With TF set every
 * element is followed by a trap; then the flags are written each time.
 * Manual: SDM 2B "REP/REPE/REPZ/REPNE/REPNZ", "MOVS", "STOS", "SCAS"; SDM 2A "CMPS", "LODS".
 */
#include "cpu/exec_parts.h"
#include "cpu/limit.h"

#include <string.h>

enum string_kind { STR_MOVS, STR_STOS, STR_LODS, STR_SCAS, STR_CMPS };

static bool compares(enum string_kind kind) { return kind == STR_SCAS || kind == STR_CMPS; }
static bool has_source(enum string_kind kind) { return kind != STR_STOS && kind != STR_SCAS; }
static bool has_dest(enum string_kind kind) { return kind != STR_LODS; }

/** The two values that the last comparison saw. */
struct compared {
    uint64_t a, b;
};

/* ---- one element ------------------------------------------------------------------------------- */

static uint64_t pointer(const struct cpu *c, const struct op *o, enum gpr reg)
{
    return c->gpr[reg] & addr_mask(o);
}

/** Move RSI or RDI by n elements in the direction of DF. */
static void advance(struct cpu *c, const struct op *o, enum gpr reg, uint64_t n)
{
    uint64_t by = n * o->width;

    addr_put(c, reg, addr_mask(o), c->gpr[reg] + (c->flags & RF_DF ? 0 - by : by));
}

static void advance_both(struct cpu *c, const struct op *o, enum string_kind kind, uint64_t n)
{
    if (has_source(kind)) advance(c, o, R_RSI, n);
    if (has_dest(kind)) advance(c, o, R_RDI, n);
}

/** Two operands are both judged before either is touched: one may be a device's. */
static bool judge_both(struct cpu *c, const struct op *o, enum string_kind kind)
{
    if (!mem_probe_read(c, o->seg, pointer(c, o, R_RSI), o->width)) return false;
    return kind == STR_MOVS ? mem_probe_write(c, SEG_ES, pointer(c, o, R_RDI), o->width)
                            : mem_probe_read(c, SEG_ES, pointer(c, o, R_RDI), o->width);
}

/** One element by the book. False = c->fault is set and nothing happened. */
static bool string_one(struct cpu *c, const struct op *o, enum string_kind kind, struct compared *v)
{
    uint64_t dest = pointer(c, o, R_RDI);

    v->a = reg_get(c, R_RAX, o->width);
    if (has_source(kind)) {
        if (has_dest(kind) && !judge_both(c, o, kind)) return false;
        if (!mem_read(c, o->seg, pointer(c, o, R_RSI), o->width, &v->a)) return false;
    }
    if (compares(kind)) {
        if (!mem_read(c, SEG_ES, dest, o->width, &v->b)) return false;
    } else if (has_dest(kind)) {
        if (!mem_write(c, SEG_ES, dest, o->width, v->a)) return false;
    } else {
        reg_put(c, R_RAX, o->width, v->a);
    }
    advance_both(c, o, kind, 1);
    return true;
}

/* ---- many elements on host memory ------------------------------------------------------------------ */

static inline uint64_t peek(const uint8_t *p, unsigned width)
{
    uint64_t v = 0;

    switch (width) {
    case 1: return *p;
    case 2: memcpy(&v, p, 2); return v;
    case 4: memcpy(&v, p, 4); return v;
    default: memcpy(&v, p, 8); return v;
    }
}

static void poke(uint8_t *p, unsigned width, uint64_t v)
{
    switch (width) {
    case 1: *p = (uint8_t)v; break;
    case 2: memcpy(p, &v, 2); break;
    case 4: memcpy(p, &v, 4); break;
    default: memcpy(p, &v, 8); break;
    }
}

/**
 * span - the elements from seg:eff on, in the direction of DF, that lie in one page which the filter
 * knows and which nothing special befalls: at most `want`; 0 = take the slow way.
 * @host  where the first of them lies
 */
static uint64_t span(const struct cpu *c, const struct op *o, unsigned seg, enum gpr reg, bool write,
                     uint64_t want, uint8_t **host)
{
    uint64_t mask = addr_mask(o), eff = c->gpr[reg] & mask, lin = linear_of(c, seg, eff);
    const struct filter_slot *slot = &(write ? c->wr : c->rd)[(lin >> 12) & (FILTER_SLOTS - 1)];
    unsigned width = o->width;
    uint64_t n, low;

    if (slot->tag != ((lin & ~0xfffull) | c->mmu.filter.key)) return 0;
    if ((lin | eff) & (width - 1)) return 0;
    if (c->flags & RF_DF) {
        n = (lin & 0xfff) / width + 1;
        if (n > want) n = want;
        if (eff / width < n - 1) n = eff / width + 1;
        low = eff - (n - 1) * width;
    } else {
        n = (0x1000 - (lin & 0xfff)) / width;
        if (n > want) n = want;
        if ((mask - eff) / width < n - 1) n = (mask - eff) / width + 1;
        low = eff;
    }
    if (!seg_silent(c, seg, low, n * width, write)) return 0;
    *host = (uint8_t *)(uintptr_t)(slot->addend + lin);
    return n;
}

/** n elements upwards where the destination may lie within the source, as a loop would do it. */
static void copy_up(uint8_t *dest, const uint8_t *source, uint64_t n, unsigned width)
{
    uint64_t bytes = n * width, ahead = (uintptr_t)dest - (uintptr_t)source;

    if (ahead >= bytes) { /* behind or clear of it */
        memmove(dest, source, bytes);
    } else if (ahead >= 64) { /* each piece is complete before it is read again */
        for (uint64_t i = 0; i < bytes; i += ahead)
            memcpy(dest + i, source + i, bytes - i < ahead ? bytes - i : ahead);
    } else if (ahead) {
        for (uint64_t i = 0; i < bytes; i += width) poke(dest + i, width, peek(source + i, width));
    }
}

static void copy_down(uint8_t *dest, const uint8_t *source, uint64_t n, unsigned width)
{
    for (uint64_t i = 0; i < n; i++) poke(dest - i * width, width, peek(source - i * width, width));
}

/** n elements of one value from the lowest address on. */
static void fill(uint8_t *low, uint64_t n, unsigned width, uint64_t value)
{
    uint64_t all = value & width_mask(width), bytes = n * width, i = 0;

    for (unsigned w = width; w < 8; w *= 2) all |= all << (8 * w);
    if (all == (all & 0xff) * 0x0101010101010101u) {
        memset(low, (int)(all & 0xff), bytes);
        return;
    }
    for (; i + 8 <= bytes; i += 8) memcpy(low + i, &all, 8);
    for (; i < bytes; i += width) poke(low + i, width, all);
}

/** Does a repeated comparison end on these values? */
static inline bool ends(bool until_equal, const struct compared *v)
{
    return (v->a == v->b) == until_equal;
}

static bool until_equal(const struct op *o) { return (o->flags & OPF_REPNE) != 0; }

/** Compare up to n elements; returns how many were compared, the last one's values in *v.
 *  source may be NULL: v->a is compared with each. Inlined for each constant width. */
static inline __attribute__((always_inline)) uint64_t
compare_width(unsigned width, bool until, const uint8_t *source, const uint8_t *dest, uint64_t n,
              int64_t step, struct compared *v)
{
    struct compared now = *v;
    uint64_t done = 0;

    while (done < n) {
        if (source) now.a = peek(source, width);
        now.b = peek(dest, width);
        done++;
        if (ends(until, &now)) break;
        if (source) source += step;
        dest += step;
    }
    *v = now;
    return done;
}

static uint64_t compare(const struct op *o, const uint8_t *source, const uint8_t *dest, uint64_t n,
                        int64_t step, struct compared *v)
{
    bool until = until_equal(o);

    switch (o->width) {
    case 1: return compare_width(1, until, source, dest, n, step, v);
    case 2: return compare_width(2, until, source, dest, n, step, v);
    case 4: return compare_width(4, until, source, dest, n, step, v);
    default: return compare_width(8, until, source, dest, n, step, v);
    }
}

/** Up to `want` elements at once; 0 = the slow way is due. Moves the pointers, not RCX. */
static uint64_t string_run(struct cpu *c, const struct op *o, enum string_kind kind, uint64_t want,
                           struct compared *v)
{
    bool down = (c->flags & RF_DF) != 0;
    int64_t step = down ? -(int64_t)o->width : (int64_t)o->width;
    uint8_t *source = NULL, *dest = NULL;
    uint64_t n = want;

    if (has_source(kind)) n = span(c, o, o->seg, R_RSI, false, n, &source);
    if (n && has_dest(kind)) n = span(c, o, SEG_ES, R_RDI, !compares(kind), n, &dest);
    if (n == 0) return 0;
    v->a = reg_get(c, R_RAX, o->width);
    switch (kind) {
    case STR_MOVS: (down ? copy_down : copy_up)(dest, source, n, o->width); break;
    case STR_STOS: fill(down ? dest + (int64_t)(n - 1) * step : dest, n, o->width, v->a); break;
    case STR_LODS:
        v->a = peek(source + (int64_t)(n - 1) * step, o->width);
        reg_put(c, R_RAX, o->width, v->a);
        break;
    case STR_SCAS:
    case STR_CMPS: n = compare(o, source, dest, n, step, v); break;
    }
    advance_both(c, o, kind, n);
    return n;
}

/* ---- the price ------------------------------------------------------------------------------------- */

/** An element costs num / den ticks; rem is what the elements so far owe beyond whole ticks. */
struct price {
    uint64_t num, den, rem;
};

static struct price price_of(const struct cpu *c, const struct op *o, enum string_kind kind)
{
    const uint32_t *event = c->cost->event;
    uint32_t rate = event[COST_REP_MOVSB_BYTES_PER_CYCLE];

    switch (kind) {
    case STR_LODS:
    case STR_SCAS: return (struct price){event[COST_REP_SCAS_PER_ELEM_64THS], 1, 0};
    case STR_CMPS: return (struct price){event[COST_REP_CMPS_PER_ELEM_64THS], 1, 0};
    case STR_MOVS:
    case STR_STOS: break;
    }
    return (struct price){(uint64_t)o->width * TICKS_PER_CYCLE, rate ? rate : 1, 0};
}

static void charge_start(struct cpu *c, const struct op *o, enum string_kind kind)
{
    if (compares(kind)) return;
    if (kind == STR_STOS)
        cpu_charge_event(c, RS_CAT_MICROCODE, COST_REP_STOS_START);
    else if (kind == STR_MOVS && o->width == 1)
        cpu_charge_event(c, RS_CAT_MICROCODE, COST_REP_MOVSB_START);
    else
        cpu_charge_event(c, RS_CAT_MICROCODE, COST_REP_MOVS_START);
}

static void charge_elements(struct cpu *c, struct price *p, uint64_t n)
{
    uint64_t due = p->rem + n * p->num;

    p->rem = due % p->den;
    cpu_charge(c, RS_CAT_MICROCODE, due / p->den);
}

/** The elements after which the deadline will have been reached: at least 1, at most a page's worth
 *  (then there may be time left; the caller looks). */
static uint64_t elements_due(const struct cpu *c, const struct price *p)
{
    uint64_t now = cpu_now(c), most = 4096, ticks;

    if (now >= c->deadline) return 1;
    if (p->num == 0) return most;
    ticks = c->deadline - now;
    if (ticks >= (most * p->num + p->rem) / p->den) return most;
    ticks = (ticks * p->den - p->rem + p->num - 1) / p->num;
    return ticks ? ticks : 1;
}

/* ---- the repetition -------------------------------------------------------------------------------- */

static inline bool must_pause(const struct cpu *c)
{
    return cpu_now(c) >= c->deadline || c->debug_hit || (c->flags & RF_TF);
}

/** In 64-bit mode with 67h Intel's processors begin by clearing the upper halves of RCX and of the
 *  pointers that MOVS and STOS write back: seen where RCX = 0 and where the first element faults
 *  (measured; checks.md 97). */
static void repeat_begin(struct cpu *c, const struct op *o, enum string_kind kind)
{
    if (!cpu_64(c) || !(o->flags & OPF_ADDR32) || !cpu_does(c, BEHAVE_REP_ZERO_TRUNCATES)) return;
    addr_put(c, R_RCX, addr_mask(o), c->gpr[R_RCX]);
    if (kind == STR_MOVS) addr_put(c, R_RSI, addr_mask(o), c->gpr[R_RSI]);
    if (kind == STR_MOVS || kind == STR_STOS) addr_put(c, R_RDI, addr_mask(o), c->gpr[R_RDI]);
}

static enum step string_repeat(struct cpu *c, const struct op *o, enum string_kind kind)
{
    uint64_t count = pointer(c, o, R_RCX);
    struct price price = price_of(c, o, kind);
    struct compared v = {0, 0};
    bool done, changed = false;

    /* one that was left and not interrupted (a limit, a stop, a deaf alarm) goes on as if it had not been */
    if (c->rep_paid) price.rem = c->rep_rem;
    else charge_start(c, o, kind);
    c->rep_paid = false;
    repeat_begin(c, o, kind);
    if (count == 0) return STEP_NEXT;
    do {
        uint64_t want = c->flags & RF_TF ? 1 : elements_due(c, &price);
        uint64_t n = string_run(c, o, kind, want < count ? want : count, &v);

        if (n == 0) {
            own_begin(c, o);
            bool ok = string_one(c, o, kind, &v);
            changed = own_end(c);
            if (!ok) return STEP_FAULT;
            n = 1;
        }
        count -= n;
        addr_put(c, R_RCX, addr_mask(o), count);
        charge_elements(c, &price, n);
        done = count == 0 || (compares(kind) && ends(until_equal(o), &v));
    } while (!done && !changed && !must_pause(c));
    if (compares(kind) && (done || (c->flags & RF_TF))) fl_sub(c, v.a, v.b, o->width);
    if (done) return STEP_NEXT;
    c->rep_paid = !changed; /* until something is delivered (cpu_forget_place) */
    c->rep_rem = price.rem;
    return STEP_REPEAT;
}

static inline enum step string_op(struct cpu *c, const struct op *o, enum string_kind kind)
{
    struct compared v;

    if (o->flags & (OPF_REP | OPF_REPNE)) return string_repeat(c, o, kind);
    if (!string_one(c, o, kind, &v)) return STEP_FAULT;
    if (compares(kind)) fl_sub(c, v.a, v.b, o->width);
    return STEP_NEXT;
}

OP(movs) { return string_op(c, o, STR_MOVS); }
OP(stos) { return string_op(c, o, STR_STOS); }
OP(lods) { return string_op(c, o, STR_LODS); }
OP(scas) { return string_op(c, o, STR_SCAS); }
OP(cmps) { return string_op(c, o, STR_CMPS); }
