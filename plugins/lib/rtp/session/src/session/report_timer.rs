//! When the regular reports are due.

use std::time::{Duration, Instant};

/// Between regular reports. RFC 3550 §6.2 wants 5 s at least, or less at high rates (§6.2: 360 divided by
/// the kbit/s); the feedback profile drops that minimum (RFC 4585 §3.4). Two a second give a round trip
/// and losses soon enough to act upon, at 2 kbit/s.
const INTERVAL: Duration = Duration::from_millis(500);

/// The timer of the regular reports.
#[derive(Debug, Default)]
pub(super) struct ReportTimer {
    next: Option<Instant>,
    /// The next report goes out with the media that the peer is sent, if there is any by then: the
    /// peer's state is at hand then, and nobody has to wake up for it.
    rides: bool,
}

impl ReportTimer {
    /// Begins, if it is not running.
    #[inline]
    pub(super) fn begin(&mut self, now: Instant) {
        self.next.get_or_insert(now + INTERVAL);
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
        let due = *self.next.get_or_insert(now + INTERVAL);
        if due > now {
            return false;
        }
        self.next = Some(now + INTERVAL);
        true
    }

    /// When a report has to be made that no media has taken along.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let patience = if self.rides { INTERVAL } else { Duration::ZERO };
        self.next.map(|due| due + patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_rides_with_media_and_else_wakes_somebody_up() {
        let (mut timer, begin) = (ReportTimer::default(), Instant::now());
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
}
