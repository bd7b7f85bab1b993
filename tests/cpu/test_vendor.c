/*
 * test_vendor.c - where Intel's and AMD's processors differ although no CPUID bit says so (arch/behaviours.def),
 * each on both makers' models and on both engines. The SDM decides for Intel, the APM for AMD.
 */
#include "tests/cpu/both.h"

static struct ring *model(const char *cpu) { return ring_new_cpu(false, cpu); }

/* ---- near branches --------------------------------------------------------------------------------------- */

BOTH(checks_118_66h_before_a_near_branch_cuts_rip_to_16_bits_on_amd)
{
    struct ring *r = model("epyc");

    at_level(r, 3);
    TRY(r, 0x66, 0xe9, 0x10, 0x00);
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 4 + 0x10) & 0xffff);
    AGAIN(r, 3, TRY(r, 0x66, 0xeb, 0x10));
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 3 + 0x10) & 0xffff);
    AGAIN(r, 3, TRY(r, 0x66, 0xe8, 0x10, 0x00));
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 4 + 0x10) & 0xffff);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 - 2);
    ck_assert_uint_eq(peek(r, STACK3 - 2, 2), (CODE + 4) & 0xffff);
    poke(r, STACK3, TARGET + 0x1234, 8);
    AGAIN(r, 3, TRY(r, 0x66, 0xc3));
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1234);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 2);
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_ZF), TRY(r, 0x66, 0x0f, 0x84, 0x10, 0x00));
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 5 + 0x10) & 0xffff);
    AGAIN(r, 3, TRY(r, 0x66, 0x0f, 0x84, 0x10, 0x00)); /* not taken: not cut */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 5);
    reg(r, RS_REG_RAX, TARGET + 0x1234);
    AGAIN(r, 3, TRY(r, 0x66, 0xff, 0xe0));
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1234);
    reg(r, RS_REG_RCX, 2);
    AGAIN(r, 3, TRY(r, 0x66, 0xe2, 0x10));
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 3 + 0x10) & 0xffff);
    AGAIN(r, 3, TRY(r, 0xe9, 0x10, 0x00, 0x00, 0x00)); /* without 66h nothing differs */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 5 + 0x10);
    ring_free(r);
}

/* APM 3 "JMP (Near)", "CALL (Near)", "RET (Near)": #GP, "the target offset ... was non-canonical": as on Intel,
 * with RIP the branch's. */
BOTH(checks_36_a_near_branch_to_nowhere_faults_where_it_stands_on_amd_too)
{
    struct ring *r = model("epyc-milan");

    reg(r, RS_REG_RAX, NON_CANON);
    TRY(r, 0xff, 0xe0);
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    AGAIN(r, 0, TRY(r, 0xff, 0xd0));
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    ck_assert_uint_eq(slot(r, 4), STACK1);
    poke(r, STACK1, NON_CANON, 8);
    AGAIN(r, 0, TRY(r, 0xc3));
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    ring_free(r);
}

/* APM 3 "JMP (Far)", "LFS": mem16:16 and mem16:32 are all there is. */
BOTH(rex_w_widens_a_far_pointer_on_intel_alone)
{
    for (unsigned amd = 0; amd < 2; amd++) {
        struct ring *r = model(amd ? "epyc" : "haswell");
        poke(r, DATA, TARGET, 4);
        poke(r, DATA + 4, S_CODE, 2); /* 16:32; as 16:64 the offset has S_CODE in its upper half */
        poke(r, DATA + 8, S_CODE, 2);
        reg(r, RS_REG_RAX, DATA);
        AGAIN(r, 0, TRY(r, 0x48, 0xff, 0x28));
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RIP), amd ? TARGET : TARGET | (uint64_t)S_CODE << 32);
        poke(r, DATA + 4, S_DATA3 | 3, 2);
        poke(r, DATA + 8, S_DATA3 | 3, 2);
        AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0xb4, 0x08)); /* lfs rcx, [rax] */
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RCX), amd ? TARGET : TARGET | (uint64_t)(S_DATA3 | 3) << 32);
        ck_assert_uint_eq(get(r, RS_REG_ES + I_FS), S_DATA3 | 3);
        ring_free(r);
    }
}

