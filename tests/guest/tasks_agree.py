#!/usr/bin/env python3
"""tasks_agree.py - hardware task switches and call gates of a bare-metal 32-bit program (tasks/), here and under QEMU.

Ringside, on both engines, must print tasks/expected.txt: what the SDM says. So does Bochs 2.7, but for the order
of its checks of a new CS and SS. QEMU (TCG) must print the same except where it is known not to follow the SDM.
Status 77: no 32-bit compiler. Without QEMU its part is left out.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent / "tasks"
RINGSIDE = os.environ.get("RINGSIDE", "build/release/ringside")
# what QEMU 7.2 answers otherwise: pattern in our line, what is put for it before the comparison
QEMU = [
    (r"eip=\w+ esp=(\w+) flags=\w+ cs=", r"esp=\1 cs="),  # EIP of the old task, no RF, in the new task's state
    (r"^((gate|int) to the LDT: vector)=[ad]", r"\1=*"),  # #TS, where the SDM says #GP
    (r"^(ss absent: vector)=[bc]", r"\1=*"),              # #NP, where the SDM says #SS
    (r"RF saved=\d", "RF saved=*"),
    (r"^ r=\w*7000 .* (ip=)", r" \1"),                    # a 16-bit TSS leaves old upper halves
    (r"^!?T:", "T:"),                                     # there is no T flag
    (r"DR6=\w+", "DR6=*"),
]


def build(folder):
    cc = os.environ.get("CC", "cc")
    flags = ["-m32", "-ffreestanding", "-fno-pic", "-fno-pie", "-fno-stack-protector", "-O1", "-Wall", "-Wextra"]
    link = ["-nostdlib", "-static", "-no-pie", "-Wl,--build-id=none", "-Wl,-T", str(HERE / "tasks.ld")]
    image = folder / "tasks.elf"
    done = subprocess.run([cc, *flags, *link, "-o", image, HERE / "tasks.c", HERE / "start.S"],
                          capture_output=True, text=True)
    if done.returncode:
        print("skipped: no 32-bit program can be built:", done.stderr.splitlines()[-1:], file=sys.stderr)
        sys.exit(77)
    return image


def lines(*command):
    done = subprocess.run(command, capture_output=True, timeout=120, stdin=subprocess.DEVNULL)
    return done.stdout.decode("latin-1").splitlines()


def compare(name, got, want, edits=()):
    wrong = 0
    for pattern, put in edits:
        got = [re.sub(pattern, put, l) for l in got]
        want = [re.sub(pattern, put, l) for l in want]
    for i in range(max(len(got), len(want))):
        g, w = (l[i] if i < len(l) else "(nothing)" for l in (got, want))
        if g != w:
            print(f"{name}, line {i + 1}:\n  got    {g}\n  wanted {w}")
            wrong += 1
    return wrong


def main():
    want = (HERE / "expected.txt").read_text().splitlines()
    wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        image = build(pathlib.Path(folder))
        for engine in ("fast", "reference"):
            wrong += compare(engine, lines(RINGSIDE, "run", image, "--engine", engine), want)
        if shutil.which("qemu-system-i386"):
            got = lines("qemu-system-i386", "-kernel", image, "-accel", "tcg", "-display", "none", "-debugcon", "stdio",
                        "-monitor", "none", "-serial", "none", "-no-reboot", "-device",
                        "isa-debug-exit,iobase=0xf4,iosize=4")
            wrong += compare("QEMU", got, want, QEMU)
    print(f"{len(want)} lines, {wrong} wrong")
    return wrong != 0


sys.exit(main())
