/*
 * log_text.c - a sentence for each kind of event.
 */
#include <inttypes.h>
#include <string.h>

#include "arch/bits.h"
#include "arch/ports.h"
#include "arch/rules.h"
#include "emu/disasm.h"
#include "emu/log.h"

typedef void (*sentence_fn)(struct line *l, const struct log_context *context,
                            const struct rs_event *e);

#define SENTENCE(name)                                                                             \
    static void say_##name(struct line *l, const struct log_context *context __attribute__((unused)), \
                           const struct rs_event *e)

#define X64 "0x%" PRIx64
#define D64 "%" PRIu64

static void add_vector(struct line *l, uint64_t vector)
{
    const char *name = vector < 256 ? vector_name((unsigned)vector) : NULL;

    if (name) line_add(l, "%s", name);
    else line_add(l, "vector " D64, vector);
}

static void add_fault(struct line *l, struct packed_fault f)
{
    add_vector(l, f.vector);
    if (f.has_error) line_add(l, "(0x%x)", f.error);
}

static void add_address(struct line *l, const struct log_context *context, uint64_t address)
{
    line_add(l, X64, address);
    line_symbol(l, context, address);
}

/* ---- CHECK ------------------------------------------------------------------------------------- */

static bool is_paging(const struct rs_event *e)
{
    return e->rule != RS_RULE_NONE && e->rule <= RS_RULE_PG_SMAP_IMPLICIT;
}

/* What decided a paging rule: the path's rights, then the control bits that the rule asks about. */
static void add_paging_inputs(struct line *l, const struct rs_event *e)
{
    uint64_t access = e->w[1], path = e->w[2];
    unsigned status = path >> 4 & 0xf, level = path >> 8 & 0xf;
    bool user = access >> 8 & 1;

    if (status == 0)
        line_add(l, "U/S=%u R/W=%u XD=%u", (unsigned)(path & 1), (unsigned)(path >> 1 & 1),
                 (unsigned)(path >> 2 & 1));
    else line_add(l, "%s", status == 1 ? "P=0" : "reserved bit set");
    if (level) line_add(l, " at level %u (%s)", level, name_table(level));
    if (e->rule == RS_RULE_PG_WR_SUP) line_add(l, ", CR0.WP=%u", (unsigned)(access >> 11 & 1));
    if (e->rule == RS_RULE_PG_SMEP) line_add(l, ", CR4.SMEP=%u", (unsigned)(access >> 12 & 1));
    if (e->rule == RS_RULE_PG_SMAP || e->rule == RS_RULE_PG_SMAP_IMPLICIT)
        line_add(l, ", CR4.SMAP=%u", (unsigned)(access >> 13 & 1));
    if (e->rule == RS_RULE_PG_SMAP) line_add(l, ", RFLAGS.AC=%u", (unsigned)(access >> 10 & 1));
    if (e->rule == RS_RULE_PG_NX) line_add(l, ", EFER.NXE=%u", (unsigned)(access >> 14 & 1));
    line_add(l, ", %s-mode", user ? "user" : "supervisor");
    if (access >> 9 & 1) line_add(l, " (implicit)");
    line_add(l, ", CPL %u", e->cpl);
}

/* One input under its name of rule_facts.def: "table's limit 0x7f". The line itself shows the CPL. */
static bool add_named(struct line *l, bool comma, const char *name, uint64_t value)
{
    static const char *const decimal[] = {"CPL", "IOPL", "bytes", "width", "number", "type"};

    if (!*name || strcmp(name, "CPL") == 0) return false;
    if (strncmp(name, "the ", 4) == 0) name += 4;
    line_add(l, comma ? ", %s " : "%s ", name);
    for (size_t i = 0; i < sizeof decimal / sizeof *decimal; i++) {
        if (!strstr(name, decimal[i])) continue;
        line_add(l, D64, value);
        return true;
    }
    line_add(l, X64, value);
    return true;
}

static void add_named_inputs(struct line *l, const struct rs_event *e)
{
    struct rs_rule_detail d = {.in1 = "", .in2 = ""};

    (void)rs_rule_detail(e->rule, &d);
    bool first = add_named(l, false, d.in1, e->w[1]);
    bool second = add_named(l, first, d.in2, e->w[2]);

    if (!first && !second) line_add(l, "here");
}

