/*
 * disasm.h - the disassembly view: bytes to text. Nothing that executes looks here.
 */
#ifndef EMU_DISASM_H
#define EMU_DISASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DISASM_BYTES_MAX 15u

/** What a code segment makes of bytes. */
enum disasm_mode { DISASM_16, DISASM_32, DISASM_COMPAT16, DISASM_COMPAT32, DISASM_64 };

/** One instruction at `address` as Intel or AT&T text; its length, 0 if the bytes are none. */
unsigned disasm(enum disasm_mode mode, uint64_t address, const uint8_t *bytes, size_t n, bool att, char *out,
                size_t size);

#endif
