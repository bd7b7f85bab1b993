/*
 * test_lines.c - lines of tests/checks.def that no other file of this folder takes up, on both engines:
 * power-up, shutdown and INIT; shift counts; system calls from where they may not be made; devices
 * untouched by instructions that fault.
 * Manual: SDM 3A "Processor State After Reset"; SDM 2 by instruction; SDM 3A "Restarting".
 */
#include "tests/cpu/both.h"

/* ---- reset, INIT, shutdown ---------------------------------------------------------------------------- */

static const struct {
    unsigned id;
    uint64_t value;
} after_reset[] = {{RS_REG_RIP, 0xfff0},
                   {RS_REG_RFLAGS, 2},
                   {RS_REG_RAX, 0},
                   {RS_REG_RSP, 0},
                   {RS_REG_CS, 0xf000},
                   {RS_REG_CS_BASE, 0xffff0000},
                   {RS_REG_ES_LIMIT + I_CS, 0xffff},
                   {RS_REG_SS, 0},
                   {RS_REG_SS_BASE, 0},
                   {RS_REG_ES_LIMIT + I_DS, 0xffff},
                   {RS_REG_GDTR_BASE, 0},
                   {RS_REG_GDTR_LIMIT, 0xffff},
                   {RS_REG_IDTR_BASE, 0},
                   {RS_REG_IDTR_LIMIT, 0xffff},
                   {RS_REG_CR2, 0},
                   {RS_REG_CR3, 0},
                   {RS_REG_CR4, 0},
                   {RS_REG_CR8, 0},
                   {RS_REG_EFER, 0},
                   {RS_REG_DR0, 0},
                   {RS_REG_DR6, 0xffff0ff0},
                   {RS_REG_DR7, 0x400}};

static void is_reset(struct ring *r, uint64_t cr0)
{
    for (unsigned i = 0; i < sizeof after_reset / sizeof *after_reset; i++)
        ck_assert_msg(get(r, after_reset[i].id) == after_reset[i].value, "%s = %#llx",
                      rs_reg_name(after_reset[i].id),
                      (unsigned long long)get(r, after_reset[i].id));
    ck_assert_uint_eq(get(r, RS_REG_CR0), cr0);
}

BOTH(checks_72_power_up_is_as_the_table_says)
{
    struct ring r = {.hears = false};
    struct rs_config config;

    config_init(&config);
    ck_assert_int_eq(rs_create(&config, &r.m, NULL, 0), RS_OK);
    is_reset(&r, 0x60000010);
    ck_assert_uint_eq(get(&r, RS_REG_PAT), 0x0007040600070406);
    ck_assert_uint_eq(get(&r, RS_REG_MXCSR), 0x1f80);
    ck_assert_uint_eq(get(&r, RS_REG_APIC_BASE), 0xfee00900);
    rs_destroy(r.m);
}

BOTH(checks_72_shutdown_keeps_every_register_of_the_instruction_that_led_there)
{
    struct ring *r = ring_new(false);

    reg(r, RS_REG_IDTR_LIMIT, 0);
    reg(r, RS_REG_RAX, 0x1234);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF);
    TRY(r, 0x0f, 0x0b);
    ck_assert_int_eq(r->stop.reason, RS_STOP_TRIPLE_FAULT);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x1234);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & ~(uint64_t)RF_RF, 2 | RF_IF);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1);
    ring_free(r);
}

/* ---- shifts ------------------------------------------------------------------------------------------- */

/* D0 to D3, C0 and C1 by their ModRM.reg. */
enum { ROL, ROR, RCL, RCR, SHL, SHR, SAR = 7 };

