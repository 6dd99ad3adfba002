//! Which size a bitrate is enough for.
//!
//! With too few bits for each pixel an encoder makes squares, or leaves pictures out. The same bits
//! make a sharper and smoother picture of fewer pixels, which the viewer's browser enlarges. So the
//! size follows the bitrate, in coarse steps: each change costs a keyframe.

use crate::picture::Layout;

/// Parts of the sides, largest first.
const STEPS: [(u32, u32); 5] = [(1, 1), (2, 3), (1, 2), (1, 3), (1, 4)];
/// The shorter side, pixels, is not made smaller than this: below it nothing is to be recognised.
const SHORTEST: u32 = 90;

/// Bits for each pixel below which a size is given up.
const TOO_FEW: f64 = 0.02;
/// And from which on one is taken. The distance to what is given up is that of two steps, so that an
/// estimate that swings by a third changes nothing.
const ENOUGH: f64 = 0.032;
/// A larger size is taken when there has been enough for it for this long, ns.
const PATIENCE: i64 = 2_000_000_000;
/// Nor does a size change sooner after the last change than this, ns.
const HELD: i64 = 1_000_000_000;
/// Pictures a second that are left at the smallest size, whatever the bitrate.
const SLOWEST: f64 = 5.0;

/// The size that is encoded, as a step of [`STEPS`].
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    step: Option<usize>,
    changed: i64,
    /// Since when there has been enough for a larger size.
    better_since: Option<i64>,
}

/// What is to be encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Demand {
    /// The picture as it would be encoded without a limit.
    pub(super) size: Layout,
    /// Pictures a second.
    pub(super) frame_rate: f64,
    /// Bit/s.
    pub(super) bitrate: u64,
}

impl Demand {
    /// Bits for each pixel at a step.
    #[allow(clippy::cast_precision_loss)]
    fn density(&self, step: usize) -> f64 {
        self.bitrate as f64 / (self.pixels(step) * self.frame_rate.max(1.0))
    }

    fn pixels(&self, step: usize) -> f64 {
        let size = scaled(self.size, step);
        f64::from(size.width) * f64::from(size.height)
    }

    /// The smallest step that this picture has.
    fn last(&self) -> usize {
        let short = self.size.width.min(self.size.height);
        let fits = |(part, of): &(u32, u32)| short * part / of >= SHORTEST;
        STEPS.iter().rposition(fits).unwrap_or(0)
    }

    /// The largest step not above `most` with enough bits, else the smallest.
    fn suited(&self, most: usize) -> usize {
        let enough = |step: &usize| self.density(*step) >= ENOUGH;
        (most..=self.last()).find(enough).unwrap_or(self.last())
    }
}

impl Scale {
    /// The step for a picture that is presented at `time`, ns.
    fn step(&mut self, time: i64, demand: &Demand) -> usize {
        let Some(present) = self.step else {
            let first = if demand.density(0) < TOO_FEW {
                demand.suited(0)
            } else {
                0
            };
            return self.change(time, first);
        };
        let present = present.min(demand.last());
        let held = (0..HELD).contains(&(time - self.changed));
        if demand.density(present) < TOO_FEW {
            self.better_since = None;
            let next = demand.suited(present);
            return if held {
                present
            } else {
                self.change(time, next)
            };
        }
        let better = demand.suited(0);
        if better >= present {
            self.better_since = None;
            return present;
        }
        let since = *self.better_since.get_or_insert(time);
        let patient = !(0..PATIENCE).contains(&(time - since));
        if held || !patient {
            present
        } else {
            self.change(time, better)
        }
    }

    fn change(&mut self, time: i64, step: usize) -> usize {
        if self.step != Some(step) {
            (self.step, self.changed) = (Some(step), time);
        }
        self.better_since = None;
        step
    }

    /// The size in which a picture that is presented at `time`, ns, is encoded.
    pub(super) fn size(&mut self, time: i64, demand: &Demand) -> Layout {
        scaled(demand.size, self.step(time, demand))
    }

