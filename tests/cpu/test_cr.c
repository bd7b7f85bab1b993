/*
 * test_cr.c - every legal and illegal write of the control registers, by guest code on both engines: what is
 * expected is written down here anew, from the manual, not asked of the judges.
 * Manual: SDM 3A "Control Registers", "Initializing IA-32e Mode"; SDM 2B "MOV - Move to/from Control Registers";
 * SDM 2A "LMSW", "CLTS"; SDM 2B "SMSW".
 */
#include "cpu/features.h"
#include "tests/cpu/both.h"

static void refused_by(struct ring *r, unsigned rule)
{
    struct rs_rule_info want = {.name = "none"}, got = {.name = "none"};

    rs_rule_info(rule, &want);
    rs_rule_info(r->rule, &got);
    ck_assert_str_eq(got.name, want.name);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->fault_error, 0);
    ck_assert_uint_eq(r->faults, 1);
}

/* ---- CR0 ------------------------------------------------------------------------------------------------------- */

/* In IA-32e mode, PCIDE=0: the first that the manual's page on MOV to CR0 names. */
static unsigned cr0_in_long_mode(uint64_t v, bool mode64)
{
    if (v >> 32) return RS_RULE_CR0_RSVD;
    if ((v & CR0_PG) && !(v & CR0_PE)) return RS_RULE_CR0_PG_PE;
    if ((v & CR0_NW) && !(v & CR0_CD)) return RS_RULE_CR0_NW_CD;
    if (!(v & CR0_PG) && mode64) return RS_RULE_CR0_PG_64;
    return RS_RULE_NONE;
}

static uint64_t scatter(unsigned n)
{
    static const uint64_t bits[] = {CR0_PE, CR0_PG, CR0_NW, CR0_CD, CR0_TS, CR0_WP, 1ull << 32, 1ull << 6};
    uint64_t v = 0;

    for (unsigned i = 0; i < 8; i++)
        if (n >> i & 1) v |= bits[i];
    return v;
}

BOTH(checks_80_every_cr0_is_taken_or_refused_as_the_manual_says)
{
    for (unsigned compat = 0; compat < 2; compat++) {
        struct ring *r = ring_new(false);
        uint64_t efer = get(r, RS_REG_EFER), cr0 = get(r, RS_REG_CR0);
        for (unsigned n = 0; n < 256; n++) {
            uint64_t v = scatter(n);
            unsigned want = cr0_in_long_mode(compat ? (uint32_t)v : v, !compat);
            if (want == RS_RULE_NONE && !(v & CR0_PE)) continue; /* real mode */
            reg(r, RS_REG_CR0, cr0);
            reg(r, RS_REG_EFER, efer);
            if (compat) in_compatibility_mode(r, 0);
            else at_level(r, 0);
            reg(r, RS_REG_RAX, v);
            TRY(r, 0x0f, 0x22, 0xc0);
            if (want != RS_RULE_NONE) {
                refused_by(r, want);
                ck_assert_uint_eq(get(r, RS_REG_CR0), cr0);
                continue;
            }
            ALLOWED(r);
            /* ET is 1 whatever is written, reserved bits of the lower half are ignored */
            ck_assert_uint_eq(get(r, RS_REG_CR0), ((uint32_t)v & ~(1u << 6)) | CR0_ET);
            ck_assert_uint_eq(get(r, RS_REG_EFER) & EFER_LMA, v & CR0_PG ? EFER_LMA : 0);
        }
        ring_free(r);
    }
}

/* Four levels that map the first GiB to itself. */
static void tables(struct ring *r)
{
    poke(r, TABLES, (TABLES + 0x1000) | PTE_P | PTE_W, 8);
    poke(r, TABLES + 0x1000, (TABLES + 0x2000) | PTE_P | PTE_W, 8);
    for (uint64_t i = 0; i < 512; i++) poke(r, TABLES + 0x2000 + 8 * i, i << 21 | PTE_PS | PTE_P | PTE_W, 8);
    reg(r, RS_REG_CR3, TABLES);
}

