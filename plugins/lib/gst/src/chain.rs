//! Elements in a row, driven by the thread of the caller.
//!
//! Whoever pushes a buffer runs the elements: there is no queue and no thread between, so a
//! decoded picture comes out before the push returns, and a chain costs no thread. That holds as
//! long as no element of the row has threads of its own that hold media back.

use std::sync::{Arc, Mutex};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use rivero_plugin_api::supervise::{contained, lock};

use crate::{Error, StreamError, bus, pipeline::Pipeline};

/// What comes out of a chain, on the thread that pushes.
pub trait ChainOutput: Send + Sync + 'static {
    /// A buffer; `caps` are those of this and all later ones until they change, `running` is the
    /// time of its presentation, 0 being that of what is pushed with time 0. Elements may count
    /// from elsewhere in the buffer itself.
    fn buffer(&self, buffer: gst::Buffer, caps: &gst::Caps, running: Option<gst::ClockTime>);

    /// An element asks whoever feeds the chain for a keyframe.
    fn keyframe_wanted(&self) {}
}

/// A row of elements between two pads of ours.
#[derive(Debug)]
pub struct Chain {
    input: gst::Pad,
    output: gst::Pad,
    failure: Arc<Mutex<Option<StreamError>>>,
    /// Last, so that the pads above are still there when it stops.
    pipeline: Pipeline,
}

impl Chain {
    /// Links `elements`, each with one input and one output, and starts them.
    ///
    /// # Errors
    /// What cannot be linked or does not start.
    pub fn new(elements: &[&gst::Element], output: impl ChainOutput) -> Result<Self, Error> {
        let failure = Arc::new(Mutex::new(None));
        let reported = failure.clone();
        let pipeline = Pipeline::new(move |report| match report {
            bus::Report::Error(error) => {
                lock(&reported).get_or_insert(error);
            }
            bus::Report::Warning(warning) => tracing::debug!(%warning, "in a conversion"),
            _ => {}
        })?;
        pipeline.add_row(elements)?;
        let output = Arc::new(output);
        let chain = Self {
            input: input_pad(output.clone())?,
            output: output_pad(output)?,
            failure,
            pipeline,
        };
        chain.join(elements)?;
        Ok(chain)
    }

    fn join(&self, elements: &[&gst::Element]) -> Result<(), Error> {
        let (Some(first), Some(last)) = (elements.first(), elements.last()) else {
            return Err(Error::Link("a chain without elements".to_owned()));
        };
        let broken = |element: &gst::Element| Error::Link(element.name().to_string());
        let into = first.static_pad("sink").ok_or_else(|| broken(first))?;
        let out_of = last.static_pad("src").ok_or_else(|| broken(last))?;
        self.input.link(&into).map_err(|_| broken(first))?;
        out_of.link(&self.output).map_err(|_| broken(last))?;
        for pad in [&self.output, &self.input] {
            pad.set_active(true)
                .map_err(|_| Error::State(pad.name().to_string()))?;
        }
        if self.pipeline.set_state(gst::State::Playing).is_err() {
            return Err(self.take_failure().unwrap_or_else(|| broken(first)));
        }
        let start = gst::event::StreamStart::new("conversion");
        self.input.push_event(start);
        Ok(())
    }

    /// The caps of what is pushed from now on.
    pub fn set_caps(&self, caps: &gst::Caps) {
        self.input.push_event(gst::event::Caps::new(caps));
        if self.input.sticky_event::<gst::event::Segment>(0).is_none() {
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.input.push_event(gst::event::Segment::new(&segment));
        }
    }

    /// Runs the elements with one buffer. What they make of it is given to the output before this
    /// returns.
    ///
    /// # Errors
    /// What an element reported; the chain is of no use any more. A buffer that the elements do
    /// not take because of its caps is such an error, too.
    pub fn push(&self, buffer: gst::Buffer) -> Result<(), Error> {
        let result = self.input.push(buffer);
        match (self.take_failure(), result) {
            (Some(failure), _) => Err(failure),
            (None, Ok(_)) => Ok(()),
            (None, Err(flow)) => Err(Error::Media(format!(
                "the elements of a conversion do not take its media: {flow}"
            ))),
        }
    }

    /// Gets out what the elements hold back, and ends.
    pub fn drain(&self) {
        self.input.push_event(gst::event::Eos::new());
    }

    /// Tells the elements that media is missing from `start` on.
    pub fn gap(&self, start: gst::ClockTime, duration: gst::ClockTime) {
        self.input
            .push_event(gst::event::Gap::builder(start).duration(duration).build());
    }

    /// The next frame of the chain's encoder shall be a keyframe. From any thread.
    pub fn force_keyframe(&self) {
        let event = gst_video::UpstreamForceKeyUnitEvent::builder()
            .all_headers(true)
            .build();
        self.output.push_event(event);
    }

    fn take_failure(&self) -> Option<Error> {
        let mut failure = lock(&self.failure);
        failure.take().map(Error::Stream)
    }
}

/// Where the metrics count panics of who takes what comes out.
const PLACE: &str = "the output of a conversion";

