"""An aiortc peer that sends a known picture and reports what it gets back.

Speaks JSON lines with the test: writes {"offer": sdp}, reads {"answer": sdp},
then writes {"colour": [r, g, b]} for every picture received, {"toneHz": f} for
every half second of sound and {"state": s, "srtp": profile} for every change of
the connection.
Its candidates are in the SDP. Ends when its standard input is closed.
"""

import asyncio
import fractions
import json
import math
import sys

import av
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpSender, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, VideoStreamTrack

WIDTH, HEIGHT = 320, 240
SAMPLE_RATE = 48000
TONE_HZ = 1000
RED = (200, 40, 40)


class RedPicture(VideoStreamTrack):
    """A flat colour at aiortc's own 30 frames per second."""

    async def recv(self):
        pts, time_base = await self.next_timestamp()
        line = bytes(RED) * WIDTH
        frame = av.VideoFrame(WIDTH, HEIGHT, "rgb24")
        frame.planes[0].update(line * HEIGHT)
        frame.pts, frame.time_base = pts, time_base
        return frame


class Tone(AudioStreamTrack):
    """A sine of TONE_HZ, mono, 20 ms a frame."""

    async def recv(self):
        frame = await super().recv()  # paced by aiortc, 8 kHz of silence
        samples = SAMPLE_RATE // 50
        start = frame.pts * SAMPLE_RATE // frame.sample_rate
        sine = (
            int(12000 * math.sin(2 * math.pi * TONE_HZ * (start + n) / SAMPLE_RATE))
            for n in range(samples)
        )
        tone = av.AudioFrame(format="s16", layout="mono", samples=samples)
        tone.planes[0].update(b"".join(v.to_bytes(2, "little", signed=True) for v in sine))
        tone.pts, tone.sample_rate = start, SAMPLE_RATE
        tone.time_base = fractions.Fraction(1, SAMPLE_RATE)
        return tone


def say(**message):
    print(json.dumps(message), flush=True)


def centre_colour(frame):
    """Mean colour of 16 x 16 pixels in the middle."""
    plane = frame.reformat(format="rgb24").planes[0]
    data, stride = bytes(plane), plane.line_size
    rows = range(frame.height // 2 - 8, frame.height // 2 + 8)
    columns = range(frame.width // 2 - 8, frame.width // 2 + 8)
    pixels = [data[y * stride + 3 * x : y * stride + 3 * x + 3] for y in rows for x in columns]
    return [round(sum(p[c] for p in pixels) / len(pixels)) for c in range(3)]


def srtp_profile(connection):
    """Name of the protection profile that DTLS has chosen; aiortc has no public word for it."""
    ssl = connection.getSenders()[0].transport._ssl
    return ssl.get_selected_srtp_profile().decode() if ssl else ""


async def report_pictures(track):
    while True:
        frame = await track.recv()
        say(colour=centre_colour(frame))


def crossings_per_second(samples, rate):
    """Frequency of a clean tone from its upward zero crossings."""
    ups = sum(1 for a, b in zip(samples, samples[1:]) if a < 0 <= b)
    return ups * rate / len(samples)


async def report_tone(track):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    window = []
    while True:
        for frame in resampler.resample(await track.recv()):
            window += memoryview(bytes(frame.planes[0])).cast("h")[: frame.samples].tolist()
        if len(window) >= SAMPLE_RATE // 2:
            say(toneHz=crossings_per_second(window, SAMPLE_RATE))
            window = []


async def main(codec):
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))  # no STUN
    reports = []

    @connection.on("track")
    def on_track(track):
        report = report_pictures if track.kind == "video" else report_tone
        reports.append(asyncio.ensure_future(report(track)))

    @connection.on("connectionstatechange")
    def on_state():
        say(state=connection.connectionState, srtp=srtp_profile(connection))

    connection.addTrack(Tone())
    connection.addTrack(RedPicture())
    codecs = RTCRtpSender.getCapabilities("video").codecs
    wanted = [c for c in codecs if c.mimeType == f"video/{codec}"]
    for transceiver in connection.getTransceivers():
        if transceiver.kind == "video":
            transceiver.setCodecPreferences(wanted)

    await connection.setLocalDescription(await connection.createOffer())
    say(offer=connection.localDescription.sdp)

    loop = asyncio.get_running_loop()
    answer = json.loads(await loop.run_in_executor(None, sys.stdin.readline))["answer"]
    await connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await loop.run_in_executor(None, sys.stdin.readline)  # until the test closes it
    for report in reports:
        report.cancel()
    await connection.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
