//! The receiver's estimate of what a sender may send (REMB), from losses.
//!
//! The estimate starts from the rate that arrives, but not too low: what arrives at first is what
//! the sender dares, not what the path carries. Below a threshold it grows exponentially, above
//! it linearly; small losses hold it, larger ones halve it and set the threshold below the rate
//! that failed. It never exceeds twice what was ever seen to arrive.

use std::time::{Duration, Instant};

/// Bits per second below which an estimate is of no use.
const FLOOR: f64 = 30_000.0;
/// Where growth changes from exponential to linear until the first loss.
const FIRST_THRESHOLD: f64 = 2_000_000.0;
/// How far beyond the highest rate seen an estimate may go.
const HEADROOM: f64 = 2.0;
/// What is reported when nothing limits a sender any more, in bits per second.
const UNLIMITED: f64 = 100_000_000.0;
const MAX_REPORTED: u64 = 100_000_000;
/// Between two reports.
const INTERVAL: Duration = Duration::from_millis(200);
/// How long a viewer's limit counts without being renewed.
const LIMIT_LIFETIME: Duration = Duration::from_secs(10);
/// Viewers whose limits are kept.
const MAX_LIMITS: usize = 4096;

/// What shapes an estimate. The defaults are Kurento's, but for `start`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RembParameters {
    /// Packets that losses are smoothed over.
    pub smoothing_packets: f64,
    /// Share by which the estimate grows each time below the threshold.
    pub exponential_growth: f64,
    /// Bits per second by which it grows each time above the threshold, at least…
    pub min_linear_step: f64,
    /// …and else this part of the distance from the threshold.
    pub linear_grade: f64,
    /// What a larger loss leaves of the estimate.
    pub back_off: f64,
    /// The threshold after a loss, as a share of the estimate that failed.
    pub threshold_after_loss: f64,
    /// Loss up to which the estimate stays, in 1/256.
    pub tolerated_loss: f64,
    /// What a path is believed to carry until it shows otherwise, in bits per second. Without it
    /// a sender that has little to send would be held down, and its next picture be coarse.
    pub start: f64,
}

impl Default for RembParameters {
    fn default() -> Self {
        Self {
            smoothing_packets: 100.0,
            exponential_growth: 0.04,
            min_linear_step: 50.0,
            linear_grade: 30.0,
            back_off: 0.5,
            threshold_after_loss: 0.8,
            tolerated_loss: 12.0,
            start: 1_000_000.0,
        }
    }
}

/// Estimates for one sender, over all its video streams.
#[derive(Debug, Clone)]
pub struct RembEstimator {
    parameters: RembParameters,
    estimate: Option<f64>,
    threshold: f64,
    highest_rate: f64,
    /// Smoothed, in 1/256.
    loss: f64,
    last_update: Option<Instant>,
    received_bytes: u64,
    received_packets: u64,
    lost_packets: u64,
    min: u64,
    max: u64,
    limits: Vec<Limit>,
    has_limited: bool,
}

#[derive(Debug, Clone, Copy)]
struct Limit {
    viewer: u64,
    bitrate: u64,
    since: Instant,
}

impl Default for RembEstimator {
    fn default() -> Self {
        Self::new(RembParameters::default())
    }
}

impl RembEstimator {
    /// An estimate that is shaped like this.
    #[must_use]
    pub fn new(parameters: RembParameters) -> Self {
        Self {
            parameters,
            estimate: None,
            threshold: FIRST_THRESHOLD,
            highest_rate: 0.0,
            loss: 0.0,
            last_update: None,
            received_bytes: 0,
            received_packets: 0,
            lost_packets: 0,
            min: 0,
            max: 0,
            limits: Vec::new(),
            has_limited: false,
        }
    }

    /// Bounds of what is reported, in bits per second; 0 is none.
    pub fn set_bounds(&mut self, min: u64, max: u64) {
        self.min = min;
        self.max = max;
    }

    /// A `viewer` takes at most `bitrate` bits per second of what this sender sends. Counts for
    /// ten seconds.
    pub fn set_limit(&mut self, now: Instant, viewer: u64, bitrate: u64) {
        let limit = Limit {
            viewer,
            bitrate,
            since: now,
        };
        if let Some(known) = self.limits.iter_mut().find(|known| known.viewer == viewer) {
            *known = limit;
        } else if self.limits.len() < MAX_LIMITS {
            self.limits.push(limit);
        }
    }

    /// A viewer left.
    pub fn remove_limit(&mut self, viewer: u64) {
        self.limits.retain(|limit| limit.viewer != viewer);
    }

    /// Counts a packet of `len` bytes.
    #[inline]
    pub fn received(&mut self, len: usize) {
        self.received_bytes += len as u64;
        self.received_packets += 1;
    }

    /// Counts packets that did not come.
    pub fn lost(&mut self, packets: u64) {
        self.lost_packets += packets;
    }

