//! Lanes: the threads on which the objects of a module are called (constructors, operations, statistics,
//! ports that come and go, release), for each module its own.
//!
//! A module may block in these, so none of them runs on a thread of the runtime, and one whose calls are
//! slow delays only itself. Threads are started when work waits and none is idle, up to a limit, and end
//! after a while without work. Where too much waits already, a further call is refused at once; one whose
//! client has been told meanwhile that it took too long is not begun any more.
//!
//! What pads are told (formats, consumers, upstream messages, the drop of a handler) does not come through
//! here: the media graph delivers that on the thread that changed it, which may be one of the runtime or of
//! another module.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rivero_plugin_api::supervise;
use tokio::sync::oneshot;

use crate::error::CallError;
use crate::observe::metrics::{Family, Kind, Labels, count};

/// Threads of a module at most; further calls wait. Many, since all of them may be waiting for files that
/// others write, and none of a module is to wait for those of another.
const MAX_THREADS: usize = 64;
/// Calls that wait for a module at most. An application that begins may create thousands of objects at once;
/// of more than that the last would not be begun before their clients give up.
const MAX_WAITING: usize = 4_096;
/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(10);

/// The lanes of all modules.
pub struct Lanes {
    by_module: Mutex<BTreeMap<Arc<str>, Lane>>,
    max_threads: AtomicUsize,
}

impl Default for Lanes {
    fn default() -> Lanes {
        Lanes {
            by_module: Mutex::default(),
            max_threads: AtomicUsize::new(MAX_THREADS),
        }
    }
}

impl Lanes {
    /// The one of a module, by the name of its file.
    #[must_use]
    pub fn of(&self, module: &str) -> Lane {
        let mut lanes = self.by_module.lock();
        if let Some(lane) = lanes.get(module) {
            return lane.clone();
        }
        let name = Arc::<str>::from(module);
        let lane = Lane::new(name.clone(), self.max_threads.load(Relaxed), IDLE);
        lanes.insert(name, lane.clone());
        lane
    }

    /// Lets more calls of each module run at a time from now on.
    pub fn widen(&self, max_threads: usize) {
        // Under the lock: a lane that is made meanwhile is as wide.
        let lanes = self.by_module.lock();
        self.max_threads.fetch_max(max_threads, Relaxed);
        lanes.values().for_each(|lane| lane.widen(max_threads));
    }

    /// What the lanes have done, by module.
    pub(super) fn figures(&self) -> Vec<Family> {
        let lanes: Vec<_> = self.by_module.lock().values().cloned().collect();
        let family = |name, kind, help: &'static str, value: fn(&Lane) -> f64| {
            let mut family = Family::new(name, kind, help);
            for lane in &lanes {
                family.add(Labels::one("module", &lane.shared.module), value(lane));
            }
            family
        };
        vec![
            family(
                "module_calls_waiting",
                Kind::Gauge,
                "Calls that wait for a thread of their module.",
                |lane| count(lane.shared.state.lock().jobs.len() as u64),
            ),
            family(
                "module_calls_running",
                Kind::Gauge,
                "Calls that a module is working on.",
                |lane| {
                    let state = lane.shared.state.lock();
                    count(state.threads.saturating_sub(state.idle) as u64)
                },
            ),
            family(
                "module_calls_total",
                Kind::Counter,
                "Calls that a module has been given, whatever came of them.",
                |lane| count(lane.shared.done.calls.load(Relaxed)),
            ),
            family(
                "module_calls_refused_total",
                Kind::Counter,
                "Calls that were refused because too many waited for their module.",
                |lane| count(lane.shared.done.refused.load(Relaxed)),
            ),
            family(
                "module_calls_waited_seconds_total",
                Kind::Counter,
                "How long calls waited for a thread of their module, all together.",
                |lane| in_seconds(&lane.shared.done.waited),
            ),
            family(
                "module_calls_took_seconds_total",
                Kind::Counter,
                "How long the calls of a module kept its threads, all together.",
                |lane| in_seconds(&lane.shared.done.took),
            ),
        ]
    }
}

