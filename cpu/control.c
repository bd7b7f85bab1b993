/*
 * control.c - CR0, CR2, CR3, CR4, CR8, EFER: what may be written, and what
 * hangs on it. What the MMU must forget at a change it works out itself from the new environment
 * (cpu_mode_changed) and from mmu_write_cr3.
 * Manual: SDM 3A "Control Registers", "Extended Feature Enable Register", "Initializing IA-32e Mode";
 * SDM 2B "MOV - Move to/from Control Registers".
 */
#include "cpu/features.h"
#include "cpu/lapic.h"
#include "cpu/protect.h"

#include <string.h>

/* a change of these loads the PDPTE registers */
#define CR4_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)
#define CR0_KNOWN                                                                                  \
    ((uint64_t)(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW |   \
                CR0_CD | CR0_PG))

/* ---- pure judges ----------------------------------------------------------------------------------- */

/**
 * cr0_judge - a new CR0.
 *   1. bits 63:32: #GP(0); other reserved bits are ignored
 *   2. PG without PE; NW without CD: #GP(0)
 *   3. PG cleared in 64-bit mode, or while CR4.PCIDE=1: #GP(0)
 *   4. PG set with EFER.LME=1: needs CR4.PAE=1, CS.L=0, no 16-bit TSS in TR, else #GP(0)
 * Manual: SDM 2B "MOV - Move to/from Control Registers", SDM 3A "Initializing IA-32e Mode".
 */
enum rs_rule cr0_judge(uint64_t value, const struct cr0_inputs *in)
{
    bool set = (value & CR0_PG) && !(in->old & CR0_PG);
    bool clear = !(value & CR0_PG) && (in->old & CR0_PG);
    unsigned tss = attr_system(in->tr_attr);

    if (value >> 32) return RS_RULE_CR0_RSVD;
    if ((value & CR0_PG) && !(value & CR0_PE)) return RS_RULE_CR0_PG_PE;
    if ((value & CR0_NW) && !(value & CR0_CD)) return RS_RULE_CR0_NW_CD;
    if (clear && (in->efer & EFER_LMA) && (in->cs_attr & ATTR_L)) return RS_RULE_CR0_PG_64;
    if (clear && (in->cr4 & CR4_PCIDE)) return RS_RULE_CR0_PG_PCIDE;
    if (!set || !(in->efer & EFER_LME)) return RS_RULE_NONE;
    if (!(in->cr4 & CR4_PAE)) return RS_RULE_CR0_LME_PAE;
    if (in->cs_attr & ATTR_L) return RS_RULE_CR0_LME_CS_L;
    if (tss == SYS_TSS16 || tss == SYS_TSS16_BUSY) return RS_RULE_CR0_LME_TSS;
    return RS_RULE_NONE;
}

/** cr3_judge - bits from MAXPHYADDR up are reserved; bit 63 is a command while CR4.PCIDE=1. */
bool cr3_judge(uint64_t value, unsigned maxphyaddr, bool pcide)
{
    if (pcide) value &= ~CR3_NOFLUSH;
    return value >> maxphyaddr == 0;
}

/**
 * cr4_judge - a new CR4: unknown bits; PAE cleared in IA-32e mode; PCIDE set outside it, or with
 * CR3[11:0] not 0. All #GP(0). Manual: SDM 2B "MOV - Move to/from Control Registers".
 */
enum rs_rule cr4_judge(uint64_t value, uint64_t old, uint64_t known, uint64_t efer, uint64_t cr3)
{
    bool pcide = (value & CR4_PCIDE) && !(old & CR4_PCIDE);

    if (value & ~known) return RS_RULE_CR4_RSVD;
    if ((efer & EFER_LMA) && !(value & CR4_PAE)) return RS_RULE_CR4_PAE_LONG;
    if (pcide && !(efer & EFER_LMA)) return RS_RULE_CR4_PCIDE_LONG;
    if (pcide && (cr3 & CR3_PCID)) return RS_RULE_CR4_PCIDE_CR3;
    return RS_RULE_NONE;
}

/** efer_judge - unknown bits; LME changed while CR0.PG=1. A written LMA is ignored. SDM 4. */
enum rs_rule efer_judge(uint64_t value, uint64_t old, uint64_t known, uint64_t cr0)
{
    if (value & ~(known | EFER_LMA)) return RS_RULE_EFER_RSVD;
    if ((cr0 & CR0_PG) && ((value ^ old) & EFER_LME)) return RS_RULE_EFER_LME_PG;
    return RS_RULE_NONE;
}