/* How the areas pack in1 and in2: arch/rule_facts.def. */
static void add_inputs(struct line *l, const struct rs_event *e, unsigned subject)
{
    uint64_t a = e->w[1], b = e->w[2];

    if (e->rule == RS_RULE_NULL_DATA || e->rule == RS_RULE_NULL_STACK) {
        line_add(l, "%s", name_segment((unsigned)a));
    } else if (subject == RULE_SUB_CR) {
        line_add(l, "new " X64 ", old " X64, a, b);
    } else if (subject == RULE_SUB_PORT) {
        line_add(l, "%u byte%s, IOPL %u, map base " X64 " bits " X64, (unsigned)(a >> 16 & 0xff),
                 (a >> 16 & 0xff) == 1 ? "" : "s", (unsigned)(a >> 8 & 0xff), b >> 16, b & 0xffff);
    } else if (subject == RULE_SUB_VECTOR && e->rule != RS_RULE_IDT_LIMIT) {
        line_add(l, "type %u, DPL %u, P=%u", (unsigned)(a & 0xff), (unsigned)(a >> 8 & 0xff),
                 (unsigned)(a >> 16 & 1));
    } else {
        add_named_inputs(l, e);
    }
    line_add(l, ", CPL %u", e->cpl);
}

/* "read 0x1000", "selector 0x33", "port 0x21" ... */
static void add_subject(struct line *l, const struct log_context *context, const struct rs_event *e,
                        unsigned subject)
{
    uint64_t w = e->w[0];
    const char *msr;

    switch ((enum rule_subject)subject) {
    case RULE_SUB_LINEAR:
        line_add(l, "%s ", is_paging(e) ? name_access((unsigned)(e->w[1] & 0xff)) : "address");
        add_address(l, context, w);
        break;
    case RULE_SUB_SELECTOR: line_add(l, "selector " X64, w); break;
    case RULE_SUB_PORT: line_add(l, "port " X64, w); break;
    case RULE_SUB_CR: line_add(l, "CR" D64, w); break;
    case RULE_SUB_MSR:
        msr = name_msr((uint32_t)w);
        line_add(l, "MSR " X64 "%s%s", w, msr ? " " : "", msr ? msr : "");
        break;
    case RULE_SUB_VECTOR: line_add(l, "vector " D64, w); break;
    case RULE_SUB_INSN: line_add(l, "instruction"); break;
    case RULE_SUB_NOTHING:
    default: line_add(l, "state"); break;
    }
}

SENTENCE(check)
{
    struct rs_rule_info rule;

    if (!rs_rule_info(e->rule, &rule)) {
        line_add(l, "rule %u", e->rule);
        return;
    }
    unsigned subject = rule_rows[e->rule].subject;
    line_add(l, "%s %s   ", e->verdict ? "refused" : "passed", rule.name);
    if (e->verdict) {
        add_fault(l, unpack_fault(e->w[3]));
        line_add(l, " ");
    }
    add_subject(l, context, e, subject);
    line_add(l, ": ");
    if (e->verdict) line_add(l, "%s; ", rule.statement);
    if (is_paging(e)) add_paging_inputs(l, e);
    else add_inputs(l, e, subject);
    line_add(l, "   [%s]", rule.manual);
}

/* ---- crossings --------------------------------------------------------------------------------------- */

static void add_crossing(struct line *l, unsigned how, uint64_t number, bool inward)
{
    switch (how) {
    case RS_X_EXCEPTION:
        if (vector_name((unsigned)number)) line_add(l, "%s ", vector_name((unsigned)number));
        line_add(l, "vector " D64, number);
        break;
    case RS_X_INT: line_add(l, "INT " X64, number); break;
    case RS_X_IRQ: line_add(l, "IRQ vector " D64, number); break;
    case RS_X_NMI: line_add(l, "NMI"); break;
    case RS_X_SYSCALL: line_add(l, "SYSCALL " D64, number); break;
    case RS_X_SYSENTER: line_add(l, "SYSENTER " D64, number); break;
    case RS_X_SYSRET: line_add(l, "SYSRET"); break;
    case RS_X_SYSEXIT: line_add(l, "SYSEXIT"); break;
    case RS_X_IRET: line_add(l, "IRET"); break;
    case RS_X_CALL_GATE: line_add(l, "CALL gate " X64, number); break;
    case RS_X_FAR_RET: line_add(l, "far RET"); break;
    case RS_X_TASK: line_add(l, "task switch " X64, number); break;
    default: line_add(l, inward ? "entry" : "return"); break;
    }
}

