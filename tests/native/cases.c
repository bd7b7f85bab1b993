/*
 * cases.c - a case: an instruction of a form with random prefixes, operands and constants, sometimes
 * after others that leave all flags defined, and registers that make it interesting: its memory operand
 * is aimed at a page of ours, a page's end, a hole, or an address that no page can have.
 */
#include "native.h"

#include <string.h>

/* ---- addresses and values ------------------------------------------------------------------------------ */

static const uint64_t corners[] = {0,
                                   1,
                                   2,
                                   3,
                                   7,
                                   8,
                                   15,
                                   16,
                                   31,
                                   32,
                                   33,
                                   63,
                                   64,
                                   0x7f,
                                   0x80,
                                   0xff,
                                   0x100,
                                   0x7fff,
                                   0x8000,
                                   0xffff,
                                   0x10000,
                                   0x7fffffff,
                                   0x80000000,
                                   0xffffffff,
                                   0x100000000,
                                   0x7fffffffffffffff,
                                   0x8000000000000000,
                                   0xffffffffffffffff,
                                   0xfffffffffffffffe,
                                   0xffffffff80000000,
                                   0x5555555555555555,
                                   0x0101010101010101};

static uint64_t aim(struct rng *r, bool mode32, unsigned size, bool low)
{
    static const uint32_t odd[] = {DATA_AT + 2 * PAGE,
                                   DATA_AT + 3 * PAGE,
                                   DATA_AT + 5 * PAGE,
                                   DATA_AT,
                                   DATA_AT + 6 * PAGE,
                                   STACK_AT,
                                   STACK_AT + 2 * PAGE,
                                   CODE_AT,
                                   CODE_END};
    static const uint64_t far[] = {0x0000800000000000, 0xffff7ffffffffff8, 0x00007ffffffffff8,
                                   0x00007ffffffffffc, 0xffffffffffffffff, 0xffffffffffffff00,
                                   0xffff800000000000, 0x8000000000000000, 0xfffffffffffffff8,
                                   0x1234567890abcdef};
    uint64_t base = low ? LOW_AT : chance(r, 70) ? DATA_AT : DATA_AT + 4 * PAGE;
    unsigned span = base == DATA_AT + 4 * PAGE ? PAGE : 2 * PAGE, kind = (unsigned)below(r, 100);

    if (kind < 45) return base + (below(r, span - 256) & ~15ull);
    if (kind < 62) return base + below(r, span - 64);
    if (kind < 72) return base + PAGE - below(r, size + 2);
    if (low) return below(r, 0x10000);
    if (kind < 90) return odd[below(r, sizeof odd / sizeof *odd)] - below(r, size + 2);
    if (kind < 96 && !mode32) return far[below(r, sizeof far / sizeof *far)];
    return base + (below(r, span - 256) & ~63ull);
}

/* Selectors: of the host's GDT as far as it is known, and of the LDT, some with other RPLs. */
static uint16_t selector(struct rng *r)
{
    static const uint16_t global[] = {SEL_CODE64, SEL_CODE32, SEL_DATA, 0x10, 0, 3, 0xfff8, 0x18, LDT_USED * 8 + 7};
    uint16_t sel = chance(r, 80) ? SEL_LDT(below(r, LDT_USED)) : global[below(r, sizeof global / sizeof *global)];

    return chance(r, 85) ? sel : (uint16_t)((sel & ~3u) | below(r, 4));
}

static uint16_t code_selector(const struct trial *t, struct rng *r)
{
    static const uint16_t any[] = {SEL_LDT(L_CODE16), SEL_LDT(L_CODE16_X), SEL_LDT(L_CODE32), SEL_LDT(L_CODE32_X),
                                   SEL_CODE32, SEL_CODE64, SEL_LDT(L_ABSENT_CODE)};
    static const uint16_t flat[] = {SEL_CODE64, SEL_CODE32, SEL_CODE64, SEL_DATA, 0x10, 0, 0x30, 0xfff8};

    if (t->mode32 && chance(r, 70)) return any[below(r, 7)];
    return t->mode32 && chance(r, 30) ? selector(r) : flat[below(r, 8)];
}

