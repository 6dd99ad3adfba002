//! Small copies of pictures: what is looked for is found as well in them, and sooner.

use std::ops::Range;

use crate::{PictureFormat, Plane};

/// A small copy, whose planes have the same size.
#[derive(Clone, Debug)]
pub struct Reduced {
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Y, U and V.
    pub planes: [Vec<u8>; 3],
}

impl Reduced {
    /// The picture with `width` pixels across at most, each the mean of what it covers; `None` if the bytes are
    /// too few.
    pub fn of(format: &PictureFormat, bytes: &[u8], width: usize) -> Option<Self> {
        let planes = format.views(bytes)?;
        let width = width.clamp(1, format.width.max(1));
        let height = (format.height * width).div_ceil(format.width.max(1)).max(1);
        let planes = planes.map(|plane| reduced(plane, width, height));
        Some(Self {
            width,
            height,
            planes,
        })
    }

    /// Each pixel's Y, U and V.
    pub fn colours(&self) -> impl Iterator<Item = [u8; 3]> {
        let [luma, blue, red] = &self.planes;
        let colours = luma.iter().zip(blue).zip(red);
        colours.map(|((luma, blue), red)| [*luma, *blue, *red])
    }
}

/// A plane in another size, each value the mean of those that it covers.
pub fn reduced((plane, plane_width): Plane<'_>, width: usize, height: usize) -> Vec<u8> {
    let plane_width = plane_width.max(1);
    let plane_height = plane.len() / plane_width;
    let mut reduced = Vec::with_capacity(width * height);
    let mut sums = vec![0u32; plane_width];
    for y in 0..height {
        let rows = part(y, height, plane_height);
        sums.fill(0);
        let covered = plane
            .chunks_exact(plane_width)
            .skip(rows.start)
            .take(rows.len());
        for row in covered {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += u32::from(*value);
            }
        }
        reduced.extend((0..width).map(|x| {
            let columns = part(x, width, plane_width);
            let count = u64::try_from(columns.len() * rows.len()).unwrap_or(1);
            let covered = sums.get(columns).unwrap_or_default();
            let sum: u64 = covered.iter().copied().map(u64::from).sum();
            u8::try_from((sum + count / 2) / count.max(1)).unwrap_or(u8::MAX)
        }));
    }
    reduced
}

/// The values that one of `of` parts covers: one at least.
fn part(index: usize, of: usize, all: usize) -> Range<usize> {
    let begin = (index * all / of.max(1)).min(all.saturating_sub(1));
    begin..((index + 1) * all / of.max(1)).clamp(begin + 1, all.max(begin + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;

    #[test]
    fn each_value_is_the_mean_of_what_it_covers() {
        let plane = [0, 10, 20, 30, 10, 20, 30, 40];
        assert_eq!(reduced((&plane, 4), 2, 1), [10, 30]);
        assert_eq!(reduced((&plane, 4), 4, 2), plane);
        assert_eq!(reduced((&plane, 4), 1, 1), [20]);
        assert_eq!(reduced((&plane, 4), 8, 2).len(), 16);
        assert_eq!(reduced((&[], 4), 2, 2), [0; 4]);
    }

    #[test]
    fn pictures_of_any_size_are_covered() {
        for (width, height, across) in [(1, 1, 160), (3, 500, 2), (1279, 721, 160), (640, 2, 160)] {
            let format = PictureFormat {
                width,
                height,
                colours: Colours::TELEVISION,
            };
            let mut bytes = vec![50; format.luma_size()];
            bytes.resize(format.size(), 99);
            let small = Reduced::of(&format, &bytes, across).unwrap();
            assert!(small.width <= across && small.width > 0 && small.height > 0);
            assert_eq!(small.colours().count(), small.width * small.height);
            assert!(small.colours().all(|colour| colour == [50, 99, 99]));
            assert!(Reduced::of(&format, &[], across).is_none());
        }
    }
}
