/**
 * ringside.h - the public interface of libringside: an x86-64 computer whose every privilege
 * check and every crossing between user and kernel can be seen.
 *
 * Life of a machine: rs_config_init, rs_create, rs_load_image (or rs_load_flat), rs_run until it
 * says why it stopped, questions (registers, memory, rs_explain, ...), rs_destroy.
 *
 * Threads: one machine belongs to one thread at a time; machines are independent; rs_stop alone
 * may be called from any thread or signal handler. The library keeps no global state, never
 * prints, exits, or reads clock or environment.
 * Units: addresses in bytes, time in cycles of the guest's core clock unless a name says ticks
 * (1/64 cycle).
 */
#ifndef RINGSIDE_H
#define RINGSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(RS_BUILDING_LIBRARY)
#define RS_API __attribute__((visibility("default")))
#else
#define RS_API
#endif

#define RS_VERSION_STRING "0.1.0"
#define RS_ABI_VERSION 0
#define RS_EVENT_SCHEMA_VERSION 1
#define RS_SNAPSHOT_VERSION 0

/** An emulated computer. Opaque. */
typedef struct rs_machine rs_machine;

/** What a call says of itself. Fixed values. */
typedef enum rs_status {
    RS_OK = 0,
    RS_E_ARG = 1,         /**< an argument is out of range; nothing was done */
    RS_E_NOMEM = 2,       /**< the host has no memory */
    RS_E_CONFIG = 3,      /**< unknown CPU model, cost profile or key */
    RS_E_IMAGE = 4,       /**< the image cannot be loaded; rs_error says what is wrong and where */
    RS_E_UNMAPPED = 5,    /**< no translation, or the access would fault */
    RS_E_BUSY = 6,        /**< called from inside a hook or while the machine runs */
    RS_E_UNSUPPORTED = 7, /**< promised but not there yet */
    RS_E_IO = 8,          /**< a file cannot be read or written */
    RS_E_LIMIT = 9        /**< a table of the machine is full */
} rs_status;

/** One sentence for a status; never NULL. */
RS_API const char *rs_status_text(rs_status status);

/** "0.1.0". */
RS_API const char *rs_version(void);

/* ---- configuration --------------------------------------------------------------------- */

enum rs_engine { RS_ENGINE_FAST = 0, RS_ENGINE_REFERENCE = 1 };

/** Receives the bytes a guest writes to channel 0..3 = COM1..4, 4 = port 0xE9. */
typedef void (*rs_console_fn)(void *ctx, unsigned channel, const uint8_t *bytes, size_t n);

/** Everything that decides what a machine is. Fill with rs_config_init, then change fields. */
struct rs_config {
    uint32_t struct_size;     /**< sizeof(struct rs_config), set by rs_config_init */
    uint32_t engine;          /**< enum rs_engine */
    const char *cpu;          /**< "MODEL[,+feature,-feature...]"; NULL = "x86-64-v3" */
    const char *cost;         /**< "PROFILE[,key=value...]" or a path to an .ini; NULL = "teaching" */
    uint64_t mem_bytes;       /**< RAM, a multiple of 4096, 1 MiB .. 64 GiB; default 256 MiB */
    uint64_t ram_budget;      /**< bytes of RAM the guest may touch; 0 = mem_bytes */
    uint32_t cpus;            /**< 1 (more: issue 4) */
    uint32_t block_cap;       /**< longest block in instructions, 1..64; 0 = the default (64). For tests. */
    uint64_t hz;              /**< core clock; 0 = the profile's */
    uint64_t seed;            /**< of every pseudo-random source */
    uint64_t epoch;           /**< the RTC's start, seconds since 1970; default 1767225600 (2026-01-01) */
    bool reboot_on_reset;     /**< a guest reset restarts the image instead of stopping */
    bool triple_fault_resets; /**< a triple fault is a reset instead of a stop */
    bool magic_break;         /**< XCHG BX,BX stops with RS_STOP_BREAKPOINT */
    rs_console_fn console;    /**< may be NULL */
    void *console_ctx;
};

