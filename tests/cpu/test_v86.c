/*
 * test_v86.c - virtual-8086 mode and its extensions through rs_run, on both engines: the ways in and out,
 * the sensitive instructions at each IOPL with and without VME, the redirection bit map, ports, PVI.
 * Manual: SDM 3B "Virtual-8086 Mode"; SDM 2, per instruction.
 */
#include "tests/cpu/both.h"
#include "tests/cpu/real.h"

#include "cpu/real.h"

#define VIF (1u << 19)
#define VIP (1u << 20)
#define IF (1u << 9)
#define TF (1u << 8)
#define VM (1u << 17)

static uint64_t flags(struct ring *r) { return get(r, RS_REG_RFLAGS); }

/* ---- judges ------------------------------------------------------------------------------------------------ */

START_TEST(the_judges_of_virtual_8086_mode_are_counted_through)
{
    for (unsigned iopl = 0; iopl < 4; iopl++) ck_assert_int_eq(v86_iopl_judge(iopl), iopl == 3);
    for (unsigned i = 0; i < 16; i++) {
        uint64_t f = i & 1 ? VIP : 0, image = (i & 2 ? IF : 0) | (i & 4 ? TF : 0) | (i & 8 ? VIF : 0);
        enum rs_rule want = (i & 3) == 3 ? RS_RULE_VME_VIP : i & 4 ? RS_RULE_VME_TF : RS_RULE_NONE;
        ck_assert_int_eq(vme_image_judge(f, image), want);
        ck_assert_int_eq(vme_sti_judge(f), !(i & 1));
    }
    for (unsigned dpl = 0; dpl < 4; dpl++) {
        ck_assert_int_eq(v86_gate_judge((uint16_t)(ATTR_P | ATTR_S | ATTR_CODE | dpl << 5)), dpl == 0);
        ck_assert(!v86_gate_judge((uint16_t)(ATTR_P | ATTR_S | ATTR_CODE | ATTR_EC | dpl << 5)));
    }
    for (unsigned v = 0; v < 256; v++) {
        ck_assert(real_vector_judge(v, 4 * v + 3));
        ck_assert(!real_vector_judge(v, 4 * v + 2));
    }
}
END_TEST

/* ---- in and out ---------------------------------------------------------------------------------------------- */

static void frame(struct ring *r, const uint32_t *word, unsigned n)
{
    uint64_t at = get(r, RS_REG_RSP) - 4 * n;

    for (unsigned i = 0; i < n; i++) poke(r, at + 4 * i, word[i], 4);
    reg(r, RS_REG_RSP, at);
}

BOTH(iretd_at_cpl_0_with_vm_in_the_image_enters_virtual_8086_mode)
{
    const uint32_t image[9] = {0x123, R_CODE, 0x3b202 | VM, 0x5678, R_STACK, 0x11, 0x22, 0x33, 0x44};
    struct ring *r = ring_new(true);

    at_level(r, 0);
    frame(r, image, 9);
    TRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(flags(r), (0x3b202 | VM | 2u) & ~0x8000u);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x123);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0x5678);
    ck_assert_uint_eq(get(r, RS_REG_SS_BASE), R_STACK << 4);
    ck_assert_uint_eq(get(r, RS_REG_ES), 0x11);
    ck_assert_uint_eq(get(r, RS_REG_DS), 0x22);
    ck_assert_uint_eq(get(r, RS_REG_FS_BASE), 0x330);
    ck_assert_uint_eq(get(r, RS_REG_GS_BASE), 0x440);
    ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + I_GS), 0xffff);
    ring_free(r);
}

