/* test_events.c - the fan-out: masks, order, numbers, changes from inside, the ring. */
#include <string.h>

#include "emu/events.h"
#include "tests/check_main.h"

struct ear {
    struct events *events;
    unsigned heard;
    struct rs_event last;
    bool stop;
    void (*then)(struct ear *ear); /* what to do inside the hook */
    unsigned id;
    struct ear *other;
};

static bool hear(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct ear *ear = ctx;

    (void)m;
    ear->heard++;
    ear->last = *e;
    if (ear->then) ear->then(ear);
    return ear->stop;
}

static unsigned stops, changes;
static void count_stop(void *owner) { (void)owner, stops++; }
static void count_change(void *owner) { (void)owner, changes++; }

static void fresh(struct events *e)
{
    stops = changes = 0;
    events_init(e, NULL, NULL, count_stop, count_change);
}

static uint64_t send(struct events *e, enum rs_event_kind kind, unsigned verdict)
{
    struct rs_event ev = {.kind = (uint16_t)kind, .verdict = (uint8_t)verdict, .w = {1, 2, 3, 4}};
    return e->wire.emit(e->wire.ctx, &ev);
}

static unsigned listen(struct events *e, struct ear *ear, uint64_t mask, bool refused_only)
{
    ear->events = e;
    ck_assert_int_eq(events_observer_add(e, mask, refused_only, hear, ear, &ear->id), RS_OK);
    return ear->id;
}

START_TEST(nobody_listening_means_an_empty_mask)
{
    struct events e;

    fresh(&e);
    ck_assert_uint_eq(e.wire.mask, 0);
    ck_assert_uint_eq(send(&e, RS_EV_CROSS, 0), 0);
    ck_assert_uint_eq(e.seq, 0);
    events_free(&e);
}
END_TEST

START_TEST(the_mask_is_the_union_and_each_hears_its_own)
{
    struct events e;
    struct ear a = {0}, b = {0};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CROSS), false);
    listen(&e, &b, RS_MASK(RS_EV_WALK) | RS_MASK(RS_EV_CROSS), false);
    ck_assert_uint_eq(e.wire.mask, RS_MASK(RS_EV_WALK) | RS_MASK(RS_EV_CROSS));
    ck_assert_uint_eq(send(&e, RS_EV_CROSS, 0), 1);
    ck_assert_uint_eq(send(&e, RS_EV_WALK, 0), 2);
    ck_assert_uint_eq(send(&e, RS_EV_IO, 0), 0);
    ck_assert_uint_eq(a.heard, 1);
    ck_assert_uint_eq(b.heard, 2);
    ck_assert_uint_eq(b.last.seq, 2);
    ck_assert_int_eq(events_observer_remove(&e, b.id), RS_OK);
    ck_assert_uint_eq(e.wire.mask, RS_MASK(RS_EV_CROSS));
    ck_assert_int_eq(events_observer_remove(&e, b.id), RS_E_ARG);
    ck_assert_uint_eq(changes, 3);
    events_free(&e);
}
END_TEST

START_TEST(passed_checks_reach_only_those_who_want_them)
{
    struct events e;
    struct ear refusals = {0}, all = {0};

    fresh(&e);
    listen(&e, &refusals, RS_MASK(RS_EV_CHECK), true);
    ck_assert_uint_eq(e.wire.mask, RS_MASK(RS_EV_CHECK));
    ck_assert(!e.checks_passed_wanted);
    ck_assert_uint_eq(send(&e, RS_EV_CHECK, 0), 0); /* takes no number */
    ck_assert_uint_eq(send(&e, RS_EV_CHECK, 1), 1);
    listen(&e, &all, RS_MASK(RS_EV_CHECK), false);
    ck_assert(e.checks_passed_wanted);
    ck_assert_uint_eq(send(&e, RS_EV_CHECK, 0), 2);
    ck_assert_uint_eq(refusals.heard, 1);
    ck_assert_uint_eq(all.heard, 1);
    events_observer_remove(&e, all.id);
    ck_assert(!e.checks_passed_wanted);
    events_free(&e);
}
END_TEST

START_TEST(refused_only_says_nothing_about_other_kinds)
{
    struct events e;
    struct ear a = {0};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_CROSS), true);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(a.heard, 1);
    events_free(&e);
}
END_TEST

START_TEST(any_observer_can_stop_and_all_still_hear)
{
    struct events e;
    struct ear a = {.stop = true}, b = {0};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CROSS), false);
    listen(&e, &b, RS_MASK(RS_EV_CROSS), false);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(stops, 1);
    ck_assert_uint_eq(b.heard, 1);
    events_free(&e);
}
END_TEST

static void remove_self(struct ear *ear) { ck_assert_int_eq(events_observer_remove(ear->events, ear->id), RS_OK); }
static void remove_other(struct ear *ear)
{
    ck_assert_int_eq(events_observer_remove(ear->events, ear->other->id), RS_OK);
    ear->then = NULL;
}
static void add_other(struct ear *ear)
{
    listen(ear->events, ear->other, RS_MASK(RS_EV_CROSS), false);
    ear->then = NULL;
}