/* ---- segments ----------------------------------------------------------------------------------------------- */

static void load_null(struct ring *r)
{
    at_level(r, 3);
    segment(r, I_FS, S_DATA3 | 3, 0x123000, 0xffff, ATTR_P | ATTR_S | 3 | 3u << 5);
    segment(r, I_GS, S_DATA3 | 3, 0x456000, 0xffff, ATTR_P | ATTR_S | 3 | 3u << 5);
    segment(r, I_DS, S_DATA3 | 3, 0x789000, 0xffff, ATTR_P | ATTR_S | 3 | 3u << 5);
    reg(r, RS_REG_RAX, 0);
    TRY(r, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd8); /* mov fs, eax; mov gs, eax; mov ds, eax */
    go(r, 2);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_FS), ATTR_UNUSABLE);
    ck_assert_uint_eq(get(r, RS_REG_ES_BASE + I_DS), 0);
}

BOTH(checks_40_a_null_selector_clears_the_base_of_fs_and_gs_but_not_on_older_amd)
{
    static const struct {
        const char *cpu;
        bool keeps;
    } all[] = {{"haswell", false}, {"opteron_g1", true}, {"epyc", true}, {"epyc-rome", false}, {"epyc-milan", false}};

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct ring *r = model(all[i].cpu);
        load_null(r);
        ck_assert_uint_eq(get(r, RS_REG_ES_BASE + I_FS), all[i].keeps ? 0x123000 : 0);
        ck_assert_uint_eq(get(r, RS_REG_ES_BASE + I_GS), all[i].keeps ? 0x456000 : 0);
        ring_free(r);
    }
}

BOTH(checks_120_push_of_a_segment_register_writes_two_bytes_on_intel_and_its_whole_slot_on_amd)
{
    for (unsigned amd = 0; amd < 2; amd++) {
        struct ring *r = ring_new_cpu(true, amd ? "epyc" : "haswell");
        poke(r, STACK1 - 4, 0xa5a5a5a5, 4);
        TRY(r, 0x1e); /* push ds */
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 4);
        ck_assert_uint_eq(peek(r, STACK1 - 4, 4), (amd ? 0 : 0xa5a50000) | S_DATA3 | 3);
        ring_free(r);
    }
}

BOTH(checks_120_ud0_fetches_its_modrm_on_intel_alone)
{
    enum { PAGE = GUARD, PT = 0x260000 };

    for (unsigned amd = 0; amd < 2; amd++) {
        struct ring *r = model(amd ? "epyc" : "haswell");
        poke(r, TABLES + 8192 + 8 * 2, PT | PTE_P | PTE_W | PTE_U, 8); /* the page behind PAGE is absent */
        for (unsigned i = 0; i < 512; i++) poke(r, PT + 8 * i, i ? 0 : PAGE | PTE_P | PTE_W | PTE_U, 8);
        poke(r, PAGE + 0xffd, 0xff0f66, 3);
        at_level(r, 3);
        reg(r, RS_REG_RIP, PAGE + 0xffd);
        go(r, 1);
        ck_assert_int_eq(r->vector, amd ? VEC_UD : VEC_PF);
        ck_assert_uint_eq(slot(r, amd ? 0 : 1), PAGE + 0xffd);
        ring_free(r);
    }
}

/* ---- strings --------------------------------------------------------------------------------------------------- */

BOTH(checks_97_rep_under_67h_with_ecx_0_leaves_the_registers_on_amd)
{
    struct ring *r = model("epyc");

    at_level(r, 3);
    reg(r, RS_REG_RCX, 1ull << 32);
    reg(r, RS_REG_RSI, DATA | 1ull << 40);
    reg(r, RS_REG_RDI, DATA | 1ull << 41);
    TRY(r, 0x67, 0xf3, 0xa4);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 1ull << 32);
    ck_assert_uint_eq(get(r, RS_REG_RSI), DATA | 1ull << 40);
    ck_assert_uint_eq(get(r, RS_REG_RDI), DATA | 1ull << 41);
    ring_free(r);
}

/* ---- SYSCALL, SYSRET ----------------------------------------------------------------------------------------------- */

#define STAR_VALUE ((uint64_t)(S_CODE3_32 | 3) << 48 | (uint64_t)S_CODE << 32 | TARGET)

