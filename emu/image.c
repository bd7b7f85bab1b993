/*
 * image.c - put a parsed image into RAM, after checking that it fits: every part lies in RAM, no two
 * parts overlap, the file really has the bytes it promises (parsing has seen to the last).
 */
#include "emu/image.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool image_fail(struct image *image, uint64_t offset, const char *format, ...)
{
    int n = snprintf(image->error, sizeof image->error, "offset 0x%llx: ", (unsigned long long)offset);
    va_list args;

    va_start(args, format);
    vsnprintf(image->error + n, sizeof image->error - (size_t)n, format, args);
    va_end(args);
    return false;
}

/* ---- any number of bytes ---------------------------------------------------------------------- */

/* Bytes from phys to the end of its page, at most n. */
static unsigned in_page(uint64_t phys, uint64_t n)
{
    uint64_t left = RAM_PAGE - phys % RAM_PAGE;

    return (unsigned)(n < left ? n : left);
}

bool ram_has(const struct ram *ram, uint64_t phys, uint64_t n)
{
    if (n == 0) return true;
    if (phys + (n - 1) < phys) return false;
    uint64_t end = phys + n;

    if (end <= RAM_HOLE_START) return end <= ram->low_size;
    if (phys < RAM_HIGH_START) return phys >= RAM_HOLE_END && end <= ram->low_size;
    return end - RAM_HIGH_START <= ram->size - ram->low_size;
}

void ram_put(struct ram *ram, uint64_t phys, const void *bytes, uint64_t n)
{
    const uint8_t *from = bytes;

    while (n > 0) {
        unsigned step = in_page(phys, n);

        ram_write(ram, phys, from, step);
        phys += step;
        from += step;
        n -= step;
    }
}

void ram_get(const struct ram *ram, uint64_t phys, void *out, uint64_t n)
{
    uint8_t *to = out;

    while (n > 0) {
        unsigned step = in_page(phys, n);

        ram_read(ram, phys, to, step);
        phys += step;
        to += step;
        n -= step;
    }
}

void ram_zero(struct ram *ram, uint64_t phys, uint64_t n)
{
    static const uint8_t zeros[RAM_PAGE];

    while (n > 0) {
        unsigned step = in_page(phys, n);

        if (ram->flags[ram_offset(ram, phys) / RAM_PAGE] & RAM_TOUCHED) ram_write(ram, phys, zeros, step);
        phys += step;
        n -= step;
    }
}

/* ---- who has which memory ----------------------------------------------------------------------- */

bool ranges_add(struct ranges *r, uint64_t start, uint64_t size)
{
    if (size == 0) return true;
    if (r->count == IMAGE_RANGES_MAX) return false;
    r->range[r->count].start = start;
    r->range[r->count].end = start + size;
    r->count++;
    return true;
}

/* The range that overlaps [start, start + size), or count. */
static unsigned range_over(const struct ranges *r, uint64_t start, uint64_t size)
{
    unsigned i = 0;

    while (i < r->count && (start + size <= r->range[i].start || r->range[i].end <= start)) i++;
    return i;
}

uint64_t ranges_find(const struct ranges *r, const struct ram *ram, uint64_t size, uint64_t align,
                     uint64_t low, uint64_t high)
{
    uint64_t at = (low + align - 1) & ~(align - 1);

    while (at < high && size <= high - at) {
        unsigned i = range_over(r, at, size);

        if (i == r->count) {
            if (ram_has(ram, at, size)) return at;
            if (at >= RAM_HOLE_END) return UINT64_MAX;
            at = RAM_HOLE_END;
        } else {
            at = r->range[i].end;
        }
        at = (at + align - 1) & ~(align - 1);
    }
    return UINT64_MAX;
}

/* ---- placing ------------------------------------------------------------------------------------- */

bool image_check(struct image *image, const struct ram *ram, struct ranges *taken)
{
    for (unsigned i = 0; i < image->parts; i++) {
        const struct image_part *p = &image->part[i];
        unsigned long long from = p->phys, to = p->phys + p->mem;

        if (!ram_has(ram, p->phys, p->mem))
            return image_fail(image, p->named_at,
                              "segment at physical 0x%llx..0x%llx lies outside RAM (0..0x9ffff and "
                              "0x100000..0x%llx)",
                              from, to - 1, (unsigned long long)ram->low_size - 1);
        unsigned other = range_over(taken, p->phys, p->mem);

        if (other < taken->count)
            return image_fail(image, p->named_at,
                              "segment at physical 0x%llx..0x%llx overlaps another at 0x%llx..0x%llx", from,
                              to - 1, (unsigned long long)taken->range[other].start,
                              (unsigned long long)taken->range[other].end - 1);
        if (!ranges_add(taken, p->phys, p->mem)) return image_fail(image, p->named_at, "too many segments");
    }
    return true;
}

void image_copy(const struct image *image, struct ram *ram)
{
    for (unsigned i = 0; i < image->parts; i++) {
        const struct image_part *p = &image->part[i];

        ram_put(ram, p->phys, image->bytes + p->offset, p->file);
        ram_zero(ram, p->phys + p->file, p->mem - p->file);
    }
}
