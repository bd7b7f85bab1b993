/*
 * mmu.h - linear to physical, and why not.
 *
 *   translate = TLB lookup > walk (which entries) > judge (may it?) > A/D update > fill
 *
 * walk and judge are pure: they see only their arguments, and everybody who wants to know calls
 * them (executor, rs_explain, log, tests). The modelled TLB may be stale, as on hardware. The
 * filter is a software table of host pointers, inclusive in the modelled L1: it makes hits cheap
 * and is never seen by the guest.
 * Manual: SDM 3A "Paging", "Caching Translation Information".
 */
#ifndef MMU_MMU_H
#define MMU_MMU_H

#include "arch/bits.h"
#include "arch/ports.h"
#include "phys/ram.h"
#include "ringside/ringside.h"

struct mmu;

/* ---- pure part -------------------------------------------------------------------------- */

/** All processor state that decides a translation or a verdict. */
struct mmu_env {
    uint64_t pdpte[4];  /* the PDPTE registers of PAE paging, as loaded and judged by the processor */
    bool paging;        /* CR0.PG */
    bool wp;            /* CR0.WP */
    bool pae;           /* CR4.PAE */
    bool pse;           /* CR4.PSE */
    bool lma;           /* EFER.LMA: 4-level paging; else PAE paging or, without CR4.PAE, 32-bit paging */
    bool nxe;           /* EFER.NXE */
    bool smep, smap;    /* CR4 */
    bool pge, pcide;    /* CR4 */
    bool pages_1g;      /* CPUID: 1-GByte pages */
    bool pse36;         /* CPUID: 4-MByte pages with more than 32 address bits */
    uint8_t maxphyaddr; /* CPUID.80000008H:EAX[7:0], 32..52 */
    uint8_t unused[2];  /* compared as bytes: no padding */
};

/** One access to be judged. */
struct mmu_access {
    uint8_t kind;  /* enum rs_access */
    bool user;     /* user-mode access: CPL 3 and not implicit */
    bool implicit; /* implicit supervisor access (descriptor tables, TSS, delivery) */
    bool ac;       /* RFLAGS.AC; ignored for implicit ones */
};

enum walk_status { WALK_OK = 0, WALK_NOT_PRESENT = 1, WALK_RESERVED = 2 };

/** The entries one walk met, root first. */
struct mmu_path {
    uint8_t status;     /* enum walk_status; the last step is the entry that says so */
    uint8_t steps;      /* 1..5 entries met */
    uint8_t read;       /* those read from memory: not a PDPTE register */
    uint8_t entry_bytes; /* 8, or 4 in 32-bit paging */
    uint8_t page_shift; /* 12, 21, 22 or 30 when status is WALK_OK */
    bool user;          /* AND of U/S over all levels met */
    bool write;         /* AND of R/W */
    bool nx;            /* OR of XD (only while NXE) */
    bool global;        /* G of the leaf while PGE */
    bool dirty;         /* D of the leaf */
    uint64_t phys;      /* of the linear address, when WALK_OK */
    struct {
        uint64_t at;    /* physical address of the entry */
        uint64_t entry; /* as read */
        uint8_t level;  /* 4 PML4E, 3 PDPTE, 2 PDE, 1 PTE */
    } step[5];
};

/** Reads one 8- or 4-byte entry; pure from the walker's point of view. */
struct walk_reader {
    const void *ctx;
    uint64_t (*read)(const void *ctx, uint64_t phys, unsigned n);
};

/** What the paging-structure caches let a walk skip: start at table `base`, with the rights of the
 *  entries above already combined. */
struct walk_start {
    uint8_t level; /* level of the first entry to read: 4 (from CR3), 3, 2 or 1 */
    uint64_t base; /* physical address of the table to read it from */
    bool user, write, nx;
};

/** walk - which entries translate a linear address. Stops at the first entry that is not present or
 *  has a reserved bit set. Rights are collected, not judged. No paging (status OK, 0 steps), 32-bit paging
 *  (4K, 4M pages), PAE paging (4K, 2M; the root is env's), 4-level paging (4K, 2M, 1G). start may be NULL:
 *  from cr3; else it is of 4-level paging. */
void walk(const struct walk_reader *reader, const struct mmu_env *env, uint64_t cr3, uint64_t linear,
          const struct walk_start *start, struct mmu_path *out);

