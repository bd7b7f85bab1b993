/*
 * test_models.c - processor models and feature switches as a guest meets them: a feature that is off takes its
 * instructions, control bits, MSRs and CPUID bits with it. Everything derives from arch/features.def, so the
 * tests walk that table where they can.
 */
#include "cpu/features.h"
#include "tests/cpu/both.h"

static struct features parsed(const char *spec)
{
    struct features f;
    char error[200];

    ck_assert_msg(features_parse(&f, spec, error, sizeof error), "%s: %s", spec, error);
    return f;
}

/* ---- instructions --------------------------------------------------------------------------------------------- */

/* Undefined without the feature; with it, anything else. In 32-bit code unless `wide`. */
static const struct {
    const char *feature;
    bool wide;
    uint8_t bytes[8];
} insns[] = {
    {"fpu", false, {0xdb, 0xe3}},                     /* fninit */
    {"fpu", false, {0xd9, 0xc0}},                     /* fld st0 */
    {"fpu", false, {0x9b}},                           /* fwait */
    {"tsc", false, {0x0f, 0x31}},                     /* rdtsc */
    {"msr", false, {0x0f, 0x32}},                     /* rdmsr */
    {"msr", false, {0x0f, 0x30}},                     /* wrmsr */
    {"cx8", false, {0x0f, 0xc7, 0x0e}},               /* cmpxchg8b [esi] */
    {"sep", false, {0x0f, 0x34}},                     /* sysenter */
    {"sep", false, {0x0f, 0x35}},                     /* sysexit */
    {"cmov", false, {0x0f, 0x42, 0xc1}},              /* cmovb eax, ecx */
    {"cmov", false, {0x0f, 0x4f, 0x06}},              /* cmovg eax, [esi] */
    {"cmov", false, {0xda, 0xc1}},                    /* fcmovb */
    {"clflush", false, {0x0f, 0xae, 0x3e}},           /* clflush [esi] */
    {"mmx", false, {0x0f, 0x77}},                     /* emms */
    {"mmx", false, {0x0f, 0x6f, 0xc1}},               /* movq mm0, mm1 */
    {"fxsr", false, {0x0f, 0xae, 0x06}},              /* fxsave [esi] */
    {"fxsr", false, {0x0f, 0xae, 0x0e}},              /* fxrstor [esi] */
    {"sse", false, {0x0f, 0x28, 0xc1}},               /* movaps */
    {"sse", false, {0x0f, 0xae, 0x1e}},               /* stmxcsr [esi] */
    {"sse", false, {0x0f, 0xae, 0xf8}},               /* sfence */
    {"sse2", false, {0x66, 0x0f, 0x6f, 0xc1}},        /* movdqa */
    {"sse2", false, {0x0f, 0xae, 0xf0}},              /* mfence */
    {"sse2", false, {0x0f, 0xae, 0xe8}},              /* lfence */
    {"syscall", true, {0x0f, 0x05}},                  /* syscall */
    {"syscall", true, {0x48, 0x0f, 0x07}},            /* sysret */
    {"cx16", true, {0x48, 0x0f, 0xc7, 0x0e}},         /* cmpxchg16b */
    {"lahf-lm", true, {0x9f}},                        /* lahf */
    {"lahf-lm", true, {0x9e}},                        /* sahf */
    {"fsgsbase", true, {0xf3, 0x0f, 0xae, 0xc0}},     /* rdfsbase */
    {"fsgsbase", true, {0xf3, 0x48, 0x0f, 0xae, 0xd8}}, /* wrgsbase */
    {"smap", true, {0x0f, 0x01, 0xca}},               /* clac */
    {"smap", true, {0x0f, 0x01, 0xcb}},               /* stac */
    {"invpcid", true, {0x66, 0x0f, 0x38, 0x82, 0x06}}, /* invpcid rax, [rsi] */
    {"rdtscp", true, {0x0f, 0x01, 0xf9}},             /* rdtscp */
    {"rdpid", true, {0xf3, 0x0f, 0xc7, 0xf8}},        /* rdpid */
    {"movbe", true, {0x0f, 0x38, 0xf0, 0x06}},        /* movbe eax, [rsi] */
    {"popcnt", true, {0xf3, 0x0f, 0xb8, 0xc1}},       /* popcnt */
    {"bmi1", true, {0xc4, 0xe2, 0x78, 0xf2, 0xc1}},   /* andn */
    {"bmi2", true, {0xc4, 0xe2, 0x78, 0xf5, 0xc1}},   /* bzhi */
    {"adx", true, {0x66, 0x0f, 0x38, 0xf6, 0xc1}},    /* adcx */
    {"clflushopt", true, {0x66, 0x0f, 0xae, 0x3e}},   /* clflushopt [rsi] */
};

