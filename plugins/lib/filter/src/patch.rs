//! An image as it looks at one place of a picture.

use crate::{Image, PictureFormat, Planes, image::Sampler};

/// Where an image goes, pixels of the picture; may reach beyond it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Of the whole image.
    pub width: f64,
    /// Of the whole image.
    pub height: f64,
}

/// What is drawn over a part of a picture: values multiplied with their opacity.
#[derive(Debug)]
pub struct Patch {
    luma: Layer,
    blue: Layer,
    red: Layer,
}

/// A part of one plane.
#[derive(Debug)]
struct Layer {
    x: usize,
    y: usize,
    width: usize,
    points: Vec<Point>,
}

/// A value, and what is left of the one below it, of 255.
#[derive(Clone, Copy, Debug)]
struct Point {
    value: u8,
    rest: u8,
}

impl Patch {
    /// What of `image` is in the picture when it is drawn at `place`; `None` where that is nothing.
    pub fn new(image: &Image, place: Place, picture: &PictureFormat) -> Option<Self> {
        let (left, right) = span(place.x, place.width, picture.width)?;
        let (top, bottom) = span(place.y, place.height, picture.height)?;
        let sampler = image.at(place.width, place.height)?;
        let width = right - left;
        let colours: Vec<[f32; 4]> = (top..bottom)
            .flat_map(|y| (left..right).map(move |x| sample(sampler, place, x, y)))
            .collect();
        let points = colours.iter().map(|colour| {
            let [luma, _, _] = picture.colours.convert(*colour);
            point(luma, *colour)
        });
        let luma = Layer {
            x: left,
            y: top,
            width,
            points: points.collect(),
        };
        let [blue, red] = [1, 2].map(|_| Layer {
            x: left / 2,
            y: top / 2,
            width: width.div_ceil(2),
            points: Vec::with_capacity(colours.len() / 4 + 1),
        });
        let mut patch = Self { luma, blue, red };
        for rows in colours.chunks(2 * width) {
            patch.add_colours(rows.split_at(width.min(rows.len())), picture);
        }
        Some(patch)
    }

    /// Adds a row of colour for two rows of brightness, or for the last one.
    fn add_colours(&mut self, rows: (&[[f32; 4]], &[[f32; 4]]), picture: &PictureFormat) {
        let (upper, lower) = rows;
        let lower = if lower.is_empty() { upper } else { lower };
        for (upper, lower) in upper.chunks(2).zip(lower.chunks(2)) {
            let mean = mean(upper.iter().chain(lower));
            let [_, blue, red] = picture.colours.convert(mean);
            self.blue.points.push(point(blue, mean));
            self.red.points.push(point(red, mean));
        }
    }

    /// Draws it. The picture has the format that the patch was made for.
    pub fn draw(&self, Planes(planes): &mut Planes<'_>) {
        let layers = [&self.luma, &self.blue, &self.red];
        for (layer, (plane, width)) in layers.into_iter().zip(planes) {
            layer.draw(plane, *width);
        }
    }
}

/// The pixels of a side that an image covers, beginning with an even one.
fn span(begin: f64, length: f64, side: usize) -> Option<(usize, usize)> {
    let end = begin + length;
    if !begin.is_finite() || !end.is_finite() {
        return None;
    }
    let last = side as f64;
    let (first, end) = (begin.floor().clamp(0.0, last), end.ceil().clamp(0.0, last));
    if first >= end || length <= 0.0 {
        return None;
    }
    let (first, end) = (first as usize & !1, end as usize);
    // Up to an even one too, so that a pixel of colour is covered whole.
    Some((first, (end + end % 2).min(side)))
}

fn sample(sampler: Sampler<'_>, place: Place, x: usize, y: usize) -> [f32; 4] {
    let across = (x as f64 + 0.5 - place.x) / place.width;
    let down = (y as f64 + 0.5 - place.y) / place.height;
    sampler.colour(across, down)
}

fn mean<'a>(colours: impl Iterator<Item = &'a [f32; 4]>) -> [f32; 4] {
    let (mut count, mut sum) = (0.0f32, [0.0f32; 4]);
    for colour in colours {
        count += 1.0;
        sum.iter_mut()
            .zip(colour)
            .for_each(|(sum, value)| *sum += value);
    }
    sum.map(|value| value / count.max(1.0))
}

fn point(value: f32, [_, _, _, opacity]: [f32; 4]) -> Point {
    // Conversions of floats to integers stay within the integer's range.
    Point {
        value: value.round() as u8,
        rest: u8::MAX - opacity.round() as u8,
    }
}

