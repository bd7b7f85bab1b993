/*
 * elf.h - the parts of an ELF64 file that exec() reads. Names are those of the ELF specification.
 */
#ifndef GUESTOS_ELF_H
#define GUESTOS_ELF_H

#include <stdint.h>

#define ELF_MAGIC "\177ELF\2\1" /* 64-bit, little-endian */
#define ELF_MAGIC_SIZE 6
#define ET_EXEC 2
#define EM_X86_64 62
#define PT_LOAD 1
#define PF_EXECUTE 1
#define PF_WRITE 2

struct elf_header {
    uint8_t e_ident[16];
    uint16_t e_type, e_machine;
    uint32_t e_version;
    uint64_t e_entry; /* linear */
    uint64_t e_phoff; /* bytes from the start of the file */
    uint64_t e_shoff;
    uint32_t e_flags;
    uint16_t e_ehsize, e_phentsize, e_phnum;
    uint16_t e_shentsize, e_shnum, e_shstrndx;
};

struct elf_segment {
    uint32_t p_type, p_flags;
    uint64_t p_offset;          /* bytes from the start of the file */
    uint64_t p_vaddr, p_paddr;  /* linear; the second is unused here */
    uint64_t p_filesz, p_memsz; /* bytes; what the file does not hold is zero */
    uint64_t p_align;
};

/* Keys of the auxiliary vector, which tells a starting program about itself. */
#define AT_NULL 0
#define AT_PHDR 3
#define AT_PHENT 4
#define AT_PHNUM 5
#define AT_PAGESZ 6
#define AT_ENTRY 9
#define AT_UID 11
#define AT_EUID 12
#define AT_GID 13
#define AT_EGID 14
#define AT_SECURE 23
#define AT_RANDOM 25

#endif
