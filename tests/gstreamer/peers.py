"""Several webrtcbin peers in one process, each of which sends a tone and says when it is connected and hears one.

    peers.py COUNT offer|answer

Speaks the JSON lines of tests/aiortc/peers.py.
"""

import json
import re
import sys
import threading
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

RATE = 48000
TONE_HZ = 1000
TOLERANCE_HZ = 30
# Enough of a tone to be sure of it, samples.
HEARD = 9600
PIPELINE = """
webrtcbin name=peer bundle-policy=max-bundle
audiotestsrc is-live=true wave=sine freq=1000 volume=0.4
  ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! queue ! opusenc ! rtpopuspay pt={payload}
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload={payload} ! peer.
"""
SOUND = (
    "queue ! rtpopusdepay ! opusdec ! audioconvert ! audioresample"
    " ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! appsink name=out emit-signals=true sync=false"
)
SPEAKING = threading.Lock()


def crossings_per_second(samples):
    """Frequency of a clean tone from its upward zero crossings."""
    ups = sum(1 for a, b in zip(samples, samples[1:]) if a < 0 <= b)
    return ups * RATE / len(samples)


class Peer:
    def __init__(self, number):
        self.number = number
        self.described = None
        self.offers = False
        self.window = []
        self.has_heard = False
        self.pipeline = None

    def say(self, **message):
        """Called on threads of GStreamer's, several at a time."""
        with SPEAKING:
            print(json.dumps({"peer": self.number, **message}), flush=True)

    def start(self, payload, offers):
        self.offers = offers
        self.pipeline = Gst.parse_launch(PIPELINE.format(payload=payload))
        self.webrtc = self.pipeline.get_by_name("peer")
        if offers:
            self.webrtc.connect("on-negotiation-needed", lambda _: self.describe("create-offer", "offer"))
        self.webrtc.connect("notify::ice-gathering-state", self.gathered)
        self.webrtc.connect("notify::connection-state", self.state_changed)
        self.webrtc.connect("pad-added", self.received)
        self.pipeline.set_state(Gst.State.PLAYING)

    def describe(self, signal, kind):
        self.webrtc.emit(signal, None, Gst.Promise.new_with_change_func(self.created, kind))

    def created(self, promise, kind):
        # The reply owns the description: it has to stay.
        reply = promise.get_reply()
        self.described = time.monotonic()
        self.webrtc.emit("set-local-description", reply.get_value(kind), Gst.Promise.new())

    def gathered(self, *_):
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.webrtc.get_property("ice-gathering-state") == complete:
            text = self.webrtc.get_property("local-description").sdp.as_text()
            self.say(**{"offer" if self.offers else "answer": text})

    def state_changed(self, *_):
        connected = GstWebRTC.WebRTCPeerConnectionState.CONNECTED
        if self.webrtc.get_property("connection-state") == connected:
            self.say(connected=round((time.monotonic() - self.described) * 1000))

    def take(self, message):
        if "answer" in message:
            self.described = time.monotonic()
            self.set_remote(message["answer"], GstWebRTC.WebRTCSDPType.ANSWER, Gst.Promise.new())
            return
        # Answers have the numbers of the offer, which the pad has to have from the start.
        payload = re.search(r"a=rtpmap:(\d+) opus/", message["offer"])[1]
        self.start(payload, False)
        answer = Gst.Promise.new_with_change_func(lambda _: self.describe("create-answer", "answer"))
        self.set_remote(message["offer"], GstWebRTC.WebRTCSDPType.OFFER, answer)

    def set_remote(self, text, kind, promise):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        description = GstWebRTC.WebRTCSessionDescription.new(kind, sdp)
        self.webrtc.emit("set-remote-description", description, promise)

    def received(self, _, pad):
        caps = pad.get_current_caps() or pad.query_caps(None)
        if pad.get_direction() != Gst.PadDirection.SRC or caps.get_structure(0).get_string("media") != "audio":
            return
        branch = Gst.parse_bin_from_description(SOUND, True)
        branch.get_by_name("out").connect("new-sample", self.listen)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))

    def listen(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        if self.has_heard:
            return Gst.FlowReturn.OK
        self.window += memoryview(buffer.extract_dup(0, buffer.get_size())).cast("h").tolist()
        if len(self.window) >= HEARD:
            self.has_heard = abs(crossings_per_second(self.window) - TONE_HZ) < TOLERANCE_HZ
            self.window = []
            if self.has_heard:
                self.say(heard=True)
        return Gst.FlowReturn.OK


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    peers = [Peer(number) for number in range(int(sys.argv[1]))]
    if sys.argv[2] == "offer":
        for peer in peers:
            peer.start(97, True)

    def listen():
        for line in sys.stdin:
            message = json.loads(line)
            GLib.idle_add(peers[message["peer"]].take, message)
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    loop.run()
    for peer in peers:
        if peer.pipeline:
            peer.pipeline.set_state(Gst.State.NULL)


main()
