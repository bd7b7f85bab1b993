/*
 * trap.c - decides what an entry into ring 0 through the IDT was for: a timer tick, a system call
 * by INT 0x80, a fault that the kernel expected while copying, a fault of a program (which ends
 * it), or a fault of the kernel (which ends everything).
 */
#include "defs.h"
#include "proc.h"

#define IRQ_BASE 32
#define IRQ_COUNT 16

/* One row per exception: what to call it and the signal that Linux would send. Constant. */
struct exception {
    const char *name;
    int signal;
};

static const struct exception exceptions[VECTOR_EXCEPTIONS] = {
    [0] = {"divide error", SIGFPE},
    [1] = {"debug exception", SIGTRAP},
    [2] = {"non-maskable interrupt", SIGSEGV},
    [3] = {"breakpoint", SIGTRAP},
    [4] = {"overflow", SIGSEGV},
    [5] = {"bound range exceeded", SIGSEGV},
    [6] = {"invalid opcode", SIGILL},
    [7] = {"device not available", SIGFPE},
    [8] = {"double fault", SIGSEGV},
    [10] = {"invalid TSS", SIGSEGV},
    [11] = {"segment not present", SIGBUS},
    [12] = {"stack fault", SIGBUS},
    [13] = {"general protection", SIGSEGV},
    [14] = {"page fault", SIGSEGV},
    [16] = {"x87 error", SIGFPE},
    [17] = {"alignment check", SIGBUS},
    [18] = {"machine check", SIGBUS},
    [19] = {"SIMD error", SIGFPE},
    [21] = {"control protection", SIGSEGV},
};

const char *exception_name(uint64_t vector)
{
    if (vector >= VECTOR_EXCEPTIONS || !exceptions[vector].name) return "unexpected interrupt";
    return exceptions[vector].name;
}

static int exception_signal(uint64_t vector)
{
    int sig = vector < VECTOR_EXCEPTIONS ? exceptions[vector].signal : 0;
    return sig ? sig : SIGSEGV;
}

/* True for an address in the gap that is kept unmapped below every user stack. */
static bool in_stack_guard(uint64_t lin)
{
    uint64_t bottom = USER_STACK_TOP - USER_STACK_SIZE;
    return lin >= bottom - PAGE_SIZE && lin < bottom;
}

static void kill_current(const struct trapframe *tf)
{
    const struct proc *p = this_cpu.current;
    int sig = exception_signal(tf->vector);

    kprintf("kernel: killed %s (pid %d), status %d: ", p->name, p->pid, ABI_STATUS_SIGNALLED + sig);
    describe_fault(tf);
    if (tf->vector == VECTOR_PAGE_FAULT && in_stack_guard(read_cr2()))
        kprintf(" (stack guard page)");
    kprintf("\n");
    proc_exit(sig);
}

static void irq(struct trapframe *tf, unsigned line)
{
    timer_irq(line);
    if (line != 0 || !from_user(tf)) return; /* only the idle loop is interrupted in ring 0 */
    proc_yield(true);
}

/* Called by trap.S with interrupts off, for every vector. */
void trap(struct trapframe *tf)
{
    if (tf->vector == VECTOR_INT80) {
        syscall(tf);
    } else if (tf->vector >= IRQ_BASE && tf->vector < IRQ_BASE + IRQ_COUNT) {
        irq(tf, (unsigned)tf->vector - IRQ_BASE);
    } else if (tf->vector == VECTOR_NMI) {
        kprintf("kernel: non-maskable interrupt, ignored\n");
    } else if (tf->vector == VECTOR_DOUBLE_FAULT) {
        panic_trap(tf);
    } else if (from_user(tf)) {
        kill_current(tf);
    } else if (!usercopy_fixup(tf)) {
        panic_trap(tf);
    }
}
