//! H.265 payloads (RFC 7798 §4.4).

use crate::cursor::Cursor;

/// NAL unit types (ITU-T H.265 table 7-1, RFC 7798 §4.4).
const FIRST_RANDOM_ACCESS: u8 = 16;
const LAST_RANDOM_ACCESS: u8 = 23;
const VIDEO_PARAMETER_SET: u8 = 32;
const SEQUENCE_PARAMETER_SET: u8 = 33;
const AGGREGATION: u8 = 48;
const FRAGMENTATION: u8 = 49;

/// Whether a decoder can begin with this packet: it has a video or sequence parameter set, or the
/// beginning of a random access picture.
#[inline]
#[must_use]
pub fn is_keyframe_start(payload: &[u8]) -> bool {
    let mut cursor = Cursor::new(payload);
    let Some([first, _]) = cursor.take(2) else {
        return false;
    };
    match unit_type(*first) {
        FRAGMENTATION => cursor
            .u8()
            .is_some_and(|header| header & 0x80 != 0 && begins_keyframe(header & 0x3f)),
        AGGREGATION => aggregate_begins_keyframe(cursor),
        kind => begins_keyframe(kind),
    }
}

fn unit_type(first: u8) -> u8 {
    (first >> 1) & 0x3f
}

fn begins_keyframe(kind: u8) -> bool {
    matches!(
        kind,
        FIRST_RANDOM_ACCESS..=LAST_RANDOM_ACCESS | VIDEO_PARAMETER_SET | SEQUENCE_PARAMETER_SET
    )
}

fn aggregate_begins_keyframe(mut cursor: Cursor<'_>) -> bool {
    while let Some(len) = cursor.u16() {
        match cursor.take(usize::from(len)) {
            Some([first, ..]) if begins_keyframe(unit_type(*first)) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    false
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
