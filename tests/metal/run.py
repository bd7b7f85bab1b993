#!/usr/bin/env python3
"""run.py - second opinions: the same bare-metal cases on Ringside, QEMU and Bochs.

usage: run.py [--peers qemu,bochs | --peers none] [--record] [--ringside FILE] [--work DIR]

Ringside must do what the manual says in every case. What the peers do otherwise is in record.json, with
the versions it was seen on; --record writes it anew, and docs/CONFORMANCE.md with it. A peer of a
recorded version that differs from the record fails the run, as does a stale CONFORMANCE.md; a peer of another
version is only told. A case that kills a peer is recorded as "does not return", and the peer started again after it.
Exit status 77: no compiler.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
GUEST = ROOT / "bench/guest"
RECORD, REASONS, PAGE = HERE / "record.json", HERE / "reasons.txt", ROOT / "docs/CONFORMANCE.md"
LEGACY = HERE / "legacy.md"  # the page's last part, written by hand: what other bare-metal programs have shown
PROGRAMS = ["cases64"]
FLAGS = ("-std=gnu17 -O1 -m64 -ffreestanding -mgeneral-regs-only -mno-red-zone -mcmodel=small -fno-pic "
         "-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -fno-lto -Wall "
         "-Wextra -nostdlib -static -no-pie -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,--build-id=none "
         "-Wl,--no-warn-rwx-segments").split()
CASE = re.compile(r"^CASE (\S+) \| (.*?) \| (.*?) \| ?(.*)$")
RESTARTS = 12
DIES = "does not return"
MODELS = {"qemu": "Haswell", "bochs": "corei7_sandy_bridge_2600k"}


def compiler():
    return shutil.which("gcc-12") or shutil.which("gcc")


def build(name, work):
    image = work / f"{name}.elf"
    subprocess.run([compiler(), *FLAGS, f"-Wl,-T,{GUEST}/guest.ld", "-o", image, GUEST / "start.S", HERE / "world.S",
                    HERE / "world.c", HERE / f"{name}.c"], check=True)
    return image


def output_of(argv, seconds, **more):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              timeout=seconds, **more)
        return done.stdout
    except subprocess.TimeoutExpired as late:
        return late.stdout or b""


# ---- the three: each runs an image from a case on and gives its console -------------------------------

class Ringside:
    def __init__(self, program):
        self.program = program

    def run(self, image, first, _work):
        return output_of([self.program, "run", image, "--append", f"from={first}", "--max-insns", "50000000"], 60)


class Qemu:
    program = "qemu-system-x86_64"

    def version(self):
        return output_of([self.program, "--version"], 10).decode().split("version ")[1].split()[0]

    def run(self, image, first, _work):
        return output_of([self.program, "-accel", "tcg", "-cpu", MODELS["qemu"], "-kernel", image, "-append", f"from={first}",
                          "-display", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot",
                          "-device", "isa-debug-exit,iobase=0xf4,iosize=4"], 8)


class Bochs:
    program = "bochs"
    rc = """display_library: term
