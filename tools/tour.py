#!/usr/bin/env python3
"""tour.py - boot the bundled guest and tell its crossings as a story.

Runs `ringside run IMAGE` with an event log, shows the guest's console as it comes, then reads the log:
each crime with the rule that stopped it, the inputs that decided, the exception and the crossing's
bill; the price of a system call by SYSCALL against INT 0x80; all crossings by kind. Verdicts and
prices are the machine's events; the guest's text gives programs their names and nothing else.
Colour on a terminal only (NO_COLOR obeyed), at most 100 columns.
"""

import argparse
import collections
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import textwrap

WIDTH = 100
GROUPS = "crossing,refused,fault,syscall,io"
COM1 = 0x3F8
USER_HALF = 1 << 47


# ---- text ------------------------------------------------------------------------------------------

class Style:
    """Colours for a terminal, nothing elsewhere."""

    CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "cyan": "36"}

    def __init__(self, stream):
        self.on = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def __call__(self, name, text):
        return f"\x1b[{self.CODES[name]}m{text}\x1b[0m" if self.on else str(text)


def number(value):
    """12345 as 12,345; cycles keep their fraction."""
    return f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"


def clip(text, width):
    return text if len(text) <= width else text[:width - 1] + "…"


def field(style, label, text):
    """A labelled paragraph, wrapped and indented."""
    lines = textwrap.wrap(text, WIDTH - 12, break_long_words=False) or [""]
    print("   " + style("dim", f"{label:<8}") + lines[0])
    for line in lines[1:]:
        print(" " * 11 + line)


def heading(style, text):
    print()
    print(style("bold", text))
    print(style("dim", "─" * min(WIDTH, len(text))))


# ---- the guest's programs ---------------------------------------------------------------------------

def elf_symbols(path):
    """{name: address} of an ELF64 file's functions and labels."""
    data = path.read_bytes()
    if data[:5] != b"\x7fELF\x02":
        return {}
    shoff, = struct.unpack_from("<Q", data, 0x28)
    shentsize, shnum = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, shoff + i * shentsize) for i in range(shnum)]
    names = {}
    for section in sections:
        if section[1] != 2:  # SHT_SYMTAB
            continue
        strings = sections[section[6]][4]
        for at in range(section[4], section[4] + section[5], 24):
            name, _, _, index, value, _ = struct.unpack_from("<IBBHQQ", data, at)
            if index:
                end = data.index(b"\0", strings + name)
                names[data[strings + name:end].decode("utf-8", "replace")] = value
    return names


def read_crimes(folder):
    """{program: address of its label crime_NAME}."""
    crimes = {}
    for path in sorted(folder.glob("crimes/*")) if folder else []:
        address = elf_symbols(path).get("crime_" + path.name)
        if address is not None:
            crimes[path.name] = address
    return crimes


# ---- the log ----------------------------------------------------------------------------------------

def as_int(value):
    if value is None:
        return 0
    return value if isinstance(value, int) else int(value, 16)


