/*
 * vm.c - page tables: the kernel's own, shared by all, and each process's lower half.
 *
 * Four levels, as SDM 3A "4-Level Paging" draws them; the root is called pml4 throughout. Tables
 * are pages from kalloc(), addressed through the map of RAM. The upper 256 root entries are the
 * same in every root, so ring 0 looks the same whoever runs. What a process may do with a page is
 * in its leaf entry alone; the tables above allow everything to ring 3 (lower half) or nothing
 * (upper half).
 */
#include "defs.h"
#include "proc.h"

#define ROOT_LEVEL 4
#define UPPER_HALF 256 /* first root entry of the upper half */

static uint64_t *kernel_pml4; /* the root while no process runs; constant after vm_init() */

uint64_t vm_phys(const void *page)
{
    return (uint64_t)page - PHYSMAP_BASE;
}

static uint64_t *table_of(uint64_t entry)
{
    return (uint64_t *)(PHYSMAP_BASE + (entry & PTE_FRAME));
}

static unsigned index_at(uint64_t lin, unsigned level)
{
    return lin >> (12 + 9 * (level - 1)) & (PTE_COUNT - 1);
}

/*
 * The entry for `lin` at `level`, or NULL when a table on the way is missing and `create` is false
 * or memory is out. New tables allow what `above` says.
 */
static uint64_t *find_entry(uint64_t *table, uint64_t lin, unsigned level, bool create,
                            uint64_t above)
{
    for (unsigned at = ROOT_LEVEL; at > level; at--) {
        uint64_t *entry = &table[index_at(lin, at)];
        if (!*entry) {
            void *page = create ? kalloc() : NULL;
            if (!page) return NULL;
            *entry = vm_phys(page) | above;
        }
        table = table_of(*entry);
    }
    return &table[index_at(lin, level)];
}

/* ---- The kernel's half ---- */

static void kernel_map(uint64_t lin, uint64_t phys, unsigned level, uint64_t rights)
{
    uint64_t *entry = find_entry(kernel_pml4, lin, level, true, PTE_P | PTE_W);

    if (!entry) panic("no memory for the kernel's page tables");
    *entry = phys | rights | PTE_P | PTE_G | (level == 2 ? PTE_PS : 0);
}

/* Maps a part of the image where it is linked. */
static void map_image(const char *start, const char *end, uint64_t rights)
{
    for (uint64_t lin = (uint64_t)start; lin < (uint64_t)end; lin += PAGE_SIZE)
        kernel_map(lin, lin - KERNEL_BASE, 1, rights);
}

/* In the map of RAM, too, code and constants of the kernel are read-only. */
static void map_ram_page(uint64_t phys)
{
    uint64_t lin = phys + KERNEL_BASE;
    bool constant = lin >= (uint64_t)text_start && lin < (uint64_t)data_start;

    kernel_map(PHYSMAP_BASE + phys, phys, 1, PTE_XD | (constant ? 0 : PTE_W));
}

/* Large pages, but small ones where part of a large page must be read-only. */
static void map_ram(void)
{
    for (uint64_t phys = 0; phys < PHYSMAP_SIZE; phys += LARGE_PAGE_SIZE) {
        if (phys + KERNEL_BASE >= (uint64_t)data_start) {
            kernel_map(PHYSMAP_BASE + phys, phys, 2, PTE_W | PTE_XD);
            continue;
        }
        for (uint64_t at = phys; at < phys + LARGE_PAGE_SIZE; at += PAGE_SIZE) map_ram_page(at);
    }
}

/* One stack per process slot, at the top of its slot of address space; nothing below it. */
static void map_kernel_stacks(void)
{
    for (uint64_t i = 0; i < PROC_COUNT; i++) {
        uint64_t top = KSTACK_BASE + (i + 1) * KSTACK_SLOT;
        for (uint64_t lin = top - KSTACK_SIZE; lin < top; lin += PAGE_SIZE) {
            void *page = kalloc();
            if (!page) panic("no memory for kernel stacks");
            kernel_map(lin, vm_phys(page), 1, PTE_W | PTE_XD);
        }
    }
}

void vm_init(void)
{
    kernel_pml4 = kalloc();
    if (!kernel_pml4) panic("no memory for the kernel's page tables");
    map_image(text_start, text_end, 0);
    map_image(rodata_start, data_start, PTE_XD);
    map_image(data_start, image_end, PTE_W | PTE_XD);
    map_ram();
    map_kernel_stacks();
    vm_switch_to_kernel();
}

void vm_switch(const uint64_t *pml4)
{
    write_cr3(vm_phys(pml4));
}

void vm_switch_to_kernel(void)
{
    vm_switch(kernel_pml4);
}

/* ---- A process's half ---- */

/* A root with the kernel's half filled in and the user half empty, or NULL. */
uint64_t *vm_new(void)
{
    uint64_t *pml4 = kalloc();

    if (pml4) memcpy(pml4 + UPPER_HALF, kernel_pml4 + UPPER_HALF, PAGE_SIZE / 2);
    return pml4;
}

/* Frees what the first `count` entries of a table lead to: pages at level 1, tables above. */
static void free_entries(uint64_t *table, unsigned level, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!table[i]) continue;
        if (level > 1) free_entries(table_of(table[i]), level - 1, PTE_COUNT);
        kfree(table_of(table[i]));
    }
}

