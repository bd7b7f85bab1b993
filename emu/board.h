/*
 * board.h - all the chips of board.def, plugged in and wired.
 *
 * A board knows chips, buses and interrupt lines; no processor, RAM or host. It holds pointers into
 * itself: after board_init it must not be moved.
 */
#ifndef EMU_BOARD_H
#define EMU_BOARD_H

#include "arch/ports.h"
#include "devices/cmos.h"
#include "devices/debugdoors.h"
#include "devices/fw_cfg.h"
#include "devices/kbc.h"
#include "devices/pic8259.h"
#include "devices/pit8254.h"
#include "devices/uart16550.h"
#include "emu/bus.h"
#include "emu/sched.h"

#define BOARD_IRQS 16u
#define BOARD_INTR 16u /* the number of INTR in LINE events; 0..15 are the ISA interrupt lines */
#define BOARD_NO_IRQ 255u

/** Chips by number: their alarm source and their name in DEVICE events. */
enum board_device {
#define DEVICE(chip, name, bus, base, size, irq, unit) BOARD_##name,
#define ALSO(name, bus, base, size, reg)
#include "emu/board.def"
#undef DEVICE
#undef ALSO
    BOARD_DEVICES
};
_Static_assert(BOARD_DEVICES <= 16, "alarm sources 16 and up are the processors'");

struct board_config {
    uint64_t mem_bytes;
    unsigned cpus;
    uint64_t epoch;           /**< seconds since 1970 */
    struct clock_wire clock;  /**< carries hz; its sources 0 .. BOARD_DEVICES-1 are the board's */
    struct byte_wire console; /**< channels 0..3 = COM1..4, 4 = port 0xE9 */
    struct request_wire request;     /**< A20, reset, power-off, guest exit */
    struct line_wire intr;           /**< line 0 = INTR of the 8259 pair */
    const struct event_wire *events; /**< may be NULL */
};

struct board;
/** What a chip's interrupt wire is soldered to. */
struct board_pin {
    struct board *board;
    unsigned device;
};

struct board {
#define DEVICE(chip, name, bus, base, size, irq, unit) struct chip name;
#define ALSO(name, bus, base, size, reg)
#include "emu/board.def"
#undef DEVICE
#undef ALSO
    uint32_t
        asserted[BOARD_IRQS]; /* by line: the devices that pull it, one bit each; lines are ORed */
    struct board_config config;
    struct board_pin pin[BOARD_DEVICES];
    struct bus bus;
};

/** Plug everything in and reset it; false only if board.def overlaps itself. Uses the clock and the
 *  INTR wire, asks for nothing (A20 is taken to be on). */
bool board_init(struct board *b, const struct board_config *config);
/** The RESET line: chips to their power-on state, the clock's battery kept, A20 on (REQ_A20). */
void board_reset(struct board *b);

/** Where a CPU reads and writes, and where it asks for a vector. */
struct bus_wire board_bus(struct board *b);
struct inta_wire board_inta(struct board *b);
/** INTR of the 8259 pair, now. */
bool board_intr_level(const struct board *b);

/** The alarm of a device (enum board_device) has gone off. */
void board_alarm(struct board *b, unsigned device);
/** Have the scheduler call board_alarm for each device. */
void board_attach(struct board *b, struct sched *sched);
/** With all processors halted: could an alarm of the board that is armed now raise INTR, things being
 *  as they are? False if all armed lines are masked or barred by one in service: the machine is dead
 *  unless somebody else wakes it. */
bool board_may_wake(const struct board *b, const struct sched *sched);

/** Bytes for a serial port (channel 0..3) from outside; returns how many it took now. */
size_t board_input(struct board *b, unsigned channel, const uint8_t *bytes, size_t n);
size_t board_input_room(const struct board *b, unsigned channel);

/** Feed the canonical state of every chip, as it is now; changes nothing. */
void board_hash_state(const struct board *b, const struct hash_sink *sink);
/** The chip's name in board.def, NULL past the end. */
const char *board_device_name(unsigned device);

#endif
