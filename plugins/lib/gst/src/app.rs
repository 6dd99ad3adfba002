//! `appsrc` and `appsink` for pipelines that have threads of their own.

use gstreamer as gst;
use gstreamer_app as gst_app;
use rivero_plugin_api::{Bytes, Format, Packet, supervise::contained};

use crate::{Error, buffer, caps, time::RunningTime};

/// How much an input holds before it loses the oldest: 600 ms.
pub const QUEUE: gst::ClockTime = gst::ClockTime::from_mseconds(600);

/// Packets of one stream into a pipeline.
#[derive(Debug)]
pub struct Input {
    source: gst_app::AppSrc,
    time: RunningTime,
}

impl Input {
    /// An `appsrc` that never blocks who pushes: when the pipeline falls behind by `queue`, the
    /// oldest go. Add [`Self::element`] to a pipeline and link it.
    ///
    /// # Errors
    /// [`Error::Init`] or [`Error::MissingElement`].
    pub fn new(name: &str, queue: gst::ClockTime, time: RunningTime) -> Result<Self, Error> {
        crate::init()?;
        let source = gst_app::AppSrc::builder()
            .name(name)
            .format(gst::Format::Time)
            .is_live(true)
            .block(false)
            .max_bytes(0)
            .max_buffers(0)
            .max_time(queue)
            .leaky_type(gst_app::AppLeakyType::Downstream)
            .build();
        Ok(Self { source, time })
    }

    /// The element to add and link.
    pub fn element(&self) -> &gst_app::AppSrc {
        &self.source
    }

    /// What is pushed from now on.
    ///
    /// # Errors
    /// [`Error::Media`] for a format that GStreamer has no caps for.
    pub fn set_format(&self, format: &Format) -> Result<(), Error> {
        let caps = caps::from_format(format)
            .ok_or_else(|| Error::Media(format!("GStreamer has no caps for {format}")))?;
        self.source.set_caps(Some(&caps));
        Ok(())
    }

    /// Hands over one packet, without copying it.
    ///
    /// # Errors
    /// [`Error::State`] when the pipeline does not take media (any more).
    pub fn push(&self, packet: &Packet) -> Result<(), Error> {
        let buffer = to_buffer(packet, self.time);
        self.source
            .push_buffer(buffer)
            .map(|_| ())
            .map_err(|flow| Error::State(format!("an input of the pipeline ({flow})")))
    }

    /// Nothing follows.
    pub fn end(&self) {
        // A pipeline that stopped has ended already.
        let _ = self.source.end_of_stream();
    }
}

/// A packet as GStreamer sees it: time stamps and flags of the packet, its payload as memory.
pub fn to_buffer(packet: &Packet, time: RunningTime) -> gst::Buffer {
    let mut converted = buffer::from_bytes(packet.bytes.clone());
    if let Some(meta) = converted.get_mut() {
        meta.set_pts(time.to_running(packet.presentation_time));
        if let Ok(duration @ 1..) = u64::try_from(packet.duration) {
            meta.set_duration(gst::ClockTime::from_nseconds(duration));
        }
        if !packet.is_keyframe() {
            meta.set_flags(gst::BufferFlags::DELTA_UNIT);
        }
        if packet.flags & Packet::DISCONTINUITY != 0 {
            meta.set_flags(gst::BufferFlags::DISCONT);
        }
    }
    converted
}

/// A buffer that came out of a pipeline.
#[derive(Debug)]
pub struct Output {
    /// The media, not copied.
    pub bytes: Bytes,
    /// Of this and all later ones until it changes.
    pub caps: gst::Caps,
    /// Running time of the pipeline, if the buffer has a time.
    pub presentation: Option<gst::ClockTime>,
    /// Running time at which it is to be decoded, if that is another.
    pub decoding: Option<gst::ClockTime>,
    /// How long it lasts, where known.
    pub duration: Option<gst::ClockTime>,
    /// [`Packet::KEYFRAME`] and [`Packet::DISCONTINUITY`].
    pub flags: u8,
}

/// An `appsink` that gives all buffers to `handler` on the pipeline's thread. `sync`: at their
/// time by the clock, else at once. Caps may be empty: whatever comes.
pub fn output(
    name: &str,
    caps: Option<&gst::Caps>,
    sync: bool,
    mut handler: impl FnMut(Output) + Send + 'static,
) -> gst_app::AppSink {
    let callbacks = gst_app::AppSinkCallbacks::builder().new_sample(move |sink| {
        let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
        let Some(output) = from_sample(&sample) else {
            return Ok(gst::FlowSuccess::Ok);
        };
        drop(sample);
        contained("the output of a pipeline", || handler(output))
            .map(|()| gst::FlowSuccess::Ok)
            .ok_or(gst::FlowError::Error)
    });
    let sink = gst_app::AppSink::builder()
        .name(name)
        .sync(sync)
        .enable_last_sample(false)
        .max_buffers(4)
        .callbacks(callbacks.build());
    match caps {
        Some(caps) => sink.caps(caps).build(),
        None => sink.build(),
    }
}

