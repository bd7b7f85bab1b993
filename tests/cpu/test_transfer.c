/*
 * test_transfer.c - segment registers loaded and used, far jumps, calls and returns, call gates, LAR and
 * kin: by guest code through rs_run.
 */
#include "tests/cpu/ring.h"

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);
    at_level(r, cpl);
    return r;
}

/* One instruction at this level with RAX set. */
#define WITH(r, cpl, value, ...)                                                                   \
    do {                                                                                           \
        at_level((r), (cpl));                                                                      \
        reg((r), RS_REG_RAX, (value));                                                             \
        TRY((r), __VA_ARGS__);                                                                     \
    } while (0)

#define MOV_DS 0x8e, 0xd8
#define MOV_SS 0x8e, 0xd0
#define MOV_FS 0x8e, 0xe0

/* ---- data segments ------------------------------------------------------------------------------------------------ */

START_TEST(checks_40_null_data_selectors_load_and_clear_the_base)
{
    struct ring *r = at(3);

    at_level(r, 3);
    segment(r, I_FS, S_DATA3 | 3, 0x1234, 0xffff, ATTR_P | ATTR_S | 3 | 3u << 5);
    reg(r, RS_REG_RAX, 3);
    TRY(r, MOV_FS);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_FS), 3);
    ck_assert_uint_eq(get(r, RS_REG_FS_BASE), 0);
    ring_free(r);
}
END_TEST

START_TEST(data_segments_are_judged_by_table_type_level_and_presence)
{
    struct ring *r = at(3);

    WITH(r, 3, S_END, MOV_DS);
    REFUSED(r, SEG_TABLE, GP, S_END);
    WITH(r, 3, S_DATA3 | 4 | 3, MOV_DS);
    REFUSED(r, SEG_TABLE, GP, S_DATA3 | 4); /* no LDT */
    WITH(r, 3, S_TSS, MOV_DS);
    REFUSED(r, SEG_TYPE, GP, S_TSS);
    WITH(r, 3, S_DATA | 3, MOV_DS);
    REFUSED(r, SEG_DPL, GP, S_DATA);
    WITH(r, 0, S_DATA | 3, MOV_DS);
    REFUSED(r, SEG_DPL, GP, S_DATA); /* by RPL */
    gdt(r, S_FREE, (D_DATA | D_DPL(3)) & ~D_P);
    WITH(r, 3, S_FREE | 3, MOV_DS);
    REFUSED(r, SEG_P, NP, S_FREE);
    WITH(r, 3, S_CODE3 | 3, MOV_DS);
    ALLOWED(r);
    ring_free(r);
}
END_TEST

START_TEST(checks_39_ss_needs_its_own_level_or_is_null_inside_ring_3)
{
    struct ring *r = at(0);

    WITH(r, 0, 0, MOV_SS);
    ALLOWED(r);
    WITH(r, 0, 1, MOV_SS);
    REFUSED(r, SS_NULL, GP, 0);
    WITH(r, 3, 3, MOV_SS);
    REFUSED(r, SS_NULL, GP, 0);
    WITH(r, 0, S_DATA | 3, MOV_SS);
    REFUSED(r, SS_RPL_CPL, GP, S_DATA);
    WITH(r, 3, S_DATA | 3, MOV_SS);
    REFUSED(r, SS_DPL, GP, S_DATA);
    WITH(r, 0, S_CODE, MOV_SS);
    REFUSED(r, SS_TYPE, GP, S_CODE);
    gdt(r, S_FREE, D_DATA & ~D_P);
    WITH(r, 0, S_FREE, MOV_SS);
    REFUSED(r, SS_P, SS, S_FREE);
    ring_free(r);
}
END_TEST

/* The page of the GDT belongs to the supervisor and CPL is 3. */
START_TEST(checks_42_the_accessed_bit_is_set_from_ring_3_in_a_supervisors_table)
{
    struct ring *r = at(3);
    uint64_t clear = (D_DATA | D_DPL(3)) & ~D_ACCESSED, pde = TABLES + 8192 + 8 * (GDT >> 21);

    gdt(r, S_FREE, clear);
    poke(r, pde, peek(r, pde, 8) & ~PTE_U, 8);
    reg(r, RS_REG_CR3, TABLES);
    WITH(r, 3, S_FREE | 3, MOV_DS);
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, GDT + S_FREE, 8), clear | D_ACCESSED);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_DS) & 1, 1);
    ring_free(r);
}
END_TEST

