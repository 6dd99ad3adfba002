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
/// asked for again until a viewer does, and then after 8 s more at the earliest.
const MAX_REPETITIONS: u32 = 5;
/// The time after the last of these.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(8);
/// The request from which on a full intra request is sent as well: some senders answer no other.
const WITH_FULL_INTRA: u32 = 2;
/// The request with which it is said that the keyframe does not come: 3.5 s after the first.
const TOLD_WITH: u32 = 3;

/// How to ask for a keyframe now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Request {
    /// What picture loss indications did not bring is asked for by full intra requests, too.
    pub(super) full_intra: bool,
    /// It has been asked for in vain for some seconds, which nobody was told yet.
    pub(super) is_missing: bool,
}

/// Asks until the keyframe comes: a request, and what answers it, can be lost as well.
#[derive(Debug, Default)]
pub(super) struct AwaitedKeyframe {
    next: Option<Instant>,
    latest: Option<Instant>,
    /// Requests without an answer.
    requests: u32,
    /// RTP timestamp of the latest keyframe.
    timestamp: Option<u32>,
}

impl AwaitedKeyframe {
    /// What comes cannot be decoded without a keyframe. Viewers say so again and again; the requests
    /// become fewer all the same as long as none is answered.
    pub(super) fn keyframe_needed(&mut self, now: Instant) {
        let Some(latest) = self.latest else {
            self.next = Some(now);
            return;
        };
        let since = now.saturating_duration_since(latest);
        if self.next.is_none() && since >= LONGEST_TIMEOUT * 2 {
            // Whoever needed it then is not who needs it now.
            self.requests = 0;
        }
        let interval = match self.requests {
            0 | 1 => INTERVAL,
            _ => timeout(self.requests - 1),
        };
        let earliest = (latest + interval).max(now);
        self.next = Some(self.next.map_or(earliest, |next| next.min(earliest)));
    }

    /// The stream goes on after it had paused: what was asked for meanwhile could not be answered.
    pub(super) fn on_resumed(&mut self, now: Instant) {
        if std::mem::take(&mut self.requests) > 0 {
            self.next = Some(now);
        }
    }

    /// How to ask for it now; it counts as asked for then.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Request> {
        self.next.filter(|next| *next <= now)?;
        self.latest = Some(now);
        let number = self.requests;
        self.requests = self.requests.saturating_add(1);
        self.next = (number < MAX_REPETITIONS).then(|| now + timeout(number));
        Some(Request {
            full_intra: number >= WITH_FULL_INTRA,
            is_missing: number == TOLD_WITH,
        })
    }

    /// A packet of a keyframe came with this RTP timestamp; `true` for the first of that
    /// keyframe. Several may say that it begins: parameter sets, each slice.
    pub(super) fn on_keyframe(&mut self, timestamp: u32) -> bool {
        (self.next, self.requests) = (None, 0);
        self.timestamp.replace(timestamp) != Some(timestamp)
    }

    /// Whether this is the RTP timestamp of the latest keyframe.
    #[inline]
    pub(super) fn is_of(&self, timestamp: u32) -> bool {
        self.timestamp == Some(timestamp)
    }

    /// When [`poll`](Self::poll) has something to do.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }
}

/// How long a request is waited for that has so many before it.
fn timeout(requests: u32) -> Duration {
    let times = 2u32.saturating_pow(requests.min(MAX_REPETITIONS));
    FIRST_TIMEOUT.saturating_mul(times).min(LONGEST_TIMEOUT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_asked_for_until_it_comes() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        assert_eq!(keyframe.poll(begin), None, "nobody needs it");
        keyframe.keyframe_needed(begin);
        let first = Request {
            full_intra: false,
            is_missing: false,
        };
        assert_eq!(keyframe.poll(begin), Some(first));
        assert_eq!(keyframe.poll(begin), None);
        let again = keyframe.poll_timeout().unwrap();
        assert_eq!(again, begin + FIRST_TIMEOUT);
        assert_eq!(keyframe.poll(again), Some(first));
        assert_eq!(keyframe.poll_timeout(), Some(again + FIRST_TIMEOUT * 2));
        assert!(keyframe.on_keyframe(7) && !keyframe.on_keyframe(7) && keyframe.is_of(7));
        assert_eq!(keyframe.poll_timeout(), None);
    }

    #[test]
    fn requests_are_apart_and_end() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        keyframe.keyframe_needed(begin);
        assert!(keyframe.poll(begin).is_some());
        keyframe.keyframe_needed(begin + INTERVAL / 2);
        assert_eq!(keyframe.poll_timeout(), Some(begin + INTERVAL));
        let mut requests = Vec::new();
        while let Some(due) = keyframe.poll_timeout() {
            requests.push(keyframe.poll(due).unwrap());
        }
        assert_eq!(requests.len(), MAX_REPETITIONS as usize);
        assert!(!requests[0].full_intra && requests[1..].iter().all(|one| one.full_intra));
        let told = requests.iter().filter(|one| one.is_missing);
        assert_eq!(told.count(), 1);
    }

    #[test]
    fn who_needs_it_all_the_time_does_not_make_the_requests_more() {
        let begin = Instant::now();
        let mut keyframe = AwaitedKeyframe::default();
        let mut requests = Vec::new();
        for tenths in 0..1200u64 {
            let now = begin + Duration::from_millis(100 * tenths);
            keyframe.keyframe_needed(now);
            if keyframe.poll(now).is_some() {
                requests.push(tenths);
            }
        }
        assert_eq!(requests[..6], [0, 4, 14, 34, 74, 154]);
        assert!(
            requests
                .windows(2)
                .skip(5)
                .all(|pair| pair[1] - pair[0] == 80)
        );
        let now = begin + Duration::from_secs(121);
        keyframe.on_resumed(now);
        assert!(keyframe.poll(now).is_some(), "the camera is on again");
        keyframe.on_keyframe(1);
        keyframe.keyframe_needed(now + INTERVAL);
        assert!(keyframe.poll(now + INTERVAL).is_some(), "another loss");
    }
}
