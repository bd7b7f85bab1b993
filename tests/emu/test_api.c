/*
 * test_api.c - the library from outside: a machine's life, exact stops, state, and the promise that
 * neither chopping a run nor looking at it changes anything.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "ringside/ringside.h"
#include "tests/check_main.h"

#define LOAD 0x100000u
#define TABLES 0x1000u

/* ---- programs, 64-bit unless said otherwise; loaded and entered at LOAD --------------------------------- */

/* clang-format off */
static const uint8_t loop_forever[] = { /* xor eax,eax; 1: add rax,3; xor rdx,rax; rol rdx,5; mov [200000h],rdx; inc ecx; jmp 1b */
    0x31, 0xc0, 0x48, 0x83, 0xc0, 0x03, 0x48, 0x31, 0xc2, 0x48, 0xc1, 0xc2, 0x05, 0x48, 0x89, 0x14, 0x25, 0x00, 0x00,
    0x20, 0x00, 0xff, 0xc1, 0xeb, 0xe9};
static const uint8_t say_and_exit[] = { /* out 3f8h: 'h', 'i'; out 0f4h: 42 (32 bits); jmp . */
    0x66, 0xba, 0xf8, 0x03, 0xb0, 0x68, 0xee, 0xb0, 0x69, 0xee, 0xb8, 0x2a, 0x00, 0x00, 0x00, 0x66, 0xba, 0xf4, 0x00,
    0xef, 0xeb, 0xfe};
static const uint8_t halt_cli[] = {0x90, 0xfa, 0xf4, 0xeb, 0xfe}; /* nop; cli; hlt */
static const uint8_t halt_sti[] = { /* all lines masked; sti; hlt */
    0xb0, 0xff, 0xe6, 0x21, 0xe6, 0xa1, 0xfb, 0xf4, 0xeb, 0xfe};
static const uint8_t undefined[] = {0x90, 0x0f, 0x0b}; /* nop; ud2, with an empty IDT */
static const uint8_t reset_kbc[] = {0xb0, 0xfe, 0xe6, 0x64, 0xeb, 0xfe}; /* out 64h, 0feh */
static const uint8_t gap[] = {0x90, 0xc5, 0xf4, 0x58, 0xd0}; /* nop; vaddps ymm2,ymm1,ymm0 */
static const uint8_t touch[] = { /* a byte in every page from 4 MiB on */
    0xbf, 0x00, 0x00, 0x40, 0x00, 0xc6, 0x07, 0x01, 0x48, 0x81, 0xc7, 0x00, 0x10, 0x00, 0x00, 0xeb, 0xf4};
static const uint8_t echo_input[] = { /* wait for a byte on COM1, send it back, exit with it */
    0x66, 0xba, 0xfd, 0x03, 0xec, 0xa8, 0x01, 0x74, 0xfb, 0x66, 0xba, 0xf8, 0x03, 0xec, 0xee, 0x66, 0xba, 0xf4, 0x00,
    0xee, 0xeb, 0xfe};
static const uint8_t multiboot[] = { /* address fields, bss to 104000h; mov ecx,7 in 32-bit code; hlt */
    0x02, 0xb0, 0xad, 0x1b, 0x03, 0x00, 0x01, 0x00, 0xfb, 0x4f, 0x51, 0xe4, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x10,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x10, 0x00, 0x20, 0x00, 0x10, 0x00, 0xb9, 0x07, 0x00, 0x00, 0x00, 0xf4};
/* clang-format on */

/* ---- help ------------------------------------------------------------------------------------------------------- */

static struct rs_config config_default(void)
{
    struct rs_config config;

    rs_config_init(&config);
    config.mem_bytes = 16u << 20;
    return config;
}

static rs_machine *build(const struct rs_config *config)
{
    char error[200];
    rs_machine *m;

    ck_assert_msg(rs_create(config, &m, error, sizeof error) == RS_OK, "%s", error);
    return m;
}

static rs_machine *flat_with(const struct rs_config *config, const uint8_t *code, size_t size)
{
    rs_machine *m = build(config);

    ck_assert_msg(rs_load_flat(m, code, size, LOAD, LOAD, RS_FLAT_LONG64, TABLES) == RS_OK, "%s", rs_error(m));
    return m;
}

static rs_machine *flat(const uint8_t *code, size_t size)
{
    const struct rs_config config = config_default();

    return flat_with(&config, code, size);
}
#define FLAT(code) flat(code, sizeof code)

static struct rs_stop_info run(rs_machine *m, uint64_t insns, uint64_t cycles)
{
    const struct rs_limits limits = {sizeof limits, insns, cycles};
    struct rs_stop_info stop;

    ck_assert_int_eq(rs_run(m, &limits, &stop), RS_OK);
    return stop;
}

