/*
 * cost_table.h - the generated price data (arch/cost_table.c, by tools/gen_costs.py). For cost.c only.
 */
#ifndef ARCH_COST_TABLE_H
#define ARCH_COST_TABLE_H

#include <stdint.h>

#define COST_COLUMNS 5
#define COST_HASH_BITS 13
#define COST_HASH_SIZE (1u << COST_HASH_BITS)

/* marks of a cell */
#define CELL_SLOT 1u /* priced by an event: one issue slot */
#define CELL_LOCK 2u /* plus lock_extra */
#define CELL_GAP 4u  /* the class default stands in */
#define CELL_LOAD 8u /* the latency includes an L1 access */

/** One form on one CPU; lat and rtp in 1/100 cycle, lat 0 for stores and at most 40 cycles. */
struct cost_cell {
    uint8_t uops;
    uint16_t lat, rtp;
    uint8_t marks;
};
struct cost_row {
    const char *name;
    uint8_t klass;
    struct cost_cell cell[COST_COLUMNS];
};
/** A built-in profile: the .ini's text without comments. */
struct cost_builtin {
    const char *name, *desc, *text;
};

extern const char *const cost_columns[COST_COLUMNS];
extern const char *const cost_classes[];
extern const unsigned cost_form_count; /* rows that are forms; behind them defaults by mnemonic */
extern const unsigned cost_row_count;  /* the last row is the default of an unknown mnemonic */
extern const struct cost_row cost_rows[];
extern const uint16_t cost_hash[COST_HASH_SIZE];
extern const struct cost_builtin cost_builtins[];
extern const unsigned cost_builtin_count;

#endif
