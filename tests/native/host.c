/*
 * host.c - a case on the processor that this runs on.
 *
 * A signal handler replaces its caller's registers by the case's and returns into it; the exception that
 * ends the case comes back as another signal, whose handler takes the registers and puts the harness's
 * back. CS = 23h in the frame makes it 32-bit code. FS, GS, AC, NT, ID and the data segments, which the kernel
 * does not put back, are put right before any C that may need them runs.
 */
#include "native.h"

#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

struct page pages[PAGES] = {
    {CODE_AT, false, true, NULL},
    {CODE_AT + PAGE, false, true, NULL},
    {DATA_AT, true, false, NULL},
    {DATA_AT + PAGE, true, false, NULL},
    {DATA_AT + 3 * PAGE, false, false, NULL},
    {DATA_AT + 4 * PAGE, true, false, NULL},
    {DATA_AT + 5 * PAGE, false, false, NULL},
    {STACK_AT, true, false, NULL},
    {STACK_AT + PAGE, true, false, NULL},
    {STACK_AT + 0xf000, true, false, NULL}, /* where a 16-bit stack pointer comes round */
    {LOW_AT, true, false, NULL},
    {LOW_AT + PAGE, true, false, NULL},
};

uint64_t host_fs_base;

/* the two signals' common ground */
static const struct trial *now;
static struct outcome *result;
static greg_t saved[NGREG];
static uint8_t saved_fp[512];
static struct state segments; /* what the handler found in DS, ES, FS, GS and their bases */

static void die(const char *what)
{
    perror(what);
    exit(70);
}

/* ---- into the case ------------------------------------------------------------------------------------- */

static void put_fp(struct _libc_fpstate *fp, const struct state *s)
{
    uint8_t *image = (uint8_t *)fp;
    uint64_t in_use;

    memset(image, 0, 416);
    image[0] = 0x7f, image[1] = 0x03;
    memcpy(image + 24, &s->mxcsr, 4);
    memcpy(image + 160, s->xmm, sizeof s->xmm);
    memcpy(&in_use, image + 512, 8);
    in_use |= 3;
    memcpy(image + 512, &in_use, 8);
}

static const int greg_of[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP,
                                REG_RSI, REG_RDI, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                REG_R12, REG_R13, REG_R14, REG_R15};

/* FS last: the compiler's own code may want it */
__attribute__((no_sanitize("address", "undefined", "thread"), no_stack_protector)) static void
on_enter(int sig, siginfo_t *info, void *context)
{
    ucontext_t *u = context;
    greg_t *g = u->uc_mcontext.gregs;
    const struct state *s = &now->before;

    (void)sig, (void)info;
    memcpy(saved, g, sizeof saved);
    memcpy(saved_fp, u->uc_mcontext.fpregs, sizeof saved_fp);
    for (unsigned i = 0; i < 16; i++) g[greg_of[i]] = (greg_t)s->gpr[i];
    g[REG_RIP] = (greg_t)s->rip;
    g[REG_EFL] = (greg_t)s->flags;
    g[REG_CSGSFS] = (greg_t)((uint64_t)s->sel[1] | (uint64_t)s->sel[2] << 48);
    put_fp(u->uc_mcontext.fpregs, s);
    sigemptyset(&u->uc_sigmask);
    if (s->sel[4]) __asm__ volatile("movl %0, %%fs" ::"r"((unsigned)s->sel[4]));
}

/* ---- and back -------------------------------------------------------------------------------------------- */

static void take(const ucontext_t *u, struct outcome *out)
{
    const greg_t *g = u->uc_mcontext.gregs;
    const uint8_t *image = (const uint8_t *)u->uc_mcontext.fpregs;

    out->s = segments;
    for (unsigned i = 0; i < 16; i++) out->s.gpr[i] = (uint64_t)g[greg_of[i]];
    out->s.rip = (uint64_t)g[REG_RIP];
    out->s.flags = (uint64_t)g[REG_EFL];
    out->s.sel[1] = (uint16_t)g[REG_CSGSFS];
    out->s.sel[2] = (uint16_t)((uint64_t)g[REG_CSGSFS] >> 48);
    memcpy(&out->s.mxcsr, image + 24, 4);
    memcpy(out->s.xmm, image + 160, sizeof out->s.xmm);
    out->vector = (unsigned)g[REG_TRAPNO];
    out->error = (uint64_t)g[REG_ERR];
    out->cr2 = (uint64_t)g[REG_CR2];
}

static void on_end(ucontext_t *u)
{
    greg_t *g = u->uc_mcontext.gregs;

    take(u, result);
    memcpy(g, saved, sizeof saved);
    memcpy(u->uc_mcontext.fpregs, saved_fp, sizeof saved_fp);
}

