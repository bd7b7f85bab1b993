/*
 * real.h - the little world of ring.h in real and in virtual-8086 mode: code at 1000:0000, a stack at
 * 2000:1000, data at 3000:0000, and for every vector a handler of real mode at 4000:16 v.
 */
#ifndef TESTS_CPU_REAL_H
#define TESTS_CPU_REAL_H

#include "tests/cpu/ring.h"

enum { R_CODE = 0x1000, R_STACK = 0x2000, R_DATA = 0x3000, R_HANDLER = 0x4000, R_SP = 0x1000 };

/* ES, SS, DS, FS, GS and CS in real mode's way. */
static inline void real_segments(struct ring *r, unsigned attr)
{
    segment(r, I_CS, R_CODE, R_CODE << 4, 0xffff, attr | 8);
    segment(r, I_SS, R_STACK, R_STACK << 4, 0xffff, attr);
    for (unsigned i = I_DS; i <= I_GS; i++) segment(r, i, R_DATA, R_DATA << 4, 0xffff, attr);
    segment(r, I_ES, R_DATA, R_DATA << 4, 0xffff, attr);
}

static inline void real_vectors(struct ring *r)
{
    for (unsigned v = 0; v < 256; v++) {
        poke(r, 4 * v, 16 * v | (uint32_t)R_HANDLER << 16, 4);
        poke(r, (R_HANDLER << 4) + 16 * v, 0xfeeb, 2);
    }
}

/* At 1000:0000 in real mode, with the 8086's vectors. */
static inline void at_real(struct ring *r)
{
    reg(r, RS_REG_RFLAGS, 2);
    reg(r, RS_REG_CR0, 0x10);
    real_segments(r, ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED);
    reg(r, RS_REG_CPL, 0);
    reg(r, RS_REG_RIP, 0);
    reg(r, RS_REG_RSP, R_SP);
    reg(r, RS_REG_IDTR_BASE, 0);
    reg(r, RS_REG_IDTR_LIMIT, 0x3ff);
}

static inline struct ring *real_new(void)
{
    struct ring *r = ring_new(true);

    real_vectors(r);
    at_real(r);
    return r;
}

/* At 1000:0000 in virtual-8086 mode with this IOPL; flags are added. The 32-bit handlers are ring.h's. */
static inline void at_v86(struct ring *r, unsigned iopl, unsigned flags)
{
    reg(r, RS_REG_CR0, 0x11);
    reg(r, RS_REG_IDTR_BASE, IDT);
    reg(r, RS_REG_IDTR_LIMIT, 0x7ff);
    reg(r, RS_REG_RFLAGS, 0x20002 | iopl << 12 | flags);
    real_segments(r, ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | 3u << 5);
    segment(r, I_CS, R_CODE, R_CODE << 4, 0xffff, ATTR_P | ATTR_S | ATTR_RW | ATTR_ACCESSED | 3u << 5);
    reg(r, RS_REG_CPL, 3);
    reg(r, RS_REG_RIP, 0);
    reg(r, RS_REG_RSP, R_SP);
}

static inline struct ring *v86_new(unsigned iopl, unsigned flags)
{
    struct ring *r = ring_new(true);

    real_vectors(r);
    at_v86(r, iopl, flags);
    return r;
}

/* One instruction at CS:IP. */
static inline void try_real(struct ring *r, const void *bytes, size_t n)
{
    ck_assert_int_eq(rs_phys_write(r->m, get(r, RS_REG_CS_BASE) + get(r, RS_REG_RIP), bytes, n), RS_OK);
    go(r, 1);
}
#define RTRY(r, ...) try_real((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* Which real-mode handler are we in? -1: none. */
static inline int real_vector(struct ring *r)
{
    return get(r, RS_REG_CS) == R_HANDLER ? (int)(get(r, RS_REG_RIP) / 16) : -1;
}

/* A word on the stack, counted from its top. */
static inline uint64_t word_at(struct ring *r, unsigned i)
{
    return peek(r, get(r, RS_REG_SS_BASE) + (get(r, RS_REG_RSP) & 0xffff) + 2 * i, 2);
}

#endif
