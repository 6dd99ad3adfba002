//! Consent to send (RFC 7675) and silence on the path in use.

use std::time::{Duration, Instant};

use super::pace::SUPERVISION;

/// Silence after which a transport counts as disconnected: about what
/// browsers take, and long enough for a few lost checks.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// How long an answered check lets us send (RFC 7675 §5.1). A peer that has gone, or an address that has
/// another owner now, gets media for no longer, and six checks have to be lost in a row for a peer that
/// is there to be given up.
const CONSENT_LIFETIME: Duration = Duration::from_secs(30);
/// Between checks (RFC 7675 §5.1). The RFC asks for 0.8 to 1.2 times that, at random, so that checks of
/// many peers do not fall together; here each path counts from the check that selected it, at whatever
/// time that was, in steps of [`SUPERVISION`].
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// Between checks of a path on which nothing has been received for as long: silence has to be
/// noticed within [`DISCONNECTED_AFTER`] although checks get lost, which takes two of them. That is less
/// than the four seconds RFC 7675 §5.1 allows; but these are connectivity checks as well, by which a
/// path is found again (RFC 8445 §2.2), and they are more often only while nothing else comes.
const QUIET_INTERVAL: Duration = Duration::from_secs(2);

/// The state of the path in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConsentState {
    /// The peer takes what is sent, and something came lately.
    Active,
    /// Nothing came for [`DISCONNECTED_AFTER`]. What is sent may still arrive.
    Silent,
    /// Nothing more may be sent.
    Expired,
}

/// The supervision of one path; a new one begins with an answered check.
#[derive(Debug)]
pub(super) struct Consent {
    granted: Instant,
    /// When something was received, as of the latest [`check`](Self::check).
    received: Instant,
    /// When a check was sent.
    requested: Instant,
    /// From a check to its answer.
    round_trip: Option<Duration>,
    /// Something was received since the latest [`check`](Self::check): each datagram leaves no more than
    /// this here.
    active: bool,
}

impl Consent {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            granted: now,
            received: now,
            requested: now,
            round_trip: None,
            active: false,
        }
    }

    /// A check on the path was answered.
    pub(super) fn grant(&mut self, now: Instant) {
        self.granted = now;
        self.active = true;
    }

    /// A check of ours was answered.
    pub(super) fn on_answer(&mut self, now: Instant) {
        self.round_trip = Some(now.saturating_duration_since(self.requested));
    }

    /// To the peer and back, by the latest check.
    pub(super) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    /// Something genuine was received on the path.
    #[inline]
    pub(super) fn on_received(&mut self) {
        self.active = true;
    }

    /// The state at `now`. Called every [`SUPERVISION`].
    pub(super) fn check(&mut self, now: Instant) -> ConsentState {
        if std::mem::take(&mut self.active) {
            self.received = now;
        }
        if now.saturating_duration_since(self.granted) >= CONSENT_LIFETIME {
            ConsentState::Expired
        } else if now.saturating_duration_since(self.received) >= DISCONNECTED_AFTER {
            ConsentState::Silent
        } else {
            ConsentState::Active
        }
    }

    /// When nothing was received any more, at the earliest: what is received counts from the next check
    /// of the state on.
    pub(super) fn quiet_since(&self) -> Instant {
        self.received
            .checked_sub(SUPERVISION)
            .unwrap_or(self.received)
    }

    /// Whether a check is to be sent now; it counts as sent then.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.received) >= QUIET_INTERVAL;
        let interval = if quiet {
            QUIET_INTERVAL
        } else {
            CONSENT_INTERVAL
        };
        let due = now.saturating_duration_since(self.requested) >= interval;
        if due {
            self.requested = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_alone_is_no_consent() {
        let begin = Instant::now();
        let mut consent = Consent::new(begin);
        let mut seconds = 0;
        let lost = loop {
            seconds += 1;
            consent.on_received();
            let now = begin + Duration::from_secs(seconds);
            match consent.check(now) {
                ConsentState::Active => {}
                other => break (other, seconds),
            }
        };
        assert_eq!(lost, (ConsentState::Expired, 30));
    }

    #[test]
    fn a_path_that_is_heard_of_is_asked_less_often() {
        let begin = Instant::now();
        let mut consent = Consent::new(begin);
        let asked = (0..=100).filter(|tenths| {
            consent.on_received();
            let now = begin + Duration::from_millis(100 * tenths);
            consent.check(now);
            consent.is_due(now)
        });
        assert_eq!(asked.count(), 2);
    }

    #[test]
    fn questions_are_two_seconds_apart_and_answers_renew() {
        let begin = Instant::now();
        let mut consent = Consent::new(begin);
        let at = |tenths: u64| begin + Duration::from_millis(100 * tenths);
        let asked = (0..=100).filter(|t| consent.is_due(at(*t))).count();
        assert_eq!(asked, 5);
        consent.grant(at(100));
        assert_eq!(consent.check(at(100)), ConsentState::Active);
        assert_eq!(consent.check(at(151)), ConsentState::Silent);
        assert_eq!(consent.check(at(400)), ConsentState::Expired);
    }
}
