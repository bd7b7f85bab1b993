/*
 * test_deliver.c - exceptions and interrupts through the IDT, their frames and stacks, faults upon
 * faults, and IRET: by guest code through rs_run.
 */
#include "tests/cpu/ring.h"

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);
    at_level(r, cpl);
    return r;
}

#define INT(n) 0xcd, (n)
#define UD2 0x0f, 0x0b

/* ---- gates ---------------------------------------------------------------------------------------------------- */

START_TEST(checks_56_int_n_needs_a_gate_dpl_not_below_cpl_and_int1_does_not)
{
    struct ring *r = at(3);

    TRY(r, INT(0x20));
    REFUSED(r, GATE_DPL, GP, 0x20 * 8 + 2);
    ck_assert_uint_eq(slot(r, 1), CODE); /* checks 57: RIP of the INT */
    at_level(r, 3);
    TRY(r, 0xcc);
    ck_assert_uint_eq(r->rule, RS_RULE_GATE_DPL);
    ck_assert_uint_eq(r->fault_error, 3 * 8 + 2);
    ck_assert_uint_eq(r->faults, 2); /* #BP, then #GP */
    at_level(r, 3);
    TRY(r, 0xf1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(r->rule, RS_RULE_NONE);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    at_level(r, 3);
    TRY(r, INT(0x80));
    ALLOWED(r);
    ck_assert_int_eq(r->vector, 0x80);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_RIP), handler(0x80)); /* it has retired: one instruction */
    at_level(r, 0);
    TRY(r, INT(0x20));
    ALLOWED(r);
    ring_free(r);
}
END_TEST

START_TEST(checks_59_an_idt_of_long_mode_holds_64_bit_interrupt_and_trap_gates)
{
    struct ring *r = at(3);

    for (unsigned type = 0; type < 16; type++) {
        idt(r, 0x80, S_CODE, handler(0x80), type, 3, 0);
        at_level(r, 3);
        TRY(r, INT(0x80));
        if (type == SYS_INT || type == SYS_TRAP) {
            ALLOWED(r);
        } else {
            REFUSED(r, IDT_TYPE, GP, 0x402);
        }
    }
    ring_free(r);
}
END_TEST

START_TEST(gates_are_refused_by_limit_presence_and_what_they_lead_to)
{
    struct ring *r = at(3);

    reg(r, RS_REG_IDTR_LIMIT, 0x80 * 16 + 14);
    TRY(r, INT(0x80));
    REFUSED(r, IDT_LIMIT, GP, 0x402);
    reg(r, RS_REG_IDTR_LIMIT, 0xfff);

    poke(r, IDT + 0x80 * 16 + 5, 0x6e, 1);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_P, NP, 0x402);

    idt(r, 0x80, 3, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_CS_NULL, GP, 0);

    idt(r, 0x80, S_END, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, SEG_TABLE, GP, S_END);

    idt(r, 0x80, S_DATA, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_CS_TYPE, GP, S_DATA);

    idt(r, 0x80, S_CODE3, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 0);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_CS_DPL, GP, S_CODE3);

    idt(r, 0x80, S_CODE_32, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_CS_L, GP, S_CODE_32);

    gdt(r, S_FREE, D_CODE64 & ~D_P);
    idt(r, 0x80, S_FREE, handler(0x80), SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, GATE_CS_P, NP, S_FREE);

    idt(r, 0x80, S_CODE, 0x800000000000, SYS_INT, 3, 0);
    at_level(r, 3);
    TRY(r, INT(0x80));
    REFUSED(r, CANON_FETCH, GP, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_52_ext_is_1_while_an_exception_is_delivered_and_0_for_int_n)
{
    struct ring *r = at(3);

    poke(r, IDT + VEC_UD * 16 + 5, 0x0e, 1); /* the gate of #UD is not present */
    TRY(r, UD2);
    ck_assert_int_eq(r->vector, VEC_NP);
    ck_assert_uint_eq(r->fault_error, VEC_UD * 8 + 3);
    ck_assert_uint_eq(slot(r, 0), VEC_UD * 8 + 3);
    ck_assert_uint_eq(slot(r, 1), CODE);
    poke(r, IDT + VEC_DB * 16 + 5, 0x0e, 1); /* INT1 counts as external */
    at_level(r, 3);
    TRY(r, 0xf1);
    ck_assert_int_eq(r->vector, VEC_NP);
    ck_assert_uint_eq(r->fault_error, VEC_DB * 8 + 3);
    idt(r, VEC_UD, 0, handler(VEC_UD), SYS_INT, 0, 0);
    at_level(r, 3);
    TRY(r, UD2);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->fault_error, 1); /* a null selector: EXT alone */
    ring_free(r);
}
END_TEST