BOTH(checks_79_paging_with_lme_needs_pae_no_64_bit_cs_and_no_16_bit_tss)
{
    static const unsigned tss[] = {SYS_TSS16, SYS_TSS16_BUSY, SYS_TSS, SYS_TSS_BUSY};
    struct ring *r = ring_new(true);
    uint64_t cr0 = get(r, RS_REG_CR0);

    tables(r);
    for (unsigned n = 0; n < 16; n++) {
        bool pae = n & 1, l = n & 2, short_tss = n >> 2 < 2;
        reg(r, RS_REG_CR0, cr0);
        reg(r, RS_REG_EFER, EFER_LME);
        reg(r, RS_REG_CR4, pae ? CR4_PAE : 0);
        segment(r, I_TR, S_TSS, TSS, 0x67, ATTR_P | tss[n >> 2]);
        at_level(r, 0);
        if (l) reg(r, RS_REG_ES_ATTR + I_CS, get(r, RS_REG_ES_ATTR + I_CS) | ATTR_L);
        reg(r, RS_REG_RAX, cr0 | CR0_PG);
        TRY(r, 0x0f, 0x22, 0xc0);
        if (pae && !l && !short_tss) {
            ALLOWED(r);
            ck_assert_uint_eq(get(r, RS_REG_EFER), EFER_LME | EFER_LMA);
        } else {
            refused_by(r, !pae ? RS_RULE_CR0_LME_PAE : l ? RS_RULE_CR0_LME_CS_L : RS_RULE_CR0_LME_TSS);
            ck_assert_uint_eq(get(r, RS_REG_EFER), EFER_LME);
            ck_assert_uint_eq(get(r, RS_REG_CR0), cr0);
        }
    }
    ring_free(r);
}

/* Gates and TSS of IA-32e mode, or of legacy mode. */
static void world_is(struct ring *r, bool legacy)
{
    r->prot32 = legacy;
    ring_tables(r);
    reg(r, RS_REG_IDTR_LIMIT, legacy ? 0x7ff : 0xfff);
    at_level(r, 0);
}

/* The whole way in and out again, in the manual's order; each step out of order is refused. */
BOTH(checks_79_the_way_into_ia_32e_mode_and_back)
{
    struct ring *r = ring_new(true);
    uint64_t cr0 = get(r, RS_REG_CR0);

    tables(r);
    mov_cr(r, 4, CR4_PAE);
    wrmsr(r, MSR_EFER, EFER_LME);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_EFER), EFER_LME); /* enabled, not active */
    mov_cr(r, 0, cr0 | CR0_PG);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_EFER), EFER_LME | EFER_LMA);
    world_is(r, false);
    mov_cr(r, 4, 0);
    refused_by(r, RS_RULE_CR4_PAE_LONG);
    wrmsr(r, MSR_EFER, 0);
    refused_by(r, RS_RULE_EFER_LME_PG);
    mov_cr(r, 0, cr0);
    refused_by(r, RS_RULE_CR0_PG_64);
    in_compatibility_mode(r, 0);
    reg(r, RS_REG_RAX, cr0);
    TRY(r, 0x0f, 0x22, 0xc0);
    ALLOWED(r);
    world_is(r, true);
    ck_assert_uint_eq(get(r, RS_REG_EFER), EFER_LME);
    mov_cr(r, 4, 0);
    ALLOWED(r);
    wrmsr(r, MSR_EFER, 0);
    ALLOWED(r);
    ring_free(r);
}

/* ---- LMSW, SMSW, CLTS ---------------------------------------------------------------------------------------------- */

BOTH(checks_88_lmsw_writes_four_bits_and_never_clears_pe)
{
    struct ring *r = ring_new(false);
    uint64_t cr0 = (get(r, RS_REG_CR0) | CR0_WP | CR0_NE) & ~(uint64_t)(CR0_MP | CR0_EM | CR0_TS);

    for (unsigned n = 0; n < 64; n++) {
        uint64_t want = cr0 | (n & 14), value = (n & 15) | (n & 16 ? 0xfff0 : 0);
        bool mem = n & 32;
        reg(r, RS_REG_CR0, cr0);
        at_level(r, 0);
        reg(r, RS_REG_RAX, mem ? DATA : value | 0xffffffffffff0000ull);
        poke(r, DATA, value, 2);
        if (mem) TRY(r, 0x0f, 0x01, 0x30);
        else TRY(r, 0x0f, 0x01, 0xf0);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_CR0), want);
        at_level(r, 0);
        TRY(r, 0x0f, 0x06); /* clts */
        ck_assert_uint_eq(get(r, RS_REG_CR0), want & ~(uint64_t)CR0_TS);
    }
    AGAIN(r, 3, TRY(r, 0x0f, 0x06));
    REFUSED(r, INSN_CPL0, GP, 0);
    AGAIN(r, 3, TRY(r, 0x0f, 0x01, 0xf0));
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

