//! A keyframe that a received stream needs, asked for until it comes.

use std::time::{Duration, Instant};

/// Requests are at least this far apart. libwebrtc's encoders ignore a request within 300 ms of the one
/// before: sent then, it would be lost, and the next would be half a second later. The 50 ms are for
/// the jitter between two requests, which may bring them closer together on their way. The server
/// spaces what all viewers together ask of a source by the same number (`media/keyframe.rs` of the host).
const INTERVAL: Duration = Duration::from_millis(350);
/// Without an answer a request is repeated after this: a round trip, the frame that is being encoded,
/// and a keyframe of several frames' size on a path that is full already. A lost request or a keyframe
/// with a hole costs the viewers a picture for as long.
const FIRST_TIMEOUT: Duration = Duration::from_millis(500);
/// How often it is repeated, each time after twice the time before (0.5, 1, 2, 4 and 8 s). What two
/// requests do not bring is not lost on the way: the sender paces its keyframes, has paused, or sends
/// none on request at all, and each further one could make a full path worse. After 15 s it is not
/// asked for again until a viewer does.
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
    pub(super) fn keyframe_needed(&mut self, now: Instant) {
        let earliest = self.latest.map(|latest| latest + INTERVAL);
        self.next = Some(earliest.map_or(now, |earliest| earliest.max(now)));
        self.repetitions = 0;
    }

    /// Whether to ask for it now; it counts as asked for then.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.next.is_some_and(|next| next <= now);
        if is_due {
            self.latest = Some(now);
            self.next = (self.repetitions < MAX_REPETITIONS)
                .then(|| now + FIRST_TIMEOUT * 2u32.pow(self.repetitions));
            self.repetitions += 1;
        }
        is_due
    }

    /// A packet of a keyframe came with this RTP timestamp; `true` for the first of that
    /// keyframe. Several may say that it begins: parameter sets, each slice.
    pub(super) fn on_keyframe(&mut self, timestamp: u32) -> bool {
        self.next = None;
        self.timestamp.replace(timestamp) != Some(timestamp)
    }

    /// Whether this is the RTP timestamp of the latest keyframe.
    #[inline]
    pub(super) fn is_of(&self, timestamp: u32) -> bool {
        self.timestamp == Some(timestamp)
    }

    /// When [`is_due`](Self::is_due) has something to do.
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
        assert!(!keyframe.is_due(begin), "nobody needs it");
        keyframe.keyframe_needed(begin);
        assert!(keyframe.is_due(begin) && !keyframe.is_due(begin));
        let again = keyframe.poll_timeout().unwrap();
        assert_eq!(again, begin + FIRST_TIMEOUT);
        assert!(keyframe.is_due(again));
        assert_eq!(keyframe.poll_timeout(), Some(again + FIRST_TIMEOUT * 2));
        assert!(keyframe.on_keyframe(7) && !keyframe.on_keyframe(7) && keyframe.is_of(7));
        assert_eq!(keyframe.poll_timeout(), None);
    }

    #[test]
    fn requests_are_apart_and_end() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        keyframe.keyframe_needed(begin);
        assert!(keyframe.is_due(begin));
        keyframe.keyframe_needed(begin + INTERVAL / 2);
        assert_eq!(keyframe.poll_timeout(), Some(begin + INTERVAL));
        let mut requests = 0;
        while let Some(due) = keyframe.poll_timeout() {
            assert!(keyframe.is_due(due));
            requests += 1;
        }
        assert_eq!(requests, 1 + MAX_REPETITIONS);
    }
}
