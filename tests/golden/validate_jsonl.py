#!/usr/bin/env python3
"""validate_jsonl.py - check JSON Lines logs against docs/events.schema.json.

usage: validate_jsonl.py [--schema FILE] LOG...     ("-" = standard input)

Line 1 must be the header; every other line one event. Sequence numbers must rise. Prints the first
ten complaints with line numbers; exit status 1 if there is any, 77 without python3-jsonschema.
"""
import argparse
import collections
import json
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def events_schema(schema):
    """A validator per kind: many times faster than trying all of them in turn."""
    import jsonschema

    out = {}
    for kind, ref in schema["x-kinds"].items():
        out[kind] = jsonschema.Draft7Validator({"$ref": ref, "definitions": schema["definitions"]})
    return out


def check(path, schema):
    import jsonschema

    header = jsonschema.Draft7Validator({"$ref": "#/definitions/header", "definitions": schema["definitions"]})
    kinds = events_schema(schema)
    counts, complaints, last = collections.Counter(), [], 0
    stream = sys.stdin if path == "-" else open(path, encoding="utf-8")
    number = 0
    with stream:
        for number, line in enumerate(stream, 1):
            try:
                item = json.loads(line)
            except ValueError as error:
                complaints.append("%s:%d: not JSON: %s" % (path, number, error))
                continue
            if number == 1:
                errors = header.iter_errors(item)
            elif item.get("kind") not in kinds:
                errors = []
                complaints.append("%s:%d: unknown kind %r" % (path, number, item.get("kind")))
            else:
                errors = kinds[item["kind"]].iter_errors(item)
                counts[item["kind"]] += 1
                if not isinstance(item.get("seq"), int) or item["seq"] <= last:
                    complaints.append("%s:%d: seq does not rise" % (path, number))
                last = item.get("seq", last)
            complaints += ["%s:%d: %s" % (path, number, e.message) for e in errors]
    if number == 0:
        complaints.append("%s: empty" % path)
    return counts, complaints


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--schema", default=str(ROOT / "docs" / "events.schema.json"))
    parser.add_argument("logs", nargs="+")
    args = parser.parse_args()
    try:
        import jsonschema  # noqa: F401
    except ImportError:
        print("skipped: no python3-jsonschema")
        return 77
    with open(args.schema, encoding="utf-8") as file:
        schema = json.load(file)
    bad = 0
    for path in args.logs:
        counts, complaints = check(path, schema)
        bad += len(complaints)
        for text in complaints[:10]:
            print(text)
        print("%s: %d events of %d kinds, %d complaints"
              % (path, sum(counts.values()), len(counts), len(complaints)))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
