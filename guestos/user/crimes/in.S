/* in - reads the keyboard's data port. #GP(0): CPL is above IOPL and the TSS grants no port. */
#include "crime.h"

    announce in
    crime in
    inb $0x60, %al
    survived
