/*
 * explain.c - commands that answer why: walks, refusals, recent events, the ledger, rules.
 */
#include "kit/monitor/parts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TICKS_PER_CYCLE 64.0

/* ---- walk ------------------------------------------------------------------------------------------------- */

static const char *table_name(unsigned level)
{
    static const char *const name[] = {"", "PT", "PD", "PDPT", "PML4", "PML5"};

    return level < 6 ? name[level] : "?";
}

static void say_entry(struct monitor *mon, const struct rs_walk_step *step)
{
    uint64_t e = step->entry;

    say(mon, "  level %u %-4s entry at 0x%09llx = %016llx  %s %s %s%s%s%s%s%s\n", step->level, table_name(step->level),
        (unsigned long long)step->entry_at, (unsigned long long)e, e & 1 ? "P" : "not present", e & 4 ? "user" : "sup",
        e & 2 ? "rw" : "ro", e >> 63 ? " xd" : "", e & 0x20 ? " A" : "", e & 0x40 ? " D" : "",
        (e & 0x80) && step->level > 1 ? " page" : "", e & 0x100 ? " G" : "");
}

static void say_explanation(struct monitor *mon, const struct rs_explanation *e)
{
    for (unsigned i = 0; i < e->steps; i++) say_entry(mon, &e->step[i]);
    say(mon, "%s\n", e->text);
}

bool command_walk(struct monitor *mon, unsigned argc, char **argv)
{
    static const char kinds[] = "rwx";
    struct rs_explanation e;
    uint64_t address, cpl = 0;
    const char *kind = kinds;

    if (!address_parse(mon, argv[0], &address)) return false;
    rs_reg_read(mon->m, 0, RS_REG_CPL, &cpl);
    if (argc > 1 && (strlen(argv[1]) != 1 || !(kind = strchr(kinds, argv[1][0]))))
        return complain(mon, "an access is r, w or x, not '%s'", argv[1]);
    if (argc > 2) {
        if (strlen(argv[2]) != 1 || argv[2][0] < '0' || argv[2][0] > '3')
            return complain(mon, "CPL is 0 to 3, not '%s'", argv[2]);
        cpl = (uint64_t)(argv[2][0] - '0');
    }
    rs_status status = rs_explain(mon->m, 0, (unsigned)cpl, address, (enum rs_access)(kind - kinds), &e);

    if (status != RS_OK) return complain(mon, "%s", rs_status_text(status));
    say_explanation(mon, &e);
    return true;
}

/* ---- why --------------------------------------------------------------------------------------------------- */

static void say_rule(struct monitor *mon, const struct rs_rule_info *rule)
{
    say(mon, "rule %s refuses: %s\n  raises %s, error code %s, subject %s\n  manual: %s\n", rule->name, rule->statement,
        rule->fault, rule->error, rule->subject, rule->manual);
}

static void say_detail(struct monitor *mon, unsigned id)
{
    struct rs_rule_detail d;

    if (!rs_rule_detail(id, &d)) return;
    if (*d.edition) say(mon, "  edition: %s\n", d.edition);
    if (*d.features) say(mon, "  hangs on the features: %s\n", d.features);
    if (*d.in1) say(mon, "  in1 of its checks: %s\n", d.in1);
    if (*d.in2) say(mon, "  in2 of its checks: %s\n", d.in2);
    if (*d.test_passed) say(mon, "  seen to pass by %s\n", d.test_passed);
    if (*d.test_refused) say(mon, "  seen to refuse by %s\n", d.test_refused);
}

/* A paging refusal can be asked again, from the tables as they are now. */
static void say_again(struct monitor *mon, const struct rs_event *ev, const struct rs_rule_info *rule)
{
    struct rs_explanation e;

    if (strcmp(rule->fault, "#PF") != 0) return;
    if (rs_explain(mon->m, 0, ev->cpl, ev->w[0], (enum rs_access)(ev->how <= RS_FETCH ? ev->how : 0), &e) == RS_OK) {
        say(mon, "the tables now:\n");
        say_explanation(mon, &e);
    }
}

