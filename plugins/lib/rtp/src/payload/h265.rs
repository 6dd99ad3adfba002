//! H.265 (RFC 7798): single units, aggregation packets and fragmentation units, without decoding
//! order numbers.

use rivero_codec::annex_b;
use rivero_codec::h265::{
    LAST_SLICE, PICTURE_PARAMETER_SET, RANDOM_ACCESS, SEQUENCE_PARAMETER_SET, VIDEO_PARAMETER_SET,
    is_dispensable, unit_type as kind,
};

use super::units::{self, AccessUnit, Aggregation};
use super::{Assemble, Assembled, Cut, Damaged, Packets};

/// Types of units that packets have and bitstreams do not (RFC 7798 §4.4).
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// An access unit as a byte stream, with the parameter sets before each keyframe.
#[derive(Default)]
pub(super) struct Assembler(AccessUnit);

impl Assembler {
    fn unit(&mut self, unit: &[u8]) -> Result<(), Damaged> {
        let [first, _, ..] = unit else {
            return Err(Damaged);
        };
        let kind = kind(*first);
        if (VIDEO_PARAMETER_SET..=PICTURE_PARAMETER_SET).contains(&kind) {
            self.0.keep(unit, kind == VIDEO_PARAMETER_SET, 2);
        }
        self.0.unit(kind, unit);
        Ok(())
    }

    fn fragment(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let Some((&[first, second, header], piece)) = payload.split_first_chunk() else {
            return Err(Damaged);
        };
        let kind = header & 0x3f;
        let unit_header = [(first & 0x81) | (kind << 1), second];
        self.0.fragment(header, kind, &unit_header, piece)
    }
}

/// Whether a unit of this type can be the first of a picture. A slice says so in its first bit.
fn begins_picture(kind: u8, first: u8) -> bool {
    kind > LAST_SLICE || first & 0x80 != 0
}

impl Assemble for Assembler {
    fn begins_frame(&self, payload: &[u8]) -> bool {
        match payload {
            [first, _, header, slice, ..] if kind(*first) == FRAGMENTATION => {
                units::starts(*header) && begins_picture(header & 0x3f, *slice)
            }
            [first, _, slice, ..] => begins_picture(kind(*first), *slice),
            _ => false,
        }
    }

    fn append(&mut self, payload: &[u8]) -> Result<(), Damaged> {
        let kind = kind(*payload.first().ok_or(Damaged)?);
        if self.0.is_open() && kind != FRAGMENTATION {
            return Err(Damaged);
        }
        match kind {
            0..AGGREGATION => self.unit(payload),
            AGGREGATION => {
                let rest = payload.get(2..).unwrap_or_default();
                units::aggregated(rest).try_for_each(|unit| self.unit(unit?))
            }
            FRAGMENTATION => self.fragment(payload),
            _ => Err(Damaged),
        }
    }

    fn finish(&mut self) -> Result<Option<Assembled>, Damaged> {
        if self.0.is_open() {
            return Err(Damaged);
        }
        if !self.0.has(0..=LAST_SLICE) {
            // Parameter sets alone belong to the next picture and were kept for it.
            self.abandon();
            return Ok(None);
        }
        let refreshes = self.0.has(RANDOM_ACCESS);
        let has_sets = self.0.has(SEQUENCE_PARAMETER_SET..=SEQUENCE_PARAMETER_SET);
        Ok(Some(Assembled {
            data: self.0.finish(refreshes && !has_sets),
            keyframe: refreshes && self.0.has_parameter_sets(),
            offset: 0,
        }))
    }

    fn abandon(&mut self) {
        self.0.abandon();
    }
}

/// Cuts an access unit that is a byte stream.
pub(super) struct Cutter;

impl Cutter {
    /// The header of an aggregation packet: layer 0, temporal id of the base.
    fn aggregation_header(_: &[&[u8]]) -> [u8; 2] {
        [AGGREGATION << 1, 1]
    }
}

impl Cut for Cutter {
    fn cut(&mut self, frame: &[u8], limit: usize, packets: &mut Packets) -> bool {
        let mut keyframe = false;
        let mut small = Aggregation::new(2);
        for unit in annex_b::units(frame) {
            let Some((&[first, second], body)) = unit.split_first_chunk() else {
                continue;
            };
            let kind = kind(first);
            if is_dispensable(kind) {
                continue;
            }
            keyframe |= RANDOM_ACCESS.contains(&kind);
            if !small.has_room(unit, limit) {
                small.flush(packets, Self::aggregation_header);
            }
            if unit.len() > limit {
                units::fragment(body, limit, packets, |marks| {
                    let indicator = (first & 0x81) | (FRAGMENTATION << 1);
                    [indicator, second, marks | kind]
                });
            } else {
                small.push(unit);
            }
        }
        small.flush(packets, Self::aggregation_header);
        keyframe
    }
}
