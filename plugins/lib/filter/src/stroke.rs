//! Lines in pictures.

use crate::{PictureFormat, Planes};

/// A closed line of one colour, two pixels wide, as colours have half the resolution of brightness.
#[derive(Debug)]
pub struct Stroke {
    /// Places in the planes of colour, each of which stands for two by two pixels.
    places: Vec<(usize, usize)>,
    colour: [u8; 3],
}

impl Stroke {
    /// The line through these points (pixels) and back to the first. What is beyond the picture is drawn at its edge.
    pub fn new(points: &[(f64, f64)], colour: [u8; 3], picture: &PictureFormat) -> Self {
        let sides = (picture.width.div_ceil(2), picture.height.div_ceil(2));
        let place = |(x, y): (f64, f64)| {
            let within =
                |at: f64, side: usize| (at / 2.0).clamp(0.0, side.saturating_sub(1) as f64);
            (within(x, sides.0), within(y, sides.1))
        };
        let mut places = Vec::new();
        let ends = points.iter().skip(1).chain(points.first());
        for (from, to) in points.iter().zip(ends) {
            let (from, to) = (place(*from), place(*to));
            let (across, down) = (to.0 - from.0, to.1 - from.1);
            let steps = across.abs().max(down.abs()).ceil().max(1.0);
            places.extend((0..=steps as usize).map(|step| {
                let share = step as f64 / steps;
                let (x, y) = (from.0 + across * share, from.1 + down * share);
                (x.round() as usize, y.round() as usize)
            }));
        }
        Self {
            places,
            colour: picture.colours.of_rgb(colour),
        }
    }

    /// Draws it. The picture has the format that the line was made for.
    pub fn draw(&self, Planes(planes): &mut Planes<'_>) {
        for (index, ((plane, width), value)) in planes.iter_mut().zip(self.colour).enumerate() {
            let scale = if index == 0 { 2 } else { 1 };
            for (x, y) in &self.places {
                for row in y * scale..(y + 1) * scale {
                    let begin = row * *width + x * scale;
                    let end = (begin + scale).min((row + 1) * *width);
                    if let Some(pixels) = plane.get_mut(begin..end) {
                        pixels.fill(value);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;

    #[test]
    fn lines_are_drawn_and_nothing_else() {
        for (width, height) in [(32, 24), (33, 25), (1, 1)] {
            let picture = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let mut bytes = vec![16; picture.size()];
            let points = [(4.0, 4.0), (20.0, 4.0), (20.0, 16.0), (-50.0, 900.0)];
            let stroke = Stroke::new(&points, [255; 3], &picture);
            stroke.draw(&mut picture.planes(&mut bytes).unwrap());
            if width > 1 {
                let luma = |x: usize, y: usize| bytes[y * width + x];
                assert_eq!(
                    [luma(4, 4), luma(12, 5), luma(20, 10), luma(0, height - 1)],
                    [235; 4]
                );
                assert_eq!([luma(12, 8), luma(24, 4), luma(12, 2)], [16; 3]);
            }
        }
    }

    #[test]
    fn a_line_without_points_is_none() {
        let picture = PictureFormat {
            width: 8,
            height: 8,
            colours: Colours::TELEVISION,
        };
        let mut bytes = vec![16; picture.size()];
        let stroke = Stroke::new(&[], [255; 3], &picture);
        stroke.draw(&mut picture.planes(&mut bytes).unwrap());
        assert!(bytes.iter().all(|value| *value == 16));
    }
}