/* The event `back` places before the newest, NULL if it is no longer kept. */
static const struct rs_event *recent(const struct monitor *mon, uint64_t back)
{
    if (back >= mon->seen || back >= MONITOR_RING) return NULL;
    return &mon->ring[(mon->seen - 1 - back) % MONITOR_RING];
}

/* The last refusal or, failing that, fault: of a chain (a fault whose delivery was refused) the first.
 * A chain has no crossing within it. *later = how many refusals followed from it. */
static const struct rs_event *root_cause(const struct monitor *mon, unsigned *later)
{
    const struct rs_event *root = NULL, *e;

    *later = 0;
    for (uint64_t back = 0; (e = recent(mon, back)) != NULL; back++) {
        bool crossing = e->kind == RS_EV_CROSS || e->kind == RS_EV_CROSS_END;
        bool cause = e->kind == RS_EV_CHECK || (e->kind == RS_EV_FAULT && !root);

        if (root && (crossing || e->rip != root->rip)) break;
        if (!cause) continue;
        if (root && root->kind == RS_EV_CHECK) ++*later;
        root = e;
    }
    return root;
}

bool command_why(struct monitor *mon, unsigned argc, char **argv)
{
    char line[2048];
    struct rs_rule_info rule;
    unsigned later;
    const struct rs_event *ev = root_cause(mon, &later);

    (void)argc;
    (void)argv;
    if (!ev) return complain(mon, "nothing has been refused yet");
    if (rs_event_format(mon->m, ev, RS_LOG_TEXT, line, sizeof line)) mon->print(mon->ctx, line);
    if (later) say(mon, "its delivery caused further refusals: %u (events lists them)\n", later);
    if (!rs_rule_info(ev->rule, &rule)) return true;
    say_rule(mon, &rule);
    say_again(mon, ev, &rule);
    return true;
}

bool command_rule(struct monitor *mon, unsigned argc, char **argv)
{
    struct rs_rule_info rule;

    (void)argc;
    for (unsigned id = 1; rs_rule_info(id, &rule); id++) {
        if (strcasecmp(rule.name, argv[0]) != 0) continue;
        say_rule(mon, &rule);
        say_detail(mon, id);
        return true;
    }
    return complain(mon, "no rule '%s' (ringside rules lists them)", argv[0]);
}

/* ---- what happened -------------------------------------------------------------------------------------------- */

bool command_events(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t n = 10, kept = mon->seen < MONITOR_RING ? mon->seen : MONITOR_RING;
    char line[2048];

    if (argc && !count_parse(mon, argv[0], &n)) return false;
    if (n > kept) n = kept;
    if (n == 0) say(mon, "no events yet\n");
    for (uint64_t i = mon->seen - n; i < mon->seen; i++)
        if (rs_event_format(mon->m, &mon->ring[i % MONITOR_RING], RS_LOG_TEXT, line, sizeof line))
            mon->print(mon->ctx, line);
    return true;
}

bool command_ledger(struct monitor *mon, unsigned argc, char **argv)
{
    struct rs_ledger total = {.struct_size = sizeof total};
    struct rs_ledger_row row;

    (void)argc;
    (void)argv;
    rs_status status = rs_ledger_read(mon->m, &total);

    if (status != RS_OK) return complain(mon, "%s", rs_status_text(status));
    for (unsigned i = 0; i < RS_CAT_COUNT; i++)
        if (total.category[i])
            say(mon, "%s %.0f  ", rs_category_name(i), (double)total.category[i] / TICKS_PER_CYCLE);
    say(mon, "cycles\n");
    for (unsigned i = 0; rs_ledger_row(mon->m, i, &row); i++)
        say(mon, "  %-10s %-5u %8llu times, mean %.1f cycles (%.0f to %.0f), %.1f instructions\n",
            rs_crossing_name(row.how), row.number, (unsigned long long)row.count,
            (double)row.ticks_total / TICKS_PER_CYCLE / (double)(row.count ? row.count : 1),
            (double)row.ticks_min / TICKS_PER_CYCLE, (double)row.ticks_max / TICKS_PER_CYCLE,
            (double)row.insns / (double)(row.count ? row.count : 1));
    return true;
}
