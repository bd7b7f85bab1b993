/*
 * test_align.c - what is aligned for each kind of operand, and which accesses are never checked. On both engines.
 * Manual: SDM 3A "Interrupt 17-Alignment Check Exception (#AC)", Table "Alignment Requirements by Data Type".
 */
#include "tests/cpu/both.h"

/* Ring 3 with AM and AC, in 64-bit or compatibility mode. */
static struct ring *strict(bool compatibility)
{
    struct ring *r = ring_new(false);

    if (compatibility) in_compatibility_mode(r, 3);
    else at_level(r, 3);
    reg(r, RS_REG_CR0, get(r, RS_REG_CR0) | CR0_AM);
    reg(r, RS_REG_CR4, get(r, RS_REG_CR4) | CR4_OSFXSR);
    reg(r, RS_REG_RFLAGS, 2 | RF_AC);
    return r;
}

struct operand {
    uint8_t code[8];
    unsigned n, alignment;
    bool compatibility;
    unsigned rest; /* an address that is this more than a multiple of the alignment is good */
};

#define TOLD "%02x%02x%02x at %u: vector %d", t->code[0], t->code[1], t->code[2], off, r->vector

/* With RBX (RSI, RDI, RSP) at each offset of 16: #AC just where that does not suit the operand. */
static void offsets(const struct operand *t)
{
    for (unsigned off = 0; off < 16; off++) {
        struct ring *r = strict(t->compatibility);
        reg(r, RS_REG_RBX, DATA + off);
        reg(r, RS_REG_RSI, DATA + off);
        reg(r, RS_REG_RDI, DATA + off);
        reg(r, RS_REG_RSP, STACK3 - 128 + off);
        reg(r, RS_REG_RCX, 1);
        poke(r, DATA + off + 4, S_DATA3 | 3, 2); /* a selector behind each offset that is loaded */
        poke(r, DATA + off + 2, S_DATA3 | 3, 2);
        try_bytes(r, t->code, t->n);
        if (off % t->alignment == t->rest) ck_assert_msg(r->faults == 0, TOLD);
        else ck_assert_msg(r->vector == VEC_AC && r->rule == RS_RULE_ALIGN_AC, TOLD);
        ring_free(r);
    }
}

BOTH(checks_101_each_operand_has_its_own_alignment)
{
    static const struct operand t[] = {
        {{0x8a, 0x03}, 2, 1, false, 0},             /* mov al, [rbx] */
        {{0x66, 0x8b, 0x03}, 3, 2, false, 0},       /* mov ax */
        {{0x8b, 0x03}, 2, 4, false, 0},             /* mov eax */
        {{0x48, 0x8b, 0x03}, 3, 8, false, 0},       /* mov rax */
        {{0x0f, 0xb7, 0x03}, 3, 2, false, 0},       /* movzx eax, word */
        {{0x48, 0x01, 0x03}, 3, 8, false, 0},       /* add [rbx], rax */
        {{0xf0, 0x0f, 0xc1, 0x03}, 4, 4, false, 0}, /* lock xadd */
        {{0x50}, 1, 8, false, 0},                   /* push rax */
        {{0x58}, 1, 8, false, 0},                   /* pop rax */
        {{0x66, 0x50}, 2, 2, false, 0},             /* push ax */
        {{0xc8, 8, 0, 0}, 4, 8, false, 0},          /* enter 8, 0 */
        {{0xa4}, 1, 1, false, 0},                   /* movsb */
        {{0x66, 0xa5}, 2, 2, false, 0},             /* movsw */
        {{0xf3, 0x48, 0xa5}, 3, 8, false, 0},       /* rep movsq */
        {{0xf3, 0xab}, 2, 4, false, 0},             /* rep stosd */
        {{0xa7}, 1, 4, false, 0},                   /* cmpsd */
        /* a word and then the base: SDM 3A "Segment Descriptor Tables" */
        {{0x0f, 0x01, 0x03}, 3, 4, true, 2},        /* sgdt */
        {{0x0f, 0x01, 0x0b}, 3, 4, true, 2},        /* sidt */
        {{0x0f, 0x01, 0x03}, 3, 8, false, 6},       /* sgdt in 64-bit mode */
        {{0x0f, 0xb4, 0x03}, 3, 4, true, 0},        /* lfs eax, 16:32 */
        {{0x66, 0x0f, 0xb4, 0x03}, 4, 2, true, 0},  /* lfs ax, 16:16 */
        {{0x8e, 0x63, 0x04}, 3, 2, true, 0},        /* mov fs, [ebx + 4] */
        {{0x0f, 0xa3, 0x03}, 3, 4, false, 0},       /* bt [rbx], eax */
        {{0x0f, 0xae, 0x1b}, 3, 4, false, 0},       /* stmxcsr */
        {{0xf3, 0x0f, 0x10, 0x03}, 4, 4, false, 0}, /* movss */
        {{0xf2, 0x0f, 0x10, 0x03}, 4, 8, false, 0}, /* movsd */
    };

    for (unsigned i = 0; i < sizeof t / sizeof *t; i++) offsets(&t[i]);
}

