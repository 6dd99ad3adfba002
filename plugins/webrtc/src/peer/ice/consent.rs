//! Consent to send (RFC 7675) and silence on the path in use.

use std::time::{Duration, Instant};

use super::pace::SUPERVISION;

/// Silence after which a transport counts as disconnected.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// How long an answered check lets us send (RFC 7675 §5.1).
const CONSENT_LIFETIME: Duration = Duration::from_secs(30);
/// Between checks (RFC 7675 §5.1).
const CONSENT_INTERVAL: Duration = Duration::from_secs(5);
/// Between checks of a path on which nothing has been received for as long: silence has to be
/// noticed within [`DISCONNECTED_AFTER`] although checks get lost.
const QUIET_INTERVAL: Duration = Duration::from_secs(2);

/// What is to be thought of the path in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    Alive,
    Silent,
    /// Nothing more may be sent.
    Expired,
}

/// The supervision of one path; a new one begins with an answered check.
#[derive(Debug)]
pub(super) struct Consent {
    granted: Instant,
    heard: Instant,
    asked: Instant,
    /// Something was received since the last look.
    active: bool,
}

impl Consent {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            granted: now,
            heard: now,
            asked: now,
            active: false,
        }
    }

    /// A check on the path was answered.
    pub(super) fn grant(&mut self, now: Instant) {
        self.granted = now;
        self.active = true;
    }

    /// Something genuine was received on the path.
    #[inline]
    pub(super) fn hear(&mut self) {
        self.active = true;
    }

    pub(super) fn look(&mut self, now: Instant) -> Life {
        if std::mem::take(&mut self.active) {
            self.heard = now;
        }
        if now.saturating_duration_since(self.granted) >= CONSENT_LIFETIME {
            Life::Expired
        } else if now.saturating_duration_since(self.heard) >= DISCONNECTED_AFTER {
            Life::Silent
        } else {
            Life::Alive
        }
    }

    /// When nothing was heard any more, at the earliest. What is heard counts from the next look on.
    pub(super) fn quiet_since(&self) -> Instant {
        self.heard.checked_sub(SUPERVISION).unwrap_or(self.heard)
    }

    /// Whether to ask again now; the question counts as asked.
    pub(super) fn asks(&mut self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.heard) >= QUIET_INTERVAL;
        let interval = if quiet {
            QUIET_INTERVAL
        } else {
            CONSENT_INTERVAL
        };
        let due = now.saturating_duration_since(self.asked) >= interval;
        if due {
            self.asked = now;
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
            consent.hear();
            let now = begin + Duration::from_secs(seconds);
            match consent.look(now) {
                Life::Alive => {}
                other => break (other, seconds),
            }
        };
        assert_eq!(lost, (Life::Expired, 30));
    }

    #[test]
    fn a_path_that_is_heard_of_is_asked_less_often() {
        let begin = Instant::now();
        let mut consent = Consent::new(begin);
        let asked = (0..=100).filter(|tenths| {
            consent.hear();
            let now = begin + Duration::from_millis(100 * tenths);
            consent.look(now);
            consent.asks(now)
        });
        assert_eq!(asked.count(), 2);
    }

    #[test]
    fn questions_are_two_seconds_apart_and_answers_renew() {
        let begin = Instant::now();
        let mut consent = Consent::new(begin);
        let at = |tenths: u64| begin + Duration::from_millis(100 * tenths);
        let asked = (0..=100).filter(|t| consent.asks(at(*t))).count();
        assert_eq!(asked, 5);
        consent.grant(at(100));
        assert_eq!(consent.look(at(100)), Life::Alive);
        assert_eq!(consent.look(at(151)), Life::Silent);
        assert_eq!(consent.look(at(400)), Life::Expired);
    }
}
