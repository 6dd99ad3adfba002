//! Lines on their way to the thread that writes them.
//!
//! Writing may take for ever: standard error may be a pipe that nobody reads, the disk full, the
//! file system stopped. So threads that log only put lines here, into a bounded buffer; what does
//! not fit is lost and counted, and the writer says so where the lines would have been.

use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Bytes that wait at most; as many more may be with the writer.
const CAPACITY: usize = 1 << 20;
/// What an empty buffer keeps of its memory.
const KEPT_CAPACITY: usize = 64 << 10;

/// A bounded buffer of lines between many threads and one writer.
#[derive(Debug, Default)]
pub(super) struct LogQueue {
    state: Mutex<State>,
    /// There is something for the writer to do.
    work: Condvar,
    /// The writer has nothing to do.
    idle: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines.
    lines: Vec<u8>,
    /// Lines that did not fit after those.
    lost: u64,
    /// The writer has lines that it has not written yet.
    writing: bool,
    /// The writer is to look at the clock again.
    woken: bool,
}

/// What the writer finds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Taken {
    /// Lines that were lost after those that it got.
    pub(super) lost: u64,
}

impl LogQueue {
    /// Adds a line with its line break; `false` if it is lost. Never waits for the writer.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let mut state = self.state.lock();
        // Once a line is lost, so are all up to the next turn of the writer: it can then say at
        // one place how many are missing.
        let fits = state.lost == 0 && state.lines.len() + line.len() <= CAPACITY;
        if fits {
            state.lines.extend_from_slice(line);
        } else {
            state.lost += 1;
        }
        self.work.notify_one();
        fits
    }

    /// Lets the writer look at the clock again.
    pub(super) fn wake(&self) {
        self.state.lock().woken = true;
        self.work.notify_one();
    }

    /// For the writer: waits for lines and moves them to the empty `batch`; returns without any
    /// at `deadline`, and when it is woken. Says that the former batch is done.
    pub(super) fn take(&self, batch: &mut Vec<u8>, deadline: Option<Instant>) -> Taken {
        batch.clear();
        batch.shrink_to(KEPT_CAPACITY);
        let mut state = self.state.lock();
        while state.lines.is_empty() && state.lost == 0 && !state.woken {
            state.writing = false;
            self.idle.notify_all();
            match deadline {
                Some(deadline) if self.work.wait_until(&mut state, deadline).timed_out() => break,
                Some(_) => {}
                None => self.work.wait(&mut state),
            }
        }
        state.writing = true;
        state.woken = false;
        std::mem::swap(&mut state.lines, batch);
        Taken {
            lost: std::mem::take(&mut state.lost),
        }
    }

    /// Waits until all lines are written, for `patience` at most; `false` if some are not.
    pub(super) fn flush(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut state = self.state.lock();
        while state.writing || !state.lines.is_empty() || state.lost > 0 {
            if self.idle.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_counted_and_nobody_waits() {
        let queue = LogQueue::default();
        let line = [b'x'; 1024];
        let taken = (0..2 * CAPACITY / 1024)
            .filter(|_| queue.push(&line))
            .count();
        assert_eq!(taken, CAPACITY / 1024);
        assert!(
            !queue.push(b"small\n"),
            "after a gap nothing but the writer"
        );
        let mut batch = Vec::new();
        let lost = CAPACITY as u64 / 1024 + 1;
        assert_eq!(queue.take(&mut batch, None), Taken { lost });
        assert_eq!(batch.len(), CAPACITY);
        assert!(!queue.flush(Duration::ZERO), "the writer still has them");
        assert!(queue.push(b"next\n"));
        assert_eq!(queue.take(&mut batch, None), Taken { lost: 0 });
        assert_eq!(batch, b"next\n");
    }

    #[test]
    fn a_flush_waits_for_the_writer() {
        let queue = LogQueue::default();
        queue.push(b"a\n");
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut batch = Vec::new();
                queue.take(&mut batch, None);
                let written = batch.clone();
                queue.wake();
                queue.take(&mut batch, None);
                let soon = Instant::now() + Duration::from_millis(1);
                queue.take(&mut batch, Some(soon));
                written
            });
            assert!(queue.flush(Duration::from_secs(20)));
            assert_eq!(writer.join().unwrap(), b"a\n");
        });
    }
}