START_TEST(an_observer_may_remove_itself_while_it_hears)
{
    struct events e;
    struct ear a = {.then = remove_self}, b = {0};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CROSS), false);
    listen(&e, &b, RS_MASK(RS_EV_CROSS), false);
    send(&e, RS_EV_CROSS, 0);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(a.heard, 1);
    ck_assert_uint_eq(b.heard, 2);
    ck_assert_uint_eq(e.count, 1);
    events_free(&e);
}
END_TEST

START_TEST(an_observer_removed_by_another_hears_nothing_more)
{
    struct events e;
    struct ear b = {0}, a = {.then = remove_other, .other = &b};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CROSS), false);
    listen(&e, &b, RS_MASK(RS_EV_CROSS), false);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(b.heard, 0);
    events_free(&e);
}
END_TEST

START_TEST(an_observer_added_inside_starts_with_the_next_event)
{
    struct events e;
    struct ear b = {0}, a = {.then = add_other, .other = &b};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CROSS), false);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(b.heard, 0);
    send(&e, RS_EV_CROSS, 0);
    ck_assert_uint_eq(b.heard, 1);
    events_free(&e);
}
END_TEST

START_TEST(there_are_sixteen_places_and_removed_ones_come_back)
{
    struct events e;
    struct ear ears[17] = {{0}};
    unsigned id;

    fresh(&e);
    for (unsigned i = 0; i < 16; i++) listen(&e, &ears[i], RS_MASK(RS_EV_IO), false);
    ck_assert_int_eq(events_observer_add(&e, 1, false, hear, &ears[16], &id), RS_E_LIMIT);
    events_observer_remove(&e, ears[3].id);
    listen(&e, &ears[16], RS_MASK(RS_EV_IO), false);
    ck_assert_uint_ne(ears[16].id, ears[3].id);
    send(&e, RS_EV_IO, 0);
    ck_assert_uint_eq(ears[16].heard, 1);
    ck_assert_uint_eq(ears[3].heard, 0);
    events_free(&e);
}
END_TEST

START_TEST(an_observer_needs_a_function_and_known_kinds)
{
    struct events e;

    fresh(&e);
    ck_assert_int_eq(events_observer_add(&e, 1, false, NULL, NULL, NULL), RS_E_ARG);
    ck_assert_int_eq(events_observer_add(&e, 0, false, hear, NULL, NULL), RS_E_ARG);
    ck_assert_int_eq(events_observer_add(&e, 1ull << 63, false, hear, NULL, NULL), RS_E_ARG);
    events_free(&e);
}
END_TEST

START_TEST(the_ring_keeps_the_last_events)
{
    struct events e;

    fresh(&e);
    ck_assert_int_eq(events_ring_enable(&e, 4, RS_MASK(RS_EV_IO), false), RS_OK);
    ck_assert_uint_eq(e.wire.mask, RS_MASK(RS_EV_IO));
    ck_assert_uint_eq(events_ring_count(&e), 0);
    ck_assert_ptr_null(events_ring_at(&e, 0));
    for (unsigned i = 0; i < 6; i++) send(&e, RS_EV_IO, 0);
    ck_assert_uint_eq(events_ring_count(&e), 4);
    ck_assert_uint_eq(events_ring_at(&e, 0)->seq, 6);
    ck_assert_uint_eq(events_ring_at(&e, 3)->seq, 3);
    ck_assert_ptr_null(events_ring_at(&e, 4));
    ck_assert_int_eq(events_ring_enable(&e, 0, 0, false), RS_OK);
    ck_assert_uint_eq(e.wire.mask, 0);
    ck_assert_uint_eq(events_ring_count(&e), 0);
    events_free(&e);
}
END_TEST

START_TEST(the_ring_takes_only_its_kinds_and_refusals)
{
    struct events e;
    struct ear a = {0};

    fresh(&e);
    listen(&e, &a, RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_IO), false);
    ck_assert_int_eq(events_ring_enable(&e, 0, RS_MASK(RS_EV_CHECK), true), RS_OK);
    ck_assert_uint_eq(e.ring_size, EVENTS_RING_DEFAULT);
    send(&e, RS_EV_IO, 0);
    send(&e, RS_EV_CHECK, 0);
    send(&e, RS_EV_CHECK, 1);
    ck_assert_uint_eq(a.heard, 3);
    ck_assert_uint_eq(events_ring_count(&e), 1);
    ck_assert_uint_eq(events_ring_at(&e, 0)->seq, 3);
    events_free(&e);
}
END_TEST

RUN_TESTS("emu/events", nobody_listening_means_an_empty_mask,
          the_mask_is_the_union_and_each_hears_its_own, passed_checks_reach_only_those_who_want_them,
          refused_only_says_nothing_about_other_kinds, any_observer_can_stop_and_all_still_hear,
          an_observer_may_remove_itself_while_it_hears,
          an_observer_removed_by_another_hears_nothing_more,
          an_observer_added_inside_starts_with_the_next_event,
          there_are_sixteen_places_and_removed_ones_come_back,
          an_observer_needs_a_function_and_known_kinds, the_ring_keeps_the_last_events,
          the_ring_takes_only_its_kinds_and_refusals)
