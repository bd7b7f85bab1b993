#!/usr/bin/env python3
"""`ringside run --trace check`: every rule that an instruction meets is a line, passed or refused, in the order of
asking: decoding's own checks, each access (TLB hits too), descriptors, ports, registers. Text and JSON Lines
say the same, and the JSON fits docs/events.schema.json. (The lines of all rules: tests/tools/rules_both_ways.py.)"""
# label: quick
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

RINGSIDE, SOURCE = os.environ["RINGSIDE"], pathlib.Path(os.environ["SOURCE_DIR"])
failures = 0
# mov eax,[0x200000] twice; mov [0x200000],eax; push, pop; mov ds,0x10; in al,0x61; mov cr8; rdmsr, wrmsr EFER; cli;
# lidt; far ret to the next instruction: movaps, which CR4.OSFXSR=0 refuses, and so does the IDT its #UD
CODE = bytes.fromhex("8b0425000020008b0425000020008904250000200050598cdaba100000008edae461440f20c0440f22c0b9800000c00f320f30fa0f011c2500002000488d05050000006a085048cb0f28c8")
ASKED = ("INSN_CPL0", "MSR_UNKNOWN", "MSR_READONLY", "EFER_RSVD", "EFER_LME_PG")


def expect(what, truth, told=None):
    global failures
    if not truth:
        failures += 1
        print("not as promised: " + what)
        if told is not None:
            print("  " + "\n  ".join(told[-60:]))


def run(form, *args):
    log = os.path.join(folder, form)
    subprocess.run([RINGSIDE, "run", os.path.join(folder, "code"), "--load", "0x100000", "--trace", "check",
                    "--trace-format", form, "--trace-out", log, *args], capture_output=True, timeout=60, check=False)
    return pathlib.Path(log).read_text().splitlines()


def asked_at(lines, rip):
    """["passed RULE"] of the instruction at this address, fetches left out."""
    at = [line for line in lines if " ring0 0x%x  CHECK " % rip in line and " fetch 0x" not in line]
    return [re.search(r"CHECK (\w+ \w+)", line)[1] for line in at]


with tempfile.TemporaryDirectory() as folder:
    pathlib.Path(folder, "code").write_bytes(CODE)
    text, log = run("text"), run("jsonl")
    events = [json.loads(line) for line in log[1:]]
    data = ["passed CANON_MEM", "passed PG_P", "passed PG_RSVD"]
    expect("a read is judged", asked_at(text, 0x100000) == data, text)
    expect("a read that hits the TLB is judged too", asked_at(text, 0x100007) == data, text)
    expect("a write is", asked_at(text, 0x10000e) == data, text)
    expect("a push is the stack's", asked_at(text, 0x100015)[0] == "passed CANON_STACK", text)
    expect("a segment load asks its rules in order", [r for r in asked_at(text, 0x10001e) if "SEG" in r] ==
           ["passed SEG_TABLE", "passed SEG_TYPE", "passed SEG_DPL", "passed SEG_P"], text)
    expect("a port", asked_at(text, 0x100020) == ["passed IO_IOPL"], text)
    expect("CR8: privilege before value", asked_at(text, 0x100026) == ["passed INSN_CPL0", "passed CR8_RSVD"], text)
    wrmsr = [r.split()[1] for r in asked_at(text, 0x100031)]
    expect("WRMSR: decoding, privilege, MSR, value", [r for r in wrmsr if r in ASKED] == list(ASKED), text)
    expect("CLI by IOPL", asked_at(text, 0x100033) == ["passed INSN_CLI_IOPL"], text)
    expect("LIDT's base", "passed TABLE_CANON" in asked_at(text, 0x100034), text)
    back = [r for r in asked_at(text, 0x100046) if "CS_" in r]
    expect("a far return asks of CS", back == ["passed CS_" + r for r in ("NULL", "TYPE", "LD", "RETURN_RPL",
                                                                           "RETURN_DPL", "P")], text)
    end = [r for r in asked_at(text, 0x100048) if "refused" in r]
    expect("the refusals of the end, in their order", end == ["refused INSN_EM"] + ["refused IDT_LIMIT"] * 3, text)

    told = [tuple(re.search(r"CHECK (\w+) (\w+)", line).groups()) for line in text]
    expect("JSON Lines say the same", told == [(e["verdict"], e["rule"]) for e in events], log)
    expect("an instruction's subject is its address", all(e["subject"] == e["rip"] for e in events
                                                          if e["subject_kind"] == "INSN"), log)
    slow = [re.search(r"CHECK (\w+ \w+)", line)[1] for line in run("text", "--engine", "reference") if " fetch 0x" not in line]
    fast = [" ".join(t) for t, line in zip(told, text) if " fetch 0x" not in line]
    expect("the reference engine asks the same", slow == fast, slow)
    fits = subprocess.run([sys.executable, SOURCE / "tests/golden/validate_jsonl.py", os.path.join(folder, "jsonl")],
                          capture_output=True, text=True, check=False)
    expect("the log fits the schema", fits.returncode in (0, 77), fits.stdout.splitlines())

if failures:
    print("%d failures" % failures)
sys.exit(1 if failures else 0)
