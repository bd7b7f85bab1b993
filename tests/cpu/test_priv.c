/*
 * test_priv.c - gates, privileged instructions, ports, control registers and double faults: the pure
 * judges counted through against lists of what the manual allows.
 */
#include "cpu/features.h"
#include "cpu/protect.h"
#include "tests/check_main.h"

static bool in(unsigned i, const char *list) { return list[i] == 'x'; }

/* ---- gates ------------------------------------------------------------------------------------------------ */

START_TEST(long_mode_takes_64_bit_interrupt_and_trap_gates_alone)
{
    for (unsigned n = 0; n < 16 * 2 * 4 * 2 * 4 * 2 * 2; n++) {
        struct gate g = {
            .type = n & 15, .system = n >> 4 & 1, .dpl = n >> 5 & 3, .present = n >> 7 & 1};
        unsigned cpl = n >> 8 & 3;
        bool soft = n >> 10 & 1, lma = n >> 11 & 1;
        enum rs_rule want = RS_RULE_NONE;

        if (!g.present) want = RS_RULE_GATE_P;
        if (soft && cpl > g.dpl) want = RS_RULE_GATE_DPL;
        if (!g.system || !in(g.type, lma ? "..............xx" : ".....xxx......xx"))
            want = RS_RULE_IDT_TYPE;
        ck_assert_int_eq(gate_idt_judge(&g, lma, soft, cpl), want);
    }
}
END_TEST

START_TEST(a_gate_leads_to_present_code_of_the_same_or_an_inner_level_64_bit_in_long_mode)
{
    for (unsigned n = 0; n < 1024 * 8; n++) {
        unsigned type = n & 15, dpl = n >> 5 & 3, cpl = n >> 10 & 3;
        bool s = n >> 4 & 1, p = n >> 7 & 1, l = n >> 8 & 1, d = n >> 9 & 1, lma = n >> 12 & 1;
        uint16_t attr = (uint16_t)((n & 0xff) | (unsigned)l << 13 | (unsigned)d << 14);
        enum rs_rule want = RS_RULE_NONE;

        if (!p) want = RS_RULE_GATE_CS_P;
        if (lma && !(l && !d)) want = RS_RULE_GATE_CS_L;
        if (dpl > cpl) want = RS_RULE_GATE_CS_DPL;
        if (!s || type < 8) want = RS_RULE_GATE_CS_TYPE;
        ck_assert_int_eq(gate_code_judge(attr, cpl, lma), want);
    }
}
END_TEST

START_TEST(call_gates_are_open_to_levels_up_to_their_dpl)
{
    for (unsigned n = 0; n < 2 * 2 * 4 * 4 * 4; n++) {
        struct gate g = {.upper = n & 1, .present = n >> 1 & 1, .dpl = n >> 2 & 3};
        unsigned cpl = n >> 4 & 3, rpl = n >> 6 & 3;
        enum rs_rule want = RS_RULE_NONE;

        if (!g.present) want = RS_RULE_CALL_GATE_P;
        if (cpl > g.dpl || rpl > g.dpl) want = RS_RULE_CALL_GATE_DPL;
        if (!g.upper) want = RS_RULE_CALL_GATE_UPPER;
        ck_assert_int_eq(gate_call_judge(&g, (uint16_t)(0x40 | rpl), cpl), want);
    }
}
END_TEST

START_TEST(a_vectors_gate_lies_whole_within_the_idt)
{
    for (unsigned vector = 0; vector < 256; vector++) {
        ck_assert(gate_idt_limit_judge(vector, vector * 16 + 15, true));
        ck_assert(!gate_idt_limit_judge(vector, vector * 16 + 14, true));
        ck_assert(gate_idt_limit_judge(vector, vector * 8 + 7, false));
        ck_assert(!gate_idt_limit_judge(vector, vector * 8 + 6, false));
    }
}
END_TEST

/* ---- instructions ----------------------------------------------------------------------------------------------- */

START_TEST(privileged_instructions_are_for_level_0)
{
    for (unsigned cpl = 0; cpl < 4; cpl++) ck_assert_int_eq(priv_cpl0_judge(cpl), in(cpl, "x..."));
}
END_TEST

START_TEST(cli_and_ports_are_for_levels_up_to_iopl)
{
    static const char *const allowed[4] = {"x...", "xx..", "xxx.", "xxxx"}; /* by IOPL, then CPL */

    for (unsigned iopl = 0; iopl < 4; iopl++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            ck_assert_int_eq(priv_cli_judge(cpl, iopl), in(cpl, allowed[iopl]));
            ck_assert_int_eq(priv_iopl_judge(cpl, iopl), in(cpl, allowed[iopl]));
        }
    }
}
END_TEST

