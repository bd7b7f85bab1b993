/*
 * events.c - the fan-out of events.h. No allocation but the ring's; an event costs one pass over the
 * observers.
 */
#include "emu/events.h"

#include <stdlib.h>
#include <string.h>

#define EVERY_KIND (RS_MASK(RS_EV_COUNT) - 1)

_Static_assert(sizeof(struct rs_event) == 64, "one cache line an event");

/* What does anybody want now? Tells the owner if that is news. */
static void refresh(struct events *e)
{
    uint64_t mask = e->ring ? e->ring_mask : 0;
    bool passed = e->ring && (e->ring_mask & RS_MASK(RS_EV_CHECK)) && !e->ring_refused_only;

    for (unsigned i = 0; i < e->count; i++) {
        const struct observer *o = &e->observer[i];
        if (!o->fn) continue;
        mask |= o->mask;
        passed |= (o->mask & RS_MASK(RS_EV_CHECK)) && !o->refused_only;
    }
    if (mask == e->wire.mask && passed == e->checks_passed_wanted) return;
    e->wire.mask = mask;
    e->checks_passed_wanted = passed;
    if (e->changed) e->changed(e->owner);
}

/* Squeeze out removed observers; only when no event is being handed out. */
static void compact(struct events *e)
{
    unsigned kept = 0;

    if (e->depth) return;
    for (unsigned i = 0; i < e->count; i++)
        if (e->observer[i].fn) e->observer[kept++] = e->observer[i];
    e->count = kept;
}

static bool is_passed_check(const struct rs_event *ev)
{
    return ev->kind == RS_EV_CHECK && ev->verdict == 0;
}

static void ring_put(struct events *e, const struct rs_event *ev)
{
    if (!(e->ring_mask & RS_MASK(ev->kind))) return;
    if (e->ring_refused_only && is_passed_check(ev)) return;
    e->ring[e->ring_total++ % e->ring_size] = *ev;
}

static uint64_t emit(void *ctx, struct rs_event *ev)
{
    struct events *e = ctx;
    bool stop = false;

    if (ev->kind >= RS_EV_COUNT || !(e->wire.mask & RS_MASK(ev->kind))) return 0;
    if (is_passed_check(ev) && !e->checks_passed_wanted) return 0;
    ev->seq = ++e->seq;
    if (e->ring) ring_put(e, ev);
    unsigned count = e->count; /* observers added from here on start with the next event */
    e->depth++;
    for (unsigned i = 0; i < count; i++) {
        const struct observer o = e->observer[i];
        if (!o.fn || !(o.mask & RS_MASK(ev->kind))) continue;
        if (o.refused_only && is_passed_check(ev)) continue;
        stop |= o.fn(o.ctx, e->machine, ev);
    }
    e->depth--;
    if (e->count) compact(e);
    if (stop && e->stop) e->stop(e->owner);
    return ev->seq;
}

void events_init(struct events *e, rs_machine *machine, void *owner, void (*stop)(void *owner),
                 void (*changed)(void *owner))
{
    memset(e, 0, sizeof *e);
    e->wire.ctx = e;
    e->wire.emit = emit;
    e->machine = machine;
    e->owner = owner;
    e->stop = stop;
    e->changed = changed;
}

void events_free(struct events *e)
{
    free(e->ring);
    e->ring = NULL;
    e->count = 0;
    e->wire.mask = 0;
}

/* A place in the table; dead ones are used again at once outside an event. */
static struct observer *new_place(struct events *e)
{
    compact(e);
    return e->count < EVENTS_OBSERVERS_MAX ? &e->observer[e->count++] : NULL;
}

rs_status events_observer_add(struct events *e, uint64_t mask, bool refused_only, rs_observer_fn fn,
                              void *ctx, unsigned *id)
{
    if (!fn || !mask || (mask & ~EVERY_KIND)) return RS_E_ARG;
    struct observer *o = new_place(e);
    if (!o) return RS_E_LIMIT;
    *o = (struct observer){mask, fn, ctx, ++e->last_id, refused_only};
    if (id) *id = o->id;
    refresh(e);
    return RS_OK;
}

rs_status events_observer_remove(struct events *e, unsigned id)
{
    for (unsigned i = 0; i < e->count; i++) {
        if (!e->observer[i].fn || e->observer[i].id != id) continue;
        e->observer[i].fn = NULL;
        compact(e);
        refresh(e);
        return RS_OK;
    }
    return RS_E_ARG;
}

rs_status events_ring_enable(struct events *e, size_t size, uint64_t mask, bool refused_only)
{
    rs_status status = RS_OK;

    free(e->ring);
    e->ring = NULL;
    e->ring_total = 0;
    e->ring_size = size ? size : EVENTS_RING_DEFAULT;
    e->ring_mask = mask & EVERY_KIND;
    e->ring_refused_only = refused_only;
    if (e->ring_mask) {
        e->ring = calloc(e->ring_size, sizeof *e->ring);
        if (!e->ring) status = RS_E_NOMEM;
    }
    refresh(e);
    return status;
}

size_t events_ring_count(const struct events *e)
{
    if (!e->ring) return 0;
    return e->ring_total < e->ring_size ? (size_t)e->ring_total : e->ring_size;
}

const struct rs_event *events_ring_at(const struct events *e, size_t back)
{
    if (back >= events_ring_count(e)) return NULL;
    return &e->ring[(e->ring_total - 1 - back) % e->ring_size];
}
