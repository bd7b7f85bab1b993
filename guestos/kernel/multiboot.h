/*
 * multiboot.h - what a Multiboot 1 loader tells us; only the fields that we read have names. The
 * loader wrote it before we started and nobody changes it. Manual: Multiboot 1, "Boot information".
 */
#ifndef GUESTOS_MULTIBOOT_H
#define GUESTOS_MULTIBOOT_H

#include <stdint.h>

#define MULTIBOOT_HAS_COMMAND_LINE (1u << 2) /* bits of `flags` */
#define MULTIBOOT_HAS_MAP (1u << 6)
#define MULTIBOOT_USABLE 1 /* a `type`: ordinary RAM */

struct multiboot_info {
    uint32_t flags; /* which of the others are valid */
    uint32_t unused1[3];
    uint32_t command_line; /* physical address of a string */
    uint32_t unused2[6];
    uint32_t map_size; /* bytes */
    uint32_t map_addr; /* physical address of the first range */
} __attribute__((packed));

struct multiboot_range {
    uint32_t size; /* bytes of this entry that follow this field */
    uint64_t base; /* physical address */
    uint64_t length;
    uint32_t type;
} __attribute__((packed));

#endif
