/* mem4k - chase and stream over 64 MiB in 4 KiB pages: 16384 translations. */
#include "mem.h"

GUEST("mem4k", 1000);

static uint64_t mem_pd[512] __attribute__((aligned(4096)));
static uint64_t mem_pt[32][512] __attribute__((aligned(4096)));

static void map_region(void)
{
    for (unsigned t = 0; t < 32; t++) {
        for (unsigned i = 0; i < 512; i++)
            mem_pt[t][i] = (ARENA + (t * 512 + i) * (uint64_t)PAGE) | PTE_P | PTE_W;
        mem_pd[t] = (uint64_t)(uintptr_t)mem_pt[t] | PTE_P | PTE_W;
    }
    pdpt[1] = (uint64_t)(uintptr_t)mem_pd | PTE_P | PTE_W;
}
