/*
 * test_access.c - what every instruction meets: may it be here, may its bytes be fetched, may its operands
 * be touched. Both verdicts of each rule of paging, segments, canonical addresses, alignment, instruction
 * length and availability, by guest code through rs_run.
 */
#include "tests/cpu/ring.h"

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);
    at_level(r, cpl);
    return r;
}

/* One instruction at this level with RAX and RSP set. */
#define WITH(r, cpl, rax, ...)                                                                     \
    do {                                                                                           \
        at_level((r), (cpl));                                                                      \
        reg((r), RS_REG_RAX, (rax));                                                               \
        TRY((r), __VA_ARGS__);                                                                     \
    } while (0)

/* Fetch from an address: a NOP stands there. */
static void fetch(struct ring *r, unsigned cpl, uint64_t from)
{
    at_level(r, cpl);
    reg(r, RS_REG_RIP, from);
    go(r, 1);
}

#define READ_RAX 0x48, 0x8b, 0x08  /* MOV RCX, [RAX] */
#define WRITE_RAX 0x48, 0x89, 0x08 /* MOV [RAX], RCX */
#define READ_EAX 0x8b, 0x08
#define WRITE_EAX 0x89, 0x08
#define NONCANONICAL 0x8000000000000000ull

/* ---- paging ------------------------------------------------------------------------------------------------------- */

/* The 2-MByte page at this address gets these flags, and caches are dropped. */
static void page(struct ring *r, uint64_t linear, uint64_t flags)
{
    uint64_t address = linear & ~0x1fffffull;

    poke(r, TABLES + 0x2000 + 8 * (linear >> 21), address | PTE_PS | flags, 8);
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));
}

#define USER_PAGE (PTE_P | PTE_W | PTE_U)
#define SUP_PAGE (PTE_P | PTE_W)

START_TEST(checks_1_and_2_a_page_that_is_absent_or_malformed_refuses_whoever_comes)
{
    struct ring *r = at(3);

    for (unsigned cpl = 0; cpl < 4; cpl += 3) {
        uint64_t user = cpl ? PFEC_U : 0;
        page(r, GUARD, 0);
        WITH(r, cpl, GUARD, READ_RAX);
        REFUSED(r, PG_P, PF, user);
        ck_assert_uint_eq(get(r, RS_REG_CR2), GUARD);
        WITH(r, cpl, GUARD, WRITE_RAX);
        REFUSED(r, PG_P, PF, user | PFEC_W);
        page(r, GUARD, USER_PAGE | 1ull << 51); /* above MAXPHYADDR */
        WITH(r, cpl, GUARD + 8, READ_RAX);
        REFUSED(r, PG_RSVD, PF, user | PFEC_P | PFEC_RSVD);
        ck_assert_uint_eq(get(r, RS_REG_CR2), GUARD + 8);
        page(r, GUARD, USER_PAGE);
        WITH(r, cpl, GUARD, READ_RAX);
        PASSED(r, PG_P);
        ck_assert(!r->hears || r->passed[RS_RULE_PG_RSVD]);
    }
    ring_free(r);
}
END_TEST

START_TEST(a_user_needs_user_pages_and_writable_ones_for_writing)
{
    struct ring *r = at(3);

    page(r, GUARD, SUP_PAGE);
    WITH(r, 3, GUARD, READ_RAX);
    REFUSED(r, PG_US, PF, PFEC_P | PFEC_U);
    WITH(r, 3, GUARD, WRITE_RAX);
    REFUSED(r, PG_US, PF, PFEC_P | PFEC_U | PFEC_W);
    for (unsigned cpl = 0; cpl < 3; cpl++) {
        WITH(r, cpl, GUARD, WRITE_RAX);
        ALLOWED(r);
    }
    page(r, GUARD, PTE_P | PTE_U);
    WITH(r, 3, GUARD, READ_RAX);
    PASSED(r, PG_US);
    WITH(r, 3, GUARD, WRITE_RAX);
    REFUSED(r, PG_WR_USER, PF, PFEC_P | PFEC_U | PFEC_W);
    page(r, GUARD, USER_PAGE);
    WITH(r, 3, GUARD, WRITE_RAX);
    PASSED(r, PG_WR_USER);
    ring_free(r);
}
END_TEST