START_TEST(checks_55_int_n_never_pushes_an_error_code)
{
    struct ring *r = at(0);

    TRY(r, INT(VEC_GP));
    ALLOWED(r);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 40);
    ring_free(r);
}
END_TEST

/* ---- stacks and flags -------------------------------------------------------------------------------------------- */

START_TEST(checks_58_the_frame_is_aligned_to_16_and_holds_ss_and_rsp_at_every_level)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RSP, STACK1 - 3);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 16 - 40);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(slot(r, 1), S_CODE);
    ck_assert_uint_eq(slot(r, 2), 2);
    ck_assert_uint_eq(slot(r, 3), STACK1 - 3);
    ck_assert_uint_eq(slot(r, 4), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);

    at_level(r, 3);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 40);
    ck_assert_uint_eq(slot(r, 1), S_CODE3 | 3);
    ck_assert_uint_eq(slot(r, 3), STACK3);
    ck_assert_uint_eq(slot(r, 4), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_SS), 0); /* null, RPL = the new CPL */
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE);
    ck_assert_uint_eq(r->cross.how, RS_X_INT);
    ring_free(r);
}
END_TEST

START_TEST(checks_58_an_ist_switches_stacks_at_the_same_level_too)
{
    struct ring *r = at(0);

    idt(r, 0x80, S_CODE, handler(0x80), SYS_INT, 3, 1);
    TRY(r, INT(0x80));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), IST1 - 40);
    ck_assert_uint_eq(slot(r, 3), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);
    at_level(r, 3);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(get(r, RS_REG_RSP), IST1 - 40);
    ck_assert_uint_eq(get(r, RS_REG_SS), 0);

    reg(r, RS_REG_ES_LIMIT + I_TR, 36 + 6);
    at_level(r, 0);
    TRY(r, INT(0x80));
    REFUSED(r, TSS_LIMIT, TS, S_TSS);
    reg(r, RS_REG_ES_LIMIT + I_TR, 0x67);
    poke(r, TSS + 36, 0x900000000000, 8);
    at_level(r, 0);
    TRY(r, INT(0x80));
    REFUSED(r, CANON_STACK, SS, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_60_interrupt_gates_clear_if_trap_gates_keep_it_both_clear_tf_nt_rf)
{
    struct ring *r = at(3);
    uint64_t flags = 2 | RF_IF | RF_NT | RF_AC | RF_CF | RF_DF;

    reg(r, RS_REG_RFLAGS, flags);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), flags & ~(uint64_t)(RF_IF | RF_NT));
    ck_assert_uint_eq(slot(r, 2), flags);
    idt(r, 0x80, S_CODE, handler(0x80), SYS_TRAP, 3, 0);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, flags);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), flags & ~(uint64_t)RF_NT);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, flags);
    TRY(r, UD2);
    ck_assert_uint_eq(slot(r, 2), flags | RF_RF); /* a fault pushes RF = 1 */
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, flags | RF_RF);
    TRY(r, INT(0x80));
    ck_assert_uint_eq(slot(r, 2), flags);
    ring_free(r);
}
END_TEST

START_TEST(a_conforming_handler_keeps_the_level)
{
    struct ring *r = at(3);

    gdt(r, S_FREE, D_CODE64 | D_CONFORMING);
    idt(r, 0x80, S_FREE, handler(0x80), SYS_INT, 3, 0);
    TRY(r, INT(0x80));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_FREE | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 - 40);
    ring_free(r);
}
END_TEST

START_TEST(delivery_from_compatibility_mode_pushes_a_64_bit_frame)
{
    struct ring *r = at(3);

    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff,
            ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11 | 3u << 5);
    TRY(r, INT(0x80));
    ALLOWED(r);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(slot(r, 1), S_CODE3_32 | 3);
    ck_assert_uint_eq(slot(r, 4), S_DATA3 | 3);
    ring_free(r);
}
END_TEST

