/*
 * bits.h - the manuals' bit positions: RFLAGS, control registers, EFER, page-table entries,
 * descriptors, error codes, vectors. Data only: no behaviour, no state.
 * Manual: SDM 3A "Control Registers", "Paging", "Segment Descriptors", "Page-Fault Exceptions".
 */
#ifndef ARCH_BITS_H
#define ARCH_BITS_H

#include <stdint.h>

/* RFLAGS. SDM 1 "EFLAGS Register".
 *  21 20  19  18 17 16 | 14 13:12 11 10 9 8 | 7  6  4  2  0
 *  ID VIP VIF AC VM RF | NT IOPL  OF DF IF TF SF ZF AF PF CF */
#define RF_CF (1u << 0)
#define RF_ONE (1u << 1)
#define RF_PF (1u << 2)
#define RF_AF (1u << 4)
#define RF_ZF (1u << 6)
#define RF_SF (1u << 7)
#define RF_TF (1u << 8)
#define RF_IF (1u << 9)
#define RF_DF (1u << 10)
#define RF_OF (1u << 11)
#define RF_IOPL (3u << 12)
#define RF_IOPL_SHIFT 12
#define RF_NT (1u << 14)
#define RF_RF (1u << 16)
#define RF_VM (1u << 17)
#define RF_AC (1u << 18)
#define RF_VIF (1u << 19)
#define RF_VIP (1u << 20)
#define RF_ID (1u << 21)
#define RF_ARITH (RF_CF | RF_PF | RF_AF | RF_ZF | RF_SF | RF_OF)
/* every bit that can be 1; the others read as 0 (bit 1 as 1) */
#define RF_DEFINED 0x003f7fd5u

/* CR0 */
#define CR0_PE (1u << 0)
#define CR0_MP (1u << 1)
#define CR0_EM (1u << 2)
#define CR0_TS (1u << 3)
#define CR0_ET (1u << 4)
#define CR0_NE (1u << 5)
#define CR0_WP (1u << 16)
#define CR0_AM (1u << 18)
#define CR0_NW (1u << 29)
#define CR0_CD (1u << 30)
#define CR0_PG (1u << 31)

/* CR3 */
#define CR3_PWT (1u << 3)
#define CR3_PCD (1u << 4)
#define CR3_PCID 0xfffu
#define CR3_NOFLUSH (1ull << 63)

/* CR4 */
#define CR4_VME (1u << 0)
#define CR4_PVI (1u << 1)
#define CR4_TSD (1u << 2)
#define CR4_DE (1u << 3)
#define CR4_PSE (1u << 4)
#define CR4_PAE (1u << 5)
#define CR4_MCE (1u << 6)
#define CR4_PGE (1u << 7)
#define CR4_PCE (1u << 8)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP (1u << 11)
#define CR4_LA57 (1u << 12)
#define CR4_VMXE (1u << 13)
#define CR4_SMXE (1u << 14)
#define CR4_FSGSBASE (1u << 16)
#define CR4_PCIDE (1u << 17)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)
#define CR4_PKE (1u << 22)
#define CR4_CET (1u << 23)
#define CR4_PKS (1u << 24)

/* IA32_EFER. SDM 4 "IA32_EFER" */
#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NXE (1u << 11)
#define EFER_LMSLE (1u << 13) /* AMD */

/* Page-table entries, 4-level and PAE. SDM 3A "4-Level Paging and 5-Level Paging".
 *  63 62:59  58:52 51:M   M-1:12   11:9 8 7      6 5 4   3   2   1   0
 *  XD PK     ign   rsvd=0 address  ign  G PS/PAT D A PCD PWT U/S R/W P */
#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_PAT_LARGE (1ull << 12)
#define PTE_XD (1ull << 63)
#define PTE_ADDR 0x000ffffffffff000ull

/* Page-fault error code. SDM 3A "Page-Fault Exceptions" */
#define PFEC_P (1u << 0)
#define PFEC_W (1u << 1)
#define PFEC_U (1u << 2)
#define PFEC_RSVD (1u << 3)
#define PFEC_I (1u << 4)
#define PFEC_PK (1u << 5)
#define PFEC_SS (1u << 6)

/* Selector error code: EXT, IDT, TI, index. SDM 3A "Error Code" */
#define SELEC_EXT 1u
#define SELEC_IDT 2u
#define SELEC_TI 4u

