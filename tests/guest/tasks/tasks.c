/*
 * tasks.c - a bare-metal 32-bit program that switches tasks in every way and prints what came of it: one
 * line a try, on port 0xE9. Exceptions #DF and #TS to #GP have tasks of their own, so that a new task's
 * fault can be looked at whatever state the new task is in. tasks_agree.py compares the lines.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { ES, CS, SS, DS, FS, GS };
enum {
    S_CODE = 0x08,
    S_DATA = 0x10,
    S_DATA3 = 0x20,
    S_MAIN = 0x28,
    S_NEW = 0x30,
    S_GATE = 0x38,
    S_LDT = 0x40,
    S_X = 0x48, /* what a try spoils */
    S_TSS16 = 0x50,
    S_INNER = 0x58,
    S_CALL32 = 0x60,
    S_CALL16 = 0x68,
    S_SMALL = 0x70,    /* a stack with B=0 */
    S_HANDLER = 0x100, /* + 8 * vector: the exceptions' tasks */
    S_OUT = 0x1000
};
enum {
    TSS_FREE = 0x89,
    TSS_BUSY = 0x8b,
    CODE = 0x9a,
    DATA = 0x92,
    LDT = 0x82,
    TASK_GATE = 0xe5,
    ABSENT = 0x80
};
enum { NONE = 0xff, LOW16 = 0x600, LOW_CALL = 0x700, ESP = 4 };

struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, gpr[8], seg[6], ldt;
    u16 trap, io_map;
};

struct idt_gate {
    u16 low, selector;
    u8 zero, access;
    u16 high;
};

extern u64 gdt[64];
extern struct idt_gate idt[256];
struct tss main_tss, new_tss, inner_tss, handler_tss[16];
static u16 tss16[32];
static u64 ldt[8];
u8 stacks[40][4096] __attribute__((aligned(16)));

/* what the assembly writes down */
volatile u32 recover_esp, recover_eip, body_count, body_flags, body_tr, body_error, body_gpr[8];
volatile u32 gate_stack[8];
static u32 vector, error, faulted;

void try_jmp(u32 selector);
void try_call(u32 selector);
void try_int(void);
void try_gp(u32 selector);
void try_user(void (*code)(void));
void task_body(void), error_body(void), body16(void), inner_body(void), calls_inner(void);
void gate_entry(void), gate16_entry(void), user_call(void), user_call16(void), user_int(void);
void handlers(void), db_handler(void);
void caught(u32 number, u32 code);
void kmain(void);

/* ---- printing ---------------------------------------------------------------------------------- */

static void put(char c) { __asm__ volatile("outb %0, $0xe9" ::"a"(c)); }

static void text(const char *s)
{
    while (*s) put(*s++);
}

static void value(const char *name, u32 v)
{
    unsigned shift = 28;

    text(" ");
    text(name);
    text("=");
    while (shift && !(v >> shift)) shift -= 4;
    for (;; shift -= 4) {
        put("0123456789abcdef"[v >> shift & 15]);
        if (!shift) break;
    }
}

/* ---- tables --------------------------------------------------------------------------------------- */

static u32 at(const volatile void *p) { return (u32)p; }
static u32 code_at(void (*f)(void)) { return (u32)f; }
static u8 access(u32 selector) { return (u8)(gdt[selector / 8] >> 40); }

static void segment(u32 selector, u32 base, u32 limit, u32 access, u32 flags)
{
    gdt[selector / 8] = (limit & 0xffff) | (u64)(base & 0xffffff) << 16 | (u64)access << 40 |
                        (u64)(limit >> 16) << 48 | (u64)flags << 52 | (u64)(base >> 24) << 56;
}

static void flat(u32 selector, u32 access) { segment(selector, 0, 0xfffff, access, 12); }

static void gate(u32 at, u32 selector, u32 offset, u32 access, u32 parameters)
{
    gdt[at / 8] = (offset & 0xffff) | (u64)selector << 16 | (u64)parameters << 32 |
                  (u64)access << 40 | (u64)(offset >> 16) << 48;
}

