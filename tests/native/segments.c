/*
 * segments.c - the local descriptor table that both ways have: 16- and 32-bit code that may and may not be
 * read, data that grows up, down, page by page, is read-only, absent, or lies across 4 GiB, and stacks with
 * a 16- and a 32-bit stack pointer. Limits end inside mapped pages, so that a limit fault is no page fault.
 * Linux makes the host's of the same words (DPL 3, accessed); a kernel without modify_ldt leaves it out.
 * Manual: SDM 3A "Segment Descriptors", "Limit Checking", "Type Checking".
 */
#include "native.h"

#include <asm/ldt.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

bool segments_ready;

const struct ldt_row ldt[LDT_ROWS] = {
    [LDT_CODE16] = {CODE_AT, 0x1fff, LDT_CODE},
    [LDT_CODE32] = {CODE_AT, 0x1fff, LDT_CODE | LDT_BIG},
    [LDT_CODE16_BLIND] = {CODE_AT, 0x1fff, LDT_CODE | LDT_LOCKED},
    [LDT_CODE32_BLIND] = {CODE_AT, 0x1fff, LDT_CODE | LDT_BIG | LDT_LOCKED},
    [LDT_CODE32_SHORT] = {CODE_AT, 0x1000, LDT_CODE | LDT_BIG},
    [LDT_UP] = {DATA_AT, 0x17f9, LDT_BIG},
    [LDT_UP16] = {DATA_AT + 0x10, 0x1123, 0},
    [LDT_DOWN] = {DATA_AT, 0x0ff5, LDT_BIG | LDT_GROWS_DOWN},
    [LDT_DOWN16] = {DATA_AT - 0xe000, 0xf003, LDT_GROWS_DOWN},
    [LDT_READ_ONLY] = {DATA_AT, 0x1fff, LDT_BIG | LDT_LOCKED},
    [LDT_PAGES] = {DATA_AT + 0x800, 1, LDT_BIG | LDT_BY_PAGE},
    [LDT_ABSENT] = {DATA_AT, 0x1fff, LDT_BIG | LDT_NOT_PRESENT},
    [LDT_ROUND] = {DATA_AT + 0x80000000u, 0xfffff, LDT_BIG | LDT_BY_PAGE},
    [LDT_ROUND_TOP] = {DATA_AT + 0x100, 0xfffff, LDT_BIG | LDT_BY_PAGE},
    [LDT_STACK16] = {STACK_AT, 0xffff, 0},
    [LDT_STACK16_SHORT] = {STACK_AT, 0x17fa, 0},
    [LDT_STACK32] = {STACK_AT, 0x1ffd, LDT_BIG},
    [LDT_STACK16_DOWN] = {STACK_AT, 0x0803, LDT_GROWS_DOWN},
    [LDT_STACK32_DOWN] = {STACK_AT, 0x0a01, LDT_BIG | LDT_GROWS_DOWN},
};

/* SDM 3A "Segment Descriptors", as fill_ldt of a kernel packs them */
uint64_t ldt_word(unsigned row)
{
    const struct ldt_row *d = &ldt[row];
    uint64_t type = 1 | (d->bits & LDT_LOCKED ? 0 : 2) | (d->bits & LDT_GROWS_DOWN ? 4 : 0) |
                    (d->bits & LDT_CODE ? 8 : 0);
    uint64_t access = type | 0x70 | (d->bits & LDT_NOT_PRESENT ? 0 : 0x80);
    uint64_t big = d->bits & LDT_BIG ? 4 : 0, by_page = d->bits & LDT_BY_PAGE ? 8 : 0;

    if (row == 0) return 0;
    return (d->limit & 0xffff) | (uint64_t)(d->base & 0xffffff) << 16 | access << 40 |
           (uint64_t)(d->limit >> 16 & 15) << 48 | (big | by_page) << 52 |
           (uint64_t)(d->base >> 24) << 56;
}

void segments_host(void)
{
    for (unsigned i = 1; i < LDT_ROWS; i++) {
        struct user_desc d = {.entry_number = i,
                              .base_addr = ldt[i].base,
                              .limit = ldt[i].limit,
                              .seg_32bit = (ldt[i].bits & LDT_BIG) != 0,
                              .contents = ldt[i].bits & LDT_CODE         ? 2u
                                          : ldt[i].bits & LDT_GROWS_DOWN ? 1u
                                                                         : 0u,
                              .read_exec_only = (ldt[i].bits & LDT_LOCKED) != 0,
                              .limit_in_pages = (ldt[i].bits & LDT_BY_PAGE) != 0,
                              .seg_not_present = (ldt[i].bits & LDT_NOT_PRESENT) != 0};
        if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d) != 0) return;
    }
    segments_ready = true;
}

uint32_t selector_base(uint16_t selector)
{
    unsigned row = selector >> 3;

    return selector & 4 && row < LDT_ROWS ? ldt[row].base : 0;
}

/* CS for the code size, SS, and the four others: LDT segments most of the time */
void segments_choose(struct state *s, struct rng *r, unsigned bits)
{
    static const uint8_t code16[] = {LDT_CODE16, LDT_CODE16, LDT_CODE16_BLIND};
    static const uint8_t code32[] = {LDT_CODE32, LDT_CODE32, LDT_CODE32_BLIND};
    static const uint8_t stacks[] = {LDT_STACK16, LDT_STACK16,      LDT_STACK16_SHORT,
                                     LDT_STACK32, LDT_STACK16_DOWN, LDT_STACK32_DOWN};
    static const uint8_t datas[] = {LDT_CODE16, LDT_CODE32, LDT_UP,        LDT_UP,
                                    LDT_UP16,   LDT_DOWN,   LDT_DOWN16,    LDT_READ_ONLY,
                                    LDT_PAGES,  LDT_ROUND,  LDT_ROUND_TOP, LDT_STACK16};
    static const uint8_t rest[] = {0, 3, 4, 5};
    unsigned code = bits == 16 ? code16[below(r, 3)] : code32[below(r, 3)];

    if (bits == 16 || chance(r, 60)) s->sel[1] = LDT_SEL(code);
    if (chance(r, 75)) s->sel[2] = LDT_SEL(stacks[below(r, sizeof stacks)]);
    for (unsigned i = 0; i < 4; i++) {
        if (chance(r, 75)) s->sel[rest[i]] = LDT_SEL(datas[below(r, sizeof datas)]);
        else s->sel[rest[i]] = chance(r, 70) ? SEL_DATA : 0;
    }
    s->fs_base = s->gs_base = 0;
}

/* What a program may try to load: every row, neighbours in the GDT, null ones, beyond the tables. */
uint16_t selector_any(struct rng *r)
{
    static const uint16_t gdt[] = {0,    1,    2,    3,    0x10, 0x18,  0x1b,
                                   0x23, 0x28, 0x2a, 0x2b, 0x33, 0xfff8};

    if (chance(r, 70))
        return (uint16_t)(below(r, LDT_ROWS + 2) << 3 | 4 | (chance(r, 75) ? 3 : below(r, 4)));
    return gdt[below(r, sizeof gdt / sizeof *gdt)];
}
