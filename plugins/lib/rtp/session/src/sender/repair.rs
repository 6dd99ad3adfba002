//! Retransmissions to one peer: their own stream (RFC 4588), and what is too old for one.

use std::time::{Duration, Instant};

use rivero_congestion::RetransmissionBudget;

use super::{Retransmissions, SentFormat};

/// Older packets are not sent again, or those older than three round trips. libwebrtc's senders keep
/// theirs for as long: its jitter buffer has given up what is older, and asks for a keyframe instead.
const MAX_AGE: Duration = Duration::from_secs(1);
/// A keyframe that did not come is asked for again after this. The receiver's own repetition of a
/// request (`receiver/keyframe.rs`) begins with as much.
const KEYFRAME_TIMEOUT: Duration = Duration::from_millis(500);

/// How old a packet may be that is sent again.
pub(super) fn longest_age(round_trip: Duration) -> Duration {
    MAX_AGE.max(round_trip * 3)
}

/// A keyframe for a peer that misses what is too old to be sent again. The numbers are extended
/// ones of the outgoing stream.
#[derive(Debug, Default)]
pub(super) struct KeyframeInstead {
    /// What the latest keyframe begins with.
    latest: u64,
    requested: Option<Instant>,
}

impl KeyframeInstead {
    /// A keyframe begins with this number.
    pub(super) fn on_keyframe(&mut self, number: u64) {
        *self = Self {
            latest: number,
            requested: None,
        };
    }

    /// Whether a peer that misses what was sent under `number` needs another keyframe.
    pub(super) fn is_needed(&self, number: u64) -> bool {
        number > self.latest
    }

    /// Whether to ask for it now; it counts as asked for then.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) < KEYFRAME_TIMEOUT;
        let is_due = !self.requested.is_some_and(recent);
        if is_due {
            self.requested = Some(now);
        }
        is_due
    }
}

/// What is needed to send packets again.
pub(super) struct Repair {
    /// Where retransmissions have a stream of their own.
    pub(super) stream: Option<RepairStream>,
    budget: RetransmissionBudget,
    pub(super) keyframe: KeyframeInstead,
    /// Bytes of retransmissions and probes.
    pub(super) repeated_bytes: u64,
}

impl Repair {
    pub(super) fn new(stream: Option<Retransmissions>) -> Self {
        Self {
            stream: stream.map(|stream| RepairStream::new(stream.ssrc, stream.sequence)),
            budget: RetransmissionBudget::default(),
            keyframe: KeyframeInstead::default(),
            repeated_bytes: 0,
        }
    }

    /// Goes on as a later negotiation has it. A stream that is not negotiated now keeps its number for
    /// when it is again.
    pub(super) fn renegotiate(&mut self, later: &Self) {
        if let Some(stream) = later.stream {
            self.stream = self
                .stream
                .filter(|known| known.ssrc == stream.ssrc)
                .or(Some(stream));
        }
    }

    /// The stream of retransmissions and the payload type there, where the peer takes them in one.
    pub(super) fn stream_for(&mut self, format: &SentFormat) -> Option<(&mut RepairStream, u8)> {
        self.stream.as_mut().zip(format.rtx_payload_type)
    }

    /// A packet went out for the first time.
    #[inline]
    pub(super) fn on_sent(&mut self, payload: usize) {
        self.budget.earn(payload);
    }

    /// A keyframe begins with this number.
    pub(super) fn on_keyframe(&mut self, number: u64) {
        self.keyframe.on_keyframe(number);
    }

    /// Whether the packet sent as `sequence` may be sent again now; it counts as sent then.
    pub(super) fn may_repeat(
        &mut self,
        now: Instant,
        sequence: u16,
        payload: usize,
        round_trip: Duration,
    ) -> bool {
        self.budget.spend(now, sequence, payload, round_trip)
    }
}

/// The stream of retransmissions.
#[derive(Debug, Clone, Copy)]
pub(super) struct RepairStream {
    pub(super) ssrc: u32,
    sequence: u16,
}

impl RepairStream {
    /// `sequence`: where it begins, below 32768, so that the peer cannot miss the first roll-over, which
    /// SRTP's packet index depends on (RFC 3711 §3.3.1).
    pub(super) fn new(ssrc: u32, sequence: u16) -> Self {
        Self { ssrc, sequence }
    }

    /// The number of the next packet: never one that was used.
    pub(super) fn next_sequence(&mut self) -> u16 {
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
        let (mut start, now) = (KeyframeInstead::default(), Instant::now());
        start.on_keyframe(100);
        assert!(!start.is_needed(99) && start.is_needed(101));
        assert!(
            start.is_due(now) && !start.is_due(now + RTT),
            "it is on its way"
        );
        assert!(start.is_due(now + KEYFRAME_TIMEOUT), "it was lost");
        start.on_keyframe(150);
        assert!(!start.is_needed(101) && start.is_needed(151));
        assert!(start.is_due(now + KEYFRAME_TIMEOUT));
    }
}
