/*
 * mem.c - data accesses of the processor: effective address, segment, canonical, alignment, page,
 * RAM or bus. Every load and store that the inline path of mem.h cannot serve ends here.
 *
 * An access that crosses a page has both halves translated and judged before either is made.
 * Manual: SDM 3A "Limit Checking", "Type Checking", "Interrupt 17-Alignment Check Exception (#AC)"; SDM 1
 * "Canonical Addressing"; SDM 3A "Access Rights".
 */
#include "cpu/mem.h"

#include "cpu/debug.h"
#include "cpu/run.h"
#include "cpu/lapic.h"
#include "cpu/limit.h"

/* ---- effective address ---------------------------------------------------------------------- */

uint64_t ea(const struct cpu *c, const struct op *o)
{
    uint64_t a = c->gpr[o->base] + (uint64_t)(int64_t)o->disp;

    /* a flat RIP-relative displacement already counts from the block's start */
    if (o->base == R_RIPBASE && !(o->flags & OPF_FLAT)) a += o[1].ip_off;
    a += c->gpr[o->index] << o->scale;
    if (o->flags & OPF_ADDR32) return (uint32_t)a;
    if (o->flags & OPF_ADDR16) return (uint16_t)a;
    return a;
}

/* ---- one translated piece ------------------------------------------------------------------- */

/* How an access is judged and reported. */
struct how {
    struct mmu_access access;
    bool stack;   /* non-canonical is #SS, not #GP */
    bool aligned; /* subject to #AC */
    uint8_t push; /* bytes that will be pushed next: judged before a device is read */
};

static struct how how_data(const struct cpu *c, enum rs_access kind, bool stack)
{
    return (struct how){.access = {.kind = (uint8_t)kind, .user = c->cpl == 3, .ac = (c->flags & RF_AC) != 0},
                        .stack = stack,
                        .aligned = true};
}

static const struct filter_slot *how_table(const struct cpu *c, const struct how *h)
{
    const struct filter *f = &c->mmu.filter;

    if (h->access.implicit || h->access.user != (c->cpl == 3))
        return h->access.kind == RS_WRITE ? f->wr[h->access.user ? FILTER_USER : FILTER_SUP]
                                          : f->rd[h->access.user ? FILTER_USER : FILTER_SUP];
    return h->access.kind == RS_WRITE ? c->wr : c->rd;
}

bool mem_translate(struct cpu *c, uint64_t lin, struct mmu_access access, uint64_t *phys)
{
    if (UNLIKELY(c->events->mask)) {
        c->mmu.ev_cpu = c->index;
        c->mmu.ev_cpl = c->cpl;
        c->mmu.ev_rip = cpu_rip(c);
        c->mmu.ev_tick = cpu_now(c);
    }
    struct mmu_result r = mmu_translate(&c->mmu, lin, access);

    if (r.walk_ticks) cpu_charge(c, RS_CAT_WALK, r.walk_ticks);
    if (r.refill_ticks) cpu_charge(c, RS_CAT_REFILL, r.refill_ticks);
    if (UNLIKELY(r.dropped)) c->brk = true; /* perhaps the translation that code is being fetched by */
    if (LIKELY(r.ok)) {
        *phys = r.phys;
        return true;
    }
    fault_raise_code(c, VEC_PF, r.verdict.error, r.verdict.rule);
    c->fault.cr2 = lin;
    return false;
}

static bool align_check(struct cpu *c, uint64_t lin, unsigned n)
{
    return check(c, RS_RULE_ALIGN_AC, (lin & (n - 1)) == 0, lin, n, 0, 0);
}

