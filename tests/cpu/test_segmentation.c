/*
 * test_segmentation.c - data accesses in 16- and 32-bit code: limits of every shape, stacks with a 16-bit
 * pointer, types, what loading a segment leaves behind, what LAR, LSL, VERR, VERW and ARPL answer, and the
 * table registers' images. Each on both engines. Where the manual leaves something open the host's processor
 * was measured (tests/native/native_diff compares the same with the processor it runs on).
 */
#include "cpu/limit.h"
#include "cpu/protect.h"
#include "tests/cpu/both.h"

#define DATA_3 (ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | ATTR_DB | 3u << 5)
#define STACK16_3 (DATA_3 & ~(unsigned)ATTR_DB)
#define READ_AL 0x8a, 0x03   /* MOV AL, [EBX] */
#define READ_AX 0x66, 0x8b, 0x03
#define READ_EAX 0x8b, 0x03
#define WRITE_EAX 0x89, 0x03

static struct ring *at3(void)
{
    struct ring *r = ring_new(true);

    at_level(r, 3);
    return r;
}

/* ---- limits ----------------------------------------------------------------------------------------------- */

/* One byte, in the words of SDM 3A "Limit Checking". */
static bool byte_within(const struct segment *s, uint64_t at)
{
    bool down = (s->attr & (ATTR_CODE | ATTR_EC)) == ATTR_EC;
    uint64_t top = s->attr & ATTR_DB ? 0xffffffffu : 0xffffu;

    return down ? at > s->limit && at <= top : at <= s->limit;
}

START_TEST(checks_43_the_limit_judge_asks_every_byte)
{
    static const uint32_t limits[] = {0,      1,       0xfff,      0x1000,     0xfffe,
                                      0xffff, 0x10000, 0x7fffffff, 0xfffffffe, 0xffffffff};
    static const unsigned attrs[] = {ATTR_RW, ATTR_RW | ATTR_DB, ATTR_EC, ATTR_EC | ATTR_DB,
                                     ATTR_CODE, ATTR_CODE | ATTR_EC | ATTR_DB /* conforming */};

    for (unsigned i = 0; i < 10 * 6 * 10; i++) {
        struct segment s = {.limit = limits[i % 10], .attr = (uint16_t)attrs[i / 10 % 6], .base = 0x1000};
        uint32_t near = limits[i / 60];
        for (int64_t eff = (int64_t)near - 17; eff <= (int64_t)near + 2; eff++) {
            for (unsigned n = 1; n <= 16 && eff >= 0 && eff <= 0xffffffffll; n++) {
                bool all = true;
                for (unsigned k = 0; k < n; k++) all &= byte_within(&s, (uint64_t)eff + k);
                ck_assert_msg(limit_judge(&s, (uint64_t)eff, n) == all, "limit %x attr %x: %llx, %u", s.limit,
                              s.attr, (long long)eff, n);
            }
        }
    }
}
END_TEST

/* Flat: base 0 and 4 GBytes. The manual says "may or may not". */
START_TEST(checks_43_a_flat_segment_alone_has_no_edge_at_4_gib)
{
    struct segment flat = {.limit = 0xffffffff, .attr = ATTR_RW | ATTR_DB}, based = flat;

    based.base = 1;
    ck_assert(limit_judge(&flat, 0xfffffffe, 4));
    ck_assert(!limit_judge(&based, 0xfffffffe, 4));
    ck_assert(limit_judge(&based, 0xfffffffc, 4));
}
END_TEST

static void ds(struct ring *r, uint64_t base, uint64_t limit, unsigned attr, uint32_t ebx)
{
    at_level(r, 3);
    segment(r, I_DS, S_DATA3 | 3, base, limit, attr);
    reg(r, RS_REG_RBX, ebx);
}

BOTH(checks_43_the_last_byte_of_an_operand_decides)
{
    struct ring *r = at3();

    for (uint32_t at = 0x1000 - 5; at <= 0x1000; at++) {
        ds(r, DATA, 0xfff, DATA_3, at);
        TRY(r, READ_AL);
        ck_assert_int_eq(r->vector, at <= 0xfff ? -1 : VEC_GP);
        ds(r, DATA, 0xfff, DATA_3, at);
        TRY(r, READ_AX);
        ck_assert_int_eq(r->vector, at + 1 <= 0xfff ? -1 : VEC_GP);
        ds(r, DATA, 0xfff, DATA_3, at);
        TRY(r, READ_EAX);
        if (at + 3 <= 0xfff) PASSED(r, LIMIT_DATA);
        else REFUSED(r, LIMIT_DATA, GP, 0);
    }
    ring_free(r);
}

