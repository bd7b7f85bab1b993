/*
 * entry.c - put a CPU, just reset, into the state an image expects at its first instruction.
 */
#include "emu/entry.h"

#define ATTR_FLAT_CODE32 (ATTR_G | ATTR_DB | ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_ACCESSED)
#define ATTR_FLAT_CODE64 (ATTR_G | ATTR_L | ATTR_P | ATTR_S | ATTR_CODE | ATTR_RW | ATTR_ACCESSED)
#define ATTR_FLAT_DATA (ATTR_G | ATTR_DB | ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED)
#define ATTR_REAL_DATA (ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED)

#define GDT_CODE64 0x00af9b000000ffffull
#define GDT_DATA 0x00cf93000000ffffull

static void segments_flat(struct cpu *c, uint16_t code_attr)
{
    for (unsigned s = SEG_ES; s <= SEG_GS; s++)
        c->seg[s] = (struct segment){.sel = ENTRY_DATA, .attr = ATTR_FLAT_DATA, .limit = 0xffffffffu};
    c->seg[SEG_CS] = (struct segment){.sel = ENTRY_CODE, .attr = code_attr, .limit = 0xffffffffu};
}

static void start(struct cpu *c, uint64_t entry, uint64_t stack)
{
    for (unsigned r = R_RAX; r <= R_R15; r++) c->gpr[r] = 0;
    c->gpr[R_RSP] = stack;
    c->gpr[R_RIPBASE] = entry;
    flags_put(c, RF_ONE);
    c->mmu.a20_mask = ~0ull;
    cpu_set_cpl(c, 0);
    cpu_mode_changed(c);
    mmu_write_cr3(&c->mmu, c->cr3, false);
}

void entry_prot32(struct cpu *c, uint32_t entry)
{
    c->cr0 = CR0_PE | CR0_ET;
    c->cr3 = c->cr4 = c->efer = 0;
    c->gdtr = c->idtr = (struct table_reg){0, 0};
    segments_flat(c, ATTR_FLAT_CODE32);
    start(c, entry, ENTRY_STACK_PROT32);
}

void entry_real16(struct cpu *c, uint32_t entry)
{
    uint16_t cs = entry >> 4 & 0xf000;

    c->cr0 = CR0_ET;
    c->cr3 = c->cr4 = c->efer = 0;
    c->gdtr = (struct table_reg){0, 0};
    c->idtr = (struct table_reg){0, 0x3ff};
    for (unsigned s = SEG_ES; s <= SEG_GS; s++) c->seg[s] = (struct segment){.attr = ATTR_REAL_DATA, .limit = 0xffff};
    c->seg[SEG_CS] = (struct segment){
        .sel = cs, .attr = ATTR_REAL_DATA | ATTR_CODE, .limit = 0xffff, .base = (uint32_t)cs << 4};
    start(c, entry & 0xffff, ENTRY_STACK_REAL16);
    c->gpr[R_RDX] = ENTRY_DRIVE_REAL16;
}

void entry_long64(struct cpu *c, uint64_t entry, uint64_t tables)
{
    uint64_t pdpt = tables + 4096, pd = tables + 2 * 4096, gdt = tables + 6 * 4096;

    ram_write64(c->ram, tables, pdpt | PTE_W | PTE_P);
    for (unsigned i = 0; i < 4; i++) ram_write64(c->ram, pdpt + 8 * i, (pd + 4096 * i) | PTE_W | PTE_P);
    for (uint64_t i = 0; i < 2048; i++) ram_write64(c->ram, pd + 8 * i, i << 21 | PTE_PS | PTE_W | PTE_P);
    ram_write64(c->ram, gdt, 0);
    ram_write64(c->ram, gdt + ENTRY_CODE, GDT_CODE64);
    ram_write64(c->ram, gdt + ENTRY_DATA, GDT_DATA);

    c->cr0 = CR0_PG | CR0_ET | CR0_PE;
    c->cr3 = tables;
    c->cr4 = CR4_PAE;
    c->efer = EFER_LME | EFER_LMA;
    c->gdtr = (struct table_reg){gdt, 23};
    c->idtr = (struct table_reg){0, 0};
    segments_flat(c, ATTR_FLAT_CODE64);
    start(c, entry, ENTRY_STACK_LONG64);
}
