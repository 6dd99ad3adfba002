"""Writes the RTP packets that come to the UDP ports of a server, until the standard input ends: a
line for each, `microseconds,payload type,ssrc,sequence,marker,bytes behind the header`.

The headers of SRTP are in the clear (RFC 3711 section 3.1); of what is encrypted the length is enough."""

import socket
import struct
import sys
import threading

ALL_PROTOCOLS = 3
UDP = 17
SO_TIMESTAMPNS = 35
first = None


def packet_of(data, when):
    global first
    version = data[0] >> 4
    protocol, start = (data[9], (data[0] & 15) * 4) if version == 4 else (data[6], 40)
    if protocol != UDP:
        return
    length = struct.unpack_from("!H", data, start + 4)[0] - 8
    rtp = data[start + 8 :]
    if len(rtp) < 12 or rtp[0] >> 6 != 2 or 64 <= rtp[1] & 0x7F < 96:
        return
    header = 12 + 4 * (rtp[0] & 15)
    if rtp[0] & 16:
        header += 4 + 4 * struct.unpack_from("!H", rtp, header + 2)[0]
    sequence, _, ssrc = struct.unpack_from("!HII", rtp, 2)
    first = first or when
    print(f"{(when - first) // 1000},{rtp[1] & 0x7F},{ssrc},{sequence},{rtp[1] >> 7},{length - header}")


def listen(tap):
    while True:
        data, control, _, (_, _, direction, _, _) = tap.recvmsg(512, 64)
        if direction == socket.PACKET_OUTGOING or not data:
            continue
        for level, kind, content in control:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", content)
                packet_of(data, seconds * 1_000_000_000 + nanoseconds)


tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS))
tap.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
tap.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
threading.Thread(target=listen, args=(tap,), daemon=True).start()
sys.stdin.read()
sys.stdout.flush()
