//! Colours of an image as a picture has them (ITU-T H.273).

use crate::{PictureFormat, Planes};

/// How a picture's Y, U and V come from red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Shares of red and of blue in luma.
    red: f32,
    blue: f32,
    /// All values from 0 to 255 are used, not only those of television.
    is_full_range: bool,
}

const BT601: (f32, f32) = (0.299, 0.114);
const BT709: (f32, f32) = (0.2126, 0.0722);
const SMPTE240M: (f32, f32) = (0.212, 0.087);
const BT2020: (f32, f32) = (0.2627, 0.0593);

impl Default for Colours {
    fn default() -> Self {
        Self::TELEVISION
    }
}

impl Colours {
    /// As in television of standard definition, which is meant where nothing is said.
    pub const TELEVISION: Self = Self::new(BT601, false);

    const fn new((red, blue): (f32, f32), is_full_range: bool) -> Self {
        Self {
            red,
            blue,
            is_full_range,
        }
    }

    /// Reads GStreamer's text for colours: a name, or numbers for range, matrix, transfer and
    /// primaries with colons between. What it does not tell is as in television of standard
    /// definition.
    pub fn parse(colorimetry: &str) -> Self {
        match colorimetry {
            "bt709" => return Self::new(BT709, false),
            "smpte240m" => return Self::new(SMPTE240M, false),
            "bt2020" | "bt2020-10" | "bt2100-pq" | "bt2100-hlg" => return Self::new(BT2020, false),
            _ => {}
        }
        let mut numbers = colorimetry.split(':');
        let is_full_range = numbers.next() == Some("1");
        let matrix = match numbers.next() {
            Some("3") => BT709,
            Some("5") => SMPTE240M,
            Some("6") => BT2020,
            _ => BT601,
        };
        Self::new(matrix, is_full_range)
    }

    /// Red, green and blue, not multiplied, of differences: Y less black, U and V less 128. No opacity, so that nothing is
    /// added on the way back.
    fn rgb(&self, [luma, from_blue, from_red]: [f32; 3]) -> [f32; 4] {
        let (luma_scale, chroma_scale) = self.scales();
        let luma = luma / luma_scale;
        let blue = luma + from_blue / chroma_scale * 2.0 * (1.0 - self.blue);
        let red = luma + from_red / chroma_scale * 2.0 * (1.0 - self.red);
        let green = (luma - self.red * red - self.blue * blue) / (1.0 - self.red - self.blue);
        [red, green, blue, 0.0]
    }

    fn scales(&self) -> (f32, f32) {
        match self.is_full_range {
            true => (1.0, 1.0),
            false => (219.0 / 255.0, 224.0 / 255.0),
        }
    }

    /// Y, U and V of an opaque colour: red, green and blue.
    pub fn of_rgb(&self, [red, green, blue]: [u8; 3]) -> [u8; 3] {
        let [red, green, blue] = [red, green, blue].map(f32::from);
        // Conversions of floats to integers stay within the integer's range.
        self.convert([red, green, blue, 255.0])
            .map(|value| value.round() as u8)
    }

    /// Red, green and blue of Y, U and V.
    pub fn to_rgb(&self, [luma, blue, red]: [u8; 3]) -> [u8; 3] {
        let black = if self.is_full_range { 0.0 } else { 16.0 };
        let values = [
            f32::from(luma) - black,
            f32::from(blue) - 128.0,
            f32::from(red) - 128.0,
        ];
        let [red, green, blue, _] = self.rgb(values);
        [red, green, blue].map(|value| value.round() as u8)
    }

    /// Y, U and V of a colour that is multiplied with its opacity, and multiplied so too. All
    /// values, the opacity included, are from 0 to 255.
    pub(crate) fn convert(&self, [red, green, blue, opacity]: [f32; 4]) -> [f32; 3] {
        let luma = self.red * red + (1.0 - self.red - self.blue) * green + self.blue * blue;
        let from_blue = (blue - luma) / (2.0 * (1.0 - self.blue));
        let from_red = (red - luma) / (2.0 * (1.0 - self.red));
        let (luma_scale, chroma_scale) = self.scales();
        let black = if self.is_full_range { 0.0 } else { 16.0 };
        let offset = |value: f32| opacity * value / 255.0;
        [
            luma * luma_scale + offset(black),
            from_blue * chroma_scale + offset(128.0),
            from_red * chroma_scale + offset(128.0),
        ]
    }
}

/// Makes values of one kind of colours those of another. Luma depends on all three, colour on colour alone, for what
/// is grey is so in all of them.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    /// Of luma, and of both differences of colour less 128, in 65,536th.
    luma: [i32; 3],
    blue: [i32; 2],
    red: [i32; 2],
    /// What black is, before and after.
    black: (i32, i32),
}

/// One, as conversions have it.
const ONE: f32 = 65_536.0;

