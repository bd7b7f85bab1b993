/*
 * test_legacy_enumeration.c - 32-bit and PAE paging counted through against an oracle of its own: what the
 * manual's tables of entry formats say, read bit by bit, for every combination of the bits that matter.
 * Manual: SDM 3A "32-Bit Paging", "PAE Paging", "Page-Fault Exceptions".
 */
#include "tests/check_main.h"
#include "tests/mmu/world.h"

#include "mmu/parts.h"

enum { DIR = 0x10000, TABLE = 0x20000 };

/* ---- a memory of two entries ------------------------------------------------------------------------------ */

struct memory {
    uint64_t pde_at, pte_at, pde, pte;
    unsigned width, reads;
};

static uint64_t read_it(const void *ctx, uint64_t at, unsigned n)
{
    struct memory *m = (struct memory *)(uintptr_t)ctx;

    m->reads++;
    if (n == m->width && at == m->pde_at) return m->pde;
    if (n != m->width || at != m->pte_at) ck_abort_msg("a read of %u bytes at %#llx", n, (unsigned long long)at);
    return m->pte;
}

static struct mmu_path walk_of(struct memory *m, const struct mmu_env *env, uint64_t cr3, uint64_t linear)
{
    struct walk_reader reader = {m, read_it};
    struct mmu_path p;

    m->reads = 0;
    walk(&reader, env, cr3, linear, NULL, &p);
    return p;
}

static struct mmu_env legacy(bool pae)
{
    return (struct mmu_env){.paging = true, .pae = pae, .pge = true, .maxphyaddr = 40};
}

static uint64_t bit(unsigned n) { return 1ull << n; }
static bool has(uint64_t v, unsigned n) { return v >> n & 1; }

/* What is expected of one walk. */
struct want {
    unsigned status, reads, shift;
    bool user, write, nx, global, dirty;
    uint64_t page;
};

static void as_wanted(const struct mmu_path *p, const struct memory *m, const struct want *w, uint64_t linear)
{
    /* each ck_assert writes to a file: millions of cases ask plainly */
    bool ok = p->status == w->status && m->reads == w->reads && p->read == w->reads;

    if (ok && w->status == WALK_OK)
        ok = p->page_shift == w->shift && p->user == w->user && p->write == w->write && p->nx == w->nx &&
             p->global == w->global && p->dirty == w->dirty &&
             p->phys == w->page + (linear & (bit(w->shift) - 1));
    if (!ok) {
        ck_abort_msg("PDE %#llx PTE %#llx: status %u %u, reads %u %u, address %#llx", (unsigned long long)m->pde,
                     (unsigned long long)m->pte, p->status, w->status, m->reads, w->reads, (unsigned long long)p->phys);
    }
}

/* ---- 32-bit paging --------------------------------------------------------------------------------------------- */

/* Bits of a PDE and PTE that the enumeration turns: P, R/W, U/S, PS (PTE: PAT), D, G, 12 (PAT), 13, 16, 20, 21. */
static const uint8_t pde_bits[] = {0, 1, 2, 6, 7, 8, 12, 13, 16, 20, 21};
static const uint8_t pte_bits[] = {0, 1, 2, 6, 7, 8};

static uint64_t spread(unsigned choice, const uint8_t *bits, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++) v |= choice >> i & 1 ? bit(bits[i]) : 0;
    return v;
}

static struct want want_32(uint64_t pde, uint64_t pte, bool pse, unsigned m)
{
    struct want w = {.status = WALK_NOT_PRESENT, .reads = 1};

