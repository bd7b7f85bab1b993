/*
 * disasm.c - Zydis's decoder and formatter behind one function.
 */
#include "emu/disasm.h"

#include <Zydis/Zydis.h>

static ZydisDecoder decoder_for(enum disasm_mode mode)
{
    static const struct {
        ZydisMachineMode mode;
        ZydisStackWidth width;
    } as[] = {
        [DISASM_16] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
        [DISASM_32] = {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
        [DISASM_COMPAT16] = {ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16},
        [DISASM_COMPAT32] = {ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32},
        [DISASM_64] = {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
    };
    ZydisDecoder decoder;

    ZydisDecoderInit(&decoder, as[mode].mode, as[mode].width);
    return decoder;
}

unsigned disasm(enum disasm_mode mode, uint64_t address, const uint8_t *bytes, size_t n, bool att, char *out,
                size_t size)
{
    ZydisDecoder decoder = decoder_for(mode);
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    ZydisFormatter formatter;

    if (size) out[0] = '\0';
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, n, &insn, operands))) return 0;
    ZydisFormatterInit(&formatter, att ? ZYDIS_FORMATTER_STYLE_ATT : ZYDIS_FORMATTER_STYLE_INTEL);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE);
    ZydisFormatterSetProperty(&formatter, ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_TRUE);
    if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &insn, operands, insn.operand_count_visible,
                                                      out, size, address, NULL)))
        return 0;
    return insn.length;
}