/** Defaults, as interfaces.md lists them. */
RS_API void rs_config_init(struct rs_config *config);

/**
 * rs_create - build a machine, reset and empty.
 * @config  filled by rs_config_init; strings are copied
 * @out     the machine on RS_OK, else NULL
 * @error   on failure, one line (may be NULL); @error_size bytes at most
 * Returns: RS_OK, RS_E_ARG, RS_E_CONFIG, RS_E_NOMEM.
 */
RS_API rs_status rs_create(const struct rs_config *config, rs_machine **out, char *error,
                           size_t error_size);
RS_API void rs_destroy(rs_machine *m);

/** What the last failing call on this machine had to say: one line, "" if nothing. */
RS_API const char *rs_error(const rs_machine *m);

/* ---- loading ---------------------------------------------------------------------------- */

/**
 * rs_load_image - load a Multiboot 1 image (ELF32, ELF64 or address fields) and set the CPU to its
 * entry state. Call modules' rs_add_module before it. Loading restarts the machine, time goes on.
 * @bytes,@size  the file; @name is used in messages
 * @cmdline      the kernel command line, NULL for none
 * Returns: RS_OK; RS_E_IMAGE with rs_error saying what is wrong and at which offset.
 * Manual:  Multiboot Specification 0.6.96, "Boot information format", "Machine state".
 */
RS_API rs_status rs_load_image(rs_machine *m, const void *bytes, size_t size, const char *name,
                               const char *cmdline);
/** Queue a boot module (copied). @string is its command line. */
RS_API rs_status rs_add_module(rs_machine *m, const void *bytes, size_t size, const char *string);
/** Entry modes of a flat image. */
enum rs_flat_mode { RS_FLAT_LONG64 = 0, RS_FLAT_PROT32 = 1, RS_FLAT_REAL16 = 2 };
/**
 * rs_load_flat - copy bytes to physical `load` and start at `entry`: in 64-bit mode, CPL 0, with
 * an identity map of the first 4 GiB in 2-MByte supervisor pages whose tables lie at `tables` (28 KiB:
 * PML4, PDPT, four page directories, a GDT with code 0x08 and data 0x10; a page boundary), CR4 = PAE,
 * EFER = LME|LMA, RSP = 0x9f000; or in flat 32-bit protected mode without paging, ESP = 0x7ff00
 * (`tables` unused); or in real-address mode, `entry` below 1 MiB, CS = entry / 16 with only its four
 * upper bits kept, IP = the lower 16 bits of entry, the other segments 0, SP = 0x7c00, DL = 0x80, the
 * interrupt vector table at 0 (all zero). Interrupts are off; but for real mode the IDT is empty.
 */
RS_API rs_status rs_load_flat(rs_machine *m, const void *bytes, size_t size, uint64_t load,
                              uint64_t entry, enum rs_flat_mode mode, uint64_t tables);
/**
 * rs_load_bios - start as the hardware does: at the reset vector F000:FFF0, out of a ROM that ends at
 * 4 GiB and whose last 128 KiB (or all, if it is smaller) also lie below 1 MiB. Stores to it vanish.
 * @rom,@rom_size  a multiple of 4096, at most 1 MiB; @name is used in messages
 * @image,@size    bytes for RAM at physical `load`, or NULL and 0
 * Returns: RS_OK; RS_E_IMAGE with rs_error saying what is wrong.
 * Manual:  SDM 3A "Processor State after Reset", "First Instruction Executed".
 */
RS_API rs_status rs_load_bios(rs_machine *m, const void *rom, size_t rom_size, const char *name,
                              const void *image, size_t size, uint64_t load);

/** Symbols for logs and `rs_symbol_*`: an ELF file's .symtab; several may be added.
 *  @low_half  take only symbols below 2^47 (a user program) */
