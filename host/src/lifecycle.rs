//! How the process ends: running → draining → ending → ended.
//!
//! A server from which a new one has taken over is *handed over* in place of running: it has no way
//! in any more, serves what it has without restriction, and ends with its last object.
//!
//! *Draining* lets calls end by themselves: sessions that exist go on, new ones and new pipelines
//! are refused. *Ending* starts nothing any more and destroys all objects, so that recordings are
//! complete. Whatever has not come to its end by the deadline of that phase is left behind.
//!
//! [`Machine`] decides and has no clock of its own; [`Lifecycle`] is what the parts of the server
//! share of it.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, watch};
use tokio::time::Instant;

use crate::error::CallError;

/// How long ending may take, before the process ends anyway. Supervisors wait longer by default
/// before they kill (systemd 90 s), or can be told to (`docker stop --time`).
pub const ENDING: Duration = Duration::from_secs(20);

/// Where in its life the process is. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Everything is served.
    Running,
    /// Nobody comes any more: another process has the listeners. All else is as while running.
    HandedOver,
    /// What exists is served, nothing new is begun.
    Draining,
    /// Objects are being destroyed.
    Ending,
    /// Nothing is waited for any more.
    Ended,
}

/// What brings the process nearer to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants it to end: SIGTERM, SIGINT, a limit.
    Stop,
    /// Another process serves whoever comes.
    HandedOver,
    /// The last object has gone.
    Emptied,
    /// Ending is complete.
    Finished,
    /// Ending is not complete, and will not be.
    GivenUp,
    /// Time has passed.
    Time,
}

/// The state machine: events and the time in, phases out.
#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    drain: Duration,
    deadline: Option<Instant>,
    is_complete: bool,
}

impl Machine {
    /// `drain`: how long draining lasts at most; zero skips it.
    #[must_use]
    pub fn new(drain: Duration) -> Machine {
        Machine {
            phase: Phase::Running,
            drain,
            deadline: None,
            is_complete: false,
        }
    }

    /// Another time for draining, for a drain that begins later.
    pub fn set_drain(&mut self, drain: Duration) {
        self.drain = drain;
    }

    /// Where it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether it ended because everything had come to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// When [`Event::Time`] will make a difference.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Takes an event; returns the phase that it leads to.
    pub fn step(&mut self, event: Event, now: Instant) -> Phase {
        let late = self.deadline.is_some_and(|deadline| now >= deadline);
        let next = match (self.phase, event) {
            (Phase::Running | Phase::HandedOver, Event::Stop) => match self.drain.is_zero() {
                true => Phase::Ending,
                false => Phase::Draining,
            },
            (Phase::Running, Event::HandedOver) => Phase::HandedOver,
            // Whoever asks twice does not want to wait, not even for recordings.
            (Phase::Draining | Phase::Ending, Event::Stop) => Phase::Ended,
            (Phase::HandedOver | Phase::Draining, Event::Emptied) => Phase::Ending,
            (Phase::Ending, Event::Finished | Event::GivenUp) => Phase::Ended,
            (Phase::HandedOver | Phase::Draining, _) if late => Phase::Ending,
            (Phase::Ending, _) if late => Phase::Ended,
            (same, _) => same,
        };
        if next != self.phase {
            self.phase = next;
            self.is_complete = next == Phase::Ended && event == Event::Finished;
            self.deadline = match next {
                // Without a time for draining, calls last as long as they do.
                Phase::HandedOver if self.drain.is_zero() => None,
                Phase::HandedOver => Some(now + self.drain),
                Phase::Draining => Some(now + self.drain),
                Phase::Ending => Some(now + ENDING),
                Phase::Running | Phase::Ended => None,
            };
        }
        next
    }
}

/// The end of the process, as everybody sees it.
#[derive(Debug)]
pub struct Lifecycle {
    machine: Mutex<Machine>,
    phase: watch::Sender<Phase>,
    /// Held for reading by work that the end has to wait for.
    under_way: Arc<RwLock<()>>,
    /// Whether the process from which this one took over still has sessions.
    follows: watch::Sender<bool>,
    /// The id of the process that has taken over.
    successor: OnceLock<u32>,
}

/// Work that the process does not end without, as long as there is time.
#[derive(Debug)]
pub struct UnderWay {
    _held: Option<OwnedRwLockReadGuard<()>>,
}

impl Lifecycle {
    /// Running; see [`Machine::new`].
    #[must_use]
    pub fn new(drain: Duration) -> Lifecycle {
        Lifecycle {
            machine: Mutex::new(Machine::new(drain)),
            phase: watch::Sender::new(Phase::Running),
            under_way: Arc::default(),
            follows: watch::Sender::new(false),
            successor: OnceLock::new(),
        }
    }

