/*
 * test_breakpoints.c - breakpoints and single steps where they meet the rest of the processor: pages, strings,
 * ports, wide operands, branches, system calls, halts. On both engines.
 * Manual: SDM 3B "Debug Registers", "Debug Exceptions"; SDM 3A "Masking Exceptions and Interrupts When Switching
 * Stacks".
 */
#include "tests/cpu/both.h"

/* DR7: breakpoint n enabled globally, R/W, LEN as the field holds it. */
#define ON(n, rw, len) (2u << 2 * (n) | ((unsigned)(rw) | (unsigned)(len) << 2) << (16 + 4 * (n)))
enum { RW_X, RW_W, RW_IO, RW_RW };
enum { LEN1, LEN2, LEN8, LEN4 };
#define QUIET 0xffff0ff0u
#define PAGE_END (DATA + 0x1000)

static void arm(struct ring *r, unsigned n, uint64_t at, uint64_t dr7)
{
    reg(r, RS_REG_DR0 + n, at);
    reg(r, RS_REG_DR7, 0x400 | dr7);
    reg(r, RS_REG_DR6, QUIET);
}

static struct ring *with(unsigned cpl, const void *code, size_t n)
{
    struct ring *r = ring_new(false);

    at_level(r, cpl);
    reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | CR4_OSFXSR | CR4_DE);
    reg(r, RS_REG_RBX, DATA);
    reg(r, RS_REG_RSI, DATA);
    reg(r, RS_REG_RDI, DATA);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, code, n), RS_OK);
    return r;
}
#define WITH(cpl, ...)                                                                             \
    with((cpl), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* A #DB whose frame says this RIP and DR6 these bits. Traps come without an instruction of their own: one more is
 * asked for, the handler's. */
#define TRAPPED(r, rip, bits)                                                                      \
    do {                                                                                           \
        if ((r)->vector < 0) go((r), 1);                                                           \
        ck_assert_int_eq((r)->vector, VEC_DB);                                                     \
        ck_assert_uint_eq(slot((r), 0), (rip));                                                    \
        ck_assert_uint_eq(get((r), RS_REG_DR6), QUIET | (bits));                                   \
    } while (0)
#define QUIETLY(r)                                                                                 \
    do {                                                                                           \
        ck_assert_uint_eq((r)->faults, 0);                                                         \
        ck_assert_uint_eq(get((r), RS_REG_DR6), QUIET);                                            \
    } while (0)

/* ---- data ------------------------------------------------------------------------------------------------- */

BOTH(checks_61_an_access_across_two_pages_meets_breakpoints_on_either)
{
    for (unsigned second = 0; second < 2; second++) {
        struct ring *r = WITH(3, 0x48, 0x89, 0x03); /* mov [rbx], rax */
        reg(r, RS_REG_RBX, PAGE_END - 4);
        arm(r, 0, second ? PAGE_END + 3 : PAGE_END - 4, ON(0, RW_W, LEN1));
        go(r, 1);
        TRAPPED(r, CODE + 3, 1);
        ring_free(r);
        r = WITH(3, 0x48, 0x89, 0x03);
        reg(r, RS_REG_RBX, PAGE_END - 4);
        arm(r, 0, second ? PAGE_END + 4 : PAGE_END - 5, ON(0, RW_W, LEN1));
        go(r, 1);
        QUIETLY(r);
        ring_free(r);
    }
}

/* Byte `byte` of the operand is watched: met by it, not by what lies just beyond. */
static void operand(const uint8_t *code, size_t n, unsigned bytes, unsigned rw)
{
    for (unsigned byte = 0; byte <= bytes; byte += byte + 1 < bytes ? bytes - 1 : 1) {
        struct ring *r = with(0, code, n);
        arm(r, 3, DATA + byte, ON(3, rw, LEN1));
        go(r, 1);
        if (byte < bytes) TRAPPED(r, CODE + n, 8);
        else QUIETLY(r);
        ring_free(r);
    }
}
#define OPERAND(bytes, rw, ...)                                                                    \
    operand((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (bytes), (rw))

BOTH(every_byte_of_wide_operands_is_watched)
{
    OPERAND(16, RW_RW, 0x66, 0x0f, 0x6f, 0x03);      /* movdqa xmm0, [rbx] */
    OPERAND(16, RW_W, 0x66, 0x0f, 0x7f, 0x03);       /* movdqa [rbx], xmm0 */
    OPERAND(16, RW_W, 0xf0, 0x48, 0x0f, 0xc7, 0x0b); /* lock cmpxchg16b [rbx] */
    OPERAND(8, RW_W, 0xf0, 0x48, 0x0f, 0xc1, 0x03);  /* lock xadd [rbx], rax */
    OPERAND(8, RW_RW, 0x48, 0x39, 0x03);             /* cmp [rbx], rax */
    OPERAND(1, RW_W, 0x0f, 0x92, 0x03);              /* setc [rbx] */
}

BOTH(checks_98_a_cmpxchg_that_is_unequal_has_written)
{
    struct ring *r = WITH(3, 0x0f, 0xb1, 0x0b); /* cmpxchg [rbx], ecx */

    reg(r, RS_REG_RAX, 1);
    arm(r, 0, DATA, ON(0, RW_W, LEN4));
    go(r, 1);
    TRAPPED(r, CODE + 3, 1);
    ring_free(r);
}

BOTH(checks_61_string_elements_are_looked_at_one_by_one)
{
    static const struct {
        uint8_t code[3];
        unsigned rw, width;
    } t[] = {{{0xf3, 0x48, 0xa5}, RW_RW, 8},
             {{0xf3, 0x48, 0xab}, RW_W, 8},
             {{0xf3, 0x48, 0xad}, RW_RW, 8},
             {{0xf3, 0x48, 0xa7}, RW_RW, 8},
             {{0xf3, 0x48, 0xaf}, RW_RW, 8}};

    for (unsigned i = 0; i < sizeof t / sizeof *t; i++) {
        struct ring *r = with(3, t[i].code, 3);
        reg(r, RS_REG_RCX, 700);
        reg(r, RS_REG_RAX, 0);
        reg(r, RS_REG_RSI, DATA);
        reg(r, RS_REG_RDI, i == 1 || i == 4 ? DATA : DATA + 0x8000);
        arm(r, 0, DATA + 8 * 600 + 5, ON(0, t[i].rw, LEN1)); /* in the second page */
        go(r, 1);
        TRAPPED(r, CODE, 1);
        ck_assert_uint_eq(get(r, RS_REG_RCX), 99);
        ck_assert_uint_ne(slot(r, 2) & RF_RF, 0);
        ring_free(r);
    }
}

BOTH(a_trap_after_the_last_iteration_is_past_the_instruction_and_has_rf_0)
{
    struct ring *r = WITH(3, 0xf3, 0xaa);

    reg(r, RS_REG_RCX, 4);
    arm(r, 0, DATA + 3, ON(0, RW_W, LEN1));
    go(r, 1);
    TRAPPED(r, CODE + 2, 1);
    ck_assert_uint_eq(slot(r, 2) & RF_RF, 0);
    ring_free(r);
}

BOTH(pops_returns_and_far_pointers_are_reads)
{
    struct ring *r = WITH(3, 0x58);

    arm(r, 0, STACK3, ON(0, RW_RW, LEN8));
    go(r, 1);
    TRAPPED(r, CODE + 1, 1);
    ring_free(r);
    r = WITH(3, 0xc3);
    poke(r, STACK3, CODE + 64, 8);
    arm(r, 0, STACK3 + 7, ON(0, RW_RW, LEN1));
    go(r, 1);
    TRAPPED(r, CODE + 64, 1);
    ring_free(r);
    r = WITH(3, 0xc8, 0x10, 0, 0); /* enter 16, 0 */
    arm(r, 0, STACK3 - 8, ON(0, RW_W, LEN8));
    go(r, 1);
    TRAPPED(r, CODE + 4, 1);
    ring_free(r);
}

/* ---- ports -------------------------------------------------------------------------------------------------- */

BOTH(checks_61_ins_and_outs_trap_after_each_iteration_on_a_watched_port)
{
    struct ring *r = WITH(0, 0xf3, 0x6e); /* rep outsb */

    reg(r, RS_REG_RDX, 0x80);
    reg(r, RS_REG_RCX, 3);
    arm(r, 1, 0x80, ON(1, RW_IO, LEN1));
    go(r, 1);
    TRAPPED(r, CODE, 2);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 2);
    ck_assert_uint_ne(slot(r, 2) & RF_RF, 0);
    ring_free(r);
    r = WITH(0, 0x6d); /* insd: four ports */
    reg(r, RS_REG_RDX, 0x7e);
    arm(r, 1, 0x80, ON(1, RW_IO, LEN1));
    go(r, 1);
    TRAPPED(r, CODE + 1, 2);
    ring_free(r);
}

/* ---- single steps -------------------------------------------------------------------------------------------- */

BOTH(tf_set_by_popf_traps_after_the_next_instruction_and_cleared_by_it_after_popf)
{
    struct ring *r = WITH(3, 0x9d, 0x90, 0x90);

    poke(r, STACK3, 2 | RF_TF, 8);
    reg(r, RS_REG_DR6, QUIET);
    go(r, 2);
    TRAPPED(r, CODE + 2, DR6_BS);
    ck_assert_uint_ne(slot(r, 2) & RF_TF, 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_TF, 0);
    ring_free(r);
    r = WITH(3, 0x9d, 0x90, 0x90);
    poke(r, STACK3, 2, 8);
    reg(r, RS_REG_DR6, QUIET);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 1);
    TRAPPED(r, CODE + 1, DR6_BS);
    ck_assert_uint_eq(slot(r, 2) & RF_TF, 0);
    ring_free(r);
}

