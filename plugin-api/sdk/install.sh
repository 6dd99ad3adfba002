#!/usr/bin/env bash
# Installs the author's kit, as sources that projects depend on by their path:
#
#   plugin-api/sdk/install.sh DIRECTORY
#
# It is a workspace of its own, with the crates that rivero-sdk is made of where they are in the repository.
set -euo pipefail
cd "$(dirname "$0")/../.."

to=$1
crates=(host/media idl plugin-api plugin-api/sdk plugin-api/sdk/testing plugins/lib/filter plugins/lib/http plugins/lib/uri)

rm -rf "${to:?}"
for crate in "${crates[@]}"; do
    mkdir -p "$to/$crate"
    cp -r "$crate/src" "$to/$crate/"
    # Tests stay behind, and so do the sections that name them.
    awk '/^\[/ { test = /^\[\[test\]\]/ } !test' "$crate/Cargo.toml" >"$to/$crate/Cargo.toml"
done
cp -r idl/interfaces "$to/idl/"
cp LICENSE Cargo.lock "$to/"

{
    echo '[workspace]'
    echo 'resolver = "3"'
    printf 'members = [\n'
    printf '    "%s",\n' "${crates[@]}"
    printf ']\n\n'
    # What the crates inherit; profiles are those of whoever builds.
    # `cargo package` finds the crates that one needs beside it only where they may be published.
    awk '/^\[/ { inherited = /^\[workspace\.(package|dependencies|lints)/ } inherited' Cargo.toml | sed 's/^publish = false$/publish = true/'
} >"$to/Cargo.toml"

find "$to" -type d -exec chmod 755 {} +
find "$to" -type f -exec chmod 644 {} +
