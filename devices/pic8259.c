/*
 * pic8259.c - the 8259A pair.
 *
 * Requests are derived, not stored: an edge-triggered input asks while its edge is remembered and the
 * line is still high (a line that drops before INTA takes its request back, and an INTA that finds
 * nobody gives IR7: the spurious interrupt), a level-triggered one while it is high. After every
 * change `settle` recomputes slave INT, cascade input and INTR.
 */
#include "devices/pic8259.h"

#define ICW1_IC4 0x01u  /* ICW4 follows */
#define ICW1_SNGL 0x02u /* no cascade: no ICW3 */
#define ICW1_LTIM 0x08u /* all inputs level-triggered */
#define ICW1 0x10u
#define ICW4_AEOI 0x02u
#define ICW4_SFNM 0x10u /* special fully nested mode */
#define OCW3 0x08u
#define OCW3_RIS 0x03u
#define OCW3_POLL 0x04u
#define OCW3_SMM 0x20u
#define OCW3_ESMM 0x40u
#define POLL_INT 0x80u

#define NOBODY 8u

enum { REG_MASTER, REG_MASTER_DATA, REG_SLAVE, REG_SLAVE_DATA, REG_ELCR0, REG_ELCR1 };
enum { MASTER, SLAVE };

/* Inputs that can be made level-triggered: not timer, keyboard, cascade; not clock, coprocessor. */
static const uint8_t elcr_may[2] = {0xf8, 0xde};

static uint8_t level_inputs(const struct pic_chip *p)
{
    return p->icw1 & ICW1_LTIM ? 0xff : p->elcr;
}

static uint8_t requests(const struct pic_chip *p)
{
    return (uint8_t)(p->lines & (p->edges | level_inputs(p)));
}

/* The input of highest priority in a set, NOBODY if it is empty. */
static unsigned first_of(const struct pic_chip *p, unsigned set)
{
    for (unsigned i = 1; i <= 8; i++) {
        unsigned input = (p->lowest + i) & 7;

        if (set >> input & 1) return input;
    }
    return NOBODY;
}

/* How far down the priority order an input is: 0 highest, 8 for NOBODY. */
static unsigned rank(const struct pic_chip *p, unsigned input)
{
    return input == NOBODY ? 8 : (input - p->lowest - 1u) & 7;
}

/* The input to be served next, NOBODY if none asks or those that ask are barred.
 * `cascade`: the set of inputs with a slave behind them. */
static unsigned winner(const struct pic_chip *p, unsigned cascade)
{
    if (p->stage != PIC_READY) return NOBODY;
    unsigned input = first_of(p, requests(p) & ~p->imr);
    /* Special mask mode: an input in service that is masked bars nobody. */
    unsigned barring = first_of(p, p->special ? p->isr & ~p->imr : p->isr);

    if (rank(p, input) < rank(p, barring)) return input;
    /* Special fully nested: a slave in service does not bar the slave. */
    if ((p->icw4 & ICW4_SFNM) && input == barring && (cascade >> input & 1)) return input;
    return NOBODY;
}

static unsigned cascade_of(unsigned which, const struct pic_chip *p)
{
    return which == MASTER && !(p->icw1 & ICW1_SNGL) ? 1u << PIC_CASCADE : 0;
}

static void drive(struct pic_chip *p, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);

    if (level && !(p->lines & bit)) p->edges |= bit;
    if (!level) p->edges &= (uint8_t)~bit;
    p->lines = (uint8_t)(level ? p->lines | bit : p->lines & ~bit);
}

/* Slave INT to the master's input, master INT out. Returns INTR. */
static bool propagate(struct pic8259_state *s)
{
    drive(&s->chip[MASTER], PIC_CASCADE, winner(&s->chip[SLAVE], 0) != NOBODY);
    return winner(&s->chip[MASTER], cascade_of(MASTER, &s->chip[MASTER])) != NOBODY;
}

static void settle(struct pic8259 *pic)
{
    bool intr = propagate(&pic->s);

    if (intr == pic_intr(pic)) return;
    pic->s.intr = intr;
    wire_irq(&pic->w, intr);
}

void pic_set_line(struct pic8259 *pic, unsigned line, bool level)
{
    if (line == PIC_CASCADE || line > 15) return;
    drive(&pic->s.chip[line >> 3], line & 7, level);
    settle(pic);
}

bool pic_would_interrupt(const struct pic8259 *pic, unsigned line)
{
    struct pic8259_state s = pic->s;

    if (line == PIC_CASCADE || line > 15) return false;
    drive(&s.chip[line >> 3], line & 7, false);
    propagate(&s);
    drive(&s.chip[line >> 3], line & 7, true);
    return propagate(&s);
}

/* ---- acknowledge -------------------------------------------------------------------------------- */

/* Take an input into service. */
static void serve(struct pic_chip *p, unsigned input)
{
    uint8_t bit = (uint8_t)(1u << input);

    p->edges &= (uint8_t)~bit;
    if (!(p->icw4 & ICW4_AEOI)) p->isr |= bit;
    else if (p->rotate) p->lowest = (uint8_t)input;
}

static uint8_t acknowledge_slave(struct pic8259 *pic)
{
    struct pic_chip *slave = &pic->s.chip[SLAVE];
    unsigned input = winner(slave, 0);

    if (input == NOBODY) return (uint8_t)(slave->vector | 7);
    serve(slave, input);
    /* INT falls with the acknowledge, so that the next request is a new edge for the master. */
    drive(&pic->s.chip[MASTER], PIC_CASCADE, false);
    return (uint8_t)(slave->vector | input);
}