BOTH(the_way_in_refuses_an_eip_beyond_64_kib_and_ring_3_never_sets_vm)
{
    const uint32_t far[9] = {0x10000, R_CODE, 0x20002, 0x5678, R_STACK, 0, 0, 0, 0};
    const uint32_t ring3[5] = {CODE, S_CODE3_32 | 3, 0x20202, STACK3, S_DATA3 | 3};
    struct ring *r = ring_new(true);

    at_level(r, 0);
    frame(r, far, 9);
    TRY(r, 0xcf);
    REFUSED(r, LIMIT_FETCH, GP, 0);
    for (unsigned n = 0; n < 2; n++) { /* EIP is judged before the six words above FLAGS are popped */
        at_level(r, 0);
        frame(r, far, 9);
        if (n) poke(r, get(r, RS_REG_RSP), 0xffff, 4);
        segment(r, I_SS, S_DATA, 0, get(r, RS_REG_RSP) + 11, ATTR_P | ATTR_S | 3 | ATTR_DB);
        TRY(r, 0xcf);
        if (n) REFUSED(r, LIMIT_STACK, SS, 0);
        else REFUSED(r, LIMIT_FETCH, GP, 0);
    }
    at_level(r, 3);
    frame(r, ring3, 5);
    TRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r) & VM, 0);
    ring_free(r);
}

BOTH(checks_92_an_exception_out_of_virtual_8086_mode_saves_and_clears_the_data_segments)
{
    struct ring *r = v86_new(0, IF);

    RTRY(r, 0x0f, 0x0b); /* ud2 */
    ck_assert_int_eq(r->vector, VEC_UD);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 36);
    const uint32_t want[9] = {0, R_CODE, 0x30202, R_SP, R_STACK, R_DATA, R_DATA, R_DATA, R_DATA};
    for (unsigned i = 0; i < 9; i++) ck_assert_uint_eq(slot(r, i), want[i]);
    for (unsigned i = I_DS; i <= I_GS; i++) ck_assert_uint_eq(get(r, RS_REG_ES + i), 0);
    ck_assert_uint_eq(get(r, RS_REG_ES), 0);
    ck_assert_uint_eq(get(r, RS_REG_DS + 24), ATTR_UNUSABLE);
    ck_assert_uint_eq(flags(r) & (VM | IF), 0);
    ck_assert_uint_eq(r->cross.w[0] >> 0 & 0, 0);
    TRY(r, 0xcf); /* and back */
    ck_assert_uint_eq(get(r, RS_REG_CS), R_CODE);
    ck_assert_uint_eq(get(r, RS_REG_DS), R_DATA);
    ck_assert_uint_ne(flags(r) & VM, 0);
    ring_free(r);
}

BOTH(checks_92_a_gate_out_of_virtual_8086_mode_wants_non_conforming_code_of_dpl_0)
{
    struct ring *r = v86_new(3, 0);

    gdt(r, S_FREE, D_CODE32 | D_CONFORMING);
    idt(r, VEC_UD, S_FREE, handler(VEC_UD), SYS_INT, 0, 0);
    RTRY(r, 0x0f, 0x0b);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_INSN_UNDEFINED);
    ck_assert(r->seen[RS_RULE_V86_GATE_CS][1]);
    ck_assert_uint_eq(slot(r, 0), S_FREE | 1); /* EXT: while an exception was being delivered */
    at_v86(r, 3, 0);
    gdt(r, S_FREE, D_CODE32 | D_DPL(1));
    idt(r, 0x90, S_FREE, handler(0x90), SYS_INT, 3, 0);
    poke(r, TSS + 12, STACK0, 4);
    poke(r, TSS + 16, S_DATA | 1, 4);
    RTRY(r, 0xcd, 0x90);
    REFUSED(r, V86_GATE_CS, GP, S_FREE);
    at_v86(r, 3, 0);
    RTRY(r, 0xcd, 0x91);
    PASSED(r, V86_GATE_CS);
    ck_assert_int_eq(r->vector, 0x91);
    ring_free(r);
}

