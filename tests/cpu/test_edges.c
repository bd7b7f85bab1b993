/*
 * test_edges.c - what a delivery pushes and leaves, what IRET may change, 16-bit stacks under 32-bit
 * code, the last byte of a code segment: the edges that mutants of the judges live on (tools/mutate).
 */
#include "tests/cpu/ring.h"

/* ---- flags of a delivery ----------------------------------------------------------------------------- */

START_TEST(checks_60_int_n_pushes_rf_0_and_its_handler_starts_without_it)
{
    for (int prot32 = 0; prot32 <= 1; prot32++) {
        struct ring *r = ring_new(prot32);

        reg(r, RS_REG_RFLAGS, 2 | RF_RF);
        TRY(r, 0xcd, 0x80); /* int 0x80 */
        ck_assert_int_eq(r->vector, 0x80);
        ck_assert_uint_eq(slot(r, 2) & RF_RF, 0);
        ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_RF, 0);
        ring_free(r);
    }
}
END_TEST

START_TEST(checks_60_int1_pushes_rf_0_and_a_fault_rf_1)
{
    struct ring *r = ring_new(false);

    reg(r, RS_REG_RFLAGS, 2 | RF_RF);
    TRY(r, 0xf1); /* int1 */
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 2) & RF_RF, 0);
    at_level(r, 0);
    TRY(r, 0x0f, 0x0b); /* ud2, with RF as it was: 0 */
    ck_assert_int_eq(r->vector, VEC_UD);
    ck_assert_uint_eq(slot(r, 3) & RF_RF, 0); /* no error code: slot 3 is RSP */
    ck_assert_uint_eq(slot(r, 2) & RF_RF, RF_RF);
    ring_free(r);
}
END_TEST

/* The local APIC on, then one of its registers: mov [rbx+offset], eax. */
static void apic_on(struct ring *r)
{
    reg(r, RS_REG_RBX, 0xfee00000);
    reg(r, RS_REG_RAX, 0x1ff);
    TRY(r, 0x89, 0x83, 0xf0, 0, 0, 0);
    ALLOWED(r);
}

static void apic_write(struct ring *r, unsigned offset, uint32_t value)
{
    uint8_t code[] = {0x89, 0x83, (uint8_t)offset, (uint8_t)(offset >> 8), 0, 0};

    reg(r, RS_REG_RAX, value);
    try_bytes(r, code, sizeof code);
    ALLOWED(r);
}

START_TEST(an_interrupt_is_announced_as_no_exception)
{
    struct ring *r = ring_new(false);

    apic_on(r);
    apic_write(r, 0x300, 0x40031); /* vector 0x31 to itself */
    reg(r, RS_REG_RFLAGS, 2 | RF_IF);
    TRY(r, 0x90);
    ck_assert_int_eq(r->vector, 0x31);
    ck_assert_uint_eq(r->faults, 0);
    ring_free(r);
}
END_TEST

/* What IRET gave RF it keeps until an instruction has run, so an interrupt that waits pushes it. */
START_TEST(checks_60_an_interrupt_pushes_rf_as_iret_left_it_and_its_handler_starts_without)
{
    struct ring *r = ring_new(false);

    apic_on(r);
    apic_write(r, 0x300, 0x40031);
    uint64_t sp = STACK1 - 64, frame[] = {TARGET, S_CODE, 2 | RF_IF | RF_RF, STACK1, S_DATA};
    for (unsigned i = 0; i < 5; i++) poke(r, sp + 8 * i, frame[i], 8);
    reg(r, RS_REG_RSP, sp);
    ck_assert_int_eq(rs_break_add(r->m, handler(0x31)), RS_OK);
    static const uint8_t iretq[] = {0x48, 0xcf};
    ck_assert_int_eq(rs_phys_write(r->m, get(r, RS_REG_RIP), iretq, 2), RS_OK);
    go(r, 100);
    ck_assert_int_eq(r->stop.reason, RS_STOP_BREAKPOINT);
    ck_assert_uint_eq(slot(r, 0), TARGET);
    ck_assert_uint_eq(slot(r, 2) & RF_RF, RF_RF);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_RF, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_60_an_interrupt_between_iterations_pushes_rf_1)
{
    static const uint8_t rep_stosb[] = {0xf3, 0xaa};
    struct ring *r = ring_new(false);

    apic_on(r);
    apic_write(r, 0x3e0, 0xb);  /* timer: divide by 1 */
    apic_write(r, 0x320, 0x31); /* once, vector 0x31 */
    reg(r, RS_REG_RDI, DATA);
    reg(r, RS_REG_RCX, 0x10000);
    apic_write(r, 0x380, 100);
    uint64_t at = get(r, RS_REG_RIP);
    reg(r, RS_REG_RAX, 0);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF);
    ck_assert_int_eq(rs_phys_write(r->m, at, rep_stosb, 2), RS_OK);
    ck_assert_int_eq(rs_break_add(r->m, handler(0x31)), RS_OK);
    go(r, 1000);
    ck_assert_int_eq(r->stop.reason, RS_STOP_BREAKPOINT);
    ck_assert_uint_gt(get(r, RS_REG_RCX), 0);
    ck_assert_uint_lt(get(r, RS_REG_RCX), 0x10000);
    ck_assert_uint_eq(slot(r, 0), at);
    ck_assert_uint_eq(slot(r, 2) & RF_RF, RF_RF);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_RF, 0);
    ring_free(r);
}
END_TEST

