#!/usr/bin/env python3
"""rule_tests.py - which test proves a rule? Writes arch/rule_tests.def from what the tests saw.

usage: rule_tests.py BUILD [--fresh]

Runs the guest-code tests (the programs of BUILD/tests whose source includes tests/cpu/ring.h) with
RS_RULES_SEEN: each then listens to passed checks too and writes down which test saw which rule decide
which way. A row that is still true stays as it is, so that the table changes only where the tests do;
--fresh chooses anew. Chosen is, in this order, a test that asks for this very verdict of the rule by
name, one whose text names the rule, one that sees the fewest other rules decide so.
tests/tools/rules_both_ways.py fails when a row is not true any more.
"""
import collections
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TABLE = ROOT / "arch/rule_tests.def"
VERDICTS = ("passed", "refused")
ASKED = {"passed": r"\bPASSED\w*\(.*\b%s\b", "refused": r"\bREFUSED\w*\(.*\b%s\b"}
# what cannot be, and why
ONE_WAY = {("INSN_PMC", "passed")}  # no model has a performance counter
HEAD = """/*
 * rule_tests.def - the tests that prove a rule: guest code, run by rs_run, that saw it decide.
 *
 * PROOF(RULE, "FILE:TEST that saw it pass", "FILE:TEST that saw it refuse"); empty: cannot be.
 *
 * Written by tools/rule_tests.py from what the tests saw; tests/tools/rules_both_ways.py keeps it true.
 */
/* clang-format off */
"""


class Broken(Exception):
    """A test program fails when it listens."""


def rules():
    return re.findall(r"^RULE\((\w+)", (ROOT / "include/ringside/rules.def").read_text(), re.M)


def sources():
    worlds = ("tests/cpu/ring.h", "tests/cpu/both.h")
    return [p for p in sorted((ROOT / "tests/cpu").glob("test_*.c")) if any(w in p.read_text() for w in worlds)]


def program(build, source):
    return pathlib.Path(build) / "tests" / source.stem.replace("test_", "cpu_", 1)


def built(build):
    return all(program(build, s).exists() for s in sources())


def listen(build, lines=None):
    """{(rule, verdict): {"tests/cpu/FILE:TEST"}} of everything that the programs see; the log's lines
    of what they saw (text and JSON) are added to `lines`."""
    seen = collections.defaultdict(set)
    for source in sources():
        with tempfile.NamedTemporaryFile("r") as told:
            done = subprocess.run([str(program(build, source))], env={**os.environ, "RS_RULES_SEEN": told.name},
                                  cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            if done.returncode:
                raise Broken("%s\n%s fails when passed checks are listened to" % (done.stdout, source.stem))
            for line in told.read().splitlines():
                if line.startswith(("cycle ", "{")):
                    if lines is not None:
                        lines.append(line)
                    continue
                rule, verdict, test = line.split()
                seen[rule, verdict].add("%s:%s" % (source.relative_to(ROOT), test))
    return seen


def rows():
    """{rule: (passed, refused)} of the table."""
    if not TABLE.exists():
        return {}
    found = re.findall(r'^PROOF\((\w+),\s*"([^"]*)",\s*"([^"]*)"\)', TABLE.read_text(), re.M)
    return {rule: (passed, refused) for rule, passed, refused in found}


def lost(seen, table):
    """What is wrong with the table, a line each."""
    out = []
    for rule in sorted(set(table) - set(rules())):
        out.append("%s: no such rule" % rule)
    for rule in rules():
        if rule not in table:
            out.append("%s: no row" % rule)
            continue
        for verdict, test in zip(VERDICTS, table[rule]):
            if (rule, verdict) not in ONE_WAY and test not in seen[rule, verdict]:
                out.append("%s: '%s' does not see it %s" % (rule, test, verdict))
    return out


def bodies():
    """{"tests/cpu/FILE:TEST": its text}"""
    out = {}
    for source in sources():
        for name, text in re.findall(r"^[A-Z_]+\((\w+)\)\n(\{.*?^\})", source.read_text(), re.M | re.S):
            out["%s:%s" % (source.relative_to(ROOT), name)] = text
    return out


def best(rule, verdict, seen, texts):
    others = collections.Counter(test for key, tests in seen.items() if key[1] == verdict for test in tests)

    def rank(test):
        text = texts.get(test, "")
        return (not re.search(ASKED[verdict] % rule, text), not re.search(r"\b%s\b" % rule, text), others[test], test)
    return min(seen[rule, verdict], key=rank, default="")


def choose(seen, old):
    texts, table = bodies(), {}
    for rule in rules():
        was = old.get(rule, ("", ""))
        table[rule] = tuple(test if test in seen[rule, verdict] else best(rule, verdict, seen, texts)
                            for verdict, test in zip(VERDICTS, was))
    return table


def text_of(table):
    body = "".join('PROOF(%s,\n      "%s",\n      "%s")\n' % (rule, *tests) for rule, tests in table.items())
    return HEAD + body + "/* clang-format on */\n"


def main():
    build = next((a for a in sys.argv[1:] if not a.startswith("-")), "")
    if not build or not built(build):
        sys.exit("usage: rule_tests.py BUILD [--fresh], with the tests of tests/cpu built there")
    try:
        seen = listen(build)
    except Broken as error:
        sys.exit(str(error))
    table = choose(seen, {} if "--fresh" in sys.argv else rows())
    TABLE.write_text(text_of(table))
    for rule, tests in table.items():
        for verdict, test in zip(VERDICTS, tests):
            if not test and (rule, verdict) not in ONE_WAY:
                print("%s is never seen %s" % (rule, verdict))
    print("%s: %d rules" % (TABLE.relative_to(ROOT), len(table)))


if __name__ == "__main__":
    main()