/** Is this the paging of IA-32e mode? Only its walks have paging-structure caches here. */
static inline bool mmu_is_4_level(const struct mmu_env *env) { return env->paging && env->lma; }
static inline bool mmu_is_pae(const struct mmu_env *env) { return env->paging && env->pae && !env->lma; }
/** The bits that must be 0 in a PDPTE that is present. Manual: SDM 3A "PAE Paging". */
uint64_t mmu_pdpte_reserved(unsigned maxphyaddr);
/** The four PDPTEs at CR3 in memory: what MOV to CR3 would load. No side effects. */
void mmu_pdptes_peek(const struct mmu *u, uint64_t cr3, uint64_t pdpte[4]);

/** The rights a translation carries, from a path or from a TLB entry. */
struct mmu_rights {
    uint8_t status; /* enum walk_status */
    bool user, write, nx;
};

/** What the judge says. applied and broken are bit sets by rule number (PG_* are < 64). */
struct mmu_verdict {
    uint64_t applied; /* the rules that were asked of this access */
    uint64_t broken;  /* those it breaks */
    uint16_t rule;    /* the cited one: lowest broken, RS_RULE_NONE if allowed */
    uint32_t error;   /* #PF error code when refused */
};

/** mmu_judge - may this access use a translation with these rights? The one permission check.
 *  Manual: SDM 3A "Access Rights", "Page-Fault Exceptions". */
struct mmu_verdict mmu_judge(const struct mmu_env *env, const struct mmu_access *access,
                             const struct mmu_rights *rights);

/** Is the address canonical with `bits` (48 or 57) address bits? */
static inline bool mmu_canonical(uint64_t linear, unsigned bits)
{
    int64_t top = (int64_t)linear >> (bits - 1);
    return top == 0 || top == -1;
}

/* ---- filter: inlined by cpu/mem.h -------------------------------------------------------- */

#define FILTER_SLOTS 1024u
#define FETCH_SLOTS 256u
#define FILTER_KEY_MAX 0xfffu

/** tag = linear page address | key, where key is the filter's current generation (1..0xfff).
 *  An access of n bytes at lin hits if (((lin + n - 1) & ~0xfff) | key) == slot[(lin >> 12) % SLOTS].tag
 *  (so a page crosser always misses); host address = addend + lin. */
struct filter_slot {
    uint64_t tag;
    uint64_t addend;
};
struct fetch_slot {
    uint64_t tag;
    uint64_t phys; /* of the page */
};
/** Contexts of the data filter: rights differ between them. Implicit accesses use FILTER_SUP. */
enum filter_context { FILTER_USER = 0, FILTER_SUP = 1, FILTER_SUP_AC = 2, FILTER_CONTEXTS = 3 };

struct filter {
    uint64_t key;
    struct filter_slot rd[FILTER_CONTEXTS][FILTER_SLOTS];
    struct filter_slot wr[FILTER_CONTEXTS][FILTER_SLOTS];
    struct fetch_slot fetch[2][FETCH_SLOTS]; /* 0 user, 1 supervisor */
};

/* ---- the modelled TLB ---------------------------------------------------------------------- */

/** Geometry, from the CPU model (never from the cost profile). */
struct mmu_geometry {
    struct { uint16_t sets, ways; } itlb_4k, itlb_2m, dtlb_4k, dtlb_2m, dtlb_1g, stlb, stlb_1g;
    uint16_t pde_cache, pdpte_cache, pml4e_cache; /* entries, fully associative */
};
/** The teaching geometry: 16x4, 1x8, 16x4, 8x4, 1x4, 128x12, 4x4; 32, 4, 4. */
extern const struct mmu_geometry mmu_geometry_default;

/** Prices in ticks that the MMU charges (copied from the cost profile by the owner). */
struct mmu_prices {
    uint32_t stlb_hit, walk_base, walk_step, walk_set_ad;
};

enum flush_reason {
    FLUSH_CR3, FLUSH_CR4, FLUSH_CR0, FLUSH_EFER, FLUSH_INVLPG, FLUSH_INVPCID, FLUSH_PF, FLUSH_RESET
};

struct mmu_tlb; /* entries, paging-structure caches, generations: mmu/tlb.c */