static bool judge_linear(struct cpu *c, uint64_t lin, unsigned n, const struct how *h)
{
    unsigned bits = c->features->linear_bits;

    bool uneven = (c->flags & RF_AC) && (c->cr0 & CR0_AM) && h->access.user && h->aligned && n > 1;

    /* one that starts canonical and does not end so is misaligned first (measured) */
    if (UNLIKELY(uneven) && mmu_canonical(lin, bits) && !align_check(c, lin, n)) return false;
    if (cpu_long(c)) {
        bool ok = mmu_canonical(lin, bits) && mmu_canonical(lin + n - 1, bits);
        bool checks = c->observe_checks && !h->access.implicit;
        if (UNLIKELY(!ok || checks) &&
            !check(c, h->stack ? RS_RULE_CANON_STACK : RS_RULE_CANON_MEM, ok, lin, n, bits, 0))
            return false;
    }
    return true;
}

/* A device sees accesses of 1, 2, 4 or 8 bytes: an odd length (part of a page crosser, a far pointer)
 * goes as several, from the lowest address up. */
static unsigned bus_size(unsigned n) { return n >= 8 ? 8 : n >= 4 ? 4 : n >= 2 ? 2 : 1; }

static uint64_t device_read(struct cpu *c, uint64_t phys, unsigned n)
{
    uint64_t v = 0;

    if (lapic_at(c->lapic, phys)) return lapic_read(c->lapic, (unsigned)(phys & (LAPIC_PAGE - 1)), n);
    for (unsigned at = 0, k; at < n; at += k) {
        k = bus_size(n - at);
        v |= c->bus.mmio_read(c->bus.ctx, c->index, phys + at, k) << (8 * at);
    }
    cpu_charge_event(c, RS_CAT_DEVICE, COST_IN_OUT_PORT);
    if (ev_wanted(c, RS_EV_MMIO)) ev_emit(c, RS_EV_MMIO, 0, phys, v, n, 0);
    return v;
}

static void device_write(struct cpu *c, uint64_t phys, unsigned n, uint64_t v)
{
    if (lapic_at(c->lapic, phys)) {
        lapic_write(c->lapic, (unsigned)(phys & (LAPIC_PAGE - 1)), n, v);
        return;
    }
    for (unsigned at = 0, k; at < n; at += k) {
        k = bus_size(n - at);
        c->bus.mmio_write(c->bus.ctx, c->index, phys + at, k, v >> (8 * at));
    }
    cpu_charge_event(c, RS_CAT_DEVICE, COST_IN_OUT_PORT);
    if (ev_wanted(c, RS_EV_MMIO)) ev_emit(c, RS_EV_MMIO, 0, phys, v, n, 1);
}

/* RAM, ROM or device, one piece within a page, n <= 8 */
static uint64_t piece_read(struct cpu *c, uint64_t phys, unsigned n)
{
    uint64_t v = 0;

    if (UNLIKELY(!ram_is(c->ram, phys)) && !ram_rom(c->ram, phys)) return device_read(c, phys, n);
    ram_read(c->ram, phys, &v, n);
    return v;
}

/* Does a write meet the bytes of the instruction that makes it? */
static bool own_meets(const struct cpu *c, uint64_t phys, unsigned n)
{
    unsigned room = RAM_PAGE - (unsigned)(c->own.phys & (RAM_PAGE - 1));
    unsigned first = c->own.length < room ? c->own.length : room, rest = c->own.length - first;

    return (phys < c->own.phys + first && c->own.phys < phys + n) ||
           (rest && phys < c->own.phys2 + rest && c->own.phys2 < phys + n);
}

static void piece_write(struct cpu *c, uint64_t phys, unsigned n, uint64_t v)
{
    if (UNLIKELY(!ram_is(c->ram, phys))) {
        device_write(c, phys, n, v);
        return;
    }
    ram_write(c->ram, phys, &v, n);
    if (UNLIKELY(c->own.on) && own_meets(c, phys, n)) c->own.hit = true;
    if (UNLIKELY(c->ram->over_budget)) cpu_attention(c);
}

/* Where the bytes of an access lie: one piece, or two when it crosses a page. */
struct pieces {
    uint64_t phys[2];
    unsigned n[2];
};

