/*
 * memory.c - asks for memory in each way there is and checks that it is fresh, private and usable.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 20000

static int is_filled(const char *bytes, char with)
{
    for (int i = 0; i < SIZE; i++) {
        if (bytes[i] != with) return 0;
    }
    return 1;
}

static int heap_works(void)
{
    char *a = malloc(SIZE), *b = calloc(1, SIZE);
    int good;

    if (!a || !b) return 0;
    memset(a, 'a', SIZE);
    good = is_filled(a, 'a') && is_filled(b, 0);
    free(a);
    free(b);
    return good;
}

/* Fresh memory is zero; rights can be taken and given back; what was written stays. */
static int mapping_works(void)
{
    char *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED || !is_filled(p, 0)) return 0;
    memset(p, 'm', SIZE);
    if (mprotect(p, SIZE, PROT_NONE) != 0 || mprotect(p, SIZE, PROT_READ) != 0) return 0;
    return is_filled(p, 'm') && munmap(p, SIZE) == 0;
}

/* After fork() the same address holds each process's own byte. */
static int fork_separates(void)
{
    static volatile char byte = 'p';
    int status;
    pid_t child = fork();

    if (child == 0) {
        byte = 'c';
        _exit(byte == 'c' ? 0 : 1);
    }
    return waitpid(child, &status, 0) == child && status == 0 && byte == 'p';
}

int main(void)
{
    int heap = heap_works(), mapping = mapping_works(), separate = fork_separates();

    printf("memory: heap %s, mmap %s, fork %s\n", heap ? "works" : "FAILS",
           mapping ? "works" : "FAILS", separate ? "separates" : "LEAKS");
    return heap && mapping && separate ? 0 : 1;
}