fn from_sample(sample: &gst::Sample) -> Option<Output> {
    let buffer = sample.buffer_owned()?;
    let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
    let running = |time: Option<gst::ClockTime>| segment.to_running_time(time?);
    let presentation = running(buffer.pts());
    let decoding = running(buffer.dts());
    let flags = flags(&buffer);
    let duration = buffer.duration();
    Some(Output {
        presentation,
        decoding,
        duration,
        flags,
        caps: sample.caps_owned()?,
        bytes: buffer::to_bytes(buffer).ok()?,
    })
}

/// The flags of a packet with this buffer.
pub fn flags(buffer: &gst::BufferRef) -> u8 {
    let flags = buffer.flags();
    let keyframe = !flags.contains(gst::BufferFlags::DELTA_UNIT);
    let discontinuity = flags.contains(gst::BufferFlags::DISCONT);
    let mut result = 0;
    if keyframe {
        result |= Packet::KEYFRAME;
    }
    if discontinuity {
        result |= Packet::DISCONTINUITY;
    }
    result
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use gst::prelude::*;
    use rivero_plugin_api::{Layer, MediaKind, Packaging, Rtp};

    use super::*;
    use crate::{bus, element, pipeline::Pipeline};

    const WAIT: Duration = Duration::from_secs(20);

    fn packet(presentation_time: i64) -> Packet {
        Packet {
            bytes: Bytes::copy_from(&[0; 320]),
            format: 0,
            origin: 0,
            kind: MediaKind::Audio,
            flags: Packet::KEYFRAME,
            layer: Layer::default(),
            presentation_time,
            ingress_time: 0,
            duration: 20_000_000,
            rtp: Rtp::default(),
            ..Packet::default()
        }
    }

    #[test]
    fn packets_go_through_a_pipeline_and_its_end_is_reported() {
        let (reports, reported) = mpsc::channel();
        let pipeline = Pipeline::new(move |report| {
            if matches!(report, bus::Report::EndOfStream) {
                let _ = reports.send(());
            }
        })
        .unwrap();
        let time = RunningTime::starting_at(1_000);
        let input = Input::new("in", QUEUE, time).unwrap();
        let format = Format {
            packaging: Packaging::Raw,
            ..Format::rtp("S16LE", 8000, 1)
        };
        input.set_format(&format).unwrap();
        assert!(input.set_format(&Format::rtp("VP8", 90_000, 0)).is_err());
        let (outputs, received) = mpsc::channel();
        let sink = output("out", None, false, move |output| {
            let _ = outputs.send(output);
        });
        let encoder = element::make("alawenc").unwrap();
        pipeline
            .add_row(&[input.element().upcast_ref(), &encoder, sink.upcast_ref()])
            .unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        for index in 0..3 {
            input.push(&packet(1_000 + index * 20_000_000)).unwrap();
        }
        input.end();
        for index in 0..3 {
            let output = received.recv_timeout(WAIT).unwrap();
            let presentation = time.from_running(output.presentation.unwrap());
            assert_eq!(presentation, 1_000 + index * 20_000_000);
            assert_eq!(
                (output.bytes.len(), output.flags & Packet::KEYFRAME),
                (160, 1)
            );
            assert_eq!(caps::to_format(&output.caps).unwrap().encoding, "PCMA");
        }
        reported.recv_timeout(WAIT).unwrap();
    }

    #[test]
    fn an_error_is_reported_with_its_element() {
        let (reports, reported) = mpsc::channel();
        let pipeline = Pipeline::new(move |report| {
            if let bus::Report::Error(error) = report {
                let _ = reports.send(error);
            }
        })
        .unwrap();
        let source = element::make("filesrc").unwrap();
        element::set(&source, "location", "/nonexistent/file");
        let sink = element::make("fakesink").unwrap();
        pipeline.add_row(&[&source, &sink]).unwrap();
        let _ = pipeline.set_state(gst::State::Playing);
        let error = reported.recv_timeout(WAIT).unwrap();
        assert_eq!(error.kind, "RESOURCE_ERROR_OPEN");
        assert_eq!(error.element, "filesrc");
    }
}
