/*
 * log.c - the line builder and the two entry points of log.h.
 */
#include "emu/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/ports.h"

#define STRING(x) #x
#define NUMBER_TEXT(x) STRING(x)

void line_add(struct line *l, const char *format, ...)
{
    va_list args;

    if (l->n + 1 >= l->size) return;
    va_start(args, format);
    int n = vsnprintf(l->out + l->n, l->size - l->n, format, args);
    va_end(args);
    if (n < 0) return;
    l->n += (size_t)n;
    if (l->n >= l->size) l->n = l->size - 1;
}

void line_put(struct line *l, const char *bytes, size_t n)
{
    if (l->n + 1 >= l->size) return;
    if (n > l->size - 1 - l->n) n = l->size - 1 - l->n;
    memcpy(l->out + l->n, bytes, n);
    l->n += n;
    l->out[l->n] = 0;
}

void line_cycles(struct line *l, uint64_t ticks)
{
    uint64_t millionths = ticks % TICKS_PER_CYCLE * (1000000 / TICKS_PER_CYCLE);
    char digits[8];
    size_t n = 6;

    line_add(l, "%" PRIu64, ticks / TICKS_PER_CYCLE);
    if (!millionths) return;
    snprintf(digits, sizeof digits, "%06u", (unsigned)millionths);
    while (n && digits[n - 1] == '0') n--;
    line_add(l, ".%.*s", (int)n, digits);
}

const char *line_name(const struct log_context *context, uint64_t address, uint64_t *offset, char *out,
                      size_t size)
{
    const char *name = context->symbols.find ? context->symbols.find(context->symbols.ctx, address, offset) : NULL;
    size_t n = 0;

    if (!name) return NULL;
    for (; name[n] && n + 1 < size; n++) out[n] = name[n] > ' ' && name[n] < 0x7f ? name[n] : '?';
    out[n] = 0;
    return out;
}

void line_symbol(struct line *l, const struct log_context *context, uint64_t address)
{
    uint64_t offset = 0;
    char name[LOG_NAME_MAX];

    if (!line_name(context, address, &offset, name, sizeof name)) return;
    if (offset) line_add(l, " <%s+0x%" PRIx64 ">", name, offset);
    else line_add(l, " <%s>", name);
}

size_t log_format(const struct log_context *context, const struct rs_event *event,
                  enum rs_log_format format, char *out, size_t size)
{
    struct line l = {out, size, 0};

    if (!size) return 0;
    out[0] = 0;
    if (event->kind >= RS_EV_COUNT) return 0;
    if (format == RS_LOG_JSONL) log_json(&l, context, event);
    else log_text(&l, context, event);
    if (l.n + 1 >= l.size && l.n) l.n--; /* a cut line still ends in its newline */
    line_add(&l, "\n");
    return l.n;
}

const char *log_header(enum rs_log_format format)
{
    if (format != RS_LOG_JSONL) return "";
    return "{\"schema\":\"ringside-events\",\"version\":" NUMBER_TEXT(
        RS_EVENT_SCHEMA_VERSION) ",\"ringside\":\"" RS_VERSION_STRING "\",\"ticks_per_cycle\":64}\n";
}
