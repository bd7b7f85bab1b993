/*
 * test_engine.c - the engine's corners: time inside a block, links between blocks, code that changes,
 * limits of the code segment, instructions across pages. Where an answer could depend on how a run is
 * chopped up, the reference engine or another chopping says what it must be.
 */
#include "arch/bits.h"
#include "ringside/ringside.h"
#include "tests/check_main.h"

#include <string.h>

enum {
    CODE = 0x100000,
    TABLES = 0x200000, /* identity: PML4, PDPT, page directories from + 2 pages on */
    GDT = 0x210000,
    IDT = 0x211000,
    STACK = 0x240000,
    DATA = 0x400000,
    HANDLER = 0x300000,
    FLAT_DATA = ATTR_G | ATTR_P | ATTR_S | ATTR_DB | 3
};

struct box {
    rs_machine *m;
    struct rs_stop_info stop;
    char hash[33];
};

static void poke(struct box *b, uint64_t at, const void *bytes, size_t n)
{
    ck_assert_int_eq(rs_phys_write(b->m, at, bytes, n), RS_OK);
}
static void poke64(struct box *b, uint64_t at, uint64_t v) { poke(b, at, &v, 8); }
#define CODE_AT(b, at, ...)                                                                        \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        poke((b), (at), bytes_, sizeof bytes_);                                                    \
    } while (0)

static void reg(struct box *b, unsigned id, uint64_t v)
{
    ck_assert_int_eq(rs_reg_write(b->m, 0, id, v), RS_OK);
}
static uint64_t get(struct box *b, unsigned id)
{
    uint64_t v = 0;
    ck_assert_int_eq(rs_reg_read(b->m, 0, id, &v), RS_OK);
    return v;
}

/* 64-bit ring 0 at CODE; each vector's handler is JMP to itself. */
static struct box box_new(unsigned engine, const char *cost)
{
    static const uint8_t nop[] = {0x90};
    struct box b = {NULL, {0}, ""};
    struct rs_config k;
    char error[200];

    rs_config_init(&k);
    k.mem_bytes = 16u << 20;
    k.engine = engine;
    if (cost) k.cost = cost;
    ck_assert_msg(rs_create(&k, &b.m, error, sizeof error) == RS_OK, "%s", error);
    ck_assert_int_eq(rs_load_flat(b.m, nop, 1, CODE, CODE, RS_FLAT_LONG64, TABLES), RS_OK);
    poke64(&b, GDT + 8, 0x00af9b000000ffff);
    poke64(&b, GDT + 16, 0x00cf93000000ffff);
    for (uint64_t v = 0; v < 256; v++) {
        uint64_t at = HANDLER + 16 * v;
        poke64(&b, IDT + 16 * v, (at & 0xffff) | 8u << 16 | 0x8eull << 40 | (at & 0xffff0000) << 32);
        CODE_AT(&b, at, 0xeb, 0xfe);
    }
    reg(&b, RS_REG_GDTR_BASE, GDT);
    reg(&b, RS_REG_GDTR_LIMIT, 0x3f);
    reg(&b, RS_REG_IDTR_BASE, IDT);
    reg(&b, RS_REG_IDTR_LIMIT, 0xfff);
    reg(&b, RS_REG_CS, 8);
    reg(&b, RS_REG_SS, 16);
    reg(&b, RS_REG_RSP, STACK);
    reg(&b, RS_REG_RFLAGS, 2);
    return b;
}

static void go(struct box *b, uint64_t insns, uint64_t cycles)
{
    struct rs_limits l = {.struct_size = sizeof l, .insns = insns, .cycles = cycles};

    ck_assert_int_eq(rs_run(b->m, &l, &b->stop), RS_OK);
    ck_assert_int_eq(rs_state_hash(b->m, b->hash), RS_OK);
}

