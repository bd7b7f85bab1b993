/*
 * exec_system.c - the instructions of operating systems: SYSCALL and kin, INT and kin, control and
 * debug registers, MSRs, translations, time, CPUID, hints and fences.
 * Manual: SDM 2, per instruction; SDM 3A "Privileged Instructions", "Fast System Calls in 64-Bit Mode".
 */
#include "cpu/exec_parts.h"
#include "cpu/real.h"

static bool mode64_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_64, cpu_64(c), cpu_rip(c), c->seg[SEG_CS].attr, c->efer, 0);
}

/* ---- SYSCALL, SYSRET ------------------------------------------------------------------------------------ */

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

static bool sce_check(struct cpu *c)
{
    return check(c, RS_RULE_SYSCALL_SCE, (c->efer & EFER_SCE) != 0, cpu_rip(c), c->efer, 0, 0);
}

/**
 * SYSCALL - not in 64-bit mode, or EFER.SCE=0: #UD. RCX = next RIP, R11 = RFLAGS with RF clear; RFLAGS loses
 * what IA32_FMASK has; CS and SS are flat whatever the GDT holds; no memory is touched.
 */
OP(syscall)
{
    unsigned from = c->cpl, selector = (unsigned)(c->star >> 32) & 0xfffc;
    uint64_t start = cpu_now(c), flags = flags_get(c) & ~(uint64_t)RF_RF, next = cpu_next_rip(c);

    if (!mode64_check(c) || !sce_check(c)) return STEP_FAULT;
    crossing_begin(c);
    event_syscall(c, RS_X_SYSCALL, next);
    uint32_t number = (uint32_t)c->gpr[R_RAX];
    c->gpr[R_RCX] = next;
    c->gpr[R_R11] = flags;
    flags_put(c, flags & ~c->fmask);
    c->trap_lost = (c->fmask & RF_TF) != 0;
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSCALL);
    flat_cs(c, selector, true, 0);
    flat_ss(c, selector + 8, 0);
    enum step s = arrive(c, 0, c->lstar);
    crossing_enter(c, RS_X_SYSCALL, number, from, start);
    return s;
}

#define SYSRET_FLAGS 0x3c7fd7ull

/**
 * SYSRET - not in 64-bit mode, or EFER.SCE=0: #UD; CPL > 0: #GP(0); to 64-bit mode with a non-canonical RCX:
 * #GP(0), still at CPL 0 with the caller's RSP. RFLAGS = R11 without VM and RF. RSP is not touched.
 */
OP(sysret)
{
    bool mode64 = o->width == 8;
    unsigned from = c->cpl, base = (unsigned)(c->star >> 48);
    uint64_t start = cpu_now(c), rip = mode64 ? c->gpr[R_RCX] : (uint32_t)c->gpr[R_RCX];
    unsigned bits = c->features->linear_bits;

    if (!mode64_check(c) || !sce_check(c) || !priv_cpl0(c)) return STEP_FAULT;
    if (!check(c, RS_RULE_SYSRET_CANON, !mode64 || mmu_canonical(rip, bits), rip, bits, 0, 0))
        return STEP_FAULT;
    crossing_begin(c);
    event_sysret(c, RS_X_SYSRET, rip);
    flags_put(c, c->gpr[R_R11] & SYSRET_FLAGS);
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SYSRET);
    flat_cs(c, (base + (mode64 ? 16 : 0)) | 3, mode64, ATTR_DPL3);
    flat_ss(c, (base + 8) | 3, ATTR_DPL3);
    enum step s = arrive(c, 3, rip);
    crossing_leave(c, RS_X_SYSRET, from, start);
    return s;
}

/* ---- SYSENTER, SYSEXIT ------------------------------------------------------------------------------------ */

/* Virtual-8086 mode has it. */
static bool sysenter_pe_check(struct cpu *c)
{
    return check(c, RS_RULE_SYSENTER_PE, (c->cr0 & CR0_PE) != 0, cpu_rip(c), c->cr0, 0, 0);
}

static bool sysenter_cs_check(struct cpu *c)
{
    bool ok = (c->sysenter_cs & 0xfffc) != 0;
    return check(c, RS_RULE_SYSENTER_CS, ok, MSR_SYSENTER_CS, c->sysenter_cs, 0, 0);
}

