/*
 * test_checks.c - lines of ../shared/checks.md that no other test of this folder takes up: paging and
 * canonical addresses as instructions meet them, #DB and system calls, atomicity, encodings. Each test
 * runs on both engines. What is expected is the manual's word, Intel's where it and AMD's differ.
 */
#include "tests/cpu/both.h"

#define PF_P 1u
#define PF_W 2u
#define PF_U 4u
#define PF_I 16u

enum { PT = 0x260000, PD2 = TABLES + 8192 + 8 * 2, WINDOW = GUARD, FRAMES = 0x500000 };

/* A user page table over WINDOW (2 MiB): page i is FRAMES + i pages. */
static void window(struct ring *r)
{
    poke(r, PD2, PT | PTE_P | PTE_W | PTE_U, 8);
    for (unsigned i = 0; i < 512; i++) poke(r, PT + 8 * i, 0, 8);
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));
}

static void page(struct ring *r, unsigned i, uint64_t flags)
{
    poke(r, PT + 8 * i, (FRAMES + 0x1000 * i) | flags, 8);
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3)); /* drops what is cached */
}

static uint64_t pte(struct ring *r, unsigned i) { return peek(r, PT + 8 * i, 8); }

static struct ring *at(unsigned cpl)
{
    struct ring *r = ring_new(false);

    window(r);
    at_level(r, cpl);
    return r;
}

#define FAULTED(r, vec, error)                                                                     \
    do {                                                                                           \
        ck_assert_int_eq((r)->vector, VEC_##vec);                                                  \
        ck_assert_uint_eq((r)->faults, 1);                                                         \
        ck_assert_uint_eq((r)->fault_error, (error));                                              \
    } while (0)

/* Slots of a delivery's frame: with an error code, and without. */
enum { F_ERROR, F_RIP, F_CS, F_FLAGS, F_RSP };
enum { N_RIP, N_CS, N_FLAGS, N_RSP };

#define MOV_RAX_AT_RBX 0x48, 0x8b, 0x03
#define MOV_AT_RBX_RAX 0x48, 0x89, 0x03

/* ---- paging ------------------------------------------------------------------------------------------------- */

BOTH(checks_9_accessed_is_set_on_the_way_but_not_in_a_leaf_whose_rights_refuse)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, WINDOW);
    page(r, 0, PTE_P | PTE_U);
    TRY(r, MOV_RAX_AT_RBX);
    ALLOWED(r);
    ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), PTE_A);
    ck_assert_uint_ne(peek(r, PD2, 8) & PTE_A, 0);
    page(r, 0, PTE_P);
    AGAIN(r, 3, TRY(r, MOV_RAX_AT_RBX));
    FAULTED(r, PF, PF_P | PF_U);
    ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), 0);
    page(r, 0, PTE_P | PTE_U);
    AGAIN(r, 3, TRY(r, MOV_AT_RBX_RAX));
    FAULTED(r, PF, PF_P | PF_W | PF_U);
    ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), 0);
    ring_free(r);
}

BOTH(checks_10_dirty_is_set_by_an_allowed_write_alone)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, WINDOW);
    page(r, 0, PTE_P | PTE_W | PTE_U);
    TRY(r, MOV_RAX_AT_RBX);
    ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), PTE_A);
    AGAIN(r, 3, TRY(r, MOV_AT_RBX_RAX)); /* through the cached clean translation */
    ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), PTE_A | PTE_D);
    /* a write of which the second page refuses leaves it clean or not, but changes no byte (checks 21) */
    ring_free(r);
}

BOTH(checks_12_without_wp_a_supervisor_writes_read_only_pages_and_marks_them)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RBX, WINDOW);
    for (uint64_t user = 0; user <= PTE_U; user += PTE_U) {
        reg(r, RS_REG_CR0, get(r, RS_REG_CR0) | CR0_WP);
        page(r, 0, PTE_P | user);
        AGAIN(r, 0, TRY(r, MOV_AT_RBX_RAX));
        FAULTED(r, PF, PF_P | PF_W);
        reg(r, RS_REG_CR0, get(r, RS_REG_CR0) & ~CR0_WP);
        AGAIN(r, 0, TRY(r, MOV_AT_RBX_RAX));
        ALLOWED(r);
        ck_assert_uint_eq(pte(r, 0) & (PTE_A | PTE_D), PTE_A | PTE_D);
    }
    ring_free(r);
}

BOTH(checks_20_cr2_is_the_first_byte_that_cannot_be_reached)
{
    struct ring *r = at(3);

    page(r, 0, PTE_P | PTE_W | PTE_U);
    reg(r, RS_REG_RBX, WINDOW + 0xffd);
    TRY(r, MOV_RAX_AT_RBX);
    FAULTED(r, PF, PF_U);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1000);
    reg(r, RS_REG_RBX, WINDOW + 0x1ffd);
    AGAIN(r, 3, TRY(r, MOV_RAX_AT_RBX));
    FAULTED(r, PF, PF_U);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1ffd);
    ring_free(r);
}

BOTH(checks_21_a_write_across_pages_judges_both_before_it_changes_either)
{
    struct ring *r = at(3);

    for (unsigned refuse = 0; refuse < 2; refuse++) { /* first the second page, then the first */
        page(r, refuse, PTE_P | PTE_W | PTE_U);
        page(r, !refuse, PTE_P | PTE_U);
        poke(r, FRAMES + 0xff8, 0x1111111111111111, 8);
        poke(r, FRAMES + 0x1000, 0x2222222222222222, 8);
        reg(r, RS_REG_RBX, WINDOW + 0xffd);
        reg(r, RS_REG_RAX, 0x3333333333333333);
        AGAIN(r, 3, TRY(r, MOV_AT_RBX_RAX));
        FAULTED(r, PF, PF_P | PF_W | PF_U);
        ck_assert_uint_eq(get(r, RS_REG_CR2), refuse ? WINDOW + 0xffd : WINDOW + 0x1000);
        ck_assert(peek(r, FRAMES + 0xff8, 8) == 0x1111111111111111);
        ck_assert(peek(r, FRAMES + 0x1000, 8) == 0x2222222222222222);
    }
    ring_free(r);
}