START_TEST(pop_of_a_bad_selector_leaves_the_stack_pointer)
{
    struct ring *r = at(3);

    poke(r, STACK3, S_END, 8);
    TRY(r, 0x0f, 0xa1); /* POP FS */
    REFUSED(r, SEG_TABLE, GP, S_END);
    ck_assert_uint_eq(slot(r, 4), STACK3);
    at_level(r, 3);
    poke(r, STACK3, S_DATA3 | 3, 8);
    TRY(r, 0x0f, 0xa1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 8);
    ck_assert_uint_eq(get(r, RS_REG_FS), S_DATA3 | 3);
    ring_free(r);
}
END_TEST

START_TEST(a_32_bit_push_of_a_segment_register_writes_two_bytes)
{
    struct ring *r = ring_new(true);

    poke(r, STACK1 - 4, 0xaaaaaaaa, 4);
    TRY(r, 0x1e); /* PUSH DS */
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, STACK1 - 4, 4), 0xaaaa0000 | S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 4);
    ring_free(r);
}
END_TEST

START_TEST(checks_43_and_44_limits_and_types_are_judged_outside_64_bit_mode)
{
    struct ring *r = ring_new(true);

    gdt(r, S_FREE, 0x0040930000000fffull); /* 4 KiB of data */
    WITH(r, 0, S_FREE, MOV_DS);
    ALLOWED(r);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RAX, 0xffd);
    TRY(r, 0x8b, 0x18); /* MOV EBX, [EAX]: the last byte is outside */
    REFUSED(r, LIMIT_DATA, GP, 0);
    gdt(r, S_FREE, 0x0040970000000fffull); /* expand-down */
    WITH(r, 0, S_FREE, MOV_DS);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RAX, 0xfff);
    TRY(r, 0x8b, 0x18);
    REFUSED(r, LIMIT_DATA, GP, 0);
    WITH(r, 0, S_FREE, MOV_DS);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0x8b, 0x18);
    ALLOWED(r);
    at_level(r, 0);
    TRY(r, 0x2e, 0x89, 0x18); /* MOV CS:[EAX], EBX */
    REFUSED(r, TYPE_WRITE, GP, 0);
    gdt(r, S_CODE, D_CODE32 & ~(1ull << 41)); /* execute-only */
    at_level(r, 0);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 9);
    TRY(r, 0x2e, 0x8b, 0x18);
    REFUSED(r, TYPE_READ, GP, 0);
    WITH(r, 0, 0, MOV_DS);
    reg(r, RS_REG_RIP, CODE);
    TRY(r, 0x8b, 0x18);
    REFUSED(r, NULL_DATA, GP, 0);
    ring_free(r);
}
END_TEST

/* ---- LDTR, TR, tables ------------------------------------------------------------------------------------------------ */

#define LLDT 0x0f, 0x00, 0xd0
#define LTR 0x0f, 0x00, 0xd8

