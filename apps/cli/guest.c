/*
 * guest.c - configure, create, add modules, load.
 */
#define _POSIX_C_SOURCE 200809L
#define _DEFAULT_SOURCE

#include "guest.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "exit.h"
#include "file.h"
#include "text.h"

/* Where a flat 64-bit image's page tables go: 28 KiB low, or behind an image that lies there. */
#define TABLES_AT 0x1000u
#define TABLES_SIZE 0x7000u

static int failed(rs_machine *m, rs_status status)
{
    fprintf(stderr, "ringside: %s\n", *rs_error(m) ? rs_error(m) : rs_status_text(status));
    switch (status) {
    case RS_E_IMAGE: return EXIT_IMAGE;
    case RS_E_NOMEM:
    case RS_E_IO: return EXIT_HOST;
    case RS_E_UNSUPPORTED: return EXIT_GAP;
    case RS_OK:
    case RS_E_ARG:
    case RS_E_CONFIG:
    case RS_E_UNMAPPED:
    case RS_E_BUSY:
    case RS_E_LIMIT: break;
    }
    return EXIT_USAGE;
}

/* ---- configuration ------------------------------------------------------------------------------------ */

/* All of the guest's RAM, but no more than half of the host's. */
static uint64_t host_half(uint64_t mem)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    uint64_t half = pages > 0 && size > 0 ? (uint64_t)pages / 2 * (uint64_t)size : mem;

    return mem < half ? mem : half;
}

static void configure(const struct settings *s, rs_console_fn console, void *ctx, struct rs_config *config)
{
    rs_config_init(config);
    config->cpu = s->cpu;
    config->cost = s->cost;
    config->engine = s->engine;
    if (s->mem.given) config->mem_bytes = s->mem.value;
    if (s->hz.given) config->hz = s->hz.value;
    if (s->seed.given) config->seed = s->seed.value;
    if (s->epoch.given) config->epoch = s->epoch.value;
    config->ram_budget = s->ram_budget.given ? s->ram_budget.value : host_half(config->mem_bytes);
    if (s->block_cap.given) config->block_cap = s->block_cap.value <= 64 ? (uint32_t)s->block_cap.value : 65;
    config->reboot_on_reset = s->on_reset == CHOICE_ON;
    config->triple_fault_resets = s->on_triple_fault == CHOICE_ON;
    config->magic_break = s->magic_break;
    config->console = console;
    config->console_ctx = ctx;
}

static int create(const struct settings *s, rs_console_fn console, void *ctx, rs_machine **out)
{
    struct rs_config config;
    char error[240];
    bool zero = (s->hz.given && s->hz.value == 0) || (s->block_cap.given && s->block_cap.value == 0) ||
                (s->ram_budget.given && s->ram_budget.value == 0) || (s->smp.given && s->smp.value == 0) ||
                (s->max_insns.given && s->max_insns.value == 0) || (s->max_cycles.given && s->max_cycles.value == 0);

    if (zero) {
        fprintf(stderr, "ringside: --smp, --hz, --block-cap, --ram-budget and limits must be at least 1\n");
        return EXIT_USAGE;
    }
    if (s->smp.given && s->smp.value > 1) {
        fprintf(stderr, "ringside: --smp %llu is not there yet: one processor so far\n",
                (unsigned long long)s->smp.value);
        return EXIT_GAP;
    }
    configure(s, console, ctx, &config);
    rs_status status = rs_create(&config, out, error, sizeof error);

    if (status == RS_OK) return -1;
    fprintf(stderr, "ringside: %s\n", error);
    return status == RS_E_UNSUPPORTED ? EXIT_GAP : status == RS_E_NOMEM ? EXIT_HOST : EXIT_USAGE;
}

/* ---- images ----------------------------------------------------------------------------------------------- */

/* FILE[=STR]: a file of that very name wins over the split. */
static int module_add(rs_machine *m, const char *spec, bool split)
{
    const char *equal = split ? strchr(spec, '=') : NULL;
    char *path = strdup(spec);
    struct file f;

    if (!path) return EXIT_HOST;
    if (equal) path[equal - spec] = '\0';
    bool read = file_read(path, &f);
    int status = -1;

    if (read) {
        rs_status added = rs_add_module(m, f.bytes, f.size, equal ? equal + 1 : spec);

        if (added != RS_OK) status = failed(m, added);
        file_free(&f);
    }
    free(path);
    return read ? status : EXIT_IMAGE;
}

