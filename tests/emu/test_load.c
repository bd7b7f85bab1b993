/*
 * test_load.c - images taken apart: good ones land where they say, bad ones give one line that names
 * the place, and no file of any bytes reads outside itself.
 */
#define _DEFAULT_SOURCE

#include <elf.h>
#include <string.h>
#include <sys/mman.h>

#include "emu/image.h"
#include "tests/check_main.h"

#define MEM (32ull << 20)
#define ROOM 65536u
#define MAGIC 0x1badb002u

/* ---- images made by hand -------------------------------------------------------------------------------- */

static uint8_t file[ROOM];

static void le32(size_t at, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) file[at + i] = (uint8_t)(value >> 8 * i);
}

static void header_at(size_t at, uint32_t flags)
{
    le32(at, MAGIC);
    le32(at + 4, flags);
    le32(at + 8, 0u - MAGIC - flags);
}

/* Address fields at 0x40: 0x1000 bytes from file offset 0 at 1 MiB, bss to 1 MiB + 0x3000. */
static size_t addresses(void)
{
    memset(file, 0, sizeof file);
    header_at(0x40, 1u << 16);
    le32(0x4c, 0x100040);
    le32(0x50, 0x100000);
    le32(0x54, 0x101000);
    le32(0x58, 0x103000);
    le32(0x5c, 0x100060);
    return 0x1000;
}

static Elf32_Ehdr *ehdr32(void) { return (Elf32_Ehdr *)(void *)file; }
static Elf32_Phdr *phdr32(void) { return (Elf32_Phdr *)(void *)(file + sizeof(Elf32_Ehdr)); }
static Elf64_Ehdr *ehdr64(void) { return (Elf64_Ehdr *)(void *)file; }
static Elf64_Phdr *phdr64(void) { return (Elf64_Phdr *)(void *)(file + sizeof(Elf64_Ehdr)); }

/* Two segments: 0x200 bytes at 1 MiB, 0x100 bytes and bss at 2 MiB. */
static size_t elf32(void)
{
    memset(file, 0, sizeof file);
    memcpy(file, ELFMAG, SELFMAG);
    file[EI_CLASS] = ELFCLASS32;
    file[EI_DATA] = ELFDATA2LSB;
    file[EI_VERSION] = EV_CURRENT;
    *ehdr32() = (Elf32_Ehdr){.e_type = ET_EXEC, .e_machine = EM_386, .e_version = 1, .e_entry = 0x100010,
                             .e_phoff = sizeof(Elf32_Ehdr), .e_ehsize = sizeof(Elf32_Ehdr),
                             .e_phentsize = sizeof(Elf32_Phdr), .e_phnum = 2, .e_shentsize = sizeof(Elf32_Shdr)};
    memcpy(file, ELFMAG, SELFMAG);
    file[EI_CLASS] = ELFCLASS32;
    file[EI_DATA] = ELFDATA2LSB;
    file[EI_VERSION] = EV_CURRENT;
    phdr32()[0] = (Elf32_Phdr){.p_type = PT_LOAD, .p_offset = 0x1000, .p_vaddr = 0x100000, .p_paddr = 0x100000,
                               .p_filesz = 0x200, .p_memsz = 0x200};
    phdr32()[1] = (Elf32_Phdr){.p_type = PT_LOAD, .p_offset = 0x1200, .p_vaddr = 0x200000, .p_paddr = 0x200000,
                               .p_filesz = 0x100, .p_memsz = 0x5000};
    header_at(0x1000, 0);
    return 0x1300;
}

/* One segment linked high, loaded at 1 MiB; the entry is its linked address. */
static size_t elf64(void)
{
    memset(file, 0, sizeof file);
    *ehdr64() = (Elf64_Ehdr){.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1,
                             .e_entry = 0xffffffff80100020, .e_phoff = sizeof(Elf64_Ehdr),
                             .e_ehsize = sizeof(Elf64_Ehdr), .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1,
                             .e_shentsize = sizeof(Elf64_Shdr)};
    memcpy(file, ELFMAG, SELFMAG);
    file[EI_CLASS] = ELFCLASS64;
    file[EI_DATA] = ELFDATA2LSB;
    file[EI_VERSION] = EV_CURRENT;
    phdr64()[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_offset = 0x1000, .p_vaddr = 0xffffffff80100000,
                               .p_paddr = 0x100000, .p_filesz = 0x300, .p_memsz = 0x1000};
    header_at(0x1000, 3);
    return 0x1300;
}