BOTH(checks_22_an_instruction_cut_by_an_absent_page_faults_at_that_page)
{
    struct ring *r = at(3);
    uint8_t prefixes[16];

    memset(prefixes, 0x66, sizeof prefixes);
    page(r, 0, PTE_P | PTE_W | PTE_U);
    poke(r, FRAMES + 0xffe, 0x8b48, 2); /* mov rax, [..] without its end */
    reg(r, RS_REG_RIP, WINDOW + 0xffe);
    go(r, 1);
    FAULTED(r, PF, PF_U);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1000);
    ck_assert_uint_eq(slot(r, F_RIP), WINDOW + 0xffe);

    rs_phys_write(r->m, FRAMES + 0x1000 - 14, prefixes, 14); /* the 15th byte is not there */
    at_level(r, 3);
    reg(r, RS_REG_RIP, WINDOW + 0x1000 - 14);
    go(r, 1);
    FAULTED(r, PF, PF_U);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1000);

    page(r, 1, PTE_P | PTE_W | PTE_U); /* now it is, and no instruction is longer than 15 */
    rs_phys_write(r->m, FRAMES + 0x1000, prefixes, 2);
    at_level(r, 3);
    reg(r, RS_REG_RIP, WINDOW + 0x1000 - 14);
    go(r, 1);
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(slot(r, F_RIP), WINDOW + 0x1000 - 14);
    ring_free(r);
}

BOTH(checks_32_changed_code_runs_changed_at_the_next_instruction)
{
    struct ring *r = at(0);
    /* mov byte [rip+1], 0x43: the inc eax behind it becomes inc ebx */
    static const uint8_t code[] = {0xc6, 0x05, 0x01, 0x00, 0x00, 0x00,
                                   0xc3, 0xff, 0xc0, 0x90, 0x90};

    reg(r, RS_REG_RAX, 0);
    reg(r, RS_REG_RBX, 0);
    rs_phys_write(r->m, CODE, code, sizeof code);
    go(r, 3);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0);
    ck_assert_uint_eq(get(r, RS_REG_RBX), 1);
    ring_free(r);
}

/* ---- canonical addresses ------------------------------------------------------------------------------------ */

BOTH(checks_34_a_non_canonical_address_is_gp_and_through_rsp_or_rbp_ss)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RAX, NON_CANON);
    reg(r, RS_REG_RBP, NON_CANON);
    TRY(r, 0x48, 0x8b, 0x08); /* [rax] */
    FAULTED(r, GP, 0);
    AGAIN(r, 3, TRY(r, 0x48, 0x8b, 0x4d, 0x00)); /* [rbp] */
    FAULTED(r, SS, 0);
    AGAIN(r, 3, TRY(r, 0x3e, 0x48, 0x8b, 0x4d, 0x00)); /* ds:[rbp] */
    FAULTED(r, SS, 0);
    AGAIN(r, 3, TRY(r, 0x36, 0x48, 0x8b, 0x08)); /* ss:[rax] */
    FAULTED(r, GP, 0);
    AGAIN(r, 3, TRY(r, 0x64, 0x48, 0x8b, 0x4d, 0x00)); /* fs:[rbp] */
    FAULTED(r, GP, 0);
    AGAIN(r, 3, reg(r, RS_REG_RSP, NON_CANON + 0x1000), TRY(r, 0x50));
    FAULTED(r, SS, 0);
    AGAIN(r, 3, reg(r, RS_REG_RSP, NON_CANON), TRY(r, 0x58));
    FAULTED(r, SS, 0);
    AGAIN(r, 3, reg(r, RS_REG_RSP, NON_CANON), TRY(r, 0xc3));
    FAULTED(r, SS, 0);
    AGAIN(r, 3, TRY(r, 0xc9)); /* leave: through RBP */
    FAULTED(r, SS, 0);
    ring_free(r);
}

BOTH(checks_35_non_canonical_wins_over_paging_and_leaves_cr2)
{
    struct ring *r = at(3);

    reg(r, RS_REG_CR2, 0x1234);
    reg(r, RS_REG_RBX, 0xffff000000000000);
    TRY(r, MOV_RAX_AT_RBX);
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x1234);
    ring_free(r);
}

BOTH(checks_36_a_near_branch_to_nowhere_faults_where_it_stands)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RAX, NON_CANON);
    poke(r, STACK3 - 8, 0x5555, 8);
    TRY(r, 0xff, 0xe0); /* jmp rax */
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(slot(r, F_RIP), CODE);
    AGAIN(r, 3, TRY(r, 0xff, 0xd0)); /* call rax */
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(slot(r, F_RIP), CODE);
    ck_assert_uint_eq(slot(r, F_RSP), STACK3);
    ck_assert_uint_eq(peek(r, STACK3 - 8, 8), 0x5555);
    poke(r, STACK3, NON_CANON, 8);
    AGAIN(r, 3, TRY(r, 0xc3));
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(slot(r, F_RIP), CODE);
    ck_assert_uint_eq(slot(r, F_RSP), STACK3);
    AGAIN(r, 3, TRY(r, 0xc2, 0x10, 0x00)); /* ret 16 */
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(slot(r, F_RSP), STACK3);
    ring_free(r);
}

BOTH(checks_37_an_access_that_leaves_canonical_space_faults_as_a_whole)
{
    struct ring *r = at(3);

    reg(r, RS_REG_CR2, 0x1234);
    reg(r, RS_REG_RBX, NON_CANON - 4);
    TRY(r, MOV_RAX_AT_RBX);
    FAULTED(r, GP, 0);
    reg(r, RS_REG_RBX, 0xffff800000000000 - 4);
    AGAIN(r, 3, TRY(r, MOV_AT_RBX_RAX));
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x1234);
    reg(r, RS_REG_RBX, NON_CANON - 8);
    AGAIN(r, 3, TRY(r, MOV_RAX_AT_RBX)); /* the last eight bytes are an address like any */
    FAULTED(r, PF, PF_U);
    ring_free(r);
}

