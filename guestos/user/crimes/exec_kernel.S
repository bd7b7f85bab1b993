/*
 * exec_kernel - jumps into the kernel past its doors. #PF(0x15): the fetch after the jump is
 * refused (U/S=0).
 */
#include "crime.h"

    announce exec_kernel
    movq $ABI_KERNEL_TEXT, %rbx
    crime exec_kernel
    jmp *%rbx
    survived