/* ---- control registers ------------------------------------------------------------------------------ */

static const uint16_t cr0_rules[] = {RS_RULE_CR0_RSVD,     RS_RULE_CR0_PG_PE,
                                     RS_RULE_CR0_NW_CD,    RS_RULE_CR0_PG_64,
                                     RS_RULE_CR0_PG_PCIDE, RS_RULE_CR0_LME_PAE,
                                     RS_RULE_CR0_LME_CS_L, RS_RULE_CR0_LME_TSS};
static const uint16_t cr4_rules[] = {RS_RULE_CR4_RSVD, RS_RULE_CR4_PAE_LONG, RS_RULE_CR4_PCIDE_LONG,
                                     RS_RULE_CR4_PCIDE_CR3};
static const uint16_t efer_rules[] = {RS_RULE_EFER_RSVD, RS_RULE_EFER_LME_PG};

static void event_cr(struct cpu *c, unsigned cr, uint64_t old, uint64_t new)
{
    if (ev_wanted(c, RS_EV_CR)) ev_emit(c, RS_EV_CR, 0, cr, old, new, 0);
}

/* ---- PDPTE registers ---------------------------------------------------------------------------------- */

/** pdptes_judge - a reserved bit in a PDPTE that is present. SDM 3A "PAE Paging". */
bool pdptes_judge(const uint64_t pdpte[4], unsigned maxphyaddr)
{
    for (unsigned i = 0; i < 4; i++)
        if ((pdpte[i] & PTE_P) && (pdpte[i] & mmu_pdpte_reserved(maxphyaddr))) return false;
    return true;
}

/** pdptes_check - #GP(0) for a reserved bit in what CR3 points to. SDM 3A "PDPTE Registers". */
bool pdptes_check(struct cpu *c, uint64_t cr3, uint64_t pdpte[4])
{
    mmu_pdptes_peek(&c->mmu, cr3, pdpte);
    return check(c, RS_RULE_PDPTE_RSVD, pdptes_judge(pdpte, c->features->maxphyaddr), 3, cr3, c->cr3, 0);
}

void pdptes_load(struct cpu *c, const uint64_t pdpte[4])
{
    memcpy(c->pdpte, pdpte, sizeof c->pdpte);
    c->env_cr0 = UINT64_MAX; /* the MMU's environment is not what it was made from */
}

