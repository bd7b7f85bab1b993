/*
 * ring.h - a little world for tests of protection: tables in known places, a handler per vector,
 * one instruction put under the CPU at a chosen level, and what came of it. Everything goes through
 * the public header, so what is tested is what rs_run does.
 *
 *   CODE    the instruction        GDT, IDT, TSS   as below (long mode or 32-bit protected mode)
 *   HANDLER + 16 v  handler of v: JMP to itself            DATA  operands
 *
 * With RS_RULES_SEEN=FILE in the environment passed checks are listened to as well, and each program
 * appends "RULE passed TEST" and "RULE refused TEST" lines to FILE, and how the log tells the first such
 * CHECK, as text and as JSON: tools/rule_tests.py and tests/tools/rules_both_ways.py read them.
 */
#ifndef TESTS_CPU_RING_H
#define TESTS_CPU_RING_H

#include "arch/bits.h"
#include "ringside/ringside.h"
#include "tests/check_main.h"

#include <stdio.h>
#include <string.h>

enum {
    CODE = 0x100000,
    TABLES = 0x200000,
    GDT = 0x210000,
    IDT = 0x211000,
    TSS = 0x212000,
    LDT = 0x213000,
    STACK0 = 0x220000,
    STACK1 = 0x228000,
    IST1 = 0x230000,
    STACK3 = 0x240000,
    DATA = 0x250000,
    HANDLER = 0x300000,
    TARGET = 0x310000,
    GUARD = 0x400000
};

/* Selectors. */
enum {
    S_CODE = 0x08,
    S_DATA = 0x10,
    S_CODE3_32 = 0x18,
    S_DATA3 = 0x20,
    S_CODE3 = 0x28,
    S_TSS = 0x30,
    S_CODE_32 = 0x40,
    S_GATE = 0x48,
    S_LDT = 0x58,
    S_FREE = 0x68,
    S_END = 0x80
};

#define D_CODE64 0x00af9b000000ffffull
#define D_CODE32 0x00cf9b000000ffffull
#define D_DATA 0x00cf93000000ffffull
#define D_DPL(n) ((uint64_t)(n) << 45)
#define D_P (1ull << 47)
#define D_S (1ull << 44)
#define D_ACCESSED (1ull << 40)
#define D_CONFORMING (1ull << 42)
#define D_SYSTEM(type, base, limit)                                                                \
    ((uint64_t)(limit) | ((uint64_t)(base)&0xffffff) << 16 | (uint64_t)(type) << 40 | D_P |        \
     ((uint64_t)(base) >> 24 & 0xff) << 56)

struct ring {
    rs_machine *m;
    bool prot32;
    bool hears; /* passed checks too */
    bool seen[RS_RULE_COUNT][2]; /* by verdict, since ring_new */
    struct rs_stop_info stop;
    /* of the last try */
    int vector;      /* whose handler was reached, -1 none */
    unsigned faults; /* FAULT events */
    unsigned fault_vector;
    uint64_t fault_error;
    bool has_error; /* the fault's event says that there is one */
    unsigned rule; /* of the first refusal */
    bool passed[RS_RULE_COUNT];
    unsigned crossings;
    struct rs_event cross;
};

/* How the log tells a check. */
static inline void ring_line(rs_machine *m, const struct rs_event *e)
{
    FILE *f = fopen(getenv("RS_RULES_SEEN"), "a");
    char line[2048];

    ck_assert_ptr_nonnull(f);
    for (unsigned format = RS_LOG_TEXT; format <= RS_LOG_JSONL; format++) {
        size_t n = rs_event_format(m, e, (enum rs_log_format)format, line, sizeof line);
        ck_assert_uint_lt(n, sizeof line - 1);
        fwrite(line, 1, n, f);
    }
    fclose(f);
}

static inline bool ring_listen(void *ctx, rs_machine *m, const struct rs_event *e)
{
    struct ring *r = ctx;

    if (e->kind == RS_EV_FAULT) {
        r->faults++;
        r->fault_vector = (unsigned)e->w[0];
        r->fault_error = e->w[1];
        r->has_error = e->verdict != 0;
    }
    if (e->kind == RS_EV_CHECK) {
        if (r->hears && !r->seen[e->rule][e->verdict != 0]) ring_line(m, e);
        r->seen[e->rule][e->verdict != 0] = true;
        if (!e->verdict) r->passed[e->rule] = true;
        if (e->verdict && r->rule == RS_RULE_NONE) r->rule = e->rule;
    }
    if (e->kind == RS_EV_CROSS) {
        r->crossings++;
        r->cross = *e;
    }
    return false;
}

/* Each ck_assert writes to a file: what is asked thousands of times a test asks plainly. */
static inline void must(rs_status status)
{
    if (status != RS_OK) ck_abort_msg("%s", rs_status_text(status));
}

static inline void reg(struct ring *r, unsigned id, uint64_t value)
{
    must(rs_reg_write(r->m, 0, id, value));
}

static inline uint64_t get(struct ring *r, unsigned id)
{
    uint64_t value = 0;
    must(rs_reg_read(r->m, 0, id, &value));
    return value;
}

