//! The threads on which converters work: one a processor, whatever the number of streams.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use rivero_plugin_api::abi::guard;

/// Something that works in short pieces.
pub(super) trait Work: Send + Sync {
    /// Does a piece; `true` when there is more.
    fn work(&self) -> bool;
}

/// A pool of threads, started with the first piece of work. They end when this is dropped.
#[derive(Default)]
pub(crate) struct Workers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Arc<dyn Work>>,
    started: bool,
    closed: bool,
}

impl Workers {
    /// Has a piece of work done. The caller sees to it that the same work waits only once.
    pub(super) fn schedule(&self, work: Arc<dyn Work>) {
        let mut queue = self.0.lock();
        queue.waiting.push_back(work);
        if !std::mem::replace(&mut queue.started, true) {
            drop(queue);
            start(&self.0);
        }
        self.0.ready.notify_one();
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        let waiting = {
            let mut queue = self.0.lock();
            queue.closed = true;
            std::mem::take(&mut queue.waiting)
        };
        self.0.ready.notify_all();
        drop(waiting);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work; `None` at the end.
    fn next(&self) -> Option<Arc<dyn Work>> {
        let mut queue = self.lock();
        loop {
            if queue.closed {
                return None;
            }
            if let Some(work) = queue.waiting.pop_front() {
                return Some(work);
            }
            queue = self
                .ready
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn start(shared: &Arc<Shared>) {
    let count = thread::available_parallelism().map_or(1, usize::from);
    for _ in 0..count {
        let shared = shared.clone();
        let thread = thread::Builder::new().name("converter".to_owned());
        if let Err(error) = thread.spawn(move || run(&shared)) {
            tracing::error!("a thread for conversions cannot be started: {error}");
        }
    }
}

fn run(shared: &Shared) {
    while let Some(work) = shared.next() {
        let more = guard::contain(|| work.work()).unwrap_or_else(|message| {
            tracing::error!(text = message, "a conversion panicked in the host");
            false
        });
        if more {
            // Behind the others: no stream keeps the rest waiting for more than a piece.
            shared.lock().waiting.push_back(work);
            shared.ready.notify_one();
        }
    }
}
