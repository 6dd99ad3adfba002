//! The sources of the pipeline: one for each track.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_gst::{gst, gst::prelude::*, gst_app};
use rivero_hls::demux::{Codec, Frame, Kind};
use rivero_plugin_api::supervise::lock;
use tokio::sync::Notify;

use super::caps::caps;

/// What a source holds; below the half of it more is asked for.
const HELD: gst::ClockTime = gst::ClockTime::from_seconds(10);
const HALF: u32 = 50;
/// Bytes, however little time they have.
const MOST_HELD: u64 = 64 << 20;
/// Frames that are passed on as they are may begin so much before the place that is sought, ns.
const EARLY: i64 = 500_000_000;

/// What the pipeline is made of, once a session has been opened.
#[derive(Debug)]
pub(crate) struct Streams {
    pub(crate) sources: Vec<gst_app::AppSrc>,
    /// ns; when each segment of a film begins. Empty: there is nothing to seek in.
    pub(crate) beginnings: Vec<i64>,
}

/// What the streaming threads want of a session.
#[derive(Default)]
pub(super) struct Calls {
    /// A source wants more.
    pub(super) hungry: Notify,
    /// A source wants to go on elsewhere.
    pub(super) sought: Notify,
}

/// What a streaming thread wants.
#[derive(Default)]
struct Wishes {
    is_hungry: AtomicBool,
    /// It has asked for something.
    has_begun: AtomicBool,
    /// ns to go on from. Held while a buffer is pushed.
    place: Mutex<Option<i64>>,
}

/// A track on its way to the pipeline.
pub(super) struct Output {
    pub(super) source: gst_app::AppSrc,
    pub(super) kind: Kind,
    wishes: Arc<Wishes>,
    codec: Codec,
    /// Its codec is none of the pipeline's any more.
    is_left_out: bool,
    /// Nothing comes any more.
    is_over: bool,
    /// ns; where the latest frame is, of those since the source went elsewhere.
    pushed: Option<i64>,
    /// Frames up to there were pushed before.
    skips: bool,
    /// ns; where the source has gone.
    from: i64,
    begins_anew: bool,
}

impl Output {
    /// A source of so many ns, where that is known and can be sought in.
    pub(super) fn new(codec: Codec, duration: Option<i64>, calls: &Arc<Calls>) -> Self {
        let kind = codec.kind();
        let stream = match duration {
            Some(_) => gst_app::AppStreamType::Seekable,
            None => gst_app::AppStreamType::Stream,
        };
        let source = gst_app::AppSrc::builder()
            .name(match kind {
                Kind::Audio => "hls-audio",
                Kind::Video => "hls-video",
            })
            .format(gst::Format::Time)
            .stream_type(stream)
            .block(false)
            .max_bytes(0)
            .max_buffers(0)
            .max_time(HELD)
            .caps(&caps(&codec))
            .build();
        source.set_property("min-percent", HALF);
        if let Some(duration) = duration {
            source.set_duration(time(duration));
        }
        let wishes = Arc::new(Wishes::default());
        listen(&source, &wishes, calls);
        Self {
            source,
            kind,
            wishes,
            codec,
            is_left_out: false,
            is_over: false,
            pushed: None,
            skips: false,
            from: 0,
            begins_anew: false,
        }
    }

    /// It can be pushed to.
    pub(super) fn has_begun(&self) -> bool {
        self.wishes.has_begun.load(Relaxed)
    }

    pub(super) fn is_hungry(&self) -> bool {
        self.wishes.is_hungry.load(Relaxed) && self.source.current_level_bytes() < MOST_HELD
    }

    /// Where the source wants to go on, if that is another place.
    pub(super) fn sought(&mut self) -> Option<i64> {
        let place = lock(&self.wishes.place).take()?;
        let is_there = self.pushed.is_none() && place == self.from;
        (self.pushed, self.skips, self.is_over, self.from) = (None, false, false, place);
        (!is_there).then_some(place)
    }

