/* null - follows a null pointer. #PF(0x4): nothing is mapped there. */
#include "crime.h"

    announce null
    xorl %ebx, %ebx
    crime null
    movq (%rbx), %rax
    survived
