/*
 * load_multiboot.c - Multiboot 1: find the header, lay out the image, its modules and the boot
 * information, enter the kernel in 32-bit protected mode with EAX = 0x2BADB002, EBX = information.
 *
 * An image with address fields (flag 16) is loaded by them even if it is ELF; otherwise it must be
 * ELF32 or ELF64, whose segments go to their physical addresses. The information (with command line,
 * memory map, module list) lies in low memory, modules on page boundaries above the image.
 * Manual: Multiboot Specification 0.6.96 "OS image format", "Boot information format", "Machine state".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/entry.h"
#include "emu/image.h"
#include "emu/machine.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define HEADER_SEARCH 8192u
#define HEADER_VIDEO (1u << 2)
#define HEADER_KNOWN (3u | HEADER_VIDEO)
#define HEADER_ADDRESSES (1u << 16)

#define INFO_MEMORY (1u << 0)
#define INFO_CMDLINE (1u << 2)
#define INFO_MODULES (1u << 3)
#define INFO_MMAP (1u << 6)
#define INFO_LOADER_NAME (1u << 9)
#define INFO_SIZE 120u
#define MODULE_SIZE 16u
#define MMAP_SIZE 24u
#define MMAP_ENTRIES 5u
#define MMAP_RAM 1u
#define MMAP_RESERVED 2u
#define EBDA_START 0x9fc00u
#define BIOS_START 0xf0000u
#define INFO_LOWEST 0x10000u

/* ---- parsing --------------------------------------------------------------------------------------- */

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
    if (elf_is(image->bytes, image->size))
        return image_fail(image, 0, "an ELF file without a Multiboot header in its first 8192 bytes: no boot "
                                    "protocol for it yet (a flat load needs --load and --entry)");
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

/* ---- the boot information ---------------------------------------------------------------------------- */

/* A little-endian block that will be copied to `at` in one go. */
struct info {
    uint8_t *bytes;
    uint32_t size, used;
    uint32_t at;
};

