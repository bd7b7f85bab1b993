/*
 * api.c - the public functions of ringside.h that concern a machine, and nothing else: each checks
 * its arguments and calls the part that knows. (Catalogues: arch/rules.c.)
 */
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/features.h"
#include "cpu/interrupts.h"
#include "emu/disasm.h"
#include "emu/image.h"
#include "emu/log.h"
#include "emu/machine.h"

#define DEFAULT_MEM (256ull << 20)
#define DEFAULT_EPOCH 1767225600u /* 2026-01-01 */

const char *rs_version(void) { return RS_VERSION_STRING; }

void rs_config_init(struct rs_config *config)
{
    *config = (struct rs_config){
        .struct_size = sizeof *config, .mem_bytes = DEFAULT_MEM, .cpus = 1, .epoch = DEFAULT_EPOCH};
}

/* ---- life ------------------------------------------------------------------------------------------------ */

rs_status rs_create(const struct rs_config *config, rs_machine **out, char *error, size_t error_size)
{
    if (error && error_size) error[0] = '\0';
    if (!out) return RS_E_ARG;
    *out = NULL;
    return config ? machine_create(config, out, error, error_size) : RS_E_ARG;
}

void rs_destroy(rs_machine *m) { machine_destroy(m); }

const char *rs_error(const rs_machine *m) { return m ? m->error : ""; }

uint64_t rs_hz(const rs_machine *m) { return m->cost.hz; }

/* ---- loading ----------------------------------------------------------------------------------------------- */

static void *copy(const void *bytes, size_t n)
{
    void *to = malloc(n ? n : 1);

    return to && n ? memcpy(to, bytes, n) : to;
}

/* Replace m->boot by copies and start it. */
static rs_status boot(rs_machine *m, const struct boot *b)
{
    if (m->running) return machine_fail(m, RS_E_BUSY, "the machine is running");
    struct boot new = *b;

    new.name = strdup(b->name ? b->name : "image");
    new.bytes = copy(b->bytes, b->size);
    new.cmdline = b->cmdline ? strdup(b->cmdline) : NULL;
    new.rom = b->rom ? copy(b->rom, b->rom_size) : NULL;
    machine_boot_free(m);
    m->boot = new;
    if (!new.name || !new.bytes || (b->cmdline && !new.cmdline) || (b->rom && !new.rom))
        return machine_fail(m, RS_E_NOMEM, "no memory for an image of %llu bytes", (unsigned long long)b->size);
    return machine_boot(m);
}

rs_status rs_load_image(rs_machine *m, const void *bytes, size_t size, const char *name, const char *cmdline)
{
    const struct boot b = {.kind = BOOT_IMAGE,
                           .name = (char *)(uintptr_t)name,
                           .cmdline = (char *)(uintptr_t)cmdline,
                           .bytes = (uint8_t *)(uintptr_t)bytes,
                           .size = size};

    if (!m || (!bytes && size)) return RS_E_ARG;
    return boot(m, &b);
}

rs_status rs_load_flat(rs_machine *m, const void *bytes, size_t size, uint64_t load, uint64_t entry,
                       enum rs_flat_mode mode, uint64_t tables)
{
    const struct boot b = {.kind = BOOT_FLAT,
                           .name = (char *)(uintptr_t)"flat image",
                           .bytes = (uint8_t *)(uintptr_t)bytes,
                           .size = size,
                           .load = load,
                           .entry = entry,
                           .tables = tables,
                           .mode = mode};

    if (!m || (!bytes && size)) return RS_E_ARG;
    if (mode != RS_FLAT_LONG64 && mode != RS_FLAT_PROT32 && mode != RS_FLAT_REAL16)
        return machine_fail(m, RS_E_ARG, "no entry mode %d of flat images", (int)mode);
    return boot(m, &b);
}

rs_status rs_load_bios(rs_machine *m, const void *rom, size_t rom_size, const char *name, const void *image,
                       size_t size, uint64_t load)
{
    const struct boot b = {.kind = BOOT_BIOS,
                           .name = (char *)(uintptr_t)name,
                           .bytes = (uint8_t *)(uintptr_t)image,
                           .size = size,
                           .load = load,
                           .rom = (uint8_t *)(uintptr_t)rom,
                           .rom_size = rom_size};

    if (!m || !rom || (!image && size)) return RS_E_ARG;
    return boot(m, &b);
}

