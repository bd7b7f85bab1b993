/*
 * wild.h - a guest in any mode, with any tables: made from bytes (a fuzzer's) or from a seed.
 *
 * Real mode, big real mode, virtual-8086, 16- and 32-bit protected, compatibility and 64-bit mode at
 * level 0 or 3, with and without paging; a GDT, an LDT, an IDT, TSSs of every size and page tables that
 * are plausible and then damaged; code in which every instruction of protection occurs often; handlers
 * that step over what faults. Everything lies below 2 MiB, mapped one to one where there is paging.
 */
#ifndef TESTS_DIFF_WILD_H
#define TESTS_DIFF_WILD_H

#include <ringside/ringside.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WILD_MEM (2u << 20)

enum {
    WILD_GDT = 0x1000,
    WILD_LDT = 0x1800,
    WILD_IDT = 0x2000, /* 256 gates of 8 bytes, or 128 of 16 */
    WILD_TSS = 0x3000, /* eight, 0x200 bytes each */
    WILD_STUBS = 0x5000, /* three kinds, 64 bytes each */
    WILD_CODE = 0x8000,
    WILD_CODE_SIZE = 0x2000,
    WILD_DATA = 0xa000,
    WILD_DATA_SIZE = 0x4000,
    WILD_STACK = 0xf000, /* eight of 0x200 bytes below it */
    WILD_PAGES = 0x20000
};

/* ---- chance: bytes as long as there are some, then splitmix64 --------------------------------------- */

struct dice {
    const uint8_t *bytes;
    size_t size, at;
    uint64_t s;
};

static inline uint64_t wild_random(struct dice *d)
{
    uint64_t z = d->s += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static inline unsigned wild_byte(struct dice *d)
{
    if (d->at < d->size) {
        d->s = (d->s ^ d->bytes[d->at]) * 0x100000001b3u;
        return d->bytes[d->at++];
    }
    return (unsigned)wild_random(d) & 0xff;
}

static inline uint64_t wild_word(struct dice *d, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++) v |= (uint64_t)wild_byte(d) << (8 * i);
    return v;
}

/** 0 .. n-1; n <= 256 takes one byte. */
static inline unsigned below(struct dice *d, unsigned n)
{
    return (n <= 256 ? wild_byte(d) : (unsigned)wild_word(d, 2)) % n;
}

/** True once in n times. */
static inline bool once_in(struct dice *d, unsigned n) { return below(d, n) == 0; }

/* ---- state ------------------------------------------------------------------------------------------- */

static inline void wild_set(rs_machine *m, unsigned reg, uint64_t v)
{
    if (rs_reg_write(m, 0, reg, v) != RS_OK) abort();
}

static inline void wild_poke(rs_machine *m, uint64_t at, const void *from, size_t n)
{
    if (rs_phys_write(m, at, from, n) != RS_OK) abort();
}

static inline void wild_poke64(rs_machine *m, uint64_t at, uint64_t v) { wild_poke(m, at, &v, 8); }

/* ---- descriptors --------------------------------------------------------------------------------------- */

#define D_(attr, base, limit)                                                                      \
    ((uint64_t)((limit) & 0xffff) | ((uint64_t)(base) & 0xffffff) << 16 | (uint64_t)((attr) & 0xff) << 40 | \
     ((uint64_t)(limit) >> 16 & 15) << 48 | (uint64_t)((attr) >> 12) << 52 | (uint64_t)((base) >> 24) << 56)
#define GATE_(type, dpl, sel, off, params)                                                          \
    ((uint64_t)((off) & 0xffff) | (uint64_t)(sel) << 16 | (uint64_t)(params) << 32 |                  \
     (uint64_t)(0x80 | (dpl) << 5 | (type)) << 40 | ((uint64_t)(off) & 0xffff0000) << 32)
#define SEL(index) ((unsigned)(index) << 3)
#define W_TSS(n) (WILD_TSS + 0x200u * (n))

/* Index in the GDT: what a selector names most of the time. */
enum {
    G_CODE32 = 1, G_DATA, G_CODE32_3, G_DATA_3, G_CODE16, G_DATA16, G_CODE16_3, G_DATA16_3, G_CODE64,
    G_CODE64_3, G_CONFORM, G_DOWN, G_TSS, G_TSS_NEXT, G_TSS16, G_LDT, G_CALL32, G_CALL16, G_TASK, G_CALL64,
    G_CALL64_UP, G_SMALL, G_EXEC, G_RO, G_CODE1, G_DATA1, G_ANY, G_COUNT = 32
};

static inline unsigned wild_selector(struct dice *d)
{
    unsigned index = below(d, 8) ? 1 + below(d, G_COUNT - 1) : below(d, 40), rpl = below(d, 4);

    return index << 3 | (once_in(d, 8) ? 4 : 0) | (below(d, 2) ? rpl : below(d, 2) ? 0 : 3);
}

