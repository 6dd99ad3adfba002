//! Whether queues on the path grow: the trend of one-way delay (draft-ietf-rmcat-gcc-02 §5, with
//! the least-squares filter that browsers use in place of the Kalman filter).

use std::{collections::VecDeque, time::Duration};

use super::rate::Usage;

/// Packets sent within this time form a group.
const BURST: Duration = Duration::from_millis(5);
/// What waited for the radio and then came at once belongs to the group, but arrived within this time of its
/// first packet: a queue that drains in small steps would else be one group, and never be measured.
const LONGEST_GROUP: Duration = Duration::from_millis(100);
/// Group delays that the line is laid through.
const WINDOW: usize = 20;
/// Of the former value, in smoothing the delay.
const SMOOTHING: f64 = 0.9;
/// Makes a slope comparable to a threshold in ms.
const GAIN: f64 = 4.0;
/// Groups after which the trend has its full weight.
const MAX_GROUPS: u32 = 60;
/// The threshold, ms: where it begins, its bounds, and how fast it follows down and up.
const FIRST_THRESHOLD: f64 = 12.5;
const THRESHOLDS: (f64, f64) = (6.0, 600.0);
const FALL: f64 = 0.039;
const RISE: f64 = 0.0087;
/// A trend further above the threshold than this does not move it.
const MAX_ADAPTION: f64 = 15.0;
/// The trend has to stay for this long, ms.
const OVERUSE_TIME: f64 = 10.0;
/// Weight of a difference in what is known about the path's jitter.
const NOISE_WEIGHT: f64 = 0.05;
/// A pause in arrivals after which the delay is measured anew.
const MAX_PAUSE: f64 = 3000.0;

#[derive(Debug, Clone, Copy)]
struct Group {
    first_sent: Duration,
    last_sent: Duration,
    first_arrival: Duration,
    last_arrival: Duration,
}

/// Watches the one-way delay of groups of packets.
#[derive(Debug, Clone)]
pub(crate) struct Trend {
    group: Option<Group>,
    previous: Option<Group>,
    groups: u32,
    first_arrival: Option<Duration>,
    /// Of the differences between groups' delays, ms: the mean, and the mean distance from it.
    /// A queue that grows moves the one, jitter the other.
    mean: f64,
    noise: f64,
    accumulated: f64,
    smoothed: f64,
    /// Arrival and smoothed delay, ms.
    delays: VecDeque<(f64, f64)>,
    threshold: f64,
    last_update: Option<f64>,
    over_time: f64,
    over_groups: u32,
    previous_trend: f64,
    usage: Usage,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            group: None,
            previous: None,
            groups: 0,
            first_arrival: None,
            mean: 0.0,
            noise: 0.0,
            accumulated: 0.0,
            smoothed: 0.0,
            delays: VecDeque::new(),
            threshold: FIRST_THRESHOLD,
            last_update: None,
            over_time: 0.0,
            over_groups: 0,
            previous_trend: 0.0,
            usage: Usage::Normal,
        }
    }
}

impl Trend {
    pub(crate) fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes a packet, in the order of sending.
    pub(crate) fn arrived(&mut self, sent: Duration, arrival: Duration, _length: usize) {
        let Some(group) = &mut self.group else {
            self.begin(sent, arrival);
            return;
        };
        // Retransmitted or reordered.
        if sent < group.first_sent {
            return;
        }
        let together = sent - group.first_sent <= BURST;
        // What waited for the radio comes at once.
        let waited = arrival <= group.last_arrival + BURST
            && arrival < group.first_arrival + LONGEST_GROUP
            && millis(arrival) - millis(group.last_arrival)
                < millis(sent) - millis(group.last_sent)
            && arrival >= group.last_arrival;
        if together || waited {
            group.last_sent = group.last_sent.max(sent);
            group.last_arrival = group.last_arrival.max(arrival);
            return;
        }
        let complete = *group;
        if let Some(previous) = self.previous {
            self.measure(previous, complete);
        }
        self.previous = Some(complete);
        self.begin(sent, arrival);
    }

    fn begin(&mut self, sent: Duration, arrival: Duration) {
        self.group = Some(Group {
            first_sent: sent,
            last_sent: sent,
            first_arrival: arrival,
            last_arrival: arrival,
        });
    }

