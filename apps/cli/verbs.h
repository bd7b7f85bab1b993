/*
 * verbs.h - the programs behind the first word.
 */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

#include "options.h"

int verb_run(const struct settings *s);
int verb_debug(const struct settings *s);
int verb_rules(const struct settings *s);
int verb_events(const struct settings *s);
int verb_cpus(const struct settings *s);
int verb_version(const struct settings *s);

#endif
