/*
 * test_tasks.c - hardware task switches: by JMP, CALL, task gates, INT n, exceptions and IRET, between TSSs
 * of 32 and 16 bits; every check of a switch, and whose fault its refusal is. On both engines.
 */
#include "tests/cpu/both.h"

/* More of the GDT, and what the new task is made of. */
enum {
    T_NEW = 0x80,  /* the new task's TSS */
    T_GATE = 0x88, /* a task gate to it */
    T_X = 0x90,    /* what a test spoils */
    T_LDT = 0x98,
    T_CONF = 0xa0, /* conforming code of DPL 0 */
    T_SS16 = 0xa8, /* a stack with B=0 */
    T_END = 0x100,
    NEW_TSS = 0x214000,
    NEW_STACK = 0x280000,
    NEW_IP = TARGET,
    OLD_BUSY = GDT + S_TSS + 5,
    NEW_BUSY = GDT + T_NEW + 5
};

/* Offsets of the 32-bit TSS. */
enum {
    O_LINK,
    O_CR3 = 0x1c,
    O_IP = 0x20,
    O_FLAGS = 0x24,
    O_GPR = 0x28,
    O_SEG = 0x48,
    O_LDT = 0x60,
    O_T = 0x64
};
#define SEG_AT(i) (NEW_TSS + O_SEG + 4 * (i))

static void new_task32(struct ring *r, unsigned cpl)
{
    unsigned data = cpl ? S_DATA3 | 3 : S_DATA;

    gdt(r, T_NEW, D_SYSTEM(SYS_TSS, NEW_TSS, 0x67));
    for (unsigned i = 0; i < 0x68; i += 4) poke(r, NEW_TSS + i, 0, 4);
    poke(r, NEW_TSS + 4, STACK0, 4);
    poke(r, NEW_TSS + 8, S_DATA, 4);
    poke(r, NEW_TSS + O_IP, NEW_IP, 4);
    poke(r, NEW_TSS + O_FLAGS, 2, 4);
    for (unsigned i = 0; i < 8; i++) poke(r, NEW_TSS + O_GPR + 4 * i, 0x10000000 + i, 4);
    poke(r, NEW_TSS + O_GPR + 16, NEW_STACK, 4);
    for (unsigned i = 0; i < 6; i++) poke(r, SEG_AT(i), data, 4);
    poke(r, SEG_AT(I_CS), cpl ? S_CODE3_32 | 3 : S_CODE_32, 4);
    poke(r, OLD_BUSY, 0x80 | SYS_TSS_BUSY, 1);
    segment(r, I_TR, S_TSS, TSS, 0x67, ATTR_P | SYS_TSS_BUSY);
    segment(r, I_LDTR, 0, 0, 0, ATTR_UNUSABLE);
}

static void task_gate(struct ring *r, unsigned at, unsigned tss, unsigned dpl)
{
    gdt(r, at, (uint64_t)tss << 16 | (uint64_t)SYS_TASK << 40 | D_DPL(dpl) | D_P);
}

static void idt_task(struct ring *r, unsigned vector, unsigned tss)
{
    poke(r, IDT + 8 * vector, (uint64_t)tss << 16 | (uint64_t)SYS_TASK << 40 | D_DPL(3) | D_P, 8);
}

static struct ring *world(void)
{
    struct ring *r = ring_new(true);

    gdt(r, T_LDT, D_SYSTEM(SYS_LDT, LDT, 0xff));
    gdt(r, T_CONF, D_CODE32 | D_CONFORMING);
    gdt(r, T_SS16, 0x008f93000000ffffull);
    task_gate(r, T_GATE, T_NEW, 3);
    reg(r, RS_REG_GDTR_LIMIT, T_END - 1);
    segment(r, I_FS, 0, 0, 0, ATTR_UNUSABLE);
    segment(r, I_GS, 0, 0, 0, ATTR_UNUSABLE);
    new_task32(r, 0);
    return r;
}

#define JMP_TO(sel) 0xea, 0, 0, 0, 0, (sel), 0
#define CALL_TO(sel) 0x9a, 0, 0, 0, 0, (sel), 0
#define IRET 0xcf
#define INT(n) 0xcd, (n)
/* One instruction at this level, from a fresh old task. */
#define FROM(r, cpl, ...)                                                                          \
    (at_level((r), (cpl)),                                                                         \
     try_bytes((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})))

static uint64_t old(struct ring *r, unsigned offset) { return peek(r, TSS + offset, 4); }
static unsigned type_at(struct ring *r, uint64_t at) { return (unsigned)peek(r, at, 1) & 15; }

/* ---- what a switch does ------------------------------------------------------------------------------- */

BOTH(checks_93_a_jump_to_a_tss_saves_the_old_task_and_loads_the_new_one)
{
    struct ring *r = world();

    at_level(r, 0);
    for (unsigned i = 0; i < 8; i++)
        if (i != 4) reg(r, RS_REG_RAX + i, 0xa0 + i);
    reg(r, RS_REG_RFLAGS, 0x4293); /* NT, IF, SF, AF, CF: NT is saved as it is */
    reg(r, RS_REG_DR7, 0x400);
    TRY(r, JMP_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(old(r, O_IP), CODE + 7);
    ck_assert_uint_eq(old(r, O_FLAGS), 0x4293);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(old(r, O_GPR + 4 * i), i == 4 ? (unsigned)STACK1 : 0xa0 + i);
    ck_assert_uint_eq(old(r, O_SEG + 4 * I_CS), S_CODE_32);
    ck_assert_uint_eq(old(r, O_SEG + 4 * I_SS), S_DATA);
    ck_assert_uint_eq(old(r, O_SEG + 4 * I_DS), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(get(r, RS_REG_RAX + i), i == 4 ? (unsigned)NEW_STACK : 0x10000000 + i);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2); /* JMP: NT is the new task's */
    ck_assert_uint_eq(get(r, RS_REG_CS), S_CODE_32);
    ck_assert_uint_eq(get(r, RS_REG_DS), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_TR) & 15, SYS_TSS_BUSY);
    ck_assert_uint_eq(get(r, RS_REG_CR0) & CR0_TS, CR0_TS);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS);
    ck_assert_uint_eq(type_at(r, NEW_BUSY), SYS_TSS_BUSY);
    ck_assert_uint_eq(peek(r, NEW_TSS, 2), 0); /* no link */
    ck_assert_uint_eq(r->cross.how, RS_X_TASK);
    ck_assert_uint_eq(r->cross.w[0], T_NEW);
    ring_free(r);
}

