/*
 * coverage.h - which rules a run has met, and which way they decided: --rule-coverage.
 */
#ifndef CLI_COVERAGE_H
#define CLI_COVERAGE_H

#include <jansson.h>
#include <ringside/ringside.h>
#include <stdio.h>

/** How often each rule decided, by verdict: 0 passed, 1 refused. */
struct coverage {
    bool on;
    uint64_t count[RS_RULE_COUNT][2];
};

/** Count from here on. Listening to passed checks makes a run slower, and changes nothing else. */
bool coverage_attach(struct coverage *v, rs_machine *m);
/** "met 87 of 140 rules, 41 refused; not met: ..." and a line for each rule met. */
void coverage_print(const struct coverage *v, FILE *out);
/** The same as the object `rule_coverage` of --result. */
json_t *coverage_json(const struct coverage *v);

#endif
