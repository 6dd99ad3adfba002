//! What decoders and encoders share on their way through GStreamer: times, formats, failures.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rivero_gst::{
    app, caps,
    chain::{Chain, ChainOutput},
    gst,
    time::RunningTime,
};
use rivero_plugin_api::{
    Bytes, ConverterOutput, Error, Format, Layer, MediaKind, Packaging, Packet, Result, Rtp,
    Upstream, supervise::lock,
};

use crate::{colours, formats, picture};

/// Running time 0 lies this long before the first packet, so that one a little earlier has a time.
const BEFORE_FIRST: i64 = 1_000_000_000;
/// Packets whose stamps are remembered: no element of a live conversion holds back as many.
const REMEMBERED: usize = 256;

/// Encodings whose frames refer to others.
const HAS_DEPENDENT_FRAMES: [&str; 5] = ["VP8", "VP9", "AV1", "H264", "H265"];

/// A conversion by GStreamer: a chain of elements that is made when the media is known, and what
/// comes out of it.
pub(crate) struct Passage {
    outlet: Arc<Outlet>,
    /// Held for moments only: a chain runs without it.
    chain: Mutex<Option<Arc<Chain>>>,
    stopped: AtomicBool,
}

impl Passage {
    pub(crate) fn new(output: u32, kind: MediaKind, sink: ConverterOutput) -> Self {
        Self {
            outlet: Arc::new(Outlet {
                output,
                kind,
                has_dependent_frames: formats::format(output)
                    .is_ok_and(|format| HAS_DEPENDENT_FRAMES.contains(&format.encoding.as_str())),
                sink,
                state: Mutex::default(),
            }),
            chain: Mutex::new(None),
            stopped: AtomicBool::new(false),
        }
    }

    /// The chain, made by `elements` if there is none. `None` after the end.
    ///
    /// # Errors
    /// Whatever keeps the chain from starting.
    pub(crate) fn chain(
        &self,
        elements: impl FnOnce() -> Result<Vec<gst::Element>>,
    ) -> Result<Option<Arc<Chain>>> {
        if let Some(chain) = self.running() {
            return Ok(Some(chain));
        }
        let elements = elements()?;
        let elements: Vec<&gst::Element> = elements.iter().collect();
        let chain = Arc::new(Chain::new(&elements, Shared(self.outlet.clone()))?);
        *self.slot() = Some(chain.clone());
        if self.stopped.load(Ordering::Acquire) {
            // Stopped while it was made.
            self.end_chain();
            return Ok(None);
        }
        Ok(Some(chain))
    }

    /// The chain that runs now.
    pub(crate) fn running(&self) -> Option<Arc<Chain>> {
        self.slot().clone()
    }

    /// The next packet makes a new chain.
    pub(crate) fn end_chain(&self) {
        let ended = self.slot().take();
        drop(ended);
    }

    /// The next packet makes a new chain and begins a new count of time.
    pub(crate) fn restart(&self) {
        self.end_chain();
        let mut state = self.outlet.state();
        state.time = None;
        state.inside.clear();
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Release);
        self.end_chain();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Acquire)
    }

    /// A buffer with the stamps of `packet`, which come back on what is made of it.
    pub(crate) fn enter(&self, packet: &Packet, buffer: gst::Buffer) -> gst::Buffer {
        let duration = u64::try_from(packet.duration).ok().filter(|own| *own > 0);
        let running = self.outlet.state().enter(packet, None);
        stamped(
            buffer,
            packet,
            running,
            duration.map(gst::ClockTime::from_nseconds),
        )
    }

    /// The same, for an element that shall take the buffers for as far apart as `interval`, whenever they are presented. One
    /// comes out for one that goes in.
    pub(crate) fn enter_evenly(
        &self,
        packet: &Packet,
        buffer: gst::Buffer,
        interval: gst::ClockTime,
    ) -> gst::Buffer {
        let running = self.outlet.state().enter(packet, Some(interval));
        stamped(buffer, packet, running, Some(interval))
    }

    /// Running time of a presentation time, once something went in.
    pub(crate) fn running_time_at(&self, presentation_time: i64) -> Option<gst::ClockTime> {
        let time = self.outlet.state().time?;
        Some(time.to_running(presentation_time))
    }

    /// What the values of the pictures that come out from now on stand for, whatever the elements say;
    /// `None` to believe them.
    pub(crate) fn set_colours(&self, colours: Option<String>) {
        let mut state = self.outlet.state();
        if state.colours != colours {
            (state.colours, state.known) = (colours, None);
        }
    }

    /// By how many samples the elements are late: what they call the time of a frame is that of its first sample, and
    /// what is decoded of it is earlier by so many.
    pub(crate) fn set_delay(&self, samples: u64) {
        self.outlet.state().delay = samples;
    }

    /// Packets that came out so far.
    pub(crate) fn produced(&self) -> u64 {
        self.outlet.state().produced
    }

    /// Bytes and keyframes that came out so far.
    pub(crate) fn produced_amount(&self) -> (u64, u64) {
        let state = self.outlet.state();
        (state.produced_bytes, state.produced_keyframes)
    }

    pub(crate) fn request_keyframe(&self) {
        self.outlet.sink.upstream(Upstream::KeyframeRequest);
    }

    pub(crate) fn pass_upstream(&self, message: Upstream) {
        self.outlet.sink.upstream(message);
    }

    pub(crate) fn fail(&self, error: Error) {
        if !self.is_stopped() {
            self.outlet.sink.failed(error);
        }
    }
}

