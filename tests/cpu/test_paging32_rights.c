/*
 * test_paging32_rights.c - rights, faults and caches of 32-bit and PAE paging through rs_run, on both engines.
 * Where registers that nobody may see matter (PDPTEs, the TLB) the guest does all by itself, in one run.
 * Manual: SDM 3A "Access Rights", "Page-Fault Exceptions", "PDPTE Registers", "Caching Translation Information".
 */
#include "cpu/protect.h"
#include "tests/cpu/both.h"

enum {
    PD = 0x260000,
    PT = 0x261000,
    PDPT = 0x262000,
    PD2 = 0x263000,
    PD3 = 0x264000,
    PAGE = 0x800000
};
enum { SMEP = 1 << 20, SMAP = 1 << 21, PGE = 1 << 7, WP = 1 << 16 };
#define HIGH 0xc0000000u
#define P 1u
#define W 2u
#define U 4u
#define PS 0x80u
#define A 0x20u
#define D 0x40u
#define G 0x100u
#define XD (1ull << 63)

/* ---- two modes, one map: 16 MiB, the supervisor's, but for small pages at PAGE that are everybody's -------- */

static uint64_t pte_at(bool pae, unsigned i) { return PT + (pae ? 8 : 4) * i; }
static uint64_t pde_at(bool pae) { return pae ? PD2 + 8 * (PAGE >> 21) : PD + 4 * (PAGE >> 22); }

static void map(struct ring *r, bool pae)
{
    unsigned n = pae ? 8 : 4, shift = pae ? 21 : 22;

    for (unsigned i = 0; i < 4; i++)
        poke(r, PDPT + 8 * i, i == 0 ? PD2 | P : i == 3 ? PD3 | P : 0, 8);
    for (unsigned i = 0; i < 16u << 20 >> shift; i++)
        poke(r, (pae ? PD2 : PD) + n * i, (uint64_t)i << shift | PS | P | W, n);
    poke(r, PD3, PAGE | PS | P | W | U, 8);
    poke(r, pde_at(pae), PT | P | W | U, n);
    for (unsigned i = 0; i < (pae ? 512u : 1024u); i++)
        poke(r, pte_at(pae, i), (PAGE + i * 0x1000) | P | W | U, n);
}

static struct ring *paged(bool pae, uint64_t cr4)
{
    struct ring *r = ring_new(true);

    map(r, pae);
    mov_cr(r, 4, (pae ? 0x20 : 0x10) | cr4);
    ALLOWED(r);
    mov_cr(r, 3, pae ? PDPT : PD);
    mov_cr(r, 0, 0x80010011);
    ALLOWED(r);
    return r;
}

static void forget(struct ring *r) { reg(r, RS_REG_CR3, get(r, RS_REG_CR3)); }

/* The instruction lies in a page of ring 3 too, at PAGE + 0x10000. */
enum { USER_CODE = PAGE + 0x10000 };

static void access_at(struct ring *r, unsigned cpl, bool write, uint64_t linear, bool ac)
{
    at_level(r, cpl);
    if (cpl) reg(r, RS_REG_RIP, USER_CODE);
    if (cpl) reg(r, RS_REG_RSP, PAGE + 0x20000);
    if (ac) reg(r, RS_REG_RFLAGS, 2 | RF_AC);
    reg(r, RS_REG_RBX, linear);
    reg(r, RS_REG_RAX, 0xa5a5a5a5);
    if (write) TRY(r, 0x89, 0x03);
    else TRY(r, 0x8b, 0x03);
}

#define FAULTED(r, error, linear)                                                                  \
    do {                                                                                           \
        ck_assert_int_eq((r)->vector, VEC_PF);                                                     \
        ck_assert_uint_eq((r)->fault_error, (error));                                              \
        ck_assert_uint_eq(get((r), RS_REG_CR2), (linear));                                         \
    } while (0)

/* Each mode with a fresh machine r. */
#define MODES(cr4)                                                                                 \
    for (unsigned pae = 0; pae < 2; pae++)                                                         \
        for (struct ring *r = paged(pae, (cr4)); r; ring_free(r), r = NULL)

