/*
 * v86.c - virtual-8086 mode: how it is entered, the instructions that IOPL < 3 takes from it, and the
 * virtual-mode extensions (CR4.VME), which give most of them back through VIF, VIP and the redirection
 * bit map; CR4.PVI, the same for CLI and STI in protected mode.
 *
 *   IOPL  VME  CLI STI PUSHF POPF IRET (16 bits)     INT n
 *    3    0    as in real mode                       through the IDT
 *    3    1    as in real mode                       map bit 1: through the IDT, 0: the 8086's own vector
 *   < 3   0    #GP(0)                                #GP(0)
 *   < 3   1    VIF for IF                            map bit 1: #GP(0), 0: the 8086's own vector, VIF for IF
 *
 * 32-bit PUSHFD, POPFD and IRETD at IOPL < 3 are #GP(0) with VME too. INT3, INTO and INT1 ask nobody.
 * Manual: SDM 3B "Virtual-8086 Mode", "Sensitive Instructions", "Software Interrupt Handling Methods in
 * Virtual-8086 Mode", "Protected-Mode Virtual Interrupts"; SDM 2 per instruction.
 */
#include "cpu/real.h"

/* ---- pure judges --------------------------------------------------------------------------------------- */

bool v86_iopl_judge(unsigned iopl) { return iopl == 3; }

/** vme_image_judge - IF=1 while VIP=1, then TF=1: #GP(0). SDM 2B "POPF/POPFD/POPFQ". */
enum rs_rule vme_image_judge(uint64_t flags, uint64_t image)
{
    if ((flags & RF_VIP) && (image & RF_IF)) return RS_RULE_VME_VIP;
    if (image & RF_TF) return RS_RULE_VME_TF;
    return RS_RULE_NONE;
}

bool vme_sti_judge(uint64_t flags) { return !(flags & RF_VIP); }

bool v86_gate_judge(uint16_t attr) { return !attr_is_conforming(attr) && attr_dpl(attr) == 0; }

/* ---- asking ---------------------------------------------------------------------------------------------- */

static bool v86_iopl(struct cpu *c)
{
    unsigned iopl = cpu_iopl(c);
    return check(c, RS_RULE_V86_IOPL, v86_iopl_judge(iopl), cpu_rip(c), iopl, c->cr4, 0);
}

/* IOPL < 3, but VIF stands for IF? */
static bool vme(const struct cpu *c) { return cpu_iopl(c) < 3 && (c->cr4 & CR4_VME); }

static enum step virtual_cli(struct cpu *c)
{
    c->flags &= ~(uint64_t)RF_VIF;
    return STEP_NEXT;
}

/* An interrupt that waits is told of by #GP(0). */
static enum step virtual_sti(struct cpu *c)
{
    if (!check(c, RS_RULE_VME_VIP, vme_sti_judge(c->flags), cpu_rip(c), c->flags, 0, 0)) return STEP_FAULT;
    c->flags |= RF_VIF;
    return STEP_NEXT;
}

enum step v86_cli(struct cpu *c)
{
    if (vme(c)) return virtual_cli(c);
    if (!v86_iopl(c)) return STEP_FAULT;
    c->flags &= ~(uint64_t)RF_IF;
    return STEP_NEXT;
}

enum step v86_sti(struct cpu *c)
{
    if (vme(c)) return virtual_sti(c);
    if (!v86_iopl(c)) return STEP_FAULT;
    if (!(c->flags & RF_IF)) c->shadow |= SHADOW_STI;
    c->flags |= RF_IF;
    return STEP_END;
}

enum step pvi_cli(struct cpu *c) { return virtual_cli(c); }
enum step pvi_sti(struct cpu *c) { return virtual_sti(c); }

/* ---- PUSHF, POPF, IRET ------------------------------------------------------------------------------------ */