static void hash_equal(rs_machine *a, rs_machine *b)
{
    char x[33], y[33];

    ck_assert_int_eq(rs_state_hash(a, x), RS_OK);
    ck_assert_int_eq(rs_state_hash(b, y), RS_OK);
    ck_assert_str_eq(x, y);
}

static uint64_t reg(const rs_machine *m, unsigned id)
{
    uint64_t value = 0;

    ck_assert_int_eq(rs_reg_read(m, 0, id, &value), RS_OK);
    return value;
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

START_TEST(a_wrong_configuration_is_refused_with_a_line)
{
    struct rs_config config = config_default();
    char error[200];
    rs_machine *m = NULL;

    config.mem_bytes += 1;
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_ARG);
    ck_assert_ptr_null(m);
    ck_assert(error[0] != '\0');
    config = config_default();
    config.cpus = 2;
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_UNSUPPORTED);
    config = config_default();
    config.cpu = "z80";
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_CONFIG);
    ck_assert_msg(strstr(error, "z80"), "%s", error);
    config = config_default();
    config.cost = "teaching,no_such_key=1";
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_CONFIG);
    ck_assert_msg(strstr(error, "no_such_key"), "%s", error);
    config.cost = "/nowhere/prices.ini";
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_CONFIG);
    config = config_default();
    config.struct_size = 4;
    ck_assert_int_eq(rs_create(&config, &m, error, sizeof error), RS_E_ARG);
}
END_TEST

START_TEST(a_machine_without_an_image_can_be_made_and_thrown_away)
{
    const struct rs_config config = config_default();
    rs_machine *m = build(&config);

    ck_assert_str_eq(rs_error(m), "");
    ck_assert_uint_eq(rs_insns(m), 0);
    ck_assert_uint_gt(rs_hz(m), 0);
    rs_destroy(m);
    rs_destroy(NULL);
}
END_TEST

/* ---- stops ----------------------------------------------------------------------------------------------------------- */

START_TEST(an_instruction_limit_is_exact)
{
    rs_machine *m = FLAT(loop_forever);
    struct rs_stop_info stop = run(m, 1000, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_INSN_LIMIT);
    ck_assert_uint_eq(stop.insns, 1000);
    ck_assert_uint_eq(rs_insns(m), 1000);
    ck_assert_uint_eq(reg(m, RS_REG_RIP), stop.rip);
    stop = run(m, 1, 0);
    ck_assert_uint_eq(stop.insns, 1001);
    rs_destroy(m);
}
END_TEST

START_TEST(a_cycle_limit_stops_at_the_first_boundary_at_or_after_it)
{
    rs_machine *m = FLAT(loop_forever), *one = FLAT(loop_forever);
    struct rs_stop_info stop = run(m, 0, 5000);

    ck_assert_int_eq(stop.reason, RS_STOP_CYCLE_LIMIT);
    ck_assert_uint_ge(stop.cycles, 5000);
    run(one, stop.insns - 1, 0);
    ck_assert_uint_lt(rs_cycles(one), 5000);
    rs_destroy(m);
    rs_destroy(one);
}
END_TEST

START_TEST(a_run_in_pieces_equals_a_run_in_one)
{
    rs_machine *whole = FLAT(loop_forever), *insns = FLAT(loop_forever), *cycles = FLAT(loop_forever);

    run(whole, 20000, 0);
    for (unsigned i = 0, n = 1; i < 20000; i += n, n = n % 37 + 1) run(insns, i + n <= 20000 ? n : 20000 - i, 0);
    while (rs_cycles(cycles) + 50 < rs_cycles(whole)) run(cycles, 0, 13);
    run(cycles, 20000 - rs_insns(cycles), 0);
    ck_assert_uint_eq(rs_cycles(insns), rs_cycles(whole));
    hash_equal(insns, whole);
    hash_equal(cycles, whole);
    rs_destroy(whole);
    rs_destroy(insns);
    rs_destroy(cycles);
}
END_TEST

START_TEST(the_guests_exit_value_and_its_console_reach_the_caller)
{
    rs_machine *m = FLAT(say_and_exit);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_GUEST_EXIT);
    ck_assert_uint_eq(stop.guest_value, 42);
    ck_assert_uint_eq(stop.insns, 8);
    ck_assert_uint_eq(stop.rip, LOAD + 20);
    rs_destroy(m);
}
END_TEST

static char heard[8];
static size_t heard_bytes;
static void listen(void *ctx, unsigned channel, const uint8_t *bytes, size_t n)
{
    ck_assert_ptr_eq(ctx, heard);
    ck_assert_uint_eq(channel, 0);
    for (size_t i = 0; i < n && heard_bytes < sizeof heard; i++) heard[heard_bytes++] = (char)bytes[i];
}