rs_status rs_add_module(rs_machine *m, const void *bytes, size_t size, const char *string)
{
    if (!m || (!bytes && size)) return RS_E_ARG;
    if (m->modules == MACHINE_MODULES_MAX)
        return machine_fail(m, RS_E_LIMIT, "more than %u boot modules", MACHINE_MODULES_MAX);
    struct module *module = &m->module[m->modules];

    *module = (struct module){copy(bytes, size), size, strdup(string ? string : "")};
    if (!module->bytes || !module->string) {
        free(module->bytes);
        free(module->string);
        return machine_fail(m, RS_E_NOMEM, "no memory for a module of %zu bytes", size);
    }
    m->modules++;
    return RS_OK;
}

rs_status rs_add_symbols(rs_machine *m, const void *elf, size_t size, const char *name)
{
    const char *why = "";

    if (!m || (!elf && size)) return RS_E_ARG;
    switch (symbols_add(&m->symbols, elf, size, &why)) {
    case SYMBOLS_OK: return RS_OK;
    case SYMBOLS_NO_MEMORY: return machine_fail(m, RS_E_NOMEM, "no memory for symbols");
    case SYMBOLS_NOT_ELF:
    case SYMBOLS_BAD: break;
    }
    return machine_fail(m, RS_E_IMAGE, "symbols of %s: %s", name ? name : "image", why);
}

const char *rs_symbol_at(const rs_machine *m, uint64_t address, uint64_t *offset)
{
    return symbols_at(&m->symbols, address, offset);
}

bool rs_symbol_find(const rs_machine *m, const char *name, uint64_t *address)
{
    return name && symbols_find(&m->symbols, name, address);
}

/* ---- running ------------------------------------------------------------------------------------------------- */

rs_status rs_run(rs_machine *m, const struct rs_limits *limits, struct rs_stop_info *stop)
{
    if (!m || (limits && limits->struct_size != sizeof *limits)) return RS_E_ARG;
    if (m->running) return machine_fail(m, RS_E_BUSY, "the machine is running");
    return machine_run(m, limits, stop);
}

void rs_stop(rs_machine *m) { atomic_store(&m->stop_asked, true); }

rs_status rs_break_add(rs_machine *m, uint64_t linear)
{
    for (unsigned i = 0; i < m->breaks; i++)
        if (m->break_at[i] == linear) return RS_OK;
    if (m->breaks == MACHINE_BREAKS_MAX)
        return machine_fail(m, RS_E_LIMIT, "more than %u breakpoints", MACHINE_BREAKS_MAX);
    m->break_at[m->breaks++] = linear;
    return RS_OK;
}

rs_status rs_break_remove(rs_machine *m, uint64_t linear)
{
    for (unsigned i = 0; i < m->breaks; i++) {
        if (m->break_at[i] != linear) continue;
        m->break_at[i] = m->break_at[--m->breaks];
            return RS_OK;
    }
    return machine_fail(m, RS_E_ARG, "no breakpoint at 0x%llx", (unsigned long long)linear);
}

bool rs_break_at(const rs_machine *m, unsigned index, uint64_t *linear)
{
    if (index >= m->breaks) return false;
    if (linear) *linear = m->break_at[index];
    return true;
}

rs_status rs_input_at(rs_machine *m, uint64_t cycle, unsigned channel, const void *bytes, size_t n)
{
    if (!m) return RS_E_ARG;
    if (cycle > UINT64_MAX / TICKS_PER_CYCLE) return machine_fail(m, RS_E_ARG, "input: cycle out of range");
    uint64_t tick = cycle * TICKS_PER_CYCLE, now = machine_now(m);

    return machine_input(m, tick > now ? tick : now, channel, bytes, n);
}

rs_status rs_input(rs_machine *m, unsigned channel, const void *bytes, size_t n)
{
    return rs_input_at(m, 0, channel, bytes, n);
}

