/*
 * debug.h - breakpoints of DR0 to DR3: see debug.c.
 */
#ifndef CPU_DEBUG_H
#define CPU_DEBUG_H

#include "cpu/cpu.h"

/** What R/Wn of DR7 can be. */
enum debug_kind { DEBUG_EXEC, DEBUG_WRITE, DEBUG_IO, DEBUG_ACCESS };

/**
 * debug_match - which of B0 to B3 an access meets. Pure.
 * @dr    the debug registers     @de  CR4.DE: without it R/W = 10b is undefined and matches nothing
 * @kind  DEBUG_EXEC: a fetch of the instruction at `at` (n = 1); DEBUG_WRITE: n bytes are written;
 *        DEBUG_IO: a port access; DEBUG_ACCESS: n bytes are read
 * Returns B bits, enabled or not: debug_enabled says which of them raise #DB.
 */
unsigned debug_match(const uint64_t dr[8], bool de, enum debug_kind kind, uint64_t at, unsigned n);
/** The B bits whose breakpoint Ln or Gn enables. Pure. */
unsigned debug_enabled(uint64_t dr7);

/** DR0-DR3, DR7 or CR4.DE have changed: what must be looked at, and which pages may have no filter slot. */
void debug_changed(struct cpu *c);

/** A data or port access has been made: note what it meets. Called where c->watch says so. */
void debug_note(struct cpu *c, enum debug_kind kind, uint64_t at, unsigned n);
/** What the instruction that has retired (or a delivery) met is a trap at the next boundary. */
static inline void debug_pend(struct cpu *c)
{
    c->trap_pending |= c->debug_hit;
    c->debug_hit = 0;
}
/** Is there an instruction breakpoint on the instruction at this linear address, which RF does not suppress and
 *  MOV SS does not hold off? Then c->fault is its #DB. */
bool debug_fetch(struct cpu *c, uint64_t linear);

/* c->watch */
#define WATCH_CODE 1u
#define WATCH_DATA 2u
#define WATCH_IO 4u

#endif