BOTH(checks_43_expand_down_ends_at_64_kib_or_4_gib_by_its_b_bit)
{
    struct ring *r = at3();
    unsigned down = DATA_3 | ATTR_EC;

    ds(r, DATA - 0xff00, 0xfeff, down & ~(unsigned)ATTR_DB, 0xff00);
    TRY(r, READ_EAX);
    PASSED(r, LIMIT_DATA);
    ds(r, DATA - 0xff00, 0xfeff, down & ~(unsigned)ATTR_DB, 0xfffd);
    TRY(r, READ_EAX);
    REFUSED(r, LIMIT_DATA, GP, 0);
    ds(r, DATA - 0xff00, 0xfeff, down, 0xfffd); /* B = 1 */
    TRY(r, READ_EAX);
    PASSED(r, LIMIT_DATA);
    ds(r, DATA - 0xff00, 0xfeff, down, 0xfeff);
    TRY(r, READ_EAX);
    REFUSED(r, LIMIT_DATA, GP, 0);
    ring_free(r);
}

BOTH(checks_43_a_linear_address_goes_round_at_4_gib)
{
    struct ring *r = at3();

    poke(r, DATA, 0x11223344, 4);
    ds(r, DATA + 0x80000000ull, 0xffffffff, DATA_3 | ATTR_G, 0x80000000);
    TRY(r, READ_EAX);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x11223344);
    ring_free(r);
}

BOTH(checks_43_granularity_counts_in_pages_of_which_the_last_is_whole)
{
    struct ring *r = at3();

    gdt(r, S_FREE, 0x00c0f30000000001ull | (uint64_t)DATA << 16); /* G, limit 1: 0x1fff */
    for (unsigned i = 0; i < 2; i++) {
        at_level(r, 3);
        reg(r, RS_REG_RAX, S_FREE | 3);
        TRY(r, 0x8e, 0xd8); /* MOV DS, AX */
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + I_DS), 0x1fff);
        reg(r, RS_REG_RBX, i ? 0x1ffd : 0x1ffc);
        TRY(r, READ_EAX);
        if (i) REFUSED(r, LIMIT_DATA, GP, 0);
        else PASSED(r, LIMIT_DATA);
    }
    ring_free(r);
}

/* ---- 16-bit stacks ---------------------------------------------------------------------------------------- */

static void ss(struct ring *r, uint64_t limit, unsigned attr, uint32_t esp)
{
    at_level(r, 3);
    segment(r, I_SS, S_DATA3 | 3, DATA, limit, attr);
    reg(r, RS_REG_RSP, esp);
}

BOTH(checks_43_a_16_bit_stack_pointer_goes_round_and_keeps_what_lies_above_it)
{
    struct ring *r = at3();

    reg(r, RS_REG_RAX, 0xabcd1234);
    ss(r, 0xffff, STACK16_3, 0x77770000);
    TRY(r, 0x66, 0x50); /* PUSH AX */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0x7777fffe);
    ck_assert_uint_eq(peek(r, DATA + 0xfffe, 2), 0x1234);
    TRY(r, 0x66, 0x59); /* POP CX */
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0x77770000);
    ss(r, 0xffff, STACK16_3, 0x77770001); /* the word would lie at FFFFh */
    TRY(r, 0x66, 0x50);
    REFUSED(r, LIMIT_STACK, SS, 0);
    ss(r, 0xffff, STACK16_3, 0x77770001);
    TRY(r, 0x66, 0x50);
    ck_assert_uint_eq(peek(r, get(r, RS_REG_RSP) + 16, 4), 0x77770001); /* ESP of the frame: as it was */
    ring_free(r);
}

