#!/usr/bin/env python3
"""test_chain.py - hot handlers jump, they do not call.

Where handlers chain (RS_CHAIN, optimised gcc or clang), a hot handler ends by jumping to the next
one. A tail jump that the compiler could not make grows the host's stack by one frame per guest
instruction; a slow path inlined into a handler makes it save registers on every instruction. So this
test disassembles them in the finished program:
  - no hot handler calls through a pointer, or calls another handler
  - straight-line ones (moves, arithmetic, flags, stack) neither call nor have a stack frame, and
    never return; those that leave a block may, where the run must end or the next block be looked up
Plain handlers (OP in cpu/op.h) may call; they end in a jump all the same.
"""

import os
import pathlib
import re
import subprocess
import sys

SKIPPED = 77
OPS = "add|or|adc|sbb|and|sub|xor|cmp|test|mov|movzx|movsx"
HOT = re.compile("|".join((
    rf"^({OPS})(_(rr|ri|rm_b|rm_x|mr_b|mr_x|mi_b|mi_x))(_\d+)+$",  # two operands, every shape but g
    r"^(inc|dec|not|neg)_(r|m_b|m_x)_\d+$",
    r"^(add|sub|and|cmp|test)_(rr|ri)_\d+_[a-z]+$",  # fused with the Jcc after it
    r"^lea_[bx]_(32|64)$", r"^cmov_\d+_(32|64)$", r"^jcc_(same|any)_\d+$",
    r"^op_(push_r|push_i|pop_r)_64$", r"^op_imul_r[ri]_(32|64)$", r"^op_set\w+_r8$",
    r"^op_(shl|shr|sar)_r(32|64)_(1|i|cl)$", r"^op_(rol|ror)_r(32|64)_i$",
    r"^op_(jmp_same|call_same|call_64|ret_64|jmp_r_64|call_r_64|jmp_mb_64|jmp_mx_64|jmp_far_page)$")))
LEAVES_BLOCK = re.compile(r"^jcc_|^op_(jmp|call|ret)_|_(e|ne|b|ae|be|a|s|ns|l|ge|le|g)$")
HANDLER = re.compile(r"<(op_(?!finish)\w+|jcc_\w+|chain_next|chain_link)[.>+]")
# at least so many of the stamped-out handlers must have been found, or the pattern has gone stale
FEWEST = 400
LINKED = re.compile(r"\.(lto_priv|isra|constprop)(\.\d+)?")  # what link-time optimisation adds to names
FUNCTION = re.compile(r"^[0-9a-f]+ <([^>]+)>:$")
INSTRUCTION = re.compile(r"^\s+[0-9a-f]+:\s+(?:[0-9a-f]{2} )*\s*(\S+)(.*)$")


def disassembled(path):
    """Yield (function, [(mnemonic, operands)])."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)],
                          capture_output=True, text=True, check=True).stdout
    name, body = None, []
    for line in text.splitlines():
        start = FUNCTION.match(line)
        if start:
            if name:
                yield name, body
            name, body = start.group(1), []
            continue
        match = INSTRUCTION.match(line)
        if match and name:
            body.append((match.group(1), match.group(2).strip()))
    if name:
        yield name, body


def faults_of(name, body):
    """What is wrong with a hot handler, as words."""
    calls = [o for m, o in body if m.startswith("call")]
    words = []
    if any(o.startswith("*") for o in calls):
        words.append("calls through a pointer")
    if any(HANDLER.search(o) for o in calls):
        words.append("calls another handler")
    if not any(m.startswith("jmp") for m, _ in body):
        words.append("never jumps")
    if LEAVES_BLOCK.match(name):
        return words
    if calls and not words:
        words.append(f"calls {', '.join(sorted({o.split()[-1] for o in calls}))}")
    if any(m.startswith("ret") or m == "repz" for m, _ in body):
        words.append("returns instead of jumping on")
    if any(m.startswith("sub") and o.endswith(",%rsp") for m, o in body):
        words.append("has a stack frame")
    return words


def main():
    build = pathlib.Path(os.environ.get("BUILD_DIR", "build/release"))
    cache = build / "CMakeCache.txt"
    if "RS_CHAIN:BOOL=ON" not in cache.read_text() or "sanitize" in cache.read_text():
        print("skipped: handlers do not chain in this build")
        return SKIPPED
    hot, wrong = 0, []
    for name, body in disassembled(build / "ringside"):
        short = LINKED.sub("", name)
        if HOT.match(short):
            hot += 1
            wrong += [f"{short} {words}" for words in faults_of(short, body)]
    print("\n".join(wrong))
    print(f"{hot} hot handlers, {len(wrong)} offences")
    if hot < FEWEST:
        print(f"fewer than {FEWEST} found: has the pattern gone stale?")
    return 1 if wrong or hot < FEWEST else 0


if __name__ == "__main__":
    sys.exit(main())
