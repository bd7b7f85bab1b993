/*
 * cost.c - prices: profiles read from their text, and the static price of an instruction form.
 *
 * Fast tier, in ticks of 1/64 cycle, rounded half up once:
 *   price = max(rtp, max(1, fused uops) / issue_width)
 *         + share * max(0, min(lat, 40) - 1 - L1 latency of a load - max(0, rtp - 1))
 * with fused uops = 1 for a form of up to two; stores have no latency term. A price depends on the
 * form and the profile alone. Pure: no state, no clock; struct cost is the caller's.
 * Manual: docs/COSTS.md.
 */
#include "arch/cost.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "arch/cost_table.h"
#include "arch/ports.h"

#define PRICE_MAX 65535u

static const char *const event_keys[COST_COUNT] = {
#define COST(id, key, category, text) key,
#include "arch/cost_events.def"
#undef COST
};

static bool fail(char *error, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool fail(char *error, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error && size) vsnprintf(error, size, format, args);
    va_end(args);
    return false;
}

/* A piece of text that is not terminated. */
struct span {
    const char *at;
    size_t n;
};

static bool span_is(struct span s, const char *word)
{
    return strlen(word) == s.n && memcmp(s.at, word, s.n) == 0;
}

static struct span span_trim(struct span s)
{
    while (s.n && (s.at[0] == ' ' || s.at[0] == '\t')) s.at++, s.n--;
    while (s.n && strchr(" \t\r", s.at[s.n - 1])) s.n--;
    return s;
}

/* Decimal digits only; false if there is anything else or it exceeds max. */
static bool span_number(struct span s, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (!s.n) return false;
    for (size_t i = 0; i < s.n; i++) {
        unsigned digit = (unsigned)(unsigned char)s.at[i] - '0';
        if (digit > 9 || value > (max - digit) / 10) return false;
        value = value * 10 + digit;
    }
    *out = value;
    return true;
}

static bool ends_with(const char *word, const char *tail)
{
    size_t n = strlen(word), t = strlen(tail);
    return n >= t && strcmp(word + n - t, tail) == 0;
}

/* The highest value of an event key, so that ticks fit in 32 bits. */
static uint64_t event_max(const char *key)
{
    if (ends_with(key, "_64ths")) return UINT32_MAX;
    if (ends_with(key, "_bytes_per_cycle")) return 1u << 16;
    return UINT32_MAX / TICKS_PER_CYCLE;
}

static uint32_t event_ticks(const char *key, uint64_t value)
{
    if (ends_with(key, "_64ths")) return (uint32_t)value;
    if (ends_with(key, "_bytes_per_cycle"))
        return value ? (uint32_t)((2 * TICKS_PER_CYCLE + value) / (2 * value)) : 0;
    return (uint32_t)(value * TICKS_PER_CYCLE);
}

/* instr_table: a column of the generated table, or whole cycles for every instruction. */
static bool set_table(struct cost *cost, struct span value)
{
    uint64_t cycles;

    for (int i = 0; i < COST_COLUMNS; i++) {
        if (!span_is(value, cost_columns[i])) continue;
        cost->column = i;
        cost->constant = 0;
        return true;
    }
    if (!span_number(value, PRICE_MAX / TICKS_PER_CYCLE, &cycles) || cycles == 0) return false;
    cost->column = -1;
    cost->constant = (uint32_t)cycles * TICKS_PER_CYCLE;
    return true;
}

enum key_result { KEY_OK, KEY_UNKNOWN, KEY_BAD };

static enum key_result set_setting(struct cost *cost, struct span key, struct span value)
{
    static const struct {
        const char *key;
        uint64_t min, max;
    } settings[] = {{"latency_share_64ths", 0, 64}, {"issue_width", 1, 64}, {"load_latency", 0, 40},
                    {"cpu_hz", 1000, 1000000000000}, {"tsc_num", 0, UINT32_MAX},
                    {"tsc_den", 1, UINT32_MAX}};
    uint64_t number = 0;
    size_t i = 0;

    while (i < sizeof settings / sizeof *settings && !span_is(key, settings[i].key)) i++;
    if (i == sizeof settings / sizeof *settings) return KEY_UNKNOWN;
    if (!span_number(value, settings[i].max, &number) || number < settings[i].min) return KEY_BAD;
    switch (i) {
    case 0: cost->share = (uint32_t)number; break;
    case 1: cost->issue_width = (uint32_t)number; break;
    case 2: cost->load_latency = (uint32_t)number; break;
    case 3: cost->hz = number; break;
    case 4: cost->tsc_num = (uint32_t)number; break;
    default: cost->tsc_den = (uint32_t)number; break;
    }
    return KEY_OK;
}

