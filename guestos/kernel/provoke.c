/*
 * provoke.c - makes the kernel commit a fault of its own, so that a test can see that ring 0 is
 * held to its page tables too and that the panic tells the truth. Asked for on the command line by
 * a word such as `provoke=write_text`; without one, nothing here happens.
 */
#include "defs.h"

static void read_user_half(void)
{
    (void)*(volatile const uint8_t *)PAGE_SIZE;
}

static void write_text(void)
{
    *(volatile char *)text_start = 0;
}

static void write_text_alias(void)
{
    *(volatile char *)(PHYSMAP_BASE + (uint64_t)text_start - KERNEL_BASE) = 0;
}

static void exec_data(void)
{
    static const uint8_t ret = 0xc3;
    __asm__ volatile("call *%0" : : "r"(&ret) : "memory");
}

static void undefined(void)
{
    __asm__ volatile("ud2");
}

/* At the very bottom of a kernel stack there is no room for a frame: the fault faults, too. */
static void stack_overflow(void)
{
    __asm__ volatile("movq %0, %%rsp; pushq $0" : : "r"(KSTACK_BASE + KSTACK_SLOT - KSTACK_SIZE));
}

static const struct {
    const char *word;
    void (*commit)(void);
} faults[] = {
    {"provoke=read_user_half", read_user_half},
    {"provoke=write_text_alias", write_text_alias}, /* ORDER: before the word that it begins with */
    {"provoke=write_text", write_text},
    {"provoke=exec_data", exec_data},
    {"provoke=undefined", undefined},
    {"provoke=stack_overflow", stack_overflow},
};

void provoke(const char *command_line)
{
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        if (!str_contains(command_line, faults[i].word)) continue;
        kprintf("kernel: %s\n", faults[i].word);
        faults[i].commit();
        panic("the provoked fault did not happen");
    }
}
