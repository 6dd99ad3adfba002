//! How far the sound of a port is behind, so that its picture waits for it.
//!
//! Sound is heard once its reserve is there, which is as long as packets of it come late. A picture that was shown as soon as
//! it came would be ahead by that much: viewers see from 40 ms on that lips and words do not fit.

use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

/// Behind by more than this, ns, or ahead, are times that a sender has wrong.
const MOST: i64 = 500_000_000;
/// Part of a change that is followed with each frame of 10 ms: packets come in steps of 20 ms.
const PACE: i64 = 16;

/// What the sound of a port tells its pictures, ns; 0 for nothing. It stands for itself, so relaxed is enough.
#[derive(Default)]
pub(crate) struct Lag(AtomicI64);

impl Lag {
    /// What is heard at `now` was to be heard at `time`.
    pub(crate) fn step(&self, now: i64, time: i64) {
        let (former, behind) = (self.0.load(Relaxed), now - time);
        let lag = match (former, behind) {
            (_, ..0 | MOST..) => 0,
            (0, _) => behind,
            _ => former + (behind - former) / PACE,
        };
        self.0.store(lag, Relaxed);
    }

    /// By how much, ns; `None` where nothing is known.
    pub(crate) fn get(&self) -> Option<i64> {
        Some(self.0.load(Relaxed)).filter(|lag| *lag != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_followed_slowly_and_wrong_times_are_none() {
        let lag = Lag::default();
        assert_eq!(lag.get(), None);
        lag.step(1_000_000_000, 960_000_000);
        assert_eq!(lag.get(), Some(40_000_000));
        lag.step(1_010_000_000, 810_000_000);
        assert_eq!(lag.get(), Some(50_000_000));
        for _ in 0..200 {
            lag.step(1_010_000_000, 810_000_000);
        }
        assert!(lag.get().unwrap().abs_diff(200_000_000) < 1000);
        for wrong in [1_010_000_001, 0] {
            lag.step(1_010_000_000, wrong);
            assert_eq!(lag.get(), None);
        }
    }
}
