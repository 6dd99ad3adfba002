//! What the payloads of H.264 (RFC 6184) and H.265 (RFC 7798) have in common: NAL units that travel
//! alone, several in a packet, or in fragments.

use std::ops::RangeInclusive;

use rivero_codec::annex_b;

use super::packetiser::even_pieces;
use super::{Damaged, Packets};
use crate::cursor::Cursor;

/// Parameter sets that are kept of a stream, which has one or two of each kind as a rule.
const KEPT_PARAMETER_SETS: usize = 16;
/// Bits of a fragment's header.
const START: u8 = 0x80;
const END: u8 = 0x40;

/// Whether a fragment with this header is the first of its unit.
pub(super) fn starts(fragment_header: u8) -> bool {
    fragment_header & START != 0
}

/// An access unit that comes in, as a byte stream.
#[derive(Default)]
pub(super) struct AccessUnit {
    units: Vec<u8>,
    /// A fragmented unit is not complete.
    open: bool,
    /// Types of the units, one bit each.
    seen: u64,
    /// The latest parameter sets of the stream, in their order.
    kept: Vec<Vec<u8>>,
}

impl AccessUnit {
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Whether there is a unit of one of these types.
    pub(super) fn has(&self, mut kinds: RangeInclusive<u8>) -> bool {
        kinds.any(|kind| self.seen & 1 << kind != 0)
    }

    pub(super) fn has_parameter_sets(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Takes a whole unit.
    pub(super) fn unit(&mut self, kind: u8, unit: &[u8]) {
        self.seen |= 1 << kind;
        annex_b::append(&mut self.units, unit);
    }

    /// Remembers a parameter set. One that is `first` makes all earlier ones void; the leading
    /// `needed` ones, on which the others depend, are never forgotten for want of room.
    pub(super) fn keep(&mut self, set: &[u8], first: bool, needed: usize) {
        if self.kept.iter().any(|kept| kept == set) {
            return;
        }
        if first {
            self.kept.clear();
        }
        if self.kept.len() == KEPT_PARAMETER_SETS {
            self.kept.remove(needed);
        }
        self.kept.push(set.to_vec());
    }

    /// Takes a fragment of a unit of this type, of which `unit_header` is the header.
    pub(super) fn fragment(
        &mut self,
        fragment_header: u8,
        kind: u8,
        unit_header: &[u8],
        piece: &[u8],
    ) -> Result<(), Damaged> {
        let starts = starts(fragment_header);
        if starts == self.open {
            return Err(Damaged);
        }
        if starts {
            self.unit(kind, unit_header);
        }
        self.units.extend_from_slice(piece);
        self.open = fragment_header & END == 0;
        Ok(())
    }

    /// The access unit, after the parameter sets of the stream if it lacks them.
    pub(super) fn finish(&mut self, lacks_parameter_sets: bool) -> Vec<u8> {
        self.seen = 0;
        let units = std::mem::take(&mut self.units);
        if !lacks_parameter_sets {
            return units;
        }
        let sets: usize = self.kept.iter().map(|set| set.len() + 4).sum();
        let mut whole = Vec::with_capacity(units.len() + sets);
        for set in &self.kept {
            annex_b::append(&mut whole, set);
        }
        whole.extend_from_slice(&units);
        whole
    }

    /// Forgets the access unit, not the parameter sets.
    pub(super) fn abandon(&mut self) {
        self.units = Vec::new();
        self.open = false;
        self.seen = 0;
    }
}

/// The units of a packet that has several, each behind its length; an error ends them where one is
/// cut off.
#[inline]
pub(crate) fn aggregated(units: &[u8]) -> impl Iterator<Item = Result<&[u8], Damaged>> {
    let mut cursor = Cursor::new(units);
    std::iter::from_fn(move || {
        (!cursor.rest().is_empty()).then(|| {
            let length = cursor.u16().ok_or(Damaged)?;
            cursor.take(usize::from(length)).ok_or(Damaged)
        })
    })
}

/// Lets small units that follow each other travel together.
pub(super) struct Aggregation<'a> {
    pending: Vec<&'a [u8]>,
    header_length: usize,
    size: usize,
}

impl<'a> Aggregation<'a> {
    pub(super) fn new(header_length: usize) -> Self {
        Self {
            pending: Vec::new(),
            header_length,
            size: header_length,
        }
    }

    /// Whether a unit finds room beside those that wait, in a packet of at most `limit` bytes.
    pub(super) fn has_room(&self, unit: &[u8], limit: usize) -> bool {
        self.size + 2 + unit.len() <= limit
    }

    pub(super) fn push(&mut self, unit: &'a [u8]) {
        self.pending.push(unit);
        self.size += 2 + unit.len();
    }

    /// Writes the units that wait; `header` makes the header of a packet of several.
    pub(super) fn flush<const N: usize>(
        &mut self,
        packets: &mut Packets,
        header: impl FnOnce(&[&[u8]]) -> [u8; N],
    ) {
        match self.pending.as_slice() {
            [] => {}
            [unit] => {
                packets.begin(0);
                packets.write(unit);
            }
            units => {
                packets.begin(0);
                packets.write(&header(units));
                for unit in units {
                    let length = u16::try_from(unit.len()).unwrap_or(u16::MAX);
                    packets.write(&length.to_be_bytes());
                    packets.write(unit);
                }
            }
        }
        self.pending.clear();
        self.size = self.header_length;
    }
}

/// Writes a unit without its header in fragments of about the same size. They begin with what
/// `header` makes of the bits that mark the first and the last one.
pub(super) fn fragment<const N: usize>(
    body: &[u8],
    limit: usize,
    packets: &mut Packets,
    header: impl Fn(u8) -> [u8; N],
) {
    let pieces = even_pieces(body, limit.saturating_sub(N));
    let last = pieces.len().saturating_sub(1);
    for (index, piece) in pieces.enumerate() {
        let start = if index == 0 { START } else { 0 };
        let end = if index == last { END } else { 0 };
        packets.begin(0);
        packets.write(&header(start | end));
        packets.write(piece);
    }
}
