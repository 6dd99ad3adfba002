//! Files of pictures.

use std::borrow::Cow;

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{
    ExtendedColorType, GrayImage, ImageEncoder,
    codecs::{bmp::BmpEncoder, jpeg::JpegEncoder, png::PngEncoder},
    imageops::{self, BiLevel},
};
use rivero_filter::{Colours, PictureFormat, Plane};

use crate::api::ImageEncoding;

/// Of JPEG, from 1 to 100: what GStreamer's encoder has unless it is told otherwise.
const JPEG_QUALITY: u8 = 85;

/// Why there is no file of a picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unusable {
    #[error("the picture has fewer bytes than its size asks for")]
    Short,
    #[error("the picture cannot be scaled")]
    Scale,
    #[error("the picture cannot be encoded: {0}")]
    Encode(#[from] image::ImageError),
}

/// Makes files, with what scaling needs of memory.
#[derive(Default)]
pub(crate) struct Encoder {
    resizer: Resizer,
}

/// Width and height in pixels, each 0 where it is that of the video.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Size {
    /// Of the file of a picture.
    fn of(self, format: &PictureFormat) -> Self {
        let side = |wanted, own| if wanted == 0 { own } else { wanted };
        Self {
            width: side(self.width, format.width),
            height: side(self.height, format.height),
        }
    }
}

impl Encoder {
    /// The file of a picture.
    ///
    /// # Errors
    /// [`Unusable`]
    pub(crate) fn encode(
        &mut self,
        bytes: &[u8],
        format: &PictureFormat,
        size: Size,
        encoding: ImageEncoding,
    ) -> Result<Vec<u8>, Unusable> {
        let size = size.of(format);
        let [luma, blue, red] = format.views(bytes).ok_or(Unusable::Short)?;
        let luma = self.scaled(luma, size)?;
        if encoding == ImageEncoding::Pbm {
            return Ok(bitmap(&luma, format.colours, size));
        }
        let (blue, red) = (self.scaled(blue, size)?, self.scaled(red, size)?);
        let colours = luma.iter().zip(blue.iter().zip(red.iter()));
        let pixels: Vec<u8> = colours
            .flat_map(|(luma, (blue, red))| format.colours.to_rgb([*luma, *blue, *red]))
            .collect();
        let mut file = Vec::new();
        match encoding {
            ImageEncoding::Png => write(PngEncoder::new(&mut file), &pixels, size)?,
            ImageEncoding::Jpeg => {
                let encoder = JpegEncoder::new_with_quality(&mut file, JPEG_QUALITY);
                write(encoder, &pixels, size)?;
            }
            ImageEncoding::Bmp => write(BmpEncoder::new(&mut file), &pixels, size)?,
            ImageEncoding::Pbm | ImageEncoding::Ppm => {
                file = format!("P6\n{} {}\n255\n", size.width, size.height).into_bytes();
                file.extend_from_slice(&pixels);
            }
        }
        Ok(file)
    }

    /// A plane in this size.
    fn scaled<'a>(
        &mut self,
        (plane, width): Plane<'a>,
        size: Size,
    ) -> Result<Cow<'a, [u8]>, Unusable> {
        let height = plane.len() / width.max(1);
        if (width, height) == (size.width, size.height) {
            return Ok(Cow::Borrowed(plane));
        }
        let side = |length: usize| u32::try_from(length).map_err(|_| Unusable::Scale);
        let source = ImageRef::new(side(width)?, side(height)?, plane, PixelType::U8);
        let source = source.map_err(|_| Unusable::Scale)?;
        let mut target = Image::new(side(size.width)?, side(size.height)?, PixelType::U8);
        // Where a picture shrinks it takes all pixels into account.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        let scaled = self.resizer.resize(&source, &mut target, &options);
        scaled.map_err(|_| Unusable::Scale)?;
        Ok(Cow::Owned(target.into_vec()))
    }
}

fn write(encoder: impl ImageEncoder, pixels: &[u8], size: Size) -> Result<(), Unusable> {
    let side = |length: usize| u32::try_from(length).map_err(|_| Unusable::Scale);
    let (width, height) = (side(size.width)?, side(size.height)?);
    encoder.write_image(pixels, width, height, ExtendedColorType::Rgb8)?;
    Ok(())
}