impl Layer {
    fn draw(&self, plane: &mut [u8], plane_width: usize) {
        let rows = plane.chunks_mut(plane_width.max(1)).skip(self.y);
        for (row, points) in rows.zip(self.points.chunks(self.width.max(1))) {
            let Some(row) = row.get_mut(self.x..) else {
                return;
            };
            for (below, point) in row.iter_mut().zip(points) {
                let rest = (u16::from(*below) * u16::from(point.rest) + 127) / 255;
                *below = point
                    .value
                    .saturating_add(u8::try_from(rest).unwrap_or(u8::MAX));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;
    use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};
    use proptest::prelude::*;

    fn image(rgba: [u8; 4]) -> Image {
        let mut png = Vec::new();
        let pixels = rgba.repeat(64);
        PngEncoder::new(&mut png)
            .write_image(&pixels, 8, 8, ExtendedColorType::Rgba8)
            .unwrap();
        Image::decode(&png).unwrap()
    }

    fn format(width: usize, height: usize) -> PictureFormat {
        PictureFormat {
            width,
            height,
            colours: Colours::default(),
        }
    }

    /// A black picture with a red image over it.
    fn drawn(format: &PictureFormat, rgba: [u8; 4], place: Place) -> Vec<u8> {
        let mut bytes = vec![16; format.size()];
        bytes[format.luma_size()..].fill(128);
        if let Some(patch) = Patch::new(&image(rgba), place, format) {
            patch.draw(&mut format.planes(&mut bytes).unwrap());
        }
        bytes
    }

    fn place(x: f64, y: f64, width: f64, height: f64) -> Place {
        Place {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn an_image_covers_its_place_and_nothing_else() {
        let format = format(16, 12);
        let bytes = drawn(&format, [255, 0, 0, 255], place(4.0, 2.0, 6.0, 4.0));
        for y in 0..12 {
            for x in 0..16 {
                let inside = (4..10).contains(&x) && (2..6).contains(&y);
                let expected = if inside { 81 } else { 16 };
                assert_eq!(bytes[y * 16 + x], expected, "{x}, {y}");
            }
        }
        let red = &bytes[192 + 48..];
        for y in 0..6 {
            for x in 0..8 {
                let inside = (2..5).contains(&x) && (1..3).contains(&y);
                let expected = if inside { 240 } else { 128 };
                assert_eq!(red[y * 8 + x], expected, "{x}, {y}");
            }
        }
    }

    #[test]
    fn what_is_half_transparent_is_mixed() {
        let format = format(8, 8);
        let bytes = drawn(&format, [255, 0, 0, 128], place(0.0, 0.0, 8.0, 8.0));
        assert!((48..=50).contains(&bytes[9]), "{}", bytes[9]);
        assert!((183..=185).contains(&bytes[64 + 16 + 5]));
        let nothing = drawn(&format, [255, 0, 0, 0], place(0.0, 0.0, 8.0, 8.0));
        assert_eq!(nothing[9], 16);
    }

    #[test]
    fn an_image_that_reaches_beyond_the_picture_is_cut() {
        let format = format(7, 5);
        let bytes = drawn(&format, [255, 0, 0, 255], place(-3.0, -9.0, 100.0, 100.0));
        assert!(bytes[..35].iter().all(|luma| *luma == 81), "{bytes:?}");
        for outside in [
            place(7.0, 0.0, 5.0, 5.0),
            place(-5.0, 0.0, 5.0, 5.0),
            place(0.0, 0.0, 0.0, 5.0),
            place(0.0, f64::NAN, 5.0, 5.0),
            place(f64::NEG_INFINITY, 0.0, f64::INFINITY, 5.0),
        ] {
            let patch = Patch::new(&image([9; 4]), outside, &format);
            assert!(patch.is_none(), "{outside:?}");
        }
    }

    proptest! {
        #[test]
        fn any_place_fits_any_picture(
            (x, y) in (-90.0..90.0f64, -90.0..90.0f64),
            (wide, high) in (0.0..200.0f64, 0.0..200.0f64),
            (width, height) in (1usize..40, 1usize..40),
        ) {
            let format = format(width, height);
            let bytes = drawn(&format, [255, 0, 0, 255], place(x, y, wide, high));
            prop_assert_eq!(bytes.len(), format.size());
            prop_assert!(bytes[..format.luma_size()].iter().all(|luma| (16..=81).contains(luma)));
        }
    }
}