BOTH(checks_93_a_call_nests_and_iret_returns)
{
    struct ring *r = world();

    new_task32(r, 3);
    FROM(r, 0, CALL_TO(T_GATE));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_NT);
    ck_assert_uint_eq(peek(r, NEW_TSS, 2), S_TSS);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS_BUSY);
    ck_assert_uint_eq(type_at(r, NEW_BUSY), SYS_TSS_BUSY);
    ck_assert_uint_eq(r->cross.w[2] & 0x10303, 3 << 8 | 1 << 16);
    TRY(r, IRET);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_TR), S_TSS);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_NT, 0);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS_BUSY);
    ck_assert_uint_eq(type_at(r, NEW_BUSY), SYS_TSS);
    ck_assert_uint_eq(peek(r, NEW_TSS + O_FLAGS, 4), 2); /* NT cleared in what IRET saves */
    ck_assert_uint_eq(peek(r, NEW_TSS + O_IP, 4), NEW_IP + 1);
    ck_assert_uint_eq(r->cross.how, RS_X_TASK);
    ck_assert_uint_eq(r->cross.w[0], S_TSS);
    ring_free(r);
}

BOTH(checks_93_ldt_and_local_selectors_come_from_the_new_task)
{
    struct ring *r = world();

    poke(r, LDT + 8, D_DATA, 8);
    poke(r, LDT + 16, D_CODE32, 8);
    poke(r, NEW_TSS + O_LDT, T_LDT, 4);
    poke(r, SEG_AT(I_SS), 0x0c, 4);
    poke(r, SEG_AT(I_CS), 0x14, 4);
    poke(r, SEG_AT(I_FS), 0, 4);
    poke(r, SEG_AT(I_GS), 3, 4);
    FROM(r, 0, JMP_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_LDTR), T_LDT);
    ck_assert_uint_eq(get(r, RS_REG_SS), 0x0c);
    ck_assert_uint_eq(get(r, RS_REG_CS), 0x14);
    ck_assert_uint_eq(get(r, RS_REG_GS), 3);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_GS) & ATTR_UNUSABLE, ATTR_UNUSABLE);
    ring_free(r);
}

BOTH(checks_93_the_t_flag_traps_before_the_first_instruction_and_local_breakpoints_go)
{
    struct ring *r = world();

    poke(r, NEW_TSS + O_T, 1, 2);
    at_level(r, 0);
    reg(r, RS_REG_DR7, 0x755); /* L0 to L3, LE, GE: the last stays */
    TRY(r, JMP_TO(T_NEW));
    go(r, 1);
    ck_assert_uint_eq(r->fault_vector, VEC_DB);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(get(r, RS_REG_DR6) & DR6_BT, DR6_BT);
    ck_assert_uint_eq(get(r, RS_REG_DR7), 0x600);
    ck_assert_uint_eq(slot(r, 0), NEW_IP);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ring_free(r);
}

static bool hear_changes(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct rs_event *heard = ctx;

    (void)m;
    if (e->kind == RS_EV_CR) heard[0] = *e;
    if (e->kind == RS_EV_SEG && e->w[0] == I_TR) heard[1] = *e;
    return false;
}

BOTH(a_switch_tells_of_ts_and_tr_and_sets_accessed_bits)
{
    struct ring *r = world();
    struct rs_event heard[2] = {{.kind = 0}};
    unsigned id;
    uint64_t mask = RS_MASK(RS_EV_CR) | RS_MASK(RS_EV_SEG);

    ck_assert_int_eq(rs_observer_add(r->m, mask, false, hear_changes, heard, &id), RS_OK);
    for (unsigned sel = S_DATA; sel <= S_DATA3; sel += 16)
        gdt(r, sel, peek(r, GDT + sel, 8) & ~D_ACCESSED);
    gdt(r, T_X, D_CODE32 & ~D_ACCESSED);
    poke(r, SEG_AT(I_CS), T_X, 4);
    poke(r, SEG_AT(I_GS), S_DATA3, 4);
    reg(r, RS_REG_R8, 0x1234567890abcdef);
    FROM(r, 0, JMP_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(heard[0].how, 0);
    ck_assert_uint_eq(heard[0].w[0], 0);
    ck_assert_uint_eq(heard[0].w[2] ^ heard[0].w[1], CR0_TS);
    ck_assert_uint_eq(heard[0].w[3], 0);
    ck_assert_uint_eq(heard[1].w[1], T_NEW);
    ck_assert_uint_eq(heard[1].w[2], NEW_TSS);
    ck_assert_uint_eq(peek(r, GDT + S_DATA, 8) & D_ACCESSED, D_ACCESSED);
    ck_assert_uint_eq(peek(r, GDT + S_DATA3, 8) & D_ACCESSED, D_ACCESSED);
    ck_assert_uint_eq(peek(r, GDT + T_X, 8) & D_ACCESSED, D_ACCESSED);
    ck_assert_uint_eq(get(r, RS_REG_R8), 0x1234567890abcdef);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_LDTR) & ATTR_UNUSABLE, ATTR_UNUSABLE);
    ring_free(r);
}

