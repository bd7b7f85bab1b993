/*
 * test_debug.c - debug registers through rs_run, on both engines: what meets a breakpoint, when the trap or
 * fault comes, what DR6 and RF say, single-stepping and what holds it off.
 * Manual: SDM 3B "Debug Registers", "Debug Exceptions"; SDM 3A "Masking Exceptions and Interrupts When Switching
 * Stacks".
 */
#include "tests/cpu/both.h"

#include "cpu/debug.h"

/* DR7: breakpoint n enabled globally, R/W, LEN as the field holds it. */
#define ON(n, rw, len) (2u << 2 * (n) | ((unsigned)(rw) | (unsigned)(len) << 2) << (16 + 4 * (n)))
enum { RW_X, RW_W, RW_IO, RW_RW };
enum { LEN1, LEN2, LEN8, LEN4 };
#define QUIET 0xffff0ff0u
#define RF 0x10000u
#define TF 0x100u

static void arm(struct ring *r, unsigned n, uint64_t at, uint64_t dr7)
{
    reg(r, RS_REG_DR0 + n, at);
    reg(r, RS_REG_DR7, 0x400 | dr7);
    reg(r, RS_REG_DR6, QUIET);
}

/* Code at RIP, run for so many instructions. */
static void run(struct ring *r, const void *bytes, size_t n, unsigned insns)
{
    ck_assert_int_eq(rs_phys_write(r->m, get(r, RS_REG_RIP), bytes, n), RS_OK);
    go(r, insns);
}
#define RUN(r, insns, ...)                                                                         \
    run((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (insns))

/* The last run ended in a #DB whose frame says this RIP. Traps come without an instruction of their own: one
 * more is asked for, the handler's. */
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

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);

    at_level(r, cpl);
    return r;
}

/* ---- matching ------------------------------------------------------------------------------------------------ */

/* The bytes that a breakpoint covers, one by one. */
static bool covers(uint64_t dr, unsigned len, uint64_t byte)
{
    static const unsigned bytes[] = {1, 2, 8, 4};
    unsigned n = bytes[len];

    for (unsigned i = 0; i < n; i++)
        if (dr / n * n + i == byte) return true;
    return false;
}

START_TEST(an_access_meets_a_breakpoint_when_any_of_their_bytes_is_the_same)
{
    for (unsigned rw = 0; rw < 4; rw++)
    for (unsigned len = 0; len < 4; len++)
    for (uint64_t where = 0x1000; where < 0x1010; where++)
    for (uint64_t at = 0xff0; at < 0x1020; at++)
    for (unsigned n = 1; n <= 8; n *= 2) {
        uint64_t dr[8] = {where, 0, 0, 0, 0, 0, 0, (uint64_t)(rw | len << 2) << 16};
        bool hit = false;

        for (unsigned i = 0; i < n; i++) hit = hit || covers(where, len, at + i);
        ck_assert_int_eq(debug_match(dr, true, DEBUG_WRITE, at, n) & 1, hit && (rw == RW_W || rw == RW_RW));
        ck_assert_int_eq(debug_match(dr, true, DEBUG_ACCESS, at, n) & 1, hit && rw == RW_RW);
        ck_assert_int_eq(debug_match(dr, true, DEBUG_IO, at, n) & 1, hit && rw == RW_IO);
        ck_assert_int_eq(debug_match(dr, false, DEBUG_IO, at, n) & 1, 0);
        ck_assert_int_eq(debug_match(dr, true, DEBUG_EXEC, at, 1) & 1, rw == RW_X && at == where);
    }
    for (unsigned dr7 = 0; dr7 < 256; dr7++)
        for (unsigned i = 0; i < 4; i++)
            ck_assert_int_eq(debug_enabled(dr7) >> i & 1, (dr7 & (1u << 2 * i)) || (dr7 & (2u << 2 * i)));
}
END_TEST

/* ---- data ------------------------------------------------------------------------------------------------------ */