static void vector_gate(unsigned v, u32 selector, u32 offset, u32 access)
{
    idt[v] = (struct idt_gate){(u16)offset, (u16)selector, 0, (u8)access, (u16)(offset >> 16)};
}

static void task(struct tss *t, u32 eip, void *stack)
{
    for (u32 *p = (u32 *)t; p < (u32 *)(t + 1); p++) *p = 0;
    for (unsigned i = 0; i < 6; i++) t->seg[i] = i == CS ? S_CODE : S_DATA;
    t->eip = eip;
    t->eflags = 2;
    t->gpr[ESP] = (u32)stack;
    t->io_map = sizeof *t;
}

static void copy_low(u32 to, void (*from)(void))
{
    for (unsigned i = 0; i < 128; i++) ((volatile u8 *)to)[i] = ((const u8 *)code_at(from))[i];
}

/* ---- trying ------------------------------------------------------------------------------------------- */

/* In the task of exception `number`: note, and return to the main task where it recovers. */
void caught(u32 number, u32 code)
{
    vector = number;
    error = code;
    faulted = handler_tss[number].link & 0xffff;
    handler_tss[number].link = S_MAIN;
    segment(S_MAIN, at(&main_tss), 0x67, TSS_BUSY, 0);
    main_tss.eip = recover_eip;
    main_tss.gpr[ESP] = recover_esp;
    main_tss.eflags = 2;
}

static int has_task(unsigned v) { return v == 8 || (v >= 10 && v <= 13); }

static void fresh(void)
{
    vector = NONE;
    error = faulted = body_count = body_flags = body_tr = 0;
    task(&new_tss, code_at(task_body), stacks[3]);
    for (unsigned i = 0; i < 8; i++)
        if (i != ESP) new_tss.gpr[i] = 0x1000 * (i + 1);
    segment(S_NEW, at(&new_tss), 0x67, TSS_FREE, 0);
    segment(S_INNER, at(&inner_tss), 0x67, TSS_FREE, 0);
    segment(S_MAIN, at(&main_tss), 0x67, TSS_BUSY, 0);
    flat(S_X, DATA);
    gate(S_GATE, S_NEW, 0, TASK_GATE, 0);
    vector_gate(0x80, S_NEW, 0, TASK_GATE);
    main_tss.eflags = 0;
    for (unsigned v = 0; v < 16; v++) {
        if (!has_task(v)) continue;
        task(&handler_tss[v], code_at(handlers) + 16 * v, stacks[20 + v]);
        segment(S_HANDLER + 8 * v, at(&handler_tss[v]), 0x67, TSS_FREE, 0);
    }
}

static void show(const char *name)
{
    text(name);
    text(":");
    if (vector != NONE) {
        value("vector", vector);
        value("error", error);
        value("in", faulted);
    }
    if (vector != NONE && faulted == S_NEW) {
        value("eip", new_tss.eip - code_at(task_body));
        value("esp", new_tss.gpr[ESP] - at(stacks));
        value("flags", new_tss.eflags);
        value("cs", new_tss.seg[CS]);
        value("ss", new_tss.seg[SS]);
        value("ds", new_tss.seg[DS]);
    }
    value("ran", body_count);
    if (body_count) {
        value("tr", body_tr);
        value("flags", body_flags);
    }
    value("old", access(S_MAIN));
    value("new", access(S_NEW));
    value("link", new_tss.link & 0xffff);
    text("\n");
}

static void jump(const char *name)
{
    try_jmp(S_NEW);
    show(name);
    fresh();
}

static void jump_gate(const char *name, u32 selector)
{
    try_jmp(selector);
    show(name);
    fresh();
}

/* ---- the tries ------------------------------------------------------------------------------------------ */

