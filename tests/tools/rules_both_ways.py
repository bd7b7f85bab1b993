#!/usr/bin/env python3
"""rules_both_ways.py - every rule is seen to pass and to refuse, in guest code run by rs_run.

Runs the test programs of tests/cpu again with RS_RULES_SEEN set: they then listen to passed checks too
(which must change no result) and write down which rules they saw decide which way. Fails, naming them,
when a rule of rules.def was not seen both ways, but for the verdicts of ONE_WAY.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# what cannot be, and why
ONE_WAY = {"INSN_PMC passed"}  # no model has a performance counter

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def main():
    rules = re.findall(r"^RULE\((\w+)", (ROOT / "include/ringside/rules.def").read_text(), re.M)
    sources = [p for p in sorted((ROOT / "tests/cpu").glob("test_*.c")) if "tests/cpu/ring.h" in p.read_text()]
    programs = [pathlib.Path(os.environ["BUILD_DIR"]) / "tests" / p.stem.replace("test_", "cpu_", 1) for p in sources]
    if not all(p.exists() for p in programs):
        print("the unit tests are not built")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        seen_file = pathlib.Path(folder) / "seen"
        seen_file.touch()
        for program in programs:
            run = subprocess.run([str(program)], env={**os.environ, "RS_RULES_SEEN": str(seen_file)},
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if run.returncode:
                print(run.stdout)
                print(f"{program.name} fails when passed checks are listened to")
                return 1
        seen = set(seen_file.read_text().splitlines())
    lost = [f"{rule} never {way}" for rule in rules for way in ("passed", "refused")
            if f"{rule} {way}" not in seen | ONE_WAY]
    for text in lost:
        print(text)
    print(f"{len(rules)} rules, {len(programs)} programs; {len(lost)} verdicts never seen")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
