//! From the stamps of a peer to the pipeline's clock.

use super::MS;

/// Media that comes so long after its time was stopped on its way, or the peer counts from elsewhere.
const JUMP: i64 = 5000 * MS;
/// How often the peer's clock is compared with ours.
const WINDOW: i64 = 1000 * MS;
/// By how much time is corrected in a window: a thousandth, which is more than clocks differ by and is not heard.
const CORRECTION: i64 = MS;

/// Stamps of 32 bits, which begin anew after 49 days, as a number that does not. One for sound and pictures, which
/// count alike.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    latest: Option<(u32, i64)>,
}

impl Stamps {
    /// ms since the first stamp's 0. A stamp is at most half of all stamps away from the one before it.
    pub(crate) fn unwrap(&mut self, stamp: u32) -> i64 {
        let time = match self.latest {
            None => i64::from(stamp),
            Some((before, time)) => time + i64::from(stamp.wrapping_sub(before).cast_signed()),
        };
        self.latest = Some((stamp, time));
        time
    }
}

/// Where media of a connection stands on the pipeline's clock: as early as the least delayed of it came, so that
/// nothing is ahead of time, and nothing waits longer than the path makes it.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    /// From the peer's time to ours, ns.
    shift: Option<i64>,
    /// The least delay of the window, and when that ends.
    least: i64,
    window_end: i64,
}

impl Timeline {
    /// The time of what the peer says is decoded at `at`, and that came at `now`; all ns. It is never after `now`, and
    /// never before that of what was placed last unless the peer's own time goes back.
    pub(crate) fn place(&mut self, at: i64, now: i64) -> i64 {
        let shift = match self.shift {
            // Whatever came later than this until now, as a first burst does, was late on its way.
            Some(shift) if (0..=JUMP).contains(&now.saturating_sub(at.saturating_add(shift))) => {
                shift
            }
            _ => {
                self.window_end = now + WINDOW;
                self.least = i64::MAX;
                now.saturating_sub(at)
            }
        };
        let placed = at.saturating_add(shift);
        self.least = self.least.min(now.saturating_sub(placed));
        self.shift = Some(shift);
        if now >= self.window_end {
            // A clock that is slower than ours would let delay grow for ever.
            self.shift = Some(shift + self.least.clamp(0, CORRECTION));
            self.least = i64::MAX;
            self.window_end = now + WINDOW;
        }
        placed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Field report 23.
    #[test]
    fn stamps_go_on_behind_24_and_32_bits() {
        for begin in [0xff_ffff - 20, u32::MAX - 20] {
            let mut stamps = Stamps::default();
            let first = stamps.unwrap(begin);
            for step in 1..10 {
                let time = stamps.unwrap(begin.wrapping_add(step * 10));
                assert_eq!(time - first, i64::from(step) * 10);
            }
            let back = stamps.unwrap(begin.wrapping_sub(5));
            assert_eq!(back - first, -5, "sound a little before a picture");
        }
    }

    #[test]
    fn the_least_delayed_says_what_time_it_is() {
        let mut timeline = Timeline::default();
        // A burst of what waited for the connection.
        let burst: Vec<_> = (0..10)
            .map(|index| timeline.place(index * 40 * MS, 1000 * MS + index))
            .collect();
        assert!(burst.is_sorted());
        let mut latest = 0;
        for index in 10..200 {
            let now = 1000 * MS + (index - 9) * 40 * MS;
            let jitter = index % 7 * 5 * MS;
            let placed = timeline.place(index * 40 * MS, now + jitter);
            assert!(placed <= now + jitter && placed >= latest, "{index}");
            assert!(now - placed < 15 * MS, "{index}: {}", now - placed);
            latest = placed;
        }
    }

    #[test]
    fn a_slow_clock_is_followed() {
        let mut timeline = Timeline::default();
        let mut latest = 0;
        // 300 ppm, for an hour.
        for index in 0..90_000 {
            let at = index * 40 * MS;
            let now = at + at / 1_000_000 * 300;
            let placed = timeline.place(at, now);
            assert!(placed >= latest && now - placed < 5 * MS);
            latest = placed;
        }
    }

    #[test]
    fn a_peer_that_counts_from_elsewhere_goes_on_now() {
        let mut timeline = Timeline::default();
        timeline.place(1000 * MS, 50_000 * MS);
        for at in [0x00ff_ffff * MS, 7 * MS, -90_000 * MS] {
            assert_eq!(timeline.place(at, 50_040 * MS), 50_040 * MS);
        }
    }
}
