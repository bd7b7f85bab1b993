#!/usr/bin/env python3
"""rules_have_proofs.py - every rule has its row in arch/rule_tests.def, both ways.

Not among the quick tests: at a save a rule just added may lack its row (tools/rule_tests.py BUILD writes it).
That the rows are true is tests/tools/rules_both_ways.py's to say.
"""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import rule_tests as table  # noqa: E402


def main():
    rows, lost = table.rows(), []
    for rule in table.rules():
        for verdict, test in zip(table.VERDICTS, rows.get(rule, ("", ""))):
            if not test and (rule, verdict) not in table.ONE_WAY:
                lost.append(f"{rule} is not proved to be {verdict}: tools/rule_tests.py BUILD")
    for text in lost:
        print(text)
    print(f"{len(table.rules())} rules, {len(lost)} proofs missing")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
