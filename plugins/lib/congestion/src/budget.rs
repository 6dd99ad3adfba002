//! How many bytes may be retransmitted, so that a peer's requests cannot flood its own path.

use std::time::{Duration, Instant};

/// Packets whose latest retransmission is remembered.
const REMEMBERED: u16 = 512;
/// A packet is sent again at most once in this share of a round trip, and time.
const MIN_INTERVAL: Duration = Duration::from_millis(10);
/// Bytes of retransmissions that one byte of media earns, as a share.
const SHARE: f64 = 0.5;
/// Bytes that may be saved up: a second of darkness at 1 Mbit/s, say.
const SAVINGS: f64 = 128_000.0;

/// Bounds retransmissions, so that a peer's requests cannot flood its own path.
#[derive(Debug)]
pub struct RetransmissionBudget {
    bytes: f64,
    /// Sequence number and time, by number; made when the first is asked for.
    latest: Vec<Option<(u16, Instant)>>,
}

impl Default for RetransmissionBudget {
    fn default() -> Self {
        Self {
            bytes: SAVINGS,
            latest: Vec::new(),
        }
    }
}

impl RetransmissionBudget {
    /// Media of this many bytes was sent.
    #[inline]
    pub fn earn(&mut self, bytes: usize) {
        #[allow(clippy::cast_precision_loss)]
        let earned = bytes as f64 * SHARE;
        self.bytes = (self.bytes + earned).min(SAVINGS);
    }

    /// Whether the packet sent as `sequence` may be sent again: not while the former repetition
    /// may still be on its way, and not beyond the budget.
    pub fn spend(
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
    fn a_packet_is_not_repeated_while_it_is_underway() {
        let (mut budget, now) = (RetransmissionBudget::default(), Instant::now());
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
        let (mut budget, now) = (RetransmissionBudget::default(), Instant::now());
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
