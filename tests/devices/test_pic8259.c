/* The 8259A pair: initialisation, priorities, acknowledge, ends of interrupt, cascade. */
#include "devices/pic8259.h"
#include "tests/check_main.h"
#include "tests/devices/rig.h"

enum { M, MD, S, SD, E0, E1 }; /* registers */

static struct rig rig;
static struct pic8259 pic;

static void cold(void)
{
    memset(&pic, 0, sizeof pic);
    rig_connect(&rig, &pic8259_ops, &pic, &pic.w);
}

/* As every kernel does it: vectors 0x20 and 0x28, cascade, 8086 mode; `icw4` has more bits. */
static void program(unsigned icw4)
{
    rig_out(&rig, M, 0x11);
    rig_out(&rig, S, 0x11);
    rig_out(&rig, MD, 0x20);
    rig_out(&rig, SD, 0x28);
    rig_out(&rig, MD, 0x04);
    rig_out(&rig, SD, 0x02);
    rig_out(&rig, MD, 0x01 | icw4);
    rig_out(&rig, SD, 0x01 | icw4);
}

static void setup(void)
{
    cold();
    program(0);
}

static void edge(unsigned line)
{
    pic_set_line(&pic, line, false);
    pic_set_line(&pic, line, true);
}

START_TEST(before_initialisation_nothing_interrupts_but_the_mask_can_be_probed)
{
    cold();
    edge(0);
    ck_assert(!rig.line);
    rig_out(&rig, MD, 0xfb);
    ck_assert_uint_eq(rig_in(&rig, MD), 0xfb);
}
END_TEST

START_TEST(each_line_arrives_at_its_vector)
{
    for (unsigned line = 0; line < 16; line++) {
        if (line == 2) continue;
        setup();
        edge(line);
        ck_assert(rig.line);
        ck_assert(pic_intr(&pic));
        ck_assert_uint_eq(pic_acknowledge(&pic), 0x20 + line);
        ck_assert(!rig.line);
    }
}
END_TEST

START_TEST(an_edge_asks_once_however_long_the_line_stays_up)
{
    setup();
    edge(4);
    pic_acknowledge(&pic);
    rig_out(&rig, M, 0x20);
    ck_assert(!rig.line);
    edge(4);
    ck_assert(rig.line);
}
END_TEST

START_TEST(a_level_triggered_line_asks_again_after_its_end_of_interrupt)
{
    setup();
    rig_out(&rig, E0, 0xff);
    ck_assert_uint_eq(rig_in(&rig, E0), 0xf8); /* timer, keyboard and cascade stay edges */
    rig_out(&rig, E1, 0xff);
    ck_assert_uint_eq(rig_in(&rig, E1), 0xde);
    pic_set_line(&pic, 5, true);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x25);
    ck_assert(!rig.line);
    rig_out(&rig, M, 0x20);
    ck_assert(rig.line);
    pic_set_line(&pic, 5, false);
    ck_assert(!rig.line);
}
END_TEST

START_TEST(initialisation_forgets_edges_masks_and_service)
{
    setup();
    edge(3);
    pic_acknowledge(&pic);
    edge(4);
    rig_out(&rig, MD, 0xff);
    program(0);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, MD), 0);
    edge(7);
    ck_assert(rig.line);
}
END_TEST

START_TEST(a_masked_line_waits_and_is_seen_in_irr)
{
    setup();
    rig_out(&rig, MD, 0x10);
    edge(4);
    ck_assert(!rig.line);
    ck_assert_uint_eq(rig_in(&rig, M), 0x10);
    rig_out(&rig, MD, 0);
    ck_assert(rig.line);
}
END_TEST

START_TEST(a_request_withdrawn_before_acknowledge_gives_the_spurious_vector)
{
    setup();
    edge(4);
    pic_set_line(&pic, 4, false);
    ck_assert(!rig.line);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x27);
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0); /* nothing is in service */
}
END_TEST

START_TEST(a_request_withdrawn_at_the_slave_gives_vector_15_with_the_cascade_in_service)
{
    setup();
    edge(10);
    /* the slave's INT and the master's acknowledge race: the line drops in between */
    pic.s.chip[1].lines = 0;
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x2f);
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0x04);
    rig_out(&rig, S, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, S), 0);
}
END_TEST

START_TEST(higher_priorities_nest_and_lower_ones_wait)
{
    setup();
    edge(4);
    pic_acknowledge(&pic);
    edge(6);
    ck_assert(!rig.line);
    edge(1);
    ck_assert(rig.line);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x21);
    rig_out(&rig, M, 0x20);
    ck_assert(!rig.line);
    rig_out(&rig, M, 0x20);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x26);
}
END_TEST

START_TEST(simultaneous_requests_are_served_lowest_line_first_slave_lines_in_place_of_2)
{
    static const uint8_t order[] = {0, 1, 8, 9, 10, 11, 12, 13, 14, 15, 3, 4, 5, 6, 7};

    setup();
    for (unsigned line = 0; line < 16; line++) edge(line);
    for (unsigned i = 0; i < sizeof order; i++) {
        ck_assert(rig.line);
        ck_assert_uint_eq(pic_acknowledge(&pic), 0x20u + order[i]);
        if (order[i] >= 8) rig_out(&rig, S, 0x20);
        rig_out(&rig, M, 0x20);
    }
    ck_assert(!rig.line);
}
END_TEST

START_TEST(a_slave_in_service_bars_the_slave_unless_fully_nested_specially)
{
    setup();
    edge(12);
    pic_acknowledge(&pic);
    edge(9);
    ck_assert(!rig.line);

    cold();
    program(0x10);
    edge(12);
    pic_acknowledge(&pic);
    edge(9);
    ck_assert(rig.line);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x29);
    edge(3);
    ck_assert(!rig.line);
}
END_TEST

