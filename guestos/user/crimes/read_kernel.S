/*
 * read_kernel - reads the kernel's code. #PF(0x5): the page is there, but not for ring 3 (U/S=0).
 */
#include "crime.h"

    announce read_kernel
    movq $ABI_KERNEL_TEXT, %rbx
    crime read_kernel
    movq (%rbx), %rax
    survived