BOTH(a_16_bit_gate_out_of_virtual_8086_mode_pushes_words)
{
    struct ring *r = v86_new(3, 0);

    gdt(r, S_FREE, 0x00009b000000ffffull);
    idt(r, 0x90, S_FREE, 0x1234, SYS_INT16, 3, 0);
    RTRY(r, 0xcd, 0x90);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1234);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 18);
    ck_assert_uint_eq(peek(r, STACK0 - 18, 2), 2);
    ck_assert_uint_eq(peek(r, STACK0 - 14, 2), 0x3002);
    ck_assert_uint_eq(peek(r, STACK0 - 2, 2), R_DATA);
    ring_free(r);
}

/* ---- segments and far transfers -------------------------------------------------------------------------------- */

BOTH(segments_and_far_transfers_go_by_paragraphs)
{
    struct ring *r = v86_new(0, 0);

    reg(r, RS_REG_RAX, 0x1234);
    RTRY(r, 0x8e, 0xd8);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DS_BASE), 0x12340);
    RTRY(r, 0x9a, 0x10, 0x00, 0x00, 0x50);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS_BASE), 0x50000);
    ck_assert_uint_eq(word_at(r, 1), R_CODE);
    RTRY(r, 0xcb);
    ck_assert_uint_eq(get(r, RS_REG_CS), R_CODE);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ring_free(r);
}

BOTH(checks_46_and_privileged_instructions_are_refused)
{
    struct ring *r = v86_new(3, 0);

    RTRY(r, 0x63, 0xc0);
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    at_v86(r, 3, 0);
    RTRY(r, 0x0f, 0x00, 0xd0);
    REFUSED(r, INSN_UNDEFINED, UD, 0);
    at_v86(r, 3, 0);
    RTRY(r, 0xf4);
    REFUSED(r, INSN_CPL0, GP, 0);
    at_v86(r, 3, 0);
    RTRY(r, 0x0f, 0x22, 0xc0);
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

/* ---- sensitive instructions --------------------------------------------------------------------------------------- */

BOTH(checks_91_at_iopl_below_3_the_sensitive_instructions_are_gp)
{
    static const uint8_t code[][2] = {{0xfa, 0x90}, {0xfb, 0x90}, {0x9c, 0x90}, {0x9d, 0x90}, {0xcf, 0x90}, {0xcd, 0x91},
                                      {0x66, 0x9c}, {0x66, 0x9d}, {0x66, 0xcf}};
    struct ring *r = v86_new(0, IF);

    for (unsigned i = 0; i < sizeof code / sizeof code[0]; i++) {
        for (unsigned iopl = 0; iopl < 3; iopl++) {
            at_v86(r, iopl, IF);
            try_real(r, code[i], 2);
            REFUSED(r, V86_IOPL, GP, 0);
            ck_assert_uint_eq(slot(r, 1), 0); /* its own address */
        }
        at_v86(r, 3, IF);
        poke(r, (R_STACK << 4) + R_SP, 0, 8);
        try_real(r, code[i], 2);
        PASSED(r, V86_IOPL);
    }
    at_v86(r, 0, 0);
    RTRY(r, 0xcc); /* INT3 asks the gate alone */
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_GATE_DPL);
    ring_free(r);
}

BOTH(at_iopl_3_popf_and_iret_leave_iopl_and_what_is_virtual)
{
    struct ring *r = v86_new(3, 0);

    poke(r, (R_STACK << 4) + R_SP, 0x5 | VIF | VIP | IF, 4);
    RTRY(r, 0x66, 0x9d);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r), 0x3003 | VM | IF | 4);
    at_v86(r, 3, IF);
    poke(r, (R_STACK << 4) + R_SP, 0x77, 2);
    poke(r, (R_STACK << 4) + R_SP + 2, 0x5000, 2);
    poke(r, (R_STACK << 4) + R_SP + 4, 0x42, 2);
    RTRY(r, 0xcf);
    ck_assert_uint_eq(flags(r), 0x3042 | VM);
    ck_assert_uint_eq(get(r, RS_REG_CS), 0x5000);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x77);
    RTRY(r, 0x66, 0x9c); /* PUSHFD: VM and RF are not in the image */
    ck_assert_uint_eq(peek(r, get(r, RS_REG_SS_BASE) + get(r, RS_REG_RSP), 4), 0x3042);
    ring_free(r);
}