    /// Where in its life the process is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// See [`Machine::set_drain`].
    pub fn set_drain(&self, drain: Duration) {
        self.machine.lock().set_drain(drain);
    }

    /// Whether the process ended because everything had come to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.machine.lock().is_complete()
    }

    /// When the present phase ends at the latest, if that is known.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.machine.lock().deadline()
    }

    /// Takes an event; returns the phase that it leads to.
    pub fn step(&self, event: Event) -> Phase {
        self.step_in(&mut self.machine.lock(), event)
    }

    /// Published under the lock, so that nobody sees the phases in another order.
    fn step_in(&self, machine: &mut Machine, event: Event) -> Phase {
        // What the process before this one still has can only be reached through this one.
        if event == Event::Emptied && *self.follows.borrow() {
            return machine.phase();
        }
        let phase = machine.step(event, Instant::now());
        let differs = |known: &mut Phase| std::mem::replace(known, phase) != phase;
        if self.phase.send_if_modified(differs) {
            tracing::info!("the server is {phase}");
        }
        phase
    }

    /// Another process, of this id, serves whoever comes; false where this one has been told to
    /// end meanwhile.
    pub fn hand_over(&self, process: u32) -> bool {
        let mut machine = self.machine.lock();
        // Known before the phase is: whoever sees that asks for it.
        if machine.phase() != Phase::Running || self.successor.set(process).is_err() {
            return false;
        }
        self.step_in(&mut machine, Event::HandedOver) == Phase::HandedOver
    }

    /// The process that has taken over, and speaks for the server.
    #[must_use]
    pub fn successor(&self) -> Option<u32> {
        self.successor.get().copied()
    }

    /// This process took over from another one, which lives.
    pub fn follow(&self) {
        self.follows.send_replace(true);
    }

    /// The other one has ended.
    pub fn follow_no_more(&self) {
        self.follows.send_replace(false);
    }

    /// Done when no process is left from which this one took over.
    pub async fn alone(&self) {
        let _ = self.follows.subscribe().wait_for(|follows| !follows).await;
    }

    /// Waits until the process is in this phase or in a later one.
    pub async fn reached(&self, phase: Phase) {
        // The sender is `self`, so there is no error.
        let _ = self.phase.subscribe().wait_for(|now| *now >= phase).await;
    }

    /// Lets time bring the end about; done when it has come.
    pub async fn keep_time(&self) {
        let mut changes = self.phase.subscribe();
        while *changes.borrow_and_update() != Phase::Ended {
            match self.deadline() {
                Some(deadline) => {
                    let slept = tokio::time::timeout_at(deadline, changes.changed()).await;
                    if slept.is_err() {
                        self.step(Event::Time);
                    }
                }
                None => {
                    let _ = changes.changed().await;
                }
            }
        }
    }

    /// Begins work that the end waits for.
    ///
    /// To be called before [`Lifecycle::admit`] and the like: what these let through is then
    /// waited for, whenever ending begins.
    #[must_use]
    pub fn begin(&self) -> UnderWay {
        // Not to be had when the end waits already; what begins then is what it brings about.
        UnderWay {
            _held: self.under_way.clone().try_read_owned().ok(),
        }
    }

    /// Waits for all work that was begun.
    pub async fn all_done(&self) {
        drop(self.under_way.write().await);
    }

    /// Whether anything may be begun.
    ///
    /// # Errors
    /// 40009 while ending.
    pub fn admit(&self) -> Result<(), CallError> {
        self.admit_before(Phase::Ending, "nothing is begun any more")
    }

    /// Whether a new session may be begun.
    ///
    /// # Errors
    /// 40009 while draining or ending.
    pub fn admit_session(&self) -> Result<(), CallError> {
        self.admit_before(Phase::Draining, "no new sessions")
    }

    /// Whether a new pipeline may be made.
    ///
    /// # Errors
    /// 40009 while draining or ending.
    pub fn admit_pipeline(&self) -> Result<(), CallError> {
        self.admit_before(Phase::Draining, "no new pipelines")
    }

    fn admit_before(&self, phase: Phase, what: &str) -> Result<(), CallError> {
        if self.phase() < phase {
            return Ok(());
        }
        Err(CallError::going_down(what))
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Running => "running",
            Phase::HandedOver => "handed over",
            Phase::Draining => "draining",
            Phase::Ending => "ending",
            Phase::Ended => "ended",
        })
    }
}

#[cfg(test)]
mod tests;