BOTH(checks_38_in_64_bit_mode_only_fs_and_gs_have_bases_and_nothing_a_limit)
{
    struct ring *r = at(3);
    unsigned data = ATTR_P | ATTR_S | 3 | 3 << 5;

    segment(r, I_DS, S_DATA3 | 3, 0x1000, 0, data);
    segment(r, I_ES, S_DATA3 | 3, 0x1000, 0, data);
    segment(r, I_FS, S_DATA3 | 3, 0x2000, 0, data);
    poke(r, DATA, 0x1111, 8);
    poke(r, DATA + 0x2000, 0x2222, 8);
    reg(r, RS_REG_RBX, DATA);
    TRY(r, MOV_RAX_AT_RBX);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x1111);
    reg(r, RS_REG_RIP, CODE);
    TRY(r, 0x26, MOV_RAX_AT_RBX);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x1111);
    reg(r, RS_REG_RIP, CODE);
    TRY(r, 0x64, MOV_RAX_AT_RBX);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x2222);
    reg(r, RS_REG_FS_BASE, NON_CANON - 0x1000);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RBX, 0x1000);
    TRY(r, 0x64, MOV_RAX_AT_RBX);
    FAULTED(r, GP, 0);
    /* the sum counts: two halves that are not canonical alone */
    AGAIN(r, 3, reg(r, RS_REG_FS_BASE, 0xffff800000000000),
          reg(r, RS_REG_RBX, DATA + 0x800000000000), TRY(r, 0x64, MOV_RAX_AT_RBX));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x1111);
    ring_free(r);
}

/* ---- debug exceptions, interrupts, system calls ---------------------------------------------------------------- */

BOTH(checks_60_a_fault_pushes_rf_and_an_int_n_does_not)
{
    struct ring *r = at(3);

    TRY(r, 0x0f, 0x0b);
    ck_assert_uint_ne(slot(r, N_FLAGS) & RF_RF, 0);
    AGAIN(r, 3, TRY(r, 0xcd, 0x80));
    ck_assert_uint_eq(slot(r, N_FLAGS) & RF_RF, 0);
    ring_free(r);
}

BOTH(a_single_step_traps_behind_the_instruction_and_pushes_tf)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    TRY(r, 0x90);
    go(r, 1); /* a limit stops between the instruction and its trap */
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, N_RIP), CODE + 1);
    ck_assert_uint_eq(slot(r, N_FLAGS) & (RF_TF | RF_RF), RF_TF);
    ck_assert_uint_ne(get(r, RS_REG_DR6) & 1 << 14, 0);
    ck_assert_uint_eq(get(r, RS_REG_RFLAGS) & RF_TF, 0);
    /* an instruction that faults does not trap */
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_TF), TRY(r, 0x0f, 0x0b));
    ck_assert_int_eq(r->vector, VEC_UD);
    ck_assert_uint_eq(r->faults, 1);
    /* nor does INT n, whose delivery clears TF */
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_TF), TRY(r, 0xcd, 0x80), go(r, 2));
    ck_assert_int_eq(r->vector, 0x80);
    ck_assert_uint_ne(slot(r, N_FLAGS) & RF_TF, 0);
    /* POPF that sets TF: the trap comes after the next instruction */
    static const uint8_t popf[] = {0x9d, 0x90, 0x90};
    poke(r, STACK3, 2 | RF_TF, 8);
    at_level(r, 3);
    rs_phys_write(r->m, CODE, popf, sizeof popf);
    go(r, 3);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, N_RIP), CODE + 2);
    ring_free(r);
}

BOTH(checks_63_mov_ss_and_pop_ss_hold_off_the_single_step_for_one_instruction)
{
    struct ring *r = at(0);
    static const uint8_t code[] = {0x8e, 0xd0, 0x90, 0x90};

    rs_phys_write(r->m, CODE, code, sizeof code);
    reg(r, RS_REG_RAX, S_DATA);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    go(r, 3);
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, N_RIP), CODE + 3);
    ring_free(r);
}

/* Run as the limit says, but stepwise: an interrupt's place must not depend on it. */
BOTH(checks_63_sti_holds_off_a_waiting_interrupt_for_one_instruction)
{
    static const uint8_t code[] = {
        0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x20, 0xe6, 0x21, /* ICW1, base 0x20 */
        0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, /* cascade, 8086 mode */
        0xb0, 0xfe, 0xe6, 0x21,                         /* IRQ 0 alone */
        0xb0, 0x30, 0xe6, 0x43, 0xb0, 0x02, 0xe6, 0x40, 0x30,
        0xc0, 0xe6, 0x40,                                     /* counter 0 to 2, mode 0 */
        0xb9, 0x40, 0x0d, 0x03, 0x00, 0xff, 0xc9, 0x75, 0xfc, /* wait */
        0xfb, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0};            /* sti; inc eax; inc eax; inc eax */
    const uint64_t sti = CODE + 41;

    for (unsigned step = 0; step < 2; step++) {
        struct ring *r = at(0);

        rs_phys_write(r->m, CODE, code, sizeof code);
        do go(r, step && get(r, RS_REG_RIP) >= sti ? 1 : step ? 20000 : 1000000);
        while (r->vector < 0 && get(r, RS_REG_RIP) < sti + 7);
        ck_assert_int_eq(r->vector, 0x20);
        ck_assert_uint_eq(slot(r, N_RIP), sti + 3);
        ck_assert_uint_eq(get(r, RS_REG_RAX) & 0xff, 1);
        ring_free(r);
        if (engine == RS_ENGINE_REFERENCE) break;
    }
}

