/*
 * guest.c - the part every bench guest shares: console, command line, tables, START and DONE.
 *
 * Prints on COM1 (and on port 0xE9 with `e9` on the command line):
 *     START name
 *     DONE name <iterations> <checksum>
 *     NOTE name tsc=<TSC between the lines> units=<per iteration> ticks=<timer interrupts>
 * Command-line words: n=NUMBER iterations; e9; linger = read a port for a while after DONE, so
 * that a harness can read the emulator's CPU clock before it exits.
 */
#include "guest.h"

uint64_t kernel_units, kernel_ticks;
__attribute__((weak)) void kernel_setup(void) {}

enum { COM1 = 0x3F8, LSR_THRE = 0x20, THRE_PATIENCE = 2000000, LINGER_READS = 4000 };
extern uint32_t mb_magic, mb_info;
extern uint64_t gdt[];
extern char vector_stubs[], trap_stack_top[];
void user_exit_gate(void);
void guest_main(void);
_Noreturn void guest_unexpected(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2);

static int use_e9;

void *memset(void *d, int c, size_t n)
{
    void *r = d;
    __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
    return r;
}
void *memcpy(void *restrict d, const void *restrict s, size_t n)
{
    void *r = d;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n)::"memory");
    return r;
}

/* ---- console -------------------------------------------------------------------------- */

static void uart_init(void)
{
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 0x80); /* divisor 1: 115200 */
    outb(COM1 + 0, 1);
    outb(COM1 + 1, 0);
    outb(COM1 + 3, 3);
    outb(COM1 + 2, 0);
}

static void put_char(char c)
{
    for (int i = 0; i < THRE_PATIENCE && !(inb(COM1 + 5) & LSR_THRE); i++) {
    }
    outb(COM1, (uint8_t)c);
    if (use_e9) outb(0xE9, (uint8_t)c);
}

static void put(const char *s)
{
    while (*s) put_char(*s++);
}

static void put_number(uint64_t v, unsigned base)
{
    char buf[24], *p = buf + sizeof buf;

    *--p = 0;
    do {
        *--p = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    put(p);
}

/* ---- command line --------------------------------------------------------------------- */

static int is_end(char c) { return c == 0 || c == ' '; }

/* The text after KEY where KEY starts a word of the line, or NULL. The last one wins. */
static const char *find_word(const char *line, const char *key)
{
    const char *found = NULL;

    for (const char *w = line; *w;) {
        const char *p = w, *k = key;
        while (*k && *p == *k) p++, k++;
        if (!*k) found = p;
        while (!is_end(*w)) w++;
        while (*w == ' ') w++;
    }
    return found;
}

static uint64_t parse_number(const char *s, uint64_t fallback)
{
    uint64_t v = 0;

    if (!s || *s < '0' || *s > '9') return fallback;
    while (*s >= '0' && *s <= '9') v = v * 10 + (uint64_t)(*s++ - '0');
    return v;
}

static void command_line(char *to, size_t size)
{
    const uint32_t *info = (const uint32_t *)(uintptr_t)mb_info;

    to[0] = 0;
    if (mb_magic != 0x2BADB002 || !(info[0] & 4)) return;
    const char *from = (const char *)(uintptr_t)info[4];
    size_t i = 0;
    for (; i + 1 < size && from[i]; i++) to[i] = from[i];
    to[i] = 0;
}

/* ---- tables --------------------------------------------------------------------------- */

struct gate {
    uint16_t off0, sel;
    uint8_t ist, type;
    uint16_t off1;
    uint32_t off2, zero;
};
static struct gate idt[256];
static struct {
    uint32_t r0;
    uint32_t rsp[6];
    uint32_t r1[18];
    uint32_t iomap;
} __attribute__((packed, aligned(16))) tss;
static struct {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed)) idt_pointer;

void set_gate(unsigned vector, void (*entry)(void), unsigned dpl)
{
    uint64_t a = (uint64_t)(uintptr_t)entry;

    idt[vector] = (struct gate){(uint16_t)a, 0x08, 0, (uint8_t)(0x8E | dpl << 5),
                                (uint16_t)(a >> 16), (uint32_t)(a >> 32), 0};
}

static void tables_init(void)
{
    uint64_t base = (uint64_t)(uintptr_t)&tss, limit = 103;

    for (unsigned v = 0; v < 32; v++)
        set_gate(v, (void (*)(void))(uintptr_t)(vector_stubs + 16 * v), 0);
    set_gate(0x81, user_exit_gate, 3);
    tss.rsp[0] = (uint32_t)(uintptr_t)trap_stack_top;
    tss.iomap = 104u << 16;
    gdt[5] = limit | (base & 0xFFFFFF) << 16 | 0x89ull << 40 | (base >> 24 & 0xFF) << 56;
    gdt[6] = base >> 32;
    idt_pointer.limit = sizeof idt - 1;
    idt_pointer.base = (uint64_t)(uintptr_t)idt;
    __asm__ volatile("lidt %0; ltr %w1" ::"m"(idt_pointer), "r"(0x28));
}

/* ---- end and main --------------------------------------------------------------------- */

static _Noreturn void finish(uint8_t status)
{
    __asm__ volatile("outl %0,%1" ::"a"((uint32_t)status), "Nd"((uint16_t)0xF4));
    for (const char *s = "Shutdown"; *s; s++) outb(0x8900, (uint8_t)*s);
    for (;;) __asm__ volatile("cli; hlt");
}

_Noreturn void guest_unexpected(uint64_t vector, uint64_t error, uint64_t rip, uint64_t cr2)
{
    put("\nFAULT ");
    put(guest_name);
    put(" vector ");
    put_number(vector, 10);
    put(" error 0x");
    put_number(error, 16);
    put(" rip 0x");
    put_number(rip, 16);
    put(" cr2 0x");
    put_number(cr2, 16);
    put("\n");
    finish(1);
}

void guest_main(void)
{
    static char line[512];

    command_line(line, sizeof line);
    const char *e9 = find_word(line, "e9");
    const char *linger = find_word(line, "linger");
    uint64_t n = parse_number(find_word(line, "n="), guest_default_n);

    use_e9 = e9 && is_end(*e9);
    outb(0x21, 0xFF); /* both PICs masked: a pending tick of the BIOS's timer slows QEMU's exits */
    outb(0xA1, 0xFF);
    uart_init();
    tables_init();
    kernel_setup();
    put("START ");
    put(guest_name);
    put("\n");
    uint64_t t0 = rdtsc();
    uint64_t sum = kernel_run(n);
    uint64_t t1 = rdtsc();
    put("DONE ");
    put(guest_name);
    put(" ");
    put_number(n, 10);
    put(" ");
    put_number(sum, 16);
    put("\nNOTE ");
    put(guest_name);
    put(" tsc=");
    put_number(t1 - t0, 10);
    put(" units=");
    put_number(kernel_units, 10);
    put(" ticks=");
    put_number(kernel_ticks, 10);
    put("\n");
    if (linger && is_end(*linger))
        for (int i = 0; i < LINGER_READS; i++) inb(COM1 + 5);
    finish(0);
}
