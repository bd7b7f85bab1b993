/*
 * fast.h - what the stamped-out handlers share: register access by width, one list of widths, and
 * the names of the tables that decode.c picks from.
 *
 * Shapes of a two-operand instruction. The decoder puts the register destination into o->reg and a
 * register source into o->rm whatever the encoding was.
 */
#ifndef CPU_FAST_H
#define CPU_FAST_H

#include "cpu/mem.h"

enum shape {
    SHAPE_RR,  /* reg, reg */
    SHAPE_RI,  /* reg, imm */
    SHAPE_RM_B, /* reg, [base + disp] */
    SHAPE_RM_X, /* reg, [base + index * scale + disp] */
    SHAPE_MR_B,
    SHAPE_MR_X,
    SHAPE_MI_B,
    SHAPE_MI_X,
    SHAPE_RM_G, /* any memory operand, by mem_read and mem_write */
    SHAPE_MR_G,
    SHAPE_MI_G,
    SHAPE_COUNT
};

enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP, ALU_TEST, ALU_COUNT };
enum unary { UN_INC, UN_DEC, UN_NOT, UN_NEG, UN_COUNT };

/* [..][log2 width] */
extern const op_fn alu_handlers[ALU_COUNT][4][SHAPE_COUNT];
extern const op_fn unary_handlers[UN_COUNT][4][SHAPE_COUNT]; /* RR, MR_B, MR_X, MR_G */
extern const op_fn mov_handlers[4][SHAPE_COUNT];
extern const op_fn movx_handlers[2][3][3][4]; /* signed, source 8/16/32, destination 16/32/64, RR RM_B RM_X RM_G */
extern const op_fn lea_handlers[2][2];        /* 32/64, B/X */
extern const op_fn cmov_handlers[16][3];      /* 32, 64, any */
extern const op_fn jcc_handlers[16][3];       /* within the page, 64-bit mode, any mode */

/** The fused handler of a flag-setting op followed by a Jcc within the page, or NULL. */
op_fn fuse_pick(op_fn first, unsigned cc);

#define RD8(c, r) (((const uint8_t *)(c)->gpr)[r])
#define RD16(c, r) ((uint16_t)(c)->gpr[r])
#define RD32(c, r) ((uint32_t)(c)->gpr[r])
#define RD64(c, r) ((c)->gpr[r])
static inline void wr8(struct cpu *c, unsigned r, uint8_t v) { ((uint8_t *)c->gpr)[r] = v; }
static inline void wr16(struct cpu *c, unsigned r, uint16_t v) { *(uint16_t *)&c->gpr[r] = v; }
static inline void wr32(struct cpu *c, unsigned r, uint32_t v) { c->gpr[r] = v; }
static inline void wr64(struct cpu *c, unsigned r, uint64_t v) { c->gpr[r] = v; }
#define WR8 wr8
#define WR16 wr16
#define WR32 wr32
#define WR64 wr64

#define FOR_WIDTHS(M) M(8) M(16) M(32) M(64)

/* ---- flags of the common operations ------------------------------------------------------------ */

#define DEF_FLAGS(B)                                                                               \
    static inline void fl_sub##B(struct cpu *c, uint##B##_t a, uint##B##_t b)                       \
    {                                                                                              \
        c->fl_res = (uint64_t)(int64_t)(int##B##_t)(uint##B##_t)(a - b);                           \
        c->fl_a = (uint64_t)a << (64 - B);                                                         \
        c->fl_b = (uint64_t)b << (64 - B);                                                         \
        c->fl_meta = 64 - B;                                                                       \
    }                                                                                              \
    static inline void fl_add##B(struct cpu *c, uint##B##_t r, uint##B##_t b)                       \
    {                                                                                              \
        c->fl_res = (uint64_t)(int64_t)(int##B##_t)r;                                              \
        c->fl_a = (uint64_t)r << (64 - B);                                                         \
        c->fl_b = (uint64_t)b << (64 - B);                                                         \
        c->fl_meta = 64 - B;                                                                       \
    }                                                                                              \
    static inline void fl_logic##B(struct cpu *c, uint##B##_t r)                                    \
    {                                                                                              \
        c->fl_res = (uint64_t)(int64_t)(int##B##_t)r;                                              \
        c->fl_a = 0;                                                                               \
        c->fl_b = 0;                                                                               \
        c->fl_meta = 64 - B;                                                                       \
    }
FOR_WIDTHS(DEF_FLAGS)
#undef DEF_FLAGS

/** Condition codes in encoding order. SDM 1 "EFLAGS Condition Codes". */
static inline __attribute__((always_inline)) bool fl_cond(const struct cpu *c, unsigned cc)
{
    bool v;

    switch (cc >> 1) {
    case 0: v = fl_of(c); break;
    case 1: v = fl_cf(c); break;
    case 2: v = fl_zf(c); break;
    case 3: v = fl_cf(c) || fl_zf(c); break;
    case 4: v = fl_sf(c); break;
    case 5: v = fl_pf(c); break;
    case 6: v = fl_sf(c) != fl_of(c); break;
    default: v = fl_zf(c) || fl_sf(c) != fl_of(c); break;
    }
    return v != (cc & 1);
}

/* ---- leaving a block ---------------------------------------------------------------------------- */

const struct op *chain_next(struct cpu *c);
const struct op *chain_link(struct cpu *c, unsigned which);

/** The block's accounts are closed after op o and RIP becomes target. */
static inline __attribute__((always_inline)) uint64_t chain_leave(struct cpu *c, const struct op *o,
                                                                  uint64_t target)
{
    uint64_t t = c->ticks + o[1].prefix;

    c->ticks = t;
    c->insns += o[1].idx;
    c->gpr[R_RIPBASE] = target;
    return t;
}

/* Go to a target in this block's own page: the link needs no check but the deadline. */
#define JUMP_SAME(c, o, which, target)                                                             \
    do {                                                                                           \
        uint64_t t_ = chain_leave((c), (o), (target));                                             \
        struct block *b_ = (c)->blk->link[which];                                                  \
        if (LIKELY(b_ != NULL && t_ + b_->ticks <= (c)->deadline)) {                               \
            (c)->blk = b_;                                                                         \
            OP_GO((c), b_->op);                                                                    \
        }                                                                                          \
        return chain_link((c), (which));                                                           \
    } while (0)

/* Go anywhere: through the fetch filter. */
#define JUMP_ANY(c, o, target)                                                                     \
    do {                                                                                           \
        (void)chain_leave((c), (o), (target));                                                     \
        return chain_next(c);                                                                      \
    } while (0)

#endif