uint64_t rs_input_pending(const rs_machine *m, unsigned channel)
{
    uint64_t n = 0;

    for (const struct input *in = m->inputs; in; in = in->next)
        if (in->channel == channel) n += in->size;
    return n;
}

bool rs_input_wakes(const rs_machine *m, unsigned channel) { return machine_input_wakes(m, channel); }

rs_status rs_raise(rs_machine *m, unsigned cpu, enum rs_signal signal)
{
    if (!m || cpu != 0) return RS_E_ARG;
    switch (signal) {
    case RS_RAISE_NMI: interrupts_nmi(&m->cpu); return RS_OK;
    case RS_RAISE_MC: interrupts_machine_check(&m->cpu); return RS_OK;
    }
    return RS_E_ARG;
}

/* ---- state ------------------------------------------------------------------------------------------------------ */

const char *rs_reg_name(unsigned reg) { return register_name(reg); }

rs_status rs_reg_read(const rs_machine *m, unsigned cpu, unsigned reg, uint64_t *value)
{
    return m && value && cpu == 0 && register_read(&m->cpu, reg, value, 8) ? RS_OK : RS_E_ARG;
}

rs_status rs_reg_write(rs_machine *m, unsigned cpu, unsigned reg, uint64_t value)
{
    if (m && m->running) return RS_E_BUSY;
    return m && cpu == 0 && register_write(&m->cpu, reg, &value, 8) ? RS_OK : RS_E_ARG;
}

rs_status rs_reg_read_wide(const rs_machine *m, unsigned cpu, unsigned reg, void *out, size_t size)
{
    return m && out && cpu == 0 && register_read(&m->cpu, reg, out, size) ? RS_OK : RS_E_ARG;
}

rs_status rs_reg_write_wide(rs_machine *m, unsigned cpu, unsigned reg, const void *in, size_t size)
{
    if (m && m->running) return RS_E_BUSY;
    return m && in && cpu == 0 && register_write(&m->cpu, reg, in, size) ? RS_OK : RS_E_ARG;
}

/* RAM, or the ROM. */
static bool readable(const rs_machine *m, uint64_t phys, size_t n)
{
    if (ram_has(&m->ram, phys, n)) return true;
    const uint8_t *first = ram_rom(&m->ram, phys);

    return first && n <= m->ram.rom_size && ram_rom(&m->ram, phys + n - 1) == first + (n - 1);
}

rs_status rs_phys_read(const rs_machine *m, uint64_t phys, void *out, size_t n)
{
    if (!m || (n && !out)) return RS_E_ARG;
    if (!readable(m, phys, n)) return RS_E_UNMAPPED;
    ram_get(&m->ram, phys, out, n);
    return RS_OK;
}

rs_status rs_phys_write(rs_machine *m, uint64_t phys, const void *in, size_t n)
{
    if (!m || (n && !in)) return RS_E_ARG;
    if (m->running) return RS_E_BUSY;
    if (!ram_has(&m->ram, phys, n)) return RS_E_UNMAPPED;
    ram_put(&m->ram, phys, in, n);
    return RS_OK;
}

/* Where a linear address lies, rights ignored (a complete path is enough); UINT64_MAX: nowhere. */
static uint64_t linear_phys(const rs_machine *m, uint64_t linear)
{
    const struct mmu *u = &m->cpu.mmu;
    const struct mmu_access access = {.kind = RS_READ, .implicit = true};
    struct mmu_path path;

    if (!u->env.paging) return linear <= UINT32_MAX ? linear & u->a20_mask : UINT64_MAX;
    if (!mmu_canonical(linear, m->features.linear_bits)) return UINT64_MAX;
    mmu_translate_peek(u, &u->env, m->cpu.cr3, linear, access, &path);
    return path.status == WALK_OK ? path.phys & u->a20_mask : UINT64_MAX;
}

