/* timer - the alu mix with the PIT interrupting at 1 kHz of guest time. */
#include "alu_mix.h"

GUEST("timer", 1500);

void timer_entry(void);
__asm__(".pushsection .text\n"
        "timer_entry:\n"
        "  push %rax\n"
        "  incq kernel_ticks(%rip)\n"
        "  mov $0x20, %eax\n"
        "  outb %al, $0x20\n"
        "  pop %rax\n"
        "  iretq\n"
        ".popsection\n");

void kernel_setup(void)
{
    mix_setup();
    set_gate(0x20, timer_entry, 0);
    outb(0x20, 0x11);
    outb(0x21, 0x20);
    outb(0x21, 0x04);
    outb(0x21, 0x01);
    outb(0xA0, 0x11);
    outb(0xA1, 0x28);
    outb(0xA1, 0x02);
    outb(0xA1, 0x01);
    outb(0x21, 0xFE);
    outb(0xA1, 0xFF);
    outb(0x43, 0x34); /* channel 0, mode 2, 1193 = 1 kHz */
    outb(0x40, 1193 & 255);
    outb(0x40, 1193 >> 8);
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    __asm__ volatile("sti" ::: "memory");
    while (n--) sum = mix_round(sum);
    __asm__ volatile("cli" ::: "memory");
    return sum;
}