/* One shift of RAX's part by CL; returns RAX, flags in *flags. */
static uint64_t shift(struct ring *r, unsigned what, unsigned width, uint64_t value, unsigned count,
                      uint64_t *flags)
{
    uint8_t code[4] = {0x90, 0x90, (uint8_t)(width == 8 ? 0xd2 : 0xd3),
                       (uint8_t)(0xc0 | what << 3)};

    if (width == 16) code[1] = 0x66;
    if (width == 64) code[1] = 0x48;
    at_level(r, 3);
    reg(r, RS_REG_RAX, value);
    reg(r, RS_REG_RCX, count);
    reg(r, RS_REG_RFLAGS, *flags);
    ck_assert_int_eq(rs_phys_write(r->m, CODE, code, 4), RS_OK);
    go(r, code[1] == 0x90 ? 3 : 2);
    ALLOWED(r);
    *flags = get(r, RS_REG_RFLAGS);
    return get(r, RS_REG_RAX);
}

BOTH(checks_102_a_count_has_five_bits_six_for_64_and_0_changes_no_flag)
{
    static const unsigned what[] = {ROL, ROR, RCL, RCR, SHL, SHR, SAR}, width[] = {8, 16, 32, 64};
    const uint64_t all = 2 | RF_CF | RF_PF | RF_AF | RF_ZF | RF_SF | RF_OF,
                   value = 0x8123456789abcdefull;
    struct ring *r = ring_new(false);

    for (unsigned i = 0; i < 7 * 4; i++) {
        unsigned w = width[i % 4], bits = w == 64 ? 64 : 32;
        for (unsigned set = 0; set <= 1; set++) {
            uint64_t before = set ? all : 2, flags = before;
            uint64_t got = shift(r, what[i / 4], w, value, bits, &flags);

            ck_assert_uint_eq(got, w == 32
                                       ? (uint32_t)value
                                       : value); /* a 32-bit destination is written all the same */
            ck_assert_uint_eq(flags, before);
        }
        uint64_t by_1 = 2, by_more = 2;
        ck_assert_uint_eq(shift(r, what[i / 4], w, value, 1, &by_1),
                          shift(r, what[i / 4], w, value, bits + 1, &by_more));
        ck_assert_uint_eq(by_1, by_more);
    }
    ring_free(r);
}

BOTH(checks_102_rotates_through_carry_go_round_after_9_and_17_bits)
{
    struct ring *r = ring_new(false);

    for (unsigned carry = 0; carry <= 1; carry++) {
        uint64_t flags = 2 | carry;

        ck_assert_uint_eq(shift(r, RCL, 8, 0xa5, 9, &flags) & 0xff, 0xa5);
        ck_assert_uint_eq(flags & RF_CF, carry);
        ck_assert_uint_eq(shift(r, RCR, 8, 0xa5, 18, &flags) & 0xff, 0xa5);
        ck_assert_uint_eq(flags & RF_CF, carry);
        ck_assert_uint_eq(shift(r, RCR, 16, 0x1234, 17, &flags) & 0xffff, 0x1234);
        ck_assert_uint_eq(flags & RF_CF, carry);
        ck_assert_uint_eq(shift(r, RCL, 8, 0x80, 10, &flags) & 0xff, carry); /* as by 1 */
        ck_assert_uint_eq(flags & RF_CF, 1);
    }
    ring_free(r);
}

/* OF by the manual: SHL top bit against CF, SHR the old top bit, SAR 0, rotates likewise. */
BOTH(checks_102_of_is_set_by_counts_of_1)
{
    static const struct {
        unsigned what;
        uint32_t value;
        bool cf, of;
    } row[] = {{SHL, 0x40000000, false, true},  {SHL, 0xc0000000, true, false},
               {SHL, 0x80000000, true, true},   {SHR, 0x80000001, true, true},
               {SHR, 0x40000000, false, false}, {SAR, 0x80000001, true, false},
               {ROL, 0x40000000, false, true},  {ROL, 0xc0000000, true, false},
               {ROR, 0x00000001, true, true},   {ROR, 0x80000000, false, true},
               {ROR, 0x80000001, true, false}};
    struct ring *r = ring_new(false);

    for (unsigned i = 0; i < sizeof row / sizeof *row; i++) {
        uint64_t flags = 2;

        shift(r, row[i].what, 32, row[i].value, 1, &flags);
        ck_assert_msg(((flags & RF_CF) != 0) == row[i].cf && ((flags & RF_OF) != 0) == row[i].of,
                      "row %u: %#llx", i, (unsigned long long)flags);
    }
    ring_free(r);
}

