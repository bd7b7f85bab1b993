/*
 * run.c - the processor's loop: boundaries, interrupts, blocks, single steps, the reference engine.
 *
 * At each boundary: is the deadline reached, is an interrupt to be taken, must the next instruction
 * run alone (TF, interrupt shadow, observers, the reference engine, a deadline within the block)? If
 * not, a chain of blocks runs until something ends it. However a run is chopped up, instructions,
 * cycles and events are the same. Manual: SDM 3A "Priority Among Concurrent Events".
 */
#include "cpu/run.h"

#include "cpu/block.h"
#include "cpu/debug.h"
#include "cpu/fast.h"
#include "cpu/interrupts.h"
#include "cpu/limit.h"

/* ---- the chain's own ops ------------------------------------------------------------------------------- */

static const struct op *chain_exit(struct cpu *c, enum cpu_exit why)
{
    c->exit = (uint8_t)why;
    return NULL;
}

const struct op *op_away(struct cpu *c, const struct op *o)
{
    chain_close(c, o);
    return chain_exit(c, EXIT_NEXT);
}

/* The same as chain_close where the block may end at the top of 4 GiB: EIP goes on at 0. */
static void close_wrapped(struct cpu *c, const struct op *o)
{
    chain_close(c, o);
    if (UNLIKELY(c->gpr[R_RIPBASE] >> 32) && !cpu_64(c)) c->gpr[R_RIPBASE] = (uint32_t)c->gpr[R_RIPBASE];
}

const struct op *op_fallthrough(struct cpu *c, const struct op *o)
{
    struct block *b = c->blk->link[0];

    chain_close(c, o);
    if (LIKELY(b != NULL && c->ticks + b->ticks <= c->deadline)) {
        c->blk = b;
        OP_GO(c, b->op);
    }
    return chain_link(c, 0);
}

const struct op *op_fallthrough_page(struct cpu *c, const struct op *o)
{
    close_wrapped(c, o);
    return chain_next(c);
}

const struct op *op_block_end(struct cpu *c, const struct op *o)
{
    close_wrapped(c, o);
    return chain_next(c);
}

const struct op *op_stop(struct cpu *c, const struct op *o)
{
    close_wrapped(c, o);
    c->step_index++;
    c->exit = EXIT_STEPPED;
    return NULL;
}

/* After SYSRET, IRET and the like an interrupt or single-step trap may be due at once. */
static bool boundary_wanted(const struct cpu *c)
{
    return c->brk || (c->flags & RF_TF) || ((c->flags & RF_IF) && c->intr_line);
}

const struct op *op_finish(struct cpu *c, const struct op *o, enum step s)
{
    switch (s) {
    case STEP_NEXT: close_wrapped(c, o + 1); return chain_exit(c, EXIT_NEXT);
    case STEP_BRANCH:
        if (UNLIKELY(boundary_wanted(c))) return chain_exit(c, EXIT_NEXT);
        return chain_next(c);
    case STEP_END: close_wrapped(c, o + 1); return chain_exit(c, EXIT_NEXT);
    case STEP_FAULT: chain_close(c, o); return chain_exit(c, EXIT_FAULT);
    case STEP_LATE: return chain_exit(c, EXIT_FAULT);
    case STEP_HALT:
        close_wrapped(c, o + 1);
        c->halted = true;
        return chain_exit(c, EXIT_HALT);
    case STEP_REPEAT: /* an interrupt taken between iterations pushes RF=1 */
        chain_close(c, o);
        c->flags |= RF_RF;
        return chain_exit(c, EXIT_NEXT);
    case STEP_BREAK: chain_close(c, o + 1); return chain_exit(c, EXIT_BREAK);
    case STEP_GAP: break;
    }
    chain_close(c, o);
    return chain_exit(c, EXIT_GAP);
}

enum step cpu_branch(struct cpu *c, uint64_t rip)
{
    chain_close(c, c->cur + 1);
    c->gpr[R_RIPBASE] = rip;
    return STEP_BRANCH;
}

/* ---- finding the next block ------------------------------------------------------------------------------ */

