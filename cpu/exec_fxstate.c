/*
 * exec_fxstate.c - FXSAVE, FXRSTOR, LDMXCSR, STMXCSR, and those x87 control instructions that only
 * read or set state: FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, FWAIT, EMMS.
 *
 *   The 512-byte area, by byte:
 *     0 FCW | 2 FSW | 4 FTW (one bit per register, 1 = in use) | 5 - | 6 FOP
 *     8 FIP (32-bit form: offset, FCS 0) | 16 FDP (the same) | 24 MXCSR | 28 MXCSR_MASK
 *    32 ST0..ST7, 16 bytes each, 10 used | 160 XMM0..XMM7 | 288 XMM8..XMM15 (64-bit mode)
 *   416 reserved | 464..511 the software's: never touched
 *
 * c->x87.st[] is relative to TOP, as in the area. FCS and FDS are saved as 0, as processors do that
 * report CPUID.(7,0):EBX[13].
 * Manual: SDM 2A "FXSAVE", "FXRSTOR", "FINIT/FNINIT", "FLDCW", "LDMXCSR", "EMMS"; SDM 1 "FXSAVE Area".
 */
#include <string.h>

#include "cpu/exec_parts.h"

#define MXCSR_DEFINED 0xffffu /* MXCSR_MASK: all of bits 15:0, DAZ included */
#define FCW_DEFINED 0x1f3fu
#define FCW_FIXED 0x40u /* bit 6 reads as 1 */
#define FSW_PENDING 0x8080u /* B and ES: an unmasked exception waits */
#define FOP_DEFINED 0x7ffu

#define AREA_ST 32
#define AREA_XMM 160
#define AREA_END_32 288 /* what is written and read without XMM8..XMM15 */
#define AREA_END_64 416
#define AREA_SIZE 512

static void put16(uint8_t *p, uint16_t v) { memcpy(p, &v, 2); }
static void put32(uint8_t *p, uint32_t v) { memcpy(p, &v, 4); }
static void put64(uint8_t *p, uint64_t v) { memcpy(p, &v, 8); }
static uint16_t get16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, 2);
    return v;
}
static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}
static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

static unsigned area_end(const struct cpu *c) { return cpu_64(c) ? AREA_END_64 : AREA_END_32; }

/** ES and B follow from the exceptions and their masks. */
static void fsw_summarise(struct cpu *c)
{
    bool pending = c->x87.sw & ~c->x87.cw & 0x3f;

    c->x87.sw = (uint16_t)((c->x87.sw & ~FSW_PENDING) | (pending ? FSW_PENDING : 0));
}

/* ---- FXSAVE, FXRSTOR ------------------------------------------------------------------------------ */

static void area_fill(const struct cpu *c, uint8_t *area, bool wide)
{
    memset(area, 0, AREA_END_64);
    put16(area, c->x87.cw);
    put16(area + 2, c->x87.sw);
    area[4] = c->x87.tag;
    put16(area + 6, c->x87.fop);
    put64(area + 8, wide ? c->x87.fip : (uint32_t)c->x87.fip);
    put64(area + 16, wide ? c->x87.fdp : (uint32_t)c->x87.fdp);
    put32(area + 24, c->mxcsr);
    put32(area + 28, MXCSR_DEFINED);
    for (unsigned i = 0; i < 8; i++) memcpy(area + AREA_ST + 16 * i, c->x87.st[i], 10);
    memcpy(area + AREA_XMM, c->xmm, area_end(c) - AREA_XMM);
}

static void area_take(struct cpu *c, const uint8_t *area, bool wide)
{
    c->x87.cw = (uint16_t)((get16(area) & FCW_DEFINED) | FCW_FIXED);
    c->x87.sw = get16(area + 2);
    c->x87.tag = area[4];
    c->x87.fop = get16(area + 6) & FOP_DEFINED;
    c->x87.fip = wide ? get64(area + 8) : get32(area + 8);
    c->x87.fdp = wide ? get64(area + 16) : get32(area + 16);
    c->mxcsr = get32(area + 24);
    for (unsigned i = 0; i < 8; i++) memcpy(c->x87.st[i], area + AREA_ST + 16 * i, 10);
    memcpy(c->xmm, area + AREA_XMM, area_end(c) - AREA_XMM);
    fsw_summarise(c);
}

/** All 512 bytes are judged, whatever part is used. Misaligned is #GP before any page is asked. */
static bool area_judge(struct cpu *c, const struct op *o, uint64_t eff, bool write)
{
    uint8_t byte;

    if (linear_of(c, o->seg, eff) & 15)
        return write ? mem_write_bytes(c, o->seg, eff, &(uint8_t){0}, 1, 16)
                     : mem_read_bytes(c, o->seg, eff, &byte, 1, 16);
    return write ? mem_probe_write(c, o->seg, eff, AREA_SIZE)
                 : mem_probe_read(c, o->seg, eff, AREA_SIZE);
}