/* ---- system calls ------------------------------------------------------------------------------------- */

/* 32-bit code in IA-32e mode. */
static void compatibility(struct ring *r, unsigned cpl)
{
    at_level(r, cpl);
    segment(r, I_CS, (cpl ? S_CODE3_32 : S_CODE_32) | cpl, 0, 0xffffffff,
            ATTR_G | ATTR_P | ATTR_S | 11 | cpl << 5 | ATTR_DB);
}

BOTH(checks_119_syscall_and_sysret_are_undefined_in_compatibility_mode)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v3");

    reg(r, RS_REG_EFER, get(r, RS_REG_EFER) | EFER_SCE);
    compatibility(r, 3);
    TRY(r, 0x0f, 0x05);
    REFUSED(r, INSN_64, UD, 0);
    compatibility(r, 0);
    TRY(r, 0x0f, 0x07);
    REFUSED(r, INSN_64, UD, 0);
    at_level(r, 3);
    TRY(r, 0x0f, 0x07); /* sysret above level 0 */
    REFUSED(r, INSN_CPL0, GP, 0);
    ring_free(r);
}

BOTH(checks_119_swapgs_is_for_level_0_and_undefined_outside_64_bit_mode)
{
    struct ring *r = ring_new(false);

    at_level(r, 3);
    TRY(r, 0x0f, 0x01, 0xf8);
    REFUSED(r, INSN_CPL0, GP, 0);
    compatibility(r, 0);
    TRY(r, 0x0f, 0x01, 0xf8);
    ck_assert_int_eq(r->vector, VEC_UD);
    at_level(r, 0);
    reg(r, RS_REG_GS_BASE, 0x1111);
    reg(r, RS_REG_KERNEL_GS_BASE, 0x2222);
    TRY(r, 0x0f, 0x01, 0xf8);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_GS_BASE), 0x2222);
    ck_assert_uint_eq(get(r, RS_REG_KERNEL_GS_BASE), 0x1111);
    ring_free(r);
}

BOTH(checks_119_the_base_instructions_hang_on_cr4_fsgsbase_and_64_bit_mode)
{
    struct ring *r = ring_new(false);

    for (uint8_t form = 0; form < 4; form++) { /* rdfsbase, rdgsbase, wrfsbase, wrgsbase eax */
        reg(r, RS_REG_CR4, get(r, RS_REG_CR4) & ~(uint64_t)CR4_FSGSBASE);
        at_level(r, 0);
        TRY(r, 0xf3, 0x0f, 0xae, (uint8_t)(0xc0 | form << 3));
        REFUSED(r, INSN_FSGSBASE, UD, 0);
        reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | CR4_FSGSBASE);
        compatibility(r, 0);
        TRY(r, 0xf3, 0x0f, 0xae, (uint8_t)(0xc0 | form << 3));
        ck_assert_int_eq(r->vector, VEC_UD);
        at_level(r, 3);
        TRY(r, 0xf3, 0x0f, 0xae, (uint8_t)(0xc0 | form << 3));
        ALLOWED(r);
    }
    ring_free(r);
}

/* ---- NMI ---------------------------------------------------------------------------------------------- */

/* The local APIC on; RBX holds its address and EAX what sends an NMI to this processor. */
static struct ring *nmi_world(void)
{
    struct ring *r = ring_new(false);

    reg(r, RS_REG_RBX, 0xfee00000);
    reg(r, RS_REG_RAX, 0x1ff);
    TRY(r, 0x89, 0x83, 0xf0, 0, 0, 0); /* mov [rbx+0xf0], eax */
    ALLOWED(r);
    reg(r, RS_REG_RAX, 0x4400);
    return r;
}

#define SEND_IPI 0x89, 0x83, 0x00, 0x03, 0, 0 /* mov [rbx+0x300], eax */
#define IRETQ 0x48, 0xcf

