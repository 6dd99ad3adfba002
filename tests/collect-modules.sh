#!/usr/bin/env bash
# Collects built modules under their own names:
#
#   tests/collect-modules.sh CRATES RELEASE DIRECTORY [NAME…]
#
# For each folder CRATES/<name>/ with a Cargo.toml, what Cargo has built of the crate in it
# (RELEASE/lib<crate>.so, with underscores) becomes RELEASE/DIRECTORY/<name>.so. Whatever
# else lies in RELEASE/DIRECTORY is removed. With names only these are collected, and all
# else stays.
set -euo pipefail

crates=$1 release=$2 directory=$2/$3
shift 3

mkdir -p "$directory"
wanted=()
for manifest in "$crates"/*/Cargo.toml; do
    [ -f "$manifest" ] || continue
    name=$(basename "$(dirname "$manifest")")
    if [ $# -gt 0 ] && [[ " $* " != *" $name "* ]]; then continue; fi
    crate=$(awk -F'"' '/^\[/ { part = $0 } /^name = / && (part == "[lib]" || !name) { name = $2 } END { print name }' "$manifest")
    built="$release/lib${crate//-/_}.so"
    [ -f "$built" ] || { echo "$built is missing: is crate-type = [\"cdylib\"] set in $manifest?" >&2; exit 1; }
    wanted+=("$name.so")
    cmp -s "$built" "$directory/$name.so" && continue
    # A new file, never new content of one that a running server may have open.
    cp "$built" "$directory/.$name.so.new"
    mv "$directory/.$name.so.new" "$directory/$name.so"
done

[ $# -eq 0 ] || exit 0
for path in "$directory"/* "$directory"/.*.new; do
    [ -e "$path" ] || continue
    case " ${wanted[*]-} " in
    *" $(basename "$path") "*) ;;
    *) rm -rf "$path" ;;
    esac
done
