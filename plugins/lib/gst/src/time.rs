//! The pipeline clock of the host and the running time of a GStreamer pipeline.
//!
//! Both count nanoseconds of the monotonic clock; they differ by when they began.

use gstreamer as gst;
use gstreamer::prelude::*;

/// The moment at which a GStreamer pipeline's running time is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunningTime {
    /// ns on the pipeline clock of the host.
    zero: i64,
}

impl RunningTime {
    /// Running time 0 is at `zero` ns on the host's pipeline clock.
    pub fn starting_at(zero: i64) -> Self {
        Self { zero }
    }

    /// For a pipeline that plays and follows its clock; `now` is the host's pipeline clock. `None`
    /// before the pipeline has a running time.
    pub fn of(pipeline: &gst::Pipeline, now: i64) -> Option<Self> {
        let running = i64::try_from(pipeline.current_running_time()?.nseconds()).ok()?;
        Some(Self::starting_at(now.saturating_sub(running)))
    }

    /// A time on the host's pipeline clock; what lies before the start is 0.
    pub fn to_running(self, presentation_time: i64) -> gst::ClockTime {
        let since = presentation_time.saturating_sub(self.zero);
        gst::ClockTime::from_nseconds(u64::try_from(since).unwrap_or(0))
    }

    /// ns on the host's pipeline clock.
    pub fn from_running(self, running: gst::ClockTime) -> i64 {
        self.zero.saturating_add_unsigned(running.nseconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let time = RunningTime::starting_at(5_000_000_000);
        let running = time.to_running(5_020_000_000);
        assert_eq!(running, gst::ClockTime::from_mseconds(20));
        assert_eq!(time.from_running(running), 5_020_000_000);
        assert_eq!(time.to_running(4_000_000_000), gst::ClockTime::ZERO);
    }

    #[test]
    fn a_playing_pipeline_has_one() {
        crate::init().unwrap();
        let pipeline = gst::Pipeline::new();
        assert_eq!(RunningTime::of(&pipeline, 7), None);
        pipeline.set_state(gst::State::Playing).unwrap();
        let time = RunningTime::of(&pipeline, 1_000_000_000_000).unwrap();
        let running = time.to_running(1_000_000_000_000);
        assert!(running < gst::ClockTime::from_seconds(100), "{running}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}
