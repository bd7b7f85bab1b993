/*
 * syscall.c - the system calls, by Linux's numbers and registers: number in rax, arguments in rdi,
 * rsi, rdx, r10, r8, r9, result in rax, an error as its negated number. SYSCALL and INT 0x80 both
 * end up here and mean the same. A pointer argument is only ever used through usercopy.c.
 */
#include "defs.h"
#include "proc.h"

#define STDIN 0
#define STDOUT 1
#define STDERR 2
#define WRITE_CHUNK 128
#define IOV_COUNT 64
#define PATH_SIZE 64
#define ARG_COUNT 16
#define ARG_SIZE 64

#define PROT_READ 1
#define PROT_WRITE 2
#define PROT_EXEC 4
#define MAP_FIXED 0x10
#define MAP_ANONYMOUS 0x20
#define ARCH_SET_FS 0x1002
#define WNOHANG 1
#define NANOSECONDS 1000000000ull
#define LONGEST_SLEEP 1000000 /* seconds; keeps tick counts small */

typedef long call(const uint64_t a[6]);

/* ---- Files: only the console exists ---- */

static long write_console(uint64_t from, uint64_t size)
{
    char chunk[WRITE_CHUNK];
    uint64_t done = 0;

    while (done < size) {
        uint64_t part = size - done < sizeof(chunk) ? size - done : sizeof(chunk);
        if (copy_from_user(chunk, from + done, part)) return done ? (long)done : -EFAULT;
        console_write(chunk, part);
        done += part;
    }
    return (long)done;
}

static bool is_output(uint64_t fd)
{
    return fd == STDOUT || fd == STDERR;
}

static long sys_write(const uint64_t a[6])
{
    if (!is_output(a[0])) return -EBADF;
    if (!user_range_ok(a[1], a[2])) return -EFAULT;
    return write_console(a[1], a[2]);
}

static long sys_writev(const uint64_t a[6])
{
    struct {
        uint64_t base, size;
    } part;
    long total = 0;

    if (!is_output(a[0])) return -EBADF;
    if (a[2] > IOV_COUNT) return -EINVAL;
    for (uint64_t i = 0; i < a[2]; i++) {
        if (copy_from_user(&part, a[1] + i * sizeof(part), sizeof(part)))
            return total ? total : -EFAULT;
        if (!user_range_ok(part.base, part.size)) return total ? total : -EFAULT;
        long done = write_console(part.base, part.size);
        if (done < 0) return total ? total : done;
        total += done;
    }
    return total;
}

/* Whatever has arrived at the serial port; nothing there reads as the end of the file. */
static long sys_read(const uint64_t a[6])
{
    long done = 0;

    if (a[0] != STDIN) return -EBADF;
    while ((uint64_t)done < a[2]) {
        int byte = console_read();
        if (byte < 0) break;
        char c = (char)byte;
        if (copy_to_user(a[1] + (uint64_t)done, &c, 1)) return -EFAULT;
        done++;
    }
    return done;
}

static long sys_ioctl(const uint64_t a[6])
{
    return a[0] <= STDERR ? -ENOTTY : -EBADF;
}

/* ---- Memory ---- */

static uint64_t rights_of(uint64_t prot)
{
    if (!(prot & (PROT_READ | PROT_WRITE | PROT_EXEC))) return 0;
    return PTE_P | (prot & PROT_WRITE ? PTE_W : 0) | (prot & PROT_EXEC ? 0 : PTE_XD);
}

/* The heap grows and shrinks by whole pages; an impossible request returns the old end. */
static long sys_brk(const uint64_t a[6])
{
    struct proc *p = this_cpu.current;
    uint64_t old_end = round_up(p->brk), new_end = round_up(a[0]);

    if (a[0] < p->brk_start || a[0] >= USER_MMAP_BASE) return (long)p->brk;
    if (new_end > old_end && vm_map(p->pml4, old_end, new_end - old_end, PTE_P | PTE_W | PTE_XD)) {
        vm_unmap(p->pml4, old_end, new_end - old_end);
        return (long)p->brk;
    }
    if (new_end < old_end) vm_unmap(p->pml4, new_end, old_end - new_end);
    p->brk = a[0];
    return (long)p->brk;
}

/* Anonymous memory where the kernel likes; files and fixed addresses belong to a later storey. */
static long sys_mmap(const uint64_t a[6])
{
    struct proc *p = this_cpu.current;
    uint64_t lin = p->mmap_next, size = a[1], limit = USER_STACK_TOP - USER_STACK_SIZE - PAGE_SIZE;

    if (!size || !(a[3] & MAP_ANONYMOUS) || (a[3] & MAP_FIXED)) return -EINVAL;
    if (size > limit - lin) return -ENOMEM;
    size = round_up(size);
    if (vm_map(p->pml4, lin, size, rights_of(a[2]))) {
        vm_unmap(p->pml4, lin, size);
        return -ENOMEM;
    }
    p->mmap_next = lin + size;
    return (long)lin;
}

static bool page_range_ok(uint64_t lin, uint64_t size)
{
    return lin % PAGE_SIZE == 0 && size && user_range_ok(lin, size);
}

static long sys_munmap(const uint64_t a[6])
{
    if (!page_range_ok(a[0], a[1])) return -EINVAL;
    vm_unmap(this_cpu.current->pml4, a[0], a[1]);
    return 0;
}

static long sys_mprotect(const uint64_t a[6])
{
    if (!page_range_ok(a[0], a[1])) return -EINVAL;
    return vm_protect(this_cpu.current->pml4, a[0], a[1], rights_of(a[2]));
}

/* ---- Processes ---- */

static long sys_getpid(const uint64_t a[6])
{
    (void)a;
    return this_cpu.current->pid;
}