/* ---- faults upon faults -------------------------------------------------------------------------------------------- */

/* Take a 2-MByte page away from everyone. */
static void unmap(struct ring *r, uint64_t address)
{
    uint64_t at_ = TABLES + 8192 + 8 * (address >> 21);
    poke(r, at_, 0, 8);
    reg(r, RS_REG_CR3, TABLES);
}

START_TEST(checks_53_a_fault_met_on_the_way_is_served_or_makes_a_double_fault)
{
    struct ring *r = at(3);

    /* #UD (benign), then #NP: served */
    poke(r, IDT + VEC_UD * 16 + 5, 0x0e, 1);
    TRY(r, UD2);
    ck_assert_int_eq(r->vector, VEC_NP);
    ck_assert_uint_eq(r->faults, 2);
    /* #GP, then #NP: double fault, error code 0 */
    poke(r, IDT + VEC_GP * 16 + 5, 0x0e, 1);
    at_level(r, 3);
    TRY(r, 0xfa);
    ck_assert_int_eq(r->vector, VEC_DF);
    ck_assert_uint_eq(slot(r, 0), 0);
    /* #GP, then #PF: the page fault is served */
    idt(r, VEC_GP, S_CODE, handler(VEC_GP), SYS_INT, 0, 1);
    poke(r, TSS + 36, 0x80000000 + 0x1000, 8);
    unmap(r, 0x80000000);
    at_level(r, 3);
    TRY(r, 0xfa);
    ck_assert_int_eq(r->vector, VEC_PF);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x80000ff8);
    ck_assert_uint_eq(slot(r, 0), PFEC_W);
    ring_free(r);
}
END_TEST

START_TEST(checks_53_a_page_fault_upon_a_page_fault_is_a_double_fault_with_the_second_cr2)
{
    struct ring *r = at(3);

    poke(r, TSS + 4, 0x80001000, 8); /* RSP0 is unmapped; #DF has a stack of its own */
    idt(r, VEC_DF, S_CODE, handler(VEC_DF), SYS_INT, 0, 1);
    unmap(r, 0x80000000);
    reg(r, RS_REG_RAX, 0x80123456);
    TRY(r, 0x8a, 0x00); /* MOV AL, [RAX] */
    ck_assert_int_eq(r->vector, VEC_DF);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x80000ff8);
    ck_assert_uint_eq(slot(r, 1), CODE);
    ring_free(r);
}
END_TEST

START_TEST(checks_54_a_fault_while_delivering_a_double_fault_is_shutdown_told_as_a_chain)
{
    struct ring *r = at(3);

    poke(r, IDT + VEC_GP * 16 + 5, 0x0e, 1);
    poke(r, IDT + VEC_DF * 16 + 5, 0x0e, 1);
    TRY(r, 0xfa);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_msg(strstr(r->stop.text,
                         "#GP(0x0) by INSN_CLI_IOPL; delivering it: #NP(0x6b) by GATE_P; "
                         "delivering the double fault: #NP(0x43) by GATE_P") != NULL,
                  "%s", r->stop.text);
    ring_free(r);
}
END_TEST

/* ---- IRET ------------------------------------------------------------------------------------------------------------ */

/* An IRETQ frame on the level-0 stack. */
static void frame(struct ring *r, uint64_t rip, unsigned cs, uint64_t flags, uint64_t rsp,
                  unsigned ss)
{
    uint64_t words[5] = {rip, cs, flags, rsp, ss};

    at_level(r, 0);
    reg(r, RS_REG_RSP, STACK1 - 40);
    for (unsigned i = 0; i < 5; i++) poke(r, STACK1 - 40 + 8 * i, words[i], 8);
}
#define IRETQ 0x48, 0xcf

