/*
 * test_segment.c - descriptors unpacked, and every segment judge counted through: all types, levels
 * and presence bits against lists of what the manual allows.
 */
#include "cpu/protect.h"
#include "tests/check_main.h"

/* ---- every attribute byte, selector and level ------------------------------------------------------------- */

/* An attribute word taken apart by the test itself. */
struct shape {
    unsigned type, dpl;
    bool s, p, l, d;
    uint16_t attr;
};

#define SHAPES 1024u /* type 4, S, DPL 2, P, L, D */

static struct shape shape_of(unsigned n)
{
    struct shape k = {.type = n & 15,
                      .s = n >> 4 & 1,
                      .dpl = n >> 5 & 3,
                      .p = n >> 7 & 1,
                      .l = n >> 8 & 1,
                      .d = n >> 9 & 1};

    k.attr = (uint16_t)(k.type | (unsigned)k.s << 4 | k.dpl << 5 | (unsigned)k.p << 7 |
                        (unsigned)k.l << 13 | (unsigned)k.d << 14);
    return k;
}

/* Types by what may be done with them: SDM 3A, Table "Code- and Data-Segment Types". */
static bool in(unsigned type, const char *list) { return list[type] == 'x'; }
#define WRITABLE "..xx..xx........"
#define READABLE "xxxxxxxx..xx..xx"
#define CODE "........xxxxxxxx"
#define CONFORMING "............xxxx"

static unsigned worse(unsigned a, unsigned b) { return a > b ? a : b; }

#define EACH_SHAPE_RPL_CPL(k, sel, cpl)                                                            \
    for (unsigned n_ = 0; n_ < SHAPES; n_++)                                                       \
        for (unsigned cpl = 0; cpl < 4; cpl++)                                                     \
            for (unsigned rpl_ = 0, once_ = 1; rpl_ < 4; rpl_++, once_ = 1)                        \
                for (uint16_t sel = (uint16_t)(0x28 | rpl_); once_; once_ = 0)                     \
                    for (struct shape k = shape_of(n_); once_; once_ = 0)

START_TEST(data_segments_need_readable_types_and_a_dpl_not_below_cpl_or_rpl)
{
    EACH_SHAPE_RPL_CPL(k, sel, cpl)
    {
        enum rs_rule want = RS_RULE_NONE, got = seg_data_judge(k.attr, sel, cpl);
        bool code = in(k.type, CONFORMING);

        if (!k.p) want = RS_RULE_SEG_P;
        if (!code && k.dpl < worse(cpl, sel & 3)) want = RS_RULE_SEG_DPL;
        if (!k.s || !in(k.type, READABLE)) want = RS_RULE_SEG_TYPE;
        ck_assert_msg(got == want, "attr %x sel %x cpl %u: %d, not %d", k.attr, sel, cpl, got,
                      want);
    }
}
END_TEST

START_TEST(ss_needs_rpl_and_dpl_equal_to_cpl_and_writable_data)
{
    EACH_SHAPE_RPL_CPL(k, sel, cpl)
    {
        enum rs_rule want = RS_RULE_NONE;

        if (!k.p) want = RS_RULE_SS_P;
        if (k.dpl != cpl) want = RS_RULE_SS_DPL;
        if (!k.s || !in(k.type, WRITABLE)) want = RS_RULE_SS_TYPE;
        if ((sel & 3u) != cpl) want = RS_RULE_SS_RPL_CPL;
        ck_assert_int_eq(seg_stack_judge(k.attr, sel, cpl), want);
    }
}
END_TEST

START_TEST(a_null_ss_is_for_64_bit_mode_inside_ring_3_with_rpl_equal_to_cpl)
{
    for (unsigned cpl = 0; cpl < 4; cpl++) {
        for (unsigned rpl = 0; rpl < 4; rpl++) {
            ck_assert(!seg_stack_null_judge((uint16_t)rpl, cpl, false));
            ck_assert_int_eq(seg_stack_null_judge((uint16_t)rpl, cpl, true), rpl == cpl && cpl < 3);
        }
    }
}
END_TEST