BOTH(checks_61_a_data_breakpoint_traps_after_the_instruction_that_wrote)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    arm(r, 1, DATA + 6, ON(1, RW_W, LEN2));
    RUN(r, 1, 0x48, 0x89, 0x03); /* mov [rbx], rax: 8 bytes over it */
    TRAPPED(r, CODE + 3, 2);
    ck_assert_uint_eq(slot(r, 2) & RF, 0);
    at_level(r, 3);
    arm(r, 1, DATA + 8, ON(1, RW_W, LEN2));
    RUN(r, 1, 0x48, 0x89, 0x03); /* ends before it */
    QUIETLY(r);
    arm(r, 1, DATA, ON(1, RW_W, LEN8));
    at_level(r, 3);
    RUN(r, 1, 0x48, 0x8b, 0x03); /* a read is no write */
    QUIETLY(r);
    at_level(r, 3);
    arm(r, 3, DATA + 3, ON(3, RW_RW, LEN4)); /* aligned down to DATA */
    RUN(r, 1, 0x8a, 0x03);
    TRAPPED(r, CODE + 2, 8);
    ring_free(r);
}

BOTH(every_kind_of_access_is_seen)
{
    static const struct {
        uint8_t code[8];
        unsigned n;
    } t[] = {{{0x48, 0x8b, 0x03}, 3}, {{0x00, 0x03}, 2}, {{0x48, 0x87, 0x03}, 3}, {{0xff, 0x33}, 2}, {{0x8f, 0x03}, 2},
             {{0xa4}, 1}, {{0xa6}, 1}, {{0xac}, 1}, {{0x0f, 0x6f, 0x03}, 0}, {{0xf3, 0x0f, 0x6f, 0x03}, 4},
             {{0xf3, 0x0f, 0x7f, 0x03}, 4}, {{0xf0, 0x0f, 0xb1, 0x0b}, 4}, {{0x0f, 0xab, 0x03}, 3}, {{0x0f, 0xae, 0x03}, 3}};

    for (unsigned i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct ring *r = at(0);
        if (t[i].n) {
            reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | 0x200);
            for (unsigned g = RS_REG_RBX; g <= RS_REG_RDI; g++)
                if (g == RS_REG_RBX || g >= RS_REG_RSI) reg(r, g, DATA);
            arm(r, 0, DATA, ON(0, RW_RW, LEN1));
            run(r, t[i].code, t[i].n, 1);
            TRAPPED(r, CODE + t[i].n, 1);
        }
        ring_free(r);
    }
}

BOTH(the_stack_is_memory_too)
{
    struct ring *r = at(3);

    arm(r, 0, STACK3 - 8, ON(0, RW_W, LEN8));
    RUN(r, 1, 0x50);
    TRAPPED(r, CODE + 1, 1);
    at_level(r, 3);
    arm(r, 0, STACK3 - 8, ON(0, RW_W, LEN8));
    RUN(r, 1, 0xe8, 0x0b, 0, 0, 0); /* call: the trap is at the target */
    TRAPPED(r, CODE + 16, 1);
    ring_free(r);
}

BOTH(checks_65_dr6_names_disabled_breakpoints_that_matched_with_an_enabled_one)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    reg(r, RS_REG_DR0, DATA);
    reg(r, RS_REG_DR2, DATA + 4);
    arm(r, 1, DATA + 1, ON(1, RW_W, LEN1) | (ON(0, RW_W, LEN1) & ~0xffu) | (ON(2, RW_X, LEN1) & ~0xffu));
    RUN(r, 1, 0x48, 0x89, 0x03);
    TRAPPED(r, CODE + 3, 3);
    at_level(r, 3);
    arm(r, 1, DATA + 0x100, ON(1, RW_W, LEN1) | (ON(0, RW_W, LEN1) & ~0xffu));
    RUN(r, 1, 0x48, 0x89, 0x03); /* a disabled one alone raises nothing and says nothing */
    QUIETLY(r);
    ring_free(r);
}

BOTH(checks_65_a_trap_replaces_b0_to_b3_and_only_adds_the_rest)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    arm(r, 1, DATA, ON(1, RW_W, LEN1));
    reg(r, RS_REG_DR6, QUIET | 0x600d); /* B0, B2, B3, BD, BS */
    RUN(r, 1, 0x88, 0x03);
    TRAPPED(r, CODE + 2, 0x6002);
    ring_free(r);
}

BOTH(an_access_that_faults_meets_nothing)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RSI, DATA);
    reg(r, RS_REG_RDI, 0x800000000000);
    arm(r, 0, DATA, ON(0, RW_RW, LEN1));
    RUN(r, 1, 0xa4);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET);
    ring_free(r);
}

