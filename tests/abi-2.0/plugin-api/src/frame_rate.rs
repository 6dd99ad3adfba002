//! How many pictures come in a second.

use std::collections::VecDeque;

/// Pictures are counted over about this long, ns: long enough that the trembling of a camera's times
/// does not matter, and short enough that a change shows before a rate control has missed its target by
/// much.
const WINDOW: i64 = 1_000_000_000;
/// Pictures that are nearer together than this, ns, say nothing yet: some came late.
const SPAN: i64 = 100_000_000;
/// Intervals that are kept at least, so that few pictures a second are counted, too.
const LEAST: usize = 2;
/// Intervals that are kept at most.
const MOST: usize = 64;
/// After a longer gap, ns, the pictures before it say nothing about those that follow: a screen stood
/// still, or the source is another one.
const GAP: i64 = 2_500_000_000;

/// Measures the rate of pictures by the times at which they are presented.
#[derive(Clone, Debug, Default)]
pub struct FrameRate {
    times: VecDeque<i64>,
    known: Option<f64>,
}

impl FrameRate {
    /// Notes a picture that is presented at `time`, ns on the pipeline clock, and gives the rate,
    /// pictures a second; `None` before there are enough.
    pub fn step(&mut self, time: i64) -> Option<f64> {
        let since = self
            .times
            .back()
            .map_or(0, |last| time.saturating_sub(*last));
        if !(0..GAP).contains(&since) {
            self.times.clear();
        }
        self.times.push_back(time);
        while self.times.len() > MOST + 1
            || self.times.len() > LEAST + 1 && self.span_without_oldest() >= WINDOW
        {
            self.times.pop_front();
        }
        let intervals = self.times.len().saturating_sub(1);
        if let Some(span) = self.span().filter(|span| *span >= SPAN) {
            #[allow(clippy::cast_precision_loss)]
            let rate = intervals as f64 * 1e9 / span as f64;
            self.known = Some(rate);
        }
        self.known
    }

    /// The rate that was measured last, pictures a second.
    #[must_use]
    pub fn per_second(&self) -> Option<f64> {
        self.known
    }

    fn span(&self) -> Option<i64> {
        Some(self.times.back()? - self.times.front()?)
    }

    fn span_without_oldest(&self) -> i64 {
        let (second, last) = (self.times.get(1), self.times.back());
        second.zip(last).map_or(0, |(second, last)| last - second)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: f64 = 1e9;

    #[allow(clippy::cast_possible_truncation)]
    fn play(rate: &mut FrameRate, from: f64, per_second: f64, count: u32) -> f64 {
        for number in 0..count {
            let trembling = if number % 2 == 0 { 0.0 } else { 0.003 };
            rate.step(((from + f64::from(number) / per_second + trembling) * SECOND) as i64);
        }
        rate.per_second().unwrap()
    }

    fn assert_near(rate: f64, expected: f64) {
        assert!((rate / expected - 1.0).abs() < 0.04, "{rate} {expected}");
    }

    #[test]
    fn rates_are_found_soon_and_followed() {
        let mut rate = FrameRate::default();
        assert_eq!(rate.step(0), None);
        let mut at = 0.0;
        for per_second in [30.0, 5.0, 60.0, 15.0, 240.0, 2.0] {
            at += 60.0;
            let soon = if per_second > 50.0 { 40 } else { 6 };
            assert_near(play(&mut rate, at, per_second, soon), per_second);
        }
        for per_second in [30.0, 5.0, 60.0, 15.0, 2.0] {
            at += 10.0;
            let seconds = if per_second > 3.0 { 2.0 } else { 4.0 };
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let count = (seconds * per_second) as u32;
            assert_near(play(&mut rate, at, per_second, count), per_second);
            at += seconds - 10.0;
        }
    }

    #[test]
    fn what_stood_still_goes_on_at_its_former_rate() {
        let mut rate = FrameRate::default();
        play(&mut rate, 0.0, 30.0, 60);
        assert_near(rate.step(20_000_000_000).unwrap(), 30.0);
        assert_near(play(&mut rate, 20.033, 30.0, 10), 30.0);
        // Times of another source.
        assert_near(play(&mut rate, 3.0, 10.0, 10), 10.0);
    }
}
