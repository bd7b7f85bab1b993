/*
 * exec_system.c - the instructions of operating systems: SWAPGS and the bases, INT and kin, control and
 * debug registers, MSRs, translations, time, CPUID, hints and fences. SYSCALL and kin: exec_syscall.c.
 * Manual: SDM 2, per instruction; SDM 3A "Privileged Instructions".
 */
#include "cpu/exec_parts.h"
#include "cpu/real.h"

static bool mode64_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_64, cpu_64(c), cpu_rip(c), c->seg[SEG_CS].attr, c->efer, 0);
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
    if (s != STEP_NEXT) return s;
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

/** CLFLUSH, CLFLUSHOPT, CLWB - judged as a load of one byte, which may lie in an execute-only segment.
 *  SDM 2A "CLFLUSH". */
OP(clflush)
{
    if (!mem_probe_flush(c, (enum seg)o->seg, ea(c, o))) return STEP_FAULT;
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

/** CPUID - CPL > 0 while MSR_MISC_FEATURES_ENABLES[0]=1 (CPUID faulting): #GP(0). SDM 4. */
OP(cpuid)
{
    uint32_t out[4];
    bool ok = c->cpl == 0 || !(c->misc_features & 1);

    if (!check(c, RS_RULE_INSN_CPUID, ok, cpu_rip(c), c->cpl, c->misc_features, 0)) return STEP_FAULT;
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
