/* int80 - ring 3: mov, INT 0x80; ring 0: count, answer, IRETQ; ring 3: add, dec, jnz. 8 a round. */
#include "guest.h"

GUEST("int80", 3000000);

uint64_t calls;
void int80_entry(void), user_loop(void);
__asm__(".pushsection .text\n"
        "int80_entry:\n"
        "  incq calls(%rip)\n"
        "  lea 1(%rax), %rax\n"
        "  iretq\n"
        ".popsection\n"
        ".pushsection .user,\"ax\"\n"
        "user_loop:\n"
        "  xor %ebp, %ebp\n"
        "  mov %rdi, %rbx\n"
        "  test %rbx, %rbx\n"
        "  jz 2f\n"
        "1: mov $39, %eax\n"
        "  int $0x80\n"
        "  add %rax, %rbp\n"
        "  dec %rbx\n"
        "  jnz 1b\n"
        "2: mov %rbp, %rax\n"
        "  ret\n"
        ".popsection\n");

void kernel_setup(void) { set_gate(0x80, int80_entry, 3); }

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = user_call((user_fn *)user_loop, n);
    return mix64(sum, calls);
}
