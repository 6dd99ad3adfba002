//! One playing of a source: a pipeline of GStreamer from its beginning to its end.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use rivero_gst::{Error, bus::Report, element, gst, gst::prelude::*, pipeline::Pipeline};
use rivero_plugin_api::MediaKind;

use crate::{failure::Failure, outlet::Outlet, source::Source, track};

/// Threads of one decoder.
const DECODER_THREADS: &str = "2";
/// Lists of further URIs, which the policy would not get to see.
const PLAYLISTS: [&str; 7] = [
    "hlsdemux",
    "hlsdemux2",
    "dashdemux",
    "dashdemux2",
    "mssdemux",
    "mssdemux2",
    "sdpdemux",
];

/// What happens to a playback; told on GStreamer's threads.
#[derive(Debug)]
pub(crate) enum Notice {
    /// See [`Report`].
    Report(Report),
    /// There is neither sound nor picture.
    Empty,
    /// A track's elements cannot be made.
    Failed(Error),
}

type Tell = Arc<dyn Fn(Notice) + Send + Sync>;

/// See the head of this file. Dropping it ends it.
pub(crate) struct Playback {
    pipeline: Pipeline,
    /// Media flowed.
    began: Arc<AtomicBool>,
    /// What is read, and how: elements may be made anew as long as it plays.
    _source: Arc<Source>,
}

impl Playback {
    /// A playback that stands still. `encoded`: media is passed on as it is.
    ///
    /// # Errors
    /// [`Failure::Pipeline`]
    pub(crate) fn new(
        source: Source,
        encoded: bool,
        outlets: Vec<Outlet>,
        tell: Tell,
    ) -> Result<Self, Failure> {
        let (source, began) = (Arc::new(source), Arc::new(AtomicBool::new(false)));
        let reports = tell.clone();
        let pipeline = Pipeline::new(move |report| reports(Notice::Report(report)))?;
        let decoder = element::make("uridecodebin")?;
        decoder.set_property("uri", source.uri());
        if let Some(caps) = encoded.then(track::passed_on).flatten() {
            decoder.set_property("caps", caps);
        }
        watch_elements(&decoder, &source);
        let tracks = Arc::new(Tracks {
            pipeline: pipeline.gst().downgrade(),
            outlets,
            found: Mutex::default(),
            began: began.clone(),
            tell,
        });
        tracks.attach(&decoder);
        pipeline.add_row(&[&decoder])?;
        Ok(Self {
            pipeline,
            began,
            _source: source,
        })
    }

    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        self.pipeline.gst()
    }

    /// Media flowed.
    pub(crate) fn began(&self) -> bool {
        self.began.load(Relaxed)
    }
}

/// Sets elements as they are made, and leaves out those that would read other URIs.
fn watch_elements(decoder: &gst::Element, source: &Source) {
    let setup = source.setup().clone();
    decoder.connect("source-setup", false, move |values| {
        let source = values.get(1)?.get::<gst::Element>().ok()?;
        setup.apply(&source);
        None
    });
    decoder.connect("autoplug-select", false, |values| {
        let factory = values
            .get(3)
            .and_then(|value| value.get::<gst::ElementFactory>().ok());
        let is_playlist =
            factory.is_some_and(|factory| PLAYLISTS.contains(&factory.name().as_str()));
        autoplug(if is_playlist { "skip" } else { "try" })
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

/// The first track of each kind gets an outlet.
struct Tracks {
    pipeline: gst::glib::WeakRef<gst::Pipeline>,
    outlets: Vec<Outlet>,
    found: Mutex<Vec<MediaKind>>,
    began: Arc<AtomicBool>,
    tell: Tell,
}

impl Tracks {
    fn attach(self: Arc<Self>, decoder: &gst::Element) {
        let tracks = self.clone();
        decoder.connect_pad_added(move |_, pad| {
            if let Err(error) = tracks.add(pad) {
                (tracks.tell)(Notice::Failed(error));
            }
        });
        decoder.connect_no_more_pads(move |_| {
            if self.found().is_empty() {
                (self.tell)(Notice::Empty);
            }
        });
    }

    fn found(&self) -> std::sync::MutexGuard<'_, Vec<MediaKind>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, pad: &gst::Pad) -> Result<(), Error> {
        let Some(pipeline) = self.pipeline.upgrade() else {
            return Ok(());
        };
        let caps = pad.current_caps().unwrap_or_else(|| pad.query_caps(None));
        let Some(kind) = track::kind(&caps) else {
            return Ok(());
        };
        let Some(outlet) = self.outlets.iter().find(|outlet| outlet.kind == kind) else {
            return Ok(());
        };
        {
            let mut found = self.found();
            if found.contains(&kind) {
                return Ok(()); // the first of a kind only
            }
            found.push(kind);
        }
        let mut row = track::elements(&caps)?;
        let began = self.began.clone();
        row.push(
            outlet
                .clone()
                .element(move || began.store(true, Relaxed))
                .upcast(),
        );
        let link = |what: &str| Error::Link(format!("{what} ({caps})"));
        pipeline.add_many(&row).map_err(|_| link("a track"))?;
        gst::Element::link_many(&row).map_err(|_| link("a track"))?;
        // From the end, so that each finds the next one ready.
        for element in row.iter().rev() {
            element
                .sync_state_with_parent()
                .map_err(|_| Error::State(element.name().to_string()))?;
        }
        let sink = row.first().and_then(|first| first.static_pad("sink"));
        let sink = sink.ok_or_else(|| link("a track"))?;
        pad.link(&sink).map_err(|_| link("the decoder"))?;
        Ok(())
    }
}
