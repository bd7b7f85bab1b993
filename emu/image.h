/*
 * image.h - an image file taken apart: which bytes go where in physical memory and where the CPU
 * starts. Parsing (load_elf.c, load_multiboot.c) is pure: it sees only the bytes. Placing (image.c)
 * checks the parts against the RAM there is and against each other, and copies.
 *
 * Every way to fail leaves one line in image->error that names what is wrong and the file offset of
 * the words that say so.
 */
#ifndef EMU_IMAGE_H
#define EMU_IMAGE_H

#include "phys/ram.h"

#define IMAGE_PARTS_MAX 64u
#define IMAGE_RANGES_MAX 160u
#define IMAGE_ERROR_SIZE 240u

/** One run of bytes in memory: `file` bytes copied from `offset`, the rest up to `mem` zero. */
struct image_part {
    uint64_t phys, mem;
    uint64_t offset, file;
    uint64_t virt;     /* linear address the part is linked at */
    uint64_t named_at; /* file offset of the header that describes it */
};

struct image {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t header_at;    /* file offset of the Multiboot header */
    uint32_t header_flags; /* its flags word */
    uint64_t entry;        /* physical address of the first instruction, below 4 GiB */
    uint64_t entry_at;     /* file offset of the word that names it */
    unsigned parts;
    struct image_part part[IMAGE_PARTS_MAX];
    char error[IMAGE_ERROR_SIZE];
};

/** Multiboot 1: find the header, then read the address fields (flag 16) or the ELF headers. */
bool multiboot_parse(struct image *image);
/** Program headers of an ELF32 (i386) or ELF64 (x86-64) executable, loaded by p_paddr. */
bool elf_parse(struct image *image);
/** Is it ELF by its first four bytes? */
bool elf_is(const uint8_t *bytes, uint64_t size);
/** Write the error line ("offset 0x1c: ..."); returns false. */
bool image_fail(struct image *image, uint64_t offset, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Memory already spoken for while an image is being placed. */
struct ranges {
    unsigned count;
    struct {
        uint64_t start, end;
    } range[IMAGE_RANGES_MAX];
};
bool ranges_add(struct ranges *r, uint64_t start, uint64_t size);
/** Lowest free address in [low, high) for `size` bytes of RAM, or UINT64_MAX. align: a power of two. */
uint64_t ranges_find(const struct ranges *r, const struct ram *ram, uint64_t size, uint64_t align,
                     uint64_t low, uint64_t high);

/** Check the parts against RAM and each other; nothing is written. Adds them to `taken`. */
bool image_check(struct image *image, const struct ram *ram, struct ranges *taken);
/** Copy the parts into RAM (checked before) and zero what the file does not fill. */
void image_copy(const struct image *image, struct ram *ram);

/** Are n bytes from phys all RAM? */
bool ram_has(const struct ram *ram, uint64_t phys, uint64_t n);
/** Copy any number of bytes in or out; the range must be RAM. */
void ram_put(struct ram *ram, uint64_t phys, const void *bytes, uint64_t n);
void ram_get(const struct ram *ram, uint64_t phys, void *out, uint64_t n);
/** Zero n bytes; pages never touched are left alone. */
void ram_zero(struct ram *ram, uint64_t phys, uint64_t n);

static inline uint32_t image_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#endif