START_TEST(write_protection_binds_the_supervisor_while_wp_is_set)
{
    struct ring *r = at(0);
    uint64_t cr0 = get(r, RS_REG_CR0);

    page(r, GUARD, PTE_P);
    reg(r, RS_REG_CR0, cr0 | CR0_WP);
    WITH(r, 0, GUARD, WRITE_RAX);
    REFUSED(r, PG_WR_SUP, PF, PFEC_P | PFEC_W);
    reg(r, RS_REG_CR0, cr0 & ~(uint64_t)CR0_WP);
    WITH(r, 0, GUARD, WRITE_RAX);
    ALLOWED(r);
    reg(r, RS_REG_CR0, cr0 | CR0_WP);
    page(r, GUARD, SUP_PAGE);
    WITH(r, 0, GUARD, WRITE_RAX);
    PASSED(r, PG_WR_SUP);
    ring_free(r);
}
END_TEST

START_TEST(nothing_runs_from_a_page_with_xd_while_nxe_is_set)
{
    struct ring *r = at(3);
    uint64_t efer = get(r, RS_REG_EFER);

    reg(r, RS_REG_EFER, efer | EFER_NXE);
    poke(r, GUARD, 0x90, 1);
    page(r, GUARD, USER_PAGE | PTE_XD);
    fetch(r, 3, GUARD);
    REFUSED(r, PG_NX, PF, PFEC_P | PFEC_U | PFEC_I);
    fetch(r, 0, GUARD);
    REFUSED(r, PG_NX, PF, PFEC_P | PFEC_I);
    WITH(r, 3, GUARD, READ_RAX);
    ALLOWED(r);
    page(r, GUARD, USER_PAGE);
    fetch(r, 3, GUARD);
    PASSED(r, PG_NX);
    reg(r, RS_REG_EFER, efer);
    page(r, GUARD, USER_PAGE | PTE_XD); /* bit 63 is reserved now */
    fetch(r, 3, GUARD);
    REFUSED(r, PG_RSVD, PF, PFEC_P | PFEC_U | PFEC_RSVD);
    ring_free(r);
}
END_TEST

START_TEST(checks_13_smep_keeps_the_supervisor_from_running_user_pages)
{
    struct ring *r = at(0);

    poke(r, GUARD, 0x90, 1);
    page(r, HANDLER, SUP_PAGE); /* the handlers' and the tables' own */
    reg(r, RS_REG_CR4, CR4_PAE | CR4_SMEP);
    page(r, GUARD, USER_PAGE);
    fetch(r, 0, GUARD);
    REFUSED(r, PG_SMEP, PF, PFEC_P | PFEC_I);
    fetch(r, 3, GUARD);
    ALLOWED(r);
    page(r, GUARD, SUP_PAGE);
    fetch(r, 0, GUARD);
    PASSED(r, PG_SMEP);
    reg(r, RS_REG_CR4, CR4_PAE);
    page(r, GUARD, USER_PAGE);
    fetch(r, 0, GUARD);
    ALLOWED(r);
    ring_free(r);
}
END_TEST

START_TEST(checks_14_smap_keeps_the_supervisor_from_user_data_unless_ac_is_set)
{
    struct ring *r = at(0);

    page(r, HANDLER, SUP_PAGE);
    page(r, GUARD, USER_PAGE);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_SMAP);
    WITH(r, 0, GUARD, READ_RAX);
    REFUSED(r, PG_SMAP, PF, PFEC_P);
    WITH(r, 0, GUARD, WRITE_RAX);
    REFUSED(r, PG_SMAP, PF, PFEC_P | PFEC_W);
    at_level(r, 0);
    reg(r, RS_REG_RFLAGS, RF_AC | 2);
    TRY(r, READ_RAX);
    PASSED(r, PG_SMAP);
    WITH(r, 3, GUARD, READ_RAX);
    ALLOWED(r);
    reg(r, RS_REG_CR4, CR4_PAE);
    WITH(r, 0, GUARD, READ_RAX);
    ALLOWED(r);
    ring_free(r);
}
END_TEST

