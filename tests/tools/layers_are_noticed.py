#!/usr/bin/env python3
# label: quick
"""check_layers.py notices what it must: each forbidden arrow, in a tree made for it."""

import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import check_layers  # noqa: E402 (found only now)

HEADERS = ["include/ringside/ringside.h", "arch/bits.h", "phys/ram.h", "mmu/mmu.h", "cpu/cpu.h", "devices/device.h",
           "emu/machine.h", "kit/monitor/monitor.h", "apps/cli/text.h"]
# file, what it includes, is that an offence?
CASES = [
    ("cpu/a.c", '"mmu/mmu.h"', False), ("cpu/a.c", '"devices/device.h"', True), ("cpu/a.c", '"emu/machine.h"', True),
    ("devices/a.c", '"cpu/cpu.h"', True), ("devices/a.c", '"phys/ram.h"', False), ("emu/a.c", '"cpu/cpu.h"', False),
    ("mmu/a.c", '"cpu/cpu.h"', True), ("mmu/a.c", '"ringside/ringside.h"', False), ("arch/a.c", '"phys/ram.h"', True),
    ("kit/monitor/a.c", '"emu/machine.h"', True), ("kit/monitor/a.c", '"monitor.h"', False),
    ("apps/cli/a.c", '"kit/monitor/monitor.h"', False), ("apps/cli/a.c", '"cpu/cpu.h"', True),
    ("cpu/a.c", "<Zydis/Zydis.h>", True), ("cpu/decode.c", "<Zydis/Zydis.h>", False), ("emu/a.c", "<readline/readline.h>", True),
    ("cpu/a.c", '"nowhere/b.h"', True), ("cpu/a.c", "<stdio.h>", False),
]


def main():
    failed = 0
    for name, include, bad in CASES:
        with tempfile.TemporaryDirectory() as root:
            for header in [*HEADERS, name]:
                path = pathlib.Path(root, header)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            pathlib.Path(root, name).write_text(f"/* #include \"emu/machine.h\" */\n#include {include}\n", encoding="utf-8")
            _, offences = check_layers.check(pathlib.Path(root))
        if bool(offences) != bad:
            failed += 1
            print(f"{name} includes {include}: {'not noticed' if bad else 'wrongly refused'}")
    print(f"{len(CASES)} cases, {failed} wrong")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
