/*
 * trap.S - the doors into ring 0 and the way out. Each door builds a struct trapframe on the kernel
 * stack of the process (trap.h has the picture) and calls C with its address.
 *
 * C code never uses GS, so an entry only has to swap it when it came from ring 3, as the saved CS
 * says.
 */
#include "layout.h"

#define FRAME_VECTOR 0 /* offsets from RSP before the general registers are pushed */
#define FRAME_CS 24
#define RETURN_CS 8 /* offset from RSP when only the processor's part is left */

    .macro push_registers
    pushq %rdi
    pushq %rsi
    pushq %rdx
    pushq %rcx
    pushq %rax
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    .endm

    .macro pop_registers
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rax
    popq %rcx
    popq %rdx
    popq %rsi
    popq %rdi
    .endm

    .text

/* From a stub: vector and error code are pushed above what the processor pushed. */
    .type trap_common, @function
trap_common:
    testb $3, FRAME_CS(%rsp)
    jz 1f
    swapgs
1:  push_registers
    cld
    cmpb $0, cpu_has_smap(%rip) /* a gate leaves AC as ring 3 had it; SMAP must not stay lifted */
    je 2f
    clac
2:  movq %rsp, %rdi
    call trap

/* The way out of every door but SYSCALL; a new process starts here too. */
    .globl trap_return
    .type trap_return, @function
trap_return:
    pop_registers
    addq $16, %rsp /* vector and error code */
    testb $3, RETURN_CS(%rsp)
    jz 1f
    swapgs
    .globl trap_iretq
    .type trap_iretq, @function
trap_iretq:
1:  iretq

/* RCX holds the caller's RIP, R11 its RFLAGS; RSP is still the caller's. FMASK has cleared IF. */
    .globl syscall_entry
    .type syscall_entry, @function
syscall_entry:
    swapgs
    movq %rsp, %gs:CPU_USER_RSP
    movq %gs:CPU_KERNEL_RSP, %rsp
    pushq $USER_SS
    pushq %gs:CPU_USER_RSP
    pushq %r11
    pushq $USER_CS
    pushq %rcx
    pushq $0
    pushq $VECTOR_SYSCALL
    push_registers
    movq %rsp, %rdi
    call syscall

/* SYSRET takes RIP from RCX and RFLAGS from R11. RIP is below USER_END, hence canonical. */
    pop_registers
    movq 16(%rsp), %rcx
    movq 32(%rsp), %r11
    movq 40(%rsp), %rsp
    swapgs
    .globl syscall_sysretq
    .type syscall_sysretq, @function
syscall_sysretq:
    sysretq

/* One stub per vector. For some exceptions the processor pushes an error code; else we push 0. */
    .macro stub_plain vector, name
    .globl \name
    .type \name, @function
\name:
    pushq $0
    pushq $\vector
    jmp trap_common
    .endm

    .macro stub_error vector, name
    .globl \name
    .type \name, @function
\name:
    pushq $\vector
    jmp trap_common
    .endm

    .macro stub_numbered vector
    stub_plain \vector, vector_\vector
    .endm

    stub_plain 0, divide_error
    stub_plain 1, debug_exception
    stub_plain 2, nmi_interrupt
    stub_plain 3, breakpoint
    stub_plain 4, overflow
    stub_plain 5, bound_range
    stub_plain 6, invalid_opcode
    stub_plain 7, device_not_available
    stub_error 8, double_fault
    stub_plain 9, coprocessor_overrun
    stub_error 10, invalid_tss
    stub_error 11, segment_not_present
    stub_error 12, stack_fault
    stub_error 13, general_protection
    stub_error 14, page_fault
    stub_plain 15, vector_15
    stub_plain 16, x87_error
    stub_error 17, alignment_check
    stub_plain 18, machine_check
    stub_plain 19, simd_error
    stub_plain 20, virtualization_exception
    stub_error 21, control_protection

    .altmacro
    .set n, 22
    .rept 32 - 22
    stub_numbered %n
    .set n, n + 1
    .endr

    stub_plain 32, irq0_timer
    .set n, 33
    .rept 128 - 33
    stub_numbered %n
    .set n, n + 1
    .endr

    stub_plain 128, int80_entry
    .set n, 129
    .rept 256 - 129
    stub_numbered %n
    .set n, n + 1
    .endr

/* The stubs' addresses, in vector order, for cpu.c to make gates of. */
    .macro entry_numbered vector
    .quad vector_\vector
    .endm

    .section .rodata
    .balign 8
    .globl trap_entries
trap_entries:
    .quad divide_error, debug_exception, nmi_interrupt, breakpoint
    .quad overflow, bound_range, invalid_opcode, device_not_available
    .quad double_fault, coprocessor_overrun, invalid_tss, segment_not_present
    .quad stack_fault, general_protection, page_fault, vector_15
    .quad x87_error, alignment_check, machine_check, simd_error
    .quad virtualization_exception, control_protection
    .set n, 22
    .rept 32 - 22
    entry_numbered %n
    .set n, n + 1
    .endr
    .quad irq0_timer
    .set n, 33
    .rept 128 - 33
    entry_numbered %n
    .set n, n + 1
    .endr
    .quad int80_entry
    .set n, 129
    .rept 256 - 129
    entry_numbered %n
    .set n, n + 1
    .endr