START_TEST(checks_14_smap_keeps_descriptor_tables_out_of_user_pages_whatever_ac_says)
{
    struct ring *r = at(3);

    page(r, HANDLER, SUP_PAGE);
    page(r, GUARD, USER_PAGE);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_SMAP);
    poke(r, GUARD, D_DATA | D_DPL(3), 8);
    poke(r, LDT, D_DATA | D_DPL(3), 8);
    segment(r, I_LDTR, S_LDT, GUARD, 7, ATTR_P | SYS_LDT);
    WITH(r, 3, 7, 0x8e, 0xe0); /* MOV FS, AX */
    REFUSED(r, PG_SMAP_IMPLICIT, PF, PFEC_P);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, RF_AC | 2);
    TRY(r, 0x8e, 0xe0);
    REFUSED(r, PG_SMAP_IMPLICIT, PF, PFEC_P);
    segment(r, I_LDTR, S_LDT, LDT, 7, ATTR_P | SYS_LDT);
    WITH(r, 3, 7, 0x8e, 0xe0);
    PASSED(r, PG_SMAP_IMPLICIT);
    ck_assert_uint_eq(get(r, RS_REG_FS), 7);
    ring_free(r);
}
END_TEST

/* ---- canonical addresses --------------------------------------------------------------------------------------------- */

START_TEST(checks_34_addresses_are_canonical_in_64_bit_mode)
{
    struct ring *r = at(3);

    WITH(r, 3, NONCANONICAL, READ_RAX);
    REFUSED(r, CANON_MEM, GP, 0);
    WITH(r, 3, NONCANONICAL, WRITE_RAX);
    REFUSED(r, CANON_MEM, GP, 0);
    WITH(r, 3, 0x7ffffffffff9, READ_RAX); /* its last byte is the first beyond */
    REFUSED(r, CANON_MEM, GP, 0);
    WITH(r, 3, DATA, READ_RAX);
    PASSED(r, CANON_MEM);

    at_level(r, 3);
    reg(r, RS_REG_RSP, NONCANONICAL);
    TRY(r, 0x50); /* PUSH RAX */
    REFUSED(r, CANON_STACK, SS, 0);
    at_level(r, 3);
    reg(r, RS_REG_RBP, NONCANONICAL);
    TRY(r, 0x48, 0x8b, 0x45, 0x00); /* MOV RAX, [RBP]: SS by default */
    REFUSED(r, CANON_STACK, SS, 0);
    WITH(r, 3, 0, 0x50);
    PASSED(r, CANON_STACK);

    WITH(r, 3, NONCANONICAL, 0xff, 0xe0); /* JMP RAX */
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    WITH(r, 3, TARGET, 0xff, 0xe0);
    PASSED(r, CANON_FETCH);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}
END_TEST

START_TEST(running_off_the_end_of_the_lower_half_is_a_fetch_from_nowhere)
{
    struct ring *r = at(3);

    fetch(r, 3, 0x0000800000000000ull);
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), 0x0000800000000000ull);
    ring_free(r);
}
END_TEST

/* ---- alignment -------------------------------------------------------------------------------------------------------- */