/* The parent of an orphan is said to be init, as everywhere; init itself has none. */
static long sys_getppid(const uint64_t a[6])
{
    const struct proc *p = this_cpu.current;

    (void)a;
    if (p->parent) return p->parent->pid;
    return p->pid == 1 ? 0 : 1;
}

static long sys_fork(const uint64_t a[6])
{
    (void)a;
    return proc_fork();
}

/* Copies argv[] into `args`. Returns how many there are, or an error. */
static long copy_arguments(char args[][ARG_SIZE], uint64_t user_argv)
{
    for (long i = 0; i <= ARG_COUNT; i++) {
        uint64_t pointer;
        if (copy_from_user(&pointer, user_argv + (uint64_t)i * 8, 8)) return -EFAULT;
        if (!pointer) return i;
        if (i == ARG_COUNT) return -E2BIG;
        long length = copy_string_from_user(args[i], pointer, ARG_SIZE);
        if (length < 0) return length == -ENAMETOOLONG ? -E2BIG : length;
    }
    return -E2BIG;
}

/* The environment is not passed on in this storey. */
static long sys_execve(const uint64_t a[6])
{
    char path[PATH_SIZE], args[ARG_COUNT][ARG_SIZE];
    char *argv[ARG_COUNT];

    long length = copy_string_from_user(path, a[0], sizeof(path));
    if (length < 0) return length;
    long argc = copy_arguments(args, a[1]);
    if (argc < 0) return argc;
    for (long i = 0; i < argc; i++) argv[i] = args[i];
    return exec(path, argv, (size_t)argc);
}

static long sys_exit(const uint64_t a[6])
{
    proc_exit((int)(a[0] & 0xff) << 8);
}

static long sys_wait4(const uint64_t a[6])
{
    int wait_status = 0;
    long pid = proc_wait((int)a[0], &wait_status, !(a[2] & WNOHANG));

    if (pid > 0 && a[1] && copy_to_user(a[1], &wait_status, sizeof(wait_status))) return -EFAULT;
    return pid;
}

static long sys_sched_yield(const uint64_t a[6])
{
    (void)a;
    proc_yield(false);
    return 0;
}

/* Sleeps at least the time asked for; a tick is the smallest step. */
static long sys_nanosleep(const uint64_t a[6])
{
    struct {
        uint64_t seconds, nanoseconds;
    } t;
    struct proc *p = this_cpu.current;

    if (copy_from_user(&t, a[0], sizeof(t))) return -EFAULT;
    if (t.nanoseconds >= NANOSECONDS || t.seconds > LONGEST_SLEEP) return -EINVAL;
    uint64_t tick = NANOSECONDS / TIMER_HZ;
    p->wake_tick = timer_ticks() + t.seconds * TIMER_HZ + (t.nanoseconds + tick - 1) / tick + 1;
    proc_sleep(&p->wake_tick);
    p->wake_tick = 0;
    return 0;
}

/* Of Linux's struct rusage only the two counts of context switches are kept. */
static long sys_getrusage(const uint64_t a[6])
{
    uint64_t usage[18] = {0};

    if ((int)a[0] != 0) return -EINVAL;
    usage[16] = this_cpu.current->switches_asked;
    usage[17] = this_cpu.current->switches_forced;
    return copy_to_user(a[1], usage, sizeof(usage));
}

static long sys_arch_prctl(const uint64_t a[6])
{
    if (a[0] != ARCH_SET_FS || !user_range_ok(a[1], 1)) return -EINVAL;
    this_cpu.current->fs_base = a[1];
    wrmsr(MSR_FS_BASE, a[1]);
    return 0;
}

static long sys_uname(const uint64_t a[6])
{
    static const struct {
        char system[65], node[65], release[65], version[65], machine[65], domain[65];
    } names = {"Ringside", "ringside", "0.1", "first storey", "x86_64", ""};
    return copy_to_user(a[0], &names, sizeof(names));
}

/* ORDER: none; indexed by number. What is missing here is -ENOSYS. */
static call *const calls[SYS_LIMIT] = {
    [SYS_read] = sys_read,
    [SYS_write] = sys_write,
    [SYS_mmap] = sys_mmap,
    [SYS_mprotect] = sys_mprotect,
    [SYS_munmap] = sys_munmap,
    [SYS_brk] = sys_brk,
    [SYS_ioctl] = sys_ioctl,
    [SYS_writev] = sys_writev,
    [SYS_sched_yield] = sys_sched_yield,
    [SYS_nanosleep] = sys_nanosleep,
    [SYS_getpid] = sys_getpid,
    [SYS_fork] = sys_fork,
    [SYS_execve] = sys_execve,
    [SYS_exit] = sys_exit,
    [SYS_wait4] = sys_wait4,
    [SYS_uname] = sys_uname,
    [SYS_getrusage] = sys_getrusage,
    [SYS_getppid] = sys_getppid,
    [SYS_arch_prctl] = sys_arch_prctl,
    [SYS_gettid] = sys_getpid,
    [SYS_set_tid_address] = sys_getpid, /* there is one thread: its id is the process's */
    [SYS_exit_group] = sys_exit,
};

/* Called by both doors. A successful execve replaces *tf, and its result with it. */
void syscall(struct trapframe *tf)
{
    const uint64_t a[6] = {tf->rdi, tf->rsi, tf->rdx, tf->r10, tf->r8, tf->r9};
    uint64_t number = tf->rax;
    long result = -ENOSYS;

    if (number < SYS_LIMIT && calls[number]) result = calls[number](a);
    if (number == SYS_execve && result == 0) return;
    tf->rax = (uint64_t)result;
}
