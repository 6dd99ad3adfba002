//! What the numbers of a picture mean: code points of ITU-T H.273, which all codecs and containers
//! here share.

use crate::bits::BitReader;

/// Nothing is said of primaries, transfer or matrix (H.273 tables 2, 3 and 4).
pub const UNSPECIFIED: u8 = 2;
/// `aspect_ratio_idc` that a width and a height follow (H.264 table E-1, H.265 table E.1).
const EXTENDED_ASPECT_RATIO: u32 = 255;

/// How samples become colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour {
    /// ColourPrimaries.
    pub primaries: u8,
    /// TransferCharacteristics.
    pub transfer: u8,
    /// MatrixCoefficients.
    pub matrix: u8,
    /// VideoFullRangeFlag: luma from 0 to 255, not from 16 to 235 (of 8 bits).
    pub full_range: bool,
}

impl Colour {
    /// One standard for everything. `None` for a stream that says nothing at all: a player guesses then,
    /// and a container that said "limited range, else unknown" would take that from it.
    #[must_use]
    pub fn known(primaries: u8, transfer: u8, matrix: u8, full_range: bool) -> Option<Self> {
        let says_something = full_range
            || [primaries, transfer, matrix]
                .iter()
                .any(|point| *point != UNSPECIFIED);
        says_something.then_some(Self {
            primaries,
            transfer,
            matrix,
            full_range,
        })
    }
}

/// The beginning of vui_parameters(), which H.264 (§E.1.1) and H.265 (§E.2.1) have in common, with the flag in front of it.
/// `None` where it says nothing of colour, or is cut off.
pub(crate) fn of_usability_information(bits: &mut BitReader<'_>) -> Option<Colour> {
    read_signal_type(bits).flatten()
}

/// The same; `bits` is at `chroma_loc_info_present_flag` afterwards. `None` where there is no such
/// information, or it is cut off.
pub(crate) fn read_signal_type(bits: &mut BitReader<'_>) -> Option<Option<Colour>> {
    if !bits.flag()? {
        return None;
    }
    if bits.flag()? && bits.read(8)? == EXTENDED_ASPECT_RATIO {
        bits.skip(32)?; // sar_width, sar_height
    }
    if bits.flag()? {
        bits.skip(1)?; // overscan_appropriate_flag
    }
    if !bits.flag()? {
        return Some(None);
    }
    bits.skip(3)?; // video_format
    let full_range = bits.flag()?;
    let mut points = [UNSPECIFIED; 3];
    if bits.flag()? {
        for point in &mut points {
            *point = u8::try_from(bits.read(8)?).ok()?;
        }
    }
    let [primaries, transfer, matrix] = points;
    Some(Colour::known(primaries, transfer, matrix, full_range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_says_nothing_has_no_colour() {
        assert_eq!(Colour::known(2, 2, 2, false), None);
        assert!(Colour::known(2, 2, 2, true).is_some());
        assert!(Colour::known(2, 2, 6, false).is_some());
        // No usability information; no signal type in it; cut off.
        for bits in [&[0x00][..], &[0b1000_0000], &[0b1001_0000]] {
            assert_eq!(of_usability_information(&mut BitReader::new(bits)), None);
        }
    }

    #[test]
    fn the_signal_type_stands_behind_aspect_ratio_and_overscan() {
        // Flags, an aspect ratio of 255 with 16:11, overscan, format 5, full range, BT.709 three times.
        let data = [
            0b1111_1111,
            0b1100_0000,
            0b0000_0100,
            0b0000_0000,
            0b0000_0010,
            0b1111_1011,
            0b1100_0000,
            0b0100_0000,
            0b0100_0000,
            0b0100_0000,
        ];
        let colour = of_usability_information(&mut BitReader::new(&data)).unwrap();
        let expected = Colour::known(1, 1, 1, true).unwrap();
        assert_eq!(colour, expected);
    }
}
