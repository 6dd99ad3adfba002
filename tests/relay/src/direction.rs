//! One direction of a path.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bytes of IP and UDP headers that a link carries besides the datagram.
const OVERHEAD: usize = 28;

/// What a direction of a path does. All zero: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Conditions {
    /// Datagrams lost, in percent.
    pub loss: f64,
    /// Datagrams that arrive twice, in percent.
    pub duplicate: f64,
    /// One-way delay, ms.
    pub delay: f64,
    /// Up to this much more delay, ms, evenly distributed; the order is kept.
    pub jitter: f64,
    /// Datagrams that others overtake, in percent.
    pub reorder: f64,
    /// How much later than in turn those arrive, ms.
    pub reorder_delay: f64,
    /// What the narrowest link carries, kbit/s; 0 = no limit.
    pub rate: f64,
    /// Datagrams that would wait longer than this at that link are lost, ms.
    pub queue: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            loss: 0.0,
            duplicate: 0.0,
            delay: 0.0,
            jitter: 0.0,
            reorder: 0.0,
            reorder_delay: 20.0,
            rate: 0.0,
            queue: 200.0,
        }
    }
}

/// When a datagram arrives: not at all, once, or twice.
pub type Arrivals = [Option<Duration>; 2];

/// A direction of a path. The same seed gives the same decisions.
#[derive(Debug, Clone)]
pub struct Direction {
    conditions: Conditions,
    chance: u64,
    /// When the narrowest link is free again.
    free: Duration,
    /// The latest arrival of what keeps its order.
    latest: Duration,
}

impl Direction {
    /// A path that does nothing yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            conditions: Conditions::default(),
            chance: seed,
            free: Duration::ZERO,
            latest: Duration::ZERO,
        }
    }

    /// Changes what happens to datagrams from now on.
    pub fn set(&mut self, conditions: Conditions) {
        self.conditions = conditions;
    }

    /// Takes a datagram of `length` bytes that comes at `now` (on any clock that does not go
    /// back).
    pub fn pass(&mut self, now: Duration, length: usize) -> Arrivals {
        let Conditions {
            loss,
            duplicate,
            delay,
            jitter,
            reorder,
            reorder_delay,
            ..
        } = self.conditions;
        // Drawn for every datagram, so that one condition does not change what others decide.
        let [lost, twice, late, spread] = [(); 4].map(|()| self.draw());
        let Some(sent) = self.serialise(now, length) else {
            return [None, None];
        };
        if lost < loss / 100.0 {
            return [None, None];
        }
        let in_turn = (sent + milliseconds(delay + jitter * spread)).max(self.latest);
        let arrival = if late < reorder / 100.0 {
            in_turn + milliseconds(reorder_delay)
        } else {
            self.latest = in_turn;
            in_turn
        };
        [
            Some(arrival),
            (twice < duplicate / 100.0).then_some(arrival),
        ]
    }

    /// When the narrowest link has sent a datagram; `None` if its queue is full.
    fn serialise(&mut self, now: Duration, length: usize) -> Option<Duration> {
        let Conditions { rate, queue, .. } = self.conditions;
        if rate <= 0.0 {
            self.free = now;
            return Some(now);
        }
        let begin = self.free.max(now);
        if begin - now > milliseconds(queue) {
            return None;
        }
        let bits = u32::try_from((length + OVERHEAD) * 8).unwrap_or(u32::MAX);
        self.free = begin + milliseconds(f64::from(bits) / rate);
        Some(self.free)
    }

    /// From 0 to 1 (Knuth's MMIX generator).
    fn draw(&mut self) -> f64 {
        self.chance = self
            .chance
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let high = u32::try_from(self.chance >> 32).unwrap_or(0);
        f64::from(high) / (f64::from(u32::MAX) + 1.0)
    }
}

fn milliseconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value.max(0.0) / 1000.0).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn arrivals(conditions: Conditions, count: u32, every: Duration) -> Vec<Arrivals> {
        let mut direction = Direction::new(7);
        direction.set(conditions);
        (0..count).map(|n| direction.pass(every * n, 972)).collect()
    }

    #[test]
    fn without_conditions_nothing_happens() {
        let all = arrivals(Conditions::default(), 10, MS);
        for (n, arrival) in (0u32..).zip(all) {
            assert_eq!(arrival, [Some(MS * n), None]);
        }
    }

    #[test]
    fn losses_and_repetitions_have_their_share_and_repeat_with_the_seed() {
        let conditions = Conditions {
            loss: 10.0,
            duplicate: 5.0,
            ..Conditions::default()
        };
        let all = arrivals(conditions, 10_000, MS);
        let lost = all.iter().filter(|arrival| arrival[0].is_none()).count();
        let twice = all.iter().filter(|arrival| arrival[1].is_some()).count();
        assert!((900..1100).contains(&lost), "{lost}");
        assert!((380..520).contains(&twice), "{twice}");
        assert_eq!(all, arrivals(conditions, 10_000, MS));
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let conditions = Conditions {
            delay: 20.0,
            jitter: 30.0,
            ..Conditions::default()
        };
        let first: Vec<_> = arrivals(conditions, 1000, MS)
            .iter()
            .map(|a| a[0].unwrap())
            .collect();
        assert!(first.is_sorted());
        for (n, arrival) in (0u32..).zip(&first) {
            assert!((20 * MS..=50 * MS).contains(&(*arrival - MS * n)));
        }
        let conditions = Conditions {
            reorder: 10.0,
            ..conditions
        };
        let second = arrivals(conditions, 1000, MS);
        let late = second
            .windows(2)
            .filter(|pair| pair[0][0] > pair[1][0])
            .count();
        assert!((60..120).contains(&late), "{late}");
    }

    #[test]
    fn a_narrow_link_queues_and_then_drops() {
        let conditions = Conditions {
            rate: 800.0,
            queue: 100.0,
            ..Conditions::default()
        };
        // 1000 bytes with headers are 10 ms at 800 kbit/s; one comes every 5 ms.
        let all = arrivals(conditions, 1000, 5 * MS);
        let through = all.iter().filter(|arrival| arrival[0].is_some()).count();
        assert!((500..=512).contains(&through), "{through}");
        let worst = (0u32..)
            .zip(&all)
            .filter_map(|(n, a)| Some(a[0]? - 5 * MS * n))
            .max();
        assert!((100 * MS..=111 * MS).contains(&worst.unwrap()), "{worst:?}");
    }
}
