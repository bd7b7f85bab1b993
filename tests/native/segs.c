/*
 * segs.c - the local descriptor tables of native_diff: code and data of 16 and 32 bits, of any base, limit, type
 * and size, as far as Linux lets a program write them (modify_ldt: DPL 3, no conforming code, no system types,
 * accessed). A table serves a few dozen cases.
 */
#include "native.h"

#include <asm/ldt.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* One entry before it is packed. */
struct entry {
    uint32_t base, limit; /* 20 bits of limit */
    bool pages, big, code, second, rw, absent, avl;
};

static struct entry entries[LDT_USED];
uint64_t ldt[LDT_USED];
bool ldt_ready;

/* SDM 3A "Segment Descriptors" */
static uint64_t pack(const struct entry *e)
{
    uint32_t type = 1u | (uint32_t)e->rw << 1 | (uint32_t)e->second << 2 | (uint32_t)e->code << 3;
    uint32_t hi = (e->base & 0xff000000u) | (uint32_t)e->pages << 23 | (uint32_t)e->big << 22 |
                  (uint32_t)e->avl << 20 | (e->limit & 0xf0000u) | (uint32_t)!e->absent << 15 | 3u << 13 |
                  1u << 12 | type << 8 | (e->base >> 16 & 0xff);

    return (uint64_t)hi << 32 | e->base << 16 | (e->limit & 0xffff);
}

static void limit_put(struct entry *e, uint64_t limit)
{
    e->pages = limit > 0xfffff;
    e->limit = (uint32_t)(e->pages ? limit >> 12 : limit) & 0xfffff;
}

/* Code from somewhere before the code pages to 64 KiB, or to a limit within them. */
static void code(struct entry *e, struct rng *r, bool big, bool readable)
{
    e->code = true;
    e->big = big;
    e->rw = readable;
    e->base = CODE_AT - (uint32_t)below(r, 0xc000);
    limit_put(e, chance(r, 60) ? 0xffff : CODE_AT + PAGE - e->base + below(r, PAGE));
    if (big && chance(r, 30)) limit_put(e, 0xffffffff);
}

/* Data around the pages at `at`, ending somewhere in them or far beyond. */
static void data(struct entry *e, struct rng *r, uint32_t at, unsigned span)
{
    static const uint64_t far[] = {0xffff, 0xfffff, 0xffffffff, 0x1ffff, 0x3ffff, 0xfffffff};

    e->base = at - (uint32_t)(chance(r, 80) ? below(r, 0x8000) : 0);
    if (chance(r, 50)) e->base &= ~15u;
    limit_put(e, chance(r, 50) ? at - e->base + below(r, span) : far[below(r, 6)]);
    e->rw = true;
    e->big = chance(r, 50);
}

static void down(struct entry *e, struct rng *r, uint32_t at, unsigned span, bool big)
{
    e->base = at - (uint32_t)below(r, 0x8000);
    limit_put(e, chance(r, 80) ? at - e->base + below(r, span) : below(r, 3) ? 0xffff : 0);
    e->second = e->rw = true;
    e->big = big;
}

void ldt_make(uint64_t seed, uint64_t number)
{
    struct rng rr = {seed * 0x9e3779b97f4a7c15u ^ number * 0x94d049bb133111ebu}, *r = &rr;
    struct entry *e = entries;

    memset(entries, 0, sizeof entries);
    code(&e[L_CODE16], r, false, true);
    code(&e[L_CODE16_X], r, false, false);
    code(&e[L_CODE32], r, true, true);
    code(&e[L_CODE32_X], r, true, false);
    for (unsigned i = L_DATA; i < L_DATA + 2; i++) data(&e[i], r, DATA_AT, 7 * PAGE);
    data(&e[L_READ_ONLY], r, DATA_AT, 7 * PAGE);
    e[L_READ_ONLY].rw = false;
    down(&e[L_DOWN32], r, DATA_AT, 7 * PAGE, true);
    down(&e[L_DOWN16], r, DATA_AT, 7 * PAGE, false);
    down(&e[L_DOWN_READ_ONLY], r, DATA_AT, 7 * PAGE, chance(r, 50));
    e[L_DOWN_READ_ONLY].rw = false;
    data(&e[L_ABSENT], r, DATA_AT, 7 * PAGE);
    code(&e[L_ABSENT_CODE], r, chance(r, 50), true);
    e[L_ABSENT].absent = e[L_ABSENT_CODE].absent = true;
    data(&e[L_STACK16], r, STACK_AT, 2 * PAGE);
    data(&e[L_STACK32], r, STACK_AT, 2 * PAGE);
    down(&e[L_STACK_DOWN], r, STACK_AT, 2 * PAGE, chance(r, 50));
    if (chance(r, 30)) e[L_STACK16] = (struct entry){.base = STACK_AT, .limit = 0xffff, .rw = true};
    e[L_STACK16].big = false;
    e[L_STACK32].big = true;
    for (unsigned i = 1; i < LDT_USED; i++) {
        e[i].avl = chance(r, 20);
        ldt[i] = pack(&e[i]);
    }
}

bool ldt_install(void)
{
    for (unsigned i = 1; i < LDT_USED; i++) {
        const struct entry *e = &entries[i];
        struct user_desc d = {.entry_number = i,
                              .base_addr = e->base,
                              .limit = e->limit,
                              .seg_32bit = e->big,
                              .contents = (unsigned)e->code << 1 | e->second,
                              .read_exec_only = !e->rw,
                              .limit_in_pages = e->pages,
                              .seg_not_present = e->absent,
                              .useable = e->avl};
        if ((int)syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) return false;
    }
    return true;
}

struct seg_view seg_view(uint16_t sel, uint64_t flat_base)
{
    uint64_t d = ldt[sel >> 3 & (LDT_USED - 1)];
    uint32_t hi = (uint32_t)(d >> 32), limit = (uint32_t)(d & 0xffff) | (hi & 0xf0000);

    if (sel < 4) return (struct seg_view){.base = flat_base, .attr = 0x100};
    if (!(sel & 4) || sel >> 3 >= LDT_USED)
        return (struct seg_view){flat_base, 0xffffffff,
                                 sel == SEL_CODE32 ? 0xc0fb : sel == SEL_CODE64 ? 0xa0fb : 0xc0f3};
    return (struct seg_view){(d >> 16 & 0xffff) | (hi & 0xff) << 16 | (hi & 0xff000000u),
                             hi & 1u << 23 ? limit << 12 | 0xfff : limit, (uint16_t)(hi >> 8 & 0xf0ff)};
}
