/* test_log.c - golden lines, JSON against the shipped schema, and what happens to hostile names. */
#define _POSIX_C_SOURCE 200809L /* mkstemp, clock_gettime */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/bits.h"
#include "arch/ports.h"
#include "cpu/state.h"
#include "emu/log.h"
#include "tests/check_main.h"

#ifndef RS_SOURCE_DIR
#define RS_SOURCE_DIR "."
#endif

static const char *find(const void *ctx, uint64_t address, uint64_t *offset)
{
    (void)ctx;
    if (address >= 0x401120 && address < 0x402000) return *offset = address - 0x401120, "user";
    if (address == 0xffffffff80001230) return *offset = 0, "page_fault";
    if (address == 0x666) return *offset = 0, "evil\"\\\n\x1b[2J\xff";
    return NULL;
}

static const struct log_context named = {{NULL, find}};
static const struct log_context nameless = {{NULL, NULL}};

static const char *text(const struct rs_event *e, enum rs_log_format format)
{
    static char out[LOG_LINE_MAX];
    size_t n = log_format(&named, e, format, out, sizeof out);

    ck_assert_uint_eq(n, strlen(out));
    ck_assert_int_eq(out[n - 1], '\n');
    ck_assert_ptr_eq(strchr(out, '\n'), &out[n - 1]);
    out[n - 1] = 0;
    return out;
}

static struct rs_event event(enum rs_event_kind kind, unsigned how, uint64_t w0, uint64_t w1,
                             uint64_t w2, uint64_t w3)
{
    return (struct rs_event){.kind = (uint16_t)kind,
                             .cpl = 3,
                             .how = (uint8_t)how,
                             .seq = 7,
                             .tick = 184467 * 64 + 5,
                             .rip = 0x401136,
                             .w = {w0, w1, w2, w3}};
}

/* A user read of a supervisor page, refused. */
static struct rs_event refused_read(void)
{
    struct rs_event e =
        event(RS_EV_CHECK, RS_READ, 0xffff800000001000, RS_READ | 1 << 8 | 1 << 11 | 1 << 14,
              2 | 1 << 8, VEC_PF | 5 << 8 | 1ull << 40);
    e.rule = RS_RULE_PG_US;
    e.verdict = 1;
    return e;
}

START_TEST(a_refused_check_reads_like_a_sentence)
{
    struct rs_event e = refused_read();

    ck_assert_str_eq(
        text(&e, RS_LOG_TEXT),
        "cycle 184467 cpu0 ring3 0x401136 <user+0x16>  CHECK refused PG_US   #PF(0x5) read "
        "0xffff800000001000: user-mode access to a supervisor-mode address (U/S=0); U/S=0 R/W=1 "
        "XD=0 "
        "at level 1 (PT), user-mode, CPL 3   [SDM 3A \"Access Rights\"]");
}
END_TEST

START_TEST(a_passed_check_shows_the_deciding_values_only)
{
    struct rs_event e = refused_read();

    e.verdict = 0;
    e.w[2] |= 1;
    ck_assert_str_eq(
        text(&e, RS_LOG_TEXT),
        "cycle 184467 cpu0 ring3 0x401136 <user+0x16>  CHECK passed PG_US   read "
        "0xffff800000001000: "
        "U/S=1 R/W=1 XD=0 at level 1 (PT), user-mode, CPL 3   [SDM 3A \"Access Rights\"]");
}
END_TEST

START_TEST(a_crossing_shows_both_rings_and_takes_its_cost_apart)
{
    struct rs_event e = event(RS_EV_CROSS, RS_X_EXCEPTION, 14, 0xffffffff80001230,
                              3 | 1 << 16 | (uint64_t)(12 * 64) << 24, 212 * 64 + 32);

    ck_assert_str_eq(
        text(&e, RS_LOG_TEXT),
        "cycle 184467 cpu0 ring3→ring0  CROSS #PF vector 14 → 0xffffffff80001230 <page_fault>, "
        "cost 212.5 (transition 200.5, walk 12)");
}
END_TEST

