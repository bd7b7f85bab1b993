/* jit - writes a small straight function into one of eight places on two pages, runs it thrice. */
#include "guest.h"

GUEST("jit", 40000);

enum { PLACES = 8, OPS = 16 };
static uint8_t area[PLACES][1024] __attribute__((aligned(4096)));

/* mov %edi, %eax; then OPS times op $imm32, %eax; ret */
static NOINLINE void generate(uint8_t *p, uint64_t seed)
{
    static const uint8_t op[4] = {0x05, 0x2D, 0x35, 0x0D}; /* add, sub, xor, or */

    *p++ = 0x89;
    *p++ = 0xF8;
    for (unsigned i = 0; i < OPS; i++) {
        uint32_t imm = (uint32_t)xorshift(&seed);
        *p++ = op[seed >> 40 & 3];
        __builtin_memcpy(p, &imm, 4);
        p += 4;
    }
    *p = 0xC3;
}

uint64_t kernel_run(uint64_t n)
{
    uint64_t sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        uint8_t *place = area[i % PLACES];
        uint32_t (*volatile entry)(uint32_t) = (uint32_t(*)(uint32_t))(uintptr_t)place;
        generate(place, mix64(i, 7) | 1);
        for (unsigned k = 0; k < 3; k++) sum = mix64(sum, entry((uint32_t)sum + k));
    }
    return sum;
}