START_TEST(automatic_end_of_interrupt_leaves_nothing_in_service_and_loses_no_slave_request)
{
    cold();
    program(0x02);
    edge(8);
    edge(9);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x28);
    ck_assert(rig.line);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x29);
    ck_assert(!rig.line);
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0);
}
END_TEST

START_TEST(a_specific_end_of_interrupt_ends_that_one)
{
    setup();
    edge(4);
    pic_acknowledge(&pic);
    edge(1);
    pic_acknowledge(&pic);
    rig_out(&rig, M, 0x60 | 4);
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0x02);
}
END_TEST

START_TEST(rotation_makes_the_one_just_served_the_lowest)
{
    setup();
    edge(3);
    pic_acknowledge(&pic);
    rig_out(&rig, M, 0xa0); /* rotate on non-specific EOI */
    edge(3);
    edge(0);
    edge(4);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x24);
    rig_out(&rig, M, 0x20);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x20);
    rig_out(&rig, M, 0x20);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x23);
    rig_out(&rig, M, 0xe0 | 3); /* rotate on specific EOI */
    rig_out(&rig, M, 0xc0 | 7); /* set priority: the usual order */
    edge(0);
    edge(4);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x20);
}
END_TEST

START_TEST(rotation_can_ride_on_the_automatic_end_of_interrupt)
{
    cold();
    program(0x02);
    rig_out(&rig, M, 0x80);
    edge(0);
    pic_acknowledge(&pic);
    edge(0);
    edge(1);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x21);
}
END_TEST

START_TEST(special_mask_mode_lets_lower_ones_pass_a_masked_one_in_service)
{
    setup();
    edge(4);
    pic_acknowledge(&pic);
    edge(6);
    rig_out(&rig, MD, 0x10);
    ck_assert(!rig.line);
    rig_out(&rig, M, 0x68);
    ck_assert(rig.line);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x26);
    rig_out(&rig, M, 0x20); /* passes over the masked 4 */
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0x10);
    rig_out(&rig, M, 0x48);
    edge(7);
    ck_assert(!rig.line);
}
END_TEST

START_TEST(a_poll_tells_and_serves_the_highest_request)
{
    setup();
    rig_out(&rig, M, 0x0c);
    ck_assert_uint_eq(rig_in(&rig, M), 0);
    edge(5);
    rig_out(&rig, M, 0x0c);
    ck_assert_uint_eq(rig_in(&rig, M), 0x85);
    ck_assert(!rig.line);
    rig_out(&rig, M, 0x0b);
    ck_assert_uint_eq(rig_in(&rig, M), 0x20);
}
END_TEST

START_TEST(without_cascade_line_2_does_not_exist_and_icw3_is_not_expected)
{
    cold();
    rig_out(&rig, M, 0x13); /* single, ICW4 follows */
    rig_out(&rig, MD, 0x40);
    rig_out(&rig, MD, 0x01);
    rig_out(&rig, MD, 0x00);
    ck_assert_uint_eq(rig_in(&rig, MD), 0);
    edge(6);
    ck_assert_uint_eq(pic_acknowledge(&pic), 0x46);
}
END_TEST

START_TEST(would_interrupt_foretells_the_line_and_changes_nothing)
{
    for (unsigned mask = 0; mask < 256; mask++) {
        for (unsigned line = 0; line < 16; line++) {
            setup();
            edge(3);
            pic_acknowledge(&pic);
            rig_out(&rig, MD, mask);
            rig_out(&rig, SD, mask * 5 & 0xff);
            uint64_t before = rig_digest(&rig);
            bool told = pic_would_interrupt(&pic, line);

            ck_assert(rig_digest(&rig) == before);
            edge(line);
            ck_assert_msg(told == rig.line, "mask %x line %u", mask, line);
        }
    }
}
END_TEST

START_TEST(reset_puts_intr_down)
{
    setup();
    edge(4);
    ck_assert(rig.line);
    pic8259_ops.reset(&pic);
    ck_assert(!rig.line);
}
END_TEST

RUN_TESTS("pic8259", before_initialisation_nothing_interrupts_but_the_mask_can_be_probed,
          each_line_arrives_at_its_vector, an_edge_asks_once_however_long_the_line_stays_up,
          a_level_triggered_line_asks_again_after_its_end_of_interrupt,
          initialisation_forgets_edges_masks_and_service, a_masked_line_waits_and_is_seen_in_irr,
          a_request_withdrawn_before_acknowledge_gives_the_spurious_vector,
          a_request_withdrawn_at_the_slave_gives_vector_15_with_the_cascade_in_service,
          higher_priorities_nest_and_lower_ones_wait,
          simultaneous_requests_are_served_lowest_line_first_slave_lines_in_place_of_2,
          a_slave_in_service_bars_the_slave_unless_fully_nested_specially,
          automatic_end_of_interrupt_leaves_nothing_in_service_and_loses_no_slave_request,
          a_specific_end_of_interrupt_ends_that_one, rotation_makes_the_one_just_served_the_lowest,
          rotation_can_ride_on_the_automatic_end_of_interrupt,
          special_mask_mode_lets_lower_ones_pass_a_masked_one_in_service,
          a_poll_tells_and_serves_the_highest_request,
          without_cascade_line_2_does_not_exist_and_icw3_is_not_expected,
          would_interrupt_foretells_the_line_and_changes_nothing, reset_puts_intr_down)