START_TEST(far_jumps_go_to_code_of_their_own_level_or_conforming_code_of_an_inner_one)
{
    for (unsigned lma = 0; lma < 2; lma++) {
        EACH_SHAPE_RPL_CPL(k, sel, cpl)
        {
            enum rs_rule want = RS_RULE_NONE;

            if (!k.p) want = RS_RULE_CS_P;
            if (in(k.type, CONFORMING) ? k.dpl > cpl : k.dpl != cpl) want = RS_RULE_CS_DPL;
            if (!in(k.type, CONFORMING) && (sel & 3u) > cpl) want = RS_RULE_CS_RPL;
            if (lma && k.l && k.d) want = RS_RULE_CS_LD;
            if (!k.s || !in(k.type, CODE)) want = RS_RULE_CS_TYPE;
            ck_assert_int_eq(seg_code_judge(k.attr, sel, cpl, lma), want);
        }
    }
}
END_TEST

START_TEST(far_returns_go_to_code_of_the_selectors_level_and_never_inward)
{
    for (unsigned lma = 0; lma < 2; lma++) {
        EACH_SHAPE_RPL_CPL(k, sel, cpl)
        {
            unsigned rpl = sel & 3;
            enum rs_rule want = RS_RULE_NONE;

            if (!k.p) want = RS_RULE_CS_P;
            if (in(k.type, CONFORMING) ? k.dpl > rpl : k.dpl != rpl) want = RS_RULE_CS_RETURN_DPL;
            if (rpl < cpl) want = RS_RULE_CS_RETURN_RPL;
            if (lma && k.l && k.d) want = RS_RULE_CS_LD;
            if (!k.s || !in(k.type, CODE)) want = RS_RULE_CS_TYPE;
            ck_assert_int_eq(seg_return_judge(k.attr, sel, cpl, lma), want);
        }
    }
}
END_TEST

START_TEST(a_tss_gives_only_a_writable_stack_of_the_inner_level)
{
    EACH_SHAPE_RPL_CPL(k, sel, cpl)
    {
        enum rs_rule want = RS_RULE_NONE;

        if (!k.p) want = RS_RULE_TSS_SS_P;
        if (!k.s || !in(k.type, WRITABLE)) want = RS_RULE_TSS_SS_TYPE;
        if (k.dpl != cpl) want = RS_RULE_TSS_SS_DPL;
        if ((sel & 3u) != cpl) want = RS_RULE_TSS_SS_RPL;
        ck_assert_int_eq(seg_tss_stack_judge(k.attr, sel, cpl), want);
    }
}
END_TEST

START_TEST(an_outer_return_keeps_what_the_outer_level_might_have_loaded)
{
    for (unsigned n = 0; n < SHAPES; n++) {
        struct shape k = shape_of(n);
        for (unsigned cpl = 0; cpl < 4; cpl++) {
            struct segment s = {.sel = 0x2b, .attr = k.attr}, null = {.sel = 3, .attr = k.attr};
            bool keep = (k.s && in(k.type, CONFORMING)) || k.dpl >= cpl;

            ck_assert_int_eq(seg_survives_judge(&s, cpl), keep);
            ck_assert(!seg_survives_judge(&null, cpl));
        }
    }
}
END_TEST

/* ---- LAR, LSL, VERR, VERW: the manual's tables of system types ------------------------------------------------- */

#define LAR_LEGACY ".xxxxx...x.xx..."
#define LAR_LONG "..x......x.xx..."
#define LSL_LEGACY ".xxx.....x.x...."
#define LSL_LONG "..x......x.x...."

START_TEST(lar_and_lsl_answer_for_the_types_of_their_tables)
{
    EACH_SHAPE_RPL_CPL(k, sel, cpl)
    {
        bool visible = (k.s && in(k.type, CONFORMING)) || worse(cpl, sel & 3) <= k.dpl;

        ck_assert_int_eq(seg_lar_judge(k.attr, sel, cpl, false),
                         visible && (k.s || in(k.type, LAR_LEGACY)));
        ck_assert_int_eq(seg_lar_judge(k.attr, sel, cpl, true),
                         visible && (k.s || in(k.type, LAR_LONG)));
        ck_assert_int_eq(seg_lsl_judge(k.attr, sel, cpl, false),
                         visible && (k.s || in(k.type, LSL_LEGACY)));
        ck_assert_int_eq(seg_lsl_judge(k.attr, sel, cpl, true),
                         visible && (k.s || in(k.type, LSL_LONG)));
    }
}
END_TEST