START_TEST(checks_101_misaligned_data_is_ac_where_am_and_ac_ask_for_it_in_ring_3)
{
    struct ring *r = at(3);
    uint64_t cr0 = get(r, RS_REG_CR0);

    reg(r, RS_REG_CR0, cr0 | CR0_AM);
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        for (unsigned off = 0; off < 9; off++) {
            at_level(r, cpl);
            reg(r, RS_REG_RFLAGS, RF_AC | 2);
            reg(r, RS_REG_RAX, DATA + off);
            TRY(r, READ_RAX);
            if (cpl < 3) ALLOWED(r);
            else if (off % 8 == 0) PASSED(r, ALIGN_AC);
            else REFUSED(r, ALIGN_AC, AC, 0);
        }
    }
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, RF_AC | 2);
    reg(r, RS_REG_RAX, DATA + 1);
    TRY(r, WRITE_RAX);
    REFUSED(r, ALIGN_AC, AC, 0);
    WITH(r, 3, DATA + 1, READ_RAX); /* RFLAGS.AC = 0 */
    ALLOWED(r);
    reg(r, RS_REG_CR0, cr0);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, RF_AC | 2);
    TRY(r, READ_RAX);
    ALLOWED(r);
    ring_free(r);
}
END_TEST

/* SSE is on. */
static struct ring *at_sse(unsigned cpl)
{
    struct ring *r = at(cpl);

    reg(r, RS_REG_CR4, CR4_PAE | CR4_OSFXSR);
    return r;
}

START_TEST(checks_101_sixteen_byte_operands_are_aligned_where_the_instruction_says_so)
{
    struct ring *r = at_sse(3);

    WITH(r, 3, DATA + 8, 0x0f, 0x28, 0x00); /* MOVAPS XMM0, [RAX] */
    REFUSED(r, ALIGN_SSE, GP, 0);
    WITH(r, 3, DATA + 8, 0x0f, 0x29, 0x00);
    REFUSED(r, ALIGN_SSE, GP, 0);
    WITH(r, 3, DATA + 8, 0x0f, 0xae, 0x00); /* FXSAVE [RAX] */
    REFUSED(r, ALIGN_SSE, GP, 0);
    WITH(r, 3, DATA, 0x0f, 0x28, 0x00);
    PASSED(r, ALIGN_SSE);
    WITH(r, 3, DATA + 8, 0x0f, 0x10, 0x00); /* MOVUPS */
    ALLOWED(r);
    ring_free(r);
}
END_TEST

START_TEST(mxcsr_takes_no_reserved_bit_from_ldmxcsr_or_fxrstor)
{
    struct ring *r = at_sse(3);

    poke(r, DATA, 0x11f80, 4);
    WITH(r, 3, DATA, 0x0f, 0xae, 0x10); /* LDMXCSR [RAX] */
    REFUSED(r, SSE_MXCSR, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_MXCSR), 0x1f80);
    poke(r, DATA, 0xffff, 4);
    WITH(r, 3, DATA, 0x0f, 0xae, 0x10);
    PASSED(r, SSE_MXCSR);
    ck_assert_uint_eq(get(r, RS_REG_MXCSR), 0xffff);

    poke(r, DATA + 24, 0x80001f80, 4);
    WITH(r, 3, DATA, 0x0f, 0xae, 0x08); /* FXRSTOR [RAX] */
    REFUSED(r, SSE_MXCSR, GP, 0);
    poke(r, DATA + 24, 0x1f80, 4);
    WITH(r, 3, DATA, 0x0f, 0xae, 0x08);
    PASSED(r, SSE_MXCSR);
    ck_assert_uint_eq(get(r, RS_REG_MXCSR), 0x1f80);
    ring_free(r);
}
END_TEST

/* ---- instructions -------------------------------------------------------------------------------------------------------- */

START_TEST(checks_22_an_instruction_has_at_most_15_bytes)
{
    struct ring *r = at(3);

    WITH(r, 3, 0, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
         0x66, 0x66, 0x90);
    REFUSED(r, INSN_LENGTH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    WITH(r, 3, 0, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
         0x66, 0x90);
    PASSED(r, INSN_LENGTH);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 15);
    ring_free(r);
}
END_TEST

