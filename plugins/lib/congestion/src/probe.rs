//! Short faster bursts that find out whether the path carries more than is being sent.

use std::time::{Duration, Instant};

use super::history::Report;

/// Between two steps of a probe.
const PROBE_INTERVAL: Duration = Duration::from_millis(5);
/// Length of a probe.
const LENGTH: Duration = Duration::from_millis(25);
/// Packets without which arrival times say nothing.
const MIN_PACKETS: u32 = 5;
const MIN_BYTES: usize = 5000;
/// How far beyond the estimate one probe goes.
const STEP: f64 = 3.0;
/// Beyond what is wished, so that the wish is safe then.
const MARGIN: f64 = 1.25;
/// A rate this far beyond the estimate is believed when a second probe shows it as well: packets
/// that something held up arrive as fast as no path carries them.
const SURPRISE: f64 = 1.2;
/// How long the first one's result is remembered.
const CONFIRMATION: Duration = Duration::from_millis(1500);
/// Between two probes: after one that found its rate, and after others, growing.
const AFTER_SUCCESS: Duration = Duration::from_millis(150);
const AFTER_FAILURE: (Duration, Duration) =
    (Duration::from_millis(600), Duration::from_millis(1500));
/// Of the estimate: what probes may take in the long run, unless they succeed.
const SHARE: f64 = 0.07;
/// Between two probes, at most, however little the path carries.
const MOST: Duration = Duration::from_secs(3);
/// Until the peer's report about a probe, at most.
const PATIENCE: Duration = Duration::from_millis(1000);

/// What probes showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Found {
    /// Bit/s.
    pub(crate) rate: u64,
    /// As much as was tried: the path may carry more.
    pub(crate) is_all: bool,
}

/// Runs probes one at a time.
#[derive(Debug, Default)]
pub(crate) struct Prober {
    running: Option<Run>,
    awaited: Option<Awaited>,
    /// Number of the latest probe, never 0 then.
    cluster: u8,
    next: Option<Instant>,
    pause: Option<Duration>,
    /// What the latest probe showed, and when, where that is to be confirmed.
    surprise: Option<(Instant, u64)>,
    /// What the latest probe takes of the path as long as probes may, in the long run.
    cost: Duration,
}

/// A probe that is being sent.
#[derive(Debug)]
struct Run {
    begin: Instant,
    due: Instant,
    /// Bit/s.
    rate: u64,
    bytes: usize,
}

/// A probe whose report is being waited for.
#[derive(Debug)]
struct Awaited {
    rate: u64,
    bytes: usize,
    packets: u32,
    until: Instant,
    arrived: Arrived,
}

#[derive(Debug, Default)]
struct Arrived {
    bytes: usize,
    packets: u32,
    first: Option<(Duration, Duration, usize)>,
    last: Option<(Duration, Duration, usize)>,
}

impl Prober {
    /// Begins a probe towards `wish` if it is time for one.
    pub(crate) fn begin(&mut self, now: Instant, estimate: u64, wish: u64) {
        if self
            .awaited
            .as_ref()
            .is_some_and(|awaited| awaited.until <= now)
        {
            self.awaited = None;
            self.failed(now);
        }
        let busy = self.running.is_some() || self.awaited.is_some();
        if busy || self.next.is_some_and(|next| next > now) {
            return;
        }
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let rate = (wish as f64 * MARGIN).min(estimate as f64 * STEP) as u64;
        #[allow(clippy::cast_precision_loss)]
        let cost = MIN_BYTES as f64 * 8.0 / (estimate as f64 * SHARE).max(1.0);
        self.cost = Duration::try_from_secs_f64(cost)
            .unwrap_or(PATIENCE)
            .min(MOST);
        self.cluster = self.cluster.wrapping_add(1).max(1);
        self.running = Some(Run {
            begin: now,
            due: now,
            rate,
            bytes: 0,
        });
        self.awaited = Some(Awaited {
            rate,
            bytes: 0,
            packets: 0,
            until: now + PATIENCE,
            arrived: Arrived::default(),
        });
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.running.as_ref().map(|run| run.due)
    }

    /// Bytes of padding to send now.
    pub(crate) fn poll(&mut self, now: Instant) -> usize {
        let Some(run) = &mut self.running else {
            return 0;
        };
        if run.due > now {
            return 0;
        }
        let elapsed = now.saturating_duration_since(run.begin) + PROBE_INTERVAL;
        let bits = u128::from(run.rate) * elapsed.as_micros() / 1_000_000;
        let wanted = usize::try_from(bits / 8).unwrap_or(0);
        let missing = wanted.saturating_sub(run.bytes);
        let packets = self.awaited.as_ref().map_or(0, |awaited| awaited.packets);
        let enough = elapsed >= LENGTH && packets >= MIN_PACKETS && run.bytes >= MIN_BYTES;
        if enough || elapsed >= 8 * LENGTH {
            self.running = None;
            return 0;
        }
        run.due = now + PROBE_INTERVAL;
        missing
    }

    /// Counts a packet that is sent; gives the probe that it is part of, or 0.
    #[inline]
    pub(crate) fn count(&mut self, length: usize) -> u8 {
        let Some(run) = &mut self.running else {
            return 0;
        };
        run.bytes += length;
        if let Some(awaited) = &mut self.awaited {
            awaited.bytes += length;
            awaited.packets += 1;
        }
        self.cluster
    }

