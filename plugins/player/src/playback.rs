//! One playing of a source: a pipeline of GStreamer from its beginning to its end.

use std::sync::Arc;

use rivero_gst::{
    element, gst,
    gst::prelude::*,
    outlet::Outlet,
    playback::{self, Tell},
};

use crate::{failure::Failure, source::Source};

/// See the head of this file. Dropping it ends it.
pub(crate) struct Playback {
    playback: playback::Playback,
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
        let source = Arc::new(source);
        let decoder = element::make("uridecodebin")?;
        decoder.set_property("uri", source.uri());
        let setup = source.setup().clone();
        decoder.connect("source-setup", false, move |values| {
            let source = values.get(1)?.get::<gst::Element>().ok()?;
            setup.apply(&source);
            None
        });
        Ok(Self {
            playback: playback::Playback::new(&[&decoder], encoded, outlets, tell)?,
            _source: source,
        })
    }

    pub(crate) fn pipeline(&self) -> &gst::Pipeline {
        self.playback.pipeline()
    }

    /// Media flowed.
    pub(crate) fn began(&self) -> bool {
        self.playback.began()
    }
}
