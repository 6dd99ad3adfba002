//! The rate that arrives at the peer.

use std::{collections::VecDeque, time::Duration};

/// The rate is an average over this time.
const WINDOW: Duration = Duration::from_millis(500);
/// And at least this much of it has to be there.
const MIN_WINDOW: Duration = Duration::from_millis(150);
/// What has just become more is measured over this time: a camera that was off for the rest of the window,
/// or a better encoding that has begun, is no less than it is.
const RECENT: Duration = Duration::from_millis(200);
/// By how much more it has to be, in tenths. Frames that differ in size make it less.
const RISEN: u64 = 15;
/// Packets that arrive within this time share an entry.
const SLOT: Duration = Duration::from_millis(10);

/// Bytes by their arrival on the peer's clock, less the time that nothing is known of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Throughput {
    slots: VecDeque<(Duration, usize)>,
    bytes: usize,
    begin: Option<Duration>,
    /// The latest arrival.
    latest: Duration,
    /// How long nothing was known, in all.
    unknown: Duration,
    /// What comes next is not known to follow the latest arrival.
    is_cut: bool,
}

impl Throughput {
    /// Reports were lost: what arrived until the next one is not known.
    pub(crate) fn cut(&mut self) {
        self.is_cut = true;
    }

    pub(crate) fn arrived(&mut self, arrival: Duration, length: usize) {
        let begin = *self.begin.get_or_insert(arrival);
        if std::mem::take(&mut self.is_cut) && self.latest > Duration::ZERO {
            let missing = arrival.saturating_sub(self.latest);
            self.unknown += missing.saturating_sub(SLOT);
        }
        self.latest = self.latest.max(arrival);
        let at = arrival.saturating_sub(self.unknown).max(begin);
        self.bytes += length;
        match self.slots.back_mut() {
            // Late ones count with the latest.
            Some((slot, bytes)) if at < *slot + SLOT => *bytes += length,
            _ => self.slots.push_back((at, length)),
        }
        while let Some((slot, bytes)) = self.slots.front().copied() {
            if slot + WINDOW > at {
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
        (known >= MIN_WINDOW).then(|| rate(self.bytes, known))?
    }

    /// The same where it has just become more: what the path carries while a queue grows.
    pub(crate) fn at_present(&self) -> Option<u64> {
        let whole = self.bits_per_second()?;
        let latest = self.slots.back()?.0;
        let recent = self.slots.iter().rev();
        let recent = recent.take_while(|(slot, _)| *slot + RECENT > latest);
        let bytes = recent.map(|(_, bytes)| bytes).sum();
        let recent = rate(bytes, RECENT)?;
        let has_risen = recent.saturating_mul(10) > whole.saturating_mul(RISEN);
        Some(if has_risen { recent } else { whole })
    }
}

fn rate(bytes: usize, time: Duration) -> Option<u64> {
    let bits = u128::try_from(bytes).ok()? * 8_000;
    u64::try_from(bits / time.as_millis().max(1)).ok()
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
    fn what_has_just_begun_is_measured_without_what_was_before() {
        let mut throughput = Throughput::default();
        for n in 0..50u32 {
            throughput.arrived(Duration::from_millis(20) * n, 100);
        }
        for n in 100..121u32 {
            throughput.arrived(Duration::from_millis(10) * n, 1250);
        }
        let (whole, present) = (throughput.bits_per_second(), throughput.at_present());
        assert!(whole.is_some_and(|rate| rate < 500_000), "{whole:?}");
        assert!(present.is_some_and(|rate| rate > 950_000), "{present:?}");
    }

    #[test]
    fn lost_reports_are_no_silence() {
        let mut throughput = Throughput::default();
        for n in 0..200u32 {
            if n % 20 >= 10 {
                throughput.cut();
                continue;
            }
            throughput.arrived(Duration::from_millis(10) * n, 1250);
        }
        let rate = throughput.bits_per_second().unwrap();
        assert!((900_000..1_100_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_first_moment_has_no_rate() {
        let mut throughput = Throughput::default();
        throughput.arrived(Duration::from_secs(1), 1000);
        throughput.arrived(Duration::from_millis(1001), 1000);
        assert_eq!(throughput.bits_per_second(), None);
    }
}
