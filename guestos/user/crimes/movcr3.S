/* movcr3 - installs page tables of its own. #GP(0): control registers are for ring 0. */
#include "crime.h"

    announce movcr3
    xorl %eax, %eax
    crime movcr3
    movq %rax, %cr3
    survived
