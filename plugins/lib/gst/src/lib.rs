//! The bridge between modules and GStreamer.
//!
//! Media crosses it without being copied: a packet's bytes become the memory of a `GstBuffer`, a
//! `GstBuffer` becomes the owner of a packet's bytes.
//!
//! * [`init`]: once for the process, from any thread, any number of times. What GStreamer logs goes into the
//!   server's log from then on.
//! * [`element`]: elements by name; a missing one is an error that names the package to install.
//! * [`buffer`], [`caps`], [`time`]: bytes, formats and times, both ways.
//! * [`picture`]: raw pictures, which packets carry without gaps.
//! * [`chain`]: elements in a row, driven by the caller's thread.
//! * [`app`]: `appsrc` and `appsink`, for pipelines that have threads of their own.
//! * [`pipeline`], [`bus`]: a pipeline that ends with its owner, and what it reports.
//! * [`playback`], [`outlet`]: whatever GStreamer can decode, as packets into pads at their time.
//!
//! GStreamer's own crates are re-exported, so that all modules use the same version.

mod aifc;
pub mod app;
pub mod buffer;
pub mod bus;
pub mod caps;
pub mod chain;
pub mod element;
mod error;
mod factories;
mod fit;
mod gaps;
mod gif;
mod index;
mod log;
pub mod outlet;
mod passing;
pub mod picture;
pub mod pipeline;
pub mod playback;
mod repeater;
pub mod time;
mod track;

use std::sync::OnceLock;

pub use gstreamer as gst;
pub use gstreamer_app as gst_app;
pub use gstreamer_audio as gst_audio;
pub use gstreamer_video as gst_video;

pub use error::{Domain, Error, StreamError};

/// Initialises GStreamer; later calls only look whether the first one succeeded.
///
/// # Errors
/// What GStreamer says.
pub fn init() -> Result<(), Error> {
    static OUTCOME: OnceLock<Result<(), String>> = OnceLock::new();
    let outcome = OUTCOME.get_or_init(|| {
        gst::init().map_err(|error| error.to_string())?;
        log::redirect();
        aifc::register().map_err(|error| error.to_string())?;
        gif::register().map_err(|error| error.to_string())?;
        Ok(())
    });
    outcome.clone().map_err(Error::Init)
}
