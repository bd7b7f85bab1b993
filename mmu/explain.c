/*
 * explain.c - walk and judge as a report: the levels, the rule, one sentence, and the smallest
 * change that would flip the verdict. Decides nothing: all comes from mmu_translate_peek.
 * Manual: SDM 3A "Access Rights", "Page-Fault Exceptions"; SDM 1 "Canonical Addressing".
 */
#include "mmu/parts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LINEAR_BITS 48 /* 4-level paging */

/* ---- words ----------------------------------------------------------------------------------- */

static const char *const rule_name[] = {
    "",
#define RULE(id, ...) #id,
#include "ringside/rules.def"
#undef RULE
};

static const char *const entry_name[] = {"", "PTE", "PDE", "PDPTE", "PML4E"};

/** Appends to out->text; what does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void say(struct rs_explanation *out,
                                                      const char *format, ...)
{
    size_t used = strlen(out->text);
    va_list args;

    va_start(args, format);
    vsnprintf(out->text + used, sizeof(out->text) - used, format, args);
    va_end(args);
}

static const char *kind_word(unsigned kind)
{
    return kind == RS_WRITE ? "write to" : kind == RS_FETCH ? "fetch from" : "read of";
}

static const char *who_word(const struct mmu_access *access)
{
    if (access->user) return "user";
    return access->implicit ? "implicit supervisor" : "supervisor";
}

static const char *size_word(unsigned shift)
{
    return shift == 30 ? "1-GByte" : shift == 22 ? "4-MByte" : shift == 21 ? "2-MByte" : "4-KByte";
}

/* ---- the entries that matter ----------------------------------------------------------------- */

/** The steps, as a bit set, in which (entry & bit) == value. */
static unsigned steps_where(const struct mmu_path *path, uint64_t bit, uint64_t value)
{
    unsigned set = 0;

    for (unsigned i = 0; i < path->steps; i++)
        if ((path->step[i].entry & bit) == value) set |= 1u << i;
    return set;
}

static unsigned last_step(const struct mmu_path *path) { return 1u << (path->steps - 1u); }

/** "the PDE at 0x5008", or "the PML4E, PDPTE and PDE" when there are several. */
static void say_entries(struct rs_explanation *out, const struct mmu_path *path, unsigned set)
{
    int left = __builtin_popcount(set);

    if (left == 1) {
        unsigned i = (unsigned)__builtin_ctz(set);

        say(out, "the %s at 0x%" PRIx64, entry_name[path->step[i].level], path->step[i].at);
        return;
    }
    say(out, "the ");
    for (unsigned i = 0; i < path->steps; i++) {
        if (!(set & 1u << i)) continue;
        left--;
        say(out, "%s%s", entry_name[path->step[i].level], left > 1 ? ", " : left ? " and " : "");
    }
}

/** The entries to blame for a broken rule; 0 when the combined rights are. */
static unsigned culprits(unsigned rule, const struct mmu_path *path)
{
    switch (rule) {
    case RS_RULE_PG_P:
    case RS_RULE_PG_RSVD: return last_step(path);
    case RS_RULE_PG_US: return steps_where(path, PTE_U, 0);
    case RS_RULE_PG_WR_USER:
    case RS_RULE_PG_WR_SUP: return steps_where(path, PTE_W, 0);
    case RS_RULE_PG_NX: return steps_where(path, PTE_XD, PTE_XD);
    default: return 0;
    }
}

/* ---- why not --------------------------------------------------------------------------------- */

/** The fact that breaks the rule, in bits. */
static const char *fact(unsigned rule)
{
    switch (rule) {
    case RS_RULE_PG_P: return "P=0";
    case RS_RULE_PG_RSVD: return "a reserved bit is 1";
    case RS_RULE_PG_US: return "U/S=0";
    case RS_RULE_PG_WR_USER: return "R/W=0";
    case RS_RULE_PG_WR_SUP: return "CR0.WP=1 and R/W=0";
    case RS_RULE_PG_NX: return "XD=1";
    case RS_RULE_PG_SMEP: return "CR4.SMEP=1 and U/S=1 at every level";
    case RS_RULE_PG_SMAP: return "CR4.SMAP=1, RFLAGS.AC=0 and U/S=1 at every level";
    default: return "CR4.SMAP=1 and U/S=1 at every level";
    }
}

static void say_refusal(struct rs_explanation *out, const struct mmu_path *path, unsigned rule)
{
    unsigned set = culprits(rule, path), i;

    say(out, " refused by %s: %s", rule_name[rule], fact(rule));
    if (set == 0) return;
    i = (unsigned)__builtin_ctz(set);
    out->level = path->step[i].level;
    say(out, " at level %u (%s 0x%" PRIx64 " at 0x%" PRIx64 ")", out->level, entry_name[out->level],
        path->step[i].entry, path->step[i].at);
}

