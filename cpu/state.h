/*
 * state.h - one logical CPU: registers, hidden state, and the engine's own bookkeeping.
 *
 * "At a boundary" (between two instructions, outside a block) c->cur is NULL, gpr[R_RIPBASE] is RIP,
 * ticks and insns are exact. Inside a block the three are those of the block's start plus dynamic
 * charges, and an op's own share is added: cpu_rip(), cpu_now(), cpu_insns() in cpu.h.
 */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include "arch/bits.h"
#include "arch/cost.h"
#include "arch/ports.h"
#include "mmu/mmu.h"

enum gpr {
    R_RAX, R_RCX, R_RDX, R_RBX, R_RSP, R_RBP, R_RSI, R_RDI,
    R_R8, R_R9, R_R10, R_R11, R_R12, R_R13, R_R14, R_R15,
    R_ZERO,    /* always 0: "no base", "no index" */
    R_RIPBASE, /* RIP at a boundary; the block's first RIP inside a block */
    R_COUNT
};

/* Encoding order of the manuals. */
enum seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/** A segment register with its hidden part. limit is in bytes (granularity applied). */
struct segment {
    uint16_t sel;
    uint16_t attr; /* ATTR_*; ATTR_UNUSABLE for a null one */
    uint32_t limit;
    uint64_t base;
};

struct table_reg {
    uint64_t base;
    uint32_t limit;
};

union xmm {
    uint8_t u8[16];
    uint16_t u16[8];
    uint32_t u32[4];
    uint64_t u64[2];
};

/** How an exception came about: decides RIP pushed, EXT, RF, DPL check. */
enum fault_class {
    FC_FAULT,    /* RIP of the instruction, RF pushed as 1 */
    FC_TRAP,     /* RIP after the instruction (#DB single-step, data breakpoints) */
    FC_SOFT,     /* INT n, INT3, INTO: RIP after, gate DPL checked, EXT=0 */
    FC_ICEBP,    /* INT1: RIP after, no DPL check, EXT=1 */
    FC_EXTERNAL, /* INTR */
    FC_NMI
};

/** A fault is a value: an instruction that cannot go on fills this and returns STEP_FAULT. */
struct fault {
    uint8_t vector;
    uint8_t klass;     /* enum fault_class */
    bool has_error;
    uint8_t length;    /* of the instruction, for FC_SOFT and FC_ICEBP: RIP + length is pushed */
    uint16_t rule;     /* enum rs_rule that refused, RS_RULE_NONE if none did (e.g. #DE) */
    uint32_t error;
    uint16_t ticks;    /* price of the instruction, for FC_SOFT and FC_ICEBP: due when it has been delivered */
    uint64_t cr2;      /* #PF only */
    uint64_t dr6;      /* #DB only: bits to be merged into DR6 */
};

/** Why a chain of handlers returned to the run loop. */
enum cpu_exit {
    EXIT_NEXT,  /* go on at RIP */
    EXIT_FAULT, /* c->fault holds an exception; RIP is the instruction's (or the next, for traps) */
    EXIT_HALT,
    EXIT_GAP,   /* c->gap names what is missing */
    EXIT_BREAK, /* magic break */
    EXIT_STEPPED /* a single op ran to its end (run.c only) */
};

struct op;
struct block;
struct block_cache;
struct decoder;
struct lapic;

struct cpu {
    uint64_t gpr[R_COUNT];

    /* Lazy arithmetic flags, see flags.h */
    uint64_t fl_res, fl_a, fl_b, fl_meta;

    uint64_t ticks;    /* see the top of this file */
    uint64_t insns;    /* retired */
    uint64_t deadline; /* the chain must not run past this tick; 0 = attention wanted now */
    struct block *blk; /* the block being run, NULL at a boundary or when single ops run */
    const struct op *cur; /* the op whose slow path is active */
    struct block *link_from; /* the block whose link `link_which` the run loop should set */
    uint8_t link_which;
    bool stepping; /* single ops run: chains end after each */
    struct block *step_block; /* stepping goes on at op step_index of this block, if not NULL */
    uint8_t step_index;
    bool rep_paid; /* a REP left without being interrupted resumes without a new start cost ... */
    uint64_t rep_rem; /* ... and with the fraction of a tick that it owes */
    uint64_t env_cr0, env_cr4, env_efer; /* what the MMU's environment was made from */
    uint64_t step_phys, step_phys2; /* where the single op's bytes lie; phys2 as in struct block */
    struct { uint64_t phys, phys2; unsigned length; bool on, hit; } own; /* a REP's own bytes, while it writes */
    uint64_t until;   /* cpu_run's own deadline, without the instruction limit */
    const struct fetch_slot *fetch; /* the fetch filter of the current privilege */
    struct filter_slot *rd, *wr; /* the filter's tables for the current context */
    bool brk;          /* leave the block after the current instruction */
    uint8_t cpl;
    uint8_t exit;      /* enum cpu_exit */
    uint8_t shadow;    /* SHADOW_*: what the previous instruction holds off */
    uint32_t ctx;      /* decode context of the current mode (decode.h) */
    uint64_t flags;    /* RFLAGS without the arithmetic six (those are lazy): IF, DF, TF, IOPL ... */

