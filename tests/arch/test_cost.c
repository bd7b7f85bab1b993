/* test_cost.c - profiles and the static price of forms. */
#define _POSIX_C_SOURCE 200809L /* mkstemp, clock_gettime */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "arch/cost.h"
#include "arch/cost_table.h"
#include "tests/check_main.h"

static struct cost loaded(const char *spec)
{
    struct cost cost;
    char error[200] = "";

    if (!cost_load(&cost, spec, NULL, error, sizeof error)) ck_abort_msg("%s: %s", spec, error);
    return cost;
}

static uint32_t price(const char *spec, const char *form)
{
    struct cost cost = loaded(spec);
    return cost_of_form(&cost, form, NULL);
}

static void ck_refused(const char *spec, const char *ini, const char *message)
{
    struct cost cost;
    char error[200] = "";

    ck_assert(!cost_load(&cost, spec, ini, error, sizeof error));
    ck_assert_str_eq(error, message);
}

START_TEST(every_built_in_profile_loads_and_has_a_description)
{
    const char *name, *desc;
    unsigned n = 0;

    for (; (name = cost_profile_name(n, &desc)) != NULL; n++) {
        struct cost cost = loaded(name);
        ck_assert_str_eq(cost.name, name);
        ck_assert_str_eq(cost.desc, desc);
        ck_assert_uint_ge(strlen(desc), 5);
        ck_assert_uint_ge(cost.hz, 1000000);
        ck_assert_uint_ge(cost.tsc_den, 1);
    }
    ck_assert_uint_eq(n, 7);
    ck_assert_str_eq(cost_profile_name(0, NULL), "teaching");
}
END_TEST

START_TEST(events_are_in_ticks)
{
    struct cost cost = loaded("teaching");

    ck_assert_uint_eq(cost.event[COST_SYSCALL], 50 * 64);
    ck_assert_uint_eq(cost.event[COST_REP_SCAS_PER_ELEM_64THS], 64);
    ck_assert_uint_eq(cost.event[COST_WBINVD], 10000 * 64);
}
END_TEST

START_TEST(a_rate_becomes_ticks_per_byte_rounded_half_up)
{
    ck_assert_uint_eq(loaded("teaching").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 2);
    ck_assert_uint_eq(loaded("sapphire").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 1);
    ck_assert_uint_eq(loaded("unit").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 0);
    /* 64 / 48 = 1.33, 64 / 128 = 0.5, 64 / 129 < 0.5 */
    ck_assert_uint_eq(loaded("teaching,rep_movsb_bytes_per_cycle=48").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 1);
    ck_assert_uint_eq(loaded("teaching,rep_movsb_bytes_per_cycle=128").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 1);
    ck_assert_uint_eq(loaded("teaching,rep_movsb_bytes_per_cycle=129").event[COST_REP_MOVSB_BYTES_PER_CYCLE], 0);
}
END_TEST

START_TEST(under_unit_every_form_is_one_cycle_and_every_event_free)
{
    struct cost cost = loaded("unit");
    const char *form;

    for (unsigned i = 0; i < COST_COUNT; i++) ck_assert_uint_eq(cost.event[i], 0);
    for (unsigned i = 0; (form = cost_form_name(i, NULL)) != NULL; i++)
        ck_assert_uint_eq(cost_of_form(&cost, form, NULL), 64);
}
END_TEST

START_TEST(the_formula_gives_what_a_pencil_gives)
{
    /* skylake: 4 wide, share 19/64, loads 5 */
    ck_assert_uint_eq(price("skylake", "add_r64_r64"), 16);  /* max(0.25, 1/4), latency 1 */
    ck_assert_uint_eq(price("skylake", "mov_r64_m64"), 32);  /* rtp 0.5, latency 5 - 1 - 5 < 0 */
    ck_assert_uint_eq(price("skylake", "add_r64_m64"), 32);  /* rtp 0.5, latency 6 - 1 - 5 = 0 */
    ck_assert_uint_eq(price("skylake", "imul_r64_r64"), 102); /* rtp 1, latency 3: 64 + 19 * 2 */
    ck_assert_uint_eq(price("skylake", "div_r32"), 6 * 64 + 19 * (26 - 1 - 5));
    ck_assert_uint_eq(price("skylake", "idiv_r64"), 24 * 64 + 19 * 16); /* latency is cut at 40 */
    ck_assert_uint_eq(price("skylake", "mov_m64_r64"), 64);  /* a store: rtp 1, no latency term */
    /* sapphire: 6 wide; 64 / 6 = 10.67, rtp 0.2 = 12.8 */
    ck_assert_uint_eq(price("sapphire", "add_r64_r64"), 13);
    /* zen3: rtp 0.33 = 21.12, latency 5 - 1 - 4 = 0 */
    ck_assert_uint_eq(price("zen3", "mov_r64_m64"), 21);
}
END_TEST