static inline void poke(struct ring *r, uint64_t at, uint64_t value, unsigned n)
{
    must(rs_phys_write(r->m, at, &value, n));
}

static inline uint64_t peek(struct ring *r, uint64_t at, unsigned n)
{
    uint64_t value = 0;
    must(rs_phys_read(r->m, at, &value, n));
    return value;
}

static inline void gdt(struct ring *r, unsigned selector, uint64_t descriptor)
{
    poke(r, GDT + (selector & ~7u), descriptor, 8);
}

/* A gate of the IDT: type, DPL, IST. */
static inline void idt(struct ring *r, unsigned vector, unsigned selector, uint64_t offset,
                       unsigned type, unsigned dpl, unsigned ist)
{
    uint64_t low = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)ist << 32 |
                   (uint64_t)type << 40 | (uint64_t)dpl << 45 | D_P | (offset & 0xffff0000) << 32;

    poke(r, IDT + vector * (r->prot32 ? 8 : 16), low, 8);
    if (!r->prot32) poke(r, IDT + vector * 16 + 8, offset >> 32, 8);
}

static inline uint64_t handler(unsigned vector) { return HANDLER + 16 * vector; }

static inline void segment(struct ring *r, unsigned index, unsigned sel, uint64_t base,
                           uint64_t limit, unsigned attr)
{
    reg(r, RS_REG_ES + index, sel);
    reg(r, RS_REG_ES_BASE + index, base);
    reg(r, RS_REG_ES_LIMIT + index, limit);
    reg(r, RS_REG_ES_ATTR + index, attr);
}

enum { I_ES, I_CS, I_SS, I_DS, I_FS, I_GS, I_LDTR, I_TR };

/* Stand at CODE at this level: 64-bit code in long mode, 32-bit otherwise. */
static inline void at_level(struct ring *r, unsigned cpl)
{
    unsigned dpl = cpl << 5;
    unsigned code = ATTR_G | ATTR_P | ATTR_S | 11 | dpl | (r->prot32 ? ATTR_DB : ATTR_L);
    unsigned data = ATTR_G | ATTR_P | ATTR_S | 3 | dpl | ATTR_DB;
    unsigned cs = r->prot32 ? (cpl ? S_CODE3_32 : S_CODE_32) : (cpl ? S_CODE3 : S_CODE);
    unsigned ss = cpl ? S_DATA3 : S_DATA;

    segment(r, I_CS, cs | cpl, 0, 0xffffffff, code);
    segment(r, I_SS, ss | cpl, 0, 0xffffffff, data);
    segment(r, I_DS, S_DATA3 | 3, 0, 0xffffffff, data | 3u << 5);
    segment(r, I_ES, S_DATA3 | 3, 0, 0xffffffff, data | 3u << 5);
    reg(r, RS_REG_CPL, cpl);
    reg(r, RS_REG_RSP, cpl ? STACK3 : STACK1);
    reg(r, RS_REG_RIP, CODE);
    reg(r, RS_REG_RFLAGS, 2);
}

static inline void ring_tables(struct ring *r)
{
    gdt(r, 0, 0);
    gdt(r, S_CODE, D_CODE64);
    gdt(r, S_DATA, D_DATA);
    gdt(r, S_CODE3_32, D_CODE32 | D_DPL(3));
    gdt(r, S_DATA3, D_DATA | D_DPL(3));
    gdt(r, S_CODE3, D_CODE64 | D_DPL(3));
    gdt(r, S_TSS, D_SYSTEM(SYS_TSS_BUSY, TSS, 0x67));
    gdt(r, S_TSS + 8, 0);
    gdt(r, S_CODE_32, D_CODE32);
    gdt(r, S_LDT, D_SYSTEM(SYS_LDT, LDT, 0xff));
    gdt(r, S_LDT + 8, 0);
    for (unsigned v = 0; v < 256; v++) {
        idt(r, v, r->prot32 ? S_CODE_32 : S_CODE, handler(v), SYS_INT, v >= 0x80 ? 3 : 0, 0);
        poke(r, handler(v), 0xfeeb, 2);
    }
    poke(r, TARGET, 0xfeeb, 2);
    if (r->prot32) {
        poke(r, TSS + 4, STACK0, 4);
        poke(r, TSS + 8, S_DATA, 4);
    } else {
        poke(r, TSS + 4, STACK0, 8);
        poke(r, TSS + 36, IST1, 8);
    }
    poke(r, TSS + 102, 0x68, 2);
}

/* The identity map (one PML4, one PDPT, four page directories) is the user's too. */
static inline void ring_map_for_user(struct ring *r)
{
    static uint64_t entry[6 * 512];

    must(rs_phys_read(r->m, TABLES, entry, sizeof entry));
    for (unsigned i = 0; i < 6 * 512; i++) entry[i] |= entry[i] & PTE_P ? PTE_U : 0;
    must(rs_phys_write(r->m, TABLES, entry, sizeof entry));
}

