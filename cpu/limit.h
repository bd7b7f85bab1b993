/*
 * limit.h - may this segment register be used for this access? Limits, types, null segments.
 * Not asked in 64-bit mode. Manual: SDM 3A "Limit Checking", "Type Checking".
 */
#ifndef CPU_LIMIT_H
#define CPU_LIMIT_H

#include "cpu/cpu.h"

/**
 * limit_judge - pure: do n bytes at `eff` lie within the segment?
 * An expand-down segment is valid above its limit, up to 64 KiB or 4 GiB by its B bit. In a segment that
 * ends at 4 GiB an access goes round to address 0: the manual leaves it to the implementation whether that
 * faults, and Intel's processors (measured) do not.
 */
bool limit_judge(const struct segment *s, uint64_t eff, unsigned n);

/** Would the segment let these bytes through without a word? Else seg_access_check asks properly. */
bool seg_silent(const struct cpu *c, unsigned seg, uint64_t eff, uint64_t bytes, bool write);

/** Judge and report every rule of a data access through a segment register; false = c->fault. */
bool seg_access_check(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, enum rs_access kind);

#endif
