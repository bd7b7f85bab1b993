/*
 * exit.h - the exit statuses of every verb, as interfaces.md fixes them.
 */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

enum exit_status {
    EXIT_DONE = 0,
    EXIT_GUEST_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_IMAGE = 3,
    EXIT_TRIPLE_FAULT = 4,
    EXIT_LIMIT = 5,
    EXIT_WALL = 6,
    EXIT_DEAD = 7,
    EXIT_INVARIANT = 8,
    EXIT_DIVERGED = 9,
    EXIT_GAP = 10, /* also: an option or verb that is promised and not there yet */
    EXIT_PANIC = 11,
    EXIT_HOST = 12,
    EXIT_INTERNAL = 70,
    EXIT_INTERRUPTED = 130
};

#endif