/* FLAGS as a 16-bit program sees them at IOPL < 3: IF is VIF, IOPL is 3. */
static uint64_t virtual_image(const struct cpu *c)
{
    uint64_t flags = flags_get(c) & ~(uint64_t)RF_IF;

    return flags | RF_IOPL | (flags & RF_VIF ? RF_IF : 0);
}

enum step v86_pushf(struct cpu *c, unsigned size)
{
    uint64_t image = flags_get(c) & ~(uint64_t)(RF_VM | RF_RF);

    if (size == 2 && vme(c)) image = virtual_image(c);
    else if (!v86_iopl(c)) return STEP_FAULT;
    return stack_push(c, size, image) ? STEP_NEXT : STEP_FAULT;
}

/* What POPF and IRET of a 16-bit image make of the flags at IOPL < 3. */
static uint64_t virtual_flags(const struct cpu *c, uint64_t image)
{
    uint64_t mask = RF_ARITH | RF_DF | RF_NT | RF_TF;
    uint64_t flags = (flags_get(c) & ~(mask | RF_VIF)) | (image & mask);

    return flags | (image & RF_IF ? RF_VIF : 0);
}

static bool virtual_check(struct cpu *c, uint64_t image)
{
    static const uint16_t rules[] = {RS_RULE_VME_VIP, RS_RULE_VME_TF};

    return CHECKS(c, rules, vme_image_judge(c->flags, image), cpu_rip(c), c->flags, image, 0);
}

/* At IOPL 3 everything but IOPL, VM, VIF and VIP. */
static uint64_t plain_flags(const struct cpu *c, uint64_t image, unsigned size)
{
    uint64_t mask = RF_ARITH | RF_TF | RF_IF | RF_DF | RF_NT;

    if (size > 2) mask |= RF_AC | RF_ID | RF_RF;
    return (flags_get(c) & ~mask) | (image & mask);
}

enum step v86_popf(struct cpu *c, unsigned size)
{
    bool virtually = size == 2 && vme(c);
    uint64_t image, old = c->flags;

    if (!virtually && !v86_iopl(c)) return STEP_FAULT;
    if (!stack_peek(c, 0, size, &image)) return STEP_FAULT;
    if (virtually && !virtual_check(c, image)) return STEP_FAULT;
    stack_pointer_put(c, stack_pointer(c) + size);
    flags_put(c, (virtually ? virtual_flags(c, image) : plain_flags(c, image, size)) & ~(uint64_t)RF_RF);
    if ((old ^ c->flags) & RF_AC) cpu_mode_changed(c);
    return STEP_END;
}

enum step v86_iret(struct cpu *c, unsigned size)
{
    bool virtually = size == 2 && vme(c);
    struct real_frame f;

    if (!virtually && !v86_iopl(c)) return STEP_FAULT;
    crossing_begin(c);
    if (!real_iret_read(c, size, &f)) return STEP_FAULT;
    if (virtually && !virtual_check(c, f.flags)) return STEP_FAULT;
    return real_iret_commit(c, size, &f, virtually ? virtual_flags(c, f.flags) : plain_flags(c, f.flags, size));
}

/* ---- INT n --------------------------------------------------------------------------------------------------- */

#define TSS_IO_BASE 102u
#define MAP_BYTES 32u /* the redirection bit map ends where the I/O permission bit map begins */

/** The vector's bit; a 32-bit TSS that does not hold it: #GP(0). */
static bool map_bit(struct cpu *c, unsigned vector, bool *bit)
{
    const struct segment *tss = &c->seg[SEG_TR];
    unsigned type = attr_system(tss->attr);
    bool wide = !(tss->attr & ATTR_UNUSABLE) && (type == SYS_TSS || type == SYS_TSS_BUSY);
    uint64_t base = 0, byte;

    if (wide && tss->limit > TSS_IO_BASE && !mem_read_sys(c, (uint32_t)(tss->base + TSS_IO_BASE), 2, &base))
        return false;
    uint32_t at = (uint32_t)base - MAP_BYTES + vector / 8;
    bool ok = wide && base >= MAP_BYTES && at <= tss->limit;

    if (!check(c, RS_RULE_VME_MAP, ok, vector, base, tss->limit, 0)) return false;
    if (!mem_read_sys(c, (uint32_t)(tss->base + at), 1, &byte)) return false;
    *bit = byte >> (vector & 7) & 1;
    return true;
}

