/*
 * test_gates.c - 16- and 32-bit call gates, the stacks of inner levels out of 16- and 32-bit TSSs, 16-bit
 * interrupt and trap gates, and the way back from them: by guest code through rs_run, on both engines.
 */
#include "tests/cpu/both.h"

/* More of the GDT. */
enum {
    G_GATE = 0x80,
    G_CONF = 0x88,   /* conforming code of DPL 0 */
    G_SS16 = 0x90,   /* a stack with B=0 at base STACK16 */
    G_CODE16 = 0x98, /* 16-bit code of DPL 0, base 0 */
    G_X = 0xa0,
    G_CODE3_16 = 0xa8, /* 16-bit code of DPL 3, base 0 */
    G_END = 0x100,
    STACK16 = 0x270000,
    LOW = 0x1000 /* what a 16-bit offset reaches */
};

static struct ring *world(void)
{
    struct ring *r = ring_new(true);

    gdt(r, G_CONF, D_CODE32 | D_CONFORMING);
    gdt(r, G_SS16, 0x000093000000ffffull | (uint64_t)STACK16 << 16);
    gdt(r, G_CODE16, 0x008f9b000000ffffull); /* 4 GiB, D=0 */
    gdt(r, G_CODE3_16, 0x008ffb000000ffffull);
    reg(r, RS_REG_GDTR_LIMIT, G_END - 1);
    poke(r, LOW, 0xfeeb, 2);
    return r;
}

static void gate_at(struct ring *r, unsigned type, unsigned sel, uint64_t off, unsigned dpl,
                    unsigned params)
{
    gdt(r, G_GATE,
        (off & 0xffff) | (uint64_t)sel << 16 | (uint64_t)params << 32 | (uint64_t)type << 40 |
            D_DPL(dpl) | D_P | (off & 0xffff0000) << 32);
}

#define CALL_GATE(rpl) 0x9a, 0, 0, 0, 0, G_GATE | (rpl), 0
#define JMP_GATE(rpl) 0xea, 0, 0, 0, 0, G_GATE | (rpl), 0
#define FROM(r, cpl, ...)                                                                          \
    (at_level((r), (cpl)),                                                                         \
     try_now((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})))
static void try_now(struct ring *r, const uint8_t *bytes, size_t n) { try_bytes(r, bytes, n); }

static uint64_t word(struct ring *r, unsigned i, unsigned n)
{
    return peek(r, get(r, RS_REG_SS_BASE) + get(r, RS_REG_RSP) + i * n, n);
}

/* ---- call gates: who may, and in which order ------------------------------------------------------ */

BOTH(checks_49_a_32_bit_call_gate_is_judged_by_the_larger_of_cpl_and_rpl)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 0, 0);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, CALL_GATE_DPL, GP, G_GATE);
    FROM(r, 0, CALL_GATE(1)); /* by RPL alone */
    REFUSED(r, CALL_GATE_DPL, GP, G_GATE);
    FROM(r, 0, CALL_GATE(0));
    PASSED(r, CALL_GATE_DPL);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    gdt(r, G_GATE, 3ull << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3)); /* not present, and null */
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, CALL_GATE_P, NP, G_GATE);
    gate_at(r, SYS_CALL, 3, TARGET, 3, 0);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, GATE_CS_NULL, GP, 0);
    gate_at(r, SYS_CALL, G_END, TARGET, 3, 0);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, SEG_TABLE, GP, G_END);
    gate_at(r, SYS_CALL, S_DATA, TARGET, 3, 0);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, GATE_CS_TYPE, GP, S_DATA);
    gate_at(r, SYS_CALL, S_CODE3_32, TARGET, 3, 0);
    FROM(r, 0, CALL_GATE(0)); /* outwards */
    REFUSED(r, GATE_CS_DPL, GP, S_CODE3_32);
    gate_at(r, SYS_CALL, G_X, TARGET, 3, 0);
    gdt(r, G_X, D_CODE32 & ~D_P);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, GATE_CS_P, NP, G_X);
    ring_free(r);
}

BOTH(checks_49_a_conforming_target_keeps_the_level_and_a_jump_cannot_go_inwards)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, G_CONF, TARGET, 3, 5);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_CS), G_CONF | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 - 8); /* no parameters at the same level */
    ck_assert_uint_eq(slot(r, 0), CODE + 7);
    ck_assert_uint_eq(slot(r, 1), S_CODE3_32 | 3);
    FROM(r, 3, JMP_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), G_CONF | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 0);
    FROM(r, 3, JMP_GATE(3));
    REFUSED(r, CALL_GATE_JMP, GP, S_CODE_32);
    gate_at(r, SYS_CALL, G_X, TARGET, 3, 0);
    gdt(r, G_X, D_CODE32 & ~D_P); /* the level comes before presence */
    FROM(r, 3, JMP_GATE(3));
    REFUSED(r, CALL_GATE_JMP, GP, G_X);
    FROM(r, 0, JMP_GATE(0));
    REFUSED(r, GATE_CS_P, NP, G_X);
    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 0);
    FROM(r, 0, JMP_GATE(0));
    PASSED(r, CALL_GATE_JMP);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}

