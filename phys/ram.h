/*
 * ram.h - physical RAM: pages on demand under a budget, and what is known of each page.
 *
 * The one read/write entry for page walker, DMA, gdb pokes, injection and CPU stores alike: whoever
 * writes, decoded code over the bytes dies, the page counts as touched and dirty. Only the CPU's
 * write filter goes round it, and it holds host pointers only to pages on which none of that can
 * matter any more (ram_may_write_direct).
 *
 * Layout as a PC's: RAM below 3 GiB lies at its own address but for the hole 0xA0000..0xFFFFF; what
 * exceeds 3 GiB lies from 4 GiB up. A20 is applied by the caller (mmu, bus) to the address.
 */
#ifndef PHYS_RAM_H
#define PHYS_RAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RAM_PAGE 4096u
#define RAM_HOLE_START 0xa0000ull
#define RAM_HOLE_END 0x100000ull
#define RAM_LOW_MAX 0xc0000000ull
#define RAM_HIGH_START 0x100000000ull
#define RAM_ROM_LOW 0x20000ull /* at most so much of the ROM lies below 1 MiB */

enum ram_page_flag {
    RAM_TOUCHED = 1, /* counted against the budget */
    RAM_DIRTY = 2,   /* written since the last state hash */
    RAM_CODE = 4,    /* some line holds decoded code (sticky until ram_clear_code) */
    RAM_WATCHED = 8  /* every access must take the slow path */
};

struct ram {
    uint8_t *base;        /* host memory, `size` bytes, mapped on demand */
    uint64_t size;        /* bytes of RAM */
    uint64_t low_size;    /* bytes below 4 GiB, the hole included */
    uint64_t budget;      /* bytes that may be touched */
    uint64_t touched;     /* bytes touched so far */
    bool over_budget;     /* a write was dropped because the budget is spent: the machine must stop */
    uint8_t *flags;       /* one byte a page: enum ram_page_flag */
    uint64_t *code_lines; /* one bit per 64-byte line that holds decoded code */
    void (*code_written)(void *ctx, uint64_t phys, unsigned n); /* decoded code over these bytes dies */
    void *code_ctx;
    void *hash_cache; /* page hashes, owned by ram.c */
    const uint8_t *rom;  /* the firmware's ROM, owned by the machine; NULL: none */
    uint64_t rom_size;   /* a multiple of RAM_PAGE */
};

/** Returns false if the host has no memory. */
bool ram_init(struct ram *r, uint64_t size, uint64_t budget);
void ram_free(struct ram *r);
/** All zero again, flags cleared (a machine reset keeps RAM; this is for reload). */
void ram_clear(struct ram *r);

/** Offset of a physical address in r->base, or UINT64_MAX where there is no RAM. */
static inline uint64_t ram_offset(const struct ram *r, uint64_t phys)
{
    if (phys < r->low_size) return phys - RAM_HOLE_START < RAM_HOLE_END - RAM_HOLE_START ? UINT64_MAX : phys;
    if (phys >= RAM_HIGH_START && phys - RAM_HIGH_START < r->size - r->low_size)
        return phys - RAM_HIGH_START + r->low_size;
    return UINT64_MAX;
}
static inline bool ram_is(const struct ram *r, uint64_t phys) { return ram_offset(r, phys) != UINT64_MAX; }

/** Host address of a physical address in the ROM, which ends at 4 GiB and whose last 128 KiB also lie
 *  below 1 MiB; NULL where there is none. */
static inline const uint8_t *ram_rom(const struct ram *r, uint64_t phys)
{
    uint64_t low = r->rom_size < RAM_ROM_LOW ? r->rom_size : RAM_ROM_LOW;

    if (phys - (RAM_HIGH_START - r->rom_size) < r->rom_size) return r->rom + (phys - (RAM_HIGH_START - r->rom_size));
    if (phys - (RAM_HOLE_END - low) < low) return r->rom + (r->rom_size - (RAM_HOLE_END - phys));
    return NULL;
}

/** Copy n bytes that lie within one page; where there is no RAM the ROM's, else 0xFF. */
void ram_read(const struct ram *r, uint64_t phys, void *out, unsigned n);
/** Write n bytes that lie within one page: kills decoded code, marks touched and dirty. Writes to
 *  absent addresses vanish. */
void ram_write(struct ram *r, uint64_t phys, const void *in, unsigned n);
uint64_t ram_read64(const struct ram *r, uint64_t phys);
uint32_t ram_read32(const struct ram *r, uint64_t phys);
void ram_write64(struct ram *r, uint64_t phys, uint64_t value);
void ram_write32(struct ram *r, uint64_t phys, uint32_t value);

/** Make a page ready for direct stores through a host pointer (touched, dirty): the host address of
 *  the page, or NULL if direct stores are not allowed (no RAM, code on it, watched, budget spent). */
uint8_t *ram_page_for_write(struct ram *r, uint64_t phys);
/** Host address of the page for reading, NULL if it is not RAM or watched. */
static inline uint8_t *ram_page_for_read(const struct ram *r, uint64_t phys)
{
    uint64_t offset = ram_offset(r, phys);

    if (offset == UINT64_MAX || (r->flags[offset / RAM_PAGE] & RAM_WATCHED)) return NULL;
    return r->base + (offset & ~(uint64_t)(RAM_PAGE - 1));
}

/** Note that bytes [phys, phys+n) hold decoded code. Returns true if the page was code-free before:
 *  the caller must then drop direct write pointers to it. */
bool ram_mark_code(struct ram *r, uint64_t phys, unsigned n);
/** The lines of this page hold no decoded code any more. */
void ram_unmark_lines(struct ram *r, uint64_t phys, uint64_t lines);
void ram_clear_code(struct ram *r);

/** 128-bit order-free sum of page hashes (xxh3-128 of page number and contents); a never-touched page
 *  equals a zero page and counts nothing. Cost follows the pages dirtied since the last call; the
 *  caller must drop direct write pointers before it (so that later stores mark pages dirty again). */
void ram_hash(struct ram *r, uint64_t out[2]);

#endif
