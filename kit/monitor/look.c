/*
 * look.c - commands that show state: registers, memory, code, the hash.
 */
#include "kit/monitor/parts.h"

#include <stdio.h>
#include <string.h>

#define DUMP_LARGEST 4096u

static uint64_t reg(const struct monitor *mon, unsigned id)
{
    uint64_t value = 0;

    rs_reg_read(mon->m, 0, id, &value);
    return value;
}

/* ---- registers --------------------------------------------------------------------------------------------- */

static void flags_line(struct monitor *mon)
{
    static const struct {
        unsigned bit;
        const char *name;
    } flag[] = {{0, "CF"}, {2, "PF"}, {4, "AF"}, {6, "ZF"}, {7, "SF"}, {8, "TF"}, {9, "IF"},
                {10, "DF"}, {11, "OF"}, {14, "NT"}, {16, "RF"}, {17, "VM"}, {18, "AC"}, {21, "ID"}};
    uint64_t value = reg(mon, RS_REG_RFLAGS);
    char text[96] = "";

    for (size_t i = 0; i < sizeof flag / sizeof *flag; i++)
        if (value >> flag[i].bit & 1) {
            strcat(text, " ");
            strcat(text, flag[i].name);
        }
    say(mon, "rflags %016llx [%s ] iopl %u  cpl %u\n", (unsigned long long)value, text,
        (unsigned)(value >> 12 & 3), (unsigned)reg(mon, RS_REG_CPL));
}

static void general(struct monitor *mon)
{
    for (unsigned i = 0; i < 16; i++)
        say(mon, "%-3s %016llx%s", rs_reg_name(RS_REG_RAX + i), (unsigned long long)reg(mon, RS_REG_RAX + i),
            i % 4 == 3 ? "\n" : "  ");
    char where[160];

    say(mon, "rip %s\n", address_text(mon, reg(mon, RS_REG_RIP), where));
    flags_line(mon);
}

static void segments(struct monitor *mon)
{
    for (unsigned i = 0; i < 8; i++)
        say(mon, "%-4s %04x base %016llx limit %08x attr %04x\n", rs_reg_name(RS_REG_ES + i),
            (unsigned)reg(mon, RS_REG_ES + i), (unsigned long long)reg(mon, RS_REG_ES_BASE + i),
            (unsigned)reg(mon, RS_REG_ES_LIMIT + i), (unsigned)reg(mon, RS_REG_ES_ATTR + i));
}

static void named(struct monitor *mon, const unsigned *id, size_t n)
{
    for (size_t i = 0; i < n; i++)
        say(mon, "%s %llx%s", rs_reg_name(id[i]), (unsigned long long)reg(mon, id[i]), i + 1 == n ? "\n" : "  ");
}

static void vectors(struct monitor *mon)
{
    for (unsigned i = 0; i < 16; i++) {
        uint64_t half[2] = {0, 0};

        rs_reg_read_wide(mon->m, 0, RS_REG_XMM0 + i, half, 16);
        say(mon, "%-5s %016llx%016llx%s", rs_reg_name(RS_REG_XMM0 + i), (unsigned long long)half[1],
            (unsigned long long)half[0], i % 2 ? "\n" : "  ");
    }
}

bool command_regs(struct monitor *mon, unsigned argc, char **argv)
{
    static const unsigned control[] = {RS_REG_CR0, RS_REG_CR2, RS_REG_CR3, RS_REG_CR4, RS_REG_CR8, RS_REG_EFER};
    static const unsigned tables[] = {RS_REG_GDTR_BASE, RS_REG_GDTR_LIMIT, RS_REG_IDTR_BASE, RS_REG_IDTR_LIMIT};
    static const unsigned msrs[] = {RS_REG_STAR, RS_REG_LSTAR, RS_REG_CSTAR, RS_REG_FMASK, RS_REG_KERNEL_GS_BASE,
                                    RS_REG_TSC_AUX, RS_REG_PAT, RS_REG_APIC_BASE};
    static const unsigned debug[] = {RS_REG_DR0, RS_REG_DR1, RS_REG_DR2, RS_REG_DR3, RS_REG_DR6, RS_REG_DR7,
                                     RS_REG_MXCSR};

    if (argc && strcmp(argv[0], "all") != 0) return complain(mon, "usage: regs [all]");
    general(mon);
    if (argc == 0) return true;
    segments(mon);
    named(mon, control, sizeof control / sizeof *control);
    named(mon, tables, sizeof tables / sizeof *tables);
    named(mon, msrs, sizeof msrs / sizeof *msrs);
    named(mon, debug, sizeof debug / sizeof *debug);
    vectors(mon);
    return true;
}

