/*
 * engine_diff.c - fast engine against reference engine on random guests.
 *
 * A guest is a few pages of random but plausible machine code, 64-bit or compatibility mode, in ring 0
 * and ring 3, over two sets of page tables with random rights and aliases, with an IDT whose handlers
 * step over what faults, switch the tables, change entries and invalidate pages, with the 8254 or the
 * local APIC's timer interrupting, and stores that hit the code. Both engines run it in slices of random
 * length, counted in instructions or in cycles; after each slice the state hash, instruction and cycle
 * counts must be equal, and at the end the hash of all events. The fast engine also runs with block
 * caps 1, 2, 7, in one go, and in slices of its own.
 *
 *   engine_diff [FIRST-SEED [COUNT [INSTRUCTIONS]]]      exit 1 on a difference, which it describes
 */
#include <ringside/ringside.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEM (8u << 20)
#define PAGE 4096u
#define IDT_AT 0x1000u
#define GDT_AT 0x2000u
#define TSS_AT 0x3000u
#define STUBS_AT 0x4000u  /* one handler a vector, 16 bytes each */
#define PRELUDE_AT 0x6000u /* starts the timers, then IRETQ into the random code */
#define FRAME_AT 0x7000u
#define TABLES_AT 0x10000u
#define TABLES_OTHER 0x8000u /* the second set's address differs in this bit */
#define LAPIC_AT 0xfee00000u
#define STORM 20000000u /* cycles after which a guest is let go */
#define STACK0_AT 0x30000u
#define STACK3_AT 0x38000u
#define CODE_AT 0x100000u
#define CODE_PAGES 4u
#define DATA_AT 0x200000u
#define DATA_PAGES 8u

/* ---- random numbers: splitmix64, so that a seed is a guest on every host ------------------------- */

