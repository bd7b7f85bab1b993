/*
 * guest.h - what a bench guest may use: no libc, no FPU, one CPU, 256 MiB of RAM.
 *
 * A kernel is one C file: GUEST("name", default_n) and `uint64_t kernel_run(uint64_t n)`, which
 * does n iterations and returns a checksum that depends on n alone. `kernel_setup`, if defined,
 * runs before START and so is not timed. `kernel_units` (work units per iteration, where an
 * instruction count says little: REP elements) and `kernel_ticks` are printed after DONE.
 */
#ifndef BENCH_GUEST_H
#define BENCH_GUEST_H

#include <stdint.h>
#include <stddef.h>

#define PAGE 4096u
#define ARENA 0x04000000ull /* 64..192 MiB: free physical memory, identity-mapped */
#define USER __attribute__((section(".user"), noinline, used))
#define NOINLINE __attribute__((noinline))

#define GUEST(NAME, DEFAULT_N)              \
    const char guest_name[] = NAME;         \
    const uint64_t guest_default_n = (DEFAULT_N)

extern const char guest_name[];
extern const uint64_t guest_default_n;
uint64_t kernel_run(uint64_t n);
void kernel_setup(void);
extern uint64_t kernel_units, kernel_ticks;

typedef void user_fn(uint64_t arg);
uint64_t user_call(user_fn *fn, uint64_t arg); /* fn in .user; its rax is the result */

extern uint64_t pml4[512], pdpt[512], pd[512];
void set_gate(unsigned vector, void (*entry)(void), unsigned dpl);

#define PTE_P 1ull
#define PTE_W 2ull
#define PTE_U 4ull
#define PTE_PS 0x80ull

static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0,%1" ::"a"(v), "Nd"(port)); }
static inline uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ volatile("inb %1,%0" : "=a"(v) : "Nd"(port));
    return v;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
}
static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}
static inline void write_cr3(uint64_t v) { __asm__ volatile("mov %0,%%cr3" ::"r"(v) : "memory"); }
static inline void invlpg(const volatile void *p) { __asm__ volatile("invlpg (%0)" ::"r"(p) : "memory"); }

static inline uint64_t mix64(uint64_t h, uint64_t v)
{
    h = (h ^ v) * 0x9E3779B97F4A7C15ull;
    return h ^ (h >> 29);
}
static inline uint64_t xorshift(uint64_t *s)
{
    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s;
}

#endif
