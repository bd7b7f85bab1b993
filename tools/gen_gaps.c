/*
 * gen_gaps.c - arch/gaps.def from the opcode maps: what the default processor model promises by its
 * feature bits and no row of arch/ops.def executes. Built with the tests, which compare.
 *
 *   gen_gaps            print the table
 *   gen_gaps FILE       exit 1, saying where, if FILE is not what would be printed
 */
#include <Zydis/Zydis.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tables --------------------------------------------------------------------------------------- */

enum feature {
#define FEATURE(id, ...) FEAT_##id,
#include "arch/features.def"
#undef FEATURE
    FEAT_COUNT,
    FEAT_NONE
};

enum { DEFAULT_LEVEL = 3 }; /* x86-64-v3: arch/cpus.def */
static const bool on[FEAT_NONE + 1] = {
#define FEATURE(id, name, leaf, sub, reg, bit, have, cr4, level, text)                             \
    [FEAT_##id] = have && level <= DEFAULT_LEVEL,
#include "arch/features.def"
#undef FEATURE
    [FEAT_NONE] = true};

enum row { ROW_NONE, ROW_OFF, ROW_ON };
#define ROW_OF(mn, feature) [ZYDIS_MNEMONIC_##mn] = FEAT_##feature + 1,
static const uint8_t row_feature[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
#define INSN(mn, handler, feature, priv, manual) ROW_OF(mn, feature)
#define FAMILY(mn, family, kind, feature, priv, manual) ROW_OF(mn, feature)
#define CORE(mn, family, kind, feature, priv, manual) ROW_OF(mn, feature)
#include "arch/ops.def"
#undef INSN
#undef FAMILY
#undef CORE
};

static enum row row_of(ZydisMnemonic mn)
{
    unsigned f = row_feature[mn];

    return f == 0 ? ROW_NONE : on[f - 1] ? ROW_ON : ROW_OFF;
}

static bool promised(ZydisISASet set)
{
    switch ((int)set) {
#define ISA(set, feature)                                                                          \
    case ZYDIS_ISA_SET_##set:                                                                      \
        return on[FEAT_##feature];
#include "arch/isa.def"
#undef ISA
    default: return false;
    }
}

/* ---- one instruction ------------------------------------------------------------------------------------ */

static const char *gaps[ZYDIS_MNEMONIC_MAX_VALUE + 1]; /* why, by mnemonic */

static const char *why(ZydisISASet set)
{
    switch ((int)set) {
    case ZYDIS_ISA_SET_X87:
    case ZYDIS_ISA_SET_FCMOV:
    case ZYDIS_ISA_SET_PPRO: return "x87 floating point";
    case ZYDIS_ISA_SET_PENTIUMMMX:
    case ZYDIS_ISA_SET_SSE2MMX: return "MMX registers";
    case ZYDIS_ISA_SET_SSE:
    case ZYDIS_ISA_SET_SSE2: return "SSE floating point";
    default: return ZydisISASetGetString(set);
    }
}

static void look(const ZydisDecoder *z, const uint8_t *bytes)
{
    ZydisDecodedInstruction ins;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    bool mmx = false;

    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(z, bytes, 15, &ins, ops))) return;
    if (ins.meta.isa_ext == ZYDIS_ISA_EXT_KNC) return;
    enum row row = row_of(ins.mnemonic);
    for (unsigned i = 0; i < ins.operand_count_visible; i++)
        mmx |= ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
               ZydisRegisterGetClass(ops[i].reg.value) == ZYDIS_REGCLASS_MMX;
    if (row == ROW_NONE && promised(ins.meta.isa_set)) gaps[ins.mnemonic] = why(ins.meta.isa_set);
    if (row == ROW_ON && mmx) gaps[ins.mnemonic] = "its MMX form";
    /* the one row whose pick says no: cpu/exec_sse.c */
    if (ins.mnemonic == ZYDIS_MNEMONIC_CMPSD && ins.meta.isa_set == ZYDIS_ISA_SET_SSE2)
        gaps[ins.mnemonic] = "its SSE2 form";
}

/* ---- all of them ------------------------------------------------------------------------------------------ */

static void look_at_maps(ZydisMachineMode mode, ZydisStackWidth width, bool rex)
{
    static const uint8_t pp[4] = {0, 0x66, 0xf3, 0xf2};
    ZydisDecoder z;

    (void)ZydisDecoderInit(&z, mode, width);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
    (void)ZydisDecoderEnableMode(&z, ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
    for (unsigned map = 0; map < 4; map++)
        for (unsigned p = 0; p < (rex ? 8u : 4u); p++)
            for (unsigned code = 0; code < 0x10000; code++) {
                uint8_t b[16] = {0};
                unsigned n = 0;
                if (p & 3) b[n++] = pp[p & 3];
                if (p & 4) b[n++] = 0x48;
                if (map) b[n++] = 0x0f;
                if (map > 1) b[n++] = map == 2 ? 0x38 : 0x3a;
                b[n++] = (uint8_t)(code >> 8);
                b[n++] = (uint8_t)code;
                look(&z, b);
            }
}

static int by_name(const void *a, const void *b)
{
    const uint16_t *x = a, *y = b;

    return strcmp(ZydisMnemonicGetString((ZydisMnemonic)*x),
                  ZydisMnemonicGetString((ZydisMnemonic)*y));
}

static void print(FILE *to)
{
    static uint16_t order[ZYDIS_MNEMONIC_MAX_VALUE + 1];
    size_t n = 0;

    for (unsigned i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
        if (gaps[i]) order[n++] = (uint16_t)i;
    qsort(order, n, sizeof *order, by_name);
    fputs("/*\n * gaps.def - instructions that the default processor model promises and nothing "
          "executes yet: exit\n"
          " * status 10. GAP(mnemonic, \"why\"). Generated: tools/gen_gaps.c decodes the opcode "
          "maps.\n */\n"
          "/* clang-format off */\n",
          to);
    for (size_t i = 0; i < n; i++)
        fprintf(to, "GAP(%s, \"%s\")\n", ZydisMnemonicGetString((ZydisMnemonic)order[i]),
                gaps[order[i]]);
    fputs("/* clang-format on */\n", to);
}

/* Is the file, line by line, what print() prints? */
static int compare(const char *path)
{
    FILE *is = fopen(path, "r"), *should = tmpfile();
    char a[300], b[300];
    unsigned line = 1;

    if (!is || !should) {
        perror(path);
        return 1;
    }
    print(should);
    rewind(should);
    for (;; line++) {
        const char *x = fgets(a, sizeof a, is), *y = fgets(b, sizeof b, should);
        if (!x && !y) break;
        if (x && y && strcmp(a, b) == 0) continue;
        fprintf(stderr, "%s:%u is not what gen_gaps prints:\n  is     %s  wanted %s", path, line,
                x ? a : "(end)\n", y ? b : "(end)\n");
        return 1;
    }
    (void)fclose(is);
    (void)fclose(should);
    printf("%s: %u lines, fresh\n", path, line - 1);
    return 0;
}

int main(int argc, char **argv)
{
    look_at_maps(ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64, true);
    look_at_maps(ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32, false);
    if (argc > 1) return compare(argv[1]);
    print(stdout);
    return 0;
}