struct rng {
    uint64_t s;
};
static uint64_t rnd(struct rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static uint64_t below(struct rng *r, uint64_t n) { return rnd(r) % n; }

/* ---- code ------------------------------------------------------------------------------------------- */

struct code {
    uint8_t *b;
    unsigned n, max;
};
static void put(struct code *k, unsigned byte)
{
    if (k->n < k->max) k->b[k->n++] = (uint8_t)byte;
}
static void put32(struct code *k, uint32_t v)
{
    for (unsigned i = 0; i < 4; i++) put(k, v >> (8 * i) & 0xff);
}
static void put64(struct code *k, uint64_t v)
{
    put32(k, (uint32_t)v);
    put32(k, (uint32_t)(v >> 32));
}

/* ModRM with a register, or with memory near one of the data registers (RBX, RBP, RSI, RDI, R12..15
 * point into the data pages most of the time), or RIP-relative into the code. */
static void modrm(struct code *k, struct rng *r, unsigned reg)
{
    static const uint8_t bases[] = {3, 5, 6, 7};
    unsigned mode = (unsigned)below(r, 10), base = bases[below(r, 4)];

    reg = (reg & 7) << 3;
    if (mode < 5) {
        put(k, 0xc0 | reg | (unsigned)below(r, 8));
    } else if (mode < 7) {
        put(k, 0x40 | reg | base);
        put(k, (unsigned)below(r, 256));
    } else if (mode < 8) {
        put(k, 0x80 | reg | base);
        put32(k, (uint32_t)below(r, 3 * PAGE) - PAGE);
    } else if (mode < 9) { /* SIB: base + index * scale + disp8 */
        put(k, 0x44 | reg);
        put(k, (unsigned)below(r, 4) << 6 | (unsigned)below(r, 2) << 3 | base);
        put(k, (unsigned)below(r, 256));
    } else {
        put(k, 0x05 | reg);
        put32(k, (uint32_t)below(r, 4096) - 2048);
    }
}

static void rex(struct code *k, struct rng *r)
{
    if (below(r, 8) == 0) put(k, 0x66);
    if (below(r, 24) == 0) put(k, below(r, 2) ? 0x64 : 0x65);
    if (below(r, 40) == 0) put(k, 0x67);
    if (below(r, 3)) put(k, 0x40 | (unsigned)below(r, 16));
}

static void insn(struct code *k, struct rng *r)
{
    static const uint8_t rare[] = {0x98, 0x99, 0x9c, 0x9d, 0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd,
                                   0xfa, 0xfb, 0xcc, 0xc9, 0xd7, 0xf4, 0x90, 0xf1, 0xec, 0xee, 0x06};
    static const uint8_t two[] = {0xa3, 0xab, 0xb3, 0xbb, 0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xa5, 0xad,
                                  0xbc, 0xbd, 0xb0, 0xb1, 0xc0, 0xc1, 0xb8, 0x1f, 0x0b, 0x6f, 0x7f,
                                  0xef, 0xfe, 0xd4, 0x10, 0x11, 0x28, 0x29, 0x70, 0xa2, 0x31, 0x00,
                                  0x01, 0x02, 0x03, 0x06, 0x08, 0x09, 0x20, 0x21, 0x22, 0x30, 0x32,
                                  0x05, 0x07, 0x34, 0x35, 0xae, 0xc7};
    static const uint8_t strings[] = {0xa4, 0xa5, 0xaa, 0xab, 0xa6, 0xa7, 0xac, 0xad, 0xae, 0xaf};
    unsigned kind = (unsigned)below(r, 100), op;

    if (kind < 30) { /* ALU r/m */
        rex(k, r);
        put(k, (unsigned)below(r, 8) << 3 | (unsigned)below(r, 4));
        modrm(k, r, (unsigned)below(r, 8));
    } else if (kind < 42) { /* MOV r/m */
        rex(k, r);
        put(k, 0x88 | (unsigned)below(r, 4));
        modrm(k, r, (unsigned)below(r, 8));
    } else if (kind < 50) { /* group 1 imm8, TEST, XCHG, LEA */
        static const uint8_t ops[] = {0x83, 0x80, 0x84, 0x85, 0x86, 0x87, 0x8d};
        op = ops[below(r, sizeof(ops))];
        rex(k, r);
        put(k, op);
        modrm(k, r, (unsigned)below(r, 8));
        if (op <= 0x83) put(k, (unsigned)below(r, 256));
    } else if (kind < 56) { /* shifts */
        op = (unsigned)below(r, 6);
        rex(k, r);
        put(k, op < 2 ? 0xc0 + op : 0xd0 + op - 2);
        modrm(k, r, (unsigned)below(r, 8));
        if (op < 2) put(k, (unsigned)below(r, 256));
    } else if (kind < 61) { /* group 3, 4, 5 */
        rex(k, r);
        op = (unsigned)below(r, 4);
        put(k, op < 2 ? 0xf6 + op : 0xfe + op - 2);
        modrm(k, r, op < 2 ? 2 + (unsigned)below(r, 6) : (unsigned)below(r, op == 2 ? 2 : 7));
    } else if (kind < 66) { /* PUSH, POP */
        put(k, 0x50 | (unsigned)below(r, 16));
    } else if (kind < 76) { /* Jcc, JMP, CALL short and near */
        op = (unsigned)below(r, 10);
        if (op < 7) {
            put(k, 0x70 | (unsigned)below(r, 16));
            put(k, (unsigned)below(r, 96) - 32);
        } else if (op < 8) {
            put(k, 0xeb);
            put(k, (unsigned)below(r, 64));
        } else if (below(r, 3) == 0) { /* to the end of a page, where instructions cross */
            put(k, op == 8 ? 0xe9 : 0xe8);
            put32(k, (1 + (uint32_t)below(r, CODE_PAGES - 1)) * PAGE - (uint32_t)below(r, 20) - (k->n + 4));
        } else {
            put(k, op == 8 ? 0xe9 : 0xe8);
            put32(k, (uint32_t)below(r, 3000) - 1500);
        }
    } else if (kind < 78) {
        put(k, 0xc3);
    } else if (kind < 82) { /* MOV r, imm */
        rex(k, r);
        put(k, 0xb0 | (unsigned)below(r, 8));
        put(k, (unsigned)below(r, 256));
    } else if (kind < 84) { /* strings */
        if (below(r, 3)) put(k, below(r, 2) ? 0xf3 : 0xf2);
        put(k, strings[below(r, sizeof(strings))]);
    } else if (kind < 85) { /* a small count for them */
        put(k, 0xb9);
        put32(k, (uint32_t)below(r, 300));
    } else if (kind < 88) {
        put(k, rare[below(r, sizeof(rare))]);
    } else if (kind < 96) { /* two-byte opcodes */
        if (below(r, 5) == 0) put(k, below(r, 2) ? 0xf3 : 0x66);
        rex(k, r);
        put(k, 0x0f);
        op = below(r, 4) == 0 ? (below(r, 2) ? 0x40 : 0x90) + (unsigned)below(r, 16) : two[below(r, sizeof(two))];
        put(k, op);
        if (op != 0x05 && op != 0x07 && op != 0x0b && op != 0x31 && op != 0xa2 && op != 0x06)
            modrm(k, r, (unsigned)below(r, 8));
        if (op == 0x70) put(k, (unsigned)below(r, 256));
    } else if (kind < 98) { /* INT n */
        put(k, 0xcd);
        put(k, (unsigned)(below(r, 4) ? 0x80 + below(r, 24) : below(r, 256)));
    } else { /* anything */
        for (unsigned i = 0, n = 1 + (unsigned)below(r, 4); i < n; i++) put(k, (unsigned)below(r, 256));
    }
}

/* ---- the guest --------------------------------------------------------------------------------------- */

static void poke(rs_machine *m, uint64_t at, const void *bytes, size_t n)
{
    if (rs_phys_write(m, at, bytes, n) != RS_OK) abort();
}
static void poke64(rs_machine *m, uint64_t at, uint64_t v) { poke(m, at, &v, 8); }

/* A page-table entry of the window of code and data pages, in the table set `set`. */
static uint32_t entry_at(struct rng *r, unsigned set)
{
    uint32_t tables = TABLES_AT ^ (set ? TABLES_OTHER : 0), at;

    at = below(r, 2) ? CODE_AT + (uint32_t)below(r, CODE_PAGES) * PAGE
                     : DATA_AT + (uint32_t)below(r, DATA_PAGES) * PAGE;
    return tables + (3 + (at >> 21)) * PAGE + 8 * (at >> 12 & 511);
}

/* Services by INT 81h..97h: switch the tables, invalidate, change an entry. Returns the length. */
static unsigned service(unsigned v, struct rng *r, bool pcid, uint8_t *b)
{
    struct code k = {b, 0, 14};

    if (v < 0x84) { /* PUSH RAX; MOV RAX,CR3; XOR AL,.. AH,..; MOV CR3,RAX; POP RAX */
        static const uint8_t other[] = {0x50, 0x0f, 0x20, 0xd8, 0x80, 0xf4, 0x80, 0x34, 0x00, 0x0f, 0x22, 0xd8, 0x58};
        memcpy(b, other, sizeof(other));
        b[8] = pcid;
        return sizeof(other);
    }
    if (v < 0x88) { /* INVLPG [RDI] or [RSI] or [RSP+18h]'s page or the code's */
        put(&k, 0x0f);
        put(&k, 0x01);
        put(&k, v & 1 ? 0x3f : 0x3e);
        return k.n;
    }
    /* XOR DWORD [entry],bit: another frame, other rights, another size or no page at all */
    static const uint32_t bits[] = {0x1000, 0x1000, 0x2000, 2, 4, 1, 0x60, 0x100};
    put(&k, 0x81);
    put(&k, 0x34);
    put(&k, 0x25);
    put32(&k, entry_at(r, (unsigned)below(r, 2)));
    put32(&k, bits[below(r, 8)]);
    return k.n;
}

/* Handlers: an error code is dropped by those vectors that have one; the return RIP is moved on by one
 * byte (so that the next try is another instruction); IRETQ. */
static void stubs(rs_machine *m, struct rng *r, bool pcid)
{
    for (unsigned v = 0; v < 256; v++) {
        bool code = v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21;
        bool irq = v >= 32 && v < 48;
        uint8_t b[16] = {0};
        unsigned n = 0;
        if (code) {
            static const uint8_t drop[] = {0x48, 0x83, 0xc4, 0x08};
            memcpy(b, drop, 4);
            n = 4;
        }
        if (v > 0x80 && v < 0x98) {
            n = service(v, r, pcid, b);
        } else if (v == 0x40) { /* the local APIC's timer: MOV DWORD [EOI],0 through RAX */
            static const uint8_t eoi[] = {0x50, 0xb8, 0xb0, 0x00, 0xe0, 0xfe, 0xc7, 0x00, 0, 0, 0, 0, 0x58};
            memcpy(b, eoi, sizeof(eoi));
            n = sizeof(eoi);
        } else if (irq) { /* acknowledge: PUSH RAX; MOV AL,20h; OUT 20h,AL; POP RAX */
            static const uint8_t eoi[] = {0x50, 0xb0, 0x20, 0xe6, 0x20, 0x58};
            memcpy(b + n, eoi, sizeof(eoi));
            n += sizeof(eoi);
        } else if (code || v == 6 || v == 0 || v == 5) { /* INC QWORD [RSP] */
            static const uint8_t next[] = {0x48, 0xff, 0x04, 0x24};
            memcpy(b + n, next, 4);
            n += 4;
        }
        b[n++] = 0x48;
        b[n++] = 0xcf;
        poke(m, STUBS_AT + v * 16, b, sizeof(b));
        uint64_t at = STUBS_AT + v * 16, dpl = v == 3 || v == 4 || v >= 0x80 ? 3 : 0;
        uint64_t low = (at & 0xffff) | 8ull << 16 | (uint64_t)(v == 8 ? 1 : 0) << 32 |
                       (0x8eull | dpl << 5) << 40 | (at >> 16 & 0xffff) << 48;
        poke64(m, IDT_AT + v * 16, low);
        poke64(m, IDT_AT + v * 16 + 8, 0);
    }
}

/* 6 MiB in 4K pages, the rest of RAM as a 2M page, the local APIC. Every set has its own idea of the code
 * and data pages. */
static void tables(rs_machine *m, struct rng *r, uint32_t root)
{
    poke64(m, root, (root + PAGE) | 7);
    poke64(m, root + PAGE, (root + 2 * PAGE) | 7);
    poke64(m, root + PAGE + 8 * 3, (root + 6 * PAGE) | 7);
    poke64(m, root + 6 * PAGE + 8 * 0x1f7, LAPIC_AT | 0x83);
    for (unsigned i = 0; i < 3; i++) {
        poke64(m, root + 2 * PAGE + 8 * i, (root + (3 + i) * PAGE) | 7);
        for (unsigned j = 0; j < 512; j++) {
            uint64_t at = (uint64_t)i << 21 | (uint64_t)j << 12, e = at | 3;
            bool code = at >= CODE_AT && at < CODE_AT + CODE_PAGES * PAGE;
            bool data = at >= DATA_AT && at < DATA_AT + DATA_PAGES * PAGE;
            if (code || at == STACK3_AT || at == STACK3_AT - PAGE) e |= 4;
            if (code && below(r, 4) == 0) e &= ~2ull;
            if (code && below(r, 8) == 0) e = (e & 0xfff) | (CODE_AT + below(r, CODE_PAGES) * PAGE);
            if (data) {
                e |= 4;
                switch (below(r, 8)) {
                case 0: e &= ~1ull; break;
                case 1: e &= ~4ull; break;
                case 2: e &= ~2ull; break;
                case 3: e |= 1ull << 63; break;
                case 4: e |= 1ull << 51; break; /* reserved */
                case 5: e = (e & 0xfff) | (CODE_AT + below(r, CODE_PAGES) * PAGE); break; /* alias of code */
                default: break;
                }
            }
            if (below(r, 4) == 0) e |= 0x100;
            poke64(m, root + (3 + i) * PAGE + 8 * j, e);
        }
    }
    poke64(m, root + 2 * PAGE + 8 * 3, 0x600000 | 0x87);
}

static void out(struct code *k, unsigned port, unsigned value)
{
    put(k, 0xb0);
    put(k, value);
    put(k, 0xe6);
    put(k, port);
}
/* MOV DWORD [RDI+reg],value */
static void apic(struct code *k, unsigned reg, uint32_t value)
{
    put(k, 0xc7);
    put(k, 0x87);
    put32(k, reg);
    put32(k, value);
}

/* Ring 0, 64-bit: 8259 pair, 8254 counter 0 and the local APIC's timer as the dice say; the registers
 * that this took; then into the guest. */
static void prelude(rs_machine *m, struct rng *r, const uint64_t frame[5])
{
    static const uint8_t pic[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1}, {0xa0, 0x11},
                                     {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1}, {0x21, 0xfe}, {0xa1, 0xff}};
    uint8_t b[512];
    struct code k = {b, 0, sizeof(b)};
    unsigned which = (unsigned)below(r, 4), count = 2 + (unsigned)below(r, 12);

    for (unsigned i = 0; i < sizeof(pic) / sizeof(pic[0]); i++) out(&k, pic[i][0], pic[i][1]);
    put(&k, 0xbf);
    put32(&k, LAPIC_AT);
    apic(&k, 0xf0, 0x1ff);
    apic(&k, 0x350, 0x700);
    if (which & 1) {
        out(&k, 0x43, 0x34);
        out(&k, 0x40, count);
        out(&k, 0x40, 0);
    }
    if (which & 2) {
        apic(&k, 0x3e0, below(r, 2) ? 0xb : 0);
        apic(&k, 0x320, 0x20040);
        apic(&k, 0x380, 20 + (uint32_t)below(r, 400));
    }
    put(&k, 0x48);
    put(&k, 0xb8);
    put64(&k, DATA_AT + below(r, DATA_PAGES * PAGE));
    put(&k, 0x48);
    put(&k, 0xbf);
    put64(&k, DATA_AT + below(r, DATA_PAGES * PAGE));
    put(&k, 0x48);
    put(&k, 0xcf);
    if (k.n == k.max) abort();
    poke(m, PRELUDE_AT, b, k.n);
    poke(m, FRAME_AT, frame, 5 * 8);
}

