/*
 * exec_segment.c - segment registers and far control flow: MOV PUSH POP LDS..LSS, LAR LSL VERR VERW
 * ARPL, LLDT LTR SLDT STR, LGDT LIDT SGDT SIDT, far JMP CALL RET, IRET.
 *
 * Selector operands in memory are two bytes whatever the operand size.
 * Manual: SDM 2, per instruction; SDM 3A "Pointer Validation".
 */
#include "cpu/exec_parts.h"
#include "cpu/protect.h"

/* ---- operands -------------------------------------------------------------------------------------------- */

static bool selector_get(struct cpu *c, const struct op *o, uint16_t *selector)
{
    uint64_t value = c->gpr[o->rm];

    if ((o->flags & OPF_MEM) && !mem_read(c, (enum seg)o->seg, ea(c, o), 2, &value)) return false;
    *selector = (uint16_t)value;
    return true;
}

/* Two bytes to memory; a register takes the whole operand size. */
static enum step word_put(struct cpu *c, const struct op *o, uint64_t value)
{
    if (!(o->flags & OPF_MEM)) {
        reg_put(c, o->rm, o->width, value);
        return STEP_NEXT;
    }
    return mem_write(c, (enum seg)o->seg, ea(c, o), 2, value & 0xffff) ? STEP_NEXT : STEP_FAULT;
}

/* m16:16, m16:32, m16:64: offset, then selector. */
static bool far_pointer_get(struct cpu *c, const struct op *o, uint64_t *offset, uint16_t *selector)
{
    uint64_t at = ea(c, o), sel;

    if (!mem_read(c, (enum seg)o->seg, at, o->width, offset)) return false;
    if (!mem_read(c, (enum seg)o->seg, (at + o->width) & addr_mask(o), 2, &sel)) return false;
    *selector = (uint16_t)sel;
    return true;
}

/* ---- MOV, PUSH, POP ---------------------------------------------------------------------------------------- */

/* Interrupts, NMI and #DB wait until the stack pointer can follow. SDM 3A "Masking Exceptions and Interrupts
 * When Switching Stacks". */
static enum step loaded(struct cpu *c, enum seg seg, enum step s)
{
    if (s == STEP_FAULT) return s;
    if (seg == SEG_SS) c->shadow |= SHADOW_SS;
    return STEP_END;
}

OP(mov_to_sreg)
{
    uint16_t selector;

    if (!selector_get(c, o, &selector)) return STEP_FAULT;
    return loaded(c, (enum seg)o->reg, seg_load(c, (enum seg)o->reg, selector));
}

OP(mov_from_sreg)
{
    return word_put(c, o, c->seg[o->reg].sel);
}

/** PUSH Sreg - a 32-bit push writes 16 bits and leaves the upper two bytes alone, as Intel's processors
 *  do; a 64-bit one zero-extends. SDM 2B "PUSH". */
OP(push_sreg)
{
    uint64_t sp = stack_pointer(c) - o->width;

    if (o->width != 4 || cpu_does(c, BEHAVE_PUSH_SREG_WIDE))
        return stack_push(c, o->width, c->seg[o->reg].sel) ? STEP_NEXT : STEP_FAULT;
    sp = c->seg[SEG_SS].attr & ATTR_DB ? (uint32_t)sp : (uint16_t)sp;
    if (!mem_write(c, SEG_SS, sp, 2, c->seg[o->reg].sel)) return STEP_FAULT;
    stack_pointer_put(c, sp);
    return STEP_NEXT;
}

/** POP Sreg - Intel's processors read two bytes of the slot whatever its size (measured: neither #AC nor
 *  #PF comes of the others). The stack pointer moves, by the old SS, only if the load succeeds. */
OP(pop_sreg)
{
    uint64_t rsp = c->gpr[R_RSP], value;
    enum step s;

    if (!stack_peek(c, 0, 2, &value)) return STEP_FAULT;
    stack_pointer_put(c, stack_pointer(c) + o->width);
    s = seg_load(c, (enum seg)o->reg, (uint16_t)value);
    if (s == STEP_FAULT) c->gpr[R_RSP] = rsp;
    return loaded(c, (enum seg)o->reg, s);
}

/* ---- LDS, LES, LFS, LGS, LSS: reg = the general register ------------------------------------------------------ */

static enum step load_far(struct cpu *c, const struct op *o, enum seg seg)
{
    uint64_t offset;
    uint16_t selector;

    if (!far_pointer_get(c, o, &offset, &selector)) return STEP_FAULT;
    if (seg_load(c, seg, selector) == STEP_FAULT) return STEP_FAULT;
    reg_put(c, o->reg, o->width, offset);
    return STEP_END;
}

