/*
 * proc.c - processes: birth, waiting, death, and who runs next.
 *
 * A fixed table of slots. Round robin: the scheduler looks for a runnable process from the slot
 * after the running one onwards; when there is none, the idle process halts the CPU until an
 * interrupt. The idle process is the boot stack gone on living: it has no user half and sits
 * outside the table. Everything here runs with interrupts off (proc.h says why that is enough).
 */
#include "proc.h"

#include "defs.h"

static struct proc procs[PROC_COUNT]; /* guarded by the kernel */
static struct proc idle;              /* ditto */
static int next_pid = 1;              /* ditto */

void proc_init(void)
{
    for (uint64_t i = 0; i < PROC_COUNT; i++)
        procs[i].kstack_top = KSTACK_BASE + (i + 1) * KSTACK_SLOT;
    memcpy(idle.name, "idle", sizeof("idle"));
    idle.state = PROC_RUNNING;
    this_cpu.current = &idle;
}

/* ---- Who runs ---- */

static struct proc *pick_next(void)
{
    size_t start = this_cpu.current == &idle ? 0 : (size_t)(this_cpu.current - procs) + 1;

    for (size_t i = 0; i < PROC_COUNT; i++) {
        struct proc *p = &procs[(start + i) % PROC_COUNT];
        if (p->state == PROC_RUNNABLE) return p;
    }
    return &idle;
}

/* What a process has in the processor comes with it; its general registers are on its stack. */
static void take_cpu(struct proc *p)
{
    this_cpu.current = p;
    p->state = PROC_RUNNING;
    if (p == &idle) {
        vm_switch_to_kernel();
        return;
    }
    vm_switch(p->pml4);
    cpu_set_kernel_stack(p->kstack_top);
    wrmsr(MSR_FS_BASE, p->fs_base);
    fx_restore(&p->fx);
}

/*
 * Gives the CPU to the next process. The caller has already said what it is waiting for, if
 * anything. Returns, much later perhaps, whether anybody else ran.
 */
static bool schedule(void)
{
    struct proc *from = this_cpu.current;
    struct proc *to = pick_next();

    if (from == to) {
        to->state = PROC_RUNNING;
        return false;
    }
    if (from != &idle) fx_save(&from->fx);
    take_cpu(to);
    swtch(&from->context, to->context);
    return true;
}

/* Lets the others run first. `forced` says that the timer, not the process, asked for it. */
void proc_yield(bool forced)
{
    struct proc *p = this_cpu.current;

    p->state = PROC_RUNNABLE;
    if (!schedule()) return;
    if (forced)
        p->switches_forced++;
    else
        p->switches_asked++;
}

/* Leaves the CPU until proc_wake(on). Interrupts are off, so no wake-up falls in between. */
void proc_sleep(const void *on)
{
    struct proc *p = this_cpu.current;

    p->sleeping_on = on;
    p->state = PROC_SLEEPING;
    p->switches_asked++;
    schedule();
}

void proc_wake(const void *on)
{
    for (struct proc *p = procs; p < procs + PROC_COUNT; p++) {
        if (p->state == PROC_SLEEPING && p->sleeping_on == on) p->state = PROC_RUNNABLE;
    }
}

/* Called at each tick of the timer: ends the sleep of those whose time has come. */
void proc_wake_at(uint64_t tick)
{
    for (struct proc *p = procs; p < procs + PROC_COUNT; p++) {
        if (p->state == PROC_SLEEPING && p->wake_tick && p->wake_tick <= tick)
            p->state = PROC_RUNNABLE;
    }
}

void proc_idle(void)
{
    for (;;) {
        schedule();
        wait_for_interrupt();
    }
}

/* ---- Birth ---- */

