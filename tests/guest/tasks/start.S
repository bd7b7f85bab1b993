/* start.S - Multiboot header, entry, and the parts of tasks.c that C cannot say. */
        .section .multiboot, "a"
        .align 4
        .long 0x1badb002, 0, -0x1badb002

        .bss
        .align 16
        .skip 16384
top:
        .globl gdt, idt
gdt:    .skip 512
idt:    .skip 2048

        .set MAIN, 0x28
        .set TSS_EIP, 0x20
        .text
        .globl _start
_start: cli
        mov $top, %esp
        call kmain

/* ---- one try each: whatever happens goes on at recover ---- */
        .globl try_jmp, try_call, try_int, try_gp, try_user
        .macro TRY
        push %ebp
        push %ebx
        push %esi
        push %edi
        mov %esp, recover_esp
        movl $recover, recover_eip
        mov 20(%esp), %eax
        .endm

try_jmp: TRY
        mov %ax, far + 4
        ljmp *far
        jmp recover
try_call: TRY
        mov %ax, far + 4
        lcall *far
        jmp recover
try_int: TRY
        int $0x80
        jmp recover
try_gp: TRY
        mov %ax, %fs
        jmp recover
try_user: TRY
        mov %esp, main_tss + 4
        pushl $0x23
        pushl $stacks + 4096 * 7
        pushl $0x3002
        pushl $0x1b
        push %eax
        mov $0x23, %eax
        mov %eax, %ds
        mov %eax, %es
        iret
recover:
        mov recover_esp, %esp
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %fs
        mov %eax, %gs
        pop %edi
        pop %esi
        pop %ebx
        pop %ebp
        ret

        .data
far:    .long 0
        .word 0
main_far: .long 0
        .word MAIN
inner_far: .long 0
        .word 0x58
        .text

/* ---- bodies of tasks ---- */
        .globl task_body, error_body, body16, inner_body, calls_inner, db_handler
        .macro NOTE
        mov %eax, body_gpr
        mov %ecx, body_gpr + 4
        mov %edx, body_gpr + 8
        mov %ebx, body_gpr + 12
        mov %esp, body_gpr + 16
        mov %ebp, body_gpr + 20
        mov %esi, body_gpr + 24
        mov %edi, body_gpr + 28
        pushf
        pop body_flags
        xor %eax, %eax
        str %ax
        mov %eax, body_tr
        incl body_count
        .endm

/* nested and the main task busy: back by IRET, else by JMP */
task_body:
        push %ss
        pop %ds
        NOTE
        testl $0x4000, body_flags
        jz 1f
        cmpw $0, new_tss
        je 1f
        iret
1:      movl $recover, main_tss + TSS_EIP
        ljmp *main_far
error_body:
        pop body_error
        NOTE
        movl $recover, main_tss + TSS_EIP
        iret
body16: NOTE
        iret
calls_inner:
        NOTE
        lcall *inner_far
        iret
inner_body:
        NOTE
        iret
db_handler:
        push %eax
        mov $'!', %al
        out %al, $0xe9
        pop %eax
        iret

/* ---- tasks of exceptions, 16 bytes each ---- */
        .globl handlers
        .align 16
handlers:
        .set number, 0
        .rept 16
        .align 16
        pushl $number
        jmp 1f
        .set number, number + 1
        .endr
1:      call caught
        iret

/* ---- out of level 3 ---- */
        .globl user_call, user_call16, user_int, gate_entry, gate16_entry
user_call:
        pushl $0x1111
        pushl $0x2222
        lcall $0x63, $0
user_call16:
        pushl $0x44443333
        lcall $0x6b, $0
user_int:
        int $0x80
        lcall $0x63, $0
        .macro STACK load, step
        mov $0x10, %eax
        mov %eax, %ds
        mov %eax, %es
        xor %ecx, %ecx
1:      \load (%esp, %ecx, \step), %eax
        mov %eax, gate_stack(, %ecx, 4)
        inc %ecx
        cmp $6, %ecx
        jb 1b
        .endm
gate_entry:
        STACK mov, 4
        subl $user_call, gate_stack
        subl $stacks, gate_stack + 16
        jmp recover
gate16_entry:
        STACK movzwl, 2
        movl $0, gate_stack
        subl $stacks, gate_stack + 16
        andl $0xffff, gate_stack + 16
        mov $recover, %eax
        jmp *%eax
        .section .note.GNU-stack, "", @progbits