BOTH(checks_100_pusha_and_enter_that_leave_the_stack_move_no_register)
{
    struct ring *r = at3();
    uint32_t last = 0x100; /* expand-down stack: valid above */

    ss(r, last, DATA_3 | ATTR_EC, last + 1 + 28); /* room for seven of eight */
    reg(r, RS_REG_RBP, 0x5555);
    TRY(r, 0x60); /* PUSHAD */
    REFUSED(r, LIMIT_STACK, SS, 0);
    ck_assert_uint_eq(peek(r, get(r, RS_REG_RSP) + 16, 4), last + 1 + 28);
    ss(r, last, DATA_3 | ATTR_EC, last + 1 + 32);
    TRY(r, 0x60);
    PASSED(r, LIMIT_STACK);
    ck_assert_uint_eq(get(r, RS_REG_RSP), last + 1);
    ss(r, last, DATA_3 | ATTR_EC, last + 1 + 4);
    TRY(r, 0xc8, 0x10, 0x00, 0x00); /* ENTER 16, 0: EBP fits, the frame does not */
    REFUSED(r, LIMIT_STACK, SS, 0);
    ck_assert_uint_eq(get(r, RS_REG_RBP), 0x5555);
    ck_assert_uint_eq(peek(r, get(r, RS_REG_RSP) + 16, 4), last + 1 + 4);
    ring_free(r);
}

/* ---- types, accessed bits ----------------------------------------------------------------------------------- */

BOTH(checks_44_execute_only_code_is_not_read_but_may_be_flushed)
{
    struct ring *r = at3();
    unsigned blind = ATTR_G | ATTR_P | ATTR_S | 9 | 3u << 5 | ATTR_DB;

    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff, blind);
    reg(r, RS_REG_RBX, DATA);
    TRY(r, 0x2e, READ_EAX);
    REFUSED(r, TYPE_READ, GP, 0);
    at_level(r, 3);
    segment(r, I_CS, S_CODE3_32 | 3, 0, 0xffffffff, blind);
    TRY(r, 0x2e, 0x0f, 0xae, 0x3b); /* CLFLUSH CS:[EBX] */
    ALLOWED(r);
    at_level(r, 3);
    TRY(r, 0x2e, READ_EAX);
    PASSED(r, TYPE_READ);
    at_level(r, 3);
    TRY(r, 0x2e, WRITE_EAX);
    REFUSED(r, TYPE_WRITE, GP, 0);
    ring_free(r);
}

BOTH(checks_42_a_load_sets_the_accessed_bit_at_any_level_and_a_refused_one_does_not)
{
    struct ring *r = at3();
    uint64_t fresh = 0x00cff2000000ffffull;

    gdt(r, S_FREE, fresh);
    reg(r, RS_REG_RAX, S_FREE | 3);
    TRY(r, 0x8e, 0xc0); /* MOV ES, AX */
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, GDT + S_FREE, 8), fresh | D_ACCESSED);
    gdt(r, S_FREE, fresh & ~D_P);
    AGAIN(r, 3, TRY(r, 0x8e, 0xc0));
    REFUSED(r, SEG_P, NP, S_FREE);
    ck_assert_uint_eq(peek(r, GDT + S_FREE, 8), fresh & ~D_P);
    gdt(r, S_FREE, fresh);
    at_level(r, 3);
    poke(r, DATA, 0x12345678 | (uint64_t)(S_FREE | 3) << 32, 8);
    reg(r, RS_REG_RBX, DATA);
    TRY(r, 0x0f, 0xb2, 0x23); /* LSS ESP, [EBX] */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0x12345678);
    ck_assert_uint_eq(peek(r, GDT + S_FREE, 8), fresh | D_ACCESSED);
    ring_free(r);
}

/* ---- LAR, LSL, VERR, VERW, ARPL ---------------------------------------------------------------------------------- */

/* SDM 2A "LAR" and "LSL": the system types that they answer for. */
static bool listed(bool lsl, bool lma, unsigned type)
{
    switch (type) {
    case SYS_LDT:
    case SYS_TSS:
    case SYS_TSS_BUSY: return true;
    case SYS_CALL: return !lsl;
    case SYS_TSS16:
    case SYS_TSS16_BUSY: return !lma;
    case SYS_CALL16:
    case SYS_TASK: return !lsl && !lma;
    default: return false;
    }
}

static bool zf(struct ring *r) { return get(r, RS_REG_RFLAGS) & RF_ZF; }

