/*
 * ulib.h - what several of our programs want and the C library does not offer.
 */
#ifndef GUESTOS_ULIB_H
#define GUESTOS_ULIB_H

#include <stdint.h>

/* The processor's time-stamp counter, in cycles. */
static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

/* How often the timer has taken the CPU from this process and given it to another. */
long times_preempted(void);

/* Runs `body(i)` for i = 0 and 1 in two children at the same time. Returns how many returned 0. */
int run_pair(int (*body)(int which));

#endif
