//! Lanes: the threads on which a module is called, for each module its own.
//!
//! Of one kind are those for what may take its time: constructors, operations, statistics, ports that come and
//! go, release. Each loaded library has others for what has to return at once
//! ([`Threads`](crate::modules)): what pads are told, media, timers.
//!
//! A module may block in these, so none of them runs on a thread of the runtime, and one whose calls are
//! slow delays only itself. Threads are started when work waits and none is idle, up to a limit, and end
//! after a while without work. Where too much waits already, a further call is refused at once; one whose
//! client has been told meanwhile that it took too long is not begun any more.
//!
//! A thread in a call that should have returned long ago is [lost](Lane::lose), and another one takes its
//! place, a few times.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};
use rivero_plugin_api::supervise;
use tokio::sync::oneshot;

use crate::error::CallError;
use crate::observe::metrics::{Family, Histogram, Kind, Labels, count};
use crate::observe::times::Times;

/// Threads of a module at most; further calls wait. Many, since all of them may be waiting for files that
/// others write, and none of a module is to wait for those of another.
const MAX_THREADS: usize = 64;
/// Calls that wait for a module at most. An application that begins may create thousands of objects at once;
/// of more than that the last would not be begun before their clients give up.
const MAX_WAITING: usize = 4_096;
/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(10);

/// So many threads are replaced when they are lost.
pub const SPARE: usize = 4;

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

    /// How full the fullest lane is, from 0 to 1, where a further call would be refused.
    pub(crate) fn fullness(&self) -> f64 {
        let lanes = self.by_module.lock();
        let waiting = lanes
            .values()
            .map(|lane| lane.shared.state.lock().jobs.len());
        let most = waiting.max().unwrap_or_default().min(MAX_WAITING);
        count(most as u64) / count(MAX_WAITING as u64)
    }

    /// What the lanes have done, by module.
    pub(crate) fn figures(&self) -> Vec<Family> {
        let lanes: Vec<_> = self.by_module.lock().values().cloned().collect();
        let family = |name, kind, help: &'static str, value: fn(&Lane) -> f64| {
            let mut family = Family::new(name, kind, help);
            for lane in &lanes {
                family.add(Labels::one("module", &lane.shared.module), value(lane));
            }
            family
        };
        let histogram = |name, help: &'static str, value: fn(&Lane) -> Histogram| {
            let mut family = Family::of_histograms(name, help);
            for lane in &lanes {
                family.add_histogram(Labels::one("module", &lane.shared.module), value(lane));
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
            histogram(
                "module_call_wait_seconds",
                "How long calls waited for a thread of their module.",
                |lane| lane.shared.done.waited.read(),
            ),
            histogram(
                "module_call_seconds",
                "How long the calls of a module kept its threads.",
                |lane| lane.shared.done.took.read(),
            ),
        ]
    }
}

/// Upper bounds of how long calls wait or take, in seconds. The last but one is about what clients wait for.
const BOUNDS: [f64; 8] = [0.0001, 0.001, 0.01, 0.1, 0.5, 1.0, 9.0, f64::MAX];

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
    /// Of its threads.
    name: String,
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
    /// Threads that do not come back from a call, among `threads`.
    lost: usize,
    /// Nothing comes any more.
    closed: bool,
}

impl State {
    /// Threads at most, lost ones included.
    fn limit(&self) -> usize {
        self.max_threads + self.lost.min(SPARE)
    }

    /// No thread is left, and none is started.
    fn is_dead(&self) -> bool {
        self.lost >= self.limit()
    }

    /// Whether another thread is to take what waits; it is counted then.
    fn starts(&mut self) -> bool {
        let starts = self.jobs.len() > self.idle && self.threads < self.limit();
        self.threads += usize::from(starts);
        starts
    }
}

thread_local! {
    /// Whose thread this is.
    static CURRENT: RefCell<Option<Lane>> = const { RefCell::new(None) };
}

