/*
 * cpuid.c - what CPUID says. Every feature bit comes from arch/features.def by way of struct features;
 * only OSXSAVE, APIC and SYSCALL follow the processor's state. Leaves nobody has are 0; a leaf above
 * the highest basic one answers as the highest (Intel).
 * Manual: SDM 2A "CPUID-CPU Identification".
 */
#include "cpu/features.h"
#include "cpu/lapic.h"

#include <string.h>

#define BASIC_MAX 7u
#define BASIC_MAX_XSAVE 0xdu
#define EXTENDED 0x80000000u
#define EXTENDED_MAX 0x80000008u

static uint32_t basic_max(const struct cpu *c)
{
    return cpu_has(c, FEAT_XSAVE) ? BASIC_MAX_XSAVE : BASIC_MAX;
}

/* The feature bits of one leaf. */
static void add_features(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        const struct feature_row *r = feature_row((enum feature)i);
        if (c->features->on[i] && r->leaf == leaf && r->sub == sub) out[r->reg] |= 1u << r->bit;
    }
}

static void vendor(const struct cpu *c, uint32_t out[4])
{
    out[CPUID_EAX] = basic_max(c);
    memcpy(&out[CPUID_EBX], c->features->vendor, 4);
    memcpy(&out[CPUID_EDX], c->features->vendor + 4, 4);
    memcpy(&out[CPUID_ECX], c->features->vendor + 8, 4);
}

#define ECX_OSXSAVE (1u << 27)
#define EDX_APIC (1u << 9)

/* EBX: CLFLUSH line in 8 bytes, one logical processor, the APIC ID. */
static void version(const struct cpu *c, uint32_t out[4])
{
    out[CPUID_EAX] = c->features->signature;
    out[CPUID_EBX] = (uint32_t)c->index << 24 | 1u << 16 | 8u << 8;
    if (c->cr4 & CR4_OSXSAVE) out[CPUID_ECX] |= ECX_OSXSAVE;
    if (c->lapic && !lapic_is_enabled(c->lapic)) out[CPUID_EDX] &= ~EDX_APIC;
}

/* Leaf 4: type, level, KiB, ways; 64-byte lines. Nothing models these caches: they are what the default
 * cost profile assumes. */
static void caches(uint32_t sub, uint32_t out[4])
{
    static const struct {
        uint8_t type, level;
        uint16_t ways;
        uint32_t kib;
    } cache[] = {{1, 1, 8, 32}, {2, 1, 8, 32}, {3, 2, 8, 256}, {3, 3, 16, 8192}};

    if (sub >= sizeof cache / sizeof cache[0]) return;
    out[CPUID_EAX] = cache[sub].type | (uint32_t)cache[sub].level << 5 | 1u << 8;
    out[CPUID_EBX] = 63u | (uint32_t)(cache[sub].ways - 1) << 22;
    out[CPUID_ECX] = cache[sub].kib * 1024 / 64 / cache[sub].ways - 1;
}

static void brand(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    memcpy(out, c->features->brand + 16 * (leaf - (EXTENDED + 2)), 16);
}

#define EDX_SYSCALL (1u << 11)

void cpuid(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    memset(out, 0, 4 * sizeof out[0]);
    if (leaf < EXTENDED || leaf > EXTENDED_MAX) {
        if (leaf > basic_max(c)) leaf = basic_max(c);
    }
    add_features(c, leaf, leaf == 7 || leaf == 0xd ? sub : 0, out);
    switch (leaf) {
    case 0: vendor(c, out); break;
    case 1: version(c, out); break;
    case 2: out[CPUID_EAX] = 0x00ff0001u; break; /* 0xff: see leaf 4 */
    case 4: caches(sub, out); break;
    case EXTENDED: out[CPUID_EAX] = EXTENDED_MAX; break;
    case EXTENDED + 1:
        if (!cpu_64(c)) out[CPUID_EDX] &= ~EDX_SYSCALL;
        break;
    case EXTENDED + 2:
    case EXTENDED + 3:
    case EXTENDED + 4: brand(c, leaf, out); break;
    case EXTENDED + 6:
        out[CPUID_ECX] = 256u << 16 | 6u << 12 | 64u;
        break; /* L2: KiB, 8 ways, line */
    case EXTENDED + 8:
        out[CPUID_EAX] = c->features->maxphyaddr | (uint32_t)c->features->linear_bits << 8;
        break;
    default: break;
    }
}
