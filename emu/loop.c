/*
 * loop.c - the machine's run loop: how far the CPU may run, whose alarm is due, when it sleeps, and
 * why it stops.
 *
 *     until = min(cycle limit, next alarm, next input)
 *     cpu_run(until, instruction limit) ─▶ fire what is due ─▶ halted? skip time ─▶ again
 *
 * An alarm goes off at the first instruction boundary at or after its tick, however the run is cut
 * into pieces: nothing here depends on where a previous rs_run ended.
 * Manual: SDM 2A "HLT", SDM 3A "Interrupt and Exception Handling".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/interrupts.h"
#include "cpu/lapic.h"
#include "emu/machine.h"

/* Input that finds its port's line full tries again so many times a second. */
#define INPUT_RETRIES_PER_SECOND 1000u
/* How far the CPU runs before rs_stop is looked for: a few milliseconds of host time. */
#define POLL_TICKS (4000000ull * TICKS_PER_CYCLE)

struct goal {
    uint64_t insns; /* stop at this many retired in total */
    uint64_t ticks; /* and at the first boundary at or after this tick */
};

/* ---- wishes to stop -------------------------------------------------------------------------------- */

void machine_wish(rs_machine *m, enum rs_stop_reason reason, uint64_t value)
{
    if (m->wish.reason != RS_STOP_NONE) return;
    m->wish = (struct stop_wish){reason, value};
    cpu_attention(&m->cpu);
}

void machine_reset_wish(rs_machine *m)
{
    if (!m->config.reboot_on_reset) {
        machine_wish(m, RS_STOP_GUEST_RESET, 0);
        return;
    }
    m->reset_asked = true;
    cpu_attention(&m->cpu);
}

static void reboot(rs_machine *m)
{
    struct rs_event ev = {.kind = RS_EV_RESET, .cpl = m->cpu.cpl, .tick = m->cpu.ticks, .rip = cpu_rip(&m->cpu)};

    m->reset_asked = false;
    if (m->events.wire.mask & RS_MASK(RS_EV_RESET)) m->events.wire.emit(m->events.wire.ctx, &ev);
    if (machine_boot(m) != RS_OK) machine_wish(m, RS_STOP_HOST_ERROR, 0);
}

/* ---- breakpoints ------------------------------------------------------------------------------------- */

static bool at_break(const rs_machine *m)
{
    uint64_t here = machine_linear_rip(&m->cpu);

    for (unsigned i = 0; i < m->breaks; i++)
        if (m->break_at[i] == here) return true;
    return false;
}

/* ---- input and alarms -------------------------------------------------------------------------------- */

static uint64_t next_input(const rs_machine *m) { return m->inputs ? m->inputs->tick : SCHED_NEVER; }

static uint64_t next_alarm(const rs_machine *m)
{
    uint64_t alarm = sched_next(&m->sched), input = next_input(m);

    return alarm < input ? alarm : input;
}

/* The bytes of this channel that found no room, or NULL. */
static const struct input *rest_of(const rs_machine *m, unsigned channel)
{
    const struct input *in = m->inputs;

    while (in && !(in->rest && in->channel == channel)) in = in->next;
    return in;
}

/* Hand over the first input. What its port cannot take now comes again a little later, before
 * anything that has arrived since. */
static void input_deliver(rs_machine *m)
{
    struct input *in = m->inputs;

    m->inputs = in->next;
    const struct input *before = rest_of(m, in->channel);
    size_t taken = before ? 0 : board_input(&m->board, in->channel, in->bytes, in->size);

    if (taken == in->size) {
        free(in);
        return;
    }
    if (before) {
        in->tick = before->tick;
    } else {
        in->tick = m->cpu.ticks + m->cost.hz / INPUT_RETRIES_PER_SECOND * TICKS_PER_CYCLE + 1;
        in->rest = true;
        in->size -= taken;
        memmove(in->bytes, in->bytes + taken, in->size);
    }
    machine_input_queue(m, in);
}

static void fire_due(rs_machine *m)
{
    while (next_input(m) <= m->cpu.ticks) input_deliver(m);
    if (sched_next(&m->sched) <= m->cpu.ticks) sched_fire(&m->sched, m->cpu.ticks);
}

/* ---- sleep --------------------------------------------------------------------------------------------- */

