//! VP9: keyframes, and their size and `vpcC`, from the uncompressed header (VP9 bitstream
//! specification §6.2; VP codec ISO media file format binding §3).

use crate::{Colour, Shape, bits::BitReader, colour::UNSPECIFIED, track::Description};

const FRAME_MARKER: u32 = 2;
const SYNC_CODE: u32 = 0x49_83_42;
/// `color_space` of RGB, which has no subsampling and the full range.
const RGB: u32 = 7;

/// Whether a frame is a keyframe. Its first byte is enough; a frame that shows an earlier one again
/// is none.
#[must_use]
pub fn is_keyframe(frame: &[u8]) -> bool {
    keyframe_profile(&mut BitReader::new(frame)).is_some()
}

/// Reads the header up to `frame_type`: the profile of a keyframe, `None` for any other frame.
fn keyframe_profile(bits: &mut BitReader<'_>) -> Option<u32> {
    if bits.read(2)? != FRAME_MARKER {
        return None;
    }
    // The low bit stands in front of the high one.
    let profile = bits.read(1)? | bits.read(1)? << 1;
    if profile == 3 {
        bits.skip(1)?; // reserved_zero
    }
    let (shows_existing, is_delta) = (bits.flag()?, bits.flag()?);
    (!shows_existing && !is_delta).then_some(profile)
}

/// Size of a keyframe, and the content of `vpcC` with its version and flags; `None` for other
/// frames.
#[must_use]
pub fn describe(keyframe: &[u8]) -> Option<Description> {
    let mut bits = BitReader::new(keyframe);
    let profile = keyframe_profile(&mut bits)?;
    bits.skip(2)?; // show_frame, error_resilient_mode
    if bits.read(24)? != SYNC_CODE {
        return None;
    }
    let Samples {
        depth,
        subsampling,
        full_range,
        space,
    } = Samples::read(&mut bits, profile)?;
    let [primaries, transfer, matrix] = code_points(space);
    let (width, height) = (bits.read(16)? + 1, bits.read(16)? + 1);
    let shape = Shape::picture(width, height)?;
    let depth_and_more = depth << 4 | subsampling << 1 | u8::from(full_range);
    let profile = u8::try_from(profile).ok()?;
    let record = vec![
        1, // version
        0,
        0,
        0, // flags
        profile,
        level(width, height),
        depth_and_more,
        primaries,
        transfer,
        matrix,
        0,
        0, // no bytes of initialisation
    ];
    Some(Description {
        shape,
        configuration: record,
        colour: Colour::known(primaries, transfer, matrix, full_range),
    })
}

/// Writes other colours into a `vpcC` that [`describe`] made.
pub(crate) fn set_colour(record: &mut [u8], colour: Colour) {
    // Behind version, flags, profile and level.
    if let Some([depth_and_more, primaries, transfer, matrix]) = record.get_mut(6..10) {
        *depth_and_more = *depth_and_more & !1 | u8::from(colour.full_range);
        (*primaries, *transfer, *matrix) = (colour.primaries, colour.transfer, colour.matrix);
    }
}

/// `color_config()`.
struct Samples {
    /// Bits.
    depth: u8,
    /// Of chroma, as in `vpcC`.
    subsampling: u8,
    full_range: bool,
    /// `color_space`.
    space: u32,
}

/// Primaries, transfer and matrix (ITU-T H.273) that a `color_space` stands for (§7.2.2).
fn code_points(space: u32) -> [u8; 3] {
    match space {
        1 => [5, 6, 5],    // BT.601
        2 => [1, 1, 1],    // BT.709
        3 => [6, 6, 6],    // SMPTE 170M
        4 => [7, 7, 7],    // SMPTE 240M
        5 => [9, 14, 9],   // BT.2020
        RGB => [1, 13, 0], // sRGB
        _ => [UNSPECIFIED; 3],
    }
}

impl Samples {
    fn read(bits: &mut BitReader<'_>, profile: u32) -> Option<Self> {
        let depth = match profile >= 2 {
            true if bits.flag()? => 12,
            true => 10,
            false => 8,
        };
        // Profiles 1 and 3 say their subsampling; the others have 4:2:0.
        let space = bits.read(3)?;
        if space == RGB {
            if profile & 1 == 1 {
                bits.skip(1)?;
            }
            return Some(Self {
                depth,
                subsampling: 3,
                full_range: true,
                space,
            });
        }
        let full_range = bits.flag()?;
        let subsampling = if profile & 1 == 1 {
            let x = bits.flag()?;
            bits.skip(2)?;
            if x { 2 } else { 3 }
        } else {
            1
        };
        Some(Self {
            depth,
            subsampling,
            full_range,
            space,
        })
    }
}

/// The lowest level (times ten) whose picture is large enough. The stream does not say its level, and
/// its rate is not known at the first frame.
fn level(width: u32, height: u32) -> u8 {
    const PICTURES: [(u64, u8); 7] = [
        (36_864, 10),
        (122_880, 20),
        (245_760, 21),
        (552_960, 30),
        (983_040, 31),
        (2_228_224, 40),
        (8_912_896, 50),
    ];
    let size = u64::from(width) * u64::from(height);
    let level = PICTURES.iter().find(|(largest, _)| size <= *largest);
    level.map_or(60, |(_, level)| *level)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Marker 10, profile 0, shown keyframe; sync code; BT.601, limited range; 320x240.
    pub(crate) const KEYFRAME: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0];

    #[test]
    fn a_keyframe_tells_its_size() {
        let Description {
            shape,
            configuration: record,
            colour,
        } = describe(&KEYFRAME).unwrap();
        assert_eq!(colour, Colour::known(5, 6, 5, false));
        assert_eq!(
            shape,
            Shape::Video {
                width: 320,
                height: 240
            }
        );
        assert_eq!(record, [1, 0, 0, 0, 0, 20, 0x82, 5, 6, 5, 0, 0]);
    }

    #[test]
    fn the_first_byte_tells_keyframes() {
        assert!(is_keyframe(&[0x82]), "profile 0");
        assert!(is_keyframe(&[0b1011_0000]), "profile 3");
        assert!(!is_keyframe(&[0b1011_0010]), "profile 3, not a keyframe");
        assert!(!is_keyframe(&[0b1011_0100]), "profile 3, shown again");
        assert!(!is_keyframe(&[0x86]), "not a keyframe");
        assert!(!is_keyframe(&[0x88]), "shown again");
        assert!(!is_keyframe(&[0x42]), "no frame");
        assert!(!is_keyframe(&[]));
    }
}
