//! How the thread of a shard is doing, as other threads see it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// Written by the shard's thread alone, but for `stuck`. All of it is relaxed: each figure stands for
/// itself, and nothing else is published by any of them.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// Odd while a turn of the loop is being done, even while the thread waits.
    beat: AtomicU64,
    /// No worker is at work.
    down: AtomicBool,
    /// One turn has lasted for longer than any should; written by who watches the shards.
    stuck: AtomicBool,
    /// Per cent of its time that it was busy lately.
    load: AtomicU32,
}

impl Pulse {
    /// A turn of the loop begins.
    #[inline]
    pub(super) fn turn_begins(&self) {
        self.step();
    }

    /// The turn is done; the thread waits for what comes next.
    #[inline]
    pub(super) fn turn_ends(&self) {
        self.step();
    }

    // One thread writes, so a load and a store do, without a locked instruction.
    fn step(&self) {
        self.beat
            .store(self.beat.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// A worker begins: whatever the one before was doing, nothing is being done now.
    pub(super) fn worker_begins(&self) {
        let beat = self.beat.load(Relaxed);
        self.beat.store(beat.wrapping_add(beat & 1), Relaxed);
    }

    /// The turn that is being done. The same one twice is one turn that lasts.
    pub(super) fn turn(&self) -> Option<u64> {
        let beat = self.beat.load(Relaxed);
        (beat & 1 == 1).then_some(beat)
    }

    /// Whether no worker is at work: one has failed, and the next has not begun.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// Says whether a worker is at work; called in each turn.
    pub(super) fn set_down(&self, down: bool) {
        // Nearly always for what it says already.
        if self.is_down() != down {
            self.down.store(down, Relaxed);
        }
    }

    /// Whether something blocks the thread.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Relaxed)
    }

    /// Says whether something blocks the thread.
    pub(super) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Relaxed);
    }

    /// Per cent of its time that the thread was busy lately.
    pub(super) fn load(&self) -> u32 {
        self.load.load(Relaxed)
    }

    /// Says how busy the thread was, in per cent.
    pub(super) fn set_load(&self, percent: u32) {
        self.load.store(percent, Relaxed);
    }
}
