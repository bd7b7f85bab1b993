/*
 * load_elf.c - ELF program headers to image parts, through libelf.
 *
 * libelf trusts more than we do, so every size is checked before it is asked: identification,
 * header, the table of program headers and each segment must lie inside the file.
 * Manual: System V ABI, "ELF Header", "Program Header".
 */
#include "emu/image.h"

#include <gelf.h>
#include <libelf.h>
#include <string.h>

bool elf_is(const uint8_t *bytes, uint64_t size)
{
    return size >= SELFMAG && memcmp(bytes, ELFMAG, SELFMAG) == 0;
}

static bool ident_ok(struct image *image)
{
    const uint8_t *id = image->bytes;

    if (image->size < EI_NIDENT)
        return image_fail(image, 0, "truncated: an ELF file begins with %d bytes of identification, here are %llu",
                          EI_NIDENT, (unsigned long long)image->size);
    if (id[EI_CLASS] != ELFCLASS32 && id[EI_CLASS] != ELFCLASS64)
        return image_fail(image, EI_CLASS, "ELF class %u is neither 32-bit (1) nor 64-bit (2)", id[EI_CLASS]);
    if (id[EI_DATA] != ELFDATA2LSB)
        return image_fail(image, EI_DATA, "ELF data encoding %u is not little-endian (1)", id[EI_DATA]);
    if (id[EI_VERSION] != EV_CURRENT)
        return image_fail(image, EI_VERSION, "ELF version %u is not 1", id[EI_VERSION]);
    size_t need = id[EI_CLASS] == ELFCLASS64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);

    if (image->size < need)
        return image_fail(image, 0, "truncated: the ELF header needs %zu bytes, the file has %llu", need,
                          (unsigned long long)image->size);
    return true;
}

static bool header_ok(struct image *image, const GElf_Ehdr *h)
{
    bool wide = h->e_ident[EI_CLASS] == ELFCLASS64;
    unsigned machine = wide ? EM_X86_64 : EM_386;
    size_t entry = wide ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    uint64_t phnum_at = wide ? 0x38 : 0x2c;

    if (h->e_machine != machine)
        return image_fail(image, 0x12, "ELF%d machine %u is not %s (%u)", wide ? 64 : 32, h->e_machine,
                          wide ? "x86-64" : "i386", machine);
    if (h->e_type != ET_EXEC)
        return image_fail(image, 0x10, "ELF type %u is not an executable (2)", h->e_type);
    if (h->e_phnum == 0) return image_fail(image, phnum_at, "no program headers: nothing to load");
    if (h->e_phnum == PN_XNUM)
        return image_fail(image, phnum_at, "65535 or more program headers: more than Ringside takes");
    if (h->e_phentsize != entry)
        return image_fail(image, phnum_at - 2, "program headers of %u bytes each instead of %zu", h->e_phentsize,
                          entry);
    if (h->e_phoff > image->size || (uint64_t)h->e_phnum * entry > image->size - h->e_phoff)
        return image_fail(image, wide ? 0x20 : 0x1c,
                          "%u program headers at 0x%llx reach past the end of the file (0x%llx bytes)",
                          h->e_phnum, (unsigned long long)h->e_phoff, (unsigned long long)image->size);
    return true;
}

static bool segment_ok(struct image *image, const GElf_Phdr *p, unsigned index, uint64_t at)
{
    if (p->p_filesz > p->p_memsz)
        return image_fail(image, at, "segment %u has more bytes in the file (0x%llx) than in memory (0x%llx)",
                          index, (unsigned long long)p->p_filesz, (unsigned long long)p->p_memsz);
    if (p->p_offset > image->size || p->p_filesz > image->size - p->p_offset)
        return image_fail(image, at,
                          "segment %u claims 0x%llx bytes at file offset 0x%llx, but the file has 0x%llx",
                          index, (unsigned long long)p->p_filesz, (unsigned long long)p->p_offset,
                          (unsigned long long)image->size);
    if (p->p_paddr + (p->p_memsz - 1) < p->p_paddr)
        return image_fail(image, at, "segment %u wraps round the end of the physical address space", index);
    return true;
}

/* The entry point as a physical address: translated through the segment that is linked there, or
 * taken as it is if a segment is loaded there. */
static bool entry_find(struct image *image, uint64_t entry, uint64_t at)
{
    image->entry_at = at;
    for (unsigned i = 0; i < image->parts; i++) {
        const struct image_part *p = &image->part[i];

        if (entry - p->virt < p->mem) {
            image->entry = p->phys + (entry - p->virt);
            return true;
        }
    }
    for (unsigned i = 0; i < image->parts; i++) {
        if (entry - image->part[i].phys < image->part[i].mem) {
            image->entry = entry;
            return true;
        }
    }
    return image_fail(image, at, "the entry point 0x%llx lies in no segment", (unsigned long long)entry);
}

static bool segments_read(struct image *image, Elf *elf, const GElf_Ehdr *h)
{
    for (unsigned i = 0; i < h->e_phnum; i++) {
        uint64_t at = h->e_phoff + (uint64_t)i * h->e_phentsize;
        GElf_Phdr p;

        if (!gelf_getphdr(elf, (int)i, &p))
            return image_fail(image, at, "program header %u cannot be read: %s", i, elf_errmsg(-1));
        if (p.p_type != PT_LOAD || p.p_memsz == 0) continue;
        if (!segment_ok(image, &p, i, at)) return false;
        if (image->parts == IMAGE_PARTS_MAX)
            return image_fail(image, at, "more than %u segments to load", IMAGE_PARTS_MAX);
        image->part[image->parts++] = (struct image_part){.phys = p.p_paddr,
                                                          .mem = p.p_memsz,
                                                          .offset = p.p_offset,
                                                          .file = p.p_filesz,
                                                          .virt = p.p_vaddr,
                                                          .named_at = at};
    }
    if (image->parts == 0) return image_fail(image, h->e_phoff, "no segment is to be loaded (PT_LOAD)");
    return true;
}

bool elf_parse(struct image *image)
{
    if (!ident_ok(image)) return false;
    elf_version(EV_CURRENT);
    Elf *elf = elf_memory((char *)(uintptr_t)image->bytes, (size_t)image->size);
    GElf_Ehdr h;
    bool ok = false;

    if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &h))
        image_fail(image, 0, "the ELF header cannot be read: %s", elf_errmsg(-1));
    else
        ok = header_ok(image, &h) && segments_read(image, elf, &h) && entry_find(image, h.e_entry, 0x18);
    if (elf) elf_end(elf);
    return ok;
}
