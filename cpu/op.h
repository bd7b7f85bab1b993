/*
 * op.h - a decoded instruction and a block of them.
 *
 * A handler takes (cpu, op) and hands on to the next op: by a tail call in release builds, by
 * returning it to the loop in run.c otherwise (RS_CHAIN, one macro). NULL ends the chain: c->exit
 * says why. Every block ends with one more op, whose ip_off, prefix and idx are the block's totals,
 * so op+1 always exists.
 */
#ifndef CPU_OP_H
#define CPU_OP_H

#include "cpu/state.h"

typedef const struct op *(*op_fn)(struct cpu *c, const struct op *o);

/* flags of an op */
#define OPF_MEM 0x01u    /* the r/m operand is memory */
#define OPF_ADDR32 0x02u /* address size 32 */
#define OPF_ADDR16 0x04u /* address size 16 */
#define OPF_LOCK 0x08u
#define OPF_REP 0x10u    /* F3 */
#define OPF_REPNE 0x20u  /* F2 */
#define OPF_SRC8 0x40u   /* MOVZX/MOVSX and kin: the source operand is 8 bits (else 16 or 32) */
#define OPF_FLAT 0x80u   /* 64-bit mode, 64-bit addresses, no segment base: the fast address forms */

struct op {
    op_fn fn;
    int64_t imm;
    int32_t disp;     /* RIP-relative operands have the next ip_off added in */
    uint8_t base;     /* enum gpr, R_ZERO for none, R_RIPBASE for RIP-relative */
    uint8_t index;    /* enum gpr, R_ZERO for none */
    uint8_t scale : 4; /* shift count 0..3 */
    uint8_t seg : 4;  /* enum seg used for the memory operand (default or override) */
    uint8_t idx;      /* position in the block = instructions before this one */
    uint8_t reg;      /* ModRM.reg operand: register number; 8-bit registers as byte offset into gpr[] */
    uint8_t rm;       /* ModRM.rm or opcode register, likewise */
    uint8_t width;    /* operand size in bytes: 1, 2, 4, 8 (16 for XMM) */
    uint8_t flags;    /* OPF_* */
    uint16_t ip_off;  /* bytes from the block's start */
    uint16_t prefix;  /* static ticks of the ops before this one */
};
_Static_assert(sizeof(struct op) == 32, "two ops to a cache line");

#define BLOCK_OPS_MAX 64u

struct block {
    uint64_t phys;     /* of the first byte */
    uint64_t phys2;    /* page of the second part for an instruction that crosses a page, else 0 */
    uint32_t ctx;      /* decode context */
    uint32_t ticks;    /* static price of the whole block */
    uint16_t bytes;
    uint8_t nops;
    bool dead;
    struct block *link[2]; /* successors: not taken (or only), taken */
    struct block *hash_next, *page_next;
    struct op op[];    /* nops + 1, then nops of struct op_side (block.h) */
};

/** What a plain handler body says. */
enum step {
    STEP_NEXT,   /* done, go on with the next op */
    STEP_BRANCH, /* done, RIP (gpr[R_RIPBASE] via cpu_branch) has been set */
    STEP_END,    /* done, but what decides decoding or interrupts may have changed: leave the block */
    STEP_FAULT,  /* c->fault is set, nothing was committed */
    STEP_LATE,   /* done and accounted for (cpu_branch); c->fault is of what comes next, before it runs */
    STEP_HALT,   /* done, and halted */
    STEP_REPEAT, /* a REP is interrupted between iterations: registers are updated, RIP stays */
    STEP_GAP,    /* known, promised, not there: c->gap names it */
    STEP_BREAK   /* done, and the machine shall stop (magic break) */
};

/** op_finish - what a plain body's verdict means for the chain (run.c). */
const struct op *op_finish(struct cpu *c, const struct op *o, enum step s);

#if RS_CHAIN && defined(__clang__)
#define OP_GO(c, n) __attribute__((musttail)) return (n)->fn((c), (n))
#elif RS_CHAIN
#define OP_GO(c, n) return (n)->fn((c), (n)) /* gcc makes it a jump from -O2 on: tests/build */
#else
#define OP_GO(c, n) return (n)
#endif

/* The same from a function that is no handler itself (clang guarantees only equal signatures; both
 * compilers make it a jump all the same). */
#if RS_CHAIN
#define OP_ENTER(c, n) return (n)->fn((c), (n))
#else
#define OP_ENTER(c, n) return (n)
#endif

/** Define a plain handler: OP(cli) { ... return STEP_NEXT; } with `c` and `o` in scope. */
#define OP(name)                                                                                   \
    static enum step body_##name(struct cpu *c, const struct op *o);                               \
    /* a fast handler tail-calls it as its slow twin: inlined there it would cost a frame */       \
    __attribute__((noinline)) const struct op *op_##name(struct cpu *c, const struct op *o);       \
    const struct op *op_##name(struct cpu *c, const struct op *o)                                  \
    {                                                                                              \
        c->cur = o;                                                                                \
        enum step s = body_##name(c, o);                                                           \
        if (__builtin_expect(s == STEP_NEXT && !c->brk, 1)) {                                      \
            c->cur = NULL;                                                                         \
            OP_GO(c, o + 1);                                                                       \
        }                                                                                          \
        return op_finish(c, o, s);                                                                 \
    }                                                                                              \
    static enum step body_##name(struct cpu *c __attribute__((unused)),                           \
                                 const struct op *o __attribute__((unused)))

#endif
