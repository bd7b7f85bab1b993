/*
 * exec_parts.h - small parts that the exec_*.c of shifts, bits, strings and SSE share: widths,
 * addresses, the documented flag encodings of flags.h, and the form of a handler that needs no
 * slow path. Pure or trivial; nothing here can fault.
 */
#ifndef CPU_EXEC_PARTS_H
#define CPU_EXEC_PARTS_H

#include "cpu/cpu.h"

__extension__ typedef unsigned __int128 u128;

/** A chained handler that cannot fault and ends in OP_GO(c, o + 1): it must take no address of a
 *  local and make no call, so that the compiler jumps. */
#define DIRECT(name)                                                                               \
    const struct op *op_##name(struct cpu *c, const struct op *o);                                 \
    const struct op *op_##name(struct cpu *c, const struct op *o)

/** All bits of a `width`-byte value. */
static inline uint64_t width_mask(unsigned width) { return ~0ull >> (64 - 8 * width); }

/** The low `width` bytes, sign-extended. */
static inline int64_t width_sext(uint64_t value, unsigned width)
{
    unsigned up = 64 - 8 * width;
    return (int64_t)(value << up) >> up;
}

/** Flags of a logic operation: CF = OF = AF = 0. */
static inline void fl_logic(struct cpu *c, uint64_t result, unsigned width)
{
    c->fl_res = (uint64_t)width_sext(result, width);
    c->fl_a = c->fl_b = c->fl_meta = 0;
}

/** Flags of a - b. */
static inline void fl_sub(struct cpu *c, uint64_t a, uint64_t b, unsigned width)
{
    unsigned up = 64 - 8 * width;
    c->fl_res = (uint64_t)width_sext(a - b, width);
    c->fl_a = a << up;
    c->fl_b = b << up;
    c->fl_meta = up;
}

/** Flags of a + b. */
static inline void fl_add(struct cpu *c, uint64_t a, uint64_t b, unsigned width)
{
    unsigned up = 64 - 8 * width;
    c->fl_res = (uint64_t)width_sext(a + b, width);
    c->fl_a = (a + b) << up;
    c->fl_b = b << up;
    c->fl_meta = up;
}

/** CF and OF alone; the other four stay. */
static inline void fl_set_cf_of(struct cpu *c, bool cf, bool of)
{
    const struct fl_pair *p = &fl_pairs[(unsigned)cf | (unsigned)of << 1 | (unsigned)fl_af(c) << 2];
    c->fl_a = p->a;
    c->fl_b = p->b;
    c->fl_meta &= ~63ull;
}

/** What an effective address wraps at. */
static inline uint64_t addr_mask(const struct op *o)
{
    if (o->flags & OPF_ADDR16) return 0xffff;
    return o->flags & OPF_ADDR32 ? 0xffffffffu : ~0ull;
}

/** Write a pointer or count register at the op's address size: 16 bits merge, 32 zero-extend. */
static inline void addr_put(struct cpu *c, enum gpr reg, uint64_t mask, uint64_t value)
{
    uint64_t keep = mask == 0xffff ? c->gpr[reg] & ~0xffffull : 0;
    c->gpr[reg] = keep | (value & mask);
}

/** Linear address of seg:eff, unjudged. */
static inline uint64_t linear_of(const struct cpu *c, unsigned seg, uint64_t eff)
{
    if (cpu_64(c)) return seg == SEG_FS || seg == SEG_GS ? c->seg[seg].base + eff : eff;
    return (uint32_t)(c->seg[seg].base + eff);
}

/** A general register by the byte offset that 8-bit operands are given as. */
static inline uint8_t *reg_byte(struct cpu *c, unsigned offset) { return (uint8_t *)c->gpr + offset; }

/** A REP that writes must notice when it writes over itself, whichever way it got there: from then on
 *  what it has become is executed. Say so before an element is written through mem_write ... */
static inline void own_begin(struct cpu *c, const struct op *o)
{
    c->own.phys = c->stepping ? c->step_phys : c->blk->phys + o->ip_off;
    c->own.phys2 = c->stepping ? c->step_phys2 : c->blk->phys2;
    c->own.length = o[1].ip_off - (unsigned)o->ip_off;
    c->own.hit = false;
    c->own.on = true;
}
/** ... and after it: has the instruction been written? */
static inline bool own_end(struct cpu *c)
{
    c->own.on = false;
    return c->own.hit;
}

#endif