BOTH(checks_101_far_returns_pop_aligned_words_in_ring_3)
{
    struct ring *r = strict(false);

    reg(r, RS_REG_RSP, STACK3 - 60);
    TRY(r, 0x48, 0xcb); /* retfq */
    REFUSED(r, ALIGN_AC, AC, 0);
    ring_free(r);
    r = strict(false);
    reg(r, RS_REG_RSP, STACK3 - 60);
    TRY(r, 0x48, 0xcf); /* iretq */
    REFUSED(r, ALIGN_AC, AC, 0);
    ring_free(r);
}

/* FXSAVE asks for 16 bytes, as ever, and for no more. */
BOTH(checks_101_fxsave_is_aligned_to_16_and_not_to_its_size)
{
    struct ring *r = strict(false);

    reg(r, RS_REG_RBX, DATA + 16);
    TRY(r, 0x0f, 0xae, 0x03);
    ALLOWED(r);
    ring_free(r);
    r = strict(false);
    reg(r, RS_REG_RBX, DATA + 8);
    TRY(r, 0x0f, 0xae, 0x03);
    REFUSED(r, ALIGN_SSE, GP, 0);
    ring_free(r);
}

/* Descriptors, gates and the handler's stack are read and written by the processor for itself. */
BOTH(checks_101_implicit_accesses_are_never_checked)
{
    struct ring *r = strict(false);

    for (unsigned i = 0; i < 16; i++) poke(r, DATA + 1 + 8 * i, peek(r, GDT + 8 * i, 8), 8);
    reg(r, RS_REG_GDTR_BASE, DATA + 1);
    reg(r, RS_REG_RAX, S_DATA3 | 3);
    TRY(r, 0x8e, 0xd8); /* mov ds, eax */
    ALLOWED(r);
    TRY(r, 0xcd, 0x80);
    ck_assert_int_eq(r->vector, 0x80);
    ck_assert_uint_eq(r->faults, 0);
    ring_free(r);
}

BOTH(checks_101_a_misaligned_access_to_no_page_is_ac_and_leaves_cr2)
{
    struct ring *r = strict(false);

    reg(r, RS_REG_CR2, 0x1234);
    reg(r, RS_REG_RBX, 0x7ffffff001);
    TRY(r, 0x8b, 0x03);
    REFUSED(r, ALIGN_AC, AC, 0);
    ck_assert_uint_eq(get(r, RS_REG_CR2), 0x1234);
    ring_free(r);
    r = strict(false);
    reg(r, RS_REG_RBX, NON_CANON + 1); /* but #GP comes first */
    TRY(r, 0x8b, 0x03);
    ck_assert_int_eq(r->vector, VEC_GP);
    ring_free(r);
}

RUN_TESTS("cpu/align", checks_101_each_operand_has_its_own_alignment,
          checks_101_far_returns_pop_aligned_words_in_ring_3,
          checks_101_fxsave_is_aligned_to_16_and_not_to_its_size,
          checks_101_implicit_accesses_are_never_checked,
          checks_101_a_misaligned_access_to_no_page_is_ac_and_leaves_cr2)
