"""A webrtcbin peer that sends a known picture and sound and reports what it gets back.

Speaks the JSON lines of tests/aiortc/peer.py. Its candidates are in the SDP; ends
when its standard input is closed.
"""

import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstSdp", "1.0")
gi.require_version("GstWebRTC", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

RATE = 48000
PIPELINE = """
webrtcbin name=peer bundle-policy={bundle}
videotestsrc is-live=true pattern=solid-color foreground-color=0xffc82828
  ! video/x-raw,width=320,height=240,framerate=20/1 ! videoconvert ! queue
  ! vp8enc deadline=1 keyframe-max-dist=20 ! rtpvp8pay picture-id-mode=15-bit
  ! application/x-rtp,media=video,encoding-name=VP8,payload=96 ! peer.
audiotestsrc is-live=true wave=sine freq=1000 volume=0.4
  ! audio/x-raw,rate=48000,channels=2 ! audioconvert ! queue ! opusenc ! rtpopuspay
  ! application/x-rtp,media=audio,encoding-name=OPUS,payload=97 ! peer.
"""
PICTURES = "videoconvert ! video/x-raw,format=RGB ! appsink name=out emit-signals=true sync=false max-buffers=4 drop=true"
SOUND = "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=48000,channels=1 ! appsink name=out emit-signals=true sync=false"


SPEAKING = threading.Lock()


def say(**message):
    """Called on threads of GStreamer's, several at a time."""
    with SPEAKING:
        print(json.dumps(message), flush=True)


def centre_colour(data, width, height):
    """Mean colour of 16 x 16 pixels in the middle; rows are padded to four bytes."""
    stride = (width * 3 + 3) // 4 * 4
    rows = range(height // 2 - 8, height // 2 + 8)
    columns = range(width // 2 - 8, width // 2 + 8)
    pixels = [data[y * stride + 3 * x : y * stride + 3 * x + 3] for y in rows for x in columns]
    return [round(sum(p[c] for p in pixels) / len(pixels)) for c in range(3)]


def report_picture(sink):
    sample = sink.emit("pull-sample")
    caps = sample.get_caps().get_structure(0)
    buffer = sample.get_buffer()
    data = buffer.extract_dup(0, buffer.get_size())
    say(colour=centre_colour(data, caps.get_value("width"), caps.get_value("height")))
    return Gst.FlowReturn.OK


class Tone:
    """Frequency of a clean tone from its upward zero crossings, each half second."""

    def __init__(self):
        self.window = []

    def report(self, sink):
        buffer = sink.emit("pull-sample").get_buffer()
        self.window += memoryview(buffer.extract_dup(0, buffer.get_size())).cast("h").tolist()
        if len(self.window) >= RATE // 2:
            ups = sum(1 for a, b in zip(self.window, self.window[1:]) if a < 0 <= b)
            say(toneHz=ups * RATE / len(self.window))
            self.window = []
        return Gst.FlowReturn.OK


class Peer:
    def __init__(self, bundle):
        self.pipeline = Gst.parse_launch(PIPELINE.format(bundle=bundle))
        self.webrtc = self.pipeline.get_by_name("peer")
        self.webrtc.connect("on-negotiation-needed", self.make_offer)
        self.webrtc.connect("notify::ice-gathering-state", self.gathered)
        self.webrtc.connect("notify::connection-state", self.state_changed)
        self.webrtc.connect("pad-added", self.received)
        self.pipeline.set_state(Gst.State.PLAYING)

    def make_offer(self, _):
        self.webrtc.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise):
        # The reply owns the offer: it has to stay.
        reply = promise.get_reply()
        offer = reply.get_value("offer")
        self.webrtc.emit("set-local-description", offer, Gst.Promise.new())

    def gathered(self, *_):
        complete = GstWebRTC.WebRTCICEGatheringState.COMPLETE
        if self.webrtc.get_property("ice-gathering-state") == complete:
            say(offer=self.webrtc.get_property("local-description").sdp.as_text())

    def state_changed(self, *_):
        say(state=self.webrtc.get_property("connection-state").value_nick)

    def accept(self, text):
        _, sdp = GstSdp.SDPMessage.new_from_text(text)
        answer = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.webrtc.emit("set-remote-description", answer, Gst.Promise.new())

    def received(self, _, pad):
        if pad.get_direction() != Gst.PadDirection.SRC:
            return
        decoder = Gst.ElementFactory.make("decodebin", None)
        decoder.connect("pad-added", self.decoded)
        self.pipeline.add(decoder)
        decoder.sync_state_with_parent()
        pad.link(decoder.get_static_pad("sink"))

    def decoded(self, _, pad):
        is_video = pad.get_current_caps().get_structure(0).get_name().startswith("video")
        branch = Gst.parse_bin_from_description("queue ! " + (PICTURES if is_video else SOUND), True)
        report = report_picture if is_video else Tone().report
        branch.get_by_name("out").connect("new-sample", report)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))


def main():
    Gst.init(None)
    loop = GLib.MainLoop()
    peer = Peer(sys.argv[1])

    def listen():
        for line in sys.stdin:
            GLib.idle_add(peer.accept, json.loads(line)["answer"])
        GLib.idle_add(loop.quit)

    threading.Thread(target=listen, daemon=True).start()
    loop.run()
    peer.pipeline.set_state(Gst.State.NULL)


main()
