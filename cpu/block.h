/*
 * block.h - cached blocks of ops, keyed by physical address and decode context.
 */
#ifndef CPU_BLOCK_H
#define CPU_BLOCK_H

#include "cpu/decode.h"

/** What belongs to op i of a block but is not needed to run it. */
struct op_side {
    op_fn plain;   /* handler of the op alone (op.fn may be fused with its successor) */
    uint16_t id;
    uint8_t priv;
    uint8_t length;
};

bool block_cache_init(struct cpu *c);
void block_cache_free(struct cpu *c);
/** Forget everything. Only at a boundary. */
void block_flush(struct cpu *c);

/** The block at a physical address for the current context, or NULL. */
struct block *block_find(const struct cpu *c, uint64_t phys);
/** Decode and enter a new block starting at linear `lin` = physical `phys`. NULL: either c->fault is
 *  set (a fetch of the second page faulted; *fault true), or the arena is full (flush and retry). */
struct block *block_make(struct cpu *c, uint64_t lin, uint64_t phys, bool *fault);
/** Decoded code over these bytes dies (ram.code_written). */
void block_code_written(void *cpu, uint64_t phys, unsigned n);

static inline struct op_side *block_side(const struct block *b)
{
    return (struct op_side *)(uintptr_t)(b->op + b->nops + 1);
}

#endif
