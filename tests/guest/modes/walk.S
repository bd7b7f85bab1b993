/*
 * walk.S - a ROM whose program walks through every mode of the processor and says on port 0xE9 where it is:
 * real, 16-bit protected, 32-bit protected, virtual-8086 and back, compatibility, 64-bit, compatibility,
 * 32-bit, 16-bit, big real. It copies itself to 0x10000, where it was linked. modes_agree.py compares.
 */
        .set BASE, 0x10000
        .set CODE16, 0x08
        .set CODE32, 0x10
        .set FLAT, 0x18
        .set DATA16, 0x20
        .set CODE64, 0x28
        .set TSS, 0x30
        .set TABLES, 0x80000
        .set STACK32, 0x70000

        .text
        .globl _start
_start:
base:

        /* text, then the 16 bits of %dx; in every mode; changes %al, %bl, %dx */
        .macro CHAR c
        mov $\c, %al
        out %al, $0xe9
        .endm
        .macro SAY text
        .irpc letter, \text
        CHAR "'\letter"
        .endr
        CHAR 32
        .endm
        .macro HEX
        mov $4, %bl
7:      rol $4, %dx
        mov %dl, %al
        and $15, %al
        cmp $10, %al
        jb 8f
        add $39, %al
8:      add $48, %al
        out %al, $0xe9
        dec %bl
        jnz 7b
        CHAR 32
        .endm
        .macro LINE
        CHAR 10
        .endm
        .macro MSW /* PE, and whether paging is on is not in it */
        smsw %dx
        and $0xf, %dx
        HEX
        .endm
        .macro SELECTORS
        mov %cs, %edx
        HEX
        mov %ss, %edx
        HEX
        .endm

/* ---- real mode, in the ROM: F000 ------------------------------------------------------------------ */
        .code16
        cli
        xor %ax, %ax
        mov %ax, %ss
        mov $0x7c00, %sp
        mov $0xf000, %ax
        mov %ax, %ds
        mov $0x1000, %ax
        mov %ax, %es
        xor %si, %si
        xor %di, %di
        mov $0x4000, %cx
        cld
        rep movsl
        ljmp $0x1000, $real - base

real:   mov %cs, %ax
        mov %ax, %ds
        xor %ax, %ax
        mov %ax, %es
        mov $32, %cx
        xor %di, %di
1:      movw $other - base, %es:(%di)
        mov %cs, %es:2(%di)
        add $4, %di
        loop 1b
        movw $vector6 - base, %es:24
        movw $vector12 - base, %es:48
        movw $vector13 - base, %es:52
        movw $vector33 - base, %es:132
        mov %cs, %es:134
        SAY real
        SELECTORS
        MSW
        LINE
        call real_tries

/* ---- to protected mode -------------------------------------------------------------------------------- */
        lgdtl gdtr - base
        mov $1, %ax
        lmsw %ax
        SAY PE
        SELECTORS
        MSW
        xor %ax, %ax
        lmsw %ax /* cannot clear it */
        MSW
        LINE
        ljmp $CODE16, $prot16 - base

prot16: mov $FLAT, %ax
        mov %ax, %ss
        mov $STACK32, %esp
        mov %ax, %ds
        SAY prot16
        SELECTORS
        MSW
        mov $CODE32, %ax
        lar %ax, %dx
        HEX
        LINE
        ljmpl $CODE32, $prot32

/* ---- 32 bits -------------------------------------------------------------------------------------------- */
        .code32
prot32: mov $FLAT, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %fs
        mov %eax, %gs
        lidt idtr
        mov $TSS, %eax
        ltr %ax
        SAY prot32
        SELECTORS
        MSW
        str %dx
        HEX
        LINE

        pushl $0x5555 /* GS FS DS ES SS ESP EFLAGS CS EIP */
        pushl $0x4444
        pushl $0x3333
        pushl $0x2222
        pushl $0
        pushl $0x7c00
        pushl $0x20002
        pushl $0x1000
        pushl $v86 - base
        iret

/* #GP: say what was refused; CLI, of IOPL 0: give it IOPL 3. */
gp32:   SAY GP
        pop %edx
        HEX
        mov (%esp), %edx
        sub $v86_cli - base, %edx
        HEX
        mov %ds, %edx
        HEX
        mov %gs, %edx
        HEX
        mov 8(%esp), %edx
        HEX
        mov 10(%esp), %edx
        HEX
        LINE
        orl $0x3000, 8(%esp)
        iret

int33:  SAY int33
        mov 4(%esp), %edx
        HEX
        mov 10(%esp), %edx
        HEX
        mov 20(%esp), %edx
        HEX
        mov 32(%esp), %edx
        HEX
        LINE
        iret

/* ---- virtual-8086 ------------------------------------------------------------------------------------------- */
        .code16
v86:    SAY v86
        SELECTORS
        MSW
        mov %ds, %dx
        HEX
        mov %gs, %dx
        HEX
        LINE
v86_cli: cli
        pushfw
        pop %dx
        SAY flags
        HEX
        LINE
        int $33
        ljmp $0x1001, $v86_far - base - 16
