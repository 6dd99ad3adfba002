//! Puts packets back into order and decides how long to wait for missing ones.
//!
//! A stream without loss passes at once: nothing is delayed for the sake of a smooth playout, which
//! is the business of whoever plays. Only behind a gap packets wait, for a retransmission or for a
//! packet that was overtaken. How long follows what late packets of this stream needed so far.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use crate::sequence::{SequenceExtender, difference, low_bits};

/// Numbers ahead of the stream that are still a loss and no new stream (RFC 3550 A.1).
const MAX_DROPOUT: i16 = 3000;
/// Numbers behind the stream that are still late packets (RFC 3550 A.1).
const MAX_MISORDER: i16 = 1000;
/// Gaps of the past that are remembered to learn from what arrives too late.
const REMEMBERED_GAPS: usize = 16;

/// How long a gap is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Never less than this.
    pub least: Duration,
    /// Before anything was learnt.
    pub first: Duration,
    /// Never more than this.
    pub most: Duration,
    /// Packets that may wait behind gaps; more end the waiting.
    pub packets: usize,
}

impl Patience {
    /// A lost video packet costs everything up to the next keyframe: worth a long wait.
    pub const VIDEO: Self = Self {
        least: Duration::from_millis(40),
        first: Duration::from_millis(120),
        most: Duration::from_millis(500),
        packets: 1024,
    };
    /// A lost audio packet is concealed.
    pub const AUDIO: Self = Self {
        least: Duration::from_millis(20),
        first: Duration::from_millis(60),
        most: Duration::from_millis(200),
        packets: 128,
    };
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Insertion {
    /// It waits for its turn, which may have come.
    Accepted,
    /// It is there already.
    Duplicate,
    /// Its gap was given up.
    Late,
    /// Its number is far from the stream's: the next one decides whether this is a new stream.
    Suspicious,
}

/// A packet whose turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released<T> {
    /// The packet.
    pub item: T,
    /// Whether something is missing directly before it.
    pub after_loss: bool,
}

/// The jitter buffer of one stream (one SSRC).
#[derive(Debug)]
pub struct JitterBuffer<T> {
    patience: Patience,
    extender: SequenceExtender,
    /// The number whose turn it is.
    next: Option<u64>,
    held: BTreeMap<u64, Held<T>>,
    wait: Duration,
    /// Gaps that were waited for: first number after the gap, and when it was noticed.
    gaps: VecDeque<(u64, Instant)>,
    /// The number that would confirm a jump.
    suspect: Option<u16>,
}

#[derive(Debug)]
struct Held<T> {
    item: T,
    since: Instant,
    /// Nothing before it will come.
    after_cut: bool,
}

impl<T> JitterBuffer<T> {
    /// An empty one; the first packet begins the stream.
    #[must_use]
    pub fn new(patience: Patience) -> Self {
        Self {
            patience,
            extender: SequenceExtender::default(),
            next: None,
            held: BTreeMap::new(),
            wait: patience.first,
            gaps: VecDeque::new(),
            suspect: None,
        }
    }

    /// Takes a packet that arrived at `now`. `after_cut`: whoever passed it on left something out
    /// before it, so that there is nothing to wait for.
    pub fn insert(&mut self, now: Instant, sequence: u16, item: T, after_cut: bool) -> Insertion {
        let begins_anew = self.is_far(sequence);
        if begins_anew {
            if self.suspect != Some(sequence) {
                self.suspect = Some(sequence.wrapping_add(1));
                return Insertion::Suspicious;
            }
            self.restart(sequence);
        }
        self.suspect = None;
        let number = self.extender.extend(sequence);
        let next = *self.next.get_or_insert(number);
        if number < next {
            self.learn_from_late(now, number);
            return Insertion::Late;
        }
        if self.held.contains_key(&number) {
            return Insertion::Duplicate;
        }
        if number == next
            && let Some((after, held)) = self.held.first_key_value()
        {
            let (after, since) = (*after, held.since);
            self.learn(now.saturating_duration_since(since));
            self.remember(after, since);
        }
        let held = Held {
            item,
            since: now,
            after_cut: after_cut || begins_anew,
        };
        self.held.insert(number, held);
        Insertion::Accepted
    }