START_TEST(checks_47_lldt_and_ltr_judge_null_table_type_and_presence)
{
    struct ring *r = at(0);

    WITH(r, 0, 0, LLDT);
    ALLOWED(r);
    WITH(r, 0, S_LDT | 4, LLDT);
    REFUSED(r, LDT_TI, GP, S_LDT | 4);
    WITH(r, 0, S_TSS, LLDT);
    REFUSED(r, LDT_TYPE, GP, S_TSS);
    WITH(r, 0, S_END - 8, LLDT);
    REFUSED(r, SEG_TABLE, GP, S_END - 8); /* 16 bytes are read */
    WITH(r, 0, S_LDT, LLDT);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_LDTR_BASE), LDT);
    poke(r, GDT + S_LDT + 8, 0x00008000, 8);
    WITH(r, 0, S_LDT, LLDT);
    REFUSED(r, SYS_BASE_CANON, GP, S_LDT);
    gdt(r, S_LDT, D_SYSTEM(SYS_LDT, LDT, 0xff) & ~D_P);
    poke(r, GDT + S_LDT + 8, 0, 8);
    WITH(r, 0, S_LDT, LLDT);
    REFUSED(r, LDT_P, NP, S_LDT);

    WITH(r, 0, 0, LTR);
    REFUSED(r, TSS_NULL, GP, 0);
    WITH(r, 0, S_TSS | 4, LTR);
    REFUSED(r, TSS_TI, GP, S_TSS | 4);
    WITH(r, 0, S_TSS, LTR);
    REFUSED(r, TSS_TYPE, GP, S_TSS); /* busy */
    gdt(r, S_TSS, D_SYSTEM(SYS_TSS, TSS, 0x67) & ~D_P);
    WITH(r, 0, S_TSS, LTR);
    REFUSED(r, TSS_P, NP, S_TSS);
    gdt(r, S_TSS, D_SYSTEM(SYS_TSS, TSS, 0x67));
    poke(r, GDT + S_TSS + 12, 0x0100, 4);
    WITH(r, 0, S_TSS, LTR);
    REFUSED(r, TSS_TYPE, GP, S_TSS); /* the upper type field */
    poke(r, GDT + S_TSS + 12, 0, 4);
    WITH(r, 0, S_TSS, LTR);
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, GDT + S_TSS + 5, 1), 0x80 | SYS_TSS_BUSY);
    ck_assert_uint_eq(get(r, RS_REG_TR_BASE), TSS);
    ring_free(r);
}
END_TEST

START_TEST(checks_48_lgdt_and_lidt_refuse_a_base_that_is_not_canonical)
{
    struct ring *r = at(0);

    poke(r, DATA, 0x1fff, 2);
    poke(r, DATA + 2, 0x800000000000, 8);
    WITH(r, 0, DATA, 0x0f, 0x01, 0x18);
    REFUSED(r, TABLE_CANON, GP, 0);
    poke(r, DATA + 2, 0xffff800000000000ull, 8);
    WITH(r, 0, DATA, 0x0f, 0x01, 0x10);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_GDTR_BASE), 0xffff800000000000ull);
    ck_assert_uint_eq(get(r, RS_REG_GDTR_LIMIT), 0x1fff);
    ring_free(r);
}
END_TEST

/* ---- LAR, LSL, VERR, ARPL ----------------------------------------------------------------------------------------------- */

START_TEST(checks_45_lar_and_lsl_answer_with_zf_and_never_fault_on_a_selector)
{
    struct ring *r = at(3);

    WITH(r, 3, S_END, 0x0f, 0x02, 0xc8); /* LAR ECX, EAX */
    ALLOWED(r);
    ck_assert(!(get(r, RS_REG_RFLAGS) & RF_ZF));
    WITH(r, 3, S_DATA3 | 3, 0x0f, 0x02, 0xc8);
    ck_assert(get(r, RS_REG_RFLAGS) & RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0x00c0f300);
    WITH(r, 3, S_DATA, 0x0f, 0x02, 0xc8);
    ck_assert(!(get(r, RS_REG_RFLAGS) & RF_ZF)); /* invisible from ring 3 */
    WITH(r, 3, S_DATA3 | 3, 0x0f, 0x03, 0xc8);   /* LSL ECX, EAX */
    ck_assert(get(r, RS_REG_RFLAGS) & RF_ZF);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0xffffffff);
    WITH(r, 0, S_TSS, 0x0f, 0x03, 0xc8);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0x67);
    WITH(r, 3, 0, 0x0f, 0x00, 0xe0); /* VERR AX */
    ck_assert(!(get(r, RS_REG_RFLAGS) & RF_ZF));
    WITH(r, 3, S_CODE3 | 3, 0x0f, 0x00, 0xe0);
    ck_assert(get(r, RS_REG_RFLAGS) & RF_ZF);
    WITH(r, 3, S_CODE3 | 3, 0x0f, 0x00, 0xe8); /* VERW AX */
    ck_assert(!(get(r, RS_REG_RFLAGS) & RF_ZF));
    ring_free(r);
}
END_TEST

