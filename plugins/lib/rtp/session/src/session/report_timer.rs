//! When the regular reports are due.

use std::time::{Duration, Instant};

use super::profile::Profile;

/// The timer of the regular reports.
#[derive(Debug)]
pub(super) struct ReportTimer {
    next: Option<Instant>,
    interval: Duration,
    /// State of the randomised intervals, where they are.
    random: Option<u32>,
    /// The next report goes out with the media that the peer is sent, if there is any by then: the
    /// peer's state is at hand then, and nobody has to wake up for it.
    rides: bool,
}

impl ReportTimer {
    pub(super) fn new(profile: &Profile, seed: u32) -> Self {
        Self {
            next: None,
            interval: profile.interval,
            random: profile.randomised.then_some(seed),
            rides: false,
        }
    }

    /// Reports as another profile has it from now on.
    pub(super) fn set_profile(&mut self, profile: &Profile, seed: u32) {
        let next = self.next;
        *self = Self::new(profile, seed);
        self.next = next;
    }

    /// How long until the next report.
    fn interval(&mut self) -> Duration {
        let Some(random) = &mut self.random else {
            return self.interval;
        };
        // A linear congruential generator: nothing depends on it but that sessions differ.
        *random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let share = 0.5 + f64::from(*random >> 8) / f64::from(1u32 << 24);
        // RFC 3550 §6.3.1: what timer reconsideration would shorten.
        self.interval.mul_f64(share / 1.21828)
    }

    /// Begins, if it is not running.
    #[inline]
    pub(super) fn begin(&mut self, now: Instant) {
        if self.next.is_none() {
            // RFC 3550 §6.2: the first one comes in half the time.
            let wait = match self.random {
                Some(_) => self.interval() / 2,
                None => self.interval,
            };
            self.next = Some(now + wait);
        }
    }

    pub(super) fn stop(&mut self) {
        self.next = None;
    }

    pub(super) fn is_running(&self) -> bool {
        self.next.is_some()
    }

    /// Media is being sent: the next report goes with some.
    #[inline]
    pub(super) fn rides_with_media(&mut self) {
        self.rides = true;
    }

    /// A report had to wait for media: the next one does not.
    pub(super) fn rides_alone(&mut self) {
        self.rides = false;
    }

    /// Whether a report is to be made now; it counts as made then.
    #[inline]
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.begin(now);
        if self.next.is_none_or(|due| due > now) {
            return false;
        }
        self.next = Some(now + self.interval());
        true
    }

    /// When a report has to be made that no media has taken along.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let patience = if self.rides {
            self.interval
        } else {
            Duration::ZERO
        };
        self.next.map(|due| due + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    #[test]
    fn a_report_rides_with_media_and_else_wakes_somebody_up() {
        let (mut timer, begin) = (ReportTimer::new(&Profile::feedback(), 0), Instant::now());
        assert_eq!(timer.poll_timeout(), None);
        timer.begin(begin);
        timer.begin(begin + INTERVAL / 2);
        assert_eq!(timer.poll_timeout(), Some(begin + INTERVAL));
        timer.rides_with_media();
        assert_eq!(timer.poll_timeout(), Some(begin + 2 * INTERVAL));
        assert!(!timer.is_due(begin + INTERVAL / 2) && timer.is_due(begin + INTERVAL));
        timer.rides_alone();
        assert_eq!(timer.poll_timeout(), Some(begin + 2 * INTERVAL));
        timer.stop();
        assert!(!timer.is_running());
    }
    #[test]
    fn plain_reports_come_every_five_seconds_and_not_together() {
        let (profile, begin) = (Profile::plain("a".into()), Instant::now());
        let mut timers = [1, 2].map(|seed| ReportTimer::new(&profile, seed));
        let dues = timers.each_mut().map(|timer| {
            timer.begin(begin);
            let first = timer.poll_timeout().unwrap();
            assert!(first - begin < Duration::from_millis(3200));
            let mut due = first;
            for _ in 0..100 {
                assert!(timer.is_due(due));
                let next = timer.poll_timeout().unwrap();
                let interval = (next - due).as_millis();
                assert!((2000..6200).contains(&interval), "{interval}");
                due = next;
            }
            assert!((300..530).contains(&(due - first).as_secs()));
            due
        });
        assert_ne!(dues[0], dues[1]);
    }
}