/* ---- parsing -------------------------------------------------------------------------------------------------- */

static struct image image;

static bool parse(size_t size)
{
    image = (struct image){.bytes = file, .size = size};
    return multiboot_parse(&image);
}

/* It fails, and the line has all these words. */
static void refuses(size_t size, const char *place, const char *words)
{
    ck_assert_msg(!parse(size), "accepted, expected: %s", words);
    ck_assert_msg(strstr(image.error, place) == image.error, "not at %s: %s", place, image.error);
    ck_assert_msg(strstr(image.error, words), "not '%s': %s", words, image.error);
    ck_assert_ptr_null(strchr(image.error, '\n'));
}

static bool checks(size_t size, struct ram *ram)
{
    struct ranges taken = {0};

    ck_assert_msg(parse(size), "%s", image.error);
    return image_check(&image, ram, &taken);
}

START_TEST(an_image_with_address_fields_is_read_as_they_say)
{
    ck_assert(parse(addresses()));
    ck_assert_uint_eq(image.parts, 1);
    ck_assert_uint_eq(image.part[0].phys, 0x100000);
    ck_assert_uint_eq(image.part[0].file, 0x1000);
    ck_assert_uint_eq(image.part[0].mem, 0x3000);
    ck_assert_uint_eq(image.part[0].offset, 0);
    ck_assert_uint_eq(image.entry, 0x100060);
}
END_TEST

START_TEST(load_end_zero_means_the_whole_file_and_bss_end_zero_none)
{
    size_t size = addresses();

    le32(0x54, 0);
    le32(0x58, 0);
    ck_assert(parse(size));
    ck_assert_uint_eq(image.part[0].file, size);
    ck_assert_uint_eq(image.part[0].mem, size);
}
END_TEST

START_TEST(an_elf32_image_is_loaded_by_physical_addresses)
{
    ck_assert_msg(parse(elf32()), "%s", image.error);
    ck_assert_uint_eq(image.parts, 2);
    ck_assert_uint_eq(image.part[1].phys, 0x200000);
    ck_assert_uint_eq(image.part[1].mem, 0x5000);
    ck_assert_uint_eq(image.entry, 0x100010);
}
END_TEST

START_TEST(a_high_elf64_entry_is_translated_through_its_segment)
{
    ck_assert_msg(parse(elf64()), "%s", image.error);
    ck_assert_uint_eq(image.entry, 0x100020);
}
END_TEST

START_TEST(a_physical_elf64_entry_is_taken_as_it_is)
{
    size_t size = elf64();

    ehdr64()->e_entry = 0x100030;
    ck_assert_msg(parse(size), "%s", image.error);
    ck_assert_uint_eq(image.entry, 0x100030);
}
END_TEST

START_TEST(address_fields_win_over_elf_headers)
{
    size_t size = elf64();

    header_at(0x1000, 1u << 16);
    le32(0x100c, 0x301000);
    le32(0x1010, 0x301000);
    le32(0x1014, 0);
    le32(0x1018, 0);
    le32(0x101c, 0x301040);
    ck_assert_msg(parse(size), "%s", image.error);
    ck_assert_uint_eq(image.part[0].phys, 0x301000);
    ck_assert_uint_eq(image.part[0].offset, 0x1000);
    ck_assert_uint_eq(image.entry, 0x301040);
}
END_TEST

START_TEST(files_that_are_nothing_are_named_so)
{
    memset(file, 0x5a, sizeof file);
    refuses(0, "offset 0x0:", "empty");
    refuses(1, "offset 0x0:", "no Multiboot header");
    refuses(sizeof file, "offset 0x0:", "no Multiboot header");
    memcpy(file, ELFMAG, SELFMAG);
    refuses(sizeof file, "offset 0x0:", "an ELF file without a Multiboot header");
    memset(file, 0, sizeof file);
    header_at(8192, 0);
    refuses(sizeof file, "offset 0x0:", "no Multiboot header");
    header_at(8188, 0);
    refuses(sizeof file, "offset 0x0:", "no Multiboot header");
    header_at(0x20, 0);
    refuses(sizeof file, "offset 0x24:", "not ELF");
    le32(0x28, 7);
    refuses(0x100, "offset 0x20:", "checksum");
    header_at(0x20, 0x10);
    refuses(0x100, "offset 0x24:", "requires");
}
END_TEST

