/*
 * test_system.c - privileged instructions, control and debug registers, MSRs, system calls, ports: both
 * verdicts of their rules, by guest code through rs_run, on both engines.
 */
#include "tests/cpu/both.h"

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);
    at_level(r, cpl);
    return r;
}

static void again(struct ring *r, unsigned cpl) { at_level(r, cpl); }

/* ---- privilege ------------------------------------------------------------------------------------------------ */

BOTH(checks_86_privileged_instructions_are_refused_before_any_operand_check)
{
    static const struct {
        uint8_t bytes[4], n;
    } list[] = {{{0xf4}, 1},              /* HLT */
                {{0x0f, 0x22, 0xd8}, 3},  /* MOV CR3, RAX */
                {{0x0f, 0x20, 0xc0}, 3},  /* MOV RAX, CR0 */
                {{0x0f, 0x23, 0xf8}, 3},  /* MOV DR7, RAX */
                {{0x0f, 0x01, 0x10}, 3},  /* LGDT [RAX]: RAX is not canonical */
                {{0x0f, 0x01, 0x38}, 3},  /* INVLPG [RAX] */
                {{0x0f, 0x00, 0xd0}, 3},  /* LLDT AX */
                {{0x0f, 0x00, 0xd8}, 3},  /* LTR AX */
                {{0x0f, 0x30}, 2},        /* WRMSR */
                {{0x0f, 0x32}, 2},        /* RDMSR */
                {{0x0f, 0x06}, 2},        /* CLTS */
                {{0x0f, 0x01, 0xf0}, 3},  /* LMSW AX */
                {{0x0f, 0x09}, 2},        /* WBINVD */
                {{0x0f, 0x08}, 2},        /* INVD */
                {{0x0f, 0x01, 0xf8}, 3}}; /* SWAPGS */
    struct ring *r = at(3);

    for (unsigned i = 0; i < sizeof list / sizeof list[0]; i++) {
        for (unsigned cpl = 1; cpl < 4; cpl++) {
            again(r, cpl);
            reg(r, RS_REG_RAX, 0x8000000000000000ull);
            reg(r, RS_REG_RCX, 0x12345);
            try_bytes(r, list[i].bytes, list[i].n);
            ck_assert_msg(r->rule == RS_RULE_INSN_CPL0, "instruction %u at ring %u", i, cpl);
            REFUSED(r, INSN_CPL0, GP, 0);
            ck_assert_uint_eq(slot(r, 1), CODE);
        }
    }
    ring_free(r);
}

BOTH(cli_and_sti_are_for_levels_up_to_iopl)
{
    struct ring *r = at(3);

    TRY(r, 0xfa);
    REFUSED(r, INSN_CLI_IOPL, GP, 0);
    again(r, 3);
    TRY(r, 0xfb);
    REFUSED(r, INSN_CLI_IOPL, GP, 0);
    again(r, 3);
    reg(r, RS_REG_RFLAGS, 0x3202);
    TRY(r, 0xfa);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x3002);
    ring_free(r);
}

BOTH(checks_87_umip_hides_the_tables_outside_ring_0_before_memory_is_touched)
{
    static const uint8_t list[][3] = {{0x0f, 0x01, 0x00},
                                      {0x0f, 0x01, 0x08},
                                      {0x0f, 0x00, 0x00},
                                      {0x0f, 0x00, 0x08},
                                      {0x0f, 0x01, 0x20}}; /* SGDT SIDT SLDT STR SMSW */
    struct ring *r = at(3);

    reg(r, RS_REG_CR4, CR4_PAE | CR4_UMIP);
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned cpl = 1; cpl < 4; cpl++) {
            again(r, cpl);
            reg(r, RS_REG_RAX, 0x8000000000000000ull);
            try_bytes(r, list[i], 3);
            REFUSED(r, INSN_UMIP, GP, 0);
        }
        again(r, 0);
        reg(r, RS_REG_RAX, DATA);
        try_bytes(r, list[i], 3);
        ALLOWED(r);
    }
    reg(r, RS_REG_CR4, CR4_PAE);
    again(r, 3);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0x0f, 0x01, 0x00);
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, DATA, 2), S_END - 1);
    ck_assert_uint_eq(peek(r, DATA + 2, 8), GDT); /* checks 48: ten bytes */
    ring_free(r);
}

