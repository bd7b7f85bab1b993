#!/usr/bin/env python3
"""gen_costs.py - arch/cost/*.{ini,csv} to arch/cost_table.c, which is checked in.

usage: gen_costs.py [--check | --stdout]     (from anywhere; --check fails if the file is stale)

What is decided here, once, for every form and CPU column:
  bad row    forms.csv has no usable figure: placeholder (flag P), blank, latency >= 100, class `system`
  override   first row of overrides.csv for that CPU; for bad rows also the first row of "*"
  default    a bad row without an override takes its class's: the median of the class's usable rows,
             or the row "class:NAME" of overrides.csv if there are none; it is marked as a gap
  event      a form of event_forms.csv is one issue slot
  alias      the decoder's name (Zydis' mnemonic and operand sizes) for a form that forms.csv calls
             differently: one price, two names
  lock       lock_X is X plus the profile's lock_extra; so is XCHG with memory
The formula itself (docs/COSTS.md) needs the profile's keys and is computed by arch/cost.c at load.
"""
import csv
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
COST = ROOT / "arch" / "cost"
TARGET = ROOT / "arch" / "cost_table.c"
COLUMNS = ["skylakeavx512", "icelakeserver", "sapphirerapids", "znver3", "i386"]
SLOT, LOCK, GAP = 1, 2, 4
HASH_BITS = 13


def rows(name):
    lines = (COST / name).read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def hundredths(text):
    """'19.6' -> 1960 exactly."""
    whole, _, frac = text.partition(".")
    return int(whole or 0) * 100 + int((frac + "00")[:2])