static struct ring *ready(const char *cpu, bool prot32)
{
    struct ring *r = ring_new_cpu(prot32, cpu);

    reg(r, RS_REG_EFER, get(r, RS_REG_EFER) | EFER_SCE);
    reg(r, RS_REG_STAR, STAR_VALUE);
    return r;
}

BOTH(checks_119_syscall_from_compatibility_mode_is_undefined_on_intel_and_goes_by_cstar_on_amd)
{
    struct ring *r = ready("haswell", false);

    reg(r, RS_REG_CSTAR, TARGET);
    in_compatibility_mode(r, 3);
    TRY(r, 0x0f, 0x05);
    REFUSED(r, INSN_64, UD, 0);
    ring_free(r);

    r = ready("epyc", false);
    reg(r, RS_REG_CSTAR, TARGET);
    reg(r, RS_REG_LSTAR, HANDLER);
    reg(r, RS_REG_FMASK, RF_CF);
    in_compatibility_mode(r, 3);
    reg(r, RS_REG_RFLAGS, 2 | RF_CF | RF_ZF);
    TRY(r, 0x0f, 0x05);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RCX), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_R11), 2 | RF_CF | RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_ES + I_CS), S_CODE);
    ck_assert(get(r, RS_REG_ES_ATTR + I_CS) & ATTR_L); /* 64-bit code, whoever called */
    ring_free(r);
}

BOTH(checks_119_syscall_and_sysret_work_in_legacy_mode_on_amd_and_are_undefined_on_intel)
{
    struct ring *r = ready("coreduo,+syscall", true);

    AGAIN(r, 3, TRY(r, 0x0f, 0x05));
    REFUSED(r, INSN_64, UD, 0);
    AGAIN(r, 0, TRY(r, 0x0f, 0x07));
    REFUSED(r, INSN_64, UD, 0);
    ring_free(r);

    r = ready("athlon", true);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF | RF_CF);
    reg(r, RS_REG_R11, 0);
    TRY(r, 0x0f, 0x05);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET); /* STAR[31:0] */
    ck_assert_uint_eq(get(r, RS_REG_RCX), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_R11), 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_CF); /* IF is cleared, no mask asked */
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_ES + I_SS), S_CODE + 8);
    poke(r, TARGET, 0x070f, 2); /* sysret */
    go(r, 1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_CF | RF_IF);
    ck_assert_uint_eq(get(r, RS_REG_ES + I_CS), S_CODE3_32 | 3);
    AGAIN(r, 3, TRY(r, 0x0f, 0x07));
    REFUSED(r, INSN_CPL0, GP, 0);
    reg(r, RS_REG_EFER, 0);
    AGAIN(r, 3, TRY(r, 0x0f, 0x05));
    REFUSED(r, SYSCALL_SCE, UD, 0);
    ring_free(r);
}

BOTH(checks_75_sysret_to_a_non_canonical_rcx_faults_in_ring_0_on_intel_and_in_ring_3_on_amd)
{
    for (unsigned amd = 0; amd < 2; amd++) {
        struct ring *r = ready(amd ? "epyc" : "haswell", false);
        at_level(r, 0);
        reg(r, RS_REG_RSP, STACK3);
        reg(r, RS_REG_RCX, NON_CANON);
        reg(r, RS_REG_R11, 2);
        TRY(r, 0x48, 0x0f, 0x07);
        if (amd) {
            ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
            ck_assert_uint_eq(get(r, RS_REG_RIP), NON_CANON);
            go(r, 1);
            REFUSED(r, CANON_FETCH, GP, 0);
        } else {
            REFUSED(r, SYSRET_CANON, GP, 0);
        }
        ck_assert_uint_eq(slot(r, 1), amd ? NON_CANON : CODE);
        ck_assert_uint_eq(slot(r, 2) & 3, amd ? 3 : 0);
        ck_assert_uint_eq(slot(r, 4), STACK3);
        ck_assert_uint_eq(get(r, RS_REG_RSP) & ~0xfffull, (amd ? STACK0 : STACK3) - 0x1000);
        ring_free(r);
    }
}