BOTH(tf_set_by_iret_traps_after_the_instruction_it_returns_to)
{
    struct ring *r = WITH(0, 0x48, 0xcf);
    const uint64_t frame[] = {CODE + 64, S_CODE3 | 3, 2 | RF_TF, STACK3, S_DATA3 | 3};

    for (unsigned i = 0; i < 5; i++) poke(r, STACK1 + 8 * i, frame[i], 8);
    poke(r, CODE + 64, 0x9090, 2);
    reg(r, RS_REG_DR6, QUIET);
    go(r, 2);
    TRAPPED(r, CODE + 65, DR6_BS);
    ck_assert_uint_eq(slot(r, 1), S_CODE3 | 3);
    ring_free(r);
}

BOTH(an_instruction_that_faults_or_int_n_leaves_no_step_behind)
{
    struct ring *r = WITH(3, 0x0f, 0x0b);

    reg(r, RS_REG_DR6, QUIET);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 2);
    ck_assert_int_eq(r->vector, VEC_UD);
    ck_assert_uint_eq(r->faults, 1);
    ck_assert_uint_ne(slot(r, 2) & RF_TF, 0);
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET);
    ring_free(r);
    r = WITH(3, 0xcd, 0x80);
    reg(r, RS_REG_DR6, QUIET);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 3);
    ck_assert_int_eq(r->vector, 0x80);
    QUIETLY(r);
    ck_assert_uint_ne(slot(r, 2) & RF_TF, 0);
    ring_free(r);
}

