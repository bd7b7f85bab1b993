/*
 * interrupts.c - see interrupts.h.
 */
#include "cpu/interrupts.h"

#include "cpu/lapic.h"

void interrupts_single_step(struct cpu *c) { c->trap_pending |= DR6_BS; }

void interrupts_line(struct cpu *c, bool level)
{
    lapic_lint(c->lapic, 0, level);
    interrupts_update(c);
}

void interrupts_nmi(struct cpu *c)
{
    c->nmi_pending = true;
    cpu_look(c);
}

void interrupts_init(struct cpu *c)
{
    c->init_pending = true;
    cpu_look(c);
}

void interrupts_machine_check(struct cpu *c)
{
    c->mc_pending = true;
    cpu_look(c);
}

void interrupts_update(struct cpu *c)
{
    bool want = lapic_intr(c->lapic);

    if (want && !c->intr_line) cpu_look(c);
    c->intr_line = want;
}

static enum take take(struct cpu *c, const struct fault *f)
{
    return deliver(c, f) ? TAKE_DELIVERED : TAKE_SHUTDOWN;
}

static void wake(struct cpu *c, unsigned vector)
{
    if (!c->halted) return;
    c->halted = false;
    if (ev_wanted(c, RS_EV_WAKE))
        ev_emit(c, RS_EV_WAKE, 0, vector, (c->ticks - c->halted_at) / TICKS_PER_CYCLE, 0, 0);
}

/* INTA cycle: the local APIC's own vector if it has one above the priority, else the 8259's. */
static enum take take_intr(struct cpu *c)
{
    int own = lapic_pending_vector(c->lapic);
    uint8_t vector;

    if (own >= 0) {
        vector = (uint8_t)own;
        lapic_accept(c->lapic, vector);
    } else {
        vector = c->inta.acknowledge(c->inta.ctx);
    }
    interrupts_update(c);
    wake(c, vector);
    if (ev_wanted(c, RS_EV_IRQ)) ev_emit(c, RS_EV_IRQ, own >= 0, vector, 0, 0, 0);
    return take(c, &(struct fault){.vector = vector, .klass = FC_EXTERNAL});
}

/** An error that no instruction has caused: the pushed RIP is good to go on at (RIPV), and has no part in it
 *  (EIPV=0). Nothing holds it off; where CR4.MCE=0, or the last one is not done with (MCIP), it is the end.
 *  Manual: SDM 3B "IA32_MCG_STATUS MSR", SDM 3A "Interrupt 18-Machine-Check Exception (#MC)". */
static enum take take_machine_check(struct cpu *c)
{
    struct fault f = {.vector = VEC_MC, .klass = FC_TRAP};

    c->mc_pending = false;
    wake(c, VEC_MC);
    if (!(c->cr4 & CR4_MCE) || (c->mcg_status & MCG_MCIP)) {
        deliver_shutdown(c, &f, c->cr4 & CR4_MCE ? "MCG_STATUS.MCIP=1" : "CR4.MCE=0");
        return TAKE_SHUTDOWN;
    }
    if (cpu_has(c, FEAT_MCA)) c->mcg_status = MCG_RIPV | MCG_MCIP;
    return take(c, &f);
}

/** After the trap of a task switch, before all other traps; what waits besides is lost with it.
 *  SDM 3A "Priority Among Concurrent Events". */
static enum take take_init(struct cpu *c)
{
    cpu_init_signal(c);
    return TAKE_DELIVERED;
}

/* All but INTR, in the order of their classes. */
__attribute__((noinline)) static enum take take_rare(struct cpu *c)
{
    if (c->mc_pending) return take_machine_check(c);
    if (c->init_pending && !(c->trap_pending & DR6_BT)) return take_init(c);
    if (c->trap_pending && !(c->shadow & SHADOW_SS)) {
        struct fault f = {.vector = VEC_DB, .klass = FC_TRAP, .dr6 = c->trap_pending};
        c->trap_pending = 0;
        wake(c, VEC_DB);
        return take(c, &f);
    }
    if (c->nmi_pending && !c->nmi_blocked && !(c->shadow & SHADOW_SS)) {
        c->nmi_pending = false;
        wake(c, VEC_NMI);
        return take(c, &(struct fault){.vector = VEC_NMI, .klass = FC_NMI});
    }
    return TAKE_NONE;
}

enum take interrupts_take(struct cpu *c)
{
    /* asked at every boundary: one test for what is seldom there */
    if (__builtin_expect((c->mc_pending | c->init_pending | c->nmi_pending | (c->trap_pending != 0)) != 0, 0)) {
        enum take t = take_rare(c);
        if (t != TAKE_NONE) return t;
    }
    if (c->intr_line && (c->flags & RF_IF) && c->shadow == 0) return take_intr(c);
    return TAKE_NONE;
}