START_TEST(com1_is_channel_0)
{
    struct rs_config config = config_default();

    config.console = listen;
    config.console_ctx = heard;
    heard_bytes = 0;
    rs_machine *m = flat_with(&config, say_and_exit, sizeof say_and_exit);

    run(m, 0, 0);
    ck_assert_uint_eq(heard_bytes, 2);
    ck_assert_int_eq(memcmp(heard, "hi", 2), 0);
    rs_destroy(m);
}
END_TEST

START_TEST(a_halt_that_nothing_can_end_is_dead)
{
    rs_machine *m = FLAT(halt_cli);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_DEAD_HALT);
    ck_assert_uint_eq(stop.insns, 3);
    ck_assert(stop.text[0] != '\0');
    ck_assert(!rs_input_wakes(m, 0));
    rs_destroy(m);
    m = FLAT(halt_sti);
    stop = run(m, 0, 1000000000);
    ck_assert_int_eq(stop.reason, RS_STOP_DEAD_HALT);
    ck_assert_uint_lt(stop.cycles, 1000000);
    rs_destroy(m);
}
END_TEST

START_TEST(a_triple_fault_tells_its_chain_of_causes)
{
    rs_machine *m = FLAT(undefined);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_msg(strstr(stop.text, "#UD"), "%s", stop.text);
    ck_assert_msg(strstr(stop.text, "double fault"), "%s", stop.text);
    ck_assert(stop.has_fault);
    rs_destroy(m);
}
END_TEST

START_TEST(a_triple_fault_can_be_a_reset)
{
    struct rs_config config = config_default();

    config.triple_fault_resets = true;
    rs_machine *m = flat_with(&config, undefined, sizeof undefined);

    ck_assert_int_eq(run(m, 0, 0).reason, RS_STOP_GUEST_RESET);
    rs_destroy(m);
}
END_TEST

START_TEST(a_reset_stops_or_starts_the_image_again)
{
    struct rs_config config = config_default();
    rs_machine *m = flat_with(&config, reset_kbc, sizeof reset_kbc);

    ck_assert_int_eq(run(m, 0, 0).reason, RS_STOP_GUEST_RESET);
    rs_destroy(m);
    config.reboot_on_reset = true;
    m = flat_with(&config, reset_kbc, sizeof reset_kbc);
    struct rs_stop_info stop = run(m, 21, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_INSN_LIMIT);
    ck_assert_uint_eq(stop.rip, LOAD + 2);
    rs_destroy(m);
}
END_TEST

START_TEST(a_promised_instruction_without_a_handler_is_a_gap)
{
    struct rs_config config = config_default();

    config.cpu = "x86-64-v3,+avx,+xsave";
    rs_machine *m = flat_with(&config, gap, sizeof gap);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_EMULATOR_GAP);
    ck_assert_msg(strstr(stop.text, "vaddps"), "%s", stop.text);
    ck_assert_uint_eq(stop.rip, LOAD + 1);
    rs_destroy(m);
}
END_TEST

START_TEST(a_guest_that_touches_more_than_its_budget_is_stopped)
{
    struct rs_config config = config_default();

    config.ram_budget = 1u << 20;
    rs_machine *m = flat_with(&config, touch, sizeof touch);

    ck_assert_int_eq(run(m, 0, 0).reason, RS_STOP_HOST_ERROR);
    rs_destroy(m);
}
END_TEST

static void *stop_soon(void *m)
{
    rs_stop(m);
    return NULL;
}

START_TEST(another_thread_may_stop_a_run)
{
    rs_machine *m = FLAT(loop_forever);
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, stop_soon, m), 0);
    ck_assert_int_eq(run(m, 0, 0).reason, RS_STOP_INTERRUPTED);
    pthread_join(thread, NULL);
    ck_assert_int_eq(run(m, 10, 0).reason, RS_STOP_INSN_LIMIT);
    rs_destroy(m);
}
END_TEST

START_TEST(a_breakpoint_stops_before_its_instruction_and_changes_nothing)
{
    rs_machine *m = FLAT(loop_forever), *plain = FLAT(loop_forever);
    uint64_t at;

    ck_assert_int_eq(rs_break_add(m, LOAD + 9), RS_OK);
    ck_assert(rs_break_at(m, 0, &at) && at == LOAD + 9);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_BREAKPOINT);
    ck_assert_uint_eq(stop.rip, LOAD + 9);
    ck_assert_uint_eq(stop.insns, 3);
    stop = run(m, 0, 0);
    ck_assert_int_eq(stop.reason, RS_STOP_BREAKPOINT);
    ck_assert_uint_eq(stop.insns, 9);
    run(plain, 9, 0);
    hash_equal(m, plain);
    ck_assert_int_eq(rs_break_remove(m, LOAD + 9), RS_OK);
    ck_assert_int_eq(rs_break_remove(m, LOAD + 9), RS_E_ARG);
    run(m, 500, 0);
    run(plain, 500, 0);
    hash_equal(m, plain);
    rs_destroy(m);
    rs_destroy(plain);
}
END_TEST