BOTH(checks_60_a_rep_is_stepped_iteration_by_iteration)
{
    struct ring *r = WITH(3, 0xf3, 0xaa, 0x90);

    reg(r, RS_REG_RCX, 3);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    poke(r, handler(VEC_DB), 0xcf48, 2);
    for (unsigned left = 2; left < 3; left--) {
        reg(r, RS_REG_DR6, QUIET);
        go(r, 1); /* an iteration and the trap; the last iteration retires */
        if (left == 0) go(r, 1);
        ck_assert_uint_eq(r->faults, 1);
        ck_assert_uint_eq(get(r, RS_REG_RCX), left);
        ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET | DR6_BS);
        ck_assert_uint_eq(get(r, RS_REG_RIP), left ? CODE : CODE + 2);
    }
    ring_free(r);
}

BOTH(a_step_over_hlt_wakes_it)
{
    struct ring *r = WITH(0, 0xf4, 0x90);

    reg(r, RS_REG_DR6, QUIET);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 2);
    TRAPPED(r, CODE + 1, DR6_BS);
    ring_free(r);
}

BOTH(checks_63_sti_does_not_hold_off_a_step)
{
    struct ring *r = WITH(0, 0xfb, 0x90);

    reg(r, RS_REG_DR6, QUIET);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 1);
    TRAPPED(r, CODE + 1, DR6_BS);
    ring_free(r);
}

