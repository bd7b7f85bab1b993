/*
 * cpu.h - what handlers, delivery and emu/ may call of the processor.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include "cpu/flags.h"
#include "cpu/op.h"
#include "cpu/state.h"

/* ---- life (run.c, state.c) ------------------------------------------------------------------- */

struct cpu_config {
    struct ram *ram;
    const struct features *features;
    const struct cost *cost;
    struct bus_wire bus;
    struct inta_wire inta;
    struct clock_wire clock;
    struct event_wire *events;
    struct crossing_wire *crossings;
    unsigned index, block_cap;
    bool reference, magic_break;
};
bool cpu_init(struct cpu *c, const struct cpu_config *config);
void cpu_free(struct cpu *c);
/** Power-on state. SDM 3A "Processor State after Reset". */
void cpu_reset(struct cpu *c);

/** Run until ticks >= until (exact boundary), `insns` retired in total, or something needs the
 *  machine (halt, gap, shutdown, stop request). Returns why. */
enum cpu_stop {
    CPU_UNTIL, CPU_INSNS, CPU_HALTED, CPU_GAP, CPU_SHUTDOWN, CPU_REQUEST, CPU_BREAK
};
enum cpu_stop cpu_run(struct cpu *c, uint64_t until, uint64_t insns);
/** What the stop is when deliver() has said false. */
enum cpu_stop cpu_undelivered(const struct cpu *c);
/** Make cpu_run look up at the next boundary (an interrupt line changed). */
static inline void cpu_look(struct cpu *c)
{
    c->deadline = 0;
    c->brk = true;
}
/** Make cpu_run return to the machine at the next boundary (a stop is wished, an alarm is nearer). */
static inline void cpu_attention(struct cpu *c)
{
    c->request = true;
    cpu_look(c);
}
/** Forget where the engine meant to go on: RIP is being set from elsewhere. */
static inline void cpu_forget_place(struct cpu *c)
{
    c->step_block = NULL;
    c->link_from = NULL;
    c->rep_paid = false;
}
/** The INIT signal. SDM 3A "Processor State after Reset". */
void cpu_init_signal(struct cpu *c);
/** The APIC timer's alarm (clock source 16 + index) has gone off. */
void cpu_timer_alarm(struct cpu *c);

/* ---- where we are ------------------------------------------------------------------------------ */

static inline uint64_t cpu_rip(const struct cpu *c)
{
    return c->gpr[R_RIPBASE] + (c->cur ? c->cur->ip_off : 0);
}
static inline uint64_t cpu_next_rip(const struct cpu *c)
{
    return c->gpr[R_RIPBASE] + (c->cur ? c->cur[1].ip_off : 0);
}
static inline uint64_t cpu_now(const struct cpu *c) { return c->ticks + (c->cur ? c->cur->prefix : 0); }
static inline uint64_t cpu_insns(const struct cpu *c) { return c->insns + (c->cur ? c->cur->idx : 0); }

static inline bool cpu_long(const struct cpu *c) { return (c->efer & EFER_LMA) != 0; }
/** 64-bit mode (not compatibility mode). */
static inline bool cpu_64(const struct cpu *c) { return cpu_long(c) && (c->seg[SEG_CS].attr & ATTR_L); }
static inline unsigned cpu_iopl(const struct cpu *c) { return (unsigned)(c->flags & RF_IOPL) >> RF_IOPL_SHIFT; }
static inline bool cpu_v86(const struct cpu *c) { return (c->flags & RF_VM) != 0; }
/** Protected mode, virtual-8086 mode not included. */
static inline bool cpu_protected(const struct cpu *c) { return (c->cr0 & CR0_PE) && !(c->flags & RF_VM); }

/** Recompute all that is derived from CR0, CR4, EFER, CS, SS, CPL, RFLAGS.AC/IOPL/VM: the decode
 *  context, the MMU's environment, the filter tables. Call after changing any of them. */
void cpu_mode_changed(struct cpu *c);
/** The part of it that hangs on CR0, CR4 and EFER: the MMU's environment. */
void cpu_control_changed(struct cpu *c);

/** Charge dynamic ticks to a category; ends the block after this instruction if the deadline now lies
 *  before the block's end: the boundary to stop at may be any one within it. */
static inline void cpu_charge(struct cpu *c, enum rs_category category, uint64_t ticks)
{
    c->ticks += ticks;
    c->category[category] += ticks;
    c->bill[category] += ticks;
    c->billed |= 1u << category;
    c->dynamic += ticks;
    if (c->ticks + (c->blk ? c->blk->ticks : 0) > c->deadline || cpu_now(c) >= c->deadline) c->brk = true;
}
static inline void cpu_charge_event(struct cpu *c, enum rs_category category, enum cost_event e)
{
    cpu_charge(c, category, c->cost->event[e]);
}

