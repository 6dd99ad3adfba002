//! HTTP Live Streaming: what a playlist names, brought to the pipeline as frames with their times.
//!
//! Read by code of our own (`rivero_hls`) and not by GStreamer's `hlsdemux`, which fetches by itself whatever a playlist
//! names: no policy would see where that leads. Each playlist, segment, header and key is a request of ours.
//!
//! A `session` reads one or two `rendition`s (pictures, and sound where that is apart) into `output`s, the sources of
//! the pipeline, one for each track.

mod caps;
mod output;
mod rendition;
mod resource;
mod session;

pub(crate) use output::Streams;
pub(crate) use session::Session;

/// ns of a second.
const SECOND: i64 = 1_000_000_000;
