/*
 * proc.h - a process, and the one CPU that runs them.
 *
 * There is one CPU and the kernel runs with interrupts off everywhere but in the idle loop. So
 * "interrupts off" is the one lock of this storey; where a comment below says "the kernel", that is
 * what guards the field. "The process" means that only it touches the field while it lives.
 */
#ifndef GUESTOS_PROC_H
#define GUESTOS_PROC_H

#include "layout.h"
#include "trap.h"
#include "x86.h"

#define PROC_COUNT 16
#define PROC_NAME_SIZE 24

enum proc_state { PROC_FREE, PROC_RUNNABLE, PROC_RUNNING, PROC_SLEEPING, PROC_ZOMBIE };

/* Where a process that is not running left off in the kernel. ORDER: swtch.S pushes these. */
struct context {
    uint64_t r15, r14, r13, r12, rbx, rbp;
    uint64_t rip; /* where swtch() returns to */
};

struct proc {
    struct fx_state fx;        /* x87 and SSE registers while it does not run; the scheduler */
    enum proc_state state;     /* the kernel */
    int pid;                   /* set at birth, then constant */
    int wait_status;           /* as wait4 reports it; set once, by its end; the kernel */
    struct proc *parent;       /* who may wait for it; NULL for init and for orphans; the kernel */
    const void *sleeping_on;   /* what a wake-up must name, while PROC_SLEEPING; the kernel */
    uint64_t wake_tick;        /* tick that ends nanosleep; 0 when not in it; the kernel */
    uint64_t *pml4;            /* its page tables, in the map of RAM; the process */
    uint64_t kstack_top;       /* linear address; constant, it belongs to the slot */
    struct context *context;   /* on its kernel stack, while it does not run; the scheduler */
    struct trapframe *tf;      /* on its kernel stack, how it returns to ring 3; the process */
    uint64_t fs_base;          /* thread pointer, linear address; the process */
    uint64_t brk_start;        /* end of its image: the heap's lower end; the process */
    uint64_t brk;              /* the heap's upper end, linear address; the process */
    uint64_t mmap_next;        /* next free address for mmap, page-aligned; the process */
    uint64_t switches_asked;   /* times it gave the CPU away; the kernel */
    uint64_t switches_forced;  /* times the timer took the CPU; the kernel */
    char name[PROC_NAME_SIZE]; /* last part of its path, zero-terminated; the process */
};

/* GS points at this in ring 0, for the SYSCALL entry, which arrives with no stack of its own. */
struct cpu {
    uint64_t kernel_rsp;  /* top of the running process's kernel stack; the scheduler */
    uint64_t user_rsp;    /* the caller's RSP for the few instructions until it is pushed */
    struct proc *current; /* the process that runs, &idle when none does; the scheduler */
};

_Static_assert(offsetof(struct cpu, kernel_rsp) == CPU_KERNEL_RSP, "layout.h says otherwise");
_Static_assert(offsetof(struct cpu, user_rsp) == CPU_USER_RSP, "layout.h says otherwise");

extern struct cpu this_cpu;

#endif