START_TEST(a_delivery_names_its_gate_and_stack)
{
    const uint64_t idt = (uint64_t)CROSS_VIA_IDT << CROSS_VIA_SHIFT,
                   rsp = (uint64_t)CROSS_VIA_RSP << CROSS_VIA_SHIFT,
                   trap = (uint64_t)CROSS_VIA_TRAP << CROSS_VIA_SHIFT,
                   ist2 = (uint64_t)2 << CROSS_VIA_SHIFT;
    struct rs_event fault =
        event(RS_EV_CROSS, RS_X_EXCEPTION, 14, 0xffffffff80001230, 3 | 1 << 16 | idt | rsp, 0);
    struct rs_event soft =
        event(RS_EV_CROSS, RS_X_INT, 3, 0xffffffff80001230, 1 << 16 | idt | trap | ist2, 0);
    struct rs_event same = event(RS_EV_CROSS, RS_X_IRQ, 32, 0xffffffff80001230, 1 << 16 | idt, 0);

    ck_assert_ptr_nonnull(
        strstr(text(&fault, RS_LOG_TEXT), "#PF vector 14 via IDT[14] interrupt gate → "));
    ck_assert_ptr_nonnull(strstr(text(&fault, RS_LOG_TEXT), ", stack RSP0, cost"));
    ck_assert_ptr_nonnull(strstr(text(&soft, RS_LOG_TEXT), "via IDT[3] trap gate"));
    ck_assert_ptr_nonnull(strstr(text(&soft, RS_LOG_TEXT), ", stack IST2"));
    ck_assert_ptr_nonnull(strstr(text(&same, RS_LOG_TEXT), ", stack current"));
    ck_assert_ptr_nonnull(
        strstr(text(&fault, RS_LOG_JSONL), "\"gate\":\"interrupt\",\"stack\":\"RSP0\""));
}
END_TEST

START_TEST(returns_and_bills_name_their_crossing)
{
    struct rs_event end = event(RS_EV_CROSS_END, RS_X_SYSCALL, 5, 0x401138, 47, 262 * 64);
    struct rs_event item = event(RS_EV_BILL_ITEM, RS_X_SYSCALL, 5, RS_CAT_WALK, 3, 24 * 64 + 1);

    ck_assert_ptr_nonnull(
        strstr(text(&end, RS_LOG_TEXT),
               "RETURN from syscall #5 → 0x401138 <user+0x18>: 47 instructions, 262 cycles"));
    ck_assert_ptr_nonnull(
        strstr(text(&item, RS_LOG_TEXT), "BILL of #5: walk 24.015625 (3 TLB misses)"));
}
END_TEST

START_TEST(faults_decode_their_error_code)
{
    struct rs_event pf = event(RS_EV_FAULT, FC_FAULT, VEC_PF, 7, 0x401000, 0);
    struct rs_event soft = event(RS_EV_FAULT, FC_SOFT, VEC_GP, 0, 0, 0);
    struct rs_event gp = event(RS_EV_FAULT, FC_FAULT, VEC_GP, 0, 0, 0);

    gp.rule = RS_RULE_CANON_MEM;
    ck_assert_ptr_nonnull(strstr(text(&gp, RS_LOG_TEXT), "FAULT #GP fault by CANON_MEM")); /* real mode's */
    ck_assert_ptr_nonnull(strstr(text(&gp, RS_LOG_JSONL), "\"error\":null"));
    pf.verdict = gp.verdict = 1;
    ck_assert_ptr_nonnull(strstr(text(&pf, RS_LOG_TEXT),
                                 "FAULT #PF(0x7) fault user write at 0x401000, page present"));
    ck_assert_ptr_nonnull(strstr(text(&soft, RS_LOG_TEXT), "FAULT #GP software"));
    ck_assert_ptr_nonnull(strstr(text(&gp, RS_LOG_TEXT), "FAULT #GP(0x0) fault by CANON_MEM"));
    ck_assert_ptr_nonnull(strstr(text(&gp, RS_LOG_JSONL), "\"vector\":13"));
    ck_assert_ptr_nonnull(strstr(text(&gp, RS_LOG_JSONL), "\"error\":\"0x0\""));
    ck_assert_ptr_nonnull(strstr(text(&soft, RS_LOG_JSONL), "\"error\":null"));
    ck_assert_ptr_nonnull(strstr(text(&pf, RS_LOG_JSONL), "\"cr2\":\"0x401000\""));
}
END_TEST