/* Calls with each piece of a linear range that lies in one page, or false if a page is not there. */
static bool linear_pieces(const rs_machine *m, uint64_t linear, size_t n, rs_machine *into, uint8_t *out,
                          const uint8_t *in)
{
    while (n > 0) {
        size_t step = RAM_PAGE - linear % RAM_PAGE < n ? (size_t)(RAM_PAGE - linear % RAM_PAGE) : n;
        uint64_t phys = linear_phys(m, linear);

        if (phys == UINT64_MAX || !(in ? ram_has(&m->ram, phys, step) : readable(m, phys, step))) return false;
        if (out) {
            ram_read(&m->ram, phys, out, (unsigned)step);
            out += step;
        } else if (in) {
            ram_write(&into->ram, phys, in, (unsigned)step);
            in += step;
        }
        linear += step;
        n -= step;
    }
    return true;
}

rs_status rs_linear_peek(const rs_machine *m, unsigned cpu, uint64_t linear, void *out, size_t n)
{
    if (!m || cpu != 0 || (n && !out)) return RS_E_ARG;
    if (!linear_pieces(m, linear, n, NULL, NULL, NULL)) return RS_E_UNMAPPED;
    linear_pieces(m, linear, n, NULL, out, NULL);
    return RS_OK;
}

rs_status rs_linear_poke(rs_machine *m, unsigned cpu, uint64_t linear, const void *in, size_t n)
{
    if (!m || cpu != 0 || (n && !in)) return RS_E_ARG;
    if (m->running) return RS_E_BUSY;
    if (!linear_pieces(m, linear, n, NULL, NULL, NULL)) return RS_E_UNMAPPED;
    linear_pieces(m, linear, n, m, NULL, in);
    return RS_OK;
}

uint64_t rs_insns(const rs_machine *m) { return cpu_insns(&m->cpu); }

uint64_t rs_cycles(const rs_machine *m) { return machine_now(m) / TICKS_PER_CYCLE; }

rs_status rs_state_hash(rs_machine *m, char out[33])
{
    if (!m || !out) return RS_E_ARG;
    if (m->running) return machine_fail(m, RS_E_BUSY, "the machine is running");
    return machine_hash(m, out) ? RS_OK : machine_fail(m, RS_E_NOMEM, "no memory for the hash");
}

/* ---- explaining ------------------------------------------------------------------------------------------------- */

rs_status rs_explain_at(const rs_machine *m, unsigned cpu, uint64_t cr3, unsigned cpl, uint64_t linear,
                        enum rs_access kind, struct rs_explanation *out)
{
    if (!m || !out || cpu != 0 || cpl > 3 || (unsigned)kind > RS_FETCH) return RS_E_ARG;
    const struct mmu_access access = {
        .kind = (uint8_t)kind, .user = cpl == 3, .ac = (m->cpu.flags & RF_AC) != 0};

    mmu_explain(&m->cpu.mmu, &m->cpu.mmu.env, cr3, linear, access, out);
    return RS_OK;
}

rs_status rs_explain(const rs_machine *m, unsigned cpu, unsigned cpl, uint64_t linear, enum rs_access kind,
                     struct rs_explanation *out)
{
    return m ? rs_explain_at(m, cpu, m->cpu.cr3, cpl, linear, kind, out) : RS_E_ARG;
}

static enum disasm_mode disasm_mode(const struct cpu *c)
{
    bool wide = c->seg[SEG_CS].attr & ATTR_DB;

    if (cpu_64(c)) return DISASM_64;
    if (cpu_long(c)) return wide ? DISASM_COMPAT32 : DISASM_COMPAT16;
    return wide ? DISASM_32 : DISASM_16;
}

unsigned rs_disassemble(const rs_machine *m, unsigned cpu, uint64_t linear, bool att, char *out, size_t size)
{
    uint8_t bytes[DISASM_BYTES_MAX];
    size_t n = 0;

    if (!m || cpu != 0) return 0;
    while (n < sizeof bytes && rs_linear_peek(m, cpu, linear + n, bytes + n, 1) == RS_OK) n++;
    return disasm(disasm_mode(&m->cpu), linear, bytes, n, att, out, size);
}

/* ---- events -------------------------------------------------------------------------------------------------------- */

rs_status rs_observer_add(rs_machine *m, uint64_t mask, bool refused_only, rs_observer_fn fn, void *ctx,
                          unsigned *id)
{
    if (!m) return RS_E_ARG;
    rs_status status = events_observer_add(&m->events, mask, refused_only, fn, ctx, id);

    return status == RS_OK ? status : machine_fail(m, status, "observer: %s", rs_status_text(status));
}

