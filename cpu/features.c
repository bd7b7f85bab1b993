/*
 * features.c - CPU models and feature switches: "MODEL[,+feature,-feature...]" to struct features.
 * Tables: arch/features.def, feature_needs.def, cpus.def, behaviours.def.
 */
#include "cpu/features.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static const struct feature_row rows[FEAT_COUNT] = {
#define FEATURE(id, name, leaf, sub, reg, bit, have, cr4, level, text)                             \
    [FEAT_##id] = {name, text, leaf, sub, cr4, CPUID_##reg, bit, level, have},
#include "arch/features.def"
#undef FEATURE
};

#define BEHAVIOUR_BIT(id) (1u << BEHAVE_##id)
static const struct cpu_row {
    const char *name, *base, *switches;
    uint8_t level, maker, family, model, stepping, maxphyaddr;
    uint32_t turned;
    const char *brand, *text;
} models[] = {
#define CPU(name, level, base, switches, maker, family, model, stepping, bits, turned, brand, text)  \
    {name, base, switches, level, MAKER_##maker, family, model, stepping, bits, turned, brand, text},
#include "arch/cpus.def"
#undef CPU
};
#define MODELS (sizeof models / sizeof models[0])

static const uint32_t maker_behaves[MAKER_COUNT] = {
#define BEHAVIOUR(id, intel, amd, name, text, manual) | (uint32_t)(intel) << BEHAVE_##id
    [MAKER_INTEL] = 0
#include "arch/behaviours.def"
    ,
#undef BEHAVIOUR
#define BEHAVIOUR(id, intel, amd, name, text, manual) | (uint32_t)(amd) << BEHAVE_##id
    [MAKER_AMD] = 0
#include "arch/behaviours.def"
    ,
#undef BEHAVIOUR
};

static const char *const maker_words[MAKER_COUNT] = {
#define MAKER(id, word) [MAKER_##id] = word,
#include "arch/cpus.def"
#undef MAKER
};

static const struct {
    const char *name, *text;
} behaviours[BEHAVE_COUNT] = {
#define BEHAVIOUR(id, intel, amd, name, text, manual) {name, text},
#include "arch/behaviours.def"
#undef BEHAVIOUR
};

static const struct {
    uint8_t feature, that;
} needs[] = {
#define NEEDS(feature, that) {FEAT_##feature, FEAT_##that},
#include "arch/feature_needs.def"
#undef NEEDS
};

/* other people's names for the same bits and models */
static const struct {
    const char *alias, *name;
} aliases[] = {{"sse3", "pni"},        {"lzcnt", "abm"},         {"lahf_lm", "lahf-lm"},
               {"sse4_1", "sse4.1"},   {"sse4_2", "sse4.2"},     {"tsc_adjust", "tsc-adjust"},
               {"cmpxchg16b", "cx16"}, {"nonstop_tsc", "invtsc"}, {"cmpxchg8b", "cx8"},
               {"sysenter", "sep"},    {"i486", "486"},          {"core2", "conroe"},
               {"core2duo", "penryn"}, {"opteron", "opteron_g1"}, {"phenom", "opteron_g3"},
               {"skylake-client", "skylake"}, {"icelake-server", "icelake"},
               {"sapphirerapids", "sapphire-rapids"}, {"default", "x86-64-v3"}};

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

/* Is `word`[0..n) that name? Case does not matter. */
static bool same(const char *name, const char *word, size_t n)
{
    return strlen(name) == n && strncasecmp(name, word, n) == 0;
}

static void dealias(const char **word, size_t *n)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
        if (!same(aliases[i].alias, *word, *n)) continue;
        *word = aliases[i].name;
        *n = strlen(*word);
        return;
    }
}

static const struct cpu_row *find_model(const char *word, size_t n)
{
    dealias(&word, &n);
    for (unsigned i = 0; i < MODELS; i++)
        if (same(models[i].name, word, n)) return &models[i];
    return NULL;
}

