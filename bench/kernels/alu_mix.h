/* alu_mix.h - one round of plain gcc -O2 integer work, shared by alu and timer. */
#ifndef BENCH_ALU_MIX_H
#define BENCH_ALU_MIX_H

#include "guest.h"

enum { MIX_BYTES = 4096, MIX_SORT = 512, MIX_SIEVE = 8192, MIX_SLOTS = 1024 };

static uint8_t mix_bytes[MIX_BYTES], mix_sieve[MIX_SIEVE];
static uint32_t mix_crc_table[256], mix_sort[MIX_SORT];
static uint64_t mix_slots[MIX_SLOTS];
static uint64_t mix_seed = 88172645463325252ull;

static void mix_setup(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xEDB88320u : c >> 1;
        mix_crc_table[i] = c;
    }
}

static NOINLINE uint64_t mix_random(void)
{
    uint64_t acc = 0;

    for (unsigned i = 0; i < MIX_BYTES / 8; i++) {
        uint64_t v = xorshift(&mix_seed);
        __builtin_memcpy(mix_bytes + 8 * i, &v, 8);
        acc += v >> 11;
    }
    return acc;
}

static NOINLINE uint32_t mix_crc(void)
{
    uint32_t c = ~0u;

    for (unsigned i = 0; i < MIX_BYTES; i++) c = mix_crc_table[(c ^ mix_bytes[i]) & 255] ^ c >> 8;
    for (unsigned i = 0; i < 256; i++) { /* and a few bytes bit by bit */
        c ^= mix_bytes[i];
        for (int k = 0; k < 8; k++) c = c >> 1 ^ (0xEDB88320u & -(c & 1));
    }
    return ~c;
}

static NOINLINE uint32_t mix_shellsort(void)
{
    static const unsigned gaps[] = {301, 132, 57, 23, 10, 4, 1};

    for (unsigned i = 0; i < MIX_SORT; i++) __builtin_memcpy(mix_sort + i, mix_bytes + 4 * i, 4);
    for (unsigned g = 0; g < sizeof gaps / sizeof *gaps; g++) {
        unsigned gap = gaps[g];
        for (unsigned i = gap; i < MIX_SORT; i++) {
            uint32_t v = mix_sort[i];
            unsigned j = i;
            for (; j >= gap && mix_sort[j - gap] > v; j -= gap) mix_sort[j] = mix_sort[j - gap];
            mix_sort[j] = v;
        }
    }
    return mix_sort[MIX_SORT / 2] ^ mix_sort[7];
}

static NOINLINE unsigned mix_primes(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < MIX_SIEVE; i++) mix_sieve[i] = 1;
    for (unsigned i = 2; i < MIX_SIEVE; i++) {
        if (!mix_sieve[i]) continue;
        count++;
        for (unsigned j = 2 * i; j < MIX_SIEVE; j += i) mix_sieve[j] = 0;
    }
    return count;
}

static NOINLINE uint64_t mix_hash(void)
{
    uint64_t h = 0xCBF29CE484222325ull, hits = 0;

    for (unsigned i = 0; i < MIX_BYTES; i += 4) {
        uint32_t k;
        __builtin_memcpy(&k, mix_bytes + i, 4);
        h = (h ^ k) * 0x100000001B3ull;
        unsigned s = (unsigned)(h >> 32) % MIX_SLOTS;
        while (mix_slots[s] && mix_slots[s] != k) {
            s = (s + 1) % MIX_SLOTS;
            if (++hits % 5 == 0) break;
        }
        mix_slots[s] = k;
    }
    return h + hits + h / ((hits & 1023) + 3);
}

static uint64_t mix_round(uint64_t sum)
{
    sum = mix64(sum, mix_random());
    sum = mix64(sum, mix_crc());
    sum = mix64(sum, mix_shellsort());
    sum = mix64(sum, mix_primes());
    return mix64(sum, mix_hash());
}

#endif
