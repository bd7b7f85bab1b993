/*
 * walk.c - which entries translate a linear address. Pure: sees only its arguments.
 *
 * Rights are collected, not judged: U/S and R/W are the AND over the entries met, XD is the OR. The
 * walk stops at the first entry that is not present, or is present with a reserved bit set; an
 * entry above wins over anything below, and P=0 hides reserved bits.
 *
 *   linear address   47:39    38:30     29:21     20:12    11:0
 *   4-level paging   PML4E    PDPTE     PDE       PTE      offset
 *                             PS: 1 GB  PS: 2 MB
 *
 * Manual: SDM 3A "4-Level Paging and 5-Level Paging", "Access Rights".
 */
#include "mmu/parts.h"

bool mmu_supported(const struct mmu_env *env) { return !env->paging || env->lma; }

/** Address bits 51:MAXPHYADDR, which no entry may set. */
static uint64_t beyond_maxphyaddr(const struct mmu_env *env)
{
    return PTE_ADDR & (~0ull << env->maxphyaddr);
}

uint64_t walk_reserved(const struct mmu_env *env, unsigned level, uint64_t entry)
{
    uint64_t reserved = beyond_maxphyaddr(env);

    if (!env->nxe) reserved |= PTE_XD;
    if (level == 4) reserved |= PTE_PS;
    if (level == 3 && !env->pages_1g) reserved |= PTE_PS;
    if (level == 3 && (entry & PTE_PS)) reserved |= 0x3fffe000ull; /* 29:13; bit 12 is PAT */
    if (level == 2 && (entry & PTE_PS)) reserved |= 0x001fe000ull; /* 20:13 */
    return reserved;
}

static bool maps_page(unsigned level, uint64_t entry)
{
    if (level == 1) return true;
    return (level == 2 || level == 3) && (entry & PTE_PS);
}

/** The leaf says the rest: where the page is, whether it is global and was written. */
static void finish(const struct mmu_env *env, unsigned level, uint64_t entry, uint64_t linear,
                   struct mmu_path *out)
{
    uint64_t offset_mask = (1ull << level_shift(level)) - 1;

    out->status = WALK_OK;
    out->page_shift = (uint8_t)level_shift(level);
    out->global = env->pge && (entry & PTE_G);
    out->dirty = (entry & PTE_D) != 0;
    out->phys = (entry & PTE_ADDR & ~offset_mask) | (linear & offset_mask);
}

/** No paging: linear addresses are physical ones, 32 bits wide, and everything may. */
static void identity(uint64_t linear, struct mmu_path *out)
{
    out->status = WALK_OK;
    out->page_shift = 12;
    out->dirty = true;
    out->phys = linear & 0xffffffffu;
}

/** Nothing read yet. The steps are left as they are: out->steps says how many count. */
static void begin(const struct walk_start *start, struct mmu_path *out)
{
    out->status = WALK_NOT_PRESENT;
    out->steps = 0;
    out->page_shift = 0;
    out->user = start ? start->user : true;
    out->write = start ? start->write : true;
    out->nx = start ? start->nx : false;
    out->global = false;
    out->dirty = false;
    out->phys = 0;
}

void walk(const struct walk_reader *reader, const struct mmu_env *env, uint64_t cr3,
          uint64_t linear, const struct walk_start *start, struct mmu_path *out)
{
    unsigned level = start ? start->level : 4;
    uint64_t table = start ? start->base : cr3 & PTE_ADDR;

    begin(start, out);
    if (!env->paging) {
        identity(linear, out);
        return;
    }
    if (!mmu_supported(env)) return; /* never a wrong translation */
    for (;; level--) {
        uint64_t at = table + ((linear >> level_shift(level)) & 0x1ff) * 8;
        uint64_t entry = reader->read(reader->ctx, at, 8);

        out->step[out->steps].at = at;
        out->step[out->steps].entry = entry;
        out->step[out->steps].level = (uint8_t)level;
        out->steps++;
        if (!(entry & PTE_P)) return;
        if (entry & walk_reserved(env, level, entry)) {
            out->status = WALK_RESERVED;
            return;
        }
        out->user &= (entry & PTE_U) != 0;
        out->write &= (entry & PTE_W) != 0;
        out->nx |= (entry & PTE_XD) != 0; /* only while NXE: else it is a reserved bit */
        if (maps_page(level, entry)) {
            finish(env, level, entry, linear, out);
            return;
        }
        table = entry & PTE_ADDR;
    }
}