START_TEST(undefined_opcodes_and_absent_features_are_ud)
{
    struct ring *r = at(3);

    WITH(r, 3, 0, 0x0f, 0x0b); /* UD2 */
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    ck_assert_uint_eq(slot(r, 0), CODE);
    WITH(r, 3, 0, 0x06); /* PUSH ES: not in 64-bit mode */
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    WITH(r, 3, 0, 0xf3, 0x0f, 0xb8, 0xc0); /* POPCNT EAX, EAX */
    PASSED(r, INSN_UNDEFINED);
    ring_free(r);
    r = ring_new_cpu(false, "x86-64-v1");
    WITH(r, 3, 0, 0xf3, 0x0f, 0xb8, 0xc0);
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_105_em_osfxsr_and_ts_decide_about_sse)
{
    struct ring *r = at(3);
    uint64_t cr0 = get(r, RS_REG_CR0);

    WITH(r, 3, 0, 0x0f, 0x28, 0xc1); /* MOVAPS XMM0, XMM1 with OSFXSR = 0 */
    REFUSED(r, INSN_EM, UD, 0);
    reg(r, RS_REG_CR4, CR4_PAE | CR4_OSFXSR);
    WITH(r, 3, 0, 0x0f, 0x28, 0xc1);
    PASSED(r, INSN_EM);
    reg(r, RS_REG_CR0, cr0 | CR0_EM | CR0_TS); /* #UD goes first */
    WITH(r, 3, 0, 0x0f, 0x28, 0xc1);
    REFUSED(r, INSN_EM, UD, 0);
    reg(r, RS_REG_CR0, cr0 | CR0_TS);
    WITH(r, 3, 0, 0x0f, 0x28, 0xc1);
    REFUSED(r, INSN_TS, NM, 0);
    reg(r, RS_REG_CR0, cr0);
    WITH(r, 3, 0, 0x0f, 0x28, 0xc1);
    PASSED(r, INSN_TS);
    ring_free(r);
}
END_TEST

START_TEST(checks_105_x87_and_wait_are_nm_by_ts_as_em_and_mp_say)
{
    struct ring *r = at(3);
    uint64_t cr0 = get(r, RS_REG_CR0);

    reg(r, RS_REG_CR0, cr0 | CR0_TS);
    WITH(r, 3, 0, 0xdb, 0xe3); /* FNINIT */
    REFUSED(r, INSN_TS, NM, 0);
    reg(r, RS_REG_CR0, cr0 | CR0_EM);
    WITH(r, 3, 0, 0xdb, 0xe3);
    REFUSED(r, INSN_TS, NM, 0);
    reg(r, RS_REG_CR0, cr0 | CR0_TS | CR0_MP);
    WITH(r, 3, 0, 0x9b); /* FWAIT */
    REFUSED(r, INSN_TS, NM, 0);
    reg(r, RS_REG_CR0, (cr0 | CR0_TS) & ~(uint64_t)CR0_MP);
    WITH(r, 3, 0, 0x9b);
    PASSED(r, INSN_TS);
    ring_free(r);
}
END_TEST

/* ---- segments: 32-bit protected mode and compatibility mode ------------------------------------------------------------------ */

/* Either world, standing in 32-bit code of ring 3. */
static struct ring *in_32(bool compatibility) { return ring_new(!compatibility); }

static void stand(struct ring *r)
{
    at_level(r, 3);
    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff,
            ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11 | 3u << 5);
}

#define IN_32(r, rax, ...)                                                                         \
    do {                                                                                           \
        reg((r), RS_REG_RAX, (rax));                                                               \
        TRY((r), __VA_ARGS__);                                                                     \
    } while (0)

static void with_data(struct ring *r, uint64_t limit, unsigned attr)
{
    stand(r);
    segment(r, I_DS, S_DATA3 | 3, 0, limit, attr);
}

static void with_stack(struct ring *r, uint64_t limit, unsigned attr)
{
    stand(r);
    segment(r, I_SS, S_DATA3 | 3, 0, limit, attr);
}

#define DATA_3 (ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_DB | 3u << 5)