/* What INIT keeps, by its register. */
static const struct {
    unsigned id;
    uint64_t value;
} kept[] = {{RS_REG_LSTAR, 0xffff800000001234}, {RS_REG_STAR, 0x001b000800000000}, {RS_REG_TSC_AUX, 7},
            {RS_REG_PAT, 0x0007040600070401},   {RS_REG_KERNEL_GS_BASE, 0x5678},  {RS_REG_MXCSR, 0x1fbf}};

/* INIT to itself, by destination 0 (a shorthand would not carry it), from this level. */
static void init_from(unsigned cpl, uint64_t cr0)
{
    struct ring *r = nmi_world();
    uint64_t insns;

    at_level(r, cpl);
    reg(r, RS_REG_CR0, get(r, RS_REG_CR0) | cr0);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF | RF_DF | RF_CF);
    reg(r, RS_REG_CR8, 3);
    reg(r, RS_REG_CR2, 0x1234);
    reg(r, RS_REG_DR0, 0x1234);
    reg(r, RS_REG_DR7, 0x402);
    for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++) reg(r, kept[i].id, kept[i].value);
    poke(r, DATA, 0, 8);
    reg(r, RS_REG_RAX, 0x4500);
    reg(r, RS_REG_RCX, DATA);
    ck_assert_int_eq(rs_break_add(r->m, 0xfffffff0), RS_OK);
    insns = r->stop.insns;
    /* the store is not the last of its block */
    ck_assert_int_eq(rs_phys_write(r->m, CODE, (const uint8_t[]){SEND_IPI, 0x48, 0x89, 0x01, 0x90}, 10), RS_OK);
    go(r, 100);
    ck_assert_int_eq(r->stop.reason, RS_STOP_BREAKPOINT);
    ck_assert_uint_eq(r->stop.insns, insns + 1);
    is_reset(r, cr0 | 0x10); /* CD and NW stay */
    ck_assert_uint_eq(get(r, RS_REG_CPL), 0);
    ck_assert_uint_ne(get(r, RS_REG_RDX), 0); /* the signature */
    ck_assert_uint_eq(get(r, RS_REG_RBX), 0);
    ck_assert_uint_eq(get(r, RS_REG_APIC_BASE), 0xfee00900);
    ck_assert_uint_eq(peek(r, DATA, 8), 0); /* nothing ran on behind the store */
    for (unsigned i = 0; i < sizeof kept / sizeof *kept; i++)
        ck_assert_msg(get(r, kept[i].id) == kept[i].value, "%s has changed", rs_reg_name(kept[i].id));
    ring_free(r);
}

BOTH(checks_72_init_resets_registers_and_keeps_msrs_sse_and_cd_nw)
{
    init_from(0, 0);
    init_from(0, 0x60000000);
    init_from(3, 0);
}

/* IF and TF clear, no error code whatever the vector. SDM 2A "INT n". */
BOTH(checks_55_int_n_through_every_vector_pushes_no_error_code)
{
    for (unsigned mode = 0; mode < 2; mode++) {
        struct ring *r = ring_new(mode != 0);
        for (unsigned v = 0; v < 256; v++) {
            at_level(r, 0);
            reg(r, RS_REG_RFLAGS, 2 | RF_IF);
            TRY(r, 0xcd, (uint8_t)v);
            ck_assert_int_eq(r->vector, (int)v);
            ck_assert_uint_eq(get(r, RS_REG_RSP), STACK1 - (r->prot32 ? 12 : 40));
            ck_assert_uint_eq(slot(r, 0), CODE + 2);
            ck_assert_uint_eq(slot(r, 2), 2 | RF_IF);
            ck_assert_uint_eq(get(r, RS_REG_RFLAGS), 2);
        }
        ring_free(r);
    }
}

