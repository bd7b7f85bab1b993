/*
 * debug.c - the debug registers: MOV DR, breakpoints and what meets them.
 *
 *   DR7  31:30 LEN3 29:28 R/W3 ... 19:18 LEN0 17:16 R/W0 | 13 GD | 9 GE 8 LE | 7 G3 6 L3 ... 1 G0 0 L0
 *   LEN  00 1 byte  01 2  11 4  10 8        R/W  00 instruction  01 write  10 port (CR4.DE)  11 read or write
 *
 * A breakpoint covers LEN bytes from its address, aligned down to LEN; an access meets it if any byte of it
 * lies there. An instruction breakpoint is a fault before the instruction, held off by RF and by MOV SS; data
 * and port breakpoints are traps after the instruction (after an iteration of a REP). DR6 tells all that were
 * met, enabled or not, once an enabled one was.
 *
 * While none is armed nothing looks. A page that holds a watched byte gets no slot in the MMU's filter, so
 * that each access to it takes the slow path of mem.c, which asks; instructions run one by one while an
 * instruction breakpoint is armed.
 * Manual: SDM 3B "Debug Registers", "Breakpoint Field Recognition", "Debug Exception (#DB)-Interrupt Vector 1";
 * SDM 2B "MOV - Move to/from Debug Registers".
 */
#include "cpu/debug.h"
#include "cpu/protect.h"

#define DR6_WRITABLE (0xfu | DR6_BD | DR6_BS | DR6_BT)
#define DR7_WRITABLE 0xffff23ffu

/* ---- pure ---------------------------------------------------------------------------------------------- */

static unsigned rw_of(uint64_t dr7, unsigned i) { return dr7 >> (16 + 4 * i) & 3; }

static unsigned length_of(uint64_t dr7, unsigned i)
{
    static const uint8_t bytes[4] = {1, 2, 8, 4};
    return bytes[dr7 >> (18 + 4 * i) & 3];
}

static bool kind_fits(unsigned rw, bool de, enum debug_kind kind)
{
    switch (kind) {
    case DEBUG_EXEC: return rw == DEBUG_EXEC;
    case DEBUG_WRITE: return rw == DEBUG_WRITE || rw == DEBUG_ACCESS;
    case DEBUG_IO: return rw == DEBUG_IO && de;
    case DEBUG_ACCESS: break;
    }
    return rw == DEBUG_ACCESS;
}

unsigned debug_match(const uint64_t dr[8], bool de, enum debug_kind kind, uint64_t at, unsigned n)
{
    unsigned met = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned length = kind == DEBUG_EXEC ? 1 : length_of(dr[7], i);
        uint64_t first = dr[i] & ~(uint64_t)(length - 1);

        /* both ranges may go round the end of the address space */
        if (kind_fits(rw_of(dr[7], i), de, kind) && (at - first < length || first - at < n)) met |= 1u << i;
    }
    return met;
}

unsigned debug_enabled(uint64_t dr7)
{
    unsigned on = 0;

    for (unsigned i = 0; i < 4; i++) on |= (dr7 >> 2 * i & 3) ? 1u << i : 0;
    return on;
}

/* ---- arming ---------------------------------------------------------------------------------------------- */

void debug_changed(struct cpu *c)
{
    unsigned on = debug_enabled(c->dr[7]), watch = 0, pages = 0;

    for (unsigned i = 0; i < 4; i++) {
        unsigned rw = rw_of(c->dr[7], i);
        if (!(on >> i & 1) || (rw == DEBUG_IO && !(c->cr4 & CR4_DE))) continue;
        watch |= rw == DEBUG_EXEC ? WATCH_CODE : rw == DEBUG_IO ? WATCH_IO : WATCH_DATA;
        if (rw == DEBUG_WRITE || rw == DEBUG_ACCESS) c->mmu.watched[pages++] = c->dr[i] & ~0xfffull;
    }
    c->watch = (uint8_t)watch;
    c->brk = true; /* a block that runs on would not see an instruction breakpoint in it */
    if (pages || c->mmu.watched_pages) mmu_drop_filter(&c->mmu);
    c->mmu.watched_pages = (uint8_t)pages;
}

/* ---- meeting --------------------------------------------------------------------------------------------- */

static unsigned met(const struct cpu *c, enum debug_kind kind, uint64_t at, unsigned n)
{
    unsigned bits = debug_match(c->dr, (c->cr4 & CR4_DE) != 0, kind, at, n);

    return bits & debug_enabled(c->dr[7]) ? bits : 0;
}

void debug_note(struct cpu *c, enum debug_kind kind, uint64_t at, unsigned n)
{
    unsigned bits = met(c, kind, at, n);

    if (bits == 0) return;
    c->debug_hit |= (uint8_t)bits;
    c->brk = true;
}

bool debug_fetch(struct cpu *c, uint64_t linear)
{
    unsigned bits = (c->flags & RF_RF) || (c->shadow & SHADOW_SS) ? 0 : met(c, DEBUG_EXEC, linear, 1);

    if (bits == 0) return false;
    fault_raise(c, VEC_DB);
    c->fault.dr6 = bits;
    return true;
}

/* ---- MOV DR ------------------------------------------------------------------------------------------------ */

static enum step undefined(struct cpu *c)
{
    (void)check(c, RS_RULE_INSN_UNDEFINED, false, cpu_rip(c), 0, 0, 0);
    return STEP_FAULT;
}

/* DR4 and DR5 are DR6 and DR7, or #UD while CR4.DE=1. */
static bool dr_alias(struct cpu *c, unsigned *dr)
{
    bool alias = *dr == 4 || *dr == 5, de = (c->cr4 & CR4_DE) != 0;

    if (alias && !check(c, RS_RULE_DR_DE, !de, cpu_rip(c), *dr, c->cr4, 0)) return false;
    if (alias) *dr += 2;
    return true;
}

/* DR7.GD guards the debug registers: #DB with DR6.BD. */
static bool dr_guard(struct cpu *c)
{
    if (check(c, RS_RULE_DR_GD, !(c->dr[7] & DR7_GD), cpu_rip(c), c->dr[7], 0, 0)) return true;
    c->fault.dr6 = DR6_BD;
    return false;
}

/** dr_write - 1. DR4, DR5 with CR4.DE=1: #UD. 2. CPL > 0: #GP(0). 3. DR7.GD=1: #DB. 4. bits 63:32 of DR6 and
 *  DR7: #GP(0). */
enum step dr_write(struct cpu *c, unsigned dr, uint64_t value)
{
    if (dr > 7) return undefined(c);
    if (!dr_alias(c, &dr) || !priv_cpl0(c) || !dr_guard(c)) return STEP_FAULT;
    if (dr >= 6 && !check(c, RS_RULE_DR_RSVD, value >> 32 == 0, cpu_rip(c), dr, value, 0))
        return STEP_FAULT;
    if (dr == 6) value = (value & DR6_WRITABLE) | DR6_FIXED;
    if (dr == 7) value = (value & DR7_WRITABLE) | DR7_FIXED;
    c->dr[dr] = value;
    if (dr != 6) debug_changed(c);
    return STEP_END;
}

enum step dr_read(struct cpu *c, unsigned dr, uint64_t *value)
{
    if (dr > 7) return undefined(c);
    if (!dr_alias(c, &dr) || !priv_cpl0(c) || !dr_guard(c)) return STEP_FAULT;
    *value = c->dr[dr];
    return STEP_NEXT;
}
