#!/usr/bin/env python3
"""`ringside run --rule-coverage`: counts both ways, in text, in a file and in --result; the run stays the same."""
# label: quick
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

RINGSIDE, SOURCE = os.environ["RINGSIDE"], pathlib.Path(os.environ["SOURCE_DIR"])
IDS = re.findall(r"^RULE\((\w+)", (SOURCE / "include/ringside/rules.def").read_text(), re.M)
failures = 0
# mov cr8,rax (0) x3; mov rax,-1; mov cr4,rax: #GP, no IDT: triple fault. RAX starts as 0.
CODE = bytes.fromhex("440f22c0" * 3 + "48c7c0ffffffff" + "0f22e0")
EXIT = bytes.fromhex("440f22c0" + "31c0e6f4ebfe")


def expect(what, truth, run=None):
    global failures
    if not truth:
        failures += 1
        print("not as promised: " + what)
        if run is not None:
            print("  status %d\n  stdout %r\n  stderr %s" % (run.returncode, run.stdout[-300:], run.stderr[-3000:]))


def flat(code, *args):
    path = os.path.join(folder, "code.bin")
    pathlib.Path(path).write_bytes(code)
    result = os.path.join(folder, "result.json")
    run = subprocess.run([RINGSIDE, "run", path, "--load", "0x100000", "--result", result, *args],
                         capture_output=True, text=True, timeout=120)
    return run, json.loads(pathlib.Path(result).read_text())


def verdicts(text):
    """{rule: (passed, refused)} of the table."""
    return {m[1]: (int(m[2].replace(",", "")), int(m[3].replace(",", "")))
            for m in re.finditer(r"^  ([A-Z_0-9]+) +([\d,]+) +([\d,]+)$", text, re.M)}


with tempfile.TemporaryDirectory() as folder:
    plain, before = flat(CODE)
    run, after = flat(CODE, "--rule-coverage")
    found, table = after.pop("rule_coverage"), verdicts(run.stderr)
    expect("nothing but the report changes", before == after and plain.returncode == run.returncode == 4, run)
    expect("a run without it says nothing of rules", "rule coverage" not in plain.stderr, plain)
    expect("CR8 passed three times", table.get("CR8_RSVD") == (3, 0), run)
    expect("CR4's rule refused once and the #GP's vector was beyond the IDT",
           table.get("CR4_RSVD") == (0, 1) and table.get("IDT_LIMIT", (0, 0))[1] >= 1, run)
    expect("rules after the one that refused were not asked", "CR4_PAE_LONG" not in table, run)
    expect("text and JSON agree", table == {k: (v["passed"], v["refused"]) for k, v in found["verdicts"].items()}, run)
    expect("met and not met are all rules", sorted([*table, *found["not_met"]]) == sorted(IDS))
    expect("the sums are right", (found["rules"], found["met"], found["refused"]) ==
           (len(IDS), len(table), sum(refused > 0 for _, refused in table.values())))
    expect("the first line says them", "rule coverage: met %d of %d rules, %d refused; not met:\n" %
           (found["met"], found["rules"], found["refused"]) in run.stderr, run)
    said = re.search(r"not met:\n((?:    .*\n)+)", run.stderr)
    expect("and names those not met", said and said[1].split() == found["not_met"], run)
    expect("the last line stays the last", run.stderr.rstrip("\n").split("\n")[-1].startswith("ringside: stopped: "), run)

    other, twin = flat(CODE, "--rule-coverage", "--engine", "reference")
    # how often a fetch is judged is the engine's affair (the fast one judges a block once)
    both = [{rule: [n > 0 for n in v.values()] for rule, v in c["verdicts"].items()} for c in (found, twin["rule_coverage"])]
    expect("both engines meet the same rules", both[0] == both[1], other)

    path = os.path.join(folder, "rules.txt")
    run, after = flat(EXIT, "--rule-coverage=" + path)
    text = pathlib.Path(path).read_text()
    expect("a file gets it instead", run.returncode == 0 and "rule coverage" not in run.stderr and
           verdicts(text).get("CR8_RSVD") == (1, 0), run)
    run, _ = flat(EXIT, "--rule-coverage=-", "--trace", "refused")
    expect("- is stdout, and a trace may run too", "rule coverage: met" in run.stdout, run)
    run, _ = flat(EXIT, "--rule-coverage", "--trace", "check", "--trace-format", "jsonl", "--trace-out", path)
    heard = [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()[1:]]
    counts = {}
    for e in heard:
        counts[e["rule"]] = counts.get(e["rule"], 0) + 1
    expect("it counts what --trace check tells", counts == {k: sum(v) for k, v in verdicts(run.stderr).items()}, run)
    run = subprocess.run([RINGSIDE, "run", "x", "--rule-coverage=/nonexistent/y", "--load", "0"], capture_output=True, text=True)
    expect("a missing image is told first", run.returncode == 3, run)
    run = subprocess.run([RINGSIDE, "run", os.path.join(folder, "code.bin"), "--load", "0x100000",
                          "--rule-coverage=/nonexistent/y"], capture_output=True, text=True)
    expect("a file that cannot be written is a host error", run.returncode == 12 and "--rule-coverage /nonexistent/y" in run.stderr, run)

if failures:
    print("%d failures" % failures)
sys.exit(1 if failures else 0)
