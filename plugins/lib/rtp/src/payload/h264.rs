//! H.264 (RFC 6184): single units, STAP-A and FU-A.

use super::packetiser::even_pieces;
use super::{Assemble, Assembled, Cut, Damaged, Packets, annex_b};
use crate::cursor::Cursor;

/// NAL unit types (ITU-T H.264 table 7-1, RFC 6184 table 1).
const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SUPPLEMENTAL: u8 = 6;
const SEQUENCE_PARAMETER_SET: u8 = 7;
const PICTURE_PARAMETER_SET: u8 = 8;
const ACCESS_UNIT_DELIMITER: u8 = 9;
const FILLER: u8 = 12;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// Parameter sets that are kept of a stream; their ids go up to 255, streams have one or two.
const KEPT_PARAMETER_SETS: usize = 16;

/// An access unit as a byte stream, with the parameter sets before each keyframe.
#[derive(Default)]
pub(super) struct Assembler {
    units: Vec<u8>,
    /// A fragmented unit is not complete.
    open: bool,
    /// Types of the units, one bit each.
    seen: u32,
    /// The latest parameter sets of the stream, in their order.
    kept: Vec<Vec<u8>>,
}

impl Assembler {
    fn unit(&mut self, unit: &[u8]) -> Result<(), Damaged> {
        let kind = unit.first().ok_or(Damaged)? & 0x1f;
        if matches!(kind, SEQUENCE_PARAMETER_SET | PICTURE_PARAMETER_SET) {
            self.keep(kind, unit);
        }
        self.seen |= 1 << kind;
        annex_b::append(&mut self.units, unit);
        Ok(())
    }

    /// A new sequence parameter set makes all earlier ones void.
    fn keep(&mut self, kind: u8, unit: &[u8]) {
        if self.kept.iter().any(|kept| kept == unit) {
            return;
        }
        if kind == SEQUENCE_PARAMETER_SET {
            self.kept.clear();
        }
        if self.kept.len() == KEPT_PARAMETER_SETS {
            // Never the sequence parameter set, the first.
            self.kept.remove(1);
        }
        self.kept.push(unit.to_vec());
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload);
        let (Some(indicator), Some(header)) = (cursor.u8(), cursor.u8()) else {
            return Err(Damaged);
        };
        let (starts, ends) = (header & 0x80 != 0, header & 0x40 != 0);
        if starts == self.open {
            return Err(Damaged);
        }
        if starts {
            let unit_header = (indicator & 0xe0) | (header & 0x1f);
            self.seen |= 1 << (unit_header & 0x1f);
            annex_b::append(&mut self.units, &[unit_header]);
        }
        self.units.extend_from_slice(cursor.rest());
        self.open = !ends;
        Ok(())
    }

    fn aggregate(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let mut cursor = Cursor::new(payload.get(1..).unwrap_or_default());
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

    /// The access unit with the parameter sets that it lacks.
    fn with_parameter_sets(&mut self) -> Vec<u8> {
        let units = std::mem::take(&mut self.units);
        if !self.has(IDR_SLICE) || self.has(SEQUENCE_PARAMETER_SET) {
            return units;
        }
        let mut whole = Vec::with_capacity(units.len() + 128);
        for set in &self.kept {
            annex_b::append(&mut whole, set);
        }
        whole.extend_from_slice(&units);
        whole
    }
}

/// Whether a unit of this type can be the first of a picture. A slice is if its first macroblock is
/// number 0, an exp-Golomb number at the front.
fn begins_picture(kind: u8, first: u8) -> bool {
    !matches!(kind, SLICE..=IDR_SLICE) || first & 0x80 != 0
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        match payload {
            [first, header, slice, ..] if first & 0x1f == FU_A => {
                header & 0x80 != 0 && begins_picture(header & 0x1f, *slice)
            }
            [first, slice, ..] => begins_picture(first & 0x1f, *slice),
            _ => false,
        }
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let kind = payload.first().ok_or(Damaged)? & 0x1f;
        if self.open && kind != FU_A {
            return Err(Damaged);
        }
        match kind {
            1..=23 => self.unit(payload),
            STAP_A => self.aggregate(payload),
            FU_A => self.fragment(payload),
            // Of the interleaved mode, which is never negotiated.
            _ => Err(Damaged),
        }
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        if self.open {
            return Err(Damaged);
        }
        let has_picture = (SLICE..=IDR_SLICE).any(|kind| self.has(kind));
        if !has_picture {
            // Parameter sets alone belong to the next picture and were kept for it.
            self.abandon();
            return Ok(None);
        }
        let recovers = self.has(SEQUENCE_PARAMETER_SET) && self.has(SUPPLEMENTAL);
        let keyframe = (self.has(IDR_SLICE) && !self.kept.is_empty()) || recovers;
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
pub(super) struct Cutter {
    /// packetization-mode 1: units may be aggregated and fragmented.
    non_interleaved: bool,
}

impl Cutter {
    pub(super) fn new(non_interleaved: bool) -> Self {
        Self { non_interleaved }
    }

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
                let importance = units.iter().filter_map(|unit| unit.first());
                let importance = importance.map(|header| header & 0x60).max().unwrap_or(0);
                packets.write(&[importance | STAP_A]);
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
        let Some((&header, body)) = unit.split_first() else {
            return;
        };
        let pieces = even_pieces(body, limit.saturating_sub(2));
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.enumerate() {
            let start = if index == 0 { 0x80 } else { 0 };
            let end = if index == last { 0x40 } else { 0 };
            packets.begin(0);
            packets.write(&[(header & 0xe0) | FU_A, start | end | (header & 0x1f)]);
            packets.write(piece);
        }
    }
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let mut keyframe = false;
        let mut pending: Vec<&[u8]> = Vec::new();
        let mut size = 1;
        for unit in annex_b::units(frame) {
            let kind = unit.first().map_or(0, |header| header & 0x1f);
            if matches!(kind, ACCESS_UNIT_DELIMITER | FILLER) {
                continue;
            }
            keyframe |= matches!(kind, IDR_SLICE | SEQUENCE_PARAMETER_SET);
            let aggregated = size + 2 + unit.len();
            if !self.non_interleaved || aggregated > limit {
                Self::aggregate(&mut pending, packets);
                size = 1;
            }
            if unit.len() > limit {
                // In single unit mode an encoder of ours cuts slices that fit. A foreign stream
                // with larger ones can only be fragmented, which receivers understand all the same.
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
