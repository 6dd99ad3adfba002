//! The task that writes one recording.

mod progress;
pub(crate) mod totals;

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rivero_plugin_api::{
    Result,
    supervise::{contain, contain_future, contained, count},
};
use rivero_uri::Policy;
use tokio::time::{Instant, timeout};

use crate::{
    container::Output,
    intake::{Batch, Command, Intake},
    memory::Memory,
    output::{Failure, Opened, Target, Upload},
    recording::{Notice, Recording},
    threads::Threads,
};
use progress::Progress;

/// Where the metrics count panics.
const PLACE: &str = "a recording";
/// How often a writer looks at the time.
const TICK: Duration = Duration::from_millis(200);
/// A disk that was fast enough for so long and is not any more is told of again; one that stutters is not.
const CALM: Duration = Duration::from_secs(30);

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
    progress: Arc<Progress>,
    threads: Arc<Threads>,
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
        let writer = Self {
            intake: Arc::new(Intake::new(Memory::of_process())),
            figures: Arc::default(),
            progress: Arc::default(),
            threads: match target {
                Target::File { .. } | Target::Store { .. } => Threads::for_files()?,
                Target::Upload { .. } => Threads::for_uploads()?,
            },
        };
        let task = Task {
            recording,
            target,
            listener: listener.clone(),
            figures: writer.figures.clone(),
            progress: writer.progress.clone(),
            state: State::Running,
        };
        let running = totals::Running::begin();
        let (intake, progress) = (writer.intake.clone(), writer.progress.clone());
        let waiting = intake.clone();
        writer.spawn(async move {
            let target = task.target.to_string();
            let ended = contain_future(task.run(intake, policy)).await;
            let opened = ended.unwrap_or_else(|reason| {
                contained(PLACE, || panicked(listener.as_ref(), target, reason));
                true
            });
            waiting.close();
            contained(PLACE, || listener.over(opened));
            drop(running);
            progress.end();
        })?;
        Ok(writer)
    }

    pub(crate) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    pub(crate) fn figures(&self) -> &Figures {
        &self.figures
    }

    /// Calls `then` when something is recorded, the recording is over, or after `patience`.
    pub(crate) fn when_begun(&self, patience: Duration, then: impl FnOnce() + Send + 'static) {
        let (progress, figures) = (self.progress.clone(), self.figures.clone());
        let has_begun = move || figures.duration.load(Relaxed) > 0;
        let begun = async move { timeout(patience, progress.reached(has_begun)).await.is_ok() };
        self.then(begun, |_| then());
    }

    /// Calls `then` when the recording is over, with `true`, or after `patience`, with `false`.
    pub(crate) fn when_over(&self, patience: Duration, then: impl FnOnce(bool) + Send + 'static) {
        let progress = self.progress.clone();
        self.then(
            async move { timeout(patience, progress.ended()).await.is_ok() },
            then,
        );
    }

    /// As [`Writer::when_over`], but `patience` counts from the latest progress on.
    pub(crate) fn when_over_or_stalled(
        &self,
        patience: Duration,
        then: impl FnOnce(bool) + Send + 'static,
    ) {
        let progress = self.progress.clone();
        self.then(
            async move { progress.ended_without_pause(patience).await },
            then,
        );
    }

    fn then(
        &self,
        is_over: impl Future<Output = bool> + Send + 'static,
        then: impl FnOnce(bool) + Send + 'static,
    ) {
        let waiting = self.spawn(async move { then(is_over.await) });
        if let Err(error) = waiting {
            tracing::error!("nobody waits for the end of a recording: {error}");
        }
    }

    /// Calls `then` when `future` has ended.
    pub(crate) fn after(
        &self,
        future: impl Future<Output = ()> + Send + 'static,
        then: impl FnOnce() + Send + 'static,
    ) {
        let ended = async move {
            future.await;
            true
        };
        self.then(ended, |_| then());
    }

    /// Runs `future` on the threads of the recording, which last as long as it does.
    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) -> Result<()> {
        self.threads.spawn(future)
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
    progress: Arc<Progress>,
    state: State,
}