/* Outside 64-bit mode the program's linear addresses go round at 4 GiB. */
static uint64_t wrap(const struct cpu *c, uint64_t lin) { return cpu_64(c) ? lin : (uint32_t)lin; }

static bool pieces_translate(struct cpu *c, uint64_t lin, unsigned n, const struct how *h,
                             struct pieces *p)
{
    unsigned room = RAM_PAGE - (unsigned)(lin & (RAM_PAGE - 1));

    if (!judge_linear(c, lin, n, h)) return false;
    p->n[0] = n <= room ? n : room;
    p->n[1] = n - p->n[0];
    if (!mem_translate(c, lin, h->access, &p->phys[0])) return false;
    if (LIKELY(p->n[1] == 0)) return true;

    uint64_t second = h->access.implicit && cpu_long(c) ? lin + room : wrap(c, lin + room);
    cpu_charge_event(c, RS_CAT_CACHE,
                     h->access.kind == RS_WRITE ? COST_SPLIT_PAGE_STORE : COST_SPLIT_PAGE_LOAD);
    return mem_translate(c, second, h->access, &p->phys[1]);
}

static void event_mem(struct cpu *c, uint64_t lin, uint64_t v, unsigned n, bool write)
{
    if (UNLIKELY(ev_wanted(c, RS_EV_MEM))) ev_emit(c, RS_EV_MEM, 0, lin, v, n, write);
}

/* n = 1, 2, 4, 8 in one host access; a part of a longer operand may have any length */
static inline __attribute__((always_inline)) uint64_t host_read(const void *p, unsigned n)
{
    uint64_t v = 0;

    switch (n) {
    case 1: return *(const uint8_t *)p;
    case 2: return *(const ua16 *)p;
    case 4: return *(const ua32 *)p;
    case 8: return *(const ua64 *)p;
    default: memcpy(&v, p, n); return v;
    }
}

static inline __attribute__((always_inline)) void host_write(void *p, unsigned n, uint64_t v)
{
    switch (n) {
    case 1: *(uint8_t *)p = (uint8_t)v; break;
    case 2: *(ua16 *)p = (uint16_t)v; break;
    case 4: *(ua32 *)p = (uint32_t)v; break;
    case 8: *(ua64 *)p = v; break;
    default: memcpy(p, &v, n); break;
    }
}

static bool reaches_device(const struct cpu *c, const struct pieces *p)
{
    return !ram_is(c->ram, p->phys[0]) || (p->n[1] && !ram_is(c->ram, p->phys[1]));
}

static bool linear_read(struct cpu *c, uint64_t lin, unsigned n, const struct how *h, uint64_t *value)
{
    const void *host = mem_hit(c, how_table(c, h), lin, n);
    struct pieces p;

    if (host != NULL) {
        *value = host_read(host, n);
        return true;
    }
    if (!pieces_translate(c, lin, n, h, &p)) return false;
    if (UNLIKELY(h->push) && reaches_device(c, &p) && !stack_probe_push(c, h->push)) return false;
    uint64_t v = piece_read(c, p.phys[0], p.n[0]);
    if (UNLIKELY(p.n[1])) v |= piece_read(c, p.phys[1], p.n[1]) << (8 * p.n[0]);
    *value = v;
    if (UNLIKELY(c->watch & WATCH_DATA))
        debug_note(c, h->access.kind == RS_WRITE ? DEBUG_WRITE : DEBUG_ACCESS, lin, n);
    event_mem(c, lin, v, n, false);
    return true;
}

static void pieces_write(struct cpu *c, const struct pieces *p, uint64_t v)
{
    piece_write(c, p->phys[0], p->n[0], v);
    if (UNLIKELY(p->n[1])) piece_write(c, p->phys[1], p->n[1], v >> (8 * p->n[0]));
}