/** SYSENTER - real mode, or null IA32_SYSENTER_CS: #GP(0). IF, RF and VM become 0; in IA-32e mode the target is 64-bit. */
OP(sysenter)
{
    unsigned from = c->cpl, selector = (unsigned)c->sysenter_cs & 0xfffc;
    uint64_t start = cpu_now(c);
    bool lma = cpu_long(c);

    if (!sysenter_pe_check(c) || !sysenter_cs_check(c)) return STEP_FAULT;
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

/** SYSEXIT - real mode, or null IA32_SYSENTER_CS: #GP(0); CPL > 0: #GP(0); 64-bit: RCX (stack) or RDX (target) not
 *  canonical: #GP(0). */
OP(sysexit)
{
    bool mode64 = o->width == 8;
    unsigned from = c->cpl, base = (unsigned)c->sysenter_cs, bits = c->features->linear_bits;
    uint64_t start = cpu_now(c), rip = c->gpr[R_RDX], rsp = c->gpr[R_RCX];

    if (!sysenter_pe_check(c) || !sysenter_cs_check(c) || !priv_cpl0(c)) return STEP_FAULT;
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

/* ---- SWAPGS and the bases ----------------------------------------------------------------------------------- */

/** SWAPGS - outside 64-bit mode: #UD; CPL > 0: #GP(0). */
OP(swapgs)
{
    uint64_t base = c->seg[SEG_GS].base;

    if (!mode64_check(c) || !priv_cpl0(c)) return STEP_FAULT;
    c->seg[SEG_GS].base = c->kernel_gs_base;
    c->kernel_gs_base = base;
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_SWAPGS);
    return STEP_NEXT;
}

static bool fsgsbase_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_FSGSBASE, priv_fsgsbase_judge(cpu_64(c), c->cr4), cpu_rip(c),
                 c->cpl, c->cr4, 0);
}

static enum step base_read(struct cpu *c, const struct op *o, enum seg seg)
{
    if (!fsgsbase_check(c)) return STEP_FAULT;
    reg_put(c, o->rm, o->width, c->seg[seg].base);
    return STEP_NEXT;
}

/** WRFSBASE, WRGSBASE - #UD as above; a 64-bit value not canonical: #GP(0). */
static enum step base_write(struct cpu *c, const struct op *o, enum seg seg)
{
    uint64_t value = reg_get(c, o->rm, o->width);
    unsigned bits = c->features->linear_bits;

    if (!fsgsbase_check(c)) return STEP_FAULT;
    if (!check(c, RS_RULE_FSGS_CANON, mmu_canonical(value, bits), value, bits, 0, 0))
        return STEP_FAULT;
    c->seg[seg].base = value;
    return STEP_NEXT;
}

OP(rdfsbase)
{
    return base_read(c, o, SEG_FS);
}
OP(rdgsbase)
{
    return base_read(c, o, SEG_GS);
}
OP(wrfsbase)
{
    return base_write(c, o, SEG_FS);
}
OP(wrgsbase)
{
    return base_write(c, o, SEG_GS);
}

/* ---- INT and kin: the run loop delivers what c->fault says ------------------------------------------------------ */

/* The instruction's own price is due when it has been delivered: o[1].prefix - o->prefix, cpu/op.h. */
static enum step soft_fault(struct cpu *c, const struct op *o, unsigned vector, enum fault_class klass)
{
    c->fault = (struct fault){.vector = (uint8_t)vector,
                              .klass = (uint8_t)klass,
                              .ticks = (uint16_t)(o[1].prefix - o->prefix),
                              .length = (uint8_t)(cpu_next_rip(c) - cpu_rip(c))};
    return STEP_FAULT;
}

OP(int_n)
{
    bool through = true;

    if (cpu_v86(c)) {
        enum step s = v86_int(c, (uint8_t)o->imm, &through);
        if (!through) return s;
    }
    return soft_fault(c, o, (uint8_t)o->imm, FC_SOFT);
}
OP(int3)
{
    return soft_fault(c, o, VEC_BP, FC_SOFT);
}
OP(int1)
{
    return soft_fault(c, o, VEC_DB, FC_ICEBP);
}
OP(into)
{
    return fl_of(c) ? soft_fault(c, o, VEC_OF, FC_SOFT) : STEP_NEXT;
}

