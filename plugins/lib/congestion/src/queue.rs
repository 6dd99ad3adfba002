//! Whether packets wait somewhere on the path all the time: a queue that grows shows in the trend
//! of the delay, but not one that is full.

use std::{collections::VecDeque, time::Duration};

/// The delay of an empty path is the least of this time: routes change.
const MEMORY: Duration = Duration::from_secs(10);
/// The queue is what every packet of this time waited for.
const RECENT: Duration = Duration::from_millis(500);
/// Delays of this time share an entry.
const SLOT: Duration = Duration::from_millis(50);
/// Waiting that is a queue, ms. Pictures make short ones.
const STANDING: f64 = 20.0;
const SPREAD: f64 = 0.33;

/// The depth of the queue shows in this time…
const WHILE: Duration = Duration::from_secs(1);
/// …and is none below, ms.
const SHALLOW: f64 = 15.0;
/// From here on the queue counts as full.
const FULL: f64 = 0.6;
/// Weights of a packet, and of a loss, in what the filling usually is, and at losses.
const USUAL_WEIGHT: f64 = 0.01;
const LOSS_WEIGHT: f64 = 0.1;

/// Watches one-way delays, in ms.
#[derive(Debug, Clone, Default)]
pub(crate) struct StandingQueue {
    slot: Option<Slot>,
    /// Of former slots: when they began, and the least delay since then. Delays ascend: a later
    /// one that is less makes former ones meaningless.
    least: VecDeque<(Duration, f64)>,
    /// The same of the latest ones alone.
    recent: VecDeque<(Duration, f64)>,
    /// The most of a while, negative.
    most: VecDeque<(Duration, f64)>,
    /// How full the queue was, of what it was at most in a while: at the latest packet, on average,
    /// and before packets that got lost.
    filling: f64,
    usual: f64,
    at_losses: f64,
}

/// Packets that arrive within a short time.
#[derive(Debug, Clone, Copy)]
struct Slot {
    begin: Duration,
    least: f64,
    most: f64,
}

impl StandingQueue {
    /// Takes a packet. The clocks need not agree.
    #[inline]
    pub(crate) fn arrived(&mut self, sent: Duration, arrival: Duration) {
        let delay = millis(arrival) - millis(sent);
        match &mut self.slot {
            Some(slot) if arrival < slot.begin + SLOT => {
                slot.least = slot.least.min(delay);
                slot.most = slot.most.max(delay);
            }
            slot => {
                let begun = Slot {
                    begin: arrival,
                    least: delay,
                    most: delay,
                };
                if let Some(complete) = slot.replace(begun) {
                    self.note(complete, arrival);
                }
            }
        }
        let least = self.least.front().map_or(delay, |(_, known)| *known);
        let most = self.most.front().map_or(delay, |(_, known)| -known);
        self.filling = match most.max(delay) - least {
            depth if depth > SHALLOW => ((delay - least) / depth).max(0.0),
            _ => 0.0,
        };
        self.usual += USUAL_WEIGHT * (self.filling - self.usual);
    }

    fn note(&mut self, slot: Slot, now: Duration) {
        note(&mut self.least, MEMORY, slot.begin, slot.least, now);
        note(&mut self.recent, RECENT, slot.begin, slot.least, now);
        note(&mut self.most, WHILE, slot.begin, -slot.most, now);
    }

    /// The packet after the latest one did not arrive.
    pub(crate) fn lost(&mut self) {
        self.at_losses += LOSS_WEIGHT * (self.filling - self.at_losses);
    }

    /// Whether packets get lost where the queue is full, and not anywhere.
    pub(crate) fn overflows(&self) -> bool {
        self.is_standing() || self.at_losses > f64::midpoint(1.0, self.usual).max(FULL)
    }

    /// What all of the latest packets waited for, ms.
    fn waiting(&self) -> f64 {
        match (self.least.front(), self.recent.front()) {
            (Some((_, least)), Some((_, recent))) => recent - least,
            _ => 0.0,
        }
    }

    pub(crate) fn is_standing(&self) -> bool {
        let least = self.recent.front().map_or(0.0, |(_, delay)| *delay);
        let most = self.most.front().map_or(least, |(_, delay)| -delay);
        self.waiting() > STANDING + (most - least) * SPREAD
    }
}

/// The minimum of a window that moves on.
fn note(
    window: &mut VecDeque<(Duration, f64)>,
    length: Duration,
    at: Duration,
    value: f64,
    now: Duration,
) {
    while window.back().is_some_and(|(_, known)| *known >= value) {
        window.pop_back();
    }
    window.push_back((at, value));
    while window.len() > 1 && window.front().is_some_and(|(at, _)| *at + length < now) {
        window.pop_front();
    }
}

fn millis(duration: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let seconds = duration.as_secs() as f64;
    seconds * 1000.0 + f64::from(duration.subsec_micros()) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a queue stands after each of 1,000 packets, one every 10 ms, that take `delay(n)` ms.
    fn run(delay: impl Fn(u32) -> f64) -> Vec<bool> {
        let mut queue = StandingQueue::default();
        (0..1000)
            .map(|n| {
                let sent = Duration::from_millis(10) * n;
                let taken = Duration::from_secs_f64((5.0 + delay(n)) / 1000.0);
                queue.arrived(sent, sent + taken);
                queue.is_standing()
            })
            .collect()
    }

    #[test]
    fn a_full_queue_stands_until_it_is_drained() {
        let full = |n| if (200..500).contains(&n) { 100.0 } else { 0.0 };
        let standing = run(full);
        assert!(standing[..230].iter().all(|standing| !standing));
        assert!(standing[245..500].iter().all(|standing| *standing));
        assert!(standing[510..].iter().all(|standing| !standing));
    }

    #[test]
    fn pictures_and_jitter_make_no_standing_queue() {
        assert!(run(|n| f64::from(n % 8) * 10.0).iter().all(|one| !one));
    }

    #[test]
    fn a_longer_route_counts_as_it_is_after_a_while() {
        let mut queue = StandingQueue::default();
        let mut standing = Vec::new();
        for n in 0..3000u32 {
            let sent = Duration::from_millis(10) * n;
            let delay = if n < 500 { 10 } else { 80 };
            queue.arrived(sent, sent + Duration::from_millis(delay));
            standing.push(queue.is_standing());
        }
        assert!(standing[1000] && !standing[1600]);
        assert!(queue.least.len() < 210 && queue.recent.len() < 20);
    }
}