START_TEST(two_machines_stepped_in_turn_are_as_each_alone)
{
    rs_machine *a = FLAT(loop_forever), *b = FLAT(touch), *alone_a = FLAT(loop_forever), *alone_b = FLAT(touch);

    for (unsigned i = 0; i < 300; i++) {
        run(a, 7, 0);
        run(b, 5, 0);
    }
    run(alone_a, 2100, 0);
    run(alone_b, 1500, 0);
    hash_equal(a, alone_a);
    hash_equal(b, alone_b);
    rs_destroy(a);
    rs_destroy(b);
    rs_destroy(alone_a);
    rs_destroy(alone_b);
}
END_TEST

/* ---- input --------------------------------------------------------------------------------------------------------------- */

START_TEST(input_arrives_at_its_cycle)
{
    rs_machine *m = FLAT(echo_input);

    ck_assert_int_eq(rs_input_at(m, 5000, 0, "K", 1), RS_OK);
    ck_assert_uint_eq(rs_input_pending(m, 0), 1);
    struct rs_stop_info stop = run(m, 0, 1000000);

    ck_assert_int_eq(stop.reason, RS_STOP_GUEST_EXIT);
    ck_assert_uint_eq(stop.guest_value, 'K');
    ck_assert_uint_ge(stop.cycles, 5000);
    ck_assert_uint_lt(stop.cycles, 5400);
    ck_assert_uint_eq(rs_input_pending(m, 0), 0);
    ck_assert_int_eq(rs_input(m, 4, "x", 1), RS_E_ARG);
    rs_destroy(m);
}
END_TEST

START_TEST(input_cut_into_runs_arrives_at_the_same_instruction)
{
    rs_machine *whole = FLAT(echo_input), *pieces = FLAT(echo_input);

    rs_input_at(whole, 777, 0, "Q", 1);
    rs_input_at(pieces, 777, 0, "Q", 1);
    struct rs_stop_info a = run(whole, 0, 0), b;

    do b = run(pieces, 3, 0);
    while (b.reason == RS_STOP_INSN_LIMIT);
    ck_assert_uint_eq(a.insns, b.insns);
    ck_assert_uint_eq(a.cycles, b.cycles);
    hash_equal(whole, pieces);
    rs_destroy(whole);
    rs_destroy(pieces);
}
END_TEST

/* ---- state ------------------------------------------------------------------------------------------------------------------ */

START_TEST(every_register_has_a_name_of_its_own_and_keeps_what_is_written)
{
    rs_machine *m = FLAT(loop_forever);

    for (unsigned i = 0; i < RS_REG_COUNT; i++) {
        if (!rs_reg_name(i)) continue;
        for (unsigned k = i + 1; k < RS_REG_COUNT; k++)
            if (rs_reg_name(k)) ck_assert_str_ne(rs_reg_name(i), rs_reg_name(k));
    }
    ck_assert_ptr_null(rs_reg_name(RS_REG_COUNT));
    for (unsigned i = 0; i < 16; i++) ck_assert_int_eq(rs_reg_write(m, 0, RS_REG_RAX + i, 0x1111111111111111u * i), RS_OK);
    for (unsigned i = 0; i < 16; i++) ck_assert_uint_eq(reg(m, RS_REG_RAX + i), 0x1111111111111111u * i);
    ck_assert_int_eq(rs_reg_write(m, 0, RS_REG_RFLAGS, 0x8d7), RS_OK);
    ck_assert_uint_eq(reg(m, RS_REG_RFLAGS), 0x8d7);
    ck_assert_int_eq(rs_reg_write(m, 0, 23, 0), RS_E_ARG);
    ck_assert_int_eq(rs_reg_write(m, 1, RS_REG_RAX, 0), RS_E_ARG);
    uint8_t wide[16] = {1, 2, 3}, back[16];

    ck_assert_int_eq(rs_reg_write_wide(m, 0, RS_REG_XMM0 + 15, wide, 16), RS_OK);
    ck_assert_int_eq(rs_reg_read_wide(m, 0, RS_REG_XMM0 + 15, back, 16), RS_OK);
    ck_assert_int_eq(memcmp(wide, back, 16), 0);
    ck_assert_int_eq(rs_reg_read_wide(m, 0, RS_REG_XMM0, back, 8), RS_E_ARG);
    rs_destroy(m);
}
END_TEST

