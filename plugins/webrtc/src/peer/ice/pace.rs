//! When connectivity checks run.

use std::time::{Duration, Instant};

/// Checks while an attempt is young. RFC 8445 §14.2 has 50 ms as default and allows less where
/// the load is known: a server's candidates are few.
const FAST: Duration = Duration::from_millis(20);
/// Later checks of an attempt.
const STEADY: Duration = Duration::from_millis(50);
/// Checks of an attempt that has not succeeded for long.
const SLOW: Duration = Duration::from_millis(250);
/// Per candidate pair, so that many pairs do not make a burst of checks.
const PER_PAIR: Duration = Duration::from_millis(3);
const FAST_PHASE: Duration = Duration::from_millis(500);
const STEADY_PHASE: Duration = Duration::from_secs(5);
/// How often consent and silence are looked at once a pair is selected.
pub(super) const SUPERVISION: Duration = Duration::from_secs(1);

/// The timer of one transport.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the attempt began, or when the peer's last candidate came.
    since: Option<Instant>,
    next: Option<Instant>,
}

impl Pace {
    /// A new attempt, or new hope for the present one: check at once, and fast from now on.
    pub(super) fn start(&mut self, now: Instant) {
        self.since = Some(now);
        self.next = Some(now);
    }

    /// Checks at once if an attempt is under way.
    pub(super) fn urge(&mut self, now: Instant) {
        if self.since.is_some() {
            self.next = Some(now);
        }
    }

    /// After checks of an attempt over `pairs` candidate pairs.
    pub(super) fn advance(&mut self, now: Instant, pairs: usize) {
        let age = now.saturating_duration_since(*self.since.get_or_insert(now));
        let interval = match age {
            age if age < FAST_PHASE => FAST,
            age if age < STEADY_PHASE => STEADY,
            _ => SLOW,
        };
        let pairs = u32::try_from(pairs).unwrap_or(u32::MAX).min(1000);
        self.next = Some(now + interval.max(PER_PAIR * pairs));
    }

    /// A pair is selected: only consent and silence matter.
    pub(super) fn keep(&mut self, now: Instant) {
        self.next = Some(now + SUPERVISION);
    }

    /// There is something to do at `due`, which may be before anything else.
    pub(super) fn hurry(&mut self, due: Instant) {
        self.next = self.next.map(|next| next.min(due));
    }

    /// How long the attempt has been going on.
    pub(super) fn age(&self, now: Instant) -> Duration {
        self.since
            .map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }

    pub(super) fn stop(&mut self) {
        self.since = None;
        self.next = None;
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attempt_slows_down_and_new_candidates_speed_it_up() {
        let begin = Instant::now();
        let mut pace = Pace::default();
        pace.urge(begin);
        assert_eq!(pace.next(), None, "nothing to check yet");
        pace.start(begin);
        let mut checks = 0;
        while let Some(due) = pace.next().filter(|due| *due < begin + STEADY_PHASE) {
            checks += 1;
            pace.advance(due, 2);
        }
        assert!((100..140).contains(&checks), "{checks}");
        let later = begin + Duration::from_secs(10);
        pace.advance(later, 2);
        assert_eq!(pace.next(), Some(later + SLOW));
        pace.start(later);
        pace.advance(later, 2);
        assert_eq!(pace.next(), Some(later + FAST));
        pace.advance(later, 64);
        assert_eq!(pace.next(), Some(later + PER_PAIR * 64));
        pace.stop();
        assert_eq!(pace.next(), None);
    }
}