BOTH(checks_109_rdtsc_and_rdpmc_obey_tsd_and_pce)
{
    struct ring *r = at(3);

    TRY(r, 0x0f, 0x31);
    ALLOWED(r);
    again(r, 3);
    TRY(r, 0x0f, 0x33);
    REFUSED(r, INSN_PCE, GP, 0);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_TSD | CR4_PCE);
    again(r, 3);
    TRY(r, 0x0f, 0x31);
    REFUSED(r, INSN_TSD, GP, 0);
    again(r, 3);
    TRY(r, 0x0f, 0x01, 0xf9);
    REFUSED(r, INSN_TSD, GP, 0);
    again(r, 3);
    TRY(r, 0x0f, 0x33);
    REFUSED(r, INSN_PMC, GP, 0);
    again(r, 0);
    TRY(r, 0x0f, 0x31);
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_15_stac_and_clac_are_undefined_outside_ring_0)
{
    struct ring *r = at(3);

    TRY(r, 0x0f, 0x01, 0xcb);
    REFUSED(r, INSN_AC_CPL, UD, 0);
    again(r, 0);
    TRY(r, 0x0f, 0x01, 0xcb);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), RF_AC | 2);
    ring_free(r);
}

BOTH(fs_and_gs_bases_need_fsgsbase_and_canonical_values)
{
    struct ring *r = at(3);

    TRY(r, 0xf3, 0x48, 0x0f, 0xae, 0xd0); /* WRFSBASE RAX */
    REFUSED(r, INSN_FSGSBASE, UD, 0);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_FSGSBASE);
    again(r, 3);
    reg(r, RS_REG_RAX, 0x800000000000);
    TRY(r, 0xf3, 0x48, 0x0f, 0xae, 0xd0);
    REFUSED(r, FSGS_CANON, GP, 0);
    again(r, 3);
    reg(r, RS_REG_RAX, 0x7fffffffffff);
    TRY(r, 0xf3, 0x48, 0x0f, 0xae, 0xd0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_FS_BASE), 0x7fffffffffff);
    ring_free(r);
}

/* ---- control registers --------------------------------------------------------------------------------------------- */

#define MOV_CR0 0x0f, 0x22, 0xc0
#define MOV_CR3 0x0f, 0x22, 0xd8
#define MOV_CR4 0x0f, 0x22, 0xe0
#define MOV_CR8 0x44, 0x0f, 0x22, 0xc0

#define WRITE(r, value, ...)                                                                       \
    do {                                                                                           \
        again((r), 0);                                                                             \
        reg((r), RS_REG_RAX, (value));                                                             \
        TRY((r), __VA_ARGS__);                                                                     \
    } while (0)

BOTH(checks_80_cr0_refuses_impossible_combinations)
{
    struct ring *r = at(0);
    uint64_t cr0 = get(r, RS_REG_CR0);

    WRITE(r, cr0 | 1ull << 32, MOV_CR0);
    REFUSED(r, CR0_RSVD, GP, 0);
    WRITE(r, cr0 & ~(uint64_t)CR0_PE, MOV_CR0);
    REFUSED(r, CR0_PG_PE, GP, 0);
    WRITE(r, cr0 | CR0_NW, MOV_CR0);
    REFUSED(r, CR0_NW_CD, GP, 0);
    WRITE(r, cr0 & ~(uint64_t)CR0_PG, MOV_CR0);
    REFUSED(r, CR0_PG_64, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_CR0), cr0);
    WRITE(r, (cr0 | CR0_WP | 0x1ff80000) & ~(uint64_t)CR0_ET, MOV_CR0);
    ALLOWED(r); /* reserved bits below 32 are ignored, ET stays 1 */
    ck_assert_uint_eq(get(r, RS_REG_CR0), cr0 | CR0_WP);
    ring_free(r);
}

