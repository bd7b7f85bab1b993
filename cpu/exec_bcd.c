/*
 * exec_bcd.c - decimal adjustment: DAA DAS AAA AAS AAM AAD. #UD in 64-bit mode (the decoder's).
 * Flags that the manual leaves undefined are those of a logic operation on AL.
 * Manual: SDM 2A "DAA", "DAS", "AAA", "AAS", "AAM", "AAD".
 */
#include "cpu/exec_parts.h"

static uint8_t al(const struct cpu *c) { return (uint8_t)c->gpr[R_RAX]; }
static uint8_t ah(const struct cpu *c) { return (uint8_t)(c->gpr[R_RAX] >> 8); }

static void ax_put(struct cpu *c, unsigned high, unsigned low)
{
    reg_put(c, R_RAX, 2, (uint64_t)((high & 0xff) << 8 | (low & 0xff)));
}

/** DAA and DAS: 6 for a low digit beyond 9, 60H for a sum beyond 99H. */
static enum step adjust_packed(struct cpu *c, bool add)
{
    unsigned before = al(c), by = 0;
    bool cf = fl_cf(c), low = (before & 15) > 9 || fl_af(c), high = before > 0x99 || cf, borrowed;

    if (low) by += 6;
    if (high) by += 0x60;
    borrowed = low && !add && before < 6; /* DAS: CF also when AL - 6 borrows */
    unsigned after = (add ? before + by : before - by) & 0xff;
    *reg_byte(c, 0) = (uint8_t)after;
    fl_set(c, (int8_t)after, high || borrowed, false, low);
    return STEP_NEXT;
}

OP(daa) { return adjust_packed(c, true); }
OP(das) { return adjust_packed(c, false); }

/** AAA and AAS: a digit beyond 9 carries into AH. */
static enum step adjust_unpacked(struct cpu *c, bool add)
{
    bool carry = (al(c) & 15) > 9 || fl_af(c);
    unsigned ax = (uint16_t)c->gpr[R_RAX];

    if (carry) ax = add ? ax + 0x106 : ax - 0x106;
    ax_put(c, ax >> 8, ax & 15);
    fl_set(c, (int8_t)al(c), carry, false, carry);
    return STEP_NEXT;
}

OP(aaa) { return adjust_unpacked(c, true); }
OP(aas) { return adjust_unpacked(c, false); }

OP(aam)
{
    unsigned base = (uint8_t)o->imm;

    if (base == 0) return fault_raise(c, VEC_DE);
    ax_put(c, al(c) / base, al(c) % base);
    fl_logic(c, al(c), 1);
    return STEP_NEXT;
}

OP(aad)
{
    ax_put(c, 0, al(c) + (unsigned)ah(c) * (uint8_t)o->imm);
    fl_logic(c, al(c), 1);
    return STEP_NEXT;
}

/* SALC: AL = 0 - CF. In no manual of Intel's until the opcode map listed it; in every processor. */
OP(salc)
{
    *reg_byte(c, 0) = fl_cf(c) ? 0xff : 0;
    return STEP_NEXT;
}