rs_status rs_observer_remove(rs_machine *m, unsigned id)
{
    if (!m) return RS_E_ARG;
    rs_status status = events_observer_remove(&m->events, id);

    return status == RS_OK ? status : machine_fail(m, status, "there is no observer %u", id);
}

static const char *symbol_find(const void *ctx, uint64_t address, uint64_t *offset)
{
    return symbols_at(ctx, address, offset);
}

size_t rs_event_format(const rs_machine *m, const struct rs_event *event, enum rs_log_format format, char *out,
                       size_t size)
{
    const struct log_context context = {{m ? &m->symbols : NULL, m ? symbol_find : NULL}};

    return event && out && size ? log_format(&context, event, format, out, size) : 0;
}

const char *rs_log_header(enum rs_log_format format) { return log_header(format); }

/* ---- catalogues that depend on the processor ----------------------------------------------------------------------- */

const char *rs_cpu_model(unsigned index, const char **description) { return features_model(index, description); }

bool rs_cpu_feature(const char *model, unsigned index, const char **name, bool *on, bool *gap)
{
    struct features f;
    char error[160];

    if (index >= FEAT_COUNT || !features_parse(&f, model ? model : "x86-64-v3", error, sizeof error)) return false;
    const struct feature_row *row = feature_row((enum feature)index);

    if (name) *name = row->name;
    if (on) *on = f.on[index];
    if (gap) *gap = !row->have;
    return true;
}

bool rs_cpu_identity(const char *model, struct rs_cpu_identity *out)
{
    struct features f;
    char error[160];

    if (!out || !features_parse(&f, model ? model : "x86-64-v3", error, sizeof error)) return false;
    *out = (struct rs_cpu_identity){.family = f.family,
                                    .model = f.number,
                                    .stepping = f.stepping,
                                    .maxphyaddr = f.maxphyaddr,
                                    .signature = f.signature};
    memcpy(out->name, f.model, sizeof out->name);
    memcpy(out->vendor, f.vendor, sizeof out->vendor);
    memcpy(out->brand, f.brand, sizeof out->brand);
    return true;
}

bool rs_cpu_behaviour(const char *model, unsigned index, const char **name, const char **statement, bool *on)
{
    struct features f;
    char error[160];

    if (index >= BEHAVE_COUNT || !features_parse(&f, model ? model : "x86-64-v3", error, sizeof error)) return false;
    if (name) *name = features_behaviour((enum behaviour)index, statement);
    if (on) *on = features_do(&f, (enum behaviour)index);
    return true;
}

/* Everything that can give exit status 10: instructions that the default model promises, situations,
 * features that a model may be given and that have no handlers. */
const char *rs_gap(unsigned index)
{
    static const struct {
        bool have;
        const char *text;
    } gaps[] = {
#define GAP(mnemonic, why) {false, "instruction " #mnemonic ": " why},
#include "arch/gaps.def"
#undef GAP
#define GAP_PLACE(text) {false, text},
#include "arch/gap_places.def"
#undef GAP_PLACE
#define FEATURE(id, name, leaf, sub, reg, bit, have, cr4, level, text) {have, "feature " name ": " text},
#include "arch/features.def"
#undef FEATURE
    };

    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++)
        if (!gaps[i].have && index-- == 0) return gaps[i].text;
    return NULL;
}

const char *rs_cost_profile(unsigned index, const char **description)
{
    return cost_profile_name(index, description);
}

/* ---- the ledger ------------------------------------------------------------------------------------------------------ */

rs_status rs_ledger_read(const rs_machine *m, struct rs_ledger *out)
{
    if (!m || !out) return RS_E_ARG;
    const struct cpu *const cpus[] = {&m->cpu};

    return ledger_read(&m->ledger, cpus, 1, out);
}

bool rs_ledger_row(const rs_machine *m, unsigned index, struct rs_ledger_row *out)
{
    return m && out && ledger_row(&m->ledger, index, out);
}
