//! The latest of what happened, for those who look on.
//!
//! Bounded in number and in bytes: whoever looks too seldom misses the oldest, and learns how many
//! those were. Nobody who adds something waits for anybody who looks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use parking_lot::Mutex;

/// Items, each with a number one higher than that of the item before.
#[derive(Debug)]
pub struct Recent<T> {
    max_items: usize,
    max_bytes: usize,
    watchers: AtomicUsize,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    /// With the bytes that each takes.
    items: VecDeque<(usize, Arc<T>)>,
    bytes: usize,
    /// The number of the next item.
    next: u64,
}

/// What came since somebody looked last.
#[derive(Debug)]
pub struct Since<T> {
    /// With their numbers, the oldest first.
    pub items: Vec<(u64, Arc<T>)>,
    /// Items that came and are not there any more.
    pub lost: u64,
    /// What to ask with next.
    pub next: u64,
}

/// Somebody looks on as long as this lives.
#[derive(Debug)]
pub struct Watch<T>(Arc<Recent<T>>);

impl<T> Recent<T> {
    /// Keeps so many items at most, of so many bytes together.
    #[must_use]
    pub fn new(max_items: usize, max_bytes: usize) -> Recent<T> {
        Recent {
            max_items,
            max_bytes,
            watchers: AtomicUsize::new(0),
            state: Mutex::new(State {
                items: VecDeque::new(),
                bytes: 0,
                next: 0,
            }),
        }
    }

    /// Adds an item that takes so many bytes, in the place of the oldest ones.
    pub fn push(&self, bytes: usize, item: T) {
        let mut state = self.state.lock();
        state.next += 1;
        state.bytes += bytes;
        state.items.push_back((bytes, Arc::new(item)));
        while state.items.len() > self.max_items || state.bytes > self.max_bytes {
            let Some((bytes, _)) = state.items.pop_front() else {
                return;
            };
            state.bytes -= bytes;
        }
    }

    /// Those from this number on.
    #[must_use]
    pub fn since(&self, number: u64) -> Since<T> {
        let state = self.state.lock();
        let first = state.next - state.items.len() as u64;
        let skipped = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        let items = state.items.iter().zip(first..).skip(skipped);
        Since {
            items: items
                .map(|((_, item), number)| (number, item.clone()))
                .collect(),
            lost: first.saturating_sub(number),
            next: state.next,
        }
    }

    /// The number of the next item.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.state.lock().next
    }

    /// Whether somebody looks on. Relaxed is enough: an item more or less is missed.
    #[must_use]
    pub fn is_watched(&self) -> bool {
        self.watchers.load(Relaxed) > 0
    }

    /// Looks on.
    #[must_use]
    pub fn watch(self: &Arc<Self>) -> Watch<T> {
        self.watchers.fetch_add(1, Relaxed);
        Watch(self.clone())
    }
}

impl<T> Drop for Watch<T> {
    fn drop(&mut self) {
        self.0.watchers.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(since: &Since<u32>) -> Vec<(u64, u32)> {
        let items = since.items.iter();
        items.map(|(number, item)| (*number, **item)).collect()
    }

    #[test]
    fn who_looks_too_seldom_learns_how_much_was_missed() {
        let recent = Recent::new(3, 1_000);
        assert_eq!((recent.since(0).lost, recent.next()), (0, 0));
        (10..15).for_each(|item| recent.push(1, item));
        let since = recent.since(1);
        assert_eq!(numbers(&since), [(2, 12), (3, 13), (4, 14)]);
        assert_eq!((since.lost, since.next), (1, 5));
        assert_eq!(numbers(&recent.since(4)), [(4, 14)]);
        let nothing = recent.since(5);
        assert_eq!((nothing.items.len(), nothing.lost), (0, 0));
    }

    #[test]
    fn bytes_are_bounded_too() {
        let recent = Recent::new(100, 100);
        for item in 0..10 {
            recent.push(40, item);
        }
        assert_eq!(numbers(&recent.since(8)), [(8, 8), (9, 9)]);
        recent.push(1_000, 10);
        assert_eq!((recent.since(0).items.len(), recent.next()), (0, 11));
        recent.push(1, 11);
        assert_eq!(recent.since(0).items.len(), 1);
    }

    #[test]
    fn it_is_known_whether_somebody_looks() {
        let recent: Arc<Recent<u32>> = Arc::new(Recent::new(1, 1));
        let (first, second) = (recent.watch(), recent.watch());
        drop(first);
        assert!(recent.is_watched());
        drop(second);
        assert!(!recent.is_watched());
    }
}