static void small(struct ring *r, bool pae, uint64_t entry)
{
    poke(r, pte_at(pae, 0), entry, pae ? 8 : 4);
    forget(r);
}

/* ---- entries ------------------------------------------------------------------------------------------------ */

BOTH(checks_2_the_entry_above_wins_whether_absent_or_reserved)
{
    MODES(0)
    {
        uint64_t reserved = pae ? 1ull << 52 : 0;

        poke(r, pde_at(pae), PT | W | U, pae ? 8 : 4); /* absent above reserved */
        small(r, pae, PAGE | P | W | U | reserved);
        access_at(r, 0, false, PAGE + 8, false);
        FAULTED(r, 0, PAGE + 8);
        poke(r, pde_at(pae), pae ? PT | P | W | U | reserved : PAGE | PS | P | 1u << 21,
             pae ? 8 : 4);
        small(r, pae, 0); /* reserved above absent */
        access_at(r, 0, true, PAGE + 8, false);
        FAULTED(r, 0xb, PAGE + 8);
    }
}

BOTH(checks_3_and_6_pae_entries_have_reserved_bits_from_maxphyaddr_to_62_and_xd_without_nxe)
{
    struct ring *r = paged(true, 0);

    for (unsigned b = 46; b < 64; b++) {
        small(r, true, PAGE | P | W | U | 1ull << b);
        access_at(r, 3, true, PAGE + 8, false);
        FAULTED(r, 0xf, PAGE + 8);
        access_at(r, 0, false, PAGE + 8, false);
        FAULTED(r, 9, PAGE + 8);
    }
    wrmsr(r, 0xc0000080, 0x800);
    ALLOWED(r);
    access_at(r, 3, true, PAGE + 8, false);
    ALLOWED(r);
    at_level(r, 3);
    reg(r, RS_REG_RIP, PAGE + 8);
    go(r, 1);
    FAULTED(r, 0x15, PAGE + 8);
    ring_free(r);
}

/* Is the page of 4 MByte that PDE 2 maps there? Nothing else lies so high: rs_explain says. */
static uint64_t explained(struct ring *r, uint64_t linear, unsigned *steps)
{
    struct rs_explanation x;

    ck_assert_int_eq(rs_explain(r->m, 0, 0, linear, RS_READ, &x), RS_OK);
    *steps = x.steps;
    return x.allowed ? x.phys : UINT64_MAX;
}

BOTH(checks_8_pse_36_gives_20_13_to_the_address_and_pse_off_makes_bit_7_nothing)
{
    struct ring *r = paged(false, 0);
    unsigned steps;

    for (unsigned b = 13; b <= 20; b++) { /* MAXPHYADDR is 46: M is 40 */
        poke(r, pde_at(false), PAGE | PS | P | 1u << b, 4);
        ck_assert_uint_eq(explained(r, PAGE + 0x345678, &steps),
                          (1ull << (b + 19)) + PAGE + 0x345678);
        ck_assert_uint_eq(steps, 1);
    }
    ring_free(r);
    r = ring_new(true); /* CR4 is 0: every PDE names a table, bit 7 or not */
    poke(r, PD, PT | PS | P | W, 4);
    for (unsigned i = 0; i < 1024; i++) poke(r, PT + 4 * i, i << 12 | P | W, 4);
    poke(r, PT + 4 * 0x250, DATA + 0x1000, 4);
    poke(r, PT + 4 * 0x251, (DATA + 0x1000) | P | W | PS, 4); /* PAT, in a PTE */
    poke(r, DATA + 0x1008, 0x13572468, 4);
    mov_cr(r, 3, PD);
    mov_cr(r, 0, 0x80010011);
    ALLOWED(r);
    access_at(r, 0, false, DATA + 0x1008, false);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x13572468);
    access_at(r, 0, false, DATA + 8, false);
    FAULTED(r, 0, DATA + 8);
    ring_free(r);
}

/* ---- rights ------------------------------------------------------------------------------------------------- */

