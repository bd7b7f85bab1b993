/*
 * test_raise.c - NMIs and machine checks from outside (rs_raise): when they are taken, what holds them off, what
 * they wake, and which machine checks are the end.
 * Manual: SDM 3A "Nonmaskable Interrupt (NMI)", "Interrupt 18-Machine-Check Exception (#MC)", "Priority Among
 * Concurrent Events"; SDM 3B "IA32_MCG_STATUS MSR".
 */
#include "tests/cpu/both.h"

static void raise_signal(struct ring *r, enum rs_signal what) { ck_assert_int_eq(rs_raise(r->m, 0, what), RS_OK); }

/* Machine checks on, this code at CODE. */
static struct ring *checking(const void *code, size_t n)
{
    struct ring *r = ring_new(false);

    reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | CR4_MCE);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, code, n), RS_OK);
    return r;
}
#define CHECKING(...)                                                                              \
    checking((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

BOTH(an_nmi_from_outside_comes_at_the_next_boundary_whatever_if_says)
{
    struct ring *r = CHECKING(0x90, 0x90);

    go(r, 1);
    raise_signal(r, RS_RAISE_NMI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    ck_assert_int_eq(r->cross.how, RS_X_NMI);
    ring_free(r);
}

BOTH(checks_67_of_nmis_that_come_while_one_is_served_one_is_kept)
{
    struct ring *r = CHECKING(0x90, 0xeb, 0xfe);

    raise_signal(r, RS_RAISE_NMI);
    poke(r, handler(VEC_NMI), 0xcf48, 2); /* iretq */
    go(r, 1);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE);
    raise_signal(r, RS_RAISE_NMI);
    poke(r, handler(VEC_NMI), 0xcf4890, 3); /* nop; iretq */
    go(r, 1);
    ck_assert_uint_eq(get(r, RS_REG_RIP), handler(VEC_NMI) + 1);
    raise_signal(r, RS_RAISE_NMI);
    raise_signal(r, RS_RAISE_NMI);
    go(r, 3); /* iretq, and through the handler once more */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE);
    go(r, 2);
    ck_assert_uint_eq(r->crossings, 0);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 1);
    ring_free(r);
}

BOTH(an_nmi_ends_a_halt_that_nothing_else_could)
{
    struct ring *r = CHECKING(0xf4, 0xeb, 0xfe);

    go(r, 0);
    ck_assert_int_eq(r->stop.reason, RS_STOP_DEAD_HALT);
    raise_signal(r, RS_RAISE_NMI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    ring_free(r);
}

BOTH(checks_63_mov_ss_holds_off_an_nmi_for_one_instruction_and_sti_does_not)
{
    struct ring *r = CHECKING(0x8e, 0xd0, 0x90, 0xeb, 0xfe); /* mov ss, eax; nop */

    reg(r, RS_REG_RAX, S_DATA);
    go(r, 1);
    raise_signal(r, RS_RAISE_NMI);
    go(r, 2);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), CODE + 3);
    ring_free(r);

    r = CHECKING(0xfb, 0x90, 0xeb, 0xfe); /* sti; nop */
    go(r, 1);
    raise_signal(r, RS_RAISE_NMI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    ring_free(r);
}

BOTH(a_machine_check_says_that_its_rip_is_valid_and_that_it_is_in_progress)
{
    struct ring *r = CHECKING(0x90, 0x90);

    at_level(r, 3);
    go(r, 1);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_MC);
    ck_assert_uint_eq(slot(r, 0), CODE + 1); /* no error code */
    ck_assert_uint_eq(r->faults, 1);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(rdmsr(r, MSR_MCG_STATUS), MCG_RIPV | MCG_MCIP);
    wrmsr(r, MSR_MCG_STATUS, 8);
    REFUSED(r, MSR_RSVD, GP, 0);
    wrmsr(r, MSR_MCG_STATUS, 0);
    ALLOWED(r);
    ck_assert_uint_eq(rdmsr(r, MSR_MCG_STATUS), 0);
    raise_signal(r, RS_RAISE_MC); /* and another, now that the first is done with */
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_MC);
    ring_free(r);
}

