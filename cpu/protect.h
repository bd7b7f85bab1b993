/*
 * protect.h - what the files of protection share: descriptors and gates as values, the pure judges,
 * and the wrappers that ask them and report.
 *
 * A judge sees only its arguments. One with a single rule answers bool (may it?); one with several
 * answers the first rule that refuses, in the manual's order, or RS_RULE_NONE. The executor, the log,
 * rs_explain's kin and the tests call the same judges.
 */
#ifndef CPU_PROTECT_H
#define CPU_PROTECT_H

#include "cpu/cpu.h"

/* ---- reporting (check.c) -------------------------------------------------------------------- */

/** Vector | error code << 8 | has-code << 40: how events pack a fault. */
uint64_t fault_word(const struct fault *f);
/** "GATE_DPL"; "" for RS_RULE_NONE. */
const char *rule_name(enum rs_rule rule);
/** ev_emit with the header's rule and verdict. */
uint64_t ev_emit_rule(struct cpu *c, enum rs_event_kind kind, unsigned how, enum rs_rule rule,
                      unsigned verdict, uint64_t w0, uint64_t w1, uint64_t w2, uint64_t w3);
/** Known and promised, not there: c->gap names it. Returns STEP_GAP. */
enum step gap(struct cpu *c, const char *what);

/** A judge's several rules at once: each rule of the list up to the broken one goes through check().
 *  Returns broken == RS_RULE_NONE. */
bool checks_report(struct cpu *c, const uint16_t *rules, unsigned n, enum rs_rule broken,
                   uint64_t subject, uint64_t in1, uint64_t in2, uint32_t error);
static inline bool checks(struct cpu *c, const uint16_t *rules, unsigned n, enum rs_rule broken,
                          uint64_t subject, uint64_t in1, uint64_t in2, uint32_t error)
{
    if (__builtin_expect(broken == RS_RULE_NONE && !c->observe_checks, 1)) return true;
    return checks_report(c, rules, n, broken, subject, in1, in2, error);
}
#define CHECKS(c, rules, broken, subject, in1, in2, error)                                         \
    checks((c), (rules), sizeof(rules) / sizeof((rules)[0]), (broken), (subject), (in1), (in2),    \
           (error))

/* ---- descriptors (segment.c) ------------------------------------------------------------------ */

/** A descriptor unpacked. For a system descriptor of IA-32e mode base has 64 bits and `upper` is
 *  whether bits 12:8 of its fourth dword are 0. */
struct descriptor {
    uint64_t base;
    uint32_t limit; /* bytes, granularity applied */
    uint16_t attr;  /* ATTR_* */
    bool upper;
};
/** @high the second 8 bytes of a 16-byte descriptor, 0 for a short one. Pure. */
struct descriptor desc_unpack(uint64_t low, uint64_t high);

static inline unsigned attr_dpl(uint16_t attr) { return (attr & ATTR_DPL) >> ATTR_DPL_SHIFT; }
static inline bool attr_is_code(uint16_t attr)
{
    return (attr & (ATTR_S | ATTR_CODE)) == (ATTR_S | ATTR_CODE);
}
static inline bool attr_is_conforming(uint16_t attr)
{
    return (attr & (ATTR_S | ATTR_CODE | ATTR_EC)) == (ATTR_S | ATTR_CODE | ATTR_EC);
}
static inline bool attr_is_writable(uint16_t attr)
{
    return (attr & (ATTR_S | ATTR_CODE | ATTR_RW)) == (ATTR_S | ATTR_RW);
}
/** Data, or code that may be read. */
static inline bool attr_is_readable(uint16_t attr)
{
    return (attr & ATTR_S) && (!(attr & ATTR_CODE) || (attr & ATTR_RW));
}
static inline unsigned attr_system(uint16_t attr) { return attr & ATTR_TYPE; }

static inline unsigned sel_rpl(uint16_t selector) { return selector & 3; }
static inline bool sel_is_null(uint16_t selector) { return (selector & ~3u) == 0; }
/** As an error code: index and TI, EXT 0. */
static inline uint32_t sel_error(uint16_t selector) { return selector & ~3u; }

/** A gate unpacked. */
struct gate {
    uint64_t offset;
    uint16_t selector;
    uint8_t type; /* enum systype */
    uint8_t dpl, ist, params;
    bool present;
    bool system; /* S=0 */
    bool upper;  /* bits 12:8 of the fourth dword are 0 */
};
/** @wide a 16-byte gate of IA-32e mode; else a 16-bit one's offset has 16 bits. Pure. */
struct gate gate_unpack(uint64_t low, uint64_t high, bool wide);

/* ---- segment judges (segment.c), all pure ------------------------------------------------------ */

