/*
 * catalogue.c - `ringside events`, `cpus`, `version`: what the library knows, as text or JSON.
 */
#include <jansson.h>
#include <ringside/ringside.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "exit.h"
#include "text.h"
#include "verbs.h"

/* Is this name among the words, or were no words given? */
static bool asked(const struct settings *s, const char *name)
{
    for (unsigned i = 0; i < s->words.count; i++)
        if (strcasecmp(s->words.item[i], name) == 0) return true;
    return s->words.count == 0;
}

static int dump(json_t *o)
{
    bool ok = o && json_dumpf(o, stdout, JSON_INDENT(2)) == 0 && putchar('\n') != EOF;

    json_decref(o);
    return ok ? EXIT_DONE : EXIT_HOST;
}

/* Every word must be known: names the first that is not. */
static int known(const struct settings *s, const char *what, bool (*is)(const char *name))
{
    for (unsigned i = 0; i < s->words.count; i++) {
        if (is(s->words.item[i])) continue;
        fprintf(stderr, "ringside: no %s '%s'\n", what, s->words.item[i]);
        return EXIT_USAGE;
    }
    return -1;
}

/* ---- events ------------------------------------------------------------------------------------------------ */

static bool is_event(const char *name)
{
    struct rs_event_info e;

    for (unsigned kind = 0; rs_event_info(kind, &e); kind++)
        if (strcasecmp(e.name, name) == 0) return true;
    return false;
}

int verb_events(const struct settings *s)
{
    json_t *list = s->json ? json_array() : NULL;
    struct rs_event_info e;
    int status = known(s, "event", is_event);

    if (status >= 0) return status;
    for (unsigned kind = 0; rs_event_info(kind, &e); kind++) {
        if (!asked(s, e.name)) continue;
        if (s->json) {
            json_array_append_new(list, json_pack("{s:s, s:s, s:[s,s,s,s], s:s}", "name", e.name, "group", e.group,
                                                  "words", e.words[0], e.words[1], e.words[2], e.words[3],
                                                  "statement", e.statement));
            continue;
        }
        printf("%-10s %-9s %s\n", e.name, e.group, e.statement);
        for (unsigned i = 0; s->words.count && i < 4; i++)
            if (*e.words[i]) printf("  word %u  %s\n", i, e.words[i]);
    }
    return s->json ? dump(list) : EXIT_DONE;
}

/* ---- cpus --------------------------------------------------------------------------------------------------- */

/* A model with or without switches, by its name or by another's; else says what is wrong with it. */
static bool is_cpu(const char *spec)
{
    struct rs_cpu_identity id;
    struct rs_config config;
    rs_machine *m;
    char error[200] = "";

    if (rs_cpu_identity(spec, &id)) return true;
    rs_config_init(&config);
    config.cpu = spec;
    if (rs_create(&config, &m, error, sizeof error) == RS_OK) rs_destroy(m);
    fprintf(stderr, "ringside: %s\n", error);
    return false;
}

static const char *description_of(const char *spec)
{
    struct rs_cpu_identity id;
    const char *model, *description = "";

    if (!rs_cpu_identity(spec, &id)) return "";
    for (unsigned i = 0; (model = rs_cpu_model(i, &description)) != NULL; i++)
        if (strcmp(model, id.name) == 0) return description;
    return "";
}

static void features(const char *model)
{
    const char *name;
    bool on, gap;
    unsigned column = 0;

    for (unsigned i = 0; rs_cpu_feature(model, i, &name, &on, &gap); i++) {
        if (!on) continue;
        column += (unsigned)printf("%s%s", column ? " " : "  ", name);
        if (column < 90) continue;
        printf("\n");
        column = 0;
    }
    if (column) printf("\n");
}

static void identity(const char *model)
{
    struct rs_cpu_identity id;
    const char *name, *statement;
    bool on;

    if (!rs_cpu_identity(model, &id)) return;
    printf("  %s family %u model %u stepping %u (%08x), %u physical address bits%s%s\n", id.vendor, id.family, id.model,
           id.stepping, id.signature, id.maxphyaddr, *id.brand ? ", " : "", id.brand);
    for (unsigned i = 0; rs_cpu_behaviour(model, i, &name, &statement, &on); i++)
        if (on) printf("  %-19s %s\n", name, statement);
}

