//! The estimate: additive or multiplicative increase, multiplicative decrease
//! (draft-ietf-rmcat-gcc-02 §6), and what losses make of it.

use std::time::{Duration, Instant};

/// What the delay says about the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usage {
    Under,
    Normal,
    Over,
}

/// Bit/s below which no estimate goes: sound needs that much.
const FLOOR: f64 = 30_000.0;
/// Of the arriving rate, when queues grow.
const DECREASE: f64 = 0.85;
/// Growth in a second, far from what the path was seen to carry.
const GROWTH: f64 = 1.08;
/// How far beyond the arriving rate an estimate may grow, and bit/s on top.
const HEADROOM: (f64, f64) = (1.5, 10_000.0);
/// The same where probes find out what the path carries; without them there is nothing to wait
/// for, and it grows up to what is wished.
const LESSER_HEADROOM: (f64, f64) = (1.05, 10_000.0);
/// Losses below are no sign of congestion: radio links have them…
const HIGH_LOSS: f64 = 0.15;
/// …but where a queue overflows these are its own.
const QUEUE_LOSS: f64 = 0.02;
/// Of what arrives then, what remains at least.
const OVERFLOWED: f64 = 0.7;
/// What remains of the estimate in each response time while a queue does not drain, down to this
/// share of what arrived when it began to stand: what stands then is not ours.
const DRAIN: f64 = 0.92;
const DRAINED: f64 = 0.5;
/// Between two decreases for losses, besides a round trip.
const LOSS_INTERVAL: Duration = Duration::from_millis(300);
/// Weight of a new observation of what the path carries.
const CAPACITY_WEIGHT: f64 = 0.05;
/// Growth in a second, at most, near what the path was seen to carry.
const NEAR_GROWTH: f64 = 0.04;
/// Bits of a packet, by which the estimate grows each response time near the capacity.
const PACKET: f64 = 9_600.0;
/// How long it is remembered what a path carried before it became narrow…
const PEAK_TIME: Duration = Duration::from_secs(60);
/// …and from which share of that on the estimate grows back by itself, soon enough.
const FALLEN: f64 = 0.7;
/// What reacting takes besides the round trip.
const REACTION: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hold,
    Increase,
}

/// What the path is believed to carry.
#[derive(Debug, Clone)]
pub(crate) struct RateControl {
    /// Bit/s; `None` while nothing has shown a limit.
    estimate: Option<f64>,
    state: State,
    capacity: Capacity,
    last_update: Option<Instant>,
    last_decrease: Option<Instant>,
    /// Below this a queue that stands is no reason to go; `None` while none does.
    drained: Option<f64>,
    round_trip: Duration,
    ceiling: Ceiling,
    /// The most that arrived of late, and when.
    peak: Option<(Instant, f64)>,
}

/// What limits the growth of an estimate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Ceiling {
    /// What arrives.
    Arriving,
    /// The same, closely, while probes find out what the path carries.
    Probed,
    /// What is wished, bit/s, where nothing can be sent to find that out.
    Wished(u64),
}

impl Default for RateControl {
    fn default() -> Self {
        Self {
            estimate: None,
            state: State::Hold,
            capacity: Capacity::default(),
            last_update: None,
            last_decrease: None,
            drained: None,
            round_trip: Duration::from_millis(100),
            ceiling: Ceiling::Arriving,
            peak: None,
        }
    }
}