BOTH(checks_93_reserved_halves_and_other_bits_of_descriptors_stay)
{
    struct ring *r = world();
    uint64_t avl = 1ull << 52;

    gdt(r, S_TSS, D_SYSTEM(SYS_TSS_BUSY, TSS, 0x67) | avl);
    gdt(r, T_NEW, D_SYSTEM(SYS_TSS, NEW_TSS, 0x67) | avl);
    segment(r, I_TR, S_TSS | 3, TSS, 0x67,
            ATTR_P | SYS_TSS_BUSY | ATTR_AVL); /* by LTR with RPL 3 */
    reg(r, RS_REG_GDTR_LIMIT, T_NEW + 7);
    for (unsigned i = 0; i < 6; i++) poke(r, SEG_AT(i) + 2, 0x7700 + i, 2);
    for (unsigned i = 0; i < 6; i++) poke(r, TSS + O_SEG + 4 * i, 0x5a5a5a5a, 4);
    poke(r, NEW_TSS, 0x5a5a5a5a, 4);
    poke(r, NEW_TSS + O_LDT + 2, 0x6666, 2);
    poke(r, NEW_TSS + O_T, 0xfffe, 2);
    poke(r, NEW_TSS + O_FLAGS, 0xffc08028, 4); /* what EFLAGS does not have */
    segment(r, I_FS, S_DATA3, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 3 | ATTR_DB | 3u << 5);
    segment(r, I_GS, S_DATA3 | 1, 0, 0xffffffff, ATTR_G | ATTR_P | ATTR_S | 3 | ATTR_DB | 3u << 5);
    FROM(r, 0, CALL_TO(T_NEW));
    ALLOWED(r);
    static const unsigned want[] = {S_DATA3 | 3, S_CODE_32, S_DATA,
                                    S_DATA3 | 3, S_DATA3,   S_DATA3 | 1};
    for (unsigned i = 0; i < 6; i++) ck_assert_uint_eq(old(r, O_SEG + 4 * i), 0x5a5a0000 | want[i]);
    ck_assert_uint_eq(peek(r, NEW_TSS, 4), 0x5a5a0000 | S_TSS | 3);
    ck_assert_uint_eq(peek(r, GDT + T_NEW, 8), D_SYSTEM(SYS_TSS_BUSY, NEW_TSS, 0x67) | avl);
    ck_assert_uint_eq(get(r, RS_REG_LDTR), 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_NT);
    TRY(r, IRET);
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, GDT + T_NEW, 8), D_SYSTEM(SYS_TSS, NEW_TSS, 0x67) | avl);
    ck_assert_uint_eq(get(r, RS_REG_TR), S_TSS | 3);
    FROM(r, 0, JMP_TO(T_NEW));
    ck_assert_uint_eq(peek(r, GDT + S_TSS, 8), D_SYSTEM(SYS_TSS, TSS, 0x67) | avl);
    ring_free(r);
}

/* ---- events ------------------------------------------------------------------------------------------------ */

BOTH(checks_94_int_n_and_an_exception_through_a_task_gate)
{
    struct ring *r = world();

    idt_task(r, 0x80, T_NEW);
    FROM(r, 3, INT(0x80));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(get(r, RS_REG_RSP), NEW_STACK); /* nothing is pushed */
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_NT);
    ck_assert_uint_eq(old(r, O_IP), CODE + 2);
    ck_assert_uint_eq(old(r, O_FLAGS), 2);
    ck_assert_uint_eq(r->cross.how, RS_X_TASK);
    TRY(r, IRET);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 2);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    new_task32(r, 0);
    poke(r, NEW_IP, 0xfeeb, 2);
    idt_task(r, VEC_GP, T_NEW);
    at_level(r, 3);
    reg(r, RS_REG_RAX, T_END);
    TRY(r, 0x8e, 0xd8); /* MOV DS, EAX */
    ck_assert_uint_eq(r->fault_vector, VEC_GP);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(get(r, RS_REG_RSP), NEW_STACK - 4);
    ck_assert_uint_eq(slot(r, 0), T_END);
    ck_assert_uint_eq(old(r, O_IP), CODE); /* the faulting instruction, RF */
    ck_assert_uint_eq(old(r, O_FLAGS), 2 | RF_RF);
    ring_free(r);
}

BOTH(checks_94_errors_on_the_way_into_an_events_task_carry_ext)
{
    struct ring *r = world();

    idt_task(r, 0x80, T_NEW | 4);
    FROM(r, 3, INT(0x80));
    REFUSED(r, TASK_TSS_TABLE, GP, T_NEW | 4); /* INT n: EXT is 0 */
    idt_task(r, VEC_UD, 0);
    FROM(r, 3, 0x0f, 0x0b);
    ck_assert_uint_eq(r->fault_vector, VEC_GP);
    ck_assert_uint_eq(r->fault_error, 1);
    idt_task(r, VEC_UD, T_NEW);
    poke(r, NEW_BUSY, 0x80 | SYS_TSS_BUSY, 1);
    FROM(r, 3, 0x0f, 0x0b);
    ck_assert_uint_eq(r->rule, RS_RULE_INSN_UNDEFINED);
    ck_assert_int_eq(r->vector, VEC_GP);
    ck_assert_uint_eq(r->fault_error, T_NEW | 1);
    ck_assert_uint_eq(slot(r, 1), CODE); /* the old task's: the UD2 */
    /* no room for the error code: #SS(EXT) in the new task, on its own stack's handler */
    new_task32(r, 3);
    poke(r, SEG_AT(I_SS), T_X | 3, 4);
    gdt(r, T_X, 0x0040f30000000003ull); /* 4 bytes */
    poke(r, NEW_TSS + O_GPR + 16, 2, 4);
    idt_task(r, VEC_NP, T_NEW);
    at_level(r, 3);
    gdt(r, T_LDT, (D_DATA | D_DPL(3)) & ~D_P);
    reg(r, RS_REG_RAX, T_LDT);
    TRY(r, 0x8e, 0xd8);
    ck_assert_uint_eq(r->faults, 3); /* #NP, then #SS: a double fault */
    ck_assert_int_eq(r->vector, VEC_DF);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ck_assert_uint_eq(slot(r, 1), NEW_IP);
    ck_assert_uint_eq(slot(r, 4), 2); /* the new task's ESP */
    ring_free(r);
}

BOTH(checks_93_int_n_is_judged_by_the_dpl_of_its_task_gate)
{
    struct ring *r = world();

    poke(r, IDT + 8 * 0x80, (uint64_t)T_NEW << 16 | (uint64_t)SYS_TASK << 40 | D_P, 8);
    FROM(r, 3, INT(0x80));
    REFUSED(r, GATE_DPL, GP, 0x80 * 8 + 2);
    ring_free(r);
}

/* ---- refused before the commit: the old task's fault -------------------------------------------------- */

/* Nothing has happened to either task. */
#define UNTOUCHED(r)                                                                               \
    do {                                                                                           \
        ck_assert_uint_eq(get((r), RS_REG_TR), S_TSS);                                             \
        ck_assert_uint_eq(type_at((r), OLD_BUSY), SYS_TSS_BUSY);                                   \
        ck_assert_uint_eq(old((r), O_IP), 0x5a5a5a5a);                                             \
        ck_assert_uint_eq(get((r), RS_REG_CR0) & CR0_TS, 0);                                       \
        ck_assert_uint_eq(slot((r), 1), CODE);                                                     \
    } while (0)