START_TEST(checks_68_iretq_pops_ss_and_rsp_always_and_takes_a_null_ss_inside_ring_3)
{
    struct ring *r = at(0);

    frame(r, TARGET, S_CODE, 2, STACK3, 0);
    TRY(r, IRETQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    ck_assert_uint_eq(get(r, RS_REG_SS), 0);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, 3);
    TRY(r, IRETQ);
    REFUSED(r, SS_NULL, GP, 0);
    frame(r, TARGET, S_CODE_32, 2, STACK3, 0);
    TRY(r, IRETQ);
    REFUSED(r, SS_NULL, GP, 0); /* to compatibility mode */
    frame(r, 0x800000000000, S_CODE3 | 3, 2, STACK3, S_DATA3 | 3);
    TRY(r, IRETQ);
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 4), STACK1 - 40); /* the old stack, the old level */
    ck_assert_uint_eq(slot(r, 2), S_CODE);
    ring_free(r);
}
END_TEST

START_TEST(checks_69_iret_judges_cs_then_rip_then_ss)
{
    struct ring *r = at(0);

    frame(r, 0x800000000000, 0, 2, STACK3, S_CODE);
    TRY(r, IRETQ);
    REFUSED(r, CS_NULL, GP, 0);
    frame(r, 0x800000000000, S_END | 3, 2, STACK3, S_CODE);
    TRY(r, IRETQ);
    REFUSED(r, SEG_TABLE, GP, S_END);
    frame(r, 0x800000000000, S_DATA3 | 3, 2, STACK3, S_CODE);
    TRY(r, IRETQ);
    REFUSED(r, CS_TYPE, GP, S_DATA3);
    frame(r, 0x800000000000, S_CODE3 | 3, 2, STACK3, S_CODE);
    TRY(r, IRETQ);
    REFUSED(r, CANON_FETCH, GP, 0);
    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, S_CODE);
    TRY(r, IRETQ);
    REFUSED(r, SS_RPL_CPL, GP, S_CODE);
    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, S_CODE3 | 3);
    TRY(r, IRETQ);
    REFUSED(r, SS_TYPE, GP, S_CODE3);
    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, S_DATA | 3);
    TRY(r, IRETQ);
    REFUSED(r, SS_DPL, GP, S_DATA);
    gdt(r, S_FREE, (D_DATA | D_DPL(3)) & ~D_P);
    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, S_FREE | 3);
    TRY(r, IRETQ);
    REFUSED(r, SS_P, SS, S_FREE);
    frame(r, TARGET, S_CODE | 3, 2, STACK3, S_DATA3 | 3);
    TRY(r, IRETQ);
    REFUSED(r, CS_RETURN_DPL, GP, S_CODE);
    ring_free(r);
}
END_TEST

START_TEST(checks_69_iret_never_goes_inward)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RSP, STACK3 - 40);
    poke(r, STACK3 - 40, TARGET, 8);
    poke(r, STACK3 - 32, S_CODE, 8);
    TRY(r, IRETQ);
    REFUSED(r, CS_RETURN_RPL, GP, S_CODE);
    ring_free(r);
}
END_TEST

START_TEST(checks_70_iret_with_nt_is_refused_in_long_mode)
{
    struct ring *r = at(0);

    frame(r, TARGET, S_CODE, 2, STACK3, S_DATA);
    reg(r, RS_REG_RFLAGS, 2 | RF_NT);
    TRY(r, IRETQ);
    REFUSED(r, IRET_NT, GP, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_71_iret_changes_iopl_and_if_by_the_old_level)
{
    struct ring *r = at(0);
    uint64_t all = 0x3d7ed7; /* all but VM and TF */

    frame(r, TARGET, S_CODE3 | 3, all & ~(uint64_t)RF_NT, STACK3, S_DATA3 | 3);
    TRY(r, IRETQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), all & ~(uint64_t)RF_NT);

    at_level(r, 3);
    reg(r, RS_REG_RSP, STACK3 - 40);
    uint64_t words[5] = {TARGET, S_CODE3 | 3, all & ~(uint64_t)RF_NT, STACK3, S_DATA3 | 3};
    for (unsigned i = 0; i < 5; i++) poke(r, STACK3 - 40 + 8 * i, words[i], 8);
    TRY(r, IRETQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS),
                      all & ~(uint64_t)(RF_NT | RF_IF | RF_IOPL | RF_VIF | RF_VIP));
    ring_free(r);
}
END_TEST

