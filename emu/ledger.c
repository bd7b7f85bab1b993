/*
 * ledger.c - the books of ledger.h. A crossing that nobody listens to costs a snapshot on the way in
 * and a subtraction on the way out: no allocation, no search but for a row seen for the first time.
 */
#include "emu/ledger.h"

#include <stdlib.h>
#include <string.h>

#include "cpu/cpu.h"

#define FIRST_DYNAMIC RS_CAT_WALK
_Static_assert(RS_CAT_USER == 0 && RS_CAT_KERNEL == 1 && FIRST_DYNAMIC == 2, "dynamic rows are last");

/* ---- sums ------------------------------------------------------------------------------------- */

/* One pass word by word: the last charge may still be in the host's store buffer, from which wider
 * loads are not forwarded. */
static void sums_now(const struct cpu *c, struct ledger_sums *out)
{
    uint64_t dynamic = 0;

    out->ticks = cpu_now(c);
    out->insns = cpu_insns(c);
    out->tlb_misses = c->mmu.tlb_misses;
    out->category[RS_CAT_USER] = out->category[RS_CAT_KERNEL] = 0;
    for (unsigned i = FIRST_DYNAMIC; i < RS_CAT_COUNT; i++) {
        out->category[i] = c->category[i];
        dynamic += c->category[i];
    }
    out->dynamic = dynamic;
}

static uint64_t dynamic_of(const struct cpu *c)
{
    uint64_t sum = 0;

    for (unsigned i = FIRST_DYNAMIC; i < RS_CAT_COUNT; i++) sum += c->category[i];
    return sum;
}

static void sums_add(struct ledger_sums *to, const struct ledger_sums *what)
{
    to->ticks += what->ticks;
    to->insns += what->insns;
    to->tlb_misses += what->tlb_misses;
    to->dynamic += what->dynamic;
    for (unsigned i = 0; i < RS_CAT_COUNT; i++) to->category[i] += what->category[i];
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

/* Room for one more row; row 0 is the bin. */
static uint16_t row_new(struct ledger *l, unsigned how, uint32_t number)
{
    if (l->rows == l->room) {
        unsigned room = l->room * 2;
        struct rs_ledger_row *row = realloc(l->row, room * sizeof *row);
        if (!row) return 0;
        l->row = row;
        l->room = room;
    }
    memset(&l->row[l->rows], 0, sizeof *l->row);
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
    if (row) {
        l->large[l->larges].how = (uint8_t)how;
        l->large[l->larges].number = number;
        l->large[l->larges++].row = row;
    }
    return row;
}

static uint16_t row_of(struct ledger *l, unsigned how, uint32_t number)
{
    if (number >= LEDGER_NUMBERS) return row_large(l, how, number);
    uint16_t *place = &l->index[how][number];
    if (!*place) *place = row_new(l, how, number);
    return *place;
}

/* One more crossing of this kind; categories are booked by the caller. */
static void row_count(struct rs_ledger_row *row, uint64_t ticks)
{
    row->ticks_min = row->count == 0 || ticks < row->ticks_min ? ticks : row->ticks_min;
    row->ticks_max = ticks > row->ticks_max ? ticks : row->ticks_max;
    row->ticks_total += ticks;
    row->count++;
}

/* ---- the price of the delivery or return under way ------------------------------------------------ */

/* What the profile's price list says of a crossing, for callers that did not announce its begin. */
static enum cost_event list_price(unsigned how, bool changes)
{
    switch ((enum rs_crossing)how) {
    case RS_X_SYSCALL: return COST_SYSCALL;
    case RS_X_SYSRET: return COST_SYSRET;
    case RS_X_SYSENTER: return COST_SYSENTER;
    case RS_X_SYSEXIT: return COST_SYSEXIT;
    case RS_X_INT: return changes ? COST_INT_INNER : COST_INT_SAME;
    case RS_X_EXCEPTION: return changes ? COST_EXCEPTION_INNER : COST_INT_SAME;
    case RS_X_IRQ:
    case RS_X_NMI: return changes ? COST_INTERRUPT_INNER : COST_INT_SAME;
    case RS_X_IRET: return changes ? COST_IRET_OUTER : COST_IRET_SAME;
    case RS_X_CALL_GATE: return changes ? COST_CALLGATE_INNER : COST_FAR_SAME;
    case RS_X_FAR_RET: return changes ? COST_RETF_OUTER : COST_FAR_SAME;
    case RS_X_TASK: return COST_TASK_SWITCH;
    case RS_X_COUNT:
    default: return COST_INT_SAME;
    }
}

static enum rs_category price_category(enum cost_event event)
{
    return event == COST_INTERRUPT_INNER ? RS_CAT_INTERRUPT : RS_CAT_TRANSITION;
}

/* No begin was heard: take the list price off again, and the rest for walks. */
static void derive_start(const struct cpu *c, unsigned how, bool changes, uint64_t start_tick,
                         struct ledger_sums *out)
{
    sums_now(c, out);
    enum cost_event event = list_price(how, changes);
    uint64_t elapsed = out->ticks - start_tick;
    uint64_t price = c->cost->event[event] < elapsed ? c->cost->event[event] : elapsed;
    uint64_t rest = elapsed - price;
    uint64_t *priced = &out->category[price_category(event)], *walks = &out->category[RS_CAT_WALK];
    *priced -= price < *priced ? price : *priced;
    *walks -= rest < *walks ? rest : *walks;
    out->dynamic -= elapsed < out->dynamic ? elapsed : out->dynamic;
    out->ticks = start_tick;
}

/* The slot above the stack, holding the sums as they were at start_tick. */
static struct ledger_frame *started(struct ledger_stack *s, const struct cpu *c, unsigned how,
                                    unsigned from_cpl, uint64_t start_tick)
{
    struct ledger_frame *f = &s->frame[s->top % LEDGER_SLOTS];

    if (!s->has_begun || f->start.ticks != start_tick)
        derive_start(c, how, c->cpl != from_cpl, start_tick, &f->start);
    s->has_begun = false;
    return f;
}

static void begin(void *ctx, struct cpu *c)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    sums_now(c, &s->frame[s->top % LEDGER_SLOTS].start);
    s->has_begun = true;
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
    uint64_t levels = from_cpl | (uint64_t)c->cpl << 8 | (uint64_t)inward << 16 |
                      clip20(own.category[RS_CAT_WALK]) << 24 |
                      clip20(own.category[RS_CAT_REFILL]) << 44;
    uint64_t head =
        emit(c, RS_EV_CROSS, how, (uint64_t[4]){number, cpu_rip(c), levels, own.ticks});
    emit_bill(c, how, head, &own);
    return head;
}

