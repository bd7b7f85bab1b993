/*
 * forms.c - which instruction forms the decoder knows and a cost profile does not.
 *
 * Opcodes are walked through with all prefixes that make another form: each opcode map, each ModRM byte
 * with a register operand and one memory operand of each /digit; VEX with its pp, W and L. What decodes
 * to the same form is told once.
 * Manual: SDM 2 "Instruction Format", "VEX Encoding".
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "emu/machine.h"

struct form {
    char name[DECODE_FORM];
};

/* Those met so far; of one opcode they come again and again, so the latest are looked at first. */
struct forms {
    struct form *at;
    size_t n, room;
    char last[DECODE_FORM];
    bool no_memory;
};

static void forms_add(struct forms *f, const char *name)
{
    if (strcmp(f->last, name) == 0 || f->no_memory) return;
    memcpy(f->last, name, sizeof f->last);
    if (f->n == f->room) {
        size_t room = f->room ? 2 * f->room : 4096;
        struct form *at = realloc(f->at, room * sizeof *at);

        f->no_memory = at == NULL;
        if (f->no_memory) return;
        f->at = at;
        f->room = room;
    }
    memcpy(f->at[f->n++].name, name, DECODE_FORM);
}

/* ---- bytes ------------------------------------------------------------------------------------------ */

/* Every ModRM byte that may decide the form, after a beginning of n bytes. */
static void walk_modrm(struct forms *f, const struct cost *cost, bool mode64, const uint8_t *begin,
                       unsigned n)
{
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        uint8_t bytes[15] = {0};
        char form[DECODE_FORM] = "";
        bool gap;

        if (modrm < 0xc0 && (modrm & 0xc7) != 0) continue; /* [RAX] stands for all memory */
        memcpy(bytes, begin, n);
        bytes[n] = (uint8_t)modrm;
        if (!decode_form(mode64, bytes, form)) continue;
        (void)cost_of_form(cost, form, &gap);
        if (gap) forms_add(f, form);
    }
}

static void walk_maps(struct forms *f, const struct cost *cost, bool mode64, const uint8_t *prefix,
                      unsigned n)
{
    static const struct {
        uint8_t n, escape[2];
    } maps[] = {{0, {0}}, {1, {0x0f}}, {2, {0x0f, 0x38}}, {2, {0x0f, 0x3a}}};
    uint8_t bytes[15];

    memcpy(bytes, prefix, n);
    for (unsigned m = 0; m < sizeof maps / sizeof *maps; m++) {
        memcpy(bytes + n, maps[m].escape, 2);
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            bytes[n + maps[m].n] = (uint8_t)opcode;
            walk_modrm(f, cost, mode64, bytes, n + maps[m].n + 1);
        }
    }
}

static void walk_legacy(struct forms *f, const struct cost *cost, bool mode64)
{
    static const struct {
        uint8_t n, byte[2];
    } legacy[] = {{0, {0}},    {1, {0x66}},       {1, {0xf2}},       {1, {0xf3}},      {1, {0xf0}},
                  {1, {0x67}}, {2, {0x66, 0xf2}}, {2, {0x66, 0xf3}}, {2, {0xf0, 0x66}}};
    static const uint8_t rex[] = {0, 0x48, 0x44}; /* none, W, R (CR8) */

    for (unsigned i = 0; i < sizeof legacy / sizeof *legacy; i++) {
        for (unsigned r = 0; r < (mode64 ? sizeof rex : 1); r++) {
            uint8_t prefix[3] = {legacy[i].byte[0], legacy[i].byte[1], 0};
            unsigned n = legacy[i].n;

            if (rex[r]) prefix[n++] = rex[r];
            walk_maps(f, cost, mode64, prefix, n);
        }
    }
}

static void walk_vex(struct forms *f, const struct cost *cost, bool mode64)
{
    for (unsigned map = 1; map <= 3; map++) {
        for (unsigned last = 0; last < 256; last++) { /* W, inverted vvvv (0 or 1), L, pp */
            if ((last & 0x78) != 0x78 && (last & 0x78) != 0x70) continue;
            for (unsigned opcode = 0; opcode < 256; opcode++) {
                const uint8_t bytes[] = {0xc4, (uint8_t)(0xe0 | map), (uint8_t)last,
                                         (uint8_t)opcode};
                walk_modrm(f, cost, mode64, bytes, sizeof bytes);
            }
        }
    }
}

/* ---- answers ----------------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct form *)a)->name, ((const struct form *)b)->name);
}

rs_status rs_cost_gaps(const rs_machine *m, rs_form_fn each, void *ctx)
{
    struct forms f = {.at = NULL};

    if (!m || !each) return RS_E_ARG;
    if (m->cost.column < 0) return RS_OK;
    for (int mode64 = 0; mode64 < 2; mode64++) {
        walk_legacy(&f, &m->cost, mode64);
        walk_vex(&f, &m->cost, mode64);
    }
    if (f.n) qsort(f.at, f.n, sizeof *f.at, by_name);
    for (size_t i = 0; i < f.n && !f.no_memory; i++)
        if (i == 0 || by_name(&f.at[i - 1], &f.at[i]) != 0)
            each(ctx, f.at[i].name, cost_of_form(&m->cost, f.at[i].name, NULL));
    free(f.at);
    return f.no_memory ? RS_E_NOMEM : RS_OK;
}
