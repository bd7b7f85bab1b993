#!/usr/bin/env python3
"""What must change nothing changes nothing: every --trace group in both formats, the reference engine,
block caps, stops and steps on the way. And one price changes what it should: cycles of its category."""
import json
import os
import subprocess
import sys
import tempfile

RINGSIDE = os.environ["RINGSIDE"]
BENCH = os.path.join(os.environ["BUILD_DIR"], "bench")
GROUPS = "crossing refused check fault irq walk tlb syscall cr msr io mem insn device all".split()
SAME = ("insns", "cycles", "state_hash", "console_hash", "crossings", "ledger", "stop")
# SCE, STAR, LSTAR, then ten times SYSCALL; the handler jumps back through RCX; exit 0
CALLS = bytes.fromhex("b9800000c00f3283c8010f30b9810000c031c0ba000008000f30b9820000c0b83900100031d20f30bb0a000000"
                      "0f05ffcb75fa31c0e6f4ebfeffe1")
failures = 0


def expect(what, truth, more=""):
    global failures
    if not truth:
        failures += 1
        print("not as promised: %s %s" % (what, more))


def run(image, *args):
    path = os.path.join(folder, "result.json")
    done = subprocess.run([RINGSIDE, "run", image, "--result", path, *args], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300)
    with open(path) as f:
        return json.load(f), done


def hash_of(image, *lines, args=()):
    script = os.path.join(folder, "script")
    with open(script, "w") as f:
        f.write("\n".join(lines) + "\nhash\n")
    done = subprocess.run([RINGSIDE, "debug", image, *args, "--script", script], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=300)
    out = done.stdout.decode().splitlines()
    return out[-1] if out else "status %d" % done.returncode


with tempfile.TemporaryDirectory() as folder:
    calls = os.path.join(folder, "calls.bin")
    with open(calls, "wb") as f:
        f.write(CALLS)

    for guest in ("int80", "userfault", "ctxsw"):
        image = (os.path.join(BENCH, guest + ".elf"), "--append", "n=20")
        if not os.path.exists(image[0]):
            print("no " + image[0])
            sys.exit(77)
        plain, first = run(*image)
        expect(guest + " succeeds", first.returncode == 0)
        ways = [["--trace", group, "--trace-format", form, "--trace-out", os.path.join(folder, "log")]
                for group in GROUPS for form in ("text", "jsonl")]
        ways += [["--engine", "reference"], ["--block-cap", "1"], ["--block-cap", "2"], ["--block-cap", "7"],
                 ["--trace", "all", "--trace-out", os.devnull, "--engine", "reference"],
                 ["--max-insns", str(plain["insns"] + 1)], ["--max-cycles", str(plain["cycles"] + 1)]]
        for way in ways:
            other, done = run(*image, *way)
            wrong = [key for key in SAME if other[key] != plain[key]]
            expect("%s under %s" % (guest, " ".join(way)), not wrong and done.stdout == first.stdout, wrong)
            if "jsonl" in way:
                check = subprocess.run([sys.executable, "tests/golden/validate_jsonl.py", way[-1]], capture_output=True)
                expect("%s: the log of %s fits its schema" % (guest, way[1]), check.returncode in (0, 77),
                       check.stdout.decode()[-300:])
        # n instructions are the same state however they were run
        n = 9000
        part, _ = run(*image, "--max-insns", str(n))
        free = hash_of(image[0], "step %d" % n, args=image[1:])
        expect(guest + ": a limit and steps meet", part["state_hash"] in free, free)
        cut = hash_of(image[0], "step %d" % (n - 300), *["step"] * 200, "step 7", "step 93", args=image[1:])
        expect(guest + ": single steps are a run", cut == free, cut + " / " + free)
        stops = ["crossing 3"] if guest != "ctxsw" else []  # that one stays in ring 0
        end = hash_of(image[0], "step 4000", *["step"] * 50, *stops, "continue", args=image[1:])
        expect(guest + ": stops on the way do not show", plain["state_hash"] in end, end)

    # prices
    flat = (calls, "--load", "0x100000", "--cost")
    base, _ = run(*flat, "teaching,syscall=100")
    for price in (0, 45, 1000):
        other, _ = run(*flat, "teaching,syscall=%d" % price)
        moved = 10 * (price - 100)
        expect("ten SYSCALLs at %d" % price, other["cycles"] - base["cycles"] == moved)
        expect("transition alone moves", {k: v - base["ledger"][k] for k, v in other["ledger"].items() if v != base["ledger"][k]}
               == {"transition": moved}, other["ledger"])
        expect("nothing else moves", all(other[k] == base[k] for k in ("insns", "crossings", "console_hash")))
    other, _ = run(*flat, "teaching,syscall=100,invlpg=999,iret_outer=1,int_inner=1")
    expect("prices of what did not happen", all(other[k] == base[k] for k in SAME))
    for guest in ("int80", "userfault", "ctxsw", "syscall"):
        other, _ = run(os.path.join(BENCH, guest + ".elf"), "--append", "n=20", "--cost", "unit")
        expect("%s: unit prices are a cycle an instruction" % guest, other["cycles"] == other["insns"],
               "%d cycles, %d instructions" % (other["cycles"], other["insns"]))
sys.exit(1 if failures else 0)