START_TEST(the_formula_is_exact_for_every_form_against_long_fractions)
{
    struct cost cost = loaded("sapphire");

    for (unsigned i = 0; i < cost_form_count; i++) {
        const struct cost_cell *cell = &cost_rows[i].cell[cost.column];
        /* everything in 1/76800 ticks: 100 * 6 * 128 */
        uint64_t unit = 100 * 6 * 128;
        uint64_t uops = cell->uops <= 2 ? 1 : cell->uops;
        uint64_t issue = 64 * uops * unit / 6, rtp = 64ull * cell->rtp * (unit / 100);
        int64_t late = (int64_t)cell->lat - 100 - (cell->marks & CELL_LOAD ? 500 : 0);
        late -= cell->rtp > 100 ? cell->rtp - 100 : 0;
        uint64_t sum = issue > rtp ? issue : rtp;
        if (late > 0) sum += 19 * (uint64_t)late * (unit / 100);
        uint64_t ticks = (sum + unit / 2) / unit;
        if (cell->marks & CELL_LOCK) ticks += cost.event[COST_LOCK_EXTRA];
        ck_assert_msg(cost_of_form(&cost, cost_rows[i].name, NULL) == (ticks ? ticks : 1), "%s",
                      cost_rows[i].name);
    }
}
END_TEST

START_TEST(no_price_is_zero_or_above_65535)
{
    const char *name, *form;

    for (unsigned p = 0; (name = cost_profile_name(p, NULL)) != NULL; p++) {
        struct cost cost = loaded(name);
        for (unsigned i = 0; (form = cost_form_name(i, NULL)) != NULL; i++) {
            uint32_t ticks = cost_of_form(&cost, form, NULL);
            ck_assert_msg(ticks >= 1 && ticks <= 65535, "%s %s %u", name, form, ticks);
        }
    }
    ck_assert_uint_eq(price("unit,lock_extra=60000000", "lock_add_m64_r64"), 65535);
}
END_TEST

START_TEST(a_lock_prefix_costs_lock_extra_on_top_of_the_plain_form)
{
    ck_assert_uint_eq(price("skylake", "lock_add_m64_r64"), price("skylake", "add_m64_r64") + 17 * 64);
    ck_assert_uint_eq(price("teaching", "lock_xadd_m32_r32"), 64 + 20 * 64);
    ck_assert_uint_eq(price("teaching", "xchg_m64_r64"), 64 + 20 * 64);
    ck_assert_uint_eq(price("teaching", "xchg_r64_r64"), 64);
    ck_assert_uint_eq(price("teaching,lock_extra=7", "lock_inc_m8"), 64 + 7 * 64);
}
END_TEST

START_TEST(a_form_that_an_event_prices_is_one_issue_slot)
{
    ck_assert_uint_eq(price("skylake", "syscall"), 16);
    ck_assert_uint_eq(price("skylake", "cpuid"), 16);
    ck_assert_uint_eq(price("skylake", "rep_movsb"), 16);
    ck_assert_uint_eq(price("skylake", "out_dx_al"), 16);
    ck_assert_uint_eq(price("teaching", "wrmsr"), 64);
}
END_TEST

START_TEST(an_unknown_form_takes_its_class_default_and_is_a_gap)
{
    struct cost cost = loaded("skylake");
    bool gap = false;

    cost_of_form(&cost, "add_r64_r64", &gap);
    ck_assert(!gap);
    ck_assert_uint_ge(cost_of_form(&cost, "add_r64_banana", &gap), 1);
    ck_assert(gap);
    ck_assert_uint_eq(cost_of_form(&cost, "vpaddd_x_x_x", &gap), cost_of_form(&cost, "paddd_q", NULL));
    ck_assert(gap);
    ck_assert_uint_ge(cost_of_form(&cost, "frobnicate", &gap), 1);
    ck_assert(gap);
    ck_assert_uint_ge(cost_of_form(&cost, "", &gap), 1);
    struct cost constant = loaded("teaching");
    ck_assert_uint_eq(cost_of_form(&constant, "frobnicate", &gap), 64);
    ck_assert(!gap);
}
END_TEST

