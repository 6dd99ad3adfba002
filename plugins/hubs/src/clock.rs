//! The threads on which mixes are made when they are due.
//!
//! Sound has one of its own, so that no picture makes it late; pictures have one for each processor, which
//! all hubs share. A hub that nobody looks at or listens to costs nothing. The threads end with the last hub.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak},
    thread,
    time::Duration,
};

use rivero_plugin_api::{
    Error, Host, Result, host,
    supervise::{contain, lasting_thread, lock},
};

/// What panicked is left alone for so long, ns.
const REST: i64 = 1_000_000_000;

/// Something that is to be done regularly.
pub(crate) trait Beats: Send + Sync {
    /// Does what is due at `now`, ns on the pipeline clock; gives when it is to be called next, `None` for not before
    /// it is [woken](Clock::wake).
    fn beat(&self, now: i64) -> Option<i64>;

    /// It panicked.
    fn panicked(&self, text: &str);
}

/// What the threads are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Sound,
    Pictures,
}

/// See the head of this file.
pub(crate) struct Clock(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    entries: Vec<Entry>,
    next: u64,
    has_ended: bool,
}

struct Entry {
    id: u64,
    beats: Weak<dyn Beats>,
    /// `i64::MAX` while it sleeps.
    deadline: i64,
    /// A thread is at it.
    is_busy: bool,
    /// It was woken meanwhile.
    is_woken: bool,
}

impl Clock {
    /// The clock that there is for this, or a new one.
    ///
    /// # Errors
    /// 40003 when the system refuses a thread
    pub(crate) fn join(work: Work) -> Result<Arc<Self>> {
        static CLOCKS: [Mutex<Weak<Clock>>; 2] = [const { Mutex::new(Weak::new()) }; 2];
        let [sound, pictures] = &CLOCKS;
        let (place, name, count) = match work {
            Work::Sound => (sound, "mix-sound", 1),
            Work::Pictures => {
                let processors = thread::available_parallelism().map_or(1, usize::from);
                (pictures, "mix-pictures", processors)
            }
        };
        let mut place = lock(place);
        if let Some(clock) = place.upgrade() {
            return Ok(clock);
        }
        let clock = Arc::new(Self(Arc::default()));
        for _ in 0..count {
            let shared = clock.0.clone();
            lasting_thread(name, move || shared.run())
                .map_err(|error| Error::unexpected(format!("no thread for mixing: {error}")))?;
        }
        *place = Arc::downgrade(&clock);
        Ok(clock)
    }

    /// Adds something that sleeps; gives its number. It is forgotten when it is dropped.
    pub(crate) fn add(&self, beats: Weak<dyn Beats>) -> u64 {
        let mut state = self.0.state();
        let id = state.next;
        state.next += 1;
        state.entries.push(Entry {
            id,
            beats,
            deadline: i64::MAX,
            is_busy: false,
            is_woken: false,
        });
        id
    }

    /// Has it called now, unless it is called regularly already.
    pub(crate) fn wake(&self, id: u64) {
        let mut state = self.0.state();
        if let Some(entry) = state.entries.iter_mut().find(|entry| entry.id == id) {
            entry.is_woken = true;
            if entry.deadline == i64::MAX {
                entry.deadline = 0;
            }
        }
        drop(state);
        self.0.changed.notify_one();
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.0.state().has_ended = true;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn run(&self) {
        let Some(host) = host() else { return };
        while let Some((id, beats)) = self.next(host) {
            let now = host.now();
            let next = contain(|| beats.beat(now)).unwrap_or_else(|text| {
                beats.panicked(&text);
                Some(now + REST)
            });
            // Perhaps the last who holds it: what it drops calls into the host, so not under the lock.
            drop(beats);
            self.done(id, next);
        }
    }

    /// Waits for what is due next; `None` at the end.
    fn next(&self, host: &Host) -> Option<(u64, Arc<dyn Beats>)> {
        let mut state = self.state();
        loop {
            if state.has_ended {
                return None;
            }
            let now = host.now();
            state
                .entries
                .retain(|entry| entry.is_busy || entry.beats.strong_count() > 0);
            let idle = state.entries.iter_mut().filter(|entry| !entry.is_busy);
            let first = idle.min_by_key(|entry| entry.deadline);
            let wait = match first {
                Some(entry) if entry.deadline <= now => {
                    if let Some(beats) = entry.beats.upgrade() {
                        entry.is_busy = true;
                        entry.is_woken = false;
                        return Some((entry.id, beats));
                    }
                    continue;
                }
                Some(entry) => u64::try_from(entry.deadline - now).unwrap_or(0),
                None => u64::MAX,
            };
            // An hour is as good as for ever: whoever changes something notifies.
            let wait = Duration::from_nanos(wait).min(Duration::from_secs(3600));
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn done(&self, id: u64, next: Option<i64>) {
        let mut state = self.state();
        if let Some(entry) = state.entries.iter_mut().find(|entry| entry.id == id) {
            entry.is_busy = false;
            entry.deadline = match next {
                Some(deadline) => deadline,
                None if entry.is_woken => 0,
                None => i64::MAX,
            };
        }
        drop(state);
        // This thread may find something else to do first: another one has to know of this.
        self.changed.notify_one();
    }
}
