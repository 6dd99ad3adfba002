//! The estimator over simulated paths, in virtual time.

mod keyframes;
mod weak_viewer;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rivero_relay::{Conditions, Direction};
use rivero_rtp::{
    arrivals::TransportArrivals,
    rtcp::{CompoundBuilder, RtcpPacket, packets},
};

use super::*;

const TICK: Duration = Duration::from_millis(1);
const PACKET: usize = 1000;
const ROUND_TRIP: Duration = Duration::from_millis(50);

/// A sender of media and a receiver that reports arrivals.
struct Path {
    origin: Instant,
    now: Duration,
    congestion: CongestionController,
    direction: Direction,
    flying: BTreeMap<(Duration, u64), u16>,
    sent: u64,
    arrivals: TransportArrivals,
    reports: BTreeMap<(Duration, u64), Vec<u8>>,
    /// Bytes of media that should have been sent so far.
    due: f64,
    /// There is a stream that probes can be sent in.
    can_probe: bool,
}

impl Path {
    fn new(conditions: Conditions) -> Self {
        let origin = Instant::now();
        let mut direction = Direction::new(11);
        direction.set(conditions);
        Self {
            origin,
            now: Duration::ZERO,
            congestion: CongestionController::new(origin),
            direction,
            flying: BTreeMap::new(),
            sent: 0,
            arrivals: TransportArrivals::new(origin),
            reports: BTreeMap::new(),
            due: 0.0,
            can_probe: true,
        }
    }

    fn send(&mut self, length: usize) {
        let number = self.congestion.next_sequence_number();
        self.congestion.on_sent(self.origin + self.now, length);
        for arrival in self.direction.pass(self.now, length).into_iter().flatten() {
            self.sent += 1;
            self.flying.insert((arrival, self.sent), number);
        }
    }

    /// Sends media of `rate(estimate)` bit/s for `duration`, wishing for `wish` bit/s.
    fn run(&mut self, duration: Duration, wish: u64, rate: impl Fn(Option<u64>) -> u64) {
        let end = self.now + duration;
        while self.now < end {
            self.now += TICK;
            let now = self.origin + self.now;
            self.due += rate(self.congestion.estimate()) as f64 / 8.0 * TICK.as_secs_f64();
            // Frames, 25 a second.
            if self.now.as_millis().is_multiple_of(40) {
                while self.due >= PACKET as f64 {
                    self.due -= PACKET as f64;
                    self.send(PACKET);
                }
            }
            if wish > 0 && self.now.as_millis().is_multiple_of(100) {
                self.congestion.seek(now, wish, self.can_probe);
            }
            let mut padding = self.congestion.probe_bytes(now);
            while padding > 0 && self.can_probe {
                self.send(PACKET);
                padding = padding.saturating_sub(PACKET);
            }
            self.deliver(now);
        }
    }

    fn deliver(&mut self, now: Instant) {
        while let Some(entry) = self.flying.first_entry().filter(|e| e.key().0 <= self.now) {
            self.arrivals.received(now, entry.remove());
        }
        let mut compound = CompoundBuilder::default();
        self.arrivals.report(now, 1, 2, &mut compound);
        if !compound.is_empty() {
            let key = (self.now + ROUND_TRIP / 2, self.sent);
            self.reports.insert(key, compound.as_bytes().to_vec());
        }
        while let Some(entry) = self.reports.first_entry().filter(|e| e.key().0 <= self.now) {
            for packet in packets(&entry.remove()) {
                if let RtcpPacket::TransportFeedback(feedback) = packet {
                    self.congestion.on_feedback(now, &feedback, ROUND_TRIP);
                }
            }
        }
    }

    fn estimate(&self) -> u64 {
        self.congestion.estimate().unwrap_or(u64::MAX)
    }
}

fn conditions() -> Conditions {
    Conditions {
        delay: 25.0,
        ..Conditions::default()
    }
}

/// Losses in %, and up to so many ms of delay that varies.
fn radio(loss: f64, jitter: f64) -> Conditions {
    Conditions {
        loss,
        jitter,
        ..conditions()
    }
}

