/*
 * exec_syscall.c - SYSCALL, SYSRET, SYSENTER, SYSEXIT.
 *
 * Intel has SYSCALL and SYSRET in 64-bit mode alone, AMD (BEHAVE_SYSCALL_LEGACY) everywhere: by LSTAR from
 * 64-bit code, by CSTAR from compatibility code, by STAR[31:0] in legacy mode. SYSENTER and SYSEXIT are
 * Intel's everywhere, AMD's (BEHAVE_SYSENTER_LEGACY) in legacy mode alone.
 * Manual: SDM 2B "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT"; SDM 3A "Fast System Calls in 64-Bit Mode";
 * APM 3 "SYSCALL", "SYSRET", "SYSENTER", "SYSEXIT".
 */
#include "cpu/exec_parts.h"
#include "cpu/protect.h"

/* ---- what they ask ------------------------------------------------------------------------------------- */

/* SYSCALL and SYSRET: the mode, then EFER.SCE. */
static __attribute__((noinline)) bool syscall_ask(struct cpu *c)
{
    bool ok = cpu_64(c) || cpu_does(c, BEHAVE_SYSCALL_LEGACY);

    return check(c, RS_RULE_INSN_64, ok, cpu_rip(c), c->seg[SEG_CS].attr, c->efer, 0) &&
           check(c, RS_RULE_SYSCALL_SCE, (c->efer & EFER_SCE) != 0, cpu_rip(c), c->efer, 0, 0);
}

/* The usual answer without a call. */
static inline __attribute__((always_inline)) bool syscall_check(struct cpu *c)
{
    bool usual = cpu_64(c) && (c->efer & EFER_SCE) && !c->observe_checks;

    return __builtin_expect(usual, 1) || syscall_ask(c);
}

static bool pe_check(struct cpu *c)
{
    return check(c, RS_RULE_SYSENTER_PE, (c->cr0 & CR0_PE) != 0, cpu_rip(c), c->cr0, 0, 0);
}

/* SYSENTER and SYSEXIT: the maker, CR0.PE, a code segment. */
static bool sysenter_check(struct cpu *c)
{
    bool here = !cpu_long(c) || !cpu_does(c, BEHAVE_SYSENTER_LEGACY), ok = (c->sysenter_cs & 0xfffc) != 0;

    return check(c, RS_RULE_SYSENTER_LONG, here, cpu_rip(c), c->efer, 0, 0) && pe_check(c) &&
           check(c, RS_RULE_SYSENTER_CS, ok, MSR_SYSENTER_CS, c->sysenter_cs, 0, 0);
}

/* ---- flat segments, events ------------------------------------------------------------------------------ */

/* Flat segments that these instructions load without a descriptor. */
#define ATTR_FLAT (ATTR_G | ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED)
#define ATTR_DPL3 (3u << ATTR_DPL_SHIFT)

static void fill_flat(struct cpu *c, enum seg seg, unsigned selector, unsigned attr)
{
    struct descriptor d = {.limit = 0xffffffffu, .attr = (uint16_t)attr};
    seg_fill(c, seg, (uint16_t)selector, &d);
}

static void flat_cs(struct cpu *c, unsigned selector, bool mode64, unsigned dpl)
{
    fill_flat(c, SEG_CS, selector, ATTR_FLAT | ATTR_CODE | (mode64 ? ATTR_L : ATTR_DB) | dpl);
}

static void flat_ss(struct cpu *c, unsigned selector, unsigned dpl)
{
    fill_flat(c, SEG_SS, selector, ATTR_FLAT | ATTR_DB | dpl);
}

/* Which call a return belongs to: same code address, same stack, same address space. For events alone. */
static unsigned call_slot(const struct cpu *c, uint64_t rip, uint64_t *key)
{
    uint64_t k = (rip ^ c->gpr[R_RSP] << 20 ^ (c->cr3 & ~0xfffull) << 8) * 0x9e3779b97f4a7c15ull;

    *key = k;
    return (unsigned)(k >> 58);
}

static void call_note(struct cpu *c, uint64_t rip)
{
    uint64_t key;
    unsigned slot = call_slot(c, rip, &key);

    c->calls[slot].key = key;
    c->calls[slot].number = c->gpr[R_RAX];
}