BOTH(checks_5_user_and_write_are_the_and_of_both_levels)
{
    MODES(0)
    {
        for (unsigned k = 0; k < 16; k++) {
            bool user = (k & 5) == 5, write = (k & 10) == 10;

            poke(r, pte_at(pae, 0), PAGE | P | (k & 1 ? U : 0) | (k & 2 ? W : 0), pae ? 8 : 4);
            poke(r, pde_at(pae), PT | P | (k & 4 ? U : 0) | (k & 8 ? W : 0), pae ? 8 : 4);
            forget(r);
            access_at(r, 0, true, PAGE + 8, false);
            if (write) ALLOWED(r);
            else FAULTED(r, 3, PAGE + 8);
            struct rs_explanation x;
            ck_assert_int_eq(rs_explain(r->m, 0, 3, PAGE + 8, RS_WRITE, &x), RS_OK);
            ck_assert_int_eq(x.allowed, user && write);
        }
    }
}

BOTH(checks_12_supervisor_writes_to_read_only_pages_obey_wp_and_set_a_and_d)
{
    MODES(0)
    {
        for (unsigned user = 0; user <= U; user += U) {
            mov_cr(r, 0, 0x80010011);
            small(r, pae, PAGE | P | user);
            access_at(r, 0, true, PAGE + 8, false);
            FAULTED(r, 3, PAGE + 8);
            ck_assert_uint_eq(peek(r, pte_at(pae, 0), 4), PAGE | P | user); /* checks 9 */
            mov_cr(r, 0, 0x80000011);
            ALLOWED(r);
            access_at(r, 0, true, PAGE + 8, false);
            ALLOWED(r);
            ck_assert_uint_eq(peek(r, pte_at(pae, 0), 4), PAGE | P | user | A | D);
            mov_cr(r, 0, 0x80010011); /* checks 29: cached rights are judged anew */
            access_at(r, 0, true, PAGE + 8, false);
            FAULTED(r, 3, PAGE + 8);
        }
    }
}

BOTH(checks_13_smep_refuses_supervisor_fetches_from_user_pages)
{
    MODES(SMEP)
    {
        for (unsigned user = 0; user <= U; user += U) {
            small(r, pae, PAGE | P | W | user);
            at_level(r, 0);
            poke(r, PAGE + 8, 0x90, 1);
            reg(r, RS_REG_RIP, PAGE + 8);
            go(r, 1);
            if (user) FAULTED(r, 0x11, PAGE + 8);
            else ALLOWED(r);
        }
    }
}

BOTH(checks_14_15_smap_obeys_ac_for_explicit_accesses_and_never_for_a_descriptor_table)
{
    MODES(SMAP)
    {
        access_at(r, 0, false, PAGE + 8, false);
        FAULTED(r, 1, PAGE + 8);
        access_at(r, 0, true, PAGE + 8, false);
        FAULTED(r, 3, PAGE + 8);
        access_at(r, 0, true, PAGE + 8, true);
        ALLOWED(r);
        access_at(r, 3, false, PAGE + 8, false);
        ALLOWED(r);
        /* MOV ES, a selector of an LDT in a user page */
        for (unsigned cpl = 0; cpl <= 3; cpl += 3) {
            poke(r, PAGE + 8, D_DATA | D_DPL(3), 8);
            forget(r);
            segment(r, I_LDTR, S_LDT, PAGE, 0xff, ATTR_P | SYS_LDT);
            at_level(r, cpl);
            if (cpl) reg(r, RS_REG_RIP, USER_CODE);
            reg(r, RS_REG_RFLAGS, 2 | RF_AC);
            reg(r, RS_REG_RAX, 0xf);
            TRY(r, 0x8e, 0xc0);
            FAULTED(r, 1, PAGE + 8);
        }
    }
}

/* ---- crossers ----------------------------------------------------------------------------------------------- */

BOTH(checks_20_21_a_crosser_faults_at_the_second_page_and_changes_neither)
{
    MODES(0)
    {
        poke(r, PAGE + 0xffc, 0x11111111, 4);
        poke(r, pte_at(pae, 1), (PAGE + 0x1000) | W | U, pae ? 8 : 4);
        forget(r);
        for (unsigned write = 0; write < 2; write++) {
            access_at(r, 3, write, PAGE + 0xffe, false);
            FAULTED(r, write ? 6u : 4u, PAGE + 0x1000);
            ck_assert_uint_eq(peek(r, PAGE + 0xffc, 4), 0x11111111);
        }
        poke(r, pte_at(pae, 1), (PAGE + 0x1000) | P | W | U, pae ? 8 : 4);
        access_at(r, 3, true, PAGE + 0xffe, false);
        ALLOWED(r);
        ck_assert_uint_eq(peek(r, PAGE + 0xffe, 4), 0xa5a5a5a5);
    }
}

