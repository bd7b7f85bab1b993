#!/bin/sh
# The bundled guest meets the same exceptions (vector, error code, ring, in order) under QEMU and here.
set -eu
image=${1:-${GUEST:-build/release/guestos/ringside-guest.elf}}
ringside=${RINGSIDE:-build/release/ringside}
command -v qemu-system-x86_64 >/dev/null || { echo "skipped: there is no qemu-system-x86_64"; exit 77; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$ringside" run "$image" --trace fault --trace-format jsonl --trace-out "$folder/log.jsonl" >"$folder/console"
python3 "$(dirname "$0")/qemu_vectors.py" "$image" --ringside-log "$folder/log.jsonl"
