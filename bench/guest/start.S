/*
 * start.S - from Multiboot's 32-bit entry to long mode, for every bench guest.
 *
 * Guarantees to C: identity map of the first GiB (2 MiB pages, supervisor), the first 2 MiB in
 * 4 KiB pages of which [user_begin, user_end) carries U/S; GDT with rings 0 and 3, TSS with RSP0,
 * IDT whose exceptions print and stop, interrupts off, no FPU or SSE state touched.
 * The Multiboot header carries address fields, so loaders that refuse ELF64 take the file too.
 */
        .set MB_FLAGS, 0x00010003                /* page-align, memory info, address fields */
        .set MB_MAGIC, 0x1BADB002

        .section .head, "ax"
        .align 4
multiboot_header:
        .long MB_MAGIC, MB_FLAGS, -(MB_MAGIC + MB_FLAGS)
        .long multiboot_header, image_begin, image_load_end, image_end, start

        .code32
        .globl start
start:  cli
        cld
        mov $boot_stack_top, %esp
        movl %eax, mb_magic
        movl %ebx, mb_info

        /* PML4[0] -> PDPT[0] -> PD; PD[0] -> PT (4K), PD[1..511] = 2 MiB pages */
        movl $pdpt + 7, pml4
        movl $pd + 7, pdpt
        movl $pt + 7, pd
        mov $1, %ecx
1:      mov %ecx, %eax
        shl $21, %eax
        or $0x83, %eax
        mov %eax, pd(,%ecx,8)
        inc %ecx
        cmp $512, %ecx
        jb 1b
        xor %ecx, %ecx
2:      mov %ecx, %eax
        shl $12, %eax
        or $3, %eax
        cmp $user_begin, %eax
        jb 3f
        cmp $user_end, %eax
        jae 3f
        or $4, %eax
3:      mov %eax, pt(,%ecx,8)
        inc %ecx
        cmp $512, %ecx
        jb 2b

        mov $0x20, %eax                          /* CR4.PAE */
        mov %eax, %cr4
        mov $pml4, %eax
        mov %eax, %cr3
        mov $0xC0000080, %ecx                    /* EFER: LME, SCE */
        rdmsr
        or $0x101, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80010001, %eax                     /* PG, WP, PE */
        mov %eax, %cr0
        lgdt gdt_pointer
        ljmp $0x08, $long_mode

        .code64
long_mode:
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        xor %eax, %eax
        mov %eax, %fs
        mov %eax, %gs
        mov $boot_stack_top, %rsp
        xor %ebp, %ebp
        call guest_main
4:      cli
        hlt
        jmp 4b

/* ---- exceptions nobody asked for: print and stop ------------------------------------- */
        .text
        .globl vector_stubs
        .align 16
vector_stubs:                                    /* 16 bytes each, vectors 0..31 */
        .set v, 0
        .rept 32
        .align 16
        .if v == 8 || v == 10 || v == 11 || v == 12 || v == 13 || v == 14 || v == 17
        .else
        push $0
        .endif
        push $v
        jmp unexpected
        .set v, v + 1
        .endr

unexpected:
        pop %rdi                                 /* vector */
        pop %rsi                                 /* error code */
        mov (%rsp), %rdx                         /* rip */
        mov %cr2, %rcx
        and $-16, %rsp
        call guest_unexpected

/* ---- to ring 3 and back -------------------------------------------------------------- */
/* uint64_t user_call(user_fn *fn, uint64_t arg): runs fn(arg) in ring 3; it ends by INT 0x81
 * with its result in rax. */
        .globl user_call, user_return, user_exit_gate
user_call:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, user_saved_rsp(%rip)
        mov %rdi, %rcx
        mov %rsi, %rdi
        push $0x1B                               /* SS */
        push $user_stack_top - 8
        push $0x02                               /* RFLAGS, IF=0 */
        push $0x23                               /* CS */
        push %rcx
        movq $user_return, user_stack_top - 8
        iretq
user_exit_gate:
        mov user_saved_rsp(%rip), %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

        .section .user, "ax"
user_return:
        int $0x81

/* ---- data ---------------------------------------------------------------------------- */
        .data
        .align 8
        .globl gdt
gdt:    .quad 0
        .quad 0x00AF9B000000FFFF                 /* 0x08 code, ring 0 */
        .quad 0x00CF93000000FFFF                 /* 0x10 data, ring 0 */
        .quad 0x00CFF3000000FFFF                 /* 0x18 data, ring 3 */
        .quad 0x00AFFB000000FFFF                 /* 0x20 code, ring 3 */
        .quad 0, 0                               /* 0x28 TSS */
gdt_end:
gdt_pointer:
        .word gdt_end - gdt - 1
        .quad gdt

        .globl mb_magic, mb_info
mb_magic: .long 0
mb_info:  .long 0

        .bss
        .align 4096
        .globl pml4, pdpt, pd
pml4:   .skip 4096
pdpt:   .skip 4096
pd:     .skip 4096
pt:     .skip 4096
        .skip 16384
boot_stack_top:
        .skip 8192
        .globl trap_stack_top
trap_stack_top:
        .align 8
user_saved_rsp: .skip 8

        .section .user.bss, "aw", @nobits
        .align 4096
        .skip 8192
user_stack_top:

        .section .note.GNU-stack, "", @progbits
