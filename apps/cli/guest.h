/*
 * guest.h - from settings to a machine with its image loaded: what `run` and `debug` share.
 */
#ifndef CLI_GUEST_H
#define CLI_GUEST_H

#include <ringside/ringside.h>

#include "options.h"

/** Builds the machine and loads the image named by the first word. On failure prints one line and
 *  returns an exit status, else -1. The caller destroys *out. */
int guest_build(const struct settings *s, rs_console_fn console, void *ctx, rs_machine **out);

/** What --trace KINDS means. False after printing one line. */
bool guest_trace_mask(const char *kinds, uint64_t *mask, bool *refused_only);

/** Queue the lines of an --input file on COM1. Returns an exit status or -1. */
int guest_input_file(rs_machine *m, const char *path);

#endif
