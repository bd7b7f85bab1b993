/*
 * ledger.c - the books of ledger.h. A crossing that nobody listens to costs a few additions on the way
 * in and out: no allocation, no search but for a row seen for the first time.
 */
#include "emu/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"

#define FIRST_DYNAMIC RS_CAT_WALK
_Static_assert(RS_CAT_USER == 0 && RS_CAT_KERNEL == 1 && FIRST_DYNAMIC == 2, "dynamic rows are last");

/* ---- sums ------------------------------------------------------------------------------------- */

static void sums_now(const struct cpu *c, struct ledger_sums *out)
{
    out->ticks = cpu_now(c);
    out->insns = cpu_insns(c);
    out->tlb_misses = c->mmu.tlb_misses;
    out->dynamic = c->dynamic;
    memcpy(out->category, c->category, sizeof out->category);
}

static void sums_sub(struct ledger_sums *from, const struct ledger_sums *what)
{
    from->ticks -= what->ticks;
    from->insns -= what->insns;
    from->tlb_misses -= what->tlb_misses;
    from->dynamic -= what->dynamic;
    for (unsigned i = 0; i < RS_CAT_COUNT; i++) from->category[i] -= what->category[i];
}

/* ---- rows ------------------------------------------------------------------------------------- */

/* There is room for every pair that can get one. */
static uint16_t row_new(struct ledger *l, unsigned how, uint32_t number)
{
    l->row[l->rows].how = (uint8_t)how;
    l->row[l->rows].number = number;
    return (uint16_t)l->rows++;
}

/* Numbers that have no place of their own: the first 64 pairs, then one row per kind. */
static uint16_t row_large(struct ledger *l, unsigned how, uint32_t number)
{
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < l->larges; i++)
            if (l->large[i].how == how && l->large[i].number == number) return l->large[i].row;
        if (l->larges < LEDGER_LARGE) break;
        number = LEDGER_OTHER;
    }
    uint16_t row = row_new(l, how, number);
    l->large[l->larges].how = (uint8_t)how;
    l->large[l->larges].number = number;
    l->large[l->larges++].row = row;
    return row;
}

static struct rs_ledger_row *row_of(struct ledger *l, unsigned how, uint32_t number)
{
    if (number >= LEDGER_NUMBERS) return &l->row[row_large(l, how, number)];
    uint16_t *place = &l->index[how][number];
    if (!*place) *place = row_new(l, how, number);
    return &l->row[*place];
}

/* ---- whose time it is --------------------------------------------------------------------------- */

static struct ledger_frame *top_frame(struct ledger_stack *s)
{
    return s->depth ? &s->frame[(s->top - 1) % LEDGER_SLOTS] : NULL;
}

static struct ledger_frame *owner(struct ledger_stack *s) { return s->depth ? top_frame(s) : &s->outside; }

/* What has passed since the mark is frame f's. */
static void settle(struct ledger_stack *s, struct ledger_frame *f, const struct cpu *c)
{
    uint64_t ticks = cpu_now(c), insns = cpu_insns(c);

    f->ticks += ticks - s->mark.ticks;
    f->insns += insns - s->mark.insns;
    f->tlb_misses += c->mmu.tlb_misses - s->mark.tlb_misses;
    f->dynamic += c->dynamic - s->mark.dynamic;
    s->mark.ticks = ticks;
    s->mark.insns = insns;
    s->mark.tlb_misses = c->mmu.tlb_misses;
    s->mark.dynamic = c->dynamic;
}

/* Charges since begin go to a row. */
static void book_pending(struct ledger_stack *s, struct cpu *c, struct rs_ledger_row *row)
{
    for (uint32_t left = c->billed; left != 0; left &= left - 1) {
        unsigned i = (unsigned)__builtin_ctz(left);
        row->category[i] += s->pending[i];
        s->pending[i] = 0;
    }
    s->has_begun = false;
}

static bool is_listened(const struct cpu *c)
{
    return (c->events->mask &
            (RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CROSS_END) | RS_MASK(RS_EV_BILL_ITEM))) != 0;
}

/* A delivery or return begins. One that had begun before has come to nothing: it was its surroundings'. */
static void begin(void *ctx, struct cpu *c)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    settle(s, owner(s), c);
    if (s->has_begun) book_pending(s, c, owner(s)->row);
    s->has_begun = true;
    c->bill = s->pending;
    c->billed = 0;
    if (is_listened(c)) sums_now(c, &s->begun);
}

/* ---- events ------------------------------------------------------------------------------------ */

static uint64_t emit(const struct cpu *c, enum rs_event_kind kind, unsigned how, const uint64_t w[4])
{
    if (!ev_wanted(c, kind)) return 0;
    struct rs_event ev = {.kind = (uint16_t)kind,
                          .cpu = c->index,
                          .cpl = c->cpl,
                          .how = (uint8_t)how,
                          .tick = cpu_now(c),
                          .rip = cpu_rip(c),
                          .w = {w[0], w[1], w[2], w[3]}};
    return c->events->emit(c->events->ctx, &ev);
}

