/* syscall - ring 3: mov, SYSCALL; ring 0: count, answer, SYSRET; ring 3: add, dec, jnz. 8 a round. */
#include "guest.h"

GUEST("syscall", 12000000);

uint64_t calls;
void syscall_entry(void), user_loop(void);
__asm__(".pushsection .text\n"
        "syscall_entry:\n"
        "  incq calls(%rip)\n"
        "  lea 1(%rax), %rax\n"
        "  sysretq\n"
        ".popsection\n"
        ".pushsection .user,\"ax\"\n"
        "user_loop:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rdi, %rbx\n"
        "  test %rbx, %rbx\n"
        "  jz 2f\n"
        "1: mov $39, %eax\n"
        "  syscall\n"
        "  add %rax, %rbp\n"
        "  dec %rbx\n"
        "  jnz 1b\n"
        "2: mov %rbp, %rax\n"
        "  ret\n"
        ".popsection\n");

void kernel_setup(void)
{
    wrmsr(0xC0000081, 0x0010000800000000ull); /* STAR: SYSRET to 0x1B/0x23, SYSCALL to 0x08/0x10 */
    wrmsr(0xC0000082, (uint64_t)(uintptr_t)syscall_entry);
    wrmsr(0xC0000084, 0x47700);
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = user_call((user_fn *)user_loop, n);
    return mix64(sum, calls);
}
