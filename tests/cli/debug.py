#!/usr/bin/env python3
# label: quick
"""`ringside debug` from scripts: each command on a small program, and the guest image's crossings."""
import os
import subprocess
import sys
import tempfile

RINGSIDE = os.environ["RINGSIDE"]
GUEST = os.environ.get("GUEST", "")
failures = 0

# xor eax,eax; 1: add rax,3; inc ecx; cmp ecx,5; jne 1b; mov [0xffffffffff],al ... not present: #PF, triple fault
CODE = bytes.fromhex("31c04883c003ffc183f90575f5a2ffffffffff000000ebfe")


def session(*lines, image=None, args=("--load", "0x100000")):
    path = image or os.path.join(folder, "code.bin")
    script = os.path.join(folder, "script")
    with open(script, "w") as f:
        f.write("\n".join(lines) + "\n")
    return subprocess.run([RINGSIDE, "debug", path, *args, "--script", script], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=120)


def expect(what, run, code, *words):
    global failures
    out = run.stdout.decode(errors="replace")
    missing = [word for word in words if word not in out]
    if run.returncode != code or missing:
        failures += 1
        print("not as promised: %s: status %d, missing %s\n%s\n%s" % (what, run.returncode, missing, out[-1500:], run.stderr.decode()))


with tempfile.TemporaryDirectory() as folder:
    with open(os.path.join(folder, "code.bin"), "wb") as f:
        f.write(CODE)
    expect("step and regs", session("step", "step 4", "regs"), 0, "add rax, 0x03", "rax 0000000000000003", "cpl 0")
    expect("break", session("break 0x100008", "break", "continue", "continue", "delete 0x100008", "break"), 0,
           "breakpoint at 0x100008", "stopped: breakpoint", "no breakpoints")
    expect("memory", session("mem 0x100000 16", "phys 0x100000", "x/i 0x100000 3", "mem rip 4"), 0, "31 c0 48 83",
           "xor eax, eax", "=> 0x100000", "inc ecx")
    expect("walk", session("walk 0x100000", "walk 0x100000 w 3", "walk 0x8000000000000000"), 0, "level 4 PML4", "PG_US",
           "CANON_MEM")
    expect("refusal and why", session("refusal", "why", "events 3"), 0, "PG_P", "manual: SDM 3A", "#PF", "caused further refusals")
    expect("crossing to the end", session("crossing", "hash", "ledger"), 0, "triple-fault", "at instruction 21", "cycles")
    expect("rule, symbol, help", session("rule PG_NX", "symbol 0x5", "help", "help walk"), 0, "PG_NX refuses", "hangs on the features: nx", "seen to refuse by tests/cpu/", "0x5", "walk, w")
    expect("a guest that has ended stays ended", session("crossing", "step", "regs"), 1, "the guest has ended (triple-fault)",
           "cpl 0")
    expect("an NMI", session("step", "nmi", "refusal"), 0, "IDT_LIMIT", "vector")
    expect("a machine check", session("mce", "step"), 0, "triple-fault: #MC with CR4.MCE=0")
    expect("quit leaves", session("quit", "bogus"), 0)
    for line in ("bogus", "mem", "mem nowhere", "mem 0x4000000000", "walk 0 q", "walk 0 r 9", "step zero", "delete 5",
                 "rule NO_SUCH", "why", "regs some", "break nowhere", "phys 0xa0000"):
        run = session(line, "hash")
        expect("an error is one line: " + line, run, 1, "error: ", "at instruction 0")
    same = [session("step 10", "hash").stdout.splitlines()[-1],
            session(*["step"] * 10, "hash").stdout.splitlines()[-1],
            session("break 0x999999", "step 4", "step 6", "hash").stdout.splitlines()[-1]]
    if len(set(same)) != 1:
        failures += 1
        print("stepping changed the state: %s" % same)
    run = subprocess.run([RINGSIDE, "debug", os.path.join(folder, "code.bin"), "--load", "0x100000"], input=b"step\nquit\n",
                         capture_output=True, timeout=60)
    expect("commands from stdin", run, 0, "add rax")
    run = subprocess.run([RINGSIDE, "debug", os.path.join(folder, "code.bin"), "--load", "0x100000", "--script", "/nonexistent"],
                         stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
    expect("no such script", run, 3)
    if os.path.exists(GUEST):
        expect("the guest image", session("break kmain", "continue", "delete kmain", "crossing", "crossing 3", "refusal", "why",
                                          "ledger", "x/i rip 2", image=GUEST, args=()),
               0, "<kmain>", "ring0→ring3", "CHECK refused", "manual: ", "syscall")
sys.exit(1 if failures else 0)