/* UINT64_MAX: nobody saw the call (the child of a fork returns where it never called). */
static uint64_t call_number(struct cpu *c, uint64_t rip)
{
    uint64_t key;
    unsigned slot = call_slot(c, rip, &key);

    return c->calls[slot].key == key ? c->calls[slot].number : UINT64_MAX;
}

static void event_syscall(struct cpu *c, enum rs_crossing how, uint64_t next)
{
    if (!(c->events->mask & (RS_MASK(RS_EV_SYSCALL) | RS_MASK(RS_EV_SYSRET)))) return;
    call_note(c, next);
    ev_emit(c, RS_EV_SYSCALL, how, c->gpr[R_RAX], c->gpr[R_RDI], c->gpr[R_RSI], c->gpr[R_RDX]);
}

static void event_sysret(struct cpu *c, enum rs_crossing how, uint64_t rip)
{
    if (ev_wanted(c, RS_EV_SYSRET))
        ev_emit(c, RS_EV_SYSRET, how, call_number(c, rip), c->gpr[R_RAX], 0, 0);
}

/* ---- SYSCALL, SYSRET ------------------------------------------------------------------------------------ */

/* In legacy mode ECX takes EIP, nothing takes the flags, and IF, RF and VM become 0; in long mode RCX and R11
 * take both and IA32_FMASK decides. */
static uint64_t syscall_target(struct cpu *c, uint64_t next)
{
    uint64_t flags = flags_get(c) & ~(uint64_t)RF_RF, lose = c->fmask;

    if (!cpu_long(c)) lose = RF_IF | RF_VM;
    c->gpr[R_RCX] = next;
    if (cpu_long(c)) c->gpr[R_R11] = flags;
    flags_put(c, flags & ~lose);
    c->trap_lost = (lose & RF_TF) != 0;
    return cpu_64(c) ? c->lstar : cpu_long(c) ? c->cstar : (uint32_t)c->star;
}

/**
 * SYSCALL - not in 64-bit mode (Intel), or EFER.SCE=0: #UD. RCX = next RIP, R11 = RFLAGS with RF clear; RFLAGS
 * loses what IA32_FMASK has; CS and SS are flat whatever the GDT holds; no memory is touched.
 */
OP(syscall)
{
    unsigned from = c->cpl, selector = (unsigned)(c->star >> 32) & 0xfffc;
    uint64_t start = cpu_now(c), next = cpu_next_rip(c);

    if (!syscall_check(c)) return STEP_FAULT;
    if (!cpu_64(c)) next = (uint32_t)next;
    crossing_begin(c);
    event_syscall(c, RS_X_SYSCALL, next);
    uint32_t number = (uint32_t)c->gpr[R_RAX];
    uint64_t target = syscall_target(c, next);
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSCALL);
    flat_cs(c, selector, cpu_long(c), 0);
    flat_ss(c, selector + 8, 0);
    enum step s = arrive(c, 0, target);
    crossing_enter(c, RS_X_SYSCALL, number, from, start);
    return s;
}

#define SYSRET_FLAGS 0x3c7fd7ull

/* SDM: SS is flat, its RPL 3. APM: the selector alone is loaded, as STAR has it. */
static void sysret_ss(struct cpu *c, unsigned selector)
{
    if (cpu_does(c, BEHAVE_SYSRET_KEEPS_SS)) {
        c->seg[SEG_SS].sel = (uint16_t)selector;
        if (ev_wanted(c, RS_EV_SEG))
            ev_emit(c, RS_EV_SEG, 0, SEG_SS, selector, c->seg[SEG_SS].base, c->seg[SEG_SS].attr);
        return;
    }
    flat_ss(c, selector | 3, ATTR_DPL3);
}

/* RFLAGS = R11 without VM and RF; outside 64-bit mode (AMD) IF becomes 1 and nothing else changes. */
static void sysret_flags(struct cpu *c)
{
    flags_put(c, cpu_64(c) ? c->gpr[R_R11] & SYSRET_FLAGS : flags_get(c) | RF_IF);
}

/* A non-canonical RCX: Intel refuses at CPL 0; on AMD the fetch at CPL 3 will. */
static bool sysret_target_check(struct cpu *c, uint64_t rip, bool mode64)
{
    unsigned bits = c->features->linear_bits;
    bool ok = !mode64 || cpu_does(c, BEHAVE_SYSRET_USER_GP) || mmu_canonical(rip, bits);

    return check(c, RS_RULE_SYSRET_CANON, ok, rip, bits, 0, 0);
}