BOTH(checks_93_the_tss_is_judged_before_anything_is_saved)
{
    struct ring *r = world();

    poke(r, TSS + O_IP, 0x5a5a5a5a, 4);
    task_gate(r, T_GATE, T_NEW, 2);
    FROM(r, 3, CALL_TO(T_GATE | 3));
    REFUSED(r, TASK_GATE_DPL, GP, T_GATE);
    FROM(r, 0, JMP_TO(T_GATE | 3));
    REFUSED(r, TASK_GATE_DPL, GP, T_GATE);
    UNTOUCHED(r);
    gdt(r, T_GATE, (uint64_t)T_NEW << 16 | (uint64_t)SYS_TASK << 40 | D_DPL(3));
    FROM(r, 3, CALL_TO(T_GATE | 3));
    REFUSED(r, TASK_GATE_P, NP, T_GATE);
    FROM(r, 3, CALL_TO(T_NEW | 3));
    REFUSED(r, TASK_TSS_DPL, GP, T_NEW);
    FROM(r, 0, JMP_TO(T_NEW | 1));
    REFUSED(r, TASK_TSS_DPL, GP, T_NEW);
    task_gate(r, T_GATE, 0, 3);
    FROM(r, 0, JMP_TO(T_GATE));
    REFUSED(r, TASK_TSS_TABLE, GP, 0);
    task_gate(r, T_GATE, T_NEW | 4, 3);
    FROM(r, 0, JMP_TO(T_GATE));
    REFUSED(r, TASK_TSS_TABLE, GP, T_NEW | 4);
    task_gate(r, T_GATE, T_END, 3);
    FROM(r, 0, JMP_TO(T_GATE));
    REFUSED(r, TASK_TSS_TABLE, GP, T_END);
    task_gate(r, T_GATE, S_DATA, 3);
    FROM(r, 0, JMP_TO(T_GATE));
    REFUSED(r, TASK_TSS_TYPE, GP, S_DATA);
    task_gate(r, T_GATE, S_TSS, 3);
    FROM(r, 0, JMP_TO(T_GATE)); /* itself: busy */
    REFUSED(r, TASK_TSS_TYPE, GP, S_TSS);
    FROM(r, 0, CALL_TO(S_TSS));
    REFUSED(r, TASK_TSS_TYPE, GP, S_TSS);
    gdt(r, T_NEW, D_SYSTEM(SYS_TSS, NEW_TSS, 0x66) & ~D_P);
    FROM(r, 0, JMP_TO(T_NEW));
    REFUSED(r, TASK_TSS_P, NP, T_NEW);
    gdt(r, T_NEW, D_SYSTEM(SYS_TSS, NEW_TSS, 0x66));
    FROM(r, 0, JMP_TO(T_NEW));
    REFUSED(r, TASK_TSS_LIMIT, TS, T_NEW);
    UNTOUCHED(r);
    gdt(r, T_NEW, D_SYSTEM(SYS_TSS16, NEW_TSS, 0x2a));
    FROM(r, 0, JMP_TO(T_NEW));
    REFUSED(r, TASK_TSS_LIMIT, TS, T_NEW);
    new_task32(r, 0);
    reg(r, RS_REG_ES_LIMIT + I_TR, 0x5e);
    FROM(r, 0, JMP_TO(T_NEW));
    REFUSED(r, TASK_OLD_LIMIT, TS, S_TSS);
    UNTOUCHED(r);
    reg(r, RS_REG_ES_LIMIT + I_TR, 0x5f);
    FROM(r, 0, JMP_TO(T_NEW));
    PASSED(r, TASK_OLD_LIMIT);
    ring_free(r);
}

BOTH(checks_70_iret_from_a_nested_task_judges_the_link_as_ts)
{
    struct ring *r = world();
    static const struct {
        unsigned link, error;
    } table[] = {{0, 0}, {T_NEW | 4, T_NEW | 4}, {T_END, T_END}};

    poke(r, TSS + O_IP, 0x5a5a5a5a, 4);
#define BACK                                                                                       \
    (at_level(r, 0), reg(r, RS_REG_RFLAGS, 2 | RF_NT), try_bytes(r, (const uint8_t[]){IRET}, 1))
    for (unsigned i = 0; i < 3; i++) {
        poke(r, TSS, table[i].link, 2);
        BACK;
        REFUSED(r, TASK_LINK_TABLE, TS, table[i].error);
    }
    poke(r, TSS, T_NEW, 2);
    BACK; /* available: not one that has called */
    REFUSED(r, TASK_LINK_TYPE, TS, T_NEW);
    UNTOUCHED(r);
    poke(r, TSS, S_DATA, 2);
    BACK;
    REFUSED(r, TASK_LINK_TYPE, TS, S_DATA);
    poke(r, TSS, T_NEW, 2);
    poke(r, NEW_BUSY, SYS_TSS_BUSY, 1);
    BACK;
    REFUSED(r, TASK_TSS_P, NP, T_NEW);
    poke(r, NEW_BUSY, 0x80 | SYS_TSS_BUSY, 1);
    BACK;
    PASSED(r, TASK_LINK_TYPE);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS);
    ring_free(r);
}

/* The local APIC at its reset address: software-enabled, then a self-interrupt. */
#define SELF(vector)                                                                               \
    0xc7, 0x05, 0xf0, 0, 0xe0, 0xfe, 0xff, 0x01, 0, 0, 0xc7, 0x05, 0, 0x03, 0xe0, 0xfe, (vector),  \
        0x40, 0x04, 0, 0xfb, 0xf4

BOTH(checks_94_an_interrupt_finds_its_task_and_its_refusals_say_ext)
{
    struct ring *r = world();

    idt_task(r, 0x60, T_NEW);
    at_level(r, 0);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, (const uint8_t[]){SELF(0x60)}, 22), RS_OK);
    go(r, 4); /* two MOVs, STI, HLT */
    ALLOWED(r);
    go(r, 1); /* the new task's JMP to itself */
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(get(r, RS_REG_RSP), NEW_STACK);
    ck_assert_uint_eq(old(r, O_IP), CODE + 22); /* after HLT */
    ck_assert_uint_eq(old(r, O_FLAGS), 2 | RF_IF);
    ring_free(r);
    r = world();
    idt_task(r, 0x60, S_TSS); /* busy */
    at_level(r, 0);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, (const uint8_t[]){SELF(0x60)}, 22), RS_OK);
    go(r, 5);
    REFUSED(r, TASK_TSS_TYPE, GP, S_TSS | 1);
    ring_free(r);
}

