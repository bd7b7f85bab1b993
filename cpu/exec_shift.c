/*
 * exec_shift.c - SHL SHR SAR ROL ROR RCL RCR in every form, SHLD SHRD.
 *
 * The count is masked to 5 bits (6 for 64-bit operands). A masked count of 0 changes no flag, but
 * the destination is still written: a 32-bit register is zero-extended, a memory operand must be
 * writable. What the manual leaves undefined is settled here: OF follows the formula of count 1 for
 * every count, AF is 0 after a shift, and a word SHLD/SHRD by more than 16 shifts dest:src:dest, as
 * Intel's processors do.
 * Manual: SDM 2B "RCL/RCR/ROL/ROR", "SAL/SAR/SHL/SHR", "SHLD", "SHRD".
 */
#include "cpu/exec_parts.h"

/* The opcode extension, which is also the kind in the rows of arch/ops_shift.def. */
enum shift_kind { ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR, SHIFT_KINDS };

struct shifted {
    uint64_t value;
    bool cf, of;
};

static bool top_bit(uint64_t value, unsigned bits) { return value >> (bits - 1) & 1; }
static bool next_bit(uint64_t value, unsigned bits) { return value >> (bits - 2) & 1; }

/* All of these: a has no bit above `bits`, count is 1..63 (1..31 below 64 bits). */

static struct shifted shl(uint64_t a, unsigned bits, unsigned count)
{
    uint64_t before = a << (count - 1);
    struct shifted s = {before << 1 & width_mask(bits / 8), top_bit(before, bits), false};

    s.of = s.cf ^ top_bit(s.value, bits);
    return s;
}

static struct shifted shr(uint64_t a, unsigned bits, unsigned count)
{
    uint64_t before = a >> (count - 1);
    return (struct shifted){before >> 1, before & 1, top_bit(before, bits)};
}

static struct shifted sar(uint64_t a, unsigned bits, unsigned count)
{
    int64_t before = width_sext(a, bits / 8) >> (count - 1);
    return (struct shifted){(uint64_t)(before >> 1) & width_mask(bits / 8), before & 1, false};
}

static struct shifted rol(uint64_t a, unsigned bits, unsigned count)
{
    unsigned n = count % bits;
    struct shifted s = {a, false, false};

    if (n) s.value = (a << n | a >> (bits - n)) & width_mask(bits / 8);
    s.cf = s.value & 1;
    s.of = s.cf ^ top_bit(s.value, bits);
    return s;
}

static struct shifted ror(uint64_t a, unsigned bits, unsigned count)
{
    struct shifted s = rol(a, bits, bits - count % bits);

    s.cf = top_bit(s.value, bits);
    s.of = s.cf ^ next_bit(s.value, bits);
    return s;
}

/* n is 1..bits: the count modulo bits + 1. */
static struct shifted rcl(uint64_t a, unsigned bits, unsigned n, bool cf)
{
    uint64_t wrapped = n > 1 ? a >> (bits + 1 - n) : 0;
    struct shifted s;

    s.value = ((n < 64 ? a << n : 0) | (uint64_t)cf << (n - 1) | wrapped) & width_mask(bits / 8);
    s.cf = a >> (bits - n) & 1;
    s.of = s.cf ^ top_bit(s.value, bits);
    return s;
}

static struct shifted rcr(uint64_t a, unsigned bits, unsigned n, bool cf)
{
    uint64_t wrapped = n > 1 ? a << (bits + 1 - n) : 0;
    struct shifted s;

    s.value = ((n < 64 ? a >> n : 0) | (uint64_t)cf << (bits - n) | wrapped) & width_mask(bits / 8);
    s.cf = a >> (n - 1) & 1;
    s.of = top_bit(s.value, bits) ^ next_bit(s.value, bits);
    return s;
}

