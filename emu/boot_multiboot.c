/*
 * boot_multiboot.c - start a Multiboot 1 image: lay out image, modules and boot information, enter the
 * kernel in 32-bit protected mode with EAX = 0x2BADB002 and EBX = the information's address.
 *
 * The information (with command line, memory map, module list) lies in low memory, modules on page
 * boundaries above the image.
 * Manual: Multiboot Specification 0.6.96 "Boot information format", "Machine state".
 */
#include <stdlib.h>
#include <string.h>

#include "emu/entry.h"
#include "emu/image.h"
#include "emu/machine.h"

#define LOADER_MAGIC 0x2badb002u
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
#define BDA 0x400u
#define BDA_SIZE 0x100u
#define BDA_EBDA_SEGMENT 0x40eu
#define BDA_LOW_KB 0x413u
/* The specification leaves IDTR undefined. It stays as the firmware had it, on the table of real mode's
 * vectors: kernels that go back to real mode count on it. */
#define VECTOR_TABLE_LIMIT 0x3ffu

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

/* ---- what a PC's firmware leaves behind ------------------------------------------------------------------ */

static void put16(struct ram *ram, uint32_t phys, uint16_t value)
{
    const uint8_t bytes[2] = {(uint8_t)value, (uint8_t)(value >> 8)};

    ram_put(ram, phys, bytes, 2);
}

/* A loader runs after the BIOS, whose data area kernels read: serial ports, where the extended area
 * is, kilobytes of low memory. Left out where the image itself lies. */
static void bios_data(struct ram *ram, const struct ranges *taken)
{
    static const uint16_t ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};

    if (ranges_find(taken, ram, BDA_SIZE, 1, BDA, BDA + BDA_SIZE) != BDA) return;
    if (ranges_find(taken, ram, 16, 1, EBDA_START, EBDA_START + 16) != EBDA_START) return;
    for (unsigned i = 0; i < 4; i++) put16(ram, BDA + 2 * i, ports[i]);
    put16(ram, BDA_EBDA_SEGMENT, EBDA_START >> 4);
    put16(ram, BDA_LOW_KB, EBDA_START / 1024);
    put16(ram, EBDA_START, (RAM_HOLE_START - EBDA_START) / 1024);
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
    bios_data(&m->ram, &taken);
    for (unsigned i = 0; i < m->modules; i++)
        ram_put(&m->ram, module_at[i], m->module[i].bytes, m->module[i].size);
    info_fill(&info, m, module_at);
    ram_put(&m->ram, info.at, info.bytes, info.used);
    free(info.bytes);
    if (m->ram.over_budget)
        return machine_fail(m, RS_E_IMAGE, "%s: the image needs more memory than the RAM budget of %llu bytes",
                            m->boot.name, (unsigned long long)m->ram.budget);

    entry_prot32(&m->cpu, (uint32_t)image->entry);
    m->cpu.idtr = (struct table_reg){0, VECTOR_TABLE_LIMIT};
    m->cpu.gpr[R_RAX] = LOADER_MAGIC;
    m->cpu.gpr[R_RBX] = info.at;
    return RS_OK;
}

rs_status boot_multiboot(rs_machine *m)
{
    struct image image = {.bytes = m->boot.bytes, .size = m->boot.size};

    if (!multiboot_parse(&image)) return machine_fail(m, RS_E_IMAGE, "%s: %s", m->boot.name, image.error);
    return place(m, &image);
}