BOTH(checks_93_a_task_with_if_set_lets_a_pending_interrupt_in_at_once)
{
    struct ring *r = world();

    poke(r, NEW_TSS + O_FLAGS, 2 | RF_IF, 4);
    poke(r, NEW_IP, 0x909090, 3);
    idt(r, 0x60, S_CODE_32, handler(0x60), SYS_INT, 0, 0);
    at_level(r, 0);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, (const uint8_t[]){SELF(0x60)}, 22), RS_OK);
    ck_assert_int_eq(rs_phys_write(r->m, CODE + 20, (const uint8_t[]){JMP_TO(T_NEW)}, 7), RS_OK);
    go(r, 3);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    go(r, 1);
    ck_assert_int_eq(r->vector, 0x60);
    ck_assert_uint_eq(slot(r, 0), NEW_IP);
    ck_assert_uint_eq(slot(r, 2), 2 | RF_IF);
    ring_free(r);
    r = world(); /* the same in one go */
    poke(r, NEW_TSS + O_FLAGS, 2 | RF_IF, 4);
    poke(r, NEW_IP, 0x909090, 3);
    idt(r, 0x60, S_CODE_32, handler(0x60), SYS_INT, 0, 0);
    at_level(r, 0);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, (const uint8_t[]){SELF(0x60)}, 22), RS_OK);
    ck_assert_int_eq(rs_phys_write(r->m, CODE + 20, (const uint8_t[]){JMP_TO(T_NEW)}, 7), RS_OK);
    go(r, 100);
    ck_assert_int_eq(r->vector, 0x60);
    ck_assert_uint_eq(slot(r, 0), NEW_IP);
    ring_free(r);
}

BOTH(a_cross_says_whether_the_idt_sent_it)
{
    struct ring *r = world();
    uint64_t idt_bit = 1ull << 22;

    FROM(r, 0, CALL_TO(T_NEW));
    ck_assert_uint_eq(r->cross.w[2] & 0xff0000, 1 << 16);
    new_task32(r, 0);
    idt_task(r, 0x80, T_NEW);
    FROM(r, 0, INT(0x80));
    ck_assert_uint_eq(r->cross.w[2] & 0xff0000, idt_bit | 1 << 16);
    TRY(r, IRET);
    ck_assert_uint_eq(r->cross.w[2] & 0xff0000, 0);
    ring_free(r);
}

BOTH(checks_93_a_virtual_8086_task_has_segments_of_64_kib_and_level_3)
{
    struct ring *r = world();

    for (unsigned i = 0; i < 6; i++)
        poke(r, SEG_AT(i), 0x1000 + i, 4); /* no descriptors are read */
    poke(r, NEW_TSS + O_FLAGS, RF_VM | RF_IF | 0x3002, 4);
    poke(r, NEW_TSS + O_IP, 0x1234, 4);
    FROM(r, 0, CALL_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1234);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), RF_VM | RF_IF | 0x3002 | RF_NT);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(get(r, RS_REG_ES + i), 0x1000 + i);
        ck_assert_uint_eq(get(r, RS_REG_ES_BASE + i), 0x10000 + 16 * i);
        ck_assert_uint_eq(get(r, RS_REG_ES_LIMIT + i), 0xffff);
        ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + i), 0xf3); /* writable data of DPL 3, accessed */
    }
    new_task32(r, 0); /* IP beyond 64 KiB: #GP(0) of the new task, before its first instruction */
    poke(r, NEW_TSS + O_FLAGS, RF_VM | 2, 4);
    poke(r, NEW_TSS + O_IP, 0x10000, 4);
    FROM(r, 0, JMP_TO(T_NEW));
    ck_assert_uint_eq(r->rule, RS_RULE_LIMIT_FETCH);
    ck_assert_uint_eq(r->fault_vector, VEC_GP);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ring_free(r);
}

BOTH(checks_70_a_task_linked_to_itself_returns_to_itself)
{
    struct ring *r = world();

    poke(r, TSS, S_TSS, 2);
    BACK;
    ALLOWED(r); /* saved, its busy bit cleared, loaded again */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 1);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ck_assert_uint_eq(get(r, RS_REG_TR), S_TSS);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS);
    ring_free(r);
}

BOTH(checks_93_nested_tasks_of_three_levels_unwind)
{
    struct ring *r = world();
    enum { THIRD = 0x215000 };

    gdt(r, T_X, D_SYSTEM(SYS_TSS, THIRD, 0x67));
    for (unsigned i = 0; i < 0x68; i += 4) poke(r, THIRD + i, peek(r, NEW_TSS + i, 4), 4);
    poke(r, THIRD + O_IP, NEW_IP + 0x100, 4);
    FROM(r, 0, CALL_TO(T_NEW));
    TRY(r, CALL_TO(T_X));
    ALLOWED(r);
    ck_assert_uint_eq(peek(r, THIRD, 2), T_NEW);
    ck_assert_uint_eq(peek(r, NEW_TSS + O_FLAGS, 4), 2 | RF_NT); /* CALL saves NT as it is */
    TRY(r, IRET);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP + 7);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2 | RF_NT);
    TRY(r, IRET);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_TR), S_TSS);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2);
    ring_free(r);
}

/* ---- refused after the commit: the new task's fault ------------------------------------------------------ */

/* A switch to the task as it has been spoilt: the new one's first instruction is where the fault is. */
#define SPOILT(r, RULE, vec, error)                                                                \
    do {                                                                                           \
        FROM((r), 0, JMP_TO(T_NEW));                                                               \
        REFUSED(r, RULE, vec, error);                                                              \
        ck_assert_uint_eq(get((r), RS_REG_TR), T_NEW);                                             \
        ck_assert_uint_eq(type_at((r), OLD_BUSY), SYS_TSS);                                        \
        ck_assert_uint_eq(type_at((r), NEW_BUSY), SYS_TSS_BUSY);                                   \
        ck_assert_uint_eq(old((r), O_IP), CODE + 7);                                               \
        new_task32((r), 3);                                                                        \
    } while (0)