BOTH(checks_78_the_trap_behind_syscall_follows_fmask_and_r11_keeps_tf)
{
    struct ring *r = at(3);

    reg(r, RS_REG_EFER, get(r, RS_REG_EFER) | EFER_SCE);
    reg(r, RS_REG_STAR, (uint64_t)S_CODE << 32);
    reg(r, RS_REG_LSTAR, TARGET);
    reg(r, RS_REG_FMASK, RF_TF);
    reg(r, RS_REG_RFLAGS, 2 | RF_TF);
    TRY(r, 0x0f, 0x05);
    go(r, 2);
    ck_assert_int_eq(r->vector, -1);
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_R11) & RF_TF, RF_TF);
    reg(r, RS_REG_FMASK, 0);
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_TF), TRY(r, 0x0f, 0x05), go(r, 1));
    ck_assert_int_eq(r->vector, VEC_DB);
    ck_assert_uint_eq(slot(r, N_RIP), TARGET);
    ring_free(r);
}

BOTH(checks_81_cr4_and_cr8_refuse_bits_that_nobody_knows)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, ~0ull);
    TRY(r, 0x0f, 0x22, 0xe0);
    FAULTED(r, GP, 0);
    AGAIN(r, 0, TRY(r, 0x44, 0x0f, 0x22, 0xc0));
    FAULTED(r, GP, 0);
    reg(r, RS_REG_RAX, 0x10);
    AGAIN(r, 0, TRY(r, 0x44, 0x0f, 0x22, 0xc0));
    FAULTED(r, GP, 0);
    reg(r, RS_REG_RAX, 0xf);
    AGAIN(r, 0, TRY(r, 0x44, 0x0f, 0x22, 0xc0));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR8), 0xf);
    for (unsigned bit = 24; bit < 64; bit++) {
        reg(r, RS_REG_RAX, get(r, RS_REG_CR4) | 1ull << bit);
        AGAIN(r, 0, TRY(r, 0x0f, 0x22, 0xe0));
        FAULTED(r, GP, 0);
    }
    for (unsigned cr = 0; cr < 16; cr++) { /* CR1, CR5-7, CR9-15 are no registers */
        if (cr == 0 || cr == 2 || cr == 3 || cr == 4 || cr == 8) continue;
        const uint8_t read[] = {cr & 8 ? 0x44 : 0x40, 0x0f, 0x20, (uint8_t)(0xc0 | (cr & 7) << 3)};
        AGAIN(r, 0, try_bytes(r, read, sizeof read));
        ck_assert_int_eq(r->vector, VEC_UD);
    }
    ring_free(r);
}

BOTH(checks_85_the_apic_goes_off_and_on_by_its_base_register)
{
    struct ring *r = at(0);
    uint64_t base = get(r, RS_REG_APIC_BASE);

    ck_assert_uint_ne(base & 1 << 11, 0);
    for (unsigned on = 0; on < 2; on++) {
        uint64_t want = on ? base : base & ~(1ull << 11);
        AGAIN(r, 0, reg(r, RS_REG_RCX, 0x1b), reg(r, RS_REG_RAX, (uint32_t)want),
              reg(r, RS_REG_RDX, 0), TRY(r, 0x0f, 0x30));
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_APIC_BASE), want);
    }
    AGAIN(r, 0, reg(r, RS_REG_RAX, (uint32_t)base | 1 << 10),
          TRY(r, 0x0f, 0x30)); /* no x2APIC here */
    FAULTED(r, GP, 0);
    AGAIN(r, 0, reg(r, RS_REG_RAX, (uint32_t)base | 1), TRY(r, 0x0f, 0x30));
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_APIC_BASE), base);
    ring_free(r);
}

/* x2APIC mode is a gap today: a machine that promised it does not answer with a #GP of its own making. */
BOTH(checks_85_x2apic_mode_switched_on_by_hand_is_a_gap)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v3,+x2apic");
    uint64_t base = get(r, RS_REG_APIC_BASE);

    AGAIN(r, 0, reg(r, RS_REG_RCX, 0x1b), reg(r, RS_REG_RAX, (uint32_t)base | 1 << 10),
          reg(r, RS_REG_RDX, 0), TRY(r, 0x0f, 0x30));
    ck_assert_int_eq(r->stop.reason, RS_STOP_EMULATOR_GAP);
    ck_assert_uint_eq(get(r, RS_REG_APIC_BASE), base);
    ring_free(r);
}

/* What no processor would let through is #GP all the same: reserved bits, EXTD without EN, EXTD on a disabled APIC. */
BOTH(checks_85_x2apic_mode_has_no_way_in_but_from_xapic_mode)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v3,+x2apic");
    uint32_t base = (uint32_t)get(r, RS_REG_APIC_BASE), off = base & ~(1u << 11);
    const uint32_t bad[] = {base | 1 << 10 | 1, off | 1 << 10};

    for (unsigned i = 0; i < 2; i++) {
        AGAIN(r, 0, reg(r, RS_REG_RCX, 0x1b), reg(r, RS_REG_RAX, bad[i]), reg(r, RS_REG_RDX, 0), TRY(r, 0x0f, 0x30));
        FAULTED(r, GP, 0);
    }
    AGAIN(r, 0, reg(r, RS_REG_RAX, off), TRY(r, 0x0f, 0x30));
    ALLOWED(r);
    AGAIN(r, 0, reg(r, RS_REG_RAX, base | 1 << 10), TRY(r, 0x0f, 0x30));
    FAULTED(r, GP, 0);
    ck_assert_uint_eq(get(r, RS_REG_APIC_BASE), off);
    ring_free(r);
}