/* ---- inner stacks ------------------------------------------------------------------------------------ */

BOTH(checks_50_a_32_bit_gate_copies_its_parameters_and_a_return_releases_them_on_both_stacks)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 3);
    for (unsigned i = 0; i < 3; i++) poke(r, STACK3 + 4 * i, 0x1111 * (i + 1), 4);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE_32);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 28);
    ck_assert_uint_eq(slot(r, 0), CODE + 7);
    ck_assert_uint_eq(slot(r, 1), S_CODE3_32 | 3);
    for (unsigned i = 0; i < 3; i++) ck_assert_uint_eq(slot(r, 2 + i), 0x1111 * (i + 1));
    ck_assert_uint_eq(slot(r, 5), STACK3);
    ck_assert_uint_eq(slot(r, 6), S_DATA3 | 3);
    ck_assert_uint_eq(r->cross.how, RS_X_CALL_GATE);
    segment(r, I_FS, S_DATA, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 3 | ATTR_DB);
    segment(r, I_GS, G_CONF, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 15 | ATTR_DB);
    TRY(r, 0xca, 12, 0); /* RETF 12 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 12);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_DATA3 | 3);
    /* checks 41: inner data is cleared, conforming code is not */
    ck_assert_uint_eq(get(r, RS_REG_FS), 0);
    ck_assert_uint_eq(get(r, RS_REG_GS), G_CONF);
    ck_assert_uint_eq(get(r, RS_REG_DS), S_DATA3 | 3);
    ring_free(r);
}

BOTH(checks_50_thirty_one_parameters_and_one_that_cannot_be_read)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 31);
    for (unsigned i = 0; i < 31; i++) poke(r, STACK3 + 4 * i, 100 + i, 4);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 35 * 4);
    for (unsigned i = 0; i < 31; i++) ck_assert_uint_eq(slot(r, 2 + i), 100 + i);
    at_level(r, 3); /* the 31st lies beyond the old stack's limit */
    segment(r, I_SS, S_DATA3 | 3, 0, STACK3 + 30 * 4 - 1, ATTR_P | ATTR_S | 3 | 3u << 5 | ATTR_DB);
    TRY(r, CALL_GATE(3));
    REFUSED(r, LIMIT_STACK, SS, 0);
    ck_assert_uint_eq(slot(r, 1), CODE); /* nothing had changed: EIP, ESP */
    ck_assert_uint_eq(slot(r, 4), STACK3);
    ring_free(r);
}

BOTH(checks_50_the_new_stack_is_judged_before_any_push)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 1);
    poke(r, STACK0 - 4, 0x12345678, 4);
#define NEW_SS(sel) poke(r, TSS + 8, (sel), 4)
#define ONCE_MORE FROM(r, 3, CALL_GATE(3))
    /* handlers take a task's stack too: theirs is DPL 3, conforming code at the same level */
    for (unsigned v = 10; v < 14; v++) idt(r, v, G_CONF, handler(v), SYS_INT, 3, 0);
    NEW_SS(1);
    ONCE_MORE;
    REFUSED(r, TSS_SS_NULL, TS, 0);
    NEW_SS(G_END);
    ONCE_MORE;
    REFUSED(r, TSS_SS_TABLE, TS, G_END);
    NEW_SS(S_DATA | 1);
    ONCE_MORE;
    REFUSED(r, TSS_SS_RPL, TS, S_DATA);
    NEW_SS(S_DATA3);
    ONCE_MORE;
    REFUSED(r, TSS_SS_DPL, TS, S_DATA3);
    NEW_SS(S_CODE_32);
    ONCE_MORE;
    REFUSED(r, TSS_SS_TYPE, TS, S_CODE_32);
    gdt(r, G_X, D_DATA & ~D_P);
    NEW_SS(G_X);
    ONCE_MORE;
    REFUSED(r, TSS_SS_P, SS, G_X);
    gdt(r, G_X, 0x0040930000000000ull | (STACK0 & 0xffff) | (uint64_t)(STACK0 >> 16) << 48);
    poke(r, TSS + 4, 0x13, 4); /* 20 bytes are wanted */
    ONCE_MORE;
    REFUSED(r, GATE_STACK_LIMIT, SS, G_X);
    poke(r, TSS + 4, 0x14, 4);
    ONCE_MORE;
    PASSED(r, GATE_STACK_LIMIT);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0);
    NEW_SS(S_DATA);
    poke(r, TSS + 4, STACK0, 4);
    reg(r, RS_REG_ES_LIMIT + I_TR, 8); /* ESP0 is in, SS0 is not */
    ONCE_MORE;
    REFUSED(r, TSS_LIMIT, TS, S_TSS);
    reg(r, RS_REG_ES_LIMIT + I_TR, 9);
    ONCE_MORE;
    PASSED(r, TSS_LIMIT);
    /* the new stack comes before the target's limit */
    gdt(r, G_X, 0x00409b000000ffffull);
    gate_at(r, SYS_CALL, G_X, TARGET, 3, 1);
    ONCE_MORE;
    REFUSED(r, LIMIT_FETCH, GP, 0);
    NEW_SS(1);
    ONCE_MORE;
    REFUSED(r, TSS_SS_NULL, TS, 0);
    ring_free(r);
}

