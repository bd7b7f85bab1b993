/*
 * decode.h - bytes to op. The only file pair that knows Zydis (with the disassembly view).
 */
#ifndef CPU_DECODE_H
#define CPU_DECODE_H

#include "cpu/cpu.h"

/* Decode context: everything but the bytes that decides what they mean and whether the context
 * refuses them. Part of a block's key. */
#define CTX_MODE 0x3u    /* 0 = 16-bit, 1 = 32-bit, 2 = 64-bit code */
#define CTX_LONG 0x4u    /* EFER.LMA */
#define CTX_SS32 0x8u    /* SS.B (or 64-bit mode) */
#define CTX_TS 0x10u     /* CR0.TS */
#define CTX_EM 0x20u     /* CR0.EM */
#define CTX_OSFXSR 0x40u /* CR4.OSFXSR */
#define CTX_MP 0x80u     /* CR0.MP */
#define CTX_REAL 0x100u  /* not protected mode, or virtual-8086 */
#define CTX_LIMIT 0x200u /* not 64-bit code, and CS ends below 4 GiB: the limit is asked at each block */

uint32_t decode_context(const struct cpu *c);

enum priv_class {
    PRIV_NONE, PRIV_CPL0, PRIV_IOPL, PRIV_IO, PRIV_UMIP, PRIV_TSD, PRIV_PCE, PRIV_SSE, PRIV_X87
};

/** What one decoding yields beside the op. */
struct decoded {
    uint8_t length;
    uint8_t seen;     /* bytes that decided: more than length where an undefined opcode ends nowhere */
    uint8_t priv;     /* enum priv_class of the row */
    uint16_t id;      /* row of ops.def; OPS_NONE for refusals and gaps */
    uint32_t ticks;   /* static price */
    bool ends;        /* a block must end after it */
    int8_t cc;        /* condition of a Jcc within the page (a fusing candidate's second half), else -1 */
    op_fn plain;      /* == op->fn when decoded alone */
};
#define OPS_NONE 0xffffu

enum decode_status {
    DECODE_OK,
    DECODE_MORE /* the bytes at hand end within the instruction */
};

/**
 * decode_one - decode the instruction at bytes[0..avail) into op.
 * @page_off  page offset of the block's start: branches within the page get cheaper handlers
 * @ip_off    distance from the block's start (for RIP-relative operands and next-RIP)
 * An undefined opcode yields an op that raises #UD, a too long one #GP(0), a known one without a
 * handler an op that stops with a gap. With avail >= 15 never DECODE_MORE.
 */
enum decode_status decode_one(const struct cpu *c, uint32_t ctx, const uint8_t *bytes, unsigned avail,
                              unsigned page_off, unsigned ip_off, struct op *op, struct decoded *d);

/** What decoding keeps between calls, owned by the CPU (free() it); NULL without host memory. */
struct decoder *decoder_new(void);

/** Judge what the decode context decides (SSE and x87 availability), reporting passed rules too. */
bool decode_priv_check(struct cpu *c, unsigned priv);
/** For one who listens to passed checks: all that decoding has asked about this instruction. The length of
 *  one with all of its 15 bytes, the feature of one that not every processor has, decode_priv_check. */
bool decode_checks(struct cpu *c, unsigned id, unsigned length);

/** The price table's name for the instruction that these bytes begin with: "add_r32_m32". False for bytes
 *  that are no instruction, or one without a row of ops.def. Whether the processor has it is not asked. */
#define DECODE_FORM 64
bool decode_form(bool mode64, const uint8_t bytes[15], char form[DECODE_FORM]);

/** Static facts of a row of ops.def, for listings. NULL past the end. */
const char *decode_row_name(unsigned id, enum priv_class *priv, const char **manual);

#endif
