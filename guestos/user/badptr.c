/*
 * badptr.c - hands the kernel pointers that the caller itself could not use. Each call must fail
 * with EFAULT, and the kernel must live. The last call does not exist and must fail with ENOSYS.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#define KERNEL_ADDRESS 0xffffffff80101000
#define UNMAPPED 0x10000ul
#define NON_CANONICAL 0x8000000000000000
#define LAST_USER_PAGE 0x00007fffffffe000
#define NO_SUCH_CALL 251

int main(void);

/* One call that must be refused, and how. */
static const struct {
    const char *what;
    long number, a, b, c;
    int error;
} attempts[] = {
    {"write from kernel code", SYS_write, 1, (long)KERNEL_ADDRESS, 16, EFAULT},
    {"write from an empty page", SYS_write, 1, UNMAPPED, 16, EFAULT},
    {"write from a non-canonical address", SYS_write, 1, (long)NON_CANONICAL, 16, EFAULT},
    {"write from a range that wraps", SYS_write, 1, 0x1000, -0x800, EFAULT},
    {"write from a range into the kernel", SYS_write, 1, LAST_USER_PAGE, 0x800000000000, EFAULT},
    {"uname into kernel code", SYS_uname, (long)KERNEL_ADDRESS, 0, 0, EFAULT},
    {"uname into its own code", SYS_uname, (long)main, 0, 0, EFAULT},
    {"nanosleep from null", SYS_nanosleep, 0, 0, 0, EFAULT},
    {"execve of a kernel string", SYS_execve, (long)KERNEL_ADDRESS, 0, 0, EFAULT},
    {"a call that does not exist", NO_SUCH_CALL, 0, 0, 0, ENOSYS},
};

#define ATTEMPTS ((int)(sizeof(attempts) / sizeof(attempts[0])))

int main(void)
{
    int refused = 0;

    for (int i = 0; i < ATTEMPTS; i++) {
        long result = syscall(attempts[i].number, attempts[i].a, attempts[i].b, attempts[i].c);
        if (result == -1 && errno == attempts[i].error)
            refused++;
        else
            printf("badptr: %s gave %ld, errno %d\n", attempts[i].what, result, errno);
    }
    printf("badptr: %d of %d bad calls refused\n", refused, ATTEMPTS);
    return refused == ATTEMPTS ? 0 : 1;
}
