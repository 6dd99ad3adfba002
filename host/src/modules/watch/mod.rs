//! Looking after the modules directories while the server runs (hot plug).
//!
//! One thread looks at all names, compares them with what is known, and has settled differences
//! taken up. The kernel says when to look (`notices.rs`); where it does not, as on file systems of
//! other machines, the thread looks every [`INTERVAL`]. The same thread closes libraries that are of no use
//! any more: it is never in the code of a module.

mod notices;
mod settling;

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use rivero_plugin_api::supervise;

use super::{Change, Modules, candidates::Sighting};
use notices::Notices;
use settling::Settling;

/// How often it looks when nothing is said.
const INTERVAL: Duration = Duration::from_secs(2);
/// How often it looks while files settle.
const CLOSELY: Duration = Duration::from_millis(100);
/// How soon it looks whether a library can be closed; twice as late each time that none can.
const FIRST_SWEEP: Duration = Duration::from_millis(200);
const LAST_SWEEP: Duration = Duration::from_secs(10);

/// Told of changes, on the thread that looks.
pub type Listener = Arc<dyn Fn(Change) + Send + Sync>;

/// Starts the thread, which ends with the modules.
///
/// # Errors
/// When the system refuses a thread.
pub(super) fn start(modules: &Arc<Modules>, listener: Listener) -> io::Result<()> {
    let modules = Arc::downgrade(modules);
    supervise::lasting_thread("modules", move || watch(&modules, &listener)).map(drop)
}

fn watch(modules: &Weak<Modules>, listener: &Listener) {
    let mut notices = Notices::new();
    let (mut settling, mut sweeping) = (Settling::default(), Sweeping::default());
    while let Some(modules) = modules.upgrade() {
        step(&modules, &mut notices, &mut settling, listener);
        let next = sweeping.step(&modules, Instant::now());
        drop(modules);
        let look = if settling.is_empty() {
            INTERVAL
        } else {
            CLOSELY
        };
        notices.wait(next.map_or(look, |next| next.min(look)));
    }
}

fn step(
    modules: &Modules,
    notices: &mut Notices,
    settling: &mut Settling<Sighting>,
    listener: &Listener,
) {
    let (sightings, places) = modules.candidates.lock().look();
    notices.watch(&places);
    let now = Instant::now();
    let seen = { sightings.iter() }.map(|(path, seen)| (Path::new(path), seen));
    let seen: BTreeMap<&Path, &Sighting> = seen.collect();
    let mut due = {
        let candidates = modules.candidates.lock();
        let mut due = settling.step(&candidates.seen(), &seen, now);
        due.extend(candidates.due(now));
        due
    };
    due.sort();
    due.dedup();
    if !due.is_empty() {
        for change in modules.take_up(&sightings, &due) {
            listener(change);
        }
    }
}

/// Takes up what differs from what is known, as it is: whoever asks for that has written his files.
pub(super) fn once(modules: &Modules, listener: &Listener) {
    let candidates = modules.candidates.lock();
    let (sightings, _) = candidates.look();
    let seen = { sightings.iter() }.map(|(path, seen)| (Path::new(path), seen));
    let seen: BTreeMap<&Path, &Sighting> = seen.collect();
    let known = candidates.seen();
    let names = known.keys().chain(seen.keys());
    let differing = names.filter(|name| known.get(*name) != seen.get(*name));
    let differing: BTreeSet<PathBuf> = differing.map(|name| (*name).to_owned()).collect();
    drop(known);
    drop(candidates);
    let differing: Vec<PathBuf> = differing.into_iter().collect();
    for change in modules.take_up(&sightings, &differing) {
        listener(change);
    }
}

/// When libraries are looked at that could be closed.
struct Sweeping {
    pause: Duration,
    next: Instant,
}

impl Default for Sweeping {
    fn default() -> Self {
        Self {
            pause: FIRST_SWEEP,
            next: Instant::now(),
        }
    }
}

impl Sweeping {
    /// The time until the next look is due, if there is anything to look at.
    fn step(&mut self, modules: &Modules, now: Instant) -> Option<Duration> {
        let retired = modules.services.retired();
        if retired.has_news() {
            self.pause = FIRST_SWEEP;
            self.next = now + FIRST_SWEEP;
        }
        if now >= self.next && !retired.is_empty() {
            retired.sweep();
            self.next = now + self.pause;
            self.pause = (self.pause * 2).min(LAST_SWEEP);
        }
        (!retired.is_empty()).then(|| self.next.saturating_duration_since(now))
    }
}
