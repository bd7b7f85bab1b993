/*
 * kalloc.c - hands out physical memory in zeroed pages of 4 KiB.
 *
 * The Multiboot memory map says which ranges of RAM exist. Pages come first from a list of those
 * that were given back, then from the ranges, in order. A page that was never handed out is never
 * touched, so a large machine boots as quickly as a small one. Guarded by the kernel (proc.h).
 */
#include "defs.h"
#include "multiboot.h"

#define RANGE_COUNT 8

/* Pages never handed out so far; guarded by the kernel. */
struct range {
    uint64_t next, end; /* physical, page-aligned */
};

/* A page that was given back holds the link to the one before; guarded by the kernel. */
struct free_page {
    struct free_page *next;
};

static struct range ranges[RANGE_COUNT];
static size_t range_count;
static struct free_page *free_list;
static uint64_t available; /* pages, in the ranges and in the list */

static void *at_phys(uint64_t phys)
{
    return (void *)(PHYSMAP_BASE + phys);
}

/* Keeps the part of [base, end) that lies above the kernel image and inside the map of RAM. */
static void add_range(uint64_t base, uint64_t end)
{
    uint64_t lowest = (uint64_t)image_end - KERNEL_BASE;

    if (base < lowest) base = lowest;
    if (end > PHYSMAP_SIZE) end = PHYSMAP_SIZE;
    base = round_up(base);
    end = round_down(end);
    if (base >= end || range_count == RANGE_COUNT) return;
    ranges[range_count++] = (struct range){base, end};
    available += (end - base) / PAGE_SIZE;
}

void kalloc_init(const struct multiboot_info *info)
{
    if (!(info->flags & MULTIBOOT_HAS_MAP)) panic("the loader gave no memory map");

    uint32_t at = info->map_addr;
    while (at < info->map_addr + info->map_size) {
        const struct multiboot_range *entry = at_phys(at);
        if (entry->type == MULTIBOOT_USABLE) add_range(entry->base, entry->base + entry->length);
        at += entry->size + (uint32_t)sizeof(entry->size);
    }
    if (!available) panic("no usable memory above the kernel");
    kprintf("kernel: memory: %u MiB free above the image\n", available * PAGE_SIZE >> 20);
}

static void *take_fresh(void)
{
    for (size_t i = 0; i < range_count; i++) {
        struct range *r = &ranges[i];
        if (r->next == r->end) continue;
        r->next += PAGE_SIZE;
        return at_phys(r->next - PAGE_SIZE);
    }
    return NULL;
}

/* A zeroed page, by its address in the map of RAM, or NULL when memory is out. */
void *kalloc(void)
{
    void *page = free_list;

    if (page)
        free_list = free_list->next;
    else
        page = take_fresh();
    if (!page) return NULL;
    available--;
    return memset(page, 0, PAGE_SIZE);
}

void kfree(void *page)
{
    struct free_page *f = page;

    f->next = free_list;
    free_list = f;
    available++;
}

uint64_t kalloc_available(void)
{
    return available;
}