/* Vectors. SDM 3A "Protected-Mode Exceptions and Interrupts" */
enum vector {
    VEC_DE = 0,
    VEC_DB = 1,
    VEC_NMI = 2,
    VEC_BP = 3,
    VEC_OF = 4,
    VEC_BR = 5,
    VEC_UD = 6,
    VEC_NM = 7,
    VEC_DF = 8,
    VEC_TS = 10,
    VEC_NP = 11,
    VEC_SS = 12,
    VEC_GP = 13,
    VEC_PF = 14,
    VEC_MF = 16,
    VEC_AC = 17,
    VEC_MC = 18,
    VEC_XM = 19,
    VEC_VE = 20,
    VEC_CP = 21
};

/* Segment attributes as bits 8..23 of a descriptor's second dword, shifted right by 8:
 *  15 14  13 12  11:8     7 6:5 4 3:0
 *  G  D/B L  AVL (limit)  P DPL S type
 * bits 11:8 are kept 0; ATTR_UNUSABLE is ours (a null or never loaded segment). */
#define ATTR_TYPE 0x000fu
#define ATTR_ACCESSED 0x0001u
#define ATTR_RW 0x0002u /* data: writable; code: readable */
#define ATTR_EC 0x0004u /* data: expand-down; code: conforming */
#define ATTR_CODE 0x0008u
#define ATTR_S 0x0010u
#define ATTR_DPL 0x0060u
#define ATTR_DPL_SHIFT 5
#define ATTR_P 0x0080u
#define ATTR_UNUSABLE 0x0100u
#define ATTR_AVL 0x1000u
#define ATTR_L 0x2000u
#define ATTR_DB 0x4000u
#define ATTR_G 0x8000u

/* System descriptor types. SDM 3A "System Descriptor Types" */
enum systype {
    SYS_TSS16 = 1,
    SYS_LDT = 2,
    SYS_TSS16_BUSY = 3,
    SYS_CALL16 = 4,
    SYS_TASK = 5,
    SYS_INT16 = 6,
    SYS_TRAP16 = 7,
    SYS_TSS = 9,
    SYS_TSS_BUSY = 11,
    SYS_CALL = 12,
    SYS_INT = 14,
    SYS_TRAP = 15
};

/* DR6/DR7. SDM 3B "Debug Registers" */
#define DR6_FIXED 0xffff0ff0ull
#define DR6_B 0xfu /* B0 to B3 */
#define DR6_BD (1u << 13)
#define DR6_BS (1u << 14)
#define DR6_BT (1u << 15)
#define DR7_FIXED 0x400ull
#define DR7_GD (1u << 13)
#define DEBUGCTL_BTF (1u << 1) /* single-step on branches */

/* IA32_MCG_STATUS. SDM 3B "IA32_MCG_STATUS MSR" */
#define MCG_RIPV 1u
#define MCG_MCIP (1u << 2)

/* MSR numbers. SDM 4 */
enum msr {
    MSR_TSC = 0x10,
    MSR_PLATFORM_ID = 0x17,
    MSR_APIC_BASE = 0x1b,
    MSR_FEATURE_CONTROL = 0x3a,
    MSR_TSC_ADJUST = 0x3b,
    MSR_BIOS_SIGN_ID = 0x8b,
    MSR_PLATFORM_INFO = 0xce,
    MSR_MTRRCAP = 0xfe,
    MSR_MISC_FEATURES = 0x140, /* MSR_MISC_FEATURES_ENABLES */
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MISC_ENABLE = 0x1a0,
    MSR_DEBUGCTL = 0x1d9,
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_TSC_DEADLINE = 0x6e0,
    MSR_X2APIC_FIRST = 0x800,
    MSR_X2APIC_LAST = 0x8ff
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u
/* IA32_MISC_ENABLE */
#define MISC_LIMIT_CPUID (1u << 22)
#define MISC_XD_OFF (1ull << 34)
/* AMD. APM 2 "Model-Specific Registers" */
#define MSR_SYSCFG 0xc0010010u
#define MSR_HWCR 0xc0010015u
#define MSR_NB_CFG 0xc001001fu
#define MSR_INT_PENDING 0xc0010055u
#define MSR_DE_CFG 0xc0011029u

#endif
