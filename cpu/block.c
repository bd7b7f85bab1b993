/*
 * block.c - decoded blocks: made once, found by physical address and decode context, killed by writes
 * to the 64-byte lines they were decoded from.
 *
 * Blocks live in an arena that is only ever emptied as a whole, so a link to a dead block is harmless:
 * its first op leads back to the run loop. A block lies within one page, but for a block of a single
 * instruction that crosses into the next page (phys2), which is entered through the run loop only.
 */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */

#include "cpu/block.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cpu/fast.h"
#include "cpu/limit.h"
#include "cpu/run.h"

#define HASH_BITS 16
#define FRONT_SLOTS 4096u
#define ARENA_BYTES (48u << 20)
#define LINE 64u

#define CROSSERS 256u

struct crosser {
    struct block *block;
    uint8_t bytes[16];
};

struct block_cache {
    struct crosser crosser[CROSSERS];
    struct block *front[FRONT_SLOTS]; /* last found, by hash: what chains look at */
    struct block *hash[1u << HASH_BITS];
    struct block **page; /* blocks by RAM page */
    uint64_t pages;
    uint8_t *arena;
    size_t used;
};

/* Zeroed memory that costs nothing until it is touched. */
static void *reserve_zero(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, size_t bytes)
{
    if (p != NULL) munmap(p, bytes);
}

bool block_cache_init(struct cpu *c)
{
    struct block_cache *b = reserve_zero(sizeof(*b));

    if (b == NULL) return false;
    b->pages = c->ram->size / RAM_PAGE + 1;
    b->page = reserve_zero(b->pages * sizeof(struct block *));
    b->arena = reserve_zero(ARENA_BYTES);
    c->blocks = b;
    if (b->page == NULL || b->arena == NULL) {
        block_cache_free(c);
        return false;
    }
    return true;
}

void block_cache_free(struct cpu *c)
{
    struct block_cache *b = c->blocks;

    if (b == NULL) return;
    release(b->page, b->pages * sizeof(struct block *));
    release(b->arena, ARENA_BYTES);
    release(b, sizeof(*b));
    c->blocks = NULL;
}

void block_flush(struct cpu *c)
{
    struct block_cache *b = c->blocks;

    c->link_from = NULL;
    c->step_block = NULL;
    if (b->used == 0) return;
    memset(b->front, 0, sizeof(b->front));
    memset(b->hash, 0, sizeof(b->hash));
    memset(b->crosser, 0, sizeof(b->crosser));
    memset(b->page, 0, b->pages * sizeof(struct block *));
    b->used = 0;
    ram_clear_code(c->ram);
}

static unsigned hash_of(uint64_t phys, uint32_t ctx)
{
    uint64_t h = (phys ^ ((uint64_t)ctx << 40)) * 0x9e3779b97f4a7c15ull;

    return (unsigned)(h >> (64 - HASH_BITS));
}

static struct block **front_of(const struct cpu *c, uint64_t phys)
{
    return &c->blocks->front[(phys ^ phys >> 12) & (FRONT_SLOTS - 1)];
}

struct block *block_find(const struct cpu *c, uint64_t phys)
{
    struct block **front = front_of(c, phys), *b = *front;

    if (LIKELY(b != NULL && b->phys == phys && b->ctx == c->ctx && !b->dead)) return b;
    for (b = c->blocks->hash[hash_of(phys, c->ctx)]; b != NULL; b = b->hash_next) {
        if (b->phys == phys && b->ctx == c->ctx) {
            *front = b;
            return b;
        }
    }
    return NULL;
}

/* ---- death ---------------------------------------------------------------------------------------------- */

static struct block **page_list(const struct cpu *c, uint64_t phys)
{
    uint64_t off = ram_offset(c->ram, phys);

    return off == UINT64_MAX ? NULL : &c->blocks->page[off / RAM_PAGE];
}

static void unhash(struct cpu *c, struct block *b)
{
    struct block **at = &c->blocks->hash[hash_of(b->phys, b->ctx)];

    while (*at != NULL && *at != b) at = &(*at)->hash_next;
    if (*at == b) *at = b->hash_next;
}

static void kill(struct cpu *c, struct block *b)
{
    unhash(c, b);
    b->dead = true;
    b->op[0].fn = op_away;
    b->ticks = 0; /* so that no deadline keeps a link from reaching op_away */
    if (c->blk == b) c->brk = true;
}

/* the lines of its page that a block was decoded from */
static uint64_t lines_of(const struct block *b)
{
    unsigned first = (unsigned)(b->phys & (RAM_PAGE - 1)) / LINE;
    unsigned last = (unsigned)((b->phys + b->bytes - 1) & (RAM_PAGE - 1)) / LINE;

    return (~0ull >> (63 - last)) & (~0ull << first);
}

