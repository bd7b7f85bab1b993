/*
 * text.h - what people type and read: numbers, sizes, times, spelling.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** "15,000,000" into out (at least 28 bytes); returns out. */
const char *text_grouped(uint64_t value, char out[28]);
/** Decimal, or hexadecimal after 0x; '_' and ',' may group digits. The whole string must be used. */
bool text_number(const char *text, uint64_t *value);
/** A number with an optional unit K, M, G or T (powers of 1024, "KiB" and "KB" too). */
bool text_size(const char *text, uint64_t *value);
/** Seconds since 1970, or a UTC time "2026-01-01[T00:00:00[Z]]". */
bool text_time(const char *text, uint64_t *seconds);
/** Letters to insert, delete, change or swap to make one word the other. */
unsigned text_distance(const char *a, const char *b);

#endif