BOTH(a_machine_check_upon_a_machine_check_or_without_mce_is_shutdown)
{
    struct ring *r = CHECKING(0x90, 0x90);

    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_MC);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_str_eq(r->stop.text, "#MC with MCG_STATUS.MCIP=1");
    ring_free(r);

    r = ring_new(false);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_str_eq(r->stop.text, "#MC with CR4.MCE=0");
    ck_assert_uint_eq(r->stop.insns, 0);
    ring_free(r);
}

BOTH(checks_62_a_machine_check_comes_before_traps_and_nmis_and_nothing_holds_it_off)
{
    struct ring *r = CHECKING(0x8e, 0xd0, 0x90); /* mov ss, eax */

    reg(r, RS_REG_RAX, S_DATA);
    go(r, 1);
    raise_signal(r, RS_RAISE_NMI);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), handler(VEC_MC)); /* the NMI came at its handler */
    ck_assert_uint_eq(peek(r, slot(r, 3), 8), CODE + 2);
    ring_free(r);
}

BOTH(a_machine_check_wakes_a_halt)
{
    struct ring *r = CHECKING(0xf4);

    go(r, 0);
    ck_assert_int_eq(r->stop.reason, RS_STOP_DEAD_HALT);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_MC);
    ck_assert_uint_eq(slot(r, 0), CODE + 1);
    ring_free(r);
}

/* Where #MC's own delivery faults, that fault is served: it is benign. */
BOTH(checks_54_a_machine_check_is_benign)
{
    struct ring *r = CHECKING(0x90);

    idt(r, VEC_MC, S_FREE, handler(VEC_MC), SYS_INT, 0, 0);
    gdt(r, S_FREE, 0);
    raise_signal(r, RS_RAISE_MC);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->fault_error, S_FREE | 1);
    ring_free(r);
}

static bool hook(void *ctx, rs_machine *m, const struct rs_event *e)
{
    (void)ctx;
    (void)e;
    ck_assert_int_eq(rs_raise(m, 0, RS_RAISE_NMI), RS_OK);
    return false;
}

BOTH(a_hook_may_raise_one_in_the_middle_of_a_block)
{
    struct ring *r = CHECKING(0x90, 0x0f, 0x32, 0x90, 0x90); /* nop; rdmsr; nop */
    unsigned id;

    reg(r, RS_REG_RCX, MSR_EFER);
    ck_assert_int_eq(rs_observer_add(r->m, RS_MASK(RS_EV_MSR), false, hook, NULL, &id), RS_OK);
    go(r, 4);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), CODE + 3);
    ring_free(r);
}

BOTH(there_is_one_processor_and_two_signals)
{
    struct ring *r = ring_new(false);

    ck_assert_int_eq(rs_raise(NULL, 0, RS_RAISE_NMI), RS_E_ARG);
    ck_assert_int_eq(rs_raise(r->m, 1, RS_RAISE_NMI), RS_E_ARG);
    ck_assert_int_eq(rs_raise(r->m, 0, (enum rs_signal)2), RS_E_ARG);
    ring_free(r);
}

RUN_TESTS("cpu/raise", an_nmi_from_outside_comes_at_the_next_boundary_whatever_if_says,
          checks_67_of_nmis_that_come_while_one_is_served_one_is_kept, an_nmi_ends_a_halt_that_nothing_else_could,
          checks_63_mov_ss_holds_off_an_nmi_for_one_instruction_and_sti_does_not,
          a_machine_check_says_that_its_rip_is_valid_and_that_it_is_in_progress,
          a_machine_check_upon_a_machine_check_or_without_mce_is_shutdown,
          checks_62_a_machine_check_comes_before_traps_and_nmis_and_nothing_holds_it_off,
          a_machine_check_wakes_a_halt, checks_54_a_machine_check_is_benign,
          a_hook_may_raise_one_in_the_middle_of_a_block, there_is_one_processor_and_two_signals)
