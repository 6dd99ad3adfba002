//! Tracks of Matroska that are stored far behind each other.
//!
//! `matroskademux` takes a track that comes 3 s behind the others for one that pauses, and says so: the playback goes on without it, and
//! what then comes of it is too late by all that the file has it behind. In a live recording that was muxed carelessly, or whose encoder was slow,
//! that is the whole picture. So it is waited for, as long as the queues behind the demuxer can hold what the others have meanwhile.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_plugin_api::supervise::lock;

use crate::element;

/// A track that comes later is one that pauses.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(30);
/// So is one of which nothing comes within so many bytes of the others: the queues have to hold them.
const MOST_BETWEEN: u64 = 12 << 20;
/// What these hold at most, bytes. They are no fuller than they have to be for each track to have something.
const HELD: &str = "16777216";

/// Lets `demuxer`, a `matroskademux`, wait for its tracks.
pub(crate) fn wait(demuxer: &gst::Element) {
    let passed = Arc::<AtomicU64>::default();
    demuxer.connect_pad_added(move |_, pad| watch(pad, passed.clone()));
}

/// Lets a `decodebin` hold what has to wait for other tracks.
pub(crate) fn hold(decoder: &gst::Element) {
    element::set(decoder, "max-size-bytes", HELD);
}

/// How far a track has come.
#[derive(Default)]
struct Place {
    time: Option<gst::ClockTime>,
    /// Bytes of all tracks up to there.
    passed: u64,
}

/// `passed`: bytes of all tracks until now.
fn watch(pad: &gst::Pad, passed: Arc<AtomicU64>) {
    let last = Mutex::new(Place::default());
    let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(kinds, move |_, info| {
        let mut last = lock(&last);
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => {
                let size = buffer.size() as u64;
                last.passed = passed.fetch_add(size, Relaxed) + size;
                last.time = buffer.pts().or(last.time);
            }
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Segment(segment) => {
                    let segment = segment.segment().downcast_ref::<gst::ClockTime>();
                    last.time = segment.and_then(|segment| segment.start());
                    last.passed = passed.load(Relaxed);
                }
                gst::EventView::Gap(gap) if last.waits(gap, passed.load(Relaxed)) => {
                    return gst::PadProbeReturn::Drop;
                }
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

impl Place {
    /// Whether the track may still come, in spite of this.
    fn waits(&self, gap: &gst::event::Gap, passed: u64) -> bool {
        let (start, length) = gap.get();
        let end = start + length.unwrap_or_default();
        let is_near = { self.time }.is_some_and(|time| end.saturating_sub(time) < PATIENCE);
        is_near && passed.saturating_sub(self.passed) < MOST_BETWEEN
    }
}