/* ---- 16 bits ------------------------------------------------------------------------------------------ */

/* TR: a 16-bit TSS with SS0:SP0. */
static void tss16(struct ring *r, unsigned ss, unsigned sp)
{
    segment(r, I_TR, S_TSS, TSS, 0x2b, ATTR_P | SYS_TSS16_BUSY);
    poke(r, TSS + 2, sp, 2);
    poke(r, TSS + 4, ss, 2);
}

BOTH(checks_49_a_16_bit_gate_pushes_words_and_its_offset_is_zero_extended)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL16, S_CODE_32, 0xabcd0000 | LOW, 3,
            2); /* a 286 leaves the last word alone */
    poke(r, STACK3, 0x22221111, 4);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 12);
    ck_assert_uint_eq(word(r, 0, 2), (CODE + 7) & 0xffff);
    ck_assert_uint_eq(word(r, 1, 2), S_CODE3_32 | 3);
    ck_assert_uint_eq(word(r, 2, 2), 0x1111);
    ck_assert_uint_eq(word(r, 3, 2), 0x2222);
    ck_assert_uint_eq(word(r, 4, 2), STACK3 & 0xffff);
    ck_assert_uint_eq(word(r, 5, 2), S_DATA3 | 3);
    poke(r, LOW, 0xcb66, 2); /* RETF of 16 bits: IP, CS, SP, SS */
    poke(r, STACK0 - 12 + 2, S_CODE3_32 | 3, 2);
    poke(r, STACK0 - 8, STACK3 & 0xffff, 2);
    poke(r, STACK0 - 6, S_DATA3 | 3, 2);
    go(r, 1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RIP), (CODE + 7) & 0xffff);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 & 0xffff);
    poke(r, LOW, 0xfeeb, 2);
    gate_at(r, SYS_CALL16, S_CODE_32, LOW, 3, 9);
    FROM(r, 0, CALL_GATE(0)); /* the same level */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 4);
    ck_assert_uint_eq(word(r, 1, 2), S_CODE_32);
    ring_free(r);
}

BOTH(checks_50_a_16_bit_tss_gives_the_inner_stack_and_a_small_stack_keeps_the_upper_half)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 0);
    tss16(r, G_SS16, 0x8000);
    at_level(r, 3);
    reg(r, RS_REG_RSP, STACK3);
    TRY(r, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_SS), G_SS16);
    ck_assert_uint_eq(get(r, RS_REG_RSP), (STACK3 & 0xffff0000) | (0x8000 - 16));
    ck_assert_uint_eq(peek(r, STACK16 + 0x8000 - 8, 4), STACK3); /* all of ESP is pushed */
    TRY(r, 0xcb);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    tss16(r, G_SS16,
          0x0e); /* no room for 16 bytes: they wrap into the limit, and the last one breaks it */
    reg(r, RS_REG_ES_LIMIT + I_TR, 4); /* SS0's second byte is missing */
    at_level(r, 3);
    for (unsigned v = 10; v < 14; v++) idt(r, v, G_CONF, handler(v), SYS_INT, 3, 0);
    TRY(r, CALL_GATE(3));
    REFUSED(r, TSS_LIMIT, TS, S_TSS);
    reg(r, RS_REG_ES_LIMIT + I_TR, 5);
    at_level(r, 3);
    TRY(r, CALL_GATE(3));
    REFUSED(r, GATE_STACK_LIMIT, SS, G_SS16);
    ring_free(r);
}

