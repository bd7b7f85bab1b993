/*
 * sched.c - alarms by (tick, source). With at most 32 sources a scan of the array beats a heap, and
 * the order among equals is the array's.
 */
#include "emu/sched.h"

#include <assert.h>

/* The earliest alarm; ORDER: the lowest source wins among equals. */
static unsigned earliest(const struct sched *s)
{
    unsigned best = 0;

    for (unsigned i = 1; i < SCHED_SOURCES; i++)
        if (s->s.when[i] < s->s.when[best]) best = i;
    return best;
}

static void find_next(struct sched *s) { s->next = s->s.when[earliest(s)]; }

void sched_init(struct sched *s, void *machine, uint64_t (*now)(void *machine),
                void (*sooner)(void *machine, uint64_t next))
{
    *s = (struct sched){.machine = machine, .now = now, .sooner = sooner};
    for (unsigned i = 0; i < SCHED_SOURCES; i++) s->s.when[i] = SCHED_NEVER;
    s->next = SCHED_NEVER;
}

void sched_handle(struct sched *s, unsigned source, void *ctx,
                  void (*fire)(void *ctx, unsigned source))
{
    assert(source < SCHED_SOURCES);
    s->handler[source].ctx = ctx;
    s->handler[source].fire = fire;
}

void sched_arm(struct sched *s, unsigned source, uint64_t when)
{
    assert(source < SCHED_SOURCES);
    uint64_t before = s->next, old = s->s.when[source];

    s->s.when[source] = when;
    if (when <= before) s->next = when;
    else if (old == before) find_next(s);
    if (s->next < before && s->sooner) s->sooner(s->machine, s->next);
}

unsigned sched_fire(struct sched *s, uint64_t now)
{
    unsigned fired = 0;

    while (s->next <= now && s->next != SCHED_NEVER) {
        unsigned source = earliest(s);

        s->s.when[source] = SCHED_NEVER;
        find_next(s);
        if (s->handler[source].fire) s->handler[source].fire(s->handler[source].ctx, source);
        fired++;
    }
    return fired;
}

static uint64_t clock_now(void *ctx)
{
    const struct sched *s = ctx;

    return s->now(s->machine);
}

static void clock_arm(void *ctx, unsigned source, uint64_t when) { sched_arm(ctx, source, when); }

struct clock_wire sched_clock(struct sched *s, uint64_t hz)
{
    return (struct clock_wire){.ctx = s, .now = clock_now, .arm = clock_arm, .hz = hz};
}

void sched_restore(struct sched *s, const struct sched_state *state)
{
    s->s = *state;
    find_next(s);
}
