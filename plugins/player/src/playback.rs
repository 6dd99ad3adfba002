//! One playing of a source: a pipeline of GStreamer from its beginning to its end.

use rivero_gst::{
    StreamError, element, gst,
    gst::prelude::*,
    outlet::Outlet,
    playback::{self, Tell},
};
use rivero_proxy::Names;

use crate::{failure::Failure, feed::Feed, source::Source};

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
        let head = match &origin {
            Origin::Element(source) => reader(source)?,
            Origin::Feed(feed) => fed(feed)?,
        };
        let head: Vec<&gst::Element> = head.iter().collect();
        Ok(Self {
            playback: playback::Playback::new(&head, encoded, outlets, tell)?,
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
            Origin::Feed(_) => Failure::new(error, self.began()),
        }
    }

    /// See [`Source::names`].
    pub(crate) fn names(&self) -> Option<&Names> {
        match &self.origin {
            Origin::Element(source) => source.names(),
            Origin::Feed(_) => None,
        }
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

/// What a network brings, buffered, and decoded.
fn fed(feed: &Feed) -> Result<Vec<gst::Element>, Failure> {
    let buffer = element::make("queue2")?;
    element::set(&buffer, "use-buffering", "true");
    let decoder = element::make("decodebin")?;
    Ok(vec![feed.element().clone().upcast(), buffer, decoder])
}