BOTH(a_16_bit_interrupt_gate_pushes_words_at_the_same_and_an_inner_level)
{
    struct ring *r = world();

    idt(r, 0x80, S_CODE_32, 0x55550000 | LOW, SYS_INT16, 3, 0);
    at_level(r, 0);
    reg(r, RS_REG_RFLAGS, 0x202);
    TRY(r, 0xcd, 0x80);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 6);
    ck_assert_uint_eq(word(r, 0, 2), (CODE + 2) & 0xffff);
    ck_assert_uint_eq(word(r, 1, 2), S_CODE_32);
    ck_assert_uint_eq(word(r, 2, 2), 0x202);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_IF, 0);
    idt(r, 0x80, S_CODE_32, LOW, SYS_TRAP16, 3, 0);
    tss16(r, G_SS16, 0x4000);
    at_level(r, 3);
    reg(r, RS_REG_RFLAGS, 0x202);
    TRY(r, 0xcd, 0x80);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_IF, RF_IF);
    ck_assert_uint_eq(get(r, RS_REG_RSP) & 0xffff, 0x4000 - 10);
    ck_assert_uint_eq(peek(r, STACK16 + 0x4000 - 2, 2), S_DATA3 | 3);
    ck_assert_uint_eq(peek(r, STACK16 + 0x4000 - 4, 2), STACK3 & 0xffff);
    ring_free(r);
}

BOTH(an_exception_through_a_16_bit_gate_pushes_its_error_code_as_a_word_and_iret_returns)
{
    struct ring *r = world();

    idt(r, VEC_GP, S_CODE_32, LOW, SYS_INT16, 0, 0);
    poke(r, LOW, 0x04c48366, 4); /* ADD SP, 4: wrong on purpose for a 32-bit frame */
    FROM(r, 3, 0xf4);            /* HLT */
    ck_assert_uint_eq(r->fault_vector, VEC_GP);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW + 4);
    poke(r, LOW, 0x02c48366, 4); /* ADD SP, 2; IRET of 16 bits */
    poke(r, LOW + 4, 0xcf66, 2);
    poke(r, LOW + 6, 0xfeeb, 2);
    at_level(r, 3);
    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff,
            ATTR_G | ATTR_P | ATTR_S | 11 | 3u << 5 | ATTR_DB);
    reg(r, RS_REG_RIP, 0x3000);
    TRY(r, 0xf4);
    ck_assert_uint_eq(word(r, 0, 2), 0x3000);
    ck_assert_uint_eq(word(r, 3, 2), STACK3 & 0xffff);
    go(r, 1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x3000);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 & 0xffff);
    ring_free(r);
}

BOTH(checks_50_mixed_sizes_a_32_bit_gate_from_16_bit_code)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 1);
    at_level(r, 3);
    segment(r, I_CS, G_CODE3_16 | 3, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 11 | 3u << 5);
    poke(r, STACK3, 0xcafebabe, 4);
    reg(r, RS_REG_RIP, 0x2000);
    TRY(r, 0x9a, 0, 0, G_GATE | 3, 0); /* CALL ptr16:16: the gate's size decides */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(slot(r, 0), 0x2005);
    ck_assert_uint_eq(slot(r, 1), G_CODE3_16 | 3);
    ck_assert_uint_eq(slot(r, 2), 0xcafebabe);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 20);
    ring_free(r);
}

/* ---- the same level: room slot by slot ------------------------------------------------------------ */

BOTH(a_far_call_near_the_bottom_of_a_16_bit_stack_wraps_between_its_two_pushes)
{
    struct ring *r = world();

    at_level(r, 0);
    segment(r, I_SS, G_SS16, STACK16, 0xffff, ATTR_P | ATTR_S | 3);
    reg(r, RS_REG_RSP, 4);
    TRY(r, 0x9a, 0x00, 0x00, 0x31, 0x00, S_CODE_32, 0x00);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0xfffc);
    ck_assert_uint_eq(peek(r, STACK16, 4), S_CODE_32);
    ck_assert_uint_eq(peek(r, STACK16 + 0xfffc, 4), CODE + 7);
    ring_free(r);
}

/* ---- levels 1 and 2, and edges ---------------------------------------------------------------------- */

static void level_segments(struct ring *r, unsigned level)
{
    gdt(r, G_X, (D_CODE32 | D_DPL(level)) & ~D_ACCESSED);
    gdt(r, G_SS16, (D_DATA | D_DPL(level)) & ~D_ACCESSED);
}

BOTH(checks_50_each_inner_level_has_its_own_place_in_the_tss)
{
    for (unsigned level = 0; level < 3; level++) {
        struct ring *r = world();
        uint64_t top = STACK16 + 0x1000 * level;

        level_segments(r, level);
        gate_at(r, SYS_CALL, G_X, TARGET, 3, 0);
        poke(r, TSS + 4 + 8 * level, top, 4);
        poke(r, TSS + 8 + 8 * level, 0xffff0000 | G_SS16 | level, 4); /* its upper half is reserved */
        FROM(r, 3, CALL_GATE(3));
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_CPL), level);
        ck_assert_uint_eq(get(r, RS_REG_SS), G_SS16 | level);
        ck_assert_uint_eq(get(r, RS_REG_RSP), top - 16);
        ck_assert_uint_eq(peek(r, GDT + G_X, 8) & D_ACCESSED, D_ACCESSED);
        ck_assert_uint_eq(peek(r, GDT + G_SS16, 8) & D_ACCESSED, D_ACCESSED);
        tss16(r, S_DATA, 0);
        poke(r, TSS + 2 + 4 * level, 0x6000, 2);
        poke(r, TSS + 4 + 4 * level, G_SS16 | level, 2);
        FROM(r, 3, CALL_GATE(3));
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_SS), G_SS16 | level);
        ck_assert_uint_eq(get(r, RS_REG_RSP), 0x6000 - 16);
        ring_free(r);
    }
}