impl Passage {
    fn slot(&self) -> std::sync::MutexGuard<'_, Option<Arc<Chain>>> {
        lock(&self.chain)
    }
}

fn stamped(
    mut buffer: gst::Buffer,
    packet: &Packet,
    running: gst::ClockTime,
    duration: Option<gst::ClockTime>,
) -> gst::Buffer {
    if let Some(meta) = buffer.get_mut() {
        meta.set_pts(running);
        if duration.is_some() {
            meta.set_duration(duration);
        }
        if !packet.is_keyframe() {
            meta.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
    }
    buffer
}

struct Shared(Arc<Outlet>);

/// Where the chain's buffers become packets.
struct Outlet {
    output: u32,
    kind: MediaKind,
    /// Not all frames can be decoded alone.
    has_dependent_frames: bool,
    sink: ConverterOutput,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    time: Option<RunningTime>,
    /// The stamps of what went in, oldest first.
    inside: VecDeque<Stamps>,
    origin: u32,
    layer: Layer,
    known: Option<Known>,
    /// Of pictures, where the elements' caps do not decide.
    colours: Option<String>,
    /// Samples.
    delay: u64,
    produced: u64,
    produced_bytes: u64,
    produced_keyframes: u64,
}

/// When a packet that went in is presented, for how long, and when it came into the server, ns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stamps {
    presentation: i64,
    duration: i64,
    ingress: i64,
    /// By what the elements take it for later than it is; `None` where they have its own times.
    shift: Option<i64>,
}

impl Stamps {
    /// When the elements take it to be presented.
    fn seen(&self) -> i64 {
        self.presentation + self.shift.unwrap_or(0)
    }
}

/// The format of what came out last, by its caps.
struct Known {
    caps: gst::Caps,
    /// Where it is not the one that was asked for. The host forgets formats that no pad has and
    /// nobody asks for, so each packet asks.
    own: Option<Format>,
}

impl State {
    fn time_of(&mut self, packet: &Packet) -> RunningTime {
        let zero = packet.presentation_time.saturating_sub(BEFORE_FIRST);
        *self.time.get_or_insert(RunningTime::starting_at(zero))
    }

    /// The running time for the elements; `interval`: see [`Passage::enter_evenly`].
    fn enter(&mut self, packet: &Packet, interval: Option<gst::ClockTime>) -> gst::ClockTime {
        if self.inside.len() == REMEMBERED {
            self.inside.pop_front();
        }
        let before = self.inside.back().map(Stamps::seen);
        let seen = before.zip(interval).map(|(before, interval)| {
            before.saturating_add_unsigned(interval.nseconds()) - packet.presentation_time
        });
        let stamps = Stamps {
            presentation: packet.presentation_time,
            duration: packet.duration,
            ingress: packet.ingress_time,
            shift: interval.map(|_| seen.unwrap_or(0)),
        };
        self.inside.push_back(stamps);
        self.origin = packet.origin;
        self.layer = packet.layer;
        self.time_of(packet).to_running(stamps.seen())
    }

    /// The stamps of the media that the elements take to be presented at a time. Of audio, which is cut anew, those of the packet in
    /// which it begins count.
    fn stamps(&mut self, seen: i64) -> Stamps {
        let mut found = self.inside.front().copied().unwrap_or_default();
        while let Some(stamps) = self.inside.front() {
            if stamps.seen() > seen {
                break;
            }
            found = *stamps;
            // The one that is at hand may be asked for again.
            if { self.inside.get(1) }.is_none_or(|next| next.seen() > seen) {
                break;
            }
            self.inside.pop_front();
        }
        found
    }

    /// ns, of media with these caps.
    fn delay(&self, caps: &gst::Caps) -> i64 {
        let rate = { caps.structure(0) }.and_then(|own| own.get::<i32>("rate").ok());
        let rate = rate.and_then(|rate| u64::try_from(rate).ok());
        let nanoseconds = rate.and_then(|rate| (self.delay * 1_000_000_000).checked_div(rate));
        i64::try_from(nanoseconds.unwrap_or(0)).unwrap_or(0)
    }

