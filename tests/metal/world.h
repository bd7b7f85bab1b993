/*
 * world.h - what a program of cases is made of. A case is a few instructions with a label at the one that
 * matters; run in ring 0 or 3 of 64-bit mode with the tables of world.c, freshly made.
 */
#ifndef METAL_WORLD_H
#define METAL_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#define SEL_TSS 0x28

/* `show` lists what else a case prints: a=RAX c=RCX l=CPL r=pushed RF s=stack moved 2=CR2 6=DR6 7=DR7.GD */
struct kase {
    const char *id, *title, *expect, *show;
    void (*code)(void);
    const char *at;
    uint32_t ring;
};

/* name, ring, show, the manual's title, the outcome it demands, the code (AT marks its instruction) */
#define AT "99:\n"
#define CODE(name, ring, show, title, expect, code)                                                \
    __asm__(".pushsection .user, \"ax\"\n" #name ":\n" code "\nret\n.set " #name                   \
            "_at, 99b\n.popsection");                                                              \
    void name(void);                                                                               \
    extern const char name##_at[];
#define ROW(name, ring, show, title, expect, code)                                                 \
    {#name, title, expect, show, name, name##_at, ring},

extern const struct kase cases[];
extern const int case_count;
extern char case_stack_top[];
void on_syscall(void);

#endif