BOTH(checks_49_each_level_of_a_64_bit_tss_and_its_last_byte)
{
    for (unsigned level = 0; level < 3; level++) {
        struct ring *r = ring_new(false);

        gdt(r, S_FREE, D_CODE64 | D_DPL(level));
        gdt(r, S_GATE, (TARGET & 0xffff) | (uint64_t)S_FREE << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3) |
                           D_P | (uint64_t)(TARGET >> 16) << 48);
        gdt(r, S_GATE + 8, 0);
        poke(r, DATA, (uint64_t)(S_GATE | 3) << 32, 8);
        poke(r, TSS + 4 + 8 * level, STACK16 + 0x1000 * level, 8);
        idt(r, VEC_TS, S_CODE3, handler(VEC_TS), SYS_INT, 0, 0); /* at level 3 */
        reg(r, RS_REG_ES_LIMIT + I_TR, 4 + 8 * level + 6);
        at_level(r, 3);
        reg(r, RS_REG_RAX, DATA);
        TRY(r, 0xff, 0x18);
        REFUSED(r, TSS_LIMIT, TS, S_TSS);
        reg(r, RS_REG_ES_LIMIT + I_TR, 4 + 8 * level + 7);
        at_level(r, 3);
        reg(r, RS_REG_RAX, DATA);
        TRY(r, 0xff, 0x18);
        PASSED(r, TSS_LIMIT);
        ck_assert_uint_eq(get(r, RS_REG_CPL), level);
        ck_assert_uint_eq(get(r, RS_REG_SS), level);
        ck_assert_uint_eq(get(r, RS_REG_RSP), STACK16 + 0x1000 * level - 32);
        ring_free(r);
    }
}

BOTH(checks_49_descriptors_may_end_with_their_table)
{
    struct ring *r = world();

    gate_at(r, SYS_CALL, G_X, TARGET, 3, 0);
    gdt(r, G_X, D_CODE32);
    reg(r, RS_REG_GDTR_LIMIT, G_X + 7);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CS), G_X);
    reg(r, RS_REG_GDTR_LIMIT, G_X + 6);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, SEG_TABLE, GP, G_X);
    gate_at(r, SYS_CALL, S_CODE_32, TARGET, 3, 0);
    reg(r, RS_REG_GDTR_LIMIT, G_GATE + 7);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    gdt(r, S_CODE3, D_DATA);
    poke(r, TSS + 8, G_SS16, 4);
    reg(r, RS_REG_GDTR_LIMIT, G_SS16 + 7);
    FROM(r, 3, CALL_GATE(3));
    ALLOWED(r);
    ring_free(r);
    r = ring_new(false); /* 16 bytes in IA-32e mode */
    gdt(r, S_GATE, (uint64_t)S_CODE << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3) | D_P);
    poke(r, DATA, (uint64_t)(S_GATE | 3) << 32, 8);
    reg(r, RS_REG_GDTR_LIMIT, S_GATE + 14);
    at_level(r, 3);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    REFUSED(r, SEG_TABLE, GP, S_GATE);
    ring_free(r);
}

BOTH(a_gate_at_the_same_level_judges_the_stack_before_the_target)
{
    struct ring *r = world();

    gdt(r, G_X, 0x00409f0000000fffull); /* conforming */
    gate_at(r, SYS_CALL, G_X, TARGET, 3, 0);
    at_level(r, 3);
    segment(r, I_SS, S_DATA3 | 3, 0, STACK3 - 1, ATTR_P | ATTR_S | ATTR_DB | 7 | 3u << 5); /* from STACK3 up */
    reg(r, RS_REG_RSP, STACK3 + 7);
    TRY(r, CALL_GATE(3));
    REFUSED(r, LIMIT_STACK, SS, 0);
    FROM(r, 3, CALL_GATE(3));
    REFUSED(r, LIMIT_FETCH, GP, 0);
    ring_free(r);
}

