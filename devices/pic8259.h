/*
 * pic8259.h - the PC's pair of 8259A interrupt controllers, the second cascaded into IR2 of the first,
 * with the edge/level control registers of later chip sets.
 *
 * Registers: 0, 1 = master (ports 0x20, 0x21); 2, 3 = slave (0xA0, 0xA1); 4, 5 = ELCR (0x4D0, 0x4D1).
 * The wire w.irq is INTR to the processor.
 * Manual: Intel 8259A data sheet, "Programming the 8259A", "Operation".
 */
#ifndef DEVICES_PIC8259_H
#define DEVICES_PIC8259_H

#include "devices/device.h"

#define PIC_CASCADE 2u /* the master's input that the slave drives */

/** One 8259A. Bit i of a set is input IRi. */
STATE_BEGIN
struct pic_chip {
    uint8_t lines;      /**< the inputs' present levels */
    uint8_t edges;      /**< low-to-high transitions not yet acknowledged */
    uint8_t isr;        /**< in service */
    uint8_t imr;        /**< masked */
    uint8_t elcr;       /**< level-triggered inputs */
    uint8_t vector;     /**< ICW2: vector of IR0 */
    uint8_t icw1, icw4; /**< as written */
    uint8_t stage;      /**< enum pic_stage */
    uint8_t lowest;     /**< the input of lowest priority, 7 unless rotated */
    uint8_t select;     /**< what register 0 reads: 2 = IRR, 3 = ISR (OCW3) */
    uint8_t special;    /**< special mask mode */
    uint8_t poll;       /**< the next read is a poll */
    uint8_t rotate;     /**< rotate on automatic EOI */
};

/** Where an initialisation sequence is. */
enum pic_stage { PIC_COLD, PIC_WANTS_ICW2, PIC_WANTS_ICW3, PIC_WANTS_ICW4, PIC_READY };

struct pic8259_state {
    struct pic_chip chip[2]; /**< master, slave */
    uint8_t intr;            /**< level of INTR as last put on the wire */
    uint8_t unused[3];
};
STATE_END

struct pic8259 {
    struct pic8259_state s;
    struct device_wires w;
};

extern const struct device_ops pic8259_ops;

/** Drive input line 0..15 (2 is the cascade and cannot be driven). */
void pic_set_line(struct pic8259 *pic, unsigned line, bool level);
/** INTA: the vector to take, its input now in service. IR7's vector if nobody asks any more. */
uint8_t pic_acknowledge(struct pic8259 *pic);
static inline bool pic_intr(const struct pic8259 *pic) { return pic->s.intr != 0; }
/** Would a rising edge on this line, now, raise INTR? False when masked or barred by one in service. */
bool pic_would_interrupt(const struct pic8259 *pic, unsigned line);

#endif
