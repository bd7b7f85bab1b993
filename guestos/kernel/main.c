/*
 * main.c - the kernel from its first line of C to its first process. The boot code has left us in
 * the higher half, on the boot stack, with interrupts off and three rough maps of the first gigabyte.
 */
#include "defs.h"

void kmain(uint32_t magic, uint32_t multiboot_info);

void kmain(uint32_t magic, uint32_t multiboot_info)
{
    (void)magic; /* the boot code has checked it */
    console_init();
    kprintf("Ringside guest kernel, first storey\n");
    kalloc_init(multiboot_info);
    cpu_init();
    vm_init();
    proc_init();
    timer_init();
    proc_start_init();
    proc_idle();
}
