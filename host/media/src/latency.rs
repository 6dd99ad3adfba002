//! How long media is on its way within the server, measured while somebody wants to know.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// Whether the pads of a pipeline measure. Relaxed is enough: a burst more or less is measured.
#[derive(Debug, Default)]
pub(crate) struct Measuring {
    age: AtomicBool,
}

impl Measuring {
    pub(crate) fn set(&self, on: bool) {
        self.age.store(on, Relaxed);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.age.load(Relaxed)
    }
}

/// The average age of what arrives at a pad, from its entry into the server on:
/// exponentially smoothed, as Kurento's is.
#[derive(Debug, Default)]
pub(crate) struct Latency {
    /// Bits of a positive number of ns; 0 before the first.
    average: AtomicU64,
}

/// Weight of the latest value.
const WEIGHT: f64 = 0.25;

impl Latency {
    /// Takes a value in ns. One producer at a time.
    pub(crate) fn record(&self, age: i64) {
        #[expect(clippy::cast_precision_loss, reason = "ages are far below 2^53 ns")]
        let age = age.max(1) as f64;
        let average = self
            .average()
            .map_or(age, |average| average + WEIGHT * (age - average));
        self.average.store(average.to_bits(), Relaxed);
    }

    /// ns; `None` before anything was measured.
    pub(crate) fn average(&self) -> Option<f64> {
        let bits = self.average.load(Relaxed);
        (bits != 0).then(|| f64::from_bits(bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_follows_with_a_quarter_of_each_step() {
        let latency = Latency::default();
        assert_eq!(latency.average(), None);
        latency.record(1000);
        assert_eq!(latency.average(), Some(1000.0));
        latency.record(2000);
        assert_eq!(latency.average(), Some(1250.0));
        (0..50).for_each(|_| latency.record(3000));
        assert!((latency.average().unwrap() - 3000.0).abs() < 1.0);
    }
}
