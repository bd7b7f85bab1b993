/*
 * msr.c - RDMSR and WRMSR by table (arch/msrs.def), and the time-stamp counter.
 *
 * Order: CPL (the caller), an MSR that does not exist, a read-only one, reserved bits, a non-canonical
 * address: all #GP(0), nothing written.
 * Manual: SDM 2 "RDMSR", "WRMSR"; SDM 4; SDM 3B "Time-Stamp Counter".
 */
#include "cpu/lapic.h"
#include "cpu/protect.h"

#include <stddef.h>

__extension__ typedef unsigned __int128 u128;

/* ---- the table --------------------------------------------------------------------------------------- */

enum msr_kind { PLAIN, LOW, CANON, ZERO, RO, SPECIAL };

struct msr_row {
    uint32_t index;
    uint8_t kind, maker;
    uint16_t feature, since;
    size_t field;
    uint64_t reserved;
};

#define FEAT_ALWAYS FEAT_COUNT
#define MAKER_ANY MAKER_COUNT
/* a row without a field points at one all the same, and never looks */
#define NONE gap[0]
static const struct msr_row rows[] = {
#define MSR(name, feature, maker, since, kind, field, reserved, text)                              \
    {MSR_##name, kind, MAKER_##maker, FEAT_##feature, since, offsetof(struct cpu, field), reserved},
#define MSR_GAP(feature, maker, first, last)
#include "arch/msrs.def"
#undef MSR_GAP
#undef MSR
};
#undef NONE

static bool fits(const struct features *f, const struct msr_row *r)
{
    if (r->feature != FEAT_ALWAYS && !f->on[r->feature]) return false;
    if (r->maker != MAKER_ANY && r->maker != f->maker) return false;
    return (unsigned)(f->family << 8 | f->number) >= r->since;
}

static const struct msr_row *find(const struct cpu *c, uint32_t index)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].index == index && fits(c->features, &rows[i])) return &rows[i];
    return NULL;
}

static const struct {
    uint16_t feature;
    uint8_t maker;
    uint32_t first, last;
} promised[] = {
#define MSR(name, feature, maker, since, kind, field, reserved, text)
#define MSR_GAP(feature, maker, first, last) {FEAT_##feature, MAKER_##maker, first, last},
#include "arch/msrs.def"
#undef MSR_GAP
#undef MSR
};

/* Was a register that has no row promised by +feature? */
static bool is_promised(const struct features *f, uint32_t index)
{
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
        if (index >= promised[i].first && index <= promised[i].last && f->on[promised[i].feature] &&
            (promised[i].maker == MAKER_ANY || promised[i].maker == f->maker))
            return true;
    return false;
}

static enum step no_row(struct cpu *c, uint32_t index, uint64_t value)
{
    if (is_promised(c->features, index)) return gap(c, "an MSR of a feature that is not implemented");
    (void)check(c, RS_RULE_MSR_UNKNOWN, false, index, value, 0, 0);
    return STEP_FAULT;
}

static uint64_t field_get(const struct cpu *c, const struct msr_row *r)
{
    return *(const uint64_t *)(const void *)((const char *)c + r->field);
}

static void field_put(struct cpu *c, const struct msr_row *r, uint64_t value)
{
    *(uint64_t *)(void *)((char *)c + r->field) = value;
}

/* ---- time ------------------------------------------------------------------------------------------------ */

/* floor(cycles * num / den) of the profile */
static uint64_t tsc_raw(const struct cpu *c)
{
    u128 product = (u128)(cpu_now(c) / TICKS_PER_CYCLE) * c->cost->tsc_num;
    return (uint64_t)(product / (c->cost->tsc_den ? c->cost->tsc_den : 1));
}

uint64_t tsc_read(const struct cpu *c) { return tsc_raw(c) + (uint64_t)c->tsc_offset; }

static void tsc_shift(struct cpu *c, uint64_t by)
{
    c->tsc_offset = (int64_t)((uint64_t)c->tsc_offset + by);
    c->tsc_adjust += by;
}

/* ---- those with a mind of their own ------------------------------------------------------------------------ */

/* IA32_MISC_ENABLE: what is kept: fast strings, thermal control, EIST, MONITOR, the limit of CPUID, xTPR off,
 * execute-disable off. Read-only are "performance monitoring available" (0: it is not), and "branch trace"
 * and "PEBS unavailable" (1). */
#define MISC_KEPT (1ull | 1u << 3 | 1u << 16 | 1u << 18 | MISC_LIMIT_CPUID | 1u << 23 | MISC_XD_OFF)
#define MISC_UNAVAILABLE (1u << 11 | 1u << 12)
#define MISC_PERFMON (1u << 7)
#define PLATFORM_CPUID_FAULTING (1u << 31)

/** pat_judge - eight memory types of 0, 1, 4, 5, 6, 7. SDM 3A "Page Attribute Table (PAT)". */
bool pat_judge(uint64_t value)
{
    for (unsigned i = 0; i < 64; i += 8) {
        unsigned type = value >> i & 0xff;
        if (type > 7 || type == 2 || type == 3) return false;
    }
    return true;
}

static bool reserved_check(struct cpu *c, uint32_t index, bool ok, uint64_t value, uint64_t old)
{
    return check(c, RS_RULE_MSR_RSVD, ok, index, value, old, 0);
}

