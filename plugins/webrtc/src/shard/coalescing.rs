//! When a shard sends what waits for it: at once, or when the rest of the frame is there.
//!
//! The packets of a frame come one by one, and a shard that takes the first of them at once sends
//! each viewer several small messages where one would do. As long as the shard has little to do
//! that is right: nobody waits. Where it has much to do, messages are what it is busy with, and a
//! part of a millisecond of waiting for the rest of a frame gives everybody more than it takes.

use std::time::{Duration, Instant};

/// How long the first packet of an unfinished frame waits for the others at most: below a
/// millisecond with what the system adds to each nap. Senders such as libwebrtc give a frame to the
/// network within less, unless it is paced over several milliseconds, and then waiting longer would
/// not help either.
const LONGEST_WAIT: Duration = Duration::from_micros(750);
/// How long the shard sleeps before it looks whether the rest has come. It does not wait for its
/// sockets meanwhile: that would wake it for each packet, and rounds up to whole milliseconds.
const NAP: Duration = Duration::from_micros(250);
/// How long the share of busy time is measured before it is judged.
const WINDOW: Duration = Duration::from_millis(100);
/// Per cent of its time that a shard is busy before it is loaded …
const LOADED: u128 = 25;
/// … and below which it is so no more. Lower, since waiting itself saves work.
const RELIEVED: u128 = 10;

/// What waits for a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueueState {
    Empty,
    /// All that waits are whole frames, or ends of frames.
    Frames,
    /// The rest of a frame is still to come.
    UnfinishedFrame,
}

/// See the module's description.
#[derive(Debug, Default)]
pub(crate) struct Coalescing {
    /// When the present window began, and how long the shard has been busy in it.
    window: Option<Instant>,
    busy: Duration,
    /// When the present turn of the shard's loop began.
    turn: Option<Instant>,
    loaded: bool,
    /// Until when an unfinished frame waits.
    until: Option<Instant>,
}

impl Coalescing {
    /// The shard begins a turn of its loop.
    pub(crate) fn turn_begins(&mut self, now: Instant) {
        self.turn = Some(now);
        self.window.get_or_insert(now);
    }

    /// The shard has done all that there was to do.
    pub(crate) fn turn_ends(&mut self, now: Instant) {
        if let Some(begin) = self.turn.take() {
            self.busy += now.saturating_duration_since(begin);
        }
        let Some(begin) = self.window else { return };
        let passed = now.saturating_duration_since(begin);
        if passed < WINDOW {
            return;
        }
        let share = self.busy.as_nanos() * 100 / passed.as_nanos();
        self.loaded = share >= if self.loaded { RELIEVED } else { LOADED };
        (self.window, self.busy) = (Some(now), Duration::ZERO);
    }

    /// Whether what waits is sent now.
    pub(crate) fn is_due(&mut self, now: Instant, state: impl FnOnce() -> QueueState) -> bool {
        if !self.loaded {
            self.until = None;
            return true;
        }
        match state() {
            QueueState::Empty => false,
            QueueState::Frames => {
                self.until = None;
                true
            }
            QueueState::UnfinishedFrame => {
                let until = *self.until.get_or_insert(now + LONGEST_WAIT);
                let is_over = until <= now;
                if is_over {
                    self.until = None;
                }
                is_over
            }
        }
    }

    /// How long to sleep before looking at the sockets again, if an unfinished frame waits.
    pub(crate) fn nap(&self, now: Instant) -> Option<Duration> {
        let left = self.until?.saturating_duration_since(now);
        Some(left.min(NAP))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use QueueState::{Empty, Frames, UnfinishedFrame};

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// One that has been busy for so many of 100 ms.
    fn after(coalescing: &mut Coalescing, begin: Instant, busy: u64) {
        coalescing.turn_begins(begin);
        coalescing.turn_ends(begin + ms(busy));
        coalescing.turn_begins(begin + ms(100));
        coalescing.turn_ends(begin + ms(100));
    }

    #[test]
    fn nothing_waits_where_there_is_little_to_do() {
        let (mut coalescing, start) = (Coalescing::default(), Instant::now());
        assert!(coalescing.is_due(start, || UnfinishedFrame));
        after(&mut coalescing, start, 24);
        assert!(coalescing.is_due(start + ms(100), || UnfinishedFrame));
        assert_eq!(coalescing.nap(start), None);
    }

    #[test]
    fn a_loaded_shard_waits_for_the_rest_of_a_frame_and_not_for_long() {
        let (mut coalescing, start) = (Coalescing::default(), Instant::now());
        after(&mut coalescing, start, 25);
        let now = start + ms(100);
        assert!(!coalescing.is_due(now, || UnfinishedFrame));
        assert_eq!(coalescing.nap(now), Some(NAP));
        assert_eq!(coalescing.nap(now + LONGEST_WAIT), Some(Duration::ZERO));
        assert!(coalescing.is_due(now + LONGEST_WAIT / 2, || Frames));
        assert_eq!(coalescing.nap(start), None);
        assert!(!coalescing.is_due(now, || UnfinishedFrame));
        assert!(coalescing.is_due(now + LONGEST_WAIT, || UnfinishedFrame));
        assert!(!coalescing.is_due(now, || Empty));
    }

    #[test]
    fn a_shard_that_waiting_has_relieved_goes_on_waiting() {
        let (mut coalescing, start) = (Coalescing::default(), Instant::now());
        after(&mut coalescing, start, 30);
        after(&mut coalescing, start + ms(100), 15);
        assert!(!coalescing.is_due(start + ms(200), || UnfinishedFrame));
        after(&mut coalescing, start + ms(200), 5);
        assert!(coalescing.is_due(start + ms(300), || UnfinishedFrame));
        assert_eq!(coalescing.nap(start), None);
    }
}
