/* alu - integer mix as gcc -O2 makes it: CRC, shell sort, sieve, hash table, xorshift. */
#include "alu_mix.h"

GUEST("alu", 1500);

void kernel_setup(void) { mix_setup(); }

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    while (n--) sum = mix_round(sum);
    return sum;
}
