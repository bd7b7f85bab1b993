/*
 * abi.h - the numbers that the kernel, its programs and graders outside the machine share.
 *
 * System-call numbers, error numbers and signal numbers are those of 64-bit Linux, so that programs
 * built with musl-gcc run here. Assembly includes this file too: constants only.
 */
#ifndef GUESTOS_ABI_H
#define GUESTOS_ABI_H

/* How the machine ends: a write to this port. 0 is success, anything else is a failure. */
#define ABI_EXIT_PORT 0xf4
#define ABI_EXIT_PANIC 0x7e   /* the kernel gave up */
#define ABI_EXIT_NO_BOOT 0x7d /* the boot code met a loader or a CPU that it cannot use */

/* Addresses that belong to the kernel; the crimes aim at them. */
#define ABI_KERNEL_TEXT 0xffffffff80101000 /* kernel code: present, executable, U/S=0 */
#define ABI_KERNEL_DATA 0xffff800000000000 /* the map of RAM: present, writable, U/S=0 */

/* System calls. Number in rax; arguments in rdi, rsi, rdx, r10, r8, r9; result in rax. */
#define SYS_read 0
#define SYS_write 1
#define SYS_mmap 9
#define SYS_mprotect 10
#define SYS_munmap 11
#define SYS_brk 12
#define SYS_ioctl 16
#define SYS_writev 20
#define SYS_sched_yield 24
#define SYS_nanosleep 35
#define SYS_getpid 39
#define SYS_fork 57
#define SYS_execve 59
#define SYS_exit 60
#define SYS_wait4 61
#define SYS_uname 63
#define SYS_getrusage 98
#define SYS_getppid 110
#define SYS_arch_prctl 158
#define SYS_gettid 186
#define SYS_set_tid_address 218
#define SYS_exit_group 231
#define SYS_LIMIT 256 /* one more than the largest number the table can hold */

/* Errors. A call that fails returns one of these, negated. */
#define ENOENT 2
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EFAULT 14
#define EINVAL 22
#define ENOTTY 25
#define ENAMETOOLONG 36
#define ENOSYS 38

/* Signals. None is delivered to a handler yet: each of these ends the process. */
#define SIGILL 4
#define SIGTRAP 5
#define SIGBUS 7
#define SIGFPE 8
#define SIGSEGV 11

/* A shell writes "ended by signal s" as status 128 + s. */
#define ABI_STATUS_SIGNALLED 128

/* A crime that the machine let through exits with this status instead of being killed. */
#define ABI_STATUS_SURVIVED 99

#endif
