/*
 * test_real.c - real-address mode through rs_run, on both engines: segments, far transfers, vectors,
 * limits, what is not recognised, and the ways in and out of the mode.
 * Manual: SDM 3B "Real-Address Mode"; SDM 3A "Switching to Protected Mode", "Switching Back to Real-Address Mode".
 */
#include "tests/cpu/both.h"
#include "tests/cpu/real.h"

/* ---- segments ------------------------------------------------------------------------------------------ */

BOTH(checks_95_a_load_in_real_mode_sets_the_base_and_keeps_the_limit)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RAX, 0x1234);
    RTRY(r, 0x8e, 0xd8); /* mov ds, ax */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DS), 0x1234);
    ck_assert_uint_eq(get(r, RS_REG_DS_BASE), 0x12340);
    ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + I_DS), 0xffff);
    /* big real mode: a limit of 4 GiB, loaded in protected mode, survives */
    at_real(r);
    segment(r, I_DS, 0x10, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 3);
    RTRY(r, 0x8e, 0xd8);
    ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + I_DS), 0xffffffff);
    ck_assert_uint_eq(get(r, RS_REG_DS_BASE), 0x12340);
    reg(r, RS_REG_RBX, DATA - 0x12340);
    poke(r, DATA, 0x99, 1);
    RTRY(r, 0x67, 0x8a, 0x03); /* mov al, [ebx] */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xff, 0x99);
    ring_free(r);
}

BOTH(checks_95_a_word_at_the_end_of_64_kib_is_gp_and_on_the_stack_ss)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RBX, 0xffff);
    RTRY(r, 0x8b, 0x07); /* mov ax, [bx] */
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_LIMIT_DATA);
    ck_assert_uint_eq(word_at(r, 0), 0); /* IP of the instruction, and no error code above it */
    ck_assert_uint_eq(word_at(r, 1), R_CODE);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP - 6);
    at_real(r);
    RTRY(r, 0x8a, 0x07); /* mov al, [bx] */
    ALLOWED(r);
    at_real(r);
    reg(r, RS_REG_RBP, 0xffff);
    RTRY(r, 0x8b, 0x46, 0x00); /* mov ax, [bp] */
    ck_assert_int_eq(real_vector(r), VEC_SS);
    ck_assert_uint_eq(r->rule, RS_RULE_LIMIT_STACK);
    at_real(r);
    RTRY(r, 0x67, 0x8b, 0x05, 0x00, 0x00, 0x01, 0x00); /* mov ax, [0x10000] */
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ring_free(r);
}

BOTH(checks_95_a_push_at_sp_1_finds_no_room_even_for_the_exception)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RSP, 1);
    RTRY(r, 0x50); /* push ax: the word would lie across the segment's end */
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ring_free(r);
}

BOTH(a_stack_pointer_of_0_goes_round_to_the_top)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RSP, 0xabcd0000);
    reg(r, RS_REG_RAX, 0x5aa5);
    RTRY(r, 0x50);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0xabcdfffe);
    ck_assert_uint_eq(peek(r, (R_STACK << 4) + 0xfffe, 2), 0x5aa5);
    ring_free(r);
}

/* ---- far transfers --------------------------------------------------------------------------------------- */

BOTH(a_far_jump_loads_cs_by_paragraphs_and_keeps_what_code_may_be_long)
{
    struct ring *r = real_new();

    RTRY(r, 0xea, 0x34, 0x12, 0x00, 0x40); /* jmp 4000:1234 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), 0x4000);
    ck_assert_uint_eq(get(r, RS_REG_CS_BASE), 0x40000);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1234);
    at_real(r);
    RTRY(r, 0x66, 0xea, 0x00, 0x00, 0x01, 0x00, 0x00, 0x40); /* jmp 4000:00010000 */
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_LIMIT_FETCH);
    ring_free(r);
}