BOTH(checks_49_a_64_bit_frame_lies_wholly_in_canonical_addresses)
{
    struct ring *r = ring_new(false);
    static const uint64_t bad[] = {0x0000800000000001, 0x0000800000000020, 0xffff80000000001f, 0x0000800000000008};

    gdt(r, S_GATE, (TARGET & 0xffff) | (uint64_t)S_CODE << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3) | D_P |
                       (uint64_t)(TARGET >> 16) << 48);
    gdt(r, S_GATE + 8, 0);
    poke(r, DATA, (uint64_t)(S_GATE | 3) << 32, 8);
    idt(r, VEC_SS, S_CODE, handler(VEC_SS), SYS_INT, 0, 1);
    idt(r, VEC_PF, S_CODE, handler(VEC_PF), SYS_INT, 0, 1);
    for (unsigned i = 0; i < 4; i++) {
        poke(r, TSS + 4, bad[i], 8);
        at_level(r, 3);
        reg(r, RS_REG_RAX, DATA);
        TRY(r, 0xff, 0x18);
        REFUSED(r, CANON_STACK, SS, 0);
    }
    poke(r, TSS + 4, 0x0000800000000000, 8); /* just below: canonical, and nothing there */
    at_level(r, 3);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    ck_assert_uint_eq(r->fault_vector, VEC_PF);
    ring_free(r);
}

/* ---- the way back ----------------------------------------------------------------------------------- */

/* Words of n bytes at the top of level 0's stack, the first the lowest. */
static void stack_words(struct ring *r, unsigned n, unsigned count, const uint32_t *words)
{
    at_level(r, 0);
    reg(r, RS_REG_RSP, STACK1 - 64);
    for (unsigned i = 0; i < count; i++) poke(r, STACK1 - 64 + n * i, words[i], n);
}
#define RETURN(r, n, bytes, ...)                                                                   \
    do {                                                                                           \
        const uint32_t w_[] = {__VA_ARGS__};                                                       \
        stack_words((r), (n), sizeof w_ / 4, w_);                                                  \
        try_now((r), (const uint8_t[]){bytes}, sizeof((const uint8_t[]){bytes}));                  \
    } while (0)
#define RETF 0xcb
#define IRETD 0xcf
#define RETFW 0x66, 0xcb
/* A refused return leaves ESP: the handler's frame lies right under it. */
#define STAYED(r) ck_assert_uint_eq(get((r), RS_REG_RSP), STACK1 - 64 - 16)

BOTH(checks_51_a_32_bit_far_return_judges_cs_then_ss_then_the_target)
{
    struct ring *r = world();
    uint32_t cs3 = S_CODE3_32 | 3, ss3 = S_DATA3 | 3;

    RETURN(r, 4, RETF, TARGET, 2, 0, 0);
    REFUSED(r, CS_NULL, GP, 0);
    RETURN(r, 4, RETF, TARGET, G_END | 3, 0, 0);
    REFUSED(r, SEG_TABLE, GP, G_END);
    RETURN(r, 4, RETF, TARGET, ss3, 0, 0);
    REFUSED(r, CS_TYPE, GP, S_DATA3);
    RETURN(r, 4, RETF, TARGET, S_CODE_32 | 3, 0, 0);
    REFUSED(r, CS_RETURN_DPL, GP, S_CODE_32);
    gdt(r, G_X, (D_CODE32 | D_DPL(3)) & ~D_P);
    RETURN(r, 4, RETF, TARGET, G_X | 3, 0, 0);
    REFUSED(r, CS_P, NP, G_X);
    gdt(r, G_X,
        0x0040fb0000000fffull); /* TARGET lies beyond its limit, all the same SS comes first */
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, 0);
    REFUSED(r, SS_NULL, GP, 0);
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, G_END | 3);
    REFUSED(r, SEG_TABLE, GP, G_END);
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, S_DATA3);
    REFUSED(r, SS_RPL_CPL, GP, S_DATA3);
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, cs3);
    REFUSED(r, SS_TYPE, GP, S_CODE3_32);
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, S_DATA | 3);
    REFUSED(r, SS_DPL, GP, S_DATA);
    STAYED(r);
    RETURN(r, 4, RETF, TARGET, G_X | 3, STACK3, ss3);
    REFUSED(r, LIMIT_FETCH, GP, 0);
    STAYED(r);
    gdt(r, G_X, (D_DATA | D_DPL(3)) & ~D_P);
    RETURN(r, 4, RETF, TARGET, cs3, STACK3, G_X | 3);
    REFUSED(r, SS_P, SS, G_X);
    RETURN(r, 4, RETF, TARGET, G_CONF | 3, STACK3, ss3); /* conforming code takes the outer level */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_CS), G_CONF | 3);
    TRY(r, 0x6a, S_CODE_32, 0x6a, 0, RETF); /* PUSH, PUSH, RETF: inwards */
    go(r, 2);
    REFUSED(r, CS_RETURN_RPL, GP, S_CODE_32);
    ring_free(r);
}

