/*
 * fuzz_code.c - any bytes as code: the fast engine and the reference engine must agree, after every
 * piece of a run, on instructions, cycles, the reason to stop and the state hash.
 *
 * Byte 0: bit 0 = 32-bit mode, bits 1..3 = block cap class. The rest is the code, at LOAD.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ringside/ringside.h"

#define LOAD 0x100000u
#define TABLES 0x200000u
#define PIECE 500u /* instructions between comparisons */
#define PIECES 4u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static rs_machine *machine(enum rs_engine engine, const uint8_t *bytes, size_t size)
{
    static const uint32_t caps[8] = {0, 1, 2, 3, 7, 16, 33, 64};
    struct rs_config config;
    rs_machine *m;

    rs_config_init(&config);
    config.engine = (uint32_t)engine;
    config.mem_bytes = 4u << 20;
    config.block_cap = caps[bytes[0] >> 1 & 7];
    if (rs_create(&config, &m, NULL, 0) != RS_OK) abort();
    if (rs_load_flat(m, bytes + 1, size - 1, LOAD, LOAD, bytes[0] & 1 ? RS_FLAT_PROT32 : RS_FLAT_LONG64,
                     TABLES) != RS_OK)
        abort();
    for (unsigned reg = RS_REG_RAX; reg <= RS_REG_R15; reg++)
        (void)rs_reg_write(m, 0, reg, LOAD + 0x8000u + reg * 0x1010u);
    return m;
}

static void differ(const char *what, const struct rs_stop_info *a, const struct rs_stop_info *b)
{
    fprintf(stderr, "fast and reference differ in %s: rip %#llx %#llx, insns %llu %llu, %s %s\n", what,
            (unsigned long long)a->rip, (unsigned long long)b->rip, (unsigned long long)a->insns,
            (unsigned long long)b->insns, rs_stop_reason_name(a->reason), rs_stop_reason_name(b->reason));
    abort();
}

static bool compare(rs_machine *fast, rs_machine *reference)
{
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = PIECE, .cycles = 60000};
    struct rs_stop_info a, b;
    char hash_a[33], hash_b[33];

    if (rs_run(fast, &limits, &a) != RS_OK || rs_run(reference, &limits, &b) != RS_OK) abort();
    if (a.reason != b.reason) differ("the reason to stop", &a, &b);
    if (a.insns != b.insns) differ("instructions", &a, &b);
    if (a.cycles != b.cycles) differ("cycles", &a, &b);
    if (a.rip != b.rip || a.rule != b.rule || a.vector != b.vector) differ("the stop record", &a, &b);
    if (rs_state_hash(fast, hash_a) != RS_OK || rs_state_hash(reference, hash_b) != RS_OK) abort();
    if (strcmp(hash_a, hash_b) != 0) differ("state", &a, &b);
    return a.reason == RS_STOP_INSN_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size < 2 || size > 4096) return 0;
    rs_machine *fast = machine(RS_ENGINE_FAST, bytes, size);
    rs_machine *reference = machine(RS_ENGINE_REFERENCE, bytes, size);

    for (unsigned i = 0; i < PIECES && compare(fast, reference); i++) continue;
    rs_destroy(fast);
    rs_destroy(reference);
    return 0;
}