/* ---- MOV SS ---------------------------------------------------------------------------------------------------- */

/* MOV SS from a watched word, then this. */
static struct ring *after_mov_ss(unsigned cpl, const uint8_t *code, size_t n)
{
    uint8_t all[16] = {0x8e, 0x13};

    memcpy(all + 2, code, n);
    struct ring *r = with(cpl, all, n + 2);
    poke(r, DATA, cpl ? S_DATA3 | 3 : S_DATA, 2);
    arm(r, 1, DATA, ON(1, RW_RW, LEN1));
    return r;
}
#define AFTER_MOV_SS(cpl, ...)                                                                     \
    after_mov_ss((cpl), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

BOTH(checks_64_behind_syscall_the_trap_of_mov_ss_comes_at_level_0)
{
    struct ring *r = AFTER_MOV_SS(3, 0x0f, 0x05);

    reg(r, RS_REG_EFER, get(r, RS_REG_EFER) | 1);
    reg(r, RS_REG_STAR, (uint64_t)S_CODE << 32);
    reg(r, RS_REG_LSTAR, TARGET);
    go(r, 3);
    TRAPPED(r, TARGET, 2);
    ck_assert_uint_eq(slot(r, 1) & 3, 0);
    ring_free(r);
}

BOTH(checks_64_behind_int_n_the_trap_of_mov_ss_comes_at_level_0)
{
    struct ring *r = AFTER_MOV_SS(3, 0xcd, 0x90);

    go(r, 3);
    TRAPPED(r, handler(0x90), 2);
    ck_assert_uint_eq(slot(r, 1), S_CODE);
    ring_free(r);
}

BOTH(checks_64_with_a_data_breakpoint_on_the_next_instruction_one_trap_names_both)
{
    struct ring *r = AFTER_MOV_SS(0, 0x88, 0x43, 0x40); /* mov [rbx+64], al */

    reg(r, RS_REG_DR2, DATA + 64);
    reg(r, RS_REG_DR7, 0x400 | ON(1, RW_RW, LEN1) | ON(2, RW_W, LEN1));
    go(r, 2);
    TRAPPED(r, CODE + 5, 6);
    ring_free(r);
}

BOTH(checks_61_an_instruction_breakpoint_is_on_the_first_byte_alone)
{
    struct ring *r = WITH(3, 0x48, 0xff, 0xc0, 0x90);

    arm(r, 0, CODE + 1, ON(0, RW_X, LEN1));
    go(r, 2);
    QUIETLY(r);
    ring_free(r);
    r = WITH(3, 0x48, 0xff, 0xc0, 0x90);
    arm(r, 0, CODE, ON(0, RW_X, LEN1));
    reg(r, RS_REG_RFLAGS, 2 | RF_RF);
    go(r, 2);
    QUIETLY(r);
    ring_free(r);
}

RUN_TESTS("cpu/breakpoints", checks_61_an_access_across_two_pages_meets_breakpoints_on_either,
          every_byte_of_wide_operands_is_watched, checks_98_a_cmpxchg_that_is_unequal_has_written,
          checks_61_string_elements_are_looked_at_one_by_one,
          a_trap_after_the_last_iteration_is_past_the_instruction_and_has_rf_0,
          pops_returns_and_far_pointers_are_reads,
          checks_61_ins_and_outs_trap_after_each_iteration_on_a_watched_port,
          tf_set_by_popf_traps_after_the_next_instruction_and_cleared_by_it_after_popf,
          tf_set_by_iret_traps_after_the_instruction_it_returns_to,
          an_instruction_that_faults_or_int_n_leaves_no_step_behind,
          checks_60_a_rep_is_stepped_iteration_by_iteration, a_step_over_hlt_wakes_it,
          checks_63_sti_does_not_hold_off_a_step,
          checks_64_behind_syscall_the_trap_of_mov_ss_comes_at_level_0,
          checks_64_behind_int_n_the_trap_of_mov_ss_comes_at_level_0,
          checks_64_with_a_data_breakpoint_on_the_next_instruction_one_trap_names_both,
          checks_61_an_instruction_breakpoint_is_on_the_first_byte_alone)