BOTH(checks_45_lar_and_lsl_know_their_types_and_read_eight_bytes)
{
    for (int prot = 0; prot < 2; prot++) {
        struct ring *r = ring_new(prot);
        for (unsigned type = 0; type < 16; type++) {
            unsigned last = S_END - 8; /* nothing of the table behind it */
            gdt(r, last, D_SYSTEM(type, 0x1234, 0x5678));
            at_level(r, 0);
            reg(r, RS_REG_RAX, last);
            reg(r, RS_REG_RCX, 0xdead);
            TRY(r, 0x0f, 0x02, 0xc8); /* LAR ECX, EAX */
            ALLOWED(r);
            ck_assert_int_eq(zf(r), listed(false, !prot, type));
            ck_assert_uint_eq(get(r, RS_REG_RCX), listed(false, !prot, type) ? 0x8000 | type << 8 : 0xdead);
            reg(r, RS_REG_RCX, 0xdead);
            TRY(r, 0x0f, 0x03, 0xc8); /* LSL ECX, EAX */
            ALLOWED(r);
            ck_assert_int_eq(zf(r), listed(true, !prot, type));
            ck_assert_uint_eq(get(r, RS_REG_RCX), listed(true, !prot, type) ? 0x5678 : 0xdead);
        }
        ring_free(r);
    }
}

BOTH(checks_45_a_bad_selector_is_an_answer_and_no_fault)
{
    static const uint8_t ask[][3] = {
        {0x0f, 0x02, 0xc8}, {0x0f, 0x03, 0xc8}, {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}}; /* VERR, VERW AX */
    static const uint16_t bad[] = {0, 3, S_END, 0xfff8, S_DATA /* DPL 0 */, S_FREE | 4 /* no LDT */};

    for (int prot = 0; prot < 2; prot++) {
        struct ring *r = ring_new(prot);
        for (unsigned i = 0; i < 4 * 6; i++) {
            at_level(r, 3);
            reg(r, RS_REG_RFLAGS, 2 | RF_ZF);
            reg(r, RS_REG_RAX, bad[i / 4]);
            reg(r, RS_REG_RCX, 7);
            try_bytes(r, ask[i % 4], 3);
            ALLOWED(r);
            ck_assert(!zf(r));
            ck_assert_uint_eq(get(r, RS_REG_RCX), 7);
            reg(r, RS_REG_RAX, S_DATA3 | 3);
            try_bytes(r, ask[i % 4], 3);
            ck_assert(zf(r));
        }
        ring_free(r);
    }
}

BOTH(checks_45_selectors_of_the_ldt_are_looked_up_in_it)
{
    struct ring *r = at3();

    segment(r, I_LDTR, S_LDT, LDT, 0x0f, ATTR_P | SYS_LDT);
    poke(r, LDT + 8, 0x0040f20000000abcull, 8);
    reg(r, RS_REG_RAX, 8 | 7);
    TRY(r, 0x0f, 0x03, 0xc8);
    ck_assert(zf(r));
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0xabc);
    reg(r, RS_REG_RAX, 16 | 7); /* beyond its limit */
    TRY(r, 0x0f, 0x03, 0xc8);
    ALLOWED(r);
    ck_assert(!zf(r));
    ring_free(r);
}

BOTH(checks_46_arpl_raises_the_rpl_and_writes_only_then)
{
    struct ring *r = at3();

    reg(r, RS_REG_RAX, 0x50);
    reg(r, RS_REG_RCX, 2);
    TRY(r, 0x63, 0xc8); /* ARPL AX, CX */
    ck_assert(zf(r));
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x52);
    TRY(r, 0x63, 0xc8);
    ck_assert(!zf(r));
    ds(r, DATA, 0xfff, DATA_3 & ~(unsigned)ATTR_RW, 0); /* read-only */
    poke(r, DATA, 0x53, 2);
    TRY(r, 0x63, 0x0b); /* ARPL [EBX], CX */
    ALLOWED(r);
    poke(r, DATA, 0x51, 2);
    ds(r, DATA, 0xfff, DATA_3 & ~(unsigned)ATTR_RW, 0);
    TRY(r, 0x63, 0x0b);
    REFUSED(r, TYPE_WRITE, GP, 0);
    ck_assert_uint_eq(peek(r, DATA, 2), 0x51);
    ring_free(r);
}

/* ---- table registers ------------------------------------------------------------------------------------------------ */