BOTH(checks_60_a_rep_stops_after_the_iteration_that_met_it_and_pushes_rf)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RDI, DATA);
    reg(r, RS_REG_RCX, 8);
    arm(r, 0, DATA + 3, ON(0, RW_W, LEN1));
    RUN(r, 1, 0xf3, 0xaa);
    TRAPPED(r, CODE, 1);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 4);
    ck_assert_uint_eq(get(r, RS_REG_RDI), DATA + 4);
    ck_assert_uint_ne(slot(r, 2) & RF, 0);
    TRY(r, 0x48, 0xcf);
    go(r, 1);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0);
    ck_assert_uint_eq(r->faults, 0);
    ring_free(r);
}

BOTH(a_breakpoint_that_is_never_met_changes_no_cycle)
{
    static const uint8_t loop[] = {0x48, 0xff, 0x03, 0x50, 0x58, 0x48, 0xff, 0xc9, 0x75, 0xf6, 0x90};
    uint64_t cycles[3];

    for (unsigned k = 0; k < 3; k++) {
        struct ring *r = at(3);
        reg(r, RS_REG_RBX, DATA);
        reg(r, RS_REG_RCX, 50);
        if (k) arm(r, 0, k == 1 ? DATA + 64 : CODE + 1, k == 1 ? ON(0, RW_RW, LEN8) : ON(0, RW_X, LEN1));
        run(r, loop, sizeof loop, 250);
        ck_assert_uint_eq(r->faults, 0);
        ck_assert_uint_eq(peek(r, DATA, 8), 50);
        cycles[k] = r->stop.cycles;
        ring_free(r);
    }
    ck_assert_uint_eq(cycles[0], cycles[1]);
    ck_assert_uint_eq(cycles[0], cycles[2]);
}

/* ---- ports -------------------------------------------------------------------------------------------------------- */

BOTH(checks_61_a_port_breakpoint_traps_after_in_and_out_with_cr4_de_alone)
{
    struct ring *r = at(0);

    arm(r, 2, 0x81, ON(2, RW_IO, LEN1));
    RUN(r, 1, 0xe7, 0x80); /* out 80h, eax: without DE nothing */
    QUIETLY(r);
    at_level(r, 0);
    reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | 8);
    RUN(r, 1, 0xe7, 0x80);
    TRAPPED(r, CODE + 2, 4);
    at_level(r, 0);
    arm(r, 2, 0x84, ON(2, RW_IO, LEN4));
    RUN(r, 1, 0xe4, 0x87);
    TRAPPED(r, CODE + 2, 4);
    at_level(r, 0);
    arm(r, 2, 0x84, ON(2, RW_IO, LEN4));
    RUN(r, 1, 0xe6, 0x88);
    QUIETLY(r);
    ring_free(r);
}

/* ---- instructions --------------------------------------------------------------------------------------------------- */

BOTH(checks_61_an_instruction_breakpoint_faults_before_it_and_rf_lets_it_by)
{
    struct ring *r = at(3);

    arm(r, 2, CODE + 1, ON(2, RW_X, LEN1));
    RUN(r, 3, 0x90, 0x48, 0xff, 0xc0, 0x90); /* nop; inc rax */
    reg(r, RS_REG_RAX, get(r, RS_REG_RAX));
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    ck_assert_uint_eq(slot(r, 2) & RF, 0); /* checks 60: not set for it */
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET | 4);
    /* the handler sets RF in the image */
    poke(r, get(r, RS_REG_RSP) + 16, slot(r, 2) | RF, 8);
    reg(r, RS_REG_DR6, QUIET);
    uint64_t rax = get(r, RS_REG_RAX);
    poke(r, handler(VEC_DB), 0xcf48, 2);
    reg(r, RS_REG_RIP, handler(VEC_DB));
    go(r, 2);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 4);
    ck_assert_uint_eq(get(r, RS_REG_RAX), rax + 1);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF, 0);
    QUIETLY(r);
    ring_free(r);
}

BOTH(checks_62_an_instruction_breakpoint_comes_before_the_fetch_and_the_decoding)
{
    struct ring *r = at(3);

    arm(r, 0, CODE, ON(0, RW_X, LEN1));
    RUN(r, 1, 0x0f, 0x0b);
    TRAPPED(r, CODE, 1);
    at_level(r, 3);
    reg(r, RS_REG_RIP, 0x7ffffff000); /* no such page */
    arm(r, 0, 0x7ffffff000, ON(0, RW_X, LEN1));
    go(r, 1);
    TRAPPED(r, 0x7ffffff000, 1);
    ring_free(r);
}