static void set(rs_machine *m, unsigned reg, uint64_t v)
{
    if (rs_reg_write(m, 0, reg, v) != RS_OK) {
        fprintf(stderr, "cannot set %s: %s\n", rs_reg_name(reg), rs_error(m));
        abort();
    }
}

static void segment(rs_machine *m, unsigned i, uint64_t sel, uint64_t attr)
{
    set(m, RS_REG_ES + i, sel);
    set(m, RS_REG_ES_BASE + i, 0);
    set(m, RS_REG_ES_LIMIT + i, 0xffffffff);
    set(m, RS_REG_ES_ATTR + i, attr);
}

static void build(rs_machine *m, uint64_t seed)
{
    struct rng r = {seed * 0x2545f4914f6cdd1du + 1};
    static uint8_t zero[16];
    uint8_t code[CODE_PAGES * PAGE];
    struct code k = {code, 0, sizeof(code)};
    bool user = below(&r, 2), compat = below(&r, 4) == 0, pcid = below(&r, 3) == 0;
    unsigned level = user ? 3 : 0, limited = (unsigned)below(&r, 3), small_stack = below(&r, 4) == 0;
    uint64_t base = 0;

    /* a flat image of nothing puts the machine into 64-bit mode */
    if (rs_load_flat(m, zero, sizeof(zero), CODE_AT, CODE_AT, RS_FLAT_LONG64, 0x60000) != RS_OK) {
        fprintf(stderr, "load: %s\n", rs_error(m));
        abort();
    }
    while (k.n < k.max) insn(&k, &r);
    poke(m, CODE_AT, code, sizeof(code));
    stubs(m, &r, pcid);
    tables(m, &r, TABLES_AT);
    tables(m, &r, TABLES_AT ^ TABLES_OTHER);
    /* 64: 32-bit code at the code's base with a limit in it; 72: 16-bit code there; 80: 16-bit stack */
    uint64_t dpl = (uint64_t)level << 45, end = limited ? 0x800 + below(&r, 0x3000) : 0x3fff;
    const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cffb000000ffff,
                                   0x00cff3000000ffff, 0x00affb000000ffff,
                                   0x0000890030000067 | (uint64_t)(TSS_AT & 0xffff) << 16, 0,
                                   (limited ? 0x00409b1000000000 | end : 0x00cf9b000000ffff) | dpl,
                                   0x00009b1000000000 | dpl | end,
                                   (user ? 0x000093030000ffff : 0x000093680000ffff) | dpl};
    poke(m, GDT_AT, gdt, sizeof(gdt));
    poke64(m, TSS_AT + 4, STACK0_AT);
    poke64(m, TSS_AT + 0x24, STACK0_AT - 0x1000);
    poke64(m, TSS_AT + 0x64, 0x680000);
    set(m, RS_REG_GDTR_BASE, GDT_AT);
    set(m, RS_REG_GDTR_LIMIT, sizeof(gdt) - 1);
    set(m, RS_REG_IDTR_BASE, IDT_AT);
    set(m, RS_REG_IDTR_LIMIT, 4095);
    set(m, RS_REG_CR4, 0x20 | (below(&r, 2) ? 0x100000 : 0) | (below(&r, 2) ? 0x200000 : 0) |
                           (below(&r, 2) ? 0x80 : 0) | (pcid ? 0x20000 : 0) | 0x600);
    set(m, RS_REG_CR3, TABLES_AT);
    set(m, RS_REG_EFER, 0x501 | (below(&r, 4) ? 0x800 : 0));
    set(m, RS_REG_CR0, 0x80000011 | (below(&r, 2) ? 0x10000 : 0));
    set(m, RS_REG_STAR, 0x0018000800000000);
    set(m, RS_REG_LSTAR, STUBS_AT + 0x80 * 16);
    set(m, RS_REG_FMASK, 0x200);
    segment(m, 7, 0x30, 0x8b);
    set(m, RS_REG_TR_BASE, TSS_AT);
    set(m, RS_REG_TR, 0x30);
    segment(m, 1, 8, 0xa09b);
    for (unsigned i = 0; i < 6; i++)
        if (i != 1) segment(m, i, i == 2 ? 0x10 : 0x23, i == 2 ? 0xc093 : 0xc0f3);
    set(m, RS_REG_CPL, 0);
    for (unsigned i = 0; i < 16; i++) set(m, i, below(&r, 3) ? DATA_AT + below(&r, DATA_PAGES * PAGE) : rnd(&r));
    for (unsigned i = 0; i < 16; i++) {
        uint64_t x[2] = {rnd(&r), rnd(&r)};
        (void)rs_reg_write_wide(m, 0, RS_REG_XMM0 + i, x, sizeof(x));
    }
    set(m, RS_REG_RCX, below(&r, 64));
    unsigned sixteen = compat && below(&r, 4) == 0;
    uint64_t cs = user ? 0x2b : 8, ss = user ? 0x23 : 0x10, sp = (user ? STACK3_AT : 0x690000) + 0x800;

    if (compat) {
        cs = (sixteen ? 72 : 64) | level;
        base = limited || sixteen ? CODE_AT : 0;
        if (small_stack) {
            ss = 80 | level;
            sp = 0x8800;
        }
    }
    uint64_t flags = 2 | (below(&r, 4) ? 0x200 : 0) | (below(&r, 16) == 0 ? 0x100 : 0) |
                     (below(&r, 8) == 0 ? 0x3000 : 0) | (below(&r, 16) == 0 ? 0x40000 : 0);
    const uint64_t frame[5] = {CODE_AT + below(&r, 64) - base, cs, flags, sp, ss};

    prelude(m, &r, frame);
    set(m, RS_REG_RSP, FRAME_AT);
    set(m, RS_REG_RIP, PRELUDE_AT);
    set(m, RS_REG_RFLAGS, 2);
}