RS_API rs_status rs_add_symbols(rs_machine *m, const void *elf, size_t size, const char *name);
/** The symbol at or before an address, or NULL; *offset = distance from its start. */
RS_API const char *rs_symbol_at(const rs_machine *m, uint64_t address, uint64_t *offset);
/** The address of a symbol; false if unknown. */
RS_API bool rs_symbol_find(const rs_machine *m, const char *name, uint64_t *address);

/* ---- running ---------------------------------------------------------------------------- */

enum rs_stop_reason {
    RS_STOP_NONE = 0,
    RS_STOP_INSN_LIMIT,
    RS_STOP_CYCLE_LIMIT,
    RS_STOP_LOG_LIMIT,
    RS_STOP_WALL_LIMIT, /**< set by programs, never by the library */
    RS_STOP_INTERRUPTED, /**< rs_stop was called */
    RS_STOP_HOOK,        /**< an observer asked to stop */
    RS_STOP_BREAKPOINT,
    RS_STOP_GUEST_EXIT,
    RS_STOP_POWER_OFF,
    RS_STOP_GUEST_RESET,
    RS_STOP_GUEST_PANIC,
    RS_STOP_TRIPLE_FAULT,
    RS_STOP_DEAD_HALT,
    RS_STOP_EMULATOR_GAP,
    RS_STOP_HOST_ERROR,
    RS_STOP_INVARIANT,
    RS_STOP_DIVERGED
};
/** The words of interfaces.md ("guest-exit", "insn-limit", ...). */
RS_API const char *rs_stop_reason_name(enum rs_stop_reason reason);

/** Limits of one rs_run; 0 = none. Counted from the call. */
struct rs_limits {
    uint32_t struct_size;
    uint64_t insns;
    uint64_t cycles;
};

/** Why a run stopped, at an exact instruction boundary. */
struct rs_stop_info {
    enum rs_stop_reason reason;
    uint64_t guest_value; /**< debug-exit or panic value */
    uint64_t rip;
    uint64_t insns;  /**< retired since the machine was created */
    uint64_t cycles; /**< since the machine was created */
    uint8_t cpl;
    uint8_t cpu;
    bool has_fault;      /**< vector, error_code, rule are of the fault that stopped the machine */
    uint8_t vector;
    uint32_t error_code;
    uint16_t rule;       /**< enum rs_rule of the last refusal, RS_RULE_NONE if none */
    char text[240];      /**< one line: the chain of causes, the gap's name, ... */
};

/** Run until a limit or an event says stop. Returns RS_OK with *stop filled; RS_E_BUSY in a hook. */
RS_API rs_status rs_run(rs_machine *m, const struct rs_limits *limits, struct rs_stop_info *stop);
/** Ask a running machine to stop soon. The one call allowed from other threads and signals. */
RS_API void rs_stop(rs_machine *m);

/** Breakpoints on linear addresses (before the instruction). Do not change instructions, cycles or hash. */
RS_API rs_status rs_break_add(rs_machine *m, uint64_t linear);
RS_API rs_status rs_break_remove(rs_machine *m, uint64_t linear);

/** Bytes for a serial port's receiver (channel 0..3), stamped with the current cycle. */
RS_API rs_status rs_input(rs_machine *m, unsigned channel, const void *bytes, size_t n);

/* ---- state ------------------------------------------------------------------------------ */

