/*
 * noncanon - follows a pointer whose upper bits are no copy of bit 47. #GP(0): the address is not
 * canonical.
 */
#include "crime.h"

    announce noncanon
    movq $0x8000000000000000, %rbx
    crime noncanon
    movq (%rbx), %rax
    survived