BOTH(checks_93_selectors_that_will_not_load_are_the_new_tasks_fault)
{
    struct ring *r = world();

    new_task32(r, 3);
    poke(r, NEW_TSS + O_LDT, T_LDT | 4, 4);
    SPOILT(r, TASK_LDT_TABLE, TS, T_LDT | 4);
    poke(r, NEW_TSS + O_LDT, T_END, 4);
    SPOILT(r, TASK_LDT_TABLE, TS, T_END);
    poke(r, NEW_TSS + O_LDT, S_DATA, 4);
    SPOILT(r, TASK_LDT_TYPE, TS, S_DATA);
    poke(r, NEW_TSS + O_LDT, S_TSS, 4);
    SPOILT(r, TASK_LDT_TYPE, TS, S_TSS);
    gdt(r, T_X, D_SYSTEM(SYS_LDT, LDT, 0xff) & ~D_P);
    poke(r, NEW_TSS + O_LDT, T_X, 4);
    SPOILT(r, TASK_LDT_P, TS, T_X);

    poke(r, SEG_AT(I_CS), 3, 4);
    SPOILT(r, TASK_CS_TABLE, TS, 0);
    poke(r, SEG_AT(I_CS), T_END | 3, 4);
    SPOILT(r, TASK_CS_TABLE, TS, T_END);
    poke(r, SEG_AT(I_CS), S_DATA3 | 3, 4);
    SPOILT(r, TASK_CS_TYPE, TS, S_DATA3);
    poke(r, SEG_AT(I_CS), S_CODE_32 | 3, 4);
    SPOILT(r, TASK_CS_DPL, TS, S_CODE_32);
    gdt(r, T_X, D_CODE32 | D_CONFORMING | D_DPL(3));
    poke(r, SEG_AT(I_CS), T_X | 1, 4);
    SPOILT(r, TASK_CS_DPL, TS, T_X);
    gdt(r, T_X, (D_CODE32 | D_DPL(3)) & ~D_P);
    poke(r, SEG_AT(I_CS), T_X | 3, 4);
    SPOILT(r, TASK_CS_P, NP, T_X);

    poke(r, SEG_AT(I_SS), 3, 4);
    SPOILT(r, TASK_SS_TABLE, TS, 0);
    poke(r, SEG_AT(I_SS), T_END | 3, 4);
    SPOILT(r, TASK_SS_TABLE, TS, T_END);
    poke(r, SEG_AT(I_SS), S_CODE3_32 | 3, 4);
    SPOILT(r, TASK_SS_TYPE, TS, S_CODE3_32);
    poke(r, SEG_AT(I_SS), S_DATA | 3, 4);
    SPOILT(r, TASK_SS_DPL, TS, S_DATA);
    poke(r, SEG_AT(I_SS), S_DATA3, 4); /* by RPL */
    SPOILT(r, TASK_SS_DPL, TS, S_DATA3);
    gdt(r, T_X, (D_DATA | D_DPL(3)) & ~D_P);
    poke(r, SEG_AT(I_SS), T_X | 3, 4);
    SPOILT(r, TASK_SS_P, SS, T_X);

    poke(r, SEG_AT(I_DS), T_END | 3, 4);
    SPOILT(r, TASK_DATA_TABLE, TS, T_END);
    poke(r, SEG_AT(I_ES), T_NEW, 4);
    SPOILT(r, TASK_DATA_TYPE, TS, T_NEW);
    poke(r, SEG_AT(I_FS), S_DATA, 4);
    SPOILT(r, TASK_DATA_DPL, TS, S_DATA);
    poke(r, SEG_AT(I_GS), T_X, 4);
    SPOILT(r, TASK_DATA_P, NP, T_X);
    gdt(r, T_X,
        D_CODE32 | D_CONFORMING | D_DPL(2)); /* conforming code serves RPL and CPL of 2 and more */
    poke(r, SEG_AT(I_CS), T_X | 3, 4);
    poke(r, SEG_AT(I_GS), T_X, 4);
    FROM(r, 0, JMP_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
    ck_assert_uint_eq(get(r, RS_REG_CS), T_X | 3);
    ck_assert_uint_eq(get(r, RS_REG_GS), T_X);
    new_task32(r, 0);
    poke(r, SEG_AT(I_CS), T_CONF, 4);
    FROM(r, 0, JMP_TO(T_NEW));
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_93_a_fault_after_the_commit_shows_the_new_tasks_state)
{
    struct ring *r = world();

    new_task32(r, 3);
    poke(r, SEG_AT(I_ES), S_DATA, 4);
    poke(r, NEW_TSS + O_FLAGS, 0x202, 4);
    FROM(r, 0, CALL_TO(T_NEW));
    REFUSED(r, TASK_DATA_DPL, TS, S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK0 - 24); /* of the new TSS, from level 3 */
    ck_assert_uint_eq(slot(r, 0), S_DATA);
    ck_assert_uint_eq(slot(r, 1), NEW_IP);
    ck_assert_uint_eq(slot(r, 2), S_CODE3_32 | 3);
    ck_assert_uint_eq(slot(r, 3), 0x202 | RF_NT | RF_RF);
    ck_assert_uint_eq(slot(r, 4), NEW_STACK);
    ck_assert_uint_eq(slot(r, 5), S_DATA3 | 3);
    ck_assert_uint_eq(get(r, RS_REG_ES), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_ES) & ATTR_UNUSABLE, ATTR_UNUSABLE);
    ck_assert_uint_eq(get(r, RS_REG_CR0) & CR0_TS, CR0_TS);
    new_task32(r, 3); /* EIP beyond CS's limit: #GP(0), of the new task */
    gdt(r, T_X, 0x0040fb000000ffffull);
    poke(r, SEG_AT(I_CS), T_X | 3, 4);
    FROM(r, 0, JMP_TO(T_NEW));
    REFUSED(r, LIMIT_FETCH, GP, 0);
    ck_assert_uint_eq(slot(r, 1), NEW_IP);
    ck_assert_uint_eq(slot(r, 2), T_X | 3);
    ring_free(r);
}

/* ---- 16 bits ---------------------------------------------------------------------------------------------------- */

static void new_task16(struct ring *r)
{
    new_task32(r, 0);
    gdt(r, T_NEW, D_SYSTEM(SYS_TSS16, NEW_TSS, 0x2b));
    for (unsigned i = 0; i < 0x2c; i += 2) poke(r, NEW_TSS + i, 0, 2);
    poke(r, NEW_TSS + 0x0e, 0x1000, 2);
    poke(r, NEW_TSS + 0x10, 0x0202, 2);
    for (unsigned i = 0; i < 8; i++) poke(r, NEW_TSS + 0x12 + 2 * i, 0x9000 + i, 2);
    poke(r, NEW_TSS + 0x22, S_DATA, 2);
    poke(r, NEW_TSS + 0x24, S_CODE_32, 2);
    poke(r, NEW_TSS + 0x26, T_SS16, 2);
    poke(r, NEW_TSS + 0x28, S_DATA3, 2);
    poke(r, 0x1000, 0xcf, 1);
}