START_TEST(memory_is_read_and_written_all_or_nothing)
{
    rs_machine *m = FLAT(loop_forever);
    uint8_t out[32], in[32];

    memset(in, 0x3c, sizeof in);
    ck_assert_int_eq(rs_phys_write(m, 0x2ffff0, in, 32), RS_OK);
    ck_assert_int_eq(rs_phys_read(m, 0x2ffff0, out, 32), RS_OK);
    ck_assert_int_eq(memcmp(in, out, 32), 0);
    memset(out, 0xaa, sizeof out);
    ck_assert_int_eq(rs_phys_read(m, (16u << 20) - 16, out, 32), RS_E_UNMAPPED);
    ck_assert_uint_eq(out[0], 0xaa);
    ck_assert_int_eq(rs_phys_write(m, 0x9fff0, in, 32), RS_E_UNMAPPED);
    ck_assert_int_eq(rs_phys_read(m, 0x9fff0, out, 16), RS_OK);
    ck_assert_uint_eq(out[0], 0);
    ck_assert_int_eq(rs_linear_poke(m, 0, 0x2fffe8, in, 32), RS_OK);
    ck_assert_int_eq(rs_linear_peek(m, 0, 0x2fffe8, out, 32), RS_OK);
    ck_assert_int_eq(memcmp(in, out, 32), 0);
    ck_assert_int_eq(rs_linear_peek(m, 0, 0x100000000ull, out, 1), RS_E_UNMAPPED);
    ck_assert_int_eq(rs_linear_peek(m, 0, 0x8000000000000000ull, out, 1), RS_E_UNMAPPED);
    rs_destroy(m);
}
END_TEST

START_TEST(what_is_poked_into_code_is_what_runs)
{
    rs_machine *m = FLAT(loop_forever);
    const uint8_t seven = 7;

    run(m, 601, 0);
    uint64_t before = reg(m, RS_REG_RAX);

    ck_assert_int_eq(rs_phys_write(m, LOAD + 5, &seven, 1), RS_OK);
    run(m, 600, 0);
    ck_assert_uint_eq(reg(m, RS_REG_RAX) - before, 7 * 100);
    rs_destroy(m);
}
END_TEST

START_TEST(explain_says_what_an_access_would_do)
{
    rs_machine *m = FLAT(loop_forever);
    struct rs_explanation e;

    ck_assert_int_eq(rs_explain(m, 0, 0, LOAD, RS_FETCH, &e), RS_OK);
    ck_assert(e.allowed && e.paging);
    ck_assert_uint_eq(e.steps, 3);
    ck_assert_uint_eq(e.page_shift, 21);
    ck_assert_uint_eq(e.phys, LOAD);
    ck_assert_int_eq(rs_explain(m, 0, 3, LOAD, RS_READ, &e), RS_OK);
    ck_assert(!e.allowed);
    ck_assert_uint_eq(e.rule, RS_RULE_PG_US);
    ck_assert_uint_eq(e.error_code, 5);
    ck_assert_int_eq(rs_explain(m, 0, 0, 0x100000000ull, RS_WRITE, &e), RS_OK);
    ck_assert_uint_eq(e.rule, RS_RULE_PG_P);
    ck_assert_uint_eq(e.error_code, 2);
    ck_assert_int_eq(rs_explain(m, 0, 0, 1ull << 63, RS_READ, &e), RS_OK);
    ck_assert_uint_eq(e.rule, RS_RULE_CANON_MEM);
    ck_assert(e.text[0] != '\0');
    ck_assert_int_eq(rs_explain(m, 0, 4, 0, RS_READ, &e), RS_E_ARG);
    ck_assert_int_eq(rs_explain(m, 0, 0, 0, (enum rs_access)3, &e), RS_E_ARG);
    rs_destroy(m);
}
END_TEST

START_TEST(disassembly_comes_in_both_syntaxes)
{
    rs_machine *m = FLAT(loop_forever);
    char text[80];

    ck_assert_uint_eq(rs_disassemble(m, 0, LOAD + 2, false, text, sizeof text), 4);
    ck_assert_msg(strstr(text, "add rax, "), "%s", text);
    ck_assert_uint_eq(rs_disassemble(m, 0, LOAD + 2, true, text, sizeof text), 4);
    ck_assert_msg(strstr(text, "%rax"), "%s", text);
    ck_assert_uint_eq(rs_disassemble(m, 0, 0x100000000ull, false, text, sizeof text), 0);
    rs_destroy(m);
}
END_TEST

/* ---- watching ------------------------------------------------------------------------------------------------------------------ */

struct watcher {
    unsigned events;
    unsigned stop_after;
    rs_status inner;
};

static bool watch(void *ctx, rs_machine *m, const struct rs_event *event)
{
    struct watcher *w = ctx;
    char line[512];

    ck_assert_uint_gt(rs_event_format(m, event, RS_LOG_TEXT, line, sizeof line), 0);
    ck_assert_uint_gt(rs_event_format(m, event, RS_LOG_JSONL, line, sizeof line), 0);
    w->inner = rs_run(m, NULL, NULL);
    return ++w->events == w->stop_after;
}

