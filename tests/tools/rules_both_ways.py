#!/usr/bin/env python3
"""rules_both_ways.py - every rule is seen to pass and to refuse, in guest code run by rs_run.

Runs the test programs of tests/cpu again with RS_RULES_SEEN set: they then listen to passed checks too
(which must change no result) and write down which test saw which rule decide which way. Fails, naming
them, when a rule of rules.def was not seen both ways (but for rule_tests.ONE_WAY), and when a row of
arch/rule_tests.def, which `ringside rules ID` shows, names a test that did not see that verdict.
"""
# label: quick
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))
import rule_tests as table  # noqa: E402


def main():
    build = os.environ["BUILD_DIR"]
    if not table.built(build):
        print("the unit tests are not built")
        return 77
    try:
        seen = table.listen(build)
    except table.Broken as error:
        print(error)
        return 1
    never = [f"{rule} never {verdict}" for rule in table.rules() for verdict in table.VERDICTS
             if not seen[rule, verdict] and (rule, verdict) not in table.ONE_WAY]
    proofs = table.lost(seen, table.rows())
    for text in never + proofs:
        print(text)
    # a rule just added may wait for its row; a row that is there must be true
    untrue = [text for text in proofs if not text.endswith("no row")]
    print(f"{len(table.rules())} rules, {len(table.sources())} programs; {len(never)} verdicts never seen; "
          f"{len(proofs)} proofs lost (tools/rule_tests.py {build} writes arch/rule_tests.def anew)")
    return 1 if never or untrue else 0


if __name__ == "__main__":
    sys.exit(main())
