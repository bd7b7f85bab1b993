/*
 * compute.c - works without asking the kernel for anything: primes, a sort, a checksum. Each answer
 * is compared with one that is known. Integers only.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define LIMIT 20000
#define PRIMES_BELOW_LIMIT 2262
#define ITEMS 1000
#define CRC_OF_DIGITS 0xcbf43926u /* the check value of CRC-32 for "123456789" */

static int count_primes(void)
{
    static char composite[LIMIT];
    int count = 0;

    for (int n = 2; n < LIMIT; n++) {
        if (composite[n]) continue;
        count++;
        for (int m = n * 2; m < LIMIT; m += n) composite[m] = 1;
    }
    return count;
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorts pseudo-random numbers; says whether they came out in order and still add up. */
static int sort_keeps_everything(void)
{
    static uint32_t items[ITEMS];
    uint32_t seed = 1, sum = 0;

    for (int i = 0; i < ITEMS; i++) {
        seed = seed * 1664525 + 1013904223;
        items[i] = seed;
        sum += seed;
    }
    qsort(items, ITEMS, sizeof(items[0]), compare);
    for (int i = 0; i < ITEMS; i++) {
        if (i && items[i - 1] > items[i]) return 0;
        sum -= items[i];
    }
    return sum == 0;
}

static uint32_t crc32(const char *bytes)
{
    uint32_t crc = ~0u;

    for (; *bytes; bytes++) {
        crc ^= (uint8_t)*bytes;
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

int main(void)
{
    int primes = count_primes();
    int sorted = sort_keeps_everything();
    uint32_t crc = crc32("123456789");

    printf("compute: %d primes below %d, %d numbers sorted: %s, CRC-32 0x%08x\n", primes, LIMIT,
           ITEMS, sorted ? "yes" : "no", crc);
    return primes == PRIMES_BELOW_LIMIT && sorted && crc == CRC_OF_DIGITS ? 0 : 1;
}
