/* write_code - changes its own code. #PF(0x7): a page of code is not writable (R/W=0). */
#include "crime.h"

    announce write_code
    leaq _start(%rip), %rbx
    crime write_code
    movb $0x90, (%rbx)
    survived
