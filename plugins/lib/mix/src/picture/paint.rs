//! Raw pictures (I420), drawn where a layout has them.
//!
//! Scaling is fast_image_resize's, which has code for the vector units of each processor and takes all pixels into account
//! where a picture shrinks; own code that does the same would be as long again as this crate.

use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{CroppedImageMut, Image, ImageRef},
};
use rivero_filter::{Colours, Conversion, Patch, PictureFormat, Planes};
use rivero_plugin_api::Bytes;

use super::layout::{Rect, Tile};

/// Black, and no colour, in the limited range that nearly all video has.
pub const BLACK: [u8; 3] = [16, 128, 128];

/// A picture as it came.
#[derive(Clone)]
pub struct Picture {
    /// Its planes, without gaps.
    pub bytes: Bytes,
    /// How they lie.
    pub format: PictureFormat,
}

/// A frame that is drawn into.
pub struct Canvas<'a> {
    planes: Planes<'a>,
    colours: Colours,
}

impl<'a> Canvas<'a> {
    /// A frame of one colour, Y, U and V, in these bytes; `None` if they are too few.
    #[must_use]
    pub fn plain(bytes: &'a mut [u8], format: &PictureFormat, colour: [u8; 3]) -> Option<Self> {
        let mut planes = format.planes(bytes)?;
        for ((plane, _), value) in planes.0.iter_mut().zip(colour) {
            plane.fill(value);
        }
        Some(Self {
            planes,
            colours: format.colours,
        })
    }

    /// Draws a patch, which was made for such frames.
    pub fn lay(&mut self, patch: &Patch) {
        patch.draw(&mut self.planes);
    }

    /// Lays a picture of the size of a place over it.
    fn blend(&mut self, picture: &[u8], place: Rect, opacity: u8) {
        let mut rest = picture;
        for (number, (plane, stride)) in self.planes.0.iter_mut().enumerate() {
            let Area {
                x,
                y,
                width,
                height,
            } = Area::of(place, number);
            let Some((pixels, others)) = rest.split_at_checked(width * height) else {
                return;
            };
            rest = others;
            let rows = plane.chunks_exact_mut((*stride).max(1)).skip(y);
            for (row, above) in rows.zip(pixels.chunks_exact(width.max(1))) {
                if let Some(part) = row.get_mut(x..x + width) {
                    mix(part, above, opacity);
                }
            }
        }
    }

    fn size(&self) -> (i32, i32) {
        let [(luma, stride), ..] = &self.planes.0;
        let side = |length: usize| i32::try_from(length).unwrap_or(0);
        (side(*stride), side(luma.len() / (*stride).max(1)))
    }
}

/// A part of one plane.
struct Area {
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl Area {
    /// Of a part of a frame, which has even sides and lies in it.
    fn of(rect: Rect, plane: usize) -> Self {
        let scale = |length: i32| {
            let length = usize::try_from(length).unwrap_or(0);
            if plane == 0 { length } else { length / 2 }
        };
        Self {
            x: scale(rect.x),
            y: scale(rect.y),
            width: scale(rect.width),
            height: scale(rect.height),
        }
    }
}

/// Draws pictures, with what scaling needs of memory.
#[derive(Default)]
pub struct Painter {
    resizer: Resizer,
    /// A picture of its place's size, where it cannot be drawn right into the frame.
    aside: Vec<u8>,
}

impl Painter {
    /// Draws a picture into a place of a frame. What has no pixel in the frame, or less than its format says, is
    /// left out.
    pub fn draw(&mut self, canvas: &mut Canvas<'_>, picture: &Picture, tile: Tile) {
        let side = |length: usize| i32::try_from(length).unwrap_or(0);
        let spread = tile.spread(side(picture.format.width), side(picture.format.height));
        // What is beyond the place, or beyond the frame, is cut off and not squeezed.
        let (width, height) = canvas.size();
        let Some(seen) = tile
            .rect
            .within(width, height)
            .and_then(|place| intersection(spread, place))
        else {
            return;
        };
        let conversion = Conversion::between(picture.format.colours, canvas.colours);
        if conversion.is_none() && tile.opacity == u8::MAX {
            self.scale(picture, spread, seen, &mut canvas.planes, seen);
            return;
        }
        let side = |length: i32| usize::try_from(length).unwrap_or(0);
        let format = PictureFormat {
            width: side(seen.width),
            height: side(seen.height),
            colours: canvas.colours,
        };
        let mut aside = std::mem::take(&mut self.aside);
        aside.resize(format.size(), 0);
        let own = Rect { x: 0, y: 0, ..seen };
        let is_scaled = format
            .planes(&mut aside)
            .is_some_and(|mut planes| self.scale(picture, spread, seen, &mut planes, own));
        if is_scaled {
            if let Some(conversion) = conversion {
                conversion.apply(&mut aside, &format);
            }
            canvas.blend(&aside, seen, tile.opacity);
        }
        self.aside = aside;
    }

