/*
 * task.h - hardware task switches: see task.c.
 */
#ifndef CPU_TASK_H
#define CPU_TASK_H

#include "cpu/protect.h"

enum task_how { TASK_JMP, TASK_CALL, TASK_EVENT, TASK_IRET };

/** A switch as it is asked for. */
struct task {
    enum task_how how;
    uint16_t sel;       /* of the new TSS */
    uint64_t ip, flags; /* what the old task goes on with */
    /* TASK_EVENT: pushed on the new stack; an INT n retires with the switch */
    bool has_error;
    uint32_t error;
    unsigned retires, ticks;
    struct desc_ref tss; /* filled by task_switch */
};

enum task_end {
    TASK_REFUSED, /* c->fault is the old task's, where nothing has changed */
    TASK_FAULTS,  /* switched; c->fault is the new task's, before its first instruction */
    TASK_RUNS
};
/** At a boundary, or with an op in progress, which it accounts for. */
enum task_end task_switch(struct cpu *c, struct task *t);

/** What the new TSS names. */
struct task_selectors {
    uint16_t seg[6], ldt;
};
/** Load them at the new CPL, by EFLAGS.VM as a virtual-8086 task's. False: c->fault is the new task's. */
bool task_load(struct cpu *c, const struct task_selectors *t);

/** Far JMP or CALL to the TSS or task gate r. */
enum step task_far(struct cpu *c, uint16_t selector, bool call, const struct desc_ref *r);
/** IRET with NT=1 outside IA-32e mode. */
enum step task_return(struct cpu *c);

/* judges, pure */
enum rs_rule task_gate_judge(const struct gate *g, uint16_t selector, unsigned cpl);
enum rs_rule task_tss_judge(uint16_t attr, uint32_t limit, bool iret);
enum rs_rule task_ldt_judge(uint16_t attr);
enum rs_rule task_code_judge(uint16_t attr, uint16_t selector);
enum rs_rule task_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl);
enum rs_rule task_data_judge(uint16_t attr, uint16_t selector, unsigned cpl);

#endif