BOTH(checks_76_sysret_makes_ss_flat_on_intel_and_leaves_all_but_its_selector_on_amd)
{
    for (unsigned amd = 0; amd < 2; amd++) {
        struct ring *r = ready(amd ? "epyc" : "haswell", false);
        reg(r, RS_REG_STAR, (uint64_t)S_CODE3_32 << 48);
        at_level(r, 0);
        segment(r, I_SS, 0, 0, 0, ATTR_UNUSABLE); /* as an interrupt leaves it */
        reg(r, RS_REG_RCX, TARGET);
        reg(r, RS_REG_R11, 2);
        TRY(r, 0x48, 0x0f, 0x07);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_ES + I_CS), S_CODE3 | 3);
        ck_assert_uint_eq(get(r, RS_REG_ES + I_SS), amd ? S_DATA3 : S_DATA3 | 3);
        ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_SS) & ATTR_UNUSABLE, amd ? ATTR_UNUSABLE : 0);
        ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + I_SS), amd ? 0 : 0xffffffff);
        ring_free(r);
    }
}

/* ---- SYSENTER, SYSEXIT ------------------------------------------------------------------------------------------- */

static void prepare_sysenter(struct ring *r)
{
    wrmsr(r, MSR_SYSENTER_CS, S_CODE);
    wrmsr(r, MSR_SYSENTER_EIP, TARGET);
    wrmsr(r, MSR_SYSENTER_ESP, STACK0);
    ALLOWED(r);
}

BOTH(checks_77_sysenter_and_sysexit_are_undefined_in_long_mode_on_amd)
{
    struct ring *r = model("epyc");

    prepare_sysenter(r);
    AGAIN(r, 3, TRY(r, 0x0f, 0x34));
    REFUSED(r, SYSENTER_LONG, UD, 0);
    AGAIN(r, 0, TRY(r, 0x0f, 0x35));
    REFUSED(r, SYSENTER_LONG, UD, 0);
    in_compatibility_mode(r, 3);
    TRY(r, 0x0f, 0x34);
    REFUSED(r, SYSENTER_LONG, UD, 0);
    ring_free(r);

    r = ring_new_cpu(true, "epyc");
    prepare_sysenter(r);
    AGAIN(r, 3, TRY(r, 0x0f, 0x34));
    PASSED(r, SYSENTER_LONG);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ring_free(r);

    r = model("haswell");
    prepare_sysenter(r);
    in_compatibility_mode(r, 3);
    TRY(r, 0x0f, 0x34);
    PASSED(r, SYSENTER_LONG);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}

/* SDM 2B "SYSENTER": CR0.PE=0: #GP(0). What the handler does in real mode is another's test. */
BOTH(checks_77_sysenter_sysexit_and_amds_sysret_need_protected_mode)
{
    static const struct {
        const char *cpu;
        uint8_t opcode;
    } all[] = {{"pentium3", 0x34}, {"pentium3", 0x35}, {"athlon", 0x07}};

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        struct ring *r = ready(all[i].cpu, true);
        if (all[i].opcode != 0x07) prepare_sysenter(r);
        at_level(r, 0);
        const uint8_t bytes[] = {0x0f, all[i].opcode};
        try_bytes(r, bytes, 2);
        PASSED(r, SYSENTER_PE);
        at_level(r, 0);
        reg(r, RS_REG_CR0, get(r, RS_REG_CR0) & ~(uint64_t)CR0_PE);
        try_bytes(r, bytes, 2);
        ck_assert_uint_eq(r->rule, RS_RULE_SYSENTER_PE);
        ck_assert_uint_eq(r->fault_vector, VEC_GP);
        ring_free(r);
    }
}

/* ---- model-specific registers ------------------------------------------------------------------------------------ */