static bool linear_write(struct cpu *c, uint64_t lin, unsigned n, const struct how *h, uint64_t value)
{
    void *host = mem_hit(c, how_table(c, h), lin, n);
    struct pieces p;

    if (host != NULL) {
        host_write(host, n, value);
        return true;
    }
    if (!pieces_translate(c, lin, n, h, &p)) return false;
    pieces_write(c, &p, value);
    if (UNLIKELY(c->watch & WATCH_DATA)) debug_note(c, DEBUG_WRITE, lin, n);
    event_mem(c, lin, value, n, true);
    return true;
}

/* ---- seg:eff --------------------------------------------------------------------------------- */

/* Linear address of seg:eff after the segment's checks. In 64-bit mode only FS and GS have a base
 * and nothing has a limit. */
static bool seg_linear(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, enum rs_access kind,
                       uint64_t *lin)
{
    const struct segment *s = &c->seg[seg];

    if (LIKELY(cpu_64(c))) {
        *lin = seg >= SEG_FS ? s->base + eff : eff;
        return true;
    }
    if (!seg_access_check(c, seg, eff, n, kind)) return false;
    *lin = (uint32_t)(s->base + eff);
    return true;
}

/* Elsewhere the segment is asked first; what it would refuse, or tell of, goes the slow way. */
static void *based_hit(const struct cpu *c, const struct filter_slot *table, enum seg seg,
                                                 uint64_t eff, unsigned n)
{
    const struct segment *s = &c->seg[seg];
    unsigned type = s->attr & (ATTR_UNUSABLE | ATTR_P | ATTR_S | ATTR_CODE | ATTR_EC | ATTR_RW);

    /* writable data that grows up, as most is */
    if (UNLIKELY(type != (ATTR_P | ATTR_S | ATTR_RW) || eff + n - 1 > s->limit) &&
        !seg_silent(c, seg, eff, n, table == c->wr))
        return NULL;
    return mem_hit(c, table, (uint32_t)(s->base + eff), n);
}

static inline bool is_flat(const struct cpu *c) { return LIKELY((c->ctx & CTX_MODE) == 2); }

/* In 64-bit mode what hits the filter needs no more thought. */
static inline __attribute__((always_inline)) void *flat_hit(const struct cpu *c, const struct filter_slot *table,
                                                            enum seg seg, uint64_t eff, unsigned n)
{
    return mem_hit(c, table, seg >= SEG_FS ? c->seg[seg].base + eff : eff, n);
}

static void *seg_hit(const struct cpu *c, const struct filter_slot *table, enum seg seg, uint64_t eff, unsigned n)
{
    return is_flat(c) ? flat_hit(c, table, seg, eff, n) : based_hit(c, table, seg, eff, n);
}

static bool read_slow(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, enum rs_access kind,
                      uint64_t *value)
{
    struct how h = how_data(c, kind, seg == SEG_SS);
    uint64_t lin;

    return seg_linear(c, seg, eff, n, kind, &lin) && linear_read(c, lin, n, &h, value);
}

static bool write_slow(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t value)
{
    struct how h = how_data(c, RS_WRITE, seg == SEG_SS);
    uint64_t lin;

    return seg_linear(c, seg, eff, n, RS_WRITE, &lin) && linear_write(c, lin, n, &h, value);
}

/* Outside 64-bit mode: by tail calls, so that the paths of 64-bit mode keep no frame. */
static __attribute__((noinline)) bool read_based(struct cpu *c, enum seg seg, uint64_t eff, unsigned n,
                                                 enum rs_access kind, uint64_t *value)
{
    const void *host = based_hit(c, kind == RS_WRITE ? c->wr : c->rd, seg, eff, n);

    if (UNLIKELY(host == NULL)) return read_slow(c, seg, eff, n, kind, value);
    *value = host_read(host, n);
    return true;
}

static __attribute__((noinline)) bool write_based(struct cpu *c, enum seg seg, uint64_t eff, unsigned n,
                                                  uint64_t value)
{
    void *host = based_hit(c, c->wr, seg, eff, n);

    if (UNLIKELY(host == NULL)) return write_slow(c, seg, eff, n, value);
    host_write(host, n, value);
    return true;
}