/* Compatibility or 16-bit code from `base` on, `limit` long, and a stack segment. */
static void compat(struct box *b, bool wide, uint64_t base, uint64_t limit, bool wide_stack)
{
    reg(b, RS_REG_ES + 1 + (RS_REG_ES_BASE - RS_REG_ES), base);
    reg(b, RS_REG_ES_LIMIT + 1, limit);
    reg(b, RS_REG_ES_ATTR + 1, ATTR_P | ATTR_S | 11u | (wide ? ATTR_DB : 0u));
    for (unsigned s = 0; s < 6; s++) {
        if (s == 1) continue;
        reg(b, RS_REG_ES_BASE + s, 0);
        reg(b, RS_REG_ES_LIMIT + s, 0xffffffff);
        reg(b, RS_REG_ES_ATTR + s, FLAT_DATA);
    }
    if (wide_stack) return;
    reg(b, RS_REG_ES_BASE + 2, STACK);
    reg(b, RS_REG_ES_LIMIT + 2, 0xffff);
    reg(b, RS_REG_ES_ATTR + 2, ATTR_P | ATTR_S | 3u);
}

/* ---- time ---------------------------------------------------------------------------------------------- */

START_TEST(a_walk_within_a_block_does_not_carry_it_past_a_cycle_limit)
{
    /* MOV RAX,[DATA]; then 20 NOPs; JMP self: the walk takes up what was left */
    for (uint64_t cycles = 1; cycles < 120; cycles++) {
        struct box b[2] = {box_new(RS_ENGINE_FAST, NULL), box_new(RS_ENGINE_REFERENCE, NULL)};
        for (unsigned i = 0; i < 2; i++) {
            CODE_AT(&b[i], CODE, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0x40, 0, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90,
                    0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xeb, 0xfe);
            go(&b[i], 0, cycles);
        }
        ck_assert_uint_eq(b[0].stop.insns, b[1].stop.insns);
        ck_assert_str_eq(b[0].hash, b[1].hash);
        for (unsigned i = 0; i < 2; i++) rs_destroy(b[i].m);
    }
}
END_TEST

/* ---- where the engine goes on ---------------------------------------------------------------------------- */

START_TEST(an_interrupt_between_two_blocks_does_not_become_their_link)
{
    /* The timer's interrupt comes exactly when a block ends whose successor is not known yet: in the first
     * round of a loop of jumps to the next jump. */
    for (unsigned count = 1; count < 18; count++) {
        struct box b = box_new(RS_ENGINE_FAST, "unit");
        uint8_t code[500];
        unsigned n = 0, apic = 0xfee00000u;

        CODE_AT(&b, HANDLER + 16 * 0x40, 0x48, 0xff, 0xc3, 0xc7, 0x81, 0xb0, 0, 0, 0, 0, 0, 0, 0, 0xeb, 1);
        CODE_AT(&b, HANDLER + 16 * 0x41, 0x48, 0xcf); /* INC RBX; MOV [RCX+EOI],0; IRETQ */
        /* LAPIC timer: one shot, `count` bus cycles of 10 */
        static const uint8_t arm[] = {0xc7, 0x81, 0xf0, 0, 0, 0, 0xff, 1, 0, 0,  /* SVR */
                                      0xc7, 0x81, 0xe0, 3, 0, 0, 0x0b, 0, 0, 0,  /* divide by 1 */
                                      0xc7, 0x81, 0x20, 3, 0, 0, 0x40, 0, 0, 0,  /* LVT: vector 40h */
                                      0xc7, 0x81, 0x80, 3, 0, 0};
        memcpy(code, arm, sizeof arm);
        n = sizeof arm;
        memcpy(code + n, &(uint32_t){count}, 4);
        n += 4;
        code[n++] = 0xfb; /* STI */
        for (unsigned i = 0; i < 180; i++) { /* JMP +0 */
            code[n++] = 0xeb;
            code[n++] = 0x00;
        }
        /* DEC RDX; JNZ to the first NOP; JMP self */
        static const uint8_t again[] = {0x48, 0xff, 0xca, 0x0f, 0x85};
        memcpy(code + n, again, sizeof again);
        n += sizeof again;
        int32_t back = (int32_t)(sizeof arm + 5) - (int32_t)(n + 4);
        memcpy(code + n, &back, 4);
        n += 4;
        code[n++] = 0xeb;
        code[n++] = 0xfe;
        poke(&b, CODE, code, n);
        poke64(&b, TABLES + 4096 + 8 * 3, (TABLES + 5 * 4096) | 3);
        poke64(&b, TABLES + 5 * 4096 + 8 * 0x1f7, apic | 0x83);
        reg(&b, RS_REG_RCX, apic);
        reg(&b, RS_REG_RBX, 0);
        reg(&b, RS_REG_RDX, 20);
        go(&b, 20000, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RBX), 1); /* the timer came once */
        ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + n - 2);
        ck_assert_uint_eq(get(&b, RS_REG_RSP), STACK);
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(a_rip_set_from_outside_is_where_the_run_goes_on)
{
    for (uint64_t n = 1; n < 12; n++) {
        struct box b = box_new(RS_ENGINE_FAST, NULL);
        CODE_AT(&b, CODE, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0,
                0xff, 0xc0, 0xff, 0xc0, 0xff, 0xc0, 0xeb, 0xfe); /* INC EAX ten times */
        CODE_AT(&b, CODE + 0x800, 0xff, 0xc3, 0xeb, 0xfe);       /* INC EBX */
        reg(&b, RS_REG_RAX, 0);
        reg(&b, RS_REG_RBX, 0);
        go(&b, n, 0);
        reg(&b, RS_REG_RIP, CODE + 0x800);
        go(&b, 2, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RAX), n < 10 ? n : 10);
        ck_assert_uint_eq(get(&b, RS_REG_RBX), 1);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 0x802);
        reg(&b, RS_REG_RIP, CODE + 20); /* and the old place is what it was */
        go(&b, 5, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 20);
        ck_assert_uint_eq(get(&b, RS_REG_RBX), 1);
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(a_rep_elsewhere_does_not_inherit_the_start_of_one_that_was_left)
{
    /* REP STOSB is left at a cycle limit; what another one costs does not depend on it */
    uint64_t cycles[2];

    for (unsigned left = 0; left < 2; left++) {
        struct box b = box_new(RS_ENGINE_FAST, NULL);
        CODE_AT(&b, CODE, 0xf3, 0xaa, 0xf3, 0xaa, 0xeb, 0xfe);
        reg(&b, RS_REG_RDI, DATA);
        reg(&b, RS_REG_RCX, left ? 100000 : 10);
        go(&b, left ? 0 : 1, left ? 3000 : 0);
        reg(&b, RS_REG_RIP, CODE + 2);
        reg(&b, RS_REG_RDI, DATA);
        reg(&b, RS_REG_RCX, 64);
        uint64_t before = b.stop.cycles;
        go(&b, 1, 0);
        cycles[left] = b.stop.cycles - before;
        rs_destroy(b.m);
    }
    ck_assert_uint_eq(cycles[0], cycles[1]);
}
END_TEST

