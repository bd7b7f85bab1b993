/*
 * test_judge_enumeration.c - mmu_judge counted through: every access, every right, every control
 * bit, against tables written from the manual by somebody who had not seen the judge.
 *
 * The oracle is data. `allowed` lists the accesses that the manual permits, and whatever no row
 * matches must be refused; `rules` says what each rule of rules.def asks and refuses; `error_bits`
 * makes the error code. The first two say the same thing twice, so they are checked against each
 * other as well.
 * Manual: SDM 3A "Access Rights", "Page-Fault Exceptions". checks 1, 3, 4, 5, 12 to 15.
 */
#include "mmu/mmu.h"

#include "tests/check_main.h"

#include <string.h>

/* ---- the tables ------------------------------------------------------------------------------ */

/* Nine bits in this order, "." for either: the page's U/S, R/W and XD; EFER.NXE; CR0.WP; CR4.SMEP;
 * CR4.SMAP; RFLAGS.AC; CR4.PAE. */
enum { BITS = 9, PAGE_U = 0, PAGE_W, PAGE_XD, ON_NXE, ON_WP, ON_SMEP, ON_SMAP, ON_AC, ON_PAE };

struct row {
    const char *who;    /* user, explicit or implicit supervisor access; supervisor: both; any */
    const char *kind;   /* read, write, fetch; data: read or write; any */
    const char *status; /* of the walk: ok, absent, reserved; any */
    const char *bits;
    uint32_t gives; /* rule or error-code bits */
};

/* clang-format off */
static const struct row allowed[] = {
    /*                                U W XD  NXE WP SMEP SMAP AC PAE */
    /* a user may read user pages, write the writable ones, and run what is not XD */
    {"user",       "read",  "ok",    "1 . .    .  .   .    .   .  .", 0},
    {"user",       "write", "ok",    "1 1 .    .  .   .    .   .  .", 0},
    {"user",       "fetch", "ok",    "1 . 0    .  .   .    .   .  .", 0},
    {"user",       "fetch", "ok",    "1 . .    0  .   .    .   .  .", 0},
    {"user",       "fetch", "ok",    "1 . .    .  .   .    .   .  0", 0},
    /* a supervisor and its own pages */
    {"supervisor", "read",  "ok",    "0 . .    .  .   .    .   .  .", 0},
    {"supervisor", "write", "ok",    "0 . .    .  0   .    .   .  .", 0},
    {"supervisor", "write", "ok",    "0 1 .    .  .   .    .   .  .", 0},
    {"supervisor", "fetch", "ok",    "0 . 0    .  .   .    .   .  .", 0},
    {"supervisor", "fetch", "ok",    "0 . .    0  .   .    .   .  .", 0},
    {"supervisor", "fetch", "ok",    "0 . .    .  .   .    .   .  0", 0},
    /* a supervisor and user pages without SMAP */
    {"supervisor", "read",  "ok",    "1 . .    .  .   .    0   .  .", 0},
    {"supervisor", "write", "ok",    "1 . .    .  0   .    0   .  .", 0},
    {"supervisor", "write", "ok",    "1 1 .    .  .   .    0   .  .", 0},
    /* with SMAP: only explicitly and only while AC is set */
    {"explicit",   "read",  "ok",    "1 . .    .  .   .    1   1  .", 0},
    {"explicit",   "write", "ok",    "1 . .    .  0   .    1   1  .", 0},
    {"explicit",   "write", "ok",    "1 1 .    .  .   .    1   1  .", 0},
    /* a supervisor runs user pages only without SMEP */
    {"supervisor", "fetch", "ok",    "1 . 0    .  .   0    .   .  .", 0},
    {"supervisor", "fetch", "ok",    "1 . .    0  .   0    .   .  .", 0},
    {"supervisor", "fetch", "ok",    "1 . .    .  .   0    .   .  0", 0},
};