static inline uint64_t wild_descriptor(struct dice *d)
{
    unsigned type = below(d, 32), dpl = below(d, 4);
    unsigned attr = type | dpl << 5 | (below(d, 6) ? 0x80 : 0) | below(d, 16) << 12;

    if (!(type & 16) && below(d, 2)) return GATE_(type & 15, dpl, wild_selector(d), WILD_CODE + below(d, 0x2000), below(d, 32));
    return D_(attr, once_in(d, 2) ? 0 : below(d, 0xf000), (uint32_t)wild_word(d, 3) & 0xfffff);
}

static inline void wild_gdt(rs_machine *m, struct dice *d)
{
    uint64_t g[G_COUNT] = {0,
        D_(0xc09b, 0, 0xfffff), D_(0xc093, 0, 0xfffff), D_(0xc0fb, 0, 0xfffff), D_(0xc0f3, 0, 0xfffff),
        D_(0x009b, 0, 0xffff), D_(0x0093, 0, 0xffff), D_(0x00fb, 0, 0xffff), D_(0x00f3, 0, 0xffff),
        D_(0xa09b, 0, 0xfffff), D_(0xa0fb, 0, 0xfffff), D_(0xc09f, 0, 0xfffff), D_(0x4097, 0, 0x7fff),
        D_(0x008b, W_TSS(0), 0x1ff), D_(0x0089, W_TSS(1), 0x1ff), D_(0x0081, W_TSS(2), 0x1ff),
        D_(0x0082, WILD_LDT, 0x7f), GATE_(12, 3, SEL(G_CODE32), WILD_CODE + 0x100, 2),
        GATE_(4, 3, SEL(G_CODE16), WILD_CODE + 0x200, 3), GATE_(5, 3, SEL(G_TSS_NEXT), 0, 0),
        GATE_(12, 3, SEL(G_CODE64), WILD_CODE + 0x300, 0), 0, D_(0x4093, WILD_DATA, 0x3ff),
        D_(0x4099, 0, 0xffff), D_(0xc091, 0, 0xfffff), D_(0xc0bb, 0, 0xfffff), D_(0xc0b3, 0, 0xfffff)};

    for (unsigned i = G_ANY; i < G_COUNT; i++) g[i] = wild_descriptor(d);
    for (unsigned n = below(d, 6); n > 0; n--) g[1 + below(d, G_COUNT - 1)] ^= 1ull << (32 + below(d, 32));
    wild_poke(m, WILD_GDT, g, sizeof g);
    for (unsigned i = 0; i < 16; i++) wild_poke64(m, WILD_LDT + 8 * i, below(d, 2) ? g[below(d, G_COUNT)] : wild_descriptor(d));
}

/* ---- TSSs ------------------------------------------------------------------------------------------------ */

static inline unsigned wild_stack(struct dice *d) { return WILD_STACK - 0x200 * below(d, 8); }
static inline unsigned wild_data(struct dice *d) { return WILD_DATA + below(d, WILD_DATA_SIZE); }
static inline unsigned wild_code(struct dice *d) { return WILD_CODE + below(d, WILD_CODE_SIZE); }

static inline void wild_tss32(rs_machine *m, struct dice *d, unsigned at)
{
    uint32_t t[27] = {wild_selector(d), wild_stack(d), SEL(G_DATA), wild_stack(d), SEL(G_DATA1) | 1, wild_stack(d), wild_selector(d), WILD_PAGES};
    bool user = below(d, 2), v86 = once_in(d, 4);

    t[8] = wild_code(d);
    t[9] = 2 | (v86 ? 0x20000 : 0) | (once_in(d, 4) ? 0x4000 : 0) | (below(d, 3) ? 0x3000 : 0) | (below(d, 2) ? 0x200 : 0) | (once_in(d, 6) ? 0x100 : 0);
    for (unsigned i = 10; i < 18; i++) t[i] = wild_data(d);
    t[14] = wild_stack(d);
    for (unsigned i = 18; i < 24; i++) t[i] = v86 ? below(d, 0x800) : user ? SEL(G_DATA_3) | 3 : SEL(G_DATA);
    if (!v86) t[19] = user ? SEL(G_CODE32_3) | 3 : SEL(G_CODE32);
    if (once_in(d, 3)) t[18 + below(d, 6)] = wild_selector(d);
    t[24] = below(d, 3) ? 0 : once_in(d, 2) ? SEL(G_LDT) : wild_selector(d);
    t[25] = (once_in(d, 6) ? 1 : 0) | (below(d, 2) ? 0x88u : below(d, 0x280)) << 16;
    wild_poke(m, at, t, 26 * 4);
    for (unsigned i = 0; i < 10; i++) /* the map of redirections (bit set: to the protected-mode handler), then of ports */
        wild_poke64(m, at + 0x68 + 8 * i, below(d, 2) ? 0 : wild_word(d, 8));
}

