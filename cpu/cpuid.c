/*
 * cpuid.c - what CPUID says. Every feature bit comes from arch/features.def by way of struct features;
 * OSXSAVE, APIC, SYSCALL (Intel) and NX follow the processor's state. The highest leaf is that of the
 * model's newest feature. Leaves nobody has are 0; one above the highest basic leaf answers as the highest
 * (Intel) or is 0 (AMD): BEHAVE_CPUID_CLAMPS.
 * Manual: SDM 2A "CPUID-CPU Identification"; APM 3 "CPUID".
 */
#include "cpu/features.h"
#include "cpu/lapic.h"

#include <string.h>

#define EXTENDED 0x80000000u
#define EXTENDED_BRAND 0x80000004u
#define EXTENDED_LM 0x80000008u /* the widths of addresses */
#define LIMITED_MAX 2u          /* IA32_MISC_ENABLE: limit CPUID maximum */

static bool is_intel(const struct cpu *c) { return c->features->maker == MAKER_INTEL; }

/* The highest leaf from `from` on that one of the features lies in, at least `least`. */
static uint32_t newest(const struct cpu *c, uint32_t from, uint32_t least)
{
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        uint32_t leaf = feature_row((enum feature)i)->leaf;
        if (c->features->on[i] && (leaf & EXTENDED) == from && leaf > least) least = leaf;
    }
    return least;
}

/* Intel: leaf 2 (caches) since the P6, leaf 4 with 64-bit mode. */
static uint32_t basic_max(const struct cpu *c)
{
    uint32_t least = !is_intel(c) || c->features->family < 6 ? 1 : cpu_has(c, FEAT_LM) ? 4 : 2;
    uint32_t max = newest(c, 0, least);

    return c->misc_enable & MISC_LIMIT_CPUID && max > LIMITED_MAX ? LIMITED_MAX : max;
}

/* 0: no extended leaves at all */
static uint32_t extended_max(const struct cpu *c)
{
    uint32_t least = cpu_has(c, FEAT_LM) ? EXTENDED_LM : *c->features->brand ? EXTENDED_BRAND : 0;

    return newest(c, EXTENDED, least);
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

/* Leaf 2 of processors that have no leaf 4: descriptors of TLBs and caches, 16 KiB each way and 256. */
static void descriptors(const struct cpu *c, uint32_t out[4])
{
    bool leaf4 = basic_max(c) >= 4;

    out[CPUID_EAX] = leaf4 ? 0x00ff0001u : 0x03020101u; /* 0xff: see leaf 4 */
    out[CPUID_EDX] = leaf4 ? 0 : 0x0c040882u;
}

static void brand(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    memcpy(out, c->features->brand + 16 * (leaf - (EXTENDED + 2)), 16);
}

#define EDX_SYSCALL (1u << 11)
#define EDX_NX (1u << 20)
#define EDX_SHARED 0x0183f3ffu /* bits of leaf 1 that AMD repeats */

/* Leaf 80000001. Intel shows SYSCALL in 64-bit mode alone. */
static void extended_features(const struct cpu *c, uint32_t out[4])
{
    uint32_t leaf1[4] = {0};

    if (!cpu_nx(c)) out[CPUID_EDX] &= ~EDX_NX;
    if (is_intel(c)) {
        if (!cpu_64(c)) out[CPUID_EDX] &= ~EDX_SYSCALL;
        return;
    }
    add_features(c, 1, 0, leaf1);
    version(c, leaf1);
    out[CPUID_EAX] = c->features->signature;
    out[CPUID_EDX] |= leaf1[CPUID_EDX] & EDX_SHARED;
}

/* Leaves 80000005 and 80000006. AMD: TLBs (entries, ways), L1 (KiB, ways, lines a tag, line), L2, L3. Intel: L2. */
static void amd_l1(const struct cpu *c, uint32_t out[4])
{
    if (is_intel(c)) return;
    out[CPUID_EAX] = out[CPUID_EBX] = 0xff40ff40u;
    out[CPUID_ECX] = out[CPUID_EDX] = 32u << 24 | 8u << 16 | 1u << 8 | 64u;
}

static void l2_l3(const struct cpu *c, uint32_t out[4])
{
    out[CPUID_ECX] = 256u << 16 | 6u << 12 | 64u; /* L2: KiB, 8 ways, line */
    if (is_intel(c)) return;
    out[CPUID_EAX] = out[CPUID_EBX] = 0x42004200u;
    out[CPUID_ECX] |= 1u << 8;
    out[CPUID_EDX] = 16u << 18 | 8u << 12 | 1u << 8 | 64u;
}

#define EBX_NO_LMSLE (1u << 20)

/* An address wide as CR3 and the page tables have it; linear ones have 48 bits in 64-bit mode. AMD: EFER.LMSLE
 * is a reserved bit (EferLmsleUnsupported). */
static void widths(const struct cpu *c, uint32_t out[4])
{
    unsigned linear = cpu_has(c, FEAT_LM) ? c->features->linear_bits : 32;
    out[CPUID_EAX] = c->features->maxphyaddr | linear << 8;
    if (!is_intel(c)) out[CPUID_EBX] |= EBX_NO_LMSLE;
}

static void extended_leaf(const struct cpu *c, uint32_t leaf, uint32_t out[4])
{
    switch (leaf) {
    case EXTENDED:
        out[CPUID_EAX] = extended_max(c);
        if (!is_intel(c)) vendor(c, out);
        break;
    case EXTENDED + 1: extended_features(c, out); break;
    case EXTENDED + 2:
    case EXTENDED + 3:
    case EXTENDED + 4: brand(c, leaf, out); break;
    case EXTENDED + 5: amd_l1(c, out); break;
    case EXTENDED + 6: l2_l3(c, out); break;
    case EXTENDED + 8: widths(c, out); break;
    default: break;
    }
}

static void basic_leaf(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    switch (leaf) {
    case 0:
        out[CPUID_EAX] = basic_max(c);
        vendor(c, out);
        break;
    case 1: version(c, out); break;
    case 2:
        if (is_intel(c)) descriptors(c, out);
        break;
    case 4:
        if (is_intel(c)) caches(sub, out);
        break;
    default: break;
    }
}

void cpuid(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    bool extended = (leaf & EXTENDED) != 0;

    memset(out, 0, 4 * sizeof out[0]);
    if (leaf > (extended ? extended_max(c) : basic_max(c))) {
        if (!cpu_does(c, BEHAVE_CPUID_CLAMPS)) return;
        leaf = basic_max(c);
        extended = false;
    }
    add_features(c, leaf, leaf == 7 || leaf == 0xd ? sub : 0, out);
    if (extended) extended_leaf(c, leaf, out);
    else basic_leaf(c, leaf, sub, out);
}