START_TEST(checks_41_an_outer_return_clears_segments_of_inner_levels)
{
    struct ring *r = at(0);

    frame(r, TARGET, S_CODE3 | 3, 2, STACK3, S_DATA3 | 3);
    segment(r, I_DS, S_DATA, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 3);
    segment(r, I_FS, S_CODE, 0x1234, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 11);
    segment(r, I_GS, 0, 0x5678, 0, ATTR_UNUSABLE);
    TRY(r, IRETQ);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DS), 0);
    ck_assert_uint_eq(get(r, RS_REG_FS), 0);
    ck_assert_uint_eq(get(r, RS_REG_ES), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_GS_BASE), 0x5678); /* a base under a null selector stays */
    ck_assert_uint_eq(r->cross.how, RS_X_IRET);
    ring_free(r);
}
END_TEST

START_TEST(iret_in_compatibility_mode_to_the_same_level_leaves_ss_alone)
{
    struct ring *r = at(0);

    at_level(r, 0);
    segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_DB | ATTR_P | ATTR_S | 11);
    reg(r, RS_REG_RSP, STACK1 - 12);
    poke(r, STACK1 - 12, TARGET, 4);
    poke(r, STACK1 - 8, S_CODE_32, 4);
    poke(r, STACK1 - 4, 2, 4);
    TRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}
END_TEST

/* ---- 32-bit protected mode ----------------------------------------------------------------------------------------------- */

START_TEST(protected_mode_delivers_through_32_bit_gates_at_both_levels)
{
    struct ring *r = ring_new(true);

    TRY(r, INT(0x80));
    ALLOWED(r);
    ck_assert_int_eq(r->vector, 0x80);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 12);
    ck_assert_uint_eq(slot(r, 0), CODE + 2);
    ck_assert_uint_eq(slot(r, 1), S_CODE_32);
    ck_assert_uint_eq(slot(r, 2), 2);
    at_level(r, 3);
    TRY(r, 0xfa);
    REFUSED(r, INSN_CLI_IOPL, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 24);
    ck_assert_uint_eq(slot(r, 0), 0);
    ck_assert_uint_eq(slot(r, 1), CODE);
    ck_assert_uint_eq(slot(r, 2), S_CODE3_32 | 3);
    ck_assert_uint_eq(slot(r, 3), 2 | RF_RF);
    ck_assert_uint_eq(slot(r, 4), STACK3);
    ck_assert_uint_eq(slot(r, 5), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);

    /* and back */
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RSP, get(r, RS_REG_RSP) + 4);
    TRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA3 | 3);
    ring_free(r);
}
END_TEST

static void ss0(struct ring *r, unsigned selector)
{
    poke(r, TSS + 8, selector, 4);
    at_level(r, 3);
    TRY(r, INT(0x80));
}

START_TEST(checks_50_the_tss_must_hold_a_good_stack_for_the_inner_level)
{
    struct ring *r = ring_new(true);

    idt(r, VEC_TS, S_CODE_32, handler(VEC_TS), SYS_INT, 0, 0);
    ss0(r, S_DATA);
    ALLOWED(r);
    /* the handlers of what follows need a level-0 stack: a conforming segment keeps level 3's */
    gdt(r, S_CODE, D_CODE32 | D_CONFORMING);
    for (unsigned v = VEC_TS; v <= VEC_GP; v++) idt(r, v, S_CODE, handler(v), SYS_INT, 0, 0);
    ss0(r, 0);
    REFUSED(r, TSS_SS_NULL, TS, 0);
    ss0(r, S_END);
    REFUSED(r, TSS_SS_TABLE, TS, S_END);
    ss0(r, S_DATA | 1);
    REFUSED(r, TSS_SS_RPL, TS, S_DATA);
    ss0(r, S_DATA3);
    REFUSED(r, TSS_SS_DPL, TS, S_DATA3);
    ss0(r, S_CODE_32);
    REFUSED(r, TSS_SS_TYPE, TS, S_CODE_32);
    gdt(r, S_FREE, D_DATA & ~D_P);
    ss0(r, S_FREE);
    REFUSED(r, TSS_SS_P, SS, S_FREE);
    gdt(r, S_FREE, 0x00409300000000ffull); /* 256 bytes */
    ss0(r, S_FREE);
    REFUSED(r, GATE_STACK_LIMIT, SS, S_FREE);
    reg(r, RS_REG_ES_LIMIT + I_TR, 8); /* SS0's two bytes are at 8 */
    ss0(r, S_DATA);
    REFUSED(r, TSS_LIMIT, TS, S_TSS);
    ring_free(r);
}
END_TEST