static uint64_t special_read(const struct cpu *c, uint32_t index)
{
    switch (index) {
    case MSR_EFER: return c->efer;
    case MSR_TSC: return tsc_read(c);
    case MSR_TSC_ADJUST: return c->tsc_adjust;
    case MSR_APIC_BASE: return lapic_base_read(c->lapic);
    case MSR_PAT: return c->pat;
    case MSR_PLATFORM_INFO: return PLATFORM_CPUID_FAULTING;
    default: return c->misc_enable | MISC_UNAVAILABLE;
    }
}

/* From xAPIC mode alone, and nothing else wrong: SDM 3A "x2APIC State Transitions" */
static bool starts_x2apic(const struct cpu *c, uint64_t value)
{
    return cpu_has(c, FEAT_X2APIC) && value & LAPIC_BASE_X2APIC && value & LAPIC_BASE_ENABLE &&
           lapic_is_enabled(c->lapic) &&
           lapic_base_judge(value & ~LAPIC_BASE_X2APIC, c->features->maxphyaddr);
}

static enum step apic_base_write(struct cpu *c, uint64_t value)
{
    bool ok;

    if (starts_x2apic(c, value)) return gap(c, "x2APIC mode");
    ok = lapic_base_write(c->lapic, value, c->features->maxphyaddr);
    if (!reserved_check(c, MSR_APIC_BASE, ok, value, lapic_base_read(c->lapic))) return STEP_FAULT;
    mmu_drop_filter(&c->mmu); /* its page may lie elsewhere now */
    return STEP_END;
}

/** misc_enable_judge - reserved bits; "XD bit disable" where there is no XD bit. SDM 4 "IA32_MISC_ENABLE". */
bool misc_enable_judge(uint64_t value, bool nx)
{
    if (value & ~(uint64_t)(MISC_KEPT | MISC_UNAVAILABLE | MISC_PERFMON)) return false;
    return nx || !(value & MISC_XD_OFF);
}

static enum step misc_enable_write(struct cpu *c, uint64_t value)
{
    bool ok = misc_enable_judge(value, cpu_has(c, FEAT_NX));

    if (!reserved_check(c, MSR_MISC_ENABLE, ok, value, c->misc_enable)) return STEP_FAULT;
    c->misc_enable = value & MISC_KEPT;
    return STEP_END;
}

static enum step special_write(struct cpu *c, uint32_t index, uint64_t value)
{
    switch (index) {
    case MSR_EFER: return efer_write(c, value);
    case MSR_TSC: tsc_shift(c, value - tsc_read(c)); return STEP_END;
    case MSR_TSC_ADJUST: tsc_shift(c, value - c->tsc_adjust); return STEP_END;
    case MSR_APIC_BASE: return apic_base_write(c, value);
    case MSR_PAT:
        if (!check(c, RS_RULE_MSR_PAT_TYPE, pat_judge(value), index, value, c->pat, 0))
            return STEP_FAULT;
        c->pat = value;
        return STEP_END;
    case MSR_PLATFORM_INFO:
        (void)check(c, RS_RULE_MSR_READONLY, false, index, value, 0, 0);
        return STEP_FAULT;
    default: return misc_enable_write(c, value);
    }
}

/* ---- RDMSR, WRMSR --------------------------------------------------------------------------------------------- */

static void event_msr(struct cpu *c, uint32_t index, uint64_t value, bool write)
{
    if (ev_wanted(c, RS_EV_MSR)) ev_emit(c, RS_EV_MSR, 0, index, value, write, 0);
}

enum step msr_read(struct cpu *c, uint32_t index, uint64_t *value)
{
    const struct msr_row *r = find(c, index);

    if (!r) return no_row(c, index, 0);
    (void)check(c, RS_RULE_MSR_UNKNOWN, true, index, 0, 0, 0);
    switch ((enum msr_kind)r->kind) {
    case PLAIN:
    case LOW:
    case CANON: *value = field_get(c, r); break;
    case ZERO:
    case RO: *value = 0; break;
    case SPECIAL: *value = special_read(c, index); break;
    }
    event_msr(c, index, *value, false);
    return STEP_NEXT;
}

static enum step plain_write(struct cpu *c, const struct msr_row *r, uint64_t value)
{
    bool address = r->kind == CANON, stored = r->kind != ZERO;
    uint64_t old = stored ? field_get(c, r) : 0;

    if (!reserved_check(c, r->index, !(value & r->reserved), value, old)) return STEP_FAULT;
    if (address && !check(c, RS_RULE_MSR_CANON, mmu_canonical(value, c->features->linear_bits),
                          r->index, value, old, 0))
        return STEP_FAULT;
    if (stored) field_put(c, r, r->kind == LOW ? (uint32_t)value : value);
    return STEP_END;
}

enum step msr_write(struct cpu *c, uint32_t index, uint64_t value)
{
    const struct msr_row *r = find(c, index);
    enum step s;

    if (!r) return no_row(c, index, value);
    (void)check(c, RS_RULE_MSR_UNKNOWN, true, index, value, 0, 0);
    if (!check(c, RS_RULE_MSR_READONLY, r->kind != RO, index, value, 0, 0)) return STEP_FAULT;
    s = r->kind == SPECIAL ? special_write(c, index, value) : plain_write(c, r, value);
    if (s != STEP_FAULT && s != STEP_GAP) event_msr(c, index, value, true);
    return s;
}
