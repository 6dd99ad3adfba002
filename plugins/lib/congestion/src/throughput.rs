//! The rate that arrives at the peer.

use std::{collections::VecDeque, time::Duration};

/// The rate is an average over this time.
const WINDOW: Duration = Duration::from_millis(500);
/// And at least this much of it has to be there.
const MIN_WINDOW: Duration = Duration::from_millis(150);
/// Packets that arrive within this time share an entry.
const SLOT: Duration = Duration::from_millis(10);

/// Bytes by their arrival on the peer's clock.
#[derive(Debug, Clone, Default)]
pub(crate) struct Throughput {
    slots: VecDeque<(Duration, usize)>,
    bytes: usize,
    begin: Option<Duration>,
}

impl Throughput {
    pub(crate) fn arrived(&mut self, arrival: Duration, length: usize) {
        let begin = *self.begin.get_or_insert(arrival);
        self.bytes += length;
        match self.slots.back_mut() {
            // Late ones count with the latest.
            Some((at, bytes)) if arrival < *at + SLOT => *bytes += length,
            _ => self.slots.push_back((arrival.max(begin), length)),
        }
        while let Some((at, bytes)) = self.slots.front().copied() {
            if at + WINDOW > arrival {
                break;
            }
            self.slots.pop_front();
            self.bytes -= bytes;
        }
    }

    /// `None` before enough has arrived.
    pub(crate) fn bits_per_second(&self) -> Option<u64> {
        let latest = self.slots.back()?.0;
        let known = latest.saturating_sub(self.begin?).min(WINDOW);
        if known < MIN_WINDOW {
            return None;
        }
        let bits = u128::try_from(self.bytes).ok()? * 8_000;
        u64::try_from(bits / known.as_millis().max(1)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_half_second() {
        let mut throughput = Throughput::default();
        for n in 0..100u32 {
            throughput.arrived(Duration::from_millis(10) * n, 1250);
        }
        let rate = throughput.bits_per_second().unwrap();
        assert!((950_000..1_050_000).contains(&rate), "{rate}");
        for n in 100..150u32 {
            throughput.arrived(Duration::from_millis(10) * n, 125);
        }
        let rate = throughput.bits_per_second().unwrap();
        assert!((95_000..110_000).contains(&rate), "{rate}");
        assert!(throughput.slots.len() <= 51);
    }

    #[test]
    fn a_first_moment_has_no_rate() {
        let mut throughput = Throughput::default();
        throughput.arrived(Duration::from_secs(1), 1000);
        throughput.arrived(Duration::from_millis(1001), 1000);
        assert_eq!(throughput.bits_per_second(), None);
    }
}
