//! Images to be drawn, ready for any size.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, metadata::Orientation};

use crate::vector::{self, NoPicture};

/// Pixels on a side, of what is read.
const LARGEST: u32 = 4096;
/// Bytes that reading takes at most: such an image with 16 bits a channel.
const MEMORY: u64 = 128 << 20;
/// Pixels on a side, of what is kept: pictures hardly show more of it.
pub(crate) const KEPT: usize = 1024;

/// The bytes are no image that can be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Of pixels, or of no known kind.
    #[error(
        "no image that can be read (PNG, JPEG, WebP, GIF, BMP up to {LARGEST} x {LARGEST}, or SVG): {0}"
    )]
    Pixels(#[from] image::ImageError),
    /// SVG.
    #[error("no SVG that can be drawn: {0}")]
    Vector(#[from] NoPicture),
}

/// An image in sizes from its own down to a pixel, each half of the one before.
#[derive(Debug)]
pub struct Image {
    levels: Vec<Level>,
}

/// Red, green and blue multiplied with the opacity, and the opacity.
pub(crate) type Pixel = [u8; 4];

#[derive(Clone, Debug)]
struct Level {
    width: usize,
    height: usize,
    pixels: Vec<Pixel>,
}

impl Image {
    /// Reads the bytes of a file, whatever its name says. Of a moving image the first picture.
    ///
    /// # Errors
    /// [`Unreadable`]
    pub fn decode(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut limits = Limits::default();
        limits.max_image_width = Some(LARGEST);
        limits.max_image_height = Some(LARGEST);
        limits.max_alloc = Some(MEMORY);
        let mut reader = ImageReader::new(Cursor::new(bytes))
            .with_guessed_format()
            .map_err(image::ImageError::IoError)?;
        if reader.format().is_none() && vector::is_svg(bytes) {
            return Ok(vector::render(bytes)?);
        }
        reader.limits(limits);
        let mut decoder = reader.into_decoder()?;
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut decoded = DynamicImage::from_decoder(decoder)?;
        decoded.apply_orientation(orientation);
        Ok(Self::of(decoded))
    }

    /// Text in white on a dark bar that is `aspect` times as wide as it is high. What does not fit is cut off.
    ///
    /// # Errors
    /// [`NoPicture::NoFont`], or that the text cannot be drawn
    pub fn label(text: &str, aspect: f32) -> Result<Self, NoPicture> {
        vector::label(text, aspect)
    }

    /// An image of one opaque colour: red, green and blue.
    pub fn plain([red, green, blue]: [u8; 3]) -> Self {
        let level = Level {
            width: 1,
            height: 1,
            pixels: vec![[red, green, blue, u8::MAX]],
        };
        Self {
            levels: vec![level],
        }
    }

    /// An image of rows of pixels, each red, green, blue and opacity; `None` if there are too few bytes for its size.
    pub fn of_rgba(width: u32, height: u32, pixels: Vec<u8>) -> Option<Self> {
        let pixels = image::RgbaImage::from_raw(width, height, pixels)?;
        (width > 0 && height > 0).then(|| Self::of(pixels.into()))
    }

    /// The same image, of whose opacity only this share is left, 0 to 1.
    #[must_use]
    pub fn faded(mut self, share: f32) -> Self {
        let share = share.clamp(0.0, 1.0);
        for level in &mut self.levels {
            for value in level.pixels.iter_mut().flatten() {
                *value = (f32::from(*value) * share).round() as u8;
            }
        }
        self
    }

    fn of(decoded: DynamicImage) -> Self {
        let decoded = decoded.into_rgba8();
        let side = |side: u32| usize::try_from(side).unwrap_or(0);
        let (width, height) = (side(decoded.width()), side(decoded.height()));
        let pixels = decoded.pixels().map(|pixel| multiplied(pixel.0)).collect();
        drop(decoded);
        Self::from_pixels(width, height, pixels)
    }

    /// `pixels`: red, green and blue multiplied with the opacity, and the opacity; row by row.
    pub(crate) fn from_pixels(width: usize, height: usize, pixels: Vec<Pixel>) -> Self {
        let mut level = Level {
            width,
            height,
            pixels,
        };
        while level.width.max(level.height) > KEPT {
            level = level.half();
        }
        let mut levels = vec![level];
        while let Some(last) = levels.last()
            && last.width.max(last.height) > 1
        {
            levels.push(last.half());
        }
        Self { levels }
    }

    /// Its width, in heights.
    pub fn aspect_ratio(&self) -> f64 {
        let shape = |level: &Level| level.width as f64 / level.height.max(1) as f64;
        self.levels.first().map_or(1.0, shape)
    }

    /// The size from which an image of so many pixels is drawn without losing any.
    pub(crate) fn at(&self, width: f64, height: f64) -> Option<Sampler<'_>> {
        let suffices =
            |level: &&Level| level.width as f64 >= width && level.height as f64 >= height;
        let mut levels = self.levels.iter().rev();
        let level = levels.find(suffices).or(self.levels.first())?;
        Some(Sampler(level))
    }
}

