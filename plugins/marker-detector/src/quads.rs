//! Finds dark squares in pictures, seen from any side, and reads their cells.

use opencv::{
    core::{self, Mat, Point, Point2f, Size, Vector},
    imgproc,
    prelude::*,
};
use rivero_filter::PictureFormat;

use crate::dictionary::Dictionaries;

/// Pixels across; larger pictures are reduced.
const WIDTH: usize = 1280;
/// Sides of the windows whose mean a pixel must be darker than, in pixels: narrow ones for small markers.
const WINDOWS: [i32; 3] = [7, 21, 51];
const DARKER: f64 = 7.0;
/// Pixels around a marker.
const LEAST_LENGTH: usize = 40;
/// Share of the length by which a side may be bent.
const BENT: f64 = 0.04;
/// Brightness between white and black cells.
const LEAST_CONTRAST: f64 = 30.0;
/// Squares that are read in a picture.
const MOST_QUADS: usize = 1000;
const MOST_MARKERS: usize = 100;

/// A marker and its corners, in shares of the picture.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Marker {
    pub(crate) id: i32,
    pub(crate) corners: [(f64, f64); 4],
}

type Quad = [(f64, f64); 4];

/// See the head of this file.
pub(crate) struct Detector {
    dictionaries: Dictionaries,
    small: Mat,
    smooth: Mat,
    dark: Mat,
}

impl Marker {
    /// Its middle.
    pub(crate) fn middle(&self) -> (f64, f64) {
        let sum = |side: fn(&(f64, f64)) -> f64| self.corners.iter().map(side).sum::<f64>() / 4.0;
        (sum(|corner| corner.0), sum(|corner| corner.1))
    }
}

impl Detector {
    /// # Errors
    /// OpenCV's
    pub(crate) fn new(dictionaries: Dictionaries) -> opencv::Result<Self> {
        // Each detector has a thread of the crew; OpenCV is not to start more.
        core::set_num_threads(1)?;
        Ok(Self {
            dictionaries,
            small: Mat::default(),
            smooth: Mat::default(),
            dark: Mat::default(),
        })
    }

    /// The markers in a picture, by its brightness.
    ///
    /// # Errors
    /// OpenCV's
    pub(crate) fn find(
        &mut self,
        luma: &[u8],
        format: &PictureFormat,
    ) -> opencv::Result<Vec<Marker>> {
        let picture = Mat::new_rows_cols_with_data(side(format.height), side(format.width), luma)?;
        let width = format.width.min(WIDTH);
        let height = (format.height * width / format.width.max(1)).max(1);
        let size = Size::new(side(width), side(height));
        imgproc::resize(
            &picture,
            &mut self.small,
            size,
            0.0,
            0.0,
            imgproc::INTER_AREA,
        )?;
        imgproc::gaussian_blur_def(&self.small, &mut self.smooth, Size::new(3, 3), 0.0)?;
        let mut found: Vec<(f64, Marker)> = Vec::new();
        for window in WINDOWS {
            for quad in self.quads(window)? {
                let Some(id) = self.read(&quad)? else {
                    continue;
                };
                let corners = quad.map(|(x, y)| (x / width as f64, y / height as f64));
                keep_larger(&mut found, (area(&quad).abs(), Marker { id, corners }));
            }
        }
        Ok(found.into_iter().map(|(_, marker)| marker).collect())
    }

    /// What has four straight sides and is darker than what is around it.
    fn quads(&mut self, window: i32) -> opencv::Result<Vec<Quad>> {
        imgproc::adaptive_threshold(
            &self.smooth,
            &mut self.dark,
            255.0,
            imgproc::ADAPTIVE_THRESH_MEAN_C,
            imgproc::THRESH_BINARY_INV,
            window,
            DARKER,
        )?;
        let mut contours = Vector::<Vector<Point>>::new();
        imgproc::find_contours_def(
            &self.dark,
            &mut contours,
            imgproc::RETR_LIST,
            imgproc::CHAIN_APPROX_NONE,
        )?;
        let mut quads = Vec::new();
        for contour in &contours {
            if contour.len() < LEAST_LENGTH || quads.len() >= MOST_QUADS {
                continue;
            }
            let mut corners = Vector::<Point>::new();
            imgproc::approx_poly_dp(&contour, &mut corners, contour.len() as f64 * BENT, true)?;
            if corners.len() != 4 || !imgproc::is_contour_convex(&corners)? {
                continue;
            }
            let corners: Vec<_> = corners
                .iter()
                .map(|corner| (f64::from(corner.x), f64::from(corner.y)))
                .collect();
            let Ok(mut quad) = Quad::try_from(corners) else {
                continue;
            };
            let area = area(&quad);
            if area < 0.0 {
                // Clockwise, so that nothing is read from behind.
                quad.reverse();
            }
            if area.abs() >= (LEAST_LENGTH * LEAST_LENGTH) as f64 / 32.0 {
                quads.push(quad);
            }
        }
        Ok(quads)
    }

