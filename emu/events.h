/*
 * events.h - where events go: one wire in, up to 16 observers out, and a ring of the last ones.
 *
 * The wire's mask is what anybody wants, so nothing is built for kinds without a listener. Passed
 * checks are wanted only if some observer of CHECK did not say "refused only": that is told apart
 * (checks_passed_wanted), because only then must the CPU leave its plain loop. A passed check that
 * nobody wants is dropped before it gets a number, so numbering does not depend on the engine.
 * Observers see const events, in the order they were added, and change nothing. Adding and removing
 * inside an observer is legal: a new one starts with the next event, a removed one gets no more.
 */
#ifndef EMU_EVENTS_H
#define EMU_EVENTS_H

#include <stddef.h>

#include "arch/ports.h"
#include "ringside/ringside.h"

#define EVENTS_OBSERVERS_MAX 16u
#define EVENTS_RING_DEFAULT 4096u

struct observer {
    uint64_t mask;
    rs_observer_fn fn; /* NULL: removed while events were being handed out */
    void *ctx;
    unsigned id;
    bool refused_only;
};

struct events {
    struct event_wire wire;      /* what CPU, MMU and devices hold; ctx is this struct */
    bool checks_passed_wanted;   /* CHECK events of passed checks have a listener */
    rs_machine *machine;         /* handed to observers */
    void *owner;                 /* ctx of the two calls below; either may be NULL */
    void (*stop)(void *owner);   /* an observer asked to stop */
    void (*changed)(void *owner); /* mask or checks_passed_wanted have changed */
    uint64_t seq;                /* of the last event; the first is 1 */
    unsigned count, depth, last_id;
    struct observer observer[EVENTS_OBSERVERS_MAX];
    struct rs_event *ring; /* NULL: off */
    size_t ring_size;
    uint64_t ring_total, ring_mask;
    bool ring_refused_only;
};

/** Ready, silent. The wire may be handed out at once and keeps its address. */
void events_init(struct events *e, rs_machine *machine, void *owner, void (*stop)(void *owner),
                 void (*changed)(void *owner));
void events_free(struct events *e);

/** RS_OK, RS_E_ARG (no function, empty or unknown mask), RS_E_LIMIT (all 16 places taken). */
rs_status events_observer_add(struct events *e, uint64_t mask, bool refused_only, rs_observer_fn fn,
                              void *ctx, unsigned *id);
/** RS_E_ARG if there is no such observer. */
rs_status events_observer_remove(struct events *e, unsigned id);

/** Keep the last `size` events of these kinds (0 = EVENTS_RING_DEFAULT); mask 0 switches it off. What
 *  was kept is dropped. RS_E_NOMEM leaves it off. */
rs_status events_ring_enable(struct events *e, size_t size, uint64_t mask, bool refused_only);
size_t events_ring_count(const struct events *e);
/** The event `back` places before the newest (0 = newest); NULL if it is not kept. */
const struct rs_event *events_ring_at(const struct events *e, size_t back);

#endif