bool mem_read(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value)
{
    if (!is_flat(c)) return read_based(c, seg, eff, n, RS_READ, value);
    const void *host = flat_hit(c, c->rd, seg, eff, n);
    if (UNLIKELY(host == NULL)) return read_slow(c, seg, eff, n, RS_READ, value);
    *value = host_read(host, n);
    return true;
}

bool mem_read_push(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value)
{
    const void *host = seg_hit(c, c->rd, seg, eff, n);
    uint64_t lin;

    if (UNLIKELY(host == NULL)) {
        struct how h = how_data(c, RS_READ, seg == SEG_SS);
        h.push = (uint8_t)n;
        return seg_linear(c, seg, eff, n, RS_READ, &lin) && linear_read(c, lin, n, &h, value);
    }
    *value = host_read(host, n);
    return true;
}

bool mem_write(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t value)
{
    if (!is_flat(c)) return write_based(c, seg, eff, n, value);
    void *host = flat_hit(c, c->wr, seg, eff, n);
    if (UNLIKELY(host == NULL)) return write_slow(c, seg, eff, n, value);
    host_write(host, n, value);
    return true;
}

bool mem_read_rmw(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, uint64_t *value)
{
    if (!is_flat(c)) return read_based(c, seg, eff, n, RS_WRITE, value);
    const void *host = flat_hit(c, c->wr, seg, eff, n);
    if (UNLIKELY(host == NULL)) return read_slow(c, seg, eff, n, RS_WRITE, value);
    *value = host_read(host, n);
    return true;
}

/* Judge n bytes from lin on, page by page. */
static bool probe(struct cpu *c, uint64_t lin, unsigned n, const struct how *h)
{
    uint64_t phys;

    if (!judge_linear(c, lin, n, h)) return false;
    for (uint64_t at = lin; at - lin < n; at = (at | (RAM_PAGE - 1)) + 1) {
        if (mem_hit(c, how_table(c, h), wrap(c, at), 1)) continue;
        if (!mem_translate(c, wrap(c, at), h->access, &phys)) return false;
    }
    return true;
}

bool mem_probe_write(struct cpu *c, enum seg seg, uint64_t eff, unsigned n)
{
    struct how h = how_data(c, RS_WRITE, seg == SEG_SS);
    uint64_t lin;

    h.aligned = n <= 8;
    return seg_linear(c, seg, eff, n, RS_WRITE, &lin) && probe(c, lin, n, &h);
}

bool mem_probe_read(struct cpu *c, enum seg seg, uint64_t eff, unsigned n)
{
    struct how h = how_data(c, RS_READ, seg == SEG_SS);
    uint64_t lin;

    h.aligned = n <= 8;
    return seg_linear(c, seg, eff, n, RS_READ, &lin) && probe(c, lin, n, &h);
}

/* As a load of one byte, but for the segment's type: execute-only code may be flushed. */
bool mem_probe_flush(struct cpu *c, enum seg seg, uint64_t eff)
{
    struct how h = how_data(c, RS_READ, seg == SEG_SS);
    uint64_t lin;

    return seg_linear(c, seg, eff, 1, RS_FETCH, &lin) && probe(c, lin, 1, &h);
}

bool mem_probe_flat(struct cpu *c, uint64_t linear, unsigned n)
{
    struct how h = how_data(c, RS_WRITE, true);
    return probe(c, linear, n, &h);
}

bool mem_write_flat(struct cpu *c, uint64_t linear, unsigned n, uint64_t value)
{
    struct how h = how_data(c, RS_WRITE, true);
    return linear_write(c, linear, n, &h, value);
}

/* ---- 16 bytes and more ------------------------------------------------------------------------ */

/* Alignment is asked before the limit: Intel's processors answer #GP where a misaligned operand also leaves
 * the stack segment (measured). */
static bool bytes_linear(struct cpu *c, enum seg seg, uint64_t eff, unsigned n, unsigned align,
                         enum rs_access kind, uint64_t *lin, struct how *h)
{
    bool based = !cpu_64(c) || seg >= SEG_FS;
    uint64_t at = wrap(c, eff + (based ? c->seg[seg].base : 0));

