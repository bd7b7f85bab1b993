#!/usr/bin/env python3
# label: quick
"""Every sentence with which cpu/ stops for a gap is a row of arch/gap_places.def, and every row is said."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
code = "\n".join(p.read_text() for p in sorted((ROOT / "cpu").glob("*.c")))
said = set(re.findall(r'\b(?:gap|missing)\(c, "([^"]+)"\)', code))
rows = set(re.findall(r'^GAP_PLACE\("([^"]+)"\)', (ROOT / "arch/gap_places.def").read_text(), re.M))
lost = ["no row for: " + t for t in sorted(said - rows)]
lost += ["said nowhere: " + t for t in sorted(rows) if '"%s"' % t not in code]
print("\n".join(lost + ["%d places, %d forgotten" % (len(rows), len(lost))]))
sys.exit(1 if lost else 0)
