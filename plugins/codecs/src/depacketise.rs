//! RTP packets into frames.

use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use rivero_plugin_api::{
    Bytes, Converter, ConverterOutput, Error, Format, MediaKind, Packet, Result, Rtp, Upstream,
    host, supervise::lock,
};
use rivero_rtp::jitter::{Insertion, JitterBuffer, Patience, Released};
use rivero_rtp::payload::{Depacketiser, Frame};
use serde_json::Value;

use crate::{colours, formats, orientation};

/// A stream without packets for this long has ended.
const SILENT: Duration = Duration::from_secs(1);

/// Frames of the packets of one source.
pub(crate) fn create(
    input: u32,
    output: u32,
    _: Value,
    sink: ConverterOutput,
) -> Result<Box<dyn Converter>> {
    let depacketise = Arc::new(Depacketise {
        input,
        sink,
        turn: Mutex::new(()),
        stream: Mutex::new(Stream {
            source: formats::format(input)?,
            output,
            state: None,
            timer: false,
            stopped: false,
        }),
    });
    // Whether the payload format is known shows at once.
    depacketiser(&formats::format(input)?)?;
    Ok(Box::new(Running(depacketise)))
}

/// What the host has of it; a timer has a weak reference beside.
struct Running(Arc<Depacketise>);

struct Depacketise {
    input: u32,
    sink: ConverterOutput,
    /// Held while frames are made and given out, so that they keep their order.
    turn: Mutex<()>,
    /// Never held while calling the host, which may stop this at the same time.
    stream: Mutex<Stream>,
}

struct Stream {
    source: Format,
    output: u32,
    state: Option<State>,
    /// A timer runs that will look at a gap.
    timer: bool,
    stopped: bool,
}

/// Of one SSRC.
struct State {
    ssrc: u32,
    /// That of the stream before.
    former: Option<u32>,
    /// Arrival of the latest packet.
    latest: Instant,
    jitter: JitterBuffer<Packet>,
    depacketiser: Depacketiser,
    frames: Vec<Frame>,
    /// Of the first packet of the frame that is coming in.
    stamp: Stamp,
    orientation: orientation::Stated,
    colours: colours::Stated,
}

#[derive(Clone, Copy, Default)]
struct Stamp {
    timestamp: u32,
    presentation_time: i64,
    ingress_time: i64,
}

impl Converter for Running {
    fn packets(&self, packets: &[Packet]) {
        self.0.in_turn(|stream, now, frames| {
            let mut keyframe_needed = false;
            for packet in packets
                .iter()
                .filter(|packet| packet.format == self.0.input)
            {
                keyframe_needed |= stream.take(now, packet, frames);
            }
            keyframe_needed
        });
    }

    fn upstream(&self, message: Upstream) {
        self.0.sink.upstream(message);
    }

    fn stop(&self) {
        let mut stream = self.0.lock();
        stream.stopped = true;
        stream.state = None;
    }
}

impl Depacketise {
    fn lock(&self) -> std::sync::MutexGuard<'_, Stream> {
        lock(&self.stream)
    }

    /// Lets `work` make frames, which returns whether a keyframe is needed, and gives them out.
    fn in_turn(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Stream, Instant, &mut Vec<Packet>) -> bool,
    ) {
        let _turn = lock(&self.turn);
        let now = Instant::now();
        let mut frames = Vec::new();
        let mut stream = self.lock();
        let keyframe_needed = work(&mut stream, now, &mut frames);
        let delay = stream.until_next_look(now);
        drop(stream);
        if let (Some(delay), Some(host)) = (delay, host()) {
            let depacketise = Arc::downgrade(self);
            host.after(delay, move || Self::look(&depacketise));
        }
        if !frames.is_empty() {
            self.sink.push(&frames);
        }
        if keyframe_needed {
            self.sink.upstream(Upstream::KeyframeRequest);
        }
    }

    /// A gap is given up at its time even if no further packet comes.
    fn look(depacketise: &Weak<Self>) {
        if let Some(depacketise) = depacketise.upgrade() {
            depacketise.in_turn(|stream, now, frames| {
                stream.timer = false;
                stream.release(now, frames)
            });
        }
    }
}

impl Stream {
    /// When a timer is to look at a gap, unless one runs.
    fn until_next_look(&mut self, now: Instant) -> Option<Duration> {
        let deadline = self.state.as_ref()?.jitter.deadline()?;
        if std::mem::replace(&mut self.timer, true) {
            return None;
        }
        Some(deadline.saturating_duration_since(now) + Duration::from_millis(1))
    }