/** BOUND - #BR, a fault, if the signed index is below the first or above the second bound; one below the
 *  first never reads the second (measured). SDM 2A "BOUND". */
OP(bound)
{
    uint64_t at = ea(c, o), low, high;
    int64_t index = width_sext(reg_get(c, o->reg, o->width), o->width);

    if (!mem_read(c, (enum seg)o->seg, at, o->width, &low)) return STEP_FAULT;
    if (index < width_sext(low, o->width)) return fault_raise(c, VEC_BR);
    if (!mem_read(c, (enum seg)o->seg, (at + o->width) & addr_mask(o), o->width, &high))
        return STEP_FAULT;
    return index > width_sext(high, o->width) ? fault_raise(c, VEC_BR) : STEP_NEXT;
}

OP(ud)
{
    (void)check(c, RS_RULE_INSN_UNDEFINED, false, 0, 0, 0, 0);
    return STEP_FAULT;
}

/* ---- control and debug registers ----------------------------------------------------------------------------------- */

/* 64 bits in 64-bit mode, else 32, whatever the prefixes say */
static uint64_t whole_get(const struct cpu *c, unsigned reg)
{
    return cpu_64(c) ? c->gpr[reg] : (uint32_t)c->gpr[reg];
}

static void whole_put(struct cpu *c, unsigned reg, uint64_t value)
{
    c->gpr[reg] = cpu_64(c) ? value : (uint32_t)value;
}

OP(mov_to_cr)
{
    if (!priv_cpl0(c)) return STEP_FAULT;
    return cr_write(c, o->reg, whole_get(c, o->rm));
}

OP(mov_from_cr)
{
    uint64_t value;
    enum step s;

    if (!priv_cpl0(c)) return STEP_FAULT;
    s = cr_read(c, o->reg, &value);
    if (s == STEP_NEXT) whole_put(c, o->rm, value);
    return s;
}

OP(mov_to_dr)
{
    return dr_write(c, o->reg, whole_get(c, o->rm));
}

OP(mov_from_dr)
{
    uint64_t value;
    enum step s = dr_read(c, o->reg, &value);

    if (s == STEP_NEXT) whole_put(c, o->rm, value);
    return s;
}

OP(clts)
{
    if (!priv_cpl0(c)) return STEP_FAULT;
    return cr_write(c, 0, c->cr0 & ~(uint64_t)CR0_TS);
}

static bool word_get(struct cpu *c, const struct op *o, uint64_t *value)
{
    if (o->flags & OPF_MEM) return mem_read(c, (enum seg)o->seg, ea(c, o), 2, value);
    *value = (uint16_t)c->gpr[o->rm];
    return true;
}

/** LMSW - CPL > 0: #GP(0); PE, MP, EM, TS from the operand, but PE cannot be cleared. SDM 2A "LMSW". */
OP(lmsw)
{
    uint64_t value, low = CR0_PE | CR0_MP | CR0_EM | CR0_TS;

    if (!priv_cpl0(c) || !word_get(c, o, &value)) return STEP_FAULT;
    return cr_write(c, 0, (c->cr0 & ~low) | (value & low) | (c->cr0 & CR0_PE));
}

/** SMSW - UMIP before memory; a register takes its whole size of CR0. SDM 2B "SMSW". */
OP(smsw)
{
    if (!priv_umip(c)) return STEP_FAULT;
    if (!(o->flags & OPF_MEM)) {
        reg_put(c, o->rm, o->width, c->cr0);
        return STEP_NEXT;
    }
    return mem_write(c, (enum seg)o->seg, ea(c, o), 2, c->cr0 & 0xffff) ? STEP_NEXT : STEP_FAULT;
}

/* ---- MSRs -------------------------------------------------------------------------------------------------------------- */

static uint64_t edx_eax(const struct cpu *c)
{
    return (uint64_t)(uint32_t)c->gpr[R_RDX] << 32 | (uint32_t)c->gpr[R_RAX];
}

static void edx_eax_put(struct cpu *c, uint64_t value)
{
    c->gpr[R_RAX] = (uint32_t)value;
    c->gpr[R_RDX] = value >> 32;
}

