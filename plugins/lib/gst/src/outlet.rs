//! The end of a track: buffers of GStreamer at their time, packets into a pad.

use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer_app::{self as gst_app, gst_base, prelude::*};
use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, Layer, MediaKind, Packaging, Packet, Result, Rtp,
    SourcePad, host,
    supervise::{contained, lock},
};

use crate::{app, buffer, caps, picture, repeater::Repeater};

/// Where a track goes.
#[derive(Clone)]
pub struct Outlet {
    /// What the pad takes.
    pub kind: MediaKind,
    /// The pad; its format follows what flows.
    pub pad: Arc<SourcePad>,
    pub(crate) repeater: Arc<Repeater>,
}

/// What an outlet remembers from one buffer to the next.
#[derive(Default)]
struct Memory {
    known: Option<Known>,
    /// The pipeline's clock, and how far the host's is ahead of it, ns.
    clock: Option<(gst::Clock, i64)>,
}

impl Memory {
    /// Raw pictures flow.
    fn is_picture(&self) -> bool {
        self.known.as_ref().is_some_and(|known| known.is_picture)
    }
}

/// A format as it was seen last, by its caps.
struct Known {
    caps: gst::Caps,
    /// Number of the packets' format.
    id: u32,
    is_picture: bool,
    /// A picture whose colours are in the full range.
    full_range: Option<picture::Layout>,
    /// Of raw media. The pad has it without size and rate, and the host forgets formats that no
    /// pad has and nobody asks for, so each packet asks.
    raw: Option<Format>,
}

impl Outlet {
    /// The outlets of an element that plays: one of sound and one of pictures, into its default source
    /// pads, whatever the media will have.
    ///
    /// # Errors
    /// The element has such pads already.
    pub fn of_element(context: &ElementContext) -> Result<Vec<Self>> {
        [MediaKind::Audio, MediaKind::Video]
            .into_iter()
            .map(|kind| {
                let pad = Arc::new(context.source_pad(kind, DEFAULT_DESCRIPTION, ())?);
                Ok(Self {
                    kind,
                    repeater: Repeater::new(pad.clone()),
                    pad,
                })
            })
            .collect()
    }

    /// The element that a track ends in. It waits for each buffer's time on the
    /// pipeline's clock. `flows` is called with every packet.
    pub fn element(self, flows: impl Fn() + Send + 'static) -> gst_app::AppSink {
        let kind = self.kind;
        let (outlet, memory) = (self.clone(), Arc::new(Mutex::new(Memory::default())));
        let standing = memory.clone();
        let callbacks = gst_app::AppSinkCallbacks::builder()
            .new_preroll(move |sink| {
                let sample = sink.pull_preroll().map_err(|_| gst::FlowError::Eos)?;
                contained("the outlet of a track", || {
                    outlet.preroll(sample, &standing)
                })
                .map(|()| gst::FlowSuccess::Ok)
                .ok_or(gst::FlowError::Error)
            })
            .new_sample(move |sink| {
                let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
                contained("the outlet of a track", || {
                    let mut memory = lock(&memory);
                    if let Some(packet) = self.packet(Some(sink), sample, &mut memory) {
                        self.repeater.push(packet, memory.is_picture());
                        flows();
                    }
                })
                .map(|()| gst::FlowSuccess::Ok)
                .ok_or(gst::FlowError::Error)
            });
        let sink = gst_app::AppSink::builder()
            .name(format!("{}-outlet", kind.as_str()))
            .sync(true)
            .enable_last_sample(false)
            .max_buffers(4)
            .callbacks(callbacks.build())
            .build();
        wait_for_the_first(&sink);
        sink
    }

    /// The picture at which the playback stands, as long as it does not play.
    fn preroll(&self, sample: gst::Sample, memory: &Mutex<Memory>) {
        let mut memory = lock(memory);
        if self.kind == MediaKind::Video
            && let Some(packet) = self.packet(None, sample, &mut memory)
            && memory.is_picture()
        {
            self.repeater.preroll(packet);
        }
    }