BOTH(checks_84_an_msr_that_a_promised_feature_lacks_is_a_gap)
{
    static const struct {
        const char *with;
        uint32_t first, last;
    } all[] = {{"+mtrr", 0xfe, 0xfe},       {"+mtrr", 0x200, 0x20f},   {"+mtrr", 0x250, 0x250},   {"+mtrr", 0x258, 0x259},
               {"+mtrr", 0x268, 0x26f},     {"+mtrr", 0x2ff, 0x2ff},   {"+tsc-deadline", 0x6e0, 0x6e0},
               {"+monitor", 6, 6},          {"+cet-ss", 0x6a0, 0x6a0}, {"+cet-ss", 0x6a2, 0x6a2}, {"+cet-ibt", 0x6a0, 0x6a0},
               {"+cet-ibt", 0x6a2, 0x6a2},  {"+cet-ss", 0x6a4, 0x6a8}, {"+pks", 0x6e1, 0x6e1}};
    char spec[64];

    for (unsigned i = 0; i < sizeof all / sizeof *all; i++)
        for (uint32_t msr = all[i].first - 1; msr <= all[i].last + 1; msr++)
            for (unsigned write = 0; write < 2; write++) {
                bool inside = msr >= all[i].first && msr <= all[i].last;
                snprintf(spec, sizeof spec, "x86-64-v3,%s", inside ? all[i].with : "-mtrr");
                struct ring *r = ring_new_cpu(false, spec);
                AGAIN(r, 0, reg(r, RS_REG_RCX, msr), reg(r, RS_REG_RAX, 0x77), reg(r, RS_REG_RDX, 0),
                      TRY(r, 0x0f, write ? 0x30 : 0x32));
                if (inside) {
                    ck_assert_int_eq(r->stop.reason, RS_STOP_EMULATOR_GAP);
                    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x77);
                } else FAULTED(r, GP, 0);
                ring_free(r);
            }
}

/* ---- instructions ------------------------------------------------------------------------------------------------ */

BOTH(checks_73_what_64_bit_mode_took_away_is_undefined)
{
    static const uint8_t gone[] = {0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27,
                                   0x2f, 0x37, 0x3f, 0x60, 0x61, 0x62, 0x82, 0x9a,
                                   0xc4, 0xc5, 0xce, 0xd4, 0xd5, 0xd6, 0xea};
    struct ring *r = at(3);

    for (unsigned i = 0; i < sizeof gone; i++) {
        const uint8_t code[] = {gone[i], 0, 0, 0, 0, 0, 0, 0, 0};
        AGAIN(r, 3, try_bytes(r, code, sizeof code));
        ck_assert_msg(r->vector == VEC_UD, "%02x: vector %d", gone[i], r->vector);
        ck_assert_uint_eq(slot(r, N_RIP), CODE);
    }
    ring_free(r);
}

BOTH(checks_96_a_fault_in_a_string_leaves_the_registers_at_its_element)
{
    struct ring *r = at(3);

    page(r, 0, PTE_P | PTE_W | PTE_U);
    reg(r, RS_REG_RSI, DATA);
    reg(r, RS_REG_RDI, WINDOW + 0xff0);
    reg(r, RS_REG_RCX, 8);
    TRY(r, 0xf3, 0xa5); /* rep movsd: four fit */
    FAULTED(r, PF, PF_W | PF_U);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 4);
    ck_assert_uint_eq(get(r, RS_REG_RSI), DATA + 16);
    ck_assert_uint_eq(get(r, RS_REG_RDI), WINDOW + 0x1000);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1000);
    ck_assert_uint_eq(slot(r, F_RIP), CODE);
    ck_assert_uint_ne(slot(r, F_FLAGS) & RF_RF, 0);
    /* downwards, and an element that crosses into the absent page */
    page(r, 1, PTE_P | PTE_W | PTE_U);
    page(r, 0, 0);
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_DF), reg(r, RS_REG_RDI, WINDOW + 0x1006),
          reg(r, RS_REG_RCX, 4), TRY(r, 0xf3, 0xab));
    FAULTED(r, PF, PF_W | PF_U);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 2);
    ck_assert_uint_eq(get(r, RS_REG_RDI), WINDOW + 0xffe);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0xffe);
    ring_free(r);
}

BOTH(checks_97_rep_under_67h_with_ecx_0_truncates_as_measured_on_intel)
{
    static const struct {
        uint8_t opcode;
        bool rsi, rdi;
    } row[] = {{0xa4, true, true},
               {0xaa, false, true},
               {0xac, false, false},
               {0xa6, false, false},
               {0xae, false, false}};
    const uint64_t high = 0x1111111100000000;

    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ring *r = at(3);
        const uint8_t code[] = {0x67, 0xf3, row[i].opcode};

        reg(r, RS_REG_RCX, high);
        reg(r, RS_REG_RSI, high + 1);
        reg(r, RS_REG_RDI, high + 2);
        try_bytes(r, code, sizeof code);
        ALLOWED(r);
        ck_assert_uint_eq(get(r, RS_REG_RCX), 0);
        ck_assert_uint_eq(get(r, RS_REG_RSI), row[i].rsi ? 1 : high + 1);
        ck_assert_uint_eq(get(r, RS_REG_RDI), row[i].rdi ? 2 : high + 2);
        ring_free(r);
    }
}

BOTH(checks_98_a_compare_and_exchange_that_differs_is_a_write_all_the_same)
{
    struct ring *r = at(3);

    page(r, 0, PTE_P | PTE_U);
    poke(r, FRAMES, 0x77, 8);
    reg(r, RS_REG_RBX, WINDOW);
    reg(r, RS_REG_RAX, 1);
    TRY(r, 0x48, 0x0f, 0xb1, 0x0b); /* cmpxchg [rbx], rcx */
    FAULTED(r, PF, PF_P | PF_W | PF_U);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 1);
    AGAIN(r, 3, TRY(r, 0x0f, 0xc7, 0x0b)); /* cmpxchg8b */
    FAULTED(r, PF, PF_P | PF_W | PF_U);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 1);
    AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0xc7, 0x0b)); /* cmpxchg16b */
    FAULTED(r, PF, PF_P | PF_W | PF_U);
    reg(r, RS_REG_RBX, DATA + 8);
    AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0xc7, 0x0b));
    FAULTED(r, GP, 0);
    page(r, 0, PTE_P | PTE_W | PTE_U);
    reg(r, RS_REG_RBX, WINDOW);
    AGAIN(r, 3, TRY(r, 0x48, 0x0f, 0xb1, 0x0b));
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x77);
    ck_assert_uint_ne(pte(r, 0) & PTE_D, 0);
    ring_free(r);
}