class Log:
    """The events that the tour tells of, and how they hang together."""

    def __init__(self, lines):
        self.bills = collections.defaultdict(list)  # seq of CROSS or RETURN: its items
        self.stays = {}  # seq of an inward CROSS: its RETURN
        self.crosses = []
        self.faults = []  # (FAULT, CHECK or None, CROSS or None, what the console last said)
        self.calls = []  # (SYSCALL, its CROSS)
        self.console = ""
        self._refused = self._raised = self._call = None
        for line in lines:
            event = json.loads(line)
            handler = getattr(self, "_on_" + event.get("kind", "").lower(), None)
            if handler:
                handler(event)

    def _on_io(self, event):
        if as_int(event["port"]) == COM1 and event["write"]:
            byte = as_int(event["value"]) & 0xFF
            if byte == 10 or 32 <= byte < 127:
                self.console += chr(byte)

    def _on_check(self, event):
        self._refused = event

    def _on_fault(self, event):
        check = self._refused
        if check and (check["rip"] != event["rip"] or check["cpl"] != event["cpl"]):
            check = None
        self._refused = None
        self._raised = [event, check, None, self.console]
        self.faults.append(self._raised)

    def _on_cross(self, event):
        self.crosses.append(event)
        if self._call and event["inward"]:
            if event["how"] == self._call["how"]:
                self.calls.append((self._call, event))
            self._call = None
        if self._raised and event["inward"] and event["number"] == self._raised[0]["vector"]:
            self._raised[2] = event
        self._raised = None

    def _on_bill(self, event):
        self.bills[event["head"]].append(event)

    def _on_return(self, event):
        self.stays[event["head"]] = event

    def _on_syscall(self, event):
        self._call = event

    def bill(self, seq):
        """'kernel 310 (84 instructions) + transition 40 + ...' of a CROSS or RETURN."""
        parts = []
        for item in sorted(self.bills[seq], key=lambda i: -i["ticks"]):
            count = item["count"]
            unit = {"walk": ("TLB miss", "TLB misses"), "kernel": ("instruction", "instructions"),
                    "user": ("instruction", "instructions")}.get(item["category"])
            suffix = f" ({number(count)} {unit[count != 1]})" if count and unit else ""
            parts.append(f"{item['category']} {number(item['cycles'])}{suffix}")
        return " + ".join(parts)


# ---- crimes ------------------------------------------------------------------------------------------

def fault_words(fault):
    """'#PF, vector 14, error code 0x5 (read of a present page by ring 3)'."""
    text = f"{fault['fault']}, vector {fault['vector']}"
    if fault.get("error") is None:
        return text + ", no error code"
    code = as_int(fault["error"])
    text += f", error code {code:#x}"
    if fault["vector"] == 14:
        kind = "fetch" if code & 16 else "write" if code & 2 else "read"
        page = "present" if code & 1 else "not present"
        text += f" ({kind} by ring {3 if code & 4 else 0}, page {page}), CR2 {fault['cr2']}"
    return text


def inputs_words(check):
    """What decided, in the words of the manual."""
    if check["rule"].startswith("PG_"):
        if check["status"] == 1:
            entry = "P=0"
        elif check["status"] == 2:
            entry = "a reserved bit is set"
        else:
            entry = f"U/S={int(check['user'])} R/W={int(check['write'])} XD={int(check['nx'])}"
        level = {1: "PT", 2: "PD", 3: "PDPT", 4: "PML4", 5: "PML5"}.get(check["level"])
        where = f" in the {level} entry" if level else " along the path"
        mode = "user" if check["user_mode"] else "supervisor"
        asked = {"PG_WR_SUP": "wp", "PG_SMEP": "smep", "PG_SMAP": "smap", "PG_NX": "nxe"}.get(check["rule"])
        control = f", {asked.upper()}={int(check[asked])}" if asked else ""
        return f"{check['access']} of {check['subject']}, {entry}{where}{control}, {mode} mode, CPL {check['cpl']}"
    subject, in1, in2 = check["subject"], as_int(check["in1"]), as_int(check["in2"])
    kind = check.get("subject_kind", "")
    if kind == "PORT":
        return f"port {subject}, {in1 >> 16 & 0xff} byte, CPL {in1 & 0xff}, IOPL {in1 >> 8 & 0xff}"
    if check["rule"] == "INSN_CLI_IOPL":
        return f"CPL {in1}, IOPL {in2}"
    if check["rule"].startswith("CANON"):
        return f"address {subject}, CPL {check['cpl']}"
    if check["rule"] == "INSN_UNDEFINED":
        return f"no CPL would have helped (here {check['cpl']})"
    if kind == "INSN":
        return f"CPL {check['cpl']}"
    return f"{kind.lower()} {subject}, inputs {check['in1']} and {check['in2']}, CPL {check['cpl']}"


