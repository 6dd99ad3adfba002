//! Which of what is measured is news.

use crate::regions::{Directions, Thresholds};

/// Degrees by which a direction must have turned to be told again.
const TURN: f64 = 30.0;

/// A level, and since how many pictures there is another one.
#[derive(Debug, Default)]
pub(crate) struct Level {
    told: i32,
    other: Option<(i32, u32)>,
}

impl Level {
    /// The level of a percentage if it is to be told: when enough pictures in a row have it.
    pub(crate) fn update(&mut self, percentage: f64, thresholds: &Thresholds) -> Option<i32> {
        let level = thresholds.level(percentage);
        if level == self.told {
            self.other = None;
            return None;
        }
        let pictures = match self.other {
            Some((other, pictures)) if other == level => pictures + 1,
            _ => 1,
        };
        self.other = Some((level, pictures));
        if pictures < thresholds.pictures {
            return None;
        }
        self.other = None;
        self.told = level;
        Some(level)
    }
}

/// Where a region's contents move to.
#[derive(Debug, Default)]
pub(crate) struct Direction {
    /// Sum of the movements of the pictures in a row that have one.
    sum: (f64, f64),
    moving: u32,
    still: u32,
    told: Option<f64>,
}

impl Direction {
    /// The direction (degrees) if it is to be told, after a picture with this movement (pixels to the right and
    /// down).
    pub(crate) fn update(
        &mut self,
        movement: Option<(f64, f64)>,
        directions: &Directions,
    ) -> Option<f64> {
        let Some((right, down)) = movement else {
            self.moving = 0;
            self.sum = (0.0, 0.0);
            self.still = self.still.saturating_add(1);
            if self.still >= directions.pictures_to_reset {
                self.told = None;
            }
            return None;
        };
        self.still = 0;
        self.moving += 1;
        self.sum = (self.sum.0 + right, self.sum.1 + down);
        if self.moving < directions.pictures_to_event {
            return None;
        }
        let angle = degrees(self.sum, directions.offset);
        (self.moving, self.sum) = (0, (0.0, 0.0));
        let has_turned = |told: f64| {
            let turn = (angle - told).rem_euclid(360.0);
            turn.min(360.0 - turn) > TURN
        };
        if self.told.is_some_and(|told| !has_turned(told)) {
            return None;
        }
        self.told = Some(angle);
        Some(angle)
    }
}

/// 0 is to the left, 90 up, 180 to the right, 270 down.
fn degrees((right, down): (f64, f64), offset: i32) -> f64 {
    let angle = (-down).atan2(-right).to_degrees() + f64::from(offset);
    let angle = angle.rem_euclid(360.0);
    // What is a rounding below 0 is 360 after it.
    if angle >= 360.0 { 0.0 } else { angle }
}

#[cfg(test)]
mod tests {
    use super::*;

    const THRESHOLDS: Thresholds = Thresholds {
        levels: [10, 35, 65],
        pictures: 3,
    };

    #[test]
    fn a_level_is_told_when_enough_pictures_in_a_row_have_it() {
        let mut level = Level::default();
        let told: Vec<_> = [
            5.0, 40.0, 40.0, 5.0, 40.0, 41.0, 70.0, 40.0, 40.0, 40.0, 40.0, 2.0, 2.0, 2.0,
        ]
        .iter()
        .map(|percentage| level.update(*percentage, &THRESHOLDS))
        .collect();
        let mut expected = vec![None; 14];
        (expected[9], expected[13]) = (Some(2), Some(0));
        assert_eq!(told, expected);
    }

    const DIRECTIONS: Directions = Directions {
        pictures_to_event: 2,
        pictures_to_reset: 2,
        offset: 0,
    };

    fn told(movements: &[Option<(f64, f64)>]) -> Vec<Option<f64>> {
        let mut direction = Direction::default();
        let update = |movement: &Option<(f64, f64)>| direction.update(*movement, &DIRECTIONS);
        movements.iter().map(update).collect()
    }

    #[test]
    fn directions_are_counted_from_the_left_by_way_of_above() {
        for ((right, down), angle) in [
            ((-1.0, 0.0), 0.0),
            ((0.0, -1.0), 90.0),
            ((1.0, 0.0), 180.0),
            ((0.0, 1.0), 270.0),
            ((-1.0, 1e-20), 0.0),
        ] {
            assert_eq!(degrees((right, down), 0), angle);
        }
        assert_eq!(degrees((-1.0, 0.0), -90), 270.0);
        assert_eq!(degrees((0.0, 1.0), 450), 0.0);
    }

    #[test]
    fn the_same_direction_is_told_again_only_after_a_rest() {
        let (left, up) = (Some((-3.0, 0.0)), Some((0.0, -3.0)));
        assert_eq!(told(&[left; 6]), [None, Some(0.0), None, None, None, None]);
        assert_eq!(
            told(&[left, left, None, left, left]),
            [None, Some(0.0), None, None, None]
        );
        assert_eq!(
            told(&[left, left, None, None, left, left]),
            [None, Some(0.0), None, None, None, Some(0.0)]
        );
        assert_eq!(
            told(&[left, left, up, up]),
            [None, Some(0.0), None, Some(90.0)]
        );
    }
}