BOTH(checks_94_a_16_bit_tss_loads_words_and_loses_upper_halves)
{
    struct ring *r = world();

    new_task16(r);
    FROM(r, 0, CALL_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1000);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 0x202 | RF_NT);
    for (unsigned i = 0; i < 8; i++) ck_assert_uint_eq(get(r, RS_REG_RAX + i), 0xffff9000 + i);
    ck_assert_uint_eq(get(r, RS_REG_ES), S_DATA);
    ck_assert_uint_eq(get(r, RS_REG_SS), T_SS16);
    ck_assert_uint_eq(get(r, RS_REG_FS), 0);
    ck_assert_uint_eq(get(r, RS_REG_GS), 0);
    ck_assert_uint_eq(get(r, RS_REG_ES_ATTR + I_TR) & 15, SYS_TSS16_BUSY);
    ck_assert_uint_eq(type_at(r, NEW_BUSY), SYS_TSS16_BUSY);
    ck_assert_uint_eq(old(r, O_IP), CODE + 7);
    poke(r, NEW_TSS + 0x2a, 0x7777, 2); /* LDT: not written */
    go(r, 1);                           /* IRET */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7);
    ck_assert_uint_eq(peek(r, NEW_TSS + 0x0e, 2), 0x1001);
    ck_assert_uint_eq(peek(r, NEW_TSS + 0x10, 2), 0x202);
    for (unsigned i = 0; i < 8; i++)
        ck_assert_uint_eq(peek(r, NEW_TSS + 0x12 + 2 * i, 2), 0x9000 + i);
    ck_assert_uint_eq(peek(r, NEW_TSS + 0x26, 2), T_SS16);
    ck_assert_uint_eq(peek(r, NEW_TSS + 0x2a, 2), 0x7777);
    ck_assert_uint_eq(type_at(r, NEW_BUSY), SYS_TSS16);
    ring_free(r);
}

BOTH(checks_94_the_error_code_has_the_size_of_the_new_tss)
{
    struct ring *r = world();

    new_task16(r);
    poke(r, 0x1000, 0xfeeb, 2);
    idt_task(r, VEC_GP, T_NEW);
    at_level(r, 3);
    reg(r, RS_REG_RAX, T_END);
    TRY(r, 0x8e, 0xd8);
    ck_assert_uint_eq(get(r, RS_REG_RIP), 0x1000);
    ck_assert_uint_eq(get(r, RS_REG_RSP), 0xffff9002);
    ck_assert_uint_eq(peek(r, 0x9002, 2), T_END);
    ck_assert_uint_eq(old(r, O_FLAGS), 2 | RF_RF);
    ring_free(r);
}

BOTH(checks_94_a_16_bit_task_is_left_for_a_32_bit_one)
{
    struct ring *r = world();

    segment(r, I_TR, S_TSS, TSS, 0x29, ATTR_P | SYS_TSS16_BUSY);
    poke(r, OLD_BUSY, 0x80 | SYS_TSS16_BUSY, 1);
    poke(r, TSS + 0x2a, 0x5a5a, 2);
    at_level(r, 0);
    reg(r, RS_REG_RAX, 0x12345678);
    reg(r, RS_REG_RFLAGS, 2 | RF_AC);
    TRY(r, JMP_TO(T_NEW));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(type_at(r, OLD_BUSY), SYS_TSS16);
    ck_assert_uint_eq(peek(r, TSS + 0x0e, 2), (CODE + 7) & 0xffff);
    ck_assert_uint_eq(peek(r, TSS + 0x10, 2), 2);
    ck_assert_uint_eq(peek(r, TSS + 0x12, 2), 0x5678);
    ck_assert_uint_eq(peek(r, TSS + 0x24, 2), S_CODE_32);
    ck_assert_uint_eq(peek(r, TSS + 0x2a, 2), 0x5a5a);
    ring_free(r);
}

/* ---- IA-32e mode has none ------------------------------------------------------------------------------------ */

BOTH(checks_93_a_virtual_8086_task_is_left_through_a_task_gate_and_found_again)
{
    struct ring *r = world();
    enum { THIRD = 0x215000 };

    gdt(r, T_X, D_SYSTEM(SYS_TSS, THIRD, 0x67));
    for (unsigned i = 0; i < 0x68; i += 4) poke(r, THIRD + i, peek(r, NEW_TSS + i, 4), 4);
    for (unsigned i = 0; i < 6; i++) poke(r, SEG_AT(i), 0x1000 + i, 4);
    poke(r, NEW_TSS + O_FLAGS, RF_VM | 0x3002, 4);
    poke(r, NEW_TSS + O_IP, 0x100, 4);
    idt_task(r, 0x80, T_X);
    idt_task(r, VEC_UD, T_X);
    FROM(r, 0, JMP_TO(T_NEW));
    ALLOWED(r);
    for (unsigned fault = 0; fault < 2; fault++) {
        uint64_t ip = get(r, RS_REG_RIP);
        static const uint8_t code[2][2] = {{INT(0x80)}, {0x0f, 0x0b}};
        ck_assert_int_eq(rs_phys_write(r->m, 0x10010 + ip, code[fault], 2), RS_OK);
        poke(r, NEW_IP, 0x90cf, 2); /* IRET */
        poke(r, THIRD + O_IP, NEW_IP, 4);
        go(r, 1); /* the fault retires nothing: its task's IRET does */
        if (!fault) {
            ck_assert_uint_eq(get(r, RS_REG_TR), T_X);
            ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
            ck_assert_uint_eq(peek(r, NEW_TSS + O_FLAGS, 4), RF_VM | 0x3002);
            ck_assert_uint_eq(peek(r, SEG_AT(I_GS), 4), 0x1005);
            go(r, 1);
        }
        ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
        ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_VM, RF_VM);
        ck_assert_uint_eq(get(r, RS_REG_CPL), 3);
        ck_assert_uint_eq(get(r, RS_REG_ES_BASE + I_CS), 0x10010);
        ck_assert_uint_eq(get(r, RS_REG_RIP), ip + (fault ? 0 : 2));
    }
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_RF, RF_RF);
    ring_free(r);
}