    *h = how_data(c, kind, seg == SEG_SS);
    h->aligned = false;
    if (align > 1 && !check(c, RS_RULE_ALIGN_SSE, (at & (align - 1)) == 0, at, align, 0, 0)) return false;
    return seg_linear(c, seg, eff, n, kind, lin);
}

bool mem_read_bytes(struct cpu *c, enum seg seg, uint64_t eff, void *out, unsigned n, unsigned align)
{
    struct how h;
    uint64_t lin, v;

    if (!bytes_linear(c, seg, eff, n, align, RS_READ, &lin, &h)) return false;
    const void *host = mem_hit(c, how_table(c, &h), lin, n);
    if (LIKELY(host != NULL)) {
        memcpy(out, host, n);
        return true;
    }
    if (!probe(c, lin, n, &h)) return false;
    for (unsigned i = 0; i < n; i += 8) {
        unsigned k = n - i < 8 ? n - i : 8;
        if (!linear_read(c, wrap(c, lin + i), k, &h, &v)) return false;
        memcpy((uint8_t *)out + i, &v, k);
    }
    return true;
}

bool mem_write_bytes(struct cpu *c, enum seg seg, uint64_t eff, const void *in, unsigned n,
                     unsigned align)
{
    struct how h;
    uint64_t lin;

    if (!bytes_linear(c, seg, eff, n, align, RS_WRITE, &lin, &h)) return false;
    void *host = mem_hit(c, how_table(c, &h), lin, n);
    if (LIKELY(host != NULL)) {
        memcpy(host, in, n);
        return true;
    }
    if (!probe(c, lin, n, &h)) return false;
    for (unsigned i = 0; i < n; i += 8) {
        unsigned k = n - i < 8 ? n - i : 8;
        uint64_t v = 0;
        memcpy(&v, (const uint8_t *)in + i, k);
        if (!linear_write(c, wrap(c, lin + i), k, &h, v)) return false;
    }
    return true;
}

/* ---- implicit and foreign accesses ------------------------------------------------------------- */

static struct how how_sys(enum rs_access kind)
{
    return (struct how){.access = {.kind = (uint8_t)kind, .implicit = true}};
}

static struct how how_as(const struct cpu *c, unsigned cpl, enum rs_access kind)
{
    return (struct how){
        .access = {.kind = (uint8_t)kind, .user = cpl == 3, .ac = (c->flags & RF_AC) != 0, .implicit = cpl != 3},
        .stack = true};
}

static const struct filter_slot *sys_table(const struct cpu *c, bool write)
{
    return write ? c->mmu.filter.wr[FILTER_SUP] : c->mmu.filter.rd[FILTER_SUP];
}

bool mem_read_sys(struct cpu *c, uint64_t linear, unsigned n, uint64_t *value)
{
    const void *host = mem_hit(c, sys_table(c, false), linear, n);
    struct how h;

    if (LIKELY(host != NULL)) {
        *value = host_read(host, n);
        return true;
    }
    h = how_sys(RS_READ);
    return linear_read(c, linear, n, &h, value);
}

bool mem_write_sys(struct cpu *c, uint64_t linear, unsigned n, uint64_t value)
{
    struct how h = how_sys(RS_WRITE);
    return linear_write(c, linear, n, &h, value);
}

bool mem_probe_sys(struct cpu *c, uint64_t linear, unsigned n, enum rs_access kind)
{
    struct how h = how_sys(kind);
    return probe(c, linear, n, &h);
}

/* Stack accesses of a delivery or far transfer are judged like implicit ones when they come from an
 * outer level (checks.md 14), so that user-set AC cannot open SMAP. */
bool mem_read_as(struct cpu *c, unsigned cpl, uint64_t linear, unsigned n, uint64_t *value)
{
    struct how h = how_as(c, cpl, RS_READ);
    return linear_read(c, linear, n, &h, value);
}