START_TEST(verr_wants_readable_and_verw_writable_segments_that_are_visible)
{
    EACH_SHAPE_RPL_CPL(k, sel, cpl)
    {
        bool visible = (k.s && in(k.type, CONFORMING)) || worse(cpl, sel & 3) <= k.dpl;

        ck_assert_int_eq(seg_verify_judge(k.attr, sel, cpl, false),
                         k.s && in(k.type, READABLE) && visible);
        ck_assert_int_eq(seg_verify_judge(k.attr, sel, cpl, true),
                         k.s && in(k.type, WRITABLE) && visible);
    }
}
END_TEST

/* ---- LLDT, LTR --------------------------------------------------------------------------------------------------- */

START_TEST(lldt_takes_a_present_ldt_of_the_gdt)
{
    for (unsigned n = 0; n < 2048; n++) {
        struct shape k = shape_of(n & 0xff);
        bool ti = n >> 8 & 1, lma = n >> 9 & 1, upper = n >> 10 & 1;
        for (unsigned canonical = 0; canonical < 2; canonical++) {
            struct descriptor d = {.attr = k.attr,
                                   .upper = upper,
                                   .base = canonical ? 0xffff800000000000u : 0x800000000000u};
            enum rs_rule want = RS_RULE_NONE;

            if (lma && !canonical) want = RS_RULE_SYS_BASE_CANON;
            if (!k.p) want = RS_RULE_LDT_P;
            if (k.s || k.type != 2 || (lma && !upper)) want = RS_RULE_LDT_TYPE;
            if (ti) want = RS_RULE_LDT_TI;
            ck_assert_int_eq(seg_ldt_judge(&d, ti ? 0x2c : 0x28, lma, 48), want);
        }
    }
}
END_TEST

START_TEST(ltr_takes_a_present_available_tss_of_the_gdt)
{
    for (unsigned n = 0; n < 4096; n++) {
        struct shape k = shape_of(n & 0xff);
        bool ti = n >> 8 & 1, lma = n >> 9 & 1, upper = n >> 10 & 1, null = n >> 11 & 1;
        uint16_t sel = (uint16_t)((null ? 0 : 0x28) | (ti ? 4 : 0) | 3);
        for (unsigned canonical = 0; canonical < 2; canonical++) {
            struct descriptor d = {.attr = k.attr,
                                   .upper = upper,
                                   .base = canonical ? 0x7fffffffffffu : 0xffff7fffffffffffu};
            enum rs_rule want = RS_RULE_NONE;

            if (lma && !canonical) want = RS_RULE_SYS_BASE_CANON;
            if (!k.p) want = RS_RULE_TSS_P;
            if (lma && !upper) want = RS_RULE_TSS_TYPE;
            if (k.s || !in(k.type, lma ? ".........x......" : ".x.......x......"))
                want = RS_RULE_TSS_TYPE;
            if (ti) want = RS_RULE_TSS_TI;
            if (null && !ti) want = RS_RULE_TSS_NULL;
            ck_assert_int_eq(seg_tss_judge(&d, sel, lma, 48), want);
        }
    }
}
END_TEST

/* ---- tables and bits --------------------------------------------------------------------------------------------------- */

START_TEST(a_descriptor_lies_whole_within_its_table)
{
    static const unsigned sizes[] = {8, 16};

    for (unsigned i = 0; i < 2; i++) {
        for (unsigned index = 0; index < 8; index++) {
            for (uint32_t limit = 0; limit < 96; limit++) {
                bool fits = limit + 1 >= index * 8 + sizes[i];
                for (unsigned low = 0; low < 8; low++) {
                    uint16_t sel = (uint16_t)(index * 8 + low);
                    ck_assert_int_eq(seg_table_judge(sel, limit, true, sizes[i]), fits);
                    ck_assert(!seg_table_judge(sel, limit, false, sizes[i]));
                }
            }
        }
    }
    ck_assert(seg_table_judge(0xfff8, 0xffff, true, 8));
    ck_assert(!seg_table_judge(0xfff8, 0xffff, true, 16));
}
END_TEST