/// kbit/s.
fn narrow(rate: f64) -> Conditions {
    Conditions {
        rate,
        ..conditions()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_wide_path_shows_no_limit() {
    for jitter in [0.0, 10.0] {
        let mut path = Path::new(radio(0.0, jitter));
        path.run(20 * SECOND, 0, |_| 1_500_000);
        assert_eq!(path.congestion.estimate(), None, "jitter {jitter}");
    }
}

#[test]
fn random_losses_do_not_bring_the_estimate_down() {
    for (loss, jitter) in [(1.0, 0.0), (5.0, 30.0), (10.0, 0.0), (10.0, 100.0)] {
        let mut path = Path::new(Conditions {
            reorder: 5.0,
            ..radio(loss, jitter)
        });
        path.run(30 * SECOND, 0, |_| 500_000);
        assert!(
            path.estimate() > 300_000,
            "{loss} % {jitter} ms: {}",
            path.estimate()
        );
    }
}

#[test]
fn a_narrow_path_is_noticed_within_two_seconds() {
    for queue in [50.0, 200.0, 1000.0] {
        let mut path = Path::new(Conditions {
            queue,
            ..narrow(300.0)
        });
        path.run(2 * SECOND, 0, |_| 1_500_000);
        assert!(
            path.estimate() < 320_000,
            "queue {queue}: {}",
            path.estimate()
        );
    }
}

#[test]
fn a_flow_that_follows_uses_most_of_the_path() {
    let mut path = Path::new(narrow(1000.0));
    let follow = |estimate: Option<u64>| estimate.unwrap_or(2_000_000).min(2_000_000);
    path.run(20 * SECOND, 0, follow);
    let mut sum = 0;
    for _ in 0..200 {
        path.run(SECOND / 10, 0, follow);
        sum += path.estimate();
    }
    let mean = sum / 200;
    // Losses of a full queue look like those of radio as long as they are few.
    assert!((650_000..1_200_000).contains(&mean), "{mean}");
}

#[test]
fn jitter_does_not_starve_a_flow_that_follows() {
    for jitter in [10.0, 30.0, 100.0] {
        let mut path = Path::new(radio(2.0, jitter));
        path.run(60 * SECOND, 0, |estimate| {
            estimate.unwrap_or(1_000_000).min(1_000_000)
        });
        assert!(
            path.estimate() > 500_000,
            "{jitter} ms: {}",
            path.estimate()
        );
    }
}

/// bit/s that a sender wishes for whose better encoding takes 1.5 Mbit/s.
const WISH: u64 = 1_800_000;
/// The better encoding is not sent below this estimate, bit/s.
const BETTER_FITS: u64 = 1_200_000;

/// Sends the lesser encoding where the estimate says that the better one does not fit.
fn best_that_fits(estimate: Option<u64>) -> u64 {
    match estimate {
        Some(estimate) if estimate < BETTER_FITS => 150_000,
        _ => 1_500_000,
    }
}

/// A path of 300 kbit/s that was found to be narrow for `duration`, by a sender that would like to
/// send its better encoding.
fn known_to_be_narrow(duration: Duration, can_probe: bool) -> Path {
    let mut path = Path::new(narrow(300.0));
    path.can_probe = can_probe;
    path.run(duration, WISH, best_that_fits);
    path
}

/// The path becomes wide, and is known to be after `duration`.
fn is_found_to_be_wide(mut path: Path, duration: Duration) {
    assert!(path.estimate() < 450_000, "{}", path.estimate());
    path.direction.set(conditions());
    path.run(duration, WISH, best_that_fits);
    assert!(path.estimate() > 1_700_000, "{}", path.estimate());
}

#[test]
fn probes_find_a_widened_path_within_four_seconds() {
    is_found_to_be_wide(known_to_be_narrow(15 * SECOND, true), 4 * SECOND);
}

#[test]
fn probes_do_not_overrate_a_narrow_path() {
    let mut path = known_to_be_narrow(5 * SECOND, true);
    for _ in 0..30 {
        path.run(SECOND, WISH, best_that_fits);
        assert!(path.estimate() < 450_000, "{}", path.estimate());
    }
}

/// Growth of 8 % a second.
#[test]
fn a_widened_path_is_found_without_probes_too() {
    is_found_to_be_wide(known_to_be_narrow(5 * SECOND, false), 45 * SECOND);
}

#[test]
fn a_narrow_path_is_seldom_tried_without_probes() {
    let mut path = known_to_be_narrow(5 * SECOND, false);
    let mut overrated = 0;
    for _ in 0..1200 {
        path.run(SECOND / 10, WISH, best_that_fits);
        overrated += u32::from(path.estimate() >= BETTER_FITS);
    }
    assert!((1..60).contains(&overrated), "{overrated} of 1200");
}

#[test]
fn an_outage_says_nothing_about_the_path() {
    let mut path = Path::new(narrow(2000.0));
    path.run(10 * SECOND, 0, |_| 500_000);
    path.direction.set(radio(100.0, 0.0));
    path.run(10 * SECOND, 0, |_| 500_000);
    path.direction.set(narrow(2000.0));
    path.run(3 * SECOND, 0, |_| 500_000);
    assert!(path.estimate() > 450_000, "{}", path.estimate());
}

#[test]
fn jitter_and_losses_are_no_overflow() {
    for (loss, jitter) in [(2.0, 30.0), (5.0, 100.0), (10.0, 0.0), (10.0, 100.0)] {
        let mut path = Path::new(Conditions {
            reorder: 10.0,
            reorder_delay: 30.0,
            ..radio(loss, jitter)
        });
        let mut times = 0;
        for _ in 0..600 {
            path.run(SECOND / 10, 0, |_| 800_000);
            times += u32::from(path.congestion.overflows());
        }
        assert!(times < 60, "{loss} %, {jitter} ms: {times} of 600");
    }
}
