//! One continuous outgoing stream out of changing sources.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::sequence::{SequenceExtender, low_bits};

/// Outgoing packets whose origin is remembered for retransmission.
const REMEMBERED: u16 = 512;
/// Left-out packets that late packets are placed by.
const REMEMBERED_SKIPS: usize = 256;
/// After a pause of this length a source counts as another one: its numbers may have gone round
/// meanwhile (at 6,000 packets a second), and must not be taken for late ones.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Numbers of one outgoing packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rewritten {
    /// The outgoing sequence number.
    pub sequence: u16,
    /// The outgoing timestamp.
    pub timestamp: u32,
}

/// Where an outgoing packet came from.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    output: u16,
    input: u16,
    /// The section that it belongs to; 0 is none.
    section: u16,
    mark: u16,
}

/// Rewrites sequence numbers and timestamps so that a receiver sees one stream.
///
/// Within a source, gaps stay gaps, so that the receiver notices losses and asks for the right
/// packets; packets left out on purpose are closed up with [`Self::skipped`]. A switch of the
/// source goes on with the next number, and with a timestamp that grew by the time that passed.
#[derive(Debug, Clone)]
pub struct StreamRewriter {
    clock_rate: u32,
    source: Option<u64>,
    input: SequenceExtender,
    /// Outgoing extended number minus incoming, for packets newer than all before.
    offset: i64,
    /// Incoming numbers that have no outgoing one, oldest first.
    skips: VecDeque<u64>,
    /// Outgoing numbers below belong to former sources.
    begin: u64,
    timestamp_offset: u32,
    /// Highest outgoing number so far.
    highest: u64,
    /// The timestamp of the highest packet, and when it was sent.
    latest: Option<(Instant, u32)>,
    first_timestamp: u32,
    origins: Vec<Origin>,
    /// Number of the section between two switches, never 0 after the first packet.
    section: u16,
}

impl StreamRewriter {
    /// For a stream with `clock_rate` timestamp units per second that begins with `sequence`
    /// (brought below 32768 for SRTP's sake) and `timestamp`; both are best chosen at random.
    #[must_use]
    pub fn new(clock_rate: u32, sequence: u16, timestamp: u32) -> Self {
        let first = 65_536 + u64::from(sequence & 0x7fff);
        Self {
            clock_rate: clock_rate.max(1),
            source: None,
            input: SequenceExtender::default(),
            offset: 0,
            skips: VecDeque::new(),
            begin: first,
            timestamp_offset: 0,
            highest: first - 1,
            latest: None,
            first_timestamp: timestamp,
            origins: vec![Origin::default(); usize::from(REMEMBERED)],
            section: 0,
        }
    }

    /// The numbers for a packet of `source` (any name of it that stays the same) that came with
    /// these numbers. `None` for a packet that has no place: it is older than the first one of its
    /// source, or than anything that is still remembered, or it came before.
    ///
    /// A source that differs from the previous packet's is a switch; the caller stops passing in
    /// packets of the former one.
    #[inline]
    pub fn rewrite(
        &mut self,
        now: Instant,
        source: u64,
        sequence: u16,
        timestamp: u32,
    ) -> Option<Rewritten> {
        if self.source != Some(source) || self.has_paused(now) {
            self.switch(now, source, sequence, timestamp);
        }
        let is_late = self.input.highest() >= Some(self.input.peek(sequence));
        let input = self.input.extend(sequence);
        let offset = if is_late {
            self.late_offset(input)?
        } else {
            self.offset
        };
        let output = input.checked_add_signed(offset)?;
        if output < self.begin || is_late && !self.is_free(output) {
            return None;
        }
        let timestamp = timestamp.wrapping_add(self.timestamp_offset);
        if output > self.highest {
            self.highest = output;
            self.latest = Some((now, timestamp));
        }
        self.remember(low_bits(output), sequence);
        Some(Rewritten {
            sequence: low_bits(output),
            timestamp,
        })
    }

    /// Whether nothing was sent for so long that the next packet counts as one of another source.
    #[inline]
    #[must_use]
    pub fn has_paused(&self, now: Instant) -> bool {
        self.latest
            .is_some_and(|(at, _)| now.saturating_duration_since(at) >= LONGEST_PAUSE)
    }

