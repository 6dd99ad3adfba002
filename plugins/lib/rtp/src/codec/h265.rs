//! H.265 payloads (RFC 7798 §4.4).

use rivero_codec::h265::{begins_keyframe, unit_type};

use super::any_aggregated;

/// Types of units that packets have and bitstreams do not (RFC 7798 §4.4).
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// Whether a decoder can begin with this packet: it has a video or sequence parameter set, or the
/// beginning of a random access picture.
#[inline]
#[must_use]
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    let [first, _, rest @ ..] = payload else {
        return false;
    };
    match unit_type(*first) {
        FRAGMENTATION => rest
            .first()
            .is_some_and(|header| header & 0x80 != 0 && begins_keyframe(header & 0x3f)),
        AGGREGATION => any_aggregated(rest, |header| begins_keyframe(unit_type(header))),
        kind => begins_keyframe(kind),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_alone_aggregated_and_fragmented() {
        assert!(is_keyframe_start(&[19 << 1, 1, 0]), "IDR");
        assert!(is_keyframe_start(&[32 << 1, 1, 0]), "VPS");
        assert!(!is_keyframe_start(&[1 << 1, 1, 0]), "trailing picture");
        assert!(is_keyframe_start(&[
            48 << 1,
            1,
            0,
            2,
            2,
            1,
            0,
            2,
            33 << 1,
            1
        ]));
        assert!(!is_keyframe_start(&[48 << 1, 1, 0, 2, 2, 1]));
        assert!(
            is_keyframe_start(&[49 << 1, 1, 0x80 | 19]),
            "first fragment"
        );
        assert!(!is_keyframe_start(&[49 << 1, 1, 19]), "later fragment");
        assert!(!is_keyframe_start(&[19 << 1]));
    }
}