void block_code_written(void *cpu, uint64_t phys, unsigned n)
{
    struct cpu *c = cpu;
    uint64_t page = phys & ~(uint64_t)(RAM_PAGE - 1), left = 0;
    unsigned first = (unsigned)(phys & (RAM_PAGE - 1)) / LINE;
    unsigned last = (unsigned)((phys + n - 1) & (RAM_PAGE - 1)) / LINE;
    uint64_t hit = (~0ull >> (63 - last)) & (~0ull << first);
    struct block **at = page_list(c, page);

    if (at == NULL) return;
    while (*at != NULL) {
        struct block *b = *at;
        uint64_t lines = lines_of(b);
        if (b->dead || (lines & hit)) {
            if (!b->dead) kill(c, b);
            *at = b->page_next;
        } else {
            left |= lines;
            at = &b->page_next;
        }
    }
    ram_unmark_lines(c->ram, page, hit & ~left);
}

/* ---- birth ---------------------------------------------------------------------------------------------- */

static struct block *reserve(struct cpu *c, size_t bytes)
{
    struct block_cache *a = c->blocks;

    bytes = (bytes + 63) & ~(size_t)63;
    if (a->used + bytes > ARENA_BYTES) return NULL;
    struct block *b = (struct block *)(void *)(a->arena + a->used);
    a->used += bytes;
    return b;
}

static void register_page(struct cpu *c, struct block *b, uint64_t page, unsigned n, uint64_t at)
{
    struct block **list = page_list(c, page);

    if (list == NULL) return;
    if (b->phys2 == 0) {
        b->page_next = *list;
        *list = b;
    }
    if (ram_mark_code(c->ram, at, n)) mmu_drop_filter(&c->mmu);
}

static void enter(struct cpu *c, struct block *b)
{
    struct block **slot = &c->blocks->hash[hash_of(b->phys, b->ctx)];

    b->hash_next = *slot;
    *slot = b;
    *front_of(c, b->phys) = b;
    register_page(c, b, b->phys & ~(uint64_t)(RAM_PAGE - 1), b->bytes, b->phys);
}

/* Ops and side facts while a block grows; copied into the arena when its length is known. */
struct draft {
    struct op op[BLOCK_OPS_MAX + 1];
    struct op_side side[BLOCK_OPS_MAX];
    unsigned n, bytes;
    uint32_t ticks;
    bool branches;
};

/* A flag-setter and the Jcc behind it become one handler. */
static void fuse(struct draft *d, int cc)
{
    if (cc < 0 || d->n < 2) return;
    op_fn fn = fuse_pick(d->op[d->n - 2].fn, (unsigned)cc);
    if (fn != NULL) d->op[d->n - 2].fn = fn;
}

static bool add(struct draft *d, const struct op *op, const struct decoded *x)
{
    struct op *o = &d->op[d->n];

    if (d->n && d->ticks + x->ticks > 0xffff) return false;
    *o = *op;
    o->idx = (uint8_t)d->n;
    o->prefix = (uint16_t)d->ticks;
    d->side[d->n] = (struct op_side){x->plain, x->id, x->priv, x->length};
    d->n++;
    d->bytes += x->seen;
    d->ticks += x->ticks;
    d->branches = x->ends;
    fuse(d, x->cc);
    return true;
}

static struct block *finish(struct cpu *c, struct draft *d, uint64_t phys, uint64_t phys2)
{
    struct block *b = reserve(c, sizeof(*b) + (d->n + 1) * sizeof(struct op) + d->n * sizeof(struct op_side));
    struct op *end = &d->op[d->n];

    if (b == NULL) return NULL;
    memset(end, 0, sizeof(*end));
    bool page_end = (phys & (RAM_PAGE - 1)) + d->bytes >= RAM_PAGE;
    end->fn = c->ctx & CTX_LIMIT ? op_away
              : d->branches      ? op_block_end
              : page_end         ? op_fallthrough_page
                                 : op_fallthrough;
    end->ip_off = (uint16_t)d->bytes;
    end->prefix = (uint16_t)d->ticks;
    end->idx = (uint8_t)d->n;
    *b = (struct block){.phys = phys, .phys2 = phys2, .ctx = c->ctx, .ticks = d->ticks,
                        .bytes = (uint16_t)d->bytes, .nops = (uint8_t)d->n};
    memcpy(b->op, d->op, (d->n + 1) * sizeof(struct op));
    memcpy(block_side(b), d->side, d->n * sizeof(struct op_side));
    return b;
}

/* The first instruction crosses into the next page: fetch both parts. Such blocks are found again by
 * both physical pages and their bytes, so writes need not kill them. */
static struct block *make_crosser(struct cpu *c, uint64_t lin, uint64_t phys, unsigned room, bool *fault)
{
    struct draft d;
    struct op op;
    struct decoded x;
    uint64_t phys2;
    uint8_t bytes[16] = {0};
    struct crosser *k = &c->blocks->crosser[(phys >> 12) & (CROSSERS - 1)];