    /// What comes begins elsewhere, and may have been pushed already.
    pub(super) fn begin_anew(&mut self) {
        self.skips = self.pushed.is_some();
        self.begins_anew = true;
    }

    /// What comes has this codec.
    pub(super) fn follow(&mut self, codec: &Codec) {
        if self.codec == *codec {
            self.is_left_out = false;
            return;
        }
        let (former, latter) = (caps(&self.codec), caps(codec));
        let media = |caps: &gst::Caps| caps.structure(0).map(|own| own.name().to_string());
        self.is_left_out = media(&former) != media(&latter);
        if self.is_left_out {
            tracing::warn!(%former, %latter, "another codec within an HLS stream is left out");
        } else {
            self.codec = codec.clone();
            self.source.set_caps(Some(&latter));
        }
    }

    /// Gives a frame whose times are `offset` ns later in the stream. `is_passed_on`: nothing decodes it, so it must not
    /// be cut off at the place that was sought.
    pub(super) fn give(&mut self, frame: Frame, offset: i64, is_passed_on: bool) {
        let placed = |time: Option<i64>| time.map(|time| time.saturating_add(offset));
        let (shown, decoded) = (placed(frame.time), placed(frame.decode_time));
        if self.skips {
            // In the order in which they come.
            let at = decoded.or(shown);
            self.skips = at.is_none_or(|at| self.pushed.is_some_and(|pushed| at <= pushed));
        }
        if self.is_left_out
            || self.skips
            || shown.is_some_and(|time| time < 0 && self.kind == Kind::Audio)
        {
            return;
        }
        let late = |time: i64| match is_passed_on && time < self.from && time >= self.from - EARLY {
            true => self.from,
            false => time.max(0),
        };
        let mut buffer = gst::Buffer::from_slice(frame.bytes);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(shown.map(late).map(time));
            buffer.set_dts(decoded.map(late).map(time));
            if frame.duration > 0 {
                buffer.set_duration(time(frame.duration));
            }
            if frame.is_delta {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            if std::mem::take(&mut self.begins_anew) {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        let place = lock(&self.wishes.place);
        if place.is_none() {
            // A source that stopped takes nothing; it asks again or is dropped.
            let _ = self.source.push_buffer(buffer);
            self.pushed = decoded.or(shown).or(self.pushed);
        }
        drop(place);
    }

    /// Nothing follows.
    pub(super) fn end(&mut self) {
        let place = lock(&self.wishes.place);
        if place.is_none() && !self.is_over {
            self.is_over = true;
            self.wishes.is_hungry.store(false, Relaxed);
            // The same.
            let _ = self.source.end_of_stream();
        }
        drop(place);
    }

    /// ns that it holds.
    pub(super) fn level(&self) -> i64 {
        i64::try_from(self.source.current_level_time().nseconds()).unwrap_or(i64::MAX)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.source.current_level_bytes() == 0
    }
}

fn time(ns: i64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(u64::try_from(ns).unwrap_or(0))
}

/// Passes on what `source` asks for.
fn listen(source: &gst_app::AppSrc, wishes: &Arc<Wishes>, calls: &Arc<Calls>) {
    let (more, enough, place) = (wishes.clone(), wishes.clone(), wishes.clone());
    let (hungry, sought) = (calls.clone(), calls.clone());
    source.set_callbacks(
        gst_app::AppSrcCallbacks::builder()
            .need_data(move |_, _| {
                more.has_begun.store(true, Relaxed);
                more.is_hungry.store(true, Relaxed);
                hungry.hungry.notify_one();
            })
            .enough_data(move |_| enough.is_hungry.store(false, Relaxed))
            .seek_data(move |_, offset| {
                // What is pushed before this is thrown away by who asks, after this it asks anew.
                let mut wanted = lock(&place.place);
                *wanted = Some(i64::try_from(offset).unwrap_or(i64::MAX));
                place.is_hungry.store(false, Relaxed);
                sought.sought.notify_one();
                true
            })
            .build(),
    );
}
