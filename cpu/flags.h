/*
 * flags.h - the arithmetic flags, kept lazily without a kind: four words say everything.
 *
 *   CF = fl_a < fl_b (unsigned)            OF = sign of (a ^ b) & (a ^ (a - b))
 *   ZF = fl_res == 0                       SF = sign of fl_res ^ fl_meta
 *   PF = even parity of fl_res's low byte, inverted by bit 8 of fl_meta
 *   AF = bit 4 of ((a ^ b ^ (a - b)) >> (fl_meta & 63))
 *
 * a and b are aligned to the top of 64 bits (fl_meta & 63 = 64 - operand bits), fl_res is
 * sign-extended. SUB and CMP store their operands; ADD stores (result, b), since a sum minus one
 * addend borrows exactly when the addition carried; logic stores (0, 0). Anything else (INC keeps
 * CF, shifts, POPF) stores one of eight constant pairs that yield the wanted CF, OF and AF.
 * Manual: SDM 1 "EFLAGS Register".
 */
#ifndef CPU_FLAGS_H
#define CPU_FLAGS_H

#include "cpu/state.h"

#define FL_PF_INVERT 0x100ull
#define FL_SF_INVERT (1ull << 63)

static inline bool fl_cf(const struct cpu *c) { return c->fl_a < c->fl_b; }
static inline bool fl_zf(const struct cpu *c) { return c->fl_res == 0; }
static inline bool fl_sf(const struct cpu *c) { return (int64_t)(c->fl_res ^ c->fl_meta) < 0; }
static inline bool fl_of(const struct cpu *c)
{
    return (int64_t)((c->fl_a ^ c->fl_b) & (c->fl_a ^ (c->fl_a - c->fl_b))) < 0;
}
static inline bool fl_pf(const struct cpu *c)
{
    return (!__builtin_parity((unsigned)(c->fl_res & 0xff))) ^ ((c->fl_meta & FL_PF_INVERT) != 0);
}
static inline bool fl_af(const struct cpu *c)
{
    return (((c->fl_a ^ c->fl_b ^ (c->fl_a - c->fl_b)) >> (c->fl_meta & 63)) & 0x10) != 0;
}

/** Pairs (a, b) by CF | OF << 1 | AF << 2, for fl_meta & 63 == 0. */
struct fl_pair {
    uint64_t a, b;
};
static const struct fl_pair fl_pairs[8] = {
    {0, 0},
    {0, 0x10},
    {0x8000000000000000u, 0x10},
    {0x7fffffffffffffffu, 0x8000000000000000u},
    {0x10, 1},
    {0, 1},
    {0x8000000000000000u, 1},
    {0x7ffffffffffffff0u, 0x8000000000000001u},
};

/** CF, OF, AF explicitly; ZF, SF, PF from a sign-extended result. */
static inline void fl_set(struct cpu *c, int64_t result, bool cf, bool of, bool af)
{
    const struct fl_pair *p = &fl_pairs[(unsigned)cf | (unsigned)of << 1 | (unsigned)af << 2];
    c->fl_res = (uint64_t)result;
    c->fl_a = p->a;
    c->fl_b = p->b;
    c->fl_meta = 0;
}

/** Change CF alone. */
static inline void fl_set_cf(struct cpu *c, bool cf)
{
    const struct fl_pair *p = &fl_pairs[(unsigned)cf | (unsigned)fl_of(c) << 1 | (unsigned)fl_af(c) << 2];
    c->fl_a = p->a;
    c->fl_b = p->b;
    c->fl_meta &= ~63ull;
}

/** The six arithmetic flags as RF_* bits. */
static inline __attribute__((always_inline)) uint32_t fl_get(const struct cpu *c)
{
    return (fl_cf(c) ? RF_CF : 0) | (fl_pf(c) ? RF_PF : 0) | (fl_af(c) ? RF_AF : 0) |
           (fl_zf(c) ? RF_ZF : 0) | (fl_sf(c) ? RF_SF : 0) | (fl_of(c) ? RF_OF : 0);
}

/** Set all six from RF_* bits. Canonical: equal flags give equal words. */
static inline __attribute__((always_inline)) void fl_put(struct cpu *c, uint64_t flags)
{
    bool zf = flags & RF_ZF, sf = flags & RF_SF, pf = flags & RF_PF;
    uint64_t res = zf ? 0 : (sf ? 0xffffffffffffff00u : 0x100u) | (pf ? 0 : 1);
    fl_set(c, (int64_t)res, flags & RF_CF, flags & RF_OF, flags & RF_AF);
    if (zf && sf) c->fl_meta |= FL_SF_INVERT;
    if (zf && !pf) c->fl_meta |= FL_PF_INVERT;
}

/** Whole RFLAGS. */
static inline __attribute__((always_inline)) uint64_t flags_get(const struct cpu *c) { return c->flags | fl_get(c) | RF_ONE; }
/** Whole RFLAGS, unchecked: the caller has decided which bits may change. The run loop must be
 *  re-entered afterwards (STEP_END) if IF, TF, AC, IOPL or VM changed; cpu_mode_changed() refreshes
 *  what hangs on AC, IOPL and VM. */
static inline void flags_put(struct cpu *c, uint64_t flags)
{
    fl_put(c, flags);
    c->flags = flags & RF_DEFINED & ~(uint64_t)RF_ARITH;
}

#endif
