//! Which colours are those of a thing that was seen: a background, or what is followed.

/// Colours with less of it have no hue: what is grey, white or black.
const LEAST_CHROMA: f32 = 9.0;
/// Brightness of black, in television's range.
const BLACK: f32 = 16.0;

/// What the thing looks like.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Y, U and V in its middle.
    pub colour: [f32; 3],
    /// How far most of its pixels are from that.
    pub spread: [f32; 3],
}

/// For every colour, how little it is that of the thing: an opacity of whatever is before it. A table, since
/// there are more pixels than colours.
#[derive(Debug)]
pub struct Key {
    /// By the upper bits of Y, U and V.
    opacities: Vec<u8>,
}

const LUMA_BITS: u32 = 6;
const CHROMA_BITS: u32 = 7;

impl Key {
    /// The key of what looks like this. Takes some hundredths of a second.
    pub fn new(sample: &Sample) -> Self {
        let judge = Judge::new(sample);
        let steps = |bits: u32| {
            let width = 256.0 / f32::from(1u16 << bits);
            (0..1u16 << bits).map(move |step| (f32::from(step) + 0.5) * width - 0.5)
        };
        let mut opacities = Vec::with_capacity(1 << (LUMA_BITS + 2 * CHROMA_BITS));
        for luma in steps(LUMA_BITS) {
            for blue in steps(CHROMA_BITS) {
                opacities.extend(steps(CHROMA_BITS).map(|red| judge.opacity(luma, blue, red)));
            }
        }
        Self { opacities }
    }

    /// Of what is before the thing, at a pixel of this colour (Y, U, V): 0 where the thing is seen, 255 where
    /// something else is.
    pub fn opacity(&self, [luma, blue, red]: [u8; 3]) -> u8 {
        let part = |value: u8, bits: u32| usize::from(value) >> (8 - bits);
        let at = (part(luma, LUMA_BITS) << (2 * CHROMA_BITS))
            | (part(blue, CHROMA_BITS) << CHROMA_BITS)
            | part(red, CHROMA_BITS);
        self.opacities.get(at).copied().unwrap_or(u8::MAX)
    }
}

/// How colours are judged. Nothing is lit evenly: in shade it has the same hue and, in shares of its
/// brightness, the same saturation, so those are compared. What has no hue is compared as it is.
enum Judge {
    Hue {
        /// Its direction in the plane of U and V.
        direction: (f32, f32),
        saturation: f32,
        /// Radians.
        tolerance: f32,
    },
    Grey {
        colour: [f32; 3],
        /// Of brightness, and of colour.
        tolerance: (f32, f32),
    },
}

impl Judge {
    fn new(&Sample { colour, spread }: &Sample) -> Self {
        let [luma, blue, red] = [colour[0], colour[1] - 128.0, colour[2] - 128.0];
        let chroma = blue.hypot(red);
        let unevenness = spread[1].hypot(spread[2]);
        if chroma < LEAST_CHROMA {
            return Self::Grey {
                colour,
                tolerance: (
                    14.0 + 2.0 * spread[0].min(20.0),
                    7.0 + 2.0 * unevenness.min(8.0),
                ),
            };
        }
        // 24 degrees: colours of the spectrum are 60 from each other. More where noise turns the hue of a pale
        // screen, but never so much that it reaches skin.
        let noise = (unevenness / chroma).min(0.35);
        Self::Hue {
            direction: (blue / chroma, red / chroma),
            saturation: saturation(luma, chroma),
            tolerance: 24f32.to_radians() + noise,
        }
    }

    fn opacity(&self, luma: f32, blue: f32, red: f32) -> u8 {
        let [from_blue, from_red] = [blue - 128.0, red - 128.0];
        let share = match self {
            Self::Hue {
                direction,
                saturation: key,
                tolerance,
            } => {
                let chroma = from_blue.hypot(from_red).max(0.01);
                let along = (from_blue * direction.0 + from_red * direction.1) / chroma;
                let angle = along.clamp(-1.0, 1.0).acos();
                let other_hue = ramp(angle, *tolerance, tolerance + 15f32.to_radians());
                let paleness = 1.0 - saturation(luma, chroma) / key;
                // Hues of pixels with hardly any colour are those of noise.
                other_hue
                    .max(ramp(paleness, 0.45, 0.7))
                    .max(1.0 - ramp(chroma, 2.5, 5.0))
            }
            Self::Grey { colour, tolerance } => {
                let brightness = (luma - colour[0]).abs() / tolerance.0;
                let chroma = (blue - colour[1]).hypot(red - colour[2]) / tolerance.1;
                ramp(brightness.max(chroma), 1.0, 1.6)
            }
        };
        (share * 255.0).round() as u8
    }
}

