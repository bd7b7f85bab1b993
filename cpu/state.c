/*
 * state.c - birth, reset and derived state of a processor.
 * Manual: SDM 3A "Processor State after Reset".
 */
#include <stdlib.h>

#include "cpu/block.h"
#include "cpu/debug.h"
#include "cpu/fast.h"
#include "cpu/interrupts.h"
#include "cpu/lapic.h"

/* Alarm source of the first processor's APIC timer; the board has those below. */
#define SOURCE_LAPIC 16u
/* The APIC timer's clock: core clock / 10 (100 MHz under the teaching profile). */
#define LAPIC_TIMER_TICKS (10 * TICKS_PER_CYCLE)

/* A filter table in which nothing is ever found: what the chain looks into while every access must be
 * judged anew (alignment checks). Never written, since it never hits. */
static const struct filter_slot nothing[FILTER_SLOTS];

#define HWCR_TSC_FREQ_SEL (1u << 24) /* the TSC counts at one rate. APM 2 "HWCR" */

static void lapic_signal_in(void *core, enum lapic_signal what, unsigned value)
{
    struct cpu *c = core;

    (void)value;
    switch (what) {
    case LAPIC_INTR: interrupts_update(c); break;
    case LAPIC_NMI: interrupts_nmi(c); break;
    case LAPIC_INIT: interrupts_init(c); break;
    case LAPIC_STARTUP: break; /* only a processor that waits for SIPI minds: there is one processor */
    }
}

bool cpu_init(struct cpu *c, const struct cpu_config *k)
{
    memset(c, 0, sizeof(*c));
    c->bill = c->no_bill;
    c->ram = k->ram;
    c->features = k->features;
    c->cost = k->cost;
    c->bus = k->bus;
    c->inta = k->inta;
    c->clock = k->clock;
    c->events = k->events;
    c->crossings = k->crossings;
    c->index = (uint8_t)k->index;
    c->block_cap = k->block_cap;
    c->reference = k->reference;
    c->magic_break = k->magic_break;
    c->lapic = calloc(1, sizeof(struct lapic));
    if (c->lapic == NULL || !mmu_init(&c->mmu, k->ram, k->features->geometry)) return false;
    c->env_cr0 = UINT64_MAX; /* no CR0 has this value: the first call sees a change */
    c->mmu.events = k->events;
    c->mmu.filter_off = k->reference;
    c->mmu.prices = (struct mmu_prices){k->cost->event[COST_STLB_HIT], k->cost->event[COST_WALK_BASE],
                                        k->cost->event[COST_WALK_STEP], k->cost->event[COST_WALK_SET_AD]};
    c->decoder = decoder_new();
    if (c->decoder == NULL || !block_cache_init(c)) return false;
    k->ram->code_written = block_code_written;
    k->ram->code_ctx = c;
    struct lapic_wires w = {.core = c,
                            .signal = lapic_signal_in,
                            .clock = k->clock,
                            .absent = !cpu_has(c, FEAT_APIC),
                            .source = SOURCE_LAPIC + k->index,
                            .timer_ticks = LAPIC_TIMER_TICKS};
    lapic_init(c->lapic, k->index, &w);
    return true;
}

void cpu_free(struct cpu *c)
{
    block_cache_free(c);
    mmu_free(&c->mmu);
    free(c->lapic);
    free(c->decoder);
    c->lapic = NULL;
    c->decoder = NULL;
}

void cpu_timer_alarm(struct cpu *c) { lapic_timer_alarm(c->lapic); }

/* registers that RESET and INIT set alike */
static void reset_registers(struct cpu *c)
{
    memset(c->gpr, 0, sizeof(c->gpr));
    c->gpr[R_RDX] = c->features->signature;
    c->gpr[R_RIPBASE] = 0xfff0;
    flags_put(c, RF_ONE);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        c->seg[s] = (struct segment){.limit = 0xffff, .attr = ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED};
    c->seg[SEG_CS] = (struct segment){.sel = 0xf000, .base = 0xffff0000, .limit = 0xffff,
                                      .attr = ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_ACCESSED};
    c->seg[SEG_LDTR].attr = ATTR_P | SYS_LDT;
    c->seg[SEG_TR].attr = ATTR_P | SYS_TSS_BUSY;
    c->gdtr = c->idtr = (struct table_reg){0, 0xffff};
    c->cr0 = (c->cr0 & (CR0_CD | CR0_NW)) | CR0_ET;
    c->cr2 = c->cr3 = c->cr4 = c->efer = 0;
    memset(c->pdpte, 0, sizeof(c->pdpte));
    memset(c->dr, 0, sizeof(c->dr));
    c->dr[6] = DR6_FIXED;
    c->dr[7] = DR7_FIXED;
    c->cpl = 0;
    c->halted = c->nmi_blocked = c->nmi_pending = c->mc_pending = c->init_pending = c->in_df = false;
    c->shadow = 0;
    c->trap_pending = 0;
    c->debug_hit = 0;
    debug_changed(c);
    c->rep_paid = false;
    c->step_block = NULL;
    c->link_from = NULL;
    c->cur = NULL;
}