/** Registers by stable id. Values are 64-bit; 128-bit ones through rs_reg_read_wide. */
enum rs_reg {
    RS_REG_RAX = 0, RS_REG_RCX, RS_REG_RDX, RS_REG_RBX, RS_REG_RSP, RS_REG_RBP, RS_REG_RSI,
    RS_REG_RDI, RS_REG_R8, RS_REG_R9, RS_REG_R10, RS_REG_R11, RS_REG_R12, RS_REG_R13, RS_REG_R14,
    RS_REG_R15, RS_REG_RIP, RS_REG_RFLAGS,
    RS_REG_ES = 24, RS_REG_CS, RS_REG_SS, RS_REG_DS, RS_REG_FS, RS_REG_GS, RS_REG_LDTR, RS_REG_TR,
    RS_REG_ES_BASE = 32, RS_REG_CS_BASE, RS_REG_SS_BASE, RS_REG_DS_BASE, RS_REG_FS_BASE,
    RS_REG_GS_BASE, RS_REG_LDTR_BASE, RS_REG_TR_BASE,
    RS_REG_ES_LIMIT = 40, /* ... TR: 47 */
    RS_REG_ES_ATTR = 48,  /* ... TR: 55 */
    RS_REG_CR0 = 64, RS_REG_CR2 = 66, RS_REG_CR3, RS_REG_CR4, RS_REG_CR8 = 72,
    RS_REG_EFER = 80, RS_REG_CPL, RS_REG_KERNEL_GS_BASE, RS_REG_STAR, RS_REG_LSTAR, RS_REG_CSTAR,
    RS_REG_FMASK, RS_REG_TSC_AUX, RS_REG_PAT, RS_REG_APIC_BASE,
    RS_REG_GDTR_BASE = 96, RS_REG_GDTR_LIMIT, RS_REG_IDTR_BASE, RS_REG_IDTR_LIMIT,
    RS_REG_DR0 = 104, RS_REG_DR1, RS_REG_DR2, RS_REG_DR3, RS_REG_DR6 = 110, RS_REG_DR7,
    RS_REG_MXCSR = 112,
    RS_REG_XMM0 = 128, /* ... XMM15: 143; 16 bytes each */
    RS_REG_COUNT = 160
};
/** The register's usual lower-case name, or NULL if the id is unused. */
RS_API const char *rs_reg_name(unsigned reg);
RS_API rs_status rs_reg_read(const rs_machine *m, unsigned cpu, unsigned reg, uint64_t *value);
/** Write a register from outside, without checks or side effects but for caches being dropped. */
RS_API rs_status rs_reg_write(rs_machine *m, unsigned cpu, unsigned reg, uint64_t value);
RS_API rs_status rs_reg_read_wide(const rs_machine *m, unsigned cpu, unsigned reg, void *out, size_t size);
RS_API rs_status rs_reg_write_wide(rs_machine *m, unsigned cpu, unsigned reg, const void *in, size_t size);

/** Memory by physical address; RAM only (a ROM can be read). RS_E_UNMAPPED if any byte is not RAM (nothing is copied). */
RS_API rs_status rs_phys_read(const rs_machine *m, uint64_t phys, void *out, size_t n);
RS_API rs_status rs_phys_write(rs_machine *m, uint64_t phys, const void *in, size_t n);
/** Memory by linear address as the CPU's tables map it now, rights ignored, no side effects (no
 *  A/D bit, TLB entry or cycle). */
RS_API rs_status rs_linear_peek(const rs_machine *m, unsigned cpu, uint64_t linear, void *out, size_t n);
RS_API rs_status rs_linear_poke(rs_machine *m, unsigned cpu, uint64_t linear, const void *in, size_t n);

RS_API uint64_t rs_insns(const rs_machine *m);
RS_API uint64_t rs_cycles(const rs_machine *m);

/** 128-bit hash of the canonical state (design.md section 7); out = 32 hex digits and NUL. */
RS_API rs_status rs_state_hash(rs_machine *m, char out[33]);

/* ---- explaining ------------------------------------------------------------------------- */

enum rs_access { RS_READ = 0, RS_WRITE = 1, RS_FETCH = 2 };

