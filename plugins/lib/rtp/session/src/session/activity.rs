//! Whether media comes from the peer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Without anything from the peer for this long its media counts as gone: long enough for a peer that
/// changes its network, and for one that sends nothing but reports.
const TIMEOUT: Duration = Duration::from_secs(5);

/// When something came, and what became of that.
#[derive(Debug, Default)]
pub(super) struct Activity {
    latest: Option<Instant>,
    active: bool,
    /// What the owner has not been told. There may be several: a peer can say good-bye and go on.
    changes: VecDeque<bool>,
}

impl Activity {
    /// RTP keeps media alive; it is RTCP that begins it. So a packet only leaves its time here.
    #[inline]
    pub(super) fn on_rtp(&mut self, now: Instant) {
        self.latest = Some(now);
    }

    /// RTCP came: the peer's media is alive.
    pub(super) fn on_rtcp(&mut self, now: Instant) {
        self.latest = Some(now);
        self.set(true);
    }

    /// A stream of the peer ended.
    pub(super) fn on_goodbye(&mut self) {
        self.set(false);
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        let silent = |latest: Instant| now.saturating_duration_since(latest) >= TIMEOUT;
        if self.latest.is_some_and(silent) {
            self.set(false);
        }
    }

    fn set(&mut self, active: bool) {
        if std::mem::replace(&mut self.active, active) != active {
            self.changes.push_back(active);
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let latest = self.latest.filter(|_| self.active)?;
        Some(latest + TIMEOUT)
    }

    #[inline]
    pub(super) fn poll_change(&mut self) -> Option<bool> {
        self.changes.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(activity: &mut Activity) -> Vec<bool> {
        std::iter::from_fn(|| activity.poll_change()).collect()
    }

    #[test]
    fn media_begins_with_a_report_and_ends_with_silence_or_good_bye() {
        let (mut activity, begin) = (Activity::default(), Instant::now());
        activity.on_rtp(begin);
        assert!(changes(&mut activity).is_empty(), "nothing is reported yet");
        activity.on_rtcp(begin);
        activity.on_rtcp(begin);
        assert_eq!(changes(&mut activity), [true]);
        activity.on_rtp(begin + TIMEOUT / 2);
        activity.on_timeout(begin + TIMEOUT);
        assert!(changes(&mut activity).is_empty());
        let due = activity.poll_timeout().unwrap();
        activity.on_timeout(due);
        assert_eq!(changes(&mut activity), [false]);
        assert_eq!(activity.poll_timeout(), None);
        activity.on_rtcp(due);
        activity.on_goodbye();
        activity.on_rtcp(due);
        assert_eq!(changes(&mut activity), [true, false, true]);
    }
}
