/*
 * real.h - real-address mode, and what virtual-8086 mode has in common with it: real.c; virtual-8086
 * mode and its extensions: v86.c.
 */
#ifndef CPU_REAL_H
#define CPU_REAL_H

#include "cpu/protect.h"

/** What a load of a selector makes of a segment register: pure. @old is what it held before. */
struct descriptor real_descriptor(const struct segment *old, bool code, bool v86, uint16_t selector);
/** Load a segment register in real or virtual-8086 mode: nothing is checked. */
void real_load(struct cpu *c, enum seg seg, uint16_t selector);

enum step real_transfer(struct cpu *c, uint16_t selector, uint64_t offset, unsigned size, bool call);
enum step real_return(struct cpu *c, unsigned size, unsigned pop_bytes);
enum step real_iret(struct cpu *c, unsigned size);

/** What an IRET of real or virtual-8086 mode finds on the stack. */
struct real_frame {
    uint64_t ip, flags;
    uint16_t cs;
};
bool real_iret_read(struct cpu *c, unsigned size, struct real_frame *f);
enum step real_iret_commit(struct cpu *c, unsigned size, const struct real_frame *f, uint64_t flags);

bool real_vector_judge(unsigned vector, uint32_t limit);
/** FLAGS, CS, IP: all three are judged before the first is pushed. */
bool real_push_frame(struct cpu *c, const uint16_t slot[3]);
/** At a boundary. False: c->fault. The caller accounts for it. */
bool real_deliver(struct cpu *c, unsigned vector, uint64_t flags, uint64_t ip);

/* ---- virtual-8086 mode (v86.c) ------------------------------------------------------------------------ */

bool v86_iopl_judge(unsigned iopl);
/** VME_VIP, VME_TF: an image of FLAGS that POPF or IRET takes at IOPL < 3 with CR4.VME=1. */
enum rs_rule vme_image_judge(uint64_t flags, uint64_t image);
bool vme_sti_judge(uint64_t flags);
/** V86_GATE_CS: the handler's code segment is non-conforming with DPL 0. */
bool v86_gate_judge(uint16_t attr);

/** CLI, STI, PUSHF, POPF, IRET, INT n in virtual-8086 mode. */
enum step v86_cli(struct cpu *c);
enum step v86_sti(struct cpu *c);
enum step v86_pushf(struct cpu *c, unsigned size);
enum step v86_popf(struct cpu *c, unsigned size);
enum step v86_iret(struct cpu *c, unsigned size);
/** INT n: *through says that it goes through the IDT as anywhere else; else the step is final. */
enum step v86_int(struct cpu *c, unsigned vector, bool *through);
/** CLI and STI in protected mode at CPL 3 > IOPL with CR4.PVI=1. */
enum step pvi_cli(struct cpu *c);
enum step pvi_sti(struct cpu *c);
/** After an entry, at its first instruction: VIF and VIP are not both set. */
bool v86_entry_check(struct cpu *c);
/** IRETD at CPL 0 of an image with VM=1. @ip, @cs, @flags as read. */
enum step v86_enter(struct cpu *c, uint64_t ip, uint16_t cs, uint64_t flags, uint64_t start);

#endif