static bool is_undefined(const char *spec, bool wide, const uint8_t bytes[8])
{
    struct ring *r = ring_new_cpu(!wide, spec);

    reg(r, RS_REG_CR4, (wide ? CR4_PAE : 0) | (parsed(spec).on[FEAT_FXSR] ? CR4_OSFXSR : 0) |
                           (parsed(spec).on[FEAT_FSGSBASE] ? CR4_FSGSBASE : 0));
    at_level(r, 0);
    if (parsed(spec).on[FEAT_SYSCALL]) reg(r, RS_REG_EFER, get(r, RS_REG_EFER) | EFER_SCE);
    reg(r, RS_REG_RSI, DATA);
    reg(r, RS_REG_RCX, 0);
    reg(r, RS_REG_RAX, 0);
    try_bytes(r, bytes, 8);
    bool ud = r->fault_vector == VEC_UD && r->faults == 1;
    ring_free(r);
    return ud;
}

BOTH(an_instruction_of_a_feature_that_is_off_is_undefined)
{
    char spec[64];

    for (unsigned i = 0; i < sizeof insns / sizeof *insns; i++) {
        snprintf(spec, sizeof spec, "x86-64-v3,-%s", insns[i].feature);
        ck_assert_msg(is_undefined(spec, insns[i].wide, insns[i].bytes), "%s, row %u", spec, i);
        ck_assert_msg(!is_undefined("x86-64-v3", insns[i].wide, insns[i].bytes), "row %u with it", i);
    }
}

/* What no model has yet is undefined, not a gap: a model that promised it would say so in CPUID. */
BOTH(an_instruction_of_a_feature_that_the_model_lacks_is_undefined)
{
    static const uint8_t absent[][8] = {
        {0x0f, 0x01, 0xc8},             /* monitor */
        {0x0f, 0x01, 0xc9},             /* mwait: checks 109 */
        {0x0f, 0xc7, 0xf0},             /* rdrand */
        {0x0f, 0xc7, 0xf8},             /* rdseed */
        {0x0f, 0x01, 0xd0},             /* xgetbv */
        {0x0f, 0xae, 0x26},             /* xsave */
        {0x66, 0x0f, 0x38, 0xdc, 0xc1}, /* aesenc */
        {0x0f, 0x01, 0xc1},             /* vmcall */
        {0x0f, 0x01, 0xd9},             /* vmmcall */
        {0xf3, 0x0f, 0xc7, 0x30},       /* vmxon */
        {0x0f, 0x01, 0xee},             /* rdpkru */
        {0x66, 0x0f, 0xae, 0x36},       /* clwb: not of v3 */
    };

    for (unsigned i = 0; i < sizeof absent / sizeof *absent; i++)
        ck_assert_msg(is_undefined("x86-64-v3", true, absent[i]), "row %u", i);
}

/* Without an FPU the manual has #NM by CR0.EM or CR0.TS as ever: what an emulator of x87 lives on. */
BOTH(without_an_fpu_em_and_ts_still_raise_nm)
{
    struct ring *r = ring_new_cpu(true, "486,-fpu");

    reg(r, RS_REG_CR0, get(r, RS_REG_CR0) | CR0_EM);
    TRY(r, 0xd9, 0xc0);
    REFUSED(r, INSN_TS, NM, 0);
    ring_free(r);
}

BOTH(checks_124_encodings_of_absent_features_are_what_they_were_before)
{
    struct ring *r = ring_new_cpu(true, "pentium3");

    reg(r, RS_REG_RCX, 0x10);
    TRY(r, 0xf3, 0x0f, 0xbd, 0xc1); /* lzcnt: bsr */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 4);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0xbc, 0xc1)); /* tzcnt: bsf */
    ck_assert_uint_eq(get(r, RS_REG_RAX), 4);
    AGAIN(r, 0, TRY(r, 0xf3, 0x90)); /* pause: nop */
    ALLOWED(r);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0x1e, 0xfb)); /* endbr32: nop */
    ALLOWED(r);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0x1e, 0xc8)); /* rdsspd eax: nop */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 4);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0x09)); /* wbnoinvd: wbinvd */
    ALLOWED(r);
    AGAIN(r, 0, TRY(r, 0xf2, 0xe9, 0x10, 0x00, 0x00, 0x00)); /* bnd jmp */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 6 + 0x10);
    ring_free(r);
}

