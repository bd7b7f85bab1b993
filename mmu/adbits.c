/*
 * adbits.c - which Accessed and Dirty bits an allowed access sets, and in which entries. Pure.
 *
 * Chosen where the manual leaves it open: bits are set only for accesses that are allowed, in all
 * entries of the walk together. A refused access sets nothing (hardware may set A further up).
 * D belongs to the entry that maps the page, and only a write sets it.
 * Manual: SDM 3A "Accessed and Dirty Flags".
 */
#include "mmu/parts.h"

unsigned mmu_adbits(const struct mmu_path *path, unsigned kind, struct ad_update out[5])
{
    unsigned count = 0;

    /* a PDPTE register has neither bit */
    for (unsigned i = path->steps - path->read; i < path->steps; i++) {
        bool leaf = i + 1u == path->steps;
        uint64_t wanted = PTE_A;

        if (leaf && kind == RS_WRITE) wanted |= PTE_D;
        if ((path->step[i].entry & wanted) == wanted) continue;
        out[count].at = path->step[i].at;
        out[count].entry = path->step[i].entry | wanted;
        out[count].level = path->step[i].level;
        out[count].bytes = path->entry_bytes;
        count++;
    }
    return count;
}