static void add_part(struct line *l, const char *name, uint64_t ticks, const char **comma)
{
    if (!ticks) return;
    line_add(l, "%s%s ", *comma, name);
    line_cycles(l, ticks);
    *comma = ", ";
}

SENTENCE(cross)
{
    struct packed_levels p = unpack_levels(e->w[2]);
    uint64_t rest = e->w[3] - p.walk - p.refill;
    const char *comma = " (";

    char stack[8];

    add_crossing(l, e->how, e->w[0], p.inward);
    if (p.idt) line_add(l, " via IDT[" D64 "] %s gate", e->w[0], p.trap_gate ? "trap" : "interrupt");
    line_add(l, " → ");
    add_address(l, context, e->w[1]);
    if (p.idt) line_add(l, ", stack %s", name_stack(&p, stack));
    line_add(l, ", cost ");
    line_cycles(l, e->w[3]);
    if (!e->w[3]) return;
    add_part(l, "transition", rest, &comma);
    add_part(l, "walk", p.walk, &comma);
    add_part(l, "refill", p.refill, &comma);
    line_add(l, ")");
}

SENTENCE(bill_item)
{
    line_add(l, "of #" D64 ": %s ", e->w[0], rs_category_name((unsigned)e->w[1]));
    line_cycles(l, e->w[3]);
    if (e->w[2])
        line_add(l, " (" D64 " %s)", e->w[2],
                 e->w[1] == RS_CAT_WALK ? "TLB misses" : e->w[1] <= RS_CAT_KERNEL ? "instructions" : "times");
}

SENTENCE(cross_end)
{
    line_add(l, "from %s #" D64 " → ", rs_crossing_name(e->how), e->w[0]);
    add_address(l, context, e->w[1]);
    line_add(l, ": " D64 " instructions, ", e->w[2]);
    line_cycles(l, e->w[3]);
    line_add(l, " cycles since entry");
}

/* ---- exceptions and interrupts ----------------------------------------------------------------------- */

static void add_page_fault(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    uint64_t code = e->w[1];

    line_add(l, " %s %s at ", code & PFEC_U ? "user" : "supervisor",
             code & PFEC_I ? "fetch" : code & PFEC_W ? "write" : "read");
    add_address(l, context, e->w[2]);
    line_add(l, ", %s", code & PFEC_RSVD ? "reserved bit set" : code & PFEC_P ? "page present" : "page not present");
}

/* What a #DB tells in DR6. */
static void add_debug(struct line *l, uint64_t dr6)
{
    static const struct {
        unsigned bit;
        const char *name;
    } bits[] = {{0, "B0"}, {1, "B1"}, {2, "B2"}, {3, "B3"}, {13, "BD"}, {14, "BS"}, {15, "BT"}};

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (dr6 >> bits[i].bit & 1) line_add(l, " %s", bits[i].name);
}

SENTENCE(fault)
{
    bool software = strcmp(name_fault_class(e->how), "software") == 0;

    add_fault(l, (struct packed_fault){(unsigned)e->w[0], (uint32_t)e->w[1], e->verdict != 0});
    line_add(l, " %s", name_fault_class(e->how));
    if (e->w[0] == VEC_PF && !software) add_page_fault(l, context, e);
    if (e->w[0] == VEC_DB && !software) add_debug(l, e->w[2]);
    if (e->rule != RS_RULE_NONE && e->rule < RS_RULE_COUNT) {
        struct rs_rule_info rule;
        if (rs_rule_info(e->rule, &rule)) line_add(l, " by %s", rule.name);
    }
}

SENTENCE(irq) { line_add(l, "vector " D64 " accepted, line " D64, e->w[0], e->w[1]); }

SENTENCE(line)
{
    if (e->w[0] == 16) line_add(l, "INTR %s", e->w[1] ? "raised" : "lowered");
    else line_add(l, D64 " %s", e->w[0], e->w[1] ? "raised" : "lowered");
}

SENTENCE(halt) { line_add(l, "HLT with IF=" D64, e->w[0]); }
SENTENCE(wake) { line_add(l, "by vector " D64 " after " D64 " idle cycles", e->w[0], e->w[1]); }

