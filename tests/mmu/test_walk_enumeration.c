/*
 * test_walk_enumeration.c - walk counted through: 4-level tables with every combination of P, R/W,
 * U/S, PS and XD at every level, and each other bit of an entry at one level at a time, against tables written
 * from the manual by somebody who had not seen the walker.
 *
 * A walk is built from the root down. As soon as `kinds` says that an entry ends it, the walker is
 * asked; so every entry that can be met is met under every chain of entries above it. The reader
 * knows only the addresses of the entries built: a read of anything else is a failure.
 * Manual: SDM 3A "4-Level Paging and 5-Level Paging", "Access Rights". checks 1 to 3 and 5 to 7.
 */
#include "mmu/mmu.h"

#include "tests/check_main.h"

#include <string.h>

/* ---- the tables ------------------------------------------------------------------------------ */

enum ending { TABLE, PAGE, ABSENT, RESERVED };

#define L1 2u
#define L2 4u
#define L3 8u
#define L4 16u
#define EVERY (L1 | L2 | L3 | L4)
#define SOME(high, low) ((2ull << (high)) - (1ull << (low)))

/* What an entry is: the first row that fits. "test" bits must be as in "value"; "any" is 0, or at
 * least one of these bits is set. */
/* clang-format off */
static const struct kind {
    unsigned levels;
    char nxe, pages_1g; /* '.' either */
    unsigned above;     /* only where MAXPHYADDR is this; 0: any */
    uint64_t test, value, any;
    enum ending is;
    uint8_t shift;
} kinds[] = {
    {EVERY, '.', '.', 0,  PTE_P,  0,      0,            ABSENT,   0},
    /* physical-address bits that this processor does not have */
    {EVERY, '.', '.', 36, 0,      0,      SOME(51, 36), RESERVED, 0},
    {EVERY, '.', '.', 37, 0,      0,      SOME(51, 37), RESERVED, 0},
    {EVERY, '.', '.', 40, 0,      0,      SOME(51, 40), RESERVED, 0},
    {EVERY, '.', '.', 46, 0,      0,      SOME(51, 46), RESERVED, 0},
    {EVERY, '.', '.', 51, 0,      0,      SOME(51, 51), RESERVED, 0},
    {EVERY, '0', '.', 0,  0,      0,      PTE_XD,       RESERVED, 0},
    /* page sizes that there are not, and low address bits of large pages (not bit 12, PAT) */
    {L4,    '.', '.', 0,  0,      0,      PTE_PS,       RESERVED, 0},
    {L3,    '.', '0', 0,  0,      0,      PTE_PS,       RESERVED, 0},
    {L3,    '.', '1', 0,  PTE_PS, PTE_PS, SOME(29, 13), RESERVED, 0},
    {L2,    '.', '.', 0,  PTE_PS, PTE_PS, SOME(20, 13), RESERVED, 0},
    {L3,    '.', '1', 0,  PTE_PS, PTE_PS, 0,            PAGE,     30},
    {L2,    '.', '.', 0,  PTE_PS, PTE_PS, 0,            PAGE,     21},
    {L1,    '.', '.', 0,  0,      0,      0,            PAGE,     12},
    {EVERY, '.', '.', 0,  0,      0,      0,            TABLE,    0},
};

/* Which bits of a leaf are the frame, and which of the linear address go below it. */
static const struct frame {
    uint8_t shift;
    uint64_t frame, offset;
} frames[] = {
    {12, 0x000ffffffffff000, 0x0000000000000fff},
    {21, 0x000fffffffe00000, 0x00000000001fffff},
    {30, 0x000fffffc0000000, 0x000000003fffffff},
};

/* Linear addresses with the indices that they stand for, root first. */
static const struct linear {
    uint64_t address;
    uint16_t index[4];
} linears[] = {
    {0x0000000000000000, {0, 0, 0, 0}},
    {0x00007fffffffffff, {255, 511, 511, 511}},
    {0xffff812345678abc, {258, 141, 43, 120}},
    {0xffffffffffffffff, {511, 511, 511, 511}},
    {0x0000008040201001, {1, 1, 1, 1}},
};
/* clang-format on */

/* ---- a reader that knows four entries -------------------------------------------------------- */

struct tables {
    uint64_t at[5], entry[5]; /* root first */
    unsigned count;
    unsigned reads, strays; /* counted by the reader */
};