BOTH(checks_99_lock_is_for_read_modify_write_in_memory)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RBX, DATA);
    TRY(r, 0xf0, 0x01, 0xc0); /* lock add eax, eax */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x89, 0x03)); /* lock mov [rbx], eax */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x03, 0x03)); /* lock add eax, [rbx] */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x39, 0x03)); /* lock cmp [rbx], eax */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x0f, 0xba, 0x23, 0x01)); /* lock bt [rbx], 1 */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x90)); /* lock nop */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x87, 0xc3)); /* lock xchg ebx, eax */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xf0, 0x01, 0x03)); /* lock add [rbx], eax */
    ALLOWED(r);
    AGAIN(r, 3, TRY(r, 0xf0, 0x87, 0x03)); /* lock xchg [rbx], eax */
    ALLOWED(r);
    AGAIN(r, 3, TRY(r, 0xf0, 0x0f, 0xba, 0x2b, 0x01)); /* lock bts [rbx], 1 */
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_100_an_instruction_that_faults_has_changed_nothing)
{
    static const struct {
        const char *what;
        uint8_t code[8];
        bool stack;
    } row[] = {
        {"add [rbx], rax", {0x48, 0x01, 0x03}, false},
        {"xadd [rbx], rax", {0x48, 0x0f, 0xc1, 0x03}, false},
        {"xchg [rbx], rax", {0x48, 0x87, 0x03}, false},
        {"inc qword [rbx]", {0x48, 0xff, 0x03}, false},
        {"neg qword [rbx]", {0x48, 0xf7, 0x1b}, false},
        {"shl qword [rbx], 1", {0x48, 0xd1, 0x23}, false},
        {"rcr qword [rbx], cl", {0x48, 0xd3, 0x1b}, false},
        {"shld [rbx], rax, 3", {0x48, 0x0f, 0xa4, 0x03, 0x03}, false},
        {"bts [rbx], rax", {0x48, 0x0f, 0xab, 0x03}, false},
        {"setc [rbx]", {0x0f, 0x92, 0x03}, false},
        {"stosq to rdi", {0x48, 0xab}, false},
        {"movsq", {0x48, 0xa5}, false},
        {"pop [rbx]", {0x8f, 0x03}, false},
        {"push rax", {0x50}, true},
        {"push [rdi]", {0xff, 0x37}, true},
        {"pushf", {0x9c}, true},
        {"call rax", {0xff, 0xd0}, true},
        {"call rel", {0xe8, 0, 0, 0, 0}, true},
        {"enter 32, 0", {0xc8, 0x20, 0x00, 0x00}, true},
        {"enter 32, 3", {0xc8, 0x20, 0x00, 0x03}, true},
        {"pop [rsp]", {0x8f, 0x04, 0x24}, true},
    };
    const uint64_t flags = 2 | RF_CF | RF_AF | RF_SF;

    for (unsigned i = 0; i < sizeof row / sizeof row[0]; i++) {
        struct ring *r = at(3);
        uint64_t before[18], after;

        page(r, 0, PTE_P | PTE_U);
        poke(r, FRAMES + 0x100, 0x7fffffffffffffff, 8);
        at_level(r, 3);
        reg(r, RS_REG_RAX, 1);
        reg(r, RS_REG_RCX, 5);
        reg(r, RS_REG_RBX, WINDOW + 0x100);
        reg(r, RS_REG_RDI, row[i].stack ? DATA : WINDOW + 0x100);
        reg(r, RS_REG_RSI, DATA);
        reg(r, RS_REG_RBP, STACK3);
        if (row[i].stack) reg(r, RS_REG_RSP, WINDOW + 0x100);
        reg(r, RS_REG_RFLAGS, flags);
        for (unsigned k = 0; k < 18; k++) before[k] = get(r, RS_REG_RAX + k);
        try_bytes(r, row[i].code, sizeof row[i].code);
        ck_assert_msg(r->vector == VEC_PF && r->fault_error == (PF_P | PF_W | PF_U),
                      "%s: vector %d, error %llx", row[i].what, r->vector,
                      (unsigned long long)r->fault_error);
        for (unsigned k = 0; k < 16; k++) {
            after = k == RS_REG_RSP ? slot(r, F_RSP) : get(r, RS_REG_RAX + k);
            ck_assert_msg(after == before[k], "%s: %s was %llx and is %llx", row[i].what,
                          rs_reg_name(k), (unsigned long long)before[k], (unsigned long long)after);
        }
        ck_assert_msg((slot(r, F_FLAGS) & ~RF_RF) == flags, "%s: flags", row[i].what);
        ck_assert_uint_eq(slot(r, F_RIP), CODE);
        ck_assert(peek(r, FRAMES + 0x100, 8) == 0x7fffffffffffffff);
        ring_free(r);
    }
}

BOTH(checks_101_alignment_is_checked_with_am_and_ac_in_ring_3_alone)
{
    struct ring *r = at(3);
    uint64_t cr0 = get(r, RS_REG_CR0);

    reg(r, RS_REG_RBX, DATA + 1);
    reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | CR4_OSFXSR);
    for (unsigned i = 0; i < 8; i++) {
        unsigned cpl = i & 4 ? 0 : 3;
        bool am = i & 2, ac = i & 1;

        reg(r, RS_REG_CR0, am ? cr0 | CR0_AM : cr0 & ~CR0_AM);
        at_level(r, cpl);
        reg(r, RS_REG_RFLAGS, 2 | (ac ? RF_AC : 0));
        TRY(r, 0x8b, 0x03);
        if (am && ac && cpl == 3) FAULTED(r, AC, 0);
        else ALLOWED(r);
        AGAIN(r, cpl, reg(r, RS_REG_RFLAGS, 2 | (ac ? RF_AC : 0)), TRY(r, 0x8a, 0x03)); /* a byte */
        ALLOWED(r);
        AGAIN(r, cpl, reg(r, RS_REG_RFLAGS, 2 | (ac ? RF_AC : 0)),
              TRY(r, 0x0f, 0x28, 0x03)); /* movaps */
        ck_assert_int_eq(r->vector, VEC_GP);
    }
    ring_free(r);
}