/* The P6 brought NOP with a ModRM and RDPMC. */
BOTH(a_486_and_a_pentium_have_the_instructions_of_their_time)
{
    static const struct {
        const char *cpu;
        bool undefined;
        uint8_t bytes[8];
    } all[] = {{"486", false, {0x0f, 0xb1, 0x0e}}, {"486", false, {0x0f, 0xa2}},        {"486", true, {0x0f, 0x31}},
               {"486", true, {0x0f, 0x32}},        {"486", true, {0x0f, 0xc7, 0x0e}},   {"486", true, {0x0f, 0x1f, 0x06}},
               {"pentium", false, {0x0f, 0x31}},   {"pentium", false, {0x0f, 0xc7, 0x0e}},
               {"pentium", true, {0x0f, 0x42, 0xc1}}, {"pentium", true, {0x0f, 0x33}},  {"pentium", true, {0x0f, 0x1f, 0x06}},
               {"pentium2", false, {0x0f, 0x42, 0xc1}}, {"pentium2", false, {0x0f, 0x1f, 0x06}},
               {"pentium2", true, {0x0f, 0x28, 0xc1}}, {"pentium3", false, {0x0f, 0x28, 0xc1}},
               {"pentium3", true, {0x66, 0x0f, 0x6f, 0xc1}}};

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        ck_assert_msg(is_undefined(all[i].cpu, false, all[i].bytes) == all[i].undefined, "%s, row %u", all[i].cpu, i);
}

/* ---- control bits ------------------------------------------------------------------------------------------- */

BOTH(a_cr4_bit_belongs_to_its_feature)
{
    char spec[64];

    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        const struct feature_row *row = feature_row((enum feature)i);
        if (!row->cr4 || !row->have || row->cr4 == CR4_PAE || row->cr4 == CR4_PCIDE) continue;
        struct ring *r = ring_new_cpu(false, "max");
        mov_cr(r, 4, CR4_PAE | row->cr4);
        PASSED(r, CR4_RSVD);
        ck_assert_uint_eq(get(r, RS_REG_CR4), CR4_PAE | row->cr4);
        ring_free(r);
        snprintf(spec, sizeof spec, "max,-%s", row->name);
        if (!parsed(spec).on[FEAT_LM]) continue; /* the world of this test is gone */
        r = ring_new_cpu(false, spec);
        mov_cr(r, 4, CR4_PAE | row->cr4);
        REFUSED(r, CR4_RSVD, GP, 0);
        ring_free(r);
    }
}

/* Every bit of CR4 on every model: allowed exactly if a feature of the model owns it. */
BOTH(checks_81_each_models_cr4_takes_the_bits_of_its_features_alone)
{
    const char *cpu;

    for (unsigned m = 0; (cpu = features_model(m, NULL)) != NULL; m++) {
        struct features f = parsed(cpu);
        struct ring *r = ring_new_cpu(true, cpu);
        for (unsigned bit = 0; bit < 32; bit++) {
            bool owned = bit == 8 ? f.family >= 6 : false;
            for (unsigned i = 0; i < FEAT_COUNT; i++)
                if (f.on[i] && feature_row((enum feature)i)->cr4 >> bit & 1) owned = true;
            reg(r, RS_REG_CR4, 0);
            mov_cr(r, 4, 1u << bit);
            if (owned && 1u << bit == CR4_PCIDE) REFUSED(r, CR4_PCIDE_LONG, GP, 0);
            else if (owned) ALLOWED(r);
            else REFUSED(r, CR4_RSVD, GP, 0);
        }
        ring_free(r);
    }
}