static inline void wild_tss16(rs_machine *m, struct dice *d, unsigned at)
{
    uint16_t t[22] = {(uint16_t)wild_selector(d), (uint16_t)wild_stack(d), SEL(G_DATA16), (uint16_t)wild_stack(d), SEL(G_DATA1) | 1, (uint16_t)wild_stack(d), (uint16_t)wild_selector(d)};
    bool user = below(d, 2);

    t[7] = (uint16_t)wild_code(d);
    t[8] = (uint16_t)(2 | (once_in(d, 4) ? 0x4000 : 0) | (below(d, 3) ? 0x3000 : 0) | (below(d, 2) ? 0x200 : 0));
    for (unsigned i = 9; i < 17; i++) t[i] = (uint16_t)wild_data(d);
    t[13] = (uint16_t)wild_stack(d);
    t[17] = t[19] = t[20] = user ? SEL(G_DATA16_3) | 3 : SEL(G_DATA16);
    t[18] = user ? SEL(G_CODE16_3) | 3 : SEL(G_CODE16);
    if (once_in(d, 3)) t[17 + below(d, 4)] = (uint16_t)wild_selector(d);
    t[21] = below(d, 2) ? 0 : SEL(G_LDT);
    wild_poke(m, at, t, sizeof t);
}

static inline void wild_tss64(rs_machine *m, struct dice *d, unsigned at)
{
    for (unsigned i = 0; i < 3; i++) wild_poke64(m, at + 4 + 8 * i, wild_stack(d));
    for (unsigned i = 0; i < 7; i++) wild_poke64(m, at + 0x24 + 8 * i, below(d, 8) ? wild_stack(d) : wild_word(d, 8));
    wild_poke(m, at + 0x66, &(uint16_t){below(d, 2) ? 0x88 : 0x1f0}, 2);
}

/* ---- handlers and the IDT ---------------------------------------------------------------------------------- */

/* Step over a byte of what faulted and return: 16, 32, 64 bits, without and with an error code. */
static inline void wild_stubs(rs_machine *m)
{
    static const uint8_t stub[6][16] = {
        {0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf},             /* push bp; inc word [bp+2]; pop bp; iret */
        {0x83, 0xc4, 0x02, 0x55, 0x89, 0xe5, 0xff, 0x46, 0x02, 0x5d, 0xcf},
        {0xff, 0x04, 0x24, 0xcf},                                     /* inc dword [esp]; iretd */
        {0x83, 0xc4, 0x04, 0xff, 0x04, 0x24, 0xcf},
        {0x48, 0xff, 0x04, 0x24, 0x48, 0xcf},
        {0x48, 0x83, 0xc4, 0x08, 0x48, 0xff, 0x04, 0x24, 0x48, 0xcf}};

    for (unsigned i = 0; i < 6; i++) wild_poke(m, WILD_STUBS + 64 * i, stub[i], sizeof stub[i]);
}

static inline bool has_code(unsigned v) { return v == 8 || (v >= 10 && v <= 14) || v == 17 || v == 21; }

static inline void wild_idt_real(rs_machine *m, struct dice *d)
{
    for (unsigned v = 0; v < 256; v++) {
        uint32_t to = below(d, 20) ? WILD_STUBS : wild_code(d) | below(d, 2) << 16;
        wild_poke(m, 4 * v, &to, 4);
    }
}

static inline void wild_idt_protected(rs_machine *m, struct dice *d)
{
    for (unsigned v = 0; v < 256; v++) {
        unsigned kind = below(d, 24), dpl = v > 32 || once_in(d, 2) ? 3 : 0;
        unsigned to = WILD_STUBS + 128u + 64u * has_code(v);
        uint64_t g = GATE_(kind & 1 ? 14u : 15u, dpl, SEL(kind == 3 ? G_CONFORM : G_CODE32), to, 0);

        if (kind == 0) g = GATE_(6u + below(d, 2), dpl, SEL(G_CODE16), WILD_STUBS + 64 * has_code(v), 0);
        if (kind == 1) g = GATE_(5u, dpl, SEL(below(d, 2) ? G_TSS_NEXT : G_TSS16), 0, 0);
        if (kind == 2) g = wild_descriptor(d);
        wild_poke64(m, WILD_IDT + 8 * v, g);
    }
}

static inline void wild_idt_long(rs_machine *m, struct dice *d)
{
    for (unsigned v = 0; v < 128; v++) {
        unsigned kind = below(d, 24), dpl = v > 32 || once_in(d, 2) ? 3 : 0;
        unsigned to = WILD_STUBS + 256u + 64u * has_code(v);
        uint64_t g = GATE_(kind & 1 ? 14u : 15u, dpl, SEL(G_CODE64), to, kind == 3 ? below(d, 8) : 0);

        wild_poke64(m, WILD_IDT + 16 * v, kind == 2 ? wild_descriptor(d) : g);
        wild_poke64(m, WILD_IDT + 16 * v + 8, kind == 4 ? wild_word(d, 8) : 0);
    }
}