/** Do `bytes` bytes from the selector's descriptor on lie within its table? */
bool seg_table_judge(uint16_t selector, uint32_t limit, bool usable, unsigned bytes);
/** DS, ES, FS, GS. SEG_TYPE, SEG_DPL, SEG_P. */
enum rs_rule seg_data_judge(uint16_t attr, uint16_t selector, unsigned cpl);
/** SS: SS_RPL_CPL, SS_TYPE, SS_DPL, SS_P. @cpl the new one where a transfer changes it. */
enum rs_rule seg_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl);
/** May SS be null? @mode64 the (new) mode is 64-bit. */
bool seg_stack_null_judge(uint16_t selector, unsigned cpl, bool mode64);
/** Target of a far JMP or CALL: CS_TYPE, CS_LD, CS_RPL, CS_DPL, CS_P. */
enum rs_rule seg_code_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma);
/** Target of a far RET or IRET: CS_TYPE, CS_LD, CS_RETURN_RPL, CS_RETURN_DPL, CS_P. */
enum rs_rule seg_return_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma);
/** LDT_TI, LDT_TYPE, LDT_P, SYS_BASE_CANON. */
enum rs_rule seg_ldt_judge(const struct descriptor *d, uint16_t selector, bool lma, unsigned bits);
/** TSS_NULL, TSS_TI, TSS_TYPE, TSS_P, SYS_BASE_CANON. */
enum rs_rule seg_tss_judge(const struct descriptor *d, uint16_t selector, bool lma, unsigned bits);
/** SS out of a 16- or 32-bit TSS: TSS_SS_RPL, TSS_SS_DPL, TSS_SS_TYPE, TSS_SS_P. */
enum rs_rule seg_tss_stack_judge(uint16_t attr, uint16_t selector, unsigned cpl);
/** Does an outer-level return leave this data segment register usable? */
bool seg_survives_judge(const struct segment *s, unsigned cpl);
/** LAR, LSL, VERR, VERW: ZF. */
bool seg_lar_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma);
bool seg_lsl_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool lma);
bool seg_verify_judge(uint16_t attr, uint16_t selector, unsigned cpl, bool write);

/* ---- segment work (segment.c) ------------------------------------------------------------------- */

/** A descriptor in memory. */
struct desc_ref {
    struct descriptor d;
    uint64_t linear;
    uint64_t low, high;
};
/** Is the descriptor within its table? If so where. No rule is reported. */
bool desc_find(const struct cpu *c, uint16_t selector, unsigned bytes, uint64_t *linear);
/** Read a descriptor of 8 or 16 bytes; outside its table `rule` refuses. */
bool desc_read(struct cpu *c, uint16_t selector, unsigned bytes, enum rs_rule rule,
               struct desc_ref *r);
/** Set the accessed bit (a locked write) unless it is set. */
bool desc_set_accessed(struct cpu *c, struct desc_ref *r);
/** Judge a null or real SS for (new) CPL and mode and read it; r is zero for a null one. */
bool stack_segment_check(struct cpu *c, uint16_t selector, unsigned cpl, bool mode64,
                         struct desc_ref *r);
/** Fill a segment register: no checks. */
void seg_fill(struct cpu *c, enum seg seg, uint16_t selector, const struct descriptor *d);
void seg_fill_null(struct cpu *c, enum seg seg, uint16_t selector);
/** What an outer-level return does to ES, DS, FS, GS. */
void seg_clear_outer(struct cpu *c, unsigned cpl);

/* ---- gates and instructions (priv.c), pure -------------------------------------------------------- */

/** IDT_TYPE, GATE_DPL, GATE_P. @soft INT n, INT3, INTO. */
enum rs_rule gate_idt_judge(const struct gate *g, bool lma, bool soft, unsigned cpl);
/** GATE_CS_TYPE, GATE_CS_DPL, GATE_CS_L, GATE_CS_P. */
enum rs_rule gate_code_judge(uint16_t attr, unsigned cpl, bool lma);
/** The same for JMP through a call gate, which stays at its level: CALL_GATE_JMP too. */
enum rs_rule gate_jump_judge(uint16_t attr, unsigned cpl, bool lma);
/** CALL_GATE_UPPER, CALL_GATE_DPL, CALL_GATE_P. */
enum rs_rule gate_call_judge(const struct gate *g, uint16_t selector, unsigned cpl);
bool gate_idt_limit_judge(unsigned vector, uint32_t limit, bool lma);

bool priv_cpl0_judge(unsigned cpl);
bool priv_cli_judge(unsigned cpl, unsigned iopl);
bool priv_umip_judge(unsigned cpl, uint64_t cr4);
bool priv_tsd_judge(unsigned cpl, uint64_t cr4);
bool priv_pce_judge(unsigned cpl, uint64_t cr4);
bool priv_fsgsbase_judge(bool mode64, uint64_t cr4);
/** May ports be used without asking the map? */
bool priv_iopl_judge(unsigned cpl, unsigned iopl);
/** Is there a map in this TSS, and does it cover the port? @offset of the two bytes to read. */
bool priv_io_map_judge(const struct segment *tss, uint16_t base, uint16_t port, uint32_t *offset);
bool priv_io_bits_judge(uint16_t map, uint16_t port, unsigned n);