/* ---- running and comparing ------------------------------------------------------------------------------ */

struct watch {
    uint64_t hash, count;
};
static bool on_event(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct watch *w = ctx;
    const uint64_t f[] = {e->kind | (uint64_t)e->cpl << 16 | (uint64_t)e->rule << 24 |
                              (uint64_t)e->verdict << 48 | (uint64_t)e->how << 56,
                          e->tick, e->rip, e->w[0], e->w[1], e->w[2], e->w[3]};
    (void)m;
    for (unsigned i = 0; i < 7; i++) w->hash = (w->hash ^ f[i]) * 0x100000001b3u + (w->hash >> 29);
    w->count++;
    return false;
}

struct run {
    const char *name;
    unsigned engine, cap;
    bool one_go, alone; /* to the end at once; in slices of its own */
    uint64_t mask;
    rs_machine *m;
    struct watch watch;
    struct rs_stop_info stop;
    char hash[33];
};

static void start(struct run *r, uint64_t seed)
{
    struct rs_config k;
    char error[300];
    unsigned id;

    rs_config_init(&k);
    k.engine = r->engine;
    k.block_cap = r->cap;
    k.mem_bytes = MEM;
    static const char *const costs[] = {"teaching", "skylake", "unit"};
    k.cost = costs[seed % 3];
    if (rs_create(&k, &r->m, error, sizeof(error)) != RS_OK) {
        fprintf(stderr, "%s\n", error);
        abort();
    }
    build(r->m, seed);
    r->watch = (struct watch){0, 0};
    if (r->mask) (void)rs_observer_add(r->m, r->mask, true, on_event, &r->watch, &id);
}