static uint64_t fetch_linear(const struct cpu *c)
{
    uint64_t rip = c->gpr[R_RIPBASE];

    return cpu_64(c) ? rip : (uint32_t)(c->seg[SEG_CS].base + rip);
}

/* An instruction that reaches beyond CS's limit faults before it runs. */
static bool length_judge(struct cpu *c, unsigned length)
{
    if (cpu_64(c)) return true;
    bool ok = limit_judge(&c->seg[SEG_CS], c->gpr[R_RIPBASE], length);
    return LIKELY(ok) ||
           check(c, RS_RULE_LIMIT_FETCH, ok, c->gpr[R_RIPBASE], c->seg[SEG_CS].limit, 0, 0);
}

/* RIP itself: canonical, or within CS's limit */
static bool fetch_judge(struct cpu *c, uint64_t lin)
{
    if (cpu_64(c)) {
        bool ok = mmu_canonical(lin, c->features->linear_bits);
        return LIKELY(ok) || check(c, RS_RULE_CANON_FETCH, ok, lin, c->features->linear_bits, 0, 0);
    }
    return length_judge(c, 1);
}

bool fetch_translate(struct cpu *c, uint64_t lin, uint64_t *phys)
{
    uint64_t off = lin & (RAM_PAGE - 1);
    const struct fetch_slot *s = &c->fetch[(lin >> 12) & (FETCH_SLOTS - 1)];
    struct mmu_access a = {.kind = RS_FETCH, .user = c->cpl == 3};

    if (LIKELY(s->tag == ((lin - off) | c->mmu.filter.key))) {
        *phys = s->phys | off;
        return true;
    }
    if (!mem_translate(c, lin, a, phys)) return false;
    return true;
}

bool fetch_second(struct cpu *c, uint64_t lin, unsigned room, uint64_t *phys)
{
    uint64_t second = lin + room;

    if (cpu_64(c)) {
        bool ok = mmu_canonical(second, c->features->linear_bits);
        if (!check(c, RS_RULE_CANON_FETCH, ok, second, c->features->linear_bits, 0, 0)) return false;
        return fetch_translate(c, second, phys);
    }
    return length_judge(c, room + 1) && fetch_translate(c, (uint32_t)second, phys);
}

/* The block at RIP, made if need be. NULL with c->exit = EXIT_FAULT, or after flushing a full arena. */
static struct block *find(struct cpu *c)
{
    uint64_t lin = fetch_linear(c), phys;
    struct block *from = c->link_from, *b;
    bool fault = false;

    c->link_from = NULL;
    c->exit = EXIT_FAULT;
    if (!fetch_judge(c, lin) || !fetch_translate(c, lin, &phys)) return NULL;
    b = block_find(c, phys);
    if (b == NULL) {
        b = block_make(c, lin, phys, &fault);
        if (fault) return NULL;
        if (b == NULL) {
            block_flush(c);
            c->step_block = NULL;
            c->exit = EXIT_NEXT;
            return NULL;
        }
    }
    c->exit = EXIT_NEXT;
    if (from != NULL && !from->dead && b->phys2 == 0) from->link[c->link_which] = b;
    return b;
}

/* ---- one instruction --------------------------------------------------------------------------------------- */

/* Links of a block that single ops believe to be in: none. */
static const struct block no_block = {.nops = 0};

/* The size of code that these context bits decode: 16, 32, 64. */
static unsigned code_bits(uint32_t ctx) { return 16u << (ctx & CTX_MODE); }

/* @phys2 the page of the second part of an instruction that crosses into another, else 0 */
static void event_insn(struct cpu *c, uint64_t rip, uint64_t before, uint64_t phys, uint64_t phys2,
                       unsigned length, unsigned bits)
{
    uint8_t bytes[16] = {0};

    if (c->insns == before || !ev_wanted(c, RS_EV_INSN)) return;
    unsigned room = RAM_PAGE - (unsigned)(phys & (RAM_PAGE - 1));
    ram_read(c->ram, phys, bytes, length < room ? length : room);
    if (length > room) ram_read(c->ram, phys2, bytes + room, length - room);
    uint64_t w[2];
    memcpy(w, bytes, sizeof(w));
    ev_emit_at(c, RS_EV_INSN, bits, rip, w[0], w[1], length, 0);
}

