/*
 * spin.c - two children that never give the CPU away. Each goes on until the timer has taken it
 * away a few times and it has got it back: only pre-emption lets both finish.
 */
#include <stdint.h>
#include <stdio.h>

#include "ulib.h"

#define TURNS 2
#define ROUNDS_LIMIT 1000000
#define ROUND 5000

static int spin(int which)
{
    volatile uint64_t count = 0;

    for (int round = 0; round < ROUNDS_LIMIT; round++) {
        for (int i = 0; i < ROUND; i++) count++;
        if (times_preempted() < TURNS) continue;
        printf("spin: child %c lost the CPU to the timer at least %d times and went on\n",
               'A' + which, TURNS);
        return 0;
    }
    return 1;
}

int main(void)
{
    return run_pair(spin) == 2 ? 0 : 1;
}
