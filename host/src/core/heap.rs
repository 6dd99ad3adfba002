//! Memory goes back to the system when a load is over.
//!
//! The C library keeps what its arenas have free, and every thread has an arena: after thousands
//! of objects or connections came and went that is most of the process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rivero_plugin_api::abi::heap;

use super::Core;
use crate::observe::usage;

/// How often it is looked at what happened.
const TICK: Duration = Duration::from_secs(2);
/// How long a load may go on before memory is given back in its midst.
const LONGEST: Duration = Duration::from_secs(30);

/// Blocks above this size go back to the system when they are freed. Uncompressed pictures of
/// 1920x1080, which come and go all the time, have 3 MB.
const LARGEST_KEPT: u32 = 8 << 20;

/// Threads of the call pool come and go, and each would leave an arena behind; and a client's
/// message of 32 MB would stay in one.
pub fn share_arenas() {
    heap::keep_at_most(LARGEST_KEPT);
    let count = usage::cpu_count().saturating_mul(2).clamp(4, 64);
    heap::share_arenas(u8::try_from(count).unwrap_or(u8::MAX));
}

/// Gives memory back for as long as it is polled. `ended` counts connections that are over.
pub(crate) async fn keep_small(core: Arc<Core>, ended: impl Fn() -> u64) {
    let mut ticks = tokio::time::interval(TICK);
    let mut state = State::new(Instant::now());
    loop {
        ticks.tick().await;
        let now = Instant::now();
        let done = core.registry.objects_made().wrapping_add(ended());
        if state.is_due(done, now) {
            state.unfinished = core.accounts.expire_replies(now);
            // It walks through the free lists: not on a thread that serves connections.
            let _ = tokio::task::spawn_blocking(heap::give_back).await;
        }
    }
}

/// What was seen so far.
struct State {
    /// Objects made and connections ended until the last look.
    done: u64,
    /// Whether there may be something to give back.
    unfinished: bool,
    last: Instant,
}

impl State {
    fn new(now: Instant) -> Self {
        Self {
            done: 0,
            unfinished: false,
            last: now,
        }
    }

    /// Whether it is time: a load ended, or goes on for long.
    fn is_due(&mut self, done: u64, now: Instant) -> bool {
        let busy = done != self.done;
        self.done = done;
        self.unfinished |= busy;
        let due = self.unfinished && (!busy || now.duration_since(self.last) >= LONGEST);
        if due {
            self.last = now;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_after_a_load_and_now_and_then_during_one() {
        let begin = Instant::now();
        let at = |ticks: u32| begin + TICK * ticks;
        let mut state = State::new(begin);
        assert!(!state.is_due(0, at(0)), "nothing happened");
        assert!(!state.is_due(10, at(1)), "a load");
        assert!(state.is_due(10, at(2)), "its end");
        state.unfinished = false;
        assert!(!state.is_due(10, at(3)), "all is given back");
        let due = (4..34).filter(|&n| state.is_due(n.into(), at(n)));
        assert_eq!(due.count(), 2, "a load of a minute");
        state.unfinished = true;
        assert!(state.is_due(33, at(40)), "replies were left to expire");
    }
}
