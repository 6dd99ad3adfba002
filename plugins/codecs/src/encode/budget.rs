//! Leaving pictures out before an encoder has spent more than its bitrate.
//!
//! Encoders have a coarsest quantizer, and some content is too much for it. What they give out beyond
//! their bitrate would wait somewhere: in a pacer, in a router, and in the end for seconds. So a
//! picture is left out here, before it costs anything, as long as those before it are not paid for.

/// An encoder may be ahead of its bitrate by what this many seconds carry: a keyframe is several times
/// as large as what follows it, and the next ones should come all the same.
const AHEAD: f64 = 0.5;
/// In a recording nobody waits for what is too much: it only has to be made up for in the end.
const AHEAD_OF_A_RECORDING: f64 = 3.0;
/// Of a keyframe no more counts than what this many seconds carry, or what follows it would be left out
/// for as long as it takes a path: seconds, for a large picture and a small bitrate. They come seldom.
const KEYFRAME: f64 = 0.8;
/// What was not used for this many seconds may be used later.
const SAVED: f64 = 0.1;
/// Longer gaps between pictures, s, count as this one.
const LONGEST: f64 = 2.0;
/// An encoder of whose pictures some were left out is asked for this part of its bitrate…
const LESS: f64 = 0.85;
/// …until none has been for this long, ns. Else one that counts with the rate of what it gets would
/// spend on each picture what those left out have saved, and more of them would have to be.
const STRAINED: i64 = 1_500_000_000;

/// What an encoder has given out beyond its bitrate.
#[derive(Clone, Debug, Default)]
pub(super) struct Budget {
    /// Seconds of its bitrate that are not paid for yet; below 0 what was saved. Seconds and not bits:
    /// what was within a bitrate is not beyond it when that falls, and no reason for a pause.
    debt: f64,
    /// Presentation time of the picture before, ns.
    before: Option<i64>,
    /// Of the latest picture that was left out.
    left_out: Option<i64>,
}

impl Budget {
    /// Whether there is something left for a picture that is presented at `time`, ns.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn allows(&mut self, time: i64, recorded: bool) -> bool {
        let since = self.before.map_or(0, |before| time.saturating_sub(before));
        self.before = Some(time);
        let seconds = match since as f64 / 1e9 {
            // The times of another source.
            ..0.0 => LONGEST,
            seconds => seconds.min(LONGEST),
        };
        self.debt = (self.debt - seconds).max(-SAVED);
        let ahead = if recorded {
            AHEAD_OF_A_RECORDING
        } else {
            AHEAD
        };
        let allows = self.debt <= ahead;
        if !allows {
            self.left_out = Some(time);
        }
        allows
    }

    /// The part of the bitrate that an encoder is asked for at a time, ns.
    pub(super) fn share(&self, time: i64) -> f64 {
        let strained = |left_out| (0..STRAINED).contains(&(time - left_out));
        if self.left_out.is_some_and(strained) {
            LESS
        } else {
            1.0
        }
    }

    /// The encoder has given out this many bytes.
    #[allow(clippy::cast_precision_loss)]
    pub(super) fn spend(&mut self, bytes: u64, bits_per_second: u64, is_keyframe: bool) {
        let seconds = bytes as f64 * 8.0 / bits_per_second.max(1) as f64;
        self.debt += if is_keyframe {
            seconds.min(KEYFRAME)
        } else {
            seconds
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: u64 = 800_000;

    /// Pictures that come in 10 s, each of so many bits; gives bit/s and the longest pause in
    /// pictures.
    fn run(per_second: i64, bits: impl Fn(i64) -> u64) -> (u64, i64) {
        let (mut budget, mut sent, mut pause, mut longest) = (Budget::default(), 0, 0, 0);
        for number in 0..per_second * 10 {
            pause += 1;
            if budget.allows(number * 1_000_000_000 / per_second, false) {
                sent += bits(number);
                budget.spend(bits(number) / 8, RATE, false);
                pause = 0;
            }
            longest = longest.max(pause);
        }
        (sent / 10, longest)
    }

    #[test]
    fn what_keeps_to_its_rate_loses_nothing() {
        for per_second in [5_i64, 30, 60] {
            let each = RATE / per_second.unsigned_abs();
            // A keyframe every 2 s of ten times the size of the others.
            let keyframe = |number| number % (per_second * 2) == 0;
            let (_, longest) = run(per_second, |_| each);
            assert_eq!(longest, 0, "{per_second}");
            if per_second >= 30 {
                let with = |number| {
                    if keyframe(number) {
                        each * 10
                    } else {
                        each * 7 / 10
                    }
                };
                assert_eq!(run(per_second, with).1, 0, "{per_second}");
            }
        }
    }

    #[test]
    fn what_gives_out_too_much_is_held_to_its_rate_by_even_gaps() {
        for (per_second, times) in [(5_i64, 2), (15, 3), (30, 4), (60, 4)] {
            let each = RATE / per_second.unsigned_abs() * times;
            let (rate, longest) = run(per_second, |_| each);
            assert!(rate.abs_diff(RATE) <= RATE / 10, "{per_second}: {rate}");
            let times = i64::try_from(times).unwrap();
            assert!(longest <= times, "{per_second}: {longest}");
        }
    }

    #[test]
    fn a_gap_or_another_source_pays_for_little() {
        let mut budget = Budget::default();
        assert!(budget.allows(0, false));
        budget.spend(RATE / 8 * 10, RATE, false);
        assert!(!budget.allows(60_000_000_000, false), "2 of 10 s");
        assert!(!budget.allows(0, false), "4 of 10 s");
        assert!(!budget.allows(100_000_000, false));
    }

    #[test]
    fn a_keyframe_is_no_reason_for_a_long_pause() {
        let mut budget = Budget::default();
        assert!(budget.allows(0, false));
        budget.spend(RATE / 8 * 3, RATE, true);
        assert!(!budget.allows(100_000_000, false));
        assert!(budget.allows(400_000_000, false));
    }
}
