/*
 * lib.c - the few library functions that a kernel cannot do without. gcc may call the mem... ones
 * by itself; they are REP strings because those are short to read and quick on every machine, by
 * eight bytes first because most of what is moved here is whole pages.
 */
#include "defs.h"

void *memcpy(void *to, const void *from, size_t size)
{
    void *d = to;
    size_t words = size / 8, rest = size % 8;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(rest) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *d = to;
    size_t words = size / 8, rest = size % 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101u;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i]) return x[i] - y[i];
    }
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n]) n++;
    return n;
}

bool str_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    return strlen(b) == n && memcmp(a, b, n) == 0;
}

bool str_contains(const char *s, const char *part)
{
    size_t size = strlen(part);

    for (size_t left = strlen(s); left >= size; left--, s++) {
        if (memcmp(s, part, size) == 0) return true;
    }
    return false;
}
