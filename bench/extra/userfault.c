/* userfault - ring 3 touches an absent page: #PF across the ring, map, IRETQ; INT 0x80 unmaps it. */
#include "guest.h"

GUEST("userfault", 400000);

static uint64_t fault_pd[512] __attribute__((aligned(4096)));
uint64_t fault_pt[512] __attribute__((aligned(4096)));
uint64_t faults;
void fault_entry(void), unmap_entry(void), user_loop(void);

/* C does the work, as a kernel's handler would: all caller-saved registers are kept. */
__asm__(".pushsection .text\n"
        ".macro keep\n  push %rax\n  push %rcx\n  push %rdx\n  push %rsi\n  push %rdi\n  push %r8\n"
        "  push %r9\n  push %r10\n  push %r11\n.endm\n"
        ".macro restore\n  pop %r11\n  pop %r10\n  pop %r9\n  pop %r8\n  pop %rdi\n  pop %rsi\n"
        "  pop %rdx\n  pop %rcx\n  pop %rax\n.endm\n"
        "fault_entry:\n"
        "  keep\n"
        "  mov %cr2, %rdi\n"
        "  mov 72(%rsp), %rsi\n"
        "  call fault_handler\n"
        "  restore\n"
        "  add $8, %rsp\n"
        "  iretq\n"
        "unmap_entry:\n"
        "  keep\n"
        "  call unmap_handler\n"
        "  restore\n"
        "  iretq\n"
        ".popsection\n"
        ".pushsection .user,\"ax\"\n"
        "user_loop:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rdi, %rbx\n"
        "  test %rbx, %rbx\n"
        "  jz 2f\n"
        "1: mov %rbx, %rax\n"
        "  shl $12, %rax\n"
        "  and $0x1f000, %eax\n"
        "  lea 0x40000000(%rax), %rdi\n"
        "  mov (%rdi), %rax\n" /* not add to memory: QEMU 7.2 calls that fault a read, hardware a write */
        "  add %rbx, %rax\n"
        "  mov %rax, (%rdi)\n"
        "  add (%rdi), %rbp\n"
        "  int $0x80\n"
        "  dec %rbx\n"
        "  jnz 1b\n"
        "2: mov %rbp, %rax\n"
        "  ret\n"
        ".popsection\n");

__attribute__((used)) void fault_handler(uint64_t address, uint64_t error)
{
    unsigned page = address >> 12 & 511;

    faults += error; /* 4: user, read, not present */
    fault_pt[page] = (ARENA + page * (uint64_t)PAGE) | PTE_P | PTE_W | PTE_U;
}

__attribute__((used)) void unmap_handler(uint64_t address)
{
    fault_pt[address >> 12 & 511] = 0;
    invlpg((const void *)(uintptr_t)address);
}

void kernel_setup(void)
{
    for (unsigned i = 0; i < 32; i++) *(volatile uint64_t *)(ARENA + i * PAGE) = i;
    fault_pd[0] = (uint64_t)(uintptr_t)fault_pt | PTE_P | PTE_W | PTE_U;
    pdpt[1] = (uint64_t)(uintptr_t)fault_pd | PTE_P | PTE_W | PTE_U;
    set_gate(14, fault_entry, 0);
    set_gate(0x80, unmap_entry, 3);
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = user_call((user_fn *)user_loop, n);
    return mix64(sum, faults);
}