/* ---- single steps ------------------------------------------------------------------------------------------ */

START_TEST(a_trap_after_a_load_of_ss_waits_for_the_next_instruction)
{
    struct box b = box_new(RS_ENGINE_FAST, NULL);

    CODE_AT(&b, CODE, 0x8e, 0xd0, 0x90, 0x90, 0x90); /* MOV SS,EAX; NOP; NOP */
    reg(&b, RS_REG_RAX, 16);
    reg(&b, RS_REG_RFLAGS, 0x102);
    go(&b, 3, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16);
    uint64_t rip = 0;
    ck_assert_int_eq(rs_phys_read(b.m, get(&b, RS_REG_RSP), &rip, 8), RS_OK);
    ck_assert_uint_eq(rip, CODE + 3); /* after the NOP */
    rs_destroy(b.m);
}
END_TEST

START_TEST(a_syscall_that_clears_tf_is_not_followed_by_a_trap)
{
    for (unsigned keeps = 0; keeps < 2; keeps++) {
        struct box b = box_new(RS_ENGINE_FAST, NULL);

        CODE_AT(&b, CODE, 0x0f, 0x05);
        CODE_AT(&b, CODE + 0x100, 0xeb, 0xfe);
        reg(&b, RS_REG_EFER, get(&b, RS_REG_EFER) | EFER_SCE);
        reg(&b, RS_REG_STAR, 8ull << 32);
        reg(&b, RS_REG_LSTAR, CODE + 0x100);
        reg(&b, RS_REG_FMASK, keeps ? 0 : RF_TF);
        reg(&b, RS_REG_RFLAGS, 0x102);
        go(&b, 4, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), keeps ? HANDLER + 16 : CODE + 0x100);
        ck_assert_uint_eq(get(&b, RS_REG_R11), 0x102);
        rs_destroy(b.m);
    }
}
END_TEST

/* ---- code that changes ----------------------------------------------------------------------------------------- */