BOTH(checks_88_smsw_stores_as_wide_as_its_register_and_two_bytes_in_memory)
{
    struct ring *r = ring_new(false);
    uint64_t cr0 = get(r, RS_REG_CR0) | CR0_WP | CR0_AM;

    reg(r, RS_REG_CR0, cr0);
    reg(r, RS_REG_RAX, ~0ull);
    AGAIN(r, 3, TRY(r, 0x66, 0x0f, 0x01, 0xe0)); /* smsw ax */
    ck_assert_uint_eq(get(r, RS_REG_RAX), ~0xffffull | (cr0 & 0xffff));
    reg(r, RS_REG_RAX, ~0ull);
    AGAIN(r, 3, TRY(r, 0x0f, 0x01, 0xe0)); /* smsw eax */
    ck_assert_uint_eq(get(r, RS_REG_RAX), cr0);
    reg(r, RS_REG_RAX, ~0ull);
    AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0x01, 0xe0)); /* smsw rax */
    ck_assert_uint_eq(get(r, RS_REG_RAX), cr0);
    for (unsigned wide = 0; wide < 2; wide++) {
        poke(r, DATA, ~0ull, 8);
        reg(r, RS_REG_RAX, DATA);
        if (wide) AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0x01, 0x20));
        else AGAIN(r, 3, TRY(r, 0x0f, 0x01, 0x20));
        ck_assert_uint_eq(peek(r, DATA, 8), ~0xffffull | (cr0 & 0xffff));
    }
    ring_free(r);
}

/* ---- CR2, CR3, CR4, CR8 ---------------------------------------------------------------------------------------- */

BOTH(checks_81_every_bit_of_cr3_and_cr8_and_any_cr2)
{
    struct ring *r = ring_new_cpu(false, "epyc"); /* 48 physical address bits */
    uint64_t cr3 = get(r, RS_REG_CR3);

    for (unsigned bit = 12; bit < 64; bit++) {
        if (bit == 21 || (bit > 12 && bit < 48)) continue; /* another table: nothing would be mapped */
        mov_cr(r, 3, bit < 48 ? cr3 : cr3 | 1ull << bit);
        if (bit < 48) ALLOWED(r);
        else refused_by(r, RS_RULE_CR3_RSVD);
    }
    for (unsigned bit = 4; bit < 64; bit++) {
        mov_cr(r, 8, 1ull << bit | 5);
        refused_by(r, RS_RULE_CR8_RSVD);
    }
    for (unsigned n = 0; n < 16; n++) {
        mov_cr(r, 8, n);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_CR8), n);
    }
    mov_cr(r, 2, NON_CANON | 1); /* CR2 holds what is written */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR2), NON_CANON | 1);
    ring_free(r);
}

/* Upper half of CR4, and PCIDE's own rules. */
BOTH(checks_30_pcide_wants_long_mode_and_pcid_0_and_holds_paging)
{
    struct ring *r = ring_new(false);
    uint64_t cr3 = get(r, RS_REG_CR3);

    for (unsigned bit = 32; bit < 64; bit++) {
        mov_cr(r, 4, CR4_PAE | 1ull << bit);
        refused_by(r, RS_RULE_CR4_RSVD);
    }
    mov_cr(r, 4, ~0ull);
    refused_by(r, RS_RULE_CR4_RSVD);
    mov_cr(r, 3, cr3 | CR3_PCD);
    mov_cr(r, 4, CR4_PAE | CR4_PCIDE);
    refused_by(r, RS_RULE_CR4_PCIDE_CR3);
    mov_cr(r, 3, cr3);
    mov_cr(r, 4, CR4_PAE | CR4_PCIDE);
    PASSED(r, CR4_PCIDE_CR3);
    mov_cr(r, 3, cr3 | 1ull << 63 | 0xabc); /* bit 63 is a command now */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR3), cr3 | 0xabc);
    mov_cr(r, 3, cr3 | 1ull << 62);
    refused_by(r, RS_RULE_CR3_RSVD);
    in_compatibility_mode(r, 0);
    reg(r, RS_REG_RAX, get(r, RS_REG_CR0) & ~(uint64_t)CR0_PG);
    TRY(r, 0x0f, 0x22, 0xc0);
    refused_by(r, RS_RULE_CR0_PG_PCIDE);
    ring_free(r);

    r = ring_new_cpu(false, "x86-64-v3,-pcid"); /* checks 23: no LA57 either, on any model */
    mov_cr(r, 4, CR4_PAE | CR4_PCIDE);
    refused_by(r, RS_RULE_CR4_RSVD);
    mov_cr(r, 4, CR4_PAE | CR4_LA57);
    refused_by(r, RS_RULE_CR4_RSVD);
    ring_free(r);
}

