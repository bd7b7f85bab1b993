#!/usr/bin/env python3
"""`ringside rules`: the list, a rule in full, JSON, names that are none; and what it says is in the tree."""
# label: quick
import json
import os
import pathlib
import re
import subprocess
import sys

RINGSIDE, SOURCE = os.environ["RINGSIDE"], pathlib.Path(os.environ["SOURCE_DIR"])
failures = 0


def expect(what, truth, run=None):
    global failures
    if not truth:
        failures += 1
        print("not as promised: " + what)
        if run is not None:
            print("  status %d\n  stdout %s\n  stderr %s" % (run.returncode, run.stdout[-2000:], run.stderr))


def rules(*args):
    return subprocess.run([RINGSIDE, "rules", *args], capture_output=True, text=True, timeout=60)


def defined(path, macro, columns):
    text = (SOURCE / path).read_text()
    return re.findall(r"^%s\((\w+)%s" % (macro, columns), text, re.M)


def test_is_there(where):
    """FILE:TEST names a test of that file."""
    file, _, name = where.partition(":")
    return (SOURCE / file).is_file() and re.search(r"^[A-Z_]+\(%s\)$" % name, (SOURCE / file).read_text(), re.M)


ids = defined("include/ringside/rules.def", "RULE", "")
listed = rules()
expect("the list has every rule, a line each", [line.split()[0] for line in listed.stdout.splitlines()] == ids, listed)

run = rules("PG_SMEP")
for text in ("PG_SMEP\n", "refuses   supervisor-mode fetch from a user-mode page while CR4.SMEP=1\n",
             "raises    #PF, with a page-fault error code\n", 'manual    SDM 3A "Access Rights"\n', "order number 325462",
             "features  smep\n", "subject   an address\n", "in1       access", "in2       U/S"):
    expect("PG_SMEP in full says %r" % text, text in run.stdout, run)
for verdict in ("passed", "refused"):
    where = re.search(r"^  %s +(\S+)$" % verdict, run.stdout, re.M)
    expect("the test that saw it %s is in the tree" % verdict, where and test_is_there(where[1]), run)
expect("ids in any case, in the order asked for",
       re.findall(r"^\w+$", rules("ss_p", "Pg_P").stdout, re.M) == ["SS_P", "PG_P"])

run = rules("--json")
document = json.loads(run.stdout)
expect("JSON has every rule", [r["name"] for r in document] == ids, run)
features = set(re.findall(r'^FEATURE\(\w+, *"([^"]+)"', (SOURCE / "arch/features.def").read_text(), re.M))
proofs = defined("arch/rule_tests.def", "PROOF", "")
for rule in document:
    name = rule["name"]
    expect(name + " has all keys", set(rule) == {"name", "fault", "error", "subject", "manual", "statement", "edition",
                                                 "features", "in1", "in2", "test_passed", "test_refused"})
    expect(name + " names a printing", "order number" in rule["edition"] or "publication" in rule["edition"])
    expect(name + " hangs on features that exist", set(rule["features"].split()) <= features)
    if name in proofs:
        for key in ("test_passed", "test_refused"):
            expect("%s: %s is a test of the tree" % (name, key), rule[key] == "" or test_is_there(rule[key]))
        expect(name + " is refused by a test", rule["test_refused"])
expect("every rule_facts row fits a rule or a subject",
       all(any(i.startswith(p) for i in ids) for p in defined("arch/rule_facts.def", "(?:INPUTS|NEEDS)", "")))

for word, near in (("PG_SMAPP", "PG_SMAP"), ("gate_dp", "GATE_DPL"), ("cs", "CS_NULL"), ("IO-BITMAP", "IO_BITMAP"),
                   ("BITMAP", "IO_BITMAP")):
    run = rules(word)
    expect("%s is told %s" % (word, near), run.returncode == 2 and not run.stdout and "no rule '%s'" % word in run.stderr
           and re.search(r"did you mean .*\b%s\b" % near, run.stderr), run)
run = rules("zzzzzzzz")
expect("a name near to none is told the list", run.returncode == 2 and "ringside rules lists them" in run.stderr, run)
expect("one name of two wrong: nothing is shown", rules("PG_P", "PG_Q").stdout == "")
run = rules("--help")
expect("--help teaches", "ringside rules PG_US" in run.stdout, run)

if failures:
    print("%d failures" % failures)
sys.exit(1 if failures else 0)