/* ---- memory -------------------------------------------------------------------------------------------------- */

static void dump_line(struct monitor *mon, uint64_t address, const uint8_t *bytes, size_t n)
{
    char hex[64] = "", text[17] = "";

    for (size_t i = 0; i < n; i++) {
        snprintf(hex + 3 * i, sizeof hex - 3 * i, " %02x", bytes[i]);
        text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? (char)bytes[i] : '.';
    }
    say(mon, "%016llx %-48s  %s\n", (unsigned long long)address, hex, text);
}

static bool dump(struct monitor *mon, unsigned argc, char **argv, bool physical)
{
    uint64_t address, n = 64;
    uint8_t bytes[16];

    if (!address_parse(mon, argv[0], &address) || (argc > 1 && !count_parse(mon, argv[1], &n))) return false;
    if (n > DUMP_LARGEST) return complain(mon, "at most %u bytes at a time", DUMP_LARGEST);
    for (uint64_t at = 0; at < n; at += 16) {
        size_t part = n - at < 16 ? (size_t)(n - at) : 16;
        rs_status status = physical ? rs_phys_read(mon->m, address + at, bytes, part)
                                    : rs_linear_peek(mon->m, 0, address + at, bytes, part);

        if (status != RS_OK)
            return complain(mon, "%s address 0x%llx cannot be read: %s", physical ? "physical" : "linear",
                            (unsigned long long)(address + at), rs_status_text(status));
        dump_line(mon, address + at, bytes, part);
    }
    return true;
}

bool command_mem(struct monitor *mon, unsigned argc, char **argv) { return dump(mon, argc, argv, false); }
bool command_phys(struct monitor *mon, unsigned argc, char **argv) { return dump(mon, argc, argv, true); }

bool command_disassemble(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t address = reg(mon, RS_REG_CS_BASE) + reg(mon, RS_REG_RIP), n = 8, here = address;

    if (argc > 0 && !address_parse(mon, argv[0], &address)) return false;
    if (argc > 1 && !count_parse(mon, argv[1], &n)) return false;
    if (n > 256) return complain(mon, "at most 256 instructions at a time");
    for (uint64_t i = 0; i < n; i++) {
        char insn[128], where[160], raw[40] = "";
        uint8_t bytes[15];
        unsigned length = rs_disassemble(mon->m, 0, address, false, insn, sizeof insn);

        if (length == 0)
            return complain(mon, "no instruction can be read at %s", address_text(mon, address, where));
        rs_linear_peek(mon->m, 0, address, bytes, length);
        for (unsigned k = 0; k < length && k < 11; k++) snprintf(raw + 3 * k, sizeof raw - 3 * k, "%02x ", bytes[k]);
        say(mon, "%s %-40s %-33s %s\n", address == here ? "=>" : "  ", address_text(mon, address, where), raw, insn);
        address += length;
    }
    return true;
}

bool command_symbol(struct monitor *mon, unsigned argc, char **argv)
{
    uint64_t address;
    char where[160];

    (void)argc;
    if (!address_parse(mon, argv[0], &address)) return false;
    say(mon, "%s\n", address_text(mon, address, where));
    return true;
}

bool command_hash(struct monitor *mon, unsigned argc, char **argv)
{
    char hash[33];

    (void)argc;
    (void)argv;
    rs_status status = rs_state_hash(mon->m, hash);

    if (status != RS_OK) return complain(mon, "%s", rs_status_text(status));
    say(mon, "%s at instruction %llu, cycle %llu\n", hash, (unsigned long long)rs_insns(mon->m),
        (unsigned long long)rs_cycles(mon->m));
    return true;
}