/* SDM 2B: CR1, CR5 to CR7, CR9 to CR15 are #UD at any level: the form comes before privilege. */
BOTH(checks_86_a_control_register_that_is_none_is_undefined_before_cpl_is_asked)
{
    struct ring *r = ring_new(false);

    for (unsigned cr = 0; cr < 16; cr++) {
        bool exists = cr == 0 || cr == 2 || cr == 3 || cr == 4 || cr == 8;
        for (unsigned to = 0; to < 2; to++) {
            const uint8_t bytes[] = {(uint8_t)(cr < 8 ? 0x40 : 0x44), 0x0f, (uint8_t)(0x20 + 2 * to),
                                     (uint8_t)(0xc0 | (cr & 7) << 3)};
            at_level(r, 3);
            reg(r, RS_REG_RAX, 0);
            try_bytes(r, bytes, 4);
            if (exists) REFUSED(r, INSN_CPL0, GP, 0);
            else UNDEFINED(r);
            at_level(r, 0);
            if (exists) continue;
            try_bytes(r, bytes, 4);
            UNDEFINED(r);
        }
    }
    ring_free(r);
}

/* mod 0, 1 and 2 name registers, too, and no displacement follows. */
BOTH(checks_120_every_mod_of_mov_cr_and_mov_dr_names_a_register)
{
    struct ring *r = ring_new(false);

    for (unsigned mod = 0; mod < 4; mod++) {
        for (unsigned rm = 0; rm < 8; rm++) {
            const uint8_t cr[] = {0x0f, 0x20, (uint8_t)(mod << 6 | rm)}, dr[] = {0x0f, 0x21, (uint8_t)(mod << 6 | 7 << 3 | rm)};
            if (rm == 4) continue; /* RSP: the frame of nothing */
            at_level(r, 0);
            reg(r, RS_REG_RAX + rm, 0);
            try_bytes(r, cr, 3);
            ALLOWED(r);
            ck_assert_uint_eq(get(r, RS_REG_RAX + rm), get(r, RS_REG_CR0));
            ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
            at_level(r, 0);
            try_bytes(r, dr, 3);
            ck_assert_uint_eq(get(r, RS_REG_RAX + rm), DR7_FIXED);
            ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
        }
    }
    ring_free(r);
}

/* INVD, WBINVD: privileged, nothing to see. CLFLUSH of an absent page faults as a load does: test_access.c. */
BOTH(checks_86_invd_and_wbinvd_are_for_ring_0)
{
    struct ring *r = ring_new(false);

    AGAIN(r, 0, TRY(r, 0x0f, 0x08));
    PASSED(r, INSN_CPL0);
    AGAIN(r, 0, TRY(r, 0x0f, 0x09));
    PASSED(r, INSN_CPL0);
    AGAIN(r, 3, TRY(r, 0x0f, 0x08));
    REFUSED(r, INSN_CPL0, GP, 0);
    AGAIN(r, 3, TRY(r, 0x0f, 0x09));
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

/* XCR0 knows x87 and SSE today; x87 cannot be off, SSE may. Every value of the low byte and each bit above. */
BOTH(checks_108_every_xcr0_of_x87_and_sse)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v3,+xsave");

    for (unsigned n = 0; n < 256 + 56; n++) {
        uint64_t v = n < 256 ? n : 1ull << (n - 248) | 1;
        reg(r, RS_REG_CR4, CR4_PAE | CR4_OSXSAVE);
        at_level(r, 0);
        reg(r, RS_REG_RCX, 0);
        reg(r, RS_REG_RAX, (uint32_t)v);
        reg(r, RS_REG_RDX, v >> 32);
        TRY(r, 0x0f, 0x01, 0xd1);
        if (v == 1 || v == 3) PASSED(r, INSN_XCR);
        else refused_by(r, RS_RULE_INSN_XCR);
    }
    ring_free(r);
}

RUN_TESTS("cr", checks_80_every_cr0_is_taken_or_refused_as_the_manual_says,
          checks_79_paging_with_lme_needs_pae_no_64_bit_cs_and_no_16_bit_tss,
          checks_79_the_way_into_ia_32e_mode_and_back, checks_88_lmsw_writes_four_bits_and_never_clears_pe,
          checks_88_smsw_stores_as_wide_as_its_register_and_two_bytes_in_memory,
          checks_81_every_bit_of_cr3_and_cr8_and_any_cr2, checks_30_pcide_wants_long_mode_and_pcid_0_and_holds_paging,
          checks_86_a_control_register_that_is_none_is_undefined_before_cpl_is_asked,
          checks_120_every_mod_of_mov_cr_and_mov_dr_names_a_register, checks_86_invd_and_wbinvd_are_for_ring_0,
          checks_108_every_xcr0_of_x87_and_sse)
