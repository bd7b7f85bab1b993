/*
 * world.c - the machine that the cases live in, and the lines they print:
 *     CASE <id> | <title> | <what the manual says> | <what happened>
 * Console is COM1; the end is port 0xF4 (Ringside, QEMU) or "Shutdown" to port 0x8900 (Bochs).
 */
#include "world.h"

extern char stubs[];
extern uint64_t *saw_frame, saw_cr2, saw_dr6, saw_dr7, saw_r11, pd[];
void run_case(void (*code)(void), uint32_t ring);
extern char trap_stack_top[];

static uint64_t idt[512] __attribute__((aligned(16)));
static uint64_t gdt_of_cases[32] __attribute__((aligned(16)));
static uint32_t tss[26] __attribute__((aligned(16)));

static void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port));
}

static uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static void put(char ch)
{
    while (!(in8(0x3FD) & 0x20)) {
    }
    out8(0x3F8, (uint8_t)ch);
}

static void text(const char *s)
{
    for (; *s; s++) {
        put(*s);
    }
}

static void hex(uint64_t value)
{
    int shift = 60;
    while (shift > 0 && !(value >> shift)) {
        shift -= 4;
    }
    for (; shift >= 0; shift -= 4) {
        put("0123456789abcdef"[value >> shift & 15]);
    }
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static void load_table(bool is_idt, void *base, uint16_t limit)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) at = {limit, (uint64_t)base};
    if (is_idt) {
        __asm__ volatile("lidt %0" ::"m"(at));
    } else {
        __asm__ volatile("lgdt %0" ::"m"(at));
    }
}

/* Selectors are named in world.h. Made anew for every case. */
static void make_tables(void)
{
    static const uint64_t rows[32] = {
        [1] = 0x00AF9B000000FFFF,  [2] = 0x00CF93000000FFFF, [3] = 0x00CFF3000000FFFF,
        [4] = 0x00AFFB000000FFFF,  [7] = 0x00EF9B000000FFFF, /* SEL_LD: L and D */
        [8] = 0x00AF1B000000FFFF,                            /* SEL_ABSENT: code, not present */
        [11] = 0x0000820000000000,                           /* SEL_LDT, an empty one */
        [12] = 0x00CF13000000FFFF,                           /* SEL_SS_ABSENT: data, not present */
    };
    for (int i = 0; i < 32; i++) {
        gdt_of_cases[i] = rows[i];
    }
    uint64_t base = (uint64_t)tss;
    *(uint64_t *)((char *)tss + 36) = (uint64_t)trap_stack_top; /* IST1 */
    *(uint64_t *)((char *)tss + 4) = (uint64_t)trap_stack_top;  /* RSP0 */
    tss[25] = sizeof tss << 16; /* no I/O map: its base lies beyond the limit */
    gdt_of_cases[5] = 0x0000890000000067 | (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56;
    uint64_t gate = (uint64_t)stubs; /* SEL_GATE: a 64-bit call gate */
    gdt_of_cases[9] = (gate & 0xFFFF) | 0x08 << 16 | 0xECULL << 40 | (gate >> 16 & 0xFFFF) << 48;
    load_table(false, gdt_of_cases, sizeof gdt_of_cases - 1);
    __asm__ volatile("ltr %w0" ::"r"(SEL_TSS));
    for (int v = 0; v < 256; v++) {
        uint64_t at = (uint64_t)(stubs + 16 * v);
        uint64_t type = v == 0x81 || v == 3 ? 0xEE
                        : v == 0x42         ? 0x85
                                            : 0x8E; /* 0x42: a task gate */
        idt[2 * v] =
            (at & 0xFFFF) | 0x08 << 16 | 1ULL << 32 | type << 40 | (at >> 16 & 0xFFFF) << 48;
        idt[2 * v + 1] = at >> 32;
    }
    load_table(true, idt, sizeof idt - 1);
}

static void make_state(void)
{
    make_tables();
    wrmsr(0xC0000081, 0x0018000800000000); /* STAR */
    wrmsr(0xC0000082, (uint64_t)on_syscall);
    wrmsr(0xC0000084, 0);
    __asm__ volatile("mov %0, %%cr2" ::"r"(0x1234L));
    __asm__ volatile("mov %0, %%dr6" ::"r"(0xFFFF0FF0L));
    __asm__ volatile("mov %0, %%cr4" ::"r"(0x28L)); /* PAE, DE */
}

static void place(const struct kase *k, uint64_t rip)
{
    uint64_t at = (uint64_t)k->at, first = (uint64_t)stubs;
    if (rip >= first && rip < first + 4096) {
        text(" in handler ");
        hex((rip - first) / 16);
    } else if (rip == (uint64_t)on_syscall) {
        text(" at syscall entry");
    } else if (rip - at < 64) {
        text(" at+");
        hex(rip - at);
    } else {
        text(" at ");
        hex(rip);
    }
}

static void value(const char *name, uint64_t v)
{
    put(' ');
    text(name);
    put('=');
    hex(v);
}

static void tell(const struct kase *k)
{
    static const char *const names[] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "#9",  "#TS", "#NP", "#SS", "#GP",
                                        "#PF", "#15", "#MF", "#AC", "#MC", "#XM"};
    uint64_t *f = saw_frame, vector = f[2];
    if (vector == 0x81) {
        text("done");
    } else {
        text(vector < 20 ? names[vector] : "vector ");
        if (vector >= 20) {
            hex(vector);
        }
        if (vector == 8 || (vector >= 10 && vector <= 14) || vector == 17) {
            put('(');
            hex(f[3]);
            put(')');
        }
        place(k, f[4]);
    }
    for (const char *s = k->show; *s; s++) {
        switch (*s) {
        case 'a': value("rax", f[1]); break;
        case 'c': value("rcx", f[0]); break;
        case 'l': value("cpl", f[5] & 3); break;
        case 'r': value("rf", f[6] >> 16 & 1); break;
        case 's': value("stack", (f[7] - (uint64_t)case_stack_top) + 8); break;
        case '2': value("cr2", saw_cr2); break;
        case '6': value("dr6", saw_dr6); break;
        case '7': value("gd", saw_dr7 >> 13 & 1); break;
        }
    }
}

