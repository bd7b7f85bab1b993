/*
 * exec_bit.c - single bits, bit counts and the bit-manipulation extensions.
 *
 * BT and kin with a register offset and a memory operand address a bit string: the operand at
 * ea + (offset >> 3, rounded down to whole operands), offset signed. The decoder leaves imm = -1
 * when the offset is in the register o->reg. BMI: the VEX.vvvv register is the low byte of imm,
 * except for RORX, whose immediate is one.
 * Undefined flags: BT leaves OF SF AF PF alone; BSF, BSR and the counts set them by value as a logic
 * operation would.
 * Manual: SDM 2A "BT", "BSF", "BSR", "BSWAP", "ANDN", "BEXTR", "BLSI", "BZHI", "ADCX"; SDM 2B
 * "LZCNT", "MOVBE", "MULX", "PDEP", "PEXT", "POPCNT", "RORX", "SARX/SHLX/SHRX", "TZCNT".
 */
#include "cpu/exec_parts.h"

/* ---- BT BTS BTR BTC ------------------------------------------------------------------------- */

enum bit_kind { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT };

static uint64_t bit_change(enum bit_kind kind, uint64_t value, uint64_t bit)
{
    switch (kind) {
    case BIT_SET: return value | bit;
    case BIT_RESET: return value & ~bit;
    case BIT_COMPLEMENT: return value ^ bit;
    case BIT_TEST: break;
    }
    return value;
}

/** Address of the operand that holds bit `offset` of a string. */
static uint64_t bit_string_ea(const struct cpu *c, const struct op *o, int64_t offset)
{
    int64_t operands = offset >> (o->width == 8 ? 6 : o->width == 4 ? 5 : 4);

    return (ea(c, o) + (uint64_t)operands * o->width) & addr_mask(o);
}

static inline enum step do_bit(struct cpu *c, const struct op *o, enum bit_kind kind)
{
    bool string = o->imm == -1;
    int64_t offset = string ? width_sext(c->gpr[o->reg], o->width) : o->imm;
    unsigned at = (unsigned)offset & (8u * o->width - 1);
    uint64_t eff = 0, value;

    if (o->flags & OPF_MEM) {
        eff = string ? bit_string_ea(c, o, offset) : ea(c, o);
        if (!(kind == BIT_TEST ? mem_read : mem_read_rmw)(c, o->seg, eff, o->width, &value))
            return STEP_FAULT;
        if (kind != BIT_TEST &&
            !mem_write(c, o->seg, eff, o->width, bit_change(kind, value, 1ull << at)))
            return STEP_FAULT;
    } else {
        value = reg_get(c, o->rm, o->width);
        if (kind != BIT_TEST) reg_put(c, o->rm, o->width, bit_change(kind, value, 1ull << at));
    }
    fl_set_cf(c, value >> at & 1);
    return STEP_NEXT;
}

OP(bt) { return do_bit(c, o, BIT_TEST); }
OP(bts) { return do_bit(c, o, BIT_SET); }
OP(btr) { return do_bit(c, o, BIT_RESET); }
OP(btc) { return do_bit(c, o, BIT_COMPLEMENT); }

/* ---- finding and counting ------------------------------------------------------------------- */

/* A zero source leaves the whole destination as it was (checks.md 103). */
OP(bsf)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    if (value) reg_put(c, o->reg, o->width, (uint64_t)__builtin_ctzll(value));
    fl_logic(c, value, o->width);
    return STEP_NEXT;
}

OP(bsr)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    if (value) reg_put(c, o->reg, o->width, 63u - (unsigned)__builtin_clzll(value));
    fl_logic(c, value, o->width);
    return STEP_NEXT;
}

OP(tzcnt)
{
    uint64_t value, n;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    n = value ? (unsigned)__builtin_ctzll(value) : 8u * o->width;
    reg_put(c, o->reg, o->width, n);
    fl_set(c, (int64_t)n, value == 0, false, false);
    return STEP_NEXT;
}

OP(lzcnt)
{
    uint64_t value, n;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    n = value ? (unsigned)__builtin_clzll(value) - (64 - 8u * o->width) : 8u * o->width;
    reg_put(c, o->reg, o->width, n);
    fl_set(c, (int64_t)n, value == 0, false, false);
    return STEP_NEXT;
}

OP(popcnt)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, (uint64_t)__builtin_popcountll(value));
    fl_put(c, value ? 0 : RF_ZF);
    return STEP_NEXT;
}

/* ---- byte order ------------------------------------------------------------------------------ */

static uint64_t bytes_reversed(uint64_t value, unsigned width)
{
    return __builtin_bswap64(value) >> (64 - 8 * width);
}

DIRECT(bswap_r32)
{
    c->gpr[o->rm] = __builtin_bswap32((uint32_t)c->gpr[o->rm]);
    OP_GO(c, o + 1);
}

DIRECT(bswap_r64)
{
    c->gpr[o->rm] = __builtin_bswap64(c->gpr[o->rm]);
    OP_GO(c, o + 1);
}

/* Undefined by the manual; processors clear the word. */
DIRECT(bswap_r16)
{
    c->gpr[o->rm] &= ~0xffffull;
    OP_GO(c, o + 1);
}

op_fn pick_bswap(const struct op *o, int kind);
op_fn pick_bswap(const struct op *o, int kind __attribute__((unused)))
{
    return o->width == 8 ? op_bswap_r64 : o->width == 4 ? op_bswap_r32 : op_bswap_r16;
}

