/*
 * swtch.S - void swtch(struct context **from, struct context *to)
 *
 * Pushes what C expects a call to keep, leaves the stack pointer in *from, takes up `to` and
 * returns on that stack. ORDER: struct context (proc.h).
 */
    .text
    .globl swtch
    .type swtch, @function
swtch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
