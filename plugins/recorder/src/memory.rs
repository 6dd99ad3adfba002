//! Memory for media that waits for slow disks and servers: one store for all recorders of the process.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Of the process, until the settings say otherwise: 256 MB.
static MEMORY: Memory = Memory::new(256 << 20);

/// A store, and what is taken of it, bytes.
///
/// Whoever asks may have as much as is left free beside it. So one that waits alone gets half of the store, and
/// several share it: each of n gets a part of n + 1, and as much is always left for those that do not wait
/// (the dynamic threshold of switches with shared memory). The slowest lose; nobody else does, and there
/// is no list of recorders to be kept or locked.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: AtomicUsize,
    taken: AtomicUsize,
}

impl Memory {
    pub(crate) const fn new(limit: usize) -> Self {
        Self {
            limit: AtomicUsize::new(limit),
            taken: AtomicUsize::new(0),
        }
    }

    pub(crate) fn of_process() -> &'static Self {
        &MEMORY
    }

    /// Holds for what is taken from now on.
    pub(crate) fn set_limit(&self, bytes: usize) {
        self.limit.store(bytes, Relaxed);
    }

    /// Takes so many bytes for somebody who has `own` of them already. `false` where that is too much.
    pub(crate) fn take(&self, own: usize, bytes: usize) -> bool {
        // Only the sum counts, which orders nothing else: relaxed is enough.
        let limit = self.limit.load(Relaxed);
        let taken = self.taken.fetch_update(Relaxed, Relaxed, |taken| {
            let free = limit.saturating_sub(taken);
            (own + bytes <= free).then_some(taken + bytes)
        });
        taken.is_ok()
    }

    pub(crate) fn give_back(&self, bytes: usize) {
        self.taken.fetch_sub(bytes, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each of so many gets that take as much as they can.
    fn shares(takers: usize) -> (Memory, Vec<usize>) {
        let memory = Memory::new(1200);
        let mut shares = vec![0; takers];
        for round in 0..takers * 1200 {
            let share = &mut shares[round % takers];
            *share += usize::from(memory.take(*share, 1));
        }
        (memory, shares)
    }

    #[test]
    fn those_that_wait_share_and_leave_as_much_for_another() {
        for takers in [1, 2, 3, 5] {
            let (memory, shares) = shares(takers);
            let part = 1200 / (takers + 1);
            assert!(
                shares.iter().all(|share| share.abs_diff(part) <= 1),
                "{shares:?}"
            );
            assert!(memory.take(0, part - takers));
        }
    }

    #[test]
    fn what_is_given_back_can_be_taken_again() {
        let memory = Memory::new(100);
        assert!(memory.take(0, 50));
        assert!(!memory.take(50, 1));
        memory.give_back(50);
        assert!(memory.take(0, 50));
    }
}
