/*
 * limit.c - see limit.h.
 */
#include "cpu/limit.h"

/** limit_judge - every byte within the limit. In a flat segment (base 0, 4 GBytes) nothing is outside: an
 *  operand that goes round at the top has its last bytes at 0. The manual leaves that open ("may or may not
 *  cause the indicated exceptions"); Intel's processors refuse it only where there is a base (measured).
 *  SDM 3A "Limit Checking". */
bool limit_judge(const struct segment *s, uint64_t eff, unsigned n)
{
    uint64_t last = eff + n - 1;
    bool down = (s->attr & (ATTR_CODE | ATTR_EC)) == ATTR_EC;

    if (!down) return last <= s->limit || (s->limit == 0xffffffffu && s->base == 0);
    return eff > s->limit && last <= (s->attr & ATTR_DB ? 0xffffffffu : 0xffffu);
}

bool seg_silent(const struct cpu *c, unsigned seg, uint64_t eff, uint64_t bytes, bool write)
{
    const struct segment *s = &c->seg[seg];
    unsigned type = s->attr & (ATTR_CODE | ATTR_RW);

    if (cpu_64(c)) return true;
    if ((s->attr & (ATTR_UNUSABLE | ATTR_P | ATTR_S)) != (ATTR_P | ATTR_S)) return false;
    if (write ? type != ATTR_RW : type == ATTR_CODE) return false;
    return limit_judge(s, eff, (unsigned)bytes);
}

static bool may_read(uint16_t attr) { return !(attr & ATTR_CODE) || (attr & ATTR_RW); }
static bool may_write(uint16_t attr) { return !(attr & ATTR_CODE) && (attr & ATTR_RW); }

bool seg_access_check(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, enum rs_access kind)
{
    const struct segment *s = &c->seg[seg];
    bool stack = seg == SEG_SS;

    if (!check(c, stack ? RS_RULE_NULL_STACK : RS_RULE_NULL_DATA, !(s->attr & ATTR_UNUSABLE), s->sel,
               seg, 0, 0))
        return false;
    /* real mode and virtual-8086 segments are writable whatever their type says */
    if (cpu_protected(c)) {
        if (kind == RS_WRITE) {
            if (!check(c, RS_RULE_TYPE_WRITE, may_write(s->attr), s->sel, s->attr, 0, 0)) return false;
        } else if (kind == RS_READ &&
                   !check(c, RS_RULE_TYPE_READ, may_read(s->attr), s->sel, s->attr, 0, 0)) {
            return false;
        }
    }
    return check(c, stack ? RS_RULE_LIMIT_STACK : RS_RULE_LIMIT_DATA, limit_judge(s, eff, n), eff,
                 s->limit, n, 0);
}