/* Every bit of EFER on every model; 32-bit processors without SYSCALL and NX have no EFER at all. */
BOTH(checks_82_each_models_efer_takes_the_bits_of_its_features_alone)
{
    const char *cpu;

    for (unsigned m = 0; (cpu = features_model(m, NULL)) != NULL; m++) {
        struct features f = parsed(cpu);
        bool exists = f.on[FEAT_LM] || f.on[FEAT_NX] || f.on[FEAT_SYSCALL];
        struct ring *r = ring_new_cpu(true, cpu);
        if (!f.on[FEAT_MSR]) {
            (void)rdmsr(r, MSR_EFER);
            REFUSED(r, INSN_UNDEFINED, UD, 0);
        }
        for (unsigned bit = 0; f.on[FEAT_MSR] && bit < 64; bit++) {
            uint64_t value = 1ull << bit;
            bool known = (value == EFER_SCE && f.on[FEAT_SYSCALL]) || (value == EFER_LME && f.on[FEAT_LM]) ||
                         (value == EFER_NXE && f.on[FEAT_NX]) || value == EFER_LMA;
            reg(r, RS_REG_EFER, 0);
            wrmsr(r, MSR_EFER, value);
            if (!exists) REFUSED(r, MSR_UNKNOWN, GP, 0);
            else if (!known) REFUSED(r, EFER_RSVD, GP, 0);
            else ALLOWED(r);
            ck_assert_uint_eq(get(r, RS_REG_EFER), exists && known && value != EFER_LMA ? value : 0);
        }
        ring_free(r);
    }
}

/* ---- MSRs ----------------------------------------------------------------------------------------------------- */

BOTH(checks_84_an_msr_of_a_feature_that_is_off_does_not_exist)
{
    static const struct {
        const char *without;
        uint32_t msr;
    } all[] = {{"-lm", MSR_FS_BASE},       {"-lm", MSR_GS_BASE},         {"-lm", MSR_KERNEL_GS_BASE},
               {"-lm", MSR_LSTAR},         {"-lm", MSR_CSTAR},           {"-lm", MSR_FMASK},
               {"-tsc", MSR_TSC},          {"-tsc-adjust", MSR_TSC_ADJUST}, {"-apic", MSR_APIC_BASE},
               {"-sep", MSR_SYSENTER_CS},  {"-sep", MSR_SYSENTER_ESP},   {"-sep", MSR_SYSENTER_EIP},
               {"-pat", MSR_PAT},          {"-mca", MSR_MCG_CAP},        {"-mca", MSR_MCG_STATUS},
               {"-rdtscp,-rdpid", MSR_TSC_AUX}};
    /* architectural MSRs of features that no model has: speculation control, VMX, MTRRs, power, x2APIC */
    static const uint32_t none[] = {0x48, 0x49, 0x10a, 0x10b, 0x3a, 0x480, 0xfe, 0x2ff, 0x200, 0x186, 0x38f,
                                    0x198, 0x19c, 0x6e0, 0x802, 0xda0, 0xc0010117, 0x40000000};
    char spec[64];

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(spec, sizeof spec, "x86-64-v3,%s", all[i].without);
        struct ring *r = ring_new_cpu(true, spec);
        (void)rdmsr(r, all[i].msr);
        REFUSED(r, MSR_UNKNOWN, GP, 0);
        wrmsr(r, all[i].msr, 0);
        REFUSED(r, MSR_UNKNOWN, GP, 0);
        ring_free(r);
        r = ring_new_cpu(true, "x86-64-v3");
        (void)rdmsr(r, all[i].msr);
        PASSED(r, MSR_UNKNOWN);
        ring_free(r);
    }
    struct ring *r = ring_new_cpu(false, "max");
    for (unsigned i = 0; i < sizeof none / sizeof *none; i++) {
        (void)rdmsr(r, none[i]);
        REFUSED(r, MSR_UNKNOWN, GP, 0);
    }
    ring_free(r);
    r = ring_new_cpu(false, "x86-64-v3,-rdtscp"); /* RDPID is enough for IA32_TSC_AUX */
    (void)rdmsr(r, MSR_TSC_AUX);
    ALLOWED(r);
    ring_free(r);
}

#define EDX_NX (1u << 20)