/// PBM (netpbm's `P4`): a bit for each pixel, 1 being black, and whole bytes for each row. Shades are dithered.
fn bitmap(luma: &[u8], colours: Colours, size: Size) -> Vec<u8> {
    let shades = luma.iter().map(|luma| {
        let [shade, ..] = colours.to_rgb([*luma, 128, 128]);
        shade
    });
    let mut file = format!("P4\n{} {}\n", size.width, size.height).into_bytes();
    let side = |length: usize| u32::try_from(length).unwrap_or_default();
    let image = GrayImage::from_vec(side(size.width), side(size.height), shades.collect());
    let mut image = image.unwrap_or_default();
    imageops::dither(&mut image, &BiLevel);
    for row in image.into_raw().chunks(size.width.max(1)) {
        file.extend(row.chunks(8).map(|pixels| {
            let bits = (0..8).map(|at| u8::from(pixels.get(at).is_some_and(|shade| *shade < 128)));
            bits.fold(0, |byte, bit| byte << 1 | bit)
        }));
    }
    file
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;

    const ALL: [ImageEncoding; 5] = [
        ImageEncoding::Png,
        ImageEncoding::Jpeg,
        ImageEncoding::Bmp,
        ImageEncoding::Pbm,
        ImageEncoding::Ppm,
    ];

    fn format(width: usize, height: usize, colours: &str) -> PictureFormat {
        PictureFormat {
            width,
            height,
            colours: Colours::parse(colours),
        }
    }

    /// A picture whose left half has one colour and whose right half another.
    fn halves(format: &PictureFormat, left: [u8; 3], right: [u8; 3]) -> Vec<u8> {
        let mut bytes = vec![0; format.size()];
        let planes = format.planes(&mut bytes).unwrap().0;
        let (left, right) = (format.colours.of_rgb(left), format.colours.of_rgb(right));
        for (number, (plane, width)) in planes.into_iter().enumerate() {
            for row in plane.chunks_mut(width) {
                let (first, second) = row.split_at_mut(width / 2);
                first.fill(left[number]);
                second.fill(right[number]);
            }
        }
        bytes
    }

    fn encode(
        bytes: &[u8],
        format: &PictureFormat,
        (width, height): (usize, usize),
        encoding: ImageEncoding,
    ) -> Vec<u8> {
        let size = Size { width, height };
        let encoded = Encoder::default().encode(bytes, format, size, encoding);
        encoded.unwrap()
    }

    fn decode(file: &[u8], encoding: ImageEncoding) -> image::RgbImage {
        let format = match encoding {
            ImageEncoding::Png => ImageFormat::Png,
            ImageEncoding::Jpeg => ImageFormat::Jpeg,
            _ => ImageFormat::Bmp,
        };
        image::load_from_memory_with_format(file, format)
            .unwrap()
            .to_rgb8()
    }

    #[test]
    fn files_have_the_colours_of_the_picture() {
        for colours in ["bt601", "bt709", "1:4:0:0"] {
            let format = format(64, 48, colours);
            let (left, right) = ([200, 30, 40], [20, 60, 220]);
            let bytes = halves(&format, left, right);
            for encoding in [ImageEncoding::Png, ImageEncoding::Jpeg, ImageEncoding::Bmp] {
                let image = decode(&encode(&bytes, &format, (0, 0), encoding), encoding);
                assert_eq!(image.dimensions(), (64, 48));
                for (x, wanted) in [(12, left), (52, right)] {
                    let is = image.get_pixel(x, 20).0;
                    let off = is
                        .iter()
                        .zip(&wanted)
                        .map(|(is, wanted)| is.abs_diff(*wanted));
                    assert!(
                        off.max() < Some(6),
                        "{colours} {encoding:?}: {is:?} {wanted:?}"
                    );
                }
            }
            let file = encode(&bytes, &format, (0, 0), ImageEncoding::Ppm);
            let pixels = file.strip_prefix(b"P6\n64 48\n255\n").unwrap();
            assert_eq!(pixels.len(), 64 * 48 * 3);
            assert!(pixels[0].abs_diff(200) < 6 && pixels[2].abs_diff(40) < 6);
        }
    }

    #[test]
    fn each_side_is_the_videos_or_the_one_that_is_wanted() {
        for (width, height) in [(64, 48), (63, 47), (1, 1), (2, 500)] {
            let format = format(width, height, "");
            let bytes = halves(&format, [255; 3], [255; 3]);
            for wanted in [(0, 0), (32, 0), (0, 24), (32, 24), (161, 99), (1, 1)] {
                let is = |own, wanted| if wanted == 0 { own } else { wanted };
                let (across, down) = (is(width, wanted.0), is(height, wanted.1));
                let file = encode(&bytes, &format, wanted, ImageEncoding::Ppm);
                let head = format!("P6\n{across} {down}\n255\n");
                let pixels = file.strip_prefix(head.as_bytes()).unwrap();
                assert_eq!(pixels.len(), across * down * 3);
                assert!(pixels.iter().all(|value| *value >= 253), "{wanted:?}");
            }
        }
    }

    #[test]
    fn halves_stay_halves_when_they_are_scaled() {
        let format = format(640, 480, "bt709");
        let bytes = halves(&format, [255, 0, 0], [0, 0, 255]);
        for (width, height) in [(40, 30), (1280, 720)] {
            let file = encode(&bytes, &format, (width, height), ImageEncoding::Bmp);
            let image = decode(&file, ImageEncoding::Bmp);
            let at = |x: usize| image.get_pixel(x as u32, height as u32 / 2).0;
            let (left, right) = (at(width / 2 - 3), at(width / 2 + 3));
            assert!(left[0] > 245 && left[2] < 10, "{left:?}");
            assert!(right[2] > 245 && right[0] < 10, "{right:?}");
        }
    }

    #[test]
    fn shades_are_black_and_white_pixels() {
        let format = format(18, 16, "");
        let black_and_grey = halves(&format, [0; 3], [128; 3]);
        let file = encode(&black_and_grey, &format, (0, 0), ImageEncoding::Pbm);
        let rows = file.strip_prefix(b"P4\n18 16\n").unwrap();
        assert_eq!(rows.len(), 16 * 3, "whole bytes for each row");
        let black = |at: usize| {
            rows.chunks(3)
                .all(|row| row[at / 8] >> (7 - at % 8) & 1 == 1)
        };
        assert!((0..9).all(black), "black is 1");
        let right: u32 = rows
            .chunks(3)
            .map(|row| (row[1] & 0x7F).count_ones() + (row[2] & 0xC0).count_ones())
            .sum();
        assert!((60..85).contains(&right), "{right} of 144 are black");
        assert!(
            rows.chunks(3).all(|row| row[2] & 0x3F == 0),
            "nothing beyond"
        );
    }

    #[test]
    fn a_picture_with_too_few_bytes_is_an_error() {
        let format = format(64, 48, "");
        for encoding in ALL {
            let bytes = vec![0; format.size() - 1];
            let encoded = Encoder::default().encode(&bytes, &format, Size::default(), encoding);
            assert!(matches!(encoded, Err(Unusable::Short)));
        }
    }
}
