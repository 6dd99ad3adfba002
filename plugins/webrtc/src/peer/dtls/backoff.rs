//! When handshake flights are repeated (RFC 6347 §4.2.4.1).

use std::time::{Duration, Instant};

/// How long the first answer is waited for. RFC 6347 §4.2.4.1 recommends one second and permits
/// less where latency matters, as it does in a call. ICE has just measured that the path works, and
/// 150 ms are more than the round trip of nearly all of them; where they are not, a flight of one to
/// three datagrams is sent once more than needed. The wait doubles, as the RFC demands.
const FIRST_WAIT: Duration = Duration::from_millis(150);
/// Where the doubling ends. RFC 6347 would go on to 60 s, which nobody waits for in front of a
/// black picture: with seven repetitions, at 0.15, 0.45, 1.05, 2.25, 4.65, 8.65 and 12.65 s, a flight
/// is given up after 16.65 s, well within the 30 s that consent to send lasts (RFC 7675 §5.1).
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// At 20 % loss both ways each exchange of one datagram fails with 36 %, so that eight attempts in
/// a row fail with less than one in 3000.
const MAX_REPETITIONS: u32 = 7;
/// `rtc-dtls` makes each of its flights anew as often (`DEFAULT_MAXIMUM_RETRANSMIT_NUMBER`, which
/// no configuration changes); the next request ends its handshake.
const MAX_REMADE: u32 = 7;
/// Least time between sending a flight and repeating it because the peer repeats its own. A peer
/// repeats all datagrams of its flight at once, and one answer is enough for all of them. Less than
/// FIRST_WAIT: a repetition is certain to mean that something was lost, a timer is not. It is also
/// what bounds the traffic that a peer can cause: each 50 ms one flight.
const REPETITION_SPACING: Duration = Duration::from_millis(50);

/// The retransmission timer of one handshake.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    wait: Duration,
    due: Option<Instant>,
    /// How often the timer was due for the present flight.
    repetitions: u32,
    /// How often `rtc-dtls` has made the present flight anew.
    remade: u32,
    /// When the present flight was sent or repeated.
    last_sent: Option<Instant>,
}

impl Backoff {
    /// A new flight was sent, and is answered by another one.
    pub(super) fn flight_sent(&mut self, now: Instant) {
        self.wait = FIRST_WAIT;
        self.due = Some(now + FIRST_WAIT);
        self.repetitions = 0;
        self.remade = 0;
        self.last_sent = Some(now);
    }

    /// The present flight was repeated, for whatever reason.
    pub(super) fn flight_repeated(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// Whether the flight was sent long enough ago to be repeated for a peer that repeats its own.
    pub(super) fn may_answer_repetition(&self, now: Instant) -> bool {
        self.last_sent
            .is_none_or(|last| now.saturating_duration_since(last) >= REPETITION_SPACING)
    }

    /// Whether `rtc-dtls` may be asked to make the flight anew, which counts.
    pub(super) fn take_remake(&mut self) -> bool {
        let may = self.remade < MAX_REMADE;
        self.remade += u32::from(may);
        may
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

    #[test]
    fn a_flight_is_made_anew_seven_times() {
        let mut backoff = Backoff::default();
        for _ in 0..2 {
            backoff.flight_sent(Instant::now());
            let remade = (0..20).filter(|_| backoff.take_remake()).count();
            assert_eq!(remade, 7);
        }
    }

    #[test]
    fn repetitions_of_the_peer_are_answered_at_intervals() {
        let begin = Instant::now();
        let mut backoff = Backoff::default();
        assert!(backoff.may_answer_repetition(begin));
        backoff.flight_sent(begin);
        let soon = begin + REPETITION_SPACING / 2;
        assert!(!backoff.may_answer_repetition(soon));
        assert!(backoff.may_answer_repetition(begin + REPETITION_SPACING));
        backoff.flight_repeated(begin + REPETITION_SPACING);
        assert!(!backoff.may_answer_repetition(soon + REPETITION_SPACING));
    }
}
