/*
 * cpu.c - the tables and registers that tell the processor where ring 0 begins: GDT, TSS, IDT, the
 * SYSCALL registers, and the protections that this processor offers.
 * Manual: SDM 3A "Segment Descriptors", "64-Bit Task State Segment", "64-Bit Mode IDT", and
 * "Fast System Calls in 64-Bit Mode". All of it is set up once and then constant, but for RSP0.
 */
#include "defs.h"
#include "proc.h"

/* SDM 3A, "Task Management in 64-bit Mode". Addresses are linear. */
struct tss {
    uint32_t reserved0;
    uint64_t rsp[3]; /* stack for an entry into ring 0, 1, 2; rsp[0] follows the running process */
    uint64_t reserved1;
    uint64_t ist[7]; /* stacks that a gate can demand; constant */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_bitmap; /* offset; past the limit means: ring 3 may use no port at all */
} __attribute__((packed));

/* A gate of the IDT: handler address in three pieces, code selector, stack choice, type and DPL. */
struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;  /* 0 keeps the usual stack, 1..7 takes that IST entry */
    uint8_t type; /* present, DPL, 0xE: interrupt gate, which clears IF */
    uint16_t offset_mid;
    uint32_t offset_high;
    uint32_t reserved;
};

struct table_pointer {
    uint16_t limit; /* bytes, less one */
    uint64_t base;  /* linear */
} __attribute__((packed));

#define GATE_RING0 0x8e
#define GATE_RING3 0xee /* DPL 3: INT n may use it */
#define IST_DOUBLE_FAULT 1
#define IST_NMI 2
#define IST_STACK_SIZE 4096

#define TSS_PRESENT_AVAILABLE 0x89ull

struct cpu this_cpu;
static struct fx_state fresh;
const struct fx_state *const fx_fresh = &fresh; /* the FP state every program starts with */
uint8_t cpu_has_smap;                           /* usercopy.S and trap.S ask it */

static struct tss tss;
static struct gate idt[256];
static uint8_t ist_stacks[2][IST_STACK_SIZE] __attribute__((aligned(16)));

/* ORDER: layout.h's selectors. Only P, DPL, S, type, L matter in 64-bit mode. */
static uint64_t gdt[8] = {
    0,
    0x00209a0000000000, /* KERNEL_CS: ring 0, code, L=1 */
    0x0000920000000000, /* KERNEL_SS: ring 0, data */
    0,                  /* where SYSRET would look for 32-bit code */
    0x0000f20000000000, /* USER_SS: ring 3, data */
    0x0020fa0000000000, /* USER_CS: ring 3, code, L=1 */
    0,                  /* TSS_SELECTOR: its lower half, filled in below */
    0,                  /* its upper half */
};

static void load_gdt(void)
{
    uint64_t base = (uint64_t)&tss;
    struct table_pointer pointer = {sizeof(gdt) - 1, (uint64_t)gdt};

    gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 |
                            TSS_PRESENT_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
    gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\n\t"
                     "movl %2, %%ss\n\t"
                     "movl %3, %%ds\n\t"
                     "movl %3, %%es\n\t"
                     "movl %3, %%fs\n\t"
                     "movl %3, %%gs\n\t"
                     :
                     : "m"(pointer), "i"(KERNEL_CS), "r"(KERNEL_SS), "r"(0)
                     : "rax", "memory");
}

static void load_tss(void)
{
    tss.ist[IST_DOUBLE_FAULT - 1] = (uint64_t)(ist_stacks[0] + IST_STACK_SIZE);
    tss.ist[IST_NMI - 1] = (uint64_t)(ist_stacks[1] + IST_STACK_SIZE);
    tss.io_bitmap = sizeof(tss);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
}

static void set_gate(unsigned vector, uint8_t type, uint8_t ist)
{
    uint64_t entry = trap_entries[vector];

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)entry,
        .selector = KERNEL_CS,
        .ist = ist,
        .type = type,
        .offset_mid = (uint16_t)(entry >> 16),
        .offset_high = (uint32_t)(entry >> 32),
    };
}

static void load_idt(void)
{
    struct table_pointer pointer = {sizeof(idt) - 1, (uint64_t)idt};

    for (unsigned vector = 0; vector < 256; vector++) set_gate(vector, GATE_RING0, 0);
    set_gate(VECTOR_NMI, GATE_RING0, IST_NMI);
    set_gate(VECTOR_DOUBLE_FAULT, GATE_RING0, IST_DOUBLE_FAULT);
    set_gate(VECTOR_BREAKPOINT, GATE_RING3, 0);
    set_gate(VECTOR_INT80, GATE_RING3, 0);
    __asm__ volatile("lidt %0" : : "m"(pointer));
}

/* SYSCALL: where to, with which selectors, and which flags to clear on the way in. */
static void set_syscall_registers(void)
{
    wrmsr(MSR_STAR, (uint64_t)(USER_BASE_SELECTOR | 3) << 48 | (uint64_t)KERNEL_CS << 32);
    wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
    wrmsr(MSR_FMASK, RFLAGS_IF | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC);
    wrmsr(MSR_GS_BASE, (uint64_t)&this_cpu); /* ring 0's; the entry swaps it with ring 3's */
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

/* Turns a protection on if CPUID reports it; the name goes to the console either way it is told. */
static uint64_t choose(uint32_t word, unsigned bit, uint64_t cr4_bit, const char *name)
{
    if (!(word >> bit & 1)) return 0;
    kprintf(" %s", name);
    return cr4_bit;
}

static void turn_on_protections(void)
{
    uint64_t cr4 = read_cr4();
    struct cpuid leaf7 = {0};

    if (cpuid(0, 0).eax >= 7) leaf7 = cpuid(7, 0);
    kprintf("kernel: protections: NX WP");
    cr4 |= choose(leaf7.ebx, 7, CR4_SMEP, "SMEP");
    cr4 |= choose(leaf7.ebx, 20, CR4_SMAP, "SMAP");
    cr4 |= choose(leaf7.ecx, 2, CR4_UMIP, "UMIP");
    cr4 |= choose(cpuid(1, 0).edx, 13, CR4_PGE, "PGE");
    kprintf("\n");
    write_cr4(cr4);
    cpu_has_smap = (cr4 & CR4_SMAP) != 0;
}

/* Ring 0 computes nothing with x87 or SSE; it only keeps their state for the processes. */
static void make_fresh_fx_state(void)
{
    uint32_t mxcsr = 0x1f80; /* every exception masked, round to nearest */

    __asm__ volatile("fninit; ldmxcsr %0" : : "m"(mxcsr));
    fx_save(&fresh);
}

void cpu_init(void)
{
    load_gdt();
    load_tss();
    load_idt();
    set_syscall_registers();
    turn_on_protections();
    make_fresh_fx_state();
}

/* Both doors into ring 0 must find the stack of the process that runs. */
void cpu_set_kernel_stack(uint64_t top)
{
    tss.rsp[0] = top;
    this_cpu.kernel_rsp = top;
}
