//! VP8: size from a keyframe's header (RFC 6386 §9.1).

use super::Shape;

/// The size that a keyframe has.
pub(super) fn size(frame: &[u8]) -> Option<Shape> {
    let [
        tag,
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
    let is_keyframe = tag & 1 == 0;
    let side = |low, high| u16::from_le_bytes([low, high]) & 0x3fff;
    let shape = Shape::picture(side(width_low, width_high), side(height_low, height_high));
    shape.filter(|_| is_keyframe)
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
