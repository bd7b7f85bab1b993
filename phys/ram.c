/*
 * ram.c - physical RAM: host memory mapped on demand, page flags, the budget, the RAM hash.
 *
 * Guarantees: a page that was never written costs no host memory and reads as zero; ram_write and
 * ram_page_for_write are the only ways to change a byte, so "touched", "dirty" and "the decoded
 * code here dies" cannot be forgotten. All tables are reserved address space: a machine of 64 GiB
 * pays for the pages it touches and for their rows in the tables.
 *
 *   page number = offset in r->base / 4096: the index of every table here
 */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, MAP_NORESERVE, madvise */
#endif
#include "phys/ram.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef XXH_INLINE_ALL
#define XXH_INLINE_ALL
#endif
#include <xxhash.h>

#define LINE_SHIFT 6

struct page_hash {
    uint64_t lo, hi;
};

/** What ram_hash remembers: each page's hash, their sum, and which pages changed since. */
struct hash_cache {
    struct page_hash sum;
    struct page_hash *page; /* by page number; zero for a page of zeroes */
    uint32_t *dirty;        /* page numbers, each once: RAM_DIRTY says that a page is listed */
    uint64_t dirty_count;
};

/* ---- host memory ----------------------------------------------------------------------------- */

/** Zeroed address space that takes host memory only where it is touched; NULL if there is none. */
static void *reserve(uint64_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

static void release(void *p, uint64_t bytes)
{
    if (p) munmap(p, bytes);
}

/** Give the host memory back; the range reads as zero again. */
static void forget(void *p, uint64_t bytes)
{
    if (madvise(p, bytes, MADV_DONTNEED) != 0) memset(p, 0, bytes);
}

static uint64_t page_count(const struct ram *r) { return r->size / RAM_PAGE; }

static struct hash_cache *hash_cache_new(uint64_t pages)
{
    struct hash_cache *h = calloc(1, sizeof(*h));

    if (!h) return NULL;
    h->page = reserve(pages * sizeof(*h->page));
    h->dirty = reserve(pages * sizeof(*h->dirty));
    return h;
}

static void hash_cache_free(struct hash_cache *h, uint64_t pages)
{
    if (!h) return;
    release(h->page, pages * sizeof(*h->page));
    release(h->dirty, pages * sizeof(*h->dirty));
    free(h);
}

bool ram_init(struct ram *r, uint64_t size, uint64_t budget)
{
    uint64_t pages = size / RAM_PAGE;
    struct hash_cache *h;

    memset(r, 0, sizeof(*r));
    if (pages == 0) return false;
    r->size = pages * RAM_PAGE;
    r->low_size = r->size < RAM_LOW_MAX ? r->size : RAM_LOW_MAX;
    r->budget = budget;
    r->base = reserve(r->size);
    r->flags = reserve(pages);
    r->code_lines = reserve(pages * sizeof(*r->code_lines));
    r->hash_cache = h = hash_cache_new(pages);
    if (r->base && r->flags && r->code_lines && h && h->page && h->dirty) return true;
    ram_free(r);
    return false;
}

void ram_free(struct ram *r)
{
    uint64_t pages = page_count(r);

    release(r->base, r->size);
    release(r->flags, pages);
    release(r->code_lines, pages * sizeof(*r->code_lines));
    hash_cache_free(r->hash_cache, pages);
    memset(r, 0, sizeof(*r));
}

void ram_clear(struct ram *r)
{
    uint64_t pages = page_count(r);
    struct hash_cache *h = r->hash_cache;

    forget(r->base, r->size);
    forget(r->flags, pages);
    forget(r->code_lines, pages * sizeof(*r->code_lines));
    forget(h->page, pages * sizeof(*h->page));
    h->dirty_count = 0;
    h->sum = (struct page_hash){0, 0};
    r->touched = 0;
    r->over_budget = false;
}

/* ---- reading and writing --------------------------------------------------------------------- */

/** Count a page against the budget the first time; false (and over_budget) if it is spent. */
static bool page_touch(struct ram *r, uint64_t page)
{
    if (r->flags[page] & RAM_TOUCHED) return true;
    if (r->touched + RAM_PAGE > r->budget) {
        r->over_budget = true;
        return false;
    }
    r->touched += RAM_PAGE;
    r->flags[page] |= RAM_TOUCHED;
    return true;
}

static void page_dirty(struct ram *r, uint64_t page)
{
    struct hash_cache *h = r->hash_cache;

    if (r->flags[page] & RAM_DIRTY) return;
    r->flags[page] |= RAM_DIRTY;
    h->dirty[h->dirty_count++] = (uint32_t)page;
}

/** One bit for each 64-byte line of its page that [offset, offset+n) meets. */
static uint64_t lines_of(uint64_t offset, unsigned n)
{
    unsigned first = (unsigned)(offset % RAM_PAGE) >> LINE_SHIFT;
    unsigned last = (unsigned)(offset % RAM_PAGE + n - 1) >> LINE_SHIFT;

    return (~0ull << first) & (~0ull >> (63 - (last & 63)));
}

void ram_read(const struct ram *r, uint64_t phys, void *out, unsigned n)
{
    uint64_t offset = ram_offset(r, phys);
    const uint8_t *rom;

    if (offset != UINT64_MAX) memcpy(out, r->base + offset, n);
    else if ((rom = ram_rom(r, phys)) != NULL) memcpy(out, rom, n);
    else memset(out, 0xff, n);
}

void ram_write(struct ram *r, uint64_t phys, const void *in, unsigned n)
{
    uint64_t offset = ram_offset(r, phys);
    uint64_t page = offset / RAM_PAGE;

    if (offset == UINT64_MAX || n == 0) return;
    if (!page_touch(r, page)) return;
    memcpy(r->base + offset, in, n);
    page_dirty(r, page);
    if (!(r->flags[page] & RAM_CODE)) return;
    if (!(r->code_lines[page] & lines_of(offset, n))) return;
    if (r->code_written) r->code_written(r->code_ctx, phys, n);
}

/* The walker's reads: RAM without a call. */
static inline uint64_t read_entry(const struct ram *r, uint64_t phys, unsigned n)
{
    uint64_t offset = ram_offset(r, phys), value = 0;

    if (__builtin_expect(offset == UINT64_MAX, 0)) ram_read(r, phys, &value, n);
    else memcpy(&value, r->base + offset, n);
    return value;
}

uint64_t ram_read64(const struct ram *r, uint64_t phys) { return read_entry(r, phys, 8); }

uint32_t ram_read32(const struct ram *r, uint64_t phys) { return (uint32_t)read_entry(r, phys, 4); }

void ram_write64(struct ram *r, uint64_t phys, uint64_t value)
{
    ram_write(r, phys, &value, sizeof(value));
}

void ram_write32(struct ram *r, uint64_t phys, uint32_t value)
{
    ram_write(r, phys, &value, sizeof(value));
}

/* ---- host pointers --------------------------------------------------------------------------- */

uint8_t *ram_page_for_write(struct ram *r, uint64_t phys)
{
    uint64_t offset = ram_offset(r, phys);
    uint64_t page = offset / RAM_PAGE;

    if (offset == UINT64_MAX) return NULL;
    if (r->flags[page] & (RAM_CODE | RAM_WATCHED)) return NULL;
    if (!page_touch(r, page)) return NULL;
    page_dirty(r, page);
    return r->base + page * RAM_PAGE;
}

/* ---- decoded code ---------------------------------------------------------------------------- */

bool ram_mark_code(struct ram *r, uint64_t phys, unsigned n)
{
    uint64_t offset = ram_offset(r, phys);
    uint64_t page = offset / RAM_PAGE;
    bool first;

    if (offset == UINT64_MAX || n == 0) return false;
    first = !(r->flags[page] & RAM_CODE);
    r->flags[page] |= RAM_CODE;
    r->code_lines[page] |= lines_of(offset, n);
    return first;
}

void ram_unmark_lines(struct ram *r, uint64_t phys, uint64_t lines)
{
    uint64_t offset = ram_offset(r, phys);

    if (offset != UINT64_MAX) r->code_lines[offset / RAM_PAGE] &= ~lines;
}

void ram_clear_code(struct ram *r)
{
    for (uint64_t page = 0; page < page_count(r); page++)
        if (r->flags[page] & RAM_CODE) {
            r->flags[page] &= (uint8_t)~RAM_CODE;
            r->code_lines[page] = 0;
        }
}

/* ---- the hash -------------------------------------------------------------------------------- */

static bool is_zero(const uint8_t *page)
{
    return page[0] == 0 && memcmp(page, page + 1, RAM_PAGE - 1) == 0;
}

/** The page number is the seed, so the same contents elsewhere count differently. */
static struct page_hash page_hash(const uint8_t *bytes, uint64_t page)
{
    XXH128_hash_t h;

    if (is_zero(bytes)) return (struct page_hash){0, 0};
    h = XXH3_128bits_withSeed(bytes, RAM_PAGE, page);
    return (struct page_hash){h.low64, h.high64};
}

/* Sums modulo 2^128 need no order and can be taken back. */
static void sum_add(struct page_hash *sum, struct page_hash h)
{
    sum->lo += h.lo;
    sum->hi += h.hi + (sum->lo < h.lo);
}

static void sum_sub(struct page_hash *sum, struct page_hash h)
{
    sum->hi -= h.hi + (sum->lo < h.lo);
    sum->lo -= h.lo;
}

void ram_hash(struct ram *r, uint64_t out[2])
{
    struct hash_cache *h = r->hash_cache;

    for (uint64_t i = 0; i < h->dirty_count; i++) {
        uint32_t page = h->dirty[i];

        sum_sub(&h->sum, h->page[page]);
        h->page[page] = page_hash(r->base + (uint64_t)page * RAM_PAGE, page);
        sum_add(&h->sum, h->page[page]);
        r->flags[page] &= (uint8_t)~RAM_DIRTY;
    }
    h->dirty_count = 0;
    out[0] = h->sum.lo;
    out[1] = h->sum.hi;
}