/* ---- asking them (priv.c) ------------------------------------------------------------------------- */

bool priv_cpl0(struct cpu *c);
bool priv_cli(struct cpu *c);
bool priv_umip(struct cpu *c);
/** Everything about an access of n bytes to a port. */
bool priv_io(struct cpu *c, uint16_t port, unsigned n);

/* ---- control registers (control.c), pure ------------------------------------------------------------ */

/** What decides a write of CR0. */
struct cr0_inputs {
    uint64_t old, cr4, efer;
    uint16_t cs_attr, tr_attr;
};
enum rs_rule cr0_judge(uint64_t value, const struct cr0_inputs *in);
bool cr3_judge(uint64_t value, unsigned maxphyaddr, bool pcide);
/** @known features_cr4() */
enum rs_rule cr4_judge(uint64_t value, uint64_t old, uint64_t known, uint64_t efer, uint64_t cr3);
/** @known the bits of EFER that this processor has */
enum rs_rule efer_judge(uint64_t value, uint64_t old, uint64_t known, uint64_t cr0);
bool pdptes_judge(const uint64_t pdpte[4], unsigned maxphyaddr);
/** Read the PDPTEs that CR3 points to and judge them; a task switch asks too. */
bool pdptes_check(struct cpu *c, uint64_t cr3, uint64_t pdpte[4]);
/** Load the registers; cpu_mode_changed or cpu_control_changed must follow. */
void pdptes_load(struct cpu *c, const uint64_t pdpte[4]);
bool pat_judge(uint64_t value);
bool misc_enable_judge(uint64_t value, bool nx);

/** EFER through WRMSR: checks, side effects, event. */
enum step efer_write(struct cpu *c, uint64_t value);
enum step dr_write(struct cpu *c, unsigned dr, uint64_t value);
enum step dr_read(struct cpu *c, unsigned dr, uint64_t *value);

/* ---- transfers (transfer.c) --------------------------------------------------------------------------- */

/** A new code address judged for the mode of code segment `attr`: CANON_FETCH or LIMIT_FETCH. */
bool target_check(struct cpu *c, uint64_t rip, uint16_t attr, uint32_t limit);
/** Fill CS with this selector and RPL. */
void code_fill(struct cpu *c, uint16_t selector, unsigned rpl, const struct descriptor *d);
/** Push CS and the next RIP, `size` bytes each, on the current stack; judge that alone. */
bool push_return(struct cpu *c, unsigned size);
bool probe_return(struct cpu *c, unsigned size);
/** Commit a far transfer made by the op in progress: CPL, mode, RIP. Returns STEP_BRANCH. */
enum step arrive(struct cpu *c, unsigned cpl, uint64_t rip);
/** Set CPL and recompute the mode, in one go. */
void set_mode(struct cpu *c, unsigned cpl);
/** Do these two make a double fault? Pure. */
bool double_fault_judge(const struct fault *first, const struct fault *second);
/** Tell the ledger. begin: before the first charge of a crossing. */
void crossing_begin(struct cpu *c);
void crossing_enter(struct cpu *c, enum rs_crossing how, uint32_t number, unsigned from,
                    uint64_t start);
void crossing_leave(struct cpu *c, enum rs_crossing how, unsigned from, uint64_t start);

/* ---- gates and the stack of an inner level (gate.c) ------------------------------------------------------ */

/** Far JMP or CALL through the call gate `selector`. */
enum step transfer_gate(struct cpu *c, uint16_t selector, bool call);

/** The stack that a delivery or call pushes to: the current one, or an inner level's. */
struct new_stack {
    struct segment s;
    uint64_t sp;
    bool inner;         /* out of the TSS: lack of room is #SS(its selector) */
    struct desc_ref at; /* its descriptor, when inner */
};
/** The stack pointer for an inner level out of a 64-bit TSS: slot of RSPn or ISTn. */
bool tss_stack_64(struct cpu *c, uint32_t offset, uint64_t *rsp);
/** SS:SP of level `cpl` out of a 16- or 32-bit TSS, judged. */
bool tss_stack(struct cpu *c, unsigned cpl, struct new_stack *k);
/** Room for so many slots of `width` bytes. */
bool new_stack_room(struct cpu *c, const struct new_stack *k, unsigned slots, unsigned width);
/** Write them, slot[0] first and highest, as level `cpl`. */
bool new_stack_push(struct cpu *c, unsigned cpl, const struct new_stack *k, const uint64_t *slot,
                    unsigned slots, unsigned width);
/** SS (when inner) and SP after so many bytes have been pushed. */
void new_stack_commit(struct cpu *c, const struct new_stack *k, unsigned bytes);

#endif
