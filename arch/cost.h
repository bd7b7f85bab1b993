/*
 * cost.h - prices: what each event and each instruction form costs under a profile. Data and pure
 * look-ups; nothing here knows a machine. Manual: docs of the model are ../shared/cycle-model.md
 * turned into docs/COSTS.md. All prices are in ticks (1/64 cycle), rounded once at load.
 */
#ifndef ARCH_COST_H
#define ARCH_COST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* arch/cost_events.def: COST(ID, "key", category, "what it is") for every event key of a profile */
enum cost_event {
#define COST(id, key, category, text) COST_##id,
#include "arch/cost_events.def"
#undef COST
    COST_COUNT
};

struct cost {
    char name[32];
    char desc[128];
    uint32_t event[COST_COUNT]; /* ticks */
    uint32_t constant;          /* ticks of every instruction if the profile has no table, else 0 */
    int column;                 /* column group of the generated table, -1 if constant */
    uint32_t share;             /* latency share, 64ths */
    uint32_t issue_width;
    uint64_t hz;
    uint32_t tsc_num, tsc_den;
    uint32_t load_latency; /* cycles of a load form's latency that are its L1 access */
};

/** cost_load - read a profile: a built-in name or the text of an .ini, then "key=value" overrides.
 *  @spec   "NAME[,key=value...]"
 *  @ini    if not NULL: the text of a profile file, used instead of the built-in called NAME. Keys it
 *          does not give are those of `teaching`, or of the profile its first key `base` names.
 *  @error  one line on failure: names the unknown profile or key, or the bad number
 *  Returns false on failure. Unknown keys are errors. */
bool cost_load(struct cost *cost, const char *spec, const char *ini, char *error, size_t error_size);

/** Names of the built-in profiles, NULL past the end. */
const char *cost_profile_name(unsigned index, const char **desc);

/** cost_of_form - static price in ticks (1..65535) of an instruction form.
 *  @form   id as in forms.csv: mnemonic, then operand kinds: "add_r32_m32", "lock_xadd_m64_r64", "cdq"
 *  *gap is set to true if the form has no row and the class default was charged (may be NULL).
 *  LOCK prefixes and XCHG with memory have lock_extra inside; a form that an event prices costs one
 *  issue slot here. */
uint32_t cost_of_form(const struct cost *cost, const char *form, bool *gap);

/** Form ids by index with their class, for listings; NULL past the end. */
const char *cost_form_name(unsigned index, const char **klass);

#endif