/* Paging and PAE on outside IA-32e mode, under these values? */
static bool pae_paging(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    return (cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
}

/* ---- writing them --------------------------------------------------------------------------------------- */

static enum step cr0_write(struct cpu *c, uint64_t value)
{
    struct cr0_inputs in = {c->cr0, c->cr4, c->efer, c->seg[SEG_CS].attr, c->seg[SEG_TR].attr};
    uint64_t old = c->cr0;
    uint64_t pdpte[4];
    bool loads = pae_paging(value, c->cr4, c->efer) && ((value ^ old) & (CR0_PG | CR0_CD | CR0_NW));

    if (!CHECKS(c, cr0_rules, cr0_judge(value, &in), 0, value, old, 0)) return STEP_FAULT;
    if (loads && !pdptes_check(c, c->cr3, pdpte)) return STEP_FAULT;
    if (loads) pdptes_load(c, pdpte);
    c->cr0 = (value & CR0_KNOWN) | CR0_ET;
    if ((value & CR0_PG) && (c->efer & EFER_LME)) {
        c->efer |= EFER_LMA;
    } else {
        c->efer &= ~(uint64_t)EFER_LMA;
    }
    event_cr(c, 0, old, c->cr0);
    cpu_mode_changed(c);
    cpu_charge_event(c, RS_CAT_FLUSH, COST_MOV_TO_CR0_CR4);
    return STEP_END;
}

static enum step cr3_write(struct cpu *c, uint64_t value)
{
    bool pcide = (c->cr4 & CR4_PCIDE) != 0, noflush = pcide && (value & CR3_NOFLUSH);
    uint64_t old = c->cr3, pdpte[4];
    bool loads = pae_paging(c->cr0, c->cr4, c->efer);

    if (!check(c, RS_RULE_CR3_RSVD, cr3_judge(value, c->features->maxphyaddr, pcide), 3, value, old,
               0))
        return STEP_FAULT;
    if (loads && !pdptes_check(c, value, pdpte)) return STEP_FAULT;
    c->cr3 = value & ~CR3_NOFLUSH;
    if (loads) {
        pdptes_load(c, pdpte);
        cpu_control_changed(c);
    }
    mmu_write_cr3(&c->mmu, c->cr3, noflush);
    event_cr(c, 3, old, c->cr3);
    cpu_charge_event(c, RS_CAT_FLUSH, noflush ? COST_MOV_TO_CR3_NOFLUSH : COST_MOV_TO_CR3);
    return STEP_END;
}

static enum step cr4_write(struct cpu *c, uint64_t value)
{
    uint64_t old = c->cr4, known = features_cr4(c->features), pdpte[4];
    bool loads = pae_paging(c->cr0, value, c->efer) && ((value ^ old) & CR4_PDPTES);

    if (!CHECKS(c, cr4_rules, cr4_judge(value, old, known, c->efer, c->cr3), 4, value, old, 0))
        return STEP_FAULT;
    if (value & features_cr4_gaps(c->features))
        return gap(c, "a CR4 bit of a feature that is not implemented");
    if (loads && !pdptes_check(c, c->cr3, pdpte)) return STEP_FAULT;
    if (loads) pdptes_load(c, pdpte);
    c->cr4 = value;
    event_cr(c, 4, old, value);
    cpu_mode_changed(c);
    cpu_charge_event(c, RS_CAT_FLUSH, COST_MOV_TO_CR0_CR4);
    return STEP_END;
}

static enum step cr8_write(struct cpu *c, uint64_t value)
{
    uint64_t old = lapic_cr8(c->lapic);

    if (!check(c, RS_RULE_CR8_RSVD, value <= 15, 8, value, old, 0)) return STEP_FAULT;
    lapic_set_cr8(c->lapic, value);
    event_cr(c, 8, old, value);
    return STEP_END;
}

static enum step undefined(struct cpu *c)
{
    (void)check(c, RS_RULE_INSN_UNDEFINED, false, 0, 0, 0, 0);
    return STEP_FAULT;
}

/** cr_write - the value is judged register by register; CR1, CR5-CR7, CR9-CR15 are #UD (CR8 outside 64-bit
 *  mode too). The caller has judged CPL. */
enum step cr_write(struct cpu *c, unsigned cr, uint64_t value)
{
    switch (cr) {
    case 0: return cr0_write(c, value);
    case 2:
        event_cr(c, 2, c->cr2, value);
        c->cr2 = value;
        return STEP_END;
    case 3: return cr3_write(c, value);
    case 4: return cr4_write(c, value);
    case 8: return cr8_write(c, value);
    default: return undefined(c);
    }
}

enum step cr_read(struct cpu *c, unsigned cr, uint64_t *value)
{
    switch (cr) {
    case 0: *value = c->cr0; break;
    case 2: *value = c->cr2; break;
    case 3: *value = c->cr3; break;
    case 4: *value = c->cr4; break;
    case 8: *value = lapic_cr8(c->lapic); break;
    default: return undefined(c);
    }
    return STEP_NEXT;
}

/* ---- EFER ---------------------------------------------------------------------------------------------- */

/* Long-mode segment limits (LMSLE) no model has: CPUID says so. APM 2 "Long Mode Segment Limit Enable". */
static uint64_t efer_known(const struct cpu *c)
{
    uint64_t known = 0;

    if (cpu_has(c, FEAT_SYSCALL)) known |= EFER_SCE;
    if (cpu_has(c, FEAT_LM)) known |= EFER_LME;
    if (cpu_nx(c)) known |= EFER_NXE;
    return known;
}

enum step efer_write(struct cpu *c, uint64_t value)
{
    uint64_t old = c->efer;

    if (!CHECKS(c, efer_rules, efer_judge(value, old, efer_known(c), c->cr0), MSR_EFER, value, old,
                0))
        return STEP_FAULT;
    c->efer = (value & ~(uint64_t)EFER_LMA) | (old & EFER_LMA);
    cpu_mode_changed(c);
    return STEP_END;
}
