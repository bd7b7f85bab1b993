/* cli - turns interrupts off, to keep the CPU for itself. #GP(0): CPL is above IOPL. */
#include "crime.h"

    announce cli
    crime cli
    cli
    survived
