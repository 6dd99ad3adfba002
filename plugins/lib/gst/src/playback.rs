//! Whatever GStreamer can decode, from its beginning to its end: the first track of each kind
//! flows into a pad.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_plugin_api::{MediaKind, supervise::lock};

use crate::{Error, bus::Report, element, factories, outlet::Outlet, pipeline::Pipeline, track};

/// Threads of one decoder.
const DECODER_THREADS: &str = "2";
/// What happens to a playback; told on GStreamer's threads.
#[derive(Debug)]
pub enum Notice {
    /// See [`Report`].
    Report(Report),
    /// There is neither sound nor picture.
    Empty,
    /// A track's elements cannot be made.
    Failed(Error),
}

/// Is told what happens; see [`crate::bus::watch`] for what it may do.
pub type Tell = Arc<dyn Fn(Notice) + Send + Sync>;

/// See the head of this file. Dropping it ends it.
pub struct Playback {
    pipeline: Pipeline,
    tracks: Arc<Tracks>,
    is_ready: Arc<AtomicBool>,
}

impl Playback {
    /// A playback that stands still. Let it go on only when [`Self::is_ready`] says so. `head`: elements that end with a `decodebin` or a
    /// `uridecodebin`. `encoded`: media is passed on as it is, where packets can carry it.
    ///
    /// # Errors
    /// Elements that are missing or do not fit.
    pub fn new(
        head: &[&gst::Element],
        encoded: bool,
        outlets: Vec<Outlet>,
        tell: Tell,
    ) -> Result<Self, Error> {
        let is_ready = Arc::new(AtomicBool::new(false));
        let (reports, ready) = (tell.clone(), is_ready.clone());
        let pipeline = Pipeline::new(move |report| {
            if matches!(report, Report::AsyncDone) {
                ready.store(true, Relaxed);
            }
            reports(Notice::Report(report));
        })?;
        pipeline.add_row(head)?;
        let Some(decoder) = head.last() else {
            return Err(Error::Link("nothing".to_owned()));
        };
        if let Some(caps) = encoded.then(track::passed_on).flatten() {
            decoder.set_property("caps", caps);
        }
        watch_elements(decoder);
        let tracks = Arc::new(Tracks {
            pipeline: pipeline.gst().downgrade(),
            outlets,
            found: Mutex::default(),
            began: Arc::default(),
            tell,
        });
        tracks.clone().attach(decoder);
        Ok(Self {
            pipeline,
            tracks,
            is_ready,
        })
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &gst::Pipeline {
        self.pipeline.gst()
    }

    /// Media flowed.
    pub fn began(&self) -> bool {
        self.tracks.began.load(Relaxed)
    }

    /// All tracks have their first frame. Before, the state must not be above `PAUSED`, unless
    /// the source is live: a track that is found on the way to `PLAYING` would play without a
    /// clock, at once to its end. [`Report::AsyncDone`] tells when this changes.
    pub fn is_ready(&self) -> bool {
        self.is_ready.load(Relaxed)
    }

    /// Nothing was found and nobody searches any more. `decodebin` sometimes takes the error of
    /// a demultiplexer that fails at once for its own, and keeps it. Sources that connect
    /// without a pad's task (RTSP) look the same before they have.
    pub fn is_stuck(&self) -> bool {
        self.tracks.found().is_empty() && !has_running_task(self.pipeline.gst())
    }
}

/// Whether some pad below pulls or pushes media.
fn has_running_task(bin: &gst::Pipeline) -> bool {
    let runs = |element: &gst::Element| {
        let pads = element.pads();
        pads.iter()
            .any(|pad| pad.task_state() == gst::TaskState::Started)
    };
    bin.iterate_recurse()
        .into_iter()
        .flatten()
        .any(|element| runs(&element))
}

/// Sets elements as they are made, and leaves out those of factories that are not allowed.
fn watch_elements(decoder: &gst::Element) {
    decoder.connect("autoplug-select", false, |values| {
        let factory = values
            .get(3)
            .and_then(|value| value.get::<gst::ElementFactory>().ok());
        let is_allowed = factory.is_some_and(|factory| factories::is_allowed(&factory));
        autoplug(if is_allowed { "try" } else { "skip" })
    });
    if let Some(bin) = decoder.downcast_ref::<gst::Bin>() {
        bin.connect_deep_element_added(|_, _, element| {
            element::set(element, "max-threads", DECODER_THREADS);
        });
    }
}

/// A value of GStreamer's `GstAutoplugSelectResult`, a type without a binding.
fn autoplug(nick: &str) -> Option<gst::glib::Value> {
    let kind = gst::glib::Type::from_name("GstAutoplugSelectResult")?;
    gst::glib::EnumClass::with_type(kind)?.to_value_by_nick(nick)
}

/// The first track of each kind gets an outlet. Where the media is another from some point on, as
/// in chained Ogg, the decoder removes its pads without an end, and adds new ones.
struct Tracks {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    outlets: Vec<Outlet>,
    found: Mutex<Vec<Track>>,
    /// Media flowed.
    began: Arc<AtomicBool>,
    tell: Tell,
}

struct Track {
    kind: MediaKind,
    /// Of the decoder; `None` since it was removed.
    pad: Option<gst::Pad>,
    row: Row,
}

/// The elements of a track.
#[derive(Default)]
struct Row {
    /// Media type that they were made for.
    media: String,
    elements: Vec<gst::Element>,
}

impl Row {
    fn input(&self) -> Option<gst::Pad> {
        self.elements.first()?.static_pad("sink")
    }

