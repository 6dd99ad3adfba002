//! The virtual network: a bottleneck that flows share, and what each flow's path does besides.
//!
//! All of it is integers of nanoseconds and bits.

use std::{collections::VecDeque, time::Duration};

use crate::chance::Chance;

/// Bytes of the IPv4 and UDP headers that a link carries with each datagram.
pub(crate) const IP_UDP: usize = 28;
/// Waiting times longer than this share the last place of the histogram, ms.
const LONGEST_WAIT: usize = 4_000;

/// The narrowest link of a direction: a rate, and a queue that drops what finds it full.
#[derive(Debug)]
pub(crate) struct Bottleneck<T> {
    /// Bit/s, 0 = no limit.
    rate: u64,
    /// What would wait longer is dropped. As time, because RFC 8867 has it so: when the rate falls, a
    /// queue of the same bytes is longer than that and takes nothing until it is short again.
    limit: Duration,
    /// The first of them is on the wire. When each came, its bits, and itself.
    queue: VecDeque<(Duration, u64, T)>,
    /// Bits of the whole queue.
    backlog: u64,
    /// When the first one has left.
    departure: Option<Duration>,
    /// How many datagrams waited for so many ms.
    waits: Vec<u32>,
}

impl<T> Bottleneck<T> {
    pub(crate) fn new(limit: Duration) -> Self {
        Self {
            rate: 0,
            limit,
            queue: VecDeque::new(),
            backlog: 0,
            departure: None,
            waits: vec![0; LONGEST_WAIT + 1],
        }
    }

    /// Another rate from now on, bit/s. What is on the wire already keeps the time that it takes.
    pub(crate) fn set_rate(&mut self, bits_per_second: u64) {
        self.rate = bits_per_second;
    }

    fn time_of(&self, bits: u64) -> Duration {
        let nanoseconds = u128::from(bits) * 1_000_000_000;
        let time = nanoseconds.checked_div(u128::from(self.rate)).unwrap_or(0);
        Duration::from_nanos(u64::try_from(time).unwrap_or(u64::MAX))
    }

    /// Takes a datagram of so many bytes of UDP payload.
    pub(crate) fn push(&mut self, now: Duration, bytes: usize, item: T) {
        if self.time_of(self.backlog) > self.limit {
            return;
        }
        let bits = u64::try_from((bytes + IP_UDP) * 8).unwrap_or(u64::MAX);
        self.backlog += bits;
        self.queue.push_back((now, bits, item));
        if self.departure.is_none() {
            self.serve(now);
        }
    }

    /// Puts the first datagram of the queue on the wire.
    fn serve(&mut self, now: Duration) {
        let Some((since, bits, _)) = self.queue.front() else {
            self.departure = None;
            return;
        };
        let waited = now.saturating_sub(*since).as_millis();
        let place = usize::try_from(waited).unwrap_or(LONGEST_WAIT);
        self.departure = Some(now + self.time_of(*bits));
        if let Some(count) = self.waits.get_mut(place.min(LONGEST_WAIT)) {
            *count += 1;
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        self.departure
    }

    /// The next datagram that has left by now.
    pub(crate) fn pop(&mut self, now: Duration) -> Option<T> {
        let departure = self.departure.filter(|departure| *departure <= now)?;
        let (_, bits, item) = self.queue.pop_front()?;
        self.backlog = self.backlog.saturating_sub(bits);
        self.serve(departure);
        Some(item)
    }

    /// What 95 % of all datagrams waited for at most, ms.
    pub(crate) fn wait_p95(&self) -> u64 {
        let all: u64 = self.waits.iter().map(|count| u64::from(*count)).sum();
        let mut below = 0;
        let place = self.waits.iter().position(|count| {
            below += u64::from(*count);
            below * 100 >= all * 95
        });
        u64::try_from(place.unwrap_or(0)).unwrap_or(u64::MAX)
    }
}

/// Losses in bursts, as the two states of Gilbert and Elliott: nothing is lost in the one, everything in
/// the other. Both are numbers of datagrams, on average.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bursts {
    /// From the end of a burst to the beginning of the next one.
    pub apart: u64,
    /// That a burst loses.
    pub length: u64,
}

/// What the path of one flow does to datagrams, behind the bottleneck.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Conditions {
    /// One-way delay, ms.
    pub delay: u64,
    /// Up to so much more delay, ms, evenly distributed; the order is kept.
    pub jitter: u64,
    /// Datagrams that others overtake, per million.
    pub reordered: u64,
    /// How much later than in turn those arrive, ms.
    pub reordered_by: u64,
    /// Datagrams that are lost one by one, per million.
    pub lost: u64,
    /// Datagrams that are lost in bursts.
    pub bursts: Option<Bursts>,
}