OP(lds)
{
    return load_far(c, o, SEG_DS);
}
OP(les)
{
    return load_far(c, o, SEG_ES);
}
OP(lfs)
{
    return load_far(c, o, SEG_FS);
}
OP(lgs)
{
    return load_far(c, o, SEG_GS);
}
OP(lss)
{
    return load_far(c, o, SEG_SS);
}

/* ---- LAR, LSL, VERR, VERW, ARPL --------------------------------------------------------------------------------- */

static void put_zf(struct cpu *c, bool zf)
{
    uint32_t flags = fl_get(c);
    fl_put(c, zf ? flags | RF_ZF : flags & ~RF_ZF);
}

/* A bad selector is an answer, not a fault; only memory can fault. */
static bool peek_descriptor(struct cpu *c, const struct op *o, uint16_t *selector,
                            struct desc_ref *r, bool *found)
{
    if (!selector_get(c, o, selector)) return false;
    *found = !sel_is_null(*selector) && desc_find(c, *selector, 8, &r->linear);
    if (!*found) return true;
    r->high = 0;
    if (!mem_read_sys(c, r->linear, 8, &r->low)) return false;
    r->d = desc_unpack(r->low, 0);
    return true;
}

/* AMD: call gates in long mode, LDTs and TSSs in 64-bit mode are 16 bytes, and the upper type field counts.
 * The SDM says nothing of it. APM 3 "LAR", "LSL". */
static bool peek_upper(struct cpu *c, uint16_t selector, struct desc_ref *r, bool *ok)
{
    uint16_t attr = r->d.attr;
    bool wide = !(attr & ATTR_S) && (attr_system(attr) == SYS_CALL ? cpu_long(c) : cpu_64(c));

    if (!*ok || !wide || !cpu_does(c, BEHAVE_LAR_UPPER)) return true;
    *ok = desc_find(c, selector, 16, &r->linear);
    if (!*ok) return true;
    if (!mem_read_sys(c, r->linear + 8, 8, &r->high)) return false;
    *ok = desc_unpack(r->low, r->high).upper;
    return true;
}

static enum step unprotected(struct cpu *c)
{
    (void)check(c, RS_RULE_INSN_UNDEFINED, false, 0, 0, 0, 0);
    return STEP_FAULT;
}

#define LAR_MASK 0x00f0ff00u

/** LAR - access rights (bits 19:16, undefined, read as 0) and ZF=1, or ZF=0. SDM 2A "LAR". */
OP(lar)
{
    struct desc_ref r;
    uint16_t selector;
    bool ok;

    if (!cpu_protected(c)) return unprotected(c);
    if (!peek_descriptor(c, o, &selector, &r, &ok)) return STEP_FAULT;
    ok = ok && seg_lar_judge(r.d.attr, selector, c->cpl, cpu_long(c));
    if (!peek_upper(c, selector, &r, &ok)) return STEP_FAULT;
    put_zf(c, ok);
    if (ok) reg_put(c, o->reg, o->width, r.low >> 32 & LAR_MASK);
    return STEP_NEXT;
}

/** LSL - the limit in bytes and ZF=1, or ZF=0. SDM 2A "LSL". */
OP(lsl)
{
    struct desc_ref r;
    uint16_t selector;
    bool ok;

    if (!cpu_protected(c)) return unprotected(c);
    if (!peek_descriptor(c, o, &selector, &r, &ok)) return STEP_FAULT;
    ok = ok && seg_lsl_judge(r.d.attr, selector, c->cpl, cpu_long(c));
    if (!peek_upper(c, selector, &r, &ok)) return STEP_FAULT;
    put_zf(c, ok);
    if (ok) reg_put(c, o->reg, o->width, r.d.limit);
    return STEP_NEXT;
}

static enum step verify(struct cpu *c, const struct op *o, bool write)
{
    struct desc_ref r;
    uint16_t selector;
    bool ok;

    if (!cpu_protected(c)) return unprotected(c);
    if (!peek_descriptor(c, o, &selector, &r, &ok)) return STEP_FAULT;
    put_zf(c, ok && seg_verify_judge(r.d.attr, selector, c->cpl, write));
    return STEP_NEXT;
}

OP(verr)
{
    return verify(c, o, false);
}
OP(verw)
{
    return verify(c, o, true);
}

/** ARPL - raise the destination's RPL to the source's, ZF=1 if that changed it; memory is written, and asked
 *  whether it may be, only then (measured on Intel's and AMD's). SDM 2A "ARPL". */
OP(arpl)
{
    uint64_t dest, rpl = c->gpr[o->reg] & 3;

    if (!cpu_protected(c)) return unprotected(c);
    if (!operand_get(c, o, &dest)) return STEP_FAULT;
    bool raise = (dest & 3) < rpl;
    if (raise && !operand_put(c, o, (dest & ~3ull) | rpl)) return STEP_FAULT;
    put_zf(c, raise);
    return STEP_NEXT;
}

