/*
 * prices.c - what does it cost to ask the kernel the cheapest question there is? getpid, many
 * times, through both doors, each call timed with RDTSC. The least is the price.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../abi/abi.h"
#include "ulib.h"

#define CALLS 200

static long by_musl(void)
{
    return getpid();
}

static long by_syscall(void)
{
    long result = SYS_getpid;
    __asm__ volatile(".globl price_syscall\nprice_syscall: syscall"
                     : "+a"(result)
                     :
                     : "rcx", "r11", "memory");
    return result;
}

static long by_int80(void)
{
    long result = SYS_getpid;
    __asm__ volatile(".globl price_int80\nprice_int80: int $0x80" : "+a"(result) : : "memory");
    return result;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Times CALLS calls and prints one line. Returns whether every answer was right. */
static int measure(const char *name, long (*call)(void))
{
    static uint64_t cycles[CALLS];
    long pid = getpid();
    int right = 1;

    for (int i = 0; i < CALLS; i++) {
        uint64_t start = read_tsc();
        if (call) right &= call() == pid;
        cycles[i] = read_tsc() - start;
    }
    qsort(cycles, CALLS, sizeof(cycles[0]), compare);
    printf("prices: %-17s least %5lu, middle %5lu cycles\n", name, cycles[0], cycles[CALLS / 2]);
    return right;
}

int main(void)
{
    int right = measure("nothing", NULL);

    right &= measure("getpid, SYSCALL", by_syscall);
    right &= measure("getpid, INT 0x80", by_int80);
    right &= measure("getpid, musl", by_musl);
    return right ? 0 : 1;
}
