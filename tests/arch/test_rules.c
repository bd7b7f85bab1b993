/* test_rules.c - the catalogues behind the public look-ups. */
#include <string.h>

#include "arch/rules.h"
#include "tests/check_main.h"

START_TEST(every_rule_has_a_name_a_fault_a_statement_and_a_manual_heading)
{
    struct rs_rule_info info;

    for (unsigned i = 1; i < RS_RULE_COUNT; i++) {
        ck_assert(rs_rule_info(i, &info));
        ck_assert_uint_eq(info.id, i);
        ck_assert_uint_ge(strlen(info.name), 3);
        ck_assert_int_eq(info.fault[0], '#');
        ck_assert_uint_ge(strlen(info.statement), 10);
        ck_assert_ptr_nonnull(strchr(info.manual, ' '));
        ck_assert_str_eq(vector_name(rule_rows[i].vector), info.fault);
    }
}
END_TEST

START_TEST(rule_0_and_rules_past_the_end_do_not_exist)
{
    struct rs_rule_info info;

    ck_assert(!rs_rule_info(RS_RULE_NONE, &info));
    ck_assert(!rs_rule_info(RS_RULE_COUNT, &info));
    ck_assert(!rs_rule_info(1, NULL));
}
END_TEST

START_TEST(the_first_rule_reads_as_its_row)
{
    struct rs_rule_info info;

    ck_assert(rs_rule_info(RS_RULE_PG_US, &info));
    ck_assert_str_eq(info.name, "PG_US");
    ck_assert_str_eq(info.fault, "#PF");
    ck_assert_str_eq(info.error, "PFEC");
    ck_assert_str_eq(info.subject, "LINEAR");
    ck_assert_str_eq(info.manual, "SDM 3A \"Access Rights\"");
    ck_assert_uint_eq(rule_rows[RS_RULE_PG_US].error, RULE_ERR_PFEC);
    ck_assert_uint_eq(rule_rows[RS_RULE_PG_US].subject, RULE_SUB_LINEAR);
}
END_TEST

START_TEST(a_rule_tells_its_inputs_features_printing_and_proofs)
{
    struct rs_rule_detail d;

    ck_assert(!rs_rule_detail(RS_RULE_NONE, &d));
    ck_assert(!rs_rule_detail(RS_RULE_COUNT, &d));
    ck_assert(!rs_rule_detail(1, NULL));
    ck_assert(
        rs_rule_detail(RS_RULE_CR4_PCIDE_CR3, &d)); /* inputs of its subject, feature by prefix */
    ck_assert_str_eq(d.in1, "the new value");
    ck_assert_str_eq(d.features, "pcid");
    ck_assert_ptr_nonnull(strstr(d.edition, "325462"));
    ck_assert(rs_rule_detail(RS_RULE_SS_NULL, &d)); /* the longest prefix, not SS_ */
    ck_assert_str_eq(d.in1, "");
    ck_assert_str_eq(d.in2, "new CPL");
    ck_assert_str_eq(d.features, "");
    ck_assert(rs_rule_detail(RS_RULE_PG_US, &d));
    ck_assert_ptr_nonnull(strstr(d.test_passed, "tests/cpu/test_"));
    ck_assert_ptr_nonnull(strstr(d.test_refused, ".c:"));
}
END_TEST

