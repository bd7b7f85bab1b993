#!/usr/bin/env python3
"""house.py - the tree's yardsticks: sizes of files and functions, and mutable globals.

Sizes are of our C (tables, guests and tests apart); a function is what stands between a brace in the
first column and the next one. Mutable globals are what objdump finds in .data and .bss of the library:
there must be none, and that alone makes the exit status 1. Long ones are listed for the reader.
"""

import argparse
import pathlib
import re
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["include", "arch", "phys", "mmu", "cpu", "devices", "emu", "kit", "apps"]
LONG_FILE, LONG_FUNCTION = 600, 60
GENERATED = {"arch/cost_table.c"}
NAME = re.compile(r"([A-Za-z_]\w*)\s*\(")


def functions(lines):
    """Yield (name, lines of the body) of each function, those of macros not counted."""
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{") and start is None:
            start = i
        elif line.startswith("}") and start is not None:
            name = NAME.search(" ".join(lines[max(0, start - 3):start]).split(";")[-1].split("}")[-1])
            yield (name.group(1) if name else "?"), i - start - 1
            start = None
        elif start is None and re.match(r"^[A-Za-z].*\)\s*\{.*\}\s*$", line):
            yield NAME.search(line).group(1) if NAME.search(line) else "?", 1


def mutable_globals(archive):
    """Names with their sections of the objects in writable data of the archive. (objdump, because nm asks the
    compiler's plugin about objects that hold intermediate code too, and that says no section.)"""
    listing = subprocess.run(["objdump", "-t", str(archive)], capture_output=True, text=True, check=True)
    found = []
    for line in listing.stdout.splitlines():
        symbol = re.match(r"[0-9a-f]{16} (.{7}) (\S+)\t[0-9a-f]{16} (?:\.\w+ )?(.+)$", line)
        if not symbol or "d" in symbol.group(1):
            continue
        section = symbol.group(2)
        writable = section.startswith((".data", ".bss", ".tdata", ".tbss")) or section == "*COM*"
        if writable and not section.startswith(".data.rel.ro"):
            found.append((symbol.group(3), section))
    return found


def describe(title, sizes):
    if not sizes:
        return
    within = sum(1 for s in sizes if s <= 20) / len(sizes)
    extra = f", {within:.0%} within 20 lines" if title == "functions" else ""
    print(f"{len(sizes):>6} {title}: median {statistics.median(sizes):.0f} lines, longest {max(sizes)}{extra}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "build/release/libringside.a")
    args = parser.parse_args()

    files, bodies, long_ones = {}, [], []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name = str(path.relative_to(ROOT))
            if name in GENERATED:
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            files[name] = len(lines)
            for function, size in functions(lines):
                bodies.append(size)
                if size > LONG_FUNCTION:
                    long_ones.append(f"{size:>6} lines in {function}(), {name}")
            if len(lines) > LONG_FILE:
                long_ones.append(f"{len(lines):>6} lines in {name}")
    describe("files", [n for f, n in files.items() if f.endswith(".c")])
    describe("headers", [n for f, n in files.items() if f.endswith(".h")])
    describe("functions", bodies)
    print("\n".join(sorted(long_ones, reverse=True)) or "       nothing is long")

    if not args.library.exists():
        print(f"  no {args.library}: mutable globals not counted")
        return 0
    found = mutable_globals(args.library)
    print(f"{len(found):>6} mutable globals in {args.library.name}")
    for name, section in found:
        print(f"       {name} in {section}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
