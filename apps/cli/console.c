/*
 * console.c - COM1 outside the machine.
 */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE

#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "exit.h"

#define FNV_START 0xcbf29ce484222325ull
#define FNV_PRIME 0x100000001b3ull

static struct termios terminal_before; /* restored at exit, also when a signal ends us politely */

/* ---- opening ------------------------------------------------------------------------------------------ */

static int cannot(const char *what)
{
    fprintf(stderr, "ringside: --serial: %s: %s\n", what, strerror(errno));
    return EXIT_HOST;
}

static int open_pty(struct console *c)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY);

    if (fd < 0 || grantpt(fd) != 0 || unlockpt(fd) != 0) return cannot("pty");
    fprintf(stderr, "ringside: COM1 is %s\n", ptsname(fd));
    c->out = c->in = fd;
    c->own_out = true;
    c->flush_lines = true;
    return -1;
}

static int open_file(struct console *c, const char *path)
{
    c->out = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    c->own_out = true;
    return c->out < 0 ? cannot(path) : -1;
}

int console_open(struct console *c, const char *where)
{
    *c = (struct console){.out = -1, .in = -1, .hash = FNV_START};
    if (!where || strcmp(where, "stdio") == 0) {
        c->out = STDOUT_FILENO;
        c->in = STDIN_FILENO;
        c->flush_lines = isatty(STDOUT_FILENO);
        return -1;
    }
    if (strcmp(where, "null") == 0) return -1;
    if (strcmp(where, "pty") == 0) return open_pty(c);
    if (strncmp(where, "file:", 5) == 0 && where[5]) return open_file(c, where + 5);
    fprintf(stderr, "ringside: --serial %s: expected stdio, file:F, pty or null\n", where);
    return EXIT_USAGE;
}

void console_close(struct console *c)
{
    console_flush(c);
    console_raw(c, false);
    if (c->own_out && c->out >= 0) close(c->out);
    c->out = c->in = -1;
}

/* ---- out --------------------------------------------------------------------------------------------------- */

void console_flush(struct console *c)
{
    size_t done = 0;

    while (done < c->used && !c->broken && c->out >= 0) {
        ssize_t n = write(c->out, c->buffer + done, c->used - done);

        if (n >= 0) {
            done += (size_t)n;
        } else if (errno != EINTR) {
            c->broken = true;
            c->why = strerror(errno);
            if (c->m) rs_stop(c->m);
        }
    }
    c->used = 0;
}

void console_put(void *console, unsigned channel, const uint8_t *bytes, size_t n)
{
    struct console *c = console;

    if (channel != 0 && channel != 4) return;
    c->spoke = true;
    for (size_t i = 0; i < n; i++) {
        c->hash = (c->hash ^ bytes[i]) * FNV_PRIME;
        c->buffer[c->used++] = bytes[i];
        if (c->used == CONSOLE_ROOM || (c->flush_lines && bytes[i] == '\n')) console_flush(c);
    }
}

/* ---- in ------------------------------------------------------------------------------------------------------ */

static void terminal_restore(void) { tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before); }

void console_raw(struct console *c, bool on)
{
    struct termios raw;

    if (on == c->raw || (on && (c->in != STDIN_FILENO || !isatty(STDIN_FILENO)))) return;
    if (!on) {
        terminal_restore();
        c->raw = false;
        return;
    }
    if (tcgetattr(STDIN_FILENO, &terminal_before) != 0) return;
    raw = terminal_before;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_iflag &= (tcflag_t) ~ICRNL;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) != 0) return;
    atexit(terminal_restore);
    c->raw = true;
}

void console_feed(struct console *c, int wait)
{
    uint8_t bytes[4096];
    struct pollfd p = {.fd = c->in, .events = POLLIN};

    if (c->in < 0 || poll(&p, 1, wait) <= 0) return;
    ssize_t n = read(c->in, bytes, sizeof bytes);

    if (n > 0)
        (void)rs_input(c->m, 0, bytes, (size_t)n);
    else if (n == 0 || (errno != EINTR && !(errno == EIO && c->own_out))) /* EIO: nobody at the pty */
        c->in = -1;
}
