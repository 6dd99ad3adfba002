//! Asking for lost packets again (RFC 4585 §6.2.1), receive side.

use std::time::{Duration, Instant};

use crate::sequence::{SequenceExtender, low_bits};

/// Packets that may be missing at a time. With more, only a keyframe helps.
const MAX_MISSING: usize = 512;
/// A larger gap is not worth filling.
const MAX_GAP: u64 = 512;
/// Nor is one of more than a frame after [`MAX_AGE`] of silence: senders do not keep packets as long.
const MAX_GAP_AFTER_SILENCE: u64 = 16;
/// A packet that is later than this belongs to a sender that began anew.
const MAX_LATENESS: u64 = 3000;
/// How often a packet is asked for.
const MAX_REQUESTS: u8 = 10;
/// How long a packet is worth waiting for.
const MAX_AGE: Duration = Duration::from_secs(1);
/// Before the first request, so that a packet that is merely late needs none.
const REORDERING_WAIT: Duration = Duration::from_millis(10);
/// Bounds of the time between requests for one packet; in between it is the round-trip time.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
const MAX_INTERVAL: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy)]
struct Missing {
    sequence: u64,
    since: Instant,
    next_request: Instant,
    requests: u8,
}

/// What became of lost packets that were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NackOutcome {
    /// Nothing was lost for good.
    Recovering,
    /// At least one packet will not come: a decoder needs a keyframe.
    Lost,
}

/// Notices gaps in one received stream and says what to ask for, and when.
#[derive(Debug, Clone)]
pub struct NackGenerator {
    sequence: SequenceExtender,
    /// In ascending order.
    missing: Vec<Missing>,
    round_trip: Duration,
    /// When the last packet came.
    latest: Option<Instant>,
    /// When packets were given up, until that was told.
    lost: Option<Instant>,
}

impl Default for NackGenerator {
    fn default() -> Self {
        Self {
            sequence: SequenceExtender::default(),
            missing: Vec::new(),
            round_trip: Duration::from_millis(100),
            latest: None,
            lost: None,
        }
    }
}

impl NackGenerator {
    /// Sets the round-trip time to the sender, which paces repeated requests.
    pub fn set_round_trip(&mut self, round_trip: Duration) {
        self.round_trip = round_trip;
    }

    /// Takes the sequence number of a received packet.
    pub fn received(&mut self, now: Instant, sequence: u16) {
        let (highest, latest) = (self.sequence.highest(), self.latest.replace(now));
        let extended = self.sequence.extend(sequence);
        let (Some(highest), Some(latest)) = (highest, latest) else {
            return;
        };
        if extended + MAX_LATENESS < highest {
            self.sequence.restart(sequence);
            self.give_up_all(now);
            return;
        }
        if extended <= highest {
            if let Ok(found) = self.missing.binary_search_by_key(&extended, |m| m.sequence) {
                self.missing.remove(found);
            }
            return;
        }
        let max_gap = if now.saturating_duration_since(latest) < MAX_AGE {
            MAX_GAP
        } else {
            MAX_GAP_AFTER_SILENCE
        };
        if extended - highest > max_gap {
            self.give_up_all(now);
            return;
        }
        for gap in highest + 1..extended {
            if self.missing.len() >= MAX_MISSING {
                self.give_up_all(now);
            }
            self.missing.push(Missing {
                sequence: gap,
                since: now,
                next_request: now + REORDERING_WAIT,
                requests: 0,
            });
        }
    }

    /// A keyframe begins with `sequence`: nothing before it is needed any more, but for what is
    /// missing immediately before, which may be its true beginning.
    pub fn keyframe(&mut self, sequence: u16) {
        let mut first = self.sequence.peek(sequence);
        for missing in self.missing.iter().rev() {
            if missing.sequence + 1 == first {
                first = missing.sequence;
            }
        }
        self.missing.retain(|missing| missing.sequence >= first);
    }

    fn give_up_all(&mut self, now: Instant) {
        self.missing.clear();
        self.lost = Some(now);
    }