fn multiplied([red, green, blue, opacity]: Pixel) -> Pixel {
    let multiply = |value: u8| {
        let product = (u16::from(value) * u16::from(opacity) + 127) / 255;
        u8::try_from(product).unwrap_or(u8::MAX)
    };
    [multiply(red), multiply(green), multiply(blue), opacity]
}

impl Level {
    fn row(&self, row: usize) -> &[Pixel] {
        let row = row.min(self.height.saturating_sub(1));
        let begin = row * self.width;
        self.pixels
            .get(begin..begin + self.width)
            .unwrap_or_default()
    }

    /// Half as wide and as high, each pixel the mean of four.
    fn half(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut pixels = Vec::with_capacity(width * height);
        for row in 0..height {
            let pairs = |row: usize| self.row(row).chunks(2).map(sum_of_pair);
            let (upper, lower) = (pairs(2 * row), pairs(2 * row + 1));
            pixels.extend(upper.zip(lower).map(|(upper, lower)| mean(upper, lower)));
        }
        Self {
            width,
            height,
            pixels,
        }
    }
}

fn sum_of_pair(pair: &[Pixel]) -> [u16; 4] {
    match pair {
        [left, right] => sum(left.map(u16::from), right.map(u16::from)),
        [only] => only.map(|value| 2 * u16::from(value)),
        _ => [0; 4],
    }
}

fn sum([a, b, c, d]: [u16; 4], [e, f, g, h]: [u16; 4]) -> [u16; 4] {
    [a + e, b + f, c + g, d + h]
}

fn mean(upper: [u16; 4], lower: [u16; 4]) -> Pixel {
    sum(upper, lower).map(|total| u8::try_from((total + 2) / 4).unwrap_or(u8::MAX))
}

/// Gives the image's colour at any place.
#[derive(Clone, Copy)]
pub(crate) struct Sampler<'a>(&'a Level);

impl Sampler<'_> {
    /// The colour, multiplied with its opacity, at a place in units of the image's own width and
    /// height; nothing outside of it.
    pub(crate) fn colour(&self, x: f64, y: f64) -> [f32; 4] {
        if !(0.0..1.0).contains(&x) || !(0.0..1.0).contains(&y) {
            return [0.0; 4];
        }
        let (left, right, across) = between(x, self.0.width);
        let (upper, lower, down) = between(y, self.0.height);
        let pixel = |row: &[Pixel], at: usize| row.get(at).copied().unwrap_or_default();
        let along =
            |row: &[Pixel]| mix(floats(pixel(row, left)), floats(pixel(row, right)), across);
        mix(along(self.0.row(upper)), along(self.0.row(lower)), down)
    }
}

/// The two pixels of a side between whose centres a place lies, and how far it is from the first.
fn between(place: f64, pixels: usize) -> (usize, usize, f32) {
    let last = pixels.saturating_sub(1);
    let at = (place * pixels as f64 - 0.5).clamp(0.0, last as f64);
    let first = at.floor();
    (
        first as usize,
        (first as usize + 1).min(last),
        (at - first) as f32,
    )
}