    /// The number of the marker at these corners.
    fn read(&self, quad: &Quad) -> opencv::Result<Option<i32>> {
        let unit = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)];
        let points = |quad: &Quad| quad.map(|(x, y)| Point2f::new(x as f32, y as f32));
        let matrix = imgproc::get_perspective_transform_slice_def(points(&unit), points(quad))?;
        let mut at = [0.0; 9];
        for (value, found) in at.iter_mut().zip(matrix.data_typed::<f64>()?) {
            *value = *found;
        }
        let (pixels, width) = (
            self.smooth.data_bytes()?,
            usize::try_from(self.smooth.cols()).unwrap_or(0),
        );
        let brightness = |x: f64, y: f64| {
            let [a, b, c, d, e, f, g, h, i] = at;
            let depth = g * x + h * y + i;
            let (x, y) = ((a * x + b * y + c) / depth, (d * x + e * y + f) / depth);
            // Conversions of floats to integers stay within the integer's range.
            let (x, y) = (x.round().max(0.0) as usize, y.round().max(0.0) as usize);
            let pixel = y
                .checked_mul(width)
                .and_then(|row| pixels.get(row + x.min(width.saturating_sub(1))));
            pixel.copied().map_or(0.0, f64::from)
        };
        let sides = self.dictionaries.sides();
        let ids = sides.filter_map(|side| {
            let cells = cells(side, brightness)?;
            self.dictionaries.find(side, cells)
        });
        // A marker of fewer cells, read as one of more, does not fit by chance.
        Ok(ids.last())
    }
}

/// The cells within a border of one black cell, row by row, white being 1; `None` where there is no such border.
fn cells(side: usize, brightness: impl Fn(f64, f64) -> f64) -> Option<u64> {
    let across = side + 2;
    let step = 1.0 / across as f64;
    let value = |row: usize, column: usize| {
        // In the middle of the cell: its edges are blurred.
        let parts = [0.35, 0.5, 0.65];
        let sum: f64 = parts
            .iter()
            .flat_map(|down| parts.iter().map(move |right| (*right, *down)))
            .map(|(right, down)| {
                brightness((column as f64 + right) * step, (row as f64 + down) * step)
            })
            .sum();
        sum / 9.0
    };
    let places = (0..across).flat_map(|row| (0..across).map(move |column| (row, column)));
    let values: Vec<_> = places
        .map(|(row, column)| (row, column, value(row, column)))
        .collect();
    let is_border =
        |row: usize, column: usize| [row, column].iter().any(|at| *at == 0 || *at == across - 1);
    let border = || {
        values
            .iter()
            .filter(|(row, column, _)| is_border(*row, *column))
    };
    let black = border().map(|(_, _, value)| value).sum::<f64>() / border().count().max(1) as f64;
    let white = values
        .iter()
        .map(|(_, _, value)| *value)
        .fold(0.0, f64::max);
    let between = f64::midpoint(black, white);
    // One cell of the border may be hidden or shine.
    let bright = border().filter(|(_, _, value)| *value > between).count();
    if white - black < LEAST_CONTRAST || bright > 1 {
        return None;
    }
    let inner = values
        .iter()
        .filter(|(row, column, _)| !is_border(*row, *column));
    Some(inner.fold(0, |cells, (_, _, value)| {
        (cells << 1) | u64::from(*value > between)
    }))
}

/// Of the same marker at the same place the larger: the outer edge of its border.
fn keep_larger(found: &mut Vec<(f64, Marker)>, (area, marker): (f64, Marker)) {
    let has_room = found.len() < MOST_MARKERS;
    let (x, y) = marker.middle();
    let same = found.iter_mut().find(|(_, known)| {
        let middle = known.middle();
        let corners = marker.corners.iter();
        let reach = corners
            .map(|corner| (corner.0 - x).abs())
            .fold(0.0, f64::max);
        (x - middle.0).abs() < reach / 2.0 && (y - middle.1).abs() < reach
    });
    match same {
        Some(known) if area > known.0 => *known = (area, marker),
        Some(_) => {}
        None if has_room => found.push((area, marker)),
        None => {}
    }
}

/// Pixels; less than 0 where the corners go round against the clock.
fn area(quad: &Quad) -> f64 {
    let ends = quad.iter().skip(1).chain(quad.first());
    let twice: f64 = quad
        .iter()
        .zip(ends)
        .map(|(from, to)| from.0 * to.1 - to.0 * from.1)
        .sum();
    twice / 2.0
}

