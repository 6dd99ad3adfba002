//! AV1 payloads (RTP payload format for AV1, version 1.0, §4.4).

use rivero_codec::av1::{HAS_EXTENSION, SEQUENCE_HEADER, obu_type};

use crate::cursor::Cursor;

/// Whether a decoder can begin with this packet: it is the first of a coded video sequence, or its
/// first unit is a sequence header.
#[inline]
#[must_use]
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    let Some(aggregation) = cursor.u8() else {
        return false;
    };
    let continues_unit = aggregation & 0x80 != 0;
    if continues_unit {
        return false;
    }
    let begins_sequence = aggregation & 0x08 != 0;
    begins_sequence
        || first_unit_header(aggregation, &mut cursor)
            .is_some_and(|header| obu_type(header) == SEQUENCE_HEADER)
}

/// Temporal and spatial layer of the first unit that begins in this packet; `None` where none
/// does, or where it has no layers (AV1 specification §5.3.3). Sequence headers and temporal
/// delimiters have none, and belong to the base layer.
#[inline]
#[must_use]
pub fn layers(payload: &[u8]) -> Option<(u8, u8)> {
    let mut cursor = Cursor::new(payload);
    let aggregation = cursor.u8()?;
    if aggregation & 0x80 != 0 {
        return None;
    }
    let header = first_unit_header(aggregation, &mut cursor)?;
    if header & HAS_EXTENSION == 0 {
        return None;
    }
    let extension = cursor.u8()?;
    Some((extension >> 5, (extension >> 3) & 3))
}

/// The first byte of the unit at the front; `cursor` is behind the aggregation header.
#[inline]
fn first_unit_header(aggregation: u8, cursor: &mut Cursor<'_>) -> Option<u8> {
    // With a count of one, the only unit has no length in front.
    if (aggregation >> 4) & 3 != 1 {
        cursor.leb128()?;
    }
    cursor.u8()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_those_of_the_first_unit() {
        assert_eq!(layers(&[0x10, 0x34, 0b0100_1000]), Some((2, 1)));
        assert_eq!(layers(&[0x20, 0x05, 0x34, 0b0010_0000]), Some((1, 0)));
        assert_eq!(
            layers(&[0x90, 0x34, 0b0010_0000]),
            None,
            "the rest of a unit"
        );
        assert_eq!(layers(&[0x10, 0x32, 0xff]), None, "no extension");
        assert_eq!(layers(&[0x10, 0x34]), None);
    }

    #[test]
    fn the_sequence_bit_or_a_sequence_header_begin_a_keyframe() {
        assert!(is_keyframe_start(&[0x08]));
        assert!(!is_keyframe_start(&[0x88]), "the rest of a unit");
        assert!(is_keyframe_start(&[0x10, 0x0a]), "one unit without length");
        assert!(
            is_keyframe_start(&[0x20, 0x81, 0x01, 0x0a]),
            "two units, long length"
        );
        assert!(!is_keyframe_start(&[0x10, 0x32]), "a frame");
        assert!(!is_keyframe_start(&[
            0x20, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0a
        ]));
    }
}