BOTH(checks_62_the_trap_of_the_instruction_before_comes_first)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    reg(r, RS_REG_DR1, DATA);
    arm(r, 0, CODE + 2, ON(0, RW_X, LEN1) | ON(1, RW_W, LEN1));
    RUN(r, 1, 0x88, 0x03, 0x90);
    TRAPPED(r, CODE + 2, 2);
    ring_free(r);
}

/* ---- single steps ----------------------------------------------------------------------------------------------------- */

BOTH(checks_65_a_step_and_a_data_breakpoint_make_one_trap)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    arm(r, 1, DATA, ON(1, RW_W, LEN1));
    reg(r, RS_REG_RFLAGS, 2 | TF);
    RUN(r, 1, 0x88, 0x03);
    TRAPPED(r, CODE + 2, 0x4002);
    ck_assert_uint_eq(r->faults, 1);
    ring_free(r);
}

BOTH(with_btf_only_branches_that_go_elsewhere_trap_and_the_trap_clears_it)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RCX, 0x1d9);
    reg(r, RS_REG_RAX, 2);
    reg(r, RS_REG_RDX, 0);
    TRY(r, 0x0f, 0x30);
    ALLOWED(r);
    at_level(r, 0);
    arm(r, 0, 0, 0);
    reg(r, RS_REG_RFLAGS, 2 | TF);
    RUN(r, 3, 0x90, 0x75, 0x10, 0xeb, 0x10); /* nop; jnz taken */
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), CODE + 0x13);
    reg(r, RS_REG_RCX, 0x1d9);
    TRY(r, 0x0f, 0x32);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0);
    at_level(r, 0);
    reg(r, RS_REG_RCX, 0x1d9);
    reg(r, RS_REG_RAX, 1);
    TRY(r, 0x0f, 0x30); /* no branch recording */
    REFUSED(r, MSR_RSVD, GP, 0);
    ring_free(r);
}

BOTH(checks_63_mov_ss_holds_off_steps_and_instruction_breakpoints_for_one_instruction)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, S_DATA);
    arm(r, 0, 0, 0);
    reg(r, RS_REG_RFLAGS, 2 | TF);
    RUN(r, 2, 0x8e, 0xd0, 0x90, 0x90); /* mov ss, eax; nop */
    TRAPPED(r, CODE + 3, 0x4000);
    at_level(r, 0);
    reg(r, RS_REG_RAX, S_DATA);
    arm(r, 0, CODE + 2, ON(0, RW_X, LEN1));
    RUN(r, 2, 0x8e, 0xd0, 0x90, 0x90);
    QUIETLY(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
    ring_free(r);
}

/* The manual promises only the first of a chain its effect; here each has it, and the trap comes behind the last. */
BOTH(checks_63_a_chain_of_mov_ss_is_stepped_behind_the_instruction_after_it)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, S_DATA);
    arm(r, 0, 0, 0);
    reg(r, RS_REG_RFLAGS, 2 | TF);
    RUN(r, 4, 0x8e, 0xd0, 0x8e, 0xd0, 0x8e, 0xd0, 0x90, 0x90); /* mov ss, eax thrice; nop */
    TRAPPED(r, CODE + 7, 0x4000);
    ck_assert_uint_eq(r->faults, 1);
    ring_free(r);
}

BOTH(checks_64_a_data_breakpoint_on_mov_ss_comes_after_the_next_instruction)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RBX, DATA);
    poke(r, DATA, S_DATA, 2);
    arm(r, 1, DATA, ON(1, RW_RW, LEN1));
    RUN(r, 2, 0x8e, 0x13, 0x90, 0x90); /* mov ss, [rbx]; nop */
    TRAPPED(r, CODE + 3, 2);
    ring_free(r);
}

BOTH(checks_64_before_int_3_it_comes_in_ring_0_ahead_of_the_handlers_first_instruction)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    poke(r, DATA, S_DATA3 | 3, 2);
    idt(r, VEC_BP, S_CODE, handler(VEC_BP), SYS_INT, 3, 0);
    arm(r, 1, DATA, ON(1, RW_RW, LEN1));
    RUN(r, 2, 0x8e, 0x13, 0xcc); /* mov ss, [rbx]; int3 */
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), handler(VEC_BP));
    ck_assert_uint_eq(slot(r, 1), S_CODE);
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET | 2);
    ring_free(r);
}

