/* string - REP MOVS/STOS of several widths and sizes, REPNE SCAS, REPE CMPS. Units = elements. */
#include "guest.h"

GUEST("string", 200);

enum { SIZE = 65536 };
static uint8_t *const src = (uint8_t *)ARENA, *const dst = (uint8_t *)(ARENA + 0x115000);

static void movsb(void *d, const void *s, uint64_t n)
{
    kernel_units += n;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
}
static void movsq(void *d, const void *s, uint64_t n)
{
    kernel_units += n;
    __asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(n)::"memory");
}
static void stosb(void *d, uint8_t v, uint64_t n)
{
    kernel_units += n;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(v) : "memory");
}
static void stosl(void *d, uint32_t v, uint64_t n)
{
    kernel_units += n;
    __asm__ volatile("rep stosl" : "+D"(d), "+c"(n) : "a"(v) : "memory");
}
static uint64_t scasb(const void *d, uint8_t v, uint64_t n)
{
    uint64_t left = n;
    __asm__ volatile("repne scasb" : "+D"(d), "+c"(left) : "a"(v) : "memory", "cc");
    kernel_units += n - left;
    return left;
}
static uint64_t cmpsb(const void *d, const void *s, uint64_t n)
{
    uint64_t left = n;
    __asm__ volatile("repe cmpsb" : "+D"(d), "+S"(s), "+c"(left)::"memory", "cc");
    kernel_units += n - left;
    return left;
}

uint64_t kernel_run(uint64_t n)
{
    static const unsigned sizes[] = {16, 64, 256, 1024, 4096, SIZE};
    uint64_t sum = 0, total = n;

    while (n--) {
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            unsigned size = sizes[i], again = size < 4096 ? 4096 / size : 1;
            for (unsigned k = 0; k < again; k++) {
                unsigned off = k * size % SIZE;
                stosb(src + off, (uint8_t)(n + i), size);
                movsb(dst + off + 3, src + off, size);
                movsq(dst + off, src + off + 1, size / 8);
                stosl(src + off, (uint32_t)n, size / 4);
            }
            stosb(src, 1, size);
            src[size - 1] = 2;
            sum = mix64(sum, scasb(src, 2, size < 4096 ? size : 4096));
            movsb(dst, src, size);
            dst[size / 2] ^= 1;
            sum = mix64(sum, cmpsb(dst, src, size < 4096 ? size : 4096) + dst[n % size]);
        }
    }
    if (total) kernel_units /= total;
    return sum;
}