START_TEST(into_and_bound_raise_of_and_br_in_32_bit_code)
{
    struct ring *r = ring_new(true);

    reg(r, RS_REG_RFLAGS, 2 | RF_OF);
    TRY(r, 0xce);
    ck_assert_int_eq(r->vector, VEC_OF);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    at_level(r, 0);
    TRY(r, 0xce);
    ALLOWED(r);
    ck_assert_int_eq(r->vector, -1);
    poke(r, DATA, (uint64_t)5 << 32 | 0xfffffffd, 8);
    at_level(r, 0);
    reg(r, RS_REG_RBX, DATA);
    reg(r, RS_REG_RAX, 0xfffffffd);
    TRY(r, 0x62, 0x03);
    ALLOWED(r);
    at_level(r, 0);
    reg(r, RS_REG_RAX, 6);
    TRY(r, 0x62, 0x03);
    ck_assert_int_eq(r->vector, VEC_BR);
    ck_assert_uint_eq(slot(r, 0), CODE);
    ring_free(r);
}
END_TEST

/* ---- what the events carry --------------------------------------------------------------------------------------------------- */

struct told {
    struct rs_event last;
    unsigned faults;
};

static bool tell(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct told *told = ctx;

    (void)m;
    if (e->kind == RS_EV_FAULT) told->faults++;
    else told->last = *e;
    return false;
}

static void tell_of(struct ring *r, uint64_t mask, struct told *told)
{
    unsigned id;

    memset(told, 0, sizeof *told);
    ck_assert_int_eq(rs_observer_add(r->m, mask, false, tell, told, &id), RS_OK);
}

START_TEST(a_shutdown_tells_four_causes_and_each_has_its_own_fault_event)
{
    struct ring *r = ring_new(false);
    struct told told;
    char text[400];

    tell_of(r, RS_MASK(RS_EV_SHUTDOWN) | RS_MASK(RS_EV_FAULT), &told);
    reg(r, RS_REG_IDTR_LIMIT, 0);
    TRY(r, 0x0f, 0x0b); /* UD2; no gate; none for #GP; none for #DF */
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_uint_eq(told.faults, 5); /* #UD, #GP, #GP, #DF, #GP */
    ck_assert_uint_eq(told.last.kind, RS_EV_SHUTDOWN);
    ck_assert_uint_eq(told.last.how, 4);
    rs_event_format(r->m, &told.last, RS_LOG_TEXT, text, sizeof text);
    ck_assert_msg(strstr(text, "triple fault: #UD, then #GP(0x33), then #GP(0x6b), then #GP(0x43)\n") != NULL, "%s",
                  text);
    ring_free(r);
}
END_TEST

START_TEST(an_idt_limit_is_told_as_a_limit)
{
    struct ring *r = ring_new(false);
    struct told told = {.faults = 0};
    char text[400];
    unsigned id;

    ck_assert_int_eq(rs_observer_add(r->m, RS_MASK(RS_EV_CHECK), true, tell, &told, &id), RS_OK);
    reg(r, RS_REG_IDTR_LIMIT, 0x20f);
    TRY(r, 0xcd, 0x21);
    REFUSED(r, IDT_LIMIT, GP, 0x21 * 8 + 2);
    rs_event_format(r->m, &told.last, RS_LOG_TEXT, text, sizeof text);
    ck_assert_msg(strstr(text, "; IDT limit 0x20f, CPL 0") != NULL, "%s", text);
    ring_free(r);
}
END_TEST

