//! H.265 (RFC 7798): single units, aggregation packets and fragmentation units, without decoding
//! order numbers.

use super::packetiser::even_pieces;
use super::{Assemble, Assembled, Cut, Damaged, Packets, annex_b};
use crate::cursor::Cursor;

/// NAL unit types (ITU-T H.265 table 7-1, RFC 7798 §4.4).
const FIRST_RANDOM_ACCESS: u8 = 16;
const LAST_RANDOM_ACCESS: u8 = 23;
const LAST_PICTURE: u8 = 31;
const VIDEO_PARAMETER_SET: u8 = 32;
const SEQUENCE_PARAMETER_SET: u8 = 33;
const PICTURE_PARAMETER_SET: u8 = 34;
const ACCESS_UNIT_DELIMITER: u8 = 35;
const FILLER: u8 = 38;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// Parameter sets that are kept of a stream, which has one of each kind as a rule.
const KEPT_PARAMETER_SETS: usize = 16;

fn kind(first: u8) -> u8 {
    (first >> 1) & 0x3f
}

/// An access unit as a byte stream, with the parameter sets before each keyframe.
#[derive(Default)]
pub(super) struct Assembler {
    units: Vec<u8>,
    /// A fragmented unit is not complete.
    open: bool,
    /// Types of the units, one bit each.
    seen: u64,
    /// The latest parameter sets of the stream, in their order.
    kept: Vec<Vec<u8>>,
}

impl Assembler {
    fn unit(&mut self, unit: &[u8]) -> Result<(), Damaged> {
        let [first, _, ..] = unit else {
            return Err(Damaged);
        };
        let kind = kind(*first);
        if (VIDEO_PARAMETER_SET..=PICTURE_PARAMETER_SET).contains(&kind) {
            self.keep(kind, unit);
        }
        self.seen |= 1 << kind;
        annex_b::append(&mut self.units, unit);
        Ok(())
    }

    /// A new video parameter set makes all earlier ones void.
    fn keep(&mut self, kind: u8, unit: &[u8]) {
        if self.kept.iter().any(|kept| kept == unit) {
            return;
        }
        if kind == VIDEO_PARAMETER_SET {
            self.kept.clear();
        }
        if self.kept.len() == KEPT_PARAMETER_SETS {
            // Never the first two, on which the others depend.
            self.kept.remove(2);
        }
        self.kept.push(unit.to_vec());
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload);
        let (Some(first), Some(second), Some(header)) = (cursor.u8(), cursor.u8(), cursor.u8())
        else {
            return Err(Damaged);
        };
        let (starts, ends) = (header & 0x80 != 0, header & 0x40 != 0);
        if starts == self.open {
            return Err(Damaged);
        }
        if starts {
            let kind = header & 0x3f;
            self.seen |= 1 << kind;
            annex_b::append(&mut self.units, &[(first & 0x81) | (kind << 1), second]);
        }
        self.units.extend_from_slice(cursor.rest());
        self.open = !ends;
        Ok(())
    }

    fn aggregate(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload.get(2..).unwrap_or_default());
        while !cursor.rest().is_empty() {
            let length = cursor.u16().ok_or(Damaged)?;
            let unit = cursor.take(usize::from(length)).ok_or(Damaged)?;
            self.unit(unit)?;
        }
        Ok(())
    }

    fn has(&self, kind: u8) -> bool {
        self.seen & 1 << kind != 0
    }

    fn is_keyframe(&self) -> bool {
        (FIRST_RANDOM_ACCESS..=LAST_RANDOM_ACCESS).any(|kind| self.has(kind))
    }

    /// The access unit with the parameter sets that it lacks.
    fn with_parameter_sets(&mut self) -> Vec<u8> {
        let units = std::mem::take(&mut self.units);
        if !self.is_keyframe() || self.has(SEQUENCE_PARAMETER_SET) {
            return units;
        }
        let mut whole = Vec::with_capacity(units.len() + 256);
        for set in &self.kept {
            annex_b::append(&mut whole, set);
        }
        whole.extend_from_slice(&units);
        whole
    }
}

/// Whether a unit of this type can be the first of a picture. A slice says so in its first bit.
fn begins_picture(kind: u8, first: u8) -> bool {
    kind > LAST_PICTURE || first & 0x80 != 0
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        match payload {
            [first, _, header, slice, ..] if kind(*first) == FRAGMENTATION => {
                header & 0x80 != 0 && begins_picture(header & 0x3f, *slice)
            }
            [first, _, slice, ..] => begins_picture(kind(*first), *slice),
            _ => false,
        }
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let kind = kind(*payload.first().ok_or(Damaged)?);
        if self.open && kind != FRAGMENTATION {
            return Err(Damaged);
        }
        match kind {
            0..AGGREGATION => self.unit(payload),
            AGGREGATION => self.aggregate(payload),
            FRAGMENTATION => self.fragment(payload),
            _ => Err(Damaged),
        }
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        if self.open {
            return Err(Damaged);
        }
        if !(0..=LAST_PICTURE).any(|kind| self.has(kind)) {
            // Parameter sets alone belong to the next picture and were kept for it.
            self.abandon();
            return Ok(None);
        }
        let keyframe = self.is_keyframe() && !self.kept.is_empty();
        let data = self.with_parameter_sets();
        self.seen = 0;
        Ok(Some(Assembled {
            data,
            keyframe,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.units = Vec::new();
        self.open = false;
        self.seen = 0;
    }
}

/// Cuts an access unit that is a byte stream.
pub(super) struct Cutter;

impl Cutter {
    /// Small units that follow each other travel together.
    fn aggregate(pending: &mut Vec<&[u8]>, packets: &mut Packets) {
        match pending.as_slice() {
            [] => {}
            [unit] => {
                packets.begin(0);
                packets.write(unit);
            }
            units => {
                packets.begin(0);
                // Layer 0, temporal id of the base.
                packets.write(&[AGGREGATION << 1, 1]);
                for unit in units {
                    let length = u16::try_from(unit.len()).unwrap_or(u16::MAX);
                    packets.write(&length.to_be_bytes());
                    packets.write(unit);
                }
            }
        }
        pending.clear();
    }

    fn fragment(unit: &[u8], limit: usize, packets: &mut Packets) {
        let Some((&[first, second], body)) = unit.split_first_chunk::<2>() else {
            return;
        };
        let pieces = even_pieces(body, limit.saturating_sub(3));
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.enumerate() {
            let start = if index == 0 { 0x80 } else { 0 };
            let end = if index == last { 0x40 } else { 0 };
            packets.begin(0);
            let header = start | end | kind(first);
            packets.write(&[(first & 0x81) | (FRAGMENTATION << 1), second, header]);
            packets.write(piece);
        }
    }
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let mut keyframe = false;
        let mut pending: Vec<&[u8]> = Vec::new();
        let mut size = 2;
        for unit in annex_b::units(frame) {
            let kind = unit.first().map_or(0, |first| kind(*first));
            if matches!(kind, ACCESS_UNIT_DELIMITER | FILLER) {
                continue;
            }
            keyframe |= (FIRST_RANDOM_ACCESS..=LAST_RANDOM_ACCESS).contains(&kind);
            if size + 2 + unit.len() > limit {
                Self::aggregate(&mut pending, packets);
                size = 2;
            }
            if unit.len() > limit {
                Self::fragment(unit, limit, packets);
            } else {
                pending.push(unit);
                size += 2 + unit.len();
            }
        }
        Self::aggregate(&mut pending, packets);
        keyframe
    }
}
