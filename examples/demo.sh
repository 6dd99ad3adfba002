#!/usr/bin/env bash
# Starts the server and the example gallery, until Ctrl-C:
#
#   examples/demo.sh RELEASE [COMMAND…]
#
# RELEASE is the folder that the build filled. COMMAND builds the modules that are not needed to
# begin with; the server starts again with them as soon as nobody has a pipeline.
set -euo pipefail

release=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
server= pages= rest=
log=$(mktemp)

stop() {
    trap - EXIT INT TERM
    for process in $pages $server; do kill "$process" 2>/dev/null || true; done
    # The whole group: a build is make, cargo and many compilers.
    [ -z "$rest" ] || kill -- "-$rest" 2>/dev/null || true
    wait
    rm -f "$log"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

accepting() { (exec 3<>"/dev/tcp/localhost/$1") 2>/dev/null; }

start_server() {
    # Without a configuration file the server listens on 127.0.0.1:8888 only.
    # As in the service: threads of Tesseract wait for each other by spinning.
    OMP_THREAD_LIMIT=1 "$release/rivero" --modules-path "$release/modules" &
    server=$!
    for _ in $(seq 100); do
        accepting 8888 && return
        kill -0 "$server" 2>/dev/null || { echo "The server ended; its messages are above." >&2; exit 1; }
        sleep 0.1
    done
    echo "The server does not listen on port 8888 after 10 s." >&2
    exit 1
}

start_pages() {
    # Phones call the page sip-phone at the usual port, unless something else is there.
    sip=5060
    ! ss -Hlun "sport = :$sip" 2>/dev/null | grep -q . || sip=0
    node "$here/serve.mjs" --port 8080 --sip "$sip" &
    pages=$!
    for _ in $(seq 100); do
        accepting 8080 && return
        kill -0 "$pages" 2>/dev/null || exit 1
        sleep 0.1
    done
}

# The modules as they are now: a new one, or another one in its place, makes another text.
modules() { ls -l --time-style=full-iso "$release/modules"; }

nobody_has_a_pipeline() {
    exec 3<>/dev/tcp/127.0.0.1/8888 || return 1
    printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' >&3
    grep -qE '^rivero_pipelines 0(\.0)?.?$' <&3
}

# Ends the server and starts it with the modules that have been built since.
restart_server() {
    kill "$server"
    wait "$server" || true
    start_server
    echo "All modules are there now: $(cd "$release/modules" && echo *.so)"
}

# After the build of the rest: `rest` stays set as long as the server cannot be started again.
take_the_rest() {
    if [ "$(modules)" = "$known" ]; then rest=; return; fi
    if nobody_has_a_pipeline; then rest=; restart_server; fi
}

for port in 8888 8080; do
    if accepting "$port"; then
        echo "Port $port is in use: stop what listens there first." >&2
        exit 1
    fi
done

known=$(modules)
start_server
start_pages
echo
echo "Rivero listens on ws://127.0.0.1:8888/kurento."
echo "Open http://localhost:8080 in a browser, and http://localhost:8890/console/ to see what the server does. Ctrl-C ends both."
built=
if [ $# -gt 0 ]; then
    # With job control it gets a process group of its own.
    set -m
    "$@" >"$log" 2>&1 &
    rest=$!
    set +m
fi
while kill -0 "$server" 2>/dev/null && kill -0 "$pages" 2>/dev/null; do
    if [ -n "$rest" ] && [ -z "$built" ] && ! kill -0 "$rest" 2>/dev/null; then
        built=yes
        if ! wait "$rest"; then
            rest=
            echo "The other modules could not be built:" >&2
            tail -n 20 "$log" >&2
        fi
    fi
    [ -z "$rest" ] || [ -z "$built" ] || take_the_rest
    # In the background, so that a signal need not wait for its end.
    sleep 1 & wait $!
done