    if (!has(pde, 0)) return w;
    if (pse && has(pde, 7)) {
        w.status = WALK_OK;
        for (unsigned b = m - 19; b <= 21; b++)
            if (has(pde, b)) w.status = WALK_RESERVED;
        w.shift = 22;
        w.page = pde & 0xffc00000;
        for (unsigned b = 13; b < m - 19; b++) w.page |= has(pde, b) ? bit(b + 19) : 0;
        w.user = has(pde, 2), w.write = has(pde, 1), w.dirty = has(pde, 6), w.global = has(pde, 8);
        return w;
    }
    w.reads = 2;
    if (!has(pte, 0)) return w;
    w.status = WALK_OK;
    w.shift = 12;
    w.page = pte & 0xfffff000;
    w.user = has(pde, 2) && has(pte, 2), w.write = has(pde, 1) && has(pte, 1);
    w.dirty = has(pte, 6), w.global = has(pte, 8);
    return w;
}

START_TEST(each_pair_of_32_bit_entries_means_what_the_manual_says)
{
    static const uint8_t widths[] = {32, 36, 39, 40, 46};
    uint64_t linear = 0xffc03abc, cases = 0;

    for (unsigned mode = 0; mode < 2 * 2 * 5; mode++) {
        struct mmu_env env = legacy(false);
        unsigned m = widths[mode / 4];

        env.pse = mode & 1;
        env.pse36 = mode & 2;
        env.maxphyaddr = (uint8_t)m;
        m = !env.pse36 ? 32 : m > 40 ? 40 : m;
        for (unsigned d = 0; d < 1u << sizeof pde_bits; d++) {
            uint64_t pde = 0x80000000 | spread(d, pde_bits, sizeof pde_bits);
            bool big = env.pse && has(pde, 7);
            for (unsigned t = 0; t < (big ? 1u : 1u << sizeof pte_bits); t++) {
                uint64_t pte = 0x00765000 | spread(t, pte_bits, sizeof pte_bits);
                struct memory mem = {.width = 4, .pde = pde, .pte = pte, .pde_at = DIR + 0x3ff * 4};
                mem.pte_at = (pde & 0xfffff000) + 3 * 4;
                struct want w = want_32(pde, pte, env.pse, m);
                struct mmu_path p = walk_of(&mem, &env, DIR | 0xfff, linear);
                as_wanted(&p, &mem, &w, linear);
                cases++;
            }
        }
    }
    ck_assert_uint_gt(cases, 700000);
}
END_TEST

/* ---- PAE paging --------------------------------------------------------------------------------------------------- */

static const uint8_t pae_bits[] = {0, 1, 2, 6, 7, 8, 12, 13, 20, 39, 40, 51, 52, 62, 63};

/* Bits that must be 0 by the manual's tables: 62:MAXPHYADDR; 63 without NXE; 20:13 in a large page's PDE. */
static bool pae_reserved(uint64_t entry, bool leaf2m, bool nxe, unsigned m)
{
    for (unsigned b = m; b <= 62; b++)
        if (has(entry, b)) return true;
    for (unsigned b = 13; b <= 20; b++)
        if (leaf2m && has(entry, b)) return true;
    return !nxe && has(entry, 63);
}

static struct want want_pae(uint64_t pde, uint64_t pte, bool nxe, unsigned m)
{
    struct want w = {.status = WALK_NOT_PRESENT, .reads = 1};
    bool big = has(pde, 7);

    if (!has(pde, 0)) return w;
    w.status = WALK_RESERVED;
    if (pae_reserved(pde, big, nxe, m)) return w;
    if (!big) {
        w.reads = 2;
        w.status = has(pte, 0) ? WALK_RESERVED : WALK_NOT_PRESENT;
        if (!has(pte, 0) || pae_reserved(pte, false, nxe, m)) return w;
    }
    uint64_t leaf = big ? pde : pte;
    w.status = WALK_OK;
    w.shift = big ? 21 : 12;
    w.page = leaf & (bit(52) - bit(w.shift));
    w.user = has(pde, 2) && has(leaf, 2), w.write = has(pde, 1) && has(leaf, 1);
    w.nx = has(pde, 63) || has(leaf, 63);
    w.dirty = has(leaf, 6), w.global = has(leaf, 8);
    return w;
}

