/*
 * boot.S - from a Multiboot loader's 32-bit entry to kmain() in the higher half.
 *
 * On entry: 32-bit protected mode, paging off, flat segments, interrupts off, EAX the loader's
 * magic, EBX the physical address of its information. We map the first gigabyte three times over,
 * at 0 (where we run), at PHYSMAP_BASE and at KERNEL_BASE, with 2 MiB pages; turn on long mode;
 * jump up. Manual: Multiboot 1, "Machine state"; SDM 3A "Initializing IA-32e Mode".
 * kernel/vm.c builds the real page tables and drops these.
 */
#include "../abi/abi.h"
#include "../kernel/layout.h"

#define MULTIBOOT_MAGIC 0x1badb002
#define MULTIBOOT_LOADED 0x2badb002
#define MULTIBOOT_FLAGS 0x00010003 /* page-aligned modules, memory map, address fields below */

#define CR0_PE 0x00000001
#define CR0_MP 0x00000002
#define CR0_EM 0x00000004
#define CR0_NE 0x00000020
#define CR0_WP 0x00010000
#define CR0_PG 0x80000000
#define CR4_PAE 0x20
#define CR4_OSFXSR 0x200
#define CR4_OSXMMEXCPT 0x400
#define IA32_EFER 0xc0000080
#define EFER_SCE 0x001
#define EFER_LME 0x100
#define EFER_NXE 0x800
#define CPUID_LM 29 /* bit of leaf 0x80000001 EDX */
#define CPUID_NX 20

#define PTE_P_W 0x03
#define PTE_P_W_PS 0x83
#define PHYS(symbol) (symbol - KERNEL_BASE)

    .section .boot, "ax"
    .code32

    .balign 4
multiboot_header:
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long multiboot_header /* header_addr */
    .long image_start      /* load_addr */
    .long image_load_end   /* load_end_addr */
    .long image_bss_end    /* bss_end_addr */
    .long _start           /* entry_addr */

    .globl _start
_start:
    cli
    cld
    movl $PHYS(boot_stack_top), %esp
    movl %ebx, %esi /* survives until the jump up: nothing below touches esi */
    cmpl $MULTIBOOT_LOADED, %eax
    jne boot_refuse
    call require_long_mode
    call map_first_gigabyte

    movl %cr4, %eax
    orl $(CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT), %eax
    movl %eax, %cr4
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    movl $IA32_EFER, %ecx
    rdmsr
    orl $(EFER_LME | EFER_NXE | EFER_SCE), %eax
    wrmsr
    movl %cr0, %eax
    andl $~CR0_EM, %eax
    orl $(CR0_PG | CR0_WP | CR0_NE | CR0_MP | CR0_PE), %eax
    movl %eax, %cr0

    lgdt boot_gdt_pointer
    ljmp $KERNEL_CS, $long_mode

/* Leaves if the CPU has long mode and no-execute pages; refuses to boot otherwise. */
require_long_mode:
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb boot_refuse
    movl $0x80000001, %eax
    cpuid
    btl $CPUID_LM, %edx
    jnc boot_refuse
    btl $CPUID_NX, %edx
    jnc boot_refuse
    ret

/* In the root, 0, PHYSMAP_BASE, KERNEL_BASE are entries 0, 256, 511; below, the last is 510. */
map_first_gigabyte:
    movl $(PHYS(boot_pdpt) + PTE_P_W), %eax
    movl %eax, PHYS(boot_pml4)
    movl %eax, PHYS(boot_pml4) + 256 * 8
    movl %eax, PHYS(boot_pml4) + 511 * 8
    movl $(PHYS(boot_pd) + PTE_P_W), %eax
    movl %eax, PHYS(boot_pdpt)
    movl %eax, PHYS(boot_pdpt) + 510 * 8

    movl $PTE_P_W_PS, %eax
    movl $PHYS(boot_pd), %edi
    movl $512, %ecx
1:  movl %eax, (%edi)
    addl $LARGE_PAGE_SIZE, %eax
    addl $8, %edi
    loop 1b
    ret

/* Not our loader or not our CPU: say so with the exit value, then halt for good. */
boot_refuse:
    movb $ABI_EXIT_NO_BOOT, %al
    outb %al, $ABI_EXIT_PORT
1:  cli
    hlt
    jmp 1b

    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00209a0000000000 /* code: present, ring 0, executable, readable, L=1 */
    .quad 0x0000920000000000 /* data: present, ring 0, writable */
boot_gdt_pointer:
    .word . - boot_gdt - 1
    .long boot_gdt

    .code64
long_mode:
    movl $KERNEL_SS, %eax
    movl %eax, %ss
    movl %eax, %ds
    movl %eax, %es
    xorl %eax, %eax
    movl %eax, %fs
    movl %eax, %gs
    movq $higher_half, %rax
    jmp *%rax

    .text
higher_half:
    movq $boot_stack_top, %rsp
    movl %esi, %edi /* kmain(information) */
    xorl %ebp, %ebp
    pushq $0
    jmp kmain

    .bss
    .balign PAGE_SIZE
boot_pml4:
    .skip PAGE_SIZE
boot_pdpt:
    .skip PAGE_SIZE
boot_pd:
    .skip PAGE_SIZE
    .globl boot_stack
boot_stack:
    .skip KSTACK_SIZE
boot_stack_top:
