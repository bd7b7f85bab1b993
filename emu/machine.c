/*
 * machine.c - build a machine, start it, feed it, take it apart. loop.c runs it.
 *
 * The wires between the parts are connected here and nowhere else: CPU and board share the
 * scheduler's clock, the board's INTR wakes the CPU, a device's request becomes a wish to stop.
 */
#define _POSIX_C_SOURCE 200809L

#include "emu/machine.h"

#include "cpu/interrupts.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COST_FILE_LARGEST (1u << 20)

rs_status machine_fail(rs_machine *m, rs_status status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(m->error, sizeof m->error, format, args);
    va_end(args);
    return status;
}

/* ---- wires ------------------------------------------------------------------------------------------- */

uint64_t machine_now(const rs_machine *m) { return cpu_now(&m->cpu); }

static uint64_t now(void *machine) { return machine_now(machine); }

/* An alarm was set that is due before the CPU meant to look up. */
static void sooner(void *machine, uint64_t next)
{
    rs_machine *m = machine;

    (void)next;
    cpu_attention(&m->cpu);
}

static void timer_alarm(void *machine, unsigned source)
{
    rs_machine *m = machine;

    (void)source;
    cpu_timer_alarm(&m->cpu);
}

static void console_put(void *machine, unsigned channel, uint8_t byte)
{
    const rs_machine *m = machine;

    if (m->config.console) m->config.console(m->config.console_ctx, channel, &byte, 1);
}

static void intr_set(void *machine, unsigned line, bool level)
{
    rs_machine *m = machine;

    (void)line;
    if (m->cpu.lapic) interrupts_line(&m->cpu, level);
}

static void request(void *machine, enum machine_request what, uint64_t value)
{
    rs_machine *m = machine;

    switch (what) {
    case REQ_GUEST_EXIT: machine_wish(m, RS_STOP_GUEST_EXIT, value); break;
    case REQ_POWER_OFF: machine_wish(m, RS_STOP_POWER_OFF, value); break;
    case REQ_GUEST_PANIC: machine_wish(m, RS_STOP_GUEST_PANIC, value); break;
    case REQ_RESET: machine_reset_wish(m); break;
    case REQ_A20:
        m->cpu.mmu.a20_mask = value ? ~0ull : ~(1ull << 20);
        mmu_drop_filter(&m->cpu.mmu);
        cpu_attention(&m->cpu);
        break;
    }
}

static void observer_stop(void *machine) { machine_wish(machine, RS_STOP_HOOK, 0); }

/* What is listened to decides how closely the CPU must look at itself. */
static void observers_changed(void *machine)
{
    rs_machine *m = machine;
    struct cpu *c = &m->cpu;

    c->observe_insn = (m->events.wire.mask & (RS_MASK(RS_EV_INSN) | RS_MASK(RS_EV_MEM))) != 0;
    c->observe_checks = m->events.checks_passed_wanted;
    c->mmu.filter_off = c->reference || c->observe_checks || (m->events.wire.mask & RS_MASK(RS_EV_MEM));
    mmu_drop_filter(&c->mmu);
    cpu_attention(c);
}

/* ---- birth ---------------------------------------------------------------------------------------------- */