static inline struct ring *ring_new_cpu(bool prot32, const char *cpu)
{
    static const uint8_t nop[] = {0x90};
    struct ring *r = calloc(1, sizeof *r);
    struct rs_config config;
    char error[200];

    rs_config_init(&config);
    config.mem_bytes = 16u << 20;
    config.cpu = cpu;
    ck_assert_msg(rs_create(&config, &r->m, error, sizeof error) == RS_OK, "%s", error);
    ck_assert_int_eq(rs_load_flat(r->m, nop, 1, CODE, CODE,
                                  prot32 ? RS_FLAT_PROT32 : RS_FLAT_LONG64, TABLES),
                     RS_OK);
    r->prot32 = prot32;
    if (!prot32) ring_map_for_user(r);
    ring_tables(r);
    reg(r, RS_REG_GDTR_BASE, GDT);
    reg(r, RS_REG_GDTR_LIMIT, S_END - 1);
    reg(r, RS_REG_IDTR_BASE, IDT);
    reg(r, RS_REG_IDTR_LIMIT, prot32 ? 0x7ff : 0xfff);
    segment(r, I_TR, S_TSS, TSS, 0x67, ATTR_P | SYS_TSS_BUSY);
    segment(r, I_LDTR, 0, 0, 0, ATTR_UNUSABLE);
    at_level(r, 0);
    unsigned id;
    uint64_t mask = RS_MASK(RS_EV_FAULT) | RS_MASK(RS_EV_CROSS);
    ck_assert_int_eq(rs_observer_add(r->m, mask, false, ring_listen, r, &id), RS_OK);
    r->hears = getenv("RS_RULES_SEEN") != NULL;
    ck_assert_int_eq(rs_observer_add(r->m, RS_MASK(RS_EV_CHECK), !r->hears, ring_listen, r, &id), RS_OK);
    return r;
}

static inline struct ring *ring_new(bool prot32) { return ring_new_cpu(prot32, NULL); }

static inline void ring_tell(const struct ring *r)
{
    FILE *f = fopen(getenv("RS_RULES_SEEN"), "a");
    struct rs_rule_info info;

    ck_assert_ptr_nonnull(f);
    for (unsigned rule = 0; rule < RS_RULE_COUNT; rule++) {
        if (!rs_rule_info(rule, &info)) continue;
        if (r->seen[rule][0]) fprintf(f, "%s passed %s\n", info.name, tcase_name());
        if (r->seen[rule][1]) fprintf(f, "%s refused %s\n", info.name, tcase_name());
    }
    fclose(f);
}

static inline void ring_free(struct ring *r)
{
    if (r->hears) ring_tell(r);
    rs_destroy(r->m);
    free(r);
}

/* Run from RIP until `insns` have retired or the machine stops. */
static inline void go(struct ring *r, uint64_t insns)
{
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = insns};

    r->vector = -1;
    r->faults = r->rule = r->crossings = 0;
    r->fault_vector = 0;
    r->fault_error = 0;
    memset(r->passed, 0, sizeof r->passed);
    ck_assert_int_eq(rs_run(r->m, &limits, &r->stop), RS_OK);
    uint64_t rip = get(r, RS_REG_RIP);
    if (rip >= HANDLER && rip < HANDLER + 256 * 16) r->vector = (int)((rip - HANDLER) / 16);
}

/* One instruction at RIP. */
static inline void try_bytes(struct ring *r, const void *bytes, size_t n)
{
    ck_assert_int_eq(rs_phys_write(r->m, get(r, RS_REG_RIP), bytes, n), RS_OK);
    go(r, 1);
}
#define TRY(r, ...)                                                                                \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        try_bytes((r), bytes_, sizeof bytes_);                                                     \
    } while (0)

/* The last try was refused by this rule, and its exception handled at level 0. */
#define REFUSED(r, RULE, vec, error)                                                               \
    do {                                                                                           \
        struct rs_rule_info got_ = {.name = "none"};                                               \
        rs_rule_info((r)->rule, &got_);                                                            \
        ck_assert_str_eq(got_.name, #RULE);                                                        \
        ck_assert_int_eq((r)->vector, VEC_##vec);                                                  \
        ck_assert_uint_eq((r)->fault_error, (error));                                              \
        ck_assert_uint_eq((r)->faults, 1);                                                         \
    } while (0)

/* Nothing was refused and RIP went on. */
#define ALLOWED(r)                                                                                 \
    do {                                                                                           \
        struct rs_rule_info got_ = {.name = "none"};                                               \
        rs_rule_info((r)->rule, &got_);                                                            \
        ck_assert_str_eq(got_.name, "none");                                                       \
        ck_assert_uint_eq((r)->faults, 0);                                                         \
    } while (0)

/* The same, and the rule was asked (known where passed checks are heard). */
#define PASSED(r, RULE)                                                                            \
    do {                                                                                           \
        ALLOWED(r);                                                                                \
        ck_assert_msg(!(r)->hears || (r)->passed[RS_RULE_##RULE], "%s was not asked", #RULE);      \
    } while (0)

/* Slot i of the frame on top of the stack. */
static inline uint64_t slot(struct ring *r, unsigned i)
{
    unsigned n = r->prot32 ? 4 : 8;
    return peek(r, get(r, RS_REG_RSP) + i * n, n);
}

#endif