fn floats(pixel: Pixel) -> [f32; 4] {
    pixel.map(f32::from)
}

fn mix([a, b, c, d]: [f32; 4], [e, f, g, h]: [f32; 4], share: f32) -> [f32; 4] {
    let mix = |from: f32, to: f32| from + (to - from) * share;
    [mix(a, e), mix(b, f), mix(c, g), mix(d, h)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{ImageFormat, Rgba, RgbaImage};
    use proptest::prelude::*;

    fn png(image: RgbaImage) -> Vec<u8> {
        let mut bytes = Vec::new();
        DynamicImage::from(image)
            .write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png)
            .unwrap();
        bytes
    }

    /// Left half red, right half transparent.
    fn halves() -> Image {
        let pixel = |x, _| match x {
            0..50 => Rgba([255, 0, 0, 255]),
            _ => Rgba([0, 255, 0, 0]),
        };
        Image::decode(&png(RgbaImage::from_fn(100, 60, pixel))).unwrap()
    }

    #[test]
    fn colours_stay_at_their_place_in_every_size() {
        let image = halves();
        for width in [500.0, 100.0, 60.0, 20.0, 10.0] {
            let sampler = image.at(width, width * 0.6).unwrap();
            assert_eq!(sampler.colour(0.2, 0.5), [255.0, 0.0, 0.0, 255.0]);
            assert_eq!(sampler.colour(0.8, 0.5), [0.0; 4]);
        }
        assert_eq!(image.at(9.0, 9.0).unwrap().colour(1.2, 0.5), [0.0; 4]);
    }

    #[test]
    fn what_is_transparent_gives_no_colour_to_its_neighbours() {
        let smallest = halves().at(1.0, 1.0).unwrap().colour(0.5, 0.5);
        assert_eq!(smallest[1], 0.0);
        assert!(smallest[0] > 50.0 && smallest[0] == smallest[3]);
    }

    #[test]
    fn large_images_are_kept_small() {
        let image = RgbaImage::from_pixel(3000, 1, Rgba([9, 9, 9, 255]));
        let image = Image::decode(&png(image)).unwrap();
        assert_eq!((image.levels[0].width, image.levels[0].height), (750, 1));
    }

    #[test]
    fn what_is_no_image_is_an_error() {
        let whole = png(RgbaImage::from_pixel(64, 64, Rgba([1, 2, 3, 255])));
        assert!(Image::decode(&whole).is_ok());
        assert!(Image::decode(&whole[..whole.len() / 2]).is_err());
        assert!(Image::decode(b"").is_err());
        assert!(Image::decode(b"just a text").is_err());
        let wide = png(RgbaImage::new(LARGEST + 1, 1));
        assert!(Image::decode(&wide).is_err());
        // A head that promises 60,000 x 60,000 pixels.
        let mut bomb = whole;
        bomb[16..24].copy_from_slice(&[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60]);
        assert!(Image::decode(&bomb).is_err());
    }

    /// What was read is whole in every size, none larger than what is kept.
    fn prop_is_kept_small(read: Result<Image, Unreadable>) -> Result<(), TestCaseError> {
        let Ok(image) = read else {
            return Ok(());
        };
        for level in &image.levels {
            prop_assert!((1..=KEPT).contains(&level.width) && (1..=KEPT).contains(&level.height));
            prop_assert_eq!(level.pixels.len(), level.width * level.height);
        }
        let last = image.levels.last().map(|level| (level.width, level.height));
        prop_assert_eq!(last, Some((1, 1)));
        Ok(())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, at in 0usize..200, value: u8) {
            prop_is_kept_small(Image::decode(&bytes))?;
            let mut image = png(RgbaImage::from_pixel(8, 8, Rgba([1, 2, 3, 255])));
            if let Some(byte) = image.get_mut(at) {
                *byte = value;
            }
            prop_is_kept_small(Image::decode(&image))?;
        }
    }
}
