/*
 * coverage.c - an observer that counts verdicts.
 */
#include "coverage.h"

#include <string.h>

#include "text.h"

#define COLUMNS 118

static bool observe(void *ctx, rs_machine *m, const struct rs_event *event)
{
    struct coverage *v = ctx;

    (void)m;
    if (event->rule < RS_RULE_COUNT) v->count[event->rule][event->verdict != 0]++;
    return false;
}

bool coverage_attach(struct coverage *v, rs_machine *m)
{
    if (!v->on) return true;
    if (rs_observer_add(m, RS_MASK(RS_EV_CHECK), false, observe, v, NULL) == RS_OK) return true;
    fprintf(stderr, "ringside: --rule-coverage: %s\n", rs_error(m));
    return false;
}

static bool met(const struct coverage *v, unsigned rule)
{
    return v->count[rule][0] || v->count[rule][1];
}

struct sums {
    unsigned rules, met, refused;
};

static struct sums sums(const struct coverage *v)
{
    struct sums s = {RS_RULE_COUNT - 1, 0, 0};

    for (unsigned rule = 1; rule < RS_RULE_COUNT; rule++) {
        s.met += met(v, rule);
        s.refused += v->count[rule][1] != 0;
    }
    return s;
}

/* "; not met:" and the names, broken into lines. */
static void print_missed(const struct coverage *v, FILE *out)
{
    struct rs_rule_info r;
    size_t column = COLUMNS;

    fprintf(out, "; not met:");
    for (unsigned rule = 1; rs_rule_info(rule, &r); rule++) {
        if (met(v, rule)) continue;
        if (column + strlen(r.name) + 1 > COLUMNS) {
            fprintf(out, "\n   ");
            column = 3;
        }
        fprintf(out, " %s", r.name);
        column += strlen(r.name) + 1;
    }
}

void coverage_print(const struct coverage *v, FILE *out)
{
    struct sums s = sums(v);
    struct rs_rule_info r;
    char passed[28], refused[28];

    fprintf(out, "rule coverage: met %u of %u rules, %u refused", s.met, s.rules, s.refused);
    if (s.met < s.rules) print_missed(v, out);
    fprintf(out, "\n  %-18s %16s %12s\n", "rule", "passed", "refused");
    for (unsigned rule = 1; rs_rule_info(rule, &r); rule++) {
        if (!met(v, rule)) continue;
        fprintf(out, "  %-18s %16s %12s\n", r.name, text_grouped(v->count[rule][0], passed),
                text_grouped(v->count[rule][1], refused));
    }
}

json_t *coverage_json(const struct coverage *v)
{
    struct sums s = sums(v);
    json_t *seen = json_object(), *missed = json_array();
    struct rs_rule_info r;

    for (unsigned rule = 1; rs_rule_info(rule, &r); rule++) {
        if (!met(v, rule)) {
            json_array_append_new(missed, json_string(r.name));
            continue;
        }
        json_object_set_new(seen, r.name,
                            json_pack("{s:I, s:I}", "passed", (json_int_t)v->count[rule][0],
                                      "refused", (json_int_t)v->count[rule][1]));
    }
    return json_pack("{s:i, s:i, s:i, s:o, s:o}", "rules", (int)s.rules, "met", (int)s.met,
                     "refused", (int)s.refused, "verdicts", seen, "not_met", missed);
}