/* ---- page tables: 2 MiB one to one, some entries damaged ------------------------------------------------------ */

static inline uint64_t wild_rights(struct dice *d)
{
    uint64_t e = 7;

    if (once_in(d, 24)) e ^= 1ull << below(d, 3);
    if (once_in(d, 48)) e ^= 1ull << below(d, 10);
    return e;
}

static inline void wild_pages_long(rs_machine *m, struct dice *d)
{
    wild_poke64(m, WILD_PAGES, (WILD_PAGES + 0x1000) | 7);
    wild_poke64(m, WILD_PAGES + 0x1000, (WILD_PAGES + 0x2000) | 7);
    wild_poke64(m, WILD_PAGES + 0x2000, (WILD_PAGES + 0x3000) | 7);
    for (unsigned i = 0; i < 512; i++)
        wild_poke64(m, WILD_PAGES + 0x3000 + 8 * i, (uint64_t)i << 12 | (i < 48 ? wild_rights(d) : 7));
}

/* CR3 = WILD_PAGES: the four PDPTEs of PAE paging or the page directory of 32-bit paging. */
static inline void wild_pages_legacy(rs_machine *m, struct dice *d, bool pae)
{
    if (pae) {
        wild_pages_long(m, d);
        wild_poke64(m, WILD_PAGES, (WILD_PAGES + 0x2000) | 1);
        for (unsigned i = 1; i < 4; i++) wild_poke64(m, WILD_PAGES + 8 * i, once_in(d, 3) ? wild_descriptor(d) : 0);
        return;
    }
    for (unsigned i = 0; i < 1024; i++) {
        uint32_t e = i << 12 | (uint32_t)(i < 48 ? wild_rights(d) : 7);
        wild_poke(m, WILD_PAGES + 0x1000 + 4 * i, &e, 4);
    }
    uint32_t pde = (WILD_PAGES + 0x1000) | 7, big = 0x87;

    wild_poke(m, WILD_PAGES, &pde, 4);
    wild_poke(m, WILD_PAGES + 4, &big, 4);
}

/* ---- code ---------------------------------------------------------------------------------------------------- */

struct code {
    uint8_t b[WILD_CODE_SIZE];
    unsigned n;
};

static inline void put(struct code *k, unsigned byte)
{
    if (k->n < sizeof k->b) k->b[k->n++] = (uint8_t)byte;
}

static inline void put_n(struct code *k, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++) put(k, v >> (8 * i) & 0xff);
}

/* A ModRM byte, and a displacement that suits 16- and 32-bit addressing about equally badly. */
static inline void put_modrm(struct code *k, struct dice *d, unsigned reg)
{
    unsigned kind = below(d, 8), rm = below(d, 8);

    reg = (reg & 7) << 3;
    if (kind < 3) {
        put(k, 0xc0 | reg | rm);
    } else if (kind < 5) {
        put(k, 0x00 | reg | (rm == 6 ? 7 : rm));
        if (rm == 4 || rm == 5) put_n(k, wild_data(d), 4);
    } else if (kind < 7) {
        put(k, 0x40 | reg | rm);
        if (rm == 4) put(k, below(d, 256));
        put(k, below(d, 256));
    } else {
        put(k, 0x06 | reg);
        put_n(k, wild_data(d), 2);
    }
}

/* Opcodes without and with ModRM that protection, flags and the stack hang on. */
static const uint8_t wild_plain[] = {
    0x9c, 0x9d, 0x9c, 0x9d, 0xfa, 0xfb, 0xcc, 0xce, 0xf1, 0xcf, 0xcb, 0xc3, 0x60, 0x61, 0xc9, 0x06, 0x07, 0x0e, 0x16,
    0x17, 0x1e, 0x1f, 0xec, 0xed, 0xee, 0xef, 0x6c, 0x6d, 0x6e, 0x6f, 0xa4, 0xa5, 0xaa, 0xab, 0xac, 0xad, 0xa6, 0xa7,
    0xae, 0xaf, 0x27, 0x2f, 0x37, 0x3f, 0xd6, 0xd7, 0x98, 0x99, 0x9e, 0x9f, 0xf5, 0xf8, 0xf9, 0xfc, 0xfd, 0x9b, 0x90,
    0x50, 0x54, 0x58, 0x5c, 0x40, 0x48, 0xf4, 0x91, 0x95};
static const uint8_t wild_with_modrm[] = {0x00, 0x01, 0x03, 0x11, 0x19, 0x29, 0x31, 0x39, 0x85, 0x87, 0x89, 0x8b, 0x8d,
    0x8c, 0x8e, 0x8e, 0x8f, 0xc4, 0xc5, 0x62, 0x63, 0xff, 0xfe, 0xf6, 0xf7, 0xd1, 0xd3, 0x63, 0x86};
