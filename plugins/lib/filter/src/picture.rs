//! Raw pictures in packets: I420, three planes without gaps.

use rivero_plugin_api::{Format, Packaging};

use crate::Colours;

/// Sides beyond this are no picture.
const LARGEST: usize = 16_384;

/// How the bytes of a picture lie, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PictureFormat {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// What its values stand for.
    pub colours: Colours,
}

/// A plane's bytes, row by row, and its width.
pub type Plane<'a> = (&'a [u8], usize);

/// The planes Y, U and V of a picture, each with its width.
pub struct Planes<'a>(pub [(&'a mut [u8], usize); 3]);

impl PictureFormat {
    /// Of a packet's format; `None` if it is no picture or does not say its size.
    pub fn of(format: &Format) -> Option<Self> {
        if format.packaging != Packaging::Raw || format.encoding != "I420" {
            return None;
        }
        let parameter = |name: &str| {
            let mut parameters = format.parameters.iter();
            parameters.find(|(known, _)| known == name)
        };
        let side = |name| {
            let side: usize = parameter(name)?.1.parse().ok()?;
            (1..=LARGEST).contains(&side).then_some(side)
        };
        Some(Self {
            width: side("width")?,
            height: side("height")?,
            colours: parameter("colorimetry")
                .map_or_else(Colours::default, |(_, text)| Colours::parse(text)),
        })
    }

    /// Width of the planes of colour, pixels.
    fn half_width(&self) -> usize {
        self.width.div_ceil(2)
    }

    /// Bytes of the plane of brightness.
    pub fn luma_size(&self) -> usize {
        self.width * self.height
    }

    /// Bytes of a picture.
    pub fn size(&self) -> usize {
        self.luma_size() + 2 * self.half_width() * self.height.div_ceil(2)
    }

    /// The planes in the bytes of a picture that is only read; `None` if they are too few.
    pub fn views<'a>(&self, bytes: &'a [u8]) -> Option<[Plane<'a>; 3]> {
        let half = self.half_width();
        let (luma, rest) = bytes.split_at_checked(self.luma_size())?;
        let (blue, rest) = rest.split_at_checked(half * self.height.div_ceil(2))?;
        let red = rest.get(..blue.len())?;
        Some([(luma, self.width), (blue, half), (red, half)])
    }

    /// The planes in the bytes of a picture; `None` if they are too few.
    pub fn planes<'a>(&self, bytes: &'a mut [u8]) -> Option<Planes<'a>> {
        let half = self.half_width();
        let (luma, rest) = bytes.split_at_mut_checked(self.luma_size())?;
        let (blue, rest) = rest.split_at_mut_checked(half * self.height.div_ceil(2))?;
        let red = rest.get_mut(..blue.len())?;
        Some(Planes([(luma, self.width), (blue, half), (red, half)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(width: &str, height: &str) -> Format {
        Format {
            packaging: Packaging::Raw,
            ..Format::rtp("I420", 0, 0)
        }
        .with("width", width)
        .with("height", height)
    }

    #[test]
    fn odd_sides_have_a_whole_row_of_colour() {
        let picture = PictureFormat::of(&format("3", "5")).unwrap();
        assert_eq!(picture.size(), 15 + 2 * 6);
        let mut bytes: Vec<u8> = (0..27).collect();
        let Planes(planes) = picture.planes(&mut bytes).unwrap();
        let begins = planes.map(|(plane, width)| (plane[0], plane.len(), width));
        assert_eq!(begins, [(0, 15, 3), (15, 6, 2), (21, 6, 2)]);
        assert!(picture.planes(&mut [0; 26]).is_none());
        let read = picture.views(&bytes).unwrap();
        let begins = read.map(|(plane, width)| (plane[0], plane.len(), width));
        assert_eq!(begins, [(0, 15, 3), (15, 6, 2), (21, 6, 2)]);
        assert!(picture.views(&[0; 26]).is_none());
    }

    #[test]
    fn what_has_no_size_is_no_picture() {
        for (width, height) in [("0", "5"), ("x", "5"), ("5", "99999")] {
            assert_eq!(PictureFormat::of(&format(width, height)), None);
        }
        assert_eq!(PictureFormat::of(&Format::rtp("VP8", 90_000, 0)), None);
    }
}
