/*
 * trace.h - an event log that is written while the guest runs.
 */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <ringside/ringside.h>

#include "options.h"

#define TRACE_ROOM 32768u

struct trace {
    bool on;           /* some kinds are wanted */
    uint64_t mask;
    bool refused_only;
    enum rs_log_format format;
    int fd;
    bool own_fd;
    bool attached;
    unsigned id;       /* of the observer, while attached */
    uint64_t limit;    /* --max-log, UINT64_MAX if none */
    uint64_t written;  /* bytes so far */
    bool full, broken; /* why the observer stopped the run */
    const char *why;
    size_t used;
    char buffer[TRACE_ROOM];
};

/** From --trace, --trace-out, --trace-format, --max-log. Returns an exit status or -1. */
int trace_open(struct trace *t, const struct settings *s);
bool trace_attach(struct trace *t, rs_machine *m);
void trace_detach(struct trace *t, rs_machine *m);
void trace_flush(struct trace *t);
void trace_close(struct trace *t);

#endif