    /// Draws what is `seen` of a picture that is `spread` over its place, at `to` in the planes; whether all of it is there.
    fn scale(
        &mut self,
        picture: &Picture,
        spread: Rect,
        seen: Rect,
        planes: &mut Planes<'_>,
        to: Rect,
    ) -> bool {
        let mut rest: &[u8] = &picture.bytes;
        for (number, (plane, stride)) in planes.0.iter_mut().enumerate() {
            let (width, height) = plane_size(&picture.format, number);
            let Some((pixels, others)) = rest.split_at_checked(width * height) else {
                return false;
            };
            rest = others;
            let source = (pixels, width, height);
            // The parts have been checked; what the resizer refuses all the same is not drawn.
            let drawn = self.draw_plane(
                source,
                (plane, *stride),
                &Area::of(to, number),
                &cut(spread, seen),
            );
            if drawn.is_none() {
                return false;
            }
        }
        true
    }

    fn draw_plane(
        &mut self,
        (pixels, width, height): (&[u8], usize, usize),
        (plane, stride): (&mut [u8], usize),
        area: &Area,
        [left, top, across, down]: &[f64; 4],
    ) -> Option<()> {
        let side = |length: usize| u32::try_from(length).ok();
        let source = ImageRef::new(side(width)?, side(height)?, pixels, PixelType::U8).ok()?;
        let rows = plane.len() / stride.max(1);
        let mut target =
            Image::from_slice_u8(side(stride)?, side(rows)?, plane, PixelType::U8).ok()?;
        let (x, y) = (side(area.x)?, side(area.y)?);
        let mut target =
            CroppedImageMut::new(&mut target, x, y, side(area.width)?, side(area.height)?).ok()?;
        let (width, height) = (width as f64, height as f64);
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::Bilinear))
            .crop(left * width, top * height, across * width, down * height);
        self.resizer.resize(&source, &mut target, &options).ok()
    }
}

fn mix(below: &mut [u8], above: &[u8], opacity: u8) {
    if opacity == u8::MAX {
        below.copy_from_slice(above);
        return;
    }
    let (of_above, of_below) = (u16::from(opacity), u16::from(u8::MAX - opacity));
    for (below, above) in below.iter_mut().zip(above) {
        let sum = u16::from(*above) * of_above + u16::from(*below) * of_below + 127;
        *below = u8::try_from(sum / 255).unwrap_or(u8::MAX);
    }
}

fn plane_size(format: &PictureFormat, plane: usize) -> (usize, usize) {
    match plane {
        0 => (format.width, format.height),
        _ => (format.width.div_ceil(2), format.height.div_ceil(2)),
    }
}

fn intersection(first: Rect, second: Rect) -> Option<Rect> {
    let (left, top) = (first.x.max(second.x), first.y.max(second.y));
    let right = (first.x + first.width).min(second.x + second.width);
    let bottom = (first.y + first.height).min(second.y + second.height);
    (left < right && top < bottom).then_some(Rect {
        x: left,
        y: top,
        width: right - left,
        height: bottom - top,
    })
}