    /// The next packet whose turn has come by `now`.
    pub fn pop(&mut self, now: Instant) -> Option<Released<T>> {
        let entry = self.held.first_entry()?;
        let number = *entry.key();
        let next = self.next.unwrap_or(number);
        let missing = number > next;
        if missing {
            let waited = now.saturating_duration_since(entry.get().since);
            let patient = waited < self.wait && !entry.get().after_cut;
            let since = entry.get().since;
            if patient && self.held.len() <= self.patience.packets {
                return None;
            }
            self.remember(number, since);
        }
        let (_, held) = self.held.pop_first()?;
        self.next = Some(number + 1);
        Some(Released {
            item: held.item,
            after_loss: missing || held.after_cut,
        })
    }

    /// When [`Self::pop`] will give up a gap unless it is filled before; `None` without a gap.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let (number, held) = self.held.first_key_value()?;
        (Some(*number) != self.next).then(|| held.since + self.wait)
    }

    /// How long a gap is waited for at present.
    #[must_use]
    pub fn wait(&self) -> Duration {
        self.wait
    }

    fn is_far(&self, sequence: u16) -> bool {
        let Some(highest) = self.extender.highest() else {
            return false;
        };
        let distance = difference(sequence, low_bits(highest));
        !(-MAX_MISORDER..=MAX_DROPOUT).contains(&distance)
    }

    /// The sender began anew with `sequence`: what is held of the former stream comes out at once.
    fn restart(&mut self, sequence: u16) {
        let number = self.extender.restart(sequence);
        for held in self.held.values_mut() {
            held.after_cut = true;
        }
        if self.held.is_empty() {
            self.next = Some(number);
        }
        self.gaps.clear();
    }

    /// A gap that took this long to fill: wait a little longer for the next, or a little less.
    fn learn(&mut self, took: Duration) {
        let wanted = took + took / 2;
        let wait = if wanted > self.wait {
            wanted
        } else {
            self.wait - (self.wait - wanted) / 16
        };
        self.wait = wait.clamp(self.patience.least, self.patience.most);
    }

    /// What comes after its gap was given up shows how long would have been enough.
    fn learn_from_late(&mut self, now: Instant, number: u64) {
        let gap = self.gaps.iter().find(|(after, _)| number < *after);
        if let Some((_, since)) = gap {
            self.learn(now.saturating_duration_since(*since));
        }
    }

    fn remember(&mut self, after: u64, since: Instant) {
        if self.gaps.len() == REMEMBERED_GAPS {
            self.gaps.pop_front();
        }
        self.gaps.push_back((after, since));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    struct Link {
        buffer: JitterBuffer<u16>,
        start: Instant,
    }

    impl Link {
        fn new() -> Self {
            Self {
                buffer: JitterBuffer::new(Patience::VIDEO),
                start: Instant::now(),
            }
        }

        fn insert(&mut self, at: u32, sequence: u16) -> Insertion {
            self.buffer
                .insert(self.start + at * MS, sequence, sequence, false)
        }

        /// What comes out at `at`; a lost packet before one is a `None`.
        fn out(&mut self, at: u32) -> Vec<Option<u16>> {
            let mut out = Vec::new();
            while let Some(released) = self.buffer.pop(self.start + at * MS) {
                out.extend(released.after_loss.then_some(None));
                out.push(Some(released.item));
            }
            out
        }
    }

    #[test]
    fn packets_in_order_pass_at_once_across_the_wrap() {
        let mut link = Link::new();
        for sequence in [65_534u16, 65_535, 0, 1] {
            assert_eq!(link.insert(0, sequence), Insertion::Accepted);
            assert_eq!(link.out(0), [Some(sequence)]);
        }
        assert_eq!(link.buffer.deadline(), None);
    }

    #[test]
    fn overtaken_packets_come_in_order_and_duplicates_once() {
        let mut link = Link::new();
        for (sequence, insertion) in [
            (10, Insertion::Accepted),
            (13, Insertion::Accepted),
            (12, Insertion::Accepted),
            (13, Insertion::Duplicate),
        ] {
            assert_eq!(link.insert(0, sequence), insertion);
        }
        assert_eq!(link.out(5), [Some(10)]);
        link.insert(10, 11);
        assert_eq!(link.out(10), [Some(11), Some(12), Some(13)]);
        assert_eq!(link.insert(11, 12), Insertion::Late);
    }

    #[test]
    fn a_gap_is_given_up_at_its_deadline() {
        let mut link = Link::new();
        link.insert(0, 1);
        assert_eq!(link.out(0), [Some(1)]);
        link.insert(100, 3);
        link.insert(150, 5);
        let deadline = link.buffer.deadline().unwrap();
        assert_eq!(deadline, link.start + 220 * MS);
        assert_eq!(link.out(219), []);
        assert_eq!(link.out(220), [None, Some(3)]);
        assert_eq!(link.out(270), [None, Some(5)]);
        assert_eq!(link.insert(300, 2), Insertion::Late);
    }

    #[test]
    fn what_was_cut_out_on_purpose_is_not_waited_for() {
        let mut link = Link::new();
        link.insert(0, 1);
        link.out(0);
        link.buffer.insert(link.start, 90, 90, true);
        assert_eq!(link.out(0), [None, Some(90)]);
    }

    #[test]
    fn the_wait_follows_what_late_packets_need_within_its_bounds() {
        let mut link = Link::new();
        link.insert(0, 0);
        // Retransmissions take 200 ms: the first is too late, then they are waited for.
        let mut lost = 0;
        for round in 0..20u16 {
            let (at, first) = (u32::from(round) * 1000, round * 3 + 1);
            link.insert(at, first + 1);
            lost += link
                .out(at + 199)
                .iter()
                .filter(|out| out.is_none())
                .count();
            link.insert(at + 200, first);
            link.insert(at + 200, first + 2);
            lost += link
                .out(at + 200)
                .iter()
                .filter(|out| out.is_none())
                .count();
        }
        assert_eq!(lost, 1);
        assert!(link.buffer.wait() >= 200 * MS && link.buffer.wait() <= 500 * MS);
        // Reordering by 1 ms only: it goes back slowly.
        for round in 100..400u16 {
            let (at, first) = (u32::from(round) * 1000, round * 2);
            link.insert(at, first + 1);
            link.insert(at + 1, first);
            link.out(at + 1);
        }
        assert_eq!(link.buffer.wait(), Patience::VIDEO.least);
    }

    #[test]
    fn a_packet_hours_late_does_not_raise_the_wait_beyond_its_bound() {
        let mut link = Link::new();
        link.insert(0, 1);
        link.insert(0, 3);
        link.out(400);
        assert_eq!(link.insert(3_600_000, 2), Insertion::Late);
        assert_eq!(link.buffer.wait(), Patience::VIDEO.most);
    }

    #[test]
    fn memory_is_bounded() {
        let mut link = Link::new();
        link.insert(0, 0);
        link.out(0);
        for sequence in 2..=2_000 {
            link.insert(0, sequence);
        }
        let out = link.out(0);
        assert_eq!(out.first(), Some(&None), "the gap is given up at once");
        assert_eq!(out.len(), 2_000);
    }

    #[test]
    fn a_new_stream_begins_after_two_packets_in_a_row() {
        let mut link = Link::new();
        link.insert(0, 100);
        assert_eq!(link.out(0), [Some(100)]);
        assert_eq!(
            link.insert(10, 30_000),
            Insertion::Suspicious,
            "a stray one"
        );
        link.insert(20, 101);
        assert_eq!(link.out(20), [Some(101)]);
        assert_eq!(link.insert(30, 20_000), Insertion::Suspicious);
        assert_eq!(link.insert(30, 20_001), Insertion::Accepted);
        assert_eq!(link.out(30), [None, Some(20_001)]);
    }

    #[test]
    fn held_packets_of_the_former_stream_come_before_the_new_one() {
        let mut link = Link::new();
        link.insert(0, 100);
        link.insert(0, 102);
        assert_eq!(link.out(0), [Some(100)]);
        link.insert(10, 40_000);
        link.insert(10, 40_001);
        assert_eq!(link.out(10), [None, Some(102), None, Some(40_001)]);
    }
}
