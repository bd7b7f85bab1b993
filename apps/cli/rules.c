/*
 * rules.c - `ringside rules`: the catalogue of protection checks, one a line or each in full, as text or
 * JSON; what a rule says, on whose word, what its events carry, and which tests prove it.
 */
#include <ctype.h>
#include <jansson.h>
#include <ringside/ringside.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exit.h"
#include "text.h"
#include "verbs.h"

/* ---- an id that is none ------------------------------------------------------------------------------- */

#define NEAR_MOST 6u

/* How far off a name is: 0 and 1 one begins with or holds the other, 2 and more letters to change. */
static unsigned far_off(const char *word, const char *name)
{
    char upper[40];
    size_t n = 0;

    for (; word[n] && n < sizeof upper - 1; n++)
        upper[n] = word[n] == '-' ? '_' : (char)toupper((unsigned char)word[n]);
    upper[n] = '\0';
    if (n >= 2 && strncmp(name, upper, n) == 0) return 0;
    if (n >= 2 && strstr(name, upper)) return 1;
    return 1 + text_distance(upper, name);
}

/* The names nearest to a word that is none, nearest first. */
static unsigned nearest(const char *word, const char *out[NEAR_MOST])
{
    struct rs_rule_info r;
    unsigned count = 0;

    for (unsigned distance = 0; distance <= 4; distance++)
        for (unsigned id = 1; rs_rule_info(id, &r) && count < NEAR_MOST; id++)
            if (far_off(word, r.name) == distance) out[count++] = r.name;
    return count;
}

static int unknown(const char *word)
{
    const char *near[NEAR_MOST];
    unsigned n = nearest(word, near);

    fprintf(stderr, "ringside: no rule '%s'%s", word,
            n ? ": did you mean" : " (ringside rules lists them)");
    for (unsigned i = 0; i < n; i++)
        fprintf(stderr, "%s %s", i == 0 ? "" : i + 1 == n ? " or" : ",", near[i]);
    fprintf(stderr, "%s\n", n ? "?" : "");
    return EXIT_USAGE;
}

static bool named(const struct settings *s, unsigned i, struct rs_rule_info *r)
{
    for (unsigned id = 1; rs_rule_info(id, r); id++)
        if (strcasecmp(r->name, s->words.item[i]) == 0) return true;
    return false;
}

/* ---- telling -------------------------------------------------------------------------------------------- */

static const char *error_words(const char *error)
{
    static const char *const words[][2] = {
        {"PFEC", "with a page-fault error code"},
        {"SEL", "with the selector as error code (of a gate of the IDT: vector * 8 + 2)"},
        {"ZERO", "with error code 0"},
        {"NONE", "without an error code"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], error) == 0) return words[i][1];
    return error;
}

static const char *subject_words(const char *subject)
{
    static const char *const words[][2] = {{"LINEAR", "an address"},
                                           {"SELECTOR", "a segment selector"},
                                           {"PORT", "a port"},
                                           {"CR", "the number of a control register"},
                                           {"MSR", "the number of an MSR"},
                                           {"INSN", "the instruction's address"},
                                           {"VECTOR", "a vector"},
                                           {"NOTHING", "nothing"}};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], subject) == 0) return words[i][1];
    return subject;
}

static void line(const char *name, const char *text)
{
    if (*text) printf("  %-9s %s\n", name, text);
}

static void full(const struct rs_rule_info *r, const struct rs_rule_detail *d)
{
    printf("%s\n  refuses   %s\n  raises    %s, %s\n", r->name, r->statement, r->fault,
           error_words(r->error));
    printf("  manual    %s%s\n", r->manual,
           strchr(r->manual, '"') ? "" : " (heading not verified)");
    line("edition", d->edition);
    line("features", *d->features ? d->features : "none: every model has it");
    line("subject", subject_words(r->subject));
    line("in1", d->in1);
    line("in2", d->in2);
    line("passed", *d->test_passed ? d->test_passed : "no test");
    line("refused", *d->test_refused ? d->test_refused : "no test");
}

static json_t *json(const struct rs_rule_info *r, const struct rs_rule_detail *d)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name",
                     r->name, "fault", r->fault, "error", r->error, "subject", r->subject, "manual",
                     r->manual, "statement", r->statement, "edition", d->edition, "features",
                     d->features, "in1", d->in1, "in2", d->in2, "test_passed", d->test_passed,
                     "test_refused", d->test_refused);
}

static void tell(const struct settings *s, const struct rs_rule_info *r, json_t *list)
{
    struct rs_rule_detail d;

    if (!rs_rule_detail(r->id, &d)) return;
    if (list) json_array_append_new(list, json(r, &d));
    else if (s->words.count) full(r, &d);
    else printf("%-18s %-4s %s  [%s]\n", r->name, r->fault, r->statement, r->manual);
}

int verb_rules(const struct settings *s)
{
    struct rs_rule_info r;

    for (unsigned i = 0; i < s->words.count; i++)
        if (!named(s, i, &r)) return unknown(s->words.item[i]);
    json_t *list = s->json ? json_array() : NULL;

    for (unsigned i = 0; i < s->words.count; i++) {
        if (i && !list) printf("\n");
        if (named(s, i, &r)) tell(s, &r, list);
    }
    for (unsigned id = 1; s->words.count == 0 && rs_rule_info(id, &r); id++) tell(s, &r, list);
    if (!list) return EXIT_DONE;
    bool ok = json_dumpf(list, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;

    json_decref(list);
    return ok ? EXIT_DONE : EXIT_HOST;
}
