/*
 * hash.c - the state hash: XXH3-128 over what the guest could ever see, in canonical form.
 *
 * In it: time, registers with flags materialised, segments, system registers and MSRs, FP and XMM,
 * what the core holds back (interrupt shadow, halt, NMI), the modelled TLB, the local APIC, every
 * chip, alarms, inputs that wait, RAM. Not in it: filter, blocks, logs, the ledger, limits,
 * breakpoints, observers. Every number goes in as 8 little-endian bytes.
 */
#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif

#include <stdio.h>
#include <xxhash.h>

#include "cpu/lapic.h"
#include "emu/machine.h"

static void feed(void *state, const void *bytes, size_t n) { XXH3_128bits_update(state, bytes, n); }

static void number(XXH3_state_t *h, uint64_t value)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
    feed(h, bytes, sizeof bytes);
}

static void hash_core(XXH3_state_t *h, const struct cpu *c)
{
    const uint64_t words[] = {
        c->ticks, c->insns, c->gpr[R_RIPBASE], flags_get(c), c->cpl, c->shadow, c->halted, c->nmi_blocked,
        c->nmi_pending, c->mc_pending, c->init_pending, c->mcg_status, c->trap_pending, c->in_df,
        c->cr0, c->cr2, c->cr3, c->cr4, c->efer, c->xcr0,
        c->gdtr.base, c->gdtr.limit, c->idtr.base, c->idtr.limit,
        c->star, c->lstar, c->cstar, c->fmask, c->kernel_gs_base,
        c->sysenter_cs, c->sysenter_esp, c->sysenter_eip,
        c->pat, c->tsc_aux, c->misc_enable, c->debugctl, (uint64_t)c->tsc_offset, c->tsc_adjust,
        c->misc_features, c->hwcr, c->nb_cfg, c->de_cfg,
        c->mmu.a20_mask, c->rep_paid, c->rep_paid ? c->rep_rem : 0,
    };

    for (unsigned i = R_RAX; i <= R_R15; i++) number(h, c->gpr[i]);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) number(h, words[i]);
    for (unsigned i = 0; i < 8; i++) number(h, c->dr[i]);
    for (unsigned i = 0; i < 4; i++) number(h, c->pdpte[i]);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        number(h, c->seg[i].sel);
        number(h, c->seg[i].attr);
        number(h, c->seg[i].limit);
        number(h, c->seg[i].base);
    }
}

static void hash_fp(XXH3_state_t *h, const struct cpu *c)
{
    for (unsigned i = 0; i < 16; i++) feed(h, c->xmm[i].u8, 16);
    for (unsigned i = 0; i < 8; i++) feed(h, c->x87.st[i], 10);
    const uint64_t words[] = {c->mxcsr, c->x87.cw, c->x87.sw, c->x87.tag, c->x87.fop, c->x87.fip, c->x87.fdp};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) number(h, words[i]);
}

static void hash_waiting(XXH3_state_t *h, const rs_machine *m)
{
    for (unsigned i = 0; i < SCHED_SOURCES; i++) number(h, m->sched.s.when[i]);
    for (const struct input *in = m->inputs; in; in = in->next) {
        number(h, in->tick);
        number(h, in->channel);
        number(h, in->rest);
        number(h, in->size);
        feed(h, in->bytes, in->size);
    }
}

bool machine_hash(rs_machine *m, char out[33])
{
    XXH3_state_t *h = XXH3_createState();
    struct hash_sink sink = {h, feed};
    uint64_t ram[2];

    if (!h) return false;
    XXH3_128bits_reset(h);
    hash_core(h, &m->cpu);
    hash_fp(h, &m->cpu);
    mmu_hash_state(&m->cpu.mmu, h, feed);
    lapic_hash(m->cpu.lapic, h, feed);
    board_hash_state(&m->board, &sink);
    hash_waiting(h, m);
    mmu_drop_filter(&m->cpu.mmu); /* later stores mark their pages dirty again */
    ram_hash(&m->ram, ram);
    number(h, ram[0]);
    number(h, ram[1]);
    if (m->ram.rom) feed(h, m->ram.rom, m->ram.rom_size);

    XXH128_hash_t digest = XXH3_128bits_digest(h);

    XXH3_freeState(h);
    snprintf(out, 33, "%016llx%016llx", (unsigned long long)digest.high64, (unsigned long long)digest.low64);
    return true;
}