BOTH(checks_103_narrow_results_keep_the_rest_wide_ones_clear_it)
{
    struct ring *r = at(3);
    const uint64_t high = 0x1122334455667788;

#define AFTER(flags_, want, ...)                                                                   \
    do {                                                                                           \
        at_level(r, 3);                                                                            \
        reg(r, RS_REG_RFLAGS, 2 | (flags_));                                                       \
        reg(r, RS_REG_RAX, high);                                                                  \
        reg(r, RS_REG_RCX, 0);                                                                     \
        TRY(r, __VA_ARGS__);                                                                       \
        ALLOWED(r);                                                                                \
        ck_assert_uint_eq(get(r, RS_REG_RAX), (want));                                             \
    } while (0)
    AFTER(0, 0, 0x89, 0xc8);                        /* mov eax, ecx */
    AFTER(0, 0x1122334455660000, 0x66, 0x89, 0xc8); /* mov ax, cx */
    AFTER(0, 0x1122334455667700, 0x88, 0xc8);       /* mov al, cl */
    AFTER(0, 0x55667788, 0x0f, 0x44, 0xc1); /* cmovz eax, ecx, false: clears the upper half */
    AFTER(RF_ZF, 0, 0x0f, 0x44, 0xc1);
    AFTER(0, high, 0x66, 0x0f, 0x44, 0xc1); /* cmovz ax, cx */
    AFTER(0, high, 0x48, 0x0f, 0xbc, 0xc1); /* bsf rax, rcx = 0 */
    ck_assert_uint_ne(get(r, RS_REG_RFLAGS) & RF_ZF, 0);
    AFTER(0, high, 0x48, 0x0f, 0xbd, 0xc1); /* bsr */
    ring_free(r);
}

BOTH(checks_104_vex_without_avx_is_undefined)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v2");

    TRY(r, 0xc5, 0xf8, 0x77); /* vzeroupper */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0xc4, 0xe2, 0x70, 0xf2, 0xc0)); /* andn without BMI1 */
    ck_assert_int_eq(r->vector, VEC_UD);
    AGAIN(r, 3, TRY(r, 0x62, 0xf1, 0x7c, 0x48, 0x28, 0xc0)); /* EVEX */
    ck_assert_int_eq(r->vector, VEC_UD);
    ring_free(r);
}

BOTH(checks_105_ts_em_and_osfxsr_gate_sse_and_wait)
{
    struct ring *r = at(3);
    uint64_t cr0 = get(r, RS_REG_CR0) & ~(CR0_TS | CR0_EM | CR0_MP),
             cr4 = get(r, RS_REG_CR4) | CR4_OSFXSR;

#define SSE(cr0_, cr4_, want)                                                                      \
    do {                                                                                           \
        reg(r, RS_REG_CR0, (cr0_));                                                                \
        reg(r, RS_REG_CR4, (cr4_));                                                                \
        AGAIN(r, 3, TRY(r, 0x0f, 0x28, 0xc1));                                                     \
        ck_assert_int_eq(r->vector, (want));                                                       \
    } while (0)
    SSE(cr0, cr4, -1);
    SSE(cr0 | CR0_TS, cr4, VEC_NM);
    SSE(cr0 | CR0_EM, cr4, VEC_UD);
    SSE(cr0 | CR0_EM | CR0_TS, cr4, VEC_UD);
    SSE(cr0, cr4 & ~CR4_OSFXSR, VEC_UD);
    SSE(cr0 | CR0_TS, cr4 & ~CR4_OSFXSR, VEC_UD);
#define X87(cr0_, want, ...)                                                                       \
    do {                                                                                           \
        reg(r, RS_REG_CR0, (cr0_));                                                                \
        AGAIN(r, 3, TRY(r, __VA_ARGS__));                                                          \
        ck_assert_int_eq(r->vector, (want));                                                       \
    } while (0)
    X87(cr0, -1, 0x9b); /* wait */
    X87(cr0 | CR0_TS, -1, 0x9b);
    X87(cr0 | CR0_MP, -1, 0x9b);
    X87(cr0 | CR0_MP | CR0_TS, VEC_NM, 0x9b);
    X87(cr0, -1, 0xdb, 0xe3); /* fninit */
    X87(cr0 | CR0_TS, VEC_NM, 0xdb, 0xe3);
    X87(cr0 | CR0_EM, VEC_NM, 0xdb, 0xe3);
    ring_free(r);
}

BOTH(checks_118_66h_before_a_near_branch_is_ignored_as_on_intel)
{
    struct ring *r = at(3);

    TRY(r, 0x66, 0xe9, 0x10, 0x00, 0x00, 0x00);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 6 + 0x10);
    AGAIN(r, 3, TRY(r, 0x66, 0xeb, 0x10));
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3 + 0x10);
    AGAIN(r, 3, TRY(r, 0x66, 0xe8, 0x10, 0x00, 0x00, 0x00));
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 6 + 0x10);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 - 8);
    ck_assert_uint_eq(peek(r, STACK3 - 8, 8), CODE + 6);
    poke(r, STACK3, TARGET, 8);
    AGAIN(r, 3, TRY(r, 0x66, 0xc3));
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ck_assert_uint_eq(get(r, RS_REG_RSP), STACK3 + 8);
    AGAIN(r, 3, reg(r, RS_REG_RFLAGS, 2 | RF_ZF), TRY(r, 0x66, 0x0f, 0x84, 0x10, 0x00, 0x00, 0x00));
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 7 + 0x10);
    reg(r, RS_REG_RAX, TARGET);
    AGAIN(r, 3, TRY(r, 0x66, 0xff, 0xe0));
    ck_assert_uint_eq(get(r, RS_REG_RIP), TARGET);
    ring_free(r);
}

