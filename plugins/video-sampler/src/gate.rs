//! Whether a service is worth another attempt, and whether its failures are news.

use std::time::{Duration, Instant};

/// After the first failure in a row, doubled by each that follows: a service that was started again is found within 5 s.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);
/// Between two failures that are told, of a service that works now and then.
const NEWS: Duration = Duration::from_secs(10);

/// See the head of this file. Nothing waits behind it: pictures that come while it is closed are lost.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    /// That are lasting, in a row.
    failures: u32,
    closed_until: Option<Instant>,
    /// The failure that there is now has been told.
    is_told: bool,
    told_at: Option<Instant>,
}

impl Gate {
    /// Whether a picture may be sent.
    pub(crate) fn is_open(&self, now: Instant) -> bool {
        self.closed_until.is_none_or(|until| now >= until)
    }

    /// A picture was delivered.
    pub(crate) fn succeeded(&mut self) {
        *self = Self {
            told_at: self.told_at,
            ..Self::default()
        };
    }

    /// A picture was not delivered, and if that is lasting, the next would not be. Whether this is news.
    pub(crate) fn failed(&mut self, now: Instant, is_lasting: bool) -> bool {
        if is_lasting {
            let doubled = FIRST_PAUSE * (1 << self.failures.min(10));
            self.failures = self.failures.saturating_add(1);
            self.closed_until = Some(now + doubled.min(LONGEST_PAUSE));
        }
        let was_told = |at| now.saturating_duration_since(at) < NEWS;
        if self.is_told || self.told_at.is_some_and(was_told) {
            return false;
        }
        (self.is_told, self.told_at) = (true, Some(now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn pauses_grow_up_to_a_bound_and_begin_anew() {
        let (mut gate, mut now) = (Gate::default(), Instant::now());
        assert!(gate.is_open(now));
        for round in 0..2 {
            for pause in [500, 1000, 2000, 4000, 4000] {
                assert_eq!(gate.failed(now, true), round == 0 && pause == 500);
                assert!(!gate.is_open(now + MS * (pause - 1)), "{pause}");
                now += MS * pause;
                assert!(gate.is_open(now), "{pause}");
            }
            gate.succeeded();
            gate.told_at = Some(now);
        }
        gate.failures = u32::MAX;
        gate.failed(now, true);
        assert!(gate.is_open(now + LONGEST_PAUSE));
    }

    #[test]
    fn a_service_that_says_no_to_a_picture_gets_the_next_one() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        assert!(gate.failed(now, false));
        assert!(gate.is_open(now));
        assert!(!gate.failed(now + NEWS * 2, false), "it is told once");
    }

    #[test]
    fn a_service_that_works_now_and_then_is_told_now_and_then() {
        let (mut gate, start) = (Gate::default(), Instant::now());
        let news = (0..1000_u32).filter(|second| {
            gate.succeeded();
            gate.failed(start + Duration::from_secs(1) * *second, false)
        });
        assert_eq!(news.count(), 100);
    }

    #[test]
    fn what_could_not_be_told_at_once_is_told_later() {
        let (mut gate, now) = (Gate::default(), Instant::now());
        assert!(gate.failed(now, true));
        gate.succeeded();
        assert!(!gate.failed(now + MS, true));
        assert!(gate.failed(now + NEWS, true), "it still fails");
        assert!(!gate.failed(now + NEWS * 3, true));
    }
}
