/*
 * file.h - whole files in memory.
 */
#ifndef CLI_FILE_H
#define CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct file {
    uint8_t *bytes; /* NUL after the last byte, not counted */
    size_t size;
};

/** Reads a file (a pipe too); on failure prints one line and returns false. */
bool file_read(const char *path, struct file *out);
void file_free(struct file *f);

#endif