START_TEST(descriptors_unpack_base_limit_and_attributes)
{
    struct descriptor d = desc_unpack(0x00af9b000000ffffull, 0);

    ck_assert_uint_eq(d.base, 0);
    ck_assert_uint_eq(d.limit, 0xffffffffu);
    ck_assert_uint_eq(d.attr, ATTR_G | ATTR_L | ATTR_P | ATTR_S | 11);

    d = desc_unpack(0x12f4fa3456789abcull & ~0x0000010000000000ull, 0);
    ck_assert_uint_eq(d.base, 0x12345678);
    ck_assert_uint_eq(d.limit, 0x49abcfffu);
    ck_assert_uint_eq(d.attr, 0xf0fa & 0xf0ff);

    d = desc_unpack(0x00408b0000000067ull, 0x00000000ffff8000ull);
    ck_assert_uint_eq(d.base, 0xffff800000000000ull);
    ck_assert_uint_eq(d.limit, 0x67);
    ck_assert_uint_eq(d.attr, ATTR_DB | ATTR_P | SYS_TSS_BUSY);
    ck_assert(d.upper);
    for (unsigned bit = 0; bit < 32; bit++) {
        bool type = bit >= 8 && bit <= 12;
        ck_assert_int_eq(desc_unpack(0, 1ull << (32 + bit)).upper, !type);
    }
}
END_TEST

START_TEST(gates_unpack_selector_offset_type_and_ist)
{
    uint64_t low = 0x8000ee0300081230ull, high = 0xffffffffull;
    struct gate g = gate_unpack(low, high, true);

    ck_assert_uint_eq(g.offset, 0xffffffff80001230ull);
    ck_assert_uint_eq(g.selector, 8);
    ck_assert_uint_eq(g.type, SYS_INT);
    ck_assert_uint_eq(g.dpl, 3);
    ck_assert_uint_eq(g.ist, 3);
    ck_assert_uint_eq(g.params, 0);
    ck_assert(g.present && g.system && g.upper);

    g = gate_unpack(0x0040ec1f00081230ull, 0, false);
    ck_assert_uint_eq(g.offset, 0x401230);
    ck_assert_uint_eq(g.type, SYS_CALL);
    ck_assert_uint_eq(g.params, 31);
    ck_assert_uint_eq(g.ist, 0);
    ck_assert(!gate_unpack(0x0000100000000000ull, 0, true).system);
    ck_assert(!gate_unpack(0x00006f0000000000ull, 0, true).present);
    ck_assert(!gate_unpack(0, 1ull << 40, true).upper);
    ck_assert(gate_unpack(0, 1ull << 40, false).upper);
}
END_TEST

RUN_TESTS("segment", data_segments_need_readable_types_and_a_dpl_not_below_cpl_or_rpl,
          ss_needs_rpl_and_dpl_equal_to_cpl_and_writable_data,
          a_null_ss_is_for_64_bit_mode_inside_ring_3_with_rpl_equal_to_cpl,
          far_jumps_go_to_code_of_their_own_level_or_conforming_code_of_an_inner_one,
          far_returns_go_to_code_of_the_selectors_level_and_never_inward,
          a_tss_gives_only_a_writable_stack_of_the_inner_level,
          an_outer_return_keeps_what_the_outer_level_might_have_loaded,
          lar_and_lsl_answer_for_the_types_of_their_tables,
          verr_wants_readable_and_verw_writable_segments_that_are_visible,
          lldt_takes_a_present_ldt_of_the_gdt, ltr_takes_a_present_available_tss_of_the_gdt,
          a_descriptor_lies_whole_within_its_table, descriptors_unpack_base_limit_and_attributes,
          gates_unpack_selector_offset_type_and_ist)
