//! A keyframe that a stream needs.

use std::time::{Duration, Instant};

/// Requests are at least this far apart; browsers ignore a second one within 300 ms.
const INTERVAL: Duration = Duration::from_millis(350);
/// Without an answer a request is repeated after this, twice this, four times this …
const PATIENCE: Duration = Duration::from_millis(500);
/// How often it is repeated. Some senders have their own mind about keyframes.
const MAX_REPETITIONS: u32 = 5;

/// Asks until the keyframe comes: a request, and what answers it, can be lost as well.
#[derive(Debug, Default)]
pub(super) struct AwaitedKeyframe {
    next: Option<Instant>,
    latest: Option<Instant>,
    repetitions: u32,
    /// RTP timestamp of the latest keyframe.
    timestamp: Option<u32>,
}

impl AwaitedKeyframe {
    /// What comes cannot be decoded without a keyframe.
    pub(super) fn needed(&mut self, now: Instant) {
        let earliest = self.latest.map(|latest| latest + INTERVAL);
        self.next = Some(earliest.map_or(now, |earliest| earliest.max(now)));
        self.repetitions = 0;
    }

    /// Whether to ask for it now.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let is_due = self.next.is_some_and(|next| next <= now);
        if is_due {
            self.latest = Some(now);
            self.next = (self.repetitions < MAX_REPETITIONS)
                .then(|| now + PATIENCE * 2u32.pow(self.repetitions));
            self.repetitions += 1;
        }
        is_due
    }

    /// A packet of a keyframe came with this RTP timestamp; `true` for the first of that
    /// keyframe. Several may say that it begins: parameter sets, each slice.
    pub(super) fn begins(&mut self, timestamp: u32) -> bool {
        self.next = None;
        self.timestamp.replace(timestamp) != Some(timestamp)
    }

    /// Whether this is the RTP timestamp of the latest keyframe.
    #[inline]
    pub(super) fn is_of(&self, timestamp: u32) -> bool {
        self.timestamp == Some(timestamp)
    }

    /// When [`ask`](Self::ask) has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_until_it_comes() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        assert!(!keyframe.ask(begin), "nobody needs it");
        keyframe.needed(begin);
        assert!(keyframe.ask(begin) && !keyframe.ask(begin));
        let again = keyframe.poll_timeout().unwrap();
        assert_eq!(again, begin + PATIENCE);
        assert!(keyframe.ask(again));
        assert_eq!(keyframe.poll_timeout(), Some(again + PATIENCE * 2));
        assert!(keyframe.begins(7) && !keyframe.begins(7) && keyframe.is_of(7));
        assert_eq!(keyframe.poll_timeout(), None);
    }

    #[test]
    fn requests_are_apart_and_end() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        keyframe.needed(begin);
        assert!(keyframe.ask(begin));
        keyframe.needed(begin + INTERVAL / 2);
        assert_eq!(keyframe.poll_timeout(), Some(begin + INTERVAL));
        let mut requests = 0;
        while let Some(due) = keyframe.poll_timeout() {
            assert!(keyframe.ask(due));
            requests += 1;
        }
        assert_eq!(requests, 1 + MAX_REPETITIONS);
    }
}