static uint64_t read_tables(const void *ctx, uint64_t phys, unsigned n)
{
    struct tables *t = *(struct tables *const *)ctx;
    unsigned i = t->reads++;

    if (n == 8 && i < t->count && t->at[i] == phys) return t->entry[i];
    t->strays++;
    return 0;
}

/* ---- the oracle ------------------------------------------------------------------------------ */

static const struct kind *kind_of(const struct mmu_env *env, unsigned level, uint64_t entry)
{
    const struct kind *k = kinds;

    while (!(k->levels >> level & 1) || (k->nxe != '.' && (k->nxe == '1') != env->nxe) ||
           (k->pages_1g != '.' && (k->pages_1g == '1') != env->pages_1g) ||
           (k->above && k->above != env->maxphyaddr) || (entry & k->test) != k->value ||
           (k->any && !(entry & k->any)))
        k++;
    return k;
}

static uint64_t place(const struct linear *linear, const struct kind *leaf, uint64_t entry)
{
    const struct frame *f = frames;

    while (f->shift != leaf->shift) f++;
    return (entry & f->frame) | (linear->address & f->offset);
}

static struct {
    struct mmu_env env;
    const struct linear *linear;
    const struct walk_start *start;
    uint64_t cr3;
    unsigned top; /* level of the first entry */
    unsigned long walks;
} now;

static void disagree(const struct tables *t, const struct mmu_path *p, const char *what)
{
    ck_abort_msg(
        "%s; status %u steps %u shift %u phys %#llx u=%d w=%d nx=%d g=%d d=%d; linear %#llx, "
        "maxphyaddr %u nxe %d 1g %d pge %d; from level %u, %u: %#llx %#llx %#llx %#llx",
        what, p->status, p->steps, p->page_shift, (unsigned long long)p->phys, p->user, p->write,
        p->nx, p->global, p->dirty, (unsigned long long)now.linear->address, now.env.maxphyaddr,
        now.env.nxe, now.env.pages_1g, now.env.pge, now.top, t->count,
        (unsigned long long)t->entry[0], (unsigned long long)t->entry[1],
        (unsigned long long)t->entry[2], (unsigned long long)t->entry[3]);
}

static void steps_match(const struct tables *t, const struct mmu_path *p)
{
    if (p->steps != t->count) disagree(t, p, "steps");
    if (t->reads != t->count || t->strays) disagree(t, p, "other entries were read");
    for (unsigned i = 0; i < t->count; i++)
        if (p->step[i].at != t->at[i] || p->step[i].entry != t->entry[i] ||
            p->step[i].level != now.top - i)
            disagree(t, p, "what a step says");
}

/* Rights of a whole chain: U/S and R/W in every entry, XD in any. */
static void translation_matches(const struct tables *t, const struct mmu_path *p,
                                const struct kind *leaf)
{
    uint64_t every = ~0ull, any = 0, last = t->entry[t->count - 1];

    for (unsigned i = 0; i < t->count; i++) {
        every &= t->entry[i];
        any |= t->entry[i];
    }
    if (now.start) {
        every &= (now.start->user ? ~0ull : ~PTE_U) & (now.start->write ? ~0ull : ~PTE_W);
        any |= now.start->nx ? PTE_XD : 0;
    }
    if (p->page_shift != leaf->shift) disagree(t, p, "page size");
    if (p->phys != place(now.linear, leaf, last)) disagree(t, p, "physical address");
    if (p->user != !!(every & PTE_U)) disagree(t, p, "U/S");
    if (p->write != !!(every & PTE_W)) disagree(t, p, "R/W");
    if (p->nx != !!(any & PTE_XD)) disagree(t, p, "XD");
    if (p->global != (now.env.pge && last & PTE_G)) disagree(t, p, "G");
    if (p->dirty != !!(last & PTE_D)) disagree(t, p, "D");
}

/* A walk that finds no page says nothing of one. */
static void no_translation(const struct tables *t, const struct mmu_path *p)
{
    if (p->page_shift || p->phys || p->global || p->dirty) disagree(t, p, "a page, yet none");
}