static void emit_item(const struct cpu *c, unsigned how, uint64_t head, unsigned category,
                      uint64_t count, uint64_t ticks)
{
    if (ticks) emit(c, RS_EV_BILL_ITEM, how, (uint64_t[4]){head, category, count, ticks});
}

/* One line per category that was charged; instruction time inside a crossing is the kernel's. */
static void emit_bill(const struct cpu *c, unsigned how, uint64_t head, const struct ledger_sums *sums)
{
    if (!ev_wanted(c, RS_EV_BILL_ITEM)) return;
    emit_item(c, how, head, RS_CAT_KERNEL, sums->insns, sums->ticks - sums->dynamic);
    for (unsigned i = FIRST_DYNAMIC; i < RS_CAT_COUNT; i++)
        emit_item(c, how, head, i, i == RS_CAT_WALK ? sums->tlb_misses : 0, sums->category[i]);
}

static uint64_t clip20(uint64_t ticks) { return ticks < 0xfffff ? ticks : 0xfffff; }

/* CROSS with the parts of its own price, then the same as BILL lines. */
static uint64_t emit_cross(const struct cpu *c, unsigned how, uint32_t number, unsigned from_cpl,
                           bool inward, const struct ledger_sums *start)
{
    if (!(c->events->mask & (RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_BILL_ITEM)))) return 0;
    struct ledger_sums own;
    sums_now(c, &own);
    sums_sub(&own, start);
    own.ticks = own.dynamic; /* not the static price of the instruction that crossed */
    uint64_t levels = from_cpl | (uint64_t)c->cpl << 8 | (uint64_t)inward << 16 | (uint64_t)(inward ? c->via : 0) << CROSS_VIA_SHIFT |
                      clip20(own.category[RS_CAT_WALK]) << 24 |
                      clip20(own.category[RS_CAT_REFILL]) << 44;
    uint64_t head =
        emit(c, RS_EV_CROSS, how, (uint64_t[4]){number, cpu_rip(c), levels, own.ticks});
    emit_bill(c, how, head, &own);
    return head;
}

/* ---- the stack --------------------------------------------------------------------------------- */

/* Instruction time since the last crossing belongs to the ring that is being left. Deliveries are
 * dynamic charges only, so it does not matter how much of one is already booked. */
static void book_ring(struct ledger_stack *s, const struct cpu *c, unsigned from_cpl)
{
    uint64_t instructions = cpu_now(c) - c->dynamic;

    s->static_ticks[from_cpl & 3] += instructions - s->static_last;
    s->static_last = instructions;
}

static void enter(void *ctx, struct cpu *c, unsigned how, uint32_t number, unsigned from_cpl,
                  uint64_t start_tick)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    (void)start_tick; /* begin has marked it */
    if (how >= RS_X_COUNT) return;
    if (!s->has_begun) begin(ctx, c);
    struct ledger_frame *f = &s->frame[s->top % LEDGER_SLOTS];
    s->top++;
    if (s->depth < LEDGER_DEPTH) s->depth++; /* else the oldest is forgotten */
    f->row = row_of(l, how, number);
    f->ticks = f->insns = f->tlb_misses = f->dynamic = 0;
    f->number = number;
    f->how = (uint8_t)how;
    f->from_cpl = (uint8_t)from_cpl;
    f->head = 0;
    f->has_start = false;
    book_pending(s, c, f->row);
    c->bill = f->row->category;
    l->crossings[how]++;
    book_ring(s, c, from_cpl);
    if (is_listened(c)) {
        f->has_start = true;
        f->start = s->begun;
        f->head = emit_cross(c, how, number, from_cpl, true, &f->start);
    }
}

static void tell_closed(const struct ledger_frame *f, const struct cpu *c)
{
    struct ledger_sums total;

    sums_now(c, &total);
    sums_sub(&total, &f->start);
    uint64_t end = emit(c, RS_EV_CROSS_END, f->how,
                        (uint64_t[4]){f->head, cpu_rip(c), total.insns, total.ticks});
    emit_bill(c, f->how, end, &total);
}

/* The innermost frame is over: its sums go to its row. */
static void close_frame(struct ledger *l, struct ledger_stack *s, struct cpu *c)
{
    struct ledger_frame *f = top_frame(s);
    struct rs_ledger_row *row = f->row;

    settle(s, f, c);
    row->category[RS_CAT_KERNEL] += f->ticks - f->dynamic;
    row->insns += f->insns;
    row->tlb_misses += f->tlb_misses;
    row->ticks_min = row->count == 0 || f->ticks < row->ticks_min ? f->ticks : row->ticks_min;
    row->ticks_max = f->ticks > row->ticks_max ? f->ticks : row->ticks_max;
    row->ticks_total += f->ticks;
    row->count++;
    l->crossing_ticks[f->how] += f->ticks;
    s->top--;
    s->depth--;
    if (f->has_start && is_listened(c)) tell_closed(f, c);
}