START_TEST(rule_names_are_unique_words)
{
    struct rs_rule_info a, b;

    for (unsigned i = 1; i < RS_RULE_COUNT; i++) {
        ck_assert(rs_rule_info(i, &a));
        ck_assert_uint_eq(strspn(a.name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"), strlen(a.name));
        for (unsigned k = i + 1; k < RS_RULE_COUNT; k++) {
            ck_assert(rs_rule_info(k, &b));
            ck_assert_str_ne(a.name, b.name);
        }
    }
}
END_TEST

START_TEST(all_paging_rules_fit_in_a_64_bit_set)
{
    struct rs_rule_info info;

    for (unsigned i = 64; i < RS_RULE_COUNT; i++) {
        ck_assert(rs_rule_info(i, &info));
        ck_assert_int_ne(strncmp(info.name, "PG_", 3), 0);
    }
}
END_TEST

START_TEST(every_event_has_a_name_a_group_and_typed_words)
{
    struct rs_event_info info;

    for (unsigned i = 0; i < RS_EV_COUNT; i++) {
        ck_assert(rs_event_info(i, &info));
        ck_assert_uint_eq(info.kind, i);
        for (unsigned w = 0; w < 4; w++) {
            const char *colon = strchr(info.words[w], ':');
            if (info.words[w][0]) ck_assert(colon && strchr("xds", colon[1]) && !colon[2]);
        }
        uint64_t mask;
        bool refused;
        ck_assert(rs_group_mask(info.group, &mask, &refused));
        ck_assert(mask & RS_MASK(i));
        ck_assert(!refused);
    }
    ck_assert(!rs_event_info(RS_EV_COUNT, &info));
}
END_TEST

START_TEST(trace_groups_are_the_promised_ones)
{
    static const char *const groups[] = {"crossing", "refused", "check", "fault", "irq", "walk",
                                         "tlb",      "syscall", "cr",    "msr",   "io",  "mem",
                                         "insn",     "device",  "all"};
    uint64_t mask;
    bool refused;

    for (unsigned i = 0; i < sizeof groups / sizeof *groups; i++) {
        ck_assert_msg(rs_group_mask(groups[i], &mask, &refused), "%s", groups[i]);
        ck_assert(refused == (strcmp(groups[i], "refused") == 0));
    }
    ck_assert(rs_group_mask("refused", &mask, &refused) && mask == RS_MASK(RS_EV_CHECK));
    ck_assert(rs_group_mask("all", &mask, &refused) && mask == RS_MASK(RS_EV_COUNT) - 1);
    ck_assert(rs_group_mask("TLB_FILL", &mask, &refused) && mask == RS_MASK(RS_EV_TLB_FILL));
    ck_assert(!rs_group_mask("crossings", &mask, &refused));
    ck_assert(!rs_group_mask("", &mask, &refused));
    ck_assert(!rs_group_mask(NULL, &mask, &refused));
}
END_TEST

START_TEST(names_answer_for_every_number)
{
    for (unsigned i = 0; i < RS_CAT_COUNT; i++) ck_assert_str_ne(rs_category_name(i), "?");
    for (unsigned i = 0; i < RS_X_COUNT; i++) ck_assert_str_ne(rs_crossing_name(i), "?");
    for (unsigned i = 0; i <= RS_STOP_DIVERGED; i++)
        ck_assert_str_ne(rs_stop_reason_name((enum rs_stop_reason)i), "?");
    for (unsigned i = 0; i <= RS_E_LIMIT; i++) ck_assert_uint_ge(strlen(rs_status_text((rs_status)i)), 5);
    ck_assert_str_eq(rs_category_name(RS_CAT_COUNT), "?");
    ck_assert_str_eq(rs_crossing_name(99), "?");
    ck_assert_str_eq(rs_stop_reason_name((enum rs_stop_reason)99), "?");
    ck_assert_str_eq(rs_status_text((rs_status)99), "unknown status");
    ck_assert_str_eq(rs_stop_reason_name(RS_STOP_GUEST_EXIT), "guest-exit");
    ck_assert_ptr_null(vector_name(9));
    ck_assert_ptr_null(vector_name(256));
}
END_TEST

RUN_TESTS("arch/rules", every_rule_has_a_name_a_fault_a_statement_and_a_manual_heading,
          rule_0_and_rules_past_the_end_do_not_exist, the_first_rule_reads_as_its_row,
          a_rule_tells_its_inputs_features_printing_and_proofs, rule_names_are_unique_words,
          all_paging_rules_fit_in_a_64_bit_set, every_event_has_a_name_a_group_and_typed_words,
          trace_groups_are_the_promised_ones, names_answer_for_every_number)
