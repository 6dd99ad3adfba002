//! Colours of an image as a picture has them (ITU-T H.273).

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

    /// Y, U and V of a colour that is multiplied with its opacity, and multiplied so too. All
    /// values, the opacity included, are from 0 to 255.
    pub(crate) fn convert(&self, [red, green, blue, opacity]: [f32; 4]) -> [f32; 3] {
        let luma = self.red * red + (1.0 - self.red - self.blue) * green + self.blue * blue;
        let from_blue = (blue - luma) / (2.0 * (1.0 - self.blue));
        let from_red = (red - luma) / (2.0 * (1.0 - self.red));
        let (luma_scale, chroma_scale, black) = if self.is_full_range {
            (1.0, 1.0, 0.0)
        } else {
            (219.0 / 255.0, 224.0 / 255.0, 16.0)
        };
        let offset = |value: f32| opacity * value / 255.0;
        [
            luma * luma_scale + offset(black),
            from_blue * chroma_scale + offset(128.0),
            from_red * chroma_scale + offset(128.0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
