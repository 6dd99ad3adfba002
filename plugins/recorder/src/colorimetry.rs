//! Colours as formats say them, in GStreamer's words, for those that bitstreams do not say: browsers
//! send them beside VP8 (`http://www.webrtc.org/experiments/rtp-hdrext/color-space`).

use rivero_codec::{Colour, colour::UNSPECIFIED};

/// Names of common combinations, and what they stand for.
const NAMES: [(&str, [u8; 4]); 8] = [
    ("bt601", [2, 4, 16, 4]),
    ("bt709", [2, 3, 5, 1]),
    ("smpte240m", [2, 5, 6, 5]),
    ("sRGB", [1, 1, 7, 1]),
    ("bt2020", [2, 6, 11, 7]),
    ("bt2020-10", [2, 6, 13, 7]),
    ("bt2100-pq", [2, 6, 14, 7]),
    ("bt2100-hlg", [2, 6, 15, 7]),
];
/// The range of all values.
const FULL: u8 = 1;

/// `range:matrix:transfer:primaries` or a name, in the code points of ITU-T H.273. `None` for other text, and
/// where it says nothing.
pub(crate) fn colour(words: &str) -> Option<Colour> {
    let named = NAMES.iter().find(|(name, _)| *name == words);
    let [range, matrix, transfer, primaries] = match named {
        Some((_, numbers)) => *numbers,
        None => numbers(words)?,
    };
    Colour::known(
        primaries_of(primaries),
        transfer_of(transfer),
        matrix_of(matrix),
        range == FULL,
    )
}

fn numbers(words: &str) -> Option<[u8; 4]> {
    let mut numbers = words.split(':').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let found = [next()?, next()?, next()?, next()?];
    numbers.next().is_none().then_some(found)
}

/// GstVideoColorMatrix.
fn matrix_of(number: u8) -> u8 {
    match number {
        1 => 0,
        2 => 4,
        3 => 1,
        4 => 6,
        5 => 7,
        6 => 9,
        _ => UNSPECIFIED,
    }
}

/// GstVideoTransferFunction.
fn transfer_of(number: u8) -> u8 {
    match number {
        1 => 8,
        4 => 4,
        5 => 1,
        6 => 7,
        7 => 13,
        8 => 5,
        9 => 9,
        10 => 10,
        11 => 15,
        13 => 14,
        14 => 16,
        15 => 18,
        16 => 6,
        _ => UNSPECIFIED,
    }
}

/// GstVideoColorPrimaries.
fn primaries_of(number: u8) -> u8 {
    match number {
        1 => 1,
        2 => 4,
        3 => 5,
        4 => 6,
        5 => 7,
        6 => 8,
        7 => 9,
        9 => 10,
        10 => 11,
        11 => 12,
        12 => 22,
        _ => UNSPECIFIED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_gstreamer_are_those_of_the_standard() {
        // What Chromium says of a canvas: full range, BT.709.
        assert_eq!(colour("1:3:5:1"), Colour::known(1, 1, 1, true));
        assert_eq!(colour("2:4:16:4"), colour("bt601"));
        assert_eq!(colour("bt601"), Colour::known(6, 6, 6, false));
        assert_eq!(colour("bt2100-pq"), Colour::known(9, 16, 9, false));
        assert_eq!(colour("1:4:0:0"), Colour::known(2, 2, 6, true));
        for words in ["", "bt", "1:3:5", "1:3:5:1:1", "2:0:0:0", "1:3:5:x"] {
            assert_eq!(colour(words), None, "{words:?}");
        }
    }
}
