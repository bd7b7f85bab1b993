#!/bin/sh
# qemu_boot.sh [IMAGE] - boots the bundled guest under QEMU (TCG) and judges it from outside: by QEMU's
# exit status, and by the last lines on the console. That it runs here shows that the guest, and not a
# habit of Ringside's, is right. Status 77 means that there is no QEMU.
set -eu

image=${1:-build/release/guestos/ringside-guest.elf}
success=1   # QEMU's isa-debug-exit turns the guest's value v into (v << 1) | 1
panicked=253 # ABI_EXIT_PANIC is 0x7e
output=$(mktemp)
trap 'rm -f "$output"' EXIT

command -v qemu-system-x86_64 >/dev/null || { echo "skipped: there is no qemu-system-x86_64"; exit 77; }
[ -r "$image" ] || { echo "there is no image at $image"; exit 2; }

# boot CPU MEMORY WORDS: leaves the console's text in $output and QEMU's exit status in $status.
boot() {
    status=0
    timeout 120 qemu-system-x86_64 -kernel "$image" -accel tcg -cpu "$1" -m "$2" -append "$3" \
        -display none -serial stdio -monitor none -no-reboot \
        -device isa-debug-exit,iobase=0xf4,iosize=4 </dev/null >"$output" 2>&1 || status=$?
}

# expect STATUS WHAT LINE...: the boot must have ended so, with each text somewhere on the console.
expect() {
    wanted=$1 what=$2
    shift 2
    for line; do
        grep -qF -- "$line" "$output" && continue
        cat "$output"
        echo "FAIL $what: the console does not say: $line"
        exit 1
    done
    if [ "$status" -ne "$wanted" ]; then
        cat "$output"
        echo "FAIL $what: QEMU ended with $status, not $wanted"
        exit 1
    fi
    echo "ok   $what"
}

expect_tour() {
    expect "$success" "$1" \
        "init: 8 of 8 programs kept to the rules and succeeded" \
        "init: 16 of 16 crimes were stopped as they should be" \
        "init: 16 of 16 bystanders finished undisturbed" \
        "kernel: init ended with status 0; switching off"
}

boot max 256 "";  expect_tour "the tour, with every protection that QEMU has"
boot qemu64 64 ""; expect_tour "the tour, on a plain CPU with 64 MiB"
boot max,-pge,-smap 2048 ""; expect_tour "the tour, with 2 GiB and without SMAP and global pages"

boot max 64 "provoke=read_user_half"
expect "$panicked" "ring 0 reads where nothing is" "page fault, read of 0x1000 (no page there); vector 14, error 0x0"
boot max 64 "provoke=write_text"
expect "$panicked" "ring 0 writes to its code" "vector 14, error 0x3"
boot max 64 "provoke=write_text_alias"
expect "$panicked" "ring 0 writes to its code by its other name" "vector 14, error 0x3"
boot max 64 "provoke=exec_data"
expect "$panicked" "ring 0 executes its data" "vector 14, error 0x11"
boot max 64 "provoke=undefined"
expect "$panicked" "ring 0 executes UD2" "invalid opcode; vector 6"
boot max 64 "provoke=stack_overflow"
expect "$panicked" "a kernel stack overflows" "double fault; vector 8, error 0x0" "a kernel stack overflowed"
