//! When handshake flights are repeated (RFC 6347 §4.2.4.1).

use std::time::{Duration, Instant};

/// What `rtc-dtls` is told; it acts when it is called, and this decides when that is.
pub(super) const ENDPOINT_INTERVAL: Duration = Duration::from_millis(1);
/// The first wait. The path was just checked, so it is short; RFC 6347 permits less than its
/// default of a second where latency matters.
const FIRST_WAIT: Duration = Duration::from_millis(150);
/// Longest wait; with seven repetitions a handshake may take 13 seconds and a half.
const LONGEST_WAIT: Duration = Duration::from_secs(4);

/// The retransmission timer of one handshake.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    /// The endpoint's own timer as last seen.
    armed: Option<Instant>,
    wait: Duration,
    due: Option<Instant>,
}

impl Backoff {
    /// After the endpoint took something: a timer that moved belongs to a new flight.
    pub(super) fn observe(&mut self, now: Instant, armed: Option<Instant>) {
        if armed == self.armed {
            return;
        }
        self.armed = armed;
        self.wait = FIRST_WAIT;
        self.due = armed.map(|_| now + self.wait);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether the endpoint is to repeat its flight now.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.due.take_if(|due| *due <= now).is_some()
    }

    /// After the endpoint repeated its flight.
    pub(super) fn retransmitted(&mut self, now: Instant, armed: Option<Instant>) {
        self.armed = armed;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        self.due = armed.map(|_| now + self.wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_a_new_flight_starts_over() {
        let begin = Instant::now();
        let mut backoff = Backoff::default();
        backoff.observe(begin, Some(begin + ENDPOINT_INTERVAL));
        assert_eq!(backoff.due(), Some(begin + FIRST_WAIT));
        assert!(!backoff.take_due(begin));
        let mut now = begin;
        for _ in 0..7 {
            now = backoff.due().unwrap();
            assert!(backoff.take_due(now));
            backoff.retransmitted(now, Some(now + ENDPOINT_INTERVAL));
        }
        assert!(now - begin > Duration::from_secs(10), "{:?}", now - begin);
        assert_eq!(backoff.due(), Some(now + LONGEST_WAIT));

        backoff.observe(now, Some(now + ENDPOINT_INTERVAL));
        assert_eq!(backoff.due(), Some(now + LONGEST_WAIT), "nothing new");
        let later = now + Duration::from_millis(1);
        backoff.observe(later, Some(later + ENDPOINT_INTERVAL));
        assert_eq!(backoff.due(), Some(later + FIRST_WAIT));
        backoff.observe(later, None);
        assert_eq!(backoff.due(), None);
    }
}