START_TEST(checks_52_ts_on_the_way_of_an_exception_has_ext_1)
{
    struct ring *r = ring_new(true);

    poke(r, TSS + 8, S_DATA | 1, 4); /* SS0 with a bad RPL */
    gdt(r, S_FREE, D_CODE32 | D_CONFORMING);
    idt(r, VEC_TS, S_FREE, handler(VEC_TS), SYS_INT, 0, 0); /* needs no inner stack */
    at_level(r, 3);
    TRY(r, 0x0f, 0x0b); /* ud2 */
    ck_assert_int_eq(r->vector, VEC_TS);
    ck_assert_uint_eq(r->fault_error, S_DATA | SELEC_EXT);
    ck_assert_uint_eq(slot(r, 0), S_DATA | SELEC_EXT);
    ring_free(r);
}
END_TEST

/* ---- flags of IRET -------------------------------------------------------------------------------------- */

/* IRET of 32-bit code at level 0 to itself, `size` bytes a slot, with these flags; returns RFLAGS. */
static uint64_t iret_flags(struct ring *r, unsigned size, uint64_t before, uint64_t popped)
{
    static const uint8_t code[] = {0x66, 0xcf}; /* iretw, iretd */

    at_level(r, 0);
    reg(r, RS_REG_RFLAGS, before);
    reg(r, RS_REG_RSP, STACK1 - 64);
    poke(r, STACK1 - 64, 0x1000, size);
    poke(r, STACK1 - 64 + size, S_CODE_32, size);
    poke(r, STACK1 - 64 + 2 * size, popped, size);
    if (size == 2) try_bytes(r, code, 2);
    else try_bytes(r, code + 1, 1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1000);
    return get(r, RS_REG_RFLAGS);
}

START_TEST(checks_71_iret_at_level_0_changes_every_flag_that_its_size_holds)
{
    const uint64_t low = RF_TF | RF_IF | RF_DF | RF_NT | RF_IOPL | 1,
                   high = RF_AC | RF_ID | RF_VIF | RF_VIP;
    struct ring *r = ring_new(true);

    for (unsigned bit = 0; bit < 16; bit++) {
        if (!(low >> bit & 1)) continue;
        ck_assert_uint_eq(iret_flags(r, 2, 2, 2 | 1u << bit), 2 | 1u << bit);
        ck_assert_uint_eq(iret_flags(r, 4, 2, 2 | 1u << bit), 2 | 1u << bit);
        ck_assert_uint_eq(iret_flags(r, 4, 2 | (1u << bit & ~(uint64_t)(RF_NT | RF_TF)), 2), 2);
    }
    ck_assert_uint_eq(iret_flags(r, 2, 2 | high, 2), 2 | high); /* 16 bits reach no further */
    ck_assert_uint_eq(iret_flags(r, 4, 2 | high, 2), 2);
    ck_assert_uint_eq(iret_flags(r, 4, 2, 2 | high), 2 | high);
    ring_free(r);
}
END_TEST

START_TEST(checks_71_a_16_bit_popf_reaches_no_further_than_bit_15)
{
    struct ring *r = ring_new(true);

    for (unsigned wide = 0; wide <= 1; wide++) {
        static const uint8_t popf[] = {0x66, 0x9d};

        at_level(r, 0);
        reg(r, RS_REG_RFLAGS, 2 | RF_AC | RF_ID);
        poke(r, STACK1, 2 | RF_CF, 4);
        try_bytes(r, popf + wide, 2 - wide);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_CF | (wide ? 0 : RF_AC | RF_ID));
    }
    ring_free(r);
}
END_TEST

/* ---- 16-bit stacks -------------------------------------------------------------------------------------- */

#define FAR32(sel, at)                                                                             \
    (at) & 0xff, (at) >> 8 & 0xff, (at) >> 16 & 0xff, (at) >> 24, (sel)&0xff, (sel) >> 8

