//! Where pictures go.

/// A part of a picture, pixels; may reach beyond it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: i32,
    /// Upper edge.
    pub y: i32,
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
}

/// How a picture fills a place of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It is stretched.
    Fill,
    /// All of it is seen, and what is left of the place stays as it is.
    Contain,
    /// All of the place is filled, and what does not fit of the picture is cut off.
    Cover,
}

/// A place for a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Where it is.
    pub rect: Rect,
    /// How it is filled.
    pub fit: Fit,
    /// How much is seen of what is drawn there, of 255.
    pub opacity: u8,
}

/// The next lower even number: values of colour are shared by two pixels each way, so edges lie between
/// such pairs, and what encoders cannot take is no size.
#[must_use]
pub fn even(length: i32) -> i32 {
    length & !1
}

/// Places for `count` pictures of a frame: as many columns as the rounded-up square root of their number,
/// row by row. They add up to the frame exactly. The sides of the frame are even.
#[must_use]
pub fn grid(count: usize, width: i32, height: i32) -> Vec<Rect> {
    let columns = (1..=count)
        .find(|columns| columns * columns >= count)
        .unwrap_or(1);
    let rows = count.div_ceil(columns).max(1);
    let place = |index: usize| {
        let (left, right) = edges(index % columns, columns, width);
        let (top, bottom) = edges(index / columns, rows, height);
        Rect {
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
        }
    };
    (0..count).map(place).collect()
}

/// Both edges of a part of a side that is cut into `parts`.
fn edges(part: usize, parts: usize, length: i32) -> (i32, i32) {
    let edge = |part: usize| {
        let at = i64::from(length) * part as i64 / parts as i64;
        even(i32::try_from(at).unwrap_or(length))
    };
    (edge(part), edge(part + 1))
}

impl Rect {
    /// From parts of a frame, 0 to 1 of its sides; beyond that it lies outside.
    #[must_use]
    pub fn relative(parts: [f64; 4], width: i32, height: i32) -> Self {
        // Conversions of floats to integers stay within the integer's range; 2^20 keeps sums in it, too.
        let pixels = |part: f64, side: i32| {
            let at = (part * f64::from(side))
                .round()
                .clamp(-1_048_576.0, 1_048_576.0);
            even(at as i32)
        };
        let [x, y, across, down] = parts;
        Self {
            x: pixels(x, width),
            y: pixels(y, height),
            width: pixels(across, width),
            height: pixels(down, height),
        }
    }

    /// What of it lies within a frame; `None` where that is nothing.
    pub(crate) fn within(self, width: i32, height: i32) -> Option<Self> {
        let (left, top) = (self.x.max(0), self.y.max(0));
        let right = (self.x + self.width).min(even(width));
        let bottom = (self.y + self.height).min(even(height));
        (left < right && top < bottom).then_some(Self {
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
        })
    }
}

impl Tile {
    /// One through which nothing is seen.
    #[must_use]
    pub fn new(rect: Rect, fit: Fit) -> Self {
        Self {
            rect,
            fit,
            opacity: u8::MAX,
        }
    }

    /// Where all of a picture of this size would be seen, as far as it is not cut off.
    pub(crate) fn spread(self, width: i32, height: i32) -> Rect {
        let Rect {
            x,
            y,
            width: across,
            height: down,
        } = self.rect;
        // By how much more the picture is stretched sideways than down where it fills the place.
        let wide = i64::from(across) * i64::from(height) > i64::from(down) * i64::from(width);
        let by_height = match self.fit {
            Fit::Fill => return self.rect,
            Fit::Contain => wide,
            Fit::Cover => !wide,
        };
        let scaled = |side: i32, to: i32, from: i32| {
            let length =
                (i64::from(side) * i64::from(to) + i64::from(from) / 2) / i64::from(from.max(1));
            even(i32::try_from(length).unwrap_or(to)).max(2)
        };
        let (new_width, new_height) = if by_height {
            (scaled(width, down, height), down)
        } else {
            (across, scaled(height, across, width))
        };
        Rect {
            x: x + even((across - new_width) / 2),
            y: y + even((down - new_height) / 2),
            width: new_width,
            height: new_height,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rect(x: i32, y: i32, width: i32, height: i32) -> Rect {
        Rect {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn grids_are_as_square_as_they_can_be() {
        assert_eq!(grid(0, 800, 600), []);
        assert_eq!(grid(1, 800, 600), [rect(0, 0, 800, 600)]);
        assert_eq!(
            grid(2, 800, 600),
            [rect(0, 0, 400, 600), rect(400, 0, 400, 600)]
        );
        assert_eq!(grid(3, 800, 600)[2], rect(0, 300, 400, 300));
        assert_eq!(grid(5, 900, 600)[4], rect(300, 300, 300, 300));
        assert_eq!(grid(7, 900, 600).len(), 7);
    }

    #[test]
    fn columns_add_up_to_the_frame() {
        for (count, width, height) in [(9, 800, 600), (9, 322, 242), (16, 640, 362), (2, 2, 2)] {
            let places = grid(count, width, height);
            let area: i32 = places.iter().map(|place| place.width * place.height).sum();
            let is_full = count == 9 || count == 16 || count == 2;
            assert!(area == width * height || !is_full, "{count} {width}");
            assert!(
                places
                    .iter()
                    .all(|p| (p.x | p.y | p.width | p.height) & 1 == 0)
            );
        }
    }

    #[test]
    fn a_picture_keeps_its_shape_or_fills_its_place() {
        let spread = |fit, width, height| {
            let rect = rect(100, 0, 400, 600);
            Tile::new(rect, fit).spread(width, height)
        };
        assert_eq!(spread(Fit::Contain, 320, 240), rect(100, 150, 400, 300));
        assert_eq!(spread(Fit::Contain, 240, 960), rect(224, 0, 150, 600));
        assert_eq!(spread(Fit::Cover, 320, 240), rect(-100, 0, 800, 600));
        assert_eq!(spread(Fit::Fill, 16, 16), rect(100, 0, 400, 600));
    }

    #[test]
    fn what_lies_outside_is_nothing() {
        assert_eq!(
            Rect::relative([0.5, 0.5, 1.0, 1.0], 640, 480).within(640, 480),
            Some(rect(320, 240, 320, 240))
        );
        assert_eq!(
            Rect::relative([1.0, 0.0, 1.0, 1.0], 640, 480).within(640, 480),
            None
        );
        assert_eq!(
            Rect::relative([-2.0, 0.0, 1e30, f64::NAN], 640, 480).within(640, 480),
            None
        );
    }
}
