//! How the process ends: running → draining → ending → ended.
//!
//! *Draining* lets calls end by themselves: sessions that exist go on, new ones and new pipelines
//! are refused. *Ending* starts nothing any more and destroys all objects, so that recordings are
//! complete. Whatever has not come to its end by the deadline of that phase is left behind.
//!
//! [`Machine`] decides and has no clock of its own; [`Lifecycle`] is what the parts of the server
//! share of it.

use std::sync::Arc;
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
            (Phase::Running, Event::Stop) if self.drain.is_zero() => Phase::Ending,
            (Phase::Running, Event::Stop) => Phase::Draining,
            // Whoever asks twice does not want to wait, not even for recordings.
            (Phase::Draining | Phase::Ending, Event::Stop) => Phase::Ended,
            (Phase::Draining, Event::Emptied) => Phase::Ending,
            (Phase::Ending, Event::Finished | Event::GivenUp) => Phase::Ended,
            (Phase::Draining, _) if late => Phase::Ending,
            (Phase::Ending, _) if late => Phase::Ended,
            (same, _) => same,
        };
        if next != self.phase {
            self.phase = next;
            self.is_complete = next == Phase::Ended && event == Event::Finished;
            self.deadline = match next {
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
        // Published under the lock, so that nobody sees the phases in another order.
        let mut machine = self.machine.lock();
        let phase = machine.step(event, Instant::now());
        let differs = |known: &mut Phase| std::mem::replace(known, phase) != phase;
        if self.phase.send_if_modified(differs) {
            tracing::info!("the server is {phase}");
        }
        phase
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
            Phase::Draining => "draining",
            Phase::Ending => "ending",
            Phase::Ended => "ended",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAIN: Duration = Duration::from_secs(60);
    const SECOND: Duration = Duration::from_secs(1);

    /// The phases that events at seconds lead to.
    fn phases(drain: Duration, events: &[(u32, Event)]) -> Vec<Phase> {
        let start = Instant::now();
        let mut machine = Machine::new(drain);
        let step = |(second, event): &(u32, Event)| machine.step(*event, start + SECOND * *second);
        events.iter().map(step).collect()
    }

    #[test]
    fn without_draining_a_stop_leads_to_the_end_at_once() {
        let events = [(0, Event::Emptied), (1, Event::Stop), (2, Event::Finished)];
        let expected = [Phase::Running, Phase::Ending, Phase::Ended];
        assert_eq!(phases(Duration::ZERO, &events), expected);
    }

    #[test]
    fn draining_ends_with_its_time() {
        let events = [(5, Event::Stop), (64, Event::Time), (65, Event::Time)];
        let expected = [Phase::Draining, Phase::Draining, Phase::Ending];
        assert_eq!(phases(DRAIN, &events), expected);
    }

    #[test]
    fn draining_ends_with_the_last_object() {
        let events = [(0, Event::Stop), (1, Event::Finished), (2, Event::Emptied)];
        let expected = [Phase::Draining, Phase::Draining, Phase::Ending];
        assert_eq!(phases(DRAIN, &events), expected);
    }

    #[test]
    fn ending_takes_20_s_at_most_however_long_draining_took() {
        let events = [
            (0, Event::Stop),
            (60, Event::Time),
            (79, Event::Emptied),
            (80, Event::Time),
        ];
        let expected = [Phase::Draining, Phase::Ending, Phase::Ending, Phase::Ended];
        assert_eq!(phases(DRAIN, &events), expected);
    }

    #[test]
    fn a_second_stop_ends_at_once() {
        let twice = [(0, Event::Stop), (1, Event::Stop)];
        assert_eq!(phases(DRAIN, &twice), [Phase::Draining, Phase::Ended]);
        assert_eq!(
            phases(Duration::ZERO, &twice),
            [Phase::Ending, Phase::Ended]
        );
    }

    #[test]
    fn only_what_is_finished_is_complete() {
        for last in [Event::Finished, Event::GivenUp, Event::Stop] {
            let mut machine = Machine::new(Duration::ZERO);
            machine.step(Event::Stop, Instant::now());
            assert_eq!(machine.step(last, Instant::now()), Phase::Ended);
            assert_eq!(machine.is_complete(), last == Event::Finished);
        }
    }

    #[test]
    fn nothing_leads_back() {
        let start = Instant::now();
        for drain in [Duration::ZERO, DRAIN] {
            let all = [Event::Stop, Event::Emptied, Event::GivenUp, Event::Time];
            for order in 0..256_usize {
                let mut machine = Machine::new(drain);
                let mut phase = Phase::Running;
                for place in 0..4 {
                    let event = all[order >> (2 * place) & 3];
                    let next = machine.step(event, start + DRAIN * place);
                    assert!(next >= phase);
                    phase = next;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_leads_to_the_end() {
        let lifecycle = Lifecycle::new(DRAIN);
        let start = Instant::now();
        lifecycle.step(Event::Stop);
        lifecycle.keep_time().await;
        assert_eq!(lifecycle.phase(), Phase::Ended);
        let took = start.elapsed().as_secs();
        assert_eq!(took, (DRAIN + ENDING).as_secs());
    }

    #[tokio::test]
    async fn the_end_waits_for_what_is_under_way() {
        let lifecycle = Arc::new(Lifecycle::new(Duration::ZERO));
        let work = lifecycle.begin();
        let waiting = tokio::spawn({
            let lifecycle = lifecycle.clone();
            async move { lifecycle.all_done().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(work);
        waiting.await.unwrap();
    }

    #[test]
    fn what_is_new_is_refused_first_and_then_everything() {
        let lifecycle = Lifecycle::new(DRAIN);
        let verdicts = || {
            let admitted = [
                lifecycle.admit(),
                lifecycle.admit_session(),
                lifecycle.admit_pipeline(),
            ];
            admitted.map(|verdict| verdict.err().map(|error| error.code))
        };
        assert_eq!(verdicts(), [None, None, None]);
        lifecycle.step(Event::Stop);
        assert_eq!(verdicts(), [None, Some(40009), Some(40009)]);
        lifecycle.step(Event::Emptied);
        assert_eq!(verdicts(), [Some(40009); 3]);
    }
}