/* Which accesses a rule is asked of, and which break it. */
static const struct {
    struct row asked, broken;
} rules[] = {
    {{"any",        "any",   "any",      ". . .  . . . . . .", RS_RULE_PG_P},
     {"any",        "any",   "absent",   ". . .  . . . . . .", RS_RULE_PG_P}},
    {{"any",        "any",   "found",    ". . .  . . . . . .", RS_RULE_PG_RSVD},
     {"any",        "any",   "reserved", ". . .  . . . . . .", RS_RULE_PG_RSVD}},
    {{"user",       "any",   "ok",       ". . .  . . . . . .", RS_RULE_PG_US},
     {"user",       "any",   "ok",       "0 . .  . . . . . .", RS_RULE_PG_US}},
    {{"user",       "write", "ok",       ". . .  . . . . . .", RS_RULE_PG_WR_USER},
     {"user",       "write", "ok",       ". 0 .  . . . . . .", RS_RULE_PG_WR_USER}},
    {{"supervisor", "write", "ok",       ". . .  . 1 . . . .", RS_RULE_PG_WR_SUP},
     {"supervisor", "write", "ok",       ". 0 .  . 1 . . . .", RS_RULE_PG_WR_SUP}},
    {{"any",        "fetch", "ok",       ". . .  1 . . . . 1", RS_RULE_PG_NX},
     {"any",        "fetch", "ok",       ". . 1  1 . . . . 1", RS_RULE_PG_NX}},
    {{"supervisor", "fetch", "ok",       ". . .  . . 1 . . .", RS_RULE_PG_SMEP},
     {"supervisor", "fetch", "ok",       "1 . .  . . 1 . . .", RS_RULE_PG_SMEP}},
    {{"explicit",   "data",  "ok",       ". . .  . . . 1 . .", RS_RULE_PG_SMAP},
     {"explicit",   "data",  "ok",       "1 . .  . . . 1 0 .", RS_RULE_PG_SMAP}},
    {{"implicit",   "data",  "ok",       ". . .  . . . 1 . .", RS_RULE_PG_SMAP_IMPLICIT},
     {"implicit",   "data",  "ok",       "1 . .  . . . 1 . .", RS_RULE_PG_SMAP_IMPLICIT}},
};

/* Error-code bits, added up; of refused accesses only. */
static const struct row error_bits[] = {
    {"any",        "any",   "found",    ". . .  . . . . . .", 0x01}, /* P: a protection violation */
    {"any",        "write", "any",      ". . .  . . . . . .", 0x02}, /* W/R */
    {"user",       "any",   "any",      ". . .  . . . . . .", 0x04}, /* U/S: of the access */
    {"any",        "any",   "reserved", ". . .  . . . . . .", 0x08}, /* RSVD */
    {"any",        "fetch", "any",      ". . .  . . 1 . . .", 0x10}, /* I/D: with SMEP, */
    {"any",        "fetch", "any",      ". . .  1 . . . . 1", 0x10}, /*      or with XD to speak of */
};
/* clang-format on */

/* ---- reading them ---------------------------------------------------------------------------- */

enum { USER = 1, EXPLICIT = 2, IMPLICIT = 4 };

struct question { /* sets of one member */
    unsigned who, kind, status, bits;
};
struct pattern { /* sets; bits that matter and their values */
    unsigned who, kind, status, mask, value, gives;
};

static const struct word {
    const char *word;
    unsigned set;
} who_words[] = {{"user", USER},
                 {"explicit", EXPLICIT},
                 {"implicit", IMPLICIT},
                 {"supervisor", EXPLICIT | IMPLICIT},
                 {"any", USER | EXPLICIT | IMPLICIT},
                 {NULL, 0}},
  kind_words[] = {{"read", 1u << RS_READ},
                  {"write", 1u << RS_WRITE},
                  {"fetch", 1u << RS_FETCH},
                  {"data", 1u << RS_READ | 1u << RS_WRITE},
                  {"any", 1u << RS_READ | 1u << RS_WRITE | 1u << RS_FETCH},
                  {NULL, 0}},
  status_words[] = {{"ok", 1u << WALK_OK},
                    {"absent", 1u << WALK_NOT_PRESENT},
                    {"reserved", 1u << WALK_RESERVED},
                    {"found", 1u << WALK_OK | 1u << WALK_RESERVED},
                    {"any", 1u << WALK_OK | 1u << WALK_NOT_PRESENT | 1u << WALK_RESERVED},
                    {NULL, 0}};

