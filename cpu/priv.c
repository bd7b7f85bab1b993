/*
 * priv.c - who may: gates, privileged instructions, ports. Pure judges first, then the wrappers that
 * ask them of a CPU and report.
 * Manual: SDM 3A "Privileged Instructions", "Protection of Exception- and Interrupt-Handler
 * Procedures", "Call Gates"; SDM 1 "I/O Privilege Level", "I/O Permission Bit Map".
 */
#include "cpu/protect.h"

/* ---- gates ------------------------------------------------------------------------------------------ */

/** gate_idt_limit_judge - the whole gate (16 bytes in IA-32e mode, else 8) within the IDT's limit. */
bool gate_idt_limit_judge(unsigned vector, uint32_t limit, bool lma)
{
    unsigned bytes = lma ? 16 : 8;
    return vector * bytes + bytes - 1 <= limit;
}

static bool gate_type_ok(const struct gate *g, bool lma)
{
    unsigned legacy = 1u << SYS_TASK | 1u << SYS_INT16 | 1u << SYS_TRAP16;
    unsigned set = 1u << SYS_INT | 1u << SYS_TRAP | (lma ? 0 : legacy);

    return g->system && (set >> g->type & 1);
}

/**
 * gate_idt_judge - a gate met in the IDT.
 *   1. not an interrupt or trap gate (task gate: outside IA-32e mode only): #GP(vector * 8 + 2 + EXT)
 *   2. INT n, INT3, INTO with gate DPL < CPL: #GP(vector * 8 + 2)
 *   3. not present: #NP(vector * 8 + 2 + EXT)
 * Manual: SDM 2A "INT n/INTO/INT3/INT1".
 */
enum rs_rule gate_idt_judge(const struct gate *g, bool lma, bool soft, unsigned cpl)
{
    if (!gate_type_ok(g, lma)) return RS_RULE_IDT_TYPE;
    if (soft && g->dpl < cpl) return RS_RULE_GATE_DPL;
    if (!g->present) return RS_RULE_GATE_P;
    return RS_RULE_NONE;
}

/**
 * gate_code_judge - the code segment that a gate names: not code, or DPL > CPL; in IA-32e mode not
 * 64-bit; not present. Manual: SDM 2A "INT n/INTO/INT3/INT1", "CALL".
 */
enum rs_rule gate_code_judge(uint16_t attr, unsigned cpl, bool lma)
{
    if (!attr_is_code(attr)) return RS_RULE_GATE_CS_TYPE;
    if (attr_dpl(attr) > cpl) return RS_RULE_GATE_CS_DPL;
    if (lma && (attr & (ATTR_L | ATTR_DB)) != ATTR_L) return RS_RULE_GATE_CS_L;
    if (!(attr & ATTR_P)) return RS_RULE_GATE_CS_P;
    return RS_RULE_NONE;
}

/** gate_jump_judge - JMP: a conforming segment of DPL <= CPL, or a non-conforming one of DPL = CPL. SDM 2A
 *  "JMP": the level comes before presence. */
enum rs_rule gate_jump_judge(uint16_t attr, unsigned cpl, bool lma)
{
    enum rs_rule broken = gate_code_judge(attr, cpl, lma);

    if (broken != RS_RULE_NONE && broken != RS_RULE_GATE_CS_P) return broken;
    if (!attr_is_conforming(attr) && attr_dpl(attr) < cpl) return RS_RULE_CALL_GATE_JMP;
    return broken;
}

/** gate_call_judge - a call gate: upper type, DPL < CPL or RPL, not present. SDM 2A "CALL". */
enum rs_rule gate_call_judge(const struct gate *g, uint16_t selector, unsigned cpl)
{
    if (!g->upper) return RS_RULE_CALL_GATE_UPPER;
    if (g->dpl < cpl || g->dpl < sel_rpl(selector)) return RS_RULE_CALL_GATE_DPL;
    if (!g->present) return RS_RULE_CALL_GATE_P;
    return RS_RULE_NONE;
}

/* ---- instructions ------------------------------------------------------------------------------------- */

