//! One playing of a source: a pipeline of GStreamer from its beginning to its end.

use rivero_gst::{
    StreamError, element, gst,
    gst::prelude::*,
    gst_app::AppSrc,
    outlet::Outlet,
    playback::{self, Tell},
};
use rivero_proxy::Names;

use crate::{failure::Failure, feed::Feed, hls::Streams, source::Source};

/// What may be wrong with a server that only sends the whole of a file.
const NEEDS_PARTS: &str = "The server does not answer requests for parts of it (ranges): what has its index behind the media can only be played from servers that do.";
/// How full the buffer has to be of what has no end, of 2 s: who listens to a radio wants to hear it.
const RADIO: &str = "0.2";

/// See the head of this file. Dropping it ends it.
pub(crate) struct Playback {
    playback: playback::Playback,
    /// What is read: elements may be made anew as long as it plays.
    origin: Origin,
}

/// What a playback reads.
pub(crate) enum Origin {
    Element(Source),
    Feed(Feed),
}

impl Playback {
    /// A playback that stands still. `encoded`: media is passed on as it is.
    ///
    /// # Errors
    /// [`Failure::Pipeline`]
    pub(crate) fn new(
        origin: Origin,
        encoded: bool,
        outlets: Vec<Outlet>,
        tell: Tell,
    ) -> Result<Self, Failure> {
        let heads = match &origin {
            Origin::Element(source) => vec![reader(source)?],
            Origin::Feed(feed) => match feed.streams() {
                Some(streams) => each_decoded(streams)?,
                None => vec![fed(feed)?],
            },
        };
        Ok(Self {
            playback: playback::Playback::of_several(&heads, encoded, outlets, tell)?,
            origin,
        })
    }

    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        self.playback.pipeline()
    }

    /// See [`playback::Playback::is_ready`].
    pub(crate) fn is_ready(&self) -> bool {
        self.playback.is_ready()
    }

    /// See [`playback::Playback::is_stuck`].
    pub(crate) fn is_stuck(&self) -> bool {
        let tells = match &self.origin {
            Origin::Element(source) => source.is_file(),
            Origin::Feed(_) => true,
        };
        tells && !self.began() && self.playback.is_stuck()
    }

    /// What an element's error means.
    pub(crate) fn failure(&self, error: StreamError) -> Failure {
        match &self.origin {
            Origin::Element(source) => source.failure(error, self.began()),
            Origin::Feed(feed) => {
                let needs_parts = error.element.starts_with("qtdemux");
                match Failure::new(error, self.began()) {
                    Failure::Media(text) if needs_parts && !feed.nature().is_seekable => {
                        Failure::Media(format!("{text} {NEEDS_PARTS}"))
                    }
                    failure => failure,
                }
            }
        }
    }

    /// See [`Source::names`].
    pub(crate) fn names(&self) -> Option<&Names> {
        match &self.origin {
            Origin::Element(source) => source.names(),
            Origin::Feed(_) => None,
        }
    }

    /// What plays comes as it is made, and cannot be waited for for ever.
    pub(crate) fn is_live_source(&self) -> bool {
        matches!(&self.origin, Origin::Element(source) if !source.is_file())
    }

    /// It comes from a server that was asked for it, which can be asked again.
    pub(crate) fn is_connection(&self) -> bool {
        self.names().is_some()
    }

    /// Where frames begin that can be passed on as they are, at or before ns; `None` where the pipeline finds that out.
    pub(crate) fn beginning(&self, place: i64) -> Option<i64> {
        let Origin::Feed(feed) = &self.origin else {
            return None;
        };
        let beginnings = &feed.streams()?.beginnings;
        { beginnings.iter().rev() }
            .find(|beginning| **beginning <= place)
            .copied()
    }

    /// See [`playback::Playback::packets`].
    pub(crate) fn packets(&self) -> u64 {
        self.playback.packets()
    }

    /// See [`playback::Playback::stand_still`].
    pub(crate) fn stand_still(&self, stands_still: bool) {
        self.playback.stand_still(stands_still);
    }

    /// See [`playback::Playback::is_still_image`].
    pub(crate) fn is_still_image(&self) -> bool {
        self.playback.is_still_image()
    }

    /// Media flowed.
    pub(crate) fn began(&self) -> bool {
        self.playback.began()
    }
}

/// What reads a URI and decodes it.
fn reader(source: &Source) -> Result<Vec<gst::Element>, Failure> {
    if source.uri().starts_with("rtmp://") {
        // By name: the other element for such URIs, of librtmp, connects to wherever a server redirects.
        let reader = element::make("rtmp2src")?;
        reader.set_property("location", source.uri());
        return Ok(vec![reader, element::make("decodebin")?]);
    }
    let decoder = element::make("uridecodebin")?;
    decoder.set_property("uri", source.uri());
    let setup = source.setup().clone();
    decoder.connect("source-setup", false, move |values| {
        let source = values.get(1)?.get::<gst::Element>().ok()?;
        setup.apply(&source);
        None
    });
    Ok(vec![decoder])
}

/// The tracks of a stream, each decoded by itself. They are buffered where they come from.
fn each_decoded(streams: &Streams) -> Result<Vec<Vec<gst::Element>>, Failure> {
    let decoded = |source: &AppSrc| Ok(vec![source.clone().upcast(), element::make("decodebin")?]);
    streams.sources.iter().map(decoded).collect()
}

/// What a network brings, buffered, and decoded.
fn fed(feed: &Feed) -> Result<Vec<gst::Element>, Failure> {
    let source = feed.element().clone().upcast();
    let nature = feed.nature();
    if nature.is_pictures {
        return Ok(vec![source, element::make("decodebin")?]);
    }
    let buffer = element::make("queue2")?;
    element::set(&buffer, "use-buffering", "true");
    if !nature.has_length {
        element::set(&buffer, "high-watermark", RADIO);
    }
    let decoder = element::make("decodebin")?;
    Ok(vec![source, buffer, decoder])
}
