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

/// How far the time between two packets may differ by their presentation and by when they were sent:
/// further apart the one has nothing to do with the other, as where a source gives no times.
const LARGEST_DEVIATION: i64 = 1_000_000_000;
/// Inserted packets that late packets are placed by: of two seconds of keyframes, with three each.
const REMEMBERED_INSERTS: usize = 32;

/// What a packet was sent with that has to be the same when it is sent again under its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// The transport-wide sequence number.
    pub transport_sequence: u16,
    /// The time of sending (abs-send-time).
    pub send_time: [u8; 3],
}

/// Where an outgoing packet came from.
#[derive(Debug, Clone, Copy, Default)]
struct Origin {
    output: u16,
    input: u16,
    /// The section that it belongs to; 0 is none.
    section: u16,
}

/// Rewrites sequence numbers and timestamps so that a receiver sees one stream.
///
/// Within a source, gaps stay gaps, so that the receiver notices losses and asks for the right
/// packets; packets left out on purpose are closed up with [`Self::skipped`]. A switch of the
/// source goes on with the next number, and with a timestamp that grew by the time between what was
/// presented last and what is presented next.
#[derive(Debug, Clone)]
pub struct StreamRewriter {
    clock_rate: u32,
    source: Option<u64>,
    input: SequenceExtender,
    /// Outgoing extended number minus incoming, for packets newer than all before.
    offset: i64,
    /// Incoming numbers that have no outgoing one, oldest first.
    skips: VecDeque<u64>,
    /// Incoming numbers before which a packet of our own was sent, oldest first.
    inserts: VecDeque<u64>,
    /// Outgoing numbers below belong to former sources.
    begin: u64,
    timestamp_offset: u32,
    /// Highest outgoing number so far.
    highest: u64,
    /// The timestamp of the highest packet, when it was sent, and when it is presented, ns.
    latest: Option<(Instant, u32, i64)>,
    first_timestamp: u32,
    origins: Vec<Origin>,
    /// By the same places, with the outgoing number; made when the first is kept.
    marks: Vec<Option<(u16, Mark)>>,
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
            inserts: VecDeque::new(),
            begin: first,
            timestamp_offset: 0,
            highest: first - 1,
            latest: None,
            first_timestamp: timestamp,
            origins: vec![Origin::default(); usize::from(REMEMBERED)],
            marks: Vec::new(),
            section: 0,
        }
    }

    /// The numbers for a packet of `source` (any name of it that stays the same) that came with
    /// these numbers. `None` for a packet that has no place: it is older than the first one of its
    /// source, or than anything that is still remembered, or it came before.
    ///
    /// A source that differs from the previous packet's is a switch; the caller stops passing in
    /// packets of the former one. `presented`: when the packet is presented, ns, on a clock that all
    /// sources share. Arrivals are no measure of that: one source takes longer on its way than the
    /// other, and keyframes longer than anything else.
    #[inline]
    pub fn rewrite(
        &mut self,
        now: Instant,
        source: u64,
        sequence: u16,
        timestamp: u32,
        presented: i64,
    ) -> Option<Rewritten> {
        if self.source != Some(source) || self.has_paused(now) {
            self.switch(now, source, sequence, timestamp, presented);
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
            self.latest = Some((now, timestamp, presented));
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
            .is_some_and(|(at, ..)| now.saturating_duration_since(at) >= LONGEST_PAUSE)
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

    /// Whether nothing is missing between what came last and this packet.
    #[must_use]
    pub fn continues(&self, source: u64, sequence: u16) -> bool {
        let next = self.input.highest().map(|highest| low_bits(highest + 1));
        self.source == Some(source) && next == Some(sequence)
    }

    /// The number of a packet of our own in front of the one with these numbers, which comes next.
    /// `None` where that one is late: what follows it has been sent.
    pub fn insert(
        &mut self,
        now: Instant,
        source: u64,
        sequence: u16,
        timestamp: u32,
        presented: i64,
    ) -> Option<u16> {
        if self.source != Some(source) || self.has_paused(now) {
            self.switch(now, source, sequence, timestamp, presented);
        }
        let input = self.input.peek(sequence);
        if self.input.highest() >= Some(input) {
            return None;
        }
        let output = input.checked_add_signed(self.offset)?;
        self.offset += 1;
        if self.inserts.len() >= REMEMBERED_INSERTS {
            self.inserts.pop_front();
        }
        self.inserts.push_back(input);
        self.highest = self.highest.max(output);
        self.remember(low_bits(output), sequence);
        Some(low_bits(output))
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
        let inserted = self.inserts.iter().rev().take_while(|at| **at > input);
        let inserted = i64::try_from(inserted.count()).ok()?;
        (!forgotten && !self.skips.contains(&input)).then_some(self.offset + count - inserted)
    }

    fn switch(&mut self, now: Instant, source: u64, sequence: u16, timestamp: u32, presented: i64) {
        self.input = SequenceExtender::default();
        self.skips.clear();
        self.inserts.clear();
        let input = self.input.peek(sequence);
        self.begin = self.highest + 1;
        self.offset = self.begin.cast_signed() - input.cast_signed();
        let target = match self.latest {
            Some((at, latest, former)) => {
                let sent = now.saturating_duration_since(at);
                let passed = passed(sent, presented.saturating_sub(former));
                latest.wrapping_add(self.units(passed).max(1))
            }
            None => self.first_timestamp,
        };
        self.timestamp_offset = target.wrapping_sub(timestamp);
        self.source = Some(source);
        self.section = self.section.wrapping_add(1).max(1);
    }

    fn units(&self, passed: Duration) -> u32 {
        let elapsed = passed.min(Duration::from_secs(24 * 60 * 60));
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
            };
        }
    }

    /// Keeps what a packet was sent with that was just sent as `sequence`.
    #[inline]
    pub fn set_mark(&mut self, sequence: u16, mark: Mark) {
        if self.marks.is_empty() {
            self.marks.resize(usize::from(REMEMBERED), None);
        }
        if let Some(slot) = self.marks.get_mut(usize::from(sequence % REMEMBERED)) {
            *slot = Some((sequence, mark));
        }
    }

    /// What the packet was sent with that was sent as `sequence`, if that was kept. Of use where
    /// [`Self::origin`] knows that packet.
    #[must_use]
    pub fn mark(&self, sequence: u16) -> Option<Mark> {
        let slot = self.marks.get(usize::from(sequence % REMEMBERED));
        let (output, mark) = slot.copied().flatten()?;
        (output == sequence).then_some(mark)
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

    /// Which packet should have been sent as `sequence` and never was: its source, and its sequence
    /// number there. Such as the second packet of a keyframe that came before the first one, while
    /// nothing else was sent. `None` for what was sent, and from before the latest switch.
    #[must_use]
    pub fn never_sent(&self, sequence: u16) -> Option<(u64, u16)> {
        let output = self.extended(sequence);
        if output < self.begin || output >= self.highest || !self.is_free(output) {
            return None;
        }
        let mut input = output.checked_add_signed(-self.offset)?;
        for skip in self.skips.iter().rev() {
            if *skip < input {
                break;
            }
            input = input.checked_sub(1)?;
        }
        Some((self.source?, low_bits(input)))
    }

    /// What was [never sent](Self::never_sent) is sent now.
    pub fn on_sent_late(&mut self, sequence: u16, original: u16) {
        self.remember(sequence, original);
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

/// The time between two packets that were sent so far apart, and are presented so far apart, ns.
fn passed(sent: Duration, presented: i64) -> Duration {
    let by_sending = i64::try_from(sent.as_nanos()).unwrap_or(i64::MAX);
    if by_sending.abs_diff(presented) > LARGEST_DEVIATION.unsigned_abs() {
        return sent;
    }
    Duration::from_nanos(u64::try_from(presented).unwrap_or(0))
}

#[cfg(test)]
mod tests;
