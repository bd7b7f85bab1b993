/*
 * native.h - the parts of native_diff: forms (what may be tried, what may differ), cases (random but
 * reproducible), the host processor and Ringside as two ways to run a case.
 *
 * Both ways see the same pages at the same addresses, in ring 3, flat, as Linux sets a program up.
 * A case ends by an exception at the latest in the INT3 that fills the code pages.
 */
#ifndef TESTS_NATIVE_H
#define TESTS_NATIVE_H

#include <Zydis/Zydis.h>
#include <ringside/ringside.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- pages ------------------------------------------------------------------------------------------ */

#define PAGE 4096u
#define CODE_AT 0x10000000u /* two pages, then nothing */
#define CODE_END 0x10002000u
#define DATA_AT 0x10010000u  /* rw rw -- ro rw ro */
#define STACK_AT 0x10020000u /* rw rw */
#define LOW_AT 0x8000u       /* rw rw: for 16-bit addresses, where the host allows it */
#define GS_BASE_AT (DATA_AT + 0x40)

struct page {
    uint32_t at;
    bool write, exec;
    uint8_t *bytes; /* the harness's own view of the host's page */
};
enum { PAGES = 12 };
extern struct page pages[PAGES];
enum { LOW_PAGES = 2 }; /* the last ones of the table */

/* ---- state ------------------------------------------------------------------------------------------ */

enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
#define F_CF 0x1u
#define F_PF 0x4u
#define F_AF 0x10u
#define F_ZF 0x40u
#define F_SF 0x80u
#define F_IF 0x200u
#define F_DF 0x400u
#define F_OF 0x800u
#define F_RF 0x10000u
#define F_AC 0x40000u
#define F_ARITH (F_CF | F_PF | F_AF | F_ZF | F_SF | F_OF)
#define SEL_CODE32 0x23u
#define SEL_DATA 0x2bu
#define SEL_CODE64 0x33u

struct state {
    uint64_t gpr[16], rip, flags;
    uint64_t fs_base, gs_base;
    uint16_t sel[6]; /* ES CS SS DS FS GS */
    uint32_t mxcsr;
    uint8_t xmm[16][16];
};

/* How a case ended. */
struct outcome {
    struct state s;
    unsigned vector; /* 255: it did not, `text` says why */
    bool spun;       /* nor did it within a second: nothing to compare */
    uint64_t error, cr2;
    char text[160];
};

/* ---- segments --------------------------------------------------------------------------------------- */

enum {
    L_CODE16 = 1,
    L_CODE16_X,
    L_CODE32,
    L_CODE32_X,
    L_DATA,
    L_READ_ONLY = 7,
    L_DOWN32,
    L_DOWN16,
    L_DOWN_READ_ONLY,
    L_ABSENT,
    L_ABSENT_CODE,
    L_STACK16,
    L_STACK32,
    L_STACK_DOWN,
    LDT_USED
};
#define SEL_LDT(i) ((uint16_t)((i) << 3 | 7))

/** The table in use: made from seed and number, the same for the host and the guest. */
extern uint64_t ldt[LDT_USED];
void ldt_make(uint64_t seed, uint64_t number);
/** Give the host's process the table; false: it may not have one. */
bool ldt_install(void);
extern bool ldt_ready; /* else flat 32- and 64-bit code alone is compared */

/** What a segment register holds after it was loaded with this selector; a flat one's base is given. */
struct seg_view {
    uint64_t base;
    uint32_t limit;
    uint16_t attr;
};
struct seg_view seg_view(uint16_t sel, uint64_t flat_base);

/* ---- forms ------------------------------------------------------------------------------------------ */