/* Each step is one instruction; an NMI that is taken leads to handler(2), whose code we are writing. */
BOTH(checks_67_nmis_wait_for_an_iret_and_two_of_them_are_one)
{
    struct ring *r = nmi_world();
    uint64_t sent = get(r, RS_REG_RIP);

    TRY(r, SEND_IPI);
    go(r, 1); /* the jump at the handler */
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), sent + 6);
    TRY(r, SEND_IPI);
    TRY(r, SEND_IPI);
    ck_assert_uint_eq(get(r, RS_REG_RIP), handler(VEC_NMI) + 12);
    TRY(r, 0x90); /* still blocked */
    ck_assert_uint_eq(get(r, RS_REG_RIP), handler(VEC_NMI) + 13);
    poke(r, sent + 6, 0xfeeb, 2);
    reg(r, RS_REG_RIP, CODE + 0x800); /* any IRET will do, not the handler's alone */
    poke(r, handler(VEC_NMI), 0xfeeb, 2);
    TRY(r, IRETQ);
    go(r, 1);
    ck_assert_uint_eq(get(r, RS_REG_RIP), handler(VEC_NMI));
    ck_assert_uint_eq(slot(r, 0), sent + 6); /* it came before the instruction that IRET went to */
    TRY(r, IRETQ);
    go(r, 1);
    ck_assert_uint_eq(get(r, RS_REG_RIP),
                      sent + 6); /* the second was kept, the third was the second */
    ring_free(r);
}

BOTH(checks_67_an_iret_that_faults_has_unblocked_nmis)
{
    struct ring *r = nmi_world();

    TRY(r, SEND_IPI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    TRY(r, SEND_IPI);
    reg(r, RS_REG_RFLAGS, 2 | RF_NT);
    TRY(r, IRETQ); /* #GP, then at its handler the NMI */
    ck_assert_uint_eq(r->rule, RS_RULE_IRET_NT);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), handler(VEC_GP));
    ring_free(r);
}

/* Trap of the last instruction, NMI, interrupt, then the next fetch. (Code breakpoints: tests of DR7.) */
BOTH(checks_62_at_one_boundary_a_trap_comes_before_an_nmi_and_that_before_an_interrupt)
{
    struct ring *r = nmi_world();

    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    uint64_t next = get(r, RS_REG_RIP) + 6;
    TRY(r, SEND_IPI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), handler(VEC_DB)); /* the NMI came at the trap's handler */
    ck_assert_uint_eq(peek(r, slot(r, 3), 8), next);
    ring_free(r);

    r = nmi_world();
    reg(r, RS_REG_RAX, 0x40031);
    TRY(r, SEND_IPI); /* vector 0x31 by the same door: IF=0, it waits */
    TRY(r, 0xfb);     /* sti: not before the next instruction has run */
    reg(r, RS_REG_RAX, 0x4400);
    next = get(r, RS_REG_RIP) + 6;
    TRY(r, SEND_IPI);
    go(r, 1);
    ck_assert_int_eq(r->vector, VEC_NMI);
    ck_assert_uint_eq(slot(r, 0), next);
    ring_free(r);
}

BOTH(checks_62_an_interrupt_comes_before_the_fault_of_the_next_fetch)
{
    struct ring *r = nmi_world();

    poke(r, TABLES + 8192 + 8 * (GUARD >> 21), 0, 8);
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));
    reg(r, RS_REG_RAX, 0x40031);
    reg(r, RS_REG_RIP, GUARD - 6);
    reg(r, RS_REG_RFLAGS, 2 | RF_IF);
    TRY(r, SEND_IPI);
    go(r, 1);
    ck_assert_int_eq(r->vector, 0x31);
    ck_assert_uint_eq(r->faults, 0);
    ck_assert_uint_eq(slot(r, 0), GUARD);
    ring_free(r);
}

/* ---- stale translations ------------------------------------------------------------------------------- */

/* Rights that grow without INVLPG: the cached entry refuses once, and by that is gone. */
BOTH(checks_117_a_page_fault_from_a_stale_entry_drops_it_and_the_retry_walks)
{
    enum { PT = 0x260000 };
    const uint64_t page = 0x500000;
    struct ring *r = ring_new(false);

    poke(r, TABLES + 8192 + 8 * (GUARD >> 21), PT | PTE_P | PTE_W | PTE_U, 8);
    poke(r, PT, page | PTE_P | PTE_U | PTE_A | PTE_D, 8); /* D: a write needs no walk to set it */
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));
    reg(r, RS_REG_CR0, get(r, RS_REG_CR0) | CR0_WP);
    reg(r, RS_REG_RBX, GUARD);
    TRY(r, 0x48, 0x8b, 0x03); /* mov rax, [rbx]: cached as read-only */
    ALLOWED(r);
    poke(r, PT, page | PTE_P | PTE_W | PTE_U, 8);
    at_level(r, 0);
    TRY(r, 0x48, 0x89, 0x03); /* mov [rbx], rax */
    REFUSED(r, PG_WR_SUP, PF, PFEC_P | PFEC_W);
    ck_assert_uint_eq(get(r, RS_REG_CR2), GUARD);
    at_level(r, 0);
    TRY(r, 0x48, 0x89, 0x03);
    ALLOWED(r);
    ring_free(r);
}

