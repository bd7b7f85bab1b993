#!/usr/bin/env python3
"""rules_both_ways.py - every rule is seen to pass and to refuse, in guest code run by rs_run.

Runs the test programs of tests/cpu again with RS_RULES_SEEN set: they then listen to passed checks too
(which must change no result) and write down which test saw which rule decide which way. Fails, naming
them, when a rule of rules.def was not seen both ways (but for rule_tests.ONE_WAY), and when a row of
arch/rule_tests.def, which `ringside rules ID` shows, names a test that did not see that verdict. The log's
lines of what was seen, as `--trace check` would write them, have their shape and fit the schema, and inputs
that arch/rule_facts.def says nothing of are 0, those it calls CPL are the CPL.
"""
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import rule_tests as table  # noqa: E402

# "cycle 5 cpu0 ring3 0x401136 <name+0x16>  CHECK refused PG_US   #PF(0x5) read 0x1000: ..., CPL 3   [SDM 3A "..."]"
TEXT = re.compile(r"cycle \d+ cpu\d ring[0-3] 0x[0-9a-f]+(?: <[^>]+>)?  CHECK (?:(passed) (\w+)   |(refused) (\w+)   #[A-Z]{2}(?:\(0x[0-9a-f]+\))? )"
                  r"\S.*: \S.*, CPL [0-3]   \[(?:SDM|APM) \d[A-D]?(?: \"[^\"]+\")?\]")


def validator():
    """Of CHECK events; None without python3-jsonschema."""
    try:
        import jsonschema
    except ImportError:
        return None
    schema = json.loads((ROOT / "docs/events.schema.json").read_text())
    return jsonschema.Draft7Validator({"$ref": schema["x-kinds"]["CHECK"], "definitions": schema["definitions"]})


def details():
    """{rule: its JSON object}"""
    told = subprocess.run([os.environ["RINGSIDE"], "rules", "--json"], capture_output=True, text=True, check=True)
    return {rule["name"]: rule for rule in json.loads(told.stdout)}


def untold(event, detail):
    """Inputs of a check that are not as its rule's facts say."""
    for word in ("in1", "in2"):
        name, value = detail[word], int(event[word], 16)
        if (name == "" and value) or (name == "CPL" and value != event["cpl"]):
            yield "%s: %s is '%s' and %#x at CPL %d" % (event["rule"], word, name, value, event["cpl"])


def misshapen(lines):
    """Lines of --trace check that are not as promised, and verdicts that no line tells."""
    fits, out, told, rules = validator(), [], {"text": set(), "json": set()}, details()
    for line in lines:
        if line.startswith("{"):
            event = json.loads(line)
            told["json"].add((event["rule"], event["verdict"]))
            out += untold(event, rules[event["rule"]])
            out += ["%s: %s" % (error.message, line) for error in (fits.iter_errors(event) if fits else ())]
            continue
        m = TEXT.fullmatch(line)
        if m:
            told["text"].add((m[2] or m[4], m[1] or m[3]))
        if not m or "inputs 0x" in line:
            out.append("not a check line: " + line)
    return out, told


def main():
    build = os.environ["BUILD_DIR"]
    if not table.built(build):
        print("the unit tests are not built")
        return 77
    lines = []
    try:
        seen = table.listen(build, lines)
    except table.Broken as error:
        print(error)
        return 1
    never = [f"{rule} never {verdict}" for rule in table.rules() for verdict in table.VERDICTS
             if not seen[rule, verdict] and (rule, verdict) not in table.ONE_WAY]
    proofs = table.lost(seen, table.rows())
    bad, told = misshapen(lines)
    bad += ["the log never tells %s %s as %s" % (*key, form) for form in told for key in sorted(set(seen) - told[form])
            if seen[key]]
    for text in never + proofs + list(dict.fromkeys(bad)):
        print(text)
    # a rule just added may wait for its row; a row that is there must be true
    untrue = [text for text in proofs if not text.endswith("no row")]
    print(f"{len(table.rules())} rules, {len(table.sources())} programs; {len(never)} verdicts never seen; "
          f"{len(lines)} lines, {len(bad)} misshapen; {len(proofs)} proofs lost (tools/rule_tests.py {build} writes arch/rule_tests.def anew)")
    return 1 if never or untrue or bad else 0


if __name__ == "__main__":
    sys.exit(main())
