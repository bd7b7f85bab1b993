/*
 * log_names.c - words for the numbers in events. Every function answers for every argument.
 */
#include "arch/bits.h"
#include "arch/ports.h"
#include "cpu/state.h"
#include "emu/log.h"
#include "mmu/mmu.h"

#include <stdio.h>

#define PICK(names, i) ((i) < sizeof(names) / sizeof *(names) && (names)[i] ? (names)[i] : "?")

const char *name_access(unsigned kind)
{
    static const char *const names[] = {[RS_READ] = "read", [RS_WRITE] = "write", [RS_FETCH] = "fetch"};
    return PICK(names, kind);
}

const char *name_table(unsigned level)
{
    static const char *const names[] = {NULL, "PT", "PD", "PDPT", "PML4", "PML5"};
    return PICK(names, level);
}

const char *name_fault_class(unsigned klass)
{
    static const char *const names[] = {
        [FC_FAULT] = "fault",   [FC_TRAP] = "trap",         [FC_SOFT] = "software",
        [FC_ICEBP] = "icebp",   [FC_EXTERNAL] = "external", [FC_NMI] = "nmi"};
    return PICK(names, klass);
}

const char *name_flush(unsigned reason)
{
    static const char *const names[] = {
        [FLUSH_CR3] = "MOV CR3",    [FLUSH_CR4] = "MOV CR4",     [FLUSH_CR0] = "MOV CR0",
        [FLUSH_EFER] = "EFER",      [FLUSH_INVLPG] = "INVLPG",   [FLUSH_INVPCID] = "INVPCID",
        [FLUSH_PF] = "#PF",         [FLUSH_RESET] = "reset"};
    return PICK(names, reason);
}

const char *name_device(unsigned device)
{
    static const char *const names[] = {
#define DEVICE(chip, name, bus, base, size, irq, unit) #name,
#define ALSO(name, bus, base, size, reg)
#include "emu/board.def"
#undef DEVICE
#undef ALSO
    };
    return PICK(names, device);
}

const char *name_request(unsigned what)
{
    static const char *const names[] = {
        [REQ_GUEST_EXIT] = "guest exit",   [REQ_POWER_OFF] = "power off", [REQ_RESET] = "reset",
        [REQ_GUEST_PANIC] = "guest panic", [REQ_A20] = "A20 gate"};
    return PICK(names, what);
}

const char *name_segment(unsigned seg)
{
    static const char *const names[] = {"ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR"};
    return PICK(names, seg);
}

const char *name_msr(uint32_t msr)
{
    static const struct {
        uint32_t msr;
        const char *name;
    } names[] = {{MSR_TSC, "IA32_TIME_STAMP_COUNTER"},
                 {MSR_APIC_BASE, "IA32_APIC_BASE"},
                 {MSR_FEATURE_CONTROL, "IA32_FEATURE_CONTROL"},
                 {MSR_TSC_ADJUST, "IA32_TSC_ADJUST"},
                 {MSR_BIOS_SIGN_ID, "IA32_BIOS_SIGN_ID"},
                 {MSR_MTRRCAP, "IA32_MTRRCAP"},
                 {MSR_SYSENTER_CS, "IA32_SYSENTER_CS"},
                 {MSR_SYSENTER_ESP, "IA32_SYSENTER_ESP"},
                 {MSR_SYSENTER_EIP, "IA32_SYSENTER_EIP"},
                 {MSR_MCG_CAP, "IA32_MCG_CAP"},
                 {MSR_MCG_STATUS, "IA32_MCG_STATUS"},
                 {MSR_MISC_ENABLE, "IA32_MISC_ENABLE"},
                 {MSR_DEBUGCTL, "IA32_DEBUGCTL"},
                 {MSR_PAT, "IA32_PAT"},
                 {MSR_MTRR_DEF_TYPE, "IA32_MTRR_DEF_TYPE"},
                 {MSR_TSC_DEADLINE, "IA32_TSC_DEADLINE"},
                 {MSR_EFER, "IA32_EFER"},
                 {MSR_STAR, "IA32_STAR"},
                 {MSR_LSTAR, "IA32_LSTAR"},
                 {MSR_CSTAR, "IA32_CSTAR"},
                 {MSR_FMASK, "IA32_FMASK"},
                 {MSR_FS_BASE, "IA32_FS_BASE"},
                 {MSR_GS_BASE, "IA32_GS_BASE"},
                 {MSR_KERNEL_GS_BASE, "IA32_KERNEL_GS_BASE"},
                 {MSR_TSC_AUX, "IA32_TSC_AUX"}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].msr == msr) return names[i].name;
    return NULL;
}

const char *name_cr_bit(unsigned cr, unsigned bit)
{
    static const char *const cr0[32] = {[0] = "PE",  [1] = "MP",  [2] = "EM",  [3] = "TS",
                                        [4] = "ET",  [5] = "NE",  [16] = "WP", [18] = "AM",
                                        [29] = "NW", [30] = "CD", [31] = "PG"};
    static const char *const cr4[32] = {
        [0] = "VME",        [1] = "PVI",     [2] = "TSD",   [3] = "DE",        [4] = "PSE",
        [5] = "PAE",        [6] = "MCE",     [7] = "PGE",   [8] = "PCE",       [9] = "OSFXSR",
        [10] = "OSXMMEXCPT", [11] = "UMIP",  [12] = "LA57", [13] = "VMXE",     [14] = "SMXE",
        [16] = "FSGSBASE",  [17] = "PCIDE",  [18] = "OSXSAVE", [20] = "SMEP",  [21] = "SMAP",
        [22] = "PKE",       [23] = "CET",    [24] = "PKS"};

    if (bit >= 32) return NULL;
    return cr == 0 ? cr0[bit] : cr == 4 ? cr4[bit] : NULL;
}

struct packed_fault unpack_fault(uint64_t word)
{
    return (struct packed_fault){(unsigned)(word & 0xff), (uint32_t)(word >> 8), (word >> 40 & 1) != 0};
}

struct packed_levels unpack_levels(uint64_t word)
{
    return (struct packed_levels){.from = (unsigned)(word & 0xff),
                                  .to = (unsigned)(word >> 8 & 0xff),
                                  .inward = (word >> 16 & 1) != 0,
                                  .idt = (word >> 22 & 1) != 0,
                                  .trap_gate = (word >> 20 & 1) != 0,
                                  .rsp = (word >> 21 & 1) != 0,
                                  .ist = (unsigned)(word >> 17 & 7),
                                  .walk = word >> 24 & 0xfffff,
                                  .refill = word >> 44};
}

const char *name_stack(const struct packed_levels *p, char out[8])
{
    if (p->ist) snprintf(out, 8, "IST%u", p->ist & 7);
    else if (p->rsp) snprintf(out, 8, "RSP%u", p->to & 3);
    else snprintf(out, 8, "current");
    return out;
}