BOTH(checks_83_what_the_makers_ignore_or_refuse_in_the_system_call_msrs)
{
    struct ring *r = model("haswell");

    wrmsr(r, MSR_FMASK, 1ull << 32);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_SYSENTER_CS, 1ull << 32);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_SYSENTER_EIP, NON_CANON);
    REFUSED(r, MSR_CANON, GP, 0);
    ring_free(r);

    r = model("epyc");
    wrmsr(r, MSR_FMASK, 0x1234567800000200ull);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_FMASK), 0x200);
    wrmsr(r, MSR_SYSENTER_EIP, NON_CANON | 0x1000);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_SYSENTER_EIP), 0x1000);
    wrmsr(r, MSR_SYSENTER_ESP, ~0ull);
    ck_assert_uint_eq(rdmsr(r, MSR_SYSENTER_ESP), 0xffffffff);
    static const uint32_t canonical[] = {MSR_LSTAR, MSR_CSTAR, MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE};
    for (unsigned i = 0; i < sizeof canonical / sizeof *canonical; i++) {
        wrmsr(r, canonical[i], NON_CANON);
        REFUSED(r, MSR_CANON, GP, 0);
    }
    ring_free(r);
}

BOTH(checks_84_each_maker_has_its_own_msrs_and_refuses_the_others)
{
    static const uint32_t intel[] = {MSR_MISC_ENABLE, MSR_PLATFORM_ID, MSR_PLATFORM_INFO, MSR_MISC_FEATURES},
                          amd[] = {MSR_HWCR, MSR_SYSCFG, MSR_NB_CFG, MSR_INT_PENDING, MSR_DE_CFG};
    struct ring *i = model("haswell"), *a = model("epyc");

    for (unsigned n = 0; n < sizeof intel / sizeof *intel; n++) {
        (void)rdmsr(i, intel[n]);
        ALLOWED(i);
        (void)rdmsr(a, intel[n]);
        REFUSED(a, MSR_UNKNOWN, GP, 0);
    }
    for (unsigned n = 0; n < sizeof amd / sizeof *amd; n++) {
        (void)rdmsr(a, amd[n]);
        ALLOWED(a);
        (void)rdmsr(i, amd[n]);
        REFUSED(i, MSR_UNKNOWN, GP, 0);
    }
    wrmsr(i, MSR_BIOS_SIGN_ID, 0); /* Intel: the way to ask for the revision; AMD: PATCH_LEVEL, read-only */
    ALLOWED(i);
    wrmsr(a, MSR_BIOS_SIGN_ID, 0);
    REFUSED(a, MSR_READONLY, GP, 0);
    wrmsr(i, MSR_PLATFORM_INFO, 0);
    REFUSED(i, MSR_READONLY, GP, 0);
    ck_assert_uint_eq(rdmsr(a, MSR_HWCR), 1u << 24); /* the TSC counts at one rate */
    wrmsr(a, MSR_HWCR, 1u << 24 | 1u << 4);
    ck_assert_uint_eq(rdmsr(a, MSR_HWCR), 1u << 24 | 1u << 4);
    ring_free(i);
    ring_free(a);
}

BOTH(checks_82_long_mode_segment_limits_are_reserved_and_cpuid_says_so)
{
    static const char *const amd[] = {"opteron_g1", "opteron_g3", "epyc-rome", "epyc-milan"};

    for (unsigned n = 0; n < sizeof amd / sizeof amd[0]; n++) {
        struct ring *r = model(amd[n]);
        wrmsr(r, MSR_EFER, get(r, RS_REG_EFER) | EFER_LMSLE);
        REFUSED(r, EFER_RSVD, GP, 0);
        at_level(r, 0);
        ck_assert_uint_eq(cpuid_at(r, 0x80000008u, 0).b >> 20 & 1, 1);
        ring_free(r);
    }
}

BOTH(checks_45_the_upper_type_field_of_wide_descriptors_counts_for_lar_and_lsl_on_amd)
{
    static const char *const cpu[] = {"epyc-milan", "skylake"};

    for (unsigned n = 0; n < 2; n++) {
        struct ring *r = model(cpu[n]);
        for (unsigned lsl = 0; lsl < 2; lsl++) {
            for (unsigned compat = 0; compat < 2; compat++) {
                for (unsigned bad = 0; bad < 2; bad++) {
                    at_level(r, 0);
                    if (compat) in_compatibility_mode(r, 0);
                    gdt(r, S_LDT + 8, bad ? 1ull << 40 : 0);
                    reg(r, RS_REG_RAX, S_LDT);
                    TRY(r, 0x0f, (uint8_t)(2 + lsl), 0xc8); /* ecx, eax */
                    ALLOWED(r);
                    bool zf = get(r, RS_REG_RFLAGS) & RF_ZF;
                    ck_assert_int_eq(zf, !(bad && n == 0 && !compat));
                }
            }
        }
        ring_free(r);
    }
}