    /// Returns whether a keyframe is needed.
    fn take(&mut self, now: Instant, packet: &Packet, frames: &mut Vec<Packet>) -> bool {
        if self.stopped {
            return false;
        }
        let mut keyframe_needed = false;
        if self.is_another(now, packet) {
            keyframe_needed = self.release_all(now, frames);
            let former = self.state.as_ref().map(|state| state.ssrc);
            self.state = State::new(&self.source, packet, former, now).ok();
        }
        let state = self.state.as_mut();
        let Some(state) = state.filter(|state| state.ssrc == packet.rtp.ssrc) else {
            return keyframe_needed;
        };
        state.latest = now;
        let cut = packet.flags & Packet::DISCONTINUITY != 0;
        let inserted = state
            .jitter
            .insert(now, packet.rtp.sequence, packet.clone(), cut);
        if inserted == Insertion::Accepted {
            keyframe_needed |= self.release(now, frames);
        }
        keyframe_needed
    }

    /// Whether the packet begins another stream than that of those before: of simulcast encodings
    /// the host hands over one at a time, each from a keyframe on. What comes late of the stream
    /// before begins none.
    fn is_another(&self, now: Instant, packet: &Packet) -> bool {
        self.state.as_ref().is_none_or(|state| {
            let is_late = state.former == Some(packet.rtp.ssrc) && !packet.is_keyframe();
            let silent = now.saturating_duration_since(state.latest) > SILENT;
            state.ssrc != packet.rtp.ssrc && (!is_late || silent)
        })
    }

    fn release(&mut self, now: Instant, frames: &mut Vec<Packet>) -> bool {
        let output = self.output;
        let Some(state) = &mut self.state else {
            return false;
        };
        let mut keyframe_needed = false;
        while let Some(released) = state.jitter.pop(now) {
            keyframe_needed |= state.put_together(&released, output, frames);
        }
        keyframe_needed
    }

    /// The stream ended: nothing is waited for.
    fn release_all(&mut self, now: Instant, frames: &mut Vec<Packet>) -> bool {
        self.release(now + Patience::VIDEO.most, frames)
    }
}

impl State {
    fn new(source: &Format, packet: &Packet, former: Option<u32>, now: Instant) -> Result<Self> {
        let patience = match packet.kind {
            MediaKind::Video => Patience::VIDEO,
            _ => Patience::AUDIO,
        };
        Ok(Self {
            ssrc: packet.rtp.ssrc,
            former,
            latest: now,
            jitter: JitterBuffer::new(patience),
            depacketiser: depacketiser(source)?,
            frames: Vec::new(),
            stamp: Stamp::default(),
            orientation: orientation::Stated::default(),
            colours: colours::Stated::default(),
        })
    }

    fn put_together(
        &mut self,
        released: &Released<Packet>,
        output: u32,
        frames: &mut Vec<Packet>,
    ) -> bool {
        let packet = &released.item;
        let before = self.stamp;
        if before.timestamp != packet.rtp.timestamp || before.ingress_time == 0 {
            self.stamp = Stamp {
                timestamp: packet.rtp.timestamp,
                presentation_time: packet.presentation_time,
                ingress_time: packet.ingress_time,
            };
        }
        self.orientation.note(packet);
        self.colours.note(packet);
        let output = self.orientation.format(output);
        let output = self.colours.format(output);
        let received = self.depacketiser.push(
            packet.payload(),
            packet.rtp.timestamp,
            packet.rtp.marker,
            released.after_loss,
            &mut self.frames,
        );
        for frame in self.frames.drain(..) {
            // A frame without a marker is completed by the first packet of the next.
            let stamp = if frame.timestamp == before.timestamp {
                before
            } else {
                self.stamp
            };
            frames.push(frame_packet(frame, packet, stamp, output));
        }
        received.keyframe_needed
    }
}

fn frame_packet(frame: Frame, packet: &Packet, stamp: Stamp, output: u32) -> Packet {
    let mut flags = 0;
    if frame.keyframe {
        flags |= Packet::KEYFRAME;
    }
    if frame.discontinuity {
        flags |= Packet::DISCONTINUITY;
    }
    Packet {
        bytes: Bytes::from(frame.data),
        format: output,
        flags,
        presentation_time: stamp.presentation_time,
        ingress_time: stamp.ingress_time,
        duration: 0,
        rtp: Rtp::default(),
        ..packet.clone()
    }
}

fn depacketiser(format: &Format) -> Result<Depacketiser> {
    Depacketiser::new(&format.encoding, formats::payload_parameters(format))
        .ok_or_else(|| Error::unexpected(format!("there is no RTP payload format for {format}")))
}
