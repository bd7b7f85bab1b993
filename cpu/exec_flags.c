/*
 * exec_flags.c - flags moved and set: PUSHF POPF LAHF SAHF, CLC STC CMC, CLD STD, CLI STI, CLAC STAC.
 * Manual: SDM 1 "EFLAGS Register"; SDM 2, per instruction.
 */
#include "cpu/real.h"

/* ---- PUSHF, POPF ------------------------------------------------------------------------------------- */

/** PUSHF - VM and RF read as 0. Outside virtual-8086 mode it is never refused. SDM 2B "PUSHF". */
static enum step pushf(struct cpu *c, unsigned size)
{
    if (cpu_v86(c)) return v86_pushf(c, size);
    uint64_t image = flags_get(c) & ~(uint64_t)(RF_VM | RF_RF);

    return stack_push(c, size, image) ? STEP_NEXT : STEP_FAULT;
}

OP(pushf16)
{
    return pushf(c, 2);
}
OP(pushf32)
{
    return pushf(c, 4);
}
OP(pushf64)
{
    return pushf(c, 8);
}

/**
 * popf_mask - the flags that POPF may change at this CPL and IOPL. Pure.
 * IOPL only at CPL 0; IF only at CPL <= IOPL; VM, VIF, VIP never; RF always becomes 0.
 * Manual: SDM 2B "POPF/POPFD/POPFQ", Table "Effect of POPF/POPFD/POPFQ on the EFLAGS Register".
 */
static uint64_t popf_mask(unsigned cpl, unsigned iopl, unsigned size)
{
    uint64_t mask = RF_ARITH | RF_TF | RF_DF | RF_NT;

    if (size > 2) mask |= RF_AC | RF_ID;
    if (cpl <= iopl) mask |= RF_IF;
    if (cpl == 0) mask |= RF_IOPL;
    return mask;
}

static enum step popf(struct cpu *c, unsigned size)
{
    uint64_t image, mask = popf_mask(c->cpl, cpu_iopl(c), size), old = flags_get(c);

    if (cpu_v86(c)) return v86_popf(c, size);
    if (!stack_pop(c, size, &image)) return STEP_FAULT;
    flags_put(c, ((old & ~mask) | (image & mask)) & ~(uint64_t)RF_RF);
    if ((old ^ c->flags) & (RF_AC | RF_IOPL)) cpu_mode_changed(c);
    return STEP_END;
}

OP(popf16)
{
    return popf(c, 2);
}
OP(popf32)
{
    return popf(c, 4);
}
OP(popf64)
{
    return popf(c, 8);
}

/* ---- AH ------------------------------------------------------------------------------------------------- */

#define AH_FLAGS (RF_SF | RF_ZF | RF_AF | RF_PF | RF_CF)

/* Outside 64-bit mode every processor has them. */
static bool ah_check(struct cpu *c)
{
    return check(c, RS_RULE_INSN_UNDEFINED, !cpu_64(c) || cpu_has(c, FEAT_LAHF), 0, 0, 0, 0);
}

OP(lahf)
{
    if (!ah_check(c)) return STEP_FAULT;
    uint64_t ah = (fl_get(c) & AH_FLAGS) | RF_ONE;

    c->gpr[R_RAX] = (c->gpr[R_RAX] & ~0xff00ull) | ah << 8;
    return STEP_NEXT;
}

OP(sahf)
{
    if (!ah_check(c)) return STEP_FAULT;
    uint64_t ah = c->gpr[R_RAX] >> 8 & AH_FLAGS;

    fl_put(c, ah | (fl_of(c) ? RF_OF : 0));
    return STEP_NEXT;
}

/* ---- one flag --------------------------------------------------------------------------------------------- */

OP(clc)
{
    fl_set_cf(c, false);
    return STEP_NEXT;
}

OP(stc)
{
    fl_set_cf(c, true);
    return STEP_NEXT;
}

OP(cmc)
{
    fl_set_cf(c, !fl_cf(c));
    return STEP_NEXT;
}

OP(cld)
{
    c->flags &= ~(uint64_t)RF_DF;
    return STEP_NEXT;
}

OP(std)
{
    c->flags |= RF_DF;
    return STEP_NEXT;
}

/* CPL 3 > IOPL with CR4.PVI=1: VIF stands for IF. */
static bool pvi(const struct cpu *c) { return c->cpl == 3 && cpu_iopl(c) < 3 && (c->cr4 & CR4_PVI); }

/** CLI - CPL > IOPL: #GP(0). SDM 2A "CLI". */
OP(cli)
{
    if (cpu_v86(c)) return v86_cli(c);
    if (pvi(c)) return pvi_cli(c);
    if (!priv_cli(c)) return STEP_FAULT;
    c->flags &= ~(uint64_t)RF_IF;
    return STEP_NEXT;
}

/** STI - CPL > IOPL: #GP(0). Interrupts are held off for one more instruction if IF was 0. SDM 2B "STI". */
OP(sti)
{
    if (cpu_v86(c)) return v86_sti(c);
    if (pvi(c)) return pvi_sti(c);
    if (!priv_cli(c)) return STEP_FAULT;
    if (!(c->flags & RF_IF)) c->shadow |= SHADOW_STI;
    c->flags |= RF_IF;
    return STEP_END;
}

/** STAC, CLAC - CPL > 0: #UD. SDM 2B "STAC", 2A "CLAC". */
static enum step put_ac(struct cpu *c, uint64_t ac)
{
    if (!check(c, RS_RULE_INSN_AC_CPL, priv_cpl0_judge(c->cpl), cpu_rip(c), c->cpl, 0, 0))
        return STEP_FAULT;
    c->flags = (c->flags & ~(uint64_t)RF_AC) | ac;
    cpu_mode_changed(c);
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_STAC_CLAC);
    return STEP_END;
}

OP(stac)
{
    return put_ac(c, RF_AC);
}
OP(clac)
{
    return put_ac(c, 0);
}