/* ---- what the TLB remembers --------------------------------------------------------------------------------- */

static uint32_t read_now(struct ring *r, uint64_t linear)
{
    access_at(r, 0, false, linear, false);
    ALLOWED(r);
    return (uint32_t)get(r, RS_REG_RAX);
}

static void invlpg(struct ring *r, uint64_t linear)
{
    at_level(r, 0);
    reg(r, RS_REG_RBX, linear);
    TRY(r, 0x0f, 0x01, 0x3b);
    ALLOWED(r);
}

BOTH(checks_26_27_28_absent_is_not_cached_and_stale_is_until_invlpg_mov_cr3_or_pge)
{
    MODES(PGE)
    {
        for (unsigned global = 0; global <= G; global += G) {
            uint64_t first = PAGE | P | W | U | global,
                     other = (PAGE + 0x1000) | P | W | U | global;
            unsigned n = pae ? 8 : 4;
            uint64_t at = pte_at(pae, 0);

            poke(r, PAGE, 1, 4);
            poke(r, PAGE + 0x1000, 2, 4);
            poke(r, at, 0, n);
            invlpg(r, PAGE);
            access_at(r, 0, false, PAGE, false);
            FAULTED(r, 0, PAGE);
            poke(r, at, first, n); /* 26: no INVLPG needed */
            ck_assert_uint_eq(read_now(r, PAGE), 1);
            poke(r, at, other, n);
            ck_assert_uint_eq(read_now(r, PAGE), 1);
            invlpg(r, PAGE + 0xfff); /* 27: global or not */
            ck_assert_uint_eq(read_now(r, PAGE), 2);
            poke(r, at, first, n);
            mov_cr(r, 3, pae ? PDPT : PD); /* 28 */
            ck_assert_uint_eq(read_now(r, PAGE), global ? 2 : 1);
            mov_cr(r, 4, pae ? 0x20 : 0x10);
            ck_assert_uint_eq(read_now(r, PAGE), 1);
            mov_cr(r, 4, (pae ? 0x20 : 0x10) | PGE);
        }
    }
}

BOTH(checks_29_paging_off_drops_globals_smep_on_drops_and_pse_smap_wp_do_not)
{
    static const struct {
        unsigned cr;
        uint64_t change;
        bool drops;
    } row[] = {
        {0, 0x80000000, true}, {4, SMEP, true}, {4, SMAP, false}, {0, WP, false}, {4, 0x10, false}};

    for (unsigned k = 0; k < 5; k++) {
        MODES(PGE)
        {
            uint64_t value = get(r, row[k].cr ? RS_REG_CR4 : RS_REG_CR0),
                     entry = PAGE | P | W | (k ? 0 : G);

            if (row[k].change == 0x10 && !pae) continue; /* the map itself hangs on PSE */
            poke(r, PAGE, 1, 4);
            poke(r, PAGE + 0x1000, 2, 4);
            small(r, pae, entry);
            ck_assert_uint_eq(read_now(r, PAGE), 1);
            poke(r, pte_at(pae, 0), entry + 0x1000, pae ? 8 : 4);
            mov_cr(r, row[k].cr, value ^ row[k].change);
            ALLOWED(r);
            if (!k) mov_cr(r, 0, value);
            ck_assert_uint_eq(read_now(r, PAGE), row[k].drops ? 2 : 1);
        }
    }
}

/* One table that both modes can live by: its even entries are PTEs of 32-bit paging and lower halves of PDEs
 * of PAE paging, the odd ones behind them are 0. */
