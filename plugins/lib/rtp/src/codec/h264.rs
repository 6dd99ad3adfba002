//! H.264 payloads (RFC 6184 §5).

use rivero_codec::h264::{begins_keyframe, unit_type};

use super::any_aggregated;

/// Types of units that packets have and bitstreams do not (RFC 6184 table 1).
const STAP_A: u8 = 24;
const STAP_B: u8 = 25;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// Whether a decoder can begin with this packet: it has a sequence parameter set, or the beginning
/// of an IDR slice. Senders put the parameter sets before each keyframe.
#[inline]
#[must_use]
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    let Some((first, rest)) = payload.split_first() else {
        return false;
    };
    let unit_begins = |header: u8| begins_keyframe(unit_type(header));
    match unit_type(*first) {
        FU_A | FU_B => rest
            .first()
            .is_some_and(|header| header & 0x80 != 0 && unit_begins(*header)),
        STAP_A => any_aggregated(rest, unit_begins),
        // A decoding order number stands before the units.
        STAP_B => rest
            .get(2..)
            .is_some_and(|units| any_aggregated(units, unit_begins)),
        kind => begins_keyframe(kind),
    }
}

/// Whether the packet holds, or begins or continues, a slice that no picture refers to
/// (ITU-T H.264 §7.4.1: `nal_ref_idc` is 0).
#[inline]
#[must_use]
pub fn is_discardable(payload: &[u8]) -> bool {
    // The indicator of a fragment repeats the slice's. An IDR slice is always referred to.
    let is_slice = |kind: u8| (1..=2).contains(&kind);
    match payload {
        [first, header, ..] if matches!(unit_type(*first), FU_A | FU_B) => {
            first & 0x60 == 0 && is_slice(unit_type(*header))
        }
        [first, ..] => first & 0x60 == 0 && is_slice(unit_type(*first)),
        [] => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_alone_aggregated_and_fragmented() {
        assert!(is_keyframe_start(&[0x65, 1]), "IDR slice");
        assert!(is_keyframe_start(&[0x67, 1]), "parameter set");
        assert!(!is_keyframe_start(&[0x41, 1]), "other slice");
        assert!(
            is_keyframe_start(&[0x78, 0, 1, 0x06, 0, 2, 0x67, 9]),
            "STAP-A"
        );
        assert!(!is_keyframe_start(&[0x78, 0, 1, 0x06, 0, 2, 0x41, 9]));
        assert!(!is_keyframe_start(&[0x78, 0, 9, 0x67]), "cut off");
        assert!(is_keyframe_start(&[0x79, 0, 0, 0, 1, 0x65]), "STAP-B");
        assert!(is_keyframe_start(&[0x7c, 0x85]), "first fragment");
        assert!(!is_keyframe_start(&[0x7c, 0x05]), "later fragment");
        assert!(!is_keyframe_start(&[0x7c, 0x81]), "of another slice");
    }

    #[test]
    fn pictures_that_none_refers_to_may_be_left_out() {
        assert!(is_discardable(&[0x01, 1]), "slice");
        assert!(is_discardable(&[0x1c, 0x81, 1]), "fragment of one");
        assert!(!is_discardable(&[0x41, 1]), "one that is referred to");
        assert!(!is_discardable(&[0x7c, 0x81, 1]), "fragment of such a one");
        assert!(!is_discardable(&[0x06, 1]), "no slice");
        assert!(!is_discardable(&[]));
    }
}