START_TEST(one_cr4_bit_each_decides_umip_tsd_pce_and_fsgsbase)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            uint64_t cr4 = 1ull << bit;
            ck_assert_int_eq(priv_umip_judge(cpl, cr4), !(bit == 11 && cpl > 0));
            ck_assert_int_eq(priv_tsd_judge(cpl, cr4), !(bit == 2 && cpl > 0));
            ck_assert_int_eq(priv_pce_judge(cpl, cr4), bit == 8 || cpl == 0);
            ck_assert_int_eq(priv_fsgsbase_judge(true, cr4), bit == 16);
            ck_assert(!priv_fsgsbase_judge(false, cr4));
        }
    }
}
END_TEST

/* ---- ports -------------------------------------------------------------------------------------------------------- */

/* Counted without an assertion each: there are millions. */
START_TEST(the_io_map_covers_a_port_if_the_byte_after_it_is_within_the_limit)
{
    unsigned wrong = 0;
    uint32_t offset;

    for (unsigned type = 0; type < 16; type++) {
        for (unsigned port = 0; port < 0x10000; port += 7) {
            for (unsigned more = 0; more < 3; more++) {
                struct segment tss = {.attr = (uint16_t)(ATTR_P | type),
                                      .limit = 0x68 + port / 8 + more};
                bool want = in(type, ".........x.x....") && more >= 1;

                wrong += priv_io_map_judge(&tss, 0x68, (uint16_t)port, &offset) != want;
                wrong += offset != 0x68 + port / 8;
                tss.attr |= ATTR_UNUSABLE;
                wrong += priv_io_map_judge(&tss, 0x68, (uint16_t)port, &offset);
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
    struct segment small = {.attr = ATTR_P | SYS_TSS_BUSY, .limit = 0x67};
    ck_assert(!priv_io_map_judge(&small, 0x68, 0, &offset));
    ck_assert(!priv_io_map_judge(&small, 0xffff, 0xffff, &offset));
}
END_TEST

START_TEST(every_bit_of_a_port_access_must_be_0_in_the_map)
{
    unsigned wrong = 0;

    for (unsigned map = 0; map < 0x10000; map++) {
        for (unsigned low = 0; low < 8; low++) {
            for (unsigned n = 1; n <= 4; n *= 2) {
                bool free = true;
                for (unsigned bit = low; bit < low + n; bit++) free = free && !(map >> bit & 1);
                wrong += priv_io_bits_judge((uint16_t)map, (uint16_t)(0x3f8 + low), n) != free;
            }
        }
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* ---- control registers -------------------------------------------------------------------------------------------------- */

/* The bits that matter to CR0, old and new, EFER, CR4, CS, TR: all combinations. */
START_TEST(cr0_goes_where_paging_and_long_mode_allow)
{
    for (unsigned n = 0; n < 1u << 13; n++) {
        bool pe = n & 1, nw = n >> 1 & 1, cd = n >> 2 & 1, pg = n >> 3 & 1, was = n >> 4 & 1,
             lme = n >> 5 & 1;
        bool pae = n >> 6 & 1, pcide = n >> 7 & 1, l = n >> 8 & 1, high = n >> 9 & 1;
        unsigned tr = n >> 10 & 7; /* types 1, 3, 9, 11 and others */
        static const uint8_t types[8] = {1, 3, 9, 11, 0, 2, 5, 13};
        bool lma = lme && was;
        uint64_t value = (pe ? CR0_PE : 0) | (nw ? CR0_NW : 0) | (cd ? CR0_CD : 0) |
                         (pg ? CR0_PG : 0) | (high ? 1ull << 40 : 0) | CR0_NE;
        struct cr0_inputs in = {.old = was ? CR0_PG | CR0_PE : CR0_PE,
                                .cr4 = (pae ? CR4_PAE : 0) | (pcide ? CR4_PCIDE : 0),
                                .efer = (lme ? EFER_LME : 0) | (lma ? EFER_LMA : 0),
                                .cs_attr = l ? ATTR_L : ATTR_DB,
                                .tr_attr = types[tr]};
        enum rs_rule want = RS_RULE_NONE;

        if (pg && !was && lme) {
            if (tr < 2) want = RS_RULE_CR0_LME_TSS;
            if (l) want = RS_RULE_CR0_LME_CS_L;
            if (!pae) want = RS_RULE_CR0_LME_PAE;
        }
        if (!pg && was) {
            if (pcide) want = RS_RULE_CR0_PG_PCIDE;
            if (lma && l) want = RS_RULE_CR0_PG_64;
        }
        if (nw && !cd) want = RS_RULE_CR0_NW_CD;
        if (pg && !pe) want = RS_RULE_CR0_PG_PE;
        if (high) want = RS_RULE_CR0_RSVD;
        ck_assert_msg(cr0_judge(value, &in) == want, "combination %x", n);
    }
}
END_TEST

START_TEST(cr3_has_no_bits_above_maxphyaddr_but_the_command_bit_of_pcide)
{
    for (unsigned width = 36; width <= 52; width++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            ck_assert_int_eq(cr3_judge(1ull << bit, width, false), bit < width);
            ck_assert_int_eq(cr3_judge(1ull << bit, width, true), bit < width || bit == 63);
        }
    }
}
END_TEST

START_TEST(cr4_takes_known_bits_keeps_pae_and_sets_pcide_in_long_mode_with_pcid_0)
{
    uint64_t known = CR4_PAE | CR4_PCIDE | CR4_PGE;

    for (unsigned bit = 0; bit < 64; bit++) {
        enum rs_rule want = known >> bit & 1 ? RS_RULE_NONE : RS_RULE_CR4_RSVD;
        ck_assert_int_eq(cr4_judge(1ull << bit | CR4_PAE, CR4_PCIDE, known, EFER_LMA, 0), want);
    }
    for (unsigned n = 0; n < 32; n++) {
        bool pae = n & 1, pcide = n >> 1 & 1, was = n >> 2 & 1, lma = n >> 3 & 1, pcid = n >> 4 & 1;
        uint64_t value = (pae ? CR4_PAE : 0) | (pcide ? CR4_PCIDE : 0);
        enum rs_rule want = RS_RULE_NONE;

        if (pcide && !was && pcid) want = RS_RULE_CR4_PCIDE_CR3;
        if (pcide && !was && !lma) want = RS_RULE_CR4_PCIDE_LONG;
        if (lma && !pae) want = RS_RULE_CR4_PAE_LONG;
        ck_assert_int_eq(cr4_judge(value, was ? CR4_PCIDE : 0, known,
                                   lma ? EFER_LMA | EFER_LME : EFER_LME, pcid ? 0x800 : 0x1000),
                         want);
    }
}
END_TEST

START_TEST(efer_keeps_lme_while_paging_and_ignores_lma)
{
    uint64_t known = EFER_SCE | EFER_LME | EFER_NXE;

    for (unsigned bit = 0; bit < 64; bit++) {
        enum rs_rule want = (known | EFER_LMA) >> bit & 1 ? RS_RULE_NONE : RS_RULE_EFER_RSVD;
        ck_assert_int_eq(efer_judge(1ull << bit, 0, known, 0), want);
        if (bit == 8) want = RS_RULE_EFER_LME_PG;
        ck_assert_int_eq(efer_judge(1ull << bit, 0, known, CR0_PG), want);
    }
    ck_assert_int_eq(efer_judge(0, EFER_LME, known, CR0_PG), RS_RULE_EFER_LME_PG);
    ck_assert_int_eq(efer_judge(EFER_LME, EFER_LME, known, CR0_PG), RS_RULE_NONE);
    ck_assert_int_eq(efer_judge(EFER_NXE, 0, 0, 0), RS_RULE_EFER_RSVD);
}
END_TEST

START_TEST(the_pat_holds_six_memory_types)
{
    for (unsigned type = 0; type < 256; type++) {
        for (unsigned i = 0; i < 64; i += 8) {
            bool want = type < 8 && in(type, "xx..xxxx");
            ck_assert_int_eq(pat_judge((uint64_t)type << i), want);
        }
    }
}
END_TEST

/* ---- double faults ---------------------------------------------------------------------------------------------------------- */

/* SDM 3A Table "Conditions for Generating a Double Fault": b benign, c contributory, p page fault. */
static char class_of(unsigned vector)
{
    return vector < 32 ? "cbbbbbbbbbccccpbbbbbbcbbbbbbbbbb"[vector] : 'b';
}

START_TEST(checks_53_two_exceptions_make_a_double_fault_as_the_manuals_table_says)
{
    for (unsigned a = 0; a < 256; a++) {
        for (unsigned b = 0; b < 256; b++) {
            struct fault first = {.vector = (uint8_t)a}, second = {.vector = (uint8_t)b};
            char x = class_of(a), y = class_of(b);
            bool want = (x == 'c' && y == 'c') || (x == 'p' && y != 'b');

            ck_assert_msg(double_fault_judge(&first, &second) == want, "%u then %u", a, b);
        }
    }
}
END_TEST

START_TEST(checks_54_interrupts_and_int_n_are_benign_whatever_their_vector)
{
    static const uint8_t klasses[] = {FC_SOFT, FC_ICEBP, FC_EXTERNAL, FC_NMI, FC_TRAP};

    for (unsigned i = 0; i < sizeof klasses; i++) {
        for (unsigned v = 0; v < 32; v++) {
            struct fault first = {.vector = (uint8_t)v, .klass = klasses[i]},
                         gp = {.vector = VEC_GP};
            ck_assert(!double_fault_judge(&first, &gp));
        }
    }
}
END_TEST

/* ---- features ------------------------------------------------------------------------------------------------------------------ */

START_TEST(no_model_reports_what_is_not_implemented)
{
    struct features f;
    char error[120];
    const char *name;

    for (unsigned m = 0; (name = features_model(m, NULL)) != NULL; m++) {
        ck_assert(features_parse(&f, name, error, sizeof error));
        for (unsigned i = 0; i < FEAT_COUNT; i++)
            ck_assert_msg(!f.on[i] || feature_row((enum feature)i)->have, "%s in %s",
                          feature_row((enum feature)i)->name, name);
        ck_assert_uint_eq(features_cr4_gaps(&f), 0);
    }
    ck_assert_uint_ge(f.maxphyaddr, 36);
}
END_TEST

START_TEST(features_switch_on_and_off_by_name)
{
    struct features f;
    char error[120] = "";

    ck_assert(features_parse(&f, "x86-64-v3,-smap,+avx2,-pcid", error, sizeof error));
    ck_assert(!f.on[FEAT_SMAP] && f.on[FEAT_AVX2] && !f.on[FEAT_PCID] && f.on[FEAT_SMEP]);
    ck_assert(!(features_cr4(&f) & (CR4_SMAP | CR4_PCIDE)));
    ck_assert(features_cr4(&f) & CR4_SMEP);
    ck_assert(features_parse(&f, "max,+lzcnt,+pku", error, sizeof error));
    ck_assert_uint_eq(features_cr4_gaps(&f), CR4_PKE);
    ck_assert(!features_parse(&f, "i8086", error, sizeof error));
    ck_assert_str_eq(error, "unknown CPU model \"i8086\" (`ringside cpus` lists them)");
    ck_assert(!features_parse(&f, "Haswall,+nx", error, sizeof error));
    ck_assert_str_eq(error, "unknown CPU model \"Haswall\": did you mean haswell? (`ringside cpus` lists them)");
    ck_assert(!features_parse(&f, "max,+warp", error, sizeof error));
    ck_assert_str_eq(error, "unknown CPU feature \"warp\"");
    ck_assert(!features_parse(&f, "max,smap", error, sizeof error));
    ck_assert(!features_parse(&f, "max,", error, sizeof error));
}
END_TEST

START_TEST(no_two_features_share_a_cpuid_bit_or_a_name)
{
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        for (unsigned j = 0; j < i; j++) {
            const struct feature_row *a = feature_row((enum feature)i),
                                     *b = feature_row((enum feature)j);
            ck_assert_str_ne(a->name, b->name);
            ck_assert(a->leaf != b->leaf || a->sub != b->sub || a->reg != b->reg ||
                      a->bit != b->bit);
        }
    }
}
END_TEST

RUN_TESTS("priv", long_mode_takes_64_bit_interrupt_and_trap_gates_alone,
          a_gate_leads_to_present_code_of_the_same_or_an_inner_level_64_bit_in_long_mode,
          call_gates_are_open_to_levels_up_to_their_dpl, a_vectors_gate_lies_whole_within_the_idt,
          privileged_instructions_are_for_level_0, cli_and_ports_are_for_levels_up_to_iopl,
          one_cr4_bit_each_decides_umip_tsd_pce_and_fsgsbase,
          the_io_map_covers_a_port_if_the_byte_after_it_is_within_the_limit,
          every_bit_of_a_port_access_must_be_0_in_the_map,
          cr0_goes_where_paging_and_long_mode_allow,
          cr3_has_no_bits_above_maxphyaddr_but_the_command_bit_of_pcide,
          cr4_takes_known_bits_keeps_pae_and_sets_pcide_in_long_mode_with_pcid_0,
          efer_keeps_lme_while_paging_and_ignores_lma, the_pat_holds_six_memory_types,
          checks_53_two_exceptions_make_a_double_fault_as_the_manuals_table_says,
          checks_54_interrupts_and_int_n_are_benign_whatever_their_vector,
          no_model_reports_what_is_not_implemented, features_switch_on_and_off_by_name,
          no_two_features_share_a_cpuid_bit_or_a_name)
