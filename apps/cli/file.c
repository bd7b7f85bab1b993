/*
 * file.c - read a whole file, of a size known or not.
 */
#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FILE_LARGEST ((size_t)4 << 30)

static bool failed(const char *path, const char *why, struct file *f)
{
    fprintf(stderr, "ringside: %s: %s\n", path, why);
    file_free(f);
    return false;
}

static bool grow(struct file *f, size_t *room)
{
    size_t next = *room ? 2 * *room : (size_t)1 << 16;
    uint8_t *bytes = realloc(f->bytes, next);

    if (!bytes) return false;
    f->bytes = bytes;
    *room = next;
    return true;
}

bool file_read(const char *path, struct file *out)
{
    struct file f = {NULL, 0};
    size_t room = 0, n;
    FILE *in = fopen(path, "rb");

    if (!in) return failed(path, strerror(errno), &f);
    do {
        if (f.size + 1 >= room && (room > FILE_LARGEST || !grow(&f, &room))) {
            fclose(in);
            return failed(path, "too large", &f);
        }
        n = fread(f.bytes + f.size, 1, room - f.size - 1, in);
        f.size += n;
    } while (n > 0);
    bool ok = !ferror(in);
    int why = errno;

    fclose(in);
    if (!ok) return failed(path, strerror(why), &f);
    f.bytes[f.size] = '\0';
    *out = f;
    return true;
}

void file_free(struct file *f)
{
    free(f->bytes);
    *f = (struct file){NULL, 0};
}
