/*
 * native_diff.c - user-mode instructions on Ringside, both engines, against the processor that this
 * runs on: registers, flags, XMM, memory and faults must be equal.
 *
 *   native_diff [--seed N] [--cases N] [--form NAME] [--from N] [--bits 64|32|16] [--list] [--masks]
 *
 * 32- and 16-bit code runs flat and with segments of a local descriptor table: any base, limit, type and size.
 * The guest is a model of the host's maker.
 * --form takes one mnemonic; --list prints how many cases each form had; --masks what is left out of
 * the comparison and why. Case N of a seed is the same case everywhere. Exit status 1 on a difference,
 * 77 where the host cannot do it.
 */
#include "native.h"

#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- what both agree to differ in ------------------------------------------------------------------------ */

struct options {
    uint64_t seed, cases, from;
    const char *form;
    int bits;
    bool list, masks;
};

struct counts {
    uint64_t run, skipped, host_memory, endless, spun, faults, form[ZYDIS_MNEMONIC_MAX_VALUE + 1],
        undecoded;
    uint64_t differ, at; /* at: the case being run, for the parent */
    uint64_t masked_flags, masked_results;
};

/* ---- comparing ---------------------------------------------------------------------------------------------- */

static uint8_t image[PAGES][PAGE]; /* what every case starts from */

struct verdict {
    char text[2000];
    unsigned n;
};
static void say(struct verdict *v, const char *what, uint64_t host, uint64_t guest)
{
    if (v->n + 200 > sizeof v->text) return;
    v->n += (unsigned)snprintf(v->text + v->n, sizeof v->text - v->n,
                               "    %-8s host %016llx  ringside %016llx\n", what,
                               (unsigned long long)host, (unsigned long long)guest);
}

static bool has_sel_change(const struct trial *t)
{
    if (!t->decoded) return false;
    for (unsigned i = 0; i < t->ins.operand_count; i++)
        if (t->ops[i].type == ZYDIS_OPERAND_TYPE_REGISTER &&
            ZydisRegisterGetClass(t->ops[i].reg.value) == ZYDIS_REGCLASS_SEGMENT)
            return true;
    return false;
}

