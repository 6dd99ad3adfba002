//! Where media can be played from, and how long it is.

use rivero_gst::{gst, gst::prelude::*};

/// All in ms.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Range {
    pub(crate) is_seekable: bool,
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// 0 where unknown.
    pub(crate) duration: i64,
}

impl Range {
    /// What is known of the media that plays.
    pub(crate) fn of(pipeline: &gst::Pipeline) -> Self {
        let duration = pipeline.query_duration::<gst::ClockTime>();
        let duration = duration.map_or(0, milliseconds);
        let mut query = gst::query::Seeking::new(gst::Format::Time);
        if !pipeline.query(&mut query) {
            return Self {
                duration,
                ..Self::default()
            };
        }
        let (is_seekable, first, last) = query.result();
        let time = |value: gst::GenericFormattedValue| match value {
            gst::GenericFormattedValue::Time(Some(time)) => milliseconds(time),
            _ => 0,
        };
        Self {
            is_seekable,
            first: time(first),
            last: time(last),
            duration,
        }
    }
}

pub(crate) fn milliseconds(time: gst::ClockTime) -> i64 {
    i64::try_from(time.mseconds()).unwrap_or(i64::MAX)
}