START_TEST(the_alu_of_a_real_cpu_has_no_gaps)
{
    static const char *const profiles[] = {"skylake", "icelake", "sapphire", "zen3"};
    static const char *const closed[] = {"alu",   "mov",  "lea",  "branch", "shift", "bit", "cmov",
                                         "stack", "xchg", "muldiv", "string"};

    for (unsigned p = 0; p < 4; p++) {
        struct cost cost = loaded(profiles[p]);
        const char *form, *klass;
        for (unsigned i = 0; (form = cost_form_name(i, &klass)) != NULL; i++) {
            bool gap;
            cost_of_form(&cost, form, &gap);
            for (unsigned k = 0; k < sizeof closed / sizeof *closed; k++)
                ck_assert_msg(!gap || strcmp(klass, closed[k]) != 0, "%s: %s", profiles[p], form);
        }
    }
}
END_TEST

START_TEST(one_key_on_the_command_line_changes_exactly_that_event)
{
    struct cost plain = loaded("skylake"), changed = loaded("skylake,syscall=45");

    ck_assert_uint_eq(changed.event[COST_SYSCALL], 45 * 64);
    for (unsigned i = 0; i < COST_COUNT; i++)
        if (i != COST_SYSCALL) ck_assert_uint_eq(plain.event[i], changed.event[i]);
    ck_assert_str_eq(changed.name, "skylake");
    ck_assert_int_eq(changed.column, plain.column);
}
END_TEST

START_TEST(later_overrides_win_and_spaces_are_allowed)
{
    ck_assert_uint_eq(loaded("unit,syscall=1, syscall = 2").event[COST_SYSCALL], 128);
    ck_assert_uint_eq(loaded("unit,instr_table=3").constant, 192);
    ck_assert_int_eq(loaded("unit,instr_table=znver3").column, loaded("zen3").column);
}
END_TEST

START_TEST(errors_are_one_line_and_name_the_culprit)
{
    ck_refused("skyloke", NULL,
               "unknown cost profile 'skyloke' (there are teaching, unit, i386, icelake, sapphire, skylake, zen3)");
    ck_refused("unit,siscall=4", NULL, "unknown cost key 'siscall'");
    ck_refused("unit,syscall=4x", NULL, "bad value '4x' for cost key 'syscall'");
    ck_refused("unit,syscall=-1", NULL, "bad value '-1' for cost key 'syscall'");
    ck_refused("unit,syscall=", NULL, "bad value '' for cost key 'syscall'");
    ck_refused("unit,syscall", NULL, "'syscall' is not key=value");
    ck_refused("unit,", NULL, "'' is not key=value");
    ck_refused("unit,syscall=67108864", NULL, "bad value '67108864' for cost key 'syscall'");
    ck_refused("unit,tsc_den=0", NULL, "bad value '0' for cost key 'tsc_den'");
    ck_refused("unit,issue_width=0", NULL, "bad value '0' for cost key 'issue_width'");
    ck_refused("unit,tier=detailed", NULL, "bad value 'detailed' for cost key 'tier'");
    ck_refused("unit,instr_table=pentium", NULL, "bad value 'pentium' for cost key 'instr_table'");
    ck_refused("", NULL,
               "unknown cost profile '' (there are teaching, unit, i386, icelake, sapphire, skylake, zen3)");
    ck_refused("unit,dtlb_4k=16", NULL, "unknown cost key 'dtlb_4k'");
}
END_TEST

START_TEST(a_file_starts_from_teaching_or_from_its_base)
{
    struct cost cost;
    char error[200] = "";

    ck_assert(cost_load(&cost, "my.ini,sysret=3", "# mine\nsyscall = 7 # seven\r\n\n", error, sizeof error));
    ck_assert_str_eq(cost.name, "my.ini");
    ck_assert_uint_eq(cost.event[COST_SYSCALL], 7 * 64);
    ck_assert_uint_eq(cost.event[COST_SYSRET], 3 * 64);
    ck_assert_uint_eq(cost.event[COST_INT_INNER], 200 * 64);
    ck_assert(cost_load(&cost, "x", "base = zen3\ndesc = mine, all mine\n", error, sizeof error));
    ck_assert_uint_eq(cost.event[COST_SYSCALL], 83 * 64);
    ck_assert_str_eq(cost.desc, "mine, all mine");
}
END_TEST

