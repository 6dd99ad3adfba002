//! The unit that goes into a file.

use rivero_plugin_api::{Bytes, MediaKind};

/// One frame of a track on the time of the file.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) kind: MediaKind,
    /// When it is presented, ns from the beginning of the recording.
    pub(crate) time: i64,
    /// ns, 0 where only the next sample tells.
    pub(crate) duration: i64,
    pub(crate) keyframe: bool,
    pub(crate) data: Bytes,
}

impl Sample {
    /// Where it ends as far as it is known.
    pub(crate) fn end(&self) -> i64 {
        self.time.saturating_add(self.duration)
    }
}

/// One frame as it arrives, on the pipeline's clock.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// Number of its format.
    pub(crate) format: u32,
    /// ns on the pipeline's clock.
    pub(crate) presentation_time: i64,
    /// ns, 0 where unknown.
    pub(crate) duration: i64,
    pub(crate) keyframe: bool,
    /// Something before it is missing.
    pub(crate) discontinuity: bool,
    pub(crate) data: Bytes,
}