BOTH(checks_79_leaving_and_entering_long_mode_follows_the_manuals_order)
{
    struct ring *r = at(0);
    uint64_t cr0 = get(r, RS_REG_CR0);

    /* compatibility code may switch paging off: LMA falls */
    again(r, 0);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11);
    reg(r, RS_REG_RAX, cr0 & ~(uint64_t)CR0_PG);
    TRY(r, MOV_CR0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_EFER), EFER_LME);
    reg(r, RS_REG_IDTR_LIMIT,
        0); /* what follows is refused as a shutdown: no 32-bit IDT is there */

    reg(r, RS_REG_CR4, 0);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RAX, cr0);
    TRY(r, MOV_CR0);
    ck_assert_uint_eq(r->rule, RS_RULE_CR0_LME_PAE);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ring_free(r);

    r = at(0);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_PCIDE);
    reg(r, RS_REG_RAX, cr0 & ~(uint64_t)CR0_PG);
    TRY(r, MOV_CR0);
    REFUSED(r, CR0_PG_PCIDE, GP, 0);
    ring_free(r);
}

BOTH(ia_32e_mode_is_not_entered_from_an_l_segment_or_with_a_16_bit_tss)
{
    struct ring *r = ring_new(true);
    uint64_t paging = get(r, RS_REG_CR0) | CR0_PG;
    unsigned code = ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11;

    reg(r, RS_REG_CR4, CR4_PAE);
    reg(r, RS_REG_EFER, EFER_LME);
    reg(r, RS_REG_RAX, paging);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, code | ATTR_L);
    TRY(r, MOV_CR0);
    REFUSED(r, CR0_LME_CS_L, GP, 0);
    at_level(r, 0);
    segment(r, I_TR, S_TSS, TSS, 0x67, ATTR_P | SYS_TSS16_BUSY);
    TRY(r, MOV_CR0);
    REFUSED(r, CR0_LME_TSS, GP, 0);
    at_level(r, 0);
    reg(r, RS_REG_RAX, CR4_PAE | CR4_PCIDE);
    TRY(r, 0x0f, 0x22, 0xe0); /* MOV CR4, EAX */
    REFUSED(r, CR4_PCIDE_LONG, GP, 0);
    ring_free(r);
}

BOTH(checks_6_and_30_cr3_and_cr4_keep_their_reserved_bits_0)
{
    struct ring *r = at(0);

    WRITE(r, TABLES | 1ull << 40, MOV_CR3);
    REFUSED(r, CR3_RSVD, GP, 0);
    WRITE(r, TABLES | 1ull << 63, MOV_CR3);
    REFUSED(r, CR3_RSVD, GP, 0);
    WRITE(r, TABLES | 0x800, MOV_CR3);
    ALLOWED(r);
    WRITE(r, CR4_PAE | CR4_PCIDE, MOV_CR4);
    REFUSED(r, CR4_PCIDE_CR3, GP, 0);
    WRITE(r, TABLES, MOV_CR3);
    WRITE(r, CR4_PAE | CR4_PCIDE, MOV_CR4);
    ALLOWED(r);
    WRITE(r, TABLES | 1ull << 63 | 5, MOV_CR3);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR3), TABLES | 5);
    WRITE(r, CR4_PGE, MOV_CR4);
    REFUSED(r, CR4_PAE_LONG, GP, 0);
    WRITE(r, ~0ull, MOV_CR4);
    REFUSED(r, CR4_RSVD, GP, 0);
    WRITE(r, CR4_PAE | CR4_LA57, MOV_CR4);
    REFUSED(r, CR4_RSVD, GP, 0);
    WRITE(r, 16, MOV_CR8);
    REFUSED(r, CR8_RSVD, GP, 0);
    WRITE(r, 15, MOV_CR8);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR8), 15);
    ring_free(r);
}

