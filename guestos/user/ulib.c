/*
 * ulib.c - see ulib.h.
 */
#include "ulib.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

long times_preempted(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
    return usage.ru_nivcsw;
}

/* Waiting without sleeping: the timer always finds a third process to switch to. */
static int wait_restlessly(void)
{
    int status;
    while (waitpid(-1, &status, WNOHANG) == 0) sched_yield();
    return status;
}

int run_pair(int (*body)(int which))
{
    int good = 0;

    fflush(stdout);
    for (int which = 0; which < 2; which++) {
        if (fork() == 0) exit(body(which));
    }
    for (int which = 0; which < 2; which++) good += wait_restlessly() == 0;
    return good;
}
