/*
 * symbols.h - names for addresses, from the .symtab of ELF files.
 *
 * A table is sorted by address once per file added; of several names at one address the best known
 * wins (function before object before label, global before local). A look-up finds the last symbol
 * at or before an address, provided the address lies inside it (a label without size reaches to the
 * next symbol, at most SYMBOL_REACH bytes).
 */
#ifndef EMU_SYMBOLS_H
#define EMU_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYMBOL_REACH 0x10000u

struct symbol {
    uint64_t address, size;
    size_t name;   /* offset in names */
    uint32_t rank; /* lower is better */
    uint32_t file; /* the how-manieth file it came from */
};

struct symbols {
    struct symbol *row;
    size_t count, room;
    char *names;
    size_t names_used, names_room;
    uint32_t files;
};

enum symbols_status { SYMBOLS_OK, SYMBOLS_NOT_ELF, SYMBOLS_BAD, SYMBOLS_NO_MEMORY };

/** Add a file's symbols; a file without .symtab adds none. On SYMBOLS_BAD nothing was added and
 *  *why says what is wrong. */
enum symbols_status symbols_add(struct symbols *s, const void *elf, size_t size, const char **why);
const char *symbols_at(const struct symbols *s, uint64_t address, uint64_t *offset);
bool symbols_find(const struct symbols *s, const char *name, uint64_t *address);
void symbols_free(struct symbols *s);

#endif
