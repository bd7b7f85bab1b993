/* stack_overflow - calls itself for ever. #PF(0x6) at the guard page below the stack. */
#include "crime.h"

    announce stack_overflow
    crime stack_overflow
    call crime_stack_overflow
    survived
