/*
 * symbols.c - read .symtab through libelf, sort, look up.
 *
 * Names are taken from the string table's raw bytes and bounded here: neither an offset outside it
 * nor a missing final NUL is believed. Manual: System V ABI "Symbol Table".
 */
#include "emu/symbols.h"

#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading one file --------------------------------------------------------------------------- */

/* 0 function, 1 object, 2 label; locals after globals; UINT32_MAX: no name for an address. */
static uint32_t rank_of(const GElf_Sym *sym)
{
    uint32_t local = GELF_ST_BIND(sym->st_info) == STB_LOCAL ? 4 : 0;

    if (sym->st_shndx == SHN_UNDEF || sym->st_name == 0) return UINT32_MAX;
    switch (GELF_ST_TYPE(sym->st_info)) {
    case STT_FUNC: return local;
    case STT_OBJECT: return local + 1;
    case STT_NOTYPE: return sym->st_shndx == SHN_ABS ? UINT32_MAX : local + 2;
    default: return UINT32_MAX;
    }
}

static bool row_append(struct symbols *s, const GElf_Sym *sym, uint32_t rank, const char *name, size_t length)
{
    if (s->count == s->room) {
        size_t room = s->room ? 2 * s->room : 256;
        struct symbol *row = realloc(s->row, room * sizeof *row);

        if (!row) return false;
        s->row = row;
        s->room = room;
    }
    if (s->names_room - s->names_used <= length) {
        size_t room = 2 * (s->names_room + length + 1);
        char *names = realloc(s->names, room);

        if (!names) return false;
        s->names = names;
        s->names_room = room;
    }
    memcpy(s->names + s->names_used, name, length);
    s->names[s->names_used + length] = '\0';
    s->row[s->count++] = (struct symbol){sym->st_value, sym->st_size, s->names_used, rank, s->files};
    s->names_used += length + 1;
    return true;
}

static bool section_read(struct symbols *s, Elf_Data *table, size_t entry, const Elf_Data *strings)
{
    size_t count = table->d_size / entry;

    for (size_t i = 0; i < count; i++) {
        GElf_Sym sym;

        if (!gelf_getsym(table, (int)i, &sym)) break;
        uint32_t rank = rank_of(&sym);

        if (rank == UINT32_MAX || sym.st_name >= strings->d_size) continue;
        const char *name = (const char *)strings->d_buf + sym.st_name;
        size_t room = strings->d_size - sym.st_name;
        const char *end = memchr(name, 0, room);

        if (!row_append(s, &sym, rank, name, end ? (size_t)(end - name) : room)) return false;
    }
    return true;
}

/* The section's bytes, if they lie inside the file. */
static Elf_Data *section_bytes(Elf_Scn *scn, GElf_Shdr *header, size_t size)
{
    if (!scn || !gelf_getshdr(scn, header) || header->sh_type == SHT_NOBITS) return NULL;
    if (header->sh_offset > size || header->sh_size > size - header->sh_offset || header->sh_size == 0) return NULL;
    Elf_Data *data = elf_getdata(scn, NULL);

    return data && data->d_buf ? data : NULL;
}

static enum symbols_status elf_read(struct symbols *s, Elf *elf, size_t size, const char **why)
{
    Elf_Scn *scn = NULL;

    while ((scn = elf_nextscn(elf, scn)) != NULL) {
        GElf_Shdr header, strings_header;

        if (!gelf_getshdr(scn, &header) || header.sh_type != SHT_SYMTAB) continue;
        Elf_Data *table = section_bytes(scn, &header, size);
        Elf_Data *strings = section_bytes(elf_getscn(elf, header.sh_link), &strings_header, size);
        size_t entry = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);

        if (!table || !strings || strings_header.sh_type != SHT_STRTAB || entry == 0) {
            *why = "the symbol table or its strings lie outside the file";
            return SYMBOLS_BAD;
        }
        if (!section_read(s, table, entry, strings)) return SYMBOLS_NO_MEMORY;
    }
    return SYMBOLS_OK;
}

/* Do the section headers lie inside the file? libelf is asked only then. */
static bool sections_inside(const GElf_Ehdr *h, size_t size)
{
    return h->e_shoff <= size && (uint64_t)h->e_shnum * h->e_shentsize <= size - h->e_shoff;
}

/* ---- order ----------------------------------------------------------------------------------------- */

static int by_address(const void *a, const void *b)
{
    const struct symbol *x = a, *y = b;

    if (x->address != y->address) return x->address < y->address ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    if (x->rank != y->rank) return x->rank < y->rank ? -1 : 1;
    return x->name < y->name ? -1 : x->name > y->name;
}

enum symbols_status symbols_add(struct symbols *s, const void *bytes, size_t size, const char **why)
{
    size_t rows = s->count, names = s->names_used;
    enum symbols_status status = SYMBOLS_NOT_ELF;
    GElf_Ehdr h;

    *why = "not an ELF file";
    elf_version(EV_CURRENT);
    if (size < EI_NIDENT || memcmp(bytes, ELFMAG, SELFMAG) != 0) return status;
    Elf *elf = elf_memory((char *)(uintptr_t)bytes, size);

    if (!elf) return status;
    if (elf_kind(elf) == ELF_K_ELF && gelf_getehdr(elf, &h)) {
        *why = "the section headers lie outside the file";
        status = sections_inside(&h, size) ? elf_read(s, elf, size, why) : SYMBOLS_BAD;
    }
    elf_end(elf);
    if (status != SYMBOLS_OK) {
        s->count = rows;
        s->names_used = names;
        return status;
    }
    s->files++;
    if (s->count > rows) qsort(s->row, s->count, sizeof *s->row, by_address);
    return SYMBOLS_OK;
}

void symbols_free(struct symbols *s)
{
    free(s->row);
    free(s->names);
    *s = (struct symbols){0};
}

/* ---- look-up --------------------------------------------------------------------------------------- */

const char *symbols_at(const struct symbols *s, uint64_t address, uint64_t *offset)
{
    size_t low = 0, high = s->count;

    while (low < high) { /* the first symbol above address */
        size_t mid = low + (high - low) / 2;

        if (s->row[mid].address <= address)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0) return NULL;
    size_t i = low - 1;

    while (i > 0 && s->row[i - 1].address == s->row[i].address) i--;
    const struct symbol *row = &s->row[i];
    uint64_t distance = address - row->address;

    if (distance >= (row->size ? row->size : SYMBOL_REACH)) return NULL;
    if (offset) *offset = distance;
    return s->names + row->name;
}

bool symbols_find(const struct symbols *s, const char *name, uint64_t *address)
{
    const struct symbol *best = NULL;

    for (size_t i = 0; i < s->count; i++) {
        const struct symbol *row = &s->row[i];

        if (strcmp(s->names + row->name, name) != 0) continue;
        if (!best || row->rank < best->rank || (row->rank == best->rank && row->file < best->file)) best = row;
    }
    if (best && address) *address = best->address;
    return best != NULL;
}