/// The pad on which the chain is fed. Requests for keyframes end here.
fn input_pad(output: Arc<impl ChainOutput>) -> Result<gst::Pad, Error> {
    let pad = pad("input", gst::PadDirection::Src)?
        .event_function(move |pad, parent, event| {
            if gst_video::UpstreamForceKeyUnitEvent::parse(&event).is_ok() {
                contained(PLACE, || output.keyframe_wanted());
                return true;
            }
            gst::Pad::event_default(pad, parent, event)
        })
        .build();
    Ok(pad)
}

/// The pad that gets what comes out.
fn output_pad(output: Arc<impl ChainOutput>) -> Result<gst::Pad, Error> {
    let stream = Arc::new(Mutex::new(Stream::default()));
    let current = stream.clone();
    let pad = pad("output", gst::PadDirection::Sink)?
        .chain_function(move |_, _, buffer| {
            let (caps, running) = {
                let stream = lock(&current);
                (stream.caps.clone(), stream.running(&buffer))
            };
            let caps = caps.ok_or(gst::FlowError::NotNegotiated)?;
            contained(PLACE, || output.buffer(buffer, &caps, running))
                .map(|()| gst::FlowSuccess::Ok)
                .ok_or(gst::FlowError::Error)
        })
        .event_function(move |_, _, event| {
            let mut stream = lock(&stream);
            match event.view() {
                gst::EventView::Caps(event) => stream.caps = Some(event.caps_owned()),
                gst::EventView::Segment(event) => {
                    stream.segment = event.segment().downcast_ref().cloned();
                }
                _ => {}
            }
            true
        })
        .build();
    Ok(pad)
}

/// What the events before the buffers said.
#[derive(Default)]
struct Stream {
    caps: Option<gst::Caps>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
}

impl Stream {
    fn running(&self, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
        self.segment.as_ref()?.to_running_time(buffer.pts()?)
    }
}

/// Without a template a pad would go on accepting its first caps only.
fn pad(name: &str, direction: gst::PadDirection) -> Result<gst::PadBuilder<gst::Pad>, Error> {
    let any = gst::Caps::new_any();
    let template = gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &any)
        .map_err(|error| Error::Init(error.to_string()))?;
    Ok(gst::Pad::builder_from_template(&template))
}

impl Drop for Chain {
    fn drop(&mut self) {
        // Inactive pads refuse what a late thread of an element may still push.
        for pad in [&self.input, &self.output] {
            let _ = pad.set_active(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::element;

    #[derive(Clone, Default)]
    struct Collected(Arc<Mutex<Vec<(usize, String)>>>);

    impl ChainOutput for Collected {
        fn buffer(&self, buffer: gst::Buffer, caps: &gst::Caps, _: Option<gst::ClockTime>) {
            let entry = (buffer.size(), caps.to_string());
            self.0.lock().unwrap().push(entry);
        }
    }

    fn silence(rate: i32) -> (gst::Caps, gst::Buffer) {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "S16LE")
            .field("layout", "interleaved")
            .field("rate", rate)
            .field("channels", 1)
            .build();
        let mut buffer = gst::Buffer::from_slice(vec![0u8; 320]);
        buffer.get_mut().unwrap().set_pts(gst::ClockTime::ZERO);
        (caps, buffer)
    }

    #[test]
    fn what_is_pushed_comes_out_before_the_push_returns() {
        let encoder = element::make("mulawenc").unwrap();
        let collected = Collected::default();
        let chain = Chain::new(&[&encoder], collected.clone()).unwrap();
        for rate in [8000, 16000] {
            let (caps, buffer) = silence(rate);
            chain.set_caps(&caps);
            chain.push(buffer).unwrap();
        }
        let collected = collected.0.lock().unwrap();
        assert_eq!(collected.len(), 2);
        assert_eq!(collected[0].0, 160);
        assert!(collected[0].1.contains("8000"), "{}", collected[0].1);
        assert!(collected[1].1.contains("16000"), "{}", collected[1].1);
    }

    #[test]
    fn caps_that_an_element_does_not_take_are_an_error() {
        let encoder = element::make("mulawenc").unwrap();
        let chain = Chain::new(&[&encoder], Collected::default()).unwrap();
        chain.set_caps(&gst::Caps::new_empty_simple("video/x-vp8"));
        assert!(chain.push(silence(8000).1).is_err());
    }

    #[test]
    fn elements_that_do_not_fit_are_an_error() {
        let first = element::make("mulawenc").unwrap();
        let second = element::make("videoconvert").unwrap();
        let error = Chain::new(&[&first, &second], Collected::default()).unwrap_err();
        assert!(matches!(error, Error::Link(_)), "{error}");
    }

    #[test]
    fn a_panic_of_the_output_is_an_error_of_the_push() {
        struct Panics;
        impl ChainOutput for Panics {
            fn buffer(&self, _: gst::Buffer, _: &gst::Caps, _: Option<gst::ClockTime>) {
                panic!("on purpose");
            }
        }
        let element = element::make("identity").unwrap();
        let chain = Chain::new(&[&element], Panics).unwrap();
        let (caps, buffer) = silence(8000);
        chain.set_caps(&caps);
        assert!(chain.push(buffer).is_err());
    }
}
