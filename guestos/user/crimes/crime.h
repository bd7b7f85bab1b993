/*
 * crime.h - the frame around every crime: announce it, commit it, and confess if it worked.
 *
 *     announce NAME     starts the program: prints "crime: NAME"
 *     crime NAME        defines the label crime_NAME: the instruction after it must be stopped
 *     survived          ends the program: exits with ABI_STATUS_SURVIVED
 *
 * No C library: the whole program is a dozen instructions, easy to follow in an event log.
 */
#include "../../abi/abi.h"

#define STDOUT 1

    .macro announce name
    .section .rodata
announcement:
    .ascii "crime: \name\n"
    .set announcement_size, . - announcement
    .text
    .globl _start
_start:
    movl $SYS_write, %eax
    movl $STDOUT, %edi
    leaq announcement(%rip), %rsi
    movl $announcement_size, %edx
    syscall
    .endm

    .macro survived
    movl $SYS_exit_group, %eax
    movl $ABI_STATUS_SURVIVED, %edi
    syscall
    .endm

    .macro crime name
    .globl crime_\name
    .type crime_\name, @function
crime_\name:
    .endm
