//! A pipeline that ends with its owner.

use gstreamer as gst;
use gstreamer::prelude::*;

use crate::{Error, bus};

/// A GStreamer pipeline; dropping it stops its threads.
///
/// It must not be dropped on one of its own streaming threads.
#[derive(Debug)]
pub struct Pipeline(gst::Pipeline);

impl Pipeline {
    /// An empty pipeline. `handler` gets its reports, see [`bus::watch`].
    ///
    /// # Errors
    /// [`Error::Init`].
    pub fn new(handler: impl Fn(bus::Report) + Send + Sync + 'static) -> Result<Self, Error> {
        crate::init()?;
        let pipeline = gst::Pipeline::new();
        // A new pipeline has a bus.
        let _ = bus::watch(&pipeline, handler);
        Ok(Self(pipeline))
    }

    /// GStreamer's own object.
    pub fn gst(&self) -> &gst::Pipeline {
        &self.0
    }

    /// Adds elements and links them one after the other.
    ///
    /// # Errors
    /// [`Error::Link`] with the names of the two that do not fit.
    pub fn add_row(&self, elements: &[&gst::Element]) -> Result<(), Error> {
        for element in elements {
            self.0
                .add(*element)
                .map_err(|_| Error::Link(element.name().to_string()))?;
        }
        link_row(elements)
    }

    /// Begins a change of state; whether it went well is reported.
    ///
    /// # Errors
    /// [`Error::State`] when it fails at once.
    pub fn set_state(&self, state: gst::State) -> Result<gst::StateChangeSuccess, Error> {
        self.0
            .set_state(state)
            .map_err(|_| Error::State("the pipeline".to_owned()))
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        // To Null it cannot fail.
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// Links elements one after the other.
///
/// # Errors
/// [`Error::Link`] with the names of the two that do not fit.
pub(crate) fn link_row(elements: &[&gst::Element]) -> Result<(), Error> {
    for (from, to) in elements.iter().zip(elements.iter().skip(1)) {
        from.link(*to)
            .map_err(|_| Error::Link(format!("{} and {}", from.name(), to.name())))?;
    }
    Ok(())
}