static enum key_result set_key(struct cost *cost, struct span key, struct span value)
{
    enum key_result result = set_setting(cost, key, value);
    uint64_t number;

    if (result != KEY_UNKNOWN) return result;
    if (span_is(key, "desc")) {
        size_t n = value.n < sizeof cost->desc ? value.n : sizeof cost->desc - 1;
        memcpy(cost->desc, value.at, n);
        cost->desc[n] = 0;
        return KEY_OK;
    }
    if (span_is(key, "tier")) return span_is(value, "fast") ? KEY_OK : KEY_BAD;
    if (span_is(key, "instr_table")) return set_table(cost, value) ? KEY_OK : KEY_BAD;
    for (unsigned i = 0; i < COST_COUNT; i++) {
        if (!span_is(key, event_keys[i])) continue;
        if (!span_number(value, event_max(event_keys[i]), &number)) return KEY_BAD;
        cost->event[i] = event_ticks(event_keys[i], number);
        return KEY_OK;
    }
    return KEY_UNKNOWN;
}

/* "key = value": sets it, or says what is wrong with it. where is a prefix of the message. */
static bool set_pair(struct cost *cost, struct span pair, const char *where, char *error, size_t size)
{
    const char *equals = memchr(pair.at, '=', pair.n);
    int shown = pair.n > 60 ? 60 : (int)pair.n;

    if (!equals) return fail(error, size, "%s'%.*s' is not key=value", where, shown, pair.at);
    struct span key = span_trim((struct span){pair.at, (size_t)(equals - pair.at)});
    struct span value = span_trim(
        (struct span){equals + 1, pair.n - (size_t)(equals - pair.at) - 1});
    int shown_key = key.n > 40 ? 40 : (int)key.n, shown_value = value.n > 40 ? 40 : (int)value.n;
    switch (set_key(cost, key, value)) {
    case KEY_OK: return true;
    case KEY_UNKNOWN:
        return fail(error, size, "%sunknown cost key '%.*s'", where, shown_key, key.at);
    case KEY_BAD:
    default:
        return fail(error, size, "%sbad value '%.*s' for cost key '%.*s'", where, shown_value,
                    value.at, shown_key, key.at);
    }
}

static const struct cost_builtin *find_builtin(struct span name)
{
    for (unsigned i = 0; i < cost_builtin_count; i++)
        if (span_is(name, cost_builtins[i].name)) return &cost_builtins[i];
    return NULL;
}

static bool unknown_profile(struct span name, char *error, size_t size)
{
    char list[160] = "";
    size_t used = 0;

    for (unsigned i = 0; i < cost_builtin_count && used < sizeof list; i++) {
        int n = snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", cost_builtins[i].name);
        if (n < 0) break;
        used += (size_t)n;
    }
    return fail(error, size, "unknown cost profile '%.*s' (there are %s)",
                name.n > 60 ? 60 : (int)name.n, name.at, list);
}

static bool read_text(struct cost *cost, const char *text, const char *name, char *error,
                      size_t size);

/* `base = NAME` as first key of a file: start from that built-in. */
static bool read_base(struct cost *cost, struct span line, const char *where, char *error,
                      size_t size)
{
    const char *equals = memchr(line.at, '=', line.n);
    struct span name = span_trim((struct span){equals + 1, line.n - (size_t)(equals - line.at) - 1});
    const struct cost_builtin *base = find_builtin(name);
    char why[200];

    if (base) return read_text(cost, base->text, NULL, error, size);
    unknown_profile(name, why, sizeof why);
    return fail(error, size, "%s%s", where, why);
}

static bool is_base(struct span line)
{
    const char *equals = memchr(line.at, '=', line.n);
    return equals && span_is(span_trim((struct span){line.at, (size_t)(equals - line.at)}), "base");
}

/* Each line of an .ini; a built-in has no name and cannot fail. */
static bool read_text(struct cost *cost, const char *text, const char *name, char *error,
                      size_t size)
{
    unsigned number = 0, keys = 0;

    while (*text) {
        size_t n = strcspn(text, "\n"), code = strcspn(text, "#\n");
        struct span line = span_trim((struct span){text, code});
        char where[80] = "";

        number++;
        if (name) snprintf(where, sizeof where, "%.60s:%u: ", name, number);
        if (line.n && keys == 0 && name && is_base(line)) {
            if (!read_base(cost, line, where, error, size)) return false;
        } else if (line.n && !set_pair(cost, line, where, error, size)) {
            return false;
        }
        keys += line.n != 0;
        text += n + (text[n] == '\n');
    }
    return true;
}

