/*
 * registers.c - the processor's registers by the stable ids of the public header.
 *
 * Reading has no side effect. Writing is from outside: no check, no event; what hangs on the
 * register (decode context, MMU environment, caches) follows.
 */
#include "emu/machine.h"

#include "cpu/debug.h"
#include "cpu/lapic.h"
#include "cpu/protect.h"

#include <string.h>

#define SEG_ROWS(suffix)                                                                                     \
    "es" suffix, "cs" suffix, "ss" suffix, "ds" suffix, "fs" suffix, "gs" suffix, "ldtr" suffix, "tr" suffix

static const char *const names[RS_REG_COUNT] = {
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15", "rip", "rflags",
    [RS_REG_ES] = SEG_ROWS(""),
    [RS_REG_ES_BASE] = SEG_ROWS("_base"),
    [RS_REG_ES_LIMIT] = SEG_ROWS("_limit"),
    [RS_REG_ES_ATTR] = SEG_ROWS("_attr"),
    [RS_REG_CR0] = "cr0",
    [RS_REG_CR2] = "cr2", "cr3", "cr4",
    [RS_REG_CR8] = "cr8",
    [RS_REG_EFER] = "efer", "cpl", "kernel_gs_base", "star", "lstar", "cstar", "fmask", "tsc_aux", "pat",
    "apic_base",
    [RS_REG_GDTR_BASE] = "gdtr_base", "gdtr_limit", "idtr_base", "idtr_limit",
    [RS_REG_DR0] = "dr0", "dr1", "dr2", "dr3",
    [RS_REG_DR6] = "dr6", "dr7",
    [RS_REG_MXCSR] = "mxcsr",
    [RS_REG_XMM0] = "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10",
    "xmm11", "xmm12", "xmm13", "xmm14", "xmm15",
};

const char *register_name(unsigned reg) { return reg < RS_REG_COUNT ? names[reg] : NULL; }

static bool is_xmm(unsigned reg) { return reg >= RS_REG_XMM0 && reg < RS_REG_XMM0 + 16; }
static bool within(unsigned reg, unsigned first, unsigned count) { return reg - first < count; }

/* ---- plain 64-bit words ------------------------------------------------------------------------------ */

/* The field behind an id that is nothing but a 64-bit word, or NULL. */
static const uint64_t *word(const struct cpu *c, unsigned reg)
{
    if (within(reg, RS_REG_RAX, 16)) return &c->gpr[reg - RS_REG_RAX];
    if (within(reg, RS_REG_DR0, 4) || within(reg, RS_REG_DR6, 2)) return &c->dr[reg - RS_REG_DR0];
    if (within(reg, RS_REG_ES_BASE, SEG_COUNT)) return &c->seg[reg - RS_REG_ES_BASE].base;
    switch (reg) {
    case RS_REG_CR0: return &c->cr0;
    case RS_REG_CR2: return &c->cr2;
    case RS_REG_CR3: return &c->cr3;
    case RS_REG_CR4: return &c->cr4;
    case RS_REG_EFER: return &c->efer;
    case RS_REG_KERNEL_GS_BASE: return &c->kernel_gs_base;
    case RS_REG_STAR: return &c->star;
    case RS_REG_LSTAR: return &c->lstar;
    case RS_REG_CSTAR: return &c->cstar;
    case RS_REG_FMASK: return &c->fmask;
    case RS_REG_TSC_AUX: return &c->tsc_aux;
    case RS_REG_PAT: return &c->pat;
    case RS_REG_GDTR_BASE: return &c->gdtr.base;
    case RS_REG_IDTR_BASE: return &c->idtr.base;
    default: return NULL;
    }
}