/** Near branch done by a plain handler: sets where the next instruction is; return STEP_BRANCH. The
 *  caller has judged the target. Accounts for the current op (time, count). */
enum step cpu_branch(struct cpu *c, uint64_t rip);

/* ---- faults and checks -------------------------------------------------------------------------- */

enum step fault_raise(struct cpu *c, enum vector v);                     /* no error code, no rule */
enum step fault_raise_code(struct cpu *c, enum vector v, uint32_t error, uint16_t rule);

/** check - evaluate one protection rule: emits the CHECK event (passed: only if somebody listens;
 *  refused: likewise) and, refused, fills c->fault from the rule's row (vector, error code kind).
 *  @ok       the pure judge's verdict: may it?
 *  @subject  what the rule's row says (selector, port, register, address ...)
 *  @error    error code for SEL rules (already formatted, EXT included); ignored for ZERO/NONE
 *  Returns ok. Usage: if (!check(c, RS_RULE_X, judge(...), sel, in1, in2, err)) return STEP_FAULT; */
bool check_report(struct cpu *c, enum rs_rule rule, bool ok, uint64_t subject, uint64_t in1, uint64_t in2,
                  uint32_t error);
static inline bool check(struct cpu *c, enum rs_rule rule, bool ok, uint64_t subject, uint64_t in1,
                         uint64_t in2, uint32_t error)
{
    if (__builtin_expect(ok && !c->observe_checks, 1)) return true;
    return check_report(c, rule, ok, subject, in1, in2, error);
}

/** Emit an event if its kind is listened to; header is filled from the CPU. Returns seq or 0. */
static inline bool ev_wanted(const struct cpu *c, enum rs_event_kind kind)
{
    return (c->events->mask & RS_MASK(kind)) != 0;
}
uint64_t ev_emit(struct cpu *c, enum rs_event_kind kind, unsigned how, uint64_t w0, uint64_t w1,
                 uint64_t w2, uint64_t w3);
/** The same for an instruction that has already retired: its own RIP. */
uint64_t ev_emit_at(struct cpu *c, enum rs_event_kind kind, unsigned how, uint64_t rip, uint64_t w0,
                    uint64_t w1, uint64_t w2, uint64_t w3);

/* ---- memory (mem.c) ------------------------------------------------------------------------------- */

/** Effective address of the op's memory operand (before the segment base). */
uint64_t ea(const struct cpu *c, const struct op *o);
/** n = 1, 2, 4, 8 bytes at seg:eff as the current CPL; false = c->fault is set. Segment rules (limit,
 *  type, null, canonical, #SS for the stack) and paging are judged. May cross pages. */
bool mem_read(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value);
bool mem_write(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t value);
/** A read before a push of as many bytes: a device is touched only once the push has been judged. */
bool mem_read_push(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value);
/** Judge a write of n bytes (1..512) without making it, so that what follows cannot fault. */
bool mem_probe_write(struct cpu *c, enum seg seg, uint64_t eff, unsigned n);
bool mem_probe_read(struct cpu *c, enum seg seg, uint64_t eff, unsigned n);
/** A push by linear address, without a segment's base and limit, whatever the mode. */
bool mem_write_flat(struct cpu *c, uint64_t linear, unsigned n, uint64_t value);
bool mem_probe_flat(struct cpu *c, uint64_t linear, unsigned n);
bool mem_probe_flush(struct cpu *c, enum seg seg, uint64_t eff);
/** Read for a read-modify-write: write rights are judged first (D set), then the value is read. */
bool mem_read_rmw(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value);
/** 16-byte and longer data; `align` > 1: #GP(0) if eff's linear address is not aligned to it. */
bool mem_read_bytes(struct cpu *c, enum seg seg, uint64_t eff, void *out, unsigned n, unsigned align);
bool mem_write_bytes(struct cpu *c, enum seg seg, uint64_t eff, const void *in, unsigned n, unsigned align);
/** Implicit supervisor access at a linear address (descriptor tables, TSS). On a page fault c->fault
 *  is #PF. n = 1, 2, 4, 8. A non-canonical address is #GP(0) (rule CANON_MEM). */
bool mem_read_sys(struct cpu *c, uint64_t linear, unsigned n, uint64_t *value);
bool mem_write_sys(struct cpu *c, uint64_t linear, unsigned n, uint64_t value);
/** Judge such an access of n bytes without making it. */
bool mem_probe_sys(struct cpu *c, uint64_t linear, unsigned n, enum rs_access kind);
/** A stack push of a delivery or far transfer to another level: linear address, judged as `cpl`. */
bool mem_read_as(struct cpu *c, unsigned cpl, uint64_t linear, unsigned n, uint64_t *value);
bool mem_write_as(struct cpu *c, unsigned cpl, uint64_t linear, unsigned n, uint64_t value);

