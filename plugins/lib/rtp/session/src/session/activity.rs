//! Whether media comes from the peer.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::profile::Profile;

/// When something came, and what became of that.
#[derive(Debug, Default)]
pub(super) struct Activity {
    latest: Option<Instant>,
    /// RTCP has come.
    reported: bool,
    profile: Profile,
    active: bool,
    /// What the owner has not been told. There may be several: a peer can say good-bye and go on.
    changes: VecDeque<bool>,
}

impl Activity {
    pub(super) fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    /// RTP keeps media alive. Unless the profile says otherwise it is RTCP that begins it, so that a packet
    /// only leaves its time here.
    #[inline]
    pub(super) fn on_rtp(&mut self, now: Instant) {
        self.latest = Some(now);
        if self.profile.begins_with_media && !self.active {
            self.set(true);
        }
    }

    fn timeout(&self) -> Duration {
        match self.reported {
            true => self.profile.silence,
            false => self.profile.silence_without_reports,
        }
    }

    /// RTCP came: the peer's media is alive.
    pub(super) fn on_rtcp(&mut self, now: Instant) {
        self.latest = Some(now);
        self.reported = true;
        self.set(true);
    }

    /// A stream of the peer ended.
    pub(super) fn on_goodbye(&mut self) {
        self.set(false);
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

    const TIMEOUT: Duration = Duration::from_secs(5);

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
    #[test]
    fn where_no_reports_come_media_is_alive_by_itself() {
        let (mut activity, begin) = (Activity::default(), Instant::now());
        activity.set_profile(Profile::plain("a".into()));
        activity.on_rtp(begin);
        assert_eq!(changes(&mut activity), [true]);
        assert_eq!(activity.poll_timeout(), Some(begin + TIMEOUT));
        activity.on_rtcp(begin);
        activity.on_timeout(begin + TIMEOUT);
        assert!(
            changes(&mut activity).is_empty(),
            "the next report is not due yet"
        );
        let due = activity.poll_timeout().unwrap();
        activity.on_timeout(due);
        assert_eq!(changes(&mut activity), [false]);
    }
}