/** The smallest change that mends one broken rule. */
static void say_remedy(struct rs_explanation *out, const struct mmu_env *env,
                       const struct mmu_path *path, unsigned rule)
{
    unsigned last = path->steps - 1u;

    switch (rule) {
    case RS_RULE_PG_P: say(out, "set P (and an address) in "); break;
    case RS_RULE_PG_RSVD:
        say(out, "clear bits 0x%" PRIx64 " in ",
            path->step[last].entry &
                walk_reserved(env, path->step[last].level, path->step[last].entry));
        break;
    case RS_RULE_PG_US: say(out, "set U/S in "); break;
    case RS_RULE_PG_WR_USER: say(out, "set R/W in "); break;
    case RS_RULE_PG_WR_SUP: say(out, "clear CR0.WP or set R/W in "); break;
    case RS_RULE_PG_NX: say(out, "clear XD in "); break;
    case RS_RULE_PG_SMEP:
        say(out, "clear CR4.SMEP or clear U/S in ");
        say_entries(out, path, last_step(path));
        return;
    case RS_RULE_PG_SMAP: say(out, "clear CR4.SMAP or set RFLAGS.AC"); return;
    default:
        say(out, "clear CR4.SMAP or clear U/S in ");
        say_entries(out, path, last_step(path));
        return;
    }
    say_entries(out, path, culprits(rule, path));
}

static void explain_refused(struct rs_explanation *out, const struct mmu_env *env,
                            const struct mmu_path *path)
{
    say_refusal(out, path, out->rule);
    for (uint64_t rules = out->broken; rules; rules &= rules - 1) {
        say(out, rules == out->broken ? "; to allow it, " : ", and ");
        say_remedy(out, env, path, (unsigned)__builtin_ctzll(rules));
    }
}

/* ---- why ------------------------------------------------------------------------------------- */

static void explain_allowed(struct rs_explanation *out, const struct mmu_env *env,
                            const struct mmu_path *path, const struct mmu_access *access)
{
    say(out, " allowed: physical 0x%" PRIx64, out->phys);
    if (!env->paging) {
        say(out, ", paging is off");
        return;
    }
    say(out, ", %s page, U/S=%d R/W=%d XD=%d; to refuse it, clear %s in ",
        size_word(path->page_shift), path->user, path->write, path->nx, access->user ? "U/S" : "P");
    say_entries(out, path, last_step(path));
}

/** A non-canonical address never gets to the tables. */
static void explain_non_canonical(struct rs_explanation *out, const struct mmu_access *access)
{
    out->rule = access->kind == RS_FETCH ? RS_RULE_CANON_FETCH : RS_RULE_CANON_MEM;
    say(out, " refused by %s: bits 63:%d are not all equal; to allow it, make them so",
        rule_name[out->rule], LINEAR_BITS - 1);
}

static void copy_path(struct rs_explanation *out, const struct mmu_path *path)
{
    out->steps = path->steps;
    out->user = path->user;
    out->write = path->write;
    out->nx = path->nx;
    out->page_shift = path->page_shift;
    for (unsigned i = 0; i < path->steps; i++)
        out->step[i] =
            (struct rs_walk_step){path->step[i].level, path->step[i].at, path->step[i].entry};
}

void mmu_explain(const struct mmu *u, const struct mmu_env *env, uint64_t cr3, uint64_t linear,
                 struct mmu_access access, struct rs_explanation *out)
{
    struct mmu_path path;
    struct mmu_result r;
    struct mmu_env other;

    /* another address space of PAE paging has other PDPTEs */
    if (mmu_is_pae(env) && cr3 != u->cr3) {
        other = *env;
        mmu_pdptes_peek(u, cr3, other.pdpte);
        env = &other;
    }
    memset(out, 0, sizeof(*out));
    out->paging = env->paging;
    out->rule = RS_RULE_NONE;
    say(out, "%s %s 0x%" PRIx64, who_word(&access), kind_word(access.kind), linear);
    if (env->lma && !mmu_canonical(linear, LINEAR_BITS)) {
        explain_non_canonical(out, &access);
        return;
    }
    r = mmu_translate_peek(u, env, cr3, linear, access, &path);
    out->allowed = r.ok;
    out->rule = r.verdict.rule;
    out->broken = r.verdict.broken;
    out->error_code = r.verdict.error;
    copy_path(out, &path);
    if (path.status == WALK_OK) out->phys = path.phys & u->a20_mask;
    if (r.ok) explain_allowed(out, env, &path, &access);
    else explain_refused(out, env, &path);
}