v86_far: SAY far
        mov %cs, %dx
        HEX
        LINE
        int $34

/* ---- long mode ------------------------------------------------------------------------------------------------ */
        .code32
int34:  mov $STACK32, %esp
        mov $FLAT, %eax
        mov %eax, %ds
        mov %eax, %es
        mov %eax, %ss
        SAY back
        SELECTORS
        LINE
        mov $TABLES, %edi
        xor %eax, %eax
        mov $3072, %ecx
        rep stosl
        movl $TABLES + 0x1003, TABLES
        movl $TABLES + 0x2003, TABLES + 0x1000
        movl $0x83, TABLES + 0x2000
        mov $TABLES, %eax
        mov %eax, %cr3
        mov $0x20, %eax
        mov %eax, %cr4
        mov $0xc0000080, %ecx
        rdmsr
        or $0x100, %eax
        wrmsr
        mov %cr0, %eax
        or $0x80000000, %eax
        mov %eax, %cr0
        SAY compat
        SELECTORS
        rdmsr
        mov %eax, %edx
        HEX
        LINE
        ljmp $CODE64, $long64
        .code64
long64: SAY long64
        SELECTORS
        mov $0x123456789abcdef0, %rdx
        shr $48, %rdx
        HEX
        LINE
        pushq $CODE32
        pushq $BASE + compat2 - base
        lretq
        .code32
compat2: SAY compat
        SELECTORS
        LINE
        mov %cr0, %eax
        and $0x7fffffff, %eax
        mov %eax, %cr0
        mov $0xc0000080, %ecx
        rdmsr
        mov %eax, %edx
        SAY legacy
        HEX
        LINE
        xor %eax, %eax
        mov %eax, %cr4
        ljmp $CODE16, $prot16b - base

/* ---- back to real mode, ES with the flat limit ------------------------------------------------------------------- */
        .code16
prot16b: mov $DATA16, %ax
        mov %ax, %ss
        mov %ax, %ds
        mov %ax, %fs
        mov %ax, %gs
        mov $FLAT, %ax
        mov %ax, %es
        SAY prot16
        SELECTORS
        LINE
        mov %cr0, %eax
        and $0xfffffffe, %eax
        mov %eax, %cr0
        ljmp $0x1000, $big - base
big:    mov %cs, %ax
        mov %ax, %ds
        xor %ax, %ax
        mov %ax, %es
        mov %ax, %ss
        mov $0x7c00, %sp
        lidtl real_idtr - base
        SAY big
        SELECTORS
        MSW
        mov $0x200000, %eax
        movw $0xbeef, %es:(%eax)
        mov %es:(%eax), %dx
        HEX
        LINE
        call real_tries
        SAY done
        LINE
        xor %ax, %ax
        out %al, $0xf4
1:      cli
        hlt
        jmp 1b

/* ---- what real mode does --------------------------------------------------------------------------------------- */
real_tries:
        sti
        int $33
        cli
        mov $here - base, %bp
        lldt %ax
here:   mov $0xffff, %si
        mov $here2 - base, %bp
        movw (%si), %ax
here2:  mov $here3 - base, %bp
        movw $1, %ds:0xffff
here3:  mov $here4 - base, %bp
        .byte 0x67, 0x8b, 0x05, 0x00, 0x00, 0x01, 0x00 /* mov ax, [dword 10000h] */
here4:  ret

        /* a fault: its number, where; on behind it */
        .macro FAULT n
        SAY fault\n
        mov %sp, %di
        mov %ss:(%di), %dx
        sub %bp, %dx
        HEX
        mov %ss:4(%di), %dx
        HEX
        LINE
        mov %bp, %ss:(%di)
        iret
        .endm
vector6: FAULT 6
vector12: FAULT 12
vector13: FAULT 13
other:  FAULT x
vector33: SAY vector33
        pushfw
        pop %dx
        HEX
        mov %sp, %di
        mov %ss:4(%di), %dx
        HEX
        LINE
        iret

/* ---- tables --------------------------------------------------------------------------------------------------------- */
        .balign 8
gdt:    .quad 0
        .quad 0x00009b010000ffff
        .quad 0x00cf9b000000ffff
        .quad 0x00cf93000000ffff
        .quad 0x000093000000ffff
        .quad 0x00af9b000000ffff
        .word 0x67
        .word tss - base
        .byte 1, 0x89, 0, 0
gdtr:   .word gdtr - gdt - 1
        .long gdt
idtr:   .word 35 * 8 - 1
        .long idt
real_idtr: .word 0x3ff
        .long 0
        .balign 8
idt:    .rept 13
        .quad 0
        .endr
        .word gp32 - base, CODE32, 0x8e00, 1
        .rept 19
        .quad 0
        .endr
        .word int33 - base, CODE32, 0xee00, 1
        .word int34 - base, CODE32, 0xee00, 1
        .balign 8
tss:    .long 0, STACK32, FLAT
        .skip 0x68 - 12

        .org 0xfff0
        .code16
        ljmp $0xf000, $0
        .org 0x10000
