/*
 * layout.h - where everything lives, in linear and in physical memory.
 *
 *   0x0000000000400000  a program's code and data, then its heap (brk) going up
 *   0x00007f0000000000  its mmap area, going up
 *   0x00007fffffff0000  its stack, going down; the page below its last one is never mapped
 *   0x00007ffffffff000  USER_END: no user address is this or above
 *   0xffff800000000000  the map of RAM: physical address p is at PHYSMAP_BASE + p
 *   0xffffffff80000000  KERNEL_BASE: the kernel image, linked here, loaded at physical 1 MiB
 *   0xffffffffc0000000  kernel stacks, each with unmapped pages below it
 *
 * Assembly and C both include this file.
 */
#ifndef GUESTOS_LAYOUT_H
#define GUESTOS_LAYOUT_H

#define PAGE_SIZE 0x1000
#define LARGE_PAGE_SIZE 0x200000

#define USER_MMAP_BASE 0x00007f0000000000
#define USER_STACK_TOP 0x00007fffffff0000
#define USER_STACK_SIZE 0x10000
#define USER_END 0x00007ffffffff000 /* a page short of the hole: SYSRET never sees a bad RCX */

#define PHYSMAP_BASE 0xffff800000000000
#define PHYSMAP_SIZE 0x40000000 /* this storey uses the first gigabyte of RAM at most */

#define KERNEL_BASE 0xffffffff80000000
#define KSTACK_BASE 0xffffffffc0000000
#define KSTACK_SLOT 0x4000 /* address space given to one kernel stack */
#define KSTACK_SIZE 0x2000 /* the part at the top of the slot that is mapped */

/* Segment selectors. ORDER: SYSCALL and SYSRET compute theirs from these neighbours. */
#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_BASE_SELECTOR 0x18 /* SYSRET adds 8 for SS and 16 for a 64-bit CS */
#define USER_SS 0x23
#define USER_CS 0x2b
#define TSS_SELECTOR 0x30

/* A system call that came by SYSCALL has no vector; its frame carries this number instead. */
#define VECTOR_SYSCALL 0x100

/* Offsets into struct cpu (proc.h asserts them); only the SYSCALL entry needs them. */
#define CPU_KERNEL_RSP 0
#define CPU_USER_RSP 8

#endif
