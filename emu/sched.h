/*
 * sched.h - alarms: which source wants to be woken at which tick. Up to 32 sources, one alarm each.
 *
 * Data and order only: nothing here knows a host clock or a processor. Due alarms go off in order of
 * (tick, source). The machine asks sched_next() how far a CPU may run and calls sched_fire() at the
 * first instruction boundary at or after it.
 */
#ifndef EMU_SCHED_H
#define EMU_SCHED_H

#include "arch/ports.h"

#include <stdbool.h>
#include <stdint.h>

#define SCHED_SOURCES 32u
#define SCHED_NEVER UINT64_MAX

/** What a snapshot holds: the tick of each source's alarm, SCHED_NEVER if it has none. */
struct sched_state {
    uint64_t when[SCHED_SOURCES];
};

struct sched {
    struct sched_state s;
    uint64_t next; /* derived: the earliest of s.when */
    struct {
        void *ctx;
        void (*fire)(void *ctx, unsigned source);
    } handler[SCHED_SOURCES];
    void *machine;
    uint64_t (*now)(void *machine);
    void (*sooner)(void *machine, uint64_t next);
};

/** No alarm, no handler.
 *  @now     the machine's clock, for sched_clock's wire
 *  @sooner  told when sched_next() has become earlier than it was (the running CPU must stop there);
 *           may be NULL */
void sched_init(struct sched *s, void *machine, uint64_t (*now)(void *machine),
                void (*sooner)(void *machine, uint64_t next));
/** Who is called when the alarm of `source` goes off. */
void sched_handle(struct sched *s, unsigned source, void *ctx,
                  void (*fire)(void *ctx, unsigned source));

/** Set the source's one alarm; SCHED_NEVER takes it back. */
void sched_arm(struct sched *s, unsigned source, uint64_t when);
static inline void sched_disarm(struct sched *s, unsigned source)
{
    sched_arm(s, source, SCHED_NEVER);
}
static inline uint64_t sched_next(const struct sched *s) { return s->next; }
static inline bool sched_is_armed(const struct sched *s, unsigned source)
{
    return s->s.when[source] != SCHED_NEVER;
}

/** Let go off what is due at `now`, in (tick, source) order, alarms set meanwhile included. Each is
 *  taken back before its handler runs. Returns how many went off. */
unsigned sched_fire(struct sched *s, uint64_t now);

/** The clock as devices see it: `now` is the machine's, `arm` is sched_arm. */
struct clock_wire sched_clock(struct sched *s, uint64_t hz);

/** Take over a saved state; handlers stay. */
void sched_restore(struct sched *s, const struct sched_state *state);

#endif