static const uint8_t wild_0f[] = {0x00, 0x00, 0x01, 0x01, 0x01, 0x02, 0x03, 0x20, 0x20, 0x22, 0x22, 0x21, 0x23, 0x23,
    0xb2, 0xb4, 0xb5, 0xa3, 0xab, 0xb0, 0xb1, 0xc0, 0xc1, 0xc7, 0xaf, 0xb6, 0xbe, 0x1f, 0xae, 0x0d};
static const uint8_t wild_0f_plain[] = {0x05, 0x06, 0x07, 0x08, 0x09, 0x0b, 0x30, 0x32, 0x31, 0x34, 0x35, 0xa0, 0xa1,
    0xa8, 0xa9, 0xa2, 0x33, 0xaa};
static const uint32_t wild_msrs[] = {0x10, 0x1b, 0x3b, 0x174, 0x175, 0x176, 0x1a0, 0x1d9, 0x277, 0xc0000080, 0xc0000081,
    0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000103, 0x17a, 0x2ff, 0x179, 0x200, 0x250, 0x400, 0x401, 0x6e0, 0x80b, 0x83f, 0xda0, 0xc0010010, 0xc0010015, 0xc0010117};

#define PICK(d, list) ((list)[below((d), sizeof(list) / sizeof((list)[0]))])

/* mov ecx, msr; mov eax, value; xor edx, edx (or a value); wrmsr */
static inline void put_wrmsr(struct code *k, struct dice *d)
{
    put(k, 0xb9);
    put_n(k, PICK(d, wild_msrs), 4);
    put(k, 0xb8);
    put_n(k, below(d, 2) ? wild_code(d) : below(d, 2) ? 1u << below(d, 32) : wild_word(d, 4), 4);
    if (below(d, 4)) {
        put_n(k, 0x300fd231, 4);
        return;
    }
    put(k, 0xba); /* mov edx, the high half */
    put_n(k, wild_word(d, 4), 4);
    put_n(k, 0x300f, 2);
}

/* mov eax, value near what the register holds; mov cr, eax or mov dr, eax */
static inline void put_control(struct code *k, struct dice *d)
{
    static const uint32_t values[3][8] = {{0x15, 0x14, 0x80000015, 0x80010015, 0x60000014, 0x8000001d, 0x40015, 0x80000035},
                                          {WILD_PAGES, WILD_PAGES, WILD_PAGES | 0x18, WILD_PAGES + 0x1000, WILD_PAGES + 0x2000, 0, WILD_PAGES, WILD_DATA},
                                          {0x20, 0x30, 0xb0, 0x620, 0x6a0, 0x3, 0x8b, 0x300630}};
    static const uint32_t dr7[] = {0x400, 0x401, 0x10402, 0x30403, 0x20701, 0xf0403, 0xd0703, 0x2400, 0x155, 0x5555};

    put(k, 0xb8);
    if (once_in(d, 3)) {
        bool enable = below(d, 2);
        put_n(k, enable ? PICK(d, dr7) : below(d, 2) ? wild_code(d) : wild_data(d), 4);
        put_n(k, 0x230f, 2);
        put(k, 0xc0 | (enable ? 7 : below(d, 4)) << 3);
        return;
    }
    unsigned which = PICK(d, ((const uint8_t[]){0, 0, 1, 2}));

    put_n(k, PICK(d, values[which]) ^ (once_in(d, 4) ? 1u << below(d, 32) : 0), 4);
    put_n(k, 0x220f, 2);
    put(k, 0xc0u | (which ? which + 2 : 0) << 3);
}

static inline void put_far(struct code *k, struct dice *d)
{
    unsigned size = below(d, 2) ? 4 : 2;

    put(k, below(d, 2) ? 0x9a : 0xea);
    put_n(k, wild_code(d), size);
    put_n(k, below(d, 8) ? wild_selector(d) : below(d, 0x900), 2);
}

/* An image of flags on the stack, then POPF or a whole frame and IRET. */
static inline void put_frame(struct code *k, struct dice *d)
{
    static const uint32_t flags[] = {0x2, 0x202, 0x102, 0x3002, 0x3202, 0x4002, 0x20002, 0x23002, 0x80202, 0x180002, 0x40002, 0x10102};

    if (below(d, 2)) {
        for (unsigned i = below(d, 4) ? 0 : 6; i > 0; i--) {
            put(k, 0x68);
            put_n(k, i == 1 ? wild_stack(d) : wild_selector(d), 4);
        }
    }
    put(k, 0x68);
    put_n(k, PICK(d, flags), 4);
    if (below(d, 3) == 0) {
        put(k, 0x9d);
        return;
    }
    put(k, 0x68);
    put_n(k, wild_selector(d), 4);
    put(k, 0x68);
    put_n(k, wild_code(d), 4);
    if (once_in(d, 3)) put(k, 0x66);
    put(k, below(d, 4) ? 0xcf : 0xcb);
}