/// One direction of the path of one flow.
#[derive(Debug)]
pub(crate) struct Path {
    conditions: Conditions,
    chance: Chance,
    /// The state of Gilbert and Elliott in which everything is lost.
    in_burst: bool,
    /// The latest arrival of what keeps its order.
    latest: Duration,
}

impl Path {
    pub(crate) fn new(conditions: Conditions, chance: Chance) -> Self {
        Self {
            conditions,
            chance,
            in_burst: false,
            latest: Duration::ZERO,
        }
    }

    /// When a datagram arrives that comes now; `None` if it is lost.
    pub(crate) fn pass(&mut self, now: Duration) -> Option<Duration> {
        let Conditions { delay, jitter, .. } = self.conditions;
        // Everything is drawn for every datagram, so that one condition does not change what others decide.
        let lost = self.chance.happens(self.conditions.lost);
        let in_burst = self.is_in_burst();
        let late = self.chance.happens(self.conditions.reordered);
        let spread = self.chance.below(jitter * 1000);
        if lost || in_burst {
            return None;
        }
        let taken = Duration::from_millis(delay) + Duration::from_micros(spread);
        let in_turn = (now + taken).max(self.latest);
        if late {
            return Some(in_turn + Duration::from_millis(self.conditions.reordered_by));
        }
        self.latest = in_turn;
        Some(in_turn)
    }

    fn is_in_burst(&mut self) -> bool {
        let Some(Bursts { apart, length }) = self.conditions.bursts else {
            return false;
        };
        let changes = self
            .chance
            .once_in(if self.in_burst { length } else { apart });
        self.in_burst ^= changes;
        self.in_burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chance::Purpose;

    const MS: Duration = Duration::from_millis(1);

    fn path(conditions: Conditions) -> Path {
        Path::new(conditions, Chance::new(1, 0, Purpose::MediaPath))
    }

    #[test]
    fn a_bottleneck_takes_its_time_and_drops_what_would_wait_too_long() {
        let mut link = Bottleneck::new(100 * MS);
        link.set_rate(800_000);
        // With its headers each takes 10 ms.
        for number in 0..30 {
            link.push(Duration::ZERO, 972, number);
        }
        let mut left = Vec::new();
        while let Some(at) = link.poll_timeout() {
            left.push((at, link.pop(at).unwrap()));
        }
        let expected: Vec<_> = (0..11u32).map(|n| (10 * MS * (n + 1), n)).collect();
        assert_eq!(left, expected);
        assert_eq!(link.wait_p95(), 100);
    }

    #[test]
    fn another_rate_holds_for_what_waits_already() {
        let mut link = Bottleneck::new(1000 * MS);
        link.set_rate(800_000);
        for _ in 0..3 {
            link.push(Duration::ZERO, 972, ());
        }
        link.set_rate(80_000);
        let mut left = Vec::new();
        while let Some(at) = link.poll_timeout() {
            link.pop(at);
            left.push(at);
        }
        assert_eq!(left, [10 * MS, 110 * MS, 210 * MS]);
    }

    #[test]
    fn without_a_rate_nothing_waits() {
        let mut link = Bottleneck::new(Duration::ZERO);
        for number in 0..2 {
            link.push(MS, 1000, number);
        }
        assert_eq!(
            (link.pop(MS), link.pop(MS), link.pop(MS)),
            (Some(0), Some(1), None)
        );
    }

    #[test]
    fn bursts_have_their_length_and_their_distance() {
        let mut path = path(Conditions {
            bursts: Some(Bursts {
                apart: 95,
                length: 5,
            }),
            ..Conditions::default()
        });
        let arrives: Vec<bool> = (0..100_000).map(|_| path.pass(MS).is_some()).collect();
        let lost = arrives.iter().filter(|arrives| !**arrives).count();
        let begun = arrives
            .windows(2)
            .filter(|pair| pair[0] && !pair[1])
            .count();
        assert!((4_300..5_700).contains(&lost), "{lost}");
        assert!((850..1_150).contains(&begun), "{begun}");
    }

    #[test]
    fn jitter_keeps_the_order_and_reordering_does_not() {
        let conditions = Conditions {
            delay: 20,
            jitter: 30,
            ..Conditions::default()
        };
        let arrivals = |conditions| {
            let mut path = path(conditions);
            let arrivals = (0..1000u32).map(|n| path.pass(MS * n).unwrap());
            arrivals.collect::<Vec<_>>()
        };
        let in_order = arrivals(conditions);
        assert!(in_order.is_sorted());
        let taken = (0u32..)
            .zip(&in_order)
            .map(|(n, arrival)| *arrival - MS * n);
        assert!(
            taken
                .into_iter()
                .all(|taken| (20 * MS..=50 * MS).contains(&taken))
        );
        let others = arrivals(Conditions {
            reordered: 100_000,
            reordered_by: 20,
            ..conditions
        });
        let late = others.windows(2).filter(|pair| pair[0] > pair[1]).count();
        assert!((60..120).contains(&late), "{late}");
    }
}
