/* The local APIC: acceptance and priority, pins, timer, commands, errors, switching it off. */
#include "cpu/lapic.h"
#include "tests/check_main.h"

#include <string.h>

enum {
    ID = 0x20,
    VERSION = 0x30,
    TPR = 0x80,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    TMR = 0x180,
    IRR = 0x200,
    ESR = 0x280,
    ICR = 0x300,
    ICR_HIGH = 0x310,
    TIMER = 0x320,
    LINT0 = 0x350,
    LINT1 = 0x360,
    ERROR = 0x370,
    INITIAL = 0x380,
    CURRENT = 0x390,
    DIVIDE = 0x3e0
};

struct bench {
    struct lapic apic;
    uint64_t now, alarm;
    bool intr;
    unsigned nmis, inits, sent, eois;
    struct lapic_ipi ipi;
    uint8_t eoi;
};

static uint64_t now(void *ctx) { return ((struct bench *)ctx)->now; }

static void arm(void *ctx, unsigned source, uint64_t when)
{
    (void)source;
    ((struct bench *)ctx)->alarm = when;
}

static void signal_core(void *ctx, enum lapic_signal what, unsigned value)
{
    struct bench *t = ctx;

    if (what == LAPIC_INTR) t->intr = value != 0;
    if (what == LAPIC_NMI) t->nmis++;
    if (what == LAPIC_INIT) t->inits++;
}

static void send(void *ctx, unsigned from, const struct lapic_ipi *ipi)
{
    struct bench *t = ctx;

    (void)from;
    t->sent++;
    t->ipi = *ipi;
}

static void eoi(void *ctx, uint8_t vector)
{
    struct bench *t = ctx;

    t->eois++;
    t->eoi = vector;
}

static void out(struct bench *t, unsigned offset, uint32_t value)
{
    lapic_write(&t->apic, offset, 4, value);
}
static uint32_t in(struct bench *t, unsigned offset)
{
    return (uint32_t)lapic_read(&t->apic, offset, 4);
}

static void connect(struct bench *t, unsigned id)
{
    memset(t, 0, sizeof *t);
    t->alarm = UINT64_MAX;
    lapic_init(&t->apic, id,
               &(struct lapic_wires){.core = t,
                                     .signal = signal_core,
                                     .clock = {.ctx = t, .now = now, .arm = arm, .hz = 1000000000},
                                     .timer_ticks = 64,
                                     .bus = t,
                                     .send = send,
                                     .eoi = eoi});
}

/* Software-enabled, spurious vector 0xff. */
static void setup(struct bench *t)
{
    connect(t, 0);
    out(t, SVR, 0x1ff);
}

static void run_to(struct bench *t, uint64_t tick)
{
    while (t->alarm <= tick) {
        t->now = t->alarm;
        t->alarm = UINT64_MAX;
        lapic_timer_alarm(&t->apic);
    }
    t->now = tick;
}

static void self(struct bench *t, unsigned vector) { out(t, ICR, 0x44000 | vector); }

static int take(struct bench *t)
{
    int v = lapic_pending_vector(&t->apic);

    return v < 0 ? v : lapic_accept(&t->apic, (uint8_t)v);
}

START_TEST(after_reset_it_is_enabled_at_its_page_and_passes_the_8259)
{
    struct bench t;

    connect(&t, 0);
    ck_assert(lapic_base_read(&t.apic) == 0xfee00900);
    ck_assert(lapic_at(&t.apic, 0xfee00000) && lapic_at(&t.apic, 0xfee00fff));
    ck_assert(!lapic_at(&t.apic, 0xfee01000) && !lapic_at(&t.apic, 0xfedfffff));
    ck_assert_uint_eq(in(&t, VERSION), 0x50014);
    ck_assert_uint_eq(in(&t, SVR), 0xff);
    ck_assert_uint_eq(in(&t, DFR), 0xffffffff);
    lapic_lint(&t.apic, 0, true);
    ck_assert(t.intr && lapic_intr(&t.apic) && lapic_extint(&t.apic));
    ck_assert_int_eq(lapic_pending_vector(&t.apic), -1);
    lapic_lint(&t.apic, 0, false);
    ck_assert(!t.intr);
}
END_TEST

START_TEST(another_processors_apic_starts_with_its_pins_masked)
{
    struct bench t;

    connect(&t, 5);
    ck_assert_uint_eq(in(&t, ID), 5u << 24);
    ck_assert(lapic_base_read(&t.apic) == 0xfee00800);
    lapic_lint(&t.apic, 0, true);
    ck_assert(!t.intr);
}
END_TEST

