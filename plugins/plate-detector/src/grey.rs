//! A picture's brightness.

/// Pixels of a side, of what is looked at: larger pictures are halved until they fit, smaller ones are doubled once, for
/// characters that touch in them do so no longer between the pixels.
const LARGEST: usize = 1280;
const SMALL: usize = 640;

/// Grey values, row by row.
#[derive(Clone, Debug)]
pub(crate) struct Grey {
    /// Pixels.
    pub(crate) width: usize,
    /// Pixels.
    pub(crate) height: usize,
    /// As many as there are pixels.
    pub(crate) values: Vec<u8>,
}

impl Grey {
    /// The brightness of a picture, made smaller where it is large; `None` if its values are too few.
    pub(crate) fn of(luma: &[u8], width: usize, height: usize) -> Option<Self> {
        let values = luma.get(..width.checked_mul(height)?)?;
        let mut grey = Self {
            width,
            height,
            values: values.to_vec(),
        };
        while grey.width.max(grey.height) > LARGEST {
            grey = grey.half();
        }
        let is_small = grey.width.max(grey.height) <= SMALL;
        Some(if is_small { grey.double() } else { grey })
    }

    /// Twice as wide and as high.
    fn double(&self) -> Self {
        let (width, height) = (2 * self.width, 2 * self.height);
        let place = |at: usize| (at as f64 + 0.5) / 2.0;
        let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        // Conversions of floats to integers stay within the integer's range.
        let value = |(x, y)| self.at(place(x), place(y)).round() as u8;
        Self {
            width,
            height,
            values: rows.map(value).collect(),
        }
    }

    /// Half as wide and as high, each pixel the mean of four; a last odd row or column is left out.
    pub(crate) fn half(&self) -> Self {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut values = Vec::with_capacity(width * height);
        for rows in self.values.chunks_exact((2 * self.width).max(1)) {
            let (upper, lower) = rows.split_at(self.width);
            let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
            values.extend(pairs.map(|(upper, lower)| {
                let all = upper.iter().chain(lower);
                let sum: u16 = all.map(|value| u16::from(*value)).sum();
                u8::try_from((sum + 2) / 4).unwrap_or(u8::MAX)
            }));
        }
        Self {
            width,
            height,
            values,
        }
    }

    /// The value at a place, between those of the pixels around it; beyond the picture that of its edge.
    pub(crate) fn at(&self, x: f64, y: f64) -> f64 {
        let within = |at: f64, side: usize| at.clamp(0.0, side.saturating_sub(1) as f64);
        let (x, y) = (within(x - 0.5, self.width), within(y - 0.5, self.height));
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        let (left, top) = (left as usize, top as usize);
        let right = (left + 1).min(self.width.saturating_sub(1));
        let bottom = (top + 1).min(self.height.saturating_sub(1));
        let value = |x: usize, y: usize| {
            let value = self.values.get(y * self.width + x).copied();
            f64::from(value.unwrap_or_default())
        };
        let upper = value(left, top) * (1.0 - across) + value(right, top) * across;
        let lower = value(left, bottom) * (1.0 - across) + value(right, bottom) * across;
        upper * (1.0 - down) + lower * down
    }

    /// How much each value is above the mean of those around it, in a square of `2 * reach + 1` pixels a side.
    pub(crate) fn contrast(&self, reach: usize) -> Vec<i16> {
        let sums = self.sums();
        let stride = self.width + 1;
        let row = |y: usize| sums.get(y * stride..(y + 1) * stride).unwrap_or_default();
        let mut contrast = Vec::with_capacity(self.values.len());
        for (y, values) in self.values.chunks_exact(self.width.max(1)).enumerate() {
            let (top, bottom) = (y.saturating_sub(reach), (y + reach + 1).min(self.height));
            let (upper, lower) = (row(top), row(bottom));
            let below = |x: usize| {
                let at = |row: &[u32]| row.get(x).copied().unwrap_or_default();
                at(lower).wrapping_sub(at(upper))
            };
            for (x, value) in values.iter().enumerate() {
                let (left, right) = (x.saturating_sub(reach), (x + reach + 1).min(self.width));
                let count = u32::try_from((right - left) * (bottom - top)).unwrap_or(1);
                let mean = below(right).wrapping_sub(below(left)) / count.max(1);
                contrast.push(i16::from(*value) - i16::try_from(mean).unwrap_or(255));
            }
        }
        contrast
    }

    /// For each corner of a pixel the sum of all values above and to the left of it. What overflows does so in all of
    /// them, and not in their differences.
    fn sums(&self) -> Vec<u32> {
        let stride = self.width + 1;
        let mut sums = vec![0u32; stride];
        sums.reserve(stride * self.height);
        for values in self.values.chunks_exact(self.width.max(1)) {
            let above = sums.len() - stride;
            let mut sum = 0u32;
            sums.push(0);
            for (x, value) in values.iter().enumerate() {
                sum = sum.wrapping_add(u32::from(*value));
                let upper = sums.get(above + x + 1).copied().unwrap_or_default();
                sums.push(upper.wrapping_add(sum));
            }
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_what_is_above_the_surroundings() {
        let (width, height) = (40, 31);
        let mut grey = Grey {
            width,
            height,
            values: vec![100; width * height],
        };
        assert!(grey.contrast(3).iter().all(|value| *value == 0));
        grey.values[15 * width + 20] = 149;
        let contrast = grey.contrast(3);
        assert_eq!(contrast[15 * width + 20], 48);
        assert_eq!(contrast[15 * width + 23], -1);
        assert_eq!(contrast[15 * width + 24], 0);
    }

    #[test]
    fn pictures_get_a_size_and_short_ones_are_none() {
        let small = Grey::of(&[9; 20], 5, 4).unwrap();
        assert_eq!(
            (small.width, small.height, small.values),
            (10, 8, vec![9; 80])
        );
        let grey = Grey::of(&vec![7; 2601 * 1003], 2601, 1003).unwrap();
        assert_eq!((grey.width, grey.height), (650, 250));
        assert!(grey.values.iter().all(|value| *value == 7));
        assert!(Grey::of(&[0; 10], 4, 3).is_none());
        assert!(Grey::of(&[], usize::MAX, 2).is_none());
        let empty = Grey::of(&[], 0, 0).unwrap();
        assert!(empty.contrast(3).is_empty() && empty.half().values.is_empty());
    }

    #[test]
    fn between_pixels_is_what_is_between_their_values() {
        let grey = Grey {
            width: 2,
            height: 2,
            values: vec![0, 100, 100, 200],
        };
        assert_eq!(grey.at(0.5, 0.5), 0.0);
        assert_eq!(grey.at(1.0, 1.0), 100.0);
        assert_eq!(grey.at(9.0, 9.0), 200.0);
        assert_eq!(grey.at(-9.0, -9.0), 0.0);
    }
}
