//! Retransmissions to one peer: their own stream (RFC 4588), and how many there may be.

use std::time::{Duration, Instant};

/// Packets whose latest retransmission is remembered.
const REMEMBERED: u16 = 512;
/// A packet is sent again at most once in this share of a round trip, and time.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of retransmissions that one byte of media earns, as a share.
const SHARE: f64 = 0.5;
/// Bytes that may be saved up: a second of darkness at 1 Mbit/s, say.
const SAVINGS: f64 = 128_000.0;

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

/// Bounds retransmissions, so that a peer's requests cannot flood its own path.
#[derive(Debug)]
pub(crate) struct RepairBudget {
    bytes: f64,
    /// Sequence number and time, by number; made when the first is asked for.
    latest: Vec<Option<(u16, Instant)>>,
}

impl Default for RepairBudget {
    fn default() -> Self {
        Self {
            bytes: SAVINGS,
            latest: Vec::new(),
        }
    }
}

impl RepairBudget {
    /// Media of this many bytes was sent.
    #[inline]
    pub(crate) fn earn(&mut self, bytes: usize) {
        #[allow(clippy::cast_precision_loss)]
        let earned = bytes as f64 * SHARE;
        self.bytes = (self.bytes + earned).min(SAVINGS);
    }

    /// Whether the packet sent as `sequence` may be sent again: not while the former repetition
    /// may still be on its way, and not beyond the budget.
    pub(crate) fn spend(
        &mut self,
        now: Instant,
        sequence: u16,
        bytes: usize,
        round_trip: Duration,
    ) -> bool {
        #[allow(clippy::cast_precision_loss)]
        let bytes = bytes as f64;
        if bytes > self.bytes {
            return false;
        }
        if self.latest.is_empty() {
            self.latest.resize(usize::from(REMEMBERED), None);
        }
        let interval = (round_trip * 4 / 5).max(MIN_INTERVAL);
        let Some(slot) = self.latest.get_mut(usize::from(sequence % REMEMBERED)) else {
            return false;
        };
        let is_underway = slot.is_some_and(|(known, at)| {
            known == sequence && now.saturating_duration_since(at) < interval
        });
        if is_underway {
            return false;
        }
        *slot = Some((sequence, now));
        self.bytes -= bytes;
        true
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

    #[test]
    fn a_packet_is_not_repeated_while_it_is_underway() {
        let (mut budget, now) = (RepairBudget::default(), Instant::now());
        assert!(budget.spend(now, 7, 1000, RTT));
        assert!(!budget.spend(now + RTT / 2, 7, 1000, RTT));
        assert!(budget.spend(now + RTT / 2, 8, 1000, RTT));
        assert!(budget.spend(now + RTT, 7, 1000, RTT));
        assert!(
            budget.spend(now + RTT, 7 + REMEMBERED, 1000, RTT),
            "another packet"
        );
    }

    #[test]
    fn repetitions_have_a_share_of_what_is_sent() {
        let (mut budget, now) = (RepairBudget::default(), Instant::now());
        let spent = (0..1000)
            .filter(|n| budget.spend(now, *n, 1000, RTT))
            .count();
        assert_eq!(spent, 128);
        for _ in 0..10 {
            budget.earn(1000);
        }
        let spent = (0..1000)
            .filter(|n| budget.spend(now + RTT, *n, 1000, RTT))
            .count();
        assert_eq!(spent, 5);
    }
}