    fn measure(&mut self, from: Group, to: Group) {
        let sent = millis(to.last_sent) - millis(from.last_sent);
        let arrived = millis(to.last_arrival) - millis(from.last_arrival);
        if arrived.abs() > MAX_PAUSE {
            let threshold = self.threshold;
            *self = Self {
                threshold,
                ..Self::default()
            };
            return;
        }
        self.groups = (self.groups + 1).min(MAX_GROUPS);
        let first = *self.first_arrival.get_or_insert(to.last_arrival);
        let variation = arrived - sent;
        self.mean += NOISE_WEIGHT * (variation - self.mean);
        self.noise += NOISE_WEIGHT * ((variation - self.mean).abs() - self.noise);
        self.accumulated += variation;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        let at = millis(to.last_arrival) - millis(first);
        self.delays.push_back((at, self.smoothed));
        if self.delays.len() > WINDOW {
            self.delays.pop_front();
        }
        if self.delays.len() == WINDOW {
            let slope = slope(&self.delays).unwrap_or(self.previous_trend);
            self.judge(slope, sent, at);
        }
    }

    fn judge(&mut self, slope: f64, sent: f64, at: f64) {
        let trend = f64::from(self.groups) * slope * GAIN;
        if trend > self.threshold + self.noise {
            self.over_time += if self.over_groups == 0 {
                sent / 2.0
            } else {
                sent
            };
            self.over_groups += 1;
            if self.over_time > OVERUSE_TIME && self.over_groups > 1 && slope >= self.previous_trend
            {
                self.over_time = 0.0;
                self.over_groups = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_time = 0.0;
            self.over_groups = 0;
            self.usage = if trend < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
        self.previous_trend = slope;
        self.adapt(trend, at);
    }

    /// The threshold follows the trend, so that flows of another kind do not starve this one.
    fn adapt(&mut self, trend: f64, at: f64) {
        let elapsed = (at - self.last_update.replace(at).unwrap_or(at)).clamp(0.0, 100.0);
        let distance = trend.abs() - self.threshold;
        if distance <= MAX_ADAPTION {
            let speed = if distance < 0.0 { FALL } else { RISE };
            let (low, high) = THRESHOLDS;
            self.threshold = (self.threshold + speed * distance * elapsed).clamp(low, high);
        }
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)]
    let count = points.len() as f64;
    let mean_x = points.iter().map(|point| point.0).sum::<f64>() / count;
    let mean_y = points.iter().map(|point| point.1).sum::<f64>() / count;
    let numerator: f64 = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum();
    let denominator: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (denominator > 0.0).then(|| numerator / denominator)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Usages while a packet every 10 ms takes `delay(n)` ms.
    fn run(delay: impl Fn(u32) -> f64) -> Vec<Usage> {
        let mut trend = Trend::default();
        (0..500)
            .map(|n| {
                let sent = Duration::from_millis(10) * n;
                let arrival = sent + Duration::from_secs_f64((50.0 + delay(n)) / 1000.0);
                trend.arrived(sent, arrival, 1000);
                trend.usage()
            })
            .collect()
    }

    #[test]
    fn a_steady_delay_is_normal() {
        assert!(run(|_| 0.0).iter().all(|usage| *usage == Usage::Normal));
    }

    #[test]
    fn a_growing_queue_is_overuse_and_a_shrinking_one_is_underuse() {
        let usages = run(|n| f64::from(n.min(250)) - f64::from(n.saturating_sub(250)));
        let first = usages.iter().position(|usage| *usage == Usage::Over);
        assert!(first.is_some_and(|n| n < 60), "{first:?}");
        assert!(usages[300..].contains(&Usage::Under));
    }

    #[test]
    fn jitter_is_not_overuse() {
        let mix = |n: u32| (n ^ n >> 15).wrapping_mul(0x2c1b_3c6d);
        let noise = |n: u32| f64::from(mix(mix(n + 1)) >> 24) / 8.0;
        let over = run(noise)
            .iter()
            .filter(|usage| **usage == Usage::Over)
            .count();
        assert!(over < 25, "{over} of 500");
    }
}
