//! Retransmissions to one peer: their own stream (RFC 4588), and what is too old for one.

use std::time::{Duration, Instant};

/// Older packets are not sent again, or those older than three round trips: senders
/// of the field keep theirs for as long.
const MAX_AGE: Duration = Duration::from_secs(1);
/// A keyframe that did not come is asked for again after this.
const PATIENCE: Duration = Duration::from_millis(500);

/// How old a packet may be that is sent again.
pub(super) fn longest_age(round_trip: Duration) -> Duration {
    MAX_AGE.max(round_trip * 3)
}

/// A keyframe for a peer that misses what is too old to be sent again. The numbers are extended
/// ones of the outgoing stream.
#[derive(Debug, Default)]
pub(super) struct FreshStart {
    latest: u64,
    asked: Option<Instant>,
}

impl FreshStart {
    /// A keyframe begins with this number.
    pub(super) fn keyframe(&mut self, number: u64) {
        *self = Self {
            latest: number,
            asked: None,
        };
    }

    /// Whether a peer that misses what was sent under `number` needs another keyframe.
    pub(super) fn is_needed(&self, number: u64) -> bool {
        number > self.latest
    }

    /// Whether to ask for it now.
    pub(super) fn ask(&mut self, now: Instant) -> bool {
        let waits = |asked: Instant| now.saturating_duration_since(asked) < PATIENCE;
        let asks = !self.asked.is_some_and(waits);
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}

/// The stream of retransmissions.
#[derive(Debug, Clone, Copy)]
pub(super) struct RepairStream {
    pub(super) ssrc: u32,
    sequence: u16,
}

impl RepairStream {
    /// `sequence`: where it begins, below 32768 for SRTP's sake.
    pub(super) fn new(ssrc: u32, sequence: u16) -> Self {
        Self { ssrc, sequence }
    }

    /// The number of the next packet: never one that was used.
    pub(super) fn next(&mut self) -> u16 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(100);

    #[test]
    fn one_keyframe_is_enough() {
        let (mut start, now) = (FreshStart::default(), Instant::now());
        start.keyframe(100);
        assert!(!start.is_needed(99) && start.is_needed(101));
        assert!(start.ask(now) && !start.ask(now + RTT), "it is on its way");
        assert!(start.ask(now + PATIENCE), "it was lost");
        start.keyframe(150);
        assert!(!start.is_needed(101) && start.is_needed(151));
        assert!(start.ask(now + PATIENCE));
    }
}