BOTH(checks_88_lmsw_sets_pe_but_cannot_clear_it_and_smsw_stores_the_wide_cr0)
{
    struct ring *r = at(0);
    uint64_t cr0 = get(r, RS_REG_CR0);

    WRITE(r, CR0_TS, 0x0f, 0x01, 0xf0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR0), cr0 | CR0_TS);
    WRITE(r, 0, 0x48, 0x0f, 0x01, 0xe0);
    ck_assert_uint_eq(get(r, RS_REG_RAX), cr0 | CR0_TS);
    WRITE(r, 0, 0x0f, 0x06);
    ck_assert_uint_eq(get(r, RS_REG_CR0), cr0);
    ring_free(r);
}

BOTH(checks_66_dr4_and_dr5_alias_unless_de_and_upper_halves_are_refused)
{
    struct ring *r = at(0);

    WRITE(r, 0x30400, 0x0f, 0x23, 0xe8); /* MOV DR5, RAX */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DR7), 0x30400);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_DE);
    WRITE(r, 0x400, 0x0f, 0x23, 0xe8);
    REFUSED(r, DR_DE, UD, 0);
    again(r, 3);
    TRY(r, 0x0f, 0x23, 0xe8);
    REFUSED(r, DR_DE, UD, 0); /* #UD before #GP */
    WRITE(r, 1ull << 32, 0x0f, 0x23, 0xf8);
    REFUSED(r, DR_RSVD, GP, 0);
    WRITE(r, 1ull << 63, 0x0f, 0x23, 0xf0);
    REFUSED(r, DR_RSVD, GP, 0);
    WRITE(r, 1ull << 63, 0x0f, 0x23, 0xc0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DR0), 1ull << 63);
    ring_free(r);
}

BOTH(checks_65_general_detect_raises_db_sets_bd_and_clears_gd)
{
    struct ring *r = at(0);

    reg(r, RS_REG_DR7, 0x400 | DR7_GD);
    reg(r, RS_REG_DR6, DR6_FIXED | 0xf);
    TRY(r, 0x0f, 0x21, 0xc0); /* MOV RAX, DR0 */
    REFUSED(r, DR_GD, DB, 0);
    ck_assert_uint_eq(get(r, RS_REG_DR6), DR6_FIXED | DR6_BD);
    ck_assert_uint_eq(get(r, RS_REG_DR7), 0x400);
    ck_assert_uint_eq(slot(r, 0), CODE); /* a fault: no error code, RIP of the MOV */
    ring_free(r);
}

/* ---- MSRs --------------------------------------------------------------------------------------------------------------- */

BOTH(checks_83_and_84_msrs_that_are_unknown_or_hold_no_such_value_are_refused)
{
    static const uint32_t addresses[] = {MSR_LSTAR,       MSR_CSTAR,          MSR_FS_BASE,
                                         MSR_GS_BASE,     MSR_KERNEL_GS_BASE, MSR_SYSENTER_ESP,
                                         MSR_SYSENTER_EIP};
    struct ring *r = at(0);

    wrmsr(r, 0x12345, 0);
    REFUSED(r, MSR_UNKNOWN, GP, 0);
    rdmsr(r, 0xc0010117);
    REFUSED(r, MSR_UNKNOWN, GP, 0);
    rdmsr(r, 0x800); /* x2APIC is not reported */
    REFUSED(r, MSR_UNKNOWN, GP, 0);
    wrmsr(r, MSR_PLATFORM_ID, 0);
    REFUSED(r, MSR_READONLY, GP, 0);
    wrmsr(r, MSR_FMASK, 1ull << 32);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_TSC_AUX, 1ull << 32);
    REFUSED(r, MSR_RSVD, GP, 0);
    for (unsigned i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        wrmsr(r, addresses[i], 0x0000800000000000ull);
        REFUSED(r, MSR_CANON, GP, 0);
        wrmsr(r, addresses[i], 0xffff800000000000ull);
        ALLOWED(r);
        ck_assert_uint_eq(rdmsr(r, addresses[i]), 0xffff800000000000ull);
        wrmsr(r, addresses[i], 0);
    }
    wrmsr(r, MSR_PAT, 0x0007040600070402ull);
    REFUSED(r, MSR_PAT_TYPE, GP, 0);
    wrmsr(r, MSR_PAT, 0x0007040600070105ull);
    ck_assert_uint_eq(rdmsr(r, MSR_PAT), 0x0007040600070105ull);
    ring_free(r);
}