config_interface: textconfig
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file={vga}
cpu: model={model}, count=1, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=0
memory: guest=256, host=256
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={work}/metal.iso, status=inserted
boot: cdrom
clock: sync=none, time0=946681200
log: {work}/bochs.log
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
com1: enabled=1, mode=file, dev={work}/serial
"""

    def version(self):
        return re.search(rb"Emulator (\S+)", output_of([self.program, "--help"], 10, env=dict(os.environ))
                         or subprocess.run([self.program, "--help"], capture_output=True, stdin=subprocess.DEVNULL,
                                           check=False).stderr).group(1).decode()

    def run(self, image, first, work):
        tree = work / "iso"
        (tree / "boot/grub").mkdir(parents=True, exist_ok=True)
        shutil.copy(image, tree / "boot/guest.elf")
        (tree / "boot/grub/grub.cfg").write_text(f"set timeout=0\nmultiboot /boot/guest.elf from={first}\nboot\n")
        subprocess.run(["grub-mkrescue", "-o", work / "metal.iso", tree], check=True, capture_output=True)
        vga = next(f for f in ("/usr/share/bochs/VGABIOS-lgpl-latest", "/usr/share/vgabios/vgabios.bin") if os.path.exists(f))
        (work / "bochsrc").write_text(self.rc.format(work=work, vga=vga, model=MODELS["bochs"]))
        (work / "commands").write_text("c\nq\n")
        serial = work / "serial"
        serial.unlink(missing_ok=True)
        # its terminal display wants a terminal: script(1) gives one
        output_of(["script", "-qc", f"bochs -q -f {work}/bochsrc -rc {work}/commands", "/dev/null"], 40,
                  env=dict(os.environ, TERM="xterm", LINES="25", COLUMNS="80"))
        return serial.read_bytes() if serial.exists() else b""


def here(name):
    needs = {"qemu": ["qemu-system-x86_64"], "bochs": ["bochs", "grub-mkrescue", "xorriso", "mformat", "script"]}[name]
    return all(shutil.which(program) for program in needs)


def cases_of(machine, image, work):
    """{id: (title, demanded, seen)}; started again after a case that the machine does not survive."""
    found = {}
    for _ in range(RESTARTS):
        text = machine.run(image, len(found), work).decode("latin-1").replace("\r", "")
        before = len(found)
        for line in text.split("\n"):
            match = CASE.match(line)
            if match:
                found[match[1]] = (match[2], match[3], match[4] or DIES)
        if re.search(r"^END$", text, re.M):
            return found
        if len(found) == before:
            break
    raise SystemExit(f"{type(machine).__name__} did not come to the end ({len(found)} cases)")


def run_all(machine, images, work):
    found = {}
    for image in images:
        found.update(cases_of(machine, image, work))
    return found


# ---- the page ------------------------------------------------------------------------------------------

def reasons():
    """reasons.txt: `pattern: why`, the first pattern (a regular expression) that fits a whole id counts."""
    rows = [line.split(": ", 1) for line in REASONS.read_text().splitlines() if line and not line.startswith("#")]
    return [(re.compile(pattern), why) for pattern, why in rows]


def page(ours, record):
    why, names = reasons(), {"qemu": "QEMU", "bochs": "Bochs"}
    apart = [k for k in ours if any(k in record[p]["differs"] for p in names)]
    out = ["<!-- Generated by tests/metal/run.py --record: do not edit; the reasons are in tests/metal/reasons.txt. -->\n",
           "# Conformance: second opinions\n",
           "The same bare-metal program (tests/metal) on Ringside and on two emulators that nobody here wrote. What the manual",
           "demands stands beside each case in its source; where the three differ, the manual decides. A case's name begins with the",
           "line of tests/checks.def that it shows (`c34` is line 34). `at+0` is the instruction in question, faults with their",
           "error code; `done` is no fault; `does not return` is an emulator that hangs, stops or resets.\n",
           f"{len(ours)} cases. Ringside does what the manual demands in all of them (a quick test fails otherwise).\n",
           "| | version | model | as the manual demands | otherwise |", "| --- | --- | --- | --- | --- |"]
    for peer, name in names.items():
        n = len(record[peer]["differs"])
        out.append(f"| {name} | {record[peer]['version']} | {MODELS[peer]} | {len(ours) - n} | {n} |")
    out += ["", f"## Where they differ: {len(apart)} cases\n",
            "| case | manual | demanded, and Ringside | QEMU | Bochs | who is right, why |", "| --- | --- | --- | --- | --- | --- |"]
    for key in apart:
        told = next((text for pattern, text in why if pattern.fullmatch(key)), None)
        if told is None:
            raise SystemExit(f"{key}: reasons.txt says nothing of it")
        title, demanded, _ = ours[key]
        cells = [record[p]["differs"].get(key, "the same") for p in names]
        out.append(f"| {key} | {title} | {demanded} | {cells[0]} | {cells[1]} | {told} |")
    same = [k for k in ours if k not in apart]
    out += ["", f"## Where all three agree: {len(same)} cases\n", "| case | manual | outcome |", "| --- | --- | --- |"]
    out += [f"| {k} | {ours[k][0]} | {ours[k][1]} |" for k in same]
    return "\n".join(out) + "\n\n" + LEGACY.read_text()


def judge_ours(ours):
    wrong = [f"{k}: {title} demands {demanded}; Ringside: {seen}" for k, (title, demanded, seen) in ours.items()
             if demanded != seen]
    print(f"ringside: {len(ours)} cases, {len(wrong)} wrong")
    return wrong


def judge_peer(name, ours, found, version, record):
    """What differs from the record; of another version than recorded it is only told."""
    differs = {k: seen for k, (_, demanded, seen) in found.items() if demanded != seen}
    print(f"{name} {version}: {len(found)} cases, {len(differs)} not as the manual demands")
    if set(found) != set(ours):
        return differs, [f"{name} ran other cases than Ringside"]
    was = record.get(name, {"version": None, "differs": {}})
    news = [f"{name}: {k}: recorded {was['differs'].get(k, 'as demanded')}; now {differs.get(k, 'as demanded')}"
            for k in ours if was["differs"].get(k) != differs.get(k)]
    if was["version"] != version:
        print(f"  (recorded was version {was['version']}: {len(news)} cases differ from the record)", *news, sep="\n  ")
        news = []
    return differs, news


def options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--peers", default="qemu,bochs")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--ringside", default=os.environ.get("RINGSIDE", str(ROOT / "build/release/ringside")))
    return parser.parse_args()


def main():
    args = options()
    if not compiler():
        return 77
    record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        images = [build(name, work) for name in PROGRAMS]
        ours = run_all(Ringside(args.ringside), images, work)
        wrong = judge_ours(ours)
        for name in [p for p in args.peers.split(",") if p != "none"]:
            if not here(name):
                print(f"{name}: not installed, skipped")
                continue
            machine = {"qemu": Qemu, "bochs": Bochs}[name]()
            version = machine.version()
            differs, news = judge_peer(name, ours, run_all(machine, images, work), version, record)
            if args.record:
                record[name] = {"version": version, "differs": differs}
            else:
                wrong += news
    if args.record:
        RECORD.write_text(json.dumps(record, indent=1) + "\n")
        PAGE.write_text(page(ours, record))
    elif PAGE.read_text() != page(ours, record):
        wrong.append("docs/CONFORMANCE.md is stale: tests/metal/run.py --record")
    print(*wrong, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