def culprit(console, crimes, fault):
    """Which program: the last one to announce itself, if its label is where (or just before) it happened."""
    at = console.rfind("crime: ")
    name = console[at + 7:].split("\n")[0].strip() if at >= 0 else ""
    if name not in crimes:
        return None, None
    rip, label = as_int(fault["rip"]), crimes[name]
    if label <= rip < label + 64:
        return name, f"crime_{name}" + (f"+{rip - label:#x}" if rip != label else "")
    if rip == as_int(fault.get("cr2")):
        return name, f"where crime_{name} had jumped"
    return None, None


def tell_crime(style, log, rules, index, told):
    """One crime. `told` = (name, place, fault, check, cross)."""
    name, place, fault, check, cross = told
    print()
    print(f"{index:>2} " + style("bold", f"{name:<15}") + " at " + style("cyan", fault["rip"]) + f" <{place}>")
    if check:
        rule = rules.get(check["rule"], {})
        statement = rule.get("statement", "")
        print("   " + style("dim", "refused ") + style("red", check["rule"]) + "  " +
              clip(statement, WIDTH - 13 - len(check["rule"])))
        field(style, "because", inputs_words(check))
        field(style, "manual", check["manual"])
    else:
        field(style, "refused", "by no protection rule: the operation itself has no result")
    field(style, "raised", fault_words(fault))
    if not cross:
        return
    target = f"{cross['to']}" + (f" <{cross['to_symbol']}>" if cross.get("to_symbol") else "")
    field(style, "crossed", f"ring {cross['from_cpl']} to ring {cross['to_cpl']}, {target}")
    field(style, "bill", f"{number(cross['cost_cycles'])} cycles on the way in = {log.bill(cross['seq'])}")
    stay = log.stays.get(cross["seq"])
    if stay:
        field(style, "", f"{number(stay['cycles'])} cycles until ring {cross['from_cpl']} went on = "
                         f"{log.bill(stay['seq'])}")


def tell_crimes(style, log, rules, crimes):
    """Every refused program. Returns whether each crime in the image was stopped once."""
    told, others = [], []
    for fault, check, cross, console in log.faults:
        if fault["cpl"] != 3 or fault.get("class") == "software":
            continue
        name, place = culprit(console, crimes, fault)
        if name:
            told.append((name, place, fault, check, cross))
        else:
            others.append(fault)
    heading(style, f"{len(told)} crimes, each stopped by the machine")
    for index, crime in enumerate(told, 1):
        tell_crime(style, log, rules, index, crime)
    for fault in others:
        print(f"\n   {style('yellow', 'also')}     ring 3 at {fault['rip']}: {fault_words(fault)}")
    missing = sorted(set(crimes) - {crime[0] for crime in told})
    if missing:
        print("\n" + style("red", f"not stopped: {', '.join(missing)}"))
    inside = [f for f, _, _, _ in log.faults if f["cpl"] == 0]
    if inside:
        print(f"\n   Besides, ring 0 raised {len(inside)} exceptions itself: the kernel copying through bad pointers.")
    return not missing


# ---- prices ------------------------------------------------------------------------------------------

def calls_by_door(log):
    """{system call: {door: [(cycles, RETURN, CROSS)]}} of calls that returned."""
    doors = collections.defaultdict(lambda: collections.defaultdict(list))
    for call, cross in log.calls:
        stay = log.stays.get(cross["seq"])
        if stay:
            doors[call["number"]][cross["how"]].append((stay["cycles"], stay, cross))
    return doors


