//! Whether media comes from the peer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Without anything from the peer for this long its media counts as gone: long enough for a peer that
/// changes its network, and for one that sends nothing but reports.
const TIMEOUT: Duration = Duration::from_secs(5);
/// The same after it has said good-bye to all of its streams. Some say so and go on, or renegotiate and
/// begin anew: a moment of silence tells those apart from one that leaves.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(1);

/// When something came, and what became of that.
#[derive(Debug, Default)]
pub(super) struct Activity {
    latest: Option<Instant>,
    active: bool,
    /// Nothing came since the peer said good-bye to all of its streams.
    left: bool,
    /// What the owner has not been told.
    changes: VecDeque<bool>,
}

impl Activity {
    /// RTP keeps media alive; it is RTCP that begins it. So a packet only leaves its time here.
    #[inline]
    pub(super) fn on_rtp(&mut self, now: Instant) {
        self.latest = Some(now);
        self.left = false;
    }

    /// RTCP came: the peer's media is alive.
    pub(super) fn on_rtcp(&mut self, now: Instant) {
        self.latest = Some(now);
        self.left = false;
        self.set(true);
    }

    /// The peer's last stream ended, as RTCP said that has just come.
    pub(super) fn on_goodbye(&mut self) {
        self.left = true;
    }

    fn timeout(&self) -> Duration {
        if self.left { GOODBYE_TIMEOUT } else { TIMEOUT }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) {
        let timeout = self.timeout();
        let silent = |latest: Instant| now.saturating_duration_since(latest) >= timeout;
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
        Some(latest + self.timeout())
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
    fn media_begins_with_a_report_and_ends_with_silence() {
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
    }

    #[test]
    fn a_good_bye_counts_when_nothing_follows_it() {
        let (mut activity, begin) = (Activity::default(), Instant::now());
        activity.on_rtcp(begin);
        activity.on_goodbye();
        activity.on_rtp(begin + GOODBYE_TIMEOUT / 2);
        activity.on_timeout(begin + GOODBYE_TIMEOUT * 2);
        assert_eq!(changes(&mut activity), [true], "it goes on");
        activity.on_rtcp(begin + GOODBYE_TIMEOUT * 2);
        activity.on_goodbye();
        let due = activity.poll_timeout().unwrap();
        assert_eq!(due, begin + GOODBYE_TIMEOUT * 3);
        activity.on_timeout(due);
        assert_eq!(changes(&mut activity), [false]);
    }
}