/* ---- devices ------------------------------------------------------------------------------------------- */

struct touched {
    unsigned ports, mmio;
};

static bool count_touches(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct touched *t = ctx;

    (void)m;
    t->ports += e->kind == RS_EV_IO;
    t->mmio += e->kind == RS_EV_MMIO;
    return false;
}

/* INS to, OUTS from, MOVS and PUSH between the APIC's page and a page that is not there. */
BOTH(checks_123_no_device_is_touched_by_an_instruction_that_faults)
{
    const uint64_t apic = 0xfee00000;
    struct ring *r = ring_new(false);
    struct touched t = {0, 0};

    ck_assert_int_eq(rs_observer_add(r->m, RS_MASK(RS_EV_IO) | RS_MASK(RS_EV_MMIO), false,
                                     count_touches, &t, NULL),
                     RS_OK);
    poke(r, TABLES + 8192 + 8 * (GUARD >> 21), 0, 8); /* the 2-MByte page at GUARD */
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));

    reg(r, RS_REG_RDI, GUARD);
    reg(r, RS_REG_RDX, 0x60);
    TRY(r, 0x6c); /* insb */
    REFUSED(r, PG_P, PF, PFEC_W);
    at_level(r, 0);
    reg(r, RS_REG_RSI, GUARD);
    TRY(r, 0x6e); /* outsb */
    REFUSED(r, PG_P, PF, 0);
    at_level(r, 0);
    reg(r, RS_REG_RSI, apic + 0x20);
    reg(r, RS_REG_RDI, GUARD);
    TRY(r, 0xa5); /* movsd, to the missing page */
    REFUSED(r, PG_P, PF, PFEC_W);
    at_level(r, 0);
    reg(r, RS_REG_RSP, GUARD + 8);
    reg(r, RS_REG_RBX, apic + 0x20);
    TRY(r, 0xff, 0x33); /* push [rbx], onto the missing page: even the fault's frame has no place */
    ck_assert_uint_eq(t.mmio, 0);
    ck_assert_uint_eq(t.ports, 0);
    ring_free(r);
}

RUN_TESTS("cpu/lines", checks_72_power_up_is_as_the_table_says,
          checks_72_init_resets_registers_and_keeps_msrs_sse_and_cd_nw,
          checks_55_int_n_through_every_vector_pushes_no_error_code,
          checks_72_shutdown_keeps_every_register_of_the_instruction_that_led_there,
          checks_102_a_count_has_five_bits_six_for_64_and_0_changes_no_flag,
          checks_102_rotates_through_carry_go_round_after_9_and_17_bits,
          checks_102_of_is_set_by_counts_of_1,
          checks_119_syscall_and_sysret_are_undefined_in_compatibility_mode,
          checks_119_swapgs_is_for_level_0_and_undefined_outside_64_bit_mode,
          checks_119_the_base_instructions_hang_on_cr4_fsgsbase_and_64_bit_mode,
          checks_67_nmis_wait_for_an_iret_and_two_of_them_are_one,
          checks_67_an_iret_that_faults_has_unblocked_nmis,
          checks_62_at_one_boundary_a_trap_comes_before_an_nmi_and_that_before_an_interrupt,
          checks_62_an_interrupt_comes_before_the_fault_of_the_next_fetch,
          checks_117_a_page_fault_from_a_stale_entry_drops_it_and_the_retry_walks,
          checks_123_no_device_is_touched_by_an_instruction_that_faults)
