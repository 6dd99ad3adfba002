//! How many lines a place in the program may write.
//!
//! Whoever reaches the server can make it log: a wrong path, a refused handshake, a connection
//! that is not read. No such line may fill a disk, or hide all others. So each place has a number
//! of lines in a while; the rest is counted, and told when the while is over.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::Level;

/// Lines of one place in [`WINDOW`] at most.
pub(super) const BURST: u32 = 100;
/// From the first of them.
pub(super) const WINDOW: Duration = Duration::from_secs(10);
/// Places that are told apart: those of the server are few, modules name any.
const PLACES: usize = 1024;

/// Counts the lines of each place.
#[derive(Debug, Default)]
pub(super) struct LogLimit(Mutex<HashMap<u64, Window>>);

#[derive(Debug)]
struct Window {
    since: Instant,
    lines: u32,
    suppressed: Option<Suppressed>,
}

/// Lines that were not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Suppressed {
    pub(super) level: Level,
    /// The module, or nothing; then the target.
    pub(super) origin: (String, String),
    /// What the first of them said.
    pub(super) example: String,
    pub(super) count: u64,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Write,
    /// Not written; `first`: of its window.
    Suppress {
        first: bool,
    },
}

impl LogLimit {
    /// Whether a line of `place`, the hash of whatever tells it from others, is written.
    /// `describe` is called for the first one that is not.
    pub(super) fn admit(
        &self,
        place: u64,
        now: Instant,
        describe: impl FnOnce() -> Suppressed,
    ) -> Verdict {
        let mut windows = self.0.lock();
        if windows.len() >= PLACES {
            windows.retain(|_, window| window.suppressed.is_some() || !window.is_over(now));
        }
        // Too many places share the limit of one.
        let place = match windows.len() >= PLACES && !windows.contains_key(&place) {
            true => 0,
            false => place,
        };
        let window = match windows.entry(place) {
            Entry::Vacant(entry) => entry.insert(Window::new(now)),
            // With suppressed lines, the next window begins when they have been told.
            Entry::Occupied(entry) => {
                let window = entry.into_mut();
                if window.is_over(now) && window.suppressed.is_none() {
                    *window = Window::new(now);
                }
                window
            }
        };
        if window.lines < BURST {
            window.lines += 1;
            return Verdict::Write;
        }
        let first = window.suppressed.is_none();
        window.suppressed.get_or_insert_with(describe).count += 1;
        Verdict::Suppress { first }
    }

    /// What was suppressed in windows that are over; they are forgotten.
    pub(super) fn over(&self, now: Instant) -> Vec<Suppressed> {
        self.take(|window| window.is_over(now))
    }

    /// What was suppressed up to now.
    pub(super) fn all(&self) -> Vec<Suppressed> {
        self.take(|_| true)
    }

    /// When [`LogLimit::over`] will have something to say.
    pub(super) fn next(&self) -> Option<Instant> {
        let windows = self.0.lock();
        let pending = windows.values().filter(|w| w.suppressed.is_some());
        pending.map(|window| window.since + WINDOW).min()
    }

    fn take(&self, which: impl Fn(&Window) -> bool) -> Vec<Suppressed> {
        let mut windows = self.0.lock();
        let over = windows.extract_if(|_, window| window.suppressed.is_some() && which(window));
        over.filter_map(|(_, window)| window.suppressed).collect()
    }
}

impl Window {
    fn new(now: Instant) -> Window {
        Window {
            since: now,
            lines: 0,
            suppressed: None,
        }
    }

    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.since) >= WINDOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Suppressed {
        Suppressed {
            level: Level::INFO,
            origin: (String::new(), "here".to_owned()),
            example: "refused".to_owned(),
            count: 0,
        }
    }

    #[test]
    fn a_place_writes_so_many_lines_and_the_rest_is_counted() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let admit = |place, at| limit.admit(place, start + at, example);
        for _ in 0..BURST {
            assert_eq!(admit(1, Duration::ZERO), Verdict::Write);
        }
        assert_eq!(limit.next(), None);
        assert_eq!(admit(1, Duration::ZERO), Verdict::Suppress { first: true });
        assert_eq!(admit(1, WINDOW / 2), Verdict::Suppress { first: false });
        assert_eq!(
            admit(2, WINDOW / 2),
            Verdict::Write,
            "others are not limited"
        );
        assert_eq!(limit.next(), Some(start + WINDOW));
        assert_eq!(limit.over(start + WINDOW / 2), []);
        let told = limit.over(start + WINDOW);
        assert_eq!(told.iter().map(|told| told.count).sum::<u64>(), 2);
        assert_eq!(limit.next(), None);
        assert_eq!(admit(1, WINDOW), Verdict::Write);
    }

    #[test]
    fn a_window_that_suppressed_nothing_begins_anew() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        for round in 0..3 {
            for _ in 0..BURST {
                let verdict = limit.admit(1, start + round * WINDOW, example);
                assert_eq!(verdict, Verdict::Write);
            }
        }
    }

    #[test]
    fn places_without_end_take_no_memory_without_end() {
        let (limit, start) = (LogLimit::default(), Instant::now());
        let mut suppressed = 0;
        for place in 1..5_000 {
            if limit.admit(place, start, example) != Verdict::Write {
                suppressed += 1;
            }
        }
        assert!(limit.0.lock().len() <= PLACES + 1);
        assert!(suppressed > 3_000);
        assert_eq!(limit.admit(9_999, start + WINDOW, example), Verdict::Write);
    }
}
