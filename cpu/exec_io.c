/*
 * exec_io.c - IN OUT INS OUTS. The permission is judged first, then memory, and only when nothing can
 * fault any more is the port touched: a faulting INS consumes nothing.
 * Manual: SDM 2A "IN", "INS/INSB/INSW/INSD"; SDM 2B "OUT", "OUTS/OUTSB/OUTSW/OUTSD".
 */
#include "cpu/debug.h"
#include "cpu/exec_parts.h"
#include "cpu/protect.h"

/* ---- one port access ------------------------------------------------------------------------------------ */

static void event_io(struct cpu *c, uint16_t port, uint32_t value, unsigned n, bool write)
{
    if (ev_wanted(c, RS_EV_IO)) ev_emit(c, RS_EV_IO, 0, port, value, n, write);
}

static uint32_t port_read(struct cpu *c, uint16_t port, unsigned n)
{
    uint32_t mask = n == 4 ? ~0u : (1u << 8 * n) - 1;
    uint32_t value = c->bus.io_read(c->bus.ctx, c->index, port, n) & mask;

    cpu_charge_event(c, RS_CAT_DEVICE, COST_IN_OUT_PORT);
    event_io(c, port, value, n, false);
    if (c->watch & WATCH_IO) debug_note(c, DEBUG_IO, port, n);
    return value;
}

static void port_write(struct cpu *c, uint16_t port, unsigned n, uint32_t value)
{
    c->bus.io_write(c->bus.ctx, c->index, port, n, value);
    cpu_charge_event(c, RS_CAT_DEVICE, COST_IN_OUT_PORT);
    event_io(c, port, value, n, true);
    if (c->watch & WATCH_IO) debug_note(c, DEBUG_IO, port, n);
}

/* imm = the port, or -1 when DX holds it */
static uint16_t port_of(const struct cpu *c, const struct op *o)
{
    return o->imm < 0 ? (uint16_t)c->gpr[R_RDX] : (uint8_t)o->imm;
}

OP(in)
{
    uint16_t port = port_of(c, o);

    if (!priv_io(c, port, o->width)) return STEP_FAULT;
    reg_put(c, R_RAX, o->width, port_read(c, port, o->width));
    return STEP_END;
}

OP(out)
{
    uint16_t port = port_of(c, o);

    if (!priv_io(c, port, o->width)) return STEP_FAULT;
    port_write(c, port, o->width, (uint32_t)reg_get(c, R_RAX, o->width));
    return STEP_END;
}

/* ---- strings of ports -------------------------------------------------------------------------------------- */

static void advance(struct cpu *c, const struct op *o, enum gpr reg)
{
    uint64_t by = c->flags & RF_DF ? 0 - (uint64_t)o->width : o->width;
    addr_put(c, reg, addr_mask(o), c->gpr[reg] + by);
}

/* 1. permission  2. memory may be written  3. port  4. memory */
static bool ins_one(struct cpu *c, const struct op *o)
{
    uint16_t port = (uint16_t)c->gpr[R_RDX];
    uint64_t to = c->gpr[R_RDI] & addr_mask(o);

    if (!priv_io(c, port, o->width)) return false;
    if (!mem_probe_write(c, SEG_ES, to, o->width)) return false;
    if (!mem_write(c, SEG_ES, to, o->width, port_read(c, port, o->width))) return false;
    advance(c, o, R_RDI);
    return true;
}

/* 1. permission  2. memory  3. port */
static bool outs_one(struct cpu *c, const struct op *o)
{
    uint16_t port = (uint16_t)c->gpr[R_RDX];
    uint64_t value;

    if (!priv_io(c, port, o->width)) return false;
    if (!mem_read(c, (enum seg)o->seg, c->gpr[R_RSI] & addr_mask(o), o->width, &value))
        return false;
    port_write(c, port, o->width, (uint32_t)value);
    advance(c, o, R_RSI);
    return true;
}

/* An interrupt or trap that will be taken at this boundary. */
static bool due(const struct cpu *c)
{
    return (c->flags & RF_TF) || c->debug_hit || c->nmi_pending || c->mc_pending || c->init_pending ||
           ((c->flags & RF_IF) && c->intr_line);
}

/* Element by element: a fault leaves the registers at the element that could not be done, and
 * interrupts are taken in between. Leaving for the host's sake alone costs no second start. */
static enum step repeat(struct cpu *c, const struct op *o,
                        bool (*one)(struct cpu *c, const struct op *o))
{
    uint64_t mask = addr_mask(o);

    if (!(o->flags & (OPF_REP | OPF_REPNE))) return one(c, o) ? STEP_END : STEP_FAULT;
    if (!c->rep_paid) cpu_charge_event(c, RS_CAT_MICROCODE, COST_REP_MOVS_START);
    c->rep_paid = false;
    if ((c->gpr[R_RCX] & mask) == 0) return STEP_END;
    bool changed;
    do {
        own_begin(c, o);
        bool ok = one(c, o);
        changed = own_end(c);
        if (!ok) return STEP_FAULT;
        addr_put(c, R_RCX, mask, c->gpr[R_RCX] - 1);
        if ((c->gpr[R_RCX] & mask) == 0) return STEP_END;
    } while (!c->brk && !changed && !due(c));
    c->rep_paid = !changed;
    c->rep_rem = 0;
    return STEP_REPEAT;
}

OP(ins)
{
    return repeat(c, o, ins_one);
}
OP(outs)
{
    return repeat(c, o, outs_one);
}
