//! The task that writes one recording.

use std::{
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_plugin_api::{
    Error, Result,
    supervise::{contain, contain_future, contained, count},
};
use rivero_uri::Policy;
use tokio::runtime::{Builder, Runtime};

use crate::{
    container::Output,
    intake::{Command, Intake},
    output::{Failure, Target},
    recording::{Notice, Recording},
};

/// Where the metrics count panics.
const PLACE: &str = "a recording";
/// How often a writer looks at the time.
const TICK: Duration = Duration::from_millis(200);
/// Threads that wait for disks and servers; they end when they have nothing to do.
const BLOCKING_THREADS: usize = 64;
const IDLE_THREAD: Duration = Duration::from_secs(5);

/// What an endpoint hears of its recording.
pub(crate) trait Listener: Send + Sync {
    /// The codec of a kind is settled, a keyframe is wanted …
    fn notice(&self, notice: Notice);
    /// Something went wrong; unless it is only slow, [`Listener::over`] follows.
    fn failed(&self, failure: &Failure);
    /// The end. `opened`: there is a file.
    fn over(&self, opened: bool);
    /// ns on the pipeline's clock.
    fn now(&self) -> i64;
}

/// Figures of a recording, for `getStats`.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) bytes: AtomicU64,
    /// ns
    pub(crate) duration: AtomicI64,
    pub(crate) lost: AtomicU64,
}

/// A recording as its endpoint holds it. Dropping it does not end the recording.
pub(crate) struct Writer {
    intake: Arc<Intake>,
    figures: Arc<Figures>,
    is_over: Arc<Over>,
    _threads: Arc<Threads>,
}

#[derive(Default)]
struct Over {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Over {
    fn set(&self) {
        *self.flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }
}

impl Writer {
    /// Starts a task for `recording`, which ends with [`Command::Finish`] or a failure.
    ///
    /// # Errors
    /// 40003 when there are no threads to be had
    pub(crate) fn start(
        recording: Recording,
        target: Target,
        policy: Policy,
        listener: Arc<dyn Listener>,
    ) -> Result<Self> {
        let threads = Threads::obtain()?;
        let writer = Self {
            intake: Arc::default(),
            figures: Arc::default(),
            is_over: Arc::default(),
            _threads: threads.clone(),
        };
        let (intake, figures) = (writer.intake.clone(), writer.figures.clone());
        let is_over = writer.is_over.clone();
        let runtime = threads
            .runtime()
            .ok_or_else(|| Error::unexpected("the recorder is shutting down"))?;
        runtime.spawn({
            let threads = threads.clone();
            async move {
                let task = Task {
                    recording,
                    target,
                    listener: listener.clone(),
                    figures,
                    output: None,
                    state: State::Running,
                };
                let target = task.target.to_string();
                let ended = contain_future(task.run(intake, policy)).await;
                let opened = ended.unwrap_or_else(|reason| {
                    count(PLACE);
                    contained(PLACE, || {
                        listener.failed(&Failure::Panicked { target, reason });
                    });
                    true
                });
                contained(PLACE, || listener.over(opened));
                is_over.set();
                drop(threads);
            }
        });
        Ok(writer)
    }

    pub(crate) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Waits for the end; `false` when it does not come in time.
    pub(crate) fn wait(&self, patience: Duration) -> bool {
        let flag = self
            .is_over
            .flag
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .is_over
            .changed
            .wait_timeout_while(flag, patience, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[derive(PartialEq, Eq)]
enum State {
    Running,
    Over,
}

struct Task {
    recording: Recording,
    target: Target,
    listener: Arc<dyn Listener>,
    figures: Arc<Figures>,
    output: Option<Box<dyn Output>>,
    state: State,
}

impl Task {
    /// Whether there was something to record to.
    async fn run(mut self, intake: Arc<Intake>, policy: Policy) -> bool {
        match self.target.open(&policy).await {
            Ok(output) => self.output = Some(output),
            Err(failure) => {
                self.listener.failed(&failure);
                return false;
            }
        }
        let mut is_slow = false;
        while self.state == State::Running {
            let (commands, lost) = intake.next(TICK).await;
            self.figures.lost.fetch_add(lost, Relaxed);
            if lost > 0 && !is_slow {
                self.listener.failed(&Failure::TooSlow {
                    target: self.target.to_string(),
                });
            }
            is_slow = lost > 0;
            let (listener, target) = (self.listener.clone(), self.target.to_string());
            let done = tokio::task::spawn_blocking(move || {
                contain(|| {
                    self.handle(commands);
                    self
                })
            });
            let failure = match done.await {
                Ok(Ok(task)) => {
                    self = task;
                    continue;
                }
                Ok(Err(reason)) => reason,
                // The threads end with the process.
                Err(error) => error.to_string(),
            };
            count(PLACE);
            listener.failed(&Failure::Panicked {
                target,
                reason: failure,
            });
            return true;
        }
        true
    }

    /// Does what came, and what time alone brings about; may block.
    fn handle(&mut self, commands: Vec<(i64, Command)>) {
        let Some(mut output) = self.output.take() else {
            self.state = State::Over;
            return;
        };
        if let Err(error) = self.work(commands, output.as_mut()) {
            self.listener.failed(&Failure::write(&self.target, &error));
            // As much of an end as there is room for.
            let _ = self.recording.abandon(output.as_mut());
            let _ = output.close();
            self.state = State::Over;
        }
        let bytes = self.recording.bytes(output.as_ref());
        self.figures.bytes.store(bytes, Relaxed);
        self.figures
            .duration
            .store(self.recording.duration(), Relaxed);
        for notice in self.recording.take_notices() {
            self.listener.notice(notice);
        }
        self.output = Some(output);
    }

    /// Each command counts from the time at which it came, however long the target took to open.
    fn work(
        &mut self,
        commands: Vec<(i64, Command)>,
        output: &mut dyn Output,
    ) -> std::io::Result<()> {
        for (at, command) in commands {
            match command {
                Command::Frames(kind, frames) => {
                    for frame in frames {
                        self.recording.push(kind, frame, at, output)?;
                    }
                }
                Command::Expect(kind, expected) => self.recording.expect(kind, expected),
                Command::Begin => self.recording.begin(at),
                Command::Pause => self.recording.pause(at, output)?,
                Command::Finish => {
                    self.recording.finish(at, output)?;
                    output.close()?;
                    self.state = State::Over;
                    return Ok(());
                }
            }
        }
        self.recording.tick(self.listener.now(), output)
    }
}

/// The threads of all recordings: there while one lasts.
struct Threads(Option<Runtime>);

impl Threads {
    fn obtain() -> Result<Arc<Self>> {
        static CURRENT: Mutex<Weak<Threads>> = Mutex::new(Weak::new());
        let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(threads) = current.upgrade() {
            return Ok(threads);
        }
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(BLOCKING_THREADS)
            .thread_keep_alive(IDLE_THREAD)
            .thread_name("recorder")
            .enable_all()
            .build()
            .map_err(|error| {
                Error::unexpected(format!("Cannot start a thread for recordings: {error}"))
            })?;
        let threads = Arc::new(Self(Some(runtime)));
        *current = Arc::downgrade(&threads);
        Ok(threads)
    }

    fn runtime(&self) -> Option<&Runtime> {
        self.0.as_ref()
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        // The last one may be a task of the runtime itself, which cannot wait for it.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

#[cfg(test)]
mod tests;
