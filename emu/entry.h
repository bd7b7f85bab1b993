/*
 * entry.h - the CPU states in which images are entered.
 */
#ifndef EMU_ENTRY_H
#define EMU_ENTRY_H

#include "cpu/cpu.h"

#define ENTRY_CODE 0x08u /* selectors of the flat code and data segments */
#define ENTRY_DATA 0x10u
/** Bytes that entry_long64 writes at its `tables`: PML4, PDPT, four page directories, the GDT. */
#define ENTRY_TABLES_SIZE (7 * 4096u)
/** RSP and ESP at entry: below the PC's extended BIOS data area, far from what loaders put low. */
#define ENTRY_STACK_LONG64 0x9f000u
#define ENTRY_STACK_PROT32 0x7ff00u
/** SP where a PC's firmware has it for a boot sector, and the disk's number it hands over in DL. */
#define ENTRY_STACK_REAL16 0x7c00u
#define ENTRY_DRIVE_REAL16 0x80u
#define ENTRY_REAL16_LAST 0xfffffu

/** Flat 32-bit protected mode, paging off, interrupts off, A20 open. GDTR and IDTR are empty, as the
 *  Multiboot specification allows (boot_multiboot sets IDTR). Manual: Multiboot Specification 0.6.96 "Machine state". */
void entry_prot32(struct cpu *c, uint32_t entry);
/** Real-address mode, interrupts off, A20 open: CS:IP = entry, which lies below 1 MiB; the interrupt
 *  vector table at 0. */
void entry_real16(struct cpu *c, uint32_t entry);
/** 64-bit mode, CPL 0, interrupts off: CR0 = PG|ET|PE, CR4 = PAE, EFER = LME|LMA (no SCE, no NXE);
 *  supervisor 2-MByte pages map the first 4 GiB to themselves; a GDT with flat 64-bit code (8) and
 *  data (16) segments. */
void entry_long64(struct cpu *c, uint64_t entry, uint64_t tables);

#endif