BOTH(far_call_and_return_push_and_pop_words_or_doublewords)
{
    struct ring *r = real_new();

    RTRY(r, 0x9a, 0x10, 0x00, 0x00, 0x50); /* call 5000:0010 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP - 4);
    ck_assert_uint_eq(word_at(r, 0), 5);
    ck_assert_uint_eq(word_at(r, 1), R_CODE);
    RTRY(r, 0xca, 0x08, 0x00); /* retf 8 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), R_CODE);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 5);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP + 8);
    at_real(r);
    RTRY(r, 0x66, 0x9a, 0x10, 0x00, 0x00, 0x00, 0x00, 0x50);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP - 8);
    RTRY(r, 0x66, 0xcb);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 8);
    at_real(r);
    poke(r, (R_STACK << 4) + R_SP, 0x10000, 4);
    RTRY(r, 0x66, 0xcb); /* EIP beyond 64 KiB */
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP - 6);
    ring_free(r);
}

/* ---- vectors ------------------------------------------------------------------------------------------------ */

BOTH(int_n_goes_through_the_vector_table_and_iret_comes_back)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RFLAGS, 0x40b47); /* AC, OF, IF, TF and the rest; TF traps after INT is done */
    reg(r, RS_REG_RFLAGS, 0x40a47);
    RTRY(r, 0xcd, 0x21);
    ck_assert_int_eq(real_vector(r), 0x21);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & 0x40300, 0); /* AC, IF and TF are clear */
    ck_assert_uint_eq(word_at(r, 0), 2);
    ck_assert_uint_eq(word_at(r, 1), R_CODE);
    ck_assert_uint_eq(word_at(r, 2), 0x0a47);
    poke(r, (R_STACK << 4) + R_SP - 2, 0x7ad7, 2); /* IOPL 3, NT, IF ... */
    RTRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x7ad7);
    ck_assert_uint_eq(get(r, RS_REG_CS), R_CODE);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 2);
    ck_assert_uint_eq(get(r, RS_REG_RSP), R_SP);
    ring_free(r);
}

BOTH(iretd_in_real_mode_leaves_vm_vif_and_vip)
{
    struct ring *r = real_new();

    poke(r, (R_STACK << 4) + R_SP, 0x77, 4);
    poke(r, (R_STACK << 4) + R_SP + 4, R_CODE, 4);
    poke(r, (R_STACK << 4) + R_SP + 8, 0x3e0202, 4); /* ID, VIP, VIF, AC, VM, IF */
    RTRY(r, 0x66, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x240202);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x77);
    ring_free(r);
}

BOTH(checks_95_a_vector_beyond_the_idt_limit_is_gp_then_the_double_fault_then_shutdown)
{
    struct ring *r = real_new();

    reg(r, RS_REG_IDTR_LIMIT, 4 * 0x21 + 2); /* INT 21h is cut off, #GP is not */
    RTRY(r, 0xcd, 0x21);
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_IDT_LIMIT);
    ck_assert_uint_eq(word_at(r, 0), 0);
    ck_assert(!r->has_error && r->fault_error == 0); /* neither 10AH nor EXT */
    at_real(r);
    reg(r, RS_REG_IDTR_LIMIT, 4 * 0x21 + 3);
    RTRY(r, 0xcd, 0x21);
    ck_assert_int_eq(real_vector(r), 0x21);
    at_real(r);
    reg(r, RS_REG_IDTR_LIMIT, 4 * VEC_DF + 3); /* neither 21h nor #GP: the double fault is there */
    RTRY(r, 0xcd, 0x21);
    ck_assert_int_eq(real_vector(r), VEC_DF);
    at_real(r);
    reg(r, RS_REG_IDTR_LIMIT, 3);
    RTRY(r, 0xcd, 0x21);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_ptr_nonnull(strstr(r->stop.text, "#GP by IDT_LIMIT")); /* no codes in the chain of causes either */
    ck_assert_ptr_nonnull(strstr(r->stop.text, "INT 0x21"));
    ck_assert_ptr_null(strstr(r->stop.text, "(0x"));
    ring_free(r);
}