/* ---- VME ---------------------------------------------------------------------------------------------------------- */

/* IOPL and flags in virtual-8086 mode with CR4.VME; a TSS with a redirection bit map of zeroes. */
#define MAP (TSS + 0x68)
static void at_vme(struct ring *r, unsigned iopl, unsigned more)
{
    at_v86(r, iopl, more);
    reg(r, RS_REG_CR4, 1);
    segment(r, I_TR, S_TSS, TSS, 0x68 + 32, ATTR_P | SYS_TSS_BUSY);
    poke(r, TSS + 102, 0x68 + 32, 2);
    for (unsigned i = 0; i < 4; i++) poke(r, MAP + 8 * i, 0, 8);
}

BOTH(checks_71_with_vme_cli_sti_pushf_and_popf_move_vif)
{
    struct ring *r = v86_new(0, 0);

    at_vme(r, 0, VIF | IF);
    RTRY(r, 0xfa);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r) & (VIF | IF), IF);
    RTRY(r, 0xfb);
    ck_assert_uint_eq(flags(r) & (VIF | IF), VIF | IF);
    RTRY(r, 0x9c);
    ALLOWED(r);
    ck_assert_uint_eq(word_at(r, 0), 0x3202); /* IOPL 3, IF from VIF */
    poke(r, (R_STACK << 4) + R_SP - 2, 0x47, 2);
    RTRY(r, 0x9d);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r), 0x47 | VM | IF);
    RTRY(r, 0x66, 0x9c); /* only words are virtual */
    REFUSED(r, V86_IOPL, GP, 0);
    ring_free(r);
}

BOTH(checks_91_with_vip_enabling_interrupts_virtually_is_gp)
{
    struct ring *r = v86_new(0, 0);

    at_vme(r, 0, VIP);
    RTRY(r, 0xfb);
    REFUSED(r, VME_VIP, GP, 0);
    at_vme(r, 0, VIP);
    poke(r, (R_STACK << 4) + R_SP, IF, 2);
    RTRY(r, 0x9d);
    REFUSED(r, VME_VIP, GP, 0);
    ck_assert_uint_eq(slot(r, 4), R_SP);
    at_vme(r, 0, VIP);
    poke(r, (R_STACK << 4) + R_SP, TF, 2);
    RTRY(r, 0x9d);
    REFUSED(r, VME_TF, GP, 0);
    at_vme(r, 0, 0);
    poke(r, (R_STACK << 4) + R_SP, IF, 2);
    RTRY(r, 0x9d);
    PASSED(r, VME_TF);
    PASSED(r, VME_VIP);
    at_vme(r, 0, VIP);
    poke(r, (R_STACK << 4) + R_SP, 0x10 | (uint64_t)R_CODE << 16 | (uint64_t)IF << 32, 6);
    RTRY(r, 0xcf);
    REFUSED(r, VME_VIP, GP, 0);
    ring_free(r);
}

BOTH(iret_with_vme_takes_if_for_vif)
{
    struct ring *r = v86_new(0, 0);

    at_vme(r, 0, IF);
    poke(r, (R_STACK << 4) + R_SP, 0x10 | (uint64_t)R_CODE << 16 | (uint64_t)(IF | 0x3000 | 1) << 32, 6);
    RTRY(r, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r), 3 | VM | IF | VIF);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x10);
    ring_free(r);
}

