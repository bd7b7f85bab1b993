#!/usr/bin/env python3
"""The tour: every crime in the image is told once, with its rule and its bill, on a plain 100-column page."""

import os
import pathlib
import re
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("BUILD_DIR", SOURCE / "build/release"))
WITHOUT_RULE = {"div0"}  # an exception that no protection check stands behind


def main():
    image = BUILD / "guestos/ringside-guest.elf"
    result = subprocess.run([sys.executable, SOURCE / "tools/tour.py", "--ringside", BUILD / "ringside", "--image", image],
                            capture_output=True, text=True, timeout=300, check=False)
    page = result.stdout
    wrong = []
    if result.returncode != 0:
        wrong.append(f"exit status {result.returncode}: {result.stderr.strip()}")
    stories = {m.group(1): m.group(0) for m in re.finditer(r"^ ?\d+ (\w+) +at 0x.*\n(?:   .*\n)+", page, re.M)}
    for path in sorted((image.parent / "user/crimes").iterdir()):
        story = stories.get(path.name, "")
        for part, pattern in (("rule", r"refused [A-Z]\w+_\w+"), ("manual", r"manual  SDM"), ("vector", r"vector \d+"),
                              ("bill", r"bill    [\d,.]+ cycles on the way in = ")):
            if not re.search(pattern, story) and not (path.name in WITHOUT_RULE and part in ("rule", "manual")):
                wrong.append(f"{path.name}: no {part}")
    wrong += [f"longer than 100 columns: {line}" for line in page.splitlines() if len(line) > 100]
    if "\x1b" in page:
        wrong.append("colour though this is no terminal")
    for door in ("SYSCALL", "INT 0x80"):
        if not re.search(rf"^   {door} +\d+ +\d+", page, re.M):
            wrong.append(f"no price of {door}")
    print("\n".join(wrong) or f"{len(stories)} crimes told")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