static struct shifted shift(enum shift_kind kind, uint64_t a, unsigned bits, unsigned count, bool cf)
{
    switch (kind) {
    case ROL: return rol(a, bits, count);
    case ROR: return ror(a, bits, count);
    case RCL: return rcl(a, bits, count, cf);
    case RCR: return rcr(a, bits, count, cf);
    case SHR: return shr(a, bits, count);
    case SAR: return sar(a, bits, count);
    case SHL:
    case SAL:
    case SHIFT_KINDS: break;
    }
    return shl(a, bits, count);
}

/** The masked count of an op: an immediate, or CL where the decoder left -1. */
static unsigned count_of(const struct cpu *c, const struct op *o)
{
    uint64_t raw = o->imm == -1 ? c->gpr[R_RCX] : (uint64_t)o->imm;
    return (unsigned)raw & (o->width == 8 ? 63 : 31);
}

static inline enum step do_shift(struct cpu *c, const struct op *o, enum shift_kind kind)
{
    unsigned bits = 8u * o->width, count = count_of(c, o);
    struct shifted s;
    uint64_t a;

    if (!operand_get_rmw(c, o, &a)) return STEP_FAULT;
    if (kind == RCL || kind == RCR) count %= bits + 1;
    if (count == 0) return operand_put(c, o, a) ? STEP_NEXT : STEP_FAULT;
    s = shift(kind, a, bits, count, fl_cf(c));
    if (!operand_put(c, o, s.value)) return STEP_FAULT;
    if (kind < SHL)
        fl_set_cf_of(c, s.cf, s.of);
    else
        fl_set(c, width_sext(s.value, o->width), s.cf, s.of, false);
    return STEP_NEXT;
}

OP(rol) { return do_shift(c, o, ROL); }
OP(ror) { return do_shift(c, o, ROR); }
OP(rcl) { return do_shift(c, o, RCL); }
OP(rcr) { return do_shift(c, o, RCR); }
OP(shl) { return do_shift(c, o, SHL); }
OP(shr) { return do_shift(c, o, SHR); }
OP(sar) { return do_shift(c, o, SAR); }

/* ---- registers of 32 and 64 bits -------------------------------------------------------------
 *
 * SHL by n is (a << n-1) + (a << n-1): it leaves the words of that sum, so no flag is computed.
 * fl_meta = 63 makes AF 0: bit 4 of anything shifted right by 63. SAR, and SHR by more than 1,
 * have OF = 0: the pair (0, CF << 4) of flags.h.
 */

#define BY_IMM ((unsigned)o->imm & (BITS - 1))
#define BY_CL ((unsigned)c->gpr[R_RCX] & (BITS - 1))

/* The block of handlers for one width; BITS is 32 or 64, UP = 64 - BITS. */
#define SHL_DIRECT(name, bits, n)                                                                  \
    DIRECT(name)                                                                                   \
    {                                                                                              \
        enum { BITS = (bits), UP = 64 - BITS };                                                    \
        unsigned count = (n);                                                                      \
        uint64_t before = c->gpr[o->rm] << UP;                                                     \
        if (__builtin_expect(count != 0, 1)) {                                                     \
            before <<= count - 1;                                                                  \
            c->fl_b = before;                                                                      \
            before <<= 1;                                                                          \
            c->fl_a = before;                                                                      \
            c->fl_res = (uint64_t)((int64_t)before >> UP);                                         \
            c->fl_meta = 63;                                                                       \
        }                                                                                          \
        c->gpr[o->rm] = before >> UP;                                                              \
        OP_GO(c, o + 1);                                                                           \
    }

#define SHR_DIRECT(name, bits, n, of)                                                              \
    DIRECT(name)                                                                                   \
    {                                                                                              \
        enum { BITS = (bits), UP = 64 - BITS };                                                    \
        unsigned count = (n);                                                                      \
        uint64_t a = c->gpr[o->rm] << UP >> UP;                                                    \
        if (__builtin_expect(count != 0, 1)) {                                                     \
            uint64_t before = a >> (count - 1);                                                    \
            a = before >> 1;                                                                       \
            if (of) {                                                                              \
                fl_set(c, (int64_t)a, before & 1, before >> (BITS - 1), false);                    \
            } else {                                                                               \
                c->fl_res = a;                                                                     \
                c->fl_a = 0;                                                                       \
                c->fl_b = (before & 1) << 4;                                                       \
                c->fl_meta = 0;                                                                    \
            }                                                                                      \
        }                                                                                          \
        c->gpr[o->rm] = a;                                                                         \
        OP_GO(c, o + 1);                                                                           \
    }

