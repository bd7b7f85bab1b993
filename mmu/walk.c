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
 *   PAE paging                31:30     29:21     20:12    11:0
 *                             register  PDE       PTE      offset     8-byte entries
 *                                       PS: 2 MB
 *   32-bit paging                       31:22     21:12    11:0
 *                                       PDE       PTE      offset     4-byte entries
 *                                       PS: 4 MB (CR4.PSE; 16:13 may be address bits 35:32 and up, PSE-36)
 *
 * Manual: SDM 3A "4-Level Paging and 5-Level Paging", "PAE Paging", "32-Bit Paging", "Access Rights".
 */
#include "mmu/parts.h"

/** Address bits 51:MAXPHYADDR, which no entry may set. */
static uint64_t beyond_maxphyaddr(const struct mmu_env *env)
{
    return PTE_ADDR & (~0ull << env->maxphyaddr);
}

/** PSE-36: M, the number of physical-address bits that a 4-MByte page can have. */
static unsigned pse36_bits(const struct mmu_env *env)
{
    if (!env->pse36) return 32;
    return env->maxphyaddr < 40 ? env->maxphyaddr : 40;
}

static uint64_t reserved_32bit(const struct mmu_env *env, unsigned level, uint64_t entry)
{
    unsigned low = pse36_bits(env) - 19; /* 21:(M-19) */

    if (level != 2 || !env->pse || !(entry & PTE_PS)) return 0;
    return (1ull << 22) - (1ull << low);
}

static uint64_t reserved_pae(const struct mmu_env *env, unsigned level, uint64_t entry)
{
    uint64_t reserved = ~PTE_XD & (~0ull << env->maxphyaddr);

    if (!env->nxe) reserved |= PTE_XD;
    if (level == 2 && (entry & PTE_PS)) reserved |= 0x001fe000ull; /* 20:13 */
    return reserved;
}

uint64_t mmu_pdpte_reserved(unsigned maxphyaddr) { return (~0ull << maxphyaddr) | 0x1e6; /* 8:5, 2:1 */ }

static inline __attribute__((always_inline)) uint64_t reserved_4_level(const struct mmu_env *env, unsigned level,
                                                                       uint64_t entry)
{
    uint64_t reserved = beyond_maxphyaddr(env);

    if (!env->nxe) reserved |= PTE_XD;
    if (level == 4) reserved |= PTE_PS;
    if (level == 3 && !env->pages_1g) reserved |= PTE_PS;
    if (level == 3 && (entry & PTE_PS)) reserved |= 0x3fffe000ull; /* 29:13; bit 12 is PAT */
    if (level == 2 && (entry & PTE_PS)) reserved |= 0x001fe000ull; /* 20:13 */
    return reserved;
}

uint64_t walk_reserved(const struct mmu_env *env, unsigned level, uint64_t entry)
{
    if (env->lma) return reserved_4_level(env, level, entry);
    return env->pae ? reserved_pae(env, level, entry) : reserved_32bit(env, level, entry);
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
    out->read = 0;
    out->entry_bytes = 8;
    out->page_shift = 0;
    out->user = start ? start->user : true;
    out->write = start ? start->write : true;
    out->nx = start ? start->nx : false;
    out->global = false;
    out->dirty = false;
    out->phys = 0;
}

/* ---- outside IA-32e mode ------------------------------------------------------------------------------ */

/** Linear-address bits that an entry translates, outside IA-32e mode. */
static unsigned legacy_shift(const struct mmu_env *env, unsigned level)
{
    if (env->pae) return level_shift(level);
    return level == 2 ? 22 : 12;
}

static void step_add(struct mmu_path *out, unsigned level, uint64_t at, uint64_t entry)
{
    out->step[out->steps].at = at;
    out->step[out->steps].entry = entry;
    out->step[out->steps].level = (uint8_t)level;
    out->steps++;
}

/** The page of a legacy leaf: PSE-36 pages have their upper address bits in 20:13. */
static uint64_t legacy_page(unsigned shift, uint64_t entry)
{
    uint64_t page = entry & PTE_ADDR & (~0ull << shift);

    if (shift != 22) return page;
    return page | (entry >> 13 & 0xff) << 32; /* what M leaves out is reserved, and 0 */
}

static void legacy_finish(const struct mmu_env *env, unsigned shift, uint64_t entry, uint64_t linear,
                          struct mmu_path *out)
{
    out->status = WALK_OK;
    out->page_shift = (uint8_t)shift;
    out->global = env->pge && (entry & PTE_G);
    out->dirty = (entry & PTE_D) != 0;
    out->phys = legacy_page(shift, entry) | (linear & ((1ull << shift) - 1));
}

/** PDE and PTE, from the directory at `table` on. */
static void legacy_tables(const struct walk_reader *reader, const struct mmu_env *env, uint64_t table,
                          uint64_t linear, struct mmu_path *out)
{
    unsigned bytes = env->pae ? 8 : 4, mask = env->pae ? 0x1ff : 0x3ff;

    out->entry_bytes = (uint8_t)bytes;
    for (unsigned level = 2;; level--) {
        unsigned shift = legacy_shift(env, level);
        uint64_t at = table + (linear >> shift & mask) * bytes, entry = reader->read(reader->ctx, at, bytes);

        step_add(out, level, at, entry);
        out->read++;
        if (!(entry & PTE_P)) return;
        if (entry & walk_reserved(env, level, entry)) {
            out->status = WALK_RESERVED;
            return;
        }
        out->user &= (entry & PTE_U) != 0;
        out->write &= (entry & PTE_W) != 0;
        out->nx |= (entry & PTE_XD) != 0;
        if (level == 1 || ((entry & PTE_PS) && (env->pae || env->pse))) {
            legacy_finish(env, shift, entry, linear, out);
            return;
        }
        table = entry & PTE_ADDR;
    }
}

/** PAE paging begins at a register, which was judged when it was loaded; it holds no rights. */
static void legacy_walk(const struct walk_reader *reader, const struct mmu_env *env, uint64_t cr3,
                        uint64_t linear, struct mmu_path *out)
{
    unsigned i = linear >> 30 & 3;

    if (!env->pae) {
        legacy_tables(reader, env, cr3 & 0xfffff000ull, linear, out);
        return;
    }
    step_add(out, 3, (cr3 & 0xffffffe0ull) + 8 * i, env->pdpte[i]);
    if (env->pdpte[i] & PTE_P) legacy_tables(reader, env, env->pdpte[i] & PTE_ADDR, linear, out);
}

/* ---- the walk -------------------------------------------------------------------------------------------- */

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
    if (!env->lma) {
        legacy_walk(reader, env, cr3, linear, out);
        return;
    }
    for (;; level--) {
        uint64_t at = table + ((linear >> level_shift(level)) & 0x1ff) * 8;
        uint64_t entry = reader->read(reader->ctx, at, 8);

        out->step[out->steps].at = at;
        out->step[out->steps].entry = entry;
        out->step[out->steps].level = (uint8_t)level;
        out->steps++;
        out->read++;
        if (!(entry & PTE_P)) return;
        if (entry & reserved_4_level(env, level, entry)) {
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
