//! The limits of the process: `create` is refused before they are reached, and a server that
//! has no objects left ends when it still is near them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;

use super::Core;
use crate::error::CallError;
use crate::lifecycle::Event;
use crate::observe::usage;

/// How long a look at the process counts; it costs a system call per open file.
const VALIDITY: Duration = Duration::from_millis(100);

/// Lets the process open as many files as it may: the soft limit, 1,024 on most systems, is one
/// for programs that use `select`. For the begin of a process.
pub fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "cannot raise the limit of open files");
    }
}

/// How many files the process may open.
pub(super) fn file_limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// Fractions of the system's limits, in numbers.
#[derive(Debug)]
pub(super) struct Resources {
    max_threads: AtomicU64,
    max_files: AtomicU64,
    verdict: Mutex<Option<(Instant, Result<(), CallError>)>>,
    /// Told whenever the last object has gone.
    emptied: Notify,
}

impl Core {
    /// Done when the last object has gone, its module has let go of it, and the process still
    /// uses more threads or files than `fraction` of what the system allows it.
    ///
    /// Such a process has leaked something that only a restart gives back. Returns what it
    /// uses too much of.
    pub async fn exhausted(&self, fraction: f64) -> CallError {
        let limits = Resources::within(fraction);
        loop {
            self.resources.emptied.notified().await;
            if self.registry.object_count() > 0 {
                continue;
            }
            if let Err(reached) = limits.check() {
                return reached;
            }
        }
    }

    /// Lets [`Core::exhausted`] look at the process when no object is left, and draining end.
    pub(crate) fn note_whether_empty(&self) {
        if self.registry.object_count() == 0 {
            self.resources.emptied.notify_one();
            self.lifecycle.step(Event::Emptied);
        }
    }
}

impl Resources {
    /// `fraction` of what the system allows this process (`RLIMIT_NPROC`, `RLIMIT_NOFILE`).
    #[must_use]
    pub(super) fn within(fraction: f64) -> Resources {
        let resources = Resources::new(0, 0);
        resources.set_fraction(fraction);
        resources
    }

    /// Another fraction counts from now on.
    pub(super) fn set_fraction(&self, fraction: f64) {
        let part = |resource| {
            getrlimit(resource)
                .current
                .map_or(u64::MAX, |limit| part_of(limit, fraction))
        };
        // Each counts by itself, so that nobody has to see both at once.
        self.max_threads
            .store(part(Resource::Nproc), Ordering::Relaxed);
        self.max_files
            .store(part(Resource::Nofile), Ordering::Relaxed);
    }

    fn new(max_threads: u64, max_files: u64) -> Resources {
        Resources {
            max_threads: max_threads.into(),
            max_files: max_files.into(),
            verdict: Mutex::default(),
            emptied: Notify::new(),
        }
    }

    /// Looks whether another object may be made.
    ///
    /// # Errors
    /// 40009 when the process has too many threads or open files.
    pub(super) fn check(&self) -> Result<(), CallError> {
        let mut verdict = self.verdict.lock();
        if let Some((at, known)) = &*verdict
            && at.elapsed() < VALIDITY
        {
            return known.clone();
        }
        let fresh = self.judge(usage::threads(), usage::open_files());
        *verdict = Some((Instant::now(), fresh.clone()));
        fresh
    }

    fn judge(&self, threads: u64, files: u64) -> Result<(), CallError> {
        let max_threads = self.max_threads.load(Ordering::Relaxed);
        if threads > max_threads {
            return Err(limit_reached("threads", max_threads));
        }
        let max_files = self.max_files.load(Ordering::Relaxed);
        if files > max_files {
            return Err(limit_reached("files", max_files));
        }
        Ok(())
    }
}

fn limit_reached(what: &str, limit: u64) -> CallError {
    CallError::not_enough_resources(format!("Reached KMS {what} limit: {limit}"))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "limits need no precision, and casts from floats saturate"
)]
fn part_of(limit: u64, fraction: f64) -> u64 {
    (limit as f64 * fraction.clamp(0.0, 1.0)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_named() {
        let resources = Resources::new(10, 20);
        assert!(resources.judge(10, 20).is_ok());
        assert_eq!(
            resources.judge(11, 0).unwrap_err().message,
            "Reached KMS threads limit: 10"
        );
        let error = resources.judge(0, 21).unwrap_err();
        assert_eq!(
            (error.code, error.message.as_str()),
            (40009, "Reached KMS files limit: 20")
        );
    }

    #[test]
    fn a_verdict_counts_for_a_moment() {
        assert!(Resources::within(1.0).check().is_ok());
        let none = Resources::new(0, 0);
        assert_eq!(none.check(), none.check());
        assert_eq!(none.check().unwrap_err().code, 40009);
        assert_eq!(
            (part_of(1000, 0.8), part_of(u64::MAX, 1.0)),
            (800, u64::MAX)
        );
    }
}
