//! Transport-wide congestion control feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01
//! §3.1).

use crate::cursor::Cursor;

/// Which packets of a transport arrived, and when.
#[derive(Clone, PartialEq, Eq)]
pub struct TransportFeedback<'a> {
    /// Transport sequence number of the first packet that it is about.
    pub base_sequence: u16,
    /// How many packets it is about.
    pub packet_count: u16,
    /// Reference of all arrival times, in 64 ms, 24 bits.
    pub reference_time: u32,
    /// Number of this message, to notice lost ones.
    pub feedback_count: u8,
    /// Status chunks, then receive deltas.
    body: &'a [u8],
    /// Where the deltas begin.
    deltas_start: usize,
}

impl std::fmt::Debug for TransportFeedback<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportFeedback")
            .field("base_sequence", &self.base_sequence)
            .field("packet_count", &self.packet_count)
            .field("reference_time", &self.reference_time)
            .field("feedback_count", &self.feedback_count)
            .finish_non_exhaustive()
    }
}

impl<'a> TransportFeedback<'a> {
    pub(super) fn parse(mut cursor: Cursor<'a>) -> Option<Self> {
        let base_sequence = cursor.u16()?;
        let packet_count = cursor.u16()?;
        let reference_time = cursor.u24()?;
        let feedback_count = cursor.u8()?;
        let body = cursor.rest();
        let mut covered = 0usize;
        while covered < usize::from(packet_count) {
            covered += Chunk(cursor.u16()?).len();
        }
        Some(Self {
            base_sequence,
            packet_count,
            reference_time,
            feedback_count,
            body,
            deltas_start: body.len() - cursor.rest().len(),
        })
    }

    /// The status of each packet: its transport sequence number and, if it arrived, the time since
    /// the one that arrived before it (for the first: since the reference time), in 250 µs.
    #[must_use]
    pub fn statuses(&self) -> PacketStatuses<'a> {
        PacketStatuses {
            next_sequence: self.base_sequence,
            left: self.packet_count,
            chunks: Cursor::new(self.body),
            chunk: Chunk(0),
            position: 0,
            chunk_left: 0,
            deltas: Cursor::new(self.body.get(self.deltas_start..).unwrap_or(&[])),
        }
    }
}

/// A packet status chunk: a run of equal statuses, or 14 statuses of one bit, or 7 of two.
#[derive(Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    fn len(self) -> usize {
        match self.0 >> 14 {
            0 | 1 => usize::from(self.0 & 0x1fff),
            2 => 14,
            _ => 7,
        }
    }

    /// 0 not received, 1 with a one-byte delta, 2 with a two-byte delta.
    fn status(self, position: usize) -> u16 {
        match self.0 >> 14 {
            0 | 1 => (self.0 >> 13) & 3,
            2 => (self.0 >> (13 - position.min(13))) & 1,
            _ => (self.0 >> (12 - 2 * position.min(6))) & 3,
        }
    }
}

/// Iterator made by [`TransportFeedback::statuses`].
#[derive(Clone)]
pub struct PacketStatuses<'a> {
    next_sequence: u16,
    left: u16,
    chunks: Cursor<'a>,
    chunk: Chunk,
    position: usize,
    chunk_left: usize,
    deltas: Cursor<'a>,
}

impl Iterator for PacketStatuses<'_> {
    type Item = (u16, Option<i16>);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        while self.chunk_left == 0 {
            self.chunk = Chunk(self.chunks.u16()?);
            self.chunk_left = self.chunk.len();
            self.position = 0;
        }
        let status = self.chunk.status(self.position);
        self.position += 1;
        self.chunk_left -= 1;
        let delta = match status {
            1 => Some(i16::from(self.deltas.u8()?)),
            2 => Some(self.deltas.u16()?.cast_signed()),
            _ => None,
        };
        let sequence = self.next_sequence;
        self.next_sequence = sequence.wrapping_add(1);
        Some((sequence, delta))
    }
}