BOTH(checks_82_efer_refuses_unknown_bits_and_lme_under_paging_and_ignores_lma)
{
    struct ring *r = at(0);

    wrmsr(r, MSR_EFER, EFER_LME | 1u << 14);
    REFUSED(r, EFER_RSVD, GP, 0);
    wrmsr(r, MSR_EFER, EFER_SCE);
    REFUSED(r, EFER_LME_PG, GP, 0);
    wrmsr(r, MSR_EFER, EFER_LME | EFER_SCE | EFER_NXE);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_EFER), EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
    ring_free(r);
}

BOTH(tsc_adjust_follows_what_is_written_to_the_tsc)
{
    struct ring *r = at(0);

    wrmsr(r, MSR_TSC, 1u << 30);
    uint64_t adjust = rdmsr(r, MSR_TSC_ADJUST), tsc = rdmsr(r, MSR_TSC);
    ck_assert_uint_gt(adjust, (1u << 30) - 100000);
    ck_assert_uint_lt(tsc, (1u << 30) + 100000);
    wrmsr(r, MSR_TSC_ADJUST, 0);
    ck_assert_uint_lt(rdmsr(r, MSR_TSC), 100000);
    ring_free(r);
}

BOTH(without_xsave_its_instructions_and_cr4_bit_do_not_exist)
{
    struct ring *r = at(0);

    TRY(r, 0x0f, 0x01, 0xd0); /* XGETBV */
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    WRITE(r, CR4_PAE | CR4_OSXSAVE, MOV_CR4);
    REFUSED(r, CR4_RSVD, GP, 0);
    ring_free(r);
}

/* XSAVE is a gap today: switched on, its registers obey their rules; setting the CR4 bit says so. */
BOTH(xgetbv_and_xsetbv_obey_osxsave_level_and_register)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v3,+xsave");

    TRY(r, 0x0f, 0x01, 0xd0);
    REFUSED(r, INSN_OSXSAVE, UD, 0);
    WRITE(r, CR4_PAE | CR4_OSXSAVE, MOV_CR4);
    ck_assert_int_eq(r->stop.reason, RS_STOP_EMULATOR_GAP);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_OSXSAVE);
    reg(r, RS_REG_RCX, 0);
    WRITE(r, 0, 0x0f, 0x01, 0xd0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 1);
    reg(r, RS_REG_RCX, 1);
    WRITE(r, 0, 0x0f, 0x01, 0xd0);
    REFUSED(r, INSN_XCR, GP, 0);
    reg(r, RS_REG_RCX, 0);
    reg(r, RS_REG_RDX, 0);
    WRITE(r, 2, 0x0f, 0x01, 0xd1); /* x87 cannot be off */
    REFUSED(r, INSN_XCR, GP, 0);
    WRITE(r, 3, 0x0f, 0x01, 0xd1);
    ALLOWED(r);
    again(r, 3);
    TRY(r, 0x0f, 0x01, 0xd1);
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

/* ---- INVPCID ---------------------------------------------------------------------------------------------------------------- */

static void invpcid(struct ring *r, uint64_t type, uint64_t pcid, uint64_t address)
{
    again(r, 0);
    poke(r, DATA, pcid, 8);
    poke(r, DATA + 8, address, 8);
    reg(r, RS_REG_RAX, type);
    reg(r, RS_REG_RBX, DATA);
    TRY(r, 0x66, 0x0f, 0x38, 0x82, 0x03);
}

