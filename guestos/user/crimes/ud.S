/* ud - executes the instruction that is kept undefined. #UD. */
#include "crime.h"

    announce ud
    crime ud
    ud2
    survived
