#!/usr/bin/env python3
# label: quick
"""What README.md and docs/ tell people to run exists and can be run; what they link to is there."""

import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMMAND = re.compile(r"(?:^|[\s`(])(?:\./)?((?:tools|bench)/[a-z_]+(?:\.py)?)(?=[\s`,;.)]|$)", re.M)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def offences(page):
    text = page.read_text(encoding="utf-8")
    for name in sorted(set(COMMAND.findall(text))):
        path = ROOT / name if (ROOT / name).exists() else ROOT / (name + ".py")
        if path.is_dir():
            continue
        if not path.is_file():
            yield f"{page.name}: there is no {name}"
        elif not os.access(path, os.X_OK):
            yield f"{page.name}: {name} is not executable"
    for target in LINK.findall(text):
        if not (page.parent / target).exists():
            yield f"{page.name}: links to {target}, which is not there"


def main():
    readme = ROOT / "README.md"
    wrong = [w for page in [readme, *sorted((ROOT / "docs").glob("*.md"))] for w in offences(page)]
    commands = re.findall(r"^    (\./tools/\w+)", readme.read_text(encoding="utf-8"), re.M)
    for wanted in ("./tools/run", "./tools/check"):
        if wanted not in commands:
            wrong.append(f"README.md: does not show {wanted}")
    print("\n".join(wrong) or "every command and link exists")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