BOTH(checks_48_a_16_bit_lgdt_keeps_24_bits_of_the_base_and_sgdt_stores_six_bytes)
{
    struct ring *r = ring_new(true);

    reg(r, RS_REG_RBX, DATA);
    poke(r, DATA, 0x1122334455667fffull, 8);
    TRY(r, 0x66, 0x0f, 0x01, 0x1b); /* LIDT [EBX], 16-bit operand */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_IDTR_BASE), 0x445566);
    ck_assert_uint_eq(get(r, RS_REG_IDTR_LIMIT), 0x7fff);
    TRY(r, 0x0f, 0x01, 0x1b);
    ck_assert_uint_eq(get(r, RS_REG_IDTR_BASE), 0x33445566);
    poke(r, DATA, ~0ull, 8);
    TRY(r, 0x0f, 0x01, 0x0b); /* SIDT [EBX] */
    ck_assert_uint_eq(peek(r, DATA, 8), 0xffff334455667fffull);
    ring_free(r);
}

BOTH(checks_48_sgdt_that_leaves_its_segment_writes_nothing)
{
    struct ring *r = ring_new(true);

    poke(r, DATA, ~0ull, 8);
    segment(r, I_DS, S_DATA3 | 3, DATA, 4, DATA_3);
    reg(r, RS_REG_RBX, 0);
    TRY(r, 0x0f, 0x01, 0x03);
    REFUSED(r, LIMIT_DATA, GP, 0);
    ck_assert_uint_eq(peek(r, DATA, 8), ~0ull);
    ring_free(r);
}

/* ---- encodings of 32-bit code ------------------------------------------------------------------------------------------ */

BOTH(checks_99_lock_and_register_forms_that_mean_nothing_are_undefined)
{
    static const uint8_t undefined[][4] = {
        {0xf0, 0x01, 0xc0}, {0xf0, 0x8b, 0x03}, {0xf0, 0x40},       {0xf0, 0x38, 0x03}, {0x8e, 0xc8},
        {0x8e, 0xf0},       {0x62, 0xc0},       {0x0f, 0xb2, 0xc0}, {0x8d, 0xc0},       {0x0f, 0xc7, 0xc8},
        {0x8c, 0xf0},       {0xc6, 0xc8},       {0x8f, 0xc8},       {0xff, 0xf8},       {0xfe, 0xd0},
    };
    struct ring *r = at3();

    for (unsigned i = 0; i < sizeof undefined / sizeof *undefined; i++) {
        at_level(r, 3);
        try_bytes(r, undefined[i], 4);
        ck_assert_msg(r->vector == VEC_UD, "%02x %02x %02x: %d", undefined[i][0], undefined[i][1],
                      undefined[i][2], r->vector);
    }
    at_level(r, 3);
    TRY(r, 0xf0, 0x01, 0x03); /* LOCK ADD [EBX], EAX, with EBX = 0 */
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_102_aam_by_0_is_de_and_undefined_aliases_work)
{
    struct ring *r = at3();

    TRY(r, 0xd4, 0x00); /* AAM 0 */
    ck_assert_int_eq(r->vector, VEC_DE);
    at_level(r, 3);
    reg(r, RS_REG_RAX, 0x0140);
    TRY(r, 0xc0, 0xf0, 0x01); /* SAL AL, 1 by /6 */
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x0180);
    TRY(r, 0x82, 0xc0, 0x01); /* ADD AL, 1 by 82h */
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x0181);
    TRY(r, 0xf6, 0xc8, 0x80); /* TEST AL, 80h by /1 */
    ck_assert(!zf(r));
    reg(r, RS_REG_RFLAGS, 2 | RF_CF);
    TRY(r, 0xd6); /* SALC */
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x01ff);
    ring_free(r);
}

BOTH(checks_100_bound_asks_the_upper_bound_only_if_the_lower_lets_pass)
{
    struct ring *r = at3();

    poke(r, DATA, 5 | 9ull << 32, 8);
    for (unsigned index = 4; index <= 10; index++) {
        ds(r, DATA, 7, DATA_3, 0);
        reg(r, RS_REG_RAX, index);
        TRY(r, 0x62, 0x03); /* BOUND EAX, [EBX] */
        ck_assert_int_eq(r->vector, index < 5 || index > 9 ? VEC_BR : -1);
    }
    ds(r, DATA, 3, DATA_3, 0);
    reg(r, RS_REG_RAX, 4);
    TRY(r, 0x62, 0x03);
    ck_assert_int_eq(r->vector, VEC_BR);
    ds(r, DATA, 3, DATA_3, 0);
    reg(r, RS_REG_RAX, 5);
    TRY(r, 0x62, 0x03);
    REFUSED(r, LIMIT_DATA, GP, 0);
    ring_free(r);
}

