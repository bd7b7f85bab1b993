/*
 * trap.h - what is on the kernel stack when ring 0 has been entered, by whatever door.
 */
#ifndef GUESTOS_TRAP_H
#define GUESTOS_TRAP_H

#include <stdbool.h>
#include <stdint.h>

/* ORDER: trap.S pushes these from the last to the first. Belongs to the process. */
struct trapframe {
    uint64_t r15, r14, r13, r12, rbp, rbx; /* pushed by us */
    uint64_t r11, r10, r9, r8;
    uint64_t rax, rcx, rdx, rsi, rdi;
    uint64_t vector;                   /* pushed by the stub; VECTOR_SYSCALL for SYSCALL */
    uint64_t error;                    /* pushed by the processor, or zero by the stub */
    uint64_t rip, cs, rflags, rsp, ss; /* pushed by the processor, or by the SYSCALL entry */
};

_Static_assert(sizeof(struct trapframe) % 16 == 0, "C needs a 16-byte aligned stack");

static inline bool from_user(const struct trapframe *tf)
{
    return (tf->cs & 3) == 3;
}

/* trap.S: the entry stub of each vector, the SYSCALL entry, and the common way out. */
extern const uint64_t trap_entries[256];
void syscall_entry(void);
void trap_return(void);

#endif
