/*
 * monitor.h - the machine monitor: one command line in, readable text out.
 *
 * Looks at a machine and steps it; knows only the public header. Every command says what it found in
 * a few lines; a command that fails says one line and leaves the machine as it was. While it is
 * attached it observes crossings, refusals and faults (for `events`, `why`, `crossing`, `refusal`),
 * which changes nothing that the guest can see.
 */
#ifndef KIT_MONITOR_H
#define KIT_MONITOR_H

#include <ringside/ringside.h>

/** Text to show, in pieces. */
typedef void (*monitor_print_fn)(void *ctx, const char *text);

struct monitor;

enum monitor_result { MONITOR_OK, MONITOR_ERROR, MONITOR_QUIT };

/** Attach to a machine. NULL without host memory or a free observer. */
struct monitor *monitor_new(rs_machine *m, monitor_print_fn print, void *ctx);
void monitor_free(struct monitor *mon);

/** Run one command line; an empty line or one that begins with '#' does nothing. */
enum monitor_result monitor_command(struct monitor *mon, const char *line);

/** Names of commands by index for completion, NULL past the end. */
const char *monitor_command_name(unsigned index);

/** The stop of the last command that ran the guest; reason RS_STOP_NONE if none has. */
const struct rs_stop_info *monitor_last_stop(const struct monitor *mon);

#endif
