/*
 * world.S - runs one case and comes back whatever it does: every vector lands in `landed`, which writes
 * down what the processor pushed and returns to run_case's caller. All gates use IST1, so that a case may
 * ruin its stack. Boot, page tables and the image's layout are bench/guest's.
 */
        .text
        .globl stubs, run_case
        .align 16
stubs:                                           /* 16 bytes each, all 256 vectors */
        .set v, 0
        .rept 256
        .align 16
        .if v == 8 || (v >= 10 && v <= 14) || v == 17
        .else
        push $0
        .endif
        push $v
        jmp landed
        .set v, v + 1
        .endr

landed: push %rax
        push %rcx
        mov %rsp, %rcx                           /* rcx, rax, vector, error, rip, cs, rflags, rsp, ss */
        mov %rcx, saw_frame
        mov %rsi, saw_rsi
        mov %r11, saw_r11
        mov %cr2, %rax
        mov %rax, saw_cr2
        mov %dr7, %rax
        mov %rax, saw_dr7
        xor %eax, %eax
        mov %rax, %dr7
        mov %dr6, %rax
        mov %rax, saw_dr6
        mov $0x10, %eax
        mov %eax, %ss
        mov %eax, %ds
        mov %eax, %es
        mov home_rsp, %rsp
        push $2
        popf
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

/* void run_case(code, ring): a case ends by a fault or by INT 0x81; a case in ring 0 may also RET. */
run_case:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, home_rsp
        lea case_stack_top - 8, %rax
        lea case_end, %rdx
        mov %rdx, (%rax)
        test %esi, %esi
        jz 1f
        push $0x1B
        push %rax
        push $2
        push $0x23
        push %rdi
        iretq
1:      mov %rax, %rsp
        push $2
        popf
        jmp *%rdi

        .section .user, "ax"
case_end:
        int $0x81

        .section .user.data, "aw"
        .globl word_ss, scratch
        .align 16
word_ss: .quad 0x10
scratch: .skip 64

        .bss
        .globl saw_frame, saw_rsi, saw_r11, saw_cr2, saw_dr6, saw_dr7, home_rsp
        .align 8
saw_frame: .skip 8
saw_rsi: .skip 8
saw_r11: .skip 8
saw_cr2: .skip 8
saw_dr6: .skip 8
saw_dr7: .skip 8
home_rsp: .skip 8

        .section .user.bss, "aw", @nobits
        .align 4096
        .skip 4096
        .globl case_stack_top
case_stack_top:
        .skip 64
        .section .note.GNU-stack, "", @progbits