def tell_prices(style, log):
    doors = {n: d for n, d in calls_by_door(log).items() if len(d) == 2}
    if not doors:
        return
    call = max(doors, key=lambda n: min(len(calls) for calls in doors[n].values()))
    name = {39: "getpid"}.get(call, f"system call {call}")
    heading(style, f"What {name} costs through each door, in cycles")
    print(style("dim", f"   {'door':<10}{'calls':>7}{'least':>9}{'middle':>9}  the cheapest one's bill, there and back"))
    least = {}
    for how, calls in sorted(doors[call].items(), key=lambda item: min(c[0] for c in item[1])):
        cycles = [c[0] for c in calls]
        cheapest = min(calls, key=lambda c: c[0])
        least[how] = cheapest[0]
        title = {"syscall": "SYSCALL", "int": "INT 0x80"}[how]
        bill = textwrap.wrap(f"{log.bill(cheapest[1]['seq'])}; of which on the way in "
                             f"{number(cheapest[2]['cost_cycles'])} = {log.bill(cheapest[2]['seq'])}", WIDTH - 40)
        print(f"   {style('bold', f'{title:<10}')}{len(calls):>7}{number(min(cycles)):>9}"
              f"{number(statistics.median(cycles)):>9}  {bill[0]}")
        for line in bill[1:]:
            print(" " * 40 + line)
    print(f"   INT 0x80 is {least['int'] / least['syscall']:.2f} times as dear as SYSCALL.")


def tell_crossings(style, log):
    kinds = collections.defaultdict(lambda: [0, 0.0, 0, 0.0])
    for cross in log.crosses:
        if not cross["inward"]:
            continue
        how = cross["how"]
        if how in ("exception", "irq", "nmi", "int"):
            how = f"{how}, vector {cross['number']}"
        row = kinds[how]
        row[0] += 1
        row[1] += cross["cost_cycles"]
        stay = log.stays.get(cross["seq"])
        if stay:
            row[2] += stay["insns"]
            row[3] += stay["cycles"]
    heading(style, "Every way into ring 0")
    print(style("dim", f"   {'how':<24}{'times':>8}{'each way in':>14}{'instructions inside':>22}{'cycles inside':>18}"))
    for how, (count, cost, insns, cycles) in sorted(kinds.items(), key=lambda item: -item[1][0]):
        print(f"   {how:<24}{count:>8,}{number(round(cost / count, 1)):>14}{insns:>22,}{number(round(cycles)):>18}")


# ---- running -----------------------------------------------------------------------------------------

def run_guest(style, command):
    """Run ringside, its guest's console between rules. Returns its exit status."""
    heading(style, "The guest's console")
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        for line in process.stdout:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            print(style("dim", "│ ") + clip(text, WIDTH - 2), flush=True)
    return process.returncode


def load_rules(ringside):
    """{rule id: its row} from `ringside rules --json`; empty if that fails."""
    result = subprocess.run([ringside, "rules", "--json"], stdout=subprocess.PIPE, check=False)
    try:
        rows = json.loads(result.stdout)
    except ValueError:
        return {}
    rows = rows.get("rules", []) if isinstance(rows, dict) else rows
    return {row.get("id") or row.get("name"): row for row in rows}


def tell(style, log_path, rules, crimes):
    with open(log_path, encoding="utf-8") as lines:
        log = Log(lines)
    complete = tell_crimes(style, log, rules, crimes)
    tell_prices(style, log)
    tell_crossings(style, log)
    return complete


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ringside", default="build/release/ringside")
    parser.add_argument("--image", default="build/release/guestos/ringside-guest.elf")
    parser.add_argument("--programs", type=pathlib.Path, help="folder of the guest's programs with symbols")
    parser.add_argument("--log", help="keep the event log here; with --replay, read it instead of running")
    parser.add_argument("--replay", action="store_true")
    parser.add_argument("extra", nargs="*", help="options for ringside, after --")
    args = parser.parse_args()
    style = Style(sys.stdout)
    crimes = read_crimes(args.programs or pathlib.Path(args.image).parent / "user")

    with tempfile.TemporaryDirectory() as folder:
        log_path = args.log or os.path.join(folder, "tour.jsonl")
        status = 0
        if not args.replay:
            status = run_guest(style, [args.ringside, "run", args.image, "--trace", GROUPS, "--trace-format", "jsonl",
                                       "--trace-out", log_path, "--pace", "off", *args.extra])
        complete = tell(style, log_path, load_rules(args.ringside), crimes)
    return status or (0 if complete else 1)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(12)