START_TEST(checks_46_arpl_raises_an_rpl_in_32_bit_code)
{
    struct ring *r = ring_new(true);

    reg(r, RS_REG_RCX, 3);
    WITH(r, 0, 0x21, 0x63, 0xc8); /* ARPL AX, CX */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x23);
    ck_assert(get(r, RS_REG_RFLAGS) & RF_ZF);
    WITH(r, 0, 0x23, 0x63, 0xc8);
    ck_assert(!(get(r, RS_REG_RFLAGS) & RF_ZF));
    ring_free(r);
}
END_TEST

/* ---- far JMP, CALL, RET ---------------------------------------------------------------------------------------------------- */

#define JMP_FAR 0xff, 0x28 /* JMP m16:32 [RAX] */
#define CALL_FAR 0xff, 0x18

static void pointer(struct ring *r, uint64_t offset, unsigned selector)
{
    poke(r, DATA, offset, 4);
    poke(r, DATA + 4, selector, 2);
}

START_TEST(checks_51_far_jumps_are_judged_by_the_target_segment)
{
    struct ring *r = at(0);

    pointer(r, TARGET, 3);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_NULL, GP, 0);
    pointer(r, TARGET, S_END);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, SEG_TABLE, GP, S_END);
    pointer(r, TARGET, S_DATA);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_TYPE, GP, S_DATA);
    gdt(r, S_FREE, D_CODE64 | 1ull << 54);
    pointer(r, TARGET, S_FREE);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_LD, GP, S_FREE);
    pointer(r, TARGET, S_CODE | 1);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_RPL, GP, S_CODE);
    pointer(r, TARGET, S_CODE);
    WITH(r, 3, DATA, JMP_FAR);
    REFUSED(r, CS_DPL, GP, S_CODE);
    gdt(r, S_FREE, D_CODE64 & ~D_P);
    pointer(r, TARGET, S_FREE);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_P, NP, S_FREE);
    pointer(r, TARGET, S_TSS);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, CS_TYPE, GP, S_TSS); /* no task switch in long mode */
    gdt(r, S_FREE, D_CODE64 | D_CONFORMING);
    pointer(r, TARGET, S_FREE);
    WITH(r, 3, DATA, JMP_FAR);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_FREE | 3);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    pointer(r, TARGET, S_CODE_32);
    WITH(r, 0, DATA, JMP_FAR);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE_32); /* compatibility mode */
    gdt(r, S_FREE, 0x00409b00000000ffull);
    pointer(r, TARGET, S_FREE);
    WITH(r, 0, DATA, JMP_FAR);
    REFUSED(r, LIMIT_FETCH, GP, 0);
    ring_free(r);
}
END_TEST

START_TEST(a_far_call_pushes_cs_and_rip_and_a_far_return_pops_them)
{
    struct ring *r = at(0);

    pointer(r, TARGET, S_CODE);
    WITH(r, 0, DATA, CALL_FAR);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 8);
    ck_assert_uint_eq(peek(r, STACK1 - 8, 4), CODE + 2);
    ck_assert_uint_eq(peek(r, STACK1 - 4, 4), S_CODE);
    TRY(r, 0xca, 0x10, 0x00); /* RETF 16 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 + 16);
    ring_free(r);
}
END_TEST

static void return_frame(struct ring *r, uint64_t rip, unsigned cs, uint64_t rsp, unsigned ss)
{
    uint64_t words[4] = {rip, cs, rsp, ss};

    at_level(r, 0);
    reg(r, RS_REG_RSP, STACK1 - 32);
    for (unsigned i = 0; i < 4; i++) poke(r, STACK1 - 32 + 8 * i, words[i], 8);
}
#define RETFQ 0x48, 0xcb

START_TEST(far_returns_judge_ss_before_the_target)
{
    struct ring *r = at(0);

    return_frame(r, TARGET, S_CODE3 | 3, STACK3, S_DATA3 | 3);
    TRY(r, RETFQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    ck_assert_uint_eq(r->cross.how, RS_X_FAR_RET);
    return_frame(r, 0x800000000000, S_CODE3 | 3, STACK3, S_DATA | 3);
    TRY(r, RETFQ);
    REFUSED(r, SS_DPL, GP, S_DATA);
    return_frame(r, 0x800000000000, S_CODE3 | 3, STACK3, S_DATA3 | 3);
    TRY(r, RETFQ);
    REFUSED(r, CANON_FETCH, GP, 0);
    at_level(r, 3);
    poke(r, STACK3, TARGET, 8);
    poke(r, STACK3 + 8, S_CODE, 8);
    TRY(r, RETFQ);
    REFUSED(r, CS_RETURN_RPL, GP, S_CODE);
    ring_free(r);
}
END_TEST

/* A 64-bit call gate at S_GATE. */
static void call_gate(struct ring *r, unsigned selector, unsigned dpl, bool present)
{
    uint64_t low = (TARGET & 0xffff) | (uint64_t)selector << 16 | (uint64_t)SYS_CALL << 40 |
                   D_DPL(dpl) | (present ? D_P : 0) | (uint64_t)(TARGET >> 16) << 48;
    gdt(r, S_GATE, low);
    gdt(r, S_GATE + 8, 0);
    pointer(r, 0, S_GATE | 3);
}

