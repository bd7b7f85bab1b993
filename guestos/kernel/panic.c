/*
 * panic.c - how the machine ends, well or badly.
 *
 * A write to port 0xF4 stops the machine where somebody listens there (Ringside; QEMU with its
 * isa-debug-exit device). Where nobody does, the kernel halts with interrupts off.
 */
#include "defs.h"
#include "proc.h"

void machine_exit(int value)
{
    out8(ABI_EXIT_PORT, (uint8_t)value);
    kprintf("kernel: nobody listens at port 0xf4; halted\n");
    halt_for_good();
}

void panic(const char *why)
{
    kprintf("kernel: PANIC: %s\n", why);
    machine_exit(ABI_EXIT_PANIC);
}

/* "write to 0x1234, page present": what the page-fault error code and CR2 say, in words. */
static void describe_page_fault(const struct trapframe *tf)
{
    const char *access = "read of", *reason = "no page there";

    if (tf->error & PF_W) access = "write to";
    if (tf->error & PF_I) access = "fetch from";
    if (tf->error & PF_P) reason = "its rights refuse";
    if (tf->error & PF_RSVD) reason = "a reserved bit is set in an entry";
    kprintf(", %s %x (%s)", access, read_cr2(), reason);
}

/* One clause without a line end: exception, why, vector, error code and place. */
void describe_fault(const struct trapframe *tf)
{
    kprintf("%s", exception_name(tf->vector));
    if (tf->vector == VECTOR_PAGE_FAULT) describe_page_fault(tf);
    kprintf("; vector %u, error %x, rip %x", tf->vector, tf->error, tf->rip);
}

/* True for an address in the unmapped part of a kernel stack's slot. */
static bool in_kstack_guard(uint64_t lin)
{
    if (lin < KSTACK_BASE || lin >= KSTACK_BASE + PROC_COUNT * KSTACK_SLOT) return false;
    return (lin - KSTACK_BASE) % KSTACK_SLOT < KSTACK_SLOT - KSTACK_SIZE;
}

/* A fault in ring 0 is a bug of the kernel: say where, and end. */
void panic_trap(const struct trapframe *tf)
{
    kprintf("\nkernel: PANIC in ring %u: ", tf->cs & 3);
    describe_fault(tf);
    if (in_kstack_guard(read_cr2())) kprintf(" (a kernel stack overflowed)");
    kprintf("\n  rsp %x  rflags %x  cr2 %x  cs %x\n", tf->rsp, tf->rflags, read_cr2(), tf->cs);
    kprintf("  rax %x  rbx %x  rcx %x  rdx %x\n", tf->rax, tf->rbx, tf->rcx, tf->rdx);
    kprintf("  rsi %x  rdi %x  rbp %x\n", tf->rsi, tf->rdi, tf->rbp);
    if (this_cpu.current)
        kprintf("  running: %s (pid %d)\n", this_cpu.current->name, this_cpu.current->pid);
    machine_exit(ABI_EXIT_PANIC);
}
