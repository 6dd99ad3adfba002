//! Who may upload, and when a session is over.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use rivero_plugin_api::supervise::lock;
use uuid::Uuid;

/// The session's cookie.
pub(crate) const COOKIE: &str = "HttpEPCookie";

/// Hears of sessions, in order. It must not call the session.
pub(crate) trait Listener: Send + Sync {
    /// A first request came.
    fn started(&self);
    /// The last one is long ago.
    fn terminated(&self);
}

/// Why a request has to wait or go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The cookie is that of another session.
    Stranger,
    /// An upload is running.
    Busy,
    /// The endpoint was released.
    Released,
}

#[derive(Default)]
struct State {
    /// While a session runs.
    cookie: Option<String>,
    /// A client waits for its answer.
    is_busy: bool,
    /// Visits that have not ended; media may still play that a client knows the end of.
    running: usize,
    is_closed: bool,
    /// Requests so far.
    visits: u64,
}

/// The sessions of an endpoint, one after the other.
pub(crate) struct Session<L> {
    state: Mutex<State>,
    idle: Condvar,
    listener: L,
}

impl<L: Listener> Session<L> {
    pub(crate) fn new(listener: L) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            idle: Condvar::new(),
            listener,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// A request that shall be carried out. Clients without cookies are taken:
    /// browsers send them only to where a page comes from.
    pub(crate) fn enter(self: &Arc<Self>, cookie: Option<&str>) -> Result<Visit<L>, Refusal> {
        let mut state = self.state();
        if state.is_closed {
            return Err(Refusal::Released);
        }
        match (&state.cookie, cookie) {
            (Some(known), Some(shown)) if known != shown => return Err(Refusal::Stranger),
            _ if state.is_busy => return Err(Refusal::Busy),
            _ => {}
        }
        (state.is_busy, state.visits) = (true, state.visits + 1);
        state.running += 1;
        if state.cookie.is_none() {
            self.listener.started();
        }
        let cookie = state
            .cookie
            .get_or_insert_with(|| Uuid::new_v4().to_string())
            .clone();
        Ok(Visit {
            session: self.clone(),
            number: state.visits,
            is_answered: false,
            cookie,
        })
    }

    /// The time after the request of that number is over.
    pub(crate) fn expire(&self, number: u64) {
        let mut state = self.state();
        let is_last = state.visits == number && state.running == 0 && !state.is_closed;
        if is_last && state.cookie.take().is_some() {
            self.listener.terminated();
        }
    }

    /// Takes no more; waits, `patience` at most, for the end of what runs.
    pub(crate) fn close(&self, patience: Duration) {
        let mut state = self.state();
        state.is_closed = true;
        let waited = self
            .idle
            .wait_timeout_while(state, patience, |state| state.running > 0);
        drop(waited);
    }
}

/// A request that is carried out; dropping it ends it.
pub(crate) struct Visit<L: Listener> {
    session: Arc<Session<L>>,
    number: u64,
    is_answered: bool,
    cookie: String,
}

impl<L: Listener> Visit<L> {
    /// For [`Session::expire`].
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn cookie(&self) -> &str {
        &self.cookie
    }

    /// The client gets its answer, so the next one may come.
    pub(crate) fn answered(&mut self) {
        self.is_answered = true;
        self.session.state().is_busy = false;
    }
}

impl<L: Listener> Drop for Visit<L> {
    fn drop(&mut self) {
        let mut state = self.session.state();
        state.running -= 1;
        if !self.is_answered {
            state.is_busy = false;
        }
        drop(state);
        self.session.idle.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default, Clone)]
    struct Told(Arc<Mutex<Vec<&'static str>>>);

    impl Listener for Told {
        fn started(&self) {
            self.0.lock().unwrap().push("started");
        }
        fn terminated(&self) {
            self.0.lock().unwrap().push("terminated");
        }
    }

    #[test]
    fn requests_in_time_are_one_session() {
        let told = Told::default();
        let session = Session::new(told.clone());
        let first = session.enter(None).unwrap();
        let (number, cookie) = (first.number(), first.cookie().to_owned());
        session.expire(number);
        drop(first);
        let second = session.enter(Some(&cookie)).unwrap();
        session.expire(number);
        assert_eq!(*told.0.lock().unwrap(), ["started"]);
        let number = second.number();
        drop(second);
        session.expire(number);
        session.expire(number);
        assert_eq!(*told.0.lock().unwrap(), ["started", "terminated"]);
        let third = session.enter(Some(&cookie)).unwrap();
        assert_ne!(third.cookie(), cookie);
        assert_eq!(told.0.lock().unwrap().len(), 3);
    }

    #[test]
    fn who_has_to_wait_or_go() {
        let session = Session::new(Told::default());
        let mut visit = session.enter(None).unwrap();
        assert_eq!(session.enter(None).err(), Some(Refusal::Busy));
        let own = visit.cookie().to_owned();
        assert_eq!(session.enter(Some(&own)).err(), Some(Refusal::Busy));
        assert_eq!(session.enter(Some("x")).err(), Some(Refusal::Stranger));
        visit.answered();
        let next = session.enter(Some(&own)).unwrap();
        drop(visit);
        assert_eq!(session.enter(None).err(), Some(Refusal::Busy));
        session.close(Duration::ZERO);
        drop(next);
        assert_eq!(session.enter(None).err(), Some(Refusal::Released));
    }

    #[test]
    fn a_released_endpoint_waits_for_its_request() {
        let session = Session::new(Told::default());
        let visit = session.enter(None).unwrap();
        let closing = std::thread::spawn({
            let session = session.clone();
            move || session.close(Duration::from_secs(60))
        });
        while session.enter(None).err() != Some(Refusal::Released) {
            std::thread::yield_now();
        }
        assert!(!closing.is_finished());
        drop(visit);
        closing.join().unwrap();
    }
}
