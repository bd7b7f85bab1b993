/*
 * rig.h - a test bench for one chip: a clock that the test moves, one alarm, and a record of what the
 * chip did with its wires.
 */
#ifndef TESTS_DEVICES_RIG_H
#define TESTS_DEVICES_RIG_H

#include "devices/device.h"
#include "devices/timebase.h"

#include <string.h>

#define RIG_HZ 1000000000u
#define RIG_NEVER UINT64_MAX

struct rig {
    const struct device_ops *ops;
    void *chip;
    uint64_t now, alarm;
    bool line;
    unsigned rises, falls;
    unsigned requests;
    enum machine_request what;
    uint64_t value;
    unsigned written;
    uint8_t byte[64];
    unsigned channel;
};

static inline uint64_t rig_now(void *ctx) { return ((struct rig *)ctx)->now; }

static inline void rig_arm(void *ctx, unsigned source, uint64_t when)
{
    (void)source;
    ((struct rig *)ctx)->alarm = when;
}

static inline void rig_line(void *ctx, unsigned line, bool level)
{
    struct rig *r = ctx;

    (void)line;
    r->line = level;
    *(level ? &r->rises : &r->falls) += 1;
}

static inline void rig_put(void *ctx, unsigned channel, uint8_t byte)
{
    struct rig *r = ctx;

    r->channel = channel;
    r->byte[r->written++ % sizeof r->byte] = byte;
}

static inline void rig_request(void *ctx, enum machine_request what, uint64_t value)
{
    struct rig *r = ctx;

    r->requests++;
    r->what = what;
    r->value = value;
}

static inline struct device_wires rig_wires(struct rig *r, uint64_t hz)
{
    return (struct device_wires){.clock = {.ctx = r, .now = rig_now, .arm = rig_arm, .hz = hz},
                                 .irq = {.ctx = r, .set = rig_line},
                                 .console = {.ctx = r, .put = rig_put},
                                 .request = {.ctx = r, .request = rig_request}};
}

/* Connect a chip whose wires are at `wires` and reset it. */
static inline void rig_connect(struct rig *r, const struct device_ops *ops, void *chip,
                               struct device_wires *wires)
{
    *r = (struct rig){.ops = ops, .chip = chip, .alarm = RIG_NEVER};
    *wires = rig_wires(r, RIG_HZ);
    ops->reset(chip);
    r->rises = r->falls = 0;
}

static inline uint8_t rig_in(struct rig *r, uint32_t reg)
{
    return (uint8_t)r->ops->read(r->chip, 0, reg, 1);
}
static inline void rig_out(struct rig *r, uint32_t reg, unsigned value)
{
    r->ops->write(r->chip, 0, reg, 1, value);
}

/* Let time pass as a machine would: alarms go off on their way. */
static inline void rig_run_to(struct rig *r, uint64_t tick)
{
    while (r->alarm <= tick) {
        if (r->now < r->alarm) r->now = r->alarm;
        r->alarm = RIG_NEVER;
        r->ops->alarm(r->chip);
    }
    if (r->now < tick) r->now = tick;
}

/* A small digest of a chip's canonical state. */
static inline void rig_digest_put(void *ctx, const void *bytes, size_t n)
{
    uint64_t *h = ctx;

    for (size_t i = 0; i < n; i++) *h = (*h ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull;
}

static inline uint64_t rig_digest(const struct rig *r)
{
    uint64_t h = 0xcbf29ce484222325ull;

    r->ops->hash(r->chip, &(struct hash_sink){.ctx = &h, .put = rig_digest_put});
    return h;
}

/* Reproducible noise. */
static inline uint32_t rig_random(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*seed >> 33);
}

#endif