START_TEST(each_pae_entry_means_what_the_manual_says)
{
    static const uint64_t others[] = {0x30007, 0x30005, 0x30003, 0x30000, 0x8000000000030107ull, 0x8000030067ull, 0x10000030007ull};
    uint64_t linear = 0xc0603abc;

    for (unsigned mode = 0; mode < 4; mode++) {
        struct mmu_env env = legacy(true);
        env.nxe = mode & 1;
        env.maxphyaddr = mode & 2 ? 40 : 52;
        env.pdpte[3] = DIR | 1;
        for (unsigned c = 0; c < 1u << sizeof pae_bits; c++) {
            uint64_t entry = spread(c, pae_bits, sizeof pae_bits) | 0x600000;
            for (unsigned k = 0; k < 2 * sizeof others / sizeof others[0]; k++) {
                bool first = k & 1;
                uint64_t pde = first ? entry : others[k / 2], pte = first ? others[k / 2] : entry;
                struct memory mem = {.width = 8, .pde = pde, .pte = pte, .pde_at = DIR + 3 * 8};
                mem.pte_at = (pde & 0xffffffffff000ull) + 3 * 8;
                struct want w = want_pae(pde, pte, env.nxe, env.maxphyaddr);
                struct mmu_path p = walk_of(&mem, &env, 0xdead0020, linear);
                as_wanted(&p, &mem, &w, linear);
            }
        }
    }
}
END_TEST

START_TEST(the_root_of_pae_paging_is_a_register_without_rights_or_accessed_bit)
{
    struct ad_update update[5];
    struct mmu_env env = legacy(true);
    struct memory mem = {.width = 8, .pde = 0x20007, .pte = 0x30007, .pte_at = TABLE};
    struct mmu_path p;

    for (unsigned i = 0; i < 4; i++) {
        env.pdpte[i] = DIR + 0x1000 * i;
        mem.pde_at = DIR + 0x1000 * i;
        p = walk_of(&mem, &env, 0, (uint64_t)i << 30);
        ck_assert_uint_eq(p.status, WALK_NOT_PRESENT);
        ck_assert(p.steps == 1 && p.step[0].level == 3 && mem.reads == 0);
        env.pdpte[i] |= 1;
        p = walk_of(&mem, &env, 0, (uint64_t)i << 30);
        ck_assert(p.status == WALK_OK && p.user && p.write && p.steps == 3);
        ck_assert_uint_eq(mmu_adbits(&p, RS_WRITE, update), 2);
        ck_assert_uint_eq(update[0].entry, 0x20027);
        ck_assert_uint_eq(update[1].entry, 0x30067);
        ck_assert_uint_eq(update[1].bytes, 8);
    }
    for (unsigned b = 0; b < 64; b++) {
        bool want = b == 1 || b == 2 || (b >= 5 && b <= 8) || b >= 40;
        ck_assert_int_eq(has(mmu_pdpte_reserved(40), b), want);
    }
}
END_TEST

/* Entries of a memory in which each address holds what its own tables say. */
static uint64_t read_any(const void *ctx, uint64_t at, unsigned n)
{
    (void)n;
    *(uint64_t *)(uintptr_t)ctx = at;
    return at < 0x100000 ? 0x200000 | 7 : 0x300000 | 7; /* a directory below 1 MiB, a table above */
}