/* Would the 8259's INTR, were it up, reach the core through the local APIC? */
static bool extint_passes(const struct cpu *c)
{
    struct lapic l = *c->lapic;

    l.s.lint[0] = 1;
    return lapic_extint(&l);
}

bool machine_input_wakes(const rs_machine *m, unsigned channel)
{
    const struct board *b = &m->board;
    const struct uart16550 *const port[MACHINE_CHANNELS] = {&b->com1, &b->com2, &b->com3, &b->com4};
    static const unsigned irq[MACHINE_CHANNELS] = {4, 3, 4, 3};

    if (channel >= MACHINE_CHANNELS || !(m->cpu.flags & RF_IF) || !extint_passes(&m->cpu)) return false;
    return (port[channel]->s.ier & 1) && uart_room(port[channel]) && pic_would_interrupt(&b->pic, irq[channel]);
}

/* A processor's own timer, a chip whose line gets through, or input that its port will report. */
static bool may_wake(const rs_machine *m)
{
    if (lapic_may_wake(m->cpu.lapic)) return true;
    if (board_may_wake(&m->board, &m->sched) && extint_passes(&m->cpu)) return true;
    for (const struct input *in = m->inputs; in; in = in->next)
        if (machine_input_wakes(m, in->channel)) return true;
    return false;
}

/* The guest and its devices alone: with IF=0 none of them can. (rs_raise comes from outside.) */
static bool dead(const rs_machine *m) { return !(m->cpu.flags & RF_IF) || !may_wake(m); }

/* Let time pass to the next alarm, input or limit. */
static void idle(rs_machine *m, const struct goal *goal)
{
    uint64_t to = next_alarm(m) < goal->ticks ? next_alarm(m) : goal->ticks;

    if (to <= m->cpu.ticks) return;
    cpu_charge(&m->cpu, RS_CAT_IDLE, to - m->cpu.ticks);
    m->slept = true;
}

/* A sleeper that will wake at this boundary pays for it; one that never slept does not. */
static void wake(rs_machine *m)
{
    struct cpu *c = &m->cpu;
    bool woken =
        (c->intr_line && (c->flags & RF_IF)) || (c->nmi_pending && !c->nmi_blocked) || c->mc_pending;

    if (!c->halted || !m->slept || !woken) return;
    cpu_charge_event(c, RS_CAT_IDLE, COST_HLT_WAKE);
    m->slept = false;
}

/* ---- one turn --------------------------------------------------------------------------------------------- */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* The boundary's own interrupt is taken here, just as cpu_run would, so that whoever wishes to stop at
 * a delivery, or has a breakpoint on a handler, stops before the handler's first instruction. With
 * breakpoints the CPU looks up after each instruction and each delivery. */
static enum cpu_stop go(rs_machine *m, uint64_t until, const struct goal *goal)
{
    struct cpu *c = &m->cpu;

    if (c->ticks >= until || c->insns >= goal->insns) return CPU_REQUEST;
    switch (interrupts_take(c)) {
    case TAKE_DELIVERED: return CPU_REQUEST;
    case TAKE_SHUTDOWN: return cpu_undelivered(c);
    case TAKE_NONE: break;
    }
    if (!m->breaks) return cpu_run(c, until, goal->insns);
    c->request = true;
    return cpu_run(c, until, c->insns + 1);
}

static void run_cpu(rs_machine *m, const struct goal *goal)
{
    struct cpu *c = &m->cpu;
    uint64_t until = least(least(next_alarm(m), goal->ticks), c->ticks + POLL_TICKS);

    switch (go(m, until, goal)) {
    case CPU_UNTIL:
    case CPU_INSNS:
    case CPU_REQUEST: break;
    case CPU_HALTED:
        if (dead(m)) machine_wish(m, RS_STOP_DEAD_HALT, 0);
        else idle(m, goal);
        break;
    case CPU_GAP: machine_wish(m, RS_STOP_EMULATOR_GAP, 0); break;
    case CPU_SHUTDOWN:
        if (m->config.triple_fault_resets) machine_reset_wish(m);
        else machine_wish(m, RS_STOP_TRIPLE_FAULT, 0);
        break;
    case CPU_BREAK: machine_wish(m, RS_STOP_BREAKPOINT, 0); break;
    }
    if (!c->halted) m->slept = false;
}

