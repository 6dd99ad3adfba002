#!/usr/bin/env bash
# Starts the server with all modules and the example gallery, until Ctrl-C:
#
#   examples/demo.sh RELEASE    (the folder that `make build` filled)
set -euo pipefail

release=$1
here=$(cd "$(dirname "$0")" && pwd)
server= pages=

stop() {
    trap - EXIT INT TERM
    [ -z "$pages" ] || kill "$pages" 2>/dev/null || true
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

accepting() { (exec 3<>"/dev/tcp/localhost/$1") 2>/dev/null; }

for port in 8888 8080; do
    if accepting "$port"; then
        echo "Port $port is in use: stop what listens there first." >&2
        exit 1
    fi
done

# Without a configuration file the server listens on 127.0.0.1:8888 only.
"$release/rivero" --modules-path "$release/modules" &
server=$!
for _ in $(seq 100); do
    accepting 8888 && break
    kill -0 "$server" 2>/dev/null || { echo "The server ended; its messages are above." >&2; exit 1; }
    sleep 0.1
done
accepting 8888 || { echo "The server does not listen on port 8888 after 10 s." >&2; exit 1; }

node "$here/serve.mjs" --port 8080 &
pages=$!
for _ in $(seq 100); do
    accepting 8080 && break
    kill -0 "$pages" 2>/dev/null || exit 1
    sleep 0.1
done

echo
echo "Rivero listens on ws://127.0.0.1:8888/kurento."
echo "Open http://localhost:8080 in a browser. Ctrl-C ends both."
wait -n "$server" "$pages"
