//! The thread of a shard: a worker after the other, should one fail.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
        mpsc::Receiver,
    },
    thread,
    time::Instant,
};

use mio::Poll;
use nix::sys::prctl::set_timerslack;
use rivero_plugin_api::{
    host,
    supervise::{BackOff, contain, contained},
};
use serde_json::json;

use super::{
    Command,
    group::BurstQueue,
    worker::{Sockets, Worker},
};

/// How a shard's thread is doing, as others see it. The thread alone writes all but `stuck`.
#[derive(Default)]
pub(super) struct Pulse {
    /// Odd while a turn of the loop is being done, even while the thread waits.
    beat: AtomicU64,
    /// No worker is at work.
    down: AtomicBool,
    /// One turn has lasted for longer than any should, see `watch`.
    stuck: AtomicBool,
    /// Per cent of its time that it was busy lately.
    load: AtomicU32,
}

impl Pulse {
    /// A turn begins.
    pub(super) fn turns(&self) {
        self.step();
    }

    /// The turn is done; the thread waits for what comes next.
    pub(super) fn rests(&self) {
        self.step();
    }

    // One thread writes, and nothing is published by it: relaxed, without a locked instruction.
    fn step(&self) {
        self.beat
            .store(self.beat.load(Relaxed).wrapping_add(1), Relaxed);
    }

    fn begin(&self) {
        // Whatever the worker before was doing, nothing is being done now.
        let beat = self.beat.load(Relaxed);
        self.beat.store(beat.wrapping_add(beat & 1), Relaxed);
    }

    /// The turn that is being done.
    pub(super) fn turn(&self) -> Option<u64> {
        let beat = self.beat.load(Relaxed);
        (beat & 1 == 1).then_some(beat)
    }

    pub(super) fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stuck.load(Relaxed)
    }

    pub(super) fn set_stuck(&self, stuck: bool) {
        self.stuck.store(stuck, Relaxed);
    }

    pub(super) fn load(&self) -> u32 {
        self.load.load(Relaxed)
    }

    pub(super) fn set_load(&self, percent: u32) {
        self.load.store(percent, Relaxed);
    }

    pub(super) fn set_down(&self, down: bool) {
        if self.is_down() != down {
            self.down.store(down, Relaxed);
        }
    }
}

/// What outlives the workers of a shard: its addresses are in the candidates of endpoints that
/// have no transport yet.
pub(super) struct Station {
    /// As in the log and the metrics.
    pub(super) name: String,
    pub(super) poll: Poll,
    pub(super) sockets: Sockets,
    pub(super) commands: Receiver<Command>,
    pub(super) queue: Arc<BurstQueue>,
    pub(super) pulse: Arc<Pulse>,
}

/// How much longer than it should the thread may sleep, ns.
const TIMER_SLACK: u64 = 10_000;

/// Where the metrics count panics in the end of a worker.
const END: &str = "the end of a shard";

#[derive(PartialEq, Eq)]
enum Ended {
    /// As it was told.
    Stopped,
    Failed,
}

impl Station {
    /// Runs until the shard is told to stop.
    pub(super) fn run(mut self) {
        self.queue.enter_thread();
        // Naps of the worker are not to last twice as long as they should (prctl(2)). If it is
        // refused they do.
        let _ = set_timerslack(TIMER_SLACK);
        let mut back_off = BackOff::default();
        while self.work() == Ended::Failed {
            thread::sleep(back_off.pause(Instant::now()));
        }
    }

    /// One worker; should it fail, its transports end with it.
    fn work(&mut self) -> Ended {
        self.pulse.begin();
        let Self {
            poll,
            sockets,
            commands,
            queue,
            pulse,
            name,
        } = self;
        let mut worker = Worker::new(poll, sockets, commands, queue, pulse);
        let ended = contain(|| worker.run());
        let text = match ended {
            Ok(Ok(())) => return Ended::Stopped,
            Ok(Err(error)) => format!("it cannot wait for its sockets: {error}"),
            Err(text) => text,
        };
        pulse.set_down(true);
        tracing::error!(
            shard = name,
            reason = text,
            "the thread of a shard failed: its transports end, and it begins anew"
        );
        if let Some(host) = host() {
            host.count("shard_failures_total", &json!({ "shard": *name }), 1.0);
        }
        contained(END, || worker.give_up(&text));
        contained(END, || drop(worker));
        Ended::Failed
    }
}
