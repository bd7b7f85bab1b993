/*
 * write_kernel - writes to RAM through the kernel's map of it. #PF(0x7): the page is writable, but
 * not for ring 3.
 */
#include "crime.h"

    announce write_kernel
    movq $ABI_KERNEL_DATA, %rbx
    crime write_kernel
    movq %rax, (%rbx)
    survived
