//! When frames of one kind are decoded.

use super::{Kind, MS};

/// A step of more than this is a clock that was set, or another source that counts from elsewhere.
const JUMP: i64 = 5000 * MS;
/// Pictures are decoded at most so long before they are shown.
const LONGEST_REORDERING: i64 = 1000 * MS;

/// The times of one kind of media.
#[derive(Debug, Default)]
pub(crate) struct LaneClock {
    /// Added to what the source says.
    shift: i64,
    /// Decoding time of the latest frame.
    latest: Option<i64>,
    /// The latest that anything was shown, and how much earlier pictures were shown that came behind.
    latest_shown: i64,
    reordering: i64,
}

/// When a frame is decoded and when it is shown, ns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Times {
    pub(crate) decoded: i64,
    pub(crate) shown: i64,
}

impl LaneClock {
    /// For a stream whose beginning was seen already by `other`: its first frame is decoded early enough, too.
    pub(crate) fn knowing(other: &Self) -> Self {
        Self {
            reordering: other.reordering,
            ..Self::default()
        }
    }

    /// The times of a frame that the source shows at `presentation_time` and that came at `now`, both ns. Decoding times
    /// never go back.
    ///
    /// Frames come in the order of decoding, and say when they are shown. With B-pictures that goes back and forth: a
    /// frame is decoded as much before it is shown as the pictures behind it ever came late. Sound is not reordered: where
    /// it goes back, by a correction of its clock say, it would be early ever after.
    pub(crate) fn place(&mut self, kind: Kind, presentation_time: i64, now: i64) -> Times {
        let mut shown = presentation_time.saturating_add(self.shift);
        let Some(latest) = self.latest else {
            let decoded = shown - self.reordering;
            self.latest = Some(decoded);
            self.latest_shown = shown;
            return Times { decoded, shown };
        };
        if shown.saturating_sub(latest).saturating_abs() > JUMP {
            // The frames go on by the time at which they come, which is the same clock for sound and pictures.
            self.shift = now.saturating_sub(presentation_time);
            shown = now;
            self.latest_shown = shown;
        }
        let most = match kind {
            Kind::Audio => 0,
            Kind::Video => LONGEST_REORDERING,
        };
        let behind = (self.latest_shown - shown).clamp(0, most);
        self.reordering = self.reordering.max(behind);
        self.latest_shown = self.latest_shown.max(shown);
        let decoded = (shown - self.reordering).max(latest);
        self.latest = Some(decoded);
        Times { decoded, shown }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(shown: &[i64]) -> Vec<i64> {
        let mut clock = LaneClock::default();
        let times = shown
            .iter()
            .map(|shown| clock.place(Kind::Video, shown * MS, shown * MS));
        times.map(|times| times.decoded / MS).collect()
    }

    #[test]
    fn frames_that_are_shown_in_order_are_decoded_when_they_are_shown() {
        assert_eq!(decoded(&[1000, 1040, 1080]), [1000, 1040, 1080]);
    }

    #[test]
    fn sound_that_goes_back_is_in_time_afterwards() {
        let mut clock = LaneClock::default();
        let shown = [1000, 1021, 1010, 1032, 1053];
        let times =
            shown.map(|shown| clock.place(Kind::Audio, shown * MS, shown * MS).decoded / MS);
        assert_eq!(times, [1000, 1021, 1021, 1032, 1053]);
    }

    #[test]
    fn pictures_that_are_reordered_are_decoded_before_they_are_shown() {
        let shown = [0, 120, 40, 80, 240, 160, 200, 360, 280].map(|shown| shown * MS);
        let mut first = LaneClock::default();
        for shown in shown {
            first.place(Kind::Video, shown, shown);
        }
        let mut clock = LaneClock::knowing(&first);
        let times: Vec<_> = shown
            .map(|shown| clock.place(Kind::Video, shown, shown))
            .into();
        assert!(times.is_sorted_by_key(|times| times.decoded), "{times:?}");
        assert!(
            times.iter().all(|times| times.decoded <= times.shown),
            "{times:?}"
        );
        assert_eq!(times[0].decoded, -80 * MS);
    }

    /// Field report 31.
    #[test]
    fn a_clock_that_is_set_is_no_jump() {
        let mut clock = LaneClock::default();
        let begin = 1000 * MS;
        clock.place(Kind::Video, begin, begin);
        for hour in [3_600_000 * MS, -3_600_000 * MS] {
            let now = begin + 40 * MS;
            let times = clock.place(Kind::Video, now + hour, now);
            assert_eq!((times.decoded, times.shown), (now, now));
            let times = clock.place(Kind::Video, now + hour + 40 * MS, now + 41 * MS);
            assert_eq!(times.decoded, now + 40 * MS);
            clock = LaneClock::default();
            clock.place(Kind::Video, begin, begin);
        }
    }
}
