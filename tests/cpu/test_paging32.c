/*
 * test_paging32.c - 32-bit and PAE paging through rs_run, on both engines: switched on by guest code, error
 * codes, rights, A and D, PDPTE registers that are loaded and judged by MOV CR.
 * Manual: SDM 3A "32-Bit Paging", "PAE Paging", "Page-Fault Exceptions", "Access Rights".
 */
#include "cpu/protect.h"
#include "tests/cpu/both.h"

enum { PD = 0x260000, PT = 0x261000, PDPT = 0x262000, PD2 = 0x263000, PAGE = 0x800000 };
#define P 1u
#define W 2u
#define U 4u
#define PS 0x80u

/* An identity map of 16 MiB by large pages, open to all, and one small-page table at PAGE. */
static void map32(struct ring *r)
{
    for (unsigned i = 0; i < 4; i++) poke(r, PD + 4 * i, i << 22 | PS | P | W | U, 4);
    poke(r, PD + 4 * (PAGE >> 22), PT | P | W | U, 4);
    for (unsigned i = 0; i < 1024; i++) poke(r, PT + 4 * i, (PAGE + i * 0x1000) | P | W | U, 4);
}

static void map_pae(struct ring *r)
{
    for (unsigned i = 0; i < 4; i++) poke(r, PDPT + 8 * i, i == 0 ? PD2 | P : 0, 8);
    for (unsigned i = 0; i < 8; i++) poke(r, PD2 + 8 * i, i << 21 | PS | P | W | U, 8);
    poke(r, PD2 + 8 * (PAGE >> 21), PT | P | W | U, 8);
    for (unsigned i = 0; i < 512; i++) poke(r, PT + 8 * i, (PAGE + i * 0x1000) | P | W | U, 8);
}

/* Paging on, by MOV to CR4, CR3 and CR0. */
static struct ring *paged(bool pae)
{
    struct ring *r = ring_new(true);

    if (pae) map_pae(r);
    else map32(r);
    mov_cr(r, 4, pae ? 0x20 : 0x10);
    mov_cr(r, 3, pae ? PDPT : PD);
    mov_cr(r, 0, 0x80010011);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_CR0), 0x80010011);
    return r;
}

static void page(struct ring *r, bool pae, uint64_t entry)
{
    poke(r, PT, entry, pae ? 8 : 4);
    reg(r, RS_REG_CR3, get(r, RS_REG_CR3));
}

#define FAULTED(r, error)                                                                          \
    do {                                                                                           \
        ck_assert_int_eq((r)->vector, VEC_PF);                                                     \
        ck_assert_uint_eq((r)->fault_error, (error));                                              \
        ck_assert_uint_eq(get((r), RS_REG_CR2), PAGE + 8);                                         \
    } while (0)

static void access_page(struct ring *r, unsigned cpl, bool write)
{
    at_level(r, cpl);
    reg(r, RS_REG_RBX, PAGE + 8);
    if (write) TRY(r, 0x89, 0x03);
    else TRY(r, 0x8b, 0x03);
}

BOTH(checks_1_and_5_legacy_page_faults_have_the_error_codes_of_the_manual)
{
    for (unsigned pae = 0; pae < 2; pae++) {
        struct ring *r = paged(pae);

        access_page(r, 3, true);
        ALLOWED(r);
        page(r, pae, PAGE | W | U);
        access_page(r, 3, false);
        FAULTED(r, 4);
        access_page(r, 0, true);
        FAULTED(r, 2);
        page(r, pae, PAGE | P | U);
        access_page(r, 3, true);
        FAULTED(r, 7);
        access_page(r, 0, true); /* WP is set */
        FAULTED(r, 3);
        page(r, pae, PAGE | P | W);
        access_page(r, 3, false);
        FAULTED(r, 5);
        access_page(r, 0, false);
        ALLOWED(r);
        ring_free(r);
    }
}

BOTH(checks_9_10_accessed_and_dirty_are_set_in_4_and_8_byte_entries)
{
    for (unsigned pae = 0; pae < 2; pae++) {
        struct ring *r = paged(pae);

        page(r, pae, PAGE | P | W | U);
        access_page(r, 3, false);
        ck_assert_uint_eq(peek(r, PT, 4), PAGE | P | W | U | 0x20);
        access_page(r, 3, true);
        ck_assert_uint_eq(peek(r, PT, 4), PAGE | P | W | U | 0x60);
        ck_assert_uint_ne(peek(r, pae ? PD2 + 8 * (PAGE >> 21) : PD + 4 * (PAGE >> 22), 4) & 0x20, 0);
        if (pae) ck_assert_uint_eq(peek(r, PDPT, 8), PD2 | P);
        ring_free(r);
    }
}