impl Task {
    /// Whether there was something to record to.
    async fn run(self, intake: Arc<Intake>, policy: Policy) -> bool {
        match self.target.open(&policy).await {
            Ok(Opened::File(output)) => self.run_to_file(intake, output).await,
            Ok(Opened::Upload(output)) => self.run_upload(intake, output).await,
            Err(failure) => {
                self.listener.failed(&failure);
                return false;
            }
        }
        true
    }

    async fn run_to_file(mut self, intake: Arc<Intake>, mut output: Box<dyn Output>) {
        let mut feed = self.feed(intake);
        while self.state == State::Running {
            let mut batch = feed.next().await;
            let (listener, target) = (self.listener.clone(), self.target.to_string());
            // A disk may block.
            let done = tokio::task::spawn_blocking(move || {
                contain(|| {
                    self.handle(std::mem::take(&mut batch.commands), output.as_mut());
                    (self, output)
                })
            });
            match done.await {
                Ok(Ok(parts)) => (self, output) = parts,
                Ok(Err(reason)) => return panicked(listener.as_ref(), target, reason),
                // The threads end with the process.
                Err(error) => return panicked(listener.as_ref(), target, error.to_string()),
            }
            self.progress.advance();
        }
    }

    async fn run_upload(mut self, intake: Arc<Intake>, mut output: Upload) {
        let mut feed = self.feed(intake);
        let progress = self.progress.clone();
        while self.state == State::Running {
            let mut batch = feed.next().await;
            let commands = std::mem::take(&mut batch.commands);
            // Into memory: nothing here waits for the server but the task itself. There it stays until the server
            // has taken it, and counts as long.
            self.handle(commands, &mut output);
            if let Err(error) = output.deliver(&|| progress.advance()).await {
                self.listener.failed(&Failure::write(&self.target, &error));
                self.state = State::Over;
            }
        }
    }

    fn feed(&self, intake: Arc<Intake>) -> Feed {
        Feed {
            intake,
            figures: self.figures.clone(),
            listener: self.listener.clone(),
            target: self.target.to_string(),
            latest_loss: None,
        }
    }

    /// Does what came, and what time alone brings about; may block where the output does.
    fn handle(&mut self, commands: Vec<(i64, Command)>, output: &mut dyn Output) {
        if let Err(error) = self.work(commands, output) {
            self.listener.failed(&Failure::write(&self.target, &error));
            // As much of an end as there is room for.
            let _ = self.recording.abandon(output);
            let _ = output.close();
            self.state = State::Over;
        }
        let bytes = self.recording.bytes(output);
        let former = self.figures.bytes.swap(bytes, Relaxed);
        totals::written(bytes.saturating_sub(former));
        self.figures
            .duration
            .store(self.recording.duration(), Relaxed);
        for notice in self.recording.take_notices() {
            self.listener.notice(notice);
        }
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

/// Counts a panic and tells the endpoint of it.
fn panicked(listener: &dyn Listener, target: String, reason: String) {
    count(PLACE);
    listener.failed(&Failure::Panicked { target, reason });
}

/// Where a task gets what it is to do.
struct Feed {
    intake: Arc<Intake>,
    figures: Arc<Figures>,
    listener: Arc<dyn Listener>,
    target: String,
    /// When something had to be left out.
    latest_loss: Option<Instant>,
}

impl Feed {
    /// What came in since; tells when it begins to be more than is taken.
    async fn next(&mut self) -> Batch {
        let batch = self.intake.next(TICK).await;
        if batch.lost == 0 {
            return batch;
        }
        self.figures.lost.fetch_add(batch.lost, Relaxed);
        let now = Instant::now();
        let is_new = |latest: Instant| now - latest > CALM;
        if self.latest_loss.replace(now).is_none_or(is_new) {
            let target = self.target.clone();
            self.listener.failed(&Failure::TooSlow { target });
        }
        batch
    }
}

#[cfg(test)]
mod tests;
