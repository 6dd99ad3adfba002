//! The end of a track: buffers of GStreamer at their time, packets into a pad.

use std::sync::Arc;

use gstreamer as gst;
use gstreamer_app::{self as gst_app, gst_base, prelude::*};
use rivero_plugin_api::{
    DEFAULT_DESCRIPTION, ElementContext, Format, Layer, MediaKind, Packaging, Packet, Result, Rtp,
    SourcePad, host, supervise::contained,
};

use crate::{app, buffer, caps, picture};

/// Where a track goes.
#[derive(Clone)]
pub struct Outlet {
    /// What the pad takes.
    pub kind: MediaKind,
    /// The pad; its format follows what flows.
    pub pad: Arc<SourcePad>,
}

/// What an outlet remembers from one buffer to the next.
#[derive(Default)]
struct Memory {
    known: Option<Known>,
    /// The pipeline's clock, and how far the host's is ahead of it, ns.
    clock: Option<(gst::Clock, i64)>,
}

/// A format as it was seen last, by its caps.
struct Known {
    caps: gst::Caps,
    /// Number of the packets' format.
    id: u32,
    is_picture: bool,
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
                let pad = context.source_pad(kind, DEFAULT_DESCRIPTION, ())?;
                Ok(Self {
                    kind,
                    pad: Arc::new(pad),
                })
            })
            .collect()
    }

    /// The element that a track ends in. It waits for each buffer's time on the
    /// pipeline's clock. `flows` is called with every packet.
    pub fn element(self, flows: impl Fn() + Send + 'static) -> gst_app::AppSink {
        let (kind, mut memory) = (self.kind, Memory::default());
        let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            contained("the outlet of a track", || {
                if let Some(packet) = self.packet(sink, sample, &mut memory) {
                    self.pad.push(&[packet]);
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

    fn packet(
        &self,
        sink: &gst_app::AppSink,
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
        Some(Packet {
            bytes: bytes.ok()?,
            format: known.id(),
            origin: self.pad.id(),
            kind: self.kind,
            flags,
            layer: Layer::default(),
            presentation_time: presentation_time(sink, running, clock)?,
            ingress_time: host().map_or(0, rivero_plugin_api::Host::now),
            duration: i64::try_from(duration).unwrap_or(0),
            rtp: Rtp::default(),
        })
    }

    /// Another format flows from now on: tells the pad.
    fn learn(&self, caps: &gst::CapsRef) -> Option<Known> {
        let Some(own) = caps::to_format(caps) else {
            tracing::warn!(%caps, "a track has a format that packets cannot carry");
            return None;
        };
        let mut linked = own.clone();
        if linked.packaging == Packaging::Raw {
            // Size and rate are each packet's own.
            (linked.clock_rate, linked.channels) = (0, 0);
            linked.parameters.clear();
        }
        let host = host()?;
        self.pad.set_format(Some(host.format_id(&linked)));
        Some(Known {
            caps: caps.to_owned(),
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