#define SAR_DIRECT(name, bits, n)                                                                  \
    DIRECT(name)                                                                                   \
    {                                                                                              \
        enum { BITS = (bits), UP = 64 - BITS };                                                    \
        unsigned count = (n);                                                                      \
        int64_t a = (int64_t)(c->gpr[o->rm] << UP) >> UP;                                          \
        if (__builtin_expect(count != 0, 1)) {                                                     \
            a >>= count - 1;                                                                       \
            c->fl_a = 0;                                                                           \
            c->fl_b = ((uint64_t)a & 1) << 4;                                                      \
            c->fl_meta = 0;                                                                        \
            a >>= 1;                                                                               \
            c->fl_res = (uint64_t)a;                                                               \
        }                                                                                          \
        c->gpr[o->rm] = (uint64_t)a << UP >> UP;                                                   \
        OP_GO(c, o + 1);                                                                           \
    }

/* Immediate counts that are not 0 only. left: rotate left, else right. */
#define ROTATE_DIRECT(name, bits, left)                                                            \
    DIRECT(name)                                                                                   \
    {                                                                                              \
        enum { BITS = (bits), UP = 64 - BITS };                                                    \
        unsigned n = (left) ? BY_IMM : BITS - BY_IMM;                                              \
        uint64_t a = c->gpr[o->rm] << UP >> UP;                                                    \
        a = (a << n | a >> (BITS - n)) << UP >> UP;                                                \
        c->gpr[o->rm] = a;                                                                         \
        bool cf = (left) ? a & 1 : a >> (BITS - 1);                                                \
        fl_set_cf_of(c, cf, cf ^ (((left) ? a >> (BITS - 1) : a >> (BITS - 2)) & 1));              \
        OP_GO(c, o + 1);                                                                           \
    }

SHL_DIRECT(shl_r32_i, 32, BY_IMM)
SHL_DIRECT(shl_r64_i, 64, BY_IMM)
SHL_DIRECT(shl_r32_cl, 32, BY_CL)
SHL_DIRECT(shl_r64_cl, 64, BY_CL)
SHR_DIRECT(shr_r32_1, 32, 1, true)
SHR_DIRECT(shr_r64_1, 64, 1, true)
SHR_DIRECT(shr_r32_i, 32, BY_IMM, false)
SHR_DIRECT(shr_r64_i, 64, BY_IMM, false)
SHR_DIRECT(shr_r32_cl, 32, BY_CL, true)
SHR_DIRECT(shr_r64_cl, 64, BY_CL, true)
SAR_DIRECT(sar_r32_i, 32, BY_IMM)
SAR_DIRECT(sar_r64_i, 64, BY_IMM)
SAR_DIRECT(sar_r32_cl, 32, BY_CL)
SAR_DIRECT(sar_r64_cl, 64, BY_CL)
ROTATE_DIRECT(rol_r32_i, 32, true)
ROTATE_DIRECT(rol_r64_i, 64, true)
ROTATE_DIRECT(ror_r32_i, 32, false)
ROTATE_DIRECT(ror_r64_i, 64, false)