static bool is_fast_msr(uint32_t index)
{
    return index == MSR_FS_BASE || index == MSR_GS_BASE || index == MSR_KERNEL_GS_BASE ||
           index == MSR_TSC_DEADLINE;
}

OP(wrmsr)
{
    uint32_t index = (uint32_t)c->gpr[R_RCX];
    enum step s;

    if (!priv_cpl0(c)) return STEP_FAULT;
    s = msr_write(c, index, edx_eax(c));
    if (s == STEP_END)
        cpu_charge_event(c, RS_CAT_MICROCODE, is_fast_msr(index) ? COST_WRMSR_FAST : COST_WRMSR);
    return s;
}

OP(rdmsr)
{
    uint64_t value;
    enum step s;

    if (!priv_cpl0(c)) return STEP_FAULT;
    s = msr_read(c, (uint32_t)c->gpr[R_RCX], &value);
    if (s == STEP_FAULT) return s;
    edx_eax_put(c, value);
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_RDMSR);
    return s;
}

static bool osxsave_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_OSXSAVE, (c->cr4 & CR4_OSXSAVE) != 0, cpu_rip(c), c->cr4, 0, 0);
}

/** XGETBV - CR4.OSXSAVE=0: #UD; ECX not 0: #GP(0). SDM 2D "XGETBV". */
OP(xgetbv)
{
    uint32_t index = (uint32_t)c->gpr[R_RCX];

    if (!osxsave_check(c)) return STEP_FAULT;
    if (!check(c, RS_RULE_INSN_XCR, index == 0, cpu_rip(c), index, 0, 0)) return STEP_FAULT;
    edx_eax_put(c, c->xcr0);
    return STEP_NEXT;
}

#define XCR0_X87 1u
#define XCR0_SSE 2u

/** XSETBV - CR4.OSXSAVE=0: #UD; CPL > 0: #GP(0); ECX not 0, x87 clear, an unknown bit: #GP(0). SDM 2D. */
OP(xsetbv)
{
    uint32_t index = (uint32_t)c->gpr[R_RCX];
    uint64_t value = edx_eax(c);

    if (!osxsave_check(c) || !priv_cpl0(c)) return STEP_FAULT;
    bool ok = index == 0 && (value & XCR0_X87) && !(value & ~(uint64_t)(XCR0_X87 | XCR0_SSE));
    if (!check(c, RS_RULE_INSN_XCR, ok, cpu_rip(c), index, value, 0)) return STEP_FAULT;
    c->xcr0 = value;
    cpu_mode_changed(c);
    return STEP_END;
}

/* ---- translations and caches ----------------------------------------------------------------------------------------------- */

/** INVLPG - CPL > 0: #GP(0). No translation, no segment rule; a non-canonical address does nothing. SDM 2A. */
OP(invlpg)
{
    uint64_t lin = linear_of(c, o->seg, ea(c, o));

    if (!priv_cpl0(c)) return STEP_FAULT;
    if (mmu_canonical(lin, c->features->linear_bits) || !cpu_64(c)) mmu_invlpg(&c->mmu, lin);
    cpu_charge_event(c, RS_CAT_FLUSH, COST_INVLPG);
    return STEP_END;
}

static const uint16_t invpcid_rules[] = {RS_RULE_INVPCID_RSVD, RS_RULE_INVPCID_PCID,
                                         RS_RULE_INVPCID_CANON};

/** invpcid_judge - the descriptor: bits 63:12; a PCID while CR4.PCIDE=0 (types 0, 1); the address (type 0).
 *  Pure. Manual: SDM 2A "INVPCID". */
static enum rs_rule invpcid_judge(uint64_t type, const uint64_t desc[2], bool pcide, unsigned bits)
{
    if (desc[0] >> 12) return RS_RULE_INVPCID_RSVD;
    if (type <= 1 && !pcide && desc[0]) return RS_RULE_INVPCID_PCID;
    if (type == 0 && !mmu_canonical(desc[1], bits)) return RS_RULE_INVPCID_CANON;
    return RS_RULE_NONE;
}