/* ---- far transfers between code of different sizes ---------------------------------------------------------- */

/* Compatibility mode at CPL 3 on a 16-bit stack of base DATA. */
static void compatible_on_a_small_stack(struct ring *r, uint64_t rsp)
{
    in_compatibility_mode(r, 3);
    segment(r, I_SS, S_DATA3 | 3, DATA, 0xffff, STACK16_3);
    reg(r, RS_REG_RSP, rsp);
}

/* Intel, measured (native_diff): the pushes are 64-bit code's, by all of RSP and without a base. */
BOTH(checks_38_a_far_call_to_64_bit_code_pushes_without_the_base_of_ss)
{
    struct ring *r = ring_new(false);
    const uint8_t call[] = {0x9a, 0, 0, 0x31, 0, S_CODE3 | 3, 0}, near[] = {0x9a, 0, 0, 0x31, 0, S_CODE3_32 | 3, 0};

    compatible_on_a_small_stack(r, STACK3);
    poke(r, STACK3 - 8, 0, 8);
    try_bytes(r, call, sizeof call);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 - 8);
    ck_assert_uint_eq(peek(r, STACK3 - 8, 4), CODE + 7);
    ck_assert_uint_eq(peek(r, STACK3 - 4, 4), S_CODE3_32 | 3);
    compatible_on_a_small_stack(r, STACK3 | 0x80); /* to code of its own kind: DATA + SP */
    try_bytes(r, near, sizeof near);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), (STACK3 | 0x80) - 8);
    ck_assert_uint_eq(peek(r, DATA + 0x78, 4), CODE + 7);
    /* a page that cannot be pushed to: all is as it was */
    in_compatibility_mode(r, 3);
    segment(r, I_SS, S_DATA3 | 3, DATA, 0xffff, STACK16_3);
    reg(r, RS_REG_RSP, 0x7ffffff0);
    poke(r, TABLES + 8192 + 8 * (0x7ffffff0 >> 21), 0, 8);
    try_bytes(r, call, sizeof call);
    ck_assert_int_eq(r->vector, VEC_PF);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x7fffffec);
    ring_free(r);
}