/* imm = 1: the memory operand is the destination. */
OP(movbe)
{
    uint64_t value;

    if (o->imm & 1)
        return operand_put(c, o, bytes_reversed(reg_get(c, o->reg, o->width), o->width)) ? STEP_NEXT
                                                                                        : STEP_FAULT;
    if (!operand_get(c, o, &value)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, bytes_reversed(value, o->width));
    return STEP_NEXT;
}

/* ---- BMI1, BMI2, ADX ---------------------------------------------------------------------------- */

static unsigned vvvv(const struct op *o) { return (unsigned)o->imm & 15; }
static uint64_t vvvv_get(const struct cpu *c, const struct op *o)
{
    return reg_get(c, vvvv(o), o->width);
}

OP(andn)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    value &= ~vvvv_get(c, o);
    reg_put(c, o->reg, o->width, value);
    fl_logic(c, value, o->width);
    return STEP_NEXT;
}

/** `length` bits of value from bit `start` on. */
static uint64_t bits_extract(uint64_t value, unsigned start, unsigned length)
{
    value = start < 64 ? value >> start : 0;
    return length < 64 ? value & ((1ull << length) - 1) : value;
}

OP(bextr)
{
    uint64_t value, control = vvvv_get(c, o);

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    value = bits_extract(value, control & 0xff, control >> 8 & 0xff);
    reg_put(c, o->reg, o->width, value);
    fl_logic(c, value, o->width);
    return STEP_NEXT;
}

/** The three that write vvvv from r/m; CF and what is known of the result set the flags. */
static enum step low_bit_put(struct cpu *c, const struct op *o, uint64_t result, bool cf)
{
    reg_put(c, vvvv(o), o->width, result);
    fl_set(c, width_sext(result, o->width), cf, false, false);
    return STEP_NEXT;
}

OP(blsi)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    return low_bit_put(c, o, value & (0 - value), value != 0);
}

OP(blsmsk)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    return low_bit_put(c, o, (value ^ (value - 1)) & width_mask(o->width), value == 0);
}

OP(blsr)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    return low_bit_put(c, o, value & (value - 1), value == 0);
}

OP(bzhi)
{
    unsigned bits = 8u * o->width, n = (uint8_t)vvvv_get(c, o);
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    if (n < bits) value = bits_extract(value, 0, n);
    reg_put(c, o->reg, o->width, value);
    fl_set(c, width_sext(value, o->width), n >= bits, false, false);
    return STEP_NEXT;
}

/* The high half is written last: it stays when both destinations are one register. */
OP(mulx)
{
    u128 product;
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    product = (u128)value * reg_get(c, R_RDX, o->width);
    reg_put(c, vvvv(o), o->width, (uint64_t)product & width_mask(o->width));
    reg_put(c, o->reg, o->width, (uint64_t)(product >> (8 * o->width)));
    return STEP_NEXT;
}

/** The low bits of value, spread to the places where mask has ones. */
static uint64_t bits_deposit(uint64_t value, uint64_t mask)
{
    uint64_t result = 0;

    for (; mask; mask &= mask - 1, value >>= 1)
        if (value & 1) result |= mask & (0 - mask);
    return result;
}

/** The bits of value where mask has ones, gathered at the bottom. */
static uint64_t bits_gather(uint64_t value, uint64_t mask)
{
    uint64_t result = 0;

    for (uint64_t to = 1; mask; mask &= mask - 1, to <<= 1)
        if (value & mask & (0 - mask)) result |= to;
    return result;
}

OP(pdep)
{
    uint64_t mask;

    if (!operand_get(c, o, &mask)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, bits_deposit(vvvv_get(c, o), mask));
    return STEP_NEXT;
}

OP(pext)
{
    uint64_t mask;

    if (!operand_get(c, o, &mask)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, bits_gather(vvvv_get(c, o), mask));
    return STEP_NEXT;
}

OP(rorx)
{
    unsigned bits = 8u * o->width, n = (unsigned)o->imm & (bits - 1);
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    if (n) value = (value >> n | value << (bits - n)) & width_mask(o->width);
    reg_put(c, o->reg, o->width, value);
    return STEP_NEXT;
}

static unsigned vvvv_count(const struct cpu *c, const struct op *o)
{
    return (unsigned)vvvv_get(c, o) & (8u * o->width - 1);
}

OP(sarx)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, (uint64_t)(width_sext(value, o->width) >> vvvv_count(c, o)));
    return STEP_NEXT;
}

OP(shlx)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, value << vvvv_count(c, o));
    return STEP_NEXT;
}

OP(shrx)
{
    uint64_t value;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    reg_put(c, o->reg, o->width, value >> vvvv_count(c, o));
    return STEP_NEXT;
}

/** reg + r/m + carry at the op's width; *out is the carry out. */
static uint64_t add_carry(uint64_t a, uint64_t b, bool carry, unsigned width, bool *out)
{
    u128 sum = (u128)a + b + carry;

    *out = sum >> (8 * width) & 1;
    return (uint64_t)sum & width_mask(width);
}

OP(adcx)
{
    uint64_t value, sum;
    bool carry;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    sum = add_carry(reg_get(c, o->reg, o->width), value, fl_cf(c), o->width, &carry);
    reg_put(c, o->reg, o->width, sum);
    fl_set_cf(c, carry);
    return STEP_NEXT;
}

OP(adox)
{
    uint64_t value, sum;
    bool carry;

    if (!operand_get(c, o, &value)) return STEP_FAULT;
    sum = add_carry(reg_get(c, o->reg, o->width), value, fl_of(c), o->width, &carry);
    reg_put(c, o->reg, o->width, sum);
    fl_set_cf_of(c, fl_cf(c), carry);
    return STEP_NEXT;
}
