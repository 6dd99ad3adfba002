//! The first seconds of what a peer is sent, while nothing is known of its path.
//!
//! Of several encodings it gets the least one, and probes find out soon whether the path carries a better
//! one. Pictures are sent at a pace, which doubles as long as they arrive at it: the keyframe that all
//! begin with is sent at once by nobody, and would be too much for the queue of a weak path.

use std::time::{Duration, Instant};

use rivero_plugin_api::{MediaKind, Upstream};

use super::{Session, Track};

/// What a path is assumed to carry, bit/s. Browsers begin with the same.
const BITRATE: u64 = 300_000;
/// Where nothing more was found for so long that comes to an end: there is one encoding, or the peer tells
/// nothing of use.
const LONGEST: Duration = Duration::from_secs(4);
/// Pictures wait no longer than this: an encoder may send more than the pace all the time.
const LONGEST_WAIT: Duration = Duration::from_millis(250);
/// A pace from here on, bit/s, is none: it would hold nothing back.
const FASTEST: u64 = 30_000_000;

/// How far it has got.
#[derive(Debug, Default)]
pub(super) enum Start {
    /// The peer cannot be sent anything yet, or its path is not known by feedback.
    #[default]
    Idle,
    /// Little is sent.
    Low(Low),
    /// It is over.
    Over,
}

#[derive(Debug)]
pub(super) struct Low {
    /// When the first picture was sent, or more was found last.
    since: Option<Instant>,
    /// Bit/s.
    told: u64,
}

impl Session {
    /// Media can be sent from now on: says with how little to begin, before any comes.
    pub(super) fn start_low(&mut self) {
        let video = self.tracks.sender_mut(Track::number(MediaKind::Video));
        let is_reported = video.is_some_and(|video| video.gets_transport_feedback());
        let is_known = self.bandwidth.estimate().is_some();
        if !matches!(self.start, Start::Idle) || !is_reported || is_known {
            return;
        }
        if let Some(congestion) = self.bandwidth.congestion() {
            congestion.begin_with(BITRATE);
        }
        self.start = Start::Low(Low {
            since: None,
            told: BITRATE,
        });
        self.tell_start(BITRATE);
    }

    fn tell_start(&mut self, bits_per_second: u64) {
        self.ask_video_source(Upstream::StartBitrate { bits_per_second });
    }

    /// Pictures are about to be sent. `true` while little is to be.
    #[inline]
    pub(super) fn is_starting(&mut self, now: Instant) -> bool {
        let Start::Low(low) = &mut self.start else {
            return false;
        };
        low.since.get_or_insert(now);
        true
    }

    /// The peer told what arrives.
    pub(super) fn on_start_feedback(&mut self, now: Instant) {
        let Some(congestion) = self.bandwidth.congestion() else {
            return;
        };
        let assumed = congestion.assumed();
        let Start::Low(low) = &mut self.start else {
            return;
        };
        let Some(assumed) = assumed else {
            // A limit has shown, which counts from now on.
            self.end_start(now);
            return;
        };
        if assumed > low.told {
            (low.told, low.since) = (assumed, Some(now));
            self.tell_start(assumed);
        }
        self.end_start_if_late(now);
    }

    /// Pictures wait, the first of them for so long.
    pub(super) fn on_start_wait(&mut self, now: Instant, waited: Duration) {
        if waited >= LONGEST_WAIT
            && self.start_pace().is_some()
            && let Some(congestion) = self.bandwidth.congestion()
        {
            congestion.raise_start_pace();
            self.follow_estimate(now);
        }
    }

    /// Ends it where it leads nowhere: a peer that has no feedback to give, or one encoding.
    pub(super) fn end_start_if_late(&mut self, now: Instant) {
        let Start::Low(low) = &self.start else {
            return;
        };
        let is_late = |since: Instant| now.saturating_duration_since(since) >= LONGEST;
        if low.since.is_some_and(is_late) {
            self.end_start(now);
        }
    }

    fn end_start(&mut self, now: Instant) {
        self.start = Start::Over;
        if let Some(congestion) = self.bandwidth.congestion() {
            congestion.end_start();
        }
        self.tell_start(u64::MAX);
        self.follow_estimate(now);
    }

    /// The pace that pictures are sent at while there is no estimate, bit/s; `None` where there is none.
    pub(super) fn start_pace(&self) -> Option<u64> {
        let pace = self.bandwidth.start_pace();
        pace.filter(|pace| *pace < FASTEST)
    }
}