static void put32(struct info *n, uint32_t offset, uint64_t value)
{
    for (unsigned i = 0; i < 4; i++) n->bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

static uint32_t reserve(struct info *n, uint32_t size)
{
    uint32_t offset = n->used;

    n->used += (size + 3) & ~3u;
    return offset;
}

static uint32_t put_string(struct info *n, const char *text)
{
    size_t size = strlen(text) + 1;
    uint32_t offset = reserve(n, (uint32_t)size);

    memcpy(n->bytes + offset, text, size);
    return n->at + offset;
}

static uint32_t info_size(const rs_machine *m)
{
    size_t size = INFO_SIZE + MMAP_ENTRIES * MMAP_SIZE + m->modules * MODULE_SIZE + 64;

    if (m->boot.cmdline) size += strlen(m->boot.cmdline) + 4;
    for (unsigned i = 0; i < m->modules; i++) size += strlen(m->module[i].string) + 4;
    return (uint32_t)size;
}

static void put_map(struct info *n, const struct ram *ram)
{
    const struct {
        uint64_t start, end;
        uint32_t type;
    } map[MMAP_ENTRIES] = {
        {0, EBDA_START, MMAP_RAM},
        {EBDA_START, RAM_HOLE_START, MMAP_RESERVED},
        {BIOS_START, RAM_HOLE_END, MMAP_RESERVED},
        {RAM_HOLE_END, ram->low_size, MMAP_RAM},
        {RAM_HIGH_START, RAM_HIGH_START + (ram->size - ram->low_size), MMAP_RAM},
    };
    uint32_t first = n->used, count = 0;

    for (unsigned i = 0; i < MMAP_ENTRIES; i++) {
        if (map[i].start >= map[i].end) continue;
        uint64_t size = map[i].end - map[i].start;
        uint32_t at = reserve(n, MMAP_SIZE);

        put32(n, at, MMAP_SIZE - 4);
        put32(n, at + 4, map[i].start);
        put32(n, at + 8, map[i].start >> 32);
        put32(n, at + 12, size);
        put32(n, at + 16, size >> 32);
        put32(n, at + 20, map[i].type);
        count++;
    }
    put32(n, 44, count * MMAP_SIZE);
    put32(n, 48, n->at + first);
}

static void put_modules(struct info *n, const rs_machine *m, const uint32_t *start)
{
    uint32_t list = reserve(n, m->modules * MODULE_SIZE);

    for (unsigned i = 0; i < m->modules; i++) {
        uint32_t at = list + i * MODULE_SIZE;

        put32(n, at, start[i]);
        put32(n, at + 4, start[i] + m->module[i].size);
        put32(n, at + 8, put_string(n, m->module[i].string));
    }
    put32(n, 20, m->modules);
    put32(n, 24, n->at + list);
}

static void info_fill(struct info *n, const rs_machine *m, const uint32_t *module_at)
{
    uint64_t upper = (m->ram.low_size - RAM_HOLE_END) / 1024;
    uint32_t flags = INFO_MEMORY | INFO_MMAP | INFO_LOADER_NAME;

    n->used = INFO_SIZE;
    put32(n, 4, EBDA_START / 1024);
    put32(n, 8, upper);
    put_map(n, &m->ram);
    if (m->boot.cmdline) {
        flags |= INFO_CMDLINE;
        put32(n, 16, put_string(n, m->boot.cmdline));
    }
    if (m->modules) {
        flags |= INFO_MODULES;
        put_modules(n, m, module_at);
    }
    put32(n, 64, put_string(n, "Ringside"));
    put32(n, 0, flags);
}

/* ---- placing ------------------------------------------------------------------------------------------ */

static uint64_t parts_end(const struct image *image)
{
    uint64_t end = RAM_HOLE_END;

    for (unsigned i = 0; i < image->parts; i++)
        if (image->part[i].phys + image->part[i].mem > end && image->part[i].phys < RAM_HIGH_START)
            end = image->part[i].phys + image->part[i].mem;
    return end;
}

/* Addresses for the modules, page by page above the image. */
static bool modules_place(rs_machine *m, struct image *image, struct ranges *taken, uint32_t *start)
{
    for (unsigned i = 0; i < m->modules; i++) {
        uint64_t size = m->module[i].size;
        uint64_t at = ranges_find(taken, &m->ram, size ? size : 1, RAM_PAGE, parts_end(image), m->ram.low_size);

        if (at == UINT64_MAX || !ranges_add(taken, at, size))
            return image_fail(image, 0, "module %u (%llu bytes) does not fit into RAM above the image", i,
                              (unsigned long long)size);
        start[i] = (uint32_t)at;
    }
    return true;
}

static rs_status place(rs_machine *m, struct image *image)
{
    struct ranges taken = {0};
    uint32_t module_at[MACHINE_MODULES_MAX];
    struct info info = {.size = info_size(m)};

    if (!image_check(image, &m->ram, &taken) || !modules_place(m, image, &taken, module_at))
        return machine_fail(m, RS_E_IMAGE, "%s: %s", m->boot.name, image->error);
    uint64_t at = ranges_find(&taken, &m->ram, info.size, 16, INFO_LOWEST, EBDA_START);

    if (at == UINT64_MAX)
        at = ranges_find(&taken, &m->ram, info.size, 16, parts_end(image), m->ram.low_size);
    if (at == UINT64_MAX)
        return machine_fail(m, RS_E_IMAGE, "%s: no room in RAM for the boot information (%u bytes)",
                            m->boot.name, info.size);
    info.at = (uint32_t)at;
    info.bytes = calloc(1, info.size);
    if (!info.bytes) return machine_fail(m, RS_E_NOMEM, "no memory for the boot information");

    image_copy(image, &m->ram);
    for (unsigned i = 0; i < m->modules; i++)
        ram_put(&m->ram, module_at[i], m->module[i].bytes, m->module[i].size);
    info_fill(&info, m, module_at);
    ram_put(&m->ram, info.at, info.bytes, info.used);
    free(info.bytes);
    if (m->ram.over_budget)
        return machine_fail(m, RS_E_IMAGE, "%s: the image needs more memory than the RAM budget of %llu bytes",
                            m->boot.name, (unsigned long long)m->ram.budget);

    entry_prot32(&m->cpu, (uint32_t)image->entry);
    m->cpu.gpr[R_RAX] = LOADER_MAGIC;
    m->cpu.gpr[R_RBX] = info.at;
    return RS_OK;
}

rs_status load_multiboot(rs_machine *m)
{
    struct image image = {.bytes = m->boot.bytes, .size = m->boot.size};

    if (!multiboot_parse(&image)) return machine_fail(m, RS_E_IMAGE, "%s: %s", m->boot.name, image.error);
    return place(m, &image);
}