    /// Sets the timestamp units per second of what comes next: payload types of one stream may
    /// differ in it (RFC 7160).
    #[inline]
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate.max(1);
    }

    /// What goes on is written differently (other payload types, say): packets from before can
    /// neither be sent again nor, late, for the first time.
    pub fn begin_section(&mut self) {
        self.begin = self.highest + 1;
        self.section = self.section.wrapping_add(1).max(1);
    }

    /// Leaves a number out: the receiver is to see that something is missing.
    pub fn leave_gap(&mut self) {
        self.highest += 1;
    }

    /// Whatever comes next is a new source.
    pub fn forget_source(&mut self) {
        self.source = None;
    }

    /// Whether no packet of the present section was sent under this late number. An old one may
    /// have been.
    #[inline]
    fn is_free(&self, output: u64) -> bool {
        let sequence = low_bits(output);
        let origin = self.origins.get(usize::from(sequence % REMEMBERED));
        output + u64::from(REMEMBERED) > self.highest
            && origin.is_some_and(|o| o.section != self.section || o.output != sequence)
    }

    /// The offset that was valid when the late packet `input` was due.
    fn late_offset(&self, input: u64) -> Option<i64> {
        let forgotten = self.skips.len() == REMEMBERED_SKIPS
            && self.skips.front().is_some_and(|oldest| input < *oldest);
        let newer = self.skips.iter().rev().take_while(|skip| **skip > input);
        let count = i64::try_from(newer.count()).ok()?;
        (!forgotten && !self.skips.contains(&input)).then_some(self.offset + count)
    }

    fn switch(&mut self, now: Instant, source: u64, sequence: u16, timestamp: u32) {
        self.input = SequenceExtender::default();
        self.skips.clear();
        let input = self.input.peek(sequence);
        self.begin = self.highest + 1;
        self.offset = self.begin.cast_signed() - input.cast_signed();
        let target = match self.latest {
            Some((at, latest)) => latest.wrapping_add(self.units(now, at).max(1)),
            None => self.first_timestamp,
        };
        self.timestamp_offset = target.wrapping_sub(timestamp);
        self.source = Some(source);
        self.section = self.section.wrapping_add(1).max(1);
    }

    fn units(&self, now: Instant, since: Instant) -> u32 {
        let elapsed = now
            .saturating_duration_since(since)
            .min(Duration::from_secs(24 * 60 * 60));
        let units = elapsed.as_nanos() * u128::from(self.clock_rate) / 1_000_000_000;
        u32::try_from(units).unwrap_or(u32::MAX)
    }

    #[inline]
    fn remember(&mut self, output: u16, input: u16) {
        if let Some(slot) = self.origins.get_mut(usize::from(output % REMEMBERED)) {
            *slot = Origin {
                output,
                input,
                section: self.section,
                mark: 0,
            };
        }
    }

    /// Attaches a number of the caller's to a packet that was just sent as `sequence`.
    #[inline]
    pub fn set_mark(&mut self, sequence: u16, mark: u16) {
        if let Some(slot) = self.origins.get_mut(usize::from(sequence % REMEMBERED)) {
            slot.mark = mark;
        }
    }

    /// What was attached to the packet sent as `sequence`. Of use where [`Self::origin`] knows
    /// that packet.
    #[must_use]
    pub fn mark(&self, sequence: u16) -> u16 {
        let slot = self.origins.get(usize::from(sequence % REMEMBERED));
        slot.map_or(0, |slot| slot.mark)
    }

    /// A packet of the current source is left out on purpose (of another layer, say): no gap
    /// remains in its place. A late one keeps its number, since later ones have been sent.
    #[inline]
    pub fn skipped(&mut self, sequence: u16) {
        if self.source.is_none() || self.input.highest() >= Some(self.input.peek(sequence)) {
            return;
        }
        let input = self.input.extend(sequence);
        self.offset -= 1;
        if self.skips.len() >= REMEMBERED_SKIPS {
            self.skips.pop_front();
        }
        self.skips.push_back(input);
    }

    /// Which packet was sent as `sequence`: its source, and its sequence number there. `None` if
    /// nothing was, if that is no longer known, or if it was sent before the latest switch: it
    /// would get another timestamp now, and a retransmission has to be identical to the bit.
    #[must_use]
    pub fn origin(&self, sequence: u16) -> Option<(u64, u16)> {
        let distance = low_bits(self.highest).wrapping_sub(sequence);
        let origin = self.origins.get(usize::from(sequence % REMEMBERED))?;
        let is_current = origin.output == sequence && origin.section == self.section;
        let source = self.source?;
        (distance < REMEMBERED && is_current).then_some((source, origin.input))
    }

    /// Counts on what was sent: the outgoing number `sequence`, at most the highest one, without
    /// its wrapping around.
    #[must_use]
    pub fn extended(&self, sequence: u16) -> u64 {
        let distance = low_bits(self.highest).wrapping_sub(sequence);
        self.highest.saturating_sub(u64::from(distance))
    }

    /// Whether a packet of the present section was sent too long ago for [`Self::origin`].
    #[must_use]
    pub fn is_forgotten(&self, sequence: u16) -> bool {
        let extended = self.extended(sequence);
        extended >= self.begin && self.highest - extended >= u64::from(REMEMBERED)
    }

    /// The outgoing timestamp of a packet of the present source, for sending it again under
    /// the number that [`Self::origin`] was asked about.
    #[must_use]
    pub fn timestamp(&self, timestamp: u32) -> u32 {
        timestamp.wrapping_add(self.timestamp_offset)
    }

    /// The highest outgoing sequence number so far; one before the first if there is none.
    #[must_use]
    pub fn latest(&self) -> u16 {
        low_bits(self.highest)
    }

    /// The source of the latest packet.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Option<u64> {
        self.source
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewriter() -> (StreamRewriter, Instant) {
        (StreamRewriter::new(90_000, 1000, 5000), Instant::now())
    }

    fn sequence(r: &mut StreamRewriter, now: Instant, source: u64, input: u16) -> Option<u16> {
        r.rewrite(now, source, input, 0).map(|out| out.sequence)
    }

    #[test]
    fn gaps_and_reordering_are_kept() {
        let (mut r, now) = rewriter();
        let inputs = [65_533u16, 65_535, 65_534, 2, 0];
        let outputs: Vec<_> = inputs.map(|i| sequence(&mut r, now, 1, i).unwrap()).into();
        assert_eq!(outputs, [1000, 1002, 1001, 1005, 1003]);
        assert_eq!(
            sequence(&mut r, now, 1, 65_532),
            None,
            "from before the beginning"
        );
    }

    #[test]
    fn a_repeated_packet_has_no_place() {
        let (mut r, now) = rewriter();
        for input in [10, 12, 13] {
            assert!(sequence(&mut r, now, 1, input).is_some());
        }
        assert_eq!(sequence(&mut r, now, 1, 12), None);
        assert_eq!(sequence(&mut r, now, 1, 11), Some(1001), "late, but new");
        assert_eq!(sequence(&mut r, now, 1, 11), None);
        assert_eq!(sequence(&mut r, now, 1, 13), None);
        sequence(&mut r, now, 1, 13 + REMEMBERED);
        assert_eq!(sequence(&mut r, now, 1, 14), Some(1004), "just remembered");
        assert_eq!(sequence(&mut r, now, 1, 9), None);
        r.set_mark(1004, 77);
        assert_eq!(r.mark(1004), 77);
    }

    #[test]
    fn a_gap_can_be_left_where_a_source_goes_on() {
        let (mut r, now) = rewriter();
        assert_eq!(sequence(&mut r, now, 1, 10), Some(1000));
        let later = now + LONGEST_PAUSE;
        assert!(r.has_paused(later) && !r.has_paused(now));
        r.leave_gap();
        assert_eq!(sequence(&mut r, later, 1, 300), Some(1002));
        assert_eq!(r.origin(1001), None);
    }

    #[test]
    fn what_is_forgotten_is_known_up_to_the_latest_switch() {
        let (mut r, now) = rewriter();
        for input in 0..=REMEMBERED {
            sequence(&mut r, now, 1, input);
        }
        assert!(r.is_forgotten(1000) && !r.is_forgotten(1001));
        assert!(!r.is_forgotten(999), "never sent");
        let highest = 1000 + REMEMBERED;
        assert_eq!(r.extended(highest) - r.extended(1000), REMEMBERED.into());
        sequence(&mut r, now, 2, 7);
        assert!(!r.is_forgotten(1000), "of the former source");
    }

    #[test]
    fn a_switch_continues_numbers_and_time() {
        let (mut r, begin) = rewriter();
        let first = r.rewrite(begin, 1, 50, 777).unwrap();
        assert_eq!(
            first,
            Rewritten {
                sequence: 1000,
                timestamp: 5000
            }
        );
        let later = begin + Duration::from_millis(100);
        let switched = r.rewrite(later, 2, 9000, 123_456).unwrap();
        assert_eq!(
            switched,
            Rewritten {
                sequence: 1001,
                timestamp: 5000 + 9000
            }
        );
        let next = r.rewrite(later, 2, 9001, 123_456 + 3000).unwrap();
        assert_eq!(
            next,
            Rewritten {
                sequence: 1002,
                timestamp: 5000 + 12_000
            }
        );
        assert_eq!(sequence(&mut r, later, 2, 8999), None);
        let back = r.rewrite(later, 1, 60, 777).unwrap();
        assert_eq!(
            back,
            Rewritten {
                sequence: 1003,
                timestamp: 5000 + 12_001
            }
        );
        assert_eq!(r.origin(1003), Some((1, 60)));
        assert_eq!(
            r.origin(1000),
            None,
            "the same source, with another timestamp then"
        );
        assert_eq!(r.origin(1001), None);
        assert_eq!(r.origin(1004), None);
        assert_eq!(r.origin(999), None);
    }

    #[test]
    fn a_switch_counts_in_the_units_of_what_comes() {
        let (mut r, begin) = (StreamRewriter::new(48_000, 1000, 5000), Instant::now());
        r.set_clock_rate(8000);
        assert_eq!(r.rewrite(begin, 1, 50, 777).unwrap().timestamp, 5000);
        let later = begin + Duration::from_millis(500);
        let switched = r.rewrite(later, 2, 9000, 123_456).unwrap();
        assert_eq!(switched.timestamp, 5000 + 4000);
        r.set_clock_rate(48_000);
        let switched = r.rewrite(later + Duration::from_millis(500), 1, 60, 0);
        assert_eq!(switched.unwrap().timestamp, 9000 + 24_000);
    }

    #[test]
    fn left_out_packets_leave_no_gap() {
        let (mut r, now) = rewriter();
        assert_eq!(sequence(&mut r, now, 1, 10), Some(1000));
        r.skipped(11);
        r.skipped(12);
        assert_eq!(sequence(&mut r, now, 1, 13), Some(1001));
        assert_eq!(sequence(&mut r, now, 1, 15), Some(1003));
        r.skipped(16);
        assert_eq!(sequence(&mut r, now, 1, 17), Some(1004));
        assert_eq!(
            sequence(&mut r, now, 1, 14),
            Some(1002),
            "late, by the old offset"
        );
        assert_eq!(sequence(&mut r, now, 1, 12), None, "was left out");
        for (output, input) in [(1000, 10), (1001, 13), (1002, 14), (1003, 15), (1004, 17)] {
            assert_eq!(r.origin(output), Some((1, input)));
        }
    }

    #[test]
    fn every_other_packet_can_be_left_out_for_ever() {
        let (mut r, now) = rewriter();
        for step in 0..200_000u32 {
            let input = step as u16;
            if step % 2 == 1 {
                r.skipped(input);
            } else {
                let output = sequence(&mut r, now, 1, input).unwrap();
                assert_eq!(output, (1000 + step / 2) as u16);
                assert_eq!(r.origin(output), Some((1, input)));
            }
        }
        assert_eq!(r.skips.len(), REMEMBERED_SKIPS);
    }

    #[test]
    fn origins_are_remembered_for_a_while() {
        let (mut r, now) = rewriter();
        for input in 0..1000 {
            sequence(&mut r, now, 1, input);
        }
        assert_eq!(r.origin(1999), Some((1, 999)));
        assert_eq!(r.origin(1488), Some((1, 488)));
        assert_eq!(r.origin(1487), None);
    }

    #[test]
    fn after_a_long_pause_numbers_go_on_whatever_the_source_did_meanwhile() {
        let (mut r, begin) = rewriter();
        assert_eq!(sequence(&mut r, begin, 1, 1000), Some(1000));
        // The source has gone round almost once: that is not a packet from before.
        let later = begin + Duration::from_secs(600);
        assert_eq!(sequence(&mut r, later, 1, 900), Some(1001));
        assert_eq!(r.origin(1000), None);
        assert_eq!(r.origin(1001), Some((1, 900)));
    }

    #[test]
    fn a_new_section_gives_out_no_number_twice() {
        let (mut r, now) = rewriter();
        for input in [10, 12] {
            sequence(&mut r, now, 1, input).unwrap();
        }
        r.begin_section();
        assert_eq!(r.origin(1002), None, "cannot be repeated to the bit");
        assert_eq!(sequence(&mut r, now, 1, 11), None, "late");
        assert_eq!(sequence(&mut r, now, 1, 13), Some(1003));
        r.forget_source();
        assert_eq!(sequence(&mut r, now, 1, 5), Some(1004));
    }
}