static uint64_t value_of(const struct cpu *c, unsigned reg)
{
    const uint64_t *field = word(c, reg);

    if (field) return *field;
    if (within(reg, RS_REG_ES, SEG_COUNT)) return c->seg[reg - RS_REG_ES].sel;
    if (within(reg, RS_REG_ES_LIMIT, SEG_COUNT)) return c->seg[reg - RS_REG_ES_LIMIT].limit;
    if (within(reg, RS_REG_ES_ATTR, SEG_COUNT)) return c->seg[reg - RS_REG_ES_ATTR].attr;
    switch (reg) {
    case RS_REG_RIP: return cpu_rip(c);
    case RS_REG_RFLAGS: return flags_get(c);
    case RS_REG_CR8: return lapic_cr8(c->lapic);
    case RS_REG_APIC_BASE: return lapic_base_read(c->lapic);
    case RS_REG_CPL: return c->cpl;
    case RS_REG_GDTR_LIMIT: return c->gdtr.limit;
    case RS_REG_IDTR_LIMIT: return c->idtr.limit;
    case RS_REG_MXCSR: return c->mxcsr;
    default: return 0;
    }
}

bool register_read(const struct cpu *c, unsigned reg, void *out, size_t size)
{
    if (!register_name(reg)) return false;
    if (is_xmm(reg)) {
        if (size != 16) return false;
        memcpy(out, &c->xmm[reg - RS_REG_XMM0], 16);
        return true;
    }
    if (size != 8) return false;
    uint64_t value = value_of(c, reg);

    memcpy(out, &value, 8);
    return true;
}

/* ---- writing ------------------------------------------------------------------------------------------- */

static bool value_put(struct cpu *c, unsigned reg, uint64_t value)
{
    uint64_t *field = (uint64_t *)(uintptr_t)word(c, reg);

    if (field)
        *field = value;
    else if (within(reg, RS_REG_ES, SEG_COUNT))
        c->seg[reg - RS_REG_ES].sel = (uint16_t)value;
    else if (within(reg, RS_REG_ES_LIMIT, SEG_COUNT))
        c->seg[reg - RS_REG_ES_LIMIT].limit = (uint32_t)value;
    else if (within(reg, RS_REG_ES_ATTR, SEG_COUNT))
        c->seg[reg - RS_REG_ES_ATTR].attr = (uint16_t)value;
    else if (reg == RS_REG_RIP)
        c->gpr[R_RIPBASE] = value;
    else if (reg == RS_REG_RFLAGS)
        flags_put(c, value);
    else if (reg == RS_REG_CPL)
        cpu_set_cpl(c, (unsigned)value & 3);
    else if (reg == RS_REG_GDTR_LIMIT)
        c->gdtr.limit = (uint32_t)value;
    else if (reg == RS_REG_IDTR_LIMIT)
        c->idtr.limit = (uint32_t)value;
    else if (reg == RS_REG_CR8)
        lapic_set_cr8(c->lapic, value & 15);
    else if (reg == RS_REG_MXCSR)
        c->mxcsr = (uint32_t)value;
    else
        return false;
    return true;
}

/* PDPTEs are read from memory when what points to them or asks for them is written, and at no other time:
 * they may be stale, and whoever writes RAX from outside must not freshen them. */
static void pdptes_follow(struct cpu *c, unsigned reg)
{
    bool control =
        reg == RS_REG_CR0 || reg == RS_REG_CR3 || reg == RS_REG_CR4 || reg == RS_REG_EFER;
    uint64_t pdpte[4];

    if (!control || !mmu_is_pae(&c->mmu.env)) return;
    mmu_pdptes_peek(&c->mmu, c->cr3, pdpte);
    pdptes_load(c, pdpte);
    cpu_control_changed(c);
}

bool register_write(struct cpu *c, unsigned reg, const void *in, size_t size)
{
    uint64_t value;

    if (!register_name(reg)) return false;
    if (is_xmm(reg)) {
        if (size != 16) return false;
        memcpy(&c->xmm[reg - RS_REG_XMM0], in, 16);
        return true;
    }
    if (size != 8) return false;
    memcpy(&value, in, 8);
    if (!value_put(c, reg, value)) return false;
    bool paid = c->rep_paid && reg != RS_REG_RIP;

    cpu_forget_place(c);
    c->rep_paid = paid;
    cpu_mode_changed(c);
    debug_changed(c);
    pdptes_follow(c, reg);
    if (reg == RS_REG_CR3) mmu_write_cr3(&c->mmu, value, false);
    return true;
}