START_TEST(address_fields_that_lie_are_refused)
{
    size_t size = addresses();

    refuses(0x58, "offset 0x40:", "truncated");
    refuses(0x800, "offset 0x54:", "but the file has 0x800");
    le32(0x50, 0x100044);
    refuses(size, "offset 0x50:", "above header_addr");
    addresses();
    le32(0x4c, 0x110000);
    refuses(size, "offset 0x4c:", "before the file");
    addresses();
    le32(0x54, 0xfffff);
    refuses(size, "offset 0x54:", "below load_addr");
    addresses();
    le32(0x58, 0x100fff);
    refuses(size, "offset 0x58:", "bss_end_addr");
    addresses();
    le32(0x5c, 0x103000);
    refuses(size, "offset 0x5c:", "entry_addr");
}
END_TEST

START_TEST(elf_headers_that_lie_are_refused)
{
    size_t size = elf32();

    refuses(0x1100, "offset 0x34:", "the file has 0x1100");
    elf32();
    file[EI_CLASS] = 7;
    refuses(size, "offset 0x4:", "class 7");
    elf32();
    file[EI_DATA] = ELFDATA2MSB;
    refuses(size, "offset 0x5:", "little-endian");
    elf32();
    file[EI_VERSION] = 9;
    refuses(size, "offset 0x6:", "version 9");
    elf32();
    ehdr32()->e_machine = EM_ARM;
    refuses(size, "offset 0x12:", "machine 40");
    elf32();
    ehdr32()->e_type = ET_REL;
    refuses(size, "offset 0x10:", "not an executable");
    elf32();
    ehdr32()->e_phnum = 0;
    refuses(size, "offset 0x2c:", "no program headers");
    elf32();
    ehdr32()->e_phoff = 0x12f0;
    refuses(size, "offset 0x1c:", "past the end");
    elf32();
    ehdr32()->e_phnum = 0x7fff;
    refuses(size, "offset 0x1c:", "past the end");
    elf32();
    ehdr32()->e_phnum = 0xffff;
    refuses(size, "offset 0x2c:", "65535");
    elf32();
    ehdr32()->e_phentsize = 24;
    refuses(size, "offset 0x2a:", "24 bytes each");
    elf32();
    ehdr32()->e_entry = 0x500000;
    refuses(size, "offset 0x18:", "lies in no segment");
    elf32();
    phdr32()[0].p_type = phdr32()[1].p_type = PT_NOTE;
    refuses(size, "offset 0x34:", "no segment");
}
END_TEST

START_TEST(segments_that_lie_are_refused)
{
    size_t size = elf32();

    phdr32()[1].p_filesz = 0x6000;
    refuses(size, "offset 0x54:", "more bytes in the file");
    elf32();
    phdr32()[1].p_offset = 0xfffffff0;
    refuses(size, "offset 0x54:", "claims 0x100 bytes");
    size = elf64();
    phdr64()[0].p_paddr = 0xfffffffffffff800;
    refuses(size, "offset 0x40:", "wraps round");
    elf64();
    ehdr64()->e_machine = EM_386;
    refuses(size, "offset 0x12:", "ELF64 machine 3");
    elf64();
    phdr64()[0].p_paddr = 0x123456789000;
    refuses(size, "offset 0x18:", "above 4 GiB");
}
END_TEST

/* ---- placing ------------------------------------------------------------------------------------------------------- */

START_TEST(segments_must_lie_in_ram_and_apart)
{
    struct ram ram;
    size_t size = elf32();

    ck_assert(ram_init(&ram, MEM, MEM));
    ck_assert_msg(checks(size, &ram), "%s", image.error);
    phdr32()[1].p_paddr = (uint32_t)MEM - 0x4fff;
    ck_assert(!checks(size, &ram));
    ck_assert_msg(strstr(image.error, "outside RAM"), "%s", image.error);
    phdr32()[1].p_paddr = (uint32_t)MEM - 0x5000;
    ck_assert(checks(size, &ram));
    phdr32()[1].p_paddr = 0x9f000;
    ck_assert(!checks(size, &ram));
    ck_assert_msg(strstr(image.error, "offset 0x54: segment at physical 0x9f000..0xa3fff lies outside RAM"), "%s",
                  image.error);
    phdr32()[1].p_paddr = 0x1001ff;
    ck_assert(!checks(size, &ram));
    ck_assert_msg(strstr(image.error, "overlaps another at 0x100000..0x1001ff"), "%s", image.error);
    phdr32()[1].p_paddr = 0x100200;
    ck_assert(checks(size, &ram));
    ram_free(&ram);
}
END_TEST