/* B decides, not G: the segment's limit is in pages and SP has 16 bits all the same. */
START_TEST(a_far_call_on_a_16_bit_stack_wraps_at_sp_0)
{
    struct ring *r = ring_new(true);

    segment(r, I_SS, S_DATA, DATA, 0xffff, ATTR_G | ATTR_P | ATTR_S | 3);
    reg(r, RS_REG_RSP, 0xabcd0004);
    TRY(r, 0x9a, FAR32(S_CODE_32, TARGET));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0xabcdfffc);
    ck_assert_uint_eq(peek(r, DATA, 4), S_CODE_32);
    ck_assert_uint_eq(peek(r, DATA + 0xfffc, 4), CODE + 7);
    ring_free(r);
}
END_TEST

START_TEST(an_outer_return_to_a_16_bit_stack_sets_sp_and_keeps_the_upper_half)
{
    enum { TOP = 0x23fff1 }; /* bits 16, 15 and 0 of the old pointer are 1, of the new SP 0 */
    static const uint8_t code[2] = {0xcb, 0xcf}; /* retf, iretd */

    for (unsigned i = 0; i < 2; i++) {
        struct ring *r = ring_new(true);
        unsigned at = 0;

        gdt(r, S_FREE, (D_DATA & ~(1ull << 54)) | D_DPL(3)); /* B=0, G=1 */
        reg(r, RS_REG_RSP, TOP);
        poke(r, TOP, TARGET, 4);
        poke(r, TOP + 4, S_CODE3_32 | 3, 4);
        if (i == 1) poke(r, TOP + (at += 4) + 4, 2, 4);
        poke(r, TOP + at + 8, 0x99995678, 4);
        poke(r, TOP + at + 12, S_FREE | 3, 4);
        try_bytes(r, code + i, 1);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
        ck_assert_uint_eq(get(r, RS_REG_RSP), 0x235678);
        ring_free(r);
    }
}
END_TEST

/* ---- fetches -------------------------------------------------------------------------------------------- */

struct told {
    struct rs_event refused;
};

static bool keep_refused(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct told *t = ctx;

    (void)m;
    if (e->verdict && !t->refused.rule) t->refused = *e;
    return false;
}

static struct told *listen(struct ring *r, struct told *t)
{
    *t = (struct told){.refused = {.rule = RS_RULE_NONE}};
    ck_assert_int_eq(rs_observer_add(r->m, RS_MASK(RS_EV_CHECK), true, keep_refused, t, NULL),
                     RS_OK);
    return t;
}

START_TEST(checks_43_the_last_byte_of_a_code_segment_runs_and_the_next_does_not)
{
    struct ring *r = ring_new(true);
    struct told t;

    segment(r, I_CS, S_CODE_32, 0, CODE, ATTR_P | ATTR_S | ATTR_DB | 11);
    TRY(r, 0x90);
    ALLOWED(r);
    at_level(r, 0);
    segment(r, I_CS, S_CODE_32, 0, CODE, ATTR_P | ATTR_S | ATTR_DB | 11);
    listen(r, &t);
    TRY(r, 0x66, 0x90);
    REFUSED(r, LIMIT_FETCH, GP, 0);
    ck_assert_uint_eq(t.refused.w[0], CODE);
    ck_assert_uint_eq(t.refused.w[1], CODE); /* the limit */
    ck_assert_uint_eq(t.refused.w[2], 0);
    ring_free(r);
}
END_TEST

START_TEST(a_fetch_from_nowhere_tells_the_address_and_the_width)
{
    struct ring *r = ring_new(false);
    struct told t;

    listen(r, &t);
    reg(r, RS_REG_RIP, 0x800000000000);
    go(r, 1);
    REFUSED(r, CANON_FETCH, GP, 0);
    ck_assert_uint_eq(t.refused.w[0], 0x800000000000);
    ck_assert_uint_eq(t.refused.w[1], 48);
    ck_assert_uint_eq(t.refused.w[2], 0);
    ring_free(r);
}
END_TEST

RUN_TESTS("cpu/edges", checks_60_int_n_pushes_rf_0_and_its_handler_starts_without_it,
          checks_60_int1_pushes_rf_0_and_a_fault_rf_1, an_interrupt_is_announced_as_no_exception,
          checks_60_an_interrupt_pushes_rf_as_iret_left_it_and_its_handler_starts_without,
          checks_60_an_interrupt_between_iterations_pushes_rf_1,
          checks_52_ts_on_the_way_of_an_exception_has_ext_1,
          checks_71_iret_at_level_0_changes_every_flag_that_its_size_holds,
          checks_71_a_16_bit_popf_reaches_no_further_than_bit_15,
          a_far_call_on_a_16_bit_stack_wraps_at_sp_0,
          an_outer_return_to_a_16_bit_stack_sets_sp_and_keeps_the_upper_half,
          checks_43_the_last_byte_of_a_code_segment_runs_and_the_next_does_not,
          a_fetch_from_nowhere_tells_the_address_and_the_width)