fn side(pixels: usize) -> i32 {
    i32::try_from(pixels).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use rivero_filter::Colours;

    use super::*;
    use crate::dictionary::tests::{all, cells};

    /// A picture with markers in it, each at a place and turned by some degrees, and noise.
    struct Scene {
        format: PictureFormat,
        luma: Vec<u8>,
    }

    impl Scene {
        fn new(width: usize, height: usize) -> Self {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let luma = (0..width * height).map(|at| 150 + (at % width * 80 / width) as u8);
            Self {
                format,
                luma: luma.collect(),
            }
        }

        /// `cell`: pixels of a cell's side. `tilt`: how far its upper edge is turned away.
        fn draw(
            &mut self,
            (name, id): (&str, usize),
            middle: (f64, f64),
            cell: f64,
            degrees: f64,
            tilt: f64,
        ) {
            let (side, cells) = cells(name, id);
            let (sin, cos) = degrees.to_radians().sin_cos();
            for y in 0..self.format.height {
                for x in 0..self.format.width {
                    let (right, down) = (x as f64 - middle.0, y as f64 - middle.1);
                    let (right, down) = (right * cos + down * sin, down * cos - right * sin);
                    let half = (side as f64 / 2.0 + 1.0) * cell;
                    let depth = 1.0 + tilt * down / half / 2.0;
                    let column = (right / depth / cell + side as f64 / 2.0).floor();
                    let row = (down / depth / cell + side as f64 / 2.0).floor();
                    let reach = side as f64 + 1.0;
                    let inside = |at: f64| (0.0..side as f64).contains(&at);
                    let value = if inside(row) && inside(column) {
                        let at = side * side - 1 - (row as usize * side + column as usize);
                        if cells >> at & 1 == 1 { 225 } else { 30 }
                    } else if (-1.0..reach).contains(&row) && (-1.0..reach).contains(&column) {
                        30
                    } else if (-2.0..reach + 1.0).contains(&row)
                        && (-2.0..reach + 1.0).contains(&column)
                    {
                        225
                    } else {
                        continue;
                    };
                    self.luma[y * self.format.width + x] = value;
                }
            }
        }

        fn noise(&mut self, size: u32) {
            let mut random = 5u32;
            for value in &mut self.luma {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                let noise = (random >> 8) % (2 * size + 1);
                *value =
                    (i64::from(*value) + i64::from(noise) - i64::from(size)).clamp(0, 255) as u8;
            }
        }

        fn ids(&self) -> Vec<i32> {
            let mut detector = Detector::new(all()).unwrap();
            let found = detector.find(&self.luma, &self.format).unwrap();
            let mut ids: Vec<_> = found.iter().map(|marker| marker.id).collect();
            ids.sort_unstable();
            ids
        }
    }

    #[test]
    fn markers_of_all_dictionaries_are_found_whichever_way_they_lie() {
        let mut right = 0;
        let mut all = 0;
        for (name, id) in [
            ("4X4", 7),
            ("5X5", 41),
            ("6X6", 123),
            ("7X7", 200),
            ("ARUCO_ORIGINAL", 600),
        ] {
            for degrees in [0.0, 20.0, 45.0, 100.0, 190.0, 300.0] {
                for (cell, tilt, noise) in [(12.0, 0.0, 0), (6.0, 0.1, 12), (18.0, 0.25, 25)] {
                    let mut scene = Scene::new(640, 480);
                    scene.draw((name, id), (300.0, 220.0), cell, degrees, tilt);
                    scene.noise(noise);
                    let found = scene.ids();
                    all += 1;
                    if found == [id as i32] {
                        right += 1;
                    } else {
                        println!("{name} {id} at {degrees}, {cell}, {tilt}, {noise}: {found:?}");
                    }
                }
            }
        }
        assert!(right * 100 >= all * 97, "{right} of {all}");
    }

    #[test]
    fn many_are_found_at_their_places_and_each_once() {
        let mut scene = Scene::new(1280, 720);
        scene.draw(("4X4", 0), (200.0, 150.0), 14.0, 10.0, 0.0);
        scene.draw(("4X4", 0), (600.0, 150.0), 8.0, 50.0, 0.0);
        scene.draw(("6X6", 249), (1000.0, 500.0), 10.0, -30.0, 0.1);
        scene.noise(8);
        assert_eq!(scene.ids(), [0, 0, 249]);
        let mut detector = Detector::new(all()).unwrap();
        let found = detector.find(&scene.luma, &scene.format).unwrap();
        let last = found.iter().find(|marker| marker.id == 249).unwrap();
        let (x, y) = last.middle();
        assert!((x * 1280.0 - 1000.0).abs() < 6.0 && (y * 720.0 - 500.0).abs() < 6.0);
    }

    #[test]
    fn what_is_no_marker_is_none() {
        let mut noise = Scene::new(640, 480);
        noise.noise(90);
        assert_eq!(noise.ids(), [] as [i32; 0]);
        let mut squares = Scene::new(640, 480);
        for (at, pixel) in squares.luma.iter_mut().enumerate() {
            let (x, y) = (at % 640, at / 640);
            *pixel = if (x / 40 + y / 40) % 2 == 0 { 20 } else { 230 };
        }
        assert_eq!(squares.ids(), [] as [i32; 0]);
        for (width, height) in [(1, 1), (3, 500), (4000, 2)] {
            assert_eq!(Scene::new(width, height).ids(), [] as [i32; 0]);
        }
        let mut detector = Detector::new(all()).unwrap();
        assert!(detector.find(&[0; 9], &Scene::new(64, 64).format).is_err());
    }
}
