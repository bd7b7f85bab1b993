/*
 * decode.c - bytes to op: Zydis reads the encoding, arch/ops.def says who executes it.
 *
 * Operands land in fixed places whatever the encoding (op.h); families with many shapes have a pick
 * function here. What this processor or mode does not have becomes an op that raises #UD; what it
 * promises and we lack becomes an op that stops with a gap.
 * Manual: SDM 2 "Instruction Format"; SDM 3A "Priority Among Concurrent Events" (fetch, decode,
 * operands).
 */
#include "cpu/decode.h"

#include <Zydis/Zydis.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/fast.h"
#include "cpu/protect.h"
#include "cpu/run.h"

/* ---- the table -------------------------------------------------------------------------------------- */

/** One decoding in progress, for the pick functions. */
struct pick {
    const ZydisDecodedInstruction *ins;
    const ZydisDecodedOperand *ops;
    struct op *op;
    uint32_t ctx;
    unsigned at;   /* page offset of the block's start */
    unsigned next; /* distance of the next instruction from the block's start */
};
typedef op_fn (*pick_fn)(const struct pick *p, int kind);
typedef op_fn (*pick_op_fn)(const struct op *o, int kind);

#define FEAT_NONE FEAT_COUNT

#define DECLARE(h) const struct op *op_##h(struct cpu *c, const struct op *o);
#define INSN(mn, handler, feature, priv, manual) DECLARE(handler)
#define FAMILY(mn, family, kind, feature, priv, manual) op_fn pick_##family(const struct op *o, int kind_);
#define CORE(mn, family, kind, feature, priv, manual)                                              \
    static op_fn core_##family(const struct pick *p, int kind_);
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE

enum row_id {
#define INSN(mn, handler, feature, priv, manual) ROW_##mn,
#define FAMILY(mn, family, kind, feature, priv, manual) ROW_##mn,
#define CORE(mn, family, kind, feature, priv, manual) ROW_##mn,
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE
    ROW_COUNT
};

enum core_plain {
    CORE_MUL, CORE_DIV, CORE_IDIV, CORE_JCXZ, CORE_LOOP, CORE_LOOPE, CORE_LOOPNE
};