bool mem_write_as(struct cpu *c, unsigned cpl, uint64_t linear, unsigned n, uint64_t value)
{
    void *host = cpl == 3 ? NULL : mem_hit(c, sys_table(c, true), linear, n);
    struct how h;

    if (LIKELY(host != NULL)) {
        host_write(host, n, value);
        return true;
    }
    h = how_as(c, cpl, RS_WRITE);
    return linear_write(c, linear, n, &h, value);
}

/* ---- operands ---------------------------------------------------------------------------------- */

uint64_t reg_get(const struct cpu *c, unsigned reg, unsigned width)
{
    switch (width) {
    case 1: return ((const uint8_t *)c->gpr)[reg];
    case 2: return (uint16_t)c->gpr[reg];
    case 4: return (uint32_t)c->gpr[reg];
    default: return c->gpr[reg];
    }
}

void reg_put(struct cpu *c, unsigned reg, unsigned width, uint64_t value)
{
    switch (width) {
    case 1: ((uint8_t *)c->gpr)[reg] = (uint8_t)value; break;
    case 2: c->gpr[reg] = (c->gpr[reg] & ~0xffffull) | (uint16_t)value; break;
    case 4: c->gpr[reg] = (uint32_t)value; break;
    default: c->gpr[reg] = value; break;
    }
}

bool operand_get(struct cpu *c, const struct op *o, uint64_t *value)
{
    if (o->flags & OPF_MEM) return mem_read(c, o->seg, ea(c, o), o->width, value);
    *value = reg_get(c, o->rm, o->width);
    return true;
}

bool operand_get_rmw(struct cpu *c, const struct op *o, uint64_t *value)
{
    if (o->flags & OPF_MEM) return mem_read_rmw(c, o->seg, ea(c, o), o->width, value);
    *value = reg_get(c, o->rm, o->width);
    return true;
}

bool operand_put(struct cpu *c, const struct op *o, uint64_t value)
{
    if (o->flags & OPF_MEM) return mem_write(c, o->seg, ea(c, o), o->width, value);
    reg_put(c, o->rm, o->width, value);
    return true;
}

/* ---- stack -------------------------------------------------------------------------------------- */

static uint64_t stack_mask(const struct cpu *c)
{
    if (cpu_64(c)) return UINT64_MAX;
    return c->seg[SEG_SS].attr & ATTR_DB ? 0xffffffffu : 0xffffu;
}

uint64_t stack_pointer(const struct cpu *c) { return c->gpr[R_RSP] & stack_mask(c); }

void stack_pointer_put(struct cpu *c, uint64_t sp)
{
    uint64_t m = stack_mask(c);

    /* a 32-bit stack pointer is written as a 32-bit register: the upper half becomes zero */
    c->gpr[R_RSP] = m == 0xffffu ? (c->gpr[R_RSP] & ~m) | (sp & m) : sp & m;
}

bool stack_push(struct cpu *c, unsigned size, uint64_t value)
{
    uint64_t sp = (stack_pointer(c) - size) & stack_mask(c);

    if (!mem_write(c, SEG_SS, sp, size, value)) return false;
    stack_pointer_put(c, sp);
    return true;
}

bool stack_probe_at(struct cpu *c, unsigned down, unsigned size)
{
    return mem_probe_write(c, SEG_SS, (stack_pointer(c) - down) & stack_mask(c), size);
}

bool stack_probe_push(struct cpu *c, unsigned size) { return stack_probe_at(c, size, size); }

bool stack_peek(struct cpu *c, unsigned offset, unsigned size, uint64_t *value)
{
    return mem_read(c, SEG_SS, (stack_pointer(c) + offset) & stack_mask(c), size, value);
}

bool stack_pop(struct cpu *c, unsigned size, uint64_t *value)
{
    if (!stack_peek(c, 0, size, value)) return false;
    stack_pointer_put(c, stack_pointer(c) + size);
    return true;
}
