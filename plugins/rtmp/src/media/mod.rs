//! Between frames on the pipeline's clock and messages of RTMP. No clock and no I/O of its own.
//!
//! Out: [`Backlog`] keeps what cannot be sent yet, in one order for sound and pictures, and leaves whole groups of pictures out
//! when there is too much of it. [`Muxer`] makes messages of frames. [`Rate`] is what the source is asked for, and
//! [`Keyframes`] when it is asked for keyframes.
//!
//! In: [`Demuxer`] makes frames of messages, [`Timeline`] places them on the pipeline's clock.

mod backlog;
mod clock;
mod demuxer;
mod keyframes;
mod muxer;
mod rate;
mod silence;
mod timeline;

pub(crate) use backlog::{Backlog, Outgoing};
pub(crate) use demuxer::{Demuxed, Demuxer, Incoming};
pub(crate) use keyframes::{Keyframes, LOOK};
pub(crate) use muxer::{Formats, Muxer, coding};
pub(crate) use rate::Rate;
pub(crate) use silence::Silence;
pub(crate) use timeline::{Stamps, Timeline};

use rivero_plugin_api::Bytes;

/// ns
pub(crate) const MS: i64 = 1_000_000;

/// Sound or pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Audio,
    Video,
}

/// A frame as it comes from a pad.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    /// Number of its format.
    pub(crate) format: u32,
    /// ns on the pipeline's clock.
    pub(crate) presentation_time: i64,
    pub(crate) is_keyframe: bool,
    pub(crate) data: Bytes,
}