static void ways_in(void)
{
    jump("jmp");
    try_call(S_NEW), show("call"), fresh();
    try_call(S_GATE), show("call through a gate"), fresh();
    jump_gate("jmp through a gate", S_GATE);
    try_int(), show("int");
    value("saved flags", main_tss.eflags & ~0xad5u);
    value("cs", main_tss.seg[CS]);
    for (unsigned i = 0; i < 8; i++) value("r", body_gpr[i] - (i == ESP ? at(stacks) : 0));
    text("\n");
    fresh();
    new_tss.eflags = 0x4002, jump("jmp to a task with NT");
    task(&inner_tss, code_at(inner_body), stacks[10]);
    new_tss.eip = code_at(calls_inner), try_call(S_NEW), show("nested");
    value("inner", access(S_INNER));
    value("link", inner_tss.link);
    text("\n");
    fresh();
}

static void refused_before(void)
{
    segment(S_NEW, at(&new_tss), 0x66, TSS_FREE, 0), jump("limit");
    segment(S_NEW, at(&new_tss), 0x67, TSS_FREE & ~ABSENT, 0), jump("absent");
    segment(S_NEW, at(&new_tss), 0x67, TSS_BUSY, 0), jump("busy");
    flat(S_NEW, DATA), jump("data");
    gate(S_GATE, S_NEW, 0, TASK_GATE & ~ABSENT, 0), jump_gate("gate absent", S_GATE);
    gate(S_GATE, S_NEW | 4, 0, TASK_GATE, 0), jump_gate("gate to the LDT", S_GATE);
    gate(S_GATE, 0, 0, TASK_GATE, 0), jump_gate("gate to null", S_GATE);
    gate(S_GATE, S_OUT, 0, TASK_GATE, 0), jump_gate("gate to outside", S_GATE);
    gate(S_GATE, S_NEW, 0, 0xa5, 0), jump_gate("gate by RPL", S_GATE | 3);
    jump_gate("TSS by RPL", S_NEW | 3);
    vector_gate(0x80, S_NEW | 4, 0, TASK_GATE), try_int(), show("int to the LDT"), fresh();
    segment(S_NEW, at(&new_tss), 0x67, TSS_BUSY, 0), try_int(), show("int to a busy task"), fresh();
}

static void refused_after(void)
{
    new_tss.ldt = S_LDT | 4, jump("ldt of the LDT");
    new_tss.ldt = S_OUT, jump("ldt outside");
    new_tss.ldt = S_DATA, jump("ldt data");
    segment(S_X, at(ldt), 63, LDT & ~ABSENT, 0), new_tss.ldt = S_X, jump("ldt absent");
    new_tss.seg[CS] = 0, jump("cs null");
    new_tss.seg[CS] = S_OUT, jump("cs outside");
    new_tss.seg[CS] = S_DATA, jump("cs data");
    new_tss.seg[CS] = S_CODE | 3, jump("cs by RPL");
    flat(S_X, 0xfe), new_tss.seg[CS] = S_X | 1, jump("cs conforming");
    flat(S_X, CODE & ~ABSENT), new_tss.seg[CS] = S_X, jump("cs absent");
    new_tss.seg[SS] = 0, jump("ss null");
    new_tss.seg[SS] = S_OUT, jump("ss outside");
    new_tss.seg[SS] = S_CODE, jump("ss code");
    new_tss.seg[SS] = S_DATA | 3, jump("ss by RPL");
    new_tss.seg[SS] = S_DATA3, jump("ss by DPL");
    flat(S_X, DATA & ~ABSENT), new_tss.seg[SS] = S_X, jump("ss absent");
    flat(S_X, 0x90), new_tss.seg[SS] = S_X, jump("ss read-only");
    new_tss.seg[DS] = S_OUT, jump("ds outside");
    new_tss.seg[DS] = S_NEW, jump("ds system");
    new_tss.seg[DS] = S_DATA | 3, jump("ds by RPL");
    flat(S_X, DATA & ~ABSENT), new_tss.seg[DS] = S_X, jump("ds absent");
    new_tss.seg[DS] = new_tss.seg[FS] = 0, new_tss.seg[GS] = 3, jump("ds null");
    segment(S_X, 0, 0xffff, CODE, 4), new_tss.seg[CS] = S_X, jump("eip outside");
}

