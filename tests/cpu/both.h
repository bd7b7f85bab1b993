/*
 * both.h - the little world of ring.h on both engines in turn: BOTH(name) { ... } is one test. And what tests
 * of system registers write again and again.
 */
#ifndef TESTS_CPU_BOTH_H
#define TESTS_CPU_BOTH_H

#include "ringside/ringside.h"

/* ring.h makes its machines on the engine in turn. */
static enum rs_engine engine;
static void config_init(struct rs_config *config)
{
    rs_config_init(config);
    config->engine = engine;
}
#define rs_config_init config_init
#include "tests/cpu/ring.h"
#undef rs_config_init

#define BOTH(name)                                                                                 \
    static void name##_on_one(void);                                                               \
    START_TEST(name)                                                                               \
    {                                                                                              \
        for (engine = RS_ENGINE_FAST; engine <= RS_ENGINE_REFERENCE; engine++) name##_on_one();    \
    }                                                                                              \
    END_TEST                                                                                       \
    static void name##_on_one(void)

/* An expression, so that it can stand behind others in AGAIN. */
#undef TRY
#define TRY(r, ...)                                                                                \
    try_bytes((r), (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))
#define AGAIN(r, cpl, ...) (at_level((r), (cpl)), __VA_ARGS__)

#define UNDEFINED(r)                                                                               \
    do {                                                                                           \
        ck_assert_int_eq((r)->vector, VEC_UD);                                                     \
        ck_assert_uint_eq((r)->faults, 1);                                                         \
    } while (0)

#define NON_CANON 0x0000800000000000ull

__attribute__((unused)) static void wrmsr(struct ring *r, uint32_t index, uint64_t value)
{
    at_level(r, 0);
    reg(r, RS_REG_RCX, index);
    reg(r, RS_REG_RAX, (uint32_t)value);
    reg(r, RS_REG_RDX, value >> 32);
    TRY(r, 0x0f, 0x30);
}

__attribute__((unused)) static uint64_t rdmsr(struct ring *r, uint32_t index)
{
    at_level(r, 0);
    reg(r, RS_REG_RCX, index);
    TRY(r, 0x0f, 0x32);
    return get(r, RS_REG_RDX) << 32 | get(r, RS_REG_RAX);
}

struct regs4 {
    uint32_t a, b, c, d;
};

__attribute__((unused)) static struct regs4 cpuid_at(struct ring *r, uint32_t leaf, uint32_t sub)
{
    reg(r, RS_REG_RAX, leaf);
    reg(r, RS_REG_RCX, sub);
    TRY(r, 0x0f, 0xa2);
    return (struct regs4){(uint32_t)get(r, RS_REG_RAX), (uint32_t)get(r, RS_REG_RBX), (uint32_t)get(r, RS_REG_RCX),
                          (uint32_t)get(r, RS_REG_RDX)};
}

/* MOV CRn, value at CPL 0, from RAX. */
__attribute__((unused)) static void mov_cr(struct ring *r, unsigned cr, uint64_t value)
{
    const uint8_t low[] = {0x0f, 0x22, (uint8_t)(0xc0 | cr << 3)}, high[] = {0x44, 0x0f, 0x22, 0xc0};

    at_level(r, 0);
    reg(r, RS_REG_RAX, value);
    if (cr == 8) try_bytes(r, high, sizeof high);
    else try_bytes(r, low, sizeof low);
}

/* Stand in 32-bit compatibility code of ring 3. */
__attribute__((unused)) static void in_compatibility_mode(struct ring *r, unsigned cpl)
{
    at_level(r, cpl);
    segment(r, I_CS, (cpl ? S_CODE3_32 : S_CODE_32) | cpl, 0, 0xffffffff,
            ATTR_G | ATTR_P | ATTR_S | 11 | cpl << 5 | ATTR_DB);
}

#endif