BOTH(checks_61_breakpoints_and_steps_are_linear_addresses_in_real_mode)
{
    struct ring *r = real_new();

    reg(r, RS_REG_DR0, (R_CODE << 4) + 1);
    reg(r, RS_REG_DR7, 0x402);
    try_real(r, (const uint8_t[]){0x90, 0x90}, 2);
    go(r, 1);
    ck_assert_int_eq(real_vector(r), VEC_DB);
    ck_assert_uint_eq(word_at(r, 0), 1);
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff0ff1);
    at_real(r);
    reg(r, RS_REG_DR6, 0xffff0ff0);
    reg(r, RS_REG_DR0, (R_DATA << 4) + 0x20);
    reg(r, RS_REG_DR7, 0x00030402); /* read or written, one byte */
    RTRY(r, 0xa0, 0x20, 0x00);      /* mov al, [20h] */
    go(r, 1);
    ck_assert_int_eq(real_vector(r), VEC_DB);
    ck_assert_uint_eq(word_at(r, 0), 3);
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff0ff1);
    at_real(r);
    reg(r, RS_REG_DR6, 0xffff0ff0);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    RTRY(r, 0x90);
    go(r, 1);
    ck_assert_int_eq(real_vector(r), VEC_DB);
    ck_assert_uint_eq(word_at(r, 0), 1);
    ck_assert_uint_eq(word_at(r, 2), 2 | RF_TF);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2);
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff4ff0);
    ring_free(r);
}

BOTH(a_division_by_zero_pushes_its_own_address)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RCX, 0);
    RTRY(r, 0xf6, 0xf1); /* div cl */
    ck_assert_int_eq(real_vector(r), VEC_DE);
    ck_assert_uint_eq(word_at(r, 0), 0);
    ring_free(r);
}

/* ---- what real mode does not know ------------------------------------------------------------------------------ */

BOTH(checks_46_instructions_of_protected_mode_are_undefined_in_real_mode)
{
    static const uint8_t code[][3] = {{0x0f, 0x00, 0xc0}, {0x0f, 0x00, 0xc8}, {0x0f, 0x00, 0xd0}, {0x0f, 0x00, 0xd8},
                                      {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}, {0x0f, 0x02, 0xc0}, {0x0f, 0x03, 0xc0},
                                      {0x63, 0xc0, 0x90}, {0xc5, 0xf8, 0x77}, {0x8e, 0xc8, 0x90}, {0x0f, 0x05, 0x90}};
    struct ring *r = real_new();

    for (unsigned i = 0; i < sizeof code / sizeof code[0]; i++) {
        at_real(r);
        try_real(r, code[i], sizeof code[i]);
        ck_assert_msg(real_vector(r) == VEC_UD, "code %u: %d", i, real_vector(r));
        ck_assert_uint_eq(r->rule, i == 11 ? RS_RULE_INSN_64 : RS_RULE_INSN_UNDEFINED);
    }
    ring_free(r);
}

BOTH(sysenter_and_sysexit_are_gp_in_real_mode)
{
    struct ring *r = real_new();

    RTRY(r, 0x0f, 0x34);
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_SYSENTER_PE);
    at_real(r);
    RTRY(r, 0x0f, 0x35);
    ck_assert_uint_eq(r->rule, RS_RULE_SYSENTER_PE);
    at_level(r, 3);
    reg(r, RS_REG_CR0, 0x11);
    RTRY(r, 0x0f, 0x35);
    ck_assert_uint_eq(r->rule, RS_RULE_SYSENTER_CS);
    ring_free(r);
}

/* ---- in and out ---------------------------------------------------------------------------------------------------- */

BOTH(checks_79_protected_mode_is_entered_and_left_by_mov_cr0)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RAX, 0x11);
    RTRY(r, 0x0f, 0x22, 0xc0); /* mov cr0, eax: PE; CS still goes by paragraphs */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR0) & 1, 1);
    RTRY(r, 0x66, 0xea, 0x00, 0x00, 0x10, 0x00, S_CODE_32, 0x00); /* jmp dword S_CODE_32:CODE */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE_32);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE);
    reg(r, RS_REG_RAX, 0x10);
    RTRY(r, 0x0f, 0x22, 0xc0); /* back: CS keeps base, limit and D */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR0) & 1, 0);
    RTRY(r, 0x90);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 4);
    ring_free(r);
}