void cpu_reset(struct cpu *c)
{
    c->cr0 = CR0_CD | CR0_NW;
    reset_registers(c);
    c->star = c->lstar = c->cstar = c->fmask = c->kernel_gs_base = 0;
    c->sysenter_cs = c->sysenter_esp = c->sysenter_eip = 0;
    c->pat = 0x0007040600070406ull;
    c->tsc_aux = c->misc_enable = c->debugctl = c->mcg_status = 0;
    c->misc_features = c->nb_cfg = c->de_cfg = 0;
    c->hwcr = c->features->family >= 0x10 ? HWCR_TSC_FREQ_SEL : 0;
    c->tsc_offset = 0;
    c->tsc_adjust = 0;
    c->xcr0 = 1;
    memset(c->xmm, 0, sizeof(c->xmm));
    c->mxcsr = 0x1f80;
    memset(&c->x87, 0, sizeof(c->x87));
    c->x87.cw = 0x40;
    lapic_reset(c->lapic);
    block_flush(c);
    mmu_flush_all(&c->mmu, FLUSH_RESET);
    mmu_write_cr3(&c->mmu, 0, false);
    cpu_mode_changed(c);
    interrupts_update(c);
}

/* INIT, at a boundary: MSRs, FP state and the TSC stay. SDM 3A "Processor State After Reset". */
void cpu_init_signal(struct cpu *c)
{
    if (c->cpl) cpu_set_cpl(c, 0); /* the books: whose the time has been */
    reset_registers(c);
    lapic_init_signal(c->lapic);
    mmu_flush_all(&c->mmu, FLUSH_RESET);
    mmu_write_cr3(&c->mmu, 0, false);
    cpu_mode_changed(c);
}

static struct mmu_env environment(const struct cpu *c)
{
    const uint64_t *p = c->pdpte;

    return (struct mmu_env){.pdpte = {p[0], p[1], p[2], p[3]},
                            .paging = (c->cr0 & CR0_PG) != 0,
                            .wp = (c->cr0 & CR0_WP) != 0,
                            .pae = (c->cr4 & CR4_PAE) != 0,
                            .pse = (c->cr4 & CR4_PSE) != 0,
                            .lma = (c->efer & EFER_LMA) != 0,
                            .nxe = (c->efer & EFER_NXE) != 0,
                            .smep = (c->cr4 & CR4_SMEP) != 0,
                            .smap = (c->cr4 & CR4_SMAP) != 0,
                            .pge = (c->cr4 & CR4_PGE) != 0,
                            .pcide = (c->cr4 & CR4_PCIDE) != 0,
                            .pages_1g = cpu_has(c, FEAT_PDPE1GB),
                            .pse36 = cpu_has(c, FEAT_PSE36),
                            .maxphyaddr = c->features->maxphyaddr};
}

static enum filter_context filter_context(const struct cpu *c)
{
    if (c->cpl == 3) return FILTER_USER;
    return c->flags & RF_AC ? FILTER_SUP_AC : FILTER_SUP;
}

static bool control_same(const struct cpu *c)
{
    return c->cr0 == c->env_cr0 && c->cr4 == c->env_cr4 && c->efer == c->env_efer;
}

/* CR0, CR4 or EFER have changed. */
__attribute__((noinline)) static void control_follow(struct cpu *c)
{
    struct mmu_env env;

    if ((c->cr4 ^ c->env_cr4) & CR4_DE) debug_changed(c);
    c->env_cr0 = c->cr0;
    c->env_cr4 = c->cr4;
    c->env_efer = c->efer;
    env = environment(c);
    if (memcmp(&env, &c->mmu.env, sizeof(env)) != 0) mmu_set_env(&c->mmu, &env);
}

void cpu_control_changed(struct cpu *c)
{
    if (!control_same(c)) control_follow(c);
}

void cpu_mode_changed(struct cpu *c)
{
    struct filter *f = &c->mmu.filter;
    enum filter_context k = filter_context(c);
    bool align = c->cpl == 3 && (c->flags & RF_AC) && (c->cr0 & CR0_AM);

    c->ctx = decode_context(c);
    if (UNLIKELY(!control_same(c))) control_follow(c);
    c->rd = align ? (struct filter_slot *)(uintptr_t)nothing : f->rd[k];
    c->wr = align ? (struct filter_slot *)(uintptr_t)nothing : f->wr[k];
    c->fetch = f->fetch[c->cpl == 3 ? 0 : 1];
}

void cpu_set_cpl(struct cpu *c, unsigned cpl)
{
    uint64_t now = cpu_now(c);

    c->ring_ticks[c->cpl] += now - c->ring_since;
    c->ring_since = now;
    c->cpl = (uint8_t)cpl;
}
