/* noop - nothing between START and DONE: what start-up costs. */
#include "guest.h"

GUEST("noop", 1);

uint64_t kernel_run(uint64_t n) { return n; }
