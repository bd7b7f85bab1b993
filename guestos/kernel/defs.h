/*
 * defs.h - what each file of the kernel offers the others. Each function is explained where it is.
 */
#ifndef GUESTOS_DEFS_H
#define GUESTOS_DEFS_H

#include "../abi/abi.h"
#include "layout.h"
#include "x86.h"

struct proc;
struct trapframe;
struct multiboot_info;

/* lib.c: what gcc expects to find, and a little more. */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
bool str_equal(const char *a, const char *b);
bool str_contains(const char *s, const char *part);

/* console.c */
void console_init(void);
void console_write(const char *text, size_t size);
int console_read(void);
void kprintf(const char *format, ...);

/* panic.c */
void machine_exit(int value) __attribute__((noreturn));
void panic(const char *why) __attribute__((noreturn));
void panic_trap(const struct trapframe *tf) __attribute__((noreturn));
void describe_fault(const struct trapframe *tf);

/* kalloc.c */
void kalloc_init(const struct multiboot_info *info);
void *kalloc(void);
void kfree(void *page);
uint64_t kalloc_available(void);

/* cpu.c */
void cpu_init(void);
void cpu_set_kernel_stack(uint64_t top);
extern const struct fx_state *const fx_fresh;

/* vm.c */
void vm_init(void);
uint64_t vm_phys(const void *page);
void vm_switch(const uint64_t *pml4);
void vm_switch_to_kernel(void);
uint64_t *vm_new(void);
void vm_free(uint64_t *pml4);
uint64_t *vm_fork(uint64_t *pml4);
int vm_map(uint64_t *pml4, uint64_t lin, uint64_t size, uint64_t rights);
void vm_unmap(uint64_t *pml4, uint64_t lin, uint64_t size);
int vm_protect(uint64_t *pml4, uint64_t lin, uint64_t size, uint64_t rights);
int vm_write(uint64_t *pml4, uint64_t lin, const void *from, size_t size);

/* usercopy.c */
bool user_range_ok(uint64_t lin, uint64_t size);
int copy_from_user(void *to, uint64_t from, size_t size);
int copy_to_user(uint64_t to, const void *from, size_t size);
long copy_string_from_user(char *to, uint64_t from, size_t room);
bool usercopy_fixup(struct trapframe *tf);

/* usercopy.S */
size_t copy_bytes(void *to, const void *from, size_t size);
extern uint8_t cpu_has_smap;

/* timer.c */
void timer_init(void);
void timer_irq(unsigned irq);
uint64_t timer_ticks(void);
#define TIMER_HZ 1000

/* initramfs.c */
const uint8_t *initramfs_find(const char *path, size_t *size);

/* exec.c */
int exec(const char *path, char *const argv[], size_t argc);

/* proc.c */
void proc_init(void);
void proc_start_init(void);
void proc_idle(void) __attribute__((noreturn));
int proc_fork(void);
void proc_exit(int wait_status) __attribute__((noreturn));
long proc_wait(long pid, int *wait_status, bool block);
void proc_sleep(const void *on);
void proc_wake(const void *on);
void proc_wake_at(uint64_t tick);
void proc_yield(bool forced);

/* provoke.c */
void provoke(const char *command_line);

/* swtch.S */
struct context;
void swtch(struct context **from, struct context *to);

/* trap.c */
void trap(struct trapframe *tf);
const char *exception_name(uint64_t vector);

/* syscall.c */
void syscall(struct trapframe *tf);

/* Bounds that link.ld defines; take their addresses. */
extern char text_start[], text_end[], rodata_start[], data_start[], image_end[];

static inline uint64_t round_up(uint64_t n)
{
    return (n + PAGE_SIZE - 1) & ~(uint64_t)(PAGE_SIZE - 1);
}

static inline uint64_t round_down(uint64_t n)
{
    return n & ~(uint64_t)(PAGE_SIZE - 1);
}

#endif