/* One way to encode one mnemonic. */
struct form {
    uint16_t mnemonic;
    uint8_t bits;   /* 64, 32, 16: of the code segment */
    uint8_t vex;    /* C4 encoding */
    uint8_t prefix; /* mandatory, 0 for none */
    uint8_t map;    /* 0 = one byte, 1 = 0F, 2 = 0F 38, 3 = 0F 3A */
    uint8_t opcode;
    uint8_t rexw;
    uint8_t modrm; /* 0xff: none; else mod (0 = memory, 3 = register) << 6 | reg << 3 */
    bool has_modrm;
};
struct form_list {
    struct form *form;
    unsigned count;
    unsigned first[ZYDIS_MNEMONIC_MAX_VALUE + 2]; /* of a mnemonic's forms, sorted */
    uint16_t mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];
    unsigned mnemonics;
};
/** Every encoding of every row of arch/ops.def that can be tried, by decoding them all. */
void forms_find(struct form_list *list, unsigned bits);
bool forms_decode(unsigned bits, const uint8_t *bytes, size_t n, ZydisDecodedInstruction *ins,
                  ZydisDecodedOperand *ops);
/** Is there a row of this mnemonic? */
bool forms_row(ZydisMnemonic mn);

/* ---- cases ------------------------------------------------------------------------------------------ */

struct rng {
    uint64_t s;
};
static inline uint64_t rnd(struct rng *r)
{
    uint64_t z = r->s += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}
static inline uint64_t below(struct rng *r, uint64_t n) { return rnd(r) % n; }
static inline bool chance(struct rng *r, unsigned percent) { return below(r, 100) < percent; }

struct poke {
    uint32_t at;
    uint8_t n, bytes[16];
};
struct trial {
    unsigned bits;    /* of the code segment */
    bool mode32;      /* 32 or 16 of them */
    bool decoded;     /* else the bytes are undefined to Zydis */
    uint32_t code_at; /* of the flag setters; the instruction itself follows */
    uint8_t code[64];
    unsigned lead, n; /* bytes of the flag setters, of all */
    ZydisDecodedInstruction ins;
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
    struct state before;
    struct poke poke[4];
    unsigned pokes;
    uint64_t mem_at; /* effective address that was aimed at */
};
/** The case of a seed and number; false: it is not to be run (forms.c says why, by skip_reason). */
bool trial_make(struct trial *t, const struct form_list *list, int only, uint64_t seed,
                uint64_t number);

/* ---- what may differ --------------------------------------------------------------------------------- */

/** Why a decoded instruction is not run at all, or NULL. */
const char *skip_reason(const ZydisDecodedInstruction *ins, const ZydisDecodedOperand *ops,
                        bool mode32);
/** RFLAGS bits that the manual leaves undefined after this instruction, which ended by `vector`. */
uint32_t flags_undefined(const struct trial *t, unsigned vector);
/** Bits of a general register, likewise. */
uint64_t register_undefined(const struct trial *t, unsigned reg, unsigned vector);
/** Is the byte of memory left open? */
bool byte_undefined(const struct trial *t, uint64_t at);
/** Is it open which of several bad addresses a fault names? */
bool faults_open(const ZydisDecodedInstruction *ins);
/** Is the RIP of the exception open? */
bool rip_undefined(ZydisMnemonic mn);
/** Why a case with the LDT's segments is not run on an AMD host, or NULL: what was measured on Intel alone. */
const char *measured_on_intel(const struct trial *t);
/** Why the result itself is undefined, or NULL. */
const char *result_undefined(const struct trial *t);
/** The tables above, printed. */
void masks_print(void);

/* ---- the two ways ------------------------------------------------------------------------------------ */

void host_setup(void);
/** The guest is a processor of the same maker. */
bool host_is_amd(void);
/** Is something of the harness itself mapped there? Then a stray access would not fault. */
bool host_maps(uint64_t address);
void host_run(const struct trial *t, struct outcome *out);
extern uint64_t host_fs_base;

struct guest;
struct guest *guest_make(unsigned engine);
void guest_free(struct guest *g);
void guest_put(struct guest *g, uint32_t at, const void *bytes, size_t n);
/** Take the table of segs.c. */
void guest_ldt(struct guest *g);
void guest_get(struct guest *g, uint32_t at, void *bytes, size_t n);
void guest_run(struct guest *g, const struct trial *t, struct outcome *out);
unsigned guest_disassemble(struct guest *g, uint64_t at, char *out, size_t size);

#endif