static bool find_feature(const char *word, size_t n, unsigned *index)
{
    dealias(&word, &n);
    for (unsigned i = 0; i < FEAT_COUNT; i++) {
        if (same(rows[i].name, word, n)) {
            *index = i;
            return true;
        }
    }
    return false;
}

/* Switch one over, and on what it needs, or off what needs it. feature_needs.def has no circles. */
static void turn(struct features *f, unsigned which, bool on)
{
    f->on[which] = on;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (on && needs[i].feature == which) turn(f, needs[i].that, true);
        if (!on && needs[i].that == which) turn(f, needs[i].feature, false);
    }
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
    turn(f, which, *item == '+');
    return true;
}

/* "+a,-b", from left to right. */
static bool apply_all(struct features *f, const char *list, char *error, size_t error_size)
{
    size_t n;

    for (;; list += n + 1) {
        n = strcspn(list, ",");
        if (!apply(f, list, n, error, error_size)) return false;
        if (list[n] == '\0') return true;
    }
}

/* What the model's row promises, implemented or not. */
static void promise(struct features *f, const struct cpu_row *m)
{
    char error[120];

    for (unsigned i = 0; m->level && i < FEAT_COUNT; i++) f->on[i] = rows[i].level <= m->level;
    if (*m->base) promise(f, find_model(m->base, strlen(m->base)));
    if (*m->switches) (void)apply_all(f, m->switches, error, sizeof error);
}

static void identity(struct features *f, const struct cpu_row *m)
{
    f->maxphyaddr = m->maxphyaddr;
    f->linear_bits = 48;
    f->maker = m->maker;
    f->family = m->family;
    f->number = m->model;
    f->stepping = m->stepping;
    f->behaves = maker_behaves[m->maker] ^ m->turned;
    f->signature = signature(m->family, m->model, m->stepping);
    f->geometry = &mmu_geometry_default;
    snprintf(f->model, sizeof f->model, "%s", m->name);
    snprintf(f->vendor, sizeof f->vendor, "%s", maker_words[m->maker]);
    snprintf(f->brand, sizeof f->brand, "%s", m->brand);
}

/* One change apart at the beginning, or a beginning in common: enough to ask "did you mean". */
static unsigned likeness(const char *name, const char *word, size_t n)
{
    unsigned k = 0;

    while (k < n && name[k] && strncasecmp(name + k, word + k, 1) == 0) k++;
    return k;
}

static void unknown_model(const char *word, size_t n, char *error, size_t error_size)
{
    const char *near = NULL;
    unsigned best = 2, l;

    for (unsigned i = 0; i < MODELS; i++) {
        if ((l = likeness(models[i].name, word, n)) <= best) continue;
        best = l;
        near = models[i].name;
    }
    snprintf(error, error_size, "unknown CPU model \"%.*s\"%s%s%s (`ringside cpus` lists them)",
             (int)(n < 40 ? n : 40), word, near ? ": did you mean " : "", near ? near : "",
             near ? "?" : "");
}

bool features_parse(struct features *f, const char *spec, char *error, size_t error_size)
{
    size_t n = strcspn(spec, ",");
    const struct cpu_row *m = find_model(spec, n);

    memset(f, 0, sizeof *f);
    if (m == NULL) {
        unknown_model(spec, n, error, error_size);
        return false;
    }
    promise(f, m);
    for (unsigned i = 0; i < FEAT_COUNT; i++) f->on[i] &= rows[i].have;
    identity(f, m);
    return spec[n] == '\0' || apply_all(f, spec + n + 1, error, error_size);
}

const char *features_behaviour(enum behaviour b, const char **text)
{
    if (text) *text = behaviours[b].text;
    return behaviours[b].name;
}

/* PCE belongs to no feature bit: every processor since the P6 has RDPMC. */
uint64_t features_cr4(const struct features *f)
{
    uint64_t bits = f->family >= 6 ? CR4_PCE : 0;

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
