/*
 * rules.h - the rule table as the library reads it: what a refusal raises and what its event's
 * subject word is. The public view is rs_rule_info.
 */
#ifndef ARCH_RULES_H
#define ARCH_RULES_H

#include <stdint.h>

#include "arch/bits.h"
#include "ringside/ringside.h"

/** What the error code of a refusal is. */
enum rule_error { RULE_ERR_NONE, RULE_ERR_ZERO, RULE_ERR_SEL, RULE_ERR_PFEC };

/** What the subject word of a CHECK event is. */
enum rule_subject {
    RULE_SUB_NOTHING, RULE_SUB_LINEAR, RULE_SUB_SELECTOR, RULE_SUB_PORT, RULE_SUB_CR, RULE_SUB_MSR,
    RULE_SUB_INSN, RULE_SUB_VECTOR
};

struct rule_row {
    uint8_t vector;  /* enum vector */
    uint8_t error;   /* enum rule_error */
    uint8_t subject; /* enum rule_subject */
};

/** By enum rs_rule; row RS_RULE_NONE is all zero. */
extern const struct rule_row rule_rows[RS_RULE_COUNT];

/** "#PF" by vector, NULL for one that has no name. */
const char *vector_name(unsigned vector);

#endif