/**
 * SYSRET - not in 64-bit mode (Intel), or EFER.SCE=0: #UD; CR0.PE=0, CPL > 0: #GP(0); to 64-bit mode with a
 * non-canonical RCX: #GP(0), still at CPL 0 with the caller's RSP (Intel). RSP is not touched.
 */
OP(sysret)
{
    bool mode64 = cpu_64(c) && o->width == 8;
    unsigned from = c->cpl, base = (unsigned)(c->star >> 48);
    uint64_t start = cpu_now(c), rip = mode64 ? c->gpr[R_RCX] : (uint32_t)c->gpr[R_RCX];

    if (!syscall_check(c) || !pe_check(c) || !priv_cpl0(c) || !sysret_target_check(c, rip, mode64))
        return STEP_FAULT;
    crossing_begin(c);
    event_sysret(c, RS_X_SYSRET, rip);
    sysret_flags(c);
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSRET);
    flat_cs(c, (base + (mode64 ? 16 : 0)) | 3, mode64, ATTR_DPL3);
    sysret_ss(c, base + 8);
    enum step s = arrive(c, 3, rip);
    crossing_leave(c, RS_X_SYSRET, from, start);
    return s;
}

/* ---- SYSENTER, SYSEXIT ------------------------------------------------------------------------------------ */

/** SYSENTER - long mode on AMD: #UD; CR0.PE=0, null IA32_SYSENTER_CS: #GP(0). IF, RF and VM become 0; in IA-32e
 *  mode the target is 64-bit. Virtual-8086 mode may call it, too. */
OP(sysenter)
{
    unsigned from = c->cpl, selector = (unsigned)c->sysenter_cs & 0xfffc;
    uint64_t start = cpu_now(c);
    bool lma = cpu_long(c);

    if (!sysenter_check(c)) return STEP_FAULT;
    crossing_begin(c);
    event_syscall(c, RS_X_SYSENTER, cpu_next_rip(c));
    uint32_t number = (uint32_t)c->gpr[R_RAX];
    c->flags &= ~(uint64_t)(RF_IF | RF_RF | RF_VM);
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSENTER);
    c->gpr[R_RSP] = lma ? c->sysenter_esp : (uint32_t)c->sysenter_esp;
    flat_cs(c, selector, lma, 0);
    flat_ss(c, selector + 8, 0);
    enum step s = arrive(c, 0, lma ? c->sysenter_eip : (uint32_t)c->sysenter_eip);
    crossing_enter(c, RS_X_SYSENTER, number, from, start);
    return s;
}

/** SYSEXIT - long mode on AMD: #UD; CR0.PE=0, null IA32_SYSENTER_CS: #GP(0); CPL > 0: #GP(0); 64-bit: RCX (stack) or RDX (target) not
 *  canonical: #GP(0). */
OP(sysexit)
{
    bool mode64 = o->width == 8;
    unsigned from = c->cpl, base = (unsigned)c->sysenter_cs, bits = c->features->linear_bits;
    uint64_t start = cpu_now(c), rip = c->gpr[R_RDX], rsp = c->gpr[R_RCX];

    if (!sysenter_check(c) || !priv_cpl0(c)) return STEP_FAULT;
    bool ok = !mode64 || (mmu_canonical(rip, bits) && mmu_canonical(rsp, bits));
    if (!check(c, RS_RULE_SYSEXIT_CANON, ok, rip, rsp, bits, 0)) return STEP_FAULT;
    if (!mode64) {
        rip = (uint32_t)rip;
        rsp = (uint32_t)rsp;
    }
    crossing_begin(c);
    event_sysret(c, RS_X_SYSEXIT, rip);
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSEXIT);
    c->gpr[R_RSP] = rsp;
    flat_cs(c, (base + (mode64 ? 32 : 16)) | 3, mode64, ATTR_DPL3);
    flat_ss(c, (base + (mode64 ? 40 : 24)) | 3, ATTR_DPL3);
    enum step s = arrive(c, 3, rip);
    crossing_leave(c, RS_X_SYSEXIT, from, start);
    return s;
}
