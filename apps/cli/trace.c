/*
 * trace.c - an observer that renders events into a buffered file.
 */
#define _POSIX_C_SOURCE 200809L

#include "trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "exit.h"
#include "guest.h"

#define LINE_LONGEST 2048u

void trace_flush(struct trace *t)
{
    size_t done = 0;

    while (done < t->used && !t->broken) {
        ssize_t n = write(t->fd, t->buffer + done, t->used - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            t->broken = true;
            t->why = strerror(errno);
        }
    }
    t->used = 0;
}

/* False when a limit is reached or the file is broken. */
static bool put(struct trace *t, const char *bytes, size_t n)
{
    if (t->written + n > t->limit) {
        t->full = true;
        return false;
    }
    if (t->used + n > TRACE_ROOM) trace_flush(t);
    memcpy(t->buffer + t->used, bytes, n);
    t->used += n;
    t->written += n;
    return !t->broken;
}

static bool observe(void *ctx, rs_machine *m, const struct rs_event *event)
{
    struct trace *t = ctx;
    char line[LINE_LONGEST];

    if (t->full || t->broken) return true;
    return !put(t, line, rs_event_format(m, event, t->format, line, sizeof line));
}

bool trace_attach(struct trace *t, rs_machine *m)
{
    if (!t->on || t->attached) return true;
    if (rs_observer_add(m, t->mask, t->refused_only, observe, t, &t->id) != RS_OK) {
        fprintf(stderr, "ringside: --trace: %s\n", rs_error(m));
        return false;
    }
    t->attached = true;
    return true;
}

void trace_detach(struct trace *t, rs_machine *m)
{
    if (t->attached) rs_observer_remove(m, t->id);
    t->attached = false;
}

int trace_open(struct trace *t, const struct settings *s)
{
    const char *kinds = s->trace ? s->trace : s->trace_out ? "crossing,refused" : NULL;

    *t = (struct trace){.fd = STDERR_FILENO, .limit = s->max_log.given ? s->max_log.value : UINT64_MAX};
    t->format = s->trace_format == FORMAT_JSONL ? RS_LOG_JSONL : RS_LOG_TEXT;
    if (!kinds) return -1;
    if (!guest_trace_mask(kinds, &t->mask, &t->refused_only)) return EXIT_USAGE;
    t->on = t->mask != 0;
    if (s->trace_out && strcmp(s->trace_out, "-") == 0) {
        t->fd = STDOUT_FILENO;
    } else if (s->trace_out) {
        t->fd = open(s->trace_out, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        t->own_fd = true;
    }
    if (t->fd < 0) {
        fprintf(stderr, "ringside: --trace-out %s: %s\n", s->trace_out, strerror(errno));
        return EXIT_HOST;
    }
    const char *header = rs_log_header(t->format);

    if (t->on && header) put(t, header, strlen(header));
    return -1;
}

void trace_close(struct trace *t)
{
    trace_flush(t);
    if (t->own_fd && t->fd >= 0 && close(t->fd) != 0 && !t->broken) {
        t->broken = true;
        t->why = strerror(errno);
    }
    t->fd = -1;
}
