/*
 * init.c - the first process: runs every other program in turn and judges how each one ended.
 *
 * Good programs must exit with 0. Each crime must be ended by exactly the signal listed, while a
 * bystander that runs beside it must finish undisturbed. Returns 0 when all of that came true.
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYSTANDER_ROUNDS 4
#define BYSTANDER_SPIN 250

/* A program and the signal that must end it; 0 means that it must exit with 0. */
struct entry {
    const char *path;
    int sig;
};

static const struct entry good[] = {
    {"/bin/hello", 0},  {"/bin/compute", 0}, {"/bin/memory", 0}, {"/bin/limits", 0},
    {"/bin/prices", 0}, {"/bin/spin", 0},    {"/bin/fptest", 0}, {"/bin/badptr", 0},
};

static const struct entry crimes[] = {
    {"/crimes/cli", SIGSEGV},         {"/crimes/hlt", SIGSEGV},
    {"/crimes/in", SIGSEGV},          {"/crimes/movcr3", SIGSEGV},
    {"/crimes/wrmsr", SIGSEGV},       {"/crimes/lgdt", SIGSEGV},
    {"/crimes/read_kernel", SIGSEGV}, {"/crimes/write_kernel", SIGSEGV},
    {"/crimes/exec_kernel", SIGSEGV}, {"/crimes/write_code", SIGSEGV},
    {"/crimes/exec_stack", SIGSEGV},  {"/crimes/null", SIGSEGV},
    {"/crimes/div0", SIGFPE},         {"/crimes/ud", SIGILL},
    {"/crimes/noncanon", SIGSEGV},    {"/crimes/stack_overflow", SIGSEGV},
};

#define COUNT(table) ((int)(sizeof(table) / sizeof(table[0])))

static pid_t start(const char *path)
{
    char *const argv[] = {(char *)path, NULL};
    char *const envp[] = {NULL};
    pid_t child = fork();

    if (child == 0) {
        execve(path, argv, envp);
        _exit(127);
    }
    return child;
}

static int wait_for(pid_t child)
{
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

/* Says whether a program ended as its entry demands; complains when it did not. */
static int ended_well(const struct entry *e, int status)
{
    int as_expected = e->sig ? WIFSIGNALED(status) && WTERMSIG(status) == e->sig : status == 0;

    if (!as_expected) printf("init: WRONG: %s ended with wait status 0x%x\n", e->path, status);
    return as_expected;
}

/* A little honest work with pauses, done by a child while a crime is being committed beside it. */
static pid_t start_bystander(void)
{
    pid_t child = fork();
    if (child != 0) return child;

    volatile uint32_t sum = 0;
    for (int round = 0; round < BYSTANDER_ROUNDS; round++) {
        for (uint32_t i = 0; i < BYSTANDER_SPIN; i++) sum += i;
        sched_yield();
    }
    _exit(sum == BYSTANDER_ROUNDS * (BYSTANDER_SPIN * (BYSTANDER_SPIN - 1) / 2) ? 0 : 1);
}

static int run_good(void)
{
    int well = 0;

    printf("\ninit: programs that keep to the rules\n");
    for (int i = 0; i < COUNT(good); i++)
        well += ended_well(&good[i], wait_for(start(good[i].path)));
    return well;
}

static int run_crimes(int *bystanders)
{
    int well = 0;

    printf("\ninit: programs that break one rule each, with a bystander beside them\n");
    for (int i = 0; i < COUNT(crimes); i++) {
        pid_t bystander = start_bystander();
        well += ended_well(&crimes[i], wait_for(start(crimes[i].path)));
        *bystanders += wait_for(bystander) == 0;
    }
    return well;
}

int main(void)
{
    int bystanders = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    int well = run_good();
    int caught = run_crimes(&bystanders);

    printf("\ninit: %d of %d programs kept to the rules and succeeded\n", well, COUNT(good));
    printf("init: %d of %d crimes were stopped as they should be\n", caught, COUNT(crimes));
    printf("init: %d of %d bystanders finished undisturbed\n", bystanders, COUNT(crimes));
    return well == COUNT(good) && caught == COUNT(crimes) && bystanders == COUNT(crimes) ? 0 : 1;
}