static inline void put_selector(struct code *k, struct dice *d)
{
    put(k, 0xb8);
    put_n(k, wild_selector(d), 4);
    if (once_in(d, 4)) { /* lldt, ltr, verr, verw ax */
        put_n(k, 0x000f, 2);
        put(k, 0xc0 | (2 + below(d, 4)) << 3);
    } else if (once_in(d, 4)) { /* lar, lsl eax, eax */
        put(k, 0x0f);
        put(k, 2 + below(d, 2));
        put(k, 0xc0);
    } else { /* mov sreg, ax */
        put(k, 0x8e);
        put(k, 0xc0 | below(d, 6) << 3);
    }
}

/* mov al, value; out port, al: the A20 gate of port 92h, the 8254 and the mask of the 8259, NMIs at port 70h */
static inline void put_port(struct code *k, struct dice *d)
{
    static const uint8_t ports[] = {0x92, 0x92, 0x43, 0x40, 0x40, 0x21, 0x20, 0x70, 0x60, 0x64, 0xa1};
    static const uint8_t values[] = {0, 2, 0x34, 0x14, 0x10, 0, 0x20, 0x80, 0xfe, 0xdd, 0xdf, 0x11};

    put(k, 0xb0);
    put(k, below(d, 2) ? PICK(d, values) & ~1u : below(d, 256) & ~1u); /* bit 0 of port 92h resets */
    put(k, 0xe6);
    put(k, PICK(d, ports));
}

/* mov byte or word [somewhere in the code], op: often just ahead. 16- or 32-bit addressing as it comes. */
static inline void put_smc(struct code *k, struct dice *d)
{
    unsigned to = below(d, 2) ? WILD_CODE + ((k->n + below(d, 32)) & (WILD_CODE_SIZE - 1)) : wild_code(d);

    if (below(d, 2)) {
        put(k, 0xa2); /* mov [moffs], al */
        put_n(k, to, below(d, 3) ? 4 : 2);
    } else {
        put(k, 0xbf); /* mov edi, to; stosb or stosw */
        put_n(k, to, below(d, 3) ? 4 : 2);
        put(k, 0xaa | below(d, 2));
    }
}

/* mov edi, entry; xor dword [edi], a bit; perhaps INVLPG or MOV CR3: a table changes under the TLB's feet */
static inline void put_table(struct code *k, struct dice *d)
{
    static const uint32_t tables[] = {WILD_GDT, WILD_LDT, WILD_IDT, WILD_TSS, WILD_PAGES, WILD_PAGES + 0x1000, WILD_PAGES + 0x3000};

    put(k, 0xbf);
    put_n(k, PICK(d, tables) + 4 * below(d, 96), 4);
    put_n(k, 0x3781, 2);
    put_n(k, 1u << below(d, 32), 4);
    if (below(d, 2)) put_n(k, below(d, 2) ? 0x3f010f : 0xd8220f, 3);
}

/* A short loop: mov ecx, n; a few instructions; loop back. */
static inline void put_insn(struct code *k, struct dice *d);
static inline void put_loop(struct code *k, struct dice *d)
{
    unsigned from;

    put(k, 0xb9);
    put_n(k, below(d, 40), 4);
    from = k->n;
    for (unsigned n = below(d, 4); n > 0; n--) put_insn(k, d);
    if (k->n - from < 120) {
        put(k, 0xe2);
        put(k, (from - k->n - 1) & 0xff);
    }
}

static inline void put_system(struct code *k, struct dice *d)
{
    switch (below(d, 5)) {
    case 0: put_port(k, d); break;
    case 1: put_smc(k, d); break;
    case 2: put_table(k, d); break;
    default: put_loop(k, d); break;
    }
}