START_TEST(each_bit_of_the_linear_address_and_of_cr3_has_its_place)
{
    for (unsigned b = 0; b < 32; b++) {
        uint64_t last;
        struct walk_reader reader = {&last, read_any};
        struct mmu_env env = legacy(false);
        struct mmu_path p;

        walk(&reader, &env, DIR, bit(b), NULL, &p);
        ck_assert_uint_eq(p.step[0].at, DIR + (b >= 22 ? bit(b - 22) * 4 : 0));
        ck_assert_uint_eq(p.step[1].at, 0x200000 + (b >= 12 && b < 22 ? bit(b - 12) * 4 : 0));
        ck_assert_uint_eq(p.phys, 0x300000 + (b < 12 ? bit(b) : 0));
        walk(&reader, &env, bit(b), 0, NULL, &p);
        ck_assert_uint_eq(p.step[0].at, b >= 12 ? bit(b) : 0);
        env.pae = true;
        for (unsigned i = 0; i < 4; i++) env.pdpte[i] = (DIR + 0x1000 * i) | 1;
        walk(&reader, &env, 0x40, bit(b), NULL, &p);
        ck_assert_uint_eq(p.step[0].at, 0x40 + (b >= 30 ? bit(b - 30) * 8 : 0));
        ck_assert_uint_eq(p.step[1].at, DIR + (b >= 30 ? bit(b - 30) * 0x1000 : b >= 21 ? bit(b - 21) * 8 : 0));
        ck_assert_uint_eq(p.step[2].at, 0x200000 + (b >= 12 && b < 21 ? bit(b - 12) * 8 : 0));
        walk(&reader, &env, bit(b) | bit(32) | bit(40), 0xc0000000, NULL, &p);
        ck_assert_uint_eq(p.step[0].at, (b >= 5 ? bit(b) : 0) + 24);
    }
    struct mmu_env env = legacy(false);
    struct memory mem = {.width = 4, .pde_at = DIR};
    env.pse = env.pse36 = true;
    for (unsigned b = 13; b <= 20; b++) { /* 40 address bits: all eight */
        mem.pde = 0x00400083 | bit(b);
        ck_assert_uint_eq(walk_of(&mem, &env, DIR, 0).phys, 0x400000 | bit(b + 19));
    }
    env.pse36 = false;
    mem.pde = 0x00400083;
    ck_assert_uint_eq(walk_of(&mem, &env, DIR, 5).phys, 0x400005);
    walk(&(struct walk_reader){&mem, read_it}, &env, DIR | bit(32), 0, NULL, &(struct mmu_path){.steps = 0});
}
END_TEST

/* ---- the TLB ------------------------------------------------------------------------------------------------------- */

START_TEST(both_halves_of_a_4_mbyte_page_are_dropped_together_and_a_and_d_are_4_bytes_wide)
{
    struct world *w = world_new();
    struct mmu_env env = legacy(false);
    uint64_t cr3 = w->mmu.cr3;

    env.pse = true;
    mmu_set_env(&w->mmu, &env);
    ram_write64(&w->ram, cr3, 0x0000000000400083ull | 0x12345678ull << 32);
    ck_assert_uint_eq(sup_do(w, RS_WRITE, 0x201234).phys, 0x601234);
    ck_assert_uint_eq(sup_do(w, RS_READ, 0x001234).phys, 0x401234);
    ck_assert_uint_eq(ram_read64(&w->ram, cr3), 0x004000e3ull | 0x12345678ull << 32);
    ram_write64(&w->ram, cr3, 0x008000e3);
    ck_assert_uint_eq(sup_do(w, RS_READ, 0x201234).phys, 0x601234); /* stale, as it may be */
    mmu_invlpg(&w->mmu, 0);
    ck_assert_uint_eq(sup_do(w, RS_READ, 0x201234).phys, 0xa01234);
    ck_assert_uint_eq(sup_do(w, RS_READ, 0x001234).phys, 0x801234);
    world_free(w);
}
END_TEST

RUN_TESTS("legacy enumeration", each_pair_of_32_bit_entries_means_what_the_manual_says,
          each_pae_entry_means_what_the_manual_says,
          each_bit_of_the_linear_address_and_of_cr3_has_its_place,
          the_root_of_pae_paging_is_a_register_without_rights_or_accessed_bit,
          both_halves_of_a_4_mbyte_page_are_dropped_together_and_a_and_d_are_4_bytes_wide)
