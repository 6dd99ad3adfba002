//! How a session reports: what the RTP profiles differ in.

use std::{sync::Arc, time::Duration};

/// Of the reports of a peer with timely feedback, see [`Profile::feedback`].
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(500);
/// Between the reports of RTP/AVP on average (RFC 3550 §6.2).
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// Without anything from the peer for this long its media counts as gone: long enough for a peer that
/// changes its network, and for one that sends nothing but reports.
const SILENCE: Duration = Duration::from_secs(5);
/// The same for a peer that reports every five seconds, give or take a half: two of them may get lost.
const PLAIN_SILENCE: Duration = Duration::from_secs(16);

/// How a session reports.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Between regular reports.
    pub(super) interval: Duration,
    /// Reports of many sessions must not fall together (RFC 3550 §6.3.1): each interval is 0.5 to 1.5 times as
    /// long, divided by e − 3/2.
    pub(super) randomised: bool,
    /// Each packet begins with a report and has a canonical name (RFC 3550 §6.1): this one.
    pub(super) full: Option<Arc<str>>,
    /// After what silence the peer's media counts as gone.
    pub(super) silence: Duration,
    /// The same where RTCP has never come: packets of media come one after the other.
    pub(super) silence_without_reports: Duration,
    /// Media is alive with the first packet, of RTP as well: there are senders without RTCP.
    pub(super) begins_with_media: bool,
}

impl Default for Profile {
    fn default() -> Self {
        Self::feedback()
    }
}

impl Profile {
    /// Timely feedback, in packets of reduced size (RFC 4585, RFC 5506): WebRTC. RFC 3550 §6.2 wants 5 s at
    /// least between regular reports, or less at high rates (§6.2: 360 divided by the kbit/s); the feedback
    /// profile drops that minimum (RFC 4585 §3.4). Two a second give a round trip and losses soon enough to
    /// act upon, at 2 kbit/s.
    #[must_use]
    pub fn feedback() -> Self {
        Self {
            interval: FEEDBACK_INTERVAL,
            randomised: false,
            full: None,
            silence: SILENCE,
            silence_without_reports: SILENCE,
            begins_with_media: false,
        }
    }

    /// The same where reduced size was not negotiated: whole compounds, with the name `cname`.
    #[must_use]
    pub fn full_feedback(cname: Arc<str>) -> Self {
        Self {
            full: Some(cname),
            begins_with_media: true,
            ..Self::feedback()
        }
    }

    /// RTP/AVP (RFC 3551): reports every five seconds, with the name `cname`.
    #[must_use]
    pub fn plain(cname: Arc<str>) -> Self {
        Self {
            interval: PLAIN_INTERVAL,
            randomised: true,
            full: Some(cname),
            silence: PLAIN_SILENCE,
            silence_without_reports: SILENCE,
            begins_with_media: true,
        }
    }
}