struct mmu {
    struct filter filter;
    struct mmu_env env;
    uint64_t cr3;
    struct mmu_tlb *tlb;
    struct ram *ram;
    const struct event_wire *events;
    struct mmu_prices prices;
    uint8_t watched_pages; /* linear pages with watched bytes: the filter holds no slot of theirs */
    uint64_t watched[4];
    uint64_t a20_mask;   /* AND-ed onto every physical address */
    bool filter_off;     /* reference engine, check or mem tracing: never fill the filter */
    uint64_t tlb_misses; /* L1 misses, walks and steps so far, for the ledger */
    uint64_t walks, walk_steps;
    /* who is asking, for events; kept by the CPU before slow calls */
    uint8_t ev_cpu, ev_cpl;
    uint64_t ev_rip, ev_tick;
};

/** The outcome of one translation. */
struct mmu_result {
    bool ok;
    bool cached;          /* a refusal was judged from a TLB entry (TLB_STALE) */
    bool dropped;         /* allowed, but entries of another size for the page are gone, fetches' too */
    uint64_t phys;        /* A20 applied */
    struct mmu_verdict verdict; /* when !ok: rule and error code of the #PF */
    uint32_t walk_ticks;  /* to be charged to RS_CAT_WALK */
    uint32_t refill_ticks; /* to be charged to RS_CAT_REFILL instead: the entry was a ghost */
};

/** Everything else is zero after mmu_init: the owner sets env, events, prices. geometry: sets are powers
 *  of two, ways <= 64; an array without ways is absent. False: no memory or a bad geometry. */
bool mmu_init(struct mmu *u, struct ram *ram, const struct mmu_geometry *geometry);
void mmu_free(struct mmu *u);

/** mmu_translate - translate one access that lies within one page and is canonical: TLB, walk, judge,
 *  A/D, fill, and fill the filter slot when that is legal. Emits WALK, AD, TLB_FILL, CHECK when their
 *  mask bits are set. With !ok the TLB entries of that page are dropped as the manual says of #PF.
 *  Without paging: phys = linear (32-bit), no TLB, but the filter is filled. */
struct mmu_result mmu_translate(struct mmu *u, uint64_t linear, struct mmu_access access);

/** Same question without any side effect (no A/D, TLB, filter, event, charge), from the tables. */
struct mmu_result mmu_translate_peek(const struct mmu *u, const struct mmu_env *env, uint64_t cr3,
                                     uint64_t linear, struct mmu_access access, struct mmu_path *path);

/** mmu_explain - the answer of mmu_translate_peek as rs_explain reports it, with a sentence and the
 *  smallest change that would flip the verdict. `linear` may be non-canonical. No side effects. */
void mmu_explain(const struct mmu *u, const struct mmu_env *env, uint64_t cr3, uint64_t linear,
                 struct mmu_access access, struct rs_explanation *out);

/** Control-register changes. The owner has already checked them; these flush what the manual says:
 *  mmu_set_env compares old and new (PG, PGE, PCIDE, PAE, SMEP), so no flush call need follow it.
 *  Flushing twice what was not refilled in between changes nothing. */
void mmu_set_env(struct mmu *u, const struct mmu_env *env); /* drops the filter when rights may change */
void mmu_write_cr3(struct mmu *u, uint64_t cr3, bool noflush);
void mmu_flush_all(struct mmu *u, enum flush_reason why);      /* every PCID, globals too */
void mmu_flush_pcid(struct mmu *u, unsigned pcid, bool globals, enum flush_reason why);
void mmu_invlpg(struct mmu *u, uint64_t linear);
void mmu_invpcid(struct mmu *u, unsigned type, unsigned pcid, uint64_t linear);

/** Drop every filter slot (always legal, never seen by the guest). */
void mmu_drop_filter(struct mmu *u);

/** Canonical bytes of the modelled TLB and paging-structure caches for the state hash: calls
 *  put(ctx, bytes, n) for each piece; independent of host addresses and generation numbers. */
void mmu_hash_state(const struct mmu *u, void *ctx, void (*put)(void *ctx, const void *bytes, size_t n));

/** One entry of the modelled TLB, for viewers: index runs over all arrays; false past the end. */
struct mmu_tlb_view {
    const char *array; /* "dtlb_4k" ... */
    uint16_t set, way;
    bool valid, global, user, write, nx, dirty;
    uint16_t pcid;
    uint8_t page_shift;
    uint64_t linear, phys;
};
bool mmu_tlb_view(const struct mmu *u, unsigned index, struct mmu_tlb_view *out);

#endif
