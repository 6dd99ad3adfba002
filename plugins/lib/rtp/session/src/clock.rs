//! The two clocks of a session, and the grid of timers that are not urgent.

use std::time::{Duration, Instant};

/// How exact the time of what is not urgent is: regular reports, the end of silent media. It delays a
/// report by 4 % of its interval at most, and lets a thread with a thousand sessions wake up 50 times
/// a second for all of them instead of once for each.
const GRID: Duration = Duration::from_millis(20);

/// Tells the time on the pipeline clock, by which packets are stamped. It and [`Instant`] are one
/// clock with two origins: all sessions of a process share this.
#[derive(Debug, Clone, Copy)]
pub struct PipelineClock {
    origin: Instant,
    /// What the pipeline clock shows at `origin`, ns.
    pipeline: i64,
}

impl PipelineClock {
    /// The pipeline clock shows `pipeline` ns at `origin`.
    #[must_use]
    pub const fn new(origin: Instant, pipeline: i64) -> Self {
        Self { origin, pipeline }
    }

    /// `now` on the pipeline clock, ns.
    #[inline]
    #[must_use]
    pub fn nanoseconds(&self, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.origin).as_nanos();
        self.pipeline + i64::try_from(passed).unwrap_or(0)
    }

    /// `now` on both clocks.
    #[inline]
    pub(crate) fn at(&self, now: Instant) -> Now {
        Now {
            instant: now,
            pipeline: self.nanoseconds(now),
        }
    }

    /// The next step after `due` of a grid of 20 ms that all sessions with this clock share: what is
    /// not urgent is done for many of them at once.
    #[must_use]
    pub fn coarse(&self, due: Instant) -> Instant {
        let passed = due.saturating_duration_since(self.origin).as_millis();
        let steps = passed / GRID.as_millis() + 1;
        self.origin + GRID * u32::try_from(steps).unwrap_or(u32::MAX)
    }
}

/// The present on both clocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) instant: Instant,
    /// The same on the pipeline clock, ns.
    pub(crate) pipeline: i64,
}

impl Now {
    /// When something happened that has a time on the pipeline clock.
    #[inline]
    pub(crate) fn instant_of(&self, pipeline_time: i64) -> Instant {
        let age = u64::try_from(self.pipeline.saturating_sub(pipeline_time)).unwrap_or(0);
        self.instant
            .checked_sub(Duration::from_nanos(age))
            .unwrap_or(self.instant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_run_alike() {
        let origin = Instant::now();
        let clock = PipelineClock::new(origin, 7_000);
        let later = origin + Duration::from_millis(3);
        assert_eq!(clock.nanoseconds(later), 3_007_000);
        assert_eq!(
            clock.at(later).instant_of(1_007_000),
            origin + Duration::from_millis(1)
        );
        assert_eq!(clock.at(later).instant_of(9_000_000), later, "the future");
    }

    #[test]
    fn what_is_not_urgent_is_done_together_and_never_early() {
        let origin = Instant::now();
        let clock = PipelineClock::new(origin, 0);
        let at = |milliseconds| origin + Duration::from_millis(milliseconds);
        assert_eq!(clock.coarse(at(1)), at(20));
        assert_eq!(clock.coarse(at(19)), at(20));
        assert_eq!(clock.coarse(at(20)), at(40));
    }
}