static int modules_add(const struct settings *s, rs_machine *m)
{
    int status = s->initrd ? module_add(m, s->initrd, false) : -1;

    for (unsigned i = 0; status < 0 && i < s->modules.count; i++) status = module_add(m, s->modules.item[i], true);
    return status;
}

static int symbols_add(const struct settings *s, rs_machine *m, const struct file *image, const char *name)
{
    (void)rs_add_symbols(m, image->bytes, image->size, name); /* an image without symbols is fine */
    for (unsigned i = 0; i < s->symbols.count; i++) {
        struct file f;

        if (!file_read(s->symbols.item[i], &f)) return EXIT_IMAGE;
        rs_status status = rs_add_symbols(m, f.bytes, f.size, s->symbols.item[i]);

        file_free(&f);
        if (status != RS_OK) {
            failed(m, status);
            return EXIT_IMAGE;
        }
    }
    return -1;
}

static rs_status load_flat(const struct settings *s, rs_machine *m, const struct file *image)
{
    uint64_t load = s->load.given ? s->load.value : s->entry.value;
    uint64_t entry = s->entry.given ? s->entry.value : load;
    uint64_t tables = TABLES_AT, end = load + image->size;
    static const enum rs_flat_mode modes[] = {
        [FLAT_64] = RS_FLAT_LONG64, [FLAT_32] = RS_FLAT_PROT32, [FLAT_16] = RS_FLAT_REAL16};

    if (load < TABLES_AT + TABLES_SIZE && end > TABLES_AT) tables = (end + 0xfff) & ~0xfffull;
    return rs_load_flat(m, image->bytes, image->size, load, entry, modes[s->flat_mode], tables);
}

#define BOOT_SECTOR 512u
#define BOOT_SECTOR_AT 0x7c00u

/* A PC's firmware runs a disk's first sector if it ends in 55 AA. */
static bool is_boot_sector(const struct file *image)
{
    return image->size == BOOT_SECTOR && image->bytes[510] == 0x55 && image->bytes[511] == 0xaa;
}

static rs_status load_boot_sector(rs_machine *m, const struct file *image)
{
    return rs_load_flat(m, image->bytes, image->size, BOOT_SECTOR_AT, BOOT_SECTOR_AT, RS_FLAT_REAL16, 0);
}

/* As other loaders do, the command line begins with the image's name; kernels skip or ignore it. */
static rs_status load_image(const struct settings *s, rs_machine *m, const struct file *image, const char *name)
{
    const char *append = s->append ? s->append : "";
    size_t size = strlen(name) + strlen(append) + 2;
    char *cmdline = malloc(size);

    if (!cmdline) return RS_E_NOMEM;
    snprintf(cmdline, size, *append ? "%s %s" : "%s", name, append);
    rs_status status = rs_load_image(m, image->bytes, image->size, name, cmdline);

    free(cmdline);
    return status;
}

static const char *last_part(const char *path) { return strrchr(path, '/') ? strrchr(path, '/') + 1 : path; }

static int image_load(const struct settings *s, rs_machine *m)
{
    const char *path = s->words.item[0];
    const char *name = last_part(path);
    struct file image;

    if (!file_read(path, &image)) return EXIT_IMAGE;
    int status = modules_add(s, m);

    if (status < 0) {
        bool flat = s->load.given || s->entry.given;
        rs_status loaded = flat                    ? load_flat(s, m, &image)
                           : is_boot_sector(&image) ? load_boot_sector(m, &image)
                                                    : load_image(s, m, &image, name);

        status = loaded == RS_OK ? symbols_add(s, m, &image, name) : failed(m, loaded);
    }
    file_free(&image);
    return status;
}

/* --bios: IMAGE, if there is one, lies in RAM where the ROM's program may find it. */
static int bios_load(const struct settings *s, rs_machine *m)
{
    struct file rom, image = {0};
    const char *path = s->words.count ? s->words.item[0] : NULL;

    if (!file_read(s->bios, &rom)) return EXIT_IMAGE;
    int status = path && !file_read(path, &image) ? EXIT_IMAGE : -1;

    if (status < 0) {
        rs_status loaded = rs_load_bios(m, rom.bytes, rom.size, last_part(s->bios), image.bytes, image.size, s->load.value);

        status = loaded == RS_OK ? symbols_add(s, m, &image, path ? last_part(path) : "") : failed(m, loaded);
        if (path) file_free(&image);
    }
    file_free(&rom);
    return status;
}