START_TEST(a_self_interrupt_goes_from_irr_to_isr_and_out_with_eoi)
{
    struct bench t;

    setup(&t);
    self(&t, 0x41);
    ck_assert(t.intr);
    ck_assert_uint_eq(in(&t, IRR + 0x20), 2);
    ck_assert_int_eq(take(&t), 0x41);
    ck_assert(!t.intr);
    ck_assert_uint_eq(in(&t, IRR + 0x20), 0);
    ck_assert_uint_eq(in(&t, ISR + 0x20), 2);
    ck_assert_uint_eq(in(&t, PPR), 0x40);
    out(&t, EOI, 0);
    ck_assert_uint_eq(in(&t, ISR + 0x20), 0);
    ck_assert_uint_eq(in(&t, PPR), 0);
    out(&t, EOI, 0); /* nothing in service: nothing happens */
}
END_TEST

/* What the manual's rules say, written as sets and a sort. */
START_TEST(delivery_follows_class_priority_for_every_pair_of_vectors)
{
    for (unsigned serving = 16; serving < 256; serving += 5) {
        for (unsigned vector = 16; vector < 256; vector++) {
            struct bench t;

            setup(&t);
            self(&t, serving);
            ck_assert_int_eq(take(&t), (int)serving);
            self(&t, vector);
            ck_assert(t.intr == (vector / 16 > serving / 16));
            out(&t, EOI, 0);
            ck_assert_int_eq(take(&t), (int)vector);
        }
    }
}
END_TEST

START_TEST(the_task_priority_holds_off_its_class_and_those_below)
{
    for (unsigned tpr = 0; tpr < 256; tpr += 3) {
        struct bench t;

        setup(&t);
        out(&t, TPR, tpr);
        ck_assert_uint_eq(lapic_cr8(&t.apic), tpr >> 4);
        self(&t, 0x65);
        ck_assert(t.intr == (tpr >> 4 < 6));
        lapic_set_cr8(&t.apic, 6);
        ck_assert(!t.intr);
        ck_assert_uint_eq(in(&t, TPR), 0x60);
        lapic_set_cr8(&t.apic, 5);
        ck_assert(t.intr);
    }
}
END_TEST

START_TEST(a_vector_no_longer_deliverable_gives_the_spurious_one_and_no_service)
{
    struct bench t;

    setup(&t);
    self(&t, 0x31);
    out(&t, TPR, 0x30);
    ck_assert_uint_eq(lapic_accept(&t.apic, 0x31), 0xff);
    ck_assert_uint_eq(in(&t, ISR + 0x10), 0);
    ck_assert_uint_eq(in(&t, IRR + 0x10), 0x20000);
}
END_TEST

START_TEST(the_one_shot_timer_expires_once_at_its_exact_tick)
{
    struct bench t;

    setup(&t);
    t.now = 1000;
    out(&t, TIMER, 0x40);
    out(&t, DIVIDE, 0x3); /* by 16 */
    out(&t, INITIAL, 100);
    ck_assert_uint_eq(in(&t, CURRENT), 100);
    uint64_t end = (1000 / 64 + 100 * 16) * 64;

    run_to(&t, end - 1);
    ck_assert(!t.intr);
    ck_assert_uint_eq(in(&t, CURRENT), 1);
    run_to(&t, end);
    ck_assert_int_eq(take(&t), 0x40);
    ck_assert_uint_eq(in(&t, CURRENT), 0);
    ck_assert(t.alarm == UINT64_MAX);
}
END_TEST

START_TEST(every_divider_divides_as_its_code_says)
{
    static const unsigned code[8] = {0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa};

    for (unsigned i = 0; i < 8; i++) {
        struct bench t;

        setup(&t);
        out(&t, DIVIDE, code[i]);
        ck_assert_uint_eq(in(&t, DIVIDE), code[i]);
        out(&t, TIMER, 0x40);
        out(&t, INITIAL, 1000);
        run_to(&t, 64ull * 500 << i);
        ck_assert_uint_eq(in(&t, CURRENT), 500);
    }
}
END_TEST

START_TEST(the_periodic_timer_goes_on_and_late_service_merges_expiries)
{
    struct bench t;
    unsigned count = 0;

    setup(&t);
    out(&t, DIVIDE, 0xb);
    out(&t, TIMER, 0x20050);
    out(&t, INITIAL, 1000);
    for (unsigned i = 1; i <= 50; i++) {
        run_to(&t, i * 64000ull - 1);
        ck_assert(!t.intr);
        ck_assert_uint_eq(in(&t, CURRENT), 1);
        run_to(&t, i * 64000ull);
        ck_assert_uint_eq(in(&t, CURRENT), 1000);
        ck_assert_int_eq(take(&t), 0x50);
        out(&t, EOI, 0);
        count++;
    }
    t.now = 60 * 64000ull + 64;
    lapic_timer_alarm(&t.apic);
    ck_assert_int_eq(take(&t), 0x50);
    out(&t, EOI, 0);
    ck_assert(!t.intr);
    ck_assert_uint_eq(in(&t, CURRENT), 999);
    ck_assert(t.alarm == 61 * 64000ull);
    ck_assert_uint_eq(count, 50);
}
END_TEST