    /// Pictures a second that the bitrate is enough for, where the smallest size is still too much.
    pub(super) fn frame_rate(&self, demand: &Demand) -> Option<f64> {
        let last = demand.last();
        #[allow(clippy::cast_precision_loss)]
        let affordable = demand.bitrate as f64 / (demand.pixels(last) * TOO_FEW);
        let is_smallest = last > 0 && self.step == Some(last);
        (is_smallest && affordable < demand.frame_rate).then(|| affordable.max(SLOWEST))
    }
}

/// Even sides: all encoders have blocks of two pixels of colour.
fn scaled(size: Layout, step: usize) -> Layout {
    let (part, of) = STEPS.get(step).copied().unwrap_or((1, 1));
    if part == of {
        return size;
    }
    let side = |side: u32| ((side * part / of) & !1).max(2);
    Layout::new(side(size.width), side(size.height)).unwrap_or(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn demand(bitrate: u64) -> Demand {
        Demand {
            size: Layout::new(1280, 720).unwrap(),
            frame_rate: 30.0,
            bitrate,
        }
    }

    /// Heights at 30 pictures a second, for a bitrate at each time.
    fn heights(duration: i64, bitrate: impl Fn(i64) -> u64) -> Vec<u32> {
        let mut scale = Scale::default();
        let times = (0..duration * 30).map(|number| number * SECOND / 30);
        let mut heights: Vec<_> = times
            .map(|time| scale.size(time, &demand(bitrate(time))).height)
            .collect();
        heights.dedup();
        heights
    }

    #[test]
    fn a_bitrate_decides_the_size() {
        for (bitrate, height) in [
            (2_000_000, 720),
            (800_000, 720),
            (500_000, 480),
            (300_000, 360),
            (100_000, 240),
            (20_000, 180),
        ] {
            let first = Scale::default().size(0, &demand(bitrate)).height;
            assert_eq!(first, height, "{bitrate}");
        }
    }

    #[test]
    fn a_size_is_given_up_soon_and_comes_back_after_a_while() {
        let narrow = |time| {
            if (5..15).contains(&(time / SECOND)) {
                300_000
            } else {
                2_000_000
            }
        };
        assert_eq!(heights(30, narrow), [720, 360, 720]);
        let short = |time| {
            if (5..6).contains(&(time / SECOND)) {
                2_000_000
            } else {
                300_000
            }
        };
        assert_eq!(heights(10, short), [360], "a passing wealth");
    }

    #[test]
    fn an_estimate_that_swings_changes_nothing() {
        let swings = |time| {
            if time / SECOND % 4 < 2 {
                700_000
            } else {
                560_000
            }
        };
        assert_eq!(heights(40, swings), [720]);
        let swings = |time| {
            if time / SECOND % 8 < 4 {
                400_000
            } else {
                300_000
            }
        };
        assert_eq!(heights(40, swings).len(), 1);
    }

    #[test]
    fn a_ramp_has_few_steps() {
        let ramp = |time: i64| (400_000 << (time / SECOND).min(3)) as u64;
        assert!(heights(10, ramp).len() <= 3, "{:?}", heights(10, ramp));
    }

    #[test]
    fn the_smallest_size_loses_pictures() {
        let mut scale = Scale::default();
        let poor = demand(20_000);
        scale.size(0, &poor);
        let rate = scale.frame_rate(&poor).unwrap();
        assert!((10.0..25.0).contains(&rate), "{rate}");
        scale.size(0, &demand(1_000));
        assert!((scale.frame_rate(&demand(1_000)).unwrap() - SLOWEST).abs() < 0.01);
        assert_eq!(scale.frame_rate(&demand(300_000)), None);
    }

    #[test]
    fn small_pictures_keep_their_size() {
        let tiny = Demand {
            size: Layout::new(160, 120).unwrap(),
            frame_rate: 30.0,
            bitrate: 6_000,
        };
        let mut scale = Scale::default();
        assert_eq!(scale.size(0, &tiny), tiny.size);
        assert_eq!(scale.frame_rate(&tiny), None);
        let upright = Demand {
            size: Layout::new(720, 1280).unwrap(),
            ..demand(100_000)
        };
        let mut scale = Scale::default();
        assert_eq!(scale.size(0, &upright), Layout::new(240, 426).unwrap());
    }
}