static rs_status fail(char *error, size_t size, rs_status status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static rs_status fail(char *error, size_t size, rs_status status, const char *format, ...)
{
    va_list args;

    if (!error || size == 0) return status;
    va_start(args, format);
    vsnprintf(error, size, format, args);
    va_end(args);
    return status;
}

static rs_status config_check(const struct rs_config *config, char *error, size_t size)
{
    if (config->struct_size != sizeof *config)
        return fail(error, size, RS_E_ARG, "rs_config: struct_size %u is not this library's %zu",
                    config->struct_size, sizeof *config);
    if (config->engine > RS_ENGINE_REFERENCE) return fail(error, size, RS_E_ARG, "no engine %u", config->engine);
    if (config->mem_bytes % RAM_PAGE || config->mem_bytes < (1u << 20) || config->mem_bytes > 64ull << 30)
        return fail(error, size, RS_E_ARG, "RAM of %llu bytes: must be a multiple of 4096 from 1 MiB to 64 GiB",
                    (unsigned long long)config->mem_bytes);
    if (config->cpus == 0) return fail(error, size, RS_E_ARG, "no processors");
    if (config->cpus > 1)
        return fail(error, size, RS_E_UNSUPPORTED, "%u processors: only one is there yet", config->cpus);
    if (config->block_cap > 64)
        return fail(error, size, RS_E_ARG, "a block has at most 64 instructions");
    return RS_OK;
}

/* "NAME[,key=value]" or, if the part before the comma looks like a path, the file's text. */
static rs_status cost_read(struct cost *cost, const char *spec, char *error, size_t size)
{
    size_t n = strcspn(spec, ",");
    char path[4096];
    char *text;
    FILE *in;

    bool file = memchr(spec, '/', n) || (n > 4 && memcmp(spec + n - 4, ".ini", 4) == 0);

    if (!file) return cost_load(cost, spec, NULL, error, size) ? RS_OK : RS_E_CONFIG;
    snprintf(path, sizeof path, "%.*s", (int)n, spec);
    in = fopen(path, "rb");
    if (!in) return fail(error, size, RS_E_CONFIG, "cost profile %s: %s", path, strerror(errno));
    text = calloc(1, COST_FILE_LARGEST + 1);
    bool read = text && fread(text, 1, COST_FILE_LARGEST, in) > 0 && !ferror(in);

    fclose(in);
    rs_status status = RS_E_CONFIG;

    if (!read)
        fail(error, size, status, "cost profile %s: cannot be read, or is empty", path);
    else if (cost_load(cost, spec, text, error, size))
        status = RS_OK;
    free(text);
    return status;
}

static rs_status models_read(rs_machine *m, char *error, size_t size)
{
    m->cpu_spec = strdup(m->config.cpu ? m->config.cpu : "x86-64-v3");
    m->cost_spec = strdup(m->config.cost ? m->config.cost : "teaching");
    if (!m->cpu_spec || !m->cost_spec) return fail(error, size, RS_E_NOMEM, "no memory");
    m->config.cpu = m->cpu_spec;
    m->config.cost = m->cost_spec;
    if (!features_parse(&m->features, m->cpu_spec, error, size)) return RS_E_CONFIG;
    rs_status status = cost_read(&m->cost, m->cost_spec, error, size);

    if (status == RS_OK && m->config.hz) m->cost.hz = m->config.hz;
    return status;
}

static struct board_config board_config(rs_machine *m)
{
    return (struct board_config){.mem_bytes = m->config.mem_bytes,
                                 .cpus = m->config.cpus,
                                 .epoch = m->config.epoch,
                                 .clock = sched_clock(&m->sched, m->cost.hz),
                                 .console = {m, console_put},
                                 .request = {m, request},
                                 .intr = {m, intr_set},
                                 .events = &m->events.wire};
}

static struct cpu_config cpu_config(rs_machine *m)
{
    return (struct cpu_config){.ram = &m->ram,
                               .features = &m->features,
                               .cost = &m->cost,
                               .bus = board_bus(&m->board),
                               .inta = board_inta(&m->board),
                               .clock = sched_clock(&m->sched, m->cost.hz),
                               .events = &m->events.wire,
                               .crossings = &m->ledger.wire,
                               .block_cap = m->config.block_cap ? m->config.block_cap : 64,
                               .reference = m->config.engine == RS_ENGINE_REFERENCE,
                               .magic_break = m->config.magic_break};
}

static rs_status assemble(rs_machine *m, char *error, size_t size)
{
    uint64_t budget = m->config.ram_budget ? m->config.ram_budget : m->config.mem_bytes;

    sched_init(&m->sched, m, now, sooner);
    events_init(&m->events, m, m, observer_stop, observers_changed);
    if (!ledger_init(&m->ledger, m->config.cpus)) return fail(error, size, RS_E_NOMEM, "no memory for the ledger");
    if (!ram_init(&m->ram, m->config.mem_bytes, budget))
        return fail(error, size, RS_E_NOMEM, "no memory for %llu bytes of RAM",
                    (unsigned long long)m->config.mem_bytes);
    struct board_config bc = board_config(m);

    if (!board_init(&m->board, &bc)) return fail(error, size, RS_E_NOMEM, "the board does not fit together");
    board_attach(&m->board, &m->sched);
    struct cpu_config cc = cpu_config(m);

    if (!cpu_init(&m->cpu, &cc)) return fail(error, size, RS_E_NOMEM, "no memory for the processor");
    ledger_attach(&m->ledger, &m->cpu);
    sched_handle(&m->sched, SCHED_CPUS, m, timer_alarm);
    cpu_reset(&m->cpu);
    m->cpu.mmu.a20_mask = ~0ull;
    observers_changed(m);
    return RS_OK;
}

rs_status machine_create(const struct rs_config *config, rs_machine **out, char *error, size_t size)
{
    *out = NULL;
    rs_status status = config_check(config, error, size);

    if (status != RS_OK) return status;
    rs_machine *m = calloc(1, sizeof *m);

    if (!m) return fail(error, size, RS_E_NOMEM, "no memory for a machine");
    m->config = *config;
    status = models_read(m, error, size);
    if (status == RS_OK) status = assemble(m, error, size);
    if (status != RS_OK)
        machine_destroy(m);
    else
        *out = m;
    return status;
}

/* ---- death ---------------------------------------------------------------------------------------------- */

static void inputs_free(rs_machine *m)
{
    while (m->inputs) {
        struct input *next = m->inputs->next;

        free(m->inputs);
        m->inputs = next;
    }
}

void machine_boot_free(rs_machine *m)
{
    free(m->boot.name);
    free(m->boot.cmdline);
    free(m->boot.bytes);
    free(m->boot.rom);
    m->boot = (struct boot){0};
    m->ram.rom = NULL;
    m->ram.rom_size = 0;
}

void machine_destroy(rs_machine *m)
{
    if (!m) return;
    machine_boot_free(m);
    for (unsigned i = 0; i < m->modules; i++) {
        free(m->module[i].bytes);
        free(m->module[i].string);
    }
    inputs_free(m);
    cpu_free(&m->cpu);
    ram_free(&m->ram);
    ledger_free(&m->ledger);
    events_free(&m->events);
    symbols_free(&m->symbols);
    free(m->cpu_spec);
    free(m->cost_spec);
    free(m);
}

/* ---- start ----------------------------------------------------------------------------------------------- */

rs_status machine_boot(rs_machine *m)
{
    ram_clear(&m->ram);
    m->ram.over_budget = false;
    m->wish = (struct stop_wish){RS_STOP_NONE, 0};
    board_reset(&m->board);
    cpu_reset(&m->cpu);
    interrupts_line(&m->cpu, board_intr_level(&m->board));
    ledger_forget(&m->ledger);
    ledger_attach(&m->ledger, &m->cpu);
    observers_changed(m);
    switch (m->boot.kind) {
    case BOOT_FLAT: return boot_flat(m);
    case BOOT_BIOS: return boot_bios(m);
    case BOOT_NONE:
    case BOOT_IMAGE: break;
    }
    return boot_multiboot(m);
}

/* ---- inputs ------------------------------------------------------------------------------------------------ */

void machine_input_queue(rs_machine *m, struct input *in)
{
    struct input **at = &m->inputs;

    while (*at && (*at)->tick <= in->tick) at = &(*at)->next;
    in->next = *at;
    *at = in;
    cpu_attention(&m->cpu);
}

rs_status machine_input(rs_machine *m, uint64_t tick, unsigned channel, const void *bytes, size_t n)
{
    if (channel >= MACHINE_CHANNELS || (n && !bytes))
        return machine_fail(m, RS_E_ARG, "input: serial ports are 0 to 3");
    if (n == 0) return RS_OK;
    struct input *in = malloc(sizeof *in + n);

    if (!in) return machine_fail(m, RS_E_NOMEM, "no memory for %zu bytes of input", n);
    *in = (struct input){.tick = tick, .channel = channel, .size = n};
    memcpy(in->bytes, bytes, n);
    machine_input_queue(m, in);
    return RS_OK;
}
