#!/usr/bin/env python3
"""no_mutable_globals.py - the library's objects have nothing in .data, .bss or thread-local sections.

What relocation alone writes (.data.rel.ro) is constant. The look is tools/house.py's; that it sees, with and
without link-time optimisation, is tried on a small object that has one of each kind.
"""
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.environ["SOURCE_DIR"], "tools"))
import house  # noqa: E402

SKIPPED = 77
MUTABLE = """
static int counter;  int bump(void) { return ++counter; }
int table[3] = {1, 2, 3};
_Thread_local int mine;
const char *name = "a pointer that may change";
int tentative;
const int constant = 4;  const char *const names[] = {"constant"};
"""


def eye_sees(flags):
    with tempfile.TemporaryDirectory() as name:
        source, archive = pathlib.Path(name) / "mutable.c", pathlib.Path(name) / "mutable.a"
        source.write_text(MUTABLE)
        subprocess.run([os.environ["CC"], "-O2", "-fPIC", *flags, "-c", source, "-o", source.with_suffix(".o")], check=True)
        subprocess.run(["ar", "rcs", archive, source.with_suffix(".o")], check=True)
        return {symbol for symbol, _ in house.mutable_globals(archive)}


def main():
    build = pathlib.Path(os.environ["BUILD_DIR"])
    if any(word in (build / "CMakeCache.txt").read_text() for word in ("-fsanitize", "--coverage")):
        print("skipped: instrumentation has globals of its own")
        return SKIPPED
    kinds = [["-fcommon"]] if "clang" in os.environ["CC"] else [["-fcommon"], ["-flto", "-ffat-lto-objects"]]
    for flags in kinds:
        seen = eye_sees(flags)
        assert seen == {"counter", "table", "mine", "name", "tentative"}, f"with {flags}: sees {seen}"
    found = house.mutable_globals(build / "libringside.a")
    for symbol, section in found:
        print(f"{symbol} in {section}")
    print(f"{len(found)} mutable globals in libringside.a")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
