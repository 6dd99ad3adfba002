//! Where the times of segments lie among those of the whole stream.
//!
//! Segments between two discontinuities have one clock, which begins anywhere (RFC 8216 §6.2.1); sound of its own has
//! that of the pictures. So it is enough to know of one frame of each such period where it is played.

use std::collections::BTreeMap;

/// ns; where a clock is further away from what is expected, the server has forgotten to tell a discontinuity.
const TOLERANCE: u64 = 10_000_000_000;
/// Periods that are remembered, for seeking.
const MOST_PERIODS: usize = 4096;

/// See the head of this file. All times are in ns.
#[derive(Debug, Default)]
pub struct Timeline {
    /// What is added to the times of each period.
    offsets: BTreeMap<u64, i64>,
}

impl Timeline {
    /// A segment of a period begins with a frame of `media` time. It is `expected` to be played where the frames
    /// before it end, or, after a seek, where the playlist says. Gives what is added to the times of its frames.
    pub fn begin(&mut self, period: u64, media: i64, expected: i64) -> i64 {
        // Lengths in playlists are rounded: where the clock is known, it is right.
        if let Some(offset) = self.offsets.get(&period)
            && media.saturating_add(*offset).abs_diff(expected) < TOLERANCE
        {
            return *offset;
        }
        let offset = expected.saturating_sub(media);
        self.offsets.insert(period, offset);
        if self.offsets.len() > MOST_PERIODS {
            self.offsets.pop_first();
        }
        offset
    }

    /// Nothing of what was played comes again, and what comes follows it at once.
    pub fn forget(&mut self) {
        self.offsets.clear();
    }

    /// The time of the media of a period at a place of the stream, where that is known. Times that are coded in few
    /// bits, as those of transport streams, are the ones near that.
    pub fn media_time(&self, period: u64, place: i64) -> Option<i64> {
        { self.offsets.get(&period) }.map(|offset| place.saturating_sub(*offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn periods_follow_each_other_whatever_their_clocks_say() {
        let mut timeline = Timeline::default();
        assert_eq!(timeline.begin(0, 90 * SECOND, 0), -90 * SECOND);
        // A playlist that is a little wrong.
        assert_eq!(timeline.begin(0, 94 * SECOND, 4 * SECOND + 7), -90 * SECOND);
        assert_eq!(timeline.begin(1, 0, 8 * SECOND + 14), 8 * SECOND + 14);
        assert_eq!(timeline.media_time(0, 9 * SECOND), Some(99 * SECOND));
        assert_eq!(timeline.media_time(2, 0), None);
    }

    #[test]
    fn sound_of_its_own_keeps_its_distance_from_the_picture() {
        let mut timeline = Timeline::default();
        timeline.begin(0, 10 * SECOND, 0);
        assert_eq!(
            timeline.begin(0, 9 * SECOND, 0),
            -10 * SECOND,
            "it begins before it"
        );
    }

    #[test]
    fn a_clock_that_jumps_untold_is_another_one() {
        let mut timeline = Timeline::default();
        timeline.begin(0, 0, 0);
        assert_eq!(timeline.begin(0, 7000 * SECOND, 4 * SECOND), -6996 * SECOND);
        timeline.begin(0, i64::MAX, i64::MIN);
        timeline.forget();
        assert_eq!(timeline.begin(0, 7000 * SECOND, 0), -7000 * SECOND);
    }
}