struct rs_walk_step {
    uint8_t level;     /**< 4 = PML4 ... 1 = PT */
    uint64_t entry_at; /**< physical address of the entry */
    uint64_t entry;
};
/** An access explained: each level, the combined rights, the deciding rule. */
struct rs_explanation {
    bool allowed;
    bool paging;          /**< false: no paging, linear = physical */
    uint16_t rule;        /**< enum rs_rule that refuses, RS_RULE_NONE when allowed */
    uint64_t broken;      /**< every paging rule the access breaks, as bits by rule number */
    uint32_t error_code;  /**< of the fault it would raise */
    uint8_t level;        /**< of the deciding entry, 0 when combined rights decide */
    uint8_t steps;        /**< 0..5 filled below, root first */
    bool user, write, nx; /**< combined rights of the path */
    uint64_t phys;        /**< when the translation is complete */
    uint8_t page_shift;   /**< 12, 21, 30 */
    struct rs_walk_step step[5];
    char text[320];       /**< a readable sentence, and the smallest change that flips the verdict */
};
/**
 * rs_explain - say whether an access would succeed and which rule decides, without making it.
 * @cpl  0..3; @linear any 64-bit address (a non-canonical one is reported, not refused)
 * Uses the tables that CR3 points at now (under PAE paging, the four PDPTE registers), never the TLB. No side effects.
 * Manual: SDM 3A "Access Rights", "Page-Fault Exceptions".
 */
RS_API rs_status rs_explain(const rs_machine *m, unsigned cpu, unsigned cpl, uint64_t linear,
                            enum rs_access kind, struct rs_explanation *out);
/** The same under another CR3. */
RS_API rs_status rs_explain_at(const rs_machine *m, unsigned cpu, uint64_t cr3, unsigned cpl,
                               uint64_t linear, enum rs_access kind, struct rs_explanation *out);
/** Disassemble one instruction at a linear address: text as `syntax` ("intel" or "att"); returns its
 *  length, 0 if it cannot be read or decoded. */
RS_API unsigned rs_disassemble(const rs_machine *m, unsigned cpu, uint64_t linear, bool att, char *out,
                               size_t size);

/* ---- events ----------------------------------------------------------------------------- */

enum rs_event_kind {
#define EVENT(id, ...) RS_EV_##id,
#include "events.def"
#undef EVENT
    RS_EV_COUNT
};

enum rs_rule {
    RS_RULE_NONE = 0,
#define RULE(id, ...) RS_RULE_##id,
#include "rules.def"
#undef RULE
    RS_RULE_COUNT
};

/** How a crossing was made (header field `how` of CROSS). */
enum rs_crossing {
    RS_X_SYSCALL = 0, RS_X_SYSRET, RS_X_INT, RS_X_EXCEPTION, RS_X_IRQ, RS_X_NMI, RS_X_IRET,
    RS_X_CALL_GATE, RS_X_FAR_RET, RS_X_SYSENTER, RS_X_SYSEXIT, RS_X_TASK, RS_X_COUNT
};
RS_API const char *rs_crossing_name(unsigned how);

/** Cost categories: the rows of a bill and of the ledger. */
enum rs_category {
    RS_CAT_USER = 0, RS_CAT_KERNEL, RS_CAT_WALK, RS_CAT_REFILL, RS_CAT_CACHE, RS_CAT_BRANCH,
    RS_CAT_TRANSITION, RS_CAT_INTERRUPT, RS_CAT_FLUSH, RS_CAT_VM, RS_CAT_MICROCODE, RS_CAT_IDLE,
    RS_CAT_DEVICE, RS_CAT_COUNT
};
RS_API const char *rs_category_name(unsigned category);

/** One fact. 64 bytes; what the words mean is the kind's row in events.def. */
struct rs_event {
    uint16_t kind;   /**< enum rs_event_kind */
    uint8_t cpu;
    uint8_t cpl;
    uint16_t rule;   /**< enum rs_rule or RS_RULE_NONE */
    uint8_t verdict; /**< CHECK: 0 passed, 1 refused; FAULT: 1 with an error code, 0 without */
    uint8_t how;     /**< kind-specific: enum rs_crossing, enum rs_access, ... */
    uint64_t seq;
    uint64_t tick;   /**< time in 1/64 cycles */
    uint64_t rip;
    uint64_t w[4];
};

