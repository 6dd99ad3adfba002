//! What the path is assumed to carry before anything has shown a limit, for viewers that begin with the
//! least encoding and are to get the best one soon.

use std::time::{Duration, Instant};

use crate::{history::Report, probe::Found};

/// The pace, bit/s, that pictures begin with. A keyframe of 50 kB takes 200 ms then, and on a path that
/// carries 1 Mbit/s waits for as long in its queue, which most have.
const FIRST_PACE: u64 = 2_000_000;
/// Probes in a row that did not show what they tried: the path does not carry it. One alone can have been
/// held up on its way.
const FAILURES: u32 = 2;
/// Where nothing can be probed the next step is tried after a quiet time of this length.
const STEP_TIME: Duration = Duration::from_millis(400);
/// And is at most so much more.
const STEP: u64 = 2;

/// A train of packets shows a limit with so many of them…
const TRAIN_PACKETS: usize = 8;
/// …that arrive in this time, at least…
const TRAIN_TIME: Duration = Duration::from_millis(60);
/// …and are delayed the more, by this at the end.
const TRAIN_GROWTH: Duration = Duration::from_millis(50);
/// It is carried as it comes if it is delayed by less than this.
const TRAIN_CALM: Duration = Duration::from_millis(10);
/// Of the rate at which it arrives, in per cent, what the path is given: the queue has to drain.
const TRAIN_SHARE: u64 = 55;

/// Packets that were reported together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Train {
    packets: usize,
    /// Without the first packet.
    bytes: usize,
    /// Sending and arrival of the first and the last packet.
    first: (Duration, Duration),
    last: (Duration, Duration),
}

impl Train {
    pub(crate) fn of(reports: &[Report]) -> Option<Self> {
        let mut train: Option<Self> = None;
        for report in reports {
            let Some(arrival) = report.arrival else {
                continue;
            };
            let this = (report.sent, arrival);
            match &mut train {
                Some(train) => {
                    train.packets += 1;
                    train.bytes += report.length;
                    train.last = this;
                }
                None => {
                    train = Some(Self {
                        packets: 1,
                        bytes: 0,
                        first: this,
                        last: this,
                    });
                }
            }
        }
        train
    }

    fn arriving(&self) -> Duration {
        self.last.1.saturating_sub(self.first.1)
    }

    /// By how much the last packet took longer than the first.
    pub(crate) fn growth(&self) -> Duration {
        let sending = self.last.0.saturating_sub(self.first.0);
        self.arriving().saturating_sub(sending)
    }

    /// Whether it was sent at `bits_per_second` at least, and arrived as fast.
    pub(crate) fn arrived_at(&self, bits_per_second: u64) -> bool {
        let sending = self.last.0.saturating_sub(self.first.0);
        let bits = u128::try_from(self.bytes).unwrap_or(0) * 8_000_000;
        let rate = bits.checked_div(sending.as_micros()).unwrap_or(0);
        self.packets >= TRAIN_PACKETS
            && rate >= u128::from(bits_per_second)
            && self.growth() < TRAIN_CALM
    }

    /// What the path is to be given, bit/s, where it carries less than the train took.
    pub(crate) fn limit(&self) -> Option<u64> {
        let shows = self.packets >= TRAIN_PACKETS
            && self.arriving() >= TRAIN_TIME
            && self.growth() >= TRAIN_GROWTH;
        let bits = u128::try_from(self.bytes).ok()? * 8_000_000;
        let rate = bits.checked_div(self.arriving().as_micros())?;
        let rate = u64::try_from(rate).ok()?;
        shows.then_some(rate / 100 * TRAIN_SHARE)
    }
}

/// What is assumed.
#[derive(Debug)]
pub(crate) struct Start {
    /// Bit/s that the path has been seen to carry, or is trusted to.
    pub(crate) assumed: u64,
    /// The pace at which what comes first is sent, bit/s.
    pub(crate) pace: u64,
    /// Something was carried at that pace, or a probe: what waits then waits for a moment.
    proven: bool,
    failures: u32,
    /// Of the failed probes: the most.
    shown: u64,
    stepped: Option<Instant>,
}

impl Start {
    pub(crate) fn new(assumed: u64) -> Self {
        Self {
            assumed,
            pace: FIRST_PACE,
            proven: false,
            failures: 0,
            shown: 0,
            stepped: None,
        }
    }

    /// A probe showed this. Gives what the path carries where that is a limit, bit/s.
    pub(crate) fn on_found(&mut self, found: Found) -> Option<u64> {
        self.shown = self.shown.max(found.rate);
        if found.rate > self.assumed {
            self.assumed = found.rate;
            self.pace = self.pace.max(found.rate.saturating_mul(STEP));
            self.proven = true;
        }
        if found.is_all {
            (self.failures, self.shown) = (0, 0);
            return None;
        }
        self.failures += 1;
        (self.failures >= FAILURES).then_some(self.shown)
    }

    pub(crate) fn raise_pace(&mut self) {
        self.pace = self.pace.saturating_mul(STEP);
    }

    /// Packets were reported together. Gives what the path carries where they show a limit, bit/s.
    pub(crate) fn on_train(&mut self, train: Train) -> Option<u64> {
        if train.arrived_at(self.pace / STEP) {
            self.raise_pace();
            self.proven = true;
        }
        train.limit().filter(|_| !self.proven)
    }

    /// Nothing says that too much is being sent, and `wish` bit/s would be better.
    pub(crate) fn step(&mut self, now: Instant, wish: u64) {
        let since = *self.stepped.get_or_insert(now);
        if now.saturating_duration_since(since) >= STEP_TIME && wish > self.assumed {
            self.assumed = self.assumed.saturating_mul(STEP).min(wish);
            self.stepped = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_raise_it_and_two_that_fail_are_a_limit() {
        let mut start = Start::new(300_000);
        let found = |rate, is_all| Found { rate, is_all };
        assert_eq!(start.on_found(found(900_000, true)), None);
        assert_eq!(start.assumed, 900_000);
        assert_eq!(start.on_found(found(1_000_000, false)), None);
        assert_eq!(
            start.on_found(found(2_000_000, true)),
            None,
            "it was held up"
        );
        assert_eq!(start.on_found(found(2_300_000, false)), None);
        assert_eq!(start.on_found(found(2_100_000, false)), Some(2_300_000));
    }

    #[test]
    fn a_train_that_arrives_ever_later_is_a_limit() {
        let limit = |apart: u64, arriving: u64, packets: u64| {
            let reports: Vec<Report> = (0..packets)
                .map(|n| Report {
                    sent: Duration::from_millis(apart * n),
                    arrival: (n != 3).then_some(Duration::from_millis(50 + arriving * n)),
                    length: 1250,
                    cluster: 0,
                    again: false,
                })
                .collect();
            Train::of(&reports).and_then(|train| train.limit())
        };
        let found = limit(4, 10, 11).unwrap();
        assert!((450_000..=560_000).contains(&found), "{found} of 1 Mbit/s");
        assert_eq!(limit(10, 10, 20), None, "as fast as it was sent");
        assert_eq!(limit(4, 10, 6), None, "too few");
        assert_eq!(limit(0, 1, 40), None, "a burst");
    }

    #[test]
    fn without_probes_it_doubles_while_nothing_happens() {
        let (mut start, begin) = (Start::new(300_000), Instant::now());
        let assumed: Vec<u64> = (0..5)
            .map(|tick| {
                start.step(begin + STEP_TIME * tick, 1_000_000);
                start.assumed
            })
            .collect();
        assert_eq!(assumed, [300_000, 600_000, 1_000_000, 1_000_000, 1_000_000]);
    }
}
