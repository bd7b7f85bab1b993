/*
 * limits.c - asks for more than there is. The kernel must refuse, keep nothing, and go on serving.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define TOO_MUCH ((size_t)1 << 40)
#define PROCESSES_LIMIT 64 /* more than the kernel has slots for */
#define PAUSE_MICROSECONDS 500

static int memory_is_limited(void)
{
    void *p = mmap(NULL, TOO_MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED && errno == ENOMEM && sbrk((intptr_t)TOO_MUCH) == (void *)-1;
}

/* Children that sleep until all slots are taken. Returns how many there were when fork() refused.
 */
static int fork_until_refused(void)
{
    for (int children = 0; children < PROCESSES_LIMIT; children++) {
        pid_t child = fork();
        if (child < 0) return errno == EAGAIN ? children : 0;
        if (child == 0) {
            usleep(PAUSE_MICROSECONDS);
            _exit(0);
        }
    }
    return 0;
}

static int reap_all(void)
{
    int reaped = 0;
    while (wait(NULL) > 0) reaped++;
    return reaped;
}

int main(void)
{
    int memory = memory_is_limited();
    int first = fork_until_refused(), first_reaped = reap_all();
    int again = fork_until_refused(), again_reaped = reap_all();
    int processes = first > 0 && first == first_reaped && again == first && again_reaped == again;

    printf("limits: a terabyte is %s, one process too many is %s\n", memory ? "refused" : "GIVEN",
           processes ? "refused" : "NOT refused properly");
    return memory && processes ? 0 : 1;
}
