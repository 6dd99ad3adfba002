//! VP9: size and `vpcC` from a keyframe's uncompressed header (VP9 bitstream
//! specification §6.2; VP codec ISO media file format binding §3).

use super::{Shape, bits::Bits};

const SYNC_CODE: u32 = 0x49_83_42;
const RGB: u32 = 7;

/// Size of a keyframe, and the fields of `vpcC`.
pub(super) fn describe(frame: &[u8]) -> Option<(Shape, Vec<u8>)> {
    let mut bits = Bits::new(frame);
    if bits.read(2)? != 2 {
        return None;
    }
    let profile = bits.read(1)? | bits.read(1)? << 1;
    if profile == 3 {
        bits.skip(1)?;
    }
    let (shows_existing, is_delta) = (bits.flag()?, bits.flag()?);
    if shows_existing || is_delta {
        return None;
    }
    bits.skip(2)?; // show_frame, error_resilient_mode
    if bits.read(24)? != SYNC_CODE {
        return None;
    }
    let (depth, subsampling, full_range) = colour(&mut bits, profile)?;
    let (width, height) = (bits.read(16)? + 1, bits.read(16)? + 1);
    let shape = Shape::picture(width, height)?;
    // Colour primaries, transfer and matrix: unspecified.
    let depth_and_more = depth << 4 | subsampling << 1 | u8::from(full_range);
    let profile = u8::try_from(profile).ok()?;
    let private = vec![
        1,
        0,
        0,
        0,
        profile,
        level(width, height),
        depth_and_more,
        2,
        2,
        2,
        0,
        0,
    ];
    Some((shape, private))
}

/// Bits of a sample, chroma subsampling as in `vpcC`, and whether the range is full.
fn colour(bits: &mut Bits<'_>, profile: u32) -> Option<(u8, u8, bool)> {
    let depth = match profile >= 2 {
        true if bits.flag()? => 12,
        true => 10,
        false => 8,
    };
    if bits.read(3)? == RGB {
        if profile & 1 == 1 {
            bits.skip(1)?;
        }
        return Some((depth, 3, true));
    }
    let full_range = bits.flag()?;
    let subsampling = if profile & 1 == 1 {
        let x = bits.flag()?;
        bits.skip(2)?;
        if x { 2 } else { 3 }
    } else {
        1
    };
    Some((depth, subsampling, full_range))
}

/// The lowest level (times ten) whose picture is large enough.
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
pub(super) mod tests {
    use super::*;

    /// Marker 10, profile 0, shown keyframe; sync code; BT.601, limited range; 320x240.
    pub(crate) const KEYFRAME: [u8; 10] = [0x82, 0x49, 0x83, 0x42, 0x20, 0x13, 0xf0, 0x0e, 0xf0, 0];

    #[test]
    fn a_keyframe_tells_its_size() {
        let (shape, private) = describe(&KEYFRAME).unwrap();
        assert_eq!(
            shape,
            Shape::Video {
                width: 320,
                height: 240
            }
        );
        assert_eq!(private, [1, 0, 0, 0, 0, 20, 0x82, 2, 2, 2, 0, 0]);
    }
}