START_TEST(checks_43_data_segments_end_at_their_limit)
{
    for (int compatibility = 0; compatibility < 2; compatibility++) {
        struct ring *r = in_32(compatibility);

        with_data(r, DATA + 3, DATA_3);
        IN_32(r, DATA, READ_EAX);
        PASSED(r, LIMIT_DATA);
        with_data(r, DATA + 3, DATA_3);
        IN_32(r, DATA + 1, READ_EAX);
        REFUSED(r, LIMIT_DATA, GP, 0);
        with_data(r, DATA + 3, DATA_3);
        IN_32(r, DATA + 1, WRITE_EAX);
        REFUSED(r, LIMIT_DATA, GP, 0);
        with_data(r, DATA, DATA_3 | ATTR_EC); /* expand-down: valid above */
        IN_32(r, DATA + 1, READ_EAX);
        PASSED(r, LIMIT_DATA);
        with_data(r, DATA, DATA_3 | ATTR_EC);
        IN_32(r, DATA, READ_EAX);
        REFUSED(r, LIMIT_DATA, GP, 0);
        ring_free(r);
    }
}
END_TEST

START_TEST(checks_43_stack_segments_end_at_their_limit_with_ss)
{
    for (int compatibility = 0; compatibility < 2; compatibility++) {
        struct ring *r = in_32(compatibility);

        with_stack(r, STACK3 - 1, DATA_3);
        TRY(r, 0x50); /* PUSH EAX */
        PASSED(r, LIMIT_STACK);
        with_stack(r, STACK3 - 2, DATA_3);
        TRY(r, 0x50);
        REFUSED(r, LIMIT_STACK, SS, 0);
        with_stack(r, DATA, DATA_3);
        reg(r, RS_REG_RBP, DATA - 2);
        TRY(r, 0x8b, 0x45, 0x00); /* MOV EAX, [EBP] */
        REFUSED(r, LIMIT_STACK, SS, 0);
        ring_free(r);
    }
}
END_TEST

START_TEST(checks_40_nothing_is_reached_through_a_null_segment)
{
    for (int compatibility = 0; compatibility < 2; compatibility++) {
        struct ring *r = in_32(compatibility);

        stand(r);
        segment(r, I_DS, 0, 0, 0, ATTR_UNUSABLE);
        IN_32(r, DATA, READ_EAX);
        REFUSED(r, NULL_DATA, GP, 0);
        stand(r);
        segment(r, I_ES, 0, 0, 0, ATTR_UNUSABLE);
        IN_32(r, DATA, 0x26, WRITE_EAX);
        REFUSED(r, NULL_DATA, GP, 0);
        stand(r);
        segment(r, I_ES, 0, 0, 0, ATTR_UNUSABLE);
        IN_32(r, DATA, READ_EAX);
        PASSED(r, NULL_DATA);
        ring_free(r);
    }
}
END_TEST

/* Ring 3 has no null SS, nor has ring 0 outside 64-bit mode: but 64-bit code of ring 0 may load one
 * and return to compatibility mode at its own level. */
START_TEST(a_null_ss_carried_into_compatibility_mode_holds_no_stack)
{
    struct ring *r = in_32(true);

    at_level(r, 0);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11);
    segment(r, I_SS, 0, 0, 0, ATTR_UNUSABLE);
    TRY(r, 0x50);
    REFUSED(r, NULL_STACK, SS, 0);
    stand(r);
    TRY(r, 0x50);
    PASSED(r, NULL_STACK);
    ring_free(r);
}
END_TEST