static void walk_matches(struct tables *t, const struct kind *end)
{
    static const uint8_t status[] = {
        [PAGE] = WALK_OK, [ABSENT] = WALK_NOT_PRESENT, [RESERVED] = WALK_RESERVED};
    struct walk_reader reader = {&t, read_tables};
    struct mmu_path p;

    memset(&p, 0xa5, sizeof p);
    t->reads = t->strays = 0;
    walk(&reader, &now.env, now.cr3, now.linear->address, now.start, &p);
    now.walks++;
    if (p.status != status[end->is]) disagree(t, &p, "status");
    steps_match(t, &p);
    if (end->is == PAGE) translation_matches(t, &p, end);
    else no_translation(t, &p);
}

/* ---- building -------------------------------------------------------------------------------- */

/* Where the tables below a level lie: bits at both ends of every address field that fits 36 bits. */
static const uint64_t table_at[5] = {0, 0x9ab5bd000, 0x812345000, 0xfffbfe000, 0x800001000};

static uint64_t address_in(uint64_t table, unsigned level)
{
    return (table & PTE_ADDR) + 8u * now.linear->index[4 - level];
}

/* The bits that are tried on top of P, R/W, U/S, PS and XD: each bit of an entry alone, and some
 * together (fields of ones). */
enum { SPICES = 67, PLAIN_FIVE = 7 };

static uint64_t spice(unsigned i) /* 0: none */
{
    static const uint64_t fields[3] = {PTE_A | PTE_D | PTE_G | PTE_PWT | PTE_PCD,
                                       SOME(62, 52) | SOME(11, 9), 0x000f000000000000};

    if (i == 0) return 0;
    return i < 64 ? 1ull << i : fields[i - 64];
}

/* One entry of a level: a frame of its own, the five bits by number, and the spice. */
static uint64_t entry_of(unsigned level, unsigned five, uint64_t extra)
{
    static const uint64_t five_bits[5] = {PTE_P, PTE_W, PTE_U, PTE_PS, PTE_XD};
    uint64_t e = extra;

    for (unsigned i = 0; i < 5; i++)
        if (five >> i & 1) e |= five_bits[i];
    /* a large page's frame must not have low bits unless the spice adds them */
    if (e & PTE_PS && level == 3) return e | 0x840000000;
    if (e & PTE_PS && level == 2) return e | 0x8c0200000;
    return e | table_at[level - 1] | (level == 1 ? 0x9ab5bd000 : 0);
}

/* What the entries above the one being built are. */
enum above { RIGHTS, PLAIN, SPICED }; /* every combination; P, R/W and U/S alone; one is spiced */

/* Every entry of this level that may follow those in t, each with all that may follow it: the five
 * bits freely; spice at one level at a time, the others plain. */
static void each_entry(struct tables *t, unsigned level, uint64_t table, enum above above)
{
    unsigned spices = above == PLAIN ? SPICES : 1;

    for (unsigned i = 0; i < spices; i++) {
        for (unsigned five = above == SPICED ? PLAIN_FIVE : 0; five < 32; five++) {
            uint64_t entry = entry_of(level, five, spice(i));
            const struct kind *is = kind_of(&now.env, level, entry);
            enum above next = i || above == SPICED ? SPICED : RIGHTS;

            if (above == PLAIN && i == 0 && five == PLAIN_FIVE) next = PLAIN;
            t->count = now.top - level + 1;
            t->at[t->count - 1] = address_in(table, level);
            t->entry[t->count - 1] = entry;
            if (is->is == TABLE) each_entry(t, level - 1, entry, next);
            else walk_matches(t, is);
            if (above == SPICED) break;
        }
    }
}

static struct mmu_env env_with(unsigned maxphyaddr, unsigned flags)
{
    return (struct mmu_env){.paging = true,
                            .pae = true,
                            .lma = true,
                            .nxe = flags & 1,
                            .pages_1g = flags >> 1 & 1,
                            .pge = flags >> 2 & 1,
                            /* no say in a walk */
                            .wp = flags & 1,
                            .smep = flags >> 1 & 1,
                            .smap = flags >> 2 & 1,
                            .pse = flags & 1,
                            .pcide = flags >> 1 & 1,
                            .maxphyaddr = (uint8_t)maxphyaddr};
}

/* Every chain of entries from the table at cr3, or from `start`. */
static void each_walk(struct mmu_env env, const struct linear *linear, uint64_t cr3,
                      const struct walk_start *start)
{
    struct tables t = {0};

    now.env = env;
    now.linear = linear;
    now.cr3 = cr3;
    now.start = start;
    now.top = start ? start->level : 4;
    each_entry(&t, now.top, start ? start->base : cr3, PLAIN);
}

