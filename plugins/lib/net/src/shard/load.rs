//! How busy the thread of a shard is.

use std::time::{Duration, Instant};

/// How long it is measured before it is reported: long enough to have several frames in it.
const WINDOW: Duration = Duration::from_millis(100);

/// The share of its time that a loop does not wait.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// When the present window began, and how long the loop has been busy in it.
    window: Option<Instant>,
    busy: Duration,
    /// When the present turn of the loop began.
    turn: Option<Instant>,
}

impl Load {
    /// The loop begins a turn.
    pub(super) fn turn_begins(&mut self, now: Instant) {
        self.turn = Some(now);
        self.window.get_or_insert(now);
    }

    /// The loop has done all that there was to do. At the end of a window: per cent of it that it
    /// was busy.
    pub(super) fn turn_ends(&mut self, now: Instant) -> Option<u32> {
        if let Some(begin) = self.turn.take() {
            self.busy += now.saturating_duration_since(begin);
        }
        let passed = now.saturating_duration_since(self.window?);
        if passed < WINDOW {
            return None;
        }
        let share = self.busy.as_nanos() * 100 / passed.as_nanos();
        (self.window, self.busy) = (Some(now), Duration::ZERO);
        Some(u32::try_from(share).unwrap_or(100).min(100))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_is_no_load() {
        let (mut load, start) = (Load::default(), Instant::now());
        let ms = Duration::from_millis;
        for turn in 0..10 {
            load.turn_begins(start + ms(turn * 10));
            let said = load.turn_ends(start + ms(turn * 10 + 3));
            assert_eq!(said, None);
        }
        load.turn_begins(start + ms(100));
        assert_eq!(load.turn_ends(start + ms(100)), Some(30));
        load.turn_begins(start + ms(150));
        assert_eq!(load.turn_ends(start + ms(250)), Some(66));
    }
}