/* Everything but the CPU that may end the run, most telling first. */
static bool ends(rs_machine *m, const struct goal *goal)
{
    const struct cpu *c = &m->cpu;

    if (m->reset_asked) reboot(m);
    if (m->ram.over_budget) machine_wish(m, RS_STOP_HOST_ERROR, 0);
    if (m->wish.reason != RS_STOP_NONE) return true;
    if (c->insns >= goal->insns) machine_wish(m, RS_STOP_INSN_LIMIT, 0);
    else if (c->ticks >= goal->ticks) machine_wish(m, RS_STOP_CYCLE_LIMIT, 0);
    else if (atomic_exchange(&m->stop_asked, false)) machine_wish(m, RS_STOP_INTERRUPTED, 0);
    return m->wish.reason != RS_STOP_NONE;
}

/* ---- the record of a stop --------------------------------------------------------------------------------- */

static void text(const rs_machine *m, struct rs_stop_info *stop)
{
    const char *said = "";

    switch (stop->reason) {
    case RS_STOP_TRIPLE_FAULT: said = m->cpu.gap; break;
    case RS_STOP_EMULATOR_GAP:
        snprintf(stop->text, sizeof stop->text, "Ringside has no handler for %.160s", m->cpu.gap);
        return;
    case RS_STOP_DEAD_HALT:
        said = m->cpu.flags & RF_IF ? "halted, and nothing that is armed could wake the processor"
                                    : "halted with interrupts off: nothing can wake the processor";
        break;
    case RS_STOP_HOST_ERROR:
        said = m->ram.over_budget ? "the guest has touched more RAM than its budget allows" : m->error;
        break;
    case RS_STOP_NONE:
    case RS_STOP_INSN_LIMIT:
    case RS_STOP_CYCLE_LIMIT:
    case RS_STOP_LOG_LIMIT:
    case RS_STOP_WALL_LIMIT:
    case RS_STOP_INTERRUPTED:
    case RS_STOP_HOOK:
    case RS_STOP_BREAKPOINT:
    case RS_STOP_GUEST_EXIT:
    case RS_STOP_POWER_OFF:
    case RS_STOP_GUEST_RESET:
    case RS_STOP_GUEST_PANIC:
    case RS_STOP_INVARIANT:
    case RS_STOP_DIVERGED: break;
    }
    snprintf(stop->text, sizeof stop->text, "%.*s", (int)sizeof stop->text - 1, said);
}

static void record(const rs_machine *m, struct rs_stop_info *stop)
{
    const struct cpu *c = &m->cpu;

    *stop = (struct rs_stop_info){.reason = m->wish.reason,
                                  .guest_value = m->wish.value,
                                  .rip = cpu_rip(c),
                                  .insns = c->insns,
                                  .cycles = c->ticks / TICKS_PER_CYCLE,
                                  .cpl = c->cpl,
                                  .has_fault = m->wish.reason == RS_STOP_TRIPLE_FAULT,
                                  .rule = c->fault.rule};
    if (stop->has_fault) {
        stop->vector = c->fault.vector;
        stop->error_code = c->fault.has_error ? c->fault.error : 0;
    }
    text(m, stop);
}

/* Does this stop end the guest's life, so that running on makes no sense? */
static bool is_final(enum rs_stop_reason reason)
{
    return reason == RS_STOP_TRIPLE_FAULT || reason == RS_STOP_HOST_ERROR;
}

rs_status machine_run(rs_machine *m, const struct rs_limits *limits, struct rs_stop_info *stop)
{
    struct cpu *c = &m->cpu;
    struct goal goal = {UINT64_MAX, UINT64_MAX};
    bool first = true;

    if (limits && limits->insns && limits->insns < UINT64_MAX - c->insns) goal.insns = c->insns + limits->insns;
    if (limits && limits->cycles && limits->cycles < UINT64_MAX / TICKS_PER_CYCLE - c->ticks / TICKS_PER_CYCLE)
        goal.ticks = (c->ticks / TICKS_PER_CYCLE + limits->cycles) * TICKS_PER_CYCLE;
    if (!is_final(m->wish.reason)) m->wish = (struct stop_wish){RS_STOP_NONE, 0};
    m->running = true;
    while (!ends(m, &goal)) {
        if (m->breaks && !first && at_break(m)) {
            machine_wish(m, RS_STOP_BREAKPOINT, 0);
            break;
        }
        first = false;
        fire_due(m);
        wake(m);
        run_cpu(m, &goal);
    }
    m->running = false;
    if (stop) record(m, stop);
    return RS_OK;
}
