#!/usr/bin/env bash
# Runs a command in a network namespace of its own: `tests/netns.sh CMD…`.
#
# Nothing that runs inside can reach a real network. The namespace has the
# loopback device and a veth pair, both ends of which stay inside: browsers
# gather candidates only on devices other than loopback, and for pages without
# camera permission only on the one that holds the default route.
#
#   media0  10.77.0.1/24  fd77::1/64  default route (it leads nowhere)
#   media1  the other end, without an address
set -euo pipefail

if [ "${1:-}" != "--inside" ]; then
    [ $# -gt 0 ] || { echo "usage: $0 CMD…" >&2; exit 2; }
    if [ "$(id -u)" = 0 ]; then
        exec unshare --net -- "$0" --inside "$@"
    fi
    exec unshare --user --map-root-user --net -- "$0" --inside "$@"
fi
shift

export PATH="$PATH:/usr/sbin:/sbin"
ip link set lo up
ip link add media0 type veth peer name media1
echo 1 2>/dev/null >/proc/sys/net/ipv6/conf/media1/disable_ipv6 || true
ip link set media1 up
ip link set media0 up
ip addr add 10.77.0.1/24 dev media0
# Without duplicate detection the address is usable at once.
ip -6 addr add fd77::1/64 dev media0 nodad 2>/dev/null || true
ip route add default via 10.77.0.254 dev media0
export RIVERO_TEST_NETNS=1
exec "$@"