START_TEST(what_the_file_does_not_fill_is_zero)
{
    struct ram ram;
    uint8_t byte = 0xee;

    ck_assert(ram_init(&ram, MEM, MEM));
    ram_put(&ram, 0x200100, &byte, 1);
    ram_put(&ram, 0x203000, &byte, 1);
    size_t size = elf32();
    memset(file + 0x1200, 0x77, 0x100);
    ck_assert(checks(size, &ram));
    image_copy(&image, &ram);
    ram_get(&ram, 0x2000ff, &byte, 1);
    ck_assert_uint_eq(byte, 0x77);
    ram_get(&ram, 0x200100, &byte, 1);
    ck_assert_uint_eq(byte, 0);
    ram_get(&ram, 0x203000, &byte, 1);
    ck_assert_uint_eq(byte, 0);
    ram_free(&ram);
}
END_TEST

START_TEST(free_room_is_found_between_what_is_taken)
{
    struct ram ram;
    struct ranges r = {0};

    ck_assert(ram_init(&ram, MEM, MEM));
    ck_assert(ranges_add(&r, 0x1000, 0x1000));
    ck_assert(ranges_add(&r, 0x3000, 0x9d000));
    ck_assert_uint_eq(ranges_find(&r, &ram, 0x1000, 16, 0x1000, MEM), 0x2000);
    ck_assert_uint_eq(ranges_find(&r, &ram, 0x1001, 16, 0x1000, MEM), 0x100000);
    ck_assert_uint_eq(ranges_find(&r, &ram, MEM, 16, 0, MEM), UINT64_MAX);
    ck_assert(ram_has(&ram, 0x9f000, 0x1000));
    ck_assert(!ram_has(&ram, 0x9f000, 0x1001));
    ck_assert(!ram_has(&ram, 0xfffff, 2));
    ck_assert(!ram_has(&ram, UINT64_MAX, 2));
    ram_free(&ram);
}
END_TEST

/* ---- any bytes at all ------------------------------------------------------------------------------------------------ */

static uint64_t random_state = 88172645463325252ull;

static uint64_t random64(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* Bytes end where the page ends, so that reading past them is a crash. */
static void parse_at_the_edge(uint8_t *edge, size_t size)
{
    struct ram ram = {.low_size = MEM, .size = MEM};
    struct ranges taken = {0};
    struct image i = {.bytes = edge - size, .size = size};

    memcpy(edge - size, file, size);
    if (multiboot_parse(&i)) (void)image_check(&i, &ram, &taken);
    else ck_assert(i.error[0] != '\0');
}

START_TEST(no_bytes_make_the_parser_read_outside_the_file)
{
    uint8_t *pages = mmap(NULL, ROOM + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    ck_assert(pages != MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + ROOM, 4096, PROT_NONE), 0);
    for (unsigned round = 0; round < 60000; round++) {
        size_t size = round % 3 == 0 ? elf32() : round % 3 == 1 ? elf64() : addresses();

        for (uint64_t n = random64() % 6; n > 0; n--) {
            size_t at = random64() % 4 ? random64() % 0xa0 : random64() % size;

            file[at] = random64() % 3 ? (uint8_t)random64() : random64() % 2 ? 0xff : 0;
        }
        if (random64() % 2) size = random64() % (size + 1);
        parse_at_the_edge(pages + ROOM, size);
    }
    munmap(pages, ROOM + 4096);
}
END_TEST

RUN_TESTS("load", an_image_with_address_fields_is_read_as_they_say,
          load_end_zero_means_the_whole_file_and_bss_end_zero_none, an_elf32_image_is_loaded_by_physical_addresses,
          a_high_elf64_entry_is_translated_through_its_segment, a_physical_elf64_entry_is_taken_as_it_is,
          address_fields_win_over_elf_headers, files_that_are_nothing_are_named_so,
          address_fields_that_lie_are_refused, elf_headers_that_lie_are_refused, segments_that_lie_are_refused,
          segments_must_lie_in_ram_and_apart, what_the_file_does_not_fill_is_zero,
          free_room_is_found_between_what_is_taken, no_bytes_make_the_parser_read_outside_the_file)