static unsigned set_of(const struct word *words, const char *word)
{
    while (words->word && strcmp(words->word, word) != 0) words++;
    ck_assert_msg(words->word, "a table says %s", word);
    return words->set;
}

static struct pattern pattern_of(const struct row *row)
{
    struct pattern p = {.who = set_of(who_words, row->who),
                        .kind = set_of(kind_words, row->kind),
                        .status = set_of(status_words, row->status),
                        .gives = row->gives};
    unsigned column = 0;

    for (const char *s = row->bits; *s; s++) {
        if (*s == ' ') continue;
        ck_assert_msg(column < BITS && strchr(".01", *s), "a table says %s", row->bits);
        if (*s != '.') p.mask |= 1u << column;
        if (*s == '1') p.value |= 1u << column;
        column++;
    }
    ck_assert_uint_eq(column, BITS);
    return p;
}

#define ALLOWED (sizeof allowed / sizeof allowed[0])
#define RULES (sizeof rules / sizeof rules[0])
#define ERRORS (sizeof error_bits / sizeof error_bits[0])

static struct {
    struct pattern allowed[ALLOWED], asked[RULES], broken[RULES], errors[ERRORS];
} oracle;

static void read_tables(void)
{
    for (size_t i = 0; i < ALLOWED; i++) oracle.allowed[i] = pattern_of(&allowed[i]);
    for (size_t i = 0; i < RULES; i++) {
        oracle.asked[i] = pattern_of(&rules[i].asked);
        oracle.broken[i] = pattern_of(&rules[i].broken);
    }
    for (size_t i = 0; i < ERRORS; i++) oracle.errors[i] = pattern_of(&error_bits[i]);
}

static bool matches(const struct pattern *p, const struct question *q)
{
    return p->who & q->who && p->kind & q->kind && p->status & q->status &&
           (q->bits & p->mask) == p->value;
}

static bool oracle_allows(const struct question *q)
{
    for (size_t i = 0; i < ALLOWED; i++)
        if (matches(&oracle.allowed[i], q)) return true;
    return false;
}

static uint64_t rules_matching(const struct pattern *patterns, const struct question *q)
{
    uint64_t set = 0;

    for (size_t i = 0; i < RULES; i++)
        if (matches(&patterns[i], q)) set |= 1ull << patterns[i].gives;
    return set;
}

static uint32_t oracle_error(const struct question *q)
{
    uint32_t error = 0;

    for (size_t i = 0; i < ERRORS; i++)
        if (matches(&oracle.errors[i], q)) error |= oracle.errors[i].gives;
    return error;
}

/* ---- counting through ------------------------------------------------------------------------ */

/* Asks `about` every question that can be put; answers how many there were. */
static unsigned each_question(void (*about)(const struct question *))
{
    unsigned count = 0;

    read_tables();
    for (unsigned who = USER; who <= IMPLICIT; who <<= 1)
        for (unsigned kind = RS_READ; kind <= RS_FETCH; kind++)
            for (unsigned status = WALK_OK; status <= WALK_RESERVED; status++)
                for (unsigned bits = 0; bits < 1u << BITS; bits++, count++)
                    about(&(struct question){who, 1u << kind, 1u << status, bits});
    return count;
}

static bool bit_of(const struct question *q, unsigned bit) { return q->bits >> bit & 1; }

static unsigned member_of(unsigned set) { return (unsigned)__builtin_ctz(set); }

/* The processor state of a question; `others` are the five bits that have no say. */
static struct mmu_env env_of(const struct question *q, unsigned others)
{
    return (struct mmu_env){.paging = true,
                            .wp = bit_of(q, ON_WP),
                            .pae = bit_of(q, ON_PAE),
                            .nxe = bit_of(q, ON_NXE),
                            .smep = bit_of(q, ON_SMEP),
                            .smap = bit_of(q, ON_SMAP),
                            .pse = others & 1,
                            .lma = others >> 1 & 1,
                            .pge = others >> 2 & 1,
                            .pcide = others >> 3 & 1,
                            .pages_1g = others >> 4 & 1,
                            .maxphyaddr = others & 1 ? 36 : 52};
}

