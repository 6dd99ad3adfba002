#!/usr/bin/env bash
# Runs every suite: the crates' own tests, then the Node suites, each file in a
# fresh network namespace. One failure does not keep the others from running.
# SUITES names those to run, all by default: `crates`, and the folders below tests/.
# At the end it says what took longest, and the last line counts the tests: `N passed, N failed`.
set -uo pipefail
cd "$(dirname "$0")/.."

FILE_LIMIT=$((600 + (${SCALE:-1} > 1 ? 600 : 0))) # seconds for one test file, far above what any needs
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
passed=0 failed=0
unwell=()
RUN_AGAIN=4 # files at most
ALWAYS=2    # files at a time, and one more while so many percent of the processors are idle:
SPARE=40
JUNIT=${CARGO_TARGET_DIR:-target}/nextest/default/junit.xml # where .config/nextest.toml has it
LONGEST=10  # files, and as many Rust tests, are named at the end

# The suites there are, and those to run.
available=(crates $(find tests -mindepth 2 -maxdepth 2 -name '*.test.mjs' -printf '%h\n' | sort -u | xargs -rn 1 basename))
read -ra wanted <<<"${SUITES:-${available[*]}}"
for name in "${wanted[@]}"; do
    if ! grep -qxF -- "$name" <(printf '%s\n' "${available[@]}"); then
        echo "there is no suite '$name': SUITES takes any of ${available[*]}" >&2
        exit 2
    fi
done

# now: milliseconds since the epoch.
now() { date +%s%3N; }