START_TEST(an_undefined_opcode_whose_second_byte_changes_is_decoded_anew)
{
    for (unsigned engine = RS_ENGINE_FAST; engine <= RS_ENGINE_REFERENCE; engine++) {
        struct box b = box_new(engine, NULL);
        /* 0F 04 is nothing; 04 lies in the next line of 64 bytes; 0F 31 is RDTSC */
        CODE_AT(&b, CODE + 63, 0x0f, 0x04, 0xeb, 0xfe);
        reg(&b, RS_REG_RIP, CODE + 63);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16 * VEC_UD);
        CODE_AT(&b, CODE + 64, 0x31);
        reg(&b, RS_REG_RIP, CODE + 63);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 65);
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(a_rep_that_writes_over_itself_becomes_what_it_wrote_however_the_run_is_cut)
{
    /* REP STOSB at CODE, from 8 bytes before it: its own bytes become NOPs (and what follows, as far as
     * it got), whether or not a limit stops it on its way; and the same across a page end */
    static const uint64_t at[] = {CODE + 0x40, CODE + 0xfff};

    for (unsigned where = 0; where < 2; where++) {
        struct box b[3] = {box_new(RS_ENGINE_FAST, NULL), box_new(RS_ENGINE_REFERENCE, NULL),
                           box_new(RS_ENGINE_FAST, NULL)};
        for (unsigned i = 0; i < 3; i++) {
            CODE_AT(&b[i], at[where], 0xf3, 0xaa, 0xeb, 0xfe);
            reg(&b[i], RS_REG_RIP, at[where]);
            reg(&b[i], RS_REG_RDI, at[where] - 8);
            reg(&b[i], RS_REG_RAX, 0x90);
            reg(&b[i], RS_REG_RCX, 100);
            uint64_t before = b[i].stop.cycles;
            if (i < 2) go(&b[i], 0, 4000);
            else while (b[i].stop.cycles < before + 4000) go(&b[i], 0, 1);
            ck_assert_uint_eq(get(&b[i], RS_REG_RIP), at[where] + 2);
            ck_assert_msg(get(&b[i], RS_REG_RCX) == 91, "%u %u: %u", where, i, (unsigned)get(&b[i], RS_REG_RCX));
            ck_assert_str_eq(b[0].hash, b[i].hash);
            rs_destroy(b[i].m);
        }
    }
}
END_TEST

/* ---- code segments with limits, narrow stacks --------------------------------------------------------------------- */

START_TEST(a_code_segments_limit_holds_however_often_the_code_has_run)
{
    for (unsigned engine = RS_ENGINE_FAST; engine <= RS_ENGINE_REFERENCE; engine++) {
        struct box b = box_new(engine, NULL);
        uint8_t nops[0x200];

        memset(nops, 0x90, sizeof nops);
        poke(&b, CODE, nops, sizeof nops);
        /* INC EBX; JMP 10h: three times round, with a wide limit, then with one in the middle */
        CODE_AT(&b, CODE + 0x180, 0x43, 0xe9, 0x8a, 0xfe, 0xff, 0xff);
        for (unsigned round = 0; round < 2; round++) {
            compat(&b, true, CODE, round ? 0x150 : 0xffff, true);
            reg(&b, RS_REG_RIP, 0x10);
            reg(&b, RS_REG_RSP, STACK);
            reg(&b, RS_REG_RBX, 0);
            go(&b, 100000, 0);
            ck_assert_uint_eq(get(&b, RS_REG_RBX) > 0, !round);
        }
        ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16 * VEC_GP);
        uint64_t rip = 0;
        ck_assert_int_eq(rs_phys_read(b.m, get(&b, RS_REG_RSP) + 8, &rip, 8), RS_OK);
        ck_assert_uint_eq(rip, 0x151);
        /* run it again and again: the same place */
        for (unsigned i = 0; i < 3; i++) {
            compat(&b, true, CODE, 0x150, true);
            reg(&b, RS_REG_CS, 8);
            reg(&b, RS_REG_RIP, 0x10);
            reg(&b, RS_REG_RSP, STACK);
            go(&b, 100000, 0);
            ck_assert_int_eq(rs_phys_read(b.m, get(&b, RS_REG_RSP) + 8, &rip, 8), RS_OK);
            ck_assert_uint_eq(rip, 0x151);
        }
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(a_call_pushes_at_the_top_of_a_16_bit_stack_that_wraps)
{
    struct box b = box_new(RS_ENGINE_FAST, NULL);

    CODE_AT(&b, CODE, 0xe8, 0x03, 0, 0, 0);
    compat(&b, true, CODE, 0xffff, false);
    reg(&b, RS_REG_RIP, 0);
    reg(&b, RS_REG_RSP, 0);
    go(&b, 1, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), 8);
    ck_assert_uint_eq(get(&b, RS_REG_RSP), 0xfffc);
    rs_destroy(b.m);
}
END_TEST

