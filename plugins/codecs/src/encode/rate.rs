//! How many pictures a second come, whatever pauses are among them.

use rivero_plugin_api::FrameRate;

use super::encoder::NOMINAL_RATE;

/// An interval of so many usual ones is a pause.
const PAUSE: f64 = 4.0;

/// Pictures a second that come.
#[derive(Default)]
pub(super) struct Rate {
    measured: FrameRate,
    /// Before there was a pause.
    former: Option<f64>,
    /// Of the picture before, ns on the pipeline clock.
    before: Option<i64>,
    /// The interval before it was a pause.
    was_pause: bool,
}

impl Rate {
    /// A picture comes that is presented at `time`.
    pub(super) fn step(&mut self, time: i64) -> f64 {
        let interval = self.before.replace(time).map(|before| time - before);
        let known = self.measured.per_second().or(self.former);
        #[allow(clippy::cast_precision_loss)]
        let is_pause = { interval.zip(known) }
            .is_some_and(|(interval, known)| interval as f64 * known > PAUSE * 1e9);
        // One is no rate: the pictures behind it would be taken for few, and get as much more. Two are.
        if is_pause && !self.was_pause {
            (self.measured, self.former) = (FrameRate::default(), known);
        }
        self.was_pause = is_pause;
        let measured = self.measured.step(time).or(self.former);
        measured.unwrap_or(f64::from(NOMINAL_RATE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rate after pictures with these intervals, ms.
    fn rate(intervals: impl IntoIterator<Item = i64>) -> f64 {
        let (mut rate, mut time) = (Rate::default(), 0);
        let mut last = rate.step(time);
        for interval in intervals {
            time += interval * 1_000_000;
            last = rate.step(time);
        }
        last
    }

    #[test]
    fn a_pause_is_no_rate_and_a_slow_camera_is_none_of_pauses() {
        let fast = || std::iter::repeat_n(33, 60);
        for later in [0, 1, 5, 40] {
            let paused = fast().chain([1000]).chain(std::iter::repeat_n(33, later));
            assert!((rate(paused) - 30.0).abs() < 2.0, "{later}");
        }
        assert!((rate(fast().chain([1000, 1000, 1000])) - 1.0).abs() < 0.1);
        assert!((rate(fast().chain([200; 10])) - 5.0).abs() < 0.5);
        assert!((rate([200; 20].into_iter().chain(fast())) - 30.0).abs() < 2.0);
        assert!((rate([]) - f64::from(NOMINAL_RATE)).abs() < 0.1);
    }
}