BOTH(checks_30_and_31_invpcid_judges_type_reserved_bits_pcid_and_address)
{
    struct ring *r = at(0);

    invpcid(r, 4, 0, 0);
    REFUSED(r, INVPCID_TYPE, GP, 0);
    invpcid(r, 2, 0x1000, 0);
    REFUSED(r, INVPCID_RSVD, GP, 0);
    for (unsigned type = 0; type < 2; type++) {
        invpcid(r, type, 7, 0);
        REFUSED(r, INVPCID_PCID, GP, 0);
    }
    invpcid(r, 2, 7, 0);
    ALLOWED(r);
    invpcid(r, 0, 0, 0x800000000000);
    REFUSED(r, INVPCID_CANON, GP, 0);
    invpcid(r, 1, 0, 0x800000000000);
    ALLOWED(r);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_PCIDE);
    invpcid(r, 0, 7, 0x1000);
    ALLOWED(r);
    ring_free(r);
}

/* ---- SYSCALL, SYSRET, SYSENTER, SYSEXIT ---------------------------------------------------------------------------------------- */

static void enable_syscall(struct ring *r)
{
    reg(r, RS_REG_EFER, EFER_SCE | EFER_LME | EFER_LMA);
    reg(r, RS_REG_STAR, (uint64_t)S_CODE3_32 << 48 | (uint64_t)S_CODE << 32);
    reg(r, RS_REG_LSTAR, TARGET);
    reg(r, RS_REG_FMASK, RF_TF | RF_IF | RF_DF | RF_AC);
}

BOTH(checks_74_syscall_saves_rip_and_flags_masks_them_and_loads_fixed_segments)
{
    struct ring *r = at(3);

    TRY(r, 0x0f, 0x05);
    REFUSED(r, SYSCALL_SCE, UD, 0); /* checks 82 */
    again(r, 3);
    enable_syscall(r);
    reg(r, RS_REG_GDTR_LIMIT, 0); /* no table is read */
    reg(r, RS_REG_RFLAGS, 2 | RF_CF | RF_IF | RF_DF | RF_ZF | RF_RF);
    TRY(r, 0x0f, 0x05);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RCX), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_R11), 2 | RF_CF | RF_IF | RF_DF | RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_CF | RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_CS), ATTR_G | ATTR_L | ATTR_P | ATTR_S | 11);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_SS), ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(r->cross.how, RS_X_SYSCALL);
    ring_free(r);
}

BOTH(checks_75_and_76_sysret_refuses_a_non_canonical_rcx_in_ring_0_and_forces_rpl_3)
{
    struct ring *r = at(0);

    enable_syscall(r);
    reg(r, RS_REG_RCX, 0x800000000000);
    reg(r, RS_REG_RSP, STACK1);
    TRY(r, 0x48, 0x0f, 0x07);
    REFUSED(r, SYSRET_CANON, GP, 0);
    ck_assert_uint_eq(slot(r, 2), S_CODE); /* from ring 0, no stack switch */
    ck_assert_uint_eq(slot(r, 4), STACK1);

    again(r, 0);
    reg(r, RS_REG_STAR, (uint64_t)S_CODE3_32 << 48);
    reg(r, RS_REG_RCX, TARGET);
    reg(r, RS_REG_R11, 0xffffffffffffffffull);
    TRY(r, 0x48, 0x0f, 0x07);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x3c7fd7);

    again(r, 0);
    reg(r, RS_REG_RCX, 0x123400000000ull | TARGET);
    reg(r, RS_REG_R11, 2);
    TRY(r, 0x0f, 0x07);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE3_32 | 3);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_CS),
                      ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11 | 3u << 5);
    again(r, 3);
    TRY(r, 0x48, 0x0f, 0x07);
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

BOTH(syscall_and_swapgs_do_not_exist_in_compatibility_mode)
{
    struct ring *r = at(3);

    enable_syscall(r);
    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff,
            ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11 | 3u << 5);
    TRY(r, 0x0f, 0x05);
    REFUSED(r, INSN_64, UD, 0);
    ring_free(r);
}