START_TEST(a_masked_timer_counts_without_an_alarm_and_its_past_expiries_stay_past)
{
    struct bench t;

    setup(&t);
    out(&t, DIVIDE, 0xb);
    out(&t, TIMER, 0x30050);
    out(&t, INITIAL, 1000);
    ck_assert(t.alarm == UINT64_MAX);
    ck_assert(!lapic_may_wake(&t.apic));
    run_to(&t, 64 * 2500);
    ck_assert_uint_eq(in(&t, CURRENT), 500);
    out(&t, TIMER, 0x20050);
    ck_assert(!t.intr);
    ck_assert(t.alarm == 64 * 3000);
    ck_assert(lapic_may_wake(&t.apic));
    out(&t, TPR, 0x50);
    ck_assert(!lapic_may_wake(&t.apic));
}
END_TEST

START_TEST(a_new_divider_keeps_the_count_and_zero_stops_the_timer)
{
    struct bench t;

    setup(&t);
    out(&t, DIVIDE, 0xb);
    out(&t, TIMER, 0x50);
    out(&t, INITIAL, 1000);
    run_to(&t, 64 * 400);
    out(&t, DIVIDE, 0x0);
    ck_assert_uint_eq(in(&t, CURRENT), 600);
    ck_assert(t.alarm == 64 * (400 + 1200));
    out(&t, INITIAL, 0);
    ck_assert_uint_eq(in(&t, CURRENT), 0);
    ck_assert(t.alarm == UINT64_MAX);
}
END_TEST

START_TEST(switching_off_by_software_masks_all_entries_and_keeps_what_is_pending)
{
    struct bench t;

    setup(&t);
    self(&t, 0x61);
    out(&t, SVR, 0x0ff);
    ck_assert(t.intr);
    for (unsigned i = 0; i < LVT_COUNT; i++)
        ck_assert_uint_eq(in(&t, TIMER + 16 * i) & 0x10000, 0x10000);
    out(&t, LINT0, 0x700);
    ck_assert_uint_eq(in(&t, LINT0), 0x10700);
    ck_assert_int_eq(take(&t), 0x61);
    self(&t, 0x62);
    ck_assert(!t.intr);
}
END_TEST

START_TEST(a_disabled_apic_has_no_page_and_lets_the_8259_through)
{
    struct bench t;

    setup(&t);
    out(&t, LINT0, 0x10000);
    lapic_lint(&t.apic, 0, true);
    ck_assert(!t.intr);
    ck_assert(lapic_base_write(&t.apic, 0xfee00100, 40));
    ck_assert(t.intr && lapic_extint(&t.apic));
    ck_assert(!lapic_is_enabled(&t.apic) && !lapic_at(&t.apic, 0xfee00000));
    ck_assert(lapic_base_write(&t.apic, 0xfec80900, 40));
    ck_assert(!t.intr);
    ck_assert(lapic_at(&t.apic, 0xfec80020) && !lapic_at(&t.apic, 0xfee00020));
    ck_assert_uint_eq(in(&t, SVR), 0xff);
}
END_TEST

START_TEST(reserved_bits_of_the_base_register_are_refused)
{
    struct bench t;

    setup(&t);
    ck_assert(!lapic_base_write(&t.apic, 0xfee00901, 40));
    ck_assert(!lapic_base_write(&t.apic, 0xfee00d00, 40)); /* x2APIC */
    ck_assert(!lapic_base_write(&t.apic, 0x10000000900ull, 40));
    ck_assert(lapic_base_read(&t.apic) == 0xfee00900);
    ck_assert(lapic_base_write(&t.apic, 0x8000000900ull, 40));
}
END_TEST

