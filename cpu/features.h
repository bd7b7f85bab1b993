/*
 * features.h - the table of CPU features and models for those who list, parse or gate.
 */
#ifndef CPU_FEATURES_H
#define CPU_FEATURES_H

#include "cpu/cpu.h"

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/** A row of arch/features.def. */
struct feature_row {
    const char *name, *text;
    uint32_t leaf, sub, cr4;
    uint8_t reg, bit, level;
    bool have;
};
/** Row by enum feature. */
const struct feature_row *feature_row(enum feature f);

/** Names of the models by index, NULL past the end. */
const char *features_model(unsigned index, const char **description);

/** What a behaviour is called, and what a processor does that has it. */
const char *features_behaviour(enum behaviour b, const char **text);

/** The CR4 bits that may be 1. Pure. */
uint64_t features_cr4(const struct features *f);
/** Those of them that belong to features switched on but not implemented: setting one is a gap. */
uint64_t features_cr4_gaps(const struct features *f);

#endif