#define RS_MASK(kind) (1ull << (kind))
/** The kinds of a --trace group ("crossing", "refused", "check", ..., "all"); false if unknown.
 *  `refused` is CHECK with refusals only: *refused_only is set. */
RS_API bool rs_group_mask(const char *name, uint64_t *mask, bool *refused_only);

/** An observer: sees events, changes nothing. Returning true asks the machine to stop at the next
 *  instruction boundary. */
typedef bool (*rs_observer_fn)(void *ctx, rs_machine *m, const struct rs_event *event);
/** @mask kinds wanted (RS_MASK); @refused_only with CHECK: refusals only (those cost nothing when absent).
 *  *id names the observer for rs_observer_remove. Legal inside a hook. */
RS_API rs_status rs_observer_add(rs_machine *m, uint64_t mask, bool refused_only, rs_observer_fn fn,
                                 void *ctx, unsigned *id);
RS_API rs_status rs_observer_remove(rs_machine *m, unsigned id);

/** A log renders events through `write`; formats as interfaces.md. */
enum rs_log_format { RS_LOG_TEXT = 0, RS_LOG_JSONL = 1 };
typedef bool (*rs_write_fn)(void *ctx, const char *bytes, size_t n); /**< false = stop (closed pipe) */
/** Render one event as a line (with newline) into out; returns its length (truncated to size-1). */
RS_API size_t rs_event_format(const rs_machine *m, const struct rs_event *event,
                              enum rs_log_format format, char *out, size_t size);
/** The first line of a JSON Lines log. */
RS_API const char *rs_log_header(enum rs_log_format format);

/* ---- catalogues ------------------------------------------------------------------------- */

struct rs_rule_info {
    uint16_t id;
    const char *name;      /**< "PG_US" */
    const char *fault;     /**< "#PF" */
    const char *error;     /**< "PFEC", "SEL", "ZERO", "NONE" */
    const char *subject;   /**< "LINEAR", ... */
    const char *manual;    /**< "SDM 3A \"Access Rights\"" */
    const char *statement;
};
RS_API bool rs_rule_info(unsigned rule, struct rs_rule_info *out); /**< false if no such rule */
struct rs_event_info {
    uint16_t kind;
    const char *name, *group, *words[4], *statement;
};
RS_API bool rs_event_info(unsigned kind, struct rs_event_info *out);
/** CPU models by index; NULL past the end. */
RS_API const char *rs_cpu_model(unsigned index, const char **description);
/** Features of a model one by one: name, whether it is on, whether it is a gap if switched on. */
RS_API bool rs_cpu_feature(const char *model, unsigned index, const char **name, bool *on, bool *gap);
/** What CPUID says of a model (with or without switches); false if there is no such model. */
struct rs_cpu_identity {
    char name[32], vendor[13], brand[49]; /**< name: the model's, without switches and by-names */
    uint8_t family, model, stepping, maxphyaddr;
    uint32_t signature; /**< CPUID.1:EAX */
};
RS_API bool rs_cpu_identity(const char *model, struct rs_cpu_identity *out);
/** Where a model's maker differs from others though no CPUID bit says so, one by one: name, what a processor
 *  does that has it, whether this one has. False past the end or if there is no such model. */
RS_API bool rs_cpu_behaviour(const char *model, unsigned index, const char **name, const char **statement, bool *on);
/** Instruction forms or features known but without a handler, by index; NULL past the end. */
RS_API const char *rs_gap(unsigned index);
RS_API const char *rs_cost_profile(unsigned index, const char **description);

/* ---- the ledger ------------------------------------------------------------------------- */