BOTH(misc_enable_keeps_its_bits_limits_cpuid_and_takes_nx_away)
{
    struct ring *r = ring_new_cpu(false, "haswell");

    ck_assert_uint_eq(rdmsr(r, MSR_MISC_ENABLE), 1u << 11 | 1u << 12);
    wrmsr(r, MSR_MISC_ENABLE, 1u << 1);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_MISC_ENABLE, 1u | 1u << 7 | MISC_LIMIT_CPUID | MISC_XD_OFF);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_MISC_ENABLE), 1u | 1u << 11 | 1u << 12 | MISC_LIMIT_CPUID | MISC_XD_OFF);
    ck_assert_uint_eq(AGAIN(r, 0, cpuid_at(r, 0, 0)).a, 2);
    ck_assert_uint_eq(AGAIN(r, 0, cpuid_at(r, 0x80000001, 0)).d & EDX_NX, 0);
    wrmsr(r, MSR_EFER, get(r, RS_REG_EFER) | EFER_NXE);
    REFUSED(r, EFER_RSVD, GP, 0);
    wrmsr(r, MSR_MISC_ENABLE, 0);
    ck_assert_uint_ge(AGAIN(r, 0, cpuid_at(r, 0, 0)).a, 7);
    ck_assert_uint_eq(AGAIN(r, 0, cpuid_at(r, 0x80000001, 0)).d & EDX_NX, EDX_NX);
    ring_free(r);
    r = ring_new_cpu(false, "haswell,-nx"); /* nothing to take away: the bit is reserved */
    wrmsr(r, MSR_MISC_ENABLE, 0);
    ALLOWED(r);
    wrmsr(r, MSR_MISC_ENABLE, MISC_XD_OFF);
    REFUSED(r, MSR_RSVD, GP, 0);
    ring_free(r);
}

/* ---- CPUID ----------------------------------------------------------------------------------------------------- */

BOTH(checks_109_cpuid_faults_outside_ring_0_if_asked_to)
{
    struct ring *r = ring_new_cpu(false, "ivybridge");

    ck_assert_uint_eq(rdmsr(r, MSR_PLATFORM_INFO) >> 31 & 1, 1);
    AGAIN(r, 3, TRY(r, 0x0f, 0xa2));
    PASSED(r, INSN_CPUID);
    wrmsr(r, MSR_MISC_FEATURES, 2);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_MISC_FEATURES, 1);
    ALLOWED(r);
    AGAIN(r, 3, TRY(r, 0x0f, 0xa2));
    REFUSED(r, INSN_CPUID, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    AGAIN(r, 0, TRY(r, 0x0f, 0xa2));
    PASSED(r, INSN_CPUID);
    ring_free(r);
    r = ring_new_cpu(false, "nehalem"); /* too old */
    wrmsr(r, MSR_MISC_FEATURES, 1);
    REFUSED(r, MSR_UNKNOWN, GP, 0);
    ring_free(r);
}

static bool cpuid_bit(struct ring *r, const struct feature_row *row)
{
    AGAIN(r, 0, (void)0);
    if (cpuid_at(r, row->leaf & 0x80000000, 0).a < row->leaf) return false;
    at_level(r, 0);
    struct regs4 v = cpuid_at(r, row->leaf, row->sub);
    uint32_t word[] = {v.a, v.b, v.c, v.d};
    return word[row->reg] >> row->bit & 1;
}

/* Bit by bit, in 64-bit mode where there is one (Intel shows SYSCALL there alone). */
BOTH(cpuid_shows_each_models_features_and_no_others)
{
    const char *cpu;

    for (unsigned m = 0; (cpu = features_model(m, NULL)) != NULL; m++) {
        struct features f = parsed(cpu);
        struct ring *r = ring_new_cpu(!f.on[FEAT_LM], cpu);
        ck_assert_uint_eq(AGAIN(r, 0, cpuid_at(r, 1, 0)).a, f.signature);
        for (unsigned i = 0; i < FEAT_COUNT; i++) {
            const struct feature_row *row = feature_row((enum feature)i);
            if (i == FEAT_SYSCALL && f.maker == MAKER_INTEL && !f.on[FEAT_LM]) continue;
            ck_assert_msg(cpuid_bit(r, row) == f.on[i], "%s, %s", cpu, row->name);
        }
        if (f.on[FEAT_LM]) ck_assert_uint_eq(AGAIN(r, 0, cpuid_at(r, 0x80000008, 0)).a, f.maxphyaddr | 48u << 8);
        ring_free(r);
    }
}

/* ---- the local APIC ------------------------------------------------------------------------------------------- */

BOTH(without_an_apic_its_page_is_ordinary_address_space)
{
    static const uint8_t load[] = {0xa1, 0x30, 0x00, 0xe0, 0xfe}; /* mov eax, [0xfee00030]: the version */

    for (unsigned has = 0; has < 2; has++) {
        struct ring *r = ring_new_cpu(true, has ? "pentium" : "pentium,-apic");
        reg(r, RS_REG_RAX, 0);
        try_bytes(r, load, sizeof load);
        ALLOWED(r);
        ck_assert_int_eq((get(r, RS_REG_RAX) & 0xff) == 0x14, has);
        ring_free(r);
    }
}