impl RateControl {
    pub(crate) fn estimate(&self) -> Option<u64> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        self.estimate.map(|estimate| estimate as u64)
    }

    /// Feedback came: `arriving` bit/s reach the peer, and a queue is `standing` or not.
    pub(crate) fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        standing: bool,
        arriving: Option<u64>,
        round_trip: Duration,
    ) {
        self.round_trip = round_trip;
        let elapsed = self
            .last_update
            .replace(now)
            .map_or(Duration::ZERO, |last| {
                now.saturating_duration_since(last)
                    .min(Duration::from_secs(1))
            });
        let Some(arriving) = arriving.map(float) else {
            return;
        };
        if !standing {
            self.drained = None;
        }
        match usage {
            Usage::Over => self.decrease(now, arriving),
            _ if standing => self.drain(now, arriving),
            Usage::Under => self.state = State::Hold,
            Usage::Normal if self.state == State::Hold => self.state = State::Increase,
            Usage::Normal => self.increase(elapsed, arriving),
        }
    }

    /// What was sent since the last decrease did not let the queue drain.
    fn drain(&mut self, now: Instant, arriving: f64) {
        self.state = State::Hold;
        if !self.may_decrease(now) {
            return;
        }
        if self.estimate.is_none() {
            self.decrease(now, arriving);
        }
        let begins = self.drained.is_none();
        let least = *self.drained.get_or_insert(arriving * DRAINED);
        if let Some(estimate) = self.estimate {
            let most = if begins {
                arriving * DECREASE
            } else {
                estimate
            };
            let target = (estimate * DRAIN).min(most).max(least).max(FLOOR);
            self.estimate = Some(target.min(estimate));
            self.last_decrease = Some(now);
        }
    }

    /// Whether the former decrease can have shown what it does.
    fn may_decrease(&self, now: Instant) -> bool {
        let response = self.round_trip + REACTION;
        let since = |last: Instant| now.saturating_duration_since(last);
        self.last_decrease
            .is_none_or(|last| since(last) >= response)
    }

    fn decrease(&mut self, now: Instant, arriving: f64) {
        self.state = State::Hold;
        if !self.may_decrease(now) {
            return;
        }
        self.drained = self.drained.map(|least| least.min(arriving * DRAINED));
        let target = arriving * DECREASE;
        if self.estimate.is_none_or(|estimate| target < estimate) {
            self.capacity.observe(arriving);
            self.estimate = Some(target.max(FLOOR));
        }
        self.last_decrease = Some(now);
    }

    fn increase(&mut self, elapsed: Duration, arriving: f64) {
        let Some(estimate) = self.estimate else {
            return;
        };
        if self.capacity.is_exceeded_by(arriving) {
            self.capacity = Capacity::default();
        }
        let seconds = elapsed.as_secs_f64();
        let grown = if self.capacity.is_near(estimate) {
            let response = (self.round_trip + REACTION).as_secs_f64();
            estimate + (PACKET / response).min(estimate * NEAR_GROWTH) * seconds
        } else {
            (estimate * GROWTH.powf(seconds)).max(estimate + 1000.0 * seconds)
        };
        let beyond = |(factor, addition): (f64, f64)| arriving * factor + addition;
        let ceiling = match self.ceiling {
            Ceiling::Arriving => beyond(HEADROOM),
            Ceiling::Probed => beyond(LESSER_HEADROOM),
            Ceiling::Wished(wish) => float(wish).max(beyond(HEADROOM)),
        };
        self.estimate = Some(grown.min(ceiling.max(estimate)));
    }

    /// `share` of the packets of a while did not arrive; `overflows`: for want of room in a queue.
    pub(crate) fn lost(
        &mut self,
        now: Instant,
        share: f64,
        overflows: bool,
        arriving: Option<u64>,
    ) {
        let recent =
            |last: Instant| now.saturating_duration_since(last) < self.round_trip + LOSS_INTERVAL;
        let Some(arriving) = arriving.map(float) else {
            return;
        };
        if overflows && share > QUEUE_LOSS {
            self.overflowed(now, share, arriving);
            return;
        }
        if share <= HIGH_LOSS || self.last_decrease.is_some_and(recent) {
            return;
        }
        // What arrives in spite of the losses is carried.
        let present = self.estimate.unwrap_or(arriving / (1.0 - share).max(0.1));
        let target = (present * (1.0 - 0.5 * share)).max(arriving * DECREASE);
        self.estimate = Some(target.min(present).max(FLOOR));
        self.state = State::Hold;
        self.last_decrease = Some(now);
    }

    /// A queue was too short for what was sent, on average or at times.
    fn overflowed(&mut self, now: Instant, share: f64, arriving: f64) {
        self.state = State::Hold;
        if self.may_decrease(now) {
            let present = self.estimate.unwrap_or(arriving / (1.0 - share).max(0.1));
            let target = (present * (1.0 - share)).max(arriving * OVERFLOWED);
            let most = if share > HIGH_LOSS {
                arriving * DECREASE
            } else {
                present
            };
            self.estimate = Some(target.min(most).min(present).max(FLOOR));
            self.last_decrease = Some(now);
        }
    }

    /// So many bit/s arrive, on average.
    pub(crate) fn on_arriving(&mut self, now: Instant, bits_per_second: u64) {
        let arriving = float(bits_per_second);
        let is_past = |(at, most): (Instant, f64)| {
            arriving >= most || now.saturating_duration_since(at) > PEAK_TIME
        };
        if self.peak.is_none_or(is_past) {
            self.peak = Some((now, arriving));
        }
    }

    /// Bit/s that arrived not long ago, where the estimate has fallen far below.
    pub(crate) fn formerly_carried(&self, now: Instant) -> Option<u64> {
        let (at, most) = self.peak?;
        let is_recent = now.saturating_duration_since(at) <= PEAK_TIME;
        let has_fallen = self.estimate? < most * FALLEN;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (is_recent && has_fallen).then_some(most as u64)
    }

    pub(crate) fn set_ceiling(&mut self, ceiling: Ceiling) {
        self.ceiling = ceiling;
    }

    /// A probe found the path to carry this many bit/s.
    pub(crate) fn found(&mut self, now: Instant, bits_per_second: u64) {
        let found = float(bits_per_second);
        if self.estimate.is_some_and(|estimate| found > estimate) {
            self.estimate = Some(found);
            self.capacity = Capacity::default();
            self.last_update = Some(now);
        }
    }

    /// Nothing had shown a limit, and something has.
    pub(crate) fn begin(&mut self, now: Instant, bits_per_second: u64) {
        if self.estimate.is_none() {
            self.estimate = Some(float(bits_per_second).max(FLOOR));
            self.last_update = Some(now);
            self.last_decrease = Some(now);
        }
    }

    /// The path is there again.
    pub(crate) fn resume(&mut self, now: Instant) {
        self.state = State::Hold;
        self.last_update = Some(now);
    }
}