static uint64_t value(struct rng *r)
{
    unsigned kind = (unsigned)below(r, 100);

    if (kind < 40) return corners[below(r, sizeof corners / sizeof *corners)];
    if (kind < 50) return below(r, 64);
    if (kind < 60) return aim(r, false, 8, false);
    if (kind < 75) return rnd(r) >> below(r, 64);
    return rnd(r);
}

/* Somewhere in the code pages, but never into the case's own bytes: they could mean anything there. */
static bool into_itself(const struct trial *t, uint64_t target)
{
    return target - (t->code_at - 16) < 80;
}
static uint64_t code_target(const struct trial *t, struct rng *r)
{
    for (;;) {
        uint64_t target = CODE_AT + below(r, CODE_END - CODE_AT);
        if (!into_itself(t, target)) return target;
    }
}

/* ---- bytes ---------------------------------------------------------------------------------------------- */

/* Base of a segment register, FS and GS as the host has them. */
static struct seg_view seg_of(const struct trial *t, ZydisRegister seg)
{
    unsigned i = seg < ZYDIS_REGISTER_ES || seg > ZYDIS_REGISTER_GS ? 3 : (unsigned)(seg - ZYDIS_REGISTER_ES);
    struct seg_view v = seg_view(t->before.sel[i], 0);

    return v;
}

/* Linear address for an access of a segment, now and then at the segment's own end. */
static uint64_t aim_seg(const struct trial *t, struct rng *r, unsigned size, bool low, ZydisRegister seg)
{
    struct seg_view v = seg_of(t, seg);

    if (t->mode32 && v.base && chance(r, 25))
        return (uint32_t)(v.base + v.limit + 1 - below(r, 2 * size + 2));
    return aim(r, t->mode32, size, low);
}

struct bytes {
    uint8_t b[32];
    unsigned n;
};
static void add(struct bytes *k, unsigned byte) { k->b[k->n++] = (uint8_t)byte; }

/* legacy prefixes in any order, now and then one that means nothing */
static void prefixes(struct bytes *k, struct rng *r, const struct form *f)
{
    static const uint8_t any[] = {0x66, 0x67, 0x2e, 0x36, 0x3e, 0x26, 0x64, 0x65, 0xf2, 0xf3, 0xf0};
    unsigned extra = chance(r, 65) ? 0 : 1 + (unsigned)below(r, chance(r, 3) ? 14 : 3);
    unsigned mine = (unsigned)below(r, extra + 1);

    for (unsigned i = 0; i <= extra; i++) {
        if (i == mine && f->prefix && !f->vex) add(k, f->prefix);
        if (i == extra) break;
        if (f->vex && chance(r, 80)) add(k, any[1 + below(r, 7)]);
        else add(k, any[below(r, sizeof any)]);
        if (f->bits == 64 && chance(r, 5))
            add(k, 0x40 | (unsigned)below(r, 16)); /* a REX that comes to nothing */
    }
}

static void modrm(struct bytes *k, struct rng *r, const struct form *f)
{
    unsigned reg = f->modrm & 0x38;

    if (f->modrm >= 0xc0) {
        add(k, 0xc0 | reg | (unsigned)below(r, 8));
        return;
    }
    unsigned rm = (unsigned)below(r, 8), mod = (unsigned)below(r, 3);
    add(k, mod << 6 | reg | rm);
    if (rm == 4) add(k, (unsigned)below(r, 256));
}

static unsigned encode(const struct form *f, struct rng *r, uint8_t *out)
{
    static const uint8_t pp[4] = {0, 0x66, 0xf3, 0xf2};
    struct bytes k = {{0}, 0};

    prefixes(&k, r, f);
    if (f->vex) {
        unsigned p = 0, inv = f->bits != 64 ? 0xe0 : (unsigned)below(r, 8) << 5;
        while (pp[p] != f->prefix) p++;
        add(&k, 0xc4);
        add(&k, inv | f->map);
        add(&k, (unsigned)f->rexw << 7 | (chance(r, 90) ? (unsigned)below(r, 16) : 15) << 3 | p |
                    (chance(r, 2) ? 4u : 0));
    } else {
        if (f->bits == 64 && (f->rexw || chance(r, 40)))
            add(&k, 0x40 | (unsigned)f->rexw << 3 | (unsigned)below(r, 8));
        if (f->map) add(&k, 0x0f);
        if (f->map == 2) add(&k, 0x38);
        if (f->map == 3) add(&k, 0x3a);
    }
    add(&k, f->opcode);
    if (f->has_modrm) modrm(&k, r, f);
    while (k.n < 30) add(&k, (unsigned)(chance(r, 30) ? below(r, 8) : below(r, 256)));
    memcpy(out, k.b, 30);
    return 30;
}