static inline void put_insn(struct code *k, struct dice *d)
{
    unsigned kind = below(d, 64);

    if (once_in(d, 5)) put(k, 0x66);
    if (once_in(d, 10)) put(k, 0x67);
    if (once_in(d, 14)) put(k, PICK(d, ((const uint8_t[]){0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0, 0xf2, 0xf3, 0xf3, 0x48})));
    if (kind < 14) {
        put(k, PICK(d, wild_plain));
    } else if (kind < 28) {
        put(k, PICK(d, wild_with_modrm));
        put_modrm(k, d, below(d, 8));
    } else if (kind < 34) {
        put(k, 0x0f);
        put(k, PICK(d, wild_0f));
        put_modrm(k, d, below(d, 8));
    } else if (kind < 36) {
        put(k, 0x0f);
        put(k, PICK(d, wild_0f_plain));
    } else if (kind < 40) {
        put_far(k, d);
    } else if (kind < 44) {
        put_frame(k, d);
    } else if (kind < 48) {
        put_selector(k, d);
    } else if (kind < 51) {
        put_control(k, d);
    } else if (kind < 52) {
        put_wrmsr(k, d);
    } else if (kind < 55) { /* int n; ret n; enter */
        unsigned op = PICK(d, ((const uint8_t[]){0xcd, 0xcd, 0xcd, 0xca, 0xc2, 0xc8}));
        put(k, op);
        put(k, below(d, 2) ? below(d, 32) : below(d, 256));
        if (op != 0xcd) put(k, 0);
        if (op == 0xc8) put(k, below(d, 4));
    } else if (kind < 59) { /* jcc, loop, jmp, call */
        put(k, PICK(d, ((const uint8_t[]){0x74, 0x75, 0x72, 0x7c, 0xe0, 0xe2, 0xe3, 0xeb})));
        put(k, below(d, 64));
    } else if (kind < 60) {
        put_system(k, d);
    } else if (kind < 62) { /* mov r, imm */
        put(k, 0xb8 | below(d, 8));
        put_n(k, below(d, 2) ? wild_data(d) : below(d, 2) ? wild_stack(d) : wild_word(d, 4), 4);
    } else {
        unsigned op = below(d, 256); /* x87 is another issue's */
        put(k, (op & 0xf8) == 0xd8 ? 0x90 : op);
        put_n(k, wild_word(d, 2), 2);
    }
}

/* ---- modes ---------------------------------------------------------------------------------------------------- */

enum wild_mode { W_REAL, W_BIG_REAL, W_V86, W_PROT16, W_PROT32, W_COMPAT, W_LONG, W_MODES };

static inline void wild_segment(rs_machine *m, unsigned i, unsigned sel, uint64_t base, uint64_t limit, unsigned attr)
{
    wild_set(m, RS_REG_ES + i, sel);
    wild_set(m, RS_REG_ES_BASE + i, base);
    wild_set(m, RS_REG_ES_LIMIT + i, limit);
    wild_set(m, RS_REG_ES_ATTR + i, attr);
}

enum { I_ES, I_CS, I_SS, I_DS, I_FS, I_GS, I_LDTR, I_TR };

/* Selectors of code and of data by mode and privilege, and what the attributes are besides P, S, type. */
static inline void wild_segments(rs_machine *m, struct dice *d, enum wild_mode mode, unsigned cpl)
{
    static const struct {
        uint8_t code, data, code3, data3;
        uint32_t limit;
        uint16_t code_attr, data_attr;
    } row[W_MODES] = {
        [W_REAL] = {0, 0, 0, 0, 0xffff, 0x93, 0x93},
        [W_BIG_REAL] = {0, 0, 0, 0, 0xffffffff, 0x8093, 0x8093},
        [W_V86] = {0, 0, 0, 0, 0xffff, 0xf3, 0xf3},
        [W_PROT16] = {G_CODE16, G_DATA16, G_CODE16_3, G_DATA16_3, 0xffff, 0x9b, 0x93},
        [W_PROT32] = {G_CODE32, G_DATA, G_CODE32_3, G_DATA_3, 0xffffffff, 0xc09b, 0xc093},
        [W_COMPAT] = {G_CODE32, G_DATA, G_CODE32_3, G_DATA_3, 0xffffffff, 0xc09b, 0xc093},
        [W_LONG] = {G_CODE64, G_DATA, G_CODE64_3, G_DATA_3, 0xffffffff, 0xa09b, 0xc093},
    };

    for (unsigned i = 0; i < 6; i++) {
        bool code = i == I_CS, shifted = mode == W_V86 && !code && i != I_SS && once_in(d, 3);
        unsigned index = code ? cpl ? row[mode].code3 : row[mode].code : cpl ? row[mode].data3 : row[mode].data;
        unsigned sel = index ? SEL(index) | cpl : shifted ? below(d, 0x400) : 0;

        if (index && !code && once_in(d, 16)) { /* expand-down: all above 7FFFh */
            wild_segment(m, i, SEL(G_DOWN) | cpl, 0, 0x7fff, 0x4097 | cpl << 5);
            continue;
        }
        wild_segment(m, i, sel, index ? 0 : sel << 4, row[mode].limit, (code ? row[mode].code_attr : row[mode].data_attr) | cpl << 5);
    }
}