START_TEST(lint_pins_deliver_nmi_fixed_and_level_interrupts)
{
    struct bench t;

    setup(&t);
    out(&t, LINT1, 0x400);
    lapic_lint(&t.apic, 1, true);
    lapic_lint(&t.apic, 1, true);
    ck_assert_uint_eq(t.nmis, 1);
    lapic_lint(&t.apic, 1, false);
    lapic_lint(&t.apic, 1, true);
    ck_assert_uint_eq(t.nmis, 2);

    out(&t, LINT0, 0x8045); /* fixed, level */
    lapic_lint(&t.apic, 0, true);
    ck_assert_int_eq(take(&t), 0x45);
    ck_assert_uint_eq(in(&t, LINT0), 0xc045);
    ck_assert_uint_eq(in(&t, TMR + 0x20), 0x20);
    ck_assert(!t.intr);
    out(&t, EOI, 0);
    ck_assert(t.intr); /* still up */
    ck_assert(t.eois == 1 && t.eoi == 0x45);
    lapic_lint(&t.apic, 0, false);
    ck_assert_int_eq(take(&t), 0x45);
    out(&t, EOI, 0);
    ck_assert(!t.intr);

    out(&t, LINT0, 0x46); /* fixed, edge */
    lapic_lint(&t.apic, 0, true);
    ck_assert_int_eq(take(&t), 0x46);
    out(&t, EOI, 0);
    ck_assert(!t.intr);
}
END_TEST

START_TEST(whether_lint0_passes_is_told_without_trying)
{
    struct bench t;

    connect(&t, 0);
    ck_assert(lapic_lint0_passes(&t.apic)); /* as firmware leaves it */
    out(&t, SVR, 0x1ff);
    out(&t, LINT0, 0x10700);
    ck_assert(!lapic_lint0_passes(&t.apic));
    out(&t, LINT0, 0x45);
    ck_assert(lapic_lint0_passes(&t.apic));
    out(&t, TPR, 0x40);
    ck_assert(!lapic_lint0_passes(&t.apic));
    ck_assert(lapic_base_write(&t.apic, 0xfee00100, 40));
    ck_assert(lapic_lint0_passes(&t.apic));
}
END_TEST

START_TEST(commands_find_their_destination)
{
    struct bench t;

    setup(&t);
    out(&t, LDR, 0x04000000);
    out(&t, ICR_HIGH, 0);
    out(&t, ICR, 0x4051); /* physical, to ID 0 */
    ck_assert_int_eq(take(&t), 0x51);
    out(&t, EOI, 0);
    out(&t, ICR_HIGH, 3u << 24);
    out(&t, ICR, 0x4052); /* to somebody else */
    ck_assert(!t.intr);
    ck_assert(t.sent == 2 && t.ipi.dest == 3 && t.ipi.vector == 0x52);
    out(&t, ICR_HIGH, 0x06000000);
    out(&t, ICR, 0x4853); /* logical, flat */
    ck_assert_int_eq(take(&t), 0x53);
    out(&t, EOI, 0);
    out(&t, DFR, 0);
    out(&t, LDR, 0x24000000);
    out(&t, ICR_HIGH, 0x16000000);
    out(&t, ICR, 0x4853); /* cluster 1 is not ours */
    ck_assert(!t.intr);
    out(&t, ICR_HIGH, 0x2c000000);
    out(&t, ICR, 0x4853);
    ck_assert(t.intr);
    ck_assert_int_eq(take(&t), 0x53);
    out(&t, EOI, 0);
    out(&t, ICR, 0xc4054); /* all but self */
    ck_assert(!t.intr);
    out(&t, ICR, 0x84055); /* all */
    ck_assert(t.intr);
    ck_assert_uint_eq(in(&t, ICR), 0x84055);
}
END_TEST

START_TEST(nmi_and_init_reach_a_named_destination)
{
    struct bench t;

    setup(&t);
    out(&t, ICR, 0x4400);
    ck_assert_uint_eq(t.nmis, 1);
    out(&t, ICR, 0x44400); /* by shorthand to self: not allowed */
    ck_assert_uint_eq(t.nmis, 1);
    lapic_receive(&t.apic, &(struct lapic_ipi){.mode = 5}, false);
    ck_assert_uint_eq(t.inits, 1);
    lapic_receive(&t.apic, &(struct lapic_ipi){.mode = 5, .dest = 1}, false);
    ck_assert_uint_eq(t.inits, 1);
}
END_TEST

