"""Several aiortc peers in one process, each of which sends a tone and says when it is connected and hears one.

    peers.py COUNT offer|answer

Speaks the JSON lines of peer.py, each with the number of its peer: those that offer write
{"peer": n, "offer": sdp} and read {"peer": n, "answer": sdp}, the others the other way round. Then each writes
{"peer": n, "connected": ms}, the milliseconds from when it had both descriptions, and {"peer": n, "heard": true}.
Ends when its standard input is closed.
"""

import asyncio
import json
import sys
import time

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from peer import Tone, crossings_per_second, say, TONE_HZ

# Enough of a tone to be sure of it, samples.
HEARD = 9600
TOLERANCE_HZ = 30


class Peer:
    def __init__(self, number):
        self.number = number
        self.described = None
        self.listening = []
        self.connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # no STUN
        self.connection.on("connectionstatechange", self.on_state)
        self.connection.on("track", self.on_track)
        self.connection.addTrack(Tone())

    def say(self, **message):
        say(peer=self.number, **message)

    def on_state(self):
        if self.connection.connectionState == "connected":
            self.say(connected=round((time.monotonic() - self.described) * 1000))

    def on_track(self, track):
        if track.kind == "audio":
            self.listening.append(asyncio.ensure_future(self.listen(track)))

    async def listen(self, track):
        heard = []
        while True:
            frame = await track.recv()
            channels = len(frame.layout.channels)
            heard += memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples * channels : channels].tolist()
            if len(heard) >= HEARD:
                if abs(crossings_per_second(heard, frame.sample_rate) - TONE_HZ) < TOLERANCE_HZ:
                    self.say(heard=True)
                    return
                heard = []

    async def offer(self):
        await self.connection.setLocalDescription(await self.connection.createOffer())
        self.say(offer=self.connection.localDescription.sdp)

    async def take(self, message):
        if "answer" in message:
            self.described = time.monotonic()
            await self.connection.setRemoteDescription(RTCSessionDescription(sdp=message["answer"], type="answer"))
            return
        await self.connection.setRemoteDescription(RTCSessionDescription(sdp=message["offer"], type="offer"))
        answer = await self.connection.createAnswer()
        self.described = time.monotonic()
        # Resolves once all candidates are there, and begins to connect.
        await self.connection.setLocalDescription(answer)
        self.say(answer=self.connection.localDescription.sdp)

    async def close(self):
        for task in self.listening:
            task.cancel()
        await self.connection.close()


async def main(count, role):
    peers = [Peer(number) for number in range(count)]
    if role == "offer":
        await asyncio.gather(*(peer.offer() for peer in peers))
    loop = asyncio.get_running_loop()
    taking = []
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        message = json.loads(line)
        taking.append(asyncio.ensure_future(peers[message["peer"]].take(message)))
        taking[-1].add_done_callback(lambda done: done.result())  # what goes wrong is said on standard error
    await asyncio.gather(*(peer.close() for peer in peers))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