/// Share of colour in what is seen, 0 to 1.
fn saturation(luma: f32, chroma: f32) -> f32 {
    chroma / ((luma - BLACK).max(0.0) + chroma).max(1.0)
}

/// 0 up to `from`, 1 from `to` on, and straight between.
fn ramp(value: f32, from: f32, to: f32) -> f32 {
    ((value - from) / (to - from)).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By ITU-R BT.601.
    fn yuv([red, green, blue]: [f32; 3]) -> [f32; 3] {
        let luma = 0.299 * red + 0.587 * green + 0.114 * blue;
        [
            16.0 + luma * 219.0 / 255.0,
            128.0 + (blue - luma) / 1.772 * 224.0 / 255.0,
            128.0 + (red - luma) / 1.402 * 224.0 / 255.0,
        ]
    }

    fn key(rgb: [f32; 3], spread: f32) -> Key {
        Key::new(&Sample {
            colour: yuv(rgb),
            spread: [spread * 2.0, spread, spread],
        })
    }

    fn opacity(key: &Key, rgb: [f32; 3]) -> u8 {
        key.opacity(yuv(rgb).map(|value| value.round() as u8))
    }

    const SKINS: [[f32; 3]; 6] = [
        [255.0, 219.0, 172.0],
        [224.0, 172.0, 140.0],
        [198.0, 134.0, 66.0],
        [141.0, 85.0, 36.0],
        [89.0, 47.0, 42.0],
        [60.0, 35.0, 30.0],
    ];
    const GREYS: [[f32; 3]; 4] = [[0.0; 3], [60.0; 3], [128.0; 3], [255.0; 3]];

    #[test]
    fn screens_are_keyed_in_light_and_shade_and_people_are_not() {
        for screen in [
            [0.0, 255.0, 0.0],
            [0.0, 177.0, 64.0],
            [86.0, 140.0, 92.0],
            [0.0, 71.0, 187.0],
            [0.0, 0.0, 255.0],
            [90.0, 120.0, 170.0],
        ] {
            let key = key(screen, 2.0);
            for light in [1.1f32, 1.0, 0.8, 0.6] {
                let lit = screen.map(|value| (value * light).min(255.0));
                assert!(opacity(&key, lit) < 40, "{screen:?} at {light}");
            }
            for kept in SKINS.iter().chain(&GREYS) {
                assert_eq!(opacity(&key, *kept), 255, "{kept:?} before {screen:?}");
            }
        }
    }

    #[test]
    fn other_colours_of_the_spectrum_are_kept() {
        let green = key([0.0, 200.0, 0.0], 2.0);
        for kept in [
            [255.0, 0.0, 0.0],
            [0.0, 0.0, 255.0],
            [255.0, 255.0, 0.0],
            [0.0, 255.0, 255.0],
            [255.0, 0.0, 255.0],
        ] {
            assert_eq!(opacity(&green, kept), 255, "{kept:?}");
        }
    }

    #[test]
    fn a_white_wall_is_keyed_and_colours_and_shadows_are_not() {
        let wall = key([235.0; 3], 1.0);
        assert_eq!(opacity(&wall, [230.0; 3]), 0);
        assert_eq!(opacity(&wall, [120.0; 3]), 255);
        for skin in SKINS {
            assert_eq!(opacity(&wall, skin), 255, "{skin:?}");
        }
    }

    #[test]
    fn every_colour_has_an_opacity() {
        let key = key([86.0, 140.0, 92.0], 6.0);
        assert_eq!(key.opacities.len(), 1 << 20);
        key.opacity([0; 3]);
        key.opacity([255; 3]);
    }
}
