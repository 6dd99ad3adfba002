//! Processes that this command starts, and that end with it.

use super::Ending;
use crate::Failure;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::{Duration, Instant};

/// How often a process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long one that is told to end is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why the command ends.
pub(super) enum Ended {
    /// It was told to.
    Told,
    Failed(Failure),
}

impl<E: Into<Failure>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Waits so long, unless the command is told to end.
pub(super) fn rest(time: Duration, ending: &Ending) -> Result<(), Ended> {
    let deadline = Instant::now() + time;
    loop {
        if ending.load(Relaxed) {
            return Err(Ended::Told);
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        thread::sleep(left.min(LOOK));
    }
}

/// A process with those that it starts, which end when it is dropped.
pub(super) struct Group(Child);

impl Group {
    pub(super) fn start(command: &mut Command) -> Result<Self, Ended> {
        let name = command.get_program().display().to_string();
        // A group of its own: one signal reaches the compilers that cargo starts, too.
        let started = command.process_group(0).spawn();
        let child = started.map_err(|error| {
            Ended::Failed(Failure(Some(format!("{name} cannot be started: {error}"))))
        })?;
        Ok(Self(child))
    }

    pub(super) fn child(&mut self) -> &mut Child {
        &mut self.0
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Result<Option<ExitStatus>, Ended> {
        Ok(self.0.try_wait()?)
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self, ending: &Ending) -> Result<ExitStatus, Ended> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            rest(LOOK, ending)?;
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if matches!(self.0.try_wait(), Ok(Some(_))) {
            return;
        }
        self.signal(Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if matches!(self.0.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(LOOK);
        }
        self.signal(Signal::KILL);
        let _ = self.0.wait();
    }
}