START_TEST(looking_at_everything_changes_nothing)
{
    rs_machine *plain = FLAT(loop_forever), *watched = FLAT(loop_forever);
    struct watcher w = {0, 0, RS_OK};
    unsigned id;

    ck_assert_int_eq(rs_observer_add(watched, RS_MASK(RS_EV_COUNT) - 1, false, watch, &w, &id), RS_OK);
    run(plain, 3000, 0);
    run(watched, 3000, 0);
    ck_assert_uint_ge(w.events, 3000);
    ck_assert_int_eq(w.inner, RS_E_BUSY);
    ck_assert_uint_eq(rs_cycles(plain), rs_cycles(watched));
    hash_equal(plain, watched);
    ck_assert_int_eq(rs_observer_remove(watched, id), RS_OK);
    ck_assert_int_eq(rs_observer_remove(watched, id), RS_E_ARG);
    run(plain, 3000, 0);
    run(watched, 3000, 0);
    hash_equal(plain, watched);
    rs_destroy(plain);
    rs_destroy(watched);
}
END_TEST

START_TEST(an_observer_stops_the_run_at_the_next_boundary)
{
    rs_machine *m = FLAT(loop_forever);
    struct watcher w = {0, 10, RS_OK};

    ck_assert_int_eq(rs_observer_add(m, RS_MASK(RS_EV_INSN), false, watch, &w, NULL), RS_OK);
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_HOOK);
    ck_assert_uint_eq(stop.insns, 10);
    rs_destroy(m);
}
END_TEST

START_TEST(the_ledgers_categories_add_up_to_the_cycles)
{
    rs_machine *m = FLAT(loop_forever);
    struct rs_ledger l = {.struct_size = sizeof l};
    uint64_t sum = 0, rings = 0;

    run(m, 5000, 0);
    ck_assert_int_eq(rs_ledger_read(m, &l), RS_OK);
    for (unsigned i = 0; i < RS_CAT_COUNT; i++) sum += l.category[i];
    for (unsigned i = 0; i < 4; i++) rings += l.ring[i];
    ck_assert_uint_eq(sum / 64, rs_cycles(m));
    ck_assert_uint_eq(rings, sum);
    rs_destroy(m);
}
END_TEST

/* ---- Multiboot --------------------------------------------------------------------------------------------------------------------- */

static uint32_t phys32(const rs_machine *m, uint64_t at)
{
    uint32_t value = 0;

    ck_assert_int_eq(rs_phys_read(m, at, &value, 4), RS_OK);
    return value;
}

static void string_at(const rs_machine *m, uint64_t at, const char *text)
{
    char found[64] = "";

    ck_assert_int_eq(rs_phys_read(m, at, found, strlen(text) + 1), RS_OK);
    ck_assert_str_eq(found, text);
}

START_TEST(a_multiboot_kernel_finds_the_machine_state_it_was_promised)
{
    const struct rs_config config = config_default();
    rs_machine *m = build(&config);

    ck_assert_msg(rs_load_image(m, multiboot, sizeof multiboot, "m", NULL) == RS_OK, "%s", rs_error(m));
    ck_assert_uint_eq(reg(m, RS_REG_RAX), 0x2badb002);
    ck_assert_uint_eq(reg(m, RS_REG_CR0) & 0x80000001u, 1);
    ck_assert_uint_eq(reg(m, RS_REG_RFLAGS) & 0x20200u, 0);
    ck_assert_uint_eq(reg(m, RS_REG_RIP), 0x100020);
    for (unsigned s = 0; s < 6; s++) {
        ck_assert_uint_eq(reg(m, RS_REG_ES_BASE + s), 0);
        ck_assert_uint_eq(reg(m, RS_REG_ES_LIMIT + s), 0xffffffff);
    }
    struct rs_stop_info stop = run(m, 0, 0);

    ck_assert_int_eq(stop.reason, RS_STOP_DEAD_HALT);
    ck_assert_uint_eq(reg(m, RS_REG_RCX), 7);
    rs_destroy(m);
}
END_TEST