BOTH(checks_91_the_redirection_bit_map_sends_int_n_to_the_program_or_to_the_monitor)
{
    struct ring *r = v86_new(0, 0);

    at_vme(r, 0, VIF | IF); /* method 6 */
    RTRY(r, 0xcd, 0x91);
    ALLOWED(r);
    ck_assert_int_eq(real_vector(r), 0x91);
    ck_assert_uint_eq(flags(r), 2 | VM | IF);
    ck_assert_uint_eq(word_at(r, 0), 2);
    ck_assert_uint_eq(word_at(r, 1), R_CODE);
    ck_assert_uint_eq(word_at(r, 2), 0x3202);
    at_vme(r, 3, IF); /* method 5 */
    RTRY(r, 0xcd, 0x91);
    ck_assert_int_eq(real_vector(r), 0x91);
    ck_assert_uint_eq(flags(r), 0x3002 | VM);
    ck_assert_uint_eq(word_at(r, 2), 0x3202);
    at_vme(r, 3, IF); /* method 4 */
    poke(r, MAP + 0x91 / 8, 1u << (0x91 & 7), 1);
    RTRY(r, 0xcd, 0x91);
    ALLOWED(r);
    ck_assert_int_eq(r->vector, 0x91);
    at_vme(r, 0, VIF | IF); /* method 3 */
    poke(r, MAP + 0x91 / 8, 1u << (0x91 & 7), 1);
    RTRY(r, 0xcd, 0x91);
    REFUSED(r, V86_IOPL, GP, 0);
    at_vme(r, 0, VIF | IF);
    poke(r, TSS + 102, 0x1000, 2); /* no map within the TSS */
    RTRY(r, 0xcd, 0x91);
    REFUSED(r, VME_MAP, GP, 0);
    at_vme(r, 0, VIF | IF);
    RTRY(r, 0xcd, 0xff); /* the map's last bit */
    PASSED(r, VME_MAP);
    ring_free(r);
}

BOTH(a_redirected_int_n_and_its_iret_are_a_crossing_as_in_real_mode)
{
    struct ring *r = v86_new(0, 0);
    struct ring *real = real_new();

    for (unsigned iopl = 0; iopl <= 3; iopl += 3) {
        at_vme(r, iopl, IF);
        RTRY(r, 0xcd, 0x91);
        at_real(real);
        RTRY(real, 0xcd, 0x91);
        ck_assert_uint_eq(r->crossings, 1);
        ck_assert_uint_eq(real->crossings, 1);
        ck_assert_uint_eq(r->cross.how, RS_X_INT);
        ck_assert_uint_eq(real->cross.how, RS_X_INT);
        ck_assert_uint_eq(r->cross.w[0], real->cross.w[0]); /* the vector */
        RTRY(r, 0xcf);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RIP), 2);
        ck_assert_uint_eq(r->crossings, 0); /* its end */
        ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    }
    ring_free(r);
    ring_free(real);
}

BOTH(checks_61_breakpoints_and_steps_of_virtual_8086_mode_go_to_level_0)
{
    struct ring *r = v86_new(0, 0);

    reg(r, RS_REG_DR0, (R_CODE << 4) + 1);
    reg(r, RS_REG_DR7, 0x402);
    RTRY(r, 0x90, 0x90);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(slot(r, 0), 1);
    ck_assert_uint_eq(slot(r, 2), 2 | VM); /* a code breakpoint leaves RF alone */
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff0ff1);
    reg(r, RS_REG_DR7, 0x400);
    reg(r, RS_REG_DR6, 0xffff0ff0);
    at_v86(r, 0, TF);
    RTRY(r, 0x90);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), 1);
    ck_assert_uint_eq(slot(r, 2), 2 | VM | TF);
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff4ff0);
    at_v86(r, 3, TF); /* INT n clears TF: no step is left of it */
    reg(r, RS_REG_DR6, 0xffff0ff0);
    RTRY(r, 0xcd, 0x90);
    go(r, 1);
    ck_assert_int_eq(r->vector, 0x90);
    ck_assert_uint_eq(slot(r, 0), 2);
    ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff0ff0);
    for (unsigned iopl = 0; iopl <= 3; iopl += 3) { /* nor of one that is redirected */
        at_vme(r, iopl, TF);
        RTRY(r, 0xcd, 0x90);
        go(r, 1);
        ck_assert_int_eq(real_vector(r), 0x90);
        ck_assert_uint_eq(word_at(r, 2) & TF, TF);
        ck_assert_uint_eq(flags(r) & TF, 0);
        ck_assert_uint_eq(get(r, RS_REG_DR6), 0xffff0ff0);
    }
    ring_free(r);
}

