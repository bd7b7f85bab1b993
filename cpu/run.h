/*
 * run.h - the chain's own odd ops, shared by run.c, block.c, decode.c and mem.c.
 */
#ifndef CPU_RUN_H
#define CPU_RUN_H

#include "cpu/decode.h"

/** op 0 of a block that has died, and the op after the last one where CS has a limit: back to the loop,
 *  which looks again. */
const struct op *op_away(struct cpu *c, const struct op *o);
/** The op after the last one of a block that runs on into the next instruction. */
const struct op *op_fallthrough(struct cpu *c, const struct op *o);
/** The same when the next instruction lies in another page. */
const struct op *op_fallthrough_page(struct cpu *c, const struct op *o);
/** The op after a branch that was not taken the fast way, or after an op that ends a block. */
const struct op *op_block_end(struct cpu *c, const struct op *o);
/** The op after a single op run by itself. */
const struct op *op_stop(struct cpu *c, const struct op *o);

/** At a boundary inside the chain (c->cur NULL, RIP set, accounts closed): go on in the block at
 *  RIP, or end the chain. */
const struct op *chain_next(struct cpu *c);
/** The same through link `which` of the block that was just left. */
const struct op *chain_link(struct cpu *c, unsigned which);

/** Close the accounts of a block at op o: RIP, time and count are o's (not executed). */
static inline void chain_close(struct cpu *c, const struct op *o)
{
    c->gpr[R_RIPBASE] += o->ip_off;
    c->ticks += o->prefix;
    c->insns += o->idx;
    c->cur = NULL;
}

/** Translate a data access; charges, and fills c->fault with #PF on refusal. */
bool mem_translate(struct cpu *c, uint64_t lin, struct mmu_access access, uint64_t *phys);
/** Translate a fetch at linear `lin` (filter first). False = c->fault is set. */
bool fetch_translate(struct cpu *c, uint64_t lin, uint64_t *phys);
/** The same for the part in the next page, `room` bytes on, of the instruction at RIP = linear `lin`:
 *  canonical or within CS's limit, then the translation. */
bool fetch_second(struct cpu *c, uint64_t lin, unsigned room, uint64_t *phys);

#endif
