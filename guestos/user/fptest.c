/*
 * fptest.c - two children hold different values in all sixteen xmm registers while the timer
 * switches between them. If the kernel mixed up their floating-point state, one would find the
 * other's values. The registers are only moved and compared: no floating-point arithmetic.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ulib.h"

#define TURNS 2
#define ROUNDS_LIMIT 100000
#define SPIN 20000
#define REGISTERS 16

struct xmm {
    uint64_t low, high;
} __attribute__((aligned(16)));

static struct xmm expected[REGISTERS]; /* what this child puts into the registers */
static struct xmm residue[REGISTERS];  /* what came back, exclusive-or what was expected */

/* Loads all registers, spins with integers only, and leaves the differences in residue[]. */
static void hold_and_compare(void)
{
    uint64_t spins = SPIN;

/* clang-format off */
#define EACH(row)                                                                                 \
    row(0) row(1) row(2) row(3) row(4) row(5) row(6) row(7)                                       \
    row(8) row(9) row(10) row(11) row(12) row(13) row(14) row(15)
/* clang-format on */
#define LOAD(n) "movdqa " #n "*16(%1), %%xmm" #n "\n\t"
#define COMPARE(n) "pxor " #n "*16(%1), %%xmm" #n "\n\t"
#define STORE(n) "movdqa %%xmm" #n ", " #n "*16(%2)\n\t"
    __asm__ volatile(EACH(LOAD) "1: decq %0\n\t"
                                "jnz 1b\n\t" EACH(COMPARE) EACH(STORE)
                     : "+r"(spins)
                     : "r"(expected), "r"(residue)
                     : "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6",
                       "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                       "xmm15");
}

static int hold(int which)
{
    static const struct xmm zero[REGISTERS];

    for (uint64_t i = 0; i < REGISTERS; i++) {
        expected[i].low = 0x0101010101010101u * (i + 1) + (uint64_t)which;
        expected[i].high = ~expected[i].low;
    }
    for (int round = 0; round < ROUNDS_LIMIT && times_preempted() < TURNS; round++) {
        hold_and_compare();
        if (memcmp(residue, zero, sizeof(zero)) != 0) return 1;
    }
    if (times_preempted() < TURNS) return 1;
    printf("fptest: child %c kept its sixteen xmm registers\n", 'A' + which);
    return 0;
}

int main(void)
{
    return run_pair(hold) == 2 ? 0 : 1;
}
