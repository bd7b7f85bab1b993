/*
 * features.c - CPU models and feature switches: "MODEL[,+feature,-feature...]" to struct features.
 * Tables: arch/features.def, arch/cpus.def.
 */
#include "cpu/features.h"

#include <stdio.h>
#include <string.h>

static const struct feature_row rows[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, sub, reg, bit, have, cr4, level, text)                             \
    [FEAT_##id] = {name, text, leaf, sub, cr4, CPUID_##reg, bit, level, have},
#include "arch/features.def"
#undef FEATURE
};

static const struct {
    const char *name;
    uint8_t level, family, model, stepping, maxphyaddr;
    const char *brand, *text;
} models[] = {
#define CPU(name, level, family, model, stepping, bits, brand, text)                               \
    {name, level, family, model, stepping, bits, brand, text},
#include "arch/cpus.def"
#undef CPU
};
#define MODELS (sizeof models / sizeof models[0])

/* other people's names for the same bits */
static const struct {
    const char *alias, *name;
} aliases[] = {{"sse3", "pni"},        {"lzcnt", "abm"},         {"lahf_lm", "lahf-lm"},
               {"sse4_1", "sse4.1"},   {"sse4_2", "sse4.2"},     {"tsc_adjust", "tsc-adjust"},
               {"cmpxchg16b", "cx16"}, {"nonstop_tsc", "invtsc"}};

const struct feature_row *feature_row(enum feature f) { return &rows[f]; }

const char *features_model(unsigned index, const char **description)
{
    if (index >= MODELS) return NULL;
    if (description) *description = models[index].text;
    return models[index].name;
}

/* CPUID.1:EAX: stepping, model, family, extended model (family 6 and 15), extended family. */
static uint32_t signature(unsigned family, unsigned model, unsigned stepping)
{
    unsigned base = family < 15 ? family : 15, extended = family - base;

    return extended << 20 | (model >> 4) << 16 | base << 8 | (model & 15) << 4 | stepping;
}

static bool find_model(const char *name, size_t n, unsigned *index)
{
    for (unsigned i = 0; i < MODELS; i++) {
        if (strlen(models[i].name) == n && memcmp(models[i].name, name, n) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

static bool find_feature(const char *name, size_t n, unsigned *index)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (strlen(aliases[i].alias) == n && memcmp(aliases[i].alias, name, n) == 0) {
            name = aliases[i].name;
            n = strlen(name);
            break;
        }
    }
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        if (strlen(rows[i].name) == n && memcmp(rows[i].name, name, n) == 0) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* One "+name" or "-name". */
static bool apply(struct features *f, const char *item, size_t n, char *error, size_t error_size)
{
    unsigned which = 0;

    if (n < 2 || (*item != '+' && *item != '-')) {
        snprintf(error, error_size, "\"%.*s\": a feature is switched by +name or -name", (int)n,
                 item);
        return false;
    }
    if (!find_feature(item + 1, n - 1, &which)) {
        snprintf(error, error_size, "unknown CPU feature \"%.*s\"", (int)n - 1, item + 1);
        return false;
    }
    f->on[which] = *item == '+';
    return true;
}

bool features_parse(struct features *f, const char *spec, char *error, size_t error_size)
{
    size_t n = strcspn(spec, ",");
    unsigned m = 0;

    memset(f, 0, sizeof *f);
    if (!find_model(spec, n, &m)) {
        snprintf(error, error_size, "unknown CPU model \"%.*s\"", (int)n, spec);
        return false;
    }
    for (unsigned i = 0; i < FEAT_COUNT; i++)
        f->on[i] = rows[i].have && rows[i].level <= models[m].level;
    f->maxphyaddr = models[m].maxphyaddr;
    f->linear_bits = 48;
    f->signature = signature(models[m].family, models[m].model, models[m].stepping);
    f->geometry = &mmu_geometry_default;
    snprintf(f->model, sizeof f->model, "%s", models[m].name);
    snprintf(f->vendor, sizeof f->vendor, "GenuineIntel");
    snprintf(f->brand, sizeof f->brand, "%s", models[m].brand);

    for (spec += n; *spec == ','; spec += n) {
        spec++;
        n = strcspn(spec, ",");
        if (!apply(f, spec, n, error, error_size)) return false;
    }
    return true;
}

/* PCE belongs to no feature bit: every processor since the P6 has RDPMC. */
uint64_t features_cr4(const struct features *f)
{
    uint64_t bits = CR4_PCE;

    for (unsigned i = 0; i < FEAT_COUNT; i++)
        if (f->on[i]) bits |= rows[i].cr4;
    return bits;
}

uint64_t features_cr4_gaps(const struct features *f)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < FEAT_COUNT; i++)
        if (f->on[i] && !rows[i].have) bits |= rows[i].cr4;
    return bits;
}