    fn format(&mut self, caps: &gst::Caps, output: u32) -> u32 {
        match &self.known {
            Some(Known { caps: known, own }) if known == caps => {
                own.as_ref().map_or(output, formats::id)
            }
            _ => self.learn(caps, output),
        }
    }

    /// Raw media and encodings with a configuration have formats of their own; others the one that
    /// was asked for.
    fn learn(&mut self, caps: &gst::Caps, output: u32) -> u32 {
        let mut own = caps::to_format(caps).filter(needs_own_format);
        if let (Some(format), Some(colours)) = (&mut own, &self.colours) {
            let is_other = |(name, _): &(String, String)| name != colours::PARAMETER;
            format.parameters.retain(is_other);
            *format = format.clone().with(colours::PARAMETER, colours.clone());
        }
        let id = own.as_ref().map_or(output, formats::id);
        self.known = Some(Known {
            caps: caps.clone(),
            own,
        });
        id
    }
}

fn needs_own_format(format: &Format) -> bool {
    format.packaging == Packaging::Raw || caps::parameter(format, caps::CONFIG).is_some()
}

impl Outlet {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn packet(
        &self,
        buffer: gst::Buffer,
        caps: &gst::Caps,
        running: gst::ClockTime,
    ) -> Option<Packet> {
        let flags = if self.has_dependent_frames {
            app::flags(&buffer) & Packet::KEYFRAME
        } else {
            Packet::KEYFRAME
        };
        let duration = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        let bytes = content(buffer, caps)?;
        let mut state = self.state();
        let seen = state.time?.from_running(running);
        let stamps = state.stamps(seen);
        let (presentation_time, duration) = match stamps.shift {
            Some(shift) => (seen - shift, stamps.duration),
            None => (seen, i64::try_from(duration).unwrap_or(0)),
        };
        state.produced += 1;
        state.produced_bytes += bytes.len() as u64;
        state.produced_keyframes += u64::from(flags & Packet::KEYFRAME);
        Some(Packet {
            bytes,
            format: state.format(caps, self.output),
            origin: state.origin,
            kind: self.kind,
            flags,
            layer: state.layer,
            presentation_time: presentation_time - state.delay(caps),
            ingress_time: stamps.ingress,
            duration,
            rtp: Rtp::default(),
            ..Packet::default()
        })
    }
}

fn content(buffer: gst::Buffer, caps: &gst::Caps) -> Option<Bytes> {
    let structure = caps.structure(0)?;
    let bytes = if structure.name() == "video/x-raw" {
        picture::to_bytes(buffer, caps)
    } else {
        rivero_gst::buffer::to_bytes(buffer)
    };
    bytes
        .inspect_err(|error| tracing::warn!(%error, "a result of a conversion is lost"))
        .ok()
}

impl ChainOutput for Shared {
    fn buffer(&self, buffer: gst::Buffer, caps: &gst::Caps, running: Option<gst::ClockTime>) {
        // What has no time or nothing in it, such as a header, is no media.
        let Some(running) = running.filter(|_| buffer.size() > 0) else {
            return;
        };
        if let Some(packet) = self.0.packet(buffer, caps, running) {
            self.0.sink.push(std::slice::from_ref(&packet));
        }
    }

    fn keyframe_wanted(&self) {
        self.0.sink.upstream(Upstream::KeyframeRequest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(presentation_time: i64, ingress_time: i64) -> Packet {
        Packet {
            kind: MediaKind::Video,
            presentation_time,
            ingress_time,
            duration: 7,
            ..Packet::default()
        }
    }

    #[test]
    fn ingress_times_are_those_of_the_packet_in_which_media_begins() {
        let mut state = State::default();
        for (presentation, ingress) in [(100, 1), (200, 2), (300, 3)] {
            state.enter(&packet(presentation, ingress), None);
        }
        for (presentation, ingress) in [(90, 1), (150, 1), (290, 2), (250, 2), (900, 3), (1000, 3)]
        {
            assert_eq!(
                state.stamps(presentation).ingress,
                ingress,
                "{presentation}"
            );
        }
    }

    #[test]
    fn what_the_elements_take_for_even_comes_out_at_its_own_time() {
        let mut state = State::default();
        let times = [100, 101, 900, 910, 2000];
        let interval = gst::ClockTime::from_nseconds(50);
        let running: Vec<_> = { times.iter() }
            .map(|time| state.enter(&packet(*time, *time - 1), Some(interval)))
            .collect();
        let steps = running.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(steps.collect::<Vec<_>>(), [interval; 4]);
        for (time, running) in times.into_iter().zip(running) {
            let seen = state.time.unwrap().from_running(running);
            let stamps = state.stamps(seen);
            assert_eq!(seen - stamps.shift.unwrap(), time);
            assert_eq!((stamps.ingress, stamps.duration), (time - 1, 7));
        }
    }
}
