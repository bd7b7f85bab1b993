/*
 * boot_flat.c - start an image without headers: bytes to a physical address, the CPU to an entry point; or a
 * ROM at the reset vector.
 */
#include "emu/entry.h"
#include "emu/image.h"
#include "emu/machine.h"

static rs_status flat_check(rs_machine *m)
{
    const struct boot *b = &m->boot;
    unsigned long long end = b->load + b->size;
    bool tables = b->mode == RS_FLAT_LONG64;

    if (b->size == 0) return machine_fail(m, RS_E_IMAGE, "%s: the file is empty", b->name);
    if (!ram_has(&m->ram, b->load, b->size))
        return machine_fail(m, RS_E_IMAGE, "%s: 0x%llx bytes at physical 0x%llx do not lie in RAM", b->name,
                            (unsigned long long)b->size, (unsigned long long)b->load);
    if (tables && !m->features.on[FEAT_LM])
        return machine_fail(m, RS_E_CONFIG, "%s: a 64-bit entry point needs a processor with long mode; %s has none",
                            b->name, m->cpu_spec);
    if (b->mode == RS_FLAT_REAL16) {
        if (b->entry > ENTRY_REAL16_LAST)
            return machine_fail(m, RS_E_ARG, "%s: an entry point in real mode lies below 1 MiB", b->name);
        return RS_OK;
    }
    if (!tables) {
        if (b->entry > UINT32_MAX)
            return machine_fail(m, RS_E_ARG, "%s: a 32-bit entry point lies below 4 GiB", b->name);
        return RS_OK;
    }
    if (b->tables % RAM_PAGE || !ram_has(&m->ram, b->tables, ENTRY_TABLES_SIZE))
        return machine_fail(m, RS_E_ARG, "%s: page tables at 0x%llx: not a page boundary with 28 KiB of RAM",
                            b->name, (unsigned long long)b->tables);
    if (b->tables < end && b->load < b->tables + ENTRY_TABLES_SIZE)
        return machine_fail(m, RS_E_IMAGE, "%s: its bytes at 0x%llx..0x%llx overlap the page tables at 0x%llx",
                            b->name, (unsigned long long)b->load, end - 1, (unsigned long long)b->tables);
    return RS_OK;
}

static rs_status placed(rs_machine *m)
{
    if (!m->ram.over_budget) return RS_OK;
    return machine_fail(m, RS_E_IMAGE, "%s: the image needs more memory than the RAM budget of %llu bytes",
                        m->boot.name, (unsigned long long)m->ram.budget);
}

rs_status boot_flat(rs_machine *m)
{
    const struct boot *b = &m->boot;
    rs_status status = flat_check(m);

    if (status != RS_OK) return status;
    ram_put(&m->ram, b->load, b->bytes, b->size);
    if (b->mode == RS_FLAT_LONG64)
        entry_long64(&m->cpu, b->entry, b->tables);
    else if (b->mode == RS_FLAT_REAL16)
        entry_real16(&m->cpu, (uint32_t)b->entry);
    else
        entry_prot32(&m->cpu, (uint32_t)b->entry);
    return placed(m);
}

#define ROM_LARGEST (1u << 20)

/* The CPU stays as cpu_reset has left it. */
rs_status boot_bios(rs_machine *m)
{
    const struct boot *b = &m->boot;

    if (b->rom_size == 0 || b->rom_size % RAM_PAGE || b->rom_size > ROM_LARGEST)
        return machine_fail(m, RS_E_IMAGE, "%s: a ROM has a multiple of 4096 bytes, at most 1 MiB; this has %llu",
                            b->name, (unsigned long long)b->rom_size);
    if (!ram_has(&m->ram, b->load, b->size))
        return machine_fail(m, RS_E_IMAGE, "image beside %s: 0x%llx bytes at physical 0x%llx do not lie in RAM",
                            b->name, (unsigned long long)b->size, (unsigned long long)b->load);
    m->ram.rom = b->rom;
    m->ram.rom_size = b->rom_size;
    ram_put(&m->ram, b->load, b->bytes, b->size);
    return placed(m);
}
