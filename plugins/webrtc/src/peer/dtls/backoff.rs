//! When handshake flights are repeated (RFC 6347 §4.2.4.1).

use std::time::{Duration, Instant};

/// The first wait. The path was just checked, so it is short; RFC 6347 permits less than its
/// default of a second where latency matters.
const FIRST_WAIT: Duration = Duration::from_millis(150);
/// With seven repetitions a flight is given up after 17 seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// `rtc-dtls` gives up after as many.
const MAX_REPETITIONS: u32 = 7;

/// The retransmission timer of one handshake.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    wait: Duration,
    due: Option<Instant>,
    repetitions: u32,
}

impl Backoff {
    /// A new flight was sent.
    pub(super) fn flight_sent(&mut self, now: Instant) {
        self.wait = FIRST_WAIT;
        self.due = Some(now + FIRST_WAIT);
        self.repetitions = 0;
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the flight is to be repeated now. Waits longer the next time.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        if self.due.is_none_or(|due| due > now) {
            return false;
        }
        self.repetitions += 1;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.due = Some(now + self.wait);
        true
    }

    /// Whether the flight was repeated often enough.
    pub(super) fn is_exhausted(&self) -> bool {
        self.repetitions > MAX_REPETITIONS
    }

    pub(super) fn stop(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_a_new_flight_starts_over() {
        let begin = Instant::now();
        let mut backoff = Backoff::default();
        assert!(!backoff.take_due(begin));
        backoff.flight_sent(begin);
        assert_eq!(backoff.due(), Some(begin + FIRST_WAIT));
        assert!(!backoff.take_due(begin));
        let mut now = begin;
        while !backoff.is_exhausted() {
            now = backoff.due().unwrap();
            assert!(backoff.take_due(now));
        }
        let given_up = (now - begin).as_secs_f64();
        assert!((16.0..18.0).contains(&given_up), "{given_up}");
        assert_eq!(backoff.due(), Some(now + LONGEST_WAIT));
        backoff.flight_sent(now);
        assert_eq!(backoff.due(), Some(now + FIRST_WAIT));
        backoff.stop();
        assert_eq!(backoff.due(), None);
    }
}