OP(invpcid)
{
    static const uint8_t price[4] = {COST_INVPCID_ADDR, COST_INVPCID_CTX, COST_INVPCID_ALL,
                                     COST_INVPCID_ALL};
    uint64_t type = whole_get(c, o->reg), desc[2] = {0, 0};
    enum rs_rule broken;

    if (!priv_cpl0(c)) return STEP_FAULT;
    if (!check(c, RS_RULE_INVPCID_TYPE, type <= 3, cpu_rip(c), type, 0, 0)) return STEP_FAULT;
    if (!mem_read_bytes(c, (enum seg)o->seg, ea(c, o), desc, 16, 0)) return STEP_FAULT;
    broken = invpcid_judge(type, desc, c->cr4 & CR4_PCIDE, c->features->linear_bits);
    if (!CHECKS(c, invpcid_rules, broken, desc[1], desc[0], type, 0)) return STEP_FAULT;
    mmu_invpcid(&c->mmu, (unsigned)type, (unsigned)desc[0], desc[1]);
    cpu_charge_event(c, RS_CAT_FLUSH, (enum cost_event)price[type]);
    return STEP_END;
}

/* WBINVD and INVD alike: memory is sequentially consistent, there is nothing to write back. */
OP(wbinvd)
{
    if (!priv_cpl0(c)) return STEP_FAULT;
    cpu_charge_event(c, RS_CAT_CACHE, COST_WBINVD);
    return STEP_END;
}

/** CLFLUSH, CLFLUSHOPT, CLWB - judged as a load of one byte. SDM 2A "CLFLUSH". */
OP(clflush)
{
    if (!mem_probe_read(c, (enum seg)o->seg, ea(c, o), 1)) return STEP_FAULT;
    cpu_charge_event(c, RS_CAT_CACHE, COST_CLFLUSH);
    return STEP_NEXT;
}

/* ---- time, identity ------------------------------------------------------------------------------------------------------------ */

static bool tsd_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_TSD, priv_tsd_judge(c->cpl, c->cr4), cpu_rip(c), c->cpl, c->cr4,
                 0);
}

OP(rdtsc)
{
    if (!tsd_check(c)) return STEP_FAULT;
    edx_eax_put(c, tsc_read(c));
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_RDTSC);
    return STEP_NEXT;
}

OP(rdtscp)
{
    if (!tsd_check(c)) return STEP_FAULT;
    edx_eax_put(c, tsc_read(c));
    c->gpr[R_RCX] = (uint32_t)c->tsc_aux;
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_RDTSCP);
    return STEP_NEXT;
}

OP(rdpid)
{
    c->gpr[o->rm] = (uint32_t)c->tsc_aux;
    return STEP_NEXT;
}

/** RDPMC - CR4.PCE=0 at CPL > 0: #GP(0); a counter that does not exist (none does): #GP(0). SDM 2B "RDPMC". */
OP(rdpmc)
{
    uint32_t index = (uint32_t)c->gpr[R_RCX];

    if (!check(c, RS_RULE_INSN_PCE, priv_pce_judge(c->cpl, c->cr4), cpu_rip(c), c->cpl, c->cr4, 0))
        return STEP_FAULT;
    (void)check(c, RS_RULE_INSN_PMC, false, cpu_rip(c), index, 0, 0);
    return STEP_FAULT;
}

OP(cpuid)
{
    uint32_t out[4];

    cpuid(c, (uint32_t)c->gpr[R_RAX], (uint32_t)c->gpr[R_RCX], out);
    c->gpr[R_RAX] = out[0];
    c->gpr[R_RBX] = out[1];
    c->gpr[R_RCX] = out[2];
    c->gpr[R_RDX] = out[3];
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_CPUID);
    return STEP_NEXT;
}

/* ---- halt, hints, fences ----------------------------------------------------------------------------------------------------------- */

OP(hlt)
{
    if (!priv_cpl0(c)) return STEP_FAULT;
    c->halted_at = cpu_now(c);
    if (ev_wanted(c, RS_EV_HALT)) ev_emit(c, RS_EV_HALT, 0, (c->flags & RF_IF) != 0, 0, 0, 0);
    return STEP_HALT;
}

/* NOP with operands, PREFETCH, ENDBR, SFENCE: nothing to do, nothing to judge. */
OP(hint)
{
    return STEP_NEXT;
}

OP(pause)
{
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_PAUSE);
    return STEP_NEXT;
}

OP(lfence)
{
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_LFENCE);
    return STEP_NEXT;
}

OP(mfence)
{
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_MFENCE);
    return STEP_NEXT;
}
