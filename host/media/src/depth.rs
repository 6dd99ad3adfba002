//! A bound for media and messages that elements hand on from within a call.
//!
//! An element that gives out what it gets calls the graph from within the call by which it got it,
//! so a chain of such elements takes stack. Clients may connect them in a ring, which would take all
//! of it.

use std::{cell::Cell, marker::PhantomData, sync::Once};

/// Calls within each other on one thread; a chain has no use for that many elements.
const LIMIT: u32 = 128;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// How deep this thread is: how many elements handed on what it is at, each from within the call of the one before.
pub fn current() -> u32 {
    DEPTH.get()
}

/// Runs what was handed on from another thread that was so deep: else a ring of elements would
/// go on for ever that take media on threads of their own.
pub fn resume<T>(depth: u32, body: impl FnOnce() -> T) -> T {
    let _reset = Reset(DEPTH.replace(depth));
    body()
}

/// Also where the body panics.
struct Reset(u32);

impl Drop for Reset {
    fn drop(&mut self) {
        DEPTH.set(self.0);
    }
}

/// One call deeper, until dropped on the thread that made it.
pub(super) struct Depth(PhantomData<*const ()>);

impl Depth {
    /// `None` where it is too deep: what was to be handed on is lost.
    pub(super) fn enter() -> Option<Self> {
        let depth = DEPTH.get();
        if depth >= LIMIT {
            warn_once();
            return None;
        }
        DEPTH.set(depth + 1);
        Some(Self(PhantomData))
    }
}

impl Drop for Depth {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

#[cold]
fn warn_once() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            "media went through {LIMIT} elements in a row and goes no further: \
             elements are connected in a ring"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deepest() -> u32 {
        Depth::enter().map_or(0, |_depth| 1 + deepest())
    }

    #[test]
    fn a_ring_ends_and_the_next_call_begins_anew() {
        assert_eq!([deepest(), deepest()], [LIMIT, LIMIT]);
    }

    #[test]
    fn what_is_handed_to_another_thread_is_as_deep_there() {
        let (deep, then) = (resume(LIMIT - 3, deepest), deepest());
        assert_eq!((deep, then), (3, LIMIT));
    }
}
