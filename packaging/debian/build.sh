#!/usr/bin/env bash
# Makes the packages of what stands in RELEASE, into OUTPUT:
#
#   packaging/debian/build.sh RELEASE OUTPUT
set -euo pipefail

release=$(realpath "$1")
output=$2
root=$(realpath "$(dirname "$0")/../..")
[ -x "$release/rivero" ] || { echo "nothing to package: run 'make build' first" >&2; exit 1; }

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' "$root/Cargo.toml")
# What was built last tells the date, so that the same sources make the same files.
export SOURCE_DATE_EPOCH
SOURCE_DATE_EPOCH=$(git -C "$root" log -1 --format=%ct 2>/dev/null || stat -c %Y "$root/Cargo.toml")

rm -rf "$output"
mkdir -p "$output/rivero/debian"
cp -r "$root"/packaging/debian/. "$output/rivero/debian/"
rm "$output/rivero/debian/build.sh"
cat >"$output/rivero/debian/changelog" <<CHANGELOG
rivero ($version) unstable; urgency=medium

  * See CHANGELOG.md, which is beside this file.

 -- $(sed -n 's/^Maintainer: //p' "$root/packaging/debian/control")  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
CHANGELOG

cd "$output/rivero"
RIVERO_SOURCE="$root" TARGET_DIR="$(dirname "$release")" \
    dpkg-buildpackage --build=binary --unsigned-changes --unsigned-buildinfo --no-check-builddeps >"../build.log" 2>&1 \
    || { tail -n 30 ../build.log >&2; echo "the packages could not be made; see $output/build.log" >&2; exit 1; }
cd ..
rm -rf rivero
ls -- *.deb