static inline void wild_control(rs_machine *m, struct dice *d, enum wild_mode mode)
{
    bool lma = mode >= W_COMPAT, real = mode <= W_BIG_REAL, paging = lma || (!real && below(d, 2)), pae = lma || below(d, 2);
    uint64_t cr4 = (pae ? 0x20 : 0) | (below(d, 2) ? 0x10 : 0) | 0x600;

    if (once_in(d, mode == W_V86 ? 2 : 3)) cr4 |= 0x3; /* VME, PVI */
    if (once_in(d, 3)) cr4 |= 0x8 | (below(d, 2) ? 0x80 : 0);
    if (once_in(d, 4)) cr4 |= 0x300800; /* UMIP, SMEP, SMAP */
    if (lma) wild_pages_long(m, d);
    else if (paging) wild_pages_legacy(m, d, pae);
    wild_set(m, RS_REG_CR4, cr4);
    wild_set(m, RS_REG_EFER, (lma ? 0x501u : 1u) | (below(d, 2) ? 0x800u : 0));
    wild_set(m, RS_REG_CR0, (paging ? 0x80000000u : 0) | (real ? 0x10u : 0x11u) | (below(d, 2) ? 0x10000u : 0) | (once_in(d, 4) ? 0x40000u : 0) |
                                (below(d, 32) ? 0x4u : 0) | (once_in(d, 8) ? 0xau : 0)); /* EM: x87 is another issue's */
    wild_set(m, RS_REG_CR3, WILD_PAGES);
}

static inline void wild_tables(rs_machine *m, struct dice *d, enum wild_mode mode)
{
    bool lma = mode >= W_COMPAT, real = mode <= W_BIG_REAL;

    wild_gdt(m, d);
    wild_idt_real(m, d);
    if (lma) wild_idt_long(m, d);
    else wild_idt_protected(m, d);
    for (unsigned i = 0; i < 2; i++) {
        if (lma) wild_tss64(m, d, W_TSS(i));
        else wild_tss32(m, d, W_TSS(i));
    }
    wild_tss16(m, d, W_TSS(2));
    wild_stubs(m);
    wild_set(m, RS_REG_GDTR_BASE, WILD_GDT);
    wild_set(m, RS_REG_GDTR_LIMIT, below(d, 8) ? 8 * G_COUNT - 1 : below(d, 256));
    wild_set(m, RS_REG_IDTR_BASE, real ? 0 : WILD_IDT);
    wild_set(m, RS_REG_IDTR_LIMIT, below(d, 8) ? real ? 0x3ff : 0x7ff : below(d, 0x800));
    wild_segment(m, I_TR, SEL(G_TSS), W_TSS(0), 0x1ff, 0x8b);
    wild_segment(m, I_LDTR, SEL(G_LDT), WILD_LDT, 0x7f, 0x82);
}

static inline void wild_registers(rs_machine *m, struct dice *d, enum wild_mode mode)
{
    uint64_t flags = 2 | (mode == W_V86 ? 0x20000 : 0) | (below(d, 3) ? 0x200 : 0) | (below(d, 2) ? 0x3000 : 0) |
                     (once_in(d, 12) ? 0x100 : 0) | (once_in(d, 6) ? 0x40000 : 0) | (once_in(d, 8) ? 0x4000 : 0);

    for (unsigned i = 0; i < 16; i++) wild_set(m, i, below(d, 4) ? wild_data(d) : once_in(d, 2) ? wild_code(d) : wild_word(d, 4));
    wild_set(m, RS_REG_RSP, wild_stack(d));
    wild_set(m, RS_REG_RCX, below(d, 64));
    wild_set(m, RS_REG_RIP, WILD_CODE);
    wild_set(m, RS_REG_RFLAGS, flags);
    wild_set(m, RS_REG_STAR, (uint64_t)(SEL(G_DATA_3)) << 48 | (uint64_t)(SEL(G_CODE64)) << 32 | WILD_CODE);
    wild_set(m, RS_REG_LSTAR, wild_code(d));
    wild_set(m, RS_REG_CSTAR, wild_code(d));
    if (once_in(d, 4)) {
        for (unsigned i = 0; i < 4; i++) wild_set(m, RS_REG_DR0 + i, below(d, 2) ? wild_data(d) : wild_code(d));
        wild_set(m, RS_REG_DR7, 0x400 | wild_word(d, 1) | wild_word(d, 2) << 16);
    }
}

/** Build the guest in a machine of WILD_MEM bytes or more. wide: its processor knows IA-32e mode. */
static inline void wild_build(rs_machine *m, struct dice *d, bool wide)
{
    static const uint8_t nothing[16];
    enum wild_mode mode = (enum wild_mode)below(d, wide ? W_MODES : W_COMPAT);
    unsigned cpl = mode == W_V86 ? 3 : mode <= W_BIG_REAL || below(d, 2) ? 0 : 3;
    struct code k = {.n = 0};

    if (rs_load_flat(m, nothing, sizeof nothing, WILD_CODE, WILD_CODE, wide ? RS_FLAT_LONG64 : RS_FLAT_PROT32, 0x100000) != RS_OK) abort();
    while (k.n < sizeof k.b) put_insn(&k, d);
    wild_poke(m, WILD_CODE, k.b, sizeof k.b);
    wild_tables(m, d, mode);
    wild_control(m, d, mode);
    wild_segments(m, d, mode, cpl);
    wild_set(m, RS_REG_CPL, cpl);
    wild_registers(m, d, mode);
}

#endif
