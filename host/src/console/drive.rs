//! Makes what readers are shown, as long as there are any.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::overview::{self, Entries};
use super::{Console, details, graph};
use crate::registry::Object;
use crate::tasks::lasting;

/// How often.
pub(super) const PERIOD: Duration = Duration::from_millis(500);
/// Figures of the server as a whole, of which some come from the system, are made every so many times.
const SERVER_ROUNDS: u64 = 2;
/// With so many objects it takes long enough to be done beside the runtime.
const MANY: usize = 1_000;

/// Begins. It ends by itself when nobody looks any more.
pub(super) fn start(console: &Arc<Console>) {
    let console = console.clone();
    tokio::spawn(lasting("the console", move || drive(console.clone())));
}

async fn drive(console: Arc<Console>) {
    let work = Arc::new(Work::default());
    let mut ticks = tokio::time::interval(PERIOD);
    // A round that took long is no reason to hurry.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if !console.goes_on() {
            return;
        }
        let (of_console, of_work) = (console.clone(), work.clone());
        let round = move || of_work.round(&of_console);
        if console.core.registry.object_count() < MANY {
            round();
        } else if console.core.aside.run(round).await.is_err() {
            continue;
        }
        console.ticks.send_modify(|ticks| *ticks += 1);
    }
}

impl Console {
    /// Whether anybody looks; if not, everything is forgotten and the next one begins anew.
    fn goes_on(&self) -> bool {
        let mut readers = self.readers.lock();
        if readers.count > 0 {
            return true;
        }
        readers.driven = false;
        self.store.lock().clear();
        self.details.clear();
        false
    }
}

/// What lasts from one round to the next.
#[derive(Default)]
struct Work(Mutex<State>);

#[derive(Default)]
struct State {
    rounds: u64,
    server: Value,
}

impl Work {
    fn round(&self, console: &Arc<Console>) {
        let mut state = self.0.lock();
        let core = &console.core;
        if state.rounds.is_multiple_of(SERVER_ROUNDS) {
            state.server = overview::server(core);
        }
        state.rounds += 1;
        let mut entries = overview::entries(core);
        entries.push(("server".to_owned(), state.server.clone()));
        watched(console, &mut entries);
        console.details.forget_unused();
        console.store.lock().replace(entries);
    }
}

/// Adds what somebody has chosen to look at.
fn watched(console: &Arc<Console>, entries: &mut Entries) {
    let readers = console.readers.lock();
    let pipelines: Vec<Arc<str>> = readers.pipelines.keys().cloned().collect();
    let objects: Vec<Arc<str>> = readers.objects.keys().cloned().collect();
    drop(readers);
    let caller = console.core.itself();
    let view = console.core.registry.view(&caller);
    let object = |id: &str| view.object(id).ok();
    for pipeline in pipelines.iter().filter_map(|id| object(id)) {
        let value = graph::of(&console.core, &console.details, &pipeline);
        entries.push((format!("graph/{}", pipeline.id), value));
    }
    for object in objects.iter().filter_map(|id| object(id)) {
        entries.push((
            format!("object/{}", object.id),
            self::object(console, &object),
        ));
    }
}

fn object(console: &Arc<Console>, object: &Arc<Object>) -> Value {
    details::entry(&console.core, &console.details, object)
}