uint8_t pic_acknowledge(struct pic8259 *pic)
{
    struct pic_chip *master = &pic->s.chip[MASTER];
    unsigned cascade = cascade_of(MASTER, master);
    unsigned input = winner(master, cascade);
    uint8_t vector = (uint8_t)(master->vector | 7);

    if (input != NOBODY) {
        serve(master, input);
        vector = cascade >> input & 1 ? acknowledge_slave(pic) : (uint8_t)(master->vector | input);
    }
    settle(pic);
    return vector;
}

/* A poll acknowledges this chip alone and tells the input. */
static uint8_t poll(struct pic8259 *pic, unsigned which)
{
    struct pic_chip *p = &pic->s.chip[which];
    unsigned input = winner(p, cascade_of(which, p));

    p->poll = 0;
    if (input == NOBODY) return 0;
    serve(p, input);
    if (which == SLAVE) drive(&pic->s.chip[MASTER], PIC_CASCADE, false);
    settle(pic);
    return (uint8_t)(POLL_INT | input);
}

/* ---- registers ---------------------------------------------------------------------------------- */

static void start_initialisation(struct pic_chip *p, uint8_t icw1)
{
    p->icw1 = icw1;
    p->icw4 = 0;
    p->edges = p->isr = p->imr = 0;
    p->lowest = 7;
    p->select = 2;
    p->special = p->poll = p->rotate = 0;
    p->stage = PIC_WANTS_ICW2;
}

static void end_of_interrupt(struct pic_chip *p, unsigned input, bool rotate)
{
    if (input == NOBODY) return;
    p->isr &= (uint8_t) ~(1u << input);
    if (rotate) p->lowest = (uint8_t)input;
}

/* OCW2: R, SL, EOI in bits 7..5, the input in bits 2..0. */
static void write_ocw2(struct pic_chip *p, uint8_t value)
{
    unsigned input = value & 7;
    /* A masked input in service is passed over in special mask mode. */
    unsigned served = first_of(p, p->special ? p->isr & ~p->imr : p->isr);

    switch (value >> 5) {
    case 0: p->rotate = 0; break;
    case 1: end_of_interrupt(p, served, false); break;
    case 2: break; /* no operation */
    case 3: end_of_interrupt(p, input, false); break;
    case 4: p->rotate = 1; break;
    case 5: end_of_interrupt(p, served, true); break;
    case 6: p->lowest = (uint8_t)input; break;
    default: end_of_interrupt(p, input, true); break;
    }
}

static void write_ocw3(struct pic_chip *p, uint8_t value)
{
    if (value & OCW3_ESMM) p->special = (value & OCW3_SMM) != 0;
    if (value & OCW3_POLL) p->poll = 1;
    if (value & 2) p->select = value & OCW3_RIS;
}

static void write_command(struct pic_chip *p, uint8_t value)
{
    if (value & ICW1) start_initialisation(p, value);
    else if (value & OCW3) write_ocw3(p, value);
    else write_ocw2(p, value);
}

static void write_data(struct pic_chip *p, uint8_t value)
{
    switch ((enum pic_stage)p->stage) {
    case PIC_WANTS_ICW2:
        p->vector = value & 0xf8;
        p->stage = !(p->icw1 & ICW1_SNGL) ? PIC_WANTS_ICW3
                   : p->icw1 & ICW1_IC4   ? PIC_WANTS_ICW4
                                          : PIC_READY;
        break;
    case PIC_WANTS_ICW3: /* who is cascaded where is soldered on a PC */
        p->stage = p->icw1 & ICW1_IC4 ? PIC_WANTS_ICW4 : PIC_READY;
        break;
    case PIC_WANTS_ICW4:
        p->icw4 = value;
        p->stage = PIC_READY;
        break;
    case PIC_COLD:
    case PIC_READY: p->imr = value; break;
    }
}

static uint64_t read(void *chip, unsigned cpu, uint32_t reg, unsigned n)
{
    struct pic8259 *pic = chip;
    struct pic_chip *p = &pic->s.chip[reg >> 1 & 1];

    (void)cpu, (void)n;
    if (reg >= REG_ELCR0) return pic->s.chip[reg - REG_ELCR0].elcr;
    if (p->poll) return poll(pic, reg >> 1);
    if (reg & 1) return p->imr;
    return p->select == 3 ? p->isr : requests(p);
}

static void write(void *chip, unsigned cpu, uint32_t reg, unsigned n, uint64_t value)
{
    struct pic8259 *pic = chip;
    struct pic_chip *p = &pic->s.chip[reg >> 1 & 1];

    (void)cpu, (void)n;
    if (reg >= REG_ELCR0)
        pic->s.chip[reg - REG_ELCR0].elcr = (uint8_t)value & elcr_may[reg - REG_ELCR0];
    else if (reg & 1) write_data(p, (uint8_t)value);
    else write_command(p, (uint8_t)value);
    settle(pic);
}

/* Input levels belong to their owners and stay. */
static void reset(void *chip)
{
    struct pic8259 *pic = chip;

    for (unsigned i = 0; i < 2; i++) {
        uint8_t lines = pic->s.chip[i].lines;

        pic->s.chip[i] =
            (struct pic_chip){.lines = lines, .lowest = 7, .select = 2, .stage = PIC_COLD};
    }
    settle(pic);
}

static void hash(const void *chip, const struct hash_sink *sink)
{
    const struct pic8259 *pic = chip;

    sink->put(sink->ctx, &pic->s, sizeof pic->s);
}

const struct device_ops pic8259_ops = {
    .name = "pic8259", .read = read, .write = write, .reset = reset, .hash = hash};
