#!/usr/bin/env python3
"""embed.py - the library as others get it.

examples/embed, a project of its own, is built and run three times: by find_package from the build tree,
by find_package from a tree installed into a temporary folder, and by pkg-config from that tree after it
was moved elsewhere. The shared library has its SONAME and exports rs_* alone; every public header compiles
by itself as C17 and C++17 without a warning.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SOURCE, BUILD = pathlib.Path(os.environ["SOURCE_DIR"]), pathlib.Path(os.environ["BUILD_DIR"])
GUEST, EXAMPLE = sys.argv[1], SOURCE / "examples/embed"
SKIPPED = 77


def run(*command, **more):
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)
    if done.returncode:
        print(done.stdout)
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return done.stdout


def says_what_happened(program, **more):
    out = run(program, GUEST, **more)
    assert "guest-exit with 0 after" in out, out[-400:]
    assert "CHECK refused PG_US" in out and "CHECK refused INSN_CPL0" in out, "the guest's crimes are not seen"


def by_find_package(folder, *where):
    run("cmake", "-G", "Ninja", "-S", EXAMPLE, "-B", folder, *where)  # a fresh machine has no make
    run("cmake", "--build", folder)
    says_what_happened(folder / "embed")
    assert run(folder / "embed_cpp").startswith("ringside ")
    if (folder / "embed_static").exists():
        says_what_happened(folder / "embed_static")


def by_pkg_config(folder, prefix):
    libdir = next(prefix.rglob("libringside.so")).parent
    asked = {**os.environ, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    flags = run("pkg-config", "--cflags", "--libs", "ringside", env=asked).split()
    folder.mkdir()
    run("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", EXAMPLE / "embed.c", *flags, "-o", folder / "embed")
    says_what_happened(folder / "embed", env={**os.environ, "LD_LIBRARY_PATH": str(libdir)})


def exports_are_ours(library):
    names = [line.split() for line in run("nm", "-D", "--defined-only", library).splitlines()]
    others = [n[-1] for n in names if n[-2] != "A" and not n[-1].startswith("rs_")]
    assert len(names) > 40 and not others, f"exported besides rs_*: {others}"
    assert "[libringside.so.0]" in run("readelf", "-d", library)


def headers_stand_alone():
    for header in sorted((SOURCE / "include/ringside").glob("*.h")):
        for compiler, language, standard in ("cc", "c", "c17"), ("c++", "c++", "c++17"):
            run(compiler, "-x", language, f"-std={standard}", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                "-include", header, "/dev/null")


def main():
    if "-fsanitize" in (BUILD / "CMakeCache.txt").read_text():
        print("skipped: a library with sanitizers wants a program with them")
        return SKIPPED
    if not all(shutil.which(tool) for tool in ("cmake", "pkg-config", "c++")):
        print("skipped: cmake, pkg-config or a C++ compiler is not installed")
        return SKIPPED
    exports_are_ours(BUILD / "libringside.so")
    headers_stand_alone()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        by_find_package(folder / "build-tree", f"-DRingside_DIR={BUILD}")
        run("cmake", "--install", BUILD, "--prefix", folder / "installed")
        by_find_package(folder / "by-cmake", f"-DCMAKE_PREFIX_PATH={folder / 'installed'}")
        (folder / "installed").rename(folder / "moved")
        by_pkg_config(folder / "by-pkg-config", folder / "moved")
    print("build tree, installed tree and pkg-config: the example builds and runs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