BOTH(checks_92_a_trap_gate_keeps_if_and_int1_asks_neither_iopl_nor_dpl)
{
    struct ring *r = v86_new(3, IF);

    idt(r, 0x90, S_CODE_32, handler(0x90), SYS_TRAP, 3, 0);
    RTRY(r, 0xcd, 0x90);
    ck_assert_int_eq(r->vector, 0x90);
    ck_assert_uint_eq(flags(r), 0x3202); /* IOPL is not the gate's to change */
    ck_assert_uint_eq(slot(r, 2), 0x3202 | VM);
    at_v86(r, 3, IF);
    idt(r, 0x90, S_CODE_32, handler(0x90), SYS_TRAP, 2, 0);
    RTRY(r, 0xcd, 0x90);
    REFUSED(r, GATE_DPL, GP, 0x90 * 8 + 2);
    at_v86(r, 0, IF);
    RTRY(r, 0xf1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), 1);
    ck_assert_uint_eq(slot(r, 2), 0x202 | VM);
    at_v86(r, 0, IF);
    RTRY(r, 0xcc); /* INT3 asks for the gate's DPL alone */
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->rule, RS_RULE_GATE_DPL);
    ck_assert_uint_eq(r->fault_error, VEC_BP * 8 + 2);
    ring_free(r);
}

BOTH(checks_54_shutdown_out_of_virtual_8086_mode_tells_the_chain)
{
    struct ring *r = v86_new(3, 0);

    reg(r, RS_REG_IDTR_LIMIT, 0);
    RTRY(r, 0xcd, 0x90);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_ptr_nonnull(strstr(r->stop.text, "INT 0x90; delivering it: #GP(0x482) by IDT_LIMIT")); /* EXT=0 */
    ck_assert_ptr_nonnull(strstr(r->stop.text, "#GP(0x6b) by IDT_LIMIT"));                         /* EXT=1 */
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(flags(r) & VM, VM);
    ring_free(r);
}

BOTH(checks_77_sysenter_leaves_virtual_8086_mode_and_sysexit_is_gp_there)
{
    struct ring *r = v86_new(0, 0);
    static const struct {
        unsigned msr;
        uint32_t value;
    } set[] = {{0x174, S_CODE_32}, {0x175, STACK1}, {0x176, TARGET}};

    at_level(r, 0);
    for (unsigned i = 0; i < 3; i++) {
        reg(r, RS_REG_RCX, set[i].msr);
        reg(r, RS_REG_RAX, set[i].value);
        reg(r, RS_REG_RDX, 0);
        TRY(r, 0x0f, 0x30);
        ALLOWED(r);
    }
    at_v86(r, 0, IF);
    RTRY(r, 0x0f, 0x34);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r), 2); /* VM and IF are 0 */
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE_32);
    ck_assert_uint_eq(get(r, RS_REG_CS_BASE), 0);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_CODE_32 + 8);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_SS) & (ATTR_DPL | ATTR_DB), ATTR_DB);
    ck_assert_uint_eq(get(r, RS_REG_DS_BASE), R_DATA << 4); /* the data segments stay the program's */
    at_v86(r, 3, 0);
    RTRY(r, 0x0f, 0x35);
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

BOTH(entering_with_vif_and_vip_both_set_is_gp_before_the_first_instruction)
{
    const uint32_t image[9] = {0x123, R_CODE, 0x20002 | VIF | VIP, R_SP, R_STACK, 0, 0, 0, 0};
    struct ring *r = ring_new(true);

    at_level(r, 0);
    reg(r, RS_REG_CR4, 1);
    frame(r, image, 9);
    TRY(r, 0xcf);
    ck_assert_uint_eq(r->rule, RS_RULE_VME_VIP);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(slot(r, 1), 0x123);
    ck_assert_uint_eq(slot(r, 2), R_CODE);
    ring_free(r);
}

