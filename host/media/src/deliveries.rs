//! What modules and listeners are told of a graph, in order, one at a time.
//!
//! A change of the graph queues what came of it while it has the graph's lock, so that the order of
//! deliveries is the order of changes. It is delivered after that lock was let go: a module may call
//! back into the graph from within, and what it does then must not keep all others out.
//!
//! A module is told on a thread of its own, which takes the turn and goes on with what comes next. A call
//! that does not return loses the turn, so it keeps the others of its pipeline for a moment only,
//! and those of other pipelines not at all.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{
            AtomicBool, AtomicU8,
            Ordering::{AcqRel, Acquire},
        },
    },
};

use rivero_plugin_api::supervise;

use crate::{
    owner::{Job, Owner},
    sink::Sink,
};

/// Something to tell.
pub(crate) enum Delivery {
    /// What the host does itself, in no time.
    Here(Job),
    /// A call of the module that a pad belongs to; nothing where that hangs, see
    /// [`Graph::resume`](crate::graph::Graph::resume).
    There(Arc<dyn Owner>, Job),
}

impl Delivery {
    /// A call on behalf of `owner`; nobody owns the pads of conversions.
    pub(crate) fn to(owner: Option<&Arc<dyn Owner>>, job: impl FnOnce() + Send + 'static) -> Self {
        match owner {
            Some(owner) => Self::There(owner.clone(), Box::new(job)),
            None => Self::Here(Box::new(job)),
        }
    }
}

/// All that is still to be told.
///
/// *Lock order:* the graph's lock, then this one, then that of a sink's format. This one is taken
/// under the graph's, so that two changes queue in the order in which they were made; were the
/// graph's also taken under this one, the two could wait for each other for ever.
#[derive(Clone, Default)]
pub(crate) struct Deliveries(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    events: VecDeque<Delivery>,
    /// Whose modules to notify of their formats before anything else; the last one first.
    formats: Vec<Arc<Sink>>,
    /// Somebody delivers: a thread, or the module that has the turn.
    running: bool,
}

impl Deliveries {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what came of one change; called while the graph is locked.
    pub(crate) fn add(&self, events: Vec<Delivery>, formats: Vec<Arc<Sink>>) {
        let mut queue = self.queue();
        queue.events.extend(events);
        queue.formats.extend(formats.into_iter().rev());
    }

    /// Delivers until nothing is left, unless that is done already elsewhere or further up the stack,
    /// where the rest will be delivered, too, in order. Called while the graph is not locked.
    ///
    /// A delivery to a module is made on a thread of that module, which goes on with the next; so this
    /// returns before all is told.
    pub(crate) fn run(&self) {
        if !std::mem::replace(&mut self.queue().running, true) {
            self.go_on();
        }
    }

    fn go_on(&self) {
        loop {
            let mut queue = self.queue();
            let Some(delivery) = queue.next() else {
                // Under the same lock as the look that found nothing: whatever is queued later
                // finds nobody running, and runs itself.
                queue.running = false;
                return;
            };
            drop(queue);
            match delivery {
                // One that panics must not keep the others from being delivered for ever.
                Delivery::Here(job) => {
                    supervise::contained("a delivery of the media graph", job);
                }
                Delivery::There(owner, job) => {
                    if !Turn::give(self, &owner, job) {
                        return;
                    }
                }
            }
        }
    }
}

/// That somebody else delivers. It ends when the module has been told, when that takes too long, or
/// when it turns out that it cannot be told, whichever is first.
struct Turn {
    deliveries: Deliveries,
    over: AtomicBool,
    state: AtomicU8,
}

/// Who gave the turn is still there.
const GIVING: u8 = 0;
/// The turn is over, and who gave it goes on.
const OVER: u8 = 1;
/// Who gave it has left, and whoever ends it goes on.
const LEFT: u8 = 2;

impl Turn {
    /// `true` when it is over already.
    fn give(deliveries: &Deliveries, owner: &Arc<dyn Owner>, job: Job) -> bool {
        if owner.is_cut() {
            // Dropping it may run module code: that is the business of what is dropped.
            return true;
        }
        let turn = Arc::new(Self {
            deliveries: deliveries.clone(),
            over: AtomicBool::new(false),
            state: AtomicU8::new(GIVING),
        });
        let ends = EndsTurn(turn.clone());
        let done = move || {
            supervise::contained("a delivery of the media graph", job);
            drop(ends);
        };
        let late = turn.clone();
        owner.run(Box::new(done), Some(Box::new(move || late.end())));
        let left = turn.state.compare_exchange(GIVING, LEFT, AcqRel, Acquire);
        left.is_err()
    }

    fn end(&self) {
        if !self.over.swap(true, AcqRel) && self.state.swap(OVER, AcqRel) == LEFT {
            self.deliveries.go_on();
        }
    }
}

/// Also where the job is dropped, since the module has no thread for it.
struct EndsTurn(Arc<Turn>);

impl Drop for EndsTurn {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Queue {
    fn next(&mut self) -> Option<Delivery> {
        self.next_format().or_else(|| self.events.pop_front())
    }

    /// What a format brings about comes before all others: it runs through everything that hands
    /// it on at once. So in a ring of such elements it meets itself and ends. Delivered by turns, two
    /// formats would follow each other round for ever.
    fn next_format(&mut self) -> Option<Delivery> {
        let sink = self.formats.pop()?;
        let owner = sink.consumer().owner().cloned();
        if owner.as_ref().is_some_and(|owner| owner.is_cut()) {
            return Some(Delivery::Here(Box::new(move || drop(sink))));
        }
        let Some(format) = sink.next_notice() else {
            // Asking what feeds it for media, and dropping the last of it: not under the lock.
            return Some(Delivery::Here(Box::new(move || sink.settle())));
        };
        self.formats.push(sink.clone());
        let tell = move || sink.consumer().handler().format(format);
        Some(Delivery::to(owner.as_ref(), tell))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_delivery_brings_about_comes_after_what_waits() {
        let deliveries = Deliveries::default();
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = |number: u32| -> Delivery {
            let told = told.clone();
            Delivery::Here(Box::new(move || told.lock().unwrap().push(number)))
        };
        let (inner, further) = (deliveries.clone(), tell(3));
        let first = Delivery::Here(Box::new(move || {
            inner.add(vec![further], Vec::new());
            // This thread delivers already: it returns at once.
            inner.run();
        }));
        let broken = Delivery::Here(Box::new(|| panic!("on purpose")));
        deliveries.add(vec![tell(1), first, broken, tell(2)], Vec::new());
        deliveries.run();
        assert_eq!(*told.lock().unwrap(), [1, 2, 3]);
        deliveries.add(vec![tell(4)], Vec::new());
        deliveries.run();
        assert_eq!(told.lock().unwrap().last(), Some(&4));
    }
}