/** Totals since the machine was created, in ticks. */
struct rs_ledger {
    uint32_t struct_size;
    uint64_t category[RS_CAT_COUNT];
    uint64_t ring[4];                    /**< ticks spent at each CPL */
    uint64_t crossings[RS_X_COUNT];      /**< how many */
    uint64_t crossing_ticks[RS_X_COUNT]; /**< entry to matching return, nested ones not counted twice */
    uint64_t tlb_misses, walks, walk_steps;
};
RS_API rs_status rs_ledger_read(const rs_machine *m, struct rs_ledger *out);

/** One row of the ledger by (kind, number): e.g. SYSCALL 39 or EXCEPTION 14. */
struct rs_ledger_row {
    uint8_t how;       /**< enum rs_crossing, an inward one */
    uint32_t number;   /**< vector or system-call number */
    uint64_t count, ticks_total, ticks_min, ticks_max, insns, tlb_misses;
    uint64_t category[RS_CAT_COUNT];
};
/** Row by index, in order of (how, number); false past the end. */
RS_API bool rs_ledger_row(const rs_machine *m, unsigned index, struct rs_ledger_row *out);

/* ---- added after the first draft ------------------------------------------------------------ */

/** Bytes for a serial port's receiver that arrive at the first instruction boundary at or after
 *  `cycle` (since the machine was created). Arrivals of one time keep the order of the calls. */
RS_API rs_status rs_input_at(rs_machine *m, uint64_t cycle, unsigned channel, const void *bytes, size_t n);
/** Bytes given to a serial port that its receiver has not taken yet. */
RS_API uint64_t rs_input_pending(const rs_machine *m, unsigned channel);
/** Breakpoints by index, in no particular order; false past the end. */
RS_API bool rs_break_at(const rs_machine *m, unsigned index, uint64_t *linear);
/** Could a byte for this port wake the halted processor, as port, interrupt controller and IF are set now? */
RS_API bool rs_input_wakes(const rs_machine *m, unsigned channel);
/** The core clock in cycles per virtual second. */
RS_API uint64_t rs_hz(const rs_machine *m);

/** One form: "add_r32_m32" is ADD of a 32-bit register and a 32-bit memory operand. */
typedef void (*rs_form_fn)(void *ctx, const char *form, uint32_t ticks);
/** The instruction forms that Ringside decodes, in 64-bit and 32-bit code, and that this machine's cost
 *  profile has no price of its own for: the default of their class is charged, `ticks` each. In
 *  alphabetical order; none under a profile that charges every instruction the same. RS_E_NOMEM. */
RS_API rs_status rs_cost_gaps(const rs_machine *m, rs_form_fn each, void *ctx);

/** A rule beyond its row. What is not known, or not there, is "". */
struct rs_rule_detail {
    const char *in1, *in2; /**< what the words in1 and in2 of its CHECK events mean */
    const char *features;  /**< names as in --cpu, blanks between: without them it is never asked */
    const char *edition;   /**< the printing of the manual that its heading is of */
    const char *test_passed;  /**< "FILE:TEST" of guest code that saw it pass, */
    const char *test_refused; /**< and refuse */
};
RS_API bool rs_rule_detail(unsigned rule, struct rs_rule_detail *out); /**< false if no such rule */

enum rs_signal {
    RS_RAISE_NMI = 0, /**< a non-maskable interrupt; one is kept while NMIs are blocked */
    /** a machine check that no instruction caused: #MC, or shutdown if CR4.MCE=0 or MCG_STATUS.MCIP=1 */
    RS_RAISE_MC = 1
};
/** A signal from outside straight to the processor (past the local APIC's pins and port 70h), taken at the next
 *  instruction boundary. Wakes from HLT, also where rs_run has said RS_STOP_DEAD_HALT. Legal inside a hook.
 *  RS_E_ARG: no such processor or signal. */
RS_API rs_status rs_raise(rs_machine *m, unsigned cpu, enum rs_signal signal);

#ifdef __cplusplus
}
#endif
#endif