    /// A packet of a probe arrived.
    pub(crate) fn arrived(&mut self, report: &Report, arrival: Duration) {
        let Some(awaited) = self
            .awaited
            .as_mut()
            .filter(|_| report.cluster == self.cluster)
        else {
            return;
        };
        let arrived = &mut awaited.arrived;
        arrived.bytes += report.length;
        arrived.packets += 1;
        let this = (report.sent, arrival, report.length);
        arrived.first.get_or_insert(this);
        if arrived.last.is_none_or(|last| arrival >= last.1) {
            arrived.last = Some(this);
        }
    }

    /// The rate that probes showed, once enough has arrived of what an estimate is to follow.
    pub(crate) fn result(&mut self, now: Instant, estimate: u64) -> Option<Found> {
        let Found { rate, is_all } = self.latest_result()?;
        #[allow(clippy::cast_precision_loss)]
        let is_surprise = rate as f64 > estimate as f64 * SURPRISE;
        let former = self
            .surprise
            .take()
            .filter(|(at, _)| is_surprise && now.saturating_duration_since(*at) < CONFIRMATION);
        match former {
            Some((_, former)) => Some(Found {
                rate: rate.min(former),
                is_all,
            }),
            None if is_surprise => {
                self.surprise = Some((now, rate));
                self.next = Some(now);
                None
            }
            None => Some(Found { rate, is_all }),
        }
    }

    fn latest_result(&mut self) -> Option<Found> {
        if self.running.is_some() {
            return None;
        }
        let awaited = self.awaited.as_ref()?;
        let arrived = &awaited.arrived;
        if arrived.packets < MIN_PACKETS || arrived.bytes * 10 < awaited.bytes * 8 {
            return None;
        }
        let (until, wanted) = (awaited.until, awaited.rate);
        let found = arrived.rate();
        self.awaited = None;
        // `until` is one patience after the beginning.
        let begin = until.checked_sub(PATIENCE).unwrap_or(until);
        let is_all = found.is_some_and(|found| found * 10 >= wanted * 9);
        if is_all {
            self.pause = None;
            self.next = Some(begin + AFTER_SUCCESS);
        } else {
            self.failed(begin);
        }
        found.map(|rate| Found { rate, is_all })
    }

    fn failed(&mut self, now: Instant) {
        let (first, longest) = AFTER_FAILURE;
        let pause = self
            .pause
            .map_or(first, |pause| (pause * 3 / 2).min(longest));
        self.pause = Some(pause);
        self.next = Some(now + pause.max(self.cost));
    }
}

impl Arrived {
    /// Bit/s: the lower one of how fast it was sent and how fast it arrived.
    fn rate(&self) -> Option<u64> {
        let (first, last) = (self.first?, self.last?);
        let rate = |bytes: usize, time: Duration| {
            let bits = u128::try_from(bytes).ok()? * 8_000_000;
            u64::try_from(bits.checked_div(time.as_micros())?).ok()
        };
        let sent = rate(self.bytes - last.2, last.0.saturating_sub(first.0))?;
        let arrived = rate(self.bytes - first.2, last.1.saturating_sub(first.1))?;
        // Slower in arriving: the path is full at that rate.
        Some(if arrived * 10 < sent * 9 {
            arrived / 100 * 95
        } else {
            sent.min(arrived)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a whole probe and lets it arrive at `arriving` bit/s; gives what is found.
    fn probe(prober: &mut Prober, now: &mut Instant, arriving: u64) -> Option<u64> {
        const BYTES: usize = 1000;
        let (origin, estimate) = (*now, 400_000);
        prober.begin(*now, estimate, 1_000_000);
        let mut packets = Vec::new();
        while prober.poll_timeout().is_some() {
            *now += PROBE_INTERVAL;
            let mut missing = prober.poll(*now);
            while missing > 0 {
                packets.push((*now - origin, prober.count(BYTES)));
                missing = missing.saturating_sub(BYTES);
            }
        }
        let apart = Duration::from_secs_f64(BYTES as f64 * 8.0 / arriving as f64);
        for (number, (sent, cluster)) in (0u32..).zip(&packets) {
            let report = Report {
                sent: *sent,
                arrival: None,
                length: BYTES,
                cluster: *cluster,
                again: false,
            };
            prober.arrived(&report, Duration::from_secs(1) + apart * number);
        }
        assert!(packets.len() >= 5);
        *now += Duration::from_millis(200);
        prober.result(*now, estimate).map(|found| found.rate)
    }

    #[test]
    fn what_one_probe_shows_is_believed_if_it_is_no_surprise() {
        let (mut prober, mut now) = (Prober::default(), Instant::now());
        let found = probe(&mut prober, &mut now, 450_000);
        assert!(found.is_some_and(|found| (400_000..460_000).contains(&found)));
    }

    #[test]
    fn a_surprise_is_believed_when_a_second_probe_at_once_shows_it_too() {
        let (mut prober, mut now) = (Prober::default(), Instant::now());
        assert_eq!(probe(&mut prober, &mut now, 5_000_000), None);
        let found = probe(&mut prober, &mut now, 5_000_000);
        assert!(found.is_some_and(|found| found > 900_000), "{found:?}");
        now += AFTER_SUCCESS;
        assert_eq!(probe(&mut prober, &mut now, 5_000_000), None, "anew");
        let found = probe(&mut prober, &mut now, 430_000);
        assert!(found.is_some_and(|found| found < 460_000), "{found:?}");
    }
}
