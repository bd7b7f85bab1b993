/*
 * legacy.h - 32- and 16-bit code under the long-mode start-up: a GDT with more segments, and a far call into
 * them. The code gets its count in ECX, a sum in EAX, DS as asked, a flat 32-bit stack; it ends by a 32-bit
 * far RET and may spoil every register but RSP.
 */
#ifndef BENCH_LEGACY_H
#define BENCH_LEGACY_H

#include "guest.h"

enum { LEGACY_CODE32 = 0x38, LEGACY_CODE16 = 0x40, LEGACY_DATA16 = 0x48, LEGACY_FLAT = 0x10 };

extern uint64_t gdt[7];
static uint64_t legacy_gdt[10] __attribute__((aligned(16)));

/* code16: where the 16-bit code segment begins; the 16-bit data segment is 64 KiB at ARENA. */
static void legacy_setup(const void *code16)
{
    struct __attribute__((packed)) {
        uint16_t limit;
        uint64_t base;
    } r = {sizeof legacy_gdt - 1, (uint64_t)(uintptr_t)legacy_gdt};
    uint64_t base = (uint64_t)(uintptr_t)code16;

    for (unsigned i = 0; i < 7; i++) legacy_gdt[i] = gdt[i];
    legacy_gdt[7] = 0x00CF9B000000FFFF;
    legacy_gdt[8] = 0x00009B000000FFFF | (base & 0xFFFFFF) << 16 | (base >> 24) << 56;
    legacy_gdt[9] = 0x000093000000FFFF | (ARENA & 0xFFFFFF) << 16 | (ARENA >> 24) << 56;
    __asm__ volatile("lgdt %0" ::"m"(r));
    for (unsigned i = 0; i < 0x10000; i += 4) *(volatile uint32_t *)(ARENA + i) = i * 0x9E3779B1u;
}

static uint32_t legacy_call(unsigned code, uint32_t offset, unsigned ds, uint32_t count,
                            uint32_t sum)
{
    struct __attribute__((packed)) {
        uint32_t offset;
        uint16_t sel;
    } far = {offset, (uint16_t)code};
    uint64_t rax = sum, rcx = count, rdx = (uint64_t)(uintptr_t)&far;

    __asm__ volatile("push %%rbx; push %%rbp; mov %%esi, %%ds; lcall *(%%rdx); mov $0x10, %%ebx; "
                     "mov %%ebx, %%ds; "
                     "pop %%rbp; pop %%rbx"
                     : "+a"(rax), "+c"(rcx), "+d"(rdx), "+S"(ds)
                     :
                     : "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc", "memory");
    return (uint32_t)rax;
}

#endif
