#!/usr/bin/env python3
"""The JSON Lines log of the bundled guest, group by group, fits docs/events.schema.json."""

import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", SOURCE / "build/release"))
VALIDATOR = SOURCE / "tests/golden/validate_jsonl.py"
SKIPPED = 77
BOUNDED = {"insn": 3000, "check": 3000, "mem": 3000, "all": 3000}  # groups that would fill a disk
GROUPS = ["crossing", "refused", "fault", "irq", "walk", "tlb", "syscall", "cr", "msr", "io", "device", *BOUNDED]
WHOLE = {"refused", "fault", "device"}  # few lines, and late ones


def main():
    image = BUILD / "guestos/ringside-guest.elf"
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for group in GROUPS:
            log = pathlib.Path(folder, group + ".jsonl")
            limit = [] if group in WHOLE else ["--max-insns", str(BOUNDED.get(group, 3000000))]
            subprocess.run([BUILD / "ringside", "run", image, "--trace", group, "--trace-format", "jsonl",
                            "--trace-out", log, *limit], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           timeout=120, check=False)
            result = subprocess.run([sys.executable, VALIDATOR, log], capture_output=True, text=True, check=False)
            if result.returncode == SKIPPED:
                print(result.stdout or "skipped")
                return SKIPPED
            lines = sum(1 for _ in log.open(encoding="utf-8"))
            print(f"{group:<10}{lines:>9,} lines  {'fits' if result.returncode == 0 else result.stdout}{result.stderr}")
            failed += result.returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
