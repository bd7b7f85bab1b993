#!/bin/sh
# pack.sh CPIO FOLDER ARCHIVE FILE... - packs the files (paths below FOLDER) into a newc archive that
# depends on nothing but their names and contents: sorted, dated 1970, owned by root, with fixed
# modes, devices and inode numbers. Works on a copy, so that FOLDER keeps its dates for the build tool.
set -eu
cpio=$1 folder=$2 archive=$3
shift 3
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
for file; do
    mkdir -p "$stage/$(dirname "$file")"
    cp "$folder/$file" "$stage/$file"
done
cd "$stage"
chmod -R u=rwX,go=rX .
find . -exec touch -h -d @0 {} +
find . -mindepth 1 | LC_ALL=C sort | "$cpio" --quiet -o -H newc --reproducible -R 0:0 >"$archive"
