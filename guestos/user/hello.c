/*
 * hello.c - the smallest proof that a program built with musl-gcc runs: the C library starts,
 * printf formats, the arguments have arrived.
 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct utsname names;

    if (uname(&names) != 0 || argc != 1 || !strstr(argv[0], "hello")) return 1;
    printf("hello from ring 3: %s %s, pid is positive: %d, -1 is %x, %c%s\n", names.sysname,
           names.machine, getpid() > 0, -1, '%', "d");
    return 0;
}