static void error_code(void)
{
    vector_gate(13, S_NEW, 0, TASK_GATE);
    new_tss.eip = code_at(error_body), try_gp(S_OUT), show("exception");
    vector_gate(13, S_HANDLER + 8 * 13, 0, TASK_GATE);
    value("pushed", body_error);
    value("RF saved", main_tss.eflags >> 16 & 1);
    text("\n");
    fresh();
}

static void sixteen_bits(void)
{
    copy_low(LOW16, body16);
    for (unsigned i = 0; i < 32; i++) tss16[i] = 0;
    tss16[7] = LOW16;
    tss16[8] = 2;
    for (unsigned i = 0; i < 8; i++) tss16[9 + i] = (u16)(0x7000 + i);
    tss16[9 + ESP] = 0x7f00;
    tss16[17] = tss16[20] = S_DATA;
    tss16[18] = S_CODE;
    tss16[19] = S_SMALL;
    segment(S_TSS16, at(tss16), 0x2b, 0x81, 0);
    try_call(S_TSS16), show("16-bit TSS");
    for (unsigned i = 0; i < 8; i++) value("r", body_gpr[i]);
    value("ip", tss16[7]);
    value("flags", tss16[8]);
    value("type", access(S_TSS16));
    value("link", tss16[0]);
    text("\n");
    fresh();
}

static void trap_flag(void)
{
    u32 dr6;

    new_tss.trap = 1, jump("T");
    __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
    value("DR6", dr6);
    text("\n");
}

static void show_gate(const char *name)
{
    text(name);
    for (unsigned i = 0; i < 6; i++) value("s", gate_stack[i]);
    text("\n");
}

static void from_level_3(void)
{
    copy_low(LOW_CALL, gate16_entry);
    gate(S_CALL32, S_CODE, code_at(gate_entry), 0xec, 2);
    gate(S_CALL16, S_CODE, LOW_CALL, 0xe4, 2);
    try_user(user_call), show_gate("32-bit call gate:");
    try_user(user_call16), show_gate("16-bit call gate:");
    try_user(user_int), show("int out of level 3");
    value("saved cs", main_tss.seg[CS]);
    value("flags", main_tss.eflags & ~0xad5u);
    text("\n");
}

static void tables(void)
{
    struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } g = {sizeof gdt - 1, at(gdt)}, i = {sizeof idt - 1, at(idt)};

    flat(S_CODE, CODE);
    flat(S_DATA, DATA);
    flat(0x18, 0xfa);
    flat(S_DATA3, 0xf2);
    segment(S_LDT, at(ldt), sizeof ldt - 1, LDT, 0);
    segment(S_SMALL, 0, 0xffff, DATA, 0);
    task(&main_tss, 0, 0);
    main_tss.ss0 = S_DATA;
    segment(S_MAIN, at(&main_tss), 0x67, TSS_FREE, 0);
    __asm__ volatile("lgdt %0; lidt %1; ljmp $8, $1f; 1: mov %2, %%ss; mov %2, %%ds; mov %2, %%es;"
                     "mov %2, %%fs; mov %2, %%gs; ltr %w3; lldt %w4" ::"m"(g),
                     "m"(i), "r"(S_DATA), "r"(S_MAIN), "r"(0));
    for (unsigned v = 0; v < 16; v++)
        if (has_task(v)) vector_gate(v, S_HANDLER + 8 * v, 0, TASK_GATE);
    vector_gate(1, S_CODE, code_at(db_handler), 0xee);
}

void kmain(void)
{
    tables();
    fresh();
    ways_in();
    refused_before();
    refused_after();
    error_code();
    sixteen_bits();
    trap_flag();
    from_level_3();
    text("done\n");
    __asm__ volatile("outl %0, %1" ::"a"(0), "d"((u16)0xf4));
    for (;;) __asm__ volatile("cli; hlt");
}
