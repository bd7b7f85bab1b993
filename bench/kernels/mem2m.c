/* mem2m - chase and stream over 64 MiB in 2 MiB pages: 32 translations. */
#include "mem.h"

GUEST("mem2m", 1000);

static uint64_t mem_pd[512] __attribute__((aligned(4096)));

static void map_region(void)
{
    for (unsigned t = 0; t < 32; t++) mem_pd[t] = (ARENA + ((uint64_t)t << 21)) | PTE_P | PTE_W | PTE_PS;
    pdpt[1] = (uint64_t)(uintptr_t)mem_pd | PTE_P | PTE_W;
}
