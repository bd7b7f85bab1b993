/*
 * x86.h - the processor's own words: control bits, page-table entries, MSRs, and the instructions
 * that C cannot say. Manual: SDM 3A "Control Registers", "Paging", "Model-Specific Registers".
 */
#ifndef GUESTOS_X86_H
#define GUESTOS_X86_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A page-table entry:
 *   63   62..52   51..12          11..9      8  7   6  5  4   3   2    1    0
 *   XD   ignored  frame address   software   G  PS  D  A  PCD PWT U/S  R/W  P
 */
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_HELD (1ull << 9) /* ours: the frame is kept though P=0 (PROT_NONE) */
#define PTE_XD (1ull << 63)
#define PTE_FRAME 0x000ffffffffff000ull
#define PTE_COUNT 512

/* Page-fault error code. */
#define PF_P (1u << 0)    /* the page was present: its rights refused */
#define PF_W (1u << 1)    /* a write */
#define PF_U (1u << 2)    /* made by ring 3 */
#define PF_RSVD (1u << 3) /* a reserved bit was set in an entry */
#define PF_I (1u << 4)    /* an instruction fetch */

#define RFLAGS_FIXED (1ull << 1) /* always reads as one */
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_IF (1ull << 9)
#define RFLAGS_DF (1ull << 10)
#define RFLAGS_NT (1ull << 14)
#define RFLAGS_AC (1ull << 18)

#define CR4_PGE (1ull << 7)
#define CR4_UMIP (1ull << 11)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)

#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_FMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define VECTOR_NMI 2
#define VECTOR_BREAKPOINT 3
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_EXCEPTIONS 32 /* vectors below this are the processor's own */
#define VECTOR_INT80 0x80

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t read_cr2(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr2, %0" : "=r"(value));
    return value;
}

static inline void write_cr3(uint64_t phys)
{
    __asm__ volatile("movq %0, %%cr3" : : "r"(phys) : "memory");
}

static inline uint64_t read_cr4(void)
{
    uint64_t value;
    __asm__ volatile("movq %%cr4, %0" : "=r"(value));
    return value;
}

static inline void write_cr4(uint64_t value)
{
    __asm__ volatile("movq %0, %%cr4" : : "r"(value) : "memory");
}

static inline void invlpg(uint64_t lin)
{
    __asm__ volatile("invlpg (%0)" : : "r"(lin) : "memory");
}

/* Sleeps until an interrupt has been served. STI holds interrupts off until HLT has begun. */
static inline void wait_for_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}

__attribute__((noreturn)) static inline void halt_for_good(void)
{
    for (;;) __asm__ volatile("cli; hlt");
}

/* The 512-byte image that FXSAVE writes and FXRSTOR reads. */
struct fx_state {
    uint8_t bytes[512];
} __attribute__((aligned(16)));

static inline void fx_save(struct fx_state *to)
{
    __asm__ volatile("fxsave64 %0" : "=m"(*to));
}

static inline void fx_restore(const struct fx_state *from)
{
    __asm__ volatile("fxrstor64 %0" : : "m"(*from));
}

#endif
