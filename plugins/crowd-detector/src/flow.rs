//! Where parts of a picture have come from: blocks are looked for in an earlier one.

/// Pixels of a block's side.
const BLOCK: usize = 8;
/// Pixels that a block may have moved in each direction.
const RANGE: isize = 12;
/// Brightness between the darkest and the brightest pixel of a block, below which it has nothing to go by.
const LEAST_CONTRAST: u8 = 24;
/// What each pixel of movement adds to a difference, so that of places that fit alike the nearest is taken: the
/// edge of a wall moves across itself and not along.
const PENALTY: i64 = 12;
/// Blocks that must have moved.
const LEAST_BLOCKS: usize = 2;
/// Share of the movements that must be in one direction.
const LEAST_AGREEMENT: f64 = 0.5;

/// A picture's brightness.
#[derive(Clone, Debug)]
pub(crate) struct Luma {
    pub(crate) values: Vec<u8>,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Luma {
    fn row(&self, x: isize, y: isize) -> Option<&[u8]> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        if x + BLOCK > self.width || y >= self.height {
            return None;
        }
        let begin = y * self.width + x;
        self.values.get(begin..begin + BLOCK)
    }

    /// How different a block is from one of an earlier picture; `None` where there is none, or once it is more than
    /// `most`.
    fn difference(
        &self,
        (x, y): (isize, isize),
        earlier: &Self,
        (from_x, from_y): (isize, isize),
        most: i64,
    ) -> Option<i64> {
        let mut sum = 0;
        for row in 0..BLOCK as isize {
            let here = self.row(x, y + row)?;
            let there = earlier.row(from_x, from_y + row)?;
            let pairs = here.iter().zip(there);
            sum += pairs
                .map(|(here, there)| i64::from(here.abs_diff(*there)))
                .sum::<i64>();
            if sum > most {
                return None;
            }
        }
        Some(sum)
    }

    fn contrast(&self, (x, y): (isize, isize)) -> u8 {
        let rows = (0..BLOCK as isize).filter_map(|row| self.row(x, y + row));
        let values = || rows.clone().flatten().copied();
        let most = values().max().unwrap_or(0);
        most - values().min().unwrap_or(0)
    }

    /// How a block has moved since an earlier picture: pixels to the right and down. `None` if it has not, or it cannot
    /// be said.
    fn movement(&self, at: (isize, isize), earlier: &Self) -> Option<(isize, isize)> {
        if self.contrast(at) < LEAST_CONTRAST {
            return None;
        }
        let still = self.difference(at, earlier, at, i64::MAX)?;
        let mut best = (still, (0, 0));
        for down in -RANGE..=RANGE {
            for right in -RANGE..=RANGE {
                let penalty = PENALTY * (right.abs() + down.abs()) as i64;
                let from = (at.0 - right, at.1 - down);
                let found = self.difference(at, earlier, from, best.0 - penalty);
                if let Some(difference) = found
                    && difference + penalty < best.0
                {
                    best = (difference + penalty, (right, down));
                }
            }
        }
        // What fits hardly better elsewhere has changed, and not moved.
        (best.1 != (0, 0) && best.0 * 3 < still * 2).then_some(best.1)
    }

    /// The mean movement since an earlier picture of the same size, of the blocks for which `counts` holds; `None`
    /// where too few move, or not together.
    pub(crate) fn flow(
        &self,
        earlier: &Self,
        counts: impl Fn(usize, usize) -> bool,
    ) -> Option<(f64, f64)> {
        let (mut blocks, mut sum, mut lengths) = (0, (0.0, 0.0), 0.0);
        // Overlapping by half, so that small things have a block of their own.
        for y in (0..self.height.saturating_sub(BLOCK - 1)).step_by(BLOCK / 2) {
            for x in (0..self.width.saturating_sub(BLOCK - 1)).step_by(BLOCK / 2) {
                if !counts(x + BLOCK / 2, y + BLOCK / 2) {
                    continue;
                }
                if let Some((right, down)) = self.movement((x as isize, y as isize), earlier) {
                    let (right, down) = (right as f64, down as f64);
                    blocks += 1;
                    sum = (sum.0 + right, sum.1 + down);
                    lengths += right.hypot(down);
                }
            }
        }
        let agrees = sum.0.hypot(sum.1) >= LEAST_AGREEMENT * lengths;
        (blocks >= LEAST_BLOCKS && agrees).then(|| {
            let blocks = blocks as f64;
            (sum.0 / blocks, sum.1 / blocks)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A grey picture with a square of stripes, or of nothing, at a place.
    fn picture((left, top): (usize, usize), is_plain: bool) -> Luma {
        let (width, height) = (160, 90);
        let mut values = vec![100; width * height];
        for y in top..(top + 24).min(height) {
            for x in left..(left + 20).min(width) {
                let pattern = ((x - left) * 37 + (y - top) * 59) % 90;
                values[y * width + x] = if is_plain { 220 } else { 110 + pattern as u8 };
            }
        }
        Luma {
            values,
            width,
            height,
        }
    }

    fn angle(from: (usize, usize), to: (usize, usize), is_plain: bool) -> Option<f64> {
        let (earlier, now) = (picture(from, is_plain), picture(to, is_plain));
        let (right, down) = now.flow(&earlier, |_, _| true)?;
        Some(down.atan2(right).to_degrees())
    }

    #[test]
    fn things_that_move_are_seen_to() {
        for is_plain in [false, true] {
            let from = (70, 30);
            for (to, expected) in [
                ((75, 30), 0.0f64),
                ((70, 35), 90.0),
                ((62, 30), 180.0),
                ((70, 24), -90.0),
                ((76, 36), 45.0),
            ] {
                let seen = angle(from, to, is_plain).unwrap();
                let off = (seen - expected).rem_euclid(360.0);
                assert!(off.min(360.0 - off) < 15.0, "{to:?}: {seen}");
            }
        }
    }

    #[test]
    fn what_stands_still_or_only_appears_has_no_direction() {
        assert_eq!(angle((70, 30), (70, 30), false), None);
        let nothing = picture((160, 90), true);
        let something = picture((70, 30), false);
        assert_eq!(something.flow(&nothing, |_, _| true), None);
        assert_eq!(nothing.flow(&something, |_, _| true), None);
        let empty = Luma {
            values: Vec::new(),
            width: 0,
            height: 0,
        };
        assert_eq!(empty.flow(&empty, |_, _| true), None);
    }

    #[test]
    fn only_what_counts_is_looked_at() {
        let (earlier, now) = (picture((70, 30), false), picture((75, 30), false));
        assert!(now.flow(&earlier, |x, _| x > 60).is_some());
        assert_eq!(now.flow(&earlier, |x, _| x < 40), None);
    }
}