__attribute__((no_sanitize("address", "undefined", "thread"))) static void
on_fault(int sig, siginfo_t *info, void *context)
{
    (void)info;
    __asm__ volatile("leaq -128(%%rsp), %%rsp; pushfq; andl $0xffdbbfff, (%%rsp); popfq; leaq "
                     "128(%%rsp), %%rsp" ::
                         : "cc", "memory");
    __asm__ volatile("rdfsbase %0" : "=r"(segments.fs_base));
    __asm__ volatile("rdgsbase %0" : "=r"(segments.gs_base));
    __asm__ volatile("movw %%es, %0" : "=r"(segments.sel[0]));
    __asm__ volatile("movw %%ds, %0" : "=r"(segments.sel[3]));
    __asm__ volatile("movw %%fs, %0" : "=r"(segments.sel[4]));
    __asm__ volatile("movw %%gs, %0" : "=r"(segments.sel[5]));
    __asm__ volatile("movl %0, %%gs" ::"r"(0));
    __asm__ volatile("movl %0, %%fs" ::"r"(0));
    __asm__ volatile("wrfsbase %0" ::"r"(host_fs_base));
    on_end(context);
    result->spun = sig == SIGPROF;
}

/* A second of CPU time for a case: there are faults that a host's kernel answers by trying again for ever. */
static void watch(unsigned seconds)
{
    struct itimerval t = {.it_value.tv_sec = seconds};

    if (setitimer(ITIMER_PROF, &t, NULL)) die("setitimer");
}

void host_run(const struct trial *t, struct outcome *out)
{
    now = t;
    result = out;
    memset(out, 0, sizeof *out);
    memset(&segments, 0, sizeof segments);
    watch(1);
    __asm__ volatile("movl %0, %%ds; movl %1, %%es; movl %2, %%gs" ::"r"(
                         (unsigned)t->before.sel[3]),
                     "r"((unsigned)t->before.sel[0]), "r"((unsigned)t->before.sel[5]));
    if (t->before.sel[5] < 4) __asm__ volatile("wrgsbase %0" ::"r"(t->before.gs_base));
    if (raise(SIGUSR1)) die("raise");
    watch(0);
}

/* ---- set-up ------------------------------------------------------------------------------------------------ */

static void map_pages(void)
{
    int fd = memfd_create("ringside-native", 0);

    if (fd < 0 || ftruncate(fd, PAGES * PAGE)) die("memfd");
    uint8_t *view =
        mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
    if (view == MAP_FAILED) die("mmap");
    for (unsigned i = 0; i < PAGES; i++) {
        int prot = PROT_READ | (pages[i].write ? PROT_WRITE : 0) | (pages[i].exec ? PROT_EXEC : 0);
        void *at = (void *)(uintptr_t)pages[i].at;
        pages[i].bytes = view + (size_t)i * PAGE;
        if (mmap(at, PAGE, prot, MAP_SHARED | MAP_POPULATE | MAP_FIXED_NOREPLACE, fd,
                 (off_t)i * PAGE) == at)
            continue;
        if (i < PAGES - LOW_PAGES) die("mmap of a fixed page");
        pages[i].at = 0; /* vm.mmap_min_addr says no: nobody has the page */
    }
    (void)close(fd);
}

static struct range {
    uint64_t from, to;
} ranges[512];
static unsigned range_count;

static void read_maps(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[512];
    unsigned long long from, to;

    if (!f) die("/proc/self/maps");
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "%llx-%llx", &from, &to) == 2 &&
            range_count < sizeof ranges / sizeof *ranges)
            ranges[range_count++] = (struct range){from, to};
    (void)fclose(f);
}

bool host_maps(uint64_t address)
{
    for (unsigned i = 0; i < range_count; i++)
        if (address >= ranges[i].from - (16u << 20) && address < ranges[i].to) break;
        else if (i + 1 == range_count) return false;
    for (unsigned i = 0; i < PAGES; i++)
        if (pages[i].at && address - pages[i].at < PAGE) return false;
    return !(address >= CODE_AT - 0x100000 && address < STACK_AT + 0x100000) && address >= 0x10000;
}

bool host_is_amd(void)
{
    unsigned a, b = 0, c, d;

    return __get_cpuid(0, &a, &b, &c, &d) &&
           (b == signature_AMD_ebx || b == 0x6f677948 /* Hygon */);
}

void host_setup(void)
{
    static const int ends[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGPROF};
    static uint8_t stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    struct sigaction a;

    map_pages();
    read_maps();
    __asm__ volatile("rdfsbase %0" : "=r"(host_fs_base));
    if (sigaltstack(&alt, NULL)) die("sigaltstack");
    memset(&a, 0, sizeof a);
    sigfillset(&a.sa_mask);
    a.sa_flags = SA_SIGINFO | SA_ONSTACK;
    a.sa_sigaction = on_fault;
    for (unsigned i = 0; i < sizeof ends / sizeof *ends; i++)
        if (sigaction(ends[i], &a, NULL)) die("sigaction");
    a.sa_sigaction = on_enter;
    if (sigaction(SIGUSR1, &a, NULL)) die("sigaction");
}