BOTH(checks_29_a_change_of_pae_drops_what_was_cached)
{
    struct ring *r = ring_new(true);

    poke(r, PD, PT | P, 4); /* and PDPTE 0 */
    for (unsigned i = 1; i < 1024; i++) poke(r, PD + 4 * i, 0, 4);
    for (unsigned i = 0; i < 1024; i++) poke(r, PT + 4 * i, i << 12 | P | W, 4);
    poke(r, PT, 0 | PS | P | W, 8);
    poke(r, PT + 8, 0x200000 | PS | P | W, 8);
    poke(r, PT + 4 * 5, DATA | P | W | G, 4);
    poke(r, DATA + 8, 0x32, 4);
    poke(r, 0x5008, 0x64, 4);
    mov_cr(r, 4, PGE);
    mov_cr(r, 3, PD);
    mov_cr(r, 0, 0x80000011);
    ALLOWED(r);
    ck_assert_uint_eq(read_now(r, 0x5008), 0x32);
    poke(r, PD, PT | P, 4); /* what was A in a PDE is reserved in a PDPTE */
    mov_cr(r, 4, PGE | 0x20);
    ALLOWED(r);
    ck_assert_uint_eq(read_now(r, 0x5008), 0x64);
    mov_cr(r, 4, PGE);
    ALLOWED(r);
    ck_assert_uint_eq(read_now(r, 0x5008), 0x32);
    ring_free(r);
}

BOTH(checks_27_invlpg_of_one_half_of_a_4_mbyte_page_drops_the_other_too)
{
    struct ring *r = paged(false, PGE);

    poke(r, PAGE + 0x10, 1, 4);
    poke(r, PAGE + 0x200010, 2, 4);
    poke(r, 0xc00010, 3, 4);
    poke(r, 0xe00010, 4, 4);
    poke(r, pde_at(false), PAGE | PS | P | W | G, 4);
    forget(r);
    ck_assert_uint_eq(read_now(r, PAGE + 0x10), 1);
    ck_assert_uint_eq(read_now(r, PAGE + 0x200010), 2);
    poke(r, pde_at(false), 0xc00000 | PS | P | W | G, 4);
    ck_assert_uint_eq(read_now(r, PAGE + 0x200010), 2);
    invlpg(r, PAGE + 0x10);
    ck_assert_uint_eq(read_now(r, PAGE + 0x200010), 4);
    ck_assert_uint_eq(read_now(r, PAGE + 0x10), 3);
    ring_free(r);
}

/* ---- PDPTE registers: the guest alone ----------------------------------------------------------------------- */

static void run_code(struct ring *r, const uint8_t *code, size_t n, uint64_t insns)
{
    at_level(r, 0);
    reg(r, RS_REG_RBX, HIGH + 8);
    reg(r, RS_REG_RDI, PDPT + 24);
    must(rs_phys_write(r->m, CODE, code, n));
    poke(r, PAGE + 8, 0x600dda7a, 4);
    go(r, insns);
}
#define RUN(r, insns, ...)                                                                         \
    run_code((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), (insns))
#define CLEAR_PDPTE3 0xc7, 0x07, 0, 0, 0, 0       /* mov dword [edi], 0 */
#define READ_HIGH 0x8b, 0x03                      /* mov eax, [ebx] */
#define FLUSH_HIGH 0x0f, 0x01, 0x3b               /* invlpg [ebx] */
#define RELOAD 0x0f, 0x20, 0xda, 0x0f, 0x22, 0xda /* mov edx, cr3; mov cr3, edx */

BOTH(checks_8_what_memory_says_of_a_pdpte_counts_from_the_next_mov_cr3_on)
{
    struct ring *r = paged(true, 0);

    RUN(r, 3, CLEAR_PDPTE3, FLUSH_HIGH, READ_HIGH);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x600dda7a);
    ring_free(r);
    r = paged(true, 0);
    RUN(r, 4, CLEAR_PDPTE3, RELOAD, READ_HIGH);
    FAULTED(r, 0, HIGH + 8);
    ring_free(r);
}

BOTH(checks_8_a_refused_mov_cr3_loads_no_pdpte)
{
    struct ring *r = paged(true, 0);

    /* PDPTE 3 is to be another that is not bad, 2 is bad: 3 must stay */
    poke(r, PDPT + 16, 0, 8);
    RUN(r, 4, CLEAR_PDPTE3, 0x83, 0x4f, 0xf8, 0x07 /* or dword [edi-8], 7 */, RELOAD);
    REFUSED(r, PDPTE_RSVD, GP, 0);
    poke(r, handler(VEC_GP), 0xfeeb038b3b010full, 7); /* invlpg [ebx]; mov eax, [ebx]; jmp $ */
    go(r, 2);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x600dda7a);
    ring_free(r);
}

