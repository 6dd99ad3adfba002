//! VP8: keyframes, and their size, from a frame's header (RFC 6386 §9.1).

use crate::{Colour, Shape, colour::UNSPECIFIED, track::Description};

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

/// MatrixCoefficients of ITU-R BT.601 (ITU-T H.273 table 4).
const BT_601: u8 = 6;

/// Size and colour of a keyframe, of which there is nothing else to be known; `None` as in [`size`].
#[must_use]
pub fn describe(keyframe: &[u8]) -> Option<Description> {
    Some(Description {
        shape: size(keyframe)?,
        configuration: Vec::new(),
        colour: colour(keyframe),
    })
}

/// `color_space` (§9.2) is the first bit behind the head of a keyframe. Clear, it says BT.601 and a limited range; set, nothing.
fn colour(keyframe: &[u8]) -> Option<Colour> {
    // The boolean decoder has its first bit of even probability in the highest bit (§7.3): clear where the
    // value is below half of the range of 255.
    let value = keyframe.get(10)?;
    let is_reserved = *value >= 128;
    Colour::known(
        UNSPECIFIED,
        UNSPECIFIED,
        if is_reserved { UNSPECIFIED } else { BT_601 },
        false,
    )
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

    #[test]
    fn colour_is_the_first_bit_of_what_is_encoded() {
        let head = [0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00];
        let colour = |first| describe(&[&head[..], &[first]].concat()).unwrap().colour;
        assert_eq!(colour(0x47), Colour::known(2, 2, BT_601, false));
        assert_eq!(colour(0x80), None);
        assert_eq!(describe(&head).unwrap().colour, None);
    }
}
