/*
 * initramfs.c - finds files in the cpio archive that is part of the kernel image.
 *
 * The archive is in "newc" form: a header of 8-digit hexadecimal fields, the name, the contents,
 * the latter two padded to four bytes, and again, until an entry called TRAILER!!!.
 */
#include "defs.h"

#define NEWC_MAGIC "070701"
#define NEWC_TRAILER "TRAILER!!!"

/* Each field is hexadecimal text without a final zero. Constant. */
struct newc_header {
    char magic[6];
    char inode[8], mode[8], uid[8], gid[8], links[8], time[8];
    char size[8]; /* bytes of contents */
    char device[16], special_device[16];
    char name_size[8]; /* bytes, the final zero counted */
    char check[8];
};

extern const uint8_t initramfs_start[], initramfs_end[];

static size_t parse_hex(const char digits[8])
{
    size_t value = 0;
    for (int i = 0; i < 8; i++) {
        char c = digits[i];
        value = value * 16 + (size_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static const uint8_t *pad4(const uint8_t *at)
{
    return at + (-(size_t)(at - initramfs_start) & 3);
}

/* Paths are absolute; names in the archive have no leading slash, or "./". */
static bool name_matches(const char *name, const char *path)
{
    if (name[0] == '.' && name[1] == '/') name += 2;
    return path[0] == '/' && str_equal(name, path + 1);
}

/* The contents of the file at `path` and their size in bytes, or NULL. */
const uint8_t *initramfs_find(const char *path, size_t *size)
{
    const uint8_t *at = initramfs_start;

    while (at + sizeof(struct newc_header) <= initramfs_end) {
        const struct newc_header *header = (const void *)at;
        const char *name = (const char *)(header + 1);
        const uint8_t *data = pad4((const uint8_t *)name + parse_hex(header->name_size));

        if (memcmp(header->magic, NEWC_MAGIC, sizeof(header->magic)) != 0)
            panic("initramfs is damaged");
        if (str_equal(name, NEWC_TRAILER)) return NULL;
        *size = parse_hex(header->size);
        if (name_matches(name, path)) return data;
        at = pad4(data + *size);
    }
    return NULL;
}