BOTH(checks_51_operands_of_16_bits_are_zero_extended)
{
    struct ring *r = world();

    FROM(r, 0, 0x66, 0xea, LOW & 0xff, LOW >> 8, S_CODE_32, 0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW);
    FROM(r, 0, 0x66, 0x9a, LOW & 0xff, LOW >> 8, S_CODE_32, 0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 4);
    ck_assert_uint_eq(word(r, 0, 2), (CODE + 6) & 0xffff);
    ck_assert_uint_eq(word(r, 1, 2), S_CODE_32);
    RETURN(r, 2, RETFW, LOW, S_CODE_32);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), LOW);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - 60);
    ring_free(r);
}

BOTH(checks_69_a_32_bit_iret_judges_cs_then_the_target_then_ss)
{
    struct ring *r = world();
    uint32_t cs3 = S_CODE3_32 | 3, ss3 = S_DATA3 | 3;

    RETURN(r, 4, IRETD, TARGET, 0, 2, 0, 0);
    REFUSED(r, CS_NULL, GP, 0);
    gdt(r, G_X, 0x0040fb0000000fffull);
    RETURN(r, 4, IRETD, TARGET, G_X | 3, 2, STACK3, 0);
    REFUSED(r, LIMIT_FETCH, GP, 0);
    RETURN(r, 4, IRETD, TARGET, cs3, 2, STACK3, 3);
    REFUSED(r, SS_NULL, GP, 0);
    RETURN(r, 4, IRETD, TARGET, cs3, 2, STACK3, S_DATA | 3);
    REFUSED(r, SS_DPL, GP, S_DATA);
    STAYED(r);
    at_level(r, 0); /* the stack ends before SS */
    segment(r, I_SS, S_DATA, 0, STACK1 - 64 + 17, ATTR_P | ATTR_S | ATTR_DB | 3);
    reg(r, RS_REG_RSP, STACK1 - 64);
    for (unsigned i = 0; i < 5; i++)
        poke(r, STACK1 - 64 + 4 * i, ((uint32_t[]){TARGET, cs3, 2, STACK3, ss3})[i], 4);
    TRY(r, IRETD);
    REFUSED(r, LIMIT_STACK, SS, 0);
    RETURN(r, 4, IRETD, TARGET, cs3, 0x202, STACK3, ss3);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x202);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3);
    /* checks 41: FS and GS were level 0's */
    ck_assert_uint_eq(get(r, RS_REG_FS), 0);
    ck_assert_uint_eq(get(r, RS_REG_GS), 0);
    ck_assert_uint_eq(get(r, RS_REG_DS), ss3);
    ring_free(r);
}

/* ---- 64-bit gates ------------------------------------------------------------------------------------- */

BOTH(checks_49_a_64_bit_gate_judges_its_stack_before_its_target)
{
    struct ring *r = ring_new(false);

    gdt(r, S_GATE, (uint64_t)S_CODE << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3) | D_P);
    gdt(r, S_GATE + 8, 0xffff0000); /* not canonical */
    poke(r, DATA, (uint64_t)(S_GATE | 3) << 32, 8);
    poke(r, TSS + 4, 0x800000000010ull, 8);
    idt(r, VEC_SS, S_CODE, handler(VEC_SS), SYS_INT, 0, 1);
    idt(r, VEC_GP, S_CODE, handler(VEC_GP), SYS_INT, 0, 1);
    at_level(r, 3);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    REFUSED(r, CANON_STACK, SS, 0);
    poke(r, TSS + 4, STACK0, 8);
    at_level(r, 3);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    REFUSED(r, CANON_FETCH, GP, 0);
    gdt(r, S_GATE, (uint64_t)S_CODE << 16 | (uint64_t)SYS_CALL16 << 40 | D_DPL(3) | D_P);
    at_level(r, 3); /* no 16-bit gates, tasks or TSSs in IA-32e mode */
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    REFUSED(r, CS_TYPE, GP, S_GATE);
    ring_free(r);
}