START_TEST(short_branches_of_16_bit_code_wrap_at_64_kib)
{
    static const uint8_t ops[] = {0xeb, 0x73, 0xe2, 0xe3}; /* JMP, JNC, LOOP, JCXZ */

    for (unsigned i = 0; i < sizeof ops; i++) {
        struct box b = box_new(RS_ENGINE_FAST, NULL);
        const uint8_t code[] = {ops[i], 0xf0};
        poke(&b, CODE + 2, code, 2);
        compat(&b, false, CODE, 0xffff, true);
        reg(&b, RS_REG_RCX, ops[i] == 0xe3 ? 0 : 5);
        reg(&b, RS_REG_RIP, 2);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), 0xfff4);
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(operand_size_66h_leaves_near_branches_of_64_bit_code_alone)
{
    struct box b = box_new(RS_ENGINE_FAST, NULL);

    CODE_AT(&b, CODE, 0x66, 0xe8, 0x02, 0, 0, 0, 0x90, 0x90, 0x66, 0xc3); /* CALL +2; ...; RET */
    go(&b, 1, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 8);
    ck_assert_uint_eq(get(&b, RS_REG_RSP), STACK - 8);
    go(&b, 1, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 6);
    ck_assert_uint_eq(get(&b, RS_REG_RSP), STACK);
    CODE_AT(&b, CODE + 6, 0x66, 0xff, 0xe0); /* JMP RAX */
    reg(&b, RS_REG_RAX, CODE + 0x100);
    go(&b, 1, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 0x100);
    CODE_AT(&b, CODE + 0x100, 0x66, 0xff, 0x14, 0x25, 0, 0, 0x40, 0); /* CALL [DATA] */
    poke64(&b, DATA, CODE + 0x200);
    go(&b, 1, 0);
    ck_assert_uint_eq(get(&b, RS_REG_RIP), CODE + 0x200);
    ck_assert_uint_eq(get(&b, RS_REG_RSP), STACK - 8);
    rs_destroy(b.m);
}
END_TEST

/* ---- instructions across pages ------------------------------------------------------------------------------------ */

START_TEST(an_instruction_that_runs_into_the_hole_of_addresses_is_a_protection_fault)
{
    for (unsigned engine = RS_ENGINE_FAST; engine <= RS_ENGINE_REFERENCE; engine++) {
        struct box b = box_new(engine, NULL);
        uint64_t top = 0x00007fffffffffff;

        /* the last page of the lower half, and the first of the upper half, which must not be looked at */
        poke64(&b, TABLES + 8 * 255, 0x500000 | 3);
        poke64(&b, TABLES + 8 * 256, 0x503000 | 3);
        poke64(&b, 0x500000 + 8 * 511, 0x501000 | 3);
        poke64(&b, 0x501000 + 8 * 511, 0x502000 | 3);
        poke64(&b, 0x502000 + 8 * 511, 0x600000 | 3);
        poke64(&b, 0x503000, 0x504000 | 3);
        poke64(&b, 0x504000, 0x505000 | 3);
        poke64(&b, 0x505000, 0x601000 | 3);
        CODE_AT(&b, 0x600fff, 0x0f, 0x31);
        reg(&b, RS_REG_RIP, top);
        reg(&b, RS_REG_RAX, 0);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16 * VEC_GP);
        uint64_t rip = 0;
        ck_assert_int_eq(rs_phys_read(b.m, get(&b, RS_REG_RSP) + 8, &rip, 8), RS_OK);
        ck_assert_uint_eq(rip, top);
        rs_destroy(b.m);
    }
}
END_TEST