/// The module that this thread belongs to, if it is one of a lane.
#[must_use]
pub fn current_module() -> Option<Arc<str>> {
    let current = CURRENT.try_with(|current| {
        let current = current.borrow();
        current.as_ref().map(|lane| lane.shared.module.clone())
    });
    current.ok().flatten()
}

/// Since the start; relaxed, each stands for itself.
struct Done {
    calls: AtomicU64,
    refused: AtomicU64,
    waited: Times,
    took: Times,
}

impl Default for Done {
    fn default() -> Done {
        Done {
            calls: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            waited: Times::new(&BOUNDS),
            took: Times::new(&BOUNDS),
        }
    }
}

impl Lane {
    /// Of at most `max_threads`, each of which ends after `idle` without work.
    #[must_use]
    pub fn new(module: Arc<str>, max_threads: usize, idle: Duration) -> Lane {
        let name = format!("call-{module}");
        Lane::named(name, module, max_threads, idle)
    }

    /// For what a module has to return from at once: `max_threads`, and others in place of lost ones.
    #[must_use]
    pub fn of_media(module: Arc<str>, max_threads: usize) -> Lane {
        let name = format!("media-{module}");
        Lane::named(name, module, max_threads, IDLE)
    }

    fn named(name: String, module: Arc<str>, max_threads: usize, idle: Duration) -> Lane {
        let state = State {
            max_threads,
            ..State::default()
        };
        Lane {
            shared: Arc::new(Shared {
                module,
                name,
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
    /// A job that panics is logged; the thread lives on. Where all threads are lost, and where the lane is
    /// closed, a job is dropped.
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
        if state.is_dead() || state.closed {
            drop(state);
            return;
        }
        let since = Instant::now();
        state.jobs.push_back(Job { since, work });
        let starts = state.starts();
        drop(state);
        if starts {
            self.start_thread();
        } else {
            self.shared.work.notify_one();
        }
    }

    /// Whether this is one of its threads.
    #[must_use]
    pub fn is_current(&self) -> bool {
        let is_this = CURRENT.try_with(|current| {
            let current = current.borrow();
            let lane = current.as_ref();
            lane.is_some_and(|lane| Arc::ptr_eq(&lane.shared, &self.shared))
        });
        is_this.unwrap_or(false)
    }

    /// One of its threads does not come back from a call: another one may take its place.
    /// Gives how many are lost now.
    pub fn lose(&self) -> usize {
        let mut state = self.shared.state.lock();
        state.lost += 1;
        let lost = state.lost;
        let left = match state.is_dead() {
            true => std::mem::take(&mut state.jobs),
            false => VecDeque::new(),
        };
        let starts = state.starts();
        drop(state);
        // What waits for them learns by it that they are not run.
        drop(left);
        if starts {
            self.start_thread();
        }
        lost
    }

    /// A lost thread has come back.
    pub fn regain(&self) {
        self.shared.state.lock().lost -= 1;
    }

    /// How many threads are lost at present.
    #[must_use]
    pub fn lost(&self) -> usize {
        self.shared.state.lock().lost
    }

    /// Whether a thread is in a job, or a job waits for one.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        let state = self.shared.state.lock();
        !state.jobs.is_empty() || state.threads > state.idle
    }

    /// Ends its threads as soon as they have nothing to do, and drops what would come later.
    pub fn close(&self) {
        self.shared.state.lock().closed = true;
        self.shared.work.notify_all();
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
        let lane = self.clone();
        let started = std::thread::Builder::new()
            .name(self.shared.name.clone())
            .spawn(move || {
                let shared = lane.shared.clone();
                CURRENT.set(Some(lane));
                shared.work();
            });
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
            self.done.calls.fetch_add(1, Relaxed);
            self.done.waited.add(begin - since);
            self.done.took.add(begin.elapsed());
        }
    }

    fn next(&self) -> Option<Job> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            // One that was lost has come back, and another one has its place.
            let is_surplus = state.threads > state.limit();
            if state.closed || is_surplus {
                state.threads -= 1;
                return None;
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
mod tests;
