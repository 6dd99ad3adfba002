//! When the estimate of a peer without transport-wide feedback (REMB) is a limit.
//!
//! Such a peer's estimate follows what arrives: it begins low and climbs, and says
//! nothing about its path as long as it climbs. It is a limit once the path has
//! shown itself: for a while after an estimate fell, or packets got lost.

use std::time::{Duration, Instant};

/// How long a sign of congestion counts.
const MEMORY: Duration = Duration::from_secs(10);
/// Loss that is a sign, in 1/256: 2 %.
const LOSS: u8 = 5;

/// What a receiver's estimates mean.
#[derive(Debug, Default)]
pub struct ReceiverEstimate {
    last: Option<u64>,
    congested: Option<Instant>,
}

impl ReceiverEstimate {
    /// Takes an estimate, bit/s, and the loss of the last report, in 1/256.
    /// Gives the limit, if there is one.
    pub fn update(&mut self, now: Instant, estimate: u64, loss: u8) -> Option<u64> {
        let last = self.last.replace(estimate);
        let fell = last.is_some_and(|last| estimate < last - last / 20);
        if fell || loss >= LOSS {
            self.congested = Some(now);
        }
        let since = self.congested.map(|at| now.saturating_duration_since(at))?;
        (since < MEMORY).then_some(estimate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_climbing_estimate_is_no_limit() {
        let (mut limit, now) = (ReceiverEstimate::default(), Instant::now());
        for second in 0..60 {
            let at = now + Duration::from_secs(second);
            assert_eq!(limit.update(at, 30_000 * (second + 1), 0), None);
        }
    }

    #[test]
    fn after_a_fall_or_loss_it_is_one_for_a_while() {
        let (mut limit, now) = (ReceiverEstimate::default(), Instant::now());
        let at = |second| now + Duration::from_secs(second);
        assert_eq!(limit.update(at(0), 1_000_000, 0), None);
        assert_eq!(limit.update(at(1), 600_000, 0), Some(600_000));
        assert_eq!(limit.update(at(5), 650_000, 0), Some(650_000));
        assert_eq!(limit.update(at(12), 700_000, 0), None);
        assert_eq!(limit.update(at(13), 710_000, 30), Some(710_000));
    }
}