static bool is_listened(const struct cpu *c)
{
    return (c->events->mask &
            (RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CROSS_END) | RS_MASK(RS_EV_BILL_ITEM))) != 0;
}

/* ---- the stack --------------------------------------------------------------------------------- */

static struct ledger_frame *top_frame(struct ledger_stack *s)
{
    return s->depth ? &s->frame[(s->top - 1) % LEDGER_SLOTS] : NULL;
}

/* Instruction time since the last crossing belongs to the ring that is being left. Deliveries are
 * dynamic charges only, so it does not matter how much of one is already booked. */
static void book_ring(struct ledger_stack *s, uint64_t instructions, unsigned from_cpl)
{
    s->static_ticks[from_cpl & 3] += instructions - s->static_last;
    s->static_last = instructions;
}

static void enter(void *ctx, struct cpu *c, unsigned how, uint32_t number, unsigned from_cpl,
                  uint64_t start_tick)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    if (how >= RS_X_COUNT) return;
    struct ledger_frame *f = started(s, c, how, from_cpl, start_tick);
    s->top++;
    if (s->depth < LEDGER_DEPTH) s->depth++; /* else the oldest is forgotten */
    f->number = number;
    f->row = row_of(l, how, number);
    f->how = (uint8_t)how;
    f->from_cpl = (uint8_t)from_cpl;
    f->has_nested = false;
    f->head = 0;
    l->crossings[how]++;
    book_ring(s, f->start.ticks - f->start.dynamic, from_cpl);
    if (is_listened(c)) f->head = emit_cross(c, how, number, from_cpl, true, &f->start);
}

/* What was spent inside goes to the frame around it, so that rows do not count it twice. */
static void add_nested(struct ledger_frame *outer, const struct ledger_sums *total)
{
    if (!outer->has_nested) memset(&outer->nested, 0, sizeof outer->nested);
    outer->has_nested = true;
    sums_add(&outer->nested, total);
}

/* The row gets the frame's own share: from its start to now, without what was nested inside. Returns
 * the sum of all dynamic charges up to now. */
