/*
 * fuzz_wild.c - any bytes as a guest in any mode (tests/diff/wild.h): tables, registers, control registers
 * and code come from them. The fast engine and the reference engine must agree, after every piece of a run,
 * on instructions, cycles, the reason to stop and the state hash.
 */
#include "tests/diff/wild.h"

#define PIECE 150u /* instructions between comparisons */
#define PIECES 4u

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static rs_machine *machine(enum rs_engine engine, const uint8_t *bytes, size_t size)
{
    struct dice d = {.bytes = bytes, .size = size};
    struct rs_config config;
    rs_machine *m;

    rs_config_init(&config);
    config.engine = (uint32_t)engine;
    config.mem_bytes = WILD_MEM;
    config.cpu = "max";
    if (rs_create(&config, &m, NULL, 0) != RS_OK) abort();
    wild_build(m, &d, true);
    return m;
}

static bool compare(rs_machine *fast, rs_machine *reference)
{
    struct rs_limits limits = {.struct_size = sizeof limits, .insns = PIECE, .cycles = 60000};
    struct rs_stop_info a, b;
    char hash_a[33], hash_b[33];

    if (rs_run(fast, &limits, &a) != RS_OK || rs_run(reference, &limits, &b) != RS_OK) abort();
    if (rs_state_hash(fast, hash_a) != RS_OK || rs_state_hash(reference, hash_b) != RS_OK) abort();
    if (a.reason != b.reason || a.insns != b.insns || a.cycles != b.cycles || a.rip != b.rip || a.rule != b.rule ||
        strcmp(hash_a, hash_b) != 0) {
        fprintf(stderr, "fast and reference differ: rip %#llx %#llx, insns %llu %llu, cycles %llu %llu, %s %s, %s %s\n",
                (unsigned long long)a.rip, (unsigned long long)b.rip, (unsigned long long)a.insns,
                (unsigned long long)b.insns, (unsigned long long)a.cycles, (unsigned long long)b.cycles,
                rs_stop_reason_name(a.reason), rs_stop_reason_name(b.reason), hash_a, hash_b);
        abort();
    }
    return a.reason == RS_STOP_INSN_LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    if (size > 1u << 16) return 0;
    rs_machine *fast = machine(RS_ENGINE_FAST, bytes, size);
    rs_machine *reference = machine(RS_ENGINE_REFERENCE, bytes, size);

    for (unsigned i = 0; i < PIECES && compare(fast, reference); i++) continue;
    rs_destroy(fast);
    rs_destroy(reference);
    return 0;
}
