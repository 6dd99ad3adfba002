//! The thread of a shard: a worker after the other, should one fail.

use std::{
    sync::{Arc, mpsc::Receiver},
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

use super::{BurstQueue, Command, Routing, ShardSession, Sockets, pulse::Pulse, worker::Worker};

/// What outlives the workers of a shard: its addresses are in what endpoints have told their peers which
/// have no session yet.
pub(super) struct Station<S> {
    /// As in the log and the metrics.
    pub(super) name: String,
    pub(super) poll: Poll,
    pub(super) sockets: Sockets,
    pub(super) commands: Receiver<Command<S>>,
    pub(super) queue: Arc<BurstQueue>,
    pub(super) pulse: Arc<Pulse>,
}

/// How much longer than it should the thread may sleep, ns. Linux allows itself 50 µs (prctl(2),
/// `PR_SET_TIMERSLACK`), longer than the naps of `coalescing` are.
const TIMER_SLACK: u64 = 10_000;

/// Where the metrics count panics in the end of a worker.
const END: &str = "the end of a shard";

#[derive(PartialEq, Eq)]
enum Ended {
    /// As it was told.
    Stopped,
    Failed,
}

impl<S: ShardSession> Station<S> {
    /// Runs until the shard is told to stop.
    pub(super) fn run<R: Routing<Session = S>>(mut self) {
        self.queue.enter_thread();
        // If it is refused, naps last longer than they should.
        let _ = set_timerslack(TIMER_SLACK);
        let mut back_off = BackOff::default();
        while self.work::<R>() == Ended::Failed {
            thread::sleep(back_off.pause(Instant::now()));
        }
    }

    /// One worker; should it fail, its sessions end with it.
    fn work<R: Routing<Session = S>>(&mut self) -> Ended {
        self.pulse.worker_begins();
        let Self {
            poll,
            sockets,
            commands,
            queue,
            pulse,
            name,
        } = self;
        let mut worker = Worker::<R>::new(poll, sockets, commands, queue, pulse);
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
