/*
 * guest.c - the same case on Ringside: a flat 64-bit machine whose tables map the same pages for ring 3,
 * with Linux's descriptors. The kernel half holds an IDT whose gates lead to one XCHG BX,BX each: that
 * stops the machine with the exception's frame on the stack.
 */
#include "native.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KERNEL 0xffff800000000000ull /* linear = physical + this, supervisor */
#define IDT_AT 0x1000u
#define GDT_AT 0x2000u
#define TSS_AT 0x3000u
#define STUBS_AT 0x4000u
#define LDT_AT 0x5000u
#define STACK0_AT 0x6000u
#define CLEAN_AT 0x7000u /* an FXSAVE image, and code that loads it */
#define TABLES_AT 0x10000u
#define PAGES_AT 0x100000u

struct guest {
    rs_machine *m;
    bool x87_dirty;
};

static void must(rs_machine *m, rs_status s)
{
    if (s == RS_OK) return;
    fprintf(stderr, "ringside: %s: %s\n", rs_status_text(s), rs_error(m));
    exit(70);
}
static void put(rs_machine *m, uint64_t at, const void *bytes, size_t n)
{
    must(m, rs_phys_write(m, at, bytes, n));
}
static void put64(rs_machine *m, uint64_t at, uint64_t v) { put(m, at, &v, 8); }
static void set(rs_machine *m, unsigned reg, uint64_t v) { must(m, rs_reg_write(m, 0, reg, v)); }
static uint64_t get(rs_machine *m, unsigned reg)
{
    uint64_t v = 0;

    must(m, rs_reg_read(m, 0, reg, &v));
    return v;
}

/* ---- the machine ---------------------------------------------------------------------------------------- */

/* the entry of a table, made if missing */
static uint64_t below_of(rs_machine *m, uint64_t table, uint64_t index, uint64_t *fresh)
{
    uint64_t e = 0;

    must(m, rs_phys_read(m, table + 8 * index, &e, 8));
    if (!(e & 1)) {
        e = *fresh | 7;
        *fresh += PAGE;
        put64(m, table + 8 * index, e);
    }
    return e & ~0xfffull;
}

static void map_page(rs_machine *m, uint64_t lin, uint64_t entry, uint64_t *fresh)
{
    uint64_t t = TABLES_AT;

    for (unsigned shift = 39; shift > 12; shift -= 9) t = below_of(m, t, lin >> shift & 511, fresh);
    put64(m, t + 8 * (lin >> 12 & 511), entry);
}

static void map_all(rs_machine *m)
{
    uint64_t fresh = TABLES_AT + PAGE;

    for (uint64_t at = 0; at < 0x9000; at += PAGE) map_page(m, KERNEL + at, at | 3, &fresh);
    for (unsigned i = 0; i < PAGES; i++) {
        if (!pages[i].at) continue;
        map_page(m, pages[i].at,
                 (PAGES_AT + i * PAGE) | 5 | (pages[i].write ? 2u : 0) |
                     (pages[i].exec ? 0 : 1ull << 63),
                 &fresh);
    }
}

static void gates(rs_machine *m)
{
    for (unsigned v = 0; v < 256; v++) {
        static const uint8_t stop[] = {0x66, 0x87, 0xdb, 0xf4};
        uint64_t at = KERNEL + STUBS_AT + v * 8, dpl = v == 3 || v == 4 || v == 0x80 ? 3 : 0;
        if (v >= 32 && v != 0x80)
            continue; /* not there: #GP(vector * 8 + 2), as ring 3 sees Linux's gates */
        put(m, STUBS_AT + v * 8, stop, sizeof stop);
        put64(m, IDT_AT + v * 16,
              (at & 0xffff) | 0x10ull << 16 | (0x8eull | dpl << 5) << 40 |
                  (at >> 16 & 0xffff) << 48);
        put64(m, IDT_AT + v * 16 + 8, at >> 32);
    }
}