BOTH(
    checks_8_mov_cr4_loads_pdptes_for_pse_pge_smep_but_not_for_de_and_mov_cr0_for_cd_but_not_for_wp)
{
    static const struct {
        unsigned cr;
        uint32_t flip;
        bool loads;
    } row[] = {{4, 0x10, true}, {4, PGE, true},   {4, SMEP, true},       {4, 0x8, false},
               {4, 0x4, false}, {4, SMAP, false}, {0, 0x40000000, true}, {0, 0x20000000, true},
               {0, WP, false},  {0, 0x2, false},  {0, 0x8, false}};

    for (unsigned k = 0; k < sizeof row / sizeof row[0]; k++) {
        struct ring *r = paged(true, 0);
        uint8_t modrm = (uint8_t)(0xc2 | row[k].cr << 3), f[4];

        memcpy(f, &row[k].flip, 4);
        poke(r, PD3, PAGE | PS | P | W, 8);                      /* SMAP asks nothing of it */
        if (row[k].flip == 0x20000000) mov_cr(r, 0, 0xc0010011); /* NW needs CD */
        RUN(r, 6, CLEAR_PDPTE3, 0x0f, 0x20, modrm, 0x81, 0xf2, f[0], f[1], f[2], f[3], 0x0f, 0x22,
            modrm, FLUSH_HIGH, READ_HIGH);
        if (row[k].loads) FAULTED(r, 0, HIGH + 8);
        else ALLOWED(r);
        ring_free(r);
    }
}

BOTH(a_register_written_from_outside_loads_no_pdpte_unless_it_is_a_control_register)
{
    struct ring *r = paged(true, 0);

    RUN(r, 2, CLEAR_PDPTE3, FLUSH_HIGH);
    ALLOWED(r);
    reg(r, RS_REG_RCX, 1);
    poke(r, get(r, RS_REG_RIP), 0x038b, 2);
    go(r, 1);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x600dda7a);
    forget(r); /* CR3: as MOV does */
    reg(r, RS_REG_RIP, CODE);
    poke(r, CODE, 0x038b, 2);
    go(r, 1);
    FAULTED(r, 0, HIGH + 8);
    ring_free(r);
}

RUN_TESTS(
    "cpu/paging32_rights", checks_2_the_entry_above_wins_whether_absent_or_reserved,
    checks_3_and_6_pae_entries_have_reserved_bits_from_maxphyaddr_to_62_and_xd_without_nxe,
    checks_8_pse_36_gives_20_13_to_the_address_and_pse_off_makes_bit_7_nothing,
    checks_5_user_and_write_are_the_and_of_both_levels,
    checks_12_supervisor_writes_to_read_only_pages_obey_wp_and_set_a_and_d,
    checks_13_smep_refuses_supervisor_fetches_from_user_pages,
    checks_14_15_smap_obeys_ac_for_explicit_accesses_and_never_for_a_descriptor_table,
    checks_20_21_a_crosser_faults_at_the_second_page_and_changes_neither,
    checks_26_27_28_absent_is_not_cached_and_stale_is_until_invlpg_mov_cr3_or_pge,
    checks_29_paging_off_drops_globals_smep_on_drops_and_pse_smap_wp_do_not,
    checks_29_a_change_of_pae_drops_what_was_cached,
    checks_27_invlpg_of_one_half_of_a_4_mbyte_page_drops_the_other_too,
    checks_8_what_memory_says_of_a_pdpte_counts_from_the_next_mov_cr3_on,
    checks_8_a_refused_mov_cr3_loads_no_pdpte,
    checks_8_mov_cr4_loads_pdptes_for_pse_pge_smep_but_not_for_de_and_mov_cr0_for_cd_but_not_for_wp,
    a_register_written_from_outside_loads_no_pdpte_unless_it_is_a_control_register)
