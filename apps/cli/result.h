/*
 * result.h - a finished run told: exit status, last line, ledger table, JSON object.
 */
#ifndef CLI_RESULT_H
#define CLI_RESULT_H

#include <ringside/ringside.h>
#include <stdio.h>

#include "coverage.h"

/** The process status for a stop; qemu: as under QEMU's debug-exit device. */
int result_status(const struct rs_stop_info *stop, bool qemu);
/** "ringside: stopped: guest exit 0 after ... instructions, ... cycles" on stderr, after the chain of
 *  causes where there is one. */
void result_line(const struct rs_stop_info *stop);
/** The ledger as a table. */
void result_ledger(const rs_machine *m, FILE *out);
/** Write the --result object, with the coverage if it is on; false after one line. */
bool result_write(rs_machine *m, const struct rs_stop_info *stop, int status, uint64_t console_hash,
                  const struct coverage *v, FILE *out);

#endif