BOTH(checks_4_a_fetch_fault_says_so_only_with_nxe_and_pae_or_with_smep)
{
    for (unsigned k = 0; k < 4; k++) {
        bool pae = k >= 2;
        struct ring *r = paged(pae);

        if (k == 1) { /* the handlers are ring 0's then */
            for (unsigned i = 0; i < 4; i++) poke(r, PD + 4 * i, i << 22 | PS | P | W, 4);
            poke(r, PD + 4 * (PAGE >> 22), PT | P | W | U, 4);
            reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | 1u << 20);
        }
        if (k == 3) reg(r, RS_REG_EFER, 0x800);
        page(r, pae, PAGE | P | W);
        at_level(r, 3);
        reg(r, RS_REG_RIP, PAGE + 8);
        go(r, 1);
        FAULTED(r, k == 1 || k == 3 ? 0x15 : 5);
        ring_free(r);
    }
}

BOTH(checks_8_4_mbyte_pages_have_their_reserved_and_pse_36_bits)
{
    struct ring *r = paged(false);

    poke(r, PD + 4 * (PAGE >> 22), PAGE | PS | P | W | U | 1u << 21, 4);
    access_page(r, 3, false);
    FAULTED(r, 0xd);
    poke(r, PD + 4 * (PAGE >> 22), PAGE | PS | P | W | U, 4);
    access_page(r, 3, false);
    ALLOWED(r);
    ring_free(r);
}

BOTH(checks_8_pdptes_are_judged_and_loaded_by_mov_cr_and_not_looked_at_again)
{
    struct ring *r = paged(true);

    poke(r, PDPT + 16, 0x2 | P, 8); /* R/W is reserved here */
    mov_cr(r, 3, PDPT);
    REFUSED(r, PDPTE_RSVD, GP, 0);
    access_page(r, 3, false); /* the old ones are still there */
    ALLOWED(r);
    mov_cr(r, 4, 0x20 | 0x80);
    REFUSED(r, PDPTE_RSVD, GP, 0);
    mov_cr(r, 0, 0xc0010011); /* CD */
    REFUSED(r, PDPTE_RSVD, GP, 0);
    mov_cr(r, 0, 0x80010013); /* MP loads nothing */
    ALLOWED(r);
    poke(r, PDPT + 16, 0x2, 8); /* not present: nothing is reserved */
    mov_cr(r, 3, PDPT);
    PASSED(r, PDPTE_RSVD);
    poke(r, PDPT, 0, 8); /* memory alone changes nothing */
    poke(r, CODE, 0x90, 1);
    go(r, 1);
    ALLOWED(r);
    ring_free(r);
}

BOTH(from_32_bit_paging_to_long_mode_goes_through_paging_off)
{
    struct ring *r = paged(false);

    mov_cr(r, 0, 0x11);
    mov_cr(r, 4, 0x20);
    for (unsigned i = 0; i < 512; i++) poke(r, PT + 8 * i, 0, 8);
    poke(r, PT, PDPT | P | W | U, 8); /* PML4 */
    poke(r, PDPT, PD2 | P | W | U, 8);
    for (unsigned i = 0; i < 8; i++) poke(r, PD2 + 8 * i, i << 21 | PS | P | W | U, 8);
    mov_cr(r, 3, PT);
    wrmsr(r, 0xc0000080, 0x100);
    mov_cr(r, 0, 0x80000011);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_EFER), 0x500);
    ring_free(r);
}

BOTH(a_linear_address_goes_round_at_4_gib_and_tables_lie_below_it)
{
    struct ring *r = paged(false);

    poke(r, PD + 4 * 0x3ff, PAGE | PS | P | W | U, 4);
    poke(r, PAGE + 0x3ffffc, 0x11223344, 4);
    poke(r, 0, 0x55667788, 4);
    at_level(r, 3);
    reg(r, RS_REG_RBX, 0xfffffffe);
    TRY(r, 0x8b, 0x03);
    ALLOWED(r);
    ck_assert_uint_eq(get(r, RS_REG_RAX), 0x77881122);
    ring_free(r);
}

START_TEST(each_pdpte_of_the_four_and_no_other_is_judged_if_present)
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t pdpte[5] = {1, 1, 1, 1, 1};

        pdpte[i] |= 1u << 1; /* reserved */
        ck_assert_int_eq(pdptes_judge(pdpte, 40), i == 4);
        pdpte[i] &= ~1ull; /* not present: what else it holds is ignored */
        ck_assert_int_eq(pdptes_judge(pdpte, 40), 1);
    }
}
END_TEST

RUN_TESTS("cpu/paging32", checks_1_and_5_legacy_page_faults_have_the_error_codes_of_the_manual,
          checks_9_10_accessed_and_dirty_are_set_in_4_and_8_byte_entries,
          checks_4_a_fetch_fault_says_so_only_with_nxe_and_pae_or_with_smep,
          checks_8_4_mbyte_pages_have_their_reserved_and_pse_36_bits,
          checks_8_pdptes_are_judged_and_loaded_by_mov_cr_and_not_looked_at_again,
          from_32_bit_paging_to_long_mode_goes_through_paging_off,
          a_linear_address_goes_round_at_4_gib_and_tables_lie_below_it,
          each_pdpte_of_the_four_and_no_other_is_judged_if_present)
