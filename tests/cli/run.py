#!/usr/bin/env python3
"""`ringside run`: exit statuses, the stop line, --result, limits, input, options. Flat programs only."""
import json
import os
import subprocess
import sys
import tempfile

RINGSIDE = os.environ["RINGSIDE"]
failures = 0

EXIT_0 = bytes.fromhex("31c0e6f4ebfe")  # xor eax,eax; out 0xf4,al; jmp .
EXIT_7 = bytes.fromhex("b007e6f4ebfe")
HELLO = bytes.fromhex("66baf803b068eeb069eeb00aee31c0e6f4ebfe")  # "hi\n" on COM1, exit 0
LOOP = bytes.fromhex("ffc0ebfc")
DEAD = bytes.fromhex("faf4ebfd")  # cli; hlt
TRIPLE = bytes.fromhex("0f0b")
RESET = bytes.fromhex("b0fee664ebfe")
AVX = bytes.fromhex("c5f458d0")
TOUCH = bytes.fromhex("bf00004000c607014881c700100000ebf4")
ECHO = bytes.fromhex("66bafd03eca80174fb66baf803eceee6f4ebfe")  # wait for a byte, send it back, exit with it


def expect(what, truth, run=None):
    global failures
    if truth:
        return
    failures += 1
    print("not as promised: " + what)
    if run is not None:
        print("  status %d\n  stdout %r\n  stderr %s" % (run.returncode, run.stdout[-300:], run.stderr.decode()[-600:]))


def ringside(*args, stdin=b""):
    return subprocess.run([RINGSIDE, *args], input=stdin, capture_output=True, timeout=120)


def flat(code, *args, stdin=b""):
    path = os.path.join(folder, "code.bin")
    with open(path, "wb") as f:
        f.write(code)
    return ringside("run", path, "--load", "0x100000", *args, stdin=stdin)


def last(run):
    return run.stderr.decode().rstrip("\n").split("\n")[-1]


def status(what, code, want, line, *args):
    run = flat(code, *args)
    expect("%s: status %d" % (what, want), run.returncode == want, run)
    expect("%s: last line %r" % (what, line), line in last(run) and last(run).startswith("ringside: stopped: "), run)
    return run


