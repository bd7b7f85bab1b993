#!/usr/bin/env python3
# label: quick
"""Malformed images: each gives one clear line on stderr, exit status 3, and nothing else."""
import os
import random
import struct
import subprocess
import sys
import tempfile

RINGSIDE = os.environ["RINGSIDE"]
MAGIC = 0x1BADB002
failures = 0


def header(flags=0, *fields):
    return struct.pack("<III", MAGIC, flags, -(MAGIC + flags) & 0xFFFFFFFF) + struct.pack("<%dI" % len(fields), *fields)


def elf32(segments, entry=0x100010, machine=3, etype=2, klass=1, phnum=None, phoff=52, body=b""):
    ident = b"\x7fELF" + bytes([klass, 1, 1]) + bytes(9)
    head = ident + struct.pack("<HHIIIIIHHHHHH", etype, machine, 1, entry, phoff, 0, 0, 52, 32,
                               len(segments) if phnum is None else phnum, 40, 0, 0)
    table = b"".join(struct.pack("<IIIIIIII", 1, off, addr, addr, fsz, msz, 5, 4096) for off, addr, fsz, msz in segments)
    out = head + table
    return out + bytes(0x1000 - len(out)) + header() + bytes(0x100) + body


def elf64(segments, entry=0x100010, machine=62):
    ident = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    head = ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, len(segments), 64, 0, 0)
    table = b"".join(struct.pack("<IIQQQQQQ", 1, 5, off, addr, addr, fsz, msz, 4096) for off, addr, fsz, msz in segments)
    out = head + table
    return out + bytes(0x1000 - len(out)) + header() + bytes(0x100)


def check(name, data, *words):
    global failures
    path = os.path.join(folder, name)
    with open(path, "wb") as f:
        f.write(data)
    run = subprocess.run([RINGSIDE, "run", path], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    err = run.stderr.decode(errors="replace")
    line = err.rstrip("\n")
    ok = run.returncode == 3 and run.stdout == b"" and "\n" not in line and line.startswith("ringside: " + name + ":")
    ok = ok and all(word in line for word in words)
    if not ok:
        failures += 1
        print("not as promised: %s: status %d\n%s" % (name, run.returncode, err))


GOOD = (0x1000, 0x100000, 0x100, 0x100)
with tempfile.TemporaryDirectory() as folder:
    rng = random.Random(20260101)
    check("empty", b"", "empty")
    check("one", b"\x7f")
    check("text", b"#!/bin/sh\nexit 0\n", "no Multiboot header")
    check("noise", rng.randbytes(100000), "no Multiboot header")
    check("zeros", bytes(100000))
    check("plain", open(RINGSIDE, "rb").read(), "ELF", "without a Multiboot header")
    good = elf32([GOOD])
    for cut in (3, 16, 51, 60, 200, 0x1004):
        check("cut%d" % cut, good[:cut])
    check("short", good[:0x1080], "claims 0x100 bytes", "the file has 0x1080")
    check("spoiled", header(3)[:8] + b"\1\2\3\4" + bytes(100), "checksum")
    check("wants", header(0x40) + bytes(100), "requires")
    check("class", elf32([GOOD], klass=9), "class 9")
    check("machine", elf32([GOOD], machine=40), "machine 40")
    check("machine64", elf64([GOOD], machine=183), "machine 183")
    check("relocatable", elf32([GOOD], etype=1), "not an executable")
    check("nothing", elf32([], phnum=0), "no program headers")
    check("many", elf32([GOOD], phnum=60000), "past the end")
    check("far", elf32([GOOD], phoff=0x7FFFFFF0), "past the end")
    check("entry", elf32([GOOD], entry=0x900000), "entry point")
    check("outside", elf32([GOOD, (0x1000, 0x20000000, 0x100, 0x100)]), "outside RAM", "0x20000000")
    check("hole", elf32([GOOD, (0x1000, 0x9F000, 0x100, 0x2000)]), "outside RAM")
    check("wraps", elf64([GOOD, (0x1000, 0xFFFFFFFFFFFFFF00, 0x100, 0x200)]), "wraps")
    check("overlap", elf32([GOOD, (0x1000, 0x1000FF, 0x10, 0x10)]), "overlaps")
    check("bigger", elf32([(0x1000, 0x100000, 0x100, 0x80)]), "more bytes in the file")
    check("fields", header(1 << 16, 0x100000, 0x200000, 0, 0, 0x100020) + bytes(64), "load_addr")
    check("before", header(1 << 16, 0x200000, 0x100000, 0, 0, 0x100020) + bytes(64), "before the file")
    check("lies", header(1 << 16, 0x100000, 0x100000, 0x180000, 0, 0x100020) + bytes(64), "claim 0x80000 bytes")
    check("bss", header(1 << 16, 0x100000, 0x100000, 0x100040, 0x100020, 0x100020) + bytes(64), "bss_end_addr")
    check("start", header(1 << 16, 0x100000, 0x100000, 0, 0, 0x500000) + bytes(64), "entry_addr")
    for i in range(40):  # anything at all: a clear line or a guest that runs, never a crash
        data = bytearray(elf32([GOOD, (0x1000, 0x200000, 0x80, 0x80)]) if i % 2 else elf64([GOOD]))
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(0, 0x80)] = rng.randrange(256)
        path = os.path.join(folder, "mutant")
        with open(path, "wb") as f:
            f.write(data)
        run = subprocess.run([RINGSIDE, "run", path, "--max-insns", "1000"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        if run.returncode not in (0, 3, 4, 5, 7, 10):
            failures += 1
            print("mutant %d: status %d\n%s" % (i, run.returncode, run.stderr.decode(errors="replace")))
sys.exit(1 if failures else 0)
