//! When a shard sends what waits for it: at once, or when the rest of the frame is there.
//!
//! The packets of a frame come one by one, and a shard that takes the first of them at once sends
//! each viewer several small messages where one would do, while the others, some ten microseconds
//! apart, wait for the end of that. So where sending takes longer than a look at what comes next,
//! the shard looks again as long as more comes. Where it has much to do, messages are what it is
//! busy with, and it waits for the end of the frame, up to a bound.

use std::time::{Duration, Instant};

/// How long the first packet of an unfinished frame waits for the others at most: below a
/// millisecond with what the system adds to each nap. Senders such as libwebrtc give a frame to the
/// network within less, unless it is paced over several milliseconds, and then waiting longer would
/// not help either.
const LONGEST_WAIT: Duration = Duration::from_micros(750);
/// How long the shard sleeps before it looks whether more has come: some times the distance of two
/// packets of a frame. It does not wait for its sockets meanwhile: that would wake it for each
/// packet, and rounds up to whole milliseconds.
const NAP: Duration = Duration::from_micros(30);
/// What takes less time to send is sent at once. With 20 viewers (some 150 µs) waiting gave a third
/// fewer messages, but neither less CPU time nor an earlier end of the frame; with 100 it gave both.
const QUICK: Duration = Duration::from_micros(250);
/// Per cent of its time that a shard is busy before it is loaded …
const LOADED: u32 = 25;
/// … and below which it is so no more. Lower, since waiting itself saves work.
const RELIEVED: u32 = 10;

/// What waits for a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueState {
    /// Nothing.
    Empty,
    /// All that waits are whole frames, or ends of frames.
    Frames,
    /// The rest of a frame is still to come.
    UnfinishedFrame {
        /// How many there are that get something of what waits.
        sinks: u32,
        /// How much waits.
        packets: usize,
    },
}

/// See the module's description.
#[derive(Debug, Default)]
pub(super) struct Coalescing {
    loaded: bool,
    /// How long sending to one sink takes, on average.
    per_sink: Duration,
    /// The beginning of a frame, that waits.
    beginning: Option<Beginning>,
}

#[derive(Debug, Clone, Copy)]
struct Beginning {
    /// Until when it waits at most.
    until: Instant,
    /// When to look whether more of it has come…
    look: Instant,
    /// …than this.
    packets: usize,
}

impl Coalescing {
    /// The shard has been busy for this many per cent of its time.
    pub(super) fn on_load(&mut self, percent: u32) {
        self.loaded = percent >= if self.loaded { RELIEVED } else { LOADED };
    }

    /// Sending to so many sinks took so long.
    pub(super) fn on_sent(&mut self, sinks: u32, took: Duration) {
        if sinks > 0 {
            // An eighth of what is new: a few dozen bursts until it has adapted, and one that was
            // interrupted does not matter.
            self.per_sink = (self.per_sink * 7 + took / sinks) / 8;
        }
    }

    /// Whether no frame waits for its end.
    pub(super) fn is_idle(&self) -> bool {
        self.beginning.is_none()
    }

    /// Whether what waits is sent now. Asked in each turn of the loop.
    pub(super) fn is_due(&mut self, now: Instant, state: QueueState) -> bool {
        let QueueState::UnfinishedFrame { sinks, packets } = state else {
            self.beginning = None;
            return state == QueueState::Frames;
        };
        let is_quick = self.per_sink * sinks < QUICK;
        let next = Beginning {
            until: now + LONGEST_WAIT,
            look: now + NAP,
            packets,
        };
        self.beginning = match self.beginning {
            None => (self.loaded || !is_quick).then_some(next),
            Some(beginning) if beginning.until <= now => None,
            Some(beginning) if now < beginning.look => Some(beginning),
            Some(beginning) => {
                let goes_on = self.loaded || packets > beginning.packets;
                let until = beginning.until;
                goes_on.then_some(Beginning { until, ..next })
            }
        };
        self.beginning.is_none()
    }

    /// How long to sleep before looking at the sockets again, if an unfinished frame waits.
    pub(super) fn nap(&self, now: Instant) -> Option<Duration> {
        let Beginning { until, look, .. } = self.beginning?;
        Some(until.min(look).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use QueueState::{Empty, Frames};

    fn beginning(sinks: u32, packets: usize) -> QueueState {
        QueueState::UnfinishedFrame { sinks, packets }
    }

    #[test]
    fn a_frame_waits_as_long_as_more_of_it_comes() {
        let (mut coalescing, now) = (Coalescing::default(), Instant::now());
        assert!(
            coalescing.is_due(now, beginning(100, 1)),
            "sending may be quick"
        );
        for _ in 0..100 {
            coalescing.on_sent(10, Duration::from_micros(40));
        }
        assert!(coalescing.is_due(now, beginning(20, 1)), "sending is quick");
        assert_eq!(coalescing.nap(now), None);
        assert!(!coalescing.is_due(now, beginning(100, 1)));
        assert!(!coalescing.is_due(now + NAP / 2, beginning(100, 1)));
        assert_eq!(coalescing.nap(now), Some(NAP));
        assert!(!coalescing.is_due(now + NAP, beginning(100, 3)));
        assert!(coalescing.is_due(now + NAP * 2, beginning(100, 3)));
        assert_eq!(coalescing.nap(now), None);
        assert!(!coalescing.is_due(now, beginning(100, 1)));
        assert!(coalescing.is_due(now + LONGEST_WAIT, beginning(100, 9)));
    }

    #[test]
    fn a_loaded_shard_waits_for_the_rest_of_a_frame_and_not_for_long() {
        let (mut coalescing, now) = (Coalescing::default(), Instant::now());
        coalescing.on_load(25);
        assert!(!coalescing.is_due(now, beginning(1, 1)));
        assert!(!coalescing.is_due(now + NAP, beginning(1, 1)));
        assert_eq!(coalescing.nap(now + LONGEST_WAIT), Some(Duration::ZERO));
        assert!(coalescing.is_due(now + LONGEST_WAIT / 2, Frames));
        assert_eq!(coalescing.nap(now), None);
        assert!(!coalescing.is_due(now, beginning(1, 1)));
        assert!(coalescing.is_due(now + LONGEST_WAIT, beginning(1, 2)));
        assert!(!coalescing.is_due(now, Empty));
    }

    #[test]
    fn a_shard_that_waiting_has_relieved_goes_on_waiting() {
        let (mut coalescing, now) = (Coalescing::default(), Instant::now());
        coalescing.on_load(15);
        assert!(coalescing.is_due(now, beginning(1, 1)));
        coalescing.on_load(30);
        coalescing.on_load(15);
        assert!(!coalescing.is_due(now, beginning(1, 1)));
        coalescing.on_load(5);
        assert!(coalescing.is_due(now + NAP, beginning(1, 1)));
        assert_eq!(coalescing.nap(now), None);
    }
}
