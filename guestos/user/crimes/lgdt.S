/* lgdt - installs a segment table of its own. #GP(0): LGDT is for ring 0. */
#include "crime.h"

    announce lgdt
    pushq $0
    pushq $0
    crime lgdt
    lgdt (%rsp)
    survived
