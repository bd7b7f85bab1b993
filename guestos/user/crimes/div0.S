/* div0 - divides by zero. #DE: there is no answer. */
#include "crime.h"

    announce div0
    movl $1, %eax
    xorl %edx, %edx
    xorl %ebx, %ebx
    crime div0
    divl %ebx
    survived
