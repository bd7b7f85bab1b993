#!/usr/bin/env python3
"""Compare the CPU exceptions of a guest under QEMU with those of the same guest under Ringside.

QEMU (TCG, never KVM) runs the image with `-d int`; every exception that it delivers becomes one line

    vector error cpl        such as   0e 0005 3

in the order of delivery. Hardware interrupts, INT n and everything before the kernel has its IDT
(firmware runs in other modes) are left out. Without --ringside-log the list is printed; with it, the
list is compared with the one in Ringside's JSON Lines log, and a difference is exit status 1.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile

# What a fault looks like in Ringside's log: the one place that knows its field names.
KIND_FIELD, KIND_FAULT = "kind", "FAULT"
VECTOR_FIELD, ERROR_FIELD, CPL_FIELD = "vector", "error", "cpl"

EXCEPTIONS = 32  # vectors below this are the processor's own
SKIPPED = 77  # the exit status by which a test says "not here"
QEMU_LINE = re.compile(r"^\s*\d+: v=([0-9a-f]+) e=([0-9a-f]+) i=([01]) cpl=([0-3]) IP=([0-9a-f]+):([0-9a-f]+)")
LONG_MODE_LINE = re.compile(r"EFER=([0-9a-f]+)")
EFER_LMA = 0x400


def faults_in_qemu_log(lines):
    """Yield (vector, error, cpl, rip) of each exception that was taken in long mode."""
    pending = None
    for line in lines:
        match = QEMU_LINE.match(line)
        if match:
            vector, error, software, cpl, _, rip = match.groups()
            is_fault = software == "0" and int(vector, 16) < EXCEPTIONS
            pending = (int(vector, 16), int(error, 16), int(cpl), int(rip, 16)) if is_fault else None
            continue
        match = LONG_MODE_LINE.search(line)
        if match and pending:
            if int(match.group(1), 16) & EFER_LMA:
                yield pending
            pending = None


def as_number(value):
    """Numbers in the log are numbers or hexadecimal strings."""
    if value is None:
        return 0
    return value if isinstance(value, int) else int(value, 16)


def faults_in_ringside_log(lines):
    """Yield (vector, error, cpl, rip) of each fault event."""
    for line in lines:
        event = json.loads(line) if line.strip() else {}
        if event.get(KIND_FIELD) != KIND_FAULT:
            continue
        yield (event[VECTOR_FIELD], as_number(event.get(ERROR_FIELD)), event[CPL_FIELD],
               as_number(event.get("rip")))


def run_qemu(image, cpu):
    """Run the image to its end and return the lines of QEMU's interrupt log."""
    with tempfile.NamedTemporaryFile("r", suffix=".log") as log:
        command = ["qemu-system-x86_64", "-kernel", image, "-accel", "tcg", "-cpu", cpu, "-m", "256",
                   "-display", "none", "-serial", "null", "-monitor", "none", "-no-reboot",
                   "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-d", "int", "-D", log.name]
        try:
            subprocess.run(command, timeout=120, check=False, stdin=subprocess.DEVNULL)
        except FileNotFoundError:
            print("skipped: there is no qemu-system-x86_64")
            sys.exit(SKIPPED)
        return log.read().splitlines()


def as_text(fault):
    vector, error, cpl, _ = fault
    return f"{vector:02x} {error:04x} {cpl}"


def compare(expected, actual):
    """Print the first difference, if any. Returns whether there is none."""
    for i in range(max(len(expected), len(actual))):
        pair = [faults[i] if i < len(faults) else None for faults in (expected, actual)]
        texts = [as_text(f) if f else "nothing" for f in pair]
        if texts[0] == texts[1]:
            continue
        places = [f"rip {f[3]:#x}" if f else "" for f in pair]
        print(f"fault {i} differs: QEMU {texts[0]} {places[0]}, Ringside {texts[1]} {places[1]}")
        return False
    print(f"{len(expected)} exceptions, the same under QEMU and Ringside")
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("image", nargs="?", default="build/release/guestos/ringside-guest.elf")
    parser.add_argument("--cpu", default="max", help="QEMU's CPU model (default %(default)s)")
    parser.add_argument("--qemu-log", help="read this -d int log instead of running QEMU")
    parser.add_argument("--ringside-log", help="JSON Lines event log to compare with")
    parser.add_argument("--rip", action="store_true", help="print each exception's address too")
    args = parser.parse_args()

    if args.qemu_log:
        with open(args.qemu_log, encoding="ascii", errors="replace") as log:
            lines = log.read().splitlines()
    else:
        lines = run_qemu(args.image, args.cpu)
    expected = list(faults_in_qemu_log(lines))
    if not expected:
        print("QEMU took no exception at all: did the guest boot?")
        return 1
    if not args.ringside_log:
        for fault in expected:
            print(as_text(fault) + (f" {fault[3]:#x}" if args.rip else ""))
        return 0
    with open(args.ringside_log, encoding="utf-8") as log:
        return 0 if compare(expected, list(faults_in_ringside_log(log))) else 1


if __name__ == "__main__":
    sys.exit(main())