static void compare_registers(const struct trial *t, const struct outcome *h,
                              const struct outcome *g, struct verdict *v)
{
    static const char *const sels[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    bool mode32 = h->s.sel[1] != SEL_CODE64 || t->mode32;
    uint64_t mask = mode32 ? 0xffffffff : ~0ull;
    uint32_t flags = 0x3f7fd5u & ~(t->decoded ? flags_undefined(t, h->vector) : 0);
    bool loose = t->decoded && result_undefined(t);

    for (unsigned i = 0; i < (mode32 ? 8u : 16u); i++) {
        if (loose && t->ops[0].type == ZYDIS_OPERAND_TYPE_REGISTER) break;
        uint64_t m = mask & ~(t->decoded ? register_undefined(t, i, h->vector) : 0);
        if ((h->s.gpr[i] ^ g->s.gpr[i]) & m) say(v, rs_reg_name(i), h->s.gpr[i], g->s.gpr[i]);
    }
    if (h->s.rip != g->s.rip && !(t->decoded && rip_undefined(t->ins.mnemonic)))
        say(v, "rip", h->s.rip, g->s.rip);
    if ((h->s.flags ^ g->s.flags) & flags) say(v, "rflags", h->s.flags & flags, g->s.flags & flags);
    for (unsigned i = 0; i < 6; i++) /* the way out of Linux clears null selectors: SDM 2A "IRET" */
        if (h->s.sel[i] != g->s.sel[i] && (h->s.sel[i] || g->s.sel[i] > 3))
            say(v, sels[i], h->s.sel[i], g->s.sel[i]);
    if (!has_sel_change(t) && h->s.sel[1] == SEL_CODE64 && !t->mode32) {
        if (h->s.fs_base != g->s.fs_base) say(v, "fs_base", h->s.fs_base, g->s.fs_base);
        if (h->s.gs_base != g->s.gs_base) say(v, "gs_base", h->s.gs_base, g->s.gs_base);
    }
    if (h->s.mxcsr != g->s.mxcsr) say(v, "mxcsr", h->s.mxcsr, g->s.mxcsr);
    for (unsigned i = 0; i < (mode32 ? 8u : 16u); i++) {
        uint64_t a[2], b[2];
        memcpy(a, h->s.xmm[i], 16);
        memcpy(b, g->s.xmm[i], 16);
        if (a[0] != b[0] || a[1] != b[1]) {
            say(v, rs_reg_name(RS_REG_XMM0 + i), a[0], b[0]);
            say(v, "  high", a[1], b[1]);
        }
    }
}

static bool returns_from_interrupt(ZydisMnemonic mn)
{
    return mn == ZYDIS_MNEMONIC_IRET || mn == ZYDIS_MNEMONIC_IRETD || mn == ZYDIS_MNEMONIC_IRETQ;
}

static void compare_fault(const struct trial *t, const struct outcome *h, const struct outcome *g,
                          struct verdict *v)
{
    uint64_t error = g->error;

    /* two bad operands: which comes first is open */
    if (t->decoded && faults_open(&t->ins) && h->vector != g->vector && h->vector != 3 &&
        g->vector != 3)
        return;
    /* IRET with a RIP beyond its segment and a bad SS: the manual asks for RIP first, Intel's processors for SS */
    if (t->decoded && returns_from_interrupt(t->ins.mnemonic) && h->vector == 13 &&
        g->vector == 13 && g->error == 0)
        return;
    if (h->vector != g->vector) say(v, "vector", h->vector, g->vector);
    if (h->vector != g->vector) return;
    if (h->vector == 14) {
        /* Linux says "present" of every address of its own half */
        if (h->cr2 >= 0x7ffffffff000) error |= 1;
        if (t->decoded && faults_open(&t->ins) && h->cr2 != g->cr2) return;
        if (h->cr2 != g->cr2) say(v, "cr2", h->cr2, g->cr2);
    }
    if (h->error != error) say(v, "error", h->error, error);
}

static void compare_memory(struct guest *g, const struct trial *t, unsigned vector,
                           struct verdict *v)
{
    uint8_t theirs[PAGE];
    /* AMD has pushed CS when the second push of a far CALL faults; Intel has pushed the return address of a
     * near one when its target is not canonical. The manual has neither. */
    bool call = t->decoded && t->ins.mnemonic == ZYDIS_MNEMONIC_CALL && vector == 13;
    bool pushes =
        call || (t->decoded && t->ins.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR && vector != 3);
    bool loose = pushes || (t->decoded && result_undefined(t));

    for (unsigned i = 0; i < PAGES; i++) {
        if (!pages[i].at || !pages[i].write) continue;
        guest_get(g, pages[i].at, theirs, PAGE);
        if (memcmp(theirs, pages[i].bytes, PAGE) == 0 || loose) continue;
        for (unsigned k = 0; k < PAGE; k++) {
            char name[32];
            if (theirs[k] == pages[i].bytes[k] ||
                (t->decoded && byte_undefined(t, pages[i].at + k)))
                continue;
            (void)snprintf(name, sizeof name, "[%x]", pages[i].at + k);
            say(v, name, pages[i].bytes[k], theirs[k]);
        }
    }
}

/* ---- the dump ------------------------------------------------------------------------------------------------- */

static void tell(struct guest *g, const struct trial *t, const struct outcome *h,
                 const struct outcome *o, const struct options *k, uint64_t number,
                 const char *engine, const struct verdict *v)
{
    const struct state *s = &t->before;
    char text[128];

    printf("seed %llu case %llu (--bits %u --from %llu --cases 1): host and the %s engine differ\n "
           "   ",
           (unsigned long long)k->seed, (unsigned long long)number, t->bits,
           (unsigned long long)number, engine);
    for (unsigned i = 0; i < t->n; i++)
        printf("%02x%s", t->code[i], i + 1 == t->lead ? " | " : " ");
    printf("at %x\n", t->code_at);
    for (unsigned at = 0, n; at < t->n; at += n) {
        n = guest_disassemble(g, t->code_at + at, text, sizeof text);
        if (n == 0) break;
        printf("      %x  %s\n", t->code_at + at, text);
    }
    printf("    before:");
    for (unsigned i = 0; i < (t->mode32 ? 8u : 16u); i++)
        printf("%s %s=%llx", i == 8 ? "\n           " : "", rs_reg_name(i),
               (unsigned long long)s->gpr[i]);
    printf("\n            rflags=%llx mxcsr=%x mem_at=%llx\n", (unsigned long long)s->flags,
           s->mxcsr, (unsigned long long)t->mem_at);
    for (unsigned i = 0; t->mode32 && i < 6; i++) {
        struct seg_view w = seg_view(s->sel[i], 0);
        printf("%s %s=%x:%llx+%x/%x", i == 0 ? "           " : "", rs_reg_name(RS_REG_ES + i),
               s->sel[i], (unsigned long long)w.base, w.limit, w.attr);
    }
    if (t->mode32) puts("");
    printf("    host     vector %u error %llx cr2 %llx\n", h->vector, (unsigned long long)h->error,
           (unsigned long long)h->cr2);
    printf("    ringside vector %u error %llx cr2 %llx %s\n%s", o->vector,
           (unsigned long long)o->error, (unsigned long long)o->cr2, o->text, v->text);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static void image_make(uint64_t seed)
{
    struct rng r = {seed ^ 0x1234567};

    for (unsigned i = 0; i < PAGES; i++) {
        if (pages[i].exec) {
            memset(image[i], 0xcc, PAGE);
            continue;
        }
        for (unsigned k = 0; k < PAGE; k += 8) {
            uint64_t v = below(&r, 4) == 0 ? CODE_AT + below(&r, 200)
                                           : rnd(&r) >> (below(&r, 3) ? 0 : below(&r, 64));
            memcpy(image[i] + k, &v, 8);
        }
    }
}

static uint8_t *view_of(uint32_t at)
{
    for (unsigned i = 0; i < PAGES; i++)
        if (pages[i].at && at - pages[i].at < PAGE) return pages[i].bytes + (at & (PAGE - 1));
    abort();
}

/* code and pokes: into the host's view, or the guest */
static void put_bytes(struct guest *g, uint32_t at, const uint8_t *b, unsigned n)
{
    for (unsigned i = 0; i < n && at + i != CODE_END; i++) {
        if (g) guest_put(g, at + i, b + i, 1);
        else *view_of(at + i) = b[i];
    }
}

static void load(struct guest *g, const struct trial *t)
{
    put_bytes(g, t->code_at, t->code, t->n);
    for (unsigned i = 0; i < t->pokes; i++)
        put_bytes(g, t->poke[i].at, t->poke[i].bytes, t->poke[i].n);
}

/* every page as it was */
static void restore(struct guest *g)
{
    uint8_t theirs[PAGE];

    for (unsigned i = 0; i < PAGES; i++) {
        if (!pages[i].at) continue;
        if (!g) {
            memcpy(pages[i].bytes, image[i], PAGE);
            continue;
        }
        guest_get(g, pages[i].at, theirs, PAGE);
        if (memcmp(theirs, image[i], PAGE) != 0) guest_put(g, pages[i].at, image[i], PAGE);
    }
}

/* AMD has an MXCSR bit more (17, misaligned SSE), which is #GP on Intel */
static bool mxcsr_of_amd(const struct outcome *h) { return h->s.mxcsr & 0x20000; }

static bool one(struct guest *const g[2], const struct trial *t, const struct options *k,
                uint64_t number, struct counts *c)
{
    static const char *const engines[] = {"fast", "reference"};
    struct outcome host, guest[2];
    bool ok = true;

    for (unsigned i = 0; i < 2; i++) {
        load(g[i], t);
        guest_run(g[i], t, &guest[i]);
    }
    bool endless = guest[0].vector == 255 && strncmp(guest[0].text, "insn-limit", 10) == 0;
    bool stray = guest[0].vector == 14 && host_maps(guest[0].cr2);
    if (endless || stray) {
        c->endless += endless;
        c->host_memory += stray;
    } else {
        load(NULL, t);
        host_run(t, &host);
        c->run += !host.spun;
        c->spun += host.spun;
        c->faults += host.vector != 3;
        if (t->decoded) c->form[t->ins.mnemonic]++;
        else c->undecoded++;
        if (t->decoded) c->masked_flags += flags_undefined(t, host.vector) != 0;
        if (t->decoded) c->masked_results += result_undefined(t) != NULL;
        for (unsigned i = 0; i < 2 && !host.spun; i++) {
            struct verdict v = {"", 0};
            compare_fault(t, &host, &guest[i], &v);
            compare_registers(t, &host, &guest[i], &v);
            compare_memory(g[i], t, host.vector, &v);
            if (v.n == 0 || mxcsr_of_amd(&host)) continue;
            tell(g[i], t, &host, &guest[i], k, number, engines[i], &v);
            ok = false;
            break;
        }
    }
    for (unsigned i = 0; i < 2; i++) restore(g[i]);
    restore(NULL);
    return ok;
}

static int mnemonic_named(const char *name)
{
    for (unsigned i = 1; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++)
        if (strcasecmp(ZydisMnemonicGetString((ZydisMnemonic)i), name) == 0) return (int)i;
    fprintf(stderr, "native_diff: no mnemonic \"%s\"\n", name);
    exit(2);
}

/* Index of 64, 32, 16: as asked, else every second one is 64-bit code. */
static unsigned size_of(const struct options *k, uint64_t n)
{
    if (k->bits) return k->bits == 64 ? 0 : k->bits == 32 ? 1 : 2;
    return n % 4 == 3 ? 1 : n % 4 == 1 && ldt_ready ? 2 : 0;
}

enum { LDT_CASES = 64 };

/* another LDT for both */
static void table(struct guest *const g[2], const struct options *k, uint64_t number)
{
    if (!ldt_ready) return;
    ldt_make(k->seed, number);
    if (!ldt_install()) abort(); /* it could before */
    for (unsigned i = 0; i < 2; i++) guest_ldt(g[i]);
}

static void run_all(const struct options *k, struct counts *c)
{
    struct form_list lists[3];
    static const unsigned sizes[3] = {64, 32, 16};
    struct guest *g[2] = {guest_make(RS_ENGINE_FAST), guest_make(RS_ENGINE_REFERENCE)};
    int only = k->form ? mnemonic_named(k->form) : -1;

    for (unsigned i = 0; i < 3; i++) forms_find(&lists[i], sizes[i]);
    image_make(k->seed);
    for (unsigned i = 0; i < 2; i++) restore(g[i]);
    restore(NULL);
    for (uint64_t n = k->from; n < k->from + k->cases && c->differ < 20; n++) {
        struct trial t;
        const struct form_list *list = &lists[size_of(k, n)];
        c->at = n;
        if (n % LDT_CASES == 0 || n == k->from) table(g, k, n / LDT_CASES);
        if (only >= 0 && list->first[only] == list->first[only + 1]) continue;
        if (!trial_make(&t, list, only, k->seed, n)) c->skipped++;
        else if (!one(g, &t, k, n, c)) c->differ++;
    }
    for (unsigned i = 0; i < 3; i++) free(lists[i].form);
    for (unsigned i = 0; i < 2; i++) guest_free(g[i]);
}

static void report(const struct options *k, const struct counts *c)
{
    unsigned forms = 0;

    for (unsigned i = 0; i <= ZYDIS_MNEMONIC_MAX_VALUE; i++) {
        if (c->form[i] && k->list)
            printf("%8llu %s\n", (unsigned long long)c->form[i],
                   ZydisMnemonicGetString((ZydisMnemonic)i));
        forms += c->form[i] != 0;
    }
    printf("%llu cases of %u mnemonics (%llu ended in a fault, %llu undefined encodings), %llu "
           "with undefined "
           "flags masked, %llu with undefined results, %llu not run (%llu would have met the "
           "harness, %llu endless, %llu that the host's kernel retried for ever); "
           "%llu differ\n",
           (unsigned long long)c->run, forms, (unsigned long long)c->faults,
           (unsigned long long)c->undecoded, (unsigned long long)c->masked_flags,
           (unsigned long long)c->masked_results,
           (unsigned long long)(c->skipped + c->host_memory + c->endless + c->spun),
           (unsigned long long)c->host_memory, (unsigned long long)c->endless,
           (unsigned long long)c->spun, (unsigned long long)c->differ);
}

static struct options parse(int argc, char **argv)
{
    static const struct option names[] = {{"seed", 1, NULL, 's'},  {"cases", 1, NULL, 'n'},
                                          {"form", 1, NULL, 'f'},  {"from", 1, NULL, 'o'},
                                          {"bits", 1, NULL, 'b'},  {"list", 0, NULL, 'l'},
                                          {"masks", 0, NULL, 'm'}, {NULL, 0, NULL, 0}};
    struct options k = {.seed = 1, .cases = 5000};

    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        switch (c) {
        case 's': k.seed = strtoull(optarg, NULL, 0); break;
        case 'n': k.cases = strtoull(optarg, NULL, 0); break;
        case 'f': k.form = optarg; break;
        case 'o': k.from = strtoull(optarg, NULL, 0); break;
        case 'b': k.bits = atoi(optarg); break;
        case 'l': k.list = true; break;
        case 'm': k.masks = true; break;
        default: exit(2);
        }
    }
    return k;
}

int main(int argc, char **argv)
{
    struct options k = parse(argc, argv);
    struct counts *c =
        mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;

    if (k.masks) {
        masks_print();
        return 0;
    }
    if (c == MAP_FAILED) return 70;
    if (!(getauxval(AT_HWCAP2) & 2)) {
        puts("skipped: the kernel does not let programs set FS (FSGSBASE)");
        return 77;
    }
    ldt_make(1, 1);
    ldt_ready = ldt_install();
    if (!ldt_ready) {
        memset(ldt, 0, sizeof ldt);
        puts("skipped: 16-bit code and segments, since the kernel has no modify_ldt that takes "
             "them");
        if (k.bits == 16) return 77;
    }
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        cpu_set_t first;
        CPU_ZERO(&first);
        CPU_SET(0, &first);
        (void)sched_setaffinity(0, sizeof first, &first); /* LSL tells the processor's number */
        host_setup();
        run_all(&k, c);
        (void)fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) return 70;
    report(&k, c);
    if (status != 0)
        printf("the harness died (status %x) in case %llu\n", (unsigned)status,
               (unsigned long long)c->at);
    return status != 0 || c->differ != 0;
}
