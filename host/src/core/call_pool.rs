//! The threads on which the objects of modules are called: constructors, operations, statistics,
//! ports that come and go, release.
//!
//! A module may block in these, so none of them runs on a thread of the runtime. What its pads are
//! told (formats, consumers, upstream messages, the drop of a handler) does not come through here:
//! the media graph delivers that on the thread that changed it, which may be one of the runtime
//! or of another module. Threads are started when work waits and none is idle, up to a limit, and
//! end after a while without work.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use rivero_plugin_api::supervise;
use tokio::sync::oneshot;

use crate::error::CallError;

/// Threads at most; further calls wait. Many, since all of them may be waiting for a hundred
/// recordings to end, say, and nobody else is to wait for those.
const MAX_THREADS: usize = 128;
/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

/// An elastic pool of plain threads.
#[derive(Clone)]
pub struct CallPool {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    idle: Duration,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    max_threads: usize,
    idle: usize,
}

impl Default for CallPool {
    fn default() -> CallPool {
        CallPool::new(MAX_THREADS, IDLE)
    }
}

impl CallPool {
    /// A pool of at most `max_threads`, each of which ends after `idle` without work.
    #[must_use]
    pub fn new(max_threads: usize, idle: Duration) -> CallPool {
        let state = State {
            max_threads,
            ..State::default()
        };
        CallPool {
            shared: Arc::new(Shared {
                state: Mutex::new(state),
                work: Condvar::new(),
                idle,
            }),
        }
    }

    /// Runs a job on some thread of the pool, after those that were given before.
    ///
    /// A job that panics is logged; the thread lives on.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.state.lock();
        state.jobs.push_back(Box::new(job));
        let starts = state.jobs.len() > state.idle && state.threads < state.max_threads;
        if starts {
            state.threads += 1;
        }
        drop(state);
        if starts {
            self.start_thread();
        } else {
            self.shared.work.notify_one();
        }
    }

    /// Lets more jobs run at a time from now on.
    pub fn widen(&self, max_threads: usize) {
        let mut state = self.shared.state.lock();
        state.max_threads = state.max_threads.max(max_threads);
        let startable = state.max_threads - state.threads.min(state.max_threads);
        // Those that are idle take a job each.
        let missing = state.jobs.len().saturating_sub(state.idle).min(startable);
        state.threads += missing;
        drop(state);
        for _ in 0..missing {
            self.start_thread();
        }
    }

    /// Runs a job and returns what it returns.
    ///
    /// # Errors
    /// 40003 when the job panics.
    pub async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (sender, receiver) = oneshot::channel();
        self.run(move || {
            // Nobody listening any more is fine: the work is done all the same.
            let _ = sender.send(job());
        });
        receiver
            .await
            .map_err(|_| CallError::unexpected("The module failed while it handled the call"))
    }

    fn start_thread(&self) {
        let shared = self.shared.clone();
        let started = std::thread::Builder::new()
            .name("call".into())
            .spawn(move || shared.work());
        if let Err(error) = started {
            // Another thread takes the job, now or when the next one can be started.
            tracing::error!(%error, "cannot start a thread for calls of modules");
            self.shared.state.lock().threads -= 1;
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(job) = self.next() {
            supervise::contained("a call of a module", job);
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            state.idle += 1;
            let waited = self.work.wait_for(&mut state, self.idle);
            state.idle -= 1;
            if waited.timed_out() && state.jobs.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn blocked_calls_do_not_delay_others() {
        let pool = CallPool::new(2, IDLE);
        let (unblock, blocked) = mpsc::channel::<()>();
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.call(move || blocked.recv().is_ok()).await }
        });
        assert_eq!(pool.call(|| 7).await, Ok(7));
        unblock.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(true));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_call_only() {
        let pool = CallPool::new(1, IDLE);
        assert_eq!(
            pool.call(|| -> () { panic!("on purpose") })
                .await
                .unwrap_err()
                .code,
            40003
        );
        assert_eq!(pool.call(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_wider_pool_runs_what_waits() {
        let pool = CallPool::new(1, IDLE);
        let (unblock, blocked) = mpsc::channel::<()>();
        pool.run(move || {
            let _ = blocked.recv();
        });
        let waiting = tokio::spawn({
            let pool = pool.clone();
            async move { pool.call(|| 7).await }
        });
        while pool.shared.state.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        pool.widen(2);
        assert_eq!(waiting.await.unwrap(), Ok(7));
        drop(unblock);
    }

    #[test]
    fn threads_are_bounded_and_end() {
        let pool = CallPool::new(3, Duration::ZERO);
        let (sender, receiver) = mpsc::channel();
        for number in 0..50 {
            let sender = sender.clone();
            pool.run(move || sender.send(number).unwrap());
        }
        assert_eq!((0..50).map(|_| receiver.recv().unwrap()).sum::<i32>(), 1225);
        assert!(pool.shared.state.lock().threads <= 3);
        while pool.shared.state.lock().threads > 0 {
            std::thread::yield_now();
        }
    }
}