/* the op's r/m operand, register or memory, o->width bytes */
bool operand_get(struct cpu *c, const struct op *o, uint64_t *value);
bool operand_get_rmw(struct cpu *c, const struct op *o, uint64_t *value);
/** Writes the r/m operand: a 32-bit register is zero-extended, 8/16-bit ones merge. */
bool operand_put(struct cpu *c, const struct op *o, uint64_t value);
/** The ModRM.reg operand, o->width bytes. */
uint64_t reg_get(const struct cpu *c, unsigned reg, unsigned width);
void reg_put(struct cpu *c, unsigned reg, unsigned width, uint64_t value);

/** Stack: size 2, 4 or 8; wraps by SS.B / 64-bit mode. push judges and writes, then moves RSP. */
uint64_t stack_pointer(const struct cpu *c);
void stack_pointer_put(struct cpu *c, uint64_t sp);
bool stack_push(struct cpu *c, unsigned size, uint64_t value);
/** Judge a push without making it. */
bool stack_probe_push(struct cpu *c, unsigned size);
/** The same of size bytes `down` bytes below the stack's top. */
bool stack_probe_at(struct cpu *c, unsigned down, unsigned size);
bool stack_pop(struct cpu *c, unsigned size, uint64_t *value);
/** Read the slot `offset` bytes above the stack top without popping. */
bool stack_peek(struct cpu *c, unsigned offset, unsigned size, uint64_t *value);

/* ---- segments, transfers, delivery (segment.c, transfer.c, deliver.c) ------------------------------- */

/** Load a data segment register or SS or LDTR/TR by selector with every check of the manual. */
enum step seg_load(struct cpu *c, enum seg seg, uint16_t selector);
/** Far JMP/CALL (call = push return, size = operand size) to selector:offset. */
enum step far_transfer(struct cpu *c, uint16_t selector, uint64_t offset, unsigned size, bool call);
enum step far_return(struct cpu *c, unsigned size, unsigned pop_bytes);
enum step interrupt_return(struct cpu *c, unsigned size);

/** deliver - take an exception or interrupt through the IDT at a boundary. Handles faults during
 *  delivery (double fault, shutdown). Returns false on shutdown (triple fault): c->gap holds the
 *  chain of causes as text. */
bool deliver(struct cpu *c, const struct fault *f);
/** An exception that the processor does not even begin to deliver: shutdown, for this reason. */
void deliver_shutdown(struct cpu *c, const struct fault *f, const char *why);

/** Set CPL, and what hangs on it; keeps ring_ticks. */
void cpu_set_cpl(struct cpu *c, unsigned cpl);

/* ---- system registers (control.c, msr.c, cpuid.c) ---------------------------------------------------- */

enum step cr_write(struct cpu *c, unsigned cr, uint64_t value);
enum step cr_read(struct cpu *c, unsigned cr, uint64_t *value);
enum step msr_write(struct cpu *c, uint32_t index, uint64_t value);
enum step msr_read(struct cpu *c, uint32_t index, uint64_t *value);
void cpuid(const struct cpu *c, uint32_t leaf, uint32_t sub, uint32_t out[4]);
uint64_t tsc_read(const struct cpu *c);

/* ---- features (arch/features.def) -------------------------------------------------------------------- */

enum feature {
#define FEATURE(id, ...) FEAT_##id,
#include "arch/features.def"
#undef FEATURE
    FEAT_COUNT
};
/* Where makers differ without a CPUID bit (arch/behaviours.def). */
enum behaviour {
#define BEHAVIOUR(id, ...) BEHAVE_##id,
#include "arch/behaviours.def"
#undef BEHAVIOUR
    BEHAVE_COUNT
};
enum cpu_maker {
#define MAKER(id, word) MAKER_##id,
#include "arch/cpus.def"
#undef MAKER
    MAKER_COUNT
};
struct features {
    bool on[FEAT_COUNT];
    uint8_t maxphyaddr, linear_bits;
    uint8_t maker, family, number, stepping; /* enum cpu_maker; the model's number */
    uint32_t behaves; /* 1 << enum behaviour */
    char model[32];
    char vendor[13];
    uint32_t signature; /* CPUID.1:EAX */
    char brand[49];
    const struct mmu_geometry *geometry;
};
static inline bool cpu_has(const struct cpu *c, enum feature f) { return c->features->on[f]; }
static inline bool features_do(const struct features *f, enum behaviour b) { return f->behaves >> b & 1; }
static inline bool cpu_does(const struct cpu *c, enum behaviour b) { return features_do(c->features, b); }
/** Execute-disable, unless IA32_MISC_ENABLE has switched it off. */
static inline bool cpu_nx(const struct cpu *c) { return cpu_has(c, FEAT_NX) && !(c->misc_enable & MISC_XD_OFF); }
/** Parse "MODEL[,+feat,-feat...]"; false with one line in error. */
bool features_parse(struct features *f, const char *spec, char *error, size_t error_size);

#endif