BOTH(checks_38_a_far_ret_to_64_bit_code_releases_parameters_from_all_of_rsp)
{
    struct ring *r = ring_new(false);

    compatible_on_a_small_stack(r, 0xfff0);
    poke(r, DATA + 0xfff0, TARGET, 4);
    poke(r, DATA + 0xfff4, S_CODE3 | 3, 4);
    TRY(r, 0xca, 0x10, 0x00); /* RETF 16 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0x10008);
    compatible_on_a_small_stack(r, 0xfff0);
    poke(r, DATA + 0xfff4, S_CODE3_32 | 3, 4);
    TRY(r, 0xca, 0x10, 0x00);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 8);
    ring_free(r);
}

/* ---- verdicts for every type, by an oracle of words --------------------------------------------------------- */

/* What LAR, LSL, VERR, VERW accept, by S and type: SDM 2A "LAR" table "Segment and Gate Types", "LSL", 2B "VERR". */
static const struct {
    const char *type; /* 0..15 of system segments, then of code and data */
    const char *lar_legacy, *lar_long, *lsl_legacy, *lsl_long, *verr, *verw;
} sees = {
    "0123456789abcdef0123456789abcdef",
    ".yyyyy...y.yy...yyyyyyyyyyyyyyyy",
    "..y......y.yy...yyyyyyyyyyyyyyyy",
    ".yyy.....y.y....yyyyyyyyyyyyyyyy",
    "..y......y.y....yyyyyyyyyyyyyyyy",
    "................yyyyyyyy..yy..yy",
    "..................yy..yy........",
};

/* Conforming code is seen from any level, all else where DPL is neither below CPL nor below RPL. */
static bool seen_by(unsigned n, unsigned dpl, unsigned cpl, unsigned rpl)
{
    return n >= 28 || (dpl >= cpl && dpl >= rpl);
}

START_TEST(checks_45_the_judges_of_lar_lsl_verr_and_verw_for_every_type_and_level)
{
    for (unsigned i = 0; i < 32 * 64 * 2; i++) {
        unsigned n = i & 31, dpl = i >> 5 & 3, cpl = i >> 7 & 3, rpl = i >> 9 & 3, p = i >> 11;
        uint16_t attr = (uint16_t)((n & 15) | (n & 16) | dpl << 5 | (p ? ATTR_P : 0)), sel = (uint16_t)(0x48 | rpl);
        bool level = seen_by(n, dpl, cpl, rpl);
        ck_assert_uint_eq(seg_lar_judge(attr, sel, cpl, false), level && sees.lar_legacy[n] == 'y');
        ck_assert_uint_eq(seg_lar_judge(attr, sel, cpl, true), level && sees.lar_long[n] == 'y');
        ck_assert_uint_eq(seg_lsl_judge(attr, sel, cpl, false), level && sees.lsl_legacy[n] == 'y');
        ck_assert_uint_eq(seg_lsl_judge(attr, sel, cpl, true), level && sees.lsl_long[n] == 'y');
        ck_assert_uint_eq(seg_verify_judge(attr, sel, cpl, false), level && sees.verr[n] == 'y');
        ck_assert_uint_eq(seg_verify_judge(attr, sel, cpl, true), level && sees.verw[n] == 'y');
    }
}
END_TEST

/* Loading: what the manual's lists say, in other words and another order than the judges'. */
START_TEST(checks_44_the_judges_of_loads_for_every_type_and_level)
{
    for (unsigned i = 0; i < 32 * 64 * 2; i++) {
        unsigned n = i & 31, dpl = i >> 5 & 3, cpl = i >> 7 & 3, rpl = i >> 9 & 3, p = i >> 11;
        uint16_t attr = (uint16_t)(n | dpl << 5 | (p ? ATTR_P : 0)), sel = (uint16_t)(0x48 | rpl);
        bool data = n >= 16 && n < 24, writable = data && (n & 2);
        enum rs_rule load = sees.verr[n] != 'y'            ? RS_RULE_SEG_TYPE
                            : !seen_by(n, dpl, cpl, rpl)   ? RS_RULE_SEG_DPL
                            : !p                           ? RS_RULE_SEG_P
                                                           : RS_RULE_NONE;
        enum rs_rule stack = rpl != cpl ? RS_RULE_SS_RPL_CPL
                             : !writable ? RS_RULE_SS_TYPE
                             : dpl != cpl ? RS_RULE_SS_DPL
                             : !p         ? RS_RULE_SS_P
                                          : RS_RULE_NONE;
        ck_assert_uint_eq(seg_data_judge(attr, sel, cpl), load);
        ck_assert_uint_eq(seg_stack_judge(attr, sel, cpl), stack);
    }
}
END_TEST

RUN_TESTS("segmentation", checks_38_a_far_call_to_64_bit_code_pushes_without_the_base_of_ss,
          checks_38_a_far_ret_to_64_bit_code_releases_parameters_from_all_of_rsp,
          checks_45_the_judges_of_lar_lsl_verr_and_verw_for_every_type_and_level,
          checks_44_the_judges_of_loads_for_every_type_and_level, checks_43_the_limit_judge_asks_every_byte,
          checks_43_a_flat_segment_alone_has_no_edge_at_4_gib, checks_43_the_last_byte_of_an_operand_decides,
          checks_43_expand_down_ends_at_64_kib_or_4_gib_by_its_b_bit,
          checks_43_a_linear_address_goes_round_at_4_gib,
          checks_43_granularity_counts_in_pages_of_which_the_last_is_whole,
          checks_43_a_16_bit_stack_pointer_goes_round_and_keeps_what_lies_above_it,
          checks_100_pusha_and_enter_that_leave_the_stack_move_no_register,
          checks_44_execute_only_code_is_not_read_but_may_be_flushed,
          checks_42_a_load_sets_the_accessed_bit_at_any_level_and_a_refused_one_does_not,
          checks_45_lar_and_lsl_know_their_types_and_read_eight_bytes,
          checks_45_a_bad_selector_is_an_answer_and_no_fault,
          checks_45_selectors_of_the_ldt_are_looked_up_in_it,
          checks_46_arpl_raises_the_rpl_and_writes_only_then,
          checks_48_a_16_bit_lgdt_keeps_24_bits_of_the_base_and_sgdt_stores_six_bytes,
          checks_48_sgdt_that_leaves_its_segment_writes_nothing,
          checks_99_lock_and_register_forms_that_mean_nothing_are_undefined,
          checks_102_aam_by_0_is_de_and_undefined_aliases_work,
          checks_100_bound_asks_the_upper_bound_only_if_the_lower_lets_pass)
