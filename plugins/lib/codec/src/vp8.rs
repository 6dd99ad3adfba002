//! VP8: keyframes, and their size, from a frame's header (RFC 6386 §9.1).

use crate::Shape;

/// Whether a frame is a keyframe: the lowest bit of its first byte is clear. That byte is enough, as
/// the first packet of a frame has it; an empty slice is none.
#[inline]
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 1 == 0)
}

/// The size of a keyframe, in pixels before scaling; `None` for other frames, and without the start
/// code of a keyframe.
#[must_use]
pub fn size(frame: &[u8]) -> Option<Shape> {
    // Three bytes of frame tag, the start code, then 14 bits for each side below 2 bits of scaling.
    let [
        _,
        _,
        _,
        0x9d,
        0x01,
        0x2a,
        width_low,
        width_high,
        height_low,
        height_high,
        ..,
    ] = *frame
    else {
        return None;
    };
    let side = |low, high| u16::from_le_bytes([low, high]) & 0x3fff;
    let shape = Shape::picture(side(width_low, width_high), side(height_low, height_high));
    shape.filter(|_| is_keyframe(frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_keyframe_tells_its_size() {
        let frame = [
            0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x41, 0xf0, 0x00, 0,
        ];
        assert_eq!(
            size(&frame),
            Some(Shape::Video {
                width: 320,
                height: 240
            })
        );
        assert_eq!(size(&[0x11, 2, 0, 0x9d, 1, 0x2a, 0x40, 1, 0xf0, 0]), None);
        assert_eq!(size(&frame[..9]), None);
    }
}