START_TEST(an_instruction_across_the_code_limit_at_a_page_end_does_not_touch_the_next_page)
{
    for (unsigned engine = RS_ENGINE_FAST; engine <= RS_ENGINE_REFERENCE; engine++) {
        struct box b = box_new(engine, NULL);

        poke64(&b, TABLES + 8192 + 8 * 1, 0x500000 | 3); /* 2 MiB..4 MiB in pages of 4 KiB */
        for (uint64_t i = 0; i < 512; i++) poke64(&b, 0x500000 + 8 * i, (0x200000 + i * 4096) | 3);
        poke64(&b, 0x500000 + 8 * 0x51, 0); /* 251000h is absent */
        reg(&b, RS_REG_CR3, TABLES);
        CODE_AT(&b, 0x250ffe, 0x05, 0); /* ADD EAX,imm32 */
        compat(&b, true, 0x250000, 0xfff, true);
        reg(&b, RS_REG_RIP, 0xffe);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16 * VEC_GP);
        rs_destroy(b.m);
    }
}
END_TEST

/* ---- devices ---------------------------------------------------------------------------------------------- */

static bool count(void *ctx, rs_machine *m, const struct rs_event *e)
{
    (void)m;
    (void)e;
    ++*(unsigned *)ctx;
    return false;
}

START_TEST(a_device_is_not_read_for_a_push_that_cannot_be_made)
{
    static const uint8_t ops[] = {0x30, 0x10}; /* PUSH [RAX], CALL [RAX] */

    for (unsigned i = 0; i < 2; i++) {
        struct box b = box_new(RS_ENGINE_FAST, NULL);
        const uint8_t code[] = {0xff, ops[i]};
        unsigned reads = 0, id;

        poke(&b, CODE, code, 2);
        poke64(&b, IDT + 16 * VEC_PF, (HANDLER + 16 * VEC_PF) % 65536 | 8u << 16 | 1ull << 32 | 0x8eull << 40 |
                                          (uint64_t)(HANDLER & 0xffff0000) << 32);
        poke64(&b, 0x212000 + 36, STACK); /* IST1 */
        reg(&b, RS_REG_ES_BASE + 7, 0x212000);
        reg(&b, RS_REG_ES_LIMIT + 7, 0x67);
        poke64(&b, TABLES + 8192 + 8 * 3, 0); /* 6 MiB..8 MiB is absent */
        reg(&b, RS_REG_CR3, TABLES);
        reg(&b, RS_REG_RSP, 0x600100);
        reg(&b, RS_REG_RAX, 0xd0000000);
        ck_assert_int_eq(rs_observer_add(b.m, RS_MASK(RS_EV_MMIO), false, count, &reads, &id), RS_OK);
        go(&b, 1, 0);
        ck_assert_uint_eq(get(&b, RS_REG_RIP), HANDLER + 16 * VEC_PF);
        ck_assert_uint_eq(reads, 0);
        reg(&b, RS_REG_RIP, CODE);
        reg(&b, RS_REG_RSP, STACK);
        go(&b, 1, 0);
        ck_assert_uint_eq(reads, 1);
        rs_destroy(b.m);
    }
}
END_TEST

RUN_TESTS("engine", a_walk_within_a_block_does_not_carry_it_past_a_cycle_limit,
          an_interrupt_between_two_blocks_does_not_become_their_link,
          a_rip_set_from_outside_is_where_the_run_goes_on, a_rep_elsewhere_does_not_inherit_the_start_of_one_that_was_left,
          a_trap_after_a_load_of_ss_waits_for_the_next_instruction,
          a_syscall_that_clears_tf_is_not_followed_by_a_trap,
          an_undefined_opcode_whose_second_byte_changes_is_decoded_anew,
          a_rep_that_writes_over_itself_becomes_what_it_wrote_however_the_run_is_cut,
          a_code_segments_limit_holds_however_often_the_code_has_run,
          a_call_pushes_at_the_top_of_a_16_bit_stack_that_wraps, short_branches_of_16_bit_code_wrap_at_64_kib,
          operand_size_66h_leaves_near_branches_of_64_bit_code_alone,
          an_instruction_that_runs_into_the_hole_of_addresses_is_a_protection_fault,
          an_instruction_across_the_code_limit_at_a_page_end_does_not_touch_the_next_page,
          a_device_is_not_read_for_a_push_that_cannot_be_made)