void guest_unexpected(void) {}

/* The number after "from=" on the Multiboot command line: the first case to run. */
static int first_case(void)
{
    extern uint32_t mb_info;
    const uint32_t *info = (const uint32_t *)(uint64_t)mb_info;
    int n = 0;
    if (!(info[0] & 4)) {
        return 0;
    }
    for (const char *s = (const char *)(uint64_t)info[4]; *s; s++) {
        if (s[0] == 'f' && s[1] == 'r' && s[2] == 'o' && s[3] == 'm' && s[4] == '=') {
            for (s += 5; *s >= '0' && *s <= '9'; s++) {
                n = n * 10 + (*s - '0');
            }
            return n;
        }
    }
    return 0;
}

void guest_main(void)
{
    pd[3] &= ~2ULL; /* 6 to 8 MiB: read only */
    out8(0x3FB, 3); /* COM1: 8 bits; no interrupts */
    out8(0x3F9, 0);
    for (int i = 0; i < 2; i++) { /* the PICs keep quiet */
        out8(i ? 0xA1 : 0x21, 0xFF);
    }
    for (int i = first_case(); i < case_count; i++) {
        const struct kase *k = &cases[i];
        make_state();
        text("CASE ");
        text(k->id);
        text(" | ");
        text(k->title);
        text(" | ");
        text(k->expect);
        text(" | ");
        run_case(k->code, k->ring);
        tell(k);
        put('\n');
    }
    text("END\n");
    while (!(in8(0x3FD) & 0x40)) { /* until the last byte is out */
    }
    out8(0xF4, 0);
    for (const char *s = "Shutdown"; *s; s++) {
        out8(0x8900, (uint8_t)*s);
    }
}
