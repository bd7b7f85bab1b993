/*
 * console.h - the guest's serial console: bytes out to stdout, a file or a pty, bytes in from stdin
 * or the pty.
 */
#ifndef CLI_CONSOLE_H
#define CLI_CONSOLE_H

#include <ringside/ringside.h>

#define CONSOLE_ROOM 16384u

struct console {
    int out, in;        /* -1: none */
    bool own_out;       /* ours to close */
    bool flush_lines;   /* somebody is watching */
    bool raw;           /* the terminal's settings are changed */
    bool spoke;         /* the guest has sent something */
    bool broken;        /* writing failed: closed pipe, disk full */
    const char *why;    /* what writing said */
    rs_machine *m;      /* told to stop when writing fails */
    uint64_t hash;      /* FNV-1a of all that was written */
    size_t used;
    uint8_t buffer[CONSOLE_ROOM];
};

/** --serial WHERE (NULL: stdio). Returns an exit status after one line, or -1. */
int console_open(struct console *c, const char *where);
/** rs_console_fn: COM1 and the 0xE9 door are shown, COM2..4 go nowhere. */
void console_put(void *console, unsigned channel, const uint8_t *bytes, size_t n);
void console_flush(struct console *c);
/** Raw mode while a terminal feeds the guest (Ctrl-C still interrupts). */
void console_raw(struct console *c, bool on);
/** Give the guest what there is to read, waiting up to `wait` milliseconds (-1: until there is).
 *  At the end of the input c->in becomes -1. */
void console_feed(struct console *c, int wait);
void console_close(struct console *c);

#endif