struct row {
    const char *name;
    const char *manual;
    op_fn fn;
    pick_fn core;
    pick_op_fn family;
    int kind;
    uint16_t feature;
    uint8_t priv;
};
static const struct row rows[ROW_COUNT] = {
#define INSN(mn, handler, feature, priv, manual)                                                   \
    [ROW_##mn] = {#mn, manual, op_##handler, NULL, NULL, 0, FEAT_##feature, PRIV_##priv},
#define FAMILY(mn, family, kind, feature, priv, manual)                                            \
    [ROW_##mn] = {#mn, manual, NULL, NULL, pick_##family, kind, FEAT_##feature, PRIV_##priv},
#define CORE(mn, family, kind, feature, priv, manual)                                              \
    [ROW_##mn] = {#mn, manual, NULL, core_##family, NULL, kind, FEAT_##feature, PRIV_##priv},
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE
};

/* 0 = no row */
static const uint16_t row_of[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define INSN(mn, handler, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = ROW_##mn + 1,
#define FAMILY(mn, family, kind, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = ROW_##mn + 1,
#define CORE(mn, family, kind, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = ROW_##mn + 1,
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE
};

const char *decode_row_name(unsigned id, enum priv_class *priv, const char **manual)
{
    if (id >= ROW_COUNT) return NULL;
    if (priv) *priv = rows[id].priv;
    if (manual) *manual = rows[id].manual;
    return rows[id].name;
}

/* ---- operands ------------------------------------------------------------------------------------------ */

static bool is_reg(const ZydisDecodedOperand *z) { return z->type == ZYDIS_OPERAND_TYPE_REGISTER; }
static bool is_mem(const ZydisDecodedOperand *z) { return z->type == ZYDIS_OPERAND_TYPE_MEMORY; }
static bool is_imm(const ZydisDecodedOperand *z) { return z->type == ZYDIS_OPERAND_TYPE_IMMEDIATE; }

/* register number; for the 8-bit registers the byte offset into gpr[] */
static uint8_t reg_code(ZydisRegister r)
{
    if (r >= ZYDIS_REGISTER_AL && r <= ZYDIS_REGISTER_R15B) {
        unsigned n = (unsigned)(r - ZYDIS_REGISTER_AL);
        if (n < 4) return (uint8_t)(n * 8);         /* AL CL DL BL */
        if (n < 8) return (uint8_t)((n - 4) * 8 + 1); /* AH CH DH BH */
        return (uint8_t)((n - 4) * 8);              /* SPL .. R15B */
    }
    if (r == ZYDIS_REGISTER_NONE) return R_ZERO;
    int id = ZydisRegisterGetId(r);
    return id < 0 ? R_ZERO : (uint8_t)id;
}

static enum seg seg_code(ZydisRegister r)
{
    switch ((int)r) {
    case ZYDIS_REGISTER_ES: return SEG_ES;
    case ZYDIS_REGISTER_CS: return SEG_CS;
    case ZYDIS_REGISTER_SS: return SEG_SS;
    case ZYDIS_REGISTER_FS: return SEG_FS;
    case ZYDIS_REGISTER_GS: return SEG_GS;
    default: return SEG_DS;
    }
}

static void fill_mem(const struct pick *p, const ZydisDecodedOperand *z)
{
    struct op *o = p->op;
    bool rip = z->mem.base == ZYDIS_REGISTER_RIP || z->mem.base == ZYDIS_REGISTER_EIP;
    int64_t disp = z->mem.disp.has_displacement ? z->mem.disp.value : 0;
    enum seg seg = seg_code(z->mem.segment);
    /* a SIB byte without a base: under 67h and REX.B Zydis takes it for R13 and drops the displacement */
    bool baseless = p->ins->address_width != 16 && p->ins->raw.modrm.mod == 0 &&
                    p->ins->raw.modrm.rm == 4 && p->ins->raw.sib.base == 5;

    o->flags |= OPF_MEM;
    if (p->ins->address_width == 32) o->flags |= OPF_ADDR32;
    if (p->ins->address_width == 16) o->flags |= OPF_ADDR16;
    o->base = rip ? R_RIPBASE : baseless ? R_ZERO : reg_code(z->mem.base);
    if (baseless) disp = p->ins->raw.disp.value;
    o->index = z->mem.index == ZYDIS_REGISTER_NONE ? R_ZERO : reg_code(z->mem.index);
    o->scale = (z->mem.scale == 8 ? 3u : z->mem.scale == 4 ? 2u : z->mem.scale == 2 ? 1u : 0u) & 3u;
    o->seg = (unsigned)seg & 15u;
    o->disp = (int32_t)disp;
    if ((p->ctx & CTX_MODE) != 2 || p->ins->address_width != 64 || seg >= SEG_FS) return;
    /* flat, unless a RIP-relative displacement cannot take up the distance from the block's start */
    if (rip) {
        int64_t from_start = disp + p->next;
        if (from_start != (int32_t)from_start) return;
        o->disp = (int32_t)from_start;
    }
    o->flags |= OPF_FLAT;
}

static void fill_operand(const struct pick *p, const ZydisDecodedOperand *z)
{
    struct op *o = p->op;

    switch (z->type) {
    case ZYDIS_OPERAND_TYPE_REGISTER:
        if (z->encoding == ZYDIS_OPERAND_ENCODING_MODRM_REG) o->reg = reg_code(z->reg.value);
        if (z->encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM ||
            z->encoding == ZYDIS_OPERAND_ENCODING_OPCODE)
            o->rm = reg_code(z->reg.value);
        if (z->encoding == ZYDIS_OPERAND_ENCODING_NDSNDD && o->imm == 0) o->imm = reg_code(z->reg.value);
        /* a count or port that lies in a fixed register */
        if ((z->reg.value == ZYDIS_REGISTER_CL || z->reg.value == ZYDIS_REGISTER_DX) &&
            z->encoding == ZYDIS_OPERAND_ENCODING_NONE)
            o->imm = -1;
        if (z->reg.value >= ZYDIS_REGISTER_ES && z->reg.value <= ZYDIS_REGISTER_GS)
            o->reg = (uint8_t)seg_code(z->reg.value);
        break;
    case ZYDIS_OPERAND_TYPE_MEMORY: fill_mem(p, z); break;
    case ZYDIS_OPERAND_TYPE_POINTER:
        o->imm = (int64_t)((uint64_t)z->ptr.segment << 32 | z->ptr.offset);
        break;
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        /* ENTER's second immediate goes above the first */
        if (p->ins->mnemonic == ZYDIS_MNEMONIC_ENTER && z->size == 8)
            o->imm |= (int64_t)(z->imm.value.u & 0xff) << 16;
        else
            o->imm = z->imm.is_signed ? z->imm.value.s : (int64_t)z->imm.value.u;
        break;
    case ZYDIS_OPERAND_TYPE_UNUSED: break;
    default: break;
    }
}

/* operand size in bytes: the first operand's where it has a natural one */
static uint8_t width_of(const ZydisDecodedInstruction *ins, const ZydisDecodedOperand *ops)
{
    unsigned bits = ins->operand_width;

    switch ((int)ins->mnemonic) {
    case ZYDIS_MNEMONIC_OUTSB: case ZYDIS_MNEMONIC_INSB: return 1;
    case ZYDIS_MNEMONIC_OUTSW: case ZYDIS_MNEMONIC_INSW: return 2;
    case ZYDIS_MNEMONIC_OUTSD: case ZYDIS_MNEMONIC_INSD: return 4;
    case ZYDIS_MNEMONIC_OUT: bits = ops[1].size; break; /* OUT port, accumulator */
    case ZYDIS_MNEMONIC_PUSH: case ZYDIS_MNEMONIC_POP: case ZYDIS_MNEMONIC_ENTER: break;
    case ZYDIS_MNEMONIC_SYSRET: case ZYDIS_MNEMONIC_SYSEXIT: break;
    default:
        /* a branch's displacement has a size of its own; the operand size is what EIP is cut to */
        if (ins->operand_count == 0 || ins->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE) break;
        if (is_reg(&ops[0]) && ops[0].reg.value >= ZYDIS_REGISTER_ES && ops[0].reg.value <= ZYDIS_REGISTER_GS)
            break;
        if (ops[0].size == 8 || ops[0].size == 16 || ops[0].size == 32 || ops[0].size == 64 ||
            ops[0].size == 128)
            bits = ops[0].size;
        break;
    }
    return (uint8_t)(bits / 8);
}

static void fill_op(const struct pick *p)
{
    const ZydisDecodedInstruction *ins = p->ins;
    struct op *o = p->op;
    ZydisInstructionAttributes a = ins->attributes;

    o->base = R_ZERO;
    o->index = R_ZERO;
    o->seg = SEG_DS;
    if (ins->address_width == 32) o->flags |= OPF_ADDR32;
    if (ins->address_width == 16) o->flags |= OPF_ADDR16;
    if (a & ZYDIS_ATTRIB_HAS_LOCK) o->flags |= OPF_LOCK;
    if (a & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE)) o->flags |= OPF_REP;
    if (a & ZYDIS_ATTRIB_HAS_REPNE) o->flags |= OPF_REPNE;
    o->width = width_of(ins, p->ops);
    for (unsigned i = 0; i < ins->operand_count_visible; i++) fill_operand(p, &p->ops[i]);
    if (ins->operand_count_visible > 1 && p->ops[1].size == 8) o->flags |= OPF_SRC8;
    /* string instructions: the source segment is a hidden operand's */
    if (!(o->flags & OPF_MEM)) {
        for (unsigned i = ins->operand_count_visible; i < ins->operand_count; i++) {
            const ZydisDecodedOperand *z = &p->ops[i];
            if (is_mem(z) && (z->mem.base == ZYDIS_REGISTER_RSI || z->mem.base == ZYDIS_REGISTER_ESI ||
                              z->mem.base == ZYDIS_REGISTER_SI || z->mem.base == ZYDIS_REGISTER_RBX ||
                              z->mem.base == ZYDIS_REGISTER_EBX || z->mem.base == ZYDIS_REGISTER_BX ||
                              p->ins->mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU))
                o->seg = (unsigned)seg_code(z->mem.segment) & 15u;
        }
    }
}

static bool has_class(const ZydisDecodedOperand *z, ZydisRegisterClass k)
{
    return is_reg(z) && ZydisRegisterGetClass(z->reg.value) == k;
}

static bool is_gpr(const ZydisDecodedOperand *z)
{
    return has_class(z, ZYDIS_REGCLASS_GPR32) || has_class(z, ZYDIS_REGCLASS_GPR64);
}

/* What one mnemonic leaves open goes into imm: bit 0 (bit 8 beside an immediate) = the r/m side is the
 * destination, bit 1 = the r/m operand is a general register; -1 = a bit offset in a register. */
static void fill_direction(const struct pick *p, unsigned priv)
{
    const ZydisDecodedOperand *ops = p->ops;
    unsigned n = p->ins->operand_count_visible;
    ZydisMnemonic mn = p->ins->mnemonic;

    if (n < 2) return;
    bool store = ops[0].encoding == ZYDIS_OPERAND_ENCODING_MODRM_RM;
    if (priv == PRIV_SSE || mn == ZYDIS_MNEMONIC_MOVSD) {
        if (is_imm(&ops[n - 1])) p->op->imm = (p->op->imm & 0xff) | (store ? 0x100 : 0);
        else p->op->imm = (store ? 1 : 0) | (is_gpr(&ops[store ? 0 : 1]) ? 2 : 0);
    }
    if (mn == ZYDIS_MNEMONIC_MOVBE) p->op->imm = store;
    if (mn == ZYDIS_MNEMONIC_BT || mn == ZYDIS_MNEMONIC_BTS || mn == ZYDIS_MNEMONIC_BTR ||
        mn == ZYDIS_MNEMONIC_BTC) {
        if (is_reg(&ops[1])) p->op->imm = -1;
    }
}

/* MMX registers are state only, so far */
static bool has_mmx(const struct pick *p)
{
    for (unsigned i = 0; i < p->ins->operand_count_visible; i++)
        if (has_class(&p->ops[i], ZYDIS_REGCLASS_MMX)) return true;
    return false;
}

/* ---- shapes -------------------------------------------------------------------------------------------- */

static unsigned log2_width(unsigned width) { return width == 1 ? 0 : width == 2 ? 1 : width == 4 ? 2 : 3; }
static bool has_index(const struct op *o) { return o->index != R_ZERO; }

/* reg/mem/imm of the first two operands, register numbers normalised as fast.h says */
static enum shape shape_of(const struct pick *p)
{
    struct op *o = p->op;
    const ZydisDecodedOperand *d = &p->ops[0], *s = &p->ops[1];
    bool flat = o->flags & OPF_FLAT, x = has_index(o);

    if (is_reg(d)) {
        o->reg = reg_code(d->reg.value);
        if (is_imm(s)) return SHAPE_RI;
        if (is_reg(s)) {
            o->rm = reg_code(s->reg.value);
            return SHAPE_RR;
        }
        return !flat ? SHAPE_RM_G : x ? SHAPE_RM_X : SHAPE_RM_B;
    }
    if (is_imm(s)) return !flat ? SHAPE_MI_G : x ? SHAPE_MI_X : SHAPE_MI_B;
    o->reg = reg_code(s->reg.value);
    return !flat ? SHAPE_MR_G : x ? SHAPE_MR_X : SHAPE_MR_B;
}

/* ---- picks: one per family of ops_core.def ---------------------------------------------------------------- */

#define CORE_HANDLERS(M)                                                                           \
    M(mov_moffs_load) M(mov_moffs_store) M(lea_g) M(push_r) M(push_i) M(push_m) M(pop_r) M(pop_m)   \
    M(push_r_64) M(push_i_64) M(pop_r_64) M(xchg) M(xchg_bx) M(mul) M(imul1) M(imul2) M(imul3)                \
    M(imul_rr_32) M(imul_rr_64) M(imul_ri_32) M(imul_ri_64) M(div) M(idiv) M(jcxz) M(loop)         \
    M(loope) M(loopne) M(jmp_g) M(jmp_ind) M(jmp_same) M(jmp_far_page) M(jmp_r_64) M(jmp_mb_64)    \
    M(jmp_mx_64) M(call_g) M(call_ind) M(call_same) M(call_64) M(call_r_64) M(ret_g) M(ret_64)
CORE_HANDLERS(DECLARE)

/* written with the system instructions: forms of MOV, PUSH, POP, JMP, CALL, RET */
#define SYSTEM_FORMS(M)                                                                            \
    M(mov_to_sreg) M(mov_from_sreg) M(mov_to_cr) M(mov_from_cr) M(mov_to_dr) M(mov_from_dr)        \
    M(push_sreg) M(pop_sreg) M(jmp_far) M(call_far) M(ret_far)
SYSTEM_FORMS(DECLARE)

static bool mode64(const struct pick *p) { return (p->ctx & CTX_MODE) == 2; }

/* a near branch that the quick handlers of 64-bit mode know: not one that 66h cuts to 16 bits (AMD) */
static bool branch64(const struct pick *p) { return mode64(p) && p->op->width != 2; }

/* does next + disp lie in the page of the block's start? */
static bool same_page(const struct pick *p, int64_t disp)
{
    int64_t to = (int64_t)p->at + p->next + disp;

    return to >= 0 && to < (int64_t)RAM_PAGE;
}

static op_fn core_mov(const struct pick *p, int kind_)
{
    const ZydisDecodedOperand *d = &p->ops[0], *s = &p->ops[1];
    ZydisRegisterClass dc = is_reg(d) ? ZydisRegisterGetClass(d->reg.value) : ZYDIS_REGCLASS_INVALID;
    ZydisRegisterClass sc = is_reg(s) ? ZydisRegisterGetClass(s->reg.value) : ZYDIS_REGCLASS_INVALID;

    (void)kind_;
    if (dc == ZYDIS_REGCLASS_SEGMENT) return op_mov_to_sreg;
    if (sc == ZYDIS_REGCLASS_SEGMENT) return op_mov_from_sreg;
    if (dc == ZYDIS_REGCLASS_CONTROL) return op_mov_to_cr;
    if (sc == ZYDIS_REGCLASS_CONTROL) return op_mov_from_cr;
    if (dc == ZYDIS_REGCLASS_DEBUG) return op_mov_to_dr;
    if (sc == ZYDIS_REGCLASS_DEBUG) return op_mov_from_dr;
    const ZydisDecodedOperand *m = is_mem(d) ? d : s;
    if (is_mem(m) && m->mem.disp.has_displacement && m->mem.disp.value != (int32_t)m->mem.disp.value) {
        p->op->imm = m->mem.disp.value; /* moffs64 */
        return is_mem(d) ? op_mov_moffs_store : op_mov_moffs_load;
    }
    return mov_handlers[log2_width(p->op->width)][shape_of(p)];
}

static op_fn core_alu(const struct pick *p, int kind_)
{
    return alu_handlers[kind_][log2_width(p->op->width)][shape_of(p)];
}

static op_fn core_unary(const struct pick *p, int kind_)
{
    const struct op *o = p->op;
    enum shape s = !(o->flags & OPF_MEM)    ? SHAPE_RR
                   : !(o->flags & OPF_FLAT) ? SHAPE_MR_G
                   : has_index(o)           ? SHAPE_MR_X
                                            : SHAPE_MR_B;

    return unary_handlers[kind_][log2_width(o->width)][s];
}

static op_fn core_movx(const struct pick *p, int kind_)
{
    const struct op *o = p->op;
    /* MOVSXD with a 16-bit destination reads 16 bits on Intel's processors, 32 on AMD's */
    bool word = p->ops[1].size == 16 || (p->ins->mnemonic == ZYDIS_MNEMONIC_MOVSXD && o->width == 2);
    unsigned s = p->ops[1].size == 8 ? 0 : word ? 1 : 2;
    unsigned form = !(o->flags & OPF_MEM) ? 0 : !(o->flags & OPF_FLAT) ? 3 : has_index(o) ? 2 : 1;

    return movx_handlers[kind_][s][log2_width(o->width) - 1][form];
}

static op_fn core_lea(const struct pick *p, int kind_)
{
    const struct op *o = p->op;

    (void)kind_;
    if (!(o->flags & OPF_FLAT) || o->width == 2) return op_lea_g;
    return lea_handlers[o->width == 8][has_index(o)];
}

static op_fn core_push(const struct pick *p, int kind_)
{
    const ZydisDecodedOperand *s = &p->ops[0];
    bool fast = mode64(p) && p->op->width == 8;

    (void)kind_;
    if (is_reg(s) && ZydisRegisterGetClass(s->reg.value) == ZYDIS_REGCLASS_SEGMENT) return op_push_sreg;
    if (is_reg(s)) return fast ? op_push_r_64 : op_push_r;
    if (is_imm(s)) return fast ? op_push_i_64 : op_push_i;
    return op_push_m;
}

static op_fn core_pop(const struct pick *p, int kind_)
{
    const ZydisDecodedOperand *d = &p->ops[0];

    (void)kind_;
    if (is_mem(d)) return op_pop_m;
    if (ZydisRegisterGetClass(d->reg.value) == ZYDIS_REGCLASS_SEGMENT) return op_pop_sreg;
    return mode64(p) && p->op->width == 8 ? op_pop_r_64 : op_pop_r;
}

static op_fn core_xchg(const struct pick *p, int kind_)
{
    struct op *o = p->op;

    (void)kind_;
    /* the short form names the accumulator implicitly */
    if (!(o->flags & OPF_MEM)) {
        o->reg = reg_code(p->ops[0].reg.value);
        o->rm = reg_code(p->ops[1].reg.value);
        if (o->width == 2 && o->reg == R_RBX && o->rm == R_RBX) return op_xchg_bx;
    }
    return op_xchg;
}

static op_fn core_plain(const struct pick *p, int kind_)
{
    (void)p;
    switch (kind_) {
    case CORE_MUL: return op_mul;
    case CORE_DIV: return op_div;
    case CORE_IDIV: return op_idiv;
    case CORE_JCXZ: return op_jcxz;
    case CORE_LOOP: return op_loop;
    case CORE_LOOPE: return op_loope;
    default: return op_loopne;
    }
}

static op_fn core_imul(const struct pick *p, int kind_)
{
    const struct op *o = p->op;
    bool mem = o->flags & OPF_MEM;

    (void)kind_;
    switch (p->ins->operand_count_visible) {
    case 1: return op_imul1;
    case 2: return mem || o->width == 2 ? op_imul2 : o->width == 4 ? op_imul_rr_32 : op_imul_rr_64;
    default: return mem || o->width == 2 ? op_imul3 : o->width == 4 ? op_imul_ri_32 : op_imul_ri_64;
    }
}

static op_fn core_cmov(const struct pick *p, int kind_)
{
    const struct op *o = p->op;

    if (o->flags & OPF_MEM || o->width == 2) return cmov_handlers[kind_][2];
    return cmov_handlers[kind_][o->width == 8];
}

static op_fn core_jcc(const struct pick *p, int kind_)
{
    if (!branch64(p)) return jcc_handlers[kind_][2];
    return jcc_handlers[kind_][same_page(p, p->op->imm) && same_page(p, 0) ? 0 : 1];
}

static op_fn core_jmp(const struct pick *p, int kind_)
{
    const struct op *o = p->op;

    (void)kind_;
    if (p->ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return op_jmp_far;
    if (is_imm(&p->ops[0]))
        return !branch64(p) ? op_jmp_g : same_page(p, o->imm) ? op_jmp_same : op_jmp_far_page;
    if (!branch64(p)) return op_jmp_ind;
    if (!(o->flags & OPF_MEM)) return op_jmp_r_64;
    return !(o->flags & OPF_FLAT) ? op_jmp_ind : has_index(o) ? op_jmp_mx_64 : op_jmp_mb_64;
}

static op_fn core_call(const struct pick *p, int kind_)
{
    const struct op *o = p->op;

    (void)kind_;
    if (p->ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return op_call_far;
    if (is_imm(&p->ops[0]))
        return !branch64(p) ? op_call_g : same_page(p, o->imm) ? op_call_same : op_call_64;
    return branch64(p) && !(o->flags & OPF_MEM) ? op_call_r_64 : op_call_ind;
}

static op_fn core_ret(const struct pick *p, int kind_)
{
    (void)kind_;
    if (p->ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return op_ret_far;
    return branch64(p) ? op_ret_64 : op_ret_g;
}

/* ---- refusals ------------------------------------------------------------------------------------------------ */

OP(undefined)
{
    (void)check(c, RS_RULE_INSN_UNDEFINED, false, 0, 0, 0, 0);
    return STEP_FAULT;
}

OP(too_long)
{
    (void)check(c, RS_RULE_INSN_LENGTH, false, 0, 0, 0, 0);
    return STEP_FAULT;
}

/* imm = Zydis mnemonic */
OP(gap)
{
    char what[64];

    snprintf(what, sizeof(what), "instruction %s", ZydisMnemonicGetString((ZydisMnemonic)o->imm));
    return gap(c, what);
}

/* SDM 2 "Exception classes": #UD by EM and OSFXSR wins over #NM by TS */
static bool sse_enabled(uint32_t ctx) { return !(ctx & CTX_EM) && (ctx & CTX_OSFXSR); }
static bool sse_ready(uint32_t ctx) { return !(ctx & CTX_TS); }
static bool x87_ready(uint32_t ctx) { return !(ctx & (CTX_TS | CTX_EM)); }

bool decode_priv_check(struct cpu *c, unsigned priv)
{
    switch (priv) {
    case PRIV_SSE:
        return check(c, RS_RULE_INSN_EM, sse_enabled(c->ctx), 0, c->cr0, c->cr4, 0) &&
               check(c, RS_RULE_INSN_TS, sse_ready(c->ctx), 0, c->cr0, 0, 0);
    case PRIV_X87: return check(c, RS_RULE_INSN_TS, x87_ready(c->ctx), 0, c->cr0, 0, 0);
    default: return true;
    }
}

bool decode_checks(struct cpu *c, unsigned id, unsigned length)
{
    if (id == OPS_NONE) return true; /* its op refuses */
    if (length == 15) (void)check(c, RS_RULE_INSN_LENGTH, true, 0, 0, 0, 0);
    if (rows[id].feature != FEAT_NONE) (void)check(c, RS_RULE_INSN_UNDEFINED, true, 0, 0, 0, 0);
    return decode_priv_check(c, rows[id].priv);
}

OP(refuse_sse)
{
    (void)decode_priv_check(c, PRIV_SSE);
    return STEP_FAULT;
}
OP(refuse_x87)
{
    (void)decode_priv_check(c, PRIV_X87);
    return STEP_FAULT;
}

static op_fn refusal(unsigned priv, uint32_t ctx)
{
    if (priv == PRIV_SSE && !(sse_enabled(ctx) && sse_ready(ctx))) return op_refuse_sse;
    if (priv == PRIV_X87 && !x87_ready(ctx)) return op_refuse_x87;
    return NULL;
}

/* Is the instruction set of a mnemonic without a row promised to the guest? Baseline sets are always;
 * others by the feature of that name; sets nobody named are not promised. */
static bool promised(const struct cpu *c, const ZydisDecodedInstruction *ins)
{
    if (ins->meta.isa_set == ZYDIS_ISA_SET_FCMOV && !cpu_has(c, FEAT_CMOV)) return false; /* both */
    switch ((int)ins->meta.isa_set) {
#define ISA(set, feature)                                                                          \
    case ZYDIS_ISA_SET_##set: return FEAT_##feature == FEAT_NONE || c->features->on[FEAT_##feature];
#include "arch/isa.def"
#undef ISA
    default: return false;
    }
}

/* What came with the P6 and has no CPUID bit: NOP with a ModRM byte, RDPMC. */
static bool before_p6(const struct cpu *c, const ZydisDecodedInstruction *ins)
{
    ZydisISASet set = ins->meta.isa_set;

    return c->features->family < 6 &&
           (set == ZYDIS_ISA_SET_FAT_NOP || set == ZYDIS_ISA_SET_PREFETCH_NOP || set == ZYDIS_ISA_SET_RDPMC);
}

/* An instruction that this processor does not have: #UD, or a gap if it should have it. x87's without an FPU is
 * #NM by CR0.EM and CR0.TS as ever: what an emulator of it lives on. */
static op_fn lacking(const struct cpu *c, uint32_t ctx, const ZydisDecodedInstruction *ins, const struct row *row)
{
    bool x87 = ins->meta.isa_set == ZYDIS_ISA_SET_X87 || ins->meta.isa_set == ZYDIS_ISA_SET_FCMOV;

    if (x87 && !cpu_has(c, FEAT_FPU) && !x87_ready(ctx)) return op_refuse_x87;
    return row == NULL && promised(c, ins) ? op_gap : op_undefined;
}

/* ---- prices ---------------------------------------------------------------------------------------------------- */

static size_t form_operand(char *s, size_t room, const ZydisDecodedOperand *z)
{
    if (is_imm(z)) return (size_t)snprintf(s, room, "_i");
    if (is_mem(z)) return (size_t)snprintf(s, room, "_m%u", (unsigned)z->size);
    if (!is_reg(z)) return 0;
    switch ((int)ZydisRegisterGetClass(z->reg.value)) {
    case ZYDIS_REGCLASS_XMM: return (size_t)snprintf(s, room, "_x");
    case ZYDIS_REGCLASS_MMX: return (size_t)snprintf(s, room, "_mm");
    case ZYDIS_REGCLASS_X87: return (size_t)snprintf(s, room, "_st");
    case ZYDIS_REGCLASS_CONTROL: return (size_t)snprintf(s, room, "_cr%u", reg_code(z->reg.value));
    case ZYDIS_REGCLASS_SEGMENT: return (size_t)snprintf(s, room, "_sr");
    default: break;
    }
    if (z->reg.value == ZYDIS_REGISTER_CL && z->encoding == ZYDIS_OPERAND_ENCODING_NONE)
        return (size_t)snprintf(s, room, "_cl");
    return (size_t)snprintf(s, room, "_r%u", (unsigned)z->size);
}

/* "lock_add_m32_r32": the id of arch/cost/forms.csv. */
static void form_name(const ZydisDecodedInstruction *ins, const ZydisDecodedOperand *ops, char form[DECODE_FORM])
{
    bool rep = (ins->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) != 0;
    bool lock = (ins->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;
    size_t n = (size_t)snprintf(form, DECODE_FORM, "%s%s%s", lock ? "lock_" : "", rep ? "rep_" : "",
                                ZydisMnemonicGetString(ins->mnemonic));

    for (unsigned i = 0; i < ins->operand_count_visible && n < DECODE_FORM; i++)
        n += form_operand(form + n, DECODE_FORM - n, &ops[i]);
}

static uint32_t price(const struct cpu *c, const ZydisDecodedInstruction *ins,
                      const ZydisDecodedOperand *ops)
{
    char form[DECODE_FORM];
    uint32_t t = c->cost->constant;
    bool lock = (ins->attributes & ZYDIS_ATTRIB_HAS_LOCK) != 0;

    if (t == 0) {
        form_name(ins, ops, form);
        t = cost_of_form(c->cost, form, NULL);
    } else if (lock || (ins->mnemonic == ZYDIS_MNEMONIC_XCHG && (is_mem(&ops[0]) || is_mem(&ops[1])))) {
        t += c->cost->event[COST_LOCK_EXTRA]; /* XCHG with memory locks without being told */
    }
    return t > 60000 ? 60000 : t; /* a block's prefix sums have 16 bits */
}

/* ---- one instruction ---------------------------------------------------------------------------------------------- */

static ZydisMachineMode machine_mode(uint32_t ctx, ZydisStackWidth *stack)
{
    *stack = ctx & CTX_SS32 ? ZYDIS_STACK_WIDTH_32 : ZYDIS_STACK_WIDTH_16;
    switch (ctx & CTX_MODE) {
    case 2: *stack = ZYDIS_STACK_WIDTH_64; return ZYDIS_MACHINE_MODE_LONG_64;
    case 1: return ctx & CTX_LONG ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32 : ZYDIS_MACHINE_MODE_LEGACY_32;
    default: break;
    }
    /* real and virtual-8086 mode too: what they do not have the handlers refuse, each with its own rule */
    return ctx & CTX_LONG ? ZYDIS_MACHINE_MODE_LONG_COMPAT_16 : ZYDIS_MACHINE_MODE_LEGACY_16;
}

/* Zydis' decoder as it was last set up, kept by each CPU: contexts change far less often than code is
 * decoded. */
struct decoder {
    uint32_t mode; /* the context bits it was set up for; UINT32_MAX = never */
    ZydisDecoder z;
};

struct decoder *decoder_new(void)
{
    struct decoder *d = calloc(1, sizeof(*d));

    if (d != NULL) d->mode = UINT32_MAX;
    return d;
}

static const ZydisDecoder *decoder_for(const struct cpu *c, uint32_t ctx)
{
    struct decoder *d = c->decoder;
    uint32_t mode = ctx & (CTX_MODE | CTX_LONG | CTX_SS32);
    ZydisStackWidth stack;

    if (LIKELY(d->mode == mode)) return &d->z;
    d->mode = mode;
    ZydisMachineMode machine = machine_mode(ctx, &stack);
    (void)ZydisDecoderInit(&d->z, machine, stack);
    /* encodings of absent features fall back to their older meaning: LZCNT to BSR, TZCNT to BSF */
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_LZCNT, cpu_has(c, FEAT_ABM));
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_TZCNT, cpu_has(c, FEAT_BMI1));
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&d->z, ZYDIS_DECODER_MODE_AMD_BRANCHES, cpu_does(c, BEHAVE_BRANCH_66));
    return &d->z;
}

/* branches, and whatever may change how the next bytes are read or who may interrupt */
static bool ends_block(const ZydisDecodedInstruction *ins, const struct row *row)
{
    if (ins->meta.branch_type != ZYDIS_BRANCH_TYPE_NONE) return true;
    if (row != NULL && (row->priv == PRIV_CPL0 || row->priv == PRIV_IO || row->priv == PRIV_IOPL)) return true;
    switch ((int)ins->meta.category) {
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM: return true;
    default: return false;
    }
}

static enum decode_status refuse(struct op *op, struct decoded *d, op_fn fn, unsigned length)
{
    op->fn = fn;
    d->plain = fn;
    d->length = (uint8_t)length;
    d->seen = d->length;
    d->id = OPS_NONE;
    d->ends = true;
    d->ticks = 64;
    return DECODE_OK;
}

/* 66h cuts RIP to 16 bits (AMD): of branches by 8 bits Zydis does not say so. REX.W wins over 66h. */
static void cut_branch(const struct cpu *c, const struct pick *p)
{
    const ZydisDecodedInstruction *ins = p->ins;
    bool near = ins->meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT || ins->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR;

    if (!near || !mode64(p) || !cpu_does(c, BEHAVE_BRANCH_66) || ins->raw.rex.W) return;
    for (unsigned i = 0; i < ins->raw.prefix_count; i++)
        if (ins->raw.prefixes[i].value == 0x66) p->op->width = 2;
}

/* Far pointers in memory have offsets of up to 32 bits on AMD's processors: REX.W says nothing there. */
static void cut_far_pointer(const struct cpu *c, const struct pick *p)
{
    const ZydisDecodedInstruction *ins = p->ins;
    ZydisMnemonic mn = ins->mnemonic;
    bool jump = (mn == ZYDIS_MNEMONIC_JMP || mn == ZYDIS_MNEMONIC_CALL) && ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    bool load = mn == ZYDIS_MNEMONIC_LSS || mn == ZYDIS_MNEMONIC_LFS || mn == ZYDIS_MNEMONIC_LGS;

    if ((jump || load) && p->op->width == 8 && cpu_does(c, BEHAVE_FAR_32)) p->op->width = 4;
}

/* UD0 without a ModRM byte, where the maker has it so: the length of its prefixes and its two bytes, else 0. */
static unsigned short_ud0(const struct cpu *c, uint32_t ctx, const uint8_t *bytes, unsigned avail)
{
    unsigned i = 0;

    if (!cpu_does(c, BEHAVE_UD0_NO_MODRM)) return 0;
    while (i < avail && (strchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", bytes[i]) && bytes[i])) i++;
    if (i < avail && (ctx & CTX_MODE) == 2 && (bytes[i] & 0xf0) == 0x40) i++;
    return i + 2 <= avail && i + 2 <= 15 && bytes[i] == 0x0f && bytes[i + 1] == 0xff ? i + 2 : 0;
}

enum decode_status decode_one(const struct cpu *c, uint32_t ctx, const uint8_t *bytes, unsigned avail,
                              unsigned page_off, unsigned ip_off, struct op *op, struct decoded *d)
{
    ZydisDecodedInstruction ins;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];

    memset(op, 0, sizeof(*op));
    memset(d, 0, sizeof(*d));
    op->ip_off = (uint16_t)ip_off;
    unsigned ud0 = short_ud0(c, ctx, bytes, avail);
    if (ud0) return refuse(op, d, op_undefined, ud0);
    ZyanStatus st = ZydisDecoderDecodeFull(decoder_for(c, ctx), bytes, avail < 15 ? avail : 15, &ins, ops);
    if (st == ZYDIS_STATUS_NO_MORE_DATA)
        return avail < 15 ? DECODE_MORE : refuse(op, d, op_too_long, 15);
    if (st == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) return refuse(op, d, op_too_long, 15);
    if (ZYAN_FAILED(st)) {
        (void)refuse(op, d, op_undefined, 1);
        d->seen = (uint8_t)(avail < 15 ? avail : 15);
        return DECODE_OK;
    }

    /* real and virtual-8086 mode know no VEX: what is no LES or LDS there is undefined */
    if ((ctx & CTX_REAL) && ins.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
        return refuse(op, d, op_undefined, ins.length);
    /* Zydis also knows the VEX forms of POPCNT, LZCNT and TZCNT, which Knights Corner alone had */
    bool known = row_of[ins.mnemonic] && ins.meta.isa_ext != ZYDIS_ISA_EXT_KNC;
    const struct row *row = known ? &rows[row_of[ins.mnemonic] - 1] : NULL;
    if (row == NULL || (row->feature != FEAT_NONE && !c->features->on[row->feature]) || before_p6(c, &ins)) {
        op->imm = (int64_t)ins.mnemonic;
        return refuse(op, d, lacking(c, ctx, &ins, row), ins.length);
    }

    struct pick p = {&ins, ops, op, ctx, page_off, ip_off + ins.length};
    fill_op(&p);
    cut_branch(c, &p);
    cut_far_pointer(c, &p);
    fill_direction(&p, row->priv);
    if (has_mmx(&p)) {
        op->imm = (int64_t)ins.mnemonic;
        return refuse(op, d, cpu_has(c, FEAT_MMX) ? op_gap : op_undefined, ins.length);
    }
    op_fn fn = row->fn ? row->fn : row->core ? row->core(&p, row->kind) : row->family(op, row->kind);
    op_fn no = refusal(row->priv, ctx);
    op->fn = no ? no : fn;
    d->plain = op->fn;
    d->length = ins.length;
    d->seen = d->length;
    d->id = (uint16_t)(row - rows);
    d->priv = row->priv;
    d->ticks = price(c, &ins, ops);
    d->ends = no != NULL || ends_block(&ins, row);
    d->cc = row->core == core_jcc && (ctx & CTX_MODE) == 2 && fn == jcc_handlers[row->kind][0]
                ? (int8_t)row->kind
                : -1;
    return DECODE_OK;
}

bool decode_form(bool mode64, const uint8_t bytes[15], char form[DECODE_FORM])
{
    ZydisDecodedInstruction ins;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    ZydisDecoder z;

    (void)ZydisDecoderInit(&z, mode64 ? ZYDIS_MACHINE_MODE_LONG_64 : ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
                           mode64 ? ZYDIS_STACK_WIDTH_64 : ZYDIS_STACK_WIDTH_32);
    struct pick p = {.ins = &ins, .ops = ops};
    if (ZYAN_FAILED(ZydisDecoderDecodeFull(&z, bytes, 15, &ins, ops)) || has_mmx(&p)) return false;
    if (row_of[ins.mnemonic] == 0 || ins.meta.isa_ext == ZYDIS_ISA_EXT_KNC) return false; /* as decode_one */
    form_name(&ins, ops, form);
    return true;
}

uint32_t decode_context(const struct cpu *c)
{
    uint32_t ctx = 0;

    if (cpu_64(c)) ctx |= 2 | CTX_SS32;
    else if (c->seg[SEG_CS].attr & ATTR_DB) ctx |= 1;
    if (!cpu_64(c) && c->seg[SEG_CS].limit != UINT32_MAX) ctx |= CTX_LIMIT;
    if (c->seg[SEG_SS].attr & ATTR_DB) ctx |= CTX_SS32;
    if (cpu_long(c)) ctx |= CTX_LONG;
    if (c->cr0 & CR0_TS) ctx |= CTX_TS;
    if (c->cr0 & CR0_EM) ctx |= CTX_EM;
    if (c->cr0 & CR0_MP) ctx |= CTX_MP;
    if (c->cr4 & CR4_OSFXSR) ctx |= CTX_OSFXSR;
    if (!cpu_protected(c)) ctx |= CTX_REAL;
    return ctx;
}