/* clang-format off */
static const struct {
    op_fn any;                     /* every operand and count */
    op_fn one[2], imm[2], cl[2];   /* 32- and 64-bit registers: by 1, by another constant, by CL */
} shift_forms[SHIFT_KINDS] = {
    [ROL] = {op_rol, {op_rol_r32_i, op_rol_r64_i}, {op_rol_r32_i, op_rol_r64_i}, {op_rol, op_rol}},
    [ROR] = {op_ror, {op_ror_r32_i, op_ror_r64_i}, {op_ror_r32_i, op_ror_r64_i}, {op_ror, op_ror}},
    [RCL] = {op_rcl, {op_rcl, op_rcl}, {op_rcl, op_rcl}, {op_rcl, op_rcl}},
    [RCR] = {op_rcr, {op_rcr, op_rcr}, {op_rcr, op_rcr}, {op_rcr, op_rcr}},
    [SHL] = {op_shl, {op_shl_r32_i, op_shl_r64_i}, {op_shl_r32_i, op_shl_r64_i}, {op_shl_r32_cl, op_shl_r64_cl}},
    [SHR] = {op_shr, {op_shr_r32_1, op_shr_r64_1}, {op_shr_r32_i, op_shr_r64_i}, {op_shr_r32_cl, op_shr_r64_cl}},
    [SAL] = {op_shl, {op_shl_r32_i, op_shl_r64_i}, {op_shl_r32_i, op_shl_r64_i}, {op_shl_r32_cl, op_shl_r64_cl}},
    [SAR] = {op_sar, {op_sar_r32_i, op_sar_r64_i}, {op_sar_r32_i, op_sar_r64_i}, {op_sar_r32_cl, op_sar_r64_cl}},
};
/* clang-format on */

op_fn pick_shift(const struct op *o, int kind);
/** pick_shift - the shortest handler for a shift: called once, by the decoder.
 *  @kind  the opcode extension: 0 ROL, 1 ROR, 2 RCL, 3 RCR, 4 SHL, 5 SHR, 7 SAR */
op_fn pick_shift(const struct op *o, int kind)
{
    unsigned wide = o->width == 8, count = (unsigned)o->imm & (wide ? 63 : 31);

    if (o->flags & OPF_MEM || o->width < 4) return shift_forms[kind].any;
    if (o->imm == -1) return shift_forms[kind].cl[wide];
    if (count == 0) return shift_forms[kind].any;
    return count == 1 ? shift_forms[kind].one[wide] : shift_forms[kind].imm[wide];
}

/* ---- double shifts ------------------------------------------------------------------------------ */

/* Bits shifted through dest:src (dest:src:dest for words); count 1..31, 1..63 for 64 bits. */
static struct shifted shld(uint64_t dest, uint64_t src, unsigned bits, unsigned count)
{
    struct shifted s;

    if (bits == 16) {
        uint64_t chain = dest << 32 | src << 16 | dest;
        s.value = chain << count >> 32 & 0xffff;
        s.cf = chain >> (48 - count) & 1;
    } else {
        s.value = (dest << count | src >> (bits - count)) & width_mask(bits / 8);
        s.cf = dest >> (bits - count) & 1;
    }
    s.of = s.cf ^ top_bit(s.value, bits);
    return s;
}

static struct shifted shrd(uint64_t dest, uint64_t src, unsigned bits, unsigned count)
{
    struct shifted s;

    if (bits == 16) {
        uint64_t chain = dest << 32 | src << 16 | dest;
        s.value = chain >> count & 0xffff;
        s.cf = chain >> (count - 1) & 1;
    } else {
        s.value = (dest >> count | src << (bits - count)) & width_mask(bits / 8);
        s.cf = dest >> (count - 1) & 1;
    }
    s.of = top_bit(s.value, bits) ^ next_bit(s.value, bits);
    return s;
}

static inline enum step do_double_shift(struct cpu *c, const struct op *o, bool left)
{
    unsigned bits = 8u * o->width, count = count_of(c, o);
    struct shifted s;
    uint64_t dest, src = reg_get(c, o->reg, o->width);

    if (!operand_get_rmw(c, o, &dest)) return STEP_FAULT;
    if (count == 0) return operand_put(c, o, dest) ? STEP_NEXT : STEP_FAULT;
    s = left ? shld(dest, src, bits, count) : shrd(dest, src, bits, count);
    if (!operand_put(c, o, s.value)) return STEP_FAULT;
    fl_set(c, width_sext(s.value, o->width), s.cf, s.of, false);
    return STEP_NEXT;
}

OP(shld) { return do_double_shift(c, o, true); }
OP(shrd) { return do_double_shift(c, o, false); }