static void leave(void *ctx, struct cpu *c, unsigned how, unsigned from_cpl, uint64_t start_tick)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    (void)start_tick;
    if (how >= RS_X_COUNT) return;
    if (!s->has_begun) begin(ctx, c);
    l->crossings[how]++;
    book_pending(s, c, owner(s)->row); /* the price of a return is its crossing's */
    /* frames from further in can never be returned to any more */
    struct ledger_frame *f = top_frame(s);
    while (f && f->from_cpl < c->cpl) {
        close_frame(l, s, c);
        f = top_frame(s);
    }
    bool matched = f && f->from_cpl == c->cpl;
    /* a task switch is told by the new task's selector, whatever the levels */
    bool task = how == RS_X_TASK;
    uint32_t number = task ? c->seg[SEG_TR].sel : matched ? f->number : 0;
    if ((task || c->cpl != from_cpl) && is_listened(c))
        emit_cross(c, how, number, from_cpl, false, &s->begun);
    if (matched) close_frame(l, s, c);
    else l->unmatched++;
    c->bill = owner(s)->row->category;
    book_ring(s, c, from_cpl);
}

/* ---- life and questions --------------------------------------------------------------------------- */

bool ledger_init(struct ledger *l, unsigned cpus)
{
    memset(l, 0, sizeof *l);
    l->wire = (struct crossing_wire){.ctx = l, .begin = begin, .enter = enter, .leave = leave};
    l->cpus = cpus;
    l->rows = 1;
    l->stack = calloc(cpus, sizeof *l->stack);
    l->row = calloc(LEDGER_ROWS, sizeof *l->row);
    if (!l->stack || !l->row) {
        ledger_free(l);
        return false;
    }
    for (unsigned i = 0; i < cpus; i++) l->stack[i].outside.row = &l->row[0];
    return true;
}

void ledger_free(struct ledger *l)
{
    free(l->stack);
    free(l->row);
    memset(l, 0, sizeof *l);
}

void ledger_attach(struct ledger *l, struct cpu *c) { c->bill = owner(&l->stack[c->index])->row->category; }

void ledger_forget(struct ledger *l)
{
    for (unsigned i = 0; i < l->cpus; i++) {
        l->stack[i].depth = 0;
        l->stack[i].has_begun = false;
        memset(l->stack[i].pending, 0, sizeof l->stack[i].pending);
    }
}

static void read_cpu(const struct ledger *l, const struct cpu *c, struct rs_ledger *out)
{
    const struct ledger_stack *s = &l->stack[c->index];
    uint64_t by_level[4], now = cpu_now(c);

    memcpy(by_level, s->static_ticks, sizeof by_level);
    by_level[c->cpl & 3] += now - c->dynamic - s->static_last;
    out->category[RS_CAT_USER] += by_level[3];
    out->category[RS_CAT_KERNEL] += by_level[0] + by_level[1] + by_level[2];
    for (unsigned i = FIRST_DYNAMIC; i < RS_CAT_COUNT; i++) out->category[i] += c->category[i];
    for (unsigned i = 0; i < 4; i++) out->ring[i] += c->ring_ticks[i];
    out->ring[c->cpl & 3] += now - c->ring_since;
    out->tlb_misses += c->mmu.tlb_misses;
    out->walks += c->mmu.walks;
    out->walk_steps += c->mmu.walk_steps;
}

rs_status ledger_read(const struct ledger *l, const struct cpu *const *c, unsigned n,
                      struct rs_ledger *out)
{
    uint32_t size = out ? out->struct_size : 0;

    if (size < sizeof *out || n > l->cpus) return RS_E_ARG;
    memset(out, 0, sizeof *out);
    out->struct_size = size;
    for (unsigned i = 0; i < n; i++) read_cpu(l, c[i], out);
    memcpy(out->crossings, l->crossings, sizeof out->crossings);
    memcpy(out->crossing_ticks, l->crossing_ticks, sizeof out->crossing_ticks);
    return RS_OK;
}

/* The row of a kind with the smallest number that is not below `number`, 0 if there is none. */
static uint16_t row_from(const struct ledger *l, unsigned how, uint64_t number)
{
    uint16_t best = 0;

    for (uint64_t i = number; i < LEDGER_NUMBERS; i++)
        if (l->index[how][i]) return l->index[how][i];
    for (unsigned i = 0; i < l->larges; i++) {
        if (l->large[i].how != how || l->large[i].number < number) continue;
        if (!best || l->large[i].number < l->row[best].number) best = l->large[i].row;
    }
    return best;
}

bool ledger_row(const struct ledger *l, unsigned index, struct rs_ledger_row *out)
{
    for (unsigned how = 0; how < RS_X_COUNT; how++) {
        uint16_t row;
        for (uint64_t number = 0; (row = row_from(l, how, number)) != 0;) {
            number = (uint64_t)l->row[row].number + 1;
            if (!l->row[row].count) continue; /* still open */
            if (index-- == 0) {
                *out = l->row[row];
                return true;
            }
        }
    }
    return false;
}
