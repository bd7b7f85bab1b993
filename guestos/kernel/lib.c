/*
 * lib.c - the few library functions that a kernel cannot do without. gcc may call the mem... ones by
 * itself; they are REP strings because those are short to read and quick on every machine.
 */
#include "defs.h"

void *memcpy(void *to, const void *from, size_t size)
{
    void *d = to;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(from), "+c"(size) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *d = to;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(size) : "a"(byte) : "memory");
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