/* ---- LDTR and TR ----------------------------------------------------------------------------------------------------- */

static enum step load_system(struct cpu *c, const struct op *o, enum seg seg)
{
    uint16_t selector;

    if (!cpu_protected(c)) return unprotected(c);
    if (!priv_cpl0(c) || !selector_get(c, o, &selector)) return STEP_FAULT;
    return seg_load(c, seg, selector) == STEP_FAULT ? STEP_FAULT : STEP_END;
}

OP(lldt)
{
    return load_system(c, o, SEG_LDTR);
}
OP(ltr)
{
    return load_system(c, o, SEG_TR);
}

static enum step store_system(struct cpu *c, const struct op *o, enum seg seg)
{
    if (!cpu_protected(c)) return unprotected(c);
    if (!priv_umip(c)) return STEP_FAULT;
    return word_put(c, o, c->seg[seg].sel);
}

OP(sldt)
{
    return store_system(c, o, SEG_LDTR);
}
OP(str)
{
    return store_system(c, o, SEG_TR);
}

/* ---- GDTR and IDTR: a 2-byte limit, then the base: 8 bytes in 64-bit mode, else 4 ---------------------------------------- */

static unsigned base_bytes(const struct cpu *c) { return cpu_64(c) ? 8 : 4; }

/** LGDT, LIDT - CPL > 0: #GP(0); memory; base not canonical: #GP(0). A 16-bit operand size keeps 24 bits of the
 *  base. SDM 2A "LGDT/LIDT". */
static enum step load_table(struct cpu *c, const struct op *o, struct table_reg *table)
{
    uint64_t at = ea(c, o), limit, base;
    unsigned bits = c->features->linear_bits;

    if (!priv_cpl0(c)) return STEP_FAULT;
    if (!mem_read(c, (enum seg)o->seg, at, 2, &limit)) return STEP_FAULT;
    if (!mem_read(c, (enum seg)o->seg, (at + 2) & addr_mask(o), base_bytes(c), &base))
        return STEP_FAULT;
    if (!cpu_64(c) && o->width == 2) base &= 0xffffff;
    if (cpu_64(c) &&
        !check(c, RS_RULE_TABLE_CANON, mmu_canonical(base, bits), base, limit, bits, 0))
        return STEP_FAULT;
    *table = (struct table_reg){.base = base, .limit = (uint32_t)limit};
    return STEP_END;
}

OP(lgdt)
{
    return load_table(c, o, &c->gdtr);
}
OP(lidt)
{
    return load_table(c, o, &c->idtr);
}

/** SGDT, SIDT - UMIP before memory; both parts, aligned each for itself, are judged before
 *  either is written. SDM 2B "SGDT"; SDM 3A "Segment Descriptor Tables". */
static enum step store_table(struct cpu *c, const struct op *o, const struct table_reg *table)
{
    uint64_t at = ea(c, o);
    unsigned n = base_bytes(c);
    uint64_t second = (at + 2) & addr_mask(o);

    if (!priv_umip(c)) return STEP_FAULT;
    if (!mem_probe_write(c, (enum seg)o->seg, at, 2)) return STEP_FAULT;
    if (!mem_probe_write(c, (enum seg)o->seg, second, n)) return STEP_FAULT;
    if (!mem_write(c, (enum seg)o->seg, at, 2, table->limit)) return STEP_FAULT;
    if (!mem_write(c, (enum seg)o->seg, second, n, table->base)) return STEP_FAULT;
    return STEP_NEXT;
}

OP(sgdt)
{
    return store_table(c, o, &c->gdtr);
}
OP(sidt)
{
    return store_table(c, o, &c->idtr);
}

/* ---- far control flow --------------------------------------------------------------------------------------------------------- */

/* imm = offset | selector << 32, or m16:16/32/64 */
static enum step far_branch(struct cpu *c, const struct op *o, bool call)
{
    uint64_t offset = (uint32_t)o->imm;
    uint16_t selector = (uint16_t)((uint64_t)o->imm >> 32);

    if ((o->flags & OPF_MEM) && !far_pointer_get(c, o, &offset, &selector)) return STEP_FAULT;
    return far_transfer(c, selector, offset, o->width, call);
}

OP(jmp_far)
{
    return far_branch(c, o, false);
}
OP(call_far)
{
    return far_branch(c, o, true);
}
OP(ret_far)
{
    return far_return(c, o->width, (uint16_t)o->imm);
}

OP(iret16)
{
    return interrupt_return(c, 2);
}
OP(iret32)
{
    return interrupt_return(c, 4);
}
OP(iret64)
{
    return interrupt_return(c, 8);
}