/* One IMAGE; with --bios it may be left out, and has no header that would say where it goes. */
static bool words_ok(const struct settings *s)
{
    unsigned n = s->words.count;

    if (s->bios && n == 1 && !s->load.given) {
        fprintf(stderr, "ringside: with --bios IMAGE is flat bytes: --load ADDR says where they go\n");
        return false;
    }
    if (n == 1 || (n == 0 && s->bios)) return true;
    fprintf(stderr, n ? "ringside: one IMAGE, please: what is '%s'?\n"
                      : "ringside: no IMAGE given (ringside --help)\n",
            n ? s->words.item[1] : "");
    return false;
}

int guest_build(const struct settings *s, rs_console_fn console, void *ctx, rs_machine **out)
{
    *out = NULL;
    if (!words_ok(s)) return EXIT_USAGE;
    int status = create(s, console, ctx, out);

    if (status < 0) status = s->bios ? bios_load(s, *out) : image_load(s, *out);
    if (status >= 0) {
        rs_destroy(*out);
        *out = NULL;
    }
    return status;
}

/* ---- --trace ---------------------------------------------------------------------------------------------- */

static bool kind_mask(const char *word, uint64_t *mask, bool *refused_only)
{
    struct rs_event_info info;

    *refused_only = false;
    if (rs_group_mask(word, mask, refused_only)) return true;
    for (unsigned kind = 0; rs_event_info(kind, &info); kind++) {
        if (strcasecmp(info.name, word) != 0) continue;
        *mask = RS_MASK(kind);
        return true;
    }
    return false;
}

bool guest_trace_mask(const char *kinds, uint64_t *mask, bool *refused_only)
{
    bool all_checks = false, refusals = false;

    *mask = 0;
    while (*kinds) {
        char word[32];
        size_t n = strcspn(kinds, ",");
        uint64_t one = 0;
        bool only = false;

        snprintf(word, sizeof word, "%.*s", (int)(n < 31 ? n : 31), kinds);
        if (n && !kind_mask(word, &one, &only)) {
            fprintf(stderr, "ringside: --trace: no kind or group '%s' (ringside events lists them)\n", word);
            return false;
        }
        *mask |= one;
        refusals |= only;
        all_checks |= !only && (one & RS_MASK(RS_EV_CHECK));
        kinds += n + (kinds[n] == ',');
    }
    *refused_only = refusals && !all_checks;
    return true;
}

/* ---- --input -------------------------------------------------------------------------------------------------- */

/* Undo \n \r \t \\ and \xHH in place; returns the length. */
static size_t unescape(char *text)
{
    char *to = text;

    for (const char *from = text; *from; from++) {
        if (*from != '\\' || from[1] == '\0') {
            *to++ = *from;
            continue;
        }
        from++;
        switch (*from) {
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'x':
            if (isxdigit((unsigned char)from[1]) && isxdigit((unsigned char)from[2])) {
                char hex[3] = {from[1], from[2], '\0'};

                *to++ = (char)strtol(hex, NULL, 16);
                from += 2;
                break;
            }
            *to++ = 'x';
            break;
        default: *to++ = *from;
        }
    }
    *to = '\0';
    return (size_t)(to - text);
}

static int input_line(rs_machine *m, const char *path, unsigned number, char *line)
{
    size_t n = strcspn(line, " \t");
    char *text = line + n + (line[n] != '\0');
    uint64_t cycle;

    line[n] = '\0';
    if (!text_number(line, &cycle)) {
        fprintf(stderr, "ringside: %s line %u: expected CYCLE TEXT, found '%s'\n", path, number, line);
        return EXIT_IMAGE;
    }
    size_t size = unescape(text);
    rs_status status = rs_input_at(m, cycle, 0, text, size);

    return status == RS_OK ? -1 : failed(m, status);
}

int guest_input_file(rs_machine *m, const char *path)
{
    struct file f;
    int status = -1;
    unsigned number = 0;

    if (!file_read(path, &f)) return EXIT_IMAGE;
    for (char *line = (char *)f.bytes, *next; status < 0 && *line; line = next) {
        size_t n = strcspn(line, "\n");

        next = line + n + (line[n] == '\n');
        line[n] = '\0';
        number++;
        if (*line && *line != '#') status = input_line(m, path, number, line);
    }
    file_free(&f);
    return status;
}