static void slice(struct run *r, uint64_t insns, uint64_t cycles)
{
    struct rs_limits l = {.struct_size = sizeof(l), .insns = insns, .cycles = cycles};
    (void)rs_run(r->m, &l, &r->stop);
    (void)rs_state_hash(r->m, r->hash);
}

static bool limited(const struct run *r)
{
    return r->stop.reason == RS_STOP_NONE || r->stop.reason == RS_STOP_INSN_LIMIT ||
           r->stop.reason == RS_STOP_CYCLE_LIMIT;
}

/* A guest that sleeps long need not be looked at all the time: slices double after each thousand. */
static unsigned longer(unsigned slices) { return slices / 1000 < 30 ? slices / 1000 : 30; }

/* On to a total of instructions or, if that is 0, of cycles; in one go or with stops of its own. */
static void go_on(struct run *r, struct rng *dice, uint64_t insns, uint64_t cycles)
{
    if (!r->alone) {
        slice(r, insns, cycles);
        return;
    }
    unsigned slices = 0;

    while (limited(r) && (insns ? r->stop.insns < insns : r->stop.cycles < cycles)) {
        uint64_t left = insns ? insns - r->stop.insns : cycles - r->stop.cycles;
        uint64_t n = (1 + below(dice, below(dice, 3) ? 200 : 4)) << longer(slices++);

        if (insns && below(dice, 2)) slice(r, left, n); /* cycles on the way to instructions */
        else if (insns) slice(r, n < left ? n : left, 0);
        else slice(r, 0, n < left ? n : left);
    }
}