bool priv_cpl0_judge(unsigned cpl) { return cpl == 0; }
bool priv_cli_judge(unsigned cpl, unsigned iopl) { return cpl <= iopl; }
bool priv_umip_judge(unsigned cpl, uint64_t cr4) { return cpl == 0 || !(cr4 & CR4_UMIP); }
bool priv_tsd_judge(unsigned cpl, uint64_t cr4) { return cpl == 0 || !(cr4 & CR4_TSD); }
bool priv_pce_judge(unsigned cpl, uint64_t cr4) { return cpl == 0 || (cr4 & CR4_PCE); }
bool priv_fsgsbase_judge(bool mode64, uint64_t cr4) { return mode64 && (cr4 & CR4_FSGSBASE); }

/* ---- ports ---------------------------------------------------------------------------------------------- */

bool priv_iopl_judge(unsigned cpl, unsigned iopl) { return cpl <= iopl; }

/**
 * priv_io_map_judge - does the I/O permission bit map of this TSS reach the port?
 * Two bytes are read for every port, so the byte after the port's own must lie within the limit too.
 * 16-bit TSSs have no map; a base at or beyond the limit means none.
 * Manual: SDM 1 "I/O Permission Bit Map".
 */
bool priv_io_map_judge(const struct segment *tss, uint16_t base, uint16_t port, uint32_t *offset)
{
    unsigned type = attr_system(tss->attr);

    *offset = (uint32_t)base + port / 8;
    if (tss->attr & ATTR_UNUSABLE) return false;
    if (type != SYS_TSS && type != SYS_TSS_BUSY) return false;
    return *offset + 1 <= tss->limit;
}

/** priv_io_bits_judge - @map the two bytes: all n bits of the access must be 0. */
bool priv_io_bits_judge(uint16_t map, uint16_t port, unsigned n)
{
    return ((unsigned)map >> (port & 7) & ((1u << n) - 1)) == 0;
}

/* ---- asking ----------------------------------------------------------------------------------------------- */

bool priv_cpl0(struct cpu *c)
{
    return check(c, RS_RULE_INSN_CPL0, priv_cpl0_judge(c->cpl), cpu_rip(c), c->cpl, 0, 0);
}

bool priv_cli(struct cpu *c)
{
    unsigned iopl = cpu_iopl(c);
    return check(c, RS_RULE_INSN_CLI_IOPL, priv_cli_judge(c->cpl, iopl), cpu_rip(c), c->cpl, iopl,
                 0);
}

bool priv_umip(struct cpu *c)
{
    return check(c, RS_RULE_INSN_UMIP, priv_umip_judge(c->cpl, c->cr4), cpu_rip(c), c->cpl, c->cr4,
                 0);
}

#define TSS_IO_BASE 102u

/* 0xffff when the TSS is too short to hold the field: no map lies there */
static bool io_map_base(struct cpu *c, uint16_t *base)
{
    const struct segment *tss = &c->seg[SEG_TR];
    uint64_t word = 0xffff;

    if (!(tss->attr & ATTR_UNUSABLE) && tss->limit >= TSS_IO_BASE + 1 &&
        !mem_read_sys(c, tss->base + TSS_IO_BASE, 2, &word))
        return false;
    *base = (uint16_t)word;
    return true;
}

/** priv_io - CPL <= IOPL, and not virtual-8086 mode: allowed. Else the TSS's map must cover the port (#GP(0)) and all bits of the
 *  access must be 0 (#GP(0)). Manual: SDM 1 "I/O Privilege Level", "I/O Permission Bit Map". */
bool priv_io(struct cpu *c, uint16_t port, unsigned n)
{
    unsigned iopl = cpu_iopl(c);
    uint64_t who = c->cpl | iopl << 8 | n << 16, map;
    uint32_t offset;
    uint16_t base;

    if (!cpu_v86(c) && priv_iopl_judge(c->cpl, iopl)) return check(c, RS_RULE_IO_IOPL, true, port, who, 0, 0);
    if (!io_map_base(c, &base)) return false;
    if (!check(c, RS_RULE_IO_IOPL, priv_io_map_judge(&c->seg[SEG_TR], base, port, &offset), port,
               who, (uint64_t)base << 16, 0))
        return false;
    if (!mem_read_sys(c, c->seg[SEG_TR].base + offset, 2, &map)) return false;
    return check(c, RS_RULE_IO_BITMAP, priv_io_bits_judge((uint16_t)map, port, n), port, who,
                 map | (uint64_t)base << 16, 0);
}