/* The local APIC's timer: vector 0x31 after some 2000 cycles. */
START_TEST(waking_tells_the_vector_and_the_idle_cycles)
{
    static const uint8_t code[] = {0xc7, 0x83, 0xf0, 0x00, 0x00, 0x00, 0xff, 0x01, 0x00, 0x00, /* enable */
                                   0xc7, 0x83, 0x20, 0x03, 0x00, 0x00, 0x31, 0x00, 0x00, 0x00, /* LVT timer */
                                   0xc7, 0x83, 0x80, 0x03, 0x00, 0x00, 0xe8, 0x03, 0x00, 0x00, /* count 1000, by 2 */
                                   0xfb, 0xf4};                                                /* STI; HLT */
    struct ring *r = ring_new(false);
    struct told told;

    tell_of(r, RS_MASK(RS_EV_WAKE), &told);
    reg(r, RS_REG_RBX, 0xfee00000);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, code, sizeof code), RS_OK);
    go(r, 5);
    uint64_t halted = rs_cycles(r->m);
    ck_assert_uint_eq(told.last.kind, 0);
    go(r, 1);
    ck_assert_int_eq(r->vector, 0x31);
    ck_assert_uint_eq(told.last.kind, RS_EV_WAKE);
    ck_assert_uint_eq(told.last.w[0], 0x31);
    ck_assert_uint_gt(told.last.w[1], 100);
    ck_assert_uint_le(told.last.w[1], told.last.tick / 64 - halted + 10);
    ring_free(r);
}
END_TEST

START_TEST(an_instruction_is_disassembled_as_the_code_it_stood_in)
{
    static const char *const want[2] = {"INSN mov ecx, dword ptr [eax]; bytes 8b 08\n",
                                        "INSN mov ecx, dword ptr [rax]; bytes 8b 08\n"};

    for (int wide = 0; wide < 2; wide++) {
        struct ring *r = ring_new(!wide);
        struct told told;
        char text[400];

        tell_of(r, RS_MASK(RS_EV_INSN), &told);
        TRY(r, 0x8b, 0x08);
        ck_assert_uint_eq(told.last.how, wide ? 64 : 32);
        rs_event_format(r->m, &told.last, RS_LOG_TEXT, text, sizeof text);
        ck_assert_msg(strstr(text, want[wide]) != NULL, "%s", text);
        ring_free(r);
    }
}
END_TEST

RUN_TESTS("deliver", checks_56_int_n_needs_a_gate_dpl_not_below_cpl_and_int1_does_not,
          checks_59_an_idt_of_long_mode_holds_64_bit_interrupt_and_trap_gates,
          gates_are_refused_by_limit_presence_and_what_they_lead_to,
          checks_52_ext_is_1_while_an_exception_is_delivered_and_0_for_int_n,
          checks_55_int_n_never_pushes_an_error_code,
          checks_58_the_frame_is_aligned_to_16_and_holds_ss_and_rsp_at_every_level,
          checks_58_an_ist_switches_stacks_at_the_same_level_too,
          checks_60_interrupt_gates_clear_if_trap_gates_keep_it_both_clear_tf_nt_rf,
          a_conforming_handler_keeps_the_level,
          delivery_from_compatibility_mode_pushes_a_64_bit_frame,
          checks_53_a_fault_met_on_the_way_is_served_or_makes_a_double_fault,
          checks_53_a_page_fault_upon_a_page_fault_is_a_double_fault_with_the_second_cr2,
          checks_54_a_fault_while_delivering_a_double_fault_is_shutdown_told_as_a_chain,
          checks_68_iretq_pops_ss_and_rsp_always_and_takes_a_null_ss_inside_ring_3,
          checks_69_iret_judges_cs_then_rip_then_ss, checks_69_iret_never_goes_inward,
          checks_70_iret_with_nt_is_refused_in_long_mode,
          checks_71_iret_changes_iopl_and_if_by_the_old_level,
          checks_41_an_outer_return_clears_segments_of_inner_levels,
          iret_in_compatibility_mode_to_the_same_level_leaves_ss_alone,
          protected_mode_delivers_through_32_bit_gates_at_both_levels,
          checks_50_the_tss_must_hold_a_good_stack_for_the_inner_level,
          into_and_bound_raise_of_and_br_in_32_bit_code,
          a_shutdown_tells_four_causes_and_each_has_its_own_fault_event, an_idt_limit_is_told_as_a_limit,
          waking_tells_the_vector_and_the_idle_cycles,
          an_instruction_is_disassembled_as_the_code_it_stood_in)