START_TEST(errors_of_a_file_name_file_and_line)
{
    ck_refused("my.ini", "syscall = 7\n\nsiscall = 8\n", "my.ini:3: unknown cost key 'siscall'");
    ck_refused("my.ini", "# one\nsyscall 7", "my.ini:2: 'syscall 7' is not key=value");
    ck_refused("my.ini", "base = vax\n",
               "my.ini:1: unknown cost profile 'vax' (there are teaching, unit, i386, icelake, sapphire, skylake, zen3)");
    ck_refused("my.ini", "syscall = 7\nbase = zen3\n", "my.ini:2: unknown cost key 'base'");
}
END_TEST

START_TEST(a_huge_specification_is_refused_in_one_line)
{
    static char spec[5000];
    struct cost cost;
    char error[100] = "";

    memset(spec, 'a', sizeof spec - 1);
    ck_assert(!cost_load(&cost, spec, NULL, error, sizeof error));
    ck_assert_uint_lt(strlen(error), sizeof error);
    memcpy(spec, "unit,", 5);
    ck_assert(!cost_load(&cost, spec, NULL, NULL, 0));
    ck_assert(cost_load(&cost, spec + 100, "syscall=1\n", error, sizeof error));
    ck_assert_uint_eq(strlen(cost.name), sizeof cost.name - 1);
}
END_TEST

START_TEST(system_calls_are_below_100_cycles_each_way_and_interrupts_three_times_dearer)
{
    static const char *const profiles[] = {"teaching", "skylake", "icelake", "sapphire", "zen3"};

    for (unsigned i = 0; i < 5; i++) {
        struct cost c = loaded(profiles[i]);
        uint32_t fast = c.event[COST_SYSCALL] + c.event[COST_SYSRET];
        uint32_t slow = c.event[COST_INT_INNER] + c.event[COST_IRET_OUTER];
        ck_assert_uint_lt(c.event[COST_SYSCALL], 100 * 64);
        ck_assert_uint_lt(c.event[COST_SYSRET], 100 * 64);
        ck_assert_uint_ge(slow, 3 * fast);
        ck_assert_uint_le(slow, 6 * fast);
    }
}
END_TEST

START_TEST(a_look_up_is_quick)
{
    struct cost cost = loaded("skylake");
    struct timespec a, b;
    uint64_t sum = 0, n = 0;

    clock_gettime(CLOCK_MONOTONIC, &a);
    for (unsigned round = 0; round < 200; round++)
        for (unsigned i = 0; i < cost_form_count; i++, n++) sum += cost_of_form(&cost, cost_rows[i].name, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    double ns = ((double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec)) / (double)n;
    printf("cost_of_form: %.1f ns (sum %llu)\n", ns, (unsigned long long)sum);
    ck_assert(ns < 2000); /* 40 wanted; a loaded host with sanitizers must pass too */
}
END_TEST

RUN_TESTS("arch/cost", every_built_in_profile_loads_and_has_a_description, events_are_in_ticks,
          a_rate_becomes_ticks_per_byte_rounded_half_up,
          under_unit_every_form_is_one_cycle_and_every_event_free,
          the_formula_gives_what_a_pencil_gives,
          the_formula_is_exact_for_every_form_against_long_fractions, no_price_is_zero_or_above_65535,
          a_lock_prefix_costs_lock_extra_on_top_of_the_plain_form,
          a_form_that_an_event_prices_is_one_issue_slot,
          an_unknown_form_takes_its_class_default_and_is_a_gap, the_alu_of_a_real_cpu_has_no_gaps,
          one_key_on_the_command_line_changes_exactly_that_event,
          later_overrides_win_and_spaces_are_allowed, errors_are_one_line_and_name_the_culprit,
          a_file_starts_from_teaching_or_from_its_base, errors_of_a_file_name_file_and_line,
          a_huge_specification_is_refused_in_one_line,
          system_calls_are_below_100_cycles_each_way_and_interrupts_three_times_dearer,
          a_look_up_is_quick)
