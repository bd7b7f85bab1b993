#!/usr/bin/env python3
"""modes_agree.py - a ROM that walks through every mode of the processor (modes/walk.S), here and under QEMU.

Ringside, on both engines, must print modes/expected.txt: what the SDM says. QEMU (TCG) must print the same
but for two things that it is known to leave out: segment limits, and RF in the flags that a fault pushes.
Status 77: no 32-bit assembler. Without QEMU its part is left out.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent / "modes"
RINGSIDE = os.environ.get("RINGSIDE", "build/release/ringside")
LINKED_AT = "0x10000"


def build(folder):
    cc = os.environ.get("CC", "cc")
    part, image = folder / "walk.o", folder / "walk.bin"
    for command in ([cc, "-m32", "-c", "-o", part, HERE / "walk.S"],
                    ["ld", "-m", "elf_i386", "-Ttext=" + LINKED_AT, "--oformat", "binary", "-o", image, part]):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print("skipped: no 32-bit program can be built:", done.stderr.splitlines()[-1:], file=sys.stderr)
            sys.exit(77)
    return image


def lines(*command):
    done = subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    return done.stdout.decode("latin-1").splitlines()


def compare(name, got, want):
    wrong = 0
    for i in range(max(len(got), len(want))):
        g, w = (l[i] if i < len(l) else "(nothing)" for l in (got, want))
        if g != w:
            print(f"{name}, line {i + 1}:\n  got    {g}\n  wanted {w}")
            wrong += 1
    return wrong


def as_qemu(all_lines):
    kept = [l for l in all_lines if not l.startswith("fault13")]  # no limits
    return [re.sub(r"^(GP .*) 000[23] $", r"\1 RF?", l) for l in kept]


def main():
    want = (HERE / "expected.txt").read_text().splitlines()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        image = build(pathlib.Path(folder))
        for engine in ("fast", "reference"):
            wrong += compare(engine, lines(RINGSIDE, "run", "--bios", image, "--engine", engine), want)
        if shutil.which("qemu-system-x86_64"):
            got = lines("qemu-system-x86_64", "-cpu", "max", "-accel", "tcg", "-bios", image, "-nodefaults", "-display",
                        "none", "-debugcon", "stdio", "-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4")
            wrong += compare("QEMU", as_qemu(got), as_qemu(want))
    print(f"{len(want)} lines, {wrong} wrong")
    return wrong != 0


sys.exit(main())
