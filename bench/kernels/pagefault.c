/* pagefault - touch an absent page, #PF maps it, IRET, the touch succeeds, unmap and INVLPG. */
#include "guest.h"

GUEST("pagefault", 1000000);

enum { PAGES = 64 };
static uint64_t fault_pd[512] __attribute__((aligned(4096)));
uint64_t fault_pt[512] __attribute__((aligned(4096)));
uint64_t faults;
static volatile uint64_t *const window = (uint64_t *)0x40000000;

void pagefault_entry(void);
__asm__(".pushsection .text\n"
        "pagefault_entry:\n"
        "  push %rax\n"
        "  push %rcx\n"
        "  mov %cr2, %rax\n"
        "  mov %rax, %rcx\n"
        "  shr $12, %rax\n"
        "  and $0x1ff, %eax\n"
        "  and $0x3f000, %ecx\n"
        "  add $0x4000003, %rcx\n" /* frame in the arena, present, writable */
        "  mov %rcx, fault_pt(,%rax,8)\n"
        "  incq faults(%rip)\n"
        "  pop %rcx\n"
        "  pop %rax\n"
        "  add $8, %rsp\n"
        "  iretq\n"
        ".popsection\n");

void kernel_setup(void)
{
    fault_pd[0] = (uint64_t)(uintptr_t)fault_pt | PTE_P | PTE_W;
    pdpt[1] = (uint64_t)(uintptr_t)fault_pd | PTE_P | PTE_W;
    for (unsigned i = 0; i < PAGES; i++) *(volatile uint64_t *)(ARENA + i * PAGE) = i;
    set_gate(14, pagefault_entry, 0);
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        unsigned page = i % PAGES;
        volatile uint64_t *p = window + page * (PAGE / 8);
        sum += *p;
        *(volatile uint64_t *)&fault_pt[page] = 0;
        invlpg(p);
    }
    return mix64(sum, faults);
}