fn in_seconds(micros: &AtomicU64) -> f64 {
    Duration::from_micros(micros.load(Relaxed)).as_secs_f64()
}

/// A call, and since when it waits.
struct Job {
    since: Instant,
    work: Box<dyn FnOnce() + Send>,
}

/// The threads of one module.
#[derive(Clone)]
pub struct Lane {
    shared: Arc<Shared>,
}

struct Shared {
    module: Arc<str>,
    state: Mutex<State>,
    work: Condvar,
    idle: Duration,
    done: Done,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    max_threads: usize,
    idle: usize,
}

/// Since the start; relaxed, each stands for itself. Times in µs.
#[derive(Default)]
struct Done {
    calls: AtomicU64,
    refused: AtomicU64,
    waited: AtomicU64,
    took: AtomicU64,
}

impl Lane {
    /// Of at most `max_threads`, each of which ends after `idle` without work.
    #[must_use]
    pub fn new(module: Arc<str>, max_threads: usize, idle: Duration) -> Lane {
        let state = State {
            max_threads,
            ..State::default()
        };
        Lane {
            shared: Arc::new(Shared {
                module,
                state: Mutex::new(state),
                work: Condvar::new(),
                idle,
                done: Done::default(),
            }),
        }
    }

    /// Runs a job on some thread of the module, after those that were given before, however many that are:
    /// the end of an object, which is never refused.
    ///
    /// A job that panics is logged; the thread lives on.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let state = self.shared.state.lock();
        self.add(state, Box::new(job));
    }

    /// The same, unless too many jobs wait already.
    ///
    /// # Errors
    /// 40009 then.
    pub fn try_run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), CallError> {
        let state = self.shared.state.lock();
        let waiting = state.jobs.len();
        if waiting >= MAX_WAITING {
            drop(state);
            self.shared.done.refused.fetch_add(1, Relaxed);
            let module = &self.shared.module;
            return Err(CallError::not_enough_resources(format!(
                "{waiting} calls wait for the module {module} already: try again"
            )));
        }
        self.add(state, Box::new(job));
        Ok(())
    }

    fn add(&self, mut state: MutexGuard<'_, State>, work: Box<dyn FnOnce() + Send>) {
        let since = Instant::now();
        state.jobs.push_back(Job { since, work });
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
    fn widen(&self, max_threads: usize) {
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

    /// Runs a job and returns what it returns. If the future is dropped before the job has begun, it
    /// does not begin.
    ///
    /// # Errors
    /// 40003 when the job panics, 40009 when too many wait already.
    pub async fn call<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CallError> {
        let (sender, receiver) = oneshot::channel();
        self.try_run(move || {
            if !sender.is_closed() {
                // Nobody listening any more is fine: the work is done all the same.
                let _ = sender.send(job());
            }
        })?;
        receiver
            .await
            .map_err(|_| CallError::unexpected("The module failed while it handled the call"))
    }

    fn start_thread(&self) {
        let shared = self.shared.clone();
        let started = std::thread::Builder::new()
            .name(format!("call-{}", self.shared.module))
            .spawn(move || shared.work());
        if let Err(error) = started {
            // Another thread takes the job, now or when the next one can be started.
            tracing::error!(%error, module = %self.shared.module, "cannot start a thread for calls of a module");
            self.shared.state.lock().threads -= 1;
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(Job { since, work }) = self.next() {
            let begin = Instant::now();
            supervise::contained("a call of a module", work);
            let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            self.done.calls.fetch_add(1, Relaxed);
            self.done.waited.fetch_add(micros(begin - since), Relaxed);
            self.done.took.fetch_add(micros(begin.elapsed()), Relaxed);
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

    fn lane_of(max_threads: usize, idle: Duration) -> Lane {
        Lane::new("toys".into(), max_threads, idle)
    }

    #[tokio::test]
    async fn blocked_calls_do_not_delay_others() {
        let lane = lane_of(2, IDLE);
        let (unblock, blocked) = mpsc::channel::<()>();
        let waiting = tokio::spawn({
            let lane = lane.clone();
            async move { lane.call(move || blocked.recv().is_ok()).await }
        });
        assert_eq!(lane.call(|| 7).await, Ok(7));
        unblock.send(()).unwrap();
        assert_eq!(waiting.await.unwrap(), Ok(true));
    }

    #[tokio::test]
    async fn a_panic_is_an_error_of_its_call_only() {
        let lane = lane_of(1, IDLE);
        assert_eq!(
            lane.call(|| -> () { panic!("on purpose") })
                .await
                .unwrap_err()
                .code,
            40003
        );
        assert_eq!(lane.call(|| 7).await, Ok(7));
    }

    #[tokio::test]
    async fn a_wider_lane_runs_what_waits() {
        let lane = lane_of(1, IDLE);
        let (unblock, blocked) = mpsc::channel::<()>();
        lane.run(move || {
            let _ = blocked.recv();
        });
        let waiting = tokio::spawn({
            let lane = lane.clone();
            async move { lane.call(|| 7).await }
        });
        while lane.shared.state.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        lane.widen(2);
        assert_eq!(waiting.await.unwrap(), Ok(7));
        drop(unblock);
    }

    #[test]
    fn threads_are_bounded_and_end() {
        let lane = lane_of(3, Duration::ZERO);
        let (sender, receiver) = mpsc::channel();
        for number in 0..50 {
            let sender = sender.clone();
            lane.run(move || sender.send(number).unwrap());
        }
        assert_eq!((0..50).map(|_| receiver.recv().unwrap()).sum::<i32>(), 1225);
        assert!(lane.shared.state.lock().threads <= 3);
        while lane.shared.state.lock().threads > 0 {
            std::thread::yield_now();
        }
    }

    /// A lane with one thread, which is busy until the sender is dropped.
    fn busy() -> (Lane, mpsc::Sender<()>) {
        let lane = lane_of(1, IDLE);
        let (unblock, blocked) = mpsc::channel::<()>();
        lane.run(move || {
            let _ = blocked.recv();
        });
        while !lane.shared.state.lock().jobs.is_empty() {
            std::thread::yield_now();
        }
        (lane, unblock)
    }

    #[tokio::test]
    async fn what_nobody_waits_for_any_more_is_not_begun() {
        let (lane, unblock) = busy();
        let (begun, has_begun) = mpsc::channel();
        let call = lane.call(move || begun.send(()).unwrap());
        assert!(
            tokio::time::timeout(Duration::from_millis(10), call)
                .await
                .is_err()
        );
        drop(unblock);
        assert_eq!(lane.call(|| 7).await, Ok(7));
        assert!(has_begun.recv().is_err(), "its job is dropped");
    }

    #[tokio::test]
    async fn too_many_calls_are_refused_and_the_end_of_objects_is_not() {
        let (lane, unblock) = busy();
        for _ in 0..MAX_WAITING {
            lane.try_run(|| ()).unwrap();
        }
        let refused = lane.call(|| ()).await.unwrap_err();
        assert_eq!(refused.code, 40009);
        assert!(refused.message.contains("toys"), "{}", refused.message);
        let (end, ended) = mpsc::channel();
        lane.run(move || end.send(()).unwrap());
        drop(unblock);
        ended.recv_timeout(Duration::from_secs(30)).unwrap();
        assert_eq!(lane.call(|| 7).await, Ok(7));
    }

    #[test]
    fn a_module_has_one_lane_and_its_figures() {
        let lanes = Lanes::default();
        let (slow, _unblock) = {
            let (unblock, blocked) = mpsc::channel::<()>();
            let slow = lanes.of("slow");
            slow.run(move || {
                let _ = blocked.recv();
            });
            (slow, unblock)
        };
        let (done, is_done) = mpsc::channel();
        lanes.of("quick").run(move || done.send(()).unwrap());
        is_done.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(Arc::ptr_eq(&slow.shared, &lanes.of("slow").shared));
        let running = lanes
            .figures()
            .into_iter()
            .find(|family| family.name().ends_with("running"));
        let slow = Labels::one("module", "slow");
        assert_eq!(running.unwrap().value(&slow), Some(1.0));
    }
}