/* With no LIDT of its own: to real mode, INT 20h by the vector at 80h, which loads BX and halts. */
START_TEST(a_multiboot_kernel_that_goes_back_to_real_mode_finds_the_vector_table_at_0)
{
    static const uint8_t kernel[] = {
        0x0f, 0x01, 0x15, 0x00, 0x60, 0x00, 0x00,       /* lgdt [6000h] */
        0xea, 0x0e, 0x50, 0x00, 0x00, 0x08, 0x00,       /* jmp 8:500eh, 16-bit code */
        0x0f, 0x20, 0xc0, 0x66, 0x83, 0xf0, 0x01,       /* mov eax, cr0; xor eax, 1 */
        0x0f, 0x22, 0xc0, 0xea, 0x1d, 0x50, 0x00, 0x00, /* mov cr0, eax; jmp 0:501dh */
        0x31, 0xc0, 0x8e, 0xd0, 0xbc, 0x00, 0x50,       /* xor ax, ax; mov ss, ax; mov sp, 5000h */
        0xcd, 0x20, 0xf4,                               /* int 20h; hlt */
        0xbb, 0x34, 0x12, 0xcf};                        /* 5027h: mov bx, 1234h; iret */
    static const uint64_t code16 = 0x00009b000000ffff;
    static const uint32_t vector = 0x5027;
    const struct rs_config config = config_default();
    rs_machine *m = build(&config);

    ck_assert_msg(rs_load_image(m, multiboot, sizeof multiboot, "m", NULL) == RS_OK, "%s",
                  rs_error(m));
    ck_assert_uint_eq(reg(m, RS_REG_IDTR_BASE), 0);
    ck_assert_uint_eq(reg(m, RS_REG_IDTR_LIMIT), 0x3ff);
    ck_assert_int_eq(rs_phys_write(m, 0x5000, kernel, sizeof kernel), RS_OK);
    ck_assert_int_eq(rs_phys_write(m, 0x6000, "\x0f\x00\x00\x60\x00\x00", 6), RS_OK);
    ck_assert_int_eq(rs_phys_write(m, 0x6008, &code16, 8), RS_OK);
    ck_assert_int_eq(rs_phys_write(m, 0x80, &vector, 4), RS_OK);
    ck_assert_int_eq(rs_reg_write(m, 0, RS_REG_RIP, 0x5000), RS_OK);
    ck_assert_int_eq(run(m, 0, 0).reason, RS_STOP_DEAD_HALT);
    ck_assert_uint_eq(reg(m, RS_REG_CR0) & 1, 0);
    ck_assert_uint_eq(reg(m, RS_REG_RBX) & 0xffff, 0x1234);
    rs_destroy(m);
}
END_TEST

START_TEST(the_boot_information_tells_of_memory_command_line_and_modules)
{
    const struct rs_config config = config_default();
    rs_machine *m = build(&config);

    ck_assert_int_eq(rs_add_module(m, "first module", 12, "one arg"), RS_OK);
    ck_assert_int_eq(rs_add_module(m, "2nd", 3, NULL), RS_OK);
    ck_assert_msg(rs_load_image(m, multiboot, sizeof multiboot, "m", "root=ram quiet") == RS_OK, "%s", rs_error(m));
    uint64_t info = reg(m, RS_REG_RBX);

    ck_assert_uint_lt(info, 0x9fc00);
    ck_assert_uint_eq(phys32(m, info), 0x24d);
    ck_assert_uint_eq(phys32(m, info + 4), 639);
    ck_assert_uint_eq(phys32(m, info + 8), 15 * 1024);
    string_at(m, phys32(m, info + 16), "root=ram quiet");
    ck_assert_uint_eq(phys32(m, info + 20), 2);
    uint64_t mods = phys32(m, info + 24);

    ck_assert_uint_eq(phys32(m, mods) % 4096, 0);
    ck_assert_uint_ge(phys32(m, mods), 0x104000);
    ck_assert_uint_eq(phys32(m, mods + 4) - phys32(m, mods), 12);
    string_at(m, phys32(m, mods + 8), "one arg");
    ck_assert_uint_eq(phys32(m, mods + 20) - phys32(m, mods + 16), 3);
    string_at(m, phys32(m, mods + 24), "");
    char bytes[12];

    ck_assert_int_eq(rs_phys_read(m, phys32(m, mods), bytes, 12), RS_OK);
    ck_assert_int_eq(memcmp(bytes, "first module", 12), 0);
    ck_assert_uint_eq(phys32(m, info + 44), 4 * 24);
    uint64_t map = phys32(m, info + 48);

    ck_assert_uint_eq(phys32(m, map), 20);
    ck_assert_uint_eq(phys32(m, map + 12), 0x9fc00);
    ck_assert_uint_eq(phys32(m, map + 20), 1);
    ck_assert_uint_eq(phys32(m, map + 3 * 24 + 4), 0x100000);
    ck_assert_uint_eq(phys32(m, map + 3 * 24 + 12), 15u << 20);
    string_at(m, phys32(m, info + 64), "Ringside");
    rs_destroy(m);
}
END_TEST