START_TEST(a_64_bit_entry_needs_long_mode)
{
    struct rs_config config;
    rs_machine *m;
    char error[200];

    rs_config_init(&config);
    config.mem_bytes = 16u << 20;
    config.cpu = "coreduo";
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_OK);
    ck_assert_int_eq(rs_load_flat(m, "\x90", 1, CODE, CODE, RS_FLAT_LONG64, TABLES), RS_E_CONFIG);
    ck_assert_str_eq(rs_error(m), "flat image: a 64-bit entry point needs a processor with long mode; coreduo has none");
    rs_destroy(m);
}
END_TEST

/* ---- switches --------------------------------------------------------------------------------------------------- */

START_TEST(a_feature_takes_what_needs_it_with_it_and_brings_what_it_needs)
{
    struct features f = parsed("x86-64-v3,-fxsr");

    ck_assert(!f.on[FEAT_SSE] && !f.on[FEAT_SSE2] && !f.on[FEAT_LM] && !f.on[FEAT_CX16] && f.on[FEAT_CX8]);
    f = parsed("486,+sse2");
    ck_assert(f.on[FEAT_SSE] && f.on[FEAT_FXSR] && !f.on[FEAT_CMOV]);
    f = parsed("486,+lm");
    ck_assert(f.on[FEAT_PAE] && f.on[FEAT_MSR] && f.on[FEAT_FXSR]);
    f = parsed("x86-64-v3,-avx,+avx2"); /* the later wins */
    ck_assert(f.on[FEAT_AVX] && f.on[FEAT_XSAVE]);
    f = parsed("x86-64-v3,+avx2,-xsave");
    ck_assert(!f.on[FEAT_AVX] && !f.on[FEAT_AVX2]);
    f = parsed("Haswell,-CMPXCHG8B");
    ck_assert(!f.on[FEAT_CX8] && !f.on[FEAT_CX16]);
}
END_TEST

/* A row names a base above it; every maker's word has 12 letters; every model is complete in itself. */
START_TEST(every_model_has_what_its_features_need)
{
    const char *cpu;

    for (unsigned m = 0; (cpu = features_model(m, NULL)) != NULL; m++) {
        struct features f = parsed(cpu);
        ck_assert_uint_eq(strlen(f.vendor), 12);
        ck_assert_uint_lt(strlen(f.brand), 48);
        for (unsigned i = 0; i < FEAT_COUNT; i++) {
            char spec[64];
            snprintf(spec, sizeof spec, "%s,+%s", cpu, feature_row((enum feature)i)->name);
            struct features again = parsed(spec);
            for (unsigned j = 0; f.on[i] && j < FEAT_COUNT; j++)
                ck_assert_msg(f.on[j] == again.on[j], "%s lacks %s for %s", cpu,
                              feature_row((enum feature)j)->name, feature_row((enum feature)i)->name);
        }
    }
    ck_assert(parsed("coreduo").on[FEAT_NX] && !parsed("coreduo").on[FEAT_LM] && parsed("conroe").on[FEAT_LM]);
    ck_assert_uint_eq(parsed("haswell").signature, 0x306c4);
    ck_assert_uint_eq(parsed("epyc").signature, 0x800f12);
    ck_assert_uint_eq(parsed("epyc-milan").signature, 0xa00f11);
    ck_assert_uint_eq(parsed("486").signature, 0x480);
    ck_assert_uint_eq(parsed("sapphire-rapids").signature, 0x806f4);
}
END_TEST

RUN_TESTS("models", an_instruction_of_a_feature_that_is_off_is_undefined,
          an_instruction_of_a_feature_that_the_model_lacks_is_undefined, without_an_fpu_em_and_ts_still_raise_nm,
          checks_124_encodings_of_absent_features_are_what_they_were_before,
          a_486_and_a_pentium_have_the_instructions_of_their_time, a_cr4_bit_belongs_to_its_feature,
          checks_81_each_models_cr4_takes_the_bits_of_its_features_alone,
          checks_82_each_models_efer_takes_the_bits_of_its_features_alone,
          checks_84_an_msr_of_a_feature_that_is_off_does_not_exist,
          misc_enable_keeps_its_bits_limits_cpuid_and_takes_nx_away,
          checks_109_cpuid_faults_outside_ring_0_if_asked_to, cpuid_shows_each_models_features_and_no_others,
          without_an_apic_its_page_is_ordinary_address_space, a_64_bit_entry_needs_long_mode,
          a_feature_takes_what_needs_it_with_it_and_brings_what_it_needs, every_model_has_what_its_features_need)