#[allow(clippy::cast_precision_loss)]
fn float(bits_per_second: u64) -> f64 {
    bits_per_second as f64
}

/// The rates at which queues began to grow.
#[derive(Debug, Clone, Copy, Default)]
struct Capacity {
    mean: Option<f64>,
    /// In kbit/s², of observations around the mean, relative to it.
    variance: f64,
}

impl Capacity {
    fn observe(&mut self, bits_per_second: f64) {
        if !self.contains(bits_per_second) {
            *self = Self::default();
        }
        let Some(mean) = self.mean else {
            self.mean = Some(bits_per_second);
            self.variance = 0.4;
            return;
        };
        let next = mean + CAPACITY_WEIGHT * (bits_per_second - mean);
        let error = (next - bits_per_second) / 1000.0;
        let spread = (1.0 - CAPACITY_WEIGHT) * self.variance
            + CAPACITY_WEIGHT * error * error / (next / 1000.0).max(1.0);
        self.variance = spread.clamp(0.4, 2.5);
        self.mean = Some(next);
    }

    /// Three standard deviations, bit/s.
    fn margin(&self, mean: f64) -> f64 {
        3.0 * (self.variance * mean / 1000.0).sqrt() * 1000.0
    }

    fn contains(&self, bits_per_second: f64) -> bool {
        self.mean
            .is_none_or(|mean| (bits_per_second - mean).abs() <= self.margin(mean))
    }

    fn is_near(&self, bits_per_second: f64) -> bool {
        self.mean.is_some() && self.contains(bits_per_second)
    }

    fn is_exceeded_by(&self, bits_per_second: f64) -> bool {
        self.mean
            .is_some_and(|mean| bits_per_second > mean + self.margin(mean))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);

    #[test]
    fn nothing_is_limited_before_a_queue_grows() {
        let (mut rate, now) = (RateControl::default(), Instant::now());
        rate.update(now, Usage::Normal, false, Some(1_000_000), RTT);
        rate.lost(now, 0.1, false, Some(1_000_000));
        assert_eq!(rate.estimate(), None);
        rate.update(now, Usage::Over, false, Some(1_000_000), RTT);
        assert_eq!(rate.estimate(), Some(850_000));
    }

    #[test]
    fn it_grows_up_to_what_is_used_and_a_half() {
        let (mut rate, now) = (RateControl::default(), Instant::now());
        rate.update(now, Usage::Over, false, Some(300_000), RTT);
        for tick in 1..600 {
            rate.update(
                now + Duration::from_millis(100) * tick,
                Usage::Normal,
                false,
                Some(400_000),
                RTT,
            );
        }
        assert_eq!(rate.estimate(), Some(610_000));
    }

    #[test]
    fn heavy_losses_lower_it_but_not_below_what_arrives() {
        let (mut rate, now) = (RateControl::default(), Instant::now());
        for tick in 0..100 {
            rate.lost(
                now + Duration::from_secs(1) * tick,
                0.5,
                false,
                Some(500_000),
            );
        }
        assert_eq!(rate.estimate(), Some(425_000));
    }

    #[test]
    fn a_probe_only_raises_it() {
        let (mut rate, now) = (RateControl::default(), Instant::now());
        rate.found(now, 900_000);
        assert_eq!(rate.estimate(), None);
        rate.update(now, Usage::Over, false, Some(300_000), RTT);
        rate.found(now, 900_000);
        assert_eq!(rate.estimate(), Some(900_000));
        rate.found(now, 200_000);
        assert_eq!(rate.estimate(), Some(900_000));
    }
}