    /* the rest of the architectural state */
    struct segment seg[SEG_COUNT];
    struct table_reg gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, efer, xcr0;
    uint64_t pdpte[4]; /* the PDPTE registers: PAE paging's root */
    uint64_t dr[8];
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat, tsc_aux, misc_enable, debugctl, mcg_status;
    uint64_t misc_features, hwcr, nb_cfg, de_cfg;
    int64_t tsc_offset; /* TSC = f(ticks) + offset; TSC_ADJUST tracks it */
    uint64_t tsc_adjust;
    union xmm xmm[16];
    uint32_t mxcsr;
    /* x87 as FXSAVE sees it: 80-bit registers, control, status, abridged tag */
    struct { uint8_t st[8][10]; uint16_t cw, sw; uint8_t tag; uint16_t fop; uint64_t fip, fdp; } x87;
    bool halted;
    uint64_t halted_at; /* the tick of the last HLT */
    bool nmi_blocked, nmi_pending, mc_pending, init_pending;
    bool in_df; /* delivering #DF: the next contributory fault is shutdown */

    /* not architectural */
    struct fault fault;
    char gap[240];       /* what is missing, or the chain of causes of a shutdown */
    uint8_t via;         /* how the delivery that is being told came: CROSS_VIA_* */
    bool ext;            /* delivering what the program did not ask for: error codes get EXT=1 */
    struct { uint64_t key, number; } calls[64]; /* system calls under way, for the log alone (exec_system.c) */
    bool observe_insn;   /* run op by op, emit INSN */
    bool observe_checks; /* run op by op, emit CHECK for passed rules too */
    bool reference;      /* --engine reference */
    bool intr_line;      /* an interrupt asks for service: local APIC or ExtINT */
    bool request;        /* a device wants the machine (exit, reset): cpu_run returns CPU_REQUEST */
    bool trap_lost;      /* SYSCALL has cleared TF: no trap follows it */
    uint64_t trap_pending; /* DR6 bits of a #DB trap due at this boundary, or after the next instruction */
    uint8_t watch;         /* WATCH_* of debug.h: what breakpoints are armed for; derived */
    uint8_t debug_hit;     /* B bits that the instruction in progress has met */
    uint8_t step_length;   /* of the single op that has run */
    bool magic_break;
    uint8_t index;
    unsigned block_cap;
    uint64_t category[RS_CAT_COUNT]; /* dynamic charges in ticks (user and kernel are derived) */
    uint64_t dynamic;                /* their sum */
    uint64_t *bill;                  /* the ledger's row that they go to as well */
    uint32_t billed;                 /* categories charged since the ledger last cleared it */
    uint64_t no_bill[RS_CAT_COUNT];  /* where they go while no ledger is attached */
    uint64_t ring_ticks[4], ring_since; /* ticks per CPL up to ring_since */
    const struct features *features;
    const struct cost *cost;
    struct block_cache *blocks;
    struct decoder *decoder;
    struct lapic *lapic;
    struct ram *ram;
    struct bus_wire bus;
    struct inta_wire inta;
    struct clock_wire clock;
    struct event_wire *events;
    struct crossing_wire *crossings;
    struct mmu mmu;
};

/* Through the IDT; which gate; whose stack. Bits 17 to 23 of a CROSS event's levels. */
#define CROSS_VIA_IST 0x07u /* 1..7: that IST, 0: none */
#define CROSS_VIA_TRAP 0x08u
#define CROSS_VIA_RSP 0x10u /* RSPn (ESPn) of the new level */
#define CROSS_VIA_IDT 0x20u
#define CROSS_VIA_SHIFT 17

#define SHADOW_STI 1u /* INTR held off for one instruction */
#define SHADOW_SS 2u  /* INTR, NMI and #DB held off for one instruction */

/** The ledger's ear: told of each crossing by cpu/deliver.c and exec_system.c, implemented in emu/.
 *  begin comes before the first charge of a delivery or return (with cpu_now() = start_tick), so that
 *  the bill can be taken apart; without it the parts are derived from the price list. enter and leave
 *  come after the last charge, with CPL and RIP already the new ones. */
struct crossing_wire {
    void *ctx;
    void (*begin)(void *ctx, struct cpu *c); /* may be NULL */
    /* levels: from and to CPL; number: vector or RAX; ticks: price of the delivery so far */
    void (*enter)(void *ctx, struct cpu *c, unsigned how, uint32_t number, unsigned from_cpl,
                  uint64_t start_tick);
    void (*leave)(void *ctx, struct cpu *c, unsigned how, unsigned from_cpl, uint64_t start_tick);
};

#endif