    /// `sink`: whose time counts; none for what is not played.
    fn packet(
        &self,
        sink: Option<&gst_app::AppSink>,
        sample: gst::Sample,
        memory: &mut Memory,
    ) -> Option<Packet> {
        let Memory { known, clock } = memory;
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let caps = sample.caps()?;
        if known.as_ref().is_none_or(|known| *known.caps != *caps) {
            *known = self.learn(caps);
        }
        let known = known.as_ref()?;
        let buffer = sample.buffer_owned()?;
        let running = segment.to_running_time(buffer.pts().or(buffer.dts())?)?;
        drop(sample);
        let duration = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        let flags = app::flags(&buffer);
        let bytes = if known.is_picture {
            picture::to_bytes(buffer, &known.caps)
        } else {
            buffer::to_bytes(buffer)
        };
        let bytes = match (bytes, known.full_range) {
            (Ok(bytes), Some(layout)) => Ok(picture::limit(&bytes, layout)),
            (bytes, _) => bytes,
        };
        Some(Packet {
            bytes: bytes.ok()?,
            format: known.id(),
            origin: self.pad.id(),
            kind: self.kind,
            flags,
            layer: Layer::default(),
            presentation_time: match sink {
                Some(sink) => presentation_time(sink, running, clock)?,
                None => 0,
            },
            ingress_time: host().map_or(0, rivero_plugin_api::Host::now),
            duration: i64::try_from(duration).unwrap_or(0),
            rtp: Rtp::default(),
            ..Packet::default()
        })
    }

    /// Another format flows from now on: tells the pad.
    fn learn(&self, caps: &gst::CapsRef) -> Option<Known> {
        let Some(mut own) = caps::to_format(caps) else {
            tracing::warn!(%caps, "a track has a format that packets cannot carry");
            return None;
        };
        let caps = caps.to_owned();
        let limited = picture::limited_range(&caps).filter(|_| own.packaging == Packaging::Raw);
        if let Some(colorimetry) = &limited {
            own.parameters.retain(|(name, _)| name != "colorimetry");
            own = own.with("colorimetry", colorimetry.to_string());
        }
        let mut linked = own.clone();
        if linked.packaging == Packaging::Raw {
            // Size and rate are each packet's own.
            (linked.clock_rate, linked.channels) = (0, 0);
            linked.parameters.clear();
        }
        let host = host()?;
        self.pad.set_format(Some(host.format_id(&linked)));
        Some(Known {
            full_range: limited.and_then(|_| picture::Layout::of(&caps)),
            caps,
            id: host.format_id(&own),
            is_picture: own.packaging == Packaging::Raw && self.kind == MediaKind::Video,
            raw: Some(own).filter(|own| own.packaging == Packaging::Raw),
        })
    }
}

impl Known {
    fn id(&self) -> u32 {
        match (&self.raw, host()) {
            (Some(raw), Some(host)) => host.format_id(raw),
            _ => self.id,
        }
    }
}

/// Sinks wait for the time at which a frame is to be decoded. With frames in another order than
/// they are shown, that is before the beginning for the first of them: `sink` would not wait
/// for those at all, and give them out before there is a clock.
fn wait_for_the_first(sink: &gst_app::AppSink) {
    let Some(pad) = sink.static_pad("sink") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::BUFFER, |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let begins = segment.and_then(|event| {
            let segment = event.segment().downcast_ref::<gst::ClockTime>()?;
            segment.start()
        });
        if let Some(gst::PadProbeData::Buffer(buffer)) = &mut info.data
            && buffer.dts() < begins
            && buffer.dts().is_some()
        {
            buffer.make_mut().set_dts(begins);
        }
        gst::PadProbeReturn::Ok
    });
}

/// A running time on the host's clock. Both clocks are monotonic; the pipeline's
/// time moves on when it is paused, and begins anew with a seek.
fn presentation_time(
    sink: &gst_app::AppSink,
    running: gst::ClockTime,
    known: &mut Option<(gst::Clock, i64)>,
) -> Option<i64> {
    let clock = sink.clock()?;
    // The bindings do not say that it is one.
    let latency = sink
        .dynamic_cast_ref::<gst_base::BaseSink>()
        .map_or(gst::ClockTime::ZERO, BaseSinkExt::latency);
    let at = sink.base_time()? + running + latency;
    if known.as_ref().is_none_or(|(known, _)| *known != clock) {
        let ahead = host()?.now() - nanoseconds(clock.time())?;
        *known = Some((clock, ahead));
    }
    let (_, ahead) = known.as_ref()?;
    Some(nanoseconds(at)? + ahead)
}

fn nanoseconds(time: gst::ClockTime) -> Option<i64> {
    i64::try_from(time.nseconds()).ok()
}