START_TEST(checks_44_types_say_who_may_be_read_and_written)
{
    for (int compatibility = 0; compatibility < 2; compatibility++) {
        struct ring *r = in_32(compatibility);
        unsigned code = ATTR_G | ATTR_P | ATTR_S | ATTR_CODE | ATTR_ACCESSED | ATTR_DB | 3u << 5;

        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff, code); /* execute-only */
        IN_32(r, DATA, 0x2e, READ_EAX);
        REFUSED(r, TYPE_READ, GP, 0);
        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff, code | ATTR_RW);
        IN_32(r, DATA, 0x2e, READ_EAX);
        PASSED(r, TYPE_READ);
        stand(r);
        IN_32(r, DATA, 0x2e, WRITE_EAX); /* no code segment is written */
        REFUSED(r, TYPE_WRITE, GP, 0);
        with_data(r, 0xffffffff, DATA_3 & ~(unsigned)ATTR_RW);
        IN_32(r, DATA, WRITE_EAX);
        REFUSED(r, TYPE_WRITE, GP, 0);
        with_data(r, 0xffffffff, DATA_3 & ~(unsigned)ATTR_RW);
        IN_32(r, DATA, READ_EAX);
        PASSED(r, TYPE_READ);
        with_data(r, 0xffffffff, DATA_3);
        IN_32(r, DATA, WRITE_EAX);
        PASSED(r, TYPE_WRITE);
        ring_free(r);
    }
}
END_TEST

START_TEST(checks_43_code_ends_at_its_limit_for_branches_and_for_an_instructions_last_byte)
{
    for (int compatibility = 0; compatibility < 2; compatibility++) {
        struct ring *r = in_32(compatibility);
        unsigned code = ATTR_P | ATTR_S | 11 | ATTR_DB | 3u << 5;

        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, CODE + 0xff, code);
        IN_32(r, CODE + 0x100, 0xff, 0xe0); /* JMP EAX */
        REFUSED(r, LIMIT_FETCH, GP, 0);
        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, CODE + 0xff, code);
        IN_32(r, CODE + 0xff, 0xff, 0xe0);
        PASSED(r, LIMIT_FETCH);
        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, CODE, code);
        TRY(r, 0x66, 0x90);
        REFUSED(r, LIMIT_FETCH, GP, 0);
        stand(r);
        segment(r, I_CS, S_CODE3_32 | 3, 0, CODE + 1, code);
        TRY(r, 0x66, 0x90);
        ALLOWED(r);
        go(r, 1); /* and on, past the end */
        REFUSED(r, LIMIT_FETCH, GP, 0);
        ring_free(r);
    }
}
END_TEST

RUN_TESTS("access", checks_1_and_2_a_page_that_is_absent_or_malformed_refuses_whoever_comes,
          a_user_needs_user_pages_and_writable_ones_for_writing,
          write_protection_binds_the_supervisor_while_wp_is_set,
          nothing_runs_from_a_page_with_xd_while_nxe_is_set,
          checks_13_smep_keeps_the_supervisor_from_running_user_pages,
          checks_14_smap_keeps_the_supervisor_from_user_data_unless_ac_is_set,
          checks_14_smap_keeps_descriptor_tables_out_of_user_pages_whatever_ac_says,
          checks_34_addresses_are_canonical_in_64_bit_mode,
          running_off_the_end_of_the_lower_half_is_a_fetch_from_nowhere,
          checks_101_misaligned_data_is_ac_where_am_and_ac_ask_for_it_in_ring_3,
          checks_101_sixteen_byte_operands_are_aligned_where_the_instruction_says_so,
          mxcsr_takes_no_reserved_bit_from_ldmxcsr_or_fxrstor, checks_22_an_instruction_has_at_most_15_bytes,
          undefined_opcodes_and_absent_features_are_ud, checks_105_em_osfxsr_and_ts_decide_about_sse,
          checks_105_x87_and_wait_are_nm_by_ts_as_em_and_mp_say, checks_43_data_segments_end_at_their_limit,
          checks_43_stack_segments_end_at_their_limit_with_ss, checks_40_nothing_is_reached_through_a_null_segment,
          a_null_ss_carried_into_compatibility_mode_holds_no_stack,
          checks_44_types_say_who_may_be_read_and_written,
          checks_43_code_ends_at_its_limit_for_branches_and_for_an_instructions_last_byte)
