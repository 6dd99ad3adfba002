//! The faces of a picture, and those that a detector just missed.

use rivero_filter::Place;

/// A face is taken to be still there for so long when it is not found any more, ns.
const MISSED: i64 = 300_000_000;

/// Where a face is, in units of the picture's width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// Where an image is, in units of a face's width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Left edge, from the face's.
    pub x: f32,
    /// Upper edge, from the face's.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

impl Face {
    /// Where an image goes in a picture of this size, pixels.
    pub fn place(&self, frame: Frame, width: usize, height: usize) -> Place {
        let (width, height) = (width as f64, height as f64);
        Place {
            x: (self.x + f64::from(frame.x) * self.width) * width,
            y: (self.y + f64::from(frame.y) * self.height) * height,
            width: f64::from(frame.width) * self.width * width,
            height: f64::from(frame.height) * self.height * height,
        }
    }

    /// Whether both may be the same face.
    fn overlaps(&self, other: &Self) -> bool {
        let overlap = |begin: f64, length: f64, other: f64, others: f64| {
            begin < other + others && other < begin + length
        };
        overlap(self.x, self.width, other.x, other.width)
            && overlap(self.y, self.height, other.y, other.height)
    }
}

/// What is known from one picture to the next: without this, images would flicker.
#[derive(Debug, Default)]
pub struct Faces {
    /// Each with the time when it was seen last, ns.
    known: Vec<(Face, i64)>,
}

impl Faces {
    /// The faces at `time` (ns), of which `found` were found.
    pub fn update(&mut self, found: Vec<Face>, time: i64) -> Vec<Face> {
        let is_new = |face: &Face| !found.iter().any(|found| found.overlaps(face));
        let missed = |(face, seen): &(Face, i64)| time - seen < MISSED && is_new(face);
        self.known.retain(missed);
        self.known
            .extend(found.into_iter().map(|face| (face, time)));
        self.known.iter().map(|(face, _)| *face).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: i64 = 50_000_000;

    fn face(x: f64) -> Face {
        Face {
            x,
            y: 0.5,
            width: 0.2,
            height: 0.25,
        }
    }

    #[test]
    fn a_face_that_is_missed_stays_for_a_moment() {
        let mut faces = Faces::default();
        assert_eq!(faces.update(vec![face(0.1)], 0), [face(0.1)]);
        assert_eq!(faces.update(vec![], FRAME), [face(0.1)]);
        assert_eq!(
            faces.update(vec![face(0.7)], 2 * FRAME),
            [face(0.1), face(0.7)]
        );
        assert_eq!(faces.update(vec![face(0.7)], 6 * FRAME), [face(0.7)]);
        assert_eq!(faces.update(vec![], 13 * FRAME), []);
    }

    #[test]
    fn a_face_that_moves_is_one_face() {
        let mut faces = Faces::default();
        for step in 0..20u8 {
            let here = face(0.02 * f64::from(step));
            assert_eq!(faces.update(vec![here], i64::from(step) * FRAME), [here]);
        }
    }

    #[test]
    fn an_image_is_placed_in_units_of_the_face() {
        let frame = Frame {
            x: -0.25,
            y: -1.0,
            width: 1.5,
            height: 2.0,
        };
        let place = face(0.4).place(frame, 1000, 400);
        let rounded = [place.x, place.y, place.width, place.height].map(f64::round);
        assert_eq!(rounded, [350.0, 100.0, 300.0, 200.0]);
    }
}