/* To the program's own handler: the table at linear address 0, and a crossing as in real mode. */
static enum step redirect(struct cpu *c, unsigned vector)
{
    bool mine = cpu_iopl(c) == 3;
    uint64_t image = mine ? flags_get(c) : virtual_image(c), entry;
    uint16_t slot[3] = {(uint16_t)image, c->seg[SEG_CS].sel, (uint16_t)cpu_next_rip(c)};
    uint64_t start = cpu_now(c);

    crossing_begin(c);
    if (!mem_read_sys(c, vector * 4, 4, &entry) || !real_push_frame(c, slot)) return STEP_FAULT;
    cpu_charge_event(c, RS_CAT_TRANSITION, COST_INT_SAME);
    c->flags &= ~(uint64_t)(RF_TF | RF_RF | (mine ? RF_IF : RF_VIF));
    c->trap_lost = true; /* INT n is not stepped over, whoever serves it */
    real_load(c, SEG_CS, (uint16_t)(entry >> 16));
    enum step s = arrive(c, c->cpl, (uint16_t)entry);
    crossing_enter(c, RS_X_INT, vector, c->cpl, start);
    return s;
}

enum step v86_int(struct cpu *c, unsigned vector, bool *through)
{
    bool bit = true;

    *through = false;
    if ((c->cr4 & CR4_VME) && !map_bit(c, vector, &bit)) return STEP_FAULT;
    if (!bit) return redirect(c, vector);
    if (!v86_iopl(c)) return STEP_FAULT;
    *through = true;
    return STEP_NEXT;
}

/* ---- the way in ------------------------------------------------------------------------------------------------ */

static const uint8_t frame_segs[] = {SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS};

/* VIF and VIP both set where an instruction begins: #GP(0) before it. */
bool v86_entry_check(struct cpu *c)
{
    bool ok = !(c->cr4 & CR4_VME) || cpu_iopl(c) == 3 || !(c->flags & RF_VIF) || !(c->flags & RF_VIP);

    return check(c, RS_RULE_VME_VIP, ok, c->gpr[R_RIPBASE], c->flags, 0, 0);
}

/** v86_enter - EIP beyond 64 KiB: #GP(0); then ESP, SS, ES, DS, FS, GS from the stack: #SS(0), #PF. SDM 2A
 *  "IRET/IRETD/IRETQ": the image of EIP is judged before the rest is popped. */
enum step v86_enter(struct cpu *c, uint64_t ip, uint16_t cs, uint64_t flags, uint64_t start)
{
    uint64_t esp, sel[5];
    unsigned from = c->cpl;

    if (!check(c, RS_RULE_LIMIT_FETCH, ip <= 0xffff, ip, 0xffff, 0, 0)) return STEP_FAULT;
    if (!stack_peek(c, 12, 4, &esp)) return STEP_FAULT;
    for (unsigned i = 0; i < 5; i++) {
        if (!stack_peek(c, 16 + 4 * i, 4, &sel[i])) return STEP_FAULT;
    }

    cpu_charge_event(c, RS_CAT_TRANSITION, COST_IRET_OUTER);
    flags_put(c, flags);
    real_load(c, SEG_CS, cs);
    for (unsigned i = 0; i < 5; i++) real_load(c, (enum seg)frame_segs[i], (uint16_t)sel[i]);
    c->gpr[R_RSP] = esp;
    if (c->nmi_pending || (flags & RF_RF)) c->brk = true;
    enum step s = arrive(c, 3, ip);
    crossing_leave(c, RS_X_IRET, from, start);
    return v86_entry_check(c) ? s : STEP_LATE;
}