BOTH(checks_120_mod_is_ignored_by_mov_cr_and_ud0_fetches_its_modrm)
{
    struct ring *r = at(0);

    reg(r, RS_REG_RAX, 0);
    TRY(r, 0x0f, 0x20, 0x00); /* mov rax, cr0, mod 0 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), get(r, RS_REG_CR0));
    AGAIN(r, 0, TRY(r, 0x0f, 0x20, 0x84)); /* mod 2, rm 4: no SIB, no displacement: mov rsp, cr0 */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
    AGAIN(r, 0, TRY(r, 0x0f, 0x21, 0x38)); /* mov rax, dr7 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
    page(r, 0, PTE_P | PTE_W | PTE_U);
    poke(r, FRAMES + 0xffe, 0xff0f, 2);
    AGAIN(r, 3, reg(r, RS_REG_RIP, WINDOW + 0xffe), go(r, 1));
    FAULTED(r, PF, PF_U);
    ck_assert_uint_eq(get(r, RS_REG_CR2), WINDOW + 0x1000);
    poke(r, FRAMES + 0xffe, 0x0b0f, 2); /* UD2 has none */
    AGAIN(r, 3, reg(r, RS_REG_RIP, WINDOW + 0xffe), go(r, 1));
    ck_assert_int_eq(r->vector, VEC_UD);
    ring_free(r);
}

BOTH(checks_121_loops_count_in_the_register_of_the_address_size)
{
    struct ring *r = at(3);

    reg(r, RS_REG_RCX, 0x100000001);
    TRY(r, 0x67, 0xe2, 0x10); /* loop on ECX: 1 becomes 0, the upper half goes */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0);
    AGAIN(r, 3, reg(r, RS_REG_RCX, 0x100000001), TRY(r, 0xe2, 0x10));
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 2 + 0x10);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0x100000000);
    AGAIN(r, 3, TRY(r, 0x67, 0xe3, 0x10)); /* jecxz */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 3 + 0x10);
    ck_assert_uint_eq(get(r, RS_REG_RCX), 0x100000000);
    AGAIN(r, 3, TRY(r, 0xe3, 0x10)); /* jrcxz */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 2);
    ring_free(r);
}

BOTH(checks_124_encodings_of_absent_features_fall_back_where_the_manual_says_so)
{
    struct ring *r = ring_new_cpu(false, "x86-64-v2");

    reg(r, RS_REG_RCX, 0x10);
    TRY(r, 0xf3, 0x0f, 0xbd, 0xc1); /* lzcnt is bsr */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 4);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0xbc, 0xc1)); /* tzcnt is bsf */
    ck_assert_uint_eq(get(r, RS_REG_RAX), 4);
    AGAIN(r, 0, TRY(r, 0xf3, 0x0f, 0x1e, 0xfa)); /* endbr64 */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 4);
    reg(r, RS_REG_RAX, 0x1234);
    AGAIN(r, 0, TRY(r, 0xf3, 0x48, 0x0f, 0x1e, 0xc8)); /* rdsspq rax */
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x1234);
    AGAIN(r, 0, TRY(r, 0xf3, 0x90)); /* pause */
    ALLOWED(r);
    AGAIN(r, 0, TRY(r, 0xf2, 0xe9, 0x10, 0x00, 0x00, 0x00)); /* bnd jmp */
    ck_assert_uint_eq(get(r, RS_REG_RIP), CODE + 6 + 0x10);
    ring_free(r);
}

RUN_TESTS("checks", checks_9_accessed_is_set_on_the_way_but_not_in_a_leaf_whose_rights_refuse,
          checks_10_dirty_is_set_by_an_allowed_write_alone,
          checks_12_without_wp_a_supervisor_writes_read_only_pages_and_marks_them,
          checks_20_cr2_is_the_first_byte_that_cannot_be_reached,
          checks_21_a_write_across_pages_judges_both_before_it_changes_either,
          checks_22_an_instruction_cut_by_an_absent_page_faults_at_that_page,
          checks_32_changed_code_runs_changed_at_the_next_instruction,
          checks_34_a_non_canonical_address_is_gp_and_through_rsp_or_rbp_ss,
          checks_35_non_canonical_wins_over_paging_and_leaves_cr2,
          checks_36_a_near_branch_to_nowhere_faults_where_it_stands,
          checks_37_an_access_that_leaves_canonical_space_faults_as_a_whole,
          checks_38_in_64_bit_mode_only_fs_and_gs_have_bases_and_nothing_a_limit,
          checks_60_a_fault_pushes_rf_and_an_int_n_does_not,
        
          a_single_step_traps_behind_the_instruction_and_pushes_tf,
          checks_63_mov_ss_and_pop_ss_hold_off_the_single_step_for_one_instruction,
          checks_63_sti_holds_off_a_waiting_interrupt_for_one_instruction,
          checks_78_the_trap_behind_syscall_follows_fmask_and_r11_keeps_tf,
          checks_81_cr4_and_cr8_refuse_bits_that_nobody_knows,
          checks_85_the_apic_goes_off_and_on_by_its_base_register,
          checks_85_x2apic_mode_switched_on_by_hand_is_a_gap,
          checks_85_x2apic_mode_has_no_way_in_but_from_xapic_mode, checks_84_an_msr_that_a_promised_feature_lacks_is_a_gap,
          checks_73_what_64_bit_mode_took_away_is_undefined,
          checks_96_a_fault_in_a_string_leaves_the_registers_at_its_element,
          checks_97_rep_under_67h_with_ecx_0_truncates_as_measured_on_intel,
          checks_98_a_compare_and_exchange_that_differs_is_a_write_all_the_same,
          checks_99_lock_is_for_read_modify_write_in_memory,
          checks_100_an_instruction_that_faults_has_changed_nothing,
          checks_101_alignment_is_checked_with_am_and_ac_in_ring_3_alone,
          checks_103_narrow_results_keep_the_rest_wide_ones_clear_it,
          checks_104_vex_without_avx_is_undefined, checks_105_ts_em_and_osfxsr_gate_sse_and_wait,
          checks_118_66h_before_a_near_branch_is_ignored_as_on_intel,
          checks_120_mod_is_ignored_by_mov_cr_and_ud0_fetches_its_modrm,
          checks_121_loops_count_in_the_register_of_the_address_size,
          checks_124_encodings_of_absent_features_fall_back_where_the_manual_says_so)