BOTH(checks_51_compatibility_mode_is_left_and_entered_by_far_transfers)
{
    struct ring *r = ring_new(false);

    at_level(r, 3);
    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff,
            ATTR_G | ATTR_P | ATTR_S | 11 | 3u << 5 | ATTR_DB);
    TRY(r, 0xea, 0x00, 0x00, 0x31, 0x00, S_CODE3 | 3, 0x00); /* JMP into 64-bit mode */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE3 | 3);
    reg(r, RS_REG_RSP, STACK3);
    poke(r, STACK3, CODE, 8);
    poke(r, STACK3 + 8, S_CODE3_32 | 3, 8);
    TRY(r, 0x48, 0xcb); /* and back by RETF of 64 bits */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE3_32 | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 16);
    TRY(r, 0x9a, 0x00, 0x00, 0x31, 0x00, S_CODE3 | 3, 0x00); /* CALL: the operand size is 32 bits */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 8);
    ck_assert_uint_eq(peek(r, STACK3 + 8, 4), CODE + 7);
    ck_assert_uint_eq(peek(r, STACK3 + 12, 4), S_CODE3_32 | 3);
    TRY(r, 0xcb); /* RETF of 32 bits in 64-bit mode */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 16);
    /* a 64-bit call gate out of compatibility mode: 64-bit frame, RIP of 32 bits */
    gdt(r, S_GATE,
        (TARGET & 0xffff) | (uint64_t)S_CODE << 16 | (uint64_t)SYS_CALL << 40 | D_DPL(3) | D_P |
            (uint64_t)(TARGET >> 16) << 48);
    gdt(r, S_GATE + 8, 0);
    TRY(r, 0x9a, 0, 0, 0, 0, S_GATE | 3, 0);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 32);
    ck_assert_uint_eq(slot(r, 0), CODE + 14);
    ck_assert_uint_eq(slot(r, 1), S_CODE3_32 | 3);
    ck_assert_uint_eq(slot(r, 2), STACK3 + 16);
    ck_assert_uint_eq(slot(r, 3), S_DATA3 | 3);
    TRY(r, 0x48, 0xcb);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE3_32 | 3);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 14);
    ring_free(r);
}

BOTH(checks_39_a_null_ss_is_for_64_bit_mode_not_for_compatibility_mode)
{
    struct ring *r = ring_new(false);

    for (unsigned compat = 0; compat < 2; compat++) {
        at_level(r, 0);
        if (compat) segment(r, I_CS, S_CODE_32, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 11 | ATTR_DB);
        reg(r, RS_REG_RAX, 0);
        TRY(r, 0x8e, 0xd0); /* mov ss, eax */
        if (compat) REFUSED(r, SS_NULL, GP, 0);
        else PASSED(r, SS_NULL);
    }
    ring_free(r);
}

BOTH(checks_68_iretq_to_a_16_bit_stack_of_compatibility_code_sets_sp_alone)
{
    const uint64_t frame[5] = {TARGET, S_CODE3_32 | 3, 2, 0x1234, S_FREE | 3};
    struct ring *r = ring_new(false);

    gdt(r, S_FREE, (D_DATA | D_DPL(3)) & ~(1ull << 54)); /* B=0 */
    at_level(r, 0);
    for (unsigned i = 0; i < 5; i++) poke(r, STACK1 - 40 + 8 * i, frame[i], 8);
    reg(r, RS_REG_RSP, STACK1 - 40);
    TRY(r, 0x48, 0xcf);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_SS), S_FREE | 3);
    ck_assert_uint_eq(get(r, RS_REG_RSP), ((STACK1 - 40) & ~0xffffu) | 0x1234); /* the kernel's upper half */
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}

RUN_TESTS("gates", checks_39_a_null_ss_is_for_64_bit_mode_not_for_compatibility_mode,
          checks_68_iretq_to_a_16_bit_stack_of_compatibility_code_sets_sp_alone,
          checks_49_a_32_bit_call_gate_is_judged_by_the_larger_of_cpl_and_rpl,
          checks_49_a_conforming_target_keeps_the_level_and_a_jump_cannot_go_inwards,
          checks_50_a_32_bit_gate_copies_its_parameters_and_a_return_releases_them_on_both_stacks,
          checks_50_thirty_one_parameters_and_one_that_cannot_be_read,
          checks_50_the_new_stack_is_judged_before_any_push,
          checks_49_a_16_bit_gate_pushes_words_and_its_offset_is_zero_extended,
          checks_50_a_16_bit_tss_gives_the_inner_stack_and_a_small_stack_keeps_the_upper_half,
          a_16_bit_interrupt_gate_pushes_words_at_the_same_and_an_inner_level,
          an_exception_through_a_16_bit_gate_pushes_its_error_code_as_a_word_and_iret_returns,
          checks_50_mixed_sizes_a_32_bit_gate_from_16_bit_code,
          a_far_call_near_the_bottom_of_a_16_bit_stack_wraps_between_its_two_pushes,
          checks_50_each_inner_level_has_its_own_place_in_the_tss,
          checks_49_each_level_of_a_64_bit_tss_and_its_last_byte,
          checks_49_descriptors_may_end_with_their_table,
          a_gate_at_the_same_level_judges_the_stack_before_the_target,
          checks_49_a_64_bit_frame_lies_wholly_in_canonical_addresses,
          checks_51_a_32_bit_far_return_judges_cs_then_ss_then_the_target,
          checks_51_operands_of_16_bits_are_zero_extended,
          checks_69_a_32_bit_iret_judges_cs_then_the_target_then_ss,
          checks_51_compatibility_mode_is_left_and_entered_by_far_transfers,
          checks_49_a_64_bit_gate_judges_its_stack_before_its_target)