/* ---- CPUID ----------------------------------------------------------------------------------------------------- */

static void vendor_is(struct ring *r, const char *word)
{
    struct regs4 v = cpuid_at(r, 0, 0);
    char got[13] = "";

    memcpy(got, &v.b, 4);
    memcpy(got + 4, &v.d, 4);
    memcpy(got + 8, &v.c, 4);
    ck_assert_str_eq(got, word);
}

BOTH(cpuid_is_each_makers_own)
{
    struct ring *i = model("haswell"), *a = model("epyc");

    at_level(i, 3);
    at_level(a, 3);
    vendor_is(i, "GenuineIntel");
    at_level(a, 3);
    vendor_is(a, "AuthenticAMD");
    AGAIN(a, 3, (void)0);
    struct regs4 none = cpuid_at(a, 0x4000, 0);
    ck_assert_uint_eq(none.a | none.b | none.c | none.d, 0);
    AGAIN(i, 3, (void)0);
    struct regs4 last = cpuid_at(i, 0x4000, 0); /* Intel: as the highest basic leaf */
    at_level(i, 3);
    struct regs4 seven = cpuid_at(i, 7, 0);
    ck_assert_mem_eq(&last, &seven, sizeof last);
    ck_assert_uint_ne(seven.b, 0);

    in_compatibility_mode(i, 3);
    ck_assert_uint_eq(cpuid_at(i, 0x80000001, 0).d >> 11 & 1, 0);
    in_compatibility_mode(a, 3);
    struct regs4 ext = cpuid_at(a, 0x80000001, 0);
    ck_assert_uint_eq(ext.d >> 11 & 1, 1);
    at_level(a, 3);
    ck_assert_uint_eq(ext.d & 0x0183f3ff, cpuid_at(a, 1, 0).d & 0x0183f3ff);
    at_level(a, 3);
    ck_assert_uint_eq(cpuid_at(a, 4, 0).a, 0); /* AMD has its caches elsewhere */
    at_level(a, 3);
    ck_assert_uint_ne(cpuid_at(a, 0x80000005, 0).c, 0);
    at_level(i, 3);
    ck_assert_uint_eq(cpuid_at(i, 0x80000005, 0).c, 0);
    ring_free(i);
    ring_free(a);
}

RUN_TESTS("vendor", checks_118_66h_before_a_near_branch_cuts_rip_to_16_bits_on_amd,
          checks_36_a_near_branch_to_nowhere_faults_where_it_stands_on_amd_too,
          rex_w_widens_a_far_pointer_on_intel_alone,
          checks_40_a_null_selector_clears_the_base_of_fs_and_gs_but_not_on_older_amd,
          checks_120_push_of_a_segment_register_writes_two_bytes_on_intel_and_its_whole_slot_on_amd,
          checks_120_ud0_fetches_its_modrm_on_intel_alone,
          checks_97_rep_under_67h_with_ecx_0_leaves_the_registers_on_amd,
          checks_119_syscall_from_compatibility_mode_is_undefined_on_intel_and_goes_by_cstar_on_amd,
          checks_119_syscall_and_sysret_work_in_legacy_mode_on_amd_and_are_undefined_on_intel,
          checks_75_sysret_to_a_non_canonical_rcx_faults_in_ring_0_on_intel_and_in_ring_3_on_amd,
          checks_76_sysret_makes_ss_flat_on_intel_and_leaves_all_but_its_selector_on_amd,
          checks_77_sysenter_and_sysexit_are_undefined_in_long_mode_on_amd,
          checks_77_sysenter_sysexit_and_amds_sysret_need_protected_mode,
          checks_83_what_the_makers_ignore_or_refuse_in_the_system_call_msrs,
          checks_84_each_maker_has_its_own_msrs_and_refuses_the_others,
          checks_82_long_mode_segment_limits_are_reserved_and_cpuid_says_so,
          checks_45_the_upper_type_field_of_wide_descriptors_counts_for_lar_and_lsl_on_amd, cpuid_is_each_makers_own)