    /// When [`Self::poll`] has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let requests = self.missing.iter().map(|missing| missing.next_request);
        requests.chain(self.lost).min()
    }

    /// Replaces the content of `lost` with the sequence numbers to ask for now, in order.
    pub fn poll(&mut self, now: Instant, lost: &mut Vec<u16>) -> NackOutcome {
        lost.clear();
        let interval = self.round_trip.clamp(MIN_INTERVAL, MAX_INTERVAL);
        let before = self.missing.len();
        self.missing.retain_mut(|missing| {
            if missing.next_request > now {
                return true;
            }
            let too_old = now.saturating_duration_since(missing.since) >= MAX_AGE;
            if too_old || missing.requests >= MAX_REQUESTS {
                return false;
            }
            missing.requests += 1;
            missing.next_request = now + interval;
            lost.push(low_bits(missing.sequence));
            true
        });
        let gave_up = self.missing.len() < before;
        if self.lost.take().is_some() || gave_up {
            NackOutcome::Lost
        } else {
            NackOutcome::Recovering
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(nack: &mut NackGenerator, now: Instant) -> (Vec<u16>, NackOutcome) {
        let mut lost = vec![99];
        let outcome = nack.poll(now, &mut lost);
        (lost, outcome)
    }

    #[test]
    fn gaps_are_asked_for_after_a_moment_and_again_after_a_round_trip() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.set_round_trip(Duration::from_millis(50));
        nack.received(begin, 65_534);
        nack.received(begin, 2);
        assert_eq!(poll(&mut nack, begin), (vec![], NackOutcome::Recovering));
        nack.received(begin, 0);
        let first = nack.poll_timeout().unwrap();
        assert_eq!(first, begin + REORDERING_WAIT);
        assert_eq!(poll(&mut nack, first).0, [65_535, 1]);
        assert_eq!(poll(&mut nack, first).0, [0u16; 0]);
        nack.received(first, 65_535);
        let second = nack.poll_timeout().unwrap();
        assert_eq!(second, first + Duration::from_millis(50));
        assert_eq!(poll(&mut nack, second).0, [1]);
        nack.received(second, 1);
        assert_eq!(nack.poll_timeout(), None);
    }

    #[test]
    fn requests_end_with_a_loss() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.set_round_trip(Duration::ZERO);
        nack.received(begin, 1);
        nack.received(begin, 3);
        let mut requests = 0;
        while let Some(due) = nack.poll_timeout() {
            let (lost, outcome) = poll(&mut nack, due);
            requests += lost.len();
            assert_eq!(outcome == NackOutcome::Lost, nack.poll_timeout().is_none());
        }
        assert_eq!(requests, usize::from(MAX_REQUESTS));
        assert_eq!(
            poll(&mut nack, begin).1,
            NackOutcome::Recovering,
            "told once"
        );
    }

    #[test]
    fn large_gaps_and_keyframes_end_the_search() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.received(begin, 1);
        nack.received(begin, 1000);
        assert_eq!(nack.poll_timeout(), Some(begin), "it is told at once");
        assert_eq!(poll(&mut nack, begin).1, NackOutcome::Lost);
        assert_eq!(nack.poll_timeout(), None);
        nack.received(begin, 1003);
        nack.received(begin, 1006);
        nack.keyframe(1006);
        let due = nack.poll_timeout().unwrap();
        let beginning = vec![1004, 1005];
        assert_eq!(poll(&mut nack, due), (beginning, NackOutcome::Recovering));
    }

    #[test]
    fn what_was_sent_in_a_long_silence_is_not_asked_for() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.received(begin, 1);
        nack.received(begin + MAX_AGE, 5);
        assert_eq!(
            poll(&mut nack, begin + MAX_AGE + REORDERING_WAIT).0,
            [2, 3, 4],
            "a frame may have come late and incomplete"
        );
        let light = begin + MAX_AGE * 2;
        nack.received(light, 100);
        assert_eq!(nack.poll_timeout(), Some(light));
        assert_eq!(poll(&mut nack, light), (vec![], NackOutcome::Lost));
        assert_eq!(nack.poll_timeout(), None);
    }

    #[test]
    fn a_sender_that_begins_anew_is_followed() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        nack.received(begin, 20_000);
        nack.received(begin, 100);
        assert_eq!(poll(&mut nack, begin).1, NackOutcome::Lost);
        nack.received(begin, 102);
        let due = nack.poll_timeout().unwrap();
        assert_eq!(poll(&mut nack, due).0, [101]);
    }

    #[test]
    fn memory_is_bounded() {
        let begin = Instant::now();
        let mut nack = NackGenerator::default();
        for sequence in (0..60_000u16).step_by(400) {
            nack.received(begin, sequence);
            assert!(nack.missing.len() <= MAX_MISSING);
        }
        assert_eq!(poll(&mut nack, begin).1, NackOutcome::Lost);
    }
}
