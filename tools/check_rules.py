#!/usr/bin/env python3
"""check_rules.py - does every row of the tables live?

Fails, listing all of them, when
  - a rule of rules.def is raised nowhere in mmu/ or cpu/, or named in no test
  - a row of ops*.def names a handler or family that cpu/ does not define
  - an event of events.def is emitted nowhere
  - a priced event of cost_events.def that is not reserved is charged nowhere
  - a manual heading is cited by nothing, or cited and not there
Prints the counts. Names are looked for as whole words, so a comment counts as well as code: this is
a net for what was forgotten, not a proof.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEXT = {".c", ".h", ".def", ".S", ".py", ".sh", ".case", ".lua", ".md", ".txt", ".out", ".expect"}


def rows(path, macro):
    return re.findall(r"^\s*%s\(\s*([^)]*)" % macro, (ROOT / path).read_text(), re.M)


def first(row):
    return row.split(",")[0].strip()


def words_in(*folders, skip=()):
    """Every word of the sources below these folders."""
    found = set()
    for folder in folders:
        base = ROOT / folder
        files = [base] if base.is_file() else sorted(base.rglob("*"))
        for path in files:
            if path.is_file() and path.suffix in TEXT and str(path.relative_to(ROOT)) not in skip:
                found |= set(re.findall(r"\w+", path.read_text(errors="replace")))
    return found


def check_rule_rows(lost):
    rules = [first(r) for r in rows("include/ringside/rules.def", "RULE")]
    code, tests = words_in("mmu", "cpu"), words_in("tests")
    for rule in rules:
        if rule not in code and "RS_RULE_" + rule not in code:
            lost.append("rule %s is raised nowhere in mmu/ or cpu/" % rule)
        if rule not in tests and "RS_RULE_" + rule not in tests:
            lost.append("rule %s is named in no test" % rule)
    return "%d rules" % len(rules)


def check_op_rows(lost):
    code = words_in("cpu")
    count = 0
    for path in sorted((ROOT / "arch").glob("ops*.def")):
        name = str(path.relative_to(ROOT))
        for row in rows(name, "INSN"):
            mnemonic, handler = [w.strip() for w in row.split(",")[:2]]
            count += 1
            if handler not in code and "op_" + handler not in code:
                lost.append("instruction %s: no handler %s in cpu/" % (mnemonic, handler))
        for macro, prefix in ("FAMILY", "pick_"), ("CORE", "core_"):
            for row in rows(name, macro):
                mnemonic, family = [w.strip() for w in row.split(",")[:2]]
                count += 1
                if prefix + family not in code:
                    lost.append("instruction %s: no %s%s in cpu/" % (mnemonic, prefix, family))
    return "%d instructions" % count


def check_event_rows(lost):
    events = [first(r) for r in rows("include/ringside/events.def", "EVENT")]
    code = words_in("mmu", "cpu", "devices", "emu",
                    skip=("emu/log.c", "emu/log.h", "emu/log_text.c", "emu/log_json.c", "emu/log_names.c"))
    for event in events:
        if "RS_EV_" + event not in code:
            lost.append("event %s is emitted nowhere" % event)
    return "%d events" % len(events)


def check_cost_rows(lost):
    text = (ROOT / "arch/cost_events.def").read_text()
    found = re.findall(r'^COST\((\w+),\s*"\w+",\s*(\w+),\s*"([^"]*)', text, re.M)
    code = words_in("arch/cost.c", "mmu", "cpu", "devices", "emu", skip=("emu/ledger.c",))
    for name, _, what in found:
        used = "COST_" + name in code
        if not used and not what.startswith("reserved"):
            lost.append("price %s is charged nowhere" % name)
        if used and what.startswith("reserved"):
            lost.append("price %s is charged and still marked reserved" % name)
    return "%d prices" % len(found)


def check_manual_rows(lost):
    titles = [first(r) for r in rows("arch/manual.def", "MANUAL")]
    cited = set(re.findall(r"\bSDM_\w+|\bAPM_\w+", (ROOT / "include/ringside/rules.def").read_text()))
    elsewhere = words_in("arch/features.def", "arch/msrs.def", "arch/ops.def", "cpu", "emu")
    for title in titles:
        if title not in cited and title not in elsewhere and "MANUAL_" + title not in elsewhere:
            lost.append("manual heading %s is cited by nothing" % title)
    for title in sorted(cited - set(titles)):
        lost.append("manual heading %s is cited and not in manual.def" % title)
    if len(set(titles)) != len(titles):
        lost.append("manual.def has a heading twice")
    return "%d manual headings" % len(titles)


def main():
    lost = []
    counts = [check(lost) for check in (check_rule_rows, check_op_rows, check_event_rows, check_cost_rows,
                                        check_manual_rows)]
    for text in lost:
        print(text)
    print("%s; %d forgotten" % (", ".join(counts), len(lost)))
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