    if (!fetch_second(c, lin, room, &phys2)) {
        *fault = true;
        return NULL;
    }
    ram_read(c->ram, phys, bytes, room);
    ram_read(c->ram, phys2, bytes + room, 15 - room);
    if (k->block != NULL && k->block->phys == phys && k->block->phys2 == phys2 &&
        k->block->ctx == c->ctx && memcmp(k->bytes, bytes, sizeof(bytes)) == 0)
        return k->block;
    d.n = d.bytes = 0;
    d.ticks = 0;
    /* no page offset is "within the page": its branches must ask the fetch filter */
    (void)decode_one(c, c->ctx, bytes, 15, UINT32_MAX, 0, &op, &x);
    x.ends = true;
    (void)add(&d, &op, &x);
    k->block = finish(c, &d, phys, phys2);
    memcpy(k->bytes, bytes, sizeof(bytes));
    /* its pages are code's all the same: a REP must see every write, lest it miss one to itself */
    bool first = ram_mark_code(c->ram, phys, room), second = ram_mark_code(c->ram, phys2, 1);
    if (first || second) mmu_drop_filter(&c->mmu);
    return k->block;
}

struct block *block_make(struct cpu *c, uint64_t lin, uint64_t phys, bool *fault)
{
    struct draft d;
    struct op op;
    struct decoded x;
    unsigned at = (unsigned)(phys & (RAM_PAGE - 1)), cap = c->block_cap;
    uint8_t page[RAM_PAGE + 16];

    d.n = 0;
    d.bytes = 0;
    d.ticks = 0;
    d.branches = false;
    *fault = false;
    /* enough for the longest block; not RAM reads as ones, which decode like any bytes */
    unsigned room = RAM_PAGE - at, have = 0;
    while (d.n < cap && !d.branches && d.bytes < room) {
        if (have < d.bytes + 15 && have < room) {
            unsigned more = room - have < 256 ? room - have : 256;
            ram_read(c->ram, phys + have, page + have, more);
            have += more;
        }
        if (decode_one(c, c->ctx, page + d.bytes, have - d.bytes, at, d.bytes, &op, &x) == DECODE_MORE) break;
        if (!add(&d, &op, &x)) break;
    }
    if (d.n == 0) return make_crosser(c, lin, phys, room, fault);
    struct block *b = finish(c, &d, phys, 0);
    if (b != NULL) enter(c, b);
    return b;
}

/* ---- chains ------------------------------------------------------------------------------------------------ */

static uint64_t linear_rip(const struct cpu *c)
{
    uint64_t rip = c->gpr[R_RIPBASE];

    return (c->ctx & CTX_MODE) == 2 ? rip : (uint32_t)(c->seg[SEG_CS].base + rip);
}

static const struct op *chain_end(struct cpu *c)
{
    c->exit = EXIT_NEXT;
    return NULL;
}

const struct op *chain_next(struct cpu *c)
{
    uint64_t lin = linear_rip(c), off = lin & (RAM_PAGE - 1);
    const struct fetch_slot *s = &c->fetch[(lin >> 12) & (FETCH_SLOTS - 1)];

    if (UNLIKELY(s->tag != ((lin - off) | c->mmu.filter.key) || c->stepping)) return chain_end(c);
    uint64_t phys = s->phys | off;
    struct block *b = *front_of(c, phys);
    if (UNLIKELY(b == NULL || b->phys != phys || b->ctx != c->ctx)) {
        b = block_find(c, phys);
        if (b == NULL) return chain_end(c);
    }
    if (UNLIKELY(c->ticks + b->ticks > c->deadline)) return chain_end(c);
    if (UNLIKELY(c->ctx & CTX_LIMIT) && !limit_judge(&c->seg[SEG_CS], c->gpr[R_RIPBASE], b->bytes)) return chain_end(c);
    c->blk = b;
    OP_ENTER(c, b->op);
}

const struct op *chain_link(struct cpu *c, unsigned which)
{
    struct block *from = c->blk;

    if (c->stepping) return chain_end(c);
    if (from->link[which] != NULL && !from->link[which]->dead) return chain_end(c); /* the deadline */
    c->link_from = from;
    c->link_which = (uint8_t)which;
    uint64_t lin = linear_rip(c), off = lin & (RAM_PAGE - 1);
    const struct fetch_slot *s = &c->fetch[(lin >> 12) & (FETCH_SLOTS - 1)];
    if (s->tag != ((lin - off) | c->mmu.filter.key)) return chain_end(c);
    struct block *b = block_find(c, s->phys | off);
    if (b == NULL || c->ticks + b->ticks > c->deadline) return chain_end(c);
    if (!from->dead) from->link[which] = b;
    c->link_from = NULL;
    c->blk = b;
    OP_ENTER(c, b->op);
}