static struct mmu_verdict ask(const struct question *q, unsigned others)
{
    struct mmu_env env = env_of(q, others);
    struct mmu_access access = {.kind = (uint8_t)member_of(q->kind),
                                .user = q->who == USER,
                                /* of no meaning for a user-mode access */
                                .implicit = q->who == IMPLICIT || (q->who == USER && others & 1),
                                .ac = bit_of(q, ON_AC)};
    struct mmu_rights rights = {.status = (uint8_t)member_of(q->status),
                                .user = bit_of(q, PAGE_U),
                                .write = bit_of(q, PAGE_W),
                                .nx = bit_of(q, PAGE_XD)};

    return mmu_judge(&env, &access, &rights);
}

static void disagree(const struct question *q, const char *what, uint64_t judge,
                     uint64_t oracle_says)
{
    ck_abort_msg("%s: judge %#llx, oracle %#llx; who %u kind %u status %u: U=%d W=%d XD=%d nxe=%d "
                 "wp=%d smep=%d smap=%d ac=%d pae=%d",
                 what, (unsigned long long)judge, (unsigned long long)oracle_says, q->who,
                 member_of(q->kind), member_of(q->status), bit_of(q, PAGE_U), bit_of(q, PAGE_W),
                 bit_of(q, PAGE_XD), bit_of(q, ON_NXE), bit_of(q, ON_WP), bit_of(q, ON_SMEP),
                 bit_of(q, ON_SMAP), bit_of(q, ON_AC), bit_of(q, ON_PAE));
}

static void expect(const struct question *q, const char *what, uint64_t judge, uint64_t oracle_says)
{
    if (judge != oracle_says) disagree(q, what, judge, oracle_says);
}

/* ---- the tests ------------------------------------------------------------------------------- */

static void consistent(const struct question *q)
{
    uint64_t asked = rules_matching(oracle.asked, q), broken = rules_matching(oracle.broken, q);

    expect(q, "allowed, yet rules are broken", broken == 0, oracle_allows(q));
    expect(q, "broken, yet not asked", broken & ~asked, 0);
}

START_TEST(the_two_tables_agree_on_what_is_allowed)
{
    ck_assert_uint_eq(each_question(consistent), 3 * 3 * 3 * 512);
}
END_TEST

static uint64_t used_rows;

static void note_sole_rows(const struct question *q)
{
    uint64_t rows = 0;

    for (size_t i = 0; i < ALLOWED; i++)
        if (matches(&oracle.allowed[i], q)) rows |= 1ull << i;
    if ((rows & (rows - 1)) == 0) used_rows |= rows;
}

START_TEST(no_row_of_the_table_can_be_left_out)
{
    used_rows = 0;
    each_question(note_sole_rows);
    ck_assert_uint_eq(used_rows, (1ull << ALLOWED) - 1);
}
END_TEST

static void verdict_matches(const struct question *q)
{
    uint64_t broken = rules_matching(oracle.broken, q);
    bool ok = oracle_allows(q);

    for (unsigned others = 0; others < 32; others++) {
        struct mmu_verdict v = ask(q, others);

        expect(q, "allowed", v.rule == RS_RULE_NONE, ok);
        expect(q, "broken rules", v.broken, broken);
        expect(q, "cited rule", v.rule, ok ? RS_RULE_NONE : member_of((unsigned)broken));
        expect(q, "error code", v.error, ok ? 0 : oracle_error(q));
        expect(q, "asked rules", v.applied, rules_matching(oracle.asked, q));
    }
}

START_TEST(exactly_the_accesses_in_the_table_are_allowed_and_the_others_refused_by_their_rules)
{
    ck_assert_uint_eq(each_question(verdict_matches), 3 * 3 * 3 * 512);
}
END_TEST

RUN_TESTS("judge enumeration", the_two_tables_agree_on_what_is_allowed,
          no_row_of_the_table_can_be_left_out,
          exactly_the_accesses_in_the_table_are_allowed_and_the_others_refused_by_their_rules)
