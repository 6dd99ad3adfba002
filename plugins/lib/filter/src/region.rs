//! Rectangles that clients name in pixels of the picture.

use std::ops::Range;

use rivero_plugin_api::{Error, Result};

use crate::{Image, Patch, PictureFormat, Place};

/// A rectangle, which may reach beyond the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    x: i32,
    y: i32,
    width: i32,
    height: i32,
}

/// What of a region is in a picture: never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Pixels from the left.
    pub columns: Range<usize>,
    /// Pixels from above.
    pub rows: Range<usize>,
}

impl Region {
    /// The region with this upper left corner and size.
    ///
    /// # Errors
    /// 40107 naming `what`, when it has no extent
    pub fn new(what: &str, (x, y): (i32, i32), (width, height): (i32, i32)) -> Result<Self> {
        if width <= 0 || height <= 0 {
            return Err(Error::illegal_parameter(format!(
                "width and height of {what} must be greater than 0"
            )));
        }
        Ok(Self {
            x,
            y,
            width,
            height,
        })
    }

    /// What of it is in a picture; `None` where that is nothing.
    pub fn within(&self, picture: &PictureFormat) -> Option<Area> {
        let columns = span(self.x, self.width, picture.width);
        let rows = span(self.y, self.height, picture.height);
        (!columns.is_empty() && !rows.is_empty()).then_some(Area { columns, rows })
    }

    /// Where an image goes that fills it.
    pub fn place(&self) -> Place {
        Place {
            x: f64::from(self.x),
            y: f64::from(self.y),
            width: f64::from(self.width),
            height: f64::from(self.height),
        }
    }

    /// Its edges, to be drawn in a colour (red, green, blue).
    pub fn edges(&self, colour: [u8; 3], picture: &PictureFormat) -> Vec<Patch> {
        edges(self.place(), colour, picture)
    }
}

/// The edges of a place, inside of it, to be drawn in a colour (red, green, blue).
pub fn edges(place: Place, colour: [u8; 3], picture: &PictureFormat) -> Vec<Patch> {
    let Place {
        x,
        y,
        width,
        height,
    } = place;
    // Seen in a picture of any size, and two pixels wide at least, since colours have half its resolution.
    let thick = (picture.width.min(picture.height) as f64 / 160.0)
        .round()
        .max(2.0);
    let bar = |x, y, width, height| Place {
        x,
        y,
        width,
        height,
    };
    let image = Image::plain(colour);
    [
        bar(x, y, width, thick.min(height)),
        bar(x, y + height - thick.min(height), width, thick.min(height)),
        bar(x, y, thick.min(width), height),
        bar(x + width - thick.min(width), y, thick.min(width), height),
    ]
    .into_iter()
    .filter_map(|bar| Patch::new(&image, bar, picture))
    .collect()
}

fn span(begin: i32, length: i32, side: usize) -> Range<usize> {
    let within = |at: i64| usize::try_from(at.max(0)).unwrap_or(0).min(side);
    let begin = i64::from(begin);
    within(begin)..within(begin + i64::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;

    const PICTURE: PictureFormat = PictureFormat {
        width: 32,
        height: 24,
        colours: Colours::TELEVISION,
    };

    fn within(corner: (i32, i32), size: (i32, i32)) -> Option<Area> {
        Region::new("a test", corner, size)
            .unwrap()
            .within(&PICTURE)
    }

    #[test]
    fn a_region_is_cut_at_the_edges_of_the_picture() {
        let area = |columns, rows| Some(Area { columns, rows });
        assert_eq!(within((2, 3), (4, 5)), area(2..6, 3..8));
        assert_eq!(within((-2, 20), (4, 50)), area(0..2, 20..24));
        assert_eq!(within((i32::MAX, 0), (i32::MAX, 5)), None);
        assert_eq!(
            within((i32::MIN, i32::MIN), (i32::MAX, i32::MAX)),
            None,
            "left of it"
        );
        assert_eq!(within((0, 24), (5, 5)), None);
    }

    #[test]
    fn a_region_without_extent_is_refused() {
        for size in [(0, 5), (5, 0), (-1, 5), (5, i32::MIN)] {
            let error = Region::new("the window", (0, 0), size).unwrap_err();
            assert_eq!(error.code, 40107);
            assert!(error.message.contains("the window"));
        }
    }

    #[test]
    fn edges_are_drawn_and_what_is_within_is_not() {
        let region = Region::new("a test", (4, 4), (16, 12)).unwrap();
        let mut bytes = vec![16; PICTURE.size()];
        let mut planes = PICTURE.planes(&mut bytes).unwrap();
        for patch in region.edges([255; 3], &PICTURE) {
            patch.draw(&mut planes);
        }
        let luma = |x: usize, y: usize| bytes[y * PICTURE.width + x];
        assert_eq!(
            [luma(4, 4), luma(19, 15), luma(5, 10), luma(10, 5)],
            [235; 4]
        );
        assert_eq!(
            [luma(3, 4), luma(20, 15), luma(6, 10), luma(10, 6)],
            [16; 4]
        );
    }
}
