//! Whether the threads that everything depends on still turn.
//!
//! Nothing tells from within a thread that it is blocked. So each is asked for a sign of life again and
//! again, in the way that it is given its work, and what counts is how long ago the latest one was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A thread that has given no sign for so long is taken for blocked. Far above what a loaded machine brings
/// about, since a supervisor ends the process for it.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// The signs of life of one thread, or of several that do the same.
#[derive(Debug)]
pub struct Pulse {
    /// Of the threads, for people.
    pub name: &'static str,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    latest: Instant,
    /// Asked, and not answered yet: asking a blocked thread again and again would fill its queue.
    is_asked: bool,
}

impl Pulse {
    /// Alive at this moment.
    #[must_use]
    pub fn new(name: &'static str) -> Arc<Pulse> {
        Arc::new(Pulse {
            name,
            state: Mutex::new(State {
                latest: Instant::now(),
                is_asked: false,
            }),
        })
    }

    /// A sign of life.
    pub fn beat(&self) {
        *self.state.lock() = State {
            latest: Instant::now(),
            is_asked: false,
        };
    }

    /// Asks for a sign, unless one is awaited; `ask` has the thread call what it is given.
    pub fn ask(self: &Arc<Self>, ask: impl FnOnce(Box<dyn FnOnce() + Send>)) {
        if std::mem::replace(&mut self.state.lock().is_asked, true) {
            return;
        }
        let pulse = self.clone();
        ask(Box::new(move || pulse.beat()));
    }

    /// How long ago the latest sign was.
    #[must_use]
    pub fn age(&self) -> Duration {
        self.state.lock().latest.elapsed()
    }

    /// Why its threads are taken for blocked, if they are.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        let age = self.age();
        let name = self.name;
        (age > PATIENCE)
            .then(|| format!("{name} has given no sign of life for {} s", age.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_does_not_answer_is_asked_once() {
        let pulse = Pulse::new("a thread");
        let mut asked = Vec::new();
        for _ in 0..3 {
            pulse.ask(|answer| asked.push(answer));
        }
        assert_eq!(asked.len(), 1);
        asked.pop().unwrap()();
        pulse.ask(|answer| asked.push(answer));
        assert_eq!(asked.len(), 1);
        assert_eq!(pulse.problem(), None);
    }

    #[test]
    fn who_is_silent_for_long_is_named() {
        let pulse = Pulse::new("a thread");
        let Some(long_ago) = Instant::now().checked_sub(PATIENCE * 2) else {
            return;
        };
        pulse.state.lock().latest = long_ago;
        let problem = pulse.problem().unwrap();
        assert_eq!(problem, "a thread has given no sign of life for 30 s");
        pulse.beat();
        assert_eq!(pulse.problem(), None);
    }
}