class Figures:
    """uops, latency and reciprocal throughput (both in 1/100 cycle) and the flags of one cell."""

    def __init__(self, uops=1, lat=100, rtp=0, load=False, store=False):
        self.uops, self.lat, self.rtp, self.load, self.store = uops, lat, rtp, load, store
        self.marks = 0

    def nominal(self):
        """A price in 1/100 cycle for ranking only: 4 wide, share 0.3, L1 latency 5."""
        wide = (1 if self.uops <= 2 else self.uops) * 25
        late = min(self.lat, 4000) - 100 - (500 if self.load else 0) - max(0, self.rtp - 100)
        return max(self.rtp, wide) + (0 if self.store else 3 * max(0, late) // 10)

    def cell(self):
        """As C: uops, latency (0 for stores: it is no result latency), rtp, marks."""
        lat = 0 if self.store else min(self.lat, 4000)
        assert self.rtp <= 65535 and self.uops <= 255
        return "{%d, %d, %d, %d}" % (self.uops, lat, self.rtp, self.marks | (8 if self.load else 0))


class Overrides:
    def __init__(self):
        self.rows = [(r["microarch"], re.compile(r["form_regex"]), r) for r in rows("overrides.csv")]

    def find(self, column, form, bad):
        for cpu, regex, row in self.rows:
            if cpu == column and regex.search(form):
                return row
        if bad and column != "i386":
            for cpu, regex, row in self.rows:
                if cpu == "*" and regex.search(form):
                    return row
        return None


def usable(row, column):
    """The cell of forms.csv, or None when its figures cannot be used."""
    if column == "i386" or not row[column + "_uops"]:
        return None
    flags = row[column + "_flags"]
    load, store = "L" in flags, "S" in flags
    lat = hundredths(row[column + "_lat"])
    if "P" in flags or row["class"] == "system" or (lat >= 10000 and not store):
        return None
    if lat >= 10000 and int(row[column + "_uops"]) >= 100:
        return None
    return Figures(int(row[column + "_uops"]), lat, hundredths(row[column + "_rtp"]), load, store)


def overridden(figures, row):
    base = figures or Figures()
    if row["latency"]:
        base.lat = hundredths(row["latency"])
    if row["rtp"]:
        base.rtp = hundredths(row["rtp"])
        base.uops = 1  # a throughput that was measured or published has the issue limit in it
    if not figures:
        base.lat = max(base.lat, 100)
    return base


def class_default(forms, overrides, column, klass):
    good = [usable(f, column) for f in forms if f["class"] == klass]
    good = sorted((f for f in good if f), key=lambda f: (f.nominal(), f.uops, f.lat, f.rtp))
    if not good:
        return overridden(None, overrides.find(column, "class:" + klass, True))
    return good[(len(good) - 1) // 2]


def build():
    forms = rows("forms.csv")
    overrides = Overrides()
    events = [(re.compile(r["form_regex"]), r["event"]) for r in rows("event_forms.csv")]
    known = set(re.findall(r"^COST\((\w+)", (ROOT / "arch/cost_events.def").read_text(), re.M))
    for _, event in events:
        assert event in known, "event_forms.csv: no event " + event
    classes = sorted({f["class"] for f in forms})
    names = [f["id"] for f in forms]
    assert len(set(names)) == len(names)
    default = {c: {k: class_default(forms, overrides, c, k) for k in classes} for c in COLUMNS}

    def cell(form, klass, row, column):
        name = form[5:] if form.startswith("lock_") else form
        if re.match("xchg_m", form):
            out = Figures(2, 100, 100)
        elif any(regex.search(form) for regex, _ in events):
            out = Figures()
            out.marks |= SLOT
            return out
        else:
            plain = byname.get(name, row)
            figures = usable(plain, column)
            over = overrides.find(column, name, figures is None)
            if over:
                out = overridden(figures, over)
            elif figures:
                out = figures
            else:
                d = default[column][klass]
                out = Figures(d.uops, d.lat, d.rtp, d.load, d.store)
                out.marks |= GAP
        if form != name or form.startswith("xchg_m"):
            out.marks |= LOCK
        return out

    byname = {f["id"]: f for f in forms}
    table = [(f["id"], f["class"], [cell(f["id"], f["class"], f, c) for c in COLUMNS]) for f in forms]
    # behind the forms: other names for them, then the default of each mnemonic
    taken = set(names)
    for alias, target in aliases(names):
        if alias not in taken:
            taken.add(alias)
            f = byname[target]
            table.append((alias, f["class"], [cell(target, f["class"], f, c) for c in COLUMNS]))
    first = {}
    for f in forms:
        first.setdefault(re.sub("^(lock|rep)_", "", f["id"]).split("_")[0], f)
    extra = [(m, f["class"]) for m, f in first.items() if m not in taken] + [("?", "alu")]
    for mnemonic, klass in extra:
        cells = []
        for c in COLUMNS:
            d = default[c][klass]
            out = Figures(d.uops, d.lat, d.rtp, d.load, d.store)
            out.marks |= GAP
            cells.append(out)
        table.append((mnemonic, klass, cells))
    return classes, table, len(forms)


CONDITIONS = "o no b nb z nz be nbe s ns p np l nl le nle".split()
SIZES = [0, 8, 16, 32, 48, 64, 80, 128, 224, 256, 512, 752, 864, 4096, 4608]


def aliases(names):
    """(the decoder's form id, the row of forms.csv that it is)"""
    for cc in CONDITIONS:
        yield "j%s_i" % cc, "jcc_rel"
        slow = "be" if cc in ("be", "nbe") else "z"
        for size in "16", "32", "64":
            for kind in "r", "m":
                yield ("cmov%s_r%s_%s%s" % (cc, size, kind, size),
                       "cmov%s_r%s_%s%s" % (slow, size, kind, size))
        yield "set%s_r8" % cc, "setz_r8"
        yield "set%s_m8" % cc, "setz_m8"
    for size in "16", "32":
        for kind in "r", "m":
            yield "jmp_%s%s" % (kind, size), "jmp_%s64" % kind
            yield "call_%s%s" % (kind, size), "call_%s64" % kind
            yield "push_%s%s" % (kind, size), "push_%s64" % kind
            yield "pop_%s%s" % (kind, size), "pop_%s64" % kind
    for size in 16, 32, 64:
        for memory in SIZES:
            yield "lea_r%d_m%d" % (size, memory), "lea_r%d_bd" % size
        for kind in "r%d" % size, "m%d" % size:
            yield "nop_" + kind, "nop_m32"
            yield "nop_%s_r%d" % (kind, size), "nop_m32"
    for name in names:
        if name.endswith("_m"):
            for size in SIZES:
                yield "%s%d" % (name, size), name
                yield "%s64_m%d" % (name[:-2], size), name
        if re.match("shl_", name):
            yield "sal" + name[3:], name
        if re.match("(pextr|pinsr|cmps[sd]_x_)", name):
            yield name + "_i", name
    far = {"jmp_far_m": "jmp_m", "call_far_m": "call_m"}
    for target, stem in far.items():
        for size in 48, 80:
            yield "%s%d" % (stem, size), target
        yield stem[:-2] + "_i_i", target
    for size in 16, 32, 64:
        for cr in 0, 2, 3, 4, 8:
            yield "mov_r%d_cr%d" % (size, cr), "mov_r64_cr%d" % cr
            yield "mov_cr%d_r%d" % (cr, size), "mov_cr%d_r64" % (0 if cr == 2 else cr)
        for dr in 0, 1, 2, 3, 4, 5, 6, 7:
            yield "mov_r%d_dr%d" % (size, dr), "mov_r64_dr7"
            yield "mov_dr%d_r%d" % (dr, size), "mov_dr7_r64"
        for kind in "r", "m":
            yield "mov_sr_%s%d" % (kind, size), "mov_ds_r32"
            yield "mov_%s%d_sr" % (kind, size), "mov_r32_sr"
            for name in "str_r32", "sldt_r32", "smsw_r32", "lldt_r16", "ltr_r16", "lmsw_r16", "verr_r16", "verw_r16":
                yield "%s_%s%d" % (name.split("_")[0], kind, size), name
            for name in "lar_r32_r16", "lsl_r32_r16":
                for other in 16, 32, 64:
                    yield "%s_r%d_%s%d" % (name[:3], size, kind, other), name
        for name in "lds", "les", "lfs", "lgs", "lss":
            for memory in 32, 48, 80:
                yield "%s_r%d_m%d" % (name, size, memory), "lfs_r64_m"
        for name in "rdfsbase", "wrfsbase", "rdgsbase", "wrgsbase", "rdpid", "rdrand", "rdseed":
            yield "%s_r%d" % (name, size), name + "_r64"
    yield from {
        "jmp_i": "jmp_rel", "call_i": "call_rel32", "ret_i": "ret_i16", "loop_i": "loop_rel8",
        "loope_i": "loope_rel8", "loopne_i": "loope_rel8", "jrcxz_i": "jrcxz_rel8",
        "jecxz_i": "jrcxz_rel8", "jcxz_i": "jrcxz_rel8", "push_i": "push_i32", "push_sr": "push_fs",
        "pop_sr": "pop_fs", "pushf": "pushfq", "pushfd": "pushfq", "popf": "popfq", "popfd": "popfq",
        "in_r8_i": "in_al_i", "in_r16_i": "in_eax_i", "in_r32_i": "in_eax_i", "in_r8_r16": "in_al_dx",
        "in_r16_r16": "in_eax_dx", "in_r32_r16": "in_eax_dx", "out_i_r8": "out_i_al",
        "out_i_r16": "out_i_al", "out_i_r32": "out_i_al", "out_r16_r8": "out_dx_al",
        "out_r16_r16": "out_dx_eax", "out_r16_r32": "out_dx_eax", "enter_i_i": "enter_0",
        "sysret": "sysretq", "sysexit": "sysexitq", "int1": "int3", "into": "int3", "iret": "iretq",
        "iretd": "iretq", "xlat": "xlatb", "fwait": "wait", "endbr32": "endbr64", "salc": "cbw",
        "invpcid_r32_m128": "invpcid_r64_m128", "fnstsw_r16": "fnstsw_ax", "mov_r64_i64": "mov_r64_i",
        "ud1": "ud2", "movbe_m16_r16": "movbe_m16_r16", "test_r8_m8": "test_m8_r8",
    }.items()


def form_hash(name):
    """The same function as in arch/cost.c."""
    h = 0
    for ch in name.encode():
        h = (h * 31 + ch) & 0xFFFFFFFF
    return ((h * 0x9E3779B1) & 0xFFFFFFFF) >> (32 - HASH_BITS)


def hash_table(table):
    slots = [0] * (1 << HASH_BITS)
    for i, (name, _, _) in enumerate(table):
        at = form_hash(name)
        while slots[at]:
            at = (at + 1) % len(slots)
        slots[at] = i + 1
    return slots


def profiles():
    order = ["teaching", "unit"]
    found = sorted(p.stem for p in COST.glob("*.ini"))
    for name in [n for n in order if n in found] + [n for n in found if n not in order]:
        lines = []
        for line in (COST / (name + ".ini")).read_text().splitlines():
            line = line.split("#", 1)[0].strip()
            if line:
                lines.append(line)
        yield name, lines


def quote(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def render():
    classes, table, nforms = build()
    out = ["/* Generated by tools/gen_costs.py from arch/cost/: do not edit. Figures: arch/cost/forms.csv",
           " * (LLVM 19 scheduling models), overrides.csv; their sources are in docs/COSTS.md. */",
           "/* clang-format off */",
           '#include "arch/cost_table.h"', "",
           "const char *const cost_columns[COST_COLUMNS] = {" + ", ".join(map(quote, COLUMNS)) + "};", "",
           "const char *const cost_classes[] = {" + ", ".join(map(quote, classes)) + "};", "",
           "const unsigned cost_form_count = %d;" % nforms,
           "const unsigned cost_row_count = %d;" % len(table), "",
           "/* uops, latency and reciprocal throughput in 1/100 cycle, marks */",
           "const struct cost_row cost_rows[] = {"]
    for name, klass, cells in table:
        out.append("    {%s, %d, {%s}}," % (quote(name), classes.index(klass),
                                            ", ".join(c.cell() for c in cells)))
    out += ["};", "", "/* open hash over cost_rows: index + 1, 0 = free */",
            "const uint16_t cost_hash[COST_HASH_SIZE] = {"]
    slots = hash_table(table)
    for i in range(0, len(slots), 32):
        out.append("    " + ",".join(map(str, slots[i:i + 32])) + ",")
    out += ["};", "", "const struct cost_builtin cost_builtins[] = {"]
    count = 0
    for name, lines in profiles():
        count += 1
        desc = next(v for k, v in (map(str.strip, ln.split("=", 1)) for ln in lines) if k == "desc")
        out.append("    {%s, %s," % (quote(name), quote(desc)))
        out += ["     " + quote(line)[:-1] + '\\n"' for line in lines]
        out[-1] += "},"
    out += ["};", "const unsigned cost_builtin_count = %d;" % count, "/* clang-format on */", ""]
    return "\n".join(out)


def main():
    text = render()
    if "--stdout" in sys.argv:
        sys.stdout.write(text)
    elif "--check" in sys.argv:
        if not TARGET.exists() or TARGET.read_text() != text:
            sys.exit("arch/cost_table.c is stale: run tools/gen_costs.py")
        print("arch/cost_table.c is up to date")
    else:
        TARGET.write_text(text)


if __name__ == "__main__":
    main()
