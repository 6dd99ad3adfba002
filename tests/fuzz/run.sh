#!/usr/bin/env bash
# Fuzzes the targets of this crate with libFuzzer: `tests/fuzz/run.sh SECONDS [TARGET…]`.
#
# A target is built once, instrumented for coverage by the stable compiler's LLVM pass, and runs
# SECONDS long, beginning with tests/fuzz/corpus/<target>. What it learns stays in
# target/fuzz/corpus; an input that fails is in target/fuzz/failed and makes the script fail.
set -euo pipefail
cd "$(dirname "$0")/../.."

seconds=$1
shift
here=tests/fuzz out=${CARGO_TARGET_DIR:-target}/fuzz
host=$(rustc -vV | sed -n 's/^host: //p')
[ $# -gt 0 ] || set -- $(ls "$here/corpus")

# A target of its own keeps the instrumentation away from build scripts and macros.
RUSTFLAGS="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Cllvm-args=-sanitizer-coverage-trace-compares -Cdebug-assertions -Coverflow-checks" \
    "${CARGO:-cargo}" build --release --locked --package rivero-fuzz --features libfuzzer \
    --target "$host" --target-dir "$out"

failed=()
for target in "$@"; do
    echo "== $target, $seconds s"
    mkdir -p "$out/corpus/$target" "$out/failed"
    RIVERO_FUZZ_TARGET=$target "$out/$host/release/rivero-fuzz" \
        "$out/corpus/$target" "$here/corpus/$target" \
        -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="$out/failed/$target-" >"$out/$target.log" 2>&1 || failed+=("$target")
    grep -E 'panicked at|^SUMMARY|ERROR:' "$out/$target.log" | head -n 5 || true
    grep -E '^#[0-9]+.*cov:' "$out/$target.log" | tail -n 1 || true
done

[ ${#failed[@]} -eq 0 ] || { echo "failed: ${failed[*]}; see $out/<target>.log and $out/failed" >&2; exit 1; }
