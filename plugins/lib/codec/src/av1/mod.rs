//! AV1: open bitstream units, and the size and `av1C` of keyframes (AV1 specification §5.3, §5.5;
//! AV1 codec ISO media file format binding §2.3).

mod sequence_header;

use crate::{ContainerForm, Shape, leb128, track::Description};
use sequence_header::SequenceHeader;

// Types of open bitstream units (AV1 specification §6.2.2).

/// A sequence header: decoders begin there.
pub const SEQUENCE_HEADER: u8 = 1;
/// A temporal delimiter: the first of each temporal unit.
pub const TEMPORAL_DELIMITER: u8 = 2;
/// A tile list, of large scale tile decoding only.
pub const TILE_LIST: u8 = 8;
/// Padding.
pub const PADDING: u8 = 15;

/// Bit of a unit's header: a second byte with the layers follows.
pub const HAS_EXTENSION: u8 = 0x04;
/// Bit of a unit's header: the size of the payload follows.
pub const HAS_SIZE: u8 = 0x02;

/// The type that the first byte of a unit says.
#[inline]
#[must_use]
pub fn obu_type(header: u8) -> u8 {
    header >> 3 & 0x0f
}

/// An open bitstream unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Obu<'a> {
    /// One byte, or two with the layers. The size is no part of it.
    pub header: &'a [u8],
    /// What follows header and size.
    pub payload: &'a [u8],
    /// All of it.
    pub whole: &'a [u8],
}

impl<'a> Obu<'a> {
    /// The unit at the front of `data`. One without a size takes all there is. `None` if it is cut
    /// off, or there is none.
    #[must_use]
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let first = *data.first()?;
        let header_length = if first & HAS_EXTENSION != 0 { 2 } else { 1 };
        let (header, rest) = data.split_at_checked(header_length)?;
        let (size, size_length) = if first & HAS_SIZE != 0 {
            leb128::read(rest)?
        } else {
            (rest.len(), 0)
        };
        let payload = rest.get(size_length..)?.get(..size)?;
        Some(Self {
            header,
            payload,
            whole: data.get(..header_length + size_length + size)?,
        })
    }

    /// The type of the unit.
    #[must_use]
    pub fn obu_type(&self) -> u8 {
        self.header.first().map_or(0, |first| obu_type(*first))
    }

    /// Whether nothing is lost without this unit where temporal units are kept apart anyway: so RTP
    /// packets (RTP payload format for AV1 §5) and files (§2.4 of the binding) leave it out.
    #[must_use]
    pub fn is_dispensable(&self) -> bool {
        matches!(self.obu_type(), TEMPORAL_DELIMITER | TILE_LIST | PADDING)
    }
}

/// The units of a temporal unit in the low-overhead format (§5.2), up to one that is cut off.
pub fn obus(temporal_unit: &[u8]) -> impl Iterator<Item = Obu<'_>> {
    let mut rest = temporal_unit;
    std::iter::from_fn(move || {
        let unit = Obu::parse(rest)?;
        rest = rest.get(unit.whole.len()..)?;
        Some(unit)
    })
}

/// A temporal unit without what containers leave out.
#[must_use]
pub fn without_delimiters(temporal_unit: &[u8]) -> ContainerForm {
    let mut units = obus(temporal_unit);
    match units.next() {
        // The common case, which needs no copy: one delimiter, in front.
        Some(first) if first.is_dispensable() && !units.any(|unit| unit.is_dispensable()) => {
            ContainerForm::Part(first.whole.len()..temporal_unit.len())
        }
        _ if !obus(temporal_unit).any(|unit| unit.is_dispensable()) => {
            ContainerForm::Part(0..temporal_unit.len())
        }
        _ => {
            let kept = obus(temporal_unit).filter(|unit| !unit.is_dispensable());
            ContainerForm::Copy(kept.flat_map(|unit| unit.whole).copied().collect())
        }
    }
}

/// Size and `av1C` of a temporal unit with a sequence header; `None` without one.
#[must_use]
pub fn describe(temporal_unit: &[u8]) -> Option<Description> {
    let header = obus(temporal_unit).find(|unit| unit.obu_type() == SEQUENCE_HEADER)?;
    let sequence = SequenceHeader::parse(header.payload)?;
    let shape = Shape::picture(sequence.width, sequence.height)?;
    let mut record = vec![
        0x81, // marker and version 1
        sequence.profile << 5 | sequence.level,
        sequence.tier << 7 | sequence.samples,
        0, // no initial presentation delay
    ];
    record.extend_from_slice(header.whole);
    Some(Description {
        shape,
        configuration: record,
        colour: sequence.colour,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Delimiter, sequence header of libaom (320x240), one byte of a frame.
    pub(crate) const FRAME: [u8; 18] = [
        0x12, 0x00, 0x0a, 0x0a, 0x00, 0x00, 0x00, 0x04, 0x3c, 0xff, 0xbc, 0xff, 0x98, 0x08, 0x32,
        0x02, 0x10, 0x00,
    ];

    #[test]
    fn the_delimiter_is_left_out() {
        assert_eq!(without_delimiters(&FRAME), ContainerForm::Part(2..18));
        assert_eq!(without_delimiters(&FRAME[2..]), ContainerForm::Part(0..16));
        let padded = [&FRAME[..], &[0x7a, 0x00]].concat();
        let form = without_delimiters(&padded);
        assert_eq!(form, ContainerForm::Copy(FRAME[2..].to_vec()));
    }

    #[test]
    fn the_configuration_holds_the_sequence_header() {
        let record = describe(&FRAME).unwrap().configuration;
        assert_eq!(record[0], 0x81);
        assert_eq!(record[4..], FRAME[2..14]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(data in proptest::collection::vec(any::<u8>(), 0..48)) {
            let form = without_delimiters(&data);
            prop_assert!(obus(form.bytes(&data)).all(|unit| unit.obu_type() != TEMPORAL_DELIMITER));
        }
    }
}