BOTH(checks_77_sysenter_and_sysexit_need_a_code_segment_in_the_msr)
{
    struct ring *r = at(3);

    TRY(r, 0x0f, 0x34);
    REFUSED(r, SYSENTER_CS, GP, 0);
    wrmsr(r, MSR_SYSENTER_CS, S_CODE);
    wrmsr(r, MSR_SYSENTER_ESP, STACK1);
    wrmsr(r, MSR_SYSENTER_EIP, TARGET);
    again(r, 3);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF);
    TRY(r, 0x0f, 0x34);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2);
    again(r, 0);
    reg(r, RS_REG_RDX, 0x800000000000);
    TRY(r, 0x48, 0x0f, 0x35);
    REFUSED(r, SYSEXIT_CANON, GP, 0);
    again(r, 0);
    reg(r, RS_REG_RDX, TARGET);
    reg(r, RS_REG_RCX, STACK3);
    TRY(r, 0x48, 0x0f, 0x35);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), (S_CODE + 32) | 3);
    ck_assert_uint_eq(get(r, RS_REG_SS), (S_CODE + 40) | 3);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ring_free(r);
}

/* ---- ports ------------------------------------------------------------------------------------------------------------------------ */

static void in_al_dx(struct ring *r, unsigned port)
{
    again(r, 3);
    reg(r, RS_REG_RDX, port);
    TRY(r, 0xec);
}

BOTH(checks_89_a_32_bit_tss_goes_round_at_4_gib)
{
    struct ring *r = ring_new(true);

    for (unsigned shut = 0; shut < 2; shut++) {
        at_level(r, 3);
        segment(r, I_TR, S_TSS, 0xfffffffc, 0xff, ATTR_P | SYS_TSS_BUSY);
        poke(r, 0, STACK0, 4); /* its byte 4 is at 0 */
        poke(r, 4, S_DATA, 4);
        poke(r, 98, 0x68, 2);
        poke(r, 0x64 + 0x10, shut ? 0x1 : 0xfe, 2); /* port 80h */
        TRY(r, 0xe6, 0x80);
        if (shut) REFUSED(r, IO_BITMAP, GP, 0);
        else PASSED(r, IO_BITMAP);
    }
    ring_free(r);
}

BOTH(checks_89_the_io_map_decides_for_levels_above_iopl)
{
    struct ring *r = at(3);

    in_al_dx(r, 0x40);
    REFUSED(r, IO_IOPL, GP, 0); /* the TSS ends before its map */
    reg(r, RS_REG_ES_LIMIT + I_TR, 0x68 + 0x80 / 8);
    poke(r, TSS + 0x68 + 8, 0xfe, 1); /* port 0x40 alone is free */
    in_al_dx(r, 0x40);
    ALLOWED(r);
    in_al_dx(r, 0x41);
    REFUSED(r, IO_BITMAP, GP, 0);
    again(r, 3);
    reg(r, RS_REG_RDX, 0x40);
    TRY(r, 0xed); /* IN EAX, DX: four bits */
    REFUSED(r, IO_BITMAP, GP, 0);
    in_al_dx(r, 0x7f);
    ALLOWED(r); /* the byte after its own is the last within the limit */
    in_al_dx(r, 0x80);
    REFUSED(r, IO_IOPL, GP, 0);
    again(r, 3);
    reg(r, RS_REG_RFLAGS, 0x3002);
    reg(r, RS_REG_RDX, 0x41);
    TRY(r, 0xec);
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_90_ins_judges_the_port_before_memory_and_memory_before_reading)
{
    struct ring *r = at(3);

    again(r, 3);
    reg(r, RS_REG_RDX, 0x41);
    reg(r, RS_REG_RDI, 0x8000000000000000ull);
    TRY(r, 0x6c);
    REFUSED(r, IO_IOPL, GP, 0);
    again(r, 3);
    reg(r, RS_REG_RFLAGS, 0x3002);
    TRY(r, 0x6c);
    REFUSED(r, CANON_MEM, GP, 0);
    again(r, 0);
    reg(r, RS_REG_RDI, DATA);
    reg(r, RS_REG_RCX, 3);
    poke(r, DATA, 0, 8);
    TRY(r, 0xf3, 0x6c); /* an absent port reads as ones */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RDI), DATA + 3);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0);
    ring_free(r);
}