START_TEST(a_bad_image_is_refused_with_its_name)
{
    const struct rs_config config = config_default();
    rs_machine *m = build(&config);
    uint8_t bad[sizeof multiboot];

    memcpy(bad, multiboot, sizeof bad);
    bad[18] = 0x20; /* header_addr 0x100000, load_addr 0x200000 */
    ck_assert_int_eq(rs_load_image(m, bad, sizeof bad, "bad.elf", NULL), RS_E_IMAGE);
    ck_assert_msg(strstr(rs_error(m), "bad.elf: offset 0x10: load_addr"), "%s", rs_error(m));
    ck_assert_int_eq(rs_load_image(m, "", 0, "none", NULL), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_flat(m, multiboot, sizeof multiboot, 0xffffff, 0xffffff, RS_FLAT_LONG64, TABLES), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_flat(m, multiboot, sizeof multiboot, 0x2000, 0x2000, RS_FLAT_LONG64, TABLES), RS_E_IMAGE);
    ck_assert_int_eq(rs_load_flat(m, multiboot, sizeof multiboot, LOAD, LOAD, RS_FLAT_LONG64, 0x1001), RS_E_ARG);
    rs_destroy(m);
}
END_TEST

/* ---- catalogues ------------------------------------------------------------------------------------------------------------------------ */

START_TEST(catalogues_end)
{
    const char *text;
    bool on, missing;
    unsigned n = 0;

    for (n = 0; rs_cpu_model(n, &text); n++) ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(n, 0);
    for (n = 0; rs_cpu_feature(NULL, n, &text, &on, &missing); n++) ck_assert_msg(!(on && missing), "%s", text);
    ck_assert_uint_gt(n, 20);
    ck_assert(!rs_cpu_feature("z80", 0, &text, &on, &missing));
    for (n = 0; rs_gap(n); n++) ck_assert(rs_gap(n)[0] != '\0');
    for (n = 0; rs_cost_profile(n, &text); n++) ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(n, 2);
}
END_TEST

struct form_list {
    unsigned n, bswap;
    char last[64];
};

static void form_met(void *ctx, const char *form, uint32_t ticks)
{
    struct form_list *list = ctx;

    ck_assert_msg(strcmp(list->last, form) < 0, "%s after %s", form, list->last);
    ck_assert_str_ne(form, "add_r32_r32");
    ck_assert_uint_gt(ticks, 0);
    snprintf(list->last, sizeof list->last, "%s", form);
    list->bswap += strcmp(form, "bswap_r16") == 0;
    list->n++;
}

START_TEST(forms_without_a_price_of_their_own_are_listed_once_each)
{
    struct rs_config config = config_default();
    struct form_list list = {0, 0, ""};

    config.cost = "skylake";
    rs_machine *m = build(&config);
    ck_assert_int_eq(rs_cost_gaps(m, form_met, &list), RS_OK);
    ck_assert_uint_eq(list.bswap, 1);
    ck_assert_uint_lt(list.n, 400);
    rs_destroy(m);

    config.cost = "unit";
    list.n = 0;
    m = build(&config);
    ck_assert_int_eq(rs_cost_gaps(m, form_met, &list), RS_OK);
    ck_assert_uint_eq(list.n, 0);
    rs_destroy(m);
}
END_TEST

RUN_TESTS("api", forms_without_a_price_of_their_own_are_listed_once_each,
          a_wrong_configuration_is_refused_with_a_line, a_machine_without_an_image_can_be_made_and_thrown_away,
          an_instruction_limit_is_exact, a_cycle_limit_stops_at_the_first_boundary_at_or_after_it,
          a_run_in_pieces_equals_a_run_in_one, the_guests_exit_value_and_its_console_reach_the_caller,
          com1_is_channel_0, a_halt_that_nothing_can_end_is_dead, a_triple_fault_tells_its_chain_of_causes,
          a_triple_fault_can_be_a_reset, a_reset_stops_or_starts_the_image_again,
          a_promised_instruction_without_a_handler_is_a_gap, a_guest_that_touches_more_than_its_budget_is_stopped,
          another_thread_may_stop_a_run, a_breakpoint_stops_before_its_instruction_and_changes_nothing,
          two_machines_stepped_in_turn_are_as_each_alone, input_arrives_at_its_cycle,
          input_cut_into_runs_arrives_at_the_same_instruction,
          every_register_has_a_name_of_its_own_and_keeps_what_is_written,
          memory_is_read_and_written_all_or_nothing, what_is_poked_into_code_is_what_runs,
          explain_says_what_an_access_would_do, disassembly_comes_in_both_syntaxes,
          looking_at_everything_changes_nothing, an_observer_stops_the_run_at_the_next_boundary,
          the_ledgers_categories_add_up_to_the_cycles,
          a_multiboot_kernel_finds_the_machine_state_it_was_promised,
          a_multiboot_kernel_that_goes_back_to_real_mode_finds_the_vector_table_at_0,
          the_boot_information_tells_of_memory_command_line_and_modules,
          a_bad_image_is_refused_with_its_name, catalogues_end)