START_TEST(control_registers_name_the_bits_that_change)
{
    struct rs_event e =
        event(RS_EV_CR, 0, 0, CR0_PE | CR0_ET, CR0_PE | CR0_ET | CR0_PG | CR0_WP, 0);

    ck_assert_ptr_nonnull(strstr(text(&e, RS_LOG_TEXT), "CR CR0: 0x11 → 0x80010011 +WP +PG"));
}
END_TEST

START_TEST(json_has_stable_keys_and_decodes_the_inputs_of_paging_rules)
{
    struct rs_event e = refused_read();

    ck_assert_str_eq(
        text(&e, RS_LOG_JSONL),
        "{\"kind\":\"CHECK\",\"seq\":7,\"cycle\":184467,\"tick\":11805893,\"cpu\":0,\"cpl\":3,"
        "\"rip\":\"0x401136\",\"symbol\":\"user+0x16\",\"subject\":\"0xffff800000001000\",\"in1\":"
        "\"0x4900\","
        "\"in2\":\"0x102\",\"rule\":\"PG_US\",\"verdict\":\"refused\",\"manual\":\"SDM 3A "
        "\\\"Access Rights\\\"\","
        "\"subject_kind\":\"LINEAR\",\"fault\":\"#PF\",\"error\":\"0x5\",\"access\":\"read\","
        "\"user_mode\":true,"
        "\"implicit\":false,\"ac\":false,\"wp\":true,\"smep\":false,\"smap\":false,\"nxe\":true,"
        "\"user\":false,"
        "\"write\":true,\"nx\":false,\"status\":0,\"level\":1}");
}
END_TEST

START_TEST(the_header_is_the_first_line_of_json_and_nothing_in_text)
{
    ck_assert_str_eq(log_header(RS_LOG_TEXT), "");
    ck_assert_str_eq(log_header(RS_LOG_JSONL),
                     "{\"schema\":\"ringside-events\",\"version\":1,\"ringside\":\"0.1.0\","
                     "\"ticks_per_cycle\":64}\n");
}
END_TEST

START_TEST(a_hostile_symbol_cannot_break_a_line_or_reach_a_terminal)
{
    struct rs_event e = event(RS_EV_RESET, 0, 0, 0, 0, 0);

    e.rip = 0x666;
    ck_assert_ptr_nonnull(strstr(text(&e, RS_LOG_TEXT), "0x666 <evil\"\\??[2J?>  RESET"));
    ck_assert_ptr_nonnull(strstr(text(&e, RS_LOG_JSONL), "\"symbol\":\"evil\\\"\\\\??[2J?\""));
}
END_TEST

START_TEST(a_short_buffer_cuts_the_line_but_keeps_its_end)
{
    struct rs_event e = refused_read();
    char out[64];

    for (size_t size = 2; size <= sizeof out; size++) {
        memset(out, '#', sizeof out);
        size_t n = log_format(&named, &e, RS_LOG_TEXT, out, size);
        ck_assert_uint_eq(n, size - 1);
        ck_assert_int_eq(out[n - 1], '\n');
        ck_assert_int_eq(out[n], 0);
    }
    ck_assert_uint_eq(log_format(&named, &e, RS_LOG_TEXT, out, 0), 0);
}
END_TEST

START_TEST(without_names_there_are_addresses_only)
{
    struct rs_event e = event(RS_EV_IRQ, 0, 32, 0, 0, 0);
    char out[LOG_LINE_MAX];

    log_format(&nameless, &e, RS_LOG_TEXT, out, sizeof out);
    ck_assert_str_eq(out, "cycle 184467 cpu0 ring3 0x401136  IRQ vector 32 accepted, line 0\n");
    log_format(&nameless, &e, RS_LOG_JSONL, out, sizeof out);
    ck_assert_ptr_nonnull(strstr(out, "\"symbol\":null"));
}
END_TEST

