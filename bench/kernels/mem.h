/* mem.h - 64 MiB of memory: a random pointer chase and a stream. Physical memory is the arena;
 * the including file says with which pages it is mapped (linear 1 GiB..1 GiB + 64 MiB). */
#ifndef BENCH_MEM_H
#define BENCH_MEM_H

#include "guest.h"

enum { NODES = 1 << 20, CHASE = 2048, STREAM = 16384 /* nodes of 64 bytes, 2 accesses each */ };
struct node {
    struct node *next;
    uint64_t a, b, pad[5];
};
static struct node *const nodes = (struct node *)0x40000000;

static void map_region(void);

/* One random cycle through all nodes (Sattolo). */
void kernel_setup(void)
{
    uint64_t seed = 0x2545F4914F6CDD1Dull;

    map_region();
    for (unsigned i = 0; i < NODES; i++) nodes[i].a = i, nodes[i].b = 0;
    for (unsigned i = NODES - 1; i > 0; i--) {
        unsigned j = (unsigned)(((xorshift(&seed) >> 32) * i) >> 32);
        uint64_t t = nodes[i].a;
        nodes[i].a = nodes[j].a;
        nodes[j].a = t;
    }
    for (unsigned i = 0; i < NODES; i++) nodes[i].next = &nodes[nodes[i].a];
}

uint64_t kernel_run(uint64_t n)
{
    struct node *p = nodes;
    uint64_t sum = 0;
    unsigned at = 0;

    while (n--) {
        for (unsigned i = 0; i < CHASE; i++) p = p->next;
        struct node *s = nodes + at, *end = s + STREAM;
        for (; s < end; s++) {
            sum += s->a ^ s->pad[2];
            s->b = sum;
        }
        at = (at + STREAM) % NODES;
    }
    return mix64(sum, (uint64_t)(uintptr_t)p);
}

#endif