BOTH(checks_64_int1_takes_what_mov_ss_held_off_with_it)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RBX, DATA);
    poke(r, DATA, S_DATA, 2);
    arm(r, 1, DATA, ON(1, RW_RW, LEN1));
    RUN(r, 2, 0x8e, 0x13, 0xf1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), CODE + 3);
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET | 2);
    go(r, 2);
    ck_assert_uint_eq(r->faults, 0); /* once */
    ring_free(r);
}

BOTH(int1_alone_leaves_dr6)
{
    struct ring *r = at(0);

    arm(r, 0, 0, 0);
    TRY(r, 0xf1);
    TRAPPED(r, CODE + 1, 0);
    ring_free(r);
}

BOTH(checks_65_gd_guards_even_behind_mov_ss_pushes_rf_and_is_cleared)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, S_DATA);
    arm(r, 0, 0, 1u << 13);
    RUN(r, 1, 0x8e, 0xd0, 0x0f, 0x21, 0xf3); /* mov ss, eax; mov rbx, dr6 */
    go(r, 1);
    TRAPPED(r, CODE + 2, 0x2000);
    ck_assert_uint_ne(slot(r, 2) & RF, 0);
    ck_assert_uint_eq(get(r, RS_REG_DR7), 0x400);
    ring_free(r);
}

BOTH(local_and_global_enables_and_the_reserved_bits_of_dr7)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, 0xffffdfffu);
    TRY(r, 0x0f, 0x23, 0xf8); /* mov dr7, rax */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_DR7), 0xffff07ffu);
    reg(r, RS_REG_DR7, 0x400);
    reg(r, RS_REG_RAX, 0);
    at_level(r, 0);
    TRY(r, 0x0f, 0x23, 0xf0); /* mov dr6, rax */
    ck_assert_uint_eq(get(r, RS_REG_DR6), QUIET);
    reg(r, RS_REG_RBX, DATA);
    at_level(r, 0);
    arm(r, 1, DATA, ON(1, RW_W, LEN1) >> 1 | (ON(1, RW_W, LEN1) & ~0xffu)); /* L1 */
    RUN(r, 1, 0x88, 0x03);
    TRAPPED(r, CODE + 2, 2);
    ring_free(r);
}

RUN_TESTS("cpu/debug", an_access_meets_a_breakpoint_when_any_of_their_bytes_is_the_same,
          checks_61_a_data_breakpoint_traps_after_the_instruction_that_wrote, every_kind_of_access_is_seen,
          the_stack_is_memory_too, checks_65_dr6_names_disabled_breakpoints_that_matched_with_an_enabled_one,
          checks_65_a_trap_replaces_b0_to_b3_and_only_adds_the_rest, an_access_that_faults_meets_nothing,
          checks_60_a_rep_stops_after_the_iteration_that_met_it_and_pushes_rf,
          a_breakpoint_that_is_never_met_changes_no_cycle,
          checks_61_a_port_breakpoint_traps_after_in_and_out_with_cr4_de_alone,
          checks_61_an_instruction_breakpoint_faults_before_it_and_rf_lets_it_by,
          checks_62_an_instruction_breakpoint_comes_before_the_fetch_and_the_decoding,
          checks_62_the_trap_of_the_instruction_before_comes_first,
          checks_65_a_step_and_a_data_breakpoint_make_one_trap,
          with_btf_only_branches_that_go_elsewhere_trap_and_the_trap_clears_it,
          checks_63_mov_ss_holds_off_steps_and_instruction_breakpoints_for_one_instruction,
          checks_63_a_chain_of_mov_ss_is_stepped_behind_the_instruction_after_it,
          checks_64_a_data_breakpoint_on_mov_ss_comes_after_the_next_instruction,
          checks_64_before_int_3_it_comes_in_ring_0_ahead_of_the_handlers_first_instruction,
          checks_64_int1_takes_what_mov_ss_held_off_with_it, int1_alone_leaves_dr6,
          checks_65_gd_guards_even_behind_mov_ss_pushes_rf_and_is_cleared,
          local_and_global_enables_and_the_reserved_bits_of_dr7)
