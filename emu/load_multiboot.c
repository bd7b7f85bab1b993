/*
 * load_multiboot.c - a Multiboot 1 image taken apart: find the header, then the address fields or the
 * ELF headers. Pure.
 *
 * An image with address fields (flag 16) is loaded by them even if it is ELF; otherwise it must be
 * ELF32 or ELF64, whose segments go to their physical addresses.
 * Manual: Multiboot Specification 0.6.96 "OS image format".
 */
#include "emu/image.h"

#define HEADER_MAGIC 0x1badb002u
#define HEADER_SEARCH 8192u
#define HEADER_VIDEO (1u << 2)
#define HEADER_KNOWN (3u | HEADER_VIDEO)
#define HEADER_ADDRESSES (1u << 16)

/* The header lies 4-aligned and whole within the first 8192 bytes; magic + flags + checksum = 0. */
static bool header_find(struct image *image)
{
    uint64_t end = image->size < HEADER_SEARCH ? image->size : HEADER_SEARCH;
    uint64_t spoiled = UINT64_MAX;

    for (uint64_t at = 0; at + 12 <= end; at += 4) {
        const uint8_t *h = image->bytes + at;

        if (image_le32(h) != HEADER_MAGIC) continue;
        if (image_le32(h) + image_le32(h + 4) + image_le32(h + 8) == 0) {
            image->header_at = at;
            image->header_flags = image_le32(h + 4);
            return true;
        }
        if (spoiled == UINT64_MAX) spoiled = at;
    }
    if (spoiled != UINT64_MAX)
        return image_fail(image, spoiled, "a Multiboot header whose checksum is wrong (magic + flags + "
                                          "checksum must be 0)");
    if (elf_is(image->bytes, image->size)) {
        if (image->size < HEADER_SEARCH && !elf_parse(image)) return false; /* cut short: say where */
        return image_fail(image, 0, "an ELF file without a Multiboot header in its first 8192 bytes: no boot "
                                    "protocol for it yet (a flat load needs --load and --entry)");
    }
    return image_fail(image, 0, "no Multiboot header in the first 8192 bytes, and not an ELF file (a flat "
                                "image needs --load and --entry)");
}

/* The five address fields, in the specification's words; ends are one past the last byte. */
static bool addresses_parse(struct image *image)
{
    uint64_t at = image->header_at;
    const uint8_t *h = image->bytes + at;

    if (at + 32 > image->size)
        return image_fail(image, at, "truncated: the address fields of the Multiboot header are cut off");
    uint32_t header_addr = image_le32(h + 12), load_addr = image_le32(h + 16);
    uint32_t load_end = image_le32(h + 20), bss_end = image_le32(h + 24), entry = image_le32(h + 28);

    if (load_addr > header_addr)
        return image_fail(image, at + 16, "load_addr 0x%x lies above header_addr 0x%x", load_addr, header_addr);
    if (header_addr - load_addr > at)
        return image_fail(image, at + 12, "header_addr 0x%x with load_addr 0x%x puts the start of the image "
                                          "before the file",
                          header_addr, load_addr);
    uint64_t offset = at - (header_addr - load_addr), left = image->size - offset;

    if (load_end != 0 && load_end < load_addr)
        return image_fail(image, at + 20, "load_end_addr 0x%x lies below load_addr 0x%x", load_end, load_addr);
    uint64_t file = load_end ? load_end - load_addr : left;

    if (file > left)
        return image_fail(image, at + 20, "the address fields claim 0x%llx bytes at file offset 0x%llx, but "
                                          "the file has 0x%llx",
                          (unsigned long long)file, (unsigned long long)offset, (unsigned long long)image->size);
    if (bss_end != 0 && bss_end < load_addr + file)
        return image_fail(image, at + 24, "bss_end_addr 0x%x lies below the end of the loaded bytes, 0x%llx",
                          bss_end, (unsigned long long)(load_addr + file));
    uint64_t mem = bss_end ? bss_end - load_addr : file;

    if (entry - (uint64_t)load_addr >= mem)
        return image_fail(image, at + 28, "entry_addr 0x%x lies outside the image, 0x%x..0x%llx", entry,
                          load_addr, (unsigned long long)(load_addr + mem));
    image->part[0] = (struct image_part){.phys = load_addr, .mem = mem, .offset = offset, .file = file,
                                         .virt = load_addr, .named_at = at + 12};
    image->parts = 1;
    image->entry = entry;
    image->entry_at = at + 28;
    return true;
}

bool multiboot_parse(struct image *image)
{
    if (image->size == 0) return image_fail(image, 0, "the file is empty");
    if (!header_find(image)) return false;
    uint32_t unknown = image->header_flags & 0xffff & ~HEADER_KNOWN;

    if (unknown)
        return image_fail(image, image->header_at + 4,
                          "the Multiboot header requires what Ringside does not know (flags 0x%x)", unknown);
    if (image->header_flags & HEADER_ADDRESSES) return addresses_parse(image);
    if (!elf_is(image->bytes, image->size))
        return image_fail(image, image->header_at + 4,
                          "a Multiboot header without address fields (flag 16) in a file that is not ELF");
    if (!elf_parse(image)) return false;
    if (image->entry > UINT32_MAX)
        return image_fail(image, image->entry_at, "the entry point's physical address 0x%llx lies above 4 GiB",
                          (unsigned long long)image->entry);
    return true;
}