void vm_free(uint64_t *pml4)
{
    free_entries(pml4, ROOT_LEVEL, UPPER_HALF);
    kfree(pml4);
}

/* Copies tables and pages alike: each entry gets a page of its own with the same rights. */
static bool copy_entries(uint64_t *to, const uint64_t *from, unsigned level, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (!from[i]) continue;
        uint64_t *page = kalloc();
        if (!page) return false;
        to[i] = vm_phys(page) | (from[i] & ~PTE_FRAME);
        if (level == 1)
            memcpy(page, table_of(from[i]), PAGE_SIZE);
        else if (!copy_entries(page, table_of(from[i]), level - 1, PTE_COUNT))
            return false;
    }
    return true;
}

/* A root whose user half is a copy of another's, or NULL when memory is out. */
uint64_t *vm_fork(uint64_t *pml4)
{
    uint64_t *copy = vm_new();

    if (!copy) return NULL;
    if (copy_entries(copy, pml4, ROOT_LEVEL, UPPER_HALF)) return copy;
    vm_free(copy);
    return NULL;
}

/* A leaf entry for a user page; with no rights the frame is kept but P is off (PROT_NONE). */
static uint64_t user_leaf(uint64_t frame, uint64_t rights)
{
    return frame | (rights & PTE_P ? rights | PTE_U : PTE_HELD);
}

static int map_user_page(uint64_t *pml4, uint64_t lin, uint64_t rights)
{
    uint64_t *entry = find_entry(pml4, lin, 1, true, PTE_P | PTE_W | PTE_U);

    if (!entry) return -ENOMEM;
    if (*entry) { /* two segments of one program may meet in a page: it gets the rights of both */
        *entry = (*entry | (rights & PTE_W)) & (rights & PTE_XD ? ~0ull : ~PTE_XD);
        return 0;
    }
    void *page = kalloc();
    if (!page) return -ENOMEM;
    *entry = user_leaf(vm_phys(page), rights);
    return 0;
}

/**
 * vm_map - give a range of the user half zeroed pages.
 * @rights  PTE_P with PTE_W and PTE_XD as wanted; 0 for pages that nobody may touch
 * Returns: 0 or -ENOMEM; after a failure part of the range may be mapped.
 */
int vm_map(uint64_t *pml4, uint64_t lin, uint64_t size, uint64_t rights)
{
    uint64_t end = round_up(lin + size);

    if (size / PAGE_SIZE > kalloc_available()) return -ENOMEM;
    for (uint64_t at = round_down(lin); at < end; at += PAGE_SIZE) {
        int error = map_user_page(pml4, at, rights);
        if (error) return error;
    }
    return 0;
}

static bool entry_exists(uint64_t *pml4, uint64_t lin, unsigned level)
{
    const uint64_t *entry = find_entry(pml4, lin, level, false, 0);
    return entry && *entry;
}

/* The first address from `lin` on whose level 1 table exists: a huge hole costs few steps. */
static uint64_t skip_hole(uint64_t *pml4, uint64_t lin, uint64_t end)
{
    while (lin < end) {
        unsigned level = ROOT_LEVEL;
        while (level > 1 && entry_exists(pml4, lin, level)) level--;
        if (level == 1) return lin;
        uint64_t span = 1ull << (12 + 9 * (level - 1));
        lin = (lin & ~(span - 1)) + span;
    }
    return end;
}

/* Takes the pages of a range away; pages that are not there are no mistake. */
void vm_unmap(uint64_t *pml4, uint64_t lin, uint64_t size)
{
    uint64_t end = round_up(lin + size);

    for (uint64_t at = skip_hole(pml4, round_down(lin), end); at < end;
         at = skip_hole(pml4, at + PAGE_SIZE, end)) {
        uint64_t *entry = find_entry(pml4, at, 1, false, 0);
        if (!*entry) continue;
        kfree(table_of(*entry));
        *entry = 0;
        invlpg(at);
    }
}

int vm_protect(uint64_t *pml4, uint64_t lin, uint64_t size, uint64_t rights)
{
    for (uint64_t at = round_down(lin); at < round_up(lin + size); at += PAGE_SIZE) {
        if (!entry_exists(pml4, at, 1)) return -ENOMEM;
        uint64_t *entry = find_entry(pml4, at, 1, false, 0);
        *entry = user_leaf(*entry & PTE_FRAME, rights);
        invlpg(at);
    }
    return 0;
}

/* Writes into user pages of any address space through the map of RAM: rights do not matter. */
int vm_write(uint64_t *pml4, uint64_t lin, const void *from, size_t size)
{
    const uint8_t *bytes = from;

    while (size) {
        uint64_t offset = lin % PAGE_SIZE;
        uint64_t part = size < PAGE_SIZE - offset ? size : PAGE_SIZE - offset;
        if (!entry_exists(pml4, lin, 1)) return -EFAULT;
        const uint64_t *entry = find_entry(pml4, lin, 1, false, 0);
        memcpy((uint8_t *)table_of(*entry) + offset, bytes, part);
        lin += part;
        bytes += part;
        size -= part;
    }
    return 0;
}