/* ---- PVI ------------------------------------------------------------------------------------------------------------ */

BOTH(with_pvi_cli_and_sti_of_ring_3_move_vif)
{
    struct ring *r = ring_new(true);

    reg(r, RS_REG_CR4, 2);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, 2 | IF);
    TRY(r, 0xfb);
    ALLOWED(r);
    ck_assert_uint_eq(flags(r), 2 | IF | VIF);
    TRY(r, 0xfa);
    ck_assert_uint_eq(flags(r), 2 | IF);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, 2 | VIP);
    TRY(r, 0xfb);
    REFUSED(r, VME_VIP, GP, 0);
    at_level(r, 3);
    reg(r, RS_REG_CR4, 0);
    TRY(r, 0xfa);
    REFUSED(r, INSN_CLI_IOPL, GP, 0);
    ring_free(r);
}

/* ---- ports ------------------------------------------------------------------------------------------------------------ */

BOTH(checks_91_ports_are_by_the_map_whatever_iopl_says)
{
    struct ring *r = v86_new(3, 0);

    poke(r, TSS + 102, 0x68, 2);
    segment(r, I_TR, S_TSS, TSS, 0x68 + 0x20, ATTR_P | SYS_TSS_BUSY);
    poke(r, TSS + 0x68 + 0x10, 0xfe, 1); /* port 80h open, 81h shut */
    RTRY(r, 0xe6, 0x80);
    PASSED(r, IO_BITMAP);
    RTRY(r, 0xe6, 0x81);
    REFUSED(r, IO_BITMAP, GP, 0);
    at_v86(r, 3, 0);
    poke(r, TSS + 102, 0xffff, 2);
    RTRY(r, 0xe6, 0x80);
    REFUSED(r, IO_IOPL, GP, 0);
    ring_free(r);
}

RUN_TESTS("cpu/v86", the_judges_of_virtual_8086_mode_are_counted_through,
          iretd_at_cpl_0_with_vm_in_the_image_enters_virtual_8086_mode,
          the_way_in_refuses_an_eip_beyond_64_kib_and_ring_3_never_sets_vm,
          checks_92_an_exception_out_of_virtual_8086_mode_saves_and_clears_the_data_segments,
          checks_92_a_gate_out_of_virtual_8086_mode_wants_non_conforming_code_of_dpl_0,
          a_16_bit_gate_out_of_virtual_8086_mode_pushes_words, segments_and_far_transfers_go_by_paragraphs,
          checks_46_and_privileged_instructions_are_refused,
          checks_91_at_iopl_below_3_the_sensitive_instructions_are_gp,
          at_iopl_3_popf_and_iret_leave_iopl_and_what_is_virtual,
          checks_71_with_vme_cli_sti_pushf_and_popf_move_vif,
          checks_91_with_vip_enabling_interrupts_virtually_is_gp, iret_with_vme_takes_if_for_vif,
          checks_91_the_redirection_bit_map_sends_int_n_to_the_program_or_to_the_monitor,
          a_redirected_int_n_and_its_iret_are_a_crossing_as_in_real_mode,
          checks_61_breakpoints_and_steps_of_virtual_8086_mode_go_to_level_0,
          checks_92_a_trap_gate_keeps_if_and_int1_asks_neither_iopl_nor_dpl,
          checks_54_shutdown_out_of_virtual_8086_mode_tells_the_chain,
          checks_77_sysenter_leaves_virtual_8086_mode_and_sysexit_is_gp_there,
          entering_with_vif_and_vip_both_set_is_gp_before_the_first_instruction,
          with_pvi_cli_and_sti_of_ring_3_move_vif, checks_91_ports_are_by_the_map_whatever_iopl_says)
