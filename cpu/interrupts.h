/*
 * interrupts.h - what is recognised at an instruction boundary: machine checks, traps, NMI, INTR, wake-up
 * from HLT.
 * Manual: SDM 3A "Priority Among Concurrent Events", "Masking Exceptions and Interrupts When
 * Switching Stacks", "Handling Multiple NMIs".
 */
#ifndef CPU_INTERRUPTS_H
#define CPU_INTERRUPTS_H

#include "cpu/cpu.h"

enum take { TAKE_NONE, TAKE_DELIVERED, TAKE_SHUTDOWN };

/** Deliver the most urgent pending trap or interrupt that nothing holds off; wakes from HLT. */
enum take interrupts_take(struct cpu *c);

/** TF was set when the instruction that has just retired began: a #DB trap is due at this boundary. */
void interrupts_single_step(struct cpu *c);

/** The ExtINT wire from the 8259 pair (through LINT0), NMI, a machine check. Safe at any time within the run. */
void interrupts_line(struct cpu *c, bool level);
void interrupts_nmi(struct cpu *c);
void interrupts_machine_check(struct cpu *c);
/** INIT comes at the next boundary: the instruction that asked for it retires. */
void interrupts_init(struct cpu *c);
/** Recompute the interrupt request from the local APIC and the ExtINT wire. */
void interrupts_update(struct cpu *c);

#endif