static json_t *names_json(const char *model, bool (*get)(const char *, unsigned, const char **, bool *))
{
    json_t *list = json_array();
    const char *name;
    bool on;

    for (unsigned i = 0; get(model, i, &name, &on); i++)
        if (on) json_array_append_new(list, json_string(name));
    return list;
}

static bool get_feature(const char *model, unsigned i, const char **name, bool *on)
{
    return rs_cpu_feature(model, i, name, on, NULL);
}

static bool get_behaviour(const char *model, unsigned i, const char **name, bool *on)
{
    return rs_cpu_behaviour(model, i, name, NULL, on);
}

static json_t *cpu_json(const char *model, const char *description)
{
    struct rs_cpu_identity id;

    if (!rs_cpu_identity(model, &id)) return NULL;
    return json_pack("{s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:o, s:o}", "name", model, "description", description,
                     "vendor", id.vendor, "brand", id.brand, "family", id.family, "model", id.model, "stepping",
                     id.stepping, "maxphyaddr", id.maxphyaddr, "features", names_json(model, get_feature),
                     "behaviours", names_json(model, get_behaviour));
}

static int gaps(void)
{
    const char *text;

    for (unsigned i = 0; (text = rs_gap(i)) != NULL; i++) printf("%s\n", text);
    return EXIT_DONE;
}

static void print_form(void *ctx, const char *form, uint32_t ticks)
{
    ++*(unsigned *)ctx;
    printf("%-28s %6.2f\n", form, ticks / 64.0);
}

/* Forms without a price of their own, with what they are charged in cycles. */
static int cost_gaps(const struct settings *s)
{
    struct rs_config config;
    rs_machine *m;
    unsigned count = 0;
    char error[200] = "";

    rs_config_init(&config);
    config.cost = s->cost;
    rs_status status = rs_create(&config, &m, error, sizeof error);
    if (status != RS_OK) {
        fprintf(stderr, "ringside: %s\n", error);
        return EXIT_USAGE;
    }
    status = rs_cost_gaps(m, print_form, &count);
    rs_destroy(m);
    if (status != RS_OK) return EXIT_HOST;
    if (count == 0) printf("every form has its price under %s\n", s->cost ? s->cost : "teaching");
    return EXIT_DONE;
}

static void one_cpu(const struct settings *s, json_t *list, const char *spec)
{
    const char *description = description_of(spec);

    if (list) {
        json_array_append_new(list, cpu_json(spec, description));
        return;
    }
    printf("%-15s %s\n", spec, description);
    if (!s->words.count) return;
    identity(spec);
    features(spec);
}

int verb_cpus(const struct settings *s)
{
    const char *model;

    if (s->gaps) return gaps();
    if (s->cost_gaps) return cost_gaps(s);
    for (unsigned i = 0; i < s->words.count; i++)
        if (!is_cpu(s->words.item[i])) return EXIT_USAGE;
    json_t *list = s->json ? json_array() : NULL;
    for (unsigned i = 0; i < s->words.count; i++) one_cpu(s, list, s->words.item[i]);
    for (unsigned i = 0; !s->words.count && (model = rs_cpu_model(i, NULL)) != NULL; i++) one_cpu(s, list, model);
    return list ? dump(list) : EXIT_DONE;
}

/* ---- version --------------------------------------------------------------------------------------------------- */

static void defaults(void)
{
    static const char *const line[] = {
        "--cpu x86-64-v3", "--cost teaching", "--tier fast", "--smp 1", "--mem 256M",
        "--hz (the cost profile's)", "--seed 0", "--epoch 2026-01-01T00:00:00Z",
        "--pace off (real on a terminal)", "--engine fast", "--serial stdio",
        "--ram-budget (--mem, at most half of the host's)", "--trace (nothing; with --trace-out: crossing,refused)",
        "--trace-out (stderr)", "--trace-format text", "--on-reset exit", "--on-triple-fault exit",
    };
    const char *name, *description;

    printf("defaults:\n");
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) printf("  %s\n", line[i]);
    printf("cost profiles:\n");
    for (unsigned i = 0; (name = rs_cost_profile(i, &description)) != NULL; i++)
        printf("  %-10s %s\n", name, description);
}

int verb_version(const struct settings *s)
{
    printf("ringside %s (ABI %d, event schema %d, snapshot %d)\n", rs_version(), RS_ABI_VERSION,
           RS_EVENT_SCHEMA_VERSION, RS_SNAPSHOT_VERSION);
    if (s->verbose) defaults();
    return EXIT_DONE;
}