static bool same(const struct run *a, const struct run *b)
{
    return strcmp(a->hash, b->hash) == 0 && a->stop.insns == b->stop.insns &&
           a->stop.cycles == b->stop.cycles && a->stop.reason == b->stop.reason &&
           a->watch.hash == b->watch.hash;
}

static void tell(const struct run *r)
{
    fprintf(stderr, "  %-10s %s at rip %#llx cpl %u, %llu insns, %llu cycles, hash %s, %llu events %016llx %s\n    ",
            r->name, rs_stop_reason_name(r->stop.reason), (unsigned long long)r->stop.rip, r->stop.cpl,
            (unsigned long long)r->stop.insns, (unsigned long long)r->stop.cycles, r->hash,
            (unsigned long long)r->watch.count, (unsigned long long)r->watch.hash, r->stop.text);
    for (unsigned i = 0; i < 18; i++) {
        uint64_t v = 0;
        (void)rs_reg_read(r->m, 0, i, &v);
        fprintf(stderr, "%s=%llx ", rs_reg_name(i), (unsigned long long)v);
    }
    fputc('\n', stderr);
}

#define EVENTS                                                                                     \
    (RS_MASK(RS_EV_CHECK) | RS_MASK(RS_EV_CROSS) | RS_MASK(RS_EV_CROSS_END) | RS_MASK(RS_EV_FAULT) | \
     RS_MASK(RS_EV_WALK) | RS_MASK(RS_EV_TLB_FILL) | RS_MASK(RS_EV_CR) | RS_MASK(RS_EV_IRQ))

