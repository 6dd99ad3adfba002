//! How long something took, many times, as a histogram.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use super::metrics::Histogram;

/// Times since the start, by upper bounds in seconds, the last of which is `f64::MAX`.
///
/// Relaxed: each number stands for itself, so that a page may show a sum of a moment before its buckets.
#[derive(Debug)]
pub struct Times {
    bounds: &'static [f64],
    /// µs, all together.
    sum: AtomicU64,
    /// How many up to each bound and above the one before.
    buckets: Box<[AtomicU64]>,
}

impl Times {
    /// None yet.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Times {
        Times {
            bounds,
            sum: AtomicU64::new(0),
            buckets: bounds.iter().map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// One more.
    pub fn add(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.sum.fetch_add(micros, Relaxed);
        let seconds = time.as_secs_f64();
        let bucket = self.bounds.iter().position(|bound| seconds <= *bound);
        if let Some(bucket) = bucket.and_then(|bucket| self.buckets.get(bucket)) {
            bucket.fetch_add(1, Relaxed);
        }
    }

    /// As the page shows them.
    #[must_use]
    pub fn read(&self) -> Histogram {
        let counts = self.buckets.iter().map(|bucket| bucket.load(Relaxed));
        Histogram {
            sum: Duration::from_micros(self.sum.load(Relaxed)).as_secs_f64(),
            buckets: self.bounds.iter().copied().zip(counts).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_counts_for_the_first_bound_that_is_not_below_it() {
        let times = Times::new(&[0.001, 0.01, f64::MAX]);
        for micros in [1, 1_000, 1_001, 60_000_000] {
            times.add(Duration::from_micros(micros));
        }
        let Histogram { sum, buckets } = times.read();
        assert!((sum - 60.002_002).abs() < 1e-9, "{sum}");
        assert_eq!(buckets, [(0.001, 2), (0.01, 1), (f64::MAX, 1)]);
    }
}