START_TEST(illegal_vectors_and_registers_are_errors_and_interrupt_once)
{
    struct bench t;

    setup(&t);
    out(&t, ERROR, 0xfe);
    self(&t, 0x0f);
    ck_assert_int_eq(take(&t), 0xfe);
    out(&t, EOI, 0);
    ck_assert_uint_eq(in(&t, ESR), 0);
    out(&t, ESR, 0);
    ck_assert_uint_eq(in(&t, ESR), 0x20);
    out(&t, ESR, 0);
    ck_assert_uint_eq(in(&t, ESR), 0);
    lapic_receive(&t.apic, &(struct lapic_ipi){.vector = 3}, false);
    ck_assert_int_eq(take(&t), 0xfe);
    out(&t, EOI, 0);
    in(&t, 0x2a0);
    ck_assert_int_eq(take(&t), 0xfe);
    out(&t, EOI, 0);
    out(&t, ESR, 0);
    ck_assert_uint_eq(in(&t, ESR), 0xc0);
    out(&t, TIMER, 0x0f);
    out(&t, DIVIDE, 0xb);
    out(&t, INITIAL, 10);
    run_to(&t, t.now + 640);
    out(&t, ESR, 0);
    ck_assert_uint_eq(in(&t, ESR), 0x40);
}
END_TEST

START_TEST(narrow_and_wide_reads_give_the_bytes_of_the_register)
{
    struct bench t;

    connect(&t, 7);
    ck_assert_uint_eq(lapic_read(&t.apic, ID + 3, 1), 7);
    ck_assert_uint_eq(lapic_read(&t.apic, VERSION, 2), 0x14);
    ck_assert_uint_eq(lapic_read(&t.apic, VERSION, 8), 0x50014);
    ck_assert_uint_eq(lapic_read(&t.apic, VERSION + 4, 4), 0);
}
END_TEST

START_TEST(init_keeps_id_and_base_and_masks_lint0)
{
    struct bench t;

    setup(&t);
    self(&t, 0x40);
    lapic_init_signal(&t.apic);
    ck_assert(!t.intr);
    ck_assert_uint_eq(in(&t, LINT0), 0x10000);
    ck_assert(lapic_base_read(&t.apic) == 0xfee00900);
}
END_TEST

START_TEST(a_restored_state_asks_and_wakes_as_the_saved_one)
{
    struct bench a, b;

    setup(&a);
    out(&a, DIVIDE, 0xb);
    out(&a, TIMER, 0x20050);
    out(&a, INITIAL, 1000);
    self(&a, 0x40);
    connect(&b, 0);
    lapic_restore(&b.apic, &a.apic.s);
    ck_assert(b.intr && lapic_pending_vector(&b.apic) == 0x40);
    ck_assert(b.alarm == a.alarm);
}
END_TEST

START_TEST(random_traffic_is_survived_and_intr_is_always_told)
{
    struct bench t;
    uint64_t seed = 11;

    setup(&t);
    for (unsigned i = 0; i < 20000; i++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        unsigned offset = seed >> 33 & 0x3f0;

        if (offset == SVR && (seed >> 20 & 7)) continue;
        if (seed >> 63) lapic_write(&t.apic, offset, 4, (uint32_t)(seed >> 10));
        else lapic_read(&t.apic, offset + (seed >> 50 & 7), 1u << (seed >> 54 & 3));
        run_to(&t, t.now + (seed >> 40 & 0xffff));
        if (seed >> 60 == 1) lapic_lint(&t.apic, seed >> 59 & 1, seed >> 58 & 1);
        if (seed >> 60 == 2) take(&t);
        ck_assert(t.intr == lapic_intr(&t.apic));
    }
}
END_TEST

RUN_TESTS("lapic", after_reset_it_is_enabled_at_its_page_and_passes_the_8259,
          another_processors_apic_starts_with_its_pins_masked,
          a_self_interrupt_goes_from_irr_to_isr_and_out_with_eoi,
          delivery_follows_class_priority_for_every_pair_of_vectors,
          the_task_priority_holds_off_its_class_and_those_below,
          a_vector_no_longer_deliverable_gives_the_spurious_one_and_no_service,
          the_one_shot_timer_expires_once_at_its_exact_tick, every_divider_divides_as_its_code_says,
          the_periodic_timer_goes_on_and_late_service_merges_expiries,
          a_masked_timer_counts_without_an_alarm_and_its_past_expiries_stay_past,
          a_new_divider_keeps_the_count_and_zero_stops_the_timer,
          switching_off_by_software_masks_all_entries_and_keeps_what_is_pending,
          a_disabled_apic_has_no_page_and_lets_the_8259_through,
          reserved_bits_of_the_base_register_are_refused,
          lint_pins_deliver_nmi_fixed_and_level_interrupts,
          whether_lint0_passes_is_told_without_trying, commands_find_their_destination,
          nmi_and_init_reach_a_named_destination,
          illegal_vectors_and_registers_are_errors_and_interrupt_once,
          narrow_and_wide_reads_give_the_bytes_of_the_register,
          init_keeps_id_and_base_and_masks_lint0, a_restored_state_asks_and_wakes_as_the_saved_one,
          random_traffic_is_survived_and_intr_is_always_told)