    /// Whether they can go on with other media.
    fn fits(&self, caps: &gst::Caps) -> bool {
        let accepts = |pad: gst::Pad| pad.query_accept_caps(caps);
        media(caps) == self.media && self.input().is_some_and(accepts)
    }

    fn remove_from(&self, pipeline: &gst::Pipeline) {
        for element in &self.elements {
            // Nothing feeds them any more, and nobody keeps them.
            let _ = element.set_state(gst::State::Null);
            let _ = pipeline.remove(element);
        }
    }
}

fn media(caps: &gst::CapsRef) -> &str {
    caps.structure(0)
        .map_or("", |structure| structure.name().as_str())
}

impl Tracks {
    fn attach(self: Arc<Self>, decoder: &gst::Element) {
        let tracks = self.clone();
        decoder.connect_pad_added(move |_, pad| {
            if let Err(error) = tracks.add(pad) {
                (tracks.tell)(Notice::Failed(error));
            }
        });
        let tracks = self.clone();
        decoder.connect_pad_removed(move |_, pad| {
            let mut found = tracks.found();
            let track = { found.iter_mut() }.find(|track| track.pad.as_ref() == Some(pad));
            if let Some(track) = track {
                track.pad = None;
            }
        });
        decoder.connect_no_more_pads(move |_| {
            self.remove_ended();
            if self.found().is_empty() {
                (self.tell)(Notice::Empty);
            }
        });
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Vec<Track>> {
        lock(&self.found)
    }

    fn outlet(&self, kind: MediaKind) -> Option<&Outlet> {
        self.outlets.iter().find(|outlet| outlet.kind == kind)
    }

    /// Removes what nothing flows into any more: else its end would be waited for.
    fn remove_ended(&self) {
        let ended: Vec<_> = { self.found() }
            .extract_if(.., |track| track.pad.is_none())
            .collect();
        let Some(pipeline) = self.pipeline.upgrade() else {
            return;
        };
        for track in ended {
            track.row.remove_from(&pipeline);
            if let Some(outlet) = self.outlet(track.kind) {
                outlet.pad.set_format(None);
            }
        }
    }

    /// Takes a pad for the track of a kind, and gives what the track before left behind; `None`
    /// when there is another track of that kind.
    fn claim(&self, kind: MediaKind, pad: &gst::Pad) -> Option<Row> {
        let mut found = self.found();
        let pad = Some(pad.clone());
        if let Some(track) = found.iter_mut().find(|track| track.kind == kind) {
            if track.pad.is_some() {
                return None;
            }
            track.pad = pad;
            return Some(std::mem::take(&mut track.row));
        }
        let row = Row::default();
        found.push(Track { kind, pad, row });
        Some(Row::default())
    }

    fn add(&self, pad: &gst::Pad) -> Result<(), Error> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return Ok(());
        };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(kind) = track::kind(&caps) else {
            return Ok(());
        };
        let Some(outlet) = self.outlet(kind) else {
            return Ok(());
        };
        let Some(former) = self.claim(kind, pad) else {
            return Ok(()); // the first of a kind only
        };
        let row = if former.fits(&caps) {
            former
        } else {
            former.remove_from(&pipeline);
            self.make(outlet, &caps, &pipeline)?
        };
        let link = || Error::Link(format!("the decoder ({caps})"));
        let input = row.input().ok_or_else(link)?;
        if let Some(track) = self.found().iter_mut().find(|track| track.kind == kind) {
            track.row = row;
        }
        pad.link(&input).map_err(|_| link())?;
        Ok(())
    }

    /// The elements for such media, up to its outlet, ready for it.
    fn make(
        &self,
        outlet: &Outlet,
        caps: &gst::Caps,
        pipeline: &gst::Pipeline,
    ) -> Result<Row, Error> {
        let mut elements = track::elements(caps)?;
        let began = self.began.clone();
        elements.push(
            outlet
                .clone()
                .element(move || began.store(true, Relaxed))
                .upcast(),
        );
        let link = |_| Error::Link(format!("a track ({caps})"));
        pipeline.add_many(&elements).map_err(link)?;
        gst::Element::link_many(&elements).map_err(link)?;
        // From the end, so that each finds the next one ready.
        for element in elements.iter().rev() {
            element
                .sync_state_with_parent()
                .map_err(|_| Error::State(element.name().to_string()))?;
        }
        let media = media(caps).to_owned();
        Ok(Row { media, elements })
    }
}