/* Every kind with words small, large and extreme; every rule; every how. */
static void each_sample(void (*use)(const struct rs_event *e, void *ctx), void *ctx)
{
    static const uint64_t values[] = {0, 1, 2, 3, 14, 16, 0x401136, 0x80000000, UINT64_MAX};
    uint64_t seq = 0;

    for (unsigned kind = 0; kind < RS_EV_COUNT; kind++) {
        for (unsigned v = 0; v < sizeof values / sizeof *values; v++) {
            for (unsigned how = 0; how < 14; how++) {
                struct rs_event e =
                    event((enum rs_event_kind)kind, how, values[v], values[(v + how) % 9],
                          values[(v + 3) % 9], values[(v + 5) % 9]);
                e.seq = ++seq;
                e.how = (uint8_t)(how < RS_X_COUNT ? how : 0);
                if (kind == RS_EV_FAULT) e.how = (uint8_t)(how % 6);
                if (kind == RS_EV_WALK) e.how = (uint8_t)(how % 3);
                if (kind == RS_EV_BILL_ITEM) e.w[1] = how % RS_CAT_COUNT;
                e.rule = (uint16_t)(kind == RS_EV_CHECK ? 1 + seq % (RS_RULE_COUNT - 1) : seq % 3);
                if (kind == RS_EV_CHECK) e.w[1] = e.w[1] & ~0xffull;
                e.verdict = how & 1;
                use(&e, ctx);
            }
        }
    }
}

static void say(const struct rs_event *e, void *ctx)
{
    struct rs_event_info info;

    (void)ctx;
    ck_assert(rs_event_info(e->kind, &info));
    const char *line = text(e, RS_LOG_TEXT), *word = strstr(line, info.name);
    ck_assert_msg(word && word[strlen(info.name)] == ' ', "%s", line);
    ck_assert_msg(strlen(word) > strlen(info.name) + 2, "no sentence: %s", line);
    ck_assert_uint_lt(strlen(line), LOG_LINE_MAX - 2);
}

START_TEST(every_kind_has_a_sentence) { each_sample(say, NULL); }
END_TEST

START_TEST(every_rule_has_a_sentence)
{
    for (unsigned rule = 1; rule < RS_RULE_COUNT; rule++) {
        struct rs_event e = refused_read();
        struct rs_rule_info info;
        e.rule = (uint16_t)rule;
        ck_assert(rs_rule_info(rule, &info));
        ck_assert_ptr_nonnull(strstr(text(&e, RS_LOG_TEXT), info.statement));
        ck_assert_ptr_nonnull(strstr(text(&e, RS_LOG_TEXT), info.manual));
    }
}
END_TEST

static void write_line(const struct rs_event *e, void *ctx)
{
    fprintf(ctx, "%s\n", text(e, RS_LOG_JSONL));
}

START_TEST(json_lines_obey_the_shipped_schema)
{
    char command[1200], path[] = "/tmp/ringside-log-XXXXXX";
    int fd = mkstemp(path);

    ck_assert_int_ge(fd, 0);
    FILE *f = fdopen(fd, "w");
    ck_assert_ptr_nonnull(f);
    fputs(log_header(RS_LOG_JSONL), f);
    each_sample(write_line, f);
    fclose(f);
    snprintf(command, sizeof command, "python3 '%s/tests/golden/validate_jsonl.py' %s",
             RS_SOURCE_DIR, path);
    int status = system(command);
    remove(path);
    status = status > 255 ? status >> 8 : status;
    ck_assert_msg(status == 0 || status == 77 || status == 127, "validate_jsonl.py says %d",
                  status);
}
END_TEST

RUN_TESTS("emu/log", a_refused_check_reads_like_a_sentence,
          a_passed_check_shows_the_deciding_values_only,
          a_crossing_shows_both_rings_and_takes_its_cost_apart, a_delivery_names_its_gate_and_stack,
          returns_and_bills_name_their_crossing, faults_decode_their_error_code,
          control_registers_name_the_bits_that_change,
          json_has_stable_keys_and_decodes_the_inputs_of_paging_rules,
          the_header_is_the_first_line_of_json_and_nothing_in_text,
          a_hostile_symbol_cannot_break_a_line_or_reach_a_terminal,
          a_short_buffer_cuts_the_line_but_keeps_its_end, without_names_there_are_addresses_only,
          every_kind_has_a_sentence, every_rule_has_a_sentence, json_lines_obey_the_shipped_schema)
