/* wrmsr - redirects every system call (IA32_LSTAR) to itself. #GP(0): WRMSR is for ring 0. */
#include "crime.h"

    announce wrmsr
    movl $0xc0000082, %ecx
    leaq _start(%rip), %rax
    xorl %edx, %edx
    crime wrmsr
    wrmsr
    survived