static void descriptors(rs_machine *m)
{
    /* arch/x86: kernel code 32, 64, data; user code 32, data, code 64; TSS */
    static const uint64_t gdt[16] = {0,
                                     0x00cf9b000000ffff,
                                     0x00af9b000000ffff,
                                     0x00cf93000000ffff,
                                     0x00cffb000000ffff,
                                     0x00cff3000000ffff,
                                     0x00affb000000ffff,
                                     [15] = 0x0040f50000000000 /* says CPU 0 */};

    put(m, GDT_AT, gdt, sizeof gdt);
    put64(m, TSS_AT + 4, KERNEL + STACK0_AT + PAGE);
    put64(m, TSS_AT + 0x60, 0x68ull << 48); /* no I/O bitmap */
    set(m, RS_REG_GDTR_BASE, KERNEL + GDT_AT);
    set(m, RS_REG_GDTR_LIMIT, sizeof gdt - 1);
    set(m, RS_REG_IDTR_BASE, KERNEL + IDT_AT);
    set(m, RS_REG_IDTR_LIMIT, 4095);
    set(m, RS_REG_TR, 0x40);
    set(m, RS_REG_TR_BASE, KERNEL + TSS_AT);
    set(m, RS_REG_TR_BASE + 8, 0x67);
    set(m, RS_REG_TR_BASE + 16, 0x8b);
    set(m, RS_REG_LDTR, 0x50);
    set(m, RS_REG_ES_BASE + 6, KERNEL + LDT_AT);
    set(m, RS_REG_ES_LIMIT + 6, sizeof ldt - 1);
    set(m, RS_REG_ES_ATTR + 6, 0x82);
}

static void clean_x87(rs_machine *m)
{
    uint8_t image[512] = {0x7f, 0x03};
    /* FXRSTOR64 [clean image]; XCHG BX,BX */
    static const uint8_t code[] = {0x48, 0x0f, 0xae, 0x0d, 0xf8, 0xfd,
                                   0xff, 0xff, 0x66, 0x87, 0xdb, 0xf4};

    image[24] = 0x80, image[25] = 0x1f;
    put(m, CLEAN_AT, image, sizeof image);
    put(m, CLEAN_AT + 512, code, sizeof code);
}

struct guest *guest_make(unsigned engine)
{
    struct guest *g = calloc(1, sizeof *g);
    static const uint8_t nothing[16];
    struct rs_config k;
    char error[300];

    if (!g) abort();
    rs_config_init(&k);
    k.engine = engine;
    k.mem_bytes = 4u << 20;
    k.cpu = host_is_amd() ? "epyc-rome,+invpcid,+pni,+ssse3,+sse4.1,+sse4.2" : "x86-64-v3,+pni,+ssse3,+sse4.1,+sse4.2,+clwb";
    k.magic_break = true;
    if (rs_create(&k, &g->m, error, sizeof error) != RS_OK) {
        fprintf(stderr, "ringside: %s\n", error);
        exit(70);
    }
    must(g->m,
         rs_load_flat(g->m, nothing, sizeof nothing, 0x80000, 0x80000, RS_FLAT_LONG64, 0x90000));
    map_all(g->m);
    gates(g->m);
    descriptors(g->m);
    clean_x87(g->m);
    set(g->m, RS_REG_CR4, 0x310620 | 0x80); /* SMAP SMEP FSGSBASE OSXMMEXCPT OSFXSR PGE PAE */
    set(g->m, RS_REG_CR3, TABLES_AT);
    set(g->m, RS_REG_EFER, 0xd01);
    set(g->m, RS_REG_CR0, 0x80050033);
    g->x87_dirty = true;
    return g;
}

void guest_free(struct guest *g)
{
    rs_destroy(g->m);
    free(g);
}

static uint64_t phys_of(uint32_t at)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (pages[i].at == (at & ~(PAGE - 1))) return PAGES_AT + i * PAGE + (at & (PAGE - 1));
    abort();
}

void guest_put(struct guest *g, uint32_t at, const void *bytes, size_t n)
{
    put(g->m, phys_of(at), bytes, n);
}
void guest_get(struct guest *g, uint32_t at, void *bytes, size_t n)
{
    must(g->m, rs_phys_read(g->m, phys_of(at), bytes, n));
}

void guest_ldt(struct guest *g) { put(g->m, LDT_AT, ldt, sizeof ldt); }

unsigned guest_disassemble(struct guest *g, uint64_t at, char *out, size_t size)
{
    return rs_disassemble(g->m, 0, at, false, out, size);
}

/* ---- one case --------------------------------------------------------------------------------------------- */

