/* ctxsw - MOV CR3 between two address spaces, sixteen pages touched in each. */
#include "guest.h"

GUEST("ctxsw", 150000);

enum { PAGES = 16 };
static uint64_t space_pml4[2][512] __attribute__((aligned(4096)));
static uint64_t space_pdpt[2][512] __attribute__((aligned(4096)));
static uint64_t space_pd[2][512] __attribute__((aligned(4096)));
static uint64_t space_pt[2][512] __attribute__((aligned(4096)));

static uint64_t at(const void *p) { return (uint64_t)(uintptr_t)p | PTE_P | PTE_W; }

void kernel_setup(void)
{
    for (unsigned s = 0; s < 2; s++) {
        space_pml4[s][0] = at(space_pdpt[s]);
        space_pdpt[s][0] = at(pd);
        space_pdpt[s][1] = at(space_pd[s]);
        space_pd[s][0] = at(space_pt[s]);
        for (unsigned i = 0; i < PAGES; i++) {
            uint64_t frame = ARENA + (s * PAGES + i) * (uint64_t)PAGE;
            space_pt[s][i] = frame | PTE_P | PTE_W;
            *(volatile uint64_t *)frame = s * 100 + i;
        }
    }
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        write_cr3((uint64_t)(uintptr_t)space_pml4[i & 1]);
        volatile uint64_t *p = (volatile uint64_t *)0x40000000;
        for (unsigned k = 0; k < PAGES; k++, p += PAGE / 8) {
            sum += *p;
            *p = sum;
        }
    }
    return sum;
}