static enum step do_fxsave(struct cpu *c, const struct op *o, bool wide)
{
    uint64_t eff = ea(c, o);
    uint8_t area[AREA_END_64];

    if (!area_judge(c, o, eff, true)) return STEP_FAULT;
    area_fill(c, area, wide);
    if (!mem_write_bytes(c, o->seg, eff, area, area_end(c), 16)) return STEP_FAULT;
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_FXSAVE);
    return STEP_NEXT;
}

static bool mxcsr_check(struct cpu *c, uint32_t value)
{
    return check(c, RS_RULE_SSE_MXCSR, (value & ~MXCSR_DEFINED) == 0, 0, value, MXCSR_DEFINED, 0);
}

static enum step do_fxrstor(struct cpu *c, const struct op *o, bool wide)
{
    uint64_t eff = ea(c, o);
    uint8_t area[AREA_END_64];

    if (!area_judge(c, o, eff, false)) return STEP_FAULT;
    if (!mem_read_bytes(c, o->seg, eff, area, area_end(c), 16)) return STEP_FAULT;
    if (!mxcsr_check(c, get32(area + 24))) return STEP_FAULT;
    area_take(c, area, wide);
    cpu_charge_event(c, RS_CAT_MICROCODE, COST_FXSAVE);
    return STEP_NEXT;
}

OP(fxsave) { return do_fxsave(c, o, false); }
OP(fxsave64) { return do_fxsave(c, o, true); }
OP(fxrstor) { return do_fxrstor(c, o, false); }
OP(fxrstor64) { return do_fxrstor(c, o, true); }

/* ---- MXCSR ------------------------------------------------------------------------------------------ */

OP(ldmxcsr)
{
    uint64_t value;

    if (!mem_read(c, o->seg, ea(c, o), 4, &value)) return STEP_FAULT;
    if (!mxcsr_check(c, (uint32_t)value)) return STEP_FAULT;
    c->mxcsr = (uint32_t)value;
    return STEP_NEXT;
}

OP(stmxcsr)
{
    return mem_write(c, o->seg, ea(c, o), 4, c->mxcsr) ? STEP_NEXT : STEP_FAULT;
}

/* ---- x87 control ------------------------------------------------------------------------------------ */

/** A waiting instruction meets an unmasked exception: #MF. (With CR0.NE = 0 the processor would ask
 *  for IRQ 13 instead; we have no such wire.) */
static bool fp_waits(struct cpu *c)
{
    if (!(c->x87.sw & FSW_PENDING) || !(c->cr0 & CR0_NE)) return true;
    fault_raise(c, VEC_MF);
    return false;
}

/* The registers keep their places: with TOP back at 0, what was ST(i) is now ST(i + TOP). */
OP(fninit)
{
    unsigned top = c->x87.sw >> 11 & 7;
    uint8_t st[8][10];

    for (unsigned i = 0; i < 8; i++) memcpy(st[(i + top) & 7], c->x87.st[i], 10);
    memset(&c->x87, 0, sizeof(c->x87));
    memcpy(c->x87.st, st, sizeof(st));
    c->x87.cw = 0x37f;
    return STEP_NEXT;
}

OP(fnclex)
{
    c->x87.sw &= 0x7f00;
    return STEP_NEXT;
}

OP(fldcw)
{
    uint64_t value;

    if (!fp_waits(c)) return STEP_FAULT;
    if (!mem_read(c, o->seg, ea(c, o), 2, &value)) return STEP_FAULT;
    c->x87.cw = (uint16_t)((value & FCW_DEFINED) | FCW_FIXED);
    fsw_summarise(c);
    return STEP_NEXT;
}

OP(fnstcw)
{
    return mem_write(c, o->seg, ea(c, o), 2, c->x87.cw) ? STEP_NEXT : STEP_FAULT;
}

OP(fnstsw)
{
    if (o->flags & OPF_MEM)
        return mem_write(c, o->seg, ea(c, o), 2, c->x87.sw) ? STEP_NEXT : STEP_FAULT;
    reg_put(c, R_RAX, 2, c->x87.sw);
    return STEP_NEXT;
}

/* #NM needs both MP and TS, so the row has no class and the check stands here. */
OP(fwait)
{
    bool ready = (c->cr0 & (CR0_MP | CR0_TS)) != (CR0_MP | CR0_TS);

    if (!check(c, RS_RULE_INSN_TS, ready, 0, c->cr0, 0, 0)) return STEP_FAULT;
    return fp_waits(c) ? STEP_NEXT : STEP_FAULT;
}

/* All registers empty. */
OP(emms)
{
    if (!fp_waits(c)) return STEP_FAULT;
    c->x87.tag = 0;
    return STEP_NEXT;
}