impl Conversion {
    /// `None` where they are the same.
    pub fn between(from: Colours, to: Colours) -> Option<Self> {
        if from == to {
            return None;
        }
        // Each column is what a single value becomes by way of red, green and blue.
        let convert = |value: [f32; 3]| {
            let [luma, blue, red] = to.convert(from.rgb(value)).map(|value| value * ONE);
            [luma, blue, red].map(|value| value.round() as i32)
        };
        let [luma, _, _] = convert([1.0, 0.0, 0.0]);
        let [luma_of_blue, blue_of_blue, red_of_blue] = convert([0.0, 1.0, 0.0]);
        let [luma_of_red, blue_of_red, red_of_red] = convert([0.0, 0.0, 1.0]);
        let black = |colours: Colours| if colours.is_full_range { 0 } else { 16 };
        Some(Self {
            luma: [luma, luma_of_blue, luma_of_red],
            blue: [blue_of_blue, blue_of_red],
            red: [red_of_blue, red_of_red],
            black: (black(from), black(to)),
        })
    }

    /// Converts the bytes of a picture in place; nothing where they are too few.
    pub fn apply(&self, bytes: &mut [u8], format: &PictureFormat) {
        let Some(Planes([(luma, width), (blues, half), (reds, _)])) = format.planes(bytes) else {
            return;
        };
        let rows = blues
            .chunks_exact_mut(half.max(1))
            .zip(reds.chunks_exact_mut(half.max(1)));
        for (lines, (blues, reds)) in luma.chunks_mut(2 * width.max(1)).zip(rows) {
            for (column, (blue, red)) in blues.iter_mut().zip(reds).enumerate() {
                let (from_blue, from_red) = (i32::from(*blue) - 128, i32::from(*red) - 128);
                let [own, of_blue, of_red] = self.luma;
                let shift = of_blue * from_blue + of_red * from_red;
                for line in lines.chunks_mut(width) {
                    let end = (2 * column + 2).min(line.len());
                    for value in line.get_mut(2 * column..end).unwrap_or_default() {
                        let above = i32::from(*value) - self.black.0;
                        *value = rounded(own * above + shift, self.black.1);
                    }
                }
                *blue = rounded(self.blue[0] * from_blue + self.blue[1] * from_red, 128);
                *red = rounded(self.red[0] * from_blue + self.red[1] * from_red, 128);
            }
        }
    }
}

fn rounded(value: i32, offset: i32) -> u8 {
    let rounded = ((value + 32_768) >> 16) + offset;
    u8::try_from(rounded.clamp(0, 255)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_of_one_standard_become_those_of_another() {
        let format = PictureFormat {
            width: 5,
            height: 3,
            colours: Colours::default(),
        };
        let picture = |[luma, blue, red]: [u8; 3]| {
            let mut bytes = vec![luma; format.size()];
            let planes = format.planes(&mut bytes).unwrap().0;
            for ((plane, _), value) in planes.into_iter().zip([luma, blue, red]) {
                plane.fill(value);
            }
            bytes
        };
        let kinds = ["bt601", "bt709", "1:4:0:0", "bt2020"].map(Colours::parse);
        let rgb = [
            [200.0, 40.0, 40.0],
            [40.0, 180.0, 60.0],
            [255.0, 255.0, 255.0],
            [0.0, 0.0, 0.0],
            [12.0, 34.0, 156.0],
        ];
        for (from, to) in kinds
            .into_iter()
            .flat_map(|from| kinds.map(|to| (from, to)))
        {
            let Some(conversion) = Conversion::between(from, to) else {
                assert_eq!(from, to);
                continue;
            };
            for colour in rgb {
                let values = |kind| opaque(kind, colour).map(|value| u8::try_from(value).unwrap());
                let (mut bytes, wanted) = (picture(values(from)), picture(values(to)));
                conversion.apply(&mut bytes, &format);
                let off = bytes
                    .iter()
                    .zip(&wanted)
                    .map(|(is, should)| is.abs_diff(*should))
                    .max();
                assert!(
                    off <= Some(2),
                    "{colour:?} from {from:?} to {to:?}: {off:?}"
                );
            }
        }
        let conversion = Conversion::between(kinds[0], kinds[1]).unwrap();
        conversion.apply(&mut [0; 10], &format);
    }

    fn opaque(colours: Colours, rgb: [f32; 3]) -> [i32; 3] {
        let [red, green, blue] = rgb;
        colours
            .convert([red, green, blue, 255.0])
            .map(|value| value.round() as i32)
    }

    #[test]
    fn red_as_each_standard_has_it() {
        let red = [255.0, 0.0, 0.0];
        assert_eq!(opaque(Colours::default(), red), [81, 90, 240]);
        assert_eq!(opaque(Colours::parse("bt601"), red), [81, 90, 240]);
        assert_eq!(opaque(Colours::parse("bt709"), red), [63, 102, 240]);
        assert_eq!(opaque(Colours::parse("2:3:5:1"), red), [63, 102, 240]);
        assert_eq!(opaque(Colours::parse("1:4:0:0"), red), [76, 85, 256]);
    }

    #[test]
    fn grey_has_no_colour() {
        for text in ["bt601", "bt709", "bt2020", "smpte240m", "1:4:0:0", ""] {
            let [_, from_blue, from_red] = opaque(Colours::parse(text), [99.0; 3]);
            assert_eq!((from_blue, from_red), (128, 128), "{text}");
        }
    }

    #[test]
    fn what_is_transparent_adds_nothing() {
        assert_eq!(Colours::default().convert([0.0; 4]), [0.0; 3]);
    }
}