BOTH(checks_94_a_double_fault_task_survives_a_kernel_without_a_stack)
{
    struct ring *r = world();

    idt_task(r, VEC_DF, T_NEW);
    poke(r, NEW_IP, 0xfeeb, 2);
    at_level(r, 0);
    segment(r, I_SS, S_DATA, 0, 0xf, ATTR_P | ATTR_S | 3 | ATTR_DB);
    TRY(r, 0x0f, 0x0b); /* #UD, whose frame is #SS, whose frame is #SS: #DF */
    ck_assert_uint_eq(r->faults, 4);
    ck_assert_uint_eq(get(r, RS_REG_TR), T_NEW);
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    ck_assert_uint_eq(get(r, RS_REG_RSP), NEW_STACK - 4);
    ck_assert_uint_eq(slot(r, 0), 0);
    ck_assert_uint_eq(old(r, O_IP), CODE);
    ck_assert_uint_eq(old(r, O_GPR + 16), STACK1);
    ck_assert_uint_eq(peek(r, NEW_TSS, 2), S_TSS);
    ring_free(r);
}

BOTH(checks_93_single_steps_follow_the_instruction_and_then_the_new_tasks_tf)
{
    struct ring *r = world();

    at_level(r, 0); /* TF of the old task: a trap after its JMP, in the new one */
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    TRY(r, JMP_TO(T_NEW));
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), NEW_IP);
    ck_assert_uint_eq(old(r, O_FLAGS), 2 | RF_TF);
    new_task32(r, 0); /* TF of the new one: after its first instruction */
    poke(r, NEW_TSS + O_FLAGS, 2 | RF_TF, 4);
    poke(r, NEW_IP, 0x9090, 2);
    FROM(r, 0, JMP_TO(T_NEW));
    ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP);
    go(r, 2);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, 0), NEW_IP + 1);
    ck_assert_uint_eq(slot(r, 2), 2 | RF_TF);
    ring_free(r);
}

BOTH(checks_61_a_breakpoint_on_the_first_instruction_of_a_task_is_met_unless_local_or_rf)
{
    static const struct {
        unsigned dr7, flags;
        bool met;
    } cases[] = {{0x402, 2, true}, {0x401, 2, false}, {0x402, 2 | RF_RF, false}};

    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct ring *r = world();
        poke(r, NEW_TSS + O_FLAGS, cases[i].flags, 4);
        poke(r, NEW_IP, 0x9090, 2);
        at_level(r, 0);
        reg(r, RS_REG_DR0, NEW_IP);
        reg(r, RS_REG_DR7, cases[i].dr7);
        TRY(r, JMP_TO(T_NEW));
        go(r, 1);
        ck_assert_int_eq(r->vector, cases[i].met ? VEC_DB : -1);
        if (cases[i].met) ck_assert_uint_eq(slot(r, 0), NEW_IP);
        else ck_assert_uint_eq(get(r, RS_REG_RIP), NEW_IP + 1);
        ck_assert_uint_eq(get(r, RS_REG_DR6) & 1, cases[i].met);
        ring_free(r);
    }
}

BOTH(checks_70_there_are_no_tasks_in_ia_32e_mode)
{
    struct ring *r = ring_new(false);

    gdt(r, S_FREE, D_SYSTEM(SYS_TSS, NEW_TSS, 0x67));
    poke(r, DATA, (uint64_t)S_FREE << 32, 8);
    at_level(r, 0);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x28);
    REFUSED(r, CS_TYPE, GP, S_FREE);
    task_gate(r, S_FREE, S_TSS, 3);
    at_level(r, 0);
    reg(r, RS_REG_RAX, DATA);
    TRY(r, 0xff, 0x18);
    REFUSED(r, CS_TYPE, GP, S_FREE);
    idt(r, 0x80, S_TSS, 0, SYS_TASK, 3, 0);
    at_level(r, 0);
    TRY(r, INT(0x80));
    REFUSED(r, IDT_TYPE, GP, 0x80 * 8 + 2);
    at_level(r, 0);
    reg(r, RS_REG_RFLAGS, 2 | RF_NT);
    TRY(r, 0x48, 0xcf);
    REFUSED(r, IRET_NT, GP, 0);
    ring_free(r);
}

RUN_TESTS("tasks", checks_93_a_jump_to_a_tss_saves_the_old_task_and_loads_the_new_one,
          checks_93_a_call_nests_and_iret_returns,
          checks_93_ldt_and_local_selectors_come_from_the_new_task,
          checks_93_the_t_flag_traps_before_the_first_instruction_and_local_breakpoints_go,
          a_switch_tells_of_ts_and_tr_and_sets_accessed_bits,
          checks_93_reserved_halves_and_other_bits_of_descriptors_stay,
          checks_94_int_n_and_an_exception_through_a_task_gate,
          checks_94_errors_on_the_way_into_an_events_task_carry_ext,
          checks_93_int_n_is_judged_by_the_dpl_of_its_task_gate,
          checks_93_the_tss_is_judged_before_anything_is_saved,
          checks_70_iret_from_a_nested_task_judges_the_link_as_ts,
          checks_93_selectors_that_will_not_load_are_the_new_tasks_fault,
          checks_93_a_fault_after_the_commit_shows_the_new_tasks_state,
          checks_94_an_interrupt_finds_its_task_and_its_refusals_say_ext,
          checks_93_a_task_with_if_set_lets_a_pending_interrupt_in_at_once,
          a_cross_says_whether_the_idt_sent_it, checks_93_a_virtual_8086_task_has_segments_of_64_kib_and_level_3,
          checks_70_a_task_linked_to_itself_returns_to_itself,
          checks_93_nested_tasks_of_three_levels_unwind,
          checks_94_a_16_bit_tss_loads_words_and_loses_upper_halves,
          checks_94_the_error_code_has_the_size_of_the_new_tss,
          checks_94_a_16_bit_task_is_left_for_a_32_bit_one,
          checks_93_a_virtual_8086_task_is_left_through_a_task_gate_and_found_again,
          checks_94_a_double_fault_task_survives_a_kernel_without_a_stack,
          checks_93_single_steps_follow_the_instruction_and_then_the_new_tasks_tf,
          checks_61_a_breakpoint_on_the_first_instruction_of_a_task_is_met_unless_local_or_rf,
          checks_70_there_are_no_tasks_in_ia_32e_mode)
