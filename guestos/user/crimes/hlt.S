/* hlt - halts the processor. #GP(0): HLT is for ring 0. */
#include "crime.h"

    announce hlt
    crime hlt
    hlt
    survived
