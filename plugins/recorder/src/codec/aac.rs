//! AAC: AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1).

use rivero_plugin_api::Format;

use super::Shape;

const RATES: [u32; 13] = [
    96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000,
    7350,
];

/// Shape and configuration: the format's own, or one of plain AAC-LC.
pub(super) fn describe(format: &Format, rate: u32, channels: u8) -> (Shape, Vec<u8>) {
    let given = format.parameters.iter().find(|(name, _)| name == "config");
    let config = given
        .and_then(|(_, hex)| from_hex(hex))
        .filter(|config| config.len() >= 2)
        .unwrap_or_else(|| low_complexity(rate, channels));
    let shape = read(&config).unwrap_or(Shape::Audio { rate, channels });
    (shape, config)
}

fn low_complexity(rate: u32, channels: u8) -> Vec<u8> {
    const AAC_LC: u16 = 2;
    let index = RATES.iter().position(|known| *known == rate).unwrap_or(3);
    let index = u16::try_from(index).unwrap_or(3);
    (AAC_LC << 11 | index << 7 | u16::from(channels) << 3)
        .to_be_bytes()
        .to_vec()
}

/// Rate and channels, where they are written in the first two bytes.
fn read(config: &[u8]) -> Option<Shape> {
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

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex.bytes().collect();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair)
            .ok()
            .filter(|text| text.len() == 2)?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_formats_own_configuration_is_taken() {
        let format = Format::rtp("AAC", 48_000, 2).with("config", "1210");
        let sound = Shape::Audio {
            rate: 44_100,
            channels: 2,
        };
        assert_eq!(describe(&format, 48_000, 2), (sound, vec![0x12, 0x10]));
    }

    #[test]
    fn else_it_is_made_from_rate_and_channels() {
        for format in [
            Format::rtp("AAC", 0, 0),
            Format::rtp("AAC", 0, 0).with("config", "xyz"),
        ] {
            let sound = Shape::Audio {
                rate: 48_000,
                channels: 2,
            };
            assert_eq!(describe(&format, 48_000, 2), (sound, vec![0x11, 0x90]));
        }
    }
}
