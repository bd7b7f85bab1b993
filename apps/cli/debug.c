/*
 * debug.c - `ringside debug`: kit's monitor on readline, or fed from a script or from stdin.
 */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <readline/history.h>
#include <readline/readline.h>

#include "console.h"
#include "exit.h"
#include "guest.h"
#include "kit/monitor/monitor.h"
#include "trace.h"
#include "verbs.h"

static rs_machine *volatile signalled;

static void on_interrupt(int number)
{
    (void)number;
    if (signalled) rs_stop(signalled);
}

struct session {
    rs_machine *m;
    struct monitor *monitor;
    struct console console;
    struct trace trace;
    bool failed; /* some command was in error */
};

static void print(void *ctx, const char *text)
{
    struct session *s = ctx;

    console_flush(&s->console);
    trace_flush(&s->trace);
    fputs(text, stdout);
}

/* False at the end of the session. */
static bool one(struct session *s, const char *line)
{
    enum monitor_result result = monitor_command(s->monitor, line);

    console_flush(&s->console);
    trace_flush(&s->trace);
    fflush(stdout);
    if (result == MONITOR_ERROR) s->failed = true;
    return result != MONITOR_QUIT;
}

/* ---- by hand --------------------------------------------------------------------------------------------- */

static char *complete_command(const char *text, int state)
{
    static unsigned next;
    const char *name;

    if (state == 0) next = 0;
    while ((name = monitor_command_name(next)) != NULL) {
        next++;
        if (strncmp(name, text, strlen(text)) == 0) return strdup(name);
    }
    return NULL;
}

static void by_hand(struct session *s)
{
    char *line;
    bool go = true;

    rl_completion_entry_function = complete_command;
    printf("ringside monitor: help lists the commands, quit leaves\n");
    one(s, "x/i rip 1");
    while (go && (line = readline("(ringside) ")) != NULL) {
        if (*line) add_history(line);
        go = one(s, line);
        free(line);
    }
}

/* ---- from a file ------------------------------------------------------------------------------------------ */

static void from_file(struct session *s, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    bool go = true;

    while (go && (n = getline(&line, &room, in)) >= 0) {
        if (n > 0 && line[n - 1] == '\n') line[n - 1] = '\0';
        if (line[0] && line[0] != '#') printf("(ringside) %s\n", line);
        go = one(s, line);
    }
    free(line);
}

static int converse(const struct settings *settings, struct session *s)
{
    struct sigaction action = {.sa_handler = on_interrupt};

    signalled = s->m;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (settings->script && strcmp(settings->script, "-") != 0) {
        FILE *in = fopen(settings->script, "r");

        if (!in) {
            perror(settings->script);
            return EXIT_IMAGE;
        }
        from_file(s, in);
        fclose(in);
    } else if (!settings->script && isatty(STDIN_FILENO)) {
        by_hand(s);
        return EXIT_DONE;
    } else {
        from_file(s, stdin);
    }
    return s->failed ? EXIT_GUEST_FAILED : EXIT_DONE;
}

int verb_debug(const struct settings *settings)
{
    struct session *s = calloc(1, sizeof *s);

    if (!s) return EXIT_HOST;
    int status = console_open(&s->console, settings->serial);

    if (status < 0) status = trace_open(&s->trace, settings);
    if (status < 0) status = guest_build(settings, console_put, &s->console, &s->m);
    if (status < 0 && settings->input) status = guest_input_file(s->m, settings->input);
    if (status < 0) {
        s->console.m = s->m;
        s->console.flush_lines = true;
        s->monitor = trace_attach(&s->trace, s->m) ? monitor_new(s->m, print, s) : NULL;
        status = s->monitor ? converse(settings, s) : EXIT_HOST;
    }
    signalled = NULL;
    monitor_free(s->monitor);
    console_close(&s->console);
    trace_close(&s->trace);
    rs_destroy(s->m);
    free(s);
    return fflush(stdout) == 0 ? status : EXIT_HOST;
}
