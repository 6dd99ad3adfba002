//! H.264 (RFC 6184): single units, STAP-A and FU-A.

use rivero_codec::annex_b;
use rivero_codec::h264::{
    IDR_SLICE, PICTURE_PARAMETER_SET, SEQUENCE_PARAMETER_SET, SLICE, SUPPLEMENTAL, begins_keyframe,
    is_dispensable, unit_type as kind,
};

use super::units::{self, AccessUnit, Aggregation};
use super::{Assemble, Assembled, Cut, Damaged, Packets};

/// Types of units that packets have and bitstreams do not (RFC 6184 table 1).
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// An access unit as a byte stream, with the parameter sets before each keyframe.
#[derive(Default)]
pub(super) struct Assembler(AccessUnit);

impl Assembler {
    fn unit(&mut self, unit: &[u8]) -> Result<(), Damaged> {
        let kind = kind(*unit.first().ok_or(Damaged)?);
        if matches!(kind, SEQUENCE_PARAMETER_SET | PICTURE_PARAMETER_SET) {
            self.0.keep(unit, kind == SEQUENCE_PARAMETER_SET, 1);
        }
        self.0.unit(kind, unit);
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let Some((&[indicator, header], piece)) = payload.split_first_chunk() else {
            return Err(Damaged);
        };
        let unit_header = (indicator & 0xe0) | kind(header);
        self.0.fragment(header, kind(header), &[unit_header], piece)
    }

    fn has(&self, kind: u8) -> bool {
        self.0.has(kind..=kind)
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
            [first, header, slice, ..] if kind(*first) == FU_A => {
                units::starts(*header) && begins_picture(kind(*header), *slice)
            }
            [first, slice, ..] => begins_picture(kind(*first), *slice),
            _ => false,
        }
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let (first, rest) = payload.split_first().ok_or(Damaged)?;
        let kind = kind(*first);
        if self.0.is_open() && kind != FU_A {
            return Err(Damaged);
        }
        match kind {
            1..=23 => self.unit(payload),
            STAP_A => units::aggregated(rest).try_for_each(|unit| self.unit(unit?)),
            FU_A => self.fragment(payload),
            // Of the interleaved mode, which is never negotiated.
            _ => Err(Damaged),
        }
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        if self.0.is_open() {
            return Err(Damaged);
        }
        if !self.0.has(SLICE..=IDR_SLICE) {
            // Parameter sets alone belong to the next picture and were kept for it.
            self.abandon();
            return Ok(None);
        }
        let refreshes = self.has(IDR_SLICE);
        let recovers = self.has(SEQUENCE_PARAMETER_SET) && self.has(SUPPLEMENTAL);
        let lacks_sets = refreshes && !self.has(SEQUENCE_PARAMETER_SET);
        Ok(Some(Assembled {
            data: self.0.finish(lacks_sets),
            keyframe: (refreshes && self.0.has_parameter_sets()) || recovers,
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.0.abandon();
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

    /// The header of a STAP-A: as important as its most important unit.
    fn aggregation_header(units: &[&[u8]]) -> [u8; 1] {
        let headers = units.iter().filter_map(|unit| unit.first());
        let importance = headers.map(|header| header & 0x60).max().unwrap_or(0);
        [importance | STAP_A]
    }
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let mut keyframe = false;
        let mut small = Aggregation::new(1);
        for unit in annex_b::units(frame) {
            let Some((&header, body)) = unit.split_first() else {
                continue;
            };
            let kind = kind(header);
            if is_dispensable(kind) {
                continue;
            }
            keyframe |= begins_keyframe(kind);
            if !self.non_interleaved || !small.has_room(unit, limit) {
                small.flush(packets, Self::aggregation_header);
            }
            if unit.len() > limit {
                // In single unit mode an encoder of ours cuts slices that fit. A foreign stream
                // with larger ones can only be fragmented, which receivers understand all the same.
                units::fragment(body, limit, packets, |marks| {
                    [(header & 0xe0) | FU_A, marks | kind]
                });
            } else {
                small.push(unit);
            }
        }
        small.flush(packets, Self::aggregation_header);
        keyframe
    }
}
