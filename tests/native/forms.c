/*
 * forms.c - which encodings are tried, and where the manual or the host leaves room.
 *
 * The opcode maps are decoded from end to end; what belongs to a row of arch/ops.def is a form. The
 * tables below say which instructions stay out and which flags are undefined, each with its reason.
 */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows ------------------------------------------------------------------------------------------ */

static const bool has_row[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define INSN(mn, handler, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = true,
#define FAMILY(mn, family, kind, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = true,
#define CORE(mn, family, kind, feature, priv, manual) [ZYDIS_MNEMONIC_##mn] = true,
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE
};

bool forms_row(ZydisMnemonic mn) { return has_row[mn]; }

/* ---- instructions that stay out ---------------------------------------------------------------------- */

static const struct {
    ZydisMnemonic mn;
    const char *why;
} skipped[] = {
    {ZYDIS_MNEMONIC_SYSCALL, "the host's kernel answers"},
    {ZYDIS_MNEMONIC_SYSENTER, "the host's kernel answers"},
    {ZYDIS_MNEMONIC_SYSRET, "AMD: #UD where Intel has #GP, by mode"},
    {ZYDIS_MNEMONIC_SYSEXIT, "AMD: #UD in long mode"},
    {ZYDIS_MNEMONIC_CPUID, "tells the host"},
    {ZYDIS_MNEMONIC_RDTSC, "tells the time"},
    {ZYDIS_MNEMONIC_RDTSCP, "tells the time"},
    {ZYDIS_MNEMONIC_RDPID, "tells the host's processor number"},
    {ZYDIS_MNEMONIC_RDPMC, "the host's kernel decides on CR4.PCE"},
    {ZYDIS_MNEMONIC_SGDT, "Linux emulates what UMIP refuses"},
    {ZYDIS_MNEMONIC_SIDT, "Linux emulates what UMIP refuses"},
    {ZYDIS_MNEMONIC_SLDT, "Linux emulates what UMIP refuses"},
    {ZYDIS_MNEMONIC_STR, "Linux emulates what UMIP refuses"},
    {ZYDIS_MNEMONIC_SMSW, "Linux emulates what UMIP refuses"},
    {ZYDIS_MNEMONIC_XGETBV, "the model has no XSAVE, the host has"},
    {ZYDIS_MNEMONIC_XSETBV, "the model has no XSAVE, the host has"},
};

static bool near_branch(const ZydisDecodedInstruction *ins)
{
    return ins->meta.branch_type == ZYDIS_BRANCH_TYPE_NEAR ||
           ins->meta.branch_type == ZYDIS_BRANCH_TYPE_SHORT;
}

static bool has_prefix(const ZydisDecodedInstruction *ins, unsigned byte)
{
    for (unsigned i = 0; i < ins->raw.prefix_count; i++)
        if (ins->raw.prefixes[i].value == byte) return true;
    return false;
}

static bool loads_far_pointer(const ZydisDecodedInstruction *ins)
{
    return ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR || ins->mnemonic == ZYDIS_MNEMONIC_LFS ||
           ins->mnemonic == ZYDIS_MNEMONIC_LGS || ins->mnemonic == ZYDIS_MNEMONIC_LSS;
}

const char *skip_reason(const ZydisDecodedInstruction *ins, const ZydisDecodedOperand *ops,
                        bool mode32)
{
    ZydisMnemonic mn = ins->mnemonic;

    for (unsigned i = 0; i < sizeof skipped / sizeof *skipped; i++)
        if (skipped[i].mn == mn) return skipped[i].why;
    for (unsigned i = 0; i < ins->operand_count_visible; i++)
        if (ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(ops[i].reg.value) == ZYDIS_REGCLASS_MMX)
            return "MMX registers are a gap";
    if (mn == ZYDIS_MNEMONIC_CMPSD && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER)
        return "the SSE2 one is a gap";
    if (!mode32 && near_branch(ins) && has_prefix(ins, 0x66))
        return "AMD: 66h cuts a near branch to 16 bits";
    if (!mode32 && loads_far_pointer(ins) && (ins->attributes & ZYDIS_ATTRIB_HAS_REX) &&
        ins->raw.rex.W)
        return "AMD: no 64-bit offsets in far pointers";
    if ((mn == ZYDIS_MNEMONIC_LOOPE || mn == ZYDIS_MNEMONIC_LOOPNE) &&
        (has_prefix(ins, 0xf2) || has_prefix(ins, 0xf3)))
        return "AMD: F2h and F3h turn LOOPE and LOOPNE into each other";
    if (mn == ZYDIS_MNEMONIC_INT &&
        (ops[0].imm.value.u == 0x80 || ops[0].imm.value.u == 3 || ops[0].imm.value.u == 4))
        return "a gate of the host's kernel";
    if ((mn == ZYDIS_MNEMONIC_PREFETCH || mn == ZYDIS_MNEMONIC_PREFETCHW ||
         mn == ZYDIS_MNEMONIC_PREFETCHWT1) &&
        ins->raw.modrm.mod == 3)
        return "reserved encoding";
    if (mn == ZYDIS_MNEMONIC_MASKMOVDQU && (ins->attributes & ZYDIS_ATTRIB_HAS_SEGMENT))
        return "whether bytes that the mask leaves out fault is open";
    if (mn == ZYDIS_MNEMONIC_XCHG && ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
        ops[0].reg.value == ZYDIS_REGISTER_BX && ops[1].reg.value == ZYDIS_REGISTER_BX)
        return "ends a case on Ringside";
    if (mn == ZYDIS_MNEMONIC_NOP && ins->opcode == 0x0d)
        return "AMD: PREFETCH of a register is #UD";
    if (mode32 && ins->address_width == 16 &&
        (mn == ZYDIS_MNEMONIC_FXSAVE || mn == ZYDIS_MNEMONIC_FXRSTOR))
        return "whether the area goes round at 64 KiB is open";
    if (mn == ZYDIS_MNEMONIC_PAUSE && (ins->attributes & ZYDIS_ATTRIB_HAS_REX) && ins->raw.rex.B)
        return "Intel: PAUSE, AMD: XCHG with R8";
    return NULL;
}

/* ---- flags and results that are undefined --------------------------------------------------------------- */

static const struct {
    ZydisMnemonic mn;
    uint32_t flags;
    const char *why;
} undefined[] = {
    {ZYDIS_MNEMONIC_AND, F_AF, "AND: AF"},
    {ZYDIS_MNEMONIC_OR, F_AF, "OR: AF"},
    {ZYDIS_MNEMONIC_XOR, F_AF, "XOR: AF"},
    {ZYDIS_MNEMONIC_TEST, F_AF, "TEST: AF"},
    {ZYDIS_MNEMONIC_MUL, F_SF | F_ZF | F_AF | F_PF, "MUL: SF ZF AF PF"},
    {ZYDIS_MNEMONIC_IMUL, F_SF | F_ZF | F_AF | F_PF, "IMUL: SF ZF AF PF"},
    {ZYDIS_MNEMONIC_DIV, F_ARITH, "DIV: all six"},
    {ZYDIS_MNEMONIC_IDIV, F_ARITH, "IDIV: all six"},
    {ZYDIS_MNEMONIC_BSF, F_CF | F_OF | F_SF | F_AF | F_PF, "BSF: all but ZF"},
    {ZYDIS_MNEMONIC_BSR, F_CF | F_OF | F_SF | F_AF | F_PF, "BSR: all but ZF"},
    {ZYDIS_MNEMONIC_TZCNT, F_OF | F_SF | F_AF | F_PF, "TZCNT: all but CF ZF"},
    {ZYDIS_MNEMONIC_LZCNT, F_OF | F_SF | F_AF | F_PF, "LZCNT: all but CF ZF"},
    {ZYDIS_MNEMONIC_BT, F_OF | F_SF | F_AF | F_PF, "BT: OF SF AF PF"},
    {ZYDIS_MNEMONIC_BTS, F_OF | F_SF | F_AF | F_PF, "BTS: OF SF AF PF"},
    {ZYDIS_MNEMONIC_BTR, F_OF | F_SF | F_AF | F_PF, "BTR: OF SF AF PF"},
    {ZYDIS_MNEMONIC_BTC, F_OF | F_SF | F_AF | F_PF, "BTC: OF SF AF PF"},
    {ZYDIS_MNEMONIC_BEXTR, F_AF | F_SF | F_PF, "BEXTR: AF SF PF"},
    {ZYDIS_MNEMONIC_BLSI, F_AF | F_PF, "BLSI: AF PF"},
    {ZYDIS_MNEMONIC_BLSMSK, F_AF | F_PF, "BLSMSK: AF PF"},
    {ZYDIS_MNEMONIC_BLSR, F_AF | F_PF, "BLSR: AF PF"},
    {ZYDIS_MNEMONIC_BZHI, F_AF | F_PF, "BZHI: AF PF"},
    {ZYDIS_MNEMONIC_ANDN, F_AF | F_PF, "ANDN: AF PF"},
    {ZYDIS_MNEMONIC_AAA, F_OF | F_SF | F_ZF | F_PF, "AAA: OF SF ZF PF"},
    {ZYDIS_MNEMONIC_AAS, F_OF | F_SF | F_ZF | F_PF, "AAS: OF SF ZF PF"},
    {ZYDIS_MNEMONIC_AAM, F_OF | F_AF | F_CF, "AAM: OF AF CF"},
    {ZYDIS_MNEMONIC_AAD, F_OF | F_AF | F_CF, "AAD: OF AF CF"},
    {ZYDIS_MNEMONIC_DAA, F_OF, "DAA: OF"},
    {ZYDIS_MNEMONIC_DAS, F_OF, "DAS: OF"},
};

/* the count of a shift, masked as the processor does */
static unsigned shift_count(const struct trial *t)
{
    const ZydisDecodedOperand *last = &t->ops[t->ins.operand_count_visible - 1];
    unsigned n = last->type == ZYDIS_OPERAND_TYPE_IMMEDIATE ? (unsigned)last->imm.value.u
                                                            : (unsigned)(t->before.gpr[RCX] & 0xff);

    return n & (t->ops[0].size == 64 ? 63u : 31u);
}

static bool compares_string(ZydisMnemonic mn)
{
    return mn == ZYDIS_MNEMONIC_CMPSB || mn == ZYDIS_MNEMONIC_CMPSW || mn == ZYDIS_MNEMONIC_CMPSD ||
           mn == ZYDIS_MNEMONIC_CMPSQ || mn == ZYDIS_MNEMONIC_SCASB || mn == ZYDIS_MNEMONIC_SCASW ||
           mn == ZYDIS_MNEMONIC_SCASD || mn == ZYDIS_MNEMONIC_SCASQ;
}

/* A locked access over two cache lines leaves the guest that this host is (a bus-lock exit), and a fault of the
   instruction after it has been seen to come back without RF, which no processor by itself does: SDM 3B, "Bus Locks". */
static bool locks_bus(const struct trial *t)
{
    bool lock = t->ins.mnemonic == ZYDIS_MNEMONIC_XCHG || t->ins.attributes & ZYDIS_ATTRIB_HAS_LOCK;

    for (unsigned i = 0; lock && i < t->ins.operand_count_visible; i++)
        if (t->ops[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
            return t->mem_at % 64 + t->ops[i].size / 8 > 64;
    return false;
}

static uint32_t flags_by_operation(const struct trial *t, unsigned vector)
{
    ZydisMnemonic mn = t->ins.mnemonic;

    if (compares_string(mn) && vector != 3) return F_ARITH;

    for (unsigned i = 0; i < sizeof undefined / sizeof *undefined; i++)
        if (undefined[i].mn == mn) return undefined[i].flags;
    switch ((int)mn) {
    case ZYDIS_MNEMONIC_ROL:
    case ZYDIS_MNEMONIC_ROR:
    case ZYDIS_MNEMONIC_RCL:
    case ZYDIS_MNEMONIC_RCR: return shift_count(t) > 1 ? F_OF : 0;
    case ZYDIS_MNEMONIC_SHL:
    case ZYDIS_MNEMONIC_SHR:
    case ZYDIS_MNEMONIC_SAR: {
        unsigned n = shift_count(t);
        uint32_t f = n ? F_AF : 0;
        if (n > 1) f |= F_OF;
        if (n > t->ops[0].size || (n == t->ops[0].size && n < 32))
            f |= mn == ZYDIS_MNEMONIC_SAR ? 0 : F_CF;
        return f;
    }
    case ZYDIS_MNEMONIC_SHLD:
    case ZYDIS_MNEMONIC_SHRD: {
        unsigned n = shift_count(t);
        return n == 0 ? 0 : n == 1 ? F_AF : n > t->ops[0].size ? F_ARITH : F_AF | F_OF;
    }
    default: return 0;
    }
}

uint32_t flags_undefined(const struct trial *t, unsigned vector)
{
    return flags_by_operation(t, vector) | (vector != 3 && locks_bus(t) ? F_RF : 0);
}

const char *measured_on_intel(const struct trial *t)
{
    static const uint8_t moving[] = {RBX, RSP, RBP, RSI, RDI};

    if (!t->mode32 || t->before.sel[1] == SEL_CODE32) return NULL;
    if (t->ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR)
        return "the stack of a far CALL or RET that enters 64-bit code";
    switch ((int)t->ins.mnemonic) {
    case ZYDIS_MNEMONIC_CLFLUSH:
    case ZYDIS_MNEMONIC_CLFLUSHOPT:
    case ZYDIS_MNEMONIC_CLWB: return "flushing an execute-only segment";
    default: break;
    }
    for (unsigned i = 0; i < t->ins.operand_count_visible; i++) {
        const ZydisDecodedOperand *o = &t->ops[i];
        if (o->type != ZYDIS_OPERAND_TYPE_MEMORY) continue;
        if (o->size > 64 && o->mem.segment == ZYDIS_REGISTER_SS)
            return "#GP or #SS for a misaligned operand of the stack";
        unsigned seg = (unsigned)(o->mem.segment - ZYDIS_REGISTER_ES) % 6;
        if ((uint32_t)(t->mem_at - seg_view(t->before.sel[seg], 0).base) > 0xffff0000u)
            return "the way round 4 GiB";
    }
    for (unsigned i = 0; i < sizeof moving; i++)
        if ((uint32_t)t->before.gpr[moving[i]] > 0xffff0000u) return "the way round 4 GiB";
    return NULL;
}

const char *result_undefined(const struct trial *t)
{
    ZydisMnemonic mn = t->ins.mnemonic;

    if ((mn == ZYDIS_MNEMONIC_SHLD || mn == ZYDIS_MNEMONIC_SHRD) && shift_count(t) > t->ops[0].size)
        return "SHLD, SHRD by more than the operand's size";
    return NULL;
}

uint64_t register_undefined(const struct trial *t, unsigned reg, unsigned vector)
{
    ZydisMnemonic mn = t->ins.mnemonic;

    if ((mn == ZYDIS_MNEMONIC_POPA || mn == ZYDIS_MNEMONIC_POPAD) && vector != 3) return ~0ull;
    /* Intel clears, AMD leaves the upper halves when 67h finds ECX = 0 */
    if ((t->ins.attributes &
         (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)) &&
        !t->mode32 && t->ins.address_width == 32 && (uint32_t)t->before.gpr[RCX] == 0 &&
        (reg == RCX || reg == RSI || reg == RDI))
        return ~0xffffffffull;
    if (mn == ZYDIS_MNEMONIC_LAR && ZydisRegisterGetId(t->ops[0].reg.value) == (ZyanI8)reg)
        return 0xf0000;
    return 0;
}

bool byte_undefined(const struct trial *t, uint64_t at)
{
    uint64_t d = at - t->mem_at, below_sp = t->before.gpr[RSP] - at;

    switch ((int)t->ins.mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64: return (d >= 6 && d < 24) || (d >= 28 && d < 32);
    case ZYDIS_MNEMONIC_PUSH:
        return t->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               ZydisRegisterGetClass(t->ops[0].reg.value) == ZYDIS_REGCLASS_SEGMENT &&
               below_sp + 2 <= t->ins.operand_width / 8u;
    default: return false;
    }
}

bool faults_open(const ZydisDecodedInstruction *ins)
{
    if (ins->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR) return true;
    switch ((int)ins->mnemonic) {
    case ZYDIS_MNEMONIC_FXSAVE:
    case ZYDIS_MNEMONIC_FXSAVE64:
    case ZYDIS_MNEMONIC_FXRSTOR:
    case ZYDIS_MNEMONIC_FXRSTOR64:
    case ZYDIS_MNEMONIC_IRET:
    case ZYDIS_MNEMONIC_IRETD:
    case ZYDIS_MNEMONIC_IRETQ:
    case ZYDIS_MNEMONIC_MASKMOVDQU:
    case ZYDIS_MNEMONIC_PUSHA:
    case ZYDIS_MNEMONIC_PUSHAD:
    case ZYDIS_MNEMONIC_POPA:
    case ZYDIS_MNEMONIC_POPAD: return true;
    default: return compares_string(ins->mnemonic);
    }
}

bool rip_undefined(ZydisMnemonic mn) { return mn == ZYDIS_MNEMONIC_INT1; }

void masks_print(void)
{
    for (unsigned i = 0; i < sizeof skipped / sizeof *skipped; i++)
        printf("not run   %s: %s\n", ZydisMnemonicGetString(skipped[i].mn), skipped[i].why);
    for (unsigned i = 0; i < sizeof undefined / sizeof *undefined; i++)
        printf("undefined %s\n", undefined[i].why);
    printf("undefined shifts and rotates: OF for counts other than 1, AF, CF of SHL and SHR by "
           "more than the size\n");
    printf("undefined CMPS, SCAS: flags when a repetition ends in a fault; which address, when "
           "both fault\n");
    printf("undefined REP under 67h with ECX = 0: upper halves of RCX, RSI, RDI\n");
    printf("undefined LAR: bits 19:16\n");
    printf("undefined FXSAVE: x87 pointers, MXCSR_MASK\n");
    printf("undefined FXSAVE, FXRSTOR, IRET, far CALL and RET, PUSHA, POPA, MASKMOVDQU: which "
           "address faults first\n");
    printf("undefined POPA: registers when it faults; PUSH Sreg: the bytes above the selector\n");
    printf("undefined INT1: RIP, which KVM hosts report as the instruction's own\n");
    printf(
        "undefined SHLD, SHRD: AF, OF for counts other than 1, everything by more than the size\n");
}

/* ---- decoding the maps ------------------------------------------------------------------------------------ */

bool forms_decode(unsigned bits, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *ins,
                  ZydisDecodedOperand *ops)
{
    ZydisDecoder z;

    (void)ZydisDecoderInit(&z,
                           bits == 16   ? ZYDIS_MACHINE_MODE_LONG_COMPAT_16
                           : bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                        : ZYDIS_MACHINE_MODE_LONG_64,
                           bits == 16   ? ZYDIS_STACK_WIDTH_16
                           : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                        : ZYDIS_STACK_WIDTH_64);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&z, bytes, n, ins, ops));
}

static unsigned form_bytes(const struct form *f, uint8_t *b)
{
    static const uint8_t pp[4] = {0, 0x66, 0xf3, 0xf2};
    unsigned n = 0;

    if (f->vex) {
        unsigned p = 0;
        while (pp[p] != f->prefix) p++;
        b[n++] = 0xc4;
        b[n++] = (uint8_t)(0xe0 | f->map);
        b[n++] = (uint8_t)((unsigned)f->rexw << 7 | 0x78 | p);
    } else {
        if (f->prefix) b[n++] = f->prefix;
        if (f->rexw) b[n++] = 0x48;
        if (f->map) b[n++] = 0x0f;
        if (f->map == 2) b[n++] = 0x38;
        if (f->map == 3) b[n++] = 0x3a;
    }
    b[n++] = f->opcode;
    b[n++] = f->modrm | 1;
    memset(b + n, 0x11, 15 - n);
    return 15;
}

static void form_try(struct form_list *list, struct form f, unsigned *room)
{
    ZydisDecodedInstruction ins;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t b[15];

    if (!forms_decode(f.bits, b, form_bytes(&f, b), &ins, ops) || !has_row[ins.mnemonic]) return;
    if (f.vex && ins.encoding != ZYDIS_INSTRUCTION_ENCODING_VEX) return;
    f.has_modrm = ins.attributes & ZYDIS_ATTRIB_HAS_MODRM;
    if (!f.has_modrm && f.modrm != 0) return;
    if (skip_reason(&ins, ops, f.bits != 64)) return;
    f.mnemonic = (uint16_t)ins.mnemonic;
    if (list->count == *room) {
        *room = *room ? 2 * *room : 4096;
        list->form = realloc(list->form, *room * sizeof *list->form);
        if (!list->form) abort();
    }
    list->form[list->count++] = f;
}

static int by_mnemonic(const void *a, const void *b)
{
    const struct form *x = a, *y = b;

    return x->mnemonic - y->mnemonic;
}

void forms_find(struct form_list *list, unsigned bits)
{
    static const uint8_t pp[4] = {0, 0x66, 0xf3, 0xf2};
    unsigned room = 0;

    memset(list, 0, sizeof *list);
    for (unsigned vex = 0; vex < 2; vex++)
        for (unsigned map = vex; map < 4; map++)
            for (unsigned op = 0; op < 256; op++)
                for (unsigned i = 0; i < 4 * 2 * 16; i++) {
                    unsigned p = i & 3, w = i >> 2 & 1,
                             modrm = (i >> 3 & 7) << 3 | (i >> 6 ? 0xc0u : 0);
                    if (bits != 64 && w && !vex) continue;
                    form_try(list,
                             (struct form){.bits = (uint8_t)bits,
                                           .vex = (uint8_t)vex,
                                           .prefix = pp[p],
                                           .map = (uint8_t)map,
                                           .opcode = (uint8_t)op,
                                           .rexw = (uint8_t)w,
                                           .modrm = (uint8_t)modrm},
                             &room);
                }
    qsort(list->form, list->count, sizeof *list->form, by_mnemonic);
    for (unsigned i = 0, at = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++) {
        list->first[i] = at;
        while (at < list->count && list->form[at].mnemonic == i) at++;
        if (at > list->first[i]) list->mnemonic[list->mnemonics++] = (uint16_t)i;
        list->first[i + 1] = at;
    }
}