SENTENCE(shutdown)
{
    line_add(l, "triple fault");
    for (unsigned i = 0; i < e->how && i < 4; i++) {
        line_add(l, i == 0 ? ": " : ", then ");
        add_fault(l, unpack_fault(e->w[i]));
    }
}

SENTENCE(gap) { line_add(l, "the emulator lacks what the configuration promises (" X64 ")", e->w[0]); }
SENTENCE(reset) { line_add(l, "the machine is reset%s", e->how ? " by the guest" : ""); }

/* ---- translation ------------------------------------------------------------------------------------ */

SENTENCE(walk)
{
    line_add(l, "%s ", name_access(e->how));
    add_address(l, context, e->w[0]);
    if (e->w[3] == 0) line_add(l, " → " X64, e->w[1]);
    else line_add(l, ": %s", e->w[3] == 1 ? "not present" : "reserved bit set");
    line_add(l, ", " D64 " entr%s read", e->w[2], e->w[2] == 1 ? "y" : "ies");
}

/* "P R/W U/S A D PS G XD": those that are set. */
static void add_entry(struct line *l, uint64_t entry)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } bits[] = {{PTE_P, "P"}, {PTE_W, "R/W"}, {PTE_U, "U/S"}, {PTE_A, "A"},
                {PTE_D, "D"}, {PTE_PS, "PS"}, {PTE_G, "G"},   {PTE_XD, "XD"}};

    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (entry & bits[i].bit) line_add(l, " %s", bits[i].name);
}

SENTENCE(walk_step)
{
    line_add(l, "of #" D64 ": level " D64 " (%s) entry " X64 " at " X64 ":", e->w[0], e->w[3],
             name_table((unsigned)e->w[3]), e->w[2], e->w[1]);
    add_entry(l, e->w[2]);
}

SENTENCE(ad_set)
{
    line_add(l, "level " D64 " (%s) entry " X64 " at " X64 ":", e->w[2], name_table((unsigned)e->w[2]),
             e->w[1], e->w[0]);
    add_entry(l, e->w[1]);
}

/* The bits of enum tlb_right. */
static void add_rights(struct line *l, uint64_t rights)
{
    line_add(l, "%s %s%s%s%s", rights & 1 ? "user" : "supervisor", rights & 2 ? "writable" : "read-only",
             rights & 4 ? " no-execute" : "", rights & 8 ? " global" : "", rights & 16 ? " dirty" : "");
}

static const char *page_size(uint64_t shift)
{
    return shift == 12 ? "4K" : shift == 21 ? "2M" : shift == 22 ? "4M" : shift == 30 ? "1G" : "?";
}

SENTENCE(tlb_fill)
{
    add_address(l, context, e->w[0]);
    line_add(l, " → " X64 " %s ", e->w[1], page_size(e->w[2]));
    add_rights(l, e->w[3]);
}

SENTENCE(tlb_flush)
{
    line_add(l, "by %s", name_flush(e->how));
    if (e->w[0]) line_add(l, " of " X64, e->w[0]);
    line_add(l, ", PCID " D64, e->w[1]);
}

SENTENCE(tlb_stale)
{
    add_address(l, context, e->w[0]);
    line_add(l, " judged from the TLB: ");
    add_rights(l, e->w[1]);
}

/* ---- system calls and registers ------------------------------------------------------------------------ */

SENTENCE(syscall)
{
    line_add(l, "%s number " D64 ", arguments " X64 " " X64 " " X64, rs_crossing_name(e->how), e->w[0], e->w[1],
             e->w[2], e->w[3]);
}

SENTENCE(sysret) { line_add(l, "from call " D64 ", result " X64, e->w[0], e->w[1]); }

SENTENCE(cr)
{
    uint64_t changed = e->w[1] ^ e->w[2];

    line_add(l, "CR" D64 ": " X64 " → " X64, e->w[0], e->w[1], e->w[2]);
    for (unsigned bit = 0; bit < 32; bit++) {
        const char *name = changed >> bit & 1 ? name_cr_bit((unsigned)e->w[0], bit) : NULL;
        if (name) line_add(l, " %c%s", e->w[2] >> bit & 1 ? '+' : '-', name);
    }
}

SENTENCE(msr)
{
    const char *name = name_msr((uint32_t)e->w[0]);

    line_add(l, "%s " X64 "%s%s = " X64, e->w[2] ? "write" : "read", e->w[0], name ? " " : "", name ? name : "",
             e->w[1]);
}