/* ---- registers by operand -------------------------------------------------------------------------------- */

static unsigned number_of(ZydisRegister reg)
{
    ZydisRegister wide = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);

    return wide >= ZYDIS_REGISTER_RAX && wide <= ZYDIS_REGISTER_R15
               ? (unsigned)(wide - ZYDIS_REGISTER_RAX)
               : 16;
}

static uint32_t registers_used(const struct trial *t)
{
    uint32_t used = 1u << RSP;

    for (unsigned i = 0; i < t->ins.operand_count; i++) {
        const ZydisDecodedOperand *o = &t->ops[i];
        if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) used |= 1u << number_of(o->reg.value);
        if (o->type == ZYDIS_OPERAND_TYPE_MEMORY)
            used |= 1u << number_of(o->mem.base) | 1u << number_of(o->mem.index);
    }
    return used;
}

static void poke(struct trial *t, uint64_t at, const void *bytes, unsigned n)
{
    struct poke *p = &t->poke[t->pokes];

    if (t->pokes == sizeof t->poke / sizeof *t->poke) return;
    for (unsigned k = 0; k < n; k += n - 1 ? n - 1 : 1) {
        bool mine = false;
        for (unsigned i = 0; i < PAGES; i++)
            mine |= pages[i].at && !pages[i].exec && at + k - pages[i].at < PAGE;
        if (!mine) return;
    }
    p->at = (uint32_t)at;
    p->n = (uint8_t)n;
    memcpy(p->bytes, bytes, n);
    t->pokes++;
}