/// Which part of a picture that is spread over a place is seen: left edge, upper edge, width and height, of 1.
fn cut(spread: Rect, seen: Rect) -> [f64; 4] {
    let part = |from: i32, whole: i32| f64::from(from) / f64::from(whole.max(1));
    [
        part(seen.x - spread.x, spread.width),
        part(seen.y - spread.y, spread.height),
        part(seen.width, spread.width),
        part(seen.height, spread.height),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::layout::Fit;

    const RED: [u8; 3] = [81, 90, 240];

    fn format(width: usize, height: usize) -> PictureFormat {
        PictureFormat {
            width,
            height,
            colours: Colours::default(),
        }
    }

    /// One colour; the right half darker.
    fn picture(width: usize, height: usize, [luma, blue, red]: [u8; 3]) -> Picture {
        let format = format(width, height);
        let mut bytes = vec![luma; format.size()];
        let Planes([(first, _), (second, _), (third, _)]) = format.planes(&mut bytes).unwrap();
        for row in first.chunks_mut(width) {
            row[width / 2..].fill(luma / 2);
        }
        second.fill(blue);
        third.fill(red);
        Picture {
            bytes: bytes.into(),
            format,
        }
    }

    struct Frame(Vec<u8>, PictureFormat);

    impl Frame {
        fn drawn(width: usize, height: usize, pictures: &[(Picture, Tile)]) -> Self {
            let format = format(width, height);
            let mut bytes = vec![0; format.size()];
            let mut canvas = Canvas::plain(&mut bytes, &format, BLACK).unwrap();
            let mut painter = Painter::default();
            for (picture, tile) in pictures {
                painter.draw(&mut canvas, picture, *tile);
            }
            Self(bytes, format)
        }

        fn at(&self, x: usize, y: usize) -> [u8; 3] {
            let PictureFormat { width, height, .. } = self.1;
            let colour = width * height + y / 2 * (width / 2) + x / 2;
            [
                self.0[y * width + x],
                self.0[colour],
                self.0[colour + width * height / 4],
            ]
        }
    }

    fn tile(x: i32, y: i32, width: i32, height: i32, fit: Fit) -> Tile {
        let rect = Rect {
            x,
            y,
            width,
            height,
        };
        Tile::new(rect, fit)
    }

    #[test]
    fn each_picture_is_at_its_place_and_nothing_is_beside() {
        let odd = [
            (16, 16),
            (321, 241),
            (853, 480),
            (64, 64),
            (1, 1),
            (3, 1000),
        ];
        for (width, height) in odd {
            let place = tile(20, 10, 40, 30, Fit::Fill);
            let frame = Frame::drawn(100, 60, &[(picture(width, height, RED), place)]);
            assert_eq!(frame.at(19, 20), BLACK, "{width}x{height}");
            assert_eq!(frame.at(60, 20), BLACK);
            assert_eq!(frame.at(30, 9), BLACK);
            assert_eq!(frame.at(30, 40), BLACK);
            for (x, y) in [(20, 10), (20, 39), (30, 20)] {
                let [luma, blue, red] = frame.at(x, y);
                assert_eq!([blue, red], [90, 240], "{width}x{height} at {x}, {y}");
                assert!(
                    luma == 81 || width < 16,
                    "{width}x{height}: {luma} at {x}, {y}"
                );
            }
            assert!(frame.at(59, 39)[0] == 40 || width == 3);
        }
    }

    #[test]
    fn a_picture_beyond_the_edge_is_cut_and_not_squeezed() {
        let place = tile(50, 0, 100, 60, Fit::Fill);
        let frame = Frame::drawn(100, 60, &[(picture(320, 240, RED), place)]);
        assert_eq!(frame.at(52, 30), RED);
        assert_eq!(
            frame.at(95, 30)[0],
            81,
            "the dark half lies beyond the frame"
        );
        let place = tile(-50, -30, 100, 60, Fit::Fill);
        let frame = Frame::drawn(100, 60, &[(picture(320, 240, RED), place)]);
        assert_eq!(frame.at(10, 10)[0], 40, "and the bright one here");
        assert_eq!(frame.at(60, 10), BLACK);
    }

    #[test]
    fn covering_cuts_and_containing_leaves_black() {
        let wide = picture(400, 100, RED);
        let frame = Frame::drawn(
            100,
            100,
            &[(wide.clone(), tile(0, 0, 100, 100, Fit::Contain))],
        );
        assert_eq!(frame.at(10, 20), BLACK);
        assert_eq!(frame.at(10, 50), RED);
        let frame = Frame::drawn(100, 100, &[(wide, tile(0, 0, 100, 100, Fit::Cover))]);
        assert_eq!(frame.at(10, 2), RED);
        assert_eq!(frame.at(90, 98)[0], 40);
    }

    #[test]
    fn half_of_what_is_below_is_seen_through_half_a_picture() {
        let mut half = tile(20, 10, 40, 30, Fit::Fill);
        half.opacity = 128;
        let frame = Frame::drawn(100, 60, &[(picture(320, 240, RED), half)]);
        assert_eq!(frame.at(19, 20), BLACK);
        let [luma, blue, red] = frame.at(25, 20);
        assert!(luma.abs_diff(49) < 2 && blue.abs_diff(109) < 2 && red.abs_diff(184) < 2);
        half.opacity = 0;
        let frame = Frame::drawn(100, 60, &[(picture(320, 240, RED), half)]);
        assert_eq!(frame.at(25, 20), BLACK);
        // Beyond the edge of the frame, and with odd sides.
        let mut beyond = tile(-10, -10, 200, 200, Fit::Cover);
        beyond.opacity = 128;
        let frame = Frame::drawn(100, 60, &[(picture(321, 241, RED), beyond)]);
        assert!(frame.at(2, 2)[0].abs_diff(49) < 2);
    }

    #[test]
    fn colours_are_those_of_the_frame() {
        let red_of_bt709 = [63, 102, 240];
        let mut wide = picture(640, 480, red_of_bt709);
        wide.format.colours = Colours::parse("bt709");
        let frame = Frame::drawn(100, 60, &[(wide, tile(0, 0, 100, 60, Fit::Fill))]);
        let [luma, blue, red] = frame.at(10, 10);
        assert!(luma.abs_diff(81) < 3 && blue.abs_diff(90) < 3 && red.abs_diff(240) < 3);
    }

    #[test]
    fn bytes_that_are_too_few_are_no_picture() {
        let mut short = picture(16, 16, RED);
        short.bytes = vec![81; 100].into();
        let frame = Frame::drawn(32, 32, &[(short, tile(0, 0, 32, 32, Fit::Fill))]);
        assert_eq!(frame.at(5, 5), BLACK);
        let mut canvas = vec![0; 10];
        assert!(Canvas::plain(&mut canvas, &format(32, 32), BLACK).is_none());
    }
}
