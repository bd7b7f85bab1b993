/*
 * main.c - the kernel from its first line of C to its first process. The boot code has left us in
 * the higher half, on the boot stack, with interrupts off and three rough maps of RAM.
 */
#include "defs.h"
#include "multiboot.h"

void kmain(uint32_t multiboot_info);

#define COMMAND_LINE_SIZE 128

static char command_line[COMMAND_LINE_SIZE]; /* set once, before memory is handed out */

/* The loader may have left the command line in RAM that kalloc() will give away. */
static void keep_command_line(const struct multiboot_info *info)
{
    const char *from = (const char *)(PHYSMAP_BASE + info->command_line);

    if (!(info->flags & MULTIBOOT_HAS_COMMAND_LINE)) return;
    for (size_t i = 0; i < COMMAND_LINE_SIZE - 1 && from[i]; i++) command_line[i] = from[i];
}

void kmain(uint32_t multiboot_info)
{
    const struct multiboot_info *info = (const void *)(PHYSMAP_BASE + multiboot_info);

    keep_command_line(info);
    console_init();
    kprintf("Ringside guest kernel, first storey\n");
    kalloc_init(info);
    cpu_init();
    vm_init();
    proc_init();
    timer_init();
    provoke(command_line);
    proc_start_init();
    proc_idle();
}