    /// When [`Self::poll`] may report again.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.last_update.map(|last| last + INTERVAL)
    }

    /// The bitrate to report, in bits per second; `None` before 200 ms have passed since the
    /// previous one, and before anything arrived.
    pub fn poll(&mut self, now: Instant) -> Option<u64> {
        let Some(last) = self.last_update else {
            self.last_update = (self.received_packets > 0).then_some(now);
            return None;
        };
        let elapsed = now.saturating_duration_since(last);
        if elapsed < INTERVAL {
            return None;
        }
        self.last_update = Some(now);
        self.update(elapsed);
        self.limits
            .retain(|limit| now.saturating_duration_since(limit.since) < LIMIT_LIFETIME);
        self.estimate.map(|estimate| self.bounded(estimate))
    }

    /// The bitrate to report where the sender estimates the path by itself: the viewers' limits
    /// and the upper bound, in bits per second. `None` before 200 ms have passed since the
    /// previous one, and as long as nothing was ever limited.
    pub fn poll_limits(&mut self, now: Instant) -> Option<u64> {
        let is_early = |last: Instant| now.saturating_duration_since(last) < INTERVAL;
        if self.last_update.is_some_and(is_early) {
            return None;
        }
        self.last_update = Some(now);
        self.limits
            .retain(|limit| now.saturating_duration_since(limit.since) < LIMIT_LIFETIME);
        let value = self.bounded(UNLIMITED);
        self.has_limited |= value < MAX_REPORTED;
        self.has_limited.then_some(value)
    }

    fn update(&mut self, elapsed: Duration) {
        #[allow(clippy::cast_precision_loss)]
        let [bytes, received, lost] = [
            std::mem::take(&mut self.received_bytes) as f64,
            std::mem::take(&mut self.received_packets) as f64,
            std::mem::take(&mut self.lost_packets) as f64,
        ];
        if received == 0.0 {
            return;
        }
        let rate = bytes * 8.0 / elapsed.as_secs_f64();
        self.highest_rate = self.highest_rate.max(rate);
        let packets = received + lost;
        let weight = (packets / self.parameters.smoothing_packets).min(1.0);
        self.loss += (lost / packets * 256.0 - self.loss) * weight;

        let estimate = self.estimate.unwrap_or(rate.max(self.parameters.start));
        let next = if self.loss >= self.parameters.tolerated_loss {
            self.threshold = estimate * self.parameters.threshold_after_loss;
            // The old losses have had their effect.
            self.loss = 0.0;
            estimate * self.parameters.back_off
        } else if lost > 0.0 {
            estimate
        } else if estimate < self.threshold {
            estimate * (1.0 + self.parameters.exponential_growth)
        } else {
            estimate
                + ((estimate - self.threshold) / self.parameters.linear_grade)
                    .max(self.parameters.min_linear_step)
        };
        let ceiling = (self.highest_rate * HEADROOM).max(self.parameters.start);
        self.estimate = Some(next.clamp(FLOOR, ceiling));
    }

    fn bounded(&self, estimate: f64) -> u64 {
        let lowest = self.limits.iter().map(|limit| limit.bitrate).min();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let estimate = estimate as u64;
        let value = estimate.min(lowest.unwrap_or(u64::MAX)).max(self.min);
        if self.max == 0 {
            value
        } else {
            value.min(self.max)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Run {
        estimator: RembEstimator,
        now: Instant,
    }

    impl Run {
        fn new() -> Self {
            let mut run = Self {
                estimator: RembEstimator::default(),
                now: Instant::now(),
            };
            run.estimator.received(1);
            assert_eq!(run.estimator.poll(run.now), None);
            run
        }

        /// One interval in which packets of 1000 bytes arrived.
        fn step(&mut self, received: u64, lost: u64) -> u64 {
            (0..received).for_each(|_| self.estimator.received(1000));
            self.estimator.lost(lost);
            self.now += INTERVAL;
            self.estimator.poll(self.now).unwrap()
        }
    }

    #[test]
    fn grows_exponentially_up_to_twice_the_rate() {
        let mut run = Run::new();
        let first = run.step(25, 0);
        assert!((1_000_000..1_100_000).contains(&first), "{first}");
        let second = run.step(25, 0);
        assert!(second > first + first / 30, "{first} {second}");
        let mut last = second;
        for _ in 0..200 {
            last = run.step(25, 0);
        }
        assert!((1_900_000..=2_100_000).contains(&last), "{last}");
    }

    #[test]
    fn small_losses_hold_and_larger_ones_halve() {
        let mut run = Run::new();
        let mut before = 0;
        for _ in 0..10 {
            before = run.step(200, 0);
        }
        assert_eq!(run.step(200, 2), before);
        let halved = run.step(200, 60);
        assert!(halved.abs_diff(before / 2) < 10, "{before} {halved}");
        let mut rounds = 0;
        while run.step(200, 0) < before * 4 / 5 {
            rounds += 1;
        }
        assert!((8..20).contains(&rounds), "{rounds}");
        let near = run.step(200, 0);
        let next = run.step(200, 0);
        assert!(
            next > near && next < near + near / 100,
            "slow above the threshold"
        );
    }

    #[test]
    fn viewers_and_bounds_limit_the_report() {
        let mut run = Run::new();
        run.step(25, 0);
        run.estimator.set_limit(run.now, 1, 300_000);
        run.estimator.set_limit(run.now, 2, 200_000);
        assert_eq!(run.step(25, 0), 200_000);
        run.estimator.remove_limit(2);
        assert_eq!(run.step(25, 0), 300_000);
        run.estimator.set_bounds(400_000, 500_000);
        assert_eq!(run.step(25, 0), 400_000);
        run.now += LIMIT_LIFETIME;
        assert_eq!(run.step(25, 0), 500_000, "the limit has expired");
    }

    #[test]
    fn silence_changes_nothing_and_the_floor_holds() {
        let mut run = Run::new();
        let before = run.step(1, 0);
        assert_eq!(run.step(0, 0), before);
        for _ in 0..50 {
            run.step(1, 20);
        }
        assert_eq!(run.step(1, 20), 30_000);
    }

    #[test]
    fn reports_are_spaced() {
        let mut run = Run::new();
        run.step(1, 0);
        assert_eq!(run.estimator.poll(run.now + INTERVAL / 2), None);
        assert_eq!(run.estimator.poll_timeout(), Some(run.now + INTERVAL));
    }
}
