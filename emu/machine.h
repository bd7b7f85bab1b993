/*
 * machine.h - the whole computer: RAM, one processor, a board of chips, a scheduler, and what
 * watches them. rs_machine of the public header.
 *
 * machine.c builds and runs it; api.c turns it into the public functions. Everything that decides
 * guest-visible behaviour comes from the configuration, the image and the inputs.
 */
#ifndef EMU_MACHINE_H
#define EMU_MACHINE_H

#include <stdatomic.h>

#include "cpu/cpu.h"
#include "emu/board.h"
#include "emu/events.h"
#include "emu/ledger.h"
#include "emu/sched.h"
#include "emu/symbols.h"

#define MACHINE_MODULES_MAX 64u
#define MACHINE_BREAKS_MAX 64u
#define MACHINE_ERROR_SIZE 320u
#define MACHINE_CHANNELS 4u
#define SCHED_CPUS 16u /* alarm sources from here on are the processors' timers */

/** What was loaded last, kept so that a reset can start it again. */
struct boot {
    enum { BOOT_NONE, BOOT_IMAGE, BOOT_FLAT, BOOT_BIOS } kind;
    char *name, *cmdline; /* cmdline NULL: none */
    uint8_t *bytes;
    uint64_t size;
    uint64_t load, entry, tables; /* flat images */
    uint8_t *rom;                 /* the firmware; bytes at load (perhaps none) lie in RAM beside it */
    uint64_t rom_size;
    enum rs_flat_mode mode;
};

struct module {
    uint8_t *bytes;
    uint64_t size;
    char *string;
};

/** Bytes from outside that wait for their time, in order of arrival time. */
struct input {
    uint64_t tick;
    unsigned channel;
    bool rest; /* what its port had no room for: later bytes must not overtake it */
    size_t size;
    struct input *next;
    uint8_t bytes[];
};

/** Why the machine shall stop at the next boundary; the first reason stays. */
struct stop_wish {
    enum rs_stop_reason reason;
    uint64_t value;
};

struct rs_machine {
    struct ram ram;
    struct cpu cpu;
    struct sched sched;
    struct board board;
    struct events events;
    struct ledger ledger;
    struct cost cost;
    struct features features;
    struct symbols symbols;
    struct rs_config config; /* strings point into the three below or are NULL */
    char *cpu_spec, *cost_spec;

    struct boot boot;
    unsigned modules;
    struct module module[MACHINE_MODULES_MAX];
    struct input *inputs;

    struct stop_wish wish;
    atomic_bool stop_asked; /* rs_stop: the one field other threads write */
    bool running;
    bool reset_asked;
    bool slept; /* time has passed since the CPU halted: waking costs */
    uint64_t break_at[MACHINE_BREAKS_MAX];
    unsigned breaks;
    char error[MACHINE_ERROR_SIZE];
};

/** Build a machine from a checked configuration; on failure *out is NULL and error (may be NULL) says
 *  why. */
rs_status machine_create(const struct rs_config *config, rs_machine **out, char *error, size_t error_size);
void machine_destroy(rs_machine *m);

void machine_boot_free(rs_machine *m);
/** Start what is in m->boot: RAM cleared, CPU and board reset, image placed. */
rs_status machine_boot(rs_machine *m);
rs_status boot_multiboot(rs_machine *m);
rs_status boot_flat(rs_machine *m);
rs_status boot_bios(rs_machine *m);

rs_status machine_run(rs_machine *m, const struct rs_limits *limits, struct rs_stop_info *stop);
/** Ask for a stop at the next boundary; an earlier wish is not overwritten. */
void machine_wish(rs_machine *m, enum rs_stop_reason reason, uint64_t value);
/** The guest has reset the machine: stop, or start the image again. */
void machine_reset_wish(rs_machine *m);
/** CS base + RIP, cut to 32 bits outside 64-bit mode. */
static inline uint64_t machine_linear_rip(const struct cpu *c)
{
    uint64_t linear = c->seg[SEG_CS].base + cpu_rip(c);

    return cpu_64(c) ? linear : (uint32_t)linear;
}
/** Bytes for a serial channel at a tick not before now. */
rs_status machine_input(rs_machine *m, uint64_t tick, unsigned channel, const void *bytes, size_t n);
/** Put an input into the queue by its tick, after those of the same tick. */
void machine_input_queue(rs_machine *m, struct input *in);

/** Could a byte on this serial port wake the halted CPU, things being as they are? */
bool machine_input_wakes(const rs_machine *m, unsigned channel);

/** Say what went wrong on a machine; returns status. */
rs_status machine_fail(rs_machine *m, rs_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/** Time and place between two instructions or inside one. */
uint64_t machine_now(const rs_machine *m);

/* registers.c */
const char *register_name(unsigned reg);
/** size: 8, or 16 for XMM. False if there is no such register or it has another size. */
bool register_read(const struct cpu *c, unsigned reg, void *out, size_t size);
bool register_write(struct cpu *c, unsigned reg, const void *in, size_t size);

/* hash.c */
/** XXH3-128 of the canonical state, as 32 hex digits and NUL; false without host memory. */
bool machine_hash(rs_machine *m, char out[33]);

#endif