static void run_ops(struct cpu *c, const struct op *o)
{
    do o = o->fn(c, o);
    while (o != NULL);
}

/* Run pair[0] alone. At entry RIP, time and count are its own. Returns what size of code it was. */
static unsigned run_single(struct cpu *c, struct op pair[2], unsigned id, unsigned length)
{
    uint64_t rip = c->gpr[R_RIPBASE];
    unsigned bits = code_bits(c->ctx);

    pair[1].fn = op_stop;
    c->step_length = (uint8_t)length;
    if (UNLIKELY(c->observe_checks) && !decode_checks(c, id, length)) {
        (void)chain_exit(c, EXIT_FAULT);
        return bits;
    }
    c->gpr[R_RIPBASE] = rip - pair[0].ip_off;
    c->ticks -= pair[0].prefix;
    c->insns -= pair[0].idx;
    c->blk = (struct block *)(uintptr_t)&no_block;
    c->stepping = true;
    run_ops(c, pair);
    c->stepping = false;
    c->blk = NULL;
    return bits;
}

static void step_cached(struct cpu *c)
{
    struct block *b = c->step_block;
    struct op pair[2];

    if (b == NULL || b->dead || b->ctx != c->ctx || c->step_index >= b->nops) {
        b = find(c);
        if (b == NULL) return;
        c->step_block = b;
        c->step_index = 0;
    }
    unsigned i = c->step_index;
    const struct op_side *side = &block_side(b)[i];
    uint64_t rip = c->gpr[R_RIPBASE], before = c->insns;

    if (!length_judge(c, side->length)) {
        (void)chain_exit(c, EXIT_FAULT);
        return;
    }
    c->step_phys = b->phys + b->op[i].ip_off;
    c->step_phys2 = b->phys2;
    pair[0] = b->op[i];
    pair[0].fn = side->plain;
    pair[1] = b->op[i + 1];
    unsigned bits = run_single(c, pair, side->id, side->length);
    event_insn(c, rip, before, b->phys + pair[0].ip_off, b->phys2, side->length, bits);
    if (c->exit == EXIT_STEPPED) c->exit = EXIT_NEXT;
    else c->step_block = NULL;
}

/* The reference engine: fetch and decode every time, no lazy flags kept over an instruction. */
static void step_reference(struct cpu *c)
{
    struct op pair[2];
    struct decoded d;
    uint64_t lin = fetch_linear(c), phys, phys2 = 0, rip = c->gpr[R_RIPBASE], before = c->insns;
    uint8_t bytes[16] = {0};
    unsigned room = RAM_PAGE - (unsigned)(lin & (RAM_PAGE - 1)), have = room < 15 ? room : 15;

    c->exit = EXIT_FAULT;
    if (!fetch_judge(c, lin) || !fetch_translate(c, lin, &phys)) return;
    ram_read(c->ram, phys, bytes, have);
    if (decode_one(c, c->ctx, bytes, have, (unsigned)(lin & (RAM_PAGE - 1)), 0, &pair[0], &d) == DECODE_MORE) {
        if (!fetch_second(c, lin, room, &phys2)) return;
        ram_read(c->ram, phys2, bytes + room, 15 - room);
        (void)decode_one(c, c->ctx, bytes, 15, UINT32_MAX, 0, &pair[0], &d);
    }
    if (!length_judge(c, d.length)) return;
    c->step_phys = phys;
    c->step_phys2 = phys2;
    memset(&pair[1], 0, sizeof(pair[1]));
    pair[1].ip_off = d.length;
    pair[1].prefix = (uint16_t)d.ticks;
    pair[1].idx = 1;
    unsigned bits = run_single(c, pair, d.id, d.length);
    fl_put(c, fl_get(c));
    event_insn(c, rip, before, phys, phys2, d.length, bits);
    if (c->exit == EXIT_STEPPED) c->exit = EXIT_NEXT;
}

/* With DEBUGCTL.BTF the trap comes only where control went elsewhere. */
static bool steps_now(const struct cpu *c, uint64_t rip)
{
    uint64_t next = rip + c->step_length;

    return !(c->debugctl & DEBUGCTL_BTF) || c->gpr[R_RIPBASE] != (cpu_64(c) ? next : (uint32_t)next);
}