BOTH(checks_80_paging_without_protection_is_gp_and_checks_88_lmsw_cannot_clear_pe)
{
    struct ring *r = real_new();

    reg(r, RS_REG_RAX, 0x80000010);
    RTRY(r, 0x0f, 0x22, 0xc0);
    ck_assert_int_eq(real_vector(r), VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_CR0_PG_PE);
    at_real(r);
    reg(r, RS_REG_RAX, 1);
    RTRY(r, 0x0f, 0x01, 0xf0); /* lmsw ax */
    ck_assert_uint_eq(get(r, RS_REG_CR0) & 1, 1);
    reg(r, RS_REG_RAX, 0);
    RTRY(r, 0x0f, 0x01, 0xf0);
    ck_assert_uint_eq(get(r, RS_REG_CR0) & 1, 1);
    ring_free(r);
}

BOTH(checks_121_with_a20_off_the_second_megabyte_is_the_first)
{
    struct ring *r = real_new();

    segment(r, I_DS, 0xffff, 0xffff0, 0xffff, ATTR_P | ATTR_S | 3);
    poke(r, 0x500, 0x1111, 2);
    poke(r, 0x100500, 0x2222, 2);
    reg(r, RS_REG_RBX, 0x510);
    RTRY(r, 0x8b, 0x07);
    ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xffff, 0x2222);
    reg(r, RS_REG_RAX, 0);
    RTRY(r, 0xe6, 0x92); /* out 92h, al: A20 off */
    RTRY(r, 0x8b, 0x07);
    ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xffff, 0x1111);
    reg(r, RS_REG_RAX, 2);
    RTRY(r, 0xe6, 0x92);
    RTRY(r, 0x8b, 0x07);
    ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xffff, 0x2222);
    ring_free(r);
}

BOTH(checks_121_code_beyond_the_first_megabyte_changes_with_a20)
{
    struct ring *r = real_new();

    poke(r, 0x100000, 0xb0, 1); /* mov al, 22h; jmp $ */
    poke(r, 0x100001, 0xfeeb22, 3);
    poke(r, 0x00000, 0x33b0, 2); /* mov al, 33h; jmp $ */
    poke(r, 0x00002, 0xfeeb, 2);
    for (unsigned off = 0; off < 3; off++) {
        at_real(r);
        reg(r, RS_REG_RAX, off == 1 ? 0 : 2);
        RTRY(r, 0xe6, 0x92);
        segment(r, I_CS, 0xffff, 0xffff0, 0xffff, ATTR_P | ATTR_S | ATTR_CODE | 3);
        reg(r, RS_REG_RIP, 0x10);
        go(r, 1);
        ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xff, off == 1 ? 0x33 : 0x22);
    }
    ring_free(r);
}

RUN_TESTS("cpu/real", checks_95_a_load_in_real_mode_sets_the_base_and_keeps_the_limit,
      checks_95_a_word_at_the_end_of_64_kib_is_gp_and_on_the_stack_ss,
      checks_95_a_push_at_sp_1_finds_no_room_even_for_the_exception, a_stack_pointer_of_0_goes_round_to_the_top,
      a_far_jump_loads_cs_by_paragraphs_and_keeps_what_code_may_be_long,
      far_call_and_return_push_and_pop_words_or_doublewords, int_n_goes_through_the_vector_table_and_iret_comes_back,
      iretd_in_real_mode_leaves_vm_vif_and_vip,
      checks_95_a_vector_beyond_the_idt_limit_is_gp_then_the_double_fault_then_shutdown,
      checks_61_breakpoints_and_steps_are_linear_addresses_in_real_mode, a_division_by_zero_pushes_its_own_address,
      checks_46_instructions_of_protected_mode_are_undefined_in_real_mode,
      sysenter_and_sysexit_are_gp_in_real_mode, checks_79_protected_mode_is_entered_and_left_by_mov_cr0,
      checks_80_paging_without_protection_is_gp_and_checks_88_lmsw_cannot_clear_pe,
      checks_121_with_a20_off_the_second_megabyte_is_the_first,
      checks_121_code_beyond_the_first_megabyte_changes_with_a20)