bool cost_load(struct cost *cost, const char *spec, const char *ini, char *error, size_t error_size)
{
    struct span name = {spec, strcspn(spec, ",")};
    const struct cost_builtin *builtin = find_builtin(ini ? (struct span){"teaching", 8} : name);

    memset(cost, 0, sizeof *cost);
    cost->tsc_den = cost->issue_width = 1;
    if (!builtin) return unknown_profile(name, error, error_size);
    if (!read_text(cost, builtin->text, NULL, error, error_size)) return false;
    size_t kept = name.n < sizeof cost->name ? name.n : sizeof cost->name - 1;
    memcpy(cost->name, name.at + (name.n - kept), kept);
    if (ini) {
        char file[64];
        snprintf(file, sizeof file, "%.*s", name.n > 60 ? 60 : (int)name.n, name.at);
        if (!read_text(cost, ini, file, error, error_size)) return false;
    }
    for (const char *rest = spec + name.n; *rest == ',';) {
        struct span pair = {rest + 1, strcspn(rest + 1, ",")};
        if (!set_pair(cost, pair, "", error, error_size)) return false;
        rest = pair.at + pair.n;
    }
    return true;
}

const char *cost_profile_name(unsigned index, const char **desc)
{
    if (index >= cost_builtin_count) return NULL;
    if (desc) *desc = cost_builtins[index].desc;
    return cost_builtins[index].name;
}

/* ---- forms ------------------------------------------------------------------------------------ */

static unsigned hash_bytes(const char *text, size_t n)
{
    uint32_t h = 0;

    for (size_t i = 0; i < n; i++) h = h * 31 + (unsigned char)text[i];
    return (h * 0x9e3779b1u) >> (32 - COST_HASH_BITS);
}

static const struct cost_row *find_row(const char *text, size_t n)
{
    for (unsigned at = hash_bytes(text, n);; at = (at + 1) % COST_HASH_SIZE) {
        if (!cost_hash[at]) return NULL;
        const struct cost_row *row = &cost_rows[cost_hash[at] - 1];
        if (strncmp(row->name, text, n) == 0 && row->name[n] == 0) return row;
    }
}

/* The default of a form without a row: its mnemonic's class; VEX forms take the SSE one's. */
static const struct cost_row *find_default(const char *form)
{
    if (strncmp(form, "lock_", 5) == 0) form += 5;
    if (strncmp(form, "rep_", 4) == 0) form += 4;
    size_t n = strcspn(form, "_");
    const struct cost_row *row = find_row(form, n);
    if (!row && form[0] == 'v' && n > 1) row = find_row(form + 1, n - 1);
    return row ? row : &cost_rows[cost_row_count - 1];
}

/* Exact: everything over the common denominator 100 * width, then half up. */
static uint32_t cell_ticks(const struct cost *cost, const struct cost_cell *cell)
{
    uint64_t width = cost->issue_width;
    uint64_t uops = cell->uops <= 2 ? 1 : cell->uops;
    uint64_t by_rtp = (uint64_t)TICKS_PER_CYCLE * cell->rtp * width;
    uint64_t by_issue = (uint64_t)TICKS_PER_CYCLE * uops * 100;
    uint64_t ticks = by_rtp > by_issue ? by_rtp : by_issue;
    int64_t late = (int64_t)cell->lat - 100;

    if (cell->marks & CELL_LOAD) late -= 100 * (int64_t)cost->load_latency;
    if (cell->rtp > 100) late -= cell->rtp - 100;
    if (late > 0) ticks += cost->share * (uint64_t)late * width;
    return (uint32_t)((2 * ticks + 100 * width) / (200 * width));
}

static bool is_locked(const char *form)
{
    return strncmp(form, "lock_", 5) == 0 || strncmp(form, "xchg_m", 6) == 0;
}

uint32_t cost_of_form(const struct cost *cost, const char *form, bool *gap)
{
    uint64_t ticks = cost->constant;

    if (gap) *gap = false;
    if (cost->column >= 0) {
        const struct cost_row *row = find_row(form, strlen(form));
        if (!row) row = find_default(form);
        ticks = cell_ticks(cost, &row->cell[cost->column]);
        if (gap) *gap = (row->cell[cost->column].marks & CELL_GAP) != 0;
    }
    if (is_locked(form)) ticks += cost->event[COST_LOCK_EXTRA];
    return ticks == 0 ? 1 : ticks > PRICE_MAX ? PRICE_MAX : (uint32_t)ticks;
}

const char *cost_form_name(unsigned index, const char **klass)
{
    if (index >= cost_form_count) return NULL;
    if (klass) *klass = cost_classes[cost_rows[index].klass];
    return cost_rows[index].name;
}