with tempfile.TemporaryDirectory() as folder:
    run = status("success", EXIT_0, 0, "guest exit 0 after 2 instructions, ")
    run = status("failure", EXIT_7, 1, "guest exit 7 after 2 instructions, ")
    run = status("triple fault", TRIPLE, 4, "triple fault after 0 instructions")
    expect("the chain of causes is told", b"#UD" in run.stderr and b"double fault" in run.stderr, run)
    status("instruction limit", LOOP, 5, "insn limit after 1,234,567 instructions", "--max-insns", "1234567")
    run = status("cycle limit", LOOP, 5, "cycle limit after", "--max-cycles=1_000_000", "--cost", "unit")
    expect("unit prices: a cycle an instruction", "1,000,000 instructions, 1,000,000 cycles" in last(run), run)
    status("wall limit", LOOP, 6, "wall limit", "--max-wall", "1")
    status("dead halt", DEAD, 7, "dead halt after 2 instructions")
    run = status("gap", AVX, 10, "emulator gap", "--cpu", "x86-64-v3,+avx,+xsave")
    expect("the gap is named", b"vaddps" in run.stderr, run)
    status("reset", RESET, 0, "guest reset")
    status("reset again and again", RESET, 5, "insn limit", "--on-reset", "reboot", "--max-insns", "100")
    status("a triple fault as reset", TRIPLE, 0, "guest reset", "--on-triple-fault", "reset")
    status("RAM budget", TOUCH, 12, "host error", "--ram-budget", "1M")
    status("log limit", LOOP, 5, "log limit", "--trace", "insn", "--trace-out", os.devnull, "--max-log", "10K")
    expect("qemu's exit status", flat(EXIT_7, "--exit-compat", "qemu").returncode == 15)
    expect("qemu's other statuses", flat(DEAD, "--exit-compat", "qemu").returncode == 64 + 7)
    sector, rom = os.path.join(folder, "boot.bin"), os.path.join(folder, "rom.bin")
    with open(sector, "wb") as f:
        f.write((b"\x88\xd0\xe6\xf4\xeb\xfe" + bytes(504)) + b"\x55\xaa")  # mov al,dl; out 0xf4,al; jmp .
    with open(rom, "wb") as f:
        f.write(bytes(4080) + b"\xea\x00\x05\x00\x00" + bytes(11))  # jmp 0:0x500
    run = ringside("run", sector)
    expect("a boot sector starts in real mode with DL=0x80", "guest exit 128 after 2 instructions" in last(run), run)
    run = ringside("run", sector, "--load", "0x20000", "--entry", "0x20002", "--flat-mode", "16")
    expect("flat in real mode", "guest exit 0 after 1 instructions" in last(run), run)
    run = ringside("run", "--bios", rom, sector, "--load", "0x500")
    expect("a ROM finds an image in RAM", "after 3 instructions" in last(run), run)
    run = ringside("run", "--bios", rom, "--max-insns", "9")
    expect("a ROM needs no image", "insn limit after 9 instructions" in last(run), run)
    run = ringside("run", "--bios", rom, sector)
    expect("beside a ROM an image needs --load", run.returncode == 2 and b"--load ADDR" in run.stderr, run)
    run = ringside("run", "--bios", sector)
    expect("what is no ROM cannot be loaded", run.returncode == 3 and b"boot.bin: a ROM has" in run.stderr, run)
    expect("no log, no console: stdout is empty", flat(EXIT_0).stdout == b"")
    expect("the console is stdout", flat(HELLO).stdout == b"hi\n")
    expect("--serial null", flat(HELLO, "--serial", "null").stdout == b"")
    path = os.path.join(folder, "serial.txt")
    flat(HELLO, "--serial", "file:" + path)
    expect("--serial file:", open(path, "rb").read() == b"hi\n")
    run = flat(HELLO, "--serial", "file:/dev/full")
    expect("a full disk is 12", run.returncode == 12 and "host error" in last(run), run)
    run = flat(bytes.fromhex("66baf803b068eeebfb"), "--max-wall", "20", "--trace", "insn", "--trace-out", "/dev/full")
    expect("a log that cannot be written is 12", run.returncode == 12, run)

    # results
    path = os.path.join(folder, "result.json")
    flat(EXIT_7, "--result", path)
    result = json.load(open(path))
    expect("result keys", set(result) >= {"schema", "version", "stop", "insns", "cycles", "state_hash", "console_hash",
                                          "crossings", "ledger", "versions"})
    expect("result schema", result["schema"] == "ringside-result")
    expect("stop keys", set(result["stop"]) >= {"reason", "status", "guest_value", "rip", "cpl", "vector", "error_code", "rule"})
    expect("stop values", result["stop"]["reason"] == "guest-exit" and result["stop"]["guest_value"] == 7
           and result["stop"]["status"] == 1 and result["stop"]["vector"] is None)
    first = result["state_hash"]
    for args in (["--engine", "reference"], ["--block-cap", "1"], ["--trace", "all", "--trace-out", os.devnull]):
        flat(EXIT_7, "--result", path, *args)
        expect("same hash under " + " ".join(args), json.load(open(path))["state_hash"] == first)
    flat(TRIPLE, "--result", path)
    stop = json.load(open(path))["stop"]
    expect("a triple fault's reason", stop["reason"] == "triple-fault" and stop["vector"] is not None, None)

    # input
    run = flat(ECHO, stdin=b"A")
    expect("stdin reaches COM1", run.stdout == b"A" and run.returncode == 1, run)
    path = os.path.join(folder, "input.txt")
    with open(path, "w") as f:
        f.write("# comment\n5000 \\x42rest\\n\n")
    runs = [flat(ECHO, "--input", path) for _ in range(2)]
    expect("--input at its cycle", runs[0].stdout == b"B" and last(runs[0]) == last(runs[1]), runs[0])
    with open(path, "w") as f:
        f.write("soon x\n")
    run = flat(ECHO, "--input", path)
    expect("a bad --input line is named", run.returncode == 3 and b"line 1" in run.stderr, run)

    # logs
    run = flat(TRIPLE, "--trace", "check,fault", "--trace-format", "jsonl", "--trace-out", "-")
    lines = run.stdout.decode().splitlines()
    expect("JSON Lines", json.loads(lines[0])["schema"] == "ringside-events" and len(lines) > 3, run)
    expect("every line is JSON", all(isinstance(json.loads(line), dict) for line in lines))
    run = flat(TRIPLE, "--trace", "refused")
    expect("text log on stderr", b"CHECK refused INSN_UNDEFINED" in run.stderr, run)
    run = flat(LOOP, "--trace", "insn", "--trace-from", "insn:100", "--trace-to", "insn:110", "--trace-out", "-", "--max-insns", "500")
    expect("--trace-from and --trace-to", len(run.stdout.splitlines()) == 10, run)
    run = flat(EXIT_0, "--ledger")
    expect("--ledger", b"ledger: " in run.stderr and b"kernel" in run.stderr, run)

    # usage
    for args, want, words in (
        (["run"], 2, "no IMAGE"), (["run", "a", "b"], 2, "'b'"), ([], 2, "usage"), (["rnu", "x"], 2, "did you mean run"),
        (["run", "--memm", "1M", "x"], 2, "did you mean --mem"), (["run", "--mem"], 2, "needs a value"),
        (["run", "--mem", "lots", "x"], 2, "expected SIZE"), (["run", "--ledger=1", "x"], 2, "takes no value"),
        (["run", "-x", "x"], 2, "-h helps"), (["run", "--trace", "nonsense", "x"], 2, "nonsense"),
        (["run", "--engine", "warp", "x"], 2, "fast|reference"), (["rules", "--mem", "1M"], 2, "unknown option"),
        (["run", "--gdb", "1234", "x"], 10, "not there yet"), (["run", "--smp", "2", "x"], 10, "not there yet"),
        (["run", "--trace-format", "bin", "x"], 10, "not there yet"), (["view", "x"], 10, "not there yet"),
        (["run", "/nonexistent"], 3, "No such file"), (["/nonexistent"], 3, "No such file"),
        (["run", "--cpu", "8086", "x"], 2, "8086"), (["run", "--cost", "free", "x"], 2, "free"),
        (["rules", "NO_SUCH"], 2, "NO_SUCH"),
    ):
        run = ringside(*args)
        err = run.stderr.decode()
        expect("%s: %d, %r" % (" ".join(args), want, words), run.returncode == want and words in err, run)
        expect("%s: one line" % " ".join(args), not args or err.count("\n") == 1, run)
    for args in (["-h"], ["--help"], ["run", "-h"], ["run", "--help"], ["debug", "--help"], ["version", "--verbose"], ["--version"],
                 ["rules"], ["rules", "PG_US"], ["events"], ["events", "CHECK"], ["cpus"], ["cpus", "x86-64-v3"], ["cpus", "--gaps"],
                 ["cpus", "--cost-gaps"], ["cpus", "--cost-gaps", "--cost", "skylake"]):
        run = ringside(*args)
        expect(" ".join(args), run.returncode == 0 and run.stdout and not run.stderr, run)
    for args in (["rules", "--json"], ["events", "--json"], ["cpus", "--json"]):
        expect(" ".join(args), len(json.loads(ringside(*args).stdout)) > 0)
    path = os.path.join(folder, "--odd")
    with open(path, "wb") as f:
        f.write(EXIT_0)
    run = subprocess.run([RINGSIDE, "run", "--load", "0x200000", "--", "--odd"], cwd=folder, stdin=subprocess.DEVNULL, capture_output=True)
    expect("-- ends options", run.returncode == 0, run)
sys.exit(1 if failures else 0)