/* ---- flags ------------------------------------------------------------------------------------------------------------------------- */

BOTH(checks_71_popf_leaves_iopl_outside_ring_0_and_if_above_iopl)
{
    struct ring *r = at(3);
    uint64_t all = 0x3f7fd7;

    poke(r, STACK3, all, 8);
    TRY(r, 0x9d);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS),
                      all & ~(uint64_t)(RF_IF | RF_IOPL | RF_RF | RF_VM | RF_VIF | RF_VIP));
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 8);
    again(r, 3);
    reg(r, RS_REG_RFLAGS, 0x3002);
    TRY(r, 0x9d);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), all & ~(uint64_t)(RF_RF | RF_VM | RF_VIF | RF_VIP));
    again(r, 0);
    poke(r, STACK1, all & ~(uint64_t)RF_TF, 8);
    TRY(r, 0x9d);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS),
                      all & ~(uint64_t)(RF_TF | RF_RF | RF_VM | RF_VIF | RF_VIP));
    again(r, 0);
    reg(r, RS_REG_RFLAGS, 2 | RF_RF | RF_CF);
    TRY(r, 0x9c);
    ck_assert_uint_eq(slot(r, 0), 2 | RF_CF);
    ring_free(r);
}

RUN_TESTS("system", checks_86_privileged_instructions_are_refused_before_any_operand_check,
          cli_and_sti_are_for_levels_up_to_iopl,
          checks_87_umip_hides_the_tables_outside_ring_0_before_memory_is_touched,
          checks_109_rdtsc_and_rdpmc_obey_tsd_and_pce,
          checks_15_stac_and_clac_are_undefined_outside_ring_0,
          fs_and_gs_bases_need_fsgsbase_and_canonical_values,
          checks_80_cr0_refuses_impossible_combinations,
          checks_79_leaving_and_entering_long_mode_follows_the_manuals_order,
          ia_32e_mode_is_not_entered_from_an_l_segment_or_with_a_16_bit_tss,
          checks_6_and_30_cr3_and_cr4_keep_their_reserved_bits_0,
          checks_88_lmsw_sets_pe_but_cannot_clear_it_and_smsw_stores_the_wide_cr0,
          checks_66_dr4_and_dr5_alias_unless_de_and_upper_halves_are_refused,
          checks_65_general_detect_raises_db_sets_bd_and_clears_gd,
          checks_83_and_84_msrs_that_are_unknown_or_hold_no_such_value_are_refused,
          checks_82_efer_refuses_unknown_bits_and_lme_under_paging_and_ignores_lma,
          tsc_adjust_follows_what_is_written_to_the_tsc,
          without_xsave_its_instructions_and_cr4_bit_do_not_exist,
          xgetbv_and_xsetbv_obey_osxsave_level_and_register,
          checks_30_and_31_invpcid_judges_type_reserved_bits_pcid_and_address,
          checks_74_syscall_saves_rip_and_flags_masks_them_and_loads_fixed_segments,
          checks_75_and_76_sysret_refuses_a_non_canonical_rcx_in_ring_0_and_forces_rpl_3,
          syscall_and_swapgs_do_not_exist_in_compatibility_mode,
          checks_77_sysenter_and_sysexit_need_a_code_segment_in_the_msr,
          checks_89_a_32_bit_tss_goes_round_at_4_gib,
          checks_89_the_io_map_decides_for_levels_above_iopl,
          checks_90_ins_judges_the_port_before_memory_and_memory_before_reading,
          checks_71_popf_leaves_iopl_outside_ring_0_and_if_above_iopl)
