//! AAC: AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).

use crate::Shape;

/// Samples of each channel that a frame of AAC-LC holds (`frameLengthFlag` 0). The form of 960 is for
/// digital radio; neither encoders nor senders that come here use it.
pub const SAMPLES_PER_FRAME: u32 = 1024;

/// Samples of each channel by which encoders are behind what they get: a frame overlaps the one before
/// it. Encoders whose output has the times of their input, as the server's has, leave this to be taken
/// from them.
pub const ENCODER_DELAY: u16 = 1024;

/// The rates that `samplingFrequencyIndex` counts, Hz.
const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
];
/// `samplingFrequencyIndex` of 48 kHz.
const INDEX_OF_48_KHZ: u16 = 3;

/// The AudioSpecificConfig of plain AAC-LC, two bytes. `rate` in Hz; one that has no index counts as
/// 48 kHz. `channels`: 1 to 7, `channelConfiguration`.
#[must_use]
pub fn low_complexity(rate: u32, channels: u8) -> Vec<u8> {
    const AAC_LC: u16 = 2;
    let index = RATES.iter().position(|known| *known == rate);
    let index = index.and_then(|index| u16::try_from(index).ok());
    let index = index.unwrap_or(INDEX_OF_48_KHZ);
    // 5 bits of object type, 4 of rate, 4 of channels; frames of 1024 samples and nothing further.
    (AAC_LC << 11 | index << 7 | u16::from(channels) << 3)
        .to_be_bytes()
        .to_vec()
}

/// Rate and channels of an AudioSpecificConfig, where they are written in its first two bytes:
/// `None` for an object type beyond 30, a rate without index, channels that a further element
/// describes, and what is cut off.
#[must_use]
pub fn shape(config: &[u8]) -> Option<Shape> {
    let [first, second, ..] = *config else {
        return None;
    };
    let word = u16::from_be_bytes([first, second]);
    let rate = *RATES.get(usize::from(word >> 7 & 15))?;
    let channels = u8::try_from(word >> 3 & 15)
        .ok()
        .filter(|channels| *channels > 0)?;
    Some(Shape::Audio { rate, channels })
}

/// Shape and configuration of a stream: those of the configuration that came with it, else of plain
/// AAC-LC at `rate` with `channels`.
pub(crate) fn describe(given: Option<&[u8]>, rate: u32, channels: u8) -> (Shape, Vec<u8>) {
    let config = given
        .filter(|config| config.len() >= 2)
        .map_or_else(|| low_complexity(rate, channels), <[u8]>::to_vec);
    // A configuration that is not understood is passed on all the same: decoders know more of them.
    let shape = shape(&config).unwrap_or(Shape::Audio { rate, channels });
    (shape, config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_streams_own_configuration_is_kept() {
        let sound = Shape::Audio {
            rate: 44_100,
            channels: 2,
        };
        let given = [0x12, 0x10];
        assert_eq!(describe(Some(&given), 48_000, 2), (sound, vec![0x12, 0x10]));
    }

    #[test]
    fn else_it_is_made_from_rate_and_channels() {
        let sound = Shape::Audio {
            rate: 48_000,
            channels: 2,
        };
        for given in [None, Some(&[0x12][..])] {
            assert_eq!(describe(given, 48_000, 2), (sound, vec![0x11, 0x90]));
        }
    }

    #[test]
    fn what_is_made_is_understood() {
        for (rate, channels) in [(48_000, 2), (44_100, 1), (8000, 6), (7350, 7)] {
            let config = low_complexity(rate, channels);
            assert_eq!(shape(&config), Some(Shape::Audio { rate, channels }));
        }
        assert_eq!(shape(&[0x17, 0x90]), None, "a rate of its own");
        assert_eq!(shape(&[0x11, 0x80]), None, "channels of its own");
        assert_eq!(shape(&[0x11]), None);
    }
}
