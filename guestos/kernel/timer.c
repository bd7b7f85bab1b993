/*
 * timer.c - time: the 8254's first counter interrupts TIMER_HZ times a second, through the pair of
 * 8259 interrupt controllers, which we move away from the exceptions to vectors 0x20..0x2F.
 */
#include "defs.h"

#define PIC1 0x20
#define PIC2 0xa0
#define PIC_START 0x11    /* ICW1: initialise, ICW4 follows */
#define PIC1_VECTORS 0x20 /* ICW2 */
#define PIC2_VECTORS 0x28
#define PIC1_CASCADE 0x04 /* ICW3: the second is on input 2 */
#define PIC2_CASCADE 0x02
#define PIC_8086 0x01 /* ICW4 */
#define PIC_EOI 0x20
#define MASK_ALL_BUT_TIMER 0xfe
#define MASK_ALL 0xff

#define PIT_COUNTER0 0x40
#define PIT_CONTROL 0x43
#define PIT_RATE 0x34 /* counter 0, low byte then high byte, mode 2 */
#define PIT_INPUT_HZ 1193182

#define IRQ_TIMER 0

static uint64_t ticks; /* since the timer was started; guarded by the kernel (proc.h) */

static void pic_init(void)
{
    out8(PIC1, PIC_START);
    out8(PIC2, PIC_START);
    out8(PIC1 + 1, PIC1_VECTORS);
    out8(PIC2 + 1, PIC2_VECTORS);
    out8(PIC1 + 1, PIC1_CASCADE);
    out8(PIC2 + 1, PIC2_CASCADE);
    out8(PIC1 + 1, PIC_8086);
    out8(PIC2 + 1, PIC_8086);
    out8(PIC1 + 1, MASK_ALL_BUT_TIMER);
    out8(PIC2 + 1, MASK_ALL);
}

void timer_init(void)
{
    unsigned divisor = PIT_INPUT_HZ / TIMER_HZ;

    pic_init();
    out8(PIT_CONTROL, PIT_RATE);
    out8(PIT_COUNTER0, (uint8_t)divisor);
    out8(PIT_COUNTER0, (uint8_t)(divisor >> 8));
    kprintf("kernel: timer: %u ticks a second\n", (uint64_t)TIMER_HZ);
}

/* Every other line is masked: what else arrives is spurious and was never in service. */
void timer_irq(unsigned irq)
{
    if (irq != IRQ_TIMER) return;
    out8(PIC1, PIC_EOI);
    ticks++;
    proc_wake_at(ticks);
}

uint64_t timer_ticks(void)
{
    return ticks;
}
