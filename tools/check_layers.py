#!/usr/bin/env python3
"""check_layers.py - arrows point one way: who may include whom.

    include < arch < phys < mmu < cpu < emu        phys < devices < emu
    include < kit < apps                           cpu and devices never see each other

Reads every #include of our C and table files. The rules are docs/ARCHITECTURE.md's; exit status 1
and one line per offence if one is broken.
"""

import argparse
import pathlib
import re
import sys

# folder: the folders whose headers and tables it may include besides its own and include/ringside
LAYERS = {
    "include": set(),
    "arch": set(),
    "phys": {"arch"},
    "mmu": {"arch", "phys"},
    "cpu": {"arch", "phys", "mmu"},
    "devices": {"arch", "phys"},
    "emu": {"arch", "phys", "mmu", "cpu", "devices"},
    "kit": set(),
    "apps": {"kit"},
}
# an outside header: who alone may include it (a folder ends in "/")
OUTSIDE = {
    r"^[Zz]ydis": ("cpu/decode.c", "emu/disasm.c"),
    r"^(libelf|gelf|elf)\.h$": ("emu/", "phys/"),
    r"^xxhash\.h$": ("emu/", "phys/"),
    r"^readline/": ("apps/",),
    r"^jansson\.h$": ("apps/", "kit/"),
    r"^SDL": ("apps/viewer/",),
    r"^lua": ("kit/",),
    r"^capstone/": (),
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)')
COMMENT = re.compile(r"/\*.*?\*/", re.S)


def includes(path):
    """Yield (line number, name, quoted) of each #include outside comments."""
    text = COMMENT.sub(lambda m: "\n" * m.group().count("\n"), path.read_text(encoding="utf-8"))
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) or match.group(2), match.group(1) is not None


def folder_of(root, path, name):
    """The top folder that an #include reaches, None if it is not ours."""
    if name.startswith("ringside/") or (path.parts[0] == "include" and "/" not in name):
        return "include"
    if (root / name).is_file() and "/" in name:
        return name.split("/")[0]
    if (root / path.parent / name).is_file():
        return path.parts[0]
    return None


def offence_inside(layer, target):
    """Why a file of `layer` may not include from `target`, None if it may."""
    if target in ("include", layer) or target in LAYERS[layer]:
        return None
    if target not in LAYERS:
        return f"{layer}/ must not include from {target}/"
    return f"{layer}/ may include only {', '.join(sorted(LAYERS[layer] | {layer, 'include'}))}, not {target}/"


def offence_outside(path, name):
    for pattern, allowed in OUTSIDE.items():
        if not re.search(pattern, name):
            continue
        if not any(str(path) == a or (a.endswith("/") and str(path).startswith(a)) for a in allowed):
            return f"<{name}> belongs to {' and '.join(allowed) or 'tests'} alone"
    return None


def check(root):
    """Return (files read, offences as lines)."""
    offences, count = [], 0
    for layer in LAYERS:
        for path in sorted((root / layer).rglob("*")):
            if path.suffix not in (".c", ".h", ".cpp", ".def", ".inc"):
                continue
            count += 1
            path = path.relative_to(root)
            for number, name, quoted in includes(root / path):
                target = folder_of(root, path, name)
                why = offence_inside(layer, target) if target else offence_outside(path, name)
                if not why and quoted and not target:
                    why = f'no such header: "{name}"'
                if why:
                    offences.append(f"{path}:{number}: {why}")
    return count, offences


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("root", nargs="?", type=pathlib.Path,
                        default=pathlib.Path(__file__).resolve().parent.parent)
    count, offences = check(parser.parse_args().root)
    print("\n".join(offences + [f"check_layers: {count} files, {len(offences)} offences"]))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