/* One instruction with what hangs on its being alone: RF lasts for it, TF traps after it. */
static void step(struct cpu *c)
{
    bool tf = (c->flags & RF_TF) != 0;
    uint64_t rip = c->gpr[R_RIPBASE];

    c->flags &= ~(uint64_t)RF_RF;
    c->shadow = 0;
    c->trap_lost = false;
    c->brk = false;
    /* one instruction cannot pass an instruction limit; with TF a REP traps after each iteration */
    c->deadline = tf ? c->ticks : c->until;
    if (c->reference) step_reference(c);
    else step_cached(c);
    /* the trap after a load of SS is lost, the next instruction's comes */
    bool done = c->exit != EXIT_FAULT && c->exit != EXIT_GAP;
    if (tf && done && !c->trap_lost && !(c->shadow & SHADOW_SS) && steps_now(c, rip)) interrupts_single_step(c);
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static bool must_step(const struct cpu *c)
{
    return c->reference || c->observe_insn || c->observe_checks || c->shadow || (c->flags & RF_TF) ||
           (c->watch & WATCH_CODE);
}

static void run_chain(struct cpu *c)
{
    struct block *b;

    c->flags &= ~(uint64_t)RF_RF; /* it lasts for what comes next, where nothing asks for it */
    b = find(c);

    if (b == NULL) return;
    c->step_block = NULL;
    if (c->ticks + b->ticks > c->deadline ||
        (!cpu_64(c) && !limit_judge(&c->seg[SEG_CS], c->gpr[R_RIPBASE], b->bytes))) {
        c->step_block = b;
        c->step_index = 0;
        step(c);
        return;
    }
    c->blk = b;
    run_ops(c, b->op);
    c->blk = NULL;
}

/* No instruction is cheaper than a tick, so `left` of them cannot end before `left` ticks. */
static uint64_t deadline_for(const struct cpu *c, uint64_t until, uint64_t insns)
{
    uint64_t left = insns - c->insns;

    return left < until - c->ticks ? c->ticks + left : until;
}

enum cpu_stop cpu_undelivered(const struct cpu *c)
{
    return c->exit == EXIT_GAP ? CPU_GAP : CPU_SHUTDOWN;
}

/* An instruction that faults has met no breakpoint; INT1 takes those that MOV SS has held off with it. */
static void faulted(struct cpu *c)
{
    c->debug_hit = 0;
    if (LIKELY(c->fault.klass != FC_ICEBP)) return;
    c->fault.dr6 = c->trap_pending;
    c->trap_pending = 0;
}

enum cpu_stop cpu_run(struct cpu *c, uint64_t until, uint64_t insns)
{
    for (;;) {
        c->deadline = UINT64_MAX;
        if (c->ticks >= until) return CPU_UNTIL;
        if (c->insns >= insns) return CPU_INSNS;
        switch (interrupts_take(c)) {
        case TAKE_NONE: break;
        case TAKE_DELIVERED:
            if (c->request) {
                c->request = false;
                return CPU_REQUEST;
            }
            continue;
        case TAKE_SHUTDOWN: return cpu_undelivered(c);
        }
        if (c->halted) return CPU_HALTED;
        c->brk = false;
        c->until = until;
        c->deadline = deadline_for(c, until, insns);
        if (UNLIKELY(c->watch & WATCH_CODE) && debug_fetch(c, fetch_linear(c))) c->exit = EXIT_FAULT;
        else if (UNLIKELY(must_step(c) || c->step_block != NULL)) step(c);
        else run_chain(c);
        if (UNLIKELY(c->debug_hit) && c->exit != EXIT_FAULT) debug_pend(c);
        switch (c->exit) {
        case EXIT_FAULT:
            faulted(c);
            if (!deliver(c, &c->fault)) return cpu_undelivered(c);
            break;
        case EXIT_GAP: return CPU_GAP;
        case EXIT_BREAK: return CPU_BREAK;
        default: break;
        }
        if (UNLIKELY(c->request)) {
            c->request = false;
            return CPU_REQUEST;
        }
    }
}