/* A slot with a pid and a kernel stack on which swtch() returns to trap_return, or NULL. */
static struct proc *allocate(void)
{
    for (struct proc *p = procs; p < procs + PROC_COUNT; p++) {
        if (p->state != PROC_FREE) continue;
        uint64_t kstack_top = p->kstack_top;
        *p = (struct proc){.kstack_top = kstack_top, .pid = next_pid++};
        p->tf = (struct trapframe *)kstack_top - 1;
        p->context = (struct context *)p->tf - 1;
        *p->context = (struct context){.rip = (uint64_t)trap_return};
        return p;
    }
    return NULL;
}

/* The first process: a slot without a program, which exec() then fills in. */
void proc_start_init(void)
{
    static char path[] = "/init";
    char *const argv[] = {path};
    struct proc *p = allocate();

    this_cpu.current = p;
    kprintf("kernel: starting %s\n", path);
    if (exec(path, argv, 1)) panic("there is no /init to run");
    this_cpu.current = &idle;
    p->state = PROC_RUNNABLE;
}

/* Returns the child's pid, or an error. The child returns 0 from the same call. */
int proc_fork(void)
{
    struct proc *parent = this_cpu.current;
    struct proc *child = allocate();

    if (!child) return -EAGAIN;
    child->pml4 = vm_fork(parent->pml4);
    if (!child->pml4) return -ENOMEM; /* the slot is still PROC_FREE */
    fx_save(&child->fx);
    *child->tf = *parent->tf;
    child->tf->rax = 0;
    child->parent = parent;
    child->fs_base = parent->fs_base;
    child->brk_start = parent->brk_start;
    child->brk = parent->brk;
    child->mmap_next = parent->mmap_next;
    memcpy(child->name, parent->name, PROC_NAME_SIZE);
    child->state = PROC_RUNNABLE;
    return child->pid;
}

/* ---- Death ---- */

/* Nobody will wait for children that outlive their parent: the dead ones' slots are free now. */
static void orphan_children(const struct proc *parent)
{
    for (struct proc *p = procs; p < procs + PROC_COUNT; p++) {
        if (p->state == PROC_FREE || p->parent != parent) continue;
        p->parent = NULL;
        if (p->state == PROC_ZOMBIE) p->state = PROC_FREE;
    }
}

static int shell_status(int wait_status)
{
    int sig = wait_status & 0x7f;
    return sig ? ABI_STATUS_SIGNALLED + sig : wait_status >> 8 & 0xff;
}

/* Ends the running process. `wait_status` is as in Linux: exit code << 8, or the signal. */
void proc_exit(int wait_status)
{
    struct proc *p = this_cpu.current;

    if (p == &procs[0]) {
        kprintf("kernel: init ended with status %d; switching off\n", shell_status(wait_status));
        machine_exit(shell_status(wait_status));
    }
    orphan_children(p);
    vm_switch_to_kernel();
    vm_free(p->pml4);
    p->pml4 = NULL;
    p->wait_status = wait_status;
    p->state = p->parent ? PROC_ZOMBIE : PROC_FREE; /* nobody takes the slot before schedule() */
    proc_wake(p->parent);
    schedule();
    panic("a dead process ran");
}

/* Looks once. Returns the pid of a child that ended, 0 if those wanted still live, or -ECHILD. */
static int reap(const struct proc *parent, long pid, int *wait_status)
{
    int found = -ECHILD;

    for (struct proc *p = procs; p < procs + PROC_COUNT; p++) {
        if (p->state == PROC_FREE || p->parent != parent || (pid > 0 && p->pid != pid)) continue;
        found = 0;
        if (p->state != PROC_ZOMBIE) continue;
        *wait_status = p->wait_status;
        p->state = PROC_FREE;
        return p->pid;
    }
    return found;
}

/* Waits for child `pid`, or for any when pid is -1. A process sleeps on itself. */
long proc_wait(long pid, int *wait_status, bool block)
{
    struct proc *p = this_cpu.current;

    for (;;) {
        int found = reap(p, pid, wait_status);
        if (found || !block) return found;
        proc_sleep(p);
    }
}