/* ---- the tests ------------------------------------------------------------------------------- */

START_TEST(every_chain_of_entries_gives_the_status_rights_and_address_that_the_tables_say)
{
    static const unsigned widths[] = {36, 40, 52};

    now.walks = 0;
    for (unsigned i = 0; i < 3; i++)
        for (unsigned flags = 0; flags < 8; flags++)
            each_walk(env_with(widths[i], flags), &linears[2], 0x7fffff000, NULL);
    ck_assert_uint_eq(now.walks, 452016);
}
END_TEST

START_TEST(each_width_of_addresses_has_its_own_reserved_bits)
{
    static const unsigned widths[] = {37, 46, 51};
    struct walk_start start = {.level = 2, .base = 0x5000, .user = true, .write = true};

    for (unsigned i = 0; i < 3; i++) each_walk(env_with(widths[i], 7), &linears[2], 0, &start);
}
END_TEST

START_TEST(nine_bits_of_the_linear_address_choose_the_entry_of_each_level)
{
    struct walk_start start = {.level = 3, .base = 0xffffff000, .user = true, .write = true};

    for (size_t i = 0; i < sizeof linears / sizeof linears[0]; i++) {
        each_walk(env_with(40, 7), &linears[i], 0, &start);
        each_walk(env_with(52, 6), &linears[i], 0x000ffffffffff000, NULL);
    }
}
END_TEST

START_TEST(the_low_and_the_high_bits_of_cr3_are_no_part_of_the_address)
{
    struct tables t = {.at = {0x000abcdefffff000}, .count = 1};
    const struct kind *absent = &kinds[0];

    now.env = env_with(52, 7);
    now.linear = &linears[0];
    now.start = NULL;
    now.top = 4;
    now.cr3 = t.at[0] | 0xfff;
    walk_matches(&t, absent);
    now.cr3 = t.at[0] | CR3_NOFLUSH;
    walk_matches(&t, absent);
}
END_TEST

START_TEST(a_walk_that_starts_below_the_root_keeps_the_rights_above)
{
    for (unsigned rights = 0; rights < 8; rights++)
        for (uint8_t level = 1; level <= 4; level++) {
            struct walk_start start = {.level = level,
                                       .base = 0x123456000,
                                       .user = rights & 1,
                                       .write = rights >> 1 & 1,
                                       .nx = rights >> 2 & 1};

            if (level < 4) each_walk(env_with(40, 7), &linears[2], 0xdead000, &start);
            else {
                struct tables t = {.at = {0x123456000 + 8 * 258}, .count = 1};

                now.start = &start;
                now.top = 4;
                walk_matches(&t, &kinds[0]);
            }
        }
}
END_TEST

static uint64_t read_nothing(const void *ctx, uint64_t phys, unsigned n)
{
    ck_abort_msg("read of %u at %#llx (%p)", n, (unsigned long long)phys, ctx);
    return 0;
}

START_TEST(without_paging_a_walk_reads_nothing)
{
    struct walk_reader reader = {NULL, read_nothing};

    for (unsigned bits = 0; bits < 8; bits++) {
        struct mmu_env env = env_with(40, 7);
        struct mmu_path p;

        env.paging = false;
        env.lma = bits >> 0 & 1;
        env.pae = bits >> 1 & 1;
        env.pse = bits >> 2 & 1;
        walk(&reader, &env, 0x5000, 0xfffffffffedcba98, NULL, &p);
        ck_assert(p.status == WALK_OK && p.steps == 0 && p.page_shift == 12);
        ck_assert_msg(p.user && p.write && !p.nx && p.dirty, "everything may be done");
        ck_assert_uint_eq(p.phys, 0xfedcba98);
    }
}
END_TEST

RUN_TESTS("walk enumeration",
          every_chain_of_entries_gives_the_status_rights_and_address_that_the_tables_say,
          each_width_of_addresses_has_its_own_reserved_bits,
          nine_bits_of_the_linear_address_choose_the_entry_of_each_level,
          the_low_and_the_high_bits_of_cr3_are_no_part_of_the_address,
          a_walk_that_starts_below_the_root_keeps_the_rights_above,
          without_paging_a_walk_reads_nothing)