# longest UNIT: of lines `MILLISECONDS NAME`, the longest, in seconds.
longest() {
    local milliseconds name
    echo "== the longest $1"
    sort -rn | head -n "$LONGEST" | while read -r milliseconds name; do
        printf '%4d.%d s  %s\n' $((10#$milliseconds / 1000)) $((10#$milliseconds % 1000 / 100)) "$name"
    done
}

# count LOG EXPRESSION: the number that the last matching line of LOG carries.
count() {
    local found
    found=$(sed -nE "s/$2/\1/p" "$1" | tail -n 1)
    echo "${found:-0}"
}

# tally STATUS PASSED FAILED: a suite that ended badly without a failed test counts as one.
tally() {
    passed=$((passed + $2))
    failed=$((failed + $3))
    if [ "$1" -ne 0 ] && [ "$3" -eq 0 ]; then failed=$((failed + 1)); fi
}

crates() {
    local log="$results/crates" status=0
    echo "== Rust: unit and integration tests"
    rm -f "$JUNIT"
    cargo nextest run --release --workspace --locked --color never 2>&1 | tee "$log" || status=$?
    # <testcase name="NAME" classname="PACKAGE::BINARY" … time="0.123">: the time in ms, and the names.
    if [ -f "$JUNIT" ]; then
        sed -nE 's/^ *<testcase name="([^"]*)" classname="([^"]*)".* time="0*([0-9]*)\.([0-9]{3})[0-9]*".*/\3\4 \2 \1/p' "$JUNIT" >"$results/rust-times"
    fi
    local summary='^ *Summary .* tests? run: .*'
    tally "$status" "$(count "$log" "$summary\b([0-9]+) passed.*")" \
        "$(($(count "$log" "$summary\b([0-9]+) failed.*") + $(count "$log" "$summary\b([0-9]+) timed out.*")))"

    echo "== Rust: examples in the documentation"
    log="$results/docs" status=0
    cargo test --release --workspace --locked --doc --quiet 2>&1 | tee "$log" || status=$?
    local ok bad
    ok=$(sed -nE 's/^test result: .* ([0-9]+) passed.*/\1/p' "$log" | paste -sd+ | sed 's/^$/0/')
    bad=$(sed -nE 's/^test result: .* ([0-9]+) failed.*/\1/p' "$log" | paste -sd+ | sed 's/^$/0/')
    tally "$status" "$((ok))" "$((bad))"
}

# node_file FILE: runs in a process of its own, leaves `STATUS PASSED FAILED` in $results.
node_file() {
    local file=$1 name=${1//\//-} status=0 began
    began=$(now)
    timeout --kill-after=15 "$FILE_LIMIT" tests/netns.sh node --test \
        --test-reporter=spec --test-reporter-destination="$results/$name.out" \
        --test-reporter=tap --test-reporter-destination="$results/$name.tap" "$file" \
        >"$results/$name.err" 2>&1 || status=$?
    local ok bad cancelled log="$results/$name.tap"
    ok=$(count "$log" '^# pass ([0-9]+)') bad=$(count "$log" '^# fail ([0-9]+)') cancelled=$(count "$log" '^# cancelled ([0-9]+)')
    # A file that runs no test is broken, whatever its status says.
    if [ $((ok + bad + cancelled)) -eq 0 ]; then status=1; fi
    echo "$status $ok $((bad + cancelled))" >"$results/$name.tally"
    echo "$(($(now) - began)) $file" >>"$results/file-times"
    flock "$results/lock" cat <(echo "-- $file") <(sed '/^ℹ/d' "$results/$name.out") "$results/$name.err"
}

# idle: percent of the processors' time in which nobody used them, over the next second.
idle() {
    local _ user nice system rest wait irq soft steal before_rest before
    read -r _ user nice system rest wait irq soft steal _ </proc/stat
    before_rest=$((rest + wait)) before=$((user + nice + system + rest + wait + irq + soft + steal))
    sleep 1
    read -r _ user nice system rest wait irq soft steal _ </proc/stat
    local all=$((user + nice + system + rest + wait + irq + soft + steal - before))
    echo $((100 * (rest + wait - before_rest) / (all > 0 ? all : 1)))
}

# beside_others FILE: runs it once fewer than ALWAYS do, or the processors have time for one more.
beside_others() {
    (
        flock 9
        while [ "$(find "$results/running" -type f | wc -l)" -ge "$ALWAYS" ] && [ "$(idle)" -lt "$SPARE" ]; do :; done
        touch "$results/running/${1//\//-}"
    ) 9>>"$results/door"
    node_file "$1"
    rm "$results/running/${1//\//-}"
}
mkdir "$results/running"
export -f node_file beside_others idle count now
export results FILE_LIMIT ALWAYS SPARE

# files JOBS FILE…: runs these, so many at a time at most. Those that fail are noted in `unwell`.
files() {
    local jobs=$1 file counts
    shift
    printf '%s\n' "$@" | xargs -P "$jobs" -I {} bash -c 'beside_others {}'
    for file; do
        read -ra counts <"$results/${file//\//-}.tally" || counts=(1 0 0)
        if [ "${counts[0]}" -eq 0 ]; then tally "${counts[@]}"; else unwell+=("$file"); fi
    done
}

# What failed beside another test runs once more with the machine to itself, where it has to
# pass whole: media in real time does not wait for a browser that got no processor. Where more
# fails than that explains, nothing runs again.
settle() {
    local file counts
    for file in "${unwell[@]}"; do
        read -ra counts <"$results/${file//\//-}.tally" || counts=(1 0 0)
        if [ ${#unwell[@]} -le "$RUN_AGAIN" ]; then
            echo "== once more, alone: $file"
            node_file "$file"
            read -ra counts <"$results/${file//\//-}.tally" || counts=(1 0 0)
            if [ "${counts[0]}" -eq 0 ]; then echo "passed alone after a failure beside others: $file"; fi
        fi
        tally "${counts[@]}"
    done
}

# The files of all suites together, so that none waits for the last one of another: most of their
# time is waiting for media. Those that compile take all that there is, and run first, by
# themselves. Where smoothness itself is measured, one file has the machine to itself.
compiling=() usual=() smooth=() has_crates=no
for name in "${wanted[@]}"; do
    case $name in
    crates) has_crates=yes ;;
    kit | packages) compiling+=(tests/"$name"/*.test.mjs) ;;
    quality) smooth+=(tests/"$name"/*.test.mjs) ;;
    *) usual+=(tests/"$name"/*.test.mjs) ;;
    esac
done
if [ "$has_crates" = yes ]; then crates; fi
echo "== tests of the whole: $((${#compiling[@]} + ${#usual[@]} + ${#smooth[@]})) files"
if [ ${#compiling[@]} -gt 0 ]; then files 2 "${compiling[@]}"; fi
if [ ${#usual[@]} -gt 0 ]; then files 3 "${usual[@]}"; fi
if [ ${#smooth[@]} -gt 0 ]; then files 1 "${smooth[@]}"; fi

settle
if [ -s "$results/rust-times" ]; then longest 'Rust tests' <"$results/rust-times"; fi
if [ -s "$results/file-times" ]; then longest 'test files' <"$results/file-times"; fi
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