static uint64_t book_row(struct ledger *l, const struct ledger_frame *f, const struct cpu *c)
{
    static const struct ledger_sums none;
    const struct ledger_sums *nested = f->has_nested ? &f->nested : &none;
    struct rs_ledger_row *row = &l->row[f->row];
    uint64_t ticks = cpu_now(c) - f->start.ticks, dynamic = 0;

    for (unsigned i = FIRST_DYNAMIC; i < RS_CAT_COUNT; i++) {
        uint64_t part = c->category[i] - f->start.category[i];
        dynamic += part;
        row->category[i] += part - nested->category[i];
    }
    row->category[RS_CAT_KERNEL] += ticks - dynamic - (nested->ticks - nested->dynamic);
    row->insns += cpu_insns(c) - f->start.insns - nested->insns;
    row->tlb_misses += c->mmu.tlb_misses - f->start.tlb_misses - nested->tlb_misses;
    row_count(row, ticks - nested->ticks);
    l->crossing_ticks[f->how] += ticks - nested->ticks;
    return f->start.dynamic + dynamic;
}

/* What the frame around it and listeners want to know of a frame that was just taken off. */
static void tell_closed(struct ledger_stack *s, const struct ledger_frame *f, const struct cpu *c)
{
    struct ledger_sums total;

    sums_now(c, &total);
    sums_sub(&total, &f->start);
    if (s->depth) add_nested(top_frame(s), &total);
    if (!is_listened(c)) return;
    uint64_t end = emit(c, RS_EV_CROSS_END, f->how,
                        (uint64_t[4]){f->head, cpu_rip(c), total.insns, total.ticks});
    emit_bill(c, f->how, end, &total);
}

/* Returns the sum of all dynamic charges up to now. */
static uint64_t close_frame(struct ledger *l, struct ledger_stack *s, const struct cpu *c)
{
    const struct ledger_frame *f = top_frame(s);
    uint64_t dynamic = book_row(l, f, c);

    s->top--;
    s->depth--;
    if (s->depth || is_listened(c)) tell_closed(s, f, c);
    return dynamic;
}

static void leave(void *ctx, struct cpu *c, unsigned how, unsigned from_cpl, uint64_t start_tick)
{
    struct ledger *l = ctx;
    struct ledger_stack *s = &l->stack[c->index];

    if (how >= RS_X_COUNT) return;
    l->crossings[how]++;
    /* the slot above the stack keeps the return's own snapshot while frames are closed below it */
    const struct ledger_sums *start = NULL;
    if (c->cpl != from_cpl && is_listened(c)) start = &started(s, c, how, from_cpl, start_tick)->start;
    s->has_begun = false;
    /* frames from further in can never be returned to any more */
    struct ledger_frame *f = top_frame(s);
    while (f && f->from_cpl < c->cpl) {
        close_frame(l, s, c);
        f = top_frame(s);
    }
    bool matched = f && f->from_cpl == c->cpl;
    if (start) emit_cross(c, how, matched ? f->number : 0, from_cpl, false, start);
    l->unmatched += !matched;
    uint64_t dynamic = matched ? close_frame(l, s, c) : dynamic_of(c);
    book_ring(s, cpu_now(c) - dynamic, from_cpl);
}

/* ---- life and questions --------------------------------------------------------------------------- */

bool ledger_init(struct ledger *l, unsigned cpus)
{
    memset(l, 0, sizeof *l);
    l->wire = (struct crossing_wire){.ctx = l, .begin = begin, .enter = enter, .leave = leave};
    l->cpus = cpus;
    l->room = 64;
    l->rows = 1;
    l->stack = calloc(cpus, sizeof *l->stack);
    l->row = calloc(l->room, sizeof *l->row);
    if (l->stack && l->row) return true;
    ledger_free(l);
    return false;
}

void ledger_free(struct ledger *l)
{
    free(l->stack);
    free(l->row);
    memset(l, 0, sizeof *l);
}

void ledger_forget(struct ledger *l)
{
    for (unsigned i = 0; i < l->cpus; i++) {
        l->stack[i].depth = 0;
        l->stack[i].has_begun = false;
    }
}

static void read_cpu(const struct ledger *l, const struct cpu *c, struct rs_ledger *out)
{
    const struct ledger_stack *s = &l->stack[c->index];
    uint64_t by_level[4], now = cpu_now(c);

    memcpy(by_level, s->static_ticks, sizeof by_level);
    by_level[c->cpl & 3] += now - dynamic_of(c) - s->static_last;
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
