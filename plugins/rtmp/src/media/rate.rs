//! How much video the source is asked for.

use super::MS;

/// Frames that wait for longer say that the path takes less than comes.
const LATE: i64 = 500 * MS;
/// At least so long between two steps: it takes a source a while to do what it is asked.
const STEP_DOWN: i64 = 1000 * MS;
const STEP_UP: i64 = 5000 * MS;
/// Below that no picture is worth sending.
const LEAST: u64 = 100_000;

/// Follows what a path takes.
#[derive(Debug)]
pub(crate) struct Rate {
    most: u64,
    asked: u64,
    changed: i64,
    /// Bytes that were sent before, and when that was looked at.
    measured: (u64, i64),
    /// Bit/s of the latest second.
    throughput: u64,
}

impl Rate {
    /// `most`: bit/s.
    pub(crate) fn new(most: u64, now: i64) -> Self {
        Self {
            most,
            asked: most,
            changed: now,
            measured: (0, now),
            throughput: 0,
        }
    }

    /// Bit/s that the source is asked for.
    pub(crate) fn asked(&self) -> u64 {
        self.asked
    }

    /// Bit/s that were sent.
    pub(crate) fn throughput(&self) -> u64 {
        self.throughput
    }

    /// Looks at how much was sent in all, and how long what is to be sent has waited. Gives what to ask for from now on
    /// where that changes.
    pub(crate) fn look(&mut self, sent: u64, age: i64, now: i64) -> Option<u64> {
        let (before, since) = self.measured;
        let time = now.saturating_sub(since);
        if time >= 1000 * MS {
            let bits = u128::from(sent.saturating_sub(before)) * 8 * 1_000_000_000;
            let rate = bits / u128::try_from(time).unwrap_or(1).max(1);
            self.throughput = u64::try_from(rate).unwrap_or(u64::MAX);
            self.measured = (sent, now);
        }
        let since = now.saturating_sub(self.changed);
        let next = if age >= LATE && since >= STEP_DOWN {
            // Less than goes through, so that what waits goes as well.
            (self.asked.min(self.throughput.max(LEAST)) / 4 * 3).max(LEAST)
        } else if age < LATE / 2 && since >= STEP_UP {
            (self.asked / 4 * 5).min(self.most)
        } else {
            return None;
        };
        self.changed = now;
        let differs = next != self.asked;
        self.asked = next;
        differs.then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_path_gets_less_and_a_free_one_all_again() {
        let mut rate = Rate::new(2_500_000, 0);
        let second = 1000 * MS;
        assert_eq!(rate.look(300_000, 0, second), None, "nothing waits");
        // 1 Mbit/s.
        let asked = rate.look(425_000, 800 * MS, 2 * second);
        assert_eq!(asked, Some(750_000));
        assert_eq!(rate.throughput(), 1_000_000);
        assert_eq!(
            rate.look(430_000, 900 * MS, 2 * second + 1),
            None,
            "not at once again"
        );
        let mut now = 2 * second;
        while rate.asked() < 2_500_000 {
            now += second;
            rate.look(0, 0, now);
            assert!(now < 60 * second);
        }
        for _ in 0..100 {
            now += second;
            rate.look(0, second, now);
        }
        assert_eq!(rate.asked(), LEAST);
    }
}
