//! Which file is brought away next, and when.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    pin::Pin,
    sync::{Arc, Mutex},
    time::Duration,
};

use rivero_plugin_api::supervise::{contain_future, count, lock};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{entry::Job, events::UploadEvent};
use crate::{
    s3::{self, Object},
    writer::totals,
};

/// Files that are brought away at a time.
const WORKERS: usize = 4;
/// Between the first failure and the next attempt; doubled with each.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Where the metrics count panics.
const PLACE: &str = "an upload";

/// Brings a file away.
pub(super) trait Courier: Send + Sync {
    fn bring<'a>(&'a self, job: &'a mut Job) -> Bringing<'a>;
}

/// The length of what a store has confirmed.
pub(super) type Bringing<'a> = Pin<Box<dyn Future<Output = Result<u64, s3::Failure>> + Send + 'a>>;

/// Files that wait. Each has pauses of its own, and each bucket, so that a store that is down is asked once in a while and not
/// for each of its files. What was just recorded is tried at once, whatever became of others: somebody waits to hear of it.
pub(super) struct Queue {
    courier: Box<dyn Courier>,
    state: Mutex<State>,
    wake: Notify,
}

#[derive(Default)]
struct State {
    /// By when they are due, and the number that they came with.
    waiting: BTreeMap<(Instant, u64), Job>,
    latest: u64,
    /// The numbers of all files for an object, those under way included: they go there in the order in which they were
    /// recorded, so that the latest is what stays.
    objects: HashMap<Object, BTreeSet<u64>>,
    workers: usize,
    /// Workers that bring a file away now.
    busy: usize,
    /// Buckets whose latest attempt failed, as long as something waits for them.
    buckets: HashMap<String, Hold>,
}

struct Hold {
    failures: u32,
    until: Instant,
}

/// What a worker does next.
enum Next {
    Bring(u64, Box<Job>),
    Wait(Instant),
    End,
}

impl Queue {
    pub(super) fn new(courier: Box<dyn Courier>) -> Arc<Self> {
        Arc::new(Self {
            courier,
            state: Mutex::default(),
            wake: Notify::new(),
        })
    }

    pub(super) fn push(&self, job: Job) {
        lock(&self.state).add(job, Instant::now());
        self.wake.notify_one();
    }

    /// Counts another worker, if one would find something to do.
    pub(super) fn wants_worker(&self) -> bool {
        let mut state = lock(&self.state);
        let idle = state.workers.saturating_sub(state.busy);
        let wants = state.workers < WORKERS && idle < state.waiting.len();
        state.workers += usize::from(wants);
        wants
    }

    /// A worker that was counted has not come.
    pub(super) fn lost_worker(&self) {
        lock(&self.state).workers -= 1;
    }

    /// Brings away what is due, until nothing waits any more.
    pub(super) async fn work(&self) {
        loop {
            let next = lock(&self.state).next(Instant::now());
            match next {
                Next::Bring(number, job) => {
                    self.attempt(number, *job).await;
                    lock(&self.state).busy -= 1;
                }
                Next::Wait(due) => tokio::select! {
                    () = sleep_until(due) => {}
                    () = self.wake.notified() => {}
                },
                Next::End => return,
            }
        }
    }

    async fn attempt(&self, number: u64, mut job: Job) {
        job.attempts = job.attempts.saturating_add(1);
        let ended = contain_future(self.courier.bring(&mut job)).await;
        let (reason, kind) = match ended {
            Ok(Ok(bytes)) => return self.succeeded(number, job, bytes).await,
            Ok(Err(failure)) => (failure.to_string(), failure.kind()),
            Err(reason) => {
                count(PLACE);
                (reason, "panic")
            }
        };
        totals::uploaded(kind);
        let delay = lock(&self.state).failed(&job, Instant::now());
        let (uri, attempt) = (job.uri(), job.attempts);
        tracing::warn!(
            "{uri} could not be uploaded (attempt {attempt}), and stays in the spool: {reason}"
        );
        job.tell(&UploadEvent::Failed {
            uri,
            attempt,
            reason,
            delay,
        });
        job.settle();
        let due = Instant::now() + delay;
        lock(&self.state).waiting.insert((due, number), job);
    }

    async fn succeeded(&self, number: u64, job: Job, bytes: u64) {
        let uri = job.uri();
        totals::uploaded("none");
        tracing::info!(bytes, "{uri} was uploaded");
        lock(&self.state).succeeded(number, &job.note.object);
        job.tell(&UploadEvent::Uploaded { uri, bytes });
        let removed = tokio::task::spawn_blocking(move || {
            job.remove().map_err(|error| (job.stem.clone(), error))
        });
        if let Ok(Err((stem, error))) = removed.await {
            tracing::warn!(
                "{} was uploaded and cannot be removed: {error}",
                stem.display()
            );
        }
    }
}

impl State {
    fn add(&mut self, job: Job, due: Instant) {
        self.latest += 1;
        let all = self.objects.entry(job.note.object.clone()).or_default();
        all.insert(self.latest);
        self.waiting.insert((due, self.latest), job);
    }

    fn next(&mut self, now: Instant) -> Next {
        while let Some(first) = self.waiting.first_entry() {
            let (due, number) = *first.key();
            if due > now {
                return Next::Wait(due);
            }
            let job = first.remove();
            match self.hindrance(number, &job, now) {
                None => {
                    self.busy += 1;
                    return Next::Bring(number, Box::new(job));
                }
                Some(until) => {
                    self.waiting.insert((until, number), job);
                }
            }
        }
        // Under the lock: whoever adds something from now on sees that a worker is missing.
        self.workers -= 1;
        if self.workers == 0 {
            self.buckets.clear();
        }
        Next::End
    }

    /// Until when a file that is due has to wait for others.
    fn hindrance(&self, number: u64, job: &Job, now: Instant) -> Option<Instant> {
        let all = self.objects.get(&job.note.object);
        if all.and_then(BTreeSet::first) != Some(&number) {
            return Some(now + FIRST_PAUSE);
        }
        let hold = self.buckets.get(&job.note.object.bucket);
        let hold = hold.filter(|hold| hold.until > now && job.pending.is_none());
        hold.map(|hold| hold.until)
    }

    fn succeeded(&mut self, number: u64, object: &Object) {
        self.buckets.remove(&object.bucket);
        if let Some(all) = self.objects.get_mut(object) {
            all.remove(&number);
            if all.is_empty() {
                self.objects.remove(object);
            }
        }
    }

    /// Notes a failure; how long the file waits at least.
    fn failed(&mut self, job: &Job, now: Instant) -> Duration {
        let bucket = self.buckets.entry(job.note.object.bucket.clone());
        let hold = bucket.or_insert(Hold {
            failures: 0,
            until: now,
        });
        // Several that were under way when the store went down are one failure of it.
        if hold.until <= now {
            hold.failures = hold.failures.saturating_add(1);
            hold.until = now + pause(hold.failures);
        }
        pause(job.attempts).max(hold.until - now)
    }
}

fn pause(failures: u32) -> Duration {
    let doubled = 1_u32
        .checked_shl(failures.saturating_sub(1))
        .unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}