START_TEST(checks_49_a_call_gate_takes_rsp_from_the_tss_and_nulls_ss)
{
    struct ring *r = at(3);

    call_gate(r, S_CODE, 3, true);
    WITH(r, 3, DATA, CALL_FAR);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_SS), 0);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 32);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(slot(r, 1), S_CODE3 | 3);
    ck_assert_uint_eq(slot(r, 2), STACK3);
    ck_assert_uint_eq(slot(r, 3), S_DATA3 | 3);
    ck_assert_uint_eq(r->cross.how, RS_X_CALL_GATE);
    TRY(r, RETFQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    WITH(r, 3, DATA, JMP_FAR);
    REFUSED(r, CALL_GATE_JMP, GP, S_CODE);
    WITH(r, 0, DATA, JMP_FAR); /* to its own level it may */
    PASSED(r, CALL_GATE_JMP);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    call_gate(r, S_CODE, 2, true);
    WITH(r, 3, DATA, CALL_FAR);
    REFUSED(r, CALL_GATE_DPL, GP, S_GATE);
    call_gate(r, S_CODE, 3, false);
    WITH(r, 3, DATA, CALL_FAR);
    REFUSED(r, CALL_GATE_P, NP, S_GATE);
    call_gate(r, S_CODE, 3, true);
    poke(r, GDT + S_GATE + 12, 0x100, 4);
    WITH(r, 3, DATA, CALL_FAR);
    REFUSED(r, CALL_GATE_UPPER, GP, S_GATE);
    call_gate(r, 3, 3, true);
    WITH(r, 3, DATA, CALL_FAR);
    REFUSED(r, GATE_CS_NULL, GP, 0);
    call_gate(r, S_CODE_32, 3, true);
    WITH(r, 3, DATA, CALL_FAR);
    REFUSED(r, GATE_CS_L, GP, S_CODE_32);
    ring_free(r);
}
END_TEST

START_TEST(protected_mode_jumps_to_compatibility_of_its_own)
{
    struct ring *r = ring_new(true);

    TRY(r, 0xea, 0x00, 0x00, 0x31, 0x00, S_CODE_32, 0x00); /* JMP 0x40:TARGET */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}
END_TEST

RUN_TESTS("transfer", checks_40_null_data_selectors_load_and_clear_the_base,
          data_segments_are_judged_by_table_type_level_and_presence,
          checks_39_ss_needs_its_own_level_or_is_null_inside_ring_3,
          checks_42_the_accessed_bit_is_set_from_ring_3_in_a_supervisors_table,
          pop_of_a_bad_selector_leaves_the_stack_pointer,
          a_32_bit_push_of_a_segment_register_writes_two_bytes,
          checks_43_and_44_limits_and_types_are_judged_outside_64_bit_mode,
          checks_47_lldt_and_ltr_judge_null_table_type_and_presence,
          checks_48_lgdt_and_lidt_refuse_a_base_that_is_not_canonical,
          checks_45_lar_and_lsl_answer_with_zf_and_never_fault_on_a_selector,
          checks_46_arpl_raises_an_rpl_in_32_bit_code,
          checks_51_far_jumps_are_judged_by_the_target_segment,
          a_far_call_pushes_cs_and_rip_and_a_far_return_pops_them,
          far_returns_judge_ss_before_the_target,
          checks_49_a_call_gate_takes_rsp_from_the_tss_and_nulls_ss,
          protected_mode_jumps_to_compatibility_of_its_own)