static bool one_seed(uint64_t seed, uint64_t total)
{
    struct run runs[] = {
        {.name = "reference", .engine = RS_ENGINE_REFERENCE, .mask = EVENTS},
        {.name = "fast", .mask = EVENTS},
        {.name = "cap 1", .cap = 1, .mask = EVENTS},
        {.name = "cap 7", .cap = 7, .mask = EVENTS},
        {.name = "one go", .one_go = true, .mask = EVENTS},
        {.name = "unwatched", .one_go = true},
        {.name = "own slices", .one_go = true, .alone = true},
        {.name = "own, cap 2", .one_go = true, .alone = true, .cap = 2, .mask = EVENTS},
    };
    enum { N = sizeof(runs) / sizeof(runs[0]) };
    struct rng r = {seed ^ 0xabcdef};
    bool ok = true;

    for (unsigned i = 0; i < N; i++) start(&runs[i], seed);
    bool cycles = seed / 3 % 2;
    uint64_t goal = 0;
    unsigned slices = 0;

    while (ok && runs[0].stop.insns < total && runs[0].stop.cycles < STORM && limited(&runs[0])) {
        uint64_t n = (1 + (below(&r, 4) ? below(&r, 300) : below(&r, 20))) << longer(slices++);
        goal = (cycles ? runs[0].stop.cycles : runs[0].stop.insns) + n;
        for (unsigned i = 0; i < N; i++)
            if (!runs[i].one_go) slice(&runs[i], cycles ? 0 : n, cycles ? n : STORM);
        for (unsigned i = 1; ok && i < N; i++) {
            if (runs[i].one_go || same(&runs[0], &runs[i])) continue;
            fprintf(stderr, "seed %llu: %s and %s differ after a slice of %llu %s\n", (unsigned long long)seed,
                    runs[0].name, runs[i].name, (unsigned long long)n, cycles ? "cycles" : "instructions");
            tell(&runs[0]);
            tell(&runs[i]);
            ok = false;
        }
    }
    /* from a storm of faults in which nothing retires no count of instructions leads out */
    bool storm = !cycles && runs[0].stop.reason == RS_STOP_CYCLE_LIMIT;
    for (unsigned i = 0; ok && !storm && i < N; i++) {
        if (!runs[i].one_go) continue;
        go_on(&runs[i], &r, cycles ? 0 : goal, cycles ? goal : 0);
        if (!runs[i].mask) runs[i].watch = runs[0].watch;
        if (same(&runs[0], &runs[i])) continue;
        fprintf(stderr, "seed %llu: in slices and %s differ\n", (unsigned long long)seed, runs[i].name);
        tell(&runs[0]);
        tell(&runs[i]);
        ok = false;
    }
    for (unsigned i = 0; i < N; i++) rs_destroy(runs[i].m);
    return ok;
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    uint64_t count = argc > 2 ? strtoull(argv[2], NULL, 0) : 40;
    uint64_t total = argc > 3 ? strtoull(argv[3], NULL, 0) : 3000;
    unsigned bad = 0;

    for (uint64_t seed = first; seed < first + count; seed++)
        if (!one_seed(seed, total) && ++bad >= 5) break;
    printf("%llu random guests, %u differ\n", (unsigned long long)count, bad);
    return bad != 0;
}