static bool is_segment(const ZydisDecodedOperand *o)
{
    return o->type == ZYDIS_OPERAND_TYPE_REGISTER &&
           ZydisRegisterGetClass(o->reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

static bool loads_far(const struct trial *t)
{
    switch ((int)t->ins.mnemonic) {
    case ZYDIS_MNEMONIC_LES:
    case ZYDIS_MNEMONIC_LDS:
    case ZYDIS_MNEMONIC_LSS:
    case ZYDIS_MNEMONIC_LFS:
    case ZYDIS_MNEMONIC_LGS: return true;
    default: return false;
    }
}

/* Is its source a selector? */
static bool takes_selector(const struct trial *t)
{
    switch ((int)t->ins.mnemonic) {
    case ZYDIS_MNEMONIC_MOV:
    case ZYDIS_MNEMONIC_POP: return is_segment(&t->ops[0]);
    case ZYDIS_MNEMONIC_LAR:
    case ZYDIS_MNEMONIC_LSL:
    case ZYDIS_MNEMONIC_VERR:
    case ZYDIS_MNEMONIC_VERW: return true;
    default: return loads_far(t);
    }
}

/* What a memory operand of up to 16 bytes holds. */
static void fill(struct trial *t, struct rng *r, uint64_t at, unsigned size)
{
    uint64_t v[2] = {value(r), value(r)};
    unsigned n = size > 16 || size == 0 ? 16 : size;

    switch (below(r, 4)) {
    case 0:
        v[0] = t->before.gpr[RAX], v[1] = t->before.gpr[RDX];
        break; /* what CMPXCHG compares with */
    case 1:
        if (n == 8) v[0] = (uint32_t)t->before.gpr[RAX] | t->before.gpr[RDX] << 32;
        break;
    default: break;
    }
    if (t->ins.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE && chance(r, 80)) {
        bool far = t->ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
        uint16_t sel = far ? code_selector(t, r) : t->before.sel[1];
        v[0] = code_target(t, r) - seg_view(sel, 0).base;
        if (n == 6) v[0] = (uint32_t)v[0] | (uint64_t)sel << 32;
        if (n == 4 && far) v[0] = (uint16_t)v[0] | (uint64_t)sel << 16;
    } else if (takes_selector(t) && chance(r, 80)) {
        unsigned shift = loads_far(t) && n > 2 ? (n - 2) * 8 : 0;
        v[0] = (v[0] & ~(0xffffull << shift)) | (uint64_t)selector(r) << shift;
    }
    poke(t, at, v, n);
}

static uint64_t narrow(uint64_t v, unsigned bits)
{
    return bits == 64 ? v : v & ((1ull << bits) - 1);
}

/* the main instruction's bytes in the code */
static uint8_t *main_bytes(struct trial *t) { return t->code + t->lead; }

/* Aim an explicit memory operand: by its base, its index, or its displacement. */
static void aim_operand(struct trial *t, struct rng *r, const ZydisDecodedOperand *o)
{
    unsigned bits = t->ins.address_width, size = o->size / 8;
    struct seg_view seg = seg_of(t, o->mem.segment);
    bool low = bits == 16 && LOW_AT == pages[PAGES - LOW_PAGES].at && seg.base == 0;
    uint64_t goal = aim_seg(t, r, size ? size : 8, low, o->mem.segment), rest = (uint64_t)o->mem.disp.value;
    unsigned base = number_of(o->mem.base), index = number_of(o->mem.index);

    /* AMD wants the offset canonical as well as the sum */
    bool based = o->mem.segment == ZYDIS_REGISTER_GS || o->mem.segment == ZYDIS_REGISTER_FS;
    if (based && !t->mode32 && goal - CODE_AT >= 0x100000) goal = DATA_AT + 2 * PAGE - 4;
    if (o->mem.segment == ZYDIS_REGISTER_GS && !t->mode32) goal -= t->before.gs_base;
    if (t->mode32) goal = (uint32_t)(goal - seg.base);
    if (o->mem.base == ZYDIS_REGISTER_RIP || o->mem.base == ZYDIS_REGISTER_EIP) {
        int64_t d = (int64_t)(goal - (t->code_at + t->lead + t->ins.length));
        if (d == (int32_t)d && t->ins.raw.disp.size == 32)
            memcpy(main_bytes(t) + t->ins.raw.disp.offset, &(int32_t){(int32_t)d}, 4);
    } else if (base == 16 && index == 16) {
        if (!t->mode32 && t->ins.raw.disp.size == 32 && goal != (uint64_t)(int32_t)goal) return;
        memcpy(main_bytes(t) + t->ins.raw.disp.offset, &goal, t->ins.raw.disp.size / 8);
    } else if (base == 16) {
        t->before.gpr[index] = (goal - rest) / o->mem.scale;
    } else if (base == index) {
        t->before.gpr[base] = (goal - rest) / (1u + o->mem.scale);
    } else {
        if (index != 16) {
            if (chance(r, 70)) t->before.gpr[index] = below(r, 64) - 32;
            rest += narrow(t->before.gpr[index], bits) * o->mem.scale;
        }
        t->before.gpr[base] = goal - rest;
        if (bits == 32 && !t->mode32 && chance(r, 60))
            t->before.gpr[base] = (uint32_t)t->before.gpr[base] | rnd(r) << 32;
    }
    if (o->mem.segment == ZYDIS_REGISTER_GS && !t->mode32) goal += t->before.gs_base;
    if (t->mode32) goal = (uint32_t)((bits == 16 ? (uint16_t)goal : goal) + seg.base);
    t->mem_at = goal;
    fill(t, r, goal, size);
}

/* Operands that have their registers fixed: strings, stack, accumulators. */
static void aim_fixed(struct trial *t, struct rng *r)
{
    uint64_t *g = t->before.gpr;
    unsigned bits = t->ins.address_width;
    bool low16 = bits == 16 && LOW_AT == pages[PAGES - LOW_PAGES].at,
         repeats = t->ins.attributes &
                   (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);

    for (unsigned i = t->ins.operand_count_visible; i < t->ins.operand_count; i++) {
        const ZydisDecodedOperand *o = &t->ops[i];
        if (o->type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
        unsigned base = number_of(o->mem.base);
        if (base == RSP || base == RBP || base == 16) continue;
        struct seg_view seg = seg_of(t, o->mem.segment);
        bool low = low16 && seg.base == 0;
        g[base] = aim_seg(t, r, 8, low, o->mem.segment);
        bool based = o->mem.segment == ZYDIS_REGISTER_GS || o->mem.segment == ZYDIS_REGISTER_FS;
        if (based && !t->mode32 && g[base] - CODE_AT >= 0x100000) g[base] = DATA_AT + 2 * PAGE - 4;
        /* whether bytes that the mask leaves out fault is open */
        if (t->ins.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU)
            g[base] = (low ? LOW_AT : DATA_AT) + below(r, 2 * PAGE - 16);
        if (o->mem.segment == ZYDIS_REGISTER_GS && !t->mode32) g[base] -= t->before.gs_base;
        if (t->mode32) g[base] = (uint32_t)(g[base] - seg.base);
        if (base == RBX) g[RBX] -= g[RAX] & 0xff;
        if (bits == 32 && !t->mode32 && chance(r, 50)) g[base] = (uint32_t)g[base] | rnd(r) << 32;
    }
    if (repeats) {
        g[RCX] = chance(r, 90) ? below(r, 40) : below(r, 9000);
        if (bits != 64 && chance(r, 50)) g[RCX] = narrow(g[RCX], bits) | rnd(r) << bits;
        if (g[RDI] && chance(r, 20)) g[RDI] = g[RSI] + below(r, 32) - 16; /* overlap */
    }
}

static void fix_division(struct trial *t, struct rng *r)
{
    uint64_t *g = t->before.gpr;

    switch (below(r, 3)) {
    case 0: g[RDX] = 0; break;
    case 1: g[RDX] = (uint64_t)((int64_t)g[RAX] >> 63); break;
    default: break;
    }
    if (t->ops[0].size == 32 && chance(r, 60)) g[RDX] = (uint64_t)(int64_t)((int32_t)g[RAX] >> 31);
    if (t->ops[0].size == 8 && chance(r, 60)) g[RAX] &= 0xfff;
}

static uint64_t code_base(const struct trial *t) { return seg_view(t->before.sel[1], 0).base; }

/* Branch displacements: mostly within the code pages. */
static void aim_branch(struct trial *t, struct rng *r)
{
    const ZydisDecodedOperand *o = &t->ops[0];

    if (o->type == ZYDIS_OPERAND_TYPE_POINTER) {
        uint16_t sel = code_selector(t, r);
        uint64_t p = code_target(t, r) - seg_view(sel, 0).base;
        unsigned at = t->ins.length - 2u - (t->ins.operand_width == 16 ? 2u : 4u);
        memcpy(main_bytes(t) + at, &p, t->ins.operand_width == 16 ? 2 : 4);
        memcpy(main_bytes(t) + t->ins.length - 2, &sel, 2);
        return;
    }
    if (o->type == ZYDIS_OPERAND_TYPE_REGISTER) {
        if (chance(r, 80)) t->before.gpr[number_of(o->reg.value)] = code_target(t, r) - code_base(t);
        return;
    }
    if (o->type != ZYDIS_OPERAND_TYPE_IMMEDIATE || !o->imm.is_relative ||
        t->ins.raw.imm[0].size < 16)
        return;
    if (chance(r, 15)) return;
    int32_t d = (int32_t)(code_target(t, r) - (t->code_at + t->lead + t->ins.length));
    memcpy(main_bytes(t) + t->ins.raw.imm[0].offset, &d, t->ins.raw.imm[0].size / 8);
}

/* A stack of 16 bits leaves the upper half alone. */
static void put_stack_pointer(struct trial *t, struct rng *r, unsigned reg, uint64_t sp, unsigned attr)
{
    if (!(attr & 0x4000) && chance(r, 6)) sp = below(r, 12);
    if (!(attr & 0x4000)) sp = (uint16_t)sp | (chance(r, 50) ? rnd(r) & 0xffff0000 : 0);
    t->before.gpr[reg] = (uint32_t)sp;
}

static void stack(struct trial *t, struct rng *r)
{
    struct seg_view ss = seg_view(t->before.sel[2], 0);
    uint64_t rsp = STACK_AT + PAGE, frame[2];
    unsigned kind = (unsigned)below(r, 100), width = t->ins.operand_width / 8;

    if (kind < 75) rsp += (below(r, PAGE) - PAGE / 2) & ~7ull;
    else if (kind < 85) rsp += below(r, PAGE) - PAGE / 2;
    else if (kind < 95) rsp = STACK_AT + (chance(r, 50) ? 0 : 2 * PAGE) + below(r, 32) - 16;
    else rsp = aim(r, t->mode32, 8, false);
    /* Intel writes two bytes of a pushed selector, AMD the whole slot */
    if (t->ins.mnemonic == ZYDIS_MNEMONIC_PUSH && is_segment(&t->ops[0]))
        rsp = STACK_AT + PAGE + 8 * below(r, 64);
    if (t->mode32 && ss.base && kind >= 85 && chance(r, 60))
        rsp = ss.base + ss.limit + 1 - below(r, 40) + (chance(r, 50) ? 0 : 16);
    t->before.gpr[RSP] = rsp;
    if (t->mode32) put_stack_pointer(t, r, RSP, rsp - ss.base, ss.attr);
    if (t->mode32 && chance(r, 60)) put_stack_pointer(t, r, RBP, STACK_AT + PAGE + below(r, 512) - ss.base, ss.attr);
    else if (chance(r, 60)) t->before.gpr[RBP] = STACK_AT + PAGE + (below(r, 512) & ~7ull);
    if (t->ins.mnemonic == ZYDIS_MNEMONIC_POP && is_segment(&t->ops[0]))
        poke(t, rsp, &(uint64_t){selector(r)}, width == 8 ? 8 : 4);
    if (t->ins.meta.branch_type == ZYDIS_BRANCH_TYPE_NONE &&
        t->ins.meta.category != ZYDIS_CATEGORY_RET)
        return;
    /* a return address, perhaps a far or interrupt frame, of the operand's size */
    if (width != 2 && width != 4 && width != 8) width = t->mode32 ? 4 : 8;
    bool far = t->ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
    uint16_t sel = far || !t->mode32 ? code_selector(t, r) : t->before.sel[1];
    uint64_t v[5] = {code_target(t, r) - seg_view(sel, 0).base, sel, t->before.flags ^ (rnd(r) & 0x41),
                     rsp + 64, SEL_DATA};
    uint8_t image[40];
    for (unsigned i = 0; i < 5; i++) memcpy(image + i * width, &v[i], width);
    memcpy(frame, image, 16);
    if (chance(r, 85)) {
        poke(t, rsp, image, 16);
        if (5 * width > 16)
            poke(t, rsp + 16, image + 16, 5 * width - 16 < 16 ? 5 * width - 16 : 16);
        if (5 * width > 32) poke(t, rsp + 32, image + 32, 8);
    }
}

/* ---- flag setters ------------------------------------------------------------------------------------------ */

/* ADD SUB CMP ADC SBB of two free registers, INC DEC NEG of one: all flags defined. */
static unsigned setter(uint8_t *out, struct rng *r, uint32_t used, bool mode32)
{
    static const uint8_t two[] = {0x00, 0x28, 0x38, 0x10, 0x18};
    unsigned room = mode32 ? 8 : 16, d = (unsigned)below(r, room), s = (unsigned)below(r, room),
             n = 0;
    bool word = chance(r, 70), one = chance(r, 40);

    for (unsigned i = 0; i < room && used >> d & 1; i++) d = (d + 1) % room;
    if (used >> d & 1 || (mode32 && !word)) return 0;
    if (chance(r, 15)) out[n++] = 0x66;
    if (!mode32) out[n++] = (uint8_t)(0x40 | below(r, 2) << 3 | (one ? 0 : s >> 3 << 2) | d >> 3);
    if (one) {
        unsigned which = (unsigned)below(r, 3);
        out[n++] = (uint8_t)((which == 2 ? 0xf6 : 0xfe) | word);
        out[n++] = (uint8_t)(0xc0 | (which == 2 ? 3u : which) << 3 | (d & 7));
    } else {
        out[n++] = (uint8_t)(two[below(r, 5)] | word);
        out[n++] = (uint8_t)(0xc0 | (s & 7) << 3 | (d & 7));
    }
    return n;
}

/* ---- the whole ---------------------------------------------------------------------------------------------- */

/* 16-bit code always has the LDT's segments, 32-bit code mostly. */
static void segments_make(struct state *s, struct rng *r, unsigned bits)
{
    static const uint8_t data[] = {L_DATA, L_DATA + 1, L_DATA, L_READ_ONLY, L_DOWN32, L_DOWN16, L_DOWN_READ_ONLY, L_CODE16,
                                   L_CODE32, L_STACK16, L_STACK_DOWN, 0};
    static const uint8_t stacks[] = {L_STACK16, L_STACK16, L_STACK32, L_STACK32, L_STACK_DOWN, L_DATA, 0};

    if (!ldt_ready || (bits == 32 && chance(r, 35))) return;
    for (unsigned i = 0; i < 6; i++) {
        unsigned which = data[below(r, sizeof data)];
        if (i == 1) which = (bits == 16 ? (unsigned)L_CODE16 : (unsigned)L_CODE32) + chance(r, 20);
        if (i == 2) which = stacks[below(r, sizeof stacks)];
        s->sel[i] = which ? SEL_LDT(which) : i == 2 || chance(r, 60) ? SEL_DATA : 0;
    }
}

static void state_make(struct state *s, struct rng *r, unsigned size)
{
    bool mode32 = size != 64;

    static const uint32_t bits[] = {F_CF, F_PF, F_AF, F_ZF, F_SF, F_OF};

    memset(s, 0, sizeof *s);
    for (unsigned i = 0; i < 16; i++) s->gpr[i] = mode32 ? (uint32_t)value(r) : value(r);
    for (unsigned i = 8; mode32 && i < 16; i++) s->gpr[i] = 0;
    s->flags = 2 | F_IF;
    for (unsigned i = 0; i < 6; i++) s->flags |= chance(r, 50) ? bits[i] : 0;
    if (chance(r, 20)) s->flags |= F_DF;
    if (chance(r, 4)) s->flags |= F_AC;
    for (unsigned i = 0; i < 16 * 16; i += 8) {
        uint64_t v = value(r);
        memcpy((uint8_t *)s->xmm + i, &v, 8);
    }
    s->mxcsr = 0x1f80 | (uint32_t)(rnd(r) & 0xe07f & ~0x40u);
    s->sel[0] = s->sel[2] = s->sel[3] = SEL_DATA;
    s->sel[1] = mode32 ? SEL_CODE32 : SEL_CODE64;
    s->fs_base = host_fs_base;
    s->gs_base = mode32 ? 0 : GS_BASE_AT;
    if (mode32) segments_make(s, r, size);
    if (mode32 && s->sel[4]) s->fs_base = 0;
}

/* Where the code lies: often with the instruction across a page's end, seldom at the edge of a hole. */
static void place(struct trial *t, struct rng *r)
{
    unsigned kind = (unsigned)below(r, 100), main_n = t->n - t->lead;
    /* AMD does not fetch the ModRM byte of UD0 and UD1; where an undefined encoding ends is anybody's guess */
    bool ud1 = t->decoded &&
               (t->ins.mnemonic == ZYDIS_MNEMONIC_UD0 || t->ins.mnemonic == ZYDIS_MNEMONIC_UD1);

    if (kind < 80) t->code_at = CODE_AT + 256 + (uint32_t)below(r, PAGE - 512);
    else if (kind < 95 || ud1 || !t->decoded)
        t->code_at = CODE_AT + PAGE - t->lead - (uint32_t)below(r, main_n + 1);
    else t->code_at = CODE_END - t->lead - (uint32_t)below(r, main_n + 1);
    struct seg_view cs = seg_view(t->before.sel[1], 0);
    uint32_t end = (uint32_t)cs.base + cs.limit + 1;
    if (t->decoded && end > CODE_AT + 300 && end < CODE_END && chance(r, 15))
        t->code_at = end - t->lead - (uint32_t)below(r, main_n + 1);
}

/* Undefined encodings in which processors differ: 15 bytes and no end in sight (#GP or #UD first?), LOCK
 * before VERR and VERW, which AMD ignores, and before MOV CR0, which is its MOV CR8. */
static bool undecoded_skip(const uint8_t *b)
{
    unsigned n = 0;

    while (n < 15 && (memchr("\x66\x67\x2e\x36\x3e\x26\x64\x65\xf2\xf3\xf0", b[n], 11) ||
                      (b[n] & 0xf0) == 0x40))
        n++;
    return n > 3 || (b[n] == 0x0f && (b[n + 1] == 0x00 || b[n + 1] == 0x20 || b[n + 1] == 0x22));
}

bool trial_make(struct trial *t, const struct form_list *list, int only, uint64_t seed,
                uint64_t number)
{
    struct rng rr = {seed * 0x2545f4914f6cdd1du ^ number * 0xd1342543de82ef95u}, *r = &rr;
    unsigned mn = only >= 0 ? (unsigned)only : list->mnemonic[number % list->mnemonics];
    const struct form *f;
    uint8_t b[32];

    rr.s = rnd(r); /* neighbours are streams of their own */
    f = &list->form[list->first[mn] + below(r, list->first[mn + 1] - list->first[mn])];
    memset(t, 0, sizeof *t);
    t->bits = f->bits;
    t->mode32 = f->bits != 64;
    state_make(&t->before, r, t->bits);
    t->n = encode(f, r, b);
    t->decoded = forms_decode(t->bits, b, 15, &t->ins, t->ops);
    if (t->decoded && (!forms_row(t->ins.mnemonic) || skip_reason(&t->ins, t->ops, t->mode32)))
        return false;
    if (!t->decoded && (!chance(r, 30) || undecoded_skip(b))) return false;
    t->n = t->decoded ? t->ins.length : 15 + (unsigned)below(r, 2);

    uint32_t used = t->decoded ? registers_used(t) : 0xffff;
    for (unsigned i = chance(r, 50) ? 0 : 1 + (unsigned)below(r, 3); i > 0; i--)
        t->lead += setter(t->code + t->lead, r, used, t->mode32);
    memcpy(t->code + t->lead, b, t->n);
    t->n += t->lead;
    place(t, r);
    t->before.rip = t->code_at - code_base(t);
    if (t->before.rip + t->lead > seg_view(t->before.sel[1], 0).limit) return false;
    t->before.gpr[RSP] = STACK_AT + PAGE;
    if (!t->decoded) return true;
    stack(t, r);
    aim_fixed(t, r);
    if (t->ins.meta.branch_type != ZYDIS_BRANCH_TYPE_NONE && t->ins.operand_count_visible)
        aim_branch(t, r);
    for (unsigned i = 0; i < t->ins.operand_count_visible; i++)
        if (t->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY) aim_operand(t, r, &t->ops[i]);
    if (t->ins.mnemonic == ZYDIS_MNEMONIC_DIV || t->ins.mnemonic == ZYDIS_MNEMONIC_IDIV)
        fix_division(t, r);
    /* whether 16 unaligned bytes are an #AC is open */
    if (t->ins.operand_count_visible && (t->ops[0].size > 64 || t->ops[1].size > 64))
        t->before.flags &= ~(uint64_t)F_AC;
    if (t->mode32)
        for (unsigned i = 0; i < 8; i++) t->before.gpr[i] = (uint32_t)t->before.gpr[i];
    if (!forms_decode(t->bits, t->code + t->lead, 15, &t->ins, t->ops)) return false;
    if (t->ops[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE && t->ops[0].imm.is_relative &&
        into_itself(t, narrow(t->before.rip + t->n + t->ops[0].imm.value.u,
                              t->mode32 ? t->ins.operand_width : 64) + code_base(t)))
        return false;
    if (takes_selector(t) && t->ops[1].type == ZYDIS_OPERAND_TYPE_REGISTER && number_of(t->ops[1].reg.value) < 16 &&
        chance(r, 80)) {
        uint64_t *g = &t->before.gpr[number_of(t->ops[1].reg.value)];
        *g = (*g & ~0xffffull) | selector(r);
    }
    /* AMD asks for the port's permission even when nothing is repeated */
    if (t->ins.meta.category == ZYDIS_CATEGORY_IOSTRINGOP &&
        narrow(t->before.gpr[RCX], t->ins.address_width) == 0)
        t->before.gpr[RCX] = 1;
    /* whether bytes that the mask leaves out must lie within the segment is open */
    if (t->ins.mnemonic == ZYDIS_MNEMONIC_MASKMOVDQU && t->before.sel[3] != SEL_DATA && t->mode32) return false;
    if (host_is_amd() && measured_on_intel(t)) return false;
    return !skip_reason(&t->ins, t->ops, t->mode32);
}
