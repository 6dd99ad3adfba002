//! Whatever GStreamer can decode, from its beginning to its end: the first track of each kind
//! flows into a pad.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use rivero_plugin_api::{MediaKind, supervise::lock};

use crate::{
    Error, bus::Report, element, factories, gaps, index, outlet::Outlet, passing,
    pipeline::Pipeline, track,
};

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
        let head = head.iter().copied().cloned().collect();
        Self::of_several(&[head], encoded, outlets, tell)
    }

    /// The same, of several heads, which have a track each.
    ///
    /// # Errors
    /// The same.
    pub fn of_several(
        heads: &[Vec<gst::Element>],
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
        let mut decoders = Vec::new();
        for head in heads {
            pipeline.add_row(&head.iter().collect::<Vec<_>>())?;
            decoders.extend(head.last());
        }
        let tracks = Arc::new(Tracks {
            pipeline: pipeline.gst().downgrade(),
            outlets,
            found: Mutex::default(),
            left_out: Mutex::default(),
            began: Arc::default(),
            is_image: AtomicBool::default(),
            searching: AtomicUsize::new(decoders.len()),
            tell,
        });
        for outlet in &tracks.outlets {
            outlet.repeater.open();
        }
        for decoder in decoders {
            if let Some(caps) = encoded.then(track::passed_on).flatten() {
                decoder.set_property("caps", caps);
            }
            gaps::hold(decoder);
            watch_elements(decoder, &tracks);
            tracks.clone().attach(decoder);
        }
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

    /// Packets until now. Where there are none for long, nothing comes any more.
    pub fn packets(&self) -> u64 {
        let counts = self
            .tracks
            .outlets
            .iter()
            .map(|outlet| outlet.repeater.count());
        counts.sum()
    }

    /// Whether the client wants it to stand still: then the picture that it stands at is shown.
    pub fn stand_still(&self, stands_still: bool) {
        for outlet in &self.tracks.outlets {
            outlet.repeater.stand_still(stands_still);
        }
    }

    /// What plays is one picture without any time: it has no end.
    pub fn is_still_image(&self) -> bool {
        self.tracks.is_image.load(Relaxed) && self.packets() == 1
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

impl Drop for Playback {
    fn drop(&mut self) {
        for outlet in &self.tracks.outlets {
            outlet.repeater.close();
        }
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
fn watch_elements(decoder: &gst::Element, tracks: &Arc<Tracks>) {
    decoder.connect("autoplug-select", false, |values| {
        let factory = values
            .get(3)
            .and_then(|value| value.get::<gst::ElementFactory>().ok());
        let caps = values
            .get(2)
            .and_then(|value| value.get::<gst::Caps>().ok());
        let is_allowed = { factory.zip(caps) }
            .is_some_and(|(factory, caps)| factories::is_allowed(&factory, &caps));
        autoplug(if is_allowed { "try" } else { "skip" })
    });
    if let Some(bin) = decoder.downcast_ref::<gst::Bin>() {
        let tracks = Arc::downgrade(tracks);
        bin.connect_deep_element_added(move |_, _, element| {
            set_decoder(element);
            match element.factory().map(|factory| factory.name()).as_deref() {
                Some("qtdemux") => index::mend(element),
                Some("matroskademux") => gaps::wait(element),
                Some("decodebin") => gaps::hold(element),
                Some("typefind") => watch_type(element, tracks.clone()),
                _ => {}
            }
        });
    }
}

/// Notes whether what plays is an image.
fn watch_type(typefind: &gst::Element, tracks: Weak<Tracks>) {
    typefind.connect("have-type", false, move |values| {
        let caps = values.get(2)?.get::<gst::Caps>().ok()?;
        tracks
            .upgrade()?
            .is_image
            .store(media(&caps).starts_with("image/"), Relaxed);
        None
    });
}

/// Frames are not decoded side by side: each would wait in its thread for the next ones, and a film of one picture for
/// its end.
fn set_decoder(element: &gst::Element) {
    element::set(element, "max-threads", DECODER_THREADS);
    element::set(element, "thread-type", "slice");
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
    /// Why a track is left out that has no elements.
    left_out: Mutex<Option<Error>>,
    /// Media flowed.
    began: Arc<AtomicBool>,
    /// What plays is no film.
    is_image: AtomicBool,
    /// Decoders that have not said yet that they have found all they will.
    searching: AtomicUsize,
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

/// Adds elements to a pipeline, one after the other, and has them do what it does.
fn join(elements: &[gst::Element], pipeline: &gst::Pipeline) -> Result<(), Error> {
    let link = |_| Error::Link("the elements of a track".to_owned());
    pipeline.add_many(elements).map_err(link)?;
    gst::Element::link_many(elements).map_err(link)?;
    // From the end, so that each finds the next one ready.
    for element in elements.iter().rev() {
        element
            .sync_state_with_parent()
            .map_err(|_| Error::State(element.name().to_string()))?;
    }
    Ok(())
}

impl Tracks {
    fn attach(self: Arc<Self>, decoder: &gst::Element) {
        let tracks = self.clone();
        decoder.connect_pad_added(move |_, pad| {
            if let Err(error) = tracks.add(pad) {
                tracks.leave_out(pad, error);
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
        let is_first = AtomicBool::new(true);
        decoder.connect_no_more_pads(move |_| {
            self.remove_ended();
            if is_first.swap(false, Relaxed) {
                self.searching.fetch_sub(1, Relaxed);
            }
            if self.found().is_empty() && self.searching.load(Relaxed) == 0 {
                let error = lock(&self.left_out).take();
                (self.tell)(error.map_or(Notice::Empty, Notice::Failed));
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

    /// Goes on without a track: the other one does not fail with it.
    fn leave_out(&self, pad: &gst::Pad, error: Error) {
        tracing::warn!(%error, "a track is left out");
        let is_own = |track: &mut Track| track.pad.as_ref() == Some(pad);
        let left: Vec<_> = self.found().extract_if(.., is_own).collect();
        if let Some(pipeline) = self.pipeline.upgrade() {
            for track in left {
                track.row.remove_from(&pipeline);
            }
        }
        *lock(&self.left_out) = Some(error);
    }

    fn add(self: &Arc<Self>, pad: &gst::Pad) -> Result<(), Error> {
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
        let input = row.input();
        if let Some(track) = self.found().iter_mut().find(|track| track.kind == kind) {
            track.row = row;
        }
        let linked = input.is_some_and(|input| pad.link(&input).is_ok());
        linked.then_some(()).ok_or_else(link)
    }

    /// The elements for such media, up to its outlet, ready for it.
    fn make(
        self: &Arc<Self>,
        outlet: &Outlet,
        caps: &gst::Caps,
        pipeline: &gst::Pipeline,
    ) -> Result<Row, Error> {
        let mut elements = track::elements(caps)?;
        let began = self.began.clone();
        let sink = outlet
            .clone()
            .element(move || began.store(true, Relaxed))
            .upcast();
        let media = media(caps).to_owned();
        if let Some(last) = elements.last()
            && outlet.kind == MediaKind::Video
            && media != "video/x-raw"
        {
            self.watch_pictures(last, &sink);
        }
        elements.push(sink);
        let row = Row { media, elements };
        let joined = join(&row.elements, pipeline);
        if joined.is_err() {
            row.remove_from(pipeline);
        }
        joined.map(|()| row)
    }

    /// Decodes pictures that are to be passed on, if browsers cannot take them.
    fn watch_pictures(self: &Arc<Self>, last: &gst::Element, sink: &gst::Element) {
        let tracks = Arc::downgrade(self);
        let (own, ends) = (tracks.clone(), (last.downgrade(), sink.downgrade()));
        let decode = move || match (own.upgrade(), ends.0.upgrade(), ends.1.upgrade()) {
            (Some(tracks), Some(last), Some(sink)) => tracks.decode(&last, &sink),
            _ => Ok(()),
        };
        let failed = move |error| {
            if let Some(tracks) = tracks.upgrade() {
                (tracks.tell)(Notice::Failed(error));
            }
        };
        passing::watch(last, decode, failed);
    }

    /// Puts a decoder between two elements, on the thread that is about to push a picture from one into the other.
    fn decode(&self, last: &gst::Element, sink: &gst::Element) -> Result<(), Error> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return Ok(());
        };
        let caps = last.static_pad("src").and_then(|pad| pad.current_caps());
        let caps = caps.ok_or_else(|| Error::Link(last.name().to_string()))?;
        tracing::debug!(%caps, "pictures that browsers cannot take are decoded");
        let mut elements = vec![passing::decoder(&caps)?];
        elements.iter().for_each(set_decoder);
        elements.extend(track::elements(&gst::Caps::new_empty_simple(
            "video/x-raw",
        ))?);
        last.unlink(sink);
        join(&elements, &pipeline)?;
        let ends = elements.first().zip(elements.last());
        let linked = ends.map(|(first, end)| end.link(sink).and_then(|()| last.link(first)));
        if !matches!(linked, Some(Ok(()))) {
            return Err(Error::Link(format!("a decoder ({caps})")));
        }
        let mut found = self.found();
        let row = found.iter_mut().map(|track| &mut track.row.elements);
        if let Some(row) = { row }.find(|row| row.contains(sink)) {
            row.extend(elements);
        }
        Ok(())
    }
}