SENTENCE(seg)
{
    line_add(l, "%s = " X64 ", base " X64 ", attributes " X64, name_segment((unsigned)e->w[0]), e->w[1],
             e->w[2], e->w[3]);
    line_add(l, " (DPL %u)", (unsigned)(e->w[3] & ATTR_DPL) >> ATTR_DPL_SHIFT);
}

/* ---- data ----------------------------------------------------------------------------------------------- */

static void add_data(struct line *l, const char *what, const struct rs_event *e)
{
    line_add(l, "%s %s" X64 " = " X64 " (" D64 " byte%s)", e->w[3] ? "write" : "read", what, e->w[0],
             e->w[1], e->w[2], e->w[2] == 1 ? "" : "s");
}

SENTENCE(io) { add_data(l, "port ", e); }
SENTENCE(mmio) { add_data(l, "", e); }
SENTENCE(mem) { add_data(l, "", e); }

static enum disasm_mode mode_of(unsigned how) { return how == 64 ? DISASM_64 : how == 32 ? DISASM_32 : DISASM_16; }

/* The instruction as a reader knows it, then its bytes. */
SENTENCE(insn)
{
    unsigned length = e->w[2] > 15 ? 15 : (unsigned)e->w[2];
    uint8_t bytes[16];
    char text[96];

    memcpy(bytes, e->w, sizeof bytes);
    if (disasm(mode_of(e->how), e->rip, bytes, length, false, text, sizeof text)) line_add(l, "%s; ", text);
    line_add(l, "bytes");
    for (unsigned i = 0; i < length; i++) line_add(l, " %02x", bytes[i]);
}

SENTENCE(device)
{
    line_add(l, "%s: %s, value " X64, name_device((unsigned)e->w[0]), name_request((unsigned)e->w[1]), e->w[2]);
}

/* ---- the line -------------------------------------------------------------------------------------------- */

static const sentence_fn sentences[RS_EV_COUNT] = {
    [RS_EV_CHECK] = say_check,         [RS_EV_CROSS] = say_cross,
    [RS_EV_BILL_ITEM] = say_bill_item, [RS_EV_CROSS_END] = say_cross_end,
    [RS_EV_FAULT] = say_fault,         [RS_EV_IRQ] = say_irq,
    [RS_EV_LINE] = say_line,           [RS_EV_HALT] = say_halt,
    [RS_EV_WAKE] = say_wake,           [RS_EV_WALK] = say_walk,
    [RS_EV_WALK_STEP] = say_walk_step, [RS_EV_AD_SET] = say_ad_set,
    [RS_EV_TLB_FILL] = say_tlb_fill,   [RS_EV_TLB_FLUSH] = say_tlb_flush,
    [RS_EV_TLB_STALE] = say_tlb_stale, [RS_EV_SYSCALL] = say_syscall,
    [RS_EV_SYSRET] = say_sysret,       [RS_EV_CR] = say_cr,
    [RS_EV_MSR] = say_msr,             [RS_EV_IO] = say_io,
    [RS_EV_MMIO] = say_mmio,           [RS_EV_MEM] = say_mem,
    [RS_EV_INSN] = say_insn,           [RS_EV_DEVICE] = say_device,
    [RS_EV_SEG] = say_seg,             [RS_EV_SHUTDOWN] = say_shutdown,
    [RS_EV_GAP] = say_gap,             [RS_EV_RESET] = say_reset};

/* Crossings show both rings and where they go; everything else shows where it happens. */
static void add_place(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    if (e->kind == RS_EV_CROSS) {
        struct packed_levels p = unpack_levels(e->w[2]);
        line_add(l, "ring%u→ring%u", p.from, p.to);
        return;
    }
    line_add(l, "ring%u ", e->cpl);
    add_address(l, context, e->rip);
}

void log_text(struct line *l, const struct log_context *context, const struct rs_event *e)
{
    struct rs_event_info info;

    if (!rs_event_info(e->kind, &info)) return;
    line_add(l, "cycle " D64 " cpu%u ", e->tick / TICKS_PER_CYCLE, e->cpu);
    add_place(l, context, e);
    line_add(l, "  %s ", info.name);
    if (sentences[e->kind]) sentences[e->kind](l, context, e);
}