static void segment(rs_machine *m, unsigned i, uint16_t sel, uint64_t base)
{
    struct seg_view v = seg_view(sel, base);

    set(m, RS_REG_ES + i, sel);
    set(m, RS_REG_ES_BASE + i, v.base);
    set(m, RS_REG_ES_LIMIT + i, v.limit);
    set(m, RS_REG_ES_ATTR + i, v.attr);
}

static struct rs_stop_info run(struct guest *g)
{
    struct rs_limits l = {.struct_size = sizeof l, .insns = 20000};
    struct rs_stop_info stop;

    memset(&stop, 0, sizeof stop);
    must(g->m, rs_run(g->m, &l, &stop));
    return stop;
}

static void x87_clean(struct guest *g)
{
    if (!g->x87_dirty) return;
    g->x87_dirty = false;
    segment(g->m, 1, 0x10, 0);
    set(g->m, RS_REG_ES_ATTR + 1, 0xa09b);
    set(g->m, RS_REG_CPL, 0);
    set(g->m, RS_REG_RFLAGS, 2);
    set(g->m, RS_REG_RIP, KERNEL + CLEAN_AT + 512);
    if (run(g).reason != RS_STOP_BREAKPOINT) abort();
}

static void enter(struct guest *g, const struct state *s)
{
    for (unsigned i = 0; i < 16; i++) set(g->m, RS_REG_RAX + i, s->gpr[i]);
    for (unsigned i = 0; i < 6; i++)
        segment(g->m, i, s->sel[i], i == 4 ? s->fs_base : i == 5 ? s->gs_base : 0);
    for (unsigned i = 0; i < 16; i++)
        must(g->m, rs_reg_write_wide(g->m, 0, RS_REG_XMM0 + i, s->xmm[i], 16));
    set(g->m, RS_REG_MXCSR, s->mxcsr);
    set(g->m, RS_REG_CPL, 3);
    set(g->m, RS_REG_RFLAGS, s->flags);
    set(g->m, RS_REG_RIP, s->rip);
}

/* the exception's frame, and what it left alone */
static void leave(struct guest *g, struct outcome *out)
{
    uint64_t frame[6], rsp = get(g->m, RS_REG_RSP) - KERNEL;
    unsigned v = out->vector;
    bool code = v == 8 || (v >= 10 && v <= 14) || v == 17;

    must(g->m, rs_phys_read(g->m, rsp, frame, (code ? 6 : 5) * 8));
    if (code) {
        out->error = frame[0];
        memmove(frame, frame + 1, 40);
    }
    for (unsigned i = 0; i < 16; i++) out->s.gpr[i] = get(g->m, RS_REG_RAX + i);
    for (unsigned i = 0; i < 6; i++) out->s.sel[i] = (uint16_t)get(g->m, RS_REG_ES + i);
    for (unsigned i = 0; i < 16; i++)
        must(g->m, rs_reg_read_wide(g->m, 0, RS_REG_XMM0 + i, out->s.xmm[i], 16));
    out->s.rip = frame[0];
    out->s.sel[1] = (uint16_t)frame[1];
    out->s.flags = frame[2];
    out->s.gpr[RSP] = frame[3];
    out->s.sel[2] = (uint16_t)frame[4];
    out->s.fs_base = get(g->m, RS_REG_FS_BASE);
    out->s.gs_base = get(g->m, RS_REG_GS_BASE);
    out->s.mxcsr = (uint32_t)get(g->m, RS_REG_MXCSR);
    out->cr2 = get(g->m, RS_REG_CR2);
}

static bool changes_x87(ZydisMnemonic mn)
{
    return mn == ZYDIS_MNEMONIC_FXRSTOR || mn == ZYDIS_MNEMONIC_FXRSTOR64 ||
           mn == ZYDIS_MNEMONIC_FLDCW;
}

void guest_run(struct guest *g, const struct trial *t, struct outcome *out)
{
    memset(out, 0, sizeof *out);
    x87_clean(g);
    enter(g, &t->before);
    struct rs_stop_info stop = run(g);
    uint64_t stub = stop.rip - KERNEL - STUBS_AT;

    g->x87_dirty = t->decoded && changes_x87(t->ins.mnemonic);
    if (stop.reason == RS_STOP_BREAKPOINT && stub < 256 * 8) {
        out->vector = (unsigned)stub / 8;
        leave(g, out);
        return;
    }
    out->vector = 255;
    snprintf(out->text, sizeof out->text, "%s: %.100s", rs_stop_reason_name(stop.reason),
             stop.text);
}
