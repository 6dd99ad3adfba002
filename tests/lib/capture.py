"""Counts the packets of this network namespace: every line on the standard input is answered by
one line of JSON, a list of [protocol, source port, destination port, traffic class, packets]."""

import collections
import json
import socket
import struct
import sys
import threading

ALL_PROTOCOLS = 3
PROTOCOLS = {6: "tcp", 17: "udp"}
counts = collections.Counter()


def note(packet):
    version = packet[0] >> 4
    if version == 4:
        traffic_class, protocol, start = packet[1], packet[9], (packet[0] & 15) * 4
    elif version == 6:
        traffic_class, protocol, start = (packet[0] & 15) << 4 | packet[1] >> 4, packet[6], 40
    else:
        return
    if protocol in PROTOCOLS and len(packet) >= start + 4:
        ports = struct.unpack_from("!HH", packet, start)
        counts[(PROTOCOLS[protocol], *ports, traffic_class)] += 1


def capture(tap):
    while True:
        packet, (_, _, direction, _, _) = tap.recvfrom(256)
        if direction != socket.PACKET_OUTGOING and packet:
            note(packet)


tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
threading.Thread(target=capture, args=(tap,), daemon=True).start()
print("[]", flush=True)
for _ in sys.stdin:
    print(json.dumps([[*key, count] for key, count in dict(counts).items()]), flush=True)
